//! Every reason that a failure can carry is promised, with its meaning, in `report::reason`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tandem::report::reason::Reason;

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Texts in quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

fn is_reason(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Reasons in the bodies of the functions called `reason`.
fn reasons_of_errors(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("fn reason(&self) -> &'static str") {
        let body = &code[at..];
        // Functions of an impl end with a brace that is indented by four.
        let end = body.find("\n    }").unwrap_or(body.len());
        found.extend(quoted(&body[..end]).filter(|text| is_reason(text)).map(str::to_owned));
    }
    found
}

/// Reasons of failures that are made on the spot.
fn reasons_on_the_spot(code: &str) -> BTreeSet<String> {
    let arguments = code.match_indices("Failed::new(").map(|(at, word)| code[at + word.len()..].trim_start());
    arguments
        .filter(|argument| argument.starts_with('"'))
        .filter_map(|argument| quoted(argument).next())
        .filter(|text| is_reason(text))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_reason_of_a_failure_is_promised() {
    type Reader = fn(&str) -> BTreeSet<String>;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = BTreeSet::new();
    // What ends in a status: the command line has reasons of its own, and problems have rules.
    let rooms: [(&str, Reader); 8] = [
        ("charts", reasons_of_errors),
        ("git", reasons_of_errors),
        ("sandbox", reasons_of_errors),
        ("cluster", reasons_of_errors),
        ("inventory", reasons_of_errors),
        ("git", reasons_on_the_spot),
        ("cluster", reasons_on_the_spot),
        ("agent", reasons_on_the_spot),
    ];
    for (room, reasons_of) in rooms {
        let mut files = Vec::new();
        rust_files(&source.join(room), &mut files);
        for file in files {
            let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            let code = text.find("#[cfg(test)]").map_or(text.as_str(), |at| &text[..at]);
            seen.extend(reasons_of(code));
        }
    }
    for known in ["AuthenticationFailed", "Forbidden", "JobFailed"] {
        assert!(seen.contains(known), "{known} was not found, so the search does not work: {seen:?}");
    }
    let missing: Vec<_> = seen.iter().filter(|name| Reason::parse(name).is_none()).collect();
    assert!(missing.is_empty(), "add these to src/report/reason.rs, with their meaning: {missing:?}");
}

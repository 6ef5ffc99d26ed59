//! Holds the code to what ARCHITECTURE.md promises: who may import whom, what decisions never
//! touch, how long a file may be, and that no test file is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Room of a source file: the first folder, or the file's own name at the top.
fn room(path: &Path) -> String {
    let relative = path.strip_prefix(Path::new(ROOT).join("src")).expect("below src");
    let first = relative.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.strip_suffix(".rs").map_or(first.clone(), str::to_owned)
}

/// The code of a file without comments, strings' contents kept.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// The lines before the unit tests of a file.
fn production(text: &str) -> &str {
    text.find("#[cfg(test)]").map_or(text, |at| &text[..at])
}

/// Every room named after `crate::` in the code, braces of one level opened.
fn imports(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 1;
            let mut word = String::new();
            let mut take = true;
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => take = true,
                    c if depth == 1 && take && (c.is_alphanumeric() || c == '_') => word.push(c),
                    _ if !word.is_empty() => {
                        rooms.insert(std::mem::take(&mut word));
                        take = false;
                    }
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
                if c == ',' && depth == 1 && !word.is_empty() {
                    rooms.insert(std::mem::take(&mut word));
                }
            }
            if !word.is_empty() {
                rooms.insert(word);
            }
        } else {
            rooms.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    rooms
}

/// The table `| room | may import |` of ARCHITECTURE.md.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = read(Path::new(ROOT).join("ARCHITECTURE.md"));
    let mut lines = text.lines().skip_while(|l| !l.starts_with("| room | may import |")).skip(2);
    let mut table = BTreeMap::new();
    for line in lines.by_ref().take_while(|l| l.starts_with('|')) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let allowed = cells[1].split_whitespace().filter(|w| *w != "–").map(str::to_owned).collect();
        table.insert(cells[0].trim_matches('`').to_owned(), allowed);
    }
    assert!(table.len() > 8, "the import table of ARCHITECTURE.md was not found");
    table
}

const DECISIONS: &[&str] = &[
    "cel",
    "failure",
    "object",
    "revision",
    "render",
    "schema",
    "editor",
    "inventory",
    "health",
    "plan",
    "report",
    "standard",
];
const NOT_IN_DECISIONS: &[&str] = &[
    "async fn",
    "async move",
    ".await",
    "tokio::",
    "git2::",
    "kube::Client",
    "kube::Api",
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "reqwest::",
];

#[test]
fn imports_follow_the_table() {
    let table = table();
    let mut wrong = Vec::new();
    for path in rust_files(&Path::new(ROOT).join("src")) {
        let from = room(&path);
        if from == "lib" || from == "main" {
            continue;
        }
        let allowed = table.get(&from).unwrap_or_else(|| panic!("ARCHITECTURE.md's table has no row for {from}"));
        for to in imports(&code(&read(&path))) {
            if to != from && !allowed.contains(&to) {
                wrong.push(format!("{} imports {to}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "not in the table of ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

#[test]
fn decisions_touch_no_outside_world() {
    let mut wrong = Vec::new();
    for path in rust_files(&Path::new(ROOT).join("src")) {
        if !DECISIONS.contains(&room(&path).as_str()) {
            continue;
        }
        let text = read(&path);
        let code = code(production(&text));
        wrong
            .extend(NOT_IN_DECISIONS.iter().filter(|w| code.contains(**w)).map(|w| format!("{}: {w}", path.display())));
    }
    assert!(wrong.is_empty(), "decisions are pure:\n{}", wrong.join("\n"));
}

#[test]
fn files_have_one_purpose_and_show_it_by_their_length() {
    let long: Vec<_> = rust_files(&Path::new(ROOT).join("src"))
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|n| n != "tests.rs"))
        .map(|path| (production(&read(&path)).lines().count(), path))
        .filter(|(lines, _)| *lines > 400)
        .map(|(lines, path)| format!("{}: {lines} lines before its tests", path.display()))
        .collect();
    assert!(long.is_empty(), "split them:\n{}", long.join("\n"));
}

#[test]
fn no_test_file_is_forgotten() {
    let main = read(Path::new(ROOT).join("tests/main.rs"));
    for path in rust_files(&Path::new(ROOT).join("tests")) {
        let stem = path.file_stem().expect("stem").to_string_lossy().into_owned();
        let top = path.parent().is_some_and(|p| p.ends_with("tests"));
        if top && stem != "main" {
            assert!(main.contains(&format!("mod {stem};")), "tests/main.rs does not name {stem}");
        }
    }
}

#[test]
fn nothing_is_left_undone() {
    // Spelled in halves, so that this file does not find itself.
    let marks = [["todo", "!("].concat(), ["unimplemented", "!("].concat(), ["#[ig", "nore"].concat()];
    for folder in ["src", "tests"] {
        for path in rust_files(&Path::new(ROOT).join(folder)) {
            let text = read(&path);
            for mark in &marks {
                assert!(!text.contains(mark.as_str()), "{} has {mark}", path.display());
            }
        }
    }
}

/// `hack/mutate` is run by hand; what it takes away must be there when somebody does.
#[test]
fn each_check_that_is_taken_away_stands_where_it_is_said_to() {
    let (mut text, mut checks) = (String::new(), 0);
    for line in read(Path::new(ROOT).join("hack/mutations")).lines() {
        if let Some(named) = line.strip_prefix("== ") {
            let (file, tests) = named.split_once(" | ").unwrap_or_else(|| panic!("{named} names no tests"));
            assert!(["lib ", "main "].iter().any(|which| tests.starts_with(which)), "{tests}");
            text = read(Path::new(ROOT).join(file));
        } else if let Some(context) = line.strip_prefix("- ") {
            assert_eq!(context.matches(['«', '»']).count(), 2, "{context}");
            let plain = context.replace(['«', '»'], "");
            assert_eq!(text.matches(&plain).count(), 1, "hack/mutations: {plain} must be there once");
            checks += 1;
        }
    }
    assert!(checks > 80, "{checks}");
}

#[test]
fn the_reader_of_imports_sees_every_form() {
    let seen = imports(
        "use crate::plan::{self, Plan};\nuse crate::{api::{Sync, Repository}, git, cluster::apply};\nlet x = crate::object::ObjectId::new();",
    );
    let expected = ["api", "cluster", "git", "object", "plan"];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

//! What somebody sees before they approve. All of it was written by others: what could hide something is shown as what it
//! is.

use std::collections::BTreeMap;
use std::fmt::Write;

use git2::{DiffOptions, Oid, Repository};

use crate::report::visible::{is_hidden, visible};
use crate::revision::review::{Step, Verdict};

/// Lines with hidden characters that are shown.
const LINES: usize = 20;
/// Paths that are shown.
const PATHS: usize = 200;

/// Commit, changes, and who must approve.
pub fn shown(repository: &Repository, step: &Step, verdict: &Verdict) -> Result<String, git2::Error> {
    let commit = repository.find_commit(Oid::from_str(&step.commit)?)?;
    let mut text = format!("commit {}\n", step.commit);
    let person = |signature: &git2::Signature<'_>| {
        let of = |bytes: &[u8]| visible(&String::from_utf8_lossy(bytes));
        format!("{} <{}>", of(signature.name_bytes()), of(signature.email_bytes()))
    };
    let _ = writeln!(text, "author {}\ncommitter {}", person(&commit.author()), person(&commit.committer()));
    let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
    for line in message.lines() {
        let _ = writeln!(text, "    {}", visible(line));
    }
    let (counts, hidden) = changes(repository, step)?;
    let _ = writeln!(text, "compared with {}:", step.parent);
    for path in step.paths.iter().take(PATHS) {
        let (added, removed) = counts.get(path).copied().unwrap_or_default();
        let why = step.sensitive.get(path).map(|why| format!("  needs ops: {why}")).unwrap_or_default();
        let _ = writeln!(text, "  {} +{added} -{removed}{why}", visible(path));
    }
    if step.paths.len() > PATHS {
        let _ = writeln!(text, "  and {} more", step.paths.len() - PATHS);
    }
    if !hidden.is_empty() {
        text.push_str("characters that a terminal hides, in what is added:\n");
        hidden.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    let _ = writeln!(text, "by the profile Reviewed, {}", visible(&verdict.told()));
    Ok(text)
}

/// Lines that each path gains and loses.
type Counts = BTreeMap<String, (usize, usize)>;

fn changes(repository: &Repository, step: &Step) -> Result<(Counts, Vec<String>), git2::Error> {
    let tree = |commit: &str| repository.find_commit(Oid::from_str(commit)?)?.tree();
    let mut options = DiffOptions::new();
    options.context_lines(0);
    let diff =
        repository.diff_tree_to_tree(Some(&tree(&step.parent)?), Some(&tree(&step.commit)?), Some(&mut options))?;
    let (mut counts, mut hidden) = (Counts::new(), Vec::new());
    diff.foreach(
        &mut |_, _| true,
        None,
        None,
        Some(&mut |delta, _, line| {
            let file = delta.new_file().path_bytes().or(delta.old_file().path_bytes()).unwrap_or_default();
            let path = String::from_utf8_lossy(file).into_owned();
            let count = counts.entry(path.clone()).or_default();
            match line.origin() {
                '+' => count.0 += 1,
                '-' => count.1 += 1,
                _ => return true,
            }
            let content = String::from_utf8_lossy(line.content());
            let content = content.trim_end_matches(['\n', '\r']);
            if line.origin() == '+' && content.chars().any(is_hidden) && hidden.len() < LINES {
                let place = line.new_lineno().map(|number| format!(":{number}")).unwrap_or_default();
                hidden.push(format!("{}{place}: {}", visible(&path), visible(content)));
            }
            true
        }),
    )?;
    Ok((counts, hidden))
}

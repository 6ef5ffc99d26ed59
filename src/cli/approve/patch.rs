//! What a change adds and takes away, line by line, with what could hide something shown as what it is.

use std::collections::BTreeMap;
use std::fmt::Write;

use git2::{Delta, DiffDelta, DiffLine, DiffOptions, Oid, Repository};

use super::super::output::{Paint, Tone};
use crate::report::visible::{is_hidden, visible};

/// Lines with hidden characters that are told by themselves.
const HIDDEN: usize = 20;
/// Lines of a patch that are shown.
const LINES: usize = 2_000;
/// Characters of a line that are shown.
const WIDTH: usize = 500;

/// A change against another commit.
pub struct Patch {
    /// Lines that each path gains and loses.
    pub counts: BTreeMap<String, (usize, usize)>,
    /// Added lines with characters that a terminal hides, each with its place.
    pub hidden: Vec<String>,
    /// All lines with their surroundings, as far as they are shown.
    pub text: String,
    /// Lines that are not shown.
    pub left: usize,
}

impl Patch {
    /// What a commit changes against another one.
    pub fn between(repository: &Repository, (parent, commit): (&str, &str), paint: Paint) -> Result<Self, git2::Error> {
        let tree = |commit: &str| repository.find_commit(Oid::from_str(commit)?)?.tree();
        let mut options = DiffOptions::new();
        let diff = repository.diff_tree_to_tree(Some(&tree(parent)?), Some(&tree(commit)?), Some(&mut options))?;
        let mut patch = Self { counts: BTreeMap::new(), hidden: Vec::new(), text: String::new(), left: 0 };
        let mut shown = 0;
        diff.print(git2::DiffFormat::Patch, |delta, _, line| {
            patch.take(&delta, &line, paint, &mut shown);
            true
        })?;
        Ok(patch)
    }

    fn take(&mut self, delta: &DiffDelta<'_>, line: &DiffLine<'_>, paint: Paint, shown: &mut usize) {
        let path = path_of(delta);
        let content = String::from_utf8_lossy(line.content());
        let (mark, tone) = match line.origin() {
            '+' => ("+", Tone::Good),
            '-' => ("-", Tone::Bad),
            ' ' => (" ", Tone::Calm),
            'F' => {
                self.show(shown, || paint.tone(Tone::Strong, &heading(delta, &path)));
                return;
            }
            'H' => ("", Tone::Accent),
            // A file that is no text, and an end without a line feed.
            _ => ("", Tone::Faint),
        };
        if let "+" | "-" = mark {
            let count = self.counts.entry(path.clone()).or_default();
            *(if mark == "+" { &mut count.0 } else { &mut count.1 }) += 1;
        }
        for content in
            content.trim_end_matches('\n').split('\n').filter(|content| !mark.is_empty() || !content.is_empty())
        {
            if mark == "+" && content.trim_end_matches('\r').chars().any(is_hidden) && self.hidden.len() < HIDDEN {
                let place = line.new_lineno().map(|number| format!(":{number}")).unwrap_or_default();
                self.hidden.push(format!("{}{place}: {}", visible(&path), visible(content.trim_end_matches('\r'))));
            }
            self.show(shown, || paint.tone(tone, &format!("{mark}{}", cut(content))));
        }
    }

    fn show(&mut self, shown: &mut usize, line: impl FnOnce() -> String) {
        if *shown < LINES {
            *shown += 1;
            let _ = writeln!(self.text, "{}", line());
        } else {
            self.left += 1;
        }
    }
}

fn path_of(delta: &DiffDelta<'_>) -> String {
    let file = delta.new_file().path_bytes().or(delta.old_file().path_bytes()).unwrap_or_default();
    String::from_utf8_lossy(file).into_owned()
}

/// What becomes of a file.
fn heading(delta: &DiffDelta<'_>, path: &str) -> String {
    let what = match delta.status() {
        Delta::Added => "new file".to_owned(),
        Delta::Deleted => "deleted file".to_owned(),
        _ if delta.old_file().mode() != delta.new_file().mode() => {
            format!("file, mode {:o} -> {:o}", u32::from(delta.old_file().mode()), u32::from(delta.new_file().mode()))
        }
        _ => "file".to_owned(),
    };
    format!("{what} {}", visible(path))
}

/// A line, told to be longer where it is.
fn cut(line: &str) -> String {
    let mut characters = line.chars();
    let begin: String = characters.by_ref().take(WIDTH).collect();
    match characters.count() {
        0 => visible(&begin),
        more => format!("{} … and {more} characters more", visible(&begin)),
    }
}

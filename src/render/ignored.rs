//! `.tandemignore`: which files are no manifests, by the rules of `.gitignore`.

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::object::Problem;

/// The file that says what is left out. It counts for its folder and all folders below; the
/// nearest one decides.
pub const FILE: &str = ".tandemignore";

/// The rules of the folders from the rendered one down to the current one.
#[derive(Default)]
pub struct Ignored {
    rules: Vec<(String, Gitignore)>,
}

impl Ignored {
    /// Adds the rules that stand in `folder`, and drops those of folders that it is not in.
    /// `text` is `None` where the folder has no rules.
    pub fn enter(&mut self, folder: &str, text: Option<&str>) -> Vec<Problem> {
        self.rules.retain(|(above, _)| relative(above, folder).is_some());
        let mut problems = Vec::new();
        let Some(text) = text else { return problems };
        let mut builder = GitignoreBuilder::new(".");
        for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
            if let Err(error) = builder.add_line(None, line) {
                problems.push(bad(folder, Some(number), &error));
            }
        }
        match builder.build() {
            Ok(rules) => self.rules.push((folder.to_owned(), rules)),
            Err(error) => problems.push(bad(folder, None, &error)),
        }
        problems
    }

    /// Whether a file of that path is left out.
    pub fn file(&self, path: &str) -> bool {
        self.decide(path, |rules, inner| rules.matched(inner, false))
    }

    /// Whether a folder of that path is left out, with all that it holds.
    pub fn folder(&self, path: &str) -> bool {
        self.decide(path, |rules, inner| rules.matched(inner, true))
    }

    fn decide<'a>(
        &'a self,
        path: &str,
        matched: impl Fn(&'a Gitignore, &str) -> Match<&'a ignore::gitignore::Glob>,
    ) -> bool {
        for (folder, rules) in self.rules.iter().rev() {
            let Some(inner) = relative(folder, path) else { continue };
            match matched(rules, inner) {
                Match::None => {}
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
            }
        }
        false
    }
}

/// The path below a folder; empty for the folder itself.
fn relative<'p>(folder: &str, path: &'p str) -> Option<&'p str> {
    if folder.is_empty() || folder == path {
        return Some(if folder.is_empty() { path } else { "" });
    }
    path.strip_prefix(folder)?.strip_prefix('/')
}

fn bad(folder: &str, line: Option<u32>, error: &ignore::Error) -> Problem {
    Problem::new("InvalidIgnore", format!("the pattern cannot be read: {error}"))
        .in_file(super::path::join(folder, FILE), line)
}

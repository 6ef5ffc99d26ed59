//! The folder that a Sync names: its one spelling, and what was meant where there is none.

use super::{EntryKind, Tree, TreeError};
use crate::object::Problem;
use crate::object::near::nearest;

/// The one spelling of a path inside a repository: without `.`, without empty parts and without a
/// slash at either end; the root is empty. What leaves the repository, or would mean something
/// else on another system, is refused.
pub fn normal(path: &str) -> Result<String, Box<Problem>> {
    let refused = |what: &str| {
        let problem = Problem::new("InvalidPath", format!("the path {path:?} {what}"));
        Err(Box::new(problem.hint("a path starts at the root of the repository: apps/shop")))
    };
    if path.starts_with('/') {
        return refused("is absolute");
    }
    if path.contains('\\') {
        return refused("has a backslash");
    }
    if path.chars().any(char::is_control) {
        return refused("has a control character");
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return refused("has `..` in it"),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// A name inside a folder.
pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Why there is no folder of that path: the first part that is missing, and what stands there. The
/// folders that are looked through for advice are no part of the read set: advice may grow old, and
/// a commit elsewhere must not count as a change.
pub fn missing(tree: &dyn Tree, path: &str) -> Result<Problem, TreeError> {
    let mut folder = String::new();
    for part in path.split('/') {
        let entries = tree.list(&folder)?.unwrap_or_default();
        let here = join(&folder, part);
        let Some(entry) = entries.iter().find(|entry| entry.name == part) else {
            let problem = Problem::new("PathNotFound", format!("the repository has no folder {path:?}"));
            let folders: Vec<&str> =
                entries.iter().filter(|e| e.kind == EntryKind::Folder).map(|e| e.name.as_str()).collect();
            return Ok(match nearest(part, &folders) {
                Some(name) => problem.hint(format!("did you mean {:?}?", join(&folder, name))),
                None => problem.hint(told(&folder, &folders)),
            });
        };
        match entry.kind {
            EntryKind::Folder => folder = here,
            EntryKind::File => {
                let problem = Problem::new("PathNotFound", format!("{here:?} is a file, not a folder"));
                return Ok(problem.hint("name the folder that holds it"));
            }
            EntryKind::Symlink => {
                let problem = Problem::new("SymlinkNotFollowed", format!("{here:?} is a symbolic link"));
                return Ok(problem.hint("name the folder that it points to"));
            }
            EntryKind::Submodule => {
                let problem = Problem::new("SubmoduleNotRead", format!("{here:?} is a submodule"));
                return Ok(problem.hint("submodules are never fetched; make a Repository of its own for it"));
            }
        }
    }
    Ok(Problem::new("PathNotFound", format!("the repository has no folder {path:?}")))
}

/// At most ten folders, by name.
fn told(folder: &str, folders: &[&str]) -> String {
    let place = if folder.is_empty() { "the root of the repository".to_owned() } else { format!("{folder:?}") };
    match folders.len() {
        0 => format!("{place} has no folders"),
        1..=10 => format!("{place} has the folders {}", folders.join(", ")),
        more => format!("{place} has the folders {} and {} more", folders[..10].join(", "), more - 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for (path, expected) in [
            ("", ""),
            (".", ""),
            ("./", ""),
            ("a", "a"),
            ("./a//b/", "a/b"),
            ("a/./b", "a/b"),
            ("a/..b", "a/..b"),
            (".a/b c", ".a/b c"),
            ("...", "..."),
        ] {
            assert_eq!(normal(path).as_deref(), Ok(expected), "{path:?}");
        }
    }

    #[test]
    fn what_leaves_the_repository_is_refused() {
        for path in ["/", "/a", "..", "../a", "a/..", "a/../b", "a\\b", "C:\\a", "a\0b", "a\nb", "./..", "\u{1b}[2J"] {
            let problem = normal(path).expect_err(path);
            assert_eq!(problem.rule, "InvalidPath", "{path:?}");
            assert!(!problem.message.contains('\0') && !problem.message.contains('\u{1b}'), "{problem}");
        }
    }
}

//! What a commit says of itself.

use std::collections::HashSet;

use git2::{Oid, Repository};
use serde::{Deserialize, Serialize};

use super::error::{GitError, Kind};
use super::fetch::{ACCEPTED, FETCHED, oid};
use super::history::walk;
use super::range::{Range, range};

/// Commits that a reading of trailers looks at.
const COMMITS: usize = 10_000;
/// Trailers that count on any line of a message: a squash merge puts them in its middle.
const ANYWHERE: &[&str] = &["Tandem-Delete"];
/// Bytes of a subject that are kept.
const SUBJECT_BYTES: usize = 500;

/// What a commit says of itself. All of it was written by its author and is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitInfo {
    /// Commit id.
    pub commit: String,
    /// Id of its root tree.
    pub tree: String,
    /// Ids of its parents.
    pub parents: Vec<String>,
    /// Author's name.
    pub author: String,
    /// Author's email address.
    pub email: String,
    /// When it was committed, in seconds since 1970.
    pub seconds: i64,
    /// First line of its message.
    pub subject: String,
}

/// One trailer line of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trailer {
    /// Before the colon.
    pub key: String,
    /// After it.
    pub value: String,
}

/// A commit with its trailers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitTrailers {
    /// The commit.
    pub commit: CommitInfo,
    /// Its trailers, in order.
    pub trailers: Vec<Trailer>,
}

/// Reads a commit of the cache, by its id.
pub fn commit_info_of(repository: &Repository, url: &str, commit: &str) -> Result<CommitInfo, GitError> {
    commit_info(repository, url, oid(url, commit)?)
}

/// Reads a commit. One that is missing was lost where a pin says that it was fetched.
pub(super) fn read<'a>(repository: &'a Repository, url: &str, id: Oid) -> Result<git2::Commit<'a>, GitError> {
    repository.find_commit(id).map_err(|error| {
        let pinned = [FETCHED, ACCEPTED].iter().any(|pins| repository.find_reference(&format!("{pins}{id}")).is_ok());
        if error.code() == git2::ErrorCode::NotFound && !pinned {
            return GitError::new(Kind::NotFetched, url, format!("{id} is not in the cache"));
        }
        GitError::of_cache(url, &format!("reading commit {id}"), &error)
    })
}

pub(super) fn commit_info(repository: &Repository, url: &str, id: Oid) -> Result<CommitInfo, GitError> {
    let commit = read(repository, url, id)?;
    let author = commit.author();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(SUBJECT_BYTES).collect::<String>();
    let message = commit.message_bytes();
    let subject = message.split(|b| *b == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    Ok(CommitInfo {
        commit: id.to_string(),
        tree: commit.tree_id().to_string(),
        parents: commit.parent_ids().map(|p| p.to_string()).collect(),
        author: text(author.name_bytes()),
        email: text(author.email_bytes()),
        seconds: commit.time().seconds(),
        subject: text(subject.trim_ascii()),
    })
}

/// The commits that lead from `old` to `new`, about newest first, with their trailers; those without
/// trailers are left out, and where `path` is given, those that change nothing below it; and what the commits of
/// `without` bring against their first parents. Without `old` it is `new` alone.
///
/// # Errors
/// The cache cannot be read, or more than 10,000 lie between.
pub fn trailers(
    repository: &Repository,
    url: &str,
    (old, new): (Option<&str>, &str),
    path: Option<&str>,
    without: &[String],
) -> Result<Vec<CommitTrailers>, GitError> {
    let failed = |e: git2::Error| GitError::of_cache(url, "reading history", &e);
    let new = oid(url, new)?;
    let ids = match old {
        Some(old) => {
            let known = walk(repository, url, oid(url, old)?, usize::MAX, |_| false)?.seen;
            walk(repository, url, new, COMMITS + 1, |id| known.contains(&id))?.commits
        }
        None => vec![new],
    };
    if ids.len() > COMMITS {
        return Err(GitError::new(Kind::TooLarge, url, format!("more than {COMMITS} commits lie between")));
    }
    let mut left_out = HashSet::new();
    for commit in without {
        match brought(repository, url, commit)? {
            Some(ids) => left_out.extend(ids),
            // Whatever it brings steers nothing, and what that is, nobody can tell.
            None => return Ok(Vec::new()),
        }
    }
    let mut found = Vec::new();
    for id in ids.into_iter().filter(|id| !left_out.contains(id)) {
        let commit = repository.find_commit(id).map_err(failed)?;
        let trailers = trailers_in(&commit).map_err(failed)?;
        if trailers.is_empty() || path.is_some_and(|path| !touches(&commit, path)) {
            continue;
        }
        found.push(CommitTrailers { commit: commit_info(repository, url, id)?, trailers });
    }
    Ok(found)
}

/// A commit, and all that its first parent does not have, with their trailers; those without trailers are left out. None
/// where it cannot be told which they are.
///
/// # Errors
/// The cache cannot be read.
pub fn trailers_brought(repository: &Repository, url: &str, commit: &str) -> Result<Vec<CommitTrailers>, GitError> {
    let failed = |e: git2::Error| GitError::of_cache(url, "reading history", &e);
    let mut found = Vec::new();
    for id in brought(repository, url, commit)?.unwrap_or_default() {
        let trailers = trailers_in(&read(repository, url, id)?).map_err(failed)?;
        if !trailers.is_empty() {
            found.push(CommitTrailers { commit: commit_info(repository, url, id)?, trailers });
        }
    }
    Ok(found)
}

/// Trailers of one commit.
///
/// # Errors
/// The cache cannot be read.
pub fn trailers_of(repository: &Repository, url: &str, commit: &str) -> Result<Vec<Trailer>, GitError> {
    let failed = |e: git2::Error| GitError::of_cache(url, "reading history", &e);
    trailers_in(&read(repository, url, oid(url, commit)?)?).map_err(failed)
}

fn trailers_in(commit: &git2::Commit<'_>) -> Result<Vec<Trailer>, git2::Error> {
    std::str::from_utf8(commit.message_bytes()).map_or_else(|_| Ok(Vec::new()), trailers_of_message)
}

/// Trailers of a message: those of its last paragraph, as git has it, and before them the lines that count on any line of
/// their own, each once. These begin with their name, in the first column: a line that only looks like one to a person, with
/// something before it, is none.
fn trailers_of_message(message: &str) -> Result<Vec<Trailer>, git2::Error> {
    let trailer = |(key, value): (&str, &str)| Trailer { key: key.to_owned(), value: value.trim().to_owned() };
    let anywhere = |key: &str| ANYWHERE.iter().any(|name| key.trim_end().eq_ignore_ascii_case(name));
    let lines = message.lines().filter_map(|line| line.split_once(':')).filter(|(key, _)| anywhere(key));
    let mut found: Vec<Trailer> = lines.map(trailer).collect();
    let last = git2::message_trailers_strs(message)?;
    found.extend(last.iter().filter(|(key, _)| !anywhere(key)).map(trailer));
    Ok(found)
}

/// A commit, and all that its first parent does not have; `None` where that cannot be told.
fn brought(repository: &Repository, url: &str, commit: &str) -> Result<Option<Vec<Oid>>, GitError> {
    let id = oid(url, commit)?;
    // Where commits claim times that are not in order it may be a few too many, and never too few.
    let parent: Vec<String> =
        read(repository, url, id)?.parent_ids().take(1).map(|parent| parent.to_string()).collect();
    match range(repository, url, &parent, commit, false)? {
        Range::Commits { ids, .. } => ids.iter().map(|id| oid(url, id)).collect::<Result<_, _>>().map(Some),
        Range::Short | Range::TooMany => Ok(None),
    }
}

/// Whether a commit changed what stands at the path. One whose parent is not in the cache counts.
fn touches(commit: &git2::Commit<'_>, path: &str) -> bool {
    let id_in = |commit: &git2::Commit<'_>| match (path.is_empty(), commit.tree()) {
        (true, Ok(tree)) => Some(tree.id()),
        (false, Ok(tree)) => tree.get_path(std::path::Path::new(path)).ok().map(|entry| entry.id()),
        (_, Err(_)) => None,
    };
    match commit.parent(0) {
        Ok(parent) => id_in(commit) != id_in(&parent),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::review::carries_trailers;

    fn told(message: &str) -> Vec<String> {
        let found = trailers_of_message(message).expect("read");
        found.iter().map(|trailer| format!("{}: {}", trailer.key, trailer.value)).collect()
    }

    #[test]
    fn a_deletion_counts_on_any_line_and_others_in_the_last_paragraph() {
        let squashed =
            "Drop it (#7)\n\n* drop\n\nTandem-Delete: ns/shop 12\n\n* more\n\nBreak-Glass: no\n\nReviewed-by: A";
        assert_eq!(told(squashed), ["Tandem-Delete: ns/shop 12", "Reviewed-by: A"]);
        let last = "x\n\nReviewed-by: A\nTandem-Delete: ns/shop 3\r\n";
        assert_eq!(told(last), ["Tandem-Delete: ns/shop 3", "Reviewed-by: A"], "once, though git has it too");
        assert_eq!(told("Tandem-Delete: ns/shop 3"), ["Tandem-Delete: ns/shop 3"], "also as the subject");
        assert_eq!(told("x\n\ntandem-delete : ns/shop 3\n\nend"), ["tandem-delete : ns/shop 3"], "to be told as wrong");
        assert_eq!(told("x\n\nTandem-Delete: a/b 1\n and 2\n\nend"), ["Tandem-Delete: a/b 1"], "one line and no more");
    }

    /// Whether a message steers is asked before its approvals count for it: whatever pays must be seen there.
    #[test]
    fn what_counts_begins_a_line_and_is_seen_by_who_asks_whether_a_message_steers() {
        let line = "Tandem-Delete: ns/shop 3";
        let breaks = ["\n", "\r\n", "\n\n", "\n\n\n"];
        let befores = [
            "",
            " ",
            "\t",
            "> ",
            "* ",
            "\u{feff}",
            "\u{a0}",
            "\u{200b}",
            "\u{2028}",
            "\u{85}",
            "\u{b}",
            "\u{c}",
            "\r",
            "x",
            "a: ",
            "\u{202e}",
            "\u{1b}[8m",
        ];
        for (before, end) in befores.iter().flat_map(|before| breaks.map(|end| (*before, end))) {
            for after in ["", "\n\nmore", "\r"] {
                let message = format!("subject{end}{before}{line}{after}");
                let counts = told(&message).iter().any(|told| told.starts_with("Tandem-Delete"));
                assert_eq!(counts, before.is_empty(), "{message:?}");
                assert!(!counts || carries_trailers(&message), "{message:?} is not seen to steer");
            }
        }
        let other = ["Tandem\u{2010}Delete: ns/shop 3", "Tandem-Delete\u{200b}: ns/shop 3", "Tаndem-Delete: ns/shop 3"];
        for line in other {
            assert_eq!(told(&format!("subject\n\n{line}\n\nmore")), [""; 0], "{line:?}");
        }
    }
}

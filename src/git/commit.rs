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

/// Trailers of a message; none of one that is no text.
fn trailers_in(commit: &git2::Commit<'_>) -> Result<Vec<Trailer>, git2::Error> {
    let Ok(message) = std::str::from_utf8(commit.message_bytes()) else { return Ok(Vec::new()) };
    let lines = git2::message_trailers_strs(message)?;
    let trailer = |(key, value): (&str, &str)| Trailer { key: key.to_owned(), value: value.trim().to_owned() };
    Ok(lines.iter().map(trailer).collect())
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

//! The mainline: a commit, its first parent, that one's first parent. What each step of it changes, and who made it.
//!
//! Parents and trees are read from the raw objects, so that no graft and no shallow end shows another mainline.

use std::collections::BTreeSet;

use git2::{DiffOptions, ErrorCode, ObjectType, Oid, Repository};

use super::error::{GitError, Kind};
use super::fetch::oid;
use super::range::raw;
use crate::revision::signature::parents;

/// Steps that are walked.
pub const STEPS: usize = 10_000;
/// Paths that one step may change.
const PATHS: usize = 50_000;
/// Bytes of a file that are looked at.
const FILE: usize = 1 << 20;

/// The way along first parents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mainline {
    /// The commits after the base, oldest first.
    Steps(Vec<String>),
    /// The base is not on it.
    Elsewhere,
    /// History ends before that is known.
    Short,
    /// They are more than are walked.
    TooMany,
}

/// Walks from `new` along first parents until `base`.
///
/// # Errors
/// The object store fails, or a commit cannot be read.
pub fn mainline(repository: &Repository, url: &str, base: &str, new: &str) -> Result<Mainline, GitError> {
    let mut steps = Vec::new();
    let mut at = new.to_owned();
    while at != base {
        if steps.len() == STEPS {
            return Ok(Mainline::TooMany);
        }
        let Some(commit) = raw(repository, url, &at, ObjectType::Commit)? else { return Ok(Mainline::Short) };
        let parents = parents(&commit).ok_or_else(|| unreadable(url, &at))?;
        let next = parents.into_iter().next();
        steps.push(at);
        match next {
            Some(parent) => at = parent,
            None => return Ok(Mainline::Elsewhere),
        }
    }
    steps.reverse();
    Ok(Mainline::Steps(steps))
}

/// Id of the root tree of a commit.
///
/// # Errors
/// The commit is not there or cannot be read.
pub fn tree_of(repository: &Repository, url: &str, commit: &str) -> Result<String, GitError> {
    let found = repository.find_commit(oid(url, commit)?);
    let found = found.map_err(|e| GitError::of_cache(url, &format!("reading commit {commit}"), &e))?;
    Ok(found.tree_id().to_string())
}

/// Every path that differs between the trees of two commits; a file that was renamed has both its names.
///
/// # Errors
/// The object store fails, or more than 50,000 paths differ.
pub fn changed_paths(repository: &Repository, url: &str, old: &str, new: &str) -> Result<BTreeSet<String>, GitError> {
    let failed = |e: git2::Error| GitError::of_cache(url, &format!("comparing {old} with {new}"), &e);
    let tree = |commit: &str| Oid::from_str(&tree_of(repository, url, commit)?).map_err(failed);
    changed_between(repository, url, tree(old)?, tree(new)?)
}

/// The same of two trees.
pub(super) fn changed_between(
    repository: &Repository,
    url: &str,
    old: Oid,
    new: Oid,
) -> Result<BTreeSet<String>, GitError> {
    let failed = |e: git2::Error| GitError::of_cache(url, &format!("comparing {old} with {new}"), &e);
    let tree = |id: Oid| repository.find_tree(id).map_err(failed);
    let mut options = DiffOptions::new();
    options.include_typechange(true).skip_binary_check(true);
    let diff =
        repository.diff_tree_to_tree(Some(&tree(old)?), Some(&tree(new)?), Some(&mut options)).map_err(failed)?;
    if diff.deltas().len() > PATHS {
        return Err(GitError::new(Kind::TooLarge, url, format!("{new} changes more than {PATHS} files at once")));
    }
    let sides = diff.deltas().flat_map(|delta| {
        let name = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        [name(delta.old_file().path_bytes()), name(delta.new_file().path_bytes())]
    });
    Ok(sides.flatten().collect())
}

/// What stands at a path of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// No file.
    Absent,
    /// One of more than 1 MiB, which is not read.
    TooLarge,
    /// All that it holds.
    Read(Vec<u8>),
}

/// What a file of a commit holds.
///
/// # Errors
/// The object store fails.
pub fn file(repository: &Repository, url: &str, commit: &str, path: &str) -> Result<Content, GitError> {
    let failed = |e: git2::Error| GitError::of_cache(url, &format!("reading {path} of {commit}"), &e);
    let tree = repository.find_commit(oid(url, commit)?).and_then(|commit| commit.tree()).map_err(failed)?;
    let id = match tree.get_path(std::path::Path::new(path)) {
        Ok(entry) if entry.kind() == Some(ObjectType::Blob) => entry.id(),
        Ok(_) => return Ok(Content::Absent),
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(Content::Absent),
        Err(error) => return Err(failed(error)),
    };
    let (size, _) = repository.odb().and_then(|store| store.read_header(id)).map_err(failed)?;
    if size > FILE {
        return Ok(Content::TooLarge);
    }
    Ok(Content::Read(repository.find_blob(id).map_err(failed)?.content().to_vec()))
}

/// Message of a commit.
///
/// # Errors
/// The commit cannot be read.
pub fn message(repository: &Repository, url: &str, commit: &str) -> Result<String, GitError> {
    let found = repository.find_commit(oid(url, commit)?);
    let found = found.map_err(|e| GitError::of_cache(url, &format!("reading commit {commit}"), &e))?;
    Ok(String::from_utf8_lossy(found.message_bytes()).into_owned())
}

/// Addresses of everybody whom a commit names as having made it: author, committer, and co-authors.
///
/// # Errors
/// The commit cannot be read.
pub fn addresses(repository: &Repository, url: &str, commit: &str) -> Result<BTreeSet<String>, GitError> {
    let failed = |e: git2::Error| GitError::of_cache(url, &format!("reading commit {commit}"), &e);
    let commit = repository.find_commit(oid(url, commit)?).map_err(failed)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let mut found = BTreeSet::from([text(commit.author().email_bytes()), text(commit.committer().email_bytes())]);
    let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
    for line in message.lines() {
        let named = line.get(..15).filter(|key| key.eq_ignore_ascii_case("co-authored-by:"));
        let address = named.and_then(|_| line.rsplit_once('<')).and_then(|(_, rest)| rest.split_once('>'));
        found.extend(address.map(|(address, _)| address.trim().to_owned()));
    }
    Ok(found)
}

fn unreadable(url: &str, commit: &str) -> GitError {
    GitError::new(Kind::RemoteFailed, url, format!("the headers of commit {commit} cannot be read"))
}

//! Freezes as they stand in a commit, and what commits say against them.

use std::collections::BTreeSet;

use git2::Repository;
use serde::{Deserialize, Serialize};

use crate::git::{self, CommitTrailers, GitError, GitTree, Kind, Mainline};
use crate::object::Problem;
use crate::render::{EntryKind, ReadSet, Tree, TreeError};
use crate::revision::freeze::{self, Freeze};

/// Steps of the mainline that are looked at for the newest one that changes what is deployed.
const STEPS: usize = 1_000;

/// The freezes of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freezes {
    /// Those that can be read.
    pub freezes: Vec<Freeze>,
    /// What is wrong with the others.
    pub problems: Vec<Problem>,
}

/// The freezes of a commit.
///
/// # Errors
/// The repository cannot be read.
pub fn freezes(repository: &Repository, url: &str, commit: &str) -> Result<Freezes, GitError> {
    let tree = GitTree::new(repository, url, commit)?;
    let found = freezes_of(&tree).map_err(|error| GitError::new(Kind::CacheCorrupted, url, error.to_string()))?;
    match tree.failure() {
        Some(error) => Err(GitError::new(Kind::CacheCorrupted, url, error)),
        None => Ok(found),
    }
}

/// The freezes of a tree.
///
/// # Errors
/// The tree cannot be read.
pub fn freezes_of(tree: &impl Tree) -> Result<Freezes, TreeError> {
    let mut found = Freezes::default();
    let entries = tree.list(freeze::FOLDER)?.unwrap_or_default();
    let is_file = |name: &str| [".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending));
    let named: Vec<_> = entries.into_iter().filter(|entry| is_file(&entry.name)).collect();
    if named.len() > freeze::FILES {
        let message = format!("{} has more than {} files", freeze::FOLDER, freeze::FILES);
        found.problems.push(Problem::new("InvalidFreeze", message).in_file(freeze::FOLDER, None));
        return Ok(found);
    }
    for entry in named {
        let file = format!("{}/{}", freeze::FOLDER, entry.name);
        let wrong = |message: String| Problem::new("InvalidFreeze", message).in_file(file.clone(), None);
        if entry.kind != EntryKind::File {
            found.problems.push(wrong("it is no file".to_owned()));
            continue;
        }
        let bytes = match tree.read(&file, freeze::FILE_BYTES) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(TreeError::TooLarge { .. }) => {
                found.problems.push(wrong(format!("it has more than {} bytes", freeze::FILE_BYTES)));
                continue;
            }
            Err(TreeError::Refused(problem)) => {
                found.problems.push(*problem);
                continue;
            }
            Err(error) => return Err(error),
        };
        match freeze::read(&file, &bytes) {
            Ok(some) => found.freezes.extend(some),
            Err(some) => found.problems.extend(some),
        }
    }
    Ok(found)
}

/// Which commits are compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// What is deployed.
    pub from: String,
    /// What is to be.
    pub to: String,
    /// Steps of the mainline that lack approval: what they say counts for nothing.
    pub without: Vec<String>,
}

/// What would be deployed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The files that differ, of those that are read.
    pub paths: BTreeSet<String>,
    /// Trailers of what the newest step of the mainline brings that changes one of them: a line in an older step speaks
    /// of what was known then, and not of what came after it.
    pub said: Vec<CommitTrailers>,
}

/// What would be deployed that is read here.
///
/// # Errors
/// The repository cannot be read.
pub fn changes(repository: &Repository, url: &str, since: &Since, read: &ReadSet) -> Result<Changes, GitError> {
    let Since { from, to, without } = since;
    let changed = |from: &str, to: &str| {
        let mut paths = git::changed_paths(repository, url, from, to)?;
        paths.retain(|path| read.reads(path));
        Ok::<_, GitError>(paths)
    };
    let mut found = Changes { paths: changed(from, to)?, said: Vec::new() };
    let Mainline::Steps(steps) = git::mainline(repository, url, from, to)? else { return Ok(found) };
    let parents = std::iter::once(from).chain(&steps);
    let pairs: Vec<_> = parents.zip(&steps).collect();
    for (parent, commit) in pairs.into_iter().rev().take(STEPS) {
        if !changed(parent, commit)?.is_empty() {
            if !without.contains(commit) {
                found.said = git::trailers_brought(repository, url, commit)?;
            }
            break;
        }
    }
    Ok(found)
}

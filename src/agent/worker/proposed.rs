//! What the merge of a pull request would change: our own merge of its head into the branch, in memory.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::verify::{Cached, Objects};
use crate::git::{self, Cache, GitError, InMemory, Kept, Listed, Source};
use crate::revision::proposal::Merged;

/// A proposal that is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposed {
    /// What the remote calls its head.
    pub reference: String,
    /// The head.
    pub head: String,
    /// Heads of all that are proposed: the others are forgotten.
    pub all: BTreeSet<String>,
}

/// What came of the merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trial {
    /// It merges, and changes these paths.
    Merges(BTreeSet<String>),
    /// It does not: both sides changed the same.
    Conflicts,
    /// The reference leads elsewhere by now, or nowhere.
    Moved,
    /// It cannot be told, and why.
    Unknown(String),
}

/// Our own merge of a proposal.
pub(super) enum Attempt {
    /// It is in memory.
    Made(Box<InMemory>),
    /// Both sides changed the same.
    Conflicts,
    /// The reference leads elsewhere by now, or nowhere.
    Moved,
    /// It cannot be told, and why.
    Unknown(String),
}

/// Brings the head into the cache and merges it. History is deepened where it does not suffice.
///
/// # Errors
/// The repository or its remote cannot be read.
pub(super) fn attempt(cache: &Cache, source: &Source, listed: &Listed, asked: &Proposed) -> Result<Attempt, GitError> {
    let url = &source.url;
    if !git::fetch_head(cache, source, (&asked.reference, &asked.head), Kept::Proposed)? {
        return Ok(Attempt::Moved);
    }
    let history = Cached { cache, source, listed };
    let base = &listed.revision.commit;
    let mut step = 0;
    loop {
        let (merge, made) = history.open(|repository| git::merge_in_memory(repository, url, base, &asked.head))?;
        if merge.short && history.deepen(step)? {
            step += 1;
            continue;
        }
        return Ok(match (merge.merged, made) {
            (Merged::Tree(_), Some(made)) => Attempt::Made(Box::new(made)),
            (Merged::Conflicts, _) => Attempt::Conflicts,
            (Merged::Absent, _) => Attempt::Moved,
            (Merged::Unknown(why), _) => Attempt::Unknown(why),
            (Merged::Tree(_), None) => Attempt::Unknown("the merge was not kept".to_owned()),
        });
    }
}

/// What merging it would change. Heads of what is not open any more are forgotten.
///
/// # Errors
/// As [`attempt`].
pub(super) fn trial(cache: &Cache, source: &Source, listed: &Listed, asked: &Proposed) -> Result<Trial, GitError> {
    let url = &source.url;
    let attempt = attempt(cache, source, listed, asked)?;
    if let Some(repository) = cache.open(url)? {
        let all = asked.all.iter().map(String::as_str).collect();
        git::keep_heads(&repository, url, Kept::Proposed, &all)?;
    }
    Ok(match attempt {
        Attempt::Made(made) => Trial::Merges(made.changes(url, &listed.revision.commit)?),
        Attempt::Conflicts => Trial::Conflicts,
        Attempt::Moved => Trial::Moved,
        Attempt::Unknown(why) => Trial::Unknown(why),
    })
}

/// A folder that is rendered.
#[derive(Clone, Copy, Debug)]
pub struct Folder<'a> {
    /// URL of its repository.
    pub url: &'a str,
    /// Of what.
    pub at: &'a At,
    /// Its path there.
    pub path: &'a str,
}

/// What is rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum At {
    /// A commit.
    Commit(String),
    /// What the merge of a head into a commit would be.
    Merge {
        /// The commit.
        base: String,
        /// The head.
        head: String,
    },
}

impl At {
    /// The commit that must be in the cache.
    pub fn commit(&self) -> &str {
        match self {
            At::Commit(commit) | At::Merge { base: commit, .. } => commit,
        }
    }
}

/// As a quarantine names it.
impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            At::Commit(commit) => f.write_str(commit),
            At::Merge { base, head } => write!(f, "{base}+{head}"),
        }
    }
}

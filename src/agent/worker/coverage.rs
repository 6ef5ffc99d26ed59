//! What coverage files in notes say of commits: composes `git`, which has the notes, and the decisions of
//! `revision::coverage`.

use std::collections::{BTreeMap, BTreeSet};

use git2::Repository;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::{Failed, Fault};
use crate::git;
use crate::revision::checks::Said;
use crate::revision::coverage::note::{self, Wanted};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageCheck {
    /// Of these commits.
    pub commits: BTreeSet<String>,
    /// Id of the repository.
    pub repository: String,
    /// For these checks.
    pub checks: Vec<CoverageKeys>,
    /// When it is asked.
    pub now: Timestamp,
}

/// A check that keys sign for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageKeys {
    /// Its number.
    pub number: u64,
    /// What it is called.
    pub context: String,
    /// Public SSH keys.
    pub keys: Vec<String>,
}

/// What is said of each commit.
///
/// # Errors
/// A key cannot be read, or the repository.
pub fn coverage(
    repository: &Repository,
    url: &str,
    asked: &CoverageCheck,
) -> Result<BTreeMap<String, Vec<Said>>, Failed> {
    let mut said: BTreeMap<String, Vec<Said>> = BTreeMap::new();
    for commit in &asked.commits {
        let of_commit = said.entry(commit.clone()).or_default();
        let found = git::coverage_on(repository, url, commit).map_err(|error| Failed::from(&error))?;
        for check in &asked.checks {
            let trust = note::trust(&check.keys).map_err(|why| {
                Failed::new("InvalidSpec", Fault::Repository, format!("spec.checks: {}: {why}", check.context))
            })?;
            let wanted = Wanted { repository: &asked.repository, commit, context: &check.context };
            let read = found.as_ref().map(|found| note::read(found, wanted, &trust, asked.now)).unwrap_or_default();
            of_commit.extend(Said::of_note(&check.context, check.number, read));
        }
    }
    Ok(said)
}

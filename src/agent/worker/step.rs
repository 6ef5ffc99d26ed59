//! One step of the mainline, as Git shows it: what it changes, and who had a hand in it.

use std::collections::{BTreeMap, BTreeSet};

use git2::{ObjectType, Repository};
use jiff::Timestamp;

use crate::git::{self, Content, GitError, Range};
use crate::revision::freeze::carries_override;
use crate::revision::review::{Authorship, Maker, Side, Step, carries_trailers, is_of_tandem, sensitive};
use crate::revision::signature::{Trust, judge_commit};

/// What a commit changes against another one, and who made it. `trust` has the keys that commits may be signed by.
///
/// # Errors
/// The repository cannot be read.
pub fn step(
    repository: &Repository,
    url: &str,
    (parent, commit): (&str, &str),
    trust: &Trust,
    standards: &BTreeSet<String>,
    now: Timestamp,
) -> Result<Step, GitError> {
    let paths = git::changed_paths(repository, url, parent, commit)?;
    let mut sensitive_paths = BTreeMap::new();
    let mut rules = BTreeSet::new();
    for path in &paths {
        let of_standard = |folder: &&String| {
            folder.is_empty()
                || path == *folder
                || path.strip_prefix(folder.as_str()).is_some_and(|r| r.starts_with('/'))
        };
        let standard = standards.iter().find(of_standard);
        if standard.is_some() || is_of_tandem(path) {
            rules.insert(path.clone());
        }
        let why = match standard {
            Some(_) => Some("it belongs to a Standard".to_owned()),
            None => {
                let sides = [git::file(repository, url, parent, path)?, git::file(repository, url, commit, path)?];
                let sides: Vec<Side<'_>> = sides.iter().filter_map(side).collect();
                sensitive(path, &sides)
            }
        };
        sensitive_paths.extend(why.map(|why| (path.clone(), why)));
    }
    let brought = brought(repository, url, parent, commit)?;
    if overrides_freeze(repository, url, &brought)? {
        // Freezes are operations', and so is what goes in spite of one.
        for path in &paths {
            sensitive_paths.entry(path.clone()).or_insert_with(|| "it goes in spite of a freeze".to_owned());
        }
    }
    let (makers, authorship) = makers(repository, url, &brought, trust, now)?;
    Ok(Step {
        parent: parent.to_owned(),
        commit: commit.to_owned(),
        tree: git::tree_of(repository, url, commit)?,
        proposal: None,
        paths,
        sensitive: sensitive_paths,
        rules,
        carries_trailers: carries_trailers(&git::message(repository, url, commit)?),
        makers,
        authorship,
    })
}

/// What a commit brings against another one, itself included.
pub(super) struct Brought {
    ids: Vec<String>,
    /// Whether these are all: where history ends, there is the commit alone.
    whole: bool,
}

/// What a commit brings against another one.
///
/// # Errors
/// The repository cannot be read.
pub(super) fn brought(repository: &Repository, url: &str, parent: &str, commit: &str) -> Result<Brought, GitError> {
    Ok(match git::range(repository, url, &[parent.to_owned()], commit, false)? {
        Range::Commits { ids, .. } if !ids.is_empty() => Brought { ids, whole: true },
        _ => Brought { ids: vec![commit.to_owned()], whole: false },
    })
}

/// Whether a commit, or one that it brings, says that it goes in spite of a freeze. Where history ends, only itself is
/// asked: of what it brings nothing counts then.
fn overrides_freeze(repository: &Repository, url: &str, brought: &Brought) -> Result<bool, GitError> {
    for id in &brought.ids {
        if carries_override(&git::message(repository, url, id)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Everybody who had a hand in what a commit brings; for certain where listed people signed all of it.
pub(super) fn makers(
    repository: &Repository,
    url: &str,
    brought: &Brought,
    trust: &Trust,
    now: Timestamp,
) -> Result<(BTreeSet<Maker>, Authorship), GitError> {
    // Where history ends, somebody may be missing.
    let mut authorship = if brought.whole { Authorship::Proven } else { Authorship::Claimed };
    let mut makers = BTreeSet::new();
    for id in &brought.ids {
        makers.extend(git::addresses(repository, url, id)?.into_iter().map(Maker::Email));
        let raw = git::raw(repository, url, id, ObjectType::Commit)?;
        match raw.map(|raw| judge_commit(id, &raw, trust, now)) {
            Some(Ok(signer)) => {
                makers.insert(Maker::Key(signer.key));
            }
            _ => authorship = Authorship::Claimed,
        }
    }
    Ok((makers, authorship))
}

fn side(content: &Content) -> Option<Side<'_>> {
    match content {
        Content::Absent => None,
        Content::TooLarge => Some(Side::TooLarge),
        Content::Read(bytes) => Some(Side::Bytes(bytes)),
    }
}

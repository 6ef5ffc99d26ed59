//! One step of the mainline, as Git shows it: what it changes, and who had a hand in it.

use std::collections::{BTreeMap, BTreeSet};

use git2::{ObjectType, Repository};
use jiff::Timestamp;

use crate::git::{self, Content, GitError, Range};
use crate::revision::freeze::carries_override;
use crate::revision::review::{
    Authorship, KUSTOMIZATIONS, Maker, Patches, Side, Step, carries_trailers, is_of_tandem, rules, sensitive,
};
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
    let Said { sensitive: mut sensitive_paths, rules } =
        said(&Sides { repository, url, parent, commit }, &paths, standards)?;
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

/// What is said of paths.
struct Said {
    /// Those that need operations, with why.
    sensitive: BTreeMap<String, String>,
    /// Those that say what everybody may do.
    rules: BTreeSet<String>,
}

/// Two commits whose files are compared.
struct Sides<'a> {
    repository: &'a Repository,
    url: &'a str,
    parent: &'a str,
    commit: &'a str,
}

impl Sides<'_> {
    /// What a file holds before and after.
    fn of(&self, path: &str) -> Result<[Content; 2], GitError> {
        let read = |commit| git::file(self.repository, self.url, commit, path);
        Ok([read(self.parent)?, read(self.commit)?])
    }
}

fn said(both: &Sides<'_>, paths: &BTreeSet<String>, standards: &BTreeSet<String>) -> Result<Said, GitError> {
    let mut said = Said { sensitive: BTreeMap::new(), rules: BTreeSet::new() };
    let mut folders: BTreeMap<String, Vec<Patches>> = BTreeMap::new();
    for path in paths {
        let of_standard = |folder: &&String| {
            folder.is_empty()
                || path == *folder
                || path.strip_prefix(folder.as_str()).is_some_and(|r| r.starts_with('/'))
        };
        if standards.iter().any(|folder| of_standard(&folder)) {
            said.rules.insert(path.clone());
            said.sensitive.insert(path.clone(), "it belongs to a Standard".to_owned());
            continue;
        }
        let sides = both.of(path)?;
        let sides: Vec<Side<'_>> = sides.iter().filter_map(side).collect();
        if is_of_tandem(path) || rules(&sides) {
            said.rules.insert(path.clone());
        }
        let mut why = sensitive(path, &sides);
        for (folder, below) in above(path) {
            if !folders.contains_key(folder) {
                let mut found = Vec::new();
                for name in KUSTOMIZATIONS {
                    let file = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
                    found.extend(both.of(&file)?.iter().filter_map(side).map(Patches::read));
                }
                folders.insert(folder.to_owned(), found);
            }
            for (told, rule) in folders.get(folder).into_iter().flatten().filter_map(|patches| patches.of(below)) {
                why.get_or_insert(told);
                if rule {
                    said.rules.insert(path.clone());
                }
            }
        }
        said.sensitive.extend(why.map(|why| (path.clone(), why)));
    }
    Ok(said)
}

/// The folders that a path is below, each with the path from there.
fn above(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let ends = path.match_indices('/').map(|(at, _)| (&path[..at], &path[at + 1..]));
    std::iter::once(("", path)).chain(ends)
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

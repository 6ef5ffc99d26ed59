//! Our own merge of two commits, so that what somebody else calls their merge can be compared with it.
//!
//! Where history is shallow, a merge base may be hidden: then nothing is merged. Nothing is written either: what the
//! merge makes stays in memory.

use std::collections::{BTreeSet, HashMap, HashSet};

use git2::{MergeOptions, ObjectType, Oid, Repository, Signature, Time};

use super::cache::Cache;
use super::error::{GitError, Kind};
use super::exchange::Exchange;
use super::fetch::{download, incoming, oid};
use super::mainline::{changed_between, tree_of};
use super::range::look;
use super::source::Source;
use super::tree::GitTree;
use crate::revision::proposal::Merged;

/// Commits of history that are looked at.
const COMMITS: usize = 200_000;
/// Places where a shallow history may end.
const ENDS: usize = 64;
/// Where heads that came to be merged are kept in the cache.
pub(super) const HEADS: &str = "refs/tandem/heads/";
/// Where heads that may come to be merged are kept.
pub(super) const PROPOSED: &str = "refs/tandem/proposed/";

/// For what a head is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// To find out what a merge was made of.
    Merged,
    /// To find out what a merge would make.
    Proposed,
}

impl Kept {
    fn prefix(self) -> &'static str {
        match self {
            Kept::Merged => HEADS,
            Kept::Proposed => PROPOSED,
        }
    }
}

/// What a merge gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnMerge {
    /// Its tree, or why there is none.
    pub merged: Merged,
    /// Whether more history might tell more.
    pub short: bool,
    /// How many commits that are no merges the second commit brings.
    pub brings: usize,
    /// All commits that it brings.
    pub brought: HashSet<String>,
    /// The one commit where they parted, where it is known.
    pub base: Option<String>,
}

impl OwnMerge {
    fn none(merged: Merged) -> Self {
        Self { merged, short: false, brings: 0, brought: HashSet::new(), base: None }
    }

    fn short() -> Self {
        Self { short: true, ..Self::none(Merged::Unknown("history ends before they part".to_owned())) }
    }
}

/// Merges two commits as `git merge` does, in memory.
///
/// # Errors
/// The object store fails, or a commit cannot be read.
pub fn merge(repository: &Repository, url: &str, ours: &str, theirs: &str) -> Result<OwnMerge, GitError> {
    Ok(merge_in_memory(repository, url, ours, theirs)?.0)
}

/// The same, with what has the merge in its memory and can be asked for its files; nothing where there is no merge.
///
/// # Errors
/// As [`merge`].
pub fn merge_in_memory(
    repository: &Repository,
    url: &str,
    ours: &str,
    theirs: &str,
) -> Result<(OwnMerge, Option<InMemory>), GitError> {
    let failed = |e: git2::Error| GitError::of_cache(url, &format!("merging {theirs} into {ours}"), &e);
    let short = || Ok((OwnMerge::short(), None));
    let (one, two) = (oid(url, ours)?, oid(url, theirs)?);
    let Some(b) = Ancestry::of(repository, url, two)? else { return short() };
    if !b.parents.contains_key(&two) {
        return Ok((OwnMerge::none(Merged::Absent), None));
    }
    let Some(a) = Ancestry::of(repository, url, one)? else { return short() };
    if !a.parents.contains_key(&one) || !is_certain(&a, &b) {
        return short();
    }
    let brought: Vec<_> = b.parents.iter().filter(|(id, _)| !a.parents.contains_key(*id)).collect();
    let brings = brought.iter().filter(|(_, parents)| parents.len() < 2).count();
    let brought = brought.into_iter().map(|(id, _)| id.to_string()).collect();
    let told = |merged, base| OwnMerge { merged, short: false, brings, brought, base };
    let base = match parted(&a, &b, one, two).as_slice() {
        [base] => *base,
        _ => return Ok((told(Merged::Unknown("they did not part at one commit".to_owned()), None), None)),
    };
    let told = |merged| told(merged, Some(base.to_string()));
    // A handle of its own: what keeps objects in memory stays with a handle for its life, and cannot be walked through.
    let apart = Repository::open(repository.path()).map_err(failed)?;
    let merged = {
        let tree = |id: Oid| apart.find_commit(id).and_then(|commit| commit.tree()).map_err(failed);
        let store = apart.odb().map_err(failed)?;
        let _memory = store.add_new_mempack_backend(1000).map_err(failed)?;
        let merged = apart.merge_trees(&tree(base)?, &tree(one)?, &tree(two)?, Some(&MergeOptions::new()));
        let mut merged = merged.map_err(failed)?;
        if merged.has_conflicts() {
            return Ok((told(Merged::Conflicts), None));
        }
        merged.write_tree_to(&apart).map_err(failed)?
    };
    Ok((told(Merged::Tree(merged.to_string())), Some(InMemory { repository: apart, tree: merged })))
}

/// A merge that is in memory alone.
pub struct InMemory {
    repository: Repository,
    tree: Oid,
}

impl InMemory {
    /// Its files.
    pub fn files(&self) -> GitTree<'_> {
        GitTree::of_tree(&self.repository, self.tree)
    }

    /// The handle that can read it.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Makes the commit that a forge would make of it, in memory too, by nobody and at no time; its id.
    ///
    /// # Errors
    /// A parent cannot be read.
    pub fn commit(&self, url: &str, ours: &str, theirs: &str) -> Result<String, GitError> {
        let failed = |e: git2::Error| GitError::of_cache(url, &format!("merging {theirs} into {ours}"), &e);
        let nobody = Signature::new("nobody", "nobody@invalid", &Time::new(0, 0)).map_err(failed)?;
        let parent = |id| self.repository.find_commit(id).map_err(failed);
        let (one, two) = (parent(oid(url, ours)?)?, parent(oid(url, theirs)?)?);
        let tree = self.repository.find_tree(self.tree).map_err(failed)?;
        let made = self.repository.commit(None, &nobody, &nobody, "merge", &tree, &[&one, &two]);
        Ok(made.map_err(failed)?.to_string())
    }

    /// Every path that differs from a commit.
    ///
    /// # Errors
    /// As [`changed_paths`](super::changed_paths).
    pub fn changes(&self, url: &str, commit: &str) -> Result<BTreeSet<String>, GitError> {
        let failed = |e: git2::Error| GitError::of_cache(url, "comparing a merge", &e);
        let before = Oid::from_str(&tree_of(&self.repository, url, commit)?).map_err(failed)?;
        changed_between(&self.repository, url, before, self.tree)
    }
}

/// A commit with all its ancestors that the cache has, each with its parents, there or not.
struct Ancestry {
    parents: HashMap<Oid, Vec<Oid>>,
}

impl Ancestry {
    /// `None` where there are too many.
    fn of(repository: &Repository, url: &str, id: Oid) -> Result<Option<Self>, GitError> {
        let mut found = Self { parents: HashMap::new() };
        let (mut next, mut met) = (vec![id], HashSet::from([id]));
        while let Some(id) = next.pop() {
            let Some((_, parents)) = look(repository, url, id)? else { continue };
            next.extend(parents.iter().copied().filter(|parent| met.insert(*parent)));
            found.parents.insert(id, parents);
            if found.parents.len() > COMMITS {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }

    /// Commits of which a parent is missing.
    fn ends(&self) -> impl Iterator<Item = Oid> {
        let missing = |parents: &Vec<Oid>| parents.iter().any(|parent| !self.parents.contains_key(parent));
        self.parents.iter().filter(move |(_, parents)| missing(parents)).map(|(id, _)| *id)
    }
}

/// Whether what is missing cannot change where they parted: history ends only in what both share, and all that they do
/// not share descends from every such end, so that no missing commit can lead to it.
fn is_certain(a: &Ancestry, b: &Ancestry) -> bool {
    let ends: HashSet<Oid> = a.ends().chain(b.ends()).collect();
    if ends.len() > ENDS || ends.iter().any(|end| !a.parents.contains_key(end) || !b.parents.contains_key(end)) {
        return false;
    }
    if ends.is_empty() {
        return true;
    }
    let mut children: HashMap<Oid, Vec<Oid>> = HashMap::new();
    for (id, parents) in a.parents.iter().chain(&b.parents) {
        parents.iter().for_each(|parent| children.entry(*parent).or_default().push(*id));
    }
    let apart: Vec<Oid> = apart(a, b).chain(apart(b, a)).collect();
    ends.into_iter().all(|end| {
        let (mut next, mut met) = (vec![end], HashSet::from([end]));
        while let Some(id) = next.pop() {
            next.extend(children.get(&id).into_iter().flatten().copied().filter(|child| met.insert(*child)));
        }
        apart.iter().all(|id| met.contains(id))
    })
}

/// What the first has and the second has not.
fn apart<'a>(a: &'a Ancestry, b: &'a Ancestry) -> impl Iterator<Item = Oid> {
    a.parents.keys().copied().filter(|id| !b.parents.contains_key(id))
}

/// The commits that both have and of which none leads to another.
fn parted(a: &Ancestry, b: &Ancestry, one: Oid, two: Oid) -> Vec<Oid> {
    let shared = |id: &Oid| a.parents.contains_key(id) && b.parents.contains_key(id);
    let edge = |of: &Ancestry, other: &Ancestry| -> Vec<Oid> {
        let parents = of.parents.iter().filter(|(id, _)| !other.parents.contains_key(*id)).flat_map(|(_, p)| p.clone());
        parents.filter(&shared).collect()
    };
    let mut found: HashSet<Oid> = edge(a, b).into_iter().chain(edge(b, a)).collect();
    found.extend([one, two].into_iter().filter(shared));
    let all: Vec<Oid> = found.iter().copied().collect();
    for id in all {
        let (mut next, mut met) = (vec![id], HashSet::from([id]));
        while let Some(at) = next.pop() {
            let parents = a.parents.get(&at).into_iter().flatten().copied();
            next.extend(parents.filter(|parent| met.insert(*parent)));
        }
        met.remove(&id);
        found.retain(|other| !met.contains(other));
    }
    found.into_iter().collect()
}

/// Brings the commit that a reference of the remote leads to into the cache, with the history in between. Whether it is
/// the commit that is wanted.
///
/// # Errors
/// The remote cannot be reached or refuses. A reference that is not there is no error.
pub fn fetch_head(
    cache: &Cache,
    source: &Source,
    (reference, commit): (&str, &str),
    kept: Kept,
) -> Result<bool, GitError> {
    let url = &source.url;
    let wanted = oid(url, commit)?;
    let keep = |repository: &Repository| {
        let pinned = repository.reference(&format!("{}{commit}", kept.prefix()), wanted, true, "fetched");
        pinned.map(|_| ()).map_err(|e| GitError::of_cache(url, "pinning a head", &e))
    };
    {
        let repository = cache.open_or_create(url)?;
        if super::range::raw(&repository, url, commit, ObjectType::Commit)?.is_some() {
            keep(&repository)?;
            return Ok(true);
        }
    }
    let exchange = Exchange::begin(source)?;
    let _alone = cache.fetching(&exchange)?;
    let repository = cache.open_or_create(url)?;
    match download(&repository, &exchange, reference, 0) {
        Err(error) if matches!(error.kind, Kind::RefNotFound | Kind::CommitUnavailable | Kind::TooLarge) => {
            return Ok(false);
        }
        other => other?,
    }
    if incoming(&repository, url)? != wanted {
        return Ok(false);
    }
    keep(&repository)?;
    Ok(true)
}

/// Forgets the heads that were fetched for this, but for these.
///
/// # Errors
/// The references cannot be read or written.
pub fn keep_heads(repository: &Repository, url: &str, kept: Kept, commits: &HashSet<&str>) -> Result<(), GitError> {
    let failed = |e: git2::Error| GitError::of_cache(url, "forgetting heads", &e);
    let prefix = kept.prefix();
    for reference in repository.references_glob(&format!("{prefix}*")).map_err(failed)? {
        let mut reference = reference.map_err(failed)?;
        let kept =
            reference.name().ok().and_then(|name| name.strip_prefix(prefix)).is_some_and(|id| commits.contains(id));
        if !kept {
            reference.delete().map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

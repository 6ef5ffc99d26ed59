//! How two commits stand to each other, with as much history as it takes.
//!
//! The walk is our own: libgit2's fails at the first commit that a shallow cache leaves out.

use std::collections::{BinaryHeap, HashSet};

use git2::{ErrorCode, Oid, Repository};

use super::cache::Cache;
use super::error::{GitError, Kind};
use super::exchange::Exchange;
use super::fetch::{WHOLE, download, oid};
use super::listing::Listed;
use super::source::Source;
use crate::revision::Ancestry;

/// Depths that are tried before all of history.
pub(super) const DEPTHS: [i32; 2] = [64, 1024];
/// Commits that a walk looks at.
const COMMITS: usize = 200_000;

/// What a walk through history met.
pub(super) struct Walk {
    /// Commits that are in the cache, about newest first.
    pub commits: Vec<Oid>,
    /// Commits that others name as parents, in the cache or not, and the first one.
    pub seen: HashSet<Oid>,
    /// Whether the cache has the parents of all of them.
    pub whole: bool,
}

/// Walks from a commit to its ancestors, not beyond those that `stop` names, and no more than
/// `limit` of them.
///
/// # Errors
/// The object store fails in another way than by not having a commit.
pub(super) fn walk(
    repository: &Repository,
    url: &str,
    from: Oid,
    limit: usize,
    stop: impl Fn(Oid) -> bool,
) -> Result<Walk, GitError> {
    let mut walk = Walk { commits: Vec::new(), seen: HashSet::from([from]), whole: true };
    let mut queue = BinaryHeap::new();
    let mut next = vec![from];
    loop {
        for id in next.drain(..) {
            if stop(id) {
                continue;
            }
            match find(repository, url, id)? {
                Some(commit) => queue.push((commit.time().seconds(), id, commit.parent_ids().collect::<Vec<_>>())),
                None => walk.whole = false,
            }
        }
        let Some((_, id, parents)) = queue.pop() else { return Ok(walk) };
        if walk.commits.len() == limit {
            walk.whole = false;
            return Ok(walk);
        }
        walk.commits.push(id);
        next.extend(parents.into_iter().filter(|parent| walk.seen.insert(*parent)));
    }
}

/// How `new` stands to `old` as far as the cache can tell; `None` where more history is needed.
/// The repository must have been opened since the last fetch: one that has fetched hides the
/// parents at which its history ends.
pub fn local_ancestry(repository: &Repository, url: &str, old: &str, new: &str) -> Result<Option<Ancestry>, GitError> {
    if old == new {
        return Ok(Some(Ancestry::Same));
    }
    let (old, new) = (oid(url, old)?, oid(url, new)?);
    if find(repository, url, new)?.is_none() {
        return Err(GitError::new(Kind::NotFetched, url, format!("{new} is not in the cache")));
    }
    let ours = walk(repository, url, new, COMMITS, |id| id == old)?;
    if ours.seen.contains(&old) {
        return Ok(Some(Ancestry::Descends));
    }
    if find(repository, url, old)?.is_none() {
        return Ok(ours.whole.then_some(Ancestry::AcceptedGone));
    }
    if walk(repository, url, old, COMMITS, |id| id == new)?.seen.contains(&new) {
        return Ok(Some(Ancestry::Rewound));
    }
    Ok(ours.whole.then_some(Ancestry::Diverged))
}

/// [`local_ancestry`], fetching as much history as it takes, within the limits of the source.
/// `new` is what was listed, and has been fetched.
///
/// # Errors
/// The remote cannot be reached or refuses. A limit that is passed is no error but
/// [`Ancestry::Unknown`].
pub fn ancestry(cache: &Cache, source: &Source, old: &str, new: &Listed) -> Result<Ancestry, GitError> {
    let url = &source.url;
    let commit = &new.revision.commit;
    let what = new.reference.clone().unwrap_or_else(|| commit.clone());
    let deepest = i32::try_from(source.limits.history).unwrap_or(WHOLE);
    let depths = DEPTHS.into_iter().filter(|depth| *depth < deepest).chain([deepest]);
    let mut told = local_ancestry(&*cache.open_or_create(url)?, url, old, commit)?;
    for depth in depths {
        if let Some(ancestry) = told {
            return Ok(ancestry);
        }
        let _alone = cache.fetching(&*Exchange::begin(source)?)?;
        match download(&*cache.open_or_create(url)?, &Exchange::begin(source)?, &what, depth) {
            Err(error) if error.kind == Kind::TooLarge => return Ok(Ancestry::Unknown),
            other => other?,
        }
        told = local_ancestry(&*cache.open_or_create(url)?, url, old, commit)?;
    }
    Ok(told.unwrap_or(Ancestry::Unknown))
}

/// A commit; `None` where the cache does not have it.
fn find<'a>(repository: &'a Repository, url: &str, id: Oid) -> Result<Option<git2::Commit<'a>>, GitError> {
    match repository.find_commit(id) {
        Ok(commit) => Ok(Some(commit)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(GitError::of_cache(url, &format!("reading commit {id}"), &error)),
    }
}

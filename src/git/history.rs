//! How two commits stand to each other, with as much history as it takes.

use git2::{ErrorCode, Oid, Repository};

use super::cache::Cache;
use super::error::{GitError, Kind};
use super::exchange::Exchange;
use super::fetch::{WHOLE, download, oid};
use super::listing::Listed;
use super::source::Source;
use crate::revision::Ancestry;

/// Depths that are tried before all of history.
const DEPTHS: [i32; 2] = [64, 1024];

/// How `new` stands to `old` as far as the cache can tell; `None` where more history is needed.
pub fn local_ancestry(repository: &Repository, url: &str, old: &str, new: &str) -> Result<Option<Ancestry>, GitError> {
    if old == new {
        return Ok(Some(Ancestry::Same));
    }
    let (old, new) = (oid(url, old)?, oid(url, new)?);
    if !has(repository, url, new)? {
        return Err(GitError::new(Kind::CommitUnavailable, url, format!("{new} was not fetched")));
    }
    if !has(repository, url, old)? {
        // Whole history without it: it is not part of what the remote has now.
        return Ok((!repository.is_shallow()).then_some(Ancestry::AcceptedGone));
    }
    let descends = |from: Oid, of: Oid| {
        repository
            .graph_descendant_of(from, of)
            .map_err(|e| GitError::of_cache(url, "comparing commits", &e))
    };
    if descends(new, old)? {
        return Ok(Some(Ancestry::Descends));
    }
    if descends(old, new)? {
        return Ok(Some(Ancestry::Rewound));
    }
    Ok((!repository.is_shallow()).then_some(Ancestry::Diverged))
}

/// [`local_ancestry`], fetching as much history as it takes, within the limits of the source.
/// `new` is what was listed, and has been fetched.
///
/// # Errors
/// The remote cannot be reached or refuses. A limit that is passed is no error but
/// [`Ancestry::Unknown`].
pub fn ancestry(cache: &Cache, source: &Source, old: &str, new: &Listed) -> Result<Ancestry, GitError> {
    let url = &source.url;
    let repository = cache.open_or_create(url)?;
    let commit = &new.revision.commit;
    let told = |repository: &Repository| local_ancestry(repository, url, old, commit);
    if let Some(ancestry) = told(&repository)? {
        return Ok(ancestry);
    }
    let what = new.reference.clone().unwrap_or_else(|| commit.clone());
    let deepest = i32::try_from(source.limits.history).unwrap_or(WHOLE);
    for depth in DEPTHS.into_iter().filter(|d| *d < deepest).chain([deepest]) {
        let depth = if depth == deepest && source.limits.history >= 100_000 { WHOLE } else { depth };
        match download(&repository, &Exchange::begin(source)?, &what, depth) {
            Err(error) if error.kind == Kind::TooLarge => return Ok(Ancestry::Unknown),
            other => other?,
        }
        // The list of commits without parents is read when a repository is opened.
        let repository = cache.open_or_create(url)?;
        if let Some(ancestry) = told(&repository)? {
            return Ok(ancestry);
        }
    }
    Ok(Ancestry::Unknown)
}

fn has(repository: &Repository, url: &str, commit: Oid) -> Result<bool, GitError> {
    match repository.find_commit(commit) {
        Ok(_) => Ok(true),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
        Err(error) => Err(GitError::of_cache(url, &format!("reading commit {commit}"), &error)),
    }
}

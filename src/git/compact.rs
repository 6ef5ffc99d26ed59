//! Keeps a cache small: every fetch leaves a pack and a pin behind.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use git2::{Oid, Repository, RepositoryOpenFlags};

use super::cache::Cache;
use super::error::{GitError, Kind};
use super::fetch::{ACCEPTED, FETCHED};
use super::merge::{HEADS, PROPOSED};
use super::notes::{COVERAGE, KEPT};

/// Packs of one repository above which they are made one.
const PACKS: usize = 30;
/// Fetched commits that stay pinned, besides the accepted ones.
const RECENT: usize = 20;

/// Makes one pack of many where there are too many, without what no pin needs. Where somebody
/// reads the repository it is left for the next time.
///
/// # Errors
/// The cache cannot be read or written; it is then as good as before.
pub fn compact(cache: &Cache, url: &str) -> Result<(), GitError> {
    let path = cache.path(url)?;
    let folder = path.join("objects/pack");
    let packs = || names(&folder).map_err(|e| unwritable(url, &e));
    if packs()?.iter().filter(|name| name.ends_with(".pack")).count() <= PACKS {
        return Ok(());
    }
    let Some(_alone) = cache.alone(url)? else { return Ok(()) };
    let failed = |e: git2::Error| GitError::of_cache(url, "packing the cache", &e);
    // Opened this way libgit2 knows where a shallow history ends.
    let flags = RepositoryOpenFlags::BARE | RepositoryOpenFlags::NO_SEARCH;
    let repository = Repository::open_ext(&path, flags, &[] as &[&Path]).map_err(failed)?;
    forget_old(&repository).map_err(failed)?;
    let before = packs()?;
    let kept = write_one(&repository).map_err(failed)?;
    drop(repository);
    for name in before.iter().filter(|name| !name.contains(&kept)) {
        fs::remove_file(folder.join(name)).map_err(|e| unwritable(url, &e))?;
    }
    tracing::debug!(url = super::redact(url), files = before.len(), "packs of the cache made one");
    Ok(())
}

/// Removes the pins of fetched commits but the newest and the accepted ones.
fn forget_old(repository: &Repository) -> Result<(), git2::Error> {
    let commits = |prefix: &str| -> Result<Vec<Oid>, git2::Error> {
        let references = repository.references_glob(&format!("{prefix}*"))?;
        references.map(|reference| Ok(reference?.peel_to_commit()?.id())).collect()
    };
    let accepted: HashSet<Oid> = commits(ACCEPTED)?.into_iter().collect();
    let mut fetched = Vec::new();
    for id in commits(FETCHED)? {
        fetched.push((repository.find_commit(id)?.time().seconds(), id));
    }
    fetched.sort_unstable();
    let old = fetched.len().saturating_sub(RECENT);
    for (_, id) in fetched.drain(..old).filter(|(_, id)| !accepted.contains(id)) {
        repository.find_reference(&super::fetch::pin(id))?.delete()?;
    }
    Ok(())
}

/// Writes everything that pins reach into one pack, and returns its name.
fn write_one(repository: &Repository) -> Result<String, git2::Error> {
    let mut walk = repository.revwalk()?;
    for kept in [ACCEPTED, FETCHED, HEADS, PROPOSED, KEPT, COVERAGE] {
        walk.push_glob(&format!("{kept}*"))?;
    }
    let mut pack = repository.packbuilder()?;
    pack.insert_walk(&mut walk)?;
    pack.write(&repository.path().join("objects/pack"), 0o644)?;
    Ok(pack.name()?.unwrap_or_default().to_owned())
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn unwritable(url: &str, error: &io::Error) -> GitError {
    GitError::new(Kind::CacheFailed, url, format!("the cache folder cannot be written: {error}"))
}

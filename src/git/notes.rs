//! Notes in which people approve, and CI says how much is covered: brought from the remote, and read.

use git2::{ErrorCode, Repository};

use super::cache::Cache;
use super::error::{GitError, Kind};
use super::exchange::Exchange;
use super::fetch::{INCOMING, download, incoming, oid};
use super::source::Source;
use crate::revision::coverage::note as coverage;
use crate::revision::review::note::NOTES;

/// Where they are kept in the cache.
pub(super) const KEPT: &str = "refs/tandem/approvals/";
/// Where those with coverage files are kept in the cache.
pub(super) const COVERAGE: &str = "refs/tandem/coverage";
/// What a listing is asked for, to see whether notes have moved.
pub(super) const LISTED: [&str; 2] = [NOTES, coverage::NOTES];
/// Signers whose notes are kept.
const SIGNERS: usize = 1000;

/// Where it stands in the cache how notes were listed when they were fetched last.
const SEEN: &str = "tandem-notes";

/// Brings the notes of all signers into the cache. What the remote does not have any more stays: it is signed, and as
/// true as it was. Where notes were fetched since they were listed like this, nothing is asked.
///
/// # Errors
/// The remote cannot be reached or refuses, or there are notes of more than 1,000 signers.
pub fn fetch_notes(cache: &Cache, source: &Source, listed: Option<&str>) -> Result<(), GitError> {
    let url = &source.url;
    let seen = |repository: &Repository| repository.path().join(SEEN);
    if let (Some(listed), Some(repository)) = (listed, cache.open(url)?)
        && std::fs::read_to_string(seen(&repository)).is_ok_and(|seen| seen == listed)
    {
        return Ok(());
    }
    let exchange = Exchange::begin(source)?;
    let _alone = cache.fetching(&exchange)?;
    let repository = cache.open_or_create(url)?;
    download(&repository, &exchange, &format!("{NOTES}*"), 0)?;
    let failed = |e: git2::Error| GitError::of_cache(url, "reading notes", &e);
    let mut count = 0;
    for reference in repository.references_glob(&format!("{INCOMING}/*")).map_err(failed)? {
        let mut reference = reference.map_err(failed)?;
        let name =
            reference.name().ok().and_then(|name| name.strip_prefix(INCOMING)?.strip_prefix('/').map(str::to_owned));
        if let (Some(name), Some(target)) = (name, reference.target()) {
            count += 1;
            if count > SIGNERS {
                return Err(GitError::new(Kind::TooLarge, url, format!("it has notes of more than {SIGNERS} signers")));
            }
            repository.reference(&format!("{KEPT}{name}"), target, true, "fetched").map_err(failed)?;
        }
        reference.delete().map_err(failed)?;
    }
    if let Some(listed) = listed {
        // Where it cannot be written, notes are fetched once more the next time.
        let _ = std::fs::write(seen(&repository), listed);
    }
    Ok(())
}

/// Where the notes of all signers are in a repository: a cache, or a person's clone.
pub const PLACES: [&str; 2] = [KEPT, NOTES];

/// The notes of all signers on a commit.
///
/// # Errors
/// The object store fails.
pub fn notes_on(repository: &Repository, url: &str, commit: &str) -> Result<Vec<String>, GitError> {
    let failed = |e: git2::Error| GitError::of_cache(url, "reading notes", &e);
    let id = oid(url, commit)?;
    let mut found = Vec::new();
    for place in PLACES {
        for reference in repository.references_glob(&format!("{place}*")).map_err(failed)? {
            let reference = reference.map_err(failed)?;
            let Ok(name) = reference.name() else { continue };
            match repository.find_note(Some(name), id) {
                Ok(note) => found.push(String::from_utf8_lossy(note.message_bytes()).into_owned()),
                // A note that is none is one that says nothing: anybody may write such a reference.
                Err(error) if error.code() == ErrorCode::NotFound => {}
                Err(error) => tracing::debug!(%name, %error, "a note that cannot be read"),
            }
        }
    }
    Ok(found)
}

/// Brings the notes with coverage files into the cache, as they are now: files that were taken away count no more, and what
/// notes were before is not fetched.
///
/// # Errors
/// The remote cannot be reached or refuses.
pub fn fetch_coverage(cache: &Cache, source: &Source) -> Result<(), GitError> {
    let url = &source.url;
    let exchange = Exchange::begin(source)?;
    let _alone = cache.fetching(&exchange)?;
    let repository = cache.open_or_create(url)?;
    let failed = |e: git2::Error| GitError::of_cache(url, "reading notes", &e);
    match download(&repository, &exchange, coverage::NOTES, 1) {
        Err(error) if error.kind == Kind::RefNotFound => {
            return match repository.find_reference(COVERAGE) {
                Ok(mut gone) => gone.delete().map_err(failed),
                Err(_) => Ok(()),
            };
        }
        other => other?,
    }
    let newest = incoming(&repository, url)?;
    repository.reference(COVERAGE, newest, true, "fetched").map(|_| ()).map_err(failed)
}

/// The note with coverage files on a commit.
///
/// # Errors
/// The object store fails.
pub fn coverage_on(repository: &Repository, url: &str, commit: &str) -> Result<Option<Vec<u8>>, GitError> {
    let id = oid(url, commit)?;
    match repository.find_note(Some(COVERAGE), id) {
        Ok(note) => Ok(Some(note.message_bytes().to_vec())),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => {
            // Anybody may have written what is no tree of notes: it says nothing.
            tracing::debug!(%commit, %error, "a note that cannot be read");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_that_were_fetched_as_they_are_listed_cost_no_question() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(folder.path());
        // Nobody listens there.
        let mut source = Source::new("http://127.0.0.1:9/shop.git");
        source.timeout = std::time::Duration::from_secs(5);
        let repository = cache.open_or_create(&source.url).expect("a cache");
        std::fs::write(repository.path().join(SEEN), "as listed").expect("written");
        drop(repository);
        for (listed, asks) in [(Some("as listed"), false), (Some("moved"), true), (None, true)] {
            assert_eq!(fetch_notes(&cache, &source, listed).is_err(), asks, "{listed:?}");
        }
        cache.set_aside(&source.url).expect("set aside");
        assert!(fetch_notes(&cache, &source, Some("as listed")).is_err(), "what is lost is fetched");
    }
}

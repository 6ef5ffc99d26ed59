//! From a listed revision to objects in the cache.

use std::collections::BTreeSet;
use std::sync::Arc;

use git2::{AutotagOption, Direction, FetchOptions, Oid, RemoteCallbacks, Repository};
use serde::{Deserialize, Serialize};

use super::address::Scheme;
use super::cache::Cache;
use super::commit::{CommitInfo, commit_info};
use super::compact::compact;
use super::error::{GitError, Kind};
use super::exchange::Exchange;
use super::listing::Listed;
use super::source::Source;
use super::{by_id, ssh, transport};
use crate::revision::{RemoteRef, Revision};

/// Where a fetch puts what it brought, before it is pinned.
pub(super) const INCOMING: &str = "refs/tandem/incoming";
/// Commits that were fetched whole.
pub(super) const FETCHED: &str = "refs/tandem/fetched/";
/// Commits that Syncs have accepted.
pub(super) const ACCEPTED: &str = "refs/tandem/accepted/";
/// Depth that means all of history.
pub(super) const WHOLE: i32 = i32::MAX;

/// A revision whose files are in the cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// What was fetched: the listed revision, or a newer one where the reference moved meanwhile.
    pub revision: Revision,
    /// Its commit.
    pub commit: CommitInfo,
    /// Bytes received for it; none where it was there already.
    pub received_bytes: u64,
}

/// Brings a listed revision into the cache: at depth 1 the first time, with the history in between
/// later. A cache that turns out to be corrupted is set aside and fetched anew, once.
///
/// # Errors
/// The remote cannot be reached or refuses, has not the commit any more, or a limit is passed.
/// Nothing in the cache is removed because of it.
pub fn fetch(cache: &Cache, source: &Source, listed: &Listed) -> Result<Fetched, GitError> {
    match attempt(cache, source, listed) {
        Err(error) if error.kind == Kind::CacheCorrupted => {
            tracing::warn!(url = error.url, "{}; the cache is set aside and fetched anew", error.detail);
            cache.set_aside(&source.url)?;
            attempt(cache, source, listed)
        }
        other => other,
    }
}

fn attempt(cache: &Cache, source: &Source, listed: &Listed) -> Result<Fetched, GitError> {
    let url = &source.url;
    let wanted = oid(url, &listed.revision.commit)?;
    if let Some(commit) = pinned(cache, url, wanted)? {
        return Ok(Fetched { revision: listed.revision.clone(), commit, received_bytes: 0 });
    }
    let _alone = cache.fetching(&*Exchange::begin(source)?)?;
    // Another may have fetched it while this one waited.
    if let Some(commit) = pinned(cache, url, wanted)? {
        return Ok(Fetched { revision: listed.revision.clone(), commit, received_bytes: 0 });
    }
    let repository = cache.open_or_create(url)?;
    let (found, received_bytes) = match &listed.reference {
        Some(reference) => by_reference(&repository, source, reference)?,
        None => by_commit(&repository, source, wanted)?,
    };
    repository
        .reference(&pin(found), found, true, "fetched")
        .map_err(|e| GitError::of_cache(url, "pinning the commit", &e))?;
    drop(repository);
    compact(cache, url)?;
    // A repository that has fetched hides the parents at which its history ends.
    let commit = commit_info(&*cache.open_or_create(url)?, url, found)?;
    let revision = Revision { name: listed.revision.name.clone(), commit: commit.commit.clone() };
    Ok(Fetched { revision, commit, received_bytes })
}

/// A commit that was fetched before.
fn pinned(cache: &Cache, url: &str, commit: Oid) -> Result<Option<CommitInfo>, GitError> {
    let repository = cache.open_or_create(url)?;
    match repository.find_reference(&pin(commit)) {
        Ok(_) => commit_info(&repository, url, commit).map(Some),
        Err(_) => Ok(None),
    }
}

/// The commit of a reference, and the bytes received for it.
fn by_reference(repository: &Repository, source: &Source, reference: &str) -> Result<(Oid, u64), GitError> {
    let mut exchange = Exchange::begin(source)?;
    let depth = if is_fresh(repository) { 1 } else { 0 };
    match download(repository, &exchange, reference, depth) {
        // Too much lies between, as after a rewrite: the commit alone may still fit.
        Err(error) if error.kind == Kind::TooLarge && depth == 0 => {
            exchange = Exchange::begin(source)?;
            download(repository, &exchange, reference, 1)?;
        }
        other => other?,
    }
    Ok((incoming(repository, &source.url)?, exchange.received()))
}

/// A commit that no reference was named for: by its id where the server allows it, else among the
/// whole history of all branches.
fn by_commit(repository: &Repository, source: &Source, commit: Oid) -> Result<(Oid, u64), GitError> {
    let exchange = Exchange::begin(source)?;
    let id = commit.to_string();
    let by_id = match exchange.address.scheme {
        Scheme::Ssh => {
            download(repository, &exchange, &id, 1).and_then(|()| incoming(repository, &source.url)).map(|_| ())
        }
        _ => match by_id::fetch(repository, &exchange, &id) {
            Ok(true) => Ok(()),
            Ok(false) => download(repository, &exchange, &id, 1),
            Err(error) => Err(error),
        },
    };
    match by_id {
        Err(error) if error.kind == Kind::CommitUnavailable => {
            let exchange = Exchange::begin(source)?;
            let branches = download(repository, &exchange, "refs/heads/*", WHOLE);
            let known = repository.find_commit(commit).is_ok();
            forget_branches(repository, &source.url)?;
            match branches {
                Ok(()) if known => Ok((commit, exchange.received())),
                Ok(()) => Err(error),
                Err(other) => Err(other),
            }
        }
        other => other.map(|()| (commit, exchange.received())),
    }
}

/// Removes the references under which all branches were fetched.
fn forget_branches(repository: &Repository, url: &str) -> Result<(), GitError> {
    let failed = |e: git2::Error| GitError::of_cache(url, "reading what was fetched", &e);
    for reference in repository.references_glob(&format!("{INCOMING}/*")).map_err(failed)? {
        reference.map_err(failed)?.delete().map_err(failed)?;
    }
    Ok(())
}

/// Fetches a reference or a commit id to the incoming reference. A depth of 0 fetches what lies
/// between the cache and it.
pub(super) fn download(
    repository: &Repository,
    exchange: &Arc<Exchange>,
    what: &str,
    depth: i32,
) -> Result<(), GitError> {
    let all = what.ends_with("/*");
    // A reference is a file, and those below it are in a folder of that name: what another fetch left is in the way.
    match repository.find_reference(INCOMING) {
        Ok(mut left) if all => {
            left.delete().map_err(|e| GitError::of_cache(&exchange.source.url, "forgetting what was fetched", &e))?;
        }
        _ if !all => forget_branches(repository, &exchange.source.url)?,
        _ => {}
    }
    let spec = if all { format!("+{what}:{INCOMING}/*") } else { format!("+{what}:{INCOMING}") };
    talk(exchange, what, || {
        let mut remote = repository.remote_anonymous(&exchange.address.url)?;
        let mut options = FetchOptions::new();
        options.depth(depth).download_tags(AutotagOption::None).update_fetchhead(false);
        options.remote_callbacks(callbacks(exchange));
        remote.fetch(&[&spec], Some(&mut options), None)
    })?;
    if !all && repository.find_reference(INCOMING).is_err() {
        // libgit2 says nothing where no reference matched.
        return Err(exchange.error(Kind::RefNotFound, format!("{what} is not in the repository any more")));
    }
    Ok(())
}

/// References of a remote that is spoken to over SSH: libgit2 lists all of them.
pub(super) fn refs_over_ssh(exchange: &Arc<Exchange>) -> Result<Vec<RemoteRef>, GitError> {
    let refs = talk(exchange, "the listing", || {
        let mut remote = git2::Remote::create_detached(exchange.address.url.as_str())?;
        let connection = remote.connect_auth(Direction::Fetch, Some(callbacks(exchange)), None)?;
        let mut refs: Vec<RemoteRef> = Vec::new();
        for head in connection.list()? {
            let (name, target) = (head.name(), head.oid().to_string());
            match name.strip_suffix("^{}") {
                Some(tag) => {
                    if let Some(last) = refs.last_mut().filter(|last| last.name == tag) {
                        last.peeled = Some(target);
                    }
                }
                None => refs.push(RemoteRef { name: name.to_owned(), target, peeled: None }),
            }
        }
        Ok(refs)
    })?;
    // Each reference is a line of its name and 50 bytes or so; the wire is libgit2's own.
    let bytes = refs.iter().map(|r| r.name.len() as u64 + 50).sum();
    exchange.set_received(bytes);
    Ok(refs)
}

/// Runs one exchange of libgit2. Over SSH the types of host keys that are known are asked for
/// first; a host that has none of them is then asked for any, to tell what it has.
fn talk<T>(
    exchange: &Arc<Exchange>,
    what: &str,
    mut work: impl FnMut() -> Result<T, git2::Error>,
) -> Result<T, GitError> {
    let preferring = exchange.address.scheme == Scheme::Ssh && ssh::prefer(exchange, &ssh::Hint::Known);
    match transport::within(exchange, &mut work) {
        Err(error) if preferring && error.message().contains("failed to start SSH session") => {
            ssh::prefer(exchange, &ssh::Hint::None);
            transport::within(exchange, work)
        }
        other => other,
    }
    .map_err(|error| classify(exchange, what, &error))
}

fn callbacks(exchange: &Arc<Exchange>) -> RemoteCallbacks<'_> {
    let mut callbacks = RemoteCallbacks::new();
    ssh::answer(&mut callbacks, exchange);
    callbacks.transfer_progress(|progress| {
        let limits = &exchange.source.limits;
        if exchange.address.scheme == Scheme::Ssh {
            exchange.set_received(progress.received_bytes() as u64);
        }
        let problem = if let Err(late) = exchange.in_time() {
            Some(late)
        } else if progress.total_objects() > limits.objects as usize {
            let detail =
                format!("{} objects would come, more than the {} allowed", progress.total_objects(), limits.objects);
            Some(exchange.error(Kind::TooLarge, detail))
        } else if progress.received_bytes() as u64 > limits.bytes {
            Some(
                exchange
                    .error(Kind::TooLarge, format!("the server sends more than the {} bytes allowed", limits.bytes)),
            )
        } else {
            None
        };
        match problem {
            Some(error) => {
                exchange.fail(error);
                false
            }
            None => true,
        }
    });
    callbacks
}

/// What an error of libgit2 during an exchange means. What our own transport noted comes first.
fn classify(exchange: &Exchange, what: &str, error: &git2::Error) -> GitError {
    use git2::{ErrorClass, ErrorCode};
    if let Some(failure) = exchange.failure() {
        return failure;
    }
    let message = error.message();
    let new = |kind, detail: String| exchange.error(kind, detail);
    match (error.class(), error.code()) {
        (_, ErrorCode::Auth) => new(Kind::AuthenticationFailed, "the server refused the credentials".to_owned()),
        (_, ErrorCode::Certificate) => new(Kind::HostKeyUnknown, "the host key is not trusted".to_owned()),
        (_, ErrorCode::Timeout) => new(Kind::Timeout, "the server did not answer in time".to_owned()),
        _ if message.contains("cannot fetch a specific object") || message.contains("not our ref") => {
            new(Kind::CommitUnavailable, format!("the server does not hand out {what}"))
        }
        _ if message.contains("failed to connect") || message.contains("failed to resolve") => {
            new(Kind::ConnectFailed, format!("no connection: {message}"))
        }
        (ErrorClass::Ssh, _) if message.contains("private key") => ssh::unreadable(exchange),
        (ErrorClass::Net | ErrorClass::Ssh, _) if says_not_there(message) => {
            new(Kind::RepositoryNotFound, "the server has no such repository".to_owned())
        }
        _ if message.contains("doesn't support shallow") => new(Kind::ProtocolFailed, message.to_owned()),
        (ErrorClass::Net | ErrorClass::Ssh | ErrorClass::Http, _) => {
            let told: String = message.chars().filter(|c| !c.is_control()).take(300).collect();
            new(Kind::RemoteFailed, format!("the exchange failed: {told}"))
        }
        (ErrorClass::Indexer | ErrorClass::Zlib, _) => {
            new(Kind::RemoteFailed, format!("the server sent a pack that cannot be read: {message}"))
        }
        _ => GitError::of_cache(&exchange.source.url, "the fetch into the cache", error),
    }
}

/// Whether the words of a server, which over SSH are all it gives, say that there is no repository.
fn says_not_there(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["not appear to be a git repository", "not found", "not be found", "find repository", "no such"]
        .iter()
        .any(|words| message.contains(words))
}

/// The commit that the incoming reference leads to. The reference is removed: pins keep commits.
pub(super) fn incoming(repository: &Repository, url: &str) -> Result<Oid, GitError> {
    let failed = |e: git2::Error| GitError::of_cache(url, "reading what was fetched", &e);
    let mut reference = repository.find_reference(INCOMING).map_err(failed)?;
    let commit = reference
        .peel_to_commit()
        .map_err(|_| GitError::new(Kind::RefNotFound, url, "the reference leads to something that is no commit"));
    reference.delete().map_err(failed)?;
    Ok(commit?.id())
}

/// Pins exactly these commits as accepted, as far as the cache has them.
pub fn pin_accepted(repository: &Repository, url: &str, commits: &BTreeSet<String>) -> Result<(), GitError> {
    let failed = |e: git2::Error| GitError::of_cache(url, "pinning accepted commits", &e);
    for reference in repository.references_glob(&format!("{ACCEPTED}*")).map_err(failed)? {
        let mut reference = reference.map_err(failed)?;
        let kept = reference.name().ok().and_then(|n| n.strip_prefix(ACCEPTED)).is_some_and(|c| commits.contains(c));
        if !kept {
            reference.delete().map_err(failed)?;
        }
    }
    for commit in commits {
        let id = oid(url, commit)?;
        if repository.find_commit(id).is_ok() {
            repository.reference(&format!("{ACCEPTED}{commit}"), id, true, "accepted").map_err(failed)?;
        }
    }
    Ok(())
}

fn is_fresh(repository: &Repository) -> bool {
    match repository.references_glob(&format!("{FETCHED}*")) {
        Ok(mut references) => references.next().is_none(),
        Err(_) => true,
    }
}

/// Name of the reference that pins a fetched commit.
pub(super) fn pin(commit: Oid) -> String {
    format!("{FETCHED}{commit}")
}

/// Reads a commit id.
pub(super) fn oid(url: &str, commit: &str) -> Result<Oid, GitError> {
    let whole = commit.len() == 40;
    let id = if whole { Oid::from_str(commit).ok() } else { None };
    id.ok_or_else(|| GitError::new(Kind::RefNotFound, url, format!("{commit:?} is no commit id of 40 hex digits")))
}

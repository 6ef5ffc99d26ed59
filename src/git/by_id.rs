//! One commit by its id, over protocol version 2: libgit2 speaks the older one, in which most
//! servers hand out no commit that is not the tip of a reference.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::sync::Arc;

use git2::Repository;

use super::error::{GitError, Kind};
use super::exchange::{Counted, Exchange};
use super::pkt::{self, Packet};
use super::{http, listing};

/// Fetches a commit at depth 1. `Ok(false)` where the server does not speak version 2.
pub fn fetch(repository: &Repository, exchange: &Arc<Exchange>, commit: &str) -> Result<bool, GitError> {
    let client = http::client(&exchange.source)?;
    let Some(base) = listing::base_of_v2(exchange, &client)? else { return Ok(false) };
    let mut body = Vec::new();
    pkt::line(&mut body, "command=fetch");
    pkt::line(&mut body, concat!("agent=tandem/", env!("CARGO_PKG_VERSION")));
    body.extend_from_slice(b"0001");
    for argument in ["ofs-delta", "no-progress", "deepen 1", &format!("want {commit}"), "done"] {
        pkt::line(&mut body, argument);
    }
    body.extend_from_slice(b"0000");
    let response = http::post(&client, &exchange.source, &base, "version=2", body)?;
    let mut answer = Counted::new(response, exchange.clone(), exchange.source.limits.bytes);
    let roots = receive(repository, exchange, commit, &mut answer)?;
    add_shallow_roots(repository, &roots)
        .map_err(|e| exchange.error(Kind::CacheFailed, format!("the cache folder cannot be written: {e}")))?;
    Ok(true)
}

/// Reads the sections of the answer; the pack goes to the object store. Returns the commits whose
/// parents were left out.
fn receive(
    repository: &Repository,
    exchange: &Arc<Exchange>,
    commit: &str,
    answer: &mut impl Read,
) -> Result<BTreeSet<String>, GitError> {
    let unreadable = |e: io::Error| {
        let other = || exchange.error(Kind::ProtocolFailed, format!("the answer cannot be read: {e}"));
        exchange.failure().unwrap_or_else(other)
    };
    let broken = |e: git2::Error| {
        let other = || {
            exchange.error(Kind::RemoteFailed, format!("the server sent a pack that cannot be read: {}", e.message()))
        };
        exchange.failure().unwrap_or_else(other)
    };
    let cache = |e: git2::Error| GitError::of_cache(&exchange.source.url, "the fetch into the cache", &e);
    let odb = repository.odb().map_err(cache)?;
    let mut pack = odb.packwriter().map_err(cache)?;
    let limit = exchange.source.limits.objects as usize;
    pack.progress(move |progress| progress.total_objects() <= limit);
    let mut roots = BTreeSet::new();
    let (mut section, mut written) = (String::new(), 0);
    while let Some(packet) = pkt::read(answer).map_err(unreadable)? {
        let Packet::Line(line) = packet else {
            section.clear();
            continue;
        };
        match (section.as_str(), line.split_first()) {
            ("packfile", Some((1, data))) => {
                pack.write_all(data).map_err(|e| broken(git2::Error::from_str(&e.to_string())))?;
                written += data.len();
            }
            ("packfile", Some((3, message))) => {
                let message: String =
                    String::from_utf8_lossy(message).chars().take(200).filter(|c| !c.is_control()).collect();
                return Err(exchange.error(Kind::RemoteFailed, format!("the server says: {message}")));
            }
            ("packfile", _) => {}
            ("shallow-info", _) => {
                roots.extend(String::from_utf8_lossy(&line).strip_prefix("shallow ").map(str::to_owned));
            }
            _ if line.starts_with(b"ERR ") => {
                return Err(exchange.error(Kind::CommitUnavailable, format!("the server has no commit {commit}")));
            }
            _ => section = String::from_utf8_lossy(&line).into_owned(),
        }
    }
    if written == 0 {
        return Err(exchange.error(Kind::ProtocolFailed, "the server sent no pack"));
    }
    pack.commit().map_err(broken)?;
    Ok(roots)
}

/// Notes commits whose parents are not in the store, as `git` does, in its file `shallow`.
fn add_shallow_roots(repository: &Repository, roots: &BTreeSet<String>) -> io::Result<()> {
    let path = repository.path().join("shallow");
    let known = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        other => other?,
    };
    let mut all: BTreeSet<&str> = known.lines().collect();
    all.extend(roots.iter().map(String::as_str));
    if all.is_empty() {
        return Ok(());
    }
    let mut fresh = tempfile::NamedTempFile::new_in(repository.path())?;
    for root in all {
        writeln!(fresh, "{root}")?;
    }
    fresh.persist(path)?;
    Ok(())
}

//! Which references the remote has: protocol version 2 where the server speaks it, so that an
//! unchanged remote costs one small answer.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::sync::Arc;

use reqwest::Url;
use reqwest::blocking::Client;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::address::Scheme;
use super::error::{GitError, Kind};
use super::exchange::{Counted, Exchange};
use super::notes::LISTED;
use super::pkt::{self, Packet};
use super::source::Source;
use super::{fetch, http};
use crate::revision::{RefProblem, RemoteRef, Revision, Wanted, select};

/// What is wanted, found among the references of the remote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The commit, and the name by which it was found.
    pub revision: Revision,
    /// Full name of the reference, where it was found by one.
    pub reference: Option<String>,
    /// Id of the tag's own object, where it was found by an annotated tag.
    pub tag: Option<String>,
    /// Bytes received for it.
    pub received_bytes: u64,
}

thread_local! {
    /// Servers that spoke version 2 when last asked, and the place they redirected to.
    static SPEAKS_V2: RefCell<HashMap<String, Url>> = RefCell::new(HashMap::new());
}

/// Asks the remote what is wanted. For a bare commit it is only asked whether it may be read. With `notes` the second
/// answer is a digest of where the notes are by now, so that they need not be fetched to see that none has moved.
///
/// # Errors
/// The remote cannot be reached or refuses, or has not what is wanted.
pub fn list(source: &Source, wanted: &Wanted, notes: bool) -> Result<(Listed, String), GitError> {
    let exchange = Exchange::begin(source)?;
    let mut prefixes = wanted.ref_prefixes();
    if prefixes.is_empty() {
        prefixes.push("HEAD".to_owned());
    }
    if notes {
        prefixes.extend(LISTED.map(str::to_owned));
    }
    let mut refs = remote_refs(&exchange, &prefixes)?;
    let notes = if notes { digest_of_notes(&refs) } else { String::new() };
    let mut chosen = select(&refs, wanted);
    if refs.is_empty() && matches!(chosen, Err(RefProblem::Empty)) {
        // Only what was asked for was listed, so the repository may hold other references.
        refs = remote_refs(&exchange, &["refs/heads/".to_owned(), "refs/tags/".to_owned()])?;
        chosen = select(&refs, wanted);
    }
    let revision = chosen.map_err(|problem| GitError::of_ref(&source.url, &problem))?;
    let reference = match wanted {
        Wanted::Branch(name) => Some(format!("refs/heads/{name}")),
        Wanted::Name(name) => Some(name.clone()),
        Wanted::Tag(_) | Wanted::Semver(_) => Some(format!("refs/tags/{}", revision.name)),
        Wanted::Commit(_) => None,
    };
    let annotated = |tag: &&RemoteRef| Some(&tag.name) == reference.as_ref() && tag.peeled.is_some();
    let tag = refs.iter().find(annotated).map(|tag| tag.target.clone());
    Ok((Listed { revision, reference, tag, received_bytes: exchange.received() }, notes))
}

/// Digest of the references of notes, in whatever order they are listed.
fn digest_of_notes(refs: &[RemoteRef]) -> String {
    let of_notes = |one: &&RemoteRef| LISTED.iter().any(|prefix| one.name.starts_with(prefix));
    let lines: BTreeSet<String> =
        refs.iter().filter(of_notes).map(|one| format!("{} {}\n", one.target, one.name)).collect();
    let digest = lines.iter().fold(Sha256::new(), |digest, line| digest.chain_update(line));
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn remote_refs(exchange: &Arc<Exchange>, prefixes: &[String]) -> Result<Vec<RemoteRef>, GitError> {
    if exchange.address.scheme == Scheme::Ssh {
        return fetch::refs_over_ssh(exchange);
    }
    let source = &exchange.source;
    let client = http::client(source)?;
    let url = &exchange.address.url;
    if let Some(base) = SPEAKS_V2.with_borrow(|known| known.get(url).cloned()) {
        match ls_refs(exchange, &client, &base, prefixes) {
            Err(error)
                if matches!(error.kind, Kind::ProtocolFailed | Kind::RedirectRefused | Kind::RepositoryNotFound) =>
            {
                // The server may have changed; ask from the beginning.
                SPEAKS_V2.with_borrow_mut(|known| known.remove(url));
            }
            other => return other,
        }
    }
    match ask(exchange, &client)? {
        (Advertisement::Two, base) => {
            SPEAKS_V2.with_borrow_mut(|known| {
                if known.len() > 1000 {
                    known.clear();
                }
                known.insert(url.clone(), base.clone());
            });
            ls_refs(exchange, &client, &base, prefixes)
        }
        (Advertisement::Refs(refs), _) => Ok(refs),
        (Advertisement::Refused(message), _) => Err(exchange.error(Kind::RepositoryNotFound, message)),
    }
}

/// Where later requests go, if the server speaks version 2.
pub(super) fn base_of_v2(exchange: &Arc<Exchange>, client: &Client) -> Result<Option<Url>, GitError> {
    Ok(match ask(exchange, client)? {
        (Advertisement::Two, base) => Some(base),
        _ => None,
    })
}

/// The server's first answer, and where later requests go.
fn ask(exchange: &Arc<Exchange>, client: &Client) -> Result<(Advertisement, Url), GitError> {
    let source = &exchange.source;
    let first = Url::parse(&exchange.address.url).map_err(|e| exchange.error(Kind::InvalidUrl, e.to_string()))?;
    let (response, base) = http::get_refs(client, source, &first, "version=2")?;
    let mut body = Counted::new(response, exchange.clone(), source.limits.listing_bytes);
    let advertisement = advertisement(&mut body).map_err(|e| unreadable(exchange, &e))?;
    // To its end, so that the connection can be used again.
    std::io::copy(&mut body, &mut std::io::sink()).map_err(|e| unreadable(exchange, &e))?;
    Ok((advertisement, base))
}

fn ls_refs(
    exchange: &Arc<Exchange>,
    client: &Client,
    base: &Url,
    prefixes: &[String],
) -> Result<Vec<RemoteRef>, GitError> {
    let mut body = Vec::new();
    pkt::line(&mut body, "command=ls-refs");
    pkt::line(&mut body, concat!("agent=tandem/", env!("CARGO_PKG_VERSION")));
    body.extend_from_slice(b"0001");
    pkt::line(&mut body, "peel");
    for prefix in prefixes {
        pkt::line(&mut body, &format!("ref-prefix {prefix}"));
    }
    body.extend_from_slice(b"0000");
    let response = http::post(client, &exchange.source, base, "version=2", body)?;
    let mut answer = Counted::new(response, exchange.clone(), exchange.source.limits.listing_bytes);
    let mut refs = Vec::new();
    while let Some(packet) = pkt::read(&mut answer).map_err(|e| unreadable(exchange, &e))? {
        let Packet::Line(line) = packet else { continue };
        let line = String::from_utf8_lossy(&line);
        if let Some(message) = line.strip_prefix("ERR ") {
            return Err(exchange.error(Kind::RepositoryNotFound, format!("the server says: {}", told(message))));
        }
        let mut words = line.split(' ');
        let (Some(target), Some(name)) = (words.next(), words.next()) else { continue };
        if target.len() == 64 {
            return Err(exchange.error(Kind::ProtocolFailed, "the repository uses SHA-256, which is not supported"));
        }
        if !is_commit_id(target) {
            // An unborn branch has no id yet.
            continue;
        }
        let peeled = words.find_map(|word| word.strip_prefix("peeled:")).map(str::to_owned);
        refs.push(RemoteRef { name: name.to_owned(), target: target.to_owned(), peeled });
    }
    Ok(refs)
}

/// What a server says of itself first.
#[derive(Debug, PartialEq)]
enum Advertisement {
    /// It speaks version 2.
    Two,
    /// It speaks an older one, and this is all it has.
    Refs(Vec<RemoteRef>),
    /// It refuses, with these words.
    Refused(String),
}

fn advertisement(body: &mut impl Read) -> std::io::Result<Advertisement> {
    let mut refs: Vec<RemoteRef> = Vec::new();
    while let Some(packet) = pkt::read(body)? {
        let Packet::Line(line) = packet else { continue };
        let line = String::from_utf8_lossy(&line);
        if line.starts_with("# service=") || line == "version 1" || line.starts_with("shallow ") {
            continue;
        }
        if line == "version 2" {
            return Ok(Advertisement::Two);
        }
        if let Some(message) = line.strip_prefix("ERR ") {
            return Ok(Advertisement::Refused(format!("the server says: {}", told(message))));
        }
        let line = line.split('\0').next().unwrap_or_default();
        let Some((target, name)) = line.split_once(' ') else { continue };
        if !is_commit_id(target) {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                "the listing of references makes no sense",
            ));
        }
        match name.strip_suffix("^{}") {
            // An empty repository lists its capabilities under no name.
            Some("capabilities") => {}
            Some(tag) => {
                if let Some(last) = refs.last_mut().filter(|last| last.name == tag) {
                    last.peeled = Some(target.to_owned());
                }
            }
            None => refs.push(RemoteRef { name: name.to_owned(), target: target.to_owned(), peeled: None }),
        }
    }
    Ok(Advertisement::Refs(refs))
}

/// Words of a server, bounded and on one line.
fn told(message: &str) -> String {
    message.chars().take(200).filter(|c| !c.is_control()).collect()
}

fn is_commit_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn unreadable(exchange: &Exchange, error: &std::io::Error) -> GitError {
    exchange
        .failure()
        .unwrap_or_else(|| exchange.error(Kind::ProtocolFailed, format!("the answer cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(lines: &[&str]) -> Vec<u8> {
        let mut wire = Vec::new();
        for text in lines {
            if *text == "flush" { wire.extend_from_slice(b"0000") } else { pkt::line(&mut wire, text) }
        }
        wire
    }

    fn reference(name: &str, digit: &str, peeled: Option<&str>) -> RemoteRef {
        RemoteRef { name: name.into(), target: digit.repeat(40), peeled: peeled.map(|d| d.repeat(40)) }
    }

    #[test]
    fn a_note_that_moves_comes_or_goes_is_seen_and_nothing_else() {
        let notes = [
            reference("refs/notes/coverage", "a", None),
            reference("refs/notes/tandem/approvals/one", "b", None),
            reference("refs/notes/tandem/approvals/two", "c", None),
        ];
        let main = reference("refs/heads/main", "d", None);
        let same = [notes[2].clone(), main.clone(), notes[0].clone(), notes[1].clone()];
        let before = digest_of_notes(&notes);
        assert_eq!(before, digest_of_notes(&same), "the order, and other references");
        let moved = reference("refs/notes/coverage", "e", None);
        let twice = reference("refs/notes/tandem/approvals/three", "b", None);
        for other in [
            vec![moved, notes[1].clone(), notes[2].clone()],
            notes[1..].to_vec(),
            [&notes[..], &[twice]].concat(),
            vec![],
        ] {
            assert_ne!(before, digest_of_notes(&other), "{other:?}");
        }
    }

    #[test]
    fn every_kind_of_first_answer_is_understood() {
        let (a, b, c) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
        let zero = "0".repeat(40);
        let old = [
            "# service=git-upload-pack",
            "flush",
            &format!("{a} HEAD\0multi_ack side-band-64k"),
            &format!("{a} refs/heads/main"),
            &format!("{b} refs/tags/v1"),
            &format!("{c} refs/tags/v1^{{}}"),
            "flush",
        ];
        let refs = vec![
            reference("HEAD", "a", None),
            reference("refs/heads/main", "a", None),
            reference("refs/tags/v1", "b", Some("c")),
        ];
        for (lines, expected) in [
            (&old[..], Advertisement::Refs(refs)),
            (
                &["# service=git-upload-pack", "flush", "version 2", "agent=git/2", "ls-refs", "flush"],
                Advertisement::Two,
            ),
            (&["version 2", "ls-refs", "flush"], Advertisement::Two),
            (
                &["# service=git-upload-pack", "flush", &format!("{zero} capabilities^{{}}\0agent=git/2"), "flush"],
                Advertisement::Refs(vec![]),
            ),
            (&["ERR access denied\u{7}"], Advertisement::Refused("the server says: access denied".into())),
        ] {
            assert_eq!(advertisement(&mut &wire(lines)[..]).expect("understood"), expected);
        }
        assert!(advertisement(&mut &wire(&["hello world"])[..]).is_err());
        assert!(advertisement(&mut &b"<html>"[..]).is_err());
    }
}

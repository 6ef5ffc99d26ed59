//! Coverage files as they stand in Git notes: what CI signs, a text that people can read, the signature over exactly that
//! text (SSHSIG) in the namespace `coverage@tandemcd.io`, so that no signature of a commit or an approval is taken for one,
//! and the file, whose digest is in the text.
//!
//! All files are in one reference, which whoever may push can write: a note says nothing, and its signature everything.

use std::fmt::Write;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use ssh_key::PublicKey;

use super::{FILE, Flaw, Lines, Refused};
use crate::revision::signature::{KeyFile, Trust, judge_text};

/// What these signatures are made for.
pub const NAMESPACE: &str = "coverage@tandemcd.io";
/// Where the notes are.
pub const NOTES: &str = "refs/notes/coverage";
/// Bytes of one note that are read.
pub const NOTE: usize = 2 * FILE;
/// Seconds by which the clock of CI may be ahead.
const AHEAD: i64 = 600;
/// Files of one note that are looked at.
const FILES: usize = 32;
const TITLE: &str = "tandem coverage v1";
const END: &str = "-----END SSH SIGNATURE-----";

/// What CI signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Of which repository ([`repository_id`](crate::revision::review::note::repository_id)).
    pub repository: String,
    /// Of which commit.
    pub commit: String,
    /// What the check is called.
    pub context: String,
    /// SHA-256 of the file, in hex digits.
    pub digest: String,
    /// Bytes of the file.
    pub bytes: usize,
    /// When.
    pub at: Timestamp,
}

impl Statement {
    /// What is to be signed of a file.
    pub fn of(file: &[u8], repository: String, commit: String, context: String, at: Timestamp) -> Self {
        Self { repository, commit, context, digest: digest(file), bytes: file.len(), at }
    }

    /// The text that is signed; every part of it has one form alone.
    pub fn text(&self) -> String {
        format!(
            "{TITLE}\nrepository {}\ncommit {}\ncontext {}\nfile sha256:{}\nbytes {}\ntime {}\n",
            self.repository, self.commit, self.context, self.digest, self.bytes, self.at
        )
    }

    /// Reads such a text; `None` where it is not written exactly so.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned);
        let statement = Self {
            repository: value("repository")?,
            commit: value("commit")?,
            context: value("context")?,
            digest: value("file")?.strip_prefix("sha256:")?.to_owned(),
            bytes: value("bytes")?.parse().ok()?,
            at: value("time")?.parse().ok()?,
        };
        let is_hex = |text: &str, digits: usize| {
            text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let ids = is_hex(&statement.commit, 40) && is_hex(&statement.digest, 64);
        (ids && statement.text() == text).then_some(statement)
    }
}

fn digest(file: &[u8]) -> String {
    Sha256::digest(file).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One file of a note.
struct Attached<'a> {
    statement: Statement,
    text: &'a str,
    signature: &'a str,
    file: &'a [u8],
}

/// The files of a note, and whether something follows that cannot be read.
fn parts(note: &[u8]) -> (Vec<Attached<'_>>, bool) {
    let mut found = Vec::new();
    let mut rest = note.trim_ascii_start();
    while !rest.is_empty() && found.len() < FILES {
        let Some((attached, after)) = part(rest) else { return (found, true) };
        found.push(attached);
        rest = after.trim_ascii_start();
    }
    (found, !rest.is_empty())
}

fn part(note: &[u8]) -> Option<(Attached<'_>, &[u8])> {
    // A statement with its signature is a few hundred bytes; the file behind it may be anything.
    let head = &note[..note.len().min(16 << 10)];
    let end = memchr::memmem::find(head, END.as_bytes())? + END.len();
    let head = std::str::from_utf8(&head[..end]).ok()?;
    let begin = head.find("-----BEGIN SSH SIGNATURE-----")?;
    let statement = Statement::parse(&head[..begin])?;
    let rest = note[end..].strip_prefix(b"\n")?;
    let (file, after) = rest.split_at_checked(statement.bytes)?;
    Some((Attached { statement, text: &head[..begin], signature: &head[begin..], file }, after))
}

/// Adds a file to a note, in the place of one of the same name. What cannot be read in the note is left out.
pub fn added(note: &[u8], statement: &Statement, signature: &str, file: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    let mut add = |text: &str, signature: &str, file: &[u8]| {
        for bytes in [text.as_bytes(), signature.trim().as_bytes(), b"\n", file, b"\n"] {
            whole.extend_from_slice(bytes);
        }
    };
    for other in parts(note).0.iter().filter(|other| other.statement.context != statement.context) {
        add(other.text, other.signature, other.file);
    }
    add(&statement.text(), signature, file);
    whole
}

/// When the newest file of a note says that it was signed; nothing where it has none.
pub fn newest(note: &[u8]) -> Option<Timestamp> {
    parts(note).0.iter().map(|part| part.statement.at).max()
}

/// The keys that a check lists.
///
/// # Errors
/// One is no public SSH key, in words.
pub fn trust(keys: &[String]) -> Result<Trust, String> {
    let mut lines = String::new();
    for key in keys {
        let read = PublicKey::from_openssh(key.trim());
        let line = read.and_then(|key| PublicKey::from(key.key_data().clone()).to_openssh());
        let line = line.map_err(|error| format!("{:?} is no public SSH key: {error}", key.trim()))?;
        let _ = writeln!(lines, "ci {line}");
    }
    let file = KeyFile { name: "allowed_signers".to_owned(), text: lines };
    Trust::read_owners(&file).map_err(|problem| problem.to_string())
}

/// For what a file has to be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Id of the repository.
    pub repository: &'a str,
    /// The commit.
    pub commit: &'a str,
    /// What the check is called.
    pub context: &'a str,
}

/// What a note says of one check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// When the newest file was signed that a listed key signed, and what it says.
    pub newest: Option<(Timestamp, Result<Lines, Refused>)>,
    /// What says nothing here.
    pub refused: Vec<Refused>,
}

/// Reads a note on a commit. Of two files of the same time the one counts that covers less.
pub fn read(note: &[u8], wanted: Wanted<'_>, trust: &Trust, now: Timestamp) -> Read {
    let mut read = Read::default();
    if note.len() > NOTE {
        read.refused.push(Refused::new(Flaw::CoverageTooLarge, format!("the note has more than {NOTE} bytes")));
        return read;
    }
    let (parts, broken) = parts(note);
    if broken {
        let why = "the note holds something that was not attached by `tandem attach-coverage`";
        read.refused.push(Refused::new(Flaw::NoteMalformed, why));
    }
    let mut newest: Vec<&Attached<'_>> = Vec::new();
    for part in parts.iter().filter(|part| part.statement.context == wanted.context) {
        match judge(part, wanted, trust, now) {
            Err(refused) => read.refused.push(refused),
            Ok(()) => match newest.first().map_or(part.statement.at, |one| one.statement.at) {
                at if part.statement.at > at => newest = vec![part],
                at if part.statement.at == at => newest.push(part),
                _ => {}
            },
        }
    }
    let least = |result: &Result<Lines, Refused>| result.as_ref().map_or(0, |lines| lines.hundredths() + 1);
    let said = newest.iter().map(|part| super::read(part.file)).min_by_key(least);
    read.newest = newest.first().map(|part| part.statement.at).zip(said);
    read
}

/// Whether a listed key signed exactly this file for this commit.
fn judge(part: &Attached<'_>, wanted: Wanted<'_>, trust: &Trust, now: Timestamp) -> Result<(), Refused> {
    let statement = &part.statement;
    let refuse = |flaw, why: String| Err(Refused::new(flaw, why));
    let judged = judge_text(part.text.as_bytes(), part.signature.as_bytes(), NAMESPACE, trust, now);
    if let Err((flaw, why)) = judged {
        return refuse(Flaw::NoteUnsigned, format!("a coverage file {why}: {}", flaw.as_str()));
    }
    if statement.repository != wanted.repository {
        let other = statement.repository.escape_debug();
        return refuse(
            Flaw::OtherRepository,
            format!("a coverage file is of {other} and not of {}", wanted.repository),
        );
    }
    if statement.commit != wanted.commit {
        let other = statement.commit.escape_debug();
        return refuse(Flaw::OtherCommit, format!("a coverage file is of the commit {other}"));
    }
    if digest(part.file) != statement.digest {
        return refuse(Flaw::FileSwapped, "a coverage file is not the one that was signed".to_owned());
    }
    if statement.at.as_second() > now.as_second() + AHEAD {
        return refuse(Flaw::TimeImplausible, "a coverage file was signed at a time to come".to_owned());
    }
    Ok(())
}

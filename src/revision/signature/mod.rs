//! Who signed a commit or an annotated tag, judged over the raw object.
//!
//! A signature counts where its key stands in the [`Trust`] and was valid at the time when the commit was first seen,
//! which is an argument: dates in commits, tags and signatures are written by whoever makes them, and never make
//! anything valid. What Git or a key program would take and two readers could read in two ways is refused by name.

mod flaw;
mod object;
mod openpgp;
mod ssh;
mod trust;

pub use flaw::{Flaw, Refusal};
pub use ssh::Patterns;
pub use trust::{KeyFile, KeyFileProblem, Keys, Trust};

use jiff::Timestamp;

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Fingerprint of the key: `SHA256:…` of an SSH key, hex digits of an OpenPGP key.
    pub key: String,
    /// Whom the trusted keys name as its owner; empty where they name nobody.
    pub name: String,
}

impl std::fmt::Display for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.name.is_empty() { write!(f, "{}", self.key) } else { write!(f, "{} ({})", self.name, self.key) }
    }
}

/// What a signature block says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Ssh,
    OpenPgp,
    X509,
}

impl Format {
    /// The first lines of signatures, as `git` tells them apart.
    const BEGINNINGS: [(&'static str, Self); 4] = [
        ("-----BEGIN SSH SIGNATURE-----", Self::Ssh),
        ("-----BEGIN PGP SIGNATURE-----", Self::OpenPgp),
        ("-----BEGIN PGP MESSAGE-----", Self::OpenPgp),
        ("-----BEGIN SIGNED MESSAGE-----", Self::X509),
    ];

    fn of(text: &[u8]) -> Option<Self> {
        Self::BEGINNINGS.iter().find(|(begin, _)| text.starts_with(begin.as_bytes())).map(|(_, format)| *format)
    }
}

/// Judges the signature of a commit: its raw object as the object store has it, without Git's own header.
///
/// # Errors
/// It is not signed, not as Git signs, or not by a key that counts at `now`; the refusal names the commit.
pub fn judge_commit(id: &str, raw: &[u8], trust: &Trust, now: Timestamp) -> Result<Signer, Refusal> {
    let of = |(flaw, why)| Refusal::new(format!("commit {id}"), flaw, why);
    let signed = object::commit(raw).map_err(of)?;
    judge(&signed, trust, now).map_err(of)
}

/// Judges the signature of an annotated tag, which must be the tag of this name and lead to this commit.
///
/// # Errors
/// As [`judge_commit`]; or it is the tag of another name or commit.
pub fn judge_tag(name: &str, commit: &str, raw: &[u8], trust: &Trust, now: Timestamp) -> Result<Signer, Refusal> {
    let of = |(flaw, why)| Refusal::new(format!("tag {name} of commit {commit}"), flaw, why);
    let signed = object::tag(raw, name, commit).map_err(of)?;
    judge(&signed, trust, now).map_err(of)
}

/// Judges an armored SSH signature over a text, which must have been made for the purpose `namespace`.
///
/// # Errors
/// It is none of SSH, not over this text, for another purpose, or not by a key that counts at `now`; why follows the
/// name of the text.
pub fn judge_text(
    text: &[u8],
    signature: &[u8],
    namespace: &str,
    trust: &Trust,
    now: Timestamp,
) -> Result<Signer, (Flaw, String)> {
    let signed = object::Signed { payload: text.to_vec(), signature: signature.to_vec() };
    ssh::judge(&signed, namespace, &trust.ssh, now)
}

/// The parents that a raw commit itself names, whatever a graft or a shallow history says of it; `None` where it is
/// not written as commits are.
pub fn parents(raw: &[u8]) -> Option<Vec<String>> {
    object::parents(raw)
}

/// Seconds since 1970 at which a raw commit says it was committed; none where it says nothing. Good for an order of
/// looking at commits and for nothing else.
pub fn committed_at(raw: &[u8]) -> Option<i64> {
    object::committed_at(raw)
}

/// What is wrong, with why.
type Wrong = (Flaw, String);

fn judge(signed: &object::Signed, trust: &Trust, now: Timestamp) -> Result<Signer, Wrong> {
    match Format::of(&signed.signature) {
        Some(Format::Ssh) => ssh::judge(signed, ssh::NAMESPACE, &trust.ssh, now),
        Some(Format::OpenPgp) => openpgp::judge(signed, &trust.openpgp, now),
        Some(Format::X509) => {
            Err((Flaw::SignatureUnsupported, "is signed with an X.509 certificate (gpg.format x509)".to_owned()))
        }
        None => Err((Flaw::SignatureMalformed, "has a signature that is neither of SSH nor of OpenPGP".to_owned())),
    }
}

/// The bytes between the first and the last line of an armored block that is alone, without what armor adds.
///
/// # Errors
/// Something stands before or after the block, there are two, or it has no end.
fn armored(text: &[u8], label: &str) -> Result<String, Wrong> {
    let malformed = |why: &str| (Flaw::SignatureMalformed, format!("has a signature that {why}"));
    let text = std::str::from_utf8(text).map_err(|_| malformed("is no text"))?;
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut lines = text.lines().map(|line| line.trim_end_matches([' ', '\t', '\r']));
    if lines.next() != Some(&begin) {
        return Err(malformed("does not begin as signatures do"));
    }
    let mut body = String::new();
    let mut ended = false;
    for line in lines {
        match line {
            _ if ended && line.is_empty() => {}
            _ if line.starts_with("-----BEGIN") => {
                return Err((Flaw::SignatureDuplicated, "has two signatures".to_owned()));
            }
            _ if ended => return Err(malformed("is followed by something else")),
            _ if line == end => ended = true,
            _ => {
                body.push_str(line);
                body.push('\n');
            }
        }
    }
    if ended { Ok(body) } else { Err(malformed("has no end")) }
}

//! SSH certificates (OpenSSH's PROTOCOL.certkeys) of those who sign.
//!
//! They are read here and not by `ssh-key`, which cannot read those that are valid for ever: `ssh-keygen` makes such
//! unless it is told otherwise.

use jiff::Timestamp;
use signature::Verifier;
use ssh_key::HashAlg;
use ssh_key::public::KeyData;

use super::allowed::Allowed;
use super::pattern::Patterns;
use super::wire::{self, Reader, put};
use super::{weak_algorithm, weakness};
use crate::revision::signature::{Flaw, Wrong};

/// What the type of a certificate ends with.
const ENDING: &str = "-cert-v01@openssh.com";
/// Type of certificates of people; the other is of hosts.
const USER: u32 = 1;

/// Types of keys, and how many fields their public keys have.
const KINDS: [(&str, usize); 7] = [
    ("ssh-ed25519", 1),
    ("ssh-rsa", 2),
    ("ecdsa-sha2-nistp256", 2),
    ("ecdsa-sha2-nistp384", 2),
    ("ecdsa-sha2-nistp521", 2),
    ("sk-ssh-ed25519", 2),
    ("sk-ecdsa-sha2-nistp256", 3),
];

/// A certificate, taken apart; nothing of it is verified yet.
pub(super) struct Certificate {
    /// The key that is certified.
    pub key: KeyData,
    /// Who certified it.
    pub authority: KeyData,
    kind: u32,
    principals: Vec<String>,
    after: u64,
    before: u64,
    critical: Vec<String>,
    /// What the authority signed.
    signed: Vec<u8>,
    signature: Vec<u8>,
}

/// Whether this is the type of a certificate.
pub(super) fn is_certificate(kind: &str) -> bool {
    kind.ends_with(ENDING)
}

impl Certificate {
    /// Reads one; `None` where it cannot be read.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (name, fields) = {
            let kind = reader.text()?.strip_suffix(ENDING)?;
            *KINDS.iter().find(|(name, _)| *name == kind)?
        };
        let _nonce = reader.string()?;
        let mut plain = Vec::new();
        let whole = if name.starts_with("sk-") { format!("{name}@openssh.com") } else { name.to_owned() };
        put(&mut plain, whole.as_bytes());
        for _ in 0..fields {
            put(&mut plain, reader.string()?);
        }
        let _serial = reader.long()?;
        let kind = reader.number()?;
        let _id = reader.string()?;
        let principals = texts(reader.string()?)?;
        let (after, before) = (reader.long()?, reader.long()?);
        let critical = options(reader.string()?)?;
        let _extensions = reader.string()?;
        let _reserved = reader.string()?;
        let authority = reader.string()?;
        let signed = bytes[..bytes.len() - reader.left()].to_vec();
        let signature = reader.string()?.to_vec();
        reader.is_empty().then_some(())?;
        let (key, authority) = (wire::key(&plain)?, wire::key(authority)?);
        Some(Self { key, authority, kind, principals, after, before, critical, signed, signature })
    }

    /// Whether its holder may sign at `now` as one of the principals of the line that lists its authority; the
    /// principal.
    ///
    /// # Errors
    /// It is not by that authority, not valid, or for something else.
    pub fn judge(&self, listed: &Patterns, allowed: &Allowed, now: Timestamp) -> Result<String, Wrong> {
        let authority = self.authority.fingerprint(HashAlg::Sha256);
        let refuse = |flaw, why: &str| Err((flaw, format!("is signed with a certificate of {authority} {why}")));
        if let Some(weakness) = weakness(&self.authority) {
            return refuse(Flaw::KeyWeak, &format!("which is {weakness}"));
        }
        if weak_algorithm(&self.signature) {
            return refuse(Flaw::KeyWeak, "that is itself signed over SHA-1");
        }
        if allowed.is_revoked(&self.authority) {
            return refuse(Flaw::SignerRevoked, "which is in revoked_keys");
        }
        let signature = wire::signature(&self.signature);
        if signature.is_none_or(|signature| self.authority.verify(&self.signed, &signature).is_err()) {
            return refuse(Flaw::SignatureInvalid, "which that authority has not signed");
        }
        if self.kind != USER {
            return refuse(Flaw::SignerNotAllowed, "that is of a host and not of a person");
        }
        if !self.critical.is_empty() {
            let options = self.critical.join(", ");
            return refuse(
                Flaw::SignerNotAllowed,
                &format!("with critical options ({options}), which bar signing here"),
            );
        }
        let now = u64::try_from(now.as_second()).unwrap_or_default();
        if now < self.after {
            return refuse(Flaw::SignerNotYetValid, "that is not valid yet");
        }
        if now >= self.before {
            return refuse(Flaw::SignerExpired, "that is not valid any more");
        }
        match self.principals.iter().find(|principal| listed.matches(principal)) {
            Some(principal) => Ok(principal.clone()),
            None => refuse(Flaw::SignerNotAllowed, &format!("that names nobody of {listed}")),
        }
    }
}

fn texts(bytes: &[u8]) -> Option<Vec<String>> {
    let mut reader = Reader::new(bytes);
    let mut texts = Vec::new();
    while !reader.is_empty() {
        texts.push(reader.text()?.to_owned());
    }
    Some(texts)
}

/// Names of options; their values are not looked at.
fn options(bytes: &[u8]) -> Option<Vec<String>> {
    let mut reader = Reader::new(bytes);
    let mut names = Vec::new();
    while !reader.is_empty() {
        let name = reader.text()?;
        let _value = reader.string()?;
        names.push(name.escape_debug().to_string());
    }
    Some(names)
}

//! SSH signatures (SSHSIG, OpenSSH's PROTOCOL.sshsig) and who may make them (`allowed_signers` of ssh-keygen(1)).

mod allowed;
mod certificate;
mod pattern;
mod wire;

pub use pattern::Patterns;

pub(super) use allowed::{Allowed, owner_of_file};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use signature::Verifier;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, SshSig};

use super::object::Signed;
use super::{Flaw, Signer, Wrong, armored};
use allowed::Line;
use certificate::Certificate;
use wire::Reader;

/// The purpose for which git signs.
pub(super) const NAMESPACE: &str = "git";
/// Bits of an RSA key below which it is weak.
const RSA_BITS: usize = 2048;

/// An SSH signature, taken apart.
struct Signature<'a> {
    key: Key,
    namespace: &'a str,
    hash: HashAlg,
    signature: ssh_key::Signature,
}

/// The key that a signature says it is by.
enum Key {
    Plain(KeyData),
    Certified(Box<Certificate>),
}

impl Key {
    /// The key itself, without its certificate.
    fn data(&self) -> &KeyData {
        match self {
            Self::Plain(key) => key,
            Self::Certified(certificate) => &certificate.key,
        }
    }
}

fn malformed<T>() -> Result<T, Wrong> {
    Err((Flaw::SignatureMalformed, "has an SSH signature that cannot be read".to_owned()))
}

/// Judges an SSH signature that was made for the purpose `namespace`.
///
/// # Errors
/// It is not over the payload, or not by a key that counts at `now`.
pub(super) fn judge(signed: &Signed, namespace: &str, allowed: &Allowed, now: Timestamp) -> Result<Signer, Wrong> {
    let body = armored(&signed.signature, "SSH SIGNATURE")?;
    let Ok(bytes) = STANDARD.decode(body.replace('\n', "")) else { return malformed() };
    let signature = read(&bytes)?;
    let key = signature.key.data();
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    if signature.namespace != namespace {
        let other: String = signature.namespace.escape_debug().take(100).collect();
        let why = format!("has a signature that was made for {other}, not for {namespace}");
        return Err((Flaw::NamespaceMismatch, why));
    }
    if let Some(weakness) = weakness(key).or_else(|| weakness_of(&signature.signature)) {
        return Err((Flaw::KeyWeak, format!("is signed with {weakness} ({fingerprint})")));
    }
    if allowed.is_revoked(key) {
        return Err((Flaw::SignerRevoked, format!("is signed by the key {fingerprint}, which is in revoked_keys")));
    }
    let authority = match &signature.key {
        Key::Plain(_) => None,
        Key::Certified(certificate) => Some(&certificate.authority),
    };
    let lines: Vec<&Line> = match authority {
        None => allowed.lines().filter(|line| !line.authority && line.key == *key).collect(),
        Some(authority) => allowed.lines().filter(|line| line.authority && line.key == *authority).collect(),
    };
    if lines.is_empty() {
        let why = match authority {
            None => format!("is signed by the key {fingerprint}, which is not listed"),
            Some(authority) => format!(
                "is signed with a certificate of {}, which is not listed as cert-authority",
                authority.fingerprint(HashAlg::Sha256)
            ),
        };
        return Err((Flaw::SignerUnknown, why));
    }
    let data = SshSig::signed_data(signature.namespace, signature.hash, &signed.payload);
    if !data.is_ok_and(|data| key.verify(&data, &signature.signature).is_ok()) {
        let why = format!("has a signature of the key {fingerprint} that is not over it");
        return Err((Flaw::SignatureInvalid, why));
    }
    let mut refused = None;
    for line in lines {
        let judged = line.judge(namespace, &fingerprint, now).and_then(|()| match &signature.key {
            Key::Plain(_) => Ok(line.principals.to_string()),
            Key::Certified(certificate) => certificate.judge(&line.principals, allowed, now),
        });
        match judged {
            Ok(name) => return Ok(Signer { key: fingerprint, name }),
            Err(wrong) => refused = refused.or(Some(wrong)),
        }
    }
    refused.map_or_else(malformed, Err)
}

fn read(bytes: &[u8]) -> Result<Signature<'_>, Wrong> {
    let mut reader = Reader::new(bytes);
    if reader.bytes(6) != Some(b"SSHSIG") || reader.number() != Some(1) {
        return malformed();
    }
    let (Some(key), Some(namespace), Some(reserved), Some(hash), Some(signature), true) =
        (reader.string(), reader.text(), reader.string(), reader.text(), reader.string(), reader.is_empty())
    else {
        return malformed();
    };
    if !reserved.is_empty() {
        return malformed();
    }
    let hash = match hash {
        "sha256" => HashAlg::Sha256,
        "sha512" => HashAlg::Sha512,
        _ => return Err((Flaw::KeyWeak, "has a signature over a digest that is neither SHA-256 nor SHA-512".into())),
    };
    let Some(kind) = Reader::new(key).text() else { return malformed() };
    let key = if certificate::is_certificate(kind) {
        Certificate::read(key).map(Box::new).map(Key::Certified)
    } else {
        wire::key(key).map(Key::Plain)
    };
    let Some(key) = key else { return malformed() };
    if weak_algorithm(signature) {
        return Err((Flaw::KeyWeak, "is signed with RSA over SHA-1 (ssh-rsa), or with DSA".to_owned()));
    }
    let Some(signature) = wire::signature(signature) else { return malformed() };
    Ok(Signature { key, namespace, hash, signature })
}

/// Whether a signature, as it is written, is over SHA-1.
fn weak_algorithm(signature: &[u8]) -> bool {
    matches!(Reader::new(signature).text(), Some("ssh-rsa" | "ssh-dss"))
}

fn weakness_of(signature: &ssh_key::Signature) -> Option<String> {
    matches!(signature.algorithm(), Algorithm::Dsa | Algorithm::Rsa { hash: None })
        .then(|| "RSA or DSA over SHA-1".to_owned())
}

/// What is weak in a key, where something is.
fn weakness(key: &KeyData) -> Option<String> {
    match key {
        KeyData::Dsa(_) => Some("a DSA key".to_owned()),
        KeyData::Rsa(rsa) => {
            let bytes = rsa.n.as_positive_bytes().unwrap_or_default();
            let bits = bytes.first().map_or(0, |first| bytes.len() * 8 - first.leading_zeros() as usize);
            (bits < RSA_BITS).then(|| format!("an RSA key of {bits} bits"))
        }
        _ => None,
    }
}

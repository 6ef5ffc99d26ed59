//! An OpenPGP key with its subkeys, and whether it, or one of them, may sign now.

use jiff::Timestamp;
use pgp::packet::{Packet, PublicKey, PublicSubkey, Signature, SignatureType, SubpacketData, UserId};
use pgp::types::{Duration, KeyDetails, Tag};

use super::{has_unknown_demands, weak_digest, weakness};
use crate::revision::signature::{Flaw, Signer, Wrong};

/// A key, with what is said of it. Nothing is verified before it is used.
#[derive(Clone, Debug)]
pub(in crate::revision::signature) struct Certificate {
    primary: PublicKey,
    /// Signatures over the key itself.
    direct: Vec<Signature>,
    users: Vec<(UserId, Vec<Signature>)>,
    subkeys: Vec<(PublicSubkey, Vec<Signature>)>,
    /// All revocations of the key that came with it.
    revocations: Vec<Signature>,
}

/// A key that may have made a signature.
pub(super) struct Maker<'a> {
    certificate: &'a Certificate,
    /// Its subkey; none where it is the key itself.
    subkey: Option<&'a (PublicSubkey, Vec<Signature>)>,
}

/// Sorts packets into keys, which are appended, and revocations that stand by themselves.
///
/// # Errors
/// A packet belongs to no key.
pub(super) fn of_packets(
    packets: Vec<Packet>,
    certificates: &mut Vec<Certificate>,
    alone: &mut Vec<Signature>,
) -> Result<(), String> {
    enum Part {
        Key,
        User,
        Attribute,
        Subkey,
    }
    let mut part = Part::Key;
    let mut current: Option<Certificate> = None;
    for packet in packets {
        match (packet, &mut current) {
            (Packet::PublicKey(primary), _) => {
                let (direct, users, subkeys, revocations) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
                let next = Certificate { primary, direct, users, subkeys, revocations };
                certificates.extend(current.replace(next));
                part = Part::Key;
            }
            (Packet::Signature(signature), None) if signature.typ() == Some(SignatureType::KeyRevocation) => {
                alone.push(signature);
            }
            (Packet::Signature(signature), Some(key)) => match part {
                // Wherever it stands, it is of the key.
                _ if signature.typ() == Some(SignatureType::KeyRevocation) => key.revocations.push(signature),
                Part::Key => key.direct.push(signature),
                Part::User => key.users.last_mut().into_iter().for_each(|user| user.1.push(signature.clone())),
                Part::Subkey => key.subkeys.last_mut().into_iter().for_each(|sub| sub.1.push(signature.clone())),
                // Pictures say nothing about who may sign.
                Part::Attribute => {}
            },
            (Packet::UserId(id), Some(key)) => {
                key.users.push((id, Vec::new()));
                part = Part::User;
            }
            (Packet::UserAttribute(_), Some(_)) => part = Part::Attribute,
            (Packet::PublicSubkey(subkey), Some(key)) => {
                key.subkeys.push((subkey, Vec::new()));
                part = Part::Subkey;
            }
            (Packet::Trust(_) | Packet::Marker(_) | Packet::Padding(_), _) => {}
            (Packet::SecretKey(_) | Packet::SecretSubkey(_), _) => {
                return Err(
                    "holds a private key: it belongs nowhere but to its owner; export the public one".to_owned()
                );
            }
            _ => return Err("holds something that is neither a public key nor a revocation".to_owned()),
        }
    }
    certificates.extend(current);
    Ok(())
}

impl Certificate {
    /// Takes a revocation that stood by itself, where it is one of this key.
    pub(super) fn take(&mut self, revocation: &Signature) -> Option<()> {
        revocation.verify_key(&self.primary).ok()?;
        self.revocations.push(revocation.clone());
        Some(())
    }

    /// The keys in it that the signature names as its maker.
    pub(super) fn makers<'a>(&'a self, signature: &'a Signature) -> impl Iterator<Item = Maker<'a>> {
        let itself = named(signature, &self.primary).then_some(Maker { certificate: self, subkey: None });
        let subkeys = self.subkeys.iter().filter(move |(key, _)| named(signature, key));
        itself.into_iter().chain(subkeys.map(|subkey| Maker { certificate: self, subkey: Some(subkey) }))
    }

    /// The newest signature by which the owner says what the key is for and until when.
    fn newest_self_signature(&self, now: u64) -> Result<&Signature, Wrong> {
        let direct = self.direct.iter().filter(|signature| {
            signature.typ() == Some(SignatureType::Key) && signature.verify_key(&self.primary).is_ok()
        });
        let users = self.users.iter().flat_map(|(id, signatures)| {
            let own = |signature: &&Signature| signature.verify_certification(&self.primary, Tag::UserId, id).is_ok();
            let revoked = signatures
                .iter()
                .filter(|signature| signature.typ() == Some(SignatureType::CertRevocation))
                .filter(own)
                .filter_map(created)
                .max();
            let certifies = |signature: &&Signature| {
                signature.is_certification()
                    && created(signature) > revoked
                    && signature.typ() != Some(SignatureType::CertRevocation)
            };
            signatures.iter().filter(certifies).filter(own).collect::<Vec<_>>()
        });
        self.newest(direct.chain(users), now)
    }

    /// The newest of the owner's signatures that counts now.
    fn newest<'a>(&self, all: impl Iterator<Item = &'a Signature>, now: u64) -> Result<&'a Signature, Wrong> {
        let mut weak = None;
        let strong = all.filter(|signature| match weak_digest(signature) {
            None => true,
            Some(digest) => {
                weak = Some(digest);
                false
            }
        });
        let counts = |signature: &&Signature| {
            !has_unknown_demands(signature)
                && created(signature).is_some_and(|created| created <= now)
                && !over(created(signature), signature.signature_expiration_time(), now)
        };
        let newest = strong.filter(counts).max_by_key(|signature| created(signature));
        newest.ok_or_else(|| match weak {
            Some(digest) => {
                (Flaw::KeyWeak, format!("is signed by the key {self}, which vouches for itself over {digest}"))
            }
            None => (Flaw::SignerNotAllowed, format!("is signed by the key {self}, which does not vouch for itself")),
        })
    }

    /// Whom the key names: its first user.
    fn name(&self) -> String {
        let first = self.users.first().map(|(id, _)| String::from_utf8_lossy(id.id()).into_owned());
        first.unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect()
    }
}

impl std::fmt::Display for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:X}", self.primary.fingerprint())
    }
}

impl Maker<'_> {
    /// Whether the signature is its, over these bytes, and it may sign at `now`.
    ///
    /// # Errors
    /// One of these is not so.
    pub fn judge(&self, signature: &Signature, payload: &[u8], now: Timestamp) -> Result<Signer, Wrong> {
        let certificate = self.certificate;
        let now = u64::try_from(now.as_second()).unwrap_or_default();
        let (verified, made, key) = match self.subkey {
            None => {
                let key = &certificate.primary;
                (signature.verify(key, payload).is_ok(), key.created_at(), key.fingerprint())
            }
            Some((key, _)) => (signature.verify(key, payload).is_ok(), key.created_at(), key.fingerprint()),
        };
        let key = format!("{key:X}");
        if !verified {
            return Err((Flaw::SignatureInvalid, format!("has a signature of the key {key} that is not over it")));
        }
        let made = u64::from(made.as_secs());
        match created(signature) {
            Some(created) if created >= made => {}
            _ => {
                let why = format!("has a signature that claims to be older than its key {key}");
                return Err((Flaw::SignatureInvalid, why));
            }
        }
        if over(created(signature), signature.signature_expiration_time(), now) {
            return Err((Flaw::SignatureExpired, format!("has a signature of the key {key} that is over")));
        }
        self.judge_primary(now)?;
        if let Some(subkey) = self.subkey {
            self.judge_subkey(subkey, now)?;
        }
        Ok(Signer { key, name: certificate.name() })
    }

    fn judge_primary(&self, now: u64) -> Result<(), Wrong> {
        let certificate = self.certificate;
        let refuse = |flaw, why: &str| Err((flaw, format!("is signed by the key {certificate}, {why}")));
        if let Some(weakness) = weakness(certificate.primary.public_params()) {
            return refuse(Flaw::KeyWeak, &format!("which is {weakness}"));
        }
        // One that does not verify may be by somebody whom the owner named as revoker: it came with the key, from who
        // keeps the list, and costs a question where it is false.
        if !certificate.revocations.is_empty() {
            return refuse(Flaw::SignerRevoked, "which is revoked");
        }
        let made = Some(u64::from(certificate.primary.created_at().as_secs()));
        if made > Some(now) {
            return refuse(Flaw::SignerNotYetValid, "which is of a later time");
        }
        let own = certificate.newest_self_signature(now)?;
        if over(made, own.key_expiration_time(), now) {
            return refuse(Flaw::SignerExpired, "which has expired");
        }
        if self.subkey.is_none() && may_sign(own) == Some(false) {
            return refuse(Flaw::SignerNotAllowed, "which is not for signing by its own flags");
        }
        Ok(())
    }

    fn judge_subkey(&self, (subkey, signatures): &(PublicSubkey, Vec<Signature>), now: u64) -> Result<(), Wrong> {
        let primary = &self.certificate.primary;
        let refuse = |flaw, why: &str| {
            let why =
                format!("is signed by the subkey {:X} of the key {}, {why}", subkey.fingerprint(), self.certificate);
            Err((flaw, why))
        };
        if let Some(weakness) = weakness(subkey.public_params()) {
            return refuse(Flaw::KeyWeak, &format!("which is {weakness}"));
        }
        if signatures.iter().any(|signature| signature.typ() == Some(SignatureType::SubkeyRevocation)) {
            return refuse(Flaw::SignerRevoked, "which is revoked");
        }
        let bound = signatures.iter().filter(|signature| {
            signature.typ() == Some(SignatureType::SubkeyBinding)
                && signature.verify_subkey_binding(primary, subkey).is_ok()
        });
        let own = self.certificate.newest(bound, now)?;
        if may_sign(own) != Some(true) {
            return refuse(Flaw::SignerNotAllowed, "which is not for signing by its own flags");
        }
        // Without it anybody could claim the subkey of another as his own.
        let back = own.embedded_signature().filter(|back| weak_digest(back).is_none());
        if back.is_none_or(|back| back.verify_primary_key_binding(subkey, primary).is_err()) {
            return refuse(Flaw::SignerNotAllowed, "which has not signed that it belongs to it");
        }
        let made = Some(u64::from(subkey.created_at().as_secs()));
        if made > Some(now) {
            return refuse(Flaw::SignerNotYetValid, "which is of a later time");
        }
        if over(made, own.key_expiration_time(), now) {
            return refuse(Flaw::SignerExpired, "which has expired");
        }
        Ok(())
    }
}

/// Whether a signature names a key as its maker, by all that it says of that.
fn named(signature: &Signature, key: &impl KeyDetails) -> bool {
    signature.issuer_fingerprint().iter().all(|fingerprint| **fingerprint == key.fingerprint())
        && signature.issuer_key_id().iter().all(|id| **id == key.legacy_key_id())
}

fn created(signature: &Signature) -> Option<u64> {
    signature.created().map(|time| u64::from(time.as_secs()))
}

/// Whether a time that lasts from `since` on is over; none, or one of no length, lasts for ever.
fn over(since: Option<u64>, lasts: Option<Duration>, now: u64) -> bool {
    match (since, lasts.map(|lasts| u64::from(lasts.as_secs()))) {
        (_, None | Some(0)) => false,
        (Some(since), Some(lasts)) => since + lasts <= now,
        (None, Some(_)) => true,
    }
}

/// What the flags of a self-signature or binding say of signing; none where it has no flags.
fn may_sign(signature: &Signature) -> Option<bool> {
    signature.config()?.hashed_subpackets().find_map(|packet| match &packet.data {
        SubpacketData::KeyFlags(flags) => Some(flags.sign()),
        _ => None,
    })
}

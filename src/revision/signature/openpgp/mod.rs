//! OpenPGP signatures (RFC 9580, and RFC 4880 as GnuPG writes it), and which keys may make them.
//!
//! The packets are read by `pgp`; what follows from them is decided here: a key counts by its newest valid
//! self-signature, a subkey by its newest valid binding with the back signature, and every revocation counts, since
//! signatures are judged at the present and not at the time that they claim.

mod certificate;

pub(super) use certificate::Certificate;

use jiff::Timestamp;
use pgp::armor::{BlockType, Dearmor};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Packet, PacketParser, Signature, SignatureType, SubpacketData};
use pgp::types::PublicParams;
use std::io::Read;

use super::object::Signed;
use super::{Flaw, Signer, Wrong, armored};

/// Bits of an RSA key below which it is weak.
const RSA_BITS: usize = 2048;

fn malformed<T>() -> Result<T, Wrong> {
    Err((Flaw::SignatureMalformed, "has an OpenPGP signature that cannot be read".to_owned()))
}

/// Judges an OpenPGP signature.
///
/// # Errors
/// It is not over the payload, or not by a key that counts at `now`.
pub(super) fn judge(signed: &Signed, certificates: &[Certificate], now: Timestamp) -> Result<Signer, Wrong> {
    armored(&signed.signature, "PGP SIGNATURE")?;
    let Ok(text) = std::str::from_utf8(&signed.signature) else { return malformed() };
    let Ok(packets) = packets(text, BlockType::Signature) else { return malformed() };
    let mut packets = packets.into_iter();
    let signature = match (packets.next(), packets.next()) {
        (Some(Packet::Signature(signature)), None) => signature,
        (Some(Packet::Signature(_)), Some(Packet::Signature(_))) => {
            return Err((Flaw::SignatureDuplicated, "has two OpenPGP signatures".to_owned()));
        }
        _ => return malformed(),
    };
    if signature.typ() != Some(SignatureType::Binary) {
        let why = "has an OpenPGP signature that is not one over a file".to_owned();
        return Err((Flaw::SignatureUnsupported, why));
    }
    if let Some(weakness) = weak_digest(&signature) {
        return Err((Flaw::KeyWeak, format!("has an OpenPGP signature over {weakness}")));
    }
    if has_unknown_demands(&signature) {
        let why = "has an OpenPGP signature with critical parts that are not known".to_owned();
        return Err((Flaw::SignatureUnsupported, why));
    }
    let issuers = issuers(&signature);
    if issuers.is_empty() {
        return malformed();
    }
    let makers = certificates.iter().flat_map(|certificate| certificate.makers(&signature));
    let mut refused = None;
    for maker in makers {
        match maker.judge(&signature, &signed.payload, now) {
            Ok(signer) => return Ok(signer),
            Err(wrong) => refused = refused.or(Some(wrong)),
        }
    }
    let unknown = || {
        let why = format!("is signed by the key {}, which is not listed", issuers.join(" or "));
        (Flaw::SignerUnknown, why)
    };
    Err(refused.unwrap_or_else(unknown))
}

/// Reads armored keys, and revocations that stand by themselves, as `gpg --gen-revoke` makes them.
///
/// # Errors
/// A block is none of these, or cannot be read to its end.
pub(super) fn read(
    text: &str,
    certificates: &mut Vec<Certificate>,
    revocations: &mut Vec<Signature>,
) -> Result<(), String> {
    let mut found = false;
    for block in blocks(text)? {
        found = true;
        let packets = packets(&block, BlockType::PublicKey)?;
        certificate::of_packets(packets, certificates, revocations)?;
    }
    if found { Ok(()) } else { Err("holds no armored OpenPGP key (gpg --export --armor)".to_owned()) }
}

/// Lays revocations that stood by themselves on the keys that they revoke.
///
/// # Errors
/// One is of no key that is listed: somebody relies on it.
pub(super) fn revoke(certificates: &mut [Certificate], revocations: &[Signature]) -> Result<(), String> {
    for revocation in revocations {
        let revoked = certificates.iter_mut().filter_map(|certificate| certificate.take(revocation)).count();
        if revoked == 0 {
            return Err(format!(
                "a revocation by the key {} is of none of the keys that are listed: put it beside its key, or remove it",
                issuers(revocation).join(" or ")
            ));
        }
    }
    Ok(())
}

/// The armored blocks of a text; between them may stand anything but the beginning of another kind.
fn blocks(text: &str) -> Result<Vec<String>, String> {
    let (begin, end) = ("-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----");
    let mut blocks: Vec<String> = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines().map(str::trim_end) {
        match &mut open {
            None if line == begin => open = Some(format!("{line}\n")),
            None if line.starts_with("-----BEGIN PGP PRIVATE") => {
                return Err(
                    "holds a private key: it belongs nowhere but to its owner; export the public one".to_owned()
                );
            }
            None if line.starts_with("-----BEGIN") => {
                return Err(format!("holds a block that is no OpenPGP key: {line}"));
            }
            None => {}
            Some(block) => {
                block.push_str(line);
                block.push('\n');
                if line == end {
                    blocks.extend(open.take());
                } else if line.starts_with("-----") {
                    return Err("holds a block that has no end".to_owned());
                }
            }
        }
    }
    if open.is_some() { Err("holds a block that has no end".to_owned()) } else { Ok(blocks) }
}

/// The packets of one armored block, all of them.
fn packets(text: &str, kind: BlockType) -> Result<Vec<Packet>, String> {
    let mut bytes = Vec::new();
    // Its checksum is of no use against anybody, and RFC 9580 asks that it be left alone.
    let mut dearmor = Dearmor::new(text.as_bytes());
    dearmor.read_to_end(&mut bytes).map_err(|error| format!("holds armor that cannot be read: {error}"))?;
    if dearmor.typ != Some(kind) {
        return Err("holds a block of another kind".to_owned());
    }
    let packets: Result<Vec<_>, _> = PacketParser::new(bytes.as_slice()).collect();
    packets.map_err(|error| format!("holds what cannot be read: {error}"))
}

/// Who a signature says made it: key ids and fingerprints. Only where to look; the mathematics decides.
fn issuers(signature: &Signature) -> Vec<String> {
    let fingerprints = signature.issuer_fingerprint();
    if fingerprints.is_empty() {
        return signature.issuer_key_id().iter().map(|id| id.to_string().to_uppercase()).collect();
    }
    fingerprints.iter().map(|fingerprint| format!("{fingerprint:X}")).collect()
}

/// The digest of a signature, where it is a weak one.
fn weak_digest(signature: &Signature) -> Option<String> {
    match signature.hash_alg() {
        Some(
            HashAlgorithm::Sha256
            | HashAlgorithm::Sha384
            | HashAlgorithm::Sha512
            | HashAlgorithm::Sha3_256
            | HashAlgorithm::Sha3_512,
        ) => None,
        Some(digest) => Some(digest.to_string()),
        None => Some("a digest that is not known".to_owned()),
    }
}

/// What is weak in a key, where something is.
fn weakness(params: &PublicParams) -> Option<String> {
    match params {
        PublicParams::RSA(rsa) => {
            let bits = rsa::traits::PublicKeyParts::n(&rsa.key).bits();
            (bits < RSA_BITS).then(|| format!("an RSA key of {bits} bits"))
        }
        PublicParams::ECDSA(params) if params.is_supported() => None,
        PublicParams::EdDSALegacy(_) | PublicParams::Ed25519(_) | PublicParams::Ed448(_) => None,
        PublicParams::DSA(_) => Some("a DSA key".to_owned()),
        _ => Some("a key of a kind that does not sign, or is not known".to_owned()),
    }
}

/// Whether a signature asks that it be refused by who does not know a part of it.
fn has_unknown_demands(signature: &Signature) -> bool {
    let unknown = |data: &SubpacketData| {
        matches!(data, SubpacketData::Experimental(..) | SubpacketData::Other(..) | SubpacketData::Notation(_))
    };
    signature
        .config()
        .is_none_or(|config| config.hashed_subpackets().any(|packet| packet.is_critical && unknown(&packet.data)))
}

//! OpenPGP: keys, subkeys, expiry and revocation, by the real `gpg`.

use std::io::Read;
use std::process::Command;

use jiff::Timestamp;
use pgp::armor::Dearmor;
use pgp::composed::{Deserializable, SignedPublicKey, SignedPublicSubKey, SignedSecretKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{KeyFlags, Packet, PacketParser, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::ser::Serialize;
use pgp::types::{KeyDetails, Password};
use tandem::revision::signature::{Flaw, KeyFile, Refusal, Signer, Trust};

use super::{commit, hours, judged, row};
use crate::git_remote::{Repositories, WorkingCopy};
use crate::lab::run;
use crate::signing::{Keys, file, header, insert, try_piped, unsigned};

const ALICE: &str = "Alice <alice@example.com>";

fn public(keys: &Keys, name: &str) -> KeyFile {
    file("alice.asc", keys.pgp_public(name))
}

/// A commit that git has signed by this key.
fn signed_by(keys: &Keys, copy: &WorkingCopy, key: &str) -> Vec<u8> {
    keys.use_pgp(copy, key);
    commit(copy)
}

/// Answers what `gpg --edit-key` and its like ask.
fn answers(command: &mut Command, lines: &str) {
    try_piped(command, lines.as_bytes()).unwrap_or_else(|words| panic!("{words}"));
}

/// gpg that asks, where the one for everything else never does.
fn asking(keys: &Keys) -> Command {
    let mut command = Command::new(keys.home().join("gpg"));
    command.args(["--no-tty", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""]);
    command.args(["--command-fd", "0", "--status-fd", "2"]);
    command
}

#[test]
fn openpgp_keys_of_every_kind_sign_and_weak_ones_do_not() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let made = |name: &str, kind: &str| keys.pgp(name, kind, "sign", "never", &[]);
    let by = |key: &str| judged(&signed_by(&keys, &copy, key), &[public(&keys, key)], Timestamp::now());
    for kind in ["ed25519", "nistp256", "nistp384", "nistp521", "rsa2048"] {
        let name = format!("{kind} <{kind}@example.com>");
        let key = made(&name, kind);
        let signer = by(&key).unwrap_or_else(|refusal| panic!("{kind}: {refusal}"));
        assert_eq!((signer.key, signer.name), (key, name), "{kind}");
    }
    let good = made("good", "rsa2048");
    row("a short RSA key", Flaw::KeyWeak, by(&made("short", "rsa1024")), by(&good));
    row("a DSA key", Flaw::KeyWeak, by(&made("dsa", "dsa2048")), by(&good));

    let plain = unsigned(&signed_by(&keys, &copy, &good));
    let of = |signers: &[&str], options: &[&str]| {
        let signature = keys.pgp_signs(signers, options, &plain);
        judged(&insert(&plain, "\n", &header(&signature)), &[public(&keys, &good)], Timestamp::now())
    };
    let honest = || of(&[&good], &["--digest-algo", "SHA256"]);
    for digest in ["SHA1", "RIPEMD160"] {
        let options = ["--allow-weak-digest-algos", "--digest-algo", digest];
        row(digest, Flaw::KeyWeak, of(&[&good], &options), honest());
    }
    row(
        "two signers in one signature",
        Flaw::SignatureDuplicated,
        of(&[&good, &made("other", "ed25519")], &[]),
        honest(),
    );
    row("a signature of a text", Flaw::SignatureUnsupported, of(&[&good], &["--textmode"]), honest());
    row(
        "a demand that is not known",
        Flaw::SignatureUnsupported,
        of(&[&good], &["--sig-notation", "!x@example.com=y"]),
        of(&[&good], &["--sig-notation", "x@example.com=y"]),
    );
    row("an unlisted key", Flaw::SignerUnknown, of(&[&made("eve", "ed25519")], &[]), honest());
    let signature = keys.pgp_signs(&[&good], &[], b"something else");
    let taken = judged(&insert(&plain, "\n", &header(&signature)), &[public(&keys, &good)], Timestamp::now());
    row("a signature of something else", Flaw::SignatureInvalid, taken, honest());
}

#[test]
fn openpgp_keys_count_while_they_are_valid_whatever_a_commit_claims() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let key = keys.pgp(ALICE, "ed25519", "sign", "1d", &[]);
    let signed = signed_by(&keys, &copy, &key);
    let at = |hours_: i64| judged(&signed, &[public(&keys, &key)], hours(hours_));
    row("an expired key", Flaw::SignerExpired, at(25), at(23));
    row("a key of later", Flaw::SignerNotYetValid, at(-2), at(1));
    run(keys.gpg().args(["--quick-set-expire", &key, "2y"]));
    at(24 * 30).expect("the newest word of its owner counts, and it is extended");

    // Long gone, and its holder sets the clock back to sign.
    let past = ["--faked-system-time", "20180101T000000"];
    let old = keys.pgp("Old <old@example.com>", "ed25519", "sign", "1y", &past);
    let plain = unsigned(&signed);
    let signature = keys.pgp_signs(&[&old], &["--faked-system-time", "20180601T000000"], &plain);
    let backdated = insert(&plain, "\n", &header(&signature));
    let of = |now: Timestamp| judged(&backdated, &[public(&keys, &old)], now);
    let then: Timestamp = "2018-07-01T00:00:00Z".parse().expect("a time");
    row("a backdated signature", Flaw::SignerExpired, of(Timestamp::now()), of(then));

    // A signature that ends by its own word.
    let brief = keys.pgp_signs(&[&key], &["--default-sig-expire", "1d"], &plain);
    let brief = insert(&plain, "\n", &header(&brief));
    let of = |hours_: i64| judged(&brief, &[public(&keys, &key)], hours(hours_));
    row("a signature that is over", Flaw::SignatureExpired, of(25), of(23));

    // And one that claims to be older than its key.
    let early = keys.pgp_signs(&[&key], &["--faked-system-time", "20180601T000000", "--ignore-time-conflict"], &plain);
    let early = insert(&plain, "\n", &header(&early));
    row(
        "a signature older than its key",
        Flaw::SignatureInvalid,
        judged(&early, &[public(&keys, &key)], Timestamp::now()),
        at(1),
    );
}

#[test]
fn revoked_openpgp_keys_count_no_more_wherever_the_revocation_stands() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let key = keys.pgp(ALICE, "ed25519", "sign", "never", &[]);
    let signed = signed_by(&keys, &copy, &key);
    let before = public(&keys, &key);
    let honest = || judged(&signed, std::slice::from_ref(&before), Timestamp::now());
    let mut generate = asking(&keys);
    generate.args(["--armor", "--output"]).arg(keys.home().join("revocation")).args(["--gen-revoke", &key]);
    // Superseded: with OpenPGP's soft reasons, too, nothing new is signed.
    answers(&mut generate, "y\n2\n\ny\n");
    let revocation = std::fs::read_to_string(keys.home().join("revocation")).expect("a revocation");
    let beside = [before.clone(), file("revoked.asc", revocation.clone())];
    row("a revocation in a file of its own", Flaw::SignerRevoked, judged(&signed, &beside, Timestamp::now()), honest());
    let one = [file("alice.asc", format!("{}\n{revocation}", before.text))];
    row("a revocation in the same file", Flaw::SignerRevoked, judged(&signed, &one, Timestamp::now()), honest());
    try_piped(keys.gpg().arg("--import"), revocation.as_bytes()).expect("imported");
    let within = [public(&keys, &key)];
    row("a revoked key", Flaw::SignerRevoked, judged(&signed, &within, Timestamp::now()), honest());
    let other = keys.pgp("other", "ed25519", "sign", "never", &[]);
    let stray = Trust::read(&[public(&keys, &other), file("revoked.asc", revocation)]).expect_err("of no listed key");
    assert!(stray.to_string().contains("is of none of the keys"), "{stray}");
}

/// What a key is for may change, and the newest word of it counts.
#[test]
fn a_key_that_is_not_for_signing_any_more_signs_nothing() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let changed = |key: &str, signer: &str, commands: &str| {
        let signed = signed_by(&keys, &copy, signer);
        let before = public(&keys, key);
        let mut edit = asking(&keys);
        edit.args(["--edit-key", key]);
        answers(&mut edit, commands);
        let after = public(&keys, key);
        assert_ne!(before.text, after.text);
        let of = |file: &KeyFile| judged(&signed, std::slice::from_ref(file), Timestamp::now());
        row(signer, Flaw::SignerNotAllowed, of(&after), of(&before));
    };
    let key = keys.pgp(ALICE, "ed25519", "sign", "never", &[]);
    changed(&key, &key, "change-usage\ns\nq\nsave\n");
    let primary = keys.pgp("Bob <bob@example.com>", "ed25519", "cert", "never", &[]);
    run(keys.gpg().args(["--quick-add-key", &primary, "ed25519", "sign", "never"]));
    let subkey = keys.fingerprints(&primary)[1].clone();
    changed(&primary, &subkey, "key 1\nchange-usage\ns\na\nq\nsave\n");
}

#[test]
fn openpgp_subkeys_count_by_their_binding_their_flags_and_their_own_end() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let primary = keys.pgp(ALICE, "ed25519", "cert", "never", &[]);
    for (kind, usage, expires) in [
        ("ed25519", "sign", "never"),
        ("ed25519", "sign", "1d"),
        ("rsa1024", "sign", "never"),
        ("ed25519", "auth", "never"),
    ] {
        run(keys.gpg().args(["--quick-add-key", &primary, kind, usage, expires]));
    }
    let all = keys.fingerprints(&primary);
    let [_, lasting, brief, weak, _] = &all[..] else { panic!("{all:?}") };
    let by = |key: &str, now: Timestamp| -> Result<Signer, Refusal> {
        judged(&signed_by(&keys, &copy, key), &[public(&keys, &primary)], now)
    };
    let honest = || by(lasting, Timestamp::now());
    assert_eq!(honest().expect("a subkey").key, *lasting);
    row("an expired subkey", Flaw::SignerExpired, by(brief, hours(25)), by(brief, hours(23)));
    row("a weak subkey", Flaw::KeyWeak, by(weak, Timestamp::now()), honest());

    let signed = signed_by(&keys, &copy, lasting);
    let exported = public(&keys, &primary);
    let of = |file: &KeyFile| judged(&signed, std::slice::from_ref(file), Timestamp::now());
    of(&exported).expect("bound");
    // Somebody else's key, with Alice's subkey claimed as its own.
    let eve = keys.pgp("Eve <eve@example.com>", "ed25519", "cert", "never", &[]);
    for answered in [false, true] {
        let claimed = claim(&keys, &eve, &primary, lasting, answered);
        row("a subkey of somebody else", Flaw::SignerNotAllowed, of(&file("eve.asc", claimed)), of(&exported));
    }

    let mut revoke = asking(&keys);
    revoke.args(["--edit-key", &primary]);
    answers(&mut revoke, "key 1\nrevkey\ny\n0\n\ny\nsave\n");
    row("a revoked subkey", Flaw::SignerRevoked, of(&public(&keys, &primary)), of(&exported));
}

#[test]
fn a_subkey_ends_with_its_key_and_a_key_must_vouch_for_itself() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let primary = keys.pgp(ALICE, "ed25519", "cert", "1d", &[]);
    run(keys.gpg().args(["--quick-add-key", &primary, "ed25519", "sign", "never"]));
    let subkey = keys.fingerprints(&primary)[1].clone();
    let signed = signed_by(&keys, &copy, &subkey);
    let at = |hours_| judged(&signed, &[public(&keys, &primary)], hours(hours_));
    row("a subkey of an expired key", Flaw::SignerExpired, at(25), at(23));

    let weakly = ["--allow-weak-digest-algos", "--cert-digest-algo", "SHA1"];
    let weak = keys.pgp("weak", "rsa2048", "sign", "never", &weakly);
    let strong = keys.pgp("strong", "rsa2048", "sign", "never", &[]);
    let by = |key: &str| judged(&signed_by(&keys, &copy, key), &[public(&keys, key)], Timestamp::now());
    row("a key that vouches for itself over SHA-1", Flaw::KeyWeak, by(&weak), by(&strong));

    // Without the word of its owner a key is only a number.
    let packets: Vec<Packet> = packets(&keys.pgp_public(&strong));
    let without = packets.iter().filter(|packet| !matches!(packet, Packet::Signature(_))).cloned().collect::<Vec<_>>();
    let signed = signed_by(&keys, &copy, &strong);
    let of = |packets: &[Packet]| judged(&signed, &[file("a.asc", armored(packets))], Timestamp::now());
    row("a key without a self-signature", Flaw::SignerNotAllowed, of(&without), of(&packets));
}

/// The packets of an armored key.
fn packets(armored: &str) -> Vec<Packet> {
    let mut bytes = Vec::new();
    Dearmor::new(armored.as_bytes()).read_to_end(&mut bytes).expect("armor");
    PacketParser::new(bytes.as_slice()).collect::<Result<_, _>>().expect("packets")
}

/// Packets as an armored key.
fn armored(packets: &[Packet]) -> String {
    let mut bytes = Vec::new();
    packets.iter().for_each(|packet| packet.to_writer(&mut bytes).expect("written"));
    let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    let lines: Vec<&str> = body.as_bytes().chunks(64).map(|c| std::str::from_utf8(c).expect("text")).collect();
    format!("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{}\n-----END PGP PUBLIC KEY BLOCK-----\n", lines.join("\n"))
}

/// Eve's key with a subkey of Alice's bound to it: in Eve's own words, which the subkey has not answered; the answer that
/// it gave to Alice's key is put in, where there is one.
fn claim(keys: &Keys, eve: &str, alice: &str, subkey: &str, answered: bool) -> String {
    let secret = run(keys.gpg().args(["--armor", "--export-secret-keys", eve]));
    let (secret, _) = SignedSecretKey::from_string(&secret).expect("Eve's key");
    let (alice, _) = SignedPublicKey::from_string(&keys.pgp_public(alice)).expect("Alice's key");
    let named = |key: &&SignedPublicSubKey| format!("{:X}", key.key.fingerprint()) == subkey;
    let subkey = alice.public_subkeys.iter().find(named).expect("Alice's subkey");
    let mut flags = KeyFlags::default();
    flags.set_sign(true);
    let mut config = SignatureConfig::v4(SignatureType::SubkeyBinding, secret.algorithm(), HashAlgorithm::Sha256);
    let mut parts = vec![
        SubpacketData::SignatureCreationTime(pgp::types::Timestamp::now()),
        SubpacketData::KeyFlags(flags),
        SubpacketData::IssuerFingerprint(secret.fingerprint()),
    ];
    if answered {
        let back = subkey.signatures[0].embedded_signature().expect("an answer");
        parts.push(SubpacketData::EmbeddedSignature(Box::new(back.clone())));
    }
    config.hashed_subpackets = parts.into_iter().map(|data| Subpacket::regular(data).expect("a part")).collect();
    let primary = &secret.primary_key;
    let binding = config.sign_subkey_binding(primary, primary.public_key(), &Password::empty(), &subkey.key);
    let mut all = packets(&keys.pgp_public(eve));
    all.push(subkey.key.clone().into());
    all.push(binding.expect("bound").into());
    armored(&all)
}

//! Signatures of commits and tags, made by the real `git`, `ssh-keygen` and `gpg`: a table of attacks, where each row
//! is carried by a signature that is right in all but the one thing, and has a twin that is honest in that, too.

mod openpgp;

use jiff::{SignedDuration, Timestamp};
use tandem::revision::signature::{Flaw, KeyFile, Refusal, Signer, Trust, judge_commit, judge_tag};

use crate::git_remote::{Repositories, WorkingCopy};
use crate::lab::{both, tandem};
use crate::signing::{Keys, SshKey, file, header, insert, raw, sign, unsigned, write};

/// The commit at HEAD.
fn head(copy: &WorkingCopy) -> (String, Vec<u8>) {
    let id = copy.git(&["rev-parse", "HEAD"]);
    let bytes = raw(copy, "commit", &id);
    (id, bytes)
}

/// An empty commit, signed as the working copy is told to.
fn commit(copy: &WorkingCopy) -> Vec<u8> {
    copy.commit("a change", &[]);
    head(copy).1
}

fn trust(files: &[KeyFile]) -> Trust {
    Trust::read(files).expect("keys")
}

/// A line of `allowed_signers`.
fn line(options: &str, key: &SshKey) -> KeyFile {
    file("allowed_signers", format!("# who may\nalice@example.com {options} {}\n", key.public))
}

fn judged(raw: &[u8], files: &[KeyFile], now: Timestamp) -> Result<Signer, Refusal> {
    judge_commit(&"c".repeat(40), raw, &trust(files), now)
}

/// Holds that an attack has this flaw, and that its twin passes.
fn row(name: &str, flaw: Flaw, attack: Result<Signer, Refusal>, twin: Result<Signer, Refusal>) {
    let refusal = attack.expect_err(name);
    assert_eq!(refusal.flaw, flaw, "{name}: {refusal}");
    assert!(refusal.to_string().contains("hint: "), "{name}: {refusal}");
    twin.unwrap_or_else(|refusal| panic!("the honest twin of {name}: {refusal}"));
}

fn hours(hours: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(hours)
}

/// `YYYYMMDDHHMMSS`, so many hours from now.
fn written(at: i64) -> String {
    hours(at).strftime("%Y%m%d%H%M%S").to_string()
}

#[test]
fn ssh_keys_of_every_kind_sign_and_weak_ones_do_not() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let good: [(&str, &[&str]); 5] = [
        ("ed25519", &["-t", "ed25519"]),
        ("p256", &["-t", "ecdsa", "-b", "256"]),
        ("p384", &["-t", "ecdsa", "-b", "384"]),
        ("p521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
    ];
    for (name, kind) in good {
        let key = keys.ssh(name, kind);
        keys.use_ssh(&copy, &key);
        let signed = commit(&copy);
        for files in [vec![file(&format!("{name}.pub"), key.public.clone())], vec![line("", &key)]] {
            let signer =
                judged(&signed, &files, Timestamp::now()).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
            assert!(signer.key.starts_with("SHA256:"), "{signer}");
            assert!([name, "alice@example.com"].contains(&signer.name.as_str()), "{signer}");
        }
    }
    let (weak, strong) =
        (keys.ssh("weak", &["-t", "rsa", "-b", "1024"]), keys.ssh("strong", &["-t", "rsa", "-b", "3072"]));
    let by = |key: &SshKey| {
        keys.use_ssh(&copy, key);
        judged(&commit(&copy), &[line("", key)], Timestamp::now())
    };
    row("a short RSA key", Flaw::KeyWeak, by(&weak), by(&strong));
}

#[test]
fn what_allowed_signers_says_is_held_to_as_ssh_keygen_does() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let (alice, eve) = (keys.ssh("alice", &["-t", "ed25519"]), keys.ssh("eve", &["-t", "ed25519"]));
    keys.use_ssh(&copy, &alice);
    let honest = commit(&copy);
    let payload = unsigned(&honest);
    let now = Timestamp::now();
    let with = |options: &str| judged(&honest, &[line(options, &alice)], now);
    row("an unlisted key", Flaw::SignerUnknown, judged(&honest, &[line("", &eve)], now), with(""));
    row(
        "a key for other namespaces",
        Flaw::NamespaceMismatch,
        with("namespaces=\"file,email\""),
        with("namespaces=\"file,git\""),
    );
    let (past, future) = (written(-2), written(2));
    let before = |at: &str| with(&format!("valid-before=\"{at}Z\""));
    row("an expired key", Flaw::SignerExpired, before(&past), before(&future));
    let after = |at: &str| with(&format!("valid-after=\"{at}Z\""));
    row("a key that is not valid yet", Flaw::SignerNotYetValid, after(&future), after(&past));
    let revoked = |key: &SshKey| judged(&honest, &[line("", &alice), file("revoked_keys", key.public.clone())], now);
    row("a revoked key", Flaw::SignerRevoked, revoked(&alice), revoked(&eve));
    row("a key that only certifies others", Flaw::SignerUnknown, with("cert-authority"), with(""));
    // A second line for the same key counts where the first does not.
    let two = format!("a valid-before=\"{past}Z\" {0}\n\"b,c\" namespaces=\"git\" {0}\n", alice.public);
    assert_eq!(judged(&honest, &[file("allowed_signers", two)], now).expect("the second line").name, "b,c");

    let for_file = keys.ssh_signs(&alice, "file", &payload);
    let for_git = keys.ssh_signs(&alice, "git", &payload);
    let of = |signature: &str| judged(&insert(&payload, "\n", &header(signature)), &[line("", &alice)], now);
    row("a signature for another namespace", Flaw::NamespaceMismatch, of(&for_file), of(&for_git));

    // The real program says the same of each line.
    let signature = keys.ssh_signs(&alice, "git", &payload);
    for options in [
        String::new(),
        "namespaces=\"file\"".to_owned(),
        "namespaces=\"*\"".to_owned(),
        "namespaces=\"!git,*\"".to_owned(),
        "cert-authority".to_owned(),
        format!("valid-before=\"{past}\""),
        format!("valid-before=\"{future}\""),
        format!("valid-after=\"{past}\",valid-before=\"{future}\""),
        format!("valid-after=\"{future}\""),
        format!("namespaces=\"git\",valid-after=\"{}\"", &past[..8]),
    ] {
        let lines = format!("alice@example.com {options} {}\n", alice.public);
        let theirs = keys.ssh_verifies(&lines, "alice@example.com", &signature, &payload, &written(0));
        assert_eq!(with(&options).is_ok(), theirs, "{options}");
    }
}

/// "Backdated": validity is judged when a commit is first seen, whatever the commit claims.
#[test]
fn a_commit_that_claims_to_be_older_than_the_end_of_its_key_is_refused() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let alice = keys.ssh("alice", &["-t", "ed25519"]);
    keys.use_ssh(&copy, &alice);
    copy.git(&["-c", "user.useConfigOnly=false", "commit", "-q", "--allow-empty", "-m", "now"]);
    let (_, now_dated) = head(&copy);
    let text = String::from_utf8(unsigned(&now_dated)).expect("text");
    let stamp = Timestamp::now().as_second().to_string();
    let old = text.replace(&stamp[..7], "1500000");
    assert_ne!(text, old);
    let signature = keys.ssh_signs(&alice, "git", old.as_bytes());
    let backdated = insert(old.as_bytes(), "\n", &header(&signature));
    let key = line("valid-after=\"20170101\",valid-before=\"20200101\"", &alice);
    let then: Timestamp = "2018-01-01T00:00:00Z".parse().expect("a time");
    row(
        "a backdated commit",
        Flaw::SignerExpired,
        judged(&backdated, std::slice::from_ref(&key), Timestamp::now()),
        judged(&backdated, &[key], then),
    );
}

#[test]
fn ssh_certificates_count_by_their_authority_their_time_and_whom_they_name() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let (authority, other) = (keys.ssh("ca", &["-t", "ed25519"]), keys.ssh("other", &["-t", "ed25519"]));
    let (ecdsa, rsa) = (keys.ssh("ca256", &["-t", "ecdsa"]), keys.ssh("ca-rsa", &["-t", "rsa", "-b", "3072"]));
    let key = keys.ssh("alice", &["-t", "ed25519"]);
    let rsa_key = keys.ssh("alice-rsa", &["-t", "rsa", "-b", "3072"]);
    let now = Timestamp::now();
    let ca = |principals: &str, key: &SshKey| {
        file("allowed_signers", format!("{principals} cert-authority,namespaces=\"git\" {}\n", key.public))
    };
    let by = |signing: &SshKey| {
        keys.use_ssh(&copy, signing);
        commit(&copy)
    };
    let named = ["-n", "alice@example.com,alice"];
    let signing = keys.certified(&authority, &key, "honest", &named);
    let honest = by(&signing);
    let listed = ca("*@example.com", &authority);
    let honestly = || judged(&honest, std::slice::from_ref(&listed), now);
    assert_eq!(honestly().expect("certified").name, "alice@example.com");
    for (name, authority, key) in [("p256", &ecdsa, &key), ("rsa", &rsa, &key), ("rsa key", &authority, &rsa_key)] {
        let signed = by(&keys.certified(authority, key, &format!("by {name}"), &named));
        judged(&signed, &[ca("*", authority)], now).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
    }

    let of = |name: &str, options: &[&str]| {
        let signed = by(&keys.certified(&authority, &key, name, &[&named[..], options].concat()));
        judged(&signed, std::slice::from_ref(&listed), now)
    };
    row(
        "an expired certificate",
        Flaw::SignerExpired,
        of("expired", &["-V", "20200101:20210101"]),
        of("lasting", &["-V", "-1d:+1d"]),
    );
    row("a certificate of later", Flaw::SignerNotYetValid, of("later", &["-V", "+1d:+2d"]), honestly());
    row("a certificate of a host", Flaw::SignerNotAllowed, of("host", &["-h"]), honestly());
    row("a certificate with limits", Flaw::SignerNotAllowed, of("limited", &["-O", "force-command=true"]), honestly());
    row("an unlisted authority", Flaw::SignerUnknown, judged(&honest, &[ca("*", &other)], now), honestly());
    row(
        "an authority for others",
        Flaw::SignerNotAllowed,
        judged(&honest, &[ca("bob@example.com", &authority)], now),
        honestly(),
    );
    row(
        "an authority listed as a person",
        Flaw::SignerUnknown,
        judged(&honest, &[line("", &authority)], now),
        honestly(),
    );
    row(
        "a certified key listed as a plain one",
        Flaw::SignerUnknown,
        judged(&honest, &[line("", &key)], now),
        honestly(),
    );
    let revoked = |key: &SshKey| judged(&honest, &[listed.clone(), file("revoked_keys", key.public.clone())], now);
    row("a revoked key with a certificate", Flaw::SignerRevoked, revoked(&key), revoked(&other));
    row("a revoked authority", Flaw::SignerRevoked, revoked(&authority), revoked(&other));
    row(
        "an authority that signs itself",
        Flaw::SignerUnknown,
        judged(&by(&authority), &[ca("*", &authority)], now),
        honestly(),
    );
    let unnamed = by(&keys.certified(&authority, &key, "unnamed", &[]));
    row("a certificate for anybody", Flaw::SignerNotAllowed, judged(&unnamed, &[ca("*", &authority)], now), honestly());
    // Bytes that the authority has not signed: another principal in the same certificate.
    let forged = {
        let payload = unsigned(&honest);
        let signature = keys.ssh_signs(&signing, "git", &payload);
        let body: String = signature.lines().filter(|line| !line.starts_with("-----")).collect();
        let mut bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).expect("base64");
        let at = bytes.windows(17).position(|window| window == b"alice@example.com").expect("the principal");
        bytes[at..at + 5].copy_from_slice(b"mallo");
        let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
        let signature = format!("-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n");
        insert(&payload, "\n", &header(&signature))
    };
    row(
        "a changed certificate",
        Flaw::SignatureInvalid,
        judged(&forged, std::slice::from_ref(&listed), now),
        honestly(),
    );
}

/// A security key is not at hand, so its part is played by a key in software; the real `ssh-keygen` is the witness
/// that it is played right.
#[test]
fn hardware_keys_sign() {
    use signature::Signer as _;
    let keys = Keys::new();
    let put = |to: &mut Vec<u8>, bytes: &[u8]| {
        to.extend_from_slice(&u32::try_from(bytes.len()).expect("short").to_be_bytes());
        to.extend_from_slice(bytes);
    };
    let pair = ssh_key::private::Ed25519Keypair::from_seed(&[7; 32]);
    let mut public = Vec::new();
    for part in [&b"sk-ssh-ed25519@openssh.com"[..], &pair.public.0, b"ssh:"] {
        put(&mut public, part);
    }
    let payload =
        b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n";
    let signed_with = |flags: u8, payload: &[u8]| {
        let data = ssh_key::SshSig::signed_data("git", ssh_key::HashAlg::Sha512, payload).expect("data");
        let message = [&sha256(b"ssh:")[..], &[flags], &5_u32.to_be_bytes(), &sha256(&data)].concat();
        let mut inner = Vec::new();
        put(&mut inner, b"sk-ssh-ed25519@openssh.com");
        put(&mut inner, pair.sign(&message).as_bytes());
        inner.push(flags);
        inner.extend_from_slice(&5_u32.to_be_bytes());
        let mut whole = b"SSHSIG\0\0\0\x01".to_vec();
        for part in [&public[..], b"git", b"", b"sha512", &inner[..]] {
            put(&mut whole, part);
        }
        let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, whole);
        let lines: Vec<&str> = body.as_bytes().chunks(70).map(|c| std::str::from_utf8(c).expect("text")).collect();
        format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"))
    };
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &public);
    let lines = format!("alice sk-ssh-ed25519@openssh.com {key}\n");
    let (good, other) = (signed_with(1, payload), signed_with(1, b"something else"));
    assert!(keys.ssh_verifies(&lines, "alice", &good, payload, &written(0)), "ssh-keygen takes it");
    assert!(!keys.ssh_verifies(&lines, "alice", &other, payload, &written(0)));
    let of = |signature: &str| {
        judged(&insert(payload, "\n", &header(signature)), &[file("allowed_signers", lines.clone())], Timestamp::now())
    };
    row("a signature of a security key over something else", Flaw::SignatureInvalid, of(&other), of(&good));
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).to_vec()
}

#[test]
fn commits_that_two_readers_may_read_in_two_ways_are_refused() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let (alice, eve) = (keys.ssh("alice", &["-t", "ed25519"]), keys.ssh("eve", &["-t", "ed25519"]));
    keys.use_ssh(&copy, &alice);
    let signed = commit(&copy);
    let plain = unsigned(&signed);
    let now = Timestamp::now();
    let judge = |raw: &[u8]| judged(raw, &[line("", &alice)], now);
    // Signed by Alice, whatever is in it.
    let by_alice = |payload: &[u8]| insert(payload, "\n", &header(&keys.ssh_signs(&alice, "git", payload)));
    let honest = || judge(&by_alice(&plain));
    row("an unsigned commit", Flaw::SignatureMissing, judge(&plain), judge(&signed));
    let hers = header(&keys.ssh_signs(&eve, "git", &plain));
    for (name, raw) in [
        ("a second signature, after", insert(&by_alice(&plain), "\n", &hers)),
        ("a second signature, before", insert(&by_alice(&plain), "gpgsig", &hers)),
    ] {
        row(name, Flaw::SignatureDuplicated, judge(&raw), honest());
    }
    for (name, before, what) in [
        ("another kind of signature", "\n", &b"gpgsig-sha256 x\n"[..]),
        ("what looks like a signature", "\n", b"GPGSIG x\n"),
        ("a second tree", "author", b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"),
        ("a second author", "committer", b"author Eve <eve@example.com> 1 +0000\n"),
        ("a second committer", "\n", b"committer Eve <eve@example.com> 1 +0000\n"),
        ("a late parent", "\n", b"parent 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"),
        ("a parent that is no id", "author", b"parent main\n"),
        ("what looks like a parent", "\n", b"Parent 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"),
        ("a header before git's", "tree", b"x y\n"),
        ("a continued tree", "author", b" x\n"),
        ("a header without a value", "\n", b"x\n"),
        ("two encodings", "\n", b"encoding UTF-8\nencoding UTF-16\n"),
    ] {
        row(name, Flaw::ObjectForged, judge(&by_alice(&insert(&plain, before, what))), honest());
    }
    let after = insert(&plain, "\n", b"x y\n");
    let signature = header(&keys.ssh_signs(&alice, "git", &after));
    row(
        "a header after the signature",
        Flaw::ObjectForged,
        judge(&insert(&after, "x y", &signature)),
        judge(&by_alice(&after)),
    );
    let hidden = [&plain[..], b"\0what git does not show\n"].concat();
    row("a NUL byte", Flaw::ObjectForged, judge(&by_alice(&hidden)), honest());
    for header in ["tree", "author", "committer"] {
        let text = String::from_utf8(plain.clone()).expect("text");
        let line = text.lines().find(|line| line.starts_with(header)).expect(header);
        let without = text.replacen(&format!("{line}\n"), "", 1);
        row(&format!("no {header}"), Flaw::ObjectForged, judge(&by_alice(without.as_bytes())), honest());
    }
    // Honest, though seldom: an encoding, and headers of other programs before the signature.
    for what in [&b"encoding ISO-8859-1\n"[..], b"change-id xyz\n", b"HG:extra a:b\n c\n"] {
        judge(&by_alice(&insert(&plain, "\n", what))).expect("an honest header");
    }

    let changed = String::from_utf8(signed.clone()).expect("text").replace("a change", "b change");
    row("a changed message", Flaw::SignatureInvalid, judge(changed.as_bytes()), judge(&signed));
    let other = [&plain[..], b"more\n"].concat();
    let taken = insert(&other, "\n", &header(&keys.ssh_signs(&alice, "git", &plain)));
    row("a signature of another commit", Flaw::SignatureInvalid, judge(&taken), judge(&by_alice(&other)));
    let good = keys.ssh_signs(&alice, "git", &plain);
    let with = |signature: &str| judge(&insert(&plain, "\n", &header(signature)));
    row("words after the signature", Flaw::SignatureMalformed, with(&format!("{good}more\n")), with(&good));
    row("two blocks in one header", Flaw::SignatureDuplicated, with(&format!("{good}{good}")), with(&good));
    row("no end", Flaw::SignatureMalformed, with(good.rsplit_once("-----END").expect("an end").0), with(&good));
    row("no signature at all", Flaw::SignatureMalformed, with("yes"), with(&good));
    row("no base64", Flaw::SignatureMalformed, with(&good.replacen("U1NIU0lH", "!!!!!!!!", 1)), with(&good));
    let x509 = good.replace("SSH SIGNATURE", "SIGNED MESSAGE");
    row("an X.509 signature", Flaw::SignatureUnsupported, with(&x509), with(&good));
    // Every bit of the signature counts, and nothing panics.
    let body = good.lines().nth(2).expect("base64");
    for at in 0..body.len() {
        let mut wrong = body.to_owned();
        let swapped = if &body[at..=at] == "A" { "B" } else { "A" };
        wrong.replace_range(at..=at, swapped);
        with(&good.replacen(body, &wrong, 1)).expect_err("a changed signature");
    }
}

#[test]
fn a_merged_tag_inside_a_commit_is_refused_and_its_commit_can_be_merged() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let alice = keys.ssh("alice", &["-t", "ed25519"]);
    keys.use_ssh(&copy, &alice);
    copy.commit("one", &[]);
    copy.git(&["checkout", "-q", "-b", "side"]);
    copy.commit("two", &[]);
    copy.git(&["tag", "-s", "-m", "v1", "v1"]);
    copy.git(&["checkout", "-q", "main"]);
    let merged = |what: &str| {
        copy.git(&["merge", "-q", "--no-ff", "-m", "merge", what]);
        let merge = head(&copy).1;
        copy.git(&["reset", "-q", "--hard", "HEAD^"]);
        judged(&merge, &[line("", &alice)], Timestamp::now())
    };
    row("a merged tag", Flaw::MergeTag, merged("v1"), merged("v1^{commit}"));
}

#[test]
fn tags_count_under_their_own_names_on_their_own_commits() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let alice = keys.ssh("alice", &["-t", "ed25519"]);
    keys.use_ssh(&copy, &alice);
    sign(&copy, false);
    copy.commit("one", &[]);
    let (first, _) = head(&copy);
    copy.commit("two", &[]);
    let (second, _) = head(&copy);
    copy.git(&["tag", "-s", "-m", "first", "v1", &first]);
    copy.git(&["tag", "-a", "-m", "unsigned", "v2", &second]);
    copy.git(&["tag", "-s", "-m", "nested", "v3", "v1"]);
    let tag = |name: &str| raw(&copy, "tag", &format!("refs/tags/{name}"));
    let trust = trust(&[line("", &alice)]);
    let judge = |name: &str, commit: &str, raw: &[u8]| judge_tag(name, commit, raw, &trust, Timestamp::now());
    let honest = || judge("v1", &first, &tag("v1"));
    row("an unsigned tag", Flaw::SignatureMissing, judge("v2", &second, &tag("v2")), honest());
    row("a tag under another name", Flaw::TagMismatch, judge("v9", &first, &tag("v1")), honest());
    row("a tag on another commit", Flaw::TagMismatch, judge("v1", &second, &tag("v1")), honest());
    row("a tag of a tag", Flaw::TagMismatch, judge("v3", &first, &tag("v3")), honest());
    let plain = {
        let whole = tag("v1");
        let at = whole.windows(10).position(|window| window == b"-----BEGIN").expect("a signature");
        whole[..at].to_vec()
    };
    let by_alice = |payload: &[u8]| [payload, keys.ssh_signs(&alice, "git", payload).as_bytes()].concat();
    let twice = by_alice(&by_alice(&plain));
    row(
        "two signatures",
        Flaw::SignatureDuplicated,
        judge("v1", &first, &twice),
        judge("v1", &first, &by_alice(&plain)),
    );
    for (name, before, what) in [
        ("a signature in a header", "\n", &b"gpgsig x\n"[..]),
        ("another kind of signature", "\n", b"gpgsig-sha256 x\n"),
        ("a second name", "tagger", b"tag v9\n"),
        ("a second commit", "type", b"object 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"),
    ] {
        row(name, Flaw::ObjectForged, judge("v1", &first, &by_alice(&insert(&plain, before, what))), honest());
    }
    let changed = String::from_utf8(tag("v1")).expect("text").replace("first", "worst");
    row("a changed message", Flaw::SignatureInvalid, judge("v1", &first, changed.as_bytes()), honest());
    let more = [&tag("v1")[..], b"more\n"].concat();
    row("words after the signature", Flaw::SignatureMalformed, judge("v1", &first, &more), honest());

    // OpenPGP signs tags in the same place.
    let fingerprint = keys.pgp("Alice <alice@example.com>", "ed25519", "sign", "never", &[]);
    keys.use_pgp(&copy, &fingerprint);
    copy.git(&["tag", "-s", "-m", "by gpg", "v4", &first]);
    let files = [file("alice.asc", keys.pgp_public(&fingerprint))];
    let pgp = Trust::read(&files).expect("keys");
    judge_tag("v4", &first, &tag("v4"), &pgp, Timestamp::now()).expect("signed");
    let id = write(&copy, "tag", &twice);
    assert_eq!(id.len(), 40);
}

#[test]
fn files_of_keys_that_cannot_be_read_to_their_end_are_refused() {
    let keys = Keys::new();
    let alice = keys.ssh("alice", &["-t", "ed25519"]);
    let key = &alice.public;
    let fingerprint = keys.pgp("Alice <alice@example.com>", "ed25519", "sign", "never", &[]);
    let public = keys.pgp_public(&fingerprint);
    let secret = crate::lab::run(keys.gpg().args(["--armor", "--export-secret-keys", &fingerprint]));
    for (files, words) in [
        (vec![], "there is no key that may sign"),
        (vec![file("revoked_keys", key.clone())], "there is no key that may sign"),
        (vec![file("alice", key.clone())], "alice: is no file of keys"),
        (vec![file("allowed_signers", format!("# x\n\n{key}\n"))], "allowed_signers:3:"),
        (vec![file("allowed_signers", format!("a no-such-option {key}\n"))], "has the option \"no-such-option\""),
        (vec![file("allowed_signers", format!("a namespaces=git {key}\n"))], "without quotation marks"),
        (vec![file("allowed_signers", format!("a valid-before=\"soon\" {key}\n"))], "has the time \"soon\""),
        (vec![file("allowed_signers", format!("a valid-before=\"20201301\" {key}\n"))], "has the time"),
        (vec![file("allowed_signers", format!("a cert-authority,cert-authority=\"x\" {key}\n"))], "has the option"),
        (vec![file("allowed_signers", format!("a namespaces=\"a\",namespaces=\"b\" {key}\n"))], "twice"),
        (vec![file("allowed_signers", "a ssh-ed25519 AAAA\n")], "allowed_signers:1: is no public key"),
        (vec![file("a.pub", "ssh-ed25519 AAAA\n")], "a.pub:1: is no public key"),
        (vec![file("a.asc", "no key")], "holds no armored OpenPGP key"),
        (vec![file("a.asc", public.replace("-----END", "-----FIN"))], "has no end"),
        (vec![file("a.asc", secret)], "private key"),
    ] {
        let problem = Trust::read(&files).expect_err(words).to_string();
        assert!(problem.contains(words), "{words}: {problem}");
        assert!(!problem.contains("AAAAC3"), "{problem}");
    }
    Trust::read(&[file("allowed_signers", format!("a {key}\n")), file("a.asc", public.clone())]).expect("both");
    Trust::read(&[file("flux-style-name", public)]).expect("by its content");
}

/// `tandem verify` in a working copy: its exit code, and what it printed.
fn verify(copy: &WorkingCopy, arguments: &[&str]) -> (i32, String) {
    let output = tandem().current_dir(&copy.path).arg("verify").args(arguments).output().expect("it runs");
    (output.status.code().expect("a code"), both(&output))
}

#[test]
fn the_command_line_says_of_a_clone_what_the_agent_would() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let alice = keys.ssh("alice", &["-t", "ed25519"]);
    let listed = keys.home().join("allowed_signers");
    std::fs::write(&listed, line("", &alice).text).expect("a file");
    let listed = listed.display().to_string();
    let with = |arguments: &[&str]| verify(&copy, &[&["--keys", &listed][..], arguments].concat());
    copy.commit("one", &[]);
    let one = copy.git(&["rev-parse", "HEAD"]);
    keys.use_ssh(&copy, &alice);
    copy.commit("two", &[]);
    let two = copy.git(&["rev-parse", "HEAD"]);
    sign(&copy, false);
    copy.commit("three", &[]);
    let three = copy.git(&["rev-parse", "HEAD"]);
    sign(&copy, true);
    copy.commit("four", &[]);
    copy.git(&["tag", "-s", "-m", "v1", "v1"]);
    copy.git(&["tag", "light"]);
    let (code, told) = with(&[]);
    assert!(code == 0 && told.contains("alice@example.com (SHA256:"), "{told}");
    let (code, told) = with(&["--since", &one]);
    assert!(code == 1 && told.starts_with("SignatureMissing: ") && told.contains(&three), "{told}");
    assert_eq!(with(&["--since", &one, &two]).0, 0);
    assert_eq!(with(&["--since", &three]).0, 0, "the rest is taken as it is");
    let (code, told) = with(&["-o", "json", "--since", &one, &two]);
    let json: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert!(code == 0 && json["signed"] == true && json["commits"] == 1, "{told}");
    assert_eq!(with(&["v1", "--tag"]).0, 0);
    let (code, told) = with(&["light", "--tag"]);
    assert!(code == 1 && told.contains("lightweight"), "{told}");
    let (code, told) = verify(&copy, &["--keys", &alice.private.display().to_string()]);
    assert!(code == 4 && told.contains("is no file of keys"), "{told}");

    // What git would show in the place of what is there.
    copy.git(&["replace", &three, &two]);
    let (code, told) = with(&[]);
    assert!(code == 1 && told.starts_with("ObjectsReplaced: "), "{told}");
    copy.git(&["replace", "-d", &three]);
    assert_eq!(with(&[]).0, 0);
    let grafts = copy.path.join(".git/info/grafts");
    std::fs::create_dir_all(grafts.parent().expect("a folder")).expect("a folder");
    std::fs::write(&grafts, format!("{two}\n")).expect("a file");
    let (code, told) = with(&[]);
    assert!(code == 1 && told.starts_with("ObjectsReplaced: "), "{told}");
    std::fs::remove_file(&grafts).expect("removed");
    assert_eq!(with(&[]).0, 0);
}

/// A key of a forge that is listed for merges alone signs what equals our own merge, and nothing else.
#[test]
fn a_key_for_merges_signs_what_equals_both_sides_and_nothing_else() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let (alice, forge) = (keys.ssh("alice", &["-t", "ed25519"]), keys.ssh("forge", &["-t", "ed25519"]));
    let (listed, merges) = (keys.home().join("allowed_signers"), keys.home().join("merges-forge.pub"));
    std::fs::write(&listed, line("", &alice).text).expect("a file");
    std::fs::write(&merges, &forge.public).expect("a file");
    let of = |path: &std::path::Path| path.display().to_string();
    keys.use_ssh(&copy, &alice);
    copy.commit("one", &[("a", "1\n"), ("b", "1\n")]);
    let one = copy.git(&["rev-parse", "HEAD"]);
    let told =
        |revision: &str| verify(&copy, &["--keys", &of(&listed), "--keys", &of(&merges), "--since", &one, revision]);
    // Two sides, each with a change of its own.
    copy.git(&["checkout", "-q", "-b", "side"]);
    copy.commit("side", &[("b", "2\n")]);
    copy.git(&["checkout", "-q", "main"]);
    copy.commit("more", &[("a", "2\n")]);
    let more = copy.git(&["rev-parse", "HEAD"]);
    keys.use_ssh(&copy, &forge);
    let merged = |evil: bool, others: &[&str]| {
        copy.git(&["reset", "-q", "--hard", &more]);
        copy.git(&[&["merge", "-q", "--no-ff", "--no-commit"][..], others].concat());
        if evil {
            std::fs::write(copy.path.join("c"), "nobody wrote this\n").expect("a file");
            copy.git(&["add", "c"]);
        }
        copy.git(&["commit", "-q", "-m", "merge"]);
        copy.git(&["rev-parse", "HEAD"])
    };
    let refused = |revision: &str, words: &str| {
        let (code, text) = told(revision);
        let expected = format!("MergeUnequal: commit {revision} is signed by ");
        assert!(code == 1 && text.starts_with(&expected) && text.contains(words), "{text}");
    };
    let honest = merged(false, &["side"]);
    assert_eq!(told(&honest).0, 0, "{}", told(&honest).1);
    refused(&merged(true, &["side"]), "holds something else than both its sides");
    copy.git(&["checkout", "-q", "-B", "third", &one]);
    keys.use_ssh(&copy, &alice);
    copy.commit("third", &[("d", "3\n")]);
    copy.git(&["checkout", "-q", "main"]);
    keys.use_ssh(&copy, &forge);
    refused(&merged(false, &["side", "third"]), "is no merge of two commits");
    copy.git(&["reset", "-q", "--hard", &honest]);
    copy.commit("the forge edits a file", &[("a", "3\n")]);
    refused(&copy.git(&["rev-parse", "HEAD"]), "is no merge of two commits");
    // What both sides changed, somebody decides.
    copy.git(&["checkout", "-q", "-B", "both", &one]);
    keys.use_ssh(&copy, &alice);
    copy.commit("both", &[("a", "4\n")]);
    copy.git(&["checkout", "-q", "main"]);
    copy.git(&["reset", "-q", "--hard", &more]);
    let tree = copy.git(&["rev-parse", "HEAD^{tree}"]);
    keys.use_ssh(&copy, &forge);
    let decided = copy.git(&["commit-tree", "-S", "-p", &more, "-p", "both", "-m", "merge", &tree]);
    refused(&decided, "its sides do not merge by themselves");
    // A key that signs whatever it is may sign that, and one that counts nowhere not even a merge.
    keys.use_ssh(&copy, &alice);
    let decided = copy.git(&["commit-tree", "-S", "-p", &more, "-p", "both", "-m", "merge", &tree]);
    assert_eq!(told(&decided).0, 0, "{}", told(&decided).1);
    let revoked = keys.home().join("revoked_keys");
    std::fs::write(&revoked, &forge.public).expect("a file");
    let (code, text) = verify(
        &copy,
        &["--keys", &of(&listed), "--keys", &of(&merges), "--keys", &of(&revoked), "--since", &one, &honest],
    );
    assert!(code == 1 && text.starts_with("SignerRevoked: "), "{text}");
}

/// A commit that claims to be younger than its children is found below what is trusted all the same, and one that is
/// not below it is not.
#[test]
fn times_that_commits_claim_hide_nothing_and_hold_nothing() {
    let (keys, repositories) = (Keys::new(), Repositories::new());
    let copy = repositories.create("app");
    let alice = keys.ssh("alice", &["-t", "ed25519"]);
    let listed = keys.home().join("allowed_signers");
    std::fs::write(&listed, line("", &alice).text).expect("a file");
    copy.commit("a tree", &[]);
    let tree = copy.git(&["rev-parse", "HEAD^{tree}"]);
    let make = |parents: &[&str], time: i64, signed: bool| {
        let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        let who = format!("A <a@example.com> {time} +0000");
        let plain = format!("tree {tree}\n{parents}author {who}\ncommitter {who}\n\nx\n").into_bytes();
        let raw = if signed { insert(&plain, "\n", &header(&keys.ssh_signs(&alice, "git", &plain))) } else { plain };
        write(&copy, "commit", &raw)
    };
    let from = |base: &str, tip: &str| verify(&copy, &["--keys", &listed.display().to_string(), "--since", base, tip]);
    let (late, early) = (2_200_000_000, 1_000_000_000);
    let below = make(&[], late, false);
    let base = make(&[&below], early, false);
    let tip = make(&[&base, &below], late + 1, true);
    let (code, told) = from(&base, &tip);
    assert!(code == 0 && told.contains("1 commit "), "{told}");
    let beside = make(&[&below], early - 5, false);
    let tip = make(&[&base, &beside], late + 1, true);
    let (code, told) = from(&base, &tip);
    assert!(code == 1 && told.contains(&beside), "{told}");
    // A side that was never there in the first place, and one that is signed throughout.
    let tip = make(&[&base, &"7".repeat(40)], late + 1, true);
    let (code, told) = from(&base, &tip);
    assert!(code == 1 && told.starts_with("AncestryUnknown: "), "{told}");
    let side = make(&[&below], early, true);
    let tip = make(&[&side, &base], late + 1, true);
    let (code, told) = from(&base, &tip);
    assert!(code == 0 && told.contains("2 commits "), "{told}");
}

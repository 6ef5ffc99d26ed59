//! Files as the real SOPS made them, and what becomes of them when they are changed.

use serde_json::Value;

use super::form::encrypted;
use super::*;
use crate::object::yaml::Limits;

/// A file of `tests/cases/sops`, and what `sops decrypt` makes of it.
macro_rules! case {
    ($name:literal) => {
        (
            $name,
            &include_bytes!(concat!("../../../tests/cases/sops/", $name))[..],
            &include_bytes!(concat!("../../../tests/cases/sops/", $name, ".plain"))[..],
        )
    };
}

const ONE: &str = include_str!("../../../tests/cases/sops/one.agekey");
const TWO: &str = include_str!("../../../tests/cases/sops/two.agekey");
const STRANGER: &str = include_str!("../../../tests/cases/sops/stranger.agekey");

fn identities(keys: &[&str]) -> Identities {
    let mut identities = Identities::default();
    keys.iter().for_each(|key| identities.add(key).expect("a key"));
    identities
}

fn opened(name: &str, bytes: &[u8], keys: &[&str]) -> Result<Vec<u8>, Problem> {
    let found = encrypted(name, bytes, &Limits::default()).expect("an encrypted file");
    decrypt(name, bytes, found, &identities(keys), &Limits::default()).map(|decrypted| decrypted.bytes)
}

fn documents(bytes: &[u8]) -> Vec<Value> {
    let (documents, problems) = yaml::read("plain.yaml", bytes, &Limits::default());
    assert_eq!(problems, []);
    documents.into_iter().map(|document| document.value).collect()
}

#[test]
fn files_are_decrypted_as_sops_does() {
    for (name, bytes, plain) in [
        case!("types.yaml"),
        case!("secret.yaml"),
        case!("config.yaml"),
        case!("shamir.yaml"),
        case!("values.json"),
        case!("lines.env"),
        case!("key.bin"),
    ] {
        let opened = opened(name, bytes, &[ONE, TWO]).unwrap_or_else(|problem| panic!("{problem}"));
        if name.ends_with(".env") || name.ends_with(".bin") {
            assert_eq!(opened, plain, "{name}");
        } else {
            assert_eq!(documents(&opened), documents(plain), "{name}: {}", String::from_utf8_lossy(&opened));
        }
    }
}

#[test]
fn every_value_stands_where_its_cipher_text_stood() {
    let (name, bytes, _) = case!("types.yaml");
    let plain = opened(name, bytes, &[ONE]).expect("plain text");
    for document in 1..=2 {
        let (before, after) = (yaml::lines(bytes), yaml::lines(&plain));
        for pointer in ["/kind", "/metadata/name", "/stringData/multi", "/stringData/list/1", "/data/b"] {
            // The second item of the list is a comment in the cipher text.
            let old = if pointer.ends_with("/1") { "/stringData/list/2" } else { pointer };
            assert_eq!(after.line(document, pointer), before.line(document, old), "{pointer} of document {document}");
        }
    }
}

#[test]
fn what_was_changed_is_refused() {
    fn edit(bytes: &[u8], change: impl Fn(&str) -> String) -> Vec<u8> {
        let text = std::str::from_utf8(bytes).expect("text");
        let changed = change(text);
        assert_ne!(changed, text, "the change changes nothing");
        changed.into_bytes()
    }
    fn line<'t>(text: &'t str, start: &str) -> &'t str {
        text.lines().find(|line| line.trim_start().starts_with(start)).expect("a line")
    }
    let (name, bytes, _) = case!("secret.yaml");
    let (_, config, _) = case!("config.yaml");
    assert!(opened(name, bytes, &[ONE]).is_ok() && opened(name, config, &[ONE]).is_ok());
    let flip = |text: &str, start: &str| {
        let old = line(text, start);
        let at = old.find("data:").expect("cipher text") + 6;
        let c = if &old[at..=at] == "A" { "B" } else { "A" };
        text.replace(old, &format!("{}{c}{}", &old[..at], &old[at + 1..]))
    };
    let value = |line: &str| line.split_once(": ").expect("a field").1.to_owned();
    let swap = |text: &str| {
        let (a, b) = (value(line(text, "password:")), value(line(text, "port:")));
        text.replace(&a, "@").replace(&b, &a).replace('@', &b)
    };
    for (what, changed, message) in [
        (
            "a value",
            edit(bytes, |t| flip(t, "password:")),
            "secret.yaml:10: stringData.password: the value was changed, or moved here",
        ),
        ("the MAC", edit(bytes, |t| flip(t, "mac:")), "SOPS' MAC of the file was changed"),
        ("two values", edit(bytes, swap), "stringData.password: the value was changed, or moved here"),
        (
            "a plain value",
            edit(bytes, |t| t.replace("name: db", "name: other")),
            "the file was changed after it was encrypted",
        ),
        (
            "a value that is left out",
            edit(bytes, |t| t.replace(&format!("{}\n", line(t, "port:")), "")),
            "the file was changed after",
        ),
        (
            "a new value",
            edit(bytes, |t| t.replace("kind: Secret", "kind: Secret\nmore: 1")),
            "the file was changed after",
        ),
        (
            "a new value that is to be encrypted",
            edit(config, |t| t.replace("data:\n", "data:\n    x: {token: plain}\n")),
            "data.x.token: the value is not of the form",
        ),
        (
            "what is plain now",
            edit(bytes, |t| t.replace(&value(line(t, "port:")), "\"5432\"")),
            "stringData.port: the value is not of the form that SOPS writes",
        ),
        (
            "a number in place of a text",
            edit(bytes, |t| t.replace(&value(line(t, "port:")), "5432")),
            "stringData.port: the value is not encrypted, and is to be",
        ),
        (
            "a comment in place of a text",
            edit(bytes, |t| {
                let old = line(t, "port:");
                t.replace(old, &old.replace("type:str", "type:comment"))
            }),
            "stringData.port: the value says that it is a comment",
        ),
        (
            "the time",
            edit(bytes, |t| t.replace(line(t, "lastmodified:"), "    lastmodified: \"2020-01-01T00:00:00Z\"")),
            "SOPS' MAC of the file was changed",
        ),
        (
            "what is encrypted",
            edit(bytes, |t| t.replace(line(t, "encrypted_regex:"), "    encrypted_regex: ^data$")),
            "the file was changed after",
        ),
        (
            "what the MAC is of",
            edit(bytes, |t| t.replace("    version:", "    mac_only_encrypted: true\n    version:")),
            "the file was changed after",
        ),
        (
            "what the MAC is of, back",
            edit(config, |t| t.replace("mac_only_encrypted: true", "mac_only_encrypted: false")),
            "the file was changed after",
        ),
        ("no MAC", edit(bytes, |t| t.replace(&format!("{}\n", line(t, "mac:")), "")), "SOPS' own data have no mac"),
        ("an alias", edit(bytes, |t| t.replace("    name: db", "    name: &a db\n    x: *a")), "alias"),
    ] {
        let problem = opened(name, &changed, &[ONE]).map(|plain| String::from_utf8_lossy(&plain).into_owned());
        let problem = problem.expect_err(what);
        assert!(problem.to_string().contains(message), "{what}: {problem}");
        assert!(problem.line.is_some() && problem.file.as_deref() == Some(name), "{what}: {problem:?}");
        assert!(!problem.to_string().contains("canary"), "{problem}");
    }
}

#[test]
fn documents_of_a_file_are_one() {
    let (name, bytes, _) = case!("types.yaml");
    let text = std::str::from_utf8(bytes).expect("text");
    let (first, second) = text.split_once("\n---\n").expect("two documents");
    assert!(opened(name, first.as_bytes(), &[ONE]).is_err(), "a document is missing");
    assert!(opened(name, format!("{second}---\n{first}\n").as_bytes(), &[ONE]).is_err(), "in another order");
    // Files that were encrypted one by one, and put one behind the other with a plain one between.
    let (_, secret, _) = case!("secret.yaml");
    let (_, config, _) = case!("config.yaml");
    let secret = std::str::from_utf8(secret).expect("text");
    let config = std::str::from_utf8(config).expect("text");
    let plain = opened(name, format!("{secret}---\na: b\n---\n{config}").as_bytes(), &[ONE]).expect("plain text");
    let documents = documents(&plain);
    assert_eq!((documents.len(), &documents[1]), (3, &serde_json::json!({"a": "b"})));
    assert_eq!(documents[2]["data"]["token"], "config-canary");
}

#[test]
fn who_can_decrypt_a_file_is_told() {
    let (name, bytes, _) = case!("secret.yaml");
    let of = |key: &str| identities(&[key]).public()[0].to_owned();
    let problem = opened(name, bytes, &[STRANGER]).expect_err("no key");
    assert_eq!((problem.rule.as_str(), problem.line), ("NoDecryptionKey", Some(12)));
    let (one, two, stranger) = (of(ONE), of(TWO), of(STRANGER));
    let expected =
        format!("the file is encrypted for {one}, {two}, and the one key that is given is that of {stranger}");
    assert_eq!(problem.message, expected);
    let problem = opened(name, bytes, &[]).expect_err("no key");
    assert_eq!(problem.rule, "EncryptedManifest");
    assert_eq!(problem.message, format!("the file is encrypted with SOPS for {one}, {two}, and no key is given"));
    assert!(opened(name, bytes, &[TWO]).is_ok(), "either of them will do");

    let (name, bytes, _) = case!("shamir.yaml");
    for enough in [[ONE, TWO], [TWO, STRANGER], [STRANGER, ONE]] {
        assert!(opened(name, bytes, &enough).is_ok());
    }
    let problem = opened(name, bytes, &[TWO]).expect_err("one of two");
    assert!(problem.message.starts_with("keys of 2 groups are needed, and there are those of 1; "), "{problem}");

    let (name, bytes, _) = case!("lines.env");
    let text = String::from_utf8_lossy(bytes).replace("\\nYWdl", "\\nYWdm");
    let problem = opened(name, text.as_bytes(), &[ONE]).expect_err("damaged");
    assert!(problem.hint.is_some_and(|hint| hint.starts_with("the key fits, and what is encrypted for it is damaged")));
}

#[test]
fn keys_that_cannot_be_used_are_told_apart() {
    for (text, expected) in [
        ("# a comment\n\nage1x", "line 3: it is a public key of age; the private one starts with AGE-SECRET-KEY-1"),
        (
            "AGE-SECRET-KEY-PQ-1ABC",
            "line 1: keys of age for post-quantum recipients (AGE-SECRET-KEY-PQ-1…) cannot be used yet",
        ),
        ("AGE-PLUGIN-YUBIKEY-1ABC", "line 1: keys that need a plugin of age cannot be used"),
        ("hunter2", "line 1: it is no private key of age, which starts with AGE-SECRET-KEY-1"),
        ("-----BEGIN RSA", "it is no private key of SSH that age can use: one of ed25519 or RSA"),
    ] {
        assert_eq!(Identities::default().add(text), Err(expected.to_owned()));
    }
    let keys = identities(&[ONE, TWO]);
    let shown = format!("{keys:?}");
    assert!(shown.contains("age1") && !shown.to_ascii_uppercase().contains("SECRET-KEY"), "{shown}");
}

#[test]
fn what_sops_writes_in_other_forms_is_told() {
    let text = "[a]\nb = ENC[AES256_GCM,data:YQ==,iv:YQ==,tag:YQ==,type:str]\n[sops]\nmac = x\n";
    let problem = opened("a.ini", text.as_bytes(), &[ONE]).expect_err("not decrypted");
    assert_eq!((problem.rule.as_str(), problem.line), ("EncryptedManifest", Some(3)));
}

#[test]
fn without_a_key_cipher_texts_stand_for_what_they_are_of_and_count_as_secret() {
    for (name, bytes, plain) in [
        case!("types.yaml"),
        case!("secret.yaml"),
        case!("config.yaml"),
        case!("values.json"),
        case!("lines.env"),
        case!("key.bin"),
    ] {
        let found = encrypted(name, bytes, &Limits::default()).expect("an encrypted file");
        let kept = withheld::withheld(name, bytes, found, &Limits::default()).unwrap_or_else(|p| panic!("{name}: {p}"));
        let text = String::from_utf8(kept.bytes.clone()).expect("UTF-8");
        assert!(!kept.secrets.is_empty(), "{name}");
        assert!(kept.secrets.iter().all(|secret| secret.text.contains("ENC[")), "{name}");
        if name.ends_with(".yaml") {
            assert!(encrypted(name, &kept.bytes, &Limits::default()).is_none(), "{name} is as good as plain");
        }
        // What says which object it is, is seldom encrypted.
        if matches!(name, "secret.yaml" | "config.yaml") {
            let ids = |bytes: &[u8]| -> Vec<(Value, Value)> {
                documents(bytes).iter().map(|d| (d["kind"].clone(), d["metadata"]["name"].clone())).collect()
            };
            assert_eq!(ids(&kept.bytes), ids(plain), "{name}");
        }
        if name.ends_with(".env") {
            assert!(!text.contains("sops_"), "{text}");
        }
    }
}

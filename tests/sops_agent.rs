//! What SOPS encrypted, through the agent: applied, told nowhere, and refused where no key fits.

use std::path::Path;

use crate::lab::{Lab, Repo, Tenant, condition_of, wait_for};
use crate::sops::program::{AgeKey, encrypt};

const CANARY: &str = "canary-sops-51c9";
/// The canary in base64, wherever it begins.
const ENCODED: [&str; 3] = ["Y2FuYXJ5LXNvcHMtNTFjO", "NhbmFyeS1zb3BzLTUxYz", "jYW5hcnktc29wcy01MWM5"];

fn keys_of(tenant: &Tenant<'_>, lab: &Lab, key: &AgeKey) {
    let indented = key.private.replace('\n', "\n    ");
    lab.apply(&format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: sops-age, namespace: {}}}\nstringData:\n  age.agekey: |\n    {indented}\n",
        tenant.namespace
    ));
}

const DECRYPTION: &str = "decryption: {provider: sops, secretRef: {name: sops-age}}";

fn secret(value: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: token}}\nstringData: {{token: '{CANARY}-{value}'}}\n")
}

/// A kind that is no secret by itself, with one value that is.
fn settings(value: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{mode: plain, token: '{CANARY}-{value}'}}\n{more}"
    )
}

#[test]
fn what_sops_encrypted_is_applied_and_told_nowhere() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let key = AgeKey::generate();
    keys_of(&tenant, lab, &key);
    let sealed = |name: &str, plain: &str| {
        encrypt(name, plain, &["--age", &key.public, "--encrypted-regex", "^(stringData|token|immutable)$"])
    };
    let write = |value: &str, more: &str| {
        repo.write("deploy/secret.yaml", &sealed("secret.yaml", &secret(value)));
        repo.write("deploy/settings.yaml", &sealed("settings.yaml", &settings(value, more)));
    };
    write("one", "");
    repo.write(
        "deploy/made/kustomization.yaml",
        "secretGenerator: [{name: made, envs: [made.env], options: {disableNameSuffixHash: true}}]\n",
    );
    repo.write("deploy/made/made.env", &encrypt("made.env", &format!("TOKEN={CANARY}-env\n"), &["--age", &key.public]));
    let first = repo.push("encrypted");
    tenant.deploy(&repo, DECRYPTION);
    tenant.wait_applied("sync", &first);
    let value = |what: &str, key: &str| lab.get(namespace, what)["data"][key].as_str().map(str::to_owned);
    let base64 = |text: &str| {
        use base64::Engine as _;
        Some(base64::engine::general_purpose::STANDARD.encode(format!("{CANARY}-{text}")))
    };
    assert_eq!(value("secret/token", "token"), base64("one"));
    assert_eq!(value("secret/made", "TOKEN"), base64("env"));
    assert_eq!(value("configmap/settings", "token"), Some(format!("{CANARY}-one")));
    assert!(lab.get(namespace, "secret/token").get("sops").is_none());

    // By hand, in another commit, and in one that the API server refuses with the value in its words.
    lab.k(&[
        "-n",
        namespace,
        "patch",
        "configmap",
        "settings",
        "-p",
        &format!("{{\"data\": {{\"token\": \"{CANARY}-hand\"}}}}"),
    ]);
    lab.wait(namespace, "configmap/settings", |object| match object["data"]["token"].as_str() {
        Some(text) if text.ends_with("-one") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    write("two", "");
    let second = repo.push("another value");
    tenant.wait_applied("sync", &second);
    assert_eq!(value("configmap/settings", "token"), Some(format!("{CANARY}-two")));
    write("three", &format!("immutable: '{CANARY}-three'\n"));
    let labels = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: broken, annotations: {{token: x}}}}\ntoken: '{CANARY}-three'\n"
    );
    repo.write("deploy/broken.yaml", &sealed("broken.yaml", &labels));
    repo.push("what is refused");
    tenant.wait_reason("sync", "Ready", "ValidationFailed");

    let agent = Lab::shared_agent();
    let mut told = vec![
        ("status".to_owned(), lab.k(&["-n", namespace, "get", "syncs,repositories,inventories", "-o", "yaml"])),
        ("events".to_owned(), lab.k(&["-n", namespace, "get", "events", "-o", "yaml"])),
        ("log".to_owned(), agent.log()),
        ("metrics".to_owned(), wait_for("the metrics", || agent.http("/metrics"))),
    ];
    files_below(agent.folder(), &mut told);
    assert!(told.len() > 10, "the agent's folder was not looked through");
    for (place, text) in told {
        let canaries = [CANARY, ENCODED[0], ENCODED[1], ENCODED[2], "AGE-SECRET-KEY"];
        let found = canaries.iter().find(|canary| text.contains(**canary));
        assert!(found.is_none(), "{place} tells {found:?}");
    }
}

/// Content of every file below a folder.
fn files_below(folder: &Path, told: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_below(&path, told);
        } else if let Ok(bytes) = std::fs::read(&path) {
            told.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

#[test]
fn without_a_key_that_fits_nothing_is_applied_and_the_condition_says_which_would() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let (key, other) = (AgeKey::generate(), AgeKey::generate());
    repo.write(
        "deploy/secret.yaml",
        &encrypt("secret.yaml", &secret("one"), &["--age", &key.public, "--encrypted-regex", "^stringData$"]),
    );
    let commit = repo.push("encrypted");
    tenant.deploy(&repo, "");
    let problem = |rule: &str, words: &[&str]| {
        lab.wait(namespace, "sync/sync", |object| {
            let problems = object["status"]["problems"].to_string();
            let fits = problems.contains(rule) && words.iter().all(|word| problems.contains(word));
            if fits { Ok(()) } else { Err(format!("{:#}", object["status"])) }
        });
    };
    problem("EncryptedManifest", &["deploy/secret.yaml", &key.public, "no key is given"]);

    // The Secret that is named is not there; then it holds another key; then the right one.
    tenant.sync("sync", "deploy", DECRYPTION);
    tenant.wait_reason("sync", "Ready", "SecretNotFound");
    keys_of(&tenant, lab, &other);
    problem("NoDecryptionKey", &[&key.public, &other.public]);
    assert!(lab.absent(namespace, "secret/token"));
    keys_of(&tenant, lab, &key);
    let sync = tenant.wait_applied("sync", &commit);
    assert!(condition_of(&sync, "Ready").is_some() && !lab.absent(namespace, "secret/token"));

    // A value that was changed after it was encrypted leaves what is there alone.
    let text = std::fs::read_to_string(repo.work().join("deploy/secret.yaml")).expect("the file");
    repo.write("deploy/secret.yaml", &text.replace("name: token", "name: changed"));
    repo.push("changed by hand");
    problem("DecryptionFailed", &["deploy/secret.yaml", "was changed after it was encrypted"]);
    assert!(lab.absent(namespace, "secret/changed") && !lab.absent(namespace, "secret/token"));
}

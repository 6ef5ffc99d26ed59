//! `spec.verify` through the agent: what is not signed as it must be is held, told with the commit and what to do, and
//! what was accepted stays healed; each attack has a twin that is applied.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};
use tandem::revision::signature::KeyFile;

use crate::git_remote::{Repositories, Served, WorkingCopy, serve};
use crate::lab::manifests::config;
use crate::lab::{Agent, Lab, Tenant, condition_of};
use crate::signing::{Keys, SshKey, file, sign};

/// A repository with what follows it.
struct Stage<'a> {
    lab: &'a Lab,
    tenant: Tenant<'a>,
    keys: Keys,
    copy: WorkingCopy,
    server: Served,
    _repositories: Repositories,
}

impl<'a> Stage<'a> {
    fn new(lab: &'a Lab) -> Self {
        let repositories = Repositories::new();
        let copy = repositories.create("app");
        let server = serve("git-http", &["--root", &repositories.root()]);
        Self { lab, tenant: Tenant::new(lab), keys: Keys::new(), copy, server, _repositories: repositories }
    }

    /// Puts the keys that may sign into the Secret.
    fn trust(&self, files: &[KeyFile]) {
        let data: BTreeMap<_, _> = files.iter().map(|file| (file.name.clone(), file.text.clone())).collect();
        let metadata = json!({"name": "signers", "namespace": self.tenant.namespace});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data});
        // What is not named any more must go.
        self.lab.k(&["-n", &self.tenant.namespace, "delete", "secret", "signers", "--ignore-not-found"]);
        self.lab.apply(&secret.to_string());
    }

    /// A Repository that verifies, and a Sync over it.
    fn follow(&self, reference: &Value, verify: &Value) {
        let spec = json!({
            "url": self.server.repository("app"), "ref": reference, "interval": "1s", "serviceAccountName": "deployer",
            "verify": verify,
        });
        let metadata = json!({"name": "repo", "namespace": self.tenant.namespace});
        let repository =
            json!({"apiVersion": "tandemcd.io/v1alpha1", "kind": "Repository", "metadata": metadata, "spec": spec});
        self.lab.apply(&repository.to_string());
        self.tenant.sync("sync", "deploy", "deletionBudget: {maxCount: 1000, maxPercent: 100}");
    }

    fn push(&self, value: &str) -> String {
        self.copy.push(value, &[("deploy/a.yaml", &config("a", &format!("{{v: '{value}'}}")))])
    }

    /// Asks for something else; what is pushed after this is judged by it.
    fn verify(&self, patch: &Value) {
        let patch = json!({"spec": {"verify": patch}}).to_string();
        self.lab.k(&["-n", &self.tenant.namespace, "patch", "repository", "repo", "--type=merge", "-p", &patch]);
        self.lab.wait(&self.tenant.namespace, "repository/repo", |object| {
            let (spec, seen) = (&object["metadata"]["generation"], &object["status"]["observedGeneration"]);
            if spec == seen { Ok(()) } else { Err(format!("generation {spec}, seen {seen}")) }
        });
    }

    /// Waits until Sync and Repository tell why a revision is held.
    fn wait_held(&self, reason: &str, words: &[&str]) {
        let all = [words, &["held", "hint: "]].concat();
        let held = self.tenant.wait_message("sync", "Held", &all);
        assert_eq!(condition_of(&held, "Held").expect("Held")["reason"], reason, "{:#}", held["status"]);
        assert_eq!(condition_of(&held, "Ready").expect("Ready")["status"], "False", "{:#}", held["status"]);
        self.lab.wait(&self.tenant.namespace, "repository/repo", |object| {
            let same = |name| condition_of(object, name).is_some_and(|c| c["reason"] == reason);
            if same("Ready") && same("Held") { Ok(()) } else { Err(format!("{:#}", object["status"])) }
        });
    }

    /// What is accepted is there, and comes back when it is deleted by hand.
    fn stays_healed(&self, value: &str) {
        self.lab.k(&["-n", &self.tenant.namespace, "delete", "configmap", "a"]);
        self.lab.wait(&self.tenant.namespace, "configmap/a", |object| match object["data"]["v"].as_str() {
            Some(found) if found == value => Ok(()),
            other => Err(format!("{other:?}, wanted {value}")),
        });
    }

    fn applied(&self, commit: &str, value: &str) {
        let told = self.tenant.wait_applied("sync", commit);
        assert!(condition_of(&told, "Held").is_none(), "{:#}", told["status"]);
        assert_eq!(self.lab.get(&self.tenant.namespace, "configmap/a")["data"]["v"], value);
    }

    fn verified(&self) -> Value {
        self.lab.get(&self.tenant.namespace, "repository/repo")["status"]["verified"].clone()
    }
}

fn lines(keys: &[&SshKey]) -> KeyFile {
    let lines = keys.iter().map(|key| format!("*@example.com namespaces=\"git\" {}\n", key.public));
    file("allowed_signers", lines.collect::<String>())
}

fn branch() -> Value {
    json!({"branch": "main"})
}

fn commits() -> Value {
    json!({"secretRef": {"name": "signers"}})
}

#[test]
fn an_unsigned_commit_in_the_middle_is_held_by_its_name_until_history_or_the_spec_says_otherwise() {
    let lab = Lab::shared();
    let stage = Stage::new(lab);
    let alice = stage.keys.ssh("alice", &["-t", "ed25519"]);
    stage.keys.use_ssh(&stage.copy, &alice);
    stage.trust(&[lines(&[&alice])]);
    let first = stage.push("1");
    stage.follow(&branch(), &commits());
    stage.applied(&first, "1");
    let verified = stage.verified();
    assert!(verified["revision"].as_str().is_some_and(|r| r.ends_with(&first)), "{verified}");
    assert!(verified["signer"].as_str().is_some_and(|s| s.contains("SHA256:")), "{verified}");

    sign(&stage.copy, false);
    let middle = stage.push("2");
    sign(&stage.copy, true);
    let third = stage.push("3");
    stage.wait_held("SignatureMissing", &[&format!("commit {middle} is not signed"), &third]);
    stage.stays_healed("1");
    assert!(stage.tenant.writes(&middle).is_empty() && stage.tenant.writes(&third).is_empty());

    // The same change on a history that is signed throughout.
    stage.copy.git(&["reset", "-q", "--hard", &first]);
    let honest = stage.push("4");
    stage.applied(&honest, "4");

    // And the person who may change the spec can take a commit as it is.
    sign(&stage.copy, false);
    let taken = stage.push("5");
    sign(&stage.copy, true);
    let tip = stage.push("6");
    stage.wait_held("SignatureMissing", &[&taken]);
    stage.verify(&json!({"since": taken}));
    stage.applied(&tip, "6");
}

#[test]
fn merges_count_with_both_their_sides() {
    let lab = Lab::shared();
    let stage = Stage::new(lab);
    let alice = stage.keys.ssh("alice", &["-t", "ed25519"]);
    stage.keys.use_ssh(&stage.copy, &alice);
    stage.trust(&[lines(&[&alice])]);
    // Long before verification there were unsigned commits, and a branch leaves from among them.
    sign(&stage.copy, false);
    stage.push("0");
    stage.copy.git(&["branch", "old"]);
    stage.push("00");
    sign(&stage.copy, true);
    let first = stage.push("1");
    stage.follow(&branch(), &commits());
    stage.applied(&first, "1");

    let merge = |signed: bool, side: bool, value: &str| -> (String, String) {
        stage.copy.git(&["reset", "-q", "--hard", "origin/main"]);
        stage.copy.git(&["checkout", "-q", "-B", "side", "old"]);
        sign(&stage.copy, side);
        stage.copy.commit("side", &[(&format!("other/{value}.txt"), value)]);
        let on_side = stage.copy.git(&["rev-parse", "HEAD"]);
        stage.copy.git(&["checkout", "-q", "main"]);
        sign(&stage.copy, true);
        stage.copy.commit(value, &[("deploy/a.yaml", &config("a", &format!("{{v: '{value}'}}")))]);
        sign(&stage.copy, signed);
        stage.copy.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
        stage.copy.git(&["push", "-q", "--force", "origin", "HEAD:main"]);
        (stage.copy.git(&["rev-parse", "HEAD"]), on_side)
    };
    stage.copy.git(&["fetch", "-q", "origin"]);
    let (good, _) = merge(true, true, "2");
    stage.applied(&good, "2");
    stage.copy.git(&["fetch", "-q", "origin"]);
    let (unsigned, _) = merge(false, true, "3");
    stage.wait_held("SignatureMissing", &[&format!("commit {unsigned} is not signed")]);
    stage.stays_healed("2");
    stage.copy.git(&["push", "-q", "--force", "origin", &format!("{good}:refs/heads/main")]);
    stage.copy.git(&["fetch", "-q", "origin"]);
    let (_, on_side) = merge(true, false, "4");
    stage.wait_held("SignatureMissing", &[&format!("commit {on_side} is not signed")]);
    stage.copy.git(&["push", "-q", "--force", "origin", &format!("{good}:refs/heads/main")]);
    stage.copy.git(&["fetch", "-q", "origin"]);
    let (good, _) = merge(true, true, "5");
    stage.applied(&good, "5");
}

#[test]
fn keys_that_come_and_go_count_at_once_for_what_comes_and_not_for_what_was() {
    let lab = Lab::shared();
    let stage = Stage::new(lab);
    let (alice, bob) = (stage.keys.ssh("alice", &["-t", "ed25519"]), stage.keys.ssh("bob", &["-t", "ecdsa"]));
    stage.keys.use_ssh(&stage.copy, &alice);
    let first = stage.push("1");
    stage.follow(&branch(), &commits());
    let told = |reason: &str, words: &str| {
        lab.wait(&stage.tenant.namespace, "repository/repo", |object| match condition_of(object, "Ready") {
            Some(c) if c["reason"] == reason && c["message"].as_str().is_some_and(|m| m.contains(words)) => Ok(()),
            _ => Err(format!("{:#}", object["status"])),
        });
    };
    told("SecretNotFound", "signers");
    stage.trust(&[file("allowed_signers", format!("# nothing\nalice {}\n", alice.private.display()))]);
    told("InvalidSecret", "allowed_signers:2:");
    assert!(lab.absent(&stage.tenant.namespace, "configmap/a"), "nothing is applied before the keys can be read");
    // Listed, and over: refused as any other, also at the first.
    let over = format!("alice valid-before=\"20200101\" {}\n", alice.public);
    stage.trust(&[file("allowed_signers", over)]);
    stage.wait_held("SignerExpired", &[&first]);
    assert!(lab.absent(&stage.tenant.namespace, "configmap/a"));
    stage.trust(&[lines(&[&alice])]);
    stage.applied(&first, "1");

    stage.keys.use_ssh(&stage.copy, &bob);
    let second = stage.push("2");
    stage.wait_held("SignerUnknown", &[&second]);
    stage.trust(&[lines(&[&bob])]);
    stage.applied(&second, "2");
    // Alice's key is gone, and what she signed before stays.
    stage.stays_healed("2");
    stage.keys.use_ssh(&stage.copy, &alice);
    let third = stage.push("3");
    stage.wait_held("SignerUnknown", &[&third]);
    stage.stays_healed("2");

    // OpenPGP keys beside them; one that ended years ago signs with its clock set back.
    let fresh = stage.keys.pgp("Carol <carol@example.com>", "ed25519", "sign", "never", &[]);
    let past = ["--faked-system-time", "20180101T000000"];
    let old = stage.keys.pgp("Old <old@example.com>", "ed25519", "sign", "1y", &past);
    let asc = |key: &str| file(&format!("{}.asc", &key[..8]), stage.keys.pgp_public(key));
    stage.trust(&[lines(&[&bob]), asc(&fresh), asc(&old)]);
    stage.copy.git(&["reset", "-q", "--hard", &second]);
    stage.keys.use_pgp(&stage.copy, &fresh);
    let fourth = stage.push("4");
    stage.applied(&fourth, "4");
    assert!(stage.verified()["signer"].as_str().is_some_and(|s| s.contains("Carol")), "{}", stage.verified());
    let wrapper = stage.keys.home().join("late-gpg");
    let script = format!(
        "#!/bin/sh\nexec {} --faked-system-time 20180601T000000 \"$@\"\n",
        stage.keys.home().join("gpg").display()
    );
    std::fs::write(&wrapper, script).expect("a script");
    crate::lab::run(Command::new("chmod").arg("+x").arg(&wrapper));
    stage.keys.use_pgp(&stage.copy, &old);
    stage.copy.git(&["config", "gpg.program", &wrapper.display().to_string()]);
    let fifth = stage.push("5");
    stage.wait_held("SignerExpired", &[&fifth, &old]);
    stage.stays_healed("4");
}

#[test]
fn tags_vouch_for_what_is_before_them_under_their_own_names() {
    let lab = Lab::shared();
    let stage = Stage::new(lab);
    let (alice, eve) = (stage.keys.ssh("alice", &["-t", "ed25519"]), stage.keys.ssh("eve", &["-t", "ed25519"]));
    stage.keys.use_ssh(&stage.copy, &alice);
    sign(&stage.copy, false);
    stage.trust(&[lines(&[&alice])]);
    let tag = |kind: &[&str], name: &str, value: &str| {
        let commit = stage.push(value);
        stage.copy.git(&[&["tag"][..], kind, &["-f", "-m", name, name]].concat());
        stage.copy.git(&["push", "-q", "--force", "origin", name]);
        commit
    };
    let first = tag(&["-s"], "v1.0.0", "1");
    let verify = json!({"mode": "Tag", "secretRef": {"name": "signers"}});
    stage.follow(&json!({"semver": ">=1"}), &verify);
    stage.applied(&first, "1");
    let second = tag(&["-a"], "v1.1.0", "2");
    stage.wait_held("SignatureMissing", &["v1.1.0", &second]);
    stage.stays_healed("1");
    stage.copy.git(&["tag", "-s", "-f", "-m", "again", "v1.1.0"]);
    stage.copy.git(&["push", "-q", "--force", "origin", "v1.1.0"]);
    stage.applied(&second, "2");
    // The signed tag of an old release, under a name that is newer than all.
    stage.copy.git(&["push", "-q", "origin", "refs/tags/v1.0.0:refs/tags/v9.0.0"]);
    stage.wait_held("TagMismatch", &["v9.0.0"]);
    stage.copy.git(&["push", "-q", "origin", ":refs/tags/v9.0.0"]);
    // A lightweight one cannot be signed; one of Eve's is not Alice's; a moved one is judged anew.
    let third = stage.push("3");
    stage.copy.git(&["push", "-q", "origin", &format!("{third}:refs/tags/v1.2.0")]);
    stage.wait_held("SignatureMissing", &["v1.2.0", "lightweight"]);
    stage.keys.use_ssh(&stage.copy, &eve);
    sign(&stage.copy, false);
    let fourth = tag(&["-s"], "v1.2.0", "4");
    stage.wait_held("SignerUnknown", &["v1.2.0", &fourth]);
    stage.stays_healed("2");
    stage.keys.use_ssh(&stage.copy, &alice);
    sign(&stage.copy, false);
    let fifth = tag(&["-s"], "v1.2.0", "5");
    stage.applied(&fifth, "5");
    // With both, unsigned commits below a signed tag are found.
    stage.verify(&json!({"mode": "TagAndCommits"}));
    let sixth = tag(&["-s"], "v1.3.0", "6");
    stage.wait_held("SignatureMissing", &[&format!("commit {sixth} is not signed")]);
    sign(&stage.copy, true);
    stage.copy.git(&["reset", "-q", "--hard", &fifth]);
    let seventh = tag(&["-s"], "v1.3.0", "7");
    stage.applied(&seventh, "7");

    let refused = json!({
        "apiVersion": "tandemcd.io/v1alpha1", "kind": "Repository",
        "metadata": {"name": "wrong", "namespace": stage.tenant.namespace},
        "spec": {"url": stage.server.repository("app"), "ref": {"branch": "main"}, "verify": verify},
    });
    let mut apply = lab.kubectl();
    apply.args(["apply", "-f", "-"]);
    let words = crate::signing::try_piped(&mut apply, refused.to_string().as_bytes()).expect_err("a branch has no tag");
    assert!(words.contains("need ref.tag or ref.semver"), "{words}");
}

#[test]
fn what_was_verified_outlives_the_agent_its_cache_and_the_repository_object() {
    let lab = Lab::start("verify");
    let mut agent = Agent::start_with(&lab, &["--lease-seconds", "3"]);
    let stage = Stage::new(&lab);
    let (alice, bob) = (stage.keys.ssh("alice", &["-t", "ed25519"]), stage.keys.ssh("bob", &["-t", "ed25519"]));
    stage.keys.use_ssh(&stage.copy, &alice);
    stage.trust(&[lines(&[&alice])]);
    let first = stage.push("1");
    stage.follow(&branch(), &commits());
    stage.applied(&first, "1");
    stage.keys.use_ssh(&stage.copy, &bob);
    sign(&stage.copy, false);
    let middle = stage.push("2");
    sign(&stage.copy, true);
    stage.push("3");
    stage.wait_held("SignatureMissing", &[&middle]);

    // Alice's key goes, while the agent is away with its cache: nothing of hers is asked again, nothing is let through.
    agent.kill();
    let _ = std::fs::remove_dir_all(agent.cache());
    stage.trust(&[lines(&[&bob])]);
    agent.restart();
    stage.wait_held("SignatureMissing", &[&middle]);
    stage.stays_healed("1");
    assert!(stage.verified()["revision"].as_str().is_some_and(|r| r.ends_with(&first)), "{}", stage.verified());

    // Made anew, the Repository knows from its Syncs where it stood: a signed tip does not cover the middle.
    let yaml = lab.get(&stage.tenant.namespace, "repository/repo");
    lab.k(&["-n", &stage.tenant.namespace, "delete", "repository", "repo"]);
    stage.tenant.wait_reason("sync", "Ready", "RepositoryMissing");
    let anew = json!({
        "apiVersion": yaml["apiVersion"], "kind": yaml["kind"], "spec": yaml["spec"],
        "metadata": {"name": "repo", "namespace": stage.tenant.namespace},
    });
    lab.apply(&anew.to_string());
    stage.wait_held("SignatureMissing", &[&middle]);
    stage.stays_healed("1");
    stage.copy.git(&["reset", "-q", "--hard", &first]);
    let honest = stage.push("4");
    stage.applied(&honest, "4");
}

#[test]
fn a_status_that_is_written_by_hand_lets_nothing_pass_that_is_not_signed() {
    let lab = Lab::start("verify-status");
    let mut agent = Agent::start_with(&lab, &["--lease-seconds", "3"]);
    let stage = Stage::new(&lab);
    let namespace = stage.tenant.namespace.as_str();
    let (alice, bob) = (stage.keys.ssh("alice", &["-t", "ed25519"]), stage.keys.ssh("bob", &["-t", "ed25519"]));
    stage.keys.use_ssh(&stage.copy, &alice);
    stage.trust(&[lines(&[&alice])]);
    let first = stage.push("1");
    stage.follow(&branch(), &commits());
    stage.applied(&first, "1");
    sign(&stage.copy, false);
    let second = stage.push("2");
    stage.wait_held("SignatureMissing", &[&second]);
    let honest = stage.verified();

    // Untouched, it outlives a restart: nobody is asked again for what alice signed.
    agent.kill();
    stage.trust(&[lines(&[&bob])]);
    agent.restart();
    stage.wait_held("SignatureMissing", &[&second]);
    stage.stays_healed("1");
    assert_eq!(stage.verified(), honest);
    agent.kill();

    // What is written by hand counts for nothing: of the Repository, of the Sync, and of both.
    let revision = format!("main@sha1:{second}");
    let forge = |what: &str, status: &Value| {
        let patch = json!({"status": status}).to_string();
        lab.k(&["-n", namespace, "patch", what, "--subresource=status", "--type=merge", "-p", &patch]);
    };
    let verified = json!({"verified": {"revision": revision}});
    let accepted = json!({"acceptedRevision": revision, "appliedRevision": revision});
    forge("repository/repo", &verified);
    agent.restart();
    lab.wait_event(namespace, "StatusForged", &["status.verified", &second]);
    let gone = |what: &str, field: &str| {
        lab.wait(namespace, what, |object| match &object["status"][field] {
            Value::Null => Ok(()),
            told => Err(told.to_string()),
        })
    };
    gone("repository/repo", "verified");
    stage.wait_held("SignatureMissing", &[&second]);
    stage.stays_healed("1");
    agent.kill();
    forge("repository/repo", &verified);
    forge("sync/sync", &accepted);
    agent.restart();
    lab.wait_event(namespace, "StatusForged", &["status.acceptedRevision", &second]);
    gone("repository/repo", "verified");
    gone("sync/sync", "acceptedRevision");
    stage.wait_held("SignatureMissing", &[&second]);
    assert!(stage.tenant.writes(&second).is_empty());
    assert_eq!(lab.get(namespace, "configmap/a")["data"]["v"], "1");

    // What is signed is applied.
    stage.keys.use_ssh(&stage.copy, &bob);
    stage.copy.git(&["reset", "-q", "--hard", &first]);
    let third = stage.push("3");
    stage.applied(&third, "3");
}

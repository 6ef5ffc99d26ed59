//! Git over SSH, through the worker process, against OpenSSH: keys, and hosts that are not who
//! they should be.

use std::fs;
use std::process::Command;

use tandem::agent::worker::{Credentials, Secret, Source};
use tandem::failure::{Failed, Fault};
use tandem::revision::Wanted;
use tempfile::TempDir;

use crate::git_remote::{Readers, Repositories, Served, config_map, serve};

/// A key pair made by ssh-keygen.
struct Key {
    folder: TempDir,
}

impl Key {
    fn make(kind: &str, passphrase: &str) -> Self {
        let folder = TempDir::new().expect("folder");
        let path = folder.path().join("key");
        let mut command = Command::new("ssh-keygen");
        // One round, because a passphrase is made to be slow to try.
        command.args(["-q", "-a", "1", "-t", kind, "-N", passphrase, "-f"]).arg(path);
        if kind == "rsa" {
            command.args(["-b", "2048"]);
        }
        let made = command.status();
        assert!(made.expect("ssh-keygen runs").success());
        Self { folder }
    }

    fn private(&self) -> Secret {
        Secret::new(fs::read_to_string(self.folder.path().join("key")).expect("key"))
    }

    fn public(&self) -> String {
        fs::read_to_string(self.folder.path().join("key.pub")).expect("public key")
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

/// A server with one repository, the key that may log in, and the commit.
struct Lab {
    _repositories: Repositories,
    server: Served,
    key: Key,
    passphrase: Option<&'static str>,
    commit: String,
}

impl Lab {
    fn new(key_type: &str, passphrase: Option<&'static str>, server: &[&str]) -> Self {
        let repositories = Repositories::new();
        let app = repositories.create("app");
        let commit = app.push("first", &[("one.yaml", &config_map("one", "1"))]);
        let key = Key::make(key_type, passphrase.unwrap_or_default());
        let (root, keys) = (repositories.root(), key.path("key.pub"));
        let arguments = [&["--root", &root, "--authorized-keys", &keys], server].concat();
        let server = serve("git-ssh", &arguments);
        Self { _repositories: repositories, server, key, passphrase, commit }
    }

    fn source(&self, known_hosts: impl Into<String>) -> Source {
        let mut source = Source::new(self.server.repository("app"));
        source.credentials = Credentials::Ssh {
            identity: self.key.private(),
            passphrase: self.passphrase.map(Secret::new),
            known_hosts: known_hosts.into(),
        };
        source
    }

    fn known_hosts(&self) -> String {
        self.server.get("known_hosts")
    }
}

async fn refused(lab: &Lab, known_hosts: &str) -> Failed {
    let readers = Readers::new();
    let failed = readers.refused(&lab.source(known_hosts)).await;
    assert_eq!(failed.fault, Fault::Repository, "{failed:?}");
    failed
}

#[tokio::test]
async fn every_type_of_host_key_and_of_own_key_works() {
    for (host, own, passphrase) in [
        ("ed25519", "ed25519", None),
        ("ecdsa", "ecdsa", Some("canary passphrase")),
        ("rsa", "rsa", None),
        ("ed25519", "ed25519", Some("canary passphrase")),
        ("rsa", "rsa", Some("canary passphrase")),
    ] {
        let lab = Lab::new(own, passphrase, &["--host-key-type", host]);
        let readers = Readers::new();
        let listed = readers.fetch(&lab.source(lab.known_hosts()), "main").await;
        assert_eq!(listed.expect("fetched").revision.commit, lab.commit, "{host} {own}");
    }
}

#[tokio::test]
async fn an_unknown_changed_or_revoked_host_is_refused_by_name() {
    let lab = Lab::new("ed25519", None, &[]);
    let good = lab.known_hosts();
    let other = Key::make("ed25519", "");
    let host = good.split(' ').next().expect("host").to_owned();
    let fingerprint = Command::new("ssh-keygen").args(["-l", "-f", &lab.server.get("known_hosts_file")]).output();
    let fingerprint = String::from_utf8(fingerprint.expect("ssh-keygen").stdout).expect("UTF-8");
    let fingerprint = fingerprint.split(' ').nth(1).expect("fingerprint").to_owned();

    for known_hosts in ["", "other.example.com ssh-ed25519 AAAA", "# nothing"] {
        let failed = refused(&lab, known_hosts).await;
        assert_eq!(failed.reason, "HostKeyUnknown");
        assert!(failed.message.contains(&fingerprint), "{failed}");
        assert!(failed.hint.expect("hint").contains("ssh-keyscan"));
    }
    let changed = refused(&lab, &format!("{host} {}", other.public())).await;
    assert_eq!(changed.reason, "HostKeyChanged");
    assert!(changed.message.contains(&fingerprint), "{changed}");
    let revoked = refused(&lab, &format!("{good}\n@revoked {good}")).await;
    assert_eq!(revoked.reason, "HostKeyRevoked");
    let authority = refused(&lab, &format!("@cert-authority {good}")).await;
    assert_eq!(authority.reason, "HostKeyUnsupported");
    // Known by a key of a type that the host does not have at all.
    let rsa = Key::make("rsa", "");
    let otherwise = refused(&lab, &format!("{host} {}", rsa.public())).await;
    assert_eq!(otherwise.reason, "HostKeyUnknown");
    assert!(otherwise.message.contains("ssh-rsa") && otherwise.message.contains(&fingerprint), "{otherwise}");
}

#[tokio::test]
async fn hashed_and_wildcard_lines_are_understood() {
    let lab = Lab::new("ed25519", None, &[]);
    let good = lab.known_hosts();
    let (_, key) = good.trim().split_once(' ').expect("host and key");
    let folder = TempDir::new().expect("folder");
    let path = folder.path().join("known_hosts");
    fs::write(&path, &good).expect("known_hosts");
    let hashed = Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&path).status().expect("ssh-keygen");
    assert!(hashed.success());
    let hashed = fs::read_to_string(&path).expect("known_hosts");
    assert!(hashed.starts_with("|1|"), "{hashed}");
    for known_hosts in [hashed, format!("[127.0.0.*]:* {key}"), format!("nobody,{good}"), format!("\n#\n{good}\n\n")] {
        let readers = Readers::new();
        let listed = readers.fetch(&lab.source(known_hosts.clone()), "main").await;
        assert_eq!(listed.expect(&known_hosts).revision.commit, lab.commit);
    }
}

#[tokio::test]
async fn a_host_with_several_keys_is_asked_for_the_one_that_is_known() {
    let (rsa, ed25519) = (Key::make("rsa", ""), Key::make("ed25519", ""));
    let lab = Lab::new("ed25519", None, &["--host-key", &rsa.path("key"), "--host-key", &ed25519.path("key")]);
    let known = lab.known_hosts();
    let host = known.split(' ').next().expect("host");
    for key in [&rsa, &ed25519] {
        let readers = Readers::new();
        let source = lab.source(format!("{host} {}", key.public()));
        readers.fetch(&source, "main").await.expect("the known key is asked for");
    }
}

#[tokio::test]
async fn wrong_keys_passphrases_and_paths_are_told_apart() {
    let lab = Lab::new("ed25519", Some("canary passphrase"), &[]);
    let known_hosts = lab.known_hosts();
    let readers = Readers::new();
    let stranger = Key::make("ed25519", "");
    let with = |identity: Secret, passphrase: Option<&str>| {
        let mut source = lab.source(known_hosts.clone());
        let passphrase = passphrase.map(Secret::new);
        source.credentials = Credentials::Ssh { identity, passphrase, known_hosts: known_hosts.clone() };
        source
    };
    for (source, reason) in [
        (with(stranger.private(), None), "AuthenticationFailed"),
        (with(lab.key.private(), Some("canary wrong")), "InvalidCredentials"),
        (with(lab.key.private(), None), "InvalidCredentials"),
        (with(Secret::new("canary no key"), None), "InvalidCredentials"),
        (
            with(Secret::new("-----BEGIN OPENSSH PRIVATE KEY-----\ncanary\n-----END OPENSSH PRIVATE KEY-----\n"), None),
            "InvalidCredentials",
        ),
    ] {
        let failed = readers.refused(&source).await;
        assert_eq!((failed.reason.as_str(), failed.fault), (reason, Fault::Repository), "{failed}");
    }
    let mut gone = lab.source(known_hosts.clone());
    gone.url = lab.server.repository("gone");
    assert_eq!(readers.refused(&gone).await.reason, "RepositoryNotFound");
    let mut none = lab.source(known_hosts);
    none.credentials = Credentials::None;
    assert_eq!(readers.refused(&none).await.reason, "InvalidCredentials");
}

#[tokio::test]
async fn a_commit_that_no_reference_names_is_found_in_the_history_of_branches() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let first = app.push("first", &[("one.yaml", &config_map("one", "1"))]);
    app.push("second", &[("one.yaml", &config_map("one", "2"))]);
    let key = Key::make("ed25519", "");
    let server = serve("git-ssh", &["--root", &repositories.root(), "--authorized-keys", &key.path("key.pub")]);
    let mut source = Source::new(server.repository("app"));
    let known_hosts = server.get("known_hosts");
    source.credentials = Credentials::Ssh { identity: key.private(), passphrase: None, known_hosts };
    let readers = Readers::new();
    for (commit, expected) in [(first, Ok(())), ("1".repeat(40), Err("CommitUnavailable".to_owned()))] {
        let listed = readers.workers.refs(&source, &Wanted::Commit(commit.clone())).await.expect("listed");
        let fetched = readers.workers.fetch(&source, &listed).await;
        assert_eq!(fetched.as_ref().map(|_| ()).map_err(|e| e.reason.clone()), expected, "{fetched:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said() {
    let readers = Readers::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address").port();
    for url in [format!("ssh://git@127.0.0.1:{free}/app.git"), "ssh://git@nowhere.invalid/app.git".to_owned()] {
        let mut source = Source::new(url);
        let identity = Key::make("ed25519", "").private();
        source.credentials = Credentials::Ssh { identity, passphrase: None, known_hosts: String::new() };
        let failed = readers.refused(&source).await;
        assert_eq!((failed.reason.as_str(), failed.fault), ("ConnectFailed", Fault::Transient), "{failed}");
    }
}

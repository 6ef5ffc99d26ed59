//! Repositories through the agent: every way in by what a Secret holds, every way of naming a commit, Secrets that
//! change, and deliveries of webhooks.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;

use crate::git_remote::{Repositories, serve};
use crate::lab::manifests::config;
use crate::lab::{Lab, Repo, Tenant, condition_of, run, wait_for};

/// Applies a Secret of a tenant.
fn secret(lab: &Lab, tenant: &Tenant<'_>, name: &str, data: &[(&str, &str)]) {
    let data: BTreeMap<_, _> = data.iter().copied().collect();
    let metadata = json!({"name": name, "namespace": tenant.namespace});
    lab.apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}).to_string());
}

/// Waits until a Repository's Ready has this reason and words; its condition.
fn wait_ready(lab: &Lab, tenant: &Tenant<'_>, repository: &str, reason: &str, words: &str) -> Value {
    let told = lab.wait(&tenant.namespace, &format!("repository/{repository}"), |object| {
        let ready = condition_of(object, "Ready").cloned().unwrap_or_default();
        let says = ready["message"].as_str().is_some_and(|text| text.contains(words));
        if ready["reason"] == reason && says { Ok(()) } else { Err(format!("{:#}", object["status"])) }
    });
    assert!(!told.to_string().contains("canary"), "{told:#}");
    told
}

fn ssh_key(folder: &TempDir, name: &str, passphrase: &str) -> String {
    let path = folder.path().join(name);
    run(Command::new("ssh-keygen").args(["-q", "-a", "1", "-t", "ed25519", "-N", passphrase, "-f"]).arg(&path));
    fs::read_to_string(path).expect("a key")
}

/// A Repository whose way in stands in Secrets, and what comes of it.
struct Way {
    name: &'static str,
    url: String,
    /// Data of the Secrets by the field of `spec.auth` that names them.
    secrets: Value,
    reason: &'static str,
    words: &'static str,
}

fn way(name: &'static str, url: &str, secrets: Value, reason: &'static str, words: &'static str) -> Way {
    Way { name, url: url.to_owned(), secrets, reason, words }
}

impl Way {
    /// Its Secrets and its Repository.
    fn manifests(&self, tenant: &Tenant<'_>) -> String {
        let mut all = String::new();
        let mut auth = serde_json::Map::new();
        for (field, data) in self.secrets.as_object().expect("an object") {
            let name = format!("{}-{}", self.name, field.to_lowercase());
            let metadata = json!({"name": name, "namespace": tenant.namespace});
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data});
            all.push_str(&format!("---\n{secret}\n"));
            auth.insert(field.clone(), json!({"name": name}));
        }
        let more = format!("serviceAccountName: deployer, auth: {}", Value::Object(auth));
        all + &tenant.repository_yaml(self.name, &self.url, &more)
    }
}

#[test]
fn every_way_in_that_a_secret_can_hold_leads_to_the_commit_and_no_other_does() {
    const DENIED: &str = "AuthenticationFailed";
    const INVALID: &str = "InvalidSecret";
    let lab = Lab::shared();
    let tenant = Tenant::new(lab);
    let repositories = Repositories::new();
    let commit = repositories.create("app").push("first", &[("deploy/a.yaml", &config("a", "{v: '1'}"))]);
    let root = repositories.root();
    let http = |more: &[&str]| serve("git-http", &[&["--root", &root], more].concat());
    let password = http(&["--user", "ada", "--password", "canary-right"]);
    let bearer = http(&["--bearer", "canary-right"]);
    let (tls, mutual, plain) = (http(&["--tls"]), http(&["--tls", "--mtls"]), http(&[]));
    let proxy = serve("proxy", &["--user", "ada", "--password", "canary-right"]);
    let keys = TempDir::new().expect("folder");
    let (identity, other) = (ssh_key(&keys, "own", "canary phrase"), ssh_key(&keys, "other", ""));
    let public = |name: &str| keys.path().join(format!("{name}.pub"));
    let ssh = serve("git-ssh", &["--root", &root, "--authorized-keys", &public("own").display().to_string()]);
    let known = ssh.get("known_hosts");
    let host = known.split(' ').next().expect("host");
    let changed = format!("{host} {}", fs::read_to_string(public("other")).expect("a public key"));
    let revoked = format!("{known}\n@revoked {known}");
    let asked = || proxy.file("access_log").lines().count();
    let before = asked();

    let password = password.repository("app");
    let bearer = bearer.repository("app");
    let (of_tls, of_mutual, of_plain, of_ssh) =
        (tls.repository("app"), mutual.repository("app"), plain.repository("app"), ssh.repository("app"));
    let login = |password: &str| json!({"secretRef": {"username": "ada", "password": password}});
    let token = |token: &str| json!({"secretRef": {"bearerToken": token}});
    let authority = |file: String| json!({"caSecretRef": {"ca.crt": file}});
    let certified = |data: Value| json!({"secretRef": data, "caSecretRef": {"ca.crt": mutual.file("ca_file")}});
    let through = |more: Value| {
        let mut data = json!({"address": proxy.get("url")});
        data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!({"proxySecretRef": data})
    };
    let shell =
        |identity: &str, known_hosts: &str| json!({"secretRef": {"identity": identity, "known_hosts": known_hosts}});
    let unlocked =
        |phrase: &str| json!({"secretRef": {"identity": identity, "known_hosts": known, "password": phrase}});
    let (certificate, key) = (mutual.file("client_cert_file"), mutual.file("client_key_file"));
    let ways = [
        way("basic", &password, login("canary-right"), "Succeeded", ""),
        way("basic-wrong", &password, login("canary-wrong"), DENIED, ""),
        way("basic-none", &password, json!({}), DENIED, ""),
        way("basic-half", &password, json!({"secretRef": {"username": "ada"}}), INVALID, "username and password"),
        way("bearer", &bearer, token("canary-right\n"), "Succeeded", ""),
        way("bearer-wrong", &bearer, token("canary-wrong"), DENIED, ""),
        way("tls", &of_tls, authority(tls.file("ca_file")), "Succeeded", ""),
        way("tls-none", &of_tls, json!({}), "TlsFailed", ""),
        way("tls-other", &of_tls, authority(mutual.file("ca_file")), "TlsFailed", ""),
        way("tls-half", &of_tls, json!({"caSecretRef": {"certificate": "canary"}}), INVALID, "ca.crt"),
        way("mtls", &of_mutual, certified(json!({"tls.crt": certificate, "tls.key": key})), "Succeeded", ""),
        way("mtls-none", &of_mutual, authority(mutual.file("ca_file")), DENIED, ""),
        way("mtls-half", &of_mutual, certified(json!({"tls.crt": certificate})), INVALID, "tls.key"),
        way("proxy", &of_plain, through(json!({"username": "ada", "password": "canary-right"})), "Succeeded", ""),
        way(
            "proxy-wrong",
            &of_plain,
            through(json!({"username": "ada", "password": "canary-wrong"})),
            "ProxyFailed",
            "",
        ),
        way("proxy-half", &of_plain, through(json!({"username": "ada"})), INVALID, "username and password"),
        way("ssh", &of_ssh, unlocked("canary phrase"), "Succeeded", ""),
        way("ssh-locked", &of_ssh, unlocked("canary"), "InvalidCredentials", "passphrase"),
        way("ssh-other", &of_ssh, shell(&other, &known), DENIED, ""),
        way("ssh-unknown", &of_ssh, shell(&other, "# nobody\n"), "HostKeyUnknown", ""),
        way("ssh-changed", &of_ssh, shell(&other, &changed), "HostKeyChanged", ""),
        way("ssh-revoked", &of_ssh, shell(&other, &revoked), "HostKeyRevoked", ""),
        way("ssh-half", &of_ssh, json!({"secretRef": {"identity": "canary"}}), INVALID, "known_hosts"),
    ];
    lab.apply(&ways.iter().map(|way| way.manifests(&tenant)).collect::<String>());
    for Way { name, reason, words, .. } in &ways {
        let told = wait_ready(lab, &tenant, name, reason, words);
        let wanted = (*reason == "Succeeded").then(|| format!("main@sha1:{commit}"));
        assert_eq!(told["status"]["revision"].as_str(), wanted.as_deref(), "{name}: {told:#}");
    }
    assert!(asked() > before, "the proxy was not asked");
}

#[test]
fn every_way_of_naming_a_commit_deploys_that_one() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let push = |value: &str| {
        for (name, _) in NAMED {
            repo.write(&format!("{name}/a.yaml"), &config(name, &format!("{{v: '{value}'}}")));
        }
        repo.push(value)
    };
    /// Name, and which of the four commits it is.
    const NAMED: [(&str, usize); 6] =
        [("branch", 3), ("tag", 0), ("semver", 1), ("range", 2), ("full", 2), ("commit", 1)];
    let mut commits = vec![push("0")];
    repo.git(&["tag", "-a", "v1.0.0", "-m", "annotated"]);
    commits.push(push("1"));
    repo.git(&["tag", "v1.1.0"]);
    commits.push(push("2"));
    repo.git(&["tag", "v2.0.0-rc.1"]);
    repo.git(&["tag", "v1.2.0"]);
    repo.git(&["push", "-q", "origin", "--tags", "HEAD:refs/pull/7/head"]);
    commits.push(push("3"));
    let reference = |name: &str| match name {
        "branch" => "{branch: main}".to_owned(),
        "tag" => "{tag: v1.0.0}".to_owned(),
        "semver" => "{semver: '>=1.0.0, <1.2.0'}".to_owned(),
        "range" => "{semver: '>=1'}".to_owned(),
        "full" => "{name: refs/pull/7/head}".to_owned(),
        _ => format!("{{commit: {}}}", commits[1]),
    };
    let all: String = NAMED
        .iter()
        .map(|(name, _)| {
            let of_name = tenant.repository_yaml(name, &repo.url, "interval: 1s");
            of_name.replace("{branch: main}", &reference(name))
                + &tenant
                    .sync_yaml(name, name, "")
                    .replace("repositoryRef: {name: repo}", &format!("repositoryRef: {{name: {name}}}"))
        })
        .collect();
    lab.apply(&all);
    for (name, which) in NAMED {
        tenant.wait_applied(name, &commits[which]);
        assert_eq!(lab.get(&tenant.namespace, &format!("configmap/{name}"))["data"]["v"], which.to_string(), "{name}");
    }
    // A newer tag within the range is followed, and one outside it is not.
    repo.git(&["tag", "v1.1.9", &commits[3]]);
    repo.git(&["push", "-q", "origin", "--tags"]);
    tenant.wait_applied("semver", &commits[3]);
    assert_eq!(lab.get(&tenant.namespace, "configmap/range")["data"]["v"], "2");
}

/// The next poll is an hour away, and after a failure no sooner.
#[test]
fn another_credential_counts_as_soon_as_its_secret_has_it() {
    let lab = Lab::shared();
    let tenant = Tenant::new(lab);
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let first = app.push("first", &[("deploy/a.yaml", &config("a", "{v: '1'}"))]);
    let server = serve("git-http", &["--root", &repositories.root(), "--user", "ada", "--password", "canary-right"]);
    let password = |password: &str| secret(lab, &tenant, "git", &[("username", "ada"), ("password", password)]);
    password("canary-wrong");
    let more = "interval: 1h, serviceAccountName: deployer, auth: {secretRef: {name: git}}";
    tenant.repository_at("repo", &server.repository("app"), more);
    tenant.sync("sync", "deploy", "");
    wait_ready(lab, &tenant, "repo", "AuthenticationFailed", "");
    password("canary-right");
    tenant.wait_applied("sync", &first);
    password("canary-wrong");
    wait_ready(lab, &tenant, "repo", "AuthenticationFailed", "");
    lab.k(&["-n", &tenant.namespace, "delete", "secret", "git"]);
    wait_ready(lab, &tenant, "repo", "SecretNotFound", "git does not exist");
    let second = app.push("second", &[("deploy/a.yaml", &config("a", "{v: '2'}"))]);
    password("canary-right");
    tenant.wait_applied("sync", &second);
    lab.wait_event(&tenant.namespace, "AuthenticationFailed", &[]);
    lab.wait_event(&tenant.namespace, "SecretNotFound", &["git does not exist"]);

    // At rest nothing is asked: the watch says that nothing has changed.
    let reads = |verb: &'static str| {
        let of_secret = lab.audit(&tenant.namespace, |event| {
            event["objectRef"]["namespace"] == tenant.namespace.as_str()
                && event["objectRef"]["resource"] == "secrets"
                && event["verb"] == verb
                && event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("tandem/"))
        });
        of_secret.len()
    };
    let before = reads("get");
    assert_ne!(before, 0);
    for round in 0..3 {
        let at = format!("tandemcd.io/requestedAt=round-{round}");
        lab.k(&["-n", &tenant.namespace, "annotate", "--overwrite", "repository", "repo", &at]);
        lab.wait(&tenant.namespace, "repository/repo", |object| {
            match object["status"]["lastHandledReconcileAt"].as_str() {
                Some(handled) if at.ends_with(handled) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
    }
    assert_eq!(reads("get"), before);
}

/// An account that may only get its Secret: a new value counts from the next poll on.
#[test]
fn an_account_that_may_not_watch_is_asked_at_every_poll() {
    let lab = Lab::shared();
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let repositories = Repositories::new();
    let first = repositories.create("app").push("first", &[("deploy/a.yaml", &config("a", "{v: '1'}"))]);
    let server = serve("git-http", &["--root", &repositories.root(), "--user", "ada", "--password", "canary-right"]);
    lab.apply(&format!(
        "
{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: reader, namespace: {namespace}}}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reader, namespace: {namespace}}}
rules:
- {{apiGroups: [''], resources: [secrets], resourceNames: [git], verbs: [get]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reader, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects: [{{kind: ServiceAccount, name: reader, namespace: {namespace}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: tandem-as-deployer, namespace: {namespace}}}
rules:
- {{apiGroups: [''], resources: [serviceaccounts], resourceNames: [deployer, reader], verbs: [impersonate]}}
"
    ));
    secret(lab, &tenant, "git", &[("username", "ada"), ("password", "canary-wrong")]);
    let more = "interval: 1s, serviceAccountName: reader, auth: {secretRef: {name: git}}";
    tenant.repository_at("repo", &server.repository("app"), more);
    wait_ready(lab, &tenant, "repo", "AuthenticationFailed", "");
    secret(lab, &tenant, "git", &[("username", "ada"), ("password", "canary-right")]);
    tenant.sync("sync", "deploy", "");
    tenant.wait_applied("sync", &first);
}

/// The status line of the agent's answer to a delivery.
fn deliver(path: &str, key: &str, body: &[u8]) -> String {
    let address = Lab::shared_agent().address();
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key");
    mac.update(body);
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\nX-Tandem-Signature: sha256={signature}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(&address).expect("the agent listens");
    stream.write_all(head.as_bytes()).expect("the head is sent");
    // It may answer and close before it has read everything.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or("none").to_owned()
}

#[test]
fn a_delivery_is_believed_with_the_key_of_now_and_parsed_only_then() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/a.yaml", &config("a", "{v: '1'}"));
    let first = repo.push("first");
    let key = |key: &str| secret(lab, &tenant, "hook", &[("token", key)]);
    key("canary-one");
    tenant.repository_at(
        "repo",
        &repo.url,
        "interval: 1h, serviceAccountName: deployer, webhook: {secretRef: {name: hook}}",
    );
    tenant.sync("sync", "deploy", "");
    tenant.wait_applied("sync", &first);
    let path = lab.get(namespace, "repository/repo")["status"]["webhookPath"].as_str().expect("a path").to_owned();
    let answers = |key: &str, status: &str| {
        let asked = Instant::now();
        wait_for(&format!("{status} for {key:?}"), || match deliver(&path, key, b"{}") {
            told if told == status => Ok(()),
            // Deliveries of one address are bounded, and others send from here too.
            told => Err(format!("{told} after {:.1?}", asked.elapsed())),
        });
    };
    answers("canary-one", "202");
    repo.write("deploy/a.yaml", &config("a", "{v: '2'}"));
    let second = repo.push("second");
    answers("canary-one", "202");
    tenant.wait_applied("sync", &second);

    // Who has no key learns nothing of what would be wrong with the body.
    let large = vec![b'x'; (5 << 20) + 1];
    for (body, with_key, without) in [(&b"{\"repository\":"[..], "400", "401"), (&large, "413", "413")] {
        assert_eq!(deliver(&path, "canary-one", body), with_key);
        assert_eq!(deliver(&path, "canary-none", body), without);
    }
    assert_eq!(deliver("/webhook/0123456789abcdef0123456789abcdef", "canary-one", b"{}"), "404");

    // Another key counts at once, and the former one no longer.
    key("canary-two");
    answers("canary-two", "202");
    assert_eq!(deliver(&path, "canary-one", b"{}"), "401");
    repo.write("deploy/a.yaml", &config("a", "{v: '3'}"));
    let third = repo.push("third");
    answers("canary-two", "202");
    tenant.wait_applied("sync", &third);
    key(" \n");
    answers("canary-two", "404");
    assert_eq!(deliver(&path, "", b"{}"), "404", "everybody knows the empty key");
    key("canary-three");
    answers("canary-three", "202");
    lab.k(&["-n", namespace, "delete", "secret", "hook"]);
    answers("canary-three", "404");
    key("canary-three");
    answers("canary-three", "202");
    lab.k(&["-n", namespace, "patch", "repository", "repo", "--type=merge", "-p", "{\"spec\": {\"webhook\": null}}"]);
    answers("canary-three", "404");
}

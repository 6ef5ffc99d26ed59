//! What the agent tells besides conditions: metrics and log by what a commit does, and no secret in anything.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::git_remote::{Repositories, serve};
use crate::lab::manifests::{config, deployment};
use crate::lab::{Agent, Lab, Repo, Tenant, both, tandem, wait_for};

/// A value of `/metrics`; nothing is 0.
fn metric(agent: &Agent, name: &str) -> f64 {
    let told = agent.http("/metrics").expect("metrics");
    told.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0.0)
}

/// Lines of the log, each a JSON object.
fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

#[test]
fn the_clocks_of_a_commit_end_when_it_is_applied_and_when_it_is_healthy() {
    let lab = Lab::start("tell");
    let agent = Agent::start(&lab);
    let (tenant, repo) = (Tenant::new(&lab), Repo::new());
    let clocks = || {
        let of = |clock: &str| metric(&agent, &format!("tandem_commit_to_{clock}_seconds_count "));
        (of("applied"), of("healthy"))
    };
    assert_eq!(clocks(), (0.0, 0.0));
    let well = deployment("web", "replicas: 1", "registry.example.com/web:1");
    repo.write("deploy/web.yaml", &well);
    let (began, first) = (Instant::now(), repo.push("web"));
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    wait_for("both clocks to end", || if clocks() == (1.0, 1.0) { Ok(()) } else { Err(format!("{:?}", clocks())) });
    let sum = |clock: &str| metric(&agent, &format!("tandem_commit_to_{clock}_seconds_sum "));
    let (applied, healthy, passed) = (sum("applied"), sum("healthy"), began.elapsed().as_secs_f64());
    assert!(0.0 < applied && applied <= healthy && healthy < passed, "{applied} {healthy} {passed}");

    // Applied, and not healthy: no node takes its Pod.
    repo.write(
        "deploy/web.yaml",
        &well.replace("spec: {containers", "spec: {nodeSelector: {disk: none-such}, containers"),
    );
    let second = repo.push("a web that does not come up");
    lab.wait(&tenant.namespace, "sync/sync", |sync| match sync["status"]["appliedRevision"].as_str() {
        Some(revision) if revision.ends_with(&second) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(clocks(), (2.0, 1.0));
    // Refused, and neither.
    repo.write("deploy/bad.yaml", &deployment("bad", "replicas: -1", "x"));
    let refused = repo.push("and one that is refused");
    tenant.wait_message("sync", "Ready", &[&refused, "spec.replicas"]);
    assert_eq!(clocks(), (2.0, 1.0));
    repo.remove("deploy/bad.yaml");
    repo.write("deploy/web.yaml", &well.replace("web:1", "web:2"));
    let fourth = repo.push("one that does");
    tenant.wait_applied("sync", &fourth);
    wait_for("both clocks to end", || if clocks() == (3.0, 2.0) { Ok(()) } else { Err(format!("{:?}", clocks())) });
    // A commit that changes nothing for the Sync is none of its news.
    repo.write("README", "hello");
    let fifth = repo.push("a word");
    lab.wait(&tenant.namespace, "repository/repo", |object| match object["status"]["revision"].as_str() {
        Some(revision) if revision.ends_with(&fifth) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(clocks(), (3.0, 2.0));

    // Other numbers that dashboards are made of.
    for (name, least) in [
        ("tandem_run_duration_seconds_count{stage=\"render\"} ", 4.0),
        ("tandem_run_duration_seconds_count{stage=\"apply\"} ", 3.0),
        ("tandem_api_requests_total{code=\"201\",verb=\"apply\"} ", 1.0),
        ("tandem_api_requests_total{code=\"200\",verb=\"dryrun\"} ", 1.0),
        ("tandem_git_fetches_total{result=\"fetched\"} ", 5.0),
        ("tandem_git_received_bytes_total ", 100.0),
        ("tandem_git_refs_duration_seconds_count ", 5.0),
    ] {
        assert!(metric(&agent, name) >= least, "{name}: {}", metric(&agent, name));
    }
    let of_sync = format!("namespace=\"{}\",", tenant.namespace);
    assert_eq!(metric(&agent, &format!("tandem_objects{{{of_sync}status=\"Current\",sync=\"sync\"}} ")), 1.0);
    assert_eq!(metric(&agent, &format!("tandem_sync_ready{{{of_sync}sync=\"sync\"}} ")), 1.0);
    assert_eq!((metric(&agent, "tandem_runs_in_flight "), metric(&agent, "tandem_queue_depth ")), (0.0, 0.0));

    // One span for each run: its lines say which run of which Sync at which revision they are of.
    let log = lines(&agent.log());
    let sync = format!("{}/sync", tenant.namespace);
    let runs: Vec<_> = log.iter().filter(|line| line["fields"]["message"] == "run").collect();
    for line in &runs {
        let span = &line["span"];
        assert_eq!((&span["name"], &span["sync"]), (&json!("run"), &json!(sync)), "{line}");
        assert!(
            span["revision"].as_str().is_some_and(|r| r.starts_with("main@sha1:")) && span["run"].is_u64(),
            "{line}"
        );
        assert!(line["spans"].is_null() && line["fields"]["reason"].is_string(), "{line}");
    }
    let spans: BTreeSet<_> =
        runs.iter().map(|line| (line["span"]["revision"].to_string(), line["span"]["run"].as_u64())).collect();
    assert_eq!(spans.len(), runs.len(), "{runs:#?}");
    for commit in [&first, &second, &refused, &fourth] {
        assert!(spans.iter().any(|(revision, _)| revision.contains(commit.as_str())), "{commit} in {spans:?}");
    }
    assert!(log.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()));
}

const CANARY: &str = "canary-7f3a91";
/// The same as base64 has it, at each of the three places where it may begin.
const ENCODED: [&str; 3] = ["Y2FuYXJ5LTdmM2E5M", "NhbmFyeS03ZjNhOT", "jYW5hcnktN2YzYTkx"];

/// Delivers as GitLab does, with the key in a header; the whole answer.
fn deliver(address: &str, path: &str, key: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nX-Gitlab-Event: Push Hook\r\nX-Gitlab-Token: {key}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

/// Holds that none of these texts tells the canary.
#[track_caller]
fn untold(texts: &[(String, String)]) {
    for (place, text) in texts {
        for canary in [CANARY].into_iter().chain(ENCODED) {
            let found = text.lines().find(|line| line.contains(canary));
            assert!(found.is_none(), "{place} tells a secret: {found:?}");
        }
    }
}

/// All files below a folder that hold a text as it is.
fn files_with(folder: &Path, text: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            files_with(&path, text, found);
        } else if fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes())) {
            found.push(path.display().to_string());
        }
    }
}

/// A canary in every place where a secret may stand, and a search through all that the agent and the command line say.
/// The agent says all that it ever does: its log is at its finest.
#[test]
fn no_secret_of_any_input_stands_in_any_output() {
    let lab = Lab::start("canary");
    let agent = Agent::start_with(&lab, &["--log", "trace"]);
    let (tenant, repositories) = (Tenant::new(&lab), Repositories::new());
    let namespace = tenant.namespace.as_str();
    let app = repositories.create("app");
    let root = repositories.root();

    // In Secrets of Repositories: right ones, wrong ones, and some that are none.
    let right = format!("{CANARY}-right");
    let basic = serve("git-http", &["--root", &root, "--user", "ada", "--password", &right]);
    let bearer = serve("git-http", &["--root", &root, "--bearer", &right]);
    let tls = serve("git-http", &["--root", &root, "--tls", "--mtls"]);
    let plain = serve("git-http", &["--root", &root]);
    let proxy = serve("proxy", &["--user", "ada", "--password", &right]);
    let keys = tempfile::tempdir().expect("a folder");
    fs::write(keys.path().join("keys"), "").expect("no key may log in");
    let ssh =
        serve("git-ssh", &["--root", &root, "--authorized-keys", &keys.path().join("keys").display().to_string()]);
    let (wrong, pem) =
        (format!("{CANARY}-wrong"), format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n"));
    let proxied = proxy.get("url");
    let address = proxied.replacen("http://", &format!("http://ada:{CANARY}@"), 1);
    let rows: [(&str, String, &str, Value); 9] = [
        ("repo", basic.repository("app"), "secretRef", json!({"username": "ada", "password": right})),
        ("wrong", basic.repository("app"), "secretRef", json!({"username": CANARY, "password": wrong})),
        ("bearer", bearer.repository("app"), "secretRef", json!({"bearerToken": wrong})),
        ("odd", bearer.repository("app"), "secretRef", json!({"bearerToken": format!("{CANARY}\u{1}\n{CANARY}")})),
        ("mtls", tls.repository("app"), "secretRef", json!({"tls.crt": pem, "tls.key": pem})),
        ("ca", tls.repository("app"), "caSecretRef", json!({"ca.crt": pem})),
        (
            "proxy",
            plain.repository("app"),
            "proxySecretRef",
            json!({"address": proxied, "username": "ada", "password": wrong}),
        ),
        ("address", plain.repository("app"), "proxySecretRef", json!({"address": address})),
        (
            "ssh",
            ssh.repository("app"),
            "secretRef",
            json!({"identity": pem, "known_hosts": ssh.get("known_hosts"), "password": wrong}),
        ),
    ];
    let mut all = String::new();
    for (name, url, field, data) in &rows {
        let metadata = json!({"name": name, "namespace": namespace});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data});
        all.push_str(&format!("---\n{secret}\n"));
        let hook = if *name == "repo" { ", webhook: {secretRef: {name: hook}}" } else { "" };
        let more = format!("interval: 1s, serviceAccountName: deployer, auth: {{{field}: {{name: {name}}}}}{hook}");
        all.push_str(&tenant.repository_yaml(name, url, &more));
    }
    let hook = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hook", "namespace": namespace}, "stringData": {"token": CANARY}});
    lab.apply(&format!("{all}---\n{hook}\n"));

    // In manifests.
    let secret =
        |name: &str, more: &str| format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\n{more}\n");
    let dump = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: dump\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: '{{\"data\":{{\"a\":\"{CANARY}\"}}}}'\ndata: {{a: {}}}\n",
        "Y2FuYXJ5LTdmM2E5MQ=="
    );
    let web = deployment("web", "replicas: 1", "registry.example.com/web:1");
    let good =
        [secret("plain", &format!("stringData: {{token: '{CANARY}-1'}}")), dump, web, config("open", "{v: '1'}")]
            .concat();
    let generator =
        format!("secretGenerator: [{{name: made, literals: ['token={CANARY}-1']}}]\nresources: [all.yaml]\n");
    let first = app.push("secrets", &[("deploy/all.yaml", &good), ("deploy/kustomization.yaml", &generator)]);
    tenant.sync("sync", "deploy", "");
    tenant.wait_applied("sync", &first);
    let patch = format!("{{\"stringData\": {{\"token\": \"{CANARY}-by-hand\"}}}}");
    lab.k(&["-n", namespace, "patch", "secret", "plain", "-p", &patch]);
    lab.wait(namespace, "secret/plain", |object| match object["data"]["token"].as_str() {
        Some("Y2FuYXJ5LTdmM2E5MS0x") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    // Commits that are refused, each for another reason, at another stage.
    let refused = [
        secret(
            "docker",
            &format!("type: kubernetes.io/dockerconfigjson\nstringData: {{.dockerconfigjson: '{CANARY}-3'}}"),
        ),
        secret("data", &format!("data: {{token: '{CANARY}!'}}")),
        secret("number", &format!("data: {{token: {{{CANARY}: 1}}}}")),
        secret("twice", &format!("stringData: {{token: '{CANARY}-4', token: '{CANARY}-5'}}")),
        secret("broken", &format!("stringData: {{token: '{CANARY}-6\n")),
        secret("indent", &format!("stringData:\n  token: a\n {CANARY}: b\n   - {CANARY}")),
        format!("---\nkind: Secret\nstringData: {{token: '{CANARY}'}}\n"),
    ];
    for (n, bad) in refused.iter().enumerate() {
        let commit = app.push(&format!("refused {n}"), &[("deploy/all.yaml", &(good.clone() + bad))]);
        let sync = lab.wait(namespace, "sync/sync", |sync| {
            let attempted = sync["status"]["attemptedRevision"].as_str().is_some_and(|r| r.ends_with(&commit));
            let problems = sync["status"]["problems"].as_array().is_some_and(|problems| !problems.is_empty());
            if attempted && problems { Ok(()) } else { Err(format!("{bad}: {:#}", sync["status"])) }
        });
        untold(&[(format!("the status of {bad}"), sync.to_string())]);
    }
    for (name, ..) in &rows[1..] {
        lab.wait(namespace, &format!("repository/{name}"), |object| {
            let ready = crate::lab::condition_of(object, "Ready").is_some_and(|c| c["status"] == "False");
            if ready { Ok(()) } else { Err(format!("{name}: {:#}", object["status"])) }
        });
    }

    // In what is delivered: a key that is the right one, one that is not, and a body that says more than it should.
    let path = lab.get(namespace, "repository/repo")["status"]["webhookPath"].as_str().expect("a path").to_owned();
    let mut answers = Vec::new();
    for (key, body) in [
        (CANARY.to_owned(), json!({"ref": "refs/heads/main", "note": CANARY})),
        (format!("{CANARY}-wrong"), json!({"ref": CANARY})),
        (CANARY.to_owned(), json!({"repository": {"full_name": [CANARY]}})),
        (CANARY.to_owned(), json!({"ref": format!("refs/heads/{CANARY}"), "repository": {"full_name": CANARY}})),
    ] {
        answers.push(deliver(&agent.address(), &path, &key, &body.to_string()));
        answers.push(deliver(&agent.address(), "/webhook", &key, &body.to_string()));
    }
    let codes: Vec<&str> = answers.iter().map(|answer| answer.split(' ').nth(1).unwrap_or_default()).collect();
    assert_eq!(codes, ["202", "202", "401", "401", "400", "400", "202", "404"], "{answers:#?}");

    let mut texts =
        vec![("the log".to_owned(), agent.log()), ("/metrics".to_owned(), agent.http("/metrics").expect("metrics"))];
    assert!(texts[0].1.lines().count() > 200 && texts[0].1.contains("\"TRACE\""), "the log is at its finest");
    texts.extend(answers.into_iter().map(|answer| ("an answer to a delivery".to_owned(), answer)));
    for what in
        ["syncs,repositories,inventories,acceptances,standards", "events", "leases", "deployments", "configmaps"]
    {
        texts.push((what.to_owned(), lab.k(&["-n", namespace, "get", what, "-o", "yaml", "--show-managed-fields"])));
    }
    let commands: &[&[&str]] = &[
        &["plan", "deploy", "-n", namespace],
        &["plan", "deploy", "-n", namespace, "-o", "json"],
        &["plan", "deploy", "--sync", "sync", "-n", namespace],
        &["diff", "sync", "-n", namespace],
        &["diff", "sync", "-n", namespace, "--path", "deploy"],
        &["status", "sync", "-n", namespace],
        &["status", "--revision", "HEAD", "-n", namespace],
        &["get", "-n", namespace, "-o", "yaml"],
        &["tree", "sync", "-n", namespace],
        &["tree", "sync", "-n", namespace, "-o", "json"],
        &["doctor", "-n", namespace],
        &["reconcile", "repository/wrong", "-n", namespace],
    ];
    let said = |text: &str| {
        app.push(text, &[("deploy/all.yaml", text)]);
        let mut told = Vec::new();
        for command in commands {
            let mut tandem = tandem();
            tandem.args(*command).current_dir(&app.path).env("KUBECONFIG", lab.kubeconfig());
            told.push((command.join(" "), both(&tandem.output().expect("tandem runs"))));
        }
        told
    };
    texts.extend(said(&good.replace("-1'", "-9'")));
    for bad in &refused {
        texts.extend(said(&(good.clone() + bad)));
    }
    let planned =
        texts.iter().filter(|(place, text)| place.starts_with("plan deploy") && text.contains("Secret")).count();
    assert!(planned >= 3, "plans speak of the Secrets");
    untold(&texts);

    // Neither in what processes of this machine show to others, nor on disk in the clear.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", agent.pid())).expect("children");
    for pid in children.split_whitespace().chain([agent.pid().to_string().as_str()]) {
        for file in ["cmdline", "environ"] {
            let shown = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            untold(&[(format!("{file} of {pid}"), String::from_utf8_lossy(&shown).into_owned())]);
        }
    }
    let mut on_disk = Vec::new();
    files_with(&agent.cache(), CANARY, &mut on_disk);
    assert_eq!(on_disk, [""; 0]);
}

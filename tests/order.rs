//! Order between Syncs, suspension, requests, shadow mode, rights, and that no secret is told.

use crate::lab::manifests::{config, deployment};
use crate::lab::{Lab, Repo, Tenant, condition_of, wait_for};

fn config_map(name: &str, value: &str) -> String {
    config(name, &format!("{{value: '{value}'}}"))
}

/// When the API server stored the change of a commit: the first write of it in the audit log.
fn first_write(lab: &Lab, namespace: &str, name: &str, commit: &str) -> String {
    let written = lab.audit(|event| {
        event["objectRef"]["namespace"] == namespace
            && event["objectRef"]["name"] == name
            && event["verb"] == "patch"
            && event["userAgent"].as_str().is_some_and(|agent| agent.contains(commit))
            && !event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun"))
    });
    written.first().map(|e| e["stageTimestamp"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
}

#[test]
fn b_writes_nothing_before_a_is_healthy_at_the_same_commit() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("a/app.yaml", &deployment("a", "replicas: 1", "registry.example.com/a:1"));
    repo.write("b/config.yaml", &config_map("b", "1"));
    repo.push("both");
    tenant.repository("repo", &repo);
    tenant.sync("b", "b", "dependsOn: [{name: a}]");
    let waiting = tenant.wait_reason("b", "Ready", "DependencyNotReady");
    let message = condition_of(&waiting, "Ready").expect("Ready")["message"].to_string();
    assert!(message.contains(&format!("{namespace}/a")), "names what is missing: {message}");
    assert!(lab.absent(namespace, "configmap/b"));
    tenant.sync("a", "a", "");
    lab.wait(namespace, "configmap/b", |_| Ok(()));

    // Both change in one commit, and a cannot become healthy: no node takes its Pods.
    let broken = deployment("a", "replicas: 1", "registry.example.com/a:2")
        .replace("spec: {containers", "spec: {nodeSelector: {disk: none-such}, containers");
    repo.write("a/app.yaml", &broken);
    repo.write("b/config.yaml", &config_map("b", "2"));
    let held = repo.push("both, and a is broken");
    lab.wait(namespace, "sync/a", |sync| {
        let applied = sync["status"]["appliedRevision"].as_str().unwrap_or_default();
        if applied.ends_with(&held) { Ok(()) } else { Err(format!("{:#}", sync["status"])) }
    });
    tenant.wait_reason("b", "Ready", "DependencyNotReady");
    assert_eq!(lab.get(namespace, "configmap/b")["data"]["value"], "1");

    // The fix is not held up by what it fixes, and b follows a.
    repo.write("a/app.yaml", &deployment("a", "replicas: 1", "registry.example.com/a:3"));
    let fixed = repo.push("a is well again");
    tenant.wait_applied("a", &fixed);
    lab.wait(namespace, "configmap/b", |object| match object["data"]["value"].as_str() {
        Some("2") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert!(first_write(lab, namespace, "a", &fixed) < first_write(lab, namespace, "b", &fixed));

    tenant.sync("one", "b", "dependsOn: [{name: two}]");
    tenant.sync("two", "b", "dependsOn: [{name: one}]");
    tenant.wait_reason("one", "Ready", "DependencyCycle");
    tenant.wait_reason("two", "Ready", "DependencyCycle");
}

#[test]
fn it_waits_for_an_object_of_any_kind_without_polling() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/config.yaml", &config_map("after", "1"));
    let commit = repo.push("after the gate");
    tenant.repository("repo", &repo);
    let gate = "dependsOn: [{kind: ConfigMap, apiVersion: v1, name: gate, ready: \"object.data.open == 'yes'\"}]";
    tenant.sync("sync", "deploy", gate);
    tenant.wait_reason("sync", "Ready", "DependencyNotReady");
    lab.apply(&format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: gate, namespace: {namespace}}}\ndata: {{open: 'no'}}"
    ));
    assert!(lab.absent(namespace, "configmap/after"));
    lab.k(&["-n", namespace, "patch", "configmap", "gate", "-p", "{\"data\": {\"open\": \"yes\"}}"]);
    tenant.wait_applied("sync", &commit);
}

#[test]
fn suspended_it_rests_and_asked_it_answers() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/config.yaml", &config_map("web", "1"));
    let first = repo.push("first");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    lab.k(&["-n", namespace, "patch", "sync", "sync", "--type=merge", "-p", "{\"spec\": {\"suspend\": true}}"]);
    tenant.wait_reason("sync", "Ready", "Suspended");
    lab.k(&["-n", namespace, "patch", "configmap", "web", "-p", "{\"data\": {\"value\": \"by hand\"}}"]);
    repo.write("deploy/config.yaml", &config_map("web", "2"));
    let second = repo.push("second");
    lab.wait(namespace, "repository/repo", |object| {
        let seen = object["status"]["revision"].as_str().unwrap_or_default();
        if seen.ends_with(&second) { Ok(()) } else { Err(seen.to_owned()) }
    });
    assert_eq!(lab.get(namespace, "configmap/web")["data"]["value"], "by hand");
    lab.k(&["-n", namespace, "patch", "sync", "sync", "--type=merge", "-p", "{\"spec\": {\"suspend\": false}}"]);
    tenant.wait_applied("sync", &second);
    assert_eq!(lab.get(namespace, "configmap/web")["data"]["value"], "2");

    lab.k(&["-n", namespace, "annotate", "sync", "sync", "tandemcd.io/requestedAt=today"]);
    lab.wait(namespace, "sync/sync", |sync| match sync["status"]["lastHandledReconcileAt"].as_str() {
        Some("today") => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn a_shadow_tells_and_sends_nothing_but_dry_runs() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/config.yaml", &config_map("web", "1"));
    let commit = repo.push("first");
    tenant.deploy(&repo, "mode: Shadow");
    let sync = tenant.wait_reason("sync", "Ready", "ShadowDiffers");
    let message = condition_of(&sync, "Ready").expect("Ready")["message"].to_string();
    assert!(message.contains("1 created"), "{message}");
    assert!(lab.absent(namespace, "configmap/web"));
    let sent = lab.audit(|event| {
        let writes = matches!(event["verb"].as_str(), Some("create" | "update" | "patch" | "delete"));
        let ours = event["userAgent"].as_str().is_some_and(|agent| agent.contains(&commit));
        writes && ours && !event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun=All"))
    });
    assert!(sent.is_empty(), "{sent:#?}");
}

#[test]
fn without_an_account_or_its_rights_nothing_is_applied() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/config.yaml", &config_map("web", "1"));
    repo.write("deploy/other.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: kube-system}\n");
    repo.push("into another namespace");
    tenant.deploy(&repo, "");
    let sync = tenant.wait_reason("sync", "Ready", "ValidationFailed");
    let problems = sync["status"]["problems"].to_string();
    assert!(problems.contains("deploy/other.yaml:1") && problems.contains("kube-system"), "{problems}");
    assert!(lab.absent(namespace, "configmap/web") && lab.absent("kube-system", "configmap/web"));

    lab.k(&[
        "-n",
        namespace,
        "patch",
        "sync",
        "sync",
        "--type=json",
        "-p",
        "[{\"op\": \"remove\", \"path\": \"/spec/serviceAccountName\"}]",
    ]);
    tenant.wait_reason("sync", "Ready", "NoServiceAccount");
}

#[test]
fn no_secret_is_told_anywhere() {
    const CANARY: &str = "canary-7f3a91";
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let secret = |value: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: token}}\nstringData: {{token: '{CANARY}-{value}'}}\n")
    };
    repo.write("deploy/secret.yaml", &secret("one"));
    let first = repo.push("a secret");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    lab.k(&[
        "-n",
        namespace,
        "patch",
        "secret",
        "token",
        "-p",
        "{\"stringData\": {\"token\": \"canary-7f3a91-by-hand\"}}",
    ]);
    repo.write("deploy/secret.yaml", &secret("two"));
    let second = repo.push("another secret");
    tenant.wait_applied("sync", &second);
    // An invalid one, whose refusal would repeat it.
    repo.write(
        "deploy/secret.yaml",
        &format!("{}type: '{CANARY} no type'\n", secret("three").replace("stringData", "immutable: true\nstringData")),
    );
    repo.write(
        "deploy/broken.yaml",
        &format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: broken}}\ndata: {{token: '{CANARY}!'}}\n"),
    );
    repo.push("a broken secret");
    tenant.wait_reason("sync", "Ready", "ValidationFailed");

    let encoded = "Y2FuYXJ5LTdmM2E5M";
    let mut told = vec![
        ("status", lab.k(&["-n", namespace, "get", "syncs,repositories,inventories", "-o", "yaml"])),
        ("events", lab.k(&["-n", namespace, "get", "events", "-o", "yaml"])),
    ];
    let agent = Lab::shared_agent();
    told.push(("log", agent.log()));
    told.push(("metrics", agent.http("/metrics").expect("metrics")));
    for (place, text) in told {
        assert!(!text.is_empty(), "{place}");
        for canary in [CANARY, encoded] {
            let found = text.lines().find(|line| line.contains(canary));
            assert!(found.is_none(), "{place} tells a secret: {found:?}");
        }
    }
    wait_for("the metrics", || agent.http("/metrics").map(|_| ()));
}

#[test]
fn a_repository_that_goes_is_said_and_what_it_brought_stays() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/a.yaml", &config_map("a", "1"));
    let first = repo.push("first");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    lab.k(&["-n", namespace, "delete", "repository", "repo"]);
    let sync = tenant.wait_reason("sync", "Ready", "RepositoryMissing");
    let message = condition_of(&sync, "Ready").expect("Ready")["message"].to_string();
    assert!(message.contains(&format!("{namespace}/repo")), "{message}");
    // Nobody knows any more what it should be, so it is not put right before somebody does.
    lab.k(&["-n", namespace, "patch", "configmap", "a", "-p", "{\"data\": {\"value\": \"by hand\"}}"]);
    tenant.repository("repo", &repo);
    tenant.wait_applied("sync", &first);
    lab.wait(namespace, "configmap/a", |object| match object["data"]["value"].as_str() {
        Some("1") => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn a_repository_reads_its_secret_as_its_account_and_says_what_is_missing() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/a.yaml", &config_map("a", "1"));
    let commit = repo.push("first");
    lab.apply(&format!(
        "
apiVersion: tandemcd.io/v1alpha1
kind: Repository
metadata: {{name: repo, namespace: {namespace}}}
spec: {{url: '{}', ref: {{branch: main}}, interval: 1s, serviceAccountName: deployer, auth: {{secretRef: {{name: git}}}}}}
",
        repo.url
    ));
    let says = |words: &str| {
        lab.wait(namespace, "repository/repo", |object| {
            let ready = crate::lab::condition_of(object, "Ready").and_then(|c| c["message"].as_str());
            if ready.is_some_and(|text| text.contains(words)) { Ok(()) } else { Err(format!("{:#}", object["status"])) }
        });
    };
    says(&format!("Secret {namespace}/git does not exist"));
    let secret = |data: &str| {
        lab.apply(&format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: git, namespace: {namespace}}}\nstringData: {data}\n"
        ));
    };
    secret("{username: somebody}");
    says("has neither username and password");
    secret("{username: somebody, password: something}");
    tenant.sync("sync", "deploy", "");
    tenant.wait_applied("sync", &commit);
}

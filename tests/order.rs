//! Order between Syncs, suspension, requests, shadow mode, rights, and that no secret is told.

use crate::lab::manifests::{config, deployment};
use crate::lab::{Lab, Repo, Tenant, condition_of, unique, wait_for};

fn config_map(name: &str, value: &str) -> String {
    config(name, &format!("{{value: '{value}'}}"))
}

/// When the API server stored the change of a commit: the first write of it in the audit log.
fn first_write(lab: &Lab, namespace: &str, name: &str, commit: &str) -> String {
    let written = lab.audit(namespace, |event| {
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

    // Who waits for one that was told to rest says so.
    repo.write("a/app.yaml", &deployment("a", "replicas: 1", "registry.example.com/a:4"));
    repo.write("b/config.yaml", &config_map("b", "3"));
    tenant.sync("a", "a", "suspend: true");
    tenant.wait_reason("a", "Ready", "Suspended");
    repo.push("both, and a rests");
    tenant.wait_message("b", "Ready", &[&format!("{namespace}/a"), "suspended"]);
    assert_eq!(lab.get(namespace, "configmap/b")["data"]["value"], "2");

    tenant.sync("one", "b", "dependsOn: [{name: two}]");
    tenant.sync("two", "b", "dependsOn: [{name: one}]");
    tenant.wait_reason("one", "Ready", "DependencyCycle");
    tenant.wait_reason("two", "Ready", "DependencyCycle");

    // The whole circle is named, whoever tells of it.
    tenant.sync("two", "b", "dependsOn: [{name: three}]");
    tenant.sync("three", "b", "dependsOn: [{name: one}]");
    for chain in [["one", "two", "three", "one"], ["two", "three", "one", "two"], ["three", "one", "two", "three"]] {
        let whole = chain.map(|name| format!("{namespace}/{name}")).join(" → ");
        tenant.wait_message(chain[0], "Ready", &[&whole]);
    }
}

/// Another Repository at the same address shows that there was something to read, and time for it.
#[test]
fn a_suspended_repository_brings_nothing_until_it_is_resumed() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/config.yaml", &config_map("web", "1"));
    let first = repo.push("first");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    tenant.repository_at("repo", &repo.url, "interval: 1s, suspend: true");
    lab.wait(namespace, "repository/repo", |object| match condition_of(object, "Ready") {
        Some(ready) if ready["reason"] == "Suspended" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    repo.write("deploy/config.yaml", &config_map("web", "2"));
    let second = repo.push("second");
    tenant.repository("awake", &repo);
    lab.wait(namespace, "repository/awake", |object| match object["status"]["revision"].as_str() {
        Some(revision) if revision.ends_with(&second) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let known = lab.get(namespace, "repository/repo")["status"]["revision"].clone();
    assert!(known.as_str().is_some_and(|revision| revision.ends_with(&first)), "{known}");
    assert_eq!(lab.get(namespace, "configmap/web")["data"]["value"], "1");

    tenant.repository("repo", &repo);
    tenant.wait_applied("sync", &second);
    assert_eq!(lab.get(namespace, "configmap/web")["data"]["value"], "2");
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
    let say = |word: &str| {
        let patch = format!("{{\"data\": {{\"open\": \"{word}\"}}}}");
        lab.k(&["-n", namespace, "patch", "configmap", "gate", "-p", &patch]);
    };
    say("yes");
    tenant.wait_applied("sync", &commit);
    // The watch tells, and no clock: of three times the quickest, for the machine may be busy.
    let time = |event: &serde_json::Value, field: &str| {
        event[field].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).expect("a time")
    };
    let delay = |round: u32| {
        say("no");
        repo.write("deploy/config.yaml", &config_map("after", &format!("round {round}")));
        let commit = repo.push("after the gate once more");
        tenant.wait_reason("sync", "Ready", "DependencyNotReady");
        lab.wait(namespace, "repository/repo", |object| match object["status"]["revision"].as_str() {
            Some(revision) if revision.ends_with(&commit) => Ok(()),
            other => Err(format!("{other:?}")),
        });
        say("yes");
        tenant.wait_applied("sync", &commit);
        let of = |name: &str, mine: bool| {
            lab.audit(namespace, |event| {
                event["objectRef"]["namespace"] == namespace
                    && event["objectRef"]["name"] == name
                    && event["verb"] == "patch"
                    && !event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun"))
                    && event["userAgent"].as_str().is_some_and(|agent| agent.contains(&commit)) == mine
            })
        };
        let opened = of("gate", false).last().map(|event| time(event, "stageTimestamp")).expect("it was opened");
        let written = of("after", true).first().map(|event| time(event, "requestReceivedTimestamp")).expect("written");
        assert!(written > opened, "{written} is before {opened}");
        written.duration_since(opened)
    };
    let quickest = (0..3).map(delay).min().expect("three");
    assert!(quickest < jiff::SignedDuration::from_secs(2), "{quickest:?}");
}

/// A kind that nobody serves yet is one more thing to wait for.
#[test]
fn it_waits_for_an_object_of_a_kind_that_comes_later() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::admin(lab);
    let namespace = tenant.namespace.as_str();
    let group = format!("{}.example.com", unique("later"));
    repo.write("deploy/config.yaml", &config_map("after", "1"));
    let commit = repo.push("after the gate");
    tenant.repository("repo", &repo);
    let gate = format!("dependsOn: [{{kind: Gate, apiVersion: {group}/v1, name: gate, ready: \"object.spec.open\"}}]");
    tenant.sync("sync", "deploy", &gate);
    let waits = tenant.wait_reason("sync", "Ready", "DependencyNotReady");
    let message = condition_of(&waits, "Ready").expect("Ready")["message"].to_string();
    assert!(message.contains("Gate") && message.contains(&group), "{message}");
    lab.apply(&format!(
        "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: gates.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: Gate, plural: gates, singular: gate, listKind: GateList}}
  versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}}}]
"
    ));
    lab.k(&["wait", "--for=condition=Established", "--timeout=60s", &format!("crd/gates.{group}")]);
    tenant.wait_message("sync", "Ready", &["Gate", "does not exist"]);
    assert!(lab.absent(namespace, "configmap/after"));
    lab.apply(&format!(
        "{{apiVersion: {group}/v1, kind: Gate, metadata: {{name: gate, namespace: {namespace}}}, spec: {{open: true}}}}"
    ));
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
    lab.wait_event(namespace, "Suspended", &["suspended"]);
    lab.k(&["-n", namespace, "patch", "configmap", "web", "-p", "{\"data\": {\"value\": \"by hand\"}}"]);
    tenant.wait_message("sync", "Ready", &["suspended at ", "1 object differs: ConfigMap", "web (by kubectl-patch)"]);
    repo.write("deploy/config.yaml", &config_map("web", "2"));
    let second = repo.push("second");
    lab.wait(namespace, "repository/repo", |object| {
        let seen = object["status"]["revision"].as_str().unwrap_or_default();
        if seen.ends_with(&second) { Ok(()) } else { Err(seen.to_owned()) }
    });
    assert_eq!(lab.get(namespace, "configmap/web")["data"]["value"], "by hand");
    lab.k(&["-n", namespace, "patch", "sync", "sync", "--type=merge", "-p", "{\"spec\": {\"suspend\": false}}"]);
    tenant.wait_applied("sync", &second);
    lab.wait_event(namespace, "Resumed", &["followed"]);
    assert_eq!(lab.get(namespace, "configmap/web")["data"]["value"], "2");

    // A Repository that is suspended is told as well, and fetches nothing.
    lab.k(&["-n", namespace, "patch", "repository", "repo", "--type=merge", "-p", "{\"spec\": {\"suspend\": true}}"]);
    let told = |reason: &'static str| {
        lab.wait(namespace, "events.events.k8s.io", |list| {
            let mut events = list["items"].as_array().into_iter().flatten();
            let of =
                |event: &serde_json::Value| event["reason"] == reason && event["regarding"]["kind"] == "Repository";
            if events.any(of) { Ok(()) } else { Err(format!("no {reason} of a Repository")) }
        });
    };
    told("Suspended");
    repo.write("deploy/config.yaml", &config_map("web", "3"));
    let third = repo.push("third");
    lab.k(&["-n", namespace, "patch", "repository", "repo", "--type=merge", "-p", "{\"spec\": {\"suspend\": false}}"]);
    tenant.wait_applied("sync", &third);
    told("Resumed");

    lab.k(&["-n", namespace, "annotate", "sync", "sync", "tandemcd.io/requestedAt=today"]);
    lab.wait(namespace, "sync/sync", |sync| match sync["status"]["lastHandledReconcileAt"].as_str() {
        Some("today") => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// Writes that a Sync in shadow mode may not cause: all in its namespace, and of its account to what is in none, that are
/// neither dry-runs nor the agent's own records.
fn forbidden_to_shadows(lab: &Lab, namespace: &str) -> Vec<String> {
    let writes = lab.audit(namespace, |event| {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let records = matches!(event["objectRef"]["resource"].as_str(), Some("inventories" | "events" | "leases"))
            || (event["objectRef"]["resource"] == "syncs" && event["objectRef"]["subresource"] == "status")
            || (event["objectRef"]["resource"] == "repositories" && event["objectRef"]["subresource"] == "status");
        let cluster_wide = event["objectRef"]["namespace"].is_null()
            && text(&event["impersonatedUser"]["username"]).starts_with(&format!("system:serviceaccount:{namespace}:"));
        (event["objectRef"]["namespace"] == namespace || cluster_wide)
            && matches!(event["verb"].as_str(), Some("create" | "update" | "patch" | "delete" | "deletecollection"))
            && (text(&event["userAgent"]).starts_with("tandem/") || event["impersonatedUser"].is_object())
            && !text(&event["requestURI"]).contains("dryRun=All")
            && !records
    });
    let told = |event: &serde_json::Value| format!("{} {}", event["verb"], event["requestURI"]);
    writes.iter().map(told).collect()
}

#[test]
fn a_shadow_tells_and_sends_nothing_but_dry_runs() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::admin(lab);
    let namespace = tenant.namespace.as_str();
    // What is in no namespace is written nowhere either.
    let role = |verb: &str| {
        format!(
            "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {namespace}-reads}}\nrules:\n- {{apiGroups: [''], resources: [pods], verbs: [{verb}]}}\n"
        )
    };
    repo.write("deploy/role.yaml", &role("get"));
    repo.write("deploy/config.yaml", &(config_map("web", "1") + &config_map("old", "1")));
    repo.push("first");
    tenant.deploy(&repo, "mode: Shadow");
    let sync = tenant.wait_reason("sync", "Ready", "ShadowDiffers");
    let message = condition_of(&sync, "Ready").expect("Ready")["message"].to_string();
    assert!(message.contains("3 created"), "{message}");
    assert!(lab.absent(namespace, "configmap/web") && lab.absent("", &format!("clusterrole/{namespace}-reads")));
    assert_eq!(forbidden_to_shadows(lab, namespace), Vec::<String>::new());

    // Beside a Sync that did write: what is changed by hand, what leaves Git and what comes is told, and stays.
    tenant.sync("sync", "deploy", "mode: Enforce");
    lab.wait(namespace, "configmap/old", |_| Ok(()));
    tenant.wait_reason("sync", "Ready", "ReconciliationSucceeded");
    let written = forbidden_to_shadows(lab, namespace);
    for what in ["configmaps/web".to_owned(), format!("clusterroles/{namespace}-reads")] {
        assert!(written.iter().any(|write| write.contains(&what)), "the log shows what Enforce does: {written:?}");
    }
    tenant.sync("sync", "deploy", "mode: Shadow");
    tenant.wait_reason("sync", "Ready", "ShadowEqual");
    let before = forbidden_to_shadows(lab, namespace).len();
    lab.k(&["-n", namespace, "patch", "configmap", "web", "-p", "{\"data\": {\"value\": \"by hand\"}}"]);
    tenant.wait_message("sync", "Ready", &["1 configured"]);
    repo.write("deploy/role.yaml", &role("list"));
    repo.write("deploy/config.yaml", &(config_map("web", "1") + &config_map("new", "1")));
    let second = repo.push("one leaves and one comes");
    let told = tenant.wait_message("sync", "Ready", &["1 created", "2 configured", "1 deleted"]);
    assert!(told["status"]["attemptedRevision"].as_str().is_some_and(|r| r.ends_with(&second)), "{told:#}");
    assert_eq!(lab.get(namespace, "configmap/web")["data"]["value"], "by hand");
    lab.get(namespace, "configmap/old");
    assert!(lab.absent(namespace, "configmap/new"));
    let after = forbidden_to_shadows(lab, namespace);
    assert_eq!(after[before..], [""; 0], "in shadow mode");
}

/// A Repository opens itself to others, and nobody else does that for it.
#[test]
fn a_repository_of_another_namespace_is_used_only_where_it_says_so() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let [owner, guest] = Tenant::several(lab, 2).try_into().unwrap_or_else(|_| panic!("two tenants"));
    let namespace = guest.namespace.as_str();
    repo.write("deploy/a.yaml", &config_map("a", "1"));
    let first = repo.push("first");
    owner.repository("repo", &repo);
    let reference = format!("{{name: repo, namespace: {}}}", owner.namespace);
    lab.apply(&guest.sync_yaml("sync", "deploy", "").replace("{name: repo}", &reference));
    let denied = guest.wait_reason("sync", "Ready", "AccessDenied");
    let message = condition_of(&denied, "Ready").expect("Ready")["message"].to_string();
    assert!(message.contains(&owner.namespace) && message.contains("spec.allowedNamespaces"), "{message}");
    assert_eq!(condition_of(&denied, "Stalled").expect("Stalled")["reason"], "AccessDenied");
    assert!(lab.absent(namespace, "configmap/a"));

    let allow = |namespaces: &[&str]| {
        let patch = serde_json::json!({"spec": {"allowedNamespaces": namespaces}}).to_string();
        lab.k(&["-n", &owner.namespace, "patch", "repository", "repo", "--type=merge", "-p", &patch]);
    };
    allow(&["somebody-else"]);
    allow(&["somebody-else", namespace]);
    guest.wait_applied("sync", &first);
    assert_eq!(lab.get(namespace, "configmap/a")["data"]["value"], "1");

    // Taken back, what is there stays, and nothing new comes.
    allow(&[]);
    guest.wait_reason("sync", "Ready", "AccessDenied");
    repo.write("deploy/a.yaml", &config_map("a", "2"));
    let second = repo.push("second");
    lab.wait(&owner.namespace, "repository/repo", |object| match object["status"]["revision"].as_str() {
        Some(revision) if revision.ends_with(&second) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    lab.k(&["-n", namespace, "annotate", "sync", "sync", "tandemcd.io/requestedAt=now"]);
    lab.wait(namespace, "sync/sync", |sync| match sync["status"]["lastHandledReconcileAt"].as_str() {
        Some("now") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(lab.get(namespace, "configmap/a")["data"]["value"], "1");
    allow(&["*"]);
    guest.wait_applied("sync", &second);
    assert_eq!(lab.get(namespace, "configmap/a")["data"]["value"], "2");
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
    // The values of a Secret that go into other objects stay secret there.
    lab.apply(&format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: source, namespace: {namespace}}}\nstringData: {{TOKEN: '{CANARY}-put-in'}}\n"
    ));
    let with_variables = |port: &str| {
        format!(
            "{}---\napiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec:\n  selector: {{app: web}}\n  ports:\n    - port: {port}\n",
            config("put-in", "{url: \"https://user:${TOKEN}@host\"}")
        )
    };
    repo.write("deploy/put-in.yaml", &with_variables("80"));
    repo.write("deploy/secret.yaml", &secret("one"));
    let first = repo.push("a secret");
    tenant.deploy(&repo, "substitute: {from: [{kind: Secret, name: source}]}");
    tenant.wait_applied("sync", &first);
    assert_eq!(lab.get(namespace, "configmap/put-in")["data"]["url"], format!("https://user:{CANARY}-put-in@host"));
    let by_hand = format!("{{\"data\": {{\"url\": \"{CANARY}-by-hand\"}}}}");
    lab.k(&["-n", namespace, "patch", "configmap", "put-in", "-p", &by_hand]);
    lab.wait(namespace, "configmap/put-in", |object| {
        let url = object["data"]["url"].to_string();
        if url.contains("put-in@") { Ok(()) } else { Err(url) }
    });
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
    // The command line shows where it differs, and not what it is.
    let mut shown = String::new();
    repo.write("deploy/put-in.yaml", &with_variables("81").replace("user:", "other:"));
    let target = format!("{namespace}/sync");
    let folder = repo.work().join("deploy");
    for form in [&["-o", "json"][..], &[]] {
        for more in [&["--set", "OTHER=1"][..], &[]] {
            let mut command = crate::lab::tandem();
            command.arg("plan").arg(&folder).args(["--sync", &target]).args(form).args(more);
            command.env("KUBECONFIG", lab.kubeconfig());
            let output = command.output().expect("runs");
            shown.push_str(&crate::lab::both(&output));
        }
    }
    assert!(shown.contains("put-in"), "{shown}");
    // Invalid ones, whose refusals would repeat them.
    repo.write("deploy/put-in.yaml", &with_variables("${TOKEN}"));
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
        ("the command line", shown),
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

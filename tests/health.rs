//! Health through the agent: what is not healthy in time, kinds that say it by conditions, and kinds for which the
//! spec says how to tell.

use serde_json::{Value, json};

use crate::lab::manifests::{config, deployment};
use crate::lab::{Lab, Repo, Tenant, condition_of, unique, wait_for};

/// A definition of a namespaced kind with a status that its controller writes.
fn definition(group: &str, kind: &str) -> String {
    let (singular, plural) = (kind.to_lowercase(), format!("{}s", kind.to_lowercase()));
    format!(
        "---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: {kind}, plural: {plural}, singular: {singular}, listKind: {kind}List}}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {{status: {{}}}}
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"
    )
}

fn custom(group: &str, kind: &str, name: &str) -> String {
    format!("---\napiVersion: {group}/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{size: 1}}\n")
}

/// Writes a status, as a controller would.
fn say(lab: &Lab, namespace: &str, what: &str, status: &Value) {
    let patch = json!({"status": status}).to_string();
    lab.k(&["-n", namespace, "patch", what, "--subresource=status", "--type=merge", "-p", &patch]);
}

#[test]
fn what_is_not_healthy_in_time_is_said_and_a_commit_heals_it() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let well = deployment("web", "replicas: 1", "registry.example.com/web:1");
    // No node takes its Pod.
    repo.write(
        "deploy/web.yaml",
        &well.replace("spec: {containers", "spec: {nodeSelector: {disk: none-such}, containers"),
    );
    let first = repo.push("a web that never comes up");
    tenant.deploy(&repo, "timeout: 2s");
    let late = tenant.wait_reason("sync", "Ready", "HealthCheckFailed");
    let ready = condition_of(&late, "Ready").expect("Ready");
    assert_eq!(ready["status"], "False");
    for word in [first.as_str(), "not healthy within the timeout", "Deployment", "web"] {
        assert!(ready["message"].as_str().is_some_and(|text| text.contains(word)), "{word} in {ready:#}");
    }
    assert_eq!(condition_of(&late, "Healthy").expect("Healthy")["reason"], "HealthCheckFailed");
    // It was applied all the same, and nothing is taken back or tried again for ever.
    assert!(late["status"]["appliedRevision"].as_str().is_some_and(|applied| applied.ends_with(&first)), "{late:#}");
    assert_eq!(late["status"]["objects"]["inProgress"], 1, "{late:#}");

    repo.write("deploy/web.yaml", &well);
    let second = repo.push("one that does");
    let healed = tenant.wait_applied("sync", &second);
    assert_eq!(condition_of(&healed, "Healthy").expect("Healthy")["status"], "True");
    assert_eq!(lab.get(namespace, "deployment/web")["status"]["readyReplicas"], 1);
}

/// The timeout is far longer than this test: only the watch can tell.
#[test]
fn a_kind_without_conditions_is_as_healthy_as_its_expressions_say() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::admin(lab);
    let namespace = tenant.namespace.as_str();
    let group = format!("{}.example.com", unique("cel"));
    repo.write("deploy/a.yaml", &custom(&group, "Pump", "one"));
    repo.write("deploy/b.yaml", &definition(&group, "Pump"));
    let commit = repo.push("a kind of one's own");
    let rule = format!(
        "health:\n- apiVersion: {group}/v1\n  kind: Pump\n  current: \"object.status.phase == 'Up'\"\n  failed: \
         \"object.status.phase == 'Burnt'\"\n  inProgress: \"object.status.phase == 'Filling'\""
    );
    tenant.deploy(&repo, &format!("timeout: 1h\n{rule}"));
    let pump = format!("pumps.{group}/one");
    lab.wait(namespace, &pump, |_| Ok(()));
    for (phase, status, reason, counted) in [
        ("Filling", "Unknown", "Progressing", "inProgress"),
        ("Burnt", "False", "HealthCheckFailed", "failed"),
        ("Filling", "Unknown", "Progressing", "inProgress"),
        ("Up", "True", "ReconciliationSucceeded", "current"),
        ("Burnt", "False", "HealthCheckFailed", "failed"),
        ("Up", "True", "ReconciliationSucceeded", "current"),
    ] {
        say(lab, namespace, &pump, &json!({"phase": phase}));
        // The definition is current; where it is the pump that counts, there are two.
        let expected = if counted == "current" { 2 } else { 1 };
        lab.wait(namespace, "sync/sync", |sync| {
            let ready = condition_of(sync, "Ready").cloned().unwrap_or_default();
            let told = (&ready["status"], &ready["reason"], &sync["status"]["objects"][counted]);
            let wanted = (&json!(status), &json!(reason), &json!(expected));
            if told == wanted { Ok(()) } else { Err(format!("{phase}: {:#}", sync["status"])) }
        });
    }
    assert!(
        lab.get(namespace, "sync/sync")["status"]["appliedRevision"].as_str().is_some_and(|r| r.ends_with(&commit))
    );
}

#[test]
fn a_kind_with_conditions_is_as_healthy_as_they_say() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::admin(lab);
    let namespace = tenant.namespace.as_str();
    let group = format!("{}.example.com", unique("kstatus"));
    repo.write("deploy/all.yaml", &(definition(&group, "Valve") + &custom(&group, "Valve", "one")));
    repo.push("a kind with conditions");
    tenant.deploy(&repo, "timeout: 1h");
    let valve = format!("valves.{group}/one");
    lab.wait(namespace, &valve, |_| Ok(()));
    let condition = |kind: &str, status: &str, message: &str| {
        json!([{"type": kind, "status": status, "reason": "Said", "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z"}])
    };
    // Without a word from its controller it was current, so `Ready` stays true while it is on its way again.
    for (conditions, healthy, ready, words) in [
        (condition("Ready", "False", "the seal is being set"), "Progressing", "True", "the seal is being set"),
        (condition("Stalled", "True", "the seal is torn"), "HealthCheckFailed", "False", "the seal is torn"),
        (condition("Reconciling", "True", "a new seal"), "Progressing", "True", "a new seal"),
        (condition("Ready", "True", "tight"), "Succeeded", "True", "all 2 objects"),
    ] {
        say(lab, namespace, &valve, &json!({"conditions": conditions}));
        lab.wait(namespace, "sync/sync", |sync| {
            let of = |kind| condition_of(sync, kind).cloned().unwrap_or_default();
            let says = of("Healthy")["message"].as_str().is_some_and(|text| text.contains(words));
            let told = of("Healthy")["reason"] == healthy && of("Ready")["status"] == ready && says;
            if told { Ok(()) } else { Err(format!("{conditions}: {:#}", sync["status"])) }
        });
    }
    // A controller that has not seen the newest generation has not said anything about it.
    repo.write(
        "deploy/all.yaml",
        &(definition(&group, "Valve") + &custom(&group, "Valve", "one").replace("size: 1", "size: 2")),
    );
    let observed = |generation: i64| json!({"observedGeneration": generation});
    say(lab, namespace, &valve, &observed(1));
    let second = repo.push("another size");
    lab.wait(namespace, "sync/sync", |sync| {
        let applied = sync["status"]["appliedRevision"].as_str().is_some_and(|r| r.ends_with(&second));
        let behind = condition_of(sync, "Healthy").is_some_and(|c| c["status"] == "Unknown");
        if applied && behind { Ok(()) } else { Err(format!("{:#}", sync["status"])) }
    });
    say(lab, namespace, &valve, &observed(2));
    tenant.wait_applied("sync", &second);
}

/// Moments of the audit log, of writes to one object: by the agent, or by anybody else.
fn written(lab: &Lab, namespace: &str, name: &str, by_agent: bool) -> Vec<jiff::Timestamp> {
    let events = lab.audit(namespace, |event| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        event["objectRef"]["namespace"] == namespace
            && event["objectRef"]["name"] == name
            && event["objectRef"]["resource"] == "configmaps"
            && matches!(event["verb"].as_str(), Some("patch" | "delete"))
            && text(&event["userAgent"]).starts_with("tandem/") == by_agent
            && !text(&event["requestURI"]).contains("dryRun")
    });
    events.iter().filter_map(|event| event["stageTimestamp"].as_str()?.parse().ok()).collect()
}

/// What a repair takes, from the change by hand to the change back, both as the API server logged them. The fastest
/// of several counts: the machine may have other work.
#[test]
fn what_is_changed_or_deleted_by_hand_is_put_right_within_a_second_and_told() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/a.yaml", &(config("changed", "{text: hello}") + &config("deleted", "{text: hello}")));
    let commit = repo.push("two pages");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &commit);
    let by_hand: [(&str, &[&str]); 2] = [
        ("changed", &["patch", "configmap", "changed", "-p", "{\"data\": {\"text\": \"bye\"}}"]),
        ("deleted", &["delete", "configmap", "deleted", "--wait=false"]),
    ];
    for (name, change) in by_hand {
        // More in a minute would be a fight, and slowed.
        let mut fastest = f64::MAX;
        for round in 0..3 {
            lab.k(&[&["-n", namespace], change].concat());
            lab.wait(namespace, &format!("configmap/{name}"), |object| match object["data"]["text"].as_str() {
                Some("hello") => Ok(()),
                other => Err(format!("{other:?}")),
            });
            let at = |by_agent: bool, number: usize| {
                wait_for("the audit log", || {
                    let all = written(lab, namespace, name, by_agent);
                    all.get(number).copied().ok_or_else(|| format!("{all:?}"))
                })
            };
            // The agent's first write is the one of the commit.
            fastest = fastest.min(at(true, round + 1).duration_since(at(false, round)).as_secs_f64());
        }
        println!("{name} by hand: put right after {:.0} ms", fastest * 1000.0);
        assert!((0.0..1.0).contains(&fastest), "{name}: {fastest} s");
    }
    lab.wait_event(namespace, "DriftRepaired", &["ConfigMap", "changed", "data.text", "by kubectl-patch"]);
    lab.wait_event(namespace, "DriftRepaired", &["ConfigMap", "deleted by unknown"]);
    let metric = format!("tandem_drift_total{{namespace=\"{namespace}\",sync=\"sync\"}} 6");
    let told = Lab::shared_agent().http("/metrics").expect("metrics");
    assert!(told.lines().any(|line| line == metric), "{metric} is not in {told}");
}

/// `kubectl rollout restart` is an order and no drift: its annotation stays, also over the next commit.
#[test]
fn a_restart_by_hand_stays() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/web.yaml", &deployment("web", "replicas: 1", "registry.example.com/web:1"));
    let first = repo.push("web");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    let restarted = || {
        let web = lab.get(namespace, "deployment/web");
        web["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].clone()
    };
    assert_eq!(restarted(), serde_json::Value::Null);
    lab.k(&["-n", namespace, "rollout", "restart", "deployment/web"]);
    let order = restarted();
    assert!(order.is_string());
    // What is drift beside it is put right, and only that.
    lab.k(&["-n", namespace, "scale", "deployment/web", "--replicas=2"]);
    lab.wait(namespace, "deployment/web", |web| match web["spec"]["replicas"].as_u64() {
        Some(1) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(restarted(), order);
    repo.write("deploy/web.yaml", &deployment("web", "replicas: 1", "registry.example.com/web:2"));
    let second = repo.push("another image");
    tenant.wait_applied("sync", &second);
    assert_eq!(restarted(), order);
    let told = lab.k(&["-n", namespace, "get", "events", "-o", "jsonpath={.items[*].message}"]);
    assert!(!told.contains("restartedAt"), "{told}");
}

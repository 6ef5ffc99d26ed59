//! What a render needs beside the tree: ConfigMaps and Secrets that a Sync names.

use std::collections::BTreeSet;

use crate::lab::manifests::config;
use crate::lab::{Lab, Repo, Tenant, condition_of};

/// A ConfigMap of a namespace, as somebody made it by hand.
fn source(lab: &Lab, namespace: &str, name: &str, data: &str) {
    lab.apply(&format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata: {data}\n"
    ));
}

/// A Secret of a namespace.
fn secret(lab: &Lab, namespace: &str, name: &str, data: &str) {
    lab.apply(&format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\nstringData: {data}\n"
    ));
}

/// An account `narrow` that may do everything with ConfigMaps, and nothing else.
fn narrow(lab: &Lab, namespace: &str) {
    lab.apply(&format!(
        "
apiVersion: v1
kind: ServiceAccount
metadata: {{name: narrow, namespace: {namespace}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: tandem-as-narrow, namespace: {namespace}}}
rules: [{{apiGroups: [''], resources: [serviceaccounts], resourceNames: [narrow], verbs: [impersonate]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: tandem-as-narrow, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: tandem-as-narrow}}
subjects: [{{kind: ServiceAccount, name: tandem, namespace: tandem-system}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: narrow, namespace: {namespace}}}
rules: [{{apiGroups: [''], resources: [configmaps], verbs: ['*']}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: narrow, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: narrow}}
subjects: [{{kind: ServiceAccount, name: narrow, namespace: {namespace}}}]
"
    ));
}

/// Rights of the account `narrow` over the Secret `token`.
fn grant(lab: &Lab, namespace: &str, verbs: &str) {
    lab.apply(&format!(
        "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: token, namespace: {namespace}}}
rules: [{{apiGroups: [''], resources: [secrets], resourceNames: [token], verbs: {verbs}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: token, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: token}}
subjects: [{{kind: ServiceAccount, name: narrow, namespace: {namespace}}}]
"
    ));
}

/// How often the agent has read an object of a namespace.
fn reads(lab: &Lab, namespace: &str, resource: &str, name: &str) -> usize {
    let reads = lab.audit(namespace, |event| {
        event["verb"] == "get"
            && event["objectRef"]["namespace"] == namespace
            && event["objectRef"]["resource"] == resource
            && event["objectRef"]["name"] == name
            && event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("tandem/"))
    });
    reads.len()
}

fn message(sync: &serde_json::Value) -> String {
    condition_of(sync, "Ready").and_then(|ready| ready["message"].as_str()).unwrap_or_default().to_owned()
}

fn patch(lab: &Lab, namespace: &str, spec: &str) {
    lab.k(&["-n", namespace, "patch", "sync", "sync", "--type=merge", "-p", &format!("{{\"spec\": {spec}}}")]);
}

#[test]
fn a_missing_source_is_said_and_nothing_is_pruned() {
    Lab::shared_agent();
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/a.yaml", &config("a", "{value: '1'}"));
    repo.write("deploy/b.yaml", &config("b", "{value: '1'}"));
    let first = repo.push("first");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    let two = "[{\"kind\": \"ConfigMap\", \"name\": \"vars\"}, {\"kind\": \"Secret\", \"name\": \"token\"}]";
    patch(lab, namespace, &format!("{{\"substitute\": {{\"from\": {two}}}}}"));
    let sync = tenant.wait_reason("sync", "Ready", "ConfigMapNotFound");
    let told = message(&sync);
    for words in [format!("ConfigMap {namespace}/vars"), format!("Secret {namespace}/token"), "optional".to_owned()] {
        assert!(told.contains(&words), "{words} is not told: {told}");
    }
    repo.remove("deploy/b.yaml");
    let second = repo.push("b leaves");
    lab.wait(namespace, "repository/repo", |object| {
        let seen = object["status"]["revision"].as_str().unwrap_or_default();
        if seen.ends_with(&second) { Ok(()) } else { Err(seen.to_owned()) }
    });
    secret(lab, namespace, "token", "{PASSWORD: hidden}");
    // Once the Secret is there, the ConfigMap alone is told.
    lab.wait(namespace, "sync/sync", |sync| {
        let told = message(sync);
        if told.contains("ConfigMap") && !told.contains("Secret") { Ok(()) } else { Err(told) }
    });
    assert!(!lab.absent(namespace, "configmap/b"), "what was not rendered was pruned");
    source(lab, namespace, "vars", "{REGION: north}");
    tenant.wait_applied("sync", &second);
    lab.wait_absent(namespace, "configmap/b");
}

#[test]
fn a_forbidden_source_names_the_rule_and_one_that_is_not_watched_is_said() {
    Lab::shared_agent();
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    narrow(lab, namespace);
    secret(lab, namespace, "token", "{PASSWORD: hidden}");
    repo.write("deploy/a.yaml", &config("a", "{value: \"${PASSWORD}\"}"));
    let commit = repo.push("first");
    tenant.repository("repo", &repo);
    lab.apply(&format!(
        "
apiVersion: tandemcd.io/v1alpha1
kind: Sync
metadata: {{name: sync, namespace: {namespace}}}
spec:
  repositoryRef: {{name: repo}}
  path: deploy
  serviceAccountName: narrow
  substitute: {{from: [{{kind: Secret, name: token}}]}}
"
    ));
    let told = message(&tenant.wait_reason("sync", "Ready", "Forbidden"));
    let rule = "{apiGroups: [\"\"], resources: [secrets], resourceNames: [token], verbs: [get, list, watch]}";
    for words in [rule, &format!("ServiceAccount {namespace}/narrow"), "spec.substitute.from"] {
        assert!(told.contains(words), "{words} is not told: {told}");
    }
    assert!(lab.absent(namespace, "configmap/a"));

    grant(lab, namespace, "[get]");
    tenant.wait_applied("sync", &commit);
    tenant.wait_message("sync", "Ready", &["applied", "Secret token is read at spec.interval only", "list and watch"]);
    let before = reads(lab, namespace, "secrets", "token");
    lab.k(&["-n", namespace, "annotate", "sync", "sync", "tandemcd.io/requestedAt=now"]);
    lab.wait(namespace, "sync/sync", |sync| match sync["status"]["lastHandledReconcileAt"].as_str() {
        Some("now") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(reads(lab, namespace, "secrets", "token"), before + 1, "asked, it reads anew, once");
    lab.k(&["-n", namespace, "patch", "secret", "token", "-p", "{\"stringData\": {\"PASSWORD\": \"another\"}}"]);
    lab.k(&["-n", namespace, "annotate", "--overwrite", "sync", "sync", "tandemcd.io/requestedAt=later"]);
    wait_data(lab, namespace, "a", "value", "another");

    grant(lab, namespace, "[get, list, watch]");
    lab.wait(namespace, "sync/sync", |sync| {
        let told = message(sync);
        if told.contains("spec.interval") { Err(told) } else { Ok(()) }
    });
}

/// What a ConfigMap of a namespace has under a key, once it is so.
fn wait_data(lab: &Lab, namespace: &str, name: &str, key: &str, value: &str) {
    lab.wait(namespace, &format!("configmap/{name}"), |object| match object["data"][key].as_str() {
        Some(found) if found == value => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

const SHOP: &str = "\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: \"${APP:=web}\"}
data:
  region: ${REGION}
  url: \"pg://app:${PASSWORD}@db\"
  kept: $${REGION}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${REPLICAS}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: registry.example.com/web:1
          env: [{name: PASSWORD, value: \"${PASSWORD}\"}]
";

#[test]
fn a_changed_source_is_applied_without_a_commit() {
    Lab::shared_agent();
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    source(lab, namespace, "vars", "{REGION: north, REPLICAS: '0'}");
    secret(lab, namespace, "token", "{PASSWORD: one}");
    repo.write("deploy/shop.yaml", SHOP);
    let commit = repo.push("first");
    tenant.deploy(&repo, "substitute: {from: [{kind: ConfigMap, name: vars}, {kind: Secret, name: token}]}");
    tenant.wait_applied("sync", &commit);
    let shop = lab.get(namespace, "configmap/web");
    assert_eq!(shop["data"], serde_json::json!({"region": "north", "url": "pg://app:one@db", "kept": "${REGION}"}));
    assert_eq!(lab.get(namespace, "deployment/web")["spec"]["replicas"], 0);

    lab.k(&["-n", namespace, "patch", "configmap", "vars", "-p", "{\"data\": {\"REGION\": \"south\"}}"]);
    wait_data(lab, namespace, "web", "region", "south");
    lab.k(&["-n", namespace, "patch", "secret", "token", "-p", "{\"stringData\": {\"PASSWORD\": \"two\"}}"]);
    wait_data(lab, namespace, "web", "url", "pg://app:two@db");
    tenant.wait_applied("sync", &commit);
    // Each is an entry of its own in the history: the same commit, with another digest, of which nothing can be guessed.
    let history = || lab.get(namespace, "sync/sync")["status"]["history"].as_array().cloned().unwrap_or_default();
    let told = history();
    let digests: BTreeSet<_> = told.iter().map(|run| run["inputs"].as_str().expect("a digest").to_owned()).collect();
    assert_eq!((told.len(), digests.len()), (3, 3), "{told:#?}");
    assert!(told.iter().all(|run| run["revision"].as_str().is_some_and(|of| of.ends_with(&commit))), "{told:#?}");
    // What was before is known again, and drift that is healed is no other input.
    lab.k(&["-n", namespace, "patch", "configmap", "vars", "-p", "{\"data\": {\"REGION\": \"north\"}}"]);
    lab.k(&["-n", namespace, "patch", "secret", "token", "-p", "{\"stringData\": {\"PASSWORD\": \"one\"}}"]);
    lab.wait(namespace, "sync/sync", |sync| match &sync["status"]["history"][0]["inputs"] {
        newest if *newest == told[2]["inputs"] => Ok(()),
        other => Err(format!("{other}, wanted {}", told[2]["inputs"])),
    });
    lab.k(&["-n", namespace, "delete", "configmap", "web"]);
    wait_data(lab, namespace, "web", "region", "north");
    assert_eq!(history()[0]["inputs"], told[2]["inputs"]);
    // A value that nothing is rendered with is another input all the same.
    let before = history()[0]["at"].clone();
    lab.k(&["-n", namespace, "patch", "configmap", "vars", "-p", "{\"data\": {\"UNUSED\": \"1\"}}"]);
    lab.wait(namespace, "sync/sync", |sync| match &sync["status"]["history"][0] {
        run if run["inputs"] != told[2]["inputs"]
            && run["summary"].as_str().is_some_and(|s| s.contains("unchanged")) =>
        {
            Ok(())
        }
        other => Err(format!("{other}, after {before}")),
    });

    // The spec's own value wins, and what it leaves out is refused with its place.
    patch(lab, namespace, "{\"substitute\": {\"vars\": {\"REGION\": \"west\"}}}");
    wait_data(lab, namespace, "web", "region", "west");
    lab.k(&["-n", namespace, "patch", "configmap", "vars", "-p", "{\"data\": {\"REPLICAS\": null}}"]);
    let sync = tenant.wait_reason("sync", "Ready", "BuildFailed");
    let problems = sync["status"]["problems"].to_string();
    for words in ["deploy/shop.yaml:14", "UnknownVariable", "REPLICAS", "Deployment.apps/web"] {
        assert!(problems.contains(words), "{words} is not told: {problems}");
    }
    assert!(!lab.absent(namespace, "deployment/web"), "what could not be rendered was pruned");
    // No commit mends it, and no retry is waited for.
    lab.k(&["-n", namespace, "patch", "configmap", "vars", "-p", "{\"data\": {\"REPLICAS\": \"0\"}}"]);
    tenant.wait_applied("sync", &commit);
}

#[test]
fn a_source_is_read_once_for_a_pass_and_not_at_all_at_rest() {
    Lab::shared_agent();
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    source(lab, namespace, "vars", "{REGION: north}");
    repo.write("deploy/a.yaml", &config("a", "{value: '1'}"));
    repo.write("other/b.yaml", &config("b", "{value: '1'}"));
    let first = repo.push("first");
    let twice = "{kind: ConfigMap, name: vars}, {kind: ConfigMap, name: vars, optional: true}";
    tenant.deploy(&repo, &format!("substitute: {{from: [{twice}, {{kind: ConfigMap, name: none, optional: true}}]}}"));
    tenant.sync("other", "other", "");
    tenant.wait_applied("sync", &first);
    tenant.wait_applied("other", &first);
    assert_eq!(reads(lab, namespace, "configmaps", "vars"), 1);
    assert_eq!(reads(lab, namespace, "configmaps", "none"), 1);
    // Commits that concern another, and time, cost nothing.
    for value in ["2", "3"] {
        repo.write("other/b.yaml", &config("b", &format!("{{value: '{value}'}}")));
        let commit = repo.push("another");
        tenant.wait_applied("other", &commit);
    }
    assert_eq!(reads(lab, namespace, "configmaps", "vars"), 1);
    // Another version that says the same is read, and nothing comes of it.
    let version = lab.get(namespace, "configmap/a")["metadata"]["resourceVersion"].clone();
    lab.k(&["-n", namespace, "annotate", "configmap", "vars", "note=changed"]);
    crate::lab::wait_for("the source to be read again", || match reads(lab, namespace, "configmaps", "vars") {
        2 => Ok(()),
        other => Err(other.to_string()),
    });
    repo.write("deploy/a.yaml", &config("a", "{value: '2'}"));
    let last = repo.push("its own");
    tenant.wait_applied("sync", &last);
    assert_eq!(reads(lab, namespace, "configmaps", "vars"), 3, "one more for one more pass");
    let written = tenant.writes(&first);
    assert_eq!(written.iter().filter(|write| *write == "patch configmaps/a").count(), 1, "{written:?}");
    assert_ne!(lab.get(namespace, "configmap/a")["metadata"]["resourceVersion"], version);
}

//! The starter standard on a real API server: it takes the policies as they are, says of every test's object what the test
//! says, and refuses what `tandem check --live` names.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tandem::object::yaml;

use crate::lab::{Lab, both, root, run, wait_for};

fn folder() -> PathBuf {
    root().join("manifests/standard")
}

/// Runs kubectl with an object on its standard input; the warnings of policies, each as policy and message.
fn warned(lab: &Lab, args: &[&str], object: &Value) -> Result<BTreeSet<(String, String)>, String> {
    let mut command = lab.kubectl();
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kubectl starts");
    child.stdin.take().expect("stdin").write_all(object.to_string().as_bytes()).expect("kubectl reads");
    let output = child.wait_with_output().expect("kubectl ends");
    if !output.status.success() {
        return Err(both(&output));
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let of_line = |line: &str| {
        let rest = line.split_once("ValidatingAdmissionPolicy '")?.1;
        let (policy, rest) = rest.split_once('\'')?;
        let (_, message) = rest.split_once("': ")?;
        Some((policy.to_owned(), message.to_owned()))
    };
    Ok(text.lines().filter_map(of_line).collect())
}

/// A control plane of its own, with the starter standard as `kubectl apply -k` puts it there, and bindings that only
/// warn, so that everything is heard at once.
fn lab() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| {
        let lab = Lab::start("standard");
        let output = lab.kubectl().args(["apply", "-k"]).arg(folder()).output().expect("kubectl runs");
        assert!(output.status.success() && output.stderr.is_empty(), "{}", both(&output));
        let bindings = lab.k(&["get", "validatingadmissionpolicybindings", "-o", "name"]);
        assert_eq!(bindings.lines().count(), 10);
        for binding in bindings.lines() {
            lab.k(&["patch", binding, "--type=merge", "-p", r#"{"spec":{"validationActions":["Warn"]}}"#]);
        }
        lab.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: standard, namespace: tandem-standard}, data: {domain: example.com, domain.store: store.example.net}}");
        for namespace in ["shop", "store"] {
            lab.k(&["create", "namespace", namespace]);
            lab.wait(namespace, "serviceaccount/default", |_| Ok(()));
        }
        // All of them have come into force when each was heard.
        let nothing = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "heard", "namespace": "shop"},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "heard"}}, "template": {
                "metadata": {"labels": {"app": "heard"}}, "spec": {"containers": [{"name": "web", "image": "nginx"}]}}}});
        let outside = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": "heard", "namespace": "store"}, "spec": {"rules": [{"host": "store.example.com"}]}});
        wait_for("every policy to be in force", || {
            let mut heard = warned(&lab, &["create", "--dry-run=server", "-f", "-"], &nothing)?;
            heard.extend(warned(&lab, &["create", "--dry-run=server", "-f", "-"], &outside)?);
            let policies: BTreeSet<&String> = heard.iter().map(|(policy, _)| policy).collect();
            let of_store = heard.iter().any(|(_, message)| message.contains("store.example.net"));
            if policies.len() == 10 && of_store { Ok(()) } else { Err(format!("{heard:?}")) }
        });
        lab
    })
}

#[test]
fn the_api_server_type_checks_the_policies_without_a_warning() {
    let lab = lab();
    for policy in lab.k(&["get", "validatingadmissionpolicies", "-o", "name"]).lines() {
        lab.wait("", policy, |policy| {
            let status = &policy["status"];
            if status["observedGeneration"] != policy["metadata"]["generation"] {
                return Err(status.to_string());
            }
            assert_eq!(status["typeChecking"]["expressionWarnings"], Value::Null, "{policy}");
            Ok(())
        });
    }
}

#[test]
fn the_api_server_says_of_every_case_what_its_test_says() {
    let lab = lab();
    let (mut allowed, mut refused) = (0, 0);
    for entry in std::fs::read_dir(folder()).expect("the standard") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if !name.ends_with(".test.yaml") {
            continue;
        }
        let (documents, problems) = yaml::read(&name, &std::fs::read(&path).expect("a file"), &yaml::Limits::default());
        assert_eq!(problems, []);
        let spec = &documents[0].value["spec"];
        for case in spec["cases"].as_array().expect("cases") {
            let heard = warned(lab, &["create", "--dry-run=server", "-f", "-"], &case["object"])
                .unwrap_or_else(|error| panic!("{name}: {case}: {error}"));
            let of_policy: Vec<&str> = heard
                .iter()
                .filter(|(policy, _)| spec["policy"] == json!(policy))
                .map(|(_, message)| message.as_str())
                .collect();
            match case["expect"].as_str() {
                Some("allow") => {
                    assert!(of_policy.is_empty(), "{name}: {}: {of_policy:?}", case["name"]);
                    allowed += 1;
                }
                _ => {
                    let message = case["message"].as_str().expect("a message");
                    let told = of_policy.iter().any(|heard| heard.contains(message));
                    assert!(told, "{name}: {}: {of_policy:?}", case["name"]);
                    refused += 1;
                }
            }
        }
    }
    assert!(allowed >= 10 && refused >= 30, "{allowed} {refused}");
}

const LIVE: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: wrong, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: wrong}}
  template:
    metadata: {labels: {app: wrong}}
    spec: {containers: [{name: web, image: nginx}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: left-out, namespace: kube-system}
spec:
  selector: {matchLabels: {app: left-out}}
  template:
    metadata: {labels: {app: left-out}}
    spec: {containers: [{name: web, image: nginx}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: store, labels: {owner: store, contact: store-oncall}}
spec:
  schedule: '0 3 * * *'
  suspend: true
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: job, image: 'registry.example.com/job:1'}]}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: outside, namespace: store}
spec: {rules: [{host: store.example.com}, {host: www.store.example.net}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: inside, namespace: store}
spec: {rules: [{host: www.store.example.net}]}
";

/// A copy of the standard whose ConfigMap is that of the cluster.
fn standard(folder: &Path) {
    for entry in std::fs::read_dir(self::folder()).expect("the standard") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a file");
        let text =
            text.replace("  domain: example.com\n", "  domain: example.com\n  domain.store: store.example.net\n");
        std::fs::write(folder.join(path.file_name().expect("a name")), text).expect("a copy");
    }
}

fn check(lab: &Lab, kubeconfig: &Path, standard: &Path) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    command.args(["check", "--live", "-o", "json", "--standard"]).arg(standard);
    command.env_clear().env("HOME", standard).env("KUBECONFIG", kubeconfig).current_dir(standard);
    let output = command.output().expect("the program runs");
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{}\n{}", both(&output), lab.fact("KUBECONFIG"));
    (code, serde_json::from_slice(&output.stdout).expect("JSON"))
}

fn named(report: &Value) -> BTreeSet<(String, String, String)> {
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    let findings =
        report["findings"].as_array().expect("findings").iter().filter(|finding| finding["level"] == "error");
    findings.map(|one| (text(one, "object"), text(one, "rule"), text(one, "message"))).collect()
}

#[test]
fn live_objects_that_the_standard_would_refuse_are_those_that_the_api_server_refuses() {
    let lab = lab();
    lab.apply(LIVE);
    let copy = tempfile::tempdir().expect("a folder");
    standard(copy.path());
    let (code, report) = check(lab, &lab.kubeconfig(), copy.path());
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(report["summary"]["live"], true);

    let kinds =
        "deployments.apps,statefulsets.apps,daemonsets.apps,jobs.batch,cronjobs.batch,ingresses.networking.k8s.io";
    let list: Value = serde_json::from_str(&lab.k(&["get", kinds, "-A", "-o", "json"])).expect("a list");
    let mut refused = BTreeSet::new();
    for object in list["items"].as_array().expect("items") {
        let mut object = object.clone();
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let group = text("/apiVersion").split('/').next().unwrap_or_default().to_owned();
        let name = format!("{}.{group}/{}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
        object["metadata"].as_object_mut().expect("metadata").remove("resourceVersion");
        let heard = warned(lab, &["replace", "--dry-run=server", "-f", "-"], &object)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        refused.extend(heard.into_iter().map(|(policy, message)| (name.clone(), policy, message)));
    }
    assert!(refused.len() >= 12, "{refused:#?}");
    assert_eq!(named(&report), refused);
    let objects: BTreeSet<&str> = refused.iter().map(|(object, ..)| object.as_str()).collect();
    assert_eq!(
        objects.into_iter().collect::<Vec<_>>(),
        ["CronJob.batch/store/nightly", "Deployment.apps/shop/wrong", "Ingress.networking.k8s.io/store/outside"]
    );
}

#[test]
fn kinds_that_may_not_be_listed_are_named_as_not_checked() {
    let lab = lab();
    lab.apply(
        "
apiVersion: v1
kind: ServiceAccount
metadata: {name: narrow, namespace: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: narrow}
rules: [{apiGroups: [apps], resources: [deployments], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: narrow}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: narrow}
subjects: [{kind: ServiceAccount, name: narrow, namespace: shop}]
",
    );
    let token = lab.k(&["create", "token", "narrow", "-n", "shop"]);
    let mut config: Value =
        serde_json::from_str(&lab.k(&["config", "view", "--raw", "--flatten", "-o", "json"])).expect("a kubeconfig");
    for user in config["users"].as_array_mut().expect("users") {
        user["user"] = json!({"token": token.trim()});
    }
    let copy = tempfile::tempdir().expect("a folder");
    standard(copy.path());
    let file = copy.path().join(".kubeconfig");
    std::fs::write(&file, config.to_string()).expect("a kubeconfig");
    let (_, report) = check(lab, &file, copy.path());
    let findings = report["findings"].as_array().expect("findings");
    let told: Vec<&str> =
        findings.iter().filter(|one| one["rule"] == "NotChecked").filter_map(|one| one["message"].as_str()).collect();
    for kind in ["statefulsets.apps", "cronjobs.batch", "ingresses.networking.k8s.io", "the labels of namespaces"] {
        let words = format!("{kind} were not checked: ");
        assert!(told.iter().any(|message| message.starts_with(&words)), "{kind}: {told:#?}");
    }
    assert!(!told.iter().any(|message| message.contains("deployments.apps were")), "{told:#?}");
}

#[test]
fn as_it_is_the_standard_refuses_and_it_goes_as_it_came() {
    let lab = Lab::start("standard-goes");
    let folder = folder();
    let folder = folder.to_str().expect("UTF-8");
    lab.k(&["apply", "-k", folder]);
    // As it is, it refuses.
    let bad = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bad", "namespace": "default"},
        "spec": {"containers": [{"name": "web", "image": "nginx:latest"}]}});
    lab.wait("default", "serviceaccount/default", |_| Ok(()));
    wait_for("the API server to refuse", || match warned(&lab, &["create", "--dry-run=server", "-f", "-"], &bad) {
        Err(error) if error.contains("denied request: ") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    run(lab.kubectl().args(["delete", "-k", folder]));
    wait_for("the API server to take it", || warned(&lab, &["create", "--dry-run=server", "-f", "-"], &bad));
    assert!(lab.absent("", "validatingadmissionpolicy/no-latest"));
}

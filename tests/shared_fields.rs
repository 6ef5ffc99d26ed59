//! Objects that Tandem shares with others, or takes over from them: real Helm, KEDA's autoscaler,
//! whoever injects the authority of a webhook.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::lab::manifests::{config, deployment};
use crate::lab::{Lab, Repo, Tenant, root, run};

/// The real helm, built where it is missing.
fn helm(lab: &Lab, home: &Path) -> Command {
    let built = run(Command::new(root().join("hack/lab")).args(["build", "helm"]));
    let mut command = Command::new(Path::new(built.trim()).join("helm"));
    command.env("HOME", home).env("KUBECONFIG", lab.kubeconfig());
    command
}

/// Helm writes objects in two ways: by server-side apply since its version 4, and by update before.
#[test]
fn what_helm_installed_is_taken_over_without_a_gap() {
    let (lab, repo, folder) = (Lab::shared(), Repo::new(), TempDir::new().expect("folder"));
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        std::fs::write(path, text).expect("writes");
    };
    write("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
    write("templates/map.yaml", &config("{{ .Release.Name }}", "{keep: '1', drop: '1'}"));
    let releases = [("by-apply", "--server-side=true"), ("by-update", "--server-side=false")];
    for (release, how) in releases {
        let mut helm = helm(lab, folder.path());
        run(helm.args(["install", release, ".", "--namespace", namespace, how]).current_dir(folder.path()));
    }
    let live = |name: &str| lab.get(namespace, &format!("configmap/{name}"));
    let before = releases.map(|(name, _)| live(name)["metadata"]["uid"].clone());

    repo.write("deploy/all.yaml", &releases.map(|(name, _)| config(name, "{keep: '1'}")).concat());
    let commit = repo.push("what Helm had, without one field");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &commit);
    for ((name, _), before) in releases.into_iter().zip(before) {
        let after = live(name);
        assert_eq!(after["data"], serde_json::json!({"keep": "1"}), "{after:#}");
        assert_eq!(after["metadata"]["uid"], before, "never absent");
    }
}

#[test]
fn a_scaled_object_keeps_the_replicas_of_its_workload() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::admin(lab);
    let namespace = tenant.namespace.as_str();
    lab.apply(
        "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: scaledobjects.keda.sh}
spec:
  group: keda.sh
  scope: Namespaced
  names: {kind: ScaledObject, plural: scaledobjects, singular: scaledobject, listKind: ScaledObjectList}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
",
    );
    lab.k(&["wait", "--for=condition=Established", "crd/scaledobjects.keda.sh", "--timeout=60s"]);
    let image = |tag: u32| format!("registry.example.com/web:{tag}");
    // It names a Deployment by its name alone, and a workload of another kind with its kind.
    let scaled = |name: &str, target: &str| {
        format!(
            "---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {{name: {name}}}
spec: {{scaleTargetRef: {target}, minReplicaCount: 1, triggers: [{{type: cron, metadata: {{desiredReplicas: '4'}}}}]}}
"
        )
    };
    let set = |tag| {
        let text = deployment("db", "replicas: 2", &image(tag)).replace("kind: Deployment", "kind: StatefulSet");
        text.replace("replicas: 2", "replicas: 2\n  serviceName: db")
    };
    let all = |tag| deployment("web", "replicas: 2", &image(tag)) + &set(tag);
    repo.write("deploy/workloads.yaml", &all(1));
    repo.write(
        "deploy/scaled.yaml",
        &(scaled("web", "{name: web}") + &scaled("db", "{apiVersion: apps/v1, kind: StatefulSet, name: db}")),
    );
    let first = repo.push("two scaled workloads");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    let workloads = ["deployment/web", "statefulset/db"];
    let replicas = |what: &str| lab.get(namespace, what)["spec"]["replicas"].clone();
    for what in workloads {
        assert_eq!(replicas(what), 2, "set at creation of {what}");
        lab.k(&["-n", namespace, "scale", what, "--replicas=4"]);
    }
    repo.write("deploy/workloads.yaml", &all(2));
    let second = repo.push("another image");
    tenant.wait_applied("sync", &second);
    for what in workloads {
        let live = lab.get(namespace, what);
        assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["image"], image(2).as_str());
        assert_eq!(live["spec"]["replicas"], 4, "{what} is scaled by others");
    }

    // Without its autoscaler a workload has the replicas that Git says.
    repo.write("deploy/scaled.yaml", &scaled("web", "{name: web}"));
    let third = repo.push("db is scaled no more");
    tenant.wait_applied("sync", &third);
    assert_eq!(workloads.map(replicas), [4, 2]);
}

/// The autoscaler is somebody else's: no manifest of the Sync tells of it. It has no metrics here, and sets what is below
/// its least and above its most.
#[test]
fn an_autoscaler_that_is_in_no_manifest_of_the_sync_keeps_the_replicas() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let image = |tag: u32| format!("registry.example.com/web:{tag}");
    let all = |tag| ["web", "was-there", "by-hand"].map(|name| deployment(name, "replicas: 2", &image(tag))).concat();
    let by_hand = |text: &str| lab.apply_in(namespace, text);
    let scaler = |name: &str, count: u32| {
        format!(
            "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: {name}}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}
  minReplicas: {count}
  maxReplicas: {count}
  metrics: [{{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 50}}}}}}]
"
        )
    };
    let replicas = |name: &str| lab.get(namespace, &format!("deployment/{name}"))["spec"]["replicas"].clone();
    let wait_replicas = |name: &str, count: u64| {
        lab.wait(namespace, &format!("deployment/{name}"), |live| match live["spec"]["replicas"].as_u64() {
            Some(now) if now == count => Ok(()),
            other => Err(format!("{other:?}")),
        })
    };
    // One was deployed by hand, and scaled before the Sync takes it over.
    by_hand(&deployment("was-there", "replicas: 2", &image(1)));
    by_hand(&scaler("was-there", 6));
    wait_replicas("was-there", 6);
    by_hand(&deployment("by-hand", "replicas: 2", &image(1)));
    lab.k(&["-n", namespace, "scale", "deployment/by-hand", "--replicas=7"]);
    repo.write("deploy/web.yaml", &all(1));
    let first = repo.push("two workloads, and no word of an autoscaler");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    assert_eq!(
        ["web", "was-there", "by-hand"].map(replicas),
        [2, 6, 2],
        "as Git has it, save what was scaled for good"
    );

    // A full check looks at everything, and a commit applies it.
    let look = |word: &str| {
        let asked = format!("tandemcd.io/requestedAt={word}");
        lab.k(&["-n", namespace, "annotate", "--overwrite", "sync", "sync", &asked]);
        lab.wait(namespace, "sync/sync", |sync| match &sync["status"]["lastHandledReconcileAt"] {
            handled if handled == word => Ok(()),
            handled => Err(handled.to_string()),
        });
    };
    let repairs = || {
        let events = lab.k(&["-n", namespace, "get", "events", "--field-selector=reason=DriftRepaired", "-o", "json"]);
        let events: serde_json::Value = serde_json::from_str(&events).expect("JSON");
        events["items"].as_array().expect("items").len()
    };
    by_hand(&scaler("web", 5));
    wait_replicas("web", 5);
    look("while-it-is-there");
    repo.write("deploy/web.yaml", &all(2));
    let second = repo.push("another image");
    tenant.wait_applied("sync", &second);
    for (name, count) in [("web", 5), ("was-there", 6)] {
        let live = lab.get(namespace, &format!("deployment/{name}"));
        assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["image"], image(2).as_str());
        assert_eq!(live["spec"]["replicas"], count, "{name} is scaled by others");
    }
    // What it set stays when it is gone.
    lab.k(&["-n", namespace, "delete", "hpa", "web"]);
    look("when-it-is-gone");
    assert_eq!((replicas("web"), repairs()), (5.into(), 0), "nothing that an autoscaler does is drift");

    // Who scales by hand is put right.
    lab.k(&["-n", namespace, "scale", "deployment/web", "--replicas=9"]);
    wait_replicas("web", 2);
    lab.wait_event(namespace, "DriftRepaired", &["Deployment", "spec.replicas", "by kubectl"]);
    assert_eq!(replicas("was-there"), 6);
}

#[test]
fn an_injected_authority_is_left_where_the_spec_says_so() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::admin(lab);
    let name = tenant.namespace.as_str();
    let webhook = |seconds: u32| {
        format!(
            "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: {name}}}
webhooks:
- name: check.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  timeoutSeconds: {seconds}
  clientConfig: {{service: {{name: check, namespace: {name}, path: /}}, caBundle: Cg==}}
  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: nowhere}}}}
  rules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}}]
"
        )
    };
    repo.write("deploy/webhook.yaml", &webhook(3));
    let first = repo.push("a webhook whose authority is a placeholder");
    let path = "/webhooks/0/clientConfig/caBundle";
    tenant.deploy(&repo, &format!("ignore: [{{target: {{kind: ValidatingWebhookConfiguration}}, paths: [{path}]}}]"));
    tenant.wait_applied("sync", &first);

    let what = format!("validatingwebhookconfiguration/{name}");
    // One that a parser of certificates takes: the API server reads it.
    let authority = lab.get("kube-system", "configmap/extension-apiserver-authentication");
    let authority = authority["data"]["client-ca-file"].as_str().expect("an authority").to_owned();
    let injected = {
        use base64::Engine;
        base64::prelude::BASE64_STANDARD.encode(authority)
    };
    let patch = serde_json::json!([{"op": "replace", "path": path, "value": injected}]).to_string();
    lab.k(&["patch", &what, "--type=json", "--field-manager=ca-injector", "-p", &patch]);
    let bundle = || lab.get("", &what).pointer(path).cloned();
    assert_eq!(bundle(), Some(injected.clone().into()));

    repo.write("deploy/webhook.yaml", &webhook(4));
    let second = repo.push("one second more");
    tenant.wait_applied("sync", &second);
    assert_eq!(lab.get("", &what)["webhooks"][0]["timeoutSeconds"], 4);
    assert_eq!(bundle(), Some(injected.clone().into()), "what was injected stays");

    // Nor is it drift: a full look at everything writes nothing.
    let sent = || {
        let ours = |event: &serde_json::Value| {
            event["objectRef"]["name"] == name
                && event["verb"] == "patch"
                && event["userAgent"].as_str().is_some_and(|agent| agent.contains(&second))
                && !event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun"))
        };
        lab.audit(name, ours).len()
    };
    let before = sent();
    assert_ne!(before, 0);
    lab.k(&["-n", name, "annotate", "sync", "sync", "tandemcd.io/requestedAt=now"]);
    lab.wait(name, "sync/sync", |sync| match sync["status"]["lastHandledReconcileAt"].as_str() {
        Some("now") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!((sent(), bundle()), (before, Some(injected.into())));
}

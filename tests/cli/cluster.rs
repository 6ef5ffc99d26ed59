//! Commands that speak with a cluster: the lab, and the agent that runs there.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::told;
use crate::lab::manifests::{greeting, web};
use crate::lab::{Lab, Repo, Tenant, unique, wait_for};

/// Runs the program as the lab's admin, in a folder.
pub fn ask(lab: &Lab, folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    command.args(args).current_dir(folder).env_clear().env("HOME", folder).env("KUBECONFIG", lab.kubeconfig());
    told(&command.output().expect("the program runs"))
}

#[track_caller]
pub fn assert_told(told: &str, wanted: &[&str]) {
    for text in wanted {
        assert!(told.contains(text), "{text:?} is not in:\n{told}");
    }
}

const SHOP: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: NAMESPACE}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: NAMESPACE}
data: {greeting: hello, page: \"one\\ntwo\\nthree\\n\"}
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: NAMESPACE}
stringData: {password: hunter2}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NAMESPACE, labels: {tier: front, old: 'yes'}}
spec: {selector: {app: web}, ports: [{name: http, port: 80}, {name: metrics, port: 9090}]}
";

const WRONG: &str = "\
apiVersion: v1
kind: Service
metadata: {name: wrong, namespace: NAMESPACE}
spec: {ports: [{port: 99999}], selector: {a: b}}
---
apiVersion: apps/v1
kind: Deploymnt
metadata: {name: typo, namespace: NAMESPACE}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: lost, namespace: NAMESPACE-nowhere}
";

#[test]
fn a_folder_is_planned_against_a_cluster_and_nothing_is_written() {
    let lab = Lab::shared();
    let namespace = unique("plan");
    let folder = super::Folder::with(&[("shop/web.yaml", &SHOP.replace("NAMESPACE", &namespace))]);
    let plan = |args: &[&str]| {
        let told = ask(lab, folder.path(), &[&["plan", "shop"], args].concat());
        assert!(!told.contains("hunter") && !told.contains("aHVudGVy"), "a secret value in:\n{told}");
        told.replace(&namespace, "NAMESPACE")
    };
    insta::assert_snapshot!("nothing_is_there_yet", plan(&[]));
    assert!(lab.absent("", &format!("namespace/{namespace}")));

    lab.apply(&SHOP.replace("NAMESPACE", &namespace));
    insta::assert_snapshot!("what_kubectl_applied_is_unchanged", plan(&[]));

    let changed = SHOP
        .replace("greeting: hello, ", "")
        .replace("two", "zwei")
        .replace("hunter2", "hunter3")
        .replace(", old: 'yes'", "")
        .replace(", {name: metrics, port: 9090}", "");
    folder.write("shop/web.yaml", &changed.replace("NAMESPACE", &namespace));
    insta::assert_snapshot!("what_changed_is_shown_field_by_field", plan(&[]));
    insta::assert_snapshot!("brief", plan(&["--brief"]));

    folder.write("shop/wrong.yaml", &WRONG.replace("NAMESPACE", &namespace));
    insta::assert_snapshot!("every_refusal_is_told", plan(&["--brief"]));
    let json = plan(&["-o", "json"]);
    let json = &json[json.find('{').expect("JSON")..json.find("--- stderr").expect("problems")];
    let value: Value = serde_json::from_str(json).expect("one JSON value");
    assert_eq!(value["problems"].as_array().map(Vec::len), Some(3), "{value:#}");

    let writes = lab.audit(&namespace, |event| {
        let verb = event["verb"].as_str().unwrap_or_default();
        event["userAgent"].as_str().is_some_and(|agent| agent.contains("(cli)"))
            && event["objectRef"]["namespace"].as_str().is_some_and(|it| it.starts_with(&namespace))
            && !matches!(verb, "get" | "list" | "watch")
    });
    assert!(!writes.is_empty(), "the dry-runs are not in the audit log");
    for event in writes {
        assert!(event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun=All")), "{event:#}");
    }
}

#[test]
fn a_sync_is_told_drawn_compared_asked_and_switched() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/web.yaml", &(web() + &greeting("hello")));
    let commit = repo.push("web");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &commit);
    let tandem = |args: &[&str]| ask(lab, repo.work(), &[args, &["-n", namespace]].concat());

    assert_told(&tandem(&["get"]), &["exit 0", "REPOSITORY", "SYNC", "True", "2/2", &commit[..8]]);
    assert_told(&tandem(&["get", "syncs", "-o", "json"]), &["exit 0", "\"kind\": \"Sync\"", &commit]);
    assert_told(&tandem(&["status", "sync"]), &["exit 0", "Revision     main@sha1:", &commit, "2 (2 current)"]);
    assert_told(&tandem(&["status", "nothing"]), &["exit 4", "error: no Sync", "has sync"]);
    assert_told(
        &tandem(&["tree", "sync"]),
        &["ConfigMap/web  Current", "Deployment.apps/web  Current", "ReplicaSet.apps/web-", "Pod/web-"],
    );
    assert_told(&tandem(&["reconcile", "sync"]), &["exit 0", "is ready at main@"]);
    assert_told(&tandem(&["reconcile", "repository/repo"]), &["exit 0", "is ready at main@"]);
    assert_told(
        &tandem(&["doctor"]),
        &[
            "ok    API server",
            "ok    clock",
            "ok    syncs.tandemcd.io",
            "ok    lease",
            &format!("ok    Sync {namespace}/sync: its account deployer may do what it needs"),
        ],
    );

    assert_told(&tandem(&["diff", "sync"]), &["exit 0", "2 unchanged"]);
    repo.write("deploy/web.yaml", &web());
    assert_told(
        &tandem(&["diff", "sync", "--path", "deploy"]),
        &["exit 1", &format!("deleted ConfigMap/{namespace}/web"), "1 to delete, 1 unchanged"],
    );
    assert_told(&tandem(&["plan", "deploy", "--sync", "sync", "--brief"]), &["exit 1", "1 to delete, 1 unchanged"]);
    repo.write("deploy/web.yaml", &(web() + &greeting("hello")));

    assert_told(&tandem(&["status", "--revision", "HEAD"]), &["exit 0", "yes", "applied"]);
    repo.write("docs/readme.md", "nothing that is deployed");
    let second = repo.push("docs");
    wait_for("the Repository to fetch it", || {
        let repository = lab.get(namespace, "repository/repo");
        let revision = repository["status"]["revision"].as_str().unwrap_or_default().to_owned();
        if revision.ends_with(&second) { Ok(()) } else { Err(revision) }
    });
    assert_told(&tandem(&["status", "--revision", "HEAD"]), &["exit 0", "yes"]);

    assert_told(&tandem(&["suspend", "sync"]), &["exit 0", "suspended", "outside Git"]);
    assert_eq!(lab.get(namespace, "sync/sync")["spec"]["suspend"], true);
    assert_told(&tandem(&["get", "syncs"]), &["suspended"]);
    assert_told(&tandem(&["resume", "sync"]), &["exit 0", "resumed"]);
    assert_eq!(lab.get(namespace, "sync/sync")["spec"]["suspend"], Value::Null);
    assert_told(&tandem(&["suspend", "repository/repo"]), &["exit 0", "suspended"]);
    assert_eq!(lab.get(namespace, "repository/repo")["spec"]["suspend"], true);
    assert_told(&tandem(&["get", "repositories"]), &["suspended"]);
    assert_told(&tandem(&["resume", "repository/repo"]), &["exit 0", "resumed"]);
    assert_eq!(lab.get(namespace, "repository/repo")["spec"]["suspend"], Value::Null);
}

#[test]
fn kubectl_finds_it_as_a_plugin_and_its_versions_are_those_of_the_cluster() {
    let lab = Lab::shared();
    let folder = super::Folder::with(&[]);
    let plugin = folder.path().join("kubectl-tandem");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tandem"), &plugin).expect("a link");
    let kubectl = |args: &[&str]| {
        let mut kubectl = lab.kubectl();
        kubectl.arg("tandem").args(args).env("PATH", folder.path()).env("HOME", folder.path());
        told(&kubectl.output().expect("kubectl runs"))
    };
    assert_told(&kubectl(&["get", "--help"]), &["exit 0", "Usage: kubectl tandem get"]);
    let version = env!("CARGO_PKG_VERSION");
    let deployment = lab.get("tandem-system", "deployment/tandem");
    let image = deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().expect("an image");
    assert_told(&kubectl(&["version"]), &["exit 0", &format!("client: {version}"), &format!("agent:  {image}")]);
    assert_told(&kubectl(&["get", "-n", "nowhere-at-all"]), &["exit 0"]);
    assert_told(&kubectl(&["status", "nothing"]), &["exit 4", "error: no Sync"]);
}

/// Somebody who may do nothing is told what is missing, and by whom it is refused.
#[test]
fn without_rights_each_command_says_which_one_is_missing() {
    let (lab, folder) = (Lab::shared(), super::Folder::with(&[("deploy/a.yaml", &greeting("hello"))]));
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    lab.k(&["-n", namespace, "create", "serviceaccount", "nobody"]);
    let admin = lab.k(&["config", "view", "--raw", "--flatten", "--minify", "-o", "json"]);
    let mut config: Value = serde_json::from_str(&admin).expect("JSON");
    let token = lab.k(&["-n", namespace, "create", "token", "nobody"]);
    config["users"][0]["user"] = serde_json::json!({"token": token.trim()});
    folder.write("kubeconfig", &config.to_string());
    let user = format!("system:serviceaccount:{namespace}:nobody");
    for args in [
        &["get", "syncs"][..],
        &["status", "web"],
        &["tree", "web"],
        &["diff", "web"],
        &["reconcile", "web"],
        &["suspend", "web"],
        &["plan", "deploy"],
    ] {
        let mut command = folder.command(&[args, &["-n", namespace, "--kubeconfig", "kubeconfig"]].concat());
        let told = told(&command.output().expect("the program runs"));
        assert_told(&told, &["exit 4", &user, "hint: grant the right"]);
    }
}

//! From a commit to running objects.

use crate::lab::manifests::{greeting, web};
use crate::lab::{Lab, Repo, Tenant, wait_for};

#[test]
fn a_commit_becomes_running_objects_and_the_next_one_changes_them() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    repo.write("deploy/web.yaml", &(web() + &greeting("hello")));
    let first = repo.push("web");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    let deployment = lab.get(&tenant.namespace, "deployment/web");
    assert_eq!(deployment["status"]["readyReplicas"], 1, "{deployment:#}");

    repo.write("deploy/web.yaml", &(web() + &greeting("good morning")));
    let second = repo.push("web: another greeting");
    tenant.wait_applied("sync", &second);
    assert_eq!(lab.get(&tenant.namespace, "configmap/web")["data"]["greeting"], "good morning");

    repo.write("deploy/web.yaml", &web());
    let third = repo.push("web: no greeting");
    tenant.wait_applied("sync", &third);
    wait_for("the ConfigMap to go", || {
        if lab.absent(&tenant.namespace, "configmap/web") { Ok(()) } else { Err("it is there".into()) }
    });
}

#[test]
fn a_change_by_hand_is_put_right() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    repo.write("deploy/web.yaml", &(web() + &greeting("hello")));
    let commit = repo.push("web");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &commit);
    let namespace = tenant.namespace.as_str();

    lab.k(&["-n", namespace, "patch", "configmap", "web", "-p", "{\"data\": {\"greeting\": \"bye\"}}"]);
    lab.wait(namespace, "configmap/web", |object| match object["data"]["greeting"].as_str() {
        Some("hello") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    lab.k(&["-n", namespace, "delete", "configmap", "web"]);
    lab.wait(namespace, "configmap/web", |_| Ok(()));
}

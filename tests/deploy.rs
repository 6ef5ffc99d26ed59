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

#[test]
fn rewritten_history_is_held_until_the_repository_names_both_commits() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let value = || lab.get(namespace, "configmap/web")["data"]["greeting"].clone();
    repo.write("deploy/web.yaml", &greeting("one"));
    let first = repo.push("one");
    repo.write("deploy/web.yaml", &greeting("two"));
    repo.write("deploy/more.yaml", &greeting("more").replace("name: web", "name: more"));
    let second = repo.push("two");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &second);

    repo.git(&["reset", "-q", "--hard", &first]);
    repo.write("deploy/web.yaml", &greeting("three"));
    let third = repo.push("three, as if two had never been");
    tenant.wait_message("sync", "Held", &[&third, "does not descend", &second, "spec.rewind"]);
    assert_eq!(value(), "two");
    lab.k(&["-n", namespace, "delete", "configmap", "more"]);
    lab.wait(namespace, "configmap/more", |_| Ok(()));

    let rewind = serde_json::json!({"spec": {"rewind": {"from": second, "to": third}}}).to_string();
    lab.k(&["-n", namespace, "patch", "repository", "repo", "--type=merge", "-p", &rewind]);
    tenant.wait_applied("sync", &third);
    assert_eq!(value(), "three");
    lab.wait_absent(namespace, "configmap/more");
}

#[test]
fn who_changes_it_back_each_time_is_named_and_what_git_leaves_alone_is_not_touched() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/web.yaml", &greeting("hello"));
    let first = repo.push("first");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    let change = |to: &str| {
        let patch = format!("{{\"data\": {{\"greeting\": \"{to}\"}}}}");
        lab.k(&["-n", namespace, "patch", "configmap", "web", "--field-manager=rival", "-p", &patch]);
    };
    for round in 0..4 {
        change(&format!("bye {round}"));
        lab.wait(namespace, "configmap/web", |object| match object["data"]["greeting"].as_str() {
            Some("hello") => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
    tenant.wait_reason("sync", "Ready", "DriftFight");
    tenant.wait_message("sync", "Ready", &["ConfigMap", "web", "rival"]);

    // Only repairs are slowed: what Git says anew is there when the commit counts as applied.
    change("again");
    repo.write("deploy/web.yaml", &greeting("good morning"));
    let anew = repo.push("another greeting");
    tenant.wait_applied("sync", &anew);
    assert_eq!(lab.get(namespace, "configmap/web")["data"]["greeting"], "good morning");
    assert!(tenant.writes(&anew).contains(&"patch configmaps/web".to_owned()), "{:?}", tenant.writes(&anew));

    for round in 0..4 {
        change(&format!("evening {round}"));
        lab.wait(namespace, "configmap/web", |object| match object["data"]["greeting"].as_str() {
            Some("good morning") => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
    tenant.wait_reason("sync", "Ready", "DriftFight");

    let left =
        greeting("good morning").replace("{name: web}", "{name: web, annotations: {tandemcd.io/reconcile: disabled}}");
    repo.write("deploy/web.yaml", &left);
    repo.write("deploy/more.yaml", &greeting("more").replace("name: web", "name: more"));
    let second = repo.push("web is left alone");
    lab.wait(namespace, "configmap/more", |_| Ok(()));
    change("by hand");
    lab.k(&["-n", namespace, "delete", "configmap", "more"]);
    lab.wait(namespace, "configmap/more", |_| Ok(()));
    assert_eq!(lab.get(namespace, "configmap/web")["data"]["greeting"], "by hand");
    let touched = tenant.writes(&second);
    assert!(!touched.contains(&"patch configmaps/web".to_owned()), "{touched:?}");

    // Git left the object to the rival: there is nothing to fight over any more.
    tenant.wait_applied("sync", &second);
    repo.write("deploy/more.yaml", &greeting("even more").replace("name: web", "name: more"));
    let third = repo.push("and goes on");
    let sync = tenant.wait_applied("sync", &third);
    assert!(crate::lab::condition_of(&sync, "Stalled").is_none(), "{:#}", sync["status"]);
}

//! From a commit to running objects.

use serde_json::{Value, json};

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

/// A repository of which a Sync follows this reference.
fn follow(tenant: &Tenant<'_>, lab: &Lab, repo: &Repo, reference: &Value) {
    let metadata = json!({"name": "repo", "namespace": tenant.namespace});
    let spec = json!({"url": repo.url, "ref": reference, "interval": "1s"});
    let repository =
        json!({"apiVersion": "tandemcd.io/v1alpha1", "kind": "Repository", "metadata": metadata, "spec": spec});
    lab.apply(&repository.to_string());
    tenant.sync("sync", "deploy", "");
}

/// A commit with this greeting.
fn greet(repo: &Repo, greeting: &str) -> String {
    repo.write("deploy/web.yaml", &self::greeting(greeting));
    repo.push(greeting)
}

/// It is held for this reason, and what was accepted is there, also when it is deleted by hand.
fn held(tenant: &Tenant<'_>, lab: &Lab, reason: &str, (commit, accepted): (&str, &str), value: &str) {
    let namespace = tenant.namespace.as_str();
    let held = tenant.wait_message("sync", "Held", &[commit, accepted, "spec.rewind"]);
    assert_eq!(crate::lab::condition_of(&held, "Held").expect("Held")["reason"], reason, "{:#}", held["status"]);
    lab.k(&["-n", namespace, "delete", "configmap", "web"]);
    lab.wait(namespace, "configmap/web", |object| match object["data"]["greeting"].as_str() {
        Some(found) if found == value => Ok(()),
        other => Err(format!("{other:?}, wanted {value}")),
    });
}

#[test]
fn a_tag_that_is_moved_back_is_held_and_one_that_is_moved_on_is_followed() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let tag = |commit: &str| {
        repo.git(&["tag", "-f", "stable", commit]);
        repo.git(&["push", "-q", "--force", "origin", "refs/tags/stable"]);
    };
    let (first, second) = (greet(&repo, "one"), greet(&repo, "two"));
    tag(&second);
    follow(&tenant, lab, &repo, &json!({"tag": "stable"}));
    tenant.wait_applied("sync", &second);
    tag(&first);
    held(&tenant, lab, "Rewound", (&first, &second), "two");
    let third = greet(&repo, "three");
    tag(&third);
    tenant.wait_applied("sync", &third);
    // Beside, to a history of its own.
    repo.git(&["checkout", "-q", "-B", "beside", &first]);
    repo.write("deploy/web.yaml", &greeting("beside"));
    repo.git(&["add", "."]);
    repo.git(&["commit", "-q", "-m", "beside"]);
    let beside = repo.head();
    tag(&beside);
    held(&tenant, lab, "Diverged", (&beside, &third), "three");
    assert!(tenant.writes(&first).is_empty() && tenant.writes(&beside).is_empty());
}

#[test]
fn a_version_that_falls_is_held_and_a_higher_one_is_followed() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let tag = |name: &str, commit: &str| repo.git(&["push", "-q", "origin", &format!("{commit}:refs/tags/{name}")]);
    let (first, second) = (greet(&repo, "one"), greet(&repo, "two"));
    tag("v1.0.0", &first);
    tag("v1.1.0", &second);
    follow(&tenant, lab, &repo, &json!({"semver": ">=1"}));
    tenant.wait_applied("sync", &second);
    repo.git(&["push", "-q", "origin", ":refs/tags/v1.1.0"]);
    held(&tenant, lab, "Rewound", (&format!("v1.0.0@sha1:{first}"), &second), "two");
    // A higher number for what is older is older all the same.
    tag("v2.0.0", &first);
    lab.wait(&tenant.namespace, "repository/repo", |object| match object["status"]["revision"].as_str() {
        Some(revision) if revision == format!("v2.0.0@sha1:{first}") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    held(&tenant, lab, "Rewound", (&first, &second), "two");
    assert!(tenant.writes(&first).is_empty());
    let third = greet(&repo, "three");
    tag("v2.1.0", &third);
    tenant.wait_applied("sync", &third);
}

#[test]
fn another_reference_is_followed_where_it_descends_from_what_is_accepted() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let branch = |name: &str| {
        let patch = json!({"spec": {"ref": {"branch": name}}}).to_string();
        lab.k(&["-n", &tenant.namespace, "patch", "repository", "repo", "--type=merge", "-p", &patch]);
    };
    let (first, second) = (greet(&repo, "one"), greet(&repo, "two"));
    let third = greet(&repo, "three");
    repo.git(&[
        "push",
        "-q",
        "--force",
        "origin",
        &format!("{third}:refs/heads/next"),
        &format!("{second}:refs/heads/main"),
        &format!("{first}:refs/heads/old"),
    ]);
    repo.git(&["checkout", "-q", "-B", "other", &first]);
    repo.write("deploy/web.yaml", &greeting("other"));
    repo.git(&["add", "."]);
    repo.git(&["commit", "-q", "-m", "other"]);
    let other = repo.head();
    repo.git(&["push", "-q", "origin", "other"]);
    follow(&tenant, lab, &repo, &json!({"branch": "main"}));
    tenant.wait_applied("sync", &second);
    branch("other");
    held(&tenant, lab, "Diverged", (&other, &second), "two");
    branch("old");
    held(&tenant, lab, "Rewound", (&first, &second), "two");
    assert!(tenant.writes(&first).is_empty() && tenant.writes(&other).is_empty());
    branch("next");
    tenant.wait_applied("sync", &third);
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

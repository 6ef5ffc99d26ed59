//! What remotes do to those that follow them, and a cache that is lost or broken, through the agent: each is told,
//! nothing is deleted, nothing goes back in silence, and what is accepted stays healed.

use std::fs;
use std::path::Path;

use crate::git_remote::{Repositories, WorkingCopy, serve};
use crate::lab::manifests::config;
use crate::lab::{Agent, Lab, Tenant, condition_of};

/// A branch with two objects.
fn two(app: &WorkingCopy, value: &str) -> String {
    let of = |name: &str| config(name, &format!("{{v: '{value}'}}"));
    app.push(value, &[("deploy/a.yaml", &of("a")), ("deploy/b.yaml", &of("b"))])
}

/// Both are there, as this revision has them; one that is deleted by hand comes back.
fn stays_healed(lab: &Lab, tenant: &Tenant<'_>, value: &str) {
    let namespace = tenant.namespace.as_str();
    lab.k(&["-n", namespace, "delete", "configmap", "b"]);
    for name in ["configmap/a", "configmap/b"] {
        lab.wait(namespace, name, |object| match object["data"]["v"].as_str() {
            Some(found) if found == value => Ok(()),
            other => Err(format!("{other:?}, wanted {value}")),
        });
    }
}

/// Has the remote asked now: after a few failures in a row the next poll is minutes away.
fn ask(lab: &Lab, tenant: &Tenant<'_>) {
    let at = format!("tandemcd.io/requestedAt={}", crate::lab::unique("at"));
    lab.k(&["-n", &tenant.namespace, "annotate", "--overwrite", "repository", "repo", &at]);
}

/// Waits for the reason of a Repository's Ready; it names no other revision than this one.
fn wait_told(lab: &Lab, tenant: &Tenant<'_>, reason: &str, commit: &str) {
    ask(lab, tenant);
    let told = lab.wait(&tenant.namespace, "repository/repo", |object| {
        let ready = condition_of(object, "Ready").cloned().unwrap_or_default();
        let told = ready["status"] == "False" && ready["reason"] == reason;
        if told { Ok(()) } else { Err(format!("{reason}: {:#}", object["status"])) }
    });
    let message = condition_of(&told, "Ready").expect("Ready")["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("127.0.0.1") || message.contains("main"), "it names what is missing: {message}");
    assert!(told["status"]["revision"].as_str().is_some_and(|revision| revision.ends_with(commit)), "{told:#}");
}

#[test]
fn a_branch_a_content_or_a_repository_that_goes_is_told_and_takes_nothing_along() {
    let lab = Lab::shared();
    let tenant = Tenant::new(lab);
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let first = two(&app, "1");
    let server = serve("git-http", &["--root", &repositories.root()]);
    tenant.repository_at("repo", &server.repository("app"), "interval: 1s");
    tenant.sync("sync", "deploy", "deletionBudget: {maxCount: 1000, maxPercent: 100}");
    tenant.wait_applied("sync", &first);

    app.git(&["push", "-q", "origin", "HEAD:refs/heads/other", ":refs/heads/main"]);
    wait_told(lab, &tenant, "RefNotFound", &first);
    stays_healed(lab, &tenant, "1");
    app.git(&["push", "-q", "origin", ":refs/heads/other"]);
    wait_told(lab, &tenant, "EmptyRepository", &first);
    stays_healed(lab, &tenant, "1");
    fs::rename(&app.bare, app.bare.with_extension("away")).expect("renamed");
    wait_told(lab, &tenant, "RepositoryNotFound", &first);
    stays_healed(lab, &tenant, "1");
    fs::rename(app.bare.with_extension("away"), &app.bare).expect("renamed");

    // It comes back with less in it than before, as no descendant of what is accepted.
    app.git(&["checkout", "-q", "--orphan", "fresh"]);
    app.git(&["rm", "-rqf", "deploy"]);
    let shrunk = app.push("another history", &[("deploy/c.yaml", &config("c", "{v: '2'}"))]);
    app.git(&["push", "-q", "--force", "origin", "HEAD:main"]);
    ask(lab, &tenant);
    tenant.wait_message("sync", "Held", &["does not descend from", &first, &shrunk, "spec.rewind"]);
    stays_healed(lab, &tenant, "1");
    assert!(lab.absent(&tenant.namespace, "configmap/c"));
}

/// Breaks what the agent has cached of the one repository, in a way that a disk does.
fn truncate_packs(folder: &Path) {
    for entry in fs::read_dir(folder).expect("the cache").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            truncate_packs(&entry);
        } else if entry.extension().is_some_and(|ending| ending == "pack") {
            let half = fs::read(&entry).expect("a pack");
            fs::remove_file(&entry).expect("removed");
            fs::write(&entry, &half[..half.len() / 2]).expect("a pack");
        }
    }
}

#[test]
fn a_cache_that_is_broken_or_lost_is_fetched_anew_and_an_accepted_commit_that_is_gone_is_said() {
    let lab = Lab::start("cache");
    let mut agent = Agent::start_with(&lab, &["--lease-seconds", "3"]);
    let tenant = Tenant::new(&lab);
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let first = two(&app, "1");
    let server = serve("git-http", &["--root", &repositories.root()]);
    tenant.repository_at("repo", &server.repository("app"), "interval: 1s");
    tenant.sync("sync", "deploy", "deletionBudget: {maxCount: 1000, maxPercent: 100}");
    tenant.wait_applied("sync", &first);

    // Under the running agent: what it has to render again is not readable any more.
    truncate_packs(&agent.cache());
    stays_healed(&lab, &tenant, "1");
    let second = two(&app, "2");
    tenant.wait_applied("sync", &second);
    for entry in fs::read_dir(agent.cache()).expect("the cache").map(|entry| entry.expect("an entry").path()) {
        let removed = if entry.is_dir() { fs::remove_dir_all(&entry) } else { fs::remove_file(&entry) };
        removed.expect("removed");
    }
    stays_healed(&lab, &tenant, "2");
    let third = two(&app, "3");
    tenant.wait_applied("sync", &third);
    stays_healed(&lab, &tenant, "3");

    // While it is away its cache is lost, and the accepted commit is taken out of the remote.
    agent.kill();
    let _ = fs::remove_dir_all(agent.cache());
    app.git(&["checkout", "-q", "--orphan", "fresh"]);
    app.git(&["rm", "-rqf", "deploy"]);
    let rewritten = app.push("as if nothing had been", &[("deploy/a.yaml", &config("a", "{v: '4'}"))]);
    app.git(&["push", "-q", "--force", "origin", "HEAD:main", ":fresh"]);
    let gone = crate::git_remote::git(&app.bare, &["rev-list", "--all"]);
    assert!(!gone.contains(&third), "{gone}");
    agent.restart();
    let held = tenant.wait_message(
        "sync",
        "Held",
        &[&third, &rewritten, "gone from the remote and from the cache", "spec.rewind"],
    );
    assert_eq!(condition_of(&held, "Held").expect("Held")["reason"], "AcceptedRevisionUnavailable");
    assert_eq!(condition_of(&held, "Ready").expect("Ready")["status"], "False");
    for name in ["configmap/a", "configmap/b"] {
        assert_eq!(lab.get(&tenant.namespace, name)["data"]["v"], "3");
    }
    let rewind = serde_json::json!({"spec": {"rewind": {"from": third, "to": rewritten}}}).to_string();
    lab.k(&["-n", &tenant.namespace, "patch", "repository", "repo", "--type=merge", "-p", &rewind]);
    tenant.wait_applied("sync", &rewritten);
    assert_eq!(lab.get(&tenant.namespace, "configmap/a")["data"]["v"], "4");
    lab.wait_absent(&tenant.namespace, "configmap/b");
}

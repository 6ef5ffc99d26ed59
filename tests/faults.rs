//! The agent is killed, the API server and its store are stopped: afterwards the cluster equals
//! Git, nothing that Git keeps was deleted, and nothing is left over. Judged by plain listings.

use std::collections::{BTreeMap, BTreeSet};

use crate::lab::{Agent, Lab, Repo, Tenant, wait_for};

const OBJECTS: usize = 40;

/// What a revision of the test's repository holds: name and value of each ConfigMap.
type Wanted = BTreeMap<String, String>;

fn write(repo: &Repo, wanted: &Wanted) -> String {
    let _ = std::fs::remove_dir_all(repo.work().join("deploy"));
    for (name, value) in wanted {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: '{value}'}}\n");
        repo.write(&format!("deploy/{name}.yaml"), &text);
    }
    repo.push("change")
}

/// What the cluster holds, by a plain listing; the one ConfigMap of every namespace is left out.
fn listed(lab: &Lab, namespace: &str) -> Wanted {
    let list = lab.get(namespace, "configmaps");
    let items = list["items"].as_array().expect("items");
    let entry = |item: &serde_json::Value| {
        let name = item["metadata"]["name"].as_str()?.to_owned();
        (name != "kube-root-ca.crt").then(|| (name, item["data"]["value"].as_str().unwrap_or_default().to_owned()))
    };
    items.iter().filter_map(entry).collect()
}

fn uids(lab: &Lab, namespace: &str) -> BTreeMap<String, String> {
    let list = lab.get(namespace, "configmaps");
    let items = list["items"].as_array().expect("items");
    let text = |item: &serde_json::Value, field: &str| item["metadata"][field].as_str().unwrap_or_default().to_owned();
    items.iter().map(|item| (text(item, "name"), text(item, "uid"))).collect()
}

/// How many objects of the tenant the audit log shows as written for a commit.
fn writes(lab: &Lab, namespace: &str, commit: &str) -> usize {
    let written = lab.audit(|event| {
        let verb = event["verb"].as_str().unwrap_or_default();
        event["objectRef"]["namespace"] == namespace
            && event["objectRef"]["resource"] == "configmaps"
            && matches!(verb, "patch" | "delete" | "create")
            && event["userAgent"].as_str().is_some_and(|agent| agent.contains(commit))
            && !event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun"))
    });
    written.len()
}

#[test]
fn killed_after_any_write_it_ends_where_git_is() {
    let lab = Lab::start("kill");
    let mut agent = Agent::start_with(&lab, &["--lease-seconds", "3"]);
    let (tenant, repo) = (Tenant::new(&lab), Repo::new());
    let mut wanted: Wanted = (0..OBJECTS).map(|n| (format!("object-{n:02}"), "0".to_owned())).collect();
    let mut commit = write(&repo, &wanted);
    tenant.deploy(&repo, "deletionBudget: {maxCount: 100, maxPercent: 100}");
    tenant.wait_applied("sync", &commit);
    let namespace = tenant.namespace.clone();

    for (round, kill_after) in [0, 1, 2, 7, 19, 20, 33, 39, 41, 44].into_iter().enumerate() {
        let before = uids(&lab, &namespace);
        // Everything changes, five leave and five others come: 40 applies, then 5 deletions.
        wanted =
            (0..OBJECTS).map(|n| (format!("object-{:02}", n + 5 * (round + 1)), (round + 1).to_string())).collect();
        commit = write(&repo, &wanted);
        wait_for("the write after which it is killed", || {
            let seen = writes(&lab, &namespace, &commit);
            if seen >= kill_after { Ok(()) } else { Err(format!("{seen} writes")) }
        });
        agent.kill();
        agent.restart();
        tenant.wait_applied("sync", &commit);
        wait_for("the cluster to equal Git", || {
            let found = listed(&lab, &namespace);
            if found == wanted { Ok(()) } else { Err(format!("killed after {kill_after}: {found:?}")) }
        });
        let after = uids(&lab, &namespace);
        let kept: BTreeSet<_> = wanted.keys().filter(|name| before.contains_key(*name)).collect();
        for name in kept {
            assert_eq!(before[name], after[name], "{name} was deleted although Git keeps it (round {round})");
        }
    }
}

#[test]
fn api_server_and_store_come_back() {
    let lab = Lab::start("outage");
    let agent = Agent::start_with(&lab, &["--lease-seconds", "6"]);
    let (tenant, repo) = (Tenant::new(&lab), Repo::new());
    let mut wanted: Wanted = (0..OBJECTS).map(|n| (format!("object-{n:02}"), "0".to_owned())).collect();
    let first = write(&repo, &wanted);
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    let namespace = tenant.namespace.clone();
    for (round, component) in ["kube-apiserver", "etcd"].into_iter().enumerate() {
        lab.component("stop", component);
        wanted.values_mut().for_each(|value| *value = format!("{}", round + 1));
        let commit = write(&repo, &wanted);
        // It notices, and does not end.
        wait_for("the outage to be noticed", || {
            let log = agent.log();
            if log.lines().any(|line| line.contains(&commit) || line.contains("lease")) { Ok(()) } else { Err(log) }
        });
        lab.component("start", component);
        tenant.wait_applied("sync", &commit);
        wait_for("the cluster to equal Git", || {
            let found = listed(&lab, &namespace);
            if found == wanted { Ok(()) } else { Err(format!("after {component}: {found:?}")) }
        });
    }
}

#[test]
fn a_restart_asks_for_nothing_that_is_right() {
    let lab = Lab::start("restart");
    let mut agent = Agent::start_with(&lab, &["--lease-seconds", "3"]);
    let (tenant, repo) = (Tenant::new(&lab), Repo::new());
    let wanted: Wanted = (0..OBJECTS).map(|n| (format!("object-{n:02}"), "0".to_owned())).collect();
    let commit = write(&repo, &wanted);
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &commit);
    let requests = |lab: &Lab| {
        let of_objects = lab.audit(|event| {
            event["objectRef"]["namespace"] == tenant.namespace.as_str()
                && event["objectRef"]["resource"] == "configmaps"
                && event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("tandem/"))
                && event["verb"] != "watch"
                && event["verb"] != "list"
        });
        of_objects.len()
    };
    let before = requests(&lab);
    assert!(before >= OBJECTS, "the log shows the applies: {before}");
    agent.kill();
    agent.restart();
    wait_for("the restarted agent to look at its objects", || {
        let leads = agent.log().matches("this replica leads").count();
        if leads >= 2 { Ok(()) } else { Err(format!("leads {leads} times")) }
    });
    // Something later that must come after everything that a restart does.
    repo.write("deploy/last.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: last}\n");
    let last = repo.push("one more");
    tenant.wait_applied("sync", &last);
    let new = requests(&lab) - before;
    assert!(new <= 2, "one dry-run and one apply of the new object, and nothing of the others: {new} requests");
}

/// What a Sync says of itself is right after a restart too: it is not written again, whatever has
/// happened elsewhere in the repository.
#[test]
fn a_restart_writes_no_status_that_says_the_same() {
    let lab = Lab::start("silent");
    let mut agent = Agent::start_with(&lab, &["--lease-seconds", "3"]);
    let (tenant, repo) = (Tenant::new(&lab), Repo::new());
    let object = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    repo.write("a/a.yaml", &object("a"));
    repo.write("b/b.yaml", &object("b"));
    let first = repo.push("two folders");
    tenant.repository("repo", &repo);
    tenant.sync("a", "a", "");
    tenant.sync("b", "b", "");
    tenant.wait_applied("a", &first);
    tenant.wait_applied("b", &first);
    repo.write("b/c.yaml", &object("c"));
    let second = repo.push("one of them");
    tenant.wait_applied("b", &second);
    let version =
        |sync: &str| lab.get(&tenant.namespace, &format!("sync/{sync}"))["metadata"]["resourceVersion"].clone();
    let before = (version("a"), version("b"));
    agent.kill();
    agent.restart();
    wait_for("the restarted agent to lead", || match agent.log().matches("this replica leads").count() {
        0 | 1 => Err(agent.log()),
        _ => Ok(()),
    });
    // It has seen both again, and found them right.
    wait_for("the restarted agent to have looked", || {
        let told = agent.http("/metrics")?;
        let sees = |line: &&String| told.lines().any(|l| l == line.as_str());
        let namespace = &tenant.namespace;
        let lines = [("a", 1), ("b", 2)].map(|(sync, current)| {
            [
                format!("tandem_sync_ready{{namespace=\"{namespace}\",sync=\"{sync}\"}} 1"),
                format!("tandem_objects{{namespace=\"{namespace}\",status=\"Current\",sync=\"{sync}\"}} {current}"),
            ]
        });
        if lines.as_flattened().iter().all(|line| sees(&line)) { Ok(()) } else { Err(told) }
    });
    assert_eq!((version("a"), version("b")), before);
    // A commit for one of them is told after whatever else was to be told.
    repo.write("b/d.yaml", &object("d"));
    let third = repo.push("one of them again");
    tenant.wait_applied("b", &third);
    assert_eq!(version("a"), before.0);
}

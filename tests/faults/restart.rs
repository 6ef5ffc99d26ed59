//! What a restart costs.

use super::Wanted;
use crate::lab::{Agent, Lab, Repo, Tenant, wait_for};

const OBJECTS: u32 = 40;

#[test]
fn a_restart_asks_for_nothing_that_is_right() {
    let lab = Lab::start("restart");
    let mut agent = Agent::start_with(&lab, &["--lease-seconds", "3"]);
    let (tenant, repo) = (Tenant::new(&lab), Repo::new());
    let commit = Wanted::revision(0, OBJECTS).push(&repo);
    // What it renders with is read anew, and says the same.
    let namespace = tenant.namespace.as_str();
    lab.k(&["-n", namespace, "create", "configmap", "vars", "--from-literal=REGION=north"]);
    tenant.deploy(&repo, "substitute: {from: [{kind: ConfigMap, name: vars}]}");
    tenant.wait_applied("sync", &commit);
    let requests = |lab: &Lab| {
        let of_objects = lab.audit(&tenant.namespace, |event| {
            event["objectRef"]["namespace"] == tenant.namespace.as_str()
                && matches!(
                    event["objectRef"]["resource"].as_str(),
                    Some("configmaps" | "services" | "serviceaccounts" | "deployments")
                )
                && event["objectRef"]["name"].as_str().is_some_and(|name| name.starts_with("object-"))
                && event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("tandem/"))
                && event["verb"] != "watch"
                && event["verb"] != "list"
        });
        of_objects.len()
    };
    let before = requests(&lab);
    assert!(before >= OBJECTS as usize, "the log shows the applies: {before}");
    agent.kill();
    agent.restart();
    wait_for("the restarted agent to look at its objects", || {
        let leads = agent.log().matches("this replica leads").count();
        if leads >= 2 { Ok(()) } else { Err(format!("leads {leads} times")) }
    });
    // Something later that must come after everything that a restart does.
    repo.write("deploy/last.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: object-last}\n");
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

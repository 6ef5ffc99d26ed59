//! The API server and its store stop in the middle of a run and come back; the agent restarts.

use super::{BUDGET, Wanted, listed};
use crate::lab::gate::{Gate, LastAnswer};
use crate::lab::{Agent, Lab, Repo, Tenant, wait_for};

const OBJECTS: u32 = 40;

#[test]
fn api_server_and_store_stop_in_the_middle_of_a_run_and_come_back() {
    let lab = Lab::start("outage");
    let gate = Gate::start(&lab);
    let agent = Agent::start_through(&lab, &gate.url, &["--lease-seconds", "6"]);
    let (tenant, repo) = (Tenant::new(&lab), Repo::new());
    let commit = Wanted::revision(0, OBJECTS).push(&repo);
    tenant.deploy(&repo, BUDGET);
    tenant.wait_applied("sync", &commit);
    for (number, component) in (1..).zip(["kube-apiserver", "etcd"]) {
        let before = listed(&lab, &tenant.namespace);
        gate.limit(&tenant.namespace, 20, LastAnswer::Comes);
        Wanted::revision(number * 2 - 1, OBJECTS).push(&repo);
        wait_for("half of the run", || {
            let answered = gate.answered(&tenant.namespace);
            if answered == 20 { Ok(()) } else { Err(format!("{answered} writes")) }
        });
        let logged = agent.log().len();
        lab.component("stop", component);
        gate.open();
        // Meanwhile Git goes on.
        let wanted = Wanted::revision(number * 2, OBJECTS);
        let commit = wanted.push(&repo);
        // It notices, and does not end.
        wait_for("the outage to be noticed", || {
            let log = agent.log();
            let since = log.get(logged..).unwrap_or_default();
            let noticed = since.lines().any(|line| line.contains("\"WARN\"") || line.contains("\"ERROR\""));
            if noticed { Ok(()) } else { Err(since.to_owned()) }
        });
        lab.component("start", component);
        tenant.wait_applied("sync", &commit);
        let after = wait_for("the cluster to equal Git", || {
            let found = listed(&lab, &tenant.namespace);
            wanted.equals(&found).map(|()| found).map_err(|why| format!("after {component}: {why}"))
        });
        wanted.keeps(&before, &after);
    }
    agent.wait_ready();
}

#[test]
fn a_restart_asks_for_nothing_that_is_right() {
    let lab = Lab::start("restart");
    let mut agent = Agent::start_with(&lab, &["--lease-seconds", "3"]);
    let (tenant, repo) = (Tenant::new(&lab), Repo::new());
    let commit = Wanted::revision(0, OBJECTS).push(&repo);
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &commit);
    let requests = |lab: &Lab| {
        let of_objects = lab.audit(|event| {
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

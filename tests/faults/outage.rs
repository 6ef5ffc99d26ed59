//! The API server and its store stop in the middle of a run and come back.

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

//! The agent stands still for longer than its lease lasts, as on a machine that sleeps or has far
//! too much to do: then its permit has run out in the middle of whatever it did.

use std::process::Command;
use std::time::{Duration, Instant};

use super::{BUDGET, Wanted, listed_everywhere};
use crate::lab::gate::Gate;
use crate::lab::{Agent, Lab, Repo, Tenant, wait_for};

const OBJECTS: u32 = 40;
/// Syncs that are stopped at once, each somewhere else in its run.
const TOGETHER: usize = 8;
/// With a lease of 3 s, a renewal counts for 2 s.
const STANDS_STILL: Duration = Duration::from_millis(2_500);

fn signal(agent: &Agent, name: &str) {
    let mut kill = Command::new("kill");
    crate::lab::run(kill.args([name, &agent.pid().to_string()]));
}

#[test]
fn it_stands_still_in_the_middle_of_its_runs_and_ends_where_git_is() {
    let lab = Lab::start("stall");
    let gate = Gate::start(&lab);
    let agent = Agent::start_through(&lab, &gate.url, &["--lease-seconds", "3", "--max-in-flight", "1024"]);
    let (tenants, repo) = (Tenant::several(&lab, TOGETHER), Repo::new());
    let commit = Wanted::revision(0, OBJECTS).push(&repo);
    for tenant in &tenants {
        tenant.deploy(&repo, BUDGET);
    }
    for tenant in &tenants {
        tenant.wait_applied("sync", &commit);
    }
    for number in 1..9 {
        let before = listed_everywhere(&lab);
        tenants.iter().for_each(|tenant| gate.count(&tenant.namespace));
        let wanted = Wanted::revision(number, OBJECTS);
        let commit = wanted.push(&repo);
        let writes = 6 * number as usize;
        wait_for("the middle of the runs", || {
            let most = tenants.iter().map(|tenant| gate.answered(&tenant.namespace)).max().unwrap_or_default();
            if most >= writes { Ok(()) } else { Err(format!("{most} writes")) }
        });
        signal(&agent, "-STOP");
        // That time passes is what is tried out; nothing is waited for.
        let stopped = Instant::now();
        while let Some(rest) = STANDS_STILL.checked_sub(stopped.elapsed()).filter(|rest| !rest.is_zero()) {
            std::thread::park_timeout(rest);
        }
        signal(&agent, "-CONT");
        for tenant in &tenants {
            tenant.wait_applied("sync", &commit);
        }
        let after = wait_for("the cluster to equal Git", || {
            let found = listed_everywhere(&lab);
            for tenant in &tenants {
                let of_tenant = found.get(&tenant.namespace).ok_or("nothing is there")?;
                wanted.equals(of_tenant).map_err(|why| format!("stopped after {writes} writes: {why}"))?;
            }
            Ok(found)
        });
        for tenant in &tenants {
            wanted.keeps(&before[&tenant.namespace], &after[&tenant.namespace]);
        }
    }
}

//! kill -9: after every write of a run, and at random moments.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::{BUDGET, Wanted, listed, listed_everywhere};
use crate::lab::gate::{Gate, LastAnswer};
use crate::lab::{Agent, Lab, Repo, Tenant, wait_for, wait_within};

/// Objects of a run that is killed after each of its writes.
const OBJECTS: u32 = 40;
/// Tenants whose runs are killed together.
const TOGETHER: usize = 14;
/// So many tenants may need a while on a busy machine. A request that the gate holds fails after half a minute, and what
/// is sent in its place is held as well: the longer all of them take to come to their last write, the more of them are
/// killed while they wait to try again.
const PATIENCE: Duration = Duration::from_secs(600);

/// Which of the tenants have applied a commit, and how the others stand.
fn applied(lab: &Lab, tenants: &[(usize, &Tenant<'_>)], commit: &str) -> Result<(), String> {
    if tenants.is_empty() {
        return Ok(());
    }
    let list = lab.k(&["get", "syncs", "-A", "-o", "json"]);
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let items = list["items"].as_array().expect("items");
    let done = |tenant: &Tenant<'_>| {
        let sync = items.iter().find(|sync| sync["metadata"]["namespace"] == tenant.namespace.as_str());
        sync.is_some_and(|sync| {
            let ready = crate::lab::condition_of(sync, "Ready").is_some_and(|c| c["status"] == "True");
            ready && sync["status"]["appliedRevision"].as_str().is_some_and(|applied| applied.ends_with(commit))
        })
    };
    let missing: Vec<_> = tenants.iter().filter(|(_, tenant)| !done(tenant)).collect();
    let Some((k, first)) = missing.first() else { return Ok(()) };
    let status = items.iter().find(|sync| sync["metadata"]["namespace"] == first.namespace.as_str());
    Err(format!("{} of {} have not; that of {k}: {status:#?}", missing.len(), tenants.len()))
}

/// Every tenant has the same Sync and its own k: the gate lets k writes of it through and holds the
/// next one. When all have come so far, the agent is killed: one kill after the k-th write for
/// every k, of several tenants at a time.
#[test]
fn killed_after_every_write_it_ends_where_git_is() {
    let lab = Lab::start("kill");
    let gate = Gate::start(&lab);
    // Room for the runs that the gate holds, beside those of the tenants before them, whose namespaces still go.
    let room = ["--max-in-flight", "1024", "--concurrency", "64"];
    let mut agent = Agent::start_through(&lab, &gate.url, &[&["--lease-seconds", "3"], &room[..]].concat());

    // An undisturbed run tells how many writes there are: 40 objects, 5 deletions, and the records
    // of them.
    let (scout, repo) = (Tenant::new(&lab), Repo::new());
    let commit = Wanted::revision(0, OBJECTS).push(&repo);
    scout.deploy(&repo, BUDGET);
    scout.wait_applied("sync", &commit);
    gate.count(&scout.namespace);
    let commit = Wanted::revision(1, OBJECTS).push(&repo);
    scout.wait_applied("sync", &commit);
    let writes = gate.answered(&scout.namespace);
    assert!(writes > 45, "{writes} writes");
    gate.open();

    let tenants = Tenant::several(&lab, writes + 1);
    let tenants: Vec<_> = tenants.iter().enumerate().collect();
    for some in tenants.chunks(TOGETHER) {
        let began = Instant::now();
        let repo = Repo::new();
        let commit = Wanted::revision(0, OBJECTS).push(&repo);
        // Each has a Repository of its own: Syncs of the same one wait for one another before they
        // delete.
        let deployed = |(_, tenant): &(usize, &Tenant<'_>)| {
            tenant.repository_yaml("repo", &repo.url, "interval: 1s") + &tenant.sync_yaml("sync", "deploy", BUDGET)
        };
        lab.apply(&some.iter().map(deployed).collect::<String>());
        wait_within(PATIENCE, "all to be applied", &mut || applied(&lab, some, &commit));
        for (number, last) in [(1, LastAnswer::Comes), (2, LastAnswer::Lost)] {
            let killed = Killed { lab: &lab, gate: &gate, tenants: some, repo: &repo };
            killed.after_the_last_write(&mut agent, number, last);
        }
        let (first, last) = (some[0].0, some[some.len() - 1].0);
        println!("killed after each of the writes {first} to {last} of {writes}, twice: {:.1?}", began.elapsed());
        let gone = |(_, tenant): &(usize, &Tenant<'_>)| tenant.namespace.clone();
        let mut done = lab.kubectl();
        done.args(["delete", "namespace", "--wait=false"]).args(some.iter().map(gone));
        crate::lab::run(&mut done);
    }
}

/// Tenants that are killed together.
struct Killed<'a> {
    lab: &'a Lab,
    gate: &'a Gate,
    tenants: &'a [(usize, &'a Tenant<'a>)],
    repo: &'a Repo,
}

impl Killed<'_> {
    fn after_the_last_write(&self, agent: &mut Agent, number: u32, last: LastAnswer) {
        let before = listed_everywhere(self.lab);
        for (k, tenant) in self.tenants {
            self.gate.limit(&tenant.namespace, *k, last);
        }
        let mut wanted = Wanted::revision(number, OBJECTS);
        let mut commit = wanted.push(self.repo);
        wait_within(PATIENCE, "every tenant's last write", &mut || {
            let short = |(k, tenant): &&(usize, &Tenant<'_>)| self.gate.answered(&tenant.namespace) < *k;
            let short: Vec<_> = self.tenants.iter().filter(short).copied().collect();
            // The run of one that is short may be over: a status fewer than in the undisturbed one.
            applied(self.lab, &short, &commit)
        });
        agent.kill();
        if last == LastAnswer::Lost {
            // Git goes on meanwhile: what was created and is wanted no longer must not be forgotten.
            wanted = Wanted::revision(number + 1, OBJECTS);
            commit = wanted.push(self.repo);
        }
        self.gate.open();
        agent.restart();
        wait_within(PATIENCE, "all to be applied", &mut || applied(self.lab, self.tenants, &commit));
        let after = wait_for("the cluster to equal Git", || {
            let found = listed_everywhere(self.lab);
            for (k, tenant) in self.tenants {
                let of_tenant = found.get(&tenant.namespace).ok_or("nothing is there")?;
                wanted.equals(of_tenant).map_err(|why| format!("killed after {k} ({last:?}): {why}"))?;
            }
            Ok(found)
        });
        for (_, tenant) in self.tenants {
            wanted.keeps(&before[&tenant.namespace], &after[&tenant.namespace]);
        }
    }
}

/// A seed that is told, and that can be given: `TANDEM_TEST_SEED=7 cargo test random_moments`.
fn seed() -> u64 {
    let given = std::env::var("TANDEM_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.subsec_nanos().into());
    given.unwrap_or_else(now)
}

/// The next number of a sequence that its seed decides, from 0 to 1.
fn next(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    f64::from(u32::try_from(*state >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// Every other moment is one between the push and the first write, the others lie among the writes,
/// which take the least of the time.
#[test]
fn killed_at_random_moments_of_a_large_run_it_ends_where_git_is() {
    const OBJECTS: u32 = 400;
    let mut state = seed();
    println!("TANDEM_TEST_SEED={state}");
    let lab = Lab::start("random");
    let gate = Gate::start(&lab);
    let mut agent = Agent::start_through(&lab, &gate.url, &["--lease-seconds", "3"]);
    let (tenant, repo) = (Tenant::new(&lab), Repo::new());
    let commit = Wanted::revision(0, OBJECTS).push(&repo);
    tenant.deploy(&repo, BUDGET);
    tenant.wait_applied("sync", &commit);
    gate.count(&tenant.namespace);
    let began = Instant::now();
    let commit = Wanted::revision(1, OBJECTS).push(&repo);
    wait_for("the first write", || if gate.answered(&tenant.namespace) > 0 { Ok(()) } else { Err(String::new()) });
    let before_writes = began.elapsed();
    tenant.wait_applied("sync", &commit);
    let writes = gate.answered(&tenant.namespace);
    for number in 2..22 {
        let before = listed(&lab, &tenant.namespace);
        let wanted = Wanted::revision(number, OBJECTS);
        gate.count(&tenant.namespace);
        let began = Instant::now();
        let commit = wanted.push(&repo);
        let random = next(&mut state);
        // The moment is what is tried out; nothing is waited for.
        if number % 2 == 0 {
            let moment = before_writes.mul_f64(random);
            while let Some(rest) = moment.checked_sub(began.elapsed()).filter(|rest| !rest.is_zero()) {
                std::thread::park_timeout(rest);
            }
        } else {
            // A run may need a status fewer than the undisturbed one did.
            let among = random * (writes - 10) as f64;
            while (gate.answered(&tenant.namespace) as f64) < among && began.elapsed() < PATIENCE {
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
        agent.kill();
        let (moment, written) = (began.elapsed(), gate.answered(&tenant.namespace));
        agent.restart();
        tenant.wait_applied("sync", &commit);
        let after = wait_for("the cluster to equal Git", || {
            let found = listed(&lab, &tenant.namespace);
            wanted.equals(&found).map(|()| found).map_err(|why| format!("killed at {moment:?}: {why}"))
        });
        wanted.keeps(&before, &after);
        println!("killed after {moment:.2?}, {written} writes; whole again after {:.1?}", began.elapsed());
    }
}

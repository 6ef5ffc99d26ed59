//! A commit that kills the worker that reads it.

use std::time::Duration;

use crate::lab::manifests::config;
use crate::lab::{Agent, Lab, Repo, Tenant, condition_of, wait_within};

/// Bytes of a file, just below what one may have.
const FILE: usize = (16 << 20) - 64;
/// Such files, together just below what a folder may have.
const FILES: usize = 7;
/// How long a render may take: far longer than a small folder needs, and far shorter than these.
const SECONDS: &str = "1";

/// Content within every limit on size, number and memory that takes long to read and yields nothing: a text of comments
/// between documents.
fn slow() -> String {
    let line = "---\n# a comment of a document in which there is nothing\n";
    line.repeat(9_000) + &"# and a comment that goes on\n".repeat((FILE - 9_000 * line.len()) / 29)
}

#[test]
fn a_commit_that_kills_its_worker_three_times_is_given_up_and_the_last_good_one_stays_healed() {
    let (lab, repo) = (Lab::start("quarantine"), Repo::new());
    let agent = Agent::start_with(&lab, &["--render-seconds", SECONDS]);
    let tenant = Tenant::new(&lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/a.yaml", &config("a", "{v: '1'}"));
    let first = repo.push("good");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);

    repo.write("deploy/a.yaml", &config("a", "{v: '2'}"));
    let slow = slow();
    (0..FILES).for_each(|n| repo.write(&format!("deploy/slow{n}.yaml"), &slow));
    let hostile = repo.push("it takes too long to read");
    let given_up = wait_within(Duration::from_secs(120), "the commit to be given up", &mut || {
        let sync = lab.try_get(namespace, "sync/sync")?;
        let ready = condition_of(&sync, "Ready").is_some_and(|c| c["reason"] == "Quarantined");
        if ready { Ok(sync) } else { Err(format!("{:#}", sync["status"])) }
    });
    for (kind, status) in [("Ready", "False"), ("Stalled", "True")] {
        let condition = condition_of(&given_up, kind).expect(kind);
        assert_eq!((&condition["status"], &condition["reason"]), (&status.into(), &"Quarantined".into()));
        let message = condition["message"].as_str().expect("a message");
        for words in [&hostile, "killed the worker", "3 times", "\"deploy\"", "not answered after 1 s", "stays healed"]
        {
            assert!(message.contains(words), "{words} is not in {message}");
        }
    }
    let told = |status: &serde_json::Value, field: &str| status[field].as_str().unwrap_or_default().to_owned();
    assert!(told(&given_up["status"], "appliedRevision").ends_with(&first), "{given_up:#}");
    let deaths = agent.log().matches("the worker process was killed").count();
    assert!(deaths >= 2, "{deaths} in the log");

    // The last good one stays healed, and another commit is tried at once.
    lab.k(&["-n", namespace, "delete", "configmap", "a"]);
    lab.wait(namespace, "configmap/a", |object| match object["data"]["v"].as_str() {
        Some("1") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    (0..FILES).for_each(|n| repo.remove(&format!("deploy/slow{n}.yaml")));
    let third = repo.push("without what takes too long");
    tenant.wait_applied("sync", &third);
    assert_eq!(lab.get(namespace, "configmap/a")["data"]["v"], "2");
}

/// The bound of one Sync is its own: the commit is not given up, and others do not wait for it.
#[test]
fn a_render_that_takes_longer_than_its_syncs_timeout_ends_and_holds_up_nobody_else() {
    let (lab, repo) = (Lab::start("render-bound"), Repo::new());
    let agent = Agent::start(&lab);
    let tenant = Tenant::new(&lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/a.yaml", &config("a", "{v: '1'}"));
    repo.write("other/b.yaml", &config("b", "{v: '1'}"));
    let first = repo.push("good");
    tenant.deploy(&repo, "timeout: 2s\n");
    tenant.sync("other", "other", "");
    for sync in ["sync", "other"] {
        tenant.wait_applied(sync, &first);
    }

    repo.write("deploy/a.yaml", &config("a", "{v: '2'}"));
    repo.write("other/b.yaml", &config("b", "{v: '2'}"));
    let slow = slow();
    (0..FILES).for_each(|n| repo.write(&format!("deploy/slow{n}.yaml"), &slow));
    let second = repo.push("it takes a while to read");
    let of = |reason: &str| {
        wait_within(Duration::from_secs(120), reason, &mut || {
            let sync = lab.try_get(namespace, "sync/sync")?;
            match condition_of(&sync, "Ready") {
                Some(ready) if ready["reason"] == reason => Ok(ready.clone()),
                _ => Err(format!("{:#}", sync["status"])),
            }
        })
    };
    let ready = of("RenderTimeout");
    assert_eq!(ready["status"], "False");
    let message = ready["message"].as_str().expect("a message");
    for words in [&second, "longer than the 2s", "spec.timeout"] {
        assert!(message.contains(words), "{words} is not in {message}");
    }
    tenant.wait_applied("other", &second);
    // The last good one stays healed, with the same little time.
    lab.k(&["-n", namespace, "delete", "configmap", "a"]);
    lab.wait(namespace, "configmap/a", |object| match object["data"]["v"].as_str() {
        Some("1") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    // It is tried again, more often than a commit may kill its worker, and is not given up.
    let tries = || agent.log().matches("RenderTimeout").count();
    wait_within(Duration::from_secs(120), "four tries", &mut || match tries() {
        4.. => Ok(()),
        few => Err(format!("{few}")),
    });
    of("RenderTimeout");
    lab.k(&["-n", namespace, "patch", "sync", "sync", "--type=merge", "-p", r#"{"spec":{"timeout":"5m"}}"#]);
    tenant.wait_applied("sync", &second);
    assert_eq!(lab.get(namespace, "configmap/a")["data"]["v"], "2");
}

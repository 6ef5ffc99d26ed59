//! Jobs before and after the workloads, on a real API server with fake nodes that run them.

use crate::lab::manifests::web;
use crate::lab::{Agent, Lab, Repo, Tenant, condition_of, wait_for};

/// On Pods with this label a fake node's containers fail.
const FAILS: &str = "pod-container-running-failed.stage.kwok.x-k8s.io: 'true'";

fn job(name: &str, phase: &str, image: &str, labels: &str) -> String {
    format!(
        "
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}{phase}}}
spec:
  backoffLimit: 0
  template:
    metadata: {{labels: {{job: {name}, {labels}}}}}
    spec: {{restartPolicy: Never, containers: [{{name: run, image: 'registry.example.com/run:{image}'}}]}}
"
    )
}

fn phase(name: &str) -> String {
    format!(", annotations: {{tandemcd.io/phase: {name}}}")
}

/// A moment of an object, in a form that sorts.
fn at(object: &serde_json::Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(|v| v.as_str()).unwrap_or_else(|| panic!("{pointer} in {object:#}")).to_owned()
}

#[test]
fn jobs_run_before_and_after_the_workloads_once() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/a.yaml", &web());
    repo.write("deploy/b.yaml", &job("smoke", &phase("after"), "1", ""));
    repo.write("deploy/c.yaml", &job("migrate", &phase("before"), "1", ""));
    repo.write("deploy/d.yaml", &job("plain", "", "1", ""));
    let first = repo.push("web with its Jobs");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    let (migrate, deployed) = (lab.get(namespace, "job/migrate"), lab.get(namespace, "deployment/web"));
    let writes = tenant.writes(&first);
    let place = |what: &str| writes.iter().position(|w| w == what).unwrap_or_else(|| panic!("{what} in {writes:?}"));
    assert!(place("patch jobs/migrate") < place("patch deployments/web"), "{writes:?}");
    assert!(place("patch deployments/web") < place("patch jobs/smoke"), "{writes:?}");
    assert!(at(&migrate, "/status/completionTime") <= at(&deployed, "/metadata/creationTimestamp"));
    for name in ["job/migrate", "job/smoke", "job/plain"] {
        lab.wait(
            namespace,
            name,
            |o| if o["status"]["succeeded"] == 1 { Ok(()) } else { Err(o["status"].to_string()) },
        );
    }

    // Gone is not undone: each has run.
    let names = ["migrate", "smoke", "plain"].map(|name| format!("job/{name}"));
    for name in &names {
        lab.k(&["-n", namespace, "delete", name]);
    }
    let image = web().replace("web:1", "web:2");
    repo.write("deploy/a.yaml", &image);
    let second = repo.push("another image");
    tenant.wait_applied("sync", &second);
    assert_eq!(tenant.writes(&second), ["patch deployments/web"]);
    assert!(names.iter().all(|name| lab.absent(namespace, name)));
    let recreated = tenant.writes(&first).iter().filter(|w| w.contains(" jobs/")).count();
    assert_eq!(recreated, 3, "each was sent once");

    // A changed one runs again, whether the finished one is there or not.
    repo.write("deploy/c.yaml", &job("migrate", &phase("before"), "2", ""));
    let third = repo.push("another migration");
    tenant.wait_applied("sync", &third);
    let second_run = lab.get(namespace, "job/migrate");
    assert_eq!(second_run["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example.com/run:2");
    repo.write("deploy/c.yaml", &job("migrate", &phase("before"), "3", ""));
    let fourth = repo.push("and one more");
    tenant.wait_applied("sync", &fourth);
    let third_run = lab.get(namespace, "job/migrate");
    assert_eq!(third_run["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example.com/run:3");
    assert_ne!(third_run["metadata"]["uid"], second_run["metadata"]["uid"], "a finished Job is replaced");
}

#[test]
fn a_job_that_fails_before_the_workloads_stops_the_run_and_a_commit_heals_it() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/web.yaml", &web());
    repo.write("deploy/migrate.yaml", &job("migrate", &phase("before"), "1", FAILS));
    repo.push("a migration that fails");
    tenant.deploy(&repo, "");
    tenant.wait_message("sync", "Ready", &["migrate", "failed", "BackoffLimitExceeded"]);
    assert!(lab.absent(namespace, "deployment/web"));

    repo.write("deploy/migrate.yaml", &job("migrate", &phase("before"), "2", ""));
    let second = repo.push("one that does not");
    tenant.wait_applied("sync", &second);
    lab.get(namespace, "deployment/web");
}

/// The end of patience is no event of the cluster: nothing but its own clock makes the agent say so.
#[test]
fn a_job_that_runs_longer_than_the_timeout_is_said_and_goes_on() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/web.yaml", &web());
    // No node takes its Pod, so it runs until its deadline is set.
    let stuck = job("migrate", &phase("before"), "1", "")
        .replace("restartPolicy", "nodeSelector: {disk: none-such}, restartPolicy");
    repo.write("deploy/migrate.yaml", &stuck);
    repo.push("a migration that does not end");
    tenant.deploy(&repo, "timeout: 3s");
    let sync = tenant.wait_reason("sync", "Ready", "WaitTimedOut");
    let told = condition_of(&sync, "Ready").expect("a condition");
    let message = told["message"].as_str().unwrap_or_default();
    assert!(message.contains("waited longer than 3s") && message.contains("migrate"), "{message}");
    let moment = |text: &serde_json::Value| -> jiff::Timestamp {
        text.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{text} is no time"))
    };
    let begun = moment(&lab.get(namespace, "job/migrate")["metadata"]["creationTimestamp"]);
    let seconds = moment(&told["lastTransitionTime"]).duration_since(begun).as_secs();
    println!("a wait of 3 s was told as over {seconds} s after its Job was made");
    assert!(lab.absent(namespace, "deployment/web"));

    // It was said, and the Job is still waited for.
    repo.write("deploy/migrate.yaml", &job("migrate", &phase("before"), "1", ""));
    lab.k(&[
        "-n",
        namespace,
        "patch",
        "job/migrate",
        "--type=merge",
        "-p",
        "{\"spec\": {\"activeDeadlineSeconds\": 1}}",
    ]);
    let fixed = repo.push("one that ends");
    tenant.wait_applied("sync", &fixed);
    lab.get(namespace, "deployment/web");
}

#[test]
fn a_job_that_fails_after_the_workloads_leaves_the_sync_not_ready() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    repo.write("deploy/web.yaml", &web());
    repo.write("deploy/smoke.yaml", &job("smoke", &phase("after"), "1", FAILS));
    repo.push("a check that fails");
    tenant.deploy(&repo, "");
    tenant.wait_message("sync", "Ready", &["smoke", "BackoffLimitExceeded"]);
    lab.get(&tenant.namespace, "deployment/web");

    repo.write("deploy/smoke.yaml", &job("smoke", &phase("after"), "2", ""));
    let second = repo.push("one that does not");
    tenant.wait_applied("sync", &second);
}

/// The lease is that of a minute's silence ten times over: only a restart that knows its former
/// process dead leads at once.
#[test]
fn a_job_that_ran_and_went_while_the_agent_was_down_does_not_run_again() {
    let (lab, repo) = (Lab::start("ttl"), Repo::new());
    let mut agent = Agent::start_with(&lab, &["--lease-seconds", "600"]);
    let tenant = Tenant::new(&lab);
    let namespace = tenant.namespace.as_str();
    // It runs when the test says so.
    let ttl = "backoffLimit: 0\n  suspend: true\n  ttlSecondsAfterFinished: 1";
    let text = job("once", "", "1", "").replace("backoffLimit: 0", ttl);
    repo.write("deploy/job.yaml", &text);
    let first = repo.push("a Job that goes by itself");
    tenant.deploy(&repo, "");
    lab.wait(namespace, "inventory/sync-0", |o| match o["spec"]["entries"][0]["uid"].as_str() {
        Some(_) => Ok(()),
        None => Err(o["spec"].to_string()),
    });
    agent.kill();
    lab.k(&["-n", namespace, "patch", "job/once", "--type=merge", "-p", "{\"spec\": {\"suspend\": false}}"]);
    lab.wait_absent(namespace, "job/once");
    agent.restart();
    wait_for("the restarted agent to lead", || match agent.log().matches("this replica leads").count() {
        0 | 1 => Err(agent.log()),
        _ => Ok(()),
    });
    repo.write("deploy/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    let second = repo.push("one more object");
    tenant.wait_applied("sync", &second);
    assert!(lab.absent(namespace, "job/once"));
    let sent = |commit: &str| tenant.writes(commit).iter().filter(|write| write.contains(" jobs/")).count();
    assert_eq!((sent(&first), sent(&second)), (1, 0));
}

/// It is not ours to end a migration half-way, and what waits for its end goes on by itself then.
#[test]
fn a_changed_job_that_still_runs_is_waited_for_unless_git_says_otherwise() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let uid = || lab.get(namespace, "job/migrate")["metadata"]["uid"].as_str().expect("uid").to_owned();
    // No node takes its Pod, so it runs until its deadline is set.
    let stuck = |image: &str, more: &str| {
        job("migrate", more, image, "").replace("restartPolicy", "nodeSelector: {disk: none-such}, restartPolicy")
    };
    for (on_invalid, sync) in [("Hold", "one"), ("ApplyRest", "two")] {
        repo.write("deploy/job.yaml", &stuck("1", ""));
        repo.write("deploy/web.yaml", &web());
        let first = repo.push(&format!("a Job that does not end, {on_invalid}"));
        if sync == "one" {
            tenant.repository("repo", &repo);
        }
        tenant.sync(sync, "deploy", &format!("onInvalid: {on_invalid}"));
        lab.wait(namespace, &format!("sync/{sync}"), |object| match object["status"]["appliedRevision"].as_str() {
            Some(revision) if revision.ends_with(&first) => Ok(()),
            other => Err(format!("{other:?}: {:#}", object["status"])),
        });
        let before = uid();

        repo.write("deploy/job.yaml", &job("migrate", "", "2", ""));
        repo.write("deploy/web.yaml", &web().replace("web:1", "web:2"));
        let second = repo.push("another image for both");
        tenant.wait_message(sync, "Reconciling", &["migrate", "still runs", "tandemcd.io/force"]);
        assert_eq!(uid(), before);
        let image = &lab.get(namespace, "deployment/web")["spec"]["template"]["spec"]["containers"][0]["image"];
        let expected = if on_invalid == "Hold" { "web:1" } else { "web:2" };
        assert_eq!(image, &format!("registry.example.com/{expected}"), "{on_invalid}");

        let deadline = "{\"spec\": {\"activeDeadlineSeconds\": 1}}";
        lab.k(&["-n", namespace, "patch", "job/migrate", "--type=merge", "-p", deadline]);
        tenant.wait_applied(sync, &second);
        let after = lab.get(namespace, "job/migrate");
        assert_ne!(after["metadata"]["uid"], before.as_str());
        assert_eq!(after["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example.com/run:2");

        // At once, where Git says so.
        repo.write("deploy/job.yaml", &stuck("3", ""));
        repo.push("a third that does not end");
        lab.wait(namespace, "job/migrate", |object| match object["spec"]["template"]["spec"]["containers"][0]["image"]
            .as_str()
        {
            Some(image) if image.ends_with(":3") => Ok(()),
            other => Err(format!("{other:?}")),
        });
        let before = uid();
        repo.write("deploy/job.yaml", &job("migrate", ", annotations: {tandemcd.io/force: enabled}", "4", ""));
        let fourth = repo.push("a fourth, by force");
        tenant.wait_applied(sync, &fourth);
        assert_ne!(uid(), before);
        assert!(tenant.writes(&fourth).contains(&"delete jobs/migrate".to_owned()), "deleted, and not ended");
        lab.k(&["-n", namespace, "delete", "sync", sync, "--timeout=60s"]);
        lab.k(&["-n", namespace, "delete", "job/migrate", "deployment/web"]);
    }
}

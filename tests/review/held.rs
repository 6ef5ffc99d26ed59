//! What Syncs have, and what stays known, while the newest revision is held.

use serde_json::{Value, json};

use super::{Stage, value};
use crate::coverage::{attach, lcov};
use crate::git_remote::git;
use crate::lab::manifests::config;
use crate::lab::{Agent, Lab, both, condition_of, wait_for};
use crate::signing::{SshKey, sign};

/// Waits until exactly these commits lack approval.
fn waiting(stage: &Stage<'_>, commits: &[&str]) {
    stage.lab.wait(&stage.tenant.namespace, "repository/repo", |object| {
        let waiting = &object["status"]["reviewStatus"]["waiting"];
        if *waiting == json!(commits) { Ok(()) } else { Err(format!("{:#}", object["status"])) }
    });
}

/// Waits until the Repository is held for this reason.
fn repository_held(stage: &Stage<'_>, reason: &str, words: &[&str]) {
    stage.lab.wait(&stage.tenant.namespace, "repository/repo", |object| match condition_of(object, "Held") {
        Some(held)
            if held["reason"] == reason && words.iter().all(|word| held["message"].to_string().contains(word)) =>
        {
            Ok(())
        }
        _ => Err(format!("{:#}", object["status"])),
    });
}

/// A spec is in force.
fn put(stage: &Stage<'_>, repository: &Value) {
    stage.lab.apply(&repository.to_string());
    stage.lab.wait(&stage.tenant.namespace, "repository/repo", |object| {
        let (spec, seen) = (&object["metadata"]["generation"], &object["status"]["observedGeneration"]);
        if spec == seen { Ok(()) } else { Err(format!("generation {spec}, seen {seen}")) }
    });
}

/// What is accepted there comes back when it is deleted by hand.
fn comes_back(stage: &Stage<'_>, name: &str, value: &str) {
    let namespace = &stage.tenant.namespace;
    stage.lab.k(&["-n", namespace, "delete", "configmap", name]);
    stage.lab.wait(namespace, &format!("configmap/{name}"), |object| match object["data"]["v"].as_str() {
        Some(found) if found == value => Ok(()),
        other => Err(format!("{other:?}, wanted {value}")),
    });
}

fn other(text: &str) -> String {
    config("b", &format!("{{v: '{text}'}}"))
}

fn cover(stage: &Stage<'_>, ci: &SshKey, lines: u32) {
    let output = attach(&stage.copy, &lcov(lines), ci, &[]);
    assert!(output.status.success(), "{}", both(&output));
}

#[test]
fn a_commit_that_failed_its_checks_is_deployed_by_no_later_one_and_nothing_goes_back() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let ci = stage.keys.ssh("ci", &["-t", "ed25519"]);
    stage.copy.commit("other", &[("other/b.yaml", &other("1"))]);
    let first = stage.first();
    cover(&stage, &ci, 180);
    let mut repository = stage.repository(&stage.since(&first));
    repository["spec"]["checks"] = json!([{"context": "coverage", "keys": [ci.public], "coverage": {"min": 80}}]);
    stage.lab.apply(&repository.to_string());
    stage.tenant.sync("sync", "deploy", "");
    stage.tenant.sync("other", "other", "");
    stage.applied(&first, "1");
    stage.tenant.wait_applied("other", &first);

    // Approved, and its checks failed; the next one passed them, and nobody has approved it.
    let red = stage.push("2");
    stage.approve(&stage.bob, &[]);
    cover(&stage, &ci, 100);
    repository_held(&stage, "ChecksFailed", &[&red]);
    let unapproved = stage.push("3");
    cover(&stage, &ci, 180);
    waiting(&stage, &[&unapproved]);
    // Who reads nothing of it goes on.
    let green = stage.copy.push("4", &[("other/b.yaml", &other("2"))]);
    stage.approve(&stage.bob, &[]);
    cover(&stage, &ci, 180);
    stage.tenant.wait_applied("other", &green);
    let record = stage.lab.get(&stage.tenant.namespace, "acceptance/repo")["spec"]["record"].clone();
    assert!(record["revision"].as_str().is_some_and(|revision| revision.ends_with(&first)), "{record:#}");

    // While a newer one waits for its checks, each stays with what it had; also where all is read anew.
    let pending = stage.push("5");
    let stays = || {
        stage.tenant.wait_reason("other", "Held", "ChecksPending");
        repository_held(&stage, "ChecksPending", &[&pending]);
        stage.stays_healed("1");
        comes_back(&stage, "b", "2");
        for commit in [&red, &unapproved, &pending] {
            assert!(stage.tenant.writes(commit).is_empty(), "{commit}");
        }
    };
    stays();
    repository["spec"]["interval"] = json!("2s");
    put(&stage, &repository);
    stays();

    for commit in [&unapproved, &pending] {
        stage.approve(&stage.bob, &[commit]);
    }
    cover(&stage, &ci, 180);
    stage.applied(&pending, "5");
    stage.tenant.wait_applied("other", &green);
    stage.accepted(&pending);
}

#[test]
fn what_was_taken_back_stays_so_also_where_all_is_held_for_another_reason() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let first = stage.first();
    stage.follow(&stage.since(&first));
    stage.applied(&first, "1");
    let second = stage.push("2");
    stage.approve(&stage.bob, &[]);
    stage.applied(&second, "2");
    stage.accepted(&second);

    // History is rewritten by a commit that nobody signed, so that two people must approve both names; one does, and takes
    // it back.
    stage.copy.git(&["reset", "-q", "--hard", &first]);
    sign(&stage.copy, false);
    let third = stage.push("3");
    stage.approve(&stage.bob, &["--base", &second]);
    stage.wait_held("Diverged", &[&third, "it has 1 of 2"]);
    let notes = "refs/notes/tandem/approvals/*";
    let name = stage.copy.git(&["for-each-ref", "--format=%(refname)", "--sort=-creatordate", "--count=1", notes]);
    let before = stage.copy.git(&["rev-parse", &name]);
    let taken = stage.say("withdraw", &stage.bob, &[]);
    assert!(taken.status.success(), "{}", both(&taken));
    stage.wait_held("Diverged", &["it has 0 of 2", "bob took it back (Withdrawn)"]);
    // Whoever may push removes the note that says so.
    stage.copy.git(&["push", "-q", "--force", "origin", &format!("{before}:{name}")]);
    stage.copy.git(&["update-ref", &name, &before]);
    stage.approve(&stage.olga, &["--base", &second]);
    stage.wait_held("Diverged", &["it has 1 of 2", "bob took it back (Withdrawn)"]);
    stage.stays_healed("2");
    assert!(stage.tenant.writes(&third).is_empty());
    // What is approved after it counts.
    stage.approve(&stage.bob, &["--base", &second]);
    stage.applied(&third, "3");
}

#[test]
fn an_accepted_commit_that_a_lost_cache_had_is_fetched_again_or_named() {
    let lab = Lab::start("accepted");
    let mut agent = Agent::start_with(&lab, &["--lease-seconds", "3"]);
    let stage = Stage::new(&lab);
    let first = stage.first();
    stage.follow(&stage.since(&first));
    stage.applied(&first, "1");
    let second = stage.push("2");
    stage.approve(&stage.bob, &[]);
    stage.applied(&second, "2");
    stage.accepted(&second);
    let mut lose = |forget: &dyn Fn()| {
        agent.kill();
        let _ = std::fs::remove_dir_all(agent.cache());
        forget();
        agent.restart();
    };
    let approve = |commit: &str, base: &str| {
        for who in [&stage.bob, &stage.olga] {
            stage.approve(who, &[commit, "--base", base]);
        }
    };
    let rewrite = |text: &str| {
        stage.copy.git(&["reset", "-q", "--hard", &first]);
        stage.push(text)
    };

    // Nothing that is followed leads to it, and the remote still has it.
    lose(&|| {
        stage.copy.git(&["push", "-q", "origin", &format!("{second}:refs/heads/kept")]);
        rewrite("3");
    });
    let third = stage.copy.git(&["rev-parse", "HEAD"]);
    stage.wait_held("Diverged", &[&third, &format!("--base {second}")]);
    stage.stays_healed("2");
    approve(&third, &second);
    stage.applied(&third, "3");
    stage.accepted(&third);

    // The remote has it no more: that is said, and nothing is touched, until somebody pushes it again.
    lose(&|| {
        rewrite("4");
        git(&stage.copy.bare, &["gc", "-q", "--prune=now"]);
    });
    let fourth = stage.copy.git(&["rev-parse", "HEAD"]);
    stage.wait_held("AcceptedRevisionUnavailable", &[&fourth, &third, "git push origin"]);
    assert_eq!(lab.get(&stage.tenant.namespace, "configmap/a")["data"]["v"], "3");
    assert!(stage.tenant.writes(&fourth).is_empty());
    stage.copy.git(&["push", "-q", "origin", &format!("{third}:refs/tags/accepted")]);
    approve(&fourth, &third);
    stage.applied(&fourth, "4");
}

#[test]
fn a_commit_that_went_ahead_of_its_review_does_not_go_ahead_again_when_its_time_is_over() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let namespace = &stage.tenant.namespace;
    let owners = stage.owners("") + "  breakGlass: {people: [ada], lasts: 20s}\n";
    let first = stage.copy.push("1", &[(".tandem/owners.yaml", &owners), ("deploy/a.yaml", &value("1"))]);
    stage.follow(&stage.since(&first));
    stage.applied(&first, "1");
    let ahead = stage.copy.push("2\n\nBreak-Glass: it burns", &[("deploy/a.yaml", &value("2"))]);
    let record = || stage.lab.get(namespace, "acceptance/repo")["spec"]["record"].clone();
    let until = || record()["glassSeen"][0]["until"].as_str().map(str::to_owned);
    stage.tenant.wait_applied("sync", &ahead);
    let end = until().expect("a time");
    // Taken back and pushed again by whoever may push, while its time lasts and after it.
    let back = || {
        stage.copy.git(&["push", "-q", "--force", "origin", &format!("{first}:refs/heads/main")]);
        stage.lab.wait(namespace, "acceptance/repo", |object| {
            let broken = &object["spec"]["record"]["brokenGlass"];
            if broken.is_null() { Ok(()) } else { Err(broken.to_string()) }
        });
        stage.applied(&first, "1");
    };
    let again = || stage.copy.git(&["push", "-q", "--force", "origin", &format!("{ahead}:refs/heads/main")]);
    back();
    again();
    let over = || end.parse::<jiff::Timestamp>().is_ok_and(|end| jiff::Timestamp::now() >= end);
    wait_for("it is ahead again, or its time is over", || {
        let broken = record()["brokenGlass"][0]["until"].clone();
        if over() || broken == json!(end) { Ok(()) } else { Err(broken.to_string()) }
    });
    wait_for("the end of its time", || if over() { Ok(()) } else { Err(end.clone()) });
    back();
    again();
    stage.wait_held("ReviewMissing", &[&ahead, "Break-Glass does not count: its time was over at", &end]);
    stage.stays_healed("1");
    assert_eq!(until(), Some(end));
    stage.approve(&stage.bob, &[&ahead]);
    stage.applied(&ahead, "2");
}

//! `spec.checks` of the head of a pull request: what counts is said of the head that the step was proven to be the merge of.

use serde_json::json;

use super::{Pull, REPOSITORY, Stage, value};
use crate::lab::manifests::config;
use crate::lab::{Lab, condition_of};

/// What must be said by olga of the head of each pull request.
fn ask(stage: &Stage<'_>) {
    let ci = stage.forge.ids["olga"];
    let digest = tandem::revision::review::digest(stage.owners().as_bytes());
    let more = format!(
        "interval: 1s, serviceAccountName: deployer, auth: {{secretRef: {{name: git}}}}, forge: {{type: Gitea, secretRef: {{name: forge}}}}, \
         review: {{forge: true, since: {{commit: '{}', owners: '{digest}'}}}}, \
         checks: [{{context: ci/test, creator: {ci}, commit: Head}}]",
        stage.accepted
    );
    stage.tenant.repository_at("repo", &stage.forge.url(), &more);
}

fn say(stage: &Stage<'_>, who: &str, commit: &str, state: &str) {
    let status = json!({"context": "ci/test", "state": state, "description": "the tests"});
    stage.forge.ok(who, "POST", &format!("{REPOSITORY}/statuses/{commit}"), &status);
}

/// Held by the checks, with all of these words, and nothing of it was written.
fn held(stage: &Stage<'_>, reason: &str, commit: &str, words: &[&str]) {
    let held = stage.tenant.wait_message("sync", "Held", &[words, &[commit]].concat());
    assert_eq!(condition_of(&held, "Held").expect("Held")["reason"], reason, "{:#}", held["status"]);
    assert!(stage.tenant.writes(commit).is_empty());
}

/// A pull request that dana approved, and its head.
fn approved(stage: &Stage<'_>, branch: &str, values: &[&str]) -> (Pull, String) {
    let pull = stage.propose("ada", branch, "main", values);
    stage.approve("dana", pull);
    (pull, stage.git(&["rev-parse", branch]))
}

#[test]
fn checks_of_the_head_count_for_what_was_proven_to_be_its_merge_and_for_nothing_else() {
    let mut stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    ask(&stage);

    for how in ["squash", "rebase"] {
        let (pull, head) = approved(&stage, how, &[&format!("{how}-1"), &format!("{how}-2")]);
        let merged = stage.merge("dana", pull, how, "main");
        let silent = format!("ci/test: the user {} has said nothing yet", stage.forge.ids["olga"]);
        held(&stage, "ChecksPending", &merged, &[&silent]);
        // Where nothing came between, the head itself is what a rebase merges.
        if merged != head {
            say(&stage, "olga", &merged, "success");
        }
        say(&stage, "bob", &head, "success");
        held(&stage, "ChecksPending", &merged, &["though others say something under its name"]);
        say(&stage, "olga", &head, "failure");
        held(&stage, "ChecksFailed", &merged, &["ci/test failed: the tests"]);
        say(&stage, "olga", &head, "success");
        stage.applied(&merged, &format!("{how}-2"));
    }

    // What failed goes with nothing that comes after it.
    let (failing, bad) = approved(&stage, "failing", &["failing"]);
    stage.git(&["checkout", "-q", "-B", "next", &stage.accepted]);
    stage.write(&[("deploy/next.yaml", &config("next", "{v: next}"))], "next");
    stage.push("ada", "next", false);
    let next = Pull(stage.forge.propose("ada", "next", "main"));
    stage.approve("dana", next);
    say(&stage, "olga", &bad, "failure");
    say(&stage, "olga", &stage.git(&["rev-parse", "next"]), "success");
    stage.merge("dana", failing, "squash", "main");
    let merged = stage.merge("dana", next, "squash", "main");
    held(&stage, "ChecksFailed", &merged, &["ci/test failed: the tests"]);
    say(&stage, "olga", &bad, "success");
    stage.applied(&merged, "failing");

    // The checks passed on the head; what was merged is something else.
    let (evil, head) = approved(&stage, "evil", &["seen"]);
    say(&stage, "olga", &head, "success");
    stage.git(&["checkout", "-q", "-B", "hand", &stage.accepted]);
    stage.git(&["merge", "-q", "--no-ff", "--no-commit", "evil"]);
    std::fs::write(stage.work.path().join("deploy/a.yaml"), value("what no check saw")).expect("writes");
    stage.git(&["commit", "-q", "-a", "-m", "merge"]);
    stage.push("ada", "main", false);
    let merged = stage.git(&["rev-parse", "HEAD"]);
    held(&stage, "ChecksPending", &merged, &["(ProposalPending)"]);
    let marked = json!({"Do": "manually-merged", "MergeCommitID": merged, "merge_commit_id": merged});
    stage.forge.ok("tandem", "POST", &format!("{REPOSITORY}/pulls/{}/merge", evil.0), &marked);
    held(&stage, "ChecksFailed", &merged, &["holds something else than the merge of its head (UnequalTree)"]);
    stage.back();
    let (honest, head) = approved(&stage, "honest", &["honest"]);
    say(&stage, "olga", &head, "success");
    let merged = stage.merge("ada", honest, "merge", "main");
    stage.applied(&merged, "honest");
}

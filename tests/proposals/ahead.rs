//! What review would say of an open pull request is a status of its head, and what holds after the merge is the same.

use serde_json::{Value, json};

use super::{REPOSITORY, Stage, value};
use crate::lab::manifests::config;
use crate::lab::{Lab, both, tandem, wait_for};

const CONTEXT: &str = "tandem/lab/review";

/// Has pull requests planned, and so their reviews told.
fn tell(stage: &Stage<'_>) {
    let digest = tandem::revision::review::digest(stage.owners().as_bytes());
    let token = stage.forge.token_named("teller", &["write:repository", "write:issue", "read:user"]);
    stage.lab.apply(&stage.forge.secrets(&stage.tenant.namespace, &token));
    let more = format!(
        "interval: 1s, serviceAccountName: deployer, auth: {{secretRef: {{name: git}}}}, forge: {{type: Gitea, secretRef: {{name: forge}}}}, \
         review: {{forge: true, since: {{commit: '{}', owners: '{digest}'}}}}, \
         publish: {{plan: {{serviceAccountName: tandem-plan, interval: 1s}}}}",
        stage.accepted
    );
    stage.tenant.repository_at("repo", &stage.forge.url(), &more);
}

/// All that was told of a head, newest first.
fn statuses(stage: &Stage<'_>, head: &str) -> Vec<Value> {
    let all = stage.forge.ok("tandem", "GET", &format!("{REPOSITORY}/commits/{head}/statuses"), &Value::Null);
    let mine = all.as_array().expect("a list").iter().filter(|one| one["context"] == CONTEXT);
    let mut mine: Vec<Value> = mine.cloned().collect();
    mine.sort_by_key(|one| std::cmp::Reverse(one["id"].as_u64()));
    mine
}

/// Waits until a head has this status, with all of these words.
fn told(stage: &Stage<'_>, head: &str, state: &str, words: &[&str]) {
    wait_for(&format!("{state} with {words:?}"), || {
        let all = statuses(stage, head);
        let Some(newest) = all.first() else { return Err("no status".to_owned()) };
        let text = newest["description"].as_str().unwrap_or_default();
        if newest["status"] == state && words.iter().all(|word| text.contains(word)) {
            Ok(())
        } else {
            Err(format!("{newest:#}"))
        }
    });
}

#[test]
fn what_would_wait_for_an_earlier_commit_of_the_branch_is_not_green() {
    let mut stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    tell(&stage);
    let pull = stage.propose("ada", "one", "main", &["one"]);
    let head = stage.git(&["rev-parse", "HEAD"]);
    stage.approve("dana", pull);
    told(&stage, &head, "success", &["approved by dana"]);
    // Somebody pushes to the branch what nobody has approved.
    stage.git(&["checkout", "-q", "-B", "direct", &stage.accepted]);
    stage.write(&[("deploy/b.yaml", &config("b", "{v: direct}"))], "direct");
    stage.push("ada", "main", false);
    let direct = stage.git(&["rev-parse", "HEAD"]);
    stage.held(&direct, &[]);
    told(&stage, &head, "pending", &["the branch itself waits", &direct[..10], "approved by dana"]);
    stage.back();
    told(&stage, &head, "success", &["approved by dana"]);
    let merged = stage.merge("ada", pull, "squash", "main");
    stage.applied(&merged, "one");
}

/// Dana says something of a commit with her key, by a note.
fn says(stage: &Stage<'_>, verb: &str, commit: &str) {
    let mut command = tandem();
    command.args([verb, commit, "--ref", "refs/heads/main", "--key"]).arg(&stage.dana.private);
    command.args((verb == "approve").then_some("--yes")).current_dir(stage.work.path());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{}", both(&output));
}

#[test]
fn what_was_taken_back_before_the_merge_stays_so_also_where_its_note_is_deleted() {
    let mut stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    tell(&stage);
    stage.git(&["config", "user.name", "Dana"]);
    stage.git(&["config", "user.email", "dana@example.com"]);
    let pull = stage.propose("ada", "one", "main", &["one"]);
    let head = stage.git(&["rev-parse", "HEAD"]);
    says(&stage, "approve", &head);
    told(&stage, &head, "success", &["approved by dana"]);
    let notes = || stage.git(&["ls-remote", "origin", "refs/notes/*"]);
    let approved = notes();
    let (note, name) = approved.split_once(char::is_whitespace).expect("a note");
    says(&stage, "withdraw", &head);
    told(&stage, &head, "pending", &["0 of 1 approval of deploy/a.yaml"]);
    assert_ne!(notes(), approved);
    // Who may push moves notes as they like.
    stage.git(&["push", "-q", "-f", "origin", &format!("{note}:{}", name.trim())]);
    assert_eq!(notes(), approved);
    let merged = stage.merge("ada", pull, "squash", "main");
    stage.held(&merged, &["deploy/a.yaml"]);
    let record = stage.lab.get(&stage.tenant.namespace, "acceptance/repo")["spec"]["record"].clone();
    assert_eq!(record["withdrawn"][0]["head"], head, "{record:#}");
    // The honest one: she changes her mind.
    stage.git(&["fetch", "-q", "origin", &format!("+{0}:{0}", name.trim())]);
    says(&stage, "approve", &merged);
    stage.applied(&merged, "one");
}

#[test]
fn what_is_missing_is_told_before_the_merge_and_the_same_holds_after_it() {
    let mut stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    tell(&stage);

    // Approved, changed after that, and approved again.
    let pull = stage.propose("ada", "one", "main", &["one"]);
    let first = stage.git(&["rev-parse", "HEAD"]);
    told(&stage, &first, "pending", &["0 of 1 approval of deploy/a.yaml"]);
    stage.approve("dana", pull);
    told(&stage, &first, "success", &["approved by dana"]);
    stage.write(&[("deploy/a.yaml", &value("two"))], "two");
    stage.push("ada", "one", false);
    let second = stage.git(&["rev-parse", "HEAD"]);
    told(&stage, &second, "pending", &["0 of 1 approval of deploy/a.yaml", "not counted: OtherHead"]);
    stage.approve("dana", pull);
    told(&stage, &second, "success", &["approved by dana"]);
    let merged = stage.merge("ada", pull, "squash", "main");
    stage.applied(&merged, "two");
    let all = statuses(&stage, &second);
    let shown = |one: &Value| (one["status"].clone(), one["description"].clone());
    assert!(all.windows(2).all(|two| shown(&two[0]) != shown(&two[1])), "each is told once: {all:#?}");

    // Approved by somebody who had a hand in it, by somebody who may not write, and taken back.
    let pull = stage.propose("ada", "others", "main", &["others"]);
    stage.write(&[("deploy/a.yaml", &value("by dana"))], "by dana");
    stage.push("dana", "others", false);
    let head = stage.git(&["rev-parse", "HEAD"]);
    for who in ["dana", "rita"] {
        stage.approve(who, pull);
    }
    told(&stage, &head, "pending", &["0 of 1 approval of deploy/a.yaml", "not counted: NoWriteAccess, OwnWork"]);
    let review = stage.review("bob", pull, "APPROVED");
    told(&stage, &head, "success", &["approved by bob"]);
    let path = format!("{REPOSITORY}/pulls/{}/reviews/{review}/dismissals", pull.0);
    stage.forge.ok("tandem", "POST", &path, &json!({"message": "no"}));
    told(&stage, &head, "pending", &["0 of 1 approval", "not counted: Dismissed, NoWriteAccess, OwnWork"]);
    let merged = stage.merge("ada", pull, "squash", "main");
    stage.held(&merged, &["(OwnWork)", "(Dismissed)", "(NoWriteAccess)"]);
    stage.back();

    // What operations approve, and what nobody could merge.
    let pull = stage.propose("ada", "rights", "main", &["rights"]);
    stage.write(&[("elsewhere/b.yaml", &config("b", "{v: x}"))], "elsewhere");
    stage.push("ada", "rights", false);
    let head = stage.git(&["rev-parse", "HEAD"]);
    stage.approve("dana", pull);
    told(&stage, &head, "pending", &["0 of 1 approval (1 as ops) of elsewhere/b.yaml"]);
    stage.approve("olga", pull);
    told(&stage, &head, "success", &["dana", "olga"]);
    let other = stage.propose("ada", "conflict", "main", &["conflict"]);
    let conflict = stage.git(&["rev-parse", "HEAD"]);
    stage.approve("dana", other);
    told(&stage, &conflict, "success", &["approved by dana"]);
    let merged = stage.merge("ada", pull, "merge", "main");
    stage.applied(&merged, "rights");
    told(&stage, &conflict, "failure", &["there are conflicts"]);
}

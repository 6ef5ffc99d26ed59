//! `spec.review.forge` with a real forge: real people open, push to, review and merge real pull requests. What the merge
//! of each holds is compared with our own merge; each attack has a twin that is applied.

mod ahead;
mod codeowners;
mod heads;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::forge::People;
use crate::git_remote::{commit, git};
use crate::lab::manifests::config;
use crate::lab::{Lab, Tenant, condition_of, wait_for};
use crate::signing::{Keys, SshKey};

const REPOSITORY: &str = People::REPOSITORY;

/// Gitea, whose repository may be merged into in every way, and people.
fn forge() -> People {
    let forge = People::new(&[
        ("ada", "write"),
        ("bob", "write"),
        ("dana", "write"),
        ("rita", "read"),
        ("olga", "write"),
        ("agent", "write"),
    ]);
    let settings =
        json!({"allow_fast_forward_only_merge": true, "allow_manual_merge": true, "allow_rebase_explicit": true});
    forge.ok("tandem", "PATCH", REPOSITORY, &settings);
    forge
}

/// A pull request.
#[derive(Clone, Copy)]
struct Pull(u64);

struct Stage<'a> {
    lab: &'a Lab,
    tenant: Tenant<'a>,
    forge: People,
    work: TempDir,
    accepted: String,
    /// Dana's key; her approvals count by it too.
    dana: SshKey,
    _keys: Keys,
}

impl<'a> Stage<'a> {
    /// A Repository under review, and a Sync over the folder `deploy` of it, at its first commit.
    fn new(lab: &'a Lab) -> Self {
        Self::with(lab, |stage| (".tandem/owners.yaml", stage.owners()))
    }

    /// The same, with a file that says who approves.
    fn with(lab: &'a Lab, file: impl Fn(&Self) -> (&'static str, String)) -> Self {
        let (forge, tenant) = (forge(), Tenant::new(lab));
        let keys = Keys::new();
        let dana = keys.ssh("dana", &["-t", "ed25519"]);
        let work = TempDir::new().expect("folder");
        let mut stage = Self { lab, tenant, forge, work, accepted: String::new(), dana, _keys: keys };
        stage.git(&["init", "-q", "-b", "main"]);
        stage.git(&["remote", "add", "origin", &stage.forge.remote("tandem", "tandem")]);
        let (path, text) = file(&stage);
        stage.write(&[(path, &text), ("deploy/a.yaml", &value("0"))], "0");
        stage.git(&["push", "-q", "origin", "main"]);
        let first = stage.git(&["rev-parse", "HEAD"]);
        let digest = tandem::revision::review::digest(text.as_bytes());
        // It may do no more than write to the repository.
        let token = stage.forge.token(&["write:repository", "read:issue"]);
        lab.apply(&stage.forge.secrets(&stage.tenant.namespace, &token));
        let more = format!(
            "interval: 1s, serviceAccountName: deployer, auth: {{secretRef: {{name: git}}}}, forge: {{type: Gitea, secretRef: {{name: forge}}}}, \
             review: {{forge: true, since: {{commit: '{first}', owners: '{digest}'}}}}"
        );
        stage.tenant.repository_at("repo", &stage.forge.url(), &more);
        stage.tenant.sync("sync", "deploy", "");
        stage.tenant.wait_applied("sync", &first);
        stage.accepted = first;
        stage
    }

    fn owners(&self) -> String {
        let person = |name: &str| {
            let account = format!("{{forge: '{}', id: {}}}", self.forge.host(), self.forge.ids[name]);
            let keys = if name == "dana" { format!(", keys: ['{}']", self.dana.public) } else { String::new() };
            format!("  - {{name: {name}, emails: [{name}@example.com], accounts: [{account}]{keys}}}\n")
        };
        let people: String = ["ada", "bob", "dana", "rita", "olga"].into_iter().map(person).collect();
        format!(
            "apiVersion: tandemcd.io/v1alpha1\nkind: Owners\nmetadata: {{name: owners}}\nspec:\n  people:\n{people}  ops: [olga]\n  rules:\n  - {{paths: [/deploy/], dev: [ada, bob, dana, rita]}}\n"
        )
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(self.work.path(), arguments)
    }

    fn write(&self, files: &[(&str, &str)], message: &str) {
        commit(self.work.path(), message, files);
    }

    /// Pushes commits to a branch as a person.
    fn push(&self, who: &str, branch: &str, force: bool) {
        let spec = format!("{}HEAD:refs/heads/{branch}", if force { "+" } else { "" });
        self.git(&["push", "-q", &self.forge.remote(who, "tandem"), &spec]);
    }

    /// A branch from what is accepted with a commit for each value, pushed and proposed by a person.
    fn propose(&self, who: &str, branch: &str, base: &str, values: &[&str]) -> Pull {
        self.git(&["checkout", "-q", "-B", branch, &self.accepted]);
        values.iter().for_each(|text| self.write(&[("deploy/a.yaml", &value(text))], text));
        self.push(who, branch, false);
        Pull(self.forge.propose(who, branch, base))
    }

    fn review(&self, who: &str, pull: Pull, event: &str) -> u64 {
        let path = format!("{REPOSITORY}/pulls/{}/reviews", pull.0);
        let review = self.forge.ok(who, "POST", &path, &json!({"event": event, "body": "so I think"}));
        review["id"].as_u64().expect("a number")
    }

    fn approve(&self, who: &str, pull: Pull) {
        self.review(who, pull, "APPROVED");
    }

    /// The forge takes note of a push some time after it: of what was merged before that it never learns the beginning.
    fn noted(&self, who: &str, pull: Pull) {
        let get = |path: &str| self.forge.ask(who, "GET", &format!("{REPOSITORY}/{path}"), &json!(null)).1;
        wait_for(&format!("the forge to take note of what was pushed to {}", pull.0), || {
            let (shown, reference) =
                (get(&format!("pulls/{}", pull.0)), get(&format!("git/refs/pull/{}/head", pull.0)));
            let reference = if reference.is_array() { reference[0].clone() } else { reference };
            let (branch, noted) = (&shown["head"]["sha"], &reference["object"]["sha"]);
            if branch.is_string() && branch == noted { Ok(()) } else { Err(format!("{branch} is not {noted}")) }
        });
    }

    /// Merges; the commit to which the branch leads then. The forge first finds out whether it can.
    fn merge(&self, who: &str, pull: Pull, how: &str, branch: &str) -> String {
        self.noted(who, pull);
        let path = format!("{REPOSITORY}/pulls/{}/merge", pull.0);
        wait_for(&format!("{how} of {}", pull.0), || {
            let (status, answer) = self.forge.ask(who, "POST", &path, &json!({"Do": how}));
            if status == 200 { Ok(()) } else { Err(format!("{status} {answer}")) }
        });
        self.git(&["fetch", "-q", "origin", branch]);
        self.git(&["rev-parse", "FETCH_HEAD"])
    }

    fn applied(&mut self, commit: &str, text: &str) {
        self.tenant.wait_applied("sync", commit);
        assert_eq!(self.lab.get(&self.tenant.namespace, "configmap/a")["data"]["v"], text);
        self.lab.wait(&self.tenant.namespace, "repository/repo", |object| {
            let accepted = object["status"]["reviewStatus"]["accepted"].as_str().unwrap_or_default();
            if accepted.ends_with(commit) { Ok(()) } else { Err(format!("{:#}", object["status"])) }
        });
        commit.clone_into(&mut self.accepted);
    }

    /// Held, with all of these words, and nothing of it was written.
    fn held(&self, commit: &str, words: &[&str]) {
        let first = format!("commit {commit} is not approved");
        let words: Vec<&str> = words.iter().copied().chain([first.as_str()]).collect();
        let held = self.tenant.wait_message("sync", "Held", &words);
        assert_eq!(condition_of(&held, "Held").expect("Held")["reason"], "ReviewMissing", "{:#}", held["status"]);
        assert!(self.tenant.writes(commit).is_empty());
    }

    /// The branch goes back to what is accepted.
    fn back(&self) {
        self.git(&["push", "-q", "--force", "origin", &format!("{}:refs/heads/main", self.accepted)]);
        self.lab.wait(&self.tenant.namespace, "sync/sync", |object| match condition_of(object, "Held") {
            None => Ok(()),
            Some(held) => Err(held.to_string()),
        });
    }
}

fn value(text: &str) -> String {
    config("a", &format!("{{v: '{text}'}}"))
}

#[test]
fn a_reviewed_pull_request_is_applied_by_each_way_to_merge_it() {
    let mut stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    for (how, text) in
        [("merge", "m"), ("squash", "s"), ("rebase", "r"), ("rebase-merge", "rm"), ("fast-forward-only", "f")]
    {
        let pull = stage.propose("ada", how, "main", &[&format!("{text}1"), &format!("{text}2")]);
        stage.approve("dana", pull);
        // Whoever approved may merge: what the merge holds is what was approved.
        let merged = stage.merge("dana", pull, how, "main");
        stage.applied(&merged, &format!("{text}2"));
    }
    // Rebased and squashed onto something that came in between.
    for how in ["merge", "rebase", "squash"] {
        let pull = stage.propose("ada", &format!("late-{how}"), "main", &[&format!("{how}1"), &format!("{how}2")]);
        stage.approve("dana", pull);
        stage.git(&["checkout", "-q", "-B", "between", &stage.accepted]);
        stage.write(&[(&format!("deploy/{how}.yaml"), &config(how, "{v: x}"))], "between");
        stage.push("bob", &format!("between-{how}"), false);
        let between = Pull(stage.forge.propose("bob", &format!("between-{how}"), "main"));
        stage.approve("dana", between);
        stage.merge("ada", between, "squash", "main");
        let merged = stage.merge("ada", pull, how, "main");
        stage.applied(&merged, &format!("{how}2"));
    }
}

#[test]
fn what_was_not_approved_as_it_is_is_held() {
    let mut stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();

    // Nobody proposed it.
    stage.git(&["checkout", "-q", "-B", "direct", &stage.accepted]);
    stage.write(&[("deploy/a.yaml", &value("direct"))], "direct");
    stage.push("ada", "main", false);
    stage.held(&stage.git(&["rev-parse", "HEAD"]), &["(ProposalPending)", "it has 0 of 2"]);
    stage.back();

    // Nobody approved it; then somebody, and changes came after that.
    for how in ["merge", "squash", "rebase"] {
        let pull = stage.propose("ada", &format!("push-after-{how}"), "main", &[&format!("{how}-seen")]);
        stage.approve("dana", pull);
        stage.write(&[("deploy/a.yaml", &value(&format!("{how}-unseen")))], "unseen");
        stage.push("ada", &format!("push-after-{how}"), false);
        let merged = stage.merge("ada", pull, how, "main");
        let steps = stage.git(&["rev-list", "--first-parent", &format!("{}..{merged}", stage.accepted)]);
        stage.held(steps.lines().last().expect("a commit"), &["(OtherHead)"]);
        stage.back();
        let pull = stage.propose("ada", &format!("seen-{how}"), "main", &[&format!("{how}-1")]);
        stage.approve("dana", pull);
        stage.write(&[("deploy/a.yaml", &value(&format!("{how}-2")))], "more");
        stage.push("ada", &format!("seen-{how}"), false);
        stage.approve("dana", pull);
        let merged = stage.merge("ada", pull, how, "main");
        stage.applied(&merged, &format!("{how}-2"));
    }

    // Who pushed to it approves it; and somebody else.
    let pushed = |stage: &Stage<'_>, branch: &str, text: &str| {
        let pull = stage.propose("ada", branch, "main", &[&format!("{text}-0")]);
        stage.write(&[("deploy/a.yaml", &value(text))], "by dana");
        stage.push("dana", branch, false);
        pull
    };
    let pull = pushed(&stage, "own", "own");
    stage.approve("dana", pull);
    let merged = stage.merge("ada", pull, "squash", "main");
    stage.held(&merged, &["dana had a hand in it themselves (OwnWork)", "it has 0 of 1"]);
    stage.back();
    let pull = pushed(&stage, "others", "others");
    stage.approve("dana", pull);
    stage.approve("bob", pull);
    let merged = stage.merge("ada", pull, "squash", "main");
    stage.applied(&merged, "others");

    // Who may only read approves it.
    let pull = stage.propose("ada", "reader", "main", &["reader"]);
    stage.approve("rita", pull);
    let merged = stage.merge("ada", pull, "squash", "main");
    stage.held(&merged, &["may not write to the repository (NoWriteAccess)"]);
    stage.back();

    // An approval that was dismissed, and one that was taken back by asking for changes.
    let pull = stage.propose("ada", "dismissed", "main", &["dismissed"]);
    let review = stage.review("dana", pull, "APPROVED");
    let path = format!("{REPOSITORY}/pulls/{}/reviews/{review}/dismissals", pull.0);
    stage.forge.ok("tandem", "POST", &path, &json!({"message": "no"}));
    let merged = stage.merge("ada", pull, "squash", "main");
    stage.held(&merged, &["(Dismissed)"]);
    stage.back();
    let pull = stage.propose("ada", "objected", "main", &["objected"]);
    stage.approve("dana", pull);
    stage.review("dana", pull, "REQUEST_CHANGES");
    let merged = stage.merge("ada", pull, "squash", "main");
    stage.held(&merged, &["(Objected)"]);
    stage.back();

    // A login that somebody else took over; and the person, under another name.
    stage.forge.ok("tandem", "POST", "admin/users/bob/rename", &json!({"new_username": "robert"}));
    stage.forge.ids.remove("bob");
    stage.forge.person("bob");
    stage.forge.ok("tandem", "PUT", &format!("{REPOSITORY}/collaborators/bob"), &json!({"permission": "write"}));
    let pull = stage.propose("ada", "taken-over", "main", &["taken-over"]);
    stage.approve("bob", pull);
    let merged = stage.merge("ada", pull, "squash", "main");
    stage.held(&merged, &["is not in the owners file of the accepted revision (NotListed)"]);
    stage.back();
    let pull = stage.propose("ada", "renamed", "main", &["renamed"]);
    stage.approve("robert", pull);
    let merged = stage.merge("ada", pull, "squash", "main");
    stage.applied(&merged, "renamed");
}

#[test]
fn a_merge_that_is_not_that_of_the_pull_request_is_held() {
    let mut stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    // Another branch, of which what was merged is pushed on.
    stage.git(&["push", "-q", "origin", &format!("{}:refs/heads/side", stage.accepted)]);
    let pull = stage.propose("ada", "elsewhere", "side", &["elsewhere"]);
    stage.approve("dana", pull);
    let merged = stage.merge("ada", pull, "merge", "side");
    stage.git(&["push", "-q", "origin", &format!("{merged}:refs/heads/main")]);
    stage.held(&merged, &["was made to refs/heads/side and not to refs/heads/main (OtherReference)"]);
    stage.back();

    // Approved against another branch, and then made to this one; and approved once more.
    stage.git(&["push", "-q", "--force", "origin", &format!("{}:refs/heads/side", stage.accepted)]);
    for (again, branch) in [(false, "retargeted"), (true, "retargeted-seen")] {
        let pull = stage.propose("ada", branch, "side", &[branch]);
        stage.approve("dana", pull);
        stage.forge.ok("ada", "PATCH", &format!("{REPOSITORY}/pulls/{}", pull.0), &json!({"base": "main"}));
        if again {
            // The forge counts seconds.
            let path = format!("{REPOSITORY}/issues/{}/timeline", pull.0);
            let events = stage.forge.ok("tandem", "GET", &path, &Value::Null);
            let at = |event: &&Value| event["type"] == "change_target_branch";
            let changed =
                events.as_array().and_then(|all| all.iter().find(at)).expect("an event")["created_at"].clone();
            wait_for("an approval after it", || {
                let review = stage.review("dana", pull, "APPROVED");
                let one = stage.forge.ok(
                    "tandem",
                    "GET",
                    &format!("{REPOSITORY}/pulls/{}/reviews/{review}", pull.0),
                    &Value::Null,
                );
                if one["submitted_at"] != changed { Ok(()) } else { Err("the same second".to_owned()) }
            });
        }
        let merged = stage.merge("ada", pull, "squash", "main");
        if again {
            stage.applied(&merged, branch);
        } else {
            stage.held(&merged, &["(Retargeted)"]);
            stage.back();
        }
    }

    // A merge that somebody makes by hand, and has the forge call the merge of the pull request.
    let by_hand = |stage: &Stage<'_>, branch: &str| {
        let pull = stage.propose("ada", branch, "main", &[branch]);
        stage.approve("dana", pull);
        stage.git(&["checkout", "-q", "-B", "hand", &stage.accepted]);
        stage.git(&["merge", "-q", "--no-ff", "--no-commit", branch]);
        std::fs::write(stage.work.path().join("deploy/a.yaml"), value("what nobody saw")).expect("writes");
        stage.git(&["commit", "-q", "-a", "-m", "merge"]);
        stage.push("ada", "main", false);
        let merged = stage.git(&["rev-parse", "HEAD"]);
        stage.held(&merged, &["(ProposalPending)"]);
        let marked = json!({"Do": "manually-merged", "MergeCommitID": merged, "merge_commit_id": merged});
        stage.forge.ok("tandem", "POST", &format!("{REPOSITORY}/pulls/{}/merge", pull.0), &marked);
        merged
    };
    let evil = by_hand(&stage, "evil");
    stage.held(&evil, &["holds something else than the merge of its head (UnequalTree)"]);
    stage.back();
    let pull = stage.propose("ada", "honest", "main", &["honest"]);
    stage.approve("dana", pull);
    let merged = stage.merge("ada", pull, "merge", "main");
    stage.applied(&merged, "honest");
}

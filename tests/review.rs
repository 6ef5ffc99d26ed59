//! `spec.review` through the agent, with approvals that the command line signs: what other people have not approved is
//! held, told with who must approve it, and what was accepted stays healed. Each attack has a twin that is applied.

mod held;

use std::process::Output;

use serde_json::{Value, json};

use crate::enforcement::stage as enforcement;
use crate::git_remote::{Repositories, Served, WorkingCopy, serve};
use crate::lab::manifests::config;
use crate::lab::{Agent, Lab, Tenant, both, condition_of, tandem, wait_for};
use crate::signing::{Keys, SshKey, sign};

/// People with their keys, a repository that lists them, and what follows it.
pub struct Stage<'a> {
    pub lab: &'a Lab,
    pub tenant: Tenant<'a>,
    pub keys: Keys,
    pub ada: SshKey,
    pub bob: SshKey,
    pub olga: SshKey,
    pub eve: SshKey,
    pub copy: WorkingCopy,
    server: Served,
    _repositories: Repositories,
}

impl<'a> Stage<'a> {
    pub fn new(lab: &'a Lab) -> Self {
        let repositories = Repositories::new();
        let copy = repositories.create("app");
        let server = serve("git-http", &["--root", &repositories.root()]);
        let keys = Keys::new();
        let key = |name: &str| keys.ssh(name, &["-t", "ed25519"]);
        let (ada, bob, olga, eve) = (key("ada"), key("bob"), key("olga"), key("eve"));
        // What is approved is named by where it is deployed from.
        copy.git(&["remote", "set-url", "origin", &server.repository("app")]);
        copy.git(&["remote", "set-url", "--push", "origin", &copy.bare.display().to_string()]);
        copy.git(&["config", "user.name", "Ada"]);
        copy.git(&["config", "user.email", "ada@example.com"]);
        keys.use_ssh(&copy, &ada);
        sign(&copy, true);
        let tenant = Tenant::new(lab);
        Self { lab, tenant, keys, ada, bob, olga, eve, copy, server, _repositories: repositories }
    }

    pub fn owners(&self, more: &str) -> String {
        let person = |name: &str, key: &SshKey| {
            format!("  - {{name: {name}, emails: [{name}@example.com], keys: ['{}']}}\n", key.public)
        };
        let people = [person("ada", &self.ada), person("bob", &self.bob), person("olga", &self.olga)].concat();
        format!(
            "apiVersion: tandemcd.io/v1alpha1\nkind: Owners\nmetadata: {{name: owners}}\nspec:\n  people:\n{people}{more}  ops: [olga]\n  rules:\n  - {{paths: [/deploy/, /other/], dev: [ada, bob]}}\n"
        )
    }

    pub fn first(&self) -> String {
        let owners = self.owners("");
        self.copy.push("1", &[(".tandem/owners.yaml", &owners), ("deploy/a.yaml", &value("1"))])
    }

    pub fn repository(&self, review: &Value) -> Value {
        json!({
            "apiVersion": "tandemcd.io/v1alpha1", "kind": "Repository",
            "metadata": {"name": "repo", "namespace": self.tenant.namespace},
            "spec": {"url": self.server.repository("app"), "ref": {"branch": "main"}, "interval": "1s", "review": review},
        })
    }

    /// The Secret with the keys that may sign, where that is asked for.
    fn signers(&self, keys: &[&SshKey]) -> String {
        let allowed: String = keys.iter().map(|key| format!("*@example.com {}\n", key.public)).collect();
        let metadata = json!({"name": "signers", "namespace": self.tenant.namespace});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"allowed_signers": allowed}})
            .to_string()
    }

    /// A Repository under review that asks for signatures too.
    fn verifying(&self, review: &Value) -> Value {
        let mut repository = self.repository(review);
        repository["spec"]["verify"] = json!({"secretRef": {"name": "signers"}});
        repository["spec"]["serviceAccountName"] = json!("deployer");
        repository
    }

    pub fn since(&self, commit: &str) -> Value {
        let file = self.copy.git(&["show", &format!("{commit}:.tandem/owners.yaml")]) + "\n";
        json!({"since": {"commit": commit, "owners": tandem::revision::review::digest(file.as_bytes())}})
    }

    /// A Repository under review, with a Sync over the folder `deploy`.
    pub fn follow(&self, review: &Value) {
        self.follow_with(review, "deletionBudget: {maxCount: 1000, maxPercent: 100}");
    }

    fn follow_with(&self, review: &Value, more: &str) {
        self.lab.apply(&self.repository(review).to_string());
        self.tenant.sync("sync", "deploy", more);
    }

    pub fn push(&self, text: &str) -> String {
        self.copy.push(text, &[("deploy/a.yaml", &value(text))])
    }

    pub fn say(&self, verb: &str, key: &SshKey, arguments: &[&str]) -> Output {
        let mut command = tandem();
        command.arg(verb).args(arguments).arg("--key").arg(&key.private).current_dir(&self.copy.path);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        command.output().expect("the program runs")
    }

    pub fn approve(&self, key: &SshKey, arguments: &[&str]) {
        let output = self.say("approve", key, &[&["--yes"][..], arguments].concat());
        assert!(output.status.success(), "{}", both(&output));
    }

    fn wait_held(&self, reason: &str, words: &[&str]) {
        let held = self.tenant.wait_message("sync", "Held", &[words, &["is held", "hint: "]].concat());
        assert_eq!(condition_of(&held, "Held").expect("Held")["reason"], reason, "{:#}", held["status"]);
        assert_eq!(condition_of(&held, "Ready").expect("Ready")["status"], "False", "{:#}", held["status"]);
        self.lab.wait(&self.tenant.namespace, "repository/repo", |object| match condition_of(object, "Held") {
            Some(c) if c["reason"] == reason => Ok(()),
            _ => Err(format!("{:#}", object["status"])),
        });
    }

    fn wait_unpinned(&self, sync: &str, words: &str) {
        let held = self.tenant.wait_message(sync, "Held", &["held under review", words, "review.inputs: Any"]);
        assert_eq!(condition_of(&held, "Held").expect("Held")["reason"], "InputsUnreviewed", "{:#}", held["status"]);
    }

    /// What is accepted is there, and comes back when it is deleted by hand.
    pub fn stays_healed(&self, value: &str) {
        self.lab.k(&["-n", &self.tenant.namespace, "delete", "configmap", "a"]);
        self.lab.wait(&self.tenant.namespace, "configmap/a", |object| match object["data"]["v"].as_str() {
            Some(found) if found == value => Ok(()),
            other => Err(format!("{other:?}, wanted {value}")),
        });
    }

    pub fn applied(&self, commit: &str, value: &str) -> Value {
        let told = self.tenant.wait_applied("sync", commit);
        assert_eq!(self.lab.get(&self.tenant.namespace, "configmap/a")["data"]["v"], value);
        self.lab.wait(&self.tenant.namespace, "sync/sync", |object| match condition_of(object, "Held") {
            None => Ok(()),
            Some(held) => Err(held.to_string()),
        });
        told
    }

    pub fn accepted(&self, commit: &str) -> Value {
        self.lab.wait(&self.tenant.namespace, "acceptance/repo", |object| {
            match object["spec"]["record"]["revision"].as_str() {
                Some(revision) if revision.ends_with(commit) => Ok(()),
                _ => Err(format!("{:#}", object["spec"])),
            }
        })
    }
}

pub fn value(text: &str) -> String {
    config("a", &format!("{{v: '{text}'}}"))
}

#[test]
fn what_nobody_else_approved_is_held_and_approvals_of_something_else_do_not_count() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let first = stage.first();
    stage.follow(&stage.since(&first));
    let told = stage.applied(&first, "1");
    let ready = condition_of(&told, "Ready").expect("Ready")["message"].as_str().unwrap_or_default().to_owned();
    assert!(!ready.contains("unreviewed"), "{ready}");

    let second = stage.push("2");
    stage.wait_held(
        "ReviewMissing",
        &[
            &format!("commit {second} is not approved"),
            "it has 0 of 1",
            "ada, bob",
            &format!("hint: tandem approve {second}"),
        ],
    );
    stage.stays_healed("1");
    // Who made it, however they are known; who is not listed is told so before anything is pushed.
    stage.approve(&stage.ada, &[]);
    stage.wait_held("ReviewMissing", &["ada had a hand in it themselves (OwnWork)"]);
    let told = stage.say("approve", &stage.eve, &["--yes"]);
    assert!(!told.status.success() && both(&told).contains("which is not listed"), "{}", both(&told));
    // Another cluster, branch, repository, base and role.
    stage.approve(&stage.bob, &["--cluster", "elsewhere"]);
    stage.wait_held("ReviewMissing", &["bob approved it for the cluster elsewhere alone (OtherCluster)"]);
    stage.approve(&stage.bob, &["--ref", "refs/heads/other"]);
    stage.wait_held(
        "ReviewMissing",
        &["bob approved it for refs/heads/other and not for refs/heads/main (OtherReference)"],
    );
    stage.copy.git(&["remote", "add", "fork", "https://forge.example/eve/app.git"]);
    stage.approve(&stage.bob, &["--remote", "fork", "--no-push"]);
    stage.copy.git(&["push", "-q", "origin", "refs/notes/tandem/approvals/*"]);
    stage.wait_held("ReviewMissing", &["bob approved it for forge.example/eve/app", "(OtherRepository)"]);
    stage.approve(&stage.bob, &["--role", "ops"]);
    stage.wait_held("ReviewMissing", &["bob approved in a role that they do not have for these paths (OtherRole)"]);
    stage.stays_healed("1");
    assert!(stage.tenant.writes(&second).is_empty());
    stage.approve(&stage.bob, &["--role", "dev"]);
    stage.applied(&second, "2");
    let record = stage.accepted(&second);
    assert_eq!(
        record["spec"]["record"]["repository"].as_str().map(|id| id.ends_with("/app")),
        Some(true),
        "{record:#}"
    );

    // An approval that was taken back stays so, also where the note that says so is removed.
    let third = stage.push("3");
    stage.wait_held("ReviewMissing", &[&third, "it has 0 of 1"]);
    stage.approve(&stage.bob, &["--no-push"]);
    let notes = "refs/notes/tandem/approvals/*";
    let name = stage.copy.git(&["for-each-ref", "--format=%(refname)", "--sort=-creatordate", "--count=1", notes]);
    let before = stage.copy.git(&["rev-parse", &name]);
    let taken = stage.say("withdraw", &stage.bob, &[]);
    assert!(taken.status.success(), "{}", both(&taken));
    stage.wait_held("ReviewMissing", &["bob took it back (Withdrawn)"]);
    stage.copy.git(&["push", "-q", "--force", "origin", &format!("{before}:{name}")]);
    let fourth = stage.push("4");
    stage.wait_held("ReviewMissing", &[&fourth, &format!("commit {third} is not"), "bob took it back (Withdrawn)"]);
    stage.copy.git(&["update-ref", &name, &before]);
    stage.approve(&stage.bob, &[&third]);
    stage.wait_held("ReviewMissing", &[&format!("commit {fourth} is not approved")]);
    stage.approve(&stage.bob, &[&fourth]);
    stage.applied(&fourth, "4");

    // Whose hand it was is known where they signed: else one approval more.
    sign(&stage.copy, false);
    let unsigned = stage.push("5");
    stage.approve(&stage.bob, &[]);
    stage.wait_held("ReviewMissing", &[&unsigned, "one more because who made it is not proven", "it has 1 of 2"]);
    stage.approve(&stage.olga, &[]);
    stage.applied(&unsigned, "5");
}

#[test]
fn nobody_grants_themselves_the_right_and_only_what_is_read_holds() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let first = stage.first();
    stage.follow(&stage.since(&first));
    stage.applied(&first, "1");

    // Eve lists herself, and approves what lists her.
    let eve = format!("  - {{name: eve, keys: ['{}']}}\n", stage.eve.public);
    let granted =
        stage.copy.push("eve", &[(".tandem/owners.yaml", &stage.owners(&eve)), ("deploy/a.yaml", &value("2"))]);
    let told = stage.say("approve", &stage.eve, &["--yes"]);
    assert!(!told.status.success(), "the owners of the base count: {}", both(&told));
    stage.approve(&stage.bob, &[]);
    stage.wait_held("ReviewMissing", &[&granted, "it is one of Tandem's own files", "ops: olga"]);
    stage.approve(&stage.olga, &[]);
    stage.applied(&granted, "2");
    // A file after which nobody could approve is refused whoever approves it.
    let nobody =
        stage.owners("").replace("dev: [ada, bob]", "dev: []").replace("ops: [olga]\n  rules", "ops: []\n  rules");
    let lost = stage.copy.push("nobody", &[(".tandem/owners.yaml", &nobody), ("deploy/a.yaml", &value("3"))]);
    stage.approve(&stage.olga, &[]);
    stage.wait_held("OwnersInvalid", &[&lost, "after it nobody could approve", "spec.ops names nobody"]);
    stage.copy.git(&["reset", "-q", "--hard", &granted]);

    // What gives rights needs operations, in whosever folder it stands.
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: []\n";
    let rights = stage.copy.push("role", &[("deploy/role.yaml", role), ("deploy/a.yaml", &value("4"))]);
    stage.approve(&stage.bob, &[]);
    stage.wait_held("ReviewMissing", &[&rights, "it speaks of a Role"]);
    stage.approve(&stage.olga, &[]);
    stage.applied(&rights, "4");
    // Also where it is written so that nobody sees it, or stands where nobody looks.
    let hidden =
        role.replace("kind: Role", "\"k\\u0069nd\": # so\n  \"R\\u006fle\"").replace("name: r", "name: hidden");
    let large = role.replace("name: r", "name: large") + &"# nothing\n".repeat(120_000);
    for (text, file, words) in
        [(hidden, "deploy/hidden.yaml", "it speaks of a Role"), (large, "deploy/large.yaml", "it is too large")]
    {
        let pushed = stage.copy.push(file, &[(file, &text)]);
        stage.approve(&stage.bob, &[]);
        stage.wait_held("ReviewMissing", &[&pushed, words]);
        stage.approve(&stage.olga, &[]);
        stage.applied(&pushed, "4");
    }
    assert!(["hidden", "large"].iter().all(|name| !stage.lab.absent(&stage.tenant.namespace, &format!("role/{name}"))));

    // A commit that this Sync does not read holds it only when it begins to read it.
    let unread = stage.copy.push(
        "unread",
        &[("other/b.yaml", &config("b", "{v: evil}")), ("other/kustomization.yaml", "resources: [b.yaml]\n")],
    );
    let read = stage.push("5");
    stage.approve(&stage.bob, &[&read]);
    stage.applied(&read, "5");
    let kustomization = "resources: [a.yaml, role.yaml, ../other]\n";
    let refers =
        stage.copy.push("refers", &[("deploy/kustomization.yaml", kustomization), ("deploy/a.yaml", &value("6"))]);
    stage.approve(&stage.bob, &[&refers]);
    stage.wait_held("ReviewMissing", &[&format!("commit {unread} is not approved"), "other/b.yaml"]);
    stage.stays_healed("5");
    assert!(stage.lab.absent(&stage.tenant.namespace, "configmap/b"));
    stage.approve(&stage.bob, &[&unread]);
    stage.applied(&refers, "6");

    // History that is rewritten waits for an approval that names both commits.
    stage.accepted(&refers);
    stage.copy.git(&["push", "-q", "--force", "origin", &format!("{read}:refs/heads/main")]);
    stage.wait_held("Rewound", &[&read, &format!("--base {refers}")]);
    stage.stays_healed("6");
    stage.copy.git(&["reset", "-q", "--hard", &read]);
    stage.approve(&stage.bob, &[&read, "--base", &unread]);
    stage.approve(&stage.bob, &[&read, "--base", &refers]);
    stage.wait_held("Rewound", &["and one more because who made it is not proven"]);
    stage.approve(&stage.olga, &[&read, "--base", &refers]);
    stage.applied(&read, "5");
}

#[test]
fn a_trailer_counts_only_in_what_was_approved() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    stage.copy.commit("more", &[("deploy/b.yaml", &config("b", "{v: '1'}"))]);
    let first = stage.first();
    stage.follow_with(&stage.since(&first), "deletionBudget: {maxCount: 0, maxPercent: 0}");
    stage.applied(&first, "1");
    // A deletion that was approved, and needs to be paid for.
    std::fs::remove_file(stage.copy.path.join("deploy/b.yaml")).expect("a file");
    let second = stage.push("2");
    stage.approve(&stage.bob, &[]);
    stage.tenant.wait_reason("sync", "Held", "DeletionBudgetExceeded");
    stage.accepted(&second);
    // Whoever may push says that it may be deleted: in a commit without changes, which nobody approved.
    let trailer = format!("Drop it\n\nTandem-Delete: {}/sync 1", stage.tenant.namespace);
    let paid = stage.copy.push(&trailer, &[]);
    stage.lab.wait(&stage.tenant.namespace, "repository/repo", |object| {
        let waiting = &object["status"]["reviewStatus"]["waiting"];
        if *waiting == json!([paid]) { Ok(()) } else { Err(format!("{:#}", object["status"])) }
    });
    let third = stage.push("3");
    stage.approve(&stage.bob, &[&third]);
    stage.lab.wait(&stage.tenant.namespace, "sync/sync", |object| {
        let tried = object["status"]["attemptedRevision"].as_str().is_some_and(|revision| revision.ends_with(&third));
        let held = condition_of(object, "Held").is_some_and(|held| held["reason"] == "DeletionBudgetExceeded");
        if tried && held { Ok(()) } else { Err(format!("{:#}", object["status"])) }
    });
    assert!(!stage.lab.absent(&stage.tenant.namespace, "configmap/b"), "nobody approved that it goes");
    stage.approve(&stage.olga, &[&paid]);
    stage.accepted(&third);
    stage.applied(&third, "3");
    stage.lab.wait_absent(&stage.tenant.namespace, "configmap/b");
}

#[test]
fn break_glass_goes_ahead_of_review_alone_and_never_past_its_own_rules() {
    let stage = Stage::new(Lab::shared());
    let agent = Lab::shared_agent();
    let namespace = &stage.tenant.namespace;
    let owners = stage.owners("") + "  breakGlass: {people: [ada], lasts: 30s}\n";
    stage.copy.commit("more", &[("deploy/b.yaml", &config("b", "{v: '1'}"))]);
    let first = stage.copy.push("1", &[(".tandem/owners.yaml", &owners), ("deploy/a.yaml", &value("1"))]);
    stage.follow_with(&stage.since(&first), "deletionBudget: {maxCount: 0, maxPercent: 0}");
    stage.applied(&first, "1");

    // Who is not listed for it, who says no reason, and who would change who may.
    let undo = || stage.copy.git(&["reset", "-q", "--hard", &first]);
    let push = |text: &str, files: &[(&str, &str)]| {
        stage.copy.commit(text, files);
        stage.copy.git(&["push", "-q", "--force", "origin", "HEAD:main"]);
        stage.copy.git(&["rev-parse", "HEAD"])
    };
    stage.keys.use_ssh(&stage.copy, &stage.bob);
    let other = push("2\n\nBreak-Glass: it burns", &[("deploy/a.yaml", &value("2"))]);
    stage.wait_held("ReviewMissing", &[&other, "Break-Glass does not count: bob is not among those who may"]);
    undo();
    stage.keys.use_ssh(&stage.copy, &stage.ada);
    sign(&stage.copy, false);
    let unsigned = push("3\n\nBreak-Glass: it burns", &[("deploy/a.yaml", &value("3"))]);
    stage.wait_held("ReviewMissing", &[&unsigned, "Break-Glass does not count: the commit is not signed"]);
    undo();
    sign(&stage.copy, true);
    let own = owners.replace("30s", "168h");
    let grown = push("4\n\nBreak-Glass: it burns", &[(".tandem/owners.yaml", &own), ("deploy/a.yaml", &value("4"))]);
    stage.wait_held("ReviewMissing", &[&grown, "Break-Glass does not count: it changes .tandem/owners.yaml"]);
    undo();
    stage.stays_healed("1");

    // It goes ahead, and what it would delete needs to be paid for as ever.
    std::fs::remove_file(stage.copy.path.join("deploy/b.yaml")).expect("a file");
    let delete = format!("5\n\nTandem-Delete: {namespace}/sync 1\nBreak-Glass: it burns");
    push(&delete, &[("deploy/a.yaml", &value("5"))]);
    stage.tenant.wait_reason("sync", "Held", "DeletionBudgetExceeded");
    undo();
    // What was taken back is told no more.
    let whole = || {
        stage.lab.wait(namespace, "repository/repo", |object| match condition_of(object, "GlassBroken") {
            None => Ok(()),
            Some(told) => Err(told.to_string()),
        })
    };
    stage.copy.git(&["push", "-q", "--force", "origin", "HEAD:main"]);
    whole();
    let ahead = push("6\n\nBreak-Glass: it burns", &[("deploy/a.yaml", &value("6"))]);
    stage.applied(&ahead, "6");
    stage.tenant.wait_message("sync", "Ready", &["(not reviewed: break glass)"]);
    let told = [ahead.as_str(), "by ada: it burns", "tandem approve"];
    stage.lab.wait(namespace, "repository/repo", |object| match condition_of(object, "GlassBroken") {
        Some(c) if told.iter().all(|word| c["message"].as_str().unwrap_or_default().contains(word)) => Ok(()),
        _ => Err(format!("{:#}", object["status"])),
    });
    stage.lab.wait_event(namespace, "GlassBroken", &told);
    let metric = format!("tandem_broken_glass{{namespace=\"{namespace}\",repository=\"repo\"}} 1");
    assert!(agent.http("/metrics").expect("metrics").contains(&metric), "{metric}");
    // Its time is over: nothing rolls back, and what is later waits.
    let until = stage.lab.get(namespace, "acceptance/repo")["spec"]["record"]["brokenGlass"][0]["until"].clone();
    let until: jiff::Timestamp = until.as_str().and_then(|text| text.parse().ok()).expect("a time");
    wait_for("the end of its time", || if jiff::Timestamp::now() > until { Ok(()) } else { Err(until.to_string()) });
    let later = push("7", &[("deploy/a.yaml", &value("7"))]);
    stage.approve(&stage.bob, &[]);
    stage.wait_held("ReviewMissing", &[&format!("commit {ahead} is not approved")]);
    stage.stays_healed("6");
    stage.approve(&stage.ada, &[&ahead]);
    stage.wait_held("ReviewMissing", &["ada had a hand in it themselves (OwnWork)"]);
    stage.approve(&stage.bob, &[&ahead]);
    stage.applied(&later, "7");
    whole();
    stage.lab.wait(namespace, "sync/sync", |sync| match condition_of(sync, "Ready") {
        Some(ready) if ready["status"] == "True" && !ready["message"].to_string().contains("reviewed") => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn break_glass_goes_past_neither_signatures_nor_standards() {
    let (lab, _) = enforcement::shared();
    let stage = Stage::new(lab);
    let namespace = &stage.tenant.namespace;
    let owners = stage.owners("") + "  breakGlass: {people: [ada, bob], lasts: 1h}\n";
    let first = stage.copy.push("1", &[(".tandem/owners.yaml", &owners), ("deploy/a.yaml", &value("1"))]);
    stage.lab.apply(&stage.signers(&[&stage.ada]));
    stage.lab.apply(&stage.verifying(&stage.since(&first)).to_string());
    stage.tenant.sync("sync", "deploy", "");
    stage.applied(&first, "1");
    let push = |text: &str, object: &str| {
        let message = format!("{text}\n\nBreak-Glass: it burns");
        stage.copy.commit(&message, &[("deploy/a.yaml", object)]);
        stage.copy.git(&["push", "-q", "--force", "origin", "HEAD:main"]);
        stage.copy.git(&["rev-parse", "HEAD"])
    };
    // Who may go ahead of review, with a key that may sign nothing.
    stage.keys.use_ssh(&stage.copy, &stage.bob);
    let foreign = push("2", &value("2"));
    stage.wait_held("SignerUnknown", &[&foreign]);
    stage.stays_healed("1");
    assert!(stage.tenant.writes(&foreign).is_empty());
    stage.copy.git(&["reset", "-q", "--hard", &first]);
    stage.keys.use_ssh(&stage.copy, &stage.ada);
    let known = push("3", &value("3"));
    stage.applied(&known, "3");
    stage.tenant.wait_message("sync", "Ready", &["(not reviewed: break glass)"]);
    stage.approve(&stage.bob, &[&known]);
    stage.accepted(&known);

    // And with an object that a Standard refuses.
    let ops = crate::lab::Repo::new();
    let named = json!([{"expression": "has(object.data) && has(object.data.owner)", "message": "it names no owner"}]);
    let spec = json!({"matchConstraints": enforcement::rules("", "configmaps", &["*"]), "validations": named});
    ops.write("policy/p.yaml", &enforcement::policy("owned", &spec, &["Deny"]));
    ops.push("policies");
    stage.tenant.repository("ops", &ops);
    let name = crate::lab::unique("glass");
    let standard = json!({"apiVersion": "tandemcd.io/v1alpha1", "kind": "Standard", "metadata": {"name": name}, "spec": {
        "repositoryRef": {"name": "ops", "namespace": namespace}, "path": "policy",
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}});
    lab.apply(&standard.to_string());
    lab.wait("", &format!("standard/{name}"), |standard| match condition_of(standard, "Ready") {
        Some(ready) if ready["status"] == "True" => Ok(()),
        _ => Err(format!("{:#}", standard["status"])),
    });
    let refused = push("4", &value("4"));
    stage.tenant.wait_message("sync", "Held", &[&refused, "it names no owner", &name]);
    stage.tenant.wait_reason("sync", "Held", "StandardViolated");
    stage.stays_healed("3");
    assert!(stage.tenant.writes(&refused).is_empty());
    stage.copy.git(&["reset", "-q", "--hard", &known]);
    let honest = push("5", &config("a", "{owner: shop, v: '5'}"));
    stage.applied(&honest, "5");
    stage.tenant.wait_message("sync", "Ready", &["(not reviewed: break glass)"]);
    lab.k(&["delete", "standard", &name]);
}

#[test]
fn a_freeze_is_lifted_only_with_operations() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let freeze = "apiVersion: tandemcd.io/v1alpha1\nkind: Freeze\nmetadata: {name: sale}\nspec: {reason: the great sale, schedule: '* * * * *', duration: 1h}\n";
    stage.copy.commit("freeze", &[(".tandem/freezes/sale.yaml", freeze)]);
    let first = stage.first();
    stage.follow(&stage.since(&first));
    stage.applied(&first, "1");
    let second = stage.push("2");
    stage.approve(&stage.bob, &[]);
    stage.tenant.wait_reason("sync", "Held", "Frozen");
    stage.accepted(&second);
    stage.stays_healed("1");
    // The commit that takes the freeze away does not go before operations have approved it, nor does one that goes ahead.
    std::fs::remove_file(stage.copy.path.join(".tandem/freezes/sale.yaml")).expect("a file");
    let lifted = stage.push("3");
    stage.approve(&stage.bob, &[]);
    stage.wait_held("ReviewMissing", &[&lifted, "it is one of Tandem's own files"]);
    stage.copy.git(&["reset", "-q", "--hard", &second]);
    let ahead = "4\n\nTandem-Freeze-Override: sale the shop is down";
    stage.copy.commit(ahead, &[("deploy/a.yaml", &value("4"))]);
    stage.copy.git(&["push", "-q", "--force", "origin", "HEAD:main"]);
    let ahead = stage.copy.git(&["rev-parse", "HEAD"]);
    stage.approve(&stage.bob, &[]);
    stage.wait_held("ReviewMissing", &[&ahead, "it goes in spite of a freeze"]);
    stage.stays_healed("1");
    stage.approve(&stage.olga, &[]);
    stage.applied(&ahead, "4");
    // The line was for that commit; when the freeze is lifted with operations, the rest follows.
    let later = stage.push("5");
    stage.approve(&stage.bob, &[]);
    stage.tenant.wait_reason("sync", "Held", "Frozen");
    stage.accepted(&later);
    std::fs::remove_file(stage.copy.path.join(".tandem/freezes/sale.yaml")).expect("a file");
    let lifted = stage.push("6");
    stage.approve(&stage.olga, &[]);
    stage.applied(&lifted, "6");
}

#[test]
fn what_stands_in_no_commit_is_rendered_only_where_that_is_permitted() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let owners = stage.owners("");
    let files = [(".tandem/owners.yaml", owners.as_str()), ("deploy/a.yaml", &value("${V}"))];
    let first = stage.copy.push("1", &files);
    let vars = |text: &str| {
        stage.lab.apply(&format!("{}", json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "vars", "namespace": stage.tenant.namespace}, "data": {"V": text}})))
    };
    vars("1");
    let from = "substitute: {from: [{kind: ConfigMap, name: vars}]}";
    stage.follow_with(&stage.since(&first), from);
    stage.wait_unpinned("sync", "spec.substitute.from names the ConfigMap vars");
    assert!(stage.lab.absent(&stage.tenant.namespace, "configmap/a"));
    let mut permitted = stage.since(&first);
    permitted["inputs"] = json!("Any");
    stage.lab.apply(&stage.repository(&permitted).to_string());
    stage.applied(&first, "1");
    // Where it is permitted no more, another content deploys nothing.
    stage.lab.apply(&stage.repository(&stage.since(&first)).to_string());
    vars("2");
    stage.wait_unpinned("sync", "spec.substitute.from names the ConfigMap vars");
    assert_eq!(stage.lab.get(&stage.tenant.namespace, "configmap/a")["data"]["v"], "1");
    stage.lab.apply(&stage.repository(&permitted).to_string());
    stage.lab.wait(&stage.tenant.namespace, "configmap/a", |object| {
        if object["data"]["v"] == "2" { Ok(()) } else { Err(object["data"].to_string()) }
    });

    // A version may be another chart tomorrow; that nobody is asked for it shows that it is held before.
    let chart = |more: &str| {
        format!("helm: {{chart: {{repository: 'https://charts.invalid', name: shop, version: 1.2.3{more}}}}}")
    };
    stage.lab.apply(&stage.repository(&stage.since(&first)).to_string());
    stage.tenant.sync("chart", "deploy", &chart(""));
    stage.wait_unpinned("chart", "spec.helm.chart names shop 1.2.3 without a digest");
    stage.tenant.sync("chart", "deploy", &chart(&format!(", digest: 'sha256:{}'", "0".repeat(64))));
    stage.tenant.wait_message("chart", "Ready", &["charts.invalid"]);
}

#[test]
fn strict_needs_dev_ops_and_signatures_and_each_merge_is_a_step_of_its_own() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let first = stage.first();
    stage.lab.apply(&stage.signers(&[&stage.ada]));
    let mut review = stage.since(&first);
    review["profile"] = json!("Strict");
    stage.lab.apply(&stage.verifying(&review).to_string());
    stage.tenant.sync("sync", "deploy", "prune: Enabled");
    stage.applied(&first, "1");

    let second = stage.push("2");
    stage.approve(&stage.bob, &[]);
    stage.wait_held("ReviewMissing", &[&second, "2 approvals (1 as dev, 1 as ops); it has 1 of 2"]);
    stage.approve(&stage.olga, &[]);
    stage.applied(&second, "2");
    sign(&stage.copy, false);
    let unsigned = stage.push("3");
    [&stage.bob, &stage.olga].iter().for_each(|who| stage.approve(who, &[]));
    stage.wait_held("SignatureMissing", &[&unsigned]);
    stage.stays_healed("2");
    sign(&stage.copy, true);
    stage.copy.git(&["reset", "-q", "--hard", &second]);

    // A merge whose tree holds what neither side has: approvals of the side do not cover it.
    stage.copy.git(&["checkout", "-q", "-b", "side"]);
    stage.copy.commit("side", &[("deploy/side.yaml", &config("side", "{v: honest}"))]);
    [&stage.bob, &stage.olga].iter().for_each(|who| stage.approve(who, &["--ref", "refs/heads/main"]));
    stage.copy.git(&["checkout", "-q", "main"]);
    stage.copy.git(&["merge", "-q", "--no-ff", "--no-commit", "side"]);
    let evil = stage.copy.push("merge", &[("deploy/a.yaml", &value("evil"))]);
    stage.wait_held("ReviewMissing", &[&format!("commit {evil} is not approved"), "have 0 of 2"]);
    assert!(stage.tenant.writes(&evil).is_empty());
    // Swapped parents: what was accepted is a side branch now.
    stage.copy.git(&["checkout", "-q", "-B", "orphan", &first]);
    stage.copy.commit("beside", &[("deploy/a.yaml", &value("5"))]);
    stage.copy.git(&["merge", "-q", "--no-ff", "-s", "ours", "-m", "foxtrot", &second]);
    stage.copy.git(&["push", "-q", "--force", "origin", "HEAD:main"]);
    let beside = stage.copy.git(&["rev-parse", "HEAD"]);
    stage.wait_held(
        "Diverged",
        &[&beside, "its first parents do not lead to the accepted", &format!("--base {second}")],
    );
    stage.stays_healed("2");
    // The merge as git makes it, approved as what it is.
    stage.copy.git(&["checkout", "-q", "-B", "main", &second]);
    stage.copy.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    stage.copy.git(&["push", "-q", "--force", "origin", "HEAD:main"]);
    let honest = stage.copy.git(&["rev-parse", "HEAD"]);
    [&stage.bob, &stage.olga].iter().for_each(|who| stage.approve(who, &[]));
    stage.applied(&honest, "2");
    assert_eq!(stage.lab.get(&stage.tenant.namespace, "configmap/side")["data"]["v"], "honest");
}

#[test]
fn what_is_accepted_outlives_the_repository_object_its_status_and_the_agent() {
    let lab = Lab::start("review");
    let mut agent = Agent::start_with(&lab, &["--lease-seconds", "3"]);
    let stage = Stage::new(&lab);
    let first = stage.first();
    // Who begins names the owners.
    let mut wrong = stage.since(&first);
    wrong["since"]["owners"] = json!("0".repeat(64));
    stage.follow(&wrong);
    stage.wait_held("OwnersInvalid", &["has the digest"]);
    assert!(lab.absent(&stage.tenant.namespace, "configmap/a"));
    lab.apply(&stage.repository(&stage.since(&first)).to_string());
    stage.applied(&first, "1");
    let second = stage.push("2");
    stage.wait_held("ReviewMissing", &[&second]);
    let old = lab.get(&stage.tenant.namespace, "acceptance/repo");

    // The Repository is made anew by somebody who would trust whatever is there, while the agent is away.
    agent.kill();
    lab.k(&["-n", &stage.tenant.namespace, "delete", "repository", "repo"]);
    let edited = json!({"status": {"acceptedRevision": format!("main@sha1:{second}"), "appliedRevision": format!("main@sha1:{second}")}});
    lab.k(&[
        "-n",
        &stage.tenant.namespace,
        "patch",
        "sync",
        "sync",
        "--subresource=status",
        "--type=merge",
        "-p",
        &edited.to_string(),
    ]);
    lab.apply(&stage.repository(&json!({"trustFirst": true})).to_string());
    agent.restart();
    stage.wait_held("ReviewMissing", &[&second]);
    stage.stays_healed("1");
    assert!(stage.tenant.writes(&second).is_empty());
    stage.approve(&stage.bob, &[]);
    stage.applied(&second, "2");
    stage.accepted(&second);

    // An older record, put back as from a copy of etcd, is older than what the cache has; a forged one is none.
    let third = stage.push("3");
    stage.wait_held("ReviewMissing", &[&third]);
    agent.kill();
    let replace = |record: &Value| {
        let patch = json!([{"op": "replace", "path": "/spec", "value": record["spec"]}]).to_string();
        lab.k(&["-n", &stage.tenant.namespace, "patch", "acceptance", "repo", "--type=json", "-p", &patch]);
    };
    replace(&old);
    agent.restart();
    stage.wait_held("ReviewMissing", &[&format!("commit {third} is not approved")]);
    agent.kill();
    let mut forged = lab.get(&stage.tenant.namespace, "acceptance/repo");
    forged["spec"]["record"]["revision"] = json!(format!("main@sha1:{third}"));
    replace(&forged);
    let _ = std::fs::remove_dir_all(agent.cache());
    agent.restart();
    lab.wait(&stage.tenant.namespace, "repository/repo", |object| match condition_of(object, "Ready") {
        Some(c) if c["message"].as_str().is_some_and(|m| m.contains("is not what this agent signed")) => Ok(()),
        _ => Err(format!("{:#}", object["status"])),
    });
    assert!(stage.tenant.writes(&third).is_empty());
    replace(&old);
    stage.approve(&stage.bob, &[]);
    stage.applied(&third, "3");
}

#[test]
fn the_profile_observe_applies_and_never_says_reviewed() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let first = stage.copy.push("1", &[("deploy/a.yaml", &value("1"))]);
    stage.follow(&json!({"profile": "Observe", "trustFirst": true}));
    stage.applied(&first, "1");
    let second = stage.push("2");
    let told = stage.applied(&second, "2");
    let ready = condition_of(&told, "Ready").expect("Ready")["message"].as_str().unwrap_or_default().to_owned();
    assert!(ready.contains("(unreviewed)"), "{ready}");
    let owners = stage.owners("");
    let third = stage.copy.push("3", &[(".tandem/owners.yaml", &owners), ("deploy/a.yaml", &value("3"))]);
    stage.applied(&third, "3");
    stage.accepted(&third);
    let fourth = stage.push("4");
    stage.applied(&fourth, "4");
    stage.accepted(&fourth);
    let status = stage.lab.wait(&stage.tenant.namespace, "repository/repo", |object| {
        let status = &object["status"]["reviewStatus"];
        if status["lastUnreviewed"] == json!(fourth) { Ok(()) } else { Err(format!("{status:#}")) }
    });
    let status = &status["status"];
    assert_eq!((&status["review"], &status["reviewStatus"]["trustedFirst"]), (&json!("Observed"), &json!(true)));
    assert!(status["reviewStatus"]["unreviewed"].as_u64().is_some_and(|count| count >= 3), "{status:#}");
    assert!(status["reviewStatus"]["settings"].as_str().is_some_and(|s| s.contains("is applied and recorded")));
    // From here on, the same commits are held.
    stage.lab.apply(&stage.repository(&json!({"profile": "Reviewed", "trustFirst": true})).to_string());
    stage.lab.wait(&stage.tenant.namespace, "repository/repo", |object| {
        if object["status"]["review"] == json!("Reviewed") { Ok(()) } else { Err(object["status"].to_string()) }
    });
    let fifth = stage.push("5");
    stage.wait_held("ReviewMissing", &[&fifth]);
    stage.approve(&stage.bob, &[]);
    stage.applied(&fifth, "5");

    for (review, words) in [
        (json!({"profile": "Reviewed"}), "one of since and trustFirst must say where review begins"),
        (json!({"profile": "Strict", "trustFirst": true}), "review.profile Strict needs verify"),
        (json!({"profile": "Lenient", "trustFirst": true}), "Unsupported value"),
    ] {
        let mut apply = stage.lab.kubectl();
        apply.args(["apply", "-f", "-"]);
        let told = crate::signing::try_piped(&mut apply, stage.repository(&review).to_string().as_bytes());
        assert!(told.expect_err("refused").contains(words), "{review}");
    }
    assert!(stage.keys.home().exists());
}

#[test]
fn a_standard_follows_a_rewrite_of_history_that_people_approved() {
    let (lab, _) = enforcement::shared();
    let stage = Stage::new(lab);
    let namespace = &stage.tenant.namespace;
    let named = json!([{"expression": "has(object.data) && has(object.data.owner)"}]);
    let spec = json!({"matchConstraints": enforcement::rules("", "configmaps", &["*"]), "validations": named});
    let policy = |action: &str| enforcement::policy("owned", &spec, &[action]);
    // What belongs to a Standard needs operations, and who rewrote history is not proven: so two of them.
    let owners = stage.owners("").replace("ops: [olga]", "ops: [olga, bob]");
    let files = [(".tandem/owners.yaml", owners.as_str()), ("policy/p.yaml", &policy("Deny"))];
    let first = stage.copy.push("1", &files);
    lab.apply(&stage.repository(&stage.since(&first)).to_string());
    let name = crate::lab::unique("reviewed");
    let standard = json!({"apiVersion": "tandemcd.io/v1alpha1", "kind": "Standard", "metadata": {"name": name}, "spec": {
        "repositoryRef": {"name": "repo", "namespace": namespace}, "path": "policy",
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}});
    lab.apply(&standard.to_string());
    let in_force = |commit: &str| {
        lab.wait("", &format!("standard/{name}"), |standard| {
            let ready = condition_of(standard, "Ready").is_some_and(|ready| ready["status"] == "True");
            let accepted = standard["status"]["acceptedRevision"].as_str().is_some_and(|of| of.ends_with(commit));
            if ready && accepted { Ok(()) } else { Err(format!("{:#}", standard["status"])) }
        });
    };
    in_force(&first);
    let second = stage.copy.push("2", &[("policy/p.yaml", &policy("Audit"))]);
    stage.approve(&stage.olga, &[]);
    in_force(&second);

    // Back to where it was: nobody follows before that is approved, and then the Standard does as well.
    stage.copy.git(&["push", "-q", "--force", "origin", &format!("{first}:refs/heads/main")]);
    let held = |what: &str, namespace: &str| {
        lab.wait(namespace, what, |object| match condition_of(object, "Held") {
            Some(held) if held["reason"] == "Rewound" => Ok(()),
            _ => Err(format!("{:#}", object["status"])),
        })
    };
    held("repository/repo", namespace);
    let told = held(&format!("standard/{name}"), "");
    assert!(told["status"]["acceptedRevision"].as_str().is_some_and(|of| of.ends_with(&second)), "{told:#}");
    stage.copy.git(&["reset", "-q", "--hard", &first]);
    for person in [&stage.bob, &stage.olga] {
        stage.approve(person, &[&first, "--base", &second]);
    }
    in_force(&first);
    lab.k(&["delete", "standard", &name]);
}

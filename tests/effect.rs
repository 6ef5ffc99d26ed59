//! `spec.review.plan`: what a revision does to the cluster is approved too, by the plan that its agent signed. Another plan is held,
//! and what becomes of it otherwise is told. Each attack has a twin that is applied.

use std::process::Output;

use serde_json::{Value, json};

use crate::lab::gate::{Gate, LastAnswer};
use crate::lab::manifests::{config, deployment};
use crate::lab::{Agent, Lab, both, condition_of, tandem, wait_for};
use crate::signing::{Keys, SshKey};
use crate::{plans, review};

/// The key that the agent signs plans with, as the status of a Repository under review tells it.
fn plan_key(lab: &Lab, namespace: &str, repository: &str) -> String {
    let mut key = String::new();
    lab.wait(namespace, &format!("repository/{repository}"), |object| {
        key = object["status"]["reviewStatus"]["planKey"].as_str().unwrap_or_default().to_owned();
        if key.starts_with("ssh-") { Ok(()) } else { Err(format!("{:#}", object["status"])) }
    });
    key
}

fn cluster(key: &str) -> String {
    format!("  clusters: [{{name: lab, key: '{key}'}}]\n")
}

/// Without a forge: people approve by notes, also plans, which the status of the Sync has.
struct Stage<'a> {
    stage: review::Stage<'a>,
    /// The commit before the owners file listed the agent.
    unlisted: String,
}

impl<'a> Stage<'a> {
    /// The folder `deploy` is under approval of its plan, the folder `other` is not.
    fn new(lab: &'a Lab) -> Self {
        Self::with(lab, "")
    }

    /// The same, with more in the owners file.
    fn with(lab: &'a Lab, more: &str) -> Self {
        let stage = review::Stage::new(lab);
        stage.copy.commit("other", &[("other/o.yaml", &config("o", "{v: '1'}"))]);
        let first = stage.first();
        let since = stage.since(&first);
        stage.follow(&since);
        stage.tenant.sync("other", "other", "");
        stage.applied(&first, "1");
        // The owners file lists the agent, and operations approve that.
        let key = plan_key(stage.lab, &stage.tenant.namespace, "repo");
        let listed = stage.copy.push("agent", &[(".tandem/owners.yaml", &(stage.owners("") + more + &cluster(&key)))]);
        stage.approve(&stage.olga, &[]);
        stage.accepted(&listed);
        let mut review = since;
        review["plan"] = json!({"paths": ["/deploy/"]});
        lab.apply(&stage.repository(&review).to_string());
        stage.lab.wait(&stage.tenant.namespace, "repository/repo", |object| {
            let settings = object["status"]["reviewStatus"]["settings"].as_str().unwrap_or_default();
            let told = settings.contains("the plan of what reads /deploy/ is approved too");
            if told { Ok(()) } else { Err(format!("{:#}", object["status"])) }
        });
        Self { stage, unlisted: first }
    }

    /// Held for want of an approved plan of this commit, of which something may be written: the plan, in a file.
    fn held_after(&self, reason: &str, commit: &str, words: &[&str]) -> tempfile::NamedTempFile {
        let first = format!("@sha1:{commit} is held: ");
        let words: Vec<&str> = words.iter().copied().chain([first.as_str(), "hint: tandem approve"]).collect();
        let held = self.stage.lab.wait(&self.stage.tenant.namespace, "sync/sync", |object| {
            let held = condition_of(object, "Held").filter(|held| held["reason"] == reason);
            let message = held.and_then(|held| held["message"].as_str()).unwrap_or_default();
            if words.iter().all(|word| message.contains(word)) {
                Ok(())
            } else {
                Err(format!("{:#}", object["status"]))
            }
        });
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), held["status"]["plan"].as_str().expect("a plan")).expect("writes");
        file
    }

    /// The same, and nothing of it was written.
    fn held(&self, reason: &str, commit: &str, words: &[&str]) -> tempfile::NamedTempFile {
        let plan = self.held_after(reason, commit, words);
        assert!(self.stage.tenant.writes(commit).is_empty());
        plan
    }

    /// Brings a value to the cluster as it should be: approved, and its plan as well.
    fn deploys(&self, text: &str) -> String {
        let commit = self.stage.push(text);
        self.stage.approve(&self.stage.bob, &[]);
        let plan = self.held("PlanMissing", &commit, &["nobody has approved its plan"]);
        assert!(self.approve_plan(&self.stage.bob, &plan, &[]).status.success());
        self.stage.applied(&commit, text);
        commit
    }

    fn approve_plan(&self, key: &SshKey, file: &tempfile::NamedTempFile, more: &[&str]) -> Output {
        let path = file.path().display().to_string();
        self.stage.say("approve", key, &[&["--yes", "--plan", &path][..], more].concat())
    }
}

#[test]
fn what_a_revision_does_is_approved_by_its_plan_and_another_plan_is_held() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let review = &stage.stage;
    let namespace = &review.tenant.namespace;

    // Who approves a plan knows the agent by the reviewed file of owners.
    let second = review.push("2");
    review.approve(&review.bob, &[]);
    let plan = stage.held("PlanMissing", &second, &["nobody has approved its plan sha256:"]);
    review.stays_healed("1");
    let told = stage.approve_plan(&review.bob, &plan, &["--base", &stage.unlisted]);
    assert!(!told.status.success() && both(&told).contains("lists no agent of the cluster lab"), "{}", both(&told));

    // Of another commit, of what was changed on the way, for another cluster; and by who made it.
    let told = stage.approve_plan(&review.bob, &plan, &[&stage.unlisted, "--base", "HEAD~1"]);
    let of = format!("it is of the commit {second} and not of {}", stage.unlisted);
    assert!(!told.status.success() && both(&told).contains(&of), "{}", both(&told));
    let told = stage.approve_plan(&review.bob, &plan, &["--cluster", "elsewhere"]);
    assert!(both(&told).contains("it is of the cluster lab and not of elsewhere"), "{}", both(&told));
    let forged = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(forged.path(), tampered(&std::fs::read_to_string(plan.path()).expect("reads"))).expect("writes");
    let told = stage.approve_plan(&review.bob, &forged, &[]);
    assert!(!told.status.success() && both(&told).contains("is not what the agent signed"), "{}", both(&told));
    let told = stage.approve_plan(&review.ada, &plan, &[]);
    assert!(told.status.success(), "{}", both(&told));
    // The honest one: it shows what would become of the cluster.
    let told = stage.approve_plan(&review.bob, &plan, &[]);
    let text = both(&told);
    assert!(told.status.success(), "{text}");
    for words in [
        "in the cluster lab, as its agent said at",
        "configured ConfigMap",
        "data.v",
        "-   data.v: \"1\"",
        "+   data.v: \"2\"",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    review.applied(&second, "2");
    review.stays_healed("2");
    let record = review.accepted(&second);
    let by: Vec<&Value> =
        record["spec"]["record"]["plans"].as_array().expect("plans").iter().map(|plan| &plan["by"]).collect();
    assert_eq!(by, ["bob"], "who made it approves no plan of it: {record:#}");

    // What no listed path is of needs none.
    let other = review.copy.push("other 2", &[("other/o.yaml", &config("o", "{v: '2'}"))]);
    review.approve(&review.bob, &[]);
    review.tenant.wait_applied("other", &other);
    assert_eq!(review.lab.get(namespace, "configmap/o")["data"]["v"], "2");
    review.lab.wait(namespace, "sync/sync", |object| match condition_of(object, "Held") {
        None => Ok(()),
        Some(held) => Err(held.to_string()),
    });

    // Between the approval and the apply the cluster became another one: what differs is told.
    let third =
        review.copy.push("3", &[("deploy/a.yaml", &review::value("3")), ("deploy/b.yaml", &config("b", "{v: x}"))]);
    review.approve(&review.bob, &[]);
    let plan = stage.held("PlanMissing", &third, &[]);
    review.lab.apply(&format!(
        "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: b, namespace: {namespace}}}, data: {{v: by hand}}}}"
    ));
    assert!(stage.approve_plan(&review.bob, &plan, &[]).status.success());
    let plan = stage.held(
        "PlanDiffers",
        &third,
        &["what it would do is not what bob approved", "b is changed, and approved was that it is created"],
    );
    assert!(stage.approve_plan(&review.bob, &plan, &[]).status.success());
    review.applied(&third, "3");

    // A plan that was approved once is none for a later commit that does the same.
    for text in ["2", "3"] {
        stage.deploys(text);
    }
    // Nor is one that was taken back before it was needed.
    let last = review.push("9");
    review.approve(&review.bob, &[]);
    let plan = stage.held("PlanMissing", &last, &[]);
    assert!(stage.approve_plan(&review.bob, &plan, &["--no-push"]).status.success());
    let taken = review.say("withdraw", &review.bob, &["--no-push"]);
    assert!(taken.status.success(), "{}", both(&taken));
    review.copy.git(&["push", "-q", "origin", "refs/notes/tandem/approvals/*"]);
    review.lab.wait(namespace, "acceptance/repo", |object| {
        let withdrawn = object["spec"]["record"]["withdrawn"].to_string();
        if withdrawn.contains(&last) { Ok(()) } else { Err(withdrawn) }
    });
    stage.held("PlanMissing", &last, &[]);
    let told = stage.approve_plan(&review.bob, &plan, &[]);
    assert!(told.status.success(), "{}", both(&told));
    review.applied(&last, "9");
}

/// The same block, with another value where the new one is shown.
fn tampered(block: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let letters: String = block.lines().filter(|line| !line.starts_with("-----")).collect();
    let json = String::from_utf8(STANDARD.decode(letters).expect("base64")).expect("text");
    let other = json.replace("\"desired\":\"2\"", "\"desired\":\"1.0.1\"");
    assert_ne!(json, other);
    format!("-----BEGIN TANDEM PLAN-----\n{}\n-----END TANDEM PLAN-----\n", STANDARD.encode(other))
}

#[test]
fn a_plan_that_was_approved_on_the_pull_request_is_that_of_its_merge() {
    let (lab, _) = plans::shared();
    let mut stage = plans::Stage::new(lab);
    for name in ["dana", "olga"] {
        stage.forge.person(name);
        let path = format!("repos/tandem/deploy/collaborators/{name}");
        stage.forge.ok("tandem", "PUT", &path, &json!({"permission": "write"}));
    }
    let namespace = stage.tenant.namespace.clone();
    let keys = Keys::new();
    let dana = keys.ssh("dana", &["-t", "ed25519"]);
    let (ids, host) = (stage.forge.ids.clone(), stage.forge.host());
    let person = |name: &str, more: &str| {
        let account = format!("{{forge: '{}', id: {}}}", host, ids[name]);
        format!("  - {{name: {name}, emails: [{name}@example.com], accounts: [{account}]{more}}}\n")
    };
    let people = person("ada", "") + &person("dana", &format!(", keys: ['{}']", dana.public)) + &person("olga", "");
    let owners = |clusters: &str| {
        format!(
            "apiVersion: tandemcd.io/v1alpha1\nkind: Owners\nmetadata: {{name: owners}}\nspec:\n  people:\n{people}  ops: [olga]\n{clusters}  rules:\n  - {{paths: [/deploy/], dev: [ada, dana]}}\n"
        )
    };
    // The agent tells its key wherever it follows something under review.
    stage.write(&[(".tandem/owners.yaml", &owners(""))], "owners");
    stage.push("tandem", "tandem", "main");
    let more = "interval: 1s, serviceAccountName: deployer, auth: {secretRef: {name: git}}, review: {trustFirst: true}";
    stage.tenant.repository_at("key", &stage.forge.url(), more);
    let listed = owners(&cluster(&plan_key(lab, &namespace, "key")));
    lab.k(&["-n", &namespace, "delete", "repository", "key"]);
    stage.write(&[(".tandem/owners.yaml", &listed)], "the agent");
    let since = stage.push("tandem", "tandem", "main");
    let begin = json!({"commit": since, "owners": tandem::revision::review::digest(listed.as_bytes())});
    let patch = json!({"spec": {"review": {"forge": true, "since": begin, "plan": {"paths": ["deploy"]}}}});
    lab.k(&["-n", &namespace, "patch", "repository", "repo", "--type=merge", "-p", &patch.to_string()]);
    stage.main.clone_from(&since);
    lab.wait(&namespace, "repository/repo", |object| {
        let accepted = object["status"]["reviewStatus"]["accepted"].as_str().unwrap_or_default();
        if accepted.ends_with(&since) { Ok(()) } else { Err(format!("{:#}", object["status"])) }
    });

    for (name, value, approves) in [("approved", "1", true), ("unapproved", "2", false)] {
        let (pull, head) =
            stage.propose("ada", "tandem", name, &[("deploy/a.yaml", &config("a", &format!("{{v: '{value}'}}")))]);
        let (_, body) = stage.told(pull, &head, &["1 to configure", "-----BEGIN TANDEM PLAN-----"]);
        if approves {
            approve(&stage, &dana, &head, &body);
        }
        let reviews = format!("repos/tandem/deploy/pulls/{pull}/reviews");
        stage.forge.ok("dana", "POST", &reviews, &json!({"event": "APPROVED", "body": "fine"}));
        wait_for("the merge", || {
            let path = format!("repos/tandem/deploy/pulls/{pull}/merge");
            let (status, answer) = stage.forge.ask("ada", "POST", &path, &json!({"Do": "merge"}));
            if status == 200 { Ok(()) } else { Err(format!("{status} {answer}")) }
        });
        stage.git(&["fetch", "-q", &stage.forge.remote("tandem", "tandem"), "main"]);
        let merged = stage.git(&["rev-parse", "FETCH_HEAD"]);
        if approves {
            stage.tenant.wait_applied("sync", &merged);
            assert_eq!(lab.get(&namespace, "configmap/a")["data"]["v"], value);
            stage.main = merged;
        } else {
            let held = stage.tenant.wait_message("sync", "Held", &[&merged, "nobody has approved its plan", "--plan"]);
            assert_eq!(condition_of(&held, "Held").expect("Held")["reason"], "PlanMissing");
            assert_eq!(lab.get(&namespace, "configmap/a")["data"]["v"], "1");
            // The pull request says so, and has what can be approved.
            let comments = || {
                let path = format!("repos/tandem/deploy/issues/{pull}/comments");
                let all = stage.forge.ok("tandem", "GET", &path, &Value::Null);
                let mine = all.as_array().expect("a list").iter().filter(|one| one["user"]["login"] == "agent");
                mine.filter_map(|one| one["body"].as_str().map(str::to_owned)).collect::<Vec<_>>()
            };
            let told = |words: &'static str| {
                wait_for(&format!("a comment with {words}"), || {
                    let all = comments();
                    assert!(all.len() <= 2, "one of the plan, one of the merge: {all:#?}");
                    all.iter().find(|body| body.contains(words)).cloned().ok_or_else(|| format!("{all:#?}"))
                })
            };
            let body = told("### Not deployed in <code>lab</code>");
            approve(&stage, &dana, &merged, &body);
            stage.tenant.wait_applied("sync", &merged);
            assert_eq!(lab.get(&namespace, "configmap/a")["data"]["v"], value);
            told("waits for the approval of its plan in <code>lab</code> any more");
        }
    }
}

/// Approves a commit with the plan that stands in a comment.
fn approve(stage: &plans::Stage<'_>, key: &SshKey, commit: &str, comment: &str) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), comment).expect("writes");
    let (remote, login) = (stage.forge.url(), stage.forge.remote("dana", "tandem"));
    if stage.git(&["remote"]).is_empty() {
        stage.git(&["config", "user.name", "Dana"]);
        stage.git(&["config", "user.email", "dana@example.com"]);
        stage.git(&["remote", "add", "origin", &remote]);
        stage.git(&["config", &format!("url.{login}.insteadOf"), &remote]);
    }
    let mut command = tandem();
    command.args(["approve", commit, "--ref", "refs/heads/main", "--yes", "--plan"]).arg(file.path());
    command.arg("--key").arg(&key.private).current_dir(stage.work.path());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{}", both(&output));
}

#[test]
fn a_status_that_is_written_by_hand_is_no_approval_of_a_plan() {
    let lab = Lab::start("effect");
    let mut agent = Agent::start_with(&lab, &["--lease-seconds", "3"]);
    let stage = Stage::new(&lab);
    let review = &stage.stage;
    let namespace = &review.tenant.namespace;
    let second = review.push("2");
    review.approve(&review.bob, &[]);
    stage.held("PlanMissing", &second, &[]);

    agent.kill();
    let revision = format!("main@sha1:{second}");
    let edited = json!({"status": {"acceptedRevision": revision, "appliedRevision": revision, "attemptedRevision": revision, "conditions": []}});
    let edited = edited.to_string();
    lab.k(&["-n", namespace, "patch", "sync", "sync", "--subresource=status", "--type=merge", "-p", &edited]);
    agent.restart();
    let plan = stage.held("PlanMissing", &second, &["nobody has approved its plan"]);
    assert_eq!(lab.get(namespace, "configmap/a")["data"]["v"], "1");
    assert!(stage.approve_plan(&review.bob, &plan, &[]).status.success());
    review.applied(&second, "2");

    // What was applied is known after a start, and healed without a word.
    agent.kill();
    agent.restart();
    agent.wait_ready();
    review.stays_healed("2");
    assert_eq!(agent.log().matches("its plan is approved").count(), 1, "{}", agent.log());
}

/// What is secret is not shown in a plan, so nothing else would tell that it became another one.
#[test]
fn a_plan_is_of_what_it_was_rendered_with() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let review = &stage.stage;
    let namespace = &review.tenant.namespace;
    let word = |text: &str| {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "word", "namespace": namespace}, "stringData": {"WORD": text}});
        review.lab.apply(&secret.to_string());
    };
    word("one");
    let any = json!({"spec": {"review": {"inputs": "Any"}}}).to_string();
    review.lab.k(&["-n", namespace, "patch", "repository", "repo", "--type=merge", "-p", &any]);
    review.tenant.sync("sync", "deploy", "substitute: {from: [{kind: Secret, name: word}]}");

    let held = "apiVersion: v1\nkind: Secret\nmetadata: {name: held}\nstringData: {word: '${WORD}'}\n";
    let second = review.copy.push("2", &[("deploy/held.yaml", held)]);
    review.approve(&review.bob, &[]);
    let plan = stage.held("PlanMissing", &second, &["nobody has approved its plan"]);
    word("two");
    let told = stage.approve_plan(&review.bob, &plan, &[]);
    let text = both(&told);
    assert!(told.status.success() && text.contains("rendered with ConfigMaps or Secrets of the cluster"), "{text}");
    assert!(!text.contains("one") || !text.contains("two"), "{text}");
    let plan = stage.held(
        "PlanDiffers",
        &second,
        &["it is rendered with other values of what no commit holds (spec.substitute.from names the Secret word)"],
    );
    assert!(review.lab.absent(namespace, "secret/held"));
    // The honest one: of what it is rendered with now.
    assert!(stage.approve_plan(&review.bob, &plan, &[]).status.success());
    let told = review.tenant.wait_applied("sync", &second);
    assert_eq!(review.lab.get(namespace, "secret/held")["data"]["word"], "dHdv");
    let inputs = told["status"]["history"][0]["inputs"].as_str().expect("a digest").to_owned();

    // At rest another value is another plan, and what was approved stays.
    word("three");
    let plan = stage.held_after(
        "PlanDiffers",
        &second,
        &["held is changed, and approved was that it is created", "rendered with other values of what no commit holds"],
    );
    assert_eq!(review.lab.get(namespace, "secret/held")["data"]["word"], "dHdv");
    assert!(stage.approve_plan(&review.bob, &plan, &[]).status.success());
    review.lab.wait(namespace, "secret/held", |object| match &object["data"]["word"] {
        word if word == "dGhyZWU=" => Ok(()),
        word => Err(word.to_string()),
    });
    let told = review.tenant.wait_applied("sync", &second);
    assert_ne!(told["status"]["history"][0]["inputs"], inputs);
}

/// Puts another value into every ConfigMap of a namespace that is really written, and leaves dry-runs alone.
fn two_faced(namespace: &str) -> String {
    format!(
        "
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {{name: two-faced-{namespace}}}
spec:
  reinvocationPolicy: Never
  matchConstraints:
    namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}
    resourceRules:
    - {{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}}
  matchConditions:
  - {{name: a, expression: \"request.name == 'a' && !(has(request.dryRun) && request.dryRun)\"}}
  mutations:
  - patchType: JSONPatch
    jsonPatch: {{expression: \"[JSONPatch{{op: 'replace', path: '/data/v', value: 'otherwise'}}]\"}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {{name: two-faced-{namespace}}}
spec: {{policyName: two-faced-{namespace}}}
"
    )
}

#[test]
fn what_was_applied_otherwise_than_approved_is_told() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let review = &stage.stage;
    let namespace = &review.tenant.namespace;
    // As approved, first.
    let second = review.push("2");
    review.approve(&review.bob, &[]);
    let plan = stage.held("PlanMissing", &second, &[]);
    assert!(stage.approve_plan(&review.bob, &plan, &[]).status.success());
    let told = review.applied(&second, "2");
    assert_eq!(told["status"]["history"][0]["reason"], "ReconciliationSucceeded", "{:#}", told["status"]);

    review.lab.apply(&two_faced(namespace));
    // Policies come into force some time after they are written.
    wait_for("the policy", || {
        let patch = json!({"data": {"v": "probe"}}).to_string();
        review.lab.k(&["-n", namespace, "patch", "configmap", "a", "--type=merge", "-p", &patch]);
        let seen = review.lab.get(namespace, "configmap/a")["data"]["v"].clone();
        if seen == "otherwise" { Ok(()) } else { Err(seen.to_string()) }
    });
    let third = review.push("3");
    review.approve(&review.bob, &[]);
    let plan = stage.held("PlanMissing", &third, &[]);
    assert!(stage.approve_plan(&review.bob, &plan, &[]).status.success());
    let words = ["a is not as the API server said in its dry-run", "data.v"];
    review.lab.wait_event(namespace, "AppliedDiffers", &words);
    review.lab.wait(namespace, "sync/sync", |object| {
        let runs = object["status"]["history"].as_array().cloned().unwrap_or_default();
        let told = runs.iter().any(|run| {
            run["reason"] == "AppliedDiffers" && run["revision"].as_str().is_some_and(|r| r.ends_with(&third))
        });
        if told { Ok(()) } else { Err(format!("{:#}", object["status"])) }
    });
    review.lab.k(&["delete", "mutatingadmissionpolicybinding", &format!("two-faced-{namespace}")]);
    review.lab.k(&["delete", "mutatingadmissionpolicy", &format!("two-faced-{namespace}")]);
}

#[test]
fn what_is_left_of_an_approved_plan_needs_no_second_approval_and_what_is_not_of_it_does() {
    let lab = Lab::start("rest");
    let gate = Gate::start(&lab);
    let mut agent = Agent::start_through(&lab, &gate.url, &["--lease-seconds", "3"]);
    let stage = Stage::new(&lab);
    let review = &stage.stage;
    let namespace = &review.tenant.namespace;
    let rows = [("2", false), ("3", true)];
    for (value, changed) in rows {
        let app = deployment(&format!("app-{value}"), "replicas: 0", "registry.example.com/app:1");
        let (config, path) = (review::value(value), format!("deploy/app-{value}.yaml"));
        let commit = review.copy.push(value, &[("deploy/a.yaml", &config), (&path, &app)]);
        review.approve(&review.bob, &[]);
        let plan = stage.held("PlanMissing", &commit, &[]);
        agent.kill();
        assert!(stage.approve_plan(&review.bob, &plan, &[]).status.success());
        // It ends in the middle: what configures is written, and what runs with it is not.
        let is_half = || {
            lab.get(namespace, "configmap/a")["data"]["v"] == value
                && lab.absent(namespace, &format!("deployment/app-{value}"))
        };
        let mut limit = 0;
        while !is_half() {
            limit += 1;
            assert!(limit < 30 && lab.absent(namespace, &format!("deployment/app-{value}")), "never in the middle");
            gate.limit(namespace, limit, LastAnswer::Comes);
            agent.restart();
            wait_for(&format!("{limit} writes"), || {
                let answered = gate.answered(namespace);
                if answered == limit { Ok(()) } else { Err(answered.to_string()) }
            });
            agent.kill();
        }
        if changed {
            let app = deployment(&format!("app-{value}"), "replicas: 0", "registry.example.com/app:by-hand");
            let name = format!("{{name: app-{value}");
            lab.apply(&app.replacen(&name, &format!("{name}, namespace: {namespace}"), 1));
        }
        gate.open();
        agent.restart();
        if changed {
            let words = format!("app-{value} is changed, and approved was that it is created");
            let plan = stage.held_after("PlanDiffers", &commit, &[&words]);
            assert!(stage.approve_plan(&review.bob, &plan, &[]).status.success());
        }
        review.applied(&commit, value);
        assert!(!lab.absent(namespace, &format!("deployment/app-{value}")));
    }
}

/// A line that pays for deletions is spent by the run that goes ahead, and not by one that is held for its plan.
#[test]
fn a_line_that_pays_for_deletions_pays_once_the_plan_is_approved() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let review = &stage.stage;
    let namespace = &review.tenant.namespace;
    review.tenant.sync("sync", "deploy", "deletionBudget: {maxCount: 10, maxPercent: 10}");
    let many: String = (0..12).map(|number| config(&format!("gone{number}"), "{a: b}")).collect();
    let brings = |message: &str, text: &str| {
        let commit = review.copy.push(message, &[("deploy/many.yaml", text)]);
        review.approve(&review.bob, &[]);
        let plan = stage.held("PlanMissing", &commit, &[]);
        let paid = review.lab.get(namespace, "sync/sync")["status"]["deletionsPaid"].clone();
        assert!(paid.is_null(), "nothing goes yet: {paid}");
        assert!(stage.approve_plan(&review.bob, &plan, &[]).status.success());
        let told = review.applied(&commit, "1");
        (commit, told["status"]["deletionsPaid"].to_string())
    };
    let (_, paid) = brings("many", &many);
    assert_eq!(paid, "null");
    let line = format!("Tandem-Delete: lab/{namespace}/sync 12");
    let (commit, paid) = brings(&format!("they go\n\n{line}"), "# nothing\n");
    assert!(paid.contains(&format!("{commit} 12")), "{paid}");
    assert!(review.lab.absent(namespace, "configmap/gone0"));
}

#[test]
fn break_glass_needs_no_approved_plan_and_what_comes_after_it_does() {
    let stage = Stage::with(Lab::shared(), "  breakGlass: {people: [ada], lasts: 1h}\n");
    let _agent = Lab::shared_agent();
    let review = &stage.stage;
    let ahead = review.copy.push("2\n\nBreak-Glass: it burns", &[("deploy/a.yaml", &review::value("2"))]);
    review.applied(&ahead, "2");
    review.tenant.wait_message("sync", "Ready", &["(not reviewed: break glass)"]);
    stage.deploys("3");
}

#[test]
fn at_rest_nobody_is_asked_about_plans() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let review = &stage.stage;
    let namespace = &review.tenant.namespace;
    stage.deploys("2");
    let record = || review.lab.get(namespace, "sync/sync")["status"]["history"].clone();
    let (before, requests) = (record(), asked_in(review.lab, namespace));
    // Ten commits that touch nothing of it: each is looked at.
    for number in 0..10 {
        let other = review.copy.push("other", &[("elsewhere/x", &number.to_string())]);
        review.approve(&review.olga, &[]);
        review.accepted(&other);
    }
    assert_eq!(record(), before, "nothing ran");
    let more: Vec<Value> = asked_in(review.lab, namespace).split_off(requests.len());
    assert!(more.is_empty(), "{more:#?}");
}

/// What was asked as a Sync's account about ConfigMaps of a namespace, watches left out.
fn asked_in(lab: &Lab, namespace: &str) -> Vec<Value> {
    lab.audit(namespace, |event| {
        event["objectRef"]["namespace"] == namespace
            && event["objectRef"]["resource"] == "configmaps"
            && event["verb"] != "watch"
            && event["impersonatedUser"]["username"].is_string()
    })
}

#[test]
fn what_another_spec_makes_of_the_same_commit_is_approved_too() {
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let review = &stage.stage;
    let namespace = &review.tenant.namespace;
    let second = stage.deploys("${V:=2}");

    // What makes no other objects needs nobody.
    let patch = |spec: Value| {
        let patch = json!({"spec": spec}).to_string();
        review.lab.k(&["-n", namespace, "patch", "sync", "sync", "--type=merge", "-p", &patch]);
        let generation = review.lab.get(namespace, "sync/sync")["metadata"]["generation"].clone();
        review.lab.wait(namespace, "sync/sync", |object| {
            if object["status"]["observedGeneration"] == generation {
                Ok(())
            } else {
                Err(format!("{:#}", object["status"]))
            }
        });
    };
    patch(json!({"timeout": "7m"}));
    review.stays_healed("${V:=2}");
    let held = |sync: &Value| condition_of(sync, "Held").cloned();
    assert_eq!(held(&review.lab.get(namespace, "sync/sync")), None);

    patch(json!({"substitute": {"vars": {"V": "3"}}}));
    let plan = stage.held_after("PlanDiffers", &second, &["what it would do is not what bob approved"]);
    assert_eq!(review.lab.get(namespace, "configmap/a")["data"]["v"], "${V:=2}");
    assert!(stage.approve_plan(&review.bob, &plan, &[]).status.success());
    review.lab.wait(namespace, "configmap/a", |object| match object["data"]["v"].as_str() {
        Some("3") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    review.applied(&second, "3");
    review.stays_healed("3");
}

//! The plan on a pull request: on a real forge, of a real cluster, with what the shipped policy lets its account do.

mod kinds;

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::enforcement::stage::{policy, rules};
use crate::forge::People;
use crate::git_remote::{Served, commit, git};
use crate::lab::manifests::config;
use crate::lab::{Agent, Lab, Tenant, both, root, wait_for};
use crate::sops::program::{AgeKey, encrypt};

const REPOSITORY: &str = People::REPOSITORY;
const CONTEXT: &str = "tandem/lab/plan";
const LABEL: &str = "ok-to-plan";
/// Stands in live objects, and must stand in no comment.
const CANARY: &str = "canary-in-the-cluster";

/// A control plane with the shipped policy, and an agent.
pub fn shared() -> &'static (Lab, Agent) {
    static SHARED: OnceLock<(Lab, Agent)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let lab = Lab::for_many("plans");
        let agent = Agent::start(&lab);
        lab.apply(&std::fs::read_to_string(root().join("manifests/plan.yaml")).expect("plan.yaml"));
        (lab, agent)
    })
}

/// What operations give a namespace whose pull requests are planned, as the documentation has it.
fn account(namespace: &str) -> String {
    format!(
        "---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: tandem-plan, namespace: {namespace}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: tandem-plan, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: tandem-plan}}
subjects: [{{kind: ServiceAccount, name: tandem-plan, namespace: {namespace}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: tandem-as-plan, namespace: {namespace}}}
rules:
- {{apiGroups: [''], resources: [serviceaccounts], resourceNames: [tandem-plan], verbs: [impersonate]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: tandem-as-plan, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: tandem-as-plan}}
subjects: [{{kind: ServiceAccount, name: tandem, namespace: tandem-system}}]
"
    )
}

/// Gitea with the repository `tandem/deploy`, a tenant that deploys the folder `deploy` of it, and people.
pub struct Stage<'a> {
    pub lab: &'a Lab,
    pub tenant: Tenant<'a>,
    pub forge: People,
    pub work: TempDir,
    pub main: String,
}

impl<'a> Stage<'a> {
    pub fn new(lab: &'a Lab) -> Self {
        let forge = People::new(&[("ada", "write"), ("eve", "read"), ("agent", "admin")]);
        let work = TempDir::new().expect("folder");
        let mut stage = Self { lab, tenant: Tenant::new(lab), forge, work, main: String::new() };
        stage.git(&["init", "-q", "-b", "main"]);
        stage.write(&[("deploy/a.yaml", &config("a", "{v: '0'}"))], "0");
        stage.push("tandem", "tandem", "main");
        stage.main = stage.git(&["rev-parse", "HEAD"]);
        let token = stage.forge.token(&["write:repository", "write:issue", "read:user"]);
        let namespace = &stage.tenant.namespace;
        lab.apply(&(account(namespace) + &stage.forge.secrets(namespace, &token)));
        let more = format!(
            "interval: 1s, serviceAccountName: deployer, auth: {{secretRef: {{name: git}}}}, forge: {{type: Gitea, secretRef: {{name: forge}}}}, \
             publish: {{plan: {{serviceAccountName: tandem-plan, label: {LABEL}, interval: 1s}}}}"
        );
        stage.tenant.repository_at("repo", &stage.forge.url(), &more);
        stage.tenant.sync("sync", "deploy", "");
        stage.tenant.wait_applied("sync", &stage.main);
        stage
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        git(self.work.path(), arguments)
    }

    pub fn write(&self, files: &[(&str, &str)], message: &str) {
        commit(self.work.path(), message, files);
    }

    /// Pushes what is checked out as a person, to a branch of the repository `<owner>/deploy`.
    pub fn push(&self, who: &str, owner: &str, branch: &str) -> String {
        self.git(&["push", "-q", &self.forge.remote(who, owner), &format!("+HEAD:refs/heads/{branch}")]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// A branch from the main one with files, pushed and proposed; its number and head.
    pub fn propose(&self, who: &str, owner: &str, branch: &str, files: &[(&str, &str)]) -> (u64, String) {
        self.git(&["checkout", "-q", "-B", branch, &self.main]);
        self.write(files, branch);
        let head = self.push(who, owner, branch);
        let from = if owner == "tandem" { branch.to_owned() } else { format!("{owner}:{branch}") };
        (self.forge.propose(who, &from, "main"), head)
    }

    fn comments(&self, pull: u64) -> Vec<Value> {
        let all = self.forge.ok("tandem", "GET", &format!("{REPOSITORY}/issues/{pull}/comments"), &Value::Null);
        all.as_array().expect("a list").clone()
    }

    /// Waits until the one comment of the agent speaks of this head and has all of these words; its number and text.
    pub fn told(&self, pull: u64, head: &str, words: &[&str]) -> (u64, String) {
        wait_for(&format!("a comment with {words:?}"), || {
            let all = self.comments(pull);
            let mine: Vec<_> = all.iter().filter(|one| one["user"]["login"] == "agent").collect();
            assert!(mine.len() <= 1, "one comment: {mine:#?}");
            let Some(one) = mine.first() else { return Err(format!("none in {all:#?}")) };
            let body = one["body"].as_str().expect("a text");
            assert!(!body.contains(CANARY), "{body}");
            if body.contains(head) && words.iter().all(|word| body.contains(word)) {
                Ok((one["id"].as_u64().expect("a number"), body.to_owned()))
            } else {
                Err(body.to_owned())
            }
        })
    }

    /// Eve has a fork, and the repository the label; its number.
    fn forked(&self) -> u64 {
        self.forge.ok("eve", "POST", &format!("{REPOSITORY}/forks"), &json!({"name": "deploy"}));
        let label = json!({"name": LABEL, "color": "#00aabb"});
        let label = self.forge.ok("tandem", "POST", &format!("{REPOSITORY}/labels"), &label);
        label["id"].as_u64().expect("a number")
    }

    /// Ada, who may write, gives a pull request the label, until the comment speaks of this head with all of these words.
    fn labelled(&self, pull: u64, label: u64, head: &str, words: &[&str]) {
        wait_for("the label to count", || {
            // Times of the forge are whole seconds, so the label may have come in that of the comment.
            self.forge.ok("ada", "DELETE", &format!("{REPOSITORY}/issues/{pull}/labels"), &Value::Null);
            self.forge.ok("ada", "POST", &format!("{REPOSITORY}/issues/{pull}/labels"), &json!({"labels": [label]}));
            let deadline = std::time::Instant::now() + std::time::Duration::from_secs(4);
            loop {
                let all = self.comments(pull);
                let body = all.iter().find(|one| one["user"]["login"] == "agent").and_then(|one| one["body"].as_str());
                let body = body.unwrap_or_default().to_owned();
                assert!(!body.contains(CANARY), "{body}");
                if body.contains(head) && words.iter().all(|word| body.contains(word)) {
                    return Ok(());
                }
                if std::time::Instant::now() > deadline {
                    return Err(body);
                }
                std::thread::park_timeout(std::time::Duration::from_millis(200));
            }
        });
    }

    /// Waits until the head has this status.
    fn status(&self, head: &str, state: &str, words: &str) {
        wait_for(&format!("the status {state} with {words}"), || {
            let path = format!("{REPOSITORY}/commits/{head}/statuses?limit=50");
            let all = self.forge.ok("tandem", "GET", &path, &Value::Null);
            let mut mine: Vec<_> =
                all.as_array().expect("a list").iter().filter(|one| one["context"] == CONTEXT).cloned().collect();
            mine.sort_by_key(|one| one["id"].as_u64());
            let newest = mine.last().ok_or_else(|| format!("{all}"))?;
            let says = newest["description"].as_str().is_some_and(|text| text.contains(words));
            if newest["status"] == state && says { Ok(()) } else { Err(newest.to_string()) }
        });
    }

    /// What the plan account of this namespace asked the API server for, as `verb resource/name dry?`.
    fn asked(&self, word: &str) -> Vec<(String, String, bool)> {
        let user = format!("system:serviceaccount:{}:tandem-plan", self.tenant.namespace);
        let all = self.lab.audit(word, |event| event["impersonatedUser"]["username"] == user.as_str());
        let read = |event: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let dry = text(&event["requestURI"]).contains("dryRun=All");
            let object = &event["objectRef"];
            (text(&event["verb"]), format!("{}/{}", text(&object["resource"]), text(&object["name"])), dry)
        };
        all.iter().map(read).collect()
    }
}

#[test]
fn a_pull_request_shows_what_its_merge_would_change_and_nothing_is_written_for_it() {
    let (lab, agent) = shared();
    let stage = Stage::new(lab);
    let namespace = stage.tenant.namespace.clone();
    let secret =
        format!("---\n{{apiVersion: v1, kind: Secret, metadata: {{name: s}}, stringData: {{password: {CANARY}}}}}\n");
    let files =
        [("deploy/a.yaml", &*config("a", "{v: '1'}")), ("deploy/b.yaml", &*(config("b", "{v: new}") + &secret))];
    let (pull, first) = stage.propose("ada", "tandem", "feature", &files);
    let words = [
        "2 to create, 1 to configure.",
        "configured <code>ConfigMap",
        "-   data.v: &#34;0",
        "created <code>ConfigMap",
        "Secrets are not read here",
        "password: &#34;***",
    ];
    let (id, _) = stage.told(pull, &first, &words);
    stage.status(&first, "success", "2 to create, 1 to configure");
    let asked = stage.asked(&first);
    assert!(asked.iter().any(|(verb, what, dry)| verb == "patch" && what == "configmaps/a" && *dry), "{asked:?}");
    assert!(lab.absent(&namespace, "configmap/b"), "nothing was written");

    // What the API server refuses is told, in the same comment; then what mends it.
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 99999}]}\n";
    stage.write(&[("deploy/c.yaml", service)], "a port that is none");
    let second = stage.push("ada", "tandem", "feature");
    let refused = ["1 refused", "**Refused**", "<code>deploy/c.yaml&#58;1</code>", "Service/", "<code>Invalid</code>"];
    assert_eq!(stage.told(pull, &second, &refused).0, id, "it is one comment");
    stage.status(&second, "failure", "1 refused");
    stage.write(&[("deploy/c.yaml", &service.replace("99999", "80"))], "a port");
    let third = stage.push("ada", "tandem", "feature");
    assert_eq!(stage.told(pull, &third, &["3 to create, 1 to configure."]).0, id);
    stage.status(&third, "success", "3 to create");

    // A second one that touches nothing of it is told that, and one that does not merge too.
    let (other, head) = stage.propose("ada", "tandem", "elsewhere", &[("docs/a.md", "words")]);
    stage.told(other, &head, &["changes nothing that a Sync of this cluster reads"]);
    // Where no value is withheld, what looks like a variable is a text, and compared like any other.
    let text = config("a", "{v: '${RIVAL}'}");
    let (rival, at_odds) = stage.propose("ada", "tandem", "rival", &[("deploy/a.yaml", &text)]);
    let (_, body) = stage.told(rival, &at_odds, &["1 to configure", "data.v", "${RIVAL}"]);
    assert!(!body.contains("not known here"), "{body}");

    // Merged, it is deployed, and nothing more is told of it; the other one is at odds with it now.
    wait_for("the merge", || {
        let (status, answer) =
            stage.forge.ask("ada", "POST", &format!("{REPOSITORY}/pulls/{pull}/merge"), &json!({"Do": "merge"}));
        if status == 200 { Ok(()) } else { Err(format!("{status} {answer}")) }
    });
    stage.git(&["fetch", "-q", &stage.forge.remote("tandem", "tandem"), "main"]);
    let merged = stage.git(&["rev-parse", "FETCH_HEAD"]);
    let before = stage.comments(pull);
    stage.tenant.wait_applied("sync", &merged);
    stage.told(rival, &at_odds, &["does not merge"]);
    stage.status(&at_odds, "failure", "conflicts");
    assert_eq!(stage.comments(pull), before, "nothing more");

    let asked = stage.asked("tandem-plan");
    let writes = asked.iter().filter(|(verb, ..)| !matches!(verb.as_str(), "get" | "list" | "watch"));
    assert!(writes.clone().count() > 3 && writes.clone().all(|(.., dry)| *dry), "dry-runs alone: {asked:?}");
    assert!(asked.iter().all(|(_, what, _)| !what.starts_with("secrets/")), "no Secret: {asked:?}");
    assert!(!agent.log().contains(&stage.forge.password("agent")));
}

#[test]
fn a_fork_is_told_what_its_files_say_and_one_head_of_it_is_planned_with_a_label() {
    let (lab, _) = shared();
    let stage = Stage::new(lab);
    let namespace = stage.tenant.namespace.clone();
    lab.apply(&format!(
        "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: private, namespace: {namespace}}}, data: {{v: {CANARY}}}}}"
    ));
    let label = stage.forked();
    // It would take over what is there, and show what it was.
    let files = [("deploy/p.yaml", &*config("private", "{v: mine}"))];
    let (pull, first) = stage.propose("eve", "eve", "theirs", &files);
    let apart = ["It comes from a fork, so the cluster was not asked", "2 objects are in it", LABEL];
    let (id, _) = stage.told(pull, &first, &apart);
    stage.status(&first, "success", "");
    assert!(stage.asked(&first).is_empty(), "the cluster was not asked");

    // What is wrong in the files themselves is told.
    stage.write(
        &[("deploy/q.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: q}\nspec: {replicas: many}\n")],
        "no number",
    );
    let second = stage.push("eve", "eve", "theirs");
    stage.told(pull, &second, &["**Refused**", "deploy/q.yaml", "It comes from a fork"]);
    stage.status(&second, "failure", "refused");
    assert!(stage.asked(&second).is_empty());

    // Somebody who may write labels what was told: this head is planned, and no value of what is not the Sync's is shown.
    stage.git(&["checkout", "-q", "theirs"]);
    stage.write(&[("deploy/q.yaml", &config("q", "{v: q}"))], "mended");
    let third = stage.push("eve", "eve", "theirs");
    stage.told(pull, &third, &apart[..1]);
    stage.labelled(pull, label, &third, &["1 to create, 1 to configure", "ConfigMap/"]);
    assert!(!stage.asked(&third).is_empty(), "the cluster was asked");
    assert_eq!(stage.told(pull, &third, &["-   data.v: &#34;***&#34;"]).0, id);

    // Another head of the same fork has the label still, and is not planned.
    stage.write(&[("deploy/r.yaml", &config("r", "{v: r}"))], "after the label");
    let fourth = stage.push("eve", "eve", "theirs");
    stage.told(pull, &fourth, &["It comes from a fork, so the cluster was not asked", "4 objects are in it"]);
    assert!(stage.asked(&fourth).is_empty(), "a label is for one head");
}

#[test]
fn what_stands_in_a_pull_request_is_no_more_than_words_on_the_forge() {
    let (lab, _) = shared();
    let stage = Stage::new(lab);
    let evil = "@eve closes #1 <img src=x onerror=alert(1)> [a](http://evil.example) www.evil.example http://evil.example ![b](http://evil.example/b.png) ``` </pre></details><h1>approved</h1>";
    let data = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "evil", "annotations": {"a.example/b": evil}},
        "data": {"text": format!("a\n\n{evil}\n\n# title\n/close\n"), "one": evil}});
    let broken = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: 'no {evil}'}}\n").replace("''", "'");
    let files = [("deploy/evil.yaml", &*data.to_string()), ("deploy/@eve #1.yaml", &*broken)];
    let (pull, head) = stage.propose("ada", "tandem", "evil", &files);
    let (_, body) = stage.told(pull, &head, &["**Refused**"]);
    let html = |text: &str| {
        let wanted = json!({"Text": text, "Mode": "comment", "Context": "tandem/deploy"});
        let password = STANDARD.encode(format!("tandem:{}", stage.forge.server.get("password")));
        raw(&stage.forge.server, &format!("Basic {password}"), "/api/v1/markdown", &wanted)
    };
    let shown = html(&body);
    for mark in ["<a ", "<img", "<h1", "@eve</a>", "onerror=\""] {
        assert!(!shown.contains(mark), "{mark} in {shown}");
    }
    assert!(shown.contains("evil.example") && shown.contains("<pre>"), "it is shown as words: {shown}");
    // The same words as they are would be more.
    let honest = html(evil);
    assert!(honest.contains("<a ") && honest.contains("<img") && honest.contains("@eve</a>"), "{honest}");
}

/// One request whose answer is no JSON.
fn raw(server: &Served, authorization: &str, path: &str, body: &Value) -> String {
    use std::io::{Read, Write};
    let (address, body) = (format!("127.0.0.1:{}", server.get("port")), body.to_string());
    let mut stream = std::net::TcpStream::connect(&address).expect("the forge listens");
    let request = format!(
        "POST {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: {authorization}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answers");
    assert!(answer.contains(" 200 "), "{answer}");
    answer
}

#[test]
fn a_standard_and_a_webhook_have_their_say() {
    let (lab, agent) = shared();
    let stage = Stage::new(lab);
    let namespace = &stage.tenant.namespace;
    // Only the forge's word is news: the next poll is far.
    let key = "a key that both sides know";
    lab.apply(&format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: hook, namespace: {namespace}}}, stringData: {{token: {key}}}}}"
    ));
    let patch = json!({"spec": {"webhook": {"secretRef": {"name": "hook"}}, "publish": {"plan": {"interval": "1h"}}}});
    lab.k(&["-n", namespace, "patch", "repository", "repo", "--type=merge", "-p", &patch.to_string()]);
    let path = lab.wait(namespace, "repository/repo", |object| match object["status"]["webhookPath"].as_str() {
        Some(_) => Ok(()),
        None => Err(object["status"].to_string()),
    });
    let path = path["status"]["webhookPath"].as_str().expect("a path").to_owned();
    let target = json!({"url": format!("http://{}{path}", agent.address()), "content_type": "json", "secret": key});
    let events = ["pull_request", "pull_request_sync", "pull_request_label"];
    let hook = json!({"type": "gitea", "events": events, "active": true, "config": target});
    stage.forge.ok("tandem", "POST", &format!("{REPOSITORY}/hooks"), &hook);

    let ops = crate::lab::Repo::new();
    let validations = json!([{"expression": "has(object.data) && has(object.data.owner)",
        "messageExpression": "object.metadata.name + ' names no owner'"}]);
    let spec = json!({"matchConstraints": rules("", "configmaps", &["CREATE", "UPDATE"]), "validations": validations});
    ops.write("policy/p.yaml", &policy("owned", &spec, &["Deny"]));
    let commit = ops.push("policies");
    stage.tenant.repository("ops", &ops);
    let name = crate::lab::unique("standard");
    let standard = json!({"apiVersion": "tandemcd.io/v1alpha1", "kind": "Standard", "metadata": {"name": name},
        "spec": {"repositoryRef": {"name": "ops", "namespace": namespace}, "path": "policy",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}});
    lab.apply(&standard.to_string());
    lab.wait("", &format!("standard/{name}"), |standard| match standard["status"]["acceptedRevision"].as_str() {
        Some(revision) if revision.ends_with(&commit) => Ok(()),
        _ => Err(standard["status"].to_string()),
    });

    let (pull, first) = stage.propose("ada", "tandem", "feature", &[("deploy/b.yaml", &config("b", "{v: '1'}"))]);
    let (id, _) = stage.told(pull, &first, &["**Held by a Standard**", "b names no owner", "<code>deploy/b.yaml&#58;"]);
    stage.status(&first, "failure", "against a Standard");
    let owned =
        [("deploy/a.yaml", &*config("a", "{v: '0', owner: shop}")), ("deploy/b.yaml", &*config("b", "{owner: shop}"))];
    stage.write(&owned, "with owners");
    let second = stage.push("ada", "tandem", "feature");
    let (again, body) = stage.told(pull, &second, &["1 to create, 1 to configure."]);
    assert!(again == id && !body.contains("Held by a Standard"), "{body}");
    stage.status(&second, "success", "1 to create");
}

#[test]
fn what_moves_between_syncs_is_not_deleted_and_a_restart_says_nothing_twice() {
    let lab = Lab::start("plans");
    let mut agent = Agent::start(&lab);
    lab.apply(&std::fs::read_to_string(root().join("manifests/plan.yaml")).expect("plan.yaml"));
    let mut stage = Stage::new(&lab);
    stage.write(&[("other/x.yaml", &config("x", "{v: '0'}")), ("deploy/k.yaml", &config("k", "{v: '0'}"))], "both");
    stage.main = stage.push("tandem", "tandem", "main");
    stage.tenant.sync("other", "other", "");
    stage.tenant.wait_applied("sync", &stage.main);
    stage.tenant.wait_applied("other", &stage.main);

    stage.git(&["mv", "deploy/a.yaml", "other/a.yaml"]);
    let (pull, head) = stage.propose("ada", "tandem", "move", &[("other/w.yaml", &config("w", "{v: '1'}"))]);
    let (_, body) = stage.told(pull, &head, &["<code>TakenOver", "1 to create, 1 to configure"]);
    assert!(!body.contains("to delete"), "{body}");
    stage.status(&head, "success", "1 to create");
    // What leaves for good is deleted.
    let namespace = stage.tenant.namespace.clone();
    stage.git(&["checkout", "-q", &stage.main]);
    stage.git(&["rm", "-q", "deploy/k.yaml"]);
    let (gone, left) = stage.propose("ada", "tandem", "leave", &[("deploy/z.yaml", &config("z", "{v: '1'}"))]);
    stage.told(gone, &left, &["1 to create, 1 to delete", &format!("deleted <code>ConfigMap/{namespace}/k</code>")]);

    let statuses =
        |head: &str| stage.forge.ok("tandem", "GET", &format!("{REPOSITORY}/commits/{head}/statuses"), &Value::Null);
    let shown = || (stage.comments(pull), stage.comments(gone), statuses(&head), statuses(&left));
    stage.status(&left, "success", "1 to delete");
    let before = shown();
    let planned = |agent: &Agent| agent.log().lines().filter(|line| line.contains("\"planned\"")).count();
    let so_far = planned(&agent);
    agent.kill();
    agent.restart();
    wait_for("both to be planned once more", || {
        let now = planned(&agent);
        if now >= so_far + 2 { Ok(()) } else { Err(format!("{so_far} and then {now}")) }
    });
    // One that is planned after these shows that they are done with.
    let (third, head_of_third) = stage.propose("ada", "tandem", "third", &[("docs/a.md", "words")]);
    stage.told(third, &head_of_third, &["changes nothing"]);
    assert_eq!(shown(), before, "nothing changed, and nothing was told");
}

#[test]
fn what_is_secret_is_not_known_where_pull_requests_are_planned() {
    let (lab, _) = shared();
    let stage = Stage::new(lab);
    let namespace = &stage.tenant.namespace;
    lab.apply(&format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: vars, namespace: {namespace}}}, stringData: {{PASSWORD: {CANARY}}}}}"
    ));
    stage.tenant.sync("sync", "deploy", "substitute:\n  from: [{kind: Secret, name: vars}]");
    let sealed = std::fs::read_to_string(root().join("tests/cases/sops/config.yaml")).expect("a sealed file");
    let files = [
        ("deploy/a.yaml", &*config("a", "{v: '1'}")),
        ("deploy/v.yaml", &*config("v", "{v: 'x-${PASSWORD}'}")),
        ("deploy/s.yaml", &*sealed),
    ];
    let (pull, head) = stage.propose("ada", "tandem", "secrets", &files);
    let words = [
        "2 to create, 1 to configure.",
        "spec.substitute.from names the Secret vars, which is not known here",
        "a variable in it has a value that is not known here",
        "it holds what is encrypted in the repository",
        // What was there may have come from a Secret.
        "-   data.v: &#34;***&#34;",
        "+   data.v: &#34;1&#34;",
    ];
    let (_, body) = stage.told(pull, &head, &words);
    assert!(!body.contains("ENC["), "{body}");
    stage.status(&head, "success", "2 to create");
    let asked = stage.asked(&head);
    let dry: Vec<_> = asked.iter().filter(|(verb, ..)| verb == "patch").map(|(_, what, _)| what.as_str()).collect();
    assert_eq!(dry, ["configmaps/a"], "what is not known is not asked about: {asked:?}");
}

#[test]
fn a_fork_learns_no_secret_neither_without_a_label_nor_with_one() {
    let (lab, agent) = shared();
    let stage = Stage::new(lab);
    let namespace = stage.tenant.namespace.as_str();
    let key = AgeKey::generate();
    let private = key.private.replace('\n', "\n    ");
    lab.apply(&format!(
        "---\n{{apiVersion: v1, kind: Secret, metadata: {{name: vars, namespace: {namespace}}}, stringData: {{PASSWORD: {CANARY}}}}}\n\
         ---\napiVersion: v1\nkind: Secret\nmetadata: {{name: keys, namespace: {namespace}}}\nstringData:\n  age.agekey: |\n    {private}\n"
    ));
    let more = "substitute: {from: [{kind: Secret, name: vars}]}\ndecryption: {secretRef: {name: keys}}";
    stage.tenant.sync("sync", "deploy", more);
    let label = stage.forked();
    let plain =
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: sealed}}\nstringData: {{token: {CANARY}-sealed}}\n");
    let sealed = encrypt("s.yaml", &plain, &["--age", &key.public, "--encrypted-regex", "^stringData$"]);
    // Where a value goes that everybody may read, once it is known.
    let open = config("open", "{v: 'x-${PASSWORD}'}")
        .replace("name: open", "name: open, annotations: {a.example/b: '${PASSWORD}'}");
    let files = [("deploy/a.yaml", &*config("a", "{v: '1'}")), ("deploy/s.yaml", &*sealed), ("deploy/v.yaml", &*open)];
    let (pull, head) = stage.propose("eve", "eve", "curious", &files);
    // That neither comments nor statuses, nor what the agent writes of itself, has a value; and nobody read a Secret for it.
    let nothing_told = || {
        let encoded = STANDARD.encode(CANARY);
        let statuses =
            stage.forge.ok("tandem", "GET", &format!("{REPOSITORY}/commits/{head}/statuses?limit=50"), &Value::Null);
        let comments = json!(stage.comments(pull));
        let own = lab.k(&["-n", namespace, "get", "syncs,repositories,events", "-o", "json"]);
        for told in [statuses.to_string(), comments.to_string(), own, agent.log()] {
            assert!(!told.contains(CANARY) && !told.contains(encoded.trim_end_matches('=')), "{told}");
        }
        let account = format!("system:serviceaccount:{namespace}:tandem-plan");
        let read = lab.audit("secrets", |event| {
            let of =
                |name: &str| event["objectRef"]["resource"] == name && event["objectRef"]["namespace"] == namespace;
            let for_it = event["impersonatedUser"]["username"] == account.as_str()
                || event["userAgent"].as_str().is_some_and(|agent| agent.contains(&head));
            of("secrets") && for_it
        });
        assert!(read.is_empty(), "{read:#?}");
    };
    stage.told(pull, &head, &["It comes from a fork, so the cluster was not asked", "3 objects are in it"]);
    stage.status(&head, "success", "");
    assert!(stage.asked(&head).is_empty());
    nothing_told();
    let planned =
        ["2 to create, 1 to configure", "names the Secret vars, which is not known here", "created <code>Secret"];
    stage.labelled(pull, label, &head, &planned);
    let asked = stage.asked(&head);
    assert!(asked.iter().any(|(_, what, _)| what == "configmaps/a"), "the cluster was asked: {asked:?}");
    nothing_told();

    // Merged, the same files have their values, which the account of the Sync reads.
    wait_for("the merge", || {
        let (status, answer) =
            stage.forge.ask("ada", "POST", &format!("{REPOSITORY}/pulls/{pull}/merge"), &json!({"Do": "merge"}));
        if status == 200 { Ok(()) } else { Err(format!("{status} {answer}")) }
    });
    lab.wait(namespace, "configmap/open", |open| match open["data"]["v"].as_str() {
        Some(v) if v == format!("x-{CANARY}") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let token = lab.get(namespace, "secret/sealed")["data"]["token"].clone();
    assert_eq!(token, json!(STANDARD.encode(format!("{CANARY}-sealed"))));
}

#[test]
fn without_the_shipped_policy_no_dry_run_is_made() {
    // Nobody has applied it there.
    let stage = Stage::new(Lab::shared());
    let _agent = Lab::shared_agent();
    let (pull, head) = stage.propose("ada", "tandem", "feature", &[("deploy/a.yaml", &config("a", "{v: '1'}"))]);
    let (_, body) = stage.told(
        pull,
        &head,
        &["The API server was not asked", "there is no ValidatingAdmissionPolicy tandem-plan", "1 to configure"],
    );
    assert!(!body.contains("data.v"), "what the live object says is not known: {body}");
    assert!(stage.asked(&head).is_empty());
}

#[test]
fn the_account_that_plans_may_dry_run_and_write_nothing() {
    let (lab, _) = shared();
    let tenant = Tenant::new(lab);
    let namespace = &tenant.namespace;
    let account = "system:serviceaccount:tandem-system:tandem-plan";
    let kubectl = |arguments: &[&str], input: &Value| {
        use std::io::Write;
        let mut command = lab.kubectl();
        command.args(arguments).args(["--as", account, "-n", namespace]);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.stderr(std::process::Stdio::piped()).spawn().expect("kubectl");
        child.stdin.take().expect("stdin").write_all(input.to_string().as_bytes()).expect("reads");
        let output = child.wait_with_output().expect("ends");
        (output.status.success(), both(&output))
    };
    // Rights are those of the file, so each kind of it has its row.
    let role = lab.get("", "clusterrole/tandem-plan-builtin");
    let granted: Vec<String> = role["rules"]
        .as_array()
        .expect("rules")
        .iter()
        .flat_map(|rule| {
            assert_eq!(rule["verbs"], json!(["get", "create", "patch"]));
            let group = rule["apiGroups"][0].as_str().expect("a group").to_owned();
            let resources = rule["resources"].as_array().expect("resources").clone();
            resources.into_iter().map(move |resource| format!("{}.{group}", resource.as_str().expect("a name")))
        })
        .collect();
    let kinds = kinds::all(namespace);
    let rows: std::collections::BTreeSet<_> = kinds.iter().map(|(resource, _)| (*resource).to_owned()).collect();
    assert_eq!(rows, granted.iter().cloned().collect(), "one row for each kind that is granted");
    wait_for("the policy to be in force", || {
        let mut other = kinds[0].1.clone();
        other["metadata"]["name"] = json!(crate::lab::unique("before-the-policy"));
        let (taken, told) = kubectl(&["create", "-f", "-"], &other);
        if !taken && told.contains("may dry-run, and write nothing") { Ok(()) } else { Err(told) }
    });
    for (resource, object) in &kinds {
        let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        for arguments in [&["create", "-f", "-"][..], &apply] {
            let (taken, told) = kubectl(arguments, object);
            let refused = !taken && told.contains("may dry-run, and write nothing");
            assert!(refused, "{resource}, a write: {arguments:?}: {told}");
            let dry = [arguments, &["--dry-run=server"]].concat();
            let (taken, told) = kubectl(&dry, object);
            assert!(taken, "{resource}, a dry-run: {told}");
        }
    }
    // What no policy sees, or what is secret, is not granted.
    for question in [
        "get secrets",
        "create secrets",
        "create serviceaccounts/token",
        "create pods/exec",
        "create pods/eviction",
        "create bindings",
        "create validatingadmissionpolicies.admissionregistration.k8s.io",
        "create validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "create validatingwebhookconfigurations.admissionregistration.k8s.io",
        "create mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "create tokenreviews.authentication.k8s.io",
        "create subjectaccessreviews.authorization.k8s.io",
        "create clusterroles.rbac.authorization.k8s.io",
        "bind clusterroles.rbac.authorization.k8s.io",
        "escalate clusterroles.rbac.authorization.k8s.io",
        "create certificatesigningrequests.certificates.k8s.io",
        "create apiservices.apiregistration.k8s.io",
        "delete configmaps",
        "update configmaps",
        "impersonate serviceaccounts",
        "list configmaps",
    ] {
        let question: Vec<&str> = question.split(' ').collect();
        let (verb, resource) = (question[0], question[1]);
        let (resource, sub) = resource.split_once('/').map_or((resource, None), |(a, b)| (a, Some(b)));
        let mut arguments = vec!["auth", "can-i", verb, resource];
        let sub = sub.map(|sub| format!("--subresource={sub}"));
        arguments.extend(sub.as_deref());
        let (may, told) = kubectl(&arguments, &Value::Null);
        assert!(!may && told.starts_with("no"), "{question:?}: {told}");
    }
}

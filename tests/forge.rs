//! A real forge: its webhook makes the agent act long before the next poll, if it has the key.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::git_remote::{Served, commit, git, serve};
use crate::lab::manifests::config;
use crate::lab::{Agent, Lab, Tenant, condition_of, wait_for};

const KEY: &str = "a key that both sides know";

/// Gitea with one private repository `tandem/deploy`, and a working copy of it.
struct Forge {
    server: Served,
    work: TempDir,
}

impl Forge {
    fn new() -> Self {
        let forge = Self { server: serve("gitea", &[]), work: TempDir::new().expect("folder") };
        forge.ask("POST", "user/repos", &json!({"name": "deploy", "private": true, "default_branch": "main"}));
        let (user, password) = (forge.server.get("user"), forge.server.get("password"));
        let remote = forge.url().replacen("http://", &format!("http://{user}:{password}@"), 1);
        git(forge.work.path(), &["init", "-q", "-b", "main"]);
        git(forge.work.path(), &["remote", "add", "origin", &remote]);
        forge
    }

    fn url(&self) -> String {
        format!("{}tandem/deploy.git", self.server.get("url"))
    }

    /// Commits a ConfigMap with this value and pushes; the commit's id.
    fn push(&self, value: &str) -> String {
        self.push_file("deploy/a.yaml", &config("a", &format!("{{value: {value}}}")))
    }

    /// Has every push told to an address; the hook's number.
    fn hook(&self, url: &str, key: &str) -> u64 {
        let config = json!({"url": url, "content_type": "json", "secret": key});
        let hook = json!({"type": "gitea", "events": ["push"], "active": true, "config": config});
        self.ask("POST", "repos/tandem/deploy/hooks", &hook)["id"].as_u64().expect("a number")
    }

    fn forget_hook(&self, id: u64) {
        self.ask("DELETE", &format!("repos/tandem/deploy/hooks/{id}"), &Value::Null);
    }

    /// One request to its API.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask_as(&format!("token {}", self.server.get("token")), method, path, body)
    }

    fn ask_as(&self, authorization: &str, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = ask(&self.server, authorization, method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }
}

/// The password of all people but the administrator.
const PASSWORD: &str = "a password that all share";

/// Gitea with the private repository `tandem/deploy`, and people: each by name, with what they may do there.
pub struct People {
    pub server: Served,
    pub ids: BTreeMap<&'static str, u64>,
}

impl People {
    /// Path of the repository below that of the API.
    pub const REPOSITORY: &str = "repos/tandem/deploy";

    pub fn new(people: &[(&'static str, &str)]) -> Self {
        let mut all = Self { server: serve("gitea", &[]), ids: BTreeMap::new() };
        all.ok("tandem", "POST", "user/repos", &json!({"name": "deploy", "private": true, "default_branch": "main"}));
        for (name, permission) in people {
            all.person(name);
            let path = format!("{}/collaborators/{name}", Self::REPOSITORY);
            all.ok("tandem", "PUT", &path, &json!({"permission": permission}));
        }
        all
    }

    /// Somebody who may do nothing yet.
    pub fn person(&mut self, name: &'static str) {
        let user = json!({
            "username": name, "email": format!("{name}{}@forge.example", self.ids.len()), "password": PASSWORD,
            "must_change_password": false,
        });
        let id = self.ok("tandem", "POST", "admin/users", &user)["id"].as_u64().expect("a number");
        self.ids.insert(name, id);
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.server.get("port"))
    }

    pub fn url(&self) -> String {
        format!("{}tandem/deploy.git", self.server.get("url"))
    }

    pub fn password(&self, who: &str) -> String {
        if who == "tandem" { self.server.get("password") } else { PASSWORD.to_owned() }
    }

    /// The repository `<owner>/deploy` for pushes by a person.
    pub fn remote(&self, who: &str, owner: &str) -> String {
        let password = self.password(who).replace(' ', "%20");
        let server = self.server.get("url").replacen("http://", &format!("http://{who}:{password}@"), 1);
        format!("{server}{owner}/deploy.git")
    }

    /// One request as a person: status and answer.
    pub fn ask(&self, who: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let login = STANDARD.encode(format!("{who}:{}", self.password(who)));
        ask(&self.server, &format!("Basic {login}"), method, path, body)
    }

    /// One that succeeds: the answer.
    pub fn ok(&self, who: &str, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(who, method, path, body);
        assert!((200..300).contains(&status), "{who}: {method} {path}: {status} {answer}");
        answer
    }

    /// A pull request from a branch (`<owner>:<branch>` of a fork) that was pushed; its number. The forge answers that it knows
    /// no such branch until it has taken note of the push.
    pub fn propose(&self, who: &str, head: &str, base: &str) -> u64 {
        let wanted = json!({"head": head, "base": base, "title": head});
        wait_for(&format!("a pull request from {head}"), || {
            let (status, answer) = self.ask(who, "POST", &format!("{}/pulls", Self::REPOSITORY), &wanted);
            answer["number"].as_u64().filter(|_| status == 201).ok_or_else(|| format!("{status} {answer}"))
        })
    }

    /// A token of the account `agent` that may do no more than this.
    pub fn token(&self, scopes: &[&str]) -> String {
        self.token_named("agent", scopes)
    }

    /// Another one, under a name of its own.
    pub fn token_named(&self, name: &str, scopes: &[&str]) -> String {
        let wanted = json!({"name": name, "scopes": scopes});
        self.ok("agent", "POST", "users/agent/tokens", &wanted)["sha1"].as_str().expect("a token").to_owned()
    }

    /// The Secrets `git` and `forge` of a namespace: of the administrator, and with a token of the agent.
    pub fn secrets(&self, namespace: &str, token: &str) -> String {
        let admin = self.server.get("token");
        format!(
            "---
{{apiVersion: v1, kind: Secret, metadata: {{name: git, namespace: {namespace}}}, stringData: {{username: tandem, password: {admin}}}}}
---
{{apiVersion: v1, kind: Secret, metadata: {{name: forge, namespace: {namespace}}}, stringData: {{token: {token}}}}}
"
        )
    }
}

/// One request to the API of a forge: status and answer.
fn ask(server: &Served, authorization: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let address = format!("127.0.0.1:{}", server.get("port"));
    let mut stream = TcpStream::connect(&address).expect("the forge listens");
    let request = format!(
        "{method} /api/v1/{path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: {authorization}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answers");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

impl Forge {
    /// What a commit has under a context, oldest first: state and description.
    fn statuses(&self, commit: &str, context: &str) -> Vec<(String, String)> {
        let all = self.ask("GET", &format!("repos/tandem/deploy/commits/{commit}/statuses?limit=50"), &Value::Null);
        let mut all = all.as_array().expect("a list").clone();
        all.sort_by_key(|status| status["id"].as_u64());
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let mine = all.iter().filter(|status| status["context"] == context);
        mine.map(|status| (text(&status["status"]), text(&status["description"]))).collect()
    }

    /// Waits until the newest status of a commit is this.
    fn wait_status(&self, commit: &str, state: &str, description: &str) {
        wait_for(&format!("the status {state}: {description}"), || {
            let all = self.statuses(commit, "tandem/lab");
            let newest = all.last().is_some_and(|(s, d)| s == state && d == description);
            if newest { Ok(()) } else { Err(format!("{all:?}")) }
        });
    }

    /// Commits a file and pushes; the commit's id.
    fn push_file(&self, name: &str, text: &str) -> String {
        let folder = self.work.path();
        commit(folder, name, &[(name, text)]);
        git(folder, &["push", "-q", "origin", "HEAD:main"]);
        git(folder, &["rev-parse", "HEAD"])
    }
}

#[test]
fn a_commit_shows_on_the_forge_how_far_the_cluster_is_with_it_and_a_restart_says_nothing_twice() {
    let (lab, forge) = (Lab::start("status"), Forge::new());
    let mut agent = Agent::start(&lab);
    let tenant = Tenant::new(&lab);
    let namespace = tenant.namespace.as_str();
    let (user, token) = (forge.server.get("user"), forge.server.get("token"));
    let first = forge.push("first");
    lab.apply(&format!(
        "
{{apiVersion: v1, kind: Secret, metadata: {{name: git, namespace: {namespace}}}, stringData: {{username: {user}, password: {token}}}}}
---
{{apiVersion: v1, kind: Secret, metadata: {{name: forge, namespace: {namespace}}}, stringData: {{token: {token}}}}}
"
    ));
    let more = "interval: 1s, serviceAccountName: deployer, auth: {secretRef: {name: git}}, \
                forge: {type: Gitea, secretRef: {name: forge}}, publish: {commitStatus: {}}";
    // Both are there before the first commit is: else it would be green with the one of them.
    tenant.sync("sync", "deploy", "");
    tenant.sync("other", "other", "");
    tenant.repository_at("repo", &forge.url(), more);
    // A Sync of another namespace that may not use the Repository has no say in what is shown.
    let stranger = Tenant::new(&lab);
    let reference = format!("repositoryRef: {{name: repo, namespace: {namespace}}}");
    lab.apply(&stranger.sync_yaml("sync", "deploy", "").replacen("repositoryRef: {name: repo}", &reference, 1));

    // One of two has nothing to deploy.
    forge.wait_status(&first, "failure", &format!("failed: {namespace}/other (BuildFailed); applied 1/2"));
    let second = forge.push_file("other/b.yaml", &config("b", "{value: b}"));
    forge.wait_status(&second, "success", "healthy 2/2");
    let broken = forge.push_file("deploy/a.yaml", "kind: [");
    forge.wait_status(&broken, "failure", &format!("failed: {namespace}/sync (BuildFailed); applied 1/2"));
    let third = forge.push("third");
    forge.wait_status(&third, "success", "healthy 2/2");
    for commit in [&first, &second, &broken, &third] {
        let all = forge.statuses(commit, "tandem/lab");
        let (last, before) = all.split_last().expect("a status");
        assert!(before.iter().all(|(state, _)| state == "pending" || last.0 == *state), "green or red once: {all:?}");
        assert!(all.len() <= 4, "few calls: {all:?}");
    }

    let before = forge.statuses(&third, "tandem/lab");
    agent.kill();
    agent.restart();
    wait_for("a look at the forge", || {
        let log = agent.log();
        let looked = log.lines().any(|line| line.contains("looked at") && line.contains("healthy 2/2"));
        if looked { Ok(()) } else { Err(log) }
    });
    let fourth = forge.push("fourth");
    forge.wait_status(&fourth, "success", "healthy 2/2");
    assert_eq!(forge.statuses(&third, "tandem/lab"), before, "nothing changed, and nothing was told");
    assert!(!agent.log().contains(&token), "the token stands in no log");
}

#[test]
fn a_commit_is_deployed_when_those_who_are_named_have_said_that_it_passed() {
    let (lab, forge) = (Lab::shared(), Forge::new());
    let _agent = Lab::shared_agent();
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let basic = |name: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
    let (user, password, token) = (forge.server.get("user"), forge.server.get("password"), forge.server.get("token"));
    let eve = json!({"username": "eve", "email": "eve@forge.example", "password": "eves-own-password", "must_change_password": false});
    forge.ask_as(&basic(&user, &password), "POST", "admin/users", &eve);
    forge.ask("PUT", "repos/tandem/deploy/collaborators/eve", &json!({"permission": "write"}));
    let (ci, eve) = (format!("token {token}"), basic("eve", "eves-own-password"));
    let id = forge.ask("GET", "user", &Value::Null)["id"].as_u64().expect("a number");
    let say = |who: &str, commit: &str, context: &str, state: &str, text: &str| {
        let status = json!({"context": context, "state": state, "description": text});
        forge.ask_as(who, "POST", &format!("repos/tandem/deploy/statuses/{commit}"), &status);
    };
    let first = forge.push("first");
    lab.apply(&format!(
        "
{{apiVersion: v1, kind: Secret, metadata: {{name: git, namespace: {namespace}}}, stringData: {{username: {user}, password: {token}}}}}
---
{{apiVersion: v1, kind: Secret, metadata: {{name: forge, namespace: {namespace}}}, stringData: {{token: {token}}}}}
"
    ));
    let repository = |checks: &str| {
        let more = format!(
            "interval: 1s, serviceAccountName: deployer, auth: {{secretRef: {{name: git}}}}, \
             forge: {{type: Gitea, secretRef: {{name: forge}}}}, checks: [{checks}]"
        );
        tenant.repository_at("repo", &forge.url(), &more);
    };
    let held = |reason: &str, words: &[&str]| {
        let sync = tenant.wait_message("sync", "Held", words);
        assert_eq!(condition_of(&sync, "Held").expect("Held")["reason"], reason, "{:#}", sync["status"]);
    };
    repository("");
    tenant.sync("sync", "deploy", "");
    tenant.wait_applied("sync", &first);

    let test = format!("{{context: ci/test, creator: {id}}}");
    repository(&test);
    let second = forge.push("second");
    held("ChecksPending", &[&second, &format!("ci/test: the user {id} has said nothing yet")]);
    say(&eve, &second, "ci/test", "success", "trust me");
    held("ChecksPending", &["though others say something under its name"]);
    say(&ci, &second, "ci/test", "pending", "");
    held("ChecksPending", &["ci/test is under way"]);
    say(&ci, &second, "ci/test", "failure", "3 tests failed");
    held("ChecksFailed", &["ci/test failed: 3 tests failed"]);
    say(&eve, &second, "ci/test", "success", "trust me");
    lab.k(&["-n", namespace, "delete", "configmap", "a"]);
    lab.wait(namespace, "configmap/a", |object| {
        if object["data"]["value"] == "first" { Ok(()) } else { Err(object["data"].to_string()) }
    });
    assert!(tenant.writes(&second).is_empty());
    say(&ci, &second, "ci/test", "success", "");
    tenant.wait_applied("sync", &second);

    repository(&format!("{test}, {{context: coverage, creator: {id}, coverage: {{min: 80, maxDrop: 1}}}}"));
    let third = forge.push("third");
    say(&ci, &third, "ci/test", "success", "");
    held("ChecksPending", &[&third, "coverage: the user"]);
    say(&ci, &third, "coverage", "success", "lines: 79.5%");
    held("ChecksFailed", &["coverage: 79.50% is less than 80.00%"]);
    say(&ci, &third, "coverage", "success", "lines: 85.5%");
    tenant.wait_applied("sync", &third);
    let fourth = forge.push("fourth");
    say(&ci, &fourth, "ci/test", "success", "");
    say(&ci, &fourth, "coverage", "success", "lines: 84%");
    held("ChecksFailed", &[&fourth, "84.00% is more than 1.00% below the 85.50% of what is deployed"]);
    say(&ci, &fourth, "coverage", "success", "lines: 84.6%");
    tenant.wait_applied("sync", &fourth);
}

/// Stands between the forge and the agent, and keeps what the agent answers.
struct Tap {
    address: String,
    answers: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    fn before(agent: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let answers = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&answers);
        std::thread::spawn(move || {
            for from in listener.incoming().map_while(Result::ok) {
                let to = TcpStream::connect(&agent).expect("the agent listens");
                let (mut request, mut onward) =
                    (from.try_clone().expect("a handle"), to.try_clone().expect("a handle"));
                std::thread::spawn(move || std::io::copy(&mut request, &mut onward));
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || pass_back(to, from, &kept));
            }
        });
        Self { address, answers }
    }

    /// Waits until the agent has given this answer, and forgets all that were given so far.
    fn wait_answer(&self, status: &str) {
        wait_for(&format!("the agent's answer {status}"), || {
            let mut answers = self.answers.lock().expect("not poisoned");
            let told = String::from_utf8_lossy(&answers).into_owned();
            // Not the first: the forge may tell of a push that came before the hook, where it is slow.
            if !told.contains(&format!("HTTP/1.1 {status}")) {
                return Err(told);
            }
            answers.clear();
            Ok(())
        });
    }
}

fn pass_back(mut from: TcpStream, mut to: TcpStream, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        kept.lock().expect("not poisoned").extend_from_slice(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
}

#[test]
fn a_push_is_told_by_the_forge_and_believed_only_with_the_key() {
    let (lab, forge) = (Lab::shared(), Forge::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let tap = Tap::before(Lab::shared_agent().address());
    let first = forge.push("first");
    let (user, token) = (forge.server.get("user"), forge.server.get("token"));
    lab.apply(&format!(
        "
{{apiVersion: v1, kind: Secret, metadata: {{name: git, namespace: {namespace}}}, stringData: {{username: {user}, password: {token}}}}}
---
{{apiVersion: v1, kind: Secret, metadata: {{name: hook, namespace: {namespace}}}, stringData: {{token: {KEY}}}}}
"
    ));
    // Of the polls of this hour, only the first is within the test.
    let more = "interval: 1h, serviceAccountName: deployer, auth: {secretRef: {name: git}}, webhook: {secretRef: {name: hook}}";
    tenant.repository_at("repo", &forge.url(), more);
    tenant.sync("sync", "deploy", "");
    tenant.wait_applied("sync", &first);

    // The path that all Repositories share: the body says which one.
    let hook = forge.hook(&format!("http://{}/webhook", tap.address), KEY);
    let second = forge.push("second");
    tap.wait_answer("202");
    tenant.wait_applied("sync", &second);
    assert_eq!(lab.get(namespace, "configmap/a")["data"]["value"], "second");
    forge.forget_hook(hook);

    let hook = forge.hook(&format!("http://{}/webhook", tap.address), "another key");
    let third = forge.push("third");
    tap.wait_answer("401");
    forge.forget_hook(hook);

    // The path of the one Repository.
    let path = lab.get(namespace, "repository/repo")["status"]["webhookPath"].as_str().expect("a path").to_owned();
    forge.hook(&format!("http://{}{path}", tap.address), KEY);
    let fourth = forge.push("fourth");
    tap.wait_answer("202");
    tenant.wait_applied("sync", &fourth);
    let fetched = Lab::shared_agent().log();
    assert!(fetched.contains(&fourth) && !fetched.contains(&third), "what was told without the key was not believed");
}

//! A real forge: its webhook makes the agent act long before the next poll, if it has the key.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::git_remote::{Served, git, serve};
use crate::lab::manifests::config;
use crate::lab::{Lab, Tenant, wait_for};

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
        let folder = self.work.path();
        std::fs::create_dir_all(folder.join("deploy")).expect("folder");
        std::fs::write(folder.join("deploy/a.yaml"), config("a", &format!("{{value: {value}}}"))).expect("writes");
        git(folder, &["add", "-A"]);
        git(folder, &["commit", "-q", "-m", value]);
        git(folder, &["push", "-q", "origin", "HEAD:main"]);
        git(folder, &["rev-parse", "HEAD"])
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
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (address, token) = (format!("127.0.0.1:{}", self.server.get("port")), self.server.get("token"));
        let mut stream = TcpStream::connect(&address).expect("the forge listens");
        let request = format!(
            "{method} /api/v1/{path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: token {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("sends");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answers");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
        assert!(head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')), "{method} {path}: {answer}");
        if body.is_empty() { Value::Null } else { serde_json::from_str(body).expect("JSON") }
    }
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
            if !told.starts_with(&format!("HTTP/1.1 {status}")) {
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

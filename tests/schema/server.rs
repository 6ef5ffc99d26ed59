//! The lab's API server, asked to create objects strictly and without effect.

use std::cell::RefCell;
use std::collections::HashMap;

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use tandem::object::split_api_version;
use tokio::runtime::Runtime;

use super::table::Table;
use crate::lab::{Lab, wait_for};

/// What it says of an object.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Taken,
    /// Strict decoding found these fields, sorted.
    UnknownFields(Vec<String>),
    /// Decoding failed, at this field where it says so.
    Undecodable(Option<String>),
    /// Validation found these.
    Invalid(Vec<Cause>),
    /// Something that no schema knows: admission, a name that is taken.
    Other(String),
    /// It did not survive the question.
    Crashed,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Cause {
    pub reason: String,
    pub path: String,
}

pub struct Server {
    client: Client,
    runtime: Runtime,
    /// By apiVersion and kind, the path of its collection.
    kinds: RefCell<HashMap<String, HashMap<String, String>>>,
    /// It ends with this.
    _lab: Lab,
}

impl Server {
    /// Starts one, with the definitions of the tables.
    pub fn start(tables: &[Table]) -> Self {
        let lab = Lab::start("schema");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = runtime.block_on(async {
            let read = Kubeconfig::read_from(lab.kubeconfig()).expect("a kubeconfig");
            let config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
            Client::try_from(config.expect("a configuration")).expect("a client")
        });
        for table in tables.iter().filter(|table| table.object["kind"] == "CustomResourceDefinition") {
            lab.apply(&table.object.to_string());
            let name = table.object["metadata"]["name"].as_str().expect("a name");
            lab.k(&["wait", "--for=condition=Established", "--timeout=60s", &format!("crd/{name}")]);
        }
        let server = Self { client, runtime, kinds: RefCell::default(), _lab: lab };
        // A definition is served a moment after it is established.
        for table in tables {
            wait_for(&table.name(), || match server.create(&table.object) {
                Answer::Other(message) if message.contains("not be found") => {
                    server.kinds.borrow_mut().clear();
                    Err(message)
                }
                _ => Ok(()),
            });
        }
        server
    }

    fn send(&self, method: &str, path: &str, body: String) -> Option<(u16, Value)> {
        let request = http::Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.body(kube::client::Body::from(body.into_bytes())).expect("a request");
        let (status, bytes) = self.runtime.block_on(async {
            let answer = self.client.send(request).await.ok()?;
            let status = answer.status().as_u16();
            Some((status, answer.into_body().collect_bytes().await.ok()?))
        })?;
        Some((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// Path of the collection of a kind.
    fn kind(&self, api_version: &str, kind: &str) -> Option<String> {
        let root = if split_api_version(api_version).0.is_empty() { "/api" } else { "/apis" };
        let mut kinds = self.kinds.borrow_mut();
        let known = kinds.entry(api_version.to_owned()).or_insert_with(|| {
            let (_, list) = self.send("GET", &format!("{root}/{api_version}"), String::new()).expect("an answer");
            let resources = list["resources"].as_array().cloned().unwrap_or_default();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let path = |one: &Value| {
                let namespace = if one["namespaced"] == true { "/namespaces/default" } else { "" };
                (text(&one["kind"]), format!("{root}/{api_version}{namespace}/{}", text(&one["name"])))
            };
            // What hangs on an object is none itself.
            resources.iter().filter(|one| !text(&one["name"]).contains('/')).map(path).collect()
        });
        known.get(kind).cloned()
    }

    /// What it says to a strict creation of the object, which it forgets.
    pub fn create(&self, body: &Value) -> Answer {
        let text = |field: &str| body[field].as_str().unwrap_or_default();
        let Some(path) = self.kind(text("apiVersion"), text("kind")) else {
            return Answer::Other("the kind could not be found".to_owned());
        };
        let path = format!("{path}?dryRun=All&fieldValidation=Strict");
        let Some((status, answer)) = self.send("POST", &path, body.to_string()) else { return Answer::Crashed };
        // A definition is there already, and would be taken.
        if status < 300 || status == 409 {
            return Answer::Taken;
        }
        let message = answer["message"].as_str().unwrap_or_default().to_owned();
        match status {
            400 if message.contains("strict decoding error") => {
                let mut fields: Vec<String> =
                    quoted(&message, "unknown field ").into_iter().map(|f| plain(&f)).collect();
                fields.sort();
                Answer::UnknownFields(fields)
            }
            400 => Answer::Undecodable(go_field(&message)),
            422 => {
                let causes = answer["details"]["causes"].as_array().cloned().unwrap_or_default();
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let cause =
                    |cause: &Value| Cause { reason: text(&cause["reason"]), path: plain(&text(&cause["field"])) };
                Answer::Invalid(causes.iter().map(cause).collect())
            }
            _ => Answer::Other(message),
        }
    }
}

/// Every text in quotes behind a word.
fn quoted(message: &str, word: &str) -> Vec<String> {
    let before = format!("{word}\"");
    let parts = message.split(&before).skip(1);
    parts.filter_map(|part| part.split_once('"').map(|(text, _)| text.to_owned())).collect()
}

/// `Go struct field Container.spec.containers.name of type string`.
fn go_field(message: &str) -> Option<String> {
    let field = message.split_once("Go struct field ")?.1.split(" of type").next()?;
    field.split_once('.').map(|(_, path)| path.to_owned())
}

/// A path in one way of writing: names in brackets behind a dot.
pub fn plain(path: &str) -> String {
    let mut plain = String::new();
    for part in path.split('[') {
        match part.split_once(']') {
            Some((item, rest)) if item.parse::<usize>().is_ok() => plain.push_str(&format!("[{item}]{rest}")),
            Some((name, rest)) => plain.push_str(&format!(".{name}{rest}")),
            None => plain.push_str(part),
        }
    }
    plain.trim_start_matches('.').to_owned()
}

/// The names of a path, without items of lists, and without those of Go's types.
pub fn names(path: &str) -> Vec<String> {
    let plain = plain(path);
    let mut without = String::new();
    let mut inside = false;
    for letter in plain.chars() {
        match letter {
            '[' => inside = true,
            ']' => inside = false,
            letter if !inside => without.push(letter),
            _ => {}
        }
    }
    let is_type = |name: &&str| name.starts_with(|letter: char| letter.is_ascii_uppercase());
    without.split('.').filter(|name| !name.is_empty() && !is_type(name)).map(str::to_owned).collect()
}

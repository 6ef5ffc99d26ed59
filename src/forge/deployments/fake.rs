//! GitHub and GitLab faked on the wire: one stateful value that has deployments and what was told of them, moves them
//! as each forge does, and fails or loses an answer as it is told. What it says as GitHub is held to its description.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::described::{Asked, Described};

/// Items of a page, whatever was asked for.
const PAGE: usize = 2;

#[derive(Default)]
struct Book {
    /// Oldest first; as GitHub tells them, with the statuses of each in a field of their own.
    deployments: Vec<Value>,
    /// Method, path and query.
    requests: Vec<String>,
    /// What is answered instead of what was asked.
    broken: Option<(u16, Vec<(&'static str, &'static str)>)>,
    /// The next write is done, and its answer does not come.
    lossy: bool,
}

/// The fake; clones are the same.
#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<Book>>);

impl Fake {
    /// Answers on loopback; the address.
    pub async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    /// Each deployment, oldest first: commit and environment, and all that was told of it, oldest first.
    pub fn deployments(&self) -> Vec<(String, String, Vec<String>)> {
        let book = self.0.lock().expect("lock");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told = |one: &Value| {
            let all = one["told"].as_array().expect("a list").iter();
            all.map(|status| format!("{}: {}", text(&status["state"]), text(&status["description"]))).collect()
        };
        book.deployments.iter().map(|one| (text(&one["sha"]), text(&one["environment"]), told(one))).collect()
    }

    /// What was asked since it was looked at last.
    pub fn requests(&self) -> Vec<String> {
        self.0.lock().expect("lock").requests.drain(..).collect()
    }

    /// A field of what was told last.
    pub fn last(&self, field: &str) -> Value {
        let book = self.0.lock().expect("lock");
        let told = book.deployments.iter().flat_map(|one| one["told"].as_array().expect("a list"));
        told.max_by_key(|status| status["id"].as_u64()).map(|status| status[field].clone()).unwrap_or_default()
    }

    /// Somebody else makes a deployment.
    pub fn add(&self, deployment: Value) {
        let mut book = self.0.lock().expect("lock");
        let id = book.deployments.len() + 1;
        let mut whole = json!({"id": id, "told": [], "task": "deploy", "deployable": null});
        for (field, value) in deployment.as_object().expect("an object") {
            whole[field] = value.clone();
        }
        book.deployments.push(whole);
    }

    /// Answers everything with a status and headers.
    pub fn breaks(&self, status: u16, headers: &[(&'static str, &'static str)]) {
        self.0.lock().expect("lock").broken = Some((status, headers.to_vec()));
    }

    /// Answers again.
    pub fn mends(&self) {
        self.0.lock().expect("lock").broken = None;
    }

    /// Does the next write, and answers as a proxy that has lost the connection.
    pub fn loses_an_answer(&self) {
        self.0.lock().expect("lock").lossy = true;
    }
}

async fn answer(State(fake): State<Fake>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let mut book = fake.0.lock().expect("lock");
    book.requests.push(format!("{} {}", head.method, head.uri));
    if let Some((status, headers)) = book.broken.clone() {
        let mut response = (StatusCode::from_u16(status).expect("a status"), "{}").into_response();
        for (name, value) in headers {
            response.headers_mut().insert(name, value.parse().expect("a value"));
        }
        return response;
    }
    let query = head.uri.query().unwrap_or_default();
    let asked = Asked { method: head.method.as_str(), path: head.uri.path(), query, body: &body };
    let query: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let path: Vec<&str> = head.uri.path().trim_matches('/').split('/').collect();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (status, told) = match path.as_slice() {
        ["repos", _, _, rest @ ..] => book.github(asked.method, rest, &query, &body),
        ["projects", _, rest @ ..] => book.gitlab(asked.method, rest, &query, &body),
        _ => (404, json!({})),
    };
    if head.method != "GET" && std::mem::take(&mut book.lossy) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let (told, more) = match told {
        Value::Array(all) => page(all, &query),
        told => (told, false),
    };
    let told =
        if path[0] == "repos" && status < 300 { Described::github().answer(&asked, status, &told) } else { told };
    let mut response = (StatusCode::from_u16(status).expect("a status"), told.to_string()).into_response();
    if more {
        response.headers_mut().insert("link", "<http://192.0.2.1/>; rel=\"next\"".parse().expect("a value"));
    }
    response
}

/// A page of a list that has its newest item first, and whether there is another.
fn page(all: Vec<Value>, query: &BTreeMap<String, String>) -> (Value, bool) {
    let number = |name: &str| query.get(name).map(|value| value.parse::<usize>().expect("a number"));
    let (at, size) = (number("page").unwrap_or(1), number("per_page").unwrap_or(PAGE).min(PAGE));
    let more = all.len() > at * size;
    (Value::from(all.into_iter().skip((at - 1) * size).take(size).collect::<Vec<_>>()), more)
}

impl Book {
    fn github(&mut self, method: &str, rest: &[&str], query: &BTreeMap<String, String>, body: &Value) -> (u16, Value) {
        match (method, rest) {
            ("GET", ["deployments"]) => {
                let wanted = |one: &&Value| {
                    ["sha", "environment", "task"]
                        .iter()
                        .all(|field| query.get(*field).is_none_or(|v| one[*field] == *v))
                };
                (200, self.deployments.iter().rev().filter(wanted).map(without_told).collect())
            }
            ("POST", ["deployments"]) if body["auto_merge"] != false => (202, json!({"message": "Auto-merged"})),
            ("POST", ["deployments"]) if body["required_contexts"] != json!([]) => {
                (409, json!({"message": "Conflict: Commit status checks failed"}))
            }
            ("POST", ["deployments"]) => {
                let environment = body["environment"].as_str().unwrap_or("production");
                self.deployments.push(json!({
                    "id": self.deployments.len() + 1, "sha": body["ref"], "ref": body["ref"], "environment": environment,
                    "task": body["task"].as_str().unwrap_or("deploy"), "told": [],
                }));
                (201, without_told(self.deployments.last().expect("one")))
            }
            ("GET", ["deployments", id, "statuses"]) => match self.find(id) {
                Some(one) => (
                    200,
                    Value::from(one["told"].as_array().expect("a list").iter().rev().cloned().collect::<Vec<_>>()),
                ),
                None => (404, json!({"message": "Not Found"})),
            },
            ("POST", ["deployments", id, "statuses"]) => {
                if body["description"].as_str().is_some_and(|text| text.chars().count() > 140) {
                    return (422, json!({"message": "Validation Failed"}));
                }
                let Some(one) = self.find(id) else { return (404, json!({"message": "Not Found"})) };
                let (environment, number) = (one["environment"].clone(), one["id"].clone());
                let status = self.tell(id, body);
                // What GitHub calls `auto_inactive`: not where the environment is production.
                if body["state"] == "success" && body["auto_inactive"] != false && environment != "production" {
                    let before = self.deployments.iter().filter(|other| {
                        let newest = other["told"].as_array().and_then(|told| told.last());
                        other["environment"] == environment
                            && other["id"].as_u64() < number.as_u64()
                            && newest.is_some_and(|newest| newest["state"] != "inactive")
                    });
                    let before: Vec<String> = before.map(|other| other["id"].to_string()).collect();
                    for other in before {
                        self.tell(&other, &json!({"state": "inactive", "description": ""}));
                    }
                }
                (201, status)
            }
            _ => (404, json!({"message": "Not Found"})),
        }
    }

    fn gitlab(&mut self, method: &str, rest: &[&str], query: &BTreeMap<String, String>, body: &Value) -> (u16, Value) {
        let known = |body: &Value| {
            let word = body["status"].as_str().unwrap_or_default();
            ["running", "success", "failed", "canceled"].contains(&word)
        };
        match (method, rest) {
            ("GET", ["deployments"]) => {
                let wanted = |one: &&Value| {
                    ["environment", "status"].iter().all(|field| query.get(*field).is_none_or(|v| one[*field] == *v))
                };
                let mut all: Vec<Value> = self.deployments.iter().filter(wanted).map(without_told).collect();
                if query.get("sort").is_some_and(|sort| sort == "desc") {
                    all.reverse();
                }
                for one in &mut all {
                    one["environment"] = json!({"id": 9, "name": one["environment"]});
                }
                (200, Value::from(all))
            }
            ("POST", ["deployments"]) => {
                let texts = ["environment", "sha", "ref"].iter().all(|field| body[*field].is_string());
                if !texts || !body["tag"].is_boolean() || !known(body) {
                    return (400, json!({"error": "something is missing, or is invalid"}));
                }
                let mut one = body.clone();
                (one["id"], one["deployable"], one["told"]) =
                    (json!(self.deployments.len() + 1), Value::Null, json!([]));
                self.deployments.push(one);
                let id = self.deployments.len().to_string();
                self.tell(&id, &json!({"state": body["status"]}));
                (201, without_told(self.deployments.last().expect("one")))
            }
            ("PUT", ["deployments", id]) => {
                let Some(one) = self.find(id) else { return (404, json!({"message": "404 Not found"})) };
                if !one["deployable"].is_null() {
                    return (403, json!({"message": "403 Forbidden"}));
                }
                // It runs once, and goes from one end to another alone.
                let goes =
                    one["status"] != body["status"] && (body["status"] != "running" || one["status"] == "created");
                if !known(body) || !goes {
                    return (400, json!({"message": {"status": ["cannot transition"]}}));
                }
                one["status"] = body["status"].clone();
                let told = without_told(one);
                self.tell(id, &json!({"state": body["status"]}));
                (200, told)
            }
            _ => (404, json!({"message": "404 Not found"})),
        }
    }

    fn find(&mut self, id: &str) -> Option<&mut Value> {
        let id: u64 = id.parse().ok()?;
        self.deployments.iter_mut().find(|one| one["id"] == id)
    }

    fn tell(&mut self, id: &str, status: &Value) -> Value {
        let number: usize = self.deployments.iter().map(|one| one["told"].as_array().expect("a list").len()).sum();
        let mut status = status.clone();
        status["id"] = json!(number + 1);
        let one = self.find(id).expect("it is there");
        one["told"].as_array_mut().expect("a list").push(status.clone());
        status
    }
}

fn without_told(one: &Value) -> Value {
    let mut one = one.clone();
    let fields = one.as_object_mut().expect("an object");
    fields.remove("told");
    if fields.get("deployable").is_some_and(Value::is_null) && !fields.contains_key("status") {
        fields.remove("deployable");
    }
    one
}

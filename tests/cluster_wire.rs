//! The door to the API server against a faulty one: what is sent, what is sent again, and what
//! comes back.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::Body;
use serde_json::{Value, json};
use tandem::cluster::{Cluster, ConnectOptions};
use tokio::time::Instant;

mod calls;
mod events;
mod leases;
mod watches;

/// One request as it came over the wire.
#[derive(Clone, Debug)]
struct Seen {
    method: String,
    path: String,
    body: Value,
    headers: http::HeaderMap,
    at: Instant,
}

/// How one request is answered.
enum Reply {
    /// Status and JSON.
    Json(u16, Value),
    /// Status, a header, and text.
    Text(u16, &'static str, &'static str, &'static str),
    /// Nothing ever.
    Silence,
    /// The connection was refused: it did not arrive.
    Refused,
    /// The connection broke after it was sent.
    Broken,
    /// A stream of these lines, that then stays open.
    Lines(Vec<Value>),
}

/// A Status of the API server.
fn status(code: u16, reason: &str, message: &str, details: Value) -> Reply {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": reason, "message": message, "details": details});
    Reply::Json(code, body)
}

/// An API server that answers discovery, and all else from a script, or from a rule when that is
/// used up.
#[derive(Clone)]
struct Fake {
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Arc<Mutex<VecDeque<Reply>>>,
    rule: Arc<Mutex<Rule>>,
    /// So often discovery still names the older version of Widgets.
    lag: Arc<AtomicUsize>,
}

type Rule = Box<dyn FnMut(&Seen) -> Reply + Send>;

impl Fake {
    fn new(script: impl IntoIterator<Item = Reply>) -> Self {
        let mut fake = Self::ruled(|seen| panic!("not in the script: {} {}", seen.method, seen.path));
        fake.script = Arc::new(Mutex::new(script.into_iter().collect()));
        fake
    }

    fn ruled(rule: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        Self {
            seen: Arc::default(),
            script: Arc::default(),
            rule: Arc::new(Mutex::new(Box::new(rule))),
            lag: Arc::default(),
        }
    }

    fn cluster(&self) -> Cluster {
        self.cluster_with(ConnectOptions::default())
    }

    fn cluster_with(&self, options: ConnectOptions) -> Cluster {
        let fake = self.clone();
        let service = tower::service_fn(move |request| {
            let fake = fake.clone();
            async move {
                let raw = fake.answer(request).await?;
                let mut response = Response::builder().status(raw.code);
                if let Some((name, value)) = raw.header {
                    response = response.header(name, value);
                }
                let mut all = Full::from(raw.body);
                let frame = all.frame().await.map(|frame| frame.map_err(|never| match never {}));
                let frames =
                    futures::stream::iter(frame).chain(futures::stream::iter([()]).filter_map(move |()| async move {
                        if raw.open { std::future::pending().await } else { None }
                    }));
                Ok::<_, tower::BoxError>(response.body(StreamBody::new(frames))?)
            }
        });
        Cluster::over(kube::Client::new(service, "default"), options)
    }

    /// What came, discovery left out.
    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("not poisoned").clone()
    }

    async fn answer(&self, request: Request<Body>) -> Result<Raw, tower::BoxError> {
        let (head, body) = request.into_parts();
        let bytes = body.collect().await?.to_bytes();
        let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        let raw = |code: u16, body: Vec<u8>| Raw { code, header: None, body, open: false };
        if let Some(known) = self.discovery(&path) {
            return Ok(raw(200, known.to_string().into_bytes()));
        }
        let seen = Seen {
            method: head.method.to_string(),
            path,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            headers: head.headers,
            at: Instant::now(),
        };
        self.seen.lock().expect("not poisoned").push(seen.clone());
        let scripted = self.script.lock().expect("not poisoned").pop_front();
        let reply = scripted.unwrap_or_else(|| (self.rule.lock().expect("not poisoned"))(&seen));
        match reply {
            Reply::Json(code, body) => Ok(raw(code, body.to_string().into_bytes())),
            Reply::Text(code, name, value, body) => {
                Ok(Raw { header: Some((name, value)), ..raw(code, body.as_bytes().to_vec()) })
            }
            Reply::Silence => std::future::pending().await,
            Reply::Refused => Err(io::Error::from(io::ErrorKind::ConnectionRefused).into()),
            Reply::Broken => Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
            Reply::Lines(lines) => {
                let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
                Ok(Raw { open: true, ..raw(200, text.into_bytes()) })
            }
        }
    }

    fn discovery(&self, path: &str) -> Option<Value> {
        let resource = |plural: &str, group: &str, version: &str, kind: &str| {
            json!({"resource": plural, "responseKind": {"group": group, "version": version, "kind": kind},
                "scope": "Namespaced", "verbs": ["get", "list", "watch", "patch", "delete", "create", "update"]})
        };
        let widgets = |version: &str| json!({"version": version, "resources": [resource("widgets", "example.com", version, "Widget")]});
        match path {
            "/api" => Some(json!({"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": ""}, "versions": [
                {"version": "v1", "resources": [
                    resource("configmaps", "", "v1", "ConfigMap"), resource("secrets", "", "v1", "Secret")]}]}]})),
            "/apis" => {
                let mut versions = vec![widgets("v1")];
                if self.lag.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
                    versions.push(widgets("v1beta1"));
                }
                Some(json!({"kind": "APIGroupDiscoveryList", "items": [
                    {"metadata": {"name": "metrics.k8s.io"},
                        "versions": [{"version": "v1beta1", "freshness": "Stale", "resources": []}]},
                    {"metadata": {"name": "example.com"}, "versions": versions}]}))
            }
            _ => None,
        }
    }
}

/// An answer on its way out.
struct Raw {
    code: u16,
    header: Option<(&'static str, &'static str)>,
    body: Vec<u8>,
    /// Stays open after the body.
    open: bool,
}

/// Longer than any call may take.
const LONG: Duration = Duration::from_secs(600);

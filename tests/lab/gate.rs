//! A proxy between the agent and the API server that lets so many writes of a namespace through,
//! and no more: so that the agent can be killed after exactly that one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use tokio::runtime::Runtime;

use super::Lab;

/// Whether the agent hears of the last write that is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastAnswer {
    /// It does.
    Comes,
    /// The write is done, and its answer never comes.
    Lost,
}

/// The proxy; it goes away when dropped.
pub struct Gate {
    /// Where the agent is to send its requests.
    pub url: String,
    state: Arc<Mutex<BTreeMap<String, Namespace>>>,
    _runtime: Runtime,
}

/// What is known of the writes of one namespace.
#[derive(Clone, Copy, Debug)]
struct Namespace {
    /// How many more are let through; none is all.
    limit: Option<(usize, LastAnswer)>,
    /// How many were let through.
    passed: usize,
    /// How many of those are over.
    answered: usize,
}

/// What becomes of one request.
enum Turn {
    Goes,
    GoesAndItsAnswerIsLost,
    Waits,
}

#[derive(Clone)]
struct Shared {
    client: kube::Client,
    state: Arc<Mutex<BTreeMap<String, Namespace>>>,
}

impl Gate {
    /// A gate in front of a lab, open for everything.
    pub fn start(lab: &Lab) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let state = Arc::default();
        let kubeconfig = Kubeconfig::read_from(lab.kubeconfig()).expect("kubeconfig");
        let address = runtime.block_on(async {
            let mut config =
                Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("config");
            // Who asks is said by the agent's own token.
            config.auth_info = Default::default();
            let client = kube::Client::try_from(config).expect("client");
            serve(Shared { client, state: Arc::clone(&state) }).await
        });
        Self { url: format!("http://{address}"), state, _runtime: runtime }
    }

    /// Lets `limit` writes of a namespace through from now on, Events left out, and holds the
    /// others for ever: when the agent dies, they are lost.
    pub fn limit(&self, namespace: &str, limit: usize, last: LastAnswer) {
        let fresh = Namespace { limit: Some((limit, last)), passed: 0, answered: 0 };
        self.state.lock().expect("not poisoned").insert(namespace.to_owned(), fresh);
    }

    /// Counts the writes of a namespace from now on, and lets all of them through.
    pub fn count(&self, namespace: &str) {
        let fresh = Namespace { limit: None, passed: 0, answered: 0 };
        self.state.lock().expect("not poisoned").insert(namespace.to_owned(), fresh);
    }

    /// How many writes of a namespace the API server has done since [`Gate::limit`] or
    /// [`Gate::count`].
    pub fn answered(&self, namespace: &str) -> usize {
        self.state.lock().expect("not poisoned").get(namespace).map_or(0, |known| known.answered)
    }

    /// Lets everything through that is sent from now on.
    pub fn open(&self) {
        self.state.lock().expect("not poisoned").clear();
    }
}

async fn serve(shared: Shared) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().fallback(forward).with_state(shared);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn forward(State(shared): State<Shared>, request: Request<Body>) -> Response {
    let namespace = written(&request);
    let turn = namespace.as_deref().map_or(Turn::Goes, |namespace| shared.turn(namespace));
    if let Turn::Waits = turn {
        // Until whoever sent it is gone.
        return std::future::pending().await;
    }
    let under_way = namespace.map(|namespace| UnderWay { shared: shared.clone(), namespace });
    let (mut head, body) = request.into_parts();
    head.headers.remove(header::HOST);
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let request = Request::from_parts(head, kube::client::Body::from(body.to_vec()));
    let answer = match shared.client.send(request).await {
        Ok(answer) => answer.map(Body::new).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    };
    drop(under_way);
    if let Turn::GoesAndItsAnswerIsLost = turn {
        return std::future::pending().await;
    }
    answer
}

/// A write between the gate and the API server. It counts when it is over, also where whoever sent
/// it waits no longer.
struct UnderWay {
    shared: Shared,
    namespace: String,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(known) = self.shared.state.lock().expect("not poisoned").get_mut(&self.namespace) {
            known.answered += 1;
        }
    }
}

impl Shared {
    fn turn(&self, namespace: &str) -> Turn {
        let mut state = self.state.lock().expect("not poisoned");
        let Some(known) = state.get_mut(namespace) else { return Turn::Goes };
        if known.limit.is_some_and(|(limit, _)| known.passed >= limit) {
            return Turn::Waits;
        }
        known.passed += 1;
        match known.limit {
            Some((limit, LastAnswer::Lost)) if known.passed == limit => Turn::GoesAndItsAnswerIsLost,
            _ => Turn::Goes,
        }
    }
}

/// The namespace that a request writes into; dry-runs and Events are no writes here.
fn written(request: &Request<Body>) -> Option<String> {
    let writes = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    let dry = request.uri().query().is_some_and(|query| query.contains("dryRun"));
    let mut parts = request.uri().path().split('/').skip_while(|part| *part != "namespaces").skip(1);
    let (namespace, resource) = (parts.next()?, parts.next()?);
    (writes && !dry && resource != "events").then(|| namespace.to_owned())
}

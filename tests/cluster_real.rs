//! The door to the API server, tried on a real one.

use std::io::Write;
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use tandem::cluster::apply::Answer;
use tandem::cluster::{Actor, Cluster, ClusterError, ConnectOptions, KindInfo, Purpose, Session, apply};
use tandem::object::{DigestKey, Manifest, ObjectId, Origin, split_api_version};
use tandem::plan::{Admitted, Desired, Phase};

use crate::lab::Lab;

mod apply_and_delete;
mod cel;
mod expressions;
mod faults;
mod filled;
mod observe;
mod own_and_lease;
mod refusals;
mod rights;
mod standard;

/// The cluster that most of these tests share. No agent runs there.
fn shared() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| Lab::start("cluster"))
}

/// Runs kubectl with an object on its standard input; whether it took it, and what it said on standard error.
fn kubectl(lab: &Lab, args: &[&str], object: &Value) -> (bool, String) {
    let mut command = lab.kubectl();
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kubectl");
    child.stdin.take().expect("stdin").write_all(object.to_string().as_bytes()).expect("kubectl reads");
    let out = child.wait_with_output().expect("kubectl ends");
    (out.status.success(), String::from_utf8_lossy(&out.stderr).into_owned())
}

/// Verb, resource and code of every request.
type Requests = Arc<Mutex<Vec<(String, String, u16)>>>;

async fn connect() -> (Cluster, Requests) {
    let requests = Requests::default();
    let seen = requests.clone();
    let options = ConnectOptions {
        kubeconfig: Some(shared().kubeconfig()),
        cluster: "lab".into(),
        on_request: Some(Arc::new(move |request| {
            let one = (request.verb.to_owned(), request.resource.to_owned(), request.code);
            seen.lock().expect("not poisoned").push(one);
        })),
        ..ConnectOptions::default()
    };
    (Cluster::connect(options).await.expect("connects"), requests)
}

/// A desired object.
fn desired(body: Value) -> Desired {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind) = (text("/apiVersion"), text("/kind"));
    let id =
        ObjectId::new(text("/metadata/namespace"), text("/metadata/name"), split_api_version(&api_version).0, kind);
    let digest = DigestKey::new(*b"test").digest(&body);
    let origin = Origin { file: "test.yaml".into(), line: 1, document: 1 };
    Desired::plain(Manifest::new(origin, id, api_version, body), "objects", Phase::Workloads, digest)
}

/// Applies an object as a confirmed person would.
async fn apply(session: &Session, body: Value) -> Result<Answer, ClusterError> {
    let desired = desired(body);
    let admitted = Admitted::by_hand(vec![desired]);
    apply::apply(&permit(), session, &admitted.steps()[0].changes[0]).await
}

fn permit() -> tandem::cluster::WritePermit {
    use tandem::cluster::{Confirmed, WritePermit};
    WritePermit::by_hand(&Confirmed::by_the_person_at_the_keyboard())
}

/// A namespace for one test.
async fn namespace(session: &Session, name: &str) -> String {
    apply(session, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .await
        .expect("namespace");
    name.to_owned()
}

fn config_map(namespace: &str, name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": name}, "data": data})
}

fn core(kind: &str, plural: &str) -> KindInfo {
    KindInfo::known("", "v1", kind, plural).namespaced()
}

/// An account with these rules in its namespace.
async fn account(session: &Session, namespace: &str, name: &str, rules: Value) -> Session {
    let rbac = "rbac.authorization.k8s.io/v1";
    let metadata = json!({"namespace": namespace, "name": name});
    for body in [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        json!({"apiVersion": rbac, "kind": "Role", "metadata": metadata, "rules": rules}),
        json!({"apiVersion": rbac, "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": name}]}),
    ] {
        apply(session, body).await.expect("account");
    }
    let purpose = Purpose { sync: Some((namespace.into(), "web".into())), commit: Some("0123abcd".into()) };
    session.cluster().session(Actor::account(namespace, name), &purpose).expect("an identity")
}

/// Asks until it is so; what others do takes a moment.
async fn eventually<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !so().await {
        assert!(tokio::time::Instant::now() < deadline, "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

//! The door to the API server, tried on a real one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use tandem::cluster::apply::Answer;
use tandem::cluster::{Actor, Cluster, ClusterError, ConnectOptions, KindInfo, Purpose, Session, apply};
use tandem::object::{DigestKey, Manifest, ObjectId, Origin, split_api_version};
use tandem::plan::{Admitted, Desired, Phase};

mod apply_and_delete;
mod expressions;
mod faults;
mod observe;
mod own_and_lease;
mod refusals;
mod rights;

/// A cluster of its own, gone with this process.
struct Lab {
    name: String,
    env: BTreeMap<String, String>,
}

impl Lab {
    fn up(name: &str) -> Self {
        let me = std::process::id().to_string();
        let name = format!("cluster-{name}-{me}");
        let out = Self::run(&["up", "--name", &name, "--owner-pid", &me, "-o", "json"]);
        Self { name, env: serde_json::from_slice(&out).expect("JSON of hack/lab") }
    }

    fn kubeconfig(&self) -> PathBuf {
        PathBuf::from(&self.env["KUBECONFIG"])
    }

    /// What kubectl prints.
    fn kubectl(&self, args: &[&str]) -> String {
        let kubectl = PathBuf::from(&self.env["TANDEM_LAB_BIN"]).join("kubectl");
        let out =
            Command::new(kubectl).arg("--kubeconfig").arg(self.kubeconfig()).args(args).output().expect("kubectl");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("text")
    }

    fn run(args: &[&str]) -> Vec<u8> {
        let lab = concat!(env!("CARGO_MANIFEST_DIR"), "/hack/lab");
        let out = Command::new(lab).args(args).output().expect("hack/lab runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    }

    /// Ends or pauses the API server.
    fn stop(&self, signal: &str) {
        Self::run(&["stop", "kube-apiserver", "--name", &self.name, "--signal", signal]);
    }

    /// Starts it again.
    fn start(&self) {
        Self::run(&["start", "kube-apiserver", "--name", &self.name]);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        Self::run(&["down", "--name", &self.name]);
    }
}

/// The cluster that most of these tests share.
fn shared() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| Lab::up("real"))
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
    Desired::plain(Manifest { origin, id, api_version, body }, "objects", Phase::Workloads, digest)
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

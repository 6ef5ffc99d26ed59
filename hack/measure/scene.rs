//! What is measured: N folders of four objects, one Sync each, with one namespace or N.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;

use hmac::{Hmac, KeyInit, Mac};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::lab::{Agent, Lab, Repo};

/// Key of the webhook.
pub const KEY: &str = "bench";
/// Namespace of the Repository.
pub const HOME: &str = "bench";

/// Where the Syncs are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// All in one namespace, with one account.
    One,
    /// Each in a namespace of its own, with an account of its own.
    Own,
}

impl Layout {
    /// Namespace of the n-th Sync.
    pub fn namespace(self, prefix: &str, n: usize) -> String {
        match self {
            Self::One => prefix.to_owned(),
            Self::Own => format!("{prefix}-{n}"),
        }
    }

    /// Its word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Own => "own",
        }
    }
}

/// The four objects of one folder.
pub fn objects(n: usize, revision: u32, replicas: u32) -> [Value; 4] {
    let name = format!("app-{n}");
    let labels = json!({"app": name});
    [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
                "spec": {"serviceAccountName": name, "containers": [{"name": "main",
                    "image": format!("registry.example.com/app:{revision}"),
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}]}}}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
            "spec": {"rules": [{"host": format!("{name}.example.com"), "http": {"paths": [{"path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": name, "port": {"name": "http"}}}}]}}]}}),
    ]
}

/// Writes the n-th folder.
pub fn folder(repo: &Repo, n: usize, revision: u32, replicas: u32) {
    let text = objects(n, revision, replicas).iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n");
    repo.write(&format!("apps/{n}/app.yaml"), &text);
}

/// Namespaces, accounts with their rights, a suspended Repository and N Syncs. The Repository is
/// suspended from its first moment: the clock starts when it is resumed.
pub fn set(lab: &Lab, repo: &Repo, n: usize, layout: Layout, on_invalid: &str) {
    let mut tenants: Vec<String> = (0..n).map(|at| layout.namespace(HOME, at)).collect();
    tenants.dedup();
    let mut text = String::new();
    for namespace in &tenants {
        let _ = write!(
            text,
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}
---
{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: deployer, namespace: {namespace}}}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: tandem-as-deployer, namespace: {namespace}}}
rules: [{{apiGroups: [''], resources: [serviceaccounts], resourceNames: [deployer], verbs: [impersonate]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: tandem-as-deployer, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: tandem-as-deployer}}
subjects: [{{kind: ServiceAccount, name: tandem, namespace: tandem-system}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: deployer, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}
subjects: [{{kind: ServiceAccount, name: deployer, namespace: {namespace}}}]
---
"
        );
    }
    if layout == Layout::Own {
        let _ = write!(text, "{{apiVersion: v1, kind: Namespace, metadata: {{name: {HOME}}}}}\n---\n");
    }
    let _ = write!(
        text,
        "{{apiVersion: v1, kind: Secret, metadata: {{name: hook, namespace: {HOME}}}, stringData: {{token: {KEY}}}}}
---
{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: reader, namespace: {HOME}}}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reader, namespace: {HOME}}}
rules: [{{apiGroups: [''], resources: [secrets], verbs: [get]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reader, namespace: {HOME}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects: [{{kind: ServiceAccount, name: reader, namespace: {HOME}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: tandem-as-reader, namespace: {HOME}}}
rules: [{{apiGroups: [''], resources: [serviceaccounts], resourceNames: [reader], verbs: [impersonate]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: tandem-as-reader, namespace: {HOME}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: tandem-as-reader}}
subjects: [{{kind: ServiceAccount, name: tandem, namespace: tandem-system}}]
---
apiVersion: tandemcd.io/v1alpha1
kind: Repository
metadata: {{name: repo, namespace: {HOME}}}
spec:
  url: '{}'
  ref: {{branch: main}}
  interval: 5m
  serviceAccountName: reader
  webhook: {{secretRef: {{name: hook}}}}
  allowedNamespaces: ['*']
  suspend: true
",
        repo.url
    );
    create(lab, &text);
    let mut syncs = String::new();
    for at in 0..n {
        let namespace = layout.namespace(HOME, at);
        let _ = write!(
            syncs,
            "---
apiVersion: tandemcd.io/v1alpha1
kind: Sync
metadata: {{name: app-{at}, namespace: {namespace}}}
spec:
  repositoryRef: {{name: repo, namespace: {HOME}}}
  path: apps/{at}
  serviceAccountName: deployer
  onInvalid: {on_invalid}
"
        );
    }
    create(lab, &syncs);
}

/// Applies documents with many requests in flight; kubectl would take minutes.
fn create(lab: &Lab, documents: &str) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = crate::watcher::client(lab.kubeconfig()).await;
        // One by one: a text of more than a thousand documents passes the reader's limit.
        let each = documents.split("---\n").filter(|document| !document.trim().is_empty());
        let bodies: Vec<Value> = each.map(|document| serde_yaml::from_str(document).expect("YAML")).collect();
        let (spaces, others): (Vec<_>, Vec<_>) = bodies.into_iter().partition(|body| body["kind"] == "Namespace");
        for group in [spaces, others] {
            let sent = group.into_iter().map(|body| apply(&client, body, "bench"));
            futures::StreamExt::for_each(
                futures::StreamExt::buffer_unordered(futures::stream::iter(sent), 16),
                async |()| (),
            )
            .await;
        }
    });
}

/// A kind, with the name of its resource.
pub fn resource(group: &str, version: &str, kind: &str) -> ApiResource {
    let plural = match kind {
        "Ingress" | "IPAddress" => format!("{}es", kind.to_lowercase()),
        "Repository" => "repositories".to_owned(),
        other => format!("{}s", other.to_lowercase()),
    };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), &plural)
}

/// One server-side apply.
pub async fn apply(client: &kube::Client, body: Value, manager: &str) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, version) = match text(&body["apiVersion"]).split_once('/') {
        Some((group, version)) => (group.to_owned(), version.to_owned()),
        None => (String::new(), text(&body["apiVersion"])),
    };
    let kind = text(&body["kind"]);
    let resource = resource(&group, &version, &kind);
    let api: Api<DynamicObject> = match body["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let name = text(&body["metadata"]["name"]);
    let applied = api.patch(&name, &PatchParams::apply(manager).force(), &Patch::Apply(&body)).await;
    applied.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
}

/// Resumes or suspends the Repository.
pub fn suspend(lab: &Lab, value: bool) {
    let patch = format!("{{\"spec\": {{\"suspend\": {value}}}}}");
    lab.k(&["-n", HOME, "patch", "repository", "repo", "--type=merge", "-p", &patch]);
}

/// Tells the agent that there is a push, as a forge would.
pub fn webhook(agent: &Agent) {
    webhook_at(agent, HOME);
}

/// The same of the Repository `repo` of a namespace.
pub fn webhook_at(agent: &Agent, namespace: &str) {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).expect("any length");
    mac.update(b"{}");
    let signature = mac.finalize().into_bytes().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let (address, path) = (agent.address(), tandem::server::webhook_path(namespace, "repo"));
    let mut stream = TcpStream::connect(&address).expect("the agent listens");
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nX-Tandem-Signature: sha256={signature}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answers");
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
}

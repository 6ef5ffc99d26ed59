//! The limit of the machine: the same objects by bare concurrent server-side apply, plus three
//! status-sized writes for each Sync, with as many connections as the agent has.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::lab::Lab;

/// Requests in flight at a time: the agent's own number.
const CONNECTIONS: usize = 32;

/// Applies N folders and returns how long that took.
pub fn bare(lab: &Lab, n: usize) -> Duration {
    lab.k(&["create", "namespace", "limit"]);
    let kubeconfig = lab.kubeconfig();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        // Once, before any client.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let text = kube::config::Kubeconfig::read_from(kubeconfig).expect("kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(text, &kube::config::KubeConfigOptions::default()).await;
        let client = kube::Client::try_from(config.expect("a config")).expect("a client");
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        let clock = Instant::now();
        let mut tasks = Vec::new();
        for at in 0..n {
            let mut bodies: Vec<Value> = crate::objects(at, 1).into();
            // Three writes of the size of a status.
            let filler = "x".repeat(600);
            let status = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("status-{at}")}});
            for write in 0..3 {
                let mut status = status.clone();
                status["data"] = json!({"write": format!("{write}{filler}")});
                bodies.push(status);
            }
            let (client, slots) = (client.clone(), slots.clone());
            tasks.push(tokio::spawn(async move {
                for body in bodies {
                    let _slot = slots.acquire().await.expect("open");
                    apply(&client, body).await;
                }
            }));
        }
        for task in tasks {
            task.await.expect("applied");
        }
        clock.elapsed()
    })
}

async fn apply(client: &kube::Client, body: Value) {
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let (group, version) = match text("apiVersion").split_once('/') {
        Some((group, version)) => (group.to_owned(), version.to_owned()),
        None => (String::new(), text("apiVersion")),
    };
    let kind = text("kind");
    let plural = if kind == "Ingress" { "ingresses".to_owned() } else { format!("{}s", kind.to_lowercase()) };
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(&group, &version, &kind), &plural);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), "limit", &resource);
    let name = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let applied = api.patch(&name, &PatchParams::apply("limit").force(), &Patch::Apply(&body)).await;
    applied.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
}

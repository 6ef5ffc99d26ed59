//! The limit of the machine: the same objects by bare concurrent server-side apply, plus three
//! status-sized writes for each Sync, with as many connections as the agent has.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::api::{Api, DeleteParams, DynamicObject, ListParams};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::lab::Lab;
use crate::scene::{Layout, apply, objects, resource};

/// Requests in flight at a time: the agent's own number.
const CONNECTIONS: usize = 32;

/// Applies N folders and returns how long that took.
pub fn bare(lab: &Lab, n: usize, layout: Layout) -> Duration {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let client = crate::watcher::client(lab.kubeconfig()).await;
        let mut namespaces: Vec<String> = (0..n).map(|at| layout.namespace("limit", at)).collect();
        namespaces.dedup();
        for name in &namespaces {
            let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            apply(&client, body, "limit").await;
        }
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        let clock = Instant::now();
        let mut tasks = Vec::new();
        for at in 0..n {
            let mut bodies: Vec<Value> = objects(at, 1, 0).into();
            // Three writes of the size of a status.
            let filler = "x".repeat(600);
            let status = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("status-{at}")}});
            for write in 0..3 {
                let mut status = status.clone();
                status["data"] = json!({"write": format!("{write}{filler}")});
                bodies.push(status);
            }
            for body in &mut bodies {
                body["metadata"]["namespace"] = json!(layout.namespace("limit", at));
            }
            let (client, slots) = (client.clone(), slots.clone());
            tasks.push(tokio::spawn(async move {
                for body in bodies {
                    let _slot = slots.acquire().await.expect("open");
                    apply(&client, body, "limit").await;
                }
            }));
        }
        for task in tasks {
            task.await.expect("applied");
        }
        let took = clock.elapsed();
        clear(&client, &namespaces).await;
        took
    })
}

/// Takes away what was applied: an API server looks through all addresses for each new Service, so that what stays would
/// make whoever comes next slower.
async fn clear(client: &kube::Client, namespaces: &[String]) {
    for (group, kind) in [("", "Service"), ("apps", "Deployment"), ("networking.k8s.io", "Ingress")] {
        for namespace in namespaces {
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource(group, "v1", kind));
            api.delete_collection(&DeleteParams::background(), &ListParams::default()).await.expect("deleted");
        }
    }
    // The API server's own Service keeps its address.
    for (group, kind, stays) in [("networking.k8s.io", "IPAddress", 1), ("apps", "ReplicaSet", 0)] {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(group, "v1", kind));
        let clock = Instant::now();
        while api.list(&ListParams::default()).await.expect("listed").items.len() > stays {
            assert!(clock.elapsed() < Duration::from_secs(300), "what was applied does not go: {kind}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

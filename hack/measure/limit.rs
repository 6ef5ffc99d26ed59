//! The limit of the machine: the same objects by bare concurrent server-side apply, plus three
//! status-sized writes for each Sync, with as many connections as the agent has.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::lab::Lab;
use crate::scene::{Layout, apply, objects};

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
        clock.elapsed()
    })
}

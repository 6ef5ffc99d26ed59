//! Somebody else's eyes: watches of the bench's own, so that what is timed is what another client of
//! the API server sees.

use std::collections::HashMap;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Api, DynamicObject};
use kube::core::GroupVersionKind;
use kube::core::PartialObjectMeta;
use kube::discovery::ApiResource;
use kube::runtime::watcher::{self, Event};
use kube::{Client, Resource, ResourceExt};
use tokio::runtime::Runtime;

/// What the watches have shown so far.
#[derive(Default)]
pub struct Seen {
    /// Generation of each Deployment, by namespace and name.
    pub deployments: HashMap<(String, String), i64>,
    /// Deployments whose replicas are all there, and of their newest generation.
    pub healthy: HashMap<(String, String), i64>,
    /// Generation of each Ingress.
    pub ingresses: HashMap<(String, String), i64>,
    /// Applied revision of each Sync that is ready.
    pub ready: HashMap<(String, String), String>,
}

/// Watches that run until this is dropped.
pub struct Watcher {
    seen: Arc<(Mutex<Seen>, Condvar)>,
    _runtime: Runtime,
}

impl Watcher {
    /// Starts to watch Deployments and Ingresses (their metadata), and Syncs.
    pub fn start(kubeconfig: PathBuf) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let seen = Arc::new((Mutex::new(Seen::default()), Condvar::new()));
        let client = runtime.block_on(client(kubeconfig));
        let deployments: Api<PartialObjectMeta<Deployment>> = Api::all(client.clone());
        let ingresses: Api<PartialObjectMeta<Ingress>> = Api::all(client.clone());
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("tandemcd.io", "v1alpha1", "Sync"));
        let syncs: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
        let told = seen.clone();
        runtime.spawn(follow(watcher::watcher(deployments, watcher::Config::default()), told, |seen, object| {
            seen.deployments.insert(key(object), object.metadata.generation.unwrap_or(0));
        }));
        let told = seen.clone();
        runtime.spawn(follow(watcher::watcher(ingresses, watcher::Config::default()), told, |seen, object| {
            seen.ingresses.insert(key(object), object.metadata.generation.unwrap_or(0));
        }));
        let told = seen.clone();
        runtime.spawn(follow(watcher::watcher(syncs, watcher::Config::default()), told, |seen, object| {
            let status = &object.data["status"];
            let ready = status["conditions"]
                .as_array()
                .is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"));
            let applied = status["appliedRevision"].as_str().unwrap_or_default();
            if ready {
                seen.ready.insert(key(object), applied.to_owned());
            } else {
                seen.ready.remove(&key(object));
            }
        }));
        Self { seen, _runtime: runtime }
    }

    /// Starts to watch the Deployments of one namespace whole, for those with Pods.
    pub fn follow_health(&self, kubeconfig: PathBuf, namespace: &str) {
        let client = self._runtime.block_on(client(kubeconfig));
        let deployments: Api<Deployment> = Api::namespaced(client, namespace);
        let told = self.seen.clone();
        self._runtime.spawn(follow(watcher::watcher(deployments, watcher::Config::default()), told, |seen, object| {
            let generation = object.metadata.generation.unwrap_or(0);
            let status = object.status.clone().unwrap_or_default();
            let wanted = object.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
            let there = [status.updated_replicas, status.available_replicas, status.replicas];
            if status.observed_generation == Some(generation) && there.iter().all(|n| n.unwrap_or(0) == wanted) {
                seen.healthy.insert(key(object), generation);
            }
        }));
    }

    /// Waits until `check` holds, and returns when it came to.
    pub fn wait(&self, limit: Duration, what: &str, check: impl Fn(&Seen) -> bool) -> Instant {
        let (seen, changed) = &*self.seen;
        let guard = seen.lock().expect("not poisoned");
        let (guard, waited) = changed.wait_timeout_while(guard, limit, |seen| !check(seen)).expect("not poisoned");
        let now = Instant::now();
        assert!(!waited.timed_out(), "waited {limit:?} for {what}; {} Syncs are ready", guard.ready.len());
        now
    }
}

/// A client as the lab's admin.
pub async fn client(kubeconfig: PathBuf) -> Client {
    // Once, before any client.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let text = kube::config::Kubeconfig::read_from(kubeconfig).expect("kubeconfig");
    let config = kube::Config::from_custom_kubeconfig(text, &kube::config::KubeConfigOptions::default()).await;
    Client::try_from(config.expect("a config")).expect("a client")
}

fn key<K: Resource>(object: &K) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

async fn follow<K: Resource + Clone + Debug + Send + 'static>(
    events: impl futures::Stream<Item = watcher::Result<Event<K>>>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    note: impl Fn(&mut Seen, &K),
) {
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        if let Ok(Event::Apply(object) | Event::InitApply(object)) = event {
            note(&mut seen.0.lock().expect("not poisoned"), &object);
            seen.1.notify_all();
        }
    }
}

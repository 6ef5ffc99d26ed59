//! Namespaces as they are, watched only while a Standard selects by their labels or names them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::agent::mailbox::Trigger;
use crate::agent::world::World;
use crate::cluster::KindInfo;
use crate::cluster::observe::{self, Event, Selector};

/// What is known of Namespaces.
pub struct Namespaces {
    needed: watch::Sender<bool>,
    /// `None` until all were seen.
    seen: watch::Sender<Option<Arc<BTreeMap<String, Value>>>>,
}

impl Default for Namespaces {
    fn default() -> Self {
        Self { needed: watch::Sender::new(false), seen: watch::Sender::new(None) }
    }
}

impl Namespaces {
    /// Whether anybody needs them.
    pub(super) fn need(&self, needed: bool) {
        self.needed.send_if_modified(|known| std::mem::replace(known, needed) != needed);
    }

    /// All of them, once they were seen; `None` where that takes longer than this.
    pub(super) async fn seen(&self, patience: Duration) -> Option<Arc<BTreeMap<String, Value>>> {
        let mut seen = self.seen.subscribe();
        let all = tokio::time::timeout(patience, seen.wait_for(Option::is_some)).await.ok()?.ok()?;
        all.clone()
    }
}

/// Watches Namespaces while they are needed; it never ends.
pub(super) async fn watch(world: Arc<World>) {
    let namespaces = &world.standards.namespaces;
    let mut needed = namespaces.needed.subscribe();
    loop {
        let _ = needed.wait_for(|needed| *needed).await;
        tokio::select! {
            () = follow(&world) => {}
            _ = needed.wait_for(|needed| !*needed) => {}
        }
        namespaces.seen.send_replace(None);
    }
}

async fn follow(world: &World) {
    let kind = KindInfo::known("", "v1", "Namespace", "namespaces");
    let mut events = observe::watch(&world.cluster.own(), &kind, "", &Selector::all()).boxed();
    let mut all = BTreeMap::new();
    let mut whole = false;
    while let Some(event) = events.next().await {
        match event {
            Event::ListBegan => {
                whole = false;
                all.clear();
            }
            Event::Listed(object) | Event::Applied(object) => {
                let (name, kept) = keep(&object);
                all.insert(name, kept);
            }
            Event::Deleted(object) => {
                all.remove(&keep(&object).0);
            }
            Event::ListEnded => whole = true,
            Event::Failing(error) => tracing::warn!(%error, "Namespaces cannot be watched"),
        }
        let seen = &world.standards.namespaces.seen;
        let news = whole
            && seen.send_if_modified(|known| {
                let news = known.as_deref() != Some(&all);
                if news {
                    *known = Some(Arc::new(all.clone()));
                }
                news
            });
        if news {
            // What was held may be none of the Standard's business now.
            world.registry.tell_all(|| Trigger::Standard);
        }
    }
}

/// What expressions and selectors may see of a Namespace, and nothing that changes without them.
fn keep(object: &Value) -> (String, Value) {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut metadata = object.get("metadata").cloned().unwrap_or_default();
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.remove("managedFields");
    }
    let phase = object.pointer("/status/phase").cloned().unwrap_or_default();
    let spec = object.get("spec").cloned().unwrap_or_else(|| json!({}));
    (
        name,
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata, "spec": spec, "status": {"phase": phase}}),
    )
}

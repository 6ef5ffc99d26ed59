//! Inventory chunks.

use http::Method;
use kube::ResourceExt;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{GROUP, Inventory, STATUS_MANAGER, Sync, VERSION};
use crate::cluster::call::{Call, collection_path, escape, object_path};
use crate::cluster::error::ClusterError;
use crate::cluster::kinds::KindInfo;
use crate::cluster::refusal::RefusalReason;
use crate::cluster::session::Session;

const JSON: &str = "application/json";
/// Chunks hold up to 1,000 entries each, so a page is a few megabytes at most.
const PAGE: u32 = 20;

fn kind() -> KindInfo {
    KindInfo::of::<Inventory>()
}

#[derive(Deserialize)]
struct Page {
    metadata: PageMetadata,
    items: Vec<Inventory>,
}

#[derive(Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    next: String,
}

/// All chunks of a namespace, or of all where it is empty.
///
/// # Errors
/// Refusals, failures to ask, and [`ClusterError::BadAnswer`] where a chunk cannot be read: an
/// inventory that is not understood is never taken for an empty one.
pub async fn list_inventories(session: &Session, namespace: &str) -> Result<Vec<Inventory>, ClusterError> {
    let kind = kind();
    let base = collection_path(&kind, namespace)?;
    let mut all = Vec::new();
    let mut next = String::new();
    loop {
        let path = format!("{base}?limit={PAGE}&continue={}", escape(&next));
        let page: Page = session.send(Call::of("list", Method::GET, &kind, namespace, "", path)).await?.json()?;
        all.extend(page.items);
        next = page.metadata.next;
        if next.is_empty() {
            return Ok(all);
        }
    }
}

/// Creates a chunk, owned by its Sync. The answer carries its uid and resourceVersion.
///
/// # Errors
/// [`ClusterError::Refused`], with [`RefusalReason::AlreadyExists`] where one of that name exists;
/// or a failure to send.
pub async fn create_inventory(session: &Session, chunk: &Inventory, owner: &Sync) -> Result<Inventory, ClusterError> {
    let kind = kind();
    let mut body = body(chunk)?;
    body["metadata"]["ownerReferences"] = json!([{
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "Sync",
        "name": owner.name_any(), "uid": owner.uid().unwrap_or_default(),
        // The Sync is not held back by its inventory: its finalizer does that where it must.
        "blockOwnerDeletion": false, "controller": true,
    }]);
    let namespace = chunk.namespace().unwrap_or_default();
    let path = collection_path(&kind, &namespace)? + "?fieldManager=" + STATUS_MANAGER;
    let call =
        Call::of("create", Method::POST, &kind, &namespace, &chunk.name_any(), path).with_json(JSON, &body).once();
    session.send(call).await?.json()
}

/// Replaces a chunk that is still at its resourceVersion. The answer carries the new one.
///
/// # Errors
/// [`ClusterError::Refused`], with [`RefusalReason::Stale`] where somebody else wrote it; or a
/// failure to send, after which it must be read again.
pub async fn update_inventory(session: &Session, chunk: &Inventory) -> Result<Inventory, ClusterError> {
    let kind = kind();
    let (namespace, name) = (chunk.namespace().unwrap_or_default(), chunk.name_any());
    if chunk.resource_version().is_none_or(|version| version.is_empty()) {
        return Err(ClusterError::BadName(format!("{name} without resourceVersion")));
    }
    let path = object_path(&kind, &namespace, &name)? + "?fieldManager=" + STATUS_MANAGER;
    let call = Call::of("update", Method::PUT, &kind, &namespace, &name, path).with_json(JSON, &body(chunk)?).once();
    session.send(call).await?.json()
}

/// Deletes an empty chunk that is still at its resourceVersion. One that is gone already is fine.
///
/// # Errors
/// [`ClusterError::Refused`] or a failure to send.
pub async fn delete_inventory(session: &Session, chunk: &Inventory) -> Result<(), ClusterError> {
    let kind = kind();
    let (namespace, name) = (chunk.namespace().unwrap_or_default(), chunk.name_any());
    let only = json!({"uid": chunk.uid(), "resourceVersion": chunk.resource_version()});
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": only});
    let path = object_path(&kind, &namespace, &name)?;
    let call = Call::of("delete", Method::DELETE, &kind, &namespace, &name, path).with_json(JSON, &options);
    match session.send(call).await {
        Err(error) if error.refusal().map(|r| &r.why) != Some(&RefusalReason::NotFound) => Err(error),
        _ => Ok(()),
    }
}

fn body(chunk: &Inventory) -> Result<Value, ClusterError> {
    let mut body = serde_json::to_value(chunk).map_err(|e| ClusterError::BadAnswer {
        what: format!("write of {}", chunk.name_any()),
        code: 0,
        message: e.to_string(),
    })?;
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    Ok(body)
}

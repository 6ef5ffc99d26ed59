//! What a Sync owns, as it is in the cluster now: each object with its health, and what it owns.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use kube::ResourceExt;
use serde::Serialize;
use serde_json::Value;

use super::stop::Stop;
use crate::api::{Inventory, Sync};
use crate::cluster::{Cluster, ClusterError, apply, own, person};
use crate::health::{Expressions, Health, Rule, Status, assess};
use crate::object::{ObjectId, split_api_version};

/// Requests at a time.
const AT_ONCE: usize = 16;
/// Levels of owners that are followed: Deployment → ReplicaSet → Pod, CronJob → Job → Pod.
const DEPTH: usize = 3;
/// Kinds that controllers make for what people write.
const CHILDREN: &[(&str, &str)] = &[("apps", "ReplicaSet"), ("batch", "Job"), ("", "Pod")];

/// One object in the cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiveObject {
    /// Which.
    pub id: ObjectId,
    /// `metadata.uid`; `None` where it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// How it is.
    pub health: Health,
    /// What names it as its controller.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<LiveObject>,
}

/// Identities in the inventory of a Sync, with the version of their API.
pub async fn owned(cluster: &Cluster, sync: &Sync) -> Result<BTreeMap<ObjectId, String>, Stop> {
    let (namespace, name) = (sync.namespace().unwrap_or_default(), sync.name_any());
    let chunks: Vec<Inventory> = own::list_inventories(&cluster.own(), &namespace).await?;
    let entries = chunks.into_iter().filter(|chunk| chunk.spec.sync == name).flat_map(|chunk| chunk.spec.entries);
    Ok(entries.filter_map(|entry| Some((entry.id.parse().ok()?, entry.v))).collect())
}

/// Every object that a Sync owns, without what those own.
pub async fn objects(cluster: &Cluster, sync: &Sync) -> Result<Vec<LiveObject>, Stop> {
    let expressions = &expressions(sync);
    let owned = owned(cluster, sync).await?;
    let found = stream::iter(owned)
        .map(|(id, version)| async move { look(cluster, id, &version, expressions).await })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(found)
}

/// The same objects with what they own below them.
pub async fn with_children(cluster: &Cluster, mut objects: Vec<LiveObject>) -> Result<Vec<LiveObject>, Stop> {
    let namespaces: BTreeSet<String> =
        objects.iter().map(|object| object.id.namespace.clone()).filter(|namespace| !namespace.is_empty()).collect();
    let mut by_owner: BTreeMap<String, Vec<LiveObject>> = BTreeMap::new();
    for namespace in namespaces {
        for (group, kind) in CHILDREN {
            for object in list(cluster, group, kind, &namespace).await? {
                if let Some((owner, child)) = child(&object) {
                    by_owner.entry(owner).or_default().push(child);
                }
            }
        }
    }
    let known: BTreeSet<ObjectId> = objects.iter().map(|object| object.id.clone()).collect();
    by_owner.values_mut().for_each(|children| children.retain(|child| !known.contains(&child.id)));
    objects.iter_mut().for_each(|object| hang(object, &by_owner, DEPTH));
    Ok(objects)
}

async fn look(
    cluster: &Cluster,
    id: ObjectId,
    version: &str,
    expressions: &Expressions,
) -> Result<LiveObject, ClusterError> {
    let session = cluster.own();
    let kind = match cluster.kinds().preferred(&session, &id.group, &id.kind).await {
        Ok(preferred) => {
            let snapshot = cluster.kinds().snapshot(&session).await?;
            snapshot.get(&id.group, version, &id.kind).cloned().unwrap_or(preferred)
        }
        Err(error @ ClusterError::NoSuchKind { .. }) => {
            let health = Health { status: Status::NotFound, message: error.to_string() };
            return Ok(LiveObject { id, uid: None, health, children: Vec::new() });
        }
        Err(error) => return Err(error),
    };
    let (uid, health) = match apply::get(&session, &kind, &id.namespace, &id.name).await {
        Ok(Some(object)) => (uid(&object), assess(&object, expressions)),
        Ok(None) => (None, Health { status: Status::NotFound, message: String::new() }),
        // Somebody who may not read one kind still sees the others.
        Err(ClusterError::Refused(refusal)) => (None, Health { status: Status::Unknown, message: refusal.to_string() }),
        Err(error) => return Err(error),
    };
    Ok(LiveObject { id, uid, health, children: Vec::new() })
}

async fn list(cluster: &Cluster, group: &str, kind: &str, namespace: &str) -> Result<Vec<Value>, ClusterError> {
    let session = cluster.own();
    let kind = cluster.kinds().preferred(&session, group, kind).await?;
    match person::list(&session, &kind, namespace, "").await {
        Err(ClusterError::Refused(_)) => Ok(Vec::new()),
        answered => answered,
    }
}

/// Those that compile; what is wrong with the others stands in the Sync's conditions.
fn expressions(sync: &Sync) -> Expressions {
    Expressions::compile(&sync.spec.health.iter().map(Rule::from).collect::<Vec<_>>()).0
}

/// uid of the controller, and the object.
fn child(object: &Value) -> Option<(String, LiveObject)> {
    let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
    let owner = owners.iter().find(|owner| owner.get("controller") == Some(&Value::Bool(true)))?;
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (group, _) = split_api_version(text("/apiVersion"));
    let id = ObjectId::new(text("/metadata/namespace"), text("/metadata/name"), group, text("/kind"));
    // Old revisions of a Deployment are kept at zero replicas; they would hide what runs.
    if id.kind == "ReplicaSet" && object.pointer("/spec/replicas") == Some(&Value::from(0)) {
        return None;
    }
    let health = assess(object, &Expressions::default());
    Some((owner.get("uid")?.as_str()?.to_owned(), LiveObject { id, uid: uid(object), health, children: Vec::new() }))
}

fn hang(object: &mut LiveObject, by_owner: &BTreeMap<String, Vec<LiveObject>>, depth: usize) {
    let Some(children) = object.uid.as_ref().and_then(|uid| by_owner.get(uid)) else { return };
    object.children = children.clone();
    if depth > 1 {
        object.children.iter_mut().for_each(|child| hang(child, by_owner, depth - 1));
    }
}

fn uid(object: &Value) -> Option<String> {
    object.pointer("/metadata/uid")?.as_str().map(str::to_owned)
}

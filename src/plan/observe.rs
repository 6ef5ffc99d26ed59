//! A live object, as far as a plan needs it.

use serde_json::Value;

use super::{Finished, Foreign, Replicas, Seen, Terminating};
use crate::inventory::{Entry, Flag};
use crate::object::fields::{IgnoreRule, Managers, Yields, adopt_patch, autoscaled, fingerprint, last_hand};
use crate::object::{DigestKey, ObjectId, annotation};

/// The fields of an object that are left to others, as far as known without its manifest: the
/// Sync's rules, and what the inventory says of autoscalers. Fingerprints need them.
pub fn yields_of(id: &ObjectId, rules: &[IgnoreRule], entry: Option<&Entry>) -> Yields {
    let yields = Yields::of(id, rules);
    if entry.is_some_and(|entry| entry.flags.contains(&Flag::Autoscaled)) { yields.and_replicas() } else { yields }
}

/// Keeps of a live object what a plan needs. `None` where it has no uid, and so is no live object.
pub fn see(object: &Value, key: &DigestKey, yields: &Yields, managers: &Managers) -> Option<Seen> {
    let metadata = object.get("metadata")?;
    let text = |name: &str| metadata.get(name).and_then(Value::as_str);
    let owner = metadata.get("annotations").and_then(|found| found.get(annotation::OWNER)).and_then(Value::as_str);
    Some(Seen {
        uid: text("uid")?.to_owned(),
        resource_version: text("resourceVersion").unwrap_or_default().to_owned(),
        fields: fingerprint(key, object, yields, managers),
        author: last_hand(object, managers),
        owner: owner.map(str::to_owned),
        terminating: if text("deletionTimestamp").is_some() { Terminating::Yes } else { Terminating::No },
        finished: finished(object),
        replicas: if autoscaled(object) { Replicas::Autoscaled } else { Replicas::Given },
        foreign: if adopt_patch(object, yields, managers).is_some() { Foreign::Yes } else { Foreign::No },
    })
}

fn finished(object: &Value) -> Finished {
    let job =
        object["kind"] == "Job" && object["apiVersion"].as_str().is_some_and(|version| version.starts_with("batch/"));
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array).filter(|_| job);
    let holds = |name: &str| {
        conditions.into_iter().flatten().any(|condition| condition["type"] == name && condition["status"] == "True")
    };
    if holds("Complete") {
        Finished::Succeeded
    } else if holds("Failed") {
        Finished::Failed
    } else {
        Finished::No
    }
}

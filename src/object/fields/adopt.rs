//! Taking an object over from another deployer.

use serde_json::{Value, json};

use super::{FieldSet, LAST_APPLIED, MANAGER, Managers, Yields, entries, kept_paths};
use crate::object::split_api_version;

/// The patch that moves what interactive tools and other deployers own on an object into our entry
/// of `managedFields`, so that a field that Git does not name disappears with our next apply. `None`
/// where there is nothing to move.
///
/// Flow: their entries of the main resource are united with ours and taken out; what they may keep
/// (`kubectl rollout restart`'s annotation, and what `yields` names) stays theirs; the annotation of
/// `kubectl apply` goes. An entry of another version of the API gives only what the object, as it
/// was read, has: a path that this version lacks would fail our next apply.
///
/// Guarantees: the patch carries the resourceVersion that was read, so it is answered with 409 where
/// somebody wrote in between. It changes no value of a field but that annotation.
pub fn adopt_patch(live: &Value, yields: &Yields, managers: &Managers) -> Option<json_patch::Patch> {
    let resource_version = live.pointer("/metadata/resourceVersion")?.as_str()?;
    let entries_now = entries(live);
    let yields = yields.with_replicas(super::is_autoscaled(&entries_now, live));
    let last_applied = live.pointer("/metadata/annotations").and_then(|found| found.get(LAST_APPLIED)).is_some();
    let adopted =
        |entry: &super::Owns<'_>| !entry.is_ours() && !entry.subresource && managers.is_adopted(entry.manager);
    if !last_applied && !entries_now.iter().any(adopted) {
        return None;
    }
    let raw = live.pointer("/metadata/managedFields")?.as_array()?;
    let own = entries_now.iter().find(|entry| entry.is_ours());
    let api_version = own.map_or_else(|| live["apiVersion"].as_str().unwrap_or_default(), |own| own.api_version);
    let mut ours = own.map(super::Owns::fields).unwrap_or_default();
    let mut kept_entries = Vec::new();
    let mut moved = false;
    for (entry, written) in entries_now.iter().zip(raw) {
        if entry.is_ours() {
            continue;
        }
        let same_group = split_api_version(entry.api_version).0 == split_api_version(api_version).0;
        if !same_group || !adopted(entry) {
            kept_entries.push(written.clone());
            continue;
        }
        let all = FieldSet::read(entry.fields_v1);
        let mut gives = entry.fields();
        for path in kept_paths() {
            gives.remove(&path, None);
        }
        for pointer in yields.pointers() {
            gives.remove(pointer.segments(), Some(live));
        }
        let keeps = all.leaves().without(&gives);
        gives.remove(&["metadata", "annotations", LAST_APPLIED].map(str::to_owned), None);
        if entry.api_version != api_version {
            gives = gives.found_in(live);
        }
        ours = ours.union(&gives);
        if keeps.is_empty() {
            moved = true;
        } else {
            moved |= !gives.leaves().is_empty();
            let mut left = written.clone();
            left["fieldsV1"] = keeps.write();
            kept_entries.push(left);
        }
    }
    if !moved && !last_applied {
        return None;
    }
    if !ours.is_empty() {
        kept_entries.push(our_entry(api_version, own.map(|own| own.time), &ours));
    }
    let mut patch = vec![
        json!({ "op": "replace", "path": "/metadata/managedFields", "value": kept_entries }),
        json!({ "op": "replace", "path": "/metadata/resourceVersion", "value": resource_version }),
    ];
    if last_applied {
        let path = format!("/metadata/annotations/{}", LAST_APPLIED.replace('/', "~1"));
        patch.insert(0, json!({ "op": "remove", "path": path }));
    }
    Some(serde_json::from_value(Value::Array(patch)).expect("these are operations of JSON patch"))
}

fn our_entry(api_version: &str, time: Option<&str>, fields: &FieldSet) -> Value {
    let mut entry = json!({
        "manager": MANAGER,
        "operation": "Apply",
        "apiVersion": api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields.write(),
    });
    if let Some(time) = time.filter(|time| !time.is_empty()) {
        entry["time"] = Value::from(time);
    }
    entry
}

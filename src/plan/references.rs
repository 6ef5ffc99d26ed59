//! What a workload names in its pods: configuration, secrets, claims, accounts.

use serde_json::Value;

use super::Desired;
use crate::object::ObjectId;

/// Whether the pods of `object` would not start as meant without `on`.
pub(super) fn refers_to(object: &Desired, on: &Desired) -> bool {
    let on = on.id();
    let fields: &[(&str, &str)] = match (on.group.as_str(), on.kind.as_str()) {
        ("", "ConfigMap") => &[("configMapRef", "name"), ("configMapKeyRef", "name"), ("configMap", "name")],
        ("", "Secret") => &[
            ("secretRef", "name"),
            ("secretKeyRef", "name"),
            ("secret", "secretName"),
            ("secret", "name"),
            ("imagePullSecrets", "name"),
        ],
        ("", "PersistentVolumeClaim") => &[("persistentVolumeClaim", "claimName")],
        ("", "ServiceAccount") => &[("", "serviceAccountName")],
        _ => return false,
    };
    let id = object.id();
    id.namespace == on.namespace
        && pod(id, &object.manifest.body)
            .is_some_and(|pod| fields.iter().any(|(parent, name)| names(pod, "", parent, name, &on.name)))
}

/// The pod's spec in a workload.
fn pod<'v>(id: &ObjectId, body: &'v Value) -> Option<&'v Value> {
    match (id.group.as_str(), id.kind.as_str()) {
        ("", "Pod") => body.get("spec"),
        ("batch", "CronJob") => body.pointer("/spec/jobTemplate/spec/template/spec"),
        ("apps" | "batch" | "", _) => body.pointer("/spec/template/spec"),
        _ => None,
    }
}

fn names(value: &Value, within: &str, parent: &str, field: &str, name: &str) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, below)| {
            ((parent.is_empty() || within == parent) && key == field && below == name)
                || names(below, key, parent, field, name)
        }),
        Value::Array(items) => items.iter().any(|item| names(item, within, parent, field, name)),
        _ => false,
    }
}

//! No secret value is ever printed.

use serde_json::Value;

/// What stands in place of a secret value.
pub const MASK: &str = "***";

/// Whether values of this kind are secret.
pub fn is_secret(group: &str, kind: &str) -> bool {
    group.is_empty() && kind == "Secret"
}

/// Replaces every value of `data` and `stringData` of a Secret, and the last-applied annotation
/// that repeats them, by `***`. Keys stay.
pub fn mask_secret(body: &mut Value) {
    for field in ["data", "stringData"] {
        if let Some(values) = body.get_mut(field).and_then(Value::as_object_mut) {
            for value in values.values_mut() {
                *value = Value::String(MASK.to_owned());
            }
        }
    }
    if let Some(annotations) = body.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

//! The marks of ownership that the agent writes on what it applies.

use serde_json::Value;

use crate::object::fields::LAST_APPLIED;
use crate::object::{annotation, label};

/// The object without them, and without the annotation in which `kubectl apply` keeps its notes:
/// nobody wrote them into the repository.
pub fn without_marks(object: &Value) -> Value {
    let labels = [label::SYNC_NAME, label::SYNC_NAMESPACE, label::MANAGED_BY];
    let mut object = object.clone();
    take(&mut object, "labels", |key, value| labels.contains(&key) && (key != label::MANAGED_BY || value == "tandem"));
    take(&mut object, "annotations", |key, _| key == annotation::OWNER || key == LAST_APPLIED);
    object
}

/// Takes entries out of a mapping of the metadata, and the mapping where nothing is left.
fn take(object: &mut Value, field: &str, goes: impl Fn(&str, &Value) -> bool) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let Some(map) = metadata.get_mut(field).and_then(Value::as_object_mut) else { return };
    let before = map.len();
    map.retain(|key, value| !goes(key, value));
    if map.is_empty() && before > 0 {
        metadata.remove(field);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_our_marks_go() {
        let marked = json!({"metadata": {
            "labels": {"app": "web", label::SYNC_NAME: "a", label::SYNC_NAMESPACE: "b", label::MANAGED_BY: "tandem"},
            "annotations": {annotation::OWNER: "c/a/b", LAST_APPLIED: "{}"},
        }});
        assert_eq!(without_marks(&marked), json!({"metadata": {"labels": {"app": "web"}}}));
        let helm = json!({"metadata": {"labels": {label::MANAGED_BY: "Helm"}}});
        assert_eq!(without_marks(&helm), helm);
    }
}

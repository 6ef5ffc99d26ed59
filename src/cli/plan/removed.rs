//! What goes when we take an object over: fields that kubectl or another deployer wrote, and that
//! Git does not name.
//!
//! The agent moves their entries of `managedFields` into ours, and its next apply then removes what
//! the manifest lacks. A dry-run cannot show both steps, so the second is worked out here.

use serde_json::{Map, Value};

use crate::object::fields::{Managers, Yields, adopt_patch, ours, theirs};

/// What becomes of a dry-run's answer once the entries of other deployers were moved into ours.
pub fn after_adoption(answer: &Value, yields: &Yields, managers: &Managers) -> Value {
    let mut after = answer.clone();
    let Some(patch) = adopt_patch(answer, yields, managers) else { return after };
    if json_patch::patch(&mut after, &patch).is_err() {
        return answer.clone();
    }
    let moved = ours(&after).unwrap_or_default().write();
    let named = ours(answer).unwrap_or_default().write();
    let others = theirs(&after).write();
    cut(&mut after, &moved, &named, &others);
    after
}

/// Takes out of `value` what `moved` has and neither `named` nor `others` have; all three are
/// `fieldsV1`.
fn cut(value: &mut Value, moved: &Value, named: &Value, others: &Value) {
    let Some(fields) = moved.as_object() else { return };
    for (key, below) in fields.iter().filter(|(key, _)| *key != ".") {
        let (named, others) = (named.get(key), others.get(key));
        let whole = below.as_object().is_some_and(|below| below.is_empty() || below.contains_key("."));
        if named.is_none() && others.is_none() && whole {
            take(value, key);
        } else if let Some(child) = step(value, key) {
            let nothing = Value::Object(Map::new());
            cut(child, below, named.unwrap_or(&nothing), others.unwrap_or(&nothing));
        }
    }
}

/// What a key of `fieldsV1` stands for: `f:<field>`, `k:<keys of a list's item>`, `v:<value>`.
fn step<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    match key.split_once(':')? {
        ("f", name) => value.get_mut(name),
        _ => {
            let at = position(value, key)?;
            value.get_mut(at)
        }
    }
}

fn take(value: &mut Value, key: &str) {
    if let Some(("f", name)) = key.split_once(':') {
        if let Some(map) = value.as_object_mut() {
            map.remove(name);
        }
    } else if let (Some(at), Some(items)) = (position(value, key), value.as_array_mut()) {
        items.remove(at);
    }
}

fn position(value: &Value, key: &str) -> Option<usize> {
    let (form, wanted) = key.split_once(':')?;
    let wanted: Value = serde_json::from_str(wanted).ok()?;
    value.as_array()?.iter().position(|item| match form {
        "k" => wanted.as_object().is_some_and(|keys| keys.iter().all(|(name, value)| item.get(name) == Some(value))),
        _ => *item == wanted,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_kubectl_wrote_and_git_does_not_name_goes() {
        let answer = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "web", "resourceVersion": "7",
                "labels": {"app": "web", "old": "x", "theirs": "y"},
                "managedFields": [
                    {"manager": "tandem", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:app": {}}},
                        "f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}}}},
                    }},
                    {"manager": "kubectl", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:app": {}, "f:old": {}}},
                        "f:spec": {"f:paused": {}, "f:containers": {
                            "k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}, "f:tty": {}},
                            "k:{\"name\":\"old\"}": {".": {}, "f:name": {}, "f:image": {}},
                        }},
                    }},
                    {"manager": "controller", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:theirs": {}}},
                    }},
                ],
            },
            "spec": {"paused": true, "defaulted": 1, "containers": [
                {"name": "old", "image": "o", "defaulted": 1}, {"name": "web", "image": "w", "tty": true, "defaulted": 1},
            ]},
        });
        let after = after_adoption(&answer, &Yields::none(), &Managers::default());
        assert_eq!(after["metadata"]["labels"], json!({"app": "web", "theirs": "y"}));
        let kept = json!([{"name": "web", "image": "w", "defaulted": 1}]);
        assert_eq!(after["spec"], json!({"defaulted": 1, "containers": kept}));
    }
}

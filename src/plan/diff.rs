//! What differs, field by field, for people.

use serde_json::Value;

use super::pairs::pairs;
use super::{FieldChange, without_marks};
use crate::object::fields::LAST_APPLIED;
use crate::object::mask::{MASK, holds_text, is_secret, texts_at};
use crate::object::{Manifest, split_api_version};

/// Every field that differs between the live object and what it is to be: the answer of a dry-run,
/// or a payload that is created. Fields that the server sets are left out; values of Secrets are
/// masked.
pub fn diff(live: &Value, desired: &Value) -> Vec<FieldChange> {
    Comparison::of(live, desired, What::Everything)
}

/// The fields of `desired` that the live object has not, or has with another value. What the live
/// object has beside them is no drift by itself.
pub fn drift(live: &Value, desired: &Value) -> Vec<FieldChange> {
    Comparison::of(live, desired, What::OnlyDesired)
}

/// Masks the fields whose value is, or was, one that was encrypted in the repository. What goes from
/// where others are encrypted was probably encrypted too.
pub fn mask_fields(fields: &mut [FieldChange], manifest: &Manifest) {
    let secrets = texts_at(&manifest.body, &manifest.masked);
    let tops: Vec<&str> = manifest.masked.iter().filter_map(|pointer| pointer.split('/').nth(1)).collect();
    for field in fields {
        let top = field.path.split(['.', '[']).next().unwrap_or_default();
        let goes = field.desired.is_none() && tops.contains(&top);
        if goes || [&field.live, &field.desired].into_iter().flatten().any(|value| holds_text(value, &secrets)) {
            let changed = if field.live.is_some() { CHANGED } else { MASK };
            field.live = field.live.as_ref().map(|_| Value::from(MASK));
            field.desired = field.desired.as_ref().map(|_| Value::from(changed));
        }
    }
}

/// What may be told of a live object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It is the Sync's own, and nothing in it can have been secret.
    All,
    /// Values of it may have been secret: they came from Secrets, or were encrypted.
    Masked,
    /// It is not the Sync's yet: only fields that the Sync wants are told, and none of their values.
    Wanted,
}

/// What an apply would change in a live object, by the API server's answer to a dry-run. The account that asks may read
/// more than whoever is told.
pub fn changed_fields(live: &Value, answer: &Value, manifest: &Manifest, shown: Shown) -> Vec<FieldChange> {
    let live = without_marks(live);
    let mut fields = match shown {
        Shown::Wanted => drift(&live, &without_marks(&manifest.body)),
        Shown::All | Shown::Masked => diff(&live, &without_marks(answer)),
    };
    mask_fields(&mut fields, manifest);
    if shown != Shown::All {
        fields.iter_mut().for_each(|field| field.live = field.live.as_ref().map(|_| Value::from(MASK)));
    }
    fields
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Everything,
    OnlyDesired,
}

struct Comparison {
    what: What,
    secret: bool,
    found: Vec<FieldChange>,
}

/// What the API server alone writes, and what is no content.
const SERVER_SET: &[&str] = &[
    "status",
    "metadata.managedFields",
    "metadata.resourceVersion",
    "metadata.generation",
    "metadata.uid",
    "metadata.creationTimestamp",
    "metadata.selfLink",
];

impl Comparison {
    fn of(live: &Value, desired: &Value, what: What) -> Vec<FieldChange> {
        let mut comparison = Self { what, secret: holds_secrets(desired) || holds_secrets(live), found: Vec::new() };
        comparison.compare("", Some(live), Some(desired));
        comparison.found
    }

    fn compare(&mut self, path: &str, live: Option<&Value>, desired: Option<&Value>) {
        if SERVER_SET.contains(&path) || path == format!("metadata.annotations[{LAST_APPLIED}]") {
            return;
        }
        let live = live.filter(|value| !value.is_null());
        let desired = desired.filter(|value| !value.is_null());
        if live == desired || (desired.is_none() && self.what == What::OnlyDesired) {
            return;
        }
        match (live, desired) {
            (Some(Value::Object(one)), Some(Value::Object(other))) => {
                let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
                names.sort_unstable();
                names.dedup();
                for name in names {
                    self.compare(&join(path, name), one.get(name), other.get(name));
                }
            }
            (Some(Value::Array(one)), Some(Value::Array(other))) => {
                // Sets of scalars and lists without keys are told as a whole.
                if one.iter().chain(other).all(Value::is_object) {
                    for pair in pairs(one, other) {
                        self.compare(&format!("{path}[{}]", pair.label), pair.one, pair.other);
                    }
                } else {
                    self.tell(path, live, desired);
                }
            }
            // What only one side has is told by its fields: so each can be masked, and read.
            (None, Some(Value::Object(map))) if path.is_empty() || path == "metadata" || self.masked_below(path) => {
                for (name, value) in map {
                    self.compare(&join(path, name), None, Some(value));
                }
            }
            (Some(Value::Object(map)), None) if path.is_empty() || path == "metadata" || self.masked_below(path) => {
                for (name, value) in map {
                    self.compare(&join(path, name), Some(value), None);
                }
            }
            _ => self.tell(path, live, desired),
        }
    }

    fn masked_below(&self, path: &str) -> bool {
        self.secret && matches!(path, "data" | "stringData" | "metadata.annotations")
    }

    fn tell(&mut self, path: &str, live: Option<&Value>, desired: Option<&Value>) {
        let masked = self.secret && (path.starts_with("data") || path.starts_with("stringData"));
        let shown = |value: Option<&Value>, mask: &str| {
            value.map(|value| if masked { Value::from(mask) } else { value.clone() })
        };
        let both = live.is_some() && desired.is_some();
        self.found.push(FieldChange {
            path: path.to_owned(),
            live: shown(live, MASK),
            desired: shown(desired, if both { CHANGED } else { MASK }),
        });
    }
}

/// What stands in place of a secret value that changes.
const CHANGED: &str = "*** (changed)";

fn holds_secrets(object: &Value) -> bool {
    let group = split_api_version(object["apiVersion"].as_str().unwrap_or_default()).0;
    is_secret(group, object["kind"].as_str().unwrap_or_default())
}

/// `a.b`, and `a[b.c/d]` where a name could be taken for a path.
fn join(path: &str, name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$'));
    match (path.is_empty(), plain) {
        (true, _) => name.to_owned(),
        (false, true) => format!("{path}.{name}"),
        (false, false) => format!("{path}[{name}]"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(changes: Vec<FieldChange>) -> Vec<String> {
        let text = |value: Option<Value>| value.map_or("-".to_owned(), |value| value.to_string());
        changes
            .into_iter()
            .map(|change| format!("{}: {} -> {}", change.path, text(change.live), text(change.desired)))
            .collect()
    }

    #[test]
    fn items_are_matched_by_their_keys() {
        let live = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "log", "image": "l:1"}, {"name": "web", "image": "w:1", "ports": [{"containerPort": 80, "protocol": "TCP", "name": "a"}]}]}}}});
        let desired = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "web", "image": "w:2", "ports": [{"containerPort": 80, "protocol": "TCP", "name": "b"}]}, {"name": "new", "image": "n"}]}}}});
        assert_eq!(
            told(diff(&live, &desired)),
            [
                "spec.template.spec.containers[name=web].image: \"w:1\" -> \"w:2\"",
                "spec.template.spec.containers[name=web].ports[containerPort=80,protocol=TCP].name: \"a\" -> \"b\"",
                "spec.template.spec.containers[name=new]: - -> {\"image\":\"n\",\"name\":\"new\"}",
                "spec.template.spec.containers[name=log]: {\"image\":\"l:1\",\"name\":\"log\"} -> -",
            ]
        );
    }

    #[test]
    fn secrets_are_masked_whatever_happens_to_them() {
        let secret = |data: Value| {
            let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "annotations": {LAST_APPLIED: "CANARY"}}});
            if !data.is_null() {
                secret["data"] = data;
            }
            secret
        };
        let (one, two) =
            (secret(json!({"a": "CANARY1", "b": "CANARY"})), secret(json!({"a": "CANARY2", "c": "CANARY"})));
        assert_eq!(
            told(diff(&one, &two)),
            ["data.a: \"***\" -> \"*** (changed)\"", "data.b: \"***\" -> -", "data.c: - -> \"***\""]
        );
        let nothing = secret(Value::Null);
        for (live, desired) in [
            (&one, &nothing),
            (&nothing, &one),
            (&Value::Null, &one),
            (&one, &Value::Null),
            (&secret(json!("CANARY")), &one),
        ] {
            let text = told(diff(live, desired)).join("\n") + &told(drift(live, desired)).join("\n");
            assert!(!text.contains("CANARY"), "{text}");
        }
    }

    #[test]
    fn values_that_were_encrypted_are_masked_on_both_sides() {
        let live = json!({"data": {"a": "CANARY-old", "gone": "CANARY-older", "b": "x"}, "other": {"gone": "x"}});
        let mut manifest = crate::plan::tests::manifest(
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: CANARY-new, args: [--key=CANARY-new], b: z}}",
        );
        manifest.masked = vec!["/data/a".to_owned()];
        let mut fields = diff(&live, &manifest.body);
        fields.retain(|field| field.path.starts_with("data") || field.path.starts_with("other"));
        mask_fields(&mut fields, &manifest);
        assert_eq!(
            told(fields),
            [
                "data.a: \"***\" -> \"*** (changed)\"",
                "data.args: - -> \"***\"",
                "data.b: \"x\" -> \"z\"",
                "data.gone: \"***\" -> -",
                "other: {\"gone\":\"x\"} -> -",
            ]
        );
    }

    #[test]
    fn what_the_server_sets_is_no_difference() {
        let live = json!({"metadata": {"uid": "u", "resourceVersion": "1", "generation": 2, "managedFields": [], "labels": {"a": "b"}}, "status": {"x": 1}, "spec": {}});
        assert_eq!(told(diff(&live, &json!({"metadata": {"labels": {"a": "b"}}, "spec": {}}))), Vec::<String>::new());
    }

    #[test]
    fn drift_is_what_we_want_and_is_not() {
        let live =
            json!({"metadata": {"labels": {"a": "x", "theirs": "1"}}, "spec": {"list": ["a", "b"], "defaulted": true}});
        let desired = json!({"metadata": {"labels": {"a": "y", "acme.example/b": "1"}}, "spec": {"list": ["a"], "nothing": null}});
        assert_eq!(
            told(drift(&live, &desired)),
            [
                "metadata.labels.a: \"x\" -> \"y\"",
                "metadata.labels[acme.example/b]: - -> \"1\"",
                "spec.list: [\"a\",\"b\"] -> [\"a\"]"
            ]
        );
    }
}

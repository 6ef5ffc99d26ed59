//! Leaves fields to their managers: takes the fields of a conflict out of what is applied.
//!
//! The API server names conflicting fields as paths, `.spec.template.spec.containers[name="web"].image`.
//! Keys may themselves hold dots (`.metadata.labels.app.kubernetes.io/name`), so a path is read
//! against the object that it speaks of, and never guessed.

use std::borrow::Cow;

use serde_json::Value;

use super::apply::{Taken, get};
use super::error::ClusterError;
use super::kinds::KindInfo;
use super::session::Session;
use crate::object::Manifest;
use crate::object::fields::{AUTOSCALER, autoscaled};

/// Whether a path was found and taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removed {
    Yes,
    No,
}

/// As the API server writes the path of replicas.
const REPLICAS: &str = ".spec.replicas";

/// Takes replicas out of what is sent where they conflict with what an autoscaler has set on an object that nobody has
/// looked at yet. What is really new has no such conflict, and costs no reading.
pub(super) async fn leave_scale(
    session: &Session,
    kind: &KindInfo,
    manifest: &Manifest,
    conflict: &mut Taken,
    body: &mut Cow<'_, Value>,
) -> Result<(), ClusterError> {
    if !conflict.fields.iter().any(|field| field == REPLICAS) {
        return Ok(());
    }
    let live = get(session, kind, &manifest.id.namespace, &manifest.id.name).await?;
    if live.is_some_and(|live| autoscaled(&live)) && remove(body.to_mut(), REPLICAS) == Removed::Yes {
        conflict.fields.retain(|field| field != REPLICAS);
        conflict.from.retain(|manager| manager != AUTOSCALER);
    }
    Ok(())
}

/// Takes a field, or an item of a list, out of an object.
pub(super) fn remove(object: &mut Value, path: &str) -> Removed {
    match (path.chars().next(), object) {
        (Some('.'), Value::Object(fields)) => {
            let rest = &path[1..];
            // Longest key first: `a.b` before `a`.
            let mut keys: Vec<String> = fields.keys().filter(|key| rest.starts_with(key.as_str())).cloned().collect();
            keys.sort_by_key(|key| std::cmp::Reverse(key.len()));
            for key in keys {
                let below = &rest[key.len()..];
                if below.is_empty() {
                    fields.remove(&key);
                    return Removed::Yes;
                }
                if below.starts_with(['.', '['])
                    && let Some(inner) = fields.get_mut(&key)
                    && remove(inner, below) == Removed::Yes
                {
                    return Removed::Yes;
                }
            }
            Removed::No
        }
        (Some('['), Value::Array(items)) => remove_item(items, path),
        _ => Removed::No,
    }
}

fn remove_item(items: &mut Vec<Value>, path: &str) -> Removed {
    let Some(end) = closing(path) else { return Removed::No };
    let (selector, below) = (&path[1..end], &path[end + 1..]);
    // What the API server defaulted (a port's protocol) may be missing from what we send, so an
    // item that says nothing of a key will do where none says the right thing.
    let named = items.iter().position(|item| selects(selector, item) == Selected::ByAllKeys);
    let Some(at) = named.or_else(|| items.iter().position(|item| selects(selector, item) != Selected::No)) else {
        return Removed::No;
    };
    if below.is_empty() {
        items.remove(at);
        return Removed::Yes;
    }
    remove(&mut items[at], below)
}

/// Where the bracket that opens the text closes, quotes respected.
fn closing(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selected {
    No,
    /// By the keys that it has; others are missing.
    ByPresentKeys,
    ByAllKeys,
}

/// Whether an item is the one that `name="web"`, `port=80,protocol="TCP"` or `="value"` names.
fn selects(selector: &str, item: &Value) -> Selected {
    if let Some(value) = selector.strip_prefix('=') {
        let same = serde_json::from_str::<Value>(value).is_ok_and(|value| value == *item);
        return if same { Selected::ByAllKeys } else { Selected::No };
    }
    let (mut rest, mut found) = (selector, Selected::ByAllKeys);
    let mut any = false;
    loop {
        let Some((key, after)) = rest.split_once('=') else { return Selected::No };
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<Value>();
        let Some(Ok(value)) = values.next() else { return Selected::No };
        let used = values.byte_offset();
        match item.get(key) {
            Some(present) if *present != value => return Selected::No,
            Some(_) => any = true,
            None => found = Selected::ByPresentKeys,
        }
        match after[used..].strip_prefix(',') {
            Some(more) => rest = more,
            None if after[used..].is_empty() && any => return found,
            None => return Selected::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(path: &str, expected: Option<Value>) {
        let mut object = json!({
            "metadata": {"labels": {"app.kubernetes.io/name": "web", "app": "web"}, "finalizers": ["a", "b"]},
            "spec": {
                "replicas": 1,
                "ports": [{"port": 80}, {"port": 80, "protocol": "UDP"}],
                "containers": [{"name": "w]eb", "image": "a"}, {"name": "log", "image": "b"}]
            }
        });
        let before = object.clone();
        let removed = remove(&mut object, path);
        match expected {
            Some(patch) => {
                assert_eq!(removed, Removed::Yes, "{path}");
                let mut wanted = before;
                json_patch::patch(&mut wanted, &serde_json::from_value::<json_patch::Patch>(patch).expect("a patch"))
                    .expect("applies");
                assert_eq!(object, wanted, "{path}");
            }
            None => {
                assert_eq!(removed, Removed::No, "{path}");
                assert_eq!(object, before, "{path}");
            }
        }
    }

    #[test]
    fn exactly_the_named_field_goes() {
        let at = |pointer: &str| Some(json!([{"op": "remove", "path": pointer}]));
        check(".spec.replicas", at("/spec/replicas"));
        check(".metadata.labels.app.kubernetes.io/name", at("/metadata/labels/app.kubernetes.io~1name"));
        check(".metadata.labels.app", at("/metadata/labels/app"));
        check(".spec.containers[name=\"w]eb\"].image", at("/spec/containers/0/image"));
        check(".spec.containers[name=\"log\"]", at("/spec/containers/1"));
        check(".spec.ports[port=80,protocol=\"UDP\"]", at("/spec/ports/1"));
        check(".spec.ports[port=80,protocol=\"TCP\"]", at("/spec/ports/0"));
        check(".metadata.finalizers[=\"b\"]", at("/metadata/finalizers/1"));
    }

    #[test]
    fn what_is_not_there_changes_nothing() {
        for path in [
            "",
            ".spec.absent",
            ".spec.replicas.x",
            ".spec.containers[name=\"x\"].image",
            ".spec.containers[name",
            ".spec.containers[image2=\"x\"]",
            "spec",
            "[0]",
        ] {
            check(path, None);
        }
    }
}

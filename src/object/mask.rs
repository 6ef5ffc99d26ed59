//! No secret value is ever printed: not in logs, errors, events, status, diffs or pages.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::split_api_version;

/// What stands in place of a secret value.
pub const MASK: &str = "***";

/// The fields of a Secret whose values are secret.
const FIELDS: [&str; 2] = ["data", "stringData"];

/// kubectl's copy of all that was applied, the values of a Secret included.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Whether values of this kind are secret.
pub fn is_secret(group: &str, kind: &str) -> bool {
    group.is_empty() && kind == "Secret"
}

/// Whether this object is a Secret.
pub fn is_secret_object(body: &Value) -> bool {
    let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default();
    is_secret(split_api_version(text("apiVersion")).0, text("kind"))
}

/// Replaces every value of `data` and `stringData` of a Secret by `***`, and takes out the
/// last-applied annotation that repeats them. Keys stay. It does so whatever the kind says: call it
/// for Secrets.
pub fn mask_secret(body: &mut Value) {
    for field in FIELDS {
        if let Some(values) = body.get_mut(field) {
            mask_values(values);
        }
    }
    if let Some(annotations) = body.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(LAST_APPLIED);
    }
}

/// What may be shown of the value at a JSON pointer into a Secret: the masked value where it is
/// secret or holds secrets, else the value itself.
pub fn mask_value(pointer: &str, value: &Value) -> Value {
    let mut path = pointer.split('/').skip(1);
    let (first, second, third) = (path.next(), path.next(), path.next());
    let mut shown = value.clone();
    match (first, second, third) {
        (None, ..) => mask_secret(&mut shown),
        (Some(field), None, _) if FIELDS.contains(&field) => mask_values(&mut shown),
        (Some(field), Some(_), _) if FIELDS.contains(&field) => shown = Value::String(MASK.to_owned()),
        (Some("metadata"), None, _) => {
            if let Some(annotations) = shown.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.remove(LAST_APPLIED);
            }
        }
        (Some("metadata"), Some("annotations"), None) => {
            if let Some(annotations) = shown.as_object_mut() {
                annotations.remove(LAST_APPLIED);
            }
        }
        (Some("metadata"), Some("annotations"), Some(key)) if key.replace("~1", "/") == LAST_APPLIED => {
            shown = Value::String(MASK.to_owned());
        }
        _ => {}
    }
    shown
}

/// Replaces what JSON pointers name by `***`.
pub fn mask_pointers(body: &mut Value, pointers: &[String]) {
    for pointer in pointers {
        if let Some(value) = body.pointer_mut(pointer) {
            *value = Value::String(MASK.to_owned());
        }
    }
}

/// The values that JSON pointers name, as texts.
pub fn texts_at(body: &Value, pointers: &[String]) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    pointers.iter().filter_map(|pointer| body.pointer(pointer)).map(text).filter(|text| !text.is_empty()).collect()
}

/// Whether a value is, or has in it, one of these texts. Short ones count only as a whole.
pub fn holds_text(value: &Value, secrets: &[String]) -> bool {
    let is = |text: &str| {
        secrets.iter().any(|secret| text == secret || (secret.len() >= LONG && text.contains(secret.as_str())))
    };
    match value {
        Value::Null => false,
        Value::String(text) => is(text),
        Value::Bool(_) | Value::Number(_) => is(&value.to_string()),
        Value::Array(items) => items.iter().any(|item| holds_text(item, secrets)),
        Value::Object(fields) => fields.values().any(|value| holds_text(value, secrets)),
    }
}

/// A message without these texts, in quotes or not: an API server repeats what it refuses.
pub fn mask_texts(message: &str, secrets: &[String]) -> String {
    let mut shown = message.to_owned();
    for secret in secrets {
        let quoted = Value::String(secret.clone()).to_string();
        shown = shown.replace(&quoted, MASK);
        if secret.len() >= LONG {
            shown = shown.replace(secret.as_str(), MASK);
            shown = shown.replace(&quoted[1..quoted.len() - 1], MASK);
        }
    }
    shown
}

/// A text of this many bytes stands nowhere by chance.
const LONG: usize = 6;

/// Values of a mapping, or a value that should have been one: it is as secret.
fn mask_values(values: &mut Value) {
    match values {
        Value::Null => {}
        Value::Object(values) => values.values_mut().for_each(|value| *value = Value::String(MASK.to_owned())),
        other => *other = Value::String(MASK.to_owned()),
    }
}

/// An object as it may be printed: JSON with the values of Secrets masked, those of a list's items
/// included.
pub struct Masked<'a>(pub &'a Value);

impl Masked<'_> {
    fn shown(&self) -> Value {
        let mut shown = self.0.clone();
        mask_all(&mut shown);
        shown
    }
}

fn mask_all(body: &mut Value) {
    if is_secret_object(body) {
        mask_secret(body);
    }
    let of_secrets = body.get("kind").is_some_and(|kind| kind == "SecretList");
    for item in body.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
        // Items of a list of Secrets do not say what they are.
        if of_secrets {
            mask_secret(item);
        }
        mask_all(item);
    }
}

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.shown())
    }
}

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Masked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shown().serialize(serializer)
    }
}

/// A text with the credentials of every URL in it masked: what stands before the `@`, but the user
/// name alone of an SSH URL, and all values of a query.
pub fn mask_url(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end =
            after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`')).unwrap_or(after.len());
        let (url, tail) = after.split_at(end);
        let user_stays = before.ends_with("ssh://");
        mask_one(&mut shown, url, user_stays);
        rest = tail;
    }
    shown + rest
}

/// A URL after its `://`.
fn mask_one(shown: &mut String, url: &str, user_stays: bool) {
    let authority = url.find(['/', '?', '#']).unwrap_or(url.len());
    // A password may hold an unescaped slash or @: the last @ before the path of a usual URL
    // counts, and where the authority has none, one that stands after a colon.
    let at = match url[..authority].rfind('@') {
        Some(at) => Some(at),
        None if url[..authority].contains(':') && !port_follows(&url[..authority]) => url.rfind('@'),
        None => None,
    };
    let host = match at {
        None => url,
        Some(at) => {
            match url[..at].split_once(':') {
                Some((user, _)) if user_stays => shown.push_str(&format!("{user}:{MASK}")),
                None if user_stays => shown.push_str(&url[..at]),
                _ => shown.push_str(MASK),
            }
            &url[at..]
        }
    };
    let Some((path, query)) = host.split_once('?') else {
        shown.push_str(host);
        return;
    };
    shown.push_str(path);
    shown.push('?');
    for (at, pair) in query.split('&').enumerate() {
        if at > 0 {
            shown.push('&');
        }
        match pair.split_once('=') {
            Some((name, _)) => shown.push_str(&format!("{name}={MASK}")),
            None => shown.push_str(MASK),
        }
    }
}

/// `host:8080`, and not `user:pass`.
fn port_follows(authority: &str) -> bool {
    authority
        .rsplit(':')
        .next()
        .is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit() || b == b']'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CANARY: &str = "canary-7f3a";

    fn secret() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "db", "annotations": {LAST_APPLIED: CANARY, "note": "stays"}},
            "data": {"password": CANARY, "nested": {"a": [CANARY]}}, "stringData": {"user": CANARY, "number": 7}, "type": "Opaque",
        })
    }

    #[test]
    fn keys_of_a_secret_stay_and_values_do_not() {
        let mut body = secret();
        mask_secret(&mut body);
        let expected = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "annotations": {"note": "stays"}},
            "data": {"password": MASK, "nested": MASK}, "stringData": {"user": MASK, "number": MASK}, "type": "Opaque",
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn no_shape_of_a_secret_shows_a_value() {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [secret()]});
        let secrets = json!({"apiVersion": "v1", "kind": "SecretList", "items": [{"metadata": {"name": "a"}, "data": {"a": CANARY}}]});
        let strange = json!({"apiVersion": "v1", "kind": "Secret", "data": CANARY, "stringData": [CANARY]});
        for body in [secret(), list, secrets, strange] {
            let masked = Masked(&body);
            for shown in [masked.to_string(), format!("{masked:?}"), serde_json::to_string(&masked).expect("JSON")] {
                assert!(!shown.contains(CANARY) && shown.contains(MASK), "{shown}");
            }
        }
        let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}});
        assert_eq!(Masked(&other).to_string(), other.to_string());
    }

    #[test]
    fn every_part_of_a_secret_can_be_shown() {
        fn walk(pointer: &str, value: &Value) {
            let shown = mask_value(pointer, value);
            assert!(!shown.to_string().contains(CANARY), "{pointer} shows {shown}");
            match value {
                Value::Object(fields) => {
                    for (name, value) in fields {
                        walk(&format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), value);
                    }
                }
                Value::Array(items) => {
                    items.iter().enumerate().for_each(|(at, item)| walk(&format!("{pointer}/{at}"), item))
                }
                _ => {}
            }
        }
        walk("", &secret());
        assert_eq!(mask_value("/metadata/name", &json!("db")), "db");
        assert_eq!(mask_value("/data", &json!({"a": CANARY})), json!({"a": MASK}));
        assert_eq!(mask_value("/data", &Value::Null), Value::Null);
    }

    #[test]
    fn encrypted_values_are_masked_where_they_stand() {
        let pointers = ["/data/a~1b".to_owned(), "/spec/replicas".to_owned(), "/gone".to_owned()];
        let mut body = json!({"data": {"a/b": CANARY, "c": "stays"}, "spec": {"replicas": 3, "others": 3}});
        let texts = texts_at(&body, &pointers);
        assert_eq!(texts, [CANARY, "3"]);
        for (value, expected) in [
            (json!(CANARY), true),
            (json!({"x": [format!("--password={CANARY}")]}), true),
            (json!(3), true),
            (json!(33), false),
            (json!("no 3 by itself"), false),
            (json!(null), false),
        ] {
            assert_eq!(holds_text(&value, &texts), expected, "{value}");
        }
        mask_pointers(&mut body, &pointers);
        assert_eq!(body, json!({"data": {"a/b": MASK, "c": "stays"}, "spec": {"replicas": MASK, "others": 3}}));
    }

    #[test]
    fn messages_repeat_no_encrypted_value() {
        let secrets = [CANARY.to_owned(), "3".to_owned(), "two\n\"lines\"".to_owned()];
        for (message, expected) in [
            (format!("spec.x: Invalid value: \"{CANARY}\": no"), "spec.x: Invalid value: ***: no"),
            (format!("field {CANARY}x is 3 times wrong: \"3\""), "field ***x is 3 times wrong: ***"),
            ("Invalid value: \"two\\n\\\"lines\\\"\": no".to_owned(), "Invalid value: ***: no"),
        ] {
            assert_eq!(mask_texts(&message, &secrets), expected);
        }
    }

    #[test]
    fn credentials_in_urls_are_masked() {
        for (text, expected) in [
            ("https://user:pass@host/path", "https://***@host/path"),
            ("https://token@host", "https://***@host"),
            ("https://us@er:p@ss@host:8080/a@b", "https://***@host:8080/a@b"),
            ("https://user:p/ss@host/path", "https://***@host/path"),
            ("https://host:8080/a@b", "https://host:8080/a@b"),
            ("ssh://git@host/a", "ssh://git@host/a"),
            ("ssh://git:pass@host/a", "ssh://git:***@host/a"),
            ("git@host:org/repo.git", "git@host:org/repo.git"),
            ("https://host/a?token=x&b=y&c", "https://host/a?token=***&b=***&***"),
            ("https://host/a?user=a@b", "https://host/a?user=***"),
            ("get \"http://a:b@c/d\": no, http://e:f@g", "get \"http://***@c/d\": no, http://***@g"),
            ("https://[::1]:80/x", "https://[::1]:80/x"),
            ("no url at all: a@b", "no url at all: a@b"),
            ("://", "://"),
        ] {
            assert_eq!(mask_url(text), expected, "{text}");
        }
    }
}

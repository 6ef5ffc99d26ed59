//! The definitions of our kinds: there, established, and those of this version.

use serde_json::Value;

use super::check::Check;
use crate::api::crds::definitions;
use crate::cluster::{Cluster, apply, delete};
use crate::failure::chain;

/// Looks at each definition.
pub async fn checks(cluster: &Cluster) -> Vec<Check> {
    let mut checks = Vec::new();
    for wanted in definitions() {
        let name = wanted.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let check = match apply::get(&cluster.own(), &delete::crd_kind(), "", &name).await {
            Ok(Some(live)) => judge(&name, &wanted, &live),
            Ok(None) => Check::fail(name, "is not installed", "`tandem install` puts it there"),
            Err(error) => Check::warn(name, chain(&error), "ask for the right to get customresourcedefinitions"),
        };
        checks.push(check);
    }
    checks
}

fn judge(name: &str, wanted: &Value, live: &Value) -> Check {
    let conditions = live.pointer("/status/conditions").and_then(Value::as_array);
    let established = conditions.into_iter().flatten().any(|c| c["type"] == "Established" && c["status"] == "True");
    let update = "`tandem install`, or a commit of what `tandem install --export` prints, brings it up to date";
    if !established {
        return Check::fail(name, "is not established", "`kubectl describe` it: its conditions say why");
    }
    match first_difference(&wanted["spec"]["versions"], &live["spec"]["versions"], "spec.versions") {
        None => Check::ok(name, "as this version defines it"),
        Some(path) => Check::warn(name, format!("is of another version: {path} differs"), update),
    }
}

/// The first place where `live` lacks or contradicts what is wanted. What the API server added by
/// itself is no difference.
fn first_difference(wanted: &Value, live: &Value, path: &str) -> Option<String> {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => wanted.iter().find_map(|(key, value)| {
            let path = format!("{path}.{key}");
            match live.get(key) {
                Some(live) => first_difference(value, live, &path),
                // Empty and false are what an absent field means.
                None if is_nothing(value) => None,
                None => Some(path),
            }
        }),
        (Value::Array(wanted), Value::Array(live)) if wanted.len() == live.len() => wanted
            .iter()
            .zip(live)
            .enumerate()
            .find_map(|(at, (w, l))| first_difference(w, l, &format!("{path}[{at}]"))),
        (Value::Number(wanted), Value::Number(live)) if wanted.as_f64() == live.as_f64() => None,
        (wanted, live) => (wanted != live).then(|| path.to_owned()),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_api_server_adds_is_no_difference_and_what_it_lacks_is() {
        let wanted = json!({"a": {"b": [1, {"c": "x"}]}, "e": []});
        for (live, difference) in [
            (json!({"a": {"b": [1.0, {"c": "x", "added": 1}]}, "d": 2}), None),
            (json!({"a": {"b": [1, {"c": "y"}]}}), Some("s.a.b[1].c")),
            (json!({"a": {"b": [1]}}), Some("s.a.b")),
            (json!({}), Some("s.a")),
        ] {
            assert_eq!(first_difference(&wanted, &live, "s").as_deref(), difference, "{live}");
        }
    }

    #[test]
    fn our_own_definitions_are_those_of_this_version() {
        for wanted in definitions() {
            let mut live = wanted.clone();
            assert_eq!(judge("x", &wanted, &live).message, "is not established");
            live["status"] = json!({"conditions": [{"type": "Established", "status": "True"}]});
            assert_eq!(judge("x", &wanted, &live), Check::ok("x", "as this version defines it"));
        }
    }
}

//! The body of a manifest as it is sent.

use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use base64::{Engine, alphabet};
use serde_json::{Map, Value};

use crate::object::fields::LAST_APPLIED;
use crate::object::mask::is_secret;
use crate::object::{Manifest, Problem};

use super::phase::is_built_in;

/// As the API server's decoder does it: bits of the last character that belong to no byte may be anything.
const AS_GO: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// What the API server alone writes.
const SERVER_SET: &[&str] =
    &["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionTimestamp"];

/// Mappings whose values are texts: null there is an empty text for the API server, elsewhere in a
/// built-in kind it is the same as nothing.
const TEXTS: &[&str] =
    &["data", "stringData", "binaryData", "annotations", "labels", "matchLabels", "nodeSelector", "parameters"];

/// Drops what the API server sets, turns `stringData` into `data`, names the protocol of ports, and
/// leaves nulls of built-in kinds out: so the same meaning has one form. Returns what is wrong.
pub(super) fn normalise(manifest: &mut Manifest) -> Vec<Problem> {
    let mut problems = Vec::new();
    let secret = is_secret(&manifest.id.group, &manifest.id.kind);
    let built_in = is_built_in(&manifest.id.group);
    let Some(body) = manifest.body.as_object_mut() else { return problems };
    body.remove("status");
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in SERVER_SET {
            metadata.remove(*field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
        for field in ["labels", "annotations"] {
            if metadata.get(field).is_some_and(Value::is_null) {
                metadata.remove(field);
            }
        }
    }
    // The schema in a definition may say `default: null`, and mean it.
    if built_in && manifest.id.group != "apiextensions.k8s.io" {
        drop_nulls(body);
        name_protocols(&manifest.id.kind, body);
        drop_template_timestamps(body);
    }
    if secret {
        problems.extend(encode(body));
    }
    problems.into_iter().map(|problem: Problem| problem.at(&manifest.origin).of(&manifest.id)).collect()
}

fn drop_nulls(map: &mut Map<String, Value>) {
    map.retain(|_, value| !value.is_null());
    for (name, value) in map.iter_mut() {
        if !TEXTS.contains(&name.as_str()) {
            drop_nulls_below(value);
        }
    }
}

fn drop_nulls_below(value: &mut Value) {
    match value {
        Value::Object(map) => drop_nulls(map),
        Value::Array(items) => items.iter_mut().for_each(drop_nulls_below),
        _ => {}
    }
}

/// The templates of pods and volume claims carry metadata too.
fn drop_template_timestamps(body: &mut Map<String, Value>) {
    for value in body.values_mut() {
        match value {
            Value::Object(map) => {
                if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.remove("creationTimestamp");
                }
                drop_template_timestamps(map);
            }
            Value::Array(items) => {
                for item in items.iter_mut().filter_map(Value::as_object_mut) {
                    if let Some(metadata) = item.get_mut("metadata").and_then(Value::as_object_mut) {
                        metadata.remove("creationTimestamp");
                    }
                }
            }
            _ => {}
        }
    }
}

/// The protocol is part of a port's key in `managedFields`: left to the default, one port of two
/// with equal numbers gets lost.
fn name_protocols(kind: &str, body: &mut Map<String, Value>) {
    let Some(spec) = body.get_mut("spec") else { return };
    let pod = match kind {
        "Service" => {
            name_protocol(spec.get_mut("ports"));
            return;
        }
        "Pod" => Some(spec),
        "CronJob" => spec.pointer_mut("/jobTemplate/spec/template/spec"),
        _ => spec.pointer_mut("/template/spec"),
    };
    let Some(pod) = pod else { return };
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for container in pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            name_protocol(container.get_mut("ports"));
        }
    }
}

fn name_protocol(ports: Option<&mut Value>) {
    for port in ports.and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
        port.entry("protocol").or_insert_with(|| "TCP".into());
    }
}

/// `stringData` becomes `data`, over which it wins; the form of base64 becomes the one that the API
/// server answers with. Problems name keys, never values.
fn encode(body: &mut Map<String, Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let written = body.remove("data");
    let plain = body.remove("stringData");
    let mut data = Map::new();
    for (key, value) in entries(written, "data", &mut problems) {
        let text = match value {
            Value::Null => String::new(),
            Value::String(text) => text,
            _ => {
                problems.push(not_text("data", &key));
                continue;
            }
        };
        let joined: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        match AS_GO.decode(&joined) {
            Ok(bytes) => {
                data.insert(key, BASE64_STANDARD.encode(bytes).into());
            }
            Err(_) => problems.push(
                Problem::new("InvalidBase64", format!("data[{key}] is not base64"))
                    .hint("write plain text under stringData, or encode it: printf %s TEXT | base64"),
            ),
        }
    }
    for (key, value) in entries(plain, "stringData", &mut problems) {
        match value {
            Value::Null => data.insert(key, "".into()),
            Value::String(text) => data.insert(key, BASE64_STANDARD.encode(text).into()),
            _ => {
                problems.push(not_text("stringData", &key));
                None
            }
        };
    }
    if !data.is_empty() {
        body.insert("data".to_owned(), Value::Object(data));
    }
    problems
}

fn entries(field: Option<Value>, name: &str, problems: &mut Vec<Problem>) -> Map<String, Value> {
    match field {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(map)) => map,
        Some(_) => {
            problems.push(Problem::new("InvalidSecret", format!("{name} is not a mapping")));
            Map::new()
        }
    }
}

fn not_text(field: &str, key: &str) -> Problem {
    Problem::new("InvalidSecret", format!("{field}[{key}] is not a text")).hint("put it in quotes")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::tests::manifest;

    fn check(input: &str, expected: Value) {
        let mut manifest = manifest(input);
        assert_eq!(normalise(&mut manifest), Vec::new());
        assert_eq!(manifest.body, expected, "{input}");
        let once = manifest.clone();
        normalise(&mut manifest);
        assert_eq!(manifest, once, "twice is once");
    }

    #[test]
    fn string_data_becomes_data_and_wins() {
        check(
            "{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {a: x, c: ''}, data: {a: b2xk, b: \"Yg==\\n\"}}",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"a": "eA==", "b": "Yg==", "c": ""}}),
        );
    }

    #[test]
    fn base64_is_read_as_go_reads_it() {
        let bits = "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {a: YR==, b: \"YW\\r\\nJ=\"}}";
        let answered = json!({"a": "YQ==", "b": "YWI="});
        check(bits, json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": answered}));
        for wrong in ["YQ", "YQ=", "Y===", "YQ==YQ==", "Y Q=="] {
            let mut manifest =
                manifest(&format!("{{apiVersion: v1, kind: Secret, metadata: {{name: a}}, data: {{a: {wrong:?}}}}}"));
            assert_eq!(normalise(&mut manifest).len(), 1, "{wrong}");
        }
    }

    #[test]
    fn what_the_server_sets_goes() {
        check(
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, uid: u, resourceVersion: '1', generation: 2, creationTimestamp: null, \
             managedFields: [], selfLink: /x, annotations: {kubectl.kubernetes.io/last-applied-configuration: '{}', a: b}, labels: null}, \
             data: {empty: null}, immutable: null, status: {}}",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": {"a": "b"}}, "data": {"empty": null}}),
        );
    }

    #[test]
    fn ports_name_their_protocol() {
        check(
            "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 53}, {port: 53, protocol: UDP}]}}",
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
                "spec": {"ports": [{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}}),
        );
        check(
            "{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {jobTemplate: {spec: {template: {metadata: {creationTimestamp: null}, \
             spec: {initContainers: [{name: a, ports: [{containerPort: 1}]}]}}}}}}",
            json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "a"}, "spec": {"jobTemplate": {"spec": {"template": {
                "metadata": {}, "spec": {"initContainers": [{"name": "a", "ports": [{"containerPort": 1, "protocol": "TCP"}]}]}}}}}}),
        );
    }

    #[test]
    fn nulls_of_custom_kinds_stay() {
        let body =
            json!({"apiVersion": "acme.example/v1", "kind": "W", "metadata": {"name": "a"}, "spec": {"limit": null}});
        check("{apiVersion: acme.example/v1, kind: W, metadata: {name: a}, spec: {limit: null}}", body);
    }

    #[test]
    fn problems_of_a_secret_hold_no_value() {
        let mut manifest = manifest(
            "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {a: CANARY!, b: 99712}, stringData: {c: [CANARY]}}",
        );
        let problems = normalise(&mut manifest);
        let rules: Vec<_> = problems.iter().map(|problem| problem.rule.as_str()).collect();
        assert_eq!(rules, ["InvalidBase64", "InvalidSecret", "InvalidSecret"]);
        let told = format!("{problems:?}");
        assert!(!told.contains("CANARY") && !told.contains("99712"), "{told}");
    }
}

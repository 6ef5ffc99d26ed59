//! What the room `standard` fills in, held to a real API server: the same objects, created in a dry-run.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};
use tandem::object::yaml;
use tandem::standard::filled::filled;

use super::shared;
use crate::lab::{both, root};

/// What plugins, allocators and strategies of the API server add, which no manifest can know.
const ADDED: [&str; 12] = [
    "clusterIP",
    "clusterIPs",
    "controller-uid",
    "healthCheckNodePort",
    "ipFamilies",
    "ipFamilyPolicy",
    "nodePort",
    "preemptionPolicy",
    "priority",
    "selector",
    "status",
    "tolerations",
];

/// An object without what is not compared: nulls, the server's own marks, and what is added.
fn compared(value: &Value, added: &dyn Fn(&str) -> bool) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, value)| !value.is_null() && !added(name));
            Value::Object(kept.map(|(name, value)| (name.clone(), compared(value, added))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| compared(item, added)).collect()),
        other => other.clone(),
    }
}

/// Each field in which they differ, by its pointer.
fn differences(ours: &Value, theirs: &Value, at: &str, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(one), Value::Object(other)) => {
            for name in one.keys().chain(other.keys().filter(|name| !one.contains_key(*name))) {
                let of = |fields: &serde_json::Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
                differences(&of(one), &of(other), &format!("{at}/{name}"), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                differences(one, other, &format!("{at}/{index}"), found);
            }
        }
        (one, other) if one != other => found.push(format!("{at}: ours {one}, the API server's {other}")),
        _ => {}
    }
}

#[test]
fn an_object_is_filled_in_as_the_api_server_does() {
    let lab = shared();
    let path = root().join("tests/cases/standard/defaults.yaml");
    let bytes = std::fs::read(&path).expect("the objects");
    let (documents, problems) = yaml::read("defaults.yaml", &bytes, &yaml::Limits::default());
    assert_eq!(problems, []);
    let objects: Vec<Value> = documents.into_iter().map(|document| document.value).collect();
    assert!(objects.len() > 30);
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    let mut command = lab.kubectl();
    command.args(["create", "--dry-run=server", "-o", "json", "-f", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kubectl");
    child.stdin.take().expect("stdin").write_all(list.to_string().as_bytes()).expect("kubectl reads");
    let output = child.wait_with_output().expect("kubectl ends");
    assert!(output.status.success(), "{}", both(&output));
    // One after the other, in their order.
    let answers = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    let answers: Vec<Value> = answers.map(|answer| answer.expect("JSON")).collect();
    assert_eq!(answers.len(), objects.len());
    let mut wrong = Vec::new();
    for (object, answer) in objects.iter().zip(&answers) {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let name = format!("{} {}", text("kind"), object["metadata"]["name"]);
        // A selector that stands in the manifest is compared.
        let written = object.pointer("/spec/selector").is_some() || text("kind") == "ReplicationController";
        let added = |field: &str| ADDED.contains(&field) && !(field == "selector" && written);
        let side = |whole: &Value| {
            let mut side = compared(whole, &added);
            // Labels are metadata that defaults have a part in; those of a Job's Pods are made up.
            let labels = whole.pointer("/metadata/labels").cloned().unwrap_or_default();
            side["metadata"] = json!({"labels": labels});
            if text("kind") == "Job" {
                side["metadata"] = Value::Null;
                side["spec"]["template"]["metadata"] = Value::Null;
            }
            side
        };
        let ours = filled(text("apiVersion"), text("kind"), object, None);
        assert_ne!(side(&ours), Value::Null);
        let mut found = Vec::new();
        differences(&side(&ours), &side(answer), "", &mut found);
        wrong.extend(found.into_iter().map(|difference| format!("{name}{difference}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

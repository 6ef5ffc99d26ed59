use serde_json::json;

use super::*;
use crate::object::{ObjectId, Origin};

fn guide() -> Guide {
    let body = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "pumps.example.com"},
        "spec": {"group": "example.com", "names": {"kind": "Pump"}, "versions": [
            {"name": "v1", "served": true, "schema": {"openAPIV3Schema": {
                "type": "object", "required": ["spec"], "description": "Moves water.",
                "properties": {"metadata": {"type": "object"}, "spec": {"type": "object", "required": ["size"], "properties": {
                    "size": {"type": "integer", "maximum": 5, "description": "Litres."},
                    "mode": {"type": "string", "enum": ["slow", "fast"], "default": "slow"},
                    "valves": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
                }}},
            }}},
            {"name": "v0", "served": false},
        ]},
    });
    let id = ObjectId::new("", "pumps.example.com", "apiextensions.k8s.io", "CustomResourceDefinition");
    let origin = Origin { file: "pumps.yaml".to_owned(), line: 1, document: 1 };
    let mut guide = Guide::new(Minor::default());
    guide.define(&Manifest::new(origin, id, "apiextensions.k8s.io/v1", body));
    guide
}

use Step::{Field, Item};

#[test]
fn a_field_of_kubernetes_is_told_with_what_may_stand_in_it() {
    let guide = guide();
    let container = [Field("spec"), Field("template"), Field("spec"), Field("containers"), Item];
    let told = |path: &[Step<'_>]| guide.describe("apps/v1", "Deployment", path).expect("known");
    let containers = told(&container[..4]);
    assert_eq!((containers.shape, containers.required), (Shape::List, true));
    assert!(containers.text.starts_with("List of containers belonging to the pod."), "{}", containers.text);
    let required: Vec<&str> =
        containers.fields.iter().filter(|field| field.required).map(|field| field.name.as_str()).collect();
    assert_eq!(required, ["name"]);
    let policy = told(&[&container[..], &[Field("imagePullPolicy")]].concat());
    assert_eq!(policy.values, ["Always", "IfNotPresent", "Never"]);
    assert!(!policy.required && policy.text.contains("Defaults to Always"), "{policy:?}");
    let label = told(&[Field("metadata"), Field("labels"), Field("app.kubernetes.io/name")]);
    assert_eq!((label.form.as_str(), label.shape), ("a text", Shape::Scalar));
    assert!(told(&[]).fields.iter().any(|field| field.name == "spec"));
    assert_eq!(guide.describe("apps/v1", "Deployment", &[Field("spec"), Field("replica")]), None);
    assert_eq!(guide.describe("apps/v1", "Deploymnt", &[]), None);
}

#[test]
fn a_field_of_a_definition_is_told_as_it_is_written() {
    let guide = guide();
    let told = |path: &[Step<'_>]| guide.describe("example.com/v1", "Pump", path).expect("known");
    let size = told(&[Field("spec"), Field("size")]);
    assert_eq!((size.form.as_str(), size.required, size.text.as_str()), ("a whole number", true, "Litres."));
    assert_eq!(size.rules, ["at most 5"]);
    let mode = told(&[Field("spec"), Field("mode")]);
    assert_eq!((mode.values, mode.default.as_deref()), (vec!["slow".to_owned(), "fast".to_owned()], Some("\"slow\"")));
    let valves = told(&[Field("spec"), Field("valves")]);
    assert_eq!((valves.shape, valves.fields[0].name.as_str()), (Shape::List, "name"));
    // Metadata is that of Kubernetes, and every object has it.
    assert!(told(&[Field("metadata")]).fields.iter().any(|field| field.name == "labels"));
    let required: Vec<String> = told(&[]).fields.into_iter().filter(|f| f.required).map(|f| f.name).collect();
    assert_eq!(required, ["metadata", "spec", "apiVersion", "kind"]);
    assert_eq!(guide.describe("example.com/v2", "Pump", &[]), None);
}

#[test]
fn every_kind_that_is_served_is_listed() {
    let kinds = guide().kinds();
    let has = |version: &str, kind: &str| kinds.contains(&(version.to_owned(), kind.to_owned()));
    assert!(has("v1", "Pod") && has("apps/v1", "Deployment") && has("example.com/v1", "Pump"));
    assert!(!has("example.com/v0", "Pump") && !has("extensions/v1beta1", "Ingress"));
}

//! Kinds that stand in files alone and that no API server knows, each as a definition, so that their fields are checked
//! like those of any other kind; and the JSON Schemas of all our kinds, for editors.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{GROUP, VERSION, crds};
use crate::revision::freeze::FreezeSpec;
use crate::revision::review::OwnersSpec;
use crate::standard::WaiverSpec;
use crate::standard::fixture::PolicyTestSpec;

/// Definitions of the kinds that stand in files alone.
pub fn definitions() -> Vec<Value> {
    vec![
        definition::<FreezeSpec>("Freeze", "A time, coming again and again, in which nothing new is deployed."),
        definition::<OwnersSpec>("Owners", "Who may approve what in a repository."),
        definition::<PolicyTestSpec>("PolicyTest", "Objects, and what a policy has to say of each."),
        definition::<WaiverSpec>("Waiver", "Lets exactly one object pass one policy, until a day."),
    ]
}

fn definition<T: JsonSchema>(kind: &str, about: &str) -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut spec = settings.into_generator().into_root_schema_for::<T>().to_value();
    structural(&mut spec);
    let plural = crate::object::plural(kind);
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {"group": GROUP, "scope": "Cluster", "names": {"kind": kind, "plural": plural}, "versions": [
            {"name": VERSION, "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "description": about, "required": ["spec"], "properties": {"spec": spec}}}}]}})
}

/// Takes out what a definition may not have.
fn structural(schema: &mut Value) {
    if let Value::Object(fields) = schema {
        fields.remove("title");
        fields.remove("$schema");
        if fields.get("additionalProperties") == Some(&Value::Bool(false)) {
            fields.remove("additionalProperties");
        }
    }
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(structural),
        Value::Array(items) => items.iter_mut().for_each(structural),
        _ => {}
    }
}

/// The JSON Schema of each kind that people write, as the file `<kind>.json`: draft 7, which editors' YAML plugins take.
pub fn schemas() -> Vec<(String, Value)> {
    let all = crds::definitions().into_iter().chain(definitions());
    let internal = ["Acceptance", "Inventory"];
    let written = all.filter(|definition| internal.iter().all(|kind| definition["spec"]["names"]["kind"] != *kind));
    written.map(|definition| schema(&definition)).collect()
}

fn schema(definition: &Value) -> (String, Value) {
    let kind = definition["spec"]["names"]["kind"].as_str().unwrap_or_default();
    let mut whole = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    for_editors(&mut whole);
    let description = whole["description"].clone();
    let mut properties = whole["properties"].as_object().cloned().unwrap_or_default();
    properties.insert("apiVersion".to_owned(), json!({"const": format!("{GROUP}/{VERSION}")}));
    properties.insert("kind".to_owned(), json!({"const": kind}));
    let mut metadata = json!({"type": "object", "required": ["name"], "properties": {
        "name": {"type": "string"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}}}});
    if definition["spec"]["scope"] == "Namespaced" {
        metadata["properties"]["namespace"] = json!({"type": "string"});
    }
    properties.insert("metadata".to_owned(), metadata);
    properties.remove("status");
    let whole = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": kind,
        "description": description,
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": properties,
        "additionalProperties": false,
    });
    (format!("{}.json", kind.to_lowercase()), whole)
}

/// What OpenAPI and Kubernetes say in words of their own, in those of JSON Schema.
fn for_editors(schema: &mut Value) {
    if let Value::Object(fields) = schema {
        let open = fields.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
        let has_fields = fields.get("properties").is_some_and(Value::is_object);
        if has_fields && !open && !fields.contains_key("additionalProperties") {
            fields.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
        if fields.remove("nullable") == Some(Value::Bool(true)) {
            let of = fields.get("type").cloned();
            if let Some(of) = of {
                fields.insert("type".to_owned(), json!([of, "null"]));
            }
            if let Some(values) = fields.get_mut("enum").and_then(Value::as_array_mut)
                && !values.contains(&Value::Null)
            {
                values.push(Value::Null);
            }
        }
        fields.retain(|name, _| !name.starts_with("x-kubernetes-") && name != "title");
        let below: Map<String, Value> = std::mem::take(fields)
            .into_iter()
            .map(|(name, mut value)| {
                match (name.as_str(), &mut value) {
                    // Names of fields are no words of a schema.
                    ("properties", Value::Object(properties)) => properties.values_mut().for_each(for_editors),
                    ("default" | "enum" | "const" | "example", _) => {}
                    (_, value) => for_editors(value),
                }
                (name, value)
            })
            .collect();
        *fields = below;
    } else if let Value::Array(items) = schema {
        items.iter_mut().for_each(for_editors);
    }
}

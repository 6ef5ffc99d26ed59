//! What is said of custom resources: by their definitions as they are written, texts included.

use serde_json::Value;

use super::{Below, Described, Shape, Step};

/// The versions that a definition serves.
pub fn versions(definition: &Value) -> Vec<&str> {
    let all = definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    all.filter(|version| version["served"] != Value::Bool(false))
        .filter_map(|version| version["name"].as_str())
        .collect()
}

/// What is said of a place in an object of that version. Of metadata nothing is, but that it is there.
pub fn describe(definition: &Value, version: &str, path: &[Step<'_>]) -> Option<Described> {
    let all = definition.pointer("/spec/versions").and_then(Value::as_array)?;
    let version = all.iter().find(|known| known["name"] == version)?;
    let mut schema = version.pointer("/schema/openAPIV3Schema")?;
    let mut required = false;
    for step in path {
        required = matches!(step, Step::Field(name) if is_required(schema, name));
        schema = match step {
            Step::Field(name) => schema
                .get("properties")
                .and_then(|properties| properties.get(*name))
                .or_else(|| schema.get("additionalProperties").filter(|values| values.is_object()))?,
            Step::Item => schema.get("items")?,
        };
    }
    if schema.get("type").is_none() && path.first() == Some(&Step::Field("metadata")) {
        return None;
    }
    if path == [Step::Field("metadata")] && schema.get("properties").is_none() {
        return None;
    }
    let mut fields = below(schema.get("items").unwrap_or(schema));
    if path.is_empty() {
        let names = [("apiVersion", Shape::Scalar), ("kind", Shape::Scalar), ("metadata", Shape::Mapping)];
        for (name, shape) in names {
            if !fields.iter().any(|field| field.name == name) {
                let form = if shape == Shape::Scalar { "a text" } else { "a mapping" };
                fields.push(Below {
                    name: name.to_owned(),
                    form: form.to_owned(),
                    shape,
                    required: true,
                    ..Below::default()
                });
            }
        }
        for field in fields.iter_mut().filter(|field| names.iter().any(|(name, _)| field.name == *name)) {
            field.required = true;
        }
    }
    Some(Described {
        form: words(schema),
        shape: shape(schema),
        required,
        default: schema.get("default").map(Value::to_string),
        values: values(schema),
        rules: rules(schema),
        text: text(schema),
        fields,
    })
}

fn below(schema: &Value) -> Vec<Below> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let one = |(name, value): (&String, &Value)| Below {
        name: name.clone(),
        form: words(value),
        shape: shape(value),
        required: is_required(schema, name),
        text: text(value),
    };
    properties.map(one).collect()
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|known| known == name))
}

fn text(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().trim().to_owned()
}

fn shape(schema: &Value) -> Shape {
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => Shape::Mapping,
        Some("array") => Shape::List,
        _ => Shape::Scalar,
    }
}

fn words(schema: &Value) -> String {
    let one = if schema["x-kubernetes-int-or-string"] == Value::Bool(true) {
        "a whole number or a text"
    } else {
        match schema.get("type").and_then(Value::as_str) {
            Some("object") => match schema.get("additionalProperties").filter(|values| values.is_object()) {
                Some(values) => return format!("a mapping of names, each value {}", words(values)),
                None => "a mapping",
            },
            Some("array") => match schema.get("items") {
                Some(items) => return format!("a list, each item {}", words(items)),
                None => "a list",
            },
            Some("string") => match schema.get("format").and_then(Value::as_str) {
                Some("date-time") => "a point in time such as 2026-01-31T08:00:00Z",
                Some("byte") => "bytes in base64",
                _ => "a text",
            },
            Some("integer") => "a whole number",
            Some("number") => "a number",
            Some("boolean") => "true or false",
            _ => "anything",
        }
    };
    let nullable = if schema["nullable"] == Value::Bool(true) { ", or null" } else { "" };
    format!("{one}{nullable}")
}

fn values(schema: &Value) -> Vec<String> {
    let schema = schema.get("items").unwrap_or(schema);
    if schema.get("type").and_then(Value::as_str) == Some("boolean") {
        return vec!["true".to_owned(), "false".to_owned()];
    }
    let all = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    all.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
}

/// Words of a schema, and what they say.
const RULES: [(&str, &str); 10] = [
    ("pattern", "has the pattern"),
    ("minimum", "at least"),
    ("maximum", "at most"),
    ("minLength", "characters at least"),
    ("maxLength", "characters at most"),
    ("minItems", "items at least"),
    ("maxItems", "items at most"),
    ("minProperties", "fields at least"),
    ("maxProperties", "fields at most"),
    ("multipleOf", "a multiple of"),
];

fn rules(schema: &Value) -> Vec<String> {
    let of = |(word, said): &(&str, &str)| {
        let value = schema.get(word)?;
        let value = value.as_str().map_or_else(|| value.to_string(), |text| format!("`{text}`"));
        Some(format!("{said} {value}"))
    };
    let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
    let keys = keys.map(|keys| keys.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "));
    let keys = keys.map(|keys| format!("no two items with the same {keys}"));
    let set = (schema["x-kubernetes-list-type"] == "set").then(|| "no item twice".to_owned());
    RULES.iter().filter_map(of).chain(keys).chain(set).collect()
}

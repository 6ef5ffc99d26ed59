//! Fields that a schema does not name, nulls, and defaults: what the API server does with a custom
//! resource before it validates it.

use serde_json::Value;

use super::schema::{Additional, Schema};
use crate::schema::builtin::metadata;
use crate::schema::finding::{Findings, Step};

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// It is the object.
    Root,
    /// It is something within.
    Below,
}

/// Fields that every object has.
const OF_ALL: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Finds the fields that the schema does not name.
pub fn unknown<'a>(value: &'a Value, schema: &'a Schema, at: At, findings: &mut Findings<'a>) {
    match value {
        Value::Object(fields) => {
            let whole = schema.embedded || at == At::Root;
            for (name, value) in fields {
                findings.within(Step::Field(name), |findings| {
                    if whole && OF_ALL.contains(&name.as_str()) {
                        if at == At::Below && name == "metadata" {
                            metadata(value, findings);
                        }
                        return;
                    }
                    match (schema.properties.get(name), &schema.additional) {
                        (Some(schema), _) => unknown(value, schema, At::Below, findings),
                        (None, Additional::Values(schema)) => unknown(value, schema, At::Below, findings),
                        (None, Additional::Anything) => nothing_known(value, schema.preserve, findings),
                        (None, _) if schema.preserve => {}
                        // `additionalProperties: false` names fields of validation; none are known all the same.
                        (None, _) => {
                            let mut known: Vec<&str> = schema.properties.keys().map(String::as_str).collect();
                            if whole {
                                known.extend(OF_ALL);
                            }
                            findings.unknown(&known);
                        }
                    }
                });
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                findings.within(Step::Item(at), |findings| match &schema.items {
                    Some(schema) => unknown(item, schema, At::Below, findings),
                    None => nothing_known(item, schema.preserve, findings),
                });
            }
        }
        _ => {}
    }
}

/// A value of which no schema says anything: every field in it is one that the API server drops.
fn nothing_known<'a>(value: &'a Value, preserve: bool, findings: &mut Findings<'a>) {
    match value {
        _ if preserve => {}
        Value::Object(fields) => {
            for name in fields.keys() {
                findings.within(Step::Field(name), |findings| findings.unknown(&[]));
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                findings.within(Step::Item(at), |findings| nothing_known(item, preserve, findings));
            }
        }
        _ => {}
    }
}

/// Takes out nulls of fields that are not nullable and have no default.
pub fn nulls(value: &mut Value, schema: Option<&Schema>) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| {
                let schema = schema.and_then(|schema| schema.field(name));
                let dropped = value.is_null() && schema.is_some_and(|s| !s.nullable && s.default.is_none());
                if !dropped {
                    nulls(value, schema);
                }
                !dropped
            });
        }
        Value::Array(items) => {
            let schema = schema.and_then(|schema| schema.items.as_deref());
            items.iter_mut().for_each(|item| nulls(item, schema));
        }
        _ => {}
    }
}

/// Fills in defaults, also for nulls that may not be null.
pub fn defaults(value: &mut Value, schema: &Schema) {
    let not_null = |value: &Value, schema: &Schema| value.is_null() && !schema.nullable;
    match value {
        Value::Object(fields) => {
            for (name, schema) in &schema.properties {
                if let Some(default) = &schema.default
                    && fields.get(name).is_none_or(|value| not_null(value, schema))
                {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in fields.iter_mut() {
                if let Some(below) = schema.field(name) {
                    if not_null(value, below) {
                        *value = below.default.clone().unwrap_or_default();
                    }
                    defaults(value, below);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.items.as_deref() {
                for item in items {
                    if not_null(item, schema) {
                        *item = schema.default.clone().unwrap_or_default();
                    }
                    defaults(item, schema);
                }
            }
        }
        _ => {}
    }
}

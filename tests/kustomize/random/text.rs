//! The same values, written as people write them: block and flow, every kind of quotes, blocks of text, comments, anchors,
//! lists of objects, and lines between documents.

use serde_json::{Map, Value, json};
use tandem::object::yaml;

use super::draw::{AS_IT_IS, Draw};

/// A document as kustomize's own tools write it, or in JSON.
pub fn document(draw: &mut Draw<'_>, value: &Value) -> String {
    match draw.below(12) {
        11 => format!("{}\n", bare(value)),
        odd @ 8..=10 => {
            let mut writer = Writer { draw, anchored: Vec::new(), out: String::new() };
            writer.block(value, 0);
            let mut text = writer.out;
            if odd == 10 && draw.one_in(4) {
                text = text.replace('\n', "\r\n");
            }
            text
        }
        _ => quiet(value),
    }
}

/// Documents of one file.
pub fn documents(draw: &mut Draw<'_>, objects: &[Value]) -> String {
    if objects.len() > 1 && draw.one_in(15) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        return document(draw, &list);
    }
    let mut text = String::new();
    for (at, object) in objects.iter().enumerate() {
        if at > 0 {
            text.push_str(draw.of(&[
                "---\n",
                "---\n",
                "---\n",
                "--- # next\n",
                "---\n# nothing\n---\n",
                "---\n---\n",
                "\n---\n\n",
            ]));
        } else if draw.one_in(10) {
            text.push_str(draw.of(&["---\n", "# head\n---\n", "# head\n", "\n\n"]));
        }
        text.push_str(&document(draw, object));
    }
    if draw.one_in(12) {
        text.truncate(text.trim_end_matches(['\n', '\r']).len());
    }
    text
}

/// Without the marks of what is written as it is.
fn bare(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(text.trim_start_matches(AS_IT_IS)),
        Value::Array(elements) => elements.iter().map(bare).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), bare(value))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// With nothing odd but what is to be written as it is.
fn quiet(value: &Value) -> String {
    if bare(value) == *value {
        return yaml::write(value);
    }
    let mut draw = Draw::new(&[]);
    let mut writer = Writer { draw: &mut draw, anchored: Vec::new(), out: String::new() };
    writer.block(value, 0);
    writer.out
}

struct Writer<'w, 'd> {
    draw: &'w mut Draw<'d>,
    anchored: Vec<Value>,
    out: String,
}

impl Writer<'_, '_> {
    fn line(&mut self, indent: usize, text: &str) {
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(text);
    }

    fn block(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Object(fields) => {
                for (at, (name, value)) in fields.iter().enumerate() {
                    if at > 0 && self.draw.one_in(12) {
                        let comment = self.draw.of(&["# a comment: here\n", "\n", "#\n"]);
                        self.line(indent, comment);
                    }
                    self.line(indent, &key(name));
                    self.out.push(':');
                    self.value(value, indent, 2);
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    let start = self.out.len() + indent;
                    match element {
                        Value::Object(fields) if !fields.is_empty() => {
                            // The first field stands behind the dash.
                            self.block(element, indent + 2);
                            self.out.replace_range(start..start + 2, "- ");
                        }
                        Value::Array(_) => self.line(indent, &format!("- {}\n", flow(element))),
                        _ => {
                            self.line(indent, "-");
                            self.value(element, indent, 2);
                        }
                    }
                }
            }
            other => {
                self.value(other, indent, 0);
            }
        }
    }

    /// What stands behind a colon or dash.
    fn value(&mut self, value: &Value, indent: usize, more: usize) {
        let is_empty = value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        let is_structure = (value.is_object() || value.is_array()) && !is_empty;
        if let Some(at) = self.anchored.iter().position(|anchored| anchored == value)
            && self.draw.one_in(2)
        {
            self.out.push_str(&format!(" *x{at}\n"));
            return;
        }
        let anchors = is_structure && self.draw.one_in(15);
        if anchors {
            self.out.push_str(&format!(" &x{}", self.anchored.len()));
        }
        if !is_structure || self.draw.one_in(10) {
            self.out.push(' ');
            let text = match value {
                Value::String(text) => self.string(text, indent + more),
                other => flow(other),
            };
            self.out.push_str(&text);
            if !text.contains('\n') && self.draw.one_in(15) {
                self.out.push_str(" # why");
            }
            self.out.push('\n');
        } else {
            self.out.push('\n');
            let deeper = if value.is_array() { self.draw.of(&[0, 2, 1, 4]) } else { self.draw.of(&[2, 2, 2, 1, 4]) };
            self.block(value, indent + deeper);
        }
        if anchors {
            self.anchored.push(value.clone());
        }
    }

    fn string(&mut self, text: &str, indent: usize) -> String {
        if let Some(text) = text.strip_prefix(AS_IT_IS) {
            return text.to_owned();
        }
        let quoted = json!(text).to_string();
        let is_plain = is_word(text);
        let one_line = !text.contains(['\n', '\t']);
        match self.draw.below(8) {
            1 => quoted,
            2 | 3 if one_line => format!("'{}'", text.replace('\'', "''")),
            4 | 5 if !text.trim().is_empty() && !text.contains('\t') => {
                let deeper = self.draw.of(&[0, 1, 3]);
                let lines: Vec<&str> = text.trim_end_matches('\n').split('\n').collect();
                let first = lines.iter().find(|line| !line.is_empty()).expect("no blank text");
                let indicator = if first.starts_with(' ') { (2 + deeper).to_string() } else { String::new() };
                let chomping = match text.len() - text.trim_end_matches('\n').len() {
                    0 => "-",
                    1 => "",
                    _ => "+",
                };
                // The indentation is counted from that of the mapping or list that the text stands in.
                let margin = " ".repeat(indent + deeper);
                let mut block = format!("|{indicator}{chomping}");
                for line in lines {
                    block.push('\n');
                    if !line.is_empty() {
                        block.push_str(&margin);
                        block.push_str(line);
                    }
                }
                for _ in 1..text.len() - text.trim_end_matches('\n').len() {
                    block.push('\n');
                }
                block
            }
            6 if one_line && text.trim() == text && !text.is_empty() => {
                format!(">-\n{}{text}", " ".repeat(indent))
            }
            _ if is_plain => text.to_owned(),
            _ => quoted,
        }
    }
}

/// On one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Array(elements) => format!("[{}]", elements.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{}: {}", key(name), flow(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::String(text) => match text.strip_prefix(AS_IT_IS) {
            Some(text) => text.to_owned(),
            None => json!(text).to_string(),
        },
        other => other.to_string(),
    }
}

fn key(name: &str) -> String {
    if is_word(name) { name.to_owned() } else { json!(name).to_string() }
}

/// Whether every reader takes it as a text without quotes.
fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./$()".contains(c))
        && yaml::is_text(text)
        && !["y", "n", "yes", "no", "on", "off"].contains(&&*text.to_ascii_lowercase())
}

//! From an encrypted text and its decrypted values to the plain text, in which every value stands at
//! the line where it stood.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::open::Opened;
use super::value::{Plain, authenticated, decimal};
use crate::object::yaml::places::{List, Map, Node, Value};

/// What becomes of bytes of a text.
type Edit = (Range<usize>, New);

enum New {
    /// This is written in their place.
    Text(String),
    /// Nothing, and every line feed stays.
    Blank,
    /// Nothing: no line of a value follows.
    Gone,
}

/// The text with all decrypted values in place of their cipher texts, and without the fields `sops`
/// of the mappings `own`. `None` where that cannot be done without changing more; who calls it reads
/// the result once more, and [`same`] tells whether it says what it is to say.
pub fn rewritten(text: &str, documents: &[Node], own: &[usize], opened: &[Opened<'_>]) -> Option<String> {
    let mut edits: Vec<Edit> = Vec::new();
    let comments: HashSet<usize> =
        opened.iter().filter(|o| matches!(o.plain, Plain::Comment)).map(|o| o.leaf.at.start).collect();
    for value in opened {
        match &value.plain {
            Plain::Comment => edits.push(without_item(text, &value.leaf.at)?),
            Plain::Time(time) => edits.push((value.leaf.at.clone(), New::Text(time.clone()))),
            Plain::Value(plain) => edits.push((value.leaf.at.clone(), New::Text(written(plain)))),
        }
    }
    for document in own.iter().filter_map(|at| documents.get(*at)) {
        let Node::Map(map) = document else { return None };
        edits.push(if map.flow.is_some() { without_flow_field(text, map)? } else { without_block_field(text, map)? });
        emptied(document, &comments, &mut edits);
    }
    edits.sort_by_key(|(at, _)| at.start);
    let mut result = String::with_capacity(text.len());
    let mut done = 0;
    for (at, new) in edits {
        if at.start < done {
            return None;
        }
        result.push_str(text.get(done..at.start)?);
        match new {
            New::Text(new) => result.push_str(&new),
            New::Blank => result.extend(text.get(at.clone())?.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
            New::Gone => {}
        }
        done = at.end;
    }
    result.push_str(text.get(done..)?);
    Some(result)
}

/// A value as both YAML and JSON read it, on one line.
fn written(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) if float.is_nan() => ".nan".to_owned(),
        Value::Float(float) if float.is_infinite() => if *float > 0.0 { ".inf" } else { "-.inf" }.to_owned(),
        Value::Float(float) => decimal(*float),
        Value::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => quoted(text),
            Err(_) => format!("!!binary \"{}\"", STANDARD.encode(bytes)),
        },
    }
}

/// A text in quotes, with escapes that both YAML and JSON know.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Takes the lines of the field `sops` out: a line of a comment is left for each, which also ends a
/// text block above them.
fn without_block_field(text: &str, map: &Map) -> Option<Edit> {
    let at = map.fields.iter().position(|field| field.name == super::FIELD)?;
    let field = &map.fields[at];
    let start = line_start(text, field.at.start);
    if !text[start..field.at.start].trim().is_empty() {
        return None;
    }
    let end = match map.fields.get(at + 1) {
        Some(next) => line_start(text, next.at.start),
        None => {
            let end = start + text.get(start..field.end())?.trim_end().len();
            text[end..].find('\n').map_or(text.len(), |more| end + more)
        }
    };
    if text[end..].trim().is_empty() {
        return Some((start..text.len(), New::Gone));
    }
    let taken = text.get(start..end)?;
    let lines = taken.matches('\n').count() + usize::from(!taken.ends_with('\n'));
    let feed = if taken.ends_with('\n') { "\n" } else { "" };
    Some((start..end, New::Text(vec!["#"; lines].join("\n") + feed)))
}

/// Takes the field `sops` out of a mapping in braces, with the comma before or behind it.
fn without_flow_field(text: &str, map: &Map) -> Option<Edit> {
    let at = map.fields.iter().position(|field| field.name == super::FIELD)?;
    let field = &map.fields[at];
    let before = at.checked_sub(1).map(|before| map.fields[before].end());
    let (start, end) = match (before, map.fields.get(at + 1)) {
        (_, Some(next)) => (field.at.start, next.at.start),
        (before, None) => (before.unwrap_or(field.at.start), field.end()),
    };
    let last = text.get(end..)?.chars().all(|c| c == '}' || c.is_whitespace());
    Some((start..end, if last { New::Gone } else { New::Blank }))
}

/// Takes an item out of a list whose items stand on lines of their own.
fn without_item(text: &str, at: &Range<usize>) -> Option<Edit> {
    let start = line_start(text, at.start);
    let before = text.get(start..at.start)?;
    let dash = before.rfind('-').filter(|_| before.chars().all(|c| matches!(c, ' ' | '-')))?;
    Some((start + dash..at.end, New::Text("#".to_owned())))
}

/// Lists that only had comments are empty ones, not nothing.
fn emptied(node: &Node, comments: &HashSet<usize>, edits: &mut Vec<Edit>) {
    let is_comment = |node: &Node| matches!(node, Node::Leaf(leaf) if comments.contains(&leaf.at.start));
    match node {
        Node::Leaf(_) => {}
        Node::List(List { items, .. }) => match items.first() {
            Some(Node::Leaf(first)) if items.iter().all(is_comment) => {
                if let Some((_, new)) = edits.iter_mut().find(|(at, _)| at.end == first.at.end) {
                    *new = New::Text(" []".to_owned());
                }
            }
            _ => items.iter().for_each(|item| emptied(item, comments, edits)),
        },
        Node::Map(map) => map.fields.iter().for_each(|field| emptied(&field.node, comments, edits)),
    }
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |feed| feed + 1)
}

/// Whether documents say what others say with these values decrypted, and without the fields `sops`
/// of those that are `own`.
pub fn same(before: &[Node], own: &[usize], opened: &[Opened<'_>], after: &[Node]) -> bool {
    let plain: HashMap<usize, &Plain> = opened.iter().map(|value| (value.leaf.at.start, &value.plain)).collect();
    before.len() == after.len()
        && before.iter().zip(after).enumerate().all(|(at, (before, after))| match (before, after) {
            (Node::Map(map), after) if own.contains(&at) => {
                let fields = map.fields.iter().filter(|field| field.name != super::FIELD);
                let after = match after {
                    Node::Map(map) => map.fields.as_slice(),
                    Node::Leaf(leaf) if leaf.value == Value::Null => &[],
                    _ => return false,
                };
                let fields: Vec<_> = fields.collect();
                fields.len() == after.len()
                    && fields.iter().zip(after).all(|(b, a)| b.name == a.name && alike(&b.node, &plain, &a.node))
            }
            (before, after) => alike(before, &plain, after),
        })
}

fn alike(before: &Node, plain: &HashMap<usize, &Plain>, after: &Node) -> bool {
    match (before, after) {
        (Node::Leaf(before), Node::Leaf(after)) => match plain.get(&before.at.start) {
            None => before.value == after.value || is_nan(&before.value) && is_nan(&after.value),
            Some(Plain::Comment) => false,
            Some(Plain::Time(time)) => matches!(&after.value, Value::Text(text) if text == time.as_bytes()),
            Some(Plain::Value(Value::Text(text))) => matches!(&after.value, Value::Text(after) if after == text),
            Some(Plain::Value(value)) => {
                !matches!(after.value, Value::Text(_)) && authenticated(value) == authenticated(&after.value)
            }
        },
        (Node::List(before), Node::List(after)) => {
            let is_comment = |node: &Node| matches!(node, Node::Leaf(leaf) if matches!(plain.get(&leaf.at.start), Some(Plain::Comment)));
            let kept: Vec<&Node> = before.items.iter().filter(|item| !is_comment(item)).collect();
            kept.len() == after.items.len() && kept.iter().zip(&after.items).all(|(b, a)| alike(b, plain, a))
        }
        (Node::Map(before), Node::Map(after)) => {
            before.fields.len() == after.fields.len()
                && before
                    .fields
                    .iter()
                    .zip(&after.fields)
                    .all(|(b, a)| b.name == a.name && alike(&b.node, plain, &a.node))
        }
        _ => false,
    }
}

fn is_nan(value: &Value) -> bool {
    matches!(value, Value::Float(float) if float.is_nan())
}

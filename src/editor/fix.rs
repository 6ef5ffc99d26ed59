//! What mends a finding, where it is certain enough to be offered.

use std::ops::Range;

use super::mark;
use super::outline::{Document, Outline};
use super::position::Text;
use crate::object::near;

/// A change that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What a person reads.
    pub title: String,
    /// Bytes and what takes their place, none within another.
    pub edits: Vec<(Range<usize>, String)>,
    /// Whether it is surely what was meant.
    pub sure: bool,
}

/// What mends a finding at a line, from 1.
pub fn fixes(text: &Text, line: u32, rule: &str, message: &str, hint: &str) -> Vec<Fix> {
    let outline = Outline::read(text.as_str());
    let place = text.line(line.saturating_sub(1));
    let Some(document) = outline.document_at(place.start) else { return Vec::new() };
    if let Some(meant) = near::meant(hint) {
        return replaced(text, place, rule, message, meant).into_iter().collect();
    }
    if let Some(version) = api_version(rule, hint) {
        return moved(document, text, version).into_iter().collect();
    }
    quoted(text, place, message, hint).into_iter().collect()
}

/// The name or value that was meant.
fn replaced(text: &Text, line: Range<usize>, rule: &str, message: &str, meant: &str) -> Option<Fix> {
    let said = &text.as_str()[line.clone()];
    let (name, value) = match rule {
        "UnknownKind" => mark::parts(said, "kind")
            .filter(|_| message.contains("serves no"))
            .or_else(|| mark::parts(said, "apiVersion")),
        _ => mark::parts(said, mark::field(message)?),
    }?;
    let part = if rule == "UnknownField" { name } else { value };
    let old = said[part.clone()].trim_matches(['"', '\'']);
    if old.is_empty() {
        return None;
    }
    let (at, new) = match said[part.clone()].chars().next() {
        Some(quote @ ('"' | '\'')) => (part, format!("{quote}{meant}{quote}")),
        _ => (part, meant.to_owned()),
    };
    // Of an API version only the group was meant.
    let new = match old.split_once('/') {
        Some((_, version)) if rule == "UnknownKind" && !meant.contains('/') => format!("{meant}/{version}"),
        _ => new,
    };
    let edits = vec![(line.start + at.start..line.start + at.end, new)];
    Some(Fix { title: format!("Replace `{old}` by `{meant}`"), edits, sure: true })
}

/// The API version, and kind where it is another one, that advice names: `use Ingress of networking.k8s.io/v1`.
fn api_version<'a>(rule: &str, hint: &'a str) -> Option<(&'a str, Option<&'a str>)> {
    match rule {
        "RemovedApi" | "DeprecatedApi" | "UnknownKind" => {}
        _ => return None,
    }
    if let Some((_, version)) = hint.split_once(" is a kind of ") {
        return Some((version, None));
    }
    let used = hint.strip_prefix("use ")?;
    Some(match used.split_once(" of ") {
        Some((kind, version)) => (version, Some(kind)),
        None => (used, None),
    })
}

fn moved(document: &Document, text: &Text, (version, kind): (&str, Option<&str>)) -> Option<Fix> {
    let set = |name: &str, new: &str| {
        let node = document.root.field(name)?;
        (node.text()? != new).then(|| (node.at.clone(), new.to_owned()))
    };
    let edits: Vec<_> =
        [set("apiVersion", version), kind.and_then(|kind| set("kind", kind))].into_iter().flatten().collect();
    let whole = edits.iter().all(|(at, _)| text.as_str().get(at.clone()).is_some_and(|old| !old.is_empty()));
    (whole && !edits.is_empty()).then(|| {
        let what = kind.map(|kind| format!("{kind} of ")).unwrap_or_default();
        Fix { title: format!("Use {what}{version}; look whether its fields are the same"), edits, sure: false }
    })
}

/// Quotes that are missing, or too many.
fn quoted(text: &Text, line: Range<usize>, message: &str, hint: &str) -> Option<Fix> {
    let said = &text.as_str()[line.clone()];
    let (_, value) = mark::parts(said, mark::field(message)?)?;
    let old = &said[value.clone()];
    let (title, new) = match hint {
        "put it in quotes" if !old.is_empty() && !old.contains(['"', '\'', '\\']) => {
            ("Put it in quotes", format!("\"{old}\""))
        }
        "leave out the quotes" => {
            ("Leave out the quotes", old.strip_prefix(['"', '\''])?.strip_suffix(['"', '\''])?.to_owned())
        }
        _ => return None,
    };
    let edits = vec![(line.start + value.start..line.start + value.end, new)];
    Some(Fix { title: title.to_owned(), edits, sure: true })
}

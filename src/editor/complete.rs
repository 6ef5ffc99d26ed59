//! What may be written at a position: names of fields by the schema, and values where they are known.

use std::ops::Range;

use super::context::Kind;
use super::describe::Known;
use super::outline::{Document, Node, Outline, Step, What};
use crate::schema::guide::Shape;

/// Something that may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What a person reads and types.
    pub label: String,
    /// What takes the place of [`Item::at`].
    pub text: String,
    /// Bytes that it replaces: the word at the position.
    pub at: Range<usize>,
    /// What it is.
    pub insert: Insert,
    /// What its value is, in words.
    pub form: String,
    /// What it is for.
    pub told: String,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insert {
    /// The name of a field that has to be there.
    Required,
    /// The name of another field.
    Field,
    /// A value.
    Value,
}

/// A word that nobody writes, which stands at the position while the text is read.
const PLACE: &str = "tandem0place";

/// What may be written at a byte of a text; what has to be there comes first.
pub fn complete(file: &str, text: &str, offset: usize, known: &Known<'_>) -> Vec<Item> {
    let Some(probe) = Probe::at(text, offset) else { return Vec::new() };
    let outline = Outline::read(&probe.text);
    let found = outline.documents.iter().find_map(|document| {
        let mut path = Vec::new();
        locate(&document.root, &mut path).map(|place| (document, path, place))
    });
    // An object begins with its first field.
    let Some((document, path, place)) = found else { return Vec::new() };
    let kind = kind(file, document);
    let mut items = match &place {
        Place::Name(siblings) => names(&kind, &path, siblings, &probe, known),
        Place::Value => Vec::new(),
    };
    if items.is_empty() {
        items = values(&kind, &path, &probe, known);
    }
    items
}

/// What the document is; what stands at the position is not yet said.
fn kind(file: &str, document: &Document) -> Kind {
    let mut kind = Kind::of(file, Some(&document.root));
    for said in [&mut kind.api_version, &mut kind.kind] {
        if said.contains(PLACE) {
            said.clear();
        }
    }
    kind
}

fn names(kind: &Kind, path: &[Step], siblings: &[String], probe: &Probe, known: &Known<'_>) -> Vec<Item> {
    let Some(around) = known.describe(kind, path) else { return Vec::new() };
    // A list whose first item is not begun has the fields of its items.
    if around.shape == Shape::Scalar {
        return Vec::new();
    }
    let fields = around.fields.into_iter().filter(|field| !siblings.contains(&field.name));
    let mut items: Vec<Item> = fields
        .map(|field| {
            let colon = match (probe.follows, field.shape) {
                (Follows::Colon, _) => "",
                (Follows::Nothing, Shape::Scalar) => ": ",
                (Follows::Nothing, Shape::List | Shape::Mapping) => ":",
            };
            let dash = if around.shape == Shape::List { "- " } else { "" };
            Item {
                text: format!("{dash}{}{colon}", field.name),
                label: field.name,
                at: probe.word.clone(),
                insert: if field.required { Insert::Required } else { Insert::Field },
                form: field.form,
                told: field.text,
            }
        })
        .collect();
    items.sort_by(|one, other| {
        (one.insert == Insert::Field, &one.label).cmp(&(other.insert == Insert::Field, &other.label))
    });
    items
}

fn values(kind: &Kind, path: &[Step], probe: &Probe, known: &Known<'_>) -> Vec<Item> {
    let described = known.describe(kind, path);
    let of = |name: &str| path == [Step::Field(name.to_owned())];
    let values = match described.as_ref().map(|described| described.values.clone()) {
        Some(values) if !values.is_empty() => values,
        _ if of("apiVersion") => known.api_versions(&kind.kind),
        _ if of("kind") => known.kinds(&kind.api_version),
        _ => Vec::new(),
    };
    let form = described.map(|described| described.form).unwrap_or_default();
    let item = |value: String| Item {
        label: value.clone(),
        text: value,
        at: probe.word.clone(),
        insert: Insert::Value,
        form: form.clone(),
        told: String::new(),
    };
    values.into_iter().map(item).collect()
}

/// Where the position is.
enum Place {
    /// The name of a field of the mapping at the path, which has these others.
    Name(Vec<String>),
    /// The value at the path.
    Value,
}

fn locate(node: &Node, path: &mut Vec<Step>) -> Option<Place> {
    match &node.what {
        What::Leaf(text) => (text == PLACE).then_some(Place::Value),
        What::List(items) => items.iter().enumerate().find_map(|(at, item)| {
            path.push(Step::Item(at));
            let found = locate(item, path);
            if found.is_none() {
                path.pop();
            }
            found
        }),
        What::Map(fields) => {
            if fields.iter().any(|field| field.name == PLACE) {
                let others = fields.iter().filter(|field| field.name != PLACE);
                return Some(Place::Name(others.map(|field| field.name.clone()).collect()));
            }
            fields.iter().find_map(|field| {
                path.push(Step::Field(field.name.clone()));
                let found = locate(&field.node, path);
                if found.is_none() {
                    path.pop();
                }
                found
            })
        }
    }
}

/// What stands behind the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follows {
    Nothing,
    Colon,
}

/// The text with [`PLACE`] in it.
struct Probe {
    text: String,
    word: Range<usize>,
    follows: Follows,
}

impl Probe {
    /// `None` where nothing is completed: in a comment, or within other words.
    fn at(text: &str, offset: usize) -> Option<Self> {
        let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let end = text[offset..].find('\n').map_or(text.len(), |at| offset + at);
        let before = &text[start..offset];
        if before.trim_start().starts_with('#') || before.contains(" #") {
            return None;
        }
        let word_start =
            before.char_indices().rev().take_while(|(_, c)| is_word(*c)).last().map_or(offset, |(at, _)| start + at);
        let behind = &text[offset..end];
        let word_end = behind.char_indices().find(|(_, c)| !is_word(*c)).map_or(end, |(at, _)| offset + at);
        let rest = text[word_end..end].trim();
        let head = &text[start..word_start];
        let in_flow = head.contains(['{', '[']);
        let (follows, tail) = match rest.chars().next() {
            Some(':') => (Follows::Colon, &text[word_end..]),
            None | Some('#') => (Follows::Nothing, &text[end..]),
            Some(',' | '}' | ']') => (Follows::Nothing, &text[word_end..]),
            Some(_) => return None,
        };
        // A word on its own is the beginning of a field, and what begins an item is one too.
        let alone = head.trim_start().trim_start_matches("- ").trim().is_empty();
        let colon = if follows == Follows::Nothing && alone && !in_flow { ":" } else { "" };
        let probed = [&text[..word_start], PLACE, colon, tail].concat();
        Some(Self { text: probed, word: word_start..word_end, follows })
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '$')
}

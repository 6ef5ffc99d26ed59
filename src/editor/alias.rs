//! What an alias or a merge key of YAML stands for: where its value is written. Values are not repeated, for they may be
//! secret.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Span};

use super::outline::DEEPEST;

/// What an alias stands for.
#[derive(Debug, PartialEq, Eq)]
pub struct Aliased {
    /// Bytes of the alias, or of the merge key.
    pub at: Range<usize>,
    /// For people, as Markdown.
    pub told: String,
}

/// A value with a name.
struct Anchor {
    name: String,
    /// The byte of its `&`.
    at: usize,
    /// Names of its fields, where it is a mapping.
    fields: Vec<String>,
}

struct Alias {
    at: Range<usize>,
    anchor: usize,
    /// Bytes of the `<<` that it is merged by.
    merge: Option<Range<usize>>,
}

enum Frame {
    /// In which merge key it is the value.
    List { merge: Option<Range<usize>> },
    /// Whether its value comes next, and the bytes of the key where that is a merge key; its anchor, or 0.
    Map { key: Option<Option<Range<usize>>>, anchor: usize },
}

/// Fields that are listed by name.
const LISTED: usize = 20;

/// What the alias or merge key at a byte of a document stands for; `None` where there is none. `document` are the bytes of
/// the document in the text. What cannot be read ends it, and what stands before that is known.
pub fn aliased(text: &str, document: Range<usize>, offset: usize) -> Option<Aliased> {
    let part = text.get(document.clone()).filter(|part| part.contains('*'))?;
    let (anchors, aliases) = read(part);
    let here = offset.checked_sub(document.start)?;
    let holds = |range: &Range<usize>| range.start <= here && here <= range.end;
    let shifted = |range: &Range<usize>| range.start + document.start..range.end + document.start;
    let line = |at: usize| text[..document.start + at].matches('\n').count() + 1;
    if let Some(alias) = aliases.iter().find(|alias| holds(&alias.at)) {
        let anchor = anchors.get(&alias.anchor)?;
        let of = fields(anchor);
        let told = format!("`*{0}` is the value that `&{0}` names in line {1}{of}", anchor.name, line(anchor.at));
        return Some(Aliased { at: shifted(&alias.at), told });
    }
    let merged: Vec<&Alias> = aliases.iter().filter(|alias| alias.merge.as_ref().is_some_and(holds)).collect();
    let key = merged.first()?.merge.clone()?;
    let mut told =
        "The fields of another mapping are put in here. Where one stands here too, the later of both counts."
            .to_owned();
    for alias in merged {
        let anchor = anchors.get(&alias.anchor)?;
        told.push_str(&format!("\n- `&{}` in line {}{}", anchor.name, line(anchor.at), fields(anchor)));
    }
    Some(Aliased { at: shifted(&key), told })
}

fn fields(anchor: &Anchor) -> String {
    if anchor.fields.is_empty() {
        return String::new();
    }
    let names: Vec<String> = anchor.fields.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    let more = anchor.fields.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(": {}{more}", names.join(", "))
}

fn read(part: &str) -> (BTreeMap<usize, Anchor>, Vec<Alias>) {
    let options = serde_yaml::granit_parser::options! {
        emit_comments: false,
        emit_anchor_events: true,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    };
    let mut parser = Parser::new_from_str_with_options(part, options);
    let (mut anchors, mut aliases) = (BTreeMap::<usize, Anchor>::new(), Vec::new());
    let mut frames: Vec<Frame> = Vec::new();
    while let Some(Ok((event, span))) = parser.next_event() {
        match event {
            Event::Scalar(value, style, ..) => {
                let Some(Frame::Map { key, anchor }) = frames.last_mut() else { continue };
                if key.take().is_none() {
                    let merges = style == ScalarStyle::Plain && value == "<<";
                    *key = Some(merges.then(|| bytes(&span)));
                    if let Some(anchor) = anchors.get_mut(anchor) {
                        anchor.fields.push(value.into_owned());
                    }
                }
            }
            Event::Alias(anchor) => {
                let merge = match frames.last() {
                    Some(Frame::List { merge }) => merge.clone(),
                    _ => begun(&mut frames),
                };
                aliases.push(Alias { at: bytes(&span), anchor, merge });
            }
            Event::SequenceStart(..) => {
                let merge = begun(&mut frames);
                frames.push(Frame::List { merge });
            }
            Event::MappingStart(_, anchor, _) => {
                begun(&mut frames);
                frames.push(Frame::Map { key: None, anchor });
            }
            Event::Anchor(id, name) => {
                anchors.insert(id, Anchor { name: name.into_owned(), at: bytes(&span).start, fields: Vec::new() });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                frames.pop();
            }
            _ => {}
        }
    }
    (anchors, aliases)
}

/// A value or a key that is no text begins: the bytes of its key where that is a merge key.
fn begun(frames: &mut [Frame]) -> Option<Range<usize>> {
    let Some(Frame::Map { key, .. }) = frames.last_mut() else { return None };
    match key.take() {
        Some(merge) => merge,
        None => {
            *key = Some(None);
            None
        }
    }
}

fn bytes(span: &Span) -> Range<usize> {
    span.byte_range().unwrap_or_default()
}

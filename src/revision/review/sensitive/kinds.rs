//! The kinds that a text speaks of, however YAML writes them: with escapes, tags, anchors, or in texts within a text.

use serde_yaml::granit_parser::{Event, Parser, Tag};

/// Texts within texts that are looked into: a patch stands in a kustomization, and may hold another text.
const DEPTH: usize = 3;
/// Where YAML's own tags are.
const CORE: &str = "tag:yaml.org,2002:";

/// What a text says of kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// This is the kind of something.
    Kind(String),
    /// A kind is written so that it is not seen.
    Hidden,
    /// The kind of something is written over.
    Written,
}

/// A mapping or list that is not yet complete.
enum Frame {
    List,
    /// With the key whose value comes next.
    Map(Option<Key>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Kind,
    /// Where a patch writes, or a transformer.
    Path,
    /// Whatever it may be.
    Unknown,
    Other,
}

/// All that a text says, as far as it can be read as YAML.
pub fn spoken_of(text: &str) -> Vec<Spoken> {
    let mut found = Vec::new();
    read(text, DEPTH, &mut found);
    found
}

fn read(text: &str, depth: usize, found: &mut Vec<Spoken>) {
    let options = serde_yaml::granit_parser::options! { emit_comments: false };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut frames: Vec<Frame> = Vec::new();
    // What stands before a mistake may be read by a more forgiving reader.
    while let Some(Ok((event, _))) = parser.next_event() {
        match event {
            Event::Scalar(value, _, _, tag) => {
                let value = value.trim();
                let is_packed = tag.as_deref().is_some_and(is_binary);
                match frames.last_mut() {
                    Some(Frame::Map(key @ None)) => *key = Some(key_of(value, is_packed)),
                    Some(Frame::Map(key)) => {
                        found.extend(key.take().and_then(|key| value_of(key, value, is_packed)));
                    }
                    Some(Frame::List) if is_kind(value) => found.push(Spoken::Written),
                    _ => {}
                }
                if depth > 0 && frames.len() > 1 && value.contains(['\n', ':', '{']) {
                    read(value, depth - 1, found);
                }
            }
            Event::Alias(_) => match frames.last_mut() {
                Some(Frame::Map(key @ None)) => *key = Some(Key::Unknown),
                Some(Frame::Map(key)) => {
                    let hides = matches!(key.take(), Some(Key::Kind | Key::Path));
                    found.extend(hides.then_some(Spoken::Hidden));
                }
                _ => {}
            },
            Event::SequenceStart(..) => opens(&mut frames, Frame::List),
            Event::MappingStart(..) => opens(&mut frames, Frame::Map(None)),
            Event::SequenceEnd | Event::MappingEnd => {
                frames.pop();
            }
            Event::DocumentStart(..) | Event::DocumentEnd => frames.clear(),
            _ => {}
        }
    }
}

/// A mapping or list begins: as a key it may be anything, as a value it is no kind.
fn opens(frames: &mut Vec<Frame>, frame: Frame) {
    if let Some(Frame::Map(key)) = frames.last_mut() {
        *key = if key.is_none() { Some(Key::Unknown) } else { None };
    }
    frames.push(frame);
}

fn is_binary(tag: &Tag) -> bool {
    tag.suffix_in_namespace(CORE).is_some_and(|name| name == "binary")
}

fn key_of(text: &str, is_packed: bool) -> Key {
    match text {
        _ if is_packed => Key::Unknown,
        "kind" => Key::Kind,
        "path" => Key::Path,
        _ => Key::Other,
    }
}

fn value_of(key: Key, text: &str, is_packed: bool) -> Option<Spoken> {
    match key {
        Key::Kind | Key::Path | Key::Unknown if is_packed => Some(Spoken::Hidden),
        Key::Kind if text.is_empty() => None,
        Key::Path if is_kind(text) => Some(Spoken::Written),
        Key::Kind => Some(Spoken::Kind(text.to_owned())),
        // What is no name of a kind says nothing of a key that may be any.
        Key::Unknown if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Some(Spoken::Kind(text.to_owned())),
        _ => None,
    }
}

/// Whether a path leads to the kind of an object.
fn is_kind(path: &str) -> bool {
    path.trim_matches(|c: char| !c.is_ascii_alphanumeric()) == "kind"
}

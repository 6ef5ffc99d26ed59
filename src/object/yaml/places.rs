//! Documents with the place of every value in the file, keys in their order, and types as Go's
//! reader `go.yaml.in/yaml/v3` has them: for who changes single values of a file and nothing else.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::scalar::{self, Scalar};
use super::{Dialect, Limits, text};
use crate::object::Problem;

/// A value of a document.
#[derive(Clone, Debug)]
pub enum Node {
    /// A text, number, boolean or null.
    Leaf(Leaf),
    /// A list.
    List(List),
    /// A mapping.
    Map(Map),
}

/// A scalar.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// What it says.
    pub value: Value,
    /// Where it stands, in bytes of the text, quotes included and tag excluded.
    pub at: Range<usize>,
    /// Line of the file, from 1.
    pub line: u32,
}

/// What a scalar says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A text; bytes where it is tagged as binary.
    Text(Vec<u8>),
}

/// A list.
#[derive(Clone, Debug)]
pub struct List {
    /// Its items.
    pub items: Vec<Node>,
    /// Where its bracket ends, where it is written in brackets.
    pub flow: Option<usize>,
}

/// A mapping.
#[derive(Clone, Debug)]
pub struct Map {
    /// Its fields, in the order in which they stand.
    pub fields: Vec<Field>,
    /// Where its brace ends, where it is written in braces.
    pub flow: Option<usize>,
}

/// A field of a mapping.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub at: Range<usize>,
    /// Line of the name, from 1.
    pub line: u32,
    /// Its value.
    pub node: Node,
}

impl Node {
    /// Where it ends; of one that is written on lines of its own, where the last thing in it does.
    /// `None` where nothing is in it.
    pub fn end(&self) -> Option<usize> {
        match self {
            Self::Leaf(leaf) => Some(leaf.at.end),
            Self::List(list) => list.flow.or_else(|| list.items.iter().filter_map(Self::end).max()),
            Self::Map(map) => map.flow.or_else(|| map.fields.iter().map(Field::end).max()),
        }
    }
}

impl Field {
    /// Where it ends.
    pub fn end(&self) -> usize {
        self.node.end().unwrap_or(0).max(self.at.end)
    }
}

/// A mapping or list that is not yet complete; of a mapping the key whose value comes next.
enum Frame {
    List(List),
    Map(Map, Option<(String, Range<usize>, u32)>),
}

/// The text as [`places`] reads it: JSON may have characters in it that YAML takes only as escapes.
pub fn readable(text: &str) -> Cow<'_, str> {
    if matches!(text::json_values(text), text::Json::Values(_)) { text::escaped(text) } else { text.into() }
}

/// The documents of a [`readable`] text, empty ones included: as null.
///
/// # Errors
/// What no reader of YAML takes, aliases, keys that are no texts, and numbers that Go's reader has no place
/// for; a limit that was passed.
pub fn places(file: &str, text: &str, limits: &Limits) -> Result<Vec<Node>, Problem> {
    let json = matches!(text::json_values(text), text::Json::Values(_));
    let problem = |line: u32, message: String| Problem::new("InvalidYaml", message).in_file(file, Some(line));
    let depth = limits.depth as usize + 1;
    let options = serde_yaml::granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: depth,
        block_nesting_limit: depth,
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut read = Reading { json, documents: Vec::new(), frames: Vec::new(), nodes: 0 };
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let line = u32::try_from(error.marker().line()).unwrap_or(u32::MAX).max(1);
            problem(line, error.info().to_owned())
        })?;
        let line = u32::try_from(span.start.line()).unwrap_or(u32::MAX).max(1);
        read.event(event, &span, text, line).map_err(|message| problem(line, message))?;
        if read.nodes > limits.nodes as usize {
            let message = format!("there are more than the {} nodes that are allowed", limits.nodes);
            return Err(Problem::new("LimitExceeded", message).in_file(file, Some(line)));
        }
    }
    Ok(read.documents)
}

struct Reading {
    json: bool,
    documents: Vec<Node>,
    frames: Vec<Frame>,
    nodes: usize,
}

impl Reading {
    fn event(&mut self, event: Event<'_>, span: &Span, text: &str, line: u32) -> Result<(), String> {
        let at = span.byte_range().unwrap_or_default();
        let opens = |with: &str| text.get(at.start..).is_some_and(|rest| rest.starts_with(with));
        match event {
            Event::Scalar(value, style, _, tag) => {
                let awaits_key = matches!(self.frames.last(), Some(Frame::Map(_, None)));
                let merge = awaits_key && scalar::is_merge(&value, style, tag.as_deref());
                let value =
                    if merge { Value::Text(b"<<".to_vec()) } else { self.value(&value, style, tag.as_deref())? };
                self.attach(Node::Leaf(Leaf { value, at, line }))?;
            }
            Event::SequenceStart(..) => {
                self.frames.push(Frame::List(List { items: Vec::new(), flow: opens("[").then_some(0) }));
            }
            Event::MappingStart(..) => {
                self.frames.push(Frame::Map(Map { fields: Vec::new(), flow: opens("{").then_some(0) }, None));
            }
            Event::SequenceEnd | Event::MappingEnd => match self.frames.pop() {
                Some(Frame::List(list)) => self.attach(Node::List(List { flow: list.flow.map(|_| at.end), ..list }))?,
                Some(Frame::Map(map, _)) => self.attach(Node::Map(Map { flow: map.flow.map(|_| at.end), ..map }))?,
                None => {}
            },
            Event::Alias(_) => return Err("the file has an alias, which SOPS never writes".to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn value(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
        if tag.is_some_and(|tag| tag.suffix_in_namespace(scalar::CORE).is_some_and(|name| name == "binary")) {
            let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            let bytes = STANDARD.decode(packed).map_err(|_| "the value of !!binary is not base64")?;
            return Ok(Value::Text(bytes));
        }
        // What stands in a block is a text however it is folded.
        let style = if style == ScalarStyle::Folded { ScalarStyle::Literal } else { style };
        Ok(match scalar::resolve(Dialect::Kustomize, text.into(), style, tag)? {
            Scalar::Null => Value::Null,
            Scalar::Bool(flag) => Value::Bool(flag),
            Scalar::Int(int) => Value::Int(int),
            #[allow(clippy::cast_precision_loss)] // As Go reads JSON.
            Scalar::Uint(uint) if self.json => Value::Float(uint as f64),
            Scalar::Uint(_) => return Err("the number is larger than 2^63".to_owned()),
            Scalar::Float(float) => Value::Float(float),
            Scalar::Text(text) => Value::Text(text.into_owned().into_bytes()),
        })
    }

    fn attach(&mut self, node: Node) -> Result<(), String> {
        self.nodes += 1;
        match self.frames.last_mut() {
            None => self.documents.push(node),
            Some(Frame::List(list)) => list.items.push(node),
            Some(Frame::Map(map, name)) => match name.take() {
                Some((name, at, line)) => map.fields.push(Field { name, at, line, node }),
                None => {
                    let Node::Leaf(Leaf { value: Value::Text(bytes), at, line }) = node else {
                        return Err("a key is no text; put it into quotes".to_owned());
                    };
                    let key = String::from_utf8(bytes).map_err(|_| "a key is no text")?;
                    *name = Some((key, at, line));
                }
            },
        }
        Ok(())
    }
}

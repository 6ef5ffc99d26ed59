//! The values of a text with the places where they stand, also while it is being written: a line that no
//! reader of YAML takes is left out, and the rest is read.

use std::ops::Range;

use serde_yaml::granit_parser::{Event, Parser, Span};

/// What a text holds.
#[derive(Debug, Default)]
pub struct Outline {
    /// Its documents, empty ones left out.
    pub documents: Vec<Document>,
}

/// A document.
#[derive(Debug)]
pub struct Document {
    /// Which of the file, from 1, empty ones counted.
    pub index: u32,
    /// Bytes from its `---`, or the head of the file, to the next.
    pub at: Range<usize>,
    /// What it holds.
    pub root: Node,
}

/// A value.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its bytes.
    pub at: Range<usize>,
    /// What it is.
    pub what: What,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum What {
    /// A scalar, as a text; an alias as well.
    Leaf(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping.
    Map(Vec<Field>),
}

/// A field of a mapping.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Bytes of the name.
    pub at: Range<usize>,
    /// Its value.
    pub node: Node,
}

/// A step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a field.
    Field(String),
    /// Into an item, from 0.
    Item(usize),
}

/// Bytes of a text that is still looked into; what is larger nobody writes by hand.
const LARGEST: usize = 4 << 20;
/// Lines that are left out of one document.
const LEFT_OUT: usize = 12;
/// Levels that may nest.
pub(super) const DEEPEST: usize = 100;

impl Outline {
    /// Reads a text. Nothing is found in one that is too large.
    pub fn read(text: &str) -> Self {
        let mut documents = Vec::new();
        if text.len() > LARGEST {
            return Self { documents };
        }
        let mut index = 0;
        for at in parts(text) {
            let marked = text[at.clone()].starts_with("---");
            // A document with nothing in it is null, which stands nowhere.
            let root = mended(&text[at.clone()], at.start).filter(|root| !root.at.is_empty());
            if marked || root.is_some() {
                index += 1;
            }
            documents.extend(root.map(|root| Document { index, at, root }));
        }
        Self { documents }
    }

    /// The document that a byte stands in.
    pub fn document_at(&self, offset: usize) -> Option<&Document> {
        self.documents.iter().rev().find(|document| document.at.start <= offset && offset <= document.at.end)
    }
}

/// Bytes of the documents: each from its `---`.
fn parts(text: &str) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        let rest = line.strip_prefix("---");
        if at > start && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n'])) {
            parts.push(start..at);
            start = at;
        }
        at += line.len();
    }
    parts.push(start..text.len());
    parts
}

/// What a document holds, without the lines that keep it from being read.
fn mended(part: &str, base: usize) -> Option<Node> {
    let mut text = part.to_owned();
    for _ in 0..=LEFT_OUT {
        match parsed(&text, base) {
            Ok(root) => return root,
            Err(line) => {
                if !blanked(&mut text, line) {
                    return None;
                }
            }
        }
    }
    None
}

/// Makes a line blank, or where it is that already, the last one before it that is not.
fn blanked(text: &mut String, line: usize) -> bool {
    let mut lines: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    for part in text.split_inclusive('\n') {
        lines.push(at..at + part.trim_end_matches(['\n', '\r']).len());
        at += part.len();
    }
    let last = lines.len().min(line + 1);
    let is_said = |range: &&Range<usize>| {
        let said = text[(*range).clone()].trim();
        !said.is_empty() && said != "---"
    };
    let Some(range) = lines[..last].iter().rev().find(is_said).cloned() else { return false };
    // As many bytes as before, so that every place stays.
    text.replace_range(range.clone(), &" ".repeat(range.len()));
    true
}

enum Frame {
    List(usize, Vec<Node>),
    Map(usize, Vec<Field>, Option<(String, Range<usize>)>),
}

/// What a document holds.
///
/// # Errors
/// The line, from 0, at which the parser stopped.
fn parsed(text: &str, base: usize) -> Result<Option<Node>, usize> {
    let options = serde_yaml::granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut frames: Vec<Frame> = Vec::new();
    let mut root = None;
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| error.marker().line().saturating_sub(1))?;
        let at = bytes(&span, base);
        let node = match event {
            Event::Scalar(value, ..) => Node { at, what: What::Leaf(value.into_owned()) },
            Event::Alias(_) => Node { at, what: What::Leaf(String::new()) },
            Event::SequenceStart(..) => {
                frames.push(Frame::List(at.start, Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                frames.push(Frame::Map(at.start, Vec::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match frames.pop() {
                Some(Frame::List(start, items)) => Node { at: start..at.end.max(start), what: What::List(items) },
                Some(Frame::Map(start, fields, _)) => Node { at: start..at.end.max(start), what: What::Map(fields) },
                None => continue,
            },
            _ => continue,
        };
        match frames.last_mut() {
            None => root = root.or(Some(node)),
            Some(Frame::List(_, items)) => items.push(node),
            Some(Frame::Map(_, fields, key)) => match key.take() {
                Some((name, at)) => fields.push(Field { name, at, node }),
                None => {
                    let name = match node.what {
                        What::Leaf(name) => name,
                        What::List(_) | What::Map(_) => String::new(),
                    };
                    *key = Some((name, node.at));
                }
            },
        }
    }
    Ok(root)
}

fn bytes(span: &Span, base: usize) -> Range<usize> {
    let at = span.byte_range().unwrap_or_default();
    base + at.start..base + at.end
}

impl Node {
    /// The fields of a mapping.
    pub fn fields(&self) -> &[Field] {
        match &self.what {
            What::Map(fields) => fields,
            What::Leaf(_) | What::List(_) => &[],
        }
    }

    /// The items of a list.
    pub fn items(&self) -> &[Node] {
        match &self.what {
            What::List(items) => items,
            What::Leaf(_) | What::Map(_) => &[],
        }
    }

    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&Self> {
        self.fields().iter().find(|field| field.name == name).map(|field| &field.node)
    }

    /// What a scalar says.
    pub fn text(&self) -> Option<&str> {
        match &self.what {
            What::Leaf(text) => Some(text),
            What::List(_) | What::Map(_) => None,
        }
    }

    /// The text of a field in a field …
    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        path.iter().try_fold(self, |node, name| node.field(name))?.text()
    }

    /// The value at a path.
    pub fn below(&self, path: &[Step]) -> Option<&Self> {
        path.iter().try_fold(self, |node, step| match step {
            Step::Field(name) => node.field(name),
            Step::Item(at) => node.items().get(*at),
        })
    }
}

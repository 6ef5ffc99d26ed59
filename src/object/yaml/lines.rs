//! Which line of a file a field stands at. Nothing is kept for it while a file is read: who has a
//! problem to place reads the document once more.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_yaml::granit_parser::{Event, Parser};

use super::{Dialect, scalar, text};

/// The line of every field and item of a document.
#[derive(Debug, Default)]
pub struct Lines(HashMap<String, u32>);

impl Lines {
    /// Line of what a JSON pointer names, from 1; of the nearest thing around it where it is not
    /// written there itself (it came by an alias, or is missing).
    pub fn line(&self, pointer: &str) -> Option<u32> {
        let mut pointer = pointer;
        loop {
            if let Some(line) = self.0.get(pointer) {
                return Some(*line);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }
}

/// Bytes that the lines of a document may take: what passes them is told by the line of what is
/// around it.
const MOST: usize = 64 << 20;

/// The lines of document `index` (from 1, as in [`super::Document`]) of a file. Empty where the
/// file has no such document, or where it cannot be read that far.
pub fn lines(bytes: &[u8], index: u32) -> Lines {
    let Ok(text) = text::of(bytes) else { return Lines::default() };
    let texts = match text::json_values(text) {
        text::Json::Values(values) => values.into_iter().map(|value| (text::escaped(value.text), value.line)).collect(),
        text::Json::Broken { .. } | text::Json::Other => vec![(Cow::Borrowed(text), 1)],
    };
    let mut walk =
        Walk { wanted: index, document: 0, path: String::new(), levels: Vec::new(), lines: HashMap::new(), bytes: 0 };
    for (text, first) in texts {
        let options = serde_yaml::granit_parser::options! {
            emit_comments: false,
        };
        let mut parser = Parser::new_from_str_with_options(&text, options);
        while let Some(event) = parser.next_event() {
            match event {
                Ok((event, span)) => {
                    let line = u32::try_from(span.start.line()).unwrap_or(u32::MAX).max(1).saturating_add(first - 1);
                    walk.event(event, line);
                }
                // A document that cannot be read has no lines; those after it do.
                Err(_) if walk.document < index && parser.proceed_next_document().unwrap_or(false) => {}
                Err(_) => break,
            }
            if walk.document > index {
                break;
            }
        }
    }
    Lines(walk.lines)
}

/// A walk along the events of a document.
struct Walk {
    wanted: u32,
    document: u32,
    path: String,
    levels: Vec<Level>,
    lines: HashMap<String, u32>,
    bytes: usize,
}

/// A mapping or list around the next event.
struct Level {
    /// Length of the path of the mapping or list itself.
    length: usize,
    next: Next,
}

enum Next {
    Item(usize),
    Key,
    /// Inside a key that is no scalar of its own.
    InKey,
    Value,
}

impl Walk {
    fn event(&mut self, event: Event<'_>, line: u32) {
        if let Event::DocumentStart(..) = event {
            self.document += 1;
            self.levels.clear();
            self.path.clear();
        }
        if self.document != self.wanted {
            return;
        }
        match event {
            Event::Scalar(text, style, _, tag) => {
                if let Some(Level { next: next @ Next::Key, .. }) = self.levels.last_mut() {
                    *next = Next::Value;
                    let tag = tag.as_deref();
                    let name = scalar::resolve(Dialect::Kubectl, text, style, tag);
                    let name = name.and_then(|name| name.key(Dialect::Kubectl)).unwrap_or_default();
                    self.path.push('/');
                    self.path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    self.note(line);
                } else {
                    self.arrive(line);
                    self.done();
                }
            }
            Event::Alias(_) => {
                self.arrive(line);
                self.done();
            }
            Event::SequenceStart(..) => self.enter(line, Next::Item(0)),
            Event::MappingStart(..) => self.enter(line, Next::Key),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(level) = self.levels.pop() {
                    self.path.truncate(level.length);
                }
                self.done();
            }
            _ => {}
        }
    }

    fn enter(&mut self, line: u32, next: Next) {
        self.arrive(line);
        self.levels.push(Level { length: self.path.len(), next });
    }

    /// A value starts: an item gets its own path, a field keeps its key's, and its key's line.
    fn arrive(&mut self, line: u32) {
        match self.levels.last_mut() {
            None => self.note(line),
            Some(Level { next: Next::Item(at), .. }) => {
                self.path.push('/');
                self.path.push_str(&at.to_string());
                *at += 1;
                self.note(line);
            }
            // A mapping or alias as a key has no pointer of its own.
            Some(Level { next: next @ Next::Key, .. }) => {
                *next = Next::InKey;
                self.path.push('/');
            }
            Some(Level { next: Next::Value | Next::InKey, .. }) => {}
        }
    }

    /// A value ends.
    fn done(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            match level.next {
                Next::InKey => {
                    level.next = Next::Value;
                    return;
                }
                Next::Value => level.next = Next::Key,
                Next::Item(_) | Next::Key => {}
            }
            self.path.truncate(level.length);
        }
    }

    fn note(&mut self, line: u32) {
        if !self.lines.contains_key(&self.path) && self.bytes < MOST {
            self.bytes += self.path.len() + 64;
            self.lines.insert(self.path.clone(), line);
        }
    }
}

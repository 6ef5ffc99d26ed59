//! Which line of a file a field stands at. Nothing is kept for it while a file is read: who has a
//! problem to place, or a field to explain, reads the file once more, and then knows all its documents.

use std::borrow::Cow;

use serde_yaml::granit_parser::{Event, Parser};

use super::usual::Unusual;
use super::{Dialect, scalar, text, usual};

/// The line of every field and item of a document, by its JSON pointer, in that order.
type Noted = Vec<(Box<str>, u32)>;

/// The lines of the documents of a file.
#[derive(Debug, Default)]
pub struct Lines(Vec<Noted>);

impl Lines {
    /// Line of what a JSON pointer into document `index` (from 1, as in [`super::Document`]) names, from 1; of the
    /// nearest thing around it where it is not written there itself (it came by an alias, or is missing). `None` where
    /// the file has no such document, or where it cannot be read that far.
    pub fn line(&self, index: u32, pointer: &str) -> Option<u32> {
        let noted = self.0.get(usize::try_from(index).ok()?.checked_sub(1)?)?;
        let mut pointer = pointer;
        loop {
            if let Ok(at) = noted.binary_search_by(|(known, _)| (**known).cmp(pointer)) {
                return Some(noted[at].1);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }
}

/// Bytes that the lines of a file may take: what passes them is told by the line of what is
/// around it.
const MOST: usize = 64 << 20;

/// The lines of a file, in one pass over it.
pub fn lines(bytes: &[u8]) -> Lines {
    let Ok(text) = text::of(bytes) else { return Lines::default() };
    let mut walk = Walk::default();
    let usual = usual::events(text, |event, line| {
        walk.event(event, line);
        Ok(())
    });
    if usual.is_ok() {
        return walk.lines();
    }
    let texts = match text::json_values(text) {
        text::Json::Values(values) => values.into_iter().map(|value| (text::escaped(value.text), value.line)).collect(),
        text::Json::Broken { .. } | text::Json::Other => vec![(Cow::Borrowed(text), 1)],
    };
    let mut walk = Walk::default();
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
                // Of a document that cannot be read what stands before the fault has lines; so have those after it.
                Err(_) if parser.proceed_next_document().unwrap_or(false) => {}
                Err(_) => break,
            }
        }
    }
    walk.lines()
}

/// Line of what a JSON pointer into document `index` names, found without reading further than that. `None` where it is
/// not written there itself, or the text is not written as manifests usually are: [`lines`] knows more.
pub fn line(bytes: &[u8], index: u32, pointer: &str) -> Option<u32> {
    let text = text::of(bytes).ok()?;
    let mut walk = Walk { wanted: Some((usize::try_from(index).ok()?, pointer)), ..Walk::default() };
    let _ = usual::events(text, |event, line| {
        walk.event(event, line);
        if walk.found.is_some() { Err(Unusual) } else { Ok(()) }
    });
    walk.found
}

/// A walk along the events of a file.
#[derive(Default)]
struct Walk<'p> {
    path: String,
    levels: Vec<Level>,
    documents: Vec<Noted>,
    bytes: usize,
    /// Document and pointer of the one line that is looked for, where it is one.
    wanted: Option<(usize, &'p str)>,
    found: Option<u32>,
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

impl Walk<'_> {
    /// The lines that were noted. Of a field that stands twice the first one counts.
    fn lines(mut self) -> Lines {
        for noted in &mut self.documents {
            noted.sort_by(|(one, _), (other, _)| one.cmp(other));
            noted.dedup_by(|(later, _), (first, _)| later == first);
        }
        Lines(self.documents)
    }

    fn event(&mut self, event: Event<'_>, line: u32) {
        if let Event::DocumentStart(..) = event {
            self.documents.push(Vec::new());
            self.levels.clear();
            self.path.clear();
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
        if let Some((document, pointer)) = self.wanted {
            if self.documents.len() == document && self.path == pointer {
                self.found = Some(line);
            }
            return;
        }
        if self.bytes < MOST
            && let Some(noted) = self.documents.last_mut()
        {
            self.bytes += self.path.len() + 48;
            noted.push((self.path.as_str().into(), line));
        }
    }
}

//! From the parser's events to values, within limits.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::open::{Frame, Key, Open};
use super::scalar::{self, Scalar};
use super::tally::{Halt, Tally, line_of};
use super::usual::{self, Unusual};
use super::{Dialect, Document, End, Limits, variable};

/// Reads texts of one file, one after the other, and keeps what it found and counted.
pub struct Loader<'a> {
    /// The documents without a problem.
    pub documents: Vec<Document>,
    /// What was counted, and every problem.
    pub tally: Tally<'a>,
    dialect: Dialect,
    seen: u32,
}

impl<'a> Loader<'a> {
    /// A loader that has read nothing.
    pub fn new(dialect: Dialect, file: &'a str, limits: &'a Limits) -> Self {
        Self { documents: Vec::new(), tally: Tally::new(file, limits), dialect, seen: 0 }
    }

    /// Reads all documents of a text that starts at `first` of the file. `false`: a limit was
    /// passed, and the rest of the file is not to be read.
    pub fn read(&mut self, text: &str, first: u32) -> bool {
        if self.seen == 0 && self.read_usual(text, first) {
            return true;
        }
        let depth = self.tally.limits.depth as usize + 1;
        let mut parser = Parser::new_from_str_with_options(
            text,
            serde_yaml::granit_parser::options! {
                emit_comments: false,
                flow_nesting_limit: depth,
                block_nesting_limit: depth,
            },
        );
        let mut open = Open::default();
        while let Some(event) = parser.next_event() {
            let halt = match event {
                Ok((event, span)) => {
                    let line = line_of(span.start.line(), first);
                    let completed = self.dialect == Dialect::Kubectl && self.tally.limits.end == End::Completed;
                    let event = if completed { event } else { at_end(event, &span, text) };
                    self.event(&mut open, event, line, || span_text(&span, text)).err()
                }
                Err(error) => {
                    // After a complete document: what follows still belongs to it, up to the next
                    // `---`, and half of a document is none.
                    if !open.started && self.documents.last().is_some_and(|last| last.index == self.seen) {
                        self.documents.pop();
                    }
                    Some(self.tally.syntax(&error, first))
                }
            };
            match halt {
                None => {}
                Some(Halt::File) => return false,
                Some(Halt::Document) => {
                    open = Open::default();
                    match parser.proceed_next_document() {
                        Ok(true) => {}
                        Ok(false) => break,
                        Err(error) => {
                            self.tally.syntax(&error, first);
                            return false;
                        }
                    }
                }
            }
        }
        true
    }

    /// Reads a text without the parser, where it is written as texts usually are and nothing is
    /// wrong in it. `false`: nothing was read.
    fn read_usual(&mut self, text: &str, first: u32) -> bool {
        let mut open = Open::default();
        let read = usual::events(text, |event, line| {
            self.event(&mut open, event, line.saturating_add(first - 1), || "~".to_owned()).map_err(|_| Unusual)
        });
        let done = read.is_ok() && self.tally.problems.is_empty();
        if !done {
            *self = Self::new(self.dialect, self.tally.file, self.tally.limits);
        }
        done
    }

    fn event<'t>(
        &mut self,
        open: &mut Open<'t>,
        event: Event<'t>,
        line: u32,
        source: impl Fn() -> String,
    ) -> Result<(), Halt> {
        match event {
            Event::DocumentStart(..) => {
                self.seen += 1;
                *open = Open { started: true, ..Open::default() };
                if self.seen > self.tally.limits.documents {
                    return Err(self.tally.limit(
                        line,
                        "documents",
                        u64::from(self.tally.limits.documents),
                        Halt::File,
                    ));
                }
            }
            Event::DocumentEnd => self.close(open),
            Event::Scalar(text, style, anchor, tag) => {
                self.tally.count(1, line)?;
                // The parser says `~` as well where nothing is written.
                let nothing = text == "~" && style == ScalarStyle::Plain && !open.at_key() && source().is_empty();
                let text = if nothing { Cow::Borrowed("") } else { text };
                return self.scalar(open, text, style, anchor, tag.as_deref(), line);
            }
            Event::SequenceStart(style, anchor, _) => {
                open.bracket(style);
                self.enter(open, Frame::List { items: Vec::new(), anchor, line }, line)?;
            }
            Event::MappingStart(style, anchor, _) => {
                open.bracket(style);
                let (first, merged) = (open.keys.len(), BTreeSet::new());
                self.enter(
                    open,
                    Frame::Map { fields: Map::new(), key: Key::Awaited, first, merged, anchor, line },
                    line,
                )?;
            }
            Event::SequenceEnd | Event::MappingEnd => return self.leave(open),
            Event::Alias(id) => {
                self.tally.alias(line)?;
                let Some(value) = open.anchors.get(&id) else {
                    // The parser knows the anchor, and it is not complete: the alias stands in it.
                    open.problem(
                        &mut self.tally,
                        line,
                        "InvalidYaml",
                        format!("the alias {} contains itself", source()),
                    )?;
                    return self.attach(open, Value::Null, line);
                };
                self.tally.repeat(value, line)?;
                let value = value.clone();
                return self.attach(open, value, line);
            }
            _ => {}
        }
        Ok(())
    }

    fn scalar<'t>(
        &mut self,
        open: &mut Open<'t>,
        text: Cow<'t, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        line: u32,
    ) -> Result<(), Halt> {
        if let Some(Frame::Map { key: key @ Key::Awaited, .. }) = open.frames.last_mut() {
            if scalar::is_merge(&text, style, tag) {
                *key = Key::Merge(line);
                return Ok(());
            }
            let resolved = scalar::resolve(self.dialect, text, style, tag);
            if anchor != 0
                && let Ok(value) = resolved.clone().and_then(|value| value.into_value(self.dialect))
            {
                open.anchors.insert(anchor, value);
            }
            return self.key(open, resolved.and_then(|value| value.key(self.dialect)), line);
        }
        if self.dialect != Dialect::Kubectl && text.is_empty() && style == ScalarStyle::Plain && tag.is_none() {
            self.unwritten(open, line)?;
        }
        let plain = tag.is_none() && variable::is_plain(self.tally.limits.plain, &text, style);
        let text = if plain && !variable::takes_text(open.fields()) { variable::marked(text) } else { text };
        let kept = (self.dialect != Dialect::Kubectl && open.in_annotations()).then(|| text.clone());
        let emptied = self.dialect == Dialect::Kustomize && text.is_empty() && open.brackets.is_some();
        let resolved = scalar::resolve(self.dialect, text, style, tag).map(|value| match (value, kept) {
            // kustomize writes nothing in brackets as an empty text, and reads that.
            (Scalar::Null, None) if emptied => Scalar::Text("".into()),
            (Scalar::Null, _) if self.dialect == Dialect::Patch => Scalar::Null,
            (_, Some(text)) => Scalar::Text(text),
            (value, None) => value,
        });
        let value = match resolved.and_then(|value| value.into_value(self.dialect)) {
            Ok(value) => value,
            Err(message) => {
                open.problem(&mut self.tally, line, "InvalidYaml", message)?;
                Value::Null
            }
        };
        if anchor != 0 {
            self.tally.repeat(&value, line)?;
            open.anchors.insert(anchor, value.clone());
        }
        self.attach(open, value, line)
    }

    /// Notes a field for which nothing is written. Its path is a copy of names, and counts as one.
    fn unwritten(&mut self, open: &mut Open<'_>, line: u32) -> Result<(), Halt> {
        let Some(path) = open.path() else { return Ok(()) };
        let bytes: usize = path.iter().map(|name| name.len() + size_of::<String>()).sum();
        self.tally.repeated(bytes as u64, line)?;
        open.unwritten.push(path);
        Ok(())
    }

    fn enter<'t>(&mut self, open: &mut Open<'t>, frame: Frame<'t>, line: u32) -> Result<(), Halt> {
        self.tally.count(1, line)?;
        if open.frames.len() >= self.tally.limits.depth as usize {
            return Err(self.tally.limit(
                line,
                "levels of nesting",
                u64::from(self.tally.limits.depth),
                Halt::Document,
            ));
        }
        open.frames.push(frame);
        Ok(())
    }

    fn leave(&mut self, open: &mut Open<'_>) -> Result<(), Halt> {
        let (value, anchor, line) = match open.frames.pop() {
            Some(Frame::List { items, anchor, line }) => (Value::Array(items), anchor, line),
            Some(Frame::Map { fields, anchor, line, first, .. }) => {
                open.keys.truncate(first);
                (Value::Object(fields), anchor, line)
            }
            None => return Ok(()),
        };
        open.brackets = open.brackets.filter(|opened| *opened < open.frames.len());
        if anchor != 0 {
            self.tally.repeat(&value, line)?;
            open.anchors.insert(anchor, value.clone());
        }
        self.attach(open, value, line)
    }

    /// Puts a complete value where it belongs.
    fn attach(&mut self, open: &mut Open<'_>, value: Value, line: u32) -> Result<(), Halt> {
        let key = match open.frames.last_mut() {
            None => {
                open.root = Some((value, line));
                return Ok(());
            }
            Some(Frame::List { items, .. }) => {
                items.push(value);
                return Ok(());
            }
            Some(Frame::Map { key: Key::Awaited, .. }) => return self.key(open, key_of(value), line),
            Some(Frame::Map { key, .. }) => std::mem::replace(key, Key::Awaited),
        };
        match key {
            Key::Field(name, at) => self.field(open, name, at, value),
            Key::Merge(at) => self.merge(open, value, at),
            Key::Awaited | Key::Faulty => Ok(()),
        }
    }

    fn key<'t>(&mut self, open: &mut Open<'t>, name: Result<Cow<'t, str>, String>, line: u32) -> Result<(), Halt> {
        let next = match name {
            Ok(name) => Key::Field(name, line),
            Err(message) => {
                open.problem(&mut self.tally, line, "InvalidYaml", message)?;
                Key::Faulty
            }
        };
        if let Some(Frame::Map { key, .. }) = open.frames.last_mut() {
            *key = next;
        }
        Ok(())
    }

    fn field<'t>(&mut self, open: &mut Open<'t>, name: Cow<'t, str>, at: u32, value: Value) -> Result<(), Halt> {
        let Some(Frame::Map { fields, first, merged, .. }) = open.frames.last_mut() else { return Ok(()) };
        let was_there = fields.insert(name.clone().into_owned(), value).is_some();
        if was_there && !merged.remove(&*name) {
            let first = open.keys[*first..].iter().find(|(key, _)| *key == name).map_or(at, |(_, line)| *line);
            let message = format!("the key {:?} stands twice in one mapping, first at line {first}", short(&name));
            return open.problem(&mut self.tally, at, "DuplicateKey", message);
        }
        open.keys.push((name, at));
        Ok(())
    }

    /// What stands later wins, the merge itself included: as kubectl has it.
    fn merge(&mut self, open: &mut Open<'_>, value: Value, at: u32) -> Result<(), Halt> {
        let sources = match value {
            Value::Object(source) => vec![Value::Object(source)],
            Value::Array(sources) => sources,
            _ => vec![Value::Null],
        };
        for source in sources.into_iter().rev() {
            let Value::Object(source) = source else {
                return open.problem(
                    &mut self.tally,
                    at,
                    "InvalidYaml",
                    "the merge key << needs a mapping or a list of mappings".to_owned(),
                );
            };
            if let Some(Frame::Map { fields, merged, .. }) = open.frames.last_mut() {
                for (name, value) in source {
                    merged.insert(name.clone());
                    fields.insert(name, value);
                }
            }
        }
        Ok(())
    }

    fn close(&mut self, open: &mut Open<'_>) {
        let open = std::mem::take(open);
        if let Some((value, line)) = open.root
            && !open.faulty
            && !value.is_null()
        {
            self.documents.push(Document { line, index: self.seen, value, unwritten: open.unwritten });
        }
    }
}

/// A block text that the file ends in, without a line feed of its own: kustomize keeps none then.
/// kubectl, which reads line by line, always has one.
fn at_end<'t>(event: Event<'t>, span: &Span, text: &str) -> Event<'t> {
    match event {
        Event::Scalar(value, style @ (ScalarStyle::Literal | ScalarStyle::Folded), anchor, tag)
            if !text.ends_with('\n')
                && value.ends_with('\n')
                && span
                    .slice(text)
                    .is_some_and(|own| own.as_bytes().as_ptr_range().end == text.as_bytes().as_ptr_range().end) =>
        {
            let value = value[..value.len() - 1].to_owned();
            Event::Scalar(value.into(), style, anchor, tag)
        }
        event => event,
    }
}

/// A complete value as a key: what an alias stands for.
fn key_of(value: Value) -> Result<Cow<'static, str>, String> {
    match value {
        Value::String(text) => Ok(text.into()),
        Value::Bool(flag) => Ok(flag.to_string().into()),
        Value::Number(number) => Ok(number.to_string().into()),
        Value::Null => Err("null cannot be a key".to_owned()),
        Value::Array(_) | Value::Object(_) => Err("a list or mapping cannot be a key".to_owned()),
    }
}

fn span_text(span: &Span, text: &str) -> String {
    short(span.slice(text).unwrap_or("of this line")).to_owned()
}

/// At most 60 characters.
fn short(text: &str) -> &str {
    text.char_indices().nth(60).map_or(text, |(at, _)| &text[..at])
}

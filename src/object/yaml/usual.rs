//! The events of a text that is written as manifests usually are, several times faster than the
//! parser finds them.
//!
//! Known here are documents of block mappings and lists, with scalars in every notation and flow
//! collections on one line. Whatever else stands in a text (anchors, aliases, tags, directives,
//! tabs, keys that are no plain word, anything that is wrong) is [`Unusual`]: then the parser reads
//! it from its start, and what it says counts. So this need not know all of YAML, and never has a
//! word of its own about a mistake. A test holds its events equal to the parser's.

mod block;
mod notation;

use std::borrow::Cow;

use serde_yaml::granit_parser::{Event, ScalarStyle, StructureStyle};

/// Something stands in the text that is not known here.
#[derive(Debug, PartialEq, Eq)]
pub struct Unusual;

/// Levels of nesting that are followed.
const DEPTH: u32 = 100;

/// Calls `take` with every event of a text, and the line on which it starts, from 1. Where it ends
/// in [`Unusual`], what was taken before counts for nothing.
///
/// A scalar that is not written is empty, and not `~` as the parser has it, on the line of its key;
/// one below `|` or `>` starts on its own first line.
pub fn events<'t>(text: &'t str, take: impl FnMut(Event<'t>, u32) -> Result<(), Unusual>) -> Result<(), Unusual> {
    if text.as_bytes().contains(&b'\r') || text.as_bytes().contains(&0x7f) {
        return Err(Unusual);
    }
    if !text.is_ascii() && text.chars().any(is_special) {
        return Err(Unusual);
    }
    Scan { text, bytes: text.as_bytes(), at: 0, line: 1, column: None, blank: 0, comment: false, depth: 0, take }
        .documents()
}

/// Characters that a reader of YAML may take for a line break, or refuse.
fn is_special(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// A walk through the text.
struct Scan<'t, F> {
    text: &'t str,
    bytes: &'t [u8],
    /// Where it stands.
    at: usize,
    /// On which line.
    line: u32,
    /// Column of the content at which it stands, as [`Scan::next`] found it; `None` at the end of a
    /// document.
    column: Option<usize>,
    /// Blank lines before that content.
    blank: usize,
    /// Whether there were comments among them.
    comment: bool,
    depth: u32,
    take: F,
}

impl<'t, F: FnMut(Event<'t>, u32) -> Result<(), Unusual>> Scan<'t, F> {
    fn documents(mut self) -> Result<(), Unusual> {
        self.next()?;
        let mut first = true;
        while self.at < self.bytes.len() {
            let (line, marked) = (self.line, self.column.is_none());
            if marked {
                if !self.bytes[self.at..].starts_with(b"---") {
                    return Err(Unusual);
                }
                self.at += 3;
                self.end_line()?;
                self.next()?;
            } else if !first || self.bytes[self.at] == b'%' {
                return Err(Unusual);
            }
            first = false;
            self.give(Event::DocumentStart(marked, None), line)?;
            match self.column {
                Some(column) => self.collection(column)?,
                None => self.nothing(line)?,
            }
            if self.column.is_some() {
                return Err(Unusual);
            }
            self.give(Event::DocumentEnd, self.line)?;
        }
        Ok(())
    }

    fn give(&mut self, event: Event<'t>, line: u32) -> Result<(), Unusual> {
        (self.take)(event, line)
    }

    fn give_scalar(&mut self, text: Cow<'t, str>, style: ScalarStyle, line: u32) -> Result<(), Unusual> {
        self.give(Event::Scalar(text, style, 0, None), line)
    }

    fn nothing(&mut self, line: u32) -> Result<(), Unusual> {
        self.give_scalar(Cow::Borrowed(""), ScalarStyle::Plain, line)
    }

    /// The byte at which it stands, or a line feed at the end of the text.
    fn byte(&self) -> u8 {
        self.byte_at(self.at)
    }

    fn byte_at(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(b'\n')
    }

    fn is_blank_at(&self, at: usize) -> bool {
        matches!(self.byte_at(at), b' ' | b'\n')
    }

    fn skip_spaces(&mut self) {
        while self.bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
    }

    /// From the start of a line to the next content.
    fn next(&mut self) -> Result<(), Unusual> {
        (self.blank, self.comment) = (0, false);
        loop {
            let start = self.at;
            self.skip_spaces();
            match self.bytes.get(self.at) {
                None => {
                    self.column = None;
                    return Ok(());
                }
                Some(b'\n') => {
                    self.at += 1;
                    self.line += 1;
                    self.blank += 1;
                }
                Some(b'#') => {
                    self.comment = true;
                    self.skip_line();
                }
                Some(b'\t') => return Err(Unusual),
                Some(_) => {
                    self.column = (!self.is_marker(start)).then_some(self.at - start);
                    return Ok(());
                }
            }
        }
    }

    /// Whether a line is `---` or `...`, or starts with it.
    fn is_marker(&self, start: usize) -> bool {
        let rest = &self.bytes[start..];
        (rest.starts_with(b"---") || rest.starts_with(b"..."))
            && matches!(rest.get(3), None | Some(b' ' | b'\n' | b'\t'))
    }

    /// To the start of the next line.
    fn skip_line(&mut self) {
        match self.bytes[self.at..].iter().position(|byte| *byte == b'\n') {
            Some(length) => {
                self.at += length + 1;
                self.line += 1;
            }
            None => self.at = self.bytes.len(),
        }
    }

    /// Behind a value there may be a comment, and nothing else, on its line.
    fn end_line(&mut self) -> Result<(), Unusual> {
        let end = self.at;
        self.skip_spaces();
        match self.bytes.get(self.at) {
            None | Some(b'\n') => {}
            Some(b'#') if self.at > end => {}
            Some(_) => return Err(Unusual),
        }
        self.skip_line();
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), Unusual> {
        self.depth += 1;
        if self.depth > DEPTH { Err(Unusual) } else { Ok(()) }
    }

    /// A list or mapping whose first line has its content in a column.
    fn collection(&mut self, column: usize) -> Result<(), Unusual> {
        if self.is_item() {
            return self.list(column);
        }
        let key = self.key()?.ok_or(Unusual)?;
        self.mapping(column, key)
    }

    fn is_item(&self) -> bool {
        self.byte() == b'-' && self.is_blank_at(self.at + 1)
    }

    /// A mapping in a column, whose first key was read.
    fn mapping(&mut self, column: usize, first: (Cow<'t, str>, ScalarStyle)) -> Result<(), Unusual> {
        self.deeper()?;
        self.give(Event::MappingStart(StructureStyle::Block, 0, None), self.line)?;
        let mut key = first;
        loop {
            let line = self.line;
            self.give_scalar(key.0, key.1, line)?;
            self.skip_spaces();
            match self.byte() {
                b'\n' | b'#' => {
                    self.end_line_of_key()?;
                    match self.column {
                        Some(inner) if inner > column => self.node(column, inner)?,
                        // A list may stand in the column of its key.
                        Some(inner) if inner == column && self.is_item() => self.list(inner)?,
                        _ => self.nothing(line)?,
                    }
                }
                b'-' if self.is_blank_at(self.at + 1) => return Err(Unusual),
                _ => self.scalar(column)?,
            }
            match self.column {
                Some(next) if next == column => key = self.key()?.ok_or(Unusual)?,
                Some(next) if next > column => return Err(Unusual),
                _ => break,
            }
        }
        self.depth -= 1;
        self.give(Event::MappingEnd, self.line)
    }

    fn end_line_of_key(&mut self) -> Result<(), Unusual> {
        // Between the colon and a comment there is a space.
        if self.byte() == b'#' && self.bytes[self.at - 1] != b' ' {
            return Err(Unusual);
        }
        self.skip_line();
        self.next()
    }

    /// A list whose dashes stand in a column.
    fn list(&mut self, column: usize) -> Result<(), Unusual> {
        self.deeper()?;
        self.give(Event::SequenceStart(StructureStyle::Block, 0, None), self.line)?;
        loop {
            let dash = self.at;
            self.at += 1;
            self.skip_spaces();
            match self.byte() {
                b'\n' | b'#' => {
                    self.skip_line();
                    self.next()?;
                    match self.column {
                        Some(inner) if inner > column => self.node(column, inner)?,
                        _ => return Err(Unusual),
                    }
                }
                _ => self.node(column, column + self.at - dash)?,
            }
            match self.column {
                Some(next) if next == column && self.is_item() => {}
                Some(next) if next > column => return Err(Unusual),
                _ => break,
            }
        }
        self.depth -= 1;
        self.give(Event::SequenceEnd, self.line)
    }

    /// What stands in a column, within a collection of another one.
    fn node(&mut self, outer: usize, column: usize) -> Result<(), Unusual> {
        if self.is_item() {
            return self.list(column);
        }
        match self.key()? {
            Some(key) => self.mapping(column, key),
            None => self.scalar(outer),
        }
    }

    /// A scalar or flow collection within a collection of a column, to the next content.
    fn scalar(&mut self, outer: usize) -> Result<(), Unusual> {
        let line = self.line;
        let (text, style) = match self.byte() {
            b'"' | b'\'' => self.quoted(outer)?,
            // These find the next content themselves.
            b'|' => {
                let (text, line) = self.literal(outer)?;
                return self.give_scalar(text, ScalarStyle::Literal, line);
            }
            b'>' => {
                let (text, line) = self.folded(outer)?;
                return self.give_scalar(text, ScalarStyle::Folded, line);
            }
            b'[' | b'{' => {
                self.flow()?;
                self.end_line()?;
                return self.next();
            }
            _ => {
                let text = self.plain(outer)?;
                return self.give_scalar(text, ScalarStyle::Plain, line);
            }
        };
        self.give_scalar(text, style, line)?;
        self.end_line()?;
        self.next()
    }
}

#[cfg(test)]
mod tests;

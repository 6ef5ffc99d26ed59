//! Positions in a text: lines and characters as an editor counts them, and bytes as we do.

use std::ops::Range;
use std::sync::Arc;

/// What an editor counts the characters of a line in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// Units of 16 bits, of which an emoji has two: what every editor understands.
    #[default]
    Utf16,
    /// Characters of Unicode.
    Utf32,
}

/// A position, line and character from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// How many units stand before it in the line.
    pub character: u32,
}

/// A change of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What is replaced; everything where it is `None`.
    pub range: Option<(Position, Position)>,
    /// What takes its place.
    pub text: String,
}

/// A text with the beginnings of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    text: Arc<str>,
    /// Byte at which each line begins.
    lines: Arc<[usize]>,
}

impl Text {
    /// A text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let lines =
            std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1));
        let lines = lines.collect();
        Self { text, lines }
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same text, shared.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// Bytes of a line, from 0, without its end; that of an empty line at the end where there is none.
    pub fn line(&self, line: u32) -> Range<usize> {
        let line = line as usize;
        let Some(&start) = self.lines.get(line) else { return self.text.len()..self.text.len() };
        let end = self.lines.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let end = if self.text[start..end].ends_with('\r') { end - 1 } else { end };
        start..end
    }

    /// The line of a byte, from 0.
    pub fn line_of(&self, offset: usize) -> u32 {
        u32::try_from(self.lines.partition_point(|start| *start <= offset).saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// The byte at a position: what lies behind the end of its line is that end, and what lies within a
    /// character is the beginning of it.
    pub fn offset(&self, position: Position, encoding: Encoding) -> usize {
        let range = self.line(position.line);
        let wanted = position.character as usize;
        let mut units = 0;
        for (at, c) in self.text[range.clone()].char_indices() {
            let size = size(c, encoding);
            if units + size > wanted {
                return range.start + at;
            }
            units += size;
        }
        range.end
    }

    /// The position of a byte.
    pub fn position(&self, offset: usize, encoding: Encoding) -> Position {
        let offset = (0..=offset.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        let line = self.line_of(offset);
        let start = self.lines.get(line as usize).copied().unwrap_or(0);
        let units: usize = self.text[start..offset].chars().map(|c| size(c, encoding)).sum();
        Position { line, character: u32::try_from(units).unwrap_or(u32::MAX) }
    }

    /// The text after changes, each of which is meant in the text that the one before left.
    #[must_use]
    pub fn changed(&self, changes: &[Change], encoding: Encoding) -> Self {
        changes.iter().fold(self.clone(), |text, change| match change.range {
            None => Self::new(change.text.as_str()),
            Some((start, end)) => {
                let start = text.offset(start, encoding);
                let end = text.offset(end, encoding).max(start);
                Self::new([&text.text[..start], &change.text, &text.text[end..]].concat())
            }
        })
    }
}

fn size(c: char, encoding: Encoding) -> usize {
    match encoding {
        Encoding::Utf8 => c.len_utf8(),
        Encoding::Utf16 => c.len_utf16(),
        Encoding::Utf32 => 1,
    }
}

//! The notations of scalars, and flow collections.

use std::borrow::Cow;

use serde_yaml::granit_parser::{Event, ScalarStyle, StructureStyle};

use super::{Scan, Unusual};

/// Bytes of a key: the parser takes no more than 1024 characters.
const KEY: usize = 1000;

/// A part of a quoted text on one line, and whether its quote closes there.
type Segment<'t> = (Cow<'t, str>, bool);

impl<'t, F: FnMut(Event<'t>, u32) -> Result<(), Unusual>> Scan<'t, F> {
    /// The key that stands here, to behind its colon; `None` where none does.
    pub(super) fn key(&mut self) -> Result<Option<(Cow<'t, str>, ScalarStyle)>, Unusual> {
        let start = self.at;
        let (text, style) = match self.byte() {
            b'"' | b'\'' => {
                let ((text, closed), style) = self.quoted_line()?;
                if !closed || self.byte() != b':' || !self.is_blank_at(self.at + 1) {
                    self.at = start;
                    return Ok(None);
                }
                (text, style)
            }
            b'|' | b'>' | b'[' | b'{' => return Ok(None),
            _ => {
                let Some(end) = self.plain_key()? else { return Ok(None) };
                self.at = end;
                (Cow::Borrowed(&self.text[start..end]), ScalarStyle::Plain)
            }
        };
        if self.at - start > KEY {
            return Err(Unusual);
        }
        self.at += 1;
        Ok(Some((text, style)))
    }

    /// Where the colon behind a key without quotes stands.
    fn plain_key(&self) -> Result<Option<usize>, Unusual> {
        self.plain_start()?;
        let mut at = self.at;
        loop {
            match self.byte_at(at) {
                b':' if self.is_blank_at(at + 1) => {
                    return if self.bytes[at - 1] == b' ' { Err(Unusual) } else { Ok(Some(at)) };
                }
                b'#' if self.bytes[at - 1] == b' ' => return Ok(None),
                b'\n' => return Ok(None),
                b'\t' => return Err(Unusual),
                _ => at += 1,
            }
        }
    }

    /// Whether a scalar without quotes may start here.
    fn plain_start(&self) -> Result<(), Unusual> {
        match self.byte() {
            b'-' if !self.is_blank_at(self.at + 1) => Ok(()),
            b'-' | b'?' | b':' | b',' | b']' | b'}' | b'#' | b'&' | b'*' | b'!' | b'%' | b'@' | b'`' | b'\t'
            | b'\n' | b'[' | b'{' | b'|' | b'>' | b'"' | b'\'' => Err(Unusual),
            _ => Ok(()),
        }
    }

    /// A scalar without quotes, and to the next content.
    pub(super) fn plain(&mut self, outer: usize) -> Result<Cow<'t, str>, Unusual> {
        self.plain_start()?;
        let (line, mut ended) = self.plain_line()?;
        let mut text = Cow::Borrowed(line);
        self.next()?;
        while self.column.is_some_and(|column| column > outer) {
            if ended || self.comment {
                return Err(Unusual);
            }
            let blank = self.blank;
            let (line, commented) = self.plain_line()?;
            ended = commented;
            let text = text.to_mut();
            fold(text, blank);
            text.push_str(line);
            self.next()?;
        }
        Ok(text)
    }

    /// What of a scalar without quotes stands on this line, and whether a comment ends it.
    fn plain_line(&mut self) -> Result<(&'t str, bool), Unusual> {
        let start = self.at;
        let commented = loop {
            match self.byte() {
                b'\n' => break false,
                b':' if self.is_blank_at(self.at + 1) => return Err(Unusual),
                b'#' if self.at > start && self.bytes[self.at - 1] == b' ' => break true,
                b'\t' => return Err(Unusual),
                _ => self.at += 1,
            }
        };
        let text = self.text[start..self.at].trim_end_matches(' ');
        self.skip_line();
        Ok((text, commented))
    }

    /// A text in quotes.
    pub(super) fn quoted(&mut self, outer: usize) -> Result<(Cow<'t, str>, ScalarStyle), Unusual> {
        let ((mut text, mut closed), style) = self.quoted_line()?;
        while !closed {
            let blank = self.next_quoted(outer)?;
            let segment = match style {
                ScalarStyle::DoubleQuoted => self.double()?,
                _ => self.single(),
            };
            let text = text.to_mut();
            fold(text, blank);
            text.push_str(&segment.0);
            closed = segment.1;
        }
        Ok((text, style))
    }

    /// The first line of a text in quotes.
    fn quoted_line(&mut self) -> Result<(Segment<'t>, ScalarStyle), Unusual> {
        let double = self.byte() == b'"';
        self.at += 1;
        Ok(if double {
            (self.double()?, ScalarStyle::DoubleQuoted)
        } else {
            (self.single(), ScalarStyle::SingleQuoted)
        })
    }

    /// To the next line of a text in quotes that is not blank; says how many are.
    fn next_quoted(&mut self, outer: usize) -> Result<usize, Unusual> {
        let mut blank = 0;
        loop {
            self.skip_line();
            let start = self.at;
            self.skip_spaces();
            match self.bytes.get(self.at) {
                None | Some(b'\t') => return Err(Unusual),
                Some(b'\n') => blank += 1,
                Some(_) if self.at - start <= outer => return Err(Unusual),
                Some(_) => return Ok(blank),
            }
        }
    }

    fn single(&mut self) -> Segment<'t> {
        let mut start = self.at;
        let mut text = Cow::Borrowed("");
        loop {
            match self.byte() {
                b'\'' if self.byte_at(self.at + 1) == b'\'' => {
                    add(&mut text, &self.text[start..=self.at]);
                    self.at += 2;
                    start = self.at;
                }
                b'\'' => {
                    add(&mut text, &self.text[start..self.at]);
                    self.at += 1;
                    return (text, true);
                }
                b'\n' => {
                    add(&mut text, self.text[start..self.at].trim_end_matches([' ', '\t']));
                    return (text, false);
                }
                _ => self.at += 1,
            }
        }
    }

    fn double(&mut self) -> Result<Segment<'t>, Unusual> {
        let mut start = self.at;
        let mut text = Cow::Borrowed("");
        loop {
            match self.byte() {
                b'\\' => {
                    add(&mut text, &self.text[start..self.at]);
                    self.at += 1;
                    text.to_mut().push(self.escape()?);
                    start = self.at;
                }
                b'"' => {
                    add(&mut text, &self.text[start..self.at]);
                    self.at += 1;
                    return Ok((text, true));
                }
                b'\n' => {
                    add(&mut text, self.text[start..self.at].trim_end_matches([' ', '\t']));
                    return Ok((text, false));
                }
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, Unusual> {
        let digits = match self.byte() {
            b'x' => 2,
            b'u' => 4,
            _ => 0,
        };
        let c = match self.byte() {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'x' | b'u' => {
                let written = self.text.get(self.at + 1..=self.at + digits).ok_or(Unusual)?;
                if !written.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(Unusual);
                }
                u32::from_str_radix(written, 16).ok().and_then(char::from_u32).ok_or(Unusual)?
            }
            _ => return Err(Unusual),
        };
        self.at += 1 + digits;
        Ok(c)
    }

    /// A flow collection on one line.
    pub(super) fn flow(&mut self) -> Result<(), Unusual> {
        self.deeper()?;
        let (line, is_map) = (self.line, self.byte() == b'{');
        let (start, end, close) = if is_map {
            (Event::MappingStart(StructureStyle::Flow, 0, None), Event::MappingEnd, b'}')
        } else {
            (Event::SequenceStart(StructureStyle::Flow, 0, None), Event::SequenceEnd, b']')
        };
        self.give(start, line)?;
        self.at += 1;
        self.skip_spaces();
        if self.byte() != close {
            loop {
                if is_map {
                    self.flow_scalar()?;
                    if self.byte() != b':' || self.byte_at(self.at + 1) != b' ' {
                        return Err(Unusual);
                    }
                    self.at += 1;
                    self.skip_spaces();
                }
                match self.byte() {
                    b'[' | b'{' => self.flow()?,
                    _ => self.flow_scalar()?,
                }
                self.skip_spaces();
                match self.byte() {
                    b',' => self.at += 1,
                    byte if byte == close => break,
                    _ => return Err(Unusual),
                }
                self.skip_spaces();
            }
        }
        self.at += 1;
        self.depth -= 1;
        self.give(end, line)
    }

    fn flow_scalar(&mut self) -> Result<(), Unusual> {
        if matches!(self.byte(), b'"' | b'\'') {
            let ((text, closed), style) = self.quoted_line()?;
            return if closed { self.give_scalar(text, style, self.line) } else { Err(Unusual) };
        }
        self.plain_start()?;
        let start = self.at;
        loop {
            match self.byte() {
                b',' | b']' | b'}' => break,
                b':' if matches!(self.byte_at(self.at + 1), b' ' | b'\n' | b',' | b'[' | b']' | b'{' | b'}') => break,
                b'\n' | b'\t' | b'#' | b'[' | b'{' => return Err(Unusual),
                _ => self.at += 1,
            }
        }
        let text = self.text[start..self.at].trim_end_matches(' ');
        if text.is_empty() {
            return Err(Unusual);
        }
        self.give_scalar(Cow::Borrowed(text), ScalarStyle::Plain, self.line)
    }
}

/// A line break within a text: a space, or as many line feeds as there are blank lines.
pub(super) fn fold(text: &mut String, blank: usize) {
    if blank == 0 {
        text.push(' ');
    } else {
        feed(text, blank);
    }
}

pub(super) fn feed(text: &mut String, feeds: usize) {
    text.extend(std::iter::repeat_n('\n', feeds));
}

fn add<'t>(text: &mut Cow<'t, str>, more: &'t str) {
    if text.is_empty() {
        *text = Cow::Borrowed(more);
    } else if !more.is_empty() {
        text.to_mut().push_str(more);
    }
}

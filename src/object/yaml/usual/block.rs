//! Block scalars: `|` and `>` with the lines below them.

use std::borrow::Cow;

use serde_yaml::granit_parser::Event;

use super::notation::{feed, fold};
use super::{Scan, Unusual};

/// What a block scalar keeps of the line feeds at its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomp {
    Strip,
    Clip,
    Keep,
}

impl<'t, F: FnMut(Event<'t>, u32) -> Result<(), Unusual>> Scan<'t, F> {
    /// What stands behind `|` or `>`, and the column of the text below it.
    fn block_head(&mut self, outer: usize) -> Result<(Chomp, usize, usize), Unusual> {
        self.at += 1;
        let chomp = match self.byte() {
            b'-' => Chomp::Strip,
            b'+' => Chomp::Keep,
            _ => Chomp::Clip,
        };
        self.at += usize::from(chomp != Chomp::Clip);
        if self.bytes.get(self.at) != Some(&b'\n') {
            return Err(Unusual);
        }
        self.skip_line();
        let (mut blank, mut widest) = (0, 0);
        loop {
            let start = self.at;
            self.skip_spaces();
            let column = self.at - start;
            match self.bytes.get(self.at) {
                None | Some(b'\t') => return Err(Unusual),
                Some(b'\n') => {
                    (blank, widest) = (blank + 1, column.max(widest));
                    self.skip_line();
                }
                Some(_) if column <= outer || widest > column => return Err(Unusual),
                Some(_) => {
                    self.at = start;
                    return Ok((chomp, column, blank));
                }
            }
        }
    }

    /// The lines of a block scalar from here, each with its line feeds; to the next content.
    fn block_lines(
        &mut self,
        outer: usize,
        column: usize,
        mut line: impl FnMut(&'t str, usize) -> Result<(), Unusual>,
    ) -> Result<(), Unusual> {
        let mut pending: Option<&'t str> = None;
        let mut feeds = 0;
        loop {
            let start = self.at;
            while self.at - start < column && self.bytes.get(self.at) == Some(&b' ') {
                self.at += 1;
            }
            let indented = self.at - start == column;
            match self.bytes.get(self.at) {
                Some(b'\n') => {
                    feeds += 1;
                    self.skip_line();
                }
                Some(_) if indented => {
                    if let Some(text) = pending {
                        line(text, feeds)?;
                    }
                    let from = self.at;
                    self.skip_line();
                    // What ends without a line feed is read in several ways.
                    if self.bytes[self.at - 1] != b'\n' {
                        return Err(Unusual);
                    }
                    pending = Some(&self.text[from..self.at - 1]);
                    feeds = 1;
                }
                // A line within the text's key, or a tab where spaces are to be.
                Some(b'\t') => return Err(Unusual),
                Some(_) if self.at - start > outer => return Err(Unusual),
                None if self.at > start => return Err(Unusual),
                _ => {
                    self.at = start;
                    if let Some(text) = pending {
                        line(text, feeds)?;
                    }
                    return self.next();
                }
            }
        }
    }

    /// A text whose lines stay as they are, and its first line; to the next content.
    pub(super) fn literal(&mut self, outer: usize) -> Result<(Cow<'t, str>, u32), Unusual> {
        let (chomp, column, blank) = self.block_head(outer)?;
        let first = self.line;
        let mut text = String::new();
        feed(&mut text, blank);
        let mut last = 0;
        self.block_lines(outer, column, |line, feeds| {
            text.push_str(line);
            feed(&mut text, feeds);
            last = feeds;
            Ok(())
        })?;
        chomp.end(&mut text, last);
        Ok((text.into(), first))
    }

    /// A text whose lines are joined, and its first line; to the next content.
    pub(super) fn folded(&mut self, outer: usize) -> Result<(Cow<'t, str>, u32), Unusual> {
        let (chomp, column, blank) = self.block_head(outer)?;
        let first = self.line;
        let mut text = String::new();
        feed(&mut text, blank);
        let mut last = 0;
        self.block_lines(outer, column, |line, feeds| {
            // Lines that are indented further keep their line feeds.
            if line.starts_with([' ', '\t']) {
                return Err(Unusual);
            }
            if last > 0 {
                fold(&mut text, last - 1);
            }
            text.push_str(line);
            last = feeds;
            Ok(())
        })?;
        feed(&mut text, last);
        chomp.end(&mut text, last);
        Ok((text.into(), first))
    }
}

impl Chomp {
    /// Leaves of the line feeds at the end of a text, of which there are so many, what is kept.
    fn end(self, text: &mut String, feeds: usize) {
        let kept = match self {
            Self::Strip => 0,
            Self::Clip => feeds.min(1),
            Self::Keep => feeds,
        };
        text.truncate(text.len() - feeds + kept);
    }
}

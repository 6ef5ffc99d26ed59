//! Comments of a text, and what they belong to.

use std::collections::BTreeMap;

use super::{Content, Text};

/// Bytes in which no comment begins.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub start: usize,
    pub end: usize,
}

/// Comments above a value.
#[derive(Debug, Default)]
pub struct Above {
    /// Those that belong to it.
    pub head: String,
    /// Those that belong to the value before.
    pub foot: String,
    column: usize,
    at_dash: bool,
}

/// All comments of a text that nothing has taken yet.
#[derive(Debug, Default)]
pub struct Comments {
    head: String,
    /// By the line of the value, from 1.
    above: BTreeMap<usize, Above>,
    /// By the line that they end.
    behind: BTreeMap<usize, String>,
    /// Below everything, without and with a blank line before.
    below: String,
    foot: String,
}

/// A line of a text.
enum Line<'t> {
    Blank,
    Comment { column: usize, text: &'t str },
    Content { column: usize, text: &'t str },
}

/// Lines of comments without anything between them.
struct Group {
    column: usize,
    text: String,
    /// Whether a blank line is before it.
    apart: bool,
}

fn unsure(what: &str) -> String {
    format!("a comment stands {what}")
}

impl Comments {
    /// Finds the comments up to `end`, outside of what is held.
    ///
    /// # Errors
    /// Where it is not sure what a comment belongs to.
    pub fn of(text: &str, held: &[Held], end: usize) -> Result<Self, String> {
        let mut found = Self::default();
        if !text.contains('#') {
            return Ok(found);
        }
        let mut groups: Vec<Group> = Vec::new();
        let mut before: Option<(usize, &str)> = None;
        let mut blank = false;
        let mut start = 0;
        for (at, whole) in text.split_inclusive('\n').enumerate() {
            let (from, number) = (start, at + 1);
            start += whole.len();
            if from >= end && !whole.trim_start().starts_with('#') && !whole.trim().is_empty() {
                break;
            }
            match found.line(whole, from, number, held) {
                Line::Blank => blank = true,
                Line::Comment { column, text } => {
                    match groups.last_mut().filter(|_| !blank) {
                        Some(group) if group.column == column => {
                            group.text.push('\n');
                            group.text.push_str(text);
                        }
                        Some(_) => return Err(unsure("at another column than the one above it")),
                        None => groups.push(Group { column, text: text.to_owned(), apart: blank }),
                    }
                    blank = false;
                }
                Line::Content { column, text } => {
                    found.place(std::mem::take(&mut groups), blank, before, (number, column, text))?;
                    before = Some((column, text));
                    blank = false;
                }
            }
        }
        found.place_end(groups, before)?;
        Ok(found)
    }

    fn line<'t>(&mut self, whole: &'t str, from: usize, number: usize, held: &[Held]) -> Line<'t> {
        let text = whole.trim_end_matches(['\n', '\r']);
        let column = text.len() - text.trim_start_matches(' ').len();
        let is_held = |at: usize| held.iter().any(|held| (held.start..held.end).contains(&(from + at)));
        let comment = text
            .match_indices('#')
            .map(|(at, _)| at)
            .find(|at| (*at == 0 || text[..*at].ends_with([' ', '\t'])) && !is_held(*at));
        let in_text = held.iter().any(|held| held.start < from && from < held.end);
        match comment {
            Some(at) if text[..at].trim().is_empty() && !in_text => Line::Comment { column, text: &text[at..] },
            Some(at) => {
                self.behind.insert(number, text[at..].to_owned());
                Line::Content { column, text: text[..at].trim() }
            }
            None if text.trim().is_empty() && !in_text => Line::Blank,
            None => Line::Content { column, text: text.trim() },
        }
    }

    /// Comments between two lines of content.
    fn place(
        &mut self,
        mut groups: Vec<Group>,
        blank: bool,
        before: Option<(usize, &str)>,
        (number, column, text): (usize, usize, &str),
    ) -> Result<(), String> {
        if groups.is_empty() {
            return Ok(());
        }
        if groups.iter().any(|group| group.column != column) {
            return Err(unsure("at another column than what follows"));
        }
        let mut above = Above { column, at_dash: text == "-" || text.starts_with("- "), ..Above::default() };
        match before {
            None => {
                let own = if blank { None } else { groups.pop() };
                self.head = joined(&groups);
                above.head = own.map(|own| own.text).unwrap_or_default();
                if !self.head.is_empty() && column != 0 {
                    return Err(unsure("above an indented document"));
                }
            }
            Some((last_column, last)) => {
                if last == "-" || last.ends_with(" -") {
                    return Err(unsure("below a dash"));
                }
                let first_is_foot = !groups[0].apart && (blank || groups.len() > 1);
                if first_is_foot {
                    if last_column != column || last.ends_with(':') || above.at_dash {
                        return Err(unsure("between a value and a blank line"));
                    }
                    above.foot = groups.remove(0).text;
                }
                above.head = joined(&groups);
                if blank && !groups.is_empty() {
                    above.head.push('\n');
                }
            }
        }
        self.above.insert(number, above);
        Ok(())
    }

    fn place_end(&mut self, groups: Vec<Group>, before: Option<(usize, &str)>) -> Result<(), String> {
        let Some(first) = groups.first() else { return Ok(()) };
        let Some((last_column, last)) = before else { return Err(unsure("in a text without anything else")) };
        if groups.iter().any(|group| group.column != 0) {
            return Err(unsure("indented at the end"));
        }
        if first.apart {
            self.foot = joined(&groups);
        } else if groups.len() == 1 && last_column == 0 && !last.ends_with(':') && !last.starts_with('-') {
            self.below = joined(&groups);
        } else {
            return Err(unsure("at the end, right below a value"));
        }
        Ok(())
    }

    /// Comments above the key that stands at a place.
    ///
    /// # Errors
    /// Where the comments are above something else on that line.
    pub fn above_key(&mut self, line: usize, column: usize) -> Result<Above, String> {
        match self.above.get(&line) {
            Some(above) if !above.at_dash && above.column == column => {}
            Some(_) => return Err(unsure("above a line that does not begin with a key")),
            None => return Ok(Above::default()),
        }
        Ok(self.above.remove(&line).unwrap_or_default())
    }

    /// Comments above the element of a list whose dash begins a line.
    pub fn above_item(&mut self, line: usize) -> Option<String> {
        let at_dash = self.above.get(&line).is_some_and(|above| above.at_dash && above.foot.is_empty());
        if at_dash { self.above.remove(&line).map(|above| above.head) } else { None }
    }

    /// The comment that ends a line.
    pub fn behind(&mut self, line: usize) -> Option<String> {
        self.behind.remove(&line)
    }

    /// Gives the document what stands before and behind everything.
    ///
    /// # Errors
    /// Where a comment is left that belongs to nothing.
    pub fn ends(self, document: &mut Text) -> Result<(), String> {
        if !self.above.is_empty() || !self.behind.is_empty() {
            return Err(unsure("where it belongs to no value"));
        }
        document.head = self.head;
        document.foot = self.foot;
        if self.below.is_empty() {
            return Ok(());
        }
        match &mut document.root.content {
            Content::Mapping(fields, _) => match fields.last_mut() {
                Some((key, value)) if matches!(value.content, Content::Scalar(_) | Content::Alias(_)) => {
                    key.foot = self.below;
                    Ok(())
                }
                _ => Err(unsure("below a list or mapping")),
            },
            _ => Err(unsure("below a list")),
        }
    }
}

fn joined(groups: &[Group]) -> String {
    groups.iter().map(|group| &*group.text).collect::<Vec<_>>().join("\n\n")
}

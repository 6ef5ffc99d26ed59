//! From a text to its document.

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Span};

use super::comments::{Comments, Held};
use super::scalar::Type;
use super::{Content, Form, Node, Scalar, Style, Text};

/// Levels of nesting: as many as a file may have.
const DEPTH: usize = 100;
/// Bytes of a key that is written before its value.
const KEY: usize = 128;

/// Reads the first document of a text.
///
/// # Errors
/// What is no YAML, and what would not be written again as it should be: why, for people.
pub fn read(text: &str) -> Result<Text, String> {
    let options = serde_yaml::granit_parser::options! {
        emit_comments: false,
        emit_anchor_events: true,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    let mut events = Vec::new();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| format!("it cannot be read: {}", error.info()))?;
        let ends = matches!(event, Event::DocumentEnd);
        events.push((event, span));
        if ends {
            break;
        }
    }
    let held: Vec<Held> = events.iter().filter_map(|(event, span)| held(event, span, text)).collect();
    let end = events.last().and_then(|(_, span)| span.byte_range()).map_or(text.len(), |range| range.end);
    let comments = Comments::of(text, &held, end)?;
    let mut reader =
        Reader { text, events: events.into_iter().peekable(), comments, anchors: Vec::new(), flow: 0, line: 0 };
    let mut document = Text::default();
    while let Some((event, span)) = reader.events.next() {
        match event {
            Event::DocumentStart(explicit, version) => {
                if explicit || version.is_some() {
                    return Err("it begins with `---` or a directive".to_owned());
                }
            }
            Event::StreamStart | Event::DocumentEnd | Event::StreamEnd => {}
            event => {
                document.root = reader.node(event, &span)?;
                if !matches!(&document.root.content, Content::List(..) | Content::Mapping(..)) {
                    return Err("it is no mapping or list".to_owned());
                }
            }
        }
    }
    reader.comments.ends(&mut document)?;
    Ok(document)
}

/// The bytes of a scalar, in which no comment begins.
fn held(event: &Event<'_>, span: &Span, text: &str) -> Option<Held> {
    let range = span.byte_range()?;
    match event {
        Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
            // A comment may stand behind its mark.
            let start = if text[range.start..].starts_with(['|', '>']) {
                text[range.start..].find('\n').map_or(range.end, |at| range.start + at)
            } else {
                range.start
            };
            Some(Held { start: start.min(range.end), end: range.end })
        }
        Event::Scalar(..) => Some(Held { start: range.start, end: range.end }),
        _ => None,
    }
}

/// The line of the mark of a block text.
fn mark_line(span: &Span, text: &str) -> usize {
    match span.byte_range() {
        Some(range) if !text[range.start..].starts_with(['|', '>']) => {
            1 + text[..range.start].trim_end().bytes().filter(|byte| *byte == b'\n').count()
        }
        _ => span.start.line(),
    }
}

struct Reader<'t> {
    text: &'t str,
    events: std::iter::Peekable<std::vec::IntoIter<(Event<'t>, Span)>>,
    comments: Comments,
    anchors: Vec<(usize, String)>,
    flow: u32,
    /// The line that was read last.
    line: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), String> {
        let next = self.events.next().ok_or_else(|| "it ends too early".to_owned())?;
        self.line = next.1.end.line();
        Ok(next)
    }

    fn anchor(&mut self, id: usize) -> String {
        let Some((Event::Anchor(..), _)) = self.events.peek() else { return String::new() };
        let Some((Event::Anchor(_, name), _)) = self.events.next() else { return String::new() };
        self.anchors.push((id, name.clone().into_owned()));
        name.into_owned()
    }

    fn node(&mut self, event: Event<'t>, span: &Span) -> Result<Node, String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    return Err("it has a tag".to_owned());
                }
                let mut text = text.into_owned();
                if style == ScalarStyle::Plain && span.is_empty() {
                    // The parser says `~` of what is left out.
                    text.clear();
                }
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                };
                let at_end = span.byte_range().is_some_and(|range| range.end >= self.text.len());
                if matches!(style, Style::Literal | Style::Folded) && at_end && !self.text.ends_with('\n') {
                    // The text ends before the line feed that the parser thinks of.
                    text.truncate(text.trim_end_matches('\n').len());
                }
                let kind = match style {
                    Style::Plain if text == "<<" => Type::Merge,
                    Style::Plain => Type::of(&text),
                    _ => Type::Text,
                };
                let anchor = if anchor == 0 { String::new() } else { self.anchor(anchor) };
                Ok(Node { anchor, ..Node::from(Content::Scalar(Scalar { text, style, kind })) })
            }
            Event::Alias(id) => match self.anchors.iter().rfind(|(known, _)| *known == id) {
                Some((_, name)) => Ok(Content::Alias(name.clone()).into()),
                None => Err("an alias contains itself".to_owned()),
            },
            Event::SequenceStart(_, anchor, tag) => {
                let form = self.form(span);
                let anchor = if anchor == 0 { String::new() } else { self.anchor(anchor) };
                if tag.is_some() {
                    return Err("it has a tag".to_owned());
                }
                self.flow += u32::from(form == Form::Flow);
                let items = self.items()?;
                self.flow -= u32::from(form == Form::Flow);
                Ok(Node { anchor, ..Node::from(Content::List(items, form)) })
            }
            Event::MappingStart(_, anchor, tag) => {
                let form = self.form(span);
                let anchor = if anchor == 0 { String::new() } else { self.anchor(anchor) };
                if tag.is_some() {
                    return Err("it has a tag".to_owned());
                }
                self.flow += u32::from(form == Form::Flow);
                let fields = self.fields()?;
                self.flow -= u32::from(form == Form::Flow);
                Ok(Node { anchor, ..Node::from(Content::Mapping(fields, form)) })
            }
            _ => Err("it cannot be read".to_owned()),
        }
    }

    fn form(&self, span: &Span) -> Form {
        let starts = span.byte_range().is_some_and(|range| self.text[range.start..].starts_with(['[', '{']));
        if starts || self.flow > 0 { Form::Flow } else { Form::Block }
    }

    fn items(&mut self) -> Result<Vec<Node>, String> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(items);
            }
            let (line, in_block) = (span.start.line(), self.flow == 0);
            let head = if in_block { self.comments.above_item(line) } else { None };
            let mut item = self.node(event, &span)?;
            item.head = head.unwrap_or_default();
            if in_block {
                self.behind(&mut item, &span);
            }
            items.push(item);
        }
    }

    fn fields(&mut self) -> Result<Vec<(Node, Node)>, String> {
        let mut fields: Vec<(Node, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(fields);
            }
            let in_block = self.flow == 0;
            let (line, column) = (span.start.line(), span.start.col());
            let above = if in_block { self.comments.above_key(line, column)? } else { Default::default() };
            if !above.foot.is_empty() {
                match fields.last_mut() {
                    Some((key, value)) if matches!(value.content, Content::Scalar(_) | Content::Alias(_)) => {
                        key.foot = above.foot;
                    }
                    _ => return Err("a comment stands below a list or mapping".to_owned()),
                }
            }
            let mut key = self.node(event, &span)?;
            match &key.content {
                Content::Scalar(scalar) if scalar.text.len() <= KEY && !scalar.text.contains('\n') => {}
                Content::Alias(_) | Content::Scalar(_) | Content::List(..) | Content::Mapping(..) => {
                    return Err("a key is long, or no scalar".to_owned());
                }
            }
            key.head = above.head;
            let (event, span) = self.next()?;
            let starts = span.start.line();
            let mut value = self.node(event, &span)?;
            if in_block {
                let is_block =
                    matches!(&value.content, Content::List(_, Form::Block) | Content::Mapping(_, Form::Block));
                if is_block && starts > line {
                    key.line = self.comments.behind(line).unwrap_or_default();
                } else {
                    self.behind(&mut value, &span);
                }
            }
            fields.push((key, value));
        }
    }

    /// The comment behind a value that ends on its line.
    fn behind(&mut self, node: &mut Node, span: &Span) {
        let line = match &node.content {
            Content::Scalar(Scalar { style: Style::Literal | Style::Folded, .. }) => mark_line(span, self.text),
            Content::Scalar(_) | Content::Alias(_) => span.end.line(),
            Content::List(_, Form::Flow) | Content::Mapping(_, Form::Flow) => self.line,
            Content::List(..) | Content::Mapping(..) => return,
        };
        node.line = self.comments.behind(line).unwrap_or_default();
    }
}

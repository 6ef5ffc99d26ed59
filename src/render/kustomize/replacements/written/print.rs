//! From a document to its text.

use super::scalar::{Spot, is_break, styled};
use super::{Content, Form, Node, Scalar, Style, Text};

/// The text of a document, without a line feed at its end.
pub fn print(text: &Text) -> String {
    let mut printer = Printer {
        out: String::new(),
        column: 0,
        indent: -1,
        after_space: true,
        in_indentation: true,
        foot: None,
        flow: 0,
    };
    if !text.head.is_empty() {
        printer.head(&text.head);
        printer.line_feed();
    }
    printer.head(&text.root.head);
    printer.node(&text.root, Place::Root);
    printer.line_comment(&text.root.line);
    printer.below(&text.root.foot);
    if !text.foot.is_empty() {
        printer.foot = Some(0);
        printer.below(&text.foot);
    }
    printer.out.trim().to_owned()
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Item,
    Key,
    Value,
    InFlow,
    FlowKey,
    FlowValue,
}

/// A text that is being written.
pub(super) struct Printer {
    out: String,
    column: i64,
    indent: i64,
    pub(super) after_space: bool,
    /// Nothing but indentation and dashes is on the line yet.
    pub(super) in_indentation: bool,
    /// The indentation of a comment below a value: the next line of that indentation has a blank one
    /// before it.
    foot: Option<i64>,
    flow: u32,
}

impl Printer {
    pub(super) fn line_feed(&mut self) {
        self.out.push('\n');
        self.column = 0;
        self.in_indentation = true;
    }

    pub(super) fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    pub(super) fn put_break(&mut self, c: char) {
        if c == '\n' {
            return self.line_feed();
        }
        self.out.push(c);
        self.column = 0;
        self.in_indentation = true;
    }

    pub(super) fn space(&mut self) {
        if !self.after_space {
            self.put(' ');
        }
    }

    pub(super) fn start_line(&mut self) {
        let indent = self.indent.max(0);
        if !self.in_indentation || self.column > indent || (self.column == indent && !self.after_space) {
            self.line_feed();
        }
        if self.foot == Some(indent) {
            self.line_feed();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.after_space = true;
        self.foot = None;
    }

    /// A mark after a space.
    pub(super) fn mark(&mut self, mark: &str) {
        self.space();
        self.joined(mark);
    }

    /// A mark without a space before it.
    pub(super) fn joined(&mut self, mark: &str) {
        mark.chars().for_each(|c| self.put(c));
        self.after_space = false;
        self.in_indentation = false;
    }

    fn comment(&mut self, comment: &str) {
        let mut broken = false;
        for c in comment.chars() {
            if is_break(c) {
                self.put_break(c);
                broken = true;
                continue;
            }
            if broken {
                self.start_line();
            }
            self.put(c);
            self.in_indentation = false;
            broken = false;
        }
        if !broken {
            self.line_feed();
        }
        self.after_space = true;
    }

    fn head(&mut self, comment: &str) {
        if !comment.is_empty() {
            self.start_line();
            self.comment(comment);
        }
    }

    fn below(&mut self, comment: &str) {
        if !comment.is_empty() {
            self.start_line();
            self.comment(comment);
            self.foot = Some(self.indent.max(0));
        }
    }

    pub(super) fn line_comment(&mut self, comment: &str) {
        if !comment.is_empty() {
            self.space();
            self.comment(comment);
        }
    }

    /// The indentation of what a value holds; gives the one before.
    fn deepen(&mut self, place: Place, in_flow: bool, compact: bool) -> i64 {
        let before = self.indent;
        self.indent = match before {
            _ if before < 0 => i64::from(in_flow) * 2,
            _ if place == Place::Item => before + 2,
            _ => 2 * ((before + 2) / 2) - i64::from(compact) * 2,
        };
        before
    }

    fn node(&mut self, node: &Node, place: Place) {
        if !node.anchor.is_empty() {
            self.mark("&");
            self.joined(&node.anchor);
        }
        match &node.content {
            Content::Alias(name) => {
                self.mark("*");
                self.joined(name);
            }
            Content::Scalar(scalar) => self.scalar(scalar, &node.line, place),
            Content::List(items, form) if self.flow > 0 || *form == Form::Flow || items.is_empty() => {
                self.bracketed("[", "]", place, |printer| {
                    for (at, item) in items.iter().enumerate() {
                        if at > 0 {
                            printer.joined(",");
                        }
                        printer.node(item, Place::InFlow);
                    }
                });
            }
            Content::Mapping(fields, form) if self.flow > 0 || *form == Form::Flow || fields.is_empty() => {
                self.bracketed("{", "}", place, |printer| {
                    for (at, (key, value)) in fields.iter().enumerate() {
                        if at > 0 {
                            printer.joined(",");
                        }
                        printer.node(key, Place::FlowKey);
                        printer.joined(":");
                        printer.node(value, Place::FlowValue);
                    }
                });
            }
            Content::List(items, _) => self.items(items, place),
            Content::Mapping(fields, _) => self.fields(fields, place),
        }
    }

    fn bracketed(&mut self, open: &str, close: &str, place: Place, inner: impl FnOnce(&mut Self)) {
        self.mark(open);
        self.after_space = true;
        let before = self.deepen(place, true, false);
        self.flow += 1;
        inner(self);
        self.flow -= 1;
        self.indent = before;
        self.joined(close);
    }

    fn items(&mut self, items: &[Node], place: Place) {
        let compact = place == Place::Value && (self.column == 0 || !self.in_indentation);
        let before = self.deepen(place, false, compact);
        for item in items {
            self.head(&item.head);
            self.start_line();
            let in_indentation = self.in_indentation;
            self.mark("-");
            self.in_indentation = in_indentation;
            self.node(item, Place::Item);
            self.behind(item);
        }
        self.indent = before;
    }

    fn fields(&mut self, fields: &[(Node, Node)], place: Place) {
        let before = self.deepen(place, false, false);
        let mut tail = "";
        for (key, value) in fields {
            self.below(tail);
            self.head(&key.head);
            self.start_line();
            self.node(key, Place::Key);
            self.joined(":");
            if !key.line.is_empty() && matches!(value.content, Content::List(..) | Content::Mapping(..)) {
                self.line_comment(&key.line);
            }
            let moved = (!key.line.is_empty() && value.line.is_empty() && matches!(value.content, Content::Scalar(_)))
                .then(|| Node { line: key.line.clone(), ..value.clone() });
            let value = moved.as_ref().unwrap_or(value);
            self.node(value, Place::Value);
            self.behind(value);
            tail = &key.foot;
        }
        self.below(tail);
        self.indent = before;
    }

    /// Comments behind and below a value. A block text has its own behind its mark.
    fn behind(&mut self, node: &Node) {
        let is_block = matches!(&node.content, Content::Scalar(scalar)
            if matches!(styled(scalar, Spot::Block).0, Style::Literal | Style::Folded));
        if !is_block {
            self.line_comment(&node.line);
        }
        self.below(&node.foot);
    }

    fn scalar(&mut self, scalar: &Scalar, comment: &str, place: Place) {
        let spot = match place {
            Place::Key => Spot::Key,
            Place::FlowKey => Spot::FlowKey,
            _ if self.flow > 0 => Spot::Flow,
            _ => Spot::Block,
        };
        let (style, tag) = styled(scalar, spot);
        if let Some(tag) = tag {
            self.mark(tag);
        }
        let before = self.deepen(place, true, false);
        match style {
            Style::Plain => self.plain(&scalar.text),
            Style::Single => self.single(&scalar.text),
            Style::Double => self.double(&scalar.text),
            Style::Literal => self.literal(&scalar.text, comment),
            Style::Folded => self.folded(&scalar.text, comment),
        }
        self.indent = before;
    }
}

//! Scalars in each of their styles.

use super::print::Printer;
use super::scalar::{is_break, is_printable};

impl Printer {
    pub(super) fn plain(&mut self, text: &str) {
        if !text.is_empty() {
            self.space();
            text.chars().for_each(|c| self.put(c));
            self.after_space = false;
        }
        self.in_indentation = false;
    }

    pub(super) fn single(&mut self, text: &str) {
        self.mark("'");
        let mut broken = false;
        for c in text.chars() {
            if is_break(c) {
                if !broken && c == '\n' {
                    self.line_feed();
                }
                self.put_break(c);
                broken = true;
                continue;
            }
            if broken && c != ' ' {
                self.start_line();
            }
            if c == '\'' {
                self.put('\'');
            }
            self.put(c);
            if c != ' ' {
                self.in_indentation = false;
                broken = false;
            }
        }
        self.joined("'");
    }

    pub(super) fn double(&mut self, text: &str) {
        self.mark("\"");
        for c in text.chars() {
            if is_printable(c) && !is_break(c) && !matches!(c, '"' | '\\') {
                self.put(c);
                continue;
            }
            let escape = match c {
                '\0' => "\\0".to_owned(),
                '\u{7}' => "\\a".to_owned(),
                '\u{8}' => "\\b".to_owned(),
                '\t' => "\\t".to_owned(),
                '\n' => "\\n".to_owned(),
                '\u{b}' => "\\v".to_owned(),
                '\u{c}' => "\\f".to_owned(),
                '\r' => "\\r".to_owned(),
                '\u{1b}' => "\\e".to_owned(),
                '"' => "\\\"".to_owned(),
                '\\' => "\\\\".to_owned(),
                '\u{85}' => "\\N".to_owned(),
                '\u{a0}' => "\\_".to_owned(),
                '\u{2028}' => "\\L".to_owned(),
                '\u{2029}' => "\\P".to_owned(),
                c => match u32::from(c) {
                    code @ 0..=0xff => format!("\\x{code:02X}"),
                    code @ 0x100..=0xffff => format!("\\u{code:04X}"),
                    code => format!("\\U{code:08X}"),
                },
            };
            escape.chars().for_each(|c| self.put(c));
        }
        self.joined("\"");
    }

    /// The mark of a block text, with what it says of spaces and line feeds at its ends.
    fn block_mark(&mut self, mark: &str, text: &str, comment: &str) {
        self.mark(mark);
        let mut chars = text.chars();
        if chars.next().is_some_and(|c| c == ' ' || is_break(c)) {
            self.joined("2");
        }
        let mut ends = text.chars().rev();
        match (ends.next(), ends.next()) {
            (Some(last), before) if is_break(last) => {
                if before.is_none_or(is_break) {
                    self.joined("+");
                }
            }
            _ => self.joined("-"),
        }
        if comment.is_empty() {
            self.line_feed();
        } else {
            self.line_comment(comment);
        }
        self.after_space = true;
    }

    pub(super) fn literal(&mut self, text: &str, comment: &str) {
        self.block_mark("|", text, comment);
        let mut broken = true;
        for c in text.chars() {
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
    }

    pub(super) fn folded(&mut self, text: &str, comment: &str) {
        self.block_mark(">", text, comment);
        // Whether the text itself, behind line feeds at its start, begins with a blank.
        let starts_blank = text.chars().find(|c| !is_break(*c)).is_none_or(|c| c == ' ' || c == '\t');
        let (mut broken, mut indented) = (true, true);
        for c in text.chars() {
            if is_break(c) {
                if !broken && !indented && c == '\n' && !starts_blank {
                    self.line_feed();
                }
                self.put_break(c);
                broken = true;
                continue;
            }
            if broken {
                self.start_line();
                indented = c == ' ' || c == '\t';
            }
            self.put(c);
            self.in_indentation = false;
            broken = false;
        }
    }
}

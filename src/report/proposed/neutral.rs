//! Words of others within our Markdown, so that no forge makes more of them than words.
//!
//! Whatever comes from a repository or an API server stands within `<code>` or `<pre>`, where no forge looks for
//! mentions, references or links, and what could end these, or mean something in the raw text, is written by its number.
//! A number is never structure, in CommonMark as little as in HTML.

use std::fmt::Write;

use crate::report::plan_text::Line;
use crate::report::visible::visible;

/// Characters of one text that are shown.
const TEXT: usize = 600;
/// Characters of one line of a block that are shown.
const LINE: usize = 400;

/// Within a line of ours.
pub fn inline(text: &str) -> String {
    let mut shown = String::from("<code>");
    let mut before = String::new();
    for c in visible(&cut(text.trim(), TEXT)).chars() {
        match c {
            '\t' => shown.push(' '),
            ' ' | '-' | '/' | ',' | '=' | '+' => shown.push(c),
            '.' if !before.ends_with("www") => shown.push(c),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => number(&mut shown, c),
            c => shown.push(c),
        }
        before.push(c.to_ascii_lowercase());
    }
    if before.is_empty() {
        // Without a text there would be nothing between the tags, and Markdown between them.
        shown.push('-');
    }
    shown + "</code>"
}

/// Lines of a difference, in a block of their own. None of them is empty: that would end it on some forges.
pub fn block(lines: &[Line]) -> String {
    let mut shown = String::from("<pre>\n");
    for line in lines {
        let text = line.to_string();
        let (mut before, mut rest) = (String::new(), visible(&cut(text.trim_end(), LINE)));
        if rest.is_empty() {
            rest.push('\u{a0}');
        }
        let mut characters = rest.chars().peekable();
        while let Some(c) = characters.next() {
            match c {
                '\u{a0}' if before.is_empty() => shown.push_str("&nbsp;"),
                '<' | '>' | '&' | '"' | '\'' | '@' | '#' | '!' | '`' | ']' => number(&mut shown, c),
                ':' if characters.peek() == Some(&'/') => number(&mut shown, c),
                '.' if before.ends_with("www") => number(&mut shown, c),
                // Where a line begins, a word after it is a command to some.
                '/' if before.trim_end().is_empty() => number(&mut shown, c),
                c => shown.push(c),
            }
            before.push(c.to_ascii_lowercase());
        }
        shown.push('\n');
    }
    shown + "</pre>"
}

/// What a name may be that stands in a hidden mark.
pub fn plain(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
    name.chars().map(keep).collect()
}

fn number(shown: &mut String, c: char) {
    let _ = write!(shown, "&#{};", u32::from(c));
}

/// So many characters of a text, and whether there were more.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

//! Which part of a line a finding is about.

use std::ops::Range;

use super::position::Text;

/// Bytes that are marked of a line, from 1: the name or the value that the message speaks of, or the whole
/// line. Without a line it is the first one.
pub fn mark(text: &Text, line: Option<u32>, rule: &str, message: &str) -> Range<usize> {
    let line = text.line(line.unwrap_or(1).saturating_sub(1));
    let said = &text.as_str()[line.clone()];
    let start = line.start + (said.len() - said.trim_start().len());
    let whole = start..start + said.trim().len();
    let Some((name, value)) = field(message).and_then(|name| parts(said, name)) else { return whole };
    let about_name = matches!(rule, "UnknownField" | "RequiredField" | "DuplicateKey") || value.is_empty();
    let part = if about_name { name } else { value };
    line.start + part.start..line.start + part.end
}

/// The last field of the path that a message begins with: `image` of `spec.containers[0].image is …`.
pub fn field(message: &str) -> Option<&str> {
    let path = message.split_whitespace().next()?;
    // A name with dots stands in brackets, and an index does too.
    let mut path = path;
    while let Some((before, last)) = path.strip_suffix(']').and_then(|path| path.rsplit_once('[')) {
        if last.parse::<usize>().is_err() {
            return Some(last);
        }
        path = before;
    }
    let name = path.rsplit('.').next().unwrap_or(path);
    Some(name).filter(|name| !name.is_empty())
}

/// Bytes of a field's name and of its value in a line; an empty value where it has none there.
pub fn parts(line: &str, name: &str) -> Option<(Range<usize>, Range<usize>)> {
    let mut from = 0;
    while let Some(found) = line[from..].find(name) {
        let (start, end) = (from + found, from + found + name.len());
        let before = line[..start].chars().next_back();
        let opened = before.is_none_or(|c| matches!(c, ' ' | '{' | ',' | '"' | '\'' | '-' | '\t'));
        let rest = &line[end..];
        let closed = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
        if opened && closed.trim_start().starts_with(':') {
            let colon = line.len() - closed.trim_start().len();
            return Some((start..end, value(line, colon + 1)));
        }
        from = end;
    }
    None
}

/// Bytes of the value behind a colon: up to a comment, and within braces up to what ends it.
fn value(line: &str, from: usize) -> Range<usize> {
    let rest = &line[from..];
    let start = from + (rest.len() - rest.trim_start().len());
    let rest = &line[start..];
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let end = match quote.and_then(|quote| rest[1..].find(quote)) {
        Some(end) => end + 2,
        None => {
            let in_flow = line[..start].contains('{');
            let comment = rest.find(" #").unwrap_or(rest.len());
            let closes = rest.find([',', '}']).filter(|_| in_flow).unwrap_or(rest.len());
            rest[..comment.min(closes)].trim_end().len()
        }
    };
    start..start + end
}

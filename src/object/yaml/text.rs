//! From bytes to text: what is no text is refused before a parser sees it.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// Why bytes are no text.
pub struct Fault {
    /// Where, from 1.
    pub line: u32,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<&'static str>,
}

/// One JSON value of a file.
pub struct JsonText<'a> {
    /// The value's own text.
    pub text: &'a str,
    /// Line of the file at which it starts, from 1.
    pub line: u32,
}

/// Whether a file is JSON.
pub enum Json<'a> {
    /// One value, or several one after the other, as Go's decoder takes them.
    Values(Vec<JsonText<'a>>),
    /// It starts like JSON and is not.
    Broken {
        /// Where, from 1.
        line: u32,
        /// What is wrong.
        message: String,
    },
    /// It does not start with a brace, so kubectl does not take it for JSON.
    Other,
}

/// The text of a file without its byte-order mark.
pub fn of(bytes: &[u8]) -> Result<&str, Fault> {
    if bytes.starts_with(&[0xFE, 0xFF]) || bytes.starts_with(&[0xFF, 0xFE]) {
        return Err(Fault { line: 1, message: "the file is UTF-16".to_owned(), hint: Some("save it as UTF-8") });
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    // The parser takes a NUL for the end of its input: what follows would be left out in silence.
    if let Some(at) = bytes.iter().position(|b| *b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r')) {
        let message = format!("the file has the control character 0x{:02x}", bytes[at]);
        let hint = Some("write it as an escape in double quotes, or keep binary data as base64");
        return Err(Fault { line: line_at(bytes, at), message, hint });
    }
    std::str::from_utf8(bytes).map_err(|error| Fault {
        line: line_at(bytes, error.valid_up_to()),
        message: "the file is not UTF-8".to_owned(),
        hint: Some("save it as UTF-8, or keep binary data as base64"),
    })
}

/// JSON with escapes for the characters that JSON takes as they are and YAML does not. Outside its
/// texts JSON has none of them, and no line moves.
pub fn escaped(json: &str) -> Cow<'_, str> {
    let strange =
        |c: char| (c.is_control() && !c.is_ascii_whitespace()) || matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    if !json.contains(strange) {
        return json.into();
    }
    let mut text = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if strange(c) {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text.into()
}

/// The JSON values of a text that starts with a brace.
pub fn json_values(text: &str) -> Json<'_> {
    if !text.trim_start().starts_with('{') {
        return Json::Other;
    }
    let mut values = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let (mut start, mut line) = (0, 1);
    while let Some(value) = stream.next() {
        if let Err(error) = value {
            let message = error.to_string();
            // The place is told apart from the message.
            let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
            return Json::Broken { line: u32::try_from(error.line()).unwrap_or(u32::MAX).max(1), message };
        }
        let end = stream.byte_offset();
        values.push(JsonText { text: &text[start..end], line });
        line += newlines(&text.as_bytes()[start..end]);
        start = end;
    }
    Json::Values(values)
}

fn line_at(bytes: &[u8], at: usize) -> u32 {
    1 + newlines(&bytes[..at])
}

fn newlines(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.iter().filter(|b| **b == b'\n').count()).unwrap_or(u32::MAX)
}

//! Messages of the base protocol on a pair of streams.

use std::io::{self, BufRead, Read, Write};

use serde_json::{Map, Value, json};

/// Something that the client sent.
#[derive(Debug, PartialEq)]
pub enum Message {
    /// It wants an answer with the same id.
    Request { id: Value, method: String, params: Value },
    /// It wants none.
    Notification { method: String, params: Value },
    /// An answer to something that we asked.
    Answer,
    /// No message, though its length was told: the next one can be read.
    Unreadable(&'static str),
}

/// Bytes that a message may have: the largest file that is read, with every byte escaped.
const LARGEST: u64 = 128 << 20;
/// Bytes that the lines before it may have.
const HEADERS: u64 = 8 << 10;

/// The next message; `None` where the stream has ended.
///
/// # Errors
/// The stream broke, or is no stream of messages: where the next one begins is not known.
pub fn read(input: &mut impl BufRead) -> io::Result<Option<Message>> {
    let Some(length) = length(input)? else { return Ok(None) };
    let mut body = Vec::new();
    // Memory is taken as bytes come, not as they are announced.
    input.take(length).read_to_end(&mut body)?;
    if body.len() as u64 != length {
        return Ok(None);
    }
    Ok(Some(message(&body)))
}

/// The length in the lines before a message.
fn length(input: &mut impl BufRead) -> io::Result<Option<u64>> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut length = None;
    let mut left = HEADERS;
    loop {
        let mut line = Vec::new();
        let read = input.take(left).read_until(b'\n', &mut line)?;
        if read == 0 && left > 0 && length.is_none() {
            return Ok(None);
        }
        left -= read as u64;
        if !line.ends_with(b"\n") {
            return Err(wrong("the lines before a message are too long, or break off"));
        }
        let line = String::from_utf8(line).map_err(|_| wrong("what stands before a message is no text"))?;
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| wrong("what stands before a message is no header"))?;
        if name.trim().eq_ignore_ascii_case("content-length") {
            let said = value.trim().parse::<u64>().map_err(|_| wrong("Content-Length is no number"))?;
            length = Some(said);
        }
    }
    match length {
        Some(length) if length <= LARGEST => Ok(Some(length)),
        Some(_) => Err(wrong("a message has more than 128 MiB")),
        None => Err(wrong("a message has no Content-Length")),
    }
}

fn message(body: &[u8]) -> Message {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return Message::Unreadable("it is no JSON") };
    let Value::Object(mut fields) = value else { return Message::Unreadable("it is no message of JSON-RPC") };
    let params = fields.remove("params").unwrap_or_default();
    match (fields.remove("id"), fields.remove("method")) {
        (Some(id @ (Value::Number(_) | Value::String(_))), Some(Value::String(method))) => {
            Message::Request { id, method, params }
        }
        (None, Some(Value::String(method))) => Message::Notification { method, params },
        (Some(_), None) => Message::Answer,
        _ => Message::Unreadable("it is no message of JSON-RPC"),
    }
}

/// Why a request is not answered as it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Code of JSON-RPC or of the protocol.
    pub code: i32,
    /// In words.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Codes of JSON-RPC and of the protocol.
pub mod code {
    pub const UNREADABLE: i32 = -32700;
    pub const INVALID_REQUEST: i32 = -32600;
    pub const UNKNOWN_METHOD: i32 = -32601;
    pub const INVALID_PARAMS: i32 = -32602;
    pub const INTERNAL: i32 = -32603;
    pub const NOT_INITIALIZED: i32 = -32002;
    pub const CANCELLED: i32 = -32800;
}

/// Writes the answer to a request.
pub fn answer(output: &mut impl Write, id: Value, result: Result<Value, Refusal>) -> io::Result<()> {
    match result {
        Ok(result) => write(output, json!({"id": id, "result": result})),
        Err(Refusal { code, message }) => write(output, json!({"id": id, "error": {"code": code, "message": message}})),
    }
}

/// Writes a notification.
pub fn notify(output: &mut impl Write, method: &str, params: Value) -> io::Result<()> {
    write(output, json!({"method": method, "params": params}))
}

/// Writes a request of ours, whose answer does not matter.
pub fn ask(output: &mut impl Write, id: &str, method: &str, params: Value) -> io::Result<()> {
    write(output, json!({"id": id, "method": method, "params": params}))
}

fn write(output: &mut impl Write, message: Value) -> io::Result<()> {
    let mut fields: Map<String, Value> = Map::new();
    fields.insert("jsonrpc".to_owned(), "2.0".into());
    if let Value::Object(message) = message {
        fields.extend(message);
    }
    let body = Value::Object(fields).to_string();
    write!(output, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(body: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    #[test]
    fn what_is_no_message_leaves_the_next_one_readable() {
        let text = [
            framed("{nonsense"),
            framed("[1]"),
            framed(r#"{"id": null, "method": "x"}"#),
            framed(r#"{"id": "ä", "method": "shutdown"}"#).replace("Content-Length", "X: y\r\ncontent-length"),
            framed(r#"{"id": 7, "result": null}"#),
            framed(r#"{"method": "exit"}"#),
        ]
        .concat();
        let mut input = text.as_bytes();
        let mut read = || super::read(&mut input).expect("reads");
        for _ in 0..3 {
            assert!(matches!(read(), Some(Message::Unreadable(_))));
        }
        let shutdown = Message::Request { id: "ä".into(), method: "shutdown".to_owned(), params: Value::Null };
        assert_eq!(read(), Some(shutdown));
        assert_eq!(read(), Some(Message::Answer));
        assert_eq!(read(), Some(Message::Notification { method: "exit".to_owned(), params: Value::Null }));
        assert_eq!(read(), None);
    }

    #[test]
    fn a_stream_of_something_else_is_an_error_and_takes_no_memory() {
        for text in [
            "GET / HTTP/1.1\nHost: x\n\n",
            "nonsense\r\n\r\n",
            "Content-Length: -1\r\n\r\n",
            "Content-Length: 99999999999999\r\n\r\n",
            "Content-Length: 18446744073709551616\r\n\r\n",
            "X: y\r\n\r\n{}",
            &"a".repeat(100_000),
        ] {
            assert!(read(&mut text.as_bytes()).is_err(), "{text:.40}");
        }
        // What breaks off is the end.
        for text in ["", "Content-Length: 10\r\n\r\n{}"] {
            assert_eq!(read(&mut text.as_bytes()).expect("ends"), None);
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut written = Vec::new();
        notify(&mut written, "x", json!({"text": "ä😀"})).expect("writes");
        let told = Message::Notification { method: "x".to_owned(), params: json!({"text": "ä😀"}) };
        assert_eq!(read(&mut &written[..]).expect("reads"), Some(told));
    }
}

//! Reading fields of an object without a type for each kind.

use serde_json::Value;

/// Integer at a JSON pointer.
pub(super) fn int(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer)?.as_i64()
}

/// Text at a JSON pointer; empty where there is none.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// Items of the list at a JSON pointer; none where there is no list.
pub(super) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// One condition of an object's status.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    /// `True`, `False` or `Unknown`.
    pub status: &'a str,
    /// Its reason; may be empty.
    pub reason: &'a str,
    /// Its message; may be empty.
    pub message: &'a str,
    /// Generation that it speaks of, where it says so.
    pub observed_generation: Option<i64>,
}

impl Seen<'_> {
    /// Whether it holds.
    pub fn is_true(self) -> bool {
        self.status == "True"
    }

    /// Whether it does not hold.
    pub fn is_false(self) -> bool {
        self.status == "False"
    }

    /// `Reason: message`, what is empty left out.
    pub fn explain(self) -> String {
        match (self.reason, self.message) {
            ("", message) => message.to_owned(),
            (reason, "") => reason.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        }
    }
}

/// The condition of a type.
pub(super) fn condition<'a>(object: &'a Value, type_: &str) -> Option<Seen<'a>> {
    list(object, "/status/conditions").iter().find(|c| text(c, "/type") == type_).map(|c| Seen {
        status: text(c, "/status"),
        reason: text(c, "/reason"),
        message: text(c, "/message"),
        observed_generation: int(c, "/observedGeneration"),
    })
}

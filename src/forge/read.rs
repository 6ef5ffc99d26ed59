//! Fields of a forge's answers.

use jiff::Timestamp;
use serde_json::Value;

use super::ForgeError;

/// An answer that makes no sense.
pub(super) fn strange(path: &[&str], why: &str) -> ForgeError {
    ForgeError::Nonsense(path.join("/"), why.to_owned())
}

/// A number in a field.
pub(super) fn number(value: &Value, field: &str) -> Option<u64> {
    value.get(field)?.as_u64()
}

/// A text in a field.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str()
}

/// A time in a field.
pub(super) fn time(value: &Value, field: &str) -> Option<Timestamp> {
    text(value, field)?.parse().ok()
}

/// A commit's id; none where it is anything else.
pub(super) fn commit(value: &Value, field: &str) -> Option<String> {
    let id = text(value, field)?;
    let digits = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (id.len() == 40 && digits && id.bytes().any(|byte| byte != b'0')).then(|| id.to_owned())
}

/// Number of the account in a field. Accounts that are gone are shown with no number, or none above zero.
pub(super) fn account(value: &Value, field: &str) -> Option<u64> {
    number(value.get(field)?, "id").filter(|id| *id > 0)
}

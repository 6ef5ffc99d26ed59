//! Digests of objects: equal content, equal digest; of a Secret nothing can be guessed from it.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

/// The first 16 bytes of an HMAC-SHA-256 over the canonical JSON of a value, shown as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; 16]);

/// Key of all digests of an installation. It keeps low-entropy secret values from being guessed
/// from digests that stand in inventories and plans.
#[derive(Clone)]
pub struct DigestKey(Vec<u8>);

impl DigestKey {
    /// A key from its bytes; 32 random ones are right.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Digest of a JSON value. Keys of mappings are taken in order, so their order does not matter.
    pub fn digest(&self, value: &Value) -> Digest {
        let mut state = self.state();
        feed(&mut state, value);
        Digest::of(state)
    }

    /// Digest of bytes.
    pub fn digest_bytes(&self, bytes: &[u8]) -> Digest {
        let mut state = self.state();
        state.update(bytes);
        Digest::of(state)
    }

    fn state(&self) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length")
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(***)")
    }
}

/// Writes the value with its keys sorted and its lengths told, so that no two values feed the
/// same bytes.
fn feed(state: &mut Hmac<Sha256>, value: &Value) {
    match value {
        Value::Null => state.update(b"n"),
        Value::Bool(flag) => state.update(if *flag { b"t" } else { b"f" }),
        Value::Number(number) => {
            state.update(b"#");
            state.update(number.to_string().as_bytes());
            state.update(b";");
        }
        Value::String(text) => {
            state.update(b"s");
            state.update(&(text.len() as u64).to_be_bytes());
            state.update(text.as_bytes());
        }
        Value::Array(items) => {
            state.update(b"a");
            state.update(&(items.len() as u64).to_be_bytes());
            for item in items {
                feed(state, item);
            }
        }
        Value::Object(fields) => {
            let mut keys: Vec<_> = fields.keys().collect();
            keys.sort_unstable();
            state.update(b"o");
            state.update(&(keys.len() as u64).to_be_bytes());
            for key in keys {
                state.update(&(key.len() as u64).to_be_bytes());
                state.update(key.as_bytes());
                feed(state, &fields[key]);
            }
        }
    }
}

impl Digest {
    fn of(state: Hmac<Sha256>) -> Self {
        let full = state.finalize().into_bytes();
        let mut half = [0; 16];
        half.copy_from_slice(&full[..16]);
        Self(half)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// A text that is no digest.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a digest of 32 hex digits")]
pub struct DigestParseError(String);

impl FromStr for Digest {
    type Err = DigestParseError;

    fn from_str(text: &str) -> Result<Self, DigestParseError> {
        let bad = || DigestParseError(text.to_owned());
        if text.len() != 32 || !text.is_ascii() {
            return Err(bad());
        }
        let mut bytes = [0; 16];
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| bad())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestParseError;

    fn try_from(text: String) -> Result<Self, DigestParseError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_of_keys_does_not_matter_and_everything_else_does() {
        let key = DigestKey::new(*b"key");
        let digest = |value: Value| key.digest(&value);
        assert_eq!(digest(json!({"a": 1, "b": 2})), digest(json!({"b": 2, "a": 1})));
        let different = [
            json!({"a": 1, "b": 2}),
            json!({"a": 1}),
            json!({"a": "1"}),
            json!({"ab": null}),
            json!(["a", 1]),
            json!(["ab"]),
            json!(["a", "b"]),
            json!([["a"], "b"]),
            json!(null),
            json!({}),
            json!([]),
            json!(""),
            json!(1.5),
            json!(true),
            json!(false),
        ];
        for (at, one) in different.iter().enumerate() {
            for other in &different[at + 1..] {
                assert_ne!(digest(one.clone()), digest(other.clone()), "{one} and {other}");
            }
        }
    }

    #[test]
    fn another_key_gives_another_digest_and_text_comes_back() {
        let digest = DigestKey::new(*b"one").digest(&json!("secret"));
        assert_ne!(digest, DigestKey::new(*b"two").digest(&json!("secret")));
        assert_eq!(digest.to_string().parse::<Digest>().expect("parses"), digest);
        assert!("xyz".parse::<Digest>().is_err());
    }
}

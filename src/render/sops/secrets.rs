//! What is secret in decrypted files, and where it is found again in objects, whatever a
//! kustomization made of it.

use std::collections::{HashMap, HashSet};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

use super::open::Opened;
use super::value::{Plain, decimal};
use crate::object::Manifest;
use crate::object::yaml::places;

/// A value that was encrypted.
pub struct SecretValue {
    /// The last key on the way to it; empty where it is the whole file.
    pub key: String,
    /// What it says, as a text.
    pub text: Zeroizing<String>,
}

/// Texts that were encrypted. They are never printed.
#[derive(Default)]
pub struct Secrets {
    /// Short ones, which may stand elsewhere by chance: with the key that they stand under.
    short: HashMap<String, HashSet<String>>,
    long: Vec<Zeroizing<String>>,
}

/// From this length on a text is no chance, wherever it stands: in bytes.
const LONG: usize = 6;

impl Secrets {
    /// Adds values of a file, and the file itself: its plain text is one, wherever it is put as a
    /// whole.
    pub fn extend(&mut self, values: Vec<SecretValue>, file: &[u8]) {
        for SecretValue { key, text } in values {
            if text.len() < LONG {
                self.short.entry(text.to_string()).or_default().insert(key);
            } else {
                self.long.push(text);
            }
        }
        if file.len() >= LONG {
            self.long.push(Zeroizing::new(String::from_utf8_lossy(file).into_owned()));
        }
    }

    /// Notes in each manifest where it holds one of them. What says which object it is, is none.
    pub fn mark(&self, manifests: &mut [Manifest]) {
        if self.short.is_empty() && self.long.is_empty() {
            return;
        }
        // Too many of them for a search: all is masked then.
        let long = AhoCorasick::new(self.long.iter().map(|text| text.as_bytes())).ok();
        let search = Search { short: &self.short, long };
        for manifest in manifests {
            let mut masked = Vec::new();
            search.within(&mut String::new(), "", &manifest.body, &mut masked);
            masked.retain(|pointer| !names_the_object(&pointer.split('/').skip(1).collect::<Vec<_>>()));
            manifest.masked = masked;
        }
    }
}

struct Search<'s> {
    short: &'s HashMap<String, HashSet<String>>,
    long: Option<AhoCorasick>,
}

impl Search<'_> {
    fn within(&self, pointer: &mut String, key: &str, value: &Value, found: &mut Vec<String>) {
        let length = pointer.len();
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    pointer.push('/');
                    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    self.within(pointer, name, value, found);
                    pointer.truncate(length);
                }
            }
            Value::Array(items) => {
                for (at, value) in items.iter().enumerate() {
                    pointer.push_str(&format!("/{at}"));
                    self.within(pointer, key, value, found);
                    pointer.truncate(length);
                }
            }
            Value::Null => {}
            Value::String(text) if self.holds(key, text) => found.push(pointer.clone()),
            Value::String(text) if pointer.starts_with("/binaryData/") => {
                let packed: String = text.split_ascii_whitespace().collect();
                if let Ok(bytes) = STANDARD.decode(packed)
                    && self.holds(key, &String::from_utf8_lossy(&bytes))
                {
                    found.push(pointer.clone());
                }
            }
            Value::String(_) => {}
            Value::Bool(_) | Value::Number(_) if self.holds(key, &value.to_string()) => found.push(pointer.clone()),
            Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn holds(&self, key: &str, text: &str) -> bool {
        self.short.get(text).is_some_and(|keys| keys.contains(key))
            || self.long.as_ref().is_none_or(|long| long.is_match(text))
    }
}

/// What is secret in values that were decrypted: all but what says which object it is.
pub fn secret_values(opened: &[Opened<'_>]) -> Vec<SecretValue> {
    opened.iter().filter(|value| !names_the_object(&value.path)).filter_map(secret_value).collect()
}

fn names_the_object(path: &[&str]) -> bool {
    // Items of a list are objects too.
    let path = path.strip_prefix(&["items"]).unwrap_or(path);
    match path {
        ["apiVersion" | "kind"] => true,
        ["metadata", field, ..] => *field != "annotations",
        _ => false,
    }
}

fn secret_value(value: &Opened<'_>) -> Option<SecretValue> {
    let text = match &value.plain {
        Plain::Comment | Plain::Value(places::Value::Null) => return None,
        Plain::Time(text) => text.clone(),
        Plain::Value(places::Value::Bool(flag)) => flag.to_string(),
        Plain::Value(places::Value::Int(int)) => int.to_string(),
        Plain::Value(places::Value::Float(float)) => decimal(*float),
        Plain::Value(places::Value::Text(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
    };
    let key = value.path.last().copied().unwrap_or_default().to_owned();
    (!text.is_empty()).then(|| SecretValue { key, text: text.into() })
}

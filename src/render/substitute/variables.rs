//! Names and their values, and where each comes from.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::object::Secret;

/// Values by name. It never prints them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variables {
    values: BTreeMap<String, Variable>,
    /// What becomes of a variable without a value.
    pub unknown: Unknown,
}

/// What becomes of a variable that has neither a value nor a default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unknown {
    /// It is a problem, and nothing is rendered.
    #[default]
    Refuse,
    /// It stays as it is written.
    Keep,
}

/// One value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// What is put in its place; `None` where the source holds bytes that are no text.
    pub value: Option<Secret>,
    /// Where it comes from, for people: `spec.substitute.vars`, `Secret shop/database`.
    pub origin: String,
    /// Whether what it is put into may be shown.
    pub secrecy: Secrecy,
}

/// Whether a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Secrecy {
    /// To everybody.
    Plain,
    /// To nobody.
    Secret,
}

impl Variable {
    /// A value as it is written.
    pub fn new(value: &str, origin: &str, secrecy: Secrecy) -> Self {
        Self { value: Some(Secret::new(value)), origin: origin.to_owned(), secrecy }
    }

    /// A value of a ConfigMap or Secret. Line feeds at its end are taken off, as the shell does with
    /// what a command prints: files that became Secrets end in one.
    pub fn of_source(value: &[u8], origin: &str, secrecy: Secrecy) -> Self {
        let text = std::str::from_utf8(value).ok();
        let value = text.map(|text| Secret::new(text.trim_end_matches(['\n', '\r'])));
        Self { value, origin: origin.to_owned(), secrecy }
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variable").field("value", &"***").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Variables {
    /// Sets the value of a name; a value that it had before is forgotten.
    pub fn set(&mut self, name: impl Into<String>, variable: Variable) {
        self.values.insert(name.into(), variable);
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Variable> {
        self.values.get(name)
    }

    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

/// Whether a text can name a variable: letters, digits and `_`, and no digit first.
pub fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

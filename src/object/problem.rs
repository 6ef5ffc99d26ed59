//! A problem of content: data, not an error.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ObjectId, Origin};

/// What is wrong with something in the repository. A run collects all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// Path from the root of the repository, with `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in that file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The object, as people read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Stable CamelCase name of the rule that was broken.
    pub rule: String,
    /// What is wrong, one sentence, lower case, no final dot. Never holds a secret value.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of no place yet.
    pub fn new(rule: &str, message: impl Into<String>) -> Self {
        Self { file: None, line: None, object: None, rule: rule.to_owned(), message: message.into(), hint: None }
    }

    /// The same problem, at a place.
    #[must_use]
    pub fn at(mut self, origin: &Origin) -> Self {
        self.file = Some(origin.file.clone());
        self.line = Some(origin.line);
        self
    }

    /// The same problem, in a file and perhaps at a line.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>, line: Option<u32>) -> Self {
        self.file = Some(file.into());
        self.line = line;
        self
    }

    /// The same problem, of an object.
    #[must_use]
    pub fn of(mut self, id: &ObjectId) -> Self {
        self.object = Some(id.to_string());
        self
    }

    /// The same problem, with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// `file:line: object: message (rule)`, what is not known left out; the hint is not part of it.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            f.write_str(file)?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
        }
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        write!(f, "{} ({})", self.message, self.rule)
    }
}

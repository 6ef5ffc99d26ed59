//! YAML and JSON, read as kubectl reads them, and written so that kubectl reads the same back.
//!
//! kubectl reads through `sigs.k8s.io/yaml`, which is YAML 1.1 with Go's own ideas of numbers:
//! `0644` is 420, `yes` is true, `1e3` is 1000, and a date stays a text. The grammar is parsed by
//! `serde_yaml`, or, where a text is written as manifests usually are, by the module `usual`; what a
//! scalar means is decided by the module `scalar`, because a value that differs from kubectl's by one
//! digit is a deployment that nobody reviewed.

mod lines;
mod load;
mod open;
pub mod places;
mod scalar;
mod tally;
mod text;
mod usual;
mod variable;
mod write;

pub use lines::{Lines, line, lines};
pub use tally::{MAPPING, TEXT};
pub use variable::{takes_text, unmarked, unquoted};
pub use write::{write, write_into};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Problem;

/// One document of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Line of its first content, from 1.
    pub line: u32,
    /// Which document of the file, from 1.
    pub index: u32,
    /// What it holds; empty documents are left out.
    pub value: Value,
    /// Read as kustomize does: the fields that are null, or in brackets of a resource an empty text, because nothing is written for
    /// them, each by the names that lead to it. Of what an alias repeats they are not told.
    pub unwritten: Vec<Vec<String>>,
}

/// Limits on one file. What passes one is a problem that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of the file; and again of all text that its aliases repeat.
    pub bytes: u64,
    /// Documents.
    pub documents: u32,
    /// Nodes (scalars, lists, mappings), with aliases expanded and a copy for every anchor.
    pub nodes: u32,
    /// Depth of nesting in a document.
    pub depth: u32,
    /// Aliases.
    pub aliases: u32,
    /// Whether variables without quotes are told apart.
    pub plain: Plain,
    /// How kubectl's dialect takes a block of text that a file ends in without a line feed.
    pub end: End,
}

/// What a block of text has at the end of a file that has no line feed there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// A line feed: kubectl reads line by line.
    #[default]
    Completed,
    /// None: so what reads the whole file at once has it, kustomize its own files and JSON patches.
    AsWritten,
}

/// Whether a value that is nothing but a variable, written without quotes, is told apart from one in
/// quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Plain {
    /// It is a text like any other.
    #[default]
    AsWritten,
    /// It is marked; [`unmarked`] takes the mark off.
    Marked,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            documents: 10_000,
            nodes: 1_000_000,
            depth: 100,
            aliases: 10_000,
            plain: Plain::AsWritten,
            end: End::Completed,
        }
    }
}

/// Whether kustomize reads what is written so, without quotes, as a text.
pub fn is_text(written: &str) -> bool {
    matches!(scalar::plain(Dialect::Kustomize, written.into()), scalar::Scalar::Text(text) if text == written)
}

/// What kustomize reads a text as that is written without quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// A text.
    Text,
    /// Null.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// A day or a time.
    Time,
}

/// What kustomize reads a text as that is written without quotes.
pub fn written(text: &str) -> Written {
    use scalar::Scalar;
    match scalar::plain(Dialect::Kustomize, text.into()) {
        _ if scalar::is_time(text) => Written::Time,
        Scalar::Text(_) => Written::Text,
        Scalar::Null => Written::Null,
        Scalar::Bool(_) => Written::Boolean,
        Scalar::Int(_) | Scalar::Uint(_) => Written::Whole,
        Scalar::Float(_) => Written::Number,
    }
}

/// A float as kubectl has it: a whole one is an integer. Null where JSON cannot say it.
pub fn number(float: f64) -> Value {
    scalar::float(float).unwrap_or_default()
}

/// Bytes of memory, about, that a value takes beside its own place.
pub fn memory(value: &Value) -> u64 {
    tally::memory(value)
}

/// Whose reader a file is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// kubectl's.
    Kubectl,
    /// kustomize's for resources: `yes` and `on` are texts, a date is a time, keys are texts, and an
    /// annotation is the text that is written.
    Kustomize,
    /// kustomize's for patches: the same, and null is null for annotations too.
    Patch,
}

/// Reads the documents of a file as kubectl does. A document with a problem is left out, and the documents after
/// it are still read; where they cannot be, a problem says so.
///
/// `file` stands in the problems, and decides (`.json`) in whose words a syntax error is told.
pub fn read(file: &str, bytes: &[u8], limits: &Limits) -> (Vec<Document>, Vec<Problem>) {
    read_as(Dialect::Kubectl, file, bytes, limits)
}

/// The same, as somebody else's reader does.
pub fn read_as(dialect: Dialect, file: &str, bytes: &[u8], limits: &Limits) -> (Vec<Document>, Vec<Problem>) {
    if bytes.len() as u64 > limits.bytes {
        let message = format!("the file has {} bytes, more than the {} that are allowed", bytes.len(), limits.bytes);
        return (Vec::new(), vec![Problem::new("LimitExceeded", message).in_file(file, None)]);
    }
    let text = match text::of(bytes) {
        Ok(text) => text,
        Err(fault) => {
            let mut problem = Problem::new("InvalidYaml", fault.message).in_file(file, Some(fault.line));
            problem.hint = fault.hint.map(str::to_owned);
            return (Vec::new(), vec![problem]);
        }
    };
    if dialect != Dialect::Kubectl && text.starts_with('%') {
        let message = "a YAML directive at the head of a file is nothing that kustomize reads";
        return (Vec::new(), vec![Problem::new("InvalidYaml", message).in_file(file, Some(1)).hint("remove the line")]);
    }
    let mut loader = load::Loader::new(dialect, file, limits);
    match text::json_values(text) {
        text::Json::Values(values) => {
            for value in values {
                if !loader.read(&text::escaped(value.text), value.line) {
                    break;
                }
            }
        }
        text::Json::Broken { line, message } if file.ends_with(".json") => {
            loader.read(text, 1);
            if !loader.tally.problems.is_empty() {
                let problem = Problem::new("InvalidJson", message).in_file(file, Some(line));
                return (loader.documents, vec![problem]);
            }
        }
        text::Json::Broken { .. } | text::Json::Other => {
            loader.read(text, 1);
        }
    }
    (loader.documents, loader.tally.problems)
}

#[cfg(test)]
mod tests;

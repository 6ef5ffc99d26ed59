//! From a document to the objects that it holds.

use std::cell::OnceCell;

use serde_json::Value;

use super::Options;
use super::object::{self, Reading};
use crate::object::near::nearest;
use crate::object::yaml::{self, Document, Lines};
use crate::object::{Cause, Causes, Manifest, Origin, Problem};

/// One file, and what was found in it.
pub struct File<'a> {
    /// Path from the root of the repository.
    pub path: &'a str,
    /// Its content, for the lines of what is wrong.
    pub bytes: &'a [u8],
    /// Of all its documents, as soon as somebody asks for one.
    lines: OnceCell<Lines>,
    /// Whether each object is to say which line gave each of its fields.
    explain: bool,
    /// What objects may be called.
    pub names: Reading,
    /// Objects of the file.
    pub manifests: Vec<Manifest>,
    /// What is wrong in the file.
    pub problems: Vec<Problem>,
}

/// Which document of the file, from 1, and the line of its first content.
#[derive(Clone, Copy)]
struct Place {
    index: u32,
    line: u32,
}

impl<'a> File<'a> {
    /// A file in which nothing was found yet.
    pub fn new(path: &'a str, bytes: &'a [u8], options: &Options) -> Self {
        let (explain, names) = (options.explain, options.names());
        Self { path, bytes, lines: OnceCell::new(), explain, names, manifests: Vec::new(), problems: Vec::new() }
    }

    /// Adds the objects of a document: itself, or the items of a list.
    pub fn add(&mut self, document: Document) {
        let Document { line, index, value, .. } = document;
        self.node(Place { index, line }, "", line, value);
    }

    /// Line of what a JSON pointer into a document names.
    fn line(&self, place: Place, pointer: &str) -> u32 {
        self.lines.get_or_init(|| yaml::lines(self.bytes)).line(place.index, pointer).unwrap_or(place.line)
    }

    fn node(&mut self, place: Place, pointer: &str, line: u32, mut value: Value) {
        if let Some(items) = take_items(&mut value) {
            let (api_version, kind) = (text(&value, "apiVersion"), text(&value, "kind"));
            let Value::Array(items) = items else {
                let message = format!("the {kind} has no list of items");
                self.problems.push(Problem::new("InvalidObject", message).in_file(self.path, Some(line)));
                return;
            };
            for (at, mut item) in items.into_iter().enumerate() {
                let pointer = format!("{pointer}/items/{at}");
                let line = self.line(place, &pointer);
                name_kind(&mut item, &api_version, &kind);
                self.node(place, &pointer, line, item);
            }
            return;
        }
        let origin = Origin { file: self.path.to_owned(), line, document: place.index };
        match object::manifest(value, origin, self.names) {
            Ok(mut manifest) => {
                if self.explain {
                    let cause = |below: &str| {
                        let line = Some(self.line(place, &format!("{pointer}{below}")));
                        Cause { file: manifest.origin.file.clone(), line, by: String::new() }
                    };
                    manifest.causes = Some(Box::new(Causes::of(&manifest.body, "", &cause)));
                }
                self.manifests.push(manifest);
            }
            Err(faults) => {
                for fault in faults {
                    let line = if fault.pointer.is_empty() {
                        line
                    } else {
                        self.line(place, &format!("{pointer}{}", fault.pointer))
                    };
                    self.problems.push(fault.problem.in_file(self.path, Some(line)));
                }
            }
        }
    }
}

/// Takes the items out of a list: of `kind: List`, and of any other kind named so that has items
/// and no name of its own, which no list has.
fn take_items(value: &mut Value) -> Option<Value> {
    let kind = text(value, "kind");
    let plain = kind == "List" && text(value, "apiVersion") == "v1";
    let other = kind.ends_with("List")
        && value.get("items").is_some_and(Value::is_array)
        && value.pointer("/metadata/name").is_none();
    if !plain && !other {
        return None;
    }
    Some(value.get_mut("items").map_or(Value::Null, Value::take))
}

/// Items of a `ConfigMapList` may leave out what their list says, as the API server's answers do.
fn name_kind(item: &mut Value, api_version: &str, list: &str) {
    let kind = list.strip_suffix("List").unwrap_or_default();
    if let Value::Object(fields) = item
        && !kind.is_empty()
        && !fields.contains_key("apiVersion")
        && !fields.contains_key("kind")
    {
        fields.insert("apiVersion".to_owned(), Value::String(api_version.to_owned()));
        fields.insert("kind".to_owned(), Value::String(kind.to_owned()));
    }
}

/// A field that is a text; empty where it is none.
fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The field that was meant, where one is written nearly so.
pub fn meant<'a>(value: &'a Value, wanted: &str) -> Option<&'a str> {
    let fields = value.as_object()?;
    let names: Vec<&str> = fields.keys().map(String::as_str).filter(|name| !name.is_empty()).collect();
    let name = nearest(wanted, &names)?;
    // What is right by itself was not meant to be something else.
    (!matches!(name, "apiVersion" | "kind" | "metadata" | "spec" | "name" | "namespace")).then_some(name)
}

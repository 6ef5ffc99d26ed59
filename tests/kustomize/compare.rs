//! What Tandem and the real kustomize make of one tree.

use std::collections::BTreeSet;

use serde_json::Value;
use tandem::object::ObjectId;
use tandem::render::{Options, render};

use super::case::{self, Node};
use super::reference;

/// Objects, and the names of those that were left out as no API server takes them.
struct Built {
    objects: Vec<Value>,
    left_out: BTreeSet<String>,
    /// How many were left out for their names.
    unnamed: usize,
}

/// What Tandem makes of the folder `app`, or its problems.
fn by_tandem(tree: &[Node]) -> Result<Built, Vec<String>> {
    let rendered = render(&case::in_memory(tree), "app", &Options::default());
    let (mut left_out, mut unnamed) = (BTreeSet::new(), 0);
    let mut refused = Vec::new();
    for problem in rendered.problems {
        match (&*problem.rule, &problem.object) {
            // kustomize prints nothing for it, and finds nothing wrong with that.
            ("NoObjects", _) => {}
            ("InvalidObject", Some(object)) => drop(left_out.insert(object.clone())),
            ("InvalidObject", None) if problem.message.starts_with("metadata.name is no name") => unnamed += 1,
            _ => refused.push(problem.to_string()),
        }
    }
    let objects = rendered.manifests.into_iter().map(|manifest| manifest.body).collect();
    if refused.is_empty() { Ok(Built { objects, left_out, unnamed }) } else { Err(refused) }
}

/// Whether labels or annotations of an object are what no API server takes: no texts.
fn is_untakable(object: &Value) -> bool {
    let no_texts = |field: &&str| match &object["metadata"][field] {
        Value::Null => false,
        Value::Object(entries) => entries.values().any(|value| !value.is_string() && !value.is_null()),
        _ => true,
    };
    ["labels", "annotations"].iter().any(no_texts)
}

/// Whether the name of an object is what no API server takes.
fn has_no_name(object: &Value) -> bool {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    matches!(name, "." | "..") || name.len() > 253 || name.contains(['/', '%']) || name.contains(char::is_control)
}

fn name_of(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
    ObjectId::new(text("/metadata/namespace"), text("/metadata/name"), group, text("/kind")).to_string()
}

/// Where the two differ over a tree. Tandem leaves out exactly those objects of kustomize that no
/// API server takes.
pub fn difference(tree: &[Node]) -> Option<String> {
    let (ours, theirs) = match (by_tandem(tree), reference::build(tree, "app")) {
        (Err(_), Err(_)) => return None,
        (Ok(_), Err(told)) => return Some(format!("kustomize refuses it:\n{told}")),
        (Err(problems), Ok(_)) => return Some(format!("Tandem refuses it:\n{}\n", problems.join("\n"))),
        (Ok(ours), Ok(theirs)) => (ours, case::documents(&theirs)),
    };
    let theirs = match theirs {
        Ok(theirs) => theirs,
        Err(fault) => return Some(format!("what kustomize prints is no YAML: {fault}")),
    };
    let (untakable, theirs): (Vec<Value>, Vec<Value>) = theirs.into_iter().partition(is_untakable);
    let (unnamed, theirs): (Vec<Value>, Vec<Value>) = theirs.into_iter().partition(has_no_name);
    if unnamed.len() != ours.unnamed {
        return Some(format!("no API server takes {} names, and Tandem leaves out {}\n", unnamed.len(), ours.unnamed));
    }
    let untakable: BTreeSet<String> = untakable.iter().map(name_of).collect();
    if untakable != ours.left_out {
        return Some(format!("no API server takes {untakable:?}, and Tandem leaves out {:?}\n", ours.left_out));
    }
    case::differ(&theirs, &ours.objects)
}

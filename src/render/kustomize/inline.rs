//! Lists of objects, opened.

use std::collections::VecDeque;

use serde_json::Value;

/// The objects of a file's documents, each with its document and the names that lead to it: the
/// documents themselves, or the items of a kind that ends with `List` and has items. Items come
/// behind all documents, and their items behind them, as kustomize has it; but an item of the kind
/// `List` is opened where it stands.
pub fn inline<D: Copy>(documents: impl Iterator<Item = (D, Value)>) -> Vec<(D, Vec<String>, Value)> {
    let mut objects = Vec::new();
    let mut open: VecDeque<_> = documents.map(|(document, value)| (document, Vec::new(), value)).collect();
    while let Some((document, pointer, mut value)) = open.pop_front() {
        let is_list = value.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
        match value.get_mut("items").filter(|_| is_list).map(Value::take) {
            Some(Value::Array(items)) => {
                for (at, item) in items.into_iter().enumerate().filter(|(_, item)| !item.is_null()) {
                    let mut pointer: Vec<String> = pointer.clone();
                    pointer.extend(["items".to_owned(), at.to_string()]);
                    push(&mut open, document, pointer, item);
                }
            }
            Some(Value::Null) => {}
            Some(items) => {
                value["items"] = items;
                objects.push((document, pointer, value));
            }
            None => objects.push((document, pointer, value)),
        }
    }
    objects
}

/// Puts an item behind what is still open: itself, or the items of a plain list.
fn push<D: Copy>(open: &mut VecDeque<(D, Vec<String>, Value)>, document: D, pointer: Vec<String>, mut item: Value) {
    let is_list = item.get("kind").and_then(Value::as_str) == Some("List");
    match item.get_mut("items").filter(|_| is_list).map(Value::take) {
        Some(Value::Array(items)) => {
            for (at, item) in items.into_iter().enumerate().filter(|(_, item)| !item.is_null()) {
                let mut pointer = pointer.clone();
                pointer.extend(["items".to_owned(), at.to_string()]);
                open.push_back((document, pointer, item));
            }
        }
        Some(items) => {
            item["items"] = items;
            open.push_back((document, pointer, item));
        }
        None => open.push_back((document, pointer, item)),
    }
}

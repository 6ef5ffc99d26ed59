//! Lists of objects, opened.

use std::collections::VecDeque;

use serde_json::Value;

/// The objects of a document, each with the names that lead to it: itself, or the items of a kind
/// that ends with `List` and has items. Items of items come last, as kustomize has it.
pub fn inline(document: Value) -> Vec<(Vec<String>, Value)> {
    let mut objects = Vec::new();
    let mut open = VecDeque::from([(Vec::new(), document)]);
    while let Some((pointer, mut value)) = open.pop_front() {
        let is_list = value.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
        match value.get_mut("items").filter(|_| is_list).map(Value::take) {
            Some(Value::Array(items)) => {
                for (at, item) in items.into_iter().enumerate().filter(|(_, item)| !item.is_null()) {
                    let mut pointer: Vec<String> = pointer.clone();
                    pointer.extend(["items".to_owned(), at.to_string()]);
                    open.push_back((pointer, item));
                }
            }
            Some(Value::Null) => {}
            Some(items) => {
                value["items"] = items;
                objects.push((pointer, value));
            }
            None => objects.push((pointer, value)),
        }
    }
    objects
}

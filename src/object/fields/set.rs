//! A set of fields, as `managedFields` writes it (`fieldsV1`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A set of fields. Children are keyed as in `fieldsV1`: `f:<name>`, `k:<keys of a list item>`,
/// `v:<value of a set item>`, `i:<index>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// Whether the node itself is in the set, and not only something below it.
    member: bool,
    children: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    /// Reads a `fieldsV1`; what is no mapping is the empty set.
    pub fn read(fields_v1: &Value) -> Self {
        Self { member: false, ..Self::node(fields_v1) }
    }

    fn node(value: &Value) -> Self {
        let Some(map) = value.as_object() else { return Self { member: true, children: BTreeMap::new() } };
        let children = map.iter().filter(|(key, _)| *key != ".").map(|(key, child)| (key.clone(), Self::node(child)));
        Self { member: map.is_empty() || map.contains_key("."), children: children.collect() }
    }

    /// The set as a `fieldsV1`.
    pub fn write(&self) -> Value {
        let mut map: Map<String, Value> =
            self.children.iter().map(|(key, child)| (key.clone(), child.write())).collect();
        if self.member && !map.is_empty() {
            map.insert(".".to_owned(), json!({}));
        }
        Value::Object(map)
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }

    /// The set of the fields below one key, as in `fieldsV1`.
    pub fn below(&self, key: &str) -> Option<&FieldSet> {
        self.children.get(key)
    }

    /// What is in one of both.
    #[must_use]
    pub fn union(mut self, other: &FieldSet) -> Self {
        self.member |= other.member;
        for (key, theirs) in &other.children {
            let ours = self.children.remove(key).unwrap_or_default();
            self.children.insert(key.clone(), ours.union(theirs));
        }
        self
    }

    /// What is here and not there.
    #[must_use]
    pub fn without(&self, other: &FieldSet) -> Self {
        let children = self.children.iter().map(|(key, child)| match other.children.get(key) {
            Some(theirs) => (key.clone(), child.without(theirs)),
            None => (key.clone(), child.clone()),
        });
        Self {
            member: self.member && !other.member,
            children: children.filter(|(_, child)| !child.is_empty()).collect(),
        }
    }

    /// Only the ends of the paths: that a mapping or list exists is no field of its own where
    /// something in it is in the set too.
    #[must_use]
    pub fn leaves(&self) -> Self {
        Self {
            member: self.member && self.children.is_empty(),
            children: self.children.iter().map(|(key, child)| (key.clone(), child.leaves())).collect(),
        }
    }

    /// Only what `object` has.
    #[must_use]
    pub fn found_in(&self, object: &Value) -> Self {
        let children = self
            .children
            .iter()
            .filter_map(|(key, child)| Some((key.clone(), child.found_in(step(object, key)?))))
            .filter(|(_, child)| !child.is_empty());
        Self { member: self.member, children: children.collect() }
    }

    /// Takes a field and all below it out of the set. `-` stands for every item of a list; a number
    /// for the item that stands there in `object`.
    pub fn remove(&mut self, path: &[String], object: Option<&Value>) {
        let Some((first, rest)) = path.split_first() else {
            *self = Self::default();
            return;
        };
        let keys: Vec<String> = self.children.keys().filter(|key| meets(key, first, object)).cloned().collect();
        for key in keys {
            let below = object.and_then(|object| step(object, &key));
            let child = self.children.get_mut(&key).expect("a key of this node");
            child.remove(rest, below);
            if child.is_empty() {
                self.children.remove(&key);
            }
        }
    }

    /// Whether the set holds the field at `path`, something below it, or the whole that it is a
    /// part of (a list or mapping that is owned as one). `path` has names and, for items of lists,
    /// their place in `object`.
    pub fn touches(&self, path: &[String], object: &Value) -> bool {
        let Some((first, rest)) = path.split_first() else { return !self.is_empty() };
        if self.member && self.children.is_empty() {
            return true;
        }
        self.children
            .iter()
            .filter(|(key, _)| meets(key, first, Some(object)))
            .any(|(key, child)| child.touches(rest, step(object, key).unwrap_or(&Value::Null)))
    }

    /// The values at the fields of the set, with their paths: equal content gives an equal value.
    /// `others` are the fields of everybody else: a mapping that is in our set as a whole, but into
    /// which others write, is not ours in what they write. The API server drops and makes empty
    /// mappings as it likes, so an empty one, none, and one that only others fill are the same.
    pub fn values(&self, object: &Value, others: Option<&FieldSet>) -> Value {
        if self.children.is_empty() {
            let shared = others.is_some_and(|others| !others.children.is_empty());
            return if shared || is_empty(object) { json!({ "=": null }) } else { json!({ "=": object }) };
        }
        let mut found = Map::new();
        if self.member {
            found.insert(".".to_owned(), Value::Null);
        }
        for (key, child) in &self.children {
            let value = step(object, key).unwrap_or(&Value::Null);
            found.insert(key.clone(), child.values(value, others.and_then(|others| others.below(key))));
        }
        Value::Object(found)
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// One step of a `fieldsV1` path into a value.
fn step<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    let (kind, rest) = key.split_at_checked(2)?;
    match kind {
        "f:" => value.get(rest),
        "k:" => {
            let keys: Map<String, Value> = serde_json::from_str(rest).ok()?;
            value.as_array()?.iter().find(|item| keys.iter().all(|(name, wanted)| item.get(name) == Some(wanted)))
        }
        "v:" => {
            let wanted: Value = serde_json::from_str(rest).ok()?;
            value.as_array()?.iter().find(|item| **item == wanted)
        }
        "i:" => value.get(rest.parse::<usize>().ok()?),
        _ => None,
    }
}

/// Whether a key of `fieldsV1` is what a segment of a JSON pointer names.
fn meets(key: &str, segment: &str, object: Option<&Value>) -> bool {
    match key.strip_prefix("f:") {
        Some(name) => name == segment,
        None if segment == "-" => true,
        None => match (segment.parse::<usize>(), object) {
            (Ok(index), Some(list)) => {
                list.get(index).is_some_and(|item| step(list, key).is_some_and(|found| std::ptr::eq(found, item)))
            }
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(value: Value) -> FieldSet {
        FieldSet::read(&value)
    }

    #[test]
    fn fields_v1_survives_the_round_trip() {
        for value in [
            json!({}),
            json!({"f:spec": {"f:replicas": {}}}),
            json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}, "f:data": {}}),
            json!({"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}}),
        ] {
            assert_eq!(set(value.clone()).write(), value);
        }
    }

    #[test]
    fn union_and_difference() {
        let a = json!({"f:a": {}, "f:b": {".": {}, "f:x": {}}});
        let b = json!({"f:a": {"f:y": {}}, "f:b": {"f:x": {}}, "f:c": {}});
        assert_eq!(
            set(a.clone()).union(&set(b.clone())).write(),
            json!({"f:a": {".": {}, "f:y": {}}, "f:b": {".": {}, "f:x": {}}, "f:c": {}})
        );
        assert_eq!(set(a.clone()).without(&set(b.clone())).write(), json!({"f:a": {}, "f:b": {}}));
        assert_eq!(set(b).without(&set(a.clone())).write(), json!({"f:a": {"f:y": {}}, "f:c": {}}));
        assert!(set(a.clone()).without(&set(a)).is_empty());
    }

    #[test]
    fn removal_follows_names_items_and_places() {
        let object = json!({"l": [{"name": "one", "x": 1}, {"name": "two", "x": 2}]});
        let all = json!({"f:l": {"k:{\"name\":\"one\"}": {"f:x": {}}, "k:{\"name\":\"two\"}": {"f:x": {}}}});
        let path = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        for (pointer, left) in [
            ("l/-/x", json!({})),
            ("l/1/x", json!({"f:l": {"k:{\"name\":\"one\"}": {"f:x": {}}}})),
            ("l/0", json!({"f:l": {"k:{\"name\":\"two\"}": {"f:x": {}}}})),
            ("m", all.clone()),
        ] {
            let mut fields = set(all.clone());
            fields.remove(&path(pointer), Some(&object));
            assert_eq!(fields.write(), left, "{pointer}");
        }
    }

    #[test]
    fn what_others_write_into_our_empty_mapping_is_not_ours() {
        let ours = set(json!({"f:metadata": {"f:annotations": {}}}));
        let theirs = set(json!({"f:metadata": {"f:annotations": {"f:b": {}}}}));
        let print =
            |annotations: Value, others| ours.values(&json!({"metadata": {"annotations": annotations}}), others);
        let before = print(json!({}), None);
        assert_eq!(before, print(Value::Null, None));
        assert_eq!(before, print(json!({"b": "1"}), Some(&theirs)));
        assert_ne!(before, print(json!({"b": "1"}), None), "nobody else owns it");
    }

    #[test]
    fn an_atomic_list_is_touched_by_every_path_into_it() {
        let object = json!({"l": [{"a": 1}]});
        let path = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        assert!(set(json!({"f:l": {}})).touches(&path("l/0/a"), &object));
        assert!(set(json!({"f:l": {"i:0": {"f:a": {}}}})).touches(&path("l/0"), &object));
        assert!(!set(json!({"f:m": {}})).touches(&path("l/0/a"), &object));
    }
}

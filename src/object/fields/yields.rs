//! Fields that are left to others: neither written after creation nor healed.

use std::borrow::Cow;

use serde_json::Value;

use crate::object::{ObjectId, Problem};

/// A JSON pointer (RFC 6901) of which a segment `-` stands for every item of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Reads a pointer; a problem `InvalidPointer` where it is none, or names the whole object.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let bad = |why: &str| {
            Problem::new("InvalidPointer", format!("{text:?} is not a JSON pointer into an object: {why}")).hint(
                "write it as /spec/replicas; ~1 stands for / and ~0 for ~ inside a name, - for every item of a list",
            )
        };
        let rest = text.strip_prefix('/').ok_or_else(|| bad("it does not begin with /"))?;
        let unescape = |segment: &str| -> Result<String, Problem> {
            if segment.is_empty() {
                return Err(bad("it has an empty segment"));
            }
            if segment.replace("~0", "").replace("~1", "").contains('~') {
                return Err(bad("~ is followed by neither 0 nor 1"));
            }
            Ok(segment.replace("~1", "/").replace("~0", "~"))
        };
        Ok(Self(rest.split('/').map(unescape).collect::<Result<_, _>>()?))
    }

    /// Its segments, unescaped.
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// The places in `object` that it names, with the place of an item for `-`. What is not there
    /// is left out.
    pub fn places(&self, object: &Value) -> Vec<Vec<String>> {
        let mut places = vec![(Vec::new(), object)];
        for segment in &self.0 {
            places = places
                .into_iter()
                .flat_map(|(path, value)| {
                    below(value, segment).into_iter().map(move |(name, value)| {
                        let mut path = path.clone();
                        path.push(name);
                        (path, value)
                    })
                })
                .collect();
        }
        places.into_iter().map(|(path, _)| path).collect()
    }
}

fn below<'v>(value: &'v Value, segment: &str) -> Vec<(String, &'v Value)> {
    match value {
        Value::Object(map) => map.get(segment).map(|value| (segment.to_owned(), value)).into_iter().collect(),
        Value::Array(items) if segment == "-" => {
            items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect()
        }
        Value::Array(items) => {
            let item = segment.parse::<usize>().ok().and_then(|at| items.get(at));
            item.map(|item| (segment.to_owned(), item)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Takes one place out of a value; items of lists become null, so that the others keep their place.
pub(crate) fn take_out(value: &mut Value, place: &[String]) {
    let Some((last, parents)) = place.split_last() else { return };
    let Some(parent) = at_mut(value, parents) else { return };
    match parent {
        Value::Object(map) => {
            map.remove(last);
        }
        Value::Array(items) => {
            if let Some(item) = last.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                *item = Value::Null;
            }
        }
        _ => {}
    }
}

/// The value at a place.
pub(crate) fn at<'v>(value: &'v Value, place: &[String]) -> Option<&'v Value> {
    place.iter().try_fold(value, |value, name| match value {
        Value::Object(map) => map.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

/// The value at a place, to be changed.
pub(crate) fn at_mut<'v>(value: &'v mut Value, place: &[String]) -> Option<&'v mut Value> {
    place.iter().try_fold(value, |value, name| match value {
        Value::Object(map) => map.get_mut(name),
        Value::Array(items) => items.get_mut(name.parse::<usize>().ok()?),
        _ => None,
    })
}

/// The fields of one object that are left to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Yields(Vec<Pointer>);

impl Yields {
    /// Nothing is left to others.
    pub fn none() -> Self {
        Self::default()
    }

    /// The fields that a Sync's rules leave to others on one object.
    pub fn of(id: &ObjectId, rules: &[IgnoreRule]) -> Self {
        let mut pointers: Vec<Pointer> =
            rules.iter().filter(|rule| rule.speaks_of(id)).flat_map(|rule| rule.paths.iter().cloned()).collect();
        pointers.sort_unstable();
        pointers.dedup();
        Self(pointers)
    }

    /// The same, and `/spec/replicas`, which an autoscaler owns.
    #[must_use]
    pub fn and_replicas(mut self) -> Self {
        let replicas = Pointer(vec!["spec".to_owned(), "replicas".to_owned()]);
        if let Err(at) = self.0.binary_search(&replicas) {
            self.0.insert(at, replicas);
        }
        self
    }

    /// What is left to others on an object as it is: replicas too, where an autoscaler has set them.
    pub fn over(&self, live: &Value) -> Cow<'_, Self> {
        self.with_replicas(super::autoscaled(live))
    }

    /// The same, and replicas where an autoscaler has set them.
    pub(super) fn with_replicas(&self, autoscaled: bool) -> Cow<'_, Self> {
        if autoscaled { Cow::Owned(self.clone().and_replicas()) } else { Cow::Borrowed(self) }
    }

    /// Whether nothing is left to others.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pointers, in order.
    pub fn pointers(&self) -> &[Pointer] {
        &self.0
    }

    /// The object without what is left to others.
    #[must_use]
    pub fn strip(&self, mut object: Value) -> Value {
        for pointer in &self.0 {
            for place in pointer.places(&object) {
                take_out(&mut object, &place);
            }
        }
        object
    }
}

/// One rule of a Sync: which fields of which objects are left to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreRule {
    /// API group; any where absent.
    pub group: Option<String>,
    /// Kind; any where absent.
    pub kind: Option<String>,
    /// Namespace; any where absent.
    pub namespace: Option<String>,
    /// Name; any where absent.
    pub name: Option<String>,
    /// Fields.
    pub paths: Vec<Pointer>,
}

impl IgnoreRule {
    /// Whether the rule speaks of an object.
    pub fn speaks_of(&self, id: &ObjectId) -> bool {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        fits(&self.group, &id.group)
            && fits(&self.kind, &id.kind)
            && fits(&self.namespace, &id.namespace)
            && fits(&self.name, &id.name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pointers_are_read_strictly() {
        assert_eq!(Pointer::parse("/a/b~1c/~0").expect("parses").segments(), ["a", "b/c", "~"]);
        for text in ["", "a", "/", "/a//b", "/a~2", "/a/"] {
            assert_eq!(Pointer::parse(text).expect_err(text).rule, "InvalidPointer");
        }
    }

    #[test]
    fn a_dash_is_every_item() {
        let object = json!({"webhooks": [{"name": "a", "ca": 1}, {"name": "b"}, {"name": "c", "ca": 3}]});
        let pointer = Pointer::parse("/webhooks/-/ca").expect("parses");
        assert_eq!(pointer.places(&object), [["webhooks", "0", "ca"], ["webhooks", "2", "ca"]]);
        let rules = [IgnoreRule { kind: Some("Hook".into()), paths: vec![pointer], ..IgnoreRule::default() }];
        let yields = Yields::of(&ObjectId::new("", "x", "", "Hook"), &rules);
        assert_eq!(yields.strip(object), json!({"webhooks": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}));
        assert!(Yields::of(&ObjectId::new("", "x", "", "Other"), &rules).is_empty());
    }
}

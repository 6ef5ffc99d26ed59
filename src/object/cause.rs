//! Why the fields of an object have their values: which file wrote them, and what changed them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

/// What gave a field its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Path from the root of the repository.
    pub file: String,
    /// Line in it, from 1; of what is around it where it has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What stands there, as people name it: `namePrefix`, `patches[0]`. Empty where the file holds
    /// the object itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub by: String,
}

/// `overlays/prod/kustomization.yaml:7 patches[0]`.
impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if self.by.is_empty() { Ok(()) } else { write!(f, " {}", self.by) }
    }
}

/// The causes of a value, in its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Causes {
    /// Of a scalar, or of a mapping or list with nothing in it.
    One(Arc<Cause>),
    /// Of a mapping, by field.
    Fields(BTreeMap<String, Causes>),
    /// Of a list.
    Items(Vec<Causes>),
}

/// Fields that tell the items of a list apart, as Kubernetes' lists have them; the first that both
/// items have decides.
const KEYS: [&str; 7] = ["name", "containerPort", "port", "mountPath", "devicePath", "topologyKey", "key"];

impl Causes {
    /// Of a value that came as a whole. `at` says what gave the field at a JSON pointer its value.
    pub fn of(value: &Value, pointer: &str, at: &dyn Fn(&str) -> Cause) -> Self {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                let of = |(name, value): (&String, &Value)| {
                    (name.clone(), Self::of(value, &format!("{pointer}/{}", escaped(name)), at))
                };
                Self::Fields(fields.iter().map(of).collect())
            }
            Value::Array(items) if !items.is_empty() => {
                let of = |(index, value)| Self::of(value, &format!("{pointer}/{index}"), at);
                Self::Items(items.iter().enumerate().map(of).collect())
            }
            _ => Self::One(Arc::new(at(pointer))),
        }
    }

    /// After a change from `old`, which these are the causes of, to `new`: what is equal keeps its
    /// causes, wherever it moved within its list, and the rest has the one that `at` says.
    #[must_use]
    pub fn changed(&self, old: &Value, new: &Value, pointer: &str, at: &dyn Fn(&str) -> Cause) -> Self {
        if old == new {
            return self.clone();
        }
        match (self, old, new) {
            (Self::Fields(causes), Value::Object(before), Value::Object(after)) if !after.is_empty() => {
                let of = |(name, value): (&String, &Value)| {
                    let pointer = format!("{pointer}/{}", escaped(name));
                    let known = causes.get(name).zip(before.get(name));
                    let of = match known {
                        Some((cause, old)) => cause.changed(old, value, &pointer, at),
                        None => Self::of(value, &pointer, at),
                    };
                    (name.clone(), of)
                };
                Self::Fields(after.iter().map(of).collect())
            }
            (Self::Items(causes), Value::Array(before), Value::Array(after)) if !after.is_empty() => {
                let matches = matched(before, after);
                let of = |(index, value): (usize, &Value)| {
                    let pointer = format!("{pointer}/{index}");
                    let known = matches[index].and_then(|from| causes.get(from).zip(before.get(from)));
                    match known {
                        Some((cause, old)) => cause.changed(old, value, &pointer, at),
                        None => Self::of(value, &pointer, at),
                    }
                };
                Self::Items(after.iter().enumerate().map(of).collect())
            }
            _ => Self::of(new, pointer, at),
        }
    }

    /// Every field that holds nothing else, by JSON pointer, in the order of names and items.
    pub fn leaves(&self) -> Vec<(String, &Cause)> {
        let mut leaves = Vec::new();
        self.walk(&mut String::new(), &mut leaves);
        leaves
    }

    fn walk<'a>(&'a self, pointer: &mut String, leaves: &mut Vec<(String, &'a Cause)>) {
        let mut below = |name: &str, causes: &'a Self| {
            let length = pointer.len();
            pointer.push('/');
            pointer.push_str(name);
            causes.walk(pointer, leaves);
            pointer.truncate(length);
        };
        match self {
            Self::One(cause) => leaves.push((pointer.clone(), cause)),
            Self::Fields(fields) => fields.iter().for_each(|(name, causes)| below(&escaped(name), causes)),
            Self::Items(items) => items.iter().enumerate().for_each(|(at, causes)| below(&at.to_string(), causes)),
        }
    }
}

/// For each item of a list the one that it was before: an equal one, or one of the same key, or
/// where nothing was added or removed the one in its place.
fn matched(before: &[Value], after: &[Value]) -> Vec<Option<usize>> {
    let mut taken = vec![false; before.len()];
    let mut matches = vec![None; after.len()];
    let mut pass = |fits: &dyn Fn(usize, usize) -> bool| {
        for (to, matched) in matches.iter_mut().enumerate().filter(|(_, matched)| matched.is_none()) {
            // Most lists keep their order, so the same place is tried first.
            let found = std::iter::once(to)
                .chain(0..before.len())
                .find(|from| *from < before.len() && !taken[*from] && fits(*from, to));
            if let Some(from) = found {
                taken[from] = true;
                *matched = Some(from);
            }
        }
    };
    pass(&|from, to| before[from] == after[to]);
    pass(&|from, to| same_key(&before[from], &after[to]));
    if before.len() == after.len() {
        pass(&|from, to| from == to);
    }
    matches
}

fn same_key(one: &Value, other: &Value) -> bool {
    KEYS.iter().find_map(|key| one.get(key).zip(other.get(key))).is_some_and(|(one, other)| one == other)
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cause(by: &'static str) -> impl Fn(&str) -> Cause {
        move |_| Cause { file: "f".to_owned(), line: None, by: by.to_owned() }
    }

    fn told(causes: &Causes) -> Vec<String> {
        causes.leaves().into_iter().map(|(pointer, cause)| format!("{pointer} {}", cause.by)).collect()
    }

    #[test]
    fn what_changes_has_a_new_cause_and_the_rest_keeps_its_own() {
        let old = json!({"metadata": {"name": "web", "labels": {"a/b": "1"}}, "spec": {"replicas": 1}});
        let new = json!({"metadata": {"name": "prod-web", "labels": {"a/b": "1", "c": "2"}}, "spec": {"replicas": 1}});
        let causes = Causes::of(&old, "", &cause("file")).changed(&old, &new, "", &cause("patch"));
        let wanted =
            ["/metadata/labels/a~1b file", "/metadata/labels/c patch", "/metadata/name patch", "/spec/replicas file"];
        assert_eq!(told(&causes), wanted);
    }

    #[test]
    fn an_item_that_moves_is_the_same_item() {
        let old = json!([{"name": "web", "image": "web:1"}, {"name": "log", "image": "log:1"}]);
        let new = json!([{"name": "proxy", "image": "p:1"}, {"name": "web", "image": "web:2"}, {"name": "log", "image": "log:1"}]);
        let causes = Causes::of(&old, "", &cause("file")).changed(&old, &new, "", &cause("patch"));
        let wanted =
            ["/0/image patch", "/0/name patch", "/1/image patch", "/1/name file", "/2/image file", "/2/name file"];
        assert_eq!(told(&causes), wanted);
        let args = json!(["a", "b", "c"]);
        let causes = Causes::of(&args, "", &cause("file")).changed(&args, &json!(["a", "x", "c"]), "", &cause("patch"));
        assert_eq!(told(&causes), ["/0 file", "/1 patch", "/2 file"]);
        let causes = Causes::of(&args, "", &cause("file")).changed(&args, &json!(["b", "c"]), "", &cause("patch"));
        assert_eq!(told(&causes), ["/0 file", "/1 file"]);
    }

    #[test]
    fn a_value_of_another_shape_is_new_as_a_whole() {
        let (old, new) = (json!({"a": {"b": 1}}), json!({"a": [{"b": 1}]}));
        let causes = Causes::of(&old, "", &cause("file")).changed(&old, &new, "", &cause("patch"));
        assert_eq!(told(&causes), ["/a/0/b patch"]);
        let causes = causes.changed(&new, &json!({"a": {}}), "", &cause("again"));
        assert_eq!(told(&causes), ["/a again"]);
    }
}

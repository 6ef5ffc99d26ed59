//! Which item of one list is which of another: by the keys by which Kubernetes merges lists.

use serde_json::Value;

/// Keys by which items of lists are told apart, the more telling first.
const KEYS: &[&[&str]] = &[
    &["containerPort", "protocol"],
    &["port", "protocol"],
    &["name"],
    &["mountPath"],
    &["devicePath"],
    &["key"],
    &["ip"],
    &["uid"],
    &["type"],
    &["topologyKey", "whenUnsatisfiable"],
    &["host"],
    &["path"],
];

/// The keys that every item of both lists has, and that tell the items of each list apart.
fn keys<'k>(one: &[Value], other: &[Value]) -> Option<&'k [&'k str]> {
    let tell_apart = |list: &[Value], keys: &[&str]| {
        list.iter().all(|item| keys.iter().all(|key| item.get(key).is_some_and(|value| !value.is_null())))
            && list.iter().enumerate().all(|(at, item)| list[..at].iter().all(|earlier| !same(earlier, item, keys)))
    };
    KEYS.iter().find(|keys| tell_apart(one, keys) && tell_apart(other, keys)).copied()
}

fn same(one: &Value, other: &Value, keys: &[&str]) -> bool {
    keys.iter().all(|key| one.get(key) == other.get(key))
}

/// Where the item at `index` of `list` stands in `other`: by keys, else at the same place.
pub(super) fn partner(list: &[Value], index: usize, other: &[Value]) -> Option<usize> {
    let item = list.get(index)?;
    match keys(list, other) {
        Some(keys) => other.iter().position(|candidate| same(candidate, item, keys)),
        None => (index < other.len()).then_some(index),
    }
}

/// One item of two lists, with the name that people read for it: `name=web`, or its place.
pub(super) struct Pair<'v> {
    pub(super) label: String,
    pub(super) one: Option<&'v Value>,
    pub(super) other: Option<&'v Value>,
}

/// The items of both lists, those of the second in its order, then what only the first has.
pub(super) fn pairs<'v>(one: &'v [Value], other: &'v [Value]) -> Vec<Pair<'v>> {
    let Some(keys) = keys(one, other) else {
        let longest = one.len().max(other.len());
        return (0..longest).map(|at| Pair { label: at.to_string(), one: one.get(at), other: other.get(at) }).collect();
    };
    let label = |item: &Value| {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        keys.iter().map(|key| format!("{key}={}", text(&item[*key]))).collect::<Vec<_>>().join(",")
    };
    let mut found: Vec<Pair<'v>> = other
        .iter()
        .map(|item| Pair {
            label: label(item),
            one: one.iter().find(|first| same(first, item, keys)),
            other: Some(item),
        })
        .collect();
    let gone = one.iter().filter(|item| !other.iter().any(|second| same(second, item, keys)));
    found.extend(gone.map(|item| Pair { label: label(item), one: Some(item), other: None }));
    found
}

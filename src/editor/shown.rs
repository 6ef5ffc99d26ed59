//! Where a value of a file went: the same place in what a root renders, with the value there and what gave
//! it. No secret value is shown.

use serde_json::Value;

use super::outline::{Node, Step};
use crate::object::mask::{MASK, is_secret_object, mask_value};
use crate::object::{Cause, Manifest};

/// A value in a rendered object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The value as JSON, shortened; masked where it is secret.
    pub value: String,
    /// What gave it its value; of one that holds others, each once.
    pub causes: Vec<Cause>,
}

/// Causes that are told of one value.
const TOLD: usize = 6;
/// Characters of a value.
const LONG: usize = 200;
/// Fields that tell the items of a list apart.
const KEYS: [&str; 7] = ["name", "containerPort", "port", "mountPath", "devicePath", "topologyKey", "key"];

/// JSON pointer of a path.
pub fn pointer(path: &[Step]) -> String {
    path.iter().fold(String::new(), |pointer, step| match step {
        Step::Field(name) => format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")),
        Step::Item(at) => format!("{pointer}/{at}"),
    })
}

/// JSON pointer to where a path of a document is in an object that was made of it: items of lists are found
/// by what tells them apart, since a patch may have put others before them. `None` where it is not there.
pub fn counterpart(root: &Node, path: &[Step], body: &Value) -> Option<String> {
    let (mut node, mut value, mut pointer) = (Some(root), body, String::new());
    for step in path {
        match step {
            Step::Field(name) => {
                value = value.get(name)?;
                node = node.and_then(|node| node.field(name));
                pointer.push_str(&format!("/{}", name.replace('~', "~0").replace('/', "~1")));
            }
            Step::Item(at) => {
                let items = value.as_array()?;
                let item = node.and_then(|node| node.items().get(*at));
                let key = item.and_then(|item| KEYS.iter().find_map(|key| Some((*key, item.field(key)?.text()?))));
                let is = |value: &&Value, (key, text): (&str, &str)| match &value[key] {
                    Value::String(said) => said == text,
                    Value::Number(number) => number.to_string() == text,
                    _ => false,
                };
                let found = key.and_then(|key| items.iter().position(|value| is(&value, key)));
                let index = found.unwrap_or(*at);
                value = items.get(index)?;
                node = item;
                pointer.push_str(&format!("/{index}"));
            }
        }
    }
    Some(pointer)
}

/// The same place in another state of an object, with its JSON pointer there: items of lists are found by what
/// tells them apart. `None` where it is not there.
pub fn same_place<'a>(body: &Value, pointer: &str, other: &'a Value) -> Option<(String, &'a Value)> {
    let (mut here, mut there, mut found) = (body, other, String::new());
    for part in pointer.split('/').skip(1) {
        let name = part.replace("~1", "/").replace("~0", "~");
        match here {
            Value::Array(items) => {
                let item = items.get(name.parse::<usize>().ok()?)?;
                let others = there.as_array()?;
                let key = KEYS.iter().find(|key| item.get(**key).is_some_and(|value| !value.is_null()));
                let index = match key {
                    Some(key) => others.iter().position(|other| other[*key] == item[*key])?,
                    None => name.parse().ok()?,
                };
                (here, there) = (item, others.get(index)?);
                found.push_str(&format!("/{index}"));
            }
            _ => {
                (here, there) = (here.get(&name)?, there.get(&name)?);
                found.push_str(&format!("/{part}"));
            }
        }
    }
    Some((found, there))
}

/// What stands at a JSON pointer of an object, and why.
pub fn rendered(manifest: &Manifest, pointer: &str) -> Option<Rendered> {
    let value = manifest.body.pointer(pointer)?;
    let below = format!("{pointer}/");
    let leaves = manifest.causes.as_deref().map(|causes| causes.leaves()).unwrap_or_default();
    let mut causes: Vec<Cause> = Vec::new();
    for (leaf, cause) in leaves {
        if (leaf == pointer || leaf.starts_with(&below)) && !causes.contains(cause) && causes.len() < TOLD {
            causes.push(cause.clone());
        }
    }
    Some(Rendered { value: shown(&manifest.body, &manifest.masked, pointer, value), causes })
}

/// A value as it may be shown: `body` is the object that it stands in, and `masked` are pointers to what is
/// secret in it.
pub fn shown(body: &Value, masked: &[String], pointer: &str, value: &Value) -> String {
    let below = format!("{pointer}/");
    let secret = |known: &String| known == pointer || pointer.starts_with(&format!("{known}/"));
    if masked.iter().any(secret) {
        return MASK.to_owned();
    }
    let mut value = if is_secret_object(body) { mask_value(pointer, value) } else { value.clone() };
    for inner in masked.iter().filter_map(|known| known.strip_prefix(&below)) {
        if let Some(value) = value.pointer_mut(&format!("/{inner}")) {
            *value = Value::String(MASK.to_owned());
        }
    }
    let text = value.to_string();
    match text.char_indices().nth(LONG) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

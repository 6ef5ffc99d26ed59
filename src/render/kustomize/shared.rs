//! Entries of labels and annotations that share one value.
//!
//! Where kustomize adds a label to several fields of an object at once, all of them hold the same
//! node of its tree. Whatever sets the label in one of these fields later, a label of an overlay
//! without selectors or a patch, changes it in all. An entry that the file had is of its own, and so
//! is what a JSON patch or a rewrite of the annotations leaves behind.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::fieldspec::split;

/// Where the annotations are that kustomize keeps its own notes in, and so writes anew with each.
const ANNOTATIONS: &str = "metadata/annotations";

/// An entry of one name that several mappings share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    name: Rc<str>,
    holders: Vec<Holder>,
}

/// A mapping of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The path that led to it.
    pub path: Rc<str>,
    /// Which of those that the path leads to, from 0.
    pub nth: u32,
}

/// What a patch has to say of an entry.
enum Said<'a> {
    Nothing,
    Value(&'a Value),
    /// It brings the mapping, or a list on the way to it, itself.
    Replaced,
}

/// All of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sharing(Vec<Shared>);

impl Sharing {
    /// Notes that an entry was added to these mappings at once.
    pub fn add(&mut self, name: &Rc<str>, holders: Vec<Holder>) {
        for shared in self.0.iter_mut().filter(|shared| shared.name == *name) {
            shared.holders.retain(|holder| !holders.contains(holder));
        }
        self.0.push(Shared { name: Rc::clone(name), holders });
        self.tidy();
    }

    /// Nothing is shared any more.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// The annotations were written anew.
    pub fn renew_annotations(&mut self) {
        self.0.iter_mut().for_each(|shared| shared.holders.retain(|holder| &*holder.path != ANNOTATIONS));
        self.tidy();
    }

    fn tidy(&mut self) {
        self.0.retain(|shared| shared.holders.len() > 1);
    }

    /// After entries of this name were set to `value` in some mappings: those that share them have
    /// it too.
    pub fn follow(&mut self, body: &mut Value, name: &str, value: &str) {
        for shared in self.0.iter().filter(|shared| &*shared.name == name) {
            let is_set = |holder: &Holder| {
                let entry = holder.find(body).and_then(|fields| fields.get(name));
                entry.and_then(Value::as_str) == Some(value)
            };
            if shared.holders.iter().any(is_set) {
                shared.set(body, &Value::from(value));
            }
        }
    }

    /// After a strategic merge patch was laid on the object.
    pub fn follow_patch(&mut self, body: &mut Value, patch: &Value) {
        for shared in &mut self.0 {
            let mut said: Option<(Rc<str>, Value)> = None;
            shared.holders.retain(|holder| {
                if holder.find(body).is_none_or(|fields| !fields.contains_key(&*shared.name)) {
                    return false;
                }
                match said_of(patch, &holder.path, &shared.name) {
                    Said::Replaced => return false,
                    Said::Value(value) => {
                        // kustomize goes through the fields by name, and the last word counts.
                        if said.as_ref().is_none_or(|(before, _)| before.split('/').lt(holder.path.split('/'))) {
                            said = Some((Rc::clone(&holder.path), value.clone()));
                        }
                    }
                    Said::Nothing => {}
                }
                true
            });
            if let Some((_, value)) = said {
                shared.set(body, &value);
            }
        }
        self.tidy();
    }

    /// After a field was set by a path of its own: a mapping that was replaced shares nothing any
    /// more, and what shares an entry that was set has its value too.
    pub fn follow_field(&mut self, body: &mut Value, before: &Value, path: &[String]) {
        for shared in &mut self.0 {
            shared.holders.retain(|holder| {
                let parts = split(&holder.path, '/');
                let replaced = path.len() <= parts.len() && parts.iter().zip(path).all(|(part, name)| part == name);
                !replaced && holder.find(body).is_some_and(|fields| fields.contains_key(&*shared.name))
            });
            let entry = |holder: &Holder, body: &Value| holder.find(body)?.get(&*shared.name).cloned();
            let set = shared.holders.iter().find_map(|holder| {
                let now = entry(holder, body)?;
                (Some(&now) != entry(holder, before).as_ref()).then_some(now)
            });
            if let Some(value) = set {
                shared.set(body, &value);
            }
        }
        self.tidy();
    }

    /// Whether nothing is shared.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Shared {
    fn set(&self, body: &mut Value, value: &Value) {
        for holder in &self.holders {
            if let Some(entry) = holder.find_mut(body).and_then(|fields| fields.get_mut(&*self.name)) {
                entry.clone_from(value);
            }
        }
    }
}

fn said_of<'a>(patch: &'a Value, path: &str, name: &str) -> Said<'a> {
    let mut node = patch;
    for part in split(path, '/').iter().map(AsRef::as_ref).chain([name]) {
        match node {
            Value::Object(fields) if fields.contains_key("$patch") => return Said::Replaced,
            Value::Object(fields) => match fields.get(part.trim_end_matches("[]")) {
                Some(field) => node = field,
                None => return Said::Nothing,
            },
            Value::Array(_) => return Said::Replaced,
            _ => return Said::Nothing,
        }
    }
    Said::Value(node)
}

impl Holder {
    fn find<'a>(&self, body: &'a Value) -> Option<&'a Map<String, Value>> {
        let mut left = self.nth;
        find(body, &split(&self.path, '/').iter().map(AsRef::as_ref).collect::<Vec<_>>(), &mut left)
    }

    fn find_mut<'a>(&self, body: &'a mut Value) -> Option<&'a mut Map<String, Value>> {
        let mut left = self.nth;
        find_mut(body, &split(&self.path, '/').iter().map(AsRef::as_ref).collect::<Vec<_>>(), &mut left)
    }
}

fn find<'a>(node: &'a Value, path: &[&str], left: &mut u32) -> Option<&'a Map<String, Value>> {
    match node {
        Value::Array(elements) => elements.iter().find_map(|element| find(element, path, left)),
        Value::Object(fields) => match path {
            [first, rest @ ..] => find(fields.get(name_of(first))?, rest, left),
            [] => counted(left).then_some(fields),
        },
        _ => None,
    }
}

fn find_mut<'a>(node: &'a mut Value, path: &[&str], left: &mut u32) -> Option<&'a mut Map<String, Value>> {
    match node {
        Value::Array(elements) => elements.iter_mut().find_map(|element| find_mut(element, path, left)),
        Value::Object(fields) => match path {
            [first, rest @ ..] => find_mut(fields.get_mut(name_of(first))?, rest, left),
            [] => counted(left).then_some(fields),
        },
        _ => None,
    }
}

/// Whether no more are to be passed over.
fn counted(left: &mut u32) -> bool {
    let here = *left == 0;
    *left = left.saturating_sub(1);
    here
}

fn name_of(part: &str) -> &str {
    part.strip_suffix("[]").unwrap_or(part).trim()
}

//! Fields of an object by a path, as kustomize's `configurations` write them: names with `/`
//! between them, and every element of a list on the way.

use std::borrow::Cow;
use std::cell::OnceCell;

use serde_json::Value;

use super::resource::Gvk;
use super::types::FieldSpec;
use crate::object::{ObjectId, split_api_version};

/// How many names a path may have: more than any object has levels.
const MAX_PARTS: usize = 128;

/// What is made at the end of a path where nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// Nothing, and nothing on the way: `create` of the path has no effect.
    Nothing,
    /// A scalar: null, until it is set.
    Scalar,
    /// An empty mapping.
    Mapping,
    /// An empty list.
    List,
}

impl FieldSpec {
    /// Whether it is about this type.
    pub fn applies(&self, gvk: &Gvk) -> bool {
        gvk.is_selected_by(&self.gvk)
    }

    fn applies_to(&self, body: &Value) -> bool {
        if self.gvk == Gvk::default() {
            return true;
        }
        let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default();
        let (group, version) = split_api_version(text("apiVersion"));
        let takes = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        takes(&self.gvk.kind, text("kind")) && takes(&self.gvk.group, group) && takes(&self.gvk.version, version)
    }
}

/// Calls `set` with every field of an object that a path leads to; with none where the path is
/// about another type. What is missing is made where the path says `create`, and `make` says what.
///
/// An error names object and path.
pub fn visit(
    body: &mut Value,
    spec: &FieldSpec,
    make: Make,
    set: &mut dyn FnMut(&mut Value) -> Result<(), String>,
) -> Result<(), String> {
    Route::new(spec).visit_type(body, make, set)
}

/// A path that is read once, when it is first walked, and walked often.
#[derive(Debug)]
pub struct Route<'a> {
    spec: &'a FieldSpec,
    parts: OnceCell<Vec<Cow<'a, str>>>,
}

impl<'a> Route<'a> {
    /// The path of a field.
    pub fn new(spec: &'a FieldSpec) -> Self {
        Self { spec, parts: OnceCell::new() }
    }

    /// Whether it is about this type.
    pub fn applies(&self, gvk: &Gvk) -> bool {
        self.spec.applies(gvk)
    }

    /// As [`visit`].
    pub fn visit_type(
        &self,
        body: &mut Value,
        make: Make,
        set: &mut dyn FnMut(&mut Value) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.spec.applies_to(body) { self.visit(body, make, set) } else { Ok(()) }
    }

    /// The same, of whatever type the object is.
    pub fn visit(
        &self,
        body: &mut Value,
        make: Make,
        set: &mut dyn FnMut(&mut Value) -> Result<(), String>,
    ) -> Result<(), String> {
        let walk = Walk { make: if self.spec.create { make } else { Make::Nothing } };
        let parts = self.parts.get_or_init(|| split(&self.spec.path, '/'));
        let done = if parts.len() > MAX_PARTS {
            Err(format!("the path has {} names, and {MAX_PARTS} are allowed", parts.len()))
        } else {
            walk.go(body, parts, set)
        };
        done.map_err(|why| format!("{}, field {}: {why}", name_of(body), self.spec.path))
    }
}

/// What people read of an object.
fn name_of(body: &Value) -> ObjectId {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let group = split_api_version(text("/apiVersion")).0;
    ObjectId::new(text("/metadata/namespace"), text("/metadata/name"), group, text("/kind"))
}

/// The names of a path. A delimiter behind a backslash belongs to the name, and one at the start
/// counts for nothing.
pub fn split(path: &str, delimiter: char) -> Vec<Cow<'_, str>> {
    let path = path.strip_prefix(delimiter).unwrap_or(path);
    let mut parts: Vec<Cow<'_, str>> = Vec::new();
    for part in path.split(delimiter) {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                let last = last.to_mut();
                last.pop();
                last.push(delimiter);
                last.push_str(part);
            }
            _ => parts.push(Cow::Borrowed(part)),
        }
    }
    parts
}

/// Whether a name cannot be one of a field: kustomize takes it for a place in a list.
pub fn is_place_in_list(name: &str) -> bool {
    name.parse::<i64>().is_ok() || matches!(name, "-" | "*") || (name.starts_with('[') && name.ends_with(']'))
}

struct Walk {
    make: Make,
}

impl Walk {
    fn go(
        &self,
        node: &mut Value,
        parts: &[Cow<'_, str>],
        set: &mut dyn FnMut(&mut Value) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some((first, rest)) = parts.split_first() else { return set(node) };
        match node {
            Value::Null => Ok(()),
            Value::Array(elements) => elements.iter_mut().try_for_each(|element| self.go(element, parts, set)),
            Value::Object(_) => self.field(node, first, rest, set),
            other => Err(format!("{first:?} is looked for in {other}, which is neither a mapping nor a list")),
        }
    }

    fn field(
        &self,
        node: &mut Value,
        part: &str,
        rest: &[Cow<'_, str>],
        set: &mut dyn FnMut(&mut Value) -> Result<(), String>,
    ) -> Result<(), String> {
        let (name, is_list) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
        if name.is_empty() {
            return Err("the path has an empty name in it; write names with one `/` between them".to_owned());
        }
        let name = name.trim();
        if name.is_empty() {
            return self.go(node, rest, set);
        }
        if is_place_in_list(name) {
            return Err(format!("{name:?} is a place in a list, and a mapping is there"));
        }
        let Value::Object(fields) = node else { return Ok(()) };
        // What a missing field becomes, and a null one.
        let fresh = match self.make {
            _ if is_list => None,
            Make::Nothing => None,
            _ if !rest.is_empty() => Some(Make::Mapping),
            make => Some(make),
        };
        if let Some(fresh) = fresh
            && !fields.contains_key(name)
        {
            fields.insert(name.to_owned(), fresh.node());
        }
        let Some(field) = fields.get_mut(name) else { return Ok(()) };
        if field.is_null() {
            *field = if is_list { Make::List } else { fresh.unwrap_or(Make::Nothing) }.node();
        }
        self.go(field, rest, set)
    }
}

impl Make {
    fn node(self) -> Value {
        match self {
            Self::Nothing | Self::Scalar => Value::Null,
            Self::Mapping => Value::Object(serde_json::Map::new()),
            Self::List => Value::Array(Vec::new()),
        }
    }
}

#[cfg(test)]
#[path = "tests/fieldspec.rs"]
mod tests;

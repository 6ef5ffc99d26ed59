//! Strategic merge patches: mappings are merged field by field, lists as their kind says.

use serde_json::{Map, Value};

use super::super::Allowance;
use super::list::{Lists, Origin};
use super::schema::{Known, Schema};

/// Lays a strategic merge patch on an object. A patch that deletes the object leaves null.
///
/// # Errors
/// What does not fit, and at which field.
pub fn strategic(target: &mut Value, patch: &Value, schema: &Schema, allowance: &Allowance) -> Result<(), String> {
    allowance.fits(allowance.measure(patch)?)?;
    // Directives are taken out of the patch as they are met, and what it adds is moved.
    let mut patch = patch.clone();
    match (Walk { schema, allowance }).both(Some(target), Some(&mut patch), None) {
        // kustomize drops an object that is replaced as a whole: `$patch: replace` at its head has
        // no effect.
        Ok(Outcome::Kept | Outcome::Taken) => Ok(()),
        Ok(Outcome::Cleared) => {
            *target = Value::Null;
            Ok(())
        }
        Err(Fault { mut path, what }) => {
            path.reverse();
            Err(format!("{}: {what}", path.join(".")))
        }
    }
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is the target's, changed in its place.
    Kept,
    /// It is the patch's, changed in its place.
    Taken,
    /// There is none.
    Cleared,
}

/// What does not fit, and at which field: the path from the last name to the first.
#[derive(Debug)]
pub(super) struct Fault {
    pub path: Vec<String>,
    pub what: String,
}

impl Fault {
    pub fn new(what: impl Into<String>) -> Self {
        Self { path: Vec::new(), what: what.into() }
    }

    fn below(mut self, field: &str) -> Self {
        self.path.push(field.to_owned());
        self
    }
}

/// What `$patch` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    Merge,
    Replace,
    Delete,
}

impl Directive {
    pub fn read(value: &Value) -> Result<Self, Fault> {
        match value.as_str() {
            Some("merge") => Ok(Self::Merge),
            Some("replace") => Ok(Self::Replace),
            Some("delete") => Ok(Self::Delete),
            _ => Err(Fault::new(format!("$patch is {value}, and can be merge, replace or delete")).below("$patch")),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Mapping,
    List,
    Scalar,
}

impl Shape {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Object(_) => Some(Self::Mapping),
            Value::Array(_) => Some(Self::List),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(Self::Scalar),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Mapping => "a mapping",
            Self::List => "a list",
            Self::Scalar => "a scalar",
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Walk<'a> {
    pub schema: &'a Schema,
    pub allowance: &'a Allowance,
}

impl<'a> Walk<'a> {
    /// Lays the value of a patch on that of the target; either may be missing.
    pub fn both(
        &self,
        target: Option<&mut Value>,
        patch: Option<&mut Value>,
        known: Option<Known<'a>>,
    ) -> Result<Outcome, Fault> {
        let known = known.or_else(|| self.by_kind(target.as_deref())).or_else(|| self.by_kind(patch.as_deref()));
        let was = target.as_deref().and_then(Shape::of);
        let is = patch.as_deref().and_then(Shape::of);
        match (was, is) {
            (Some(was), Some(is)) if was != is => {
                Err(Fault::new(format!("the object has {}, and the patch has {}", was.name(), is.name())))
            }
            (Some(Shape::Mapping), _) | (_, Some(Shape::Mapping)) => self.mapping(target, patch, known),
            (Some(Shape::List), _) | (_, Some(Shape::List)) => self.list(target, patch, known),
            // An explicit null of the target stays until a patch has something to say of it.
            _ if patch.is_none() && target.is_some() => Ok(Outcome::Kept),
            (_, Some(_)) => Ok(Outcome::Taken),
            (_, None) => Ok(Outcome::Cleared),
        }
    }

    /// A value whose place is not known may be an object within an object.
    pub fn by_kind(&self, value: Option<&Value>) -> Option<Known<'a>> {
        let value = value?.as_object()?;
        let text = |field: &str| value.get(field).and_then(Value::as_str);
        self.schema.kind(text("apiVersion")?, text("kind")?)
    }

    fn mapping(
        &self,
        target: Option<&mut Value>,
        patch: Option<&mut Value>,
        known: Option<Known<'a>>,
    ) -> Result<Outcome, Fault> {
        match (target, patch) {
            (Some(Value::Object(target)), None) => self.fields_alone(target, known).map(|()| Outcome::Kept),
            (Some(Value::Object(_)), Some(Value::Null)) => Ok(Outcome::Cleared),
            (Some(Value::Object(target)), Some(Value::Object(patch))) => match directive(patch)? {
                Directive::Delete => Ok(Outcome::Cleared),
                Directive::Replace => self.fields_twice(patch, known).map(|()| Outcome::Taken),
                Directive::Merge => self.fields(target, patch, known).map(|()| Outcome::Kept),
            },
            // A directive that nobody knows stays where there is nothing to lay the patch on.
            (_, Some(Value::Object(patch))) => match directive(patch) {
                Ok(Directive::Delete) => Ok(Outcome::Cleared),
                _ => self.fields_twice(patch, known).map(|()| Outcome::Taken),
            },
            _ => Ok(Outcome::Cleared),
        }
    }

    fn fields(
        &self,
        target: &mut Map<String, Value>,
        patch: &mut Map<String, Value>,
        known: Option<Known<'a>>,
    ) -> Result<(), Fault> {
        for (name, value) in &mut *target {
            named(name)?;
            if !patch.contains_key(name) {
                self.alone(value, known.and_then(|known| known.field(name))).map_err(|fault| fault.below(name))?;
            }
        }
        for (name, value) in patch {
            named(name)?;
            let known = known.and_then(|known| known.field(name));
            let outcome = self.both(target.get_mut(name), Some(value), known).map_err(|fault| fault.below(name))?;
            match outcome {
                Outcome::Kept => {}
                Outcome::Taken => {
                    target.insert(name.clone(), value.take());
                }
                Outcome::Cleared => {
                    target.remove(name);
                }
            }
        }
        Ok(())
    }

    /// What a patch has nothing for is still walked: lists that are merged by key lose repeated
    /// elements.
    pub fn alone(&self, value: &mut Value, known: Option<Known<'a>>) -> Result<(), Fault> {
        let known = known.or_else(|| self.by_kind(Some(value)));
        match value {
            Value::Object(fields) => self.fields_alone(fields, known),
            Value::Array(elements) => {
                let Some((known, keys)) = known.and_then(|known| Some((known, known.keys()?))) else { return Ok(()) };
                let lists = Lists::new(std::mem::take(elements), Origin::None);
                *elements = lists.merged(self, keys, known)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn fields_alone(&self, fields: &mut Map<String, Value>, known: Option<Known<'a>>) -> Result<(), Fault> {
        if known.is_some_and(Known::is_settled) {
            return Ok(());
        }
        for (name, value) in fields {
            named(name)?;
            self.alone(value, known.and_then(|known| known.field(name))).map_err(|fault| fault.below(name))?;
        }
        Ok(())
    }

    /// What a patch brings is laid on itself: so directives and nulls go, and repeated elements.
    pub fn twice(&self, value: &mut Value, known: Option<Known<'a>>) -> Result<Outcome, Fault> {
        let known = known.or_else(|| self.by_kind(Some(value)));
        match value {
            Value::Null => Ok(Outcome::Cleared),
            Value::Object(fields) => {
                if directive(fields)? == Directive::Delete {
                    return Ok(Outcome::Cleared);
                }
                self.fields_twice(fields, known).map(|()| Outcome::Kept)
            }
            Value::Array(elements) => {
                let Some((known, keys)) = known.and_then(|known| Some((known, known.keys()?))) else {
                    return Ok(Outcome::Kept);
                };
                let mut lists = Lists::new(std::mem::take(elements), Origin::Same);
                if lists.directive()? == Directive::Delete {
                    return Ok(Outcome::Cleared);
                }
                *elements = lists.merged(self, keys, known)?;
                Ok(Outcome::Kept)
            }
            _ => Ok(Outcome::Kept),
        }
    }

    fn fields_twice(&self, fields: &mut Map<String, Value>, known: Option<Known<'a>>) -> Result<(), Fault> {
        let mut cleared = Vec::new();
        for (name, value) in &mut *fields {
            named(name)?;
            let known = known.and_then(|known| known.field(name));
            if self.twice(value, known).map_err(|fault| fault.below(name))? == Outcome::Cleared {
                cleared.push(name.clone());
            }
        }
        for name in cleared {
            fields.remove(&name);
        }
        Ok(())
    }

    fn list(
        &self,
        target: Option<&mut Value>,
        patch: Option<&mut Value>,
        known: Option<Known<'a>>,
    ) -> Result<Outcome, Fault> {
        let Some((known, keys)) = known.and_then(|known| Some((known, known.keys()?))) else {
            return Ok(match patch {
                None => Outcome::Kept,
                Some(Value::Null) => Outcome::Cleared,
                Some(_) => Outcome::Taken,
            });
        };
        match (target, patch) {
            (Some(Value::Array(target)), None) => {
                let lists = Lists::new(std::mem::take(target), Origin::None);
                *target = lists.merged(self, keys, known)?;
                Ok(Outcome::Kept)
            }
            (Some(Value::Array(target)), Some(Value::Array(patch))) => {
                let mut lists = Lists::new(std::mem::take(target), Origin::Other(std::mem::take(patch)));
                match lists.directive()? {
                    Directive::Delete => Ok(Outcome::Cleared),
                    Directive::Replace => {
                        *patch = lists.replacing().merged(self, keys, known)?;
                        Ok(Outcome::Taken)
                    }
                    Directive::Merge => {
                        *target = lists.merged(self, keys, known)?;
                        Ok(Outcome::Kept)
                    }
                }
            }
            (_, Some(Value::Array(patch))) => {
                *patch = Lists::new(std::mem::take(patch), Origin::Same).merged(self, keys, known)?;
                Ok(Outcome::Taken)
            }
            _ => Ok(Outcome::Cleared),
        }
    }
}

/// kustomize lays no patch on what has a field without a name.
fn named(name: &str) -> Result<(), Fault> {
    if name.is_empty() { Err(Fault::new("a field has no name; remove it, or give it one")) } else { Ok(()) }
}

/// What `$patch` says of a mapping, and takes it out; one that nobody knows stays.
fn directive(patch: &mut Map<String, Value>) -> Result<Directive, Fault> {
    let Some(value) = patch.get("$patch") else { return Ok(Directive::Merge) };
    let directive = Directive::read(value)?;
    patch.remove("$patch");
    Ok(directive)
}

//! Lists whose elements are merged: by one or several of their fields, or scalars by their value.
//!
//! kustomize's lists share their elements: one that stands in the target's list and in the result
//! is the same element, and its removal from a list does not change it. So elements are kept in
//! one place here, and a list is a row of numbers.

use std::borrow::Cow;

use serde_json::Value;

use super::schema::Known;
use super::strategic::{Directive, Fault, Outcome, Walk};

/// The elements of the patch.
pub(super) enum Origin {
    /// It has no such list.
    None,
    /// The patch's list is the only one, and is merged with itself.
    Same,
    /// Its own list.
    Other(Vec<Value>),
}

/// The list of the target and that of the patch.
pub(super) struct Lists {
    elements: Vec<Value>,
    target: Vec<usize>,
    patch: Patch,
}

enum Patch {
    None,
    Same,
    Other(Vec<usize>),
}

/// Values of the keys of an element; empty where it has none.
type Tuple = Vec<String>;

impl Lists {
    pub fn new(target: Vec<Value>, origin: Origin) -> Self {
        let mut elements = target;
        let target = (0..elements.len()).collect();
        let patch = match origin {
            Origin::None => Patch::None,
            Origin::Same => Patch::Same,
            Origin::Other(patch) => {
                let first = elements.len();
                elements.extend(patch);
                Patch::Other((first..elements.len()).collect())
            }
        };
        Self { elements, target, patch }
    }

    /// What an element `$patch: …` of the patch says of the whole list, and takes it out. An
    /// element with more fields than that speaks for itself alone, and for all after it.
    pub fn directive(&mut self) -> Result<Directive, Fault> {
        let list = match &mut self.patch {
            Patch::None => return Ok(Directive::Merge),
            Patch::Same => &mut self.target,
            Patch::Other(list) => list,
        };
        let Some(found) = list.iter().find_map(|at| {
            let fields = self.elements[*at].as_object()?;
            Some((fields.get("$patch")?, fields.len()))
        }) else {
            return Ok(Directive::Merge);
        };
        let (value, 1) = found else { return Ok(Directive::Merge) };
        let directive = Directive::read(value)?;
        let value = text(value);
        set(&self.elements, list, None, &["$patch"], &[value])?;
        Ok(directive)
    }

    /// The patch's list takes the target's place.
    pub fn replacing(self) -> Self {
        match self.patch {
            Patch::Other(list) => Self { target: list, patch: Patch::Same, ..self },
            Patch::None | Patch::Same => self,
        }
    }

    /// The list that comes of it: what the patch brings comes first, in the patch's order.
    pub fn merged<'a>(
        mut self,
        walk: &Walk<'a>,
        keys: &[Cow<'static, str>],
        known: Known<'a>,
    ) -> Result<Vec<Value>, Fault> {
        // Each element is looked for among all others.
        walk.allowance.work(self.elements.len() * self.elements.len()).map_err(Fault::new)?;
        let keys: Vec<&str> = if keys.is_empty() { vec![""] } else { keys.iter().map(AsRef::as_ref).collect() };
        let tuples = self.tuples(&keys);
        if tuples.is_empty() {
            return Ok(self.into_values());
        }
        let known = known.elements();
        let mut result = Vec::with_capacity(self.target.len() + 1);
        let mut used = keys.clone();
        for tuple in &tuples {
            let (keys, values) = narrowed(&tuples, tuple, &keys);
            let merged = self.element(walk, &keys, &values, known).map_err(|fault| fault.of_element(&values))?;
            match merged {
                Some(at) if !is_empty(&self.elements[at]) => {
                    self.complete(at, &keys, &values);
                    set(&self.elements, &mut result, Some(at), &keys, &values)?;
                }
                _ => set(&self.elements, &mut self.target, None, &keys, &values)?,
            }
            used = keys;
        }
        append(&self.elements, &mut result, &self.target, &used)?;
        self.target = result;
        Ok(self.into_values())
    }

    /// The tuples of all elements, those of the patch first, each once.
    fn tuples(&self, keys: &[&str]) -> Vec<Tuple> {
        let mut tuples: Vec<Tuple> = Vec::with_capacity(self.target.len());
        let mut seen = std::collections::HashSet::new();
        let patch: &[usize] = match &self.patch {
            Patch::Other(list) => list,
            Patch::None | Patch::Same => &[],
        };
        for at in patch.iter().chain(&self.target) {
            let element = &self.elements[*at];
            let tuple: Tuple = match keys {
                [""] => vec![text(element)],
                keys => keys.iter().map(|key| element.get(key).map(text).unwrap_or_default()).collect(),
            };
            if seen.insert(tuple.clone()) {
                tuples.push(tuple);
            }
        }
        if keys.len() > 1 {
            unite(&mut tuples);
        }
        tuples
    }

    /// Merges the elements with these values, and says which one is the result.
    fn element<'a>(
        &mut self,
        walk: &Walk<'a>,
        keys: &[&str],
        values: &[String],
        known: Option<Known<'a>>,
    ) -> Result<Option<usize>, Fault> {
        let target = self.first(&self.target, keys, values);
        let patch = match &self.patch {
            Patch::None => None,
            Patch::Same => target,
            Patch::Other(list) => self.first(list, keys, values),
        };
        let outcome = match (target, patch) {
            (None, None) => Outcome::Cleared,
            (Some(target), None) => {
                walk.alone(&mut self.elements[target], known)?;
                Outcome::Kept
            }
            (Some(target), Some(patch)) if target == patch => walk.twice(&mut self.elements[target], known)?,
            (target, Some(patch)) => {
                let mut theirs = self.elements[patch].take();
                let mut ours = target.map(|at| self.elements[at].take());
                let outcome = walk.both(ours.as_mut(), Some(&mut theirs), known)?;
                if let (Some(at), Some(ours)) = (target, ours) {
                    self.elements[at] = ours;
                }
                self.elements[patch] = theirs;
                outcome
            }
        };
        Ok(match outcome {
            Outcome::Kept => target,
            Outcome::Taken => patch,
            Outcome::Cleared => None,
        })
    }

    /// The first element with these values; values that are empty count only where all are.
    fn first(&self, list: &[usize], keys: &[&str], values: &[String]) -> Option<usize> {
        let all = [values.to_vec()];
        let (keys, values) = narrowed(&all, values, keys);
        let fits = |element: &Value| match keys[..] {
            [""] => text(element) == values[0],
            _ => keys.iter().zip(&values).all(|(key, value)| element.get(key).is_some_and(|is| text(is) == *value)),
        };
        list.iter().copied().find(|at| fits(&self.elements[*at]))
    }

    /// An element that was found by the values of another one gets those that it lacks.
    fn complete(&mut self, at: usize, keys: &[&str], values: &[String]) {
        let Some(fields) = self.elements[at].as_object_mut() else { return };
        for (key, value) in keys.iter().zip(values) {
            if !value.is_empty() && !fields.contains_key(*key) {
                fields.insert((*key).to_owned(), scalar(value));
            }
        }
    }

    fn into_values(mut self) -> Vec<Value> {
        let mut left = vec![0_u32; self.elements.len()];
        self.target.iter().for_each(|at| left[*at] += 1);
        let mut take = |at: usize| {
            left[at] -= 1;
            if left[at] == 0 { self.elements[at].take() } else { self.elements[at].clone() }
        };
        self.target.iter().map(|at| take(*at)).collect()
    }
}

impl Fault {
    fn of_element(mut self, values: &[String]) -> Self {
        self.path.push(format!("[{}]", values.join(",")));
        self
    }
}

/// The keys that any element has a value for, and this tuple's values of them; all where none has.
fn narrowed<'k>(tuples: &[Tuple], tuple: &[String], keys: &[&'k str]) -> (Vec<&'k str>, Vec<String>) {
    let is_used = |at: usize| tuples.iter().any(|tuple| !tuple[at].is_empty());
    let used: Vec<usize> = (0..keys.len()).filter(|at| is_used(*at)).collect();
    if used.is_empty() {
        return (keys.to_vec(), tuple.to_vec());
    }
    (used.iter().map(|at| keys[*at]).collect(), used.iter().map(|at| tuple[*at].clone()).collect())
}

/// Tuples that have a value in common, and differ only where one has none, become one.
fn unite(tuples: &mut [Tuple]) {
    for at in 0..tuples.len() {
        let one = tuples[at].clone();
        for other in 0..tuples.len() {
            if let Some(united) = united(&one, &tuples[other]) {
                tuples[at].clone_from(&united);
                tuples[other] = united;
            }
        }
    }
}

fn united(one: &[String], other: &[String]) -> Option<Tuple> {
    let fits = one.iter().zip(other).all(|(one, other)| one == other || one.is_empty() || other.is_empty());
    let shares = one.iter().zip(other).any(|(one, other)| one == other);
    let fuller = |(one, other): (&String, &String)| if one.is_empty() { other.clone() } else { one.clone() };
    (fits && shares).then(|| one.iter().zip(other).map(fuller).collect())
}

/// Puts an element in the place of those with these values, or at the end; none takes them out.
/// Nulls and empty mappings go in any case, and where no values are given everything goes.
fn set(
    elements: &[Value],
    list: &mut Vec<usize>,
    element: Option<usize>,
    keys: &[&str],
    values: &[String],
) -> Result<(), Fault> {
    let wants_mappings = !keys[0].is_empty() && values.first().is_some_and(|value| !value.is_empty());
    let mut found = false;
    let mut kept = Vec::with_capacity(list.len() + 1);
    for at in list.iter().copied() {
        let here = &elements[at];
        if is_empty(here) {
            continue;
        }
        if wants_mappings && !here.is_object() {
            kept.push(at);
            continue;
        }
        let mut fits = !values.is_empty();
        for (key, value) in keys.iter().zip(values) {
            fits = fits && has(here, key, value)?;
        }
        if !fits {
            if !values.is_empty() {
                kept.push(at);
            }
            continue;
        }
        found = true;
        kept.extend(element);
    }
    if let Some(at) = element
        && !found
        && !elements[at].is_null()
    {
        kept.push(at);
    }
    *list = kept;
    Ok(())
}

/// Whether an element has this value in a field, or is it where there is no field; any value of the
/// field will do for an empty one.
fn has(element: &Value, key: &str, value: &str) -> Result<bool, Fault> {
    match (key, element) {
        ("", Value::Object(_) | Value::Array(_)) => Err(Fault::new("a list of scalars has an element that is none")),
        ("", scalar) => Ok(text(scalar) == value),
        (key, Value::Object(fields)) => Ok(fields.get(key).is_some_and(|is| value.is_empty() || text(is) == value)),
        _ => Err(Fault::new("a list of mappings has an element that is none")),
    }
}

/// Appends a list: elements with the values of one that is there take its place.
fn append(elements: &[Value], list: &mut Vec<usize>, more: &[usize], keys: &[&str]) -> Result<(), Fault> {
    for at in more.iter().copied() {
        let element = &elements[at];
        if keys[0].is_empty() {
            set(elements, list, Some(at), keys, &[text(element)])?;
            continue;
        }
        let mut values = Tuple::new();
        for key in keys {
            match element {
                Value::Object(fields) => match fields.get(*key) {
                    Some(value) => values.push(text(value)),
                    None => list.push(at),
                },
                Value::Null => list.push(at),
                _ => return Err(Fault::new("a list of mappings has an element that is none")),
            }
        }
        if keys.len() > 1 {
            set(elements, list, None, keys, &values)?;
        }
        set(elements, list, Some(at), keys, &values)?;
    }
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// A scalar as it is written; empty for what is none.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

/// The scalar that a text without quotes is.
fn scalar(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => text.into(),
    }
}

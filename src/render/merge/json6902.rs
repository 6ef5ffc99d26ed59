//! JSON patches (RFC 6902), with what kustomize's library does besides: indices from the end
//! (`-1`), `replace` and `copy` of what is not there, and `add` without a value, which sets null.

use serde_json::{Map, Value};

use super::super::Allowance;

/// Elements of a list that are moved in the time of a step of work.
const ELEMENTS: usize = 64;

/// Runs the operations of a JSON patch on an object.
///
/// # Errors
/// The operation that does not fit, and why.
pub fn json6902(target: &mut Value, operations: &Value, allowance: &Allowance) -> Result<(), String> {
    let operations = match operations {
        Value::Null => return Ok(()),
        Value::Array(operations) => operations,
        _ => return Err("a JSON patch is a list of operations".to_owned()),
    };
    for (at, operation) in operations.iter().enumerate() {
        run(target, operation, allowance).map_err(|why| format!("operation {at}{}: {why}", told(operation)))?;
    }
    if target.is_object() { Ok(()) } else { Err("the patch leaves no mapping".to_owned()) }
}

/// ` (replace /spec/replicas)`, as far as it can be told.
fn told(operation: &Value) -> String {
    let text = |field: &str| operation.get(field).and_then(Value::as_str);
    match (text("op"), text("path")) {
        (Some(op), Some(path)) => format!(" ({op} {path})"),
        (Some(op), None) => format!(" ({op})"),
        _ => String::new(),
    }
}

fn run(target: &mut Value, operation: &Value, allowance: &Allowance) -> Result<(), String> {
    let path = |field: &str| match operation.get(field) {
        Some(Value::String(path)) => Ok(path.as_str()),
        Some(Value::Null) | None => Err(format!("{field} is missing")),
        Some(_) => Err(format!("{field} is no text")),
    };
    let value = || {
        let value = operation.get("value").unwrap_or(&Value::Null);
        allowance.take(allowance.measure(value)?)?;
        Ok::<Value, String>(value.clone())
    };
    match operation.get("op").and_then(Value::as_str) {
        Some("add") => place(target, path("path")?, allowance)?.add(value()?),
        Some("remove") => place(target, path("path")?, allowance)?.remove().map(drop),
        Some("replace") => match path("path")? {
            "" => {
                let whole = value()?;
                if !whole.is_object() && !whole.is_array() {
                    return Err("the value is neither a mapping nor a list".to_owned());
                }
                *target = whole;
                Ok(())
            }
            path => place(target, path, allowance)?.replace(value()?),
        },
        Some("move") => {
            let moved = place(target, path("from")?, allowance)?.remove()?;
            place(target, path("path")?, allowance)?.add(moved)
        }
        Some("copy") => {
            let copied = place(target, path("from")?, allowance)?.get()?.unwrap_or(&Value::Null);
            allowance.take(allowance.measure(copied)?)?;
            let copied = copied.clone();
            place(target, path("path")?, allowance)?.add(copied)
        }
        Some("test") => {
            let path = path("path")?;
            allowance.measure(operation)?;
            let found = if path.is_empty() { Some(&*target) } else { place(target, path, allowance)?.get()? };
            if same(found.unwrap_or(&Value::Null), operation.get("value").unwrap_or(&Value::Null)) {
                Ok(())
            } else {
                Err("the value is another one".to_owned())
            }
        }
        Some(op) => Err(format!("{op:?} is no operation; there are add, copy, move, remove, replace and test")),
        None => Err("op is missing".to_owned()),
    }
}

/// Where a path ends: a name in a mapping or an index in a list.
enum Place<'a> {
    Field(&'a mut Map<String, Value>, String),
    Element(&'a mut Vec<Value>, String),
}

fn place<'a>(target: &'a mut Value, path: &str, allowance: &Allowance) -> Result<Place<'a>, String> {
    let missing = |at: usize| match path.split('/').take(at + 1).collect::<Vec<_>>().join("/") {
        all if all == path => format!("there is nothing that holds {path}"),
        part => format!("there is no mapping or list at {part}"),
    };
    let Some((_, rest)) = path.split_once('/') else { return Err(format!("{path:?} is no path: it starts with /")) };
    let mut names = rest.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).enumerate().peekable();
    let mut here = target;
    loop {
        let Some((at, name)) = names.next() else { return Err(missing(0)) };
        if names.peek().is_none() {
            return match here {
                Value::Object(fields) => Ok(Place::Field(fields, name)),
                Value::Array(elements) => {
                    // What stands behind an element moves with it.
                    allowance.work(1 + elements.len() / ELEMENTS)?;
                    Ok(Place::Element(elements, name))
                }
                _ => Err(missing(at)),
            };
        }
        here = match here {
            Value::Object(fields) => fields.get_mut(&name).ok_or_else(|| missing(at + 1))?,
            Value::Array(elements) => {
                let index = index(&name, elements.len(), elements.len())?;
                &mut elements[index]
            }
            _ => return Err(missing(at)),
        };
    }
}

/// An index below `end`; from the end of a list of `size` where it is negative.
fn index(name: &str, size: usize, end: usize) -> Result<usize, String> {
    let number: i64 = name.parse().map_err(|_| format!("{name:?} is no index of a list"))?;
    let index = if number < 0 { number + i64::try_from(size).unwrap_or(i64::MAX) } else { number };
    let index = usize::try_from(index).ok().filter(|index| *index < end);
    index.ok_or_else(|| format!("the list has no element {number}"))
}

impl<'a> Place<'a> {
    fn get(self) -> Result<Option<&'a Value>, String> {
        match self {
            Self::Field(fields, name) => Ok(fields.get(&name)),
            Self::Element(elements, name) => {
                let index = index(&name, elements.len(), elements.len())?;
                Ok(elements.get(index))
            }
        }
    }

    fn add(self, value: Value) -> Result<(), String> {
        match self {
            Self::Field(fields, name) => {
                fields.insert(name, value);
            }
            Self::Element(elements, name) if name == "-" => elements.push(value),
            Self::Element(elements, name) => {
                let end = elements.len() + 1;
                elements.insert(index(&name, end, end)?, value);
            }
        }
        Ok(())
    }

    fn remove(self) -> Result<Value, String> {
        match self {
            Self::Field(fields, name) => fields.remove(&name).ok_or_else(|| format!("there is no {name}")),
            Self::Element(elements, name) => {
                let index = index(&name, elements.len(), elements.len())?;
                Ok(elements.remove(index))
            }
        }
    }

    fn replace(self, value: Value) -> Result<(), String> {
        match self {
            Self::Field(fields, name) => {
                fields.insert(name, value);
            }
            Self::Element(elements, name) => {
                let index = index(&name, elements.len(), elements.len())?;
                elements[index] = value;
            }
        }
        Ok(())
    }
}

/// Equal, where 1 and 1.0 are the same number: both are written `1` by the time they are compared.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

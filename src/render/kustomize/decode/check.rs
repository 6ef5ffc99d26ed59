//! Whether a value has its shape.

use serde_json::Value;

use super::Shape::{self, Any, Bool, Fields, Int, List, Map, Text};
use crate::object::Problem;
use crate::object::near::nearest;
use crate::render::kustomize::files::Spot;

/// A place in the document; its text is only made where something is wrong there.
#[derive(Clone, Copy)]
pub enum At<'a> {
    /// Where the shape begins.
    Top(&'a Spot),
    /// A field of a place.
    Field(&'a At<'a>, &'a str),
    /// An element of a place.
    Item(&'a At<'a>, usize),
}

impl At<'_> {
    fn spot(self) -> Spot {
        match self {
            Self::Top(spot) => spot.clone(),
            Self::Field(above, name) => above.spot().at(name),
            Self::Item(above, at) => above.spot().at(at),
        }
    }
}

/// Checks a value, and makes of it what Go would have made.
pub struct Check<'a> {
    /// Rule of the problems.
    pub rule: &'a str,
    /// What is wrong.
    pub problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    /// A value that is to have a shape.
    pub fn value(&mut self, value: &mut Value, shape: Shape, place: At<'_>) {
        if value.is_null() {
            return;
        }
        match (shape, value) {
            (Any, _) | (Text, Value::String(_)) | (Bool, Value::Bool(_)) => {}
            (Int, Value::Number(number)) if number.is_i64() => {}
            (List(of), Value::Array(items)) => {
                for (at, item) in items.iter_mut().enumerate() {
                    self.value(item, *of, At::Item(&place, at));
                    if item.is_null() {
                        *item = nothing(*of);
                    }
                }
            }
            (Map(of), Value::Object(fields)) => {
                for (name, field) in fields.iter_mut() {
                    self.value(field, *of, At::Field(&place, name));
                    if field.is_null() {
                        *field = nothing(*of);
                    }
                }
            }
            (Fields(known), Value::Object(fields)) => {
                let mut others = Vec::new();
                for (name, inner) in fields.iter_mut() {
                    match known.iter().find(|(field, _)| field == name) {
                        Some((_, shape)) => self.value(inner, *shape, At::Field(&place, name)),
                        None => others.push(name.clone()),
                    }
                }
                for name in others {
                    let Some((field, shape)) = known.iter().find(|(field, _)| field.eq_ignore_ascii_case(&name)) else {
                        self.unknown(&name, known, &At::Field(&place, &name).spot());
                        continue;
                    };
                    let Some(mut inner) = fields.remove(&name) else { continue };
                    self.value(&mut inner, *shape, At::Field(&place, &name));
                    // As Go has it: of several spellings the one that comes last in the order of bytes counts.
                    let wins = name.as_str() > *field || fields.get(*field).is_none_or(Value::is_null);
                    if wins && !inner.is_null() {
                        fields.insert((*field).to_owned(), inner);
                    }
                }
                fields.retain(|_, inner| !inner.is_null());
            }
            (shape, value) => {
                let message = format!("{} is wanted, and this is {}", wanted(shape), told(value));
                let problem = place.spot().problem(self.rule, message);
                self.problems.push(match (shape, value) {
                    (Text, Value::Number(_) | Value::Bool(_)) => problem.hint("put it into quotes"),
                    (List(_), _) => problem.hint("start it with a dash"),
                    _ => problem,
                });
            }
        }
    }

    fn unknown(&mut self, name: &str, known: &[(&str, Shape)], spot: &Spot) {
        let problem = spot.problem(self.rule, "there is no such field");
        let names: Vec<&str> = known.iter().map(|(field, _)| *field).collect();
        self.problems.push(match nearest(name, &names) {
            Some(near) => problem.hint(format!("did you mean {near}?")),
            None if names.len() <= 12 => problem.hint(format!("there are {}", names.join(", "))),
            None => problem,
        });
    }
}

/// What Go has where a list or mapping holds a null.
fn nothing(shape: Shape) -> Value {
    match shape {
        Text => Value::String(String::new()),
        Bool => Value::Bool(false),
        Int => Value::Number(0.into()),
        List(_) => Value::Array(Vec::new()),
        Map(_) | Fields(_) => Value::Object(serde_json::Map::new()),
        Any => Value::Null,
    }
}

fn wanted(shape: Shape) -> &'static str {
    match shape {
        Text => "a text",
        Bool => "true or false",
        Int => "a whole number",
        List(_) => "a list",
        Map(_) | Fields(_) => "a mapping",
        Any => "anything",
    }
}

fn told(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

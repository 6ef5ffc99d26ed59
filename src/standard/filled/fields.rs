//! Fields of an object that may be anything: what is not as its type has it is left as it is.

use serde_json::{Map, Value};

/// Whether a field has Go's zero value, or is not there: a text without a character is none.
pub fn missing(fields: &Map<String, Value>, name: &str) -> bool {
    match fields.get(name) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    }
}

/// Sets a field that is missing.
pub fn set(fields: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    if missing(fields, name) {
        fields.insert(name.to_owned(), value.into());
    }
}

/// Sets a number that is missing, or 0.
pub fn set_number(fields: &mut Map<String, Value>, name: &str, number: i64) {
    if missing(fields, name) || fields.get(name).and_then(Value::as_i64) == Some(0) {
        fields.insert(name.to_owned(), number.into());
    }
}

/// The object in a field.
pub fn inner<'a>(fields: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    fields.get_mut(name)?.as_object_mut()
}

/// The object in a field, made where it is missing.
pub fn made<'a>(fields: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    if missing(fields, name) {
        fields.insert(name.to_owned(), Value::Object(Map::new()));
    }
    inner(fields, name)
}

/// The objects of a list in a field.
pub fn each<'a>(fields: &'a mut Map<String, Value>, name: &str) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    fields.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

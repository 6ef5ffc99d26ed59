//! An object of a built-in kind, read as the API server's decoder reads it.

use serde_json::Value;

use super::data::{Data, Field, Form, Minor, Type};
use super::leniency;
use crate::schema::finding::{Findings, Step};
use crate::schema::scalar;

/// Checks the metadata of a custom resource, or of an object within one. All minors have the same.
pub fn metadata<'a>(value: &'a Value, findings: &mut Findings<'a>) {
    let name = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
    let walk = Walk::new(Minor::default());
    if let Some(kind) = walk.data.definition(name, walk.target)
        && !value.is_null()
    {
        // There is no `status` in it.
        walk.fields(name, kind, value, &[], findings);
    }
}

/// A walk through an object with the types of a minor.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    data: &'static Data,
    target: Minor,
    /// Whether what is required is asked for: in what the API server drops at creation it is not.
    required: bool,
    /// Whether fields that are not known are told.
    unknown: bool,
}

impl Walk {
    pub fn new(target: Minor) -> Self {
        Self { data: Data::get(), target, required: true, unknown: true }
    }

    /// Checks a whole object.
    pub fn object<'a>(self, definition: &'static str, body: &'a Value, findings: &mut Findings<'a>) {
        if let Some(kind) = self.data.definition(definition, self.target) {
            self.fields(definition, kind, body, &[], findings);
        }
    }

    /// A value with fields. `above` are the types around it, innermost last.
    fn fields<'a>(
        self,
        name: &'static str,
        kind: &'static Type,
        value: &'a Value,
        above: &[&'static Type],
        findings: &mut Findings<'a>,
    ) {
        let Value::Object(values) = value else {
            findings.wrong_type(value, "a mapping");
            return;
        };
        let around = [above, &[kind]].concat();
        for (key, value) in values {
            findings.within(Step::Field(key), |findings| match kind.field(key) {
                Some(field) => self.below(name, key, above).value(&field.form, value, &around, findings),
                None if self.unknown => Self::unknown(key, kind, above, findings),
                None => {}
            });
        }
        for field in kind.fields() {
            let value = values.get(field.name);
            if self.below(name, field.name, above).required && value.is_none_or(|value| is_zero(field, value)) {
                findings.within(Step::Field(field.name), |findings| self.missing(name, field, above.len(), findings));
            }
        }
    }

    /// What is asked below a field: `status`, for one, is dropped when an object is created.
    fn below(self, name: &str, field: &str, above: &[&'static Type]) -> Self {
        let dropped = above.is_empty() && field == "status" || leniency::may_be_anything(name, field);
        Self { required: self.required && !dropped, ..self }
    }

    /// A field that is left out, or has its zero value.
    fn missing(self, name: &'static str, field: &'static Field, depth: usize, findings: &mut Findings<'_>) {
        if let (Form::Named(below), true) = (&field.form, field.by_value) {
            // Go has it, with zero values in turn, so what is missing is what is required in it.
            if !leniency::may_be_empty(name, field.name) && depth < 32 {
                for inner in self.data.definition(below, self.target).map(Type::fields).unwrap_or_default() {
                    findings.within(Step::Field(inner.name), |findings| {
                        self.missing(below, inner, depth + 1, findings);
                    });
                }
            }
        } else if field.required && field.form != Form::Boolean && !leniency::may_be_empty(name, field.name) {
            findings.here("RequiredField", "is required, and is missing or empty");
        }
    }

    fn unknown(key: &str, kind: &'static Type, above: &[&'static Type], findings: &mut Findings<'_>) {
        let names: Vec<&str> = kind.fields().iter().map(|field| field.name).collect();
        findings.unknown(&names);
        let levels = above.iter().rev().position(|outer| outer.field(key).is_some());
        if let Some(levels) = levels {
            findings.advise(|| match levels {
                0 => format!("`{key}` belongs one level further out: it is indented too far"),
                levels => format!("`{key}` belongs {} levels further out", levels + 1),
            });
        }
    }

    fn value<'a>(self, form: &'static Form, value: &'a Value, above: &[&'static Type], findings: &mut Findings<'a>) {
        if value.is_null() {
            return;
        }
        match (form, value) {
            (Form::Anything, _)
            | (Form::Mapping, Value::Object(_))
            | (Form::OrBoolean(_), Value::Bool(_))
            | (Form::OrList(_), Value::Array(_)) => {}
            (Form::OrBoolean(name) | Form::OrList(name), Value::Object(_)) => {
                if let Some(kind) = self.data.definition(name, self.target) {
                    Self { unknown: false, ..self }.fields(name, kind, value, above, findings);
                }
            }
            (Form::Text(allowed), Value::String(text)) => {
                if !allowed.is_empty() && !text.is_empty() && self.required && !allowed.contains(&text.as_str()) {
                    findings.unsupported(text, allowed);
                }
            }
            (Form::Boolean, Value::Bool(_)) | (Form::Number, Value::Number(_)) => {}
            (Form::Int64, Value::Number(number)) if number.is_i64() => {}
            (Form::Int32 | Form::IntOrText, Value::Number(number))
                if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => {}
            (Form::IntOrText, Value::String(_)) => {}
            (Form::Quantity, Value::Number(_)) => {}
            (Form::List(items), Value::Array(values)) => {
                for (at, value) in values.iter().enumerate() {
                    findings.within(Step::Item(at), |findings| self.item(items, value, above, findings));
                }
            }
            (Form::Map(values), Value::Object(entries)) => {
                for (key, value) in entries {
                    findings.within(Step::Field(key), |findings| self.item(values, value, above, findings));
                }
            }
            (Form::Named(name), _) => {
                if let Some(kind) = self.data.definition(name, self.target) {
                    self.fields(name, kind, value, above, findings);
                }
            }
            (form, Value::String(text)) if is_text(form) => {
                if !reads(form, text) {
                    findings.here("WrongType", format!("cannot be read as {}", form.words()));
                }
            }
            (form, value) => wrong_type(form, value, findings),
        }
    }

    /// An item of a list or mapping: null is its zero value.
    fn item<'a>(self, form: &'static Form, value: &'a Value, above: &[&'static Type], findings: &mut Findings<'a>) {
        if let (Form::Named(name), Value::Null) = (form, value) {
            for field in self.data.definition(name, self.target).map(Type::fields).unwrap_or_default() {
                if self.required {
                    findings.within(Step::Field(field.name), |findings| {
                        self.missing(name, field, above.len(), findings);
                    });
                }
            }
            return;
        }
        self.value(form, value, above, findings);
    }
}

/// Whether Go has the same value where the field is left out.
fn is_zero(field: &Field, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => field.by_value && text.is_empty() && matches!(field.form, Form::Text(_)),
        Value::Number(number) => field.by_value && number.as_i64() == Some(0),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty() && matches!(field.form, Form::Map(_)),
        Value::Bool(_) => false,
    }
}

/// Whether the form is written as a text.
fn is_text(form: &Form) -> bool {
    matches!(form, Form::Time | Form::Duration | Form::Bytes | Form::Quantity)
}

fn reads(form: &Form, text: &str) -> bool {
    match form {
        Form::Time => scalar::is_time(text),
        Form::Duration => scalar::is_duration(text),
        Form::Bytes => scalar::is_base64(text),
        Form::Quantity => scalar::is_quantity(text),
        _ => true,
    }
}

fn wrong_type(form: &Form, value: &Value, findings: &mut Findings<'_>) {
    let number = |value: &Value| value.as_str().is_some_and(|text| text.parse::<i64>().is_ok());
    let boolean = |value: &Value| matches!(value.as_str(), Some("true" | "false"));
    let hint = match (form, value) {
        (Form::Text(_) | Form::Bytes, Value::Number(_) | Value::Bool(_)) => Some("put it in quotes"),
        (Form::Int32 | Form::Int64, value) if number(value) => Some("leave out the quotes"),
        (Form::Boolean, value) if boolean(value) => Some("leave out the quotes"),
        (Form::List(_), Value::Object(_)) => Some("write `- ` before its first field"),
        _ => None,
    };
    findings.wrong_type(value, form.words()).hint = hint.map(str::to_owned);
}

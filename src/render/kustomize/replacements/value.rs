//! What a replacement writes, and what becomes of it in a field of another type.

use serde_json::Value;

use super::Shape;
use super::path::{Made, text_of};
use super::written::{Content, Node, Scalar};
use crate::object::yaml;
use crate::render::Allowance;
use crate::render::kustomize::types::FieldOptions;

/// A value on its way: text and type, since one may be kept and the other not.
#[derive(Clone, Debug)]
pub struct Copied {
    text: String,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Structure(Value),
    Scalar(Type),
}

/// Types of scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    /// Whatever the text reads as.
    Open,
    Text,
    Whole,
    Number,
    Boolean,
    Null,
}

impl Type {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if number.is_f64() => Self::Number,
            Value::Number(_) => Self::Whole,
            _ => Self::Text,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole number",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Null => "null",
            Self::Open | Self::Text => "text",
        }
    }

    /// The value of a text in a field of this type.
    fn read(self, text: &str) -> Result<Value, String> {
        if self == Self::Text {
            return Ok(Value::from(text));
        }
        let value = plain(text)?;
        let fits = match self {
            Self::Open | Self::Text => true,
            Self::Null => value.is_null(),
            Self::Whole => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
        };
        if fits {
            return Ok(value);
        }
        let hint =
            if self == Self::Null { "give the field a text to begin with" } else { "put the field's value in quotes" };
        Err(format!("the field holds a {}, and {text:?} is none; {hint}, or write another value", self.name()))
    }
}

/// What a text without quotes reads as.
pub fn plain(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::from(true)),
        "false" | "False" | "FALSE" => return Ok(Value::from(false)),
        _ => {}
    }
    if !text.starts_with(['+', '-', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
        return Ok(Value::from(text));
    }
    if text.trim_start_matches(['+', '-']).eq_ignore_ascii_case(".inf") || text.eq_ignore_ascii_case(".nan") {
        return Err(format!("{text:?} reads as a number that JSON has not"));
    }
    // What has spaces in it would be written in quotes.
    if text.contains(char::is_whitespace) {
        return Ok(Value::from(text));
    }
    let (documents, _) = yaml::read_as(yaml::Dialect::Kustomize, "", text.as_bytes(), &yaml::Limits::default());
    match <[yaml::Document; 1]>::try_from(documents) {
        Ok([document]) if document.value.is_number() || document.value.is_string() => Ok(document.value),
        _ => Ok(Value::from(text)),
    }
}

impl Copied {
    /// A text of the kustomization itself.
    pub fn open(text: &str) -> Self {
        Self { text: text.to_owned(), form: Form::Scalar(Type::Open) }
    }

    /// A field, or the part of it that the options say.
    pub fn of(value: &Value, options: Option<&FieldOptions>) -> Result<Self, String> {
        let structure = value.is_object() || value.is_array();
        let form = if structure { Form::Structure(value.clone()) } else { Form::Scalar(Type::of(value)) };
        let text = text_of(value);
        let Some(options) = options.filter(|options| !options.delimiter.is_empty()) else {
            return Ok(Self { text, form });
        };
        if structure {
            return Err("options.delimiter cuts a text, and the source is none; leave it out".to_owned());
        }
        let part = usize::try_from(options.index).ok().and_then(|at| text.split(&options.delimiter).nth(at));
        match part {
            Some(part) => Ok(Self { text: part.to_owned(), form }),
            None => Err(format!("options.index is {}, and {text:?} has no such part; count from 0", options.index)),
        }
    }

    /// What is made for it where nothing is.
    pub fn shape(&self) -> Shape {
        match &self.form {
            Form::Structure(Value::Array(_)) => Shape::List,
            Form::Structure(_) => Shape::Mapping,
            Form::Scalar(_) => Shape::Scalar,
        }
    }

    /// Its text, where options say so as a part of the old one; `None` of what is no scalar.
    fn laid_over(&self, old: Option<&str>, options: Option<&FieldOptions>) -> Result<String, String> {
        let Some(options) = options.filter(|options| !options.delimiter.is_empty()) else {
            return Ok(self.text.clone());
        };
        let Some(old) = old else {
            return Err("options.delimiter cuts a text, and the target is none; leave it out".to_owned());
        };
        let mut all: Vec<&str> = old.split(&*options.delimiter).collect();
        match usize::try_from(options.index) {
            Err(_) => all.insert(0, &self.text),
            Ok(at) if at >= all.len() => all.push(&self.text),
            Ok(at) => all[at] = &self.text,
        }
        Ok(all.join(&options.delimiter))
    }

    /// Writes it to a field of a text of YAML. A scalar keeps the form in which it is written.
    pub fn write(&self, node: &mut Node, options: Option<&FieldOptions>) -> Result<(), String> {
        let old = match &node.content {
            Content::Scalar(scalar) => Some(&*scalar.text),
            _ => None,
        };
        let text = self.laid_over(old, options)?;
        match (&mut node.content, &self.form) {
            (Content::Scalar(scalar), _) => scalar.text = text,
            (_, Form::Scalar(Type::Open)) => *node = Content::Scalar(Scalar::open(text)).into(),
            _ => return Err("only scalars are written to a text".to_owned()),
        }
        Ok(())
    }

    /// Writes it to a field. A scalar keeps its type, unless it was only `made` for this.
    pub fn set(
        &self,
        field: &mut Value,
        made: Made,
        options: Option<&FieldOptions>,
        allowance: &Allowance,
    ) -> Result<(), String> {
        let structure = field.is_object() || field.is_array();
        let old = if field.is_null() && made == Made::Not { "null".to_owned() } else { text_of(field) };
        let text = self.laid_over((!structure).then_some(&*old), options)?;
        let before = allowance.measure(field)?;
        let after = match &self.form {
            Form::Structure(value) if structure => allowance.measure(value)?,
            _ => yaml::TEXT + text.len() as u64,
        };
        allowance.resized(before, after)?;
        *field = match &self.form {
            // An empty text without quotes is null; in brackets it gets quotes.
            _ if !structure && text.is_empty() && made == Made::InBrackets => Value::from(""),
            _ if !structure && made == Made::InAnnotations => Value::from(text),
            _ if !structure => (if made == Made::Not { Type::of(field) } else { Type::Open }).read(&text)?,
            Form::Structure(value) => value.clone(),
            Form::Scalar(kind) => kind.read(&text)?,
        };
        Ok(())
    }
}

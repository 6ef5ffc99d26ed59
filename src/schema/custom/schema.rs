//! A structural schema: what the fields of a custom resource are, and the rules for their values.

use std::collections::BTreeMap;

use serde_json::Value;

use super::pattern::Pattern;

/// A schema, of an object or of a value in it.
#[derive(Debug, Default)]
pub struct Schema {
    /// What the value may be; anything where nothing is said.
    pub types: Vec<Type>,
    pub nullable: bool,
    pub default: Option<Value>,
    pub properties: BTreeMap<String, Schema>,
    pub additional: Additional,
    pub items: Option<Box<Schema>>,
    /// Fields that it does not name are kept.
    pub preserve: bool,
    /// The value is a whole object, with apiVersion, kind and metadata.
    pub embedded: bool,
    pub list: List,
    pub rules: Rules,
}

/// A type of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Object,
    Array,
    Text,
    Integer,
    Number,
    Boolean,
}

/// What may stand below names that the schema does not have.
#[derive(Debug, Default)]
pub enum Additional {
    /// Nothing is said.
    #[default]
    Unsaid,
    /// Nothing may.
    Forbidden,
    /// Anything.
    Anything,
    /// Values of this schema.
    Values(Box<Schema>),
}

/// How items of a list are told apart.
#[derive(Debug, Default)]
pub enum List {
    #[default]
    Atomic,
    /// By their values.
    Set,
    /// By these fields.
    Map(Vec<String>),
}

/// The rules for a value.
#[derive(Debug, Default)]
pub struct Rules {
    pub required: Vec<String>,
    pub enumeration: Option<Vec<Value>>,
    pub format: Option<String>,
    pub pattern: Option<Pattern>,
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
    pub exclusive_minimum: bool,
    pub exclusive_maximum: bool,
    pub multiple_of: Option<f64>,
    pub min_length: Option<u64>,
    pub max_length: Option<u64>,
    pub min_items: Option<u64>,
    pub max_items: Option<u64>,
    pub min_properties: Option<u64>,
    pub max_properties: Option<u64>,
    pub all_of: Vec<Schema>,
    pub any_of: Vec<Schema>,
    pub one_of: Vec<Schema>,
    pub not: Option<Box<Schema>>,
}

/// Why a schema cannot be meant so.
#[derive(Debug)]
pub struct Fault {
    /// JSON pointer within the schema.
    pub pointer: String,
    pub message: String,
}

/// How deep a schema may nest; a definition comes from a repository.
const DEEPEST: usize = 64;

impl Schema {
    /// Reads a schema as `openAPIV3Schema` has it.
    pub fn read(value: &Value) -> Result<Self, Fault> {
        Self::read_at(value, "", 0)
    }

    fn read_at(value: &Value, pointer: &str, depth: usize) -> Result<Self, Fault> {
        let fault = |message: &str| Fault { pointer: pointer.to_owned(), message: message.to_owned() };
        if depth > DEEPEST {
            return Err(fault("nests deeper than 64 levels"));
        }
        let Value::Object(fields) = value else { return Err(fault("is no mapping")) };
        if fields.contains_key("$ref") {
            return Err(fault("has a `$ref`, which no definition may have"));
        }
        let below = |name: &str, value: &Value| Self::read_at(value, &format!("{pointer}/{name}"), depth + 1);
        let some = |name: &str| fields.get(name).filter(|value| !value.is_null());
        let flag = |name: &str| some(name).and_then(Value::as_bool) == Some(true);
        let mut schema = Self {
            nullable: flag("nullable"),
            default: some("default").cloned(),
            preserve: flag("x-kubernetes-preserve-unknown-fields"),
            embedded: flag("x-kubernetes-embedded-resource"),
            ..Self::default()
        };
        if flag("x-kubernetes-int-or-string") {
            schema.types = vec![Type::Integer, Type::Text];
        } else if let Some(name) = some("type").and_then(Value::as_str).filter(|name| !name.is_empty()) {
            schema.types = vec![Type::named(name).ok_or_else(|| fault("has a type that is none of JSON's"))?];
        }
        if let Some(Value::Object(properties)) = some("properties") {
            for (name, value) in properties {
                let read = below(&format!("properties/{name}"), value)?;
                schema.properties.insert(name.clone(), read);
            }
        }
        schema.additional = match some("additionalProperties") {
            None => Additional::Unsaid,
            Some(Value::Bool(false)) => Additional::Forbidden,
            Some(Value::Bool(true)) => Additional::Anything,
            Some(value) => Additional::Values(Box::new(below("additionalProperties", value)?)),
        };
        if let Some(items) = some("items") {
            schema.items = Some(Box::new(below("items", items)?));
        }
        schema.list = match some("x-kubernetes-list-type").and_then(Value::as_str) {
            Some("set") => List::Set,
            Some("map") => List::Map(texts(some("x-kubernetes-list-map-keys"))),
            _ => List::Atomic,
        };
        let list = |name: &str| -> Result<Vec<Self>, Fault> {
            let all = some(name).and_then(Value::as_array).into_iter().flatten().enumerate();
            all.map(|(at, value)| below(&format!("{name}/{at}"), value)).collect()
        };
        schema.rules = Rules {
            required: texts(some("required")),
            enumeration: some("enum").and_then(Value::as_array).cloned(),
            format: some("format").and_then(Value::as_str).map(|format| format.replace('-', "").to_lowercase()),
            pattern: some("pattern").and_then(Value::as_str).filter(|text| !text.is_empty()).map(Pattern::new),
            minimum: some("minimum").and_then(Value::as_f64),
            maximum: some("maximum").and_then(Value::as_f64),
            exclusive_minimum: flag("exclusiveMinimum"),
            exclusive_maximum: flag("exclusiveMaximum"),
            multiple_of: some("multipleOf").and_then(Value::as_f64).filter(|of| *of > 0.0),
            min_length: some("minLength").and_then(Value::as_u64),
            max_length: some("maxLength").and_then(Value::as_u64),
            min_items: some("minItems").and_then(Value::as_u64),
            max_items: some("maxItems").and_then(Value::as_u64),
            min_properties: some("minProperties").and_then(Value::as_u64),
            max_properties: some("maxProperties").and_then(Value::as_u64),
            all_of: list("allOf")?,
            any_of: list("anyOf")?,
            one_of: list("oneOf")?,
            not: some("not").map(|value| below("not", value)).transpose()?.map(Box::new),
        };
        Ok(schema)
    }

    /// The schema of a field, where one is known.
    pub fn field(&self, name: &str) -> Option<&Self> {
        match (self.properties.get(name), &self.additional) {
            (Some(schema), _) => Some(schema),
            (None, Additional::Values(schema)) => Some(schema),
            (None, _) => None,
        }
    }
}

impl Type {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "object" => Self::Object,
            "array" => Self::Array,
            "string" => Self::Text,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            _ => return None,
        })
    }

    /// Whether the value is of this type; a whole number is an integer however it is written.
    pub fn is(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Object, Value::Object(_))
            | (Self::Array, Value::Array(_))
            | (Self::Text, Value::String(_))
            | (Self::Boolean, Value::Bool(_))
            | (Self::Number, Value::Number(_)) => true,
            (Self::Integer, Value::Number(number)) => {
                number.is_i64() || number.as_f64().is_some_and(|number| number.fract() == 0.0 && number.abs() < 9.1e15)
            }
            _ => false,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Object => "a mapping",
            Self::Array => "a list",
            Self::Text => "a text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
        }
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

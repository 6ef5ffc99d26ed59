//! What is known of the lists of a kind: whether a patch merges them, and by which fields of their
//! elements.
//!
//! The built-in kinds are those of the OpenAPI document within kustomize v5.8 (Kubernetes v1.21),
//! as `hack/schema` prints it to `kubernetes.txt`. There a line is a definition (`:NAME KIND…`), a
//! field of the definition above it (`FIELD FORM`), or names kinds that have nothing to merge
//! (`* KIND…`); a kind is its apiVersion, `/` and its kind. A form is one of
//!
//! | form | the field has |
//! |---|---|
//! | `@NAME` | a definition |
//! | `[KEY,…]FORM` | a list, merged by these fields of elements of that form |
//! | `[=]FORM` | a list of scalars, merged by their values |
//! | `.` | anything, and nothing is known below it |
//! | `*` | nothing to merge at any depth |
//!
//! Fields that are left out hold scalars.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::Value;

/// What is known of kinds and their lists.
#[derive(Debug, Default)]
pub struct Schema {
    /// Of an OpenAPI document.
    own: Option<Types>,
    /// Whether the built-in kinds are left out.
    bare: bool,
}

#[derive(Debug, Default)]
struct Types {
    /// By apiVersion, `/` and kind.
    kinds: HashMap<Cow<'static, str>, Form>,
    definitions: HashMap<Cow<'static, str>, Definition>,
}

/// A definition, which is read when it is first asked for: of the built-in ones few ever are.
#[derive(Debug, Default)]
struct Definition {
    lines: &'static str,
    read: OnceLock<Type>,
}

impl Definition {
    fn get(&self) -> &Type {
        self.read.get_or_init(|| Type::parse(self.lines))
    }
}

impl From<Type> for Definition {
    fn from(read: Type) -> Self {
        Self { lines: "", read: OnceLock::from(read) }
    }
}

/// A type with fields, or with values below any name.
#[derive(Debug, Default)]
struct Type {
    fields: HashMap<Cow<'static, str>, Form>,
    values: Option<Box<Form>>,
}

#[derive(Debug)]
enum Form {
    Named(Cow<'static, str>),
    Type(Type),
    /// No keys: by value.
    Merged {
        keys: Vec<Cow<'static, str>>,
        items: Option<Box<Form>>,
    },
    Unknown,
    Settled,
}

/// What is known of one place in an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    schema: &'a Schema,
    form: &'a Form,
}

static UNKNOWN: Form = Form::Unknown;

impl Schema {
    /// The kinds of an OpenAPI document (version 2, with `definitions`) alone, without the built-in
    /// ones.
    ///
    /// # Errors
    /// A definition that names its kind in another way than Kubernetes does.
    pub fn from_openapi(document: &Value) -> Result<Self, String> {
        Ok(Self { own: Some(Types::from_openapi(document)?), bare: true })
    }

    /// The same and the built-in kinds; where both know something, its own word counts.
    #[must_use]
    pub fn and_builtin(self) -> Self {
        Self { bare: false, ..self }
    }

    /// What is known of a kind.
    pub(super) fn kind(&self, api_version: &str, kind: &str) -> Option<Known<'_>> {
        let name = format!("{api_version}/{kind}");
        let form = self.types().find_map(|types| types.kinds.get(&*name))?;
        Some(Known { schema: self, form }.resolved().unwrap_or(Known { schema: self, form: &UNKNOWN }))
    }

    fn types(&self) -> impl Iterator<Item = &Types> {
        self.own.iter().chain((!self.bare).then(builtin))
    }

    fn definition(&self, name: &str) -> Option<&Type> {
        self.types().find_map(|types| types.definitions.get(name)).map(Definition::get)
    }
}

fn builtin() -> &'static Types {
    static TYPES: OnceLock<Types> = OnceLock::new();
    TYPES.get_or_init(|| Types::parse(include_str!("kubernetes.txt")))
}

impl<'a> Known<'a> {
    /// What is known of a field.
    pub fn field(self, name: &str) -> Option<Self> {
        let form = match self.form {
            Form::Settled => return Some(self),
            Form::Named(definition) => self.schema.definition(definition)?.field(name)?,
            Form::Type(fields) => fields.field(name)?,
            Form::Merged { .. } | Form::Unknown => return None,
        };
        Self { form, ..self }.resolved()
    }

    /// What is known of the elements of a list.
    pub fn elements(self) -> Option<Self> {
        match self.form {
            Form::Settled => Some(self),
            Form::Merged { items, .. } => Self { form: items.as_deref()?, ..self }.resolved(),
            Form::Named(_) | Form::Type(_) | Form::Unknown => None,
        }
    }

    /// The fields by which elements of this list are merged: none for a list of scalars. `None`
    /// where a patch replaces the list.
    pub fn keys(self) -> Option<&'a [Cow<'static, str>]> {
        match self.form {
            Form::Merged { keys, .. } => Some(keys),
            _ => None,
        }
    }

    /// Whether nothing at or below it is merged by key or value.
    pub fn is_settled(self) -> bool {
        matches!(self.form, Form::Settled)
    }

    /// A definition that does not exist is as no definition.
    fn resolved(self) -> Option<Self> {
        match self.form {
            Form::Named(name) => self.schema.definition(name).map(|_| self),
            _ => Some(self),
        }
    }
}

impl Type {
    fn field(&self, name: &str) -> Option<&Form> {
        self.fields.get(name).or(self.values.as_deref())
    }
}

impl Types {
    fn parse(text: &'static str) -> Self {
        let mut types = Self::default();
        let (mut name, mut start, mut at) = ("", 0, 0);
        for line in text.split_inclusive('\n') {
            if let Some(head) = line.strip_prefix(':') {
                let definition = Definition { lines: &text[start..at], ..Definition::default() };
                types.definitions.insert(name.into(), definition);
                let mut words = head.split_ascii_whitespace();
                name = words.next().unwrap_or_default();
                start = at + line.len();
                types.kinds.extend(words.map(|kind| (kind.into(), Form::Named(name.into()))));
            } else if let Some(kinds) = line.strip_prefix("* ") {
                types.kinds.extend(kinds.split_ascii_whitespace().map(|kind| (kind.into(), Form::Settled)));
            }
            at += line.len();
        }
        types.definitions.insert(name.into(), Definition { lines: &text[start..], ..Definition::default() });
        types
    }

    fn from_openapi(document: &Value) -> Result<Self, String> {
        let mut types = Self::default();
        for (name, definition) in document.get("definitions").and_then(Value::as_object).into_iter().flatten() {
            let kinds = definition.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
            for kind in kinds.into_iter().flatten().filter(|kind| kind.is_object()) {
                let text = |field: &str| kind.get(field).and_then(Value::as_str);
                let (Some(version), Some(kind)) = (text("version"), text("kind")) else {
                    return Err(format!("definition {name}: x-kubernetes-group-version-kind needs version and kind"));
                };
                let group = text("group").filter(|group| !group.is_empty());
                let kind = group.map_or(format!("{version}/{kind}"), |group| format!("{group}/{version}/{kind}"));
                types.kinds.insert(kind.into(), Form::Named(name.clone().into()));
            }
            types.definitions.insert(name.clone().into(), Type::from_openapi(definition).into());
        }
        Ok(types)
    }
}

impl Type {
    /// Reads the lines of a definition.
    fn parse(lines: &'static str) -> Self {
        let lines = lines.lines().filter(|line| !line.starts_with(['#', '*']));
        let fields = lines.map(|line| line.split_once(' ').unwrap_or((line, "")));
        Self { fields: fields.map(|(name, form)| (name.into(), Form::parse(form))).collect(), values: None }
    }

    fn from_openapi(schema: &Value) -> Self {
        let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        Self {
            fields: fields.map(|(name, field)| (name.clone().into(), Form::from_openapi(field))).collect(),
            values: schema
                .get("additionalProperties")
                .filter(|values| values.is_object())
                .map(|values| Box::new(Form::from_openapi(values))),
        }
    }
}

impl Form {
    fn parse(text: &'static str) -> Self {
        if let Some(name) = text.strip_prefix('@') {
            return Self::Named(name.into());
        }
        if let Some((keys, items)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
            let keys = keys.split(',').filter(|key| *key != "=").map(Into::into).collect();
            return Self::Merged { keys, items: Some(Box::new(Self::parse(items))) };
        }
        if text == "*" { Self::Settled } else { Self::Unknown }
    }

    fn from_openapi(schema: &Value) -> Self {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let name = name.strip_prefix("#/definitions/").unwrap_or(name);
            return Self::Named(name.replace("~1", "/").replace("~0", "~").into());
        }
        let text = |field: &str| schema.get(field).and_then(Value::as_str);
        let strategy = text("x-kubernetes-patch-strategy").unwrap_or_default();
        if !strategy.split(',').any(|strategy| strategy == "merge") {
            return Self::Type(Type::from_openapi(schema));
        }
        let several = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
        let keys = match several {
            Some(keys) => keys.iter().filter_map(Value::as_str).map(|key| key.to_owned().into()).collect(),
            None => text("x-kubernetes-patch-merge-key").map(|key| key.to_owned().into()).into_iter().collect(),
        };
        let is_list = match schema.get("type") {
            Some(Value::Array(types)) => types.len() == 1 && types[0] == "array",
            Some(one) => one == "array",
            None => false,
        };
        let items = schema.get("items").filter(|items| is_list && items.is_object());
        Self::Merged { keys, items: items.map(|items| Box::new(Self::from_openapi(items))) }
    }
}

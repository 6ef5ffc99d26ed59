//! What is said of the kinds of Kubernetes itself.

use std::collections::BTreeSet;

use super::{Below, Described, Shape, Step};
use crate::schema::builtin::{Data, Field, Form, Minor, Type, leniency, texts};

/// What is said of a place in an object.
pub fn describe(target: Minor, api_version: &str, kind: &str, path: &[Step<'_>]) -> Option<Described> {
    let name = format!("{api_version}/{kind}");
    let served = Data::get().kinds.get(name.as_str())?.iter().find(|served| served.mask & target.bit() != 0)?;
    walk(target, served.definition, path)
}

/// What is said of the metadata of any object.
pub fn metadata(target: Minor, path: &[Step<'_>]) -> Option<Described> {
    match path.split_first()? {
        (Step::Field("metadata"), rest) => walk(target, "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", rest),
        _ => None,
    }
}

/// Every kind that the minor serves.
pub fn kinds(target: Minor) -> BTreeSet<(String, String)> {
    let all = Data::get().kinds.iter();
    all.filter(|(_, served)| served.iter().any(|served| served.mask & target.bit() != 0))
        .filter_map(|(name, _)| name.rsplit_once('/'))
        .map(|(version, kind)| (version.to_owned(), kind.to_owned()))
        .collect()
}

fn walk(target: Minor, definition: &'static str, path: &[Step<'_>]) -> Option<Described> {
    let data = Data::get();
    let whole = Form::Named(definition);
    // A form of the data, or that of the whole object, which stands here.
    let (mut form, mut of): (&Form, Option<(&'static str, &Field)>) = (&whole, None);
    for step in path {
        (form, of) = match (form, step) {
            (Form::Named(name) | Form::OrBoolean(name) | Form::OrList(name), Step::Field(field)) => {
                let field = data.definition(name, target)?.field(field)?;
                (&field.form, Some((*name, field)))
            }
            (Form::Map(values), Step::Field(_)) => (&**values, None),
            (Form::List(items), Step::Item) => (&**items, None),
            _ => return None,
        };
    }
    let inner = innermost(form);
    let fields = inner.and_then(|name| Some((name, data.definition(name, target)?)));
    let text = match of {
        Some((name, field)) => texts::field(name, field.name),
        None => inner.map(texts::definition).unwrap_or_default(),
    };
    Some(Described {
        form: words(form),
        shape: shape(form),
        required: of.is_some_and(|(name, field)| is_required(name, field)),
        default: None,
        values: values(form),
        rules: Vec::new(),
        text,
        fields: fields.map(|(name, kind)| below(name, kind)).unwrap_or_default(),
    })
}

fn below(name: &'static str, kind: &Type) -> Vec<Below> {
    let one = |field: &Field| Below {
        name: field.name.to_owned(),
        form: words(&field.form),
        shape: shape(&field.form),
        required: is_required(name, field),
        text: texts::field(name, field.name),
    };
    kind.fields().iter().map(one).collect()
}

fn is_required(name: &str, field: &Field) -> bool {
    field.required && !leniency::may_be_empty(name, field.name)
}

/// The definition of what stands in it, or in its items.
fn innermost(form: &Form) -> Option<&'static str> {
    match form {
        Form::Named(name) | Form::OrBoolean(name) | Form::OrList(name) => Some(name),
        Form::List(items) => innermost(items),
        _ => None,
    }
}

fn shape(form: &Form) -> Shape {
    match form {
        Form::List(_) => Shape::List,
        Form::Map(_) | Form::Named(_) | Form::OrBoolean(_) | Form::OrList(_) | Form::Mapping => Shape::Mapping,
        _ => Shape::Scalar,
    }
}

fn values(form: &Form) -> Vec<String> {
    match form {
        Form::Text(values) => values.iter().map(|value| (*value).to_owned()).collect(),
        Form::Boolean => vec!["true".to_owned(), "false".to_owned()],
        Form::List(items) => values(items),
        _ => Vec::new(),
    }
}

fn words(form: &Form) -> String {
    match form {
        Form::List(items) => format!("a list, each item {}", words(items)),
        Form::Map(values) => format!("a mapping of names, each value {}", words(values)),
        Form::Text(values) if !values.is_empty() => "one of some texts".to_owned(),
        Form::OrBoolean(_) => "a mapping, or true or false".to_owned(),
        Form::OrList(_) => "a mapping or a list".to_owned(),
        form => form.words().to_owned(),
    }
}

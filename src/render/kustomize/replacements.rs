//! `replacements`: copies of a value to fields of other objects.

mod embedded;
pub mod path;
mod value;
mod written;

use serde_json::Value;

use self::path::Made;
use self::value::Copied;
use super::super::Allowance;
use super::resource::{Gvk, Resource};
use super::select::Matcher;
use super::types::{FieldOptions, Replacement, Selector, Source, Target};
use crate::object::split_api_version;

/// The field that is meant where none is given.
const DEFAULT_PATH: &str = "metadata.name";

/// What is made at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A scalar.
    Scalar,
    /// A mapping.
    Mapping,
    /// A list.
    List,
}

/// Copies a value to the fields of all targets.
///
/// # Errors
/// Where source or target are not there, are ambiguous or cannot hold the value.
pub fn replace(resources: &mut [Resource], replacement: &Replacement, allowance: &Allowance) -> Result<(), String> {
    allowance.work(resources.len())?;
    let targets = replacement.targets.as_deref().unwrap_or_default();
    if targets.is_empty() {
        return Err("targets is missing: nothing says where the value is written".to_owned());
    }
    let copied = match (&replacement.source, &replacement.source_value) {
        (Some(_), Some(_)) => return Err("source and sourceValue exclude each other; remove one".to_owned()),
        (None, None) => return Err("source is missing: nothing says which value is copied".to_owned()),
        (None, Some(text)) => Copied::open(text),
        (Some(source), None) => read(resources, source).map_err(|why| format!("source: {why}"))?,
    };
    for (at, target) in targets.iter().enumerate() {
        write(resources, target, &copied, allowance).map_err(|why| format!("targets[{at}]: {why}"))?;
    }
    Ok(())
}

fn read(resources: &[Resource], source: &Source) -> Result<Copied, String> {
    let mut all = resources.iter().filter(|resource| resource.body.is_object() && is_selected(resource, source));
    let told = || told(&source.gvk, &source.name, &source.namespace);
    let Some(found) = all.next() else { return Err(format!("no object is {}", told())) };
    if let Some(other) = all.next() {
        let (first, other) = (found.label(), other.label());
        return Err(format!("{} are both {}; say more of the one that is meant", [first, other].join(" and "), told()));
    }
    let field = if source.field_path.is_empty() { DEFAULT_PATH } else { &source.field_path };
    let wrong = |why: String| format!("{}, field {field}: {why}", found.label());
    let value = path::lookup(&found.body, &path::parts(field).map_err(wrong)?).map_err(wrong)?;
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(elements) => elements.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    match value.filter(|value| !empty(value)) {
        Some(value) => Copied::of(value, source.options.as_ref()).map_err(wrong),
        None => Err(wrong("it is missing, or empty".to_owned())),
    }
}

/// What people read of the object that is looked for.
fn told(gvk: &Gvk, name: &str, namespace: &str) -> String {
    let fields = [
        ("group", &*gvk.group),
        ("version", &gvk.version),
        ("kind", &gvk.kind),
        ("name", name),
        ("namespace", namespace),
    ];
    let given: Vec<_> =
        fields.iter().filter(|(_, text)| !text.is_empty()).map(|(at, text)| format!("{at} {text}")).collect();
    if given.is_empty() { "of any kind and name".to_owned() } else { given.join(", ") }
}

/// Kinds, names and namespaces that an object goes by and went by, as they are written.
fn ids(resource: &Resource) -> impl Iterator<Item = (&str, &str, &str)> {
    let formers = resource.previous.iter().map(|former| (&*former.kind, &*former.name, &*former.namespace));
    [(resource.kind(), resource.name(), resource.namespace())].into_iter().chain(formers)
}

fn is_selected(resource: &Resource, source: &Source) -> bool {
    let takes = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
    let effective = |namespace: &'_ str| if namespace.is_empty() { "default".to_owned() } else { namespace.to_owned() };
    let (group, version) = split_api_version(resource.api_version());
    takes(&source.gvk.group, group)
        && takes(&source.gvk.version, version)
        && ids(resource).any(|(kind, name, namespace)| {
            takes(&source.name, name)
                && takes(&source.gvk.kind, kind)
                && (source.namespace.is_empty() || effective(&source.namespace) == effective(namespace))
        })
}

/// Which objects a target takes.
struct Taken<'a> {
    select: Matcher,
    reject: Vec<(&'a Selector, Matcher)>,
}

impl<'a> Taken<'a> {
    fn new(target: &'a Target) -> Result<Self, String> {
        let Some(select) = &target.select else {
            return Err("select is missing: nothing says which objects are meant".to_owned());
        };
        let reject = target.reject.iter().enumerate().map(|(at, reject)| {
            Matcher::new(reject).map(|matcher| (reject, matcher)).map_err(|why| format!("reject[{at}]: {why}"))
        });
        Ok(Self {
            select: Matcher::new(select).map_err(|why| format!("select: {why}"))?,
            reject: reject.collect::<Result<_, _>>()?,
        })
    }

    /// Whether it takes an object. A selector of `reject` that asks for names and labels turns away
    /// what fits either.
    fn takes(&self, resource: &Resource) -> bool {
        let one = |matcher: &Matcher| {
            ids(resource).any(|(kind, name, namespace)| {
                matcher.takes_name(name)
                    && matcher.takes_namespace(namespace)
                    && matcher.takes_gvk(&Gvk { kind: kind.to_owned(), ..resource.gvk() })
            })
        };
        let rejected = |(selector, matcher): &(&Selector, Matcher)| {
            let asks_metadata = !selector.label_selector.is_empty() || !selector.annotation_selector.is_empty();
            let asks_id = selector.gvk != Gvk::default() || !selector.name.is_empty() || !selector.namespace.is_empty();
            (asks_metadata && matcher.takes_metadata(&resource.body)) || (asks_id && one(matcher))
        };
        one(&self.select) && self.select.takes_metadata(&resource.body) && !self.reject.iter().any(rejected)
    }
}

fn write(resources: &mut [Resource], target: &Target, copied: &Copied, allowance: &Allowance) -> Result<(), String> {
    allowance.work(resources.len() * (1 + target.reject.len()))?;
    let taken = Taken::new(target)?;
    let default = [DEFAULT_PATH.to_owned()];
    let fields = if target.field_paths.is_empty() { &default[..] } else { &target.field_paths };
    let paths = fields.iter().map(|field| path::parts(field).map_err(|why| format!("fieldPaths: {field}: {why}")));
    let paths: Vec<_> = paths.collect::<Result<_, _>>()?;
    for resource in resources.iter_mut().filter(|resource| resource.body.is_object()) {
        if taken.takes(resource) {
            for (field, parts) in fields.iter().zip(&paths) {
                allowance.measure(&resource.body)?;
                let before = (!resource.sharing.is_empty()).then(|| resource.body.clone());
                let options = target.options.as_ref();
                let done = write_field(resource, parts, copied, options, allowance);
                done.map_err(|why| format!("{}, field {field}: {why}", resource.label()))?;
                if let Some(before) = before {
                    resource.sharing.follow_field(&mut resource.body, &before, parts);
                }
            }
        }
    }
    Ok(())
}

fn write_field(
    resource: &mut Resource,
    parts: &[String],
    copied: &Copied,
    options: Option<&FieldOptions>,
    allowance: &Allowance,
) -> Result<(), String> {
    let in_annotations =
        matches!(parts, [metadata, annotations, _] if metadata == "metadata" && annotations == "annotations");
    if in_annotations {
        resource.show_annotations();
    }
    let Resource { body, in_brackets, made: before, .. } = resource;
    let in_brackets = *in_brackets;
    if embedded::set(body, parts, copied, options, allowance)? {
        return Ok(());
    }
    let create = options.filter(|options| options.create).map(|_| copied.shape());
    let was_made = before.iter().any(|path| path == parts);
    let mut any_made = false;
    let found = path::each(body, parts, create, Made::Not, &mut |field, made| {
        any_made |= made != Made::Not;
        let made = match made {
            Made::Not if was_made => Made::Before,
            Made::Not => made,
            _ if in_annotations => Made::InAnnotations,
            Made::InBlock if in_brackets => Made::InBrackets,
            _ => made,
        };
        copied.set(field, made, options, allowance)
    })?;
    if any_made && !was_made {
        before.push(parts.to_vec());
    }
    match (found, create) {
        (0, None) => Err("it is missing; add it, or set options.create".to_owned()),
        (0, Some(_)) => Err("it is missing, and cannot be made: nothing is in the list".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "tests/replacements.rs"]
mod tests;

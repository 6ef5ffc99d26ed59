//! What is known of a place in a document: of an object by the schema of its kind, of a kustomization by the
//! fields that kustomize reads.

use super::context::Kind;
use super::outline::Step;
use crate::render::{KUSTOMIZATION, KustomizationShape as Fields};
use crate::schema::guide::{Below, Described, Guide, Shape, Step as Down};

/// What is known.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The kinds.
    pub guide: &'a Guide,
}

/// What the fields of a kustomization are for: `FIELD⇥TEXT`, or `FIELD.FIELD⇥TEXT` for one in a field or in
/// the items of one.
const TEXTS: &str = include_str!("kustomization.txt");

/// Texts that a field of a kustomization may have.
const VALUES: [(&str, &[&str]); 6] = [
    ("kind", &["Kustomization", "Component"]),
    ("apiVersion", &["kustomize.config.k8s.io/v1beta1", "kustomize.config.k8s.io/v1alpha1"]),
    ("configMapGenerator.behavior", &["create", "replace", "merge"]),
    ("secretGenerator.behavior", &["create", "replace", "merge"]),
    ("sortOptions.order", &["fifo", "legacy"]),
    ("buildMetadata", &["managedByLabel", "originAnnotations", "transformerAnnotations"]),
];

impl Known<'_> {
    /// What is said of a place in a document.
    pub fn describe(&self, kind: &Kind, path: &[Step]) -> Option<Described> {
        if kind.kustomization {
            return of_kustomization(path);
        }
        let down: Vec<Down<'_>> = path
            .iter()
            .map(|step| match step {
                Step::Field(name) => Down::Field(name),
                Step::Item(_) => Down::Item,
            })
            .collect();
        let known = self.guide.describe(&kind.api_version, &kind.kind, &down);
        // A document that does not say yet what it is has what every object has.
        let begun = || (kind.kind.is_empty() || kind.api_version.is_empty()).then(|| begun(path)).flatten();
        known.or_else(begun)
    }

    /// The kinds of an API version, or all where it is empty.
    pub fn kinds(&self, api_version: &str) -> Vec<String> {
        let kinds = self.guide.kinds().into_iter();
        let mut kinds: Vec<String> = kinds
            .filter(|(version, _)| api_version.is_empty() || version == api_version)
            .map(|(_, kind)| kind)
            .collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }

    /// The API versions of a kind, or all where it is empty.
    pub fn api_versions(&self, kind: &str) -> Vec<String> {
        let mut versions: Vec<String> = self
            .guide
            .kinds()
            .into_iter()
            .filter(|(_, known)| kind.is_empty() || known == kind)
            .map(|(version, _)| version)
            .collect();
        versions.sort();
        versions.dedup();
        versions
    }
}

fn begun(path: &[Step]) -> Option<Described> {
    let one = |name: &str, shape: Shape, form: &str| Below {
        name: name.to_owned(),
        form: form.to_owned(),
        shape,
        required: true,
        text: String::new(),
    };
    let fields = vec![
        one("apiVersion", Shape::Scalar, "a text"),
        one("kind", Shape::Scalar, "a text"),
        one("metadata", Shape::Mapping, "a mapping"),
    ];
    path.is_empty().then(|| Described {
        form: "a mapping".to_owned(),
        shape: Shape::Mapping,
        fields,
        ..Described::default()
    })
}

fn of_kustomization(path: &[Step]) -> Option<Described> {
    let (mut shape, mut name) = (KUSTOMIZATION, String::new());
    for step in path {
        shape = match (shape, step) {
            (Fields::Fields(fields), Step::Field(field)) => {
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(field);
                fields.iter().find(|(known, _)| known == field)?.1
            }
            (Fields::Map(values), Step::Field(_)) => *values,
            (Fields::List(items), Step::Item(_)) => *items,
            _ => return None,
        };
    }
    let inner = match shape {
        Fields::List(items) => *items,
        shape => shape,
    };
    let fields = match inner {
        Fields::Fields(fields) => fields,
        _ => &[],
    };
    let values = VALUES.iter().find(|(known, _)| *known == name).map(|(_, values)| *values).unwrap_or_default();
    let booleans: &[&str] = if matches!(shape, Fields::Bool) { &["true", "false"] } else { &[] };
    let under = |field: &str| if name.is_empty() { field.to_owned() } else { format!("{name}.{field}") };
    Some(Described {
        form: words(shape),
        shape: holds(shape),
        values: values.iter().chain(booleans).map(|value| (*value).to_owned()).collect(),
        text: text(&name).to_owned(),
        fields: fields
            .iter()
            .map(|(field, shape)| Below {
                name: (*field).to_owned(),
                form: words(*shape),
                shape: holds(*shape),
                required: false,
                text: text(&under(field)).to_owned(),
            })
            .collect(),
        ..Described::default()
    })
}

/// What is said of a field; of one that stands in several places under its own name.
fn text(name: &str) -> &'static str {
    let of = |name: &str| TEXTS.lines().find_map(|line| line.split_once('\t').filter(|(known, _)| *known == name));
    let last = name.rsplit('.').next().unwrap_or(name);
    of(name).or_else(|| (last != name).then(|| of(&format!("*.{last}"))).flatten()).map_or("", |(_, text)| text)
}

fn holds(shape: Fields) -> Shape {
    match shape {
        Fields::List(_) => Shape::List,
        Fields::Map(_) | Fields::Fields(_) => Shape::Mapping,
        Fields::Text | Fields::Bool | Fields::Int | Fields::Any => Shape::Scalar,
    }
}

fn words(shape: Fields) -> String {
    match shape {
        Fields::Text => "a text".to_owned(),
        Fields::Bool => "true or false".to_owned(),
        Fields::Int => "a whole number".to_owned(),
        Fields::Any => "anything".to_owned(),
        Fields::List(items) => format!("a list, each item {}", words(*items)),
        Fields::Map(values) => format!("a mapping of names, each value {}", words(*values)),
        Fields::Fields(_) => "a mapping".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told in words is told of fields that there are.
    #[test]
    fn every_text_is_of_a_field() {
        for line in TEXTS.lines() {
            let (name, text) = line.split_once('\t').unwrap_or_else(|| panic!("{line}"));
            assert!(text.ends_with('.') && text.len() > 5, "{line}");
            if let Some(last) = name.strip_prefix("*.") {
                assert!(TEXTS.lines().all(|line| !line.starts_with(&format!("{last}\t"))), "{last} stands twice");
                continue;
            }
            let mut path = Vec::new();
            for field in name.split('.') {
                if let Some(Described { shape: Shape::List, .. }) = of_kustomization(&path) {
                    path.push(Step::Item(0));
                }
                path.push(Step::Field(field.to_owned()));
            }
            assert_eq!(of_kustomization(&path).map(|known| known.text), Some(text.to_owned()), "{name}");
        }
        let Fields::Fields(fields) = KUSTOMIZATION else { panic!("a kustomization has fields") };
        for (field, _) in fields {
            assert!(!text(field).is_empty(), "{field}");
        }
    }
}

//! What a place in a document refers to: a file or folder, or an object by its name.

use super::context::{Context, Kind};
use super::outline::{Node, Step};
use crate::object::split_api_version;
use crate::render::names;

/// What is referred to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file or folder, as it is written, from the folder of the file.
    Path(String),
    /// A folder, from the root of the repository.
    FromRoot(String),
    /// Objects by a name.
    Named(Named),
    /// Objects that patterns choose; a text that is empty takes any.
    Chosen(Named),
}

/// Objects by their name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Groups and kinds that they may have; an empty group is any where patterns choose.
    pub kinds: Vec<(String, String)>,
    /// The name.
    pub name: String,
}

/// Fields of a kustomization that name files or folders, without items of lists.
const PATHS: [&str; 22] = [
    "resources",
    "bases",
    "components",
    "crds",
    "configurations",
    "generators",
    "transformers",
    "validators",
    "patchesStrategicMerge",
    "patches.path",
    "patchesJson6902.path",
    "replacements.path",
    "openapi.path",
    "configMapGenerator.files",
    "configMapGenerator.envs",
    "configMapGenerator.env",
    "secretGenerator.files",
    "secretGenerator.envs",
    "secretGenerator.env",
    "helmCharts.valuesFile",
    "helmCharts.additionalValuesFiles",
    "helmGlobals.chartHome",
];

/// Fields of a kustomization that choose objects.
const CHOICES: [&str; 5] = [
    "patches.target",
    "patchesJson6902.target",
    "replacements.source",
    "replacements.targets.select",
    "replacements.targets.reject",
];

/// What the place refers to.
pub fn referred(context: &Context<'_>) -> Option<Target> {
    let names = names_of(&context.path);
    if context.kind.kustomization {
        return of_kustomization(context, &names.join("."));
    }
    if let Some(path) = deployed(&context.kind, &names) {
        return path.then(|| Target::FromRoot(context.text.clone()));
    }
    let (group, kind) = (split_api_version(&context.kind.api_version).0, context.kind.kind.as_str());
    let kinds = match (group, kind, &names[..]) {
        ("tandemcd.io", "Sync", ["spec", "repositoryRef", "name"]) => {
            vec![("tandemcd.io".to_owned(), "Repository".to_owned())]
        }
        (_, _, ["metadata", "name"]) => vec![(group.to_owned(), kind.to_owned())],
        _ => referred_kinds(group, kind, &names, &context.document.root, &context.path),
    };
    (!kinds.is_empty()).then(|| Target::Named(Named { kinds, name: context.text.clone() }))
}

/// The names of the fields of a path.
fn names_of(path: &[Step]) -> Vec<&str> {
    path.iter()
        .filter_map(|step| match step {
            Step::Field(name) => Some(name.as_str()),
            Step::Item(_) => None,
        })
        .collect()
}

/// Kinds that the field names; where its neighbour says the kind, that one alone.
fn referred_kinds(group: &str, kind: &str, fields: &[&str], root: &Node, path: &[Step]) -> Vec<(String, String)> {
    let kinds = names(group, kind, fields);
    let around = path.split_last().and_then(|(_, around)| root.below(around));
    match around.and_then(|around| around.field("kind")).and_then(Node::text) {
        Some(said) if kinds.iter().any(|(_, kind)| kind == said) => {
            kinds.into_iter().filter(|(_, kind)| kind == said).collect()
        }
        _ => kinds,
    }
}

/// Whether the field is a path that something deploys; `None` where the kind deploys nothing.
fn deployed(kind: &Kind, names: &[&str]) -> Option<bool> {
    let group = split_api_version(&kind.api_version).0;
    let path: &[&[&str]] = match (group, kind.kind.as_str()) {
        ("tandemcd.io", "Sync") | ("kustomize.toolkit.fluxcd.io", "Kustomization") => &[&["spec", "path"]],
        ("argoproj.io", "Application") => &[&["spec", "source", "path"], &["spec", "sources", "path"]],
        _ => return None,
    };
    path.contains(&names).then_some(true)
}

fn of_kustomization(context: &Context<'_>, names: &str) -> Option<Target> {
    if PATHS.contains(&names) {
        let written = match names {
            // `key=path`.
            "configMapGenerator.files" | "secretGenerator.files" => {
                context.text.split_once('=').map_or(context.text.as_str(), |(_, path)| path)
            }
            _ => &context.text,
        };
        // A patch that stands there as it is.
        return (!written.contains('\n')).then(|| Target::Path(written.to_owned()));
    }
    let is_in =
        |choice: &&&str| names == **choice || names.strip_prefix(**choice).is_some_and(|rest| rest.starts_with('.'));
    let choice = CHOICES.iter().find(is_in)?;
    let depth = choice.split('.').count();
    let mut fields = 0;
    // The mapping that chooses: up to its name, and the item where it stands in a list.
    let mut end = context.path.iter().position(|step| {
        fields += usize::from(matches!(step, Step::Field(_)));
        fields == depth
    })? + 1;
    if matches!(context.path.get(end), Some(Step::Item(_))) {
        end += 1;
    }
    let chooses = context.document.root.below(&context.path[..end])?;
    let text = |name: &str| chooses.field(name).and_then(Node::text).unwrap_or_default().to_owned();
    Some(Target::Chosen(Named { kinds: vec![(text("group"), text("kind"))], name: text("name") }))
}

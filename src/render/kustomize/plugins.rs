//! `generators` and `transformers`: those that are built into kustomize, configured by files of
//! their own. What would run a program is refused by name.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Deserialize;

use super::build::{Build, Folder, Layer};
use super::decode::{
    CONFIG_MAP_PLUGIN, IMAGE_PLUGIN, JSON_PLUGIN, LABEL_PLUGIN, NAME_PLUGIN, NAMESPACE_PLUGIN, PATCH_PLUGIN,
    REPLACEMENT_PLUGIN, REPLICA_PLUGIN, SECRET_PLUGIN, STRATEGIC_PLUGIN, Shape, decode,
};
use super::files::{Source, Spot};
use super::patches;
use super::resource::Resource;
use super::steps::{Placed, Step, replacements_of};
use super::transform::{End, Images, Namespace, Subjects};
use super::types::{FieldSpec, Generator, Image, Patch, Replacement, Replica, Selector};
use crate::object::{Origin, Problem};

/// Everything that a configuration of any of them may say; which fields it has its shape says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Plugin {
    metadata: Metadata,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    field_specs: Option<Vec<FieldSpec>>,
    unset_only: bool,
    set_role_binding_subjects: String,
    prefix: String,
    suffix: String,
    image_tag: Image,
    replica: Replica,
    target: Option<Selector>,
    path: String,
    json_op: String,
    paths: Vec<String>,
    patches: String,
    replacements: Vec<Replacement>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    namespace: String,
}

/// Objects of `generators`, with their places.
pub fn generated(build: &mut Build<'_>, folder: &Folder) -> Vec<(Resource, Spot)> {
    let mut all = Vec::new();
    for (config, spot) in configured(build, folder, "generators", &folder.kustomization.generators) {
        let (shape, secret) = match config.kind() {
            "ConfigMapGenerator" => (CONFIG_MAP_PLUGIN, false),
            "SecretGenerator" => (SECRET_PLUGIN, true),
            kind => {
                build.problems.push(not_run(kind, "generator", &spot));
                continue;
            }
        };
        let Some(plugin) = read::<Plugin>(build, &config, shape, &spot) else { continue };
        let Some(mut generator) = read::<Generator>(build, &config, shape, &spot) else { continue };
        if generator.name.is_empty() {
            generator.name = plugin.metadata.name;
        }
        if generator.namespace.is_empty() {
            generator.namespace = plugin.metadata.namespace;
        }
        if !generator.env.is_empty() {
            generator.envs.push(std::mem::take(&mut generator.env));
        }
        all.extend(build.generated(folder, &generator, None, secret, &spot).map(|made| (made, spot)));
    }
    all
}

/// Steps of `transformers` or `validators`.
pub fn transformers(build: &mut Build<'_>, folder: &Folder, field: &str, entries: &[String]) -> Vec<Placed> {
    let mut steps = Vec::new();
    for (config, spot) in configured(build, folder, field, entries) {
        for (kind, step) in made_of(build, folder, &config, &spot) {
            steps.push(Placed { step, kind, spot: spot.clone(), own: false });
        }
    }
    steps
}

/// The configurations that a field of the kustomization names or holds; those that are not built in
/// are refused.
fn configured(build: &mut Build<'_>, folder: &Folder, field: &str, entries: &[String]) -> Vec<(Resource, Spot)> {
    let mut found = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let spot = folder.spot.at(field).at(at);
        if entry.contains('\n') {
            let inner = build.objects(spot.file().to_owned(), entry.as_bytes().to_vec());
            found.extend(inner.into_iter().map(|resource| (resource, spot.clone())));
            continue;
        }
        let mut layer = Layer::default();
        build.resource(folder, &mut layer, entry, &spot);
        found.extend(layer.resources.into_all().into_iter().map(|resource| {
            let Origin { file, document, .. } = &resource.origin;
            // What was read a moment ago is read once more for its lines alone.
            let bytes = build.files.again(file);
            let own = Spot::new(&Rc::new(Source::new(file.as_str(), bytes).document(*document)));
            (resource, own)
        }));
    }
    let singular = field.trim_end_matches('s');
    found.retain(|(config, spot)| {
        let built_in = config.api_version() == "builtin";
        if !built_in {
            build.problems.push(not_run(config.kind(), singular, spot));
        }
        built_in
    });
    found
}

fn not_run(kind: &str, what: &str, spot: &Spot) -> Problem {
    let problem = spot.problem("PluginNotRun", format!("the {what} {kind} is not built in, and no program is run"));
    problem.hint("run it before the commit, and commit what it makes")
}

fn read<T: serde::de::DeserializeOwned + Default>(
    build: &mut Build<'_>,
    config: &Resource,
    shape: Shape,
    spot: &Spot,
) -> Option<T> {
    let decoded = decode::<T>(config.body.clone(), shape, spot, "InvalidKustomization");
    build.refuse_all(decoded)
}

fn made_of(build: &mut Build<'_>, folder: &Folder, config: &Resource, spot: &Spot) -> Vec<(&'static str, Step)> {
    let shape = match config.kind() {
        "AnnotationsTransformer" | "LabelTransformer" => LABEL_PLUGIN,
        "NamespaceTransformer" => NAMESPACE_PLUGIN,
        "PrefixTransformer" | "SuffixTransformer" | "PrefixSuffixTransformer" => NAME_PLUGIN,
        "ImageTagTransformer" => IMAGE_PLUGIN,
        "ReplicaCountTransformer" => REPLICA_PLUGIN,
        "PatchTransformer" => PATCH_PLUGIN,
        "PatchJson6902Transformer" => JSON_PLUGIN,
        "PatchStrategicMergeTransformer" => STRATEGIC_PLUGIN,
        "ReplacementTransformer" => REPLACEMENT_PLUGIN,
        "HashTransformer" => return vec![("HashTransformer", Step::Hashes)],
        kind => {
            build.problems.push(not_run(kind, "transformer", spot));
            return Vec::new();
        }
    };
    if config.kind() == "PatchTransformer" {
        let Some(patch) = read::<Patch>(build, config, shape, spot) else { return Vec::new() };
        let prepared = patches::prepare(&mut build.files, &folder.root, &patch, spot);
        return build.refuse_all(prepared).map(|patch| ("PatchTransformer", Step::Patch(patch))).into_iter().collect();
    }
    let Some(plugin) = read::<Plugin>(build, config, shape, spot) else { return Vec::new() };
    let specs = plugin.field_specs.clone().unwrap_or_default();
    match config.kind() {
        "AnnotationsTransformer" => {
            vec![("AnnotationsTransformer", Step::Entries(plugin.annotations, specs.into()))]
        }
        "LabelTransformer" => vec![("LabelTransformer", Step::Entries(plugin.labels, specs.into()))],
        "NamespaceTransformer" => namespace(build, plugin, specs, spot),
        "ImageTagTransformer" => {
            vec![("ImageTagTransformer", Step::Images(Images::new(plugin.image_tag, specs)))]
        }
        "ReplicaCountTransformer" => {
            vec![("ReplicaCountTransformer", Step::Replicas(plugin.replica, specs.into()))]
        }
        "PatchJson6902Transformer" => {
            let patch = Patch { path: plugin.path, patch: plugin.json_op, target: plugin.target, options: None };
            let prepared = patches::prepare_json(&mut build.files, &folder.root, &patch, spot);
            match build.refuse_all(prepared) {
                Some(patches::Prepared::Json(operations, target, place)) => {
                    vec![("PatchJson6902Transformer", Step::Json(operations, target, place))]
                }
                _ => Vec::new(),
            }
        }
        "PatchStrategicMergeTransformer" => {
            let mut merges = Vec::new();
            let inline = Some(plugin.patches).filter(|text| !text.is_empty());
            // A patch of one line is no path.
            let inline = inline.map(|text| format!("{text}\n"));
            for entry in plugin.paths.into_iter().chain(inline) {
                let prepared = patches::prepare_strategic(&mut build.files, &folder.root, &entry, spot);
                merges.extend(build.refuse_all(prepared).unwrap_or_default());
            }
            vec![("PatchStrategicMergeTransformer", Step::Strategic(merges))]
        }
        "ReplacementTransformer" => {
            let all = plugin.replacements.iter().flat_map(|entry| replacements_of(build, folder, entry, spot));
            vec![("ReplacementTransformer", Step::Replacements(all.collect()))]
        }
        _ => names(build, plugin, spot),
    }
}

fn namespace(build: &mut Build<'_>, plugin: Plugin, specs: Vec<FieldSpec>, spot: &Spot) -> Vec<(&'static str, Step)> {
    let subjects = match plugin.set_role_binding_subjects.as_str() {
        "" | "defaultOnly" => Subjects::Default,
        "allServiceAccounts" => Subjects::Accounts,
        "none" => Subjects::None,
        other => {
            let message = format!("setRoleBindingSubjects is {other:?}");
            let hint = "there are defaultOnly, allServiceAccounts and none";
            build.problems.push(spot.problem("InvalidKustomization", message).hint(hint));
            return Vec::new();
        }
    };
    if plugin.metadata.namespace.is_empty() {
        return Vec::new();
    }
    let name = plugin.metadata.namespace;
    let step = Step::Namespace(Namespace { name, specs, unset_only: plugin.unset_only, subjects });
    vec![("NamespaceTransformer", step)]
}

fn names(build: &mut Build<'_>, plugin: Plugin, spot: &Spot) -> Vec<(&'static str, Step)> {
    let Some(specs) = plugin.field_specs else {
        let problem = spot.problem("InvalidKustomization", "fieldSpecs is missing");
        build.problems.push(problem.hint("write fieldSpecs: [{path: metadata/name}]"));
        return Vec::new();
    };
    [("PrefixTransformer", End::Prefix, plugin.prefix), ("SuffixTransformer", End::Suffix, plugin.suffix)]
        .into_iter()
        .filter(|(_, _, text)| !text.is_empty())
        .map(|(kind, end, text)| (kind, Step::Name(end, text, specs.clone().into())))
        .collect()
}

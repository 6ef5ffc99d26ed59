//! What is done once, at the end: hashes, references, vars, order, and nothing of the build's own
//! is left.

use std::collections::HashMap;

use serde_json::Value;

use super::super::Allowance;
use super::build::{Folder, Layer};
use super::metadata::Trail;
use super::patches::drop_empty_annotations;
use super::resource::Resource;
use super::resources::Resources;
use super::select::scalar_text;
use super::trace::Trace;
use super::types::{FieldSpec, SortOptions};
use super::{hash, references, transform, vars};
use crate::object::Problem;

/// Which kustomize this is: what `managedByLabel` tells.
const VERSION: &str = "kustomize-v5.8.2";

/// Kinds that come first, in this order.
const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that come last.
const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// The resources as they leave the build.
///
/// # Errors
/// What cannot be settled, with its place.
pub fn finish(layer: Layer, folder: &Folder, allowance: &Allowance) -> Result<Vec<Resource>, Vec<Problem>> {
    let Layer { mut resources, config, vars } = layer;
    let whole = |rule: &'static str| {
        let spot = &folder.spot;
        move |why: String| vec![allowance.passed(spot, rule, why)]
    };
    for resource in resources.all_mut().iter_mut().filter(|resource| resource.needs_hash) {
        let hash = hash::hash(&resource.body).map_err(whole("InvalidGenerator"))?;
        resource.remember();
        let name = format!("{}-{hash}", resource.name());
        resource.body["metadata"]["name"] = Value::String(name);
    }
    Trace::note(resources.bodies(), &folder.spot, "hash of the content");
    references::fix_names(resources.all_mut(), &config.name_reference, allowance).map_err(whole("InvalidReference"))?;
    Trace::note(resources.bodies(), &folder.spot, "reference by name");
    let spot = folder.spot.at("vars");
    vars::resolve(resources.all_mut(), &vars, &config.var_reference, allowance)
        .map_err(|why| vec![allowance.passed(&spot, "InvalidVar", why)])?;
    Trace::note(resources.bodies(), &spot, "");
    resources.all_mut().retain(|resource| !is_local(resource));
    let k = &folder.kustomization;
    if k.build_metadata.iter().any(|option| option == "managedByLabel") {
        let label = [("app.kubernetes.io/managed-by".to_owned(), VERSION.to_owned())].into();
        let spec = FieldSpec { path: "metadata/labels".to_owned(), create: true, ..FieldSpec::default() };
        transform::set_entries(&mut resources, &label, &[spec], allowance).map_err(whole("InvalidKustomization"))?;
    }
    let mut all = sorted(resources, k.sort_options.as_ref(), folder)?;
    for resource in &mut all {
        Trail::clear(resource, &k.build_metadata);
        settle_annotations(&mut resource.body);
        Trace::note([&mut *resource], &folder.spot.at("buildMetadata"), "");
    }
    Ok(all)
}

/// Whether an object is meant for tools alone.
fn is_local(resource: &Resource) -> bool {
    let annotations = resource.body.get("metadata").and_then(|metadata| metadata.get("annotations"));
    let mark = annotations.and_then(|annotations| annotations.get("config.kubernetes.io/local-config"));
    mark.is_some_and(|mark| scalar_text(mark) != "false")
}

/// kustomize writes annotations anew, as texts, and none of those that steer it.
fn settle_annotations(body: &mut Value) {
    let annotations = body.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
    if let Some(Value::Object(annotations)) = annotations {
        annotations.retain(|name, _| !is_own(name));
        for value in annotations.values_mut().filter(|value| !value.is_string()) {
            *value = Value::String(scalar_text(value));
        }
    }
    drop_empty_annotations(body);
}

fn is_own(name: &str) -> bool {
    match name.split_once('/') {
        Some(("internal.config.kubernetes.io", rest)) => matches!(
            rest,
            "previousKinds"
                | "previousNames"
                | "prefixes"
                | "suffixes"
                | "previousNamespaces"
                | "allowNameChange"
                | "allowKindChange"
                | "refBy"
                | "generatorBehavior"
                | "needsHashSuffix"
                | "path"
                | "index"
                | "seqindent"
                | "id"
                | "annotations-migration-resource-id"
        ),
        Some(("config.kubernetes.io", rest)) => matches!(rest, "path" | "index" | "id"),
        _ => false,
    }
}

fn sorted(
    mut resources: Resources,
    options: Option<&SortOptions>,
    folder: &Folder,
) -> Result<Vec<Resource>, Vec<Problem>> {
    let spot = folder.spot.at("sortOptions");
    let order = options.map_or("legacy", |options| &options.order);
    let legacy = options.and_then(|options| options.legacy_sort_options.as_ref());
    let wrong = |message: &str| Err(vec![spot.problem("InvalidKustomization", message)]);
    match (order, legacy) {
        ("fifo", Some(_)) => return wrong("legacySortOptions has no meaning in the order fifo"),
        ("fifo", None) => return Ok(resources.into_all()),
        ("legacy", _) => {}
        _ => return wrong("order is to be legacy or fifo"),
    }
    if let Some(twice) = resources.twice() {
        return Err(vec![Problem::new("DuplicateObject", format!("{} stands twice", twice.label())).at(&twice.origin)]);
    }
    let (first, last) = match legacy {
        None => (FIRST.to_vec(), LAST.to_vec()),
        Some(legacy) => (
            legacy.order_first.iter().map(String::as_str).collect(),
            legacy.order_last.iter().map(String::as_str).collect(),
        ),
    };
    let mut ranks: HashMap<&str, i64> = HashMap::new();
    #[allow(clippy::cast_possible_wrap)] // Lists of kinds are short.
    {
        ranks.extend(first.iter().enumerate().map(|(at, kind)| (*kind, at as i64 - first.len() as i64)));
        ranks.extend(last.iter().enumerate().map(|(at, kind)| (*kind, at as i64 + 1)));
    }
    let mut keyed: Vec<(Order, Resource)> =
        resources.into_all().into_iter().map(|resource| (Order::of(&resource, &ranks), resource)).collect();
    keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(keyed.into_iter().map(|(_, resource)| resource).collect())
}

/// Where a kind stands in kustomize's order: below 0 for those that come first, above for those that come last.
#[allow(clippy::cast_possible_wrap)] // Lists of kinds are short.
pub fn rank(kind: &str) -> i64 {
    let at = |list: &[&str]| list.iter().position(|other| *other == kind).map(|at| at as i64);
    match (at(&FIRST), at(&LAST)) {
        (Some(at), _) => at - FIRST.len() as i64,
        (None, Some(at)) => at + 1,
        (None, None) => 0,
    }
}

/// What decides the legacy order. The texts that stand for what is missing are those of kustomize:
/// they sort behind all else.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Order {
    rank: i64,
    kind: String,
    object: String,
}

impl Order {
    fn of(resource: &Resource, ranks: &HashMap<&str, i64>) -> Self {
        let or = |text: &str, missing: &str| if text.is_empty() { missing.to_owned() } else { text.to_owned() };
        let gvk = resource.gvk();
        let rank = ranks.get(gvk.kind.as_str()).copied().unwrap_or_default();
        let kind = [or(&gvk.group, "~G"), or(&gvk.version, "~V"), or(&gvk.kind, "~K")].join("_");
        let object = [or(resource.namespace(), "~X"), or(resource.name(), "~N")].join("|");
        Self { rank, kind, object }
    }
}

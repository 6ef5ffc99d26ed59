//! From a document to what it says: every field that is unknown, or of another type than it should
//! be, is a problem with its place.
//!
//! Go reads the names of fields without regard to upper and lower case, and takes null for what is
//! not there. So does this.

mod check;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::files::Spot;
use crate::object::Problem;

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A text.
    Text,
    /// A boolean.
    Bool,
    /// A whole number.
    Int,
    /// Anything.
    Any,
    /// A list of these.
    List(&'static Shape),
    /// A mapping from any name to these.
    Map(&'static Shape),
    /// A mapping with these fields.
    Fields(&'static [(&'static str, Shape)]),
}

use Shape::{Any, Bool, Fields, Int, List, Map, Text};

const TEXTS: Shape = List(&Text);
const TEXT_MAP: Shape = Map(&Text);

const GVK: [(&str, Shape); 3] = [("group", Text), ("version", Text), ("kind", Text)];

const SELECTOR: Shape = Fields(&[
    GVK[0],
    GVK[1],
    GVK[2],
    ("name", Text),
    ("namespace", Text),
    ("annotationSelector", Text),
    ("labelSelector", Text),
]);

const FIELD_SPEC: Shape = Fields(&[GVK[0], GVK[1], GVK[2], ("path", Text), ("create", Bool)]);
const FIELD_SPECS: Shape = List(&FIELD_SPEC);

const PATCH: Shape = Fields(&[("path", Text), ("patch", Text), ("target", SELECTOR), ("options", PATCH_OPTIONS)]);

const PATCH_OPTIONS: Shape = Fields(&[("allowNameChange", Bool), ("allowKindChange", Bool)]);

const REPLICA: Shape = Fields(&[("name", Text), ("count", Int)]);

const IMAGE: Shape =
    Fields(&[("name", Text), ("newName", Text), ("tagSuffix", Text), ("newTag", Text), ("digest", Text)]);

const OPTIONS: Shape =
    Fields(&[("labels", TEXT_MAP), ("annotations", TEXT_MAP), ("disableNameSuffixHash", Bool), ("immutable", Bool)]);

const CONFIG_MAP: Shape = Fields(&[
    ("namespace", Text),
    ("name", Text),
    ("behavior", Text),
    ("literals", TEXTS),
    ("files", TEXTS),
    ("envs", TEXTS),
    ("env", Text),
    ("options", OPTIONS),
]);

const SECRET: Shape = Fields(&[
    ("namespace", Text),
    ("name", Text),
    ("behavior", Text),
    ("literals", TEXTS),
    ("files", TEXTS),
    ("envs", TEXTS),
    ("env", Text),
    ("options", OPTIONS),
    ("type", Text),
]);

const FIELD_OPTIONS: Shape = Fields(&[("delimiter", Text), ("index", Int), ("encoding", Text), ("create", Bool)]);

/// One replacement, where it stands in a file of its own.
pub const REPLACEMENT: Shape = Fields(&[("source", SOURCE), ("sourceValue", Text), ("targets", List(&TARGET))]);

const SOURCE: Shape = Fields(&[
    GVK[0],
    GVK[1],
    GVK[2],
    ("name", Text),
    ("namespace", Text),
    ("fieldPath", Text),
    ("options", FIELD_OPTIONS),
]);

const TARGET: Shape =
    Fields(&[("select", SELECTOR), ("reject", List(&SELECTOR)), ("fieldPaths", TEXTS), ("options", FIELD_OPTIONS)]);

const REPLACEMENT_FIELD: Shape =
    Fields(&[("path", Text), ("source", SOURCE), ("sourceValue", Text), ("targets", List(&TARGET))]);

const VAR: Shape = Fields(&[
    ("name", Text),
    ("objref", Fields(&[("apiVersion", Text), GVK[0], GVK[1], GVK[2], ("name", Text), ("namespace", Text)])),
    ("fieldref", Fields(&[("fieldPath", Text)])),
]);

const LABEL: Shape = Fields(&[
    ("pairs", TEXT_MAP),
    ("includeSelectors", Bool),
    ("includeTemplates", Bool),
    ("includeVolumeClaimTemplates", Bool),
    ("fields", FIELD_SPECS),
]);

const METADATA: Shape = Fields(&[("name", Text), ("namespace", Text), ("labels", TEXT_MAP), ("annotations", TEXT_MAP)]);

/// The options of `sortOptions`.
const SORT: Shape =
    Fields(&[("order", Text), ("legacySortOptions", Fields(&[("orderFirst", TEXTS), ("orderLast", TEXTS)]))]);

/// A kustomization or component.
pub const KUSTOMIZATION: Shape = Fields(&[
    ("apiVersion", Text),
    ("kind", Text),
    ("metadata", METADATA),
    ("openapi", TEXT_MAP),
    ("namePrefix", Text),
    ("nameSuffix", Text),
    ("namespace", Text),
    ("commonLabels", TEXT_MAP),
    ("labels", List(&LABEL)),
    ("commonAnnotations", TEXT_MAP),
    ("patchesStrategicMerge", TEXTS),
    ("patchesJson6902", List(&PATCH)),
    ("patches", List(&PATCH)),
    ("images", List(&IMAGE)),
    ("imageTags", List(&IMAGE)),
    ("replacements", List(&REPLACEMENT_FIELD)),
    ("replicas", List(&REPLICA)),
    ("vars", List(&VAR)),
    ("sortOptions", SORT),
    ("resources", TEXTS),
    ("components", TEXTS),
    ("crds", TEXTS),
    ("bases", TEXTS),
    ("configMapGenerator", List(&CONFIG_MAP)),
    ("secretGenerator", List(&SECRET)),
    ("helmGlobals", Any),
    // Read once they are built.
    ("helmCharts", List(&Any)),
    ("helmChartInflationGenerator", List(&Any)),
    ("generatorOptions", OPTIONS),
    ("configurations", TEXTS),
    ("generators", TEXTS),
    ("transformers", TEXTS),
    ("validators", TEXTS),
    ("buildMetadata", TEXTS),
]);

/// A file of `configurations`.
pub const CONFIGURATION: Shape = Fields(&[
    ("namePrefix", FIELD_SPECS),
    ("nameSuffix", FIELD_SPECS),
    ("namespace", FIELD_SPECS),
    ("commonLabels", FIELD_SPECS),
    ("labels", FIELD_SPECS),
    ("templateLabels", FIELD_SPECS),
    ("volumeClaimTemplateLabels", FIELD_SPECS),
    ("commonAnnotations", FIELD_SPECS),
    ("nameReference", List(&Fields(&[GVK[0], GVK[1], GVK[2], ("fieldSpecs", FIELD_SPECS)]))),
    ("varReference", FIELD_SPECS),
    ("images", FIELD_SPECS),
    ("replicas", FIELD_SPECS),
]);

/// apiVersion, kind and metadata of what configures a plugin.
const TYPED: [(&str, Shape); 3] = [("apiVersion", Text), ("kind", Text), ("metadata", METADATA)];

/// A `ConfigMapGenerator` of its own file.
pub const CONFIG_MAP_PLUGIN: Shape = Fields(&[
    TYPED[0],
    TYPED[1],
    TYPED[2],
    ("namespace", Text),
    ("name", Text),
    ("behavior", Text),
    ("literals", TEXTS),
    ("files", TEXTS),
    ("envs", TEXTS),
    ("env", Text),
    ("options", OPTIONS),
]);

/// A `SecretGenerator`.
pub const SECRET_PLUGIN: Shape = Fields(&[
    TYPED[0],
    TYPED[1],
    TYPED[2],
    ("namespace", Text),
    ("name", Text),
    ("behavior", Text),
    ("literals", TEXTS),
    ("files", TEXTS),
    ("envs", TEXTS),
    ("env", Text),
    ("options", OPTIONS),
    ("type", Text),
]);

/// A `LabelTransformer` or `AnnotationsTransformer`.
pub const LABEL_PLUGIN: Shape = Fields(&[
    TYPED[0],
    TYPED[1],
    TYPED[2],
    ("labels", TEXT_MAP),
    ("annotations", TEXT_MAP),
    ("fieldSpecs", FIELD_SPECS),
]);

/// A `NamespaceTransformer`.
pub const NAMESPACE_PLUGIN: Shape = Fields(&[
    TYPED[0],
    TYPED[1],
    TYPED[2],
    ("fieldSpecs", FIELD_SPECS),
    ("unsetOnly", Bool),
    ("setRoleBindingSubjects", Text),
]);

/// A `PrefixTransformer`, `SuffixTransformer` or both.
pub const NAME_PLUGIN: Shape =
    Fields(&[TYPED[0], TYPED[1], TYPED[2], ("prefix", Text), ("suffix", Text), ("fieldSpecs", FIELD_SPECS)]);

/// An `ImageTagTransformer`.
pub const IMAGE_PLUGIN: Shape =
    Fields(&[TYPED[0], TYPED[1], TYPED[2], ("imageTag", IMAGE), ("fieldSpecs", FIELD_SPECS)]);

/// A `ReplicaCountTransformer`.
pub const REPLICA_PLUGIN: Shape =
    Fields(&[TYPED[0], TYPED[1], TYPED[2], ("replica", REPLICA), ("fieldSpecs", FIELD_SPECS)]);

/// A `PatchTransformer`.
pub const PATCH_PLUGIN: Shape = Fields(&[
    TYPED[0],
    TYPED[1],
    TYPED[2],
    ("path", Text),
    ("patch", Text),
    ("target", SELECTOR),
    ("options", PATCH_OPTIONS),
]);

/// A `PatchJson6902Transformer`.
pub const JSON_PLUGIN: Shape =
    Fields(&[TYPED[0], TYPED[1], TYPED[2], ("path", Text), ("jsonOp", Text), ("target", SELECTOR)]);

/// A `PatchStrategicMergeTransformer`.
pub const STRATEGIC_PLUGIN: Shape = Fields(&[TYPED[0], TYPED[1], TYPED[2], ("paths", TEXTS), ("patches", Text)]);

/// A `ReplacementTransformer`.
pub const REPLACEMENT_PLUGIN: Shape =
    Fields(&[TYPED[0], TYPED[1], TYPED[2], ("replacements", List(&REPLACEMENT_FIELD))]);

/// Reads a value of that shape.
///
/// # Errors
/// Every field that is unknown or of another type.
pub fn decode<T: DeserializeOwned + Default>(
    mut value: Value,
    shape: Shape,
    spot: &Spot,
    rule: &str,
) -> Result<T, Vec<Problem>> {
    let mut problems = Vec::new();
    check::Check { rule, problems: &mut problems }.value(&mut value, shape, check::At::Top(spot));
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.line);
        return Err(problems);
    }
    if value.is_null() {
        return Ok(T::default());
    }
    serde_json::from_value(value).map_err(|error| vec![spot.problem(rule, error)])
}

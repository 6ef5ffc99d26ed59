//! The fields of a kustomization or component: `kustomize.config.k8s.io`, as kustomize v5.8 reads
//! them. What is unknown or of the wrong type was refused before these are filled; see `decode`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::resource::Gvk;

/// Which objects: what is left out takes any. Every text is a regular expression that has to match
/// the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Selector {
    /// Group, version and kind.
    #[serde(flatten)]
    pub gvk: Gvk,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// A label selector over the annotations.
    pub annotation_selector: String,
    /// A label selector over the labels.
    pub label_selector: String,
}

/// One copy of a value to other fields.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Replacement {
    /// A file that holds one replacement or a list of them, in place of the rest.
    pub path: String,
    /// Where the value is read.
    pub source: Option<Source>,
    /// The value itself, in place of a source.
    pub source_value: Option<String>,
    /// Where it is written. `None` where the field is missing.
    pub targets: Option<Vec<Target>>,
    /// JSON pointer of the replacement in its file, for problems.
    #[serde(skip)]
    pub place: Place,
}

/// Where something of a kustomization is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Path from the root of the tree.
    pub file: String,
    /// Line, from 1, where it is known.
    pub line: Option<u32>,
    /// What people read: `replacements[0]`.
    pub field: String,
}

/// Where a replacement reads. Texts are compared as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Source {
    /// Group, version and kind.
    #[serde(flatten)]
    pub gvk: Gvk,
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Path of the field; `metadata.name` where it is left out.
    pub field_path: String,
    /// How it is read.
    pub options: Option<FieldOptions>,
}

/// Where a replacement writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Target {
    /// Objects to write to.
    pub select: Option<Selector>,
    /// Of those, the ones to leave alone.
    pub reject: Vec<Selector>,
    /// Paths of the fields.
    pub field_paths: Vec<String>,
    /// How they are written.
    pub options: Option<FieldOptions>,
}

/// A part of a field's text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FieldOptions {
    /// What cuts the text into parts; empty for the whole.
    pub delimiter: String,
    /// Which part.
    pub index: i64,
    /// Accepted and without effect, as in kustomize.
    pub encoding: String,
    /// Makes the field where it is missing.
    pub create: bool,
}

/// A value that `$(NAME)` stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Var {
    /// The name between the parentheses.
    pub name: String,
    /// The object that it is read from, by its name as written in its file.
    pub objref: VarTarget,
    /// The field.
    pub fieldref: VarField,
    /// Where it is written, for problems.
    #[serde(skip)]
    pub place: Place,
}

/// The object that a var reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VarTarget {
    /// Group and version in one; wins over those of `gvk`.
    pub api_version: String,
    /// Group, version and kind.
    #[serde(flatten)]
    pub gvk: Gvk,
    /// Name.
    pub name: String,
    /// Namespace; empty for any.
    pub namespace: String,
}

/// The field that a var reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VarField {
    /// Its path; `metadata.name` where it is left out.
    pub field_path: String,
}

/// A field of some kinds that a transformer changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FieldSpec {
    /// Of which kinds; what is left out takes any.
    #[serde(flatten)]
    pub gvk: Gvk,
    /// Names of fields with `/` between them; `[]` behind one says that it is a list.
    pub path: String,
    /// Makes the field where it is missing.
    pub create: bool,
}

/// Which fields refer to objects of a kind by their name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NameReference {
    /// What is referred to.
    #[serde(flatten)]
    pub gvk: Gvk,
    /// Fields that hold its name.
    pub field_specs: Vec<FieldSpec>,
}

/// A patch.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Patch {
    /// A file that holds it.
    pub path: String,
    /// Or the patch itself.
    pub patch: String,
    /// Objects that it is laid on.
    pub target: Option<Selector>,
    /// What it may change.
    pub options: Option<PatchOptions>,
}

/// What a patch may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PatchOptions {
    /// The name.
    pub allow_name_change: bool,
    /// The kind.
    pub allow_kind_change: bool,
}

/// One entry of `labels`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Label {
    /// The labels.
    pub pairs: BTreeMap<String, String>,
    /// Also in selectors and templates.
    pub include_selectors: bool,
    /// Also in templates.
    pub include_templates: bool,
    /// Also in the claim templates of StatefulSets.
    pub include_volume_claim_templates: bool,
    /// And in these fields.
    pub fields: Vec<FieldSpec>,
}

/// One entry of `images`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Image {
    /// Name without tag: a regular expression.
    pub name: String,
    /// Name in its place.
    pub new_name: String,
    /// Put behind the tag.
    pub tag_suffix: String,
    /// Tag in place of the old one.
    pub new_tag: String,
    /// Digest in place of the old one.
    pub digest: String,
}

/// One entry of `replicas`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Replica {
    /// Name of the object.
    pub name: String,
    /// How many.
    pub count: i64,
}

/// One entry of `configMapGenerator` or `secretGenerator`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Generator {
    /// Namespace of the object.
    pub namespace: String,
    /// Its name, without the hash.
    pub name: String,
    /// `create`, `replace` or `merge`.
    pub behavior: String,
    /// `key=value`.
    pub literals: Vec<String>,
    /// `path` or `key=path`.
    pub files: Vec<String>,
    /// Files of lines `key=value`.
    pub envs: Vec<String>,
    /// The older form of one such file.
    pub env: String,
    /// Options of this object.
    pub options: Option<GeneratorOptions>,
    /// Type of a Secret.
    #[serde(rename = "type")]
    pub secret_type: String,
}

/// Options of generated objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GeneratorOptions {
    /// Labels of the object.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the object.
    pub annotations: BTreeMap<String, String>,
    /// No hash behind the name.
    pub disable_name_suffix_hash: bool,
    /// The object is immutable.
    pub immutable: bool,
}

/// The order of the output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SortOptions {
    /// `legacy` or `fifo`.
    pub order: String,
    /// Which kinds come first and last in the legacy order.
    pub legacy_sort_options: Option<LegacyOrder>,
}

/// Kinds that come first and last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LegacyOrder {
    /// First, in this order.
    pub order_first: Vec<String>,
    /// Last, in this order.
    pub order_last: Vec<String>,
}

/// A kustomization or component.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs)] // The fields are kustomize's own, and its documentation is theirs.
pub struct Kustomization {
    pub api_version: String,
    pub kind: String,
    pub openapi: BTreeMap<String, String>,
    pub name_prefix: String,
    pub name_suffix: String,
    pub namespace: String,
    pub common_labels: BTreeMap<String, String>,
    pub labels: Vec<Label>,
    pub common_annotations: BTreeMap<String, String>,
    pub patches_strategic_merge: Vec<String>,
    pub patches_json6902: Vec<Patch>,
    pub patches: Vec<Patch>,
    pub images: Vec<Image>,
    pub image_tags: Vec<Image>,
    pub replacements: Vec<Replacement>,
    pub replicas: Vec<Replica>,
    pub vars: Vec<Var>,
    pub sort_options: Option<SortOptions>,
    pub resources: Vec<String>,
    pub components: Vec<String>,
    pub crds: Vec<String>,
    pub bases: Vec<String>,
    pub config_map_generator: Vec<Generator>,
    pub secret_generator: Vec<Generator>,
    pub helm_globals: serde_json::Value,
    pub helm_charts: Vec<serde_json::Value>,
    pub helm_chart_inflation_generator: Vec<serde_json::Value>,
    pub generator_options: Option<GeneratorOptions>,
    pub configurations: Vec<String>,
    pub generators: Vec<String>,
    pub transformers: Vec<String>,
    pub validators: Vec<String>,
    pub build_metadata: Vec<String>,
}

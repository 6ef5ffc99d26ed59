//! Which fields the transformers change: kustomize's own table, and what `configurations` and
//! `crds` add to it.

mod settled;

use std::borrow::Cow;
use std::sync::LazyLock;

use serde::Deserialize;

use self::settled::Settled;
use super::resource::Gvk;
use super::types::{FieldSpec, NameReference};

/// What was added to kustomize's own table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs)] // The fields are kustomize's own.
pub struct Config {
    pub name_prefix: Vec<FieldSpec>,
    pub name_suffix: Vec<FieldSpec>,
    pub namespace: Vec<FieldSpec>,
    pub common_labels: Vec<FieldSpec>,
    pub labels: Vec<FieldSpec>,
    pub template_labels: Vec<FieldSpec>,
    pub volume_claim_template_labels: Vec<FieldSpec>,
    pub common_annotations: Vec<FieldSpec>,
    pub name_reference: Vec<NameReference>,
    pub var_reference: Vec<FieldSpec>,
    pub images: Vec<FieldSpec>,
    pub replicas: Vec<FieldSpec>,
    #[serde(skip)]
    settled: Settled,
}

/// The lists of fields of a [`Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Fields that get the prefix.
    NamePrefix,
    /// Fields that get the suffix.
    NameSuffix,
    /// Fields that hold a namespace, besides those of every object.
    Namespace,
    /// Labels with selectors and templates.
    CommonLabels,
    /// Labels of every entry of `labels`.
    Labels,
    /// Labels of templates.
    TemplateLabels,
    /// Labels of the claim templates of StatefulSets.
    VolumeClaimTemplateLabels,
    /// Annotations.
    CommonAnnotations,
    /// Images.
    Images,
    /// Counts of replicas.
    Replicas,
}

/// All of them.
const TABLES: [Table; 10] = [
    Table::NamePrefix,
    Table::NameSuffix,
    Table::Namespace,
    Table::CommonLabels,
    Table::Labels,
    Table::TemplateLabels,
    Table::VolumeClaimTemplateLabels,
    Table::CommonAnnotations,
    Table::Images,
    Table::Replicas,
];

impl Config {
    /// Adds what the configurations of a kustomization bring, behind what its bases brought.
    ///
    /// # Errors
    /// As [`Config::merge`].
    pub fn settle(&mut self, added: Self) -> Result<(), String> {
        self.settled.merge(Settled::of_kustomization(&added)?)?;
        self.merge(added)
    }

    /// Adds what definitions of custom resources bring.
    ///
    /// # Errors
    /// As [`Config::merge`].
    pub fn define(&mut self, added: Self) -> Result<(), String> {
        self.settled.merge(Settled::of_added(&added))?;
        self.merge(added)
    }

    /// Adds what a file, a base or a component brings.
    ///
    /// # Errors
    /// Where a field is known already, and is made where it is missing by one and not by the other.
    pub fn merge(&mut self, other: Self) -> Result<(), String> {
        let Self {
            name_prefix,
            name_suffix,
            namespace,
            common_labels,
            labels,
            template_labels,
            volume_claim_template_labels,
            common_annotations,
            name_reference,
            var_reference,
            images,
            replicas,
            settled,
        } = other;
        self.settled.merge(settled)?;
        for (into, table, specs) in [
            (&mut self.name_prefix, Some(Table::NamePrefix), name_prefix),
            (&mut self.name_suffix, Some(Table::NameSuffix), name_suffix),
            (&mut self.namespace, Some(Table::Namespace), namespace),
            (&mut self.common_labels, Some(Table::CommonLabels), common_labels),
            (&mut self.labels, Some(Table::Labels), labels),
            (&mut self.template_labels, Some(Table::TemplateLabels), template_labels),
            (
                &mut self.volume_claim_template_labels,
                Some(Table::VolumeClaimTemplateLabels),
                volume_claim_template_labels,
            ),
            (&mut self.common_annotations, Some(Table::CommonAnnotations), common_annotations),
            (&mut self.var_reference, None, var_reference),
            (&mut self.images, Some(Table::Images), images),
            (&mut self.replicas, Some(Table::Replicas), replicas),
        ] {
            let own = table.map_or(&[][..], own);
            merge_all(own, into, specs)?;
        }
        for reference in name_reference {
            match self.name_reference.iter_mut().find(|known| known.gvk == reference.gvk) {
                Some(known) => merge_all(&[], &mut known.field_specs, reference.field_specs)?,
                None => self.name_reference.push(reference),
            }
        }
        Ok(())
    }

    /// How many fields were added.
    pub fn size(&self) -> usize {
        let references: usize = self.name_reference.iter().map(|reference| 1 + reference.field_specs.len()).sum();
        let lists = [
            &self.name_prefix,
            &self.name_suffix,
            &self.namespace,
            &self.common_labels,
            &self.labels,
            &self.template_labels,
            &self.volume_claim_template_labels,
            &self.common_annotations,
            &self.var_reference,
            &self.images,
            &self.replicas,
        ];
        references + lists.iter().map(|list| list.len()).sum::<usize>()
    }

    /// The fields of a table, kustomize's own among them.
    pub fn table(&self, table: Table) -> Cow<'static, [FieldSpec]> {
        self.settled.table(table)
    }

    /// What was added to a table.
    fn added(&self, table: Table) -> &Vec<FieldSpec> {
        match table {
            Table::NamePrefix => &self.name_prefix,
            Table::NameSuffix => &self.name_suffix,
            Table::Namespace => &self.namespace,
            Table::CommonLabels => &self.common_labels,
            Table::Labels => &self.labels,
            Table::TemplateLabels => &self.template_labels,
            Table::VolumeClaimTemplateLabels => &self.volume_claim_template_labels,
            Table::CommonAnnotations => &self.common_annotations,
            Table::Images => &self.images,
            Table::Replicas => &self.replicas,
        }
    }
}

/// Adds fields to a list, where `own` and the list do not have them yet.
///
/// # Errors
/// As [`Config::merge`].
pub fn merge_all(own: &[FieldSpec], into: &mut Vec<FieldSpec>, specs: Vec<FieldSpec>) -> Result<(), String> {
    for spec in specs {
        let known =
            own.iter().chain(into.iter()).find(|known| known.path == spec.path && known.gvk.is_selected_by(&spec.gvk));
        match known {
            None => into.push(spec),
            Some(known) if known.create == spec.create => {}
            Some(_) => {
                return Err(format!("the field {} is known already, with another value of `create`", spec.path));
            }
        }
    }
    Ok(())
}

/// Path, whether it is made, group, version and kind.
type Row = (&'static str, bool, &'static str, &'static str, &'static str);

const METADATA_LABELS: [Row; 9] = [
    ("metadata/labels", true, "", "", ""),
    ("spec/template/metadata/labels", true, "", "v1", "ReplicationController"),
    ("spec/template/metadata/labels", true, "", "", "Deployment"),
    ("spec/template/metadata/labels", true, "", "", "ReplicaSet"),
    ("spec/template/metadata/labels", true, "", "", "DaemonSet"),
    ("spec/template/metadata/labels", true, "apps", "", "StatefulSet"),
    ("spec/template/metadata/labels", true, "batch", "", "Job"),
    ("spec/jobTemplate/metadata/labels", true, "batch", "", "CronJob"),
    ("spec/jobTemplate/spec/template/metadata/labels", true, "batch", "", "CronJob"),
];

const CLAIM_LABELS: [Row; 1] = [("spec/volumeClaimTemplates[]/metadata/labels", true, "apps", "", "StatefulSet")];

const SELECTORS: [Row; 10] = [
    ("spec/selector", true, "", "v1", "Service"),
    ("spec/selector", true, "", "v1", "ReplicationController"),
    ("spec/selector/matchLabels", true, "", "", "Deployment"),
    ("spec/selector/matchLabels", true, "", "", "ReplicaSet"),
    ("spec/selector/matchLabels", true, "", "", "DaemonSet"),
    ("spec/selector/matchLabels", true, "apps", "", "StatefulSet"),
    ("spec/selector/matchLabels", false, "batch", "", "Job"),
    ("spec/jobTemplate/spec/selector/matchLabels", false, "batch", "", "CronJob"),
    ("spec/selector/matchLabels", false, "policy", "", "PodDisruptionBudget"),
    ("spec/podSelector/matchLabels", false, "networking.k8s.io", "", "NetworkPolicy"),
];

const PEERS: [Row; 2] = [
    ("spec/ingress/from/podSelector/matchLabels", false, "networking.k8s.io", "", "NetworkPolicy"),
    ("spec/egress/to/podSelector/matchLabels", false, "networking.k8s.io", "", "NetworkPolicy"),
];

/// Selectors within the Pods of a Deployment or StatefulSet, below `spec/template/spec/`.
const AFFINITIES: [&str; 5] = [
    "affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "topologySpreadConstraints/labelSelector/matchLabels",
];

const ANNOTATIONS: [Row; 9] = [
    ("metadata/annotations", true, "", "", ""),
    ("spec/template/metadata/annotations", true, "", "v1", "ReplicationController"),
    ("spec/template/metadata/annotations", true, "", "", "Deployment"),
    ("spec/template/metadata/annotations", true, "", "", "ReplicaSet"),
    ("spec/template/metadata/annotations", true, "", "", "DaemonSet"),
    ("spec/template/metadata/annotations", true, "", "", "StatefulSet"),
    ("spec/template/metadata/annotations", true, "batch", "", "Job"),
    ("spec/jobTemplate/metadata/annotations", true, "batch", "", "CronJob"),
    ("spec/jobTemplate/spec/template/metadata/annotations", true, "batch", "", "CronJob"),
];

const NAMESPACES: [Row; 3] = [
    ("metadata/name", true, "", "", "Namespace"),
    ("spec/service/namespace", true, "apiregistration.k8s.io", "", "APIService"),
    (
        "spec/conversion/webhook/clientConfig/service/namespace",
        false,
        "apiextensions.k8s.io",
        "",
        "CustomResourceDefinition",
    ),
];

const IMAGES: [Row; 7] = [
    ("spec/containers[]/image", true, "", "", ""),
    ("spec/initContainers[]/image", true, "", "", ""),
    ("spec/volumes[]/image/reference", true, "", "", ""),
    ("spec/template/spec/containers[]/image", true, "", "", ""),
    ("spec/template/spec/initContainers[]/image", true, "", "", ""),
    ("spec/template/spec/volumes[]/image/reference", true, "", "", ""),
    ("spec/jobTemplate/spec/template/spec/volumes[]/image/reference", true, "", "", ""),
];

const REPLICAS: [Row; 4] = [
    ("spec/replicas", true, "", "", "Deployment"),
    ("spec/replicas", true, "", "", "ReplicationController"),
    ("spec/replicas", true, "", "", "ReplicaSet"),
    ("spec/replicas", true, "", "", "StatefulSet"),
];

const NAMES: [Row; 1] = [("metadata/name", false, "", "", "")];

/// kustomize's own fields of a table.
fn own(table: Table) -> &'static [FieldSpec] {
    static NAME: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| specs(&[&NAMES]));
    static NAMESPACE: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| specs(&[&NAMESPACES]));
    static COMMON: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| {
        let mut all = specs(&[&SELECTORS, &PEERS, &METADATA_LABELS, &CLAIM_LABELS]);
        for kind in ["Deployment", "StatefulSet"] {
            all.extend(AFFINITIES.iter().map(|path| FieldSpec {
                gvk: Gvk { group: "apps".to_owned(), version: String::new(), kind: kind.to_owned() },
                path: format!("spec/template/spec/{path}"),
                create: false,
            }));
        }
        all
    });
    static TEMPLATE: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| specs(&[&METADATA_LABELS]));
    static CLAIM: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| specs(&[&CLAIM_LABELS]));
    static ANNOTATION: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| specs(&[&ANNOTATIONS]));
    static IMAGE: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| specs(&[&IMAGES]));
    static REPLICA: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| specs(&[&REPLICAS]));
    match table {
        Table::NamePrefix | Table::NameSuffix => &NAME,
        Table::Namespace => &NAMESPACE,
        Table::CommonLabels => &COMMON,
        Table::Labels => &[],
        Table::TemplateLabels => &TEMPLATE,
        Table::VolumeClaimTemplateLabels => &CLAIM,
        Table::CommonAnnotations => &ANNOTATION,
        Table::Images => &IMAGE,
        Table::Replicas => &REPLICA,
    }
}

fn specs(tables: &[&[Row]]) -> Vec<FieldSpec> {
    let rows = tables.iter().flat_map(|table| table.iter());
    rows.map(|(path, create, group, version, kind)| FieldSpec {
        gvk: Gvk { group: (*group).to_owned(), version: (*version).to_owned(), kind: (*kind).to_owned() },
        path: (*path).to_owned(),
        create: *create,
    })
    .collect()
}

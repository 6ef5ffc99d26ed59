//! How a chart is rendered: which one, and with which values.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{LocalSecretRef, SourceKind};

/// How the chart in `path`, or one from elsewhere, is rendered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Helm {
    /// A chart from a repository or registry. Without it the chart stands in `path`; with it `path`
    /// is the folder of the values files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<HelmChart>,
    /// Name of the release, the Sync's own unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 53), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub release_name: Option<String>,
    /// Files with values, from `path`, with `/` at their head from the root of the repository. Each
    /// wins over those before it, and over the chart's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub values_files: Vec<String>,
    /// ConfigMaps and Secrets with values. Each wins over those before it, and over files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub values_from: Vec<ValuesRef>,
    /// Values that win over all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Map<String, Value>>", extend("x-kubernetes-preserve-unknown-fields" = true))]
    pub values: Option<Map<String, Value>>,
}

/// A chart from a repository or registry, pinned.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.version) || has(self.digest)").message("a chart is pinned by its version, its digest, or both: what is deployed is a reviewed commit"))]
pub struct HelmChart {
    /// `https://…` of a chart repository, or `oci://…` of a registry with the path before the name.
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^(https?|oci)://[^/]+"))]
    pub repository: String,
    /// Name of the chart.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$"))]
    pub name: String,
    /// Its version, exactly: a range would deploy what nobody reviewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^v?[0-9]+[.][0-9]+[.][0-9]+(-[0-9A-Za-z.-]+)?([+][0-9A-Za-z.-]+)?$')").message("a version is written out, as 1.2.3: with a range something would be deployed that stands in no reviewed commit"))]
    pub version: Option<String>,
    /// `sha256:…` of the packed chart, in a registry of its manifest. With it what is brought can be
    /// nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^sha256:[0-9a-f]{64}$"))]
    pub digest: Option<String>,
    /// Secret with `username` and `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalSecretRef>,
    /// Secret with `ca.crt`, the certificate authorities in place of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<LocalSecretRef>,
}

/// Values in a ConfigMap or Secret of the Sync's namespace, read as its account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValuesRef {
    /// `ConfigMap` or `Secret`.
    pub kind: SourceKind,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key whose value is YAML with values, `values.yaml` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
    /// The one value that the key holds, as a text: its place, as `db.password`. A dot of a name is
    /// written `\.`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub target_path: Option<String>,
    /// Where the object or the key is not there, go on without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

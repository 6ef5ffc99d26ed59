//! `Inventory`: what a Sync owns, in chunks.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A chunk of what a Sync owns. Written only by the agent; owned by its Sync.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "tandemcd.io",
    version = "v1alpha1",
    kind = "Inventory",
    namespaced,
    doc = "What a Sync owns, in chunks of at most 1,000 entries. Internal: written only by the agent.",
    printcolumn(name = "Sync", type_ = "string", json_path = ".spec.sync"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct InventorySpec {
    /// Name of the Sync, in the same namespace.
    pub sync: String,
    /// Version of this format; 1.
    pub format: u32,
    /// What the Sync owns. The truth is the union of all chunks.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    pub entries: Vec<InventoryEntry>,
}

/// One owned object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InventoryEntry {
    /// `<namespace>_<name>_<group>_<kind>`.
    pub id: String,
    /// Version of the API, without its group.
    pub v: String,
    /// uid of the object that was applied; absent until the API server has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Digest of the manifest that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<String>,
    /// Digest of our fields and their values in the API server's answer: the baseline of drift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// What prune and drift must know when no manifest is at hand: `prune=disabled`,
    /// `reconcile=disabled`, `adopted`, `completed` (a Job that finished), `expires` (a Job that
    /// goes by itself once it has finished).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

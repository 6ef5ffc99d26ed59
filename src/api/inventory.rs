//! `Inventory`: what a Sync owns, in chunks.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inventory::{Entry, Flag};
use crate::object::{Digest, ObjectId};

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

impl InventoryEntry {
    /// An entry as it is written.
    pub fn of(id: &ObjectId, entry: &Entry) -> Self {
        let known = entry.flags.iter().map(|flag| flag.as_str().to_owned());
        Self {
            id: id.to_inventory(),
            v: entry.version.clone(),
            uid: entry.uid.clone(),
            desired: entry.desired.map(|digest| digest.to_string()),
            baseline: entry.baseline.map(|digest| digest.to_string()),
            flags: known.chain(entry.unknown.iter().cloned()).collect(),
        }
    }

    /// Reads it. Flags of a newer version of the agent are kept as they are.
    ///
    /// # Errors
    /// What cannot be read: an entry that is not understood is never left out.
    pub fn read(&self) -> Result<(ObjectId, Entry), String> {
        let id = self.id.parse::<ObjectId>().map_err(|error| error.to_string())?;
        let digest = |text: &Option<String>| text.as_deref().map(str::parse::<Digest>).transpose();
        let (known, unknown): (Vec<_>, Vec<_>) = self.flags.iter().partition(|flag| Flag::parse(flag).is_some());
        let entry = Entry {
            version: self.v.clone(),
            uid: self.uid.clone(),
            desired: digest(&self.desired).map_err(|error| error.to_string())?,
            baseline: digest(&self.baseline).map_err(|error| error.to_string())?,
            flags: known.into_iter().filter_map(|flag| Flag::parse(flag)).collect(),
            unknown: unknown.into_iter().cloned().collect(),
        };
        Ok((id, entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_survive_the_round_trip_and_strange_ones_are_no_entries() {
        let written = InventoryEntry {
            id: "shop_web_apps_Deployment".into(),
            v: "v1".into(),
            uid: Some("u".into()),
            flags: vec!["adopted".into(), "of=tomorrow".into()],
            ..InventoryEntry::default()
        };
        let (id, entry) = written.read().expect("an entry");
        assert_eq!((id.to_string().as_str(), entry.unknown.len()), ("Deployment.apps/shop/web", 1));
        assert_eq!(InventoryEntry::of(&id, &entry), written);
        for strange in [
            InventoryEntry { id: "web".into(), ..written.clone() },
            InventoryEntry { desired: Some("?".into()), ..written.clone() },
            InventoryEntry { baseline: Some("?".into()), ..written },
        ] {
            assert!(strange.read().is_err(), "{strange:?}");
        }
    }
}

//! An object as it is written down, and where.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Causes, ObjectId};

/// Where a manifest was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// Path from the root of the repository, with `/`.
    pub file: String,
    /// Line of the document's first content in that file, from 1.
    pub line: u32,
    /// Which document of that file, from 1; items of a `List` share their list's.
    pub document: u32,
}

/// One desired object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Where it was written.
    pub origin: Origin,
    /// Which object it is. Until scopes are resolved, the namespace is the one that the manifest
    /// names, or empty.
    pub id: ObjectId,
    /// `apiVersion`, as written.
    pub api_version: String,
    /// The whole object, a mapping.
    pub body: Value,
    /// JSON pointers to values that were encrypted or came from Secrets, beside those that every
    /// Secret has: they are masked wherever the object is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<String>,
    /// Why its fields have their values, where somebody asked.
    #[serde(skip)]
    pub causes: Option<Box<Causes>>,
}

impl Manifest {
    /// An object of which no value is secret, but for those of a Secret.
    pub fn new(origin: Origin, id: ObjectId, api_version: impl Into<String>, body: Value) -> Self {
        Self { origin, id, api_version: api_version.into(), body, masked: Vec::new(), causes: None }
    }

    /// Value of an annotation of the manifest.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.body.pointer("/metadata/annotations")?.get(key)?.as_str()
    }
}

/// Annotations that steer the agent. They count only where the manifest has them; set on the live
/// object they are drift.
pub mod annotation {
    /// `disabled`: the object is left alone, neither applied nor healed nor pruned.
    pub const RECONCILE: &str = "tandemcd.io/reconcile";
    /// `enabled`: where an immutable field changed, the object is deleted and created again.
    pub const FORCE: &str = "tandemcd.io/force";
    /// `disabled`: the object is never pruned.
    pub const PRUNE: &str = "tandemcd.io/prune";
    /// `Keep`: where another manager owns a field, its value stays.
    pub const CONFLICT: &str = "tandemcd.io/conflict";
    /// `IfNotPresent`: created once, never updated.
    pub const APPLY: &str = "tandemcd.io/apply";
    /// `disabled`: variables in the object are left as they are written.
    pub const SUBSTITUTE: &str = "tandemcd.io/substitute";
    /// `before` or `after`: a Job that completes before, or runs after, the workloads.
    pub const PHASE: &str = "tandemcd.io/phase";
    /// A whole number, 0 unless said: of the Jobs of a phase, those with a smaller one complete first.
    pub const ORDER: &str = "tandemcd.io/order";
    /// `<cluster>/<namespace>/<name>` of the Sync that owns the object; written by the agent.
    pub const OWNER: &str = "tandemcd.io/owner";
    /// Reconcile now; echoed in `status.lastHandledReconcileAt`.
    pub const REQUESTED_AT: &str = "tandemcd.io/requestedAt";
}

/// Labels that the agent writes on every object that a Sync owns. They select what the shared
/// watches see; alone they never permit pruning.
pub mod label {
    /// Name of the owning Sync.
    pub const SYNC_NAME: &str = "tandemcd.io/sync-name";
    /// Namespace of the owning Sync.
    pub const SYNC_NAMESPACE: &str = "tandemcd.io/sync-namespace";
    /// The field's own label for the tool that manages an object.
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
}

//! The kinds of `tandemcd.io/v1alpha1`, and every other promised format.

mod condition;
pub mod crds;
mod inventory;
mod repository;
mod sync;

pub use condition::{Condition, ConditionStatus, ConditionType, RevisionText};
pub use inventory::{Inventory, InventoryEntry, InventorySpec};
pub use repository::{
    Auth, GitRef, LocalSecretRef, Repository, RepositorySpec, RepositoryStatus, Rewind, WebhookSecretRef,
};
pub use sync::{
    AppliedRun, DeletionBudget, DeletionPolicy, DependencyRef, HealthExpression, IgnoreRule, IgnoreTarget, Mode,
    ObjectCounts, OnInvalid, Prune, RepositoryRef, StatusProblem, Sync, SyncSpec, SyncStatus,
};

/// API group of all our kinds.
pub const GROUP: &str = "tandemcd.io";
/// The one version of them.
pub const VERSION: &str = "v1alpha1";
/// Field manager of everything that the agent applies. It never varies: else removed fields stay.
pub const FIELD_MANAGER: &str = crate::object::fields::MANAGER;
/// Field manager of statuses, inventories and finalizers.
pub const STATUS_MANAGER: &str = "tandem-agent";
/// Label on every owned object: name of its Sync. It selects what the shared watches see.
pub const LABEL_SYNC_NAME: &str = crate::object::label::SYNC_NAME;
/// Label on every owned object: namespace of its Sync.
pub const LABEL_SYNC_NAMESPACE: &str = crate::object::label::SYNC_NAMESPACE;
/// Finalizer of a Sync: what it owns is orphaned or pruned before it goes.
pub const FINALIZER: &str = "tandemcd.io/sync";

/// A duration as Kubernetes writes it: `1h30m`, `15s`, `500ms`.
const DURATION: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$";
/// A full commit id.
const COMMIT: &str = "^[0-9a-f]{40}$";

//! The kinds of `tandemcd.io/v1alpha1`, and every other promised format.

mod acceptance;
mod condition;
pub mod crds;
pub mod files;
mod forge;
mod helm;
mod inventory;
mod repository;
mod source;
mod standard;
mod sync;

pub use acceptance::{
    Acceptance, AcceptanceRecord, AcceptanceSpec, ApprovedPlan, BrokenGlass, GlassSeen, WithdrawnApproval,
};
pub use condition::{Condition, ConditionStatus, ConditionType, RevisionText};
pub use forge::{
    Check, CheckCommit, CheckCoverage, CommitStatusSettings, DeploymentSettings, Forge, ForgeType, PlanSettings,
    Publish,
};
pub use helm::{Helm, HelmChart, ValuesRef};
pub use inventory::{Inventory, InventoryEntry, InventorySpec};
pub use repository::{
    Auth, GitRef, LocalSecretRef, Repository, RepositorySpec, RepositoryStatus, Review, ReviewInputs, ReviewPlan,
    ReviewSince, ReviewStatus, Rewind, VerifiedRevision, Verify, VerifyMode, WebhookSecretRef,
};
pub use source::{Decryption, DecryptionProvider, SourceKind, SourceRef, Substitute, Unknown};
pub use standard::{
    LabelOperator, LabelRequirement, LabelSelector, RepositoryFloor, Standard, StandardAction, StandardCounts,
    StandardRepositoryRef, StandardSource, StandardSpec, StandardStatus,
};
pub use sync::{
    AppliedRun, DeletionBudget, DeletionPolicy, DependencyRef, HealthExpression, IgnoreRule, IgnoreTarget, Mode,
    ObjectCounts, OnInvalid, Prune, RepositoryRef, StandardVerdicts, StatusProblem, Sync, SyncSpec, SyncStatus,
};

/// API group of all our kinds.
pub const GROUP: &str = "tandemcd.io";
/// All our kinds: those that an API server knows, and those of files alone.
pub const KINDS: [&str; 9] =
    ["Acceptance", "Freeze", "Inventory", "Owners", "PolicyTest", "Repository", "Standard", "Sync", "Waiver"];
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

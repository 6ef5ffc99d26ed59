//! `Sync`: one path of one repository, kept equal in this cluster.

#![allow(clippy::duplicated_attributes)] // several printer columns are no mistake

use jiff::Timestamp;
use kube::CustomResource;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::Budget;

use super::{Condition, Decryption, Helm, RevisionText, Substitute};

/// One path of one repository → this cluster.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "tandemcd.io", version = "v1alpha1", kind = "Sync", namespaced,
    shortname = "tsync", category = "tandem", status = "SyncStatus",
    doc = "Keeps this cluster equal to one path of one Repository.",
    validation = Rule::new("self.metadata.name.size() <= 63").message("a Sync's name is a label value on what it owns: at most 63 characters"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.appliedRevision"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct SyncSpec {
    /// The Repository.
    pub repository_ref: RepositoryRef,
    /// Folder in it, from its root; empty or `.` is the root.
    #[serde(default)]
    #[x_kube(validation = Rule::new("!self.startsWith('/') && !self.split('/').exists(p, p == '..')").message("path is relative to the root of the repository and never leaves it"))]
    #[schemars(length(max = 1024))]
    pub path: String,
    /// Account in this namespace as which everything is read, checked and written. Without one
    /// nothing is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
    /// Namespace of namespaced objects that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub target_namespace: Option<String>,
    /// `Enforce` keeps the cluster equal; `Shadow` computes and reports, and writes nothing.
    #[serde(default)]
    pub mode: Mode,
    /// Whether what left Git leaves the cluster.
    #[serde(default)]
    pub prune: Prune,
    /// What becomes of the objects when the Sync itself is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// How much may be deleted without a trailer that names the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_budget: Option<DeletionBudget>,
    /// What must be healthy, at the same revision where it comes from the same Repository, first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub depends_on: Vec<DependencyRef>,
    /// `Hold`: nothing is applied if one object is refused. `ApplyRest`: the others are.
    #[serde(default)]
    pub on_invalid: OnInvalid,
    /// How long each step may take, 5m unless said: rendering with the programs that it needs, where waiting for a turn
    /// takes none of it, a request to the API server with its retries, what is waited for, and until everything is healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = super::DURATION))]
    pub timeout: Option<String>,
    /// Nothing is applied, healed or pruned while true.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// How often everything is checked against the API server anew, 1h unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = super::DURATION))]
    pub interval: Option<String>,
    /// Health of kinds that have no conditions that say it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub health: Vec<HealthExpression>,
    /// Fields that others own: neither written after creation nor healed. Replicas that an autoscaler has set need no rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub ignore: Vec<IgnoreRule>,
    /// Field managers whose entries move into ours besides those of kubectl, Helm, Flux and Argo CD.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub adopt_managers: Vec<String>,
    /// Values of the variables `${NAME}` in what is rendered. Without it no text is touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub substitute: Option<Substitute>,
    /// How files that are encrypted in the repository are decrypted. Without it none are, and one that
    /// is read is a problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decryption: Option<Decryption>,
    /// How the chart in `path`, or one from elsewhere, is rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helm: Option<Helm>,
}

/// Which Repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RepositoryRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace, the Sync's own unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Whether a Sync writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Keeps the cluster equal.
    #[default]
    Enforce,
    /// Computes and reports.
    Shadow,
}

/// Whether what left Git leaves the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Prune {
    /// It does.
    #[default]
    Enabled,
    /// It stays, and is reported.
    Disabled,
}

/// What becomes of the objects of a deleted Sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// They stay, without our labels.
    #[default]
    Orphan,
    /// They are deleted.
    Prune,
}

/// What happens to the valid objects of a revision in which one is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnInvalid {
    /// Nothing is applied.
    #[default]
    Hold,
    /// They are applied; only dependants wait.
    ApplyRest,
}

/// How much may be deleted without a trailer. Both limits must be passed before a run is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DeletionBudget {
    /// Objects.
    pub max_count: u32,
    /// Share of the inventory, in percent.
    #[schemars(range(max = 100))]
    pub max_percent: u32,
    /// Kinds that always need the trailer besides the built-in ones, as `Kind` or `Kind.group`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub protected_kinds: Vec<String>,
}

impl Default for DeletionBudget {
    fn default() -> Self {
        Self { max_count: 10, max_percent: 20, protected_kinds: Vec::new() }
    }
}

impl From<DeletionBudget> for Budget {
    fn from(spec: DeletionBudget) -> Self {
        Self { max_count: spec.max_count, max_percent: spec.max_percent, protected_kinds: spec.protected_kinds }
    }
}

/// Something that must be healthy first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DependencyRef {
    /// `Sync` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Needed for kinds other than Sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Its name.
    pub name: String,
    /// Its namespace, the Sync's own unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// CEL over `object`; true means ready. Without it, health as for our own objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub ready: Option<String>,
}

/// Health of a kind, as CEL over `object`; the first that is true of failed, current, inProgress wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthExpression {
    /// `apiVersion` of the kind; its version does not matter.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The object is as wanted.
    #[schemars(length(max = 4096))]
    pub current: String,
    /// The object will not become so by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub failed: Option<String>,
    /// The object is on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub in_progress: Option<String>,
}

impl From<&HealthExpression> for crate::health::Rule {
    fn from(expression: &HealthExpression) -> Self {
        Self {
            group: crate::object::split_api_version(&expression.api_version).0.to_owned(),
            kind: expression.kind.clone(),
            current: expression.current.clone(),
            failed: expression.failed.clone(),
            in_progress: expression.in_progress.clone(),
        }
    }
}

/// Fields that others own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IgnoreRule {
    /// Which objects; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<IgnoreTarget>,
    /// JSON pointers (RFC 6901); `-` as a segment stands for every item of a list.
    #[schemars(length(min = 1, max = 64))]
    pub paths: Vec<String>,
}

/// Which objects an ignore rule speaks of; what is absent matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IgnoreTarget {
    /// API group; empty text is the core group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What is known of a Sync. It changes only when its inputs do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default)]
    pub observed_generation: i64,
    /// Conditions Ready, Reconciling, Stalled, Healthy, Held.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// The revision that may be deployed: what drift is healed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_revision: Option<RevisionText>,
    /// The agent's signature over that: what somebody else writes there counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_seal: Option<String>,
    /// The newest revision that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted_revision: Option<RevisionText>,
    /// The newest revision that was applied whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_revision: Option<RevisionText>,
    /// Objects of the inventory by health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<ObjectCounts>,
    /// What is wrong with the attempted revision, the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<StatusProblem>,
    /// What the Standards in force say of the revision that was judged last; absent where they say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard: Option<StandardVerdicts>,
    /// The last five outcomes that changed something, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<AppliedRun>,
    /// Deletions that trailers paid for: commit of the trailer and how many were used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletions_paid: Vec<String>,
    /// Deletions since a revision was last applied whole that nothing paid for: they count together.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deletions_unpaid: u32,
    /// Value of the last `tandemcd.io/requestedAt` that was handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// The plan that waits for approval, signed by the agent, for `tandem approve --plan -`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Objects by health.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectCounts {
    /// All in the inventory.
    pub total: u32,
    /// As wanted.
    pub current: u32,
    /// On their way.
    pub in_progress: u32,
    /// Not becoming so by themselves.
    pub failed: u32,
}

/// What Standards say of the objects of a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StandardVerdicts {
    /// Which revision.
    pub revision: RevisionText,
    /// Findings for which it is held, or would be if it were new.
    pub denied: u32,
    /// Findings that are told.
    pub warned: u32,
    /// Findings that are written down.
    pub audited: u32,
    /// Findings that a waiver lets pass.
    pub waived: u32,
}

/// One problem, as the status shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusProblem {
    /// `file:line`, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The object, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Stable CamelCase name of the rule.
    pub rule: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// One outcome in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppliedRun {
    /// Which revision.
    pub revision: RevisionText,
    /// Stable CamelCase reason of the outcome.
    pub reason: String,
    /// What changed, as `2 created, 1 configured`.
    pub summary: String,
    /// Keyed digest of what was rendered with beside the commit, where the Sync names ConfigMaps or Secrets: another one is
    /// another revision of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// When the run ended.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
}

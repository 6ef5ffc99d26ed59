//! `Standard`: operations' policies, which every revision must meet before it is applied.

#![allow(clippy::duplicated_attributes)] // several printer columns are no mistake

use std::collections::BTreeMap;

use kube::CustomResource;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forge::Check;
use super::{Condition, ReviewInputs, RevisionText, StatusProblem};
use crate::revision::review::Profile;
use crate::standard;

/// Policies of one reviewed repository.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "tandemcd.io",
    version = "v1alpha1",
    kind = "Standard",
    shortname = "tstd",
    category = "tandem",
    status = "StandardStatus",
    doc = "Policies of one reviewed repository, which every new revision of a Sync must meet before anything of it is applied.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.acceptedRevision"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct StandardSpec {
    /// The Repository. What it holds back, such as a commit that is not signed, never comes into force.
    pub repository_ref: StandardRepositoryRef,
    /// Folder in it, from its root, with ValidatingAdmissionPolicies, their bindings and parameters, and waivers; empty
    /// or `.` is the root. It is rendered as that of a Sync is, without variables and without decryption.
    #[serde(default)]
    #[x_kube(validation = Rule::new("!self.startsWith('/') && !self.split('/').exists(p, p == '..')").message("path is relative to the root of the repository and never leaves it"))]
    #[schemars(length(max = 1024))]
    pub path: String,
    /// Namespaces whose objects it speaks of, by their labels, those in the cluster as well as those that a revision
    /// gives them; all unless said. Of objects without namespace it always speaks, of a Namespace by its own labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// What is done at least about an object that a policy refuses, whatever a binding's `validationActions` say:
    /// `Deny`, its revision is held; `Warn`, an Event tells it; `Audit`, the log and a metric do. The stricter of both holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<StandardAction>,
    /// The least that Repositories in those namespaces must ask; one that asks less deploys nothing new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<RepositoryFloor>,
}

/// The least that a Repository must ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryFloor {
    /// Repositories that may be deployed from, by host and path without scheme and `.git`, such as
    /// `forge.example/shop/app`; all below one that ends with `/`. All where none is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub repositories: Vec<String>,
    /// Full names of references that may be followed, such as `refs/heads/main`; all that begin so where one ends with
    /// `*`. All where none is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub refs: Vec<String>,
    /// The weakest profile of review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Profile>,
    /// Whether `verify` must be there: commits are signed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verify: bool,
    /// Checks that must be asked for: each under the same name, by the same user, app or keys (these, or fewer), of the same
    /// commit, and with as much coverage at least. Where any is written, or `review` is, a forge is asked at the host of its
    /// URL alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub checks: Vec<Check>,
    /// `Pinned`: nothing is rendered that stands in no commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<ReviewInputs>,
}

/// Which Repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StandardRepositoryRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
}

/// What is done about an object that a policy refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StandardAction {
    /// Its revision is held.
    Deny,
    /// An Event tells it.
    Warn,
    /// The log and a metric do.
    Audit,
}

impl From<StandardAction> for standard::Action {
    fn from(action: StandardAction) -> Self {
        match action {
            StandardAction::Deny => Self::Deny,
            StandardAction::Warn => Self::Warn,
            StandardAction::Audit => Self::Audit,
        }
    }
}

/// Which labels, as Kubernetes selects by them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels with their values, all of which must be there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements, all of which must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub match_expressions: Vec<LabelRequirement>,
}

/// What is required of one label.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)").message("values are needed with In and NotIn, and not allowed with Exists and DoesNotExist"))]
pub struct LabelRequirement {
    /// The label.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// What is required of it.
    pub operator: LabelOperator,
    /// Values that it may or may not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub values: Vec<String>,
}

/// What is required of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LabelOperator {
    /// It has one of the values.
    In,
    /// It has none of the values, or is not there.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

impl From<&LabelSelector> for standard::Selector {
    fn from(selector: &LabelSelector) -> Self {
        let requirement = |requirement: &LabelRequirement| standard::Requirement {
            key: requirement.key.clone(),
            operator: match requirement.operator {
                LabelOperator::In => standard::Operator::In,
                LabelOperator::NotIn => standard::Operator::NotIn,
                LabelOperator::Exists => standard::Operator::Exists,
                LabelOperator::DoesNotExist => standard::Operator::DoesNotExist,
            },
            values: requirement.values.clone(),
        };
        Self {
            match_labels: selector.match_labels.clone(),
            match_expressions: selector.match_expressions.iter().map(requirement).collect(),
        }
    }
}

/// What is known of a Standard. It changes only when its inputs do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StandardStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default)]
    pub observed_generation: i64,
    /// Conditions Ready, Reconciling, Stalled, Held.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// The revision that is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_revision: Option<RevisionText>,
    /// Where that was read from: a restarted agent reads it there again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_source: Option<StandardSource>,
    /// The newest revision that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted_revision: Option<RevisionText>,
    /// What is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<StandardCounts>,
    /// Why the newest revision is not in force, the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<StatusProblem>,
    /// What is not wrong and should be looked at in what is in force, such as waivers that expire soon, the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<StatusProblem>,
    /// Value of the last `tandemcd.io/requestedAt` that was handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

/// Where the revision in force was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StandardSource {
    /// URL of its Repository at that time.
    pub url: String,
    /// `spec.path` at that time.
    pub path: String,
    /// The agent's signature over this and the revision: what somebody else writes here counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
}

/// What is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StandardCounts {
    /// Policies.
    pub policies: u32,
    /// Bindings of those.
    pub bindings: u32,
    /// Waivers, expired ones included.
    pub waivers: u32,
}

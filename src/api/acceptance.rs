//! `Acceptance`: what was last accepted of a reviewed Repository, signed by the agent.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::revision::review::Profile;

/// What was last accepted of the Repository of the same name, signed by the agent. It has no owner: whoever makes the
/// Repository anew finds what was accepted before.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "tandemcd.io",
    version = "v1alpha1",
    kind = "Acceptance",
    namespaced,
    doc = "What was last accepted of the Repository of the same name. Internal: written and signed only by the agent.",
    printcolumn(name = "Commit", type_ = "string", json_path = ".spec.record.commit"),
    printcolumn(name = "Sequence", type_ = "integer", json_path = ".spec.record.sequence"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AcceptanceSpec {
    /// What is signed.
    pub record: AcceptanceRecord,
    /// The signature, as `ssh-keygen -Y verify -n acceptance@tandemcd.io` reads it.
    pub signature: String,
}

/// What was last accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptanceRecord {
    /// Name of the cluster.
    pub cluster: String,
    /// Namespace and name of the Repository.
    pub of: String,
    /// The repository: host and path.
    pub repository: String,
    /// Revision up to which every step was accepted, `main@sha1:<hash>`.
    pub revision: String,
    /// Grows with each record: of two, the one with the higher number counts.
    #[schemars(range(max = 9_007_199_254_740_991_i64))]
    pub sequence: u64,
    /// Under which profile it was accepted.
    pub profile: Profile,
    /// The first revision was trusted as it was (`spec.review.trustFirst`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trusted_first: bool,
    /// Steps that were accepted without the approvals that they lacked (profile `Observe`).
    #[serde(default)]
    #[schemars(range(max = 9_007_199_254_740_991_i64))]
    pub unreviewed: u64,
    /// The last of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_unreviewed: Option<String>,
    /// Approvals that were taken back: they count no more, also where somebody removes the note that says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub withdrawn: Vec<WithdrawnApproval>,
    /// The newest revision that Syncs were given, where it is newer than what is accepted: it passed what is asked of a
    /// commit as a whole, and some step up to it lacks approval. They stay with it while a newer one is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    /// What was accepted before: the steps from there are looked at again while a plan of them waits for approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What was said of plans, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub plans: Vec<ApprovedPlan>,
    /// Commits after the accepted one that go ahead of their review, or went ahead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub broken_glass: Vec<BrokenGlass>,
    /// Commits that went ahead of their review at any time, newest last: one that comes again has no other time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub glass_seen: Vec<GlassSeen>,
    /// Accounts by whose logins `CODEOWNERS` names them, as of when an approval of theirs first counted: who takes such a
    /// login over is not who was meant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 10_000))]
    pub logins: BTreeMap<String, u64>,
}

/// The time of a commit that went ahead of its review.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GlassSeen {
    /// The commit.
    pub commit: String,
    /// When the agent first saw it.
    pub seen_at: String,
    /// Until when it went ahead.
    pub until: String,
}

/// A commit that goes ahead of its review, or went ahead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrokenGlass {
    /// The commit.
    pub commit: String,
    /// Who answers for it, as the owners file calls them.
    pub by: String,
    /// Why, in their words.
    #[schemars(length(max = 1000))]
    pub reason: String,
    /// When the agent first saw it.
    pub seen_at: String,
    /// Until when it goes ahead. Nothing rolls back then, and nothing later is deployed that is not approved.
    pub until: String,
}

/// What somebody approved to become of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovedPlan {
    /// The step of the mainline.
    pub commit: String,
    /// Who, as the owners file calls them.
    pub by: String,
    /// Fingerprint of the key.
    pub key: String,
    /// The commit that they approved: the step, or the head of the pull request that it is the merge of.
    pub head: String,
    /// When, by their own word.
    pub at: String,
    /// From when on it does not count.
    pub expires: String,
    /// Digests of the plans, by `namespace/name` of their Syncs.
    pub plans: std::collections::BTreeMap<String, String>,
}

/// An approval that was taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WithdrawnApproval {
    /// Fingerprint of the key.
    pub key: String,
    /// The commit.
    pub head: String,
    /// What the key approved until then is taken back.
    pub at: String,
}

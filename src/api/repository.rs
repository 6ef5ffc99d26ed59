//! `Repository`: where commits come from, and what a commit needs before it may deploy.

#![allow(clippy::duplicated_attributes)] // several printer columns are no mistake

use kube::CustomResource;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Condition;
use super::forge::{Check, Forge, Publish};
use crate::revision::review::Profile;

/// Where commits come from.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "tandemcd.io",
    version = "v1alpha1",
    kind = "Repository",
    namespaced,
    shortname = "trepo",
    category = "tandem",
    status = "RepositoryStatus",
    doc = "Where commits come from, and what a commit needs before it may deploy.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.revision"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("!has(self.review) || !has(self.review.profile) || self.review.profile != 'Strict' || has(self.verify)").message("review.profile Strict needs verify"))]
#[x_kube(validation = Rule::new("!has(self.verify) || !has(self.verify.mode) || self.verify.mode == 'Commits' || has(self.ref.tag) || has(self.ref.semver)").message("verify.mode Tag and TagAndCommits need ref.tag or ref.semver"))]
#[x_kube(validation = Rule::new("!has(self.publish) || has(self.forge)").message("publish needs forge: where is it to be told?"))]
#[x_kube(validation = Rule::new("!has(self.publish) || !has(self.publish.deployments) || !has(self.forge) || self.forge.type != 'Gitea'").message("publish.deployments needs GitHub or GitLab: Gitea and Forgejo have no deployments; publish.commitStatus tells the same there"))]
#[x_kube(validation = Rule::new("!has(self.publish) || !has(self.publish.deployments) || !has(self.forge) || self.forge.type == 'GitHub' || !(has(self.publish.deployments.environmentURL) || has(self.publish.deployments.logURL))").message("publish.deployments: environmentURL and logURL are GitHub's alone; on GitLab an environment has its URL by itself"))]
#[x_kube(validation = Rule::new("!has(self.publish) || !has(self.publish.plan) || has(self.ref.branch)").message("publish.plan needs ref.branch: into what would pull requests be merged?"))]
#[x_kube(validation = Rule::new("!has(self.checks) || has(self.forge) || self.checks.all(c, !has(c.creator) && !has(c.app))").message("checks need forge: where is it said?"))]
#[x_kube(validation = Rule::new("!has(self.checks) || self.checks.all(c, !has(c.commit) || c.commit != 'Head') || has(self.review) && has(self.review.forge) && self.review.forge").message("checks of the Head need review.forge: by which pull request did a commit come?"))]
#[x_kube(validation = Rule::new("!has(self.review) || !has(self.review.forge) || !self.review.forge || has(self.forge)").message("review.forge needs forge: where are its reviews?"))]
#[serde(rename_all = "camelCase")]
pub struct RepositorySpec {
    /// `https://`, `ssh://`, or `http://` to a loopback address or a name inside the cluster.
    /// Credentials never stand in it.
    #[x_kube(validation = Rule::new("self.matches('^(https?://[^@/\\\\s]+|ssh://([^@:/\\\\s]+@)?[^@/\\\\s]+)/[^\\\\s]*$')").message("url must be https://host/path, http://host/path or ssh://user@host/path, without a password; scp-style addresses (git@host:path) are written ssh://git@host/path"))]
    #[schemars(length(min = 1, max = 2048))]
    pub url: String,
    /// Which commit: exactly one of its fields.
    pub r#ref: GitRef,
    /// How often the remote is asked for news, 15s unless said; a webhook makes news immediate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = super::DURATION))]
    pub interval: Option<String>,
    /// How long one exchange with the remote may take, 60s unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = super::DURATION))]
    pub timeout: Option<String>,
    /// Nothing is fetched while true; Syncs stay at what they have accepted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Account that reads the Secrets named here, in this namespace. Needed where any is named. Where it may get, list
    /// and watch them, a new value counts at once; where it may only get them, from the next poll on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Namespaces whose Syncs may use this Repository besides its own; `*` is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_namespaces: Vec<String>,
    /// Secret with the key `token`, which signs webhook deliveries for this Repository, or comes
    /// with them where the forge is GitLab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookSecretRef>,
    /// The forge that has this repository, for what is told there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forge: Option<Forge>,
    /// What is told on the forge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<Publish>,
    /// What others must say of a commit before it is deployed, on the forge or by a coverage file that CI signed; what was
    /// accepted before stays healed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub checks: Vec<Check>,
    /// Whose signatures a commit needs before anything of it is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
    /// What review a commit needs before anything of it is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// Lets the branch be rewritten once, from one named commit to another. Where `review` is set it counts for nothing: an
    /// approval that names both commits does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewind: Option<Rewind>,
}

/// Which commit of the repository is wanted.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("[has(self.branch), has(self.tag), has(self.semver), has(self.name), has(self.commit)].filter(x, x).size() == 1").message("exactly one of branch, tag, semver, name and commit must be set"))]
#[serde(rename_all = "camelCase")]
pub struct GitRef {
    /// Tip of a branch, by its short name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub branch: Option<String>,
    /// A tag, by its short name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub tag: Option<String>,
    /// The highest tag in a range, such as `>=1.2, <2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub semver: Option<String>,
    /// A full reference name, such as `refs/pull/7/head`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// A full commit id of 40 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = super::COMMIT))]
    pub commit: Option<String>,
}

/// Credentials of a Repository. The Secrets stand in its namespace; their keys are those that
/// Flux users know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    /// HTTPS: `username` and `password`, or `bearerToken`; `tls.crt` and `tls.key` for mutual TLS.
    /// SSH: `identity`, `known_hosts`, and `password` where the key has a passphrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalSecretRef>,
    /// Proxy: `address`, and `username` and `password` where it asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalSecretRef>,
    /// Certificate authorities that replace the system's: `ca.crt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<LocalSecretRef>,
}

/// A Secret in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LocalSecretRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Where webhook deliveries get their key from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookSecretRef {
    /// A Secret with the key `token`.
    pub secret_ref: LocalSecretRef,
}

/// Whose signatures a commit needs before anything of it is applied. While one is missing the new revision is held,
/// and what was accepted before stays healed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verify {
    /// What must be signed: every commit since the last one that was verified (`Commits`), the tag alone, which then
    /// vouches for all before it (`Tag`), or both.
    #[serde(default)]
    pub mode: VerifyMode,
    /// Secret with the public keys that may sign, read as `spec.serviceAccountName`: `allowed_signers` and `revoked_keys`
    /// as `ssh-keygen` has them, `*.pub` with SSH keys, `*.asc` with OpenPGP keys; `merges*.pub` and `merges*.asc` with keys of
    /// a forge that count for merges alone. At least one key of a person must be there.
    pub secret_ref: LocalSecretRef,
    /// Commit up to which history is trusted as it is, itself included. Needed where a commit that was never signed
    /// stands between what is deployed and what should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = super::COMMIT))]
    pub since: Option<String>,
}

/// What must be signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VerifyMode {
    /// Every commit, merges included.
    #[default]
    Commits,
    /// The annotated tag.
    Tag,
    /// Both.
    TagAndCommits,
}

/// What review a commit needs before anything of it is applied: each step of the mainline needs the approval of people
/// whom `.tandem/owners.yaml` of the accepted revision lists, and who had no hand in it. While one is missing, Syncs that
/// read what it changes are held, and what was accepted before stays healed.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("has(self.since) != (has(self.trustFirst) && self.trustFirst)").message("one of since and trustFirst must say where review begins"))]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// How much is asked for.
    #[serde(default)]
    pub profile: Profile,
    /// Where review begins: this commit is trusted as it is. Once something is accepted this says nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<ReviewSince>,
    /// The first revision that is found is trusted as it is; the status tells so for ever.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trust_first: bool,
    /// What Syncs may render with beside what stands in the accepted commit.
    #[serde(default)]
    pub inputs: ReviewInputs,
    /// Reviews on `spec.forge` count too, of accounts that the owners file lists: approvals of exactly the head of the pull
    /// request that a step is the merge of. Where there is no owners file, `CODEOWNERS` says of whom one is asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forge: bool,
    /// Where somebody must also approve what becomes of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<ReviewPlan>,
}

/// Where somebody must also approve what becomes of the cluster: a new revision of a Sync that reads any of these paths is applied
/// when one of those who approved a step that it reads has approved exactly its plan (`tandem approve --plan`). What is accepted
/// is healed without.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewPlan {
    /// Files and folders, from the root of the repository; `/` is all of it.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 1024)))]
    pub paths: Vec<String>,
}

/// What Syncs may render with beside what stands in a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReviewInputs {
    /// Nothing that may become something else while nobody reviews it: no ConfigMaps and Secrets with variables or values,
    /// and charts from elsewhere by their digest alone. A Sync that names others is held.
    #[default]
    Pinned,
    /// Whatever the Sync names.
    Any,
}

/// Where review begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewSince {
    /// The commit that is trusted as it is.
    #[schemars(regex(pattern = super::COMMIT))]
    pub commit: String,
    /// SHA-256 of `.tandem/owners.yaml` in that commit: `git show <commit>:.tandem/owners.yaml | sha256sum`.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub owners: String,
}

/// Permission for one rewrite of history. It names both commits, so it can serve no other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rewind {
    /// The accepted commit that is left behind.
    #[schemars(regex(pattern = super::COMMIT))]
    pub from: String,
    /// The commit that takes its place.
    #[schemars(regex(pattern = super::COMMIT))]
    pub to: String,
}

/// What is known of the remote.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default)]
    pub observed_generation: i64,
    /// Newest revision that was fetched whole, `main@sha1:<hash>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// How far review is asked for; `Unreviewed` where nothing is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<String>,
    /// Newest revision whose signatures were verified, where `spec.verify` asks for that: later ones are verified from
    /// here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<VerifiedRevision>,
    /// What review is in force, and what was accepted under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_status: Option<ReviewStatus>,
    /// Path of the webhook of this Repository on the agent's HTTP port. What is sent there of another repository does nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_path: Option<String>,
    /// Conditions Ready, Reconciling, Stalled, Held.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// Value of the last `tandemcd.io/requestedAt` that was handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

/// What review is in force, and what was accepted under it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewStatus {
    /// What each step needs, in words.
    pub settings: String,
    /// Revision up to which every step was accepted, `main@sha1:<hash>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// The first revision was trusted as it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trusted_first: bool,
    /// Steps that were accepted although they lacked approval, as the profile `Observe` lets them.
    #[serde(default)]
    #[schemars(range(max = 9_007_199_254_740_991_i64))]
    pub unreviewed: u64,
    /// The last of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_unreviewed: Option<String>,
    /// SSH public key with which the agent signs plans: who approves one knows it by `clusters` of the owners file.
    #[serde(default)]
    pub plan_key: String,
    /// Commits that wait for approval now, oldest first; at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
}

/// A revision whose signatures were verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifiedRevision {
    /// Which, `main@sha1:<hash>`.
    pub revision: String,
    /// Whose signature its commit or tag has; none where it was trusted as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The agent's signature over this: what somebody else writes here counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
}

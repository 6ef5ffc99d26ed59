//! `Repository`: where commits come from, and what a commit needs before it may deploy.

#![allow(clippy::duplicated_attributes)] // several printer columns are no mistake

use kube::CustomResource;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Condition;

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
    /// Account that reads the Secrets named here, in this namespace. Needed where any is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Namespaces whose Syncs may use this Repository besides its own; `*` is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_namespaces: Vec<String>,
    /// Secret with the key `token`, which signs webhook deliveries for this Repository, or comes
    /// with them where the forge is GitLab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookSecretRef>,
    /// Lets the branch be rewritten once, from one named commit to another.
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
    /// Path of the webhook of this Repository on the agent's HTTP port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_path: Option<String>,
    /// Conditions Ready, Reconciling, Stalled.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// Value of the last `tandemcd.io/requestedAt` that was handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

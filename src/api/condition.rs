//! Conditions, as kstatus and every tool of the field read them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Types of conditions that our kinds carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// The cluster equals the newest revision, and is healthy.
    Ready,
    /// Work is in hand; present only while true.
    Reconciling,
    /// Only a person can mend it; present only while true.
    Stalled,
    /// Health of the objects, whatever revision they are of.
    Healthy,
    /// A newer revision is held back; the accepted one stays healed.
    Held,
    /// A commit went ahead of its review, and nobody else has approved it yet; present only while true.
    GlassBroken,
}

/// `True`, `False` or `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Not known yet.
    Unknown,
}

/// One condition; the fields are those of `meta/v1 Condition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which condition.
    #[serde(rename = "type")]
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Stable CamelCase reason.
    pub reason: String,
    /// For people; never holds a secret value.
    pub message: String,
    /// Generation of the spec that it speaks of.
    pub observed_generation: i64,
    /// When `status` last changed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub last_transition_time: Timestamp,
}

/// A revision in its written form, `main@sha1:<hash>`.
pub type RevisionText = String;

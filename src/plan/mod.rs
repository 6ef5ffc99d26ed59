//! Desired × inventory × live → plan, and what may be carried out of it.

mod admit;
mod phase;

pub use admit::{Admitted, AdmittedChange};
pub use phase::Phase;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::object::{Digest, Manifest, ObjectId, Origin, Problem};

/// What is to be done with one object, in kubectl's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Not in the cluster, as far as known.
    Created,
    /// In the cluster, and different or not known to be equal.
    Configured,
    /// Known to be equal; no request is sent.
    Unchanged,
    /// Left Git.
    Deleted,
    /// Left alone on purpose; the reason says why.
    Skipped,
}

/// One desired object, complete as it is sent: namespace resolved, normalised, labelled.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The body is what is sent.
    pub manifest: Manifest,
    /// Digest of the body.
    pub digest: Digest,
    /// When it is applied.
    pub phase: Phase,
}

/// What is known of a live object without asking the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Live {
    /// No watch speaks of it.
    Unknown,
    /// A GET was answered with 404. Absence from a watch is never absence.
    Absent,
    /// A watch or an answer showed it.
    Present(Seen),
}

/// A live object, as far as a plan needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// Digest of our managedFields entry with the values at its paths, and of fields that
    /// interactive managers added; `None` where our entry is gone.
    pub fields: Option<Digest>,
    /// Who changed it last, where managedFields shows it.
    pub author: Option<String>,
    /// Value of the annotation that names its owner.
    pub owner: Option<String>,
    /// Whether it is being deleted.
    pub terminating: Terminating,
}

/// Whether an object is being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminating {
    /// No.
    No,
    /// It has a deletion timestamp.
    Yes,
}

/// What is known of the live objects.
pub type Observed = BTreeMap<ObjectId, Live>;

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Which object.
    pub id: ObjectId,
    /// `apiVersion` it is applied or deleted with.
    pub api_version: String,
    /// What is to be done.
    pub action: Action,
    /// Stable CamelCase reason.
    pub reason: String,
    /// When.
    pub phase: Phase,
    /// Where it was written; `None` for what left Git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Digest of what is sent; `None` for what left Git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<Digest>,
    /// Why it cannot be dry-run before its phase, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred: Option<String>,
    /// Fields that differ, secret values masked; only where the live object was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// As people read it: `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// Live value; `None` where it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<serde_json::Value>,
    /// Desired value; `None` where it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<serde_json::Value>,
}

impl Eq for FieldChange {}

/// What is to be done for one Sync. It serialises deterministically: what `tandem plan` prints,
/// shadow mode reports, apply executes and records keep is the same value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// In the order of execution: phases, then identity; deletions last, in reverse order.
    pub changes: Vec<Change>,
    /// What is wrong with the desired objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

//! Desired × inventory × live → plan, and what may be carried out of it.
//!
//! The protocol of a run, each step a pure function between two exchanges with the outside:
//!
//! 1. [`resolve`]: manifests × scopes → [`Desired`] objects, complete as they are sent, and problems.
//! 2. [`plan`]: desired × inventory × [`Observed`] × [`Claims`] → [`Plan`]. Changes with
//!    [`Change::look`] could not be decided without the live object: read those (all at once), add
//!    [`see`]'s answers to `Observed`, plan again. One round is enough: absent and present decide.
//! 3. With answers of dry-runs, [`refine`] turns *configured* into what is true: created, configured
//!    or unchanged. A refusal is a [`Problem`] by object. An immutable field of an object that
//!    permits `force` becomes a recreation ([`recreate`]), which counts as a deletion.
//! 4. [`judge`]: the deletion budget's [`Verdict`] over the refined plan.
//! 5. [`admit`]: plan × acceptance × verdict × refusals → [`Admitted`], or a [`Hold`] that says why.
//! 6. [`intended`]: the inventory as it must be written *before* the first change goes out.
//! 7. [`Admitted::steps`]: phases with their [`AdmittedChange`]s. With
//!    [`Method::ApplyOver`] the live object is read just before, and [`AdmittedChange::over`] it is sent. An answer that shows entries of
//!    other deployers (`object::fields::adopt_patch`) is patched, then applied once more.
//! 8. [`record`]: answer → inventory entry; [`forgets`]: which entries go.
//!
//! An object is *not* read before its first apply where nothing speaks for its existence: no entry
//! in the inventory, none in a watch, no claim of another Sync. The answer (201 or 200) tells.

mod admit;
mod budget;
mod claim;
mod deferred;
mod diff;
mod make;
mod normalise;
mod observe;
mod pairs;
mod payload;
mod phase;
mod record;
mod references;
mod resolve;
mod scope;
mod trailer;

pub use admit::{Admitted, AdmittedChange, Course, Hold, OnInvalid, Over, Refusals, Step, admit};
pub use budget::{Along, Budget, Spending, Verdict, judge};
pub use claim::{Claim, Claims, SyncName};
pub use diff::{diff, drift};
pub use make::{Input, Pruning, plan};
pub use observe::{see, yields_of};
pub use payload::payload;
pub use phase::Phase;
pub use record::{Answer, Answered, completed, forgets, intended, recreate, record, refine};
pub use resolve::{Owner, Rules, resolve};
pub use scope::{Known, Lookup, Scope, Scopes};
pub use trailer::{Paid, Trailer, TrailerError, trailers};

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::object::fields::Yields;
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

/// Why a change has its action. The name is the stable reason that readers see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    /// Created: nothing speaks of it yet.
    New,
    /// Created: we applied it, and it is gone.
    Missing,
    /// Configured: the manifest changed.
    Changed,
    /// Configured: the live object was changed.
    Drifted,
    /// Configured: it was deleted and created by somebody else.
    ReplacedByOthers,
    /// Configured: it was in the cluster before us.
    Adopted,
    /// Configured: another Sync gave it up.
    TakenOver,
    /// Configured: it was sent, and the answer never came.
    Unconfirmed,
    /// Configured: a finished Job whose manifest changed is deleted and created.
    JobReplaced,
    /// Configured: an immutable field changed, and the manifest permits to delete and create.
    Recreated,
    /// Unchanged: as applied.
    UpToDate,
    /// Unchanged: a Job that finished never runs again for the same manifest.
    JobCompleted,
    /// Deleted: no manifest names it any more.
    LeftGit,
    /// Skipped: `tandemcd.io/reconcile: disabled`.
    ReconcileDisabled,
    /// Skipped: `tandemcd.io/apply: IfNotPresent`, and it is there.
    AlreadyPresent,
    /// Skipped: `tandemcd.io/prune: disabled`, or the Sync's `prune: Disabled`.
    PruneDisabled,
    /// Skipped: the source was empty or could not be read whole; nothing is deleted.
    SourceIncomplete,
    /// Skipped: another Sync owns it and keeps it.
    OwnedByAnother,
    /// Skipped: it moves between two Syncs, and the other has its step to do.
    HandOverPending,
    /// Skipped, and forgotten: another Sync took it over.
    HandedOver,
    /// Skipped, and forgotten: it is gone already.
    AlreadyGone,
    /// Skipped, and forgotten: somebody else's object has its name now.
    NotOurs,
    /// Skipped: it is being deleted.
    Terminating,
    /// Skipped: the agent never deletes itself, its namespace or its definitions.
    Protected,
    /// Skipped: something that is wanted lives in it.
    InUse,
    /// Skipped: a newer version of the agent left a mark that this one does not know.
    UnknownFlag,
    /// Skipped: the API server refuses it.
    Refused,
    /// Skipped: it waits for something that is refused.
    WaitsForRefused,
}

impl Reason {
    /// Stable CamelCase name.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::New => "New",
            Reason::Missing => "Missing",
            Reason::Changed => "Changed",
            Reason::Drifted => "Drifted",
            Reason::ReplacedByOthers => "ReplacedByOthers",
            Reason::Adopted => "Adopted",
            Reason::TakenOver => "TakenOver",
            Reason::Unconfirmed => "Unconfirmed",
            Reason::JobReplaced => "JobReplaced",
            Reason::Recreated => "Recreated",
            Reason::UpToDate => "UpToDate",
            Reason::JobCompleted => "JobCompleted",
            Reason::LeftGit => "LeftGit",
            Reason::ReconcileDisabled => "ReconcileDisabled",
            Reason::AlreadyPresent => "AlreadyPresent",
            Reason::PruneDisabled => "PruneDisabled",
            Reason::SourceIncomplete => "SourceIncomplete",
            Reason::OwnedByAnother => "OwnedByAnother",
            Reason::HandOverPending => "HandOverPending",
            Reason::HandedOver => "HandedOver",
            Reason::AlreadyGone => "AlreadyGone",
            Reason::NotOurs => "NotOurs",
            Reason::Terminating => "Terminating",
            Reason::Protected => "Protected",
            Reason::InUse => "InUse",
            Reason::UnknownFlag => "UnknownFlag",
            Reason::Refused => "Refused",
            Reason::WaitsForRefused => "WaitsForRefused",
        }
    }

    /// Whether the run is not at its end as long as this stands: `Ready=True` is impossible then.
    pub fn is_pending(self) -> bool {
        matches!(
            self,
            Reason::OwnedByAnother
                | Reason::HandOverPending
                | Reason::Terminating
                | Reason::InUse
                | Reason::SourceIncomplete
                | Reason::UnknownFlag
                | Reason::Refused
                | Reason::WaitsForRefused
        )
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a change is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Method {
    /// No request.
    Nothing,
    /// One server-side apply of the manifest.
    Apply,
    /// The live object is read, and the apply leaves it what others own ([`payload`]).
    ApplyOver,
    /// Deleted with preconditions, waited for, applied.
    Replace,
    /// Deleted with preconditions.
    Delete,
}

/// Why the live object must be read before this change can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Look {
    /// The inventory speaks of it, and no watch does.
    Unseen,
    /// `IfNotPresent`: whether it is there decides.
    Presence,
    /// Some of its fields are left to others where it exists.
    Yields,
}

/// How the manifest steers the agent, by its annotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Steer {
    /// `tandemcd.io/reconcile: disabled`.
    ReconcileDisabled,
    /// `tandemcd.io/prune: disabled`.
    PruneDisabled,
    /// `tandemcd.io/force: enabled`.
    Force,
    /// `tandemcd.io/conflict: Keep`.
    KeepConflicts,
    /// `tandemcd.io/apply: IfNotPresent`.
    IfNotPresent,
    /// An autoscaler in the same set owns `spec.replicas`.
    Autoscaled,
}

/// One desired object, complete as it is sent: namespace resolved, normalised, labelled.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The body is what is sent.
    pub manifest: Manifest,
    /// Plural name of its kind in the API, such as `deployments`.
    pub plural: String,
    /// Digest of the body without what it yields.
    pub digest: Digest,
    /// When it is applied.
    pub phase: Phase,
    /// How its annotations steer the agent.
    pub steers: BTreeSet<Steer>,
    /// Fields that are left to others once the object exists.
    pub yields: Yields,
}

impl Desired {
    /// Which object it is.
    pub fn id(&self) -> &ObjectId {
        &self.manifest.id
    }

    /// Whether its annotations say so.
    pub fn is(&self, steer: Steer) -> bool {
        self.steers.contains(&steer)
    }
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

/// A live object, as far as a plan needs it; [`see`] makes one.
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
    /// Whether it is a Job that ended, well or not.
    pub finished: Finished,
}

/// Whether an object is being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminating {
    /// No.
    No,
    /// It has a deletion timestamp.
    Yes,
}

/// Whether a Job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It is no Job, or it runs.
    No,
    /// It has the condition Complete.
    Succeeded,
    /// It has the condition Failed.
    Failed,
}

/// What is known of the live objects; what is missing is [`Live::Unknown`].
pub type Observed = BTreeMap<ObjectId, Live>;

/// What must still be so when a deletion arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precondition {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
}

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
    /// Why.
    pub reason: Reason,
    /// How.
    pub method: Method,
    /// When.
    pub phase: Phase,
    /// Where it was written; `None` for what left Git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Digest of what is sent; `None` for what left Git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<Digest>,
    /// Why the live object must be read first, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
    /// Why it cannot be dry-run before its phase, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred: Option<String>,
    /// Who changed the live object, where it drifted; `unknown` where nothing shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The other party: the Sync that owns, gives or takes the object; the object that is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    /// Fields that differ, secret values masked; only where the live object was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// What a deletion must find; no part of the written form, which speaks of content alone.
    #[serde(skip)]
    pub precondition: Option<Precondition>,
}

impl Change {
    /// A change that sends nothing, and of which no more is known.
    pub fn new(id: ObjectId, api_version: impl Into<String>, phase: Phase, action: Action, reason: Reason) -> Self {
        Self {
            id,
            api_version: api_version.into(),
            action,
            reason,
            method: Method::Nothing,
            phase,
            origin: None,
            desired: None,
            look: None,
            deferred: None,
            author: None,
            other: None,
            fields: Vec::new(),
            precondition: None,
        }
    }
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
    /// What is worth telling and holds nothing: another Sync wants an object that is ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Problem>,
}

impl Plan {
    /// Whether carrying it out sends no request that changes anything.
    pub fn is_empty(&self) -> bool {
        self.changes.iter().all(|change| change.method == Method::Nothing)
    }

    /// How many changes have an action.
    pub fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|change| change.action == action).count()
    }

    /// The objects that must be read before the plan is whole.
    pub fn to_look_at(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.look.is_some())
    }
}

#[cfg(test)]
mod tests;

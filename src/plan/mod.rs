//! Desired × inventory × live → plan, and what may be carried out of it.
//!
//! The protocol of a run, each step a pure function between two exchanges with the outside:
//!
//! 1. [`resolve()`]: manifests × scopes → [`Desired`] objects, complete as they are sent, and problems.
//! 2. [`plan`]: desired × inventory × [`Observed`] × [`Claims`] → [`Plan`]. Changes with
//!    [`Change::look`] could not be decided without the live object: read those (all at once), add
//!    [`see`]'s answers to `Observed`, plan again. One round is enough: absent and present decide.
//! 3. With answers of dry-runs, [`refine`] turns *configured* into what is true: created, configured
//!    or unchanged. A refusal is a [`Problem`] by object. An immutable field of an object that
//!    permits `force` becomes a recreation ([`recreate`]), which counts as a deletion. A webhook that
//!    cannot be asked, and whose configuration leaves in the same plan, goes first ([`clear_first`]);
//!    then all is planned again.
//! 4. [`judge`]: the deletion budget's [`Verdict`] over the refined plan.
//! 5. [`admit()`]: plan × acceptance × verdict × refusals → [`Admitted`], or a [`Hold`] that says why.
//! 6. [`intended`]: the inventory as it must be written *before* the first change goes out.
//! 7. [`Admitted::steps`]: phases with their [`AdmittedChange`]s. With
//!    [`Method::ApplyOver`] the live object is read just before, and [`AdmittedChange::over`] it is sent. An answer that shows entries of
//!    other deployers (`object::fields::adopt_patch`) is patched, then applied once more.
//! 8. [`record()`]: answer → inventory entry; [`forgets`]: which entries go.
//!
//! An object is *not* read before its first apply where nothing speaks for its existence: no entry
//! in the inventory, none in a watch, no claim of another Sync. The answer (201 or 200) tells.

mod admit;
mod budget;
mod claim;
mod deferred;
mod diff;
mod essence;
mod make;
mod marks;
mod normalise;
mod observe;
mod pairs;
mod payload;
mod phase;
mod reason;
mod record;
mod references;
mod resolve;
mod scope;
pub mod signed;
mod trailer;

pub use admit::{Admitted, AdmittedChange, Course, Hold, OnInvalid, Over, Refusals, Step, admit};
pub use budget::{Along, Budget, Spending, Verdict, foreseen, judge};
pub use claim::{Claim, Claims, SyncName};
pub use deferred::{clear_first, has_webhook, webhooks_that_leave};
pub use diff::{Shown, changed_fields, diff, drift, mask_fields};
pub use essence::{Detail, Difference, Essence, EssenceLine, essence, is_hidden};
pub use make::{Input, Pruning, is_the_agents, plan};
pub use marks::without_marks;
pub use observe::{see, yields_of};
pub use payload::sent;
pub use phase::{Phase, phase_of_kind};
pub use reason::{Action, Look, Method, Reason};
pub use record::{Answer, Answered, completed, expired, forgets, intended, record, recreate, refine};
pub use resolve::{Owner, Rules, resolve};
pub use scope::{Known, Lookup, Scope, Scopes};
pub use trailer::{Paid, Trailer, TrailerError, trailers};

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::object::fields::Yields;
use crate::object::{Digest, Manifest, ObjectId, Origin, Problem};

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
    /// When within its phase, for a Job of one before or after the workloads.
    pub order: i32,
    /// How its annotations steer the agent.
    pub steers: BTreeSet<Steer>,
    /// Fields that are left to others once the object exists.
    pub yields: Yields,
}

impl Desired {
    /// A desired object that is sent as it is written, steers nothing and yields nothing. Objects
    /// of a Sync come from [`resolve()`].
    pub fn plain(manifest: Manifest, plural: impl Into<String>, phase: Phase, digest: Digest) -> Self {
        Self {
            manifest,
            plural: plural.into(),
            digest,
            phase,
            order: 0,
            steers: BTreeSet::new(),
            yields: Yields::none(),
        }
    }

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
    /// Whether entries of people or of other deployers stand on it that adoption moves into ours.
    pub foreign: Foreign,
    /// Who sets its replicas.
    pub replicas: Replicas,
}

/// Who sets the replicas of an object, where it has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicas {
    /// Git, or a person.
    Given,
    /// An autoscaler set them last: they are left to it.
    Autoscaled,
}

/// Whether an object has fields that are to be adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// No.
    No,
    /// `object::fields::adopt_patch` has something to move.
    Yes,
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
    /// When within the phase: what has a smaller number completes first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub order: i32,
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
            order: 0,
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

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_zero(number: &i32) -> bool {
    *number == 0
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
    /// In the order of execution: phases, then identity; deletions last, in reverse order, save
    /// those that are in the way of the rest ([`clear_first`]).
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

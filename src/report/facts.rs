//! What is known of a Sync and of a Repository: the one value from which every reader is told.
//!
//! The agent keeps the facts; conditions, status, Events and metrics are composed from them here.
//! Equal facts give equal conditions, so a status is written only when a fact changed.

use serde::{Deserialize, Serialize};

use super::reason::Reason;
use crate::api::{
    AppliedRun, BrokenGlass, Mode, ReviewStatus, StandardCounts, StandardSource, StandardVerdicts, VerifiedRevision,
};
use crate::failure::Failed;
use crate::health::SetHealth;
use crate::object::{ObjectId, Problem};
use crate::revision::Revision;
use crate::revision::review::Profile;

/// Everything about a Sync that its status is composed from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SyncFacts {
    /// Generation of the spec that the rest speaks of.
    pub generation: i64,
    /// Last value of `tandemcd.io/requestedAt` that was handled.
    pub handled_request: Option<String>,
    /// `spec.suspend`.
    pub suspended: bool,
    /// `spec.mode`.
    pub mode: Mode,
    /// The Repository.
    pub source: Source,
    /// What may be deployed, and drift is healed to.
    pub accepted: Option<Revision>,
    /// The agent's signature over that.
    pub accepted_seal: Option<String>,
    /// The newest that was tried.
    pub attempted: Option<Revision>,
    /// The newest that was applied whole.
    pub applied: Option<Revision>,
    /// What is being done now. A pass that can change nothing (a repair of drift, the hourly check)
    /// is no progress: readers would see a ready Sync flicker.
    pub progress: Option<Progress>,
    /// How the last attempt ended. It goes back to `None` when another revision or generation is
    /// tried, and stays while the same one is tried again.
    pub verdict: Verdict,
    /// A newer revision, or its deletions, held back. Independent of the verdict, which speaks of
    /// the accepted revision.
    pub hold: Option<Hold>,
    /// A newer revision that its Repository holds back from every Sync.
    pub withheld: Option<Hold>,
    /// What the Standards in force say of the revision that was judged last.
    pub standard: Option<StandardVerdicts>,
    /// Health of what the Sync owns.
    pub health: SetHealth,
    /// How long it has not been healthy.
    pub health_wait: HealthWait,
    /// Drift that was not put right.
    pub drift: Drift,
    /// ConfigMaps and Secrets that it renders with and its account may not watch.
    pub unwatched: Vec<String>,
    /// Whether the accepted revision was reviewed.
    pub review: Option<Profile>,
    /// Whether what is applied went ahead of its review (break glass), and nobody else has approved it yet.
    pub went_ahead: bool,
    /// Outcomes that changed something, newest first.
    pub history: Vec<AppliedRun>,
    /// Deletions that trailers paid for.
    pub deletions_paid: Vec<String>,
    /// Deletions since a revision was last applied whole that nothing paid for.
    pub deletions_unpaid: u32,
}

impl SyncFacts {
    /// What is held back, where something is. That what is newer is held for all says more than that a step before it waits
    /// for approval.
    pub fn held(&self) -> Option<&Hold> {
        let waits = |hold: &&Hold| matches!(hold.reason, Reason::ReviewMissing | Reason::OwnersInvalid);
        let newer = self.withheld.as_ref().filter(|_| self.hold.as_ref().is_some_and(|hold| waits(&hold)));
        newer.or(self.hold.as_ref()).or(self.withheld.as_ref())
    }
}

/// The Repository as a Sync sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Nothing was heard of it yet.
    #[default]
    Unknown,
    /// It yields revisions.
    Ready,
    /// The last fetch failed. Syncs stay at what they have accepted.
    Failing {
        /// Its reason and message, as its own condition tells them.
        told: String,
    },
    /// It is not there.
    Missing {
        /// `namespace/name`.
        name: String,
    },
    /// It is in another namespace and does not allow this one.
    Denied {
        /// `namespace/name`.
        name: String,
    },
}

/// A stage of a run, in the order of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// From the remote to the cache.
    Fetch,
    /// From the tree to manifests.
    Render,
    /// From manifests to a plan.
    Plan,
    /// Dry-run of what would change.
    Validate,
    /// Writing.
    Apply,
    /// Deleting what left Git.
    Prune,
    /// Waiting for what was applied to be healthy.
    Health,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 7] =
        [Self::Fetch, Self::Render, Self::Plan, Self::Validate, Self::Apply, Self::Prune, Self::Health];

    /// As labels and logs write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Render => "render",
            Self::Plan => "plan",
            Self::Validate => "validate",
            Self::Apply => "apply",
            Self::Prune => "prune",
            Self::Health => "health",
        }
    }

    /// What people read while it lasts.
    pub fn doing(self) -> &'static str {
        match self {
            Self::Fetch => "fetching",
            Self::Render => "rendering",
            Self::Plan => "planning",
            Self::Validate => "validating",
            Self::Apply => "applying",
            Self::Prune => "pruning",
            Self::Health => "waiting for health",
        }
    }
}

/// What is being done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The stage.
    pub stage: Stage,
    /// More about it, such as the phase; may be empty.
    pub message: String,
}

/// How the last attempt ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Verdict {
    /// None has ended yet.
    #[default]
    None,
    /// Everything was applied.
    Applied,
    /// Shadow mode: this would have been done.
    Shadowed(ShadowSummary),
    /// Something in the spec cannot be meant so.
    InvalidSpec(Vec<Problem>),
    /// Something in the repository was refused.
    Refused {
        /// Where: `Render` for files, `Plan` and `Validate` for objects.
        stage: Stage,
        /// All that is wrong.
        problems: Vec<Problem>,
        /// With `onInvalid: ApplyRest`, how many objects were applied nevertheless.
        applied_rest: Option<u32>,
    },
    /// A step failed.
    Failed {
        /// Where.
        stage: Stage,
        /// Why.
        failed: Failed,
    },
    /// Something in `dependsOn` is not ready.
    WaitingForDependency {
        /// Each, with why: `Sync/shop/database: suspended`.
        on: Vec<String>,
    },
    /// Syncs wait for one another.
    DependencyCycle {
        /// The circle, as `namespace/name`; the first is repeated at the end.
        path: Vec<String>,
    },
    /// The revision killed its worker too often.
    Quarantined {
        /// How often.
        crashes: u32,
        /// What the worker's last words or signal were.
        message: String,
    },
    /// The Sync is being deleted.
    Finalizing {
        /// What is being done or waited for.
        message: String,
    },
}

/// What shadow mode would have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShadowSummary {
    /// Objects by action.
    pub counts: super::outcome::ActionCounts,
}

/// A newer revision, or its deletions, held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Why.
    pub reason: Reason,
    /// For people, with what to do.
    pub message: String,
    /// All that it is held for, where that is more than the message says.
    pub problems: Vec<Problem>,
    /// The plan that waits for approval, as it is carried about ([`crate::plan::signed`]).
    pub plan: Option<String>,
}

impl Hold {
    /// A hold of which the message says all.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), problems: Vec::new(), plan: None }
    }
}

/// How long a Sync has not been healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HealthWait {
    /// The applied revision has not been healthy yet, and its timeout has not passed.
    #[default]
    First,
    /// The applied revision was healthy once. That something is on its way again (a Pod moves, an
    /// autoscaler scales) does not make the Sync unready until the timeout passes.
    Settled,
    /// For longer than the timeout.
    Exceeded,
}

/// Drift that was not put right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// How many objects.
    pub objects: u32,
    /// The first few, with their authors.
    pub first: Vec<(ObjectId, String)>,
    /// Another controller that sets a field back whenever it is put right.
    pub fight: Option<Fight>,
}

/// Another controller that sets a field back whenever it is put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fight {
    /// Over which object.
    pub id: ObjectId,
    /// Over which field, where it is known.
    pub field: Option<String>,
    /// With whom; `unknown` where managedFields show nobody.
    pub author: String,
    /// How often it was put right before it was slowed.
    pub rounds: u32,
}

/// Everything about a Repository that its status is composed from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RepositoryFacts {
    /// Generation of the spec that the rest speaks of.
    pub generation: i64,
    /// Last value of `tandemcd.io/requestedAt` that was handled.
    pub handled_request: Option<String>,
    /// `spec.suspend`.
    pub suspended: bool,
    /// Newest revision that was fetched whole.
    pub revision: Option<Revision>,
    /// How the last fetch ended.
    pub fetch: Fetch,
    /// A newer revision, held back.
    pub hold: Option<Hold>,
    /// Newest revision whose signatures were verified.
    pub verified: Option<VerifiedRevision>,
    /// How far review is asked for.
    pub review: Option<Profile>,
    /// Commits that went ahead of their review.
    pub glass: Vec<BrokenGlass>,
    /// What was accepted under it.
    pub reviewed: Option<ReviewStatus>,
    /// Path of its webhook on the agent's HTTP port.
    pub webhook_path: Option<String>,
}

/// Everything about a Standard that its status is composed from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StandardFacts {
    /// Generation of the spec that the rest speaks of.
    pub generation: i64,
    /// Last value of `tandemcd.io/requestedAt` that was handled.
    pub handled_request: Option<String>,
    /// The Repository.
    pub source: Source,
    /// What is in force, or was before the agent started and could not be read yet.
    pub accepted: Option<(Revision, StandardSource)>,
    /// What there is in it; none where nothing is in force.
    pub counts: Option<StandardCounts>,
    /// The newest that was looked at.
    pub attempted: Option<Revision>,
    /// What came of that.
    pub trial: Trial,
    /// A newer revision, held back.
    pub hold: Option<Hold>,
    /// What is not wrong and should be looked at.
    pub warnings: Vec<Problem>,
}

/// What came of the newest revision of a Standard.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Trial {
    /// Nothing yet.
    #[default]
    None,
    /// It is in force.
    Accepted,
    /// It is not, for what is in it.
    Refused {
        /// Its reason.
        reason: Reason,
        /// All that is wrong.
        problems: Vec<Problem>,
    },
    /// It could not be read now.
    Failed(Failed),
    /// It killed its worker too often; its last words.
    Quarantined(String),
}

/// How the last fetch ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Fetch {
    /// None has ended yet.
    #[default]
    None,
    /// The remote was read.
    Done,
    /// It was not.
    Failed(Failed),
    /// Something in the spec cannot be meant so.
    InvalidSpec(Vec<Problem>),
}

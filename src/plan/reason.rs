//! What is to be done, why and how.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// Configured: a finished Job whose manifest changed is deleted and created; or created, where
    /// it is gone already.
    JobReplaced,
    /// Configured: an immutable field changed, and the manifest permits to delete and create.
    Recreated,
    /// Created or configured: a person asked for it on the command line.
    ByHand,
    /// Unchanged: as applied.
    UpToDate,
    /// Unchanged: a Job that finished never runs again for the same manifest.
    JobCompleted,
    /// Deleted: no manifest names it any more.
    LeftGit,
    /// Deleted before anything is applied: it left Git, and a webhook of it that cannot be asked
    /// keeps the rest from being applied.
    InTheWay,
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
            Reason::ByHand => "ByHand",
            Reason::UpToDate => "UpToDate",
            Reason::JobCompleted => "JobCompleted",
            Reason::LeftGit => "LeftGit",
            Reason::InTheWay => "InTheWay",
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

impl Reason {
    /// Whether it is sent for the first time, as far as is known: what stands there may be somebody else's, and was not looked
    /// at.
    pub fn is_first(self) -> bool {
        matches!(self, Self::New | Self::Adopted | Self::TakenOver | Self::Unconfirmed)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    /// The live object is read, and the apply leaves it what others own ([`sent`](super::sent())).
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

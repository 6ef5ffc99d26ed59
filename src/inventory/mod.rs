//! What a Sync owns, and the baseline against which drift is judged.

use std::collections::{BTreeMap, BTreeSet};

use crate::object::{Digest, ObjectId};

/// What a Sync owns, by identity.
pub type Owned = BTreeMap<ObjectId, Entry>;

/// One owned object. An entry is written before the first apply of its object, then with uid,
/// desired digest and baseline, from the API server's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Version of the API, without its group.
    pub version: String,
    /// uid of the object that was applied; `None` until the API server has answered.
    pub uid: Option<String>,
    /// Digest of the manifest that was applied.
    pub desired: Option<Digest>,
    /// Digest of our fields and their values in the answer.
    pub baseline: Option<Digest>,
    /// What prune and drift must know when no manifest is at hand.
    pub flags: BTreeSet<Flag>,
}

/// What prune and drift must know of an owned object when no manifest is at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// Never pruned.
    PruneDisabled,
    /// Left alone.
    ReconcileDisabled,
    /// Created once, never updated.
    IfNotPresent,
    /// It was in the cluster before us.
    Adopted,
    /// A Job that finished: it never runs again for the same manifest, gone or not.
    Completed,
}

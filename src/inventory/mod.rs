//! What a Sync owns, and the baseline against which drift is judged.

mod chunk;

pub use chunk::{CHUNK_ENTRIES, ChunkWrite, FORMAT, FormatError, Layout, chunks, readable, union};

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
    /// Marks of a newer version of the agent, kept as they are. An object with one is never pruned.
    pub unknown: BTreeSet<String>,
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
    /// A Job that goes by itself once it has finished (`ttlSecondsAfterFinished`).
    Expires,
    /// An autoscaler owns its replicas.
    Autoscaled,
    /// A trailer paid for its deletion, which may have begun.
    Granted,
}

impl Flag {
    const ALL: [Flag; 8] = [
        Flag::PruneDisabled,
        Flag::ReconcileDisabled,
        Flag::IfNotPresent,
        Flag::Adopted,
        Flag::Completed,
        Flag::Expires,
        Flag::Autoscaled,
        Flag::Granted,
    ];

    /// As it stands in an Inventory.
    pub fn as_str(self) -> &'static str {
        match self {
            Flag::PruneDisabled => "prune=disabled",
            Flag::ReconcileDisabled => "reconcile=disabled",
            Flag::IfNotPresent => "apply=IfNotPresent",
            Flag::Adopted => "adopted",
            Flag::Completed => "completed",
            Flag::Expires => "expires",
            Flag::Autoscaled => "autoscaled",
            Flag::Granted => "granted",
        }
    }

    /// Reads the form of an Inventory; `None` where it is of a newer version ([`Entry::unknown`]).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flag| flag.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_survive_the_round_trip() {
        for flag in Flag::ALL {
            assert_eq!(Flag::parse(flag.as_str()), Some(flag));
        }
        assert_eq!(Flag::parse("of=tomorrow"), None);
    }
}

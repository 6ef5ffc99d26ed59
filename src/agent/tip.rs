//! What a Repository has found.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::failure::Failed;
use crate::git::{Listed, Source};
use crate::render::ReadSet;

/// Namespace and name of a Repository or Sync.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// From its parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The state of a Repository, as its Syncs see it.
#[derive(Clone, Debug)]
pub struct Tip {
    /// Of which Repository.
    pub repository: Key,
    /// The newest revision that was fetched whole; it stays while the remote fails.
    pub found: Option<Found>,
    /// Why the remote could not be asked, where that is so.
    pub failed: Option<Failed>,
    /// Namespaces whose Syncs may use it besides its own.
    pub allowed_namespaces: Arc<[String]>,
    /// The one rewrite that it permits, as (from, to) commits.
    pub rewind: Option<(String, String)>,
    /// Syncs for whom this revision changes nothing of what was read, with what that was: they may
    /// have rendered another commit since.
    pub untouched: Arc<BTreeMap<Key, Arc<ReadSet>>>,
}

/// A fetched revision.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which.
    pub listed: Listed,
    /// What an exchange with the remote needs, for ancestry and older commits.
    pub source: Arc<Source>,
    /// When the agent first knew of it.
    pub seen_at: Timestamp,
}

impl Found {
    /// Id of the commit.
    pub fn commit(&self) -> &str {
        &self.listed.revision.commit
    }
}

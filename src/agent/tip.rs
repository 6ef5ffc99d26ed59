//! What a Repository has found.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::failure::Failed;
use crate::git::{Listed, Source};
use crate::render::ReadSet;
use crate::report::facts::Hold;
use crate::revision::Revision;
use crate::revision::review::Profile;

use super::standing::Standing;
use super::worker::ReviewCheck;

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

    /// That of an object; of the whole cluster it has no namespace.
    pub fn of(object: &impl kube::Resource) -> Self {
        let metadata = object.meta();
        Self::new(metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
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
    /// How far it may be followed, where review is asked for.
    pub standing: Option<Arc<Standing>>,
    /// What revisions that are accepted are called.
    pub review: Option<Profile>,
    /// Whether Syncs render with nothing that stands in no commit.
    pub pinned: bool,
    /// How proposals are judged, where reviews of a forge count: with what was known of what waits. Its time is none.
    pub judging: Option<Arc<ReviewCheck>>,
    /// What is read here makes that the plan of a Sync needs approval; each without slashes around it.
    pub plan_paths: Arc<[String]>,
    /// A newer revision that no Sync may have.
    pub withheld: Option<Withheld>,
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

/// A fetched revision that no Sync may have.
#[derive(Clone, Debug)]
pub struct Withheld {
    /// Which.
    pub found: Found,
    /// Why.
    pub hold: Hold,
}

impl Tip {
    /// The newest revision that was fetched, whether Syncs may have it or not.
    pub fn newest(&self) -> Option<&Revision> {
        let found = self.withheld.as_ref().map(|withheld| &withheld.found).or(self.found.as_ref());
        found.map(|found| &found.listed.revision)
    }

    /// Whether a Sync may use the Repository.
    pub fn allows(&self, sync: &Key) -> bool {
        self.repository.namespace == sync.namespace
            || self.allowed_namespaces.iter().any(|allowed| allowed == "*" || *allowed == sync.namespace)
    }

    /// An older revision of the same remote, to be healed to.
    pub fn at(&self, revision: Revision) -> Option<Found> {
        let found = self.found.as_ref().or(self.withheld.as_ref().map(|withheld| &withheld.found))?;
        Some(found.at(revision))
    }
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
    /// Another revision of the same remote.
    pub fn at(&self, revision: Revision) -> Self {
        let listed = Listed { revision, tag: None, ..self.listed.clone() };
        Self { listed, ..self.clone() }
    }

    /// Id of the commit.
    pub fn commit(&self) -> &str {
        &self.listed.revision.commit
    }
}

//! What all tasks of the agent share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use crate::cluster::lease::Election;
use crate::cluster::{Actor, Cluster, ClusterError, Purpose, Session, Snapshot, WritePermit};
use crate::object::DigestKey;
use crate::plan::{Scope, Scopes};
use crate::report::metrics::Metrics;

use super::ancestry::Ancestries;
use super::claims::ClaimBook;
use super::news::NewsDesk;
use super::observer::Observer;
use super::registry::Registry;
use super::tip::Key;
use super::worker::{Quarantine, Workers};

/// What all tasks of the agent share.
pub struct World {
    /// Name of the cluster, in owners, trailers and User-Agents.
    pub name: String,
    /// The API server.
    pub cluster: Cluster,
    /// The process that parses what comes from outside.
    pub workers: Workers,
    /// How commits stand to one another.
    pub ancestries: Ancestries,
    /// All watches of owned objects.
    pub observer: Observer,
    /// Repositories and Syncs.
    pub registry: Registry,
    /// What is counted and timed.
    pub metrics: Arc<Metrics>,
    /// Events that people see in kubectl.
    pub news: NewsDesk,
    /// What each Sync says about objects.
    pub claims: ClaimBook,
    /// Inputs that kill their worker.
    pub quarantine: Mutex<Quarantine>,
    /// Scopes of the kinds that were listed last.
    pub scopes: Mutex<Option<(Arc<Snapshot>, Arc<Scopes>)>>,
    /// Who may write.
    pub election: watch::Receiver<Election>,
    /// How that stood when this term began.
    pub term: Election,
    /// Key of all digests.
    pub key: DigestKey,
    /// Whether every Sync was listed.
    pub listed: watch::Receiver<bool>,
    /// Passes that may be under way at a time.
    pub passes: Semaphore,
    /// Namespace of the agent itself.
    pub namespace: String,
    /// When the agent started.
    pub started: tokio::time::Instant,
}

impl World {
    /// A session as a Sync's account, for a commit.
    pub fn session(&self, sync: &Key, account: &str, commit: &str) -> Result<Session, ClusterError> {
        let purpose =
            Purpose { sync: Some((sync.namespace.clone(), sync.name.clone())), commit: Some(commit.to_owned()) };
        self.cluster.session(Actor::account(&sync.namespace, account), &purpose)
    }

    /// Permission to change objects. `None` while the lease is not renewed in time: either it is
    /// renewed in a moment, or this term ends. Permits of later terms are not for this one, which
    /// does not know what others wrote in between.
    pub fn permit(&self) -> Option<WritePermit> {
        self.term.permit.clone().filter(WritePermit::valid)
    }

    /// Whether this replica keeps the records: statuses, Events, inventories.
    pub fn leading(&self) -> bool {
        self.election.borrow().same_term(&self.term)
    }

    /// Kinds with their scopes, as last listed.
    ///
    /// # Errors
    /// Kinds cannot be listed.
    pub async fn scopes(&self) -> Result<Arc<Scopes>, ClusterError> {
        let snapshot = self.cluster.kinds().snapshot(&self.cluster.own()).await?;
        let mut cached = lock(&self.scopes);
        if let Some((known, scopes)) = &*cached
            && Arc::ptr_eq(known, &snapshot)
        {
            return Ok(scopes.clone());
        }
        let mut scopes = Scopes::default();
        for kind in snapshot.all().flat_map(|kind| snapshot.versions(&kind.group, &kind.kind)) {
            let scope = if kind.namespaced { Scope::Namespaced } else { Scope::Cluster };
            scopes.insert(&kind.group, &kind.version, &kind.kind, &kind.plural, scope);
        }
        for group in &snapshot.stale {
            scopes.mark_unreadable(group);
        }
        let scopes = Arc::new(scopes);
        *cached = Some((snapshot, scopes.clone()));
        Ok(scopes)
    }

    /// Whether rendering this path of this commit is given up.
    pub fn quarantined(&self, commit: &str, path: &str) -> bool {
        lock(&self.quarantine).holds(commit, path)
    }

    /// Rendering killed its worker; whether it is given up now.
    pub fn note_kill(&self, commit: &str, path: &str) -> bool {
        lock(&self.quarantine).killed(commit, path)
    }

    /// Rendering went well.
    pub fn note_survival(&self, commit: &str, path: &str) {
        lock(&self.quarantine).survived(commit, path);
    }

    /// Time since the agent started: the clock of everything that counts pauses.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number in 0..1 for jitter; nothing secret depends on it.
pub fn random() -> f64 {
    use std::hash::{BuildHasher, Hasher};
    let bits = std::collections::hash_map::RandomState::new().build_hasher().finish();
    #[expect(clippy::cast_precision_loss, reason = "32 bits fit")]
    let fraction = (bits >> 32) as f64 / f64::from(u32::MAX);
    fraction
}

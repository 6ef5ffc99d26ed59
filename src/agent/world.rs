//! What all tasks of the agent share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::cluster::lease::Election;
use crate::cluster::{Actor, Cluster, ClusterError, Purpose, Session, Snapshot, WritePermit};
use crate::failure::Failed;
use crate::object::DigestKey;
use crate::plan::{Scope, Scopes};
use crate::render::{Options, Rendered, helm};
use crate::report::metrics::Metrics;

use super::acceptance::Seal;
use super::ahead::Aheads;
use super::ancestry::Ancestries;
use super::bound::Bound;
use super::claims::ClaimBook;
use super::foretold;
use super::freezes::FreezeBook;
use super::news::NewsDesk;
use super::observer::Observer;
use super::passes::Passes;
use super::registry::Registry;
use super::releases;
use super::standards::Standards;
use super::tip::Key;
use super::turns::Turns;
use super::worker::{At, Folder, Quarantine, Workers};

/// Exchanges with remotes at a time for one namespace: one fewer than there are workers for them.
pub const TURNS: usize = 2;

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
    /// Times in which nothing new is deployed.
    pub freezes: FreezeBook,
    /// All watches of owned objects.
    pub observer: Observer,
    /// Repositories and Syncs.
    pub registry: Registry,
    /// What operations' policies say.
    pub standards: Standards,
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
    /// Exchanges with remotes, by namespace of the Repository.
    pub turns: Turns,
    /// What charts see of those kinds.
    pub charts: Mutex<Option<(Arc<Snapshot>, Arc<helm::Cluster>)>>,
    /// Who may write.
    pub election: watch::Receiver<Election>,
    /// How that stood when this term began.
    pub term: Election,
    /// What signs the agent's own records, and keeps them.
    pub seal: Arc<Seal>,
    /// What is known of pull requests before they land.
    pub aheads: Aheads,
    /// What the agent said would happen.
    pub foretold: foretold::Memory,
    /// Key of all digests.
    pub key: DigestKey,
    /// Whether every Sync was listed.
    pub listed: watch::Receiver<bool>,
    /// Passes that may be under way at a time.
    pub passes: Passes,
    /// Pull requests that may be planned at a time.
    pub plans: Semaphore,
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

    /// A turn at asking a remote, for a Repository of this namespace: remotes that hang keep those of the same
    /// namespace waiting, and no others.
    pub async fn turn(&self, namespace: &str) -> Option<OwnedSemaphorePermit> {
        self.turns.take(namespace).await
    }

    /// What charts can ask of the cluster, as kinds were last listed.
    ///
    /// # Errors
    /// The API server cannot be asked.
    pub async fn seen_by_charts(&self) -> Result<Arc<helm::Cluster>, ClusterError> {
        let own = self.cluster.own();
        let snapshot = self.cluster.kinds().snapshot(&own).await?;
        if let Some((known, cluster)) = &*lock(&self.charts)
            && Arc::ptr_eq(known, &snapshot)
        {
            return Ok(cluster.clone());
        }
        let cluster = Arc::new(releases::seen(&own, &snapshot).await?);
        *lock(&self.charts) = Some((snapshot, cluster.clone()));
        Ok(cluster)
    }

    /// Renders a folder of a commit; the cluster is looked at where a chart asks for it.
    ///
    /// # Errors
    /// Those of the worker, and of the API server where it is asked; or the time is up.
    pub async fn render(
        &self,
        url: &str,
        commit: &str,
        path: &str,
        options: &Options,
        bound: &mut Bound,
    ) -> Result<Rendered, Failed> {
        let at = At::Commit(commit.to_owned());
        self.render_at(Folder { url, at: &at, path }, options, bound).await
    }

    /// The same of a commit or a merge.
    ///
    /// # Errors
    /// As [`World::render`].
    pub async fn render_at(
        &self,
        folder: Folder<'_>,
        options: &Options,
        bound: &mut Bound,
    ) -> Result<Rendered, Failed> {
        let rendered = self.workers.render_at(folder, options, bound).await?;
        if rendered.asked.is_nothing() || options.helm.cluster.is_some() {
            return Ok(rendered);
        }
        let cluster = self.seen_by_charts().await.map_err(|error| Failed::from(&error))?;
        let helm = helm::Settings { cluster: Some(rendered.asked.of(&cluster)), ..options.helm.clone() };
        self.workers.render_at(folder, &Options { helm, ..options.clone() }, bound).await
    }

    /// Where rendering this path of this commit is given up, how it killed the last worker.
    pub fn quarantined(&self, commit: &str, path: &str) -> Option<String> {
        lock(&self.quarantine).holds(commit, path).map(str::to_owned)
    }

    /// Rendering killed its worker, like this.
    pub fn note_kill(&self, commit: &str, path: &str, how: &str) {
        lock(&self.quarantine).killed(commit, path, how);
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

//! One task for each Sync: gathers what happened, makes a pass where one is due, tells the outcome.
//!
//! A pass goes as far as it can and never waits for a rollout, a Job or a finalizer: it ends with
//! what it waits for, and the watch that shows it makes the next pass due. So a newer revision
//! takes over at once, and a broken rollout never blocks its own fix.

mod absorb;
mod carry;
mod clear;
mod end;
mod farewell;
mod finish;
mod foretold;
mod inputs;
mod judge;
mod ledger;
mod life;
mod live;
mod order;
mod pass;
mod prune;
mod reviewed;
mod stages;
mod still;
mod tell;
#[cfg(test)]
mod tests;
mod together;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::api::{Inventory, Sync, SyncSpec, SyncStatus};
use crate::failure::Failed;
use crate::health::Health;
use crate::inventory::Owned;
use crate::object::{Digest, ObjectId};
use crate::plan::Observed;
use crate::render::ReadSet;
use crate::report::facts::SyncFacts;
use crate::report::metrics::Task;
use crate::report::reason::Reason;
use crate::revision::Revision;

use super::dependency::SyncState;
use super::fight::Repairs;
use super::lens::Lens;
use super::mailbox::Mailbox;
use super::supervisor::supervise;
use super::tip::{Found, Key, Tip};
use super::world::{World, random};
use super::{backoff, source};

use inputs::Inputs;
use judge::Judged;
use ledger::Ledger;
use life::Lives;
use order::Watched;
use tell::recalled;

/// Time that a step may take where the spec says none.
const TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// Time between full checks where the spec says none.
const INTERVAL: Duration = Duration::from_secs(60 * 60);
/// So long a status that only says "on its way" is held back: most objects are healthy by then,
/// and one write says both.
const COALESCE: Duration = Duration::from_millis(400);
/// So long a restarted agent may take to find its way: what is stored says it still.
const RECALL: Duration = Duration::from_secs(30);

/// What a Sync owns, by its inventory as it stands in the cluster.
///
/// # Errors
/// It cannot be read.
pub fn owned_of<'a>(uid: &str, name: &str, chunks: impl Iterator<Item = &'a Inventory>) -> Result<Owned, Failed> {
    let chunks = chunks.filter(|chunk| chunk.spec.sync == name).cloned().collect();
    let ledger = Ledger::read(uid, chunks);
    ledger.unreadable().map_or_else(|| Ok(ledger.owned().clone()), |failed| Err(failed.clone()))
}

/// Time that each step of a Sync may take.
pub fn timeout(spec: &SyncSpec) -> Duration {
    source::duration(spec.timeout.as_deref(), TIMEOUT)
}

/// Starts the task of a Sync; it ends when the Sync is gone, or when it is aborted. Where it panics, it begins anew.
pub fn start(world: Arc<World>, key: Key, mailbox: Mailbox, sync: Sync, chunks: Vec<Inventory>) -> JoinHandle<()> {
    world.registry.enter(key.clone(), mailbox.clone());
    let lives = Lives::new(world.clone(), key.clone(), mailbox, sync, chunks);
    tokio::spawn(async move { supervise(Task::Sync, key, &world.metrics, lives).await })
}

/// What a Sync's task knows.
struct Unit {
    world: Arc<World>,
    key: Key,
    mailbox: Mailbox,
    /// Without its status.
    sync: Sync,
    /// What everybody is told about it.
    facts: SyncFacts,
    /// The status as it was last written.
    status: SyncStatus,
    lens: Arc<Lens>,
    tip: Option<Arc<Tip>>,

    /// Commit and generation of the spec for which nothing is left to do.
    handled: Option<(String, i64)>,
    /// Commit and generation that were refused or held; tried again only by a retry.
    refused: Option<(String, i64)>,
    /// What the last whole render of the accepted revision read.
    read_set: Option<Arc<ReadSet>>,
    /// What renders need beside the tree.
    inputs: Inputs,
    /// What Standards have let pass.
    judged: Judged,
    /// Digest of all objects that this agent itself has accepted, where their plan was to be approved, or has seen that
    /// nothing of them was left to do.
    vouched: Option<Digest>,
    /// What will be that once it is accepted.
    vouches: Option<Digest>,

    ledger: Ledger,
    /// What a watch taught about entries is not yet in the cluster.
    unsaved: bool,
    observed: Observed,
    health: BTreeMap<ObjectId, Health>,
    /// Objects that no watch shows any more: read before anything is concluded.
    lost: BTreeSet<ObjectId>,
    /// Manifests that the API server has taken in a dry-run: they need no second one.
    validated: BTreeSet<(ObjectId, Digest)>,
    /// Webhooks that could not be asked since a revision was last applied whole.
    unreachable: BTreeSet<String>,
    repairs: BTreeMap<ObjectId, Repairs>,
    /// Other Syncs that were refused an object that this one owns.
    rivals: BTreeMap<(ObjectId, Key), Told>,

    /// Objects of other kinds that must be ready first.
    watched: Vec<Watched>,

    /// A pass is due.
    work: bool,
    /// Everything is to be looked at, not only what is known to differ.
    recheck: bool,
    attempt: u32,
    failures: u32,
    retry_at: Option<Instant>,
    /// When the next repair of an object that is fought over is due.
    repair_at: Option<Instant>,
    /// When a fight is over, unless another repair is made.
    quiet_at: Option<Instant>,
    recheck_at: Option<Instant>,
    tell_at: Option<Instant>,
    /// Since when a status is held back.
    tell_since: Option<Instant>,
    /// When this task began.
    began: Instant,
    /// When what is not healthy has been so for too long.
    limit_at: Option<Instant>,
    /// Since when the same thing is waited for.
    waiting_since: Option<Instant>,
    /// Holds that the log has: of the newest revision, and of the healing of the accepted one.
    logged: [Option<(Reason, String)>; 2],
    /// The last plan waits for what other Syncs claim or plan.
    waits_for_others: bool,
    /// Newest commit that was planned from a whole source: what this Sync claims is of that.
    planned: Option<String>,
    /// What others were told last.
    published: Option<SyncState>,
    /// Since when the same commit is not healthy.
    unhealthy_since: Option<Instant>,
    /// The commit whose way to health is being timed.
    clock: Option<Found>,
    /// The accepted revision of which there is a seal.
    sealed: Option<Revision>,
    gone: bool,
}

/// Whether an Event has said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    No,
    Yes,
}

impl Unit {
    fn new(world: Arc<World>, key: Key, mailbox: Mailbox, mut sync: Sync, chunks: Vec<Inventory>) -> Self {
        let status = sync.status.take().unwrap_or_default();
        let facts = recalled(&world, &key, &status, sync.metadata.uid.as_deref());
        let uid = sync.metadata.uid.clone().unwrap_or_default();
        Self {
            ledger: Ledger::read(&uid, chunks),
            world,
            key,
            mailbox,
            sync,
            sealed: facts.accepted.clone(),
            facts,
            status,
            lens: Arc::default(),
            tip: None,
            handled: None,
            refused: None,
            read_set: None,
            inputs: Inputs::default(),
            judged: Judged::default(),
            vouched: None,
            vouches: None,
            unsaved: false,
            observed: Observed::new(),
            health: BTreeMap::new(),
            lost: BTreeSet::new(),
            validated: BTreeSet::new(),
            unreachable: BTreeSet::new(),
            repairs: BTreeMap::new(),
            rivals: BTreeMap::new(),
            watched: Vec::new(),
            work: true,
            recheck: false,
            attempt: 0,
            failures: 0,
            retry_at: None,
            repair_at: None,
            quiet_at: None,
            recheck_at: None,
            tell_at: None,
            tell_since: None,
            began: Instant::now(),
            limit_at: None,
            waiting_since: None,
            logged: [None, None],
            waits_for_others: false,
            planned: None,
            published: None,
            unhealthy_since: None,
            clock: None,
            gone: false,
        }
    }

    // In a box: moved into a future, a value takes its room twice.
    async fn run(mut self: Box<Self>) {
        // Every Sync is known, and has its place among the watches, before the first one acts.
        let _ = self.world.listed.clone().wait_for(|listed| *listed).await;
        loop {
            let pending = self.mailbox.take();
            self.absorb(pending);
            let work = std::mem::take(&mut self.work);
            if self.deleted() {
                // Boxed: the many Syncs that rest keep no room for what only a pass needs.
                Box::pin(self.finish()).await;
            } else if work {
                Box::pin(self.pass()).await;
            }
            self.assess();
            self.publish();
            self.tell_rivals();
            Box::pin(self.tell()).await;
            if self.gone {
                break;
            }
            self.rest().await;
        }
    }

    /// Waits for news, or for the time of a retry, a full check or a held-back status.
    async fn rest(&mut self) {
        let times = [self.retry_at, self.repair_at, self.quiet_at, self.recheck_at, self.tell_at, self.limit_at];
        let next = times.into_iter().flatten().min();
        match next {
            _ if self.work => return,
            Some(at) => {
                let _ = tokio::time::timeout_at(at, self.mailbox.bell()).await;
            }
            None => self.mailbox.bell().await,
        }
        let now = Instant::now();
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.refused = None;
            self.work = true;
        }
        if self.repair_at.is_some_and(|at| at <= now) {
            self.repair_at = None;
            self.work = true;
        }
        if self.limit_at.is_some_and(|at| at <= now) {
            self.limit_at = None;
        }
        if self.recheck_at.is_some_and(|at| at <= now) {
            self.recheck_at = None;
            self.recheck = true;
            self.work = true;
        }
    }

    fn deleted(&self) -> bool {
        self.sync.metadata.deletion_timestamp.is_some()
    }

    fn timeout(&self) -> Duration {
        timeout(&self.sync.spec)
    }

    fn generation(&self) -> i64 {
        self.sync.metadata.generation.unwrap_or_default()
    }

    fn repository(&self) -> Key {
        let reference = &self.sync.spec.repository_ref;
        Key::new(reference.namespace.as_ref().unwrap_or(&self.key.namespace), &reference.name)
    }

    fn uid(&self) -> &str {
        self.sync.metadata.uid.as_deref().unwrap_or_default()
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.sync.metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }
}

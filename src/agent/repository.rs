//! One task for each Repository: asks the remote for news, fetches what is new, tells its Syncs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::api::Repository;
use crate::cluster::KindInfo;
use crate::cluster::own::write_status;
use crate::failure::Failed;
use crate::git::Listed;
use crate::report::facts::{Fetch, RepositoryFacts, Review, Stage};
use crate::report::metrics::FetchResult;
use crate::report::status::{changed, repository_status};
use crate::server::webhook_path;

use super::backoff;
use super::source;
use super::tip::{Found, Key, Tip};
use super::worker::Pins;
use super::world::{World, random};

/// Time between polls where the spec says none.
const INTERVAL: Duration = Duration::from_secs(15);

/// The agent's end of a Repository's task.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inbox>,
}

#[derive(Default)]
struct Inbox {
    spec: std::sync::Mutex<Option<Box<Repository>>>,
    asked: std::sync::atomic::AtomicBool,
    bell: Notify,
}

impl Handle {
    /// The spec, or an annotation of it, changed.
    pub fn spec(&self, repository: Repository) {
        *self.inner.spec.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Box::new(repository));
        self.inner.bell.notify_one();
    }

    /// A webhook says that there may be news. It carries no authority: the remote is asked.
    pub fn ask(&self) {
        self.inner.asked.store(true, std::sync::atomic::Ordering::Release);
        self.inner.bell.notify_one();
    }
}

/// Starts the task of a Repository; it ends when the returned task is aborted.
pub fn start(world: Arc<World>, key: Key, repository: Repository) -> (Handle, tokio::task::JoinHandle<()>) {
    let inner = Arc::new(Inbox::default());
    let handle = Handle { inner: inner.clone() };
    let task = Watcher { world, key, inbox: inner, repository, found: None, failed: None, failures: 0, forced: true };
    (handle, tokio::spawn(task.run()))
}

struct Watcher {
    world: Arc<World>,
    key: Key,
    inbox: Arc<Inbox>,
    repository: Repository,
    found: Option<Found>,
    failed: Option<Failed>,
    /// In a row.
    failures: u32,
    /// The next look fetches even where the listing names what is known already.
    forced: bool,
}

impl Watcher {
    async fn run(mut self) {
        loop {
            if !self.repository.spec.suspend {
                self.look().await;
            }
            self.tell().await;
            let interval = source::duration(self.repository.spec.interval.as_deref(), INTERVAL);
            let pause = backoff::poll(interval, self.failures, random());
            self.rest(Instant::now() + pause).await;
        }
    }

    /// Waits for the time of the next poll, a new spec, or a webhook.
    async fn rest(&mut self, until: Instant) {
        let _ = tokio::time::timeout_at(until, self.inbox.bell.notified()).await;
        let spec = self.inbox.spec.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(spec) = spec {
            self.forced |= spec.spec != self.repository.spec;
            self.repository = *spec;
        }
        self.inbox.asked.store(false, std::sync::atomic::Ordering::Release);
    }

    async fn look(&mut self) {
        let result = self.find().await;
        let news = match result {
            Ok(found) => {
                self.failures = 0;
                let same = self.found.as_ref().is_some_and(|f| f.listed.revision == found.listed.revision);
                self.found = Some(found);
                self.failed.take().is_some() || !same
            }
            Err(failed) => {
                self.failures += 1;
                tracing::warn!(repository = %self.key, reason = %failed.reason, error = %failed, "the repository cannot be read");
                let news = self.failed.as_ref() != Some(&failed);
                self.failed = Some(failed);
                news
            }
        };
        if news || self.forced {
            self.forced = false;
            let tip = self.tip().await;
            self.world.registry.found(&self.key, Arc::new(tip));
        }
    }

    /// Asks for the reference, and fetches where it names another commit than the one at hand.
    async fn find(&mut self) -> Result<Found, Failed> {
        let wanted = source::wanted(&self.repository)?;
        let source = source::source(&self.world.cluster, &self.key.namespace, &self.repository).await?;
        let clock = Instant::now();
        let listed = self.world.workers.refs(&source, &wanted).await?;
        self.world.metrics.refs(clock.elapsed().as_secs_f64());
        if let Some(known) = self.found.as_ref().filter(|f| !self.forced && f.listed.revision == listed.revision) {
            self.world.metrics.fetch(FetchResult::Unchanged, listed.received_bytes);
            return Ok(known.clone());
        }
        let (seen_at, clock) = (Timestamp::now(), Instant::now());
        // What is healed to stays, whatever the remote does to its history.
        let pins = Pins { accepted: self.world.registry.accepted(&self.key, &source.url) };
        if !pins.accepted.is_empty()
            && let Err(failed) = self.world.workers.pin(&source.url, &pins).await
        {
            tracing::debug!(repository = %self.key, error = %failed, "pinning accepted commits");
        }
        let fetched = self.world.workers.fetch(&source, &listed).await;
        match &fetched {
            Ok(fetched) => {
                self.world.metrics.fetch(FetchResult::Fetched, listed.received_bytes + fetched.received_bytes);
                self.world.metrics.stage(Stage::Fetch, clock.elapsed().as_secs_f64());
            }
            Err(_) => self.world.metrics.fetch(FetchResult::Failed, listed.received_bytes),
        }
        let fetched = fetched?;
        let listed = Listed { revision: fetched.revision.clone(), ..listed };
        tracing::info!(
            repository = %self.key,
            revision = %listed.revision,
            took_ms = millis(clock),
            bytes = fetched.received_bytes,
            "fetched"
        );
        // The same commit stays seen when it was first seen.
        let known = self.found.as_ref().filter(|f| f.listed.revision == listed.revision);
        Ok(Found { seen_at: known.map_or(seen_at, |f| f.seen_at), listed, source: Arc::new(source) })
    }

    /// What the Syncs are told. Which of them the new revision does not touch is asked once for
    /// all, so that a commit to one folder of a large repository wakes only those who read it.
    async fn tip(&self) -> Tip {
        let spec = &self.repository.spec;
        let mut untouched = BTreeMap::new();
        if let Some(found) = &self.found {
            let known = self.world.registry.read_sets(&self.key);
            let sets: Vec<_> = known.iter().map(|(_, set)| set.as_ref().clone()).collect();
            match self.world.workers.unchanged(&found.source.url, found.commit(), &sets).await {
                Ok(same) => {
                    untouched = known.into_iter().zip(same).filter(|(_, same)| *same).map(|(known, _)| known).collect();
                }
                Err(failed) => {
                    tracing::debug!(repository = %self.key, error = %failed, "read sets: every Sync looks itself")
                }
            }
        }
        Tip {
            repository: self.key.clone(),
            found: self.found.clone(),
            failed: self.failed.clone(),
            allowed_namespaces: spec.allowed_namespaces.clone().into(),
            rewind: spec.rewind.as_ref().map(|r| (r.from.clone(), r.to.clone())),
            untouched: Arc::new(untouched),
        }
    }

    /// Writes the status where it says something new.
    async fn tell(&mut self) {
        let facts = RepositoryFacts {
            generation: self.repository.metadata.generation.unwrap_or_default(),
            suspended: self.repository.spec.suspend,
            revision: self.found.as_ref().map(|f| f.listed.revision.clone()),
            fetch: match (&self.failed, &self.found) {
                (Some(failed), _) => Fetch::Failed(failed.clone()),
                (None, Some(_)) => Fetch::Done,
                (None, None) => Fetch::None,
            },
            review: Review::Unreviewed,
            handled_request: requested_at(&self.repository),
            webhook_path: self
                .repository
                .spec
                .webhook
                .as_ref()
                .map(|_| webhook_path(&self.key.namespace, &self.key.name)),
        };
        let before = self.repository.status.clone().unwrap_or_default();
        let after = repository_status(&facts, &before, Timestamp::now());
        self.world.metrics.repository(&self.key.namespace, &self.key.name, &facts);
        if !changed(self.repository.status.as_ref(), &after) {
            return;
        }
        let kind = KindInfo::of::<Repository>();
        let place = (self.key.namespace.as_str(), self.key.name.as_str());
        match write_status(&self.world.cluster.own(), &kind, place, &after).await {
            Ok(_) => self.repository.status = Some(after),
            Err(error) => tracing::warn!(repository = %self.key, %error, "the status cannot be written"),
        }
    }
}

fn millis(clock: Instant) -> u64 {
    clock.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}

fn requested_at(repository: &Repository) -> Option<String> {
    repository.metadata.annotations.as_ref()?.get(crate::object::annotation::REQUESTED_AT).cloned()
}

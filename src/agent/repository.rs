//! One task for each Repository: asks the remote for news, fetches what is new, tells its Syncs.

mod life;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::api::{Repository, RepositoryStatus};
use crate::cluster::KindInfo;
use crate::cluster::own::write_status;
use crate::failure::Failed;
use crate::git::Listed;
use crate::report::event::of_repository_transition;
use crate::report::facts::{Fetch, RepositoryFacts, Stage};
use crate::report::metrics::{FetchResult, Task};
use crate::report::status::{changed, repository_status};
use crate::revision::review::floor::Floor;
use crate::server::webhook_path;

use super::backoff;
use super::hearing::Hearing;
use super::inquiry::Inquiry;
use super::reviewed::{self, Progress};
use super::secrets::{Followed, Versions};
use super::signed::Record;
use super::source::{self, Given};
use super::standing::Standing;
use super::supervisor::supervise;
use super::tip::{Found, Key, Tip, Withheld};
use super::worker::Pins;
use super::world::{World, random};

use life::Lives;

/// Time between polls where the spec says none.
pub const INTERVAL: Duration = Duration::from_secs(15);

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

/// Starts the task of a Repository; it ends when the returned task is aborted, or when it panicked and the Repository is gone.
pub fn start(world: Arc<World>, key: Key, repository: Repository) -> (Handle, tokio::task::JoinHandle<()>) {
    let inner = Arc::new(Inbox::default());
    let handle = Handle { inner: inner.clone() };
    let lives = Lives::new(world.clone(), key.clone(), inner, repository);
    (handle, tokio::spawn(async move { supervise(Task::Repository, key, &world.metrics, lives).await }))
}

pub(super) struct Watcher {
    pub(super) world: Arc<World>,
    pub(super) key: Key,
    inbox: Arc<Inbox>,
    pub(super) repository: Repository,
    /// The Secrets that the spec names.
    followed: Option<Followed>,
    /// Of which versions they were read last.
    versions: Versions,
    /// What was put together from those.
    given: Option<Given>,
    /// What was verified.
    pub(super) record: Record,
    /// What was approved.
    pub(super) progress: Progress,
    /// What was said of commits by those whose checks are asked for.
    pub(super) hearing: Hearing,
    /// Where they were when all was judged last, and when that was.
    pub(super) looked: Option<(String, Instant)>,
    /// What Standards wanted of it when that was judged.
    pub(super) floors: Vec<(String, Floor)>,
    /// What the forge says of what was not approved.
    pub(super) inquiry: Inquiry,
    /// The last that was fetched and looked at, and when it was first seen.
    judged: Option<(Listed, Timestamp)>,
    /// What Syncs were told of it last.
    pub(super) told_standing: Option<Arc<Standing>>,
    /// The newest that Syncs may have.
    pub(super) found: Option<Found>,
    /// A newer one that they may not have.
    pub(super) withheld: Option<Withheld>,
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
            self.rest(self.inquiry.until(self.hearing.next(), Instant::now(), pause)).await;
        }
    }

    /// Waits for the time of the next poll, a new spec, another Secret, or a webhook.
    async fn rest(&mut self, until: Instant) {
        let differs = async {
            match &mut self.followed {
                Some(followed) => followed.differs(&self.versions).await,
                None => std::future::pending().await,
            }
        };
        let ahead = self.world.aheads.of(&self.key);
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            () = ahead.news() => {}
            () = self.inbox.bell.notified() => {}
            () = differs => {}
        }
        let spec = self.inbox.spec.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        self.inquiry.urgent = self.inbox.asked.swap(false, std::sync::atomic::Ordering::AcqRel) || spec.is_some();
        if let Some(spec) = spec {
            if spec.spec != self.repository.spec {
                // It may be another forge, or another token. Who tells of pull requests has the same in hand.
                ahead.clear();
                self.inquiry = Inquiry::new(ahead);
                (self.followed, self.given) = (None, None);
                if spec.spec.url != self.repository.spec.url {
                    self.record = Record::default();
                }
                self.progress = Progress::default();
                self.hearing = Hearing::default();
                self.looked = None;
                self.begin_anew();
            }
            self.repository = *spec;
        }
    }

    /// What is asked with is another: what failed before says nothing of it.
    fn begin_anew(&mut self) {
        self.forced = true;
        self.failures = 0;
    }

    async fn look(&mut self) {
        let result = self.find().await;
        let news = match result {
            Ok(news) => {
                self.failures = 0;
                self.failed.take().is_some() || news
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

    /// What an exchange needs: read anew, unless the watches show that nothing has changed.
    async fn given(&mut self) -> Result<Given, Failed> {
        let vouched = |versions| self.followed.as_ref().is_none_or(|followed| followed.vouches(versions));
        if let Some(given) = self.given.as_ref().filter(|_| vouched(&self.versions)) {
            return Ok(given.clone());
        }
        let (cluster, namespace) = (&self.world.cluster, self.key.namespace.as_str());
        if self.followed.is_none() {
            let names = source::source_secrets(&self.repository);
            self.followed = source::follow(cluster, namespace, &self.repository, &names);
        }
        self.followed.iter_mut().for_each(Followed::mark);
        let reading = source::given(cluster, namespace, &self.repository).await;
        if reading.versions != self.versions {
            self.versions = reading.versions;
            self.begin_anew();
        }
        self.given = reading.result.as_ref().ok().cloned();
        reading.result
    }

    /// Asks for the reference, fetches where it names another commit than the one at hand, and judges what came.
    /// Whether that is news.
    async fn find(&mut self) -> Result<bool, Failed> {
        let wanted = source::wanted(&self.repository)?;
        source::publishable(&self.repository)?;
        let given = self.given().await?;
        let source = &given.source;
        let _turn = self.world.turn(&self.key.namespace).await;
        let clock = Instant::now();
        let with_notes = self.repository.spec.review.is_some() || self.wants_coverage();
        let (listed, notes) = self.world.workers.refs_with_notes(source, &wanted, with_notes).await?;
        if self.inquiry.ahead.notes_are(&notes) {
            self.world.registry.noted(&self.key);
        }
        let floors = self.floors().await?;
        self.world.metrics.refs(clock.elapsed().as_secs_f64());
        let same = |known: &Listed| known.revision == listed.revision && known.tag == listed.tag;
        if !self.forced && self.floors == floors && self.judged.as_ref().is_some_and(|(known, _)| same(known)) {
            self.world.metrics.fetch(FetchResult::Unchanged, listed.received_bytes);
            return self.look_again(&given.keys).await;
        }
        let (seen_at, clock) = (Timestamp::now(), Instant::now());
        // What is healed to stays, whatever the remote does to its history.
        let mut pins = Pins { accepted: self.world.registry.accepted(&self.key, &source.url) };
        pins.accepted.extend(self.record.commit().map(str::to_owned));
        let reviewed = [self.progress.accepted(), self.progress.given()];
        pins.accepted.extend(reviewed.into_iter().flatten().map(|revision| revision.commit));
        if !pins.accepted.is_empty()
            && let Err(failed) = self.world.workers.pin(&source.url, &pins).await
        {
            tracing::debug!(repository = %self.key, error = %failed, "pinning accepted commits");
        }
        let foreseen = self.foreseen(&listed.revision.commit);
        let (fetched, foreseen) = tokio::join!(self.world.workers.fetch(source, &listed), foreseen);
        match &fetched {
            Ok(fetched) => {
                self.world.metrics.fetch(FetchResult::Fetched, listed.received_bytes + fetched.received_bytes);
                self.world.metrics.stage(Stage::Fetch, clock.elapsed().as_secs_f64());
            }
            Err(_) => self.world.metrics.fetch(FetchResult::Failed, listed.received_bytes),
        }
        let fetched = fetched?;
        if let Some(said) = foreseen {
            self.take_foreseen(&fetched.revision.commit, said);
        }
        let listed = Listed { revision: fetched.revision.clone(), ..listed };
        tracing::info!(
            repository = %self.key,
            revision = %listed.revision,
            took_ms = millis(clock),
            bytes = fetched.received_bytes,
            "fetched"
        );
        // The same commit stays seen when it was first seen.
        let known = self.judged.as_ref().filter(|(known, _)| known.revision == listed.revision);
        if known.is_none() {
            self.hearing.keep(|_| false);
        }
        let found = Found { seen_at: known.map_or(seen_at, |(_, at)| *at), listed, source: source.clone() };
        let shown = self.shown();
        let hold = self.judge(&found, &floors, &given.keys).await?;
        self.floors = floors;
        self.judged = Some((found.listed.clone(), found.seen_at));
        self.looked = Some((shown, Instant::now()));
        Ok(self.take(found, hold))
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
            standing: self.progress.standing.clone(),
            review: spec.review.as_ref().map(|review| review.profile),
            judging: self.judging().map(Arc::new),
            plan_paths: spec
                .review
                .iter()
                .flat_map(|review| &review.plan)
                .flat_map(|plan| plan.paths.clone())
                .collect(),
            pinned: spec.review.as_ref().is_some_and(reviewed::is_pinned),
            withheld: self.withheld.clone(),
            failed: self.failed.clone(),
            allowed_namespaces: spec.allowed_namespaces.clone().into(),
            rewind: spec.rewind.as_ref().map(|r| (r.from.clone(), r.to.clone())),
            untouched: Arc::new(untouched),
        }
    }

    /// Everything that its status is composed from.
    fn facts(&self) -> RepositoryFacts {
        RepositoryFacts {
            generation: self.repository.metadata.generation.unwrap_or_default(),
            suspended: self.repository.spec.suspend,
            revision: self.found.as_ref().map(|f| f.listed.revision.clone()),
            fetch: match (&self.failed, &self.judged) {
                (Some(failed), _) => Fetch::Failed(failed.clone()),
                (None, Some(_)) => Fetch::Done,
                (None, None) => Fetch::None,
            },
            hold: self
                .withheld
                .as_ref()
                .map(|withheld| withheld.hold.clone())
                .or_else(|| self.progress.hold(self.found.as_ref())),
            verified: self.record.told(),
            review: self.repository.spec.review.as_ref().map(|review| review.profile),
            glass: self.progress.glass(),
            reviewed: self
                .repository
                .spec
                .review
                .as_ref()
                .map(|review| self.progress.told(review, &self.world.seal.public)),
            handled_request: requested_at(&self.repository),
            webhook_path: self
                .repository
                .spec
                .webhook
                .as_ref()
                .map(|_| webhook_path(&self.key.namespace, &self.key.name)),
        }
    }

    /// Writes the status where it says something new.
    async fn tell(&mut self) {
        let facts = self.facts();
        let before = self.repository.status.clone().unwrap_or_default();
        let after = repository_status(&facts, &before, Timestamp::now());
        self.world.metrics.repository(&self.key.namespace, &self.key.name, &facts);
        self.put(before, after).await;
    }

    async fn put(&mut self, before: RepositoryStatus, after: RepositoryStatus) {
        if !changed(self.repository.status.as_ref(), &after) {
            return;
        }
        let kind = KindInfo::of::<Repository>();
        let place = (self.key.namespace.as_str(), self.key.name.as_str());
        match write_status(&self.world.cluster.own(), &kind, place, &after).await {
            Ok(_) => {
                let uid = self.repository.metadata.uid.clone().unwrap_or_default();
                for event in of_repository_transition(&before.conditions, &after.conditions) {
                    self.world.news.tell("Repository", &self.key, &uid, &event);
                }
                self.repository.status = Some(after);
            }
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

//! One task for each Standard: reads what its Repository found, and puts it into force or says why not.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::agent::backoff;
use crate::agent::mailbox::Trigger;
use crate::agent::registry::StandardState;
use crate::agent::tip::{Found, Key, Tip};
use crate::agent::world::{World, random};
use crate::api::{self, StandardCounts, StandardSource, StandardStatus};
use crate::cluster::KindInfo;
use crate::cluster::own::write_status;
use crate::failure::Failed;
use crate::object::annotation;
use crate::render::ReadSet;
use crate::report::event::of_standard_transition;
use crate::report::facts::{Hold, Source, StandardFacts, Trial};
use crate::report::message;
use crate::report::standard::standard_status;
use crate::report::status::changed;
use crate::revision::{Acceptance, Revision, accept};
use crate::standard::{Coverage, Standard};

use super::read::{Read, read};
use super::recall::{recalled, word};
use super::{Entry, Force, InForce};

/// Pause before a status is written that could not be.
const PAUSE: Duration = Duration::from_secs(2);
/// What is told of waivers is looked at so often at least: clocks may be set.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The agent's end of a Standard's task.
#[derive(Clone)]
pub struct Handle {
    uid: Option<String>,
    inbox: Arc<Inbox>,
}

#[derive(Default)]
struct Inbox {
    spec: Mutex<Option<Box<api::Standard>>>,
    bell: Arc<Notify>,
}

impl Handle {
    /// Whether its task is of this object, and not of a former one of its name.
    pub fn is_of(&self, standard: &api::Standard) -> bool {
        self.uid == standard.metadata.uid
    }

    /// The spec, or an annotation of it, changed.
    pub fn spec(&self, standard: api::Standard) {
        *self.inbox.spec.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(standard));
        self.inbox.bell.notify_one();
    }
}

/// Starts the task of a Standard; it ends when the returned task is aborted.
pub fn start(world: Arc<World>, mut standard: api::Standard) -> (Handle, JoinHandle<()>) {
    let inbox = Arc::new(Inbox::default());
    let status = standard.status.take().unwrap_or_default();
    let name = standard.metadata.name.clone().unwrap_or_default();
    let handle = Handle { uid: standard.metadata.uid.clone(), inbox: inbox.clone() };
    let follower = Follower {
        facts: StandardFacts {
            generation: standard.metadata.generation.unwrap_or_default(),
            ..recalled(&world, &name, &status, standard.metadata.uid.as_deref())
        },
        name,
        world,
        inbox,
        standard,
        status,
        in_force: None,
        read_set: None,
        tried: None,
        failures: 0,
        retry_at: None,
        tell_at: None,
    };
    // Now, and not in the task: nothing that it speaks of may pass before it is read.
    follower.register();
    follower.publish(Force::Opening);
    (handle, tokio::spawn(follower.run()))
}

struct Follower {
    world: Arc<World>,
    name: String,
    inbox: Arc<Inbox>,
    /// Without its status.
    standard: api::Standard,
    facts: StandardFacts,
    /// The status as it was last written.
    status: StandardStatus,
    in_force: Option<Arc<InForce>>,
    /// What the render of the revision in force read, and with which generation.
    read_set: Option<(ReadSet, i64)>,
    /// Commit and generation that were looked at; tried again only by a retry.
    tried: Option<(String, i64)>,
    failures: u32,
    retry_at: Option<Instant>,
    /// When a status that could not be written is written again.
    tell_at: Option<Instant>,
}

impl Follower {
    async fn run(mut self) {
        loop {
            self.look().await;
            self.tell().await;
            self.rest().await;
        }
    }

    /// Waits for another revision, another spec, or for the time of a retry or of a waiver's end.
    async fn rest(&mut self) {
        let now = Timestamp::now();
        let news = self.in_force.as_ref().and_then(|in_force| in_force.standard.next_news(now)).map(|at| {
            let left = at.duration_since(now).unsigned_abs() + Duration::from_secs(1);
            Instant::now() + left.min(LONGEST)
        });
        match self.retry_at.into_iter().chain(news).chain(self.tell_at.take()).min() {
            Some(at) => {
                let _ = tokio::time::timeout_at(at, self.inbox.bell.notified()).await;
            }
            None => self.inbox.bell.notified().await,
        }
        if self.retry_at.is_some_and(|at| at <= Instant::now()) {
            (self.retry_at, self.tried) = (None, None);
        }
        let spec = self.inbox.spec.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(spec) = spec {
            let asked = requested_at(&spec).is_some_and(|at| Some(&at) != self.facts.handled_request.as_ref());
            if asked || spec.spec != self.standard.spec {
                (self.tried, self.failures, self.retry_at) = (None, 0, None);
            }
            self.standard = api::Standard { status: None, ..*spec };
            self.facts.generation = self.generation();
            self.register();
        }
    }

    /// Looks at what the Repository has found.
    async fn look(&mut self) {
        let key = self.repository();
        let tip = self.world.registry.tip(&key);
        self.facts.source = self.source(&key, tip.as_deref());
        if self.in_force.is_none() {
            self.recall().await;
        }
        if let Some(tip) = &tip {
            self.facts.hold = tip.withheld.as_ref().map(|withheld| withheld.hold.clone());
            // A standard is in force whole or not at all: no step of it may lack approval.
            let accepted = |found: &Found| match &tip.standing {
                Some(standing) => found.at(standing.accepted.clone()),
                None => found.clone(),
            };
            if let Some(found) = tip.found.as_ref().map(accepted) {
                self.attempt(tip, &found).await;
            }
        }
        self.facts.handled_request = requested_at(&self.standard);
        self.facts.warnings = self
            .in_force
            .as_ref()
            .map_or_else(Vec::new, |in_force| in_force.standard.waiver_warnings(Timestamp::now()));
        let force = match &self.in_force {
            Some(in_force) => Force::Accepted(in_force.clone()),
            None if tip.is_none() && !matches!(self.facts.source, Source::Missing { .. }) => Force::Opening,
            None => Force::Nothing(self.told()),
        };
        self.register();
        self.publish(force);
    }

    /// Puts into force again what was so before the agent started.
    async fn recall(&mut self) {
        let Some((revision, source)) = self.facts.accepted.clone() else { return };
        match read(&self.world, &source.url, &revision, &source.path).await {
            Read::Accepted(standard, coverage, read_set) => {
                tracing::info!(standard = %self.name, %revision, "in force again");
                if source.path == self.standard.spec.path {
                    self.read_set = Some((read_set, self.generation()));
                }
                self.enforce(revision, source, *standard, coverage);
            }
            Read::Not(trial) => {
                let why = match &trial {
                    Trial::Refused { problems, .. } => message::first_problems(problems, 1),
                    Trial::Failed(failed) => failed.to_string(),
                    Trial::Quarantined(how) => how.clone(),
                    Trial::None | Trial::Accepted => String::new(),
                };
                tracing::warn!(standard = %self.name, %revision, why, "what was in force cannot be read again");
            }
        }
    }

    /// Tries the newest revision, where it was not tried yet.
    async fn attempt(&mut self, tip: &Tip, found: &Found) {
        let this = (found.commit().to_owned(), self.generation());
        let revision = &found.listed.revision;
        if self.tried.as_ref() == Some(&this) {
            return;
        }
        self.facts.attempted = Some(revision.clone());
        match self.may_follow(tip, found).await {
            Ok(None) => {}
            Ok(Some(hold)) => {
                (self.facts.hold, self.facts.trial) = (Some(hold), Trial::None);
                return;
            }
            Err(failed) => return self.not(Trial::Failed(failed), this),
        }
        if self.is_untouched(found).await {
            self.facts.trial = Trial::Accepted;
            self.settle(this);
            return;
        }
        let (url, path) = (found.source.url.clone(), self.standard.spec.path.clone());
        let source = StandardSource { url, path, seal: None };
        match read(&self.world, &source.url, revision, &source.path).await {
            Read::Accepted(standard, coverage, read_set) => {
                tracing::info!(standard = %self.name, %revision, "in force");
                self.read_set = Some((read_set, self.generation()));
                self.facts.trial = Trial::Accepted;
                let seal = self.world.attest(&word(&Key::new("", &self.name), revision, &source));
                self.enforce(revision.clone(), StandardSource { seal, ..source }, *standard, coverage);
                self.settle(this);
            }
            Read::Not(trial) => self.not(trial, this),
        }
    }

    /// The newest revision is not in force; where time may mend that, it is tried again.
    fn not(&mut self, trial: Trial, this: (String, i64)) {
        if let Trial::Failed(failed) = &trial {
            self.failures += 1;
            self.retry_at = Some(Instant::now() + backoff::retry(failed.fault, self.failures, random()));
        }
        self.facts.trial = trial;
        self.tried = Some(this);
        tracing::warn!(standard = %self.name, why = self.told(), "not in force");
    }

    fn settle(&mut self, this: (String, i64)) {
        (self.tried, self.failures, self.retry_at) = (Some(this), 0, None);
    }

    fn enforce(&mut self, revision: Revision, source: StandardSource, standard: Standard, coverage: Coverage) {
        let counts = standard.counts();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.facts.counts = Some(StandardCounts {
            policies: count(counts.policies),
            bindings: count(counts.bindings),
            waivers: count(counts.waivers),
        });
        self.facts.accepted = Some((revision.clone(), source));
        self.in_force = Some(Arc::new(InForce { revision, standard, coverage }));
    }

    /// Judges the step from what is in force to what was found, as that of a Sync is.
    async fn may_follow(&self, tip: &Tip, found: &Found) -> Result<Option<Hold>, Failed> {
        let Some((accepted, _)) = &self.facts.accepted else { return Ok(None) };
        // Under review, how it stands to what was accepted was judged for the Repository: also a rewrite that people approved.
        if accepted.commit == found.commit() || tip.standing.is_some() {
            return Ok(None);
        }
        let ancestry = self.world.ancestries.between(&self.world.workers, found, &accepted.commit).await?;
        let rewind = tip.rewind.as_ref().map(|(from, to)| (from.as_str(), to.as_str()));
        Ok(match accept(Some(accepted), &found.listed.revision, ancestry, rewind) {
            Acceptance::Held { reason, message } => Some(Hold::new(reason.into(), message)),
            Acceptance::Accepted => None,
        })
    }

    /// Whether a commit changes nothing of what is in force.
    async fn is_untouched(&self, found: &Found) -> bool {
        let Some((read_set, generation)) = &self.read_set else { return false };
        let same_source = self.facts.accepted.as_ref().is_some_and(|(_, source)| source.url == found.source.url);
        if *generation != self.generation() || !same_source {
            return false;
        }
        let unchanged =
            self.world.workers.unchanged(&found.source.url, found.commit(), std::slice::from_ref(read_set)).await;
        unchanged.is_ok_and(|unchanged| unchanged == [true])
    }

    /// Has the Repository's news told to this task, and keeps what is in force in the cache.
    fn register(&self) {
        let accepted =
            self.facts.accepted.as_ref().map(|(revision, source)| (source.url.clone(), revision.commit.clone()));
        let state = StandardState {
            repository: self.repository(),
            path: self.standard.spec.path.clone(),
            accepted,
            bell: self.inbox.bell.clone(),
        };
        self.world.registry.enter_standard(&self.name, state);
    }

    fn publish(&self, force: Force) {
        let spec = &self.standard.spec;
        let entry = Entry {
            name: self.name.clone(),
            selector: spec.namespace_selector.as_ref().map(Into::into),
            floor: spec.floor.as_ref().map(Into::into),
            action: spec.action.map(Into::into),
            force,
        };
        if self.world.standards.put(entry) {
            self.world.registry.tell_all(|| Trigger::Standard);
        }
    }

    /// Writes the status where it says something new.
    async fn tell(&mut self) {
        if !self.world.leading() {
            return;
        }
        let next = standard_status(&self.facts, &self.status, Timestamp::now());
        if !changed(Some(&self.status), &next) {
            return;
        }
        let kind = KindInfo::of::<api::Standard>();
        match write_status(&self.world.cluster.own(), &kind, ("", &self.name), &next).await {
            Ok(_) => {
                if let Some(event) = of_standard_transition(&self.status.conditions, &next.conditions) {
                    let uid = self.standard.metadata.uid.clone().unwrap_or_default();
                    self.world.news.tell("Standard", &Key::new("", &self.name), &uid, &event);
                }
                self.status = next;
            }
            Err(error) => {
                tracing::warn!(standard = %self.name, %error, "the status cannot be written");
                self.tell_at = Some(Instant::now() + PAUSE);
            }
        }
    }

    fn source(&self, key: &Key, tip: Option<&Tip>) -> Source {
        if !self.world.registry.knows(key) {
            return Source::Missing { name: key.to_string() };
        }
        match tip {
            None => Source::Unknown,
            Some(Tip { failed: Some(failed), .. }) => {
                Source::Failing { told: format!("{}: {}", failed.reason, failed.message) }
            }
            Some(_) => Source::Ready,
        }
    }

    /// What everybody is told of it.
    fn told(&self) -> String {
        let next = standard_status(&self.facts, &self.status, Timestamp::now());
        next.conditions.into_iter().next().map_or_else(String::new, |ready| ready.message)
    }

    fn repository(&self) -> Key {
        let reference = &self.standard.spec.repository_ref;
        Key::new(&reference.namespace, &reference.name)
    }

    fn generation(&self) -> i64 {
        self.standard.metadata.generation.unwrap_or_default()
    }
}

fn requested_at(standard: &api::Standard) -> Option<String> {
    standard.metadata.annotations.as_ref()?.get(annotation::REQUESTED_AT).cloned()
}

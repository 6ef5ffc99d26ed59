//! Tells everybody what a pass came to: status, Events, metrics, log. Only what changed.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use crate::agent::attested::Word;
use crate::agent::tip::Key;
use crate::agent::world::World;
use crate::api::{ConditionStatus, ConditionType, Sync, SyncStatus};
use crate::cluster::own::write_status;
use crate::cluster::{ClusterError, KindInfo};
use crate::health::Status;
use crate::report::condition::state;
use crate::report::event::{self, Event};
use crate::report::facts::SyncFacts;
use crate::report::outcome::Outcome;
use crate::report::status::{changed, recall, sync_status};
use crate::report::table::State;
use crate::revision::Revision;

use super::{COALESCE, RECALL, Told, Unit};

impl Unit {
    /// Writes the status where it says something new, and the Events that go with it.
    pub(super) async fn tell(&mut self) {
        let repository = self.repository().to_string();
        self.facts.went_ahead = self.went_ahead();
        self.world.metrics.sync(&self.key.namespace, &self.key.name, &repository, &self.facts);
        if self.gone || !self.world.leading() {
            return;
        }
        self.seal_accepted();
        let next = sync_status(&self.facts, &self.status, Timestamp::now());
        if !changed(Some(&self.status), &next) {
            (self.tell_at, self.tell_since) = (None, None);
            return;
        }
        let now = Instant::now();
        if self.soon_more() {
            let due = *self.tell_since.get_or_insert(now) + self.patience(&next);
            if due > now {
                self.tell_at = Some(due);
                return;
            }
        }
        (self.tell_at, self.tell_since) = (None, None);
        if self.write_status(&next).await {
            let events = event::of_transition(&self.status.conditions, &next.conditions);
            self.note_health(&next);
            self.status = next;
            self.tell_events(&events);
        } else {
            self.tell_at = Some(now + COALESCE * 5);
        }
    }

    /// What is accepted is written under the agent's seal: after a restart nothing else is healed to.
    fn seal_accepted(&mut self) {
        if self.sealed != self.facts.accepted {
            let accepted = self.facts.accepted.as_ref();
            self.facts.accepted_seal =
                accepted.and_then(|accepted| self.world.attest(&accepted_word(&self.key, accepted)));
            self.sealed = accepted.cloned();
        }
    }

    /// Whether a better word is on its way: a pass has not ended, or an object was not seen yet.
    fn soon_more(&self) -> bool {
        matches!(state(&self.facts), State::RollingOut | State::Working | State::New)
            || self.facts.health.counts.of(Status::Unknown) > 0
    }

    /// How long a status is held back. After a restart it says nothing new until everything was
    /// looked at again, unless there is news.
    fn patience(&self, next: &SyncStatus) -> Duration {
        let known = self.status.observed_generation == next.observed_generation
            && self.status.attempted_revision == next.attempted_revision
            && !self.status.conditions.is_empty();
        if known && self.began.elapsed() < RECALL { RECALL } else { COALESCE }
    }

    /// Writes a whole status.
    pub(super) async fn put_status(&self, status: &SyncStatus) -> Result<(), ClusterError> {
        let place = (self.key.namespace.as_str(), self.key.name.as_str());
        match write_status(&self.world.cluster.own(), &KindInfo::of::<Sync>(), place, status).await {
            // It is gone: the watch will say so.
            Err(error) if error.refusal().is_none_or(|r| r.code != 404) => Err(error),
            _ => Ok(()),
        }
    }

    async fn write_status(&mut self, status: &SyncStatus) -> bool {
        match self.put_status(status).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(sync = %self.key, %error, "the status cannot be written");
                false
            }
        }
    }

    /// The first time that a commit is healthy ends the clock that its discovery started.
    fn note_health(&mut self, next: &SyncStatus) {
        let ready =
            next.conditions.iter().any(|c| c.type_ == ConditionType::Ready && c.status == ConditionStatus::True);
        if ready && let Some(found) = self.clock.take() {
            let seconds = Timestamp::now().duration_since(found.seen_at).as_secs_f64();
            self.world.metrics.commit_healthy(seconds);
            tracing::info!(sync = %self.key, revision = %found.listed.revision, millis = seconds_to_millis(seconds), "healthy");
        }
    }

    /// Tells what a run did.
    pub(super) fn news(&mut self, outcome: Outcome) {
        self.world.metrics.outcome(&outcome);
        self.facts.history = outcome.remember(&self.facts.history);
        let stages = outcome.stages.iter().map(|(stage, ms)| format!("{}={ms}ms", stage.as_str()));
        if outcome.counts.changed() > 0
            || outcome.failure.is_some()
            || !outcome.problems.is_empty()
            || !outcome.differs.is_empty()
        {
            tracing::info!(
                reason = %outcome.reason(),
                summary = %outcome.summary(),
                stages = %stages.collect::<Vec<_>>().join(" "),
                "run"
            );
        }
        let events = event::of_outcome(&outcome);
        self.tell_events(&events);
    }

    /// Tells that other Syncs were refused objects that are ours.
    pub(super) fn tell_rivals(&mut self) {
        let owned = self.ledger.owned();
        let news = self.rivals.iter_mut().filter(|((id, _), told)| **told == Told::No && owned.contains_key(id));
        let events: Vec<_> = news
            .map(|((id, sync), told)| {
                *told = Told::Yes;
                event::of_rival(id, &sync.to_string())
            })
            .collect();
        self.tell_events(&events);
    }

    /// Has Events written, soon and behind everything else.
    pub(super) fn tell_events(&self, events: &[Event]) {
        for event in events {
            self.world.news.tell("Sync", &self.key, self.uid(), event);
        }
    }
}

/// What a restarted agent takes over from a status: what was accepted, where this agent wrote it. Where it did not, the Sync is
/// as good as new: its Repository says what it may have, and what it owns stands in its inventory.
pub(super) fn recalled(world: &World, key: &Key, status: &SyncStatus, uid: Option<&str>) -> SyncFacts {
    let facts = recall(status);
    let mine = |accepted: &Revision| {
        world.wrote(&accepted_word(key, accepted), (facts.accepted_seal.as_deref(), &status.accepted_revision), uid)
    };
    match &facts.accepted {
        Some(accepted) if !mine(accepted) => SyncFacts { accepted: None, accepted_seal: None, ..facts },
        _ => facts,
    }
}

fn accepted_word<'a>(key: &'a Key, accepted: &Revision) -> Word<'a> {
    Word { kind: "Sync", key, field: "acceptedRevision", value: json!(accepted.to_string()) }
}

fn seconds_to_millis(seconds: f64) -> u64 {
    std::time::Duration::from_secs_f64(seconds.max(0.0)).as_millis().try_into().unwrap_or(u64::MAX)
}

//! Tells everybody what a pass came to: status, Events, metrics, log. Only what changed.

use jiff::Timestamp;
use tokio::time::Instant;

use crate::api::{ConditionStatus, ConditionType, STATUS_MANAGER, Sync, SyncStatus};
use crate::cluster::own::{News, NewsType, write_status};
use crate::cluster::{ClusterError, KindInfo};
use crate::report::condition::state;
use crate::report::event::{self, Event, EventType};
use crate::report::outcome::Outcome;
use crate::report::status::{changed, sync_status};
use crate::report::table::State;

use super::{COALESCE, Told, Unit};

impl Unit {
    /// Writes the status where it says something new, and the Events that go with it.
    pub(super) async fn tell(&mut self) {
        let repository = self.repository().to_string();
        self.world.metrics.sync(&self.key.namespace, &self.key.name, &repository, &self.facts);
        if self.gone || !self.world.leading() {
            return;
        }
        let next = sync_status(&self.facts, &self.status, Timestamp::now());
        if !changed(Some(&self.status), &next) {
            self.tell_at = None;
            return;
        }
        let soon_more = matches!(state(&self.facts), State::RollingOut | State::Working | State::New);
        let now = Instant::now();
        if soon_more && self.tell_at.is_none_or(|at| at > now) {
            self.tell_at.get_or_insert(now + COALESCE);
            return;
        }
        self.tell_at = None;
        if self.write_status(&next).await {
            let events = event::of_transition(&self.status.conditions, &next.conditions);
            self.note_health(&next);
            self.status = next;
            self.tell_events(&events).await;
        } else {
            self.tell_at = Some(now + COALESCE * 5);
        }
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
    pub(super) async fn news(&mut self, outcome: Outcome) {
        self.world.metrics.outcome(&outcome);
        self.facts.history = outcome.remember(&self.facts.history);
        let stages = outcome.stages.iter().map(|(stage, ms)| format!("{}={ms}ms", stage.as_str()));
        if outcome.counts.changed() > 0 || outcome.failure.is_some() || !outcome.problems.is_empty() {
            tracing::info!(
                sync = %self.key,
                revision = %outcome.id.revision,
                run = outcome.id.attempt,
                reason = %outcome.reason(),
                summary = %outcome.summary(),
                stages = %stages.collect::<Vec<_>>().join(" "),
                "run"
            );
        }
        let events = event::of_outcome(&outcome);
        self.tell_events(&events).await;
    }

    /// Tells that other Syncs were refused objects that are ours.
    pub(super) async fn tell_rivals(&mut self) {
        let owned = self.ledger.owned();
        let news = self.rivals.iter_mut().filter(|((id, _), told)| **told == Told::No && owned.contains_key(id));
        let events: Vec<_> = news
            .map(|((id, sync), told)| {
                *told = Told::Yes;
                event::of_rival(id, &sync.to_string())
            })
            .collect();
        self.tell_events(&events).await;
    }

    /// Writes Events. They are help, not record: a failure is logged.
    pub(super) async fn tell_events(&self, events: &[Event]) {
        for event in events {
            let news = News {
                api_version: format!("{}/{}", crate::api::GROUP, crate::api::VERSION),
                kind: "Sync".to_owned(),
                namespace: self.key.namespace.clone(),
                name: self.key.name.clone(),
                uid: self.uid().to_owned(),
                type_: match event.type_ {
                    EventType::Normal => NewsType::Normal,
                    EventType::Warning => NewsType::Warning,
                },
                reason: event.reason.as_str().to_owned(),
                action: event.action.to_owned(),
                note: event.message.clone(),
                subject: event.about.clone(),
                annotations: event.annotations.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
            };
            if let Err(error) = self.world.events.tell(&news).await {
                tracing::debug!(sync = %self.key, manager = STATUS_MANAGER, %error, "an Event cannot be written");
            }
        }
    }
}

fn seconds_to_millis(seconds: f64) -> u64 {
    std::time::Duration::from_secs_f64(seconds.max(0.0)).as_millis().try_into().unwrap_or(u64::MAX)
}

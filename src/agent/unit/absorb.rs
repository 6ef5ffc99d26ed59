//! From what happened to whether a pass is due.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use crate::agent::dependency::{Awaited, SyncState};
use crate::agent::lens::Lens;
use crate::agent::mailbox::{Loss, Pending, Sight};
use crate::agent::observer::{Standing, Wanted};
use crate::agent::tip::{Key, Tip};
use crate::api::{GROUP, Sync};
use crate::health::{Health, Status};
use crate::inventory::{Entry, Flag};
use crate::object::{ObjectId, annotation};
use crate::plan::{self, Live};
use crate::report::commit_status::standing;
use crate::report::facts::{HealthWait, Source, Verdict};

use super::inputs::Inputs;
use super::order::is_sync;
use super::{Told, Unit};

impl Unit {
    /// Merges what gathered in the mailbox.
    pub(super) fn absorb(&mut self, pending: Pending) {
        if let Some(sync) = pending.spec {
            let changed = sync.metadata.generation != self.sync.metadata.generation;
            let deleted = sync.metadata.deletion_timestamp.is_some();
            self.sync = Sync { status: None, ..*sync };
            if changed || deleted {
                self.take_spec();
            }
            if self
                .annotation(annotation::REQUESTED_AT)
                .is_some_and(|at| Some(at) != self.facts.handled_request.as_deref())
            {
                self.refused = None;
                self.recheck = true;
                self.work = true;
            }
        }
        if let Some(tip) = pending.tip {
            self.take_tip(tip);
        }
        for (id, sight) in pending.seen {
            self.take_sight(id, sight);
        }
        for rival in pending.rivals {
            self.rivals.entry(rival).or_insert(Told::No);
        }
        if pending.dependency && self.waits_for_others {
            self.work = true;
        }
        if pending.dependency
            && matches!(self.facts.verdict, Verdict::WaitingForDependency { .. } | Verdict::DependencyCycle { .. })
        {
            self.work = true;
        }
        if pending.source {
            self.facts.unwatched = self.inputs.unwatched();
            if self.inputs.stirred() {
                // What was refused may be right now.
                self.refused = None;
                self.work = true;
            }
        }
        if pending.standard && self.held_by_standard() {
            self.work = true;
        }
        if pending.surroundings {
            let missed = matches!(self.facts.source, Source::Missing { .. });
            self.facts.source = self.source();
            self.inputs.surroundings |= !self.inputs.asked.is_nothing();
            self.work |= self.handled.is_none() || missed || self.inputs.surroundings;
            if !matches!(self.facts.verdict, Verdict::Applied) {
                self.refused = None;
            }
        }
    }

    /// A new generation of the spec: everything is looked at anew.
    pub(super) fn take_spec(&mut self) {
        let (lens, problems) = Lens::of(&self.sync.spec);
        self.lens = lens;
        self.watched.clear();
        self.facts.generation = self.generation();
        self.facts.suspended = self.sync.spec.suspend;
        self.facts.mode = self.sync.spec.mode;
        self.facts.verdict = if problems.is_empty() { Verdict::None } else { Verdict::InvalidSpec(problems) };
        self.facts.hold = None;
        self.facts.withheld = None;
        self.validated.clear();
        // It may leave to others what was fought over.
        self.repairs.clear();
        self.refused = None;
        self.handled = None;
        self.planned = None;
        self.read_set = None;
        self.inputs = Inputs::default();
        self.facts.unwatched.clear();
        self.failures = 0;
        self.retry_at = None;
        let objects = self.ledger.owned().iter().map(|(id, entry)| Wanted {
            id,
            version: &entry.version,
            yields: plan::yields_of(id, &self.lens.ignore, Some(entry)),
            standing: Standing::Owns,
        });
        self.world.observer.route(objects, &self.mailbox, &self.lens);
        // Registered before the Repository is looked up, so that no news is missed in between.
        self.publish();
        let repository = self.repository();
        self.tip = None;
        if let Some(tip) = self.world.registry.tip(&repository) {
            self.take_tip(tip);
        }
        self.facts.source = self.source();
        self.work = true;
    }

    fn take_tip(&mut self, tip: Arc<Tip>) {
        if tip.repository != self.repository() {
            // It was on its way when the spec named another Repository.
            return;
        }
        let before = self.tip.as_ref().and_then(|t| t.found.as_ref()).map(|f| f.commit().to_owned());
        let now = tip.found.as_ref().map(|f| f.commit().to_owned());
        let rewind = self.tip.as_ref().and_then(|t| t.rewind.clone()) != tip.rewind;
        let standing = self.tip.as_ref().and_then(|t| t.standing.clone()) != tip.standing;
        let pinned = self.tip.as_ref().map(|t| t.pinned) != Some(tip.pinned);
        self.facts.review = tip.review;
        let allowed = self.tip.as_ref().map(|t| t.allowed_namespaces.clone()) != Some(tip.allowed_namespaces.clone());
        self.facts.withheld = tip.withheld.as_ref().map(|withheld| withheld.hold.clone());
        self.tip = Some(tip);
        let missed = matches!(self.facts.source, Source::Missing { .. });
        self.facts.source = self.source();
        if before != now || standing || pinned || rewind || allowed || missed {
            self.failures = 0;
            self.retry_at = None;
            self.refused = None;
            self.work = true;
        }
    }

    /// The Repository as this Sync sees it.
    fn source(&self) -> Source {
        let key = self.repository();
        if !self.world.registry.knows(&key) {
            return Source::Missing { name: key.to_string() };
        }
        let Some(tip) = &self.tip else { return Source::Unknown };
        if !tip.allows(&self.key) {
            return Source::Denied { name: key.to_string() };
        }
        match &tip.failed {
            Some(failed) => Source::Failing { told: format!("{}: {}", failed.reason, failed.message) },
            None => Source::Ready,
        }
    }

    pub(super) fn take_sight(&mut self, id: ObjectId, sight: Sight) {
        if !self.world.observer.shows(&id, &self.mailbox) && !self.ledger.owned().contains_key(&id) {
            // It was on its way when the object was deleted and forgotten: that it was there says nothing any more.
            return;
        }
        if let Some((live, health)) = sight.last {
            self.take_look(id.clone(), live, health);
        }
        if let Some(loss) = sight.loss
            && self.ledger.owned().contains_key(&id)
        {
            if loss == Loss::Missed {
                // How it looked before says nothing of how it ended.
                self.observed.remove(&id);
            }
            self.lost.insert(id);
            self.work = true;
        }
    }

    fn take_look(&mut self, id: ObjectId, live: Live, health: Health) {
        if self.older_than_known(&id, &live) {
            return;
        }
        self.lost.remove(&id);
        let before = self.health.insert(id.clone(), health);
        let changed = before != self.health.get(&id).cloned();
        if changed && self.facts.progress.is_some() {
            // A Job, a definition or a deletion that the last pass waited for may be there.
            self.work = true;
        }
        if self.drifted(&id, &live) {
            self.work = true;
        }
        // A Job that succeeded is written down at once: it must not run again when it is gone.
        if let Live::Present(seen) = &live
            && let Some(entry) = self.ledger.owned().get(&id).and_then(|entry| plan::completed(entry, seen))
        {
            self.ledger.set(&id, entry);
            self.unsaved = true;
            self.work = true;
        }
        self.observed.insert(id, live);
    }

    /// Whether this sight is from before what an answer has already told. Versions are numbers, as
    /// Kubernetes promises since 1.35; where they are none, the sight counts.
    fn older_than_known(&self, id: &ObjectId, live: &Live) -> bool {
        let (Some(Live::Present(known)), Live::Present(seen)) = (self.observed.get(id), live) else { return false };
        let number = |text: &str| text.parse::<u64>().ok();
        matches!((number(&seen.resource_version), number(&known.resource_version)), (Some(s), Some(k)) if s < k)
    }

    /// Whether an object that is ours differs from what our last apply was answered with.
    pub(super) fn drifted(&self, id: &ObjectId, live: &Live) -> bool {
        let Some(entry) = self.ledger.owned().get(id) else { return false };
        let left_alone = entry.flags.contains(&Flag::ReconcileDisabled) || entry.flags.contains(&Flag::IfNotPresent);
        match live {
            Live::Present(seen) => {
                !left_alone
                    && entry.baseline.is_some()
                    && (entry.baseline != seen.fields || entry.uid.as_ref() != Some(&seen.uid))
            }
            Live::Absent => !left_alone_when_absent(entry),
            Live::Unknown => false,
        }
    }

    /// Sums up the health of what is owned, and what is fought over.
    pub(super) fn assess(&mut self) {
        self.fights();
        self.let_be();
        let unknown = Health::new(Status::Unknown, "not seen yet");
        let owned = self.ledger.owned();
        // What has run has run, whether or not its Job is still there.
        let left_out = |id: &ObjectId| {
            let flags = &owned[id].flags;
            // Its own object, where Git holds it, would wait for itself: it is ready when all else is.
            let itself = id.kind == "Sync" && id.group == GROUP && self.key == Key::new(&*id.namespace, &*id.name);
            itself || flags.contains(&Flag::ReconcileDisabled) || flags.contains(&Flag::Completed)
        };
        let healths: BTreeMap<&ObjectId, &Health> =
            owned.keys().filter(|id| !left_out(id)).map(|id| (id, self.health.get(id).unwrap_or(&unknown))).collect();
        self.facts.health = crate::health::SetHealth::of(healths);
        let healthy = self.facts.health.status() == Status::Current;
        if healthy {
            self.unhealthy_since = None;
            self.facts.health_wait = HealthWait::Settled;
        } else {
            let since = *self.unhealthy_since.get_or_insert_with(Instant::now);
            let limit = since + self.timeout();
            if Instant::now() >= limit {
                self.facts.health_wait = HealthWait::Exceeded;
            } else {
                self.limit_at = Some(limit);
            }
        }
    }

    /// Tells the other Syncs what changed.
    pub(super) fn publish(&mut self) {
        let failed = !matches!(self.facts.verdict, Verdict::Applied | Verdict::Shadowed(_));
        let key =
            |d: &crate::api::DependencyRef| Key::new(d.namespace.as_ref().unwrap_or(&self.key.namespace), &d.name);
        let state = SyncState {
            repository: Some(self.repository()),
            handled: self.handled.as_ref().map(|(commit, _)| commit.clone()),
            healthy: !failed && matches!(self.facts.health.status(), Status::Current),
            suspended: self.sync.spec.suspend,
            depends_on: self.sync.spec.depends_on.iter().filter(|d| is_sync(d)).map(key).collect(),
            read_set: self.read_set.clone(),
            planned: self.planned.clone(),
            accepted: self.facts.accepted.as_ref().map(|revision| revision.commit.clone()),
            waits: self.waits_for_others,
            stuck: self.sync.spec.suspend
                || self.sync.spec.mode == crate::api::Mode::Shadow
                || self.facts.hold.is_some()
                || self.deleted()
                || matches!(
                    self.facts.verdict,
                    Verdict::Refused { .. } | Verdict::InvalidSpec(_) | Verdict::Quarantined { .. }
                ),
            awaits_plan: self.awaited_plan(),
            inputs: self.inputs.named.clone(),
            standing: self.tip.as_ref().and_then(|tip| tip.newest()).map(|newest| {
                let commit = newest.commit.as_str();
                let handled = self.handled.as_ref().map(|(commit, _)| commit.as_str());
                (commit.to_owned(), standing(&self.facts, handled, commit))
            }),
        };
        if self.published.as_ref() != Some(&state) {
            self.published = Some(state.clone());
            self.world.registry.publish(&self.key, &self.mailbox, state);
        }
    }

    /// The plan for which it is held.
    fn awaited_plan(&self) -> Option<Arc<Awaited>> {
        let hold = self.facts.hold.as_ref()?;
        let commit = self.facts.attempted.as_ref()?.commit.clone();
        Some(Arc::new(Awaited { commit, why: hold.message.clone(), plan: hold.plan.clone()? }))
    }
}

/// Whether the absence of an object is right: a Job that ran does not run again, and what Git says
/// to leave alone is left alone.
fn left_alone_when_absent(entry: &Entry) -> bool {
    entry.flags.contains(&Flag::Completed) || entry.flags.contains(&Flag::ReconcileDisabled)
}

//! One pass over a Sync: the flow, from a commit to a running cluster, as far as it goes now.

use std::sync::Arc;
use std::time::Instant as Clock;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::agent::tip::{Found, Tip};
use crate::api::Mode;
use crate::cluster::Session;
use crate::failure::{Failed, Failure, Fault};
use crate::object::annotation;
use crate::plan::{Change, Method};
use crate::render::{Limits, Rendered};
use crate::report::facts::{Hold, Progress, Source, Stage, Verdict};
use crate::report::outcome::{Outcome, OutcomeId};
use crate::report::reason::Reason;
use crate::revision::{Acceptance, accept};

use super::{INTERVAL, Unit};

/// What a pass aims at.
pub(super) struct Target {
    /// Which commit.
    pub found: Found,
    /// Whether it is the newest, or the accepted one while a newer one is held.
    pub aim: Aim,
    /// As the Sync's account.
    pub session: Session,
}

/// Why a commit is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// It is the newest.
    Newest,
    /// A newer one is held or refused; this one stays healed.
    Heal,
}

/// Why a pass ended before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// Nothing can be done, and nothing is wrong with that: suspended, no commit yet.
    Idle,
    /// This replica may not write now: its lease was not renewed in time.
    NoPermit,
    /// It was refused before; only a retry tries it again.
    Known,
    /// It goes on when something in the cluster or in Git has happened.
    Waiting(Progress),
    /// This is how it ended; only another commit, another spec or a person changes it.
    Verdict(Verdict),
    /// The revision, or its deletions, are held until a person acts.
    Hold(Hold),
    /// A step failed, and is tried again.
    Failed(Stage, Failed),
    /// A newer revision is there.
    Superseded,
    /// What was in the way is gone; the same revision is planned anew at once.
    Again,
}

impl Stop {
    /// A failed step.
    pub fn failed(stage: Stage, error: &impl Failure) -> Self {
        Self::Failed(stage, Failed::from(error))
    }
}

impl Unit {
    /// Makes a pass at the newest commit, and where that is held or refused, one that heals the
    /// accepted one.
    pub(super) async fn pass(&mut self) {
        let world = self.world.clone();
        let waiting = world.metrics.waiting();
        let Ok(_slot) = world.passes.acquire().await else { return };
        drop(waiting);
        let _running = world.metrics.running();
        self.attempt += 1;
        let end = match self.aim_newest().await {
            Ok(target) => self.attempt(&target).await,
            Err(stop) => Err(stop),
        };
        let cut_short = matches!(end, Err(Stop::Superseded | Stop::Again | Stop::NoPermit));
        let heal = end.is_err() && !cut_short && !matches!(end, Err(Stop::Idle)) && self.needs_healing();
        self.note_end(end);
        if heal {
            let end = match self.aim_accepted() {
                Ok(target) => self.attempt(&target).await,
                Err(stop) => Err(stop),
            };
            self.note_healing(end);
        }
        let interval = crate::agent::source::duration(self.sync.spec.interval.as_deref(), INTERVAL);
        self.recheck_at = Some(Instant::now() + interval);
        if !cut_short {
            self.recheck = false;
            self.facts.handled_request = self.annotation(annotation::REQUESTED_AT).map(str::to_owned);
        }
    }

    /// The newest commit, if it may be taken.
    async fn aim_newest(&mut self) -> Result<Target, Stop> {
        if self.sync.spec.suspend || matches!(self.facts.verdict, Verdict::InvalidSpec(_)) {
            return Err(Stop::Idle);
        }
        if matches!(self.facts.source, Source::Missing { .. } | Source::Denied { .. }) {
            return Err(Stop::Idle);
        }
        let Some(found) = self.tip.as_ref().and_then(|t| t.found.clone()) else { return Err(Stop::Idle) };
        let target = self.target(found, Aim::Newest)?;
        self.accept(&target.found).await?;
        let this = (target.found.commit().to_owned(), self.generation());
        if self.refused.as_ref() == Some(&this) {
            return Err(Stop::Known);
        }
        Ok(target)
    }

    pub(super) fn target(&self, found: Found, aim: Aim) -> Result<Target, Stop> {
        let account = self.sync.spec.service_account_name.as_deref().filter(|a| !a.is_empty()).ok_or_else(|| {
            let message = "spec.serviceAccountName names no account: nothing is applied without one";
            let hint = "create a ServiceAccount with the rights that the manifests need, and name it";
            Stop::Failed(Stage::Plan, Failed::new("NoServiceAccount", Fault::Cluster, message).with_hint(hint))
        })?;
        let session = self
            .world
            .session(&self.key, account, found.commit())
            .map_err(|error| Stop::failed(Stage::Plan, &error))?;
        Ok(Target { found, aim, session })
    }

    /// Judges the step from the accepted commit to the found one.
    async fn accept(&mut self, found: &Found) -> Result<(), Stop> {
        let Some(accepted) = self.facts.accepted.clone() else { return Ok(()) };
        if accepted.commit != found.commit() {
            let ancestry = self.world.ancestries.between(&self.world.workers, found, &accepted.commit).await;
            let ancestry = ancestry.map_err(|failed| Stop::Failed(Stage::Fetch, failed))?;
            let rewind = self.tip.as_ref().and_then(|t| t.rewind.as_ref());
            let rewind = rewind.map(|(from, to)| (from.as_str(), to.as_str()));
            if let Acceptance::Held { reason, message } =
                accept(Some(&accepted), &found.listed.revision, ancestry, rewind)
            {
                self.facts.attempted = Some(found.listed.revision.clone());
                return Err(Stop::Hold(Hold { reason: reason_of(reason), message }));
            }
        }
        self.facts.hold = None;
        Ok(())
    }

    /// Whether what is accepted is known to differ in the cluster.
    fn needs_healing(&self) -> bool {
        let owned = self.ledger.owned().keys();
        self.facts.accepted.is_some()
            && (self.recheck
                || !self.lost.is_empty()
                || owned.into_iter().any(|id| self.observed.get(id).is_some_and(|live| self.drifted(id, live))))
    }

    fn aim_accepted(&self) -> Result<Target, Stop> {
        let (Some(revision), Some(tip)) = (self.facts.accepted.clone(), &self.tip) else { return Err(Stop::Idle) };
        let Some(mut found) = tip.found.clone() else { return Err(Stop::Idle) };
        found.listed.revision = revision;
        self.target(found, Aim::Heal)
    }

    /// The flow.
    async fn attempt(&mut self, target: &Target) -> Result<(), Stop> {
        // What was applied whole before is put right wherever others are by now.
        if target.aim == Aim::Newest || self.facts.applied != self.facts.accepted {
            self.order(target).await?;
        }
        if self.nothing_to_do(target) {
            self.save().await?;
            self.settle(target);
            return Ok(());
        }
        if let Some(failed) = self.ledger.unreadable() {
            return Err(Stop::Failed(Stage::Plan, failed.clone()));
        }
        self.look_at_lost(target).await?;
        let kept = self.untouched_since_restart(target).await;
        let mut outcome = if kept.is_some() { self.outcome(target) } else { self.begin(target) };
        let rendered = match kept {
            Some(rendered) => Ok(rendered),
            None => self.render(target, &mut outcome).await,
        };
        let rendered = self.told(rendered, &mut outcome)?;
        let read_set = Arc::new(rendered.read_set.clone());
        let resolved = self.resolve(rendered, &mut outcome).await;
        let (desired, wrong) = self.told(resolved, &mut outcome)?;
        let judged = self.judged(target, &desired, &wrong, &mut outcome).await;
        let (plan, refused) = self.told(judged, &mut outcome)?;
        let admitted = self.admit(target, plan, desired, refused, &wrong, &mut outcome).await;
        let admitted = self.told(admitted, &mut outcome)?;
        if self.sync.spec.mode == Mode::Shadow {
            self.shadow(target, &admitted);
            return Ok(());
        }
        let prepared = self.prepare(target, &admitted, &mut outcome).await;
        self.told(prepared, &mut outcome)?;
        self.accepted(target);
        let end = self.carry_out(target, &admitted, &mut outcome).await;
        self.told(end, &mut outcome)?;
        self.news(outcome);
        let defined =
            |change: &Change| change.id.kind == "CustomResourceDefinition" && change.method != Method::Nothing;
        if admitted.plan().changes.iter().any(defined) {
            // Kinds that this revision itself defines could not be watched before.
            self.open_watches(target, admitted.all_desired()).await?;
        }
        self.read_set = Some(read_set);
        self.settle(target);
        Ok(())
    }

    /// Writes down what a watch taught about entries of the inventory.
    async fn save(&mut self) -> Result<(), Stop> {
        if self.unsaved {
            self.world.permit().ok_or(Stop::NoPermit)?;
            let written = self.ledger.write(&self.world.cluster.own(), &self.sync).await;
            written.map_err(|error| Stop::failed(Stage::Apply, &error))?;
            self.unsaved = false;
        }
        Ok(())
    }

    /// Tells what came of a pass where it ends here.
    fn told<T>(&mut self, step: Result<T, Stop>, outcome: &mut Outcome) -> Result<T, Stop> {
        if let Err(Stop::Failed(stage, failed)) = &step {
            outcome.failure = Some((*stage, failed.clone()));
        }
        if step.is_err() {
            self.news(std::mem::replace(outcome, Outcome::new(outcome.id.clone(), Timestamp::now())));
        }
        step
    }

    fn begin(&mut self, target: &Target) -> Outcome {
        let revision = &target.found.listed.revision;
        if target.aim == Aim::Newest && self.facts.attempted.as_ref() != Some(revision) {
            self.facts.attempted = Some(revision.clone());
            self.facts.verdict = Verdict::None;
            self.facts.health_wait = crate::report::facts::HealthWait::First;
            self.unhealthy_since = None;
            self.clock = Some(target.found.clone());
            self.attempt = 1;
        }
        self.outcome(target)
    }

    fn outcome(&self, target: &Target) -> Outcome {
        let revision = target.found.listed.revision.to_string();
        let id = OutcomeId { sync_uid: self.uid().to_owned(), revision, attempt: self.attempt };
        Outcome::new(id, Timestamp::now())
    }

    /// After a restart, what a newer commit renders to where it changes nothing that the accepted
    /// one read: such a commit is none of this Sync's news, as it would not have been before.
    async fn untouched_since_restart(&self, target: &Target) -> Option<Rendered> {
        let found = &target.found.listed.revision;
        let accepted = self.facts.accepted.as_ref().filter(|accepted| accepted.commit != found.commit)?;
        let settled = self.facts.applied.as_ref() == Some(accepted) && self.facts.attempted.as_ref() == Some(accepted);
        if !settled || target.aim != Aim::Newest || self.read_set.is_some() || self.handled.is_some() {
            return None;
        }
        let (url, workers) = (&target.found.source.url, &self.world.workers);
        let path = self.sync.spec.path.as_str();
        if self.world.quarantined(&found.commit, path) {
            return None;
        }
        // What fails here fails again in the pass, which tells it.
        let rendered = workers.render(url, &found.commit, path, &Limits::agent()).await.ok()?;
        let same = workers.unchanged(url, &accepted.commit, std::slice::from_ref(&rendered.read_set)).await.ok()?;
        (rendered.problems.is_empty() && same == [true]).then_some(rendered)
    }

    /// From here on drift is healed to this revision: it was taken whole by the API server, or the
    /// spec says that the rest of it may be applied.
    fn accepted(&mut self, target: &Target) {
        let touched = self.facts.attempted.as_ref() == Some(&target.found.listed.revision);
        if target.aim == Aim::Newest && touched {
            self.facts.accepted = Some(target.found.listed.revision.clone());
        }
    }

    /// Whether nothing can have changed since the last pass that had nothing left to do.
    pub(super) fn nothing_to_do(&self, target: &Target) -> bool {
        let Some((commit, generation)) = &self.handled else { return false };
        // Compared with what was read for the handled commit, not with what was read for one before it:
        // a commit that takes back another changes nothing against that.
        let untouched = |tip: &Tip| self.read_set.is_some() && tip.untouched.get(&self.key) == self.read_set.as_ref();
        let same = commit == target.found.commit() || self.tip.as_deref().is_some_and(untouched);
        same && *generation == self.generation() && !self.recheck && self.lost.is_empty() && !self.needs_healing()
    }

    /// Nothing is left to do for this commit.
    pub(super) fn settle(&mut self, target: &Target) {
        let revision = &target.found.listed.revision;
        if target.aim == Aim::Heal {
            return;
        }
        let touched = self.facts.attempted.as_ref() == Some(revision);
        self.handled = Some((revision.commit.clone(), self.generation()));
        self.facts.progress = None;
        self.facts.verdict = Verdict::Applied;
        self.failures = 0;
        self.retry_at = None;
        self.deleted_unpaid = 0;
        self.unreachable.clear();
        if touched && self.facts.applied.as_ref() != Some(revision) {
            self.facts.applied = Some(revision.clone());
            // What was healthy before may have been the objects of the revision before.
            self.facts.health_wait = crate::report::facts::HealthWait::First;
            self.unhealthy_since = None;
            let seconds = Timestamp::now().duration_since(target.found.seen_at).as_secs_f64();
            self.world.metrics.commit_applied(seconds);
        }
    }
}

/// Milliseconds since a moment.
pub(super) fn millis(clock: Clock) -> u64 {
    clock.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}

fn reason_of(reason: crate::revision::HoldReason) -> Reason {
    Reason::parse(reason.as_str()).unwrap_or(Reason::Held)
}

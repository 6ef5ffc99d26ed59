//! One pass over a Sync: the flow, from a commit to a running cluster, as far as it goes now.

use std::sync::Arc;
use std::time::Instant as Clock;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::Instrument;

use crate::agent::bound::Bound;
use crate::agent::tip::{Found, Tip};
use crate::api::Mode;
use crate::cluster::Session;
use crate::failure::{Failed, Failure, Fault};
use crate::object::annotation;
use crate::plan::{Change, Method};
use crate::render::Rendered;
use crate::report::facts::{Hold, Progress, Source, Stage, Verdict};
use crate::report::outcome::{Outcome, OutcomeId};
use crate::report::reason::Reason;
use crate::revision::{Acceptance, accept};

use super::inputs::Given;
use super::judge::{Content, Matter};
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
        let Some(_slot) = world.passes.take(&self.key.namespace).await else { return };
        drop(waiting);
        let _running = world.metrics.running();
        self.attempt += 1;
        let end = match self.aim_newest().await {
            Ok(target) => self.attempt(&target).await,
            Err(stop) => Err(stop),
        };
        let cut_short = matches!(end, Err(Stop::Superseded | Stop::Again | Stop::NoPermit));
        let end = self.at_least_accepted(end).await;
        let heal =
            end.is_err() && !cut_short && !matches!(end, Err(Stop::Idle)) && (self.needs_healing() || self.is_unseen());
        self.note_end(end);
        if heal {
            let end = match self.aim_accepted().await {
                Ok(target) => self.attempt(&target).await,
                Err(stop) => Err(stop),
            };
            self.note_healing(end);
        }
        self.inputs.end_pass();
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
        let Some(tip) = &self.tip else { return Err(Stop::Idle) };
        let Some(found) = tip.found.clone() else {
            // Where all that was found is held back, what is accepted stays healed.
            return Err(if tip.withheld.is_some() { Stop::Known } else { Stop::Idle });
        };
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
        // No step takes longer than the spec says, and a request is one.
        Ok(Target { found, aim, session: session.limited(self.timeout()) })
    }

    /// Judges the step from the accepted commit to the found one.
    async fn accept(&mut self, found: &Found) -> Result<(), Stop> {
        if self.review_standing().is_some() {
            // How it stands to what is accepted was judged for the Repository.
            self.facts.hold = None;
            return Ok(());
        }
        if let Some(accepted) = self.facts.accepted.clone().filter(|accepted| accepted.commit != found.commit()) {
            let ancestry = self.world.ancestries.between(&self.world.workers, found, &accepted.commit).await;
            let ancestry = ancestry.map_err(|failed| Stop::Failed(Stage::Fetch, failed))?;
            let rewind = self.tip.as_ref().and_then(|t| t.rewind.as_ref());
            let rewind = rewind.map(|(from, to)| (from.as_str(), to.as_str()));
            if let Acceptance::Held { reason, message } =
                accept(Some(&accepted), &found.listed.revision, ancestry, rewind)
            {
                self.facts.attempted = Some(found.listed.revision.clone());
                return Err(Stop::Hold(Hold::new(reason_of(reason), message)));
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

    /// Whether nothing of what is accepted was looked at since the start: then no watch shows it.
    fn is_unseen(&self) -> bool {
        self.facts.accepted.is_some() && self.read_set.is_none()
    }

    async fn aim_accepted(&self) -> Result<Target, Stop> {
        let (Some(revision), Some(tip)) = (self.facts.accepted.clone(), &self.tip) else { return Err(Stop::Idle) };
        let revision = match &tip.standing {
            Some(standing) => self.healed(tip, standing, revision).await?,
            None => revision,
        };
        let Some(found) = tip.at(revision) else { return Err(Stop::Idle) };
        self.target(found, Aim::Heal)
    }

    /// A run: what is logged meanwhile, also by the doors, carries which one it was.
    pub(super) async fn attempt(&mut self, target: &Target) -> Result<(), Stop> {
        let revision = &target.found.listed.revision;
        let span = tracing::info_span!("run", sync = %self.key, %revision, run = tracing::field::Empty);
        self.flow(target).instrument(span).await
    }

    /// The flow.
    async fn flow(&mut self, target: &Target) -> Result<(), Stop> {
        // What was applied whole before is put right wherever others are by now.
        if target.aim == Aim::Newest || self.facts.applied != self.facts.accepted {
            self.order(target).await?;
        }
        if self.cluster_differs().await {
            self.handled = None;
        }
        if self.nothing_to_do(target) && !self.inputs.stirred() {
            return self.stay(target).await;
        }
        self.pinned()?;
        let given = self.given(target).await?;
        if self.nothing_to_do(target) && self.inputs.handled == Some(given.digest) {
            // A source is of another version and says the same.
            return self.stay(target).await;
        }
        if let Some(failed) = self.ledger.unreadable() {
            return Err(Stop::Failed(Stage::Plan, failed.clone()));
        }
        self.look_at_lost(target).await?;
        let mut bound = Bound::of(self.timeout());
        let kept = self.untouched_since_restart(target, &given, &mut bound).await;
        let mut outcome = if kept.is_some() { self.outcome(target) } else { self.begin(target) };
        outcome.inputs.clone_from(&self.inputs.named);
        let content = if kept.is_some() { Content::Accepted } else { Content::Read };
        let rendered = match kept {
            Some(rendered) => Ok(rendered),
            None => self.render(target, &given, &mut outcome, &mut bound).await,
        };
        let rendered = self.told(rendered, &mut outcome)?;
        let read_set = Arc::new(rendered.read_set.clone());
        let approved = self.approved(target, &read_set);
        self.told(approved, &mut outcome)?;
        let unfrozen = self.unfrozen(target, &read_set).await;
        self.told(unfrozen, &mut outcome)?;
        self.note_asked(&rendered.asked).await;
        let resolved = self.resolve(rendered, &mut outcome).await;
        let (desired, wrong) = self.told(resolved, &mut outcome)?;
        let judged = self.judged(target, &desired, &wrong, &mut outcome).await;
        let (plan, refused) = self.told(judged, &mut outcome)?;
        let matter = Matter { content, plan: &plan, wrong: &wrong };
        let judged = self.by_standards(target, matter, desired, refused).await;
        let (desired, refused) = self.told(judged, &mut outcome)?;
        let admitted = self.admit(target, plan, desired, refused, &wrong, &mut outcome).await;
        let (admitted, paid) = self.told(admitted, &mut outcome)?;
        if self.sync.spec.mode == Mode::Shadow {
            self.shadow(target, &admitted);
            self.rendered_with(target, &given);
            return Ok(());
        }
        let expected = self.foretold(target, &admitted, &read_set).await;
        let expected = self.told(expected, &mut outcome)?;
        let recorded = self.record_paid(&paid).await;
        self.told(recorded, &mut outcome)?;
        let prepared = self.prepare(target, &admitted, &mut outcome).await;
        self.told(prepared, &mut outcome)?;
        self.accepted(target);
        self.judged.pass();
        let end = self.carry_out(target, &admitted, &mut outcome).await;
        self.compare_with(target, &expected, &mut outcome).await;
        self.told(end, &mut outcome)?;
        self.news(outcome);
        let defined =
            |change: &Change| change.id.kind == "CustomResourceDefinition" && change.method != Method::Nothing;
        if admitted.plan().changes.iter().any(defined) {
            // Kinds that this revision itself defines could not be watched before.
            self.open_watches(target, admitted.all_desired()).await?;
        }
        self.read_set = Some(read_set);
        self.rendered_with(target, &given);
        self.settle(target);
        Ok(())
    }

    /// Nothing was left to do, and nothing has changed since.
    async fn stay(&mut self, target: &Target) -> Result<(), Stop> {
        if self.sync.spec.mode == Mode::Enforce {
            self.save().await?;
            self.settle(target);
        }
        Ok(())
    }

    /// Writes down what a watch taught about entries of the inventory.
    pub(super) async fn save(&mut self) -> Result<(), Stop> {
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
        tracing::Span::current().record("run", self.attempt);
        let id = OutcomeId { sync_uid: self.uid().to_owned(), revision, attempt: self.attempt };
        Outcome::new(id, Timestamp::now())
    }

    /// After a restart, what a newer commit renders to where it changes nothing that the accepted
    /// one read: such a commit is none of this Sync's news, as it would not have been before.
    async fn untouched_since_restart(&self, target: &Target, given: &Given, bound: &mut Bound) -> Option<Rendered> {
        let found = &target.found.listed.revision;
        let accepted = self.facts.accepted.as_ref().filter(|accepted| accepted.commit != found.commit)?;
        let settled = self.facts.applied.as_ref() == Some(accepted) && self.facts.attempted.as_ref() == Some(accepted);
        if !settled || target.aim != Aim::Newest || self.read_set.is_some() || self.handled.is_some() {
            return None;
        }
        let (url, workers) = (&target.found.source.url, &self.world.workers);
        let path = self.sync.spec.path.as_str();
        if self.world.quarantined(&found.commit, path).is_some() {
            return None;
        }
        // What fails here fails again in the pass, which tells it.
        let rendered = self.world.render(url, &found.commit, path, &given.options, bound).await.ok()?;
        let same = workers.unchanged(url, &accepted.commit, std::slice::from_ref(&rendered.read_set)).await.ok()?;
        (rendered.problems.is_empty() && same == [true]).then_some(rendered)
    }

    /// From here on drift is healed to this revision: it was taken whole by the API server, or the
    /// spec says that the rest of it may be applied.
    fn accepted(&mut self, target: &Target) {
        let touched = self.facts.attempted.as_ref() == Some(&target.found.listed.revision);
        if target.aim == Aim::Newest && touched {
            self.facts.accepted = Some(target.found.listed.revision.clone());
            self.vouched = self.vouches.take();
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
        self.facts.deletions_unpaid = 0;
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

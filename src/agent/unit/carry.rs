//! From a validated plan to a changed cluster: budget, admission, inventory, writes, deletions.

use crate::agent::worker::History;
use crate::api::{self, SyncStatus};
use crate::cluster::{ClusterError, RefusalReason, apply};
use crate::failure::{Failed, Failure};
use crate::object::{ObjectId, Problem};
use crate::plan::{
    self, Admitted, Along, Budget, Change, Desired, Live, Method, OnInvalid, Paid, Plan, Refusals, Spending, Trailer,
    admit, forgets, intended, judge,
};
use crate::report::facts::{Hold, Progress, ShadowSummary, Stage, Verdict};
use crate::report::outcome::{ActionCounts, Outcome};
use crate::report::reason::Reason;
use crate::revision::Acceptance;

use super::Unit;
use super::pass::{Aim, Stop, Target};
use super::stages::Wrong;

/// What a refused dry-run comes to.
pub(super) enum Judged {
    /// It can be carried out all the same.
    Taken,
    /// It cannot.
    Wrong(Problem),
    /// It is a Job that runs with its former manifest.
    Running,
}

/// The wait for a Job that runs with its former manifest: to end it half-way is not ours to decide.
pub(super) fn still_running(job: &ObjectId, stage: Stage) -> Stop {
    let force = crate::object::annotation::FORCE;
    let message = format!(
        "{job} still runs as it was before, and is replaced when it has finished; {force}: enabled replaces it at once"
    );
    Stop::Waiting(Progress { stage, message })
}

impl Unit {
    /// Whether the plan may be carried out: problems, budget; with the trailers that pay for it.
    pub(super) async fn admit(
        &mut self,
        target: &Target,
        plan: Plan,
        desired: Vec<Desired>,
        refused: Refusals,
        wrong: &Wrong,
        outcome: &mut Outcome,
    ) -> Result<(Admitted, Vec<Paid>), Stop> {
        let verdict = self.judge(target, &plan).await?;
        let on_invalid = match self.sync.spec.on_invalid {
            // What is accepted was taken whole once: healing does what can be done.
            api::OnInvalid::Hold if target.aim == Aim::Newest => OnInvalid::Hold,
            _ => OnInvalid::ApplyRest,
        };
        match admit(plan, desired, &Acceptance::Accepted, &verdict, on_invalid, &refused) {
            Ok(admitted) => {
                outcome.problems.clone_from(&admitted.plan().problems);
                let paid = if let plan::Verdict::Paid { by, .. } = verdict { by } else { Vec::new() };
                Ok((admitted, paid))
            }
            Err(plan::Hold::Problems(problems)) => {
                outcome.problems.clone_from(&problems);
                let stage = if wrong.problems.is_empty() { Stage::Validate } else { wrong.stage };
                Err(Stop::Verdict(Verdict::Refused { stage, problems, applied_rest: None }))
            }
            Err(plan::Hold::Budget { message, .. }) => {
                Err(Stop::Hold(Hold::new(Reason::DeletionBudgetExceeded, message)))
            }
            Err(other) => {
                let failed = Failed::new(other.reason(), crate::failure::Fault::Internal, other.to_string());
                Err(Stop::Failed(Stage::Plan, failed))
            }
        }
    }

    async fn judge(&self, target: &Target, plan: &Plan) -> Result<plan::Verdict, Stop> {
        let budget = Budget::from(self.sync.spec.deletion_budget.clone().unwrap_or_default());
        let along: Along = plan
            .changes
            .iter()
            .filter(|change| change.method == Method::Delete)
            .map(|change| (change.id.clone(), u32::try_from(self.world.claims.below(&change.id)).unwrap_or(u32::MAX)))
            .collect();
        let paid: Vec<_> = self.facts.deletions_paid.iter().filter_map(|text| text.parse().ok()).collect();
        let owner = self.owner();
        let first = Spending {
            owner: &owner,
            plan,
            owned: self.ledger.owned(),
            along: &along,
            done: self.facts.deletions_unpaid,
            trailers: &[],
            paid: &paid,
        };
        let verdict = judge(&first, &budget);
        if !matches!(verdict, plan::Verdict::Held { .. }) {
            return Ok(verdict);
        }
        // Only now are messages of commits worth reading.
        let trailers = self.trailers(target).await?;
        Ok(judge(&Spending { trailers: &trailers, ..first }, &budget))
    }

    /// Trailers of the commits after the revision that was last applied whole.
    async fn trailers(&self, target: &Target) -> Result<Vec<Trailer>, Stop> {
        let history = History {
            from: self.facts.applied.as_ref().map(|revision| revision.commit.clone()),
            to: target.found.commit().to_owned(),
            path: None,
            without: self.unapproved(target),
        };
        let url = &target.found.source.url;
        let commits = self.world.workers.trailers(url, history).await.map_err(|f| Stop::Failed(Stage::Plan, f))?;
        let mut found = Vec::new();
        for commit in commits {
            let message: String = commit.trailers.iter().map(|t| format!("{}: {}\n", t.key, t.value)).collect();
            let (trailers, wrong) = plan::trailers(&commit.commit.commit, &message);
            for error in wrong {
                tracing::warn!(sync = %self.key, commit = %commit.commit.commit, reason = error.reason(), %error, "trailer");
            }
            found.extend(trailers);
        }
        Ok(found)
    }

    /// A refused dry-run: a problem, a recreation that the manifest permits, a Job that is to be
    /// waited for, or a failure to ask.
    pub(super) async fn judge_refusal(
        &mut self,
        target: &Target,
        change: &mut Change,
        desired: &Desired,
        error: ClusterError,
    ) -> Result<Judged, Stop> {
        let Some(refusal) = error.refusal() else { return Err(Stop::failed(Stage::Validate, &error)) };
        match refusal.why {
            RefusalReason::TooManyRequests | RefusalReason::Unavailable | RefusalReason::Expired => {
                return Err(Stop::failed(Stage::Validate, &error));
            }
            // The webhook cannot be asked without side effects: unchecked, not refused.
            RefusalReason::DryRunUnsupported(_) => return Ok(Judged::Taken),
            _ => {}
        }
        let immutable = refusal.why == RefusalReason::Invalid && self.is_immutable(target, change, desired).await?;
        if immutable
            && let Some(Live::Present(seen)) = self.observed.get(&change.id)
            && let Some(recreation) = plan::recreate(change, desired, seen)
        {
            *change = recreation;
            return Ok(Judged::Taken);
        }
        if immutable && self.is_running_job(&change.id) {
            return Ok(Judged::Running);
        }
        Ok(Judged::Wrong(problem(desired, &error, immutable)))
    }

    /// Whether it is a Job that has not finished: a changed one replaces it once it has.
    pub(super) fn is_running_job(&self, id: &ObjectId) -> bool {
        let running = |live: &Live| matches!(live, Live::Present(seen) if seen.finished == plan::Finished::No);
        id.group == "batch" && id.kind == "Job" && self.observed.get(id).is_some_and(running)
    }

    /// Whether an update is refused because a field is immutable: created anew, under another name,
    /// the same object would be taken. The causes of the refusal do not tell.
    pub(super) async fn is_immutable(
        &mut self,
        target: &Target,
        change: &Change,
        desired: &Desired,
    ) -> Result<bool, Stop> {
        if !matches!(self.observed.get(&change.id), Some(Live::Present(_))) {
            self.look_at(target, vec![(change.id.clone(), change.api_version.clone())]).await?;
        }
        if !matches!(self.observed.get(&change.id), Some(Live::Present(_))) {
            return Ok(false);
        }
        Ok(apply::probe_create(&target.session, desired).await.is_ok())
    }

    /// Writes into the status what trailers pay for, where the run goes ahead: one that is held for something else pays for
    /// nothing. First that, then the marks in the inventory, then the deletions: a crash in between asks for another trailer,
    /// never for none.
    pub(super) async fn record_paid(&mut self, by: &[Paid]) -> Result<(), Stop> {
        if by.is_empty() {
            return Ok(());
        }
        let mut paid = self.facts.deletions_paid.clone();
        paid.extend(by.iter().map(ToString::to_string));
        // The rest of the status is told when the pass has ended.
        let next = SyncStatus { deletions_paid: paid.clone(), ..self.status.clone() };
        self.put_status(&next).await.map_err(|error| Stop::failed(Stage::Prune, &error))?;
        self.facts.deletions_paid = paid;
        self.status = next;
        Ok(())
    }

    /// A deletion that nothing paid for counts with those after it.
    pub(super) fn count_deletion(&mut self, admitted: &Admitted) {
        if !admitted.is_granted() {
            self.facts.deletions_unpaid = self.facts.deletions_unpaid.saturating_add(1);
        }
    }

    /// Writes into the status how many there are, at once: the agent may end before the rest of it is told.
    pub(super) async fn record_unpaid(&mut self) {
        let next = SyncStatus { deletions_unpaid: self.facts.deletions_unpaid, ..self.status.clone() };
        if next == self.status {
            return;
        }
        match self.put_status(&next).await {
            Ok(()) => self.status = next,
            // It is told with the rest.
            Err(error) => tracing::warn!(sync = %self.key, %error, "deletions cannot be recorded"),
        }
    }

    /// Writes the inventory, before anything that it speaks of, and removes what is in the way.
    pub(super) async fn prepare(
        &mut self,
        target: &Target,
        admitted: &Admitted,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        for change in admitted.plan().changes.iter().filter(|change| change.method == Method::Nothing) {
            outcome.record(&change.id, change.action);
            if forgets(change) {
                self.forget(&change.id);
            }
        }
        let own = self.world.cluster.own();
        if !admitted.plan().is_empty() {
            self.ensure_finalizer().await.map_err(|error| Stop::failed(Stage::Apply, &error))?;
        }
        self.ledger.replace(intended(admitted, self.ledger.owned()));
        self.ledger.write(&own, &self.sync).await.map_err(|error| Stop::failed(Stage::Apply, &error))?;
        self.clear_the_way(target, admitted, outcome).await
    }

    /// Writes the objects, then deletes, then writes what was answered.
    pub(super) async fn carry_out(
        &mut self,
        target: &Target,
        admitted: &Admitted,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        let own = self.world.cluster.own();
        let written = self.write(target, admitted, outcome).await;
        let ended = match written {
            Ok(refused) if refused.is_empty() => self.prune(target, admitted, outcome).await,
            Ok(refused) => {
                outcome.problems.extend(refused);
                // In the order of files and lines, not of answers.
                outcome.problems.sort();
                outcome.problems.dedup();
                Ok(())
            }
            Err(stop) => Err(stop),
        };
        // Also after a stop: what was answered is recorded.
        let recorded = self.ledger.write(&own, &self.sync).await;
        let ended = recorded.map_err(|error| Stop::failed(Stage::Apply, &error)).and(ended);
        let ended = ended.and_then(|()| self.whole(admitted, outcome));
        if ended.is_err() {
            self.record_unpaid().await;
        }
        ended
    }

    /// Whether all of it was carried out.
    fn whole(&mut self, admitted: &Admitted, outcome: &Outcome) -> Result<(), Stop> {
        if !outcome.problems.is_empty() {
            let problems = outcome.problems.clone();
            let applied = Some(outcome.counts.changed() + outcome.counts.unchanged);
            return Err(Stop::Verdict(Verdict::Refused { stage: Stage::Apply, problems, applied_rest: applied }));
        }
        self.pending(admitted)
    }

    /// What keeps the run from its end: it waits for another Sync, or for a deletion.
    fn pending(&mut self, admitted: &Admitted) -> Result<(), Stop> {
        let waiting = admitted.plan().changes.iter().find(|change| change.reason.is_pending());
        self.waits_for_others = waiting.is_some();
        // Sights of an object that moves go to its new owner: what became of it must be read.
        let moving = admitted.plan().changes.iter().filter(|change| change.reason == plan::Reason::HandOverPending);
        self.lost.extend(moving.map(|change| change.id.clone()));
        match waiting {
            None => Ok(()),
            Some(change) => {
                let other = change.other.as_ref().map_or_else(String::new, |other| format!(", {other}"));
                let message = format!("{}: {}{other}", change.id, change.reason.as_str());
                Err(Stop::Waiting(Progress { stage: Stage::Prune, message }))
            }
        }
    }

    /// Shadow mode: what would have been done is told, and nothing is sent.
    pub(super) fn shadow(&mut self, target: &Target, admitted: &Admitted) {
        let mut counts = ActionCounts::default();
        admitted.plan().changes.iter().for_each(|change| counts.add(change.action));
        if target.aim == Aim::Newest {
            self.facts.accepted = Some(target.found.listed.revision.clone());
            self.handled = Some((target.found.commit().to_owned(), self.generation()));
            self.facts.progress = None;
            self.facts.verdict = Verdict::Shadowed(ShadowSummary { counts });
        }
    }

    /// An object is no longer ours to speak of.
    pub(super) fn forget(&mut self, id: &ObjectId) {
        self.ledger.forget(id);
        self.observed.remove(id);
        self.health.remove(id);
        self.lost.remove(id);
        self.repairs.remove(id);
        self.world.observer.forget([id], &self.mailbox);
    }
}

/// What the API server says against an object, with its place in Git.
pub(super) fn problem(desired: &Desired, error: &ClusterError, immutable: bool) -> Problem {
    let rule = if immutable { "ImmutableField" } else { error.reason() };
    let said = error.refusal().map_or_else(|| error.to_string(), |refusal| refusal.message.clone());
    let mut problem = Problem::new(rule, said).at(&desired.manifest.origin).of(desired.id());
    let hint = if immutable {
        let force = crate::object::annotation::FORCE;
        Some(format!("the field cannot change in place: set {force}: enabled to delete and create it anew"))
    } else {
        error.hint()
    };
    if let Some(hint) = hint {
        problem = problem.hint(hint);
    }
    problem
}

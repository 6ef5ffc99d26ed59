//! Carries out what was admitted, phase by phase.

use std::time::{Duration, Instant as Clock};

use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::cluster::apply::Taken;
use crate::cluster::delete::{Deletion, Preconditions, Propagation, delete, wait_established, wait_gone};
use crate::cluster::{Answer, ClusterError, RefusalReason, Session, WritePermit, apply};
use crate::failure::{Failed, Fault};
use crate::health::Status;
use crate::inventory::{Entry, Flag};
use crate::object::{ObjectId, Problem, fields};
use crate::plan::{self, Admitted, AdmittedChange, Course, Method, Phase, Steer, Step};
use crate::report::facts::{Progress, Stage};
use crate::report::message::Takeover;
use crate::report::outcome::Outcome;

use super::Unit;
use super::carry::{problem, still_running};
use super::clear::unreachable;
use super::live::is_repair;
use super::pass::{Stop, Target, millis};
use super::together::together;

/// So long a pass waits for what is nearly always there at once: that an object is gone which is created anew, that a
/// definition is established. What takes longer makes another pass due, and holds up none meanwhile.
const BRIEFLY: Duration = Duration::from_secs(5);

/// What an apply came to.
struct Done {
    answer: Answer,
    /// Managers whose entries were moved into ours.
    adopted: Option<String>,
    /// Fields that had drifted.
    drift: Vec<String>,
    /// Who had changed them, where the object tells.
    author: Option<String>,
    /// Fields that were taken over from managers who stay.
    taken: Option<Taken>,
    millis: u64,
}

/// What the API server did not take.
#[derive(Default)]
struct Refused {
    problems: Vec<Problem>,
    /// A changed Job that still runs as it was before.
    running: Option<ObjectId>,
}

impl Unit {
    /// Applies, phase by phase. What is refused is collected; a failure that time mends ends the
    /// pass after its phase, so that every answer is recorded.
    pub(super) async fn write(
        &mut self,
        target: &Target,
        admitted: &Admitted,
        outcome: &mut Outcome,
    ) -> Result<Vec<Problem>, Stop> {
        let clock = Clock::now();
        let mut refused = Refused::default();
        let mut end = Ok(());
        for step in admitted.steps().iter().filter(|step| step.course == Course::Apply) {
            end = self.step(target, admitted, step, &mut refused, outcome).await;
            if end.is_err() {
                break;
            }
        }
        outcome.time(Stage::Apply, millis(clock));
        end?;
        // Jobs of a phase that changes nothing may still run.
        self.may_enter((Phase::After, i32::MIN), admitted)?;
        match refused.running {
            Some(job) if refused.problems.is_empty() => Err(still_running(&job, Stage::Apply)),
            _ => Ok(refused.problems),
        }
    }

    async fn step(
        &mut self,
        target: &Target,
        admitted: &Admitted,
        step: &Step<'_>,
        refused: &mut Refused,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        self.may_enter((step.phase, step.order), admitted)?;
        if target.aim == super::pass::Aim::Newest && step.phase < Phase::Workloads && self.newer_commit(target) {
            return Err(Stop::Superseded);
        }
        let permit = self.world.permit().ok_or(Stop::NoPermit)?;
        let session = &target.session;
        let now = self.world.now();
        let due: Vec<_> = step.changes.iter().filter(|change| !self.is_put_off(change.change, now)).collect();
        let managers = &self.lens.managers;
        let mut writes = Vec::new();
        for change in due {
            let write = one(&permit, session, change, managers);
            writes.push(async move { (*change, write.await) }.boxed());
        }
        let answers = together(writes).await;
        let mut failed = None;
        let mut refusals = Vec::new();
        for (change, result) in answers {
            let Some(desired) = change.desired else { continue };
            match result {
                Ok(done) => {
                    let mut line = change.change.clone();
                    line.author = done.author.or(line.author);
                    self.answered(&line, desired, &done.answer, &done.drift, done.millis, outcome);
                    if let Some(taken) = done.taken.filter(|_| done.adopted.is_none()) {
                        let (id, from) = (change.change.id.clone(), taken.from.join(", "));
                        self.took_over(&Takeover { id, fields: taken.fields, from });
                    }
                    if let Some(from) = done.adopted {
                        self.took_over(&Takeover { id: change.change.id.clone(), fields: Vec::new(), from });
                    }
                }
                Err(error @ ClusterError::StillWaiting { .. }) => failed = Some(self.goes_first(change.change, &error)),
                Err(error) if is_refusal(&error) => refusals.push((change, desired, error)),
                Err(error) if let Some(webhook) = unreachable(&error) => {
                    self.unreachable.insert(webhook);
                    failed = Some(Stop::failed(Stage::Apply, &error));
                }
                Err(error) => failed = Some(Stop::failed(Stage::Apply, &error)),
            }
        }
        for (change, desired, error) in refusals {
            let invalid = error.refusal().is_some_and(|refusal| refusal.why == RefusalReason::Invalid);
            let immutable = invalid && self.is_immutable(target, change.change, desired).await?;
            if immutable && self.is_running_job(desired.id()) {
                refused.running = Some(desired.id().clone());
            } else {
                refused.problems.push(problem(desired, &error, immutable));
            }
        }
        if let Some(stop) = failed {
            return Err(stop);
        }
        if step.phase == Phase::Definitions { self.establish(target, step).await } else { Ok(()) }
    }

    /// An object that is created anew is being deleted: from now on it is none that we applied, so that its successor is no
    /// repair.
    fn goes_first(&mut self, change: &plan::Change, error: &ClusterError) -> Stop {
        if let Some(entry) = self.ledger.owned().get(&change.id) {
            let entry = Entry { uid: None, ..entry.clone() };
            self.ledger.set(&change.id, entry);
        }
        Stop::Waiting(Progress { stage: Stage::Apply, message: format!("{error}, and is created anew then") })
    }

    /// Whether a change is a repair of an object that is fought over, and not due yet. What Git says anew is sent at once:
    /// a revision counts as applied after this.
    pub(super) fn is_put_off(&mut self, change: &plan::Change, now: Duration) -> bool {
        is_repair(change.reason) && self.is_applied(change) && self.fought_over(&change.id, now)
    }

    /// Whether an object is fought over, and its next repair not due.
    fn fought_over(&mut self, id: &ObjectId, now: Duration) -> bool {
        let Some(at) = self.repairs.get(id).and_then(super::Repairs::not_before) else { return false };
        if at <= now {
            return false;
        }
        let due = tokio::time::Instant::now() + (at - now);
        self.repair_at = Some(self.repair_at.map_or(due, |known| known.min(due)));
        true
    }

    /// Whether a phase may begin: Jobs before the workloads must have completed, and those after
    /// them begin when everything else is healthy. Among Jobs of a phase, those with a smaller number
    /// must have completed.
    fn may_enter(&self, (phase, order): (Phase, i32), admitted: &Admitted) -> Result<(), Stop> {
        let wanted = || admitted.plan().changes.iter().filter(|change| change.origin.is_some());
        let is_job = |change: &&plan::Change| matches!(change.phase, Phase::Before | Phase::After);
        for change in wanted().filter(is_job).filter(|change| (change.phase, change.order) < (phase, order)) {
            self.completed(&change.id, change.phase)?;
        }
        if phase == Phase::After
            && wanted().any(|change| change.phase == Phase::After && change.method != Method::Nothing)
        {
            for change in wanted().filter(|change| change.phase < Phase::After) {
                let id = &change.id;
                let status = self.health.get(id).map(|health| health.status);
                let left_alone =
                    self.ledger.owned().get(id).is_none_or(|e| {
                        e.flags.contains(&Flag::ReconcileDisabled) || e.flags.contains(&Flag::Completed)
                    });
                if status != Some(Status::Current) && !left_alone {
                    let message = format!("{id} is not healthy yet, and Jobs of the phase after wait for it");
                    return Err(Stop::Waiting(Progress { stage: Stage::Health, message }));
                }
            }
        }
        Ok(())
    }

    /// Whether a Job that others wait for is done.
    fn completed(&self, id: &ObjectId, phase: Phase) -> Result<(), Stop> {
        let when =
            if phase == Phase::Before { "before the workloads" } else { "after the workloads, before other Jobs" };
        let entry = self.ledger.owned().get(id);
        if entry.is_some_and(|entry| entry.flags.contains(&Flag::Completed)) {
            return Ok(());
        }
        match self.health.get(id) {
            Some(health) if health.status == Status::Current => Ok(()),
            Some(health) if health.status == Status::Failed => {
                let message = format!("{id} runs {when} and failed: {}", health.message);
                let failed = Failed::new("JobFailed", Fault::Repository, message)
                    .with_hint("nothing after it was applied; a commit that changes the Job runs it again");
                Err(Stop::Failed(Stage::Apply, failed))
            }
            _ => {
                let message = format!("{id} runs {when} and has not completed");
                Err(Stop::Waiting(Progress { stage: Stage::Apply, message }))
            }
        }
    }

    /// A definition serves its kind only once it is established; then the kind can be looked up.
    async fn establish(&self, target: &Target, step: &Step<'_>) -> Result<(), Stop> {
        let cancel = CancellationToken::new();
        let definitions = step.changes.iter().filter(|c| c.change.id.kind == "CustomResourceDefinition");
        let mut any = false;
        for change in definitions {
            any = true;
            let waited = wait_established(&target.session, &change.change.id.name, BRIEFLY, &cancel).await;
            waited.map_err(|error| match error {
                ClusterError::StillWaiting { .. } => {
                    Stop::Waiting(Progress { stage: Stage::Apply, message: error.to_string() })
                }
                error => Stop::failed(Stage::Apply, &error),
            })?;
        }
        if any {
            let refreshed = self.world.cluster.kinds().refresh(&self.world.cluster.own()).await;
            refreshed.map_err(|error| Stop::failed(Stage::Apply, &error))?;
        }
        Ok(())
    }

    fn newer_commit(&self, target: &Target) -> bool {
        let newest = self.world.registry.tip(&self.repository());
        newest.is_some_and(|tip| tip.found.as_ref().is_some_and(|found| found.commit() != target.found.commit()))
    }
}

/// Whether the API server says no to this object, and would say so again.
fn is_refusal(error: &ClusterError) -> bool {
    let lasting = |why: &RefusalReason| {
        !matches!(
            why,
            RefusalReason::TooManyRequests
                | RefusalReason::Unavailable
                | RefusalReason::Expired
                | RefusalReason::Stale
                | RefusalReason::WebhookUnreachable(_)
                | RefusalReason::NamespaceTerminating
        )
    };
    error.refusal().is_some_and(|refusal| lasting(&refusal.why))
}

/// Carries out one change.
async fn one(
    permit: &WritePermit,
    session: &Session,
    change: &AdmittedChange<'_>,
    managers: &fields::Managers,
) -> Result<Done, ClusterError> {
    let clock = Clock::now();
    if change.change.method == Method::Replace {
        replace(permit, session, change).await?;
    }
    let (drift, author) = drifted(session, change).await;
    let answer = send(permit, session, change).await?;
    let taken = answer.taken.clone();
    let done = |answer, adopted| Done { answer, adopted, taken, drift, author, millis: millis(clock) };
    let Some(desired) = change.desired.filter(|desired| !desired.is(Steer::KeepConflicts)) else {
        return Ok(done(answer, None));
    };
    // Entries of those who deployed it before us are moved into ours; then what Git does not name
    // goes with one more apply.
    let Some(patch) = fields::adopt_patch(&answer.object, &desired.yields, managers) else {
        return Ok(done(answer, None));
    };
    let from = deployers(&answer.object, managers);
    let patch = serde_json::to_value(&patch).unwrap_or_default();
    apply::adopt(permit, session, &desired.manifest, &patch).await?;
    Ok(done(send(permit, session, change).await?, Some(from)))
}

/// Sends the manifest, or what of it is ours to say over the live object.
async fn send(permit: &WritePermit, session: &Session, change: &AdmittedChange<'_>) -> Result<Answer, ClusterError> {
    match change.desired {
        Some(desired) if change.change.method == Method::ApplyOver => {
            let id = desired.id();
            let kind = session.cluster().kinds().resolve(session, &desired.manifest.api_version, &id.kind).await?;
            let live = apply::get(session, &kind, &id.namespace, &id.name).await?;
            match live.as_ref().and_then(|live| change.over(live)) {
                Some(over) => apply::apply(permit, session, &over.admitted()).await,
                None => apply::apply(permit, session, change).await,
            }
        }
        _ => apply::apply(permit, session, change).await,
    }
}

/// Which fields drifted and who changed them, be it a person or a controller, for people: the repair
/// does not wait for more than one read.
async fn drifted(session: &Session, change: &AdmittedChange<'_>) -> (Vec<String>, Option<String>) {
    let none = (Vec::new(), None);
    let (Some(desired), plan::Reason::Drifted) = (change.desired, change.change.reason) else { return none };
    let id = desired.id();
    let kinds = session.cluster().kinds();
    let Ok(kind) = kinds.resolve(session, &desired.manifest.api_version, &id.kind).await else { return none };
    match apply::get(session, &kind, &id.namespace, &id.name).await {
        Ok(Some(live)) => {
            let body = &desired.manifest.body;
            (plan::drift(&live, body).into_iter().map(|field| field.path).collect(), fields::author(&live, body))
        }
        _ => none,
    }
}

/// Names of the deployers whose entries stand on an object.
fn deployers(object: &serde_json::Value, managers: &fields::Managers) -> String {
    let entries = object.pointer("/metadata/managedFields").and_then(serde_json::Value::as_array);
    let names = entries.into_iter().flatten().filter_map(|entry| entry["manager"].as_str());
    let mut names: Vec<_> = names
        .filter(|name| managers.deployers.iter().any(|known| name.starts_with(known.trim_end_matches('*'))))
        .collect();
    names.dedup();
    names.join(", ")
}

async fn replace(permit: &WritePermit, session: &Session, change: &AdmittedChange<'_>) -> Result<(), ClusterError> {
    let line = change.change;
    let id = &line.id;
    let Some(precondition) = &line.precondition else { return Ok(()) };
    let kind = session.cluster().kinds().resolve(session, &line.api_version, &id.kind).await?;
    let place = (id.namespace.as_str(), id.name.as_str());
    let only =
        Preconditions { uid: precondition.uid.clone(), resource_version: Some(precondition.resource_version.clone()) };
    let deletion = delete(permit, session, &kind, place, &only, Propagation::Background).await?;
    if deletion == Deletion::Begun {
        let cancel = CancellationToken::new();
        wait_gone(session, &kind, place, &precondition.uid, BRIEFLY, &cancel).await?;
    }
    Ok(())
}

//! From facts to conditions, through the [table](super::table).

use jiff::Timestamp;

use super::facts::{Fetch, HealthWait, RepositoryFacts, Source, Stage, SyncFacts, Verdict};
use super::message;
use super::outcome::reason_of_stage;
use super::reason::Reason;
use super::status::whole_seconds;
use super::table::{RepositoryState, Row, Stalled, State, Told, repository_row, sync_row};
use crate::api::{Condition, ConditionStatus, ConditionType};
use crate::failure::Fault;
use crate::health::Status;
use crate::revision::Revision;
use crate::revision::review::Profile;

/// Bytes of a condition's message.
pub const MESSAGE_LIMIT: usize = 1024;
/// Bytes of the message of a condition that stands beside `Ready` and says the same: `kubectl
/// describe` shows all of them.
pub const BESIDE_LIMIT: usize = 256;

/// State of a Sync: the first row of the table that fits.
pub fn state(facts: &SyncFacts) -> State {
    if let Verdict::Finalizing { .. } = facts.verdict {
        return State::Finalizing;
    }
    if facts.suspended {
        return State::Suspended;
    }
    if let Verdict::InvalidSpec(_) = facts.verdict {
        return State::InvalidSpec;
    }
    match facts.source {
        Source::Missing { .. } => return State::RepositoryMissing,
        Source::Denied { .. } => return State::RepositoryDenied,
        Source::Failing { .. } if facts.accepted.is_none() => return State::RepositoryFailing,
        _ => {}
    }
    if facts.progress.as_ref().is_some_and(|p| p.stage != Stage::Health) {
        let failed =
            matches!(facts.verdict, Verdict::Refused { .. } | Verdict::Failed { .. } | Verdict::Quarantined { .. });
        return if failed { State::Retrying } else { State::Working };
    }
    match &facts.verdict {
        Verdict::DependencyCycle { .. } => return State::Cycle,
        Verdict::Quarantined { .. } => return State::Quarantined,
        Verdict::Refused { .. } => return State::Refused,
        Verdict::Failed { failed, .. } if failed.fault == Fault::Repository => return State::Broken,
        Verdict::Failed { .. } => return State::Failing,
        Verdict::WaitingForDependency { .. } => return State::Waiting,
        _ if facts.held().is_some() => return State::Held,
        Verdict::None | Verdict::InvalidSpec(_) | Verdict::Finalizing { .. } => return State::New,
        Verdict::Applied | Verdict::Shadowed(_) => {}
    }
    let healthy = facts.health.status() == Status::Current;
    match (&facts.verdict, facts.health_wait) {
        _ if facts.drift.fight.is_some() => State::Fighting,
        (Verdict::Shadowed(summary), _) if summary.counts.changed() > 0 => State::ShadowDiffers,
        _ if facts.health.counts.failed > 0 => State::Unhealthy,
        (Verdict::Shadowed(_), _) => State::ShadowEqual,
        (_, HealthWait::Exceeded) if !healthy => State::TimedOut,
        (_, HealthWait::First) if !healthy => State::RollingOut,
        _ => State::Ready,
    }
}

/// Conditions of a Sync, in the order Ready, Reconciling, Stalled, Healthy, Held. A condition
/// whose status is that of the previous one keeps the time of its transition.
pub fn conditions(facts: &SyncFacts, previous: &[Condition], now: Timestamp) -> Vec<Condition> {
    let writer = Writer { previous, now: whole_seconds(now), generation: facts.generation };
    let row = sync_row(state(facts));
    let (reason, text) = told(facts, row.state);
    let mut list = writer.of_row(row, reason, &text);
    let (status, reason, text) = healthy(facts);
    list.push(writer.condition(ConditionType::Healthy, status, reason, &text));
    if let Some(hold) = facts.held() {
        list.push(writer.condition(ConditionType::Held, ConditionStatus::True, hold.reason, &hold.message));
    }
    list
}

/// Status, reason and message of `Healthy`.
fn healthy(facts: &SyncFacts) -> (ConditionStatus, Reason, String) {
    let counts = &facts.health.counts;
    let summary = facts.health.summary();
    let current = facts.health.status() == Status::Current;
    if counts.total() == 0 && facts.applied.is_none() {
        (ConditionStatus::Unknown, Reason::NothingApplied, "nothing was applied yet".to_owned())
    } else if counts.failed > 0 {
        (ConditionStatus::False, Reason::HealthCheckFailed, summary)
    } else if current {
        (ConditionStatus::True, Reason::Succeeded, summary)
    } else if facts.health_wait == HealthWait::Exceeded {
        (ConditionStatus::False, Reason::HealthCheckFailed, format!("not healthy within the timeout: {summary}"))
    } else {
        (ConditionStatus::Unknown, Reason::Progressing, summary)
    }
}

/// Reason and message of `Ready`.
fn told(facts: &SyncFacts, state: State) -> (Reason, String) {
    let revision =
        |revision: &Option<Revision>| revision.as_ref().map_or("no revision".to_owned(), ToString::to_string);
    let text = match state {
        State::Suspended => match (&facts.applied, facts.drift.objects) {
            (None, _) => "suspended".to_owned(),
            (Some(applied), 0) => format!("suspended at {applied}"),
            (Some(applied), _) => format!("suspended at {applied}; {}", message::drift(&facts.drift)),
        },
        State::RepositoryMissing | State::RepositoryDenied | State::RepositoryFailing => match &facts.source {
            Source::Missing { name } => format!("Repository {name} is not there"),
            Source::Denied { name } => {
                format!("Repository {name} does not allow Syncs of this namespace; its spec.allowedNamespaces would")
            }
            Source::Failing { told } => told.clone(),
            Source::Unknown | Source::Ready => String::new(),
        },
        State::Working => match &facts.progress {
            Some(progress) if progress.message.is_empty() => {
                format!("{} {}", progress.stage.doing(), revision(&facts.attempted))
            }
            Some(progress) => {
                format!("{} {}: {}", progress.stage.doing(), revision(&facts.attempted), progress.message)
            }
            None => String::new(),
        },
        State::New => "waiting for the first revision".to_owned(),
        State::Held => facts.held().map_or_else(String::new, |hold| hold.message.clone()),
        State::ShadowDiffers | State::ShadowEqual => match &facts.verdict {
            Verdict::Shadowed(summary) => {
                format!(
                    "shadow mode, nothing is written: {} with {}",
                    summary.counts.summary(),
                    revision(&facts.attempted)
                )
            }
            _ => String::new(),
        },
        State::Fighting => facts.drift.fight.as_ref().map_or_else(String::new, message::fight),
        State::Unhealthy | State::RollingOut => applied(facts, &facts.health.summary()),
        State::TimedOut => applied(facts, &format!("not healthy within the timeout: {}", facts.health.summary())),
        State::Ready => {
            let unreviewed = match facts.review {
                None | Some(Profile::Observe) => " (unreviewed)",
                Some(Profile::Reviewed | Profile::Strict) if facts.went_ahead => " (not reviewed: break glass)",
                Some(Profile::Reviewed | Profile::Strict) => "",
            };
            format!("applied {}{unreviewed}{}", revision(&facts.applied), message::unwatched(&facts.unwatched))
        }
        _ => return told_of_verdict(facts, state),
    };
    let reason = match (sync_row(state).reason, facts.held()) {
        (Told::Always(reason), _) => reason,
        (Told::OfCause(_), Some(hold)) => hold.reason,
        (Told::OfCause(_), None) => Reason::ReconciliationFailed,
    };
    (reason, text)
}

fn applied(facts: &SyncFacts, and: &str) -> String {
    match &facts.applied {
        Some(revision) => format!("applied {revision}; {and}"),
        None => and.to_owned(),
    }
}

/// Reason and message of `Ready` where they are those of the verdict.
fn told_of_verdict(facts: &SyncFacts, state: State) -> (Reason, String) {
    let (reason, text) = match &facts.verdict {
        Verdict::InvalidSpec(problems) => (Reason::InvalidSpec, message::problems(problems)),
        Verdict::Refused { stage, problems, applied_rest } => {
            let rest = match applied_rest {
                Some(applied) => format!("; {applied} other objects were applied"),
                None => "; nothing of it is applied".to_owned(),
            };
            (
                reason_of_stage(if *stage == Stage::Render { Stage::Render } else { Stage::Validate }),
                message::problems(problems) + &rest,
            )
        }
        Verdict::Failed { stage, failed } => {
            let (reason, text) = Reason::of_failure(failed, reason_of_stage(*stage));
            (reason, format!("{} failed: {text}", stage.as_str()))
        }
        Verdict::WaitingForDependency { on } => (Reason::DependencyNotReady, format!("waiting for {}", on.join("; "))),
        Verdict::DependencyCycle { path } => (Reason::DependencyCycle, format!("a circle: {}", path.join(" → "))),
        Verdict::Quarantined { crashes, message } => (
            Reason::Quarantined,
            format!(
                "the revision killed the worker that reads it {crashes} times ({message}); the accepted one stays healed, and another commit is tried"
            ),
        ),
        Verdict::Finalizing { message } => (Reason::Finalizing, message.clone()),
        Verdict::None | Verdict::Applied | Verdict::Shadowed(_) => (Reason::Progressing, String::new()),
    };
    match (state, &facts.attempted) {
        (State::InvalidSpec | State::Finalizing | State::Cycle, _) | (_, None) => (reason, text),
        (_, Some(attempted)) => (reason, format!("{attempted}: {text}")),
    }
}

/// State of a Repository: the first row of the table that fits.
pub fn repository_state(facts: &RepositoryFacts) -> RepositoryState {
    if facts.suspended {
        return RepositoryState::Suspended;
    }
    match &facts.fetch {
        Fetch::InvalidSpec(_) => RepositoryState::InvalidSpec,
        Fetch::Failed(failed) if failed.fault == Fault::Repository => RepositoryState::Broken,
        Fetch::Failed(_) => RepositoryState::Failing,
        Fetch::None => RepositoryState::New,
        Fetch::Done if facts.hold.is_some() => RepositoryState::Held,
        Fetch::Done => RepositoryState::Ready,
    }
}

/// Conditions of a Repository, in the order Ready, Reconciling, Stalled, Held, GlassBroken.
pub fn repository_conditions(facts: &RepositoryFacts, previous: &[Condition], now: Timestamp) -> Vec<Condition> {
    let writer = Writer { previous, now: whole_seconds(now), generation: facts.generation };
    let row = repository_row(repository_state(facts));
    let at = facts.revision.as_ref().map_or_else(String::new, |revision| format!(" at {revision}"));
    let (reason, text) = match (row.state, &facts.fetch) {
        (RepositoryState::Held, _) if let Some(hold) = &facts.hold => (hold.reason, hold.message.clone()),
        (RepositoryState::Suspended, _) => (Reason::Suspended, format!("suspended{at}")),
        (_, Fetch::InvalidSpec(problems)) => (Reason::InvalidSpec, message::problems(problems)),
        (_, Fetch::Failed(failed)) => {
            let (reason, text) = Reason::of_failure(failed, Reason::GitOperationFailed);
            let stays = if at.is_empty() { String::new() } else { format!("; Syncs stay{at}") };
            (reason, text + &stays)
        }
        (_, Fetch::None) => (Reason::Progressing, "fetching for the first time".to_owned()),
        (_, Fetch::Done) => (Reason::Succeeded, format!("fetched{}", at.replacen(" at", "", 1))),
    };
    let mut list = writer.of_row(row, reason, &text);
    if let Some(hold) = &facts.hold {
        list.push(writer.condition(ConditionType::Held, ConditionStatus::True, hold.reason, &hold.message));
    }
    if !facts.glass.is_empty() {
        let told: Vec<_> = facts.glass.iter().map(message::glass).collect();
        list.push(writer.condition(
            ConditionType::GlassBroken,
            ConditionStatus::True,
            Reason::GlassBroken,
            &told.join("; "),
        ));
    }
    list
}

/// Writes conditions beside the previous ones.
pub(super) struct Writer<'a> {
    pub(super) previous: &'a [Condition],
    pub(super) now: Timestamp,
    pub(super) generation: i64,
}

impl Writer<'_> {
    pub(super) fn of_row<S>(&self, row: &Row<S>, reason: Reason, text: &str) -> Vec<Condition> {
        let mut list = vec![self.condition(ConditionType::Ready, row.ready, reason, text)];
        let text = &message::bounded(text, BESIDE_LIMIT);
        if let Some(reason) = row.reconciling {
            list.push(self.condition(ConditionType::Reconciling, ConditionStatus::True, reason, text));
        }
        if row.stalled == Stalled::Yes {
            list.push(self.condition(ConditionType::Stalled, ConditionStatus::True, reason, text));
        }
        list
    }

    pub(super) fn condition(
        &self,
        type_: ConditionType,
        status: ConditionStatus,
        reason: Reason,
        text: &str,
    ) -> Condition {
        let before = self.previous.iter().find(|c| c.type_ == type_ && c.status == status);
        Condition {
            type_,
            status,
            reason: reason.as_str().to_owned(),
            message: message::bounded(text, MESSAGE_LIMIT),
            observed_generation: self.generation,
            last_transition_time: before.map_or(self.now, |c| c.last_transition_time),
        }
    }
}

#[cfg(test)]
mod tests;

//! Statuses of our kinds, composed from facts.

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};

use super::condition::{conditions, repository_conditions};
use super::facts::{Hold, RepositoryFacts, SyncFacts, Verdict};
use super::message;
use crate::api::{ConditionStatus, ConditionType, ObjectCounts, RepositoryStatus, StatusProblem, SyncStatus};
use crate::object::Problem;
use crate::revision::Revision;
use crate::revision::review::Profile;

/// How many problems a status shows.
pub const PROBLEMS: usize = 20;

/// The status of a Sync. Equal facts and an equal previous status give that status again, whatever
/// the time: compare with [`changed`] before writing.
pub fn sync_status(facts: &SyncFacts, previous: &SyncStatus, now: Timestamp) -> SyncStatus {
    let written = |revision: &Option<Revision>| revision.as_ref().map(ToString::to_string);
    let counts = &facts.health.counts;
    SyncStatus {
        observed_generation: facts.generation,
        conditions: conditions(facts, &previous.conditions, now),
        accepted_revision: written(&facts.accepted),
        accepted_seal: facts.accepted_seal.clone(),
        attempted_revision: written(&facts.attempted),
        applied_revision: written(&facts.applied),
        objects: (counts.total() > 0).then(|| ObjectCounts {
            total: counts.total(),
            current: counts.current,
            in_progress: counts.total() - counts.current - counts.failed,
            failed: counts.failed,
        }),
        problems: match (&facts.verdict, facts.held()) {
            (Verdict::InvalidSpec(problems) | Verdict::Refused { problems, .. }, _)
            | (_, Some(Hold { problems, .. })) => shown(problems),
            _ => Vec::new(),
        },
        standard: facts.standard.clone(),
        history: facts.history.clone(),
        deletions_paid: facts.deletions_paid.clone(),
        deletions_unpaid: facts.deletions_unpaid,
        last_handled_reconcile_at: facts.handled_request.clone(),
        plan: facts.held().and_then(|hold| hold.plan.clone()),
    }
}

/// The status of a Repository.
pub fn repository_status(facts: &RepositoryFacts, previous: &RepositoryStatus, now: Timestamp) -> RepositoryStatus {
    RepositoryStatus {
        observed_generation: facts.generation,
        revision: facts.revision.as_ref().map(ToString::to_string),
        review: Some(facts.review.map_or("Unreviewed", Profile::word).to_owned()),
        verified: facts.verified.clone(),
        review_status: facts.reviewed.clone(),
        webhook_path: facts.webhook_path.clone(),
        conditions: repository_conditions(facts, &previous.conditions, now),
        last_handled_reconcile_at: facts.handled_request.clone(),
    }
}

/// Whether a status must be written: whether it differs from the one that is stored.
pub fn changed<S: PartialEq>(previous: Option<&S>, next: &S) -> bool {
    previous != Some(next)
}

/// What a restarted agent takes over from the stored status: revisions, history, and what is paid or counts still.
/// Everything else is found out anew.
pub fn recall(status: &SyncStatus) -> SyncFacts {
    let read = |text: &Option<String>| text.as_deref().and_then(Revision::parse);
    let ready = status.conditions.iter().any(|c| c.type_ == ConditionType::Ready && c.status == ConditionStatus::True);
    SyncFacts {
        generation: status.observed_generation,
        handled_request: status.last_handled_reconcile_at.clone(),
        accepted: read(&status.accepted_revision),
        accepted_seal: status.accepted_seal.clone(),
        attempted: read(&status.attempted_revision),
        applied: read(&status.applied_revision),
        history: status.history.clone(),
        deletions_paid: status.deletions_paid.clone(),
        deletions_unpaid: status.deletions_unpaid,
        standard: status.standard.clone(),
        health_wait: if ready { super::facts::HealthWait::Settled } else { super::facts::HealthWait::First },
        ..SyncFacts::default()
    }
}

/// The first problems, as a status shows them.
pub(super) fn shown(problems: &[Problem]) -> Vec<StatusProblem> {
    problems.iter().take(PROBLEMS).map(problem).collect()
}

fn problem(problem: &Problem) -> StatusProblem {
    let text = match &problem.hint {
        Some(hint) => format!("{}; hint: {hint}", problem.message),
        None => problem.message.clone(),
    };
    StatusProblem {
        at: problem.file.as_ref().map(|file| match problem.line {
            Some(line) => format!("{file}:{line}"),
            None => file.clone(),
        }),
        object: problem.object.clone(),
        rule: problem.rule.clone(),
        message: message::bounded(&text, 512),
    }
}

/// The time without its fraction, as statuses hold times.
pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    time.round(TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Trunc)).unwrap_or(time)
}

//! Kubernetes Events, as values: what is told, and to whom it matters.
//!
//! Only news are told: a run that changed nothing, a condition that stayed as it was, and health
//! that comes for the first time are silent. Equal Events within minutes are one series; the door
//! that writes them counts it.

use std::collections::BTreeMap;

use super::facts::Fight;
use super::message::{self, Repair, Takeover};
use super::outcome::{Outcome, reason_of_stage};
use super::reason::Reason;
use crate::api::{BrokenGlass, Condition, ConditionStatus, ConditionType};
use crate::object::{ObjectId, Problem};
use crate::plan::Action;

/// Bytes of an Event's message: what the API server takes.
pub const MESSAGE_LIMIT: usize = 1024;
/// The revision that an Event speaks of.
pub const ANNOTATION_REVISION: &str = "tandemcd.io/revision";
/// The run that an Event speaks of: `<uid of the Sync>/<attempt>`.
pub const ANNOTATION_RUN: &str = "tandemcd.io/run";

/// Whether somebody should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventType {
    /// No.
    Normal,
    /// Yes.
    Warning,
}

/// One Event about a Sync or a Repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whether somebody should look.
    pub type_: EventType,
    /// Its reason.
    pub reason: Reason,
    /// What was being done, in CamelCase: the `action` of an Event.
    pub action: &'static str,
    /// For people; at most [`MESSAGE_LIMIT`] bytes. Never holds a secret value.
    pub message: String,
    /// Annotations for tools.
    pub annotations: BTreeMap<&'static str, String>,
    /// Which object it is about, besides the Sync: Events of one reason about the same one are a
    /// series, whatever their words.
    pub about: Option<String>,
}

impl Event {
    fn new(type_: EventType, reason: Reason, action: &'static str, text: &str) -> Self {
        let message = message::bounded(text, MESSAGE_LIMIT);
        Self { type_, reason, action, message, annotations: BTreeMap::new(), about: None }
    }

    fn about(mut self, id: &ObjectId) -> Self {
        self.about = Some(id.to_string());
        self
    }

    fn of_run(mut self, outcome: &Outcome) -> Self {
        self.annotations.insert(ANNOTATION_REVISION, outcome.id.revision.clone());
        self.annotations.insert(ANNOTATION_RUN, format!("{}/{}", outcome.id.sync_uid, outcome.id.attempt));
        self
    }
}

/// What a run tells: the objects that it changed, one a line, and what went wrong. A run that
/// changed nothing and went well tells nothing.
pub fn of_outcome(outcome: &Outcome) -> Vec<Event> {
    let mut events = Vec::new();
    if outcome.counts.changed() > 0 {
        let text = changed_objects(outcome);
        events.push(Event::new(EventType::Normal, Reason::Applied, "Apply", &text).of_run(outcome));
    }
    if !outcome.problems.is_empty() {
        let lines: Vec<_> = outcome.problems.iter().map(message::one_problem).collect();
        let text = lines.join("\n");
        events.push(Event::new(EventType::Warning, Reason::ValidationFailed, "Validate", &text).of_run(outcome));
    }
    if !outcome.differs.is_empty() {
        let text = outcome.differs.join("\n");
        events.push(Event::new(EventType::Warning, Reason::AppliedDiffers, "Apply", &text).of_run(outcome));
    }
    if let Some((stage, failed)) = &outcome.failure {
        let (reason, text) = Reason::of_failure(failed, reason_of_stage(*stage));
        let text = format!("{} failed: {text}", stage.as_str());
        events.push(Event::new(EventType::Warning, reason, "Reconcile", &text).of_run(outcome));
    }
    events
}

/// The summary, then `Kind/namespace/name action` by line; lines that do not fit are counted.
fn changed_objects(outcome: &Outcome) -> String {
    let mut text = outcome.counts.summary();
    let mut listed = 0;
    for changed in &outcome.changes {
        let id = &changed.id;
        let place = if id.namespace.is_empty() { id.name.clone() } else { format!("{}/{}", id.namespace, id.name) };
        let line = format!("\n{}/{place} {}", id.kind, action_word(changed.action));
        // Room for the line that counts the rest.
        if text.len() + line.len() > MESSAGE_LIMIT - 32 {
            break;
        }
        text.push_str(&line);
        listed += 1;
    }
    let rest = outcome.counts.changed().saturating_sub(listed);
    if rest > 0 {
        text.push_str(&format!("\nand {rest} more"));
    }
    text
}

/// An action, in kubectl's word.
pub fn action_word(action: Action) -> &'static str {
    match action {
        Action::Created => "created",
        Action::Configured => "configured",
        Action::Unchanged => "unchanged",
        Action::Deleted => "deleted",
        Action::Skipped => "skipped",
    }
}

/// What policies of Standards say of a revision, one finding a line. Of the same revision it is one series.
pub fn of_standard(revision: &str, findings: &[Problem]) -> Event {
    let lines: Vec<_> = findings.iter().map(message::one_problem).collect();
    let text = format!("{revision}: {}", lines.join("\n"));
    Event {
        about: Some(revision.to_owned()),
        ..Event::new(EventType::Warning, Reason::StandardWarning, "Judge", &text)
    }
}

/// What a change of a Standard's conditions tells: that another revision is not in force, for which new reason, and
/// that one is again.
pub fn of_standard_transition(before: &[Condition], after: &[Condition]) -> Option<Event> {
    of_ready(before, after, "Accept")
}

/// Reasons of `Stalled` that no run tells.
const OUTSIDE_RUNS: &[Reason] =
    &[Reason::InvalidSpec, Reason::AccessDenied, Reason::DependencyCycle, Reason::Quarantined];

/// What a change of a Sync's conditions tells, beyond what Events of its runs do: a hold, what
/// stalls it outside a run, that it is suspended and goes on, and health lost and won. Equal statuses and reasons tell nothing.
pub fn of_transition(before: &[Condition], after: &[Condition]) -> Vec<Event> {
    let mut events = Vec::new();
    events.extend(of_suspension(before, after, "it is followed and healed again"));
    if let Some((_, held)) = news(before, after, ConditionType::Held) {
        let text = format!("{}: {}", held.reason, held.message);
        events.push(Event::new(EventType::Warning, Reason::Held, "Accept", &text));
    }
    if let Some((_, stalled)) = news(before, after, ConditionType::Stalled)
        && let Some(reason) = OUTSIDE_RUNS.iter().find(|r| r.as_str() == stalled.reason)
    {
        events.push(Event::new(EventType::Warning, *reason, "Reconcile", &stalled.message));
    }
    match news(before, after, ConditionType::Healthy) {
        Some((Some(_), healthy)) if healthy.status == ConditionStatus::True => {
            events.push(Event::new(EventType::Normal, Reason::Healthy, "Watch", &healthy.message));
        }
        Some((_, healthy)) if healthy.status == ConditionStatus::False => {
            events.push(Event::new(EventType::Warning, Reason::Unhealthy, "Watch", &healthy.message));
        }
        _ => {}
    }
    events
}

/// What a change of a Repository's conditions tells: that it is suspended and goes on, that fetching fails, for which new
/// reason, and that it works again.
pub fn of_repository_transition(before: &[Condition], after: &[Condition]) -> Vec<Event> {
    let suspension = of_suspension(before, after, "its remote is asked again");
    suspension.into_iter().chain(of_ready(before, after, "Fetch")).collect()
}

/// That something is suspended, and goes on.
fn of_suspension(before: &[Condition], after: &[Condition], goes_on: &str) -> Option<Event> {
    let (old, ready) = news(before, after, ConditionType::Ready)?;
    let is = |condition: &Condition| condition.reason == Reason::Suspended.as_str();
    match (old.is_some_and(is), is(ready)) {
        (false, true) => Some(Event::new(EventType::Normal, Reason::Suspended, "Suspend", &ready.message)),
        (true, false) => Some(Event::new(EventType::Normal, Reason::Resumed, "Resume", goes_on)),
        _ => None,
    }
}

/// A commit goes ahead of its review.
pub fn of_glass(glass: &BrokenGlass) -> Event {
    Event::new(EventType::Warning, Reason::GlassBroken, "Accept", &message::glass(glass))
}

/// What a change of `Ready` tells: that it is false, for a new reason, and true after it was false.
fn of_ready(before: &[Condition], after: &[Condition], action: &'static str) -> Option<Event> {
    let (old, ready) = news(before, after, ConditionType::Ready)?;
    let reason = Reason::parse(&ready.reason)?;
    match ready.status {
        ConditionStatus::False => Some(Event::new(EventType::Warning, reason, action, &ready.message)),
        ConditionStatus::True if old.is_some_and(|old| old.status == ConditionStatus::False) => {
            Some(Event::new(EventType::Normal, reason, action, &ready.message))
        }
        _ => None,
    }
}

/// The condition, with the one before, where its status or its reason is another.
fn news<'a>(
    before: &'a [Condition],
    after: &'a [Condition],
    type_: ConditionType,
) -> Option<(Option<&'a Condition>, &'a Condition)> {
    let new = after.iter().find(|c| c.type_ == type_)?;
    let old = before.iter().find(|c| c.type_ == type_);
    let same = old.is_some_and(|old| old.status == new.status && old.reason == new.reason);
    (!same).then_some((old, new))
}

/// A status says something that the agent did not write, or wrote with a key that it has no more.
pub fn of_forged_status(field: &str, value: &str) -> Event {
    let text = format!(
        "status.{field} is not what this agent wrote ({value}): it counts for nothing, and all is judged anew; hint: the audit log of the API server says who wrote it"
    );
    Event::new(EventType::Warning, Reason::StatusForged, "Recall", &text)
}

/// A change by hand was put right.
pub fn of_repair(repair: &Repair) -> Event {
    Event::new(EventType::Normal, Reason::DriftRepaired, "Repair", &message::repair(repair)).about(&repair.id)
}

/// Another controller sets a field back.
pub fn of_fight(fight: &Fight) -> Event {
    Event::new(EventType::Warning, Reason::DriftFight, "Repair", &message::fight(fight)).about(&fight.id)
}

/// Fields that another manager owned are ours.
pub fn of_takeover(takeover: &Takeover) -> Event {
    Event::new(EventType::Normal, Reason::FieldsTakenOver, "Apply", &message::takeover(takeover)).about(&takeover.id)
}

/// Another Sync wants an object that is ours, and was refused.
pub fn of_rival(id: &ObjectId, sync: &str) -> Event {
    let text = format!("{id}: the Sync {sync} names it as well, and is refused: it stays as this Sync has it");
    Event::new(EventType::Warning, Reason::ClaimedByAnother, "Apply", &text)
}

#[cfg(test)]
mod tests;

//! Kubernetes Events, as values: what is told, and what is not told again.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::facts::Fight;
use super::message::{self, Repair, Takeover};
use super::outcome::{Outcome, reason_of_stage};
use super::reason::Reason;
use crate::api::{Condition, ConditionStatus, ConditionType};
use crate::plan::Action;

/// Bytes of an Event's message: what the API server takes.
pub const MESSAGE_LIMIT: usize = 1024;
/// For how long an equal Event is not told again.
pub const QUIET: SignedDuration = SignedDuration::from_mins(5);
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
}

impl Event {
    fn new(type_: EventType, reason: Reason, action: &'static str, text: &str) -> Self {
        Self { type_, reason, action, message: message::bounded(text, MESSAGE_LIMIT), annotations: BTreeMap::new() }
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
        let mut text = message::problems(&outcome.problems);
        if let [_, rest @ ..] = outcome.problems.as_slice() {
            text = rest.iter().fold(outcome.problems[0].to_string(), |text, problem| format!("{text}\n{problem}"));
        }
        events.push(Event::new(EventType::Warning, Reason::ValidationFailed, "Validate", &text).of_run(outcome));
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

/// What a change of conditions tells, beyond what the run's own Events do: a hold, a lasting
/// failure, and health lost and won. Equal statuses and reasons tell nothing.
pub fn of_transition(before: &[Condition], after: &[Condition]) -> Vec<Event> {
    let find = |list: &[Condition], type_| list.iter().find(|c: &&Condition| c.type_ == type_).cloned();
    let differs = |type_| {
        let (old, new) = (find(before, type_), find(after, type_)?);
        let same = old.is_some_and(|old| old.status == new.status && old.reason == new.reason);
        (!same).then_some(new)
    };
    let mut events = Vec::new();
    if let Some(held) = differs(ConditionType::Held).filter(|c| c.status == ConditionStatus::True) {
        events.push(Event::new(
            EventType::Warning,
            Reason::Held,
            "Accept",
            &format!("{}: {}", held.reason, held.message),
        ));
    }
    if let Some(stalled) = differs(ConditionType::Stalled) {
        // What a run refused or failed at, its own Event has told already.
        let told = ["BuildFailed", "ValidationFailed"].contains(&stalled.reason.as_str());
        if let (false, Some(reason)) = (told, Reason::parse(&stalled.reason)) {
            events.push(Event::new(EventType::Warning, reason, "Reconcile", &stalled.message));
        }
    }
    if let Some(healthy) = differs(ConditionType::Healthy) {
        let was_unhealthy = find(before, ConditionType::Healthy).is_some_and(|c| c.status != ConditionStatus::True);
        match healthy.status {
            ConditionStatus::True if was_unhealthy => {
                events.push(Event::new(EventType::Normal, Reason::Healthy, "Watch", &healthy.message));
            }
            ConditionStatus::False => {
                events.push(Event::new(EventType::Warning, Reason::Unhealthy, "Watch", &healthy.message));
            }
            _ => {}
        }
    }
    events
}

/// A change by hand was put right.
pub fn of_repair(repair: &Repair) -> Event {
    Event::new(EventType::Normal, Reason::DriftRepaired, "Repair", &message::repair(repair))
}

/// Another controller sets a field back.
pub fn of_fight(fight: &Fight) -> Event {
    Event::new(EventType::Warning, Reason::DriftFight, "Repair", &message::fight(fight))
}

/// Fields that another manager owned are ours.
pub fn of_takeover(takeover: &Takeover) -> Event {
    Event::new(EventType::Normal, Reason::FieldsTakenOver, "Apply", &message::takeover(takeover))
}

/// What was told lately. It keeps an agent that fails every few seconds from filling the cluster
/// with equal Events.
#[derive(Debug, Default)]
pub struct Lately {
    lately: BTreeMap<(String, Reason, String), Timestamp>,
}

/// Whether to tell an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Tell it.
    Tell,
    /// An equal one about the same object was told less than [`QUIET`] ago.
    Repeated,
}

impl Lately {
    /// Whether to tell the Event about the object with this uid, now; remembers it if so.
    pub fn tell(&mut self, uid: &str, event: &Event, now: Timestamp) -> Telling {
        self.lately.retain(|_, at| now.duration_since(*at) < QUIET);
        let key = (uid.to_owned(), event.reason, event.message.clone());
        if self.lately.contains_key(&key) {
            return Telling::Repeated;
        }
        self.lately.insert(key, now);
        Telling::Tell
    }
}

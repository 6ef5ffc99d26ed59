//! State of a Sync or Repository in few words, the same in every command.

use crate::api::{Condition, ConditionStatus, ConditionType, Mode, Repository, Standard, Sync};
use crate::cli::output::{Cell, Tone, short_revision};

/// The condition of this type.
pub fn condition(conditions: &[Condition], wanted: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|c| c.type_ == wanted)
}

/// Conditions of a Sync.
pub fn of_sync(sync: &Sync) -> &[Condition] {
    sync.status.as_ref().map_or(&[], |status| &status.conditions)
}

/// Conditions of a Repository.
pub fn of_repository(repository: &Repository) -> &[Condition] {
    repository.status.as_ref().map_or(&[], |status| &status.conditions)
}

/// Conditions of a Standard.
pub fn of_standard(standard: &Standard) -> &[Condition] {
    standard.status.as_ref().map_or(&[], |status| &status.conditions)
}

/// `True`, `False` or `Unknown`.
pub fn status(condition: &Condition) -> &'static str {
    match condition.status {
        ConditionStatus::True => "True",
        ConditionStatus::False => "False",
        ConditionStatus::Unknown => "Unknown",
    }
}

/// Cell of the column READY.
pub fn ready(conditions: &[Condition]) -> Cell {
    let Some(ready) = condition(conditions, ConditionType::Ready) else {
        return Cell::toned(Tone::Fair, "Unknown");
    };
    let on_its_way =
        condition(conditions, ConditionType::Reconciling).is_some_and(|c| c.status == ConditionStatus::True);
    let tone = match ready.status {
        ConditionStatus::True => Tone::Good,
        ConditionStatus::False if !on_its_way => Tone::Bad,
        ConditionStatus::False | ConditionStatus::Unknown => Tone::Fair,
    };
    Cell::toned(tone, status(ready))
}

/// Cell of the column STATUS: what the owner has switched, and what Ready says.
pub fn told(conditions: &[Condition], switches: &[&str]) -> Cell {
    let message = match condition(conditions, ConditionType::Ready) {
        Some(ready) if ready.message.is_empty() => ready.reason.clone(),
        Some(ready) => ready.message.clone(),
        None => "no agent has looked at it yet".to_owned(),
    };
    // What Ready says already is not said twice.
    let switches = switches.iter().copied().filter(|switch| !message.starts_with(switch));
    let parts: Vec<&str> = switches.chain([message.as_str()]).collect();
    Cell::new(parts.join("; "))
}

/// What the owner of a Sync has switched.
pub fn switches(sync: &Sync) -> Vec<&'static str> {
    let suspended = sync.spec.suspend.then_some("suspended");
    let shadow = (sync.spec.mode == Mode::Shadow).then_some("shadow");
    suspended.into_iter().chain(shadow).collect()
}

/// Cell of a column with a revision.
pub fn revision(text: Option<&String>) -> Cell {
    Cell::new(text.map(|text| short_revision(text)).unwrap_or_default())
}

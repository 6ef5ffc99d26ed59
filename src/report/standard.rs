//! What is told of a Standard.

use jiff::Timestamp;

use super::condition::Writer;
use super::facts::{Source, StandardFacts, Trial};
use super::message;
use super::reason::Reason;
use super::status::{shown, whole_seconds};
use super::table::{StandardState, standard_row};
use crate::api::{Condition, ConditionStatus, ConditionType, StandardStatus};
use crate::revision::Revision;

/// State of a Standard: the first row of the table that fits.
pub fn standard_state(facts: &StandardFacts) -> StandardState {
    match (&facts.source, &facts.trial) {
        (Source::Missing { .. }, _) => StandardState::RepositoryMissing,
        (Source::Failing { .. }, _) if facts.counts.is_none() => StandardState::RepositoryFailing,
        (_, Trial::Quarantined(_)) => StandardState::Quarantined,
        (_, Trial::Refused { .. }) => StandardState::Refused,
        (_, Trial::Failed(_)) => StandardState::Failing,
        _ if facts.hold.is_some() => StandardState::Held,
        (_, Trial::None) => StandardState::New,
        (_, Trial::Accepted) => StandardState::Ready,
    }
}

/// Conditions of a Standard, in the order Ready, Reconciling, Stalled, Held.
pub fn standard_conditions(facts: &StandardFacts, previous: &[Condition], now: Timestamp) -> Vec<Condition> {
    let writer = Writer { previous, now: whole_seconds(now), generation: facts.generation };
    let row = standard_row(standard_state(facts));
    let (reason, text) = told(facts, row.state);
    let mut list = writer.of_row(row, reason, &text);
    if let Some(hold) = &facts.hold {
        list.push(writer.condition(ConditionType::Held, ConditionStatus::True, hold.reason, &hold.message));
    }
    list
}

/// Reason and message of `Ready`.
fn told(facts: &StandardFacts, state: StandardState) -> (Reason, String) {
    let named = |revision: &Option<Revision>| revision.as_ref().map_or("no revision".to_owned(), ToString::to_string);
    let attempted = named(&facts.attempted);
    let stays = stays(facts);
    match (state, &facts.source, &facts.trial, &facts.hold) {
        (StandardState::RepositoryMissing, Source::Missing { name }, ..) => {
            (Reason::RepositoryMissing, format!("Repository {name} does not exist; {stays}"))
        }
        (StandardState::RepositoryFailing, Source::Failing { told }, ..) => {
            (Reason::RepositoryNotReady, format!("{told}; {stays}"))
        }
        (StandardState::Quarantined, _, Trial::Quarantined(how), _) => {
            (Reason::Quarantined, format!("{attempted} killed the worker that reads it ({how}); {stays}"))
        }
        (StandardState::Refused, _, Trial::Refused { reason, problems }, _) => {
            (*reason, format!("{attempted}: {}; {stays}", message::problems(problems)))
        }
        (StandardState::Failing, _, Trial::Failed(failed), _) => {
            let (reason, text) = Reason::of_failure(failed, Reason::BuildFailed);
            (reason, format!("{attempted}: {text}; {stays}"))
        }
        (StandardState::Held, .., Some(hold)) => (hold.reason, format!("{}; {stays}", hold.message)),
        (StandardState::Ready, ..) => {
            let counts = facts.counts.clone().unwrap_or_default();
            let text = format!(
                "in force at {}: {} policies, {} bindings, {} waivers",
                named(&facts.accepted.as_ref().map(|(revision, _)| revision.clone())),
                counts.policies,
                counts.bindings,
                counts.waivers
            );
            let warned = match facts.warnings.as_slice() {
                [] => String::new(),
                [first, rest @ ..] => format!("; {first}{}", more(rest.len())),
            };
            (Reason::Succeeded, text + &warned)
        }
        _ => (Reason::Progressing, format!("waiting for a revision; {stays}")),
    }
}

fn more(rest: usize) -> String {
    if rest == 0 { String::new() } else { format!("; and {rest} more") }
}

/// What holds meanwhile.
fn stays(facts: &StandardFacts) -> String {
    match (&facts.accepted, &facts.counts) {
        (Some((revision, _)), Some(_)) => format!("{revision} stays in force"),
        (Some((revision, _)), None) => {
            format!("{revision}, which was in force, could not be read again: new revisions of Syncs are held")
        }
        (None, _) => "nothing is in force: new revisions of Syncs are held".to_owned(),
    }
}

/// The status of a Standard. Equal facts and an equal previous status give that status again, whatever the time.
pub fn standard_status(facts: &StandardFacts, previous: &StandardStatus, now: Timestamp) -> StandardStatus {
    StandardStatus {
        observed_generation: facts.generation,
        conditions: standard_conditions(facts, &previous.conditions, now),
        accepted_revision: facts.accepted.as_ref().map(|(revision, _)| revision.to_string()),
        accepted_source: facts.accepted.as_ref().map(|(_, source)| source.clone()),
        attempted_revision: facts.attempted.as_ref().map(ToString::to_string),
        counts: facts.counts.clone(),
        problems: match &facts.trial {
            Trial::Refused { problems, .. } => shown(problems),
            _ => Vec::new(),
        },
        warnings: shown(&facts.warnings),
        last_handled_reconcile_at: facts.handled_request.clone(),
    }
}

/// What a restarted agent takes over from the stored status: what was in force.
pub fn recall_standard(status: &StandardStatus) -> StandardFacts {
    let accepted = status.accepted_revision.as_deref().and_then(Revision::parse);
    StandardFacts {
        generation: status.observed_generation,
        handled_request: status.last_handled_reconcile_at.clone(),
        accepted: accepted.zip(status.accepted_source.clone()),
        ..StandardFacts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{StandardCounts, StandardSource};
    use crate::failure::{Failed, Fault};
    use crate::object::Problem;
    use crate::report::facts::Hold;
    use crate::report::table::{STANDARD, Stalled};

    fn in_force() -> StandardFacts {
        let revision = Revision::parse(&format!("main@sha1:{}", "a".repeat(40))).expect("a revision");
        StandardFacts {
            source: Source::Ready,
            attempted: Some(revision.clone()),
            accepted: Some((
                revision,
                StandardSource { url: "https://git/ops".into(), path: "policy".into(), seal: Some("sealed".into()) },
            )),
            counts: Some(StandardCounts { policies: 2, bindings: 2, waivers: 0 }),
            trial: Trial::Accepted,
            ..StandardFacts::default()
        }
    }

    #[test]
    fn each_state_has_facts_and_tells_what_holds() {
        let with = |change: &dyn Fn(&mut StandardFacts)| {
            let mut facts = in_force();
            change(&mut facts);
            facts
        };
        let failed = Failed::new("WorkerCrashed", Fault::Transient, "signal 9");
        let missing = Source::Missing { name: "ops/policies".into() };
        let wrong = Problem::new("InvalidPolicy", "spec: unknown field").in_file("policy/a.yaml", Some(3));
        let refused = Trial::Refused { reason: Reason::StandardInvalid, problems: vec![wrong] };
        for (facts, state, reason, words) in [
            (
                with(&|f| f.source = missing.clone()),
                StandardState::RepositoryMissing,
                "RepositoryMissing",
                "stays in force",
            ),
            (
                with(&|f| {
                    f.source = Source::Failing { told: "Timeout: 60 s".into() };
                    (f.counts, f.accepted, f.trial) = (None, None, Trial::None);
                }),
                StandardState::RepositoryFailing,
                "RepositoryNotReady",
                "nothing is in force",
            ),
            (
                with(&|f| f.source = Source::Failing { told: "Timeout: 60 s".into() }),
                StandardState::Ready,
                "Succeeded",
                "in force at main@sha1:a",
            ),
            (
                with(&|f| f.trial = Trial::Quarantined("signal 9".into())),
                StandardState::Quarantined,
                "Quarantined",
                "stays in force",
            ),
            (with(&|f| f.trial = refused.clone()), StandardState::Refused, "StandardInvalid", "policy/a.yaml:3"),
            (
                with(&|f| f.trial = Trial::Failed(failed.clone())),
                StandardState::Failing,
                "WorkerCrashed",
                "stays in force",
            ),
            (
                with(&|f| f.hold = Some(Hold::new(Reason::Rewound, "older"))),
                StandardState::Held,
                "Rewound",
                "older; main@sha1:a",
            ),
            (
                with(&|f| (f.trial, f.counts) = (Trial::None, None)),
                StandardState::New,
                "Progressing",
                "could not be read again",
            ),
            (with(&|_| {}), StandardState::Ready, "Succeeded", "2 policies"),
        ] {
            assert_eq!(standard_state(&facts), state);
            let now: Timestamp = "2026-11-28T12:00:00Z".parse().expect("a time");
            let status = standard_status(&facts, &StandardStatus::default(), now);
            let ready = &status.conditions[0];
            assert_eq!(ready.reason, reason);
            assert!(ready.message.contains(words), "{}", ready.message);
            let stalled = status.conditions.iter().any(|c| c.type_ == ConditionType::Stalled);
            assert_eq!(stalled, STANDARD[state as usize].stalled == Stalled::Yes);
            assert_eq!(standard_status(&facts, &status, now), status, "nothing new, nothing written");
            assert_eq!(recall_standard(&status).accepted, facts.accepted, "a restart knows what was in force");
        }
    }
}

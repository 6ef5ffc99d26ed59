//! What an outcome says of itself.

use super::*;
use crate::failure::Fault;

fn run() -> Outcome {
    let id = OutcomeId { sync_uid: "u1".into(), revision: "main@sha1:abc".into(), attempt: 1 };
    Outcome::new(id, "2026-01-02T03:04:05.678Z".parse().expect("a time"))
}

fn object(at: usize) -> ObjectId {
    ObjectId::new("shop", format!("o{at}"), "", "ConfigMap")
}

#[test]
fn summaries_are_in_kubectls_words() {
    let mut outcome = run();
    insta::assert_snapshot!(outcome.summary(), @"no objects");
    outcome.record(&object(0), Action::Unchanged);
    outcome.record(&object(1), Action::Skipped);
    insta::assert_snapshot!(outcome.summary(), @"1 unchanged, 1 skipped");
    for (at, action) in [Action::Created, Action::Created, Action::Configured, Action::Deleted].into_iter().enumerate()
    {
        outcome.record(&object(at), action);
    }
    insta::assert_snapshot!(outcome.summary(), @"2 created, 1 configured, 1 deleted");
    outcome.problems = vec![Problem::new("UnknownField", "spec.replica is not known")];
    insta::assert_snapshot!(outcome.summary(), @"2 created, 1 configured, 1 deleted; spec.replica is not known (UnknownField)");
    assert_eq!(outcome.reason(), Reason::ValidationFailed);
    outcome.failure = Some((Stage::Prune, Failed::new("Odd", Fault::Cluster, "said no").with_hint("ask again")));
    assert_eq!(outcome.reason(), Reason::PruneFailed);
    insta::assert_snapshot!(outcome.summary(), @"2 created, 1 configured, 1 deleted; spec.replica is not known (UnknownField); prune failed: Odd: said no; hint: ask again");
}

#[test]
fn history_keeps_the_last_five_that_changed_something() {
    let mut history = Vec::new();
    for at in 0..9 {
        let mut outcome = run();
        outcome.id.revision = format!("main@sha1:{at}");
        let action = if at % 4 == 3 { Action::Unchanged } else { Action::Configured };
        outcome.record(&object(at), action);
        history = outcome.remember(&history);
    }
    let revisions: Vec<_> = history.iter().map(|h| h.revision.as_str()).collect();
    assert_eq!(revisions, ["main@sha1:8", "main@sha1:6", "main@sha1:5", "main@sha1:4", "main@sha1:2"]);
    assert_eq!(history[0].summary, "1 configured");
    assert_eq!(history[0].reason, "ReconciliationSucceeded");
    assert_eq!(history[0].at.to_string(), "2026-01-02T03:04:05Z");
}

#[test]
fn lists_are_bounded_and_counts_are_not() {
    let mut outcome = run();
    for at in 0..LISTED + 10 {
        outcome.record(&object(at), Action::Created);
    }
    assert_eq!(outcome.changes.len(), LISTED);
    assert_eq!(outcome.counts.created as usize, LISTED + 10);
}

#[test]
fn stages_that_are_entered_twice_add_up_and_the_value_survives_json() {
    let mut outcome = run();
    outcome.time(Stage::Plan, 5);
    outcome.time(Stage::Apply, 20);
    outcome.time(Stage::Apply, 7);
    outcome.record(&object(0), Action::Deleted);
    outcome.failure = Some((Stage::Apply, Failed::new("Forbidden", Fault::Cluster, "no")));
    assert_eq!(outcome.stages, [(Stage::Plan, 5), (Stage::Apply, 27)]);
    let text = serde_json::to_string(&outcome).expect("JSON");
    assert_eq!(serde_json::from_str::<Outcome>(&text).expect("an outcome"), outcome);
}

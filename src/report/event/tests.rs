//! What is told, and what is not.

use jiff::Timestamp;

use super::*;
use crate::failure::{Failed, Fault};
use crate::object::{ObjectId, Problem};
use crate::report::condition::conditions;
use crate::report::facts::{HealthWait, Hold, Stage, SyncFacts, Verdict};
use crate::report::outcome::OutcomeId;

fn outcome() -> Outcome {
    let id = OutcomeId { sync_uid: "u1".into(), revision: "main@sha1:abc".into(), attempt: 2 };
    Outcome::new(id, Timestamp::UNIX_EPOCH)
}

fn told(events: &[Event]) -> String {
    events.iter().map(|e| format!("{:?} {} {}: {}\n", e.type_, e.reason, e.action, e.message)).collect()
}

#[test]
fn a_run_tells_its_changes_one_a_line() {
    let mut run = outcome();
    run.record(&ObjectId::new("", "shop", "", "Namespace"), Action::Created);
    run.record(&ObjectId::new("shop", "web", "apps", "Deployment"), Action::Configured);
    run.record(&ObjectId::new("shop", "api", "apps", "Deployment"), Action::Unchanged);
    run.record(&ObjectId::new("shop", "old", "", "Service"), Action::Deleted);
    let events = of_outcome(&run);
    insta::assert_snapshot!(told(&events), @r"
    Normal Applied Apply: 1 created, 1 configured, 1 deleted
    Namespace/shop created
    Deployment/shop/web configured
    Service/shop/old deleted
    ");
    assert_eq!(events[0].annotations[ANNOTATION_REVISION], "main@sha1:abc");
    assert_eq!(events[0].annotations[ANNOTATION_RUN], "u1/2");
}

#[test]
fn a_run_that_changed_nothing_is_silent() {
    let mut run = outcome();
    run.record(&ObjectId::new("shop", "api", "apps", "Deployment"), Action::Unchanged);
    assert_eq!(of_outcome(&run), []);
}

#[test]
fn what_does_not_fit_is_counted() {
    let mut run = outcome();
    for at in 0..500 {
        run.record(&ObjectId::new("shop", format!("web-{at}"), "apps", "Deployment"), Action::Created);
    }
    let events = of_outcome(&run);
    let message = &events[0].message;
    assert!(message.len() <= MESSAGE_LIMIT, "{}", message.len());
    let listed = message.lines().filter(|l| l.ends_with(" created") && l.starts_with("Deployment/")).count();
    assert_eq!(message.lines().last(), Some(format!("and {} more", 500 - listed).as_str()));
    assert!(listed > 20);
}

#[test]
fn a_run_tells_what_went_wrong() {
    let mut run = outcome();
    run.problems = vec![Problem::new("A", "one").in_file("a.yaml", Some(1)), Problem::new("B", "two").hint("try")];
    run.failure = Some((Stage::Prune, Failed::new("Forbidden", Fault::Cluster, "may not delete")));
    insta::assert_snapshot!(told(&of_outcome(&run)), @r"
    Warning ValidationFailed Validate: a.yaml:1: one (A)
    two (B); hint: try
    Warning Forbidden Reconcile: prune failed: may not delete
    ");
}

fn facts(counts: &[(crate::health::Status, u32)]) -> SyncFacts {
    let mut facts = SyncFacts { verdict: Verdict::Applied, ..SyncFacts::default() };
    for (status, count) in counts {
        (0..*count).for_each(|_| facts.health.counts.add(*status));
    }
    facts
}

fn between(before: Option<&SyncFacts>, after: &SyncFacts) -> String {
    let before = before.map(|f| conditions(f, &[], Timestamp::UNIX_EPOCH)).unwrap_or_default();
    told(&of_transition(&before, &conditions(after, &before, Timestamp::UNIX_EPOCH)))
}

#[test]
fn transitions_are_told_once() {
    use crate::health::Status::{Current, Failed, InProgress};
    let (rolling, fine, failed) = (facts(&[(InProgress, 1)]), facts(&[(Current, 1)]), facts(&[(Failed, 1)]));
    assert_eq!(between(None, &rolling), "");
    assert_eq!(between(None, &fine), "", "health that was never lost is no news");
    assert_eq!(between(Some(&rolling), &fine), "Normal Healthy Watch: the object is current\n");
    assert_eq!(between(Some(&fine), &failed), "Warning Unhealthy Watch: 0 of 1 objects current; and 1 more\n");
    assert_eq!(between(Some(&failed), &failed), "");

    let mut held = fine.clone();
    held.hold = Some(Hold::new(Reason::Rewound, "older"));
    assert_eq!(between(Some(&fine), &held), "Warning Held Accept: Rewound: older\n");
    assert_eq!(between(Some(&held), &held), "");
    assert_eq!(between(Some(&held), &fine), "");

    let suspended = SyncFacts { suspended: true, ..fine.clone() };
    assert!(between(Some(&fine), &suspended).starts_with("Normal Suspended Suspend: suspended"));
    assert_eq!(between(Some(&suspended), &suspended), "");
    assert_eq!(between(Some(&suspended), &fine), "Normal Resumed Resume: it is followed and healed again\n");

    let mut cycle = fine.clone();
    cycle.verdict = Verdict::DependencyCycle { path: vec!["a/a".into(), "a/b".into(), "a/a".into()] };
    assert_eq!(between(Some(&fine), &cycle), "Warning DependencyCycle Reconcile: a circle: a/a → a/b → a/a\n");

    let mut slow = rolling.clone();
    slow.health_wait = HealthWait::Exceeded;
    assert_eq!(
        between(Some(&rolling), &slow),
        "Warning Unhealthy Watch: not healthy within the timeout: 0 of 1 objects current; and 1 more\n"
    );
}

#[test]
fn a_repository_tells_that_it_fails_and_that_it_works_again() {
    use crate::report::condition::repository_conditions;
    use crate::report::facts::{Fetch, RepositoryFacts};
    let of = |fetch| {
        let facts = RepositoryFacts { fetch, ..RepositoryFacts::default() };
        repository_conditions(&facts, &[], Timestamp::UNIX_EPOCH)
    };
    let failed = of(Fetch::Failed(Failed::new("ConnectFailed", Fault::Transient, "connection refused")));
    let other = of(Fetch::Failed(Failed::new("Timeout", Fault::Transient, "no answer in 60 s")));
    let (new, done) = (of(Fetch::None), of(Fetch::Done));
    let between = |before: &[Condition], after: &[Condition]| told(&of_repository_transition(before, after));
    assert_eq!(between(&new, &done), "");
    assert_eq!(between(&done, &failed), "Warning ConnectFailed Fetch: connection refused\n");
    assert_eq!(between(&failed, &failed), "");
    assert_eq!(between(&failed, &other), "Warning Timeout Fetch: no answer in 60 s\n");
    assert_eq!(between(&other, &done), "Normal Succeeded Fetch: fetched\n");
    let rests = |suspended| RepositoryFacts { suspended, fetch: Fetch::Done, ..RepositoryFacts::default() };
    let rests = repository_conditions(&rests(true), &[], Timestamp::UNIX_EPOCH);
    assert_eq!(between(&done, &rests), "Normal Suspended Suspend: suspended\n");
    assert_eq!(between(&rests, &rests), "");
    assert_eq!(between(&rests, &done), "Normal Resumed Resume: its remote is asked again\n");
    let fails = "Normal Resumed Resume: its remote is asked again\nWarning ConnectFailed Fetch: connection refused\n";
    assert_eq!(between(&rests, &failed), fails);
}

//! The table, row by row, and what holds whatever the facts are.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::api::{Mode, RepositoryStatus, SyncStatus};
use crate::failure::Failed;
use crate::health::{Health, SetHealth};
use crate::object::{ObjectId, Problem};
use crate::report::facts::{Drift, Fight, Hold, Progress, ShadowSummary};
use crate::report::outcome::ActionCounts;
use crate::report::status::{changed, recall, repository_status, sync_status};
use crate::report::table::{REPOSITORY, SYNC};

fn revision(digit: char) -> Revision {
    Revision { name: "main".into(), commit: digit.to_string().repeat(8) }
}

fn set(statuses: &[Status]) -> SetHealth {
    let objects: Vec<_> = statuses
        .iter()
        .enumerate()
        .map(|(at, status)| {
            let message = if *status == Status::Current { String::new() } else { format!("why {at}") };
            (ObjectId::new("shop", format!("o{at}"), "apps", "Deployment"), Health { status: *status, message })
        })
        .collect();
    SetHealth::of(objects.iter().map(|(id, health)| (id, health)))
}

/// A Sync that is as wanted; the cases below change what matters to them.
fn ready() -> SyncFacts {
    SyncFacts {
        generation: 3,
        source: Source::Ready,
        accepted: Some(revision('a')),
        attempted: Some(revision('a')),
        applied: Some(revision('a')),
        verdict: Verdict::Applied,
        health: set(&[Status::Current, Status::Current]),
        health_wait: HealthWait::Settled,
        ..SyncFacts::default()
    }
}

fn failed(reason: &str, fault: Fault) -> Verdict {
    Verdict::Failed { stage: Stage::Apply, failed: Failed::new(reason, fault, "what happened") }
}

fn problem() -> Problem {
    Problem::new("UnknownField", "spec.replica is not known").in_file("web.yaml", Some(7))
}

#[test]
fn sources_that_are_not_watched_are_told_with_what_was_applied() {
    let told = |unwatched: &[&str]| {
        let facts = SyncFacts { unwatched: unwatched.iter().map(|s| (*s).to_owned()).collect(), ..ready() };
        conditions(&facts, &[], Timestamp::UNIX_EPOCH)[0].message.clone()
    };
    assert_eq!(told(&[]), "applied main@sha1:aaaaaaaa (unreviewed)");
    let one = "applied main@sha1:aaaaaaaa (unreviewed); Secret a is read at spec.interval only: \
               the ServiceAccount may not list and watch it";
    assert_eq!(told(&["Secret a"]), one);
    let two = told(&["ConfigMap b", "Secret a"]);
    assert!(two.contains("ConfigMap b") && two.contains("Secret a are read") && two.ends_with("watch them"), "{two}");
}

#[test]
fn what_went_ahead_of_its_review_is_told_with_what_was_applied() {
    for (review, went_ahead, expected) in [
        (Some(Profile::Reviewed), false, "applied main@sha1:aaaaaaaa"),
        (Some(Profile::Reviewed), true, "applied main@sha1:aaaaaaaa (not reviewed: break glass)"),
        (Some(Profile::Observe), true, "applied main@sha1:aaaaaaaa (unreviewed)"),
    ] {
        let facts = SyncFacts { review, went_ahead, ..ready() };
        assert_eq!(conditions(&facts, &[], Timestamp::UNIX_EPOCH)[0].message, expected);
    }
}

/// Facts of each state, with the conditions that they give: one line a condition.
fn rows() -> Vec<(State, SyncFacts, String)> {
    let with = |change: &dyn Fn(&mut SyncFacts)| {
        let mut facts = ready();
        change(&mut facts);
        facts
    };
    let fresh = |change: &dyn Fn(&mut SyncFacts)| {
        let mut facts = SyncFacts { generation: 3, ..SyncFacts::default() };
        change(&mut facts);
        facts
    };
    let fine = "Healthy True Succeeded: all 2 objects are current";
    let nothing = "Healthy Unknown NothingApplied: nothing was applied yet";
    let applying = Progress { stage: Stage::Apply, message: "phase Workloads".into() };
    let counts = ActionCounts { created: 2, ..ActionCounts::default() };
    let over = Fight {
        id: ObjectId::new("shop", "web", "apps", "Deployment"),
        field: Some("spec.replicas".into()),
        author: "keda".into(),
        rounds: 5,
    };
    let cases: Vec<(State, SyncFacts, Vec<&str>)> = vec![
        (
            State::Finalizing,
            with(&|f| f.verdict = Verdict::Finalizing { message: "12 objects to go".into() }),
            vec!["Ready False Finalizing: 12 objects to go", "Reconciling True Finalizing: 12 objects to go", fine],
        ),
        (
            State::Suspended,
            with(&|f| f.suspended = true),
            vec!["Ready Unknown Suspended: suspended at main@sha1:aaaaaaaa", fine],
        ),
        (
            State::InvalidSpec,
            with(&|f| f.verdict = Verdict::InvalidSpec(vec![Problem::new("InvalidHealthExpression", "no such thing")])),
            vec![
                "Ready False InvalidSpec: no such thing (InvalidHealthExpression)",
                "Stalled True InvalidSpec: no such thing (InvalidHealthExpression)",
                fine,
            ],
        ),
        (
            State::RepositoryMissing,
            fresh(&|f| f.source = Source::Missing { name: "shop/git".into() }),
            vec![
                "Ready False RepositoryMissing: Repository shop/git is not there",
                "Reconciling True ProgressingWithRetry: Repository shop/git is not there",
                nothing,
            ],
        ),
        (
            State::RepositoryDenied,
            fresh(&|f| f.source = Source::Denied { name: "ops/git".into() }),
            vec![
                "Ready False AccessDenied: Repository ops/git does not allow Syncs of this namespace; its spec.allowedNamespaces would",
                "Stalled True AccessDenied: Repository ops/git does not allow Syncs of this namespace; its spec.allowedNamespaces would",
                nothing,
            ],
        ),
        (
            State::RepositoryFailing,
            fresh(&|f| f.source = Source::Failing { told: "ConnectFailed: connection refused".into() }),
            vec![
                "Ready False RepositoryNotReady: ConnectFailed: connection refused",
                "Reconciling True ProgressingWithRetry: ConnectFailed: connection refused",
                nothing,
            ],
        ),
        (
            State::Retrying,
            with(&|f| {
                f.verdict = failed("Forbidden", Fault::Cluster);
                f.progress = Some(applying.clone());
            }),
            vec![
                "Ready False Forbidden: main@sha1:aaaaaaaa: apply failed: what happened",
                "Reconciling True ProgressingWithRetry: main@sha1:aaaaaaaa: apply failed: what happened",
                fine,
            ],
        ),
        (
            State::Working,
            with(&|f| {
                f.attempted = Some(revision('b'));
                f.verdict = Verdict::None;
                f.progress = Some(applying.clone());
            }),
            vec![
                "Ready Unknown Progressing: applying main@sha1:bbbbbbbb: phase Workloads",
                "Reconciling True Progressing: applying main@sha1:bbbbbbbb: phase Workloads",
                fine,
            ],
        ),
        (
            State::Cycle,
            with(&|f| f.verdict = Verdict::DependencyCycle { path: vec!["a/a".into(), "a/b".into(), "a/a".into()] }),
            vec![
                "Ready False DependencyCycle: a circle: a/a → a/b → a/a",
                "Stalled True DependencyCycle: a circle: a/a → a/b → a/a",
                fine,
            ],
        ),
        (
            State::Quarantined,
            with(&|f| {
                f.attempted = Some(revision('b'));
                f.verdict = Verdict::Quarantined { crashes: 3, message: "killed by signal 9".into() };
            }),
            vec![
                "Ready False Quarantined: main@sha1:bbbbbbbb: the revision killed the worker that reads it 3 times (killed by signal 9); the accepted one stays healed, and another commit is tried",
                "Stalled True Quarantined: main@sha1:bbbbbbbb: the revision killed the worker that reads it 3 times (killed by signal 9); the accepted one stays healed, and another commit is tried",
                fine,
            ],
        ),
        (
            State::Refused,
            with(&|f| {
                f.attempted = Some(revision('b'));
                f.verdict =
                    Verdict::Refused { stage: Stage::Render, problems: vec![problem(), problem()], applied_rest: None };
            }),
            vec![
                "Ready False BuildFailed: main@sha1:bbbbbbbb: web.yaml:7: spec.replica is not known (UnknownField); and 1 more problem; nothing of it is applied",
                "Stalled True BuildFailed: main@sha1:bbbbbbbb: web.yaml:7: spec.replica is not known (UnknownField); and 1 more problem; nothing of it is applied",
                fine,
            ],
        ),
        (
            State::Refused,
            with(&|f| {
                f.verdict =
                    Verdict::Refused { stage: Stage::Validate, problems: vec![problem()], applied_rest: Some(5) };
            }),
            vec![
                "Ready False ValidationFailed: main@sha1:aaaaaaaa: web.yaml:7: spec.replica is not known (UnknownField); 5 other objects were applied",
                "Stalled True ValidationFailed: main@sha1:aaaaaaaa: web.yaml:7: spec.replica is not known (UnknownField); 5 other objects were applied",
                fine,
            ],
        ),
        (
            State::Broken,
            with(&|f| f.verdict = failed("SomethingNew", Fault::Repository)),
            vec![
                "Ready False ReconciliationFailed: main@sha1:aaaaaaaa: apply failed: SomethingNew: what happened",
                "Stalled True ReconciliationFailed: main@sha1:aaaaaaaa: apply failed: SomethingNew: what happened",
                fine,
            ],
        ),
        (
            State::Failing,
            with(&|f| f.verdict = failed("ApiUnreachable", Fault::Transient)),
            vec![
                "Ready False ApiUnreachable: main@sha1:aaaaaaaa: apply failed: what happened",
                "Reconciling True ProgressingWithRetry: main@sha1:aaaaaaaa: apply failed: what happened",
                fine,
            ],
        ),
        (
            State::Waiting,
            with(&|f| f.verdict = Verdict::WaitingForDependency { on: vec!["Sync/shop/db: suspended".into()] }),
            vec![
                "Ready False DependencyNotReady: main@sha1:aaaaaaaa: waiting for Sync/shop/db: suspended",
                "Reconciling True Progressing: main@sha1:aaaaaaaa: waiting for Sync/shop/db: suspended",
                fine,
            ],
        ),
        (
            State::Held,
            with(&|f| f.hold = Some(Hold::new(Reason::Rewound, "older than the accepted one"))),
            vec![
                "Ready False Rewound: older than the accepted one",
                fine,
                "Held True Rewound: older than the accepted one",
            ],
        ),
        (
            State::Held,
            fresh(&|f| {
                f.source = Source::Ready;
                f.withheld = Some(Hold::new(Reason::SignerUnknown, "main@sha1:b is held"));
            }),
            vec![
                "Ready False SignerUnknown: main@sha1:b is held",
                nothing,
                "Held True SignerUnknown: main@sha1:b is held",
            ],
        ),
        (
            State::Held,
            with(&|f| {
                f.hold = Some(Hold::new(Reason::ReviewMissing, "main@sha1:a waits"));
                f.withheld = Some(Hold::new(Reason::Diverged, "main@sha1:b is rewritten"));
            }),
            vec![
                "Ready False Diverged: main@sha1:b is rewritten",
                fine,
                "Held True Diverged: main@sha1:b is rewritten",
            ],
        ),
        (
            State::Held,
            with(&|f| {
                f.hold = Some(Hold::new(Reason::DeletionBudgetExceeded, "main@sha1:a deletes too much"));
                f.withheld = Some(Hold::new(Reason::Diverged, "main@sha1:b is rewritten"));
            }),
            vec![
                "Ready False DeletionBudgetExceeded: main@sha1:a deletes too much",
                fine,
                "Held True DeletionBudgetExceeded: main@sha1:a deletes too much",
            ],
        ),
        (
            State::New,
            fresh(&|f| f.source = Source::Ready),
            vec![
                "Ready Unknown Progressing: waiting for the first revision",
                "Reconciling True Progressing: waiting for the first revision",
                nothing,
            ],
        ),
        (
            State::ShadowDiffers,
            fresh(&|f| {
                f.mode = Mode::Shadow;
                f.attempted = Some(revision('a'));
                f.verdict = Verdict::Shadowed(ShadowSummary { counts });
            }),
            vec![
                "Ready False ShadowDiffers: shadow mode, nothing is written: 2 created with main@sha1:aaaaaaaa",
                nothing,
            ],
        ),
        (
            State::ShadowEqual,
            fresh(&|f| {
                f.mode = Mode::Shadow;
                f.attempted = Some(revision('a'));
                let counts = ActionCounts { unchanged: 7, ..ActionCounts::default() };
                f.verdict = Verdict::Shadowed(ShadowSummary { counts });
            }),
            vec![
                "Ready True ShadowEqual: shadow mode, nothing is written: 7 unchanged with main@sha1:aaaaaaaa",
                nothing,
            ],
        ),
        (
            State::Fighting,
            with(&|f| f.drift = Drift { objects: 1, first: Vec::new(), fight: Some(over.clone()) }),
            vec![
                "Ready False DriftFight: Deployment.apps/shop/web: spec.replicas was put right 5 times and set back each time by keda; repairs are slowed. Remove the field from Git, or list it in spec.ignore",
                "Stalled True DriftFight: Deployment.apps/shop/web: spec.replicas was put right 5 times and set back each time by keda; repairs are slowed. Remove the field from Git, or list it in spec.ignore",
                fine,
            ],
        ),
        (
            State::Unhealthy,
            with(&|f| f.health = set(&[Status::Current, Status::Failed])),
            vec![
                "Ready False HealthCheckFailed: applied main@sha1:aaaaaaaa; 1 of 2 objects current; Deployment.apps/shop/o1: why 1",
                "Healthy False HealthCheckFailed: 1 of 2 objects current; Deployment.apps/shop/o1: why 1",
            ],
        ),
        (
            State::TimedOut,
            with(&|f| {
                f.health = set(&[Status::Current, Status::InProgress]);
                f.health_wait = HealthWait::Exceeded;
            }),
            vec![
                "Ready False HealthCheckFailed: applied main@sha1:aaaaaaaa; not healthy within the timeout: 1 of 2 objects current; Deployment.apps/shop/o1: why 1",
                "Healthy False HealthCheckFailed: not healthy within the timeout: 1 of 2 objects current; Deployment.apps/shop/o1: why 1",
            ],
        ),
        (
            State::RollingOut,
            with(&|f| {
                f.health = set(&[Status::InProgress]);
                f.health_wait = HealthWait::First;
                // Waiting for health is what this row is about.
                f.progress = Some(Progress { stage: Stage::Health, message: String::new() });
            }),
            vec![
                "Ready Unknown Progressing: applied main@sha1:aaaaaaaa; 0 of 1 objects current; Deployment.apps/shop/o0: why 0",
                "Reconciling True Progressing: applied main@sha1:aaaaaaaa; 0 of 1 objects current; Deployment.apps/shop/o0: why 0",
                "Healthy Unknown Progressing: 0 of 1 objects current; Deployment.apps/shop/o0: why 0",
            ],
        ),
        (
            State::Ready,
            with(&|f| f.health = set(&[Status::Current, Status::InProgress])),
            vec![
                "Ready True ReconciliationSucceeded: applied main@sha1:aaaaaaaa (unreviewed)",
                "Healthy Unknown Progressing: 1 of 2 objects current; Deployment.apps/shop/o1: why 1",
            ],
        ),
        (
            State::Ready,
            with(&|f| f.source = Source::Failing { told: "the remote is down".into() }),
            vec!["Ready True ReconciliationSucceeded: applied main@sha1:aaaaaaaa (unreviewed)", fine],
        ),
    ];
    cases.into_iter().map(|(state, facts, lines)| (state, facts, lines.join("\n"))).collect()
}

fn written(conditions: &[Condition]) -> String {
    let lines = conditions.iter().map(|c| format!("{:?} {:?} {}: {}", c.type_, c.status, c.reason, c.message));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_row_gives_its_conditions() {
    for (expected, facts, lines) in rows() {
        assert_eq!(state(&facts), expected);
        let made = conditions(&facts, &[], Timestamp::UNIX_EPOCH);
        assert_eq!(written(&made), lines, "{expected:?}");
        let row = sync_row(expected);
        assert_eq!(made[0].status, row.ready, "{expected:?}");
        if let Told::Always(reason) = row.reason {
            assert_eq!(made[0].reason, reason.as_str(), "{expected:?}");
        }
        assert!(made.iter().all(|c| c.observed_generation == 3));
    }
    let tested: Vec<_> = rows().iter().map(|(state, ..)| *state).collect();
    for row in SYNC {
        assert!(tested.contains(&row.state), "no case for {:?}", row.state);
    }
}

/// People read the whole text once; what stands beside it is an excerpt.
#[test]
fn a_long_text_is_told_once() {
    let mut facts = ready();
    let long = Problem::new("Invalid", "said ".repeat(120));
    facts.verdict = Verdict::Refused { stage: Stage::Validate, problems: vec![long], applied_rest: None };
    let made = conditions(&facts, &[], Timestamp::UNIX_EPOCH);
    let message = |type_| made.iter().find(|c| c.type_ == type_).map(|c| c.message.as_str()).expect("there");
    let (whole, beside) = (message(ConditionType::Ready), message(ConditionType::Stalled));
    assert!(whole.len() > 600 && beside.len() <= BESIDE_LIMIT, "{} and {}", whole.len(), beside.len());
    assert!(whole.starts_with(beside.trim_end_matches('…')), "{beside}");
}

#[test]
fn every_row_of_a_repository_gives_its_conditions() {
    let facts =
        |fetch| RepositoryFacts { generation: 2, revision: Some(revision('a')), fetch, ..RepositoryFacts::default() };
    let failure = |reason: &str, fault| Fetch::Failed(Failed::new(reason, fault, "said no"));
    let mut suspended = facts(Fetch::Done);
    suspended.suspended = true;
    let mut held = facts(Fetch::Done);
    held.hold = Some(Hold::new(Reason::SignatureMissing, "main@sha1:b is held: not signed"));
    let cases = [
        (RepositoryState::Suspended, suspended, "Ready Unknown Suspended: suspended at main@sha1:aaaaaaaa"),
        (
            RepositoryState::InvalidSpec,
            facts(Fetch::InvalidSpec(vec![Problem::new("InvalidUrl", "no host")])),
            "Ready False InvalidSpec: no host (InvalidUrl)\nStalled True InvalidSpec: no host (InvalidUrl)",
        ),
        (
            RepositoryState::Broken,
            facts(failure("RefNotFound", Fault::Repository)),
            "Ready False RefNotFound: said no; Syncs stay at main@sha1:aaaaaaaa\nStalled True RefNotFound: said no; Syncs stay at main@sha1:aaaaaaaa",
        ),
        (
            RepositoryState::Failing,
            facts(failure("Odd", Fault::Transient)),
            "Ready False GitOperationFailed: Odd: said no; Syncs stay at main@sha1:aaaaaaaa\nReconciling True ProgressingWithRetry: Odd: said no; Syncs stay at main@sha1:aaaaaaaa",
        ),
        (
            RepositoryState::New,
            RepositoryFacts { generation: 2, ..RepositoryFacts::default() },
            "Ready Unknown Progressing: fetching for the first time\nReconciling True Progressing: fetching for the first time",
        ),
        (
            RepositoryState::Held,
            held,
            "Ready False SignatureMissing: main@sha1:b is held: not signed\nHeld True SignatureMissing: main@sha1:b is held: not signed",
        ),
        (RepositoryState::Ready, facts(Fetch::Done), "Ready True Succeeded: fetched main@sha1:aaaaaaaa"),
    ];
    assert_eq!(cases.len(), REPOSITORY.len());
    for (expected, facts, lines) in cases {
        assert_eq!(repository_state(&facts), expected);
        let status = repository_status(&facts, &RepositoryStatus::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(written(&status.conditions), lines);
        assert_eq!(status.observed_generation, 2);
        let later = Timestamp::from_second(3600).expect("a time");
        assert!(!changed(Some(&status), &repository_status(&facts, &status, later)));
    }
}

fn any_status() -> impl Strategy<Value = Status> {
    proptest::sample::select(Status::ALL.to_vec())
}

fn any_facts() -> impl Strategy<Value = SyncFacts> {
    let rows = rows();
    let rows = (0..rows.len()).prop_map(move |at| rows[at].1.clone());
    let wait = proptest::sample::select(vec![HealthWait::First, HealthWait::Settled, HealthWait::Exceeded]);
    let health = proptest::collection::vec(any_status(), 0..4);
    let verdict = (0..super::tests::rows().len()).prop_map(|at| super::tests::rows()[at].1.verdict.clone());
    (rows, verdict, health, wait, any::<bool>(), any::<bool>()).prop_map(
        |(mut facts, verdict, health, wait, hold, run)| {
            facts.verdict = verdict;
            facts.health = set(&health);
            facts.health_wait = wait;
            facts.hold = hold.then(|| Hold::new(Reason::Diverged, "rewritten"));
            facts.progress = run.then(|| Progress { stage: Stage::Plan, message: String::new() });
            facts
        },
    )
}

proptest! {
    #[test]
    fn ready_is_true_only_where_no_part_failed(facts in any_facts()) {
        let made = conditions(&facts, &[], Timestamp::UNIX_EPOCH);
        let find = |type_| made.iter().find(|c| c.type_ == type_);
        let ready = find(ConditionType::Ready).expect("Ready is always there");
        if ready.status == ConditionStatus::True {
            let well = matches!(facts.verdict, Verdict::Applied | Verdict::Shadowed(_));
            prop_assert!(well && facts.held().is_none() && facts.drift.fight.is_none() && facts.progress.is_none());
            prop_assert!(facts.health.counts.failed == 0);
            prop_assert!(find(ConditionType::Reconciling).is_none() && find(ConditionType::Stalled).is_none());
        }
        prop_assert!(find(ConditionType::Healthy).is_some());
        prop_assert_eq!(find(ConditionType::Held).is_some(), facts.held().is_some());
        for condition in &made {
            prop_assert!(Reason::parse(&condition.reason).is_some(), "{}", condition.reason);
            prop_assert!(condition.message.len() <= MESSAGE_LIMIT && !condition.message.is_empty());
            let only_while_true = matches!(condition.type_, ConditionType::Reconciling | ConditionType::Stalled | ConditionType::Held);
            prop_assert!(!only_while_true || condition.status == ConditionStatus::True);
        }
    }

    #[test]
    fn equal_facts_write_nothing(facts in any_facts(), seconds in 0_i64..1_000_000) {
        let first = sync_status(&facts, &SyncStatus::default(), Timestamp::UNIX_EPOCH);
        let later = Timestamp::from_second(seconds).expect("a time");
        prop_assert!(!changed(Some(&first), &sync_status(&facts, &first, later)));
        // What the API server gives back is what was sent.
        let stored: SyncStatus = serde_json::from_value(serde_json::to_value(&first).expect("JSON")).expect("a status");
        prop_assert_eq!(stored, first);
    }
}

#[test]
fn times_of_transitions_stay_until_the_status_changes() {
    let at = |second| Timestamp::from_second(second).expect("a time");
    let mut facts = ready();
    let first = sync_status(&facts, &SyncStatus::default(), "1970-01-01T00:00:10.9Z".parse().expect("a time"));
    assert_eq!(first.conditions[0].last_transition_time, at(10), "fractions are not stored");
    facts.applied = Some(revision('b'));
    let second = sync_status(&facts, &first, at(20));
    assert!(changed(Some(&first), &second));
    assert_eq!(second.conditions[0].last_transition_time, at(10), "still true");
    facts.health = set(&[Status::Failed]);
    let third = sync_status(&facts, &second, at(30));
    assert_eq!(third.conditions[0].last_transition_time, at(30));
}

#[test]
fn a_status_holds_what_a_restart_needs() {
    let mut facts = ready();
    facts.handled_request = Some("now".into());
    facts.deletions_paid = vec!["abc: 3".into()];
    facts.deletions_unpaid = 4;
    // A stored revision has a whole commit.
    let whole = Revision { name: "main".into(), commit: "a".repeat(40) };
    facts.accepted = Some(whole.clone());
    facts.attempted = Some(whole.clone());
    facts.applied = Some(whole);
    facts.verdict =
        Verdict::Refused { stage: Stage::Render, problems: vec![problem().hint("replicas"); 30], applied_rest: None };
    let status = sync_status(&facts, &SyncStatus::default(), Timestamp::UNIX_EPOCH);
    assert_eq!(status.problems.len(), 20);
    assert_eq!(status.problems[0].at.as_deref(), Some("web.yaml:7"));
    assert_eq!(status.problems[0].message, "spec.replica is not known; hint: replicas");
    let objects = status.objects.clone().expect("counted");
    assert_eq!((objects.total, objects.current, objects.in_progress, objects.failed), (2, 2, 0, 0));
    let known = recall(&status);
    assert_eq!(known.applied, facts.applied);
    assert_eq!(known.accepted, facts.accepted);
    assert_eq!((&known.deletions_paid, known.deletions_unpaid), (&facts.deletions_paid, 4));
    assert_eq!(known.health_wait, HealthWait::First, "it was not ready");
    facts.verdict = Verdict::Applied;
    let status = sync_status(&facts, &status, Timestamp::UNIX_EPOCH);
    assert_eq!(recall(&status).health_wait, HealthWait::Settled);
}

//! What may be carried out of a plan, and what an answer makes of it.

use super::plans::{Case, JOB, MAP, STACK, digest, seen};
use super::*;
use crate::inventory::Flag;
use crate::revision::{Acceptance, HoldReason};

fn admitted(case: &Case, verdict: &Verdict, on_invalid: OnInvalid, refused: &[&str]) -> Result<Admitted, Hold> {
    let refusals: Refusals = case
        .desired
        .iter()
        .filter(|object| refused.contains(&object.id().to_string().as_str()))
        .map(|object| (object.id().clone(), Problem::new("Refused", "no").of(object.id())))
        .collect();
    assert_eq!(refusals.len(), refused.len());
    admit(case.plan(), case.desired.clone(), &Acceptance::Accepted, verdict, on_invalid, &refusals)
}

const WITHIN: Verdict = Verdict::Within { deletions: 0 };

#[test]
fn a_hold_says_why() {
    let case = Case::of(MAP);
    assert!(admitted(&case, &WITHIN, OnInvalid::Hold, &[]).is_ok());
    let hold = admitted(&case, &WITHIN, OnInvalid::Hold, &["ConfigMap/flow/a"]).expect_err("refused");
    assert_eq!((hold.reason(), hold.to_string().as_str()), ("Invalid", "ConfigMap/flow/a: no (Refused)"));
    let held = Verdict::Held { deletions: 12, message: "12 of 20".into(), line: "Tandem-Delete: x".into() };
    for on_invalid in [OnInvalid::Hold, OnInvalid::ApplyRest] {
        assert_eq!(admitted(&case, &held, on_invalid, &[]).expect_err("held").reason(), "DeletionBudgetExceeded");
        let refused = Acceptance::Held { reason: HoldReason::Diverged, message: "rewritten".into() };
        let hold = admit(case.plan(), case.desired.clone(), &refused, &WITHIN, on_invalid, &Refusals::new());
        assert_eq!(hold.expect_err("not accepted").reason(), "Diverged");
    }
    let mut unseen = Case::applied(MAP);
    unseen.observed.clear();
    assert_eq!(admitted(&unseen, &WITHIN, OnInvalid::Hold, &[]).expect_err("a look is missing").reason(), "Undecided");
}

/// With `ApplyRest`: what is refused, and what waits for it.
#[test]
fn dependants_of_what_is_refused_wait() {
    let check = |refused: &str, waiting: &[&str]| {
        let case = Case::of(STACK);
        let admitted = admitted(&case, &WITHIN, OnInvalid::ApplyRest, &[refused]).expect("admitted");
        let skipped: Vec<_> = admitted
            .plan()
            .changes
            .iter()
            .filter(|change| change.reason == Reason::WaitsForRefused)
            .map(|change| change.id.to_string())
            .collect();
        assert_eq!(skipped, waiting, "{refused}");
        let going: usize = admitted.steps().iter().map(|step| step.changes.len()).sum();
        assert_eq!(going + skipped.len() + 1, case.desired.len());
        assert_eq!(admitted.plan().problems.len(), 1);
    };
    let smoke = "Job.batch/flow/smoke";
    let web = "Deployment.apps/shop/web";
    let hook = "ValidatingWebhookConfiguration.admissionregistration.k8s.io/hook";
    check("Namespace/shop", &["ConfigMap/shop/c", web, smoke]);
    check("CustomResourceDefinition.apiextensions.k8s.io/widgets.acme.example", &["Widget.acme.example/flow/w", smoke]);
    check("Role.rbac.authorization.k8s.io/flow/r", &["RoleBinding.rbac.authorization.k8s.io/flow/rb"]);
    check("ConfigMap/shop/c", &[web, smoke]);
    check("Service/flow/web", &[smoke]);
    check("Job.batch/flow/migrate", &["Service/flow/web", web, "Widget.acme.example/flow/w", hook, smoke]);
    check(smoke, &[]);
}

#[test]
fn nothing_is_deleted_while_something_is_refused() {
    let mut case = Case::left(MAP);
    case.problems.clear();
    let stays = "ConfigMap/elsewhere/stays";
    let admitted = admitted(&case, &WITHIN, OnInvalid::ApplyRest, &[stays]).expect("admitted");
    assert!(admitted.steps().is_empty());
    assert_eq!(admitted.plan().count(Action::Deleted), 0);
}

#[test]
fn steps_are_phases_and_deletions_come_last() {
    let mut case = Case::left(MAP);
    case.desired = resolved(STACK);
    let admitted = admitted(&case, &WITHIN, OnInvalid::Hold, &[]).expect("admitted");
    let steps: Vec<_> = admitted.steps().iter().map(|step| (step.phase, step.course, step.changes.len())).collect();
    assert_eq!(
        steps,
        [
            (Phase::Namespaces, Course::Apply, 1),
            (Phase::Definitions, Course::Apply, 1),
            (Phase::Config, Course::Apply, 4),
            (Phase::Before, Course::Apply, 1),
            (Phase::Workloads, Course::Apply, 2),
            (Phase::CustomResources, Course::Apply, 1),
            (Phase::Webhooks, Course::Apply, 1),
            (Phase::After, Course::Apply, 1),
            (Phase::Config, Course::Delete, 1),
        ]
    );
}

#[test]
fn jobs_of_a_phase_have_a_step_for_each_number_and_wait_for_smaller_ones() {
    let job = |name: &str, phase: &str, order: &str| {
        format!(
            "---\napiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}, namespace: flow, annotations: {{tandemcd.io/phase: {phase}{order}}}}}\n"
        )
    };
    let order = |number: i32| format!(", tandemcd.io/order: '{number}'");
    let jobs = [
        job("a", "before", &order(5)),
        job("b", "before", &order(-5)),
        job("c", "before", ""),
        job("d", "before", &order(-5)),
        job("e", "after", &order(1)),
        job("f", "after", ""),
    ];
    let mut case = Case::left(MAP);
    case.desired = resolved(&jobs.concat());
    let names = |admitted: &Admitted| -> Vec<String> {
        let name = |change: &AdmittedChange<'_>| change.change.id.name.clone();
        let applied = admitted.steps().into_iter().filter(|step| step.course == Course::Apply);
        applied.map(|step| step.changes.iter().map(name).collect::<Vec<_>>().join(" ")).collect()
    };
    let all = admitted(&case, &WITHIN, OnInvalid::Hold, &[]).expect("admitted");
    assert_eq!(names(&all), ["b d", "c", "a", "f", "e"]);
    let rest = admitted(&case, &WITHIN, OnInvalid::ApplyRest, &["Job.batch/flow/c"]).expect("admitted");
    assert_eq!(names(&rest), ["b d"], "what comes later waits for what was refused");
}

#[test]
fn an_answer_says_what_happened() {
    use Action::{Configured, Created, Unchanged};
    let mut case = Case::applied(MAP);
    case.see(|seen| seen.fields = Some(digest("edited")));
    let change = case.change();
    let live = Live::Present(Seen { fields: Some(digest("edited")), ..seen() });
    let answer = |answered, fields: &str| Answer { answered, seen: Seen { fields: Some(digest(fields)), ..seen() } };
    for (what, answered, fields, live, action, reason) in [
        ("put right", Answered::Existing, "as applied", live.clone(), Configured, Reason::Drifted),
        ("came out the same", Answered::Existing, "edited", live.clone(), Unchanged, Reason::UpToDate),
        ("was gone meanwhile", Answered::Created, "as applied", live, Created, Reason::Missing),
        ("was not known", Answered::Existing, "as applied", Live::Unknown, Configured, Reason::Drifted),
    ] {
        let refined = refine(&change, &answer(answered, fields), &live);
        assert_eq!((refined.action, refined.reason), (action, reason), "{what}");
    }
    // It was written down before its first apply, and then the pass ended.
    let intended = Change { reason: Reason::Unconfirmed, ..change.clone() };
    let refined = refine(&intended, &answer(Answered::Created, "as applied"), &Live::Unknown);
    assert_eq!((refined.action, refined.reason), (Created, Reason::New), "nobody has deleted it");
    // A label that was added by hand survives an apply: the answer equals what was seen.
    let added = Answer {
        seen: Seen { foreign: Foreign::Yes, ..answer(Answered::Existing, "edited").seen },
        answered: Answered::Existing,
    };
    let refined = refine(&change, &added, &Live::Present(Seen { fields: Some(digest("edited")), ..seen() }));
    assert_eq!((refined.action, refined.method), (Configured, Method::Apply));
    let new = Case::of(MAP).change();
    let refined = refine(&new, &answer(Answered::Existing, "x"), &Live::Unknown);
    assert_eq!((refined.action, refined.reason), (Configured, Reason::Adopted));
    let entry = record(&refined, &case.desired[0], None, &answer(Answered::Existing, "x"));
    assert!(entry.flags.contains(&Flag::Adopted));
    assert_eq!((entry.uid.as_deref(), entry.baseline), (Some("u1"), Some(digest("x"))));
}

#[test]
fn a_job_is_completed_once() {
    let case = Case::applied(JOB);
    let before = case.owned.values().next().expect("an entry");
    let ended = Seen { finished: Finished::Succeeded, ..seen() };
    let after = completed(before, &ended).expect("news");
    assert!(after.flags.contains(&Flag::Completed));
    assert_eq!(completed(&after, &ended), None);
    assert_eq!(completed(before, &Seen { finished: Finished::Failed, ..seen() }), None);
    assert_eq!(completed(before, &Seen { uid: "u2".into(), ..ended.clone() }), None);
    // The changed Job has not run yet, whatever its predecessor did.
    let change = case.change();
    let fresh = record(&change, &case.desired[0], Some(&after), &Answer { answered: Answered::Created, seen: seen() });
    assert!(!fresh.flags.contains(&Flag::Completed));
}

#[test]
fn recreation_needs_permission() {
    let case = Case::applied(MAP);
    assert_eq!(recreate(&case.change(), &case.desired[0], &seen()), None);
    let forced = Case::applied(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, annotations: {tandemcd.io/force: enabled}}}",
    );
    let change = recreate(&forced.change(), &forced.desired[0], &seen()).expect("permitted");
    assert_eq!((change.method, change.reason), (Method::Replace, Reason::Recreated));
    assert!(change.precondition.is_some());
}

#[test]
fn a_plan_is_written_the_same_way_each_time() {
    let plan = Case::of(STACK).plan();
    let text = serde_json::to_string(&plan).expect("JSON");
    assert_eq!(text, serde_json::to_string(&Case::of(STACK).plan()).expect("JSON"));
    assert_eq!(serde_json::from_str::<Plan>(&text).expect("reads"), plan);
    insta::assert_snapshot!(serde_json::to_string(&Case::of(MAP).plan()).expect("JSON"), @r#"{"changes":[{"id":"flow_a__ConfigMap","apiVersion":"v1","action":"created","reason":"New","method":"Apply","phase":"Config","origin":{"file":"a.yaml","line":1,"document":1},"desired":"ee757a6ccaffdedc72fa3beaeee5bc51"}]}"#);
}

/// A webhook configuration that leaves while what it guards changes.
#[test]
fn a_webhook_in_the_way_goes_before_everything() {
    let hook =
        "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: hook}}";
    let mut case = Case::applied(hook);
    case.desired = resolved(MAP);
    let mut plan = case.plan();
    let leaving = webhooks_that_leave(&plan).into_iter().map(|change| change.id.clone()).collect::<Vec<_>>();
    assert_eq!(
        leaving.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["ValidatingWebhookConfiguration.admissionregistration.k8s.io/hook"]
    );
    clear_first(&mut plan, &leaving[0]);
    let admit = |plan: Plan, refusals: &Refusals| {
        admit(plan, case.desired.clone(), &Acceptance::Accepted, &WITHIN, OnInvalid::ApplyRest, refusals)
            .expect("admitted")
    };
    let admitted = admit(plan.clone(), &Refusals::new());
    assert_eq!(admitted.clearing().len(), 1);
    assert_eq!(admitted.plan().changes[0].method, Method::Delete);
    // As any deletion, it waits until all is right.
    let id = case.desired[0].id();
    let refused = Refusals::from([(id.clone(), Problem::new("Refused", "no").of(id))]);
    assert!(admit(plan, &refused).clearing().is_empty());

    case.desired = Case::applied(MAP).desired;
    case.owned.extend(Case::applied(MAP).owned);
    case.observed.extend(Case::applied(MAP).observed);
    assert!(webhooks_that_leave(&case.plan()).is_empty(), "nothing is to be applied");

    let live = serde_json::json!({"webhooks": [{"name": "a.example.com"}, {"name": "b.example.com"}]});
    assert!(has_webhook(&live, "b.example.com") && !has_webhook(&live, "c.example.com"));
}

/// A Job that goes by itself may finish and go while nobody looks.
#[test]
fn a_job_with_a_ttl_that_is_gone_has_run() {
    let ttl = "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {ttlSecondsAfterFinished: 5}}";
    for (text, expected) in [(ttl, true), (JOB, false)] {
        let case = Case::of(text);
        let admitted = admitted(&case, &WITHIN, OnInvalid::Hold, &[]).expect("admitted");
        let before = intended(&admitted, &case.owned);
        let sent = before.values().next().expect("an entry");
        assert_eq!(sent.flags.contains(&Flag::Expires), expected, "recorded before it is sent: {text}");
        assert_eq!(expired(sent), None, "it may never have been created: {text}");
        let change = &case.plan().changes[0];
        let answer = Answer { answered: Answered::Created, seen: seen() };
        let entry = record(change, &case.desired[0], Some(sent), &answer);
        let gone = expired(&entry);
        assert_eq!(gone.is_some(), expected, "{text}");
        let Some(gone) = gone else { continue };
        assert!(gone.flags.contains(&Flag::Completed));
        assert_eq!(expired(&gone), None, "once is enough");
        let mut case = case;
        case.owned.insert(case.desired[0].id().clone(), gone);
        case.observed.insert(case.desired[0].id().clone(), Live::Absent);
        assert_eq!(case.plan().changes[0].reason, Reason::JobCompleted);
    }
}

//! What expressions mean here, what is refused, and how long they may take.

use std::fmt::Write;

use serde_json::{Value, json};

use super::*;
use crate::health::assess;
use crate::object::yaml;

fn rule(current: &str) -> Rule {
    Rule { group: "shop.io".into(), kind: "Cart".into(), current: current.into(), failed: None, in_progress: None }
}

fn compiled(current: &str) -> Expressions {
    let (expressions, problems) = Expressions::compile(&[rule(current)]);
    assert_eq!(problems, [], "{current}");
    expressions
}

fn cart(status: Value) -> Value {
    json!({"apiVersion": "shop.io/v1", "kind": "Cart", "metadata": {"name": "c", "generation": 2,
        "labels": {"app.kubernetes.io/name": "cart"}}, "spec": {"replicas": 2, "list": [3, 1, 2]}, "status": status})
}

fn status() -> Value {
    json!({"phase": "Ready", "replicas": 2, "ratio": 0.5, "whole": 2.0, "memory": "128Mi", "version": "1.2.3",
        "since": "2026-01-01T00:00:00Z", "empty": [], "none": null, "observedGeneration": 2, "conditions": [
        {"type": "Synced", "status": "True", "observedGeneration": 2},
        {"type": "Healthy", "status": "False", "reason": "Slow"}]})
}

/// `true`, `false`, or what went wrong.
fn value(expression: &str, object: &Value) -> String {
    let health = assess(object, &compiled(expression));
    match health.status {
        Status::Current => "true".to_owned(),
        Status::InProgress => "false".to_owned(),
        _ => health.message.trim_start_matches("health expression current: ").to_owned(),
    }
}

/// Why an expression is not compiled.
fn refusal(expression: &str) -> String {
    let (_, problems) = Expressions::compile(&[rule(expression)]);
    problems.iter().fold(String::new(), |mut text, problem| {
        let _ = write!(text, "{}", problem.message.trim_start_matches("spec.health[0].current (Cart): "));
        problem.hint.iter().for_each(|hint| {
            let _ = write!(text, "; hint: {hint}");
        });
        text
    })
}

/// The same file is judged by a real API server in tests/cluster_real/expressions.rs.
const CASES: &[u8] = include_bytes!("../../../tests/cases/health/expressions.yaml");

#[test]
fn expressions_mean_what_they_mean_in_the_api_server() {
    let (documents, problems) = yaml::read("expressions.yaml", CASES, &yaml::Limits::default());
    assert_eq!(problems, []);
    let cases = &documents[0].value;
    let all = cases["cases"].as_array().expect("cases");
    assert!(all.len() > 60);
    let mut wrong = Vec::new();
    for case in all {
        let expression = case["cel"].as_str().expect("an expression");
        let expected = match (&case["here"], &case["is"], &case["error"]) {
            (Value::String(error), _, _) | (_, _, Value::String(error)) => error.clone(),
            (_, verdict, _) => verdict.to_string(),
        };
        let found = match compile(expression) {
            Ok(_) => value(expression, &cases["object"]),
            Err(refused) => refused,
        };
        if found != expected {
            wrong.push(format!("{expression}: {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the evaluator would call false by itself, or what it cannot know, is no verdict.
#[test]
fn what_cannot_be_evaluated_is_unknown() {
    let health = assess(&cart(json!({})), &compiled("object.status.phase == 'Ready'"));
    let message = "health expression current: no such key: phase; guard it with has()";
    assert_eq!(health, Health::new(Status::Unknown, message));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (expression, expected) in [
        (
            "cel.bind(a, object.status, a.phase == 'x')",
            "undeclared reference to 'cel' (in container ''); hint: an expression speaks of object alone",
        ),
        (
            "self.status.phase == 'Ready'",
            "undeclared reference to 'self' (in container ''); hint: an expression speaks of object alone",
        ),
        (
            "object.status.conditions.exists(c, c.type == 'a') && c.status == 'b'",
            "undeclared reference to 'c' (in container ''); hint: an expression speaks of object alone",
        ),
        ("object.status.phase.matches('(')", "invalid matches argument"),
        (
            "Timestamp{seconds: 1} == 1",
            "undeclared reference to 'Timestamp' (in container ''); hint: an expression speaks of object alone",
        ),
        ("1 + 1", "must evaluate to bool but got int"),
        ("1 + 'a' == 2", "found no matching overload for '_+_' applied to '(int, string)'"),
    ] {
        assert_eq!(refusal(expression), expected, "{expression}");
    }
    for broken in ["", "object.", "object.status ==", "1 +", "'open", "object.status.phase = 'x'", "has(object)"] {
        assert!(!refusal(broken).is_empty(), "{broken:?} was taken");
    }
}

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    assert_eq!(value(&format!("true{}", " || true".repeat(500)), &cart(status())), "true");
    assert!(!refusal(&format!("true{}", " || true".repeat(1_000))).is_empty(), "a text that is too long was taken");
    assert!(!refusal(&format!("{}1{} == 1", "size(".repeat(300), ")".repeat(300))).is_empty());
}

#[test]
fn every_problem_is_told_and_a_second_rule_for_a_kind_is_one() {
    let mut bad = rule("has(object)");
    bad.failed = Some("1 +".into());
    let (expressions, problems) = Expressions::compile(&[bad, rule("true"), rule("false")]);
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].message.starts_with("spec.health[0].failed (Cart): "), "{}", problems[0].message);
    assert!(problems[1].message.starts_with("spec.health[0].current (Cart): "), "{}", problems[1].message);
    assert_eq!(problems[2].rule, "DuplicateHealthExpression");
    assert!(expressions.speaks_of("shop.io", "Cart") && !expressions.speaks_of("", "Cart"));
}

#[test]
fn failed_goes_before_current_and_current_before_in_progress() {
    let said = |failed: Option<&str>, current: &str, in_progress: Option<&str>| {
        let rule =
            Rule { failed: failed.map(str::to_owned), in_progress: in_progress.map(str::to_owned), ..rule(current) };
        let (expressions, problems) = Expressions::compile(&[rule]);
        assert_eq!(problems, []);
        assess(&cart(json!({"conditions": [{"type": "Ready", "status": "False", "reason": "Waiting"}]})), &expressions)
    };
    assert_eq!(said(Some("true"), "true", Some("true")), Health::failed("Waiting"));
    assert_eq!(said(Some("false"), "true", Some("true")), Health::current());
    assert_eq!(said(Some("false"), "false", Some("true")), Health::in_progress("Waiting"));
    assert_eq!(said(None, "false", None), Health::in_progress("Waiting"));
    let unknown = said(Some("object.status.gone"), "true", None);
    assert_eq!(unknown.status, Status::Unknown, "{}", unknown.message);
}

#[test]
fn an_expression_waits_until_the_generation_was_seen_and_is_not_asked_of_the_dying() {
    let expressions = compiled("true");
    let stale = cart(json!({"observedGeneration": 1}));
    assert_eq!(assess(&stale, &expressions).status, Status::InProgress);
    let mut dying = cart(json!({}));
    dying["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(assess(&dying, &expressions).status, Status::Terminating);
}

#[test]
fn a_dependency_has_its_own_expression() {
    let ready = Expressions::ready("shop.io", "Cart", "object.status.phase == 'Ready'").expect("compiles");
    assert_eq!(assess(&cart(status()), &ready).status, Status::Current);
    let refused = Expressions::ready("shop.io", "Cart", "1 + 1").expect_err("refused");
    assert_eq!(refused.message, "ready: must evaluate to bool but got int");
}

/// A tenant's expression can neither fill the memory nor hold a thread.
#[test]
fn what_would_take_too_long_is_not_begun() {
    let long = cart(json!({"items": (0..1_000).collect::<Vec<_>>(), "text": "x".repeat(10_000)}));
    let doubling = format!("[object.status.text]{}.size() == 1", ".map(s, s + s)".repeat(15));
    for expression in [
        "object.status.items.all(a, object.status.items.all(b, object.status.items.all(c, a + b + c >= 0)))",
        "object.status.items.exists(a, object.status.items.exists(b, object.status.text == 'x'.lowerAscii() + object.status.text))",
        "object.status.items.map(a, object.status.items.map(b, b)).size() == 1",
        &doubling,
    ] {
        let told = value(expression, &long);
        assert!(told.starts_with("too costly for this object"), "{expression}: {told}");
    }
    // What people write is far from the limit, also on a large object.
    let conditions: Vec<_> =
        (0..50).map(|at| json!({"type": format!("C{at}"), "status": "True", "message": "m".repeat(200)})).collect();
    let large = cart(json!({"conditions": conditions, "phase": "Ready"}));
    for expression in [
        "object.status.conditions.exists(c, c.type == 'C49' && c.status == 'True')",
        "object.status.conditions.filter(c, c.type == 'C49').all(c, c.status == 'True' && object.metadata.generation == 2)",
        "object.status.conditions.all(c, object.status.conditions.exists(d, d.type == c.type))",
        "object.status.phase.matches('^Rea?dy$')",
    ] {
        assert_eq!(value(expression, &large), "true", "{expression}");
    }
}

#[test]
fn values_never_stand_in_messages() {
    let object = cart(json!({"secret": "hunter2", "map": {"hunter2": 1}}));
    for expression in [
        "object.status.secret > 1",
        "object.status.secret",
        "int(object.status.secret) == 1",
        "object.status.secret + 1 == 2",
        "object.status.map[object.status.map] == 1",
        "object.status.secret[0] == 'h'",
        "quantity(object.status.secret).isInteger()",
        "timestamp(object.status.secret) == null",
        "duration(object.status.secret) == null",
        "semver(object.status.secret).major() == 1",
        "-object.status.secret == 1",
        "object.status.secret in object.status.secret",
    ] {
        let told = value(expression, &object);
        assert!(!told.contains("hunter2"), "{expression}: {told}");
        assert!(told != "true", "{expression}");
    }
}

//! Objects as the API server shows them, and what is said of them.

use serde_json::{Value, json};

use super::{Expressions, Rule, assess};

fn said(object: &Value, expressions: &Expressions) -> String {
    let health = assess(object, expressions);
    format!("{} {}", health.status.as_str(), health.message).trim_end().to_owned()
}

fn check(object: Value, expected: &str) {
    assert_eq!(said(&object, &Expressions::default()), expected, "{object}");
}

fn conditions(list: &[(&str, &str, &str)]) -> Value {
    list.iter().map(|(type_, status, reason)| json!({"type": type_, "status": status, "reason": reason})).collect()
}

fn rule(current: &str, failed: Option<&str>) -> Rule {
    Rule {
        group: "shop.io".into(),
        kind: "Cart".into(),
        current: current.into(),
        failed: failed.map(str::to_owned),
        in_progress: None,
    }
}

fn with_rule(current: &str, failed: Option<&str>) -> Expressions {
    let (expressions, problems) = Expressions::compile(&[rule(current, failed)]);
    assert_eq!(problems, [], "{current}");
    expressions
}

#[test]
fn expressions_decide_for_their_kind_alone() {
    let expressions = with_rule("object.status.phase == 'Ready'", Some("object.status.phase == 'Broken'"));
    let cart = |phase: &str| json!({"apiVersion": "shop.io/v1", "kind": "Cart", "status": {"phase": phase}});
    assert_eq!(said(&cart("Ready"), &expressions), "Current");
    assert_eq!(said(&cart("Broken"), &expressions), "Failed its health expression says that it failed");
    assert_eq!(
        said(&cart("Waiting"), &expressions),
        "InProgress its health expression does not say that it is current yet"
    );
    let other = json!({"apiVersion": "other.io/v1", "kind": "Cart", "status": {"phase": "Broken"}});
    assert_eq!(said(&other, &expressions), "Current");
}

//! What expressions mean: the table that a real API server wrote, hostile texts, and the budget.

use serde_json::{Value as Json, json};

use super::*;

/// The same file is put to a real API server in tests/cluster_real/cel.rs.
const CASES: &str = include_str!("../../tests/cases/cel/expressions.yaml");

fn table() -> Json {
    serde_yaml::from_str(CASES).expect("the table is YAML")
}

/// What a policy declares, as far as these cases speak of it.
fn declared() -> Declared {
    let strings = |names: &[&'static str]| names.iter().map(|name| (*name, Type::String)).collect::<Vec<_>>();
    Declared::default()
        .variable("object", Type::Dyn)
        .variable("oldObject", Type::Dyn)
        .variable("request", Type::Struct("kubernetes.AdmissionRequest"))
        .variable("namespaceObject", Type::Struct("kubernetes.Namespace"))
        .object(
            "kubernetes.AdmissionRequest",
            &[
                ("kind", Type::Struct("kubernetes.GroupVersionKind")),
                ("resource", Type::Struct("kubernetes.GroupVersionResource")),
                ("name", Type::String),
                ("operation", Type::String),
                ("userInfo", Type::Struct("kubernetes.UserInfo")),
                ("dryRun", Type::Bool),
            ],
        )
        .object("kubernetes.GroupVersionKind", &strings(&["group", "version", "kind"]))
        .object("kubernetes.GroupVersionResource", &strings(&["group", "version", "resource"]))
        .object("kubernetes.UserInfo", &[("username", Type::String), ("groups", Type::list(Type::String))])
        .object("kubernetes.Namespace", &[("metadata", Type::Struct("kubernetes.NamespaceMetadata"))])
        .object(
            "kubernetes.NamespaceMetadata",
            &[("name", Type::String), ("labels", Type::map(Type::String, Type::String))],
        )
        .unavailable("authorizer")
}

fn scope(object: &Json) -> Vec<Value> {
    let request = json!({"operation": "CREATE", "name": "v", "dryRun": true,
        "kind": {"group": "cel.io", "version": "v1", "kind": "Value"},
        "resource": {"group": "cel.io", "version": "v1", "resource": "values"},
        "userInfo": {"username": "admin", "groups": ["system:masters"]}});
    let namespace = json!({"metadata": {"name": "default", "labels": {"kubernetes.io/metadata.name": "default"}}});
    vec![Value::from(object), Value::Null, Value::from(&request), Value::from(&namespace)]
}

/// As the table has it.
fn said(source: &str, declared: &Declared, scope: &[Value]) -> (&'static str, String) {
    let program = match Program::compile(source, declared) {
        Ok(program) => program,
        Err(refused) => return ("refused", refused.to_string()),
    };
    let value = match program.evaluate(scope, &mut Budget::default()) {
        Ok(value) => value,
        Err(fault) => return ("error", fault.to_string()),
    };
    let print = functions::find("format").expect("it prints");
    let listed = Value::list(vec![Value::list(vec![value])]);
    match print(&[Value::from("%s"), listed], &mut Budget::default()) {
        Ok(Value::String(text)) => ("is", text[1..text.len() - 1].to_owned()),
        other => ("prints", format!("{other:?}")),
    }
}

#[test]
fn expressions_mean_what_the_api_server_says() {
    let table = table();
    let (declared, scope) = (declared(), scope(&table["object"]));
    let cases = table["cases"].as_array().expect("cases");
    assert!(cases.len() > 800);
    let mut wrong = Vec::new();
    for case in cases {
        let source = case["cel"].as_str().expect("an expression");
        let (kind, text) = said(source, &declared, &scope);
        let found = format!("{kind}: {text}");
        let so = match (&case["here"], &case[kind]) {
            (Json::String(here), _) => found == *here,
            (_, Json::Bool(prints)) => !prints,
            (_, Json::String(expected)) => *expected == text,
            _ => false,
        };
        if !so {
            wrong.push(format!("{case}\n    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// A timestamp of the last day that there is, a sentinel that people use.
#[test]
fn the_last_second_is_a_time() {
    let source = "string(timestamp('9999-12-31T23:59:59Z')) + string(timestamp('9999-12-31T23:59:59Z').getDayOfYear('Asia/Tokyo'))";
    let (kind, text) = said(source, &Declared::default(), &[]);
    assert_eq!((kind, text.as_str()), ("error", "timestamp overflow"));
    let source = "string(timestamp('9999-12-31T23:59:59Z')) + string(timestamp('9999-12-31T23:59:59Z').getHours('America/New_York'))";
    assert_eq!(said(source, &Declared::default(), &[]), ("is", "\"9999-12-31T23:59:59Z18\"".to_owned()));
}

/// Neither parsing nor evaluating can overflow a stack, which would end the process.
#[test]
fn what_is_nested_too_deep_is_refused() {
    let declared = Declared::default().variable("object", Type::Dyn);
    let scope = [Value::from(&json!({"a": [1]}))];
    for (open, middle, close) in [
        ("(", "true", ")"),
        ("[", "1", "]"),
        ("{1:", "1", "}"),
        ("size(", "1", ")"),
        ("[1].all(a,", "true", ")"),
        ("[1].transformList(a, b,", "1", ")"),
        ("optional.of(1).optMap(a,", "1", ")"),
        ("'%s'.format([", "1", "])"),
        ("(", "", ""),
        ("", "object", ".a"),
        ("", "object", ".?a"),
        ("", "object", "[0]"),
        ("", "1", "+1"),
        ("", "1", "==1"),
        ("", "true", "?true:true"),
        ("", "'a'", ".trim()"),
        ("", "[1]", ".map(a,a)"),
        ("-(", "1", ")"),
        ("!", "true", ""),
        ("true?", "1", ":1"),
    ] {
        for times in [10, 90, 160, 600] {
            let source = format!("{}{middle}{}", open.repeat(times), close.repeat(times));
            match Program::compile(&source, &declared) {
                // As deep as it may be, it runs on the stack of a test, which is that of a worker thread.
                Ok(program) => drop(program.evaluate(&scope[..], &mut Budget::default())),
                Err(refused) => assert!(!refused.to_string().is_empty()),
            }
        }
    }
    // A chain of equal operators is balanced by the parser, so it may be long.
    assert_eq!(said(&format!("true{}", " || true".repeat(1_500)), &declared, &scope), ("is", "true".to_owned()));
    let long = format!("true{}", " || true".repeat(LONGEST));
    assert_eq!(said(&long, &declared, &scope).0, "refused");
}

/// An expression can neither fill the memory nor hold a thread.
#[test]
fn what_takes_too_long_ends() {
    let declared = Declared::default().variable("object", Type::Dyn);
    let scope = [Value::from(&json!({"items": (0..1_000).collect::<Vec<_>>(), "text": "x".repeat(10_000)}))];
    let doubling = format!("[object.text]{}.size() == 1", ".map(s, s + s)".repeat(15));
    for source in [
        "object.items.all(a, object.items.all(b, object.items.all(c, a + b + c >= 0)))",
        "object.items.all(a, object.items.all(b, object.items.all(c, (1 / 0 == 1) || true)))",
        "object.items.map(a, object.items.map(b, b)).map(c, c.map(d, d)).size() == 1",
        "object.items.exists(a, object.text.matches('^x*y$') && false)",
        "object.items.map(a, object.text).join(object.text).size() == 1",
        "'%s'.format([object.items.map(a, object.text)]).size() == 1",
        "object.text.replace('', object.text).size() == 1",
        "object.items.map(a, object.items).flatten().map(b, object.items).flatten().size() == 1",
        "lists.range(1000000000).size() == 1",
        "sets.contains(object.items, object.items) && sets.equivalent(object.items, object.items)",
        "object.items.all(a, object.items.sort().size() == 1000)",
        doubling.as_str(),
    ] {
        let (kind, text) = said(source, &declared, &scope);
        assert_eq!((kind, text.as_str()), ("error", "operation cancelled: actual cost limit exceeded"), "{source}");
    }
}

/// A fault can be told without the values that it carries.
#[test]
fn faults_have_words_without_values() {
    let declared = Declared::default().variable("object", Type::Dyn);
    let scope = [Value::from(&json!({"secret": "hunter2", "map": {"hunter2": 1}, "list": ["hunter2"]}))];
    for source in [
        "object.secret > 1",
        "object.map[object.secret + 'x']",
        "int(object.secret)",
        "object.secret[0]",
        "quantity(object.secret)",
        "semver(object.secret)",
        "url(object.secret)",
        "ip(object.secret)",
        "cidr(object.secret)",
        "timestamp(object.secret)",
        "duration(object.secret)",
        "'a'.matches('(' + object.secret)",
        "'a'.find('(' + object.secret)",
        "(object.list + [object.secret]).transformMapEntry(i, v, {v: i})",
        "timestamp(0).getHours(object.secret)",
        "timestamp(0).getHours('1:' + object.secret)",
        "[1][?0].orValue(2) + object.secret",
    ] {
        let program = Program::compile(source, &declared).expect(source);
        let fault = program.evaluate(&scope[..], &mut Budget::default()).expect_err(source);
        assert!(!fault.quiet().contains("hunter2") && !fault.quiet().is_empty(), "{source}: {}", fault.quiet());
    }
}

//! Texts and objects, from YAML through the real reader.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::object::{Substituted, substitute};
use super::text::{Piece, escaped, pieces};
use super::*;
use crate::object::yaml::{self, Plain};
use crate::render::{Limits, MemTree, Options, Rendered, render};

const MOST: u64 = 1 << 20;

fn variables() -> Variables {
    let mut variables = Variables::default();
    let mut set = |name: &str, value: &str, origin: &str, secrecy| {
        variables.set(name, Variable::new(value, origin, secrecy));
    };
    for (name, value) in [
        ("APP", "web"),
        ("N", "3"),
        ("YES", "true"),
        ("NORWAY", "no"),
        ("EMPTY", ""),
        ("VERSION", "1.10"),
        ("MODE", "0644"),
        ("LINES", "one\ntwo: {x: 1}"),
        ("SELF", "${APP}"),
        ("MAP", "{a: 1}"),
        ("COLON", "a: b"),
    ] {
        set(name, value, "spec.substitute.vars", Secrecy::Plain);
    }
    set("PASSWORD", "canary-5e1", "Secret shop/db", Secrecy::Secret);
    variables.set("BYTES", Variable::of_source(&[0xff], "Secret shop/db", Secrecy::Secret));
    variables
}

/// An object of a document, read as for a render with variables.
fn object(text: &str) -> Value {
    let limits = yaml::Limits { plain: Plain::Marked, ..yaml::Limits::default() };
    let (documents, problems) = yaml::read("a.yaml", text.as_bytes(), &limits);
    assert!(problems.is_empty(), "{problems:?}");
    documents.into_iter().next().map(|document| document.value).unwrap_or_default()
}

fn spec(text: &str) -> Result<Value, Vec<String>> {
    let text = format!("apiVersion: example.com/v1\nkind: Thing\nmetadata: {{name: a}}\nspec:\n  {text}\n");
    match substitute(object(&text), &variables(), MOST) {
        Ok(done) => Ok(done.body["spec"].clone()),
        Err(faults) => Err(faults
            .into_iter()
            .map(|f| format!("{}: {} ({})", f.pointer, f.problem.message, f.problem.rule))
            .collect()),
    }
}

#[test]
fn a_variable_without_quotes_is_what_its_value_is_and_one_in_quotes_a_text() {
    for (text, expected) in [
        ("field: ${N}", json!(3)),
        ("field: \"${N}\"", json!("3")),
        ("field: '${N}'", json!("3")),
        ("field: ${N}0", json!("30")),
        ("field: ${N:=5}", json!(3)),
        ("field: ${NONE:=5}", json!(5)),
        ("field: ${NONE:-5}", json!(5)),
        ("field: ${EMPTY:=5}", json!(5)),
        ("field: ${NONE:=}", json!(null)),
        ("field: \"${NONE:=}\"", json!("")),
        ("field: ${EMPTY}", json!(null)),
        ("field: ${YES}", json!(true)),
        ("field: \"${YES}\"", json!("true")),
        ("field: ${NORWAY}", json!("no")),
        ("field: ${VERSION}", json!(1.1)),
        ("field: \"${VERSION}\"", json!("1.10")),
        ("field: ${MODE}", json!(420)),
        ("field: ${MAP}", json!("{a: 1}")),
        ("field: ${COLON}", json!("a: b")),
        ("field: ${LINES}", json!("one\ntwo: {x: 1}")),
        ("field: ${SELF}", json!("${APP}")),
        ("field: !!str ${N}", json!("3")),
        ("field: |-\n    ${N}", json!("3")),
        (
            "field: a ${APP} and ${APP} $${APP} $$${APP} $APPS $ $$ $5",
            json!("a web and web ${APP} $${APP} $APPS $ $$ $5"),
        ),
        ("field:\n  - ${N}\n  - \"${N}\"", json!([3, "3"])),
        ("field: {\"${APP}-key\": 1}", json!({"web-key": 1})),
        ("field: $APPS", json!("$APPS")),
        ("field: |\n    $APP in a script\n", json!("$APP in a script\n")),
        // Where every kind takes a text, it is one.
        ("image: ${N}", json!("3")),
        ("labels:\n    app: ${N}", json!({"app": "3"})),
        ("env:\n  - name: A\n    value: ${N}", json!([{"name": "A", "value": "3"}])),
        ("args:\n  - ${YES}", json!(["true"])),
        ("selector:\n    a: ${N}", json!({"a": "3"})),
        (
            "template:\n    metadata:\n      annotations:\n        a: ${YES}",
            json!({"metadata": {"annotations": {"a": "true"}}}),
        ),
    ] {
        let field = text.split(':').next().expect("a field");
        assert_eq!(spec(text).map(|spec| spec[field].clone()), Ok(expected), "{text}");
    }
}

#[test]
fn what_cannot_be_put_in_is_told_by_name() {
    for (text, expected) in [
        ("field: ${NONE}", "/spec/field: the variable NONE of ${NONE} has no value (UnknownVariable)"),
        (
            "field: ${BYTES}",
            "/spec/field: the value of the variable BYTES is no text: Secret shop/db holds bytes there (InvalidVariable)",
        ),
        ("field: a ${APP", "/spec/field: ${APP is not closed by a } (InvalidVariable)"),
        ("field: ${}", "/spec/field: ${} names no variable (InvalidVariable)"),
        (
            "field: ${APP/e/a}",
            "/spec/field: ${APP/e/a} replaces text within a value, which only a shell does (InvalidVariable)",
        ),
        (
            "field: ${APP:0:1}",
            "/spec/field: ${APP:0:1} takes a part out of a value, which only a shell does (InvalidVariable)",
        ),
        (
            "field: ${APP%b}",
            "/spec/field: ${APP%b} takes an end off a value, which only a shell does (InvalidVariable)",
        ),
        (
            "field: ${APP^^}",
            "/spec/field: ${APP^^} changes the case of a value, which only a shell does (InvalidVariable)",
        ),
        ("field: ${APP:?no}", "/spec/field: ${APP:?no} is a condition of the shell (InvalidVariable)"),
        ("field: ${APP:+no}", "/spec/field: ${APP:+no} is a condition of the shell (InvalidVariable)"),
        ("field: ${#APP}", "/spec/field: ${#APP} is the length of a value, which only a shell knows (InvalidVariable)"),
        (
            "field: ${!APP}",
            "/spec/field: ${!APP} names a variable by another, which only a shell does (InvalidVariable)",
        ),
        ("field: ${1}", "/spec/field: ${1} is a parameter of the shell (InvalidVariable)"),
        ("field: ${list[@]}", "/spec/field: ${list[@]} is a list of the shell (InvalidVariable)"),
        (
            "field: ${my-key}",
            "/spec/field: ${my-key} is no name of a variable, and a default without a colon (InvalidVariable)",
        ),
        ("field: ${my.key}", "/spec/field: ${my.key} is no name of a variable (InvalidVariable)"),
        (
            "field: \"${A:={}}\"",
            "/spec/field: ${A:={} has a default with a variable or a brace in it, and defaults are plain texts (InvalidVariable)",
        ),
        (
            "field: \"${A:=${APP}}\"",
            "/spec/field: ${A:=${APP} has a default with a variable or a brace in it, and defaults are plain texts (InvalidVariable)",
        ),
        ("field: $APP", "/spec/field: $APP is no variable without braces (InvalidVariable)"),
        ("field: registry/$APP:1", "/spec/field: $APP is no variable without braces (InvalidVariable)"),
        (
            "field: {\"${APP}\": 1, web: 2}",
            "/spec/field: the key \"web\" stands twice once its variables are put in (DuplicateKey)",
        ),
        (
            "field: {\"${PASSWORD}\": 1}",
            "/spec/field: \"${PASSWORD}\" takes a value of Secret shop/db into the key of a field, which is shown everywhere (SecretInName)",
        ),
    ] {
        assert_eq!(spec(text), Err(vec![expected.to_owned()]), "{text}");
    }
    let two = spec("field: ${NONE} ${ONE}\n  other: ${APP/a}").expect_err("refused");
    assert_eq!(two.len(), 3, "everything at once: {two:?}");
}

#[test]
fn slips_are_understood() {
    let hint = |text: &str| {
        let body = object(&format!("kind: Thing\nspec: {text}\n"));
        let faults = substitute(body, &variables(), MOST).expect_err("refused");
        faults[0].problem.hint.clone().expect("a hint")
    };
    assert!(hint("${PASWORD}").starts_with("did you mean ${PASSWORD}?"), "{}", hint("${PASWORD}"));
    assert!(hint("${app}").starts_with("did you mean ${APP}?"));
    assert!(hint("${OTHER_THING}").contains("${OTHER_THING:=…}"));
    assert!(hint("${my-key}").contains("a default is written ${NAME:=default}"));
    assert!(hint("${1}").contains("tandemcd.io/substitute: disabled"));
}

#[test]
fn where_unknown_ones_are_kept_known_ones_are_not_written_wrong() {
    let mut variables = variables();
    variables.unknown = Unknown::Keep;
    let text = |text: &str| {
        let body = json!({"kind": "Thing", "spec": text});
        substitute(body, &variables, MOST).map(|done| done.body["spec"].clone()).map_err(|faults| faults.len())
    };
    assert_eq!(
        text("${APP} ${NONE} ${NONE/a} ${#x} ${1} $${APP}"),
        Ok(json!("web ${NONE} ${NONE/a} ${#x} ${1} ${APP}"))
    );
    assert_eq!(text("${NONE:=d} ${open"), Ok(json!("d ${open")));
    assert_eq!(text("${APP/a}"), Err(1));
}

#[test]
fn an_object_that_says_so_is_left_alone() {
    let left = |field: &str, key: &str, value: &str| {
        let text = format!("kind: Thing\nmetadata:\n  {field}:\n    {key}: {value}\nspec: ${{NONE}}\n");
        substitute(object(&text), &variables(), MOST)
            .map(|done| done.body["spec"].clone())
            .map_err(|faults| faults.len())
    };
    for field in ["labels", "annotations"] {
        for key in ["tandemcd.io/substitute", "kustomize.toolkit.fluxcd.io/substitute"] {
            assert_eq!(left(field, key, "disabled"), Ok(json!("${NONE}")), "{field} {key}");
            assert_eq!(left(field, key, "enabled"), Err(1), "{field} {key}");
        }
    }
}

#[test]
fn where_a_secret_went_is_remembered_and_an_object_is_not_called_by_one() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  url: \"pg://u:${PASSWORD}@db/${APP}\"\n  ~a/b: ${PASSWORD}\n  app: ${APP}\n";
    let Substituted { body, secrets } = substitute(object(text), &variables(), MOST).expect("substituted");
    assert_eq!(body["data"]["url"], "pg://u:canary-5e1@db/web");
    assert_eq!(secrets, ["/data/url", "/data/~0a~1b"]);
    for field in ["metadata: {name: \"${PASSWORD}\"}", "metadata: {name: a, namespace: \"${PASSWORD}\"}"] {
        let text = format!("apiVersion: v1\nkind: ConfigMap\n{field}\n");
        let faults = substitute(object(&text), &variables(), MOST).expect_err("refused");
        assert_eq!(faults[0].problem.rule, "SecretInName");
        assert!(!format!("{:?}", faults[0].problem).contains("canary"));
    }
    let default = "kind: Thing\nspec: ${NONE:=x}${PASSWORD:=x}\n";
    assert_eq!(substitute(object(default), &variables(), MOST).expect("substituted").secrets, ["/spec"]);
}

#[test]
fn a_bomb_does_not_go_off() {
    let mut variables = Variables::default();
    variables.set("A", Variable::new(&"x".repeat(1000), "spec", Secrecy::Plain));
    let body = json!({"kind": "Thing", "spec": "${A}".repeat(1000)});
    let faults = substitute(body.clone(), &variables, 10_000).expect_err("refused");
    assert_eq!(faults[0].problem.rule, "LimitExceeded");
    assert!(substitute(body, &variables, 1_000_000).is_ok());
    let mut tree = MemTree::new();
    for at in 0..20 {
        let text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a{at}}}\ndata: {{a: \"{}\"}}\n",
            "${A}".repeat(50)
        );
        tree = tree.file(&format!("{at}.yaml"), text);
    }
    let limits = Limits { total_memory: 300_000, ..Limits::default() };
    let rendered = render(&tree, "", &Options { substitute: Some(variables), ..Options::from(limits) });
    assert!(rendered.problems.iter().any(|problem| problem.rule == "LimitExceeded"), "{:?}", rendered.problems);
}

fn rendered(files: &[(&str, &str)]) -> Rendered {
    let tree = files.iter().fold(MemTree::new(), |tree, (path, text)| tree.file(path, *text));
    render(&tree, "", &Options { substitute: Some(variables()), ..Options::default() })
}

fn told(rendered: &Rendered) -> Vec<String> {
    rendered.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn problems_name_file_line_and_object() {
    let plain = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \"${APP}\"\ndata:\n  a: b\n  script: |\n    one\n    ${NONE}\n";
    assert_eq!(
        told(&rendered(&[("a.yaml", plain)])),
        ["a.yaml:10: ConfigMap/web: the variable NONE of ${NONE} has no value (UnknownVariable)"]
    );
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: one}\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: two}\n  data:\n    a: ${NONE}\n";
    assert_eq!(
        told(&rendered(&[("a.yaml", list)])),
        ["a.yaml:11: ConfigMap/two: the variable NONE of ${NONE} has no value (UnknownVariable)"]
    );
    let twice = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"${APP}\"}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n";
    assert_eq!(
        told(&rendered(&[("a.yaml", twice)])),
        [
            "a.yaml:5: ConfigMap/web: the object stands twice once its variables are put in, first at a.yaml:1 (DuplicateObject)"
        ]
    );
    let namespace = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: \"${COLON}\"}\n";
    assert!(told(&rendered(&[("a.yaml", namespace)]))[0].contains("metadata.namespace is no name"));
}

#[test]
fn names_take_variables_through_a_kustomization_and_numbers_stay_numbers() {
    let files = [
        (
            "kustomization.yaml",
            "namespace: ns-${APP}\nnamePrefix: ${APP}-\nresources: [a.yaml]\npatches:\n- path: patch.yaml\nimages:\n- name: app\n  newTag: ${VERSION}\nlabels:\n- pairs: {env: \"${N}\"}\n",
        ),
        (
            "a.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: \"${APP}\"}\nspec:\n  replicas: 1\n  template:\n    spec:\n      containers:\n      - name: app\n        image: app\n        ports:\n        - containerPort: ${N}\n",
        ),
        (
            "patch.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: \"${APP}\"}\nspec:\n  replicas: ${N}\n  paused: \"${YES}\"\n",
        ),
    ];
    let rendered = rendered(&files);
    assert_eq!(told(&rendered), Vec::<String>::new());
    let body = &rendered.manifests[0].body;
    assert_eq!(rendered.manifests[0].id.to_string(), "Deployment.apps/ns-web/web-web");
    let expected = json!({
        "replicas": 3, "paused": "true",
        "template": {"spec": {"containers": [{"name": "app", "image": "app:1.10", "ports": [{"containerPort": 3}]}]}},
    });
    assert_eq!(body["spec"], expected);
    assert_eq!(body["metadata"]["labels"], json!({"env": "3"}));
    assert!(!body.to_string().contains('\u{fdd0}'), "no mark is left: {body}");
}

#[test]
fn without_variables_nothing_is_touched() {
    let text =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: ${NONE}\n  b: $${NONE}\n  c: ${A/b}\n";
    let tree = MemTree::new().file("a.yaml", text);
    let rendered = render(&tree, "", &Options::default());
    assert_eq!(rendered.manifests[0].body["data"], json!({"a": "${NONE}", "b": "$${NONE}", "c": "${A/b}"}));
}

fn shape(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        _ => Value::Null,
    }
}

/// Values of all shapes, in whose texts variables stand, with and without quotes.
fn values() -> impl Strategy<Value = Value> {
    let text = "[a-z$ {}:=\"'\\n\u{fdd0}-]{0,12}";
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        text.prop_map(Value::from),
        Just(json!("${A}")),
        Just(json!("${A}\u{fdd0}")),
        Just(json!("x ${B:=c} y")),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..4).prop_map(|m| m.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn a_text_without_variables_is_itself(text in "[^\u{fdd0}]{0,40}") {
        prop_assume!(!text.contains("${"));
        let body = json!({"kind": "Thing", "spec": {"data": text}});
        let done = substitute(body.clone(), &Variables::default(), MOST).map_err(|f| f.len());
        prop_assert_eq!(done.map(|done| done.body), Ok(body));
    }

    #[test]
    fn what_is_escaped_comes_back(text in "[a-z$ {}:=\\n]{0,40}") {
        let escaped = escaped(&text);
        let pieces = pieces(&escaped);
        let mut back = String::new();
        for piece in &pieces {
            let Piece::Text(text) = piece else { panic!("{escaped:?} has {piece:?}") };
            back.push_str(text);
        }
        prop_assert_eq!(back, text);
    }

    #[test]
    fn no_value_changes_the_structure(spec in values(), a in ".{0,20}", b in "[-a-z:{}\\[\\]\\n#&*!|>'\" ]{0,20}") {
        let mut variables = Variables::default();
        variables.unknown = Unknown::Keep;
        for (name, value) in [("A", a), ("B", b)] {
            variables.set(name, Variable::new(&value, "spec", Secrecy::Plain));
        }
        let body = json!({"kind": "Thing", "spec": spec});
        if let Ok(done) = substitute(body.clone(), &variables, MOST) {
            prop_assert_eq!(shape(&done.body), shape(&body));
        }
    }
}

//! Every expectation is what kustomize v5.8.2 builds.

use serde_json::json;

use super::*;
use crate::object::Origin;

fn object(kind: &str, name: &str, spec: Value) -> Resource {
    let body = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    Resource::new(body, Origin { file: String::new(), line: 0, document: 0 })
}

/// What `spec` of the target becomes, or the error.
fn replaced(source: Value, target: Value, spec: Value) -> Result<Value, String> {
    let values = json!({
        "str": "5", "word": "abc", "int": 7, "float": 1.5, "bool": true, "map": {"a": 1, "b": ["x"]},
        "list": ["p", "q"], "empty": "", "csv": "a.b.c", "nul": null, "emap": {}, "yes": "yes",
    });
    let mut resources = vec![object("Foo", "s", values), object("Bar", "t", spec)];
    let mut replacement = json!({"targets": [{"select": {"name": "t"}}]});
    match source {
        Value::String(text) => replacement["sourceValue"] = json!(text),
        mut source => {
            source["kind"] = json!("Foo");
            replacement["source"] = source;
        }
    }
    for (field, value) in target.as_object().expect("a mapping") {
        replacement["targets"][0][field] = value.clone();
    }
    let replacement: Replacement = serde_json::from_value(replacement).expect("a replacement");
    replace(&mut resources, &replacement, &Allowance::default())?;
    Ok(resources[1].body["spec"].take())
}

fn copied(field: &str, target: Value, create: bool) -> Result<Value, String> {
    let written = json!({"fieldPaths": ["spec.x"], "options": {"create": create}});
    replaced(json!({"fieldPath": format!("spec.{field}")}), written, target)
}

#[test]
fn a_scalar_keeps_its_type_and_what_is_made_has_the_one_it_reads_as() {
    let old = || json!({"x": "old"});
    for (field, target, create, expected) in [
        ("str", old(), false, json!("5")),
        ("int", old(), false, json!("7")),
        ("bool", old(), false, json!("true")),
        ("map", old(), false, json!("")),
        ("empty", old(), false, json!("")),
        ("str", json!({}), true, json!(5)),
        ("word", json!({}), true, json!("abc")),
        ("bool", json!({}), true, json!(true)),
        ("yes", json!({}), true, json!("yes")),
        ("map", json!({}), true, json!({"a": 1, "b": ["x"]})),
        ("list", json!({}), true, json!(["p", "q"])),
        ("str", json!({"x": 1}), false, json!(5)),
        ("float", json!({"x": 2.5}), false, json!(1.5)),
        ("bool", json!({"x": false}), false, json!(true)),
        ("empty", json!({"x": null}), false, json!(null)),
        ("empty", json!({}), true, json!("")),
        ("str", json!({"x": {"y": 1}}), false, json!("5")),
        ("int", json!({"x": [1]}), false, json!(7)),
        ("map", json!({"x": {"y": 1}}), false, json!({"a": 1, "b": ["x"]})),
    ] {
        assert_eq!(copied(field, target.clone(), create), Ok(json!({"x": expected})), "{field} in {target}");
    }
    for (text, expected) in [
        ("5", json!(5)),
        ("0777", json!(511)),
        ("yes", json!("yes")),
        ("null", json!(null)),
        ("1e3", json!(1000)),
        ("2024-01-01", json!("2024-01-01T00:00:00Z")),
        ("1:30", json!("1:30")),
        ("5 # five", json!("5 # five")),
        ("", json!("")),
    ] {
        let target = json!({"fieldPaths": ["spec.x"], "options": {"create": true}});
        assert_eq!(replaced(json!(text), target, json!({})), Ok(json!({"x": expected})), "{text}");
    }
    for (field, target) in [
        ("word", json!({"x": 1})),
        ("float", json!({"x": 1})),
        ("str", json!({"x": true})),
        ("word", json!({"x": null})),
        ("map", json!({"x": 1})),
    ] {
        let error = copied(field, target, false).expect_err(field);
        assert!(error.starts_with("targets[0]: Bar/t, field spec.x: the field holds a "), "{error}");
    }
}

#[test]
fn paths_find_fields_in_mappings_and_lists() {
    let spec =
        || json!({"l": [{"name": "ab"}, {"name": "b"}, {}], "s": ["x", "xy"], "m": {"a": "1"}, "n": null, "d.e": ""});
    let with = |pointer: &str, value: Value| {
        let mut spec = spec();
        *spec.pointer_mut(pointer).expect(pointer) = value;
        spec
    };
    for (path, create, expected) in [
        ("spec.l.[name=b].name", false, with("/l", json!([{"name": "abc"}, {"name": "abc"}, {}]))),
        ("spec.l.[name=^b$].name", false, with("/l/1/name", json!("abc"))),
        ("spec.l.0.name", false, with("/l/0/name", json!("abc"))),
        ("spec.l.*.w", true, with("/l", json!([{"name": "ab", "w": "abc"}, {"name": "b", "w": "abc"}, {"w": "abc"}]))),
        ("spec.l.3.v", true, with("/l", json!([{"name": "ab"}, {"name": "b"}, {}, {"v": "abc"}]))),
        (
            "spec.l.[name=zz].v",
            true,
            with("/l", json!([{"name": "ab"}, {"name": "b"}, {}, {"name": "zz", "v": "abc"}])),
        ),
        ("spec.s.[=x]", false, with("/s", json!(["abc", "abc"]))),
        ("spec.s.[=x].more", false, with("/s", json!(["abc", "abc"]))),
        ("spec.s.[=q]", true, with("/s", json!(["x", "xy", "abc"]))),
        ("spec.s.*", false, with("/s", json!(["abc", "abc"]))),
        ("spec.d\\.e", false, with("/d.e", json!("abc"))),
        ("spec.[d.e]", false, with("/d.e", json!("abc"))),
        (".spec.m", false, with("/m", json!("abc"))),
        ("spec.m.b.c", true, with("/m", json!({"a": "1", "b": {"c": "abc"}}))),
        ("spec.n.a", true, spec()),
    ] {
        let target = json!({"fieldPaths": [path], "options": {"create": create}});
        assert_eq!(replaced(json!("abc"), target, spec()), Ok(expected), "{path}");
    }
    for (path, create) in [
        ("spec.l.3.v", false),
        ("spec.l.v", true),
        ("spec.m.*", true),
        ("spec.m.0", true),
        ("spec.m.b", false),
        ("spec.n.a", false),
        ("spec.n.*", true),
        ("spec.l.[name].v", true),
        ("spec.l.[name=(].v", true),
        ("spec..m", true),
        ("spec.s.9", true),
        ("spec.m.a.b", true),
        ("", false),
    ] {
        let target = json!({"fieldPaths": [path], "options": {"create": create}});
        let error = replaced(json!("abc"), target, spec()).expect_err(path);
        assert!(error.contains(&format!("field {path}: ")), "{error}");
    }
}

#[test]
fn delimiters_cut_texts_and_json_within_texts_is_written_anew() {
    for (index, expected) in [(0, "v/b"), (1, "a/v"), (2, "a/b/v"), (-1, "v/a/b"), (9, "a/b/v")] {
        let target = json!({"fieldPaths": ["spec.x"], "options": {"delimiter": "/", "index": index}});
        assert_eq!(replaced(json!("v"), target, json!({"x": "a/b"})), Ok(json!({"x": expected})), "{index}");
    }
    for (index, expected) in [(0, Some("a")), (2, Some("c")), (3, None), (-1, None)] {
        let source = json!({"fieldPath": "spec.csv", "options": {"delimiter": ".", "index": index}});
        let made = replaced(source, json!({"fieldPaths": ["spec.x"]}), json!({"x": "old"}));
        assert_eq!(made.ok(), expected.map(|text| json!({"x": text})), "{index}");
    }
    let target = json!({"fieldPaths": ["spec.x.b.c"]});
    let made = replaced(json!("v"), target, json!({"x": "{\"b\": {\"c\": \"<\"}, \"a\": 1}"}));
    assert_eq!(made, Ok(json!({"x": "{\"a\":1,\"b\":{\"c\":\"v\"}}"})));
}

#[test]
fn sources_and_targets_are_found_by_every_name_they_went_by() {
    for (field, why) in [("nul", "missing"), ("emap", "missing"), ("none", "missing"), ("word.x", "looked for in")] {
        let error = copied(field, json!({"x": ""}), false).expect_err(field);
        assert!(error.starts_with(&format!("source: Foo/s, field spec.{field}: ")) && error.contains(why), "{error}");
    }
    let mut renamed = object("Foo", "old", json!({"word": "abc"}));
    renamed.remember();
    renamed.body["metadata"]["name"] = json!("new");
    let replacement = |source: &str, target: &str| -> Replacement {
        let source = json!({"name": source, "fieldPath": "spec.word"});
        let target = json!({"select": {"name": target}, "reject": [{"kind": "Bar"}], "fieldPaths": ["spec.x"]});
        serde_json::from_value(json!({"source": source, "targets": [target]})).expect("a replacement")
    };
    for name in ["old", "new"] {
        let mut all = vec![renamed.clone(), object("Bar", "t", json!({"x": ""})), object("Baz", "t", json!({"x": ""}))];
        replace(&mut all, &replacement(name, "t"), &Allowance::default()).expect("no fault");
        assert_eq!((&all[1].body["spec"]["x"], &all[2].body["spec"]["x"]), (&json!(""), &json!("abc")), "{name}");
    }
    let mut twice = vec![renamed.clone(), object("Bar", "old", json!({}))];
    let error = replace(&mut twice, &replacement("old", "t"), &Allowance::default()).expect_err("two of that name");
    assert!(error.contains("Foo/new and Bar/old are both name old"), "{error}");
    let error = replace(&mut twice, &replacement("none", "t"), &Allowance::default()).expect_err("no such object");
    assert!(error.contains("no object is name none"), "{error}");
}

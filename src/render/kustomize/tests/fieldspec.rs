//! Every expectation is what kustomize v5.8.2 makes of a field of `commonAnnotations`,
//! `namespace` or `namePrefix` in its `configurations`.

use serde_json::{Value, json};

use super::*;

/// What `spec` of an object becomes, or the error: mappings get an entry, texts a letter in front.
fn visited(spec: Value, path: &str, create: bool, make: Make) -> Result<Value, String> {
    let mut body = json!({"apiVersion": "v1", "kind": "Foo", "metadata": {"name": "a"}, "spec": spec});
    let field = FieldSpec { gvk: Gvk::default(), path: path.to_owned(), create };
    visit(&mut body, &field, make, &mut |node| {
        match node {
            Value::Object(fields) => drop(fields.insert("z".to_owned(), json!("z"))),
            Value::String(text) => text.insert(0, 'z'),
            Value::Null => *node = json!("z"),
            other => return Err(format!("{other} is no mapping")),
        }
        Ok(())
    })?;
    Ok(body["spec"].take())
}

#[test]
fn paths_lead_through_mappings_and_lists() {
    let z = || json!({"z": "z"});
    let list = || json!({"l": [{"x": {}}, {"y": 1}, null]});
    for (spec, path, create, make, expected) in [
        (json!({}), "spec/a/b", true, Make::Mapping, json!({"a": {"b": z()}})),
        (json!({}), "spec/a/b", false, Make::Mapping, json!({})),
        (json!({}), "spec/a/b", true, Make::Nothing, json!({})),
        (json!({}), "/spec/a", true, Make::Mapping, json!({"a": z()})),
        (json!(null), "spec/a", true, Make::Mapping, json!({"a": z()})),
        (json!(null), "spec/a", false, Make::Mapping, json!(null)),
        (json!({"a": null}), "spec/a", true, Make::Mapping, json!({"a": z()})),
        (list(), "spec/l/x", true, Make::Mapping, json!({"l": [{"x": z()}, {"x": z(), "y": 1}, null]})),
        (list(), "spec/l[]/x", true, Make::Mapping, json!({"l": [{"x": z()}, {"x": z(), "y": 1}, null]})),
        (list(), "spec/l[]/x", false, Make::Mapping, json!({"l": [{"x": z()}, {"y": 1}, null]})),
        (json!({"l": null}), "spec/l[]/x", false, Make::Mapping, json!({"l": []})),
        (json!({}), "spec/l[]/x", true, Make::Mapping, json!({})),
        (json!({"l": {}}), "spec/l[]/x", true, Make::Mapping, json!({"l": {"x": z()}})),
        (json!({}), "spec/ x ", true, Make::Mapping, json!({"x": z()})),
        (json!({}), "spec/ /x", true, Make::Mapping, json!({"x": z()})),
        (json!({"a/b": {}}), "spec/a\\/b", true, Make::Mapping, json!({"a/b": z()})),
        (json!({"a/b": {"c": "x"}}), "spec/a\\/b/c", false, Make::Scalar, json!({"a/b": {"c": "zx"}})),
        (
            json!({"a": [[{"n": "x"}, {"n": "y"}], {"n": "z"}]}),
            "spec/a/n",
            false,
            Make::Scalar,
            json!({"a": [[{"n": "zx"}, {"n": "zy"}], {"n": "zz"}]}),
        ),
        (json!({}), "spec/n", true, Make::Scalar, json!({"n": "z"})),
        (json!({"n": null}), "spec/n", true, Make::Scalar, json!({"n": "z"})),
        (json!({"n": null}), "spec/n", false, Make::Scalar, json!({"n": "z"})),
        (json!({}), "spec/n", false, Make::Scalar, json!({})),
    ] {
        assert_eq!(visited(spec.clone(), path, create, make), Ok(expected), "{path} in {spec}, create {create}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_by_object_and_path() {
    for (spec, path, why) in [
        (json!({"l": ["a"]}), "spec/l/x", "\"x\" is looked for in \"a\""),
        (json!({"l": "a"}), "spec/l/x", "neither a mapping nor a list"),
        (json!({"l": ["a"]}), "spec/l", "is no mapping"),
        (json!({"l": null}), "spec/l[]", "[] is no mapping"),
        (json!({}), "spec//x", "empty name"),
        (json!({}), "", "empty name"),
        (json!({}), "spec/0", "place in a list"),
        (json!({}), "spec/[a=b]", "place in a list"),
        (json!({}), "spec/-", "place in a list"),
        (json!({}), "spec/*", "place in a list"),
        (json!({}), &"a/".repeat(MAX_PARTS), "are allowed"),
    ] {
        let error = visited(spec.clone(), path, true, Make::Mapping).expect_err(path);
        assert!(error.starts_with(&format!("Foo/a, field {path}: ")) && error.contains(why), "{error}");
    }
}

#[test]
fn other_types_are_left_alone() {
    let deployment = Gvk { group: "apps".to_owned(), version: "v1".to_owned(), kind: "Deployment".to_owned() };
    let spec = |group: &str, version: &str, kind: &str| FieldSpec {
        gvk: Gvk { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() },
        path: "x".to_owned(),
        create: true,
    };
    for (fields, expected) in [
        (("", "", ""), true),
        (("apps", "", ""), true),
        (("", "v1", "Deployment"), true),
        (("apps", "v1", "Deployment"), true),
        (("batch", "", ""), false),
        (("", "v2", ""), false),
        (("", "", "deployment"), false),
    ] {
        let spec = spec(fields.0, fields.1, fields.2);
        assert_eq!(spec.applies(&deployment), expected, "{fields:?}");
        let mut body = json!({"apiVersion": "apps/v1", "kind": "Deployment"});
        visit(&mut body, &spec, Make::Mapping, &mut |_| Ok(())).expect("no fault");
        assert_eq!(body.get("x").is_some(), expected, "{fields:?}");
    }
}

#[test]
fn a_delimiter_behind_a_backslash_belongs_to_the_name() {
    for (path, delimiter, expected) in [
        ("a/b", '/', &["a", "b"][..]),
        ("/a/b", '/', &["a", "b"]),
        ("//a", '/', &["", "a"]),
        ("a\\/b/c", '/', &["a/b", "c"]),
        ("a\\/b\\/c", '/', &["a/b/c"]),
        ("a.b\\.c", '.', &["a", "b.c"]),
        ("", '/', &[""]),
        ("a/", '/', &["a", ""]),
    ] {
        assert_eq!(split(path, delimiter), expected, "{path}");
    }
}

//! Every expectation is what kustomize v5.8.2 generates.

use serde_json::json;

use super::*;

fn generator(value: Value) -> Generator {
    serde_json::from_value(value).expect("a generator")
}

fn options(value: Value) -> GeneratorOptions {
    serde_json::from_value(value).expect("options")
}

fn read(path: &str) -> Result<Vec<u8>, String> {
    match path {
        "x.bin" => Ok([&b"\xff\x00"[..], &[b'a'; 60]].concat()),
        "dir/t.txt" => Ok(b"text\n".to_vec()),
        "e.env" => Ok(b"\xef\xbb\xbfA=1\r\n # c\nB\n  C = 2 = 3 \n=x\nD=\"q\"\n".to_vec()),
        "f.env" => Ok(b"E=5".to_vec()),
        "bad.env" => Ok(b"E=5\na=\xff".to_vec()),
        "long.env" => Ok([&b"E="[..], &[b'a'; MAX_LINE]].concat()),
        _ => Err(format!("{path} is not there")),
    }
}

#[test]
fn values_come_from_literals_files_and_env_files() {
    let wrapped = "/wBhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYW\nFhYWFhYWFhYWE=\n";
    for (args, expected) in [
        (
            json!({"literals": ["a=1", "b=\"x y\"", "c='q'", "d=\"", "e=\"\"", "f==x", "g=", "h=\"x'"]}),
            json!({"data": {"a": "1", "b": "x y", "c": "q", "d": "\"", "e": "", "f": "=x", "g": "", "h": "\"x'"}}),
        ),
        (json!({}), json!({})),
        (
            json!({"files": ["x.bin", "k=x.bin", "dir/t.txt"]}),
            json!({"binaryData": {"k": wrapped, "x.bin": wrapped}, "data": {"t.txt": "text\n"}}),
        ),
        (
            json!({"envs": ["e.env"], "env": "f.env"}),
            json!({"data": {"A": "1", "B": "", "C ": " 2 = 3 ", "D": "\"q\"", "E": "5"}}),
        ),
        (json!({"literals": ["a b=1"], "behavior": "unknown"}), json!({"data": {"a b": "1"}})),
    ] {
        let mut args = generator(args);
        args.name = "a".to_owned();
        let mut body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
        for (field, value) in expected.as_object().expect("a mapping") {
            body[field] = value.clone();
        }
        let made = config_map(&args, None, &mut read).expect("no fault");
        assert_eq!(made.body, body, "{args:?}");
        assert!(made.needs_hash && made.behavior == Behavior::Create);
    }
}

#[test]
fn secrets_are_base64_in_lines() {
    let long = "eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5";
    for (count, expected) in
        [(0, String::new()), (1, "eQ==".to_owned()), (51, long.to_owned()), (52, format!("{long}eQ\n==\n"))]
    {
        let literal = format!("x={}", "y".repeat(count));
        let made = secret(&generator(json!({"name": "a", "literals": [literal]})), None, &mut read).expect("no fault");
        assert_eq!(made.body["data"]["x"], expected);
        assert_eq!(made.body["type"], "Opaque");
    }
    let empty = secret(&generator(json!({"name": "a", "type": "foo"})), None, &mut read).expect("no fault");
    let expected = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {}, "type": "foo"});
    assert_eq!(empty.body, expected);
}

#[test]
fn own_options_win_and_flags_add_up() {
    let global = options(json!({
        "labels": {"a": "g", "b": "g"}, "annotations": {"c": "d"}, "disableNameSuffixHash": true,
    }));
    let args = generator(json!({
        "name": "a", "namespace": "n", "behavior": "merge", "options": {"labels": {"a": "own"}, "immutable": true},
    }));
    let made = config_map(&args, Some(&global), &mut read).expect("no fault");
    let expected = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "immutable": true,
        "metadata": {"name": "a", "namespace": "n", "labels": {"a": "own", "b": "g"}, "annotations": {"c": "d"}},
    });
    assert_eq!(made.body, expected);
    assert!(!made.needs_hash && made.behavior == Behavior::Merge);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (args, why) in [
        (json!({"literals": ["a=1"]}), "has no name"),
        (json!({"name": "a", "literals": ["a"]}), "not of the form key=value"),
        (json!({"name": "a", "literals": ["=a"]}), "not of the form key=value"),
        (json!({"name": "a", "literals": ["a=1", "a=2"]}), "the key \"a\" a second time"),
        (json!({"name": "a", "literals": ["x.bin=1"], "files": ["x.bin"]}), "the key \"x.bin\" a second time"),
        (json!({"name": "a", "files": ["=x"]}), "the key before \"x\""),
        (json!({"name": "a", "files": ["x="]}), "the path behind \"x\""),
        (json!({"name": "a", "files": ["a=b=c"]}), "more than one"),
        (json!({"name": "a", "files": ["nope"]}), "nope is not there"),
        (json!({"name": "a", "envs": ["bad.env"]}), "bad.env: line 2 is not UTF-8"),
        (json!({"name": "a", "envs": ["long.env"]}), "long.env: line 1 is longer"),
    ] {
        let args = generator(args);
        for made in [config_map(&args, None, &mut read), secret(&args, None, &mut read)] {
            let error = made.expect_err(why);
            assert!(error.contains(why), "{error}");
        }
    }
}

#[test]
fn generated_data_are_laid_over_older_ones() {
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "immutable": true, "extra": 1,
        "metadata": {"name": "a", "labels": {"l": "1", "m": "1"}, "annotations": {"x": "y"}},
        "data": {"k": "o", "n": 5, "z": null, "m": {"q": 1}}, "binaryData": {"b": "AA=="},
    });
    let secret_map = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "default"},
        "type": "foo", "data": {"k": "bw==", "d": "bw=="}, "stringData": {"k": "text", "s": 5},
    });
    let metadata = json!({"name": "a", "labels": {"l": "2", "m": "1"}, "annotations": {"x": "y"}});
    for (old, behavior, expected) in [
        (
            &map,
            "merge",
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
                "data": {"k": "new", "m": "", "n": "5", "z": ""}, "binaryData": {"b": "AA=="},
            }),
        ),
        (&map, "replace", json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": "new"}})),
        (
            &secret_map,
            "merge",
            json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": {"name": "a", "namespace": "default", "labels": {"l": "2"}},
                "data": {"d": "bw==", "k": "bmV3", "s": "NQ=="},
            }),
        ),
        (
            &secret_map,
            "replace",
            json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": {"name": "a", "namespace": "default", "labels": {"l": "2"}},
                "data": {"k": "bmV3"},
            }),
        ),
    ] {
        let made = laid_over(old, behavior);
        assert_eq!(made.expect("no fault").body, expected, "{behavior}");
    }
    for (fields, behavior, why) in [
        (json!({"stringData": {"k": [1]}}), "merge", "stringData \"k\" of Secret/a"),
        (json!({"stringData": 5}), "merge", "stringData of Secret/a"),
        (json!({}), "create", "is there already"),
    ] {
        let mut old = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}});
        for (field, value) in fields.as_object().expect("a mapping") {
            old[field] = value.clone();
        }
        let error = laid_over(&old, behavior).expect_err(why);
        assert!(error.contains(why), "{error}");
    }
}

fn laid_over(old: &Value, behavior: &str) -> Result<Resource, String> {
    let nowhere = Origin { file: String::new(), line: 0, document: 0 };
    let args = generator(json!({
        "name": "a", "behavior": behavior, "literals": ["k=new"], "options": {"labels": {"l": "2"}},
    }));
    let make = if old["kind"] == "Secret" { secret } else { config_map };
    let mut existing = Resource::new(old.clone(), nowhere);
    absorb(&mut existing, make(&args, None, &mut read)?)?;
    Ok(existing)
}

#[test]
fn a_name_gets_a_hash_where_both_want_one() {
    for (first, second, expected) in [(true, true, true), (true, false, false), (false, true, false)] {
        let make = |hash: bool, behavior: &str| {
            let args = json!({"name": "a", "behavior": behavior, "options": {"disableNameSuffixHash": !hash}});
            config_map(&generator(args), None, &mut read).expect("no fault")
        };
        let mut existing = make(first, "");
        existing.remember();
        existing.body["metadata"]["name"] = json!("p-a");
        absorb(&mut existing, make(second, "merge")).expect("no fault");
        assert_eq!(existing.needs_hash, expected);
        assert_eq!((existing.name(), existing.previous.len()), ("p-a", 1));
    }
}

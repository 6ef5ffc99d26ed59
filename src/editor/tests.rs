use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::object::{Cause, Causes, Manifest, ObjectId, Origin};

fn position(line: u32, character: u32) -> Position {
    Position { line, character }
}

#[test]
fn a_place_is_counted_in_each_encoding() {
    let text = Text::new("a\r\nß😀x\n\nlast");
    for (encoding, character) in [(Encoding::Utf8, 6), (Encoding::Utf16, 3), (Encoding::Utf32, 2)] {
        assert_eq!(text.position(9, encoding), position(1, character), "{encoding:?}");
        assert_eq!(text.offset(position(1, character), encoding), 9, "{encoding:?}");
    }
    // In the middle of a character, behind the end of a line, of the text.
    assert_eq!(text.offset(position(1, 2), Encoding::Utf16), 5);
    assert_eq!(text.offset(position(0, 99), Encoding::Utf16), 1);
    assert_eq!(text.offset(position(2, 1), Encoding::Utf16), 11);
    assert_eq!(text.offset(position(99, 1), Encoding::Utf16), 16);
    assert_eq!(text.position(99, Encoding::Utf16), position(3, 4));
    assert_eq!((text.line(1), text.line(9)), (3..10, 16..16));
}

#[test]
fn changes_are_meant_in_the_text_that_the_one_before_left() {
    let text = Text::new("a: ä\nb: 😀\n");
    let change = |start, end, text: &str| Change { range: Some((start, end)), text: text.to_owned() };
    let changes = [
        change(position(0, 3), position(0, 4), "one\nc: d"),
        change(position(2, 3), position(2, 5), "two"),
        // The wrong way round, and out of the text.
        change(position(9, 0), position(0, 0), "e: f\n"),
    ];
    assert_eq!(text.changed(&changes, Encoding::Utf16).as_str(), "a: one\nc: d\nb: two\ne: f\n");
    let whole = Change { range: None, text: "new".to_owned() };
    assert_eq!(text.changed(&[whole], Encoding::Utf16).as_str(), "new");
}

#[test]
fn an_alias_tells_where_its_value_is_written() {
    let text = "x: *none\n---\nbase: &base\n  a: 1\n  b: &b {c: 2}\nmore: &more [1]\none:\n  <<: *base\n  d: *b\ntwo:\n  <<: [*base, *b]\n  '<<': 1\n  *more : x\nlist: [*more, {<<: *b}]\nlast: &base 5\nend: *base\n";
    let at = |needle: &str, nth: usize, more: usize| {
        let (at, _) = text.match_indices(needle).nth(nth).expect("it is there");
        let outline = Outline::read(text);
        let document = outline.document_at(at + more).map_or(0..text.len(), |document| document.at.clone());
        let aliased = aliased(text, document, at + more)?;
        Some((text[aliased.at].to_owned(), aliased.told))
    };
    let told = |needle: &str, nth: usize, more: usize| at(needle, nth, more).expect("it is told");
    assert_eq!(
        told("*base", 0, 2),
        ("*base".to_owned(), "`*base` is the value that `&base` names in line 3: `a`, `b`".to_owned())
    );
    assert_eq!(told("*b\n", 0, 1).1, "`*b` is the value that `&b` names in line 5: `c`");
    let (key, merged) = told("<<", 0, 1);
    assert_eq!(key, "<<");
    assert!(merged.ends_with("the later of both counts.\n- `&base` in line 3: `a`, `b`"), "{merged}");
    assert!(told("<<", 1, 0).1.ends_with("\n- `&base` in line 3: `a`, `b`\n- `&b` in line 5: `c`"));
    assert_eq!(at("'<<'", 0, 1), None, "a text in quotes is a name");
    assert_eq!(told("*more", 0, 1).1, "`*more` is the value that `&more` names in line 6");
    assert_eq!(told("*more", 1, 1).0, "*more");
    assert!(told("<<: *b}", 0, 1).1.ends_with("- `&b` in line 5: `c`"));
    assert_eq!(told("end: *base", 0, 6).1, "`*base` is the value that `&base` names in line 15", "the last before it");
    assert_eq!(at("*none", 0, 1), None, "nothing has that name");
    assert_eq!(at("d: *b", 0, 0), None, "the name of a field is no alias");
}

fn paths(text: &str) -> Vec<String> {
    fn walk(node: &Node, path: &mut Vec<Step>, found: &mut Vec<String>) {
        match &node.what {
            What::Leaf(text) => found.push(format!("{}={text}", pointer(path))),
            What::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    path.push(Step::Item(at));
                    walk(item, path, found);
                    path.pop();
                }
            }
            What::Map(fields) => {
                for field in fields {
                    path.push(Step::Field(field.name.clone()));
                    walk(&field.node, path, found);
                    path.pop();
                }
            }
        }
    }
    let mut found = Vec::new();
    for document in Outline::read(text).documents {
        found.push(format!("#{}", document.index));
        walk(&document.root, &mut Vec::new(), &mut found);
    }
    found
}

#[test]
fn what_can_be_read_of_a_broken_text_is_read() {
    for (text, wanted) in [
        ("a: 1\nb: [x, {y: z}]\n", vec!["#1", "/a=1", "/b/0=x", "/b/1/y=z"]),
        ("a: 1\n---\n---\n# nothing\n---\nb: 2\n", vec!["#1", "/a=1", "#4", "/b=2"]),
        ("a: 1\nb: [\nc: 3\n", vec!["#1", "/a=1"]),
        ("a: 1\n  b: 2\nc: 3\n", vec!["#1", "/a=1", "/c=3"]),
        ("a: 'open\n---\nb: 2\n", vec!["#1", "/b=2"]),
        ("text: |\n  --- no end\n  x: y\nz: 1\n", vec!["#1", "/text=--- no end\nx: y\n", "/z=1"]),
        ("a: &x 1\nb: *x\n", vec!["#1", "/a=1", "/b="]),
        ("", vec![]),
        ("\t\n{{ template }}\n", vec![]),
    ] {
        let found = paths(text);
        if text == "a: 1\nb: [\nc: 3\n" {
            assert!(found.contains(&"/a=1".to_owned()), "{found:?}");
        } else if !text.contains("{{") {
            assert_eq!(found, wanted, "{text}");
        }
    }
}

#[test]
fn a_place_is_the_innermost_name_or_value() {
    let text = "kind: A\nspec:\n  list:\n  - name: x\n    value: two words\n---\nkind: B\n";
    let outline = Outline::read(text);
    let place = |word: &str| {
        let context = at("a.yaml", &outline, text.find(word).expect("there") + 1)?;
        Some((context.kind.kind.clone(), pointer(&context.path), context.role, context.text.clone()))
    };
    let told =
        |kind: &str, path: &str, role, text: &str| Some((kind.to_owned(), path.to_owned(), role, text.to_owned()));
    assert_eq!(place("list"), told("A", "/spec/list", Role::Name, "list"));
    assert_eq!(place("two"), told("A", "/spec/list/0/value", Role::Value, "two words"));
    assert_eq!(place("kind: B"), told("B", "/kind", Role::Name, "kind"));
    assert!(at("a.yaml", &outline, text.find("  - name").expect("there")).is_none());
    assert!(at("a/kustomization.yml", &outline, 0).expect("a place").kind.kustomization);
}

#[test]
fn the_part_of_a_line_that_is_wrong_is_marked() {
    for (line, rule, message, wanted) in [
        ("  replica: 2 # two", "UnknownField", "spec.replica is no field", "replica"),
        ("  replicas: two # 2", "WrongType", "spec.replicas is a text", "two"),
        ("- {name: a, prots: [x]}", "UnknownField", "spec.c[0].prots is no field", "prots"),
        ("- {name: a, type: b, c: d}", "UnsupportedValue", "spec.c[0].type is \"b\"", "b"),
        ("  \"a.b/c\": 'x: y'", "InvalidValue", "metadata.labels[a.b/c] is", "'x: y'"),
        ("  args: 7", "WrongType", "spec.args[3] is a whole number", "7"),
        ("  name: web", "RequiredField", "spec.image is required", "name: web"),
        ("  name:", "WrongType", "metadata.name is null", "name"),
        ("  name: web # x", "Other", "", "name: web # x"),
        ("", "Other", "a.b is", ""),
    ] {
        let text = Text::new(format!("first: 1\n{line}\nlast: 2\n"));
        assert_eq!(&text.as_str()[mark(&text, Some(2), rule, message)], wanted, "{line}");
    }
    let text = Text::new("one");
    assert_eq!((mark(&text, None, "A", "b"), mark(&text, Some(90), "A", "b")), (0..3, 3..3));
}

fn manifest(body: serde_json::Value, masked: &[&str]) -> Manifest {
    let origin = Origin { file: "a.yaml".to_owned(), line: 1, document: 1 };
    let cause = |_: &str| Cause { file: "a.yaml".to_owned(), line: Some(3), by: "patches[0]".to_owned() };
    let mut manifest = Manifest::new(origin, ObjectId::new("", "a", "", "ConfigMap"), "v1", body);
    manifest.causes = Some(Box::new(Causes::of(&manifest.body, "", &cause)));
    manifest.masked = masked.iter().map(|pointer| (*pointer).to_owned()).collect();
    manifest
}

#[test]
fn an_item_is_found_again_by_its_name() {
    let text = "spec: {containers: [{name: web, image: a}, {name: log, image: b}], args: [x, y]}";
    let outline = Outline::read(text);
    let root = &outline.documents[0].root;
    let body = json!({"spec": {"containers": [{"name": "new"}, {"name": "log", "image": "b2"}, {"name": "web", "image": "a2"}], "args": ["x", "y"]}});
    let image = |item| {
        [
            Step::Field("spec".to_owned()),
            Step::Field("containers".to_owned()),
            Step::Item(item),
            Step::Field("image".to_owned()),
        ]
    };
    assert_eq!(counterpart(root, &image(0), &body).as_deref(), Some("/spec/containers/2/image"));
    assert_eq!(counterpart(root, &image(1), &body).as_deref(), Some("/spec/containers/1/image"));
    let gone = json!({"spec": {"containers": [{"name": "web"}]}});
    assert_eq!(counterpart(root, &image(0), &gone), None);
    let live = json!({"spec": {"containers": [{"name": "web", "image": "live"}], "args": ["x"]}});
    assert_eq!(
        same_place(&body, "/spec/containers/2/image", &live).map(|(at, _)| at).as_deref(),
        Some("/spec/containers/0/image")
    );
    assert_eq!(same_place(&body, "/spec/containers/1/image", &live), None);
    assert_eq!(same_place(&body, "/spec/args/1", &live), None);
}

#[test]
fn what_is_secret_is_masked_wherever_it_stands() {
    let plain = manifest(json!({"data": {"a": "b", "c": {"d": "canary"}}}), &["/data/c/d"]);
    let told = rendered(&plain, "/data").expect("there");
    assert_eq!(told.value, r#"{"a":"b","c":{"d":"***"}}"#);
    assert_eq!((told.causes.len(), told.causes[0].by.as_str()), (1, "patches[0]"));
    assert_eq!(rendered(&plain, "/data/c/d").expect("there").value, "***");
    assert_eq!(rendered(&plain, "/data/a").expect("there").value, r#""b""#);
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "canary"}, "type": "Opaque"});
    for pointer in ["", "/data", "/data/a"] {
        let value = secret.pointer(pointer).expect("there");
        assert!(!shown(&secret, &[], pointer, value).contains("canary"), "{pointer}");
    }
    assert_eq!(shown(&secret, &[], "/type", &secret["type"]), "\"Opaque\"");
    // Within a value that is secret as a whole.
    let inner = shown(&json!({"a": {"b": "canary"}}), &["/a".to_owned()], "/a/b", &json!("canary"));
    assert_eq!(inner, "***");
}

#[test]
fn a_hover_is_markdown_of_its_own() {
    let described = crate::schema::guide::Described {
        form: "a text".to_owned(),
        required: true,
        values: vec!["A".to_owned(), "B".to_owned()],
        default: Some("\"A\"".to_owned()),
        text: "Between <one> and\nanother.".to_owned(),
        ..Default::default()
    };
    let path = [Step::Field("spec".to_owned()), Step::Item(2), Step::Field("a.b/c".to_owned())];
    let told = schema(&path, &described);
    assert_eq!(
        told,
        "**`spec[2][a.b/c]`**: a text, required\n\nBetween \\<one> and\n\nanother.\n\nWhere it is left out: `\"A\"`\n\nOne of `A`, `B`"
    );
}

#[test]
fn a_waiver_is_begun_for_one_object_and_waives_nothing_yet() {
    let today = jiff::civil::date(2026, 11, 29);
    let wanted = Wanted {
        policy: "no-latest".to_owned(),
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: "shop".to_owned(),
        name: "web".to_owned(),
    };
    let (file, text) = waiver(&wanted, today);
    assert_eq!(file, "no-latest-deployment-shop-web.yaml");
    let read = crate::object::yaml::read(&file, text.as_bytes(), &crate::object::yaml::Limits::default());
    assert_eq!(
        read.0[0].value["spec"],
        json!({
            "policy": "no-latest", "owner": "", "reason": "", "expires": "2026-12-29",
            "object": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"},
        })
    );
    // What is no part of a name of an object, and what has no namespace.
    let role =
        Wanted { kind: "ClusterRole".to_owned(), namespace: String::new(), name: "system:a".to_owned(), ..wanted };
    assert_eq!(waiver(&role, today).0, "no-latest-clusterrole-system-a.yaml");
    let long = Wanted { name: "a".repeat(253), ..role };
    assert!(waiver(&long, today).0.len() <= 205);
}

/// Nothing panics, and every place that is told is one of the text.
fn has_places_of_its_own(text: &str, offset: usize) -> Result<(), TestCaseError> {
    let outline = Outline::read(text);
    let whole = Text::new(text);
    let offset = whole.offset(whole.position(offset, Encoding::Utf16), Encoding::Utf16);
    if let Some(context) = at("a.yaml", &outline, offset) {
        prop_assert!(text.get(context.at.clone()).is_some(), "{:?} of {text:?}", context.at);
    }
    let guide = crate::schema::guide::Guide::default();
    let known = Known { guide: &guide };
    for item in complete("a.yaml", text, offset, &known) {
        prop_assert!(text.get(item.at.clone()).is_some());
    }
    for fix in fixes(&whole, 1, "UnknownField", "a.b is", "did you mean `c`?") {
        for (range, _) in fix.edits {
            prop_assert!(text.get(range.clone()).is_some());
        }
    }
    prop_assert!(text.get(mark(&whole, Some(1), "WrongType", "a.b is")).is_some());
    Ok(())
}

#[test]
fn a_text_of_blanks_has_places_of_its_own() {
    has_places_of_its_own(" \t", 0).expect("found once by chance");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    /// Whatever is typed wherever.
    #[test]
    fn any_text_has_places_of_its_own(text in "([a-c: \\-\\[\\]{}\"'#|>&*\n\tß😀]|---\n){0,60}", offset in 0usize..200) {
        has_places_of_its_own(&text, offset)?;
    }
}

//! Limits, lines and the way back; what values mean is asked of kubectl in `tests/yaml_kubectl.rs`.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn told(text: &str, limits: &Limits) -> (Vec<u32>, Vec<String>) {
    let (documents, problems) = read("a.yaml", text.as_bytes(), limits);
    (documents.iter().map(|d| d.index).collect(), problems.iter().map(ToString::to_string).collect())
}

fn only(text: &str) -> Value {
    let (documents, problems) = read("a.yaml", text.as_bytes(), &Limits::default());
    assert_eq!((documents.len(), problems.as_slice()), (1, [].as_slice()), "{text}");
    documents.into_iter().next().expect("one").value
}

#[test]
fn values_are_those_of_yaml_1_1_as_go_has_them() {
    for (text, expected) in [
        ("0644", json!(420)),
        ("yes", json!(true)),
        ("1e3", json!(1000)),
        ("08", json!(8)),
        ("0o17", json!(15)),
        ("1_000", json!(1000)),
        (".5", json!(0.5)),
        ("~", json!(null)),
        ("2001-01-01", json!("2001-01-01")),
        ("!!binary aGVsbG8=", json!("hello")),
        ("'yes'", json!("yes")),
        ("1.0", json!(1)),
        ("12:30", json!("12:30")),
        ("18446744073709551615", json!(18_446_744_073_709_551_615_f64)),
        ("!unknown 1", json!("1")),
    ] {
        assert_eq!(only(&format!("v: {text}")), json!({"v": expected}), "{text}");
    }
    assert_eq!(only("1: a\nyes: b\n1.5: c\n1e6: d"), json!({"1": "a", "true": "b", "1.5": "c", "1e+06": "d"}));
}

#[test]
fn a_block_text_that_the_file_ends_in_has_no_line_feed_of_its_own_for_kustomize() {
    for (text, expected) in [
        ("v: |\n  a", "a"),
        ("v: |\n  a\n", "a\n"),
        ("v: >\n  a\n  b", "a b"),
        ("v: |-\n  a", "a"),
        ("w: |\n  b\nv: |\n  a\n  b", "a\nb"),
    ] {
        let (documents, _) = read_as(Dialect::Kustomize, "a.yaml", text.as_bytes(), &Limits::default());
        assert_eq!(documents[0].value["v"], json!(expected), "{text:?}");
    }
    assert_eq!(only("v: |\n  a"), json!({"v": "a\n"}), "for kubectl it has one");
}

#[test]
fn a_limit_is_exact_and_says_its_name() {
    let most = Limits { bytes: 1000, documents: 2, nodes: 10, depth: 3, aliases: 2, ..Limits::default() };
    for (fits, passes, word) in [
        ("a: 1\n---\na: 2\n", "a: 1\n---\na: 2\n---\na: 3\n", "documents"),
        ("[1, 2, 3, 4, 5, 6, 7, 8, 9]", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", "nodes"),
        ("a: {b: [1]}", "a: {b: [[]]}", "levels of nesting"),
        ("[&x 1, *x, *x]", "[&x 1, *x, *x, *x]", "aliases"),
        ("[&x [1, 2], *x]", "[&x [1, 2], *x, *x]", "nodes"),
    ] {
        let (documents, problems) = told(fits, &most);
        assert!(!documents.is_empty() && problems.is_empty(), "{fits}: {problems:?}");
        let (_, problems) = told(passes, &most);
        assert!(
            matches!(&*problems, [one] if one.contains(word) && one.contains("(LimitExceeded)")),
            "{passes}: {problems:?}"
        );
    }
    let (_, problems) = told(&"#".repeat(1001), &most);
    assert!(matches!(&*problems, [one] if one.contains("1001 bytes")), "{problems:?}");
}

#[test]
fn what_is_made_to_be_endless_ends() {
    let limits = Limits::default();
    let laughs = (1..30).fold("a0: &a0 [lol, lol]\n".to_owned(), |text, at| {
        let before = format!("*a{}", at - 1);
        text + &format!("a{at}: &a{at} [{}]\n", [before.as_str(); 9].join(", "))
    });
    let text = "x".repeat(1 << 20);
    let repeated = format!("a: &a {text}\nb: [{}]\n", ["*a"; 5000].join(", "));
    let merged = (1..30).fold("a0: &a0 {x: y}\n".to_owned(), |text, at| {
        let (before, twice) = (at - 1, format!("{{p: *a{0}, q: *a{0}}}", at - 1));
        text + &format!("a{at}: &a{at}\n  <<: [{twice}, *a{before}]\n")
    });
    let one_line = [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(50_000),
        "&a ".repeat(10_000),
        "!!str ".repeat(10_000),
        "'".repeat(100_001),
        format!("{}x", "a: ".repeat(1000)),
        (0..2000).map(|at| " ".repeat(at % 1000) + "a:\n").collect(),
        "a: *b\n---\n".repeat(20_000),
        "\"".to_owned() + &"\\x41".repeat(100_000),
        "a: 'x\n---\n".repeat(10_000),
        "a: 1\n".repeat(10_000),
        format!("{{\"a\":{}", "[".repeat(200_000)),
        format!("<<: [{}]", "{a: b},".repeat(20_000)),
    ];
    let fewer = Limits { nodes: 50_000, ..limits };
    let all = [(laughs, &limits), (repeated, &limits), (merged, &fewer)].into_iter();
    for (text, limits) in all.chain(one_line.map(|text| (text, &fewer))) {
        let (_, problems) = told(&text, limits);
        assert!(!problems.is_empty() && problems.len() < 20_001, "{} problems from {}", problems.len(), &text[..20]);
    }
}

#[test]
fn a_document_with_a_problem_hides_none_of_the_others() {
    let text =
        "a: 1\n---\nb: [1\n---\nc: 'x\n---\nd: {a: 1, a: 2, b: *z}\n---\ne: \"\\q\"\n---\n  f: 1\n g: 2\n---\nh: 1\n";
    let (documents, problems) = told(text, &Limits::default());
    assert_eq!(documents, [1, 7]);
    let lines: Vec<_> = problems.iter().map(|p| p.split(": ").next().expect("a place")).collect();
    assert_eq!(lines, ["a.yaml:3", "a.yaml:5", "a.yaml:7", "a.yaml:7", "a.yaml:9", "a.yaml:12"], "{problems:?}");
}

#[test]
fn the_line_of_a_pointer_is_that_of_its_key() {
    let text = "# first\n---\na: 1\n---\n\nmetadata:\n  name: x\n  labels: &l\n    a/b~c: y\n'spec':\n- 1\n-\n  k: [1,\n    2]\n- *l\n? [complex]\n: v\nlast: |\n  x\n  y\n1: end\n";
    let table = lines(text.as_bytes());
    for (pointer, line) in [
        ("", 6),
        ("/metadata", 6),
        ("/metadata/name", 7),
        ("/metadata/labels/a~1b~0c", 9),
        ("/spec", 10),
        ("/spec/0", 11),
        ("/spec/1", 13),
        ("/spec/1/k", 13),
        ("/spec/1/k/1", 14),
        ("/spec/2", 15),
        ("/spec/2/a~1b~0c", 15),
        ("/last", 18),
        ("/1", 21),
        ("/metadata/missing/deep", 6),
        ("/nowhere", 6),
    ] {
        assert_eq!(table.line(2, pointer), Some(line), "{pointer}");
    }
    assert_eq!(table.line(1, "/a"), Some(3));
    assert_eq!(table.line(3, ""), None);
    assert_eq!(table.line(0, ""), None);
    assert_eq!(lines(b"{\"a\":1}\n{\"a\":\n1,\n\"b\":2}").line(2, "/b"), Some(4));
    assert_eq!(lines(b"a: [\n---\nb: 1\n").line(2, "/b"), Some(3));
}

#[test]
fn one_line_is_found_without_reading_on_and_is_that_of_the_table() {
    let text = "a: 1\n---\nb:\n  c: [1, x]\n  d:\n  - e: 1\n    f: 2\n  c: again\n---\ng: 1\n";
    let table = lines(text.as_bytes());
    for (index, pointer) in [(1, "/a"), (2, ""), (2, "/b"), (2, "/b/c"), (2, "/b/c/1"), (2, "/b/d/0/f"), (3, "/g")] {
        let found = line(text.as_bytes(), index, pointer);
        assert!(found.is_some() && found == table.line(index, pointer), "{index} {pointer}: {found:?}");
    }
    for (text, index, pointer) in [(text, 2, "/b/x"), (text, 4, ""), (text, 0, ""), ("a: &x 1\nb: *x\n", 1, "/b")] {
        assert_eq!(line(text.as_bytes(), index, pointer), None, "{pointer} of {text}");
    }
    assert_eq!(line(b"a: 1\nb: [\n", 1, "/a"), Some(1), "what is wrong further down is not looked at");
}

#[test]
fn what_is_written_looks_like_kubectl() {
    let value = json!({"apiVersion": "v1", "data": {"mode": "0644", "on": "yes", "text": "a\nb\n", "n": 420, "e": {}, "l": [1, {"a": "1e3", "b": [[]]}]}});
    let expected = "apiVersion: v1\ndata:\n  e: {}\n  l:\n  - 1\n  - a: \"1e3\"\n    b:\n    - []\n  mode: \"0644\"\n  \"n\": 420\n  \"on\": \"yes\"\n  text: |\n    a\n    b\n";
    assert_eq!(write(&value), expected);
}

fn value() -> impl Strategy<Value = Value> {
    let text = || prop_oneof![".{0,12}", "[-+0-9_.eExobyn~:# \n'\"|>&*!%@`,\\[\\]{}?]{0,8}", "(?s).{0,30}\n{0,3}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite and no integer", |f| f.is_finite() && f.fract() != 0.0).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(text(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(value in value()) {
        let value = json!({"v": value});
        let text = write(&value);
        let (documents, problems) = read("a.yaml", text.as_bytes(), &Limits::default());
        prop_assert!(problems.is_empty(), "{}\n{:?}", text, problems);
        prop_assert_eq!(&documents[0].value, &value, "{}", text);
    }

    #[test]
    fn json_reads_as_json(value in value()) {
        let value = json!({"v": value});
        for text in [value.to_string(), serde_json::to_string_pretty(&value).expect("JSON")] {
            let (documents, problems) = read("a.json", text.as_bytes(), &Limits::default());
            prop_assert!(problems.is_empty(), "{}\n{:?}", text, problems);
            prop_assert_eq!(&documents[0].value, &value, "{}", text);
        }
    }
}

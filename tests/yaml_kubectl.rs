//! YAML means what kubectl says it means: every document of a table, and some thousand random
//! scalars, are read by `tandem` and by the real kubectl, which needs no server for it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};
use tandem::object::yaml;

/// The real kubectl, built by the lab.
fn kubectl() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("hack/lab");
        let output = Command::new(lab).args(["build", "kubectl"]).output().expect("hack/lab runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let folder = String::from_utf8(output.stdout).expect("a path");
        Path::new(folder.trim()).join("kubectl")
    })
}

/// What kubectl reads from a file: its objects, or its complaint.
fn by_kubectl(name: &str, text: &[u8]) -> Result<Vec<Value>, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    std::fs::write(&file, text).expect("written");
    let output = Command::new(kubectl())
        .env("KUBECONFIG", "/dev/null")
        .args(["patch", "--local", "--type=merge", "-p", "{}", "-o", "json", "-f"])
        .arg(&file)
        .output()
        .expect("kubectl runs");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let values = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    values.collect::<Result<_, _>>().map_err(|e| e.to_string())
}

fn by_tandem(name: &str, text: &[u8]) -> Result<Vec<Value>, String> {
    let (documents, problems) = yaml::read(name, text, &yaml::Limits::default());
    if problems.is_empty() {
        Ok(documents.into_iter().map(|document| document.value).collect())
    } else {
        Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }
}

/// Equal, where a float and an integer of the same size are the same number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.as_i64().is_none() && a.as_f64() == b.as_f64()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((ak, av), (bk, bv))| ak == bk && same(av, bv))
        }
        _ => one == other,
    }
}

/// A document around some lines of a spec.
fn document(spec: &str) -> String {
    let mut text = String::from("---\napiVersion: example.com/v1\nkind: Case\nmetadata:\n  name: case\nspec:\n");
    for line in spec.split('\n') {
        writeln!(text, "  {line}").expect("written");
    }
    text
}

/// Reads all specs in one file, and compares one by one.
fn compare(specs: &[String]) {
    let file: String = specs.iter().map(|spec| document(spec)).collect();
    let kubectl = by_kubectl("case.yaml", file.as_bytes()).unwrap_or_else(|_| {
        // One bad document fails the whole file: say which.
        let refused = |spec: &&String| by_kubectl("case.yaml", document(spec).as_bytes()).is_err();
        panic!("kubectl refuses {:?}", specs.iter().filter(refused).collect::<Vec<_>>())
    });
    let tandem = by_tandem("case.yaml", file.as_bytes()).expect("tandem reads it");
    assert_eq!(kubectl.len(), specs.len(), "kubectl left something out");
    assert_eq!(tandem.len(), specs.len(), "tandem left something out");
    let mut wrong = String::new();
    for ((spec, theirs), ours) in specs.iter().zip(&kubectl).zip(&tandem) {
        if !same(ours, theirs) {
            writeln!(wrong, "{spec}\n  kubectl {}\n  tandem  {}", theirs["spec"], ours["spec"]).expect("written");
        }
    }
    assert!(wrong.is_empty(), "read otherwise than by kubectl:\n{wrong}");
}

/// Scalars that YAML 1.1, YAML 1.2 and Go tell apart.
const SCALARS: &[&str] = &[
    "0644",
    "-0644",
    "+0644",
    "0",
    "00",
    "-0",
    "+0",
    "08",
    "09.5",
    "-08",
    "017",
    "0o17",
    "0O17",
    "-0o17",
    "0o",
    "0o8",
    "0x1F",
    "0X1f",
    "-0xff",
    "0x",
    "0xg",
    "0x1p3",
    "0b11",
    "0B11",
    "-0b11",
    "+0b11",
    "0b",
    "0b2",
    "0b+11",
    "0b-11",
    "1_000",
    "_1",
    "1_",
    "1__0",
    "-_1",
    "0_17",
    "0x_1F",
    "1_000.5",
    "1e3",
    "1E3",
    "1e+3",
    "1e-3",
    "1.e3",
    "1.5e3",
    "-1e3",
    "1e",
    "e3",
    "1e400",
    "-1e400",
    "1e-400",
    ".5",
    "-.5",
    "+.5",
    "5.",
    ".",
    "..",
    ".5_0",
    "._5",
    ".5e1",
    ".5e400",
    "1.0",
    "-1.0",
    "100.0",
    "1.10",
    "0.1",
    "1e20",
    "1e21",
    "1e22",
    "123456789012345678.0",
    "1234567890123456789.0",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "0xFFFFFFFFFFFFFFFF",
    "y",
    "Y",
    "yes",
    "Yes",
    "YES",
    "yEs",
    "n",
    "N",
    "no",
    "No",
    "NO",
    "on",
    "On",
    "ON",
    "oN",
    "off",
    "Off",
    "OFF",
    "true",
    "True",
    "TRUE",
    "tRUE",
    "false",
    "False",
    "FALSE",
    "null",
    "Null",
    "NULL",
    "nULL",
    "~",
    "~x",
    "nil",
    "None",
    "inf",
    "nan",
    "Infinity",
    "2001-01-01",
    "2001-1-1",
    "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43",
    "12:30:45",
    "1:30",
    "190:20:30",
    "1,000",
    "1.2.3",
    "1-2",
    "v1",
    "=",
    "<<",
    "!!str 12",
    "!!int 12",
    "!!int \"12\"",
    "!!int '0644'",
    "!!float 1",
    "!!float 1.5",
    "!!bool yes",
    "!!bool \"yes\"",
    "!!null ''",
    "!!null ~",
    "!!str",
    "!!str ~",
    "! 12",
    "! \"12\"",
    "!foo 12",
    "!<tag:example.com,2000:x> 12",
    "!!timestamp 2001-01-01",
    "!!binary aGVsbG8=",
    "!!binary //79",
    "!!binary |\n  aGVs\n  bG8=",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!foo {a: 1}",
    "!foo [1, yes]",
    "'yes'",
    "\"0644\"",
    "'it''s'",
    "\"a\\tb\\n\\x41\\u0042\\U00000043\\e\\0\\ \\_\\N\"",
    "'a\n\n  b\n  c'",
    "\"a\n\n  b \\\n  c\"",
    "a b\n  c",
    "|\n  a\n   b\n\n  c\n",
    "|-\n  a\n",
    "|+\n  a\n\n",
    "|2\n    a\n   b",
    ">\n  a\n  b\n\n  c\n   d\n  e\n",
    ">-\n  a\n  b",
    ">+\n  a\n\n\n",
    "|\n  yes",
    "[]",
    "{}",
    "[1, yes, 0644, ~]",
    "{a: yes, b: 1e3}",
    "[a, [b, {c: d}], ]",
    "{a: , b}",
    "[a: 1, b]",
    "a#b",
    "a # comment",
    "\"a # b\"",
    "a:b",
    "http://a:80/b?c=d#e",
    "@x'",
    "%x",
    "*",
    "`",
];

/// Specs of more than one scalar.
const SPECS: &[&str] = &[
    "1: a\n2.5: b\nyes: c\n0x10: d\n1e6: e\n1e-7: f\n123456789.5: g\n-0: h\n'1e6 ': i",
    "x: &x {a: 1, b: 2}\nz: {<<: *x, b: 3}",
    "x: &x {a: 1, b: 2}\nz: {b: 3, <<: *x}",
    "x: &x {a: 1, b: 2}\nw: &w {a: 5, c: 6}\nz: {<<: [*x, *w], d: 4}",
    "z: {<<: {a: 1}, b: 2}",
    "z: {'<<': {a: 1}, b: 2}",
    "x: &x\n  a: &a [1, 2]\nz: *x\nw: *a\nv: &a 0644\nu: *a",
    "x: &x name\n*x : value",
    "? a\n: b\n? c",
    "a:\n- 1\n- b:\n  - c\n-\n  - d\n- - e\n  - f",
    "a:\n  b: c   # comment\n\n# another\n  d: e",
    "a: 'x\n\n  y'\nb: \"x\\\n  y\"",
    "a:\tb\nc: [\t1,\t2 ]",
    "\"quoted key\": 1\n'other': 2\nlong key with spaces: 3\na:b: 4\n-x: 5\n?x: 6",
    "a: |\n  # no comment\n  b\n\nc: d",
    "a: \u{e9}\u{1F600}x\nb: \"\\U0001F600\"",
    "key: {\"a\":1,\"b\":[1,2,{\"c\":null}]}",
];

#[test]
fn scalars_of_the_table_read_as_kubectl_reads_them() {
    let plain = |text: &&&str| !matches!(**text, "@x'" | "%x" | "*" | "`");
    let specs: Vec<String> = SCALARS.iter().filter(plain).map(|scalar| format!("v: {scalar}")).collect();
    compare(&specs);
    compare(&SPECS.iter().map(ToString::to_string).collect::<Vec<_>>());
}

#[test]
fn scalars_in_keys_and_lists_read_as_kubectl_reads_them() {
    let simple = |text: &&&str| {
        !text.contains(['!', '\n', '"', '|', '>', '[', '{', '*', '`', '%', '@', ',', '#'])
            && !matches!(
                **text,
                "" | "<<"
                    | "null"
                    | "Null"
                    | "NULL"
                    | "~"
                    | "18446744073709551615"
                    | "9223372036854775808"
                    | "0xFFFFFFFFFFFFFFFF"
            )
    };
    let simple: Vec<_> = SCALARS.iter().filter(simple).collect();
    compare(&simple.iter().map(|scalar| format!("? {scalar}\n: x")).collect::<Vec<_>>());
    compare(&simple.iter().map(|scalar| format!("v: [{scalar}, {{k: {scalar}}}]\nw:\n- {scalar}")).collect::<Vec<_>>());
}

#[test]
fn random_scalars_read_as_kubectl_reads_them() {
    // A fixed sequence of numbers: the same cases on every machine.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let alphabet = b"00112789__+-..eExXobBynYNaf:T";
    let mut specs = Vec::new();
    for _ in 0..4000 {
        let text: String =
            (0..=next(7)).map(|_| char::from(alphabet[usize::try_from(next(29)).expect("small")])).collect();
        if !matches!(&*text, "-" | ":") && !text.ends_with(':') {
            specs.push(format!("v: {text}"));
        }
    }
    compare(&specs);
}

#[test]
fn what_kubectl_refuses_is_refused() {
    for spec in [
        "v: .inf",
        "v: -.INF",
        "v: .nan",
        "~: a",
        "? [a]\n: b",
        "? {a: b}\n: c",
        "18446744073709551615: a",
        "v: !!int x",
        "v: !!float x",
        "v: !!null x",
        "v: !!bool 1",
        "v: !!int 1.5",
        "v: !!binary '***'",
        "v: *missing",
        "v: [a",
        "v: {a: b",
        "v: 'a",
        "v: \"a",
        "v: a: b",
        "v: @x",
        "v: `x",
        "v: %x",
        "v: *",
        "v: \"\\q\"",
        "v:\n\t- a",
        "v: &a [*a]",
        "<<: 1",
        "<<: [1]",
        "v: 1\n w: 2",
        "v: [a]]",
        "- a\nv: b",
        "v: \"a\u{7f}b\"",
    ] {
        let text = document(spec);
        assert!(by_kubectl("case.yaml", text.as_bytes()).is_err(), "kubectl takes {spec:?}");
        assert!(by_tandem("case.yaml", text.as_bytes()).is_err(), "tandem takes {spec:?}");
    }
}

#[test]
fn files_of_json_and_of_several_documents_read_as_kubectl_reads_them() {
    let object = r#"{"apiVersion":"v1","kind":"Case","metadata":{"name":"a"},"spec":{"a":1.0,"b":1e3,"c":"\ud83d\ude00\/","d":"yes","e":0.5,"f":12345678901234567890}}"#;
    let pretty = serde_json::to_string_pretty(&json!({"apiVersion": "v1", "kind": "Case", "metadata": {"name": "b"}}))
        .expect("JSON");
    let plain = document("a: 0644");
    for text in [
        object.to_owned(),
        format!("{object}{object}"),
        format!("{object}\n{pretty}\n"),
        format!("\n\n  {pretty}"),
        // JSON takes this character as it is, and YAML does not.
        object.replace("yes", "a\u{7f}b"),
        format!("---\n{}\n---\n{plain}", object.replace(r"\ud83d\ude00\/", "x")),
        format!("# comment\n{plain}# end\n---\n# nothing\n---\n\n{plain}...\n"),
        format!("\u{feff}{plain}"),
        plain.replace('\n', "\r\n"),
        document("a: |\n  x\n  y\nb: \"x\n  y\"").replace('\n', "\r\n"),
        document("a: |\n  text").trim_end().to_owned(),
        document("a: >+\n  text\n\n"),
        pretty.replace("  ", "\t"),
    ] {
        let theirs = by_kubectl("case.yaml", text.as_bytes()).expect("kubectl reads it");
        let ours = by_tandem("case.yaml", text.as_bytes()).unwrap_or_else(|e| panic!("{text}\n{e}"));
        assert!(
            theirs.len() == ours.len() && theirs.iter().zip(&ours).all(|(a, b)| same(b, a)),
            "{text}\n{theirs:?}\n{ours:?}"
        );
    }
}

#[test]
fn what_is_written_is_read_back_by_kubectl() {
    let mut texts: Vec<String> = SCALARS.iter().map(ToString::to_string).collect();
    texts.extend(
        [
            "",
            " ",
            " a",
            "a ",
            "\n",
            "a\n",
            "a\n\n",
            "\na",
            "a\nb",
            "a\n  b\n c",
            "\ta",
            "a\tb",
            "#a",
            "a #b",
            "a: b",
            "- a",
            "---",
            "...",
            "\u{7f}",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "\r",
            "a\r\nb",
            "\\",
            "\"",
            "'",
            "\u{0}",
            "\u{1b}",
            "a\u{a0}",
        ]
        .map(str::to_owned),
    );
    texts.push("long word ".repeat(40));
    texts.push(format!("{}\n{}", "x".repeat(200), "y z ".repeat(100)));
    let numbers =
        [json!(1), json!(-1), json!(0.5), json!(1e21), json!(1.5e300), json!(i64::MAX), json!(i64::MIN), json!(1e-9)];
    let mut values: Vec<Value> =
        texts.iter().map(|text| json!({"v": text, "l": [text, {"k": text}], "m": {text.as_str(): 1}})).collect();
    values.extend(
        numbers.iter().map(|number| json!({"v": number, "l": [number, [number], {"a": {}, "b": []}, null, true]})),
    );
    let objects: Vec<Value> = values
        .into_iter()
        .map(|spec| json!({"apiVersion": "example.com/v1", "kind": "Case", "metadata": {"name": "case"}, "spec": spec}))
        .collect();
    let file: String = objects.iter().map(|object| format!("---\n{}", yaml::write(object))).collect();
    let theirs = by_kubectl("case.yaml", file.as_bytes()).expect("kubectl reads it");
    assert_eq!(theirs.len(), objects.len());
    let ours = by_tandem("case.yaml", file.as_bytes()).expect("tandem reads it");
    for ((object, theirs), ours) in objects.iter().zip(&theirs).zip(&ours) {
        assert!(same(object, theirs), "kubectl reads {}\nfrom {}", theirs["spec"], yaml::write(object));
        assert!(same(object, ours), "tandem reads {}\nfrom {}", ours["spec"], yaml::write(object));
    }
}

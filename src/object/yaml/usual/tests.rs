//! Its events are those of the parser.

use proptest::prelude::*;
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle};

use super::events;

/// Events with their lines, those of ends and of scalars that are not written left out.
fn told(event: &Event<'_>, line: u32) -> Option<String> {
    match event {
        Event::StreamStart | Event::StreamEnd => None,
        Event::DocumentStart(..) | Event::DocumentEnd | Event::MappingEnd | Event::SequenceEnd => {
            Some(format!("{event:?}"))
        }
        // The parser has `~` where nothing is written, too.
        Event::Scalar(text, ScalarStyle::Plain, ..) if text == "~" || text.is_empty() => Some("nothing".to_owned()),
        _ => Some(format!("{line} {event:?}")),
    }
}

fn usual(text: &str) -> Option<Vec<String>> {
    let mut all = Vec::new();
    let done = events(text, |event, line| {
        all.extend(told(&event, line));
        Ok(())
    });
    done.ok().map(|()| all)
}

fn parsed(text: &str) -> Result<Vec<String>, String> {
    let options = serde_yaml::granit_parser::options! { emit_comments: false };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut all = Vec::new();
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| error.to_string())?;
        all.extend(told(&event, u32::try_from(span.start.line()).expect("a line")));
    }
    Ok(all)
}

/// Whether the text is usual. Where it is, the events are those of the parser.
fn is_usual(text: &str) -> bool {
    let Some(ours) = usual(text) else { return false };
    let theirs = parsed(text).unwrap_or_else(|error| panic!("{error} in {text:?}"));
    let differs = (0..ours.len().max(theirs.len())).find(|at| ours.get(*at) != theirs.get(*at));
    if let Some(at) = differs {
        panic!("event {at} is {:?}, and the parser has {:?} in {text:?}", ours.get(at), theirs.get(at));
    }
    true
}

#[test]
fn manifests_are_usual() {
    for text in [
        "",
        "\n# nothing\n\n",
        "---\n---\n",
        "a: 1\n---\nb: 2\n--- # c\n\nc:\n",
        "# first\napiVersion: v1\nkind: Service # of web\nspec:\n  ports:\n  - name: http\n    port: 80\n  -   port: 81\n      name: x\n  other:\n    - a\n    - - b\n      - c\n",
        "a:\n\n  b: 'it''s'\n  'c': \"x\\ny\\\"\\u00e9\"\n  \"d\": http://example.com:80/#x # c\n",
        "t: |\n  line\n    more\n\n  last\n\n\nu: |-\n  x\n\nv: |+\n  y\n\nw: >\n  a\n  b\n\n  c\n",
        "- a: [1, \"b\", 'c', {d: e, f: []}, {}]\n- {a: b:c, d: -1}\n- []\n",
        "t: one\n  two\n\n\n  three\nu:\n  plain\n  text\nv: 'a\n  b'\nw: \"a \n\n  b\\n\"\n",
        "a: b",
        "- x",
        "- |\n  a\n- b: |\n    c\n  d: e\n",
        "a: -1\nb: --x\nc: a,b [c] {d} 'e'\nd: ~\n<<: x\ny: (a)\n",
    ] {
        assert!(is_usual(text), "{text:?}");
    }
}

#[test]
fn what_is_not_known_is_left_to_the_parser() {
    for text in [
        "a: &x 1\n",
        "a: *x\n",
        "a: !t 1\n",
        "%YAML 1.2\n---\na: 1\n",
        "a: 1\n...\n",
        "? a\n: b\n",
        "a:\tb\n",
        "a: 1\r\nb: 2\r\n",
        "a: b: c\n",
        "a: 1\n  b: 2\n",
        " a: 1\nb: 2\n",
        "a\n",
        "'a'\n",
        "[a]\n",
        "a: [\n  b\n]\n",
        "a: 'x\n",
        "a: 'x'y\n",
        "a: |2\n    x\n",
        "a: |\n  x",
        "a: @x\n",
        "- a\nb: c\n",
        "a: \u{feff}\n",
        "a: x # c\n  y\n",
    ] {
        assert!(!is_usual(text), "{text:?}");
    }
}

/// What people write: manifests of a shop, of this agent, and long definitions.
#[test]
fn files_have_the_events_of_the_parser() {
    for text in [
        include_str!("../../../../manifests/agent.yaml"),
        include_str!("../../../../manifests/crds.yaml"),
        include_str!("../../../../hack/shop/shop/orders.yaml"),
        include_str!("../../../../charts/tandem/values.yaml"),
        include_str!("../../../../charts/tandem/Chart.yaml"),
    ] {
        assert!(is_usual(text), "{}", text.lines().take(3).collect::<Vec<_>>().join("\n"));
    }
}

/// Lines of what YAML is made of, put together at random.
fn random() -> impl Strategy<Value = String> {
    const PARTS: [&str; 62] = [
        "a", "b", "a:", "b:", "c: ", "a: b", "b: c", "'d': ", "\"e\": x", "- ", "- ", "-", "- a", "- a: b", "#c",
        " # c", " ", "  ", "\t", "x y", "1", "-1", "~", "|", "|-", "|+", ">", ">-", ">+", "|2", "[", "]", "[a, b]",
        "[]", "{}", "{a: b}", "{a: [b]}", ",", "'x'", "'it''s'", "'x", "y'", "\"x\\n\"", "\"x", "y\"", "\\", "\\\n",
        "é", "---", "--- ", "...", "&x ", "*x", "!t ", "? ", ": ", "<<: ", "@", "%a", "\n", "\n\n", "\u{2028}",
    ];
    let line = (0..5_usize, proptest::collection::vec(proptest::sample::select(&PARTS[..]), 0..4))
        .prop_map(|(indent, parts)| " ".repeat(indent) + &parts.concat());
    (proptest::collection::vec(line, 1..9), any::<bool>())
        .prop_map(|(lines, ends)| lines.join("\n") + if ends { "\n" } else { "" })
}

/// The same from lines that fit one another more often.
fn likely() -> impl Strategy<Value = String> {
    const LINES: [&str; 36] = [
        "a: b",
        "b: c d",
        "c:",
        "d:",
        "e: |",
        "f: >-",
        "g: 'x",
        "h: \"x",
        "- a",
        "- b: c",
        "-",
        "- - d",
        "- c:",
        "x y",
        "y'",
        "z\"",
        "",
        "# c",
        "a: b # c",
        "i: [a, {b: c}]",
        "j: {}",
        "---",
        "k: 'it''s'",
        "l: \"\\u0041\"",
        "m: >",
        "n: |+",
        "o: a:b",
        "p: a#b",
        "'q': r",
        "- |",
        "- >+",
        "- 'x",
        "-1",
        "\"x\": y",
        "k: - a",
        "word",
    ];
    let line = (0..4_usize, proptest::sample::select(&LINES[..])).prop_map(|(indent, line)| "  ".repeat(indent) + line);
    (proptest::collection::vec(line, 1..12), any::<bool>())
        .prop_map(|(lines, ends)| lines.join("\n") + if ends { "\n" } else { "" })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn texts_have_the_events_of_the_parser(text in prop_oneof![random(), likely()]) {
        is_usual(&text);
    }
}

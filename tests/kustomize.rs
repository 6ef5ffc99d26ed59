//! Tandem builds kustomizations as kustomize does: every case of `tests/cases/kustomize`.

#[path = "kustomize/case.rs"]
pub mod case;
#[path = "kustomize/reference.rs"]
pub mod reference;

use case::{Case, Content, Node};

#[test]
fn a_tree_survives_being_written_as_a_case() {
    let tree = vec![
        Node::file("app/a.yaml", "a: b\n"),
        Node::file("app/empty", ""),
        Node::file("app/no-end", "x"),
        Node::file("app/bytes", [0xff, 0x00]),
        Node { path: "app/link".to_owned(), content: Content::Link("../a".to_owned()) },
    ];
    let text = format!("What it shows.\nbuild: other\n\n{}-- refused --\nwrong\n", case::to_text(&tree));
    let case = Case::parse("topic/name", "unused".into(), &text);
    assert_eq!((case.tree, case.build.as_str()), (tree, "other"));
    assert_eq!(case.expected, Some(case::Expected::Refused("wrong\n".to_owned())));
}

#[test]
fn there_are_cases_enough() {
    let cases = case::all();
    let refused = cases.iter().filter(|case| matches!(case.expected, Some(case::Expected::Refused(_)))).count();
    assert!(cases.len() - refused >= 250 && refused >= 60, "{} cases, {refused} refused", cases.len());
}

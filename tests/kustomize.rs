//! Tandem builds kustomizations as kustomize does: every case of `tests/cases/kustomize`.

#[path = "kustomize/case.rs"]
pub mod case;
#[path = "kustomize/compare.rs"]
pub mod compare;
#[path = "kustomize/random.rs"]
pub mod random;
#[path = "kustomize/reference.rs"]
pub mod reference;

use case::{Case, Content, Node};
use regex::Regex;
use tandem::object::Problem;
use tandem::render::{Options, render};

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

#[test]
fn every_kustomize_case_is_built_as_it_wants() {
    let bless = std::env::var_os("TANDEM_BLESS").is_some();
    let cases = case::all();
    let mut wrong = Vec::new();
    for case in &cases {
        let rendered = render(&case::in_memory(&case.tree), &case.build, &Options::default());
        let told = |problem: &Problem| match &problem.hint {
            Some(hint) => format!("{problem}\n  hint: {hint}\n"),
            None => format!("{problem}\n"),
        };
        let problems: String = rendered.problems.iter().map(told).collect();
        let complaint = match &case.expected {
            Some(case::Expected::Want(want)) if problems.is_empty() => {
                let want = case::documents(want).expect("YAML");
                let got: Vec<_> = rendered.manifests.into_iter().map(|manifest| manifest.body).collect();
                case::differ(&want, &got)
            }
            Some(case::Expected::Want(_)) => Some(format!("refused:\n{problems}")),
            _ if problems.is_empty() => Some("built, and to be refused".to_owned()),
            _ if bless => {
                case.bless(&case::Expected::Refused(problems));
                None
            }
            Some(case::Expected::Refused(want)) if *want == problems => None,
            _ => Some(format!("refused with other words:\n{problems}")),
        };
        wrong.extend(complaint.map(|complaint| format!("{}: {complaint}", case.name)));
    }
    assert!(wrong.is_empty(), "{} of {} cases\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Also of a case that is yet to be written: the words of each are held by its file, and what words there must be is held here.
#[test]
fn every_refusal_names_its_file_and_field() {
    let field = Regex::new(r#"^(\S+/\S+: )?([a-z]\w*(\[\d+\])?(\.\w+(\[\d+\])?)*: |.*")"#).expect("an expression");
    // The file as a whole is what is wrong, or an object of it.
    let words = ["a mapping is wanted", "the kustomization is empty", "the file has more than one document"];
    let whole = |text: &str| {
        let rule = ["(DuplicateObject)", "(InvalidYaml)"].iter().any(|rule| text.ends_with(rule));
        rule || words.iter().any(|words| text.starts_with(words))
    };
    let mut wrong = Vec::new();
    for case in case::all() {
        let Some(case::Expected::Refused(told)) = &case.expected else { continue };
        for line in told.lines().filter(|line| !line.starts_with("  hint: ")) {
            let file = case.tree.iter().find(|node| line.starts_with(&format!("{}:", node.path)));
            let folder = |node: &Node| {
                let (folder, _) = node.path.split_once('/').unwrap_or_default();
                [format!("\"{folder}\""), format!("\"{folder}/")].iter().any(|named| line.contains(named))
            };
            let Some(file) = file else {
                wrong.extend((!case.tree.iter().any(folder)).then(|| format!("{}: no file: {line}", case.name)));
                continue;
            };
            let (_, text) = line[file.path.len() + 1..].split_once(": ").unwrap_or_default();
            let is_kustomization = file.path.to_lowercase().contains("kustomization");
            if is_kustomization && !text.is_empty() && !field.is_match(text) && !whole(text) {
                wrong.push(format!("{}: no field: {line}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

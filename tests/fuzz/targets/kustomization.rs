//! Whole kustomizations, in the form of the cases of `tests/cases/kustomize`: a build ends within its limits, is the same
//! each time, and what it makes can be written and read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tandem::object::yaml;
use tandem::render::{Limits, MemTree, Options, render};

/// The files of a text: each stands behind a line `-- PATH --`, a link behind `-- PATH -> TARGET --`.
fn tree(text: &str) -> MemTree {
    let mut tree = MemTree::new();
    let mut open: Option<(&str, String)> = None;
    for line in text.split_inclusive('\n') {
        let title = line.trim_end().strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --"));
        match (title, &mut open) {
            (Some(title), _) => {
                if let Some((path, content)) = open.take() {
                    tree = with(tree, path, content);
                }
                open = Some((title, String::new()));
            }
            (None, Some((_, content))) => content.push_str(line),
            (None, None) => {}
        }
    }
    match open {
        Some((path, content)) => with(tree, path, content),
        None => tree,
    }
}

fn with(tree: MemTree, title: &str, content: String) -> MemTree {
    match title.split_once(" -> ") {
        _ if title.split('/').any(|name| matches!(name, "" | "." | "..")) => tree,
        Some((path, target)) if !path.is_empty() => tree.symlink(path, target),
        _ => tree.file(title, content),
    }
}

/// Equal, where a number is one whatever it is kept as: the largest whole ones are floats to kubectl.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((ak, av), (bk, bv))| ak == bk && same(av, bv))
        }
        _ => one == other,
    }
}

fuzz_target!(|text: &str| {
    let tree = tree(text);
    let limits = Limits {
        work: 200_000,
        total_memory: 8 << 20,
        total_bytes: 1 << 20,
        nodes: 20_000,
        documents: 200,
        files: 200,
        objects: 500,
        ..Limits::agent()
    };
    let options = Options::from(limits);
    let rendered = render(&tree, "app", &options);
    assert!(!rendered.manifests.is_empty() || !rendered.problems.is_empty() || !rendered.needs.is_empty());
    for manifest in &rendered.manifests {
        let text = yaml::write(&manifest.body);
        let (again, problems) = yaml::read("a.yaml", text.as_bytes(), &yaml::Limits::default());
        assert!(problems.is_empty(), "{problems:?} in what was written:\n{text}");
        assert!(again.len() == 1 && same(&again[0].value, &manifest.body), "{text}");
    }
    assert_eq!(rendered, render(&tree, "app", &options));
    let explained = render(&tree, "app", &Options { explain: true, ..options });
    assert!(rendered.manifests.iter().map(|m| &m.body).eq(explained.manifests.iter().map(|m| &m.body)));
});

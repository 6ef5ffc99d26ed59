//! Folders of plain manifests, each with what a render of it yields.
//!
//! A case is a folder of `tests/cases/render`: `in/` is the repository, `case.json` says what
//! differs from the defaults (`path`, which is `deploy`; `limits`; `submodules`, paths that no
//! working copy can hold; `substitute`, with `vars`, `secrets` and `unknown`), and `expected.json` holds manifests and problems. After a change that
//! is meant, `TANDEM_BLESS=1 cargo test render_cases` writes the latter anew; review the diff.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tandem::object::{Manifest, Problem};
use tandem::render::substitute::{Secrecy, Unknown, Variable, Variables};
use tandem::render::{Limits, MemTree, Options, Rendered, render};

fn load(mut tree: MemTree, folder: &Path, prefix: &str) -> MemTree {
    let mut entries: Vec<_> = fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().expect("a name").to_str().expect("UTF-8");
        let inner = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        let kind = fs::symlink_metadata(&path).expect("metadata").file_type();
        tree = if kind.is_symlink() {
            tree.symlink(&inner, fs::read_link(&path).expect("a link").to_str().expect("UTF-8"))
        } else if kind.is_dir() {
            load(tree, &path, &inner)
        } else {
            tree.file(&inner, fs::read(&path).expect("a file"))
        };
    }
    tree
}

fn limits(over: &Value) -> Limits {
    let mut limits = serde_json::to_value(Limits::default()).expect("JSON");
    for (name, value) in over.as_object().into_iter().flatten() {
        assert!(limits.get(name).is_some(), "there is no limit {name}");
        limits[name] = value.clone();
    }
    serde_json::from_value(limits).expect("limits")
}

fn variables(settings: &Value) -> Option<Variables> {
    let settings = settings.as_object()?;
    let mut variables = Variables::default();
    if settings.get("unknown").is_some_and(|unknown| unknown == "Keep") {
        variables.unknown = Unknown::Keep;
    }
    let fields = [("vars", "spec.substitute.vars", Secrecy::Plain), ("secrets", "Secret shop/db", Secrecy::Secret)];
    for (field, origin, secrecy) in fields {
        for (name, value) in settings.get(field).and_then(Value::as_object).into_iter().flatten() {
            variables.set(name, Variable::new(value.as_str().expect("a text"), origin, secrecy));
        }
    }
    Some(variables)
}

fn shown(rendered: &Rendered) -> Value {
    let manifest = |m: &Manifest| {
        let at = format!("{}:{}#{}", m.origin.file, m.origin.line, m.origin.document);
        let mut shown = json!({"at": at, "id": m.id.to_inventory(), "body": m.body});
        if !m.masked.is_empty() {
            shown["masked"] = json!(m.masked);
        }
        shown
    };
    let problem = |p: &Problem| match &p.hint {
        Some(hint) => json!(format!("{p}\nhint: {hint}").split('\n').collect::<Vec<_>>()),
        None => json!([p.to_string()]),
    };
    json!({
        "manifests": rendered.manifests.iter().map(manifest).collect::<Vec<_>>(),
        "problems": rendered.problems.iter().map(problem).collect::<Vec<_>>(),
    })
}

#[test]
fn every_case_renders_as_expected() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/render");
    let bless = std::env::var_os("TANDEM_BLESS").is_some();
    let mut cases: Vec<_> = fs::read_dir(&root).expect("the cases").map(|e| e.expect("an entry").path()).collect();
    cases.sort();
    assert!(cases.len() >= 30, "cases are missing");
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        let settings: Value = match fs::read(case.join("case.json")) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{name}: {e}")),
            Err(_) => json!({}),
        };
        let mut tree = load(MemTree::new(), &case.join("in"), "");
        for path in settings["submodules"].as_array().into_iter().flatten() {
            tree = tree.submodule(path.as_str().expect("a path"));
        }
        let path = settings["path"].as_str().unwrap_or("deploy");
        let options = Options::from(limits(&settings["limits"]));
        let options = Options { substitute: variables(&settings["substitute"]), ..options };
        let rendered = render(&tree, path, &options);
        let actual = serde_json::to_string_pretty(&shown(&rendered)).expect("JSON") + "\n";
        let file = case.join("expected.json");
        if bless {
            fs::write(&file, &actual).expect("written");
        }
        let expected = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        if actual != expected {
            wrong.push(format!("{name}: expected\n{expected}but got\n{actual}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

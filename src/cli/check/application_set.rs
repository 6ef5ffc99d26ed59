//! Which folders an Argo CD ApplicationSet deploys: its template with what its generators list. The generators `list` and
//! `git` with directories say it in the repository; the others ask a cluster or a forge.

use std::collections::BTreeMap;

use serde_json::Value;

use super::roots::join;
use crate::render::{EntryKind, Tree};

/// What a generator gives for one Application, by the name that the template uses.
type Parameters = BTreeMap<String, String>;

/// A folder, and the namespace that it is deployed to.
#[derive(Debug, PartialEq, Eq)]
pub struct Deployed {
    pub path: String,
    pub namespace: Option<String>,
}

/// What an ApplicationSet deploys of a tree, and why some of it is not known.
pub fn deployed(spec: &Value, tree: &dyn Tree) -> (Vec<Deployed>, Vec<String>) {
    let template = &spec["template"]["spec"];
    let sources = template["sources"].as_array().into_iter().flatten().chain(std::iter::once(&template["source"]));
    let paths: Vec<&str> = sources.filter_map(|source| source["path"].as_str()).collect();
    let namespace = template["destination"]["namespace"].as_str();
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    if paths.iter().all(|path| !path.contains("{{")) {
        let namespace = namespace.filter(|namespace| !namespace.contains("{{")).map(str::to_owned);
        return (
            paths.into_iter().map(|path| Deployed { path: path.to_owned(), namespace: namespace.clone() }).collect(),
            unknown,
        );
    }
    for generator in spec["generators"].as_array().into_iter().flatten() {
        let all = match generated(generator, tree) {
            Ok(all) => all,
            Err(why) => {
                unknown.push(why);
                continue;
            }
        };
        for parameters in all {
            for path in &paths {
                match filled(path, &parameters) {
                    Some(path) => {
                        let namespace = namespace.and_then(|namespace| filled(namespace, &parameters));
                        found.push(Deployed { path, namespace });
                    }
                    None => unknown.push(format!("{path} has more than a parameter in it")),
                }
            }
        }
    }
    unknown.dedup();
    (found, unknown)
}

fn generated(generator: &Value, tree: &dyn Tree) -> Result<Vec<Parameters>, String> {
    if let Some(elements) = generator["list"]["elements"].as_array() {
        return Ok(elements.iter().map(|element| flat("", element)).collect());
    }
    if let Some(directories) = generator["git"]["directories"].as_array() {
        let patterns: Vec<(&str, bool)> = directories
            .iter()
            .filter_map(|directory| Some((directory["path"].as_str()?, directory["exclude"] == Value::Bool(true))))
            .collect();
        let mut folders = Vec::new();
        walk(tree, "", 0, &mut folders);
        let fits = |folder: &str, excluded: bool| {
            patterns.iter().any(|(pattern, not)| *not == excluded && glob(pattern, folder))
        };
        return Ok(folders.into_iter().filter(|f| fits(f, false) && !fits(f, true)).map(|f| of_folder(&f)).collect());
    }
    let name = generator.as_object().and_then(|fields| fields.keys().next()).map_or("?", String::as_str);
    Err(format!("what its generator {name} lists does not stand in folders of the repository"))
}

/// The fields of an element by their paths.
fn flat(above: &str, element: &Value) -> Parameters {
    let mut parameters = Parameters::new();
    for (name, value) in element.as_object().into_iter().flatten() {
        let name = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            Value::String(text) => drop(parameters.insert(name, text.clone())),
            Value::Object(_) => parameters.extend(flat(&name, value)),
            Value::Number(_) | Value::Bool(_) => drop(parameters.insert(name, value.to_string())),
            _ => {}
        }
    }
    parameters
}

/// What the git generator says of a folder, with and without Go templates.
fn of_folder(folder: &str) -> Parameters {
    let name = folder.rsplit('/').next().unwrap_or(folder);
    let normal = |text: &str| text.replace('_', "-");
    let mut parameters = Parameters::from([
        ("path".to_owned(), folder.to_owned()),
        ("path.path".to_owned(), folder.to_owned()),
        ("path.basename".to_owned(), name.to_owned()),
        ("path.basenameNormalized".to_owned(), normal(name)),
    ]);
    for (at, segment) in folder.split('/').enumerate() {
        parameters.insert(format!("path[{at}]"), segment.to_owned());
        parameters.insert(format!("index path.segments {at}"), segment.to_owned());
    }
    parameters
}

const DEEPEST: usize = 20;

fn walk(tree: &dyn Tree, folder: &str, depth: usize, folders: &mut Vec<String>) {
    let entries = tree.list(folder).ok().flatten().unwrap_or_default();
    let below = entries.into_iter().filter(|entry| entry.kind == EntryKind::Folder && !entry.name.starts_with('.'));
    for entry in below {
        let path = join(folder, &entry.name);
        if depth < DEEPEST {
            walk(tree, &path, depth + 1, folders);
        }
        folders.push(path);
    }
}

/// A text with all its parameters; `None` where one is not known, or something else stands in the braces.
fn filled(text: &str, parameters: &Parameters) -> Option<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, behind) = after.split_once("}}")?;
        let words: Vec<&str> = inside.split_whitespace().map(|word| word.strip_prefix('.').unwrap_or(word)).collect();
        filled.push_str(before);
        filled.push_str(parameters.get(&words.join(" "))?);
        rest = behind;
    }
    Some(filled + rest)
}

/// Whether a path fits a pattern in which `*` is any part of a name, and `**` any number of folders.
fn glob(pattern: &str, path: &str) -> bool {
    let parts = |text: &str| text.trim_matches('/').split('/').map(str::to_owned).collect::<Vec<_>>();
    segments(&parts(pattern), &parts(path))
}

fn segments(pattern: &[String], path: &[String]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => (0..=path.len()).any(|skipped| segments(rest, &path[skipped..])),
        (Some((first, rest)), Some((name, below))) => word(first.as_bytes(), name.as_bytes()) && segments(rest, below),
        _ => false,
    }
}

fn word(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|skipped| word(rest, &name[skipped..])),
        Some((b'?', rest)) => !name.is_empty() && word(rest, &name[1..]),
        Some((letter, rest)) => name.first() == Some(letter) && word(rest, &name[1..]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::render::MemTree;

    fn tree() -> MemTree {
        ["apps/web/a.yaml", "apps/db_main/a.yaml", "apps/old/a.yaml", "apps/web/sub/a.yaml", "other/x/a.yaml"]
            .into_iter()
            .fold(MemTree::new(), |tree, path| tree.file(path, "a: b\n"))
    }

    fn told(generators: Value, path: &str, namespace: &str) -> (Vec<String>, usize) {
        let spec = json!({"generators": generators, "template": {"spec": {
            "source": {"path": path}, "destination": {"namespace": namespace}}}});
        let (found, unknown) = deployed(&spec, &tree());
        let told = |one: Deployed| format!("{} {}", one.path, one.namespace.unwrap_or_default());
        (found.into_iter().map(told).collect(), unknown.len())
    }

    #[test]
    fn folders_are_those_that_the_generators_list() {
        let directories =
            json!([{"git": {"directories": [{"path": "apps/*"}, {"path": "apps/old", "exclude": true}]}}]);
        let list = json!([{"list": {"elements": [{"name": "web", "at": {"ns": "shop"}}, {"name": "db_main", "at": {"ns": "data"}}]}}]);
        let both = vec!["apps/db_main db-main".to_owned(), "apps/web web".to_owned()];
        for (path, namespace) in [
            ("{{path}}", "{{path.basenameNormalized}}"),
            ("{{ .path.path }}", "{{.path.basenameNormalized}}"),
            ("{{index .path.segments 0}}/{{.path.basename}}", "{{path.basenameNormalized}}"),
            ("{{path[0]}}/{{path[1]}}", "{{path.basenameNormalized}}"),
        ] {
            assert_eq!(told(directories.clone(), path, namespace), (both.clone(), 0), "{path}");
        }
        let listed = vec!["apps/web shop".to_owned(), "apps/db_main data".to_owned()];
        assert_eq!(told(list, "apps/{{.name}}", "{{at.ns}}"), (listed, 0));
        let deep = json!([{"git": {"directories": [{"path": "apps/**"}]}}]);
        assert_eq!(told(deep, "{{path}}", "").0.len(), 5);
        assert_eq!(told(json!([]), "apps/web", "shop"), (vec!["apps/web shop".to_owned()], 0));
    }

    #[test]
    fn what_is_not_known_is_told() {
        for generators in [
            json!([{"clusters": {}}]),
            json!([{"matrix": {"generators": []}}]),
            json!([{"git": {"files": [{"path": "*.json"}]}}]),
            json!([{"list": {"elements": [{"other": "web"}]}}]),
        ] {
            let (found, unknown) = told(generators.clone(), "apps/{{name}}", "");
            assert_eq!((found.len(), unknown), (0, 1), "{generators}");
        }
        let directories = json!([{"git": {"directories": [{"path": "apps/web"}]}}]);
        assert_eq!(told(directories, "{{ .path.path | lower }}", "").1, 1);
    }
}

//! What stands in manifests/ is what the types and the program say.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};
use tandem::object::yaml;

use crate::cli::Folder;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Holds a file equal to a text; with `UPDATE=1` in the environment it writes the file instead.
fn holds(path: &str, expected: &str) {
    let file = Path::new(ROOT).join(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, expected).unwrap_or_else(|e| panic!("{path}: {e}"));
    }
    let found = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{path}: {e}"));
    assert!(found == expected, "{path} is not what the types say; write it anew with: UPDATE=1 cargo test manifests");
}

#[test]
fn the_definitions_are_those_of_the_types() {
    holds("manifests/crds.yaml", &tandem::api::crds::text());
    holds("charts/tandem/files/crds.yaml", &tandem::api::crds::text());
}

#[test]
fn the_schemas_of_editors_are_those_of_the_types() {
    let all = tandem::api::files::schemas();
    for (name, schema) in &all {
        let text = serde_json::to_string_pretty(schema).expect("JSON") + "\n";
        holds(&format!("manifests/schemas/{name}"), &text);
    }
    let found = fs::read_dir(Path::new(ROOT).join("manifests/schemas")).expect("the schemas").count();
    assert_eq!(found, all.len(), "a schema of a kind that is gone");
}

#[test]
fn export_prints_what_manifests_hold() {
    let exported = Folder::with(&[]).command(&["install", "--export"]).output().expect("the program runs");
    assert!(exported.status.success(), "{exported:?}");
    assert_eq!(String::from_utf8_lossy(&exported.stderr), "");
    let read = |path: &str| fs::read_to_string(Path::new(ROOT).join(path)).expect(path);
    let manifests = read("manifests/crds.yaml") + "---\n" + &read("manifests/agent.yaml");
    assert_eq!(String::from_utf8(exported.stdout).expect("UTF-8"), manifests);
}

/// A validator that is not our own, for each schema that editors are given, by kind.
fn validators() -> BTreeMap<String, Validator> {
    let files = fs::read_dir(Path::new(ROOT).join("manifests/schemas")).expect("the schemas");
    let validators = files.map(|file| {
        let path = file.expect("a file").path();
        let schema: Value = serde_json::from_slice(&fs::read(&path).expect("a schema")).expect("JSON");
        assert!(jsonschema::meta::is_valid(&schema), "{}: {:?}", path.display(), jsonschema::meta::validate(&schema));
        let kind = schema["properties"]["kind"]["const"].as_str().expect("a kind").to_owned();
        (kind, jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    });
    validators.collect()
}

fn documents(name: &str, text: &str) -> Vec<Value> {
    let (documents, problems) = yaml::read(name, text.as_bytes(), &yaml::Limits::default());
    assert_eq!(problems, [], "{name}");
    documents.into_iter().map(|document| document.value).collect()
}

/// Documents of our kinds that people read: in the pages and the starter standard.
fn good() -> Vec<(String, Value)> {
    let mut good = Vec::new();
    for (folder, end) in [("manifests/docs", ".md"), ("manifests/standard", ".test.yaml")] {
        for file in fs::read_dir(Path::new(ROOT).join(folder)).expect(folder) {
            let path = file.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).expect("a text");
            let texts: Vec<&str> = match end {
                _ if !name.ends_with(end) => continue,
                ".md" => {
                    text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().expect("an end")).collect()
                }
                _ => vec![&text],
            };
            // A page also shows parts of documents.
            for text in texts.into_iter().filter(|text| text.contains("apiVersion: tandemcd.io/")) {
                let all = documents(&name, text).into_iter();
                let ours = all.filter(|one| one["apiVersion"].as_str().is_some_and(|v| v.starts_with("tandemcd.io/")));
                good.extend(ours.map(|one| (name.clone(), one)));
            }
        }
    }
    good
}

#[test]
fn what_the_pages_show_is_valid_by_the_schemas_of_editors() {
    let validators = validators();
    let mut seen = BTreeMap::new();
    for (name, document) in good() {
        let kind = document["kind"].as_str().expect("a kind").to_owned();
        let Some(validator) = validators.get(&kind) else { panic!("{name}: no schema of {kind}") };
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {document:#}: {errors:#?}");
        *seen.entry(kind).or_insert(0) += 1;
    }
    assert_eq!(seen.keys().collect::<Vec<_>>(), validators.keys().collect::<Vec<_>>(), "a good document of every kind");
}

/// Every way to be wrong that a schema knows: each required field left out, a field too much and a wrong type wherever a
/// document has an object, another kind and another version.
#[test]
fn what_is_wrong_is_invalid_by_the_schemas_of_editors() {
    let validators = validators();
    let mut refused = BTreeMap::new();
    for (name, document) in good() {
        let kind = document["kind"].as_str().expect("a kind").to_owned();
        let validator = &validators[&kind];
        let mut refuse = |what: String, wrong: Value| {
            assert!(!validator.is_valid(&wrong), "{name}: {what} is valid: {wrong:#}");
            *refused.entry(kind.clone()).or_insert(0) += 1;
        };
        let with = |pointer: &str, value: Value| {
            let mut other = document.clone();
            *other.pointer_mut(pointer).expect("a field") = value;
            other
        };
        refuse("another kind".to_owned(), with("/kind", json!("Other")));
        refuse("another version".to_owned(), with("/apiVersion", json!("tandemcd.io/v9")));
        for field in ["apiVersion", "kind", "metadata", "spec"] {
            let mut without = document.clone();
            without.as_object_mut().expect("an object").remove(field);
            refuse(format!("without {field}"), without);
            for wrong in [json!(1), json!([]), json!(null)] {
                refuse(format!("{field} as {wrong}"), with(&format!("/{field}"), wrong));
            }
        }
        let spec = document["spec"].as_object().expect("an object");
        let required =
            fs::read_to_string(Path::new(ROOT).join(format!("manifests/schemas/{}.json", kind.to_lowercase())));
        let schema: Value = serde_json::from_str(&required.expect("a schema")).expect("JSON");
        for field in schema["properties"]["spec"]["required"].as_array().into_iter().flatten() {
            let mut without = document.clone();
            without["spec"].as_object_mut().expect("an object").remove(field.as_str().expect("a name"));
            refuse(format!("without spec.{field}"), without);
        }
        for field in spec.keys() {
            let strange = |value: &Value| if value.is_object() { json!([true]) } else { json!({"strange": [true]}) };
            refuse(format!("spec.{field} of a wrong type"), with(&format!("/spec/{field}"), strange(&spec[field])));
        }
        let mut more = document.clone();
        more["spec"]["strange"] = json!(true);
        refuse("spec.strange".to_owned(), more);
        let mut more = document.clone();
        more["strange"] = json!(true);
        refuse("strange".to_owned(), more);
    }
    assert_eq!(refused.len(), validators.len());
    assert!(refused.values().all(|count| *count > 15), "{refused:?}");
    // Values of a field that are none of its own.
    for (kind, spec) in [
        ("Standard", json!({"repositoryRef": {"name": "a", "namespace": "b"}, "path": "c", "action": "Refuse"})),
        ("Standard", json!({"repositoryRef": {"name": "a", "namespace": "b"}, "floor": {"review": "Some"}})),
        ("Sync", json!({"repositoryRef": {"name": "a"}, "path": "b", "deletionPolicy": "Keep"})),
        ("Sync", json!({"repositoryRef": {"name": "a"}, "path": "b", "deletionBudget": {"maxPercent": "20"}})),
        ("Repository", json!({"url": "https://example.com/a", "ref": {"branch": 1}})),
        ("PolicyTest", json!({"policy": "a", "cases": [{"name": "b", "expect": "refuse", "object": {}}]})),
        ("PolicyTest", json!({"policy": "a", "cases": [{"name": "b", "expect": "deny", "operation": "PATCH"}]})),
        (
            "Waiver",
            json!({"policy": "a", "owner": "b", "reason": "c", "expires": "2026-12-31", "object": {"kind": "d", "name": "e"}}),
        ),
    ] {
        let wrong =
            json!({"apiVersion": "tandemcd.io/v1alpha1", "kind": kind, "metadata": {"name": "a"}, "spec": spec});
        assert!(!validators[kind].is_valid(&wrong), "{wrong:#}");
    }
}

/// The page about attacks names tests: each is there, in the file that is named. And the reasons that it names are ones
/// that the program gives.
#[test]
fn the_attacks_that_are_told_are_tried() {
    let page = fs::read_to_string(Path::new(ROOT).join("manifests/docs/attacks.md")).expect("the page");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| precondition | attack"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert!(rows.len() > 25, "{} rows are read", rows.len());
    let mut sources = String::new();
    let mut folders = vec![Path::new(ROOT).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                sources.push_str(&fs::read_to_string(path).expect("a file"));
            }
        }
    }
    for row in rows {
        let [precondition, attack, state, tests] = row.as_slice() else { panic!("{row:?} has not four columns") };
        assert!(!precondition.is_empty() && !attack.is_empty(), "{row:?}");
        for named in tests.split("; ") {
            let (file, test) = named.split_once("` ").unwrap_or_else(|| panic!("{attack}: {named}"));
            let file = Path::new(ROOT).join(file.trim_start_matches('`'));
            let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{attack}: {}: {e}", file.display()));
            assert!(text.contains(&format!("fn {test}()")), "{attack}: {} has no test {test}", file.display());
        }
        for reason in state.split('`').skip(1).step_by(2) {
            assert!(sources.contains(reason), "{attack}: nothing gives the reason {reason}");
        }
    }
}

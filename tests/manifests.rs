//! What stands in manifests/ is what the types and the program say.

use std::fs;
use std::path::Path;

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
    let crds = tandem::api::crds::definitions();
    let text: Vec<String> = crds.iter().map(|crd| serde_yaml::to_string(crd).expect("YAML")).collect();
    let text = format!("# Made from the types in src/api: UPDATE=1 cargo test manifests\n{}", text.join("---\n"));
    holds("manifests/crds.yaml", &text);
}

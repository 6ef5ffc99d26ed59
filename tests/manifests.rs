//! What stands in manifests/ is what the types and the program say.

use std::fs;
use std::path::Path;

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
fn export_prints_what_manifests_hold() {
    let exported = Folder::with(&[]).command(&["install", "--export"]).output().expect("the program runs");
    assert!(exported.status.success(), "{exported:?}");
    assert_eq!(String::from_utf8_lossy(&exported.stderr), "");
    let read = |path: &str| fs::read_to_string(Path::new(ROOT).join(path)).expect(path);
    let manifests = read("manifests/crds.yaml") + "---\n" + &read("manifests/agent.yaml");
    assert_eq!(String::from_utf8(exported.stdout).expect("UTF-8"), manifests);
}

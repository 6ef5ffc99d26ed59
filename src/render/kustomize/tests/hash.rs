//! Every hash is one that kustomize v5.8.2 put behind a name.

use serde_json::json;

use super::*;

#[test]
fn hashes_are_those_of_kustomize() {
    let wrapped = "/wBhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYW\nFhYWFhYWFhYWE=\n";
    for (kind, content, expected) in [
        ("ConfigMap", json!({}), "6ct58987ht"),
        (
            "ConfigMap",
            json!({"data": {"a": "1", "b": "x y", "c": "q", "d": "\"", "e": "", "f": "=x", "g": "", "h": "\"x'"}}),
            "f97tk9ttct",
        ),
        (
            "ConfigMap",
            json!({
                "data": {"t.txt": "héllo <b>&\u{2028}\u{8}\u{c}\u{1}\n"},
                "binaryData": {"k": wrapped, "x.bin": wrapped},
            }),
            "k9tmm98h99",
        ),
        ("Secret", json!({"data": {}, "type": "Opaque"}), "46f8b28mk5"),
        (
            "Secret",
            json!({"data": {"A": "MQ==", "B": "", "C ": "IDIgPSAzIA==", "D": "InEi", "E": "NQ=="}, "type": "Opaque"}),
            "52df68m2g4",
        ),
        // Set by patches on generated ones.
        (
            "ConfigMap",
            json!({"data": {"a": 5, "b": 1.5, "c": true, "d": 1e22, "e": 1e-7, "f": ["x", {"z": 1, "y": "<"}]}}),
            "87f2k54kcf",
        ),
        ("ConfigMap", json!({"data": ["x"]}), "dk855m5d49"),
        ("ConfigMap", json!({"data": {"o": "1"}, "binaryData": {}}), "c8cg9hc59c"),
        ("ConfigMap", json!({"data": "text"}), "6t2hfm47h5"),
        ("Secret", json!({"data": {"o": "MQ=="}, "stringData": {"k": "v"}, "type": "foo"}), "hh25bfhfkc"),
    ] {
        let mut body = content.clone();
        body["kind"] = json!(kind);
        body["metadata"] = json!({"name": "no part of it"});
        assert_eq!(hash(&body).as_deref(), Ok(expected), "{kind} {content}");
    }
    let error = hash(&json!({"kind": "Deployment"})).expect_err("another kind");
    assert!(error.contains("Deployment") && error.contains("disableNameSuffixHash"), "{error}");
}

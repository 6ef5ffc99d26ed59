//! The reader of YAML: what it reads is written so that it, and a reader of JSON, read the same back; its two ways to read
//! a text agree; limits hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tandem::object::yaml::{self, Dialect, Document, Limits};

/// A document that only the whole parser reads, so that it reads what follows as well.
const UNUSUAL: &str = "&anchor 1\n---\n";

fn limits() -> Limits {
    Limits { bytes: 1 << 16, documents: 50, nodes: 2000, depth: 30, aliases: 50, ..Limits::default() }
}

fn values(documents: &[Document]) -> Vec<(&serde_json::Value, u32)> {
    documents.iter().map(|document| (&document.value, document.line)).collect()
}

fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        serde_json::Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let limits = limits();
    for dialect in [Dialect::Kustomize, Dialect::Patch] {
        let _ = yaml::read_as(dialect, "a.yaml", bytes, &limits);
    }
    let (documents, problems) = yaml::read("a.yaml", bytes, &limits);
    for problem in &problems {
        assert_eq!(problem.file.as_deref(), Some("a.yaml"), "{problem}");
    }
    assert!(documents.len() <= limits.documents as usize);
    for document in &documents {
        assert!(depth(&document.value) <= limits.depth as usize + 1);
        let plenty = Limits::default();
        // What begins with a brace is JSON to kubectl, and anything else YAML, which has no DEL as it is.
        let json = document.value.is_object().then(|| document.value.to_string());
        for text in [Some(yaml::write(&document.value)), json].into_iter().flatten() {
            let (again, problems) = yaml::read("b.yaml", text.as_bytes(), &plenty);
            assert!(problems.is_empty(), "{problems:?} in what was written:\n{text}");
            assert_eq!(again.len(), 1, "{text}");
            assert_eq!(again[0].value, document.value, "{text}");
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(places) = yaml::places::places("a.yaml", &yaml::places::readable(text), &limits) {
        drop(places);
    }
    // A directive stands at a head, and a byte order mark at the start; JSON is read by a way of its own.
    if problems.is_empty() && !text.starts_with(['%', '\u{feff}', '{', '[', '"']) {
        let behind = Limits { nodes: limits.nodes + 2, documents: limits.documents + 2, ..limits };
        let (slowly, problems) = yaml::read("a.yaml", format!("{UNUSUAL}{text}").as_bytes(), &behind);
        if problems.is_empty() {
            let slowly: Vec<_> = values(&slowly).into_iter().skip(1).map(|(value, line)| (value, line - 2)).collect();
            assert_eq!(values(&documents), slowly);
        }
    }
});

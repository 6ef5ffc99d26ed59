//! SARIF 2.1.0, which code hosts and editors show.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::gitlab::fingerprint;
use crate::cli::check::Checked;
use crate::cli::check::finding::{Finding, Level};

/// The log of one run.
pub fn sarif(checked: &Checked) -> Value {
    let rules: BTreeSet<&str> = checked.findings.iter().map(|finding| finding.rule.as_str()).collect();
    let rules: Vec<Value> =
        rules.into_iter().map(|id| json!({"id": id, "name": id, "shortDescription": {"text": words(id)}})).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "tandem",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": checked.findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result(finding: &Finding) -> Value {
    let level = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    json!({
        "ruleId": finding.rule,
        "level": level,
        "message": {"text": finding.text()},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(finding.place()), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": finding.line.unwrap_or(1)},
        }}],
        "partialFingerprints": {"tandem/v1": fingerprint(finding)},
    })
}

/// A path as a relative reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(byte.into()),
            byte => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri
}

/// `UnknownField` as words.
fn words(rule: &str) -> String {
    let mut words = String::new();
    for letter in rule.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(if words.is_empty() { letter } else { letter.to_ascii_lowercase() });
    }
    words
}

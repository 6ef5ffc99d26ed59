//! GitLab's code quality report: a list of issues in the form of Code Climate.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cli::check::Checked;
use crate::cli::check::finding::{Finding, Level};

/// The report.
pub fn gitlab(checked: &Checked) -> Value {
    Value::Array(checked.findings.iter().map(issue).collect())
}

fn issue(finding: &Finding) -> Value {
    let severity = match finding.level {
        Level::Error => "major",
        Level::Warning => "minor",
        Level::Note => "info",
    };
    json!({
        "description": finding.text(),
        "check_name": finding.rule,
        "fingerprint": fingerprint(finding),
        "severity": severity,
        "location": {"path": finding.place(), "lines": {"begin": finding.line.unwrap_or(1)}},
    })
}

/// What stays the same where lines are added above.
pub(super) fn fingerprint(finding: &Finding) -> String {
    let parts = [finding.place(), finding.object.as_deref().unwrap_or_default(), &finding.rule, &finding.message];
    Sha256::digest(parts.join("\0")).iter().map(|byte| format!("{byte:02x}")).collect()
}

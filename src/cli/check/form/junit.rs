//! JUnit XML: a suite for each folder that was rendered, a failed case for each error in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::cli::check::Checked;
use crate::cli::check::finding::{Finding, Level};

/// The report.
pub fn junit(checked: &Checked) -> String {
    let mut suites: BTreeMap<&str, Vec<&Finding>> =
        checked.roots.iter().map(|root| (root.as_str(), Vec::new())).collect();
    for finding in &checked.findings {
        suites.entry(&finding.root).or_default().push(finding);
    }
    let mut body = String::new();
    let (mut tests, mut failures) = (0, 0);
    for (root, findings) in suites {
        let failed = findings.iter().filter(|finding| finding.level == Level::Error).count();
        // A suite without a case is shown nowhere.
        let cases = findings.len().max(1);
        (tests, failures) = (tests + cases, failures + failed);
        let name = attribute(if root.is_empty() { "." } else { root });
        let _ = writeln!(body, "  <testsuite name=\"{name}\" tests=\"{cases}\" failures=\"{failed}\">");
        if findings.is_empty() {
            let _ = writeln!(body, "    <testcase name=\"nothing wrong\" classname=\"{name}\"/>");
        }
        findings.into_iter().for_each(|finding| body.push_str(&case(finding, &name)));
        body.push_str("  </testsuite>\n");
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"tandem check\" tests=\"{tests}\" failures=\"{failures}\">\n{body}</testsuites>\n"
    )
}

fn case(finding: &Finding, suite: &str) -> String {
    let place = match finding.line {
        Some(line) => format!("{}:{line}", finding.place()),
        None => finding.place().to_owned(),
    };
    let (name, text) = (attribute(&format!("{} {place}", finding.rule)), attribute(&finding.text()));
    let told = match finding.level {
        Level::Error => format!("<failure type=\"{}\" message=\"{text}\"/>", attribute(&finding.rule)),
        Level::Warning | Level::Note => format!("<system-out>{text}</system-out>"),
    };
    format!("    <testcase name=\"{name}\" classname=\"{suite}\">{told}</testcase>\n")
}

/// A text that may stand anywhere in XML 1.0, which has no place for most control characters.
pub fn attribute(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' | '\r' => escaped.push(' '),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

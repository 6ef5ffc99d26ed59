//! The forms in which the outcome of tests is printed.

use std::fmt::Write as _;

use super::Tested;
use super::suite::{Suite, Tried};
use crate::cli::check::form::attribute;
use crate::cli::output::{Paint, Tone, count};

/// A line for each test, with the cases that fail in full.
pub fn text(tested: &Tested, paint: Paint) -> String {
    let mut text = String::new();
    for suite in &tested.suites {
        let failed = suite.cases.iter().filter(|case| !case.passed).count();
        let word = if failed == 0 { paint.tone(Tone::Good, "ok  ") } else { paint.tone(Tone::Bad, "FAIL") };
        let of = if suite.name == suite.policy { String::new() } else { format!(" of {}", suite.policy) };
        let _ = writeln!(text, "{word} {}{of}: {}", suite.name, count(suite.cases.len(), "case"));
        for case in suite.cases.iter().filter(|case| !case.passed) {
            let _ = writeln!(text, "     {}: {}", place(suite, case), paint.tone(Tone::Strong, &case.name));
            let _ = writeln!(text, "       expected {}", case.expected);
            let _ = writeln!(text, "       got      {}", case.got);
        }
    }
    let errors = tested.broken.iter().chain(&tested.problems).map(|problem| (problem, Tone::Bad, "error:"));
    let warnings = tested.warnings.iter().map(|problem| (problem, Tone::Fair, "warning:"));
    for (problem, tone, word) in errors.chain(warnings) {
        let _ = writeln!(text, "{} {problem}", paint.tone(tone, word));
        if let Some(hint) = &problem.hint {
            let _ = writeln!(text, "  {} {hint}", paint.tone(Tone::Accent, "hint:"));
        }
    }
    let summary = &tested.summary;
    let policies = if summary.policies == 1 { "1 policy".to_owned() } else { format!("{} policies", summary.policies) };
    let mut parts = vec![format!("{} passed", summary.passed)];
    parts.extend((summary.failed > 0).then(|| format!("{} failed", summary.failed)));
    let errors = tested.broken.len() + tested.problems.len();
    parts.extend((errors > 0).then(|| count(errors, "error")));
    parts.extend((!tested.warnings.is_empty()).then(|| count(tested.warnings.len(), "warning")));
    let _ = writeln!(text, "{} of {policies}: {}", count(summary.passed + summary.failed, "case"), parts.join(", "));
    text
}

fn place(suite: &Suite, case: &Tried) -> String {
    match case.line {
        Some(line) => format!("{}:{line}", suite.file),
        None => suite.file.clone(),
    }
}

/// JUnit XML: a suite for each test, and one for what cannot be read.
pub fn junit(tested: &Tested) -> String {
    let mut body = String::new();
    for suite in &tested.suites {
        let failed = suite.cases.iter().filter(|case| !case.passed).count();
        let (name, cases) = (attribute(&suite.name), suite.cases.len());
        let _ = writeln!(body, "  <testsuite name=\"{name}\" tests=\"{cases}\" failures=\"{failed}\" errors=\"0\">");
        for case in &suite.cases {
            let head = format!("name=\"{}\" classname=\"{}\"", attribute(&case.name), attribute(&suite.policy));
            if case.passed {
                let _ = writeln!(body, "    <testcase {head}/>");
            } else {
                let place = attribute(&place(suite, case));
                let (expected, got) = (attribute(&case.expected), attribute(&case.got));
                let _ = writeln!(
                    body,
                    "    <testcase {head}><failure type=\"TestFailed\" message=\"{place}: expected {expected}; got {got}\"/></testcase>"
                );
            }
        }
        body.push_str("  </testsuite>\n");
    }
    let errors = tested.broken.len() + tested.problems.len();
    if errors > 0 {
        let _ = writeln!(body, "  <testsuite name=\"problems\" tests=\"{errors}\" failures=\"0\" errors=\"{errors}\">");
        for problem in tested.broken.iter().chain(&tested.problems) {
            let (rule, text) = (attribute(&problem.rule), attribute(&problem.to_string()));
            let _ = writeln!(
                body,
                "    <testcase name=\"{text}\" classname=\"{rule}\"><error type=\"{rule}\" message=\"{text}\"/></testcase>"
            );
        }
        body.push_str("  </testsuite>\n");
    }
    let summary = &tested.summary;
    let tests = summary.passed + summary.failed + errors;
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"tandem test\" tests=\"{tests}\" failures=\"{}\" errors=\"{errors}\">\n{body}</testsuites>\n",
        summary.failed
    )
}

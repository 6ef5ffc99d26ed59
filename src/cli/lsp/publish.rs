//! Findings as an editor shows them.

use std::ops::Range;

use lsp_types::{Diagnostic, DiagnosticSeverity, DiagnosticTag, NumberOrString};

use crate::cli::check::finding::{Finding, Level};
use crate::editor::{Encoding, Position, Text, mark};

/// The findings of a file.
pub fn diagnostics(findings: &[Finding], text: &Text, encoding: Encoding) -> Vec<Diagnostic> {
    findings.iter().map(|finding| diagnostic(finding, text, encoding)).collect()
}

fn diagnostic(finding: &Finding, text: &Text, encoding: Encoding) -> Diagnostic {
    let at = mark(text, finding.line, &finding.rule, &finding.message);
    let severity = match finding.level {
        Level::Error => DiagnosticSeverity::ERROR,
        Level::Warning => DiagnosticSeverity::WARNING,
        Level::Note => DiagnosticSeverity::INFORMATION,
    };
    Diagnostic {
        range: range(text, at, encoding),
        severity: Some(severity),
        code: Some(NumberOrString::String(finding.rule.clone())),
        source: Some("tandem".to_owned()),
        message: finding.text(),
        tags: (finding.rule == "DeprecatedApi").then(|| vec![DiagnosticTag::DEPRECATED]),
        ..Diagnostic::default()
    }
}

/// Bytes as an editor has them.
pub fn range(text: &Text, at: Range<usize>, encoding: Encoding) -> lsp_types::Range {
    let of = |offset| position(text.position(offset, encoding));
    lsp_types::Range { start: of(at.start), end: of(at.end) }
}

fn position(Position { line, character }: Position) -> lsp_types::Position {
    lsp_types::Position { line, character }
}

/// The byte at a position of an editor.
pub fn offset(text: &Text, at: lsp_types::Position, encoding: Encoding) -> usize {
    text.offset(Position { line: at.line, character: at.character }, encoding)
}

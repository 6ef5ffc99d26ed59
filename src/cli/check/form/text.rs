//! For people.

use crate::cli::check::Checked;
use crate::cli::check::finding::Level;
use crate::cli::output::{Paint, Tone, count};

/// A line for each finding, its advice below it, and what it comes to.
pub fn text(checked: &Checked, paint: Paint) -> String {
    let mut text = String::new();
    for finding in &checked.findings {
        let (tone, word) = match finding.level {
            Level::Error => (Tone::Bad, "error"),
            Level::Warning => (Tone::Fair, "warning"),
            Level::Note => (Tone::Accent, "note"),
        };
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        let object = finding.object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
        text.push_str(&format!(
            "{}{line}: {} {object}{} ({})\n",
            finding.place(),
            paint.tone(tone, &format!("{word}:")),
            finding.message,
            finding.rule
        ));
        if let Some(hint) = &finding.hint {
            text.push_str(&format!("  {} {hint}\n", paint.tone(Tone::Accent, "hint:")));
        }
    }
    let summary = &checked.summary;
    let found = [(summary.errors, "error"), (summary.warnings, "warning"), (summary.notes, "note")];
    let found: Vec<String> = found.iter().filter(|(number, _)| *number > 0).map(|(n, what)| count(*n, what)).collect();
    let found = if found.is_empty() { "nothing wrong".to_owned() } else { found.join(", ") };
    text.push_str(&format!(
        "{} in {}, {} Kubernetes {}{}: {found}\n",
        count(summary.objects, "object"),
        if summary.live { "the cluster".to_owned() } else { count(summary.roots, "folder") },
        if summary.live { "of" } else { "for" },
        summary.kubernetes,
        match summary.policies {
            0 => String::new(),
            1 => ", by 1 policy".to_owned(),
            policies => format!(", by {policies} policies"),
        }
    ));
    text
}

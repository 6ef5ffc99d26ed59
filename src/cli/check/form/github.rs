//! Annotations of a GitHub workflow.

use crate::cli::check::Checked;
use crate::cli::check::finding::Level;

/// A workflow command for each finding.
pub fn github(checked: &Checked) -> String {
    let mut text = String::new();
    for finding in &checked.findings {
        let command = match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "notice",
        };
        let mut properties = Vec::new();
        if let Some(file) = &finding.file {
            properties.push(format!("file={}", property(file)));
            properties.extend(finding.line.map(|line| format!("line={line}")));
        }
        properties.push(format!("title={}", property(&finding.rule)));
        text.push_str(&format!("::{command} {}::{}\n", properties.join(","), data(&finding.text())));
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

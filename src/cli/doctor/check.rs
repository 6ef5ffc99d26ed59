//! One thing that was looked at, and what was found.

use serde::Serialize;

use crate::cli::output::{Paint, Tone};

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Works, or could not be looked at; somebody should know.
    Warn,
    /// Does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What, in few words.
    pub name: String,
    /// What was found.
    pub verdict: Verdict,
    /// What was found, in words.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Check {
    /// As it should be.
    pub fn ok(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), verdict: Verdict::Ok, message: message.into(), hint: None }
    }

    /// Somebody should know.
    pub fn warn(name: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, hint: Some(hint.into()), ..Self::ok(name, message) }
    }

    /// Does not work.
    pub fn fail(name: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, hint: Some(hint.into()), ..Self::ok(name, message) }
    }
}

/// The checks as lines, with a last one that counts them.
pub fn text(checks: &[Check], paint: Paint) -> String {
    let mut text = String::new();
    for check in checks {
        let (tone, word) = match check.verdict {
            Verdict::Ok => (Tone::Good, "ok  "),
            Verdict::Warn => (Tone::Fair, "warn"),
            Verdict::Fail => (Tone::Bad, "fail"),
        };
        text.push_str(&format!("{}  {}: {}\n", paint.tone(tone, word), check.name, check.message));
        if let Some(hint) = &check.hint {
            text.push_str(&format!("      {} {hint}\n", paint.tone(Tone::Accent, "hint:")));
        }
    }
    let of = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    text.push_str(&format!("{} ok, {} to know, {} wrong\n", of(Verdict::Ok), of(Verdict::Warn), of(Verdict::Fail)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_is_a_line_and_its_hint_another() {
        let checks = [
            Check::ok("API server", "v1.36.3"),
            Check::warn("clock", "7 s behind", "set the clock"),
            Check::fail("lease", "nobody holds it", "start the agent"),
        ];
        insta::assert_snapshot!(text(&checks, Paint::Plain), @r"
        ok    API server: v1.36.3
        warn  clock: 7 s behind
              hint: set the clock
        fail  lease: nobody holds it
              hint: start the agent
        1 ok, 1 to know, 1 wrong
        ");
    }
}

//! Freezes: times in which nothing new is deployed, written down in reviewed files.

mod window;

use std::collections::BTreeSet;

use ignore::gitignore::Gitignore;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::patterns::patterns;
use crate::object::{Problem, spec_of, yaml};

/// Folder of the files in a repository.
pub const FOLDER: &str = ".tandem/freezes";
/// Bytes of one of them.
pub const FILE_BYTES: u64 = 1 << 20;
/// Files that are read.
pub const FILES: usize = 100;
/// Freezes of one file.
const DOCUMENTS: u32 = 100;
/// What is wrong with a file that cannot be meant so.
const RULE: &str = "InvalidFreeze";
/// Key of the line in a message by which a commit goes all the same.
pub const OVERRIDE: &str = "Tandem-Freeze-Override";

/// A time, coming again and again, in which nothing new is deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreezeSpec {
    /// When it begins, as cron has it: minute, hour, day of the month, month, day of the week.
    schedule: String,
    /// How long it lasts, such as `62h` or `14d`; a day has 24 hours, and there are 60 at most.
    duration: String,
    /// Time zone of the schedule, such as `Europe/Berlin`.
    #[serde(default = "utc")]
    time_zone: String,
    /// Why; everybody who waits reads it.
    reason: String,
    /// Patterns as in `.gitignore`, from the root of the repository, without `!`: what changes there is held. Everything
    /// is where none is written.
    #[serde(default)]
    paths: Vec<String>,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// A freeze, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub file: String,
    spec: FreezeSpec,
}

/// A freeze that lasts now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// What it is called.
    pub name: String,
    /// Where it stands, why, and until when, in words.
    pub told: String,
    /// When it ends.
    pub until: Timestamp,
}

/// Reads a file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(file: &str, bytes: &[u8]) -> Result<Vec<Freeze>, Vec<Problem>> {
    let limits = yaml::Limits { bytes: FILE_BYTES, documents: DOCUMENTS, nodes: 10_000, ..yaml::Limits::default() };
    let (documents, mut problems) = yaml::read(file, bytes, &limits);
    let mut freezes: Vec<Freeze> = Vec::new();
    for document in documents {
        let read = spec_of(&document.value, "Freeze", RULE).and_then(|spec: FreezeSpec| {
            let name = document.value.pointer("/metadata/name").and_then(|name| name.as_str());
            let freeze = Freeze { name: name.unwrap_or_default().to_owned(), file: file.to_owned(), spec };
            freeze.check()?;
            if freezes.iter().any(|other| other.name == freeze.name) {
                return Err(Problem::new(RULE, format!("{} is the name of two freezes", freeze.name)));
            }
            Ok(freeze)
        });
        match read {
            Ok(freeze) => freezes.push(freeze),
            Err(problem) => problems.push(problem.in_file(file, Some(document.line))),
        }
    }
    if problems.is_empty() { Ok(freezes) } else { Err(problems) }
}

impl Freeze {
    fn check(&self) -> Result<(), Problem> {
        let invalid = |message: String| Problem::new(RULE, message);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        if self.name.is_empty() || self.name.len() > 100 || !self.name.chars().all(plain) {
            return Err(invalid(format!("metadata.name: \"{}\" is no name", self.name.escape_debug()))
                .hint("use letters, digits, '-' and '.'"));
        }
        if self.spec.reason.trim().is_empty() {
            return Err(invalid("spec.reason is empty".to_owned()).hint("everybody who waits reads it"));
        }
        self.patterns().map_err(invalid)?;
        self.window().map(|_| ()).map_err(|(message, hint)| invalid(message).hint(hint))
    }

    fn window(&self) -> Result<window::Window, (String, String)> {
        window::Window::new(&self.spec.schedule, &self.spec.duration, &self.spec.time_zone)
    }

    fn patterns(&self) -> Result<Option<Gitignore>, String> {
        if self.spec.paths.is_empty() {
            return Ok(None);
        }
        patterns(&self.spec.paths).map(Some).map_err(|why| format!("spec.paths: {why}"))
    }

    /// Whether it speaks of one of these paths.
    fn concerns(&self, changed: &BTreeSet<String>) -> bool {
        match self.patterns() {
            Ok(Some(patterns)) => {
                changed.iter().any(|path| patterns.matched_path_or_any_parents(path, false).is_ignore())
            }
            // What cannot be read was refused before; it holds rather than not.
            Ok(None) | Err(_) => true,
        }
    }

    /// Whether it lasts at this time, and until when.
    fn lasts(&self, now: Timestamp) -> Option<Frozen> {
        let window = self.window().ok()?;
        let until = window.end(now)?;
        let Self { name, file, spec } = self;
        let shown = until.to_zoned(window.zone.clone()).strftime("%F %R").to_string();
        let told = format!("the freeze {name} ({file}: {}) lasts until {shown} {}", spec.reason.trim(), spec.time_zone);
        Some(Frozen { name: name.clone(), told, until })
    }
}

/// The freezes that last at this time and speak of one of the changed paths, or of any where these are not known.
pub fn frozen(freezes: &[Freeze], changed: Option<&BTreeSet<String>>, now: Timestamp) -> Vec<Frozen> {
    let mut found: Vec<Frozen> = Vec::new();
    for freeze in freezes {
        let concerns = |_: &Frozen| changed.is_none_or(|changed| freeze.concerns(changed));
        let Some(frozen) = freeze.lasts(now).filter(concerns) else { continue };
        if !found.contains(&frozen) {
            found.push(frozen);
        }
    }
    found
}

/// Whether a line of a message, by its key and value, lets its commit go in spite of the freeze of this name.
pub fn overrides(key: &str, value: &str, name: &str) -> bool {
    // Who goes ahead says why.
    key == OVERRIDE
        && value.trim().split_once(char::is_whitespace).is_some_and(|(of, why)| of == name && !why.trim().is_empty())
}

/// Whether a message has a line that would let its commit go in spite of a freeze, however it is written.
pub fn carries_override(message: &str) -> bool {
    message.lines().any(|line| {
        let line = line.trim_start_matches(|c: char| !c.is_alphanumeric());
        line.get(..OVERRIDE.len()).is_some_and(|key| key.eq_ignore_ascii_case(OVERRIDE))
    })
}

/// How long something that ends then still lasts.
pub fn left(until: Timestamp, now: Timestamp) -> std::time::Duration {
    let left: SignedDuration = until.duration_since(now);
    left.try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests;

//! What `check` tells.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::object::{Cause, Manifest, Problem};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It will be refused, or must not be there.
    Error,
    /// It works, and will not for long.
    Warning,
    /// Something was not checked, and why.
    Note,
}

impl Level {
    /// The level of a rule. What could not be looked at is no fault of the content.
    pub fn of(rule: &str) -> Self {
        match rule {
            "DeprecatedApi"
            | "WaiverExpired"
            | "WaiverExpiresSoon"
            | "BindingWithoutPolicy"
            | "ParameterWithoutPolicy" => Self::Warning,
            "NoSchema" | "NoDecryptionKey" | "SopsMissing" | "HelmMissing" | "RemoteNotFetched" | "PluginNotRun"
            | "NotAnswered" | "NotChecked" => Self::Note,
            _ => Self::Error,
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub level: Level,
    /// Path from the root of the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    pub rule: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What was rendered when it was found.
    pub root: String,
}

/// Something that was found in an object, before it is known where the field was written.
#[derive(Clone, Debug)]
pub struct Found {
    /// JSON pointer to the field.
    pub pointer: String,
    pub problem: Problem,
    pub level: Level,
}

impl Found {
    pub fn new(pointer: String, problem: Problem) -> Self {
        Self { pointer, level: Level::of(&problem.rule), problem }
    }

    /// The problem where the field was written, and by what, or where the object was.
    pub fn placed(problem: Problem, pointer: &str, manifest: &Manifest) -> Problem {
        let leaves = manifest.causes.as_deref().map(|causes| causes.leaves().into_iter().collect());
        let leaves: BTreeMap<String, &Cause> = leaves.unwrap_or_default();
        let Some(cause) = cause(pointer, &leaves) else { return problem.at(&manifest.origin) };
        let mut placed = problem.in_file(cause.file.clone(), cause.line);
        if !cause.by.is_empty() {
            placed.message = format!("{} (set by {})", placed.message, cause.by);
        }
        placed
    }
}

/// Why a field is there: its own cause, that of the first line in it, or that of what holds it.
fn cause<'a>(mut pointer: &str, leaves: &BTreeMap<String, &'a Cause>) -> Option<&'a Cause> {
    loop {
        let below = format!("{pointer}/");
        let inside =
            || leaves.range(below.clone()..).take_while(|(leaf, _)| leaf.starts_with(&below)).map(|(_, cause)| *cause);
        // What stands first in the file, of what was written together.
        let first = || {
            inside().filter(|one| inside().next().is_some_and(|other| (&one.file, &one.by) == (&other.file, &other.by)))
        };
        if let Some(cause) = leaves.get(pointer).copied().or_else(|| first().min_by_key(|cause| cause.line)) {
            return Some(cause);
        }
        pointer = &pointer[..pointer.rfind('/')?];
    }
}

impl Finding {
    /// With the level of its rule.
    pub fn new(problem: Problem, root: &str) -> Self {
        let level = Level::of(&problem.rule);
        Self::of_level(problem, level, root)
    }

    /// With a level of its own.
    pub fn of_level(problem: Problem, level: Level, root: &str) -> Self {
        let Problem { file, line, object, rule, message, hint } = problem;
        Self { level, file, line, object, rule, message, hint, root: root.to_owned() }
    }

    /// Reason and advice as one text.
    pub fn text(&self) -> String {
        let object = self.object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
        let hint = self.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{object}{}{hint}", self.message)
    }

    /// The file, or the folder that was rendered.
    pub fn place(&self) -> &str {
        match self.file.as_deref().unwrap_or(&self.root) {
            "" => ".",
            place => place,
        }
    }
}

/// In the order of files, and each of them once: what stands in a base is found by every overlay.
pub fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|one, other| {
        (&one.file, one.line, one.level, &one.rule, &one.message, &one.object, &one.root).cmp(&(
            &other.file,
            other.line,
            other.level,
            &other.rule,
            &other.message,
            &other.object,
            &other.root,
        ))
    });
    // Where no file says which it was, the object does.
    let object = |finding: &Finding| finding.object.clone().filter(|_| finding.file.is_none());
    findings.dedup_by(|later, first| {
        (&later.file, later.line, &later.rule, &later.message) == (&first.file, first.line, &first.rule, &first.message)
            && object(later) == object(first)
    });
    findings
}

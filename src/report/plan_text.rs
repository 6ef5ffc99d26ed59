//! The words for a plan that every reader sees: on a terminal, and on a pull request.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::object::{ObjectId, yaml};
use crate::plan::{Action, Change, FieldChange, Plan, Reason};

/// Lines of context around a changed line of a text.
const CONTEXT: usize = 2;

/// Whole objects, secret values masked, by identity.
pub type Bodies = BTreeMap<ObjectId, Value>;

/// One line of what differs in an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `+` for what comes, `-` for what goes, a blank for what stays.
    pub sign: char,
    /// Steps to the right, from 1.
    pub depth: usize,
    /// As it was written by others.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.sign, " ".repeat(self.depth * 4 - 1), self.text)
    }
}

/// What differs in an object: of one that is created all, where that is known.
pub fn details(change: &Change, created: &Bodies) -> Vec<Line> {
    let mut lines = Vec::new();
    match (change.action, created.get(&change.id)) {
        (Action::Created, Some(body)) => yaml::write(body).lines().for_each(|line| add(&mut lines, '+', 1, line)),
        _ => change.fields.iter().for_each(|field| field_lines(&mut lines, field)),
    }
    lines
}

/// What is done with an object, in one word.
pub fn word(action: Action) -> &'static str {
    match action {
        Action::Created => "created",
        Action::Configured => "configured",
        Action::Deleted => "deleted",
        Action::Skipped => "skipped",
        Action::Unchanged => "unchanged",
    }
}

/// `3 to create, 1 to configure, 12 unchanged, 1 refused`.
pub fn summary(plan: &Plan) -> String {
    let of = |action: Action| plan.changes.iter().filter(|change| change.action == action).count();
    let skipped = plan.changes.iter().filter(|c| c.action == Action::Skipped && c.reason != Reason::Refused).count();
    let parts = [
        (of(Action::Created), "to create"),
        (of(Action::Configured), "to configure"),
        (of(Action::Deleted), "to delete"),
        (of(Action::Unchanged), "unchanged"),
        (skipped, "skipped"),
        (plan.problems.len(), "refused"),
    ];
    let told: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if told.is_empty() { "nothing to do".to_owned() } else { told.join(", ") }
}

/// The reason where the action does not say it by itself.
pub fn why(change: &Change) -> Option<String> {
    let reason = change.reason.as_str();
    match (change.reason, &change.author, &change.other) {
        (Reason::New | Reason::Changed | Reason::UpToDate | Reason::LeftGit, ..) => None,
        (_, Some(author), _) => Some(format!("{reason}, last changed by {author}")),
        (_, None, Some(other)) => Some(format!("{reason}, {other}")),
        (_, None, None) => Some(reason.to_owned()),
    }
}

fn field_lines(lines: &mut Vec<Line>, field: &FieldChange) {
    if let (Some(Value::String(live)), Some(Value::String(desired))) = (&field.live, &field.desired)
        && (live.contains('\n') || desired.contains('\n'))
    {
        add(lines, ' ', 1, &format!("{}:", field.path));
        return line_diff(lines, live, desired);
    }
    for (sign, value) in [('-', &field.live), ('+', &field.desired)] {
        match value {
            None => {}
            Some(Value::Object(_) | Value::Array(_)) if !is_empty(value.as_ref()) => {
                add(lines, sign, 1, &format!("{}:", field.path));
                yaml::write(value.as_ref().unwrap_or(&Value::Null)).lines().for_each(|line| add(lines, sign, 2, line));
            }
            Some(value) => add(lines, sign, 1, &format!("{}: {}", field.path, yaml::write(value).trim_end())),
        }
    }
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Object(fields)) => fields.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        _ => true,
    }
}

fn line_diff(lines: &mut Vec<Line>, live: &str, desired: &str) {
    let diff = TextDiff::from_lines(live, desired);
    for (at, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if at > 0 {
            add(lines, ' ', 2, "…");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            add(lines, sign, 2, change.value().trim_end_matches('\n'));
            if change.missing_newline() {
                add(lines, ' ', 2, "(no line break at the end)");
            }
        }
    }
}

fn add(lines: &mut Vec<Line>, sign: char, depth: usize, text: &str) {
    lines.push(Line { sign, depth, text: text.to_owned() });
}

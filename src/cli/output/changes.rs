//! A plan as people read it: one heading an object, its fields below as lines that go and come.

use std::collections::BTreeMap;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::{Paint, Tone};
use crate::object::{ObjectId, yaml};
use crate::plan::{Action, Change, FieldChange, Plan, Reason};

/// Lines of context around a changed line of a text.
const CONTEXT: usize = 2;

/// Whole objects, secret values masked, by identity.
pub type Bodies = BTreeMap<ObjectId, Value>;

/// Every change of the plan that is none of `unchanged`, with what is created or changes of it.
/// Lines that go begin with `-` and lines that come with `+`, in the first column.
pub fn changes(plan: &Plan, created: &Bodies, paint: Paint) -> String {
    let mut text = String::new();
    for change in plan.changes.iter().filter(|change| change.action != Action::Unchanged) {
        text.push_str(&heading(change, paint));
        match (change.action, created.get(&change.id)) {
            (Action::Created, Some(body)) => {
                yaml::write(body).lines().for_each(|line| add(&mut text, "+", 1, line, paint))
            }
            _ => change.fields.iter().for_each(|field| field_lines(&mut text, field, paint)),
        }
    }
    text
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

fn heading(change: &Change, paint: Paint) -> String {
    let (word, tone) = match change.action {
        Action::Created => ("created", Tone::Good),
        Action::Configured => ("configured", Tone::Fair),
        Action::Deleted => ("deleted", Tone::Bad),
        Action::Skipped => ("skipped", Tone::Faint),
        Action::Unchanged => ("unchanged", Tone::Faint),
    };
    let mut line = format!("{} {}", paint.tone(tone, word), paint.tone(Tone::Strong, &change.id.to_string()));
    if let Some(origin) = &change.origin {
        line.push_str(&paint.tone(Tone::Faint, &format!(" ({}:{})", origin.file, origin.line)));
    }
    if let Some(why) = why(change) {
        line.push_str(&format!(": {why}"));
    }
    if let Some(deferred) = &change.deferred {
        line.push_str(&paint.tone(Tone::Faint, &format!("; checked later: {deferred}")));
    }
    line + "\n"
}

/// The reason where the action does not say it by itself.
fn why(change: &Change) -> Option<String> {
    let reason = change.reason.as_str();
    match (change.reason, &change.author, &change.other) {
        (Reason::New | Reason::Changed | Reason::UpToDate | Reason::LeftGit, ..) => None,
        (_, Some(author), _) => Some(format!("{reason}, last changed by {author}")),
        (_, None, Some(other)) => Some(format!("{reason}, {other}")),
        (_, None, None) => Some(reason.to_owned()),
    }
}

fn field_lines(text: &mut String, field: &FieldChange, paint: Paint) {
    if let (Some(Value::String(live)), Some(Value::String(desired))) = (&field.live, &field.desired)
        && (live.contains('\n') || desired.contains('\n'))
    {
        add(text, " ", 1, &format!("{}:", field.path), paint);
        return line_diff(text, live, desired, paint);
    }
    for (sign, value) in [("-", &field.live), ("+", &field.desired)] {
        match value {
            None => {}
            Some(Value::Object(_) | Value::Array(_)) if !is_empty(value.as_ref()) => {
                add(text, sign, 1, &format!("{}:", field.path), paint);
                yaml::write(value.as_ref().unwrap_or(&Value::Null))
                    .lines()
                    .for_each(|line| add(text, sign, 2, line, paint));
            }
            Some(value) => add(text, sign, 1, &format!("{}: {}", field.path, yaml::write(value).trim_end()), paint),
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

fn line_diff(text: &mut String, live: &str, desired: &str, paint: Paint) {
    let diff = TextDiff::from_lines(live, desired);
    for (at, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if at > 0 {
            add(text, " ", 2, "…", paint);
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => "-",
                ChangeTag::Insert => "+",
                ChangeTag::Equal => " ",
            };
            add(text, sign, 2, change.value().trim_end_matches('\n'), paint);
            if change.missing_newline() {
                add(text, " ", 2, "(no line break at the end)", paint);
            }
        }
    }
}

fn add(text: &mut String, sign: &str, depth: usize, line: &str, paint: Paint) {
    let line = format!("{sign}{}{}", " ".repeat(depth * 4 - 1), printable(line));
    let tone = match sign {
        "+" => Tone::Good,
        "-" => Tone::Bad,
        _ => Tone::Calm,
    };
    text.push_str(&paint.tone(tone, line.trim_end()));
    text.push('\n');
}

/// What a repository holds must not steer the reader's terminal.
fn printable(line: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c };
    line.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::{Origin, Problem};
    use crate::plan::Phase;

    fn change(action: Action, name: &str, fields: Vec<FieldChange>) -> Change {
        let id = ObjectId::new("shop", name, "apps", "Deployment");
        let reason = if action == Action::Skipped { Reason::ReconcileDisabled } else { Reason::Changed };
        Change {
            origin: (action != Action::Deleted).then(|| Origin { file: "shop/web.yaml".into(), line: 3, document: 1 }),
            fields,
            ..Change::new(id, "apps/v1", Phase::Workloads, action, reason)
        }
    }

    fn field(path: &str, live: Option<Value>, desired: Option<Value>) -> FieldChange {
        FieldChange { path: path.into(), live, desired }
    }

    #[test]
    fn every_kind_of_change_has_its_form() {
        let mut late = change(Action::Created, "late", vec![]);
        late.deferred = Some("its Namespace is created first".into());
        let plan = Plan {
            changes: vec![
                change(Action::Created, "new", vec![]),
                late,
                change(
                    Action::Configured,
                    "web",
                    vec![
                        field("spec.replicas", Some(json!(2)), Some(json!(3))),
                        field("metadata.labels.tier", None, Some(json!("yes"))),
                        field("spec.paused", Some(json!(true)), None),
                        field(
                            "spec.template.spec.tolerations",
                            Some(json!([])),
                            Some(json!([{"key": "gpu", "operator": "Exists"}])),
                        ),
                        field("data.conf", Some(json!("a\nb\nc\nd\ne\nf\ng\n")), Some(json!("a\nb\nc\nD\ne\nf\ng"))),
                        field("data.password", Some(json!("***")), Some(json!("***"))),
                        field("data.evil", None, Some(json!("\u{1b}[2J"))),
                    ],
                ),
                change(Action::Unchanged, "same", vec![]),
                change(Action::Skipped, "left", vec![]),
                change(Action::Deleted, "old", vec![]),
            ],
            problems: vec![Problem::new("Invalid", "spec.x is not known")],
            notices: vec![],
        };
        let new = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "new"}, "spec": {"replicas": 1}});
        let bodies = Bodies::from([(ObjectId::new("shop", "new", "apps", "Deployment"), new)]);
        insta::assert_snapshot!(changes(&plan, &bodies, Paint::Plain), @r#"
        created Deployment.apps/shop/new (shop/web.yaml:3)
        +   apiVersion: apps/v1
        +   kind: Deployment
        +   metadata:
        +     name: new
        +   spec:
        +     replicas: 1
        created Deployment.apps/shop/late (shop/web.yaml:3); checked later: its Namespace is created first
        configured Deployment.apps/shop/web (shop/web.yaml:3)
        -   spec.replicas: 2
        +   spec.replicas: 3
        +   metadata.labels.tier: "yes"
        -   spec.paused: true
        -   spec.template.spec.tolerations: []
        +   spec.template.spec.tolerations:
        +       - key: gpu
        +         operator: Exists
            data.conf:
                b
                c
        -       d
        +       D
                e
                f
        -       g
        +       g
                (no line break at the end)
        -   data.password: "***"
        +   data.password: "***"
        +   data.evil: "\e[2J"
        skipped Deployment.apps/shop/left (shop/web.yaml:3): ReconcileDisabled
        deleted Deployment.apps/shop/old
        "#);
        insta::assert_snapshot!(summary(&plan), @"2 to create, 1 to configure, 1 to delete, 1 unchanged, 1 skipped, 1 refused");
        assert_eq!(summary(&Plan::default()), "nothing to do");
        assert!(!changes(&plan, &bodies, Paint::Colours).contains("\u{1b}[2J"));
    }
}

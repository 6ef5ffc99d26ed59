//! A plan as people read it: one heading an object, its fields below as lines that go and come.

use super::{Paint, Tone};
use crate::plan::{Action, Change, Plan};
pub use crate::report::plan_text::{Bodies, summary};
use crate::report::plan_text::{Line, details, why, word};

/// Every change of the plan that is none of `unchanged`, with what is created or changes of it.
/// Lines that go begin with `-` and lines that come with `+`, in the first column.
pub fn changes(plan: &Plan, created: &Bodies, paint: Paint) -> String {
    let mut text = String::new();
    for change in plan.changes.iter().filter(|change| change.action != Action::Unchanged) {
        text.push_str(&heading(change, paint));
        details(change, created).iter().for_each(|line| add(&mut text, line, paint));
    }
    text
}

fn heading(change: &Change, paint: Paint) -> String {
    let tone = match change.action {
        Action::Created => Tone::Good,
        Action::Configured => Tone::Fair,
        Action::Deleted => Tone::Bad,
        Action::Skipped | Action::Unchanged => Tone::Faint,
    };
    let mut line =
        format!("{} {}", paint.tone(tone, word(change.action)), paint.tone(Tone::Strong, &change.id.to_string()));
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

fn add(text: &mut String, line: &Line, paint: Paint) {
    let tone = match line.sign {
        '+' => Tone::Good,
        '-' => Tone::Bad,
        _ => Tone::Calm,
    };
    text.push_str(&paint.tone(tone, printable(&line.to_string()).trim_end()));
    text.push('\n');
}

/// What a repository holds must not steer the reader's terminal.
fn printable(line: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c };
    line.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::object::{ObjectId, Origin, Problem};
    use crate::plan::{FieldChange, Phase, Reason};

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

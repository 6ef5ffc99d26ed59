//! What a hover tells of a field by its schema, as Markdown.

use super::outline::Step;
use crate::schema::guide::{Described, Shape};

/// Fields that are listed by name.
const LISTED: usize = 40;

/// What the schema says of the field at a path.
pub fn schema(path: &[Step], described: &Described) -> String {
    let required = if described.required { ", required" } else { "" };
    let mut told = format!("**`{}`**: {}{required}", shown(path), described.form);
    if !described.text.is_empty() {
        told.push_str("\n\n");
        told.push_str(&plain(&described.text));
    }
    let mut facts = Vec::new();
    if let Some(default) = &described.default {
        facts.push(format!("Where it is left out: `{default}`"));
    }
    if !described.values.is_empty() && described.form != "true or false" {
        facts.push(format!("One of {}", listed(described.values.iter().map(|value| format!("`{value}`")).collect())));
    }
    facts.extend(described.rules.iter().cloned());
    if !described.fields.is_empty() && described.shape != Shape::Scalar {
        let mut names: Vec<(bool, String)> = described
            .fields
            .iter()
            .map(|field| {
                (!field.required, format!("`{}`{}", field.name, if field.required { " (required)" } else { "" }))
            })
            .collect();
        names.sort();
        facts.push(format!("Fields: {}", listed(names.into_iter().map(|(_, name)| name).collect())));
    }
    for fact in facts {
        told.push_str("\n\n");
        told.push_str(&fact);
    }
    told
}

/// A path as people write it: `spec.containers[0].image`.
pub fn shown(path: &[Step]) -> String {
    let mut shown = String::new();
    for step in path {
        match step {
            Step::Item(at) => shown.push_str(&format!("[{at}]")),
            Step::Field(name) if name.contains(['.', '/', '[']) => shown.push_str(&format!("[{name}]")),
            Step::Field(name) if shown.is_empty() => shown.push_str(name),
            Step::Field(name) => shown.push_str(&format!(".{name}")),
        }
    }
    shown
}

fn listed(names: Vec<String>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let mut text = names[..names.len() - more].join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// Words of others, which are no Markdown of ours: `<name>` would be taken for HTML.
fn plain(text: &str) -> String {
    text.replace('<', "\\<").replace('\n', "\n\n")
}

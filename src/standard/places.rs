//! Which field of an object a verdict speaks of: the one that the expression of its validation names.

use serde_json::Value;

use super::compile::Policy;
use super::{Finding, Standard, Verdict};

impl Standard {
    /// JSON pointer to the field that a verdict speaks of, or to the nearest that holds where it is missing. `None` where
    /// the policy names no field of the object.
    pub fn field(&self, verdict: &Verdict, object: &Value) -> Option<String> {
        let Finding::Refused { message, validation: Some(at), .. } = &verdict.finding else { return None };
        let policy = self.policies.iter().find(|policy| policy.name == verdict.policy)?;
        let chains = named(policy, *at);
        // The deepest field that is there says most. Where none is, the first is what is missing.
        let whole = chains.iter().filter(|chain| reach(chain, object) == chain.len()).max_by_key(|chain| chain.len());
        let chain = whole.or(chains.first())?;
        let mut pointer = pointer(&chain[..reach(chain, object)]);
        if let Some(items) = object.pointer(&pointer).and_then(Value::as_array)
            && let Some(item) = items.iter().position(|item| is_told(item, message))
        {
            pointer.push_str(&format!("/{item}"));
        }
        Some(pointer)
    }
}

/// The fields that a validation names, first those of its own text, then those of the variables that it uses.
fn named(policy: &Policy, validation: usize) -> Vec<Vec<String>> {
    let Some(validation) = policy.validations.get(validation) else { return Vec::new() };
    let mut texts = vec![validation.expression.source.as_str()];
    let mut used: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    while let Some(text) = texts.pop() {
        found.extend(chains(text, "object"));
        for chain in chains(text, "variables") {
            let known = policy.variables.iter().find(|(name, _)| chain.first() == Some(name));
            if let Some((name, expression)) = known.filter(|(name, _)| !used.contains(&name.as_str())) {
                used.push(name);
                texts.push(&expression.source);
            }
        }
    }
    found.retain(|chain| !chain.is_empty());
    found
}

/// What stands behind each use of a name: `object.spec.?replicas.orValue(1)` is `spec`, `replicas`.
fn chains(text: &str, name: &str) -> Vec<Vec<String>> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in text.match_indices(name) {
        let before = text[..at].trim_end().chars().next_back();
        let rest = &text[at + name.len()..];
        if before.is_some_and(|c| letter(c) && text[..at].ends_with(c) || c == '.') || rest.starts_with(letter) {
            continue;
        }
        let mut chain = Vec::new();
        let mut rest = rest.trim_start();
        loop {
            if let Some(after) = rest.strip_prefix('.') {
                let after = after.trim_start_matches('?').trim_start();
                let end = after.find(|c| !letter(c)).unwrap_or(after.len());
                let (field, behind) = after.split_at(end);
                rest = behind.trim_start();
                if field.is_empty() || rest.starts_with('(') {
                    break;
                }
                chain.push(field.to_owned());
            } else if let Some((field, behind)) = rest.strip_prefix('[').and_then(quoted) {
                chain.push(field.to_owned());
                rest = behind.trim_start();
            } else {
                break;
            }
        }
        found.push(chain);
    }
    found
}

/// The text in quotes and brackets, and what stands behind.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches('?').trim_start();
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (field, behind) = text[1..].split_once(quote)?;
    Some((field, behind.trim_start().strip_prefix(']')?))
}

/// How many steps of a chain the object has.
fn reach(chain: &[String], object: &Value) -> usize {
    (1..=chain.len()).take_while(|steps| object.pointer(&pointer(&chain[..*steps])).is_some()).count()
}

fn pointer(chain: &[String]) -> String {
    chain.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect()
}

/// Whether a message names the item.
fn is_told(item: &Value, message: &str) -> bool {
    let name = item.get("name").or_else(|| item.get("host")).and_then(Value::as_str).filter(|name| !name.is_empty());
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    name.is_some_and(|name| message.split(|c| !part(c)).any(|word| word.trim_matches('.') == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_from_expressions() {
        for (text, expected) in [
            ("object.spec.replicas > 1", vec!["spec.replicas"]),
            ("object.metadata.?labels.?owner.orValue('') != ''", vec!["metadata.labels.owner"]),
            ("'a/b' in object.metadata.annotations", vec!["metadata.annotations"]),
            ("object.metadata.annotations['a/b'] == \"x\"", vec!["metadata.annotations.a/b"]),
            ("object.metadata.labels[?'a'].hasValue()", vec!["metadata.labels.a"]),
            ("oldObject.spec == object.spec && myobject.x", vec!["spec"]),
            ("object.spec.containers.all(c, c.object.name != '')", vec!["spec.containers"]),
            ("params.object.x == 1", vec![]),
        ] {
            let found: Vec<String> = chains(text, "object").iter().map(|chain| chain.join(".")).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}

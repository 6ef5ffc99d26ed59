//! Which objects a policy or binding speaks of.

use serde_json::Value;

use super::Review;
use super::form::{MatchPolicy, MatchResources, Operator, Rule, Selector};

/// Whether it speaks of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Matched {
    No,
    Yes,
    /// It does of another version of the object, which only an API server can make.
    OtherVersion(String),
}

/// `matchConstraints` of a policy; `matchResources` of a binding, where no rules speak of everything.
pub(super) fn matches(resources: &MatchResources, review: &Review<'_>, without_rules: Matched) -> Matched {
    let selected = resources.namespace_selector.as_ref().is_none_or(|selector| in_namespace(selector, review))
        && resources.object_selector.as_ref().is_none_or(|selector| of_object(selector, review));
    if !selected {
        return Matched::No;
    }
    let equivalent = resources.match_policy == MatchPolicy::Equivalent;
    match any(&resources.exclude_resource_rules, review, equivalent) {
        Matched::No => {}
        Matched::Yes => return Matched::No,
        // The same resource in another version is the same resource.
        Matched::OtherVersion(_) => return Matched::No,
    }
    if resources.resource_rules.is_empty() {
        return without_rules;
    }
    any(&resources.resource_rules, review, equivalent)
}

fn any(rules: &[Rule], review: &Review<'_>, equivalent: bool) -> Matched {
    let mut other = Matched::No;
    for rule in rules.iter().filter(|rule| but_version(rule, review)) {
        let (_, version) = review.group_version();
        if rule.api_versions.iter().any(|named| named == "*" || named == version) {
            return Matched::Yes;
        }
        if equivalent {
            other = Matched::OtherVersion(rule.api_versions.join(", "));
        }
    }
    other
}

pub(super) fn but_version(rule: &Rule, review: &Review<'_>) -> bool {
    let wild = |names: &[String], wanted: &str| names.iter().any(|name| name == "*" || name == wanted);
    let (group, _) = review.group_version();
    let namespaced = !review.id.namespace.is_empty() && !review.is_namespace();
    let scope = match rule.scope.as_deref() {
        None | Some("*") => true,
        Some("Namespaced") => namespaced,
        Some("Cluster") => !namespaced,
        Some(_) => false,
    };
    scope
        && wild(&rule.operations, review.operation.name())
        && wild(&rule.api_groups, group)
        && rule.resources.iter().any(|resource| {
            let (resource, sub) = resource.split_once('/').unwrap_or((resource, ""));
            (resource == "*" || resource == review.resource) && matches!(sub, "" | "*")
        })
        && (rule.resource_names.is_empty() || rule.resource_names.contains(&review.id.name))
}

fn labels(object: Option<&Value>) -> Option<&Value> {
    object?.pointer("/metadata/labels")
}

/// An object without namespace is in every selection; a Namespace is selected by its own labels.
fn in_namespace(selector: &Selector, review: &Review<'_>) -> bool {
    if review.is_namespace() {
        return selects_namespace(selector, &review.id.name, review.namespace.or(review.object).or(review.old));
    }
    review.id.namespace.is_empty() || selects_namespace(selector, &review.id.namespace, review.namespace)
}

/// Whether a Namespace fits a selector. Its name is a label that the API server writes.
pub(super) fn selects_namespace(selector: &Selector, name: &str, namespace: Option<&Value>) -> bool {
    let mut labels = labels(namespace).cloned().unwrap_or_default();
    if let Value::Null = labels {
        labels = Value::Object(serde_json::Map::new());
    }
    if let Some(labels) = labels.as_object_mut() {
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.into());
    }
    selects(selector, Some(&labels))
}

/// The object as it is or as it would be.
pub(super) fn of_object(selector: &Selector, review: &Review<'_>) -> bool {
    [review.object, review.old].iter().flatten().any(|object| selects(selector, labels(Some(object))))
}

/// Whether labels fit a selector.
pub(super) fn selects(selector: &Selector, labels: Option<&Value>) -> bool {
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
    selector.match_labels.iter().all(|(key, value)| label(key) == Some(value.as_str()))
        && selector.match_expressions.iter().all(|requirement| {
            let found = label(&requirement.key);
            let listed = found.is_some_and(|found| requirement.values.iter().any(|value| value == found));
            match requirement.operator {
                Operator::In => listed,
                Operator::NotIn => !listed,
                Operator::Exists => found.is_some(),
                Operator::DoesNotExist => found.is_none(),
            }
        })
}

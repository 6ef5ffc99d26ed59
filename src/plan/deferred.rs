//! What cannot be dry-run before its phase: something that it needs changes in the same plan, and
//! the API server would answer for a world that is about to pass.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Action, Change, Desired, Method, Plan, Reason};
use crate::object::ObjectId;

/// Marks the changes that must wait for others, each with its reason.
pub(super) fn mark(changes: &mut [Change], desired: &[Desired]) {
    let changing: BTreeMap<&ObjectId, Action> = changes
        .iter()
        .filter(|change| matches!(change.action, Action::Created | Action::Configured))
        .map(|change| (&change.id, change.action))
        .collect();
    let altered: Vec<(&Desired, Action)> = desired
        .iter()
        .filter(|object| serves(object.id()))
        .filter_map(|object| Some((object, *changing.get(object.id())?)))
        .collect();
    let reasons: Vec<(usize, String)> = desired
        .iter()
        .enumerate()
        .filter(|(_, object)| changing.contains_key(object.id()))
        .filter_map(|(at, object)| {
            let needed =
                altered.iter().find(|(other, action)| other.id() != object.id() && must_wait(object, other, *action));
            needed.map(|(other, _)| (at, format!("{} changes in the same plan", other.id())))
        })
        .collect();
    for (at, reason) in reasons {
        changes[at].deferred = Some(reason);
    }
}

/// Whether objects of this kind are ever waited for: few of many are.
fn serves(id: &ObjectId) -> bool {
    matches!(
        id.kind.as_str(),
        "Namespace"
            | "CustomResourceDefinition"
            | "Role"
            | "ClusterRole"
            | "ServiceAccount"
            | "PriorityClass"
            | "RuntimeClass"
    ) || id.group == "admissionregistration.k8s.io"
}

fn must_wait(object: &Desired, other: &Desired, action: Action) -> bool {
    if needs(object, other) {
        // An existing Namespace or account serves while it is being changed.
        let id = other.id();
        return action == Action::Created || !matches!(id.kind.as_str(), "Namespace" | "ServiceAccount");
    }
    admits(other, object)
}

/// Whether `object` cannot exist, or not in this form, without `other`.
pub(super) fn needs(object: &Desired, other: &Desired) -> bool {
    let (id, on) = (object.id(), other.id());
    let body = &object.manifest.body;
    match (on.group.as_str(), on.kind.as_str()) {
        ("", "Namespace") => id.namespace == on.name,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            let text = |at: &str| other.manifest.body.pointer(at).and_then(Value::as_str);
            text("/spec/group") == Some(&id.group) && text("/spec/names/kind") == Some(&id.kind)
        }
        ("rbac.authorization.k8s.io", kind @ ("Role" | "ClusterRole")) => {
            let role = &body["roleRef"];
            id.group == on.group
                && role["kind"] == kind
                && role["name"] == on.name.as_str()
                && (kind == "ClusterRole" || id.namespace == on.namespace)
        }
        ("", "ServiceAccount") => {
            is_pod(id) && id.namespace == on.namespace && body["spec"]["serviceAccountName"] == on.name.as_str()
        }
        ("scheduling.k8s.io", "PriorityClass") => is_pod(id) && body["spec"]["priorityClassName"] == on.name.as_str(),
        ("node.k8s.io", "RuntimeClass") => is_pod(id) && body["spec"]["runtimeClassName"] == on.name.as_str(),
        _ => false,
    }
}

fn is_pod(id: &ObjectId) -> bool {
    id.group.is_empty() && id.kind == "Pod"
}

/// Deletions of webhook configurations, any of which may keep the rest of the plan from being
/// applied; none where nothing is to be applied.
pub fn webhooks_that_leave(plan: &Plan) -> Vec<&Change> {
    let applies = |change: &Change| matches!(change.method, Method::Apply | Method::ApplyOver | Method::Replace);
    if !plan.changes.iter().any(applies) {
        return Vec::new();
    }
    plan.changes.iter().filter(|change| change.method == Method::Delete && is_webhook(&change.id)).collect()
}

fn is_webhook(id: &ObjectId) -> bool {
    id.group == "admissionregistration.k8s.io"
        && matches!(id.kind.as_str(), "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration")
}

/// Whether a live webhook configuration has a webhook of this name: refusals name the webhook.
pub fn has_webhook(configuration: &Value, name: &str) -> bool {
    list(&configuration["webhooks"]).any(|webhook| webhook["name"] == name)
}

/// Moves the deletion of an object to the front of the plan.
pub fn clear_first(plan: &mut Plan, id: &ObjectId) {
    let Some(at) = plan.changes.iter().position(|change| change.id == *id && change.method == Method::Delete) else {
        return;
    };
    let mut change = plan.changes.remove(at);
    change.reason = Reason::InTheWay;
    plan.changes.insert(0, change);
}

/// Whether `other` is a webhook configuration or an admission policy that judges `object`.
fn admits(other: &Desired, object: &Desired) -> bool {
    let id = other.id();
    if id.group != "admissionregistration.k8s.io" || object.id().group == id.group {
        return false;
    }
    let body = &other.manifest.body;
    let rules: Vec<&Value> = match id.kind.as_str() {
        _ if is_webhook(id) => list(&body["webhooks"]).flat_map(|webhook| list(&webhook["rules"])).collect(),
        "ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy" => {
            list(&body["spec"]["matchConstraints"]["resourceRules"]).collect()
        }
        _ => return false,
    };
    rules.into_iter().any(|rule| {
        let names = |field: &str, wanted: &str| {
            list(&rule[field]).filter_map(Value::as_str).any(|name| name == "*" || name == "*/*" || name == wanted)
        };
        names("apiGroups", &object.id().group) && names("resources", &object.plural)
    })
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Whether `plural` may be the plural of `kind`; only irregular plurals are not seen.
pub(super) fn plural_fits(plural: &str, kind: &str) -> bool {
    let lower = kind.to_lowercase();
    let stem = lower.strip_suffix('y').unwrap_or(&lower);
    plural == lower || plural == format!("{lower}s") || plural == format!("{lower}es") || plural == format!("{stem}ies")
}

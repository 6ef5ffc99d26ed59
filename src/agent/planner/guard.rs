//! Whether the account that dry-runs is refused everything else: then, and only then, it is used.
//!
//! What is compared is the policy and its binding as they are shipped, field by field, so that nobody has to trust their
//! names. The agent itself never sends a write as that account; the policy is for whoever else might.

use serde_json::Value;

use crate::cluster::{ClusterError, KindInfo, Session, person};
use crate::failure::Failed;
use crate::object::yaml;

/// As shipped.
const SHIPPED: &str = include_str!("../../../manifests/plan.yaml");
const NAME: &str = "tandem-plan";
const GROUP: &str = "admissionregistration.k8s.io";

/// Whether the policy is in force; else why it is not.
///
/// # Errors
/// The API server cannot be asked.
pub async fn stands(own: &Session) -> Result<Result<(), String>, Failed> {
    for (kind, plural) in [
        ("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
        ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
    ] {
        let info = KindInfo::known(GROUP, "v1", kind, plural);
        let found = match person::list(own, &info, "", "app.kubernetes.io/part-of=tandem").await {
            Ok(found) => found,
            Err(ClusterError::Refused(refusal)) => return Ok(Err(format!("{kind} {NAME}: {}", refusal.message))),
            Err(error) => return Err(Failed::from(&error)),
        };
        let live = found.iter().find(|one| one.pointer("/metadata/name").and_then(Value::as_str) == Some(NAME));
        let Some(live) = live else {
            return Ok(Err(format!("there is no {kind} {NAME}; plan.yaml has it")));
        };
        let Some(shipped) = shipped(kind) else { return Ok(Err(format!("no {kind} is known"))) };
        if !holds(&shipped["spec"], &live["spec"]) {
            return Ok(Err(format!("the {kind} {NAME} is not the one of plan.yaml")));
        }
    }
    Ok(Ok(()))
}

/// Whether the agent may act as the account at all; else why not.
///
/// # Errors
/// The API server cannot be asked.
pub async fn may_act(session: &Session, namespace: &str) -> Result<Result<(), String>, Failed> {
    let kind = KindInfo::known("", "v1", "ConfigMap", "configmaps").namespaced();
    match crate::cluster::apply::get(session, &kind, namespace, NAME).await {
        Ok(_) => Ok(Ok(())),
        Err(ClusterError::Refused(refusal)) if matches!(refusal.code, 401 | 403) => Ok(Err(refusal.message)),
        Err(error) => Err(Failed::from(&error)),
    }
}

fn shipped(kind: &str) -> Option<Value> {
    let (documents, _) = yaml::read("plan.yaml", SHIPPED.as_bytes(), &yaml::Limits::default());
    let mut all = documents.into_iter().map(|document| document.value);
    all.find(|one| one["kind"] == kind && one["metadata"]["name"] == NAME)
}

/// Whether a live value is the shipped one. What the API server fills in is there beside it, and nothing else may be.
fn holds(shipped: &Value, live: &Value) -> bool {
    match (shipped, live) {
        (Value::Object(shipped), Value::Object(live)) => {
            shipped.iter().all(|(field, value)| live.get(field).is_some_and(|live| holds(value, live)))
                && live.iter().all(|(field, value)| shipped.contains_key(field) || is_filled_in(field, value))
        }
        (Value::Array(shipped), Value::Array(live)) => {
            shipped.len() == live.len() && shipped.iter().zip(live).all(|(shipped, live)| holds(shipped, live))
        }
        (shipped, live) => shipped == live,
    }
}

/// Whether it is what the API server fills in: each of these selects everything.
fn is_filled_in(field: &str, value: &Value) -> bool {
    match field {
        "namespaceSelector" | "objectSelector" => value.as_object().is_some_and(serde_json::Map::is_empty),
        "matchPolicy" => value == "Equivalent",
        "scope" => value == "*",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_shipped_is_there_and_only_it_holds() {
        for kind in ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
            let spec = shipped(kind).expect("it is shipped")["spec"].clone();
            assert!(holds(&spec, &spec), "{kind}");
        }
        let spec = shipped("ValidatingAdmissionPolicy").expect("it is shipped")["spec"].clone();
        let mut filled = spec.clone();
        filled["matchConstraints"]["namespaceSelector"] = json!({});
        filled["matchConstraints"]["objectSelector"] = json!({});
        filled["matchConstraints"]["matchPolicy"] = json!("Equivalent");
        filled["matchConstraints"]["resourceRules"][0]["scope"] = json!("*");
        assert!(holds(&spec, &filled), "as the API server keeps it");
        for (pointer, value) in [
            ("/failurePolicy", json!("Ignore")),
            ("/validations/0/expression", json!("true")),
            ("/validations", json!([])),
            ("/matchConditions/0/expression", json!("false")),
            ("/matchConstraints/resourceRules/0/operations", json!(["CREATE"])),
            ("/matchConstraints/resourceRules/0/scope", json!("Cluster")),
            ("/matchConstraints/namespaceSelector", json!({"matchLabels": {"a": "b"}})),
            ("/matchConstraints/excludeResourceRules", json!([{"resources": ["*"]}])),
        ] {
            let mut other = filled.clone();
            let (parent, field) = pointer.rsplit_once('/').expect("a path");
            other.pointer_mut(parent).expect("it is there")[field] = value;
            assert!(!holds(&spec, &other), "{pointer}");
        }
        let mut more = filled.clone();
        more["matchConditions"].as_array_mut().expect("a list").push(json!({"name": "x", "expression": "false"}));
        assert!(!holds(&spec, &more), "another condition");
    }
}

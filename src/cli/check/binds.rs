//! What a Standard says beside the files that it names: the least that its bindings do, and the namespaces that they are of.

use serde_json::{Value, json};

use crate::object::Manifest;

/// Of a Standard that stands in the repository; of nothing by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Binds {
    action: Option<String>,
    selector: Option<Value>,
}

impl Binds {
    /// What the `spec` of a Standard says.
    pub fn of(spec: &Value) -> Self {
        let selector = spec.get("namespaceSelector").filter(|selector| selector.is_object()).cloned();
        Self { action: spec["action"].as_str().map(str::to_owned), selector }
    }

    /// Makes it hold for a binding; any other manifest stays as it is.
    pub fn to(&self, manifest: &mut Manifest) {
        let spec = match manifest.id.kind.as_str() {
            "ValidatingAdmissionPolicyBinding" => manifest.body.get_mut("spec").filter(|spec| spec.is_object()),
            _ => None,
        };
        let Some(spec) = spec else { return };
        if let Some(actions) = spec.get_mut("validationActions").and_then(Value::as_array_mut) {
            let has = |actions: &[Value], action: &str| actions.iter().any(|one| one == action);
            match self.action.as_deref() {
                Some("Deny") if !has(actions, "Deny") => {
                    // An API server takes no binding with both.
                    actions.retain(|one| one != "Warn");
                    actions.push(json!("Deny"));
                }
                Some("Warn") if !has(actions, "Deny") && !has(actions, "Warn") => actions.push(json!("Warn")),
                _ => {}
            }
        }
        if let Some(selector) = &self.selector {
            let resources = spec.as_object_mut().map(|spec| spec.entry("matchResources").or_insert_with(|| json!({})));
            let Some(resources) = resources.and_then(Value::as_object_mut) else { return };
            let both = resources.entry("namespaceSelector").or_insert_with(|| json!({}));
            let requirements: Vec<Value> = requirements(both).into_iter().chain(requirements(selector)).collect();
            *both = json!({"matchExpressions": requirements});
        }
    }
}

/// A selector as requirements alone, so that two of them can hold together.
fn requirements(selector: &Value) -> Vec<Value> {
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let labels = labels.map(|(key, value)| json!({"key": key, "operator": "In", "values": [value]}));
    labels.chain(selector["matchExpressions"].as_array().into_iter().flatten().cloned()).collect()
}

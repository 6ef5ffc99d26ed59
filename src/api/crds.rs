//! The definitions of our kinds, made from their types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

use super::{Acceptance, Inventory, Repository, Standard, Sync};

/// The definitions of all our kinds, as they are applied, ordered by name.
pub fn definitions() -> Vec<Value> {
    [Acceptance::crd(), Inventory::crd(), Repository::crd(), Standard::crd(), Sync::crd()]
        .into_iter()
        .map(complete)
        .collect()
}

/// The same as YAML: what `manifests/crds.yaml` holds.
pub fn text() -> String {
    let documents: Vec<String> =
        definitions().iter().map(|crd| serde_yaml::to_string(crd).expect("a definition is YAML")).collect();
    format!("# The kinds of Tandem, made from the types in src/api.\n{}", documents.join("---\n"))
}

/// Names of the definitions.
pub fn names() -> Vec<String> {
    definitions().iter().filter_map(|crd| Some(crd.pointer("/metadata/name")?.as_str()?.to_owned())).collect()
}

fn complete(mut crd: CustomResourceDefinition) -> Value {
    crd.metadata.labels = Some([("app.kubernetes.io/part-of".to_owned(), "tandem".to_owned())].into());
    let mut value = serde_json::to_value(crd).expect("a definition is JSON");
    as_kubernetes_writes(&mut value);
    value
}

/// The API server warns of formats that only Rust knows; the bounds beside them say the same.
/// Bounds are fractions in Rust's types, and whole numbers wherever they are written.
fn as_kubernetes_writes(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                fields.remove("format");
            }
            for bound in ["minimum", "maximum"] {
                let whole = fields.get(bound).and_then(Value::as_f64).filter(|number| number.fract() == 0.0);
                if let Some(whole) = whole {
                    #[expect(clippy::cast_possible_truncation, reason = "bounds of our own types are small")]
                    fields.insert(bound.to_owned(), Value::from(whole as i64));
                }
            }
            fields.values_mut().for_each(as_kubernetes_writes);
        }
        Value::Array(items) => items.iter_mut().for_each(as_kubernetes_writes),
        _ => {}
    }
}

//! The definitions of our kinds, made from their types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

use super::{Inventory, Repository, Sync};

/// The definitions of all our kinds, as they are applied, ordered by name.
pub fn definitions() -> Vec<Value> {
    [Inventory::crd(), Repository::crd(), Sync::crd()].into_iter().map(complete).collect()
}

/// Names of the definitions.
pub fn names() -> Vec<String> {
    definitions().iter().filter_map(|crd| Some(crd.pointer("/metadata/name")?.as_str()?.to_owned())).collect()
}

fn complete(mut crd: CustomResourceDefinition) -> Value {
    crd.metadata.labels = Some([("app.kubernetes.io/part-of".to_owned(), "tandem".to_owned())].into());
    let mut value = serde_json::to_value(crd).expect("a definition is JSON");
    drop_foreign_formats(&mut value);
    value
}

/// The API server warns of formats that only Rust knows; the bounds beside them say the same.
fn drop_foreign_formats(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                fields.remove("format");
            }
            fields.values_mut().for_each(drop_foreign_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_foreign_formats),
        _ => {}
    }
}

//! What the expressions of a policy may name: `BuildRequestType` and `BuildNamespaceType` of the API server.

use serde_json::{Value as Json, json};

use super::{Operation, Review};
use crate::cel::{Declared, Type, Value};

/// Places of the variables, in the order of declaration.
const OBJECT: usize = 0;
const OLD_OBJECT: usize = 1;
const NAMESPACE: usize = 2;
const REQUEST: usize = 3;
const PARAMS: usize = 4;

/// Name of the type of `variables`.
pub(super) const VARIABLES: &str = "variables";

/// The variables of a policy, those with names of its own still to come.
pub(super) fn declared(with_params: bool) -> Declared {
    let strings = |names: &[&'static str]| names.iter().map(|name| (*name, Type::String)).collect::<Vec<_>>();
    let labels = || Type::map(Type::String, Type::String);
    let list = || Type::list(Type::String);
    let (kind, resource) =
        (Type::Struct("kubernetes.GroupVersionKind"), Type::Struct("kubernetes.GroupVersionResource"));
    let declared = Declared::default()
        .variable("object", Type::Dyn)
        .variable("oldObject", Type::Dyn)
        .variable("namespaceObject", Type::Struct("kubernetes.Namespace"))
        .variable("request", Type::Struct("kubernetes.AdmissionRequest"))
        .object("kubernetes.GroupVersionKind", &strings(&["group", "version", "kind"]))
        .object("kubernetes.GroupVersionResource", &strings(&["group", "version", "resource"]))
        .object(
            "kubernetes.UserInfo",
            &[
                ("username", Type::String),
                ("uid", Type::String),
                ("groups", list()),
                ("extra", Type::map(Type::String, list())),
            ],
        )
        .object(
            "kubernetes.AdmissionRequest",
            &[
                ("kind", kind.clone()),
                ("resource", resource.clone()),
                ("subResource", Type::String),
                ("requestKind", kind),
                ("requestResource", resource),
                ("requestSubResource", Type::String),
                ("name", Type::String),
                ("namespace", Type::String),
                ("operation", Type::String),
                ("userInfo", Type::Struct("kubernetes.UserInfo")),
                ("dryRun", Type::Bool),
                ("options", Type::Dyn),
            ],
        )
        .object("kubernetes.NamespaceSpec", &[("finalizers", list())])
        .object(
            "kubernetes.NamespaceCondition",
            &[
                ("status", Type::String),
                ("type", Type::String),
                ("lastTransitionTime", Type::Timestamp),
                ("message", Type::String),
                ("reason", Type::String),
            ],
        )
        .object(
            "kubernetes.NamespaceStatus",
            &[("conditions", Type::list(Type::Struct("kubernetes.NamespaceCondition"))), ("phase", Type::String)],
        )
        .object(
            "kubernetes.NamespaceMetadata",
            &[
                ("name", Type::String),
                ("generateName", Type::String),
                ("namespace", Type::String),
                ("labels", labels()),
                ("annotations", labels()),
                ("UID", Type::String),
                ("creationTimestamp", Type::Timestamp),
                ("deletionGracePeriodSeconds", Type::Int),
                ("deletionTimestamp", Type::Timestamp),
                ("generation", Type::Int),
                ("resourceVersion", Type::String),
                ("finalizers", list()),
            ],
        )
        .object(
            "kubernetes.Namespace",
            &[
                ("metadata", Type::Struct("kubernetes.NamespaceMetadata")),
                ("spec", Type::Struct("kubernetes.NamespaceSpec")),
                ("status", Type::Struct("kubernetes.NamespaceStatus")),
            ],
        )
        .unavailable("authorizer");
    if with_params { declared.variable("params", Type::Dyn) } else { declared }
}

/// The values of a request, in the order of declaration, without parameters.
pub(super) fn values(review: &Review<'_>) -> Vec<Value> {
    let json = |value: Option<&Json>| value.map_or(Value::Null, Value::from);
    let mut values = vec![Value::Null; PARAMS + 1];
    values[OBJECT] = json(review.object);
    values[OLD_OBJECT] = json(review.old);
    // A Namespace is in none; what is given for it selects it, and is nothing that expressions see.
    values[NAMESPACE] = json(review.namespace.filter(|_| !review.is_namespace()));
    values[REQUEST] = Value::from(&request(review));
    values
}

/// The same values with parameters.
pub(super) fn with_params(values: &[Value], params: Option<&Json>) -> Vec<Value> {
    let mut values = values.to_vec();
    if let (Some(place), Some(params)) = (values.get_mut(PARAMS), params) {
        *place = Value::from(params);
    }
    values
}

/// The same values without the Namespace.
pub(super) fn without_namespace(values: &[Value]) -> Vec<Value> {
    let mut values = values.to_vec();
    if let Some(place) = values.get_mut(NAMESPACE) {
        *place = Value::Null;
    }
    values
}

fn request(review: &Review<'_>) -> Json {
    let (group, version) = review.group_version();
    let kind = json!({"group": group, "version": version, "kind": review.id.kind});
    let resource = json!({"group": group, "version": version, "resource": review.resource});
    // The API server gives a Namespace as its own namespace.
    let namespace = if review.is_namespace() { &review.id.name } else { &review.id.namespace };
    let mut request = json!({
        "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
        "operation": review.operation.name(), "userInfo": review.user, "dryRun": review.dry_run,
        "name": review.id.name, "options": options(review),
    });
    if !namespace.is_empty() {
        request["namespace"] = json!(namespace);
    }
    request
}

/// What comes with a request of any client; more of it depends on which one asks.
fn options(review: &Review<'_>) -> Json {
    let kind = match review.operation {
        Operation::Create => "CreateOptions",
        Operation::Update => "UpdateOptions",
        Operation::Delete => "DeleteOptions",
    };
    let mut options = json!({"apiVersion": "meta.k8s.io/v1", "kind": kind});
    if review.dry_run {
        options["dryRun"] = json!(["All"]);
    }
    options
}

/// The type that a variable of a policy has for the expressions behind it: what the API server keeps of it.
pub(super) fn kept(of: &Type) -> Type {
    match of {
        Type::List(of) => Type::list(kept(of)),
        Type::Map(key, value) => Type::map(kept(key), kept(value)),
        Type::Optional(_) | Type::Opaque(_) | Type::Struct(_) | Type::Type(_) | Type::Variable(_) => Type::Dyn,
        other => other.clone(),
    }
}

//! Statuses and finalizers of our own kinds.

use http::Method;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::STATUS_MANAGER;
use crate::cluster::call::{Call, object_path};
use crate::cluster::error::ClusterError;
use crate::cluster::kinds::KindInfo;
use crate::cluster::session::Session;

/// Writes a whole status, by server-side apply on `/status`: what is not in it goes. Returns the
/// object as it is now. Whether it needs writing is the caller's to know.
///
/// # Errors
/// [`ClusterError::Refused`], with `NotFound` where the object is gone; or a failure to send.
pub async fn write_status<S: Serialize + Sync>(
    session: &Session,
    kind: &KindInfo,
    (namespace, name): (&str, &str),
    status: &S,
) -> Result<Value, ClusterError> {
    let body = json!({
        "apiVersion": kind.api_version(), "kind": kind.kind,
        "metadata": {"namespace": namespace, "name": name}, "status": status,
    });
    let path = object_path(kind, namespace, name)? + "/status?force=true&fieldManager=" + STATUS_MANAGER;
    let call =
        Call::of("patch", Method::PATCH, kind, namespace, name, path).with_json("application/apply-patch+yaml", &body);
    session.send(call).await?.object()
}

/// Takes a field out of a status, whoever wrote it, while it has this value. An apply leaves what others wrote.
///
/// # Errors
/// [`ClusterError::Refused`], also where it has another value by now; or a failure to send.
pub async fn remove_from_status(
    session: &Session,
    kind: &KindInfo,
    (namespace, name): (&str, &str),
    (field, value): (&str, &Value),
) -> Result<(), ClusterError> {
    let at = format!("/status/{field}");
    let patch = json!([{"op": "test", "path": at, "value": value}, {"op": "remove", "path": at}]);
    let path = object_path(kind, namespace, name)? + "/status?fieldManager=" + STATUS_MANAGER;
    let call = Call::of("patch", Method::PATCH, kind, namespace, name, path)
        .with_json("application/json-patch+json", &patch)
        .once();
    session.send(call).await?.object().map(drop)
}

/// Sets the finalizers of an object that is still at its resourceVersion. Returns the object as it
/// is now.
///
/// # Errors
/// [`ClusterError::Refused`], with `Stale` where somebody else wrote it; or a failure to send.
pub async fn set_finalizers(
    session: &Session,
    kind: &KindInfo,
    (namespace, name): (&str, &str),
    resource_version: &str,
    finalizers: &[String],
) -> Result<Value, ClusterError> {
    let patch = json!({"metadata": {"resourceVersion": resource_version, "finalizers": finalizers}});
    let path = object_path(kind, namespace, name)? + "?fieldManager=" + STATUS_MANAGER;
    let call = Call::of("patch", Method::PATCH, kind, namespace, name, path)
        .with_json("application/merge-patch+json", &patch)
        .once();
    session.send(call).await?.object()
}

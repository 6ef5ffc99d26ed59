//! Lets an object go: it stays as it is, without our marks.

use http::Method;
use serde_json::{Map, Value, json};

use super::call::{Call, object_path};
use super::error::ClusterError;
use super::kinds::KindInfo;
use super::lease::WritePermit;
use super::refusal::RefusalReason;
use super::session::Session;
use crate::api::FIELD_MANAGER;

/// Removes labels and annotations from the object with this uid. An object that is gone, or is
/// another by now, is left as it is.
///
/// # Guarantees
/// Nothing is sent once the permit is past its deadline.
///
/// # Errors
/// [`ClusterError::PermitExpired`]; [`ClusterError::Refused`]; or a failure to send.
pub async fn release(
    permit: &WritePermit,
    session: &Session,
    kind: &KindInfo,
    (namespace, name): (&str, &str),
    uid: &str,
    labels: &[&str],
    annotations: &[&str],
) -> Result<(), ClusterError> {
    let nothing = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), Value::Null)).collect::<Map<_, _>>();
    let patch = json!({"metadata": {"uid": uid, "labels": nothing(labels), "annotations": nothing(annotations)}});
    let path = object_path(kind, namespace, name)? + "?fieldManager=" + FIELD_MANAGER;
    let call = Call::of("patch", Method::PATCH, kind, namespace, name, path)
        .with_json("application/merge-patch+json", &patch)
        .under(permit);
    match session.send(call).await {
        Ok(_) => Ok(()),
        Err(error) => match error.refusal().map(|r| &r.why) {
            Some(RefusalReason::NotFound | RefusalReason::NamespaceNotFound(_) | RefusalReason::Stale) => Ok(()),
            _ => Err(error),
        },
    }
}

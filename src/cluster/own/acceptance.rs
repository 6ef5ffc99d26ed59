//! Records of what was accepted.

use http::Method;
use kube::ResourceExt;

use crate::api::{Acceptance, STATUS_MANAGER};
use crate::cluster::call::{Call, collection_path, object_path};
use crate::cluster::error::ClusterError;
use crate::cluster::kinds::KindInfo;
use crate::cluster::session::Session;

fn kind() -> KindInfo {
    KindInfo::of::<Acceptance>()
}

/// Writes a record: over the one that is still at its resourceVersion, or a new one where it has none. The answer carries
/// the next version.
///
/// # Errors
/// [`ClusterError::Refused`] where somebody else wrote it; or a failure to send, after which it must be read again.
pub async fn write_acceptance(session: &Session, acceptance: &Acceptance) -> Result<Acceptance, ClusterError> {
    let (kind, namespace, name) = (kind(), acceptance.namespace().unwrap_or_default(), acceptance.name_any());
    let manager = format!("?fieldManager={STATUS_MANAGER}");
    let (verb, method, path) = match acceptance.resource_version() {
        Some(_) => ("update", Method::PUT, object_path(&kind, &namespace, &name)?),
        None => ("create", Method::POST, collection_path(&kind, &namespace)?),
    };
    let body = serde_json::to_value(acceptance).map_err(|error| ClusterError::BadAnswer {
        what: format!("write of {name}"),
        code: 0,
        message: error.to_string(),
    })?;
    let call = Call::of(verb, method, &kind, &namespace, &name, path + &manager).with_json("application/json", &body);
    session.send(call.once()).await?.json()
}

//! One object of our own kinds, as it stands.

use kube::Resource;
use serde::de::DeserializeOwned;

use crate::cluster::call::Call;
use crate::cluster::error::ClusterError;
use crate::cluster::kinds::{KindInfo, Scope};
use crate::cluster::refusal::RefusalReason;
use crate::cluster::session::Session;

/// An object as it stands; `None` where it is not there.
///
/// # Errors
/// Refusals, failures to ask, and [`ClusterError::BadAnswer`] where it cannot be read.
pub async fn read_own<K>(session: &Session, namespace: &str, name: &str) -> Result<Option<K>, ClusterError>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
    K::Scope: Scope,
{
    match session.send(Call::get(&KindInfo::of::<K>(), namespace, name)?).await {
        Ok(reply) => reply.json().map(Some),
        Err(error) if error.refusal().map(|r| &r.why) == Some(&RefusalReason::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

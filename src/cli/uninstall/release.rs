//! Letting go of what was deployed: it stays, without anything that says whose it was.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::found::is_owned;
use crate::api::{LABEL_SYNC_NAME, LABEL_SYNC_NAMESPACE};
use crate::cli::output::Progress;
use crate::cli::stop::Stop;
use crate::cluster::{Cluster, ClusterError, apply, person};
use crate::object::{ObjectId, annotation};

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Takes our labels and annotation from every object that still carries them. Returns how many
/// were let go of, and those of kinds that are not there any more are passed over.
///
/// # Errors
/// The first object that could not be changed; running again goes on from there.
pub async fn release(
    cluster: &Cluster,
    deployed: &BTreeMap<ObjectId, String>,
    progress: &Progress,
) -> Result<usize, Stop> {
    let session = cluster.own();
    let mut released = 0;
    for (done, (id, version)) in deployed.iter().enumerate() {
        progress.count("let go of", done, deployed.len());
        let api_version = if id.group.is_empty() { version.clone() } else { format!("{}/{version}", id.group) };
        let kind = match cluster.kinds().resolve(&session, &api_version, &id.kind).await {
            Ok(kind) => kind,
            Err(ClusterError::NoSuchKind { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let Some(object) = apply::get(&session, &kind, &id.namespace, &id.name).await? else { continue };
        let Some(patch) = letting_go(&object) else { continue };
        person::patch(&session, &kind, (&id.namespace, &id.name), &patch).await?;
        released += 1;
    }
    Ok(released)
}

/// The patch that takes away what says that a Sync owns the object; `None` where nothing does.
fn letting_go(object: &Value) -> Option<Value> {
    if !is_owned(object) {
        return None;
    }
    let mut labels = json!({LABEL_SYNC_NAME: null, LABEL_SYNC_NAMESPACE: null});
    if object.pointer("/metadata/labels").is_some_and(|of| of[MANAGED_BY] == "tandem") {
        labels[MANAGED_BY] = Value::Null;
    }
    Some(json!({"metadata": {"labels": labels, "annotations": {annotation::OWNER: null}}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_whose_it_was_is_taken_away() {
        let object = |labels: Value| json!({"metadata": {"labels": labels}});
        assert_eq!(letting_go(&object(json!({"app": "web"}))), None);
        assert_eq!(letting_go(&json!({"metadata": {}})), None);
        let ours = json!({"app": "web", LABEL_SYNC_NAME: "a", LABEL_SYNC_NAMESPACE: "b", MANAGED_BY: "tandem"});
        let patch = letting_go(&object(ours)).expect("ours");
        assert_eq!(
            patch["metadata"]["labels"],
            json!({LABEL_SYNC_NAME: null, LABEL_SYNC_NAMESPACE: null, MANAGED_BY: null})
        );
        assert_eq!(patch["metadata"]["annotations"], json!({"tandemcd.io/owner": null}));
        let by_another = letting_go(&object(json!({LABEL_SYNC_NAME: "a", MANAGED_BY: "Helm"}))).expect("ours");
        assert!(by_another["metadata"]["labels"].get(MANAGED_BY).is_none(), "Helm's label stays");
    }
}

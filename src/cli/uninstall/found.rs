//! What an installation consists of, read from the cluster.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::api::{Inventory, LABEL_SYNC_NAME, Repository, Standard, Sync, crds};
use crate::cli::install::Agent;
use crate::cli::stop::Stop;
use crate::cluster::{Cluster, ClusterError, KindInfo, RefusalReason, apply, own, person};
use crate::object::ObjectId;

/// Label of what an installation made.
const PART_OF: &str = "app.kubernetes.io/part-of=tandem";

/// One object that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Its kind.
    pub kind: KindInfo,
    /// Its namespace, or empty.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl Live {
    /// Which object.
    pub fn id(&self) -> ObjectId {
        self.kind.id(&self.namespace, &self.name)
    }
}

/// What is there.
#[derive(Debug, Default)]
pub struct Found {
    /// Syncs, inventories, Standards and Repositories, in the order in which they go.
    pub records: Vec<Live>,
    /// What Syncs own, with the version of its API. It stays.
    pub deployed: BTreeMap<ObjectId, String>,
    /// The Deployment of the agent.
    pub deployment: Option<Value>,
    /// Everything else of the agent, in the order in which it goes.
    pub rest: Vec<Live>,
    /// Why the Namespace stays, where it does.
    pub namespace_stays: Option<String>,
}

impl Found {
    /// Whether there is nothing to take away.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.deployment.is_none() && self.rest.is_empty()
    }
}

/// Looks for an installation. Nothing is written.
///
/// # Errors
/// The API server cannot be asked, or something may not be listed.
pub async fn find(cluster: &Cluster, namespace: &str) -> Result<Found, Stop> {
    let agent = Agent { namespace: namespace.to_owned(), ..Agent::default() };
    let of_agent: BTreeSet<ObjectId> = agent.objects().iter().map(identity).collect();
    let mut found = Found::default();
    let kinds =
        [KindInfo::of::<Sync>(), KindInfo::of::<Inventory>(), KindInfo::of::<Standard>(), KindInfo::of::<Repository>()];
    for kind in kinds {
        found.records.extend(list(cluster, &kind, "").await?.iter().map(|object| live(&kind, object)));
    }
    found.rest = rest(cluster, &agent).await?;
    // Where Git keeps the installation itself, a Sync owns these too; they go all the same.
    let made: BTreeSet<ObjectId> = found.records.iter().chain(&found.rest).map(Live::id).collect();
    for inventory in inventories(cluster).await? {
        let entries = inventory.spec.entries.into_iter();
        let owned = entries.filter_map(|entry| Some((entry.id.parse::<ObjectId>().ok()?, entry.v)));
        found.deployed.extend(owned.filter(|(id, _)| !of_agent.contains(id) && !made.contains(id)));
    }
    let kind = KindInfo::known("apps", "v1", "Deployment", "deployments").namespaced();
    found.deployment = apply::get(&cluster.own(), &kind, namespace, "tandem").await?;
    found.namespace_stays = namespace_stays(cluster, namespace, &found.deployed).await?;
    if found.namespace_stays.is_some() {
        found.rest.retain(|object| object.kind.kind != "Namespace");
    }
    Ok(found)
}

/// Rights and accounts first, definitions and the Namespace last.
async fn rest(cluster: &Cluster, agent: &Agent) -> Result<Vec<Live>, Stop> {
    let session = cluster.own();
    let rbac = |kind: &str, plural: &str| KindInfo::known("rbac.authorization.k8s.io", "v1", kind, plural);
    let mut rest = Vec::new();
    for kind in [
        rbac("RoleBinding", "rolebindings").namespaced(),
        rbac("Role", "roles").namespaced(),
        rbac("ClusterRoleBinding", "clusterrolebindings"),
        rbac("ClusterRole", "clusterroles"),
    ] {
        let all = person::list(&session, &kind, "", PART_OF).await?;
        rest.extend(all.iter().map(|object| live(&kind, object)));
    }
    for kind in [
        KindInfo::known("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies").namespaced(),
        KindInfo::known("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets").namespaced(),
        KindInfo::known("", "v1", "Service", "services").namespaced(),
        KindInfo::known("", "v1", "ServiceAccount", "serviceaccounts").namespaced(),
        KindInfo::known("", "v1", "Secret", "secrets").namespaced(),
        KindInfo::known("coordination.k8s.io", "v1", "Lease", "leases").namespaced(),
    ] {
        let all = person::list(&session, &kind, &agent.namespace, "").await?;
        rest.extend(all.iter().filter(|object| is_ours(object)).map(|object| live(&kind, object)));
    }
    let definition = crate::cluster::delete::crd_kind();
    let namespaces = KindInfo::known("", "v1", "Namespace", "namespaces");
    let names = crds::names().into_iter().map(|name| (&definition, name));
    for (kind, name) in names.chain([(&namespaces, agent.namespace.clone())]) {
        let object = apply::get(&session, kind, "", &name).await?;
        let ours = |object: &Value| kind.kind != "Namespace" || is_ours(object);
        rest.extend(object.filter(ours).map(|object| live(kind, &object)));
    }
    Ok(rest)
}

/// Whether an installation made it: by its label, or by the names that the agent gives.
fn is_ours(object: &Value) -> bool {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    text("/metadata/labels/app.kubernetes.io~1part-of") == "tandem"
        || (text("/kind") == "Lease" && text("/metadata/name").starts_with("tandem-"))
}

/// Deleting a Namespace takes all that is in it, so it goes only where nobody else lives there.
async fn namespace_stays(
    cluster: &Cluster,
    namespace: &str,
    deployed: &BTreeMap<ObjectId, String>,
) -> Result<Option<String>, Stop> {
    if let Some(id) = deployed.keys().find(|id| id.namespace == namespace) {
        return Ok(Some(format!("{id} was deployed into it")));
    }
    let session = cluster.own();
    for (group, kind, plural) in [
        ("", "Pod", "pods"),
        ("apps", "Deployment", "deployments"),
        ("apps", "StatefulSet", "statefulsets"),
        ("apps", "DaemonSet", "daemonsets"),
        ("", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ] {
        let kind = KindInfo::known(group, "v1", kind, plural).namespaced();
        let others = person::list(&session, &kind, namespace, "app.kubernetes.io/name!=tandem").await?;
        if let Some(other) = others.first() {
            return Ok(Some(format!("{} lives in it", live(&kind, other).id())));
        }
    }
    Ok(None)
}

/// All objects of one of our kinds; none where the kind is not there.
async fn list(cluster: &Cluster, kind: &KindInfo, namespace: &str) -> Result<Vec<Value>, Stop> {
    match person::list(&cluster.own(), kind, namespace, "").await {
        Err(error) if absent(&error) => Ok(Vec::new()),
        listed => Ok(listed?),
    }
}

async fn inventories(cluster: &Cluster) -> Result<Vec<Inventory>, Stop> {
    match own::list_inventories(&cluster.own(), "").await {
        Err(error) if absent(&error) => Ok(Vec::new()),
        listed => Ok(listed?),
    }
}

fn absent(error: &ClusterError) -> bool {
    let why = error.refusal().map(|refusal| &refusal.why);
    matches!(why, Some(RefusalReason::KindNotServed))
}

fn live(kind: &KindInfo, object: &Value) -> Live {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    Live { kind: kind.clone(), namespace: text("namespace"), name: text("name"), uid: text("uid") }
}

fn identity(object: &Value) -> ObjectId {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let group = crate::object::split_api_version(text("/apiVersion")).0;
    ObjectId::new(text("/metadata/namespace"), text("/metadata/name"), group, text("/kind"))
}

/// Whether a Sync says that it owns the object.
pub fn is_owned(object: &Value) -> bool {
    object.pointer("/metadata/labels").and_then(|labels| labels.get(LABEL_SYNC_NAME)).is_some()
}

//! From the flags to a cluster, and what several commands read there.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::args::Global;
use super::stop::Stop;
use super::target::{Target, TargetKind};
use crate::cluster::kinds::Scope as KindScope;
use crate::cluster::{Cluster, ClusterError, ConnectOptions, KindInfo, RefusalReason, apply, person};
use crate::failure::{Failed, Fault};

/// How long one request may take with its retries: a person waits for it.
const PATIENCE: Duration = Duration::from_secs(15);

/// Label of everything that the agent's installation consists of, as a selector.
pub const INSTALLED: &str = "app.kubernetes.io/part-of=tandem";

/// The cluster that the flags name. Nothing is sent yet.
pub async fn open(global: &Global) -> Result<Cluster, Stop> {
    let options = ConnectOptions {
        kubeconfig: global.kubeconfig.clone(),
        context: global.context.clone(),
        cluster: "cli".to_owned(),
        call_timeout: PATIENCE,
        ..ConnectOptions::default()
    };
    Ok(Cluster::connect(options).await?)
}

/// Which namespaces a command looks into.
#[derive(Debug, clap::Args)]
pub struct Scope {
    /// Look into every namespace
    #[arg(long, short = 'A')]
    all_namespaces: bool,
}

impl Scope {
    /// The namespace; empty for all.
    pub fn namespace(&self, global: &Global, cluster: &Cluster) -> String {
        if self.all_namespaces { String::new() } else { namespace(global, cluster) }
    }
}

/// The namespace that the flags or the context name.
pub fn namespace(global: &Global, cluster: &Cluster) -> String {
    global.namespace.clone().unwrap_or_else(|| cluster.default_namespace().to_owned())
}

/// All objects of one of our kinds in a namespace, or everywhere where it is empty.
pub async fn list<K>(cluster: &Cluster, namespace: &str) -> Result<Vec<K>, Stop>
where
    K: kube::Resource<DynamicType = ()> + DeserializeOwned,
    K::Scope: KindScope,
{
    let items = person::list(&cluster.own(), &KindInfo::of::<K>(), namespace, "").await.map_err(not_installed)?;
    items.into_iter().map(read).collect()
}

/// One Sync, Repository or Standard, as its type.
pub async fn find<K>(cluster: &Cluster, namespace: &str, target: &Target) -> Result<K, Stop>
where
    K: DeserializeOwned,
{
    read(find_any(cluster, namespace, target).await?)
}

/// One Sync, Repository or Standard, as it is.
pub async fn find_any(cluster: &Cluster, namespace: &str, target: &Target) -> Result<Value, Stop> {
    let place = target.namespace(namespace);
    match apply::get(&cluster.own(), &kind_of(target), &place, &target.name).await.map_err(not_installed)? {
        Some(found) => Ok(found),
        None => Err(no_such_target(cluster, &place, target).await),
    }
}

/// The objects as JSON, for output.
pub fn as_list<T: Serialize>(items: &[T]) -> Result<Vec<Value>, Stop> {
    items.iter().map(|item| Ok(for_print(serde_json::to_value(item).map_err(std::io::Error::other)?))).collect()
}

/// An object without the bookkeeping of its field managers, which kubectl hides too.
pub fn for_print(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

/// Kind of a target.
pub fn kind_of(target: &Target) -> KindInfo {
    match target.kind {
        TargetKind::Sync => KindInfo::of::<crate::api::Sync>(),
        TargetKind::Repository => KindInfo::of::<crate::api::Repository>(),
        TargetKind::Standard => KindInfo::of::<crate::api::Standard>(),
    }
}

/// Why there is none: no such kind, or no such name, with the names that there are.
async fn no_such_target(cluster: &Cluster, namespace: &str, target: &Target) -> Stop {
    let others = match person::list(&cluster.own(), &kind_of(target), namespace, "").await {
        Ok(others) => others,
        Err(error) => return not_installed(error),
    };
    let names: Vec<&str> = others.iter().filter_map(|o| o.pointer("/metadata/name")?.as_str()).take(10).collect();
    let failed = Failed::new("NotFound", Fault::Cluster, format!("no {}", target.told(namespace)));
    failed_with(
        failed,
        match names.as_slice() {
            [] if target.kind == TargetKind::Standard => "the cluster has none".to_owned(),
            names if target.kind == TargetKind::Standard => format!("the cluster has {}", names.join(", ")),
            [] => format!("namespace {namespace} has none; name another with -n, or list all with `tandem get -A`"),
            names => format!("namespace {namespace} has {}", names.join(", ")),
        },
    )
}

/// A list that is answered with 404 means that the kinds are not there.
fn not_installed(error: ClusterError) -> Stop {
    match error.refusal().map(|refusal| &refusal.why) {
        Some(RefusalReason::KindNotServed) => failed_with(
            Failed::new("NotInstalled", Fault::Cluster, "the cluster does not know the kinds of tandemcd.io"),
            "`tandem install` puts them there; `tandem plan PATH` works without them".to_owned(),
        ),
        _ => error.into(),
    }
}

fn failed_with(failed: Failed, hint: String) -> Stop {
    Stop::from(failed.with_hint(hint))
}

fn read<T: DeserializeOwned>(object: Value) -> Result<T, Stop> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    serde_json::from_value(object).map_err(|error| {
        let message = format!("{name} is not as this version of tandem knows its kind: {error}");
        failed_with(
            Failed::new("UnreadableObject", Fault::Cluster, message),
            "`tandem doctor` compares the kinds in the cluster with this version's".to_owned(),
        )
    })
}

//! `tandem uninstall`.

mod found;
mod release;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::ask::{Asking, confirm};
use super::connection;
use super::install::NAMESPACE;
use super::output::{Progress, count};
use super::{Exit, Output, Stop, args};
use crate::cluster::delete::{Preconditions, Propagation, delete, wait_gone};
use crate::cluster::{Cluster, KindInfo, WritePermit, apply, own, person};
use crate::failure::{Failed, Fault};
use found::{Found, Live};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(500);

const AFTER: &str = "\
Examples:
  tandem uninstall
  tandem uninstall -n gitops --yes

What Syncs have deployed stays, whatever their deletionPolicy says, without the labels that name
its Sync. To delete it as well, delete the Syncs with deletionPolicy: Prune first.";

/// Take the agent and its kinds out of a cluster; what was deployed stays
///
/// Stops the agent, lets go of what it deployed, and removes Syncs, Repositories, rights,
/// definitions and the agent's namespace. It shows what goes, asks, and waits until it is gone.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// How long to wait for each step, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
}

/// The result.
#[derive(Serialize)]
struct Uninstalled {
    /// Objects that stay, and say no longer whose they were.
    released: usize,
    /// Objects that are gone.
    deleted: usize,
}

/// Uninstalls.
pub async fn run(args: &Args, global: &args::Global, output: &Output) -> Result<Exit, Stop> {
    let namespace = global.namespace.clone().unwrap_or_else(|| NAMESPACE.to_owned());
    let cluster = connection::open(global).await?;
    let found = found::find(&cluster, &namespace).await?;
    if found.is_empty() {
        output.result(&Uninstalled { released: 0, deleted: 0 }, |_, _| "nothing to do\n".to_owned())?;
        return Ok(Exit::Nothing);
    }
    refuse_what_helm_keeps(&found, &namespace)?;
    show(&cluster, &found, output);
    let asking = if args.yes { Asking::Answered } else { Asking::Needed };
    let Some(confirmed) = confirm("Go on?", asking)? else {
        output.note("nothing was changed");
        return Ok(Exit::Differences);
    };
    let permit = WritePermit::by_hand(&confirmed);
    let timeout = Duration::from_secs(args.timeout);
    let progress = Progress::start();

    let stopped = stop_agent(&cluster, &permit, &namespace, &found, timeout, &progress).await?;
    let released = release::release(&cluster, &found.deployed, &progress).await?;
    for record in &found.records {
        progress.tell(&format!("removing {}", record.id()));
        forget_finalizers(&cluster, record).await?;
        remove(&cluster, &permit, record, timeout).await?;
    }
    for object in &found.rest {
        progress.tell(&format!("removing {}", object.id()));
        remove(&cluster, &permit, object, timeout).await?;
    }
    drop(progress);
    let result = Uninstalled { released, deleted: stopped + found.records.len() + found.rest.len() };
    output.result(&result, |result, _| {
        format!("{} gone; {} let go of\n", count(result.deleted, "object"), count(result.released, "deployed object"))
    })?;
    Ok(Exit::Nothing)
}

fn refuse_what_helm_keeps(found: &Found, namespace: &str) -> Result<(), Stop> {
    let annotations = found.deployment.as_ref().and_then(|object| object.pointer("/metadata/annotations"));
    let release = annotations.and_then(|all| all.get("meta.helm.sh/release-name")).and_then(Value::as_str);
    let Some(release) = release else { return Ok(()) };
    let message = format!("the agent belongs to the Helm release {release}");
    let hint = format!(
        "`helm uninstall {release} -n {namespace}` first: it leaves Syncs and definitions, which this command then removes in order"
    );
    Err(Failed::new("KeptByHelm", Fault::Cluster, message).with_hint(hint).into())
}

fn show(cluster: &Cluster, found: &Found, output: &Output) {
    output.note(&format!("in {}, to be deleted:", cluster.url()));
    if let Some(deployment) = &found.deployment {
        let namespace = deployment.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
        output.plain(&format!("  Deployment.apps/{namespace}/tandem"));
    }
    for object in found.records.iter().chain(&found.rest) {
        let all = if object.kind.kind == "Namespace" { ", with all that is in it" } else { "" };
        output.plain(&format!("  {}{all}", object.id()));
    }
    output.note(&format!("{} stay, and say no longer whose they were", count(found.deployed.len(), "deployed object")));
    if let Some(why) = &found.namespace_stays {
        output.note(&format!("the Namespace stays: {why}"));
    }
}

/// Stops the agent, and makes sure that nobody goes on in its name: an agent that still ran would
/// heal what is taken away, or prune with a Sync that goes. Returns how many objects went.
async fn stop_agent(
    cluster: &Cluster,
    permit: &WritePermit,
    namespace: &str,
    found: &Found,
    timeout: Duration,
    progress: &Progress,
) -> Result<usize, Stop> {
    let mut stopped = 0;
    if let Some(deployment) = &found.deployment {
        progress.tell("stopping the agent");
        let uid = deployment.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = KindInfo::known("apps", "v1", "Deployment", "deployments").namespaced();
        let only = Preconditions { uid: uid.clone(), resource_version: None };
        let place = (namespace, "tandem");
        delete(permit, &cluster.own(), &kind, place, &only, Propagation::Foreground).await?;
        wait_gone(&cluster.own(), &kind, place, &uid, timeout, &CancellationToken::new()).await?;
        stopped = 1;
    }
    let began = Instant::now();
    let kind = KindInfo::known("coordination.k8s.io", "v1", "Lease", "leases").namespaced();
    loop {
        let leases = person::list(&cluster.own(), &kind, namespace, "").await?;
        let Some(holder) = leases.iter().find_map(|lease| holder(lease, Timestamp::now())) else { return Ok(stopped) };
        if began.elapsed() >= timeout {
            let failed =
                Failed::new("AgentStillRuns", Fault::Cluster, format!("an agent still holds the lease: {holder}"));
            return Err(failed.with_hint("stop it, wherever it runs, and run the same command again").into());
        }
        progress.tell(&format!("waiting until {holder} has stopped"));
        tokio::time::sleep(LOOK).await;
    }
}

/// Who holds one of our leases now: it names a holder and has not run out.
fn holder(lease: &Value, now: Timestamp) -> Option<String> {
    let text = |pointer: &str| lease.pointer(pointer).and_then(Value::as_str);
    let ours = text("/metadata/name")?.starts_with("tandem-");
    let renewed: Timestamp = text("/spec/renewTime")?.parse().ok()?;
    let seconds = lease.pointer("/spec/leaseDurationSeconds").and_then(Value::as_i64)?;
    let holder = text("/spec/holderIdentity").filter(|holder| !holder.is_empty())?;
    let fresh = now.duration_since(renewed) <= jiff::SignedDuration::from_secs(seconds);
    (ours && fresh).then(|| holder.to_owned())
}

/// Nobody is left who would act on a finalizer.
async fn forget_finalizers(cluster: &Cluster, record: &Live) -> Result<(), Stop> {
    let place = (record.namespace.as_str(), record.name.as_str());
    let Some(object) = apply::get(&cluster.own(), &record.kind, place.0, place.1).await? else { return Ok(()) };
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    let Some(finalizers) = finalizers.filter(|all| !all.is_empty()) else { return Ok(()) };
    let others: Vec<String> = finalizers
        .iter()
        .filter_map(Value::as_str)
        .filter(|finalizer| !finalizer.starts_with("tandemcd.io/"))
        .map(str::to_owned)
        .collect();
    let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
    own::set_finalizers(&cluster.own(), &record.kind, place, version, &others).await?;
    Ok(())
}

async fn remove(cluster: &Cluster, permit: &WritePermit, object: &Live, timeout: Duration) -> Result<(), Stop> {
    let session = cluster.own();
    let place = (object.namespace.as_str(), object.name.as_str());
    let only = Preconditions { uid: object.uid.clone(), resource_version: None };
    delete(permit, &session, &object.kind, place, &only, Propagation::Background).await?;
    wait_gone(&session, &object.kind, place, &object.uid, timeout, &CancellationToken::new()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lease_is_held_until_it_runs_out_or_is_given_back() {
        let now: Timestamp = "2026-05-04T10:00:15Z".parse().expect("a time");
        let lease = |name: &str, holder: &str, renewed: &str| {
            json!({"metadata": {"name": name}, "spec": {
                "holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15,
            }})
        };
        for (lease, expected) in [
            (lease("tandem-0", "pod-a", "2026-05-04T10:00:10.000000Z"), Some("pod-a")),
            (lease("tandem-0", "pod-a", "2026-05-04T09:59:59.000000Z"), None),
            (lease("tandem-0", "", "2026-05-04T10:00:10.000000Z"), None),
            (lease("other", "pod-a", "2026-05-04T10:00:10.000000Z"), None),
            (json!({"metadata": {"name": "tandem-0"}, "spec": {}}), None),
        ] {
            assert_eq!(holder(&lease, now).as_deref(), expected, "{lease}");
        }
    }
}

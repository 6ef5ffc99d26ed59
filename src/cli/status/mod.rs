//! `tandem status`.

mod reach;
mod text;

use jiff::Timestamp;
use serde_json::json;

use super::connection::{self, Scope};
use super::live::{self, LiveObject};
use super::target::{self, Target};
use super::{Exit, Output, Stop, args, words};
use crate::api::{ConditionStatus, ConditionType, Sync};
use crate::cluster::Cluster;
use crate::health::Status;

const AFTER: &str = "\
Examples:
  tandem status                     every Sync of the namespace
  tandem status web                 one, with what is not as wanted and why
  tandem status --revision HEAD     which Syncs have the commit that is checked out here

Exit codes: 0 where every Sync is Ready (with --revision: has it), else 1.";

/// Tell how Syncs are: conditions, revisions, objects, problems, history
///
/// With --revision, tells of each Sync whether it has that commit. A commit that changes nothing
/// for a Sync leaves no trace in its status, so run it inside a clone of the repository: there it
/// is compared, folder by folder, with the commit that was applied.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// The Sync, all of the namespace unless said
    #[arg(value_name = "[NAMESPACE/]NAME", value_parser = target::sync)]
    sync: Option<Target>,
    /// Commit, or what names one in the clone around the current folder
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    #[command(flatten)]
    scope: Scope,
}

/// Tells how they are.
pub async fn run(args: &Args, global: &args::Global, output: &Output) -> Result<Exit, Stop> {
    let cluster = connection::open(global).await?;
    let namespace = args.scope.namespace(global, &cluster);
    let syncs: Vec<Sync> = match &args.sync {
        Some(target) => vec![connection::find(&cluster, &namespace, target).await?],
        None => connection::list(&cluster, &namespace).await?,
    };
    if syncs.is_empty() {
        output.note(&format!("no Sync in namespace {namespace}; -A looks in all of them"));
    }
    if let Some(revision) = &args.revision {
        return reach::run(revision, &cluster, &syncs, output).await;
    }
    let mut unwell = Vec::new();
    for sync in &syncs {
        unwell.push(not_as_wanted(&cluster, sync).await?);
    }
    let printed = connection::as_list(&syncs)?.into_iter().zip(&unwell);
    let told: Vec<_> = printed.map(|(sync, unwell)| json!({"sync": sync, "notAsWanted": unwell})).collect();
    output.result(&told, |_, paint| {
        let now = Timestamp::now();
        let blocks = syncs.iter().zip(&unwell).map(|(sync, unwell)| text::text(sync, unwell, now, paint));
        blocks.collect::<Vec<_>>().join("\n")
    })?;
    Ok(if syncs.iter().all(is_ready) { Exit::Nothing } else { Exit::Differences })
}

fn is_ready(sync: &Sync) -> bool {
    let ready = words::condition(words::of_sync(sync), ConditionType::Ready);
    let fresh = sync.status.as_ref().map(|status| status.observed_generation) == sync.metadata.generation;
    fresh && ready.is_some_and(|condition| condition.status == ConditionStatus::True)
}

/// Objects that are not as wanted; the status has only their number, so they are read where that
/// is not zero.
async fn not_as_wanted(cluster: &Cluster, sync: &Sync) -> Result<Vec<LiveObject>, Stop> {
    let counts = sync.status.as_ref().and_then(|status| status.objects.as_ref());
    if counts.is_none_or(|counts| counts.current == counts.total) {
        return Ok(Vec::new());
    }
    let mut objects = live::objects(cluster, sync).await?;
    objects.retain(|object| object.health.status != Status::Current);
    Ok(objects)
}

//! `tandem suspend` and `tandem resume`.

use serde_json::json;

use super::target::{self, Target};
use super::{Exit, Output, Stop, args, connection};
use crate::api::{LABEL_SYNC_NAME, LABEL_SYNC_NAMESPACE};
use crate::cluster::person;

const AFTER_SUSPEND: &str = "\
Examples:
  tandem suspend web
  tandem suspend repository/app     nothing is fetched; Syncs stay at what they have

This is a switch outside Git. Where the Sync itself is deployed from Git, it is put back with the
next reconciliation: set `suspend: true` there.";

const AFTER_RESUME: &str = "\
Examples:
  tandem resume web
  tandem resume repository/app";

/// Stop a Sync or Repository for a while
///
/// Nothing is applied, healed or pruned until `tandem resume`. What runs goes on running.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_SUSPEND)]
pub struct SuspendArgs {
    /// The Sync, or repository/NAME
    #[arg(value_name = "[repository/][NAMESPACE/]NAME", value_parser = target::suspendable)]
    target: Target,
}

/// Go on with a Sync or Repository
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_RESUME)]
pub struct ResumeArgs {
    /// The Sync, or repository/NAME
    #[arg(value_name = "[repository/][NAMESPACE/]NAME", value_parser = target::suspendable)]
    target: Target,
}

/// Whether it rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Suspended,
    Running,
}

/// Suspends it.
pub async fn suspend(args: &SuspendArgs, global: &args::Global, output: &Output) -> Result<Exit, Stop> {
    switch(&args.target, Wanted::Suspended, global, output).await
}

/// Resumes it.
pub async fn resume(args: &ResumeArgs, global: &args::Global, output: &Output) -> Result<Exit, Stop> {
    switch(&args.target, Wanted::Running, global, output).await
}

async fn switch(target: &Target, wanted: Wanted, global: &args::Global, output: &Output) -> Result<Exit, Stop> {
    let cluster = connection::open(global).await?;
    let namespace = connection::namespace(global, &cluster);
    let found = connection::find_any(&cluster, &namespace, target).await?;
    let kind = connection::kind_of(target);
    let namespace = target.namespace.clone().unwrap_or(namespace);
    let value = (wanted == Wanted::Suspended).then_some(true);
    let patch = json!({"spec": {"suspend": value}});
    let changed = person::patch(&cluster.own(), &kind, (&namespace, &target.name), &patch).await?;
    let word = match wanted {
        Wanted::Suspended => "suspended",
        Wanted::Running => "resumed",
    };
    output.result(&connection::for_print(changed), |_, _| {
        format!("{} {namespace}/{} {word}\n", kind.kind, target.name)
    })?;
    let label = |name: &str| found.pointer("/metadata/labels").and_then(|labels| labels.get(name)?.as_str());
    if let (Some(name), Some(owner_namespace)) = (label(LABEL_SYNC_NAME), label(LABEL_SYNC_NAMESPACE)) {
        output.note(&format!(
            "{} {namespace}/{} is itself deployed by Sync {owner_namespace}/{name}, which will put spec.suspend back to what Git says; change it there",
            kind.kind, target.name
        ));
    } else if wanted == Wanted::Suspended {
        output.note("this switch stands outside Git; `tandem resume` takes it back");
    }
    Ok(Exit::Nothing)
}

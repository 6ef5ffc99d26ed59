//! `tandem doctor`.

mod agent;
mod check;
mod definitions;
mod rights;
mod server;
mod sources;
mod standards;

use check::{Check, Verdict, text};

use super::output::Progress;
use super::{Exit, Output, Stop, args, connection};
use crate::api::{Repository, Sync};
use crate::failure::Fault;

const AFTER: &str = "\
Examples:
  tandem doctor
  tandem doctor -o json

Exit codes: 0 nothing is wrong, 4 something is.";

/// Look for what keeps Tandem from working, and say what to do
///
/// Looks at the API server and the clock, the kinds, the agent and its lease, every Repository and
/// Standard, and every Sync with its account and rights. Everything is read, nothing is changed; what your own
/// rights do not let you see is told as such.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// Namespace of the agent
    #[arg(long, value_name = "NAME", default_value = "tandem-system")]
    agent_namespace: String,
    /// ServiceAccount of the agent
    #[arg(long, value_name = "NAME", default_value = "tandem")]
    agent_account: String,
}

/// Looks.
pub async fn run(args: &Args, global: &args::Global, output: &Output) -> Result<Exit, Stop> {
    let cluster = connection::open(global).await?;
    let progress = Progress::start();
    progress.tell("asking the API server");
    let mut checks = server::checks(&cluster).await;
    if checks.iter().all(|check| check.verdict != Verdict::Fail) {
        progress.tell("looking at the kinds and the agent");
        checks.extend(definitions::checks(&cluster).await);
        checks.extend(agent::checks(&cluster, &args.agent_namespace).await);
        match listed(&cluster).await {
            Ok((repositories, syncs)) => {
                progress.tell("looking at Repositories");
                checks.extend(sources::checks(&cluster, &repositories).await);
                progress.tell("looking at the rights of accounts");
                checks.extend(rights::checks(&cluster, &syncs, &args.agent_namespace, &args.agent_account).await);
            }
            Err(check) => checks.push(check),
        }
        match connection::list(&cluster, "").await {
            Ok(found) => checks.extend(standards::checks(&found)),
            Err(stop) => {
                let hint = "where the kinds are installed, ask for the right to list them";
                checks.push(Check::warn("Standards", stop.to_string(), hint));
            }
        }
    }
    drop(progress);
    output.result(&checks, |checks, paint| text(checks, paint))?;
    let wrong = checks.iter().any(|check| check.verdict == Verdict::Fail);
    Ok(if wrong { Exit::Fault(Fault::Cluster) } else { Exit::Nothing })
}

/// Repositories and Syncs of all namespaces, or what to say where they cannot be listed.
async fn listed(cluster: &crate::cluster::Cluster) -> Result<(Vec<Repository>, Vec<Sync>), Check> {
    let hint = "where the kinds are installed, ask for the right to list them";
    let told = |stop: Stop| Check::warn("Repositories and Syncs", stop.to_string(), hint);
    let repositories = connection::list(cluster, "").await.map_err(told)?;
    let syncs = connection::list(cluster, "").await.map_err(told)?;
    Ok((repositories, syncs))
}

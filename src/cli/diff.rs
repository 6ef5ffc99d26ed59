//! `tandem diff`.

use std::path::{Path, PathBuf};

use super::charts::Charts;
use super::clone::Clone;
use super::keys::KeyFiles;
use super::output::Progress;
use super::plan::{Detail, Subject, compute, options_of, show};
use super::source;
use super::target::{self, Target};
use super::variables::Variables;
use super::{Exit, Output, Stop, args, connection};
use crate::api::Sync;

const AFTER: &str = "\
Examples:
  tandem diff web                   drift: the cluster against the revision that web has accepted
  tandem diff web --rev HEAD        against the commit that is checked out here
  tandem diff web --path shop/      against a folder as it is on disk
  tandem diff web --repo ~/src/app  with a clone that is elsewhere

Exit codes: 0 nothing differs, 1 something does, 3 with every problem on stderr, 4 the cluster
cannot be asked.";

/// Tell what differs between a Sync's folder and the cluster
///
/// Plans as the Sync would: in its namespace, with its rules and variables, deletions included. Where `plan` asks
/// what a folder of yours would change, `diff` starts from a Sync: the folder is the Sync's own, as
/// it is in the revision that it has accepted, read from the clone around the current folder. So
/// what differs is drift, or what a run did not finish.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// The Sync
    #[arg(value_name = "[NAMESPACE/]NAME", value_parser = target::sync)]
    sync: Target,
    /// Compare with this folder of a working copy
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["rev", "repo"])]
    path: Option<PathBuf>,
    /// Compare with the Sync's folder in this commit: a branch, a tag, HEAD~1, a commit id
    #[arg(long, value_name = "REVISION")]
    rev: Option<String>,
    /// Clone to read from, the one around the current folder unless said
    #[arg(long, value_name = "FOLDER")]
    repo: Option<PathBuf>,
    #[command(flatten)]
    charts: Charts,
    /// Name the objects, and leave out what differs in them
    #[arg(long)]
    brief: bool,
    #[command(flatten)]
    keys: KeyFiles,
    #[command(flatten)]
    variables: Variables,
}

/// Compares.
pub async fn run(args: &Args, global: &args::Global, output: &Output) -> Result<Exit, Stop> {
    let cluster = connection::open(global).await?;
    let namespace = connection::namespace(global, &cluster);
    let sync: Sync = connection::find(&cluster, &namespace, &args.sync).await?;
    let options = args.keys.added(options_of(&cluster, &sync).await?)?;
    let options = args.variables.added(options)?;
    let options = args.charts.added(options, None)?;
    let rendered = match &args.path {
        Some(folder) => source::render_folder(folder, &args.charts, &args.keys, options).await?,
        None => {
            let clone = Clone::around(args.repo.as_deref().unwrap_or(Path::new(".")))?;
            let (revision, path) = (wanted(args, &sync)?, sync.spec.path.trim_matches('/'));
            source::render_commit(&clone, &revision, path, &args.charts, &args.keys, options).await?
        }
    };
    let subject = Subject::of_sync(&cluster, &sync).await?;
    let computed = compute(&cluster, rendered, &subject, &Progress::start()).await?;
    show(&computed, if args.brief { Detail::Headings } else { Detail::Fields }, output)
}

/// The commit that was asked for, else the one that the Sync has accepted.
fn wanted(args: &Args, sync: &Sync) -> Result<String, Stop> {
    let status = sync.status.as_ref();
    let known = status.and_then(|status| status.accepted_revision.clone().or_else(|| status.applied_revision.clone()));
    args.rev.clone().or(known).ok_or_else(|| {
        Stop::usage("the Sync has accepted no revision yet", "name one with --rev, or a folder with --path")
    })
}

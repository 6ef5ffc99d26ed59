//! `tandem tree`.

mod text;

use kube::ResourceExt;

use super::live;
use super::output::short_revision;
use super::target::{self, Target};
use super::{Exit, Output, Stop, args, connection};
use crate::api::Sync;

const AFTER: &str = "\
Examples:
  tandem tree web
  tandem tree shop/web -o json";

/// Draw what a Sync owns, with health, and what that owns in turn
///
/// Objects are read with your own rights; what you may not read is shown as Unknown.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// The Sync
    #[arg(value_name = "[NAMESPACE/]NAME", value_parser = target::sync)]
    sync: Target,
}

/// Draws it.
pub async fn run(args: &Args, global: &args::Global, output: &Output) -> Result<Exit, Stop> {
    let cluster = connection::open(global).await?;
    let namespace = connection::namespace(global, &cluster);
    let sync: Sync = connection::find(&cluster, &namespace, &args.sync).await?;
    let objects = live::with_children(&cluster, live::objects(&cluster, &sync).await?).await?;
    let applied = sync.status.as_ref().and_then(|status| status.applied_revision.as_deref());
    let applied = applied.map_or("nothing applied yet".to_owned(), short_revision);
    let title = format!("Sync {}/{} ({applied})", sync.namespace().unwrap_or_default(), sync.name_any());
    output.result(&objects, |objects, paint| text::text(&title, objects, paint))?;
    Ok(Exit::Nothing)
}

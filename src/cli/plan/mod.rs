//! `tandem plan`.

mod answer;
mod ask;
mod live;
mod removed;
mod subject;

pub use ask::{Computed, compute};
pub use subject::{Subject, options_of};

use super::output::{Bodies, Progress, changes, count, summary};
use super::source::Source;
use super::target::{self, Target};
use super::{Exit, Output, Stop, args, connection};
use crate::api::Sync;
use crate::failure::Fault;
use crate::object::Problem;
use crate::plan::Plan;
use crate::render::Options;

const AFTER: &str = "\
Examples:
  tandem plan shop/                 what applying the folder would change in the current context
  tandem plan shop/ --context prod --rev origin/main
  tandem plan shop/ --sync shop/web as that Sync would: its namespace, rules, variables, and what it
                                    would delete
  tandem plan shop/ -o json         the plan as one value

Exit codes: 0 nothing differs, 1 something does, 3 with every problem on stderr, 4 the cluster
cannot be asked.";

/// Tell what a folder would change in a cluster, object by object
///
/// Works on any folder and any cluster, with nothing of Tandem installed there: every object is
/// dry-run by the API server with your own rights, so what it defaults, refuses or a webhook
/// changes is seen, and nothing is written. Objects that need something from the same folder first
/// (a Namespace, a CustomResourceDefinition) are checked offline. Values of Secrets are masked.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Plan as this Sync of the cluster would, deletions included
    #[arg(long, value_name = "[NAMESPACE/]NAME", value_parser = target::sync)]
    sync: Option<Target>,
    /// Name the objects, and leave out what differs in them
    #[arg(long)]
    brief: bool,
}

/// Plans.
pub async fn run(args: &Args, global: &args::Global, output: &Output) -> Result<Exit, Stop> {
    let (cluster, rendered, subject) = match &args.sync {
        None => {
            // What is wrong with the files is told whatever the cluster says.
            let rendered = args.source.render(Options::default(), global.namespace.as_deref()).await?;
            let cluster = connection::open(global).await?;
            let namespace = connection::namespace(global, &cluster);
            (cluster, rendered, Subject::of_folder(&namespace))
        }
        Some(target) => {
            let cluster = connection::open(global).await?;
            let sync: Sync = connection::find(&cluster, &connection::namespace(global, &cluster), target).await?;
            let rendered = args.source.render(options_of(&cluster, &sync).await?, None).await?;
            let subject = Subject::of_sync(&cluster, &sync).await?;
            (cluster, rendered, subject)
        }
    };
    let computed = compute(&cluster, rendered, &subject, &Progress::start()).await?;
    let detail = if args.brief { Detail::Headings } else { Detail::Fields };
    show(&computed, detail, output)
}

/// How much of a plan is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The objects.
    Headings,
    /// What differs in them.
    Fields,
}

/// Prints a plan, and says how the command ends.
pub fn show(computed: &Computed, detail: Detail, output: &Output) -> Result<Exit, Stop> {
    let Computed { plan, created, notes } = computed;
    output.result(plan, |plan, paint| {
        let shown = match detail {
            Detail::Fields => changes(plan, created, paint),
            Detail::Headings => changes(&without_fields(plan), &Bodies::new(), paint),
        };
        format!("{shown}{}\n", summary(plan))
    })?;
    notes.iter().for_each(|note| output.note(note));
    plan.notices.iter().for_each(|notice| output.note(&notice.to_string()));
    if !plan.problems.is_empty() {
        output.problems(&plan.problems);
        output.error(&count(plan.problems.len(), "problem"));
        return Ok(Exit::Fault(fault(&plan.problems)));
    }
    Ok(if plan.is_empty() { Exit::Nothing } else { Exit::Differences })
}

/// Whose fault problems are: the cluster's where each of them is of rights or quotas.
fn fault(problems: &[Problem]) -> Fault {
    let of_cluster =
        |problem: &Problem| matches!(problem.rule.as_str(), "Forbidden" | "Unauthorized" | "QuotaExceeded");
    if problems.iter().all(of_cluster) { Fault::Cluster } else { Fault::Repository }
}

fn without_fields(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.changes.iter_mut().for_each(|change| change.fields.clear());
    plan
}

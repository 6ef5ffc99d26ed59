//! What a change does to a cluster, as its agent signed it: read, verified by the key that the owners file lists, and shown.

use std::fmt::Write;
use std::io::Read;
use std::path::Path;

use jiff::Timestamp;

use super::super::output::{Paint, changes, summary};
use super::Stop;
use crate::failure::{Failed, Fault};
use crate::plan::signed::{Foretold, SignedPlan};
use crate::report::visible::visible;
use crate::revision::review::Owners;

/// For what a plan has to be.
pub struct Wanted<'a> {
    /// Host and path of the repository.
    pub repository: &'a str,
    /// Full name of the reference.
    pub reference: &'a str,
    /// The commit that is approved.
    pub head: &'a str,
    /// The cluster, where it was said.
    pub cluster: Option<&'a str>,
}

/// Reads plans from a file; `-` is stdin.
///
/// # Errors
/// It cannot be read, or there is no plan in it.
pub fn read(path: &Path) -> Result<Vec<SignedPlan>, Stop> {
    let name = path.display();
    let stdin = path == Path::new("-");
    let text = match stdin {
        true => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        }
        false => std::fs::read_to_string(path),
    };
    let name = if stdin { "stdin".to_owned() } else { name.to_string() };
    let text = text.map_err(|error| Stop::usage(format!("--plan: {name}: {error}"), "name the file of the plan"))?;
    SignedPlan::all(&text).map_err(|why| {
        let hint =
            "it is the block in the agent's comment on the pull request, or status.plan of the Sync that is held";
        Stop::usage(format!("--plan: {name} holds no plan: {why}"), hint)
    })
}

/// What it says, where the agent of its cluster signed it for exactly this.
///
/// # Errors
/// It is not signed by that agent, or is of something else.
pub fn checked(plan: &SignedPlan, wanted: &Wanted<'_>, owners: &Owners, now: Timestamp) -> Result<Foretold, Stop> {
    let refused = |message: String, hint: String| {
        Stop::from(Failed::new("PlanRefused", Fault::Repository, format!("the plan: {message}")).with_hint(hint))
    };
    let cluster = plan.claimed_cluster().unwrap_or_default();
    let name = visible(&cluster);
    let Some(agent) = owners.agent(&cluster) else {
        let hint = "list its agent under spec.clusters of the owners file: {name, key}; the key is status.reviewStatus.planKey of the Repository there";
        return Err(refused(format!("the owners file lists no agent of the cluster {name}"), hint.to_owned()));
    };
    let agent = agent.map_err(|problem| Stop::usage(problem.to_string(), "correct the owners file"))?;
    let foretold = plan.verified(&agent, now).map_err(|why| {
        refused(visible(&why), format!("take it anew from where the agent of {name} shows it; do not approve this one"))
    })?;
    for (what, is, wants) in [
        ("repository", &foretold.repository, Some(wanted.repository)),
        ("reference", &foretold.reference, Some(wanted.reference)),
        ("commit", &foretold.commit, Some(wanted.head)),
        ("cluster", &foretold.cluster, wanted.cluster),
    ] {
        if let Some(wants) = wants.filter(|wants| wants != is) {
            let hint = format!("take the plan of the {what} {wants}, or approve {}", visible(is));
            return Err(refused(format!("it is of the {what} {} and not of {wants}", visible(is)), hint));
        }
    }
    Ok(foretold)
}

/// What would become of the cluster.
pub fn shown(plan: &SignedPlan, foretold: &Foretold, paint: Paint) -> String {
    let mut text = format!("in the cluster {}, as its agent said at {}:\n", visible(&foretold.cluster), foretold.at);
    for (sync, essence) in &plan.plans {
        let (plan, created) = essence.as_plan();
        let _ = writeln!(text, "Sync {}: {}", visible(sync), summary(&plan));
        text.push_str(&changes(&plan, &created, paint));
        if let Some(inputs) = &essence.inputs {
            let _ = writeln!(
                text,
                "rendered with ConfigMaps or Secrets of the cluster as they are now (inputs {:.8}): with other values it would need another approval",
                visible(inputs)
            );
        }
        let left_out = essence.lines.iter().filter(|line| line.detail.is_none() && line.sent.is_some()).count();
        if left_out > 0 {
            let _ = writeln!(
                text,
                "of {left_out} objects it is not shown how they change: they hold secrets, or it was too much"
            );
        }
    }
    text
}

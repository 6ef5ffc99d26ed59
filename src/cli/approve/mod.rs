//! `tandem approve` and `tandem withdraw`: a person's signed word on a change, as a Git note.

mod effect;
mod patch;
mod show;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::ask::{Asking, confirm};
use super::{Exit, Output, Stop, args, clone, sign};
use crate::agent::worker::{owners_of, step};
use crate::git;
use crate::plan::signed::SignedPlan;
use crate::revision::review::note::{Act, NAMESPACE, Plans, Statement, added, reference_of, repository_id};
use crate::revision::review::{Profile, Role, judge};

const AFTER: &str = "\
Examples:
  tandem approve                          HEAD, compared with its first parent
  tandem approve 4f2c81d --role ops       as operations alone
  tandem approve main --cluster staging   for one cluster
  tandem approve main --base 91ab03e      a rewrite of history, from exactly that commit
  tandem approve 4f2c81d --plan plan.txt  and what it does to the cluster, as the agent there signed it

The key is that of git (user.signingKey), or --key; ssh-keygen signs, so ssh-agent and hardware keys
work. The approval is a note under refs/notes/tandem/approvals/, which is pushed; it counts for
exactly this commit, tree, base, branch and repository.";

/// Approve a change, with a signature
///
/// Shows the commit, what it changes and who must approve it, asks, and signs.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    #[command(flatten)]
    what: What,
    /// Approve as this alone; without it, as all that the owners file says you are
    #[arg(long, value_name = "ROLE", value_parser = role)]
    role: Option<Role>,
    /// For this cluster alone
    #[arg(long, value_name = "NAME", value_parser = args::cluster_name)]
    cluster: Option<String>,
    /// Approve what becomes of the cluster too: a file with the plan that its agent signed, from the comment on the pull request or
    /// from status.plan of the Sync; - is stdin
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Days that the approval is good for
    #[arg(long, value_name = "NUMBER", default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=90))]
    days: i64,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Take an approval back
///
/// What you approved of this commit counts no more; you may approve it again later. Where it is
/// deployed already, it stays.
#[derive(Debug, clap::Args)]
pub struct WithdrawArgs {
    #[command(flatten)]
    what: What,
}

/// What is approved, and with what.
#[derive(Debug, clap::Args)]
struct What {
    /// Commit, branch or tag
    #[arg(value_name = "REV", default_value = "HEAD")]
    revision: String,
    /// The commit that it is compared with. Unless said, the first parent of a commit on the deployed branch; of another
    /// one, the head of a pull request, the commit where that left the deployed branch
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// Full name of the branch or tag that is deployed; the current branch unless said
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// Private or public SSH key; user.signingKey of git unless said
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Remote that the note is pushed to
    #[arg(long, value_name = "NAME", default_value = "origin")]
    remote: String,
    /// Leave the note in this clone
    #[arg(long)]
    no_push: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    commit: String,
    signer: String,
    note: String,
    pushed: bool,
    statement: String,
}

fn role(text: &str) -> Result<Role, String> {
    [Role::Dev, Role::Ops].into_iter().find(|role| role.as_str() == text).ok_or_else(|| "dev or ops".to_owned())
}

/// Approves.
pub async fn approve(args: &Args, _: &args::Global, output: &Output) -> Result<Exit, Stop> {
    let asking = if args.yes { Asking::Answered } else { Asking::Needed };
    let plans = args.plan.as_deref().map(effect::read).transpose()?.unwrap_or_default();
    let details = Details { act: Act::Approve, role: args.role, cluster: args.cluster.clone(), days: args.days, plans };
    say(&args.what, details, Some(asking), output)
}

/// Withdraws.
pub async fn withdraw(args: &WithdrawArgs, _: &args::Global, output: &Output) -> Result<Exit, Stop> {
    let details = Details { act: Act::Withdraw, role: None, cluster: None, days: 90, plans: Vec::new() };
    say(&args.what, details, None, output)
}

/// What is said.
struct Details {
    act: Act,
    role: Option<Role>,
    cluster: Option<String>,
    days: i64,
    plans: Vec<SignedPlan>,
}

fn say(what: &What, details: Details, asking: Option<Asking>, output: &Output) -> Result<Exit, Stop> {
    let Details { act, role, mut cluster, days, plans: signed } = details;
    let around = clone::Clone::around(Path::new("."))?;
    let head = around.commit(&what.revision)?;
    let repository = around.repository(&head)?;
    let url = repository.path().display().to_string();
    let reference = match &what.reference {
        Some(reference) => reference.clone(),
        None => current_branch(repository)?,
    };
    let base = match &what.base {
        Some(base) => around.commit(base)?,
        None => {
            let tip = if what.no_push { None } else { sign::tip(repository, &what.remote, &reference)? };
            base(&around, repository, (&what.remote, &reference, tip), &head)?
        }
    };
    let address = sign::address(repository, &what.remote)?;
    // Seconds are enough, and read better.
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
    let told = |error: git::GitError| crate::failure::Failed::from(&error);
    let owners = owners_of(repository, &url, &base)?;
    let trust = owners.trust().map_err(|problem| Stop::usage(problem.to_string(), "correct the owners file"))?;
    let address = repository_id(&address);
    let mut plans = Plans::new();
    let mut effect = String::new();
    for plan in &signed {
        let (repository, cluster_wanted) = (address.as_str(), cluster.as_deref());
        let wanted = effect::Wanted { repository, reference: &reference, head: &head, cluster: cluster_wanted };
        let foretold = effect::checked(plan, &wanted, &owners, now)?;
        effect.push_str(&effect::shown(plan, &foretold, output.narration()));
        // Whatever else is approved is of the same one.
        cluster = Some(foretold.cluster);
        plans.extend(foretold.syncs);
    }
    if let Some(asking) = asking {
        let change = step(repository, &url, (&base, &head), &trust, &BTreeSet::new(), now).map_err(told)?;
        // What the strictest of the usual settings would ask tells who has a say at all.
        let usual = owners.settings(&Profile::Reviewed.settings());
        let verdict = judge(&change, &[], &owners, &usual, now);
        output.plain(&show::shown((repository, &url), &change, &verdict, output.narration()).map_err(told)?);
        if !effect.is_empty() {
            output.plain(&effect);
        }
        if confirm(&format!("Approve {head} for {reference}?"), asking)?.is_none() {
            return Ok(Exit::Nothing);
        }
    }
    let statement = Statement {
        act,
        repository: address,
        reference,
        tree: git::tree_of(repository, &url, &head).map_err(told)?,
        base,
        head: head.clone(),
        role,
        cluster,
        at: now,
        expires: now + SignedDuration::from_hours(24 * days),
        plans,
    };
    let text = statement.text();
    let key = sign::key(repository, what.key.as_deref())?;
    let signature = sign::signed(&key, NAMESPACE, &text)?;
    let signer = sign::signer(&text, &signature, NAMESPACE, &trust, now)?;
    let name = reference_of(&signer.key);
    if !what.no_push {
        sign::fetch(repository, &what.remote, &name)?;
    }
    sign::write(repository, &name, &head, |note| {
        added(&String::from_utf8_lossy(note), &text, &signature).into_bytes()
    })?;
    if !what.no_push {
        sign::push(repository, &what.remote, &name)?;
    }
    let answer =
        Answer { commit: head, signer: signer.to_string(), note: name, pushed: !what.no_push, statement: text };
    let done = if act == Act::Approve { "approved" } else { "withdrawn" };
    output.result(&answer, |answer, _| {
        let push = format!("; push it: git push {} {}", what.remote, answer.note);
        let push = if answer.pushed { "" } else { &push };
        format!("{done} {} by {}{push}\n", answer.commit, answer.signer)
    })?;
    Ok(Exit::Nothing)
}

/// What a commit is compared with: as a step of the deployed branch with the one before it, else with where it left that.
/// `tip` is where the remote has that branch now, where it was asked.
fn base(
    around: &clone::Clone,
    repository: &git2::Repository,
    (remote, reference, tip): (&str, &str, Option<String>),
    head: &str,
) -> Result<String, Stop> {
    let branch = reference.strip_prefix("refs/heads/").map(|branch| format!("refs/remotes/{remote}/{branch}"));
    let known = branch.iter().map(String::as_str).chain([reference]);
    let known =
        known.filter_map(|name| Some(repository.revparse_single(name).ok()?.peel_to_commit().ok()?.id().to_string()));
    let deployed: Vec<String> = tip.into_iter().chain(known).collect();
    let landed = |tip: &String| around.standing(head, tip) == clone::Standing::Contained;
    match deployed.first() {
        Some(tip) if !deployed.iter().any(landed) => around.parted(tip, head)?.ok_or_else(|| {
            Stop::usage(
                format!("{head} did not leave {reference} at one commit"),
                "say --base, or approve its merge once it is there",
            )
        }),
        _ => around.commit(&format!("{head}^1")).map_err(|_| {
            Stop::usage(format!("{head} has no parent here to be compared with"), "say --base, or fetch more history")
        }),
    }
}

/// Full name of the branch that is checked out.
fn current_branch(repository: &git2::Repository) -> Result<String, Stop> {
    let head = repository.head().ok().filter(git2::Reference::is_branch);
    head.and_then(|head| head.name().map(str::to_owned).ok())
        .ok_or_else(|| Stop::usage("no branch is checked out", "say which one is deployed: --ref refs/heads/main"))
}

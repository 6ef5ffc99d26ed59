//! GitHub: REST API of 2022-11-28 ("commits", "pulls", "reviews", "timeline", "collaborators", "activity").

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{try_join, try_join_all, try_join3};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;

use super::pushes::{Push, pushers};
use super::{Makers, PROPOSALS, Said, Stage, account, commit, number, strange, text, time};
use crate::forge::{Forge, ForgeError};
use crate::revision::proposal::{Proposal, Review, Says};

/// Events after which a pull request is compared with something else.
const RETARGETED: [&str; 3] = ["base_ref_changed", "automatic_base_change_succeeded", "base_ref_force_pushed"];

pub(super) async fn proposals(forge: &Forge, sha: &str) -> Result<Said, ForgeError> {
    let found = async {
        match forge.all(&["commits", sha, "pulls"], &[]).await {
            // It does not know the commit yet.
            Err(ForgeError::NotFound(_)) => Ok(Vec::new()),
            other => other,
        }
    };
    let (repository, found) = try_join(forge.repository_number(), found).await?;
    let each = found.iter().take(PROPOSALS).map(|one| proposal(forge, one, Stage::Landed(sha)));
    Ok(Said { repository, proposals: try_join_all(each).await? })
}

pub(super) async fn open(forge: &Forge, index: &str) -> Result<Said, ForgeError> {
    let (repository, found) = try_join(forge.repository_number(), forge.one(&["pulls", index], &[])).await?;
    Ok(Said { repository, proposals: vec![proposal(forge, &found, Stage::Open).await?] })
}

async fn proposal(forge: &Forge, found: &Value, stage: Stage<'_>) -> Result<Proposal, ForgeError> {
    let odd = |why: &str| strange(&forge.path(&["pulls"]), why);
    let index = number(found, "number").ok_or_else(|| odd("a pull request has no number"))?;
    let (base, head) = (found.get("base"), found.get("head"));
    let branch = base.and_then(|base| text(base, "ref")).ok_or_else(|| odd("a pull request has no base"))?;
    let mut proposal = Proposal {
        number: index,
        repository: base.and_then(|base| account(base, "repo")),
        target: format!("refs/heads/{branch}"),
        merged_at: time(found, "merged_at"),
        merge_commit: commit(found, "merge_commit_sha"),
        squash_commit: None,
        by_hand: false,
        head: head.and_then(|head| commit(head, "sha")),
        head_reference: format!("refs/pull/{index}/head"),
        // What it says of the base may be older than what people were shown.
        base: None,
        opener: account(found, "user"),
        authors: BTreeSet::new(),
        pushers: None,
        retargeted: None,
        versions: Vec::new(),
        reviews: Vec::new(),
    };
    // Of one that landed elsewhere, or nowhere, nothing more is asked.
    let merged = proposal.merged_at.and(proposal.merge_commit.as_deref());
    if stage.concerns(merged) {
        let shown = index.to_string();
        let pushers = async {
            match (head, &proposal.head) {
                (Some(head), Some(sha)) => pushed(forge, head, sha).await,
                _ => Ok(None),
            }
        };
        let ask = async {
            let (authors, pushers) = try_join(authors(forge, &shown), pushers).await?;
            Ok(Makers { authors, pushers })
        };
        let makers = forge.makers(stage, (index, &proposal.target, proposal.head.as_deref()), ask);
        let (Makers { authors, pushers }, retargeted, reviews) =
            try_join3(makers, retargeted(forge, &shown), reviews(forge, &shown)).await?;
        proposal = Proposal { authors, retargeted, reviews, pushers, ..proposal };
    }
    Ok(proposal)
}

async fn authors(forge: &Forge, index: &str) -> Result<BTreeSet<u64>, ForgeError> {
    let commits = forge.all(&["pulls", index, "commits"], &[]).await?;
    let both = commits.iter().flat_map(|commit| [account(commit, "author"), account(commit, "committer")]);
    Ok(both.flatten().collect())
}

async fn retargeted(forge: &Forge, index: &str) -> Result<Option<Timestamp>, ForgeError> {
    let events = forge.all(&["issues", index, "timeline"], &[]).await?;
    let of_base = events.iter().filter(|event| text(event, "event").is_some_and(|event| RETARGETED.contains(&event)));
    let path = ["timeline"];
    let times = of_base.map(|event| time(event, "created_at").ok_or_else(|| strange(&path, "an event has no time")));
    Ok(times.collect::<Result<Vec<_>, _>>()?.into_iter().max())
}

async fn reviews(forge: &Forge, index: &str) -> Result<Vec<Review>, ForgeError> {
    let mut all = forge.all(&["pulls", index, "reviews"], &[]).await?;
    all.sort_by_key(|review| (time(review, "submitted_at"), number(review, "id")));
    let user = |one: &'_ Value, field| one.get("user").and_then(|user| text(user, field)).map(str::to_owned);
    let mut approved: BTreeMap<u64, String> = BTreeMap::new();
    for one in all.iter().filter(|one| says(one) == Some(Says::Approved)) {
        if let (Some(id), Some(login)) = (account(one, "user"), user(one, "login")) {
            approved.entry(id).or_insert(login);
        }
    }
    let may = approved.iter().map(async |(id, login)| Ok((*id, may_write(forge, *id, login).await?)));
    let may: BTreeMap<u64, bool> = try_join_all(may).await?.into_iter().collect();
    let read = |one: &Value| {
        let says = says(one)?;
        let by = account(one, "user");
        let may_write =
            says == Says::Approved && user(one, "login").is_some() && by.is_some_and(|by| may.get(&by) == Some(&true));
        // Without a commit it is of none: an id that no commit has.
        let head = commit(one, "commit_id").or(Some(String::new()));
        let bot = user(one, "type").as_deref() == Some("Bot");
        Some(Review { by, login: user(one, "login"), bot, says, head, at: time(one, "submitted_at"), may_write })
    };
    Ok(all.iter().filter_map(read).collect())
}

fn says(review: &Value) -> Option<Says> {
    match text(review, "state")? {
        "APPROVED" => Some(Says::Approved),
        "CHANGES_REQUESTED" => Some(Says::Objected),
        "DISMISSED" => Some(Says::Dismissed),
        _ => None,
    }
}

pub(in crate::forge) async fn may_write(forge: &Forge, id: u64, login: &str) -> Result<bool, ForgeError> {
    let found = match forge.one(&["collaborators", login, "permission"], &[]).await {
        Err(ForgeError::NotFound(_)) => return Ok(false),
        other => other?,
    };
    // `maintain` is shown as write here, and `triage` as read. A login can be taken over between two questions: the
    // number says whose it is.
    Ok(matches!(text(&found, "permission"), Some("write" | "admin")) && account(&found, "user") == Some(id))
}

/// Who pushed the head, by the newest hundred pushes to its branch.
async fn pushed(forge: &Forge, head: &Value, sha: &str) -> Result<Option<BTreeSet<u64>>, ForgeError> {
    let full_name = head.get("repo").and_then(|repo| text(repo, "full_name")).unwrap_or_default();
    let (Some((owner, name)), Some(branch)) = (full_name.split_once('/'), text(head, "ref")) else { return Ok(None) };
    let (path, reference) = (["repos", owner, name, "activity"], format!("refs/heads/{branch}"));
    let query = [("ref", reference.as_str()), ("per_page", "100")];
    let answer = match forge.client.ask(Method::GET, &path, &query, None).await {
        Err(ForgeError::NotFound(_) | ForgeError::Refused(_, 403)) => return Ok(None),
        other => other?,
    };
    let Value::Array(all) = answer.body else { return Err(strange(&path, "it is no list")) };
    let of_branch = all.iter().filter(|one| text(one, "ref") == Some(reference.as_str()));
    let read = |one: &Value| {
        let made = text(one, "activity_type") == Some("branch_creation");
        let before = if made { None } else { Some(text(one, "before")?.to_owned()) };
        Some(Push { before, after: commit(one, "after")?, by: account(one, "actor") })
    };
    let pushes: Vec<Push> = of_branch.filter_map(read).collect();
    Ok(pushers(&pushes, sha))
}

//! GitLab: API v4 ("commits", "merge requests", "merge request approvals", "notes", "members", "users", "events").
//!
//! An approval there names no commit, so when it was given is compared with when the merge request had which head.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{try_join, try_join_all, try_join3};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;

use super::pushes::{Push, pushers};
use super::{Makers, PAGES, PROPOSALS, Said, Stage, account, commit, number, strange, text, time};
use crate::forge::{Forge, ForgeError};
use crate::revision::proposal::{Proposal, Review, Says, Version};

/// From this level on members may push: Developer.
const DEVELOPER: u64 = 30;

pub(super) async fn proposals(forge: &Forge, sha: &str) -> Result<Said, ForgeError> {
    let found = async {
        match forge.all(&["repository", "commits", sha, "merge_requests"], &[]).await {
            // It does not know the commit yet.
            Err(ForgeError::NotFound(_)) => Ok(Vec::new()),
            other => other,
        }
    };
    let (repository, found) = try_join(forge.repository_number(), found).await?;
    // Those of a fork have numbers of their own there.
    let own = found.iter().take(PROPOSALS).filter(|one| number(one, "project_id") == Some(repository));
    let each = own.map(async |one| {
        let odd = || strange(&forge.path(&["merge_requests"]), "a merge request has no number");
        proposal(forge, number(one, "iid").ok_or_else(odd)?, Stage::Landed(sha)).await
    });
    Ok(Said { repository, proposals: try_join_all(each).await? })
}

pub(super) async fn open(forge: &Forge, index: u64) -> Result<Said, ForgeError> {
    let (repository, found) = try_join(forge.repository_number(), proposal(forge, index, Stage::Open)).await?;
    Ok(Said { repository, proposals: vec![found] })
}

async fn proposal(forge: &Forge, index: u64, stage: Stage<'_>) -> Result<Proposal, ForgeError> {
    let odd = |why: &str| strange(&forge.path(&["merge_requests"]), why);
    let shown = index.to_string();
    let found = forge.one(&["merge_requests", &shown], &[]).await?;
    let branch = text(&found, "target_branch").ok_or_else(|| odd("a merge request has no target"))?;
    let (merge, squash) = (commit(&found, "merge_commit_sha"), commit(&found, "squash_commit_sha"));
    let merged = text(&found, "state") == Some("merged");
    let mut proposal = Proposal {
        number: index,
        repository: number(&found, "target_project_id"),
        target: format!("refs/heads/{branch}"),
        merged_at: time(&found, "merged_at").filter(|_| merged),
        // Without a merge commit, the squashed commit is on the branch itself.
        merge_commit: merge.clone().or_else(|| squash.clone()),
        squash_commit: squash.filter(|_| merge.is_some()),
        by_hand: false,
        head: commit(&found, "sha"),
        head_reference: format!("refs/merge-requests/{index}/head"),
        base: found.get("diff_refs").and_then(|refs| commit(refs, "base_sha")),
        opener: account(&found, "author"),
        authors: BTreeSet::new(),
        pushers: None,
        retargeted: None,
        versions: Vec::new(),
        reviews: Vec::new(),
    };
    // Of one that landed elsewhere, or nowhere, nothing more is asked.
    let landed = proposal.merge_commit.as_deref().or(proposal.head.as_deref());
    if stage.concerns(proposal.merged_at.and(landed)) {
        let reviewed = async {
            let (notes, all) = try_join(Notes::read(forge, &shown), approvals(forge, &shown)).await?;
            Ok((reviews(forge, &all, &notes).await?, notes.retargeted))
        };
        let ask = async {
            let pushers = match &proposal.head {
                Some(head) => pushed(forge, &found, head).await?,
                None => None,
            };
            Ok(Makers { authors: BTreeSet::new(), pushers })
        };
        let pushers = async {
            let head = (index, proposal.target.as_str(), proposal.head.as_deref());
            Ok(forge.makers(stage, head, ask).await?.pushers)
        };
        let (versions, (reviews, retargeted), pushers) = try_join3(versions(forge, &shown), reviewed, pushers).await?;
        proposal = Proposal { versions, reviews, retargeted, pushers, ..proposal };
    }
    Ok(proposal)
}

async fn versions(forge: &Forge, index: &str) -> Result<Vec<Version>, ForgeError> {
    let all = forge.all(&["merge_requests", index, "versions"], &[]).await?;
    let read = |one: &Value| Some(Version { head: commit(one, "head_commit_sha")?, at: time(one, "created_at")? });
    let mut versions = Vec::new();
    for one in &all {
        versions.push(read(one).ok_or_else(|| strange(&["versions"], "a version has no head or no time"))?);
    }
    versions.sort_by_key(|version| version.at);
    Ok(versions)
}

/// What GitLab itself noted on a merge request.
struct Notes {
    retargeted: Option<Timestamp>,
    /// When each approved for the last time.
    approved: BTreeMap<u64, Timestamp>,
}

impl Notes {
    async fn read(forge: &Forge, index: &str) -> Result<Self, ForgeError> {
        let query = [("sort", "asc"), ("order_by", "created_at")];
        let all = forge.all(&["merge_requests", index, "notes"], &query).await?;
        let mut notes = Self { retargeted: None, approved: BTreeMap::new() };
        for one in all.iter().filter(|one| one.get("system").and_then(Value::as_bool) == Some(true)) {
            let body = text(one, "body").unwrap_or_default();
            let at = time(one, "created_at").ok_or_else(|| strange(&["notes"], "a note has no time"))?;
            if body.starts_with("changed target branch") {
                notes.retargeted = Some(at);
            } else if let (true, Some(by)) = (body.starts_with("approved this merge request"), account(one, "author")) {
                notes.approved.insert(by, at);
            }
        }
        Ok(notes)
    }
}

async fn approvals(forge: &Forge, index: &str) -> Result<Vec<Value>, ForgeError> {
    match forge.one(&["merge_requests", index, "approvals"], &[]).await?.get_mut("approved_by").map(Value::take) {
        Some(Value::Array(all)) => Ok(all),
        _ => Err(strange(&["approvals"], "it does not say who approved")),
    }
}

async fn reviews(forge: &Forge, approvals: &[Value], notes: &Notes) -> Result<Vec<Review>, ForgeError> {
    let each = approvals.iter().map(async |one| {
        let by = account(one, "user");
        let at = time(one, "approved_at").or_else(|| notes.approved.get(&by?).copied());
        let (may_write, bot) = match by {
            Some(id) => try_join(may_write(forge, id), is_bot(forge, id)).await?,
            None => (false, false),
        };
        let login = one.get("user").and_then(|user| text(user, "username")).map(str::to_owned);
        Ok(Review { by, login, bot, says: Says::Approved, head: None, at, may_write })
    });
    try_join_all(each).await
}

pub(in crate::forge) async fn may_write(forge: &Forge, id: u64) -> Result<bool, ForgeError> {
    let found = match forge.one(&["members", "all", &id.to_string()], &[]).await {
        Err(ForgeError::NotFound(_)) => return Ok(false),
        other => other?,
    };
    let active = text(&found, "state").is_none_or(|state| state == "active");
    Ok(active && number(&found, "id") == Some(id) && number(&found, "access_level") >= Some(DEVELOPER))
}

async fn is_bot(forge: &Forge, id: u64) -> Result<bool, ForgeError> {
    let id = id.to_string();
    match forge.client.ask(Method::GET, &["users", &id], &[], None).await {
        Err(ForgeError::NotFound(_) | ForgeError::Refused(_, 403)) => Ok(false),
        other => Ok(other?.body.get("bot").and_then(Value::as_bool) == Some(true)),
    }
}

/// Who pushed the head, by the events of its project.
async fn pushed(forge: &Forge, found: &Value, sha: &str) -> Result<Option<BTreeSet<u64>>, ForgeError> {
    let (Some(project), Some(branch)) = (number(found, "source_project_id"), text(found, "source_branch")) else {
        return Ok(None);
    };
    let project = project.to_string();
    let path = ["projects", &project, "events"];
    let mut pushes = Vec::new();
    for page in 1..=PAGES {
        let page = page.to_string();
        let query = [("action", "pushed"), ("page", &page), ("per_page", "100")];
        let answer = match forge.client.ask(Method::GET, &path, &query, None).await {
            Err(ForgeError::NotFound(_) | ForgeError::Refused(_, 403)) => return Ok(None),
            other => other?,
        };
        let Value::Array(some) = answer.body else { return Err(strange(&path, "it is no list")) };
        pushes.extend(some.iter().filter_map(|one| push(one, branch)));
        let known = pushers(&pushes, sha);
        if known.is_some() || !answer.more {
            return Ok(known);
        }
    }
    Ok(None)
}

fn push(one: &Value, branch: &str) -> Option<Push> {
    let data = one.get("push_data")?;
    if text(data, "ref")? != branch || text(data, "ref_type")? != "branch" {
        return None;
    }
    let before = match text(data, "action")? {
        "created" => None,
        _ => Some(text(data, "commit_from")?.to_owned()),
    };
    Some(Push { before, after: commit(data, "commit_to")?, by: number(one, "author_id").filter(|id| *id > 0) })
}

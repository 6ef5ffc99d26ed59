//! Gitea and Forgejo: API v1.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{try_join, try_join_all, try_join3};
use jiff::SignedDuration;
use serde_json::Value;

use super::pushes::{Push, pushers};
use super::{Makers, PAGES, Said, Stage, account, commit, number, strange, text, time};
use crate::forge::{Forge, ForgeError};
use crate::revision::proposal::{Proposal, Review, Says};
use reqwest::Method;

/// A merge that is told to be of another time than this from when it happened was not made by the forge: marking one by
/// hand takes the time that its commit claims.
const APART: SignedDuration = SignedDuration::from_secs(60);

pub(super) async fn proposals(forge: &Forge, sha: &str) -> Result<Said, ForgeError> {
    let found = async {
        match forge.one(&["commits", sha, "pull"], &[]).await {
            Err(ForgeError::NotFound(_)) => Ok(None),
            other => other.map(Some),
        }
    };
    let (repository, found) = try_join(forge.repository_number(), found).await?;
    let each = found.iter().map(|found| proposal(forge, found, Stage::Landed(sha)));
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
    let shown = index.to_string();
    // The head that the answer names moves on with its branch; this reference stays where it was merged.
    let reference = format!("refs/pull/{index}/head");
    let target = format!("refs/heads/{branch}");
    let head_and_makers = async {
        let merged_head = head_of(forge, &shown, &reference).await?;
        let pushers = async {
            match (head, &merged_head) {
                (Some(head), Some(sha)) => pushed(forge, head, sha).await,
                _ => Ok(None),
            }
        };
        let ask = async {
            let (authors, pushers) = try_join(authors(forge, &shown), pushers).await?;
            Ok(Makers { authors, pushers })
        };
        let makers = forge.makers(stage, (index, &target, merged_head.as_deref()), ask).await?;
        Ok((merged_head, makers))
    };
    let (events, reviews, (merged_head, Makers { authors, pushers })) =
        try_join3(Events::read(forge, &shown, stage), reviews(forge, &shown), head_and_makers).await?;
    let merge_base = match commit(found, "merge_base") {
        // What Gitea finds out while it merges, between the push and its own note of it, is where the branch is after that.
        Some(base) if Some(&base) == merged_head.as_ref() => came_from(forge, &target, &base).await?,
        other => other,
    };
    let told = time(found, "merged_at");
    let apart = |told: jiff::Timestamp| events.merged.is_none_or(|merged| merged.duration_since(told).abs() > APART);
    Ok(Proposal {
        number: index,
        repository: base.and_then(|base| number(base, "repo_id")),
        target,
        merged_at: told.and(events.merged),
        merge_commit: commit(found, "merge_commit_sha"),
        squash_commit: None,
        by_hand: told.is_some_and(apart),
        head: merged_head,
        head_reference: reference,
        base: merge_base,
        opener: account(found, "user"),
        authors,
        pushers,
        retargeted: events.retargeted,
        versions: Vec::new(),
        reviews,
    })
}

/// Where a branch was before the push that brought it to a commit, as far as the forge tells.
async fn came_from(forge: &Forge, reference: &str, sha: &str) -> Result<Option<String>, ForgeError> {
    let find = |pushes: &[Push]| pushes.iter().find(|push| push.after == sha).map(|push| push.before.clone());
    Ok(in_feed(forge, &forge.path(&["activities", "feeds"]), reference, find).await?.flatten())
}

/// What is found among the pushes to a branch, by the list of what happened in its repository; none where that is not
/// shown, or does not have it.
async fn in_feed<T>(
    forge: &Forge,
    path: &[&str],
    reference: &str,
    find: impl Fn(&[Push]) -> Option<T>,
) -> Result<Option<T>, ForgeError> {
    let mut feed = Feed { reference: reference.to_owned(), entries: Vec::new() };
    for page in 1..=PAGES {
        let page = page.to_string();
        let answer = match forge.client.ask(Method::GET, path, &[("page", &page), ("limit", "50")], None).await {
            Err(ForgeError::NotFound(_) | ForgeError::Refused(_, 403)) => return Ok(None),
            other => other?,
        };
        let Value::Array(some) = answer.body else { return Err(strange(path, "it is no list")) };
        if some.is_empty() {
            break;
        }
        feed.take(&some);
        if let Some(found) = find(&feed.pushes()) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What the reference of a pull request leads to.
async fn head_of(forge: &Forge, index: &str, reference: &str) -> Result<Option<String>, ForgeError> {
    let found = match forge.one(&["git", "refs", "pull", index, "head"], &[]).await {
        Err(ForgeError::NotFound(_)) => return Ok(None),
        other => other?,
    };
    // It may be the one, or all that begin like it.
    let found = if let Value::Array(all) = found { all } else { vec![found] };
    let this = found.iter().find(|one| text(one, "ref") == Some(reference));
    Ok(this.and_then(|one| commit(one.get("object")?, "sha")))
}

/// What happened to a pull request.
struct Events {
    merged: Option<jiff::Timestamp>,
    retargeted: Option<jiff::Timestamp>,
}

impl Events {
    /// Reads until the merge. The list has no end of its own: pages hold less than was asked for, or nothing, where
    /// something of them is not shown. Of one that is open, the first empty page ends it: nothing is let pass by that.
    async fn read(forge: &Forge, index: &str, stage: Stage<'_>) -> Result<Self, ForgeError> {
        let path = ["timeline"];
        let mut retargeted = None;
        for page in 1..=PAGES {
            let events = timeline(forge, index, page).await?;
            if events.is_empty() && matches!(stage, Stage::Open) {
                return Ok(Self { merged: None, retargeted });
            }
            for event in &events {
                let at = || time(event, "created_at").ok_or_else(|| strange(&path, "an event has no time"));
                match text(event, "type") {
                    Some("change_target_branch") => retargeted = Some(at()?),
                    Some("merge_pull") => return Ok(Self { merged: Some(at()?), retargeted }),
                    _ => {}
                }
            }
        }
        Err(strange(&path, &format!("no merge is among its first {PAGES} pages")))
    }
}

/// One page of what happened to a pull request; nothing behind the last one.
pub(in crate::forge) async fn timeline(forge: &Forge, index: &str, page: usize) -> Result<Vec<Value>, ForgeError> {
    let (path, page) = (forge.path(&["issues", index, "timeline"]), page.to_string());
    match forge.client.ask(Method::GET, &path, &[("page", &page), ("limit", "50")], None).await?.body {
        Value::Array(events) => Ok(events),
        Value::Null => Ok(Vec::new()),
        _ => Err(strange(&path, "it is no list")),
    }
}

async fn authors(forge: &Forge, index: &str) -> Result<BTreeSet<u64>, ForgeError> {
    let query = [("verification", "false"), ("files", "false")];
    let commits = forge.all(&["pulls", index, "commits"], &query).await?;
    let both = commits.iter().flat_map(|commit| [account(commit, "author"), account(commit, "committer")]);
    Ok(both.flatten().collect())
}

async fn reviews(forge: &Forge, index: &str) -> Result<Vec<Review>, ForgeError> {
    let mut all = forge.all(&["pulls", index, "reviews"], &[]).await?;
    all.sort_by_key(|review| number(review, "id"));
    let login = |one: &'_ Value| one.get("user").and_then(|user| text(user, "login")).map(str::to_owned);
    let mut approved: BTreeMap<String, (u64, bool)> = BTreeMap::new();
    for one in all.iter().filter(|one| says(one) == Some(Says::Approved)) {
        if let (Some(id), Some(login)) = (account(one, "user"), login(one)) {
            let official = one.get("official").and_then(Value::as_bool) == Some(true);
            approved.entry(login).or_insert((id, official));
        }
    }
    let may = approved.iter().map(async |(login, (id, official))| {
        Ok(((login.clone(), *id), may_write(forge, *id, login, *official).await?))
    });
    let may: BTreeMap<(String, u64), bool> = try_join_all(may).await?.into_iter().collect();
    let read = |one: &Value| {
        let says = says(one)?;
        let by = account(one, "user");
        let who = login(one).zip(by).filter(|_| says == Says::Approved);
        let may_write = who.is_some_and(|who| may.get(&who) == Some(&true));
        let (head, at) = (commit(one, "commit_id"), time(one, "submitted_at"));
        // Without a commit it is of none: an id that no commit has.
        Some(Review { by, login: login(one), bot: false, says, head: head.or(Some(String::new())), at, may_write })
    };
    Ok(all.iter().filter_map(read).collect())
}

fn says(review: &Value) -> Option<Says> {
    match text(review, "state") {
        _ if review.get("dismissed").and_then(Value::as_bool) == Some(true) => Some(Says::Dismissed),
        Some("APPROVED") => Some(Says::Approved),
        Some("REQUEST_CHANGES") => Some(Says::Objected),
        _ => None,
    }
}

/// Whether somebody may write. A token that may not ask this sees what Gitea found out when they reviewed.
pub(in crate::forge) async fn may_write(
    forge: &Forge,
    id: u64,
    login: &str,
    official: bool,
) -> Result<bool, ForgeError> {
    let found = match forge.one(&["collaborators", login, "permission"], &[]).await {
        Err(ForgeError::Refused(_, 403)) => return Ok(official),
        Err(ForgeError::NotFound(_)) => return Ok(false),
        other => other?,
    };
    let may = matches!(text(&found, "permission"), Some("write" | "admin" | "owner"));
    // A login can be taken over between two questions: the number says whose it is.
    Ok(may && account(&found, "user") == Some(id))
}

/// Who pushed the head, by the list of what happened in its repository.
async fn pushed(forge: &Forge, head: &Value, sha: &str) -> Result<Option<BTreeSet<u64>>, ForgeError> {
    let full_name = head.get("repo").and_then(|repo| text(repo, "full_name")).unwrap_or_default();
    let (Some((owner, name)), Some(branch)) = (full_name.split_once('/'), text(head, "label")) else { return Ok(None) };
    // The label is the branch's own name, also when it is gone.
    let reference = format!("refs/heads/{branch}");
    let path = ["repos", owner, name, "activities", "feeds"];
    in_feed(forge, &path, &reference, |pushes| pushers(pushes, sha)).await
}

/// What was pushed to one branch.
struct Feed {
    reference: String,
    /// Number, account, and content, newest first.
    entries: Vec<(u64, Option<u64>, String)>,
}

impl Feed {
    fn take(&mut self, some: &[Value]) {
        let of_branch = |one: &&Value| {
            text(one, "op_type") == Some("commit_repo") && text(one, "ref_name") == Some(self.reference.as_str())
        };
        let read = |one: &Value| {
            let content = text(one, "content").unwrap_or_default().to_owned();
            Some((number(one, "id")?, number(one, "act_user_id").filter(|id| *id > 0), content))
        };
        self.entries.extend(some.iter().filter(of_branch).filter_map(read));
        self.entries.sort_unstable_by_key(|(id, ..)| std::cmp::Reverse(*id));
        self.entries.dedup();
    }

    /// A branch that is made is told twice: first without content, then with that of the push.
    fn pushes(&self) -> Vec<Push> {
        let mut found = Vec::new();
        for (at, (_, by, content)) in self.entries.iter().enumerate() {
            let Ok(content) = serde_json::from_str::<Value>(content) else { continue };
            let made = self.entries.get(at + 1).is_some_and(|(_, _, before)| before.is_empty());
            let compared = text(&content, "CompareURL").and_then(|url| url.rsplit_once('/')?.1.split_once("..."));
            let before = match compared {
                _ if made => None,
                Some((before, _)) => Some(before.to_owned()),
                None => continue,
            };
            let Some(after) = content.get("HeadCommit").and_then(|head| commit(head, "Sha1")) else { continue };
            found.push(Push { before, after, by: *by });
        }
        found
    }
}

//! What was said of plans: from approvals to the signed record, and from there to whether a plan of a Sync is approved; and what the
//! agent foretold itself, so that it can say how another plan differs from that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;

use crate::api::{AcceptanceRecord, ApprovedPlan, WithdrawnApproval};
use crate::inventory::Owned;
use crate::object::ObjectId;
use crate::plan::signed::Foretold;
use crate::plan::{Essence, Shown};
use crate::revision::review::note::{Withdrawal, repository_id};
use crate::revision::review::{PlanVote, Voter};

use super::tip::Found;
use super::worker::Reviewed;

/// Withdrawals, and approvals of plans, that are remembered.
const REMEMBERED: usize = 1000;
/// Folder of what was foretold, in the cache folder.
const FOLDER: &str = "plans";
/// Files in it; the oldest ones go.
const FILES: usize = 1000;

/// A record with what a look at approvals has shown: what was said of plans, what was taken back, and whose login is whose.
pub fn noted(record: AcceptanceRecord, reviewed: &Reviewed, now: Timestamp) -> AcceptanceRecord {
    let record = taken_back(record, &reviewed.withdrawals);
    let withdrawn = record.withdrawn;
    let mut plans = record.plans;
    for step in &reviewed.steps {
        for vote in step.verdict.plans.iter().filter_map(|vote| approved(&step.commit, vote)) {
            if !plans.contains(&vote) {
                plans.push(vote);
            }
        }
    }
    let is_taken_back = |plan: &ApprovedPlan| {
        let later = |withdrawn: &WithdrawnApproval| is_before(&plan.at, &withdrawn.at);
        withdrawn.iter().any(|withdrawn| withdrawn.key == plan.key && withdrawn.head == plan.head && later(withdrawn))
    };
    plans.retain(|plan| counts(plan, now) && !is_taken_back(plan));
    let plans = plans.split_off(plans.len().saturating_sub(REMEMBERED));
    AcceptanceRecord { withdrawn, plans, logins: reviewed.logins.clone(), ..record }
}

/// A record with what was taken back, besides what was before.
pub fn taken_back(record: AcceptanceRecord, withdrawals: &[Withdrawal]) -> AcceptanceRecord {
    let mut withdrawn = record.withdrawn;
    for withdrawal in withdrawals.iter().map(told) {
        if !withdrawn.contains(&withdrawal) {
            withdrawn.push(withdrawal);
        }
    }
    let withdrawn = withdrawn.split_off(withdrawn.len().saturating_sub(REMEMBERED));
    AcceptanceRecord { withdrawn, ..record }
}

fn told(withdrawal: &Withdrawal) -> WithdrawnApproval {
    let (key, head) = (withdrawal.key.clone(), withdrawal.head.clone());
    WithdrawnApproval { key, head, at: withdrawal.at.to_string() }
}

fn approved(commit: &str, vote: &PlanVote) -> Option<ApprovedPlan> {
    // Only who signs says anything of a plan.
    let Voter::Key(key) = &vote.voter else { return None };
    Some(ApprovedPlan {
        commit: commit.to_owned(),
        by: vote.person.clone(),
        key: key.clone(),
        head: vote.head.clone(),
        at: vote.at.to_string(),
        expires: vote.expires?.to_string(),
        plans: vote.plans.clone(),
    })
}

/// Whether its time is not over.
pub fn counts(plan: &ApprovedPlan, now: Timestamp) -> bool {
    plan.expires.parse().is_ok_and(|expires: Timestamp| now < expires)
}

fn is_before(one: &str, other: &str) -> bool {
    let time = |text: &str| text.parse::<Timestamp>().ok();
    // What cannot be read was taken back.
    time(one).is_none() || time(one) <= time(other)
}

/// What the agent foretold.
pub struct Memory {
    folder: PathBuf,
}

impl Memory {
    /// In the cache folder.
    pub fn new(cache: &Path) -> Self {
        Self { folder: cache.join(FOLDER) }
    }

    /// Keeps a plan. Where it cannot be kept, a difference is told less well, and nothing else is lost.
    pub fn keep(&self, essence: &Essence) {
        if let Err(error) = self.write(essence) {
            tracing::warn!(%error, "what was foretold is not kept");
        }
    }

    fn write(&self, essence: &Essence) -> std::io::Result<()> {
        let path = self.path(&essence.digest());
        if path.exists() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        serde_json::to_writer(&mut file, essence)?;
        file.persist(path).map_err(|error| error.error)?;
        self.clear()
    }

    /// Removes the oldest ones.
    fn clear(&self) -> std::io::Result<()> {
        let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            files.push((entry.metadata()?.modified()?, entry.path()));
        }
        files.sort();
        let many = files.len().saturating_sub(FILES);
        files.into_iter().take(many).try_for_each(|(_, path)| std::fs::remove_file(path))
    }

    /// The plan with this digest, where it is still at hand.
    pub fn recall(&self, digest: &str) -> Option<Essence> {
        let text = std::fs::read(self.path(digest)).ok()?;
        let essence: Essence = serde_json::from_slice(&text).ok()?;
        (essence.digest() == digest && essence.is_whole()).then_some(essence)
    }

    fn path(&self, digest: &str) -> PathBuf {
        // A digest that somebody wrote leads nowhere else.
        let name: String = digest.chars().filter(char::is_ascii_alphanumeric).collect();
        self.folder.join(format!("{name}.json"))
    }
}

/// What was approved for a Sync, newest first: the digest, and who approved it.
pub fn of_sync<'a>(plans: &'a [ApprovedPlan], sync: &str, now: Timestamp) -> Vec<(&'a ApprovedPlan, &'a str)> {
    let newest = plans.iter().rev().filter(|plan| counts(plan, now));
    newest.filter_map(|plan| Some((plan, plan.plans.get(sync)?.as_str()))).collect()
}

/// What is said of a commit of what was found, as a plan names it; the plans themselves are not in it yet.
pub fn of(found: &Found, commit: &str, cluster: &str) -> Foretold {
    Foretold {
        repository: repository_id(&found.source.url),
        reference: found.listed.reference.clone().unwrap_or_else(|| found.listed.revision.name.clone()),
        commit: commit.to_owned(),
        cluster: cluster.to_owned(),
        // Seconds are enough, and read better.
        at: Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default(),
        syncs: BTreeMap::new(),
    }
}

/// What may be told of a live object of a Sync.
pub fn shown(owned: &Owned, id: &ObjectId, veiled: bool) -> Shown {
    match owned.get(id).is_some_and(|entry| entry.uid.is_some()) {
        false => Shown::Wanted,
        true if veiled => Shown::Masked,
        true => Shown::All,
    }
}

#[cfg(test)]
mod tests;

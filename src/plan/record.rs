//! What an answer of the API server makes of a change, and of the inventory.

use std::collections::BTreeSet;

use super::admit::Admitted;
use super::make::is_job;
use super::{Action, Change, Desired, Finished, Foreign, Live, Method, Reason, Seen, Steer};
use crate::inventory::{Entry, Flag, Owned};
use crate::object::split_api_version;

/// What the API server did with an apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// 201.
    Created,
    /// 200.
    Existing,
}

/// The answer to an apply, dry-run or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What was done.
    pub answered: Answered,
    /// The object of the answer, through [`super::see`].
    pub seen: Seen,
}

/// The change as the answer shows it: created, configured, or unchanged where the fields that we
/// own came out as they were, and nothing is there to adopt. `live` is what was known before. An unchanged one needs no apply, but
/// [`record`] of the same answer: it is the new baseline.
#[must_use]
pub fn refine(change: &Change, answer: &Answer, live: &Live) -> Change {
    let mut change = change.clone();
    if !matches!(change.method, Method::Apply | Method::ApplyOver) {
        return change;
    }
    match (answer.answered, live) {
        (Answered::Created, _) => {
            change.action = Action::Created;
            change.reason = match change.reason {
                // Nobody has deleted what was never there: it was about to be applied when a pass ended.
                Reason::New | Reason::Unconfirmed | Reason::Adopted => Reason::New,
                Reason::JobReplaced => Reason::JobReplaced,
                _ => Reason::Missing,
            };
        }
        (Answered::Existing, Live::Present(before))
            // What people added is still there after an apply, and goes only by adoption.
            if answer.seen.foreign == Foreign::No
                && before.uid == answer.seen.uid
                && before.fields.is_some()
                && before.fields == answer.seen.fields =>
        {
            change.action = Action::Unchanged;
            change.reason = Reason::UpToDate;
            change.method = Method::Nothing;
            change.author = None;
        }
        (Answered::Existing, _) => {
            change.action = Action::Configured;
            if change.reason == Reason::New {
                change.reason = Reason::Adopted;
            }
        }
    }
    change
}

/// The change as a recreation, after the API server said that an immutable field differs: only
/// where the manifest permits it (`tandemcd.io/force: enabled`). It counts as a deletion.
pub fn recreate(change: &Change, desired: &Desired, live: &Seen) -> Option<Change> {
    desired.is(Steer::Force).then(|| Change {
        action: Action::Configured,
        reason: Reason::Recreated,
        method: Method::Replace,
        precondition: Some(super::Precondition {
            uid: live.uid.clone(),
            resource_version: live.resource_version.clone(),
        }),
        ..change.clone()
    })
}

/// The inventory as it must be written before the first change goes out: entries for all that will
/// be applied, flags as the manifests have them, and a mark on what a trailer paid for. It only
/// adds; what is known of an object stays.
pub fn intended(admitted: &Admitted, owned: &Owned) -> Owned {
    let mut intended = owned.clone();
    for change in &admitted.plan().changes {
        let known = intended.contains_key(&change.id);
        match admitted.desired(&change.id) {
            Some(desired) if known || change.method != Method::Nothing => {
                let entry = intended.entry(change.id.clone()).or_default();
                if !known {
                    entry.version = version(desired);
                }
                entry.flags = flags(desired, &entry.flags);
            }
            None if change.method == Method::Delete && admitted.is_granted() => {
                if let Some(entry) = intended.get_mut(&change.id) {
                    entry.flags.insert(Flag::Granted);
                }
            }
            _ => {}
        }
    }
    intended
}

/// The entry of an object after its apply was answered (or a dry-run that changes nothing).
pub fn record(change: &Change, desired: &Desired, before: Option<&Entry>, answer: &Answer) -> Entry {
    let none = BTreeSet::new();
    let mut flags = flags(desired, before.map_or(&none, |entry| &entry.flags));
    if change.reason == Reason::Adopted {
        flags.insert(Flag::Adopted);
    }
    // Whether the Job of this manifest finished is known only from the answer.
    flags.remove(&Flag::Completed);
    if answer.seen.finished == Finished::Succeeded {
        flags.insert(Flag::Completed);
    }
    Entry {
        version: version(desired),
        uid: Some(answer.seen.uid.clone()),
        desired: Some(desired.digest),
        baseline: answer.seen.fields,
        flags,
        unknown: before.map(|entry| entry.unknown.clone()).unwrap_or_default(),
    }
}

/// The entry of a Job that a watch showed to have succeeded, where it does not say so yet.
pub fn completed(entry: &Entry, seen: &Seen) -> Option<Entry> {
    let news = seen.finished == Finished::Succeeded
        && entry.uid.as_deref() == Some(&seen.uid)
        && !entry.flags.contains(&Flag::Completed);
    news.then(|| {
        let mut entry = entry.clone();
        entry.flags.insert(Flag::Completed);
        entry
    })
}

/// The entry of a Job that was applied, goes by itself once it has finished, and is gone without
/// anybody having looked: it finished. Who deletes one by hand while no agent runs is taken for its
/// TTL; that is the safe error, for a Job that ran must not run again.
pub fn expired(entry: &Entry) -> Option<Entry> {
    let known = entry.uid.is_some() && entry.desired.is_some();
    (known && entry.flags.contains(&Flag::Expires) && !entry.flags.contains(&Flag::Completed)).then(|| {
        let mut entry = entry.clone();
        entry.flags.insert(Flag::Completed);
        entry
    })
}

/// Whether the object's entry goes without a deletion of ours: it is gone, or another's.
pub fn forgets(change: &Change) -> bool {
    matches!(change.reason, Reason::AlreadyGone | Reason::HandedOver | Reason::NotOurs)
}

fn version(desired: &Desired) -> String {
    split_api_version(&desired.manifest.api_version).1.to_owned()
}

/// What the manifest says now, and what was learned before.
fn flags(desired: &Desired, before: &BTreeSet<Flag>) -> BTreeSet<Flag> {
    let said = desired.steers.iter().filter_map(|steer| match steer {
        Steer::ReconcileDisabled => Some(Flag::ReconcileDisabled),
        Steer::PruneDisabled => Some(Flag::PruneDisabled),
        Steer::IfNotPresent => Some(Flag::IfNotPresent),
        Steer::Autoscaled => Some(Flag::Autoscaled),
        Steer::Force | Steer::KeepConflicts => None,
    });
    let learned = before.iter().copied().filter(|flag| matches!(flag, Flag::Adopted | Flag::Completed));
    let expires = is_job(desired.id()) && desired.manifest.body["spec"]["ttlSecondsAfterFinished"].is_number();
    said.chain(learned).chain(expires.then_some(Flag::Expires)).collect()
}

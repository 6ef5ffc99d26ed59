//! The plan: one verdict for each object that is desired or owned.

use std::collections::BTreeSet;

use super::claim::{Held, Release, Stake, release, stake};
use super::deferred;
use super::phase::phase_of_kind;
use super::{
    Action, Change, Claims, Desired, Finished, Live, Look, Method, Observed, Owner, Plan, Precondition, Reason,
    Replicas, Seen, Steer, Terminating,
};
use crate::inventory::{Entry, Flag, Owned};
use crate::object::{ObjectId, Problem};

/// Whether what left Git leaves the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruning {
    /// It does.
    Enabled,
    /// It stays, and is reported.
    Disabled,
}

/// What a plan is made of.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Who owns what is applied.
    pub owner: &'a Owner,
    /// Namespace of the agent itself, which is never deleted.
    pub agent_namespace: &'a str,
    /// What Git wants, from [`resolve()`](super::resolve()).
    pub desired: &'a [Desired],
    /// What was wrong with the source, of render and resolve: with any, nothing is deleted.
    pub problems: &'a [Problem],
    /// What the Sync owns: the union of its inventories.
    pub owned: &'a Owned,
    /// What is known of the live objects.
    pub observed: &'a Observed,
    /// What other Syncs say.
    pub claims: &'a Claims,
    /// The Sync's `prune`.
    pub pruning: Pruning,
}

/// Decides what is to be done for each object. Objects that are known to be right cost nothing;
/// changes with a [`Look`] are not decided until the live object was read.
pub fn plan(input: &Input<'_>) -> Plan {
    let wanted: BTreeSet<&ObjectId> = input.desired.iter().map(Desired::id).collect();
    let mut plan = Plan { problems: input.problems.to_vec(), ..Plan::default() };
    for desired in input.desired {
        let change = wanted_change(desired, input);
        if change.reason == Reason::OwnedByAnother {
            plan.problems.push(owned_by_another(desired, &change));
        } else if let Some(rival) = input.claims.rival(desired.id()) {
            plan.notices.push(claimed(desired, rival.to_string()));
        }
        plan.changes.push(change);
    }
    deferred::mark(&mut plan.changes, input.desired);
    let left = input.owned.iter().filter(|(id, _)| !wanted.contains(id));
    let mut deletions: Vec<Change> = left.map(|(id, entry)| unwanted_change(id, entry, input)).collect();
    plan.problems.extend(deletions.iter().filter_map(in_use));
    plan.changes.sort_by(|a, b| (a.phase, a.order, &a.id).cmp(&(b.phase, b.order, &b.id)));
    deletions.sort_by(|a, b| (b.phase, &b.id).cmp(&(a.phase, &a.id)));
    plan.changes.append(&mut deletions);
    plan.problems.sort();
    plan
}

fn wanted_change(desired: &Desired, input: &Input<'_>) -> Change {
    let id = desired.id();
    let live = input.observed.get(id).unwrap_or(&Live::Unknown);
    let entry = input.owned.get(id);
    let api_version = desired.manifest.api_version.clone();
    let base = Change {
        origin: Some(desired.manifest.origin.clone()),
        desired: Some(desired.digest),
        order: desired.order,
        ..Change::new(id.clone(), api_version, desired.phase, Action::Skipped, Reason::ReconcileDisabled)
    };
    if desired.is(Steer::ReconcileDisabled) {
        return base;
    }
    let held = match (live, entry) {
        (Live::Present(Seen { owner: Some(owner), .. }), _) => Held::By(owner),
        (_, Some(entry)) if entry.uid.is_some() => Held::InOurInventory,
        _ => Held::Unknown,
    };
    let taken = match stake(id, input.owner, held, input.claims) {
        Stake::Ours => None,
        Stake::TakenFrom(giver) => Some(giver.to_string()),
        Stake::WaitFor(other) => {
            return Change { reason: Reason::HandOverPending, other: Some(other.to_string()), ..base };
        }
        Stake::RefusedBy(other) => {
            return Change { reason: Reason::OwnedByAnother, other: Some(other.to_string()), ..base };
        }
    };
    let (action, reason, method) = verdict(desired, entry, live, &taken);
    let drifted = matches!(reason, Reason::Drifted | Reason::ReplacedByOthers);
    let seen = match live {
        Live::Present(seen) => Some(seen),
        Live::Unknown | Live::Absent => None,
    };
    Change {
        action,
        reason,
        method,
        look: look(desired, entry, live, action),
        author: drifted.then(|| seen.and_then(|seen| seen.author.clone()).unwrap_or_else(|| "unknown".into())),
        other: taken,
        precondition: (method == Method::Replace).then(|| seen.map(precondition)).flatten(),
        ..base
    }
}

/// What is to be done with a desired object that is ours to apply.
fn verdict(desired: &Desired, entry: Option<&Entry>, live: &Live, taken: &Option<String>) -> (Action, Reason, Method) {
    use Action::{Configured, Created, Skipped, Unchanged};
    let same = entry.is_some_and(|entry| entry.desired == Some(desired.digest));
    let completed = entry.is_some_and(|entry| entry.flags.contains(&Flag::Completed));
    let apply = apply_method(desired, entry, live);
    let seen = match live {
        Live::Present(seen) => seen,
        Live::Absent | Live::Unknown if completed && same => return (Unchanged, Reason::JobCompleted, Method::Nothing),
        Live::Absent if entry.is_some_and(|entry| entry.uid.is_some()) => {
            // That the former Job is gone is nobody's drift.
            let reason = if is_job(desired.id()) && !same { Reason::JobReplaced } else { Reason::Missing };
            return (Created, reason, Method::Apply);
        }
        Live::Unknown if entry.is_some_and(|entry| entry.uid.is_some()) => {
            let reason = if same { Reason::Missing } else { Reason::Changed };
            return (Configured, reason, apply);
        }
        Live::Unknown if entry.is_some() => return (Configured, Reason::Unconfirmed, apply),
        Live::Unknown if taken.is_some() => return (Configured, Reason::TakenOver, apply),
        Live::Absent | Live::Unknown => return (Created, Reason::New, Method::Apply),
    };
    if seen.terminating == Terminating::Yes {
        return (Skipped, Reason::Terminating, Method::Nothing);
    }
    if desired.is(Steer::IfNotPresent) {
        return (Skipped, Reason::AlreadyPresent, Method::Nothing);
    }
    let Some(entry) = entry else {
        let reason = if taken.is_some() { Reason::TakenOver } else { Reason::Adopted };
        return (Configured, reason, apply);
    };
    if is_job(desired.id()) && entry.desired.is_some() && !same && seen.finished != Finished::No {
        return (Configured, Reason::JobReplaced, Method::Replace);
    }
    let same_object = entry.uid.as_deref() == Some(&seen.uid);
    let reason = match (&entry.uid, entry.desired) {
        _ if taken.is_some() => Reason::TakenOver,
        (None, _) | (_, None) => Reason::Unconfirmed,
        (Some(_), Some(_)) if !same => Reason::Changed,
        (Some(_), Some(_)) if !same_object => Reason::ReplacedByOthers,
        (Some(_), Some(_)) if seen.fields.is_some() && seen.fields == entry.baseline => {
            return (Unchanged, Reason::UpToDate, Method::Nothing);
        }
        (Some(_), Some(_)) => Reason::Drifted,
    };
    (Configured, reason, apply)
}

pub(super) fn is_job(id: &ObjectId) -> bool {
    id.group == "batch" && id.kind == "Job"
}

fn apply_method(desired: &Desired, entry: Option<&Entry>, live: &Live) -> Method {
    // Of an autoscaler that Git itself takes away nothing stays.
    let taken_away =
        entry.is_some_and(|entry| entry.flags.contains(&Flag::Autoscaled)) && !desired.is(Steer::Autoscaled);
    let autoscaled = matches!(live, Live::Present(seen) if seen.replicas == Replicas::Autoscaled) && !taken_away;
    if desired.yields.is_empty() && !autoscaled { Method::Apply } else { Method::ApplyOver }
}

/// Whether the live object must be read before the verdict holds.
fn look(desired: &Desired, entry: Option<&Entry>, live: &Live, action: Action) -> Option<Look> {
    if *live != Live::Unknown || action == Action::Unchanged {
        return None;
    }
    if entry.is_some_and(|entry| entry.uid.is_some()) {
        Some(Look::Unseen)
    } else if desired.is(Steer::IfNotPresent) {
        Some(Look::Presence)
    } else if !desired.yields.is_empty() {
        Some(Look::Yields)
    } else {
        None
    }
}

fn precondition(seen: &Seen) -> Precondition {
    Precondition { uid: seen.uid.clone(), resource_version: seen.resource_version.clone() }
}

fn unwanted_change(id: &ObjectId, entry: &Entry, input: &Input<'_>) -> Change {
    let live = input.observed.get(id).unwrap_or(&Live::Unknown);
    let (reason, other) = unwanted(id, entry, live, input);
    let deleted = reason == Reason::LeftGit;
    let precondition = match live {
        Live::Present(seen) if deleted => Some(precondition(seen)),
        _ => None,
    };
    let api_version =
        if id.group.is_empty() { entry.version.clone() } else { format!("{}/{}", id.group, entry.version) };
    let action = if deleted { Action::Deleted } else { Action::Skipped };
    Change {
        method: if deleted { Method::Delete } else { Method::Nothing },
        look: (deleted && *live == Live::Unknown).then_some(Look::Unseen),
        other,
        precondition,
        ..Change::new(id.clone(), api_version, phase_of_kind(id), action, reason)
    }
}

/// Why an owned object that Git does not name goes or stays; what cannot be undone is asked last.
fn unwanted(id: &ObjectId, entry: &Entry, live: &Live, input: &Input<'_>) -> (Reason, Option<String>) {
    let seen = match live {
        Live::Present(seen) => Some(seen),
        Live::Absent => return (Reason::AlreadyGone, None),
        Live::Unknown => None,
    };
    if let Some(seen) = seen {
        let named = seen.owner.as_deref();
        if let Release::HandedOverTo(other) = release(id, input.owner, named, input.claims) {
            return (Reason::HandedOver, Some(other.to_string()));
        }
        // What bears our name only because somebody copied it bears no field of ours.
        let ours = named.is_some() && seen.fields.is_some();
        if entry.uid.as_deref() != Some(&seen.uid) && !ours {
            return (Reason::NotOurs, None);
        }
        if seen.terminating == Terminating::Yes {
            return (Reason::Terminating, None);
        }
    }
    if !entry.unknown.is_empty() {
        return (Reason::UnknownFlag, None);
    }
    if entry.flags.contains(&Flag::ReconcileDisabled) {
        return (Reason::ReconcileDisabled, None);
    }
    if entry.flags.contains(&Flag::PruneDisabled) || input.pruning == Pruning::Disabled {
        return (Reason::PruneDisabled, None);
    }
    if is_the_agents(id, input.agent_namespace) {
        return (Reason::Protected, None);
    }
    if !input.problems.is_empty() || input.desired.is_empty() {
        return (Reason::SourceIncomplete, None);
    }
    if let Some(inside) = input.desired.iter().find(|other| takes_along(id, other)) {
        return (Reason::InUse, Some(inside.id().to_string()));
    }
    if let Some((inside, sync)) = input.claims.any(|other| lives_in(other, id)) {
        return (Reason::InUse, Some(format!("{inside} of {sync}")));
    }
    match release(id, input.owner, seen.and_then(|seen| seen.owner.as_deref()), input.claims) {
        Release::WaitFor(other) => (Reason::HandOverPending, Some(other.to_string())),
        Release::Delete | Release::HandedOverTo(_) => (Reason::LeftGit, None),
    }
}

/// Whether an object is the agent's own namespace or one of its definitions, with which everything else would go.
pub fn is_the_agents(id: &ObjectId, agent_namespace: &str) -> bool {
    match (id.group.as_str(), id.kind.as_str()) {
        ("", "Namespace") => id.name == agent_namespace,
        ("apiextensions.k8s.io", _) => id.name.ends_with(".tandemcd.io"),
        _ => false,
    }
}

/// Whether the deletion of `id` would take along a desired object, whose plural is known.
fn takes_along(id: &ObjectId, desired: &Desired) -> bool {
    let other = desired.id();
    let defined = id.kind == "CustomResourceDefinition" && id.name == format!("{}.{}", desired.plural, other.group);
    defined || lives_in(other, id)
}

/// Whether `other` would be taken along by the deletion of `id`, as far as names tell.
pub(super) fn lives_in(other: &ObjectId, id: &ObjectId) -> bool {
    match (id.group.as_str(), id.kind.as_str()) {
        ("", "Namespace") => other.namespace == id.name,
        // A definition is called <plural>.<group>.
        ("apiextensions.k8s.io", "CustomResourceDefinition") => id
            .name
            .split_once('.')
            .is_some_and(|(plural, group)| other.group == group && super::deferred::plural_fits(plural, &other.kind)),
        _ => false,
    }
}

fn owned_by_another(desired: &Desired, change: &Change) -> Problem {
    let other = change.other.as_deref().unwrap_or("another Sync");
    Problem::new("OwnedByAnother", format!("Sync {other} owns this object and keeps it"))
        .at(&desired.manifest.origin)
        .of(desired.id())
        .hint(format!("remove it from what {other} reads, or from here; a move in one commit is handed over by itself"))
}

fn claimed(desired: &Desired, rival: String) -> Problem {
    Problem::new("ClaimedByAnother", format!("Sync {rival} wants this object too, and is refused"))
        .at(&desired.manifest.origin)
        .of(desired.id())
}

fn in_use(change: &Change) -> Option<Problem> {
    if change.reason != Reason::InUse {
        return None;
    }
    let inside = change.other.as_deref().unwrap_or_default();
    let message = format!("it left Git, and its deletion would take along {inside}, which is wanted");
    Some(Problem::new("InUse", message).of(&change.id).hint("keep it, or remove what lives in it in the same commit"))
}

//! The deletion budget: much at once, or what holds data, waits for a line in a commit.

use std::collections::BTreeMap;

use super::make::lives_in;
use super::{Change, Method, Owner, Paid, Plan, Reason, Trailer};
use crate::inventory::{Flag, Owned};
use crate::object::ObjectId;

/// The limits of a Sync. Both must be passed before a run is held; protected kinds always hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Objects.
    pub max_count: u32,
    /// Share of the inventory, in percent.
    pub max_percent: u32,
    /// Kinds besides the built-in ones, as `Kind` (of any group) or `Kind.group`.
    pub protected_kinds: Vec<String>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { max_count: 10, max_percent: 20, protected_kinds: Vec::new() }
    }
}

/// Kinds that take others along, or hold what no commit brings back.
const PROTECTED: &[(&str, &str)] = &[
    ("", "Namespace"),
    ("", "PersistentVolumeClaim"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apps", "StatefulSet"),
    ("tandemcd.io", "Repository"),
    ("tandemcd.io", "Sync"),
];

/// How many objects the deletion of an object takes along: what lives in a Namespace, the objects of
/// a definition, the inventory of a Sync that prunes when it is deleted. Absent is none.
pub type Along = BTreeMap<ObjectId, u32>;

/// What the verdict depends on.
#[derive(Clone, Copy, Debug)]
pub struct Spending<'a> {
    /// Whose deletions they are.
    pub owner: &'a Owner,
    /// The plan, after [`super::refine`] and [`super::recreate`].
    pub plan: &'a Plan,
    /// What the Sync owns, with the marks of what was paid for.
    pub owned: &'a Owned,
    /// What deletions take along.
    pub along: &'a Along,
    /// Deletions that were carried out, unpaid, since a revision was last applied whole.
    pub done: u32,
    /// Trailers of the commits after the revision that was last applied whole, oldest first.
    pub trailers: &'a [Trailer],
    /// What trailers paid for already.
    pub paid: &'a [Paid],
}

/// The verdict of the budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is deleted that needs to be paid for.
    Within {
        /// Deletions that count, those done included.
        deletions: u32,
    },
    /// Trailers pay. Flow: first these are recorded as paid (status), then the inventory with its
    /// marks ([`super::intended`]) is written, then deletions begin: a crash in between asks for
    /// another trailer, never for none.
    Paid {
        /// Deletions that count, those done included.
        deletions: u32,
        /// What is charged to which commit.
        by: Vec<Paid>,
    },
    /// It waits.
    Held {
        /// Deletions that count, those done included.
        deletions: u32,
        /// For people, with the line to paste.
        message: String,
        /// The line to paste into a commit message.
        line: String,
    },
}

/// What a budget says of a plan of which nothing was begun or paid for; nothing where it is within it. What a Namespace or a
/// definition takes along is not counted: those hold by themselves.
pub fn foreseen(owner: &Owner, plan: &Plan, owned: &Owned, budget: &Budget) -> Option<String> {
    let along = Along::new();
    match judge(&Spending { owner, plan, owned, along: &along, done: 0, trailers: &[], paid: &[] }, budget) {
        Verdict::Held { message, .. } => Some(message),
        Verdict::Within { .. } | Verdict::Paid { .. } => None,
    }
}

/// Judges the deletions of a plan.
pub fn judge(spending: &Spending<'_>, budget: &Budget) -> Verdict {
    let counted: Vec<&Change> = spending.plan.changes.iter().filter(|change| counts(change, spending)).collect();
    let planned =
        counted.iter().fold(0_u32, |sum, change| sum.saturating_add(weight(change, &counted, spending.along)));
    let deletions = planned.saturating_add(spending.done);
    let base = u64::try_from(spending.owned.len()).unwrap_or(u64::MAX).saturating_add(spending.done.into());
    let protected: Vec<&Change> = counted.iter().copied().filter(|change| is_protected(&change.id, budget)).collect();
    let much =
        deletions > budget.max_count && u64::from(deletions) * 100 > u64::from(budget.max_percent).saturating_mul(base);
    if planned == 0 || (!much && protected.is_empty()) {
        return Verdict::Within { deletions };
    }
    let mut missing = deletions;
    let mut by = Vec::new();
    let fresh = |trailer: &&Trailer| {
        trailer.speaks_of(spending.owner) && !spending.paid.iter().any(|paid| paid.commit == trailer.commit)
    };
    for trailer in spending.trailers.iter().filter(fresh) {
        let used = missing.min(trailer.at_most);
        if used > 0 {
            missing -= used;
            by.push(Paid { commit: trailer.commit.clone(), used });
        }
    }
    if missing == 0 {
        return Verdict::Paid { deletions, by };
    }
    let line = format!(
        "Tandem-Delete: {}/{}/{} {deletions}",
        spending.owner.cluster, spending.owner.namespace, spending.owner.name
    );
    Verdict::Held { deletions, message: message(deletions, base, &protected, &by, &line), line }
}

fn message(deletions: u32, base: u64, protected: &[&Change], by: &[Paid], line: &str) -> String {
    let mut text = format!("{deletions} of {base} objects would be deleted");
    if !protected.is_empty() {
        let named: Vec<String> = protected.iter().take(3).map(|change| change.id.to_string()).collect();
        text.push_str(&format!(", among them {}", named.join(", ")));
        if protected.len() > named.len() {
            text.push_str(&format!(" and {} more of protected kinds", protected.len() - named.len()));
        }
    }
    let paid: u32 = by.iter().map(|paid| paid.used).sum();
    if paid > 0 {
        text.push_str(&format!("; trailers permit {paid}"));
    }
    format!("{text}. If this is meant, add this line to the message of a commit: {line}")
}

/// Whether a change is a deletion that counts: not one that was paid for, not a finished Job that
/// is replaced, not a generated object whose successor is in the same plan.
fn counts(change: &Change, spending: &Spending<'_>) -> bool {
    let granted = spending.owned.get(&change.id).is_some_and(|entry| entry.flags.contains(&Flag::Granted));
    match change.method {
        Method::Replace => change.reason != Reason::JobReplaced,
        Method::Delete => !granted && !is_replaced(&change.id, spending.plan),
        Method::Nothing | Method::Apply | Method::ApplyOver => false,
    }
}

/// The object and what it takes along; of that what the plan names itself is counted there.
fn weight(change: &Change, counted: &[&Change], along: &Along) -> u32 {
    let taken = along.get(&change.id).copied().unwrap_or(0);
    let named = counted.iter().filter(|other| lives_in(&other.id, &change.id)).count();
    1_u32.saturating_add(taken.saturating_sub(u32::try_from(named).unwrap_or(u32::MAX)))
}

fn is_protected(id: &ObjectId, budget: &Budget) -> bool {
    PROTECTED.contains(&(id.group.as_str(), id.kind.as_str()))
        || budget.protected_kinds.iter().any(|kind| *kind == id.kind || *kind == id.group_kind())
}

/// Whether a ConfigMap or Secret of a kustomize generator has a successor in the plan.
fn is_replaced(id: &ObjectId, plan: &Plan) -> bool {
    let Some(stem) = generated(id) else { return false };
    plan.changes.iter().any(|change| {
        let other = &change.id;
        change.desired.is_some()
            && other.kind == id.kind
            && other.namespace == id.namespace
            && generated(other) == Some(stem)
    })
}

/// The name of a generated object without its hash: ten characters of the alphabet into which
/// kustomize encodes, after a dash.
fn generated(id: &ObjectId) -> Option<&str> {
    if !id.group.is_empty() || !matches!(id.kind.as_str(), "ConfigMap" | "Secret") {
        return None;
    }
    let (stem, hash) = id.name.rsplit_once('-')?;
    (hash.len() == 10 && hash.bytes().all(|b| b"2456789bcdfghkmt".contains(&b))).then_some(stem)
}

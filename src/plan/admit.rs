//! What may be carried out: the only way from a plan to a write.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::deferred::needs;
use super::references::refers_to;
use super::{Action, Change, Desired, Method, Phase, Plan, Reason, Verdict};
use crate::object::{ObjectId, Problem};
use crate::revision::{Acceptance, HoldReason};

/// What happens to the valid objects of a revision in which one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInvalid {
    /// Nothing is applied.
    Hold,
    /// They are applied; what depends on refused ones waits.
    ApplyRest,
}

/// What the API server refused in a dry-run, by object.
pub type Refusals = BTreeMap<ObjectId, Problem>;

/// Why nothing is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The revision is not accepted.
    NotAccepted {
        /// Why.
        reason: HoldReason,
        /// For people.
        message: String,
    },
    /// Something is wrong, and the Sync holds all for it.
    Problems(Vec<Problem>),
    /// Too much would be deleted.
    Budget {
        /// For people, with the line to paste.
        message: String,
        /// The line to paste.
        line: String,
    },
    /// Live objects must be read first; the caller skipped a step.
    Undecided(Vec<ObjectId>),
}

impl Hold {
    /// Stable CamelCase reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Hold::NotAccepted { reason, .. } => reason.as_str(),
            Hold::Problems(_) => "Invalid",
            Hold::Budget { .. } => "DeletionBudgetExceeded",
            Hold::Undecided(_) => "Undecided",
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hold::NotAccepted { message, .. } | Hold::Budget { message, .. } => f.write_str(message),
            Hold::Problems(problems) => match problems.as_slice() {
                [] => f.write_str("something is wrong"),
                [one] => one.fmt(f),
                [first, rest @ ..] => write!(f, "{first}, and {} more", rest.len()),
            },
            Hold::Undecided(ids) => write!(f, "{} live objects must be read before the plan is whole", ids.len()),
        }
    }
}

/// A plan that may be carried out. Only [`admit`] makes one, and [`Admitted::by_hand`].
#[derive(Debug)]
pub struct Admitted {
    plan: Plan,
    desired: BTreeMap<ObjectId, Desired>,
    granted: Granted,
}

/// Whether a trailer paid for the deletions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Granted {
    No,
    Yes,
}

/// One change that may be carried out, with what is sent. Only [`Admitted::steps`] makes one.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::manual_non_exhaustive, reason = "the private field is a proof, for this crate too")]
pub struct AdmittedChange<'a> {
    /// The line of the plan.
    pub change: &'a Change,
    /// What is sent; `None` for a deletion.
    pub desired: Option<&'a Desired>,
    _proof: (),
}

impl<'a> AdmittedChange<'a> {
    /// The same change for a live object that was just read, whose fields of others are left to
    /// them ([`Method::ApplyOver`]). `None` for a deletion.
    pub fn over(&self, live: &Value) -> Option<Over<'a>> {
        Some(Over { change: self.change, desired: self.desired?.over(live) })
    }
}

/// A change with what is sent over one live object.
#[derive(Clone, Debug)]
pub struct Over<'a> {
    change: &'a Change,
    desired: Desired,
}

impl Over<'_> {
    /// The change, to be carried out.
    pub fn admitted(&self) -> AdmittedChange<'_> {
        AdmittedChange { change: self.change, desired: Some(&self.desired), _proof: () }
    }
}

/// Whether a step brings or takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Its changes are applied.
    Apply,
    /// Its changes are deletions.
    Delete,
}

/// Changes that may be in flight together; a step ends before the next begins.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// When.
    pub phase: Phase,
    /// When within the phase.
    pub order: i32,
    /// Whether it brings or takes.
    pub course: Course,
    /// In the order of the plan.
    pub changes: Vec<AdmittedChange<'a>>,
}

impl Admitted {
    /// What a person at the keyboard was shown and confirmed: objects of no Sync, each applied as it
    /// is, in this order within its phase. Nothing that Git decides goes this way.
    pub fn by_hand(desired: Vec<Desired>) -> Self {
        let mut changes: Vec<Change> = desired
            .iter()
            .map(|object| Change {
                method: Method::Apply,
                desired: Some(object.digest),
                order: object.order,
                ..Change::new(
                    object.id().clone(),
                    &object.manifest.api_version,
                    object.phase,
                    Action::Configured,
                    Reason::ByHand,
                )
            })
            .collect();
        changes.sort_by_key(|change| (change.phase, change.order));
        let desired = desired.into_iter().map(|object| (object.id().clone(), object)).collect();
        Self { plan: Plan { changes, ..Plan::default() }, desired, granted: Granted::No }
    }

    /// The plan; what waits for something refused is skipped in it.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What is sent for an object; `None` for what left Git.
    pub fn desired(&self, id: &ObjectId) -> Option<&Desired> {
        self.desired.get(id)
    }

    /// Everything that is desired.
    pub fn all_desired(&self) -> impl Iterator<Item = &Desired> {
        self.desired.values()
    }

    /// Whether a trailer paid for the deletions, which [`super::intended`] then marks.
    pub fn is_granted(&self) -> bool {
        self.granted == Granted::Yes
    }

    /// Deletions without which the rest cannot be applied: carried out before the revision counts as
    /// accepted, for what they guarded is judged only then.
    pub fn clearing(&self) -> Vec<AdmittedChange<'_>> {
        let first = self.plan.changes.iter().filter(|change| change.reason == Reason::InTheWay);
        first.map(|change| AdmittedChange { change, desired: None, _proof: () }).collect()
    }

    /// The steps in which it is carried out: phases forwards, then deletions backwards. Changes
    /// without a request have no place in them.
    pub fn steps(&self) -> Vec<Step<'_>> {
        let mut steps: Vec<Step<'_>> = Vec::new();
        for change in self.plan.changes.iter().filter(|change| change.method != Method::Nothing) {
            let course = if change.method == Method::Delete { Course::Delete } else { Course::Apply };
            let admitted = AdmittedChange { change, desired: self.desired.get(&change.id), _proof: () };
            match steps.last_mut() {
                Some(step) if (step.phase, step.order, step.course) == (change.phase, change.order, course) => {
                    step.changes.push(admitted);
                }
                _ => steps.push(Step { phase: change.phase, order: change.order, course, changes: vec![admitted] }),
            }
        }
        steps
    }
}

/// Judges whether a plan may be carried out. `refusals` are those of the dry-runs, by object;
/// problems of the plan count as well. With [`OnInvalid::ApplyRest`] what was refused is left out,
/// what depends on it waits, and nothing is deleted until all is right.
pub fn admit(
    mut plan: Plan,
    desired: Vec<Desired>,
    acceptance: &Acceptance,
    verdict: &Verdict,
    on_invalid: OnInvalid,
    refusals: &Refusals,
) -> Result<Admitted, Hold> {
    if let Acceptance::Held { reason, message } = acceptance {
        return Err(Hold::NotAccepted { reason: *reason, message: message.clone() });
    }
    let undecided: Vec<ObjectId> = plan.to_look_at().map(|change| change.id.clone()).collect();
    if !undecided.is_empty() {
        return Err(Hold::Undecided(undecided));
    }
    plan.problems.extend(refusals.values().cloned());
    plan.problems.sort();
    plan.problems.dedup();
    if on_invalid == OnInvalid::Hold && !plan.problems.is_empty() {
        return Err(Hold::Problems(plan.problems));
    }
    if let Verdict::Held { message, line, .. } = verdict {
        return Err(Hold::Budget { message: message.clone(), line: line.clone() });
    }
    if !plan.problems.is_empty() {
        hold_back(&mut plan, &desired, refusals);
    }
    let granted = if matches!(verdict, Verdict::Paid { .. }) { Granted::Yes } else { Granted::No };
    let desired = desired.into_iter().map(|object| (object.id().clone(), object)).collect();
    Ok(Admitted { plan, desired, granted })
}

/// Takes out of the plan what is refused, what depends on it, and all deletions.
fn hold_back(plan: &mut Plan, desired: &[Desired], refusals: &Refusals) {
    let waits = dependants(desired, refusals);
    for change in &mut plan.changes {
        if change.action == Action::Unchanged || change.method == Method::Nothing {
            continue;
        }
        let skip = if refusals.contains_key(&change.id) {
            Some((Reason::Refused, None))
        } else if let Some(on) = waits.get(&change.id) {
            Some((Reason::WaitsForRefused, Some(on.to_string())))
        } else if change.method == Method::Delete {
            Some((Reason::WaitsForRefused, None))
        } else {
            None
        };
        if let Some((reason, other)) = skip {
            change.action = Action::Skipped;
            change.method = Method::Nothing;
            change.reason = reason;
            change.other = other;
            change.precondition = None;
        }
    }
}

/// What depends on something refused, directly or not, with what it waits for.
fn dependants(desired: &[Desired], refusals: &Refusals) -> BTreeMap<ObjectId, ObjectId> {
    let mut waits: BTreeMap<ObjectId, ObjectId> = BTreeMap::new();
    let mut fresh: Vec<&Desired> = desired.iter().filter(|object| refusals.contains_key(object.id())).collect();
    let mut reached: BTreeSet<&ObjectId> = fresh.iter().map(|object| object.id()).collect();
    while let Some(on) = fresh.pop() {
        for object in desired {
            if !reached.contains(object.id()) && depends(object, on) {
                reached.insert(object.id());
                waits.insert(object.id().clone(), on.id().clone());
                fresh.push(object);
            }
        }
    }
    waits
}

fn depends(object: &Desired, on: &Desired) -> bool {
    let ordered = match on.phase {
        Phase::Before => (object.phase, object.order) > (Phase::Before, on.order),
        Phase::After => object.phase == Phase::After && object.order > on.order,
        Phase::Workloads | Phase::CustomResources => object.phase == Phase::After,
        _ => false,
    };
    ordered || needs(object, on) || refers_to(object, on)
}

//! What all Standards say of what a plan would do. Pure.

mod covered;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::object::mask::{self, MASK, is_secret};
use crate::object::{ObjectId, Origin, Problem};
use crate::plan::Desired;
use crate::standard::{Action, Annotation, Finding, Operation, Review, Shown, Verdict};

use super::{Entry, Force, InForce, Snapshot};

/// One request that a plan stands for.
#[derive(Clone, Debug)]
pub struct Case {
    /// Of which object.
    pub id: ObjectId,
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its resource.
    pub plural: String,
    /// Where it is written; none of what left Git.
    pub origin: Option<Origin>,
    /// What would be done.
    pub operation: Operation,
    /// Its place among what is desired; none of what goes.
    pub desired: Option<usize>,
    /// The object as it is, where that was read.
    pub old: Option<Value>,
    /// Whether it was let pass before as it is.
    pub standing: Standing,
}

/// Whether an object was let pass before as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was.
    Accepted,
    /// It is new, or another one than before.
    New,
}

/// What live objects may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// Nothing secret, but for Secrets.
    Plain,
    /// Anything: values of them come from Secrets, or were encrypted.
    Veiled,
}

/// What a Standard says of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Which Standard.
    pub standard: String,
    /// Of which revision; empty where it has nothing in force.
    pub revision: String,
    /// Which policy; empty where the Standard has nothing in force.
    pub policy: String,
    /// Place of the case.
    pub case: usize,
    /// What is done about it.
    pub effect: Effect,
    /// For people.
    pub problem: Problem,
}

/// What is done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// A waiver lets it pass.
    Waived,
    /// It is written down.
    Audit,
    /// It is told.
    Warn,
    /// It is held.
    Deny,
    /// It is held, because nothing is in force.
    NotReady,
}

impl Effect {
    /// As metrics and logs name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waived => "Waived",
            Self::Audit => "Audit",
            Self::Warn => "Warn",
            Self::Deny => "Deny",
            Self::NotReady => "NotReady",
        }
    }

    /// Whether nothing with it is applied.
    pub fn holds(self) -> bool {
        self >= Self::Deny
    }
}

/// What a policy wrote down of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Which Standard.
    pub standard: String,
    /// Which object.
    pub id: ObjectId,
    /// What.
    pub annotation: Annotation,
}

/// What is judged.
#[derive(Clone, Copy, Debug)]
pub struct Bench<'a> {
    /// All that is desired.
    pub desired: &'a [Desired],
    /// What would be asked for.
    pub cases: &'a [Case],
    /// Who would ask.
    pub user: &'a Value,
    /// What the live objects may hold.
    pub live: Live,
    /// When.
    pub now: Timestamp,
}

/// Who asks, as the API server sees a ServiceAccount that is impersonated.
pub fn account(namespace: &str, name: &str) -> Value {
    json!({
        "username": format!("system:serviceaccount:{namespace}:{name}"),
        "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{namespace}"), "system:authenticated"],
    })
}

/// Judges all cases by all Standards.
pub fn judge(snapshot: &Snapshot, bench: &Bench<'_>) -> (Vec<Said>, Vec<Noted>) {
    let is_namespace = |desired: &&Desired| desired.id().kind == "Namespace" && desired.id().group.is_empty();
    let wanted: BTreeMap<&str, &Value> = bench
        .desired
        .iter()
        .filter(is_namespace)
        .map(|desired| (desired.id().name.as_str(), &desired.manifest.body))
        .collect();
    let (mut all, mut noted) = (Vec::new(), Vec::new());
    let of_cases: Vec<Namespaces<'_>> =
        bench.cases.iter().map(|case| Namespaces::of(case, &wanted, snapshot)).collect();
    for (at, (case, namespaces)) in bench.cases.iter().zip(&of_cases).enumerate() {
        for entry in snapshot.entries.iter().filter(|entry| namespaces.are_in(entry, case)) {
            match &entry.force {
                Force::Accepted(in_force) => {
                    let judged = Judged { entry, in_force, case, at };
                    judged.of(bench, namespaces, &mut all, &mut noted);
                }
                Force::Opening => all.push(not_ready(entry, "it is still being read", at)),
                Force::Nothing(why) => all.push(not_ready(entry, why, at)),
            }
        }
    }
    for entry in &snapshot.entries {
        if let Force::Accepted(in_force) = &entry.force
            && !in_force.coverage.is_empty()
        {
            all.extend(covered::judge(entry, in_force, bench, &of_cases));
        }
    }
    (all, noted)
}

fn not_ready(entry: &Entry, why: &str, case: usize) -> Said {
    let message = format!("the Standard {} has nothing in force: {why}", entry.name);
    let problem = Problem::new("StandardNotReady", message)
        .hint(format!("kubectl describe standard {}; what waits is tried at once when it is ready", entry.name));
    Said {
        standard: entry.name.clone(),
        revision: String::new(),
        policy: String::new(),
        case,
        effect: Effect::NotReady,
        problem,
    }
}

/// A Namespace as it may select: as it would be, and as it is. A label that only one of them has escapes nothing.
struct Namespaces<'a> {
    variants: Vec<Option<&'a Value>>,
}

impl<'a> Namespaces<'a> {
    fn of(case: &Case, wanted: &BTreeMap<&str, &'a Value>, snapshot: &'a Snapshot) -> Self {
        let metadata = |namespace: &Value| {
            let part = |field: &str| namespace.pointer(field).cloned().unwrap_or_default();
            (part("/metadata/labels"), part("/metadata/annotations"))
        };
        let is_namespace = case.id.kind == "Namespace" && case.id.group.is_empty();
        let name = if is_namespace { &case.id.name } else { &case.id.namespace };
        let (wanted, live) = (wanted.get(name.as_str()).copied(), snapshot.namespaces.get(name));
        let variants = match (wanted, live) {
            (Some(wanted), Some(live)) if metadata(wanted) == metadata(live) => vec![Some(live)],
            (Some(wanted), Some(live)) => vec![Some(wanted), Some(live)],
            (one, other) => vec![one.or(other)],
        };
        Self { variants }
    }

    /// Whether a Standard speaks of the case.
    fn are_in(&self, entry: &Entry, case: &Case) -> bool {
        let Some(selector) = &entry.selector else { return true };
        let is_namespace = case.id.kind == "Namespace" && case.id.group.is_empty();
        let name = if is_namespace { &case.id.name } else { &case.id.namespace };
        name.is_empty() || self.variants.iter().any(|namespace| selector.selects_namespace(name, *namespace))
    }
}

struct Judged<'a> {
    entry: &'a Entry,
    in_force: &'a InForce,
    case: &'a Case,
    at: usize,
}

impl Judged<'_> {
    fn of(&self, bench: &Bench<'_>, namespaces: &Namespaces<'_>, all: &mut Vec<Said>, noted: &mut Vec<Noted>) {
        let case = self.case;
        let desired = case.desired.and_then(|at| bench.desired.get(at));
        let object = desired.map(|desired| &desired.manifest.body);
        let masked = masked(case, desired, bench.live);
        let mut found: Vec<Verdict> = Vec::new();
        for namespace in &namespaces.variants {
            let judgement = self.in_force.standard.judge(&Review {
                id: &case.id,
                api_version: &case.api_version,
                resource: &case.plural,
                operation: case.operation,
                object,
                old: case.old.as_ref(),
                shown: masked.as_ref().map(|(object, old)| Shown { object: object.as_ref(), old: old.as_ref() }),
                namespace: *namespace,
                user: bench.user,
                dry_run: false,
                now: bench.now,
            });
            for verdict in judgement.verdicts {
                if !found.contains(&verdict) {
                    found.push(verdict);
                }
            }
            for annotation in judgement.annotations {
                let note = Noted { standard: self.entry.name.clone(), id: case.id.clone(), annotation };
                if !noted.contains(&note) {
                    noted.push(note);
                }
            }
        }
        all.extend(found.into_iter().map(|verdict| self.said(&verdict)));
    }

    fn said(&self, verdict: &Verdict) -> Said {
        let action = verdict.action().max(self.entry.action.unwrap_or(Action::Audit));
        let effect = match action {
            _ if verdict.waived.is_some() => Effect::Waived,
            Action::Audit => Effect::Audit,
            Action::Warn => Effect::Warn,
            Action::Deny => Effect::Deny,
        };
        let rule = match verdict.finding {
            Finding::Refused { .. } => "StandardViolated",
            Finding::NotChecked { .. } => "StandardNotChecked",
        };
        let expired = verdict.expired.as_ref().map(|expired| format!("; {expired}")).unwrap_or_default();
        let message = format!("{} (Standard {}){expired}", verdict.told(), self.entry.name);
        let mut problem = Problem::new(rule, message).of(&self.case.id);
        if let Some(origin) = &self.case.origin {
            problem = problem.at(origin);
        }
        Said {
            standard: self.entry.name.clone(),
            revision: self.in_force.revision.to_string(),
            policy: verdict.policy.clone(),
            case: self.at,
            effect,
            problem: problem.hint(hint(verdict)),
        }
    }
}

fn hint(verdict: &Verdict) -> String {
    let policy = &verdict.policy;
    match (&verdict.finding, &verdict.expired, &verdict.waived) {
        (_, _, Some(waiver)) => format!("the waiver {waiver} lets it pass until it expires"),
        (_, Some(waiver), _) => {
            format!("mend the object, or renew the waiver {} in the repository of the Standard", waiver.name)
        }
        (Finding::NotChecked { .. }, ..) => {
            format!("only an API server can tell: write {policy} without it, or let its binding warn")
        }
        (Finding::Refused { message, .. }, ..) if message.contains("no such key") => format!(
            "the object is judged with the API server's defaults, and without what plugins and controllers add: write the field, or guard it in {policy} with has()"
        ),
        _ => format!("mend the object, or have a waiver of {policy} for it merged into the repository of the Standard"),
    }
}

/// The object as it would be and as it is, as messages may show them; `None` where nothing in them is secret.
fn masked(case: &Case, desired: Option<&Desired>, live: Live) -> Option<(Option<Value>, Option<Value>)> {
    let secret = is_secret(&case.id.group, &case.id.kind);
    let pointers = desired.map_or(&[][..], |desired| &desired.manifest.masked);
    let veiled = live == Live::Veiled && case.old.is_some();
    if !secret && pointers.is_empty() && !veiled {
        return None;
    }
    let object = desired.map(|desired| {
        let mut shown = desired.manifest.body.clone();
        if secret {
            mask::mask_secret(&mut shown);
        }
        mask::mask_pointers(&mut shown, pointers);
        shown
    });
    let old = case.old.as_ref().map(|old| {
        let mut shown = old.clone();
        if secret {
            mask::mask_secret(&mut shown);
        }
        if live == Live::Veiled || !pointers.is_empty() {
            veil(&mut shown);
        }
        shown
    });
    Some((object, old))
}

/// Masks everything but what names the object: which of its values were secret is not known any more.
fn veil(object: &mut Value) {
    for (field, value) in object.as_object_mut().into_iter().flatten() {
        match field.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                for (field, value) in value.as_object_mut().into_iter().flatten() {
                    if !matches!(field.as_str(), "name" | "namespace" | "uid" | "creationTimestamp") {
                        mask_leaves(value);
                    }
                }
            }
            _ => mask_leaves(value),
        }
    }
}

fn mask_leaves(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(mask_leaves),
        Value::Array(items) => items.iter_mut().for_each(mask_leaves),
        Value::Null => {}
        other => *other = Value::String(MASK.to_owned()),
    }
}

#[cfg(test)]
mod tests;

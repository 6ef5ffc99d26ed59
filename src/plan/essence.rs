//! What of a plan somebody approves: which objects are created, changed and deleted, and how.
//!
//! Two plans have the same essence where carrying out either would do the same: the plan of a pull request, made long before,
//! and that of its merge. What heals drift is no part of it, nor are values that are secret: those are bound by the commit.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Action, Change, Desired, FieldChange, Plan, without_marks};
use crate::inventory::Owned;
use crate::object::ObjectId;
use crate::object::mask::{is_secret, mask_pointers};

/// What stands in place of the digest of an object that holds secret values.
const HIDDEN: &str = "hidden";

/// What a plan does, in the order of objects' names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Essence {
    /// One line an object.
    pub lines: Vec<EssenceLine>,
    /// Keyed digest of what it was rendered with that stands in no commit; none where all of it does. What of it is secret is
    /// bound by this alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
}

/// What is done with one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EssenceLine {
    /// Which.
    pub id: ObjectId,
    /// What is done with it.
    pub action: Action,
    /// Keyed digest of what is sent, `hidden` where it holds secrets; none where nothing is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<String>,
    /// SHA-256 of what is shown, in hex.
    pub shown: String,
    /// What is shown; it may be left out where it is too large to be carried about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
}

/// What is shown of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Detail {
    /// The fields that differ.
    Fields(Vec<FieldChange>),
    /// The whole of an object that is created.
    Body(Value),
}

/// How two essences differ, for people; one line an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which object.
    pub id: ObjectId,
    /// What was approved; none where nothing of it was.
    pub approved: Option<Action>,
    /// What would be done; none where nothing would.
    pub now: Option<Action>,
    /// Fields that are changed otherwise than approved, where the object is to be changed in both.
    pub fields: Vec<String>,
}

/// What of a plan somebody approves. `owned` is the inventory before: what stands there as it is desired is healed at most;
/// `inputs` what the objects were rendered with, as [`Essence::inputs`].
pub fn essence(plan: &Plan, desired: &[Desired], owned: &Owned, inputs: Option<String>) -> Essence {
    let wanted: BTreeMap<&ObjectId, &Desired> = desired.iter().map(|desired| (desired.id(), desired)).collect();
    let fresh = |change: &&Change| {
        let applied = owned.get(&change.id).and_then(|entry| entry.desired);
        let does = !matches!(change.action, Action::Unchanged | Action::Skipped);
        does && (change.desired.is_none() || applied != change.desired)
    };
    let mut lines: Vec<EssenceLine> =
        plan.changes.iter().filter(fresh).map(|change| line(change, wanted.get(&change.id).copied(), owned)).collect();
    lines.sort_by(|one, other| one.id.cmp(&other.id));
    Essence { lines, inputs }
}

/// Whether an object holds secrets, so that nothing of it is compared.
pub fn is_hidden(desired: &Desired) -> bool {
    is_secret(&desired.id().group, &desired.id().kind) || !desired.manifest.masked.is_empty()
}

fn line(change: &Change, desired: Option<&Desired>, owned: &Owned) -> EssenceLine {
    let (id, known) = (change.id.clone(), owned.get(&change.id).is_some_and(|entry| entry.uid.is_some()));
    match desired.filter(|_| change.desired.is_some()) {
        // Who may not read it cannot know more than what the inventory says.
        Some(desired) if is_hidden(desired) => {
            let action = if known { Action::Configured } else { Action::Created };
            EssenceLine::new(id, action, Some(HIDDEN.to_owned()), None)
        }
        Some(desired) => {
            let detail = match change.action {
                Action::Created => {
                    let mut body = without_marks(&desired.manifest.body);
                    mask_pointers(&mut body, &desired.manifest.masked);
                    Detail::Body(body)
                }
                _ => Detail::Fields(change.fields.clone()),
            };
            EssenceLine::new(id, change.action, Some(desired.digest.to_string()), Some(detail))
        }
        None => EssenceLine::new(id, change.action, None, None),
    }
}

impl EssenceLine {
    fn new(id: ObjectId, action: Action, sent: Option<String>, detail: Option<Detail>) -> Self {
        Self { shown: shown(detail.as_ref()), id, action, sent, detail }
    }

    /// Whether what is shown is what its digest speaks of; so it is where it was left out.
    fn is_whole(&self) -> bool {
        self.detail.is_none() || shown(self.detail.as_ref()) == self.shown
    }

    fn fields(&self) -> BTreeMap<&str, &FieldChange> {
        match &self.detail {
            Some(Detail::Fields(fields)) => fields.iter().map(|field| (field.path.as_str(), field)).collect(),
            _ => BTreeMap::new(),
        }
    }
}

/// SHA-256 of a JSON value whose mappings have their keys in order.
fn shown(detail: Option<&Detail>) -> String {
    let value = serde_json::to_value(detail).unwrap_or_default();
    hex(&Sha256::digest(sorted(&value).to_string()))
}

/// With the keys of mappings in order, whatever keeps them.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let ordered: BTreeMap<&String, Value> = fields.iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(ordered.into_iter().map(|(key, value)| (key.clone(), value)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Essence {
    /// `sha256:<hex>`; the same for two that do the same, whatever is left out of what is shown.
    pub fn digest(&self) -> String {
        let line = |line: &EssenceLine| json!([line.id.to_string(), line.action, line.sent, line.shown]).to_string();
        // No line of an object has two parts.
        let inputs = self.inputs.iter().map(|inputs| json!(["inputs", inputs.as_str()]).to_string());
        let text: Vec<String> = self.lines.iter().map(line).chain(inputs).collect();
        format!("sha256:{}", hex(&Sha256::digest(text.join("\n"))))
    }

    /// Whether what it shows is what its digest speaks of.
    pub fn is_whole(&self) -> bool {
        self.lines.iter().all(EssenceLine::is_whole)
    }

    /// Without what is shown: the same digest, and short.
    pub fn bare(&self) -> Self {
        let lines = self.lines.iter().map(|line| EssenceLine { detail: None, ..line.clone() });
        Self { lines: lines.collect(), inputs: self.inputs.clone() }
    }

    /// As a plan that people can be shown, and the objects that it creates.
    pub fn as_plan(&self) -> (Plan, BTreeMap<ObjectId, Value>) {
        let (mut plan, mut created) = (Plan::default(), BTreeMap::new());
        for line in &self.lines {
            let phase = super::phase_of_kind(&line.id);
            let mut change = Change::new(line.id.clone(), String::new(), phase, line.action, super::Reason::Changed);
            match &line.detail {
                Some(Detail::Fields(fields)) => change.fields.clone_from(fields),
                Some(Detail::Body(body)) => {
                    created.insert(line.id.clone(), body.clone());
                }
                None => {}
            }
            plan.changes.push(change);
        }
        (plan, created)
    }

    /// Whether another one does nothing that this one does not, with the same inputs.
    pub fn covers(&self, other: &Self) -> bool {
        if self.inputs != other.inputs {
            return false;
        }
        let told = |line: &EssenceLine| EssenceLine { detail: None, ..line.clone() };
        other.lines.iter().all(|line| self.lines.iter().any(|mine| told(mine) == told(line)))
    }

    /// How another one, which would be carried out now, differs from this one, which was approved.
    pub fn differences(&self, now: &Self) -> Vec<Difference> {
        let lines = |essence: &Self| -> BTreeMap<ObjectId, EssenceLine> {
            essence.lines.iter().map(|line| (line.id.clone(), line.clone())).collect()
        };
        let (approved, now) = (lines(self), lines(now));
        let mut ids: Vec<&ObjectId> = approved.keys().chain(now.keys()).collect();
        ids.sort_unstable();
        ids.dedup();
        let differs = |id: &&ObjectId| {
            let told = |line: &EssenceLine| (line.action, line.sent.clone(), line.shown.clone());
            approved.get(*id).map(told) != now.get(*id).map(told)
        };
        ids.into_iter()
            .filter(differs)
            .map(|id| {
                let (before, after) = (approved.get(id), now.get(id));
                let (one, other) = (before.map(EssenceLine::fields), after.map(EssenceLine::fields));
                let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
                let mut fields: Vec<&str> = one.keys().chain(other.keys()).copied().collect();
                fields.sort_unstable();
                fields.dedup();
                let both = before.map(|line| line.action) == after.map(|line| line.action);
                fields.retain(|path| both && one.get(path) != other.get(path));
                Difference {
                    id: id.clone(),
                    approved: before.map(|line| line.action),
                    now: after.map(|line| line.action),
                    fields: fields.into_iter().map(str::to_owned).collect(),
                }
            })
            .collect()
    }
}

/// Fields that one difference names.
const FIELDS: usize = 3;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |action: Option<Action>| match action {
            Some(Action::Created) => "is created",
            Some(Action::Configured) => "is changed",
            Some(Action::Deleted) => "is deleted",
            _ => "stays",
        };
        write!(f, "{} ", self.id)?;
        if self.approved == self.now {
            write!(f, "{} otherwise", word(self.now))?;
        } else {
            write!(f, "{}, and approved was that it {}", word(self.now), word(self.approved))?;
        }
        if !self.fields.is_empty() {
            let named: Vec<&str> = self.fields.iter().take(FIELDS).map(String::as_str).collect();
            write!(f, " ({}", named.join(", "))?;
            match self.fields.len().saturating_sub(FIELDS) {
                0 => f.write_str(")")?,
                more => write!(f, " and {more} more)")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

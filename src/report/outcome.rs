//! How a run ended, as one value: history, Events and logs are composed from it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::facts::Stage;
use super::reason::Reason;
use crate::api::AppliedRun;
use crate::failure::Failed;
use crate::object::{ObjectId, Problem};
use crate::plan::Action;

/// How many changes an outcome lists; the rest is counted.
pub const LISTED: usize = 200;
/// How many outcomes a status remembers.
pub const REMEMBERED: usize = 5;

/// Which run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeId {
    /// `metadata.uid` of the Sync.
    pub sync_uid: String,
    /// The revision, `main@sha1:<hash>`.
    pub revision: String,
    /// Which attempt at it, from 1.
    pub attempt: u32,
}

/// Objects by what was done with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ActionCounts {
    /// Not there before.
    pub created: u32,
    /// Different before.
    pub configured: u32,
    /// Equal already.
    pub unchanged: u32,
    /// Left Git.
    pub deleted: u32,
    /// Left alone on purpose.
    pub skipped: u32,
}

impl ActionCounts {
    /// Counts one more.
    pub fn add(&mut self, action: Action) {
        *match action {
            Action::Created => &mut self.created,
            Action::Configured => &mut self.configured,
            Action::Unchanged => &mut self.unchanged,
            Action::Deleted => &mut self.deleted,
            Action::Skipped => &mut self.skipped,
        } += 1;
    }

    /// How many objects were changed.
    pub fn changed(&self) -> u32 {
        self.created + self.configured + self.deleted
    }

    /// `2 created, 1 configured`; of what was not changed only where nothing was: `7 unchanged`.
    pub fn summary(&self) -> String {
        let changed = [(self.created, "created"), (self.configured, "configured"), (self.deleted, "deleted")];
        let quiet = [(self.unchanged, "unchanged"), (self.skipped, "skipped")];
        let told = if self.changed() > 0 { &changed[..] } else { &quiet[..] };
        let parts: Vec<_> = told.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        if parts.is_empty() { "no objects".to_owned() } else { parts.join(", ") }
    }
}

/// One object that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Which.
    pub id: ObjectId,
    /// How.
    pub action: Action,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Which run.
    pub id: OutcomeId,
    /// Objects by what was done with them.
    pub counts: ActionCounts,
    /// What was changed, in the order of execution, the first [`LISTED`].
    pub changes: Vec<Changed>,
    /// What was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// Objects that are otherwise than the API server had said, where that was approved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
    /// Keyed digest of the ConfigMaps and Secrets that it was rendered with, where the Sync names any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// What failed, and in which stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<(Stage, Failed)>,
    /// Milliseconds that each stage took, in the order of the run.
    pub stages: Vec<(Stage, u64)>,
    /// When the run ended.
    pub ended: Timestamp,
}

impl Outcome {
    /// An outcome in which nothing happened yet.
    pub fn new(id: OutcomeId, ended: Timestamp) -> Self {
        Self {
            id,
            counts: ActionCounts::default(),
            changes: Vec::new(),
            problems: Vec::new(),
            differs: Vec::new(),
            inputs: None,
            failure: None,
            stages: Vec::new(),
            ended,
        }
    }

    /// Records what was done with an object.
    pub fn record(&mut self, id: &ObjectId, action: Action) {
        self.counts.add(action);
        let changed = matches!(action, Action::Created | Action::Configured | Action::Deleted);
        if changed && self.changes.len() < LISTED {
            self.changes.push(Changed { id: id.clone(), action });
        }
    }

    /// Records how long a stage took; a stage that was entered twice took the sum.
    pub fn time(&mut self, stage: Stage, millis: u64) {
        match self.stages.iter_mut().find(|(s, _)| *s == stage) {
            Some((_, sum)) => *sum += millis,
            None => self.stages.push((stage, millis)),
        }
    }

    /// Its reason.
    pub fn reason(&self) -> Reason {
        match &self.failure {
            Some((stage, failed)) => Reason::of_failure(failed, reason_of_stage(*stage)).0,
            None if !self.problems.is_empty() => Reason::ValidationFailed,
            None if !self.differs.is_empty() => Reason::AppliedDiffers,
            None => Reason::ReconciliationSucceeded,
        }
    }

    /// `2 created, 1 configured`, and what went wrong.
    pub fn summary(&self) -> String {
        let mut text = self.counts.summary();
        if !self.problems.is_empty() {
            text.push_str(&format!("; {}", super::message::problems(&self.problems)));
        }
        if !self.differs.is_empty() {
            text.push_str(&format!("; {}", self.differs.join("; ")));
        }
        if let Some((stage, failed)) = &self.failure {
            let (_, message) = Reason::of_failure(failed, reason_of_stage(*stage));
            text.push_str(&format!("; {} failed: {message}", stage.as_str()));
        }
        text
    }

    /// The line of the history.
    pub fn history_entry(&self) -> AppliedRun {
        AppliedRun {
            revision: self.id.revision.clone(),
            reason: self.reason().as_str().to_owned(),
            summary: super::message::bounded(&self.summary(), 512),
            inputs: self.inputs.clone(),
            at: super::status::whole_seconds(self.ended),
        }
    }

    /// The history with this outcome, newest first, at most [`REMEMBERED`]. An outcome that changed
    /// nothing is not remembered, unless what it found is not what was approved, or it went well with other ConfigMaps or
    /// Secrets than the one before.
    pub fn remember(&self, history: &[AppliedRun]) -> Vec<AppliedRun> {
        let failed = self.failure.is_some() || !self.problems.is_empty();
        let other = history.first().is_some_and(|newest| self.inputs.is_some() && newest.inputs != self.inputs);
        let news = self.counts.changed() > 0 || !self.differs.is_empty() || other && !failed;
        let newest = news.then(|| self.history_entry());
        newest.into_iter().chain(history.iter().cloned()).take(REMEMBERED).collect()
    }
}

/// The general reason of a failure in a stage.
pub(super) fn reason_of_stage(stage: Stage) -> Reason {
    match stage {
        Stage::Fetch => Reason::GitOperationFailed,
        Stage::Render => Reason::BuildFailed,
        Stage::Validate => Reason::ValidationFailed,
        Stage::Prune => Reason::PruneFailed,
        Stage::Health => Reason::HealthCheckFailed,
        Stage::Plan | Stage::Apply => Reason::ReconciliationFailed,
    }
}

#[cfg(test)]
mod tests;

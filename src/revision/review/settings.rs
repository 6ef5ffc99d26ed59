//! How much review is asked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A name for settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Profile {
    /// Applies everything, and records what `Reviewed` would have held.
    Observe,
    /// One approval by another person; operations for owners, standards, RBAC and what is of the whole cluster.
    #[default]
    Reviewed,
    /// One approval by a developer and one by operations, and signatures (`spec.verify`).
    Strict,
}

/// What comes of a change that lacks approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// It goes, and is recorded.
    Record,
    /// It is held.
    Hold,
}

/// What each step of the mainline needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// People who must approve, in all.
    pub people: usize,
    /// Of whom this many as developers of what is changed.
    pub dev: usize,
    /// Of whom this many as operations.
    pub ops: usize,
    /// Of whom this many as operations where the change needs operations: owners, standards, RBAC, what is of the whole
    /// cluster, and paths of no rule.
    pub sensitive_ops: usize,
    /// What comes of a change that lacks that.
    pub effect: Effect,
}

impl Settings {
    /// The same with no fewer people than others ask for.
    pub fn at_least(&self, other: &Settings) -> Settings {
        Settings {
            people: self.people.max(other.people),
            dev: self.dev.max(other.dev),
            ops: self.ops.max(other.ops),
            sensitive_ops: self.sensitive_ops.max(other.sensitive_ops),
            effect: self.effect,
        }
    }
}

impl Profile {
    /// What it stands for.
    pub fn settings(self) -> Settings {
        let reviewed = Settings { people: 1, dev: 0, ops: 0, sensitive_ops: 1, effect: Effect::Hold };
        match self {
            Self::Observe => Settings { effect: Effect::Record, ..reviewed },
            Self::Reviewed => reviewed,
            Self::Strict => Settings { people: 2, dev: 1, ops: 1, ..reviewed },
        }
    }

    /// What a status calls a revision that is accepted under it: nothing is called reviewed that was only observed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Observe => "Observed",
            Self::Reviewed => "Reviewed",
            Self::Strict => "Strict",
        }
    }
}

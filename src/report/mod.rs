//! What each reader is told: conditions, status, Events, messages, metrics. All of it is composed
//! from two kinds of values: facts about a Sync or a Repository, and the outcome of a run.

pub mod condition;
pub mod event;
pub mod facts;
pub mod message;
pub mod metrics;
pub mod outcome;
pub mod reason;
pub mod status;
pub mod table;

/// Names of the fields of structured logs. Every line of a run carries those of its span.
pub mod field {
    /// `namespace/name` of the Sync.
    pub const SYNC: &str = "sync";
    /// `namespace/name` of the Repository.
    pub const REPOSITORY: &str = "repository";
    /// The revision, `main@sha1:<hash>`.
    pub const REVISION: &str = "revision";
    /// Which run of this process, counted from 1: it ties the lines of one run together.
    pub const RUN: &str = "run";
    /// The stage.
    pub const STAGE: &str = "stage";
    /// Reason of a failure.
    pub const REASON: &str = "reason";
    /// Milliseconds that something took.
    pub const MILLIS: &str = "millis";
}

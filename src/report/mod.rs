//! What each reader is told: conditions, status, Events, messages, metrics. All of it is composed
//! from two kinds of values: facts about a Sync or a Repository, and the outcome of a run.

pub mod commit_status;
pub mod condition;
pub mod event;
pub mod facts;
pub mod message;
pub mod metrics;
pub mod outcome;
pub mod plan_text;
pub mod proposed;
pub mod reason;
pub mod standard;
pub mod status;
pub mod table;
pub mod visible;

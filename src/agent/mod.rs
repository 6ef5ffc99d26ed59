//! The loop: triggers, the state of each Sync, and the one function that a run is.

mod ancestry;
mod backoff;
mod claims;
mod dependency;
mod fight;
mod lens;
mod lineage;
mod mailbox;
mod news;
mod observer;
mod registry;
mod repository;
mod run;
mod source;
mod term;
mod tip;
mod unit;
pub mod worker;
mod world;

pub use run::{AgentOptions, run};

//! The loop: triggers, the state of each Sync, and the one function that a run is.

pub mod worker;

//! Health of one object, in the words of kstatus, and of a set.

use serde::{Deserialize, Serialize};

/// Health of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Status {
    /// As wanted.
    Current,
    /// On its way.
    InProgress,
    /// Will not become as wanted by itself.
    Failed,
    /// Being deleted.
    Terminating,
    /// Not in the cluster.
    NotFound,
    /// Not known yet.
    Unknown,
}

/// Health of one object with its cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Which.
    pub status: Status,
    /// Why, for people; empty where it is current.
    pub message: String,
}

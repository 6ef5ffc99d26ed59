//! Health of one object, in the words of kstatus, and of a set.
//!
//! | status | meaning |
//! |---|---|
//! | `Current` | as wanted |
//! | `InProgress` | on its way |
//! | `Failed` | will not become as wanted by itself |
//! | `Terminating` | being deleted |
//! | `NotFound` | not in the cluster |
//! | `Unknown` | not known yet, or an expression could not be evaluated |
//!
//! What decides, first match first: a deletion timestamp; an `observedGeneration` that is not the
//! generation; an expression of the Sync for the kind; `Reconciling` or `Stalled`; the rules of built-in
//! kinds; `Ready`, else `Available`, else `Succeeded`; an object of which nothing of this is known
//! is current once it is stored.
//!
//! Differences to kstatus: a Job must complete; a Pod that cannot be scheduled is in progress, not
//! failed after 15 s; a load balancer needs an address.

mod expression;
mod kinds;
mod read;
mod set;
mod wait;
mod workload;

pub use expression::{Expressions, Rule};
pub use set::{Counts, NAMED, SetHealth};
pub use wait::{JobOutcome, failing_webhook, has_ready_endpoint, is_established, job_outcome, webhook_services};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::object::split_api_version;
use read::{condition, int, text};

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

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Current, Self::InProgress, Self::Failed, Self::Terminating, Self::NotFound, Self::Unknown];

    /// Its name, as kstatus writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "Current",
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Terminating => "Terminating",
            Self::NotFound => "NotFound",
            Self::Unknown => "Unknown",
        }
    }

    /// Order in which objects are named: the highest is the worst.
    fn severity(self) -> u8 {
        match self {
            Self::Failed => 5,
            Self::NotFound => 4,
            Self::Unknown => 3,
            Self::InProgress => 2,
            Self::Terminating => 1,
            Self::Current => 0,
        }
    }
}

/// Health of one object with its cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Which.
    pub status: Status,
    /// Why, for people; empty where it is current.
    pub message: String,
}

impl Health {
    /// A status and why.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// As wanted.
    pub fn current() -> Self {
        Self::new(Status::Current, "")
    }

    /// On its way, and what is awaited.
    pub fn in_progress(message: impl Into<String>) -> Self {
        Self::new(Status::InProgress, message)
    }

    /// Will not become as wanted by itself, and why.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Status::Failed, message)
    }
}

/// Health of one object as the API server shows it. `expressions` are those of the Sync; one that
/// speaks of the object's kind decides instead of the rules here.
pub fn assess(object: &Value, expressions: &Expressions) -> Health {
    if object.pointer("/metadata/deletionTimestamp").is_some_and(|t| !t.is_null()) {
        return terminating(object);
    }
    let (group, _) = split_api_version(text(object, "/apiVersion"));
    let kind = text(object, "/kind");
    let generations = (int(object, "/metadata/generation"), int(object, "/status/observedGeneration"));
    if let (Some(generation), Some(observed)) = generations
        && observed != generation
    {
        return Health::in_progress("its controller has not seen the newest change yet");
    }
    if let Some(health) = expressions.assess(group, kind, object) {
        return health;
    }
    if let Some(seen) = condition(object, "Stalled").filter(|c| c.is_true()) {
        return Health::failed(seen.explain());
    }
    if let Some(seen) = condition(object, "Reconciling").filter(|c| c.is_true()) {
        return Health::in_progress(seen.explain());
    }
    built_in(group, kind, object)
}

fn built_in(group: &str, kind: &str, object: &Value) -> Health {
    match (group, kind) {
        ("apps", "Deployment") => workload::deployment(object),
        ("apps", "StatefulSet") => workload::stateful_set(object),
        ("apps", "DaemonSet") => workload::daemon_set(object),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => workload::replica_set(object),
        ("", "Pod") => workload::pod(object),
        ("batch", "Job") => workload::job(object),
        ("", "PersistentVolumeClaim") => kinds::claim(object),
        ("", "PersistentVolume") => kinds::volume(object),
        ("", "Service") => kinds::service(object),
        ("", "Namespace") => kinds::namespace(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => kinds::definition(object),
        ("apiregistration.k8s.io", "APIService") => kinds::api_service(object),
        ("autoscaling", "HorizontalPodAutoscaler") => kinds::autoscaler(object),
        // As wanted once they are stored, whatever conditions they carry.
        ("batch", "CronJob") | ("networking.k8s.io", "Ingress") | ("policy", "PodDisruptionBudget") => {
            Health::current()
        }
        _ => kinds::by_conditions(object),
    }
}

fn terminating(object: &Value) -> Health {
    let finalizers: Vec<_> = read::list(object, "/metadata/finalizers").iter().filter_map(Value::as_str).collect();
    Health::new(
        Status::Terminating,
        if finalizers.is_empty() {
            "being deleted".to_owned()
        } else {
            format!("being deleted; waits for {}", finalizers.join(", "))
        },
    )
}

#[cfg(test)]
mod tests;

//! What a Lease says, and what we may do about it. Pure.

use std::time::Duration;

use serde_json::{Value, json};

/// A Lease as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) resource_version: String,
    /// Empty where nobody holds it.
    pub(super) holder: String,
    pub(super) duration: Duration,
    pub(super) transitions: u64,
    pub(super) acquired: String,
    renewed: String,
}

impl Record {
    /// Reads a Lease; what is missing or strange counts as not held.
    pub(super) fn read(lease: &Value) -> Self {
        let spec = |field: &str| lease.pointer("/spec").and_then(|s| s.get(field));
        let text = |field: &str| spec(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let seconds = spec("leaseDurationSeconds").and_then(Value::as_u64).unwrap_or(0);
        Self {
            resource_version: lease
                .pointer("/metadata/resourceVersion")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            holder: text("holderIdentity"),
            duration: Duration::from_secs(seconds),
            transitions: spec("leaseTransitions").and_then(Value::as_u64).unwrap_or(0),
            acquired: text("acquireTime"),
            renewed: text("renewTime"),
        }
    }

    /// Whether two readings show the same state of the same holder. Anything else is a sign of
    /// life, and the wait begins anew.
    pub(super) fn unchanged_since(&self, before: &Self) -> bool {
        self == before
    }
}

/// What may be done about a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// It is ours: renew it.
    Renew,
    /// Nobody holds it, its holder has been silent for its whole duration, or is dead.
    Take,
    /// Somebody else holds it.
    Wait,
}

/// Who contends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Me<'a> {
    /// Unlike every other process.
    pub(super) identity: &'a str,
    /// What identities of our former processes begin with; they are surely dead. Empty where
    /// nothing makes sure of that.
    pub(super) lineage: &'a str,
}

impl Me<'_> {
    fn is_heir_of(self, holder: &str) -> bool {
        !self.lineage.is_empty()
            && holder != self.identity
            && holder.strip_prefix(self.lineage).is_some_and(|rest| rest.starts_with('_'))
    }
}

/// Decides. `silent` is how long we ourselves have seen this very record.
pub(super) fn next_move(record: &Record, me: Me<'_>, silent: Duration) -> Move {
    if record.holder == me.identity {
        Move::Renew
    } else if record.holder.is_empty() || me.is_heir_of(&record.holder) || silent >= record.duration {
        Move::Take
    } else {
        Move::Wait
    }
}

/// The Lease that is written.
pub(super) struct Wanted<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    /// Empty to release it.
    pub(super) holder: &'a str,
    pub(super) duration: Duration,
    pub(super) transitions: u64,
    pub(super) acquired: &'a str,
    pub(super) renewed: &'a str,
    /// Empty to create it.
    pub(super) resource_version: &'a str,
}

impl Wanted<'_> {
    pub(super) fn body(&self) -> Value {
        let mut metadata = json!({"namespace": self.namespace, "name": self.name});
        if !self.resource_version.is_empty() {
            metadata["resourceVersion"] = json!(self.resource_version);
        }
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata,
            "spec": {
                "holderIdentity": self.holder,
                "leaseDurationSeconds": self.duration.as_secs().max(1),
                "leaseTransitions": self.transitions,
                "acquireTime": self.acquired,
                "renewTime": self.renewed,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_silence_of_the_whole_duration_frees_a_held_lease() {
        let lease = json!({
            "metadata": {"resourceVersion": "7"},
            "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15, "leaseTransitions": 2, "renewTime": "2026-01-01T00:00:00.000000Z"}
        });
        let record = Record::read(&lease);
        let second = Duration::from_secs(1);
        let me = |identity, lineage| Me { identity, lineage };
        for (me, silent, expected) in [
            (me("a", ""), Duration::ZERO, Move::Renew),
            (me("a", ""), 60 * second, Move::Renew),
            (me("b", ""), 14 * second, Move::Wait),
            (me("b", ""), 15 * second, Move::Take),
        ] {
            assert_eq!(next_move(&record, me, silent), expected, "{me:?} {silent:?}");
        }
        let held = Record { holder: "pod-1_x".into(), ..record.clone() };
        for (me, expected) in [
            (me("pod-1_y", "pod-1"), Move::Take),
            (me("pod-1_y", ""), Move::Wait),
            (me("pod-1_x", "pod-1"), Move::Renew),
            (me("pod_y", "pod"), Move::Wait),
            (me("pod-1_x_z", "pod-1_x"), Move::Wait),
        ] {
            assert_eq!(next_move(&held, me, Duration::ZERO), expected, "{me:?}");
        }
        let free = Record::read(&json!({"metadata": {}, "spec": {"holderIdentity": ""}}));
        assert_eq!(next_move(&free, me("b", ""), Duration::ZERO), Move::Take);
        assert_eq!(next_move(&Record::read(&json!({"spec": 3})), me("b", ""), Duration::ZERO), Move::Take);
    }
}

//! Health of what runs: Deployments, StatefulSets, DaemonSets, ReplicaSets, Pods and Jobs.

use serde_json::Value;

use super::read::{condition, int, list, text};
use super::{Health, JobOutcome, job_outcome};

/// A rollout is done when every replica is of the newest template, available and ready, and no old
/// one is left. It failed when its progress deadline passed.
pub(super) fn deployment(object: &Value) -> Health {
    let progressing = condition(object, "Progressing");
    if let Some(seen) = progressing.filter(|c| c.reason == "ProgressDeadlineExceeded") {
        return Health::failed(seen.explain());
    }
    let replicas = Replicas::read(object);
    let updated = count(object, "updatedReplicas");
    let paused = object.pointer("/spec/paused").and_then(Value::as_bool) == Some(true);
    if updated < replicas.wanted {
        let suffix = if paused { "; it is paused" } else { "" };
        return Health::in_progress(format!("{updated} of {} replicas are updated{suffix}", replicas.wanted));
    }
    if let Some(waiting) = replicas.surplus() {
        return waiting;
    }
    let available = count(object, "availableReplicas");
    if available < updated {
        return Health::in_progress(format!("{available} of {updated} replicas are available"));
    }
    if let Some(waiting) = replicas.not_ready() {
        return waiting;
    }
    let has_deadline = int(object, "/spec/progressDeadlineSeconds").is_some_and(|s| s != i64::from(i32::MAX));
    let rolled_out = progressing.is_some_and(|c| c.is_true() && c.reason == "NewReplicaSetAvailable");
    if has_deadline && !paused && !rolled_out {
        return Health::in_progress("the newest ReplicaSet is not yet available");
    }
    match condition(object, "Available") {
        Some(seen) if seen.is_true() => Health::current(),
        Some(seen) => Health::in_progress(seen.explain()),
        None => Health::in_progress("not yet available"),
    }
}

/// A rollout is done when every replica beyond the partition is of the newest revision and ready.
/// With `OnDelete` an update waits for people, so it is not waited for.
pub(super) fn stateful_set(object: &Value) -> Health {
    let replicas = Replicas::read(object);
    if let Some(waiting) = replicas.missing().or_else(|| replicas.not_ready()).or_else(|| replicas.surplus()) {
        return waiting;
    }
    if text(object, "/spec/updateStrategy/type") == "OnDelete" {
        return Health::current();
    }
    let partition = int(object, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    let wanted = (replicas.wanted - partition).max(0);
    let updated = count(object, "updatedReplicas");
    if updated < wanted {
        return Health::in_progress(format!("{updated} of {wanted} replicas are updated"));
    }
    let (update, current) = (text(object, "/status/updateRevision"), text(object, "/status/currentRevision"));
    if partition == 0 && update != current {
        return Health::in_progress(format!("revision {update} is replacing {current}"));
    }
    Health::current()
}

/// A rollout is done when every scheduled Pod is of the newest template, available and ready.
pub(super) fn daemon_set(object: &Value) -> Health {
    let (Some(wanted), Some(_)) =
        (int(object, "/status/desiredNumberScheduled"), int(object, "/status/observedGeneration"))
    else {
        return Health::in_progress("its controller has not seen it yet");
    };
    let on_delete = text(object, "/spec/updateStrategy/type") == "OnDelete";
    let steps = [
        ("currentNumberScheduled", "scheduled", false),
        ("updatedNumberScheduled", "updated", on_delete),
        ("numberAvailable", "available", false),
        ("numberReady", "ready", false),
    ];
    steps
        .into_iter()
        .filter(|(_, _, left_out)| !left_out)
        .map(|(field, word, _)| (count(object, field), word))
        .find(|(seen, _)| *seen < wanted)
        .map_or_else(Health::current, |(seen, word)| Health::in_progress(format!("{seen} of {wanted} Pods are {word}")))
}

/// ReplicaSets and ReplicationControllers.
pub(super) fn replica_set(object: &Value) -> Health {
    if let Some(seen) = condition(object, "ReplicaFailure").filter(|c| c.is_true()) {
        return Health::in_progress(seen.explain());
    }
    let replicas = Replicas::read(object);
    let available = count(object, "availableReplicas");
    if let Some(waiting) = replicas.missing() {
        return waiting;
    }
    if available < replicas.wanted {
        return Health::in_progress(format!("{available} of {} replicas are available", replicas.wanted));
    }
    replicas.not_ready().or_else(|| replicas.surplus()).unwrap_or_else(Health::current)
}

/// A Pod is current when ready or succeeded, and failed when it failed or a container crash-loops.
/// One that cannot be scheduled is in progress, with the scheduler's words: room may come (kstatus
/// calls it failed after 15 s, a moment that no event tells).
pub(super) fn pod(object: &Value) -> Health {
    match text(object, "/status/phase") {
        "Succeeded" => Health::current(),
        "Failed" => {
            let (reason, message) = (text(object, "/status/reason"), text(object, "/status/message"));
            let exited = containers(object).find_map(|c| {
                let code = int(c, "/state/terminated/exitCode").filter(|code| *code != 0)?;
                Some(format!("container {} exited with code {code}", text(c, "/name")))
            });
            let told = [reason, message].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(": ");
            Health::failed(match (told.is_empty(), exited) {
                (false, _) => told,
                (true, Some(exited)) => exited,
                (true, None) => "the Pod failed".to_owned(),
            })
        }
        "Running" if condition(object, "Ready").is_some_and(|c| c.is_true()) => Health::current(),
        phase => {
            let waiting =
                |wanted: &'static str| containers(object).find(move |c| text(c, "/state/waiting/reason") == wanted);
            if let Some(container) = waiting("CrashLoopBackOff") {
                return Health::failed(format!("container {} crashes again and again", text(container, "/name")));
            }
            if let Some(seen) = condition(object, "PodScheduled").filter(|c| c.is_false()) {
                return Health::in_progress(seen.explain());
            }
            if let Some(container) =
                ["ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError", "InvalidImageName"]
                    .into_iter()
                    .find_map(waiting)
            {
                let (name, reason) = (text(container, "/name"), text(container, "/state/waiting/reason"));
                return Health::in_progress(format!("container {name}: {reason}"));
            }
            Health::in_progress(match phase {
                "Running" => "running, not yet ready",
                "Pending" => "pending",
                _ => "not started yet",
            })
        }
    }
}

/// A Job must complete. A suspended one waits on purpose.
pub(super) fn job(object: &Value) -> Health {
    match job_outcome(object) {
        JobOutcome::Complete | JobOutcome::Suspended => Health::current(),
        JobOutcome::Failed { reason, message } if message.is_empty() => Health::failed(reason),
        JobOutcome::Failed { reason, message } => Health::failed(format!("{reason}: {message}")),
        JobOutcome::Running if text(object, "/status/startTime").is_empty() => Health::in_progress("not started yet"),
        JobOutcome::Running => {
            let failed = count(object, "failed");
            let again = if failed > 0 { format!("; {failed} of its Pods failed so far") } else { String::new() };
            Health::in_progress(format!("running{again}"))
        }
    }
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(pod, "/status/initContainerStatuses").iter().chain(list(pod, "/status/containerStatuses"))
}

fn count(object: &Value, field: &str) -> i64 {
    int(object, &format!("/status/{field}")).unwrap_or(0)
}

/// Replicas of a workload.
struct Replicas {
    wanted: i64,
    seen: i64,
    ready: i64,
}

impl Replicas {
    fn read(object: &Value) -> Self {
        Self {
            wanted: int(object, "/spec/replicas").unwrap_or(1),
            seen: count(object, "replicas"),
            ready: count(object, "readyReplicas"),
        }
    }

    fn missing(&self) -> Option<Health> {
        (self.seen < self.wanted)
            .then(|| Health::in_progress(format!("{} of {} replicas exist", self.seen, self.wanted)))
    }

    fn not_ready(&self) -> Option<Health> {
        (self.ready < self.wanted)
            .then(|| Health::in_progress(format!("{} of {} replicas are ready", self.ready, self.wanted)))
    }

    fn surplus(&self) -> Option<Health> {
        let extra = self.seen - self.wanted;
        (extra > 0).then(|| {
            Health::in_progress(format!("{extra} old {} to go", if extra == 1 { "replica is" } else { "replicas are" }))
        })
    }
}

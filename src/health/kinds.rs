//! Health of built-in kinds that run nothing themselves, and of kinds that nobody here knows.

use serde_json::Value;

use super::read::{condition, int, list, text};
use super::{Health, Status};

/// Bound, or still waiting; a lost volume does not come back.
pub(super) fn claim(object: &Value) -> Health {
    match text(object, "/status/phase") {
        "Bound" => Health::current(),
        "Lost" => Health::failed("its volume is lost"),
        _ => Health::in_progress("not yet bound to a volume"),
    }
}

/// A PersistentVolume fails only when reclaiming it failed.
pub(super) fn volume(object: &Value) -> Health {
    match text(object, "/status/phase") {
        "Failed" => Health::failed(match text(object, "/status/message") {
            "" => "reclaiming the volume failed",
            message => message,
        }),
        "" | "Pending" => Health::in_progress("not yet available"),
        _ => Health::current(),
    }
}

/// A load balancer needs an address; every other Service is as wanted once it is stored.
pub(super) fn service(object: &Value) -> Health {
    let balanced = text(object, "/spec/type") == "LoadBalancer";
    let addressed =
        !list(object, "/status/loadBalancer/ingress").is_empty() || !list(object, "/spec/externalIPs").is_empty();
    if balanced && !addressed { Health::in_progress("the load balancer has no address yet") } else { Health::current() }
}

/// Established, with its names accepted.
pub(super) fn definition(object: &Value) -> Health {
    if let Some(seen) = condition(object, "NamesAccepted").filter(|c| c.is_false()) {
        return Health::failed(seen.explain());
    }
    match condition(object, "Established") {
        Some(seen) if seen.is_true() => Health::current(),
        Some(seen) if seen.is_false() && seen.reason != "Installing" => Health::failed(seen.explain()),
        _ => Health::in_progress("not yet established"),
    }
}

/// Active, or going.
pub(super) fn namespace(object: &Value) -> Health {
    match text(object, "/status/phase") {
        "Active" => Health::current(),
        "Terminating" => {
            let stuck = list(object, "/status/conditions")
                .iter()
                .filter(|c| text(c, "/status") == "True" && text(c, "/reason") != "ContentDeleted")
                .find(|c| matches!(text(c, "/type"), "NamespaceContentRemaining" | "NamespaceFinalizersRemaining"));
            Health::new(Status::Terminating, stuck.map_or("being deleted", |c| text(c, "/message")))
        }
        _ => Health::in_progress("not yet active"),
    }
}

/// Available: its server answers.
pub(super) fn api_service(object: &Value) -> Health {
    match condition(object, "Available") {
        Some(seen) if seen.is_true() => Health::current(),
        Some(seen) => Health::in_progress(seen.explain()),
        None => Health::in_progress("not yet available"),
    }
}

/// As wanted unless it cannot reach what it scales. Missing metrics are no fault of the manifest.
pub(super) fn autoscaler(object: &Value) -> Health {
    match condition(object, "AbleToScale").filter(|c| c.is_false()) {
        Some(seen) => Health::in_progress(seen.explain()),
        None => Health::current(),
    }
}

/// Any kind with conditions: `Ready` speaks, else `Available`, else `Succeeded`. An object that has
/// none of them is as wanted once it is stored.
pub(super) fn by_conditions(object: &Value) -> Health {
    let Some((type_, seen)) =
        ["Ready", "Available", "Succeeded"].into_iter().find_map(|t| Some((t, condition(object, t)?)))
    else {
        return match condition(object, "Failed").filter(|c| c.is_true()) {
            Some(seen) => Health::failed(seen.explain()),
            None => Health::current(),
        };
    };
    let generation = int(object, "/metadata/generation");
    let tells_generation = int(object, "/status/observedGeneration").is_some();
    if !tells_generation && seen.observed_generation.is_some_and(|o| generation.is_some_and(|g| o < g)) {
        return Health::in_progress("its controller has not seen the newest change yet");
    }
    if seen.is_true() {
        return Health::current();
    }
    let told = seen.explain();
    Health::in_progress(if told.is_empty() { format!("{type_} is {}", seen.status) } else { told })
}

//! The agent: whether it runs, and whether it holds its lease.

use jiff::Timestamp;
use serde_json::Value;

use super::check::Check;
use crate::cli::connection;
use crate::cli::output::{age, count};
use crate::cluster::{Cluster, KindInfo, person};
use crate::failure::chain;
use crate::health::{Expressions, Status, assess};

/// Looks at the agent's Deployment and at its leases.
pub async fn checks(cluster: &Cluster, namespace: &str) -> Vec<Check> {
    vec![deployment(cluster, namespace).await, lease(cluster, namespace).await]
}

async fn deployment(cluster: &Cluster, namespace: &str) -> Check {
    let kind = KindInfo::known("apps", "v1", "Deployment", "deployments").namespaced();
    match person::list(&cluster.own(), &kind, namespace, connection::INSTALLED).await {
        Ok(found) => judge_deployments(&found, namespace),
        Err(error) => Check::warn("agent", chain(&error), "ask for the right to list deployments there"),
    }
}

fn judge_deployments(found: &[Value], namespace: &str) -> Check {
    let Some(deployment) = found.first() else {
        return Check::warn(
            "agent",
            format!("no Deployment in namespace {namespace}"),
            "`tandem install` puts it there; --agent-namespace names another place; one that runs outside the cluster shows in its lease",
        );
    };
    let name = deployment.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let image = deployment.pointer("/spec/template/spec/containers/0/image").and_then(Value::as_str);
    let image = image.unwrap_or("no image");
    let health = assess(deployment, &Expressions::default());
    if health.status == Status::Current {
        return Check::ok("agent", format!("Deployment {namespace}/{name} runs {image}"));
    }
    Check::fail(
        "agent",
        format!("Deployment {namespace}/{name} ({image}) is {:?}: {}", health.status, health.message),
        format!("`kubectl -n {namespace} describe pods` and `kubectl -n {namespace} logs deploy/{name}` say why"),
    )
}

async fn lease(cluster: &Cluster, namespace: &str) -> Check {
    let kind = KindInfo::known("coordination.k8s.io", "v1", "Lease", "leases").namespaced();
    match person::list(&cluster.own(), &kind, namespace, "").await {
        Ok(found) => judge_leases(&found, namespace, Timestamp::now()),
        Err(error) => Check::warn("lease", chain(&error), "ask for the right to list leases there"),
    }
}

fn judge_leases(found: &[Value], namespace: &str, now: Timestamp) -> Check {
    let text =
        |lease: &Value, pointer: &str| lease.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let ours = found.iter().filter(|lease| text(lease, "/metadata/name").starts_with("tandem"));
    let mut held = Vec::new();
    for lease in ours {
        let (name, holder) = (text(lease, "/metadata/name"), text(lease, "/spec/holderIdentity"));
        let renewed = text(lease, "/spec/renewTime").parse::<Timestamp>().ok();
        let seconds = lease.pointer("/spec/leaseDurationSeconds").and_then(Value::as_i64).unwrap_or(0);
        match renewed {
            Some(renewed) if !holder.is_empty() && now.duration_since(renewed).as_secs() <= seconds => {
                held.push(format!("{name} by {holder}"));
            }
            renewed => {
                let since = renewed.map_or("ever".to_owned(), |renewed| age(renewed, now));
                return Check::fail(
                    "lease",
                    format!("nobody has renewed {namespace}/{name} for {since}: nothing is reconciled"),
                    "start the agent, or read its log",
                );
            }
        }
    }
    match held.as_slice() {
        [] => Check::fail(
            "lease",
            format!("no lease of an agent in namespace {namespace}: none has ever run"),
            "start the agent",
        ),
        held => Check::ok("lease", format!("{} held: {}", count(held.len(), "lease"), held.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lease_counts_while_it_is_renewed() {
        let now = "2026-01-10T12:00:00Z".parse().expect("a time");
        let lease = |name: &str, holder: &str, renewed: &str| {
            json!({
                "metadata": {"name": name},
                "spec": {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15},
            })
        };
        let fresh = lease("tandem-0", "pod-a", "2026-01-10T11:59:50.000000Z");
        let stale = lease("tandem-1", "pod-b", "2026-01-10T11:59:00.000000Z");
        let other = lease("kube-scheduler", "x", "2026-01-10T11:59:59.000000Z");
        insta::assert_snapshot!(judge_leases(&[fresh.clone(), other.clone()], "tandem-system", now).message, @"1 lease held: tandem-0 by pod-a");
        insta::assert_snapshot!(judge_leases(&[fresh, stale], "tandem-system", now).message, @"nobody has renewed tandem-system/tandem-1 for 60s: nothing is reconciled");
        insta::assert_snapshot!(judge_leases(&[other], "tandem-system", now).message, @"no lease of an agent in namespace tandem-system: none has ever run");
    }

    #[test]
    fn a_deployment_tells_its_image_and_health() {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "tandem", "generation": 2},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": "example.com/tandem:1"}]}}},
            "status": {"observedGeneration": 1},
        });
        insta::assert_snapshot!(judge_deployments(&[deployment], "tandem-system").message, @"Deployment tandem-system/tandem (example.com/tandem:1) is InProgress: its controller has not seen the newest change yet");
        insta::assert_snapshot!(judge_deployments(&[], "tandem-system").message, @"no Deployment in namespace tandem-system");
    }
}

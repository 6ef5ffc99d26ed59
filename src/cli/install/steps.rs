//! Waiting, step by step, until what was installed works.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::api::{Repository, Sync};
use crate::cli::output::{Output, Progress};
use crate::cli::stop::Stop;
use crate::cluster::{Cluster, KindInfo, apply, person};
use crate::failure::{Failed, Fault};

/// Time between two looks; a person watches, and the API server has one more reader.
const LOOK: Duration = Duration::from_millis(300);

/// How a step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is done; for people.
    Done(String),
    /// It is on its way; why.
    OnItsWay(String),
    /// It will not become so by itself; why.
    Stuck(String),
}

/// Waits until the agent runs.
pub async fn agent_runs(cluster: &Cluster, namespace: &str, timeout: Duration, output: &Output) -> Result<(), Stop> {
    let kind = KindInfo::known("apps", "v1", "Deployment", "deployments").namespaced();
    let look = async |last: &str| {
        let standing = rolled_out(&live(cluster, &kind, (namespace, "tandem")).await?);
        if let Standing::OnItsWay(_) = &standing
            && last.is_empty()
        {
            return Ok(standing);
        }
        match (standing, why_no_pod_runs(cluster, namespace).await?) {
            (Standing::OnItsWay(_), Some(why)) => Ok(Standing::OnItsWay(why)),
            (standing, _) => Ok(standing),
        }
    };
    wait("the agent runs", timeout, output, look).await
}

/// Waits until a commit was fetched.
pub async fn repository_is_ready(
    cluster: &Cluster,
    place: (&str, &str),
    timeout: Duration,
    output: &Output,
) -> Result<(), Stop> {
    let kind = KindInfo::of::<Repository>();
    let look = async |_: &str| Ok(ready(&live(cluster, &kind, place).await?, "/status/revision"));
    wait("a commit is fetched", timeout, output, look).await
}

/// Waits until the Sync is Ready.
pub async fn sync_is_ready(
    cluster: &Cluster,
    place: (&str, &str),
    timeout: Duration,
    output: &Output,
) -> Result<(), Stop> {
    let kind = KindInfo::of::<Sync>();
    let look = async |_: &str| Ok(ready(&live(cluster, &kind, place).await?, "/status/appliedRevision"));
    wait("the cluster equals it", timeout, output, look).await
}

async fn live(cluster: &Cluster, kind: &KindInfo, (namespace, name): (&str, &str)) -> Result<Value, Stop> {
    Ok(apply::get(&cluster.own(), kind, namespace, name).await?.unwrap_or(Value::Null))
}

async fn wait(
    what: &str,
    timeout: Duration,
    output: &Output,
    look: impl AsyncFn(&str) -> Result<Standing, Stop>,
) -> Result<(), Stop> {
    let began = Instant::now();
    let progress = Progress::start();
    let mut last = String::new();
    loop {
        match look(&last).await? {
            Standing::Done(detail) => {
                drop(progress);
                let detail = if detail.is_empty() { detail } else { format!(": {detail}") };
                output.note(&format!("{what}{detail} ({:.1} s)", began.elapsed().as_secs_f64()));
                return Ok(());
            }
            Standing::Stuck(why) => {
                let failed = Failed::new("InstallStuck", Fault::Cluster, format!("not reached: {what}: {why}"));
                return Err(failed.with_hint("put that right, and run the same command again").into());
            }
            Standing::OnItsWay(why) if began.elapsed() >= timeout => {
                let message = format!("not reached within {} s: {what}: {why}", timeout.as_secs());
                let failed = Failed::new("InstallTimeout", Fault::Transient, message);
                return Err(failed.with_hint("`tandem doctor` tells more; the same command goes on from here").into());
            }
            Standing::OnItsWay(why) => {
                progress.tell(&format!("{what}: {why}"));
                last = why;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// How a Deployment's rollout stands.
fn rolled_out(deployment: &Value) -> Standing {
    let number = |pointer: &str| deployment.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    let wanted = number("/spec/replicas");
    if number("/status/observedGeneration") < number("/metadata/generation") || wanted == 0 {
        return Standing::OnItsWay("the Deployment is not looked at yet".to_owned());
    }
    let (updated, available) = (number("/status/updatedReplicas"), number("/status/availableReplicas"));
    if updated >= wanted && available >= wanted && number("/status/replicas") == updated {
        return Standing::Done(format!("{available} of {wanted}"));
    }
    Standing::OnItsWay(format!("{available} of {wanted} available"))
}

/// What the first Pod that does not run says.
async fn why_no_pod_runs(cluster: &Cluster, namespace: &str) -> Result<Option<String>, Stop> {
    let kind = KindInfo::known("", "v1", "Pod", "pods").namespaced();
    let pods = person::list(&cluster.own(), &kind, namespace, "app.kubernetes.io/name=tandem").await?;
    Ok(pods.iter().find_map(waiting))
}

fn waiting(pod: &Value) -> Option<String> {
    let state = pod.pointer("/status/containerStatuses/0/state")?;
    let told = state.get("waiting").or_else(|| state.get("terminated"))?;
    let text = |field: &str| told.get(field).and_then(Value::as_str).unwrap_or_default();
    Some(format!("{} {}", text("reason"), text("message")).trim().to_owned()).filter(|why| !why.is_empty())
}

/// How one of our own objects stands; `done` is the pointer to what is told in the end.
fn ready(object: &Value, done: &str) -> Standing {
    let condition = |wanted: &str| {
        let all = object.pointer("/status/conditions").and_then(Value::as_array);
        let found = all.into_iter().flatten().find(|condition| condition["type"] == wanted)?;
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        Some((text("status"), text("message")))
    };
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return Standing::OnItsWay("no agent has looked at it yet".to_owned());
    }
    match (condition("Ready"), condition("Stalled")) {
        (_, Some((status, why))) if status == "True" => Standing::Stuck(why),
        (Some((status, _)), _) if status == "True" => {
            Standing::Done(object.pointer(done).and_then(Value::as_str).unwrap_or_default().to_owned())
        }
        (Some((_, why)), _) => Standing::OnItsWay(why),
        (None, _) => Standing::OnItsWay("no agent has looked at it yet".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rollout_is_over_when_every_new_pod_is_available_and_no_old_one_is_left() {
        let deployment =
            |status: Value| json!({"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status});
        for (status, done) in [
            (json!({}), false),
            (json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}), false),
            (json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3}), false),
            (json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}), false),
            (json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}), true),
        ] {
            let standing = rolled_out(&deployment(status.clone()));
            assert_eq!(matches!(standing, Standing::Done(_)), done, "{status}");
        }
        assert!(matches!(rolled_out(&Value::Null), Standing::OnItsWay(_)));
    }

    #[test]
    fn what_only_a_person_can_mend_ends_the_wait() {
        let object = |generation: i64, conditions: Value| json!({"metadata": {"generation": generation}, "status": {"observedGeneration": 1, "revision": "main@sha1:1", "conditions": conditions}});
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "message": "why"});
        for (object, expected) in [
            (Value::Null, Standing::OnItsWay("no agent has looked at it yet".into())),
            (
                object(2, json!([condition("Ready", "True")])),
                Standing::OnItsWay("no agent has looked at it yet".into()),
            ),
            (object(1, json!([condition("Ready", "True")])), Standing::Done("main@sha1:1".into())),
            (object(1, json!([condition("Ready", "False")])), Standing::OnItsWay("why".into())),
            (
                object(1, json!([condition("Ready", "False"), condition("Stalled", "True")])),
                Standing::Stuck("why".into()),
            ),
        ] {
            assert_eq!(ready(&object, "/status/revision"), expected, "{object}");
        }
    }

    #[test]
    fn a_pod_says_why_it_does_not_run() {
        let pod = json!({"status": {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}]}});
        assert_eq!(waiting(&pod).as_deref(), Some("ImagePullBackOff not found"));
        assert_eq!(waiting(&json!({"status": {"containerStatuses": [{"state": {"running": {}}}]}})), None);
    }
}

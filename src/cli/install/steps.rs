//! Waiting, step by step, until what was installed works.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::{Repository, Sync};
use crate::cli::output::{Output, Progress};
use crate::cli::stop::Stop;
use crate::cluster::{Cluster, KindInfo, apply, person};
use crate::failure::{Failed, Fault};
use crate::object::annotation;

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

/// Waits until `commit`, or a newer one, was fetched.
pub async fn repository_is_ready(
    cluster: &Cluster,
    place: (&str, &str),
    commit: &str,
    timeout: Duration,
    output: &Output,
) -> Result<(), Stop> {
    let goal = Goal { kind: KindInfo::of::<Repository>(), place, shown: "/status/revision", commit };
    goal.reach(cluster, "a commit is fetched", timeout, output).await
}

/// Waits until the Sync is Ready at `commit`, or at a newer one.
pub async fn sync_is_ready(
    cluster: &Cluster,
    place: (&str, &str),
    commit: &str,
    timeout: Duration,
    output: &Output,
) -> Result<(), Stop> {
    let goal = Goal { kind: KindInfo::of::<Sync>(), place, shown: "/status/appliedRevision", commit };
    goal.reach(cluster, "the cluster equals it", timeout, output).await
}

/// One of our own objects, and the commit that it should have reached.
struct Goal<'a> {
    kind: KindInfo,
    place: (&'a str, &'a str),
    /// Pointer to the revision that it shows, which is told in the end.
    shown: &'static str,
    commit: &'a str,
}

impl Goal<'_> {
    async fn reach(&self, cluster: &Cluster, what: &str, timeout: Duration, output: &Output) -> Result<(), Stop> {
        let asked = self.ask(cluster).await?;
        let look =
            async |_: &str| Ok(ready(&live(cluster, &self.kind, self.place).await?, self.shown, asked.as_deref()));
        wait(what, timeout, output, look).await
    }

    /// Where an agent has looked already and shows another commit, it is asked to look now: what it
    /// says is of before, and the next poll or retry may be far. Returns the request.
    async fn ask(&self, cluster: &Cluster) -> Result<Option<String>, Stop> {
        if !stale(&live(cluster, &self.kind, self.place).await?, self.shown, self.commit) {
            return Ok(None);
        }
        let asked = Timestamp::now().to_string();
        let patch = json!({"metadata": {"annotations": {annotation::REQUESTED_AT: asked}}});
        person::patch(&cluster.own(), &self.kind, self.place, &patch).await?;
        Ok(Some(asked))
    }
}

/// Whether what an object says is not of this commit. What says nothing yet is not stale.
fn stale(object: &Value, shown: &str, commit: &str) -> bool {
    let told = object.pointer("/status/conditions").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    let at = object.pointer(shown).and_then(Value::as_str);
    told && !at.is_some_and(|revision| revision.ends_with(commit))
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

/// How one of our own objects stands; `done` is the pointer to what is told in the end, and `asked`
/// the request that must have been handled.
fn ready(object: &Value, done: &str, asked: Option<&str>) -> Standing {
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
    if asked.is_some() && object.pointer("/status/lastHandledReconcileAt").and_then(Value::as_str) != asked {
        return Standing::OnItsWay("the agent is asked to look now".to_owned());
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
            assert_eq!(ready(&object, "/status/revision", None), expected, "{object}");
        }
    }

    #[test]
    fn what_is_said_of_another_commit_is_asked_for_anew_and_not_believed() {
        let object = |revision: Value, handled: &str| {
            json!({"status": {"revision": revision, "lastHandledReconcileAt": handled, "conditions": [
                {"type": "Ready", "status": "True", "message": ""},
            ]}})
        };
        for (object, expected) in [
            (Value::Null, false),
            (json!({"status": {}}), false),
            (object(Value::Null, ""), true),
            (object(json!("main@sha1:1"), ""), true),
            (object(json!("main@sha1:2"), ""), false),
        ] {
            assert_eq!(stale(&object, "/status/revision", "2"), expected, "{object}");
        }
        let at = |handled: &str| ready(&object(json!("main@sha1:2"), handled), "/status/revision", Some("now"));
        assert_eq!(at("before"), Standing::OnItsWay("the agent is asked to look now".into()));
        assert_eq!(at("now"), Standing::Done("main@sha1:2".into()));
    }

    #[test]
    fn a_pod_says_why_it_does_not_run() {
        let pod = json!({"status": {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}]}});
        assert_eq!(waiting(&pod).as_deref(), Some("ImagePullBackOff not found"));
        assert_eq!(waiting(&json!({"status": {"containerStatuses": [{"state": {"running": {}}}]}})), None);
    }
}

//! Deletion with preconditions, and waiting for what comes after it.

use std::time::Duration;

use futures::{Stream, StreamExt};
use http::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::apply::get;
use super::call::{Call, object_path};
use super::error::ClusterError;
use super::kinds::KindInfo;
use super::lease::WritePermit;
use super::observe::{Event, Selector, watch};
use super::refusal::RefusalReason;
use super::session::Session;

/// Which state of an object may be deleted; anything else is refused by the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preconditions {
    /// `metadata.uid`: this object, not its successor.
    pub uid: String,
    /// `metadata.resourceVersion`: as it was read. `None` where any change since is fine.
    pub resource_version: Option<String>,
}

/// What becomes of dependants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They go after it.
    Background,
    /// They go before it.
    Foreground,
    /// They stay.
    Orphan,
}

/// How a deletion was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone.
    Gone,
    /// It goes once its finalizers and grace period have passed.
    Begun,
    /// It was not there.
    Absent,
}

/// Deletes an object.
///
/// # Guarantees
/// Nothing is sent once the permit is past its deadline. A late request meets its preconditions
/// or changes nothing.
///
/// # Errors
/// [`ClusterError::PermitExpired`]; [`ClusterError::Refused`], with [`RefusalReason::Stale`] where
/// the object is another or has changed; or a failure to send.
pub async fn delete(
    permit: &WritePermit,
    session: &Session,
    kind: &KindInfo,
    (namespace, name): (&str, &str),
    only: &Preconditions,
    propagation: Propagation,
) -> Result<Deletion, ClusterError> {
    if only.uid.is_empty() {
        return Err(ClusterError::BadName(format!("{} without uid", kind.id(namespace, name))));
    }
    let mut preconditions = json!({"uid": only.uid});
    if let Some(version) = &only.resource_version {
        preconditions["resourceVersion"] = json!(version);
    }
    let policy = match propagation {
        Propagation::Background => "Background",
        Propagation::Foreground => "Foreground",
        Propagation::Orphan => "Orphan",
    };
    let body = json!({
        "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions, "propagationPolicy": policy,
    });
    let path = object_path(kind, namespace, name)?;
    let call = Call::of("delete", Method::DELETE, kind, namespace, name, path)
        .with_json("application/json", &body)
        .under(permit);
    match session.send(call).await {
        Ok(reply) => {
            let answer: Value = reply.json()?;
            // A Status says that it is gone; the object itself, that it is on its way.
            let gone = answer.get("kind").and_then(Value::as_str) == Some("Status");
            Ok(if gone { Deletion::Gone } else { Deletion::Begun })
        }
        Err(error) => match error.refusal().map(|r| &r.why) {
            Some(RefusalReason::NotFound | RefusalReason::NamespaceNotFound(_)) => Ok(Deletion::Absent),
            _ => Err(error),
        },
    }
}

/// Waits until the object with this uid is gone. By watch; by reading where the account may not
/// watch.
///
/// # Errors
/// [`ClusterError::StillWaiting`], [`ClusterError::Cancelled`], or a failure that lasts.
pub async fn wait_gone(
    session: &Session,
    kind: &KindInfo,
    (namespace, name): (&str, &str),
    uid: &str,
    timeout: Duration,
    cancel: &CancellationToken,
) -> Result<(), ClusterError> {
    let what = format!("{} is not gone", kind.id(namespace, name));
    let gone = |object: Option<&Value>| match object {
        Some(object) => text(object, "/metadata/uid") != uid,
        None => true,
    };
    wait(session, kind, (namespace, name), what, timeout, cancel, gone).await
}

/// Waits until a CustomResourceDefinition is established, and until discovery names every version
/// that it serves, so that objects of its kind can be sent. Looked at as ourselves: what is served
/// is no secret of an account, and few accounts may watch definitions.
///
/// # Errors
/// [`ClusterError::StillWaiting`], [`ClusterError::Cancelled`], or a failure that lasts.
pub async fn wait_established(
    session: &Session,
    name: &str,
    timeout: Duration,
    cancel: &CancellationToken,
) -> Result<(), ClusterError> {
    let kind = crd_kind();
    let what = format!("{} is not established", kind.id("", name));
    let session = session.cluster().own().until(session.wait_deadline(timeout));
    let kinds = std::sync::Mutex::new(Vec::new());
    let done = |object: Option<&Value>| {
        let established = object.filter(|crd| established(crd));
        if let (Some(crd), Ok(mut kinds)) = (established, kinds.lock()) {
            *kinds = served(crd);
        }
        established.is_some()
    };
    wait(&session, &kind, ("", name), what.clone(), timeout, cancel, done).await?;
    let kinds = kinds.into_inner().unwrap_or_default();
    let named = async {
        let mut pause = Duration::from_millis(20);
        loop {
            let snapshot = session.cluster().kinds().refresh(&session).await?;
            if kinds.iter().all(|(group, version, kind)| snapshot.get(group, version, kind).is_some()) {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    };
    let what = format!("{name} is established, but its kind is not served");
    until(session.wait_deadline(timeout), what, cancel, Box::pin(named)).await
}

/// Group, version and kind of all that a definition serves.
fn served(crd: &Value) -> Vec<(String, String, String)> {
    let versions = crd.pointer("/spec/versions").and_then(Value::as_array);
    versions
        .into_iter()
        .flatten()
        .filter(|version| version.get("served") == Some(&Value::Bool(true)))
        .map(|version| {
            let spec = |pointer| text(crd, pointer).to_owned();
            (spec("/spec/group"), text(version, "/name").to_owned(), spec("/spec/names/kind"))
        })
        .collect()
}

/// The kind of definitions of kinds.
pub fn crd_kind() -> KindInfo {
    KindInfo::known("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions")
}

fn established(crd: &Value) -> bool {
    let conditions = crd.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|c| text(c, "/type") == "Established" && text(c, "/status") == "True")
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

async fn wait(
    session: &Session,
    kind: &KindInfo,
    (namespace, name): (&str, &str),
    what: String,
    timeout: Duration,
    cancel: &CancellationToken,
    done: impl Fn(Option<&Value>) -> bool,
) -> Result<(), ClusterError> {
    let seen = async {
        match seen_by_watch(watch(session, kind, namespace, &Selector::name(name)), &done).await {
            // Watching is a right of its own.
            Err(error) if matches!(error.refusal().map(|r| &r.why), Some(RefusalReason::Forbidden)) => {
                seen_by_reading(session, kind, (namespace, name), &done).await
            }
            other => other,
        }
    };
    until(session.wait_deadline(timeout), what, cancel, Box::pin(seen)).await
}

async fn until(
    deadline: Instant,
    what: String,
    cancel: &CancellationToken,
    seen: impl Future<Output = Result<(), ClusterError>>,
) -> Result<(), ClusterError> {
    let began = Instant::now();
    tokio::select! {
        () = cancel.cancelled() => Err(ClusterError::Cancelled(what)),
        seen = timeout_at(deadline, seen) => {
            seen.unwrap_or_else(|_| Err(ClusterError::StillWaiting { what, after: began.elapsed() }))
        }
    }
}

async fn seen_by_watch(
    events: impl Stream<Item = Event<Value>>,
    done: impl Fn(Option<&Value>) -> bool,
) -> Result<(), ClusterError> {
    let mut events = std::pin::pin!(events);
    let mut listed = None;
    while let Some(event) = events.next().await {
        let over = match &event {
            Event::ListBegan => {
                listed = None;
                false
            }
            Event::Listed(object) => {
                let over = done(Some(object));
                listed = Some(());
                over
            }
            Event::ListEnded => listed.is_none() && done(None),
            Event::Applied(object) => done(Some(object)),
            Event::Deleted(_) => done(None),
            Event::Failing(_) => false,
        };
        match event {
            _ if over => return Ok(()),
            Event::Failing(error) if error.refusal().is_some() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

async fn seen_by_reading(
    session: &Session,
    kind: &KindInfo,
    (namespace, name): (&str, &str),
    done: impl Fn(Option<&Value>) -> bool,
) -> Result<(), ClusterError> {
    let mut pause = Duration::from_millis(250);
    loop {
        if done(get(session, kind, namespace, name).await?.as_ref()) {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(4));
    }
}

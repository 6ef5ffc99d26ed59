//! What a person at the keyboard asks for, with the rights of their own kubeconfig: lists, reviews
//! of rights, the version of the API server, and switches of our own kinds.

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::call::{Call, Lane, Repeat, Secrecy, collection_path, escape, object_path};
use super::error::ClusterError;
use super::kinds::KindInfo;
use super::session::Session;

const JSON: &str = "application/json";
const PAGE: u32 = 250;

#[derive(Deserialize)]
struct Page {
    metadata: PageMetadata,
    items: Vec<Value>,
}

#[derive(Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    next: String,
}

/// All objects of a kind in a namespace, or everywhere where it is empty, with these labels in
/// kubectl's syntax, or all where that is empty. Each carries its `apiVersion` and `kind`.
///
/// # Errors
/// [`ClusterError::Refused`] or a failure to ask.
pub async fn list(
    session: &Session,
    kind: &KindInfo,
    namespace: &str,
    labels: &str,
) -> Result<Vec<Value>, ClusterError> {
    let base = collection_path(kind, namespace)?;
    let (mut all, mut next) = (Vec::new(), String::new());
    loop {
        let path = format!("{base}?limit={PAGE}&labelSelector={}&continue={}", escape(labels), escape(&next));
        let page: Page = session.send(Call::of("list", Method::GET, kind, namespace, "", path)).await?.json()?;
        all.extend(page.items.into_iter().map(|mut item| {
            item["apiVersion"] = Value::String(kind.api_version());
            item["kind"] = Value::String(kind.kind.clone());
            item
        }));
        next = page.metadata.next;
        if next.is_empty() {
            return Ok(all);
        }
    }
}

/// Changes fields of one of our own objects by a JSON merge patch, as the person who asks, under
/// the field manager of this program's command line. Returns the object as it is now.
///
/// # Errors
/// [`ClusterError::Refused`], with `NotFound` where it is not there; or a failure to send.
pub async fn patch(
    session: &Session,
    kind: &KindInfo,
    (namespace, name): (&str, &str),
    patch: &Value,
) -> Result<Value, ClusterError> {
    let path = object_path(kind, namespace, name)? + "?fieldManager=tandem-cli";
    let call =
        Call::of("patch", Method::PATCH, kind, namespace, name, path).with_json("application/merge-patch+json", patch);
    session.send(call).await?.object()
}

/// Asks what an object would be once it is replaced by `object`: with the server's defaults and
/// what admission changes. Nothing is written.
///
/// # Errors
/// [`ClusterError::Refused`] with what the API server says against it, or a failure to ask.
pub async fn dry_replace(
    session: &Session,
    kind: &KindInfo,
    (namespace, name): (&str, &str),
    object: &Value,
) -> Result<Value, ClusterError> {
    let path = object_path(kind, namespace, name)? + "?dryRun=All&fieldManager=tandem-cli";
    let call = Call::of("dryrun", Method::PUT, kind, namespace, name, path).with_json(JSON, object);
    session.send(call).await?.object()
}

/// Asks a question that is created and not kept, such as a SubjectAccessReview, and returns it
/// with its answer.
///
/// # Errors
/// [`ClusterError::Refused`] where the question may not be asked, or a failure to ask.
pub async fn review(session: &Session, kind: &KindInfo, question: &Value) -> Result<Value, ClusterError> {
    let path = collection_path(kind, "")?;
    let call = Call::of("create", Method::POST, kind, "", "", path).with_json(JSON, question);
    session.send(call).await?.object()
}

/// What the API server says of itself at `/version`, and the time it gave in its answer's `Date`.
///
/// # Errors
/// A failure to ask.
pub async fn server_version(session: &Session) -> Result<Value, ClusterError> {
    let call = Call {
        verb: "get",
        method: Method::GET,
        resource: "version".to_owned(),
        what: "version of the API server".to_owned(),
        path: "/version".to_owned(),
        accept: JSON,
        content: "",
        body: Vec::new(),
        repeat: Repeat::Safe,
        secrecy: Secrecy::Plain,
        lane: Lane::Queued,
        permit: None,
    };
    session.send(call).await?.json()
}

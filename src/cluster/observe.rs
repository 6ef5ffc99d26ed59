//! Watches: one stream for each kind, that starts itself again and keeps no object.

use std::sync::atomic::Ordering;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use http::header::ACCEPT;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, TypeMeta};
use kube::client::Body;
use kube::runtime::watcher;
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};

use super::error::{ClusterError, Sent};
use super::kinds::KindInfo;
use super::refusal::{self, RefusalReason};
use super::session::Session;
use crate::api::LABEL_SYNC_NAME;
use crate::failure::chain;
use crate::object::mask;

/// Objects of one page of a list, where the API server cannot stream it.
const PAGE: u32 = 100;

const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Which objects of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    labels: Option<String>,
    fields: Option<String>,
    detail: Detail,
}

/// How much of each object is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Detail {
    #[default]
    Whole,
    Metadata,
}

impl Selector {
    /// All of them.
    pub fn all() -> Self {
        Self::default()
    }

    /// Those that any Sync owns, by their label.
    pub fn owned() -> Self {
        Self { labels: Some(LABEL_SYNC_NAME.to_owned()), ..Self::default() }
    }

    /// Those with these labels, in kubectl's syntax.
    pub fn labels(selector: impl Into<String>) -> Self {
        Self { labels: Some(selector.into()), ..Self::default() }
    }

    /// The one of this name.
    pub fn name(name: &str) -> Self {
        Self { fields: Some(format!("metadata.name={name}")), ..Self::default() }
    }

    /// The same objects, of which the API server sends only the metadata: enough to learn that
    /// large ones, such as CustomResourceDefinitions, changed.
    #[must_use]
    pub fn metadata_only(self) -> Self {
        Self { detail: Detail::Metadata, ..self }
    }
}

/// What a watch tells.
#[derive(Debug)]
pub enum Event<T> {
    /// A whole list follows, at the start and after a gap; what is not in it is not there any more.
    ListBegan,
    /// An object of that list.
    Listed(T),
    /// The list is complete.
    ListEnded,
    /// An object was created or changed.
    Applied(T),
    /// An object is gone; its last state.
    Deleted(T),
    /// Nothing is heard for now, and it is tried again. Told once it lasts, or at once where the
    /// right to list is missing.
    Failing(ClusterError),
}

impl<T> Event<T> {
    fn map<U>(self, f: impl FnOnce(T) -> U) -> Event<U> {
        match self {
            Self::ListBegan => Event::ListBegan,
            Self::Listed(object) => Event::Listed(f(object)),
            Self::ListEnded => Event::ListEnded,
            Self::Applied(object) => Event::Applied(f(object)),
            Self::Deleted(object) => Event::Deleted(f(object)),
            Self::Failing(error) => Event::Failing(error),
        }
    }
}

/// An object that its Rust type cannot hold, such as one stored under an older schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Why.
    pub message: String,
}

/// Watches a kind in one namespace, or everywhere where the namespace is empty. The stream never
/// ends; dropping it ends the watch. A connection without a sign of life is given up after
/// [`super::ConnectOptions::idle_timeout`].
pub fn watch(
    session: &Session,
    kind: &KindInfo,
    namespace: &str,
    selector: &Selector,
) -> impl Stream<Item = Event<Value>> + Send + use<> {
    let watching = Watching {
        client: client(session, kind, selector.detail),
        session: session.clone(),
        kind: kind.clone(),
        namespace: namespace.to_owned(),
        selector: selector.clone(),
        events: None,
        lists: lists(session),
        failures: 0,
        pauses: pauses(SHORTLY),
        resume: None,
    };
    stream::unfold(watching, |mut watching| async move {
        let event = watching.next().await;
        Some((event, watching))
    })
}

/// Watches a kind that has a Rust type, in one namespace, or everywhere where it is empty. One
/// object that cannot be read does not silence the others.
pub fn watch_typed<K>(
    session: &Session,
    namespace: &str,
    selector: &Selector,
) -> impl Stream<Item = Event<Result<K, Unreadable>>> + Send + use<K>
where
    K: kube::Resource<DynamicType = ()> + DeserializeOwned + Send + 'static,
    K::Scope: super::kinds::Scope,
{
    watch(session, &KindInfo::of::<K>(), namespace, selector).map(|event| event.map(typed))
}

fn typed<K: DeserializeOwned>(object: Value) -> Result<K, Unreadable> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    serde_json::from_value(object).map_err(|e| Unreadable { namespace, name, message: e.to_string() })
}

type Raw = BoxStream<'static, watcher::Result<watcher::Event<DynamicObject>>>;

struct Watching {
    client: Client,
    session: Session,
    kind: KindInfo,
    namespace: String,
    selector: Selector,
    events: Option<Raw>,
    /// How the present stream reads lists.
    lists: Lists,
    /// Failures since the last event.
    failures: u32,
    pauses: ExponentialBackoff,
    /// When it is tried again.
    resume: Option<Instant>,
}

impl Watching {
    async fn next(&mut self) -> Event<Value> {
        loop {
            if let Some(at) = self.resume.take() {
                sleep_until(at).await;
            }
            let events = match &mut self.events {
                Some(events) => events,
                none => {
                    self.lists = lists(&self.session);
                    none.insert(start(&self.client, &self.kind, &self.namespace, &self.selector, self.lists))
                }
            };
            match events.next().await {
                Some(Ok(event)) => {
                    // The start of a list is an intention; what follows it is news.
                    if !matches!(event, watcher::Event::Init) {
                        self.failures = 0;
                        self.pauses = pauses(SHORTLY);
                    }
                    return self.told(event);
                }
                Some(Err(error)) => {
                    if let Some(failing) = self.failed(&error) {
                        return Event::Failing(failing);
                    }
                }
                None => self.events = None,
            }
        }
    }

    fn told(&self, event: watcher::Event<DynamicObject>) -> Event<Value> {
        let value = |object| self.value(object);
        match event {
            watcher::Event::Init => Event::ListBegan,
            watcher::Event::InitApply(object) => Event::Listed(value(object)),
            watcher::Event::InitDone => Event::ListEnded,
            watcher::Event::Apply(object) => Event::Applied(value(object)),
            watcher::Event::Delete(object) => Event::Deleted(value(object)),
        }
    }

    /// Items of a list do not name their kind, and metadata alone is of a kind of its own.
    fn value(&self, mut object: DynamicObject) -> Value {
        object.types = Some(TypeMeta { api_version: self.kind.api_version(), kind: self.kind.kind.clone() });
        serde_json::to_value(object).unwrap_or_default()
    }

    /// Plans the next try; the failure, where it is to be told.
    fn failed(&mut self, error: &watcher::Error) -> Option<ClusterError> {
        let secret = mask::is_secret(&self.kind.group, &self.kind.kind);
        let failure = failure(&format!("watch {}", self.kind.resource()), error, secret);
        let why = failure.refusal().map(|r| r.why.clone());
        // Where it stood is forgotten. As an event the stream itself begins anew; as an answer it
        // would ask the same again for ever.
        if why == Some(RefusalReason::Expired) {
            self.events = None;
        }
        // A server that cannot stream lists refuses the parameters that ask for it.
        if self.lists == Lists::Streamed && matches!(why, Some(RefusalReason::Invalid | RefusalReason::BadRequest)) {
            self.session.cluster().inner.streaming_lists.store(false, Ordering::Relaxed);
            self.events = None;
            return None;
        }
        self.failures += 1;
        let lasting = why.is_some_and(|why| {
            use RefusalReason::{Forbidden, KindNotServed, NotFound, Unauthorized};
            matches!(why, Forbidden | KindNotServed | NotFound | Unauthorized)
        });
        if lasting && self.failures == 1 {
            self.pauses = pauses(LASTING);
        }
        self.resume = Some(Instant::now() + self.pauses.next().unwrap_or(LASTING.1));
        (lasting || self.failures >= 3).then_some(failure)
    }
}

/// Shortest and longest pause after troubles that time mends, and after those that a person mends.
const SHORTLY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));
const LASTING: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

fn pauses((shortest, longest): (Duration, Duration)) -> ExponentialBackoff {
    ExponentialBuilder::new().with_min_delay(shortest).with_max_delay(longest).without_max_times().with_jitter().build()
}

/// How lists are read: as a stream of the watch itself, or page by page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lists {
    Streamed,
    Paged,
}

fn lists(session: &Session) -> Lists {
    let streams = session.cluster().inner.streaming_lists.load(Ordering::Relaxed);
    if streams { Lists::Streamed } else { Lists::Paged }
}

fn start(client: &Client, kind: &KindInfo, namespace: &str, selector: &Selector, lists: Lists) -> Raw {
    let gvk = GroupVersionKind::gvk(&kind.group, &kind.version, &kind.kind);
    let resource = ApiResource::from_gvk_with_plural(&gvk, &kind.plural);
    let api: Api<DynamicObject> = if kind.namespaced && !namespace.is_empty() {
        Api::namespaced_with(client.clone(), namespace, &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    };
    let mut config = watcher::Config::default().page_size(PAGE);
    config.label_selector.clone_from(&selector.labels);
    config.field_selector.clone_from(&selector.fields);
    if lists == Lists::Streamed {
        config = config.streaming_lists();
    }
    watcher::watcher(api, config).boxed()
}

/// A client in front of the shared one that acts as the session and gives up silent streams.
fn client(session: &Session, kind: &KindInfo, detail: Detail) -> Client {
    let session = session.clone();
    let resource = kind.resource();
    let namespace = session.cluster().default_namespace().to_owned();
    let idle = session.cluster().inner.options.idle_timeout;
    let service = tower::service_fn(move |request: Request<Body>| {
        let (session, resource) = (session.clone(), resource.clone());
        async move {
            let response = forward(&session, &resource, detail, request).await?;
            Ok::<_, tower::BoxError>(response.map(|body| {
                // Each frame must come in time; after an error the stream is over.
                StreamBody::new(stream::unfold(Some(body), move |body| async move {
                    let mut body = body?;
                    match timeout(idle, body.frame()).await {
                        Ok(None) => None,
                        Ok(Some(Ok(frame))) => Some((Ok(frame), Some(body))),
                        Ok(Some(Err(error))) => Some((Err(std::io::Error::other(error)), None)),
                        Err(_) => Some((Err(silent()), None)),
                    }
                }))
            }))
        }
    });
    Client::new(service, namespace)
}

async fn forward(
    session: &Session,
    resource: &str,
    detail: Detail,
    mut request: Request<Body>,
) -> Result<Response<Body>, tower::BoxError> {
    let options = &session.cluster().inner.options;
    let watching = request.uri().query().is_some_and(|q| q.split('&').any(|p| p == "watch=true"));
    let verb = if watching { "watch" } else { "list" };
    request.headers_mut().extend(session.headers().clone());
    if detail == Detail::Metadata {
        let sent_as = if watching { METADATA } else { METADATA_LIST };
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(sent_as));
    }
    let began = Instant::now();
    let answer = timeout(options.attempt_timeout, session.cluster().inner.base.send(request)).await;
    let code = match &answer {
        Ok(Ok(response)) => response.status().as_u16(),
        _ => 0,
    };
    session.count(verb, resource, code, began);
    Ok(answer.map_err(|_| silent())??)
}

fn silent() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "the API server sent nothing for too long")
}

fn failure(what: &str, error: &watcher::Error, secret: bool) -> ClusterError {
    let status = match error {
        watcher::Error::WatchError(status) => Some(status.as_ref()),
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => Some(status.as_ref()),
        _ => None,
    };
    match status {
        Some(status) => {
            let body = serde_json::to_vec(status).unwrap_or_default();
            if secret { refusal::of_secret(what, status.code, &body) } else { refusal::of(what, status.code, &body) }
                .into()
        }
        None if secret => ClusterError::Unreachable {
            what: what.to_owned(),
            message: "the connection broke, or the answer could not be read".to_owned(),
            sent: Sent::Perhaps,
        },
        None => ClusterError::Unreachable { what: what.to_owned(), message: chain(error), sent: Sent::Perhaps },
    }
}

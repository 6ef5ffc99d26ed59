//! One watch over all its connections: what it tells, and when it is tried again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::StreamExt;
use futures::stream::BoxStream;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, TypeMeta};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::wire::client;
use super::{Event, Selector};
use crate::cluster::error::{ClusterError, Sent};
use crate::cluster::kinds::KindInfo;
use crate::cluster::refusal::{self, RefusalReason};
use crate::cluster::session::Session;
use crate::failure::chain;
use crate::object::mask;

/// Objects of one page of a list, where the API server cannot stream it.
const PAGE: u32 = 100;

type Raw = BoxStream<'static, watcher::Result<watcher::Event<DynamicObject>>>;

/// One watch.
pub(super) struct Watching {
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
    pub(super) fn new(session: &Session, kind: &KindInfo, namespace: &str, selector: &Selector) -> Self {
        Self {
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
        }
    }

    /// The next event; waits for as long as it takes.
    pub(super) async fn next(&mut self) -> Event<Value> {
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
        if why == Some(RefusalReason::KindNotServed) {
            self.session.cluster().kinds().doubt();
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

//! Watches: one stream for each kind, that starts itself again and keeps no object.

mod watching;
mod wire;

use futures::stream;
use futures::{Stream, StreamExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::watching::Watching;
use super::error::ClusterError;
use super::kinds::KindInfo;
use super::session::Session;
use crate::api::LABEL_SYNC_NAME;

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
    let watching = Watching::new(session, kind, namespace, selector);
    stream::unfold(watching, |mut watching| async move {
        let event = watching.next().await;
        Some((event, watching))
    })
}

/// Watches a kind that has a Rust type, in one namespace, or everywhere where it is empty. One
/// object that cannot be read does not silence the others.
///
/// They come without `managedFields`.
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

fn typed<K: DeserializeOwned>(mut object: Value) -> Result<K, Unreadable> {
    // Who set what is of no use in our own kinds, and the largest part of them.
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    serde_json::from_value(object).map_err(|e| Unreadable { namespace, name, message: e.to_string() })
}

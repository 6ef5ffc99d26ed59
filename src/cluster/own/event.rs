//! Events (`events.k8s.io/v1`), repeated ones as a series.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cluster::call::{Call, collection_path, object_path};
use crate::cluster::error::ClusterError;
use crate::cluster::kinds::KindInfo;
use crate::cluster::refusal::RefusalReason;
use crate::cluster::session::Session;

/// The same news within this time belongs to the same series.
const SERIES: Duration = Duration::from_secs(600);
/// A series is written no more often than this.
const REST: Duration = Duration::from_secs(60);
/// News that are remembered.
const MEMORY: usize = 1_024;
/// The API server's limit of a note.
const LONGEST_NOTE: usize = 1_024;

/// Whether news are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NewsType {
    /// They are as expected.
    Normal,
    /// They are not.
    Warning,
}

/// What news are about: equal ones are a series. It is the news without their words where they
/// name a subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Topic {
    uid: String,
    type_: NewsType,
    reason: String,
    action: String,
    subject: String,
}

/// One piece of news about an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct News {
    /// `apiVersion` of the object.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; Events of cluster-scoped objects stand in `default`.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Good or not.
    pub type_: NewsType,
    /// Stable CamelCase reason.
    pub reason: String,
    /// What was being done: `Reconcile`, `Prune`.
    pub action: String,
    /// For people; never holds a secret value. A series keeps that of its first Event.
    pub note: String,
    /// What the note is about, where that makes a series whatever the words.
    pub subject: Option<String>,
    /// Annotations of the Event, for tools.
    pub annotations: BTreeMap<String, String>,
}

impl News {
    fn topic(&self) -> Topic {
        Topic {
            uid: self.uid.clone(),
            type_: self.type_,
            reason: self.reason.clone(),
            action: self.action.clone(),
            subject: self.subject.clone().unwrap_or_else(|| self.note.clone()),
        }
    }
}

/// Writes Events as the agent, and remembers what it wrote.
pub struct Events {
    session: Session,
    instance: String,
    told: Mutex<HashMap<Topic, Told>>,
}

#[derive(Clone)]
struct Told {
    name: String,
    count: u32,
    first: Instant,
    written: Instant,
}

enum Next {
    Create,
    Series(String, u32),
    Rest,
}

impl Events {
    /// A writer; `instance` names this process, such as the Pod.
    pub fn new(session: Session, instance: impl Into<String>) -> Self {
        Self { session, instance: instance.into(), told: Mutex::default() }
    }

    /// Tells news. News of the same topic within ten minutes only raise the count of the first
    /// Event, at most once a minute.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] or a failure to send. Events are help, not record: the caller
    /// logs the error and goes on.
    pub async fn tell(&self, news: &News) -> Result<(), ClusterError> {
        match self.next(news) {
            Next::Rest => Ok(()),
            Next::Series(name, count) => match self.repeat(news, &name, count).await {
                // Events live an hour; this one is gone.
                Err(error) if error.refusal().map(|r| &r.why) == Some(&RefusalReason::NotFound) => {
                    self.create(news).await
                }
                other => other,
            },
            Next::Create => self.create(news).await,
        }
    }

    fn next(&self, news: &News) -> Next {
        let now = Instant::now();
        let topic = news.topic();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = told.get_mut(&topic).filter(|known| now.duration_since(known.first) < SERIES) {
            known.count += 1;
            if now.duration_since(known.written) < REST {
                return Next::Rest;
            }
            known.written = now;
            return Next::Series(known.name.clone(), known.count);
        }
        told.retain(|_, known| now.duration_since(known.first) < SERIES);
        if told.len() >= MEMORY
            && let Some(oldest) = told.iter().min_by_key(|(_, known)| known.first).map(|(topic, _)| topic.clone())
        {
            told.remove(&oldest);
        }
        let name = event_name(news, Timestamp::now());
        told.insert(topic, Told { name, count: 1, first: now, written: now });
        Next::Create
    }

    fn name_of(&self, news: &News) -> String {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(&news.topic()).map_or_else(|| event_name(news, Timestamp::now()), |known| known.name.clone())
    }

    async fn create(&self, news: &News) -> Result<(), ClusterError> {
        let kind = kind();
        let namespace = home(news);
        let name = self.name_of(news);
        let body = body(news, &name, &self.instance, Timestamp::now());
        let path = collection_path(&kind, namespace)?;
        let call =
            Call::of("create", Method::POST, &kind, namespace, &name, path).with_json("application/json", &body).once();
        match self.session.send(call).await {
            Err(error) if error.refusal().map(|r| &r.why) != Some(&RefusalReason::AlreadyExists) => Err(error),
            _ => Ok(()),
        }
    }

    async fn repeat(&self, news: &News, name: &str, count: u32) -> Result<(), ClusterError> {
        let kind = kind();
        let namespace = home(news);
        let patch = json!({"series": {"count": count, "lastObservedTime": micros(Timestamp::now())}});
        let path = object_path(&kind, namespace, name)?;
        let call = Call::of("patch", Method::PATCH, &kind, namespace, name, path)
            .with_json("application/merge-patch+json", &patch);
        self.session.send(call).await.map(|_| ())
    }
}

fn kind() -> KindInfo {
    KindInfo::known("events.k8s.io", "v1", "Event", "events").namespaced()
}

fn home(news: &News) -> &str {
    if news.namespace.is_empty() { "default" } else { &news.namespace }
}

fn micros(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// `<object>.<16 hex digits>`, as client-go names them.
fn event_name(news: &News, now: Timestamp) -> String {
    let mut state = DefaultHasher::new();
    (news, now.as_nanosecond()).hash(&mut state);
    // Names of rights may hold what names of Events may not.
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let object: String = news.name.chars().filter(|c| allowed(*c)).take(253 - 17).collect();
    format!("{}.{:016x}", object.trim_matches(['-', '.']), state.finish()).trim_start_matches('.').to_owned()
}

fn body(news: &News, name: &str, instance: &str, now: Timestamp) -> Value {
    let mut note = news.note.clone();
    if note.len() > LONGEST_NOTE {
        let cut = (0..=LONGEST_NOTE - 3).rev().find(|at| note.is_char_boundary(*at)).unwrap_or(0);
        note.truncate(cut);
        note.push('…');
    }
    json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event",
        "metadata": {"namespace": home(news), "name": name, "annotations": news.annotations},
        "eventTime": micros(now),
        "reportingController": "tandemcd.io/agent", "reportingInstance": instance,
        "type": match news.type_ { NewsType::Normal => "Normal", NewsType::Warning => "Warning" },
        "reason": news.reason, "action": news.action, "note": note,
        "regarding": {
            "apiVersion": news.api_version, "kind": news.kind,
            "namespace": news.namespace, "name": news.name, "uid": news.uid,
        },
    })
}

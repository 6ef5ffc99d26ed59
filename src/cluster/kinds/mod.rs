//! The kinds that the API server serves.

mod info;
mod snapshot;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

pub use self::info::{KindInfo, Scope};
pub use self::snapshot::Snapshot;

use futures::future::BoxFuture;
use http::Method;
use kube::client::{APIGroupDiscovery, APIGroupDiscoveryList, APIResourceDiscovery};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::call::{Call, Lane, Repeat, Secrecy};
use super::error::ClusterError;
use super::refusal::RefusalReason;
use super::session::Session;
use crate::object::split_api_version;

const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
/// What was asked within this time is not asked again only because something is missing.
const JUST_NOW: Duration = Duration::from_millis(500);
/// How long discovery may name a version that is not served any more: both follow the definition, each by itself.
const LAG: Duration = Duration::from_secs(3);
/// Pause between two looks while it does.
const AGAIN: Duration = Duration::from_millis(100);

/// The kinds of a cluster, asked for once and again when something is not found.
#[derive(Default)]
pub struct Kinds {
    now: RwLock<Option<Arc<Snapshot>>>,
    /// How often asking began.
    begun: AtomicU64,
    /// Held while asking; when it last began.
    asking: Mutex<Option<Instant>>,
}

impl Kinds {
    /// What is known, asked for where nothing is yet.
    ///
    /// # Errors
    /// Those of the two requests.
    pub async fn snapshot(&self, session: &Session) -> Result<Arc<Snapshot>, ClusterError> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let mut turn = self.asking.lock().await;
        match self.known() {
            Some(known) => Ok(known),
            None => self.ask(session, &mut turn).await,
        }
    }

    /// Asks anew. Callers who come while it is being asked get the answer to the next question,
    /// which all of them share.
    ///
    /// # Errors
    /// Those of the two requests; what was known stays known.
    pub async fn refresh(&self, session: &Session) -> Result<Arc<Snapshot>, ClusterError> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut turn = self.asking.lock().await;
        // Somebody began to ask after we came, and has the answer.
        if self.begun.load(Ordering::SeqCst) != before
            && let Some(known) = self.known()
        {
            return Ok(known);
        }
        self.ask(session, &mut turn).await
    }

    /// Asks anew because something is missing, unless that was done just now: one commit may hold
    /// hundreds of objects of a kind that is not there.
    async fn look_again(&self, session: &Session) -> Result<Arc<Snapshot>, ClusterError> {
        let last = *self.asking.lock().await;
        match (last, self.known()) {
            (Some(at), Some(known)) if at.elapsed() < JUST_NOW => Ok(known),
            _ => self.refresh(session).await,
        }
    }

    /// This version of a kind; where it is not known, asks once anew.
    ///
    /// # Errors
    /// [`ClusterError::NoSuchKind`], [`ClusterError::GroupUnavailable`], or those of the requests.
    pub async fn resolve(&self, session: &Session, api_version: &str, kind: &str) -> Result<KindInfo, ClusterError> {
        let (group, version) = split_api_version(api_version);
        if let Some(found) = self.snapshot(session).await?.get(group, version, kind) {
            return Ok(found.clone());
        }
        let snapshot = self.look_again(session).await?;
        snapshot.get(group, version, kind).cloned().ok_or_else(|| no_such_kind(&snapshot, api_version, group, kind))
    }

    /// A kind in any version, the preferred one first; where it is not known, asks once anew.
    ///
    /// # Errors
    /// [`ClusterError::NoSuchKind`], [`ClusterError::GroupUnavailable`], or those of the requests.
    pub async fn preferred(&self, session: &Session, group: &str, kind: &str) -> Result<KindInfo, ClusterError> {
        if let Some(found) = self.snapshot(session).await?.preferred(group, kind) {
            return Ok(found.clone());
        }
        let snapshot = self.look_again(session).await?;
        snapshot.preferred(group, kind).cloned().ok_or_else(|| no_such_kind(&snapshot, group, group, kind))
    }

    /// This version of a kind, or where it is not served any more, the preferred one: an object that was written in a version
    /// is there in all others.
    ///
    /// # Errors
    /// [`ClusterError::NoSuchKind`] where no version is served, [`ClusterError::GroupUnavailable`], or those of the requests.
    pub async fn any(&self, session: &Session, api_version: &str, kind: &str) -> Result<KindInfo, ClusterError> {
        match self.resolve(session, api_version, kind).await {
            Err(ClusterError::NoSuchKind { .. }) => {
                self.preferred(session, split_api_version(api_version).0, kind).await
            }
            other => other,
        }
    }

    /// Does something to objects of a kind in this version or, where that is not served any more, in the preferred one. What is
    /// known of the kinds may be older than what the API server serves: then it is asked anew until it names another version,
    /// or the time that discovery may lag behind has passed.
    ///
    /// # Errors
    /// Those of [`Kinds::any`], and those of what is done.
    pub async fn with_any<'a, T>(
        &self,
        session: &Session,
        api_version: &str,
        kind: &str,
        act: impl Fn(KindInfo) -> BoxFuture<'a, Result<T, ClusterError>>,
    ) -> Result<T, ClusterError> {
        let found = self.any(session, api_version, kind).await?;
        match act(found.clone()).await {
            Err(error) if error.refusal().is_some_and(|r| r.why == RefusalReason::KindNotServed) => {}
            other => return other,
        }
        let until = Instant::now() + LAG;
        while Instant::now() < until {
            self.refresh(session).await?;
            let now = self.any(session, api_version, kind).await?;
            if now != found {
                return act(now).await;
            }
            sleep(AGAIN).await;
        }
        // It is named all the same: one of several API servers may have been behind the others.
        act(found).await
    }

    /// What is known is not what the API server serves: it is asked anew before it is used again.
    pub(super) fn doubt(&self) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn known(&self) -> Option<Arc<Snapshot>> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask(&self, session: &Session, at: &mut Option<Instant>) -> Result<Arc<Snapshot>, ClusterError> {
        *at = Some(Instant::now());
        self.begun.fetch_add(1, Ordering::SeqCst);
        let own = session.cluster().own();
        let (core, groups) = tokio::try_join!(discover(&own, "/api"), discover(&own, "/apis"))?;
        let snapshot = Arc::new(read(core.items.into_iter().chain(groups.items)));
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Some(snapshot.clone());
        Ok(snapshot)
    }
}

fn no_such_kind(snapshot: &Snapshot, api_version: &str, group: &str, kind: &str) -> ClusterError {
    if snapshot.stale.iter().any(|stale| stale == group) {
        return ClusterError::GroupUnavailable { group: group.to_owned() };
    }
    let mut similar: Vec<String> =
        snapshot.versions(group, kind).iter().map(|k| format!("{} ({})", k.kind, k.api_version())).collect();
    if similar.is_empty() {
        similar = snapshot.similar(group, kind);
    }
    ClusterError::NoSuchKind { api_version: api_version.to_owned(), kind: kind.to_owned(), similar }
}

async fn discover(session: &Session, path: &str) -> Result<APIGroupDiscoveryList, ClusterError> {
    let call = Call {
        verb: "get",
        method: Method::GET,
        resource: "discovery".to_owned(),
        what: format!("discovery of {path}"),
        path: path.to_owned(),
        accept: ACCEPT,
        content: "",
        body: Vec::new(),
        repeat: Repeat::Safe,
        secrecy: Secrecy::Plain,
        lane: Lane::Queued,
        permit: None,
    };
    session.send(call).await?.json()
}

fn read(groups: impl Iterator<Item = APIGroupDiscovery>) -> Snapshot {
    let mut stale = Vec::new();
    let mut kinds = Vec::new();
    for group in groups {
        let name = group.metadata.and_then(|m| m.name).unwrap_or_default();
        for version in group.versions {
            if version.freshness.as_deref() == Some("Stale") && !stale.contains(&name) {
                stale.push(name.clone());
            }
            let Some(v) = version.version else { continue };
            kinds.extend(version.resources.into_iter().filter_map(|r| kind_info(&name, &v, r)));
        }
    }
    let mut snapshot = Snapshot::new(kinds);
    snapshot.stale = stale;
    snapshot
}

fn kind_info(group: &str, version: &str, resource: APIResourceDiscovery) -> Option<KindInfo> {
    let answers = resource.response_kind?;
    Some(KindInfo {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: answers.kind.filter(|k| !k.is_empty())?,
        plural: resource.resource.filter(|r| !r.is_empty())?,
        namespaced: resource.scope.as_deref() == Some("Namespaced"),
        verbs: resource.verbs,
    })
}

//! What the Sync's renders need beside the tree: read for a pass, watched between passes.
//!
//! Nothing of it is kept but versions and a keyed digest. A watch tells that a source is no longer
//! what was read, which makes a pass due, and the pass reads it; so at rest there is no request.
//! Where the account may not watch a source, it is read anew at every full check (`spec.interval`,
//! `requestedAt`), and the condition says so.

use std::collections::BTreeMap;

use futures::StreamExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::agent::inputs::{self, SourceId};
use crate::agent::mailbox::{Mailbox, Trigger};
use crate::cluster::observe::{self, Event, Selector};
use crate::cluster::own::kind_info;
use crate::cluster::{Actor, Purpose, Session};
use crate::failure::Failed;
use crate::object::Digest;
use crate::render::helm::{Asked, Cluster};
use crate::render::{Limits, Options};
use crate::report::facts::{HealthWait, Stage};

use super::Unit;
use super::pass::{Aim, Stop, Target};

/// What is known of the sources between passes.
#[derive(Default)]
pub(super) struct Inputs {
    watches: BTreeMap<SourceId, Watched>,
    /// Versions that were read last; `None` where there was nothing to read.
    read: BTreeMap<SourceId, Option<String>>,
    /// What this pass has read. It goes with the pass.
    given: Option<Result<Given, Failed>>,
    /// Digest of what was read last and is rendered ([`inputs::digest`]).
    pub named: Option<String>,
    /// Digest of the options with which the last commit was handled.
    pub handled: Option<Digest>,
    /// What the charts that were rendered last ask of the cluster, and what it answered.
    pub asked: Asked,
    answered: Option<Cluster>,
    /// Kinds have changed since.
    pub surroundings: bool,
}

/// What a pass renders with.
#[derive(Clone)]
pub(super) struct Given {
    pub options: Options,
    /// Keyed: nothing can be guessed from it.
    pub digest: Digest,
}

struct Watched {
    sight: watch::Receiver<Sight>,
    task: JoinHandle<()>,
}

/// What a watch has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sight {
    /// Nothing yet.
    Opening,
    /// This version, or that there is none.
    Version(Option<String>),
    /// The account may not watch it.
    Forbidden,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inputs {
    /// Whether a watch has shown that a source is not what was read last.
    pub fn stirred(&self) -> bool {
        self.watches.iter().any(|(id, watched)| match &*watched.sight.borrow() {
            Sight::Version(version) => self.read.get(id) != Some(version),
            Sight::Opening | Sight::Forbidden => false,
        })
    }

    /// Sources that the account may not watch.
    pub fn unwatched(&self) -> Vec<String> {
        let blind = self.watches.iter().filter(|(_, watched)| *watched.sight.borrow() == Sight::Forbidden);
        blind.map(|(id, _)| format!("{} {}", id.kind, id.name)).collect()
    }

    /// Forgets what was read for a pass.
    pub fn end_pass(&mut self) {
        self.given = None;
    }
}

impl Unit {
    /// The commit was rendered with this.
    pub(super) fn rendered_with(&mut self, target: &Target, given: &Given) {
        if target.aim == Aim::Heal {
            return;
        }
        let before = self.inputs.handled.replace(given.digest);
        if before.is_some_and(|before| before != given.digest) {
            tracing::info!(sync = %self.key, revision = %target.found.listed.revision, "rendered with another ConfigMap or Secret");
            // What was healthy before may have been the objects of other inputs.
            self.facts.health_wait = HealthWait::First;
            self.unhealthy_since = None;
        }
    }

    /// Notes what charts asked of the cluster, so that nothing else in it makes them due again.
    pub(super) async fn note_asked(&mut self, asked: &Asked) {
        self.inputs.surroundings = false;
        self.inputs.asked.clone_from(asked);
        self.inputs.answered = if asked.is_nothing() {
            None
        } else {
            self.world.seen_by_charts().await.ok().map(|cluster| asked.of(&cluster))
        };
    }

    /// Whether the cluster is another one to the charts than when they were rendered.
    pub(super) async fn cluster_differs(&mut self) -> bool {
        if !std::mem::take(&mut self.inputs.surroundings) {
            return false;
        }
        let now = self.world.seen_by_charts().await.ok().map(|cluster| self.inputs.asked.of(&cluster));
        now.is_some() && now != self.inputs.answered
    }

    /// What this pass renders with: read once, whatever is rendered.
    pub(super) async fn given(&mut self, target: &Target) -> Result<Given, Stop> {
        if self.inputs.given.is_none() {
            let given = self.read_inputs(&target.session).await;
            self.inputs.given = Some(given);
        }
        match &self.inputs.given {
            Some(Ok(given)) => Ok(given.clone()),
            Some(Err(failed)) => Err(Stop::Failed(Stage::Render, failed.clone())),
            None => Err(Stop::Idle),
        }
    }

    async fn read_inputs(&mut self, session: &Session) -> Result<Given, Failed> {
        let named = inputs::wanted(&self.sync.spec);
        self.watch_inputs(named.iter().map(|named| named.id.clone()));
        let (contents, read) = inputs::read(session, &self.key.namespace, &named).await;
        self.inputs.read = contents.versions();
        read?;
        let options = inputs::options(&self.key, &self.sync.spec, &contents, Limits::agent())?;
        let bytes = serde_json::to_vec(&options).map(Zeroizing::new).unwrap_or_default();
        let digest = self.world.key.digest_bytes(&bytes);
        self.inputs.named = inputs::digest(&self.world.key, &named, &contents).map(|digest| digest.to_string());
        Ok(Given { options, digest })
    }

    /// Watches exactly these, as the account.
    fn watch_inputs(&mut self, ids: impl Iterator<Item = SourceId>) {
        let before = std::mem::take(&mut self.inputs.watches);
        let Some(account) = self.sync.spec.service_account_name.clone() else { return };
        let purpose = Purpose { sync: Some((self.key.namespace.clone(), self.key.name.clone())), ..Purpose::default() };
        let actor = Actor::account(&self.key.namespace, &account);
        let mut before = before;
        for id in ids {
            if self.inputs.watches.contains_key(&id) {
                continue;
            }
            let watched = match before.remove(&id) {
                Some(watched) if !watched.task.is_finished() => watched,
                _ => match self.world.cluster.session(actor.clone(), &purpose) {
                    Ok(session) => follow(&session, &self.mailbox, &self.key.namespace, &id),
                    // The pass fails for the same reason, and says so.
                    Err(_) => continue,
                },
            };
            self.inputs.watches.insert(id, watched);
        }
    }
}

/// Watches one source. Only its metadata is sent, so no value comes here.
fn follow(session: &Session, mailbox: &Mailbox, namespace: &str, id: &SourceId) -> Watched {
    let selector = Selector::name(&id.name).metadata_only();
    let mut events = observe::watch(session, &kind_info(id.kind), namespace, &selector).boxed();
    let (tell, sight) = watch::channel(Sight::Opening);
    let (mailbox, told) = (mailbox.clone(), format!("{} {namespace}/{}", id.kind, id.name));
    let task = tokio::spawn(async move {
        let version = |object: &serde_json::Value| {
            Sight::Version(object.pointer("/metadata/resourceVersion").and_then(|v| v.as_str()).map(str::to_owned))
        };
        let mut listed = None;
        while let Some(event) = events.next().await {
            let sight = match event {
                Event::ListBegan => {
                    listed = None;
                    continue;
                }
                Event::Listed(object) => {
                    listed = Some(version(&object));
                    continue;
                }
                Event::ListEnded => listed.take().unwrap_or(Sight::Version(None)),
                Event::Applied(object) => version(&object),
                Event::Deleted(_) => Sight::Version(None),
                Event::Failing(error) if error.refusal().is_some_and(|r| matches!(r.code, 401 | 403)) => {
                    tracing::debug!(source = told, %error, "cannot be watched");
                    Sight::Forbidden
                }
                // It is tried again; what it was it may still be.
                Event::Failing(_) => continue,
            };
            let news = tell.send_if_modified(|known| {
                let news = *known != sight;
                *known = sight;
                news
            });
            if news {
                mailbox.put(Trigger::Source);
            }
        }
    });
    Watched { sight, task }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::SourceKind;

    fn id(name: &str) -> SourceId {
        SourceId { kind: SourceKind::ConfigMap, name: name.to_owned() }
    }

    impl Inputs {
        /// A watch shows another version of a ConfigMap than was read.
        pub fn stir(&mut self, name: &str) {
            let (_, sight) = watch::channel(Sight::Version(Some("another".to_owned())));
            let task = tokio::spawn(std::future::pending());
            self.watches.insert(id(name), Watched { sight, task });
        }
    }

    #[tokio::test]
    async fn a_source_stirs_where_a_watch_shows_another_version_than_was_read() {
        let at = |version: &str| Sight::Version(Some(version.to_owned()));
        let read = |version: Option<&str>| Some(version.map(str::to_owned));
        for (sight, read, stirred) in [
            (Sight::Opening, read(Some("1")), false),
            (Sight::Forbidden, read(Some("1")), false),
            (Sight::Forbidden, None, false),
            (at("1"), read(Some("1")), false),
            (at("2"), read(Some("1")), true),
            (at("1"), read(None), true),
            (at("1"), None, true),
            (Sight::Version(None), read(None), false),
            (Sight::Version(None), read(Some("1")), true),
        ] {
            let (_tell, receiver) = watch::channel(sight.clone());
            let watched = Watched { sight: receiver, task: tokio::spawn(std::future::ready(())) };
            let inputs = Inputs {
                watches: BTreeMap::from([(id("vars"), watched)]),
                read: read.clone().map(|version| (id("vars"), version)).into_iter().collect(),
                ..Inputs::default()
            };
            assert_eq!(inputs.stirred(), stirred, "{sight:?} after {read:?}");
            assert_eq!(inputs.unwatched().is_empty(), sight != Sight::Forbidden, "{sight:?}");
        }
    }
}

//! `dependsOn`: other Syncs by what they publish, objects of any kind by a watch of their own.

use std::time::Duration;

use futures::StreamExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::agent::dependency::Blocked;
use crate::agent::mailbox::{Mailbox, Trigger};
use crate::agent::tip::Key;
use crate::api::DependencyRef;
use crate::cluster::observe::{self, Event, Selector};
use crate::cluster::{ClusterError, KindInfo, Session};
use crate::health::{self, Expressions, Health, Rule, Status};
use crate::object::split_api_version;
use crate::report::facts::{Stage, Verdict};

use super::Unit;
use super::pass::{Stop, Target};

/// After so long a kind that is not served yet is looked for again.
const UNSERVED: Duration = Duration::from_secs(5);

/// An object of any kind that must be ready first, watched as the Sync's account.
pub(super) struct Watched {
    reference: DependencyRef,
    ready: watch::Receiver<Option<Health>>,
    task: JoinHandle<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Unit {
    /// Whether everything that this Sync depends on is ready for the commit.
    pub(super) async fn order(&mut self, target: &Target) -> Result<(), Stop> {
        if self.sync.spec.depends_on.is_empty() {
            return Ok(());
        }
        match self.world.registry.blocked(&self.key, target.found.commit()) {
            None => {}
            Some(Blocked::Cycle(chain)) => {
                let path = chain.iter().map(Key::to_string).collect();
                return Err(Stop::Verdict(Verdict::DependencyCycle { path }));
            }
            Some(blocked) => {
                return Err(Stop::Verdict(Verdict::WaitingForDependency { on: vec![blocked.to_string()] }));
            }
        }
        let mut waiting = Vec::new();
        for reference in self.sync.spec.depends_on.clone() {
            if is_sync(&reference) {
                continue;
            }
            let health = self.readiness(&target.session, &reference).await?;
            if health.status != Status::Current {
                waiting.push(format!("{}: {}", told(&reference, &self.key.namespace), health.message));
            }
        }
        if waiting.is_empty() { Ok(()) } else { Err(Stop::Verdict(Verdict::WaitingForDependency { on: waiting })) }
    }

    async fn readiness(&mut self, session: &Session, reference: &DependencyRef) -> Result<Health, Stop> {
        if !self.watched.iter().any(|watched| watched.reference == *reference) {
            match follow(session, &self.mailbox, reference, &self.key.namespace).await? {
                Ok(watched) => self.watched.push(watched),
                Err(unserved) => {
                    // The definition that brings the kind makes the next pass due; it is served a moment after that.
                    self.again_within(UNSERVED);
                    return Ok(Health::new(Status::NotFound, unserved.to_string()));
                }
            }
        }
        let watched = self.watched.iter_mut().find(|watched| watched.reference == *reference);
        let Some(watched) = watched else { return Ok(Health::in_progress("not seen yet")) };
        // The first sight takes one list; after that the watch tells.
        let first = tokio::time::timeout(Duration::from_secs(5), watched.ready.wait_for(Option::is_some)).await;
        let seen = first.ok().and_then(Result::ok).and_then(|health| health.clone());
        Ok(seen
            .unwrap_or_else(|| Health::in_progress("it cannot be seen: the account must be able to list and watch it")))
    }
}

/// Whether the reference names a Sync of ours.
pub(super) fn is_sync(reference: &DependencyRef) -> bool {
    let group = reference.api_version.as_deref().map(|version| split_api_version(version).0);
    reference.kind.as_deref().unwrap_or("Sync") == "Sync" && group.is_none_or(|group| group == crate::api::GROUP)
}

fn told(reference: &DependencyRef, namespace: &str) -> String {
    let kind = reference.kind.as_deref().unwrap_or("Sync");
    format!("{kind} {}/{}", reference.namespace.as_deref().unwrap_or(namespace), reference.name)
}

/// Watches what a reference names; or why there is nothing to watch yet: no such kind is served.
async fn follow(
    session: &Session,
    mailbox: &Mailbox,
    reference: &DependencyRef,
    namespace: &str,
) -> Result<Result<Watched, ClusterError>, Stop> {
    let kind = reference.kind.clone().unwrap_or_default();
    let api_version = reference.api_version.clone().unwrap_or_else(|| "v1".to_owned());
    let info: KindInfo = match session.cluster().kinds().resolve(session, &api_version, &kind).await {
        Ok(info) => info,
        Err(error @ ClusterError::NoSuchKind { .. }) => return Ok(Err(error)),
        Err(error) => return Err(Stop::failed(Stage::Plan, &error)),
    };
    let expressions = match &reference.ready {
        None => Expressions::default(),
        Some(ready) => {
            let rule =
                Rule { group: info.group.clone(), kind, current: ready.clone(), failed: None, in_progress: None };
            let (expressions, problems) = Expressions::compile(&[rule]);
            if !problems.is_empty() {
                return Err(Stop::Verdict(Verdict::InvalidSpec(problems)));
            }
            expressions
        }
    };
    let place = if info.namespaced { reference.namespace.as_deref().unwrap_or(namespace) } else { "" };
    let mut events = observe::watch(session, &info, place, &Selector::name(&reference.name)).boxed();
    let (tell, ready) = watch::channel(None);
    let mailbox = mailbox.clone();
    let task = tokio::spawn(async move {
        let mut listed = false;
        while let Some(event) = events.next().await {
            let health = match event {
                Event::ListBegan => {
                    listed = false;
                    continue;
                }
                Event::Listed(object) => {
                    listed = true;
                    health::assess(&object, &expressions)
                }
                Event::Applied(object) => health::assess(&object, &expressions),
                Event::ListEnded if listed => continue,
                Event::ListEnded | Event::Deleted(_) => Health::new(Status::NotFound, "does not exist"),
                Event::Failing(error) => Health::in_progress(format!("it cannot be seen: {error}")),
            };
            let changed = tell.send_if_modified(|known| {
                let news = known.as_ref() != Some(&health);
                *known = Some(health);
                news
            });
            if changed {
                mailbox.put(Trigger::Dependency);
            }
        }
    });
    Ok(Ok(Watched { reference: reference.clone(), ready, task }))
}

//! Shared observation: one watch for each kind, as the agent, of everything that carries our label;
//! what it shows goes to the one Sync that owns the object. No object is kept: what leaves here is
//! a fingerprint and a health.
//!
//! A kind that the agent may not list (Secrets above all) is watched as the Sync's account, in the
//! namespaces of its objects.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use futures::StreamExt;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cluster::observe::{self, Event, Selector};
use crate::cluster::{Actor, Cluster, KindInfo, Session};
use crate::health;
use crate::object::fields::Yields;
use crate::object::{DigestKey, ObjectId};
use crate::plan::{self, Live};

use super::lens::Lens;
use super::mailbox::{Mailbox, Trigger};

/// Which watch: a kind, as somebody, in a namespace or everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct WatchId {
    group: String,
    kind: String,
    actor: Actor,
    namespace: String,
}

/// How far a watch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Nothing is known yet.
    Opening,
    /// Everything has been shown at least once, and news arrive.
    Open,
    /// It may not be listed with these rights.
    Forbidden,
}

struct Watch {
    sight: watch::Receiver<Sight>,
    task: JoinHandle<()>,
}

/// How a Sync stands to an object that it asks to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is in its inventory.
    Owns,
    /// It would like to have it.
    Wants,
}

/// Where sights of an object go.
#[derive(Clone)]
struct Route {
    standing: Standing,
    mailbox: Mailbox,
    lens: Arc<Lens>,
    yields: Yields,
}

/// All watches of owned objects.
pub struct Observer {
    cluster: Cluster,
    key: DigestKey,
    routes: Arc<RwLock<HashMap<ObjectId, Route>>>,
    watches: Mutex<HashMap<WatchId, Watch>>,
}

impl Observer {
    /// No watch is opened before it is asked for.
    pub fn new(cluster: Cluster, key: DigestKey) -> Self {
        Self { cluster, key, routes: Arc::default(), watches: Mutex::default() }
    }

    /// From now on sights of these objects go to this mailbox, seen through this lens, without the
    /// fields that each leaves to others. Of two Syncs the one that owns the object sees it; of
    /// equal ones the last to ask.
    pub fn route<'a>(
        &self,
        objects: impl IntoIterator<Item = (&'a ObjectId, Yields, Standing)>,
        mailbox: &Mailbox,
        lens: &Arc<Lens>,
    ) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        for (id, yields, standing) in objects {
            let route = Route { standing, mailbox: mailbox.clone(), lens: lens.clone(), yields };
            place(&mut routes, id, route);
        }
    }

    /// Sights of these objects go nowhere any more, where they still went to this mailbox.
    pub fn forget<'a>(&self, ids: impl IntoIterator<Item = &'a ObjectId>, mailbox: &Mailbox) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            if routes.get(id).is_some_and(|route| route.mailbox.is(mailbox)) {
                routes.remove(id);
            }
        }
    }

    /// Whether sights of an object still go to this mailbox: what lies in it of any other is from before.
    pub fn shows(&self, id: &ObjectId, mailbox: &Mailbox) -> bool {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.get(id).is_some_and(|route| route.mailbox.is(mailbox))
    }

    /// Opens what is needed to see objects of these kinds, and returns once all of it is open or
    /// known to be forbidden. `account` is used where the agent's own rights do not suffice;
    /// `wanted` names the kinds with the namespaces of their objects.
    pub async fn watch(&self, wanted: &BTreeMap<String, (KindInfo, BTreeSet<String>)>, account: &Session) {
        let mut opening = Vec::new();
        for (kind, namespaces) in wanted.values() {
            let shared = self.ensure(kind, &self.cluster.own(), "");
            opening.push((kind, namespaces, shared));
        }
        for (kind, namespaces, shared) in opening {
            if settled(shared).await != Sight::Forbidden {
                continue;
            }
            let mut by_account = Vec::new();
            for namespace in namespaces {
                by_account.push(self.ensure(kind, account, namespace));
            }
            for sight in by_account {
                settled(sight).await;
            }
        }
    }

    fn ensure(&self, kind: &KindInfo, session: &Session, namespace: &str) -> watch::Receiver<Sight> {
        let id = WatchId {
            group: kind.group.clone(),
            kind: kind.kind.clone(),
            actor: session.actor().clone(),
            namespace: namespace.to_owned(),
        };
        let mut watches = self.lock();
        if let Some(watch) = watches.get(&id).filter(|w| !w.task.is_finished()) {
            return watch.sight.clone();
        }
        // The agent never asks for Secrets as itself: it has no right to, and wants none.
        let denied = *session.actor() == Actor::Own && kind.group.is_empty() && kind.kind == "Secret";
        let (tell, sight) = watch::channel(if denied { Sight::Forbidden } else { Sight::Opening });
        let task = if denied {
            tokio::spawn(std::future::pending())
        } else {
            let events = observe::watch(session, kind, namespace, &Selector::owned());
            let follower = Follower {
                kind: kind.clone(),
                namespace: namespace.to_owned(),
                key: self.key.clone(),
                routes: self.routes.clone(),
            };
            tokio::spawn(follower.follow(events.boxed(), tell.clone()))
        };
        // The sender lives with the watch: a task that ends closes the channel.
        drop(tell);
        watches.insert(id, Watch { sight: sight.clone(), task });
        sight
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WatchId, Watch>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        for watch in self.lock().values() {
            watch.task.abort();
        }
    }
}

fn place(routes: &mut HashMap<ObjectId, Route>, id: &ObjectId, route: Route) {
    let known = routes.get(id).filter(|known| known.standing == Standing::Owns && !known.mailbox.is(&route.mailbox));
    if known.is_none() || route.standing == Standing::Owns {
        routes.insert(id.clone(), route);
    }
}

async fn settled(mut sight: watch::Receiver<Sight>) -> Sight {
    let found = sight.wait_for(|s| *s != Sight::Opening).await.map(|s| *s);
    found.unwrap_or(Sight::Forbidden)
}

struct Follower {
    kind: KindInfo,
    namespace: String,
    key: DigestKey,
    routes: Arc<RwLock<HashMap<ObjectId, Route>>>,
}

impl Follower {
    async fn follow(self, mut events: futures::stream::BoxStream<'static, Event<Value>>, tell: watch::Sender<Sight>) {
        let mut listed = BTreeSet::new();
        while let Some(event) = events.next().await {
            match event {
                Event::ListBegan => listed.clear(),
                Event::Listed(object) => {
                    if let Some(id) = self.show(&object) {
                        listed.insert(id);
                    }
                }
                Event::ListEnded => {
                    self.lose_all_but(&std::mem::take(&mut listed));
                    tell.send_replace(Sight::Open);
                }
                Event::Applied(object) => {
                    self.show(&object);
                }
                Event::Deleted(object) => {
                    // Its last state is news too: a Job may have finished.
                    self.show(&object);
                    if let Some((id, route)) = self.route(&self.id(&object)) {
                        route.mailbox.put(Trigger::Lost(id));
                    }
                }
                Event::Failing(error) => {
                    // Not allowed, or not served (any more): there is nothing to wait for.
                    let forbidden = error.refusal().is_some_and(|r| matches!(r.code, 403..=405));
                    tracing::debug!(kind = %self.kind.kind, error = %error, "watch");
                    if forbidden {
                        tell.send_replace(Sight::Forbidden);
                    }
                }
            }
        }
    }

    /// Passes on what an object looks like; its id where somebody owns it.
    fn show(&self, object: &Value) -> Option<ObjectId> {
        let (id, route) = self.route(&self.id(object))?;
        let seen = plan::see(object, &self.key, &route.yields, &route.lens.managers)?;
        let health = health::assess(object, &route.lens.expressions);
        route.mailbox.put(Trigger::Seen(id.clone(), Live::Present(seen), health));
        Some(id)
    }

    /// After a gap: what is owned and not in the list is lost from sight.
    fn lose_all_but(&self, listed: &BTreeSet<ObjectId>) {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let mine = routes.iter().filter(|(id, _)| {
            id.kind == self.kind.kind
                && id.group == self.kind.group
                && (self.namespace.is_empty() || id.namespace == self.namespace)
                && !listed.contains(*id)
        });
        for (id, route) in mine {
            route.mailbox.put(Trigger::Missed(id.clone()));
        }
    }

    fn id(&self, object: &Value) -> ObjectId {
        let text = |field| object.pointer("/metadata").and_then(|m| m.get(field)).and_then(Value::as_str);
        self.kind.id(text("namespace").unwrap_or_default(), text("name").unwrap_or_default())
    }

    /// Where sights of an object go, and its id as it is kept there: no second one is kept elsewhere.
    fn route(&self, id: &ObjectId) -> Option<(ObjectId, Route)> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.get_key_value(id).map(|(id, route)| (id.clone(), route.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_owns_an_object_sees_it_whoever_asks_later() {
        let id = ObjectId::new("shop", "a", "", "ConfigMap");
        let (owner, other) = (Mailbox::default(), Mailbox::default());
        let route = |mailbox: &Mailbox, standing| Route {
            standing,
            mailbox: mailbox.clone(),
            lens: Arc::default(),
            yields: Yields::none(),
        };
        let mut routes = HashMap::new();
        let mut check = |mailbox: &Mailbox, standing, expected: &Mailbox, case: &str| {
            place(&mut routes, &id, route(mailbox, standing));
            assert!(routes[&id].mailbox.is(expected), "{case}");
        };
        check(&owner, Standing::Wants, &owner, "nobody else asks");
        check(&owner, Standing::Owns, &owner, "it was applied");
        check(&other, Standing::Wants, &owner, "refused: it stays with its owner");
        check(&owner, Standing::Wants, &owner, "its own standing may fall");
        check(&other, Standing::Wants, &other, "then the last one sees it");
        check(&owner, Standing::Owns, &owner, "and an owner always");
        check(&other, Standing::Owns, &other, "handed over");
    }
}

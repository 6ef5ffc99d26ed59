//! Shared observation: one watch for each kind, as the agent, of everything that carries our label;
//! what it shows goes to the one Sync that owns the object. No object is kept: what leaves here is
//! a fingerprint and a health.
//!
//! A Sync sees its objects in the version in which it applies them, for what it knows of their fields is of that one. What no
//! Sync asks for any more is not watched any more.
//!
//! A kind that the agent may not list (Secrets above all) is watched as the Sync's account, in the
//! namespaces of its objects.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use futures::StreamExt;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cluster::observe::{self, Event, Selector};
use crate::cluster::{Actor, Cluster, ClusterError, KindInfo, RefusalReason, Session};
use crate::health;
use crate::object::fields::Yields;
use crate::object::{DigestKey, ObjectId};
use crate::plan::{self, Live};

use super::lens::Lens;
use super::mailbox::{Mailbox, Trigger};
use super::tip::Key;

/// Which watch: a version of a kind, as somebody, in a namespace or everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct WatchId {
    group: String,
    version: String,
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

/// An object that a Sync asks to see.
pub struct Wanted<'a> {
    /// Which.
    pub id: &'a ObjectId,
    /// In which version it is seen.
    pub version: &'a str,
    /// Its fields that are left to others.
    pub yields: Yields,
    /// How the Sync stands to it.
    pub standing: Standing,
}

/// Whether what a Sync asked for before is still wanted beside what it asks for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// It is.
    Keeps,
    /// It is not.
    Ends,
}

/// Where sights of an object go.
#[derive(Clone)]
struct Route {
    version: Arc<str>,
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
    watches: Mutex<Watches>,
}

/// What is watched, and for whom.
#[derive(Default)]
struct Watches {
    open: HashMap<WatchId, Watch>,
    asked: HashMap<Key, HashSet<WatchId>>,
}

impl Watches {
    /// What a Sync asks for from now on. What nobody asks for any more is closed.
    fn settle(&mut self, asker: &Key, asks: HashSet<WatchId>) {
        let before = if asks.is_empty() { self.asked.remove(asker) } else { self.asked.insert(asker.clone(), asks) };
        let now = self.asked.get(asker);
        for id in before.into_iter().flatten().filter(|id| now.is_none_or(|now| !now.contains(id))) {
            if !self.asked.values().any(|asks| asks.contains(&id))
                && let Some(watch) = self.open.remove(&id)
            {
                watch.task.abort();
            }
        }
    }
}

impl Observer {
    /// No watch is opened before it is asked for.
    pub fn new(cluster: Cluster, key: DigestKey) -> Self {
        Self { cluster, key, routes: Arc::default(), watches: Mutex::default() }
    }

    /// From now on sights of these objects go to this mailbox, seen through this lens, without the
    /// fields that each leaves to others. Of two Syncs the one that owns the object sees it; of
    /// equal ones the last to ask.
    pub fn route<'a>(&self, objects: impl IntoIterator<Item = Wanted<'a>>, mailbox: &Mailbox, lens: &Arc<Lens>) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let mut versions: HashMap<&str, Arc<str>> = HashMap::new();
        for Wanted { id, version, yields, standing } in objects {
            // Of many objects few versions are known: each is kept once.
            let version = versions.entry(version).or_insert_with(|| Arc::from(version)).clone();
            let route = Route { version, standing, mailbox: mailbox.clone(), lens: lens.clone(), yields };
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

    /// Nothing goes to this mailbox any more: whoever asked has gone, and would keep from others what it owned.
    pub fn close(&self, mailbox: &Mailbox) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.retain(|_, route| !route.mailbox.is(mailbox));
    }

    /// Whether sights of an object still go to this mailbox: what lies in it of any other is from before.
    pub fn shows(&self, id: &ObjectId, mailbox: &Mailbox) -> bool {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.get(id).is_some_and(|route| route.mailbox.is(mailbox))
    }

    /// Opens what is needed for a Sync to see objects of these kinds, and returns once all of it is open or
    /// known to be forbidden. `account` is used where the agent's own rights do not suffice;
    /// `wanted` names the kinds with the namespaces of their objects.
    pub async fn watch(
        &self,
        asker: &Key,
        wanted: &BTreeMap<KindInfo, BTreeSet<String>>,
        account: &Session,
        before: Before,
    ) {
        let mut asked = match before {
            Before::Keeps => self.lock().asked.get(asker).cloned().unwrap_or_default(),
            Before::Ends => HashSet::new(),
        };
        let mut opening = Vec::new();
        for (kind, namespaces) in wanted {
            let shared = self.ensure(asker, kind, &self.cluster.own(), "", &mut asked);
            opening.push((kind, namespaces, shared));
        }
        for (kind, namespaces, shared) in opening {
            if settled(shared).await != Sight::Forbidden {
                continue;
            }
            let mut by_account = Vec::new();
            for namespace in namespaces {
                by_account.push(self.ensure(asker, kind, account, namespace, &mut asked));
            }
            for sight in by_account {
                settled(sight).await;
            }
        }
        self.lock().settle(asker, asked);
    }

    /// A Sync is gone: it asks for nothing any more.
    pub fn leave(&self, asker: &Key) {
        self.lock().settle(asker, HashSet::new());
    }

    fn ensure(
        &self,
        asker: &Key,
        kind: &KindInfo,
        session: &Session,
        namespace: &str,
        asked: &mut HashSet<WatchId>,
    ) -> watch::Receiver<Sight> {
        let id = WatchId {
            group: kind.group.clone(),
            version: kind.version.clone(),
            kind: kind.kind.clone(),
            actor: session.actor().clone(),
            namespace: namespace.to_owned(),
        };
        let mut watches = self.lock();
        asked.insert(id.clone());
        // At once: another Sync may end its interest before this one has seen anything.
        watches.asked.entry(asker.clone()).or_default().insert(id.clone());
        if let Some(watch) = watches.open.get(&id).filter(|w| !w.task.is_finished()) {
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
        watches.open.insert(id, Watch { sight: sight.clone(), task });
        sight
    }

    fn lock(&self) -> MutexGuard<'_, Watches> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        for watch in self.lock().open.values() {
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
                    if forbidden && tell.send_replace(Sight::Forbidden) != Sight::Forbidden {
                        self.out_of_sight(&error);
                    }
                }
            }
        }
    }

    /// A version that is not served any more: the kind may be seen in another one.
    fn out_of_sight(&self, error: &ClusterError) {
        if error.refusal().is_some_and(|r| r.why == RefusalReason::KindNotServed) {
            let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
            let mine = routes.iter().filter(|(id, route)| self.covers(id, route));
            mine.for_each(|(_, route)| route.mailbox.put(Trigger::Surroundings));
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
        let mine = routes.iter().filter(|(id, route)| self.covers(id, route) && !listed.contains(*id));
        for (id, route) in mine {
            route.mailbox.put(Trigger::Missed(id.clone()));
        }
    }

    /// Whether an object of this route is among those that are looked at here.
    fn covers(&self, id: &ObjectId, route: &Route) -> bool {
        id.kind == self.kind.kind
            && id.group == self.kind.group
            && (self.namespace.is_empty() || id.namespace == self.namespace)
            && self.is_seen_by(route)
    }

    fn id(&self, object: &Value) -> ObjectId {
        let text = |field| object.pointer("/metadata").and_then(|m| m.get(field)).and_then(Value::as_str);
        self.kind.id(text("namespace").unwrap_or_default(), text("name").unwrap_or_default())
    }

    /// Where sights of an object go, and its id as it is kept there: no second one is kept elsewhere.
    fn route(&self, id: &ObjectId) -> Option<(ObjectId, Route)> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let (id, route) = routes.get_key_value(id).filter(|(_, route)| self.is_seen_by(route))?;
        Some((id.clone(), route.clone()))
    }

    /// Whether this is the version in which its Sync looks at an object: in another one its fields are others.
    fn is_seen_by(&self, route: &Route) -> bool {
        *route.version == *self.kind.version
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
            version: Arc::from("v1"),
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

    #[tokio::test]
    async fn who_has_gone_keeps_nothing_from_others() {
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Err::<http::Response<kube::client::Body>, tower::BoxError>("nobody asks".into())
        });
        let cluster = Cluster::over(kube::Client::new(service, "default"), crate::cluster::ConnectOptions::default());
        let observer = Observer::new(cluster, DigestKey::new([7; 32]));
        let ids = ["a", "b"].map(|name| ObjectId::new("shop", name, "", "ConfigMap"));
        let [former, other, next] = [(); 3].map(|()| Mailbox::default());
        let lens = Arc::default();
        let ask = |id, mailbox: &Mailbox, standing| {
            observer.route([Wanted { id, version: "v1", yields: Yields::none(), standing }], mailbox, &lens);
        };
        ask(&ids[0], &former, Standing::Owns);
        ask(&ids[1], &other, Standing::Owns);
        ask(&ids[0], &next, Standing::Wants);
        assert!(!observer.shows(&ids[0], &next), "it is owned");
        observer.close(&former);
        ask(&ids[0], &next, Standing::Wants);
        assert!(observer.shows(&ids[0], &next) && observer.shows(&ids[1], &other));
    }

    /// A kind is watched in a version as long as somebody asks for it.
    #[tokio::test]
    async fn what_nobody_asks_for_any_more_is_not_watched_any_more() {
        // Nothing may be listed: each watch is settled at once, and opened again as the account.
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            let denied =
                r#"{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": "Forbidden"}"#;
            let body = kube::client::Body::from(denied.as_bytes().to_vec());
            Ok::<_, tower::BoxError>(http::Response::builder().status(403).body(body)?)
        });
        let cluster = Cluster::over(kube::Client::new(service, "default"), crate::cluster::ConnectOptions::default());
        let observer = Observer::new(cluster.clone(), DigestKey::new([7; 32]));
        let [web, api] = ["web", "api"].map(|name| Key::new("shop", name));
        let asks = |versions: &[&str]| -> BTreeMap<KindInfo, BTreeSet<String>> {
            let kind = |version: &&str| KindInfo::known("autoscaling", version, "HorizontalPodAutoscaler", "hpas");
            versions.iter().map(kind).map(|kind| (kind.namespaced(), BTreeSet::new())).collect()
        };
        let open = || {
            let watches = observer.lock();
            let mut versions: Vec<String> = watches.open.keys().map(|id| id.version.clone()).collect();
            versions.sort();
            versions
        };
        let own = cluster.own();
        for (asker, versions, before, expected) in [
            (&web, &["v1"][..], Before::Ends, &["v1"][..]),
            (&api, &["v1"], Before::Ends, &["v1"]),
            (&web, &["v2"], Before::Keeps, &["v1", "v2"]),
            (&web, &["v2"], Before::Ends, &["v1", "v2"]),
            (&api, &["v2"], Before::Ends, &["v2"]),
        ] {
            observer.watch(asker, &asks(versions), &own, before).await;
            assert_eq!(open(), expected, "{asker} asks for {versions:?}");
        }
        observer.leave(&web);
        assert_eq!(open(), ["v2"], "the other one asks for it");
        observer.leave(&api);
        assert_eq!(open(), [""; 0]);
    }

    #[tokio::test]
    async fn a_sync_sees_an_object_in_its_own_version_only() {
        let mailbox = Mailbox::default();
        let id = ObjectId::new("shop", "a", "autoscaling", "HorizontalPodAutoscaler");
        let route = Route {
            version: Arc::from("v2"),
            standing: Standing::Owns,
            mailbox: mailbox.clone(),
            lens: Arc::default(),
            yields: Yields::none(),
        };
        let routes = Arc::new(RwLock::new(HashMap::from([(id.clone(), route)])));
        for (version, seen) in [("v1", false), ("v2", true)] {
            let kind = KindInfo::known("autoscaling", version, "HorizontalPodAutoscaler", "hpas").namespaced();
            let metadata = serde_json::json!({"namespace": "shop", "name": "a", "uid": "u", "resourceVersion": "1"});
            let object = serde_json::json!({"apiVersion": format!("autoscaling/{version}"), "metadata": metadata});
            for events in [
                vec![Event::ListBegan, Event::Listed(object.clone()), Event::ListEnded],
                vec![Event::Applied(object.clone())],
                vec![Event::Deleted(object)],
                vec![Event::ListBegan, Event::ListEnded],
            ] {
                let (tell, _) = watch::channel(Sight::Opening);
                let (kind, key, namespace) = (kind.clone(), DigestKey::new([7; 32]), String::new());
                let follower = Follower { kind, namespace, key, routes: routes.clone() };
                follower.follow(futures::stream::iter(events).boxed(), tell).await;
                assert_eq!(mailbox.take_seen().contains_key(&id), seen, "{version}");
            }
        }
    }
}

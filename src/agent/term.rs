//! What runs while this replica leads: a task for each Repository and each Sync.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::api::{Inventory, Repository, Sync};
use crate::cluster::observe::{Event, Unreadable};
use crate::server::{Delivery, Receivers};

use super::hook::Hook;
use super::mailbox::{Mailbox, Trigger};
use super::planner::Planner;
use super::publish::Publisher;
use super::tip::Key;
use super::world::World;
use super::{repository, unit};

/// What runs during a term of leadership; dropping it stops all of it.
pub struct Term {
    world: Arc<World>,
    receivers: Receivers,
    /// Of Syncs that have not been seen yet.
    inventories: HashMap<Key, Vec<Inventory>>,
    repositories: BTreeMap<Key, Watched>,
    syncs: BTreeMap<Key, Running>,
    listed_repositories: Roll,
    listed_syncs: Roll,
    synced: bool,
    kinds_listed: bool,
}

/// The tasks of a Repository.
struct Watched {
    handle: repository::Handle,
    task: JoinHandle<()>,
    hook: Option<Hook>,
    publisher: Option<Publisher>,
    planner: Option<Planner>,
}

/// The task of a Sync.
struct Running {
    uid: Option<String>,
    mailbox: Mailbox,
    task: JoinHandle<()>,
}

/// Who answers while a whole list comes: who does not has gone while nobody watched.
#[derive(Default)]
pub struct Roll {
    present: BTreeSet<Key>,
}

impl Roll {
    /// A list begins.
    pub fn begin(&mut self) {
        self.present.clear();
    }

    /// This one is in it.
    pub fn answers(&mut self, key: Key) {
        self.present.insert(key);
    }

    /// Those that were known and did not answer.
    pub fn missing<'a>(&mut self, known: impl Iterator<Item = &'a Key>) -> Vec<Key> {
        let present = std::mem::take(&mut self.present);
        known.filter(|key| !present.contains(key)).cloned().collect()
    }
}

impl Term {
    /// Nothing runs yet.
    pub fn new(world: Arc<World>, receivers: Receivers, inventories: Vec<Inventory>) -> Self {
        let mut by_sync: HashMap<Key, Vec<Inventory>> = HashMap::new();
        for chunk in inventories {
            let namespace = chunk.metadata.namespace.clone().unwrap_or_default();
            by_sync.entry(Key::new(namespace, chunk.spec.sync.clone())).or_default().push(chunk);
        }
        Self {
            world,
            receivers,
            inventories: by_sync,
            repositories: BTreeMap::new(),
            syncs: BTreeMap::new(),
            listed_repositories: Roll::default(),
            listed_syncs: Roll::default(),
            synced: false,
            kinds_listed: false,
        }
    }

    /// Whether every Sync has been seen at least once.
    pub fn synced(&self) -> bool {
        self.synced
    }

    /// Something happened to a Repository.
    pub fn repository(&mut self, event: Event<Result<Repository, Unreadable>>) {
        match event {
            Event::ListBegan => self.listed_repositories.begin(),
            Event::Listed(Ok(repository)) => {
                self.listed_repositories.answers(Key::of(&repository));
                self.repository_applied(repository);
            }
            Event::Applied(Ok(repository)) => self.repository_applied(repository),
            Event::ListEnded => {
                let gone = self.listed_repositories.missing(self.repositories.keys());
                gone.iter().for_each(|key| self.repository_gone(key));
                self.world.registry.expect_no_more();
            }
            Event::Deleted(Ok(repository)) => self.repository_gone(&Key::of(&repository)),
            Event::Listed(Err(bad)) | Event::Applied(Err(bad)) | Event::Deleted(Err(bad)) => {
                // It is there, even though it cannot be read.
                self.listed_repositories.answers(Key::new(bad.namespace.clone(), bad.name.clone()));
                unreadable("Repository", &bad);
            }
            Event::Failing(error) => tracing::warn!(%error, "Repositories cannot be watched"),
        }
    }

    fn repository_applied(&mut self, repository: Repository) {
        let key = Key::of(&repository);
        let hook = || Hook::start(&self.world.cluster, &self.receivers, &key, &repository);
        if let Some(known) = self.repositories.get_mut(&key) {
            if !known.hook.as_ref().is_some_and(|hook| hook.suits(&repository)) {
                known.hook = hook();
            }
            if !known.publisher.as_ref().is_some_and(|publisher| publisher.suits(&repository)) {
                // The former one ends first: of one status there is one writer.
                known.publisher = None;
                known.publisher = Publisher::start(&self.world, &key, &repository);
            }
            if !known.planner.as_ref().is_some_and(|planner| planner.suits(&repository)) {
                known.planner = None;
                known.planner = Planner::start(&self.world, &key, &repository);
            }
            known.handle.spec(repository);
        } else {
            let hook = hook();
            let publisher = Publisher::start(&self.world, &key, &repository);
            let planner = Planner::start(&self.world, &key, &repository);
            self.world.registry.expect(key.clone());
            let (handle, task) = repository::start(self.world.clone(), key.clone(), repository);
            self.repositories.insert(key, Watched { handle, task, hook, publisher, planner });
        }
    }

    fn repository_gone(&mut self, key: &Key) {
        if let Some(known) = self.repositories.remove(key) {
            known.task.abort();
        }
        self.world.registry.lost(key);
        self.world.aheads.forget(key);
        self.world.metrics.forget_repository(&key.namespace, &key.name);
    }

    /// Something happened to a Sync.
    pub fn sync(&mut self, event: Event<Result<Sync, Unreadable>>) {
        match event {
            Event::ListBegan => self.listed_syncs.begin(),
            Event::Listed(Ok(sync)) => {
                self.listed_syncs.answers(Key::of(&sync));
                self.applied(sync);
            }
            Event::Applied(Ok(sync)) => self.applied(sync),
            Event::ListEnded => {
                let gone = self.listed_syncs.missing(self.syncs.keys());
                gone.iter().for_each(|key| self.gone(key));
                self.synced = true;
            }
            Event::Deleted(Ok(sync)) => self.gone(&Key::of(&sync)),
            Event::Listed(Err(bad)) | Event::Applied(Err(bad)) | Event::Deleted(Err(bad)) => {
                // It is there, even though it cannot be read: nothing of it is touched.
                self.listed_syncs.answers(Key::new(bad.namespace.clone(), bad.name.clone()));
                unreadable("Sync", &bad);
            }
            Event::Failing(error) => tracing::warn!(%error, "Syncs cannot be watched"),
        }
    }

    fn applied(&mut self, sync: Sync) {
        let key = Key::of(&sync);
        let uid = sync.metadata.uid.clone();
        if self.syncs.get(&key).is_some_and(|known| known.uid != uid) {
            // Deleted and created anew while nobody watched: what was known is of the former one.
            self.gone(&key);
        }
        if let Some(same) = self.syncs.get(&key).filter(|known| !known.task.is_finished()) {
            same.mailbox.put(Trigger::Spec(Box::new(sync)));
            return;
        }
        let mailbox = Mailbox::default();
        let chunks = self.inventories.remove(&key).unwrap_or_default();
        let task = unit::start(self.world.clone(), key.clone(), mailbox.clone(), sync, chunks);
        self.syncs.insert(key, Running { uid, mailbox, task });
    }

    fn gone(&mut self, key: &Key) {
        if let Some(known) = self.syncs.remove(key) {
            known.task.abort();
            self.world.observer.close(&known.mailbox);
        }
        self.world.claims.leave(key);
        self.world.observer.leave(key);
        self.world.registry.leave(key);
        self.world.metrics.forget_sync(&key.namespace, &key.name);
    }

    /// A definition of a kind changed: what waited for it may go on.
    pub async fn kind(&mut self, event: &Event<Value>) {
        match event {
            Event::ListEnded if !self.kinds_listed => self.kinds_listed = true,
            // Also after a gap, in which any of them may have come.
            Event::ListEnded | Event::Applied(_) | Event::Deleted(_) if self.kinds_listed => {
                if let Err(error) = self.world.cluster.kinds().refresh(&self.world.cluster.own()).await {
                    tracing::warn!(%error, "kinds cannot be listed anew");
                }
                self.world.registry.tell_all(|| Trigger::Surroundings);
            }
            _ => {}
        }
    }

    /// A webhook was delivered.
    pub fn delivery(&self, delivery: &Delivery) {
        let key = Key::new(delivery.namespace.clone(), delivery.name.clone());
        if let Some(known) = self.repositories.get(&key) {
            known.handle.ask();
            known.planner.iter().for_each(Planner::ask);
        }
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        for known in self.repositories.values() {
            known.task.abort();
        }
        for known in self.syncs.values() {
            known.task.abort();
        }
    }
}

/// An object that its type cannot hold is told.
pub fn unreadable(kind: &str, bad: &Unreadable) {
    tracing::error!(kind, namespace = %bad.namespace, name = %bad.name, error = %bad.message, "cannot be read");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_answer_a_whole_list_is_gone() {
        let [a, b, c] = ["a", "b", "c"].map(|name| Key::new("shop", name));
        let known = [a.clone(), b.clone()];
        let mut roll = Roll::default();
        roll.begin();
        roll.answers(b.clone());
        // A list that broke off counts for nothing.
        roll.begin();
        roll.answers(a);
        roll.answers(c);
        assert_eq!(roll.missing(known.iter()), [b]);
    }
}

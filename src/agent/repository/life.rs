//! The lives of a Repository's task: a panic costs it what it knew, and what it knows next is read anew.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use jiff::Timestamp;

use crate::agent::supervisor::{Life, Panic, read_anew};
use crate::api::{Repository, RepositoryStatus};
use crate::cluster::own::read_own;
use crate::failure::Failed;
use crate::report::metrics::Task;
use crate::report::status::repository_status;

use super::{Hearing, Inbox, Inquiry, Key, Progress, Record, Versions, Watcher, World};

/// What stays of a Repository from life to life of its task.
pub(super) struct Lives {
    world: Arc<World>,
    key: Key,
    inbox: Arc<Inbox>,
    uid: Option<String>,
    /// What the first life begins with.
    first: Option<Repository>,
}

impl Lives {
    /// The first begins with what was seen of it.
    pub fn new(world: Arc<World>, key: Key, inbox: Arc<Inbox>, repository: Repository) -> Self {
        let uid = repository.metadata.uid.clone();
        Self { world, key, inbox, uid, first: Some(repository) }
    }

    /// The Repository as it stands; `None` where it is gone, and the watch will say so.
    async fn read(&self) -> Option<Repository> {
        let (own, key) = (self.world.cluster.own(), &self.key);
        let read = || {
            let found = read_own::<Repository>(&own, &key.namespace, &key.name);
            found.map_err(|error| Failed::from(&error)).boxed()
        };
        read_anew(Task::Repository, key, read).await.filter(|found| found.metadata.uid == self.uid)
    }

    fn watcher(&self, repository: Repository) -> Watcher {
        let (world, key) = (self.world.clone(), self.key.clone());
        Watcher {
            record: Record::of(&world, &key, &repository),
            inquiry: Inquiry::new(world.aheads.of(&key)),
            world,
            key,
            inbox: self.inbox.clone(),
            followed: None,
            versions: Versions::new(),
            given: None,
            progress: Progress::default(),
            hearing: Hearing::default(),
            looked: None,
            floors: Vec::new(),
            judged: None,
            told_standing: None,
            found: None,
            withheld: None,
            failed: None,
            failures: 0,
            forced: true,
            repository,
        }
    }
}

impl Life for Lives {
    fn live(&mut self) -> BoxFuture<'_, ()> {
        async {
            let repository = match self.first.take() {
                Some(first) => first,
                None => match self.read().await {
                    Some(found) => found,
                    None => return,
                },
            };
            self.watcher(repository).run().await;
        }
        .boxed()
    }

    fn mourn<'a>(&'a mut self, panic: &'a Panic) -> BoxFuture<'a, ()> {
        async {
            let Some(repository) = self.read().await else { return };
            let mut watcher = self.watcher(repository);
            watcher.failed = Some(panic.failed());
            let stored = watcher.repository.status.clone().unwrap_or_default();
            let told = repository_status(&watcher.facts(), &stored, Timestamp::now());
            // What it had found it has still: only that nobody looks for more is told.
            let told = RepositoryStatus { conditions: told.conditions, ..stored.clone() };
            watcher.put(stored, told).await;
        }
        .boxed()
    }
}

//! The lives of a Repository's task: a panic costs it what it knew, and what it knows next is read anew.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::agent::supervisor::{Life, Panic};
use crate::api::{Repository, RepositoryStatus};
use crate::cluster::{KindInfo, apply};
use crate::failure::{Failed, Fault};
use crate::report::status::repository_status;

use super::{Hearing, Inbox, Inquiry, Key, Progress, Record, Versions, Watcher, World, backoff, random};

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
        let mut failures = 0;
        loop {
            let (own, kind) = (self.world.cluster.own(), KindInfo::of::<Repository>());
            let found = apply::get(&own, &kind, &self.key.namespace, &self.key.name).await;
            let read = found.map(|found| found.map(serde_json::from_value::<Repository>).transpose());
            let failed = match read {
                Ok(Ok(found)) => return found.filter(|found| found.metadata.uid == self.uid),
                Ok(Err(error)) => Failed::new("UnexpectedAnswer", Fault::Cluster, error.to_string()),
                Err(error) => Failed::from(&error),
            };
            failures += 1;
            tracing::warn!(repository = %self.key, reason = %failed.reason, error = %failed, "it cannot be read anew yet");
            tokio::time::sleep(backoff::retry(failed.fault, failures, random())).await;
        }
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
            notes: String::new(),
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

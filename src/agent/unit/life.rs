//! The lives of a Sync's task: a panic costs it what it knew, and what it knows next is read from the API server anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::agent::mailbox::Mailbox;
use crate::agent::supervisor::{Life, Panic, read_anew};
use crate::agent::tip::Key;
use crate::agent::world::World;
use crate::api::{Inventory, Sync};
use crate::cluster::ClusterError;
use crate::cluster::own::{list_inventories, read_own};
use crate::failure::Failed;
use crate::report::facts::{Stage, Verdict};
use crate::report::metrics::Task;

use super::Unit;

/// What stays of a Sync from life to life.
pub(super) struct Lives {
    world: Arc<World>,
    key: Key,
    /// Who knows the Sync by it goes on knowing it: what happens during a pause gathers here.
    mailbox: Mailbox,
    /// A Sync of the same name and another uid has a task of its own.
    uid: Option<String>,
    /// The life that is about to begin, where it is the first.
    first: Option<Box<Unit>>,
}

impl Lives {
    /// The first begins with what was read for it.
    pub fn new(world: Arc<World>, key: Key, mailbox: Mailbox, sync: Sync, chunks: Vec<Inventory>) -> Self {
        let uid = sync.metadata.uid.clone();
        // Now, and not in the task: the watches that other Syncs open show our objects too, once. Where even that panics, the
        // task meets it again, and tells it.
        let first = catch_unwind(AssertUnwindSafe(|| {
            let mut unit = Box::new(Unit::new(world.clone(), key.clone(), mailbox.clone(), sync, chunks));
            unit.take_spec();
            unit
        }));
        Self { world, key, mailbox, uid, first: first.ok() }
    }

    /// The first life is this one's.
    #[cfg(test)]
    pub fn of(unit: Unit) -> Self {
        let (world, key, mailbox) = (unit.world.clone(), unit.key.clone(), unit.mailbox.clone());
        Self { world, key, mailbox, uid: unit.sync.metadata.uid.clone(), first: Some(Box::new(unit)) }
    }

    /// The Sync and its inventory as they stand; `None` where it is gone, and the watch will say so.
    async fn read(&self) -> Result<Option<(Sync, Vec<Inventory>)>, Failed> {
        let own = self.world.cluster.own();
        let failed = |error: ClusterError| Failed::from(&error);
        let found = read_own::<Sync>(&own, &self.key.namespace, &self.key.name).await.map_err(failed)?;
        let Some(sync) = found.filter(|found| found.metadata.uid == self.uid) else { return Ok(None) };
        let mut chunks = list_inventories(&own, &self.key.namespace).await.map_err(failed)?;
        chunks.retain(|chunk| chunk.spec.sync == self.key.name);
        Ok(Some((sync, chunks)))
    }

    /// A unit that knows nothing but what was read now.
    async fn anew(&self) -> Option<Box<Unit>> {
        let (sync, chunks) = read_anew(Task::Sync, &self.key, || self.read().boxed()).await?;
        let (world, key, mailbox) = (self.world.clone(), self.key.clone(), self.mailbox.clone());
        Some(Box::new(Unit::new(world, key, mailbox, sync, chunks)))
    }
}

impl Life for Lives {
    fn live(&mut self) -> BoxFuture<'_, ()> {
        async {
            let unit = match self.first.take() {
                Some(first) => first,
                None => {
                    let Some(mut unit) = self.anew().await else { return };
                    unit.take_spec();
                    unit
                }
            };
            unit.run().await;
        }
        .boxed()
    }

    fn mourn<'a>(&'a mut self, panic: &'a Panic) -> BoxFuture<'a, ()> {
        async {
            let Some(mut unit) = self.anew().await else { return };
            unit.fell(panic.failed()).await;
        }
        .boxed()
    }
}

impl Unit {
    /// Tells everybody that what was here before has fallen, and nothing is done for a while.
    async fn fell(&mut self, failed: Failed) {
        self.facts.generation = self.generation();
        self.facts.suspended = self.sync.spec.suspend;
        self.facts.mode = self.sync.spec.mode;
        self.facts.verdict = Verdict::Failed { stage: Stage::Plan, failed };
        self.publish();
        self.tell().await;
    }
}

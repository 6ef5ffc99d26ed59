//! What a Sync is told between two passes: everything that can happen is one of [`Trigger`], and
//! triggers of the same kind merge, so a mailbox is bounded by the Sync's inventory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::api::Sync;
use crate::health::Health;
use crate::object::ObjectId;
use crate::plan::Live;

use super::tip::{Key, Tip};

/// Everything that can make a Sync act.
#[derive(Debug)]
pub enum Trigger {
    /// Its spec, its annotations or its deletion timestamp changed.
    Spec(Box<Sync>),
    /// Its Repository found something, or failed.
    Tip(Arc<Tip>),
    /// A watch showed one of its objects.
    Seen(ObjectId, Live, Health),
    /// A watch no longer shows one of its objects. That is not absence: the pass asks.
    Lost(ObjectId),
    /// A list after a gap no longer shows one of its objects: what became of it was not seen.
    Missed(ObjectId),
    /// Something that it depends on changed.
    Dependency,
    /// Another Sync wants one of its objects, and was refused.
    Rival(ObjectId, Key),
    /// A kind appeared or changed, or the permit came or went.
    Surroundings,
    /// A ConfigMap or Secret that it renders with changed, or may be watched no more.
    Source,
    /// A Standard says something else than before.
    Standard,
}

/// What watches have shown of one object.
#[derive(Debug, Default)]
pub struct Sight {
    /// How it last looked; where it is lost, at its end.
    pub last: Option<(Live, Health)>,
    /// Whether it is no longer shown.
    pub loss: Option<Loss>,
}

/// How an object was lost from sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Its deletion was shown.
    Shown,
    /// It fell into a gap.
    Missed,
}

/// What has gathered since the last pass.
#[derive(Debug, Default)]
pub struct Pending {
    /// The newest spec.
    pub spec: Option<Box<Sync>>,
    /// The newest state of the Repository.
    pub tip: Option<Arc<Tip>>,
    /// The newest sight of each object.
    pub seen: BTreeMap<ObjectId, Sight>,
    /// Other Syncs that were refused one of its objects.
    pub rivals: BTreeSet<(ObjectId, Key)>,
    /// Something that it depends on changed.
    pub dependency: bool,
    /// A kind appeared or changed, or the permit came or went.
    pub surroundings: bool,
    /// A ConfigMap or Secret that it renders with changed, or may be watched no more.
    pub source: bool,
    /// A Standard says something else than before.
    pub standard: bool,
}

/// A Sync's mailbox; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Mailbox {
    pending: Arc<Mutex<Pending>>,
    bell: Arc<Notify>,
}

impl Mailbox {
    /// Puts a trigger in; never blocks, never grows without bound.
    pub fn put(&self, trigger: Trigger) {
        let mut pending = self.lock();
        match trigger {
            Trigger::Spec(spec) => pending.spec = Some(spec),
            Trigger::Tip(tip) => pending.tip = Some(tip),
            Trigger::Seen(id, live, health) => {
                pending.seen.insert(id, Sight { last: Some((live, health)), loss: None });
            }
            // What it looked like at its end stays: a Job may have finished.
            Trigger::Lost(id) => pending.seen.entry(id).or_default().loss = Some(Loss::Shown),
            Trigger::Missed(id) => {
                pending.seen.insert(id, Sight { last: None, loss: Some(Loss::Missed) });
            }
            Trigger::Rival(id, sync) => {
                pending.rivals.insert((id, sync));
            }
            Trigger::Dependency => pending.dependency = true,
            Trigger::Surroundings => pending.surroundings = true,
            Trigger::Source => pending.source = true,
            Trigger::Standard => pending.standard = true,
        }
        drop(pending);
        self.bell.notify_one();
    }

    /// Takes out all that has gathered.
    pub fn take(&self) -> Pending {
        std::mem::take(&mut *self.lock())
    }

    /// Takes out what watches have shown.
    pub fn take_seen(&self) -> BTreeMap<ObjectId, Sight> {
        std::mem::take(&mut self.lock().seen)
    }

    /// Whether both are the same mailbox.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pending, &other.pending)
    }

    /// Ends when something was put in since the last call.
    pub async fn bell(&self) {
        self.bell.notified().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

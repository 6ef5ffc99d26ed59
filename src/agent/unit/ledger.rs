//! The inventory of one Sync: what stands in the cluster, and what it should say.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::ResourceExt;
use kube::api::ObjectMeta;

use crate::api::{Inventory, InventoryEntry, InventorySpec, Sync};
use crate::cluster::own::{create_inventory, delete_inventory, read_own, update_inventory};
use crate::cluster::{ClusterError, Session};
use crate::failure::Failed;
use crate::inventory::{self, ChunkWrite, Entry, FORMAT, Flag, Layout, Owned, chunks, readable, union};
use crate::object::{Digest, ObjectId};

/// What a Sync owns, as it is known here and as it stands in the cluster.
pub(super) struct Ledger {
    /// The same as the one chunk of `layout`, where nothing is to be written.
    owned: Arc<Owned>,
    layout: Layout,
    /// Metadata of the chunks' objects, for their versions.
    stored: BTreeMap<u32, Box<ObjectMeta>>,
    /// Why the stored inventory cannot be read; then nothing may be done.
    unreadable: Option<Failed>,
}

impl Ledger {
    /// Reads the chunks of a Sync. Those of a former Sync of the same name are not its own.
    pub(super) fn read(uid: &str, found: Vec<Inventory>) -> Self {
        let mut ledger =
            Self { owned: Arc::default(), layout: Layout::new(), stored: BTreeMap::new(), unreadable: None };
        found.into_iter().for_each(|chunk| ledger.take(uid, chunk));
        ledger.owned = Arc::new(union(&ledger.layout));
        ledger.share();
        ledger
    }

    /// What the Sync owns.
    pub(super) fn owned(&self) -> &Owned {
        &self.owned
    }

    /// Why the stored inventory cannot be read, where that is so.
    pub(super) fn unreadable(&self) -> Option<&Failed> {
        self.unreadable.as_ref()
    }

    /// Replaces everything that is owned; nothing is written yet.
    pub(super) fn replace(&mut self, owned: Owned) {
        self.owned = Arc::new(owned);
    }

    /// Sets an entry; nothing is written yet.
    pub(super) fn set(&mut self, id: &ObjectId, entry: Entry) {
        Arc::make_mut(&mut self.owned).insert(id.clone(), entry);
    }

    /// Removes an entry; nothing is written yet.
    pub(super) fn forget(&mut self, id: &ObjectId) {
        if self.owned.contains_key(id) {
            Arc::make_mut(&mut self.owned).remove(id);
        }
    }

    /// Writes what changed, additions before removals.
    ///
    /// # Errors
    /// A chunk was changed by somebody else, or could not be written. How it stands is read then,
    /// for an answer may have been lost: the next write is made for that.
    pub(super) async fn write(&mut self, session: &Session, sync: &Sync) -> Result<(), ClusterError> {
        for write in chunks(&self.layout, &self.owned) {
            let (ChunkWrite::Create(number, _) | ChunkWrite::Update(number, _) | ChunkWrite::Delete(number)) = write;
            if let Err(error) = self.write_chunk(session, sync, write).await {
                self.read_again(session, sync, number).await;
                return Err(error);
            }
        }
        self.share();
        Ok(())
    }

    async fn write_chunk(&mut self, session: &Session, sync: &Sync, write: ChunkWrite) -> Result<(), ClusterError> {
        match write {
            ChunkWrite::Create(number, entries) => {
                let stored = create_inventory(session, &chunk(sync, number, &entries), sync).await?;
                self.keep(number, stored, entries);
            }
            ChunkWrite::Update(number, entries) => {
                let mut next = chunk(sync, number, &entries);
                if let Some(stored) = self.stored.get(&number) {
                    next.metadata = stored.as_ref().clone();
                }
                let stored = update_inventory(session, &next).await?;
                self.keep(number, stored, entries);
            }
            ChunkWrite::Delete(number) => {
                if let Some(stored) = self.stored.get(&number) {
                    let chunk = Inventory { metadata: stored.as_ref().clone(), spec: InventorySpec::default() };
                    delete_inventory(session, &chunk).await?;
                }
                self.stored.remove(&number);
                self.layout.remove(&number);
            }
        }
        Ok(())
    }

    async fn read_again(&mut self, session: &Session, sync: &Sync, number: u32) {
        let namespace = sync.namespace().unwrap_or_default();
        let Ok(found) = read_own::<Inventory>(session, &namespace, &name_of(sync, number)).await else { return };
        let uid = sync.metadata.uid.as_deref().unwrap_or_default();
        self.stored.remove(&number);
        self.layout.remove(&number);
        if let Some(chunk) = found {
            self.take(uid, chunk);
        }
        // The truth is the union: what stands there and is not known here is looked at, not forgotten.
        let unknown = self.layout.get(&number).into_iter().flat_map(|chunk| chunk.iter());
        let unknown: Vec<_> = unknown.filter(|(id, _)| !self.owned.contains_key(*id)).collect();
        if !unknown.is_empty() {
            let unknown: Owned = unknown.into_iter().map(|(id, entry)| (id.clone(), entry.clone())).collect();
            Arc::make_mut(&mut self.owned).extend(unknown);
        }
    }

    /// Takes in a chunk as it stands, where it is this Sync's.
    fn take(&mut self, uid: &str, chunk: Inventory) {
        let mine = chunk.owner_references().iter().any(|owner| owner.uid == uid);
        let Some(number) = mine.then(|| number_of(&chunk)).flatten() else { return };
        match entries(&chunk) {
            Ok(entries) => {
                self.layout.insert(number, Arc::new(entries));
            }
            Err(failed) => self.unreadable = Some(failed),
        }
        self.stored.insert(number, bare(chunk));
    }

    fn keep(&mut self, number: u32, stored: Inventory, entries: Owned) {
        self.stored.insert(number, bare(stored));
        self.layout.insert(number, Arc::new(entries));
    }

    /// Keeps what is owned once, where it is one chunk.
    fn share(&mut self) {
        if self.layout.len() == 1
            && let Some(only) = self.layout.values().next().filter(|only| **only == self.owned)
        {
            self.owned = only.clone();
        }
    }
}

/// What must be known of a chunk's object to write it again.
fn bare(chunk: Inventory) -> Box<ObjectMeta> {
    Box::new(ObjectMeta { managed_fields: None, ..chunk.metadata })
}

fn name_of(sync: &Sync, number: u32) -> String {
    format!("{}-{number}", sync.name_any())
}

/// Chunks are named `<sync>-<number>`.
fn number_of(chunk: &Inventory) -> Option<u32> {
    chunk.name_any().strip_prefix(&chunk.spec.sync)?.strip_prefix('-')?.parse().ok()
}

fn chunk(sync: &Sync, number: u32, entries: &Owned) -> Inventory {
    let spec = InventorySpec { sync: sync.name_any(), format: FORMAT, entries: entries.iter().map(stored).collect() };
    let mut chunk = Inventory::new(&name_of(sync, number), spec);
    chunk.metadata.namespace = sync.namespace();
    chunk
}

fn stored((id, entry): (&ObjectId, &Entry)) -> InventoryEntry {
    let known = entry.flags.iter().map(|flag| flag.as_str().to_owned());
    InventoryEntry {
        id: id.to_inventory(),
        v: entry.version.clone(),
        uid: entry.uid.clone(),
        desired: entry.desired.map(|digest| digest.to_string()),
        baseline: entry.baseline.map(|digest| digest.to_string()),
        flags: known.chain(entry.unknown.iter().cloned()).collect(),
    }
}

fn entries(chunk: &Inventory) -> Result<Owned, Failed> {
    readable(chunk.spec.format).map_err(|error| Failed::from(&error))?;
    let bad = |what: String| {
        let message = format!("Inventory {}: {what}; nothing is applied or pruned", chunk.name_any());
        Failed::new("InventoryUnreadable", crate::failure::Fault::Cluster, message)
    };
    let mut owned = Owned::new();
    for entry in &chunk.spec.entries {
        let id: ObjectId = entry.id.parse().map_err(|e: crate::object::IdParseError| bad(e.to_string()))?;
        let digest = |text: &Option<String>| text.as_deref().map(str::parse::<Digest>).transpose();
        let (known, unknown): (Vec<_>, Vec<_>) = entry.flags.iter().partition(|flag| Flag::parse(flag).is_some());
        let entry = inventory::Entry {
            version: entry.v.clone(),
            uid: entry.uid.clone(),
            desired: digest(&entry.desired).map_err(|e| bad(e.to_string()))?,
            baseline: digest(&entry.baseline).map_err(|e| bad(e.to_string()))?,
            flags: known.into_iter().filter_map(|flag| Flag::parse(flag)).collect(),
            unknown: unknown.into_iter().cloned().collect(),
        };
        owned.insert(id, entry);
    }
    Ok(owned)
}

//! What each Sync says about objects, so that two never fight over one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::object::ObjectId;
use crate::plan::{Claim, Claims, SyncName};

use super::tip::Key;

/// The claims of all Syncs.
#[derive(Default)]
pub struct ClaimBook {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// Sorted by the Syncs' names; nearly always one.
    by_object: HashMap<ObjectId, Vec<(Arc<Key>, Claim)>>,
    by_sync: BTreeMap<Arc<Key>, BTreeSet<ObjectId>>,
}

impl ClaimBook {
    /// A Sync says anew what it claims; what it claimed before and does not name is given up.
    /// Returns whether anything changed.
    pub fn put(&self, sync: &Key, claims: BTreeMap<ObjectId, Claim>) -> bool {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let known = book.by_sync.remove_entry(sync);
        let (key, before) = known.unwrap_or_else(|| (Arc::new(sync.clone()), BTreeSet::new()));
        let mut changed = false;
        for id in before.iter().filter(|id| !claims.contains_key(id)) {
            book.forget(sync, id);
            changed = true;
        }
        let ids = claims.keys().cloned().collect();
        for (id, claim) in claims {
            changed |= book.claim(id, &key, claim);
        }
        book.by_sync.insert(key, ids);
        changed
    }

    /// A Sync is gone, and all that it claimed is free.
    pub fn leave(&self, sync: &Key) {
        self.put(sync, BTreeMap::new());
        self.book.lock().unwrap_or_else(PoisonError::into_inner).by_sync.remove(sync);
    }

    /// What others say about these objects, and about all that lives in the namespaces and kinds
    /// that `containers` name, with those of `undecided` that are still to plan.
    pub fn of_others<'a>(
        &self,
        me: &Key,
        ids: impl Iterator<Item = &'a ObjectId>,
        containers: &[&ObjectId],
        undecided: Vec<Key>,
    ) -> Claims {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Claims::default();
        let mut add = |id: &ObjectId, claims: &[(Arc<Key>, Claim)]| {
            for (sync, claim) in claims.iter().filter(|(sync, _)| **sync != *me) {
                found.insert(id.clone(), name(sync), *claim);
            }
        };
        for id in ids {
            if let Some(claims) = book.by_object.get(id) {
                add(id, claims);
            }
        }
        if !containers.is_empty() {
            for (id, claims) in &book.by_object {
                if containers.iter().any(|container| may_hold(container, id)) {
                    add(id, claims);
                }
            }
        }
        for sync in undecided {
            found.insert_undecided(name(&sync));
        }
        found
    }

    /// Objects that any Sync owns below a container, for the deletion budget.
    pub fn below(&self, container: &ObjectId) -> usize {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.by_object.keys().filter(|id| may_hold(container, id)).count()
    }
}

impl Book {
    /// Takes note of a claim; whether it is another than before.
    fn claim(&mut self, id: ObjectId, sync: &Arc<Key>, claim: Claim) -> bool {
        let claims = self.by_object.entry(id).or_insert_with(|| Vec::with_capacity(1));
        match claims.binary_search_by(|(known, _)| known.cmp(sync)) {
            Ok(at) => std::mem::replace(&mut claims[at].1, claim) != claim,
            Err(at) => {
                claims.insert(at, (sync.clone(), claim));
                true
            }
        }
    }

    fn forget(&mut self, sync: &Key, id: &ObjectId) {
        if let Some(claims) = self.by_object.get_mut(id) {
            claims.retain(|(known, _)| **known != *sync);
            if claims.is_empty() {
                self.by_object.remove(id);
            }
        }
    }
}

/// Whether deleting the container may take the object along; a definition is compared by its group,
/// since its kind is not in its name.
fn may_hold(container: &ObjectId, id: &ObjectId) -> bool {
    match container.kind.as_str() {
        "Namespace" => id.namespace == container.name,
        "CustomResourceDefinition" => container.name.split_once('.').is_some_and(|(_, group)| group == id.group),
        _ => false,
    }
}

fn name(key: &Key) -> SyncName {
    SyncName { namespace: key.namespace.clone(), name: key.name.clone() }
}

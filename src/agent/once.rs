//! Answers that never change, asked once for all Syncs.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

/// Answers by what was asked. Many Syncs ask the same at once: one of them asks the worker, the others wait in its cell.
pub struct Once<K, V> {
    known: Mutex<HashMap<K, Arc<OnceCell<V>>>>,
    /// How many are kept, at most.
    kept: usize,
}

impl<K: Eq + Hash, V> Once<K, V> {
    /// One that keeps so many answers.
    pub fn new(kept: usize) -> Self {
        Self { known: Mutex::default(), kept }
    }

    /// The cell of an answer.
    pub fn cell(&self, asked: K) -> Arc<OnceCell<V>> {
        let mut known = self.lock();
        if known.len() >= self.kept {
            known.clear();
        }
        known.entry(asked).or_default().clone()
    }

    /// Forgets an answer that is none.
    pub fn forget(&self, asked: &K) {
        self.lock().remove(asked);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<OnceCell<V>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

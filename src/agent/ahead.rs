//! What is known of pull requests before they land: what the forge answered, so that it is asked later only whether that
//! has changed, and whether the next commit is likely to be one that was approved already.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::forge::Book;

use super::tip::Key;

/// What is known of one Repository.
#[derive(Default)]
pub struct Ahead {
    /// What need not be sent again.
    pub book: Book,
    /// Numbers of pull requests that are open and approved.
    approved: Mutex<BTreeSet<u64>>,
}

impl Ahead {
    /// An open pull request is approved, or is not, or is not open any more.
    pub fn note(&self, number: u64, approved: bool) {
        let mut all = self.approved.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = if approved { all.insert(number) } else { all.remove(&number) };
    }

    /// Those that may land approved.
    pub fn approved(&self) -> BTreeSet<u64> {
        self.approved.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is known of all.
#[derive(Default)]
pub struct Aheads(Mutex<HashMap<Key, Arc<Ahead>>>);

impl Aheads {
    /// What is known of a Repository; of one that was never asked for, nothing.
    pub fn of(&self, repository: &Key) -> Arc<Ahead> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(repository.clone()).or_default().clone()
    }

    /// It is gone, or is another one.
    pub fn forget(&self, repository: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(repository);
    }
}

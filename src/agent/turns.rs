//! Turns by name: who waits for the same thing takes turns, and keeps nobody else waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many turns at a time for each name.
#[derive(Debug)]
pub struct Turns {
    count: usize,
    each: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Turns {
    /// So many for each; one at least.
    pub fn new(count: usize) -> Self {
        Self { count: count.max(1), each: Mutex::default() }
    }

    /// Waits for a turn; `None` where there are no more.
    pub async fn take(&self, name: &str) -> Option<OwnedSemaphorePermit> {
        let mine = {
            let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
            // Of whom nobody has a turn or waits for one nothing is kept.
            each.retain(|_, turns| Arc::strong_count(turns) > 1);
            each.entry(name.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.count))).clone()
        };
        mine.acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_name_has_turns_of_its_own_and_leaves_nothing() {
        let turns = Turns::new(1);
        let first = turns.take("a").await;
        let mut second = std::pin::pin!(turns.take("a"));
        assert!(futures::poll!(&mut second).is_pending());
        assert!(turns.take("b").await.is_some(), "nobody waits for another");
        drop(first);
        assert!(second.await.is_some());
        assert!(turns.take("c").await.is_some());
        assert_eq!(turns.each.lock().expect("unpoisoned").len(), 1, "the one asked for last");
    }
}

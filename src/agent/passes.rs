//! Turns at making a pass.

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::turns::Turns;

/// Passes that may be under way at a time: in all, and of the Syncs of one namespace. What waits there for something, such
/// as a server of charts that hangs, leaves room for others.
pub struct Passes {
    count: usize,
    all: Semaphore,
    of: Turns,
}

/// While it is there, a pass may go on.
pub struct Turn<'a> {
    _of_all: SemaphorePermit<'a>,
    _of_namespace: OwnedSemaphorePermit,
}

impl Passes {
    /// So many at a time.
    pub fn new(count: usize) -> Self {
        Self { count, all: Semaphore::new(count), of: Turns::new(count * 3 / 4) }
    }

    /// Waits for a turn: Syncs of one namespace take three quarters of all at most. `None` where there are no more.
    pub async fn take(&self, namespace: &str) -> Option<Turn<'_>> {
        // First that of the namespace: who waits for it takes nothing away from others.
        let of_namespace = self.of.take(namespace).await?;
        Some(Turn { _of_all: self.all.acquire().await.ok()?, _of_namespace: of_namespace })
    }

    /// Whether one is under way.
    pub fn busy(&self) -> bool {
        self.all.available_permits() < self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_namespace_leaves_room_for_others() {
        let passes = Passes::new(4);
        assert!(!passes.busy());
        let mut hanging = Vec::new();
        for _ in 0..3 {
            hanging.push(passes.take("hangs").await.expect("a turn"));
        }
        assert!(passes.busy());
        let mut more = std::pin::pin!(passes.take("hangs"));
        assert!(futures::poll!(&mut more).is_pending(), "three of four");
        let other = passes.take("other").await;
        assert!(other.is_some(), "the last is for somebody else");
        hanging.pop();
        assert!(more.await.is_some());
        assert!(Passes::new(1).take("alone").await.is_some(), "where there is one, everybody may have it");
    }
}

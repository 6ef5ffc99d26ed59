//! How long a piece of work may take, where waiting for a turn takes none of it: who stands behind others has not been slow.

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::{Failed, Fault};

/// What may be spent, and what was.
#[derive(Clone, Debug)]
pub struct Bound {
    limit: Option<Duration>,
    spent: Duration,
}

impl Bound {
    /// So long.
    pub fn of(limit: Duration) -> Self {
        Self { limit: Some(limit), spent: Duration::ZERO }
    }

    /// As long as it takes.
    pub fn none() -> Self {
        Self { limit: None, spent: Duration::ZERO }
    }

    /// Works as long as there is time left. After that the work is dropped, and with it whatever works for it is ended.
    ///
    /// # Errors
    /// `RenderTimeout`: the time is up.
    pub async fn spend<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failed> {
        let Some(limit) = self.limit else { return Ok(work.await) };
        let began = Instant::now();
        let left = limit.saturating_sub(self.spent);
        let done = if left.is_zero() { None } else { tokio::time::timeout(left, work).await.ok() };
        self.spent = self.spent.saturating_add(began.elapsed());
        done.ok_or_else(|| {
            let message = format!("rendering took longer than the {limit:?} that spec.timeout gives it, and was ended");
            let hint = "give the Sync a larger spec.timeout, or fewer charts and files; what programs answered is kept for the next attempt";
            Failed::new("RenderTimeout", Fault::Cluster, message).with_hint(hint)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn work_is_added_up_and_waiting_is_not() {
        let mut bound = Bound::of(3 * SECOND);
        assert_eq!(bound.spend(async { tokio::time::sleep(2 * SECOND).await }).await, Ok(()));
        tokio::time::sleep(100 * SECOND).await;
        assert_eq!(bound.spend(std::future::ready(7)).await, Ok(7), "a second is left");
        let clock = Instant::now();
        let failed = bound.spend(std::future::pending::<()>()).await.expect_err("too long");
        assert_eq!((failed.reason.as_str(), clock.elapsed().as_secs()), ("RenderTimeout", 1), "{failed}");
        assert!(bound.spend(std::future::ready(())).await.is_err(), "nothing is left");
        assert!(failed.message.contains("3s"), "{failed}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_bound_work_takes_as_long_as_it_takes() {
        let mut bound = Bound::none();
        for _ in 0..3 {
            assert_eq!(bound.spend(tokio::time::sleep(Duration::from_secs(10_000))).await, Ok(()));
        }
    }
}

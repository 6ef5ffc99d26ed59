//! How many requests may be in flight: additive increase, multiplicative decrease.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// After a cut, answers to what was in flight before it say nothing new.
const CUT_PAUSE: Duration = Duration::from_secs(1);

/// Shared by all sessions of a cluster. The limit halves when the API server is overloaded
/// (429, timeouts) and grows by one for each whole round of answers.
#[derive(Clone)]
pub(super) struct Limiter {
    slots: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
    max: usize,
}

struct State {
    limit: usize,
    /// Slots that are to vanish when they are given back.
    debt: usize,
    /// Good answers since the limit last moved.
    good: usize,
    cut_at: Option<Instant>,
}

/// What an answer says about the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    Fine,
    Overloaded,
}

/// One request in flight; the place is free when it is dropped.
pub(super) struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    limiter: Limiter,
}

impl Limiter {
    pub(super) fn new(max: usize) -> Self {
        let max = max.clamp(1, 1024);
        Self {
            slots: Arc::new(Semaphore::new(max)),
            state: Arc::new(Mutex::new(State { limit: max, debt: 0, good: 0, cut_at: None })),
            max,
        }
    }

    /// Waits for a place, first come first served.
    pub(super) async fn enter(&self) -> Slot {
        // The semaphore is never closed, so acquiring does not fail.
        let permit = self.slots.clone().acquire_owned().await.ok();
        Slot { permit, limiter: self.clone() }
    }

    /// The present limit.
    #[cfg(test)]
    pub(super) fn limit(&self) -> usize {
        self.lock().limit
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns from an answer.
    pub(super) fn learn(&self, load: Load) {
        let mut state = self.lock();
        match load {
            Load::Overloaded => {
                state.good = 0;
                let now = Instant::now();
                if state.cut_at.is_some_and(|at| now.duration_since(at) < CUT_PAUSE) {
                    return;
                }
                state.cut_at = Some(now);
                let cut = state.limit - (state.limit / 2).max(1);
                state.limit -= cut;
                state.debt += cut - self.slots.forget_permits(cut);
            }
            Load::Fine if state.limit < self.max => {
                state.good += 1;
                if state.good >= state.limit {
                    state.good = 0;
                    state.limit += 1;
                    if state.debt > 0 {
                        state.debt -= 1;
                    } else {
                        self.slots.add_permits(1);
                    }
                }
            }
            Load::Fine => {}
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        if state.debt > 0 {
            state.debt -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn free(limiter: &Limiter) -> usize {
        let mut held = Vec::new();
        while let Ok(slot) = tokio::time::timeout(Duration::from_millis(1), limiter.enter()).await {
            held.push(slot);
        }
        held.len()
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_halves_under_load_and_comes_back() {
        let limiter = Limiter::new(8);
        assert_eq!(free(&limiter).await, 8);
        limiter.learn(Load::Overloaded);
        assert_eq!((limiter.limit(), free(&limiter).await), (4, 4));
        limiter.learn(Load::Overloaded);
        assert_eq!(limiter.limit(), 4, "one burst of refusals cuts once");
        for _ in 0..4 + 5 + 6 + 7 {
            limiter.learn(Load::Fine);
        }
        assert_eq!((limiter.limit(), free(&limiter).await), (8, 8));
        limiter.learn(Load::Fine);
        assert_eq!(limiter.limit(), 8, "never above its bound");
    }

    #[tokio::test(start_paused = true)]
    async fn places_in_use_vanish_when_they_are_given_back() {
        let limiter = Limiter::new(4);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(limiter.enter().await);
        }
        limiter.learn(Load::Overloaded);
        drop(held);
        assert_eq!(free(&limiter).await, 2);
        for _ in 0..5 {
            tokio::time::advance(CUT_PAUSE).await;
            limiter.learn(Load::Overloaded);
        }
        assert_eq!((limiter.limit(), free(&limiter).await), (1, 1), "never below one");
    }
}

//! What probes and scrapers read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Shared;

/// Tells whether a loop still turns. The loop beats; a probe asks how long ago.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    start: Instant,
    /// Milliseconds from `start` to the last beat.
    last: Arc<AtomicU64>,
}

impl Heartbeat {
    /// A heart that beats now.
    pub fn new() -> Self {
        Self { start: Instant::now(), last: Arc::default() }
    }

    /// The loop turns.
    pub fn beat(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    /// An error where the last beat is longer ago than `limit`.
    pub fn check(&self, limit: Duration) -> Result<(), String> {
        let silent = Duration::from_millis(self.now().saturating_sub(self.last.load(Ordering::Relaxed)));
        if silent > limit {
            return Err(format!("the loop has not turned for {} s", silent.as_secs()));
        }
        Ok(())
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::new()
    }
}

pub async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (shared.behind.metrics)()).into_response()
}

pub async fn healthz(State(shared): State<Arc<Shared>>) -> Response {
    answer((shared.behind.alive)())
}

pub async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    answer((shared.behind.ready)())
}

fn answer(state: Result<(), String>) -> Response {
    match state {
        Ok(()) => (StatusCode::OK, "ok\n").into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_loop_is_told_apart_from_one_that_turns() {
        let mut heartbeat = Heartbeat::new();
        heartbeat.start = Instant::now().checked_sub(Duration::from_secs(100)).expect("uptime");
        assert_eq!(heartbeat.check(Duration::from_secs(60)), Err("the loop has not turned for 100 s".to_owned()));
        heartbeat.beat();
        assert_eq!(heartbeat.check(Duration::from_secs(60)), Ok(()));
    }
}

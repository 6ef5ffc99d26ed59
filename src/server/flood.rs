//! How many deliveries a source may send.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::connection::Source;

/// Sources that are remembered. Beyond that, unknown ones share one bucket, so a flood from many
/// addresses costs a bounded amount of memory.
const SOURCES: usize = 4096;

/// A token bucket for each source.
pub struct Flood {
    burst: f64,
    per_second: f64,
    buckets: Mutex<Buckets>,
}

#[derive(Default)]
struct Buckets {
    known: HashMap<Source, Bucket>,
    rest: Option<Bucket>,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Flood {
    /// `burst` deliveries at once, and `per_second` of them each second in the long run.
    pub fn new(burst: u32, per_second: u32) -> Self {
        Self { burst: f64::from(burst), per_second: f64::from(per_second), buckets: Mutex::default() }
    }

    /// Whether this source may send one more at this time.
    pub fn admits(&self, source: Source, now: Instant) -> bool {
        let full = Bucket { tokens: self.burst, at: now };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.known.contains_key(&source) && buckets.known.len() >= SOURCES {
            buckets.known.retain(|_, bucket| self.filled(*bucket, now).tokens < self.burst);
        }
        let bucket = if buckets.known.contains_key(&source) || buckets.known.len() < SOURCES {
            buckets.known.entry(source).or_insert(full)
        } else {
            buckets.rest.get_or_insert(full)
        };
        *bucket = self.filled(*bucket, now);
        let admitted = bucket.tokens >= 1.0;
        if admitted {
            bucket.tokens -= 1.0;
        }
        admitted
    }

    fn filled(&self, bucket: Bucket, now: Instant) -> Bucket {
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        Bucket { tokens: (bucket.tokens + passed * self.per_second).min(self.burst), at: now }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::*;

    fn source(number: u32) -> Source {
        Source::of(IpAddr::V4(Ipv4Addr::from(number)))
    }

    #[test]
    fn a_burst_then_the_rate_and_each_source_for_itself() {
        let flood = Flood::new(3, 2);
        let start = Instant::now();
        let admitted = |source, after_ms| flood.admits(source, start + Duration::from_millis(after_ms));
        assert_eq!([0, 0, 0, 0].map(|at| admitted(source(1), at)), [true, true, true, false]);
        assert!(admitted(source(2), 0), "another source pays for the first");
        assert_eq!([400, 500, 600].map(|at| admitted(source(1), at)), [false, true, false]);
        assert_eq!([9000, 9000, 9000, 9000].map(|at| admitted(source(1), at)), [true, true, true, false]);
    }

    #[test]
    fn many_sources_cost_bounded_memory_and_idle_ones_are_forgotten() {
        let flood = Flood::new(1, 1);
        let start = Instant::now();
        let many = u32::try_from(SOURCES).expect("small") + 50;
        let admitted = (0..many).filter(|n| flood.admits(source(*n), start)).count();
        assert_eq!(admitted, SOURCES + 1, "those without a place share one bucket");
        assert_eq!(flood.buckets.lock().expect("lock").known.len(), SOURCES);
        assert!(flood.admits(source(many + 1), start + Duration::from_secs(2)));
        assert_eq!(flood.buckets.lock().expect("lock").known.len(), 1);
    }
}

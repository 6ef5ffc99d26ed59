//! When to try again: failing is never faster than succeeding.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use crate::failure::Fault;

/// Longest pause between two tries.
pub const LONGEST: Duration = Duration::from_secs(15 * 60);
/// First pause after a transient failure.
const FIRST_TRANSIENT: Duration = Duration::from_millis(500);
/// First pause after a failure that only a person or a commit mends.
const FIRST_LASTING: Duration = Duration::from_secs(5);

/// Pause before the next poll of a remote: the interval with up to 10 % jitter after a success,
/// and after `failures` failures in a row twice as long for each, but never shorter than after a
/// success. `random` lies in 0..1.
pub fn poll(interval: Duration, failures: u32, random: f64) -> Duration {
    jittered(doubled(interval, failures, LONGEST.max(interval)), random)
}

/// Pause before a run is tried again after `failures` failures in a row. A failure of the
/// repository is retried too, slowly: the cluster may have become able to take it.
pub fn retry(fault: Fault, failures: u32, random: f64) -> Duration {
    let first = match fault {
        Fault::Transient => FIRST_TRANSIENT,
        Fault::Repository | Fault::Cluster | Fault::Internal => FIRST_LASTING,
    };
    jittered(doubled(first, failures.saturating_sub(1), LONGEST), random)
}

/// The first pause, doubled so many times.
fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    let pauses = ExponentialBuilder::new().with_factor(2.0).with_min_delay(first).with_max_delay(longest);
    // 32 doublings of a millisecond are weeks.
    pauses.without_max_times().build().nth(times.min(32) as usize).unwrap_or(longest)
}

/// A little longer: many that fail together do not try again together.
fn jittered(pause: Duration, random: f64) -> Duration {
    pause.mul_f64(1.0 + random.clamp(0.0, 1.0) / 10.0)
}

/// Longest duration that is read: a clock can count on for so long without overflowing.
const AGES: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Reads a duration as Kubernetes writes it, such as `1h30m`, `15s` or `500ms`; `None` where the
/// text is none. The API server has checked the pattern, so only an absurd length is left, which is cut down to a century:
/// what waits as long as that waits for ever.
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_len = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let seconds = match &rest[..unit_len] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.saturating_add(Duration::try_from_secs_f64(number * seconds).unwrap_or(AGES)).min(AGES);
        rest = &rest[unit_len..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_is_never_faster_than_succeeding() {
        let interval = Duration::from_secs(15);
        for failures in 0..40 {
            for random in [0.0, 0.5, 1.0] {
                let pause = poll(interval, failures, random);
                assert!(pause >= poll(interval, 0, 0.0), "{failures} failures: {pause:?}");
                assert!(pause <= LONGEST.mul_f64(1.1), "{failures} failures: {pause:?}");
            }
        }
        let long = Duration::from_secs(7200);
        assert!(poll(long, 5, 0.0) >= long, "an interval beyond the longest pause stays");
    }

    #[test]
    fn retries_grow_and_are_bounded() {
        for fault in [Fault::Transient, Fault::Repository, Fault::Cluster, Fault::Internal] {
            let mut before = Duration::ZERO;
            for failures in 1..40 {
                let pause = retry(fault, failures, 0.0);
                assert!(pause >= before && pause <= LONGEST, "{fault:?} {failures}: {pause:?}");
                before = pause;
            }
        }
        assert_eq!(retry(Fault::Transient, 1, 0.0), FIRST_TRANSIENT);
        assert_eq!(retry(Fault::Repository, 1, 0.0), FIRST_LASTING);
    }

    #[test]
    fn durations_are_read_as_kubernetes_writes_them() {
        for (text, expected) in [
            ("15s", Some(15_000)),
            ("1h30m", Some(5_400_000)),
            ("500ms", Some(500)),
            ("1.5m", Some(90_000)),
            ("", None),
            ("15", None),
            ("s", None),
            ("1d", None),
        ] {
            assert_eq!(parse(text), expected.map(Duration::from_millis), "{text}");
        }
        for absurd in ["99999999999999999999h", "3000000000000000h", "3000000000000000h99999999999999999999h"] {
            let long = parse(absurd).expect("a duration");
            assert!(long == AGES && tokio::time::Instant::now().checked_add(long).is_some(), "{absurd}: {long:?}");
        }
    }
}

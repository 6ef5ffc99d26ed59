//! Permission to write.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Permission to change objects of Syncs. It is minted by a held lease in Enforce mode, or by a
/// person who confirmed; it follows the lease as it is renewed, and is dead once that is lost.
#[derive(Clone)]
pub struct WritePermit {
    shard: Arc<str>,
    transitions: u64,
    until: Arc<Mutex<Validity>>,
}

#[derive(Clone, Copy)]
enum Validity {
    /// By both clocks: a machine that slept sees its wall clock jump while the other stood.
    Until(Instant, SystemTime),
    Always,
    Ended,
}

/// A person at the keyboard has seen what will be done and said yes.
#[derive(Debug)]
pub struct Confirmed(());

impl Confirmed {
    /// To be called where the answer was read, and nowhere else.
    pub fn by_the_person_at_the_keyboard() -> Self {
        Self(())
    }
}

impl WritePermit {
    /// A permit for one command of a person, such as `tandem install`. There is no lease behind
    /// it: the person decides, and writes what they could write with kubectl.
    pub fn by_hand(_: &Confirmed) -> Self {
        Self { shard: "by-hand".into(), transitions: 0, until: Arc::new(Mutex::new(Validity::Always)) }
    }

    /// One whose lease was not renewed in time, for tests.
    #[cfg(test)]
    pub(crate) fn lapsed() -> Self {
        Self { shard: "0".into(), transitions: 0, until: Arc::new(Mutex::new(Validity::Ended)) }
    }

    /// The lease is renewed after all, for tests.
    #[cfg(test)]
    pub(crate) fn renew(&self) {
        self.set(Validity::Always);
    }

    pub(super) fn minted(shard: &str, transitions: u64, lasts: Duration) -> Self {
        let permit = Self { shard: shard.into(), transitions, until: Arc::new(Mutex::new(Validity::Ended)) };
        permit.set(Validity::Until(Instant::now() + lasts, SystemTime::now() + lasts));
        permit
    }

    /// Counts from before the renewal was sent.
    pub(super) fn extend(&self, since: Instant, wall: SystemTime, lasts: Duration) {
        self.set(Validity::Until(since + lasts, wall + lasts));
    }

    pub(super) fn end(&self) {
        self.set(Validity::Ended);
    }

    fn set(&self, validity: Validity) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = validity;
    }

    fn now(&self) -> Validity {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something may be sent under it now.
    pub fn valid(&self) -> bool {
        match self.now() {
            Validity::Always => true,
            Validity::Ended => false,
            Validity::Until(at, wall) => Instant::now() < at && SystemTime::now() < wall,
        }
    }

    /// The shard whose lease it comes from; `by-hand` for a person.
    pub fn shard(&self) -> &str {
        &self.shard
    }

    /// How often the lease has changed hands: the fencing number in logs and records.
    pub fn transitions(&self) -> u64 {
        self.transitions
    }

    /// When it ends unless it is renewed; `None` for a person's, and for one that has ended.
    pub fn expires(&self) -> Option<Instant> {
        match self.now() {
            Validity::Until(at, _) => Some(at),
            Validity::Always | Validity::Ended => None,
        }
    }
}

impl fmt::Debug for WritePermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WritePermit")
            .field("shard", &self.shard)
            .field("transitions", &self.transitions)
            .field("valid", &self.valid())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_permit_ends_unless_it_is_renewed() {
        let permit = WritePermit::minted("0", 3, Duration::from_secs(10));
        let copy = permit.clone();
        assert!(permit.valid());
        tokio::time::advance(Duration::from_secs(9)).await;
        permit.extend(Instant::now(), SystemTime::now(), Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(copy.valid(), "a copy follows the lease");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!permit.valid() && !copy.valid());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_lease_ends_all_copies_and_a_person_is_not_timed() {
        let permit = WritePermit::minted("0", 0, Duration::from_secs(10));
        let copy = permit.clone();
        permit.end();
        assert!(!copy.valid());
        let by_hand = WritePermit::by_hand(&Confirmed::by_the_person_at_the_keyboard());
        tokio::time::advance(Duration::from_secs(86_400)).await;
        assert!(by_hand.valid());
    }
}

//! Forges that asked to be left alone: whoever asks with the same token waits, whatever for.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// Until when each is left alone. A limit is one of the token, not of who uses it.
static UNTIL: LazyLock<Mutex<HashMap<Who, Instant>>> = LazyLock::new(Mutex::default);

/// An API and a token, by their digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Who([u8; 32]);

impl Who {
    /// Who asks this API with this token.
    pub fn new(api: &str, token: &str) -> Self {
        let mut digest = Sha256::new();
        // An address holds no NUL.
        for part in [api, "\0", token.trim()] {
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    /// It asks to be left alone for so long.
    pub fn leave(self, pause: Duration, now: Instant) {
        let mut all = UNTIL.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, until| now < *until);
        let until = all.entry(self).or_insert(now);
        *until = (*until).max(now + pause);
    }

    /// It may be asked again at once.
    #[cfg(test)]
    pub fn forgive(self) {
        UNTIL.lock().unwrap_or_else(PoisonError::into_inner).remove(&self);
    }

    /// For how long it is left alone still.
    pub fn left(self, now: Instant) -> Option<Duration> {
        let all = UNTIL.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&self).filter(|until| now < **until).map(|until| *until - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_use_a_token_wait_and_nobody_else() {
        let (who, now) = (Who::new("https://alone.example/api", "one\n"), Instant::now());
        assert_eq!(who.left(now), None);
        who.leave(Duration::from_secs(9), now);
        who.leave(Duration::from_secs(3), now);
        let other = Who::new("https://alone.example/api", "one");
        assert_eq!(other.left(now + Duration::from_secs(4)), Some(Duration::from_secs(5)), "the longest counts");
        assert_eq!(other.left(now + Duration::from_secs(9)), None);
        assert_eq!(Who::new("https://alone.example/api", "two").left(now), None);
        assert_eq!(Who::new("https://other.example/api", "one").left(now), None);
    }
}

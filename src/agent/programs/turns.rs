//! Who may start a program now: one who waits for a server that hangs keeps nobody else waiting.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::agent::turns::Turns as Each;
use crate::render::Ask;
use crate::revision::review::note::host;

/// Programs at a time that wait for others more than they work.
const WAITING: usize = 4;

/// Programs at a time.
#[derive(Debug)]
pub struct Turns {
    /// Those that work.
    working: Arc<Semaphore>,
    /// Those that bring charts, and those that decrypt.
    bringing: Arc<Semaphore>,
    decrypting: Arc<Semaphore>,
    /// One for each server, or each set of keys.
    each: Each,
}

/// While it is there, a program may run.
#[derive(Debug)]
pub struct Turn {
    _of_all: OwnedSemaphorePermit,
    _of_server: Option<OwnedSemaphorePermit>,
}

impl Default for Turns {
    fn default() -> Self {
        let some = |count| Arc::new(Semaphore::new(count));
        Self { working: some(1), bringing: some(WAITING), decrypting: some(WAITING), each: Each::new(1) }
    }
}

impl Turns {
    /// Waits for a turn; `None` where there are no more.
    pub async fn take(&self, ask: &Ask) -> Option<Turn> {
        let (server, all) = match ask {
            Ask::Chart(_) => (None, &self.working),
            Ask::Pull(remote) => (Some(host(&remote.repository)), &self.bringing),
            Ask::Decrypt(request) => {
                let keys = serde_json::to_vec(&request.keys).map(zeroize::Zeroizing::new).unwrap_or_default();
                let digest: String = Sha256::digest(&*keys).iter().map(|byte| format!("{byte:02x}")).collect();
                (Some(digest), &self.decrypting)
            }
        };
        // First that of the server: who waits for it takes nothing away from others.
        let of_server = match server {
            Some(server) => Some(self.each.take(&server).await?),
            None => None,
        };
        Some(Turn { _of_all: all.clone().acquire_owned().await.ok()?, _of_server: of_server })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::helm::Remote;

    fn pull(repository: &str) -> Ask {
        Ask::Pull(Box::new(Remote {
            repository: repository.to_owned(),
            name: "chart".to_owned(),
            version: None,
            digest: None,
            login: None,
            ca: None,
        }))
    }

    #[tokio::test]
    async fn a_server_that_hangs_keeps_nobody_else_waiting() {
        let turns = Turns::default();
        let hangs = turns.take(&pull("https://hangs.example/charts")).await.expect("a turn");
        let ask = pull("oci://HANGS.example/other");
        let again = turns.take(&ask);
        let mut again = std::pin::pin!(again);
        for _ in 0..10 {
            assert!(futures::poll!(&mut again).is_pending(), "one at a time");
            tokio::task::yield_now().await;
        }
        let other = turns.take(&pull("https://charts.example/")).await;
        assert!(other.is_some(), "another server is asked meanwhile");
        drop(hangs);
        assert!(again.await.is_some());
    }
}

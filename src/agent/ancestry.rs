//! How commits stand to one another, asked once for all Syncs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::failure::Failed;
use crate::revision::Ancestry;

use super::tip::Found;
use super::worker::Workers;

/// Answers that are kept, at most.
const KEPT: usize = 1000;

type Answer = Arc<OnceCell<Ancestry>>;

/// What is known of the ancestry of commits. Ancestry never changes, so answers are kept; what
/// could not be told is asked again.
#[derive(Default)]
pub struct Ancestries {
    known: Mutex<HashMap<(String, String), Answer>>,
}

impl Ancestries {
    /// How the found commit stands to the accepted one. Many Syncs ask the same at once: one of
    /// them asks the worker, the others wait for its answer.
    ///
    /// # Errors
    /// History cannot be read now.
    pub async fn between(&self, workers: &Workers, found: &Found, accepted: &str) -> Result<Ancestry, Failed> {
        let commits = (accepted.to_owned(), found.listed.revision.commit.clone());
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= KEPT {
                known.clear();
            }
            known.entry(commits.clone()).or_default().clone()
        };
        let answer = cell.get_or_try_init(|| workers.ancestry(&found.source, accepted, &found.listed)).await.copied();
        if !matches!(answer, Ok(Ancestry::Same | Ancestry::Descends | Ancestry::Rewound | Ancestry::Diverged)) {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&commits);
        }
        answer
    }
}

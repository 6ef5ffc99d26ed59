//! The freezes of commits, read once for all Syncs.

use std::sync::Arc;

use crate::failure::Failed;

use super::once::Once;
use super::worker::{Freezes, Workers};

/// Commits whose freezes are kept, at most.
const KEPT: usize = 100;

/// What is known of freezes. What a commit holds never changes, so answers are kept.
pub struct FreezeBook(Once<(String, String), Arc<Freezes>>);

impl Default for FreezeBook {
    fn default() -> Self {
        Self(Once::new(KEPT))
    }
}

impl FreezeBook {
    /// The freezes of a commit.
    ///
    /// # Errors
    /// The commit cannot be read now.
    pub async fn of(&self, workers: &Workers, url: &str, commit: &str) -> Result<Arc<Freezes>, Failed> {
        let cell = self.0.cell((url.to_owned(), commit.to_owned()));
        cell.get_or_try_init(async || workers.freezes(url, commit).await.map(Arc::new)).await.cloned()
    }
}

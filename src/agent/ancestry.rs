//! How commits stand to one another, asked once for all Syncs.

use crate::failure::Failed;
use crate::revision::Ancestry;

use super::once::Once;
use super::tip::Found;
use super::worker::Workers;

/// Answers that are kept, at most.
const KEPT: usize = 1000;

/// What is known of the ancestry of commits. Ancestry never changes, so answers are kept; what
/// could not be told is asked again.
pub struct Ancestries(Once<(String, String), Ancestry>);

impl Default for Ancestries {
    fn default() -> Self {
        Self(Once::new(KEPT))
    }
}

impl Ancestries {
    /// How the found commit stands to the accepted one.
    ///
    /// # Errors
    /// History cannot be read now.
    pub async fn between(&self, workers: &Workers, found: &Found, accepted: &str) -> Result<Ancestry, Failed> {
        let commits = (accepted.to_owned(), found.listed.revision.commit.clone());
        let cell = self.0.cell(commits.clone());
        let answer = cell.get_or_try_init(|| workers.ancestry(&found.source, accepted, &found.listed)).await.copied();
        if !matches!(answer, Ok(Ancestry::Same | Ancestry::Descends | Ancestry::Rewound | Ancestry::Diverged)) {
            self.0.forget(&commits);
        }
        answer
    }
}

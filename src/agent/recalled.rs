//! What stays known of a reviewed Repository, whatever becomes of what was found.

use std::sync::Arc;

use crate::failure::Failed;
use crate::revision::Revision;

use super::acceptance::Kept;
use super::repository::Watcher;
use super::reviewed::{Look, standing};
use super::tip::Found;

impl Watcher {
    /// The signed record.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) async fn kept(&mut self) -> Result<Kept, Failed> {
        if let Some(kept) = &self.progress.kept {
            return Ok(kept.clone());
        }
        let kept = self.world.seal.read(&self.world.cluster, &self.key).await?;
        self.progress.kept = Some(kept.clone());
        Ok(kept)
    }

    /// How far Syncs may follow while what was found is held: after a start, or another spec, nothing is known of that but
    /// the record.
    ///
    /// # Errors
    /// It cannot be told now.
    pub(super) async fn recall(&mut self, found: &Found) -> Result<(), Failed> {
        if self.repository.spec.review.is_none() || self.progress.standing.is_some() {
            return Ok(());
        }
        let kept = self.kept().await?;
        let Some(accepted) = self.progress.accepted() else { return Ok(()) };
        let newest = kept.record.and_then(|record| record.newest).as_deref().and_then(Revision::parse);
        let given = found.at(newest.unwrap_or_else(|| accepted.clone()));
        if let Some(hold) = self.review(&given, Look::Again).await? {
            tracing::warn!(repository = %self.key, revision = %given.listed.revision, why = hold.message, "Syncs have what is accepted for all");
        }
        if self.progress.standing.is_none() {
            self.progress.standing = Some(Arc::new(standing(accepted, Vec::new(), Vec::new())));
        }
        Ok(())
    }
}

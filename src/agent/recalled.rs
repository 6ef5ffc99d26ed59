//! What stays known of a reviewed Repository, whatever becomes of what was found.

use std::sync::Arc;

use crate::api::{AcceptanceRecord, WithdrawnApproval};
use crate::failure::Failed;
use crate::revision::Revision;
use crate::revision::review::Profile;
use crate::revision::review::note::Withdrawal;

use super::acceptance::Kept;
use super::foretold::taken_back;
use super::repository::Watcher;
use super::reviewed::{Look, standing};
use super::tip::Found;
use super::worker::{ReviewCheck, Reviewed};

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

    /// Asks what review says. What was taken back is written down before anything else is done with the answer.
    ///
    /// # Errors
    /// It cannot be judged, or not be written down.
    pub(super) async fn reviewed(&mut self, found: &Found, check: &ReviewCheck) -> Result<Reviewed, Failed> {
        let reviewed =
            self.world.workers.review(&found.source, &found.listed, check, &self.inquiry.ahead.notes()).await?;
        self.remember(&reviewed.withdrawals).await?;
        Ok(reviewed)
    }

    /// Writes down what was taken back on pull requests.
    ///
    /// # Errors
    /// It cannot be written; then it is tried again.
    pub(super) async fn remember_ahead(&mut self) -> Result<(), Failed> {
        let ahead = self.world.aheads.of(&self.key);
        let withdrawals = ahead.taken_back();
        if withdrawals.is_empty() || self.repository.spec.review.is_none() || self.kept().await?.record.is_none() {
            return Ok(());
        }
        self.remember(&withdrawals).await?;
        ahead.written(&withdrawals);
        Ok(())
    }

    /// Keeps what was taken back in the record, where that is new.
    async fn remember(&mut self, withdrawals: &[Withdrawal]) -> Result<(), Failed> {
        let kept = self.progress.kept.as_ref();
        let Some((kept, record)) = kept.and_then(|kept| Some((kept, kept.record.as_ref()?))) else { return Ok(()) };
        let next = taken_back(record.clone(), withdrawals);
        if next != *record {
            tracing::info!(repository = %self.key, withdrawn = next.withdrawn.len(), "approvals were taken back");
            self.progress.kept = Some(self.world.seal.keep(&self.world.cluster, &self.key, kept, next).await?);
        }
        Ok(())
    }

    /// Keeps that all is accepted up to a revision, of which so many steps lacked approval.
    pub(super) async fn keep(
        &mut self,
        accepted: &Revision,
        profile: Profile,
        (lacking, last): (usize, Option<&str>),
        record: AcceptanceRecord,
    ) -> Result<(), Failed> {
        let next = AcceptanceRecord {
            revision: accepted.to_string(),
            profile,
            unreviewed: record.unreviewed + lacking as u64,
            last_unreviewed: last.map(str::to_owned).or_else(|| record.last_unreviewed.clone()),
            ..record
        };
        let kept = self.progress.kept.take().unwrap_or_default();
        self.progress.kept = Some(if kept.record.as_ref() == Some(&next) {
            kept
        } else {
            self.world.seal.keep(&self.world.cluster, &self.key, &kept, next).await?
        });
        Ok(())
    }
}

/// What was taken back, as far as it was seen before.
pub(super) fn remembered(record: &AcceptanceRecord) -> Vec<Withdrawal> {
    let read = |withdrawn: &WithdrawnApproval| {
        let at = withdrawn.at.parse().ok()?;
        Some(Withdrawal { key: withdrawn.key.clone(), head: withdrawn.head.clone(), at })
    };
    record.withdrawn.iter().filter_map(read).collect()
}

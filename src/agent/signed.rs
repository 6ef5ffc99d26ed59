//! `spec.verify`: no Sync learns of a revision before all that leads to it is signed.
//!
//! The verdict is the Repository's, once for all Syncs, when a revision is first seen. What was verified is recorded in
//! the status, and the next revision is verified from there on: so a key that expires or is taken off the list later
//! holds nothing back that was let go before.

use crate::api::{Repository, VerifyMode};
use crate::failure::Failed;
use crate::report::facts::Hold;
use crate::report::reason::Reason;
use crate::revision::Revision;
use crate::revision::signature::KeyFile;

use super::repository::Watcher;
use super::tip::Found;
use super::worker::{Check, Verified};

/// The newest revision that was verified, with who signed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    verified: Option<(Revision, Option<String>)>,
}

impl Record {
    /// What the status of a Repository says.
    pub fn of(repository: &Repository) -> Self {
        let stored = repository.status.as_ref().and_then(|status| status.verified.as_ref());
        let read = stored.and_then(|stored| Some((Revision::parse(&stored.revision)?, stored.signer.clone())));
        Self { verified: read.filter(|_| repository.spec.verify.is_some()) }
    }

    /// The revision.
    pub fn revision(&self) -> Option<Revision> {
        self.verified.as_ref().map(|(revision, _)| revision.clone())
    }

    /// Its commit.
    pub fn commit(&self) -> Option<&str> {
        self.verified.as_ref().map(|(revision, _)| revision.commit.as_str())
    }

    /// As it is told.
    pub fn told(&self) -> Option<(Revision, Option<String>)> {
        self.verified.clone()
    }
}

impl Watcher {
    /// Whether a revision that was found must be held back.
    ///
    /// # Errors
    /// Its signatures cannot be judged now: it is as good as not found.
    pub(super) async fn verify(&mut self, found: &Found, keys: &[KeyFile]) -> Result<Option<Hold>, Failed> {
        let Some(verify) = self.repository.spec.verify.clone() else {
            self.record = Record::default();
            return Ok(None);
        };
        if self.record.commit() == Some(found.commit()) {
            return Ok(None);
        }
        // Every Sync is known, and so is what they have accepted.
        let _ = self.world.listed.clone().wait_for(|listed| *listed).await;
        let check = Check {
            keys: keys.to_vec(),
            tag: verify.mode != VerifyMode::Commits,
            commits: verify.mode != VerifyMode::Tag,
            since: self.since(verify.since),
            seen_at: found.seen_at,
        };
        let verified = self.world.workers.verify(&found.source, &found.listed, &check).await?;
        let revision = &found.listed.revision;
        if let Verified::Signed { by, commits } = verified {
            let signer = by.as_deref().unwrap_or_default();
            tracing::info!(repository = %self.key, %revision, commits, signer, "verified");
            self.record = Record { verified: Some((revision.clone(), by)) };
            return Ok(None);
        }
        let reason = verified.reason().unwrap_or(Reason::Held);
        tracing::warn!(repository = %self.key, %revision, %reason, why = %verified, "held");
        let message = format!("{revision} is held, and nothing of it is applied: {verified}");
        Ok(Some(Hold::new(reason, message)))
    }

    /// From where on commits must be signed: from what was verified, or the spec trusts; else from what each Sync has
    /// accepted. Where there is none of these, the new commit alone must be, as a tag vouches for what is before it.
    fn since(&self, trusted: Option<String>) -> Vec<Vec<String>> {
        let known: Vec<String> = self.record.commit().map(str::to_owned).into_iter().chain(trusted).collect();
        if !known.is_empty() {
            return vec![known];
        }
        self.world.registry.accepted_from(&self.key).into_iter().map(|commit| vec![commit]).collect()
    }
}

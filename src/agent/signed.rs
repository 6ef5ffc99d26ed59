//! `spec.verify`: no Sync learns of a revision before all that leads to it is signed.
//!
//! The verdict is the Repository's, once for all Syncs, when a revision is first seen. What was verified is recorded in
//! the status, under the agent's seal, and the next revision is verified from there on: so a key that expires or is taken off
//! the list later holds nothing back that was let go before.

use serde_json::json;

use crate::api::{Repository, VerifiedRevision, VerifyMode};
use crate::failure::Failed;
use crate::report::facts::Hold;
use crate::report::reason::Reason;
use crate::revision::Revision;
use crate::revision::signature::KeyFile;

use super::attested::Word;
use super::repository::Watcher;
use super::tip::{Found, Key};
use super::worker::{Check, Verified};
use super::world::World;

/// The newest revision that was verified, with who signed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    verified: Option<(Revision, VerifiedRevision)>,
}

impl Record {
    /// What the status of a Repository says, where this agent wrote it.
    pub fn of(world: &World, key: &Key, repository: &Repository) -> Self {
        let stored = repository.status.as_ref().and_then(|status| status.verified.clone());
        let read = stored.and_then(|stored| Some((Revision::parse(&stored.revision)?, stored)));
        let uid = repository.metadata.uid.as_deref();
        let mine =
            |(_, told): &(Revision, VerifiedRevision)| world.wrote(&word(key, told), (told.seal.as_deref(), told), uid);
        Self { verified: read.filter(|_| repository.spec.verify.is_some()).filter(mine) }
    }

    /// A revision was verified.
    fn new(world: &World, key: &Key, revision: Revision, signer: Option<String>) -> Self {
        let told = VerifiedRevision { revision: revision.to_string(), signer, seal: None };
        let seal = world.attest(&word(key, &told));
        Self { verified: Some((revision, VerifiedRevision { seal, ..told })) }
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
    pub fn told(&self) -> Option<VerifiedRevision> {
        self.verified.as_ref().map(|(_, told)| told.clone())
    }
}

fn word<'a>(key: &'a Key, told: &VerifiedRevision) -> Word<'a> {
    let value = json!({"revision": told.revision, "signer": told.signer});
    Word { kind: "Repository", key, field: "verified", value }
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
            since: self.since(verify.since).await?,
            seen_at: found.seen_at,
        };
        let verified = self.world.workers.verify(&found.source, &found.listed, &check).await?;
        let revision = &found.listed.revision;
        if let Verified::Signed { by, commits } = verified {
            let signer = by.as_deref().unwrap_or_default();
            tracing::info!(repository = %self.key, %revision, commits, signer, "verified");
            self.record = Record::new(&self.world, &self.key, revision.clone(), by);
            return Ok(None);
        }
        let reason = verified.reason().unwrap_or(Reason::Held);
        tracing::warn!(repository = %self.key, %revision, %reason, why = %verified, "held");
        let message = format!("{revision} is held, and nothing of it is applied: {verified}");
        Ok(Some(Hold::new(reason, message)))
    }

    /// From where on commits must be signed: from what was verified, or the spec trusts; else from what was accepted under
    /// review, or by each Sync. Where there is none of these, the new commit alone must be, as a tag vouches for what is
    /// before it.
    ///
    /// # Errors
    /// What was accepted under review cannot be read.
    async fn since(&self, trusted: Option<String>) -> Result<Vec<Vec<String>>, Failed> {
        let known: Vec<String> = self.record.commit().map(str::to_owned).into_iter().chain(trusted).collect();
        if !known.is_empty() {
            return Ok(vec![known]);
        }
        if self.repository.spec.review.is_some() {
            let accepted = match self.progress.accepted() {
                Some(accepted) => Some(accepted),
                None => self.world.seal.read(&self.world.cluster, &self.key).await?.revision(),
            };
            if let Some(accepted) = accepted {
                return Ok(vec![vec![accepted.commit]]);
            }
        }
        Ok(self.world.registry.accepted_from(&self.key).into_iter().map(|commit| vec![commit]).collect())
    }
}

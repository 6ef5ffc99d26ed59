//! A merge that is held for want of an approved plan is told on the pull request that it came by.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::agent::dependency::Awaited;
use crate::forge::{Forge, ForgeError};
use crate::report::proposed::held::{Held, Merged};
use crate::report::proposed::is_shown;

use super::{Broken, Teller, broken};

/// What was told of a commit.
pub(super) struct Told {
    /// The pull request; none where the forge knows of none.
    proposal: Option<u64>,
    text: String,
}

impl Teller {
    /// Tells what is held, where that is news.
    pub(super) async fn tell_held(&mut self, forge: &Forge) -> Result<(), Broken> {
        let mut commits: BTreeMap<String, Vec<(String, Arc<Awaited>)>> = BTreeMap::new();
        for (sync, awaited) in self.world.registry.awaited_plans(&self.key) {
            commits.entry(awaited.commit.clone()).or_default().push((sync, awaited));
        }
        // Those that are held no more are told so once.
        for commit in self.held.keys() {
            commits.entry(commit.clone()).or_default();
        }
        if commits.is_empty() {
            return Ok(());
        }
        let Some(me) = self.known(forge).await? else { return Ok(()) };
        for (commit, waiting) in commits {
            let held = waiting.iter().map(|(sync, awaited)| Held { sync, why: &awaited.why, plan: &awaited.plan });
            let group = self.settings.group.as_deref();
            let merged = Merged { cluster: &self.world.name, group, commit: &commit, held: held.collect() };
            let (mark, text) = (merged.mark(), merged.text());
            let told = self.held.get(&commit);
            if told.is_none_or(|told| told.text != text) {
                let proposal = match told {
                    Some(told) => told.proposal,
                    None => self.merged_by(forge, &commit).await?,
                };
                if let Some(proposal) = proposal {
                    let shown = forge.comment(proposal, me, &mark).await.map_err(|error| broken(&error))?;
                    if !shown.as_ref().is_some_and(|shown| is_shown(&shown.body, &text)) {
                        let earlier = shown.map(|shown| shown.id);
                        forge.say(proposal, earlier, &text).await.map_err(|error| broken(&error))?;
                        tracing::info!(repository = %self.key, proposal, commit, "what is held is told");
                    }
                }
                self.held.insert(commit.clone(), Told { proposal, text });
            }
            if waiting.is_empty() {
                self.held.remove(&commit);
            }
        }
        Ok(())
    }

    /// Number of the account that tells, where it is known without a word.
    async fn known(&self, forge: &Forge) -> Result<Option<u64>, Broken> {
        match forge.me().await {
            Err(ForgeError::Refused(_, 403)) => Ok(self.app),
            me => me.map(Some).map_err(|error| broken(&error)),
        }
    }

    async fn merged_by(&self, forge: &Forge, commit: &str) -> Result<Option<u64>, Broken> {
        let said = forge.proposals(commit).await.map_err(|error| broken(&error))?;
        Ok(said.proposals.iter().find(|proposal| proposal.merged_at.is_some()).map(|proposal| proposal.number))
    }
}

//! Freezes, for one Sync: while one lasts, no other commit is deployed than the one that is.

use jiff::Timestamp;

use crate::agent::worker::{Freezes, Since};
use crate::failure::Failed;
use crate::object::Problem;
use crate::render::ReadSet;
use crate::report::facts::{Hold, Stage};
use crate::report::reason::Reason;
use crate::revision::freeze::{OVERRIDE, frozen, left, overrides};

use super::Unit;
use super::pass::{Stop, Target};

impl Unit {
    /// Whether no freeze holds this commit. What is accepted stays healed, and a Sync that has deployed nothing yet
    /// begins: else nothing could be set up anew while one lasts.
    pub(super) async fn unfrozen(&mut self, target: &Target, read: &ReadSet) -> Result<(), Stop> {
        let Some(accepted) = &self.facts.accepted else { return Ok(()) };
        if accepted.commit == target.found.commit() {
            return Ok(());
        }
        let failed = |failed: Failed| Stop::Failed(Stage::Plan, failed);
        let found = self.freezes(target).await.map_err(failed)?;
        let revision = &target.found.listed.revision;
        if !found.problems.is_empty() {
            let told: Vec<_> = found.problems.iter().take(3).map(ToString::to_string).collect();
            let message = format!("{revision} is held: whether there is a freeze cannot be told: {}", told.join("; "));
            return Err(Stop::Hold(Hold { problems: found.problems, ..Hold::new(Reason::FreezeInvalid, message) }));
        }
        let now = Timestamp::now();
        if frozen(&found.freezes, None, now).is_empty() {
            // Which is nearly always so, and costs no question.
            return Ok(());
        }
        let since = Since {
            from: self.facts.applied.as_ref().unwrap_or(accepted).commit.clone(),
            to: target.found.commit().to_owned(),
            without: self.unapproved(target),
        };
        let changes = self.world.workers.changes(&target.found.source.url, since, read).await.map_err(failed)?;
        let mut lasting = frozen(&found.freezes, Some(&changes.paths), now);
        lasting.retain(|frozen| {
            let by = changes
                .said
                .iter()
                .find(|commit| commit.trailers.iter().any(|t| overrides(&t.key, &t.value, &frozen.name)));
            if let Some(by) = by {
                let (freeze, by) = (&frozen.name, &by.commit.commit);
                tracing::warn!(sync = %self.key, freeze, %revision, by, "deployed in spite of a freeze");
            }
            by.is_none()
        });
        let Some(until) = lasting.iter().map(|frozen| frozen.until).max() else { return Ok(()) };
        let told: Vec<_> = lasting.iter().map(|frozen| frozen.told.as_str()).collect();
        let names: Vec<_> = lasting.iter().map(|frozen| frozen.name.as_str()).collect();
        let message = format!(
            "{revision} is held: {}; hint: wait, or say \"{OVERRIDE}: {} <why>\" in the commit",
            told.join("; "),
            names[0]
        );
        self.again_within(left(until, now));
        Err(Stop::Hold(Hold::new(Reason::Frozen, message)))
    }

    /// The freezes that count: those of the new commit, and under review those of what is accepted, so that nobody takes
    /// one away by what is to go in spite of it.
    async fn freezes(&self, target: &Target) -> Result<Freezes, Failed> {
        let url = &target.found.source.url;
        let mut commits = vec![target.found.commit().to_owned()];
        commits.extend(self.review_standing().map(|standing| standing.accepted.commit.clone()));
        commits.dedup();
        let mut all = Freezes::default();
        for commit in commits {
            let found = self.world.freezes.of(&self.world.workers, url, &commit).await?;
            all.freezes.extend(found.freezes.iter().cloned());
            let new = |problem: &&Problem| !all.problems.contains(problem);
            let new: Vec<_> = found.problems.iter().filter(new).cloned().collect();
            all.problems.extend(new);
        }
        Ok(all)
    }
}

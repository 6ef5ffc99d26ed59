//! What was found, and what of it Syncs may have.

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::Failed;
use crate::report::facts::Hold;
use crate::revision::review::floor::Floor;
use crate::revision::signature::KeyFile;

use super::repository::Watcher;
use super::reviewed::{self, Look};
use super::tip::{Found, Withheld};

/// What waits is judged again after so long, though nothing is known to have changed: some things change with the time.
const ANYWAY: Duration = Duration::from_secs(300);

impl Watcher {
    /// Whether Syncs may have what was found. What is asked of everybody comes before what is written down as accepted.
    pub(super) async fn judge(
        &mut self,
        found: &Found,
        floors: &[(String, Floor)],
        keys: &[KeyFile],
    ) -> Result<Option<Hold>, Failed> {
        self.remember_ahead().await?;
        let hold = self.all_asked(found, floors, keys).await?;
        if hold.is_some() {
            self.recall(found).await?;
        }
        Ok(hold)
    }

    async fn all_asked(
        &mut self,
        found: &Found,
        floors: &[(String, Floor)],
        keys: &[KeyFile],
    ) -> Result<Option<Hold>, Failed> {
        if let Some(hold) = self.below_standard(found, floors) {
            return Ok(Some(hold));
        }
        if let Some(hold) = self.checks(found).await? {
            return Ok(Some(hold));
        }
        match self.verify(found, keys).await? {
            None => self.review(found, Look::New).await,
            hold => Ok(hold),
        }
    }

    /// The same revision once more, where something waits for approval or checks, and something may have changed for it: a
    /// note moved, it is time to ask the forge, or somebody says so. Whether there is news.
    pub(super) async fn look_again(&mut self, keys: &[KeyFile]) -> Result<bool, Failed> {
        self.remember_ahead().await?;
        if !self.may_differ(Instant::now()) {
            return Ok(false);
        }
        self.looked = None;
        // What comes meanwhile was not looked at.
        let shown = self.shown();
        let news = self.judge_again(keys).await?;
        self.looked = Some((shown, Instant::now()));
        Ok(news)
    }

    /// Where notes are, and what of them is waited for: a note may be there before a Sync knows that it needs it.
    pub(super) fn shown(&self) -> String {
        let plans = self.world.registry.awaited_plans(&self.key);
        let awaited = plans.into_iter().map(|(sync, awaited)| format!(" {sync} {} {}", awaited.commit, awaited.why));
        std::iter::once(self.inquiry.ahead.notes()).chain(awaited).collect()
    }

    fn may_differ(&self, now: Instant) -> bool {
        let is_due = |next: Option<Instant>| next.is_some_and(|next| next <= now);
        let shown = self.shown();
        let same = |(before, at): &(String, Instant)| *before == shown && now < *at + ANYWAY;
        !self.looked.as_ref().is_some_and(same)
            || self.inquiry.urgent
            || is_due(self.inquiry.next())
            || is_due(self.hearing.next())
    }

    async fn judge_again(&mut self, keys: &[KeyFile]) -> Result<bool, Failed> {
        if let Some(found) = self.withheld.as_ref().filter(|_| self.waits_for_checks()).map(|w| w.found.clone()) {
            let floors = self.floors.clone();
            let hold = self.judge(&found, &floors, keys).await?;
            return Ok(self.take(found, hold));
        }
        let found = self.withheld.as_ref().map(|withheld| withheld.found.clone()).or_else(|| self.found.clone());
        let Some(found) = found.filter(|_| self.waits_for_approval()) else { return Ok(false) };
        let hold = self.review(&found, Look::New).await?;
        Ok(self.take(found, hold))
    }

    /// Whether an approval would change something.
    fn waits_for_approval(&self) -> bool {
        self.progress.waits() || self.waits_for_review() || !self.world.registry.awaited_plans(&self.key).is_empty()
    }

    /// Whether review holds all of what was found.
    fn waits_for_review(&self) -> bool {
        self.repository.spec.review.is_some()
            && self.withheld.as_ref().is_some_and(|withheld| reviewed::is_of_review(&withheld.hold))
    }

    /// Takes what was found and judged; whether that changes what Syncs are told.
    pub(super) fn take(&mut self, found: Found, hold: Option<Hold>) -> bool {
        let revision = |found: &Option<Found>| found.as_ref().map(|found| found.listed.revision.clone());
        let told = |withheld: &Option<Withheld>| withheld.as_ref().map(|withheld| withheld.hold.clone());
        let before = (revision(&self.found), told(&self.withheld), self.told_standing.clone());
        self.told_standing.clone_from(&self.progress.standing);
        match hold {
            None => (self.found, self.withheld) = (Some(found), None),
            Some(hold) => {
                let accepted = match self.repository.spec.review {
                    Some(_) => self.progress.given(),
                    None if self.repository.spec.verify.is_some() => self.record.revision(),
                    // It was let pass by all that is asked.
                    None => self.found.as_ref().map(|known| known.listed.revision.clone()),
                };
                // What passed all that is asked is all that they may have, also after a restart.
                let at = |revision| match self.found.take().filter(|known| known.listed.revision == revision) {
                    Some(known) => Found { source: found.source.clone(), ..known },
                    None => found.at(revision),
                };
                self.found = accepted.map(at);
                self.withheld = Some(Withheld { found, hold });
            }
        }
        before != (revision(&self.found), told(&self.withheld), self.told_standing.clone())
    }
}

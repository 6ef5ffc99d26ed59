//! Review, for one Sync: what lacks approval holds it where it reads what that changes.

use std::sync::Arc;

use jiff::Timestamp;

use crate::agent::inputs::unpinned;
use crate::agent::standing::Standing;
use crate::agent::tip::Tip;
use crate::render::ReadSet;
use crate::report::facts::{Hold, Stage};
use crate::report::reason::Reason;
use crate::revision::Revision;

use super::Unit;
use super::pass::{Aim, Stop, Target};

impl Unit {
    /// How far its Repository may be followed, where review is asked for.
    pub(super) fn review_standing(&self) -> Option<Arc<Standing>> {
        self.tip.as_ref()?.standing.clone()
    }

    /// Whether no step up to this commit that lacks approval changes what was read before, or is read now.
    pub(super) fn approved(&mut self, target: &Target, read: &ReadSet) -> Result<(), Stop> {
        let Some(standing) = self.review_standing() else { return Ok(()) };
        let before = self.read_set.clone();
        let sets: Vec<&ReadSet> = std::iter::once(read).chain(before.as_deref()).collect();
        match standing.blocking(target.found.commit(), &sets, Timestamp::now()) {
            Some(judged) => Err(Stop::Hold(Standing::hold(&target.found.listed.revision, judged))),
            None => Ok(()),
        }
    }

    /// Whether this Sync renders with nothing that stands in no commit, where its Repository asks for that. Nor is it
    /// healed then: what is healed to is rendered with the same.
    pub(super) fn pinned(&self) -> Result<(), Stop> {
        if !self.tip.as_ref().is_some_and(|tip| tip.pinned) {
            return Ok(());
        }
        let open = unpinned(&self.sync.spec);
        if open.is_empty() {
            return Ok(());
        }
        let message = format!(
            "held under review: {}, which no commit holds; hint: write it into the repository, a chart with its digest, or permit it by review.inputs: Any in the Repository",
            open.join(", ")
        );
        Err(Stop::Hold(Hold::new(Reason::InputsUnreviewed, message)))
    }

    /// Whether what is applied went ahead of its review, and nobody else has approved it yet.
    pub(super) fn went_ahead(&self) -> bool {
        let (Some(standing), Some(applied), Some(read)) = (self.review_standing(), &self.facts.applied, &self.read_set)
        else {
            return false;
        };
        standing.went_ahead(&applied.commit, read)
    }

    /// Steps up to this commit that lack approval: what their messages say counts for nothing.
    pub(super) fn unapproved(&self, target: &Target) -> Vec<String> {
        let standing = self.review_standing();
        standing.iter().flat_map(|standing| standing.unapproved(target.found.commit())).map(str::to_owned).collect()
    }

    /// What may be healed to, under review.
    pub(super) async fn healed(&self, tip: &Tip, standing: &Standing, named: Revision) -> Result<Revision, Stop> {
        let found = tip.at(standing.accepted.clone());
        let past = match found.filter(|_| !standing.knows(&named)) {
            // It was accepted before, and what came after it is held for another reason than review.
            Some(found) => {
                let url = &found.source.url;
                let past = self.world.workers.on_mainline(url, &named.commit, found.commit()).await;
                past.map_err(|failed| Stop::Failed(Stage::Fetch, failed))?
            }
            None => false,
        };
        Ok(if past { named } else { standing.healed(named, self.read_set.as_deref()) })
    }

    /// Where the newest commit is held and nothing was ever accepted here, what is accepted for all is applied.
    pub(super) async fn at_least_accepted(&mut self, end: Result<(), Stop>) -> Result<(), Stop> {
        let Err(Stop::Hold(hold)) = end else { return end };
        let Some(standing) = self.review_standing().filter(|_| self.facts.accepted.is_none()) else {
            return Err(Stop::Hold(hold));
        };
        let found = self.tip.as_ref().and_then(|tip| tip.at(standing.accepted.clone()));
        if let Some(found) = found.filter(|found| *found.commit() != *self.newest()) {
            let end = match self.target(found, Aim::Newest) {
                Ok(target) => self.attempt(&target).await,
                Err(stop) => Err(stop),
            };
            self.note_end(end);
        }
        Err(Stop::Hold(hold))
    }

    fn newest(&self) -> String {
        let found = self.tip.as_ref().and_then(|tip| tip.found.as_ref());
        found.map(|found| found.commit().to_owned()).unwrap_or_default()
    }
}

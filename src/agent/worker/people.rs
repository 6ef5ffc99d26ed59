//! The loop's side of what people said: questions about reviews, proposals and coverage.

use std::collections::BTreeMap;

use super::client::{Workers, nonsense};
use super::coverage::CoverageCheck;
use super::foreseen::Foreseen;
use super::proposed::{Proposed, Trial};
use super::protocol::{Part, Question};
use super::review::{ReviewCheck, Reviewed};
use crate::failure::Failed;
use crate::git::{Listed, Source};
use crate::revision::checks::Said;
use crate::revision::proposal::Evidence;
use crate::revision::review::note::Withdrawal;

impl Workers {
    /// Whether each step that leads to what was found (and fetched) is approved. Asks the remote for notes, unless they were
    /// fetched since they were listed as `notes`, for heads of proposals, and for more history where the cache does not know
    /// enough.
    pub async fn review(
        &self,
        source: &Source,
        found: &Listed,
        check: &ReviewCheck,
        notes: &str,
    ) -> Result<Reviewed, Failed> {
        let notes = (!notes.is_empty()).then(|| notes.to_owned());
        let question = Question::Review { source: source.clone(), found: found.clone(), check: check.clone(), notes };
        match self.ask_remote(source, question, 8).await? {
            Part::Reviewed(reviewed) => Ok(*reviewed),
            _ => Err(nonsense()),
        }
    }

    /// What coverage files say of commits. Asks the remote for its notes.
    pub async fn coverage(
        &self,
        source: &Source,
        check: &CoverageCheck,
    ) -> Result<BTreeMap<String, Vec<Said>>, Failed> {
        let question = Question::Coverage { source: source.clone(), check: check.clone() };
        match self.ask_remote(source, question, 2).await? {
            Part::Coverage(said) => Ok(said),
            _ => Err(nonsense()),
        }
    }

    /// What merging a proposal into what was listed (and fetched) would change. Asks the remote for its head, and for
    /// more history where the cache does not know enough.
    pub async fn propose(&self, source: &Source, listed: &Listed, proposed: &Proposed) -> Result<Trial, Failed> {
        let question = Question::Propose { source: source.clone(), listed: listed.clone(), proposed: proposed.clone() };
        match self.ask_remote(source, question, 6).await? {
            Part::Trial(trial) => Ok(trial),
            _ => Err(nonsense()),
        }
    }

    /// What review would say of a proposal if it were merged into what was listed (and fetched). `said` is what the forge
    /// says of it. With all that was taken back, as far as it was ever seen. Asks the remote for its head and for notes.
    pub async fn foresee(
        &self,
        source: &Source,
        listed: &Listed,
        (proposed, said): (&Proposed, &Evidence),
        check: &ReviewCheck,
    ) -> Result<(Foreseen, Vec<Withdrawal>), Failed> {
        let (proposed, said, check) = (proposed.clone(), said.clone(), check.clone());
        let question = Question::Foresee { source: source.clone(), listed: listed.clone(), proposed, said, check };
        match self.ask_remote(source, question, 8).await? {
            Part::Foreseen(foreseen, withdrawals) => Ok((foreseen, withdrawals)),
            _ => Err(nonsense()),
        }
    }
}

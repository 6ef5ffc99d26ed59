//! What review would say of a pull request if it were merged now: our own merge of it becomes a commit in memory, and is
//! judged as every step of the mainline is. So what is told before the merge and what holds after it are one decision.

use std::collections::BTreeMap;

use git2::Repository;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::proposed::{Attempt, Proposed, attempt};
use super::review::{Judged, ReviewCheck, Way, review};
use super::verify::Objects;
use crate::failure::Failed;
use crate::git::{self, Cache, GitError, InMemory, Listed, Source};
use crate::revision::proposal::{Evidence, Proposal};
use crate::revision::review::note::Withdrawal;

/// What would become of a proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Foreseen {
    /// It is judged like this.
    Judged {
        /// The merge.
        judged: Box<Judged>,
        /// The first commit of the branch before it that lacks approval: what reads what that changes waits for it, too.
        behind: Option<String>,
    },
    /// It does not merge: both sides changed the same.
    Conflicts,
    /// What the forge says of it is of another head than the remote hands out.
    Moved,
    /// It cannot be told, and why.
    Unknown(String),
}

/// Judges the merge of a proposal that is open. `said` is what the forge says of it. With all that was taken back, as far
/// as it was ever seen.
///
/// # Errors
/// The repository or its remote cannot be read.
pub(super) fn foresee(
    (cache, source, listed): (&Cache, &Source, &Listed),
    asked: &Proposed,
    said: &Evidence,
    check: &ReviewCheck,
) -> Result<(Foreseen, Vec<Withdrawal>), Failed> {
    let of = |error: GitError| Failed::from(&error);
    let url = &source.url;
    let only = |foreseen| Ok((foreseen, check.withdrawals.clone()));
    let Some(proposal) = said.proposals.first().filter(|one| is_open_at(one, &asked.head)) else {
        return only(Foreseen::Moved);
    };
    let made = match attempt(cache, source, listed, asked).map_err(of)? {
        Attempt::Made(made) => made,
        Attempt::Conflicts => return only(Foreseen::Conflicts),
        Attempt::Moved => return only(Foreseen::Moved),
        Attempt::Unknown(why) => return only(Foreseen::Unknown(why)),
    };
    git::fetch_notes(cache, source, None).map_err(of)?;
    let base = &listed.revision.commit;
    let commit = made.commit(url, base, &asked.head).map_err(of)?;
    let merged = Evidence { proposals: vec![as_merged(proposal, &commit)], failed: None, ..said.clone() };
    let evidence = check.evidence.clone().into_iter().chain([(commit.clone(), merged)]).collect::<BTreeMap<_, _>>();
    let reviewed = review(&InHand { made: &made, url }, &commit, &ReviewCheck { evidence, ..check.clone() })?;
    let mut steps = reviewed.steps;
    let last = steps.pop();
    let behind = steps.into_iter().find(|step| !step.is_approved()).map(|step| step.commit);
    let foreseen = match (reviewed.way, last) {
        (Way::Mainline, Some(judged)) => Foreseen::Judged { judged: Box::new(judged), behind },
        (Way::NoOwners(why) | Way::Unknown(why), _) => Foreseen::Unknown(why),
        (Way::Gone, _) => Foreseen::Unknown("what was accepted is not at hand".to_owned()),
        (Way::Elsewhere | Way::Mainline, _) => {
            Foreseen::Unknown("the branch does not follow what was accepted".to_owned())
        }
    };
    Ok((foreseen, reviewed.withdrawals))
}

fn is_open_at(proposal: &Proposal, head: &str) -> bool {
    proposal.merged_at.is_none() && proposal.head.as_deref() == Some(head)
}

/// The same as if it had been merged by a commit, after all that was said of it: the forge's clock may be ahead of ours.
fn as_merged(proposal: &Proposal, commit: &str) -> Proposal {
    Proposal {
        merged_at: Some(Timestamp::MAX),
        merge_commit: Some(commit.to_owned()),
        squash_commit: None,
        by_hand: false,
        ..proposal.clone()
    }
}

/// The repository with a merge that is in memory alone. What lies further back than the cache has is not asked for: the
/// branch itself was judged already.
struct InHand<'a> {
    made: &'a InMemory,
    url: &'a str,
}

impl Objects for InHand<'_> {
    fn open<T>(&self, work: impl FnOnce(&Repository) -> Result<T, GitError>) -> Result<T, GitError> {
        work(self.made.repository())
    }

    fn deepen(&self, _step: usize) -> Result<bool, GitError> {
        Ok(false)
    }

    fn fetch_tag(&self) -> Result<bool, GitError> {
        Ok(false)
    }

    fn url(&self) -> &str {
        self.url
    }
}

//! Pull requests and merge requests: what a forge says of one, and what of that counts as approval of a step.
//!
//! A forge is believed in what only it can know: who reviewed, who may write, who pushed, what was merged when. That a
//! step of the mainline is the merge of a proposal is not taken on its word: [`bind`] asks that our own merge of the
//! step's parent and the proposal's head gives the step's tree. Then [`count`] says which reviews are approvals of
//! exactly that head. What they are worth is decided where signed approvals are judged, too ([`super::review::judge`]).

mod bind;
mod count;

pub use bind::{Bound, Facts, Merged, bind, claims};
pub use count::{Counted, count, joined, unanswered};

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a proposal has to belong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Host of the forge, as accounts of the owners file name it.
    pub forge: String,
    /// Number of the repository there; it stays when the repository is renamed.
    pub repository: u64,
    /// Full name of the reference that is deployed.
    pub reference: String,
}

/// What a forge says of one pull or merge request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// What people call it.
    pub number: u64,
    /// Number of the repository that it was made to; none where the forge does not say.
    pub repository: Option<u64>,
    /// Full name of the reference that it was made to.
    pub target: String,
    /// When it was merged; none while it is not.
    pub merged_at: Option<Timestamp>,
    /// The commit by which it was merged; none where its own commits went to the mainline.
    pub merge_commit: Option<String>,
    /// The one commit that its commits were made of before they were merged, where the forge made one.
    pub squash_commit: Option<String>,
    /// Somebody marked it as merged, or pushed the merge themselves.
    pub by_hand: bool,
    /// The commit that was merged.
    pub head: Option<String>,
    /// A reference of the remote that leads to this commit.
    pub head_reference: String,
    /// The newest commit of the target that it was shown against.
    pub base: Option<String>,
    /// Who opened it.
    pub opener: Option<u64>,
    /// Whom the forge knows as authors and committers of its commits.
    pub authors: BTreeSet<u64>,
    /// Who pushed its commits; none where that is not known of all.
    pub pushers: Option<BTreeSet<u64>>,
    /// When what it was compared with was changed for the last time: another target, or a rewritten one.
    pub retargeted: Option<Timestamp>,
    /// Heads that it had, oldest first, where reviews do not name theirs.
    pub versions: Vec<Version>,
    /// Reviews, oldest first.
    pub reviews: Vec<Review>,
}

/// A head that a proposal had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The commit.
    pub head: String,
    /// Since when.
    pub at: Timestamp,
}

/// What somebody said of a proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Number of their account; none where it is gone.
    pub by: Option<u64>,
    /// What that account is called, as the answer with its number says; none where it does not.
    pub login: Option<String>,
    /// Whether that is a program.
    pub bot: bool,
    /// What.
    pub says: Says,
    /// Of which commit, where the review itself names it.
    pub head: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
    /// Whether they may write to the repository.
    pub may_write: bool,
}

/// What a review says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Says {
    /// It approves.
    Approved,
    /// It asks for changes.
    Objected,
    /// It was dismissed, or taken back.
    Dismissed,
}

/// What a forge answered about one commit of the mainline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Host of the forge, as accounts of the owners file name it.
    pub forge: String,
    /// Number of the repository that was asked.
    pub repository: u64,
    /// The proposals that it names with the commit.
    pub proposals: Vec<Proposal>,
    /// Since when it has been asked about the commit.
    pub since: Timestamp,
    /// Why it could not be asked the last time.
    pub failed: Option<String>,
}

impl Evidence {
    /// Where its proposals have to belong, where this reference is deployed.
    pub fn place(&self, reference: &str) -> Place {
        Place { forge: self.forge.clone(), repository: self.repository, reference: reference.to_owned() }
    }
}

/// Why a proposal, or a review of it, is no approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Flaw {
    /// The forge could not be asked.
    ForgeUnavailable,
    /// The forge does not know yet by which proposal the commit came.
    ProposalPending,
    /// The commit came by no proposal.
    NoProposal,
    /// It was made to another repository.
    OtherRepository,
    /// It was made to another branch.
    OtherReference,
    /// It is not merged.
    NotMerged,
    /// It was merged by another commit: a proposal covers one step.
    OtherMerge,
    /// It was not merged by the forge.
    MarkedByHand,
    /// It is not known which commit was merged, or approved.
    HeadUnknown,
    /// The remote does not hand the merged commit out.
    HeadUnavailable,
    /// The merge has more than two parents.
    Octopus,
    /// The merge has its parents the other way round.
    SwappedParents,
    /// The merge is one of something else.
    OtherParent,
    /// Our own merge of the same commits has conflicts.
    Conflicted,
    /// The merge holds something else than our own of the same commits.
    UnequalTree,
    /// Its commits went to the mainline as they are, and it is not known where they begin.
    BaseUnknown,
    /// History is not known far enough to merge the same commits ourselves.
    HistoryUnknown,
    /// It approves another commit.
    OtherHead,
    /// It is older than the last change of what the proposal was compared with.
    Retargeted,
    /// It came when the proposal was merged already.
    AfterMerge,
    /// It was dismissed, or taken back.
    Dismissed,
    /// The same person asked for changes later.
    Objected,
    /// It is by somebody who may not write to the repository.
    NoWriteAccess,
    /// It is by a program that the owners file does not list.
    BotNotListed,
    /// It is by an account that is gone.
    AccountGone,
    /// It is not known who pushed: one approval more is needed.
    PusherUnknown,
}

impl Flaw {
    /// Stable CamelCase name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ForgeUnavailable => "ForgeUnavailable",
            Self::ProposalPending => "ProposalPending",
            Self::NoProposal => "NoProposal",
            Self::OtherRepository => "OtherRepository",
            Self::OtherReference => "OtherReference",
            Self::NotMerged => "NotMerged",
            Self::OtherMerge => "OtherMerge",
            Self::MarkedByHand => "MarkedByHand",
            Self::HeadUnknown => "HeadUnknown",
            Self::HeadUnavailable => "HeadUnavailable",
            Self::Octopus => "Octopus",
            Self::SwappedParents => "SwappedParents",
            Self::OtherParent => "OtherParent",
            Self::Conflicted => "Conflicted",
            Self::UnequalTree => "UnequalTree",
            Self::BaseUnknown => "BaseUnknown",
            Self::HistoryUnknown => "HistoryUnknown",
            Self::OtherHead => "OtherHead",
            Self::Retargeted => "Retargeted",
            Self::AfterMerge => "AfterMerge",
            Self::Dismissed => "Dismissed",
            Self::Objected => "Objected",
            Self::NoWriteAccess => "NoWriteAccess",
            Self::BotNotListed => "BotNotListed",
            Self::AccountGone => "AccountGone",
            Self::PusherUnknown => "PusherUnknown",
        }
    }
}

/// Something that is no approval here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Why.
    pub flaw: Flaw,
    /// The same in words.
    pub why: String,
}

impl Refused {
    /// With words that name what is meant.
    pub fn new(flaw: Flaw, why: impl Into<String>) -> Self {
        Self { flaw, why: why.into() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.why, self.flaw.as_str())
    }
}

#[cfg(test)]
mod tests;

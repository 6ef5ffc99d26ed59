//! Whether a step of the mainline is the merge of a proposal.

use serde::{Deserialize, Serialize};

use super::{Flaw, Place, Proposal, Refused};

/// What Git shows of the commits that may be the merge of a proposal, and of its head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The commit of the mainline that they follow.
    pub parent: String,
    /// The commits, oldest first, each with its parents. The last one is where the proposal landed.
    pub steps: Vec<(String, Vec<String>)>,
    /// Root tree of the last one.
    pub tree: String,
    /// Our own merge of `parent` and the proposal's head.
    pub merged: Merged,
    /// How many commits that are no merges the head brings to `parent`.
    pub brings: usize,
    /// Whether one of the commits before the last is in the head already: then those who approved may not have been shown
    /// it.
    pub shown_before: bool,
    /// The one commit where the head left the line of `parent`, where it is known.
    pub fork: Option<String>,
    /// Whether `parent` is what the forge says that the proposal was shown against, or came after that.
    pub since_base: bool,
}

/// What a merge of two commits gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Merged {
    /// This tree.
    Tree(String),
    /// Both changed the same.
    Conflicts,
    /// Where they parted is not known, or not one commit.
    Unknown(String),
    /// The remote does not hand the head out.
    Absent,
}

/// A proposal that a part of the mainline was proven to be the merge of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Its number.
    pub number: u64,
    /// Its head: approvals of this are approvals of the step.
    pub head: String,
    /// What the head has to be compared with by who approves it: where it left the mainline.
    pub fork: Option<String>,
}

fn told(proposal: &Proposal) -> String {
    format!("pull request {}", proposal.number)
}

/// Whether a proposal claims to have been merged here, by this commit; its head. Nothing of it is proven yet.
///
/// # Errors
/// It does not; why.
pub fn claims<'a>(proposal: &'a Proposal, place: &Place, commit: &str) -> Result<&'a str, Refused> {
    let refuse = |flaw, why: &str| Err(Refused::new(flaw, format!("{} {why}", told(proposal))));
    if proposal.repository != Some(place.repository) {
        return refuse(Flaw::OtherRepository, "was made to another repository");
    }
    if proposal.target != place.reference {
        let why = format!("was made to {} and not to {}", proposal.target.escape_debug(), place.reference);
        return refuse(Flaw::OtherReference, &why);
    }
    if proposal.merged_at.is_none() {
        return refuse(Flaw::NotMerged, "is not merged");
    }
    let Some(head) = &proposal.head else {
        return refuse(Flaw::HeadUnknown, "does not say which commit was merged");
    };
    if proposal.merge_commit.as_ref().unwrap_or(head) != commit {
        return refuse(Flaw::OtherMerge, "was merged by another commit, and covers no second one");
    }
    if proposal.by_hand {
        return refuse(Flaw::MarkedByHand, "was marked as merged by somebody, and not merged by the forge");
    }
    Ok(head)
}

/// Whether these commits are the merge of a proposal: made as a forge makes it, and holding what our own merge holds.
///
/// # Errors
/// They are not; why.
pub fn bind(proposal: &Proposal, place: &Place, facts: &Facts) -> Result<Bound, Refused> {
    let refuse = |flaw, why: &str| Err(Refused::new(flaw, format!("{} {why}", told(proposal))));
    let Some((commit, parents)) = facts.steps.last() else {
        return refuse(Flaw::OtherMerge, "covers nothing");
    };
    let head = claims(proposal, place, commit)?;
    let forwarded = commit == head;
    let several = facts.steps.len() > 1;
    let follows = |first: &String| several || *first == facts.parent;
    match parents.as_slice() {
        // It is the head itself, with whatever parents.
        _ if forwarded => {}
        [first, second] if first == head && *second == facts.parent => {
            return refuse(Flaw::SwappedParents, "was merged with its parents the other way round");
        }
        [first] if follows(first) => {}
        [first, second] if follows(first) && (second == head || Some(second) == proposal.squash_commit.as_ref()) => {}
        [] | [_] | [_, _] => return refuse(Flaw::OtherParent, "was merged by a commit that has other parents"),
        _ => return refuse(Flaw::Octopus, "was merged together with others, by a commit with more than two parents"),
    }
    if forwarded && !facts.since_base {
        return refuse(Flaw::BaseUnknown, "was merged as it is, and where its commits begin is not known");
    }
    if several && !forwarded {
        let straight = facts.steps.iter().all(|(_, parents)| parents.len() == 1);
        if !straight || facts.shown_before || facts.steps.len() > facts.brings {
            return refuse(Flaw::OtherMerge, "was merged by its last commit alone, and covers none before");
        }
    }
    match &facts.merged {
        Merged::Tree(tree) if *tree == facts.tree => {
            Ok(Bound { number: proposal.number, head: head.to_owned(), fork: facts.fork.clone() })
        }
        Merged::Tree(_) => {
            refuse(Flaw::UnequalTree, "was merged by a commit that holds something else than the merge of its head")
        }
        Merged::Conflicts => {
            refuse(Flaw::Conflicted, "had conflicts, so what its merge holds was decided by whoever merged it")
        }
        Merged::Unknown(why) => refuse(Flaw::HistoryUnknown, &format!("cannot be merged here to compare: {why}")),
        Merged::Absent => refuse(Flaw::HeadUnavailable, "has a head that the remote does not hand out"),
    }
}

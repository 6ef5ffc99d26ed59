//! Which reviews of a proposal are approvals of what was merged.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Bound, Evidence, Flaw, Place, Proposal, Refused, Review, Says, Version};
use crate::revision::review::{Account, Approval, Authorship, Head, Maker, Step, Voter};

/// So long a forge may take to know by which proposal a commit came.
const PENDING: SignedDuration = SignedDuration::from_mins(5);
/// So long after a push somebody may still look at what was there before it.
const STALE_PAGE: SignedDuration = SignedDuration::from_secs(10);

/// What the reviews of a proposal come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Approvals of its head; whether they are worth anything is judged with all others.
    pub approvals: Vec<Approval>,
    /// Everybody whom the forge knows to have had a hand in it.
    pub makers: BTreeSet<Maker>,
    /// Whether these are all.
    pub proven: bool,
    /// Reviews that are no approvals.
    pub refused: Vec<Refused>,
    /// What the accounts whose approvals these are are called now.
    pub logins: BTreeMap<Account, String>,
}

/// What is said where no proposal answers for a commit.
pub fn unanswered(evidence: &Evidence, now: Timestamp) -> Option<Refused> {
    if let Some(failed) = &evidence.failed {
        return Some(Refused::new(Flaw::ForgeUnavailable, format!("the forge cannot be asked: {failed}")));
    }
    if !evidence.proposals.is_empty() {
        return None;
    }
    Some(if now.duration_since(evidence.since) < PENDING {
        Refused::new(Flaw::ProposalPending, "the forge does not know yet by which pull request it came")
    } else {
        Refused::new(Flaw::NoProposal, "it came by no pull request")
    })
}

/// Counts the reviews of a proposal that was bound. `listed` says whether the owners file knows an account.
pub fn count(proposal: &Proposal, bound: &Bound, place: &Place, listed: &dyn Fn(&Account) -> bool) -> Counted {
    let account = |id: u64| Account { forge: place.forge.clone(), id };
    let mut counted = Counted::default();
    // The last word of each person counts; whose account is gone has none.
    let mut last: BTreeMap<u64, &Review> = BTreeMap::new();
    for review in &proposal.reviews {
        match review.by {
            Some(id) => {
                last.insert(id, review);
            }
            None => counted.refuse(Flaw::AccountGone, "an account that is gone reviewed it".to_owned()),
        }
    }
    for (id, review) in last {
        let who = account(id);
        match approves(proposal, bound, review, listed(&who)) {
            Ok(at) => {
                counted.logins.extend(review.login.iter().map(|login| (who.clone(), login.clone())));
                counted.approvals.push(Approval {
                    voter: Voter::Account(who),
                    head: bound.head.clone(),
                    tree: None,
                    base: None,
                    role: None,
                    at,
                    expires: None,
                    withdrawn: false,
                    // Reviews on a forge speak of files alone.
                    plans: BTreeMap::new(),
                });
            }
            Err((flaw, why)) => counted.refuse(flaw, format!("{who} {why}")),
        }
    }
    let pushers = proposal.pushers.iter().flatten();
    let known = proposal.opener.iter().chain(&proposal.authors).chain(pushers);
    counted.makers = known.map(|id| Maker::Account(account(*id))).collect();
    counted.proven = proposal.opener.is_some() && proposal.pushers.is_some();
    if !counted.proven {
        let why = format!("who pushed pull request {} is not known, so one approval more is needed", proposal.number);
        counted.refuse(Flaw::PusherUnknown, why);
    }
    counted
}

impl Counted {
    fn refuse(&mut self, flaw: Flaw, why: String) {
        let refused = Refused { flaw, why };
        if !self.refused.contains(&refused) {
            self.refused.push(refused);
        }
    }
}

/// When a review approved the head, if it did.
fn approves(
    proposal: &Proposal,
    bound: &Bound,
    review: &Review,
    listed: bool,
) -> Result<Timestamp, (Flaw, &'static str)> {
    match review.says {
        Says::Approved => {}
        Says::Objected => return Err((Flaw::Objected, "asked for changes")),
        Says::Dismissed => return Err((Flaw::Dismissed, "approved it, and that was dismissed")),
    }
    if review.bot && !listed {
        return Err((Flaw::BotNotListed, "is a program that the owners file does not list"));
    }
    if !review.may_write {
        return Err((Flaw::NoWriteAccess, "may not write to the repository"));
    }
    let Some(at) = review.at else {
        return Err((Flaw::HeadUnknown, "approved at a time that is not known"));
    };
    let head = match &review.head {
        Some(head) => Some(head.as_str()),
        None => seen(&proposal.versions, at),
    };
    match head {
        None => return Err((Flaw::HeadUnknown, "approved, and of which commit cannot be told")),
        Some(head) if head != bound.head => {
            return Err((Flaw::OtherHead, "approved another commit than the one that was merged"));
        }
        Some(_) => {}
    }
    if proposal.retargeted.is_some_and(|changed| at <= changed) {
        return Err((Flaw::Retargeted, "approved before what it is compared with was changed"));
    }
    if proposal.merged_at.is_none_or(|merged| at > merged) {
        return Err((Flaw::AfterMerge, "approved when it was merged already"));
    }
    Ok(at)
}

/// The head that somebody saw at a time; none where that is not certain.
fn seen(versions: &[Version], at: Timestamp) -> Option<&str> {
    let newest = versions.iter().rposition(|version| version.at <= at)?;
    let version = &versions[newest];
    let fresh = at.duration_since(version.at) < STALE_PAGE;
    let before = newest.checked_sub(1).map(|before| &versions[before]);
    match before {
        Some(before) if fresh && before.head != version.head => None,
        _ => Some(&version.head),
    }
}

/// A step with what is known of the proposal that it is the merge of: who made it, and whose approval is one of it.
/// `step` has been made of what the head brings, so that whoever merged it has made nothing.
pub fn joined(step: Step, bound: &Bound, counted: &Counted) -> Step {
    let mut makers = step.makers;
    makers.extend(counted.makers.iter().cloned());
    let authorship = if counted.proven { Authorship::Proven } else { step.authorship };
    let proposal = Some(Head { commit: bound.head.clone(), fork: bound.fork.clone() });
    Step { proposal, makers, authorship, ..step }
}

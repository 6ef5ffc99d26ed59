//! Of which heads something must be said, where checks are of the proposals by which commits came.

use std::collections::BTreeSet;

use super::Verdict;
use crate::revision::proposal::{Flaw, Refused};

/// How one step of the mainline came.
#[derive(Clone, Copy, Debug)]
pub struct Came<'a> {
    /// The step.
    pub commit: &'a str,
    /// Heads of the proposals that it was proven to be the merge of ([`bind`](crate::revision::proposal::bind)).
    pub heads: &'a BTreeSet<String>,
    /// Why other proposals were not.
    pub refused: &'a [Refused],
}

/// The heads of all steps, each of which must have its checks; and why steps have none. A step without a head is never let
/// pass: else what failed on one pull request would go with the next one.
pub fn heads(steps: &[Came<'_>]) -> (BTreeSet<String>, Verdict) {
    let (mut heads, mut verdict) = (BTreeSet::new(), Verdict::default());
    for step in steps {
        if !step.heads.is_empty() {
            heads.extend(step.heads.iter().cloned());
            continue;
        }
        let unproven: Vec<&Refused> = step.refused.iter().filter(|refused| is_of_binding(refused.flaw)).collect();
        let commit = step.commit;
        let told = |refused: &&Refused| format!("commit {commit}: {refused}");
        match unproven.iter().find(|refused| !may_change(refused.flaw)) {
            Some(refused) => verdict.failed.push(told(refused)),
            None => {
                verdict.pending.push(unproven.first().map_or_else(
                    || format!("commit {commit}: it is not known yet by which pull request it came"),
                    told,
                ))
            }
        }
    }
    (heads, verdict)
}

/// Whether it says that a step is not the merge of a proposal, and not merely that a review of it does not count.
fn is_of_binding(flaw: Flaw) -> bool {
    !matches!(
        flaw,
        Flaw::OtherHead
            | Flaw::Retargeted
            | Flaw::AfterMerge
            | Flaw::Dismissed
            | Flaw::Objected
            | Flaw::NoWriteAccess
            | Flaw::BotNotListed
            | Flaw::AccountGone
            | Flaw::PusherUnknown
    )
}

/// Whether asking again may find another answer.
fn may_change(flaw: Flaw) -> bool {
    matches!(flaw, Flaw::ForgeUnavailable | Flaw::ProposalPending | Flaw::HeadUnavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_without_a_proven_head_is_never_let_pass_and_its_twin_is_judged_by_it() {
        let head = BTreeSet::from(["h".repeat(40)]);
        let none = BTreeSet::new();
        let refused = |flaw| vec![Refused::new(flaw, "pull request 7")];
        for (flaw, pending) in [
            (Flaw::ForgeUnavailable, true),
            (Flaw::ProposalPending, true),
            (Flaw::HeadUnavailable, true),
            (Flaw::NoProposal, false),
            (Flaw::UnequalTree, false),
            (Flaw::SwappedParents, false),
            (Flaw::Octopus, false),
            (Flaw::OtherMerge, false),
            (Flaw::OtherReference, false),
            (Flaw::OtherRepository, false),
            (Flaw::MarkedByHand, false),
            (Flaw::Conflicted, false),
            (Flaw::HeadUnknown, false),
            (Flaw::HistoryUnknown, false),
        ] {
            let refused = refused(flaw);
            let lost = Came { commit: "c", heads: &none, refused: &refused };
            let twin = Came { heads: &head, ..lost };
            let (heads, verdict) = super::heads(&[twin, lost]);
            assert_eq!(heads, head, "{flaw:?}");
            assert_eq!(
                (verdict.pending.len(), verdict.failed.len()),
                if pending { (1, 0) } else { (0, 1) },
                "{flaw:?}"
            );
            let told = [verdict.pending, verdict.failed].concat().join("");
            assert_eq!(told, format!("commit c: pull request 7 ({})", flaw.as_str()));
            let (heads, verdict) = super::heads(&[twin, twin]);
            assert!(heads == head && verdict.is_passed(), "{flaw:?}: {verdict:?}");
        }
        // Nobody was asked yet, or only reviews were refused.
        for refused in [vec![], refused(Flaw::PusherUnknown)] {
            let (_, verdict) = super::heads(&[Came { commit: "c", heads: &none, refused: &refused }]);
            assert_eq!(verdict.pending, ["commit c: it is not known yet by which pull request it came"]);
        }
        // One that may change says nothing for one that does not.
        let both = [refused(Flaw::ForgeUnavailable), refused(Flaw::UnequalTree)].concat();
        let (_, verdict) = super::heads(&[Came { commit: "c", heads: &none, refused: &both }]);
        assert!(verdict.pending.is_empty() && verdict.failed.len() == 1, "{verdict:?}");
    }
}

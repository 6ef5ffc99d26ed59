//! Which steps of the mainline are merges of proposals that a forge tells of: composes `git`, which merges the same
//! commits once more, and the decisions of `revision::proposal`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use git2::{ObjectType, Repository};

use super::known::Known;
use super::review::{self, Judged, ReviewCheck, Reviewed};
use super::verify::Objects;
use crate::git::{self, GitError, Range};
use crate::revision::proposal::{Bound, Facts, Flaw, Place, Proposal, Refused, bind, claims, count, joined};
use crate::revision::review::{Account, Approval, Authorship, Maker, Step, carries_trailers};
use crate::revision::signature::parents;

/// Steps that one proposal may land by.
const SPAN: usize = 50;

/// A proposal that some steps were proven to be the merge of.
pub(super) struct Landing {
    pub proposal: Proposal,
    pub bound: Bound,
    pub place: Place,
    /// Place of the last step.
    pub last: usize,
    /// Whether a commit that steers came with it and is not in the head that was approved.
    pub steers: bool,
}

/// What came of the evidence.
#[derive(Default)]
pub(super) struct Landings {
    /// By the place of the first step.
    pub by_first: BTreeMap<usize, Landing>,
    /// Why a commit is not the merge of what the forge names.
    pub refused: BTreeMap<String, Vec<Refused>>,
}

/// Looks for the proposals that steps are merges of. History is deepened where it does not suffice to merge.
///
/// # Errors
/// The repository or its remote cannot be read.
pub(super) fn landings(
    history: &impl Objects,
    steps: &[(String, String)],
    check: &ReviewCheck,
) -> Result<Landings, GitError> {
    let mut deepened = 0;
    loop {
        let (found, short) = history.open(|repository| {
            let looking = Looking { repository, url: history.url(), steps };
            let mut found = Landings::default();
            let mut short = false;
            for (at, (_, commit)) in steps.iter().enumerate() {
                short |= looking.at(at, commit, check, &mut found)?;
            }
            Ok((found, short))
        })?;
        if !short || !history.deepen(deepened)? {
            return Ok(found);
        }
        deepened += 1;
    }
}

impl Landing {
    /// The step with what is known of the proposal, the approvals of all, and what of the forge's word is none; with what the
    /// accounts are called that approved. `made` is what the commits of the head say of who made them.
    pub fn join(
        &self,
        step: Step,
        (makers, authorship): (BTreeSet<Maker>, Authorship),
        known: &Known,
        approvals: &mut Vec<Approval>,
        refused: &mut Vec<Refused>,
    ) -> (Step, BTreeMap<Account, String>) {
        let listed = |account: &Account| known.lists(account);
        let counted = count(&self.proposal, &self.bound, &self.place, &listed);
        approvals.extend(counted.approvals.iter().cloned());
        refused.extend(counted.refused.iter().cloned());
        let step = joined(Step { makers, authorship, carries_trailers: self.steers, ..step }, &self.bound, &counted);
        (step, counted.logins)
    }
}

impl review::Looking<'_> {
    /// Judges the step at a place, or all those at once that one proposal landed by, where it was approved.
    pub(super) fn landed(
        &self,
        steps: &[(String, String)],
        at: usize,
        landings: &Landings,
        known: &Known,
        check: &ReviewCheck,
        told: &mut Reviewed,
    ) -> Result<(Vec<Judged>, Option<Known>), GitError> {
        let (parent, commit) = &steps[at];
        let landing = landings.by_first.get(&at);
        // A forge names a pull request with the last of the commits that it landed by: what is wrong with it is told of each.
        let named = |commit: &String| check.evidence.get(commit).is_some_and(|e| !e.proposals.is_empty());
        let answers = steps[at..].iter().take(SPAN).map(|(_, later)| later).find(|later| named(later));
        let refused = answers.and_then(|answers| landings.refused.get(answers)).cloned().unwrap_or_default();
        let Some(several) = landing.filter(|landing| landing.last > at) else {
            let (mut judged, next) = self.judged((parent, commit), landing, known, check, told)?;
            judged.forge.extend(refused);
            return Ok((vec![judged], next));
        };
        let (whole, next) = self.judged((parent, &steps[several.last].1), landing, known, check, told)?;
        if whole.is_approved() {
            let each = steps[at..=several.last].iter();
            let each =
                each.map(|(parent, commit)| Judged { commit: commit.clone(), parent: parent.clone(), ..whole.clone() });
            return Ok((each.collect(), next));
        }
        // Each of them may be approved for itself.
        let (own, mut owners) = self.judged((parent, commit), None, known, check, told)?;
        let mut all = vec![own];
        all[0].forge.extend(refused);
        while at + all.len() <= several.last {
            let known = owners.as_ref().unwrap_or(known);
            let (more, next) = self.landed(steps, at + all.len(), landings, known, check, told)?;
            all.extend(more);
            owners = next.or(owners);
        }
        for judged in all.iter_mut().take(several.last + 1 - at).filter(|judged| !judged.is_approved()) {
            // By which one it came is known.
            judged.forge.retain(|refused| !matches!(refused.flaw, Flaw::ProposalPending | Flaw::NoProposal));
            judged.forge.extend(whole.forge.iter().cloned());
            judged.verdict.discounted.extend(whole.verdict.discounted.iter().cloned());
        }
        Ok((all, owners))
    }
}

struct Looking<'a> {
    repository: &'a Repository,
    url: &'a str,
    steps: &'a [(String, String)],
}

/// What one proposal came to.
enum Look {
    Landed(Box<Landing>, usize),
    Refused(Refused, bool),
}

impl Looking<'_> {
    /// Looks at what the forge says of one commit; whether more history might tell more.
    fn at(&self, at: usize, commit: &str, check: &ReviewCheck, found: &mut Landings) -> Result<bool, GitError> {
        let Some(evidence) = check.evidence.get(commit) else { return Ok(false) };
        let place = evidence.place(&check.scope.reference);
        let mut refusals = Vec::new();
        let mut more = false;
        for proposal in &evidence.proposals {
            match self.landing((at, commit), proposal, &place, found)? {
                Look::Landed(landing, first) => {
                    found.by_first.entry(first).or_insert(*landing);
                    return Ok(false);
                }
                Look::Refused(refused, short) => {
                    refusals.push(refused);
                    more |= short;
                }
            }
        }
        found.refused.insert(commit.to_owned(), refusals);
        Ok(more)
    }

    fn landing(
        &self,
        (at, commit): (usize, &str),
        proposal: &Proposal,
        place: &Place,
        found: &Landings,
    ) -> Result<Look, GitError> {
        let head = match claims(proposal, place, commit) {
            Ok(head) => head,
            Err(refused) => return Ok(Look::Refused(refused, false)),
        };
        let forwarded = head == commit;
        let (mut told, mut more) = (None, false);
        for span in self.spans(at, head, proposal, found)? {
            let first = at + 1 - span;
            if forwarded && span > 1 && !self.is_since_base(&self.steps[first].0, proposal)? {
                continue;
            }
            let (facts, short, brought) = self.facts((first, at), head, proposal)?;
            more |= short;
            match bind(proposal, place, &facts) {
                // What is not known may be that it covers more.
                Ok(_) if more => {
                    let why = "the commits before it may belong to it, and how they merge is not known";
                    return Ok(Look::Refused(Refused::new(Flaw::OtherMerge, why), true));
                }
                Ok(bound) => {
                    let steers = self.steers(&facts.parent, commit, &brought)?;
                    let (proposal, place) = (proposal.clone(), place.clone());
                    return Ok(Look::Landed(Box::new(Landing { proposal, bound, place, last: at, steers }), first));
                }
                // The shortest says it best.
                Err(refused) => told = Some(refused),
            }
        }
        // There is one step at least, so something was told.
        let unknown = || Refused::new(Flaw::OtherMerge, "it covers nothing");
        Ok(Look::Refused(told.unwrap_or_else(unknown), more))
    }

    /// How many steps may be the merge of a proposal, the most first. What was merged as it is begins where it was shown to
    /// begin. What a forge made anew is one step, or, where that is no merge, as many as the proposal has commits; which of
    /// them are its own is told by no forge, and where each changed files of its own the last alone would look like all of
    /// it. What another proposal covers is not covered twice.
    fn spans(&self, at: usize, head: &str, proposal: &Proposal, found: &Landings) -> Result<Vec<usize>, GitError> {
        let most = SPAN.min(at + 1);
        if most == 1 || head == self.steps[at].1 {
            return Ok((1..=most).rev().collect());
        }
        let (facts, ..) = self.facts((at, at), head, proposal)?;
        let is_straight = |commit: &str| {
            let raw = git::raw(self.repository, self.url, commit, ObjectType::Commit)?;
            Ok(raw.and_then(|raw| parents(&raw)).is_some_and(|parents| parents.len() == 1))
        };
        let mut most = most.min(facts.brings).max(1);
        for span in 1..=most {
            let step = at + 1 - span;
            let is_other = || found.by_first.iter().any(|(first, landing)| (*first..=landing.last).contains(&step));
            if !is_straight(&self.steps[step].1)? || is_other() {
                most = span.max(2) - 1;
                break;
            }
        }
        Ok((1..=most).rev().collect())
    }

    /// What Git shows of the steps from one place to another, and of a head; with all commits that the head brings.
    fn facts(
        &self,
        (first, last): (usize, usize),
        head: &str,
        proposal: &Proposal,
    ) -> Result<(Facts, bool, HashSet<String>), GitError> {
        let (repository, url) = (self.repository, self.url);
        let parent = &self.steps[first].0;
        let merge = git::merge(repository, url, parent, head)?;
        let mut steps = Vec::new();
        for (_, commit) in &self.steps[first..=last] {
            let raw = git::raw(repository, url, commit, ObjectType::Commit)?;
            steps.push((commit.clone(), raw.and_then(|raw| parents(&raw)).unwrap_or_default()));
        }
        let shown_before = steps.iter().rev().skip(1).any(|(commit, _)| merge.brought.contains(commit));
        let since_base = self.is_since_base(parent, proposal)?;
        let tree = git::tree_of(repository, url, &self.steps[last].1)?;
        let (parent, brings, fork) = (parent.clone(), merge.brings, merge.base);
        let facts = Facts { parent, steps, tree, merged: merge.merged, brings, shown_before, fork, since_base };
        Ok((facts, merge.short, merge.brought))
    }

    fn is_since_base(&self, parent: &str, proposal: &Proposal) -> Result<bool, GitError> {
        let Some(base) = &proposal.base else { return Ok(false) };
        git::descends(self.repository, self.url, parent, std::slice::from_ref(base))
    }

    /// Whether a commit steers that came with the steps, and is not among those that the head brought.
    fn steers(&self, parent: &str, commit: &str, brought: &HashSet<String>) -> Result<bool, GitError> {
        let range = git::range(self.repository, self.url, &[parent.to_owned()], commit, false)?;
        let Range::Commits { ids, .. } = range else { return Ok(true) };
        for id in ids.iter().filter(|id| !brought.contains(*id)) {
            if carries_trailers(&git::message(self.repository, self.url, id)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests;

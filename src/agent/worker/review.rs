//! Whether each step of the mainline from what is accepted to what was found is approved: composes `git`, which has the
//! commits and notes, and the decisions of `revision::review`.

use std::collections::{BTreeMap, BTreeSet};

use git2::{ObjectType, Repository};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::known::Known;
use super::landed::{Landing, Landings, landings};
use super::step::{brought, makers, step};
use super::verify::Objects;
use crate::failure::Failed;
use crate::git::{self, GitError, Mainline};
use crate::revision::proposal::{self, Evidence};
use crate::revision::review::glass::{Claim, Glass};
use crate::revision::review::note::{self, Refused, Scope, Withdrawal};
use crate::revision::review::{Approval, Dialect, Logins, Settings, Step, Verdict, glass};
use crate::revision::signature::judge_commit;

/// Approvals that are named as not counted, of each kind.
const REFUSED: usize = 3;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewCheck {
    /// The accepted commit, whose owners count.
    pub accepted: String,
    /// What approvals have to be for.
    pub scope: Scope,
    /// What each step needs.
    pub settings: Settings,
    /// Host of the forge whose reviews count, where they do.
    pub forge: Option<String>,
    /// As what it reads `CODEOWNERS`, where its reviews count.
    pub dialect: Option<Dialect>,
    /// Numbers of the accounts that had a login when an approval by it first counted.
    pub logins: BTreeMap<String, u64>,
    /// Folders of Standards in this repository: operations approve what is changed there.
    pub standards: BTreeSet<String>,
    /// What was taken back as far as it was seen before.
    pub withdrawals: Vec<Withdrawal>,
    /// What the forge says of commits that lacked approval.
    pub evidence: BTreeMap<String, Evidence>,
    /// When it is asked.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewed {
    /// The steps, oldest first; where the new commit is not on the mainline of the accepted one, the one step from there.
    pub steps: Vec<Judged>,
    /// How far they lead.
    pub way: Way,
    /// Digest of the owners file of the accepted commit.
    pub owners: Option<String>,
    /// All that was taken back, as far as it was ever seen.
    pub withdrawals: Vec<Withdrawal>,
    /// Numbers of the accounts that had a login when an approval by it first counted, of logins that are named still.
    pub logins: BTreeMap<String, u64>,
}

/// How the new commit stands to the accepted one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// The accepted one is on its mainline.
    Mainline,
    /// It is not: by a rewrite, or because parents of a merge were swapped.
    Elsewhere,
    /// History could not be read that far.
    Unknown(String),
    /// The accepted one is neither in the cache nor handed out by the remote.
    Gone,
    /// The owners file of the accepted commit is missing or wrong.
    NoOwners(String),
}

/// A step with its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The commit.
    pub commit: String,
    /// What it was compared with.
    pub parent: String,
    /// What it changes; nothing where it is approved.
    pub paths: BTreeSet<String>,
    /// Who approved, or what is missing.
    pub verdict: Verdict,
    /// Approvals that say nothing here.
    pub refused: Vec<Refused>,
    /// What of a forge's word is no approval, where it was asked.
    pub forge: Vec<proposal::Refused>,
    /// Heads of the proposals that it was proven to be the merge of, alone or with the steps beside it.
    pub heads: BTreeSet<String>,
    /// What is wrong with the owners file that it would bring.
    pub owners: Option<String>,
    /// Whether it goes ahead of its review: how, or why not; nothing where it does not ask for that.
    pub glass: Option<Result<Glass, String>>,
}

impl Judged {
    /// Whether it may go.
    pub fn is_approved(&self) -> bool {
        self.verdict.is_approved() && self.owners.is_none()
    }

    /// What is missing in a few words, and by which names approvals do not count.
    pub fn in_short(&self) -> String {
        let owners = self.owners.iter().cloned();
        let mut parts: Vec<String> =
            owners.chain(self.verdict.missing.iter().map(|missing| missing.short.clone())).collect();
        let discounted = self.verdict.discounted.iter().map(|discounted| discounted.why.as_str());
        let names: BTreeSet<&str> = discounted.chain(self.forge.iter().map(|refused| refused.flaw.as_str())).collect();
        if !names.is_empty() {
            parts.push(format!("not counted: {}", Vec::from_iter(names).join(", ")));
        }
        parts.join("; ")
    }

    /// Why not.
    pub fn why(&self) -> String {
        let mut parts: Vec<String> = self.owners.iter().cloned().collect();
        if !self.verdict.is_approved() {
            parts.push(self.verdict.told());
        }
        if let Some(Err(why)) = &self.glass {
            parts.push(format!("{} does not count: {why}", glass::BREAK_GLASS));
        }
        let refused = self.refused.iter().take(REFUSED).map(ToString::to_string);
        let of_forge = self.forge.iter().take(REFUSED).map(ToString::to_string);
        parts.extend(refused.chain(of_forge).map(|refused| format!("not counted: {refused}")));
        parts.join("; ")
    }
}

/// Judges every step.
///
/// # Errors
/// The repository or its remote cannot be read.
pub fn review(history: &impl Objects, new: &str, check: &ReviewCheck) -> Result<Reviewed, Failed> {
    let of = |error: GitError| Failed::from(&error);
    let mut step = 0;
    let way = loop {
        let way =
            history.open(|repository| git::mainline(repository, history.url(), &check.accepted, new)).map_err(of)?;
        if way != Mainline::Short || !history.deepen(step).map_err(of)? {
            break way;
        }
        step += 1;
    };
    let mut told = Reviewed {
        steps: Vec::new(),
        way: Way::Mainline,
        owners: None,
        withdrawals: check.withdrawals.clone(),
        logins: check.logins.clone(),
    };
    let steps: Vec<(String, String)> = match way {
        Mainline::Steps(steps) => {
            let parents = std::iter::once(check.accepted.clone()).chain(steps.iter().cloned());
            parents.zip(steps.clone()).collect()
        }
        Mainline::Elsewhere => {
            told.way = Way::Elsewhere;
            vec![(check.accepted.clone(), new.to_owned())]
        }
        Mainline::Short => {
            told.way = Way::Unknown("history ends before it".to_owned());
            return Ok(told);
        }
        Mainline::TooMany => {
            told.way = Way::Unknown("more than 10,000 commits lie between".to_owned());
            return Ok(told);
        }
    };
    // Its history may be there without it, and after a rewrite nothing leads to it.
    let there = || {
        history
            .open(|repository| Ok(git::raw(repository, history.url(), &check.accepted, ObjectType::Commit)?.is_some()))
    };
    let at_hand = there().map_err(of)? || history.fetch_commit(&check.accepted).map_err(of)? && there().map_err(of)?;
    if !at_hand {
        told.way = Way::Gone;
        return Ok(told);
    }
    let landings = match told.way {
        Way::Mainline if !check.evidence.is_empty() => landings(history, &steps, check).map_err(of)?,
        _ => Landings::default(),
    };
    history
        .open(|repository| {
            let looking = Looking { repository, url: history.url() };
            let first = match Known::read(repository, history.url(), &check.accepted, check.dialect)? {
                Ok(first) => first,
                Err(why) => {
                    told.way = Way::NoOwners(why);
                    return Ok(told);
                }
            };
            told.owners = Some(first.digest.clone());
            let mut later = None;
            let mut at = 0;
            while at < steps.len() {
                let owners = later.as_ref().unwrap_or(&first);
                let (mut judged, next) = looking.landed(&steps, at, &landings, owners, check, &mut told)?;
                at += judged.len();
                told.steps.append(&mut judged);
                later = next.or(later);
            }
            // What a later step names no more counts until that is accepted.
            let last = later.as_ref().unwrap_or(&first);
            told.logins.retain(|login, _| first.names(login) || last.names(login));
            for (first, landing) in &landings.by_first {
                for step in told.steps.iter_mut().take(landing.last + 1).skip(*first) {
                    step.heads.insert(landing.bound.head.clone());
                }
            }
            Ok(told)
        })
        .map_err(of)
}

/// A repository that is looked at.
pub(super) struct Looking<'a> {
    repository: &'a Repository,
    url: &'a str,
}

impl Looking<'_> {
    /// Judges a step; with the owners that it brings, where it is approved and brings others.
    pub(super) fn judged(
        &self,
        (parent, commit): (&str, &str),
        landing: Option<&Landing>,
        known: &Known,
        check: &ReviewCheck,
        told: &mut Reviewed,
    ) -> Result<(Judged, Option<Known>), GitError> {
        let mut step = step(self.repository, self.url, (parent, commit), &known.trust, &check.standards, check.now)?;
        let (approvals, mut refused) = self.approvals(commit, known, check, &mut told.withdrawals)?;
        let exact = |approval: &Approval| told.way == Way::Mainline || approval.base.as_deref() == Some(parent);
        let mut approvals: Vec<_> = approvals.into_iter().filter(exact).collect();
        let evidence = check.evidence.get(commit);
        let mut forge: Vec<_> = evidence.and_then(|e| proposal::unanswered(e, check.now)).into_iter().collect();
        let mut logins = BTreeMap::new();
        if let Some(landing) = landing {
            let (of_head, unread) = self.approvals(&landing.bound.head, known, check, &mut told.withdrawals)?;
            approvals.extend(of_head);
            refused.extend(unread);
            // Whoever merged it made nothing of it: our own merge has the same files.
            let (repository, url) = (self.repository, self.url);
            let head = brought(repository, url, parent, &landing.bound.head)?;
            let made = makers(repository, url, &head, &known.trust, check.now)?;
            (step, logins) = landing.join(step, made, known, &mut approvals, &mut forge);
        }
        let names = Logins { now: &logins, first: &told.logins };
        let verdict = known.judge(&step, &approvals, names, check);
        let mut judged = Judged {
            commit: commit.to_owned(),
            parent: parent.to_owned(),
            paths: BTreeSet::new(),
            verdict,
            refused,
            forge,
            heads: BTreeSet::new(),
            owners: None,
            glass: None,
        };
        let mut next = None;
        if known.is_changed_by(&step.paths, check.dialect) {
            let brought = known.after((self.repository, self.url), commit, check)?;
            match brought {
                Ok(brought) => next = Some(brought),
                Err(why) => judged.owners = Some(format!("after it nobody could approve: {why}")),
            }
        }
        if judged.is_approved() {
            for (login, account) in &judged.verdict.logins {
                told.logins.entry(login.clone()).or_insert(*account);
            }
            return Ok((judged, next));
        }
        if told.way == Way::Mainline {
            judged.glass = self.glass(&step, known, check.now)?;
        }
        judged.paths = step.paths;
        Ok((judged, None))
    }

    /// Whether a step goes ahead of its review. Lines of commits that it brings say nothing of it.
    fn glass(&self, step: &Step, known: &Known, now: Timestamp) -> Result<Option<Result<Glass, String>>, GitError> {
        let trailers = git::trailers_of(self.repository, self.url, &step.commit)?;
        let claim = trailers.into_iter().find(|trailer| trailer.key == glass::BREAK_GLASS);
        let Some(claim) = claim else { return Ok(None) };
        let raw = git::raw(self.repository, self.url, &step.commit, ObjectType::Commit)?;
        let signer = raw.and_then(|raw| judge_commit(&step.commit, &raw, &known.trust, now).ok());
        let claim = Claim { reason: &claim.value, signer: signer.as_ref().map(|signer| signer.key.as_str()) };
        Ok(Some(known.glass(step, claim)))
    }

    /// What the notes on a commit say, as far as it is signed by somebody who is listed.
    fn approvals(
        &self,
        commit: &str,
        known: &Known,
        check: &ReviewCheck,
        withdrawals: &mut Vec<Withdrawal>,
    ) -> Result<(Vec<Approval>, Vec<Refused>), GitError> {
        let mut approvals = Vec::new();
        let mut refused = Vec::new();
        for text in git::notes_on(self.repository, self.url, commit)? {
            let read = note::read(&text, commit, &check.scope, &known.trust, check.now);
            for withdrawal in read.withdrawals {
                if !withdrawals.contains(&withdrawal) {
                    withdrawals.push(withdrawal);
                }
            }
            approvals.extend(read.approvals);
            refused.extend(read.refused);
        }
        // The same note may be there twice: in a cache and under its own name.
        let mut once: Vec<Approval> = Vec::new();
        for approval in note::effective(approvals, withdrawals) {
            if !once.contains(&approval) {
                once.push(approval);
            }
        }
        refused.dedup();
        Ok((once, refused))
    }
}

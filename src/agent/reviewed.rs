//! `spec.review`: no Sync follows a step of the mainline that other people have not approved.
//!
//! The verdict on each step is the Repository's, from the commit that was last accepted as a whole. Which Sync a step
//! holds is decided by what that Sync reads (`standing`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::api::{AcceptanceRecord, BrokenGlass, ForgeType, Review, ReviewInputs, ReviewStatus};
use crate::failure::{Failed, Fault};
use crate::report::facts::Hold;
use crate::report::reason::Reason;
use crate::revision::review::note::{Scope, host, repository_id};
use crate::revision::review::{Dialect, Effect};
use crate::revision::{Ancestry, Revision};

use super::acceptance::Kept;
use super::foretold;
use super::glass;
use super::recalled::remembered;
use super::repository::Watcher;
use super::standing::Standing;
use super::tip::Found;
use super::worker::{Judged, ReviewCheck, Reviewed, Way};

/// Commits that wait for approval, in a status.
const TOLD: usize = 20;

/// Why a revision is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It is the newest, and passed all that is asked before review.
    New,
    /// Syncs were given it before, and a newer one is held: only which of its steps lack approval is wanted.
    Again,
}

/// What is known of the review of a Repository.
#[derive(Default)]
pub struct Progress {
    /// The signed record, once it was read.
    pub(super) kept: Option<Kept>,
    /// How far Syncs may follow.
    pub standing: Option<Arc<Standing>>,
}

impl Progress {
    /// Whether something waits for approval, so that notes are looked at again.
    pub fn waits(&self) -> bool {
        self.standing.as_ref().is_some_and(|standing| !standing.waiting.is_empty())
    }

    /// What the signed record says; nothing where there is none.
    pub(super) fn record(&self) -> AcceptanceRecord {
        self.kept.as_ref().and_then(|kept| kept.record.clone()).unwrap_or_default()
    }

    /// The revision up to which all is accepted.
    pub fn accepted(&self) -> Option<Revision> {
        Revision::parse(&self.kept.as_ref()?.record.as_ref()?.revision)
    }

    /// What Syncs have while a newer revision is held: the newest that they were given, where it is known which of its
    /// steps lack approval.
    pub fn given(&self) -> Option<Revision> {
        let newest = self.kept.as_ref()?.record.as_ref()?.newest.as_deref().and_then(Revision::parse);
        let known = |newest: &Revision| self.standing.as_ref().is_some_and(|standing| standing.knows(newest));
        newest.filter(known).or_else(|| self.accepted())
    }

    /// Why the newest revision is not accepted as a whole.
    pub fn hold(&self, found: Option<&Found>) -> Option<Hold> {
        let first = self.standing.as_ref()?.waiting.first()?;
        Some(Standing::hold(&found?.listed.revision, first))
    }

    /// Commits that went ahead of their review.
    pub fn glass(&self) -> Vec<BrokenGlass> {
        self.record().broken_glass
    }

    /// As a status tells it.
    pub fn told(&self, review: &Review, plan_key: &str) -> ReviewStatus {
        let record = self.record();
        let settings = review.profile.settings();
        let waiting = self.standing.iter().flat_map(|standing| &standing.waiting).take(TOLD);
        ReviewStatus {
            settings: format!(
                "{:?}: {} approvals by other people, {} as dev, {} as ops; {} as ops for owners, standards, RBAC and what is of the whole cluster; what lacks them {}{}",
                review.profile,
                settings.people,
                settings.dev,
                settings.ops,
                settings.sensitive_ops,
                match settings.effect {
                    Effect::Hold => "is held",
                    Effect::Record => "is applied and recorded",
                },
                match &review.plan {
                    Some(plan) => format!("; the plan of what reads {} is approved too", plan.paths.join(", ")),
                    None => String::new(),
                }
            ),
            accepted: (!record.revision.is_empty()).then_some(record.revision),
            trusted_first: record.trusted_first,
            unreviewed: record.unreviewed,
            last_unreviewed: record.last_unreviewed,
            plan_key: plan_key.to_owned(),
            waiting: waiting.map(|judged| judged.commit.clone()).collect(),
        }
    }
}

/// Whether nothing may be rendered with that stands in no commit.
pub fn is_pinned(review: &Review) -> bool {
    review.inputs == ReviewInputs::Pinned && review.profile.settings().effect == Effect::Hold
}

/// Whether a hold is one that an approval ends.
pub fn is_of_review(hold: &Hold) -> bool {
    use Reason::{AcceptedRevisionUnavailable, AncestryUnknown, Diverged, OwnersInvalid, ReviewMissing, Rewound};
    matches!(
        hold.reason,
        ReviewMissing | OwnersInvalid | Rewound | Diverged | AcceptedRevisionUnavailable | AncestryUnknown
    )
}

impl Watcher {
    /// Judges every step to what was found; whether none of it may be followed.
    ///
    /// # Errors
    /// It cannot be judged now: it is as good as not found.
    pub(super) async fn review(&mut self, found: &Found, look: Look) -> Result<Option<Hold>, Failed> {
        let Some(review) = self.repository.spec.review.clone() else {
            self.progress = Progress::default();
            return Ok(None);
        };
        let kept = self.kept().await?;
        let kept = match &kept.record {
            // What was put back from an old copy is put right at once.
            Some(record) if !kept.is_stored() => {
                let record = record.clone();
                self.world.seal.keep(&self.world.cluster, &self.key, &kept, record).await?
            }
            Some(_) => kept,
            None => match self.first(&review, found, &kept).await? {
                Ok(kept) => kept,
                Err(hold) => return Ok(Some(hold)),
            },
        };
        self.progress.kept = Some(kept);
        let record = self.progress.record();
        let accepted = self.progress.accepted().ok_or_else(|| {
            Failed::new("AcceptanceForged", Fault::Cluster, format!("Acceptance {} names no revision", self.key))
        })?;
        let mut check = ReviewCheck { now: Timestamp::now(), ..self.check(&review, found, &accepted, &record) };
        if accepted.commit == found.commit() {
            let awaited = !self.world.registry.awaited_plans(&self.key).is_empty();
            let reviewed = match record.before.filter(|_| awaited) {
                Some(before) => {
                    check.accepted = before;
                    Some(self.reviewed(found, &check).await?)
                }
                None => None,
            };
            let record = self.progress.record();
            // What went ahead was taken back.
            let mut next = AcceptanceRecord { newest: None, ..glass::taken_back(record.clone()) };
            if let Some(reviewed) = reviewed {
                // Whom the files of what was accepted before name says nothing of now.
                next = AcceptanceRecord { logins: next.logins.clone(), ..foretold::noted(next, &reviewed, check.now) };
            }
            let plans = next.plans.clone();
            if next != record {
                self.keep(&accepted, review.profile, (0, None), next).await?;
            }
            self.progress.standing = Some(Arc::new(Standing { plans, ..standing(accepted, Vec::new(), Vec::new()) }));
            return Ok(None);
        }
        let mut reviewed = self.reviewed(found, &check).await?;
        if review.forge && reviewed.way == Way::Mainline && self.inquire(&reviewed.steps).await {
            check.evidence = self.inquiry.evidence();
            reviewed = self.reviewed(found, &check).await?;
        }
        if look == Look::New
            && let Some(hold) = self.head_checks(found, &reviewed, check.settings.effect).await?
        {
            return Ok(Some(hold));
        }
        self.conclude((&review, look), found, &accepted, self.progress.record(), reviewed).await
    }

    /// What is asked of steps from what is accepted on, at no time.
    fn check(&self, review: &Review, found: &Found, accepted: &Revision, record: &AcceptanceRecord) -> ReviewCheck {
        ReviewCheck {
            accepted: accepted.commit.clone(),
            scope: Scope {
                repository: repository_id(&found.source.url),
                reference: found.listed.reference.clone().unwrap_or_else(|| found.listed.revision.name.clone()),
                cluster: self.world.name.clone(),
            },
            settings: review.profile.settings(),
            forge: review.forge.then(|| host(&found.source.url)),
            dialect: self.dialect(review),
            standards: self.world.registry.standard_paths(&self.key),
            logins: record.logins.clone(),
            withdrawals: remembered(record),
            evidence: self.inquiry.evidence(),
            now: Timestamp::UNIX_EPOCH,
        }
    }

    /// As what the forge reads `CODEOWNERS`, where its reviews count.
    fn dialect(&self, review: &Review) -> Option<Dialect> {
        let forge = self.repository.spec.forge.as_ref().filter(|_| review.forge)?;
        Some(match forge.r#type {
            ForgeType::GitHub => Dialect::GitHub,
            ForgeType::GitLab => Dialect::GitLab,
            ForgeType::Gitea => Dialect::Gitea,
        })
    }

    /// How proposals are judged, where reviews of a forge count.
    pub(super) fn judging(&self) -> Option<ReviewCheck> {
        let review = self.repository.spec.review.as_ref().filter(|review| review.forge)?;
        let found = self.withheld.as_ref().map(|withheld| &withheld.found).or(self.found.as_ref())?;
        let record = self.progress.kept.as_ref()?.record.as_ref()?;
        Some(self.check(review, found, &self.progress.accepted()?, record))
    }

    /// Where review begins, where nothing was accepted yet.
    async fn first(&mut self, review: &Review, found: &Found, kept: &Kept) -> Result<Result<Kept, Hold>, Failed> {
        let revision = match &review.since {
            None if review.trust_first => {
                // What is held later is released by those whom this file lists.
                let owners =
                    self.world.workers.owners_digest(&found.source, found.commit(), self.dialect(review)).await;
                match owners {
                    Err(failed) if failed.reason != "OwnersInvalid" => return Err(failed),
                    Err(failed) if review.profile.settings().effect == Effect::Hold => {
                        let message = format!("{} is held: {failed}", found.listed.revision);
                        return Ok(Err(Hold::new(Reason::OwnersInvalid, message)));
                    }
                    _ => {}
                }
                found.listed.revision.clone()
            }
            None => {
                let message = "spec.review says neither since nor trustFirst, so it is not known where review begins";
                return Err(Failed::new("InvalidSpec", Fault::Repository, message));
            }
            Some(since) => {
                let owners = self.world.workers.owners_digest(&found.source, &since.commit, self.dialect(review)).await;
                match owners {
                    Ok(owners) if owners == since.owners => {}
                    Ok(owners) => {
                        let message = format!(
                            "{} is held: the owners file of {} has the digest {owners} and not {}; hint: spec.review.since names both",
                            found.listed.revision, since.commit, since.owners
                        );
                        return Ok(Err(Hold::new(Reason::OwnersInvalid, message)));
                    }
                    Err(failed) if failed.reason == "OwnersInvalid" => {
                        let message = format!("{} is held: {failed}", found.listed.revision);
                        return Ok(Err(Hold::new(Reason::OwnersInvalid, message)));
                    }
                    Err(failed) => return Err(failed),
                }
                Revision { commit: since.commit.clone(), ..found.listed.revision.clone() }
            }
        };
        let record = AcceptanceRecord {
            repository: repository_id(&found.source.url),
            revision: revision.to_string(),
            profile: review.profile,
            trusted_first: review.since.is_none(),
            ..AcceptanceRecord::default()
        };
        tracing::warn!(repository = %self.key, %revision, "review begins here: this is trusted as it is");
        self.world.seal.keep(&self.world.cluster, &self.key, kept, record).await.map(Ok)
    }

    /// Takes note of the verdicts: what is accepted as a whole, and what waits.
    async fn conclude(
        &mut self,
        (review, look): (&Review, Look),
        found: &Found,
        accepted: &Revision,
        record: AcceptanceRecord,
        mut reviewed: Reviewed,
    ) -> Result<Option<Hold>, Failed> {
        let revision = &found.listed.revision;
        let effect = review.profile.settings().effect;
        let held = |reason, why: String| Ok(Some(Hold::new(reason, format!("{revision} is held: {why}"))));
        let whole: BTreeSet<_> = reviewed.steps.iter().filter(|step| step.is_approved()).map(|s| &s.commit).collect();
        let approved = whole.len() == reviewed.steps.len();
        match &reviewed.way {
            Way::Mainline => {}
            Way::Elsewhere if approved => {}
            Way::Elsewhere => {
                let ancestry = self.world.workers.ancestry(&found.source, &accepted.commit, &found.listed).await?;
                let reason = match ancestry {
                    Ancestry::Rewound => Reason::Rewound,
                    Ancestry::AcceptedGone => Reason::AcceptedRevisionUnavailable,
                    Ancestry::Unknown => Reason::AncestryUnknown,
                    _ => Reason::Diverged,
                };
                let why = reviewed.steps.first().map(Judged::why).unwrap_or_default();
                return held(
                    reason,
                    format!(
                        "its first parents do not lead to the accepted {accepted}; {why}; hint: to go there on purpose: tandem approve {} --base {}",
                        revision.commit, accepted.commit
                    ),
                );
            }
            Way::Unknown(why) => return held(Reason::AncestryUnknown, why.clone()),
            Way::Gone => {
                let why = format!(
                    "the accepted {accepted}, whose owners count, is neither in the cache nor handed out by the remote; hint: push it again from a clone that has it, under any name: git push origin {}:refs/tags/accepted",
                    accepted.commit
                );
                return held(Reason::AcceptedRevisionUnavailable, why);
            }
            Way::NoOwners(why) if effect == Effect::Record => {
                tracing::warn!(repository = %self.key, %revision, why, "would be held");
                let record = AcceptanceRecord { newest: None, ..record };
                self.keep(revision, review.profile, (1, Some(&revision.commit)), record).await?;
                self.progress.standing = Some(Arc::new(standing(revision.clone(), Vec::new(), Vec::new())));
                return Ok(None);
            }
            Way::NoOwners(why) => {
                return held(Reason::OwnersInvalid, format!("owners of the accepted {accepted}: {why}"));
            }
        }
        let passes = |step: &&Judged| effect == Effect::Record || step.is_approved();
        let record = match effect {
            Effect::Hold => self.broken(&mut reviewed, record, Timestamp::now()),
            // Where nothing is held, nothing goes ahead.
            Effect::Record => glass::taken_back(record),
        };
        let broken = &record.broken_glass;
        let glass = broken.iter().filter_map(|glass| Some((glass.commit.clone(), glass.until.parse().ok()?))).collect();
        let mut lead: Vec<&Judged> = reviewed.steps.iter().take_while(passes).collect();
        // Where checks are asked of the commit that is deployed, nobody has asked for those of one in the middle; and a commit
        // that is only looked at again was not asked for anything.
        let in_part = lead.len() < reviewed.steps.len() && self.wants_merged();
        if effect == Effect::Hold && (in_part || look == Look::Again) {
            lead.clear();
        }
        let lacking: Vec<&&Judged> = lead.iter().filter(|step| !step.is_approved()).collect();
        for step in &lacking {
            tracing::warn!(repository = %self.key, commit = step.commit, why = step.why(), "would be held");
        }
        let named = |commit: &str| Revision { commit: commit.to_owned(), ..revision.clone() };
        let before = accepted;
        let accepted = lead.last().map_or_else(|| accepted.clone(), |step| named(&step.commit));
        let last = lacking.last().map(|step| step.commit.as_str());
        let newest = (accepted.commit != revision.commit).then(|| revision.to_string());
        let next = AcceptanceRecord { newest, ..record };
        let next = foretold::noted(next, &reviewed, Timestamp::now());
        let next = match lead.is_empty() {
            true => next,
            false => AcceptanceRecord { before: Some(before.commit.clone()), ..next },
        };
        let plans = next.plans.clone();
        self.keep(&accepted, review.profile, (lacking.len(), last), next).await?;
        let later = reviewed.steps.iter().skip(lead.len());
        let waiting: Vec<Judged> = later.clone().filter(|step| !step.is_approved()).cloned().collect();
        let order = later.map(|step| step.commit.clone()).collect();
        self.progress.standing = Some(Arc::new(Standing { glass, plans, ..standing(accepted, order, waiting) }));
        Ok(None)
    }
}

pub(super) fn standing(accepted: Revision, later: Vec<String>, waiting: Vec<Judged>) -> Standing {
    Standing { accepted, later, waiting, glass: BTreeMap::new(), plans: Vec::new() }
}

//! `spec.checks`: nothing is deployed of a commit before others have said what they must, on the forge or by coverage files
//! in notes.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::api::{Check, CheckCommit, CheckCoverage};
use crate::failure::{Failed, Fault};
use crate::report::facts::Hold;
use crate::report::reason::Reason;
use crate::revision::checks::{Came, Coverage, Required, Said, Source, Subject, Verdict, heads, judge};
use crate::revision::review::Effect;
use crate::revision::review::note::repository_id;

use super::repository::Watcher;
use super::source;
use super::tip::Found;
use super::worker::{CoverageCheck, CoverageKeys, Judged, Reviewed, Way};
use super::world::random;

impl Watcher {
    /// Why a commit waits for its checks, or may not go by them. One that once had them all is not asked about again: what
    /// is deployed is not taken back by a later run of the same check.
    ///
    /// # Errors
    /// The forge or the remote cannot be asked now, or the spec cannot be meant so.
    pub(super) async fn checks(&mut self, found: &Found) -> Result<Option<Hold>, Failed> {
        let commit = found.commit();
        let required = self.required(Subject::Merged)?;
        // Also where nothing is asked of this commit itself, the spec must be one that can be met.
        self.required(Subject::Head)?;
        if required.is_empty() || self.hearing.passed(commit, Subject::Merged).is_some() {
            return Ok(None);
        }
        let said = self.said(found, &required, commit).await?;
        let verdict = self.compared(found, &required, Subject::Merged, std::slice::from_ref(&said)).await?;
        if verdict.is_passed() {
            tracing::info!(repository = %self.key, commit, "all checks have passed");
            self.pass(commit, Subject::Merged, said);
            return Ok(None);
        }
        Ok(Some(hold(found, verdict)))
    }

    /// Why a commit waits for the checks of the heads by which its steps came, or may not go by them.
    ///
    /// # Errors
    /// As [`checks`](Self::checks).
    pub(super) async fn head_checks(
        &mut self,
        found: &Found,
        reviewed: &Reviewed,
        effect: Effect,
    ) -> Result<Option<Hold>, Failed> {
        let commit = found.commit();
        let required = self.required(Subject::Head)?;
        if required.is_empty() || self.hearing.passed(commit, Subject::Head).is_some() {
            return Ok(None);
        }
        let approved = reviewed.steps.iter().all(Judged::is_approved);
        let unproven = match &reviewed.way {
            Way::Mainline => None,
            // Review itself says better why it goes nowhere.
            Way::Unknown(_) | Way::Gone => return Ok(None),
            Way::NoOwners(_) if effect == Effect::Hold => return Ok(None),
            Way::Elsewhere if !approved => return Ok(None),
            Way::NoOwners(why) => Some(format!("by which pull requests it came cannot be told: {why}")),
            Way::Elsewhere => Some("it came by a rewrite of history, and by no pull request".to_owned()),
        };
        if let Some(why) = unproven {
            return Ok(Some(hold(found, Verdict { failed: vec![why], ..Verdict::default() })));
        }
        let came = reviewed.steps.iter();
        let came = came.map(|step| Came { commit: &step.commit, heads: &step.heads, refused: &step.forge });
        let (heads, mut verdict) = heads(&came.collect::<Vec<_>>());
        let mut said = Vec::new();
        for head in &heads {
            said.push(self.said(found, &required, head).await?);
        }
        let of_heads = self.compared(found, &required, Subject::Head, &said).await?;
        verdict.pending.extend(of_heads.pending);
        verdict.failed.extend(of_heads.failed);
        if verdict.is_passed() {
            tracing::info!(repository = %self.key, commit, heads = heads.len(), "all checks of heads have passed");
            let last = reviewed.steps.last().map(|step| &step.heads);
            let newest = heads.iter().zip(said).filter(|(head, _)| last.is_some_and(|last| last.contains(*head)));
            let said = newest.flat_map(|(_, said)| said).collect();
            self.pass(commit, Subject::Head, said);
            return Ok(None);
        }
        Ok(Some(hold(found, verdict)))
    }

    /// Whether checks are of the heads by which steps came.
    pub(super) fn wants_heads(&self) -> bool {
        self.repository.spec.checks.iter().any(|check| check.commit == CheckCommit::Head)
    }

    /// Whether checks are of the commit that is deployed.
    pub(super) fn wants_merged(&self) -> bool {
        self.repository.spec.checks.iter().any(|check| check.commit == CheckCommit::Merged)
    }

    /// Whether coverage files count that stand in notes.
    pub(super) fn wants_coverage(&self) -> bool {
        self.repository.spec.checks.iter().any(|check| !check.keys.is_empty())
    }

    /// Whether checks hold what was found.
    pub(super) fn waits_for_checks(&self) -> bool {
        let reason = self.withheld.as_ref().map(|withheld| withheld.hold.reason);
        matches!(reason, Some(Reason::ChecksPending | Reason::ChecksFailed))
    }

    /// Judges what is said of each commit, and compares it with what is deployed where nothing else is missing.
    async fn compared(
        &mut self,
        found: &Found,
        required: &[Required],
        subject: Subject,
        said: &[Vec<Said>],
    ) -> Result<Verdict, Failed> {
        let all = |before: Option<&[Said]>| {
            let mut whole = Verdict::default();
            for one in said.iter().map(|said| judge(required, said, before)) {
                whole.pending.extend(one.pending);
                whole.failed.extend(one.failed);
            }
            whole
        };
        let verdict = all(None);
        let compares = required.iter().any(|check| check.coverage.is_some_and(|least| least.max_drop.is_some()));
        let deployed = self.deployed().filter(|of| verdict.is_passed() && compares && of != found.commit());
        let Some(deployed) = deployed else { return Ok(verdict) };
        let before = match self.hearing.passed(&deployed, subject) {
            Some(said) => said.to_vec(),
            None => self.said(found, required, &deployed).await?,
        };
        Ok(all(Some(&before)))
    }

    /// All that is said of a commit by those who are named: asked anew only where it may have changed.
    async fn said(&mut self, found: &Found, required: &[Required], commit: &str) -> Result<Vec<Said>, Failed> {
        let (urgent, now) = (self.inquiry.urgent, Instant::now());
        let mut said = Vec::new();
        if required.iter().any(|check| !check.source.is_note()) {
            if self.hearing.heard(commit, urgent, now).is_none() {
                let forge =
                    source::forge(&self.world.cluster, &self.key.namespace, &self.repository, "spec.checks").await?;
                let forge = self.inquiry.of(forge, now)?;
                let told = forge.said(commit).await.map_err(|error| {
                    self.inquiry.heed(&error, Instant::now());
                    Failed::from(&error)
                })?;
                tracing::debug!(repository = %self.key, commit, said = told.len(), "the forge was asked for checks");
                self.hearing.hear(commit, told, urgent, random(), now);
            }
            said.extend_from_slice(self.hearing.heard(commit, false, now).unwrap_or_default());
        }
        if required.iter().any(|check| check.source.is_note()) {
            let notes = self.inquiry.ahead.notes();
            if self.hearing.read(commit, &notes).is_none() {
                let check = self.coverage_check(found, commit);
                let told = self.world.workers.coverage(&found.source, &check).await?;
                self.hearing.take_read(commit, told.into_values().flatten().collect(), &notes);
            }
            said.extend_from_slice(self.hearing.read(commit, &notes).unwrap_or_default());
        }
        Ok(said)
    }

    fn coverage_check(&self, found: &Found, commit: &str) -> CoverageCheck {
        let checks = self.repository.spec.checks.iter().zip(0..).filter(|(check, _)| !check.keys.is_empty());
        let keys = |(check, number): (&Check, u64)| CoverageKeys {
            number,
            context: check.context.clone(),
            keys: check.keys.clone(),
        };
        CoverageCheck {
            commits: BTreeSet::from([commit.to_owned()]),
            repository: repository_id(&found.source.url),
            checks: checks.map(keys).collect(),
            now: Timestamp::now(),
        }
    }

    fn pass(&mut self, commit: &str, subject: Subject, said: Vec<Said>) {
        let deployed = self.deployed();
        self.hearing.pass(commit, subject, said, deployed.as_deref());
        self.hearing.keep(|_| false);
    }

    /// The newest commit that Syncs may have, as far as it is known.
    fn deployed(&self) -> Option<String> {
        let accepted = self.progress.accepted().map(|accepted| accepted.commit);
        accepted.or_else(|| self.found.as_ref().map(|found| found.commit().to_owned()))
    }

    /// The checks of one kind.
    fn required(&self, subject: Subject) -> Result<Vec<Required>, Failed> {
        let spec = &self.repository.spec;
        let reviewed = spec.review.as_ref().is_some_and(|review| review.forge);
        let required = spec.checks.iter().zip(0..).map(|(check, number)| required(check, number));
        let required = required.collect::<Result<Vec<_>, _>>()?;
        let of: Vec<_> = required.into_iter().filter(|check| check.subject == subject).collect();
        match of.first() {
            Some(check) if subject == Subject::Head && !reviewed => Err(invalid(&format!(
                "spec.checks: {} is of the Head, which needs spec.review.forge: by which pull request a commit came is proven there",
                check.context
            ))),
            _ => Ok(of),
        }
    }
}

fn hold(found: &Found, verdict: Verdict) -> Hold {
    let (reason, told, hint) = if verdict.failed.is_empty() {
        (Reason::ChecksPending, verdict.pending, "it follows by itself when they have passed")
    } else {
        (Reason::ChecksFailed, verdict.failed, "mend it by another commit, or have the check run again")
    };
    Hold::new(reason, format!("{} is held: {}; hint: {hint}", found.listed.revision, told.join("; ")))
}

fn invalid(message: &str) -> Failed {
    Failed::new("InvalidSpec", Fault::Repository, message)
}

fn required(check: &Check, number: u64) -> Result<Required, Failed> {
    let source = match (check.creator, check.app, check.keys.is_empty()) {
        (Some(creator), None, true) => Source::Creator(creator),
        (None, Some(app), true) => Source::App(app),
        (None, None, false) if check.coverage.is_some() => Source::Keys(number),
        _ => {
            let message =
                format!("spec.checks: {} says not by whom it is: creator, app, or keys of coverage", check.context);
            return Err(invalid(&message));
        }
    };
    Ok(Required { context: check.context.clone(), source, subject: subject_of(check), coverage: coverage_of(check) })
}

/// Of which commit a check is.
pub(super) fn subject_of(check: &Check) -> Subject {
    match check.commit {
        CheckCommit::Merged => Subject::Merged,
        CheckCommit::Head => Subject::Head,
    }
}

/// How much must be covered.
pub(super) fn coverage_of(check: &Check) -> Option<Coverage> {
    check.coverage.as_ref().map(|CheckCoverage { min, max_drop }| Coverage {
        min: min.saturating_mul(100),
        max_drop: max_drop.map(|drop| drop.saturating_mul(100)),
    })
}

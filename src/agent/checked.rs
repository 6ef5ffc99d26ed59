//! `spec.checks`: nothing is deployed of a commit before others have said on the forge what they must.

use tokio::time::Instant;

use crate::api::{Check, CheckCoverage};
use crate::failure::{Failed, Fault};
use crate::forge::Forge;
use crate::report::facts::Hold;
use crate::report::reason::Reason;
use crate::revision::checks::{Coverage, Required, Said, Source, judge};

use super::repository::Watcher;
use super::source;
use super::tip::Found;

impl Watcher {
    /// Why a commit waits for its checks, or may not go by them. One that once had them all is not asked about again: what
    /// is deployed is not taken back by a later run of the same check.
    ///
    /// # Errors
    /// The forge cannot be asked now.
    pub(super) async fn checks(&mut self, found: &Found) -> Result<Option<Hold>, Failed> {
        let checks = &self.repository.spec.checks;
        let commit = found.commit();
        if checks.is_empty() || self.checked.as_deref() == Some(commit) {
            return Ok(None);
        }
        let required = checks.iter().map(required).collect::<Result<Vec<_>, _>>()?;
        let forge = source::forge(&self.world.cluster, &self.key.namespace, &self.repository, "spec.checks").await?;
        let forge = self.inquiry.of(forge, Instant::now())?;
        let said = self.said(&forge, commit).await?;
        let mut verdict = judge(&required, &said, None);
        let compares = required.iter().any(|check| check.coverage.is_some_and(|least| least.max_drop.is_some()));
        // What is deployed is asked about only where nothing else is missing.
        if let Some(deployed) = self.deployed().filter(|of| verdict.is_passed() && compares && of != commit) {
            let before = self.said(&forge, &deployed).await?;
            verdict = judge(&required, &said, Some(&before));
        }
        if verdict.is_passed() {
            tracing::info!(repository = %self.key, commit, "all checks have passed");
            self.checked = Some(commit.to_owned());
            return Ok(None);
        }
        let (reason, told, hint) = if verdict.failed.is_empty() {
            (Reason::ChecksPending, verdict.pending, "it follows by itself when they have passed")
        } else {
            (Reason::ChecksFailed, verdict.failed, "mend it by another commit, or have the check run again")
        };
        let message = format!("{} is held: {}; hint: {hint}", found.listed.revision, told.join("; "));
        Ok(Some(Hold::new(reason, message)))
    }

    async fn said(&mut self, forge: &Forge, commit: &str) -> Result<Vec<Said>, Failed> {
        forge.said(commit).await.map_err(|error| {
            self.inquiry.heed(&error, Instant::now());
            Failed::from(&error)
        })
    }

    /// Whether checks hold what was found.
    pub(super) fn waits_for_checks(&self) -> bool {
        let reason = self.withheld.as_ref().map(|withheld| withheld.hold.reason);
        matches!(reason, Some(Reason::ChecksPending | Reason::ChecksFailed))
    }

    /// The newest commit that Syncs may have, as far as it is known.
    fn deployed(&self) -> Option<String> {
        let accepted = self.progress.accepted().map(|accepted| accepted.commit);
        accepted.or_else(|| self.found.as_ref().map(|found| found.commit().to_owned()))
    }
}

fn required(check: &Check) -> Result<Required, Failed> {
    let source = match (check.creator, check.app) {
        (Some(creator), None) => Source::Creator(creator),
        (None, Some(app)) => Source::App(app),
        _ => {
            let message = format!("spec.checks: {} says not by whom it is: creator or app", check.context);
            return Err(Failed::new("InvalidSpec", Fault::Repository, message));
        }
    };
    let coverage = check.coverage.as_ref().map(|CheckCoverage { min, max_drop }| Coverage {
        min: min.saturating_mul(100),
        max_drop: max_drop.map(|drop| drop.saturating_mul(100)),
    });
    Ok(Required { context: check.context.clone(), source, coverage })
}

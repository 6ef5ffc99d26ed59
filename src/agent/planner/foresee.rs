//! What review says of open pull requests, as a status of their heads: what is still missing is told while somebody can
//! give it, and a forge can be told to merge nothing without it. What landed is judged anew, with evidence of then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::agent::backoff;
use crate::agent::tip::{Found, Tip};
use crate::agent::worker::{Foreseen, Proposed, ReviewCheck};
use crate::agent::world::random;
use crate::failure::{Failed, Fault};
use crate::forge::{Forge, Open, Said};
use crate::report::commit_status::CommitStatus;
use crate::report::proposed::review::{Outlook, status};
use crate::revision::proposal::Evidence;
use crate::revision::review::note::host;

use super::{Broken, Teller, broken};

/// After so long it is judged anew, though nothing is known to have changed: who may write may have.
const STALE: Duration = Duration::from_secs(15 * 60);
/// So long after a change it is judged once more: forges tell the time of a change in seconds, and another one in the same
/// second looks like none.
const SETTLES: Duration = Duration::from_secs(2);

/// What was told of a pull request.
pub(super) struct Told {
    of: Of,
    at: Instant,
    /// Failures in a row, and when it is tried again.
    failures: u32,
    retry: Option<Instant>,
    /// When it is judged once more.
    again: Option<Instant>,
    /// What its head has for a status.
    shown: Option<CommitStatus>,
}

/// What it depends on that is seen from outside.
#[derive(Clone, PartialEq, Eq)]
struct Of {
    head: String,
    base: String,
    /// When the forge last changed something of it.
    changed: Option<Timestamp>,
    /// Where notes are: people approve by them, and take back.
    notes: String,
    check: Arc<ReviewCheck>,
}

impl Teller {
    /// Judges what is open and has changed, and tells what is new of it.
    pub(super) async fn tell_reviews(
        &mut self,
        forge: &Forge,
        tip: &Tip,
        base: &Found,
        open: &[Open],
    ) -> Result<(), Broken> {
        let numbers: BTreeSet<u64> = open.iter().map(|one| one.number).collect();
        self.ahead.keep(&numbers);
        self.foreseen.retain(|number, _| numbers.contains(number));
        let Some(check) = &tip.judging else { return Ok(()) };
        let notes = self.ahead.notes();
        let all: BTreeSet<String> = open.iter().map(|one| one.head.clone()).collect();
        for one in open {
            let of = Of {
                head: one.head.clone(),
                base: base.commit().to_owned(),
                changed: one.changed,
                notes: notes.clone(),
                check: check.clone(),
            };
            if !self.foreseen.get(&one.number).is_none_or(|told| told.is_over(&of)) {
                continue;
            }
            let said = forge.proposal(one.number).await.map_err(|error| broken(&error))?;
            let proposed = Proposed { reference: one.reference.clone(), head: one.head.clone(), all: all.clone() };
            let outlook = match self.outlook(base, &proposed, said, check).await {
                Ok(outlook) => outlook,
                Err(failed) => {
                    self.fail(one.number, of, &failed);
                    continue;
                }
            };
            self.ahead.note(one.number, outlook.is_approved());
            let status = status(&outlook, check.settings.effect);
            let before = self.foreseen.get(&one.number).filter(|told| told.of.head == one.head);
            if before.is_none_or(|told| told.shown.as_ref() != Some(&status)) {
                if !self.world.leading() {
                    return Ok(());
                }
                let context = self.context_of("review");
                let shown = forge.status(&one.head, &context).await.map_err(|error| broken(&error))?;
                if forge.shows(shown.as_ref(), &status) {
                    forge.tell(&one.head, &context, &status).await.map_err(|error| broken(&error))?;
                    tracing::info!(repository = %self.key, proposal = one.number, head = one.head, light = ?status.light, "its review is told");
                }
            }
            let now = Instant::now();
            let same = self.foreseen.get(&one.number).is_some_and(|told| told.of.changed == of.changed);
            let again = (!same).then(|| now + SETTLES);
            let told = Told { of, at: now, failures: 0, retry: None, again, shown: Some(status) };
            self.foreseen.insert(one.number, told);
        }
        Ok(())
    }

    async fn outlook(
        &self,
        base: &Found,
        proposed: &Proposed,
        said: Said,
        check: &ReviewCheck,
    ) -> Result<Outlook, Failed> {
        let now = Timestamp::now();
        let Said { repository, proposals } = said;
        let said = Evidence { forge: host(&base.source.url), repository, proposals, since: now, failed: None };
        let check = ReviewCheck { now, ..check.clone() };
        let (foreseen, mut withdrawals) = {
            let _turn = self.world.turn(&self.key.namespace).await;
            self.world.workers.foresee(&base.source, &base.listed, (proposed, &said), &check).await?
        };
        // Who removes the note before it is merged brings nothing back.
        withdrawals.retain(|withdrawal| !check.withdrawals.contains(withdrawal));
        self.ahead.take_back(withdrawals);
        Ok(match foreseen {
            Foreseen::Judged { judged, behind } if judged.is_approved() => {
                let by = judged.verdict.by.iter().map(|vote| vote.person.clone()).collect();
                match behind {
                    None => Outlook::Approved(by),
                    Some(commit) => Outlook::Behind { by, commit },
                }
            }
            Foreseen::Judged { judged, .. } => Outlook::Lacks(judged.in_short()),
            Foreseen::Conflicts => Outlook::Conflicts,
            Foreseen::Unknown(why) => Outlook::Unknown(why),
            // A forge may tell of a head before it hands it out.
            Foreseen::Moved => {
                let message = format!("the remote does not hand out {} as {} yet", proposed.head, proposed.reference);
                return Err(Failed::new("ForgeUnavailable", Fault::Transient, message));
            }
        })
    }

    fn fail(&mut self, number: u64, of: Of, failed: &Failed) {
        let before = self.foreseen.remove(&number);
        let failures = before.as_ref().map_or(0, |told| told.failures) + 1;
        tracing::warn!(repository = %self.key, proposal = number, reason = %failed.reason, error = %failed, hint = failed.hint, "its review cannot be foreseen");
        let shown = before.filter(|told| told.of.head == of.head).and_then(|told| told.shown);
        let retry = Some(Instant::now() + backoff::retry(failed.fault, failures, random()));
        self.foreseen.insert(number, Told { of, at: Instant::now(), failures, retry, again: None, shown });
    }
}

impl Told {
    /// When it is judged again, whatever is seen from outside.
    pub(super) fn next(&self) -> Option<Instant> {
        self.retry.or(self.again)
    }

    /// Whether it is to be judged anew.
    fn is_over(&self, of: &Of) -> bool {
        let now = Instant::now();
        match self.retry {
            Some(retry) => retry <= now || self.of.head != of.head,
            None => self.of != *of || self.again.is_some_and(|again| again <= now) || self.at + STALE <= now,
        }
    }
}

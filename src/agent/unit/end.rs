//! How a pass ended, and what makes the next one due: a trigger that surely comes, a time, or both.
//! Nothing that is left to do waits for the hourly check.

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::{Failed, Fault};
use crate::report::facts::{Hold, Progress, Stage, Verdict};

use super::pass::Stop;
use super::{Unit, backoff, random};

/// After so long what no watch shows is looked at again.
const UNSEEN: Duration = Duration::from_secs(10);
/// Pause after a pass that was cut short: a lease is renewed, or known to be lost, before long.
const CUT_SHORT: Duration = Duration::from_millis(500);

/// Places of what was logged: a hold of the newest revision, and of the healing of the accepted one.
pub(super) const NEWEST: usize = 0;
const HEALING: usize = 1;

impl Unit {
    /// Takes note of how the attempt at the newest commit ended.
    pub(super) fn note_end(&mut self, end: Result<(), Stop>) {
        let this = self.tip.as_ref().and_then(|t| t.found.as_ref()).map(|f| (f.commit().to_owned(), self.generation()));
        let Err(stop) = end else {
            self.logged[NEWEST] = None;
            return;
        };
        match stop {
            // A spec, a Repository or what it finds makes the next pass due.
            Stop::Idle => self.facts.progress = None,
            // A retry was planned when it was refused.
            Stop::Known => {}
            // The newer revision is on its way here; it may also be taken back before it arrives.
            Stop::Superseded => self.again_within(CUT_SHORT),
            Stop::NoPermit => {
                self.handled = None;
                let news = matches!(self.facts.verdict, Verdict::None);
                self.facts.progress = news.then(|| {
                    let message = "this replica's lease was not renewed in time: nothing is written until it is";
                    Progress { stage: Stage::Apply, message: message.to_owned() }
                });
                self.again_within(CUT_SHORT);
            }
            Stop::Again => self.work = true,
            Stop::Waiting(progress) => {
                self.facts.progress = Some(progress);
                self.handled = None;
                let since = *self.waiting_since.get_or_insert_with(Instant::now);
                // The watch makes the next pass due; this is for what no watch shows, and for the end of patience.
                let (now, patience) = (Instant::now(), since + self.timeout());
                let unseen = now + UNSEEN;
                self.retry_at = Some(if now < patience { unseen.min(patience) } else { unseen });
                if now >= patience {
                    let message = self.facts.progress.take().map_or_else(String::new, |p| p.message);
                    let message = format!("waited longer than {:?}: {message}", self.timeout());
                    let failed = Failed::new("WaitTimedOut", Fault::Cluster, message);
                    self.facts.verdict = Verdict::Failed { stage: Stage::Apply, failed };
                }
                return;
            }
            Stop::Verdict(verdict) => {
                self.refused = this;
                self.handled = None;
                self.facts.progress = None;
                self.facts.verdict = verdict;
                if !matches!(self.facts.verdict, Verdict::WaitingForDependency { .. } | Verdict::DependencyCycle { .. })
                {
                    self.again_after(Fault::Repository);
                } else {
                    self.refused = None;
                }
            }
            Stop::Hold(hold) => {
                self.handled = None;
                self.facts.progress = None;
                if matches!(self.facts.verdict, Verdict::Failed { .. } | Verdict::Refused { .. }) {
                    // It is over: the next try came as far as this.
                    self.facts.verdict = Verdict::None;
                }
                self.log_hold(NEWEST, &hold);
                self.facts.hold = Some(hold);
            }
            Stop::Failed(stage, failed) => {
                self.handled = None;
                self.facts.progress = None;
                self.again_after(failed.fault);
                self.facts.verdict = Verdict::Failed { stage, failed };
            }
        }
        self.waiting_since = None;
    }

    /// Takes note of how the healing of the accepted commit ended. The verdict speaks of the newest
    /// one; why this one could not be put right is logged, and it is tried again.
    pub(super) fn note_healing(&mut self, end: Result<(), Stop>) {
        let why = match end {
            Ok(()) => {
                self.logged[HEALING] = None;
                return;
            }
            Err(Stop::Idle | Stop::Known) => return,
            Err(Stop::Again) => {
                self.work = true;
                return;
            }
            Err(Stop::NoPermit | Stop::Superseded) => return self.again_within(CUT_SHORT),
            Err(Stop::Waiting(progress)) => {
                tracing::debug!(sync = %self.key, why = %progress.message, "healing waits");
                return self.again_within(UNSEEN);
            }
            Err(Stop::Failed(stage, failed)) => {
                tracing::warn!(sync = %self.key, stage = stage.as_str(), reason = %failed.reason, error = %failed, "healing");
                failed.fault
            }
            Err(Stop::Hold(hold)) => {
                self.log_hold(HEALING, &hold);
                Fault::Cluster
            }
            Err(Stop::Verdict(verdict)) => {
                tracing::warn!(sync = %self.key, ?verdict, "healing is refused");
                Fault::Cluster
            }
        };
        if self.retry_at.is_none() {
            self.again_after(why);
        }
    }

    /// A hold is news once: each further pass that ends with it says so to who asks for everything.
    pub(super) fn log_hold(&mut self, of: usize, hold: &Hold) {
        let what = if of == NEWEST { "held" } else { "healing is held" };
        let news = Some((hold.reason, hold.message.clone()));
        if self.logged[of] == news {
            tracing::debug!(sync = %self.key, reason = %hold.reason, why = %hold.message, "still {what}");
        } else {
            tracing::warn!(sync = %self.key, reason = %hold.reason, why = %hold.message, "{what}");
            self.logged[of] = news;
        }
    }

    /// Plans the next try after an end that time may mend.
    pub(super) fn again_after(&mut self, fault: Fault) {
        self.failures += 1;
        self.retry_at = Some(Instant::now() + backoff::retry(fault, self.failures, random()));
    }

    /// Plans the next try no later than that.
    pub(super) fn again_within(&mut self, pause: Duration) {
        let at = Instant::now() + pause;
        self.retry_at = Some(self.retry_at.map_or(at, |known| known.min(at)));
    }

    /// Plans the next try of a pass or farewell that found no permit.
    pub(super) fn again_with_permit(&mut self) {
        self.again_within(CUT_SHORT);
    }
}

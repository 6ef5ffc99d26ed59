//! Commits that go ahead of their review: the clock of each begins once.

use jiff::{SignedDuration, Timestamp};

use crate::api::{AcceptanceRecord, BrokenGlass, GlassSeen};
use crate::report::event::of_glass;
use crate::revision::review::glass::Glass;

use super::repository::Watcher;
use super::worker::{Judged, Reviewed};

/// Characters of a reason that are kept.
const REASON: usize = 500;
/// Commits that go ahead at a time.
const AT_A_TIME: usize = 20;
/// Commits whose time is remembered.
const REMEMBERED: usize = 200;

impl Watcher {
    /// The record with the steps that go ahead of their review, or went ahead. One that was not ahead a moment ago is told
    /// to everybody.
    pub(super) fn broken(&self, reviewed: &mut Reviewed, record: AcceptanceRecord, now: Timestamp) -> AcceptanceRecord {
        let before = record.broken_glass.clone();
        let next = broken(&mut reviewed.steps, record, now);
        for new in next.broken_glass.iter().filter(|glass| !before.contains(glass)) {
            tracing::warn!(repository = %self.key, commit = new.commit, by = new.by, reason = new.reason, until = new.until, "goes ahead of its review");
            let uid = self.repository.metadata.uid.clone().unwrap_or_default();
            self.world.news.tell("Repository", &self.key, &uid, &of_glass(new));
        }
        next
    }
}

/// The record where nothing is ahead of its review any more. That it was stays known.
pub fn taken_back(record: AcceptanceRecord) -> AcceptanceRecord {
    let glass_seen = seen(&record);
    AcceptanceRecord { broken_glass: Vec::new(), glass_seen, ..record }
}

/// The record with the steps that are ahead: those that were stay so, others while their time lasts, which began when they
/// were first seen. A step whose time was over when it came says so.
fn broken(steps: &mut [Judged], record: AcceptanceRecord, now: Timestamp) -> AcceptanceRecord {
    let mut seen = seen(&record);
    let mut broken = Vec::new();
    for step in steps.iter_mut().filter(|step| !step.is_approved()) {
        if broken.len() == AT_A_TIME {
            break;
        }
        if let Some(known) = record.broken_glass.iter().find(|glass| glass.commit == step.commit) {
            broken.push(known.clone());
            continue;
        }
        let Some(Ok(glass)) = step.glass.clone() else { continue };
        let known = seen.iter().find(|known| known.commit == step.commit).cloned();
        let Some(time) = known.clone().or_else(|| begun(&step.commit, &glass, now)) else { continue };
        if time.until.parse().is_ok_and(|until: Timestamp| now < until) {
            broken.push(BrokenGlass {
                commit: step.commit.clone(),
                by: glass.by,
                reason: glass.reason.chars().take(REASON).collect(),
                seen_at: time.seen_at.clone(),
                until: time.until.clone(),
            });
        } else {
            step.glass = Some(Err(format!("its time was over at {}, and the same commit gets no other", time.until)));
        }
        if known.is_none() {
            seen.push(time);
        }
    }
    let glass_seen = seen.split_off(seen.len().saturating_sub(REMEMBERED));
    AcceptanceRecord { broken_glass: broken, glass_seen, ..record }
}

/// The time that begins now.
fn begun(commit: &str, glass: &Glass, now: Timestamp) -> Option<GlassSeen> {
    let until = now.checked_add(SignedDuration::from_secs(glass.seconds)).ok()?;
    Some(GlassSeen { commit: commit.to_owned(), seen_at: now.to_string(), until: until.to_string() })
}

/// The times of all that were ever ahead, as far as they are known.
fn seen(record: &AcceptanceRecord) -> Vec<GlassSeen> {
    let mut all = record.glass_seen.clone();
    for glass in &record.broken_glass {
        if !all.iter().any(|known| known.commit == glass.commit) {
            let BrokenGlass { commit, seen_at, until, .. } = glass.clone();
            all.push(GlassSeen { commit, seen_at, until });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::review::{Missing, Verdict};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn step(commit: &str) -> Judged {
        let missing = Missing { paths: Vec::new(), why: "it has 0 of 1".into(), short: String::new() };
        Judged {
            commit: commit.into(),
            parent: String::new(),
            paths: Default::default(),
            verdict: Verdict { missing: vec![missing], ..Verdict::default() },
            refused: Vec::new(),
            forge: Vec::new(),
            heads: Default::default(),
            owners: None,
            glass: Some(Ok(Glass { by: "olga".into(), reason: "it burns".into(), seconds: 100 })),
        }
    }

    /// What a look at these commits makes of a record: until when each is ahead.
    fn look(commits: &[&str], record: AcceptanceRecord, second: i64) -> (AcceptanceRecord, Vec<(String, String)>) {
        let mut steps: Vec<Judged> = commits.iter().map(|commit| step(commit)).collect();
        let next = broken(&mut steps, record, at(second));
        let ahead = next.broken_glass.iter().map(|glass| (glass.commit.clone(), glass.until.clone())).collect();
        (next, ahead)
    }

    #[test]
    fn a_commit_that_comes_again_has_what_is_left_of_its_time() {
        let until = |commit: &str, second: i64| (commit.to_owned(), at(second).to_string());
        let (record, ahead) = look(&["a"], AcceptanceRecord::default(), 0);
        assert_eq!(ahead, [until("a", 100)]);
        let (over, ahead) = look(&["a"], record.clone(), 500);
        assert_eq!(ahead, [until("a", 100)], "it is still there, and nothing rolls back");
        for gone in [taken_back(record.clone()), look(&["b"], record, 40).0, taken_back(taken_back(over))] {
            assert_eq!(look(&["a"], gone.clone(), 99).1, [until("a", 100)]);
            let mut again = [step("a")];
            let next = broken(&mut again, gone.clone(), at(100));
            assert!(next.broken_glass.is_empty(), "{next:?}");
            assert!(again[0].why().contains("its time was over at"), "{}", again[0].why());
            assert_eq!(look(&["c"], gone, 500).1, [until("c", 600)], "another commit has its own");
        }
    }

    #[test]
    fn what_is_remembered_has_an_end_and_the_oldest_goes_first() {
        let mut record = AcceptanceRecord::default();
        for number in 0..=REMEMBERED {
            record = look(&[&number.to_string()], record, 0).0;
        }
        assert_eq!(record.glass_seen.len(), REMEMBERED);
        assert_eq!(record.glass_seen[0].commit, "1");
    }
}

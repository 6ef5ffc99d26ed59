//! What the forge says of commits that were not approved, or whose heads are wanted: asked only of these, and seldom again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::failure::{Failed, Fault};
use crate::forge::{Forge, ForgeError, Said};
use crate::revision::proposal::Evidence;
use crate::revision::review::note::host;

use super::ahead::Ahead;
use super::backoff;
use super::repository::Watcher;
use super::source;
use super::worker::Judged;
use super::world::random;

/// Commits that are asked about at a time.
const AT_A_TIME: usize = 20;
/// Pause before a commit is asked about for the second time; later ones are longer. A forge may know some time after a
/// push by which pull request it came.
const PAUSE: Duration = Duration::from_secs(2);

/// What the forge was asked.
#[derive(Default)]
pub struct Inquiry {
    asked: BTreeMap<String, Asked>,
    /// What is known of pull requests that have not landed.
    pub(super) ahead: Arc<Ahead>,
    /// Until then the forge asks to be left alone.
    alone: Option<Instant>,
    /// When commits are asked about that were too many for once.
    left: Option<Instant>,
    /// Somebody says that there is news: the forge is asked now.
    pub urgent: bool,
}

/// What was asked of one commit.
struct Asked {
    evidence: Evidence,
    /// Whether the commit still lacks approval.
    waits: bool,
    /// How often, since somebody said that there is news.
    times: u32,
    /// When it was asked last, and is to be asked next.
    at: Instant,
    next: Instant,
}

impl Inquiry {
    /// Nothing was asked yet.
    pub fn new(ahead: Arc<Ahead>) -> Self {
        Self { ahead, ..Self::default() }
    }

    /// All that is known.
    pub fn evidence(&self) -> BTreeMap<String, Evidence> {
        self.asked.iter().map(|(commit, asked)| (commit.clone(), asked.evidence.clone())).collect()
    }

    /// The forge, which is asked only for what has changed since it was asked last.
    ///
    /// # Errors
    /// It asked to be left alone, and the time for that is not over.
    pub fn of(&self, forge: Forge, now: Instant) -> Result<Forge, Failed> {
        match self.alone.filter(|alone| now < *alone) {
            Some(alone) => {
                let message = format!("the forge asks to be left alone for {} s more", (alone - now).as_secs() + 1);
                Err(Failed::new("ForgeUnavailable", Fault::Transient, message))
            }
            None => Ok(forge.with(self.ahead.book.clone())),
        }
    }

    /// What a refusal says of when it may be asked again.
    pub fn heed(&mut self, error: &ForgeError, now: Instant) {
        if let ForgeError::Limited { pause, .. } = error {
            self.alone = Some(now + *pause);
        }
    }

    /// When to look again, at the latest after a pause; `hearing` is when the forge is to be asked of checks. What is due already could not be asked: the next poll is soon
    /// enough for that.
    pub fn until(&self, hearing: Option<Instant>, now: Instant, pause: Duration) -> Instant {
        let hearing = hearing.map(|next| self.alone.map_or(next, |alone| alone.max(next)));
        let next = [self.next(), hearing].into_iter().flatten().min();
        next.filter(|next| *next > now).map_or(now + pause, |next| next.min(now + pause))
    }

    /// When something is to be asked again.
    pub fn next(&self) -> Option<Instant> {
        let asked = self.asked.values().filter(|asked| asked.waits).map(|asked| asked.next);
        let next = asked.chain(self.left).min()?;
        Some(self.alone.map_or(next, |alone| alone.max(next)))
    }

    /// Forgets what is not among these steps any more. What is approved is not asked about again, and stays known while a
    /// step before it waits.
    fn keep(&mut self, steps: &[Judged], heads: bool) {
        self.asked.retain(|commit, _| steps.iter().any(|step| step.commit == *commit));
        for step in steps {
            if let Some(asked) = self.asked.get_mut(&step.commit) {
                asked.waits = lacks(step, heads);
            }
        }
    }

    /// Those of the commits that are asked about now.
    fn due(&self, lacking: &[String], now: Instant) -> Vec<String> {
        if self.alone.is_some_and(|alone| now < alone) {
            return Vec::new();
        }
        let due = |commit: &&String| self.asked.get(*commit).is_none_or(|asked| asked.next <= now);
        lacking.iter().filter(due).take(AT_A_TIME).cloned().collect()
    }

    /// Somebody says that there is news: what was asked a moment ago is asked again in a moment, and all else now. However
    /// often somebody says so, the forge is not asked more often.
    fn hurry(&mut self) {
        if self.urgent {
            for asked in self.asked.values_mut() {
                asked.next = asked.next.min(asked.at + PAUSE);
            }
        }
    }

    /// Takes what a forge said of a commit that is not judged yet; how many proposals it names. Where it knows none yet, it
    /// is asked again when that is judged. Whether the commit waits for more is said then, too.
    fn know(&mut self, commit: &str, forge: String, said: Result<Said, ForgeError>, now: Instant) -> usize {
        let Said { repository, proposals } = match said {
            Ok(said) => said,
            Err(error) => {
                self.heed(&error, now);
                return 0;
            }
        };
        let count = proposals.len();
        if count > 0 {
            let evidence = Evidence { forge, repository, proposals, since: Timestamp::now(), failed: None };
            self.asked
                .insert(commit.to_owned(), Asked { evidence, waits: false, times: 0, at: now, next: now + PAUSE });
        }
        count
    }

    /// Takes an answer; whether it is news.
    fn take(&mut self, commit: &str, evidence: Evidence, random: f64, now: Instant) -> bool {
        let before = self.asked.get(commit);
        let news = before.is_none_or(|before| before.evidence != evidence);
        let times = if self.urgent || news { 0 } else { before.map_or(0, |before| before.times + 1) };
        let next = now + backoff::poll(PAUSE, times, random);
        self.asked.insert(commit.to_owned(), Asked { evidence, waits: true, times, at: now, next });
        news
    }
}

/// Whether the forge may know more of a step: it lacks approval, or, where `heads` are wanted, that by which it came.
fn lacks(step: &Judged, heads: bool) -> bool {
    !step.is_approved() || heads && step.heads.is_empty()
}

impl Watcher {
    /// What the forge says of a new commit, asked while that is fetched, where a pull request is open that may have become
    /// it: it was judged before, so this alone is left to be known. Where nothing is known yet it is asked once more later.
    pub(super) async fn foreseen(&self, commit: &str) -> Option<Result<Said, ForgeError>> {
        let expected = self.repository.spec.review.as_ref().is_some_and(|review| review.forge)
            && self.inquiry.ahead.expects()
            && !self.inquiry.asked.contains_key(commit);
        if !expected {
            return None;
        }
        let (cluster, namespace) = (&self.world.cluster, self.key.namespace.as_str());
        let forge = source::forge(cluster, namespace, &self.repository, "spec.review.forge").await.ok()?;
        Some(self.inquiry.of(forge, Instant::now()).ok()?.proposals(commit).await)
    }

    /// Takes what was said of a new commit so early.
    pub(super) fn take_foreseen(&mut self, commit: &str, said: Result<Said, ForgeError>) {
        let proposals = self.inquiry.know(commit, host(&self.repository.spec.url), said, Instant::now());
        if proposals > 0 {
            tracing::info!(repository = %self.key, commit, proposals, "the forge was asked for reviews");
        }
    }

    /// Asks the forge about steps that lack approval, or the head by which they came where checks are of that, where it is
    /// time. Whether it says anything new.
    pub(super) async fn inquire(&mut self, steps: &[Judged]) -> bool {
        let heads = self.wants_heads();
        self.inquiry.keep(steps, heads);
        self.inquiry.hurry();
        let lacking = steps.iter().filter(|step| lacks(step, heads));
        let lacking: Vec<String> = lacking.map(|step| step.commit.clone()).collect();
        let due = self.inquiry.due(&lacking, Instant::now());
        self.inquiry.left = None;
        if due.is_empty() {
            return false;
        }
        let host = host(&self.repository.spec.url);
        let (cluster, namespace) = (&self.world.cluster, self.key.namespace.as_str());
        let forge = source::forge(cluster, namespace, &self.repository, "spec.review.forge").await;
        let forge = forge.map(|forge| forge.with(self.inquiry.ahead.book.clone()));
        let mut news = false;
        for commit in due {
            let before = self.inquiry.asked.get(&commit).map(|asked| asked.evidence.clone());
            let since = before.as_ref().map_or_else(Timestamp::now, |before| before.since);
            let evidence = match answer(&forge, &commit).await {
                Ok(Said { repository, proposals }) => {
                    tracing::info!(repository = %self.key, commit, proposals = proposals.len(), "the forge was asked for reviews");
                    Evidence { forge: host.clone(), repository, proposals, since, failed: None }
                }
                Err((failed, pause)) => {
                    tracing::warn!(repository = %self.key, commit, reason = %failed.reason, error = %failed, hint = failed.hint, "the forge cannot be asked for reviews");
                    self.inquiry.alone = pause.map(|pause| Instant::now() + pause);
                    let told = Some(failed.to_string());
                    // What it said before is as true as it was.
                    match before {
                        Some(before) => Evidence { failed: told, ..before },
                        None => {
                            Evidence { forge: host.clone(), repository: 0, proposals: Vec::new(), since, failed: told }
                        }
                    }
                }
            };
            let stop = evidence.failed.is_some();
            news |= self.inquiry.take(&commit, evidence, random(), Instant::now());
            if stop {
                return news;
            }
        }
        if lacking.iter().any(|commit| !self.inquiry.asked.contains_key(commit)) {
            self.inquiry.left = Some(Instant::now() + PAUSE);
        }
        news
    }
}

async fn answer(forge: &Result<Forge, Failed>, commit: &str) -> Result<Said, (Failed, Option<Duration>)> {
    let forge = forge.as_ref().map_err(|failed| (failed.clone(), None))?;
    forge.proposals(commit).await.map_err(|error| match error {
        ForgeError::Limited { pause, .. } => (Failed::from(&error), Some(pause)),
        _ => (Failed::from(&error), None),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::ForgeType;
    use crate::forge::Access;
    use crate::revision::proposal::Proposal;

    fn evidence(failed: Option<&str>) -> Evidence {
        let failed = failed.map(str::to_owned);
        Evidence { forge: "f".to_owned(), repository: 1, proposals: Vec::new(), since: Timestamp::UNIX_EPOCH, failed }
    }

    fn proposal() -> Proposal {
        Proposal {
            number: 7,
            repository: Some(1),
            target: "refs/heads/main".to_owned(),
            merged_at: None,
            merge_commit: None,
            squash_commit: None,
            by_hand: false,
            head: None,
            head_reference: String::new(),
            base: None,
            opener: None,
            authors: BTreeSet::new(),
            pushers: None,
            retargeted: None,
            versions: Vec::new(),
            reviews: Vec::new(),
        }
    }

    #[test]
    fn a_forge_that_asks_to_be_left_alone_is_asked_for_nothing_until_then() {
        let url = "https://forge.example/shop/app";
        let access = Access { kind: ForgeType::Gitea, api: None, url, token: "token", ca: None };
        let forge = || Forge::new(&access).expect("a forge");
        let (mut inquiry, now) = (Inquiry::default(), Instant::now());
        inquiry.heed(&ForgeError::NotFound(url.to_owned()), now);
        assert!(inquiry.of(forge(), now).is_ok());
        inquiry.heed(&ForgeError::Limited { place: url.to_owned(), pause: Duration::from_secs(9) }, now);
        let told = inquiry.of(forge(), now + Duration::from_secs(2)).map(|_| ()).expect_err("it is left alone");
        assert_eq!(told.to_string(), "the forge asks to be left alone for 8 s more");
        assert!(inquiry.due(&["a".to_owned()], now).is_empty());
        assert!(inquiry.of(forge(), now + Duration::from_secs(9)).is_ok());
    }

    #[test]
    fn what_was_said_before_a_commit_was_judged_is_known_and_is_no_reason_to_look_again() {
        let (mut inquiry, now) = (Inquiry::default(), Instant::now());
        let said = |proposals| Ok(Said { repository: 1, proposals });
        assert_eq!(inquiry.know("a", "f".to_owned(), said(Vec::new()), now), 0);
        assert!(inquiry.evidence().is_empty(), "it may know more in a moment");
        assert_eq!(inquiry.due(&["a".to_owned()], now), ["a"]);
        assert_eq!(inquiry.know("a", "f".to_owned(), said(vec![proposal()]), now), 1);
        let known = &inquiry.evidence()["a"];
        assert_eq!((known.forge.as_str(), known.repository, known.failed.as_ref()), ("f", 1, None));
        assert_eq!(known.proposals, [proposal()]);
        assert_eq!(inquiry.next(), None, "nobody has judged it: it may wait for something else");
        assert!(inquiry.due(&["a".to_owned()], now).is_empty(), "it was asked a moment ago");
        assert_eq!(inquiry.due(&["a".to_owned()], now + PAUSE), ["a"]);
    }

    #[test]
    fn a_forge_that_refuses_the_early_question_is_left_alone_as_after_any_other() {
        let (mut inquiry, now) = (Inquiry::default(), Instant::now());
        let place = "https://forge.example/api".to_owned();
        inquiry.know("a", "f".to_owned(), Err(ForgeError::NotFound(place.clone())), now);
        assert_eq!(inquiry.due(&["a".to_owned()], now), ["a"], "that says nothing of the next question");
        let pause = Duration::from_secs(30);
        assert_eq!(inquiry.know("a", "f".to_owned(), Err(ForgeError::Limited { place, pause }), now), 0);
        assert!(inquiry.evidence().is_empty());
        assert!(inquiry.due(&["a".to_owned()], now + pause / 2).is_empty());
        assert_eq!(inquiry.due(&["a".to_owned()], now + pause), ["a"]);
    }

    #[test]
    fn a_commit_is_asked_about_at_once_and_then_ever_more_seldom_until_there_is_news() {
        let (mut inquiry, lacking, begin) = (Inquiry::default(), ["a".to_owned()], Instant::now());
        let mut now = begin;
        assert_eq!(inquiry.due(&lacking, now), lacking);
        assert!(inquiry.take("a", evidence(None), 0.0, now));
        let mut pauses = Vec::new();
        for _ in 0..10 {
            assert!(inquiry.due(&lacking, now).is_empty());
            let next = inquiry.next().expect("something was asked");
            pauses.push((next - now).as_secs());
            now = next;
            assert_eq!(inquiry.due(&lacking, now), lacking);
            assert!(!inquiry.take("a", evidence(None), 0.0, now));
        }
        assert_eq!(pauses[..4], [2, 4, 8, 16]);
        assert_eq!(pauses[9], backoff::LONGEST.as_secs(), "{pauses:?}");
        inquiry.take("a", evidence(None), 0.0, now);
        assert!(inquiry.due(&lacking, now).is_empty());
        inquiry.urgent = true;
        for _ in 0..3 {
            inquiry.hurry();
            assert!(
                inquiry.due(&lacking, now).is_empty(),
                "it was asked a moment ago, whoever says that there is news"
            );
        }
        now += PAUSE;
        assert_eq!(inquiry.due(&lacking, now), lacking, "somebody says that there is news");
        inquiry.take("a", evidence(None), 0.0, now);
        assert_eq!(inquiry.until(None, now, Duration::from_secs(15)), now + PAUSE);
        let soon = now + Duration::from_secs(1);
        assert_eq!(inquiry.until(Some(soon), now, Duration::from_secs(15)), soon, "checks are asked about too");
        assert_eq!(inquiry.until(None, now + PAUSE, Duration::from_secs(15)), now + PAUSE + Duration::from_secs(15));
        assert!(inquiry.take("a", evidence(Some("away")), 0.0, now), "that it fails is news");
        inquiry.alone = Some(now + Duration::from_secs(60));
        assert!(inquiry.due(&lacking, now + Duration::from_secs(59)).is_empty(), "it is left alone when it asks");
        assert_eq!(inquiry.next().map(|next| next - now), Some(Duration::from_secs(60)));
    }
}

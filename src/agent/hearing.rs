//! What was said of commits, so that nobody is asked again before something may have changed: a forge ever more seldom, and
//! the remote's notes when the listing of its references shows that they moved.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff;
use crate::revision::checks::{Said, Subject};

/// Pause before the forge is asked about the same commit for the second time; later ones are longer.
const PAUSE: Duration = Duration::from_secs(2);
/// Doublings after which they get no longer: about two minutes lie between two questions then.
const DOUBLINGS: u32 = 6;

/// What was said.
#[derive(Default)]
pub struct Hearing {
    /// On the forge, by commit.
    heard: BTreeMap<String, Heard>,
    /// In notes, by commit.
    read: BTreeMap<String, Read>,
    /// What commits had when they had all their checks.
    passed: BTreeMap<(String, Subject), Vec<Said>>,
}

struct Heard {
    said: Vec<Said>,
    /// How often nothing new was said in a row.
    times: u32,
    next: Instant,
}

struct Read {
    said: Vec<Said>,
    /// Where the notes were when they were read.
    notes: String,
}

impl Hearing {
    /// What the forge said of a commit, where it is not time to ask again.
    pub fn heard(&self, commit: &str, urgent: bool, now: Instant) -> Option<&[Said]> {
        let heard = self.heard.get(commit).filter(|heard| !urgent && now < heard.next)?;
        Some(&heard.said)
    }

    /// Takes what the forge says.
    pub fn hear(&mut self, commit: &str, said: Vec<Said>, urgent: bool, random: f64, now: Instant) {
        let before = self.heard.get(commit);
        let same = before.filter(|before| !urgent && before.said == said);
        let times = same.map_or(0, |before| (before.times + 1).min(DOUBLINGS));
        let next = now + backoff::poll(PAUSE, times, random);
        self.heard.insert(commit.to_owned(), Heard { said, times, next });
    }

    /// What notes say of a commit, where none has moved since they were read.
    pub fn read(&self, commit: &str, notes: &str) -> Option<&[Said]> {
        let read = self.read.get(commit).filter(|read| read.notes == notes)?;
        Some(&read.said)
    }

    /// Takes what notes say now. What a listed key once signed stays, so that taking a newer file away brings no older one
    /// back.
    pub fn take_read(&mut self, commit: &str, said: Vec<Said>, notes: &str) {
        let before = self.read.remove(commit).map(|read| read.said).unwrap_or_default();
        let gone = before.into_iter().filter(|one| one.source.is_some() && !said.contains(one));
        let said = said.iter().cloned().chain(gone).collect();
        self.read.insert(commit.to_owned(), Read { said, notes: notes.to_owned() });
    }

    /// What a commit had when it had all checks of this kind.
    pub fn passed(&self, commit: &str, subject: Subject) -> Option<&[Said]> {
        self.passed.get(&(commit.to_owned(), subject)).map(Vec::as_slice)
    }

    /// Takes note that a commit has all checks of a kind. Of others only this one, which is deployed, stays known.
    pub fn pass(&mut self, commit: &str, subject: Subject, said: Vec<Said>, deployed: Option<&str>) {
        self.passed.retain(|(known, _), _| known == commit || Some(known.as_str()) == deployed);
        self.passed.insert((commit.to_owned(), subject), said);
    }

    /// Forgets what is not asked about any more.
    pub fn keep(&mut self, wanted: impl Fn(&str) -> bool) {
        self.heard.retain(|commit, _| wanted(commit));
        self.read.retain(|commit, _| wanted(commit));
    }

    /// When the forge is to be asked again.
    pub fn next(&self) -> Option<Instant> {
        self.heard.values().map(|heard| heard.next).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::checks::{Source, State};

    fn said(source: Option<Source>, description: &str, order: u64) -> Vec<Said> {
        vec![Said {
            context: "coverage".to_owned(),
            source,
            state: State::Pending,
            description: description.to_owned(),
            order,
        }]
    }

    #[test]
    fn the_forge_is_asked_ever_more_seldom_until_it_says_something_else() {
        let (mut hearing, mut now) = (Hearing::default(), Instant::now());
        let one = said(Some(Source::Creator(1)), "under way", 1);
        assert_eq!(hearing.heard("a", false, now), None);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            hearing.hear("a", one.clone(), false, 0.0, now);
            assert_eq!(hearing.heard("a", false, now), Some(&one[..]));
            assert_eq!(hearing.heard("a", true, now), None, "somebody says that there is news");
            assert_eq!(hearing.heard("b", false, now), None);
            let next = hearing.next().expect("something was heard");
            pauses.push((next - now).as_secs());
            now = next;
            assert_eq!(hearing.heard("a", false, now), None, "it is time");
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 128, 128]);
        hearing.hear("a", said(Some(Source::Creator(1)), "done", 2), false, 0.0, now);
        assert_eq!(hearing.next(), Some(now + PAUSE), "there was news");
        hearing.keep(|commit| commit != "a");
        assert_eq!(hearing.next(), None);
    }

    #[test]
    fn notes_are_read_again_when_they_moved_and_an_older_file_does_not_come_back() {
        let mut hearing = Hearing::default();
        let (old, new) = (said(Some(Source::Keys(0)), "90.00%", 1), said(Some(Source::Keys(0)), "60.00%", 2));
        let refused = said(None, "not counted", 0);
        assert_eq!(hearing.read("a", "here"), None);
        hearing.take_read("a", [old.clone(), refused].concat(), "here");
        assert!(hearing.read("a", "here").is_some() && hearing.read("a", "there").is_none());
        hearing.take_read("a", new.clone(), "there");
        assert_eq!(hearing.read("a", "there"), Some(&[new.clone(), old.clone()].concat()[..]));
        hearing.take_read("a", old.clone(), "back");
        assert_eq!(hearing.read("a", "back"), Some(&[old, new].concat()[..]), "the newer one is known");
    }

    #[test]
    fn of_what_passed_that_is_known_which_is_deployed() {
        let mut hearing = Hearing::default();
        let one = said(Some(Source::Keys(0)), "90.00%", 1);
        for (commit, deployed) in [("a", None), ("b", Some("a")), ("c", Some("a"))] {
            hearing.pass(commit, Subject::Merged, one.clone(), deployed);
        }
        let known = |commit| hearing.passed(commit, Subject::Merged).is_some();
        assert_eq!(["a", "b", "c"].map(known), [true, false, true]);
        assert_eq!(hearing.passed("c", Subject::Head), None);
    }
}

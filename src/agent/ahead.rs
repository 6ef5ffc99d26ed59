//! What is known of pull requests before they land: what the forge answered, so that it is asked later only whether that
//! has changed, and whether the next commit is likely to be one that was approved already.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::forge::Book;
use crate::revision::review::note::Withdrawal;

use super::tip::Key;

/// So long after it is closed a pull request may be what a new commit came by.
const LANDS: Duration = Duration::from_secs(60);

/// What is known of one Repository.
#[derive(Default)]
pub struct Ahead {
    /// What need not be sent again.
    pub book: Book,
    /// Numbers of pull requests that are approved and open, and of those that were, until when they count.
    approved: Mutex<BTreeMap<u64, Option<Instant>>>,
    /// What was taken back on pull requests, until it stands in the record.
    withdrawn: Mutex<Vec<Withdrawal>>,
    /// Where notes were when the remote was asked last.
    notes: Mutex<String>,
    /// Rings when something was taken back.
    bell: Notify,
}

impl Ahead {
    /// Nothing that a forge said is known any more. What people took back they took back whatever it says.
    pub fn clear(&self) {
        self.book.clear();
        self.lock().clear();
    }

    /// An open pull request is approved, or is not.
    pub fn note(&self, number: u64, approved: bool) {
        let mut all = self.lock();
        if approved {
            all.insert(number, None);
        } else {
            all.remove(&number);
        }
    }

    /// All that are open now.
    pub fn keep(&self, open: &BTreeSet<u64>) {
        let until = Instant::now() + LANDS;
        for (_, closed) in self.lock().iter_mut().filter(|(number, _)| !open.contains(number)) {
            closed.get_or_insert(until);
        }
    }

    /// Whether an approved one may have landed, or may be about to.
    pub fn expects(&self) -> bool {
        let now = Instant::now();
        let mut all = self.lock();
        all.retain(|_, closed| closed.is_none_or(|until| now < until));
        !all.is_empty()
    }

    /// Where notes are now; whether they have moved.
    pub fn notes_are(&self, notes: &str) -> bool {
        let mut known = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let moved = *known != notes;
        if moved {
            notes.clone_into(&mut known);
        }
        moved
    }

    /// Where notes were when the remote was asked last.
    pub fn notes(&self) -> String {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Something was taken back.
    pub fn take_back(&self, withdrawals: Vec<Withdrawal>) {
        let mut all = self.withdrawn();
        let before = all.len();
        for withdrawal in withdrawals {
            if !all.contains(&withdrawal) {
                all.push(withdrawal);
            }
        }
        if all.len() > before {
            self.bell.notify_one();
        }
    }

    /// Waits until something is taken back.
    pub async fn news(&self) {
        self.bell.notified().await;
    }

    /// What was taken back and is in no record yet.
    pub fn taken_back(&self) -> Vec<Withdrawal> {
        self.withdrawn().clone()
    }

    /// These are in the record.
    pub fn written(&self, withdrawals: &[Withdrawal]) {
        self.withdrawn().retain(|withdrawal| !withdrawals.contains(withdrawal));
    }

    fn withdrawn(&self) -> MutexGuard<'_, Vec<Withdrawal>> {
        self.withdrawn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Option<Instant>>> {
        self.approved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of all.
#[derive(Default)]
pub struct Aheads(Mutex<HashMap<Key, Arc<Ahead>>>);

impl Aheads {
    /// What is known of a Repository; of one that was never asked for, nothing.
    pub fn of(&self, repository: &Key) -> Arc<Ahead> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(repository.clone()).or_default().clone()
    }

    /// It is gone.
    pub fn forget(&self, repository: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(repository);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_approved_is_expected_for_a_while_after_it_is_closed() {
        let ahead = Ahead::default();
        assert!(!ahead.expects());
        ahead.note(7, true);
        ahead.note(8, true);
        ahead.note(8, false);
        ahead.keep(&BTreeSet::from([7, 8]));
        tokio::time::advance(LANDS * 2).await;
        assert!(ahead.expects(), "it is open");
        ahead.keep(&BTreeSet::from([8]));
        tokio::time::advance(LANDS / 2).await;
        ahead.keep(&BTreeSet::new());
        assert!(ahead.expects());
        tokio::time::advance(LANDS / 2).await;
        assert!(!ahead.expects(), "its time is over, however often it is not seen");
        let (aheads, key) = (Aheads::default(), Key::new("shop", "repo"));
        let one = aheads.of(&key);
        one.note(7, true);
        aheads.of(&key).clear();
        assert!(!one.expects(), "all who have it in hand have the same");
    }

    #[tokio::test]
    async fn what_was_taken_back_is_told_once_and_is_there_until_it_is_written() {
        let ahead = Ahead::default();
        let withdrawal = |head: &str| {
            let (key, head) = ("k".to_owned(), head.to_owned());
            Withdrawal { key, head, at: jiff::Timestamp::UNIX_EPOCH }
        };
        assert!(ahead.notes_are("a") && !ahead.notes_are("a") && ahead.notes_are("b"), "they are told once");
        let rings = || tokio::time::timeout(Duration::from_millis(1), ahead.news());
        ahead.take_back(Vec::new());
        assert!(rings().await.is_err(), "it is nothing");
        ahead.take_back(vec![withdrawal("a")]);
        rings().await.expect("it rings");
        ahead.take_back(vec![withdrawal("a")]);
        assert!(rings().await.is_err(), "it is known");
        ahead.clear();
        ahead.take_back(vec![withdrawal("b")]);
        assert_eq!(ahead.taken_back(), [withdrawal("a"), withdrawal("b")]);
        ahead.written(&[withdrawal("a")]);
        assert_eq!(ahead.taken_back(), [withdrawal("b")]);
    }
}

//! What a forge said that it need not say again.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::Url;
use reqwest::header::HeaderValue;

use super::client::Answer;

/// Bytes of answers that are kept for one Repository.
const KEPT: usize = 4 << 20;
/// Heads of which it is kept who made them.
const HEADS: usize = 1000;

/// What a forge need not say again: answers that it gave a name to (`ETag`), so that what has not changed costs GitHub's
/// rate limit nothing; and who made the heads of proposals that were open.
#[derive(Clone, Default)]
pub struct Book(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    answers: HashMap<Url, (HeaderValue, Answer)>,
    bytes: usize,
    makers: HashMap<Head, Makers>,
}

/// A head of a proposal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    /// Number of the proposal.
    pub number: u64,
    /// Full name of the reference that it was made to.
    pub target: String,
    /// The commit.
    pub commit: String,
}

/// Who made a head: that does not change while it is the head, since nobody can make the same commit of something else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Makers {
    /// Whom the forge knows as authors and committers of its commits.
    pub authors: BTreeSet<u64>,
    /// Who pushed its commits; none where that is not known of all.
    pub pushers: Option<BTreeSet<u64>>,
}

impl Book {
    /// Nothing is known any more.
    pub fn clear(&self) {
        *self.lock() = Kept::default();
    }

    /// Who made a head, where that is known.
    pub fn makers(&self, head: &Head) -> Option<Makers> {
        self.lock().makers.get(head).cloned()
    }

    /// Keeps who made a head, where all of them are known.
    pub fn note(&self, head: Head, makers: &Makers) {
        let mut kept = self.lock();
        if kept.makers.len() >= HEADS {
            kept.makers.clear();
        }
        if makers.pushers.is_some() {
            kept.makers.insert(head, makers.clone());
        }
    }

    pub(super) fn known(&self, url: &Url) -> Option<(HeaderValue, Answer)> {
        self.lock().answers.get(url).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keep(&self, url: Url, tag: HeaderValue, answer: &Answer, bytes: usize) {
        let mut kept = self.lock();
        if kept.bytes + bytes > KEPT {
            (kept.answers, kept.bytes) = (HashMap::new(), 0);
        }
        kept.bytes += bytes;
        kept.answers.insert(url, (tag, answer.clone()));
    }
}

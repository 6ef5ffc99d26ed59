//! Who is there: the Repositories with what they have found, the Syncs with their mailboxes, and
//! what Syncs know of one another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::render::ReadSet;
use crate::report::commit_status::{Glass, Standing};

use super::dependency::{self, Awaited, Blocked, SyncState};
use super::mailbox::{Mailbox, Trigger};
use super::tip::{Key, Tip};

/// The one book of Repositories and Syncs.
#[derive(Default)]
pub struct Registry {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    repositories: BTreeSet<Key>,
    all_repositories: bool,
    tips: BTreeMap<Key, Arc<Tip>>,
    mailboxes: BTreeMap<Key, Mailbox>,
    states: BTreeMap<Key, SyncState>,
    standards: BTreeMap<String, StandardState>,
    /// Rung where a Repository has another commit; those of publishers also where one of its Syncs stands elsewhere with
    /// it.
    bells: BTreeMap<(Key, Listener), Arc<Notify>>,
}

/// Who has a bell at a Repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listener {
    /// Who tells how far commits are, by their status.
    Publisher,
    /// Who tells the same by their deployments.
    Deployer,
    /// Who tells what pull requests would change.
    Planner,
}

/// What others need to know of a Standard.
pub struct StandardState {
    /// Its Repository.
    pub repository: Key,
    /// Its folder there.
    pub path: String,
    /// URL and commit of what is in force.
    pub accepted: Option<(String, String)>,
    /// Rung where its Repository has news.
    pub bell: Arc<Notify>,
}

/// How far all are with a commit.
pub struct Shared {
    /// The newest of a Repository.
    pub commit: String,
    /// Short name of the branch or tag that it was found by; a full name, or none, where it is neither.
    pub name: String,
    /// Each Sync that may use the Repository and will apply it, by name.
    pub syncs: Vec<(String, Standing)>,
    /// Whether it went ahead of its review.
    pub glass: Glass,
}

impl Registry {
    /// A Sync is there; its triggers go to this mailbox.
    pub fn enter(&self, sync: Key, mailbox: Mailbox) {
        self.lock().mailboxes.insert(sync, mailbox);
    }

    /// A Sync is gone. Those that depend on it learn that.
    pub fn leave(&self, sync: &Key) {
        let mut book = self.lock();
        book.mailboxes.remove(sync);
        let left = book.states.remove(sync);
        book.ring_publisher(left.and_then(|state| state.repository).as_ref());
        book.tell_dependants(sync);
        book.tell_waiting(sync);
    }

    /// A Sync tells the others of itself. Those that depend on it learn of a change, and so do
    /// those that it may form a cycle with.
    pub fn publish(&self, sync: &Key, mailbox: &Mailbox, state: SyncState) {
        let mut book = self.lock();
        if !book.mailboxes.get(sync).is_some_and(|known| known.is(mailbox)) {
            // Its last words come after it has left, or after another of its name has entered.
            return;
        }
        let before = book.states.insert(sync.clone(), state.clone());
        let stands_as = |before: &SyncState| before.repository == state.repository && before.standing == state.standing;
        if !before.as_ref().is_some_and(stands_as) {
            book.ring_publisher(before.as_ref().and_then(|before| before.repository.as_ref()));
            book.ring_publisher(state.repository.as_ref());
        }
        if before.as_ref().and_then(|before| before.awaits_plan.as_ref()) != state.awaits_plan.as_ref() {
            book.ring_planner(state.repository.as_ref());
        }
        let told =
            |s: &SyncState| SyncState { read_set: None, standing: None, awaits_plan: None, inputs: None, ..s.clone() };
        if before.as_ref().map(told) != Some(told(&state)) {
            book.tell_dependants(sync);
            let plans = |s: &SyncState| (s.planned.clone(), s.handled.clone(), s.stuck);
            if before.as_ref().map(plans) != Some(plans(&state)) {
                book.tell_waiting(sync);
            }
            if before.is_none_or(|b| b.depends_on != state.depends_on) {
                for key in &state.depends_on {
                    book.tell(key, Trigger::Dependency);
                }
            }
        }
    }

    /// What keeps a Sync from applying a commit.
    pub fn blocked(&self, sync: &Key, commit: &str) -> Option<Blocked> {
        dependency::blocked(sync, commit, &self.lock().states)
    }

    /// A Repository has found something, or failed; every Sync that may use it learns that.
    pub fn found(&self, repository: &Key, tip: Arc<Tip>) {
        let mut book = self.lock();
        book.tips.insert(repository.clone(), tip.clone());
        let users: Vec<_> = book.users(repository);
        for sync in users {
            book.tell(&sync, Trigger::Tip(tip.clone()));
        }
        book.ring(repository);
        book.ring_publisher(Some(repository));
        book.ring_planner(Some(repository));
    }

    /// Notes of a Repository have moved: what people say of commits, also of those that nobody has merged.
    pub fn noted(&self, repository: &Key) {
        self.lock().ring_planner(Some(repository));
    }

    /// A Repository is gone; what its Syncs have applied stays.
    pub fn lost(&self, repository: &Key) {
        let mut book = self.lock();
        book.tips.remove(repository);
        book.bells.retain(|(of, _), _| of != repository);
        book.repositories.remove(repository);
        for sync in book.users(repository) {
            book.tell(&sync, Trigger::Surroundings);
        }
        book.ring(repository);
    }

    /// A Standard is there, or another Repository or revision of it.
    pub fn enter_standard(&self, name: &str, state: StandardState) {
        self.lock().standards.insert(name.to_owned(), state);
    }

    /// Folders of a Repository that Standards are read from.
    pub fn standard_paths(&self, repository: &Key) -> BTreeSet<String> {
        let book = self.lock();
        let mine = book.standards.values().filter(|standard| standard.repository == *repository);
        mine.map(|standard| standard.path.trim_start_matches("./").trim_matches('/').to_owned()).collect()
    }

    /// A Standard is gone.
    pub fn leave_standard(&self, name: &str) {
        self.lock().standards.remove(name);
    }

    /// What a Repository has found; `None` where there is no such Repository.
    pub fn tip(&self, repository: &Key) -> Option<Arc<Tip>> {
        self.lock().tips.get(repository).cloned()
    }

    /// A bell that rings where a Repository has news for this listener.
    pub fn listen(&self, repository: Key, listener: Listener, bell: Arc<Notify>) {
        self.lock().bells.insert((repository, listener), bell);
    }

    /// How far all are with the newest commit of a Repository.
    pub fn standings(&self, repository: &Key) -> Option<Shared> {
        let book = self.lock();
        let tip = book.tips.get(repository)?;
        let newest = tip.newest()?;
        let commit = newest.commit.as_str();
        let mine = book
            .states
            .iter()
            .filter(|(sync, state)| state.repository.as_ref() == Some(repository) && tip.allows(sync));
        let standing = |state: &SyncState| match &state.standing {
            Some((of, standing)) if of == commit => standing.clone(),
            Some((_, None)) => None,
            _ => Some(Standing::Working),
        };
        let all = mine.filter_map(|(sync, state)| Some((sync.to_string(), standing(state)?))).collect();
        let broken = tip.standing.as_ref().is_some_and(|standing| !standing.glass.is_empty());
        let glass = if broken { Glass::Broken } else { Glass::Whole };
        Some(Shared { commit: commit.to_owned(), name: newest.name.clone(), syncs: all, glass })
    }

    /// Whether a Repository is there, whatever it has found. Until all are listed, any may be.
    pub fn knows(&self, repository: &Key) -> bool {
        let book = self.lock();
        !book.all_repositories || book.repositories.contains(repository)
    }

    /// A Repository is there; the Syncs that name it learn that.
    pub fn expect(&self, repository: Key) {
        let mut book = self.lock();
        for sync in book.users(&repository) {
            book.tell(&sync, Trigger::Surroundings);
        }
        book.ring(&repository);
        book.repositories.insert(repository);
    }

    /// All Repositories are listed: one that is not known is not there.
    pub fn expect_no_more(&self) {
        let mut book = self.lock();
        if !std::mem::replace(&mut book.all_repositories, true) {
            book.mailboxes.values().for_each(|mailbox| mailbox.put(Trigger::Surroundings));
            book.standards.values().for_each(|standard| standard.bell.notify_one());
        }
    }

    /// Commits that Syncs and Standards have accepted, of every Repository with this URL.
    pub fn accepted(&self, repository: &Key, url: &str) -> BTreeSet<String> {
        let book = self.lock();
        let of_url = |key: &Key| {
            let found = book.tips.get(key).and_then(|tip| tip.found.as_ref());
            key == repository || found.is_some_and(|found| found.source.url == url)
        };
        let states = book.states.values().filter(|state| state.repository.as_ref().is_some_and(of_url));
        let standards = book.standards.values().filter_map(|standard| standard.accepted.as_ref());
        let standards = standards.filter(|(of, _)| of == url).map(|(_, commit)| commit.clone());
        states.filter_map(|state| state.accepted.clone()).chain(standards).collect()
    }

    /// Commits that the Syncs and Standards of a Repository have accepted.
    pub fn accepted_from(&self, repository: &Key) -> BTreeSet<String> {
        let book = self.lock();
        let states = book.states.values().filter(|state| state.repository.as_ref() == Some(repository));
        let standards = book.standards.values().filter(|standard| standard.repository == *repository);
        let standards = standards.filter_map(|standard| Some(standard.accepted.as_ref()?.1.clone()));
        states.filter_map(|state| state.accepted.clone()).chain(standards).collect()
    }

    /// What the last renders of the Syncs of a Repository read.
    pub fn read_sets(&self, repository: &Key) -> Vec<(Key, Arc<ReadSet>)> {
        let book = self.lock();
        let mine = book.states.iter().filter(|(_, state)| state.repository.as_ref() == Some(repository));
        mine.filter_map(|(key, state)| Some((key.clone(), state.read_set.clone()?))).collect()
    }

    /// Plans of Syncs of a Repository that wait for approval, by the names of the Syncs.
    pub fn awaited_plans(&self, repository: &Key) -> BTreeMap<String, Arc<Awaited>> {
        let book = self.lock();
        let mine = book.states.iter().filter(|(_, state)| state.repository.as_ref() == Some(repository));
        mine.filter_map(|(key, state)| Some((key.to_string(), state.awaits_plan.clone()?))).collect()
    }

    /// Digest of what a Sync read last that stands in no commit and is rendered.
    pub fn inputs(&self, sync: &Key) -> Option<String> {
        self.lock().states.get(sync)?.inputs.clone()
    }

    /// Syncs of the same Repository that may act and have not planned a commit yet.
    pub fn undecided(&self, me: &Key, repository: &Key, commit: &str) -> Vec<Key> {
        let book = self.lock();
        let open = book.states.iter().filter(|(key, state)| {
            *key != me
                && state.repository.as_ref() == Some(repository)
                && !state.stuck
                && state.planned.as_deref() != Some(commit)
                && state.handled.as_deref() != Some(commit)
        });
        open.map(|(key, _)| key.clone()).collect()
    }

    /// Wakes the Syncs that wait for what others claim or plan.
    pub fn tell_waiting(&self, me: &Key) {
        self.lock().tell_waiting(me);
    }

    /// Tells one Sync.
    pub fn tell(&self, sync: &Key, trigger: Trigger) {
        self.lock().tell(sync, trigger);
    }

    /// Tells every Sync.
    pub fn tell_all(&self, trigger: impl Fn() -> Trigger) {
        for mailbox in self.lock().mailboxes.values() {
            mailbox.put(trigger());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn tell(&self, sync: &Key, trigger: Trigger) {
        if let Some(mailbox) = self.mailboxes.get(sync) {
            mailbox.put(trigger);
        }
    }

    fn tell_dependants(&self, sync: &Key) {
        for (key, state) in &self.states {
            if state.depends_on.contains(sync) {
                self.tell(key, Trigger::Dependency);
            }
        }
    }

    fn tell_waiting(&self, me: &Key) {
        for (key, _) in self.states.iter().filter(|(key, state)| *key != me && state.waits) {
            self.tell(key, Trigger::Dependency);
        }
    }

    fn ring_publisher(&self, repository: Option<&Key>) {
        self.ring_listener(repository, Listener::Publisher);
        self.ring_listener(repository, Listener::Deployer);
    }

    fn ring_planner(&self, repository: Option<&Key>) {
        self.ring_listener(repository, Listener::Planner);
    }

    fn ring_listener(&self, repository: Option<&Key>, listener: Listener) {
        let bell = repository.and_then(|repository| self.bells.get(&(repository.clone(), listener)));
        bell.into_iter().for_each(|bell| bell.notify_one());
    }

    /// Tells the Standards of a Repository that it has news.
    fn ring(&self, repository: &Key) {
        let standards = self.standards.values().filter(|standard| standard.repository == *repository);
        standards.for_each(|standard| standard.bell.notify_one());
    }

    fn users(&self, repository: &Key) -> Vec<Key> {
        let uses = |state: &SyncState| state.repository.as_ref() == Some(repository);
        self.states.iter().filter(|(_, state)| uses(state)).map(|(key, _)| key.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_that_has_left_says_nothing_more() {
        let registry = Registry::default();
        let (sync, repository, other) = (Key::new("shop", "a"), Key::new("shop", "repo"), Key::new("shop", "b"));
        let state = SyncState { repository: Some(repository.clone()), ..SyncState::default() };
        let (former, present) = (Mailbox::default(), Mailbox::default());
        registry.enter(sync.clone(), former.clone());
        registry.publish(&sync, &former, state.clone());
        assert_eq!(registry.undecided(&other, &repository, "c1"), std::slice::from_ref(&sync));
        registry.leave(&sync);
        registry.publish(&sync, &former, state.clone());
        assert!(registry.undecided(&other, &repository, "c1").is_empty(), "nobody waits for it for ever");
        registry.enter(sync.clone(), present.clone());
        let planned = SyncState { planned: Some("c1".to_owned()), ..state.clone() };
        registry.publish(&sync, &present, planned);
        registry.publish(&sync, &former, state);
        assert!(registry.undecided(&other, &repository, "c1").is_empty(), "its former task does not speak for it");
    }

    #[test]
    fn a_repository_is_missing_only_when_all_are_listed_and_its_syncs_learn_of_it() {
        let registry = Registry::default();
        let (sync, repository, mailbox) = (Key::new("shop", "a"), Key::new("shop", "repo"), Mailbox::default());
        let state = SyncState { repository: Some(repository.clone()), ..SyncState::default() };
        registry.enter(sync.clone(), mailbox.clone());
        registry.publish(&sync, &mailbox, state);
        assert!(registry.knows(&repository), "it may be there");
        registry.expect_no_more();
        assert!(!registry.knows(&repository) && mailbox.take().surroundings);
        registry.expect(repository.clone());
        assert!(registry.knows(&repository) && mailbox.take().surroundings);
    }
}

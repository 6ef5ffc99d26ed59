//! Standards: which are in force, and who follows them.
//!
//! A Standard has a task of its own (`follow`), which puts what it accepted into the book; a pass over a Sync takes a
//! look at the book and judges (`verdicts`). What a Standard speaks of and has nothing in force for is held.

pub mod cases;
mod crew;
mod follow;
mod namespaces;
mod read;
mod recall;
pub mod verdicts;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::revision::Revision;
use crate::revision::review::floor::Floor;
use crate::standard::{Action, Coverage, Selector, Standard};

pub use crew::Crew;
pub use namespaces::Namespaces;

/// So long a judgement waits for the first sight of Standards and Namespaces.
const PATIENCE: Duration = Duration::from_secs(5);

/// A Standard as it is to be applied.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Namespaces of which it speaks; all where there is none.
    pub selector: Option<Selector>,
    /// What it does at least.
    pub action: Option<Action>,
    /// What Repositories of those namespaces must ask at least.
    pub floor: Option<Floor>,
    /// What is in force.
    pub force: Force,
}

/// What is in force of a Standard.
#[derive(Clone, Debug)]
pub enum Force {
    /// It is being read for the first time.
    Opening,
    /// Nothing, and why.
    Nothing(String),
    /// This.
    Accepted(Arc<InForce>),
}

/// A revision that is in force.
#[derive(Debug)]
pub struct InForce {
    /// Which.
    pub revision: Revision,
    /// What it says.
    pub standard: Standard,
    /// What its policies look for beyond one object.
    pub coverage: Coverage,
}

/// All Standards at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Another number, another word.
    pub version: u64,
    /// By name.
    pub entries: Vec<Entry>,
    /// Namespaces by name, where a Standard needs them.
    pub namespaces: Arc<BTreeMap<String, serde_json::Value>>,
}

impl Snapshot {
    /// What is in force.
    pub fn accepted(&self) -> impl Iterator<Item = &Standard> {
        self.entries.iter().filter_map(|entry| match &entry.force {
            Force::Accepted(in_force) => Some(&in_force.standard),
            Force::Opening | Force::Nothing(_) => None,
        })
    }
}

/// The book of Standards.
pub struct Standards {
    book: Mutex<Book>,
    listed: watch::Sender<Listed>,
    changed: watch::Sender<()>,
    /// Namespaces, while a Standard needs them.
    pub namespaces: Namespaces,
}

#[derive(Default)]
struct Book {
    version: u64,
    entries: BTreeMap<String, Entry>,
}

/// Whether all Standards are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Listed {
    /// Not yet.
    #[default]
    No,
    /// They cannot be listed, and why.
    Failing(String),
    /// Yes.
    Yes,
}

impl Default for Standards {
    fn default() -> Self {
        Self {
            book: Mutex::default(),
            listed: watch::Sender::new(Listed::No),
            changed: watch::Sender::new(()),
            namespaces: Namespaces::default(),
        }
    }
}

impl Standards {
    /// A Standard is there, or is another one. Whether that changes what is said.
    fn put(&self, entry: Entry) -> bool {
        let mut book = self.lock();
        let same = book.entries.get(&entry.name).is_some_and(|known| known.is_as(&entry));
        if !same {
            book.version += 1;
            book.entries.insert(entry.name.clone(), entry);
            self.namespaces.need(book.entries.values().any(Entry::needs_namespaces));
            drop(book);
            self.changed.send_replace(());
        }
        !same
    }

    /// A Standard is gone.
    fn remove(&self, name: &str) -> bool {
        let mut book = self.lock();
        let known = book.entries.remove(name).is_some();
        book.version += u64::from(known);
        self.namespaces.need(book.entries.values().any(Entry::needs_namespaces));
        drop(book);
        self.changed.send_replace(());
        known
    }

    /// All are known.
    pub(in crate::agent) fn all_listed(&self) {
        self.listed.send_if_modified(|listed| std::mem::replace(listed, Listed::Yes) != Listed::Yes);
    }

    /// They cannot be listed.
    fn failing(&self, why: String) {
        self.listed.send_if_modified(|listed| {
            let news = *listed == Listed::No;
            if news {
                *listed = Listed::Failing(why);
            }
            news
        });
    }

    /// What is in force now. Where that cannot be known, nothing is, of a Standard that speaks of everything.
    pub async fn snapshot(&self) -> Snapshot {
        let why_not = match self.is_listed().await {
            Listed::Yes => None,
            Listed::Failing(why) => Some(why),
            Listed::No => Some("they are not listed yet".to_owned()),
        };
        if let Some(why) = why_not {
            let force = Force::Nothing(format!("Standards cannot be listed: {why}"));
            let entry = Entry { name: "unknown".to_owned(), selector: None, action: None, floor: None, force };
            return Snapshot { version: 0, entries: vec![entry], namespaces: Arc::default() };
        }
        let (version, entries) = self.opened().await;
        let namespaces = if entries.iter().any(Entry::needs_namespaces) {
            self.namespaces.seen(PATIENCE).await
        } else {
            Some(Arc::default())
        };
        match namespaces {
            Some(namespaces) => Snapshot { version, entries, namespaces },
            None => {
                let blind = |entry: Entry| Entry {
                    force: Force::Nothing("Namespaces, by whose labels it selects, cannot be seen".to_owned()),
                    selector: None,
                    ..entry
                };
                let entries =
                    entries.into_iter().map(|entry| if entry.needs_namespaces() { blind(entry) } else { entry });
                Snapshot { version, entries: entries.collect(), namespaces: Arc::default() }
            }
        }
    }

    /// What Repositories of a namespace must ask at least, by the names of the Standards that say so. It is the objects
    /// that say it, so nothing of their files has to be read before.
    ///
    /// # Errors
    /// Standards, or the Namespaces by whose labels one selects, cannot be seen; in words.
    pub async fn floors(&self, namespace: &str) -> Result<Vec<(String, Floor)>, String> {
        match self.is_listed().await {
            Listed::Yes => {}
            Listed::Failing(why) => return Err(why),
            Listed::No => return Err("they are not listed yet".to_owned()),
        }
        let entries: Vec<Entry> = self.lock().entries.values().filter(|entry| entry.floor.is_some()).cloned().collect();
        let namespaces = match entries.iter().any(|entry| entry.selector.is_some()) {
            true => self.namespaces.seen(PATIENCE).await.ok_or("Namespaces cannot be seen")?,
            false => Arc::default(),
        };
        let selected = |entry: &Entry| {
            entry
                .selector
                .as_ref()
                .is_none_or(|selector| selector.selects_namespace(namespace, namespaces.get(namespace)))
        };
        let floors = entries.into_iter().filter(selected);
        Ok(floors.filter_map(|entry| Some((entry.name, entry.floor?))).collect())
    }

    /// Whether all are known, once that is told, or takes too long.
    async fn is_listed(&self) -> Listed {
        let mut listed = self.listed.subscribe();
        let told = tokio::time::timeout(PATIENCE, listed.wait_for(|listed| *listed != Listed::No)).await;
        told.ok().and_then(Result::ok).map_or(Listed::No, |listed| listed.clone())
    }

    /// Version and entries, once none of them is being read for the first time, or that takes too long.
    async fn opened(&self) -> (u64, Vec<Entry>) {
        let mut changed = self.changed.subscribe();
        let read = || {
            let book = self.lock();
            (book.version, book.entries.values().cloned().collect::<Vec<_>>())
        };
        let opening = || self.lock().entries.values().any(|entry| matches!(entry.force, Force::Opening));
        let _ = tokio::time::timeout(PATIENCE, async { while opening() && changed.changed().await.is_ok() {} }).await;
        read()
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Whether both say the same.
    fn is_as(&self, other: &Self) -> bool {
        let force = match (&self.force, &other.force) {
            (Force::Opening, Force::Opening) => true,
            (Force::Nothing(one), Force::Nothing(other)) => one == other,
            (Force::Accepted(one), Force::Accepted(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        force && self.selector == other.selector && self.action == other.action && self.floor == other.floor
    }

    fn needs_namespaces(&self) -> bool {
        let of_force = matches!(&self.force, Force::Accepted(in_force) if in_force.standard.needs_namespaces());
        self.selector.is_some() || of_force
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, force: Force) -> Entry {
        Entry { name: name.to_owned(), selector: None, action: None, floor: None, force }
    }

    #[tokio::test]
    async fn what_is_not_known_lets_nothing_pass() {
        let standards = Standards::default();
        standards.failing("forbidden".to_owned());
        let unknown = standards.snapshot().await;
        assert!(
            matches!(&unknown.entries[..], [Entry { force: Force::Nothing(why), .. }] if why.contains("forbidden"))
        );
        standards.all_listed();
        standards.failing("gone for a moment".to_owned());
        assert!(standards.snapshot().await.entries.is_empty(), "what was listed is known");
    }

    #[tokio::test]
    async fn only_another_word_is_news() {
        let standards = Standards::default();
        standards.all_listed();
        let revision = Revision::parse(&format!("main@sha1:{}", "a".repeat(40))).expect("a revision");
        let in_force = Arc::new(InForce { revision, standard: Standard::default(), coverage: Coverage::default() });
        assert!(standards.put(entry("a", Force::Nothing("new".into()))));
        assert!(!standards.put(entry("a", Force::Nothing("new".into()))));
        assert!(standards.put(entry("a", Force::Accepted(in_force.clone()))));
        assert!(!standards.put(entry("a", Force::Accepted(in_force.clone()))));
        assert!(standards.put(Entry { action: Some(Action::Deny), ..entry("a", Force::Accepted(in_force)) }));
        let before = standards.snapshot().await.version;
        assert!(standards.remove("a") && !standards.remove("a"));
        assert!(standards.snapshot().await.version > before);
    }
}

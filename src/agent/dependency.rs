//! Order between Syncs: may this one go, or what does it wait for? Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::render::ReadSet;
use crate::report::commit_status::Standing;

use super::tip::Key;

/// What others need to know of a Sync.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncState {
    /// Its Repository.
    pub repository: Option<Key>,
    /// Commit up to which nothing is left to apply, healthy or not.
    pub handled: Option<String>,
    /// Whether all that it owns is healthy, and nothing of it failed.
    pub healthy: bool,
    /// Whether it is suspended.
    pub suspended: bool,
    /// The Syncs that it depends on.
    pub depends_on: Vec<Key>,
    /// What its last render read; of no meaning to others.
    pub read_set: Option<Arc<ReadSet>>,
    /// Commit that it has planned, whatever came of it.
    pub planned: Option<String>,
    /// Commit that drift is healed to.
    pub accepted: Option<String>,
    /// It waits for what other Syncs claim or plan.
    pub waits: bool,
    /// It cannot go on by itself: suspended, held, refused, or in shadow mode.
    pub stuck: bool,
    /// Its plan that waits for approval. Of no meaning to other Syncs.
    pub awaits_plan: Option<Arc<Awaited>>,
    /// Digest of what it read last that stands in no commit and is rendered. Of no meaning to other Syncs.
    pub inputs: Option<String>,
    /// The newest commit of its Repository that it knows of, and how far it is with that; nothing where it will never
    /// apply it. Of no meaning to other Syncs.
    pub standing: Option<(String, Option<Standing>)>,
}

/// A plan that waits for approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// What the commit is that does it.
    pub commit: String,
    /// Why it is held.
    pub why: String,
    /// The plan, as it is carried about.
    pub plan: String,
}

/// Why a Sync may not go yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// There is no such Sync.
    Missing(Key),
    /// It is suspended, and not where it should be.
    Suspended(Key),
    /// It has not come to this commit yet.
    Behind(Key),
    /// It is at this commit, and not healthy.
    Unhealthy(Key),
    /// They wait for one another, in this order.
    Cycle(Vec<Key>),
}

impl std::fmt::Display for Blocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Blocked::Missing(key) => write!(f, "depends on Sync {key}, which does not exist"),
            Blocked::Suspended(key) => write!(f, "waits for Sync {key}, which is suspended"),
            Blocked::Behind(key) => write!(f, "waits for Sync {key} to come to this revision"),
            Blocked::Unhealthy(key) => write!(f, "waits for Sync {key} to become healthy"),
            Blocked::Cycle(chain) => {
                let chain: Vec<_> = chain.iter().map(Key::to_string).collect();
                write!(f, "depends on itself: {}", chain.join(" → "))
            }
        }
    }
}

/// What keeps `me` from applying `commit`; `None` where nothing does. A dependency of the same
/// Repository must have handled the same commit; one of another must be healthy where it is.
pub fn blocked(me: &Key, commit: &str, states: &BTreeMap<Key, SyncState>) -> Option<Blocked> {
    let mine = states.get(me)?;
    if let Some(chain) = cycle(me, states) {
        return Some(Blocked::Cycle(chain));
    }
    mine.depends_on.iter().find_map(|key| {
        let Some(state) = states.get(key) else { return Some(Blocked::Missing(key.clone())) };
        let same_repository = state.repository == mine.repository;
        let arrived = match &state.handled {
            Some(handled) => !same_repository || handled == commit,
            None => false,
        };
        match (arrived, state.healthy, state.suspended) {
            (true, true, _) => None,
            (_, _, true) => Some(Blocked::Suspended(key.clone())),
            (false, _, false) => Some(Blocked::Behind(key.clone())),
            (true, false, false) => Some(Blocked::Unhealthy(key.clone())),
        }
    })
}

/// The chain from `start` back to itself, both ends named.
fn cycle(start: &Key, states: &BTreeMap<Key, SyncState>) -> Option<Vec<Key>> {
    fn search(at: &Key, start: &Key, states: &BTreeMap<Key, SyncState>, seen: &mut Vec<Key>) -> Option<Vec<Key>> {
        for next in states.get(at).map_or(&[][..], |s| &s.depends_on) {
            if next == start {
                return Some(vec![at.clone(), start.clone()]);
            }
            if !seen.contains(next) {
                seen.push(next.clone());
                if let Some(mut chain) = search(next, start, states, seen) {
                    chain.insert(0, at.clone());
                    return Some(chain);
                }
            }
        }
        None
    }
    search(start, start, states, &mut Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("shop", name)
    }

    /// Name, Repository, handled commit, healthy, suspended, depends on.
    type Row<'a> = (&'a str, &'a str, Option<&'a str>, bool, bool, &'a [&'a str]);

    fn world(rows: &[Row<'_>]) -> BTreeMap<Key, SyncState> {
        let row = |(name, repository, handled, healthy, suspended, depends_on): &Row<'_>| {
            let state = SyncState {
                repository: Some(key(repository)),
                handled: handled.map(str::to_owned),
                healthy: *healthy,
                suspended: *suspended,
                depends_on: depends_on.iter().map(|n| key(n)).collect(),
                read_set: None,
                planned: None,
                stuck: false,
                waits: false,
                accepted: None,
                awaits_plan: None,
                inputs: None,
                standing: None,
            };
            (key(name), state)
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn a_sync_waits_until_what_it_depends_on_is_there_and_healthy() {
        for (a, expected) in [
            (("a", "r", Some("c2"), true, false), None),
            (("a", "r", Some("c2"), true, true), None),
            (("a", "r", Some("c1"), true, false), Some(Blocked::Behind(key("a")))),
            (("a", "r", None, true, false), Some(Blocked::Behind(key("a")))),
            (("a", "r", Some("c2"), false, false), Some(Blocked::Unhealthy(key("a")))),
            (("a", "r", Some("c1"), true, true), Some(Blocked::Suspended(key("a")))),
            (("a", "other", Some("x9"), true, false), None),
            (("a", "other", Some("x9"), false, false), Some(Blocked::Unhealthy(key("a")))),
            (("c", "r", Some("c2"), true, false), Some(Blocked::Missing(key("a")))),
        ] {
            let states = world(&[(a.0, a.1, a.2, a.3, a.4, &[]), ("b", "r", None, false, false, &["a"])]);
            assert_eq!(blocked(&key("b"), "c2", &states), expected, "{a:?}");
        }
    }

    #[test]
    fn a_cycle_is_named_whole() {
        let states = world(&[
            ("a", "r", None, false, false, &["b"]),
            ("b", "r", None, false, false, &["c"]),
            ("c", "r", None, false, false, &["a"]),
            ("d", "r", None, false, false, &["a"]),
        ]);
        let found = blocked(&key("a"), "c1", &states).expect("blocked");
        assert_eq!(found.to_string(), "depends on itself: shop/a → shop/b → shop/c → shop/a");
        assert_eq!(blocked(&key("d"), "c1", &states), Some(Blocked::Behind(key("a"))), "outside the cycle");
    }
}

//! Two Syncs and one object: who may take it, who must let go, and how a file moves between Syncs
//! without its object being deleted in between.
//!
//! The register is the live object's owner annotation, which only an apply of the owner writes; the
//! intent stands in inventories, which are written before the first apply. With *taker* S and
//! *giver* T of an object:
//!
//! - S applies where the object names S or nobody, or names a T that has given it up (it is gone, or
//!   has it in its inventory and desires it no longer). One apply changes the owner annotation.
//! - S waits where T still desires it but has not planned the revision at hand.
//! - S is refused where T desires it. Where both want what neither owns, the first by namespace and
//!   name gets it.
//! - T deletes only where no other Sync wants it, and none that reads the same repository is yet to
//!   plan the revision; otherwise it waits. Once the object names S, T forgets it.
//! - T's deletion carries uid and resourceVersion, so an apply of S in between makes it void.
//!
//! Whichever of both runs first, the object is never deleted, and each step has one writer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Owner;
use crate::object::ObjectId;

/// A Sync of this cluster; written `<namespace>/<name>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SyncName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for SyncName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl SyncName {
    /// The Sync that an owner annotation names. The cluster does not matter: a renamed cluster's
    /// objects are still its own.
    fn of_annotation(text: &str) -> Option<Self> {
        let mut parts = text.rsplit('/');
        let name = parts.next().filter(|part| !part.is_empty())?;
        let namespace = parts.next().filter(|part| !part.is_empty())?;
        Some(Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

/// How another Sync stands to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Its accepted revision names the object, and its inventory has it.
    Owns,
    /// Its accepted revision names the object, and its inventory does not have it.
    Wants,
    /// Its inventory has the object, and its accepted revision does not name it.
    Leaves,
}

/// What the other Syncs of the cluster say about objects. Syncs that are suspended, in shadow mode
/// or being deleted want nothing, but what their inventories hold is theirs (`Owns`), save what a
/// Sync that is being deleted holds (`Leaves`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    objects: BTreeMap<ObjectId, BTreeMap<SyncName, Claim>>,
    undecided: BTreeSet<SyncName>,
}

impl Claims {
    /// Adds what another Sync says about an object.
    pub fn insert(&mut self, id: ObjectId, sync: SyncName, claim: Claim) {
        self.objects.entry(id).or_default().insert(sync, claim);
    }

    /// What a Sync says of all objects, in place of all that it said before.
    pub fn say(&mut self, sync: &SyncName, claims: impl Iterator<Item = (ObjectId, Claim)>) {
        for known in self.objects.values_mut() {
            known.remove(sync);
        }
        claims.for_each(|(id, claim)| self.insert(id, sync.clone(), claim));
    }

    /// Names another Sync that reads the same repository, may act, and has not yet planned the
    /// revision that is planned now. Those that cannot go on by themselves (suspended, held) are
    /// not to be named: they would hold deletions for ever.
    pub fn insert_undecided(&mut self, sync: SyncName) {
        self.undecided.insert(sync);
    }

    fn of(&self, id: &ObjectId) -> impl Iterator<Item = (&SyncName, Claim)> {
        self.objects.get(id).into_iter().flatten().map(|(sync, claim)| (sync, *claim))
    }

    /// Another Sync that wants an object, to be told to its owner.
    pub(super) fn rival(&self, id: &ObjectId) -> Option<&SyncName> {
        self.of(id).find(|(_, claim)| matches!(claim, Claim::Owns | Claim::Wants)).map(|(sync, _)| sync)
    }

    /// An object of another Sync for which `inside` is true.
    pub(super) fn any(&self, inside: impl Fn(&ObjectId) -> bool) -> Option<(&ObjectId, &SyncName)> {
        let mut keeping = self.objects.keys().filter(|id| inside(id)).filter_map(|id| Some((id, self.rival(id)?)));
        keeping.next()
    }
}

/// What we know of who has an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held<'a> {
    /// The live object names this owner.
    By(&'a str),
    /// It is in our inventory, applied; the live object names nobody, or was not seen.
    InOurInventory,
    /// Nothing speaks for us.
    Unknown,
}

/// Whether a desired object may be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stake {
    Ours,
    TakenFrom(SyncName),
    WaitFor(SyncName),
    RefusedBy(SyncName),
}

/// Judges a desired object.
pub(super) fn stake(id: &ObjectId, us: &Owner, held: Held<'_>, claims: &Claims) -> Stake {
    let us = us.sync();
    let hold = |sync: &SyncName| {
        if claims.undecided.contains(sync) { Stake::WaitFor(sync.clone()) } else { Stake::RefusedBy(sync.clone()) }
    };
    if let Held::By(text) = held
        && let Some(holder) = SyncName::of_annotation(text)
    {
        if holder == us {
            return Stake::Ours;
        }
        return match claims.of(id).find(|(sync, _)| **sync == holder) {
            Some((_, Claim::Owns | Claim::Wants)) => hold(&holder),
            Some((_, Claim::Leaves)) | None => Stake::TakenFrom(holder),
        };
    }
    if held == Held::InOurInventory {
        return Stake::Ours;
    }
    if let Some((owner, _)) = claims.of(id).find(|(_, claim)| *claim == Claim::Owns) {
        return hold(owner);
    }
    if let Some((rival, _)) = claims.of(id).find(|(sync, claim)| *claim == Claim::Wants && **sync < us) {
        return Stake::RefusedBy(rival.clone());
    }
    match claims.of(id).find(|(_, claim)| *claim == Claim::Leaves) {
        Some((giver, _)) => Stake::TakenFrom(giver.clone()),
        None => Stake::Ours,
    }
}

/// Whether an object of our inventory that we no longer desire may be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Release {
    Delete,
    HandedOverTo(SyncName),
    WaitFor(SyncName),
}

/// Judges an object that left Git.
pub(super) fn release(id: &ObjectId, us: &Owner, live_owner: Option<&str>, claims: &Claims) -> Release {
    if let Some(holder) = live_owner.and_then(SyncName::of_annotation)
        && holder != us.sync()
    {
        return Release::HandedOverTo(holder);
    }
    match claims.rival(id).or_else(|| claims.undecided.first()) {
        Some(other) => Release::WaitFor(other.clone()),
        None => Release::Delete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sync(name: &str) -> SyncName {
        SyncName { namespace: "ns".into(), name: name.into() }
    }

    fn us() -> Owner {
        Owner { cluster: "c".into(), namespace: "ns".into(), name: "m".into() }
    }

    fn claims(of: &[(&str, Claim)], undecided: &[&str]) -> (ObjectId, Claims) {
        let id = ObjectId::new("ns", "x", "", "ConfigMap");
        let mut claims = Claims::default();
        for (name, claim) in of {
            claims.insert(id.clone(), sync(name), *claim);
        }
        undecided.iter().for_each(|name| claims.insert_undecided(sync(name)));
        (id, claims)
    }

    #[test]
    fn who_may_take() {
        use Claim::{Leaves, Owns, Wants};
        let check = |held, of: &[(&str, Claim)], undecided: &[&str], expected: Stake| {
            let (id, claims) = claims(of, undecided);
            assert_eq!(stake(&id, &us(), held, &claims), expected, "{held:?} {of:?} {undecided:?}");
        };
        check(Held::By("c/ns/m"), &[("a", Wants)], &[], Stake::Ours);
        check(Held::By("old-name/ns/m"), &[], &[], Stake::Ours);
        check(Held::By("c/ns/t"), &[("t", Owns)], &[], Stake::RefusedBy(sync("t")));
        check(Held::By("c/ns/t"), &[("t", Owns)], &["t"], Stake::WaitFor(sync("t")));
        check(Held::By("c/ns/t"), &[("t", Leaves)], &[], Stake::TakenFrom(sync("t")));
        check(Held::By("c/ns/t"), &[], &[], Stake::TakenFrom(sync("t")));
        check(Held::By("nonsense"), &[], &[], Stake::Ours);
        check(Held::InOurInventory, &[("a", Wants)], &[], Stake::Ours);
        check(Held::Unknown, &[], &[], Stake::Ours);
        check(Held::Unknown, &[("z", Owns)], &[], Stake::RefusedBy(sync("z")));
        check(Held::Unknown, &[("z", Owns)], &["z"], Stake::WaitFor(sync("z")));
        check(Held::Unknown, &[("a", Wants)], &[], Stake::RefusedBy(sync("a")));
        check(Held::Unknown, &[("z", Wants)], &[], Stake::Ours);
        check(Held::Unknown, &[("z", Leaves)], &[], Stake::TakenFrom(sync("z")));
    }

    #[test]
    fn who_must_let_go() {
        use Claim::{Leaves, Owns, Wants};
        let check = |owner: Option<&str>, of: &[(&str, Claim)], undecided: &[&str], expected: Release| {
            let (id, claims) = claims(of, undecided);
            assert_eq!(release(&id, &us(), owner, &claims), expected, "{owner:?} {of:?} {undecided:?}");
        };
        check(Some("c/ns/m"), &[], &[], Release::Delete);
        check(None, &[("t", Leaves)], &[], Release::Delete);
        check(Some("c/ns/m"), &[("t", Wants)], &[], Release::WaitFor(sync("t")));
        check(Some("c/ns/m"), &[("t", Owns)], &[], Release::WaitFor(sync("t")));
        check(Some("c/ns/m"), &[], &["t"], Release::WaitFor(sync("t")));
        check(Some("c/ns/t"), &[("t", Owns)], &[], Release::HandedOverTo(sync("t")));
    }

    /// Taker and giver, in every order of their steps: nobody deletes, and one of both can always go on.
    #[test]
    fn a_move_ends_at_the_taker_whoever_runs_first() {
        let (id, giver_planned) = claims(&[("t", Claim::Leaves)], &[]);
        assert_eq!(stake(&id, &us(), Held::By("c/ns/t"), &giver_planned), Stake::TakenFrom(sync("t")));
        let (id, giver_not_planned) = claims(&[("t", Claim::Owns)], &["t"]);
        assert_eq!(stake(&id, &us(), Held::By("c/ns/t"), &giver_not_planned), Stake::WaitFor(sync("t")));
        let giver = Owner { cluster: "c".into(), namespace: "ns".into(), name: "t".into() };
        let (id, taker_not_planned) = claims(&[], &["m"]);
        assert_eq!(release(&id, &giver, Some("c/ns/t"), &taker_not_planned), Release::WaitFor(sync("m")));
        let (id, taker_planned) = claims(&[("m", Claim::Wants)], &[]);
        assert_eq!(release(&id, &giver, Some("c/ns/t"), &taker_planned), Release::WaitFor(sync("m")));
        assert_eq!(release(&id, &giver, Some("c/ns/m"), &taker_planned), Release::HandedOverTo(sync("m")));
    }
}

//! What is known of live objects: from answers, from reads, and what drift was.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokio::time::Instant;

use crate::agent::fight::{Repairs, Rival};
use crate::agent::observer::{Before, Standing, Wanted};
use crate::cluster::{Answer, KindInfo};
use crate::health;
use crate::inventory::Flag;
use crate::object::{ObjectId, split_api_version};
use crate::plan::{self, Change, Claim, Desired, Live, Owner, Reason};
use crate::report::event;
use crate::report::facts::{Fight, Stage};
use crate::report::message::{Repair, RepairKind, Takeover};
use crate::report::outcome::Outcome;

use super::Unit;
use super::pass::{Aim, Stop, Target};

/// Objects that differ while nothing is put right, and are named.
const NAMED: usize = 3;

/// How much of a source could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// All of it.
    Whole,
    /// Something in it has a problem.
    Incomplete,
}

impl Unit {
    /// Who owns what this Sync applies.
    pub(super) fn owner(&self) -> Owner {
        Owner { cluster: self.world.name.clone(), namespace: self.key.namespace.clone(), name: self.key.name.clone() }
    }

    /// Whether an object is this Sync's, as far as its inventory knows.
    pub(super) fn standing(&self, id: &ObjectId) -> Standing {
        let applied = self.ledger.owned().get(id).is_some_and(|entry| entry.uid.is_some());
        if applied { Standing::Owns } else { Standing::Wants }
    }

    /// Takes note of a live object that was read or answered.
    pub(super) fn note_live(&mut self, id: &ObjectId, object: &Value) {
        let entry = self.ledger.owned().get(id);
        let yields = plan::yields_of(id, &self.lens.ignore, entry);
        if let Some(seen) = plan::see(object, &self.world.key, &yields, &self.lens.managers) {
            self.observed.insert(id.clone(), Live::Present(seen));
        }
        self.health.insert(id.clone(), health::assess(object, &self.lens.expressions));
        self.lost.remove(id);
    }

    /// The answer to an apply, in the words of a plan.
    pub(super) fn answer_of(&self, desired: &Desired, answer: &Answer) -> Option<plan::Answer> {
        let seen = plan::see(&answer.object, &self.world.key, &desired.yields, &self.lens.managers)?;
        let answered = if answer.created() { plan::Answered::Created } else { plan::Answered::Existing };
        Some(plan::Answer { answered, seen })
    }

    /// A dry-run's answer makes a change what it truly is. One that changes nothing is the new
    /// baseline at once.
    pub(super) fn refine(&mut self, change: &mut Change, desired: &Desired, answer: &Answer) {
        let live = self.observed.get(&change.id).cloned().unwrap_or(Live::Unknown);
        let Some(told) = self.answer_of(desired, answer) else { return };
        *change = plan::refine(change, &told, &live);
        if change.reason == Reason::UpToDate {
            let entry = plan::record(change, desired, self.ledger.owned().get(&change.id), &told);
            self.ledger.set(&change.id, entry);
        }
    }

    /// Records an answered apply, and tells what it was: a change, a repair, a takeover.
    pub(super) fn answered(
        &mut self,
        change: &Change,
        desired: &Desired,
        answer: &Answer,
        drift: &[String],
        millis: u64,
        outcome: &mut Outcome,
    ) {
        let id = &change.id;
        let before = self.observed.get(id).cloned().unwrap_or(Live::Unknown);
        let Some(told) = self.answer_of(desired, answer) else { return };
        let change = plan::refine(change, &told, &before);
        if !self.is_applied(&change) {
            // Git says something else of it now: whoever fought over what it said before may be content.
            self.repairs.remove(id);
        }
        let entry = plan::record(&change, desired, self.ledger.owned().get(id), &told);
        self.ledger.set(id, entry);
        let version = split_api_version(&desired.manifest.api_version).1;
        let ours = Wanted { id, version, yields: desired.yields.clone(), standing: Standing::Owns };
        let shown = self.world.observer.shows(id, &self.mailbox);
        self.world.observer.route([ours], &self.mailbox, &self.lens);
        self.observed.insert(id.clone(), Live::Present(told.seen));
        self.health.insert(id.clone(), health::assess(&answer.object, &self.lens.expressions));
        self.lost.remove(id);
        if !shown {
            // What became of it since it was written went to somebody else: it is looked at once more.
            self.lost.insert(id.clone());
            self.work = true;
        }
        outcome.record(id, change.action);
        for warning in &answer.warnings {
            tracing::warn!(sync = %self.key, object = %id, warning, "the API server warns");
        }
        if is_repair(change.reason) {
            self.repaired(&change, drift, millis);
        }
        if !answer.kept.is_empty() {
            tracing::info!(sync = %self.key, object = %id, fields = ?answer.kept, "left to other managers");
        }
    }

    /// Drift was put right: it is told, and counted, for it may be a fight.
    fn repaired(&mut self, change: &Change, drift: &[String], millis: u64) {
        let author = change.author.clone().unwrap_or_else(|| "unknown".to_owned());
        let repair = Repair {
            id: change.id.clone(),
            fields: drift.to_vec(),
            kind: if change.reason == Reason::Missing { RepairKind::Deleted } else { RepairKind::Changed },
            author: author.clone(),
            millis,
        };
        let what = crate::report::message::repair(&repair);
        tracing::info!(sync = %self.key, object = %change.id, author = %author, what, "drift put right");
        self.world.metrics.drift(&self.key.namespace, &self.key.name);
        self.tell_events(&[event::of_repair(&repair)]);
        let now = self.world.now();
        let repairs = self.repairs.entry(change.id.clone()).or_default();
        repairs.note(now, Rival { author, field: drift.first().cloned() });
        if repairs.rounds() == 1 {
            let begun = fight(&change.id, repairs);
            self.tell_events(&[event::of_fight(&begun)]);
        }
    }

    /// The fight that lasts, of several the one with the newest repair. What is quiet again, no longer ours or left alone is
    /// fought over no more.
    pub(super) fn fights(&mut self) {
        let (now, owned) = (self.world.now(), self.ledger.owned());
        let left_alone = |id: &ObjectId| owned.get(id).is_none_or(|e| e.flags.contains(&Flag::ReconcileDisabled));
        self.repairs.retain(|id, repairs| !repairs.is_over(now) && !left_alone(id));
        let fights = || self.repairs.iter().filter(|(_, repairs)| repairs.is_fight());
        let end = fights().filter_map(|(_, repairs)| repairs.ends()).min();
        self.quiet_at = end.map(|end| Instant::now() + end.saturating_sub(now));
        let newest = fights().max_by_key(|(_, repairs)| repairs.last());
        self.facts.drift.fight = newest.map(|(id, repairs)| fight(id, repairs));
    }

    /// What differs while nothing is put right.
    pub(super) fn let_be(&mut self) {
        let differs = |id: &&ObjectId| self.observed.get(*id).is_some_and(|live| self.drifted(id, live));
        let owned = self.ledger.owned();
        let differing: Vec<&ObjectId> = owned.keys().filter(|_| self.sync.spec.suspend).filter(differs).collect();
        let author = |id: &ObjectId| match self.observed.get(id) {
            Some(Live::Present(seen)) => seen.author.clone(),
            _ => None,
        };
        let author = |id: &ObjectId| author(id).unwrap_or_else(|| "unknown".to_owned());
        let first = differing.iter().take(NAMED).map(|id| ((*id).clone(), author(id))).collect();
        let objects = differing.len().try_into().unwrap_or(u32::MAX);
        (self.facts.drift.objects, self.facts.drift.first) = (objects, first);
    }

    /// Whether what Git says of an object is what was applied last.
    pub(super) fn is_applied(&self, change: &Change) -> bool {
        self.ledger.owned().get(&change.id).is_some_and(|entry| entry.desired == change.desired)
    }

    /// Fields that another manager owned are ours now.
    pub(super) fn took_over(&mut self, takeover: &Takeover) {
        tracing::info!(sync = %self.key, object = %takeover.id, from = %takeover.from, "fields taken over");
        self.tell_events(&[event::of_takeover(takeover)]);
    }

    /// Tells the other Syncs which objects this one wants, owns and leaves. What a source does not
    /// name that could not be read whole may still be wanted.
    pub(super) fn claim(&self, desired: &[Desired], source: Source) {
        let passive = self.sync.spec.suspend || self.sync.spec.mode == crate::api::Mode::Shadow;
        let wanted: BTreeSet<&ObjectId> = desired.iter().map(Desired::id).collect();
        let mut claims = BTreeMap::new();
        for id in self.ledger.owned().keys() {
            let claim = if wanted.contains(id) || passive || source == Source::Incomplete {
                Claim::Owns
            } else {
                Claim::Leaves
            };
            claims.insert(id.clone(), claim);
        }
        for id in wanted.into_iter().filter(|_| !passive) {
            claims.entry(id.clone()).or_insert(Claim::Wants);
        }
        if self.world.claims.put(&self.key, claims) {
            self.world.registry.tell_waiting(&self.key);
        }
    }

    /// Sees to it that every kind that is owned or wanted is watched, and known in full.
    pub(super) async fn open_watches(
        &self,
        target: &Target,
        desired: impl IntoIterator<Item = &Desired>,
    ) -> Result<(), Stop> {
        let snapshot = self.world.cluster.kinds().snapshot(&self.world.cluster.own()).await;
        let snapshot = snapshot.map_err(|error| Stop::failed(Stage::Plan, &error))?;
        let owned = self.ledger.owned().iter().map(|(id, entry)| (id, entry.version.as_str()));
        let desired = desired.into_iter().map(|d| (d.id(), split_api_version(&d.manifest.api_version).1));
        // What Git names is seen as Git has it, whatever it was before.
        let versions: BTreeMap<&ObjectId, &str> = owned.chain(desired).collect();
        let mut wanted: BTreeMap<KindInfo, BTreeSet<String>> = BTreeMap::new();
        for (id, version) in versions {
            let kind = snapshot.get(&id.group, version, &id.kind).or_else(|| snapshot.preferred(&id.group, &id.kind));
            // A kind whose definition comes in the same revision is watched from the next pass on.
            let Some(kind) = kind else { continue };
            wanted.entry(kind.clone()).or_default().insert(id.namespace.clone());
        }
        // Healing comes between two tries of a newer revision, which asks for more.
        let before = if target.aim == Aim::Heal { Before::Keeps } else { Before::Ends };
        let open = self.world.observer.watch(&self.key, &wanted, &target.session, before);
        match tokio::time::timeout(self.timeout().min(std::time::Duration::from_secs(30)), open).await {
            Ok(()) => Ok(()),
            Err(_) => {
                let message = "the watches of owned objects did not open in time";
                Err(Stop::Failed(
                    Stage::Plan,
                    crate::failure::Failed::new("WatchTimeout", crate::failure::Fault::Transient, message),
                ))
            }
        }
    }
}

/// Whether a change puts right what others did to what was applied.
pub(super) fn is_repair(reason: Reason) -> bool {
    matches!(reason, Reason::Drifted | Reason::ReplacedByOthers | Reason::Missing)
}

fn fight(id: &ObjectId, repairs: &Repairs) -> Fight {
    let Rival { author, field } = repairs.rival().clone();
    Fight { id: id.clone(), field, author, rounds: repairs.rounds() }
}

//! Standards: what is new is judged whole before any of it is applied; what was let pass once is healed unasked.
//!
//! What is new is told by the objects and not by the commit: another path, another value of a variable, or another
//! cluster around a chart makes other objects of the same commit. After a restart nothing is known but the inventory, and what differs from it is judged.

use std::hash::{DefaultHasher, Hash, Hasher};

use futures::FutureExt;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::agent::inputs;
use crate::agent::standards::Snapshot;
use crate::agent::standards::cases::{Seen, cases};
use crate::agent::standards::verdicts::{self, Bench, Case, Effect, Live as Holds, Noted, Said, Standing};
use crate::api::StandardVerdicts;
use crate::failure::{Failed, Fault};
use crate::object::{Digest, ObjectId, Problem};
use crate::plan::{Action, Change, Desired, Live, Method, Plan, Refusals};
use crate::report::event;
use crate::report::facts::{Hold, Stage};
use crate::report::message;
use crate::report::reason::Reason;
use crate::standard::{Operation, Review};

use super::Unit;
use super::pass::{Aim, Stop, Target};
use super::stages::{Wrong, read};
use super::together::together;

/// Problems that the message of a hold has; the status has more.
pub(super) const TOLD: usize = 3;

/// What Standards have let pass.
#[derive(Default)]
pub(super) struct Judged {
    /// Digest of what was let pass last, and is or was accepted.
    passed: Option<Digest>,
    /// What will be that once it is accepted.
    passes: Option<Digest>,
    /// Of which version the Standards were that judged last, and what they said.
    by: Option<u64>,
    told: Option<u64>,
}

impl Judged {
    /// What was judged last is accepted.
    pub(super) fn pass(&mut self) {
        self.passed = self.passes.take().or(self.passed.take());
    }
}

/// What is to be judged.
pub(super) struct Matter<'a> {
    pub(super) content: Content,
    pub(super) plan: &'a Plan,
    pub(super) wrong: &'a Wrong,
}

/// Whether a commit is known to change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// It changes nothing of what the accepted one read.
    Accepted,
    /// It may.
    Read,
}

/// What a verdict means for a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// All of it was let pass before: what is said now is told, and holds nothing.
    Tells,
    /// What is other than the inventory has it is held.
    HoldsNew,
    /// One refused object holds all.
    HoldsAll,
}

impl Unit {
    /// Whether a Standard keeps a revision from being applied.
    pub(super) fn held_by_standard(&self) -> bool {
        let reason = self.facts.hold.as_ref().map(|hold| hold.reason);
        matches!(reason, Some(Reason::StandardViolated | Reason::StandardNotReady))
    }

    /// Has everything judged that the plan would do. A revision with something that is denied is held; while the
    /// accepted one is healed, it is left out.
    pub(super) async fn by_standards(
        &mut self,
        target: &Target,
        matter: Matter<'_>,
        desired: Vec<Desired>,
        mut refused: Refusals,
    ) -> Result<(Vec<Desired>, Refusals), Stop> {
        let this = self.digest(desired.iter());
        let weight = self.weight(target, this, matter.content);
        self.judged.passes = Some(this);
        let snapshot = self.world.standards.snapshot().await;
        if snapshot.entries.is_empty() {
            self.judged.by = None;
            self.facts.standard = None;
            return Ok((desired, refused));
        }
        if weight == Weight::Tells && self.judged.by == Some(snapshot.version) {
            return Ok((desired, refused));
        }
        let cases = self.cases(target, &snapshot, matter.plan, &desired).await?;
        let (desired, cases, said, noted) = self.say(&snapshot, desired, cases).await?;
        self.judged.by = Some(snapshot.version);
        let counts = |case: &Case| match weight {
            Weight::Tells => false,
            Weight::HoldsNew => case.standing == Standing::New,
            Weight::HoldsAll => true,
        };
        let (denied, told): (Vec<Said>, Vec<Said>) =
            said.into_iter().partition(|said| said.effect.holds() && counts(&cases[said.case]));
        self.tell_verdicts(target, &denied, &told, &noted);
        if denied.is_empty() {
            return Ok((desired, refused));
        }
        self.judged.passes = None;
        if target.aim == Aim::Heal {
            refused.extend(denied.into_iter().map(|said| (cases[said.case].id.clone(), said.problem)));
            return Ok((desired, refused));
        }
        let not_ready = denied.iter().all(|said| said.effect == Effect::NotReady);
        let reason = if not_ready { Reason::StandardNotReady } else { Reason::StandardViolated };
        let mut problems: Vec<Problem> = denied.into_iter().map(|said| said.problem).collect();
        problems.sort();
        problems.dedup();
        let others = matter.wrong.problems.iter().chain(refused.values());
        let text = message::first_problems(&problems, TOLD);
        problems.extend(others.cloned());
        let message = format!("{} is held, and nothing of it is applied: {text}", target.found.listed.revision);
        Err(Stop::Hold(Hold { problems, ..Hold::new(reason, message) }))
    }

    /// What is judged, whatever it was made of: a chart may render to other objects with the cluster that it is in.
    pub(super) fn digest<'a>(&self, desired: impl Iterator<Item = &'a Desired>) -> Digest {
        let whole = |desired: &Desired| match desired.yields.is_empty() {
            true => desired.digest,
            // What is left to others is not in its own.
            false => self.world.key.digest(&desired.manifest.body),
        };
        let objects: Vec<Value> =
            desired.map(|desired| json!([desired.id().to_string(), whole(desired).to_string()])).collect();
        self.world.key.digest(&json!([self.sync.spec.service_account_name, objects]))
    }

    fn weight(&self, target: &Target, this: Digest, content: Content) -> Weight {
        let accepted = self.facts.accepted.as_ref().map(|revision| revision.commit.as_str());
        match self.judged.passed {
            Some(passed) if passed == this => Weight::Tells,
            None if content == Content::Accepted || accepted == Some(target.found.commit()) => Weight::HoldsNew,
            _ if target.aim == Aim::Heal => Weight::HoldsNew,
            _ => Weight::HoldsAll,
        }
    }

    /// The requests that the plan stands for, with the live objects where a policy asks for them.
    async fn cases(
        &mut self,
        target: &Target,
        snapshot: &Snapshot,
        plan: &Plan,
        desired: &[Desired],
    ) -> Result<Vec<Case>, Stop> {
        let scopes = self.world.scopes().await.map_err(|error| Stop::failed(Stage::Plan, &error))?;
        let seen = |change: &Change, wanted: Option<&Desired>| Seen {
            is_there: self.is_there(&change.id),
            standing: self.standing_of(change, wanted),
        };
        let mut cases = cases(&plan.changes, desired, &scopes, seen);
        self.read_old(target, snapshot, desired, &mut cases).await?;
        Ok(cases)
    }

    fn is_there(&self, id: &ObjectId) -> bool {
        matches!(self.observed.get(id), Some(Live::Present(_)))
            || self.ledger.owned().get(id).is_some_and(|entry| entry.uid.is_some())
    }

    /// Whether an object was let pass before as it is: it was, where its manifest was applied like this. What it leaves
    /// to others is no part of that, and counts where the object is created.
    fn standing_of(&self, change: &Change, desired: Option<&Desired>) -> Standing {
        let Some(desired) = desired else { return Standing::New };
        let same = self.ledger.owned().get(&change.id).is_some_and(|entry| entry.desired == Some(desired.digest));
        let whole = desired.yields.is_empty() || change.action != Action::Created;
        let quiet = change.method == Method::Nothing;
        let replaced = change.method == Method::Replace;
        if quiet || (same && whole && !replaced) { Standing::Accepted } else { Standing::New }
    }

    /// Reads the live objects that a policy needs, as the account. One that is there is updated, whatever the plan
    /// could know.
    async fn read_old(
        &mut self,
        target: &Target,
        snapshot: &Snapshot,
        desired: &[Desired],
        cases: &mut [Case],
    ) -> Result<(), Stop> {
        let user = Value::Null;
        let now = Timestamp::now();
        let unsure = |case: &Case| {
            case.operation == Operation::Create
                && !matches!(self.observed.get(&case.id), Some(Live::Absent))
                && !self.was_validated(case, desired)
        };
        let needs = |case: &Case| {
            let review = |operation: Operation| Review {
                id: &case.id,
                api_version: &case.api_version,
                resource: &case.plural,
                operation,
                object: case.desired.map(|at| &desired[at].manifest.body),
                old: None,
                shown: None,
                namespace: None,
                user: &user,
                dry_run: false,
                now,
            };
            snapshot.accepted().any(|standard| match case.operation {
                Operation::Create if unsure(case) => {
                    standard.needs_old(&review(Operation::Update))
                        || standard.tells_apart(&review(Operation::Create), Operation::Update)
                }
                Operation::Create => false,
                operation => standard.needs_old(&review(operation)),
            })
        };
        let session = &target.session;
        let mut reads = Vec::new();
        for (at, case) in cases.iter().enumerate().filter(|(_, case)| needs(case)) {
            let (id, api_version) = (case.id.clone(), case.api_version.clone());
            let read = async move { (at, read(session, &id, &api_version).await) };
            reads.push(read.boxed());
        }
        for (at, found) in together(reads).await {
            let found = found.map_err(|error| Stop::failed(Stage::Plan, &error))?;
            let case = &mut cases[at];
            match (&found, case.operation) {
                (Some(_), Operation::Create) => case.operation = Operation::Update,
                (None, Operation::Update) => case.operation = Operation::Create,
                _ => {}
            }
            case.old = found;
        }
        Ok(())
    }

    /// Whether the API server was asked about an object: then the plan knows whether it is there.
    fn was_validated(&self, case: &Case, desired: &[Desired]) -> bool {
        let digest = case.desired.map(|at| desired[at].digest);
        digest.is_some_and(|digest| self.validated.contains(&(case.id.clone(), digest)))
    }

    /// Judges on a thread of its own: expressions take time, and nothing else.
    pub(super) async fn say(
        &self,
        snapshot: &Snapshot,
        desired: Vec<Desired>,
        cases: Vec<Case>,
    ) -> Result<(Vec<Desired>, Vec<Case>, Vec<Said>, Vec<Noted>), Stop> {
        let account = self.sync.spec.service_account_name.clone().unwrap_or_default();
        let user = verdicts::account(&self.key.namespace, &account);
        // Former values may be anywhere.
        let live = if inputs::is_veiled(&self.sync.spec) { Holds::Veiled } else { Holds::Plain };
        let snapshot = snapshot.clone();
        let judging = tokio::task::spawn_blocking(move || {
            let bench = Bench { desired: &desired, cases: &cases, user: &user, live, now: Timestamp::now() };
            let (said, noted) = verdicts::judge(&snapshot, &bench);
            (desired, cases, said, noted)
        });
        judging.await.map_err(|_| {
            let failed = Failed::new("Internal", Fault::Internal, "the policies could not be evaluated");
            Stop::Failed(Stage::Validate, failed)
        })
    }

    /// Tells what was said, once: counts, Event, log, metric.
    fn tell_verdicts(&mut self, target: &Target, denied: &[Said], told: &[Said], noted: &[Noted]) {
        let revision = target.found.listed.revision.to_string();
        let all = || denied.iter().chain(told);
        let count = |keep: &dyn Fn(Effect) -> bool| {
            u32::try_from(all().filter(|said| keep(said.effect)).count()).unwrap_or(u32::MAX)
        };
        let counts = StandardVerdicts {
            denied: count(&Effect::holds),
            warned: count(&|effect| effect == Effect::Warn),
            audited: count(&|effect| effect == Effect::Audit),
            waived: count(&|effect| effect == Effect::Waived),
            revision: revision.clone(),
        };
        let silent = all().next().is_none();
        if target.aim == Aim::Newest {
            self.facts.standard = (!silent).then_some(counts);
        }
        self.tell_said(&revision, denied, told, noted);
    }

    /// Tells what was said of a revision, once: Event, log, metric.
    pub(super) fn tell_said(&mut self, revision: &str, denied: &[Said], told: &[Said], noted: &[Noted]) {
        let all = || denied.iter().chain(told);
        let mut hasher = DefaultHasher::new();
        revision.hash(&mut hasher);
        all().for_each(|said| {
            (&said.standard, said.effect, &said.problem.object, &said.problem.message).hash(&mut hasher)
        });
        noted
            .iter()
            .for_each(|noted| (noted.id.to_string(), &noted.annotation.key, &noted.annotation.value).hash(&mut hasher));
        let words = hasher.finish();
        if self.judged.told.replace(words) == Some(words) {
            return;
        }
        for said in all() {
            let Said { standard, revision, policy, effect, problem, .. } = said;
            self.world.metrics.verdict(standard, policy, effect.as_str());
            let hint = problem.hint.as_deref().unwrap_or_default();
            tracing::info!(sync = %self.key, standard, at = revision, policy, action = effect.as_str(), finding = %problem, hint, "standard");
        }
        for Noted { standard, id, annotation } in noted {
            let (policy, key, value) = (&annotation.policy, &annotation.key, &annotation.value);
            tracing::info!(sync = %self.key, standard, policy, object = %id, key, value, "audit annotation");
        }
        // What holds the revision is told as a hold; what would hold it if it were new is told here.
        let warns = told.iter().filter(|said| said.effect >= Effect::Warn).map(|said| said.problem.clone());
        let warns: Vec<Problem> = warns.collect();
        if !warns.is_empty() {
            self.tell_events(&[event::of_standard(revision, &warns)]);
        }
    }
}

//! The plans of all Syncs that a merge touches: rendered, compared with what was applied before, dry-run where something
//! differs, judged by Standards. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt, StreamExt, stream};
use serde_json::Value;

use crate::agent::standards::Snapshot;
use crate::agent::world::World;
use crate::api::Prune;
use crate::cluster::{Answer, ClusterError, RefusalReason, Session, apply};
use crate::failure::Failed;
use crate::inventory::Owned;
use crate::object::ObjectId;
use crate::object::mask::{is_secret, mask_pointers, mask_secret};
use crate::plan::{
    self, Action, Budget, Change, Claims, Desired, Input, Live, Method, Observed, Plan, Scopes, Seen, Terminating, see,
    without_marks,
};
use crate::report::proposed::{Basis, SyncPlan};

use super::answer::{Refused, fields, refined, refused};
use super::draw::{Drawn, by_schema, draw, hidden_in, is_hidden};
use super::subject::{Asking, Merge, Subject};
use super::verdict;

/// Requests at a time: few, since passes of Syncs come first.
const AT_ONCE: usize = 4;

/// The plans of all.
///
/// # Errors
/// Something failed that may go well the next time.
pub(super) async fn plans(
    world: &World,
    subjects: Vec<Subject>,
    merge: &Merge,
    asking: &Asking,
) -> Result<Vec<SyncPlan>, Failed> {
    let scopes = world.scopes().await.map_err(|error| Failed::from(&error))?;
    let mut drawn = Vec::new();
    for subject in subjects {
        drawn.push(draw(world, subject, merge, asking, &scopes).await?);
    }
    let snapshot = world.standards.snapshot().await;
    let mut plans = Vec::new();
    for at in 0..drawn.len() {
        plans.push(one(world, &drawn, at, asking, (&scopes, &snapshot)).await?);
    }
    Ok(plans)
}

/// The plan of one of them.
async fn one(
    world: &World,
    all: &[Drawn],
    at: usize,
    asking: &Asking,
    (scopes, snapshot): (&Scopes, &Snapshot),
) -> Result<SyncPlan, Failed> {
    let drawn = &all[at];
    let subject = &drawn.subject;
    let mut told = SyncPlan {
        name: subject.key.to_string(),
        plan: Plan::default(),
        created: Default::default(),
        denied: Vec::new(),
        warned: Vec::new(),
        apart: Vec::new(),
        notes: subject.withheld.clone(),
        basis: match asking {
            Asking::As(_) => Basis::Asked,
            Asking::Nobody(why) => Basis::Offline(why.clone()),
            Asking::Apart => Basis::Apart,
        },
        essence: None,
    };
    let mut lives = BTreeMap::new();
    let mut observed = known(&subject.owned, &drawn.desired, &subject.owner.to_string());
    let mut apart = drawn.apart.clone();
    if let Asking::As(session) = asking {
        let unknown = |d: &&Desired| !observed.contains_key(d.id()) && !apart.contains_key(d.id());
        let looks: Vec<_> =
            drawn.desired.iter().filter(unknown).map(|desired| look(session, desired).boxed()).collect();
        let found: Vec<_> = stream::iter(looks).buffered(AT_ONCE).collect().await;
        for (desired, answer) in found {
            match answer {
                Ok(Some(live)) => {
                    let seen = see(&live, &world.key, &desired.yields, &subject.lens.managers);
                    observed.insert(desired.id().clone(), seen.map_or(Live::Unknown, Live::Present));
                    lives.insert(desired.id().clone(), live);
                }
                Ok(None) => {
                    observed.insert(desired.id().clone(), Live::Absent);
                }
                Err(error) => {
                    apart.insert(desired.id().clone(), not_asked(error)?);
                }
            }
        }
    }
    told.plan = make(world, all, at, &observed);
    // What an object is may be encrypted too: then it is not known here, and nothing is wrong with it.
    let (hidden, wrong) = std::mem::take(&mut told.plan.problems).into_iter().partition(is_hidden);
    told.plan.problems = wrong;
    told.notes.extend(hidden.iter().map(hidden_in));
    if let Asking::As(session) = asking {
        ask(world, drawn, session, &lives, &observed, &mut apart, &mut told).await?;
    } else {
        told.plan.problems.extend(by_schema(drawn));
    }
    show_created(drawn, &mut told);
    let veils = verdict::Matter { drawn, plan: &told.plan, scopes, lives: &lives, apart: &apart };
    let (denied, warned) = verdict::of_standards(snapshot, &veils).await?;
    (told.denied, told.warned) = (denied, warned);
    told.notes.extend(held(subject, &told.plan));
    if told.basis == Basis::Asked && told.plan.problems.is_empty() && drawn.is_known(&apart) {
        told.essence = Some(plan::essence(&told.plan, &drawn.desired, &subject.owned, subject.inputs.clone()));
    }
    if told.basis == Basis::Apart {
        // Which of them are there already is the cluster's to know.
        told.notes.push(format!("{} objects are in it", told.plan.changes.len()));
        told.plan.changes.clear();
        told.created.clear();
    } else {
        let speaks = |id: &ObjectId| {
            told.plan.changes.iter().any(|change| change.id == *id && change.action != Action::Unchanged)
        };
        told.apart = apart.into_iter().filter(|(id, _)| speaks(id)).collect();
    }
    told.plan.problems.sort();
    told.plan.problems.dedup();
    Ok(told)
}

/// What is known without a question: an object whose manifest was applied as it is stays as it is, whatever became of it
/// since. That is no change of the proposal.
fn known(owned: &Owned, desired: &[Desired], owner: &str) -> Observed {
    let same = |desired: &Desired| {
        let entry = owned.get(desired.id())?;
        let seen = Seen {
            uid: entry.uid.clone()?,
            resource_version: String::new(),
            fields: Some(entry.baseline?),
            author: None,
            owner: Some(owner.to_owned()),
            terminating: Terminating::No,
            finished: plan::Finished::No,
            foreign: plan::Foreign::No,
            replicas: plan::Replicas::Given,
        };
        (entry.desired == Some(desired.digest)).then(|| (desired.id().clone(), Live::Present(seen)))
    };
    desired.iter().filter_map(same).collect()
}

async fn look<'a>(session: &Session, desired: &'a Desired) -> (&'a Desired, Result<Option<Value>, ClusterError>) {
    let id = desired.id();
    let found = match session.cluster().kinds().resolve(session, &desired.manifest.api_version, &id.kind).await {
        Ok(kind) => apply::get(session, &kind, &id.namespace, &id.name).await,
        Err(ClusterError::NoSuchKind { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    (desired, found)
}

/// Why an object was not asked about.
fn not_asked(error: ClusterError) -> Result<String, Failed> {
    match error {
        ClusterError::Refused(refusal) if matches!(refusal.code, 401 | 403) => {
            Ok(format!("it could not be asked about: {}", refusal.message))
        }
        error => Err(Failed::from(&error)),
    }
}

fn make(world: &World, all: &[Drawn], at: usize, observed: &Observed) -> Plan {
    let drawn = &all[at];
    let subject = &drawn.subject;
    let wanted: BTreeSet<_> = drawn.desired.iter().map(Desired::id).collect();
    let leaving: Vec<&ObjectId> = subject.owned.keys().filter(|id| !wanted.contains(id)).collect();
    let ids = drawn.desired.iter().map(Desired::id).chain(subject.owned.keys());
    let mut claims: Claims = world.claims.of_others(&subject.key, ids, &leaving, Vec::new());
    // Those that the merge touches will say something else than now: so what moves between them moves.
    for other in all.iter().filter(|other| other.subject.key != subject.key) {
        claims.say(&other.subject.owner.sync(), other.claims());
    }
    plan::plan(&Input {
        owner: &subject.owner,
        agent_namespace: &world.namespace,
        desired: &drawn.desired,
        problems: &drawn.problems,
        owned: &subject.owned,
        observed,
        claims: &claims,
        pruning: match subject.spec.prune {
            Prune::Enabled => plan::Pruning::Enabled,
            Prune::Disabled => plan::Pruning::Disabled,
        },
    })
}

/// Asks the API server about everything that would change and can be asked now.
async fn ask(
    world: &World,
    drawn: &Drawn,
    session: &Session,
    lives: &BTreeMap<ObjectId, Value>,
    observed: &Observed,
    apart: &mut BTreeMap<ObjectId, String>,
    told: &mut SyncPlan,
) -> Result<(), Failed> {
    let wanted: BTreeMap<&ObjectId, &Desired> = drawn.desired.iter().map(|desired| (desired.id(), desired)).collect();
    let due = |change: &Change| {
        matches!(change.method, Method::Apply | Method::ApplyOver)
            && change.deferred.is_none()
            && !apart.contains_key(&change.id)
    };
    let asked = told.plan.changes.iter().enumerate().filter(|(_, change)| due(change));
    let asked = asked.filter_map(|(at, change)| Some((at, (change.method, change.reason), *wanted.get(&change.id)?)));
    let mut questions = Vec::new();
    for (at, how, desired) in asked {
        questions.push(question(session, at, (how, desired), lives.get(desired.id())).boxed());
    }
    let answers: Vec<_> = stream::iter(questions).buffered(AT_ONCE).collect().await;
    for (at, desired, answer, immutable) in answers {
        let change = &mut told.plan.changes[at];
        let before = observed.get(&change.id).unwrap_or(&Live::Unknown);
        match answer {
            Ok(answer) => {
                *change = refined(world, drawn, change, desired, &answer, before);
                change.fields = fields(drawn, desired, lives.get(&change.id), &answer);
                let place = &desired.manifest.origin;
                let warnings = answer.warnings.iter();
                told.notes.extend(warnings.map(|text| format!("{}:{}: {text}", place.file, place.line)));
            }
            Err(error) => match refused(change, desired, error, immutable, before)? {
                Refused::Problem(problem) => told.plan.problems.push(problem),
                Refused::NotAsked(why) => {
                    apart.insert(change.id.clone(), why);
                }
                Refused::Recreated => {}
            },
        }
    }
    Ok(())
}

/// One dry-run. Where it is refused for what the object is, the same object under another name tells an immutable field
/// from another mistake.
async fn question<'a>(
    session: &Session,
    at: usize,
    (how, desired): ((Method, plan::Reason), &'a Desired),
    live: Option<&Value>,
) -> (usize, &'a Desired, Result<Answer, ClusterError>, bool) {
    let mut sent = desired.clone();
    sent.manifest.body = plan::sent(how, desired, live);
    let answer = apply::dry_run(session, &sent).await;
    let invalid = answer.as_ref().err().is_some_and(is_invalid) && live.is_some();
    let immutable = invalid && apply::probe_create(session, &sent).await.is_ok();
    (at, desired, answer, immutable)
}

fn is_invalid(error: &ClusterError) -> bool {
    error.refusal().is_some_and(|refusal| refusal.why == RefusalReason::Invalid)
}

/// New objects as they are shown: without our marks, and without any value that is secret.
fn show_created(drawn: &Drawn, told: &mut SyncPlan) {
    let wanted: BTreeMap<&ObjectId, &Desired> = drawn.desired.iter().map(|desired| (desired.id(), desired)).collect();
    for change in told.plan.changes.iter().filter(|change| change.action == Action::Created) {
        let Some(desired) = wanted.get(&change.id) else { continue };
        let mut body = without_marks(&desired.manifest.body);
        if is_secret(&change.id.group, &change.id.kind) {
            mask_secret(&mut body);
        }
        mask_pointers(&mut body, &desired.manifest.masked);
        told.created.insert(change.id.clone(), body);
    }
}

/// What the agent would hold because it deletes too much.
fn held(subject: &Subject, plan: &Plan) -> Option<String> {
    let budget = Budget::from(subject.spec.deletion_budget.clone().unwrap_or_default());
    let message = plan::foreseen(&subject.owner, plan, &subject.owned, &budget)?;
    Some(format!("it would be held: {message}"))
}

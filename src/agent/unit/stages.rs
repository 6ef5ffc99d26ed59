//! The stages of a pass before anything is written: render, resolve, look, plan, validate, admit.

use std::collections::BTreeMap;
use std::time::Instant as Clock;

use futures::FutureExt;
use serde_json::Value;

use crate::agent::bound::Bound;
use crate::agent::mailbox::Trigger;
use crate::agent::observer::Wanted as Asked;
use crate::agent::tip::Key;
use crate::agent::worker::{KILLS, killed};
use crate::api::{Mode, OnInvalid};
use crate::cluster::{Answer, ClusterError, KindInfo, Session, apply};
use crate::object::{ObjectId, Problem, split_api_version};
use crate::plan::{self, Change, Desired, Live, Method, Plan, Refusals, Rules, Steer};
use crate::render::Rendered;
use crate::report::facts::{Stage, Verdict};
use crate::report::outcome::Outcome;

use super::Unit;
use super::carry::{Judged, still_running};
use super::clear::unreachable;
use super::inputs::Given;
use super::live::Source;
use super::pass::{Aim, Stop, Target, millis};
use super::together::together;

/// Desired objects by identity.
type Wanted<'a> = BTreeMap<&'a ObjectId, &'a Desired>;

/// What is wrong with the source.
pub(super) struct Wrong {
    /// All of it, in the order of files and lines.
    pub problems: Vec<Problem>,
    /// The stage in which the first of it was found.
    pub stage: Stage,
}

impl Wrong {
    fn new(rendered: Vec<Problem>, resolved: Vec<Problem>) -> Self {
        let stage = if rendered.is_empty() { Stage::Plan } else { Stage::Render };
        let mut wrong = Self { problems: rendered, stage };
        let own: Vec<_> = resolved.into_iter().filter(|problem| !wrong.may_cause(problem)).collect();
        wrong.problems.extend(own);
        wrong.problems.sort();
        wrong
    }

    /// Whether a problem may only follow from these: a Namespace or a definition that could not be
    /// read is missing to others.
    fn may_cause(&self, problem: &Problem) -> bool {
        !self.problems.is_empty() && matches!(problem.rule.as_str(), "NamespaceNotFound" | "NoSuchKind")
    }

    fn refused(&self, outcome: &mut Outcome) -> Stop {
        outcome.problems.clone_from(&self.problems);
        let problems = self.problems.clone();
        Stop::Verdict(Verdict::Refused { stage: self.stage, problems, applied_rest: None })
    }
}

impl Unit {
    /// From the tree to manifests, in the worker.
    pub(super) async fn render(
        &mut self,
        target: &Target,
        given: &Given,
        outcome: &mut Outcome,
        bound: &mut Bound,
    ) -> Result<Rendered, Stop> {
        let (commit, path) = (target.found.commit(), self.sync.spec.path.as_str());
        if let Some(how) = self.world.quarantined(commit, path) {
            return Err(quarantined(path, &how));
        }
        let clock = Clock::now();
        let rendered = self.world.render(&target.found.source.url, commit, path, &given.options, bound).await;
        outcome.time(Stage::Render, millis(clock));
        let rendered = match rendered {
            Ok(rendered) => rendered,
            Err(failed) if killed(&failed) => {
                self.world.note_kill(commit, path, &failed.message);
                return Err(match self.world.quarantined(commit, path) {
                    Some(how) => quarantined(path, &how),
                    None => Stop::Failed(Stage::Render, failed),
                });
            }
            Err(failed) => return Err(Stop::Failed(Stage::Render, failed)),
        };
        self.world.note_survival(commit, path);
        if !rendered.problems.is_empty() && rendered.manifests.is_empty() {
            outcome.problems.clone_from(&rendered.problems);
            let problems = rendered.problems;
            return Err(Stop::Verdict(Verdict::Refused { stage: Stage::Render, problems, applied_rest: None }));
        }
        Ok(rendered)
    }
}

/// A live object, as the account; `None` where it is not there.
pub(super) async fn read(session: &Session, id: &ObjectId, api_version: &str) -> Result<Option<Value>, ClusterError> {
    let get = |kind: KindInfo| async move { apply::get(session, &kind, &id.namespace, &id.name).await }.boxed();
    match session.cluster().kinds().with_any(session, api_version, &id.kind, get).await {
        // A kind that is gone took its objects along.
        Err(ClusterError::NoSuchKind { .. }) => Ok(None),
        end => end,
    }
}

/// A dry-run of what would be sent.
async fn ask(session: &Session, method: Method, desired: &Desired) -> Result<Answer, ClusterError> {
    if method == Method::ApplyOver {
        let id = desired.id();
        let kind = session.cluster().kinds().resolve(session, &desired.manifest.api_version, &id.kind).await?;
        if let Some(live) = apply::get(session, &kind, &id.namespace, &id.name).await? {
            return apply::dry_run(session, &desired.over(&live)).await;
        }
    }
    apply::dry_run(session, desired).await
}

fn quarantined(path: &str, how: &str) -> Stop {
    Stop::Verdict(Verdict::Quarantined { crashes: KILLS.into(), message: format!("rendering {path:?}: {how}") })
}

impl Unit {
    /// From manifests to desired objects: scopes, namespaces, one form, labels of ownership. Problems
    /// do not end the pass where anything could be read: the rest is asked about too, so that all
    /// that is wrong is told at once.
    pub(super) async fn resolve(
        &mut self,
        rendered: Rendered,
        outcome: &mut Outcome,
    ) -> Result<(Vec<Desired>, Wrong), Stop> {
        let clock = Clock::now();
        let scopes = self.world.scopes().await.map_err(|e| Stop::failed(Stage::Plan, &e))?;
        let rules =
            Rules { target_namespace: self.sync.spec.target_namespace.clone(), ignore: self.lens.ignore.clone() };
        let (desired, wrong) = plan::resolve(rendered.manifests, &scopes, &self.owner(), &rules, &self.world.key);
        outcome.time(Stage::Plan, millis(clock));
        let wrong = Wrong::new(rendered.problems, wrong);
        if !wrong.problems.is_empty() && desired.is_empty() {
            return Err(wrong.refused(outcome));
        }
        Ok((desired, wrong))
    }

    /// Makes the plan and has it judged by the API server. Where the source has problems that hold
    /// everything, a failure to ask must not keep them from being told.
    pub(super) async fn judged(
        &mut self,
        target: &Target,
        desired: &[Desired],
        wrong: &Wrong,
        outcome: &mut Outcome,
    ) -> Result<(Plan, Refusals), Stop> {
        let asked = match self.plan(target, desired, &wrong.problems, outcome).await {
            Ok(plan) => {
                let wanted = desired.iter().map(|desired| (desired.id(), desired)).collect();
                self.validate(target, plan, &wanted, outcome).await
            }
            Err(stop) => Err(stop),
        };
        let held = !wrong.problems.is_empty() && self.sync.spec.on_invalid == OnInvalid::Hold;
        match asked {
            Err(Stop::Failed(..) | Stop::Waiting(_)) if held && target.aim == Aim::Newest => {
                Err(wrong.refused(outcome))
            }
            Ok((plan, mut refused)) => {
                refused.retain(|_, problem| !wrong.may_cause(problem));
                Ok((plan, refused))
            }
            asked => asked,
        }
    }

    /// The plan, after a look at the live objects that it cannot be decided without.
    async fn plan(
        &mut self,
        target: &Target,
        desired: &[Desired],
        problems: &[Problem],
        outcome: &mut Outcome,
    ) -> Result<Plan, Stop> {
        let clock = Clock::now();
        let source = if problems.is_empty() { Source::Whole } else { Source::Incomplete };
        self.claim(desired, source);
        if source == Source::Whole && target.aim == Aim::Newest {
            self.planned = Some(target.found.commit().to_owned());
        }
        let objects = desired.iter().map(|object| Asked {
            id: object.id(),
            version: split_api_version(&object.manifest.api_version).1,
            yields: object.yields.clone(),
            standing: self.standing(object.id()),
        });
        self.world.observer.route(objects, &self.mailbox, &self.lens);
        self.open_watches(target, desired).await?;
        // What the first lists of new watches have shown need not be asked for.
        for (id, sight) in self.mailbox.take_seen() {
            self.take_sight(id, sight);
        }
        let first = self.make_plan(target, desired, problems);
        let looks: Vec<(ObjectId, String)> =
            first.to_look_at().map(|change| (change.id.clone(), change.api_version.clone())).collect();
        let plan = if looks.is_empty() {
            first
        } else {
            self.look_at(target, looks).await?;
            self.make_plan(target, desired, problems)
        };
        outcome.time(Stage::Plan, millis(clock));
        for change in plan.changes.iter().filter(|change| change.reason == plan::Reason::OwnedByAnother) {
            let owner = change.other.as_deref().and_then(|other| other.split_once('/'));
            if let Some((namespace, name)) = owner {
                let rival = Trigger::Rival(change.id.clone(), self.key.clone());
                self.world.registry.tell(&Key::new(namespace, name), rival);
            }
        }
        for notice in &plan.notices {
            tracing::warn!(sync = %self.key, notice = %notice, "notice");
        }
        Ok(plan)
    }

    fn make_plan(&self, target: &Target, desired: &[Desired], problems: &[Problem]) -> Plan {
        let owned = self.ledger.owned();
        let leaving: Vec<&ObjectId> = {
            let wanted: std::collections::BTreeSet<_> = desired.iter().map(Desired::id).collect();
            owned.keys().filter(|id| !wanted.contains(id)).collect()
        };
        let undecided = if leaving.is_empty() {
            Vec::new()
        } else {
            self.world.registry.undecided(&self.key, &self.repository(), target.found.commit())
        };
        let ids = desired.iter().map(Desired::id).chain(owned.keys());
        let claims = self.world.claims.of_others(&self.key, ids, &leaving, undecided);
        plan::plan(&plan::Input {
            owner: &self.owner(),
            agent_namespace: &self.world.namespace,
            desired,
            problems,
            owned,
            observed: &self.observed,
            claims: &claims,
            pruning: match self.sync.spec.prune {
                crate::api::Prune::Enabled => plan::Pruning::Enabled,
                crate::api::Prune::Disabled => plan::Pruning::Disabled,
            },
        })
    }

    /// Reads live objects, as the account. Absence is what the API server says, nothing else.
    pub(super) async fn look_at(&mut self, target: &Target, objects: Vec<(ObjectId, String)>) -> Result<(), Stop> {
        let session = &target.session;
        let mut reads = Vec::new();
        for (id, api_version) in objects {
            let read = async move {
                let found = read(session, &id, &api_version).await;
                (id, found)
            };
            reads.push(read.boxed());
        }
        for (id, found) in together(reads).await {
            match found {
                Ok(Some(object)) => self.note_live(&id, &object),
                Ok(None) => {
                    let unseen = !matches!(self.observed.get(&id), Some(Live::Present(_)));
                    if let Some(entry) = self.ledger.owned().get(&id).filter(|_| unseen).and_then(plan::expired) {
                        tracing::info!(sync = %self.key, object = %id, "a Job that is gone: taken as finished, by its TTL");
                        self.ledger.set(&id, entry);
                        self.unsaved = true;
                    }
                    self.health.insert(
                        id.clone(),
                        crate::health::Health::new(crate::health::Status::NotFound, "not in the cluster"),
                    );
                    self.observed.insert(id, Live::Absent);
                }
                Err(error) => return Err(Stop::failed(Stage::Plan, &error)),
            }
        }
        Ok(())
    }

    /// Reads what no watch shows any more: absence from a watch is never absence.
    pub(super) async fn look_at_lost(&mut self, target: &Target) -> Result<(), Stop> {
        let owned = self.ledger.owned();
        let lost = self.lost.iter().filter_map(|id| {
            let version = &owned.get(id)?.version;
            let api_version = if id.group.is_empty() { version.clone() } else { format!("{}/{version}", id.group) };
            Some((id.clone(), api_version))
        });
        let lost: Vec<_> = lost.collect();
        self.look_at(target, lost).await?;
        self.lost.clear();
        Ok(())
    }

    /// Asks the API server what it thinks of everything that would change and can be asked now.
    /// Every refusal is found, not only the first.
    async fn validate(
        &mut self,
        target: &Target,
        mut plan: Plan,
        wanted: &Wanted<'_>,
        outcome: &mut Outcome,
    ) -> Result<(Plan, Refusals), Stop> {
        let clock = Clock::now();
        let always = self.sync.spec.mode == Mode::Shadow;
        let validated = &self.validated;
        // Only a question shows that an immutable field changed, and the budget counts a recreation.
        let recreatable = |change: &Change| {
            wanted.get(&change.id).is_some_and(|desired| desired.is(Steer::Force))
                && self.ledger.owned().get(&change.id).is_some_and(|entry| entry.desired != change.desired)
        };
        let due = |change: &Change| {
            matches!(change.method, Method::Apply | Method::ApplyOver)
                && change.deferred.is_none()
                && (always
                    || recreatable(change)
                    || self.sync.spec.on_invalid == OnInvalid::Hold
                        && target.aim == Aim::Newest
                        && change.desired.is_some_and(|digest| !validated.contains(&(change.id.clone(), digest)))
                        && self.ledger.owned().get(&change.id).is_none_or(|entry| entry.desired != change.desired))
        };
        let session = &target.session;
        let asked = plan.changes.iter().enumerate().filter(|(_, change)| due(change)).filter_map(|(at, change)| {
            let desired = *wanted.get(&change.id)?;
            Some((at, desired))
        });
        let mut questions = Vec::new();
        for (at, desired) in asked {
            let method = plan.changes[at].method;
            questions.push(async move { (at, ask(session, method, desired).await) }.boxed());
        }
        let answers = together(questions).await;
        let mut refused = Refusals::new();
        let mut guarded = Vec::new();
        let mut running = None;
        for (at, answer) in answers {
            let id = plan.changes[at].id.clone();
            match answer {
                Err(error) if let Some(webhook) = unreachable(&error) => {
                    self.unreachable.insert(webhook);
                    guarded.push(error);
                }
                Ok(answer) => {
                    self.validated.extend(plan.changes[at].desired.map(|digest| (id.clone(), digest)));
                    self.refine(&mut plan.changes[at], wanted[&id], &answer);
                }
                Err(error) => match self.judge_refusal(target, &mut plan.changes[at], wanted[&id], error).await? {
                    Judged::Taken => {}
                    Judged::Wrong(problem) => {
                        refused.insert(id, problem);
                    }
                    Judged::Running => running = Some(id),
                },
            }
        }
        let gone = self.find_in_the_way(target, &mut plan).await?;
        outcome.time(Stage::Validate, millis(clock));
        let stays = |error: &&ClusterError| unreachable(error).is_none_or(|webhook| !gone.contains(&webhook));
        match (guarded.iter().find(stays), running) {
            (Some(error), _) => Err(Stop::failed(Stage::Validate, error)),
            (None, Some(job)) if refused.is_empty() => Err(still_running(&job, Stage::Validate)),
            (None, _) => Ok((plan, refused)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_follow_from_an_unreadable_file_is_told_once_that_is_mended() {
        let of = |rule: &str, file: &str| Problem::new(rule, "said so").in_file(file, Some(1));
        let rules = |wrong: &Wrong| wrong.problems.iter().map(|p| p.rule.clone()).collect::<Vec<_>>();
        let follows = of("NoSuchKind", "a.yaml");
        let alone = Wrong::new(Vec::new(), vec![of("InvalidAnnotation", "b.yaml"), follows.clone()]);
        assert_eq!((rules(&alone), alone.stage), (vec!["NoSuchKind".into(), "InvalidAnnotation".into()], Stage::Plan));
        let after = Wrong::new(vec![of("Syntax", "c.yaml")], vec![of("InvalidAnnotation", "b.yaml"), follows]);
        assert_eq!((rules(&after), after.stage), (vec!["InvalidAnnotation".into(), "Syntax".into()], Stage::Render));
        assert!(after.may_cause(&of("NamespaceNotFound", "a.yaml")) && !after.may_cause(&of("Invalid", "a.yaml")));
        assert!(!Wrong::new(Vec::new(), Vec::new()).may_cause(&of("NamespaceNotFound", "a.yaml")));
    }
}

//! Approval of the effect: what a new revision does to the cluster was approved, where its Repository asks for that; and it did that.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt;
use jiff::Timestamp;
use serde_json::Value;

use crate::agent::foretold::{of, of_sync, shown};
use crate::agent::inputs;
use crate::api::ApprovedPlan;
use crate::cluster::{Answer, ClusterError, Session, apply};
use crate::failure::Failed;
use crate::object::{Digest, ObjectId};
use crate::plan::{self, Admitted, Desired, Essence, Method, Plan, diff, without_marks};
use crate::render::ReadSet;
use crate::report::facts::{Hold, Stage};
use crate::report::outcome::Outcome;
use crate::report::reason::Reason;

use super::Unit;
use super::pass::{Stop, Target};
use super::stages::read;
use super::together::together;

/// Differences that a message names.
const TOLD: usize = 5;
/// Bytes of a plan in a status.
const BLOCK: usize = 256 << 10;

/// What the API server said would become of objects.
pub(super) type Expected = BTreeMap<ObjectId, Value>;

/// What was asked of one object: where it stands in the plan, what is there, and what would be.
type Asked<'a> = (usize, &'a Desired, Result<(Option<Value>, Option<Answer>), ClusterError>);

impl Unit {
    /// Whether what a new revision does is approved, where its Repository asks for that; with what is expected of it then.
    pub(super) async fn foretold(
        &mut self,
        target: &Target,
        admitted: &Admitted,
        read: &ReadSet,
    ) -> Result<Expected, Stop> {
        self.vouches = None;
        if !self.reads_what_is_planned(read) {
            return Ok(Expected::new());
        }
        // The same commit makes other objects by another spec, another value of a variable, another cluster around a chart.
        let (known, digest) = (self.is_accepted(target), self.digest(admitted.all_desired()));
        self.vouches = Some(digest);
        if known && self.vouched == Some(digest) || self.is_ahead(target) {
            return Ok(Expected::new());
        }
        let mut plan = admitted.plan().clone();
        let desired: Vec<Desired> = admitted.all_desired().cloned().collect();
        if plan::essence(&plan, &desired, self.ledger.owned(), None).lines.is_empty() {
            self.vouch(known);
            return Ok(Expected::new());
        }
        let expected = self.look_ahead(target, admitted, &mut plan).await?;
        let essence = plan::essence(&plan, &desired, self.ledger.owned(), self.inputs.named.clone());
        let digest = essence.digest();
        let said = self.said_of_plans(target, known).await?;
        // What is left of it, where an agent ended in the middle, or somebody was faster: the end is the same.
        let rest =
            |approved: &String| self.world.foretold.recall(approved).is_some_and(|approved| approved.covers(&essence));
        let approval = said.iter().find(|(_, approved)| *approved == digest || rest(approved));
        match approval {
            _ if essence.lines.is_empty() => {}
            Some((by, _)) => {
                tracing::info!(sync = %self.key, revision = %target.found.listed.revision, plan = digest, by = by.by, "its plan is approved");
            }
            None => return Err(Stop::Hold(self.unapproved_plan(target, essence, said.first())?)),
        }
        self.vouch(known);
        Ok(expected)
    }

    /// Whether a revision is what the status says was accepted.
    fn is_accepted(&self, target: &Target) -> bool {
        self.facts.accepted.as_ref() == Some(&target.found.listed.revision)
    }

    /// Of what is only said to be accepted it is known now that it is.
    fn vouch(&mut self, known: bool) {
        if known {
            self.vouched = self.vouches;
        }
    }

    /// Whether somebody must have approved what a revision does: it reads one of the paths.
    fn reads_what_is_planned(&self, read: &ReadSet) -> bool {
        let reads = |path: &String| read.reads(path.trim_matches('/'));
        self.tip.as_ref().is_some_and(|tip| tip.plan_paths.iter().any(reads))
    }

    /// Whether a revision itself goes ahead of its review. What comes after one that did needs an approved plan as ever.
    fn is_ahead(&self, target: &Target) -> bool {
        self.review_standing().is_some_and(|standing| standing.is_ahead(target.found.commit()))
    }

    /// Has the API server say of each object what would become of it, and takes that into the plan.
    async fn look_ahead(&self, target: &Target, admitted: &Admitted, plan: &mut Plan) -> Result<Expected, Stop> {
        let owned = self.ledger.owned();
        let mut questions = Vec::new();
        for (at, change) in plan.changes.iter().enumerate() {
            let Some(desired) = admitted.desired(&change.id) else { continue };
            let due = matches!(change.method, Method::Apply | Method::ApplyOver)
                && change.deferred.is_none()
                && !plan::is_hidden(desired);
            if due {
                questions.push(ask(&target.session, at, (change.method, change.reason), desired).boxed());
            }
        }
        let veiled = inputs::is_veiled(&self.sync.spec);
        let mut expected = Expected::new();
        for (at, desired, answer) in together(questions).await {
            let (live, answer) = answer.map_err(|error| Stop::failed(Stage::Validate, &error))?;
            let Some(answer) = answer else { continue };
            let change = &mut plan.changes[at];
            let before = self.observed.get(&change.id).cloned().unwrap_or(plan::Live::Unknown);
            if let Some(told) = self.answer_of(desired, &answer) {
                *change = plan::refine(change, &told, &before);
            }
            if let Some(live) = &live {
                let shown = shown(owned, &change.id, veiled);
                change.fields = plan::changed_fields(live, &answer.object, &desired.manifest, shown);
            }
            expected.insert(change.id.clone(), answer.object);
        }
        Ok(expected)
    }

    /// What was said of plans of this Sync, newest first: of steps after the accepted revision, up to this one. Of one that is
    /// only said to be accepted, what was said of itself.
    async fn said_of_plans(&self, target: &Target, known: bool) -> Result<Vec<(ApprovedPlan, String)>, Stop> {
        let Some(standing) = self.review_standing() else { return Ok(Vec::new()) };
        let said = of_sync(&standing.plans, &self.key.to_string(), Timestamp::now());
        let (workers, url) = (&self.world.workers, &target.found.source.url);
        if known {
            let mine = said.into_iter().filter(|(plan, _)| plan.commit == target.found.commit());
            return Ok(mine.map(|(plan, digest)| (plan.clone(), digest.to_owned())).collect());
        }
        let accepted = self.facts.accepted.as_ref().map(|revision| revision.commit.as_str());
        let mut since: BTreeMap<&str, bool> = BTreeMap::new();
        for (plan, _) in &said {
            let commit = plan.commit.as_str();
            if since.contains_key(commit) {
                continue;
            }
            // What was approved once was approved for the step that it came with, and not for a later one like it.
            let mut counts = accepted != Some(commit);
            for (old, new) in
                accepted.map(|accepted| (accepted, commit)).into_iter().chain([(commit, target.found.commit())])
            {
                counts = counts
                    && (old == new
                        || workers
                            .on_mainline(url, old, new)
                            .await
                            .map_err(|failed| Stop::Failed(Stage::Plan, failed))?);
            }
            since.insert(commit, counts);
        }
        let counts = |(plan, _): &(&ApprovedPlan, &str)| since.get(plan.commit.as_str()) == Some(&true);
        Ok(said.into_iter().filter(counts).map(|(plan, digest)| (plan.clone(), digest.to_owned())).collect())
    }

    /// Why it is held, with the plan that may be approved.
    fn unapproved_plan(
        &self,
        target: &Target,
        essence: Essence,
        said: Option<&(ApprovedPlan, String)>,
    ) -> Result<Hold, Stop> {
        let found = &target.found;
        let (revision, commit) = (&found.listed.revision, found.commit());
        let foretold = of(found, commit, &self.world.name);
        self.world.foretold.keep(&essence);
        let earlier = self.status.plan.clone();
        let plans = BTreeMap::from([(self.key.to_string(), essence.clone())]);
        let signed = self.world.seal.foretell(foretold, plans, earlier.as_deref());
        let signed = signed.map_err(|failed: Failed| Stop::Failed(Stage::Plan, failed))?;
        let hint = format!(
            "hint: tandem approve {commit} --plan <(kubectl -n {} get sync {} -o jsonpath={{.status.plan}})",
            self.key.namespace, self.key.name
        );
        let (reason, why) = match said {
            None => (Reason::PlanMissing, format!("nobody has approved its plan {}", essence.digest())),
            Some((by, approved)) => (Reason::PlanDiffers, self.told_difference(&by.by, approved, &essence)),
        };
        let hold = Hold::new(reason, format!("{revision} is held: {why}; {hint}"));
        // A plan that is too large to be carried even without what it shows is told, and cannot be approved.
        Ok(Hold { plan: Some(signed.block(BLOCK).unwrap_or_default()), ..hold })
    }

    fn told_difference(&self, by: &str, approved: &str, now: &Essence) -> String {
        let digest = now.digest();
        let Some(before) = self.world.foretold.recall(approved) else {
            return format!("{by} approved the plan {approved}, and it is {digest} now");
        };
        let differences = before.differences(now);
        let mut told: Vec<String> = differences.iter().take(TOLD).map(ToString::to_string).collect();
        let more = differences.len().saturating_sub(TOLD);
        told.extend((more > 0).then(|| format!("and {more} more")));
        if before.inputs != now.inputs {
            let named = inputs::unpinned(&self.sync.spec).join(", ");
            told.push(format!("it is rendered with other values of what no commit holds ({named})"));
        }
        format!("what it would do is not what {by} approved: {}", told.join("; "))
    }

    /// Notes where what was applied is not what the API server said it would be.
    pub(super) async fn compare_with(&mut self, target: &Target, expected: &Expected, outcome: &mut Outcome) {
        for (id, foreseen) in expected {
            let Some(entry) = self.ledger.owned().get(id) else { continue };
            let digest = self.fields_of(id, foreseen);
            if entry.baseline.is_none() || entry.baseline == digest {
                continue;
            }
            let version = match id.group.as_str() {
                "" => entry.version.clone(),
                group => format!("{group}/{}", entry.version),
            };
            let live = read(&target.session, id, &version).await.ok().flatten();
            let paths = live.map(|live| diff(&without_marks(foreseen), &without_marks(&live)));
            let paths: BTreeSet<String> = paths.into_iter().flatten().map(|field| field.path).collect();
            let paths: Vec<String> = paths.into_iter().collect();
            let fields = if paths.is_empty() { String::new() } else { format!(": {}", paths.join(", ")) };
            let what = format!("{id} is not as the API server said in its dry-run{fields}");
            tracing::warn!(sync = %self.key, revision = %target.found.listed.revision, what, "applied otherwise than approved");
            outcome.differs.push(what);
        }
    }

    /// Digest of our fields in an object, as the inventory keeps it.
    fn fields_of(&self, id: &ObjectId, object: &Value) -> Option<Digest> {
        let yields = plan::yields_of(id, &self.lens.ignore, self.ledger.owned().get(id));
        plan::see(object, &self.world.key, &yields, &self.lens.managers)?.fields
    }
}

/// What is there, and what an apply would make of it; no answer where the API server cannot say without doing.
async fn ask<'a>(session: &Session, at: usize, how: (Method, plan::Reason), desired: &'a Desired) -> Asked<'a> {
    let answer = async {
        let live = read(session, desired.id(), &desired.manifest.api_version).await?;
        let mut sent = desired.clone();
        sent.manifest.body = plan::sent(how, desired, live.as_ref());
        match apply::dry_run(session, &sent).await {
            Ok(answer) => Ok((live, Some(answer))),
            Err(error) if is_dry_run_refused(&error) => Ok((live, None)),
            Err(error) => Err(error),
        }
    };
    (at, desired, answer.await)
}

fn is_dry_run_refused(error: &ClusterError) -> bool {
    use crate::cluster::RefusalReason::DryRunUnsupported;
    error.refusal().is_some_and(|refusal| matches!(refusal.why, DryRunUnsupported(_)))
}

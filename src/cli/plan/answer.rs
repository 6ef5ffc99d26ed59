//! What the API server's answer makes of one change.

use serde_json::Value;

use super::ask::Known;
use super::removed::after_adoption;
use super::subject::Marks;
use crate::cluster::{self, Cluster, ClusterError, Refusal, RefusalReason, apply, person};
use crate::failure::Failure;
use crate::object::{Problem, annotation};
use crate::plan::{
    self, Action, Answer, Answered, Change, Desired, Live, Method, Reason, Steer, diff, drift, mask_fields, recreate,
    refine, see, without_marks,
};

/// A change after it was asked about.
#[derive(Debug)]
pub struct Told {
    /// The change.
    pub change: Change,
    /// Why the API server refuses it.
    pub problems: Vec<Problem>,
    /// What the reader should know.
    pub notes: Vec<String>,
}

impl Told {
    /// A change that nothing more is known of.
    pub fn of(change: Change) -> Self {
        Self { change, problems: Vec::new(), notes: Vec::new() }
    }
}

/// Asks about a change of a desired object, where that can be asked now.
pub async fn told(
    cluster: &Cluster,
    mut change: Change,
    desired: &Desired,
    known: &Known<'_>,
) -> Result<Told, ClusterError> {
    let live = known.lives.get(desired.id());
    let mut sent = desired.clone();
    sent.manifest.body = plan::sent((change.method, change.reason), desired, live);
    if !matches!(change.method, Method::Apply | Method::ApplyOver) || change.deferred.is_some() {
        let changes = matches!(change.action, Action::Created | Action::Configured);
        if let Some(live) = live.filter(|_| changes) {
            change.fields = drift(live, &sent.manifest.body);
        }
        mask(&mut change, desired);
        return Ok(Told::of(change));
    }
    match apply::dry_run(&cluster.own(), &sent).await {
        Ok(answer) => {
            let after = settled(cluster, desired, &answer, known).await?;
            Ok(answered(change, desired, &answer, live.map(|live| (live, &after)), known))
        }
        Err(ClusterError::Refused(refusal)) => refused(cluster, change, &sent, *refusal, known).await,
        Err(error @ ClusterError::NoSuchKind { .. }) => {
            let problem = Problem::new(error.reason(), error.to_string()).at(&desired.manifest.origin).of(desired.id());
            let problems = vec![Problem { hint: error.hint(), ..problem }];
            Ok(Told { change, problems, notes: Vec::new() })
        }
        Err(error) => Err(error),
    }
}

/// The object as it will be. Where fields of other deployers go with their entries, the API server
/// is asked once more: it puts its defaults in their place.
async fn settled(
    cluster: &Cluster,
    desired: &Desired,
    answer: &cluster::Answer,
    known: &Known<'_>,
) -> Result<Value, ClusterError> {
    let after = after_adoption(&answer.object, &desired.yields, &known.subject.managers);
    if diff(&answer.object, &after).is_empty() {
        return Ok(after);
    }
    let session = cluster.own();
    let id = desired.id();
    let kind = cluster.kinds().resolve(&session, &desired.manifest.api_version, &id.kind).await?;
    match person::dry_replace(&session, &kind, (&id.namespace, &id.name), &after).await {
        // Whoever may not update still learns what goes, defaults included.
        Err(ClusterError::Refused(_)) => Ok(after),
        asked => asked,
    }
}

fn answered(
    change: Change,
    desired: &Desired,
    answer: &cluster::Answer,
    objects: Option<(&Value, &Value)>,
    known: &Known<'_>,
) -> Told {
    let managers = &known.subject.managers;
    let answered = if answer.created() { Answered::Created } else { Answered::Existing };
    let before = known.observed.get(desired.id()).unwrap_or(&Live::Unknown);
    let mut change = match see(&answer.object, &known.key, &desired.yields, managers) {
        Some(seen) => refine(&change, &Answer { answered, seen }, before),
        None => change,
    };
    if let Some((live, after)) = objects {
        change.fields = diff(&without_marks(live), &without_marks(after));
        mask(&mut change, desired);
        // Nobody owns the objects of a mere folder, so taking them over is no change.
        if known.subject.marks == Marks::Unowned && change.action == Action::Configured {
            change.reason = Reason::Changed;
            if change.fields.is_empty() {
                change.action = Action::Unchanged;
                change.reason = Reason::UpToDate;
                change.method = Method::Nothing;
            }
        }
    }
    let place = &desired.manifest.origin;
    let notes =
        answer.warnings.iter().map(|warning| format!("{}:{}: {}: {warning}", place.file, place.line, desired.id()));
    Told { change, problems: Vec::new(), notes: notes.collect() }
}

/// Masks what was encrypted in the repository.
fn mask(change: &mut Change, desired: &Desired) {
    mask_fields(&mut change.fields, &desired.manifest);
}

/// A refusal is a problem of the object, but for two: a webhook that takes no dry-run leaves it
/// unchecked, and a field that cannot be changed is recreated where the manifest says so.
async fn refused(
    cluster: &Cluster,
    mut change: Change,
    sent: &Desired,
    refusal: Refusal,
    known: &Known<'_>,
) -> Result<Told, ClusterError> {
    let live = known.lives.get(sent.id());
    if let Some(live) = live {
        change.fields = drift(live, &sent.manifest.body);
        mask(&mut change, sent);
    }
    if matches!(refusal.why, RefusalReason::DryRunUnsupported(_) | RefusalReason::WebhookUnreachable(_)) {
        let note = format!("{} is unchecked: {}", sent.id(), refusal.message);
        return Ok(Told { change, problems: Vec::new(), notes: vec![note] });
    }
    let problem = Problem::new(refusal.reason(), refusal.message.clone()).at(&sent.manifest.origin).of(sent.id());
    let mut problem = Problem { hint: refusal.hint(), ..problem };
    let immutable = refusal.why == RefusalReason::Invalid
        && live.is_some()
        && apply::probe_create(&cluster.own(), sent).await.is_ok();
    if immutable {
        if let (true, Some(Live::Present(seen))) = (sent.is(Steer::Force), known.observed.get(sent.id()))
            && let Some(change) = recreate(&change, sent, seen)
        {
            return Ok(Told::of(change));
        }
        problem = problem.hint(format!(
            "the field cannot be changed; with the annotation {}: enabled the object is deleted and created again",
            annotation::FORCE
        ));
    }
    change.action = Action::Skipped;
    change.reason = Reason::Refused;
    change.method = Method::Nothing;
    Ok(Told { change, problems: vec![problem], notes: Vec::new() })
}

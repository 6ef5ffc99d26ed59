//! Deletes what left Git, in reverse order, with preconditions.

use std::time::Instant as Clock;

use futures::FutureExt;

use crate::cluster::delete::{Deletion, Preconditions, Propagation, delete};
use crate::cluster::{ClusterError, KindInfo, RefusalReason, Session, WritePermit};
use crate::object::ObjectId;
use crate::plan::{Action, Admitted, AdmittedChange, Course};
use crate::report::facts::{Progress, Stage};
use crate::report::outcome::Outcome;

use super::Unit;
use super::pass::{Stop, Target, millis};
use super::together::together;

impl Unit {
    /// Deletes, step by step. A step whose objects wait for finalizers ends the pass: the watch
    /// that shows them gone makes the next one due, and nothing else is held up meanwhile.
    pub(super) async fn prune(
        &mut self,
        target: &Target,
        admitted: &Admitted,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        let clock = Clock::now();
        for step in admitted.steps().into_iter().filter(|step| step.course == Course::Delete) {
            let permit = self.world.permit().ok_or(Stop::NoPermit)?;
            let session = &target.session;
            let mut deletions = Vec::new();
            for change in &step.changes {
                let deletion = one(&permit, session, change);
                deletions.push(async move { (change, deletion.await) }.boxed());
            }
            let ends = together(deletions).await;
            let mut begun: Vec<&ObjectId> = Vec::new();
            let mut failed = None;
            for (change, end) in ends {
                let id = &change.change.id;
                match end {
                    Ok(deletion) => {
                        outcome.record(id, Action::Deleted);
                        self.count_deletion(admitted);
                        if deletion == Deletion::Begun {
                            begun.push(id);
                        } else {
                            self.forget(id);
                        }
                    }
                    // It was changed since it was read: the watch shows how, and the next pass decides.
                    Err(error) if error.refusal().is_some_and(|r| r.why == RefusalReason::Stale) => {
                        self.lost.insert(id.clone());
                        begun.push(id);
                    }
                    Err(error) => failed = Some(Stop::failed(Stage::Prune, &error)),
                }
            }
            if let Some(stop) = failed {
                outcome.time(Stage::Prune, millis(clock));
                return Err(stop);
            }
            if let Some(first) = begun.first() {
                outcome.time(Stage::Prune, millis(clock));
                let message = format!("{first} is being deleted; {} in all", begun.len());
                return Err(Stop::Waiting(Progress { stage: Stage::Prune, message }));
            }
        }
        outcome.time(Stage::Prune, millis(clock));
        Ok(())
    }
}

pub(super) async fn one(
    permit: &WritePermit,
    session: &Session,
    change: &AdmittedChange<'_>,
) -> Result<Deletion, ClusterError> {
    let line = change.change;
    let id = &line.id;
    let Some(precondition) = &line.precondition else { return Ok(Deletion::Absent) };
    let only =
        Preconditions { uid: precondition.uid.clone(), resource_version: Some(precondition.resource_version.clone()) };
    let (place, only) = ((id.namespace.as_str(), id.name.as_str()), &only);
    let send = |kind: KindInfo| {
        async move { delete(permit, session, &kind, place, only, Propagation::Background).await }.boxed()
    };
    match session.cluster().kinds().with_any(session, &line.api_version, &id.kind, send).await {
        // A kind that is gone took its objects along.
        Err(ClusterError::NoSuchKind { .. }) => Ok(Deletion::Absent),
        end => end,
    }
}

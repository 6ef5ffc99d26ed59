//! A Sync is being deleted: what it owns is let go or pruned, then its finalizer goes.

use futures::FutureExt;
use tokio::time::Instant;

use crate::api::{DeletionPolicy, FINALIZER, LABEL_SYNC_NAME, LABEL_SYNC_NAMESPACE, Sync};
use crate::cluster::delete::{Deletion, Preconditions, Propagation, delete};
use crate::cluster::own::set_finalizers;
use crate::cluster::{ClusterError, KindInfo, Session, WritePermit, apply, release};
use crate::failure::{Failed, Fault};
use crate::object::{ObjectId, Problem, annotation};
use crate::report::facts::{Hold, Verdict};
use crate::report::message;
use crate::report::reason::Reason;

use super::Unit;
use super::end::NEWEST;
use super::judge::TOLD;
use super::together::together;

impl Unit {
    /// One step of the farewell. It never hangs on rights that are gone: in a terminating
    /// namespace the account and its bindings may have been deleted already, and then what it
    /// owned elsewhere stays, as Orphan would leave it, and is reported.
    pub(super) async fn finish(&mut self) {
        let finalizers = self.sync.metadata.finalizers.clone().unwrap_or_default();
        if !finalizers.iter().any(|f| f == FINALIZER) {
            self.gone = true;
            return;
        }
        let Some(permit) = self.world.permit() else { return self.again_with_permit() };
        let left = match self.sync.spec.service_account_name.as_deref().filter(|a| !a.is_empty()) {
            Some(account) if !self.sync.spec.suspend && self.sync.spec.mode == crate::api::Mode::Enforce => {
                match self.world.session(&self.key, account, "deleted") {
                    Ok(session) => self.let_go(&permit, &session).await,
                    Err(_) => Ok(Left::Waiting(Vec::new())),
                }
            }
            _ => Ok(Left::Waiting(Vec::new())),
        };
        match left {
            Ok(Left::Waiting(waiting)) if waiting.is_empty() => self.remove_finalizer(&finalizers).await,
            Ok(Left::Denied(problems)) => {
                let text = message::first_problems(&problems, TOLD);
                let message = format!(
                    "what it owns is kept, and nothing of it is deleted: {text}; to let go of it all without deleting anything, set spec.deletionPolicy to Orphan"
                );
                self.log_hold(NEWEST, &Hold { problems, ..Hold::new(Reason::StandardViolated, message.clone()) });
                self.facts.verdict = Verdict::Finalizing { message };
                // A Standard that says something else, or an object that goes, makes the next step due at once.
                self.again_after(Fault::Cluster);
            }
            Ok(Left::Waiting(waiting)) => {
                let first: Vec<_> = waiting.iter().take(3).map(ObjectId::to_string).collect();
                let message = format!("waits for {} objects to go: {}", waiting.len(), first.join(", "));
                self.facts.verdict = Verdict::Finalizing { message };
                self.retry_at = Some(Instant::now() + std::time::Duration::from_secs(1));
            }
            Err(failed) => {
                tracing::warn!(sync = %self.key, reason = %failed.reason, error = %failed, "finalizing");
                self.facts.verdict = Verdict::Finalizing { message: failed.message.clone() };
                self.again_after(failed.fault);
            }
        }
    }

    /// Lets go of everything, or deletes it. What could not be done for want of rights is left;
    /// what is still being deleted is returned. Nothing is deleted where a Standard denies any of it.
    async fn let_go(&mut self, permit: &WritePermit, session: &Session) -> Result<Left, Failed> {
        let pruned = self.sync.spec.deletion_policy == DeletionPolicy::Prune;
        let mut objects: Vec<(ObjectId, String, bool)> = self
            .ledger
            .owned()
            .iter()
            .map(|(id, entry)| {
                let keep = entry.flags.contains(&crate::inventory::Flag::PruneDisabled)
                    || crate::plan::is_the_agents(id, &self.world.namespace);
                (id.clone(), entry.version.clone(), pruned && !keep)
            })
            .collect();
        let pruned = objects.iter().filter(|(_, _, prune)| *prune);
        let pruned: Vec<(ObjectId, String)> =
            pruned.map(|(id, version, _)| (id.clone(), api_version(id, version))).collect();
        let denied = self.against_farewell(session, &pruned).await?;
        if !denied.is_empty() {
            return Ok(Left::Denied(denied));
        }
        // In reverse, as a prune would: what others need goes last.
        objects.sort_by_key(|(id, ..)| std::cmp::Reverse((crate::plan::phase_of_kind(id), id.clone())));
        let me = self.owner().to_string();
        let mut farewells = Vec::new();
        for (id, version, prune) in objects {
            let me = &me;
            let farewell = async move {
                let end = one(permit, session, &id, &version, prune, me).await;
                (id, end)
            };
            farewells.push(farewell.boxed());
        }
        let ends = together(farewells).await;
        let mut waiting = Vec::new();
        for (id, end) in ends {
            match end {
                Ok(Deletion::Gone | Deletion::Absent) => self.ledger.forget(&id),
                Ok(Deletion::Begun) => waiting.push(id),
                Err(error) if is_denied(&error) => {
                    tracing::warn!(sync = %self.key, object = %id, error = %error, "left as it is: the account may not");
                    self.ledger.forget(&id);
                }
                Err(error) => return Err(Failed::from(&error)),
            }
        }
        Ok(Left::Waiting(waiting))
    }

    async fn remove_finalizer(&mut self, finalizers: &[String]) {
        let rest: Vec<String> = finalizers.iter().filter(|f| *f != FINALIZER).cloned().collect();
        let version = self.sync.metadata.resource_version.clone().unwrap_or_default();
        let place = (self.key.namespace.as_str(), self.key.name.as_str());
        let done = set_finalizers(&self.world.cluster.own(), &KindInfo::of::<Sync>(), place, &version, &rest).await;
        match done {
            Ok(_) => self.gone = true,
            Err(error) if error.refusal().is_some_and(|r| r.code == 404) => self.gone = true,
            Err(error) => {
                // The newer version comes by the watch.
                tracing::debug!(sync = %self.key, error = %error, "the finalizer");
                self.again_after(Fault::Transient);
            }
        }
        if self.gone {
            self.world.observer.forget(self.ledger.owned().keys(), &self.mailbox);
            self.world.claims.leave(&self.key);
        }
    }

    /// The finalizer is there before anything is owned.
    pub(super) async fn ensure_finalizer(&mut self) -> Result<(), ClusterError> {
        let mut finalizers = self.sync.metadata.finalizers.clone().unwrap_or_default();
        if finalizers.iter().any(|f| f == FINALIZER) {
            return Ok(());
        }
        finalizers.push(FINALIZER.to_owned());
        let version = self.sync.metadata.resource_version.clone().unwrap_or_default();
        let place = (self.key.namespace.as_str(), self.key.name.as_str());
        set_finalizers(&self.world.cluster.own(), &KindInfo::of::<Sync>(), place, &version, &finalizers).await?;
        self.sync.metadata.finalizers = Some(finalizers);
        Ok(())
    }
}

/// What a step of the farewell left.
enum Left {
    /// Objects that are still being deleted.
    Waiting(Vec<ObjectId>),
    /// Everything: Standards deny something of it.
    Denied(Vec<Problem>),
}

fn api_version(id: &ObjectId, version: &str) -> String {
    if id.group.is_empty() { version.to_owned() } else { format!("{}/{version}", id.group) }
}

async fn one(
    permit: &WritePermit,
    session: &Session,
    id: &ObjectId,
    version: &str,
    prune: bool,
    me: &str,
) -> Result<Deletion, ClusterError> {
    let kind = match session.cluster().kinds().resolve(session, &api_version(id, version), &id.kind).await {
        Ok(kind) => kind,
        Err(ClusterError::NoSuchKind { .. }) => return Ok(Deletion::Absent),
        Err(error) => return Err(error),
    };
    let Some(live) = apply::get(session, &kind, &id.namespace, &id.name).await? else { return Ok(Deletion::Absent) };
    let text = |path: &str| live.pointer(path).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let owner = live
        .pointer("/metadata/annotations")
        .and_then(|a| a.get(annotation::OWNER))
        .and_then(serde_json::Value::as_str);
    if owner.is_some_and(|owner| owner != me) {
        return Ok(Deletion::Absent);
    }
    if prune {
        let only = Preconditions { uid: text("/metadata/uid"), resource_version: None };
        return delete(permit, session, &kind, (&id.namespace, &id.name), &only, Propagation::Background).await;
    }
    let marks = [LABEL_SYNC_NAME, LABEL_SYNC_NAMESPACE];
    let place = (id.namespace.as_str(), id.name.as_str());
    release(permit, session, &kind, place, &text("/metadata/uid"), &marks, &[annotation::OWNER]).await?;
    Ok(Deletion::Gone)
}

/// Rights that are gone, as in a namespace that is being deleted.
fn is_denied(error: &ClusterError) -> bool {
    error.refusal().is_some_and(|r| r.code == 403)
}

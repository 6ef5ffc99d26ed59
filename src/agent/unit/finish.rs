//! A Sync is being deleted: what it owns is let go or pruned, then its finalizer goes.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use futures::{FutureExt, StreamExt};
use tokio::time::Instant;

use crate::api::{DeletionPolicy, FINALIZER, LABEL_SYNC_NAME, LABEL_SYNC_NAMESPACE, Sync};
use crate::cluster::delete::{Deletion, Preconditions, Propagation, delete};
use crate::cluster::observe::{self, Event, Selector};
use crate::cluster::own::set_finalizers;
use crate::cluster::{ClusterError, KindInfo, RefusalReason, Session, WritePermit, apply, release};
use crate::failure::{Failed, Fault};
use crate::object::{ObjectId, Problem, annotation};
use crate::plan::{Phase, phase_of_kind};
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

    /// Lets go of everything, or deletes it, in reverse: what others need goes last, and not before these are gone. What could
    /// not be done for want of rights is left; what is still being deleted is returned. Nothing is deleted where a Standard
    /// denies any of it.
    async fn let_go(&mut self, permit: &WritePermit, session: &Session) -> Result<Left, Failed> {
        let pruned = self.sync.spec.deletion_policy == DeletionPolicy::Prune;
        let mut turns: BTreeMap<Reverse<Turn>, Vec<Parting>> = BTreeMap::new();
        for (id, entry) in self.ledger.owned().iter() {
            let keep = entry.flags.contains(&crate::inventory::Flag::PruneDisabled)
                || crate::plan::is_the_agents(id, &self.world.namespace);
            let parting =
                Parting { id: id.clone(), api_version: api_version(id, &entry.version), prune: pruned && !keep };
            turns.entry(Reverse(turn(id))).or_default().push(parting);
        }
        if turns.is_empty() {
            return Ok(Left::Waiting(Vec::new()));
        }
        let dissolving = self.dissolving().await;
        let pruned = turns.values().flatten().filter(|parting| parting.prune);
        let pruned: Vec<(ObjectId, String)> = pruned.map(|p| (p.id.clone(), p.api_version.clone())).collect();
        let denied = self.against_farewell(session, &pruned, dissolving).await?;
        if !denied.is_empty() {
            return Ok(Left::Denied(denied));
        }
        for turn in turns.into_values() {
            let waiting = self.part(permit, session, turn, dissolving).await?;
            if !waiting.is_empty() {
                return Ok(Left::Waiting(waiting));
            }
        }
        Ok(Left::Waiting(Vec::new()))
    }

    /// One turn of it; what is still there. All of it is read before any of it goes: rights may be among it.
    async fn part(
        &mut self,
        permit: &WritePermit,
        session: &Session,
        turn: Vec<Parting>,
        dissolving: Dissolving,
    ) -> Result<Vec<ObjectId>, Failed> {
        let me = self.owner().to_string();
        let me = me.as_str();
        let mut ends = Vec::new();
        let mut partings = Vec::new();
        let looks = turn.into_iter().map(|parting| async move { (look(session, &parting, me).await, parting) }.boxed());
        for (found, parting) in together(looks.collect()).await {
            match found {
                Ok(Some(there)) => {
                    partings.push(async move { (one(permit, session, &parting, &there).await, parting.id) }.boxed())
                }
                Ok(None) => ends.push((Ok(Deletion::Absent), parting.id)),
                Err(error) => ends.push((Err(error), parting.id)),
            }
        }
        ends.extend(together(partings).await);
        let mut waiting = Vec::new();
        let mut failed = None;
        for (end, id) in ends {
            match end {
                Ok(Deletion::Gone | Deletion::Absent) => self.ledger.forget(&id),
                Ok(Deletion::Begun) => waiting.push(id),
                // It was changed since it was read: it is looked at again.
                Err(error) if error.refusal().is_some_and(|r| r.why == RefusalReason::Stale) => waiting.push(id),
                Err(error) if is_denied(&error) => {
                    tracing::warn!(sync = %self.key, object = %id, error = %error, "left as it is: the account may not");
                    self.ledger.forget(&id);
                }
                Err(error) if dissolving == Dissolving::Yes && is_shut(session, &id, &error).await => {
                    tracing::warn!(sync = %self.key, object = %id, error = %error, "left as it is: its namespace is being deleted, and nobody answers for it");
                    self.ledger.forget(&id);
                }
                Err(error) => failed = Some(Failed::from(&error)),
            }
        }
        failed.map_or(Ok(waiting), Err)
    }

    /// Whether the Sync's own namespace is being deleted.
    async fn dissolving(&self) -> Dissolving {
        let own = self.world.cluster.own();
        let kind = KindInfo::known("", "v1", "Namespace", "namespaces");
        let mut events = Box::pin(observe::watch(&own, &kind, "", &Selector::name(&self.key.namespace)));
        while let Some(event) = events.next().await {
            match event {
                Event::ListBegan => {}
                Event::Listed(found) if found.pointer("/metadata/deletionTimestamp").is_some() => {
                    return Dissolving::Yes;
                }
                _ => break,
            }
        }
        Dissolving::No
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

/// An object of which it is time to part.
struct Parting {
    id: ObjectId,
    api_version: String,
    /// Whether it is deleted, and not only let go.
    prune: bool,
}

/// Whether the Sync's own namespace is being deleted: then nothing may keep its finalizer for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dissolving {
    No,
    Yes,
}

/// The highest goes first. What gives rights goes last of all: what else is there goes by them.
type Turn = (bool, Phase);

fn turn(id: &ObjectId) -> Turn {
    (id.group != "rbac.authorization.k8s.io", phase_of_kind(id))
}

/// An object that is this Sync's, as it stands.
struct There {
    kind: KindInfo,
    uid: String,
    resource_version: String,
}

async fn look(session: &Session, parting: &Parting, me: &str) -> Result<Option<There>, ClusterError> {
    let id = &parting.id;
    let get = |kind: KindInfo| {
        let found =
            async move { Ok(apply::get(session, &kind, &id.namespace, &id.name).await?.map(|live| (kind, live))) };
        found.boxed()
    };
    let (kind, live) = match session.cluster().kinds().with_any(session, &parting.api_version, &id.kind, get).await {
        Ok(Some(found)) => found,
        // A kind that is gone took its objects along.
        Ok(None) | Err(ClusterError::NoSuchKind { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let text = |path: &str| live.pointer(path).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let owner = live
        .pointer("/metadata/annotations")
        .and_then(|a| a.get(annotation::OWNER))
        .and_then(serde_json::Value::as_str);
    if owner.is_some_and(|owner| owner != me) {
        return Ok(None);
    }
    Ok(Some(There { kind, uid: text("/metadata/uid"), resource_version: text("/metadata/resourceVersion") }))
}

async fn one(
    permit: &WritePermit,
    session: &Session,
    Parting { id, prune, .. }: &Parting,
    there: &There,
) -> Result<Deletion, ClusterError> {
    let place = (id.namespace.as_str(), id.name.as_str());
    if *prune {
        let only = Preconditions { uid: there.uid.clone(), resource_version: Some(there.resource_version.clone()) };
        return delete(permit, session, &there.kind, place, &only, Propagation::Background).await;
    }
    let marks = [LABEL_SYNC_NAME, LABEL_SYNC_NAMESPACE];
    release(permit, session, &there.kind, place, &there.uid, &marks, &[annotation::OWNER]).await?;
    Ok(Deletion::Gone)
}

/// Rights that are gone, as in a namespace that is being deleted.
fn is_denied(error: &ClusterError) -> bool {
    error.refusal().is_some_and(|r| r.code == 403)
}

/// Whether whoever must answer for an object is not there: a webhook, or the server of an aggregated API. Both may have
/// lived in the namespace.
pub(super) async fn is_shut(session: &Session, id: &ObjectId, error: &ClusterError) -> bool {
    match error {
        ClusterError::GroupUnavailable { .. } => true,
        ClusterError::Refused(refusal) => match &refusal.why {
            RefusalReason::WebhookUnreachable(_) => true,
            // Of an API server that is only busy it says nothing.
            RefusalReason::Unavailable => {
                let snapshot = session.cluster().kinds().refresh(&session.cluster().own()).await;
                snapshot.is_ok_and(|snapshot| snapshot.stale.contains(&id.group))
            }
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_need_goes_after_them_and_rights_go_last() {
        let id = |group: &str, kind: &str| ObjectId::new("shop", "x", group, kind);
        let mut objects = [
            id("", "Namespace"),
            id("rbac.authorization.k8s.io", "RoleBinding"),
            id("", "ConfigMap"),
            id("apps", "Deployment"),
            id("example.com", "Widget"),
            id("apiextensions.k8s.io", "CustomResourceDefinition"),
            id("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ];
        objects.sort_by_key(|id| Reverse(turn(id)));
        let kinds: Vec<_> = objects.iter().map(|id| id.kind.as_str()).collect();
        let expected = [
            "ValidatingWebhookConfiguration",
            "Widget",
            "Deployment",
            "ConfigMap",
            "CustomResourceDefinition",
            "Namespace",
            "RoleBinding",
        ];
        assert_eq!(kinds, expected);
    }
}

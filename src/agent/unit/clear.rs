//! Webhooks that cannot be asked, and whose configurations leave with the same commit: they go
//! before what they guard, or neither would ever move.

use std::collections::BTreeSet;

use futures::FutureExt;

use crate::cluster::delete::Deletion;
use crate::cluster::{ClusterError, RefusalReason};
use crate::plan::{self, Action, Admitted, Plan};
use crate::report::facts::{Progress, Stage};
use crate::report::outcome::Outcome;

use super::Unit;
use super::pass::{Stop, Target};
use super::prune;
use super::stages::read;
use super::together::together;

/// The webhook that could not be asked, where that is why a call was refused.
pub(super) fn unreachable(error: &ClusterError) -> Option<String> {
    match &error.refusal()?.why {
        RefusalReason::WebhookUnreachable(webhook) => Some(webhook.clone()),
        _ => None,
    }
}

impl Unit {
    /// Moves the deletion of configurations whose webhooks could not be asked to the front of the
    /// plan. Returns the names of those webhooks: what they refused is asked about once they are
    /// gone.
    pub(super) async fn find_in_the_way(&self, target: &Target, plan: &mut Plan) -> Result<BTreeSet<String>, Stop> {
        let mut gone = BTreeSet::new();
        if self.unreachable.is_empty() {
            return Ok(gone);
        }
        let leaving = plan::webhooks_that_leave(plan);
        let leaving: Vec<_> =
            leaving.into_iter().map(|change| (change.id.clone(), change.api_version.clone())).collect();
        for (id, api_version) in leaving {
            let live = read(&target.session, &id, &api_version).await;
            let Some(live) = live.map_err(|error| Stop::failed(Stage::Validate, &error))? else { continue };
            let named: Vec<_> = self.unreachable.iter().filter(|name| plan::has_webhook(&live, name)).collect();
            if !named.is_empty() {
                gone.extend(named.into_iter().cloned());
                plan::clear_first(plan, &id);
            }
        }
        Ok(gone)
    }

    /// Deletes what is in the way. The pass ends with it: what it guarded is dry-run before anything
    /// is applied, as ever.
    pub(super) async fn clear_the_way(
        &mut self,
        target: &Target,
        admitted: &Admitted,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        let clearing = admitted.clearing();
        if clearing.is_empty() {
            return Ok(());
        }
        let permit = self.world.permit().ok_or(Stop::NoPermit)?;
        let mut deletions = Vec::new();
        for change in &clearing {
            let deletion = prune::one(&permit, &target.session, change);
            deletions.push(async move { (change, deletion.await) }.boxed());
        }
        for (change, end) in together(deletions).await {
            let id = &change.change.id;
            let end = end.map_err(|error| Stop::failed(Stage::Prune, &error))?;
            tracing::info!(sync = %self.key, object = %id, "deleted first: its webhook cannot be asked");
            outcome.record(id, Action::Deleted);
            self.count_deletion(admitted);
            self.record_unpaid().await;
            if end == Deletion::Begun {
                let message = format!("{id} is being deleted: its webhook cannot be asked");
                return Err(Stop::Waiting(Progress { stage: Stage::Prune, message }));
            }
            self.forget(id);
        }
        self.unreachable.clear();
        Err(Stop::Again)
    }
}

//! From one open pull request to what its merge would change: the merge, the Syncs that it touches, the plan of each.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::agent::tip::{Found as Tipped, Key, Tip};
use crate::agent::unit::owned_of;
use crate::agent::worker::{Proposed, Trial};
use crate::api::Sync;
use crate::cluster::own::list_inventories;
use crate::cluster::{Actor, KindInfo, Purpose, person};
use crate::failure::{Failed, Fault};
use crate::forge::{Labelled, Open};
use crate::render::ReadSet;
use crate::report::proposed::{Earlier, Found};

use super::Round;
use super::subject::{Asking, Merge, Subject};
use super::{Teller, guard};

/// The event of a label, where it lets this head of a fork be planned. It counts for the head that our comment spoke of
/// when it was given: whoever gave it could see that, and a head that came later has another comment. Both times are the
/// forge's own.
pub fn counts(head: &str, before: Option<&(Earlier, Option<Timestamp>)>, labelled: &Labelled) -> Option<u64> {
    let (earlier, at) = before?;
    let seen = earlier.head == head && labelled.may_write;
    let same = earlier.labelled == Some(labelled.event);
    let since = at.is_some_and(|at| at < labelled.at);
    (seen && (same || since)).then_some(labelled.event)
}

impl Teller {
    /// What merging it would change. `whole` says whether the cluster may be asked for it.
    pub(super) async fn plan(
        &self,
        tip: &Tip,
        base: &Tipped,
        open: &Open,
        round: &mut Round,
        whole: bool,
    ) -> Result<Found, Failed> {
        let all = round.heads.clone();
        let proposed = Proposed { reference: open.reference.clone(), head: open.head.clone(), all };
        let trial = {
            let _turn = self.world.turn(&self.key.namespace).await;
            self.world.workers.propose(&base.source, &base.listed, &proposed).await?
        };
        let paths = match trial {
            Trial::Merges(paths) => paths,
            Trial::Conflicts => return Ok(Found::Conflicts),
            // A forge may tell of a head before it hands it out.
            Trial::Moved => {
                let message = format!("the remote does not hand out {} as {} yet", open.head, open.reference);
                return Err(Failed::new("ForgeUnavailable", Fault::Transient, message));
            }
            Trial::Unknown(why) => return Ok(Found::Unknown(why)),
        };
        // Only now: a remote that hangs keeps nobody else's plans waiting.
        let _alone = self.world.plans.acquire().await;
        let touched = self.touched(tip, &paths, round).await?;
        if touched.is_empty() {
            return Ok(Found::Planned(Vec::new()));
        }
        let asking = if whole { self.asking(&open.head, round).await? } else { Asking::Apart };
        let merge = Merge { url: base.source.url.clone(), base: base.commit().to_owned(), head: open.head.clone() };
        let mut subjects = Vec::new();
        for sync in touched {
            subjects.push(self.subject(sync, &asking, round).await?);
        }
        let plans = super::ask::plans(&self.world, subjects, &merge, &asking).await?;
        Ok(Found::Planned(plans.into_iter().filter(|plan| plan.says_something()).collect()))
    }

    /// The Syncs that read something of what changes. One whose read set is not known may read anything.
    async fn touched(&self, tip: &Tip, paths: &BTreeSet<String>, round: &mut Round) -> Result<Vec<Sync>, Failed> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let users = match &round.syncs {
            Some(known) => known,
            None => round.syncs.insert(self.users(tip).await?),
        };
        let sets = self.world.registry.read_sets(&self.key);
        let reads = |sync: &&Sync| match sets.iter().find(|(known, _)| *known == Key::of(*sync)) {
            Some((_, set)) => paths.iter().any(|path| ReadSet::reads(set, path)),
            None => true,
        };
        Ok(users.iter().filter(reads).cloned().collect())
    }

    /// The Syncs that use the Repository and may.
    async fn users(&self, tip: &Tip) -> Result<Vec<Sync>, Failed> {
        let everywhere = tip.allowed_namespaces.iter().any(|allowed| allowed == "*");
        let mut namespaces: BTreeSet<&str> = tip.allowed_namespaces.iter().map(String::as_str).collect();
        namespaces.insert(&self.key.namespace);
        if everywhere {
            namespaces = BTreeSet::from([""]);
        }
        let (own, kind) = (self.world.cluster.own(), KindInfo::of::<Sync>());
        let mut users = Vec::new();
        for namespace in namespaces {
            let found = person::list(&own, &kind, namespace, "").await.map_err(|error| Failed::from(&error))?;
            // What cannot be read as a Sync is none of ours: its own task tells that.
            for sync in found.into_iter().filter_map(|object| serde_json::from_value::<Sync>(object).ok()) {
                let key = Key::of(&sync);
                let reference = &sync.spec.repository_ref;
                let of = Key::new(reference.namespace.as_ref().unwrap_or(&key.namespace), &reference.name);
                if sync.metadata.deletion_timestamp.is_none() && of == self.key && tip.allows(&key) {
                    users.push(sync);
                }
            }
        }
        users.sort_by_key(Key::of);
        Ok(users)
    }

    /// As whom the cluster is asked, where that is safe.
    async fn asking(&self, head: &str, round: &mut Round) -> Result<Asking, Failed> {
        let actor = Actor::account(&self.key.namespace, &self.settings.service_account_name);
        let purpose = Purpose { sync: None, commit: Some(head.to_owned()) };
        let session = self.world.cluster.session(actor, &purpose).map_err(|error| Failed::from(&error))?;
        let account = match &round.account {
            Some(known) => known,
            None => round.account.insert(match guard::stands(&self.world.cluster.own()).await? {
                Ok(()) => guard::may_act(&session, &self.key.namespace).await?,
                Err(why) => Err(why),
            }),
        };
        Ok(match account {
            Ok(()) => Asking::As(session),
            Err(why) => Asking::Nobody(why.clone()),
        })
    }

    async fn subject(&self, sync: Sync, asking: &Asking, round: &mut Round) -> Result<Subject, Failed> {
        let key = Key::of(&sync);
        let owned = match asking {
            Asking::Apart => Default::default(),
            Asking::As(_) | Asking::Nobody(_) => {
                if !round.inventories.contains_key(&key.namespace) {
                    let found = list_inventories(&self.world.cluster.own(), &key.namespace).await;
                    round.inventories.insert(key.namespace.clone(), found.map_err(|error| Failed::from(&error))?);
                }
                let uid = sync.metadata.uid.clone().unwrap_or_default();
                owned_of(&uid, &key.name, round.inventories.get(&key.namespace).into_iter().flatten())?
            }
        };
        Subject::new(&self.world, key, sync.spec, owned, asking).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_counts_for_the_one_head_that_was_told_before_it_was_given() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        let labelled = |event, second, may_write| Labelled { event, at: at(second), may_write };
        let told =
            |head: &str, second, event| Some((Earlier { head: head.to_owned(), labelled: event }, Some(at(second))));
        for (head, before, label, expected, why) in [
            (&one, None, labelled(7, 20, true), None, "nobody was told of any head"),
            (&one, told(&one, 10, None), labelled(7, 20, true), Some(7), "it was told, and then the label was given"),
            (&one, told(&one, 10, None), labelled(7, 20, false), None, "by somebody who may not write"),
            (&one, told(&one, 20, None), labelled(7, 20, true), None, "in the same second: who knows which was first"),
            (&one, told(&one, 30, None), labelled(7, 20, true), None, "the label was there before"),
            (&two, told(&one, 10, None), labelled(7, 20, true), None, "another head came after the label"),
            (&one, told(&one, 30, Some(7)), labelled(7, 20, true), Some(7), "it counted before"),
            (&two, told(&one, 30, Some(7)), labelled(7, 20, true), None, "for the head before this one"),
            (&one, told(&one, 30, Some(7)), labelled(8, 20, true), None, "an older word of the forge"),
            (&one, told(&one, 30, Some(7)), labelled(8, 40, true), Some(8), "it was given once more"),
        ] {
            assert_eq!(counts(head, before.as_ref(), &label), expected, "{why}");
        }
    }
}

//! For whom a plan is made: a Sync of the cluster, or nobody yet.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use serde_json::Value;

use crate::api::{self, Inventory, Sync};
use crate::cli::connection;
use crate::cli::stop::Stop;
use crate::cluster::{Cluster, ClusterError, KindInfo, RefusalReason, apply, own, person};
use crate::failure::{Failed, Fault};
use crate::inventory::{self, Owned};
use crate::object::fields::{IgnoreRule, Managers};
use crate::object::{ObjectId, annotation};
use crate::plan::{Along, Budget, Claim, Claims, Owner, Pruning, Rules, SyncName, may_hold};

/// Objects that are asked for the name of their cluster.
const SAMPLES: usize = 20;

/// For whom a plan is made.
#[derive(Debug)]
pub struct Subject {
    /// Who owns what is applied.
    pub owner: Owner,
    /// What its spec says about objects.
    pub rules: Rules,
    /// What it owns.
    pub owned: Owned,
    /// What other Syncs own.
    pub others: BTreeMap<SyncName, Owned>,
    /// Those of them that read the same Repository.
    pub beside: BTreeSet<SyncName>,
    /// Whether what left Git is deleted.
    pub pruning: Pruning,
    /// How much may be deleted at once.
    pub budget: Budget,
    /// Whose fields are taken over.
    pub managers: Managers,
    /// Whether objects get an owner.
    pub marks: Marks,
    /// What the reader should know of how this was found.
    pub notes: Vec<String>,
}

/// Whether objects get the labels and the annotation of an owner. They are in no diff: nobody wrote
/// them into the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// Those of a Sync.
    Owned,
    /// None: nobody owns the objects of a mere folder.
    Unowned,
}

impl Subject {
    /// Nobody: a folder against a cluster.
    pub fn of_folder(namespace: &str) -> Self {
        Self {
            owner: Owner { cluster: "plan".into(), namespace: namespace.to_owned(), name: "folder".into() },
            rules: Rules::default(),
            owned: Owned::new(),
            others: BTreeMap::new(),
            beside: BTreeSet::new(),
            pruning: Pruning::Disabled,
            budget: Budget::default(),
            managers: Managers::default(),
            marks: Marks::Unowned,
            notes: Vec::new(),
        }
    }

    /// A Sync, with what it owns, and what others do.
    pub async fn of_sync(cluster: &Cluster, sync: &Sync) -> Result<Self, Stop> {
        let (namespace, name) = (sync.namespace().unwrap_or_default(), sync.name_any());
        let owner = SyncName { namespace: namespace.clone(), name: name.clone() };
        let mut notes = Vec::new();
        let mut all = BTreeMap::new();
        for chunk in chunks(cluster, &namespace, &mut notes).await? {
            inventory::readable(chunk.spec.format)?;
            let whose = SyncName { namespace: chunk.namespace().unwrap_or_default(), name: chunk.spec.sync.clone() };
            let entries: &mut Owned = all.entry(whose).or_default();
            for entry in &chunk.spec.entries {
                let (id, entry) = entry.read().map_err(|what| unreadable(&chunk, &what))?;
                entries.insert(id, entry);
            }
        }
        let owned = all.remove(&owner).unwrap_or_default();
        let spec = &sync.spec;
        Ok(Self {
            owner: Owner { cluster: cluster_name(cluster, &owned, &all).await, namespace, name },
            rules: Rules { target_namespace: spec.target_namespace.clone(), ignore: ignore_rules(&spec.ignore)? },
            owned,
            others: all,
            beside: beside(cluster, sync).await,
            pruning: spec.prune.into(),
            budget: spec.deletion_budget.clone().unwrap_or_default().into(),
            managers: Managers::default().and_deployers(&spec.adopt_managers),
            marks: Marks::Owned,
            notes,
        })
    }

    /// What other Syncs have. What they have they are taken to keep, save what `wanted` moves here
    /// from a Sync of the same Repository, which reads the same commit; that is noted.
    pub fn claims(&self, wanted: &BTreeSet<&ObjectId>) -> (Claims, Vec<String>) {
        let (mut claims, mut notes) = (Claims::default(), Vec::new());
        for (sync, owned) in &self.others {
            for id in owned.keys() {
                let moves = wanted.contains(id) && self.beside.contains(sync);
                let claim = if moves { Claim::Leaves } else { Claim::Owns };
                claims.insert(id.clone(), sync.clone(), claim);
                if moves {
                    notes.push(format!("{id} moves here only if the path of Sync {sync} no longer has it"));
                }
            }
        }
        (claims, notes)
    }

    /// How many objects of all Syncs the deletion of each of these takes along.
    pub fn along<'a>(&self, deleted: impl Iterator<Item = &'a ObjectId>) -> Along {
        let all = || self.others.values().chain([&self.owned]).flat_map(Owned::keys);
        let count = |id: &ObjectId| all().filter(|other| may_hold(id, other)).count();
        deleted.map(|id| (id.clone(), u32::try_from(count(id)).unwrap_or(u32::MAX))).collect()
    }
}

/// The inventories of all Syncs; where those of other namespaces may not be read, of this one.
async fn chunks(cluster: &Cluster, namespace: &str, notes: &mut Vec<String>) -> Result<Vec<Inventory>, Stop> {
    match own::list_inventories(&cluster.own(), "").await {
        Err(ClusterError::Refused(refusal)) if refusal.why == RefusalReason::Forbidden => {
            notes
                .push("what Syncs of other namespaces own is not known: you may not list inventories there".to_owned());
            Ok(own::list_inventories(&cluster.own(), namespace).await?)
        }
        found => Ok(found?),
    }
}

/// Other Syncs of the same Repository, as far as they may be listed.
async fn beside(cluster: &Cluster, sync: &Sync) -> BTreeSet<SyncName> {
    let kind = KindInfo::of::<Sync>();
    let mut found = person::list(&cluster.own(), &kind, "", "").await;
    if found.is_err() {
        found = person::list(&cluster.own(), &kind, &sync.namespace().unwrap_or_default(), "").await;
    }
    let syncs = found.unwrap_or_default().into_iter().filter_map(|value| serde_json::from_value::<Sync>(value).ok());
    let repository = |sync: &Sync| {
        let reference = sync.spec.repository_ref.clone();
        (reference.namespace.or_else(|| sync.namespace()), reference.name)
    };
    let same = syncs.filter(|other| repository(other) == repository(sync));
    same.map(|other| SyncName { namespace: other.namespace().unwrap_or_default(), name: other.name_any() }).collect()
}

fn unreadable(chunk: &Inventory, what: &str) -> Failed {
    let message = format!("Inventory {}/{}: {what}", chunk.namespace().unwrap_or_default(), chunk.name_any());
    Failed::new("InventoryUnreadable", Fault::Cluster, message)
}

/// The name that the agent gives the cluster: it stands on every object that it applied, and in the
/// arguments of its Deployment.
async fn cluster_name(cluster: &Cluster, owned: &Owned, others: &BTreeMap<SyncName, Owned>) -> String {
    let session = cluster.own();
    // One object of each Sync says as much as all of them.
    let samples = others.values().filter_map(|owned| owned.keys().next());
    for id in owned.keys().chain(samples).take(SAMPLES) {
        let Ok(kind) = cluster.kinds().preferred(&session, &id.group, &id.kind).await else { continue };
        let Ok(Some(object)) = apply::get(&session, &kind, &id.namespace, &id.name).await else { continue };
        let owner = object.pointer("/metadata/annotations").and_then(|found| found.get(annotation::OWNER)?.as_str());
        if let Some((name, _)) = owner.and_then(|owner| owner.split_once('/')) {
            return name.to_owned();
        }
    }
    let kind = KindInfo::known("apps", "v1", "Deployment", "deployments").namespaced();
    let agents = person::list(&session, &kind, "", connection::INSTALLED).await.unwrap_or_default();
    agents.iter().find_map(argument).unwrap_or_else(|| "cluster".to_owned())
}

/// What the agent's Deployment calls its cluster.
fn argument(deployment: &Value) -> Option<String> {
    let args = deployment.pointer("/spec/template/spec/containers/0/args")?.as_array()?;
    let mut args = args.iter().filter_map(Value::as_str);
    args.find_map(|arg| arg.strip_prefix("--cluster=").map(str::to_owned))
}

fn ignore_rules(rules: &[api::IgnoreRule]) -> Result<Vec<IgnoreRule>, Stop> {
    let mut read = Vec::new();
    for (rule, wrong) in rules.iter().map(api::IgnoreRule::read) {
        if let Some(problem) = wrong.first() {
            return Err(Failed::new("InvalidIgnoreRule", Fault::Repository, format!("spec.ignore: {problem}")).into());
        }
        read.push(rule);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_agents_deployment_names_its_cluster() {
        let of = |args: Value| argument(&json!({"spec": {"template": {"spec": {"containers": [{"args": args}]}}}}));
        assert_eq!(of(json!(["agent", "--cluster=prod", "--cache-dir=/cache"])), Some("prod".into()));
        assert_eq!(of(json!(["agent"])), None);
    }

    #[test]
    fn what_a_namespace_takes_along_is_counted_over_all_syncs() {
        let id = |namespace: &str, name: &str| ObjectId::new(namespace, name, "", "ConfigMap");
        let owned =
            |ids: &[ObjectId]| ids.iter().map(|id| (id.clone(), inventory::Entry::default())).collect::<Owned>();
        let other = SyncName { namespace: "b".into(), name: "other".into() };
        let mut subject = Subject::of_folder("a");
        subject.owned = owned(&[id("inner", "x"), id("a", "y")]);
        subject.others = [(other.clone(), owned(&[id("inner", "z")]))].into();
        let inner = ObjectId::new("", "inner", "", "Namespace");
        assert_eq!(subject.along([&inner].into_iter()), [(inner.clone(), 2)].into());
        let z = id("inner", "z");
        assert!(subject.claims(&[&z].into()).1.is_empty(), "of another repository: it is kept");
        subject.beside.insert(other);
        assert_eq!(subject.claims(&[&z].into()).1.len(), 1, "of the same: it may move");
    }
}

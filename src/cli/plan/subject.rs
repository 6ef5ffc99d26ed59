//! For whom a plan is made: a Sync of the cluster, or nobody yet.

use kube::ResourceExt;

use crate::agent::tip::Key;
use crate::agent::{inputs, releases};
use crate::api::{self, InventoryEntry, Sync, SyncSpec};
use crate::cli::stop::Stop;
use crate::cluster::{Cluster, apply, own};
use crate::failure::{Failed, Fault};
use crate::inventory::{self, Entry, Flag, Owned};
use crate::object::fields::{IgnoreRule, Managers, Pointer};
use crate::object::{ObjectId, Problem, annotation};
use crate::plan::{Budget, Owner, Pruning, Rules};
use crate::render::{Limits, Options};

/// For whom a plan is made.
#[derive(Debug)]
pub struct Subject {
    /// Who owns what is applied.
    pub owner: Owner,
    /// What its spec says about objects.
    pub rules: Rules,
    /// What it owns.
    pub owned: Owned,
    /// Whether what left Git is deleted.
    pub pruning: Pruning,
    /// How much may be deleted at once.
    pub budget: Budget,
    /// Whose fields are taken over.
    pub managers: Managers,
    /// Whether objects get an owner.
    pub marks: Marks,
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
            pruning: Pruning::Disabled,
            budget: Budget::default(),
            managers: Managers::default(),
            marks: Marks::Unowned,
        }
    }
    /// A Sync, with what it owns.
    pub async fn of_sync(cluster: &Cluster, sync: &Sync) -> Result<Self, Stop> {
        let (namespace, name) = (sync.namespace().unwrap_or_default(), sync.name_any());
        let chunks = own::list_inventories(&cluster.own(), &namespace).await?;
        let mut owned = Owned::new();
        for chunk in chunks.iter().filter(|chunk| chunk.spec.sync == name) {
            inventory::readable(chunk.spec.format)?;
            owned.extend(chunk.spec.entries.iter().filter_map(entry));
        }
        let spec = &sync.spec;
        Ok(Self {
            owner: Owner { cluster: cluster_name(cluster, &owned).await?, namespace, name },
            rules: Rules { target_namespace: spec.target_namespace.clone(), ignore: ignore_rules(&spec.ignore)? },
            owned,
            pruning: match spec.prune {
                api::Prune::Enabled => Pruning::Enabled,
                api::Prune::Disabled => Pruning::Disabled,
            },
            budget: spec.deletion_budget.clone().map_or_else(Budget::default, Budget::from),
            managers: Managers::default().and_deployers(&spec.adopt_managers),
            marks: Marks::Owned,
        })
    }
}

/// What a Sync renders with. The ConfigMaps and Secrets that it names are read as the person, who may
/// lack the rights that its account has. Private keys are the person's own: those of the agent are for
/// no laptop.
pub async fn options_of(cluster: &Cluster, sync: &Sync) -> Result<Options, Stop> {
    let namespace = sync.namespace().unwrap_or_default();
    let spec = SyncSpec { decryption: None, ..sync.spec.clone() };
    let (contents, read) = inputs::read(&cluster.own(), &namespace, &inputs::wanted(&spec)).await;
    read?;
    let mut options = inputs::options(&Key::new(&namespace, sync.name_any()), &spec, &contents, Limits::default())?;
    // Charts see the cluster that is asked.
    let kinds = cluster.kinds().snapshot(&cluster.own()).await?;
    options.helm.cluster = Some(releases::seen(&cluster.own(), &kinds).await?);
    Ok(options)
}

/// The name that the agent gives the cluster: it stands on every object that it applied.
async fn cluster_name(cluster: &Cluster, owned: &Owned) -> Result<String, Stop> {
    let session = cluster.own();
    for id in owned.keys() {
        let Ok(kind) = cluster.kinds().preferred(&session, &id.group, &id.kind).await else { continue };
        let Ok(Some(object)) = apply::get(&session, &kind, &id.namespace, &id.name).await else { continue };
        let owner = object.pointer("/metadata/annotations").and_then(|found| found.get(annotation::OWNER)?.as_str());
        if let Some((name, _)) = owner.and_then(|owner| owner.split_once('/')) {
            return Ok(name.to_owned());
        }
    }
    Ok("cluster".to_owned())
}

fn entry(written: &InventoryEntry) -> Option<(ObjectId, Entry)> {
    let flags = written.flags.iter().map(|flag| Flag::parse(flag).ok_or_else(|| flag.clone()));
    let (known, unknown): (Vec<_>, Vec<_>) = flags.partition(Result::is_ok);
    let entry = Entry {
        version: written.v.clone(),
        uid: written.uid.clone(),
        desired: written.desired.as_ref().and_then(|digest| digest.parse().ok()),
        baseline: written.baseline.as_ref().and_then(|digest| digest.parse().ok()),
        flags: known.into_iter().filter_map(Result::ok).collect(),
        unknown: unknown.into_iter().filter_map(Result::err).collect(),
    };
    Some((written.id.parse().ok()?, entry))
}

fn ignore_rules(rules: &[api::IgnoreRule]) -> Result<Vec<IgnoreRule>, Stop> {
    let wrong =
        |problem: Problem| Failed::new("InvalidIgnoreRule", Fault::Repository, format!("spec.ignore: {problem}"));
    let rule = |rule: &api::IgnoreRule| {
        let target = rule.target.clone().unwrap_or_default();
        let pointer = |path: &String| Pointer::parse(path).map_err(wrong);
        let paths = rule.paths.iter().map(pointer).collect::<Result<_, Failed>>()?;
        Ok(IgnoreRule { group: target.group, kind: target.kind, name: target.name, namespace: target.namespace, paths })
    };
    rules.iter().map(rule).collect()
}

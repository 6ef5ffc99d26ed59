//! Manifests → desired objects: scope, namespace, one form, labels of ownership.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Value, json};

use super::normalise::normalise;
use super::phase::{Phase, order_of, phase_of};
use super::{Desired, Lookup, Scope, Scopes, Steer, SyncName};
use crate::object::fields::{IgnoreRule, Yields};
use crate::object::{DigestKey, Manifest, ObjectId, Problem, annotation, label, split_api_version};

/// The Sync that owns what it applies. Written `<cluster>/<namespace>/<name>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// Name of the cluster, as the agent was told.
    pub cluster: String,
    /// Namespace of the Sync.
    pub namespace: String,
    /// Name of the Sync.
    pub name: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.cluster, self.namespace, self.name)
    }
}

impl Owner {
    /// The Sync without its cluster.
    pub fn sync(&self) -> SyncName {
        SyncName { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

/// What a Sync's spec says about its objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Namespace of namespaced objects that name none; the Sync's own where absent.
    pub target_namespace: Option<String>,
    /// Fields that are left to others.
    pub ignore: Vec<IgnoreRule>,
}

/// Turns manifests into desired objects, sorted by phase and identity, and tells all that is wrong
/// with them, sorted by place. Manifests with a problem yield no object. Definitions among the
/// manifests give their kinds to the rest.
pub fn resolve(
    manifests: Vec<Manifest>,
    scopes: &Scopes,
    owner: &Owner,
    rules: &Rules,
    key: &DigestKey,
) -> (Vec<Desired>, Vec<Problem>) {
    let mut scopes = scopes.clone();
    for manifest in manifests.iter().filter(|manifest| manifest.id.kind == "CustomResourceDefinition") {
        scopes.insert_definition(&manifest.body);
    }
    let mut problems = Vec::new();
    let mut found: BTreeMap<ObjectId, Desired> = BTreeMap::new();
    for manifest in manifests {
        match one(manifest, &scopes, owner, rules) {
            Err(mut wrong) => problems.append(&mut wrong),
            Ok(desired) => match found.get(desired.id()) {
                Some(first) => problems.push(duplicate(&first.manifest, &desired.manifest)),
                None => {
                    found.insert(desired.id().clone(), desired);
                }
            },
        }
    }
    let autoscaled = autoscaled(found.values());
    let mut desired: Vec<Desired> = found.into_values().collect();
    for object in &mut desired {
        if autoscaled.contains(object.id()) {
            object.steers.insert(Steer::Autoscaled);
            object.yields = std::mem::take(&mut object.yields).and_replicas();
        }
        object.digest = key.digest(&object.yields.strip(object.manifest.body.clone()));
    }
    desired.sort_by(|a, b| (a.phase, a.order, a.id()).cmp(&(b.phase, b.order, b.id())));
    problems.sort();
    (desired, problems)
}

fn one(mut manifest: Manifest, scopes: &Scopes, owner: &Owner, rules: &Rules) -> Result<Desired, Vec<Problem>> {
    let wrong = |manifest: &Manifest, rule: &str, message: String| {
        Problem::new(rule, message).at(&manifest.origin).of(&manifest.id)
    };
    if manifest.body.pointer("/metadata/generateName").is_some() {
        let problem = wrong(&manifest, "GenerateName", "metadata.generateName gives a new object at each run".into());
        return Err(vec![problem.hint("write metadata.name")]);
    }
    let id = &manifest.id;
    let (_, version) = split_api_version(&manifest.api_version);
    let (plural, scope) = match scopes.get(&id.group, &id.kind) {
        Lookup::Found(known) => {
            if !known.versions.is_empty() && !known.versions.contains(version) {
                let served = known.versions.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                let message = format!("{} is not served in version {version}", id.group_kind());
                return Err(vec![wrong(&manifest, "NoSuchVersion", message).hint(format!("served: {served}"))]);
            }
            (known.plural.clone(), known.scope)
        }
        Lookup::NoSuchKind => {
            let message = format!("the cluster has no kind {} in {}", id.kind, manifest.api_version);
            let problem = wrong(&manifest, "NoSuchKind", message);
            let meant = scopes.did_you_mean(&id.group, &id.kind).map(|meant| format!("did you mean {meant}?"));
            let otherwise = "its CustomResourceDefinition must be in the cluster, or among these manifests".to_owned();
            return Err(vec![problem.hint(meant.unwrap_or(otherwise))]);
        }
        Lookup::Unreadable => {
            let message = format!("kinds of {} cannot be discovered now", id.group);
            let problem = wrong(&manifest, "KindUnreadable", message);
            return Err(vec![
                problem.hint("the API service behind this group does not answer: kubectl get apiservices"),
            ]);
        }
    };
    let mut problems = place(&mut manifest, scope, owner, rules).err().into_iter().collect::<Vec<_>>();
    problems.extend(normalise(&mut manifest));
    let phase = phase_of(&manifest).unwrap_or_else(|problem| {
        problems.push(problem);
        Phase::Workloads
    });
    let order = order_of(&manifest).unwrap_or_else(|problem| {
        problems.push(problem);
        0
    });
    let steers = steers(&manifest, &mut problems);
    problems.extend(mark(&mut manifest, owner));
    if !problems.is_empty() {
        return Err(problems);
    }
    let yields = Yields::of(&manifest.id, &rules.ignore);
    Ok(Desired { plural, digest: DigestKey::new([]).digest(&Value::Null), phase, order, steers, yields, manifest })
}

/// Settles the namespace, in the identity and in the body.
fn place(manifest: &mut Manifest, scope: Scope, owner: &Owner, rules: &Rules) -> Result<(), Problem> {
    let named = manifest.id.namespace.clone();
    let mut settle = |namespace: &str| {
        if manifest.id.namespace != namespace {
            manifest.id = manifest.id.in_namespace(namespace);
        }
    };
    match scope {
        Scope::Cluster if named.is_empty() => Ok(()),
        Scope::Cluster => {
            settle("");
            let message = format!("{} lives in no namespace, and {named:?} is named", manifest.id.kind);
            let problem = Problem::new("ClusterScoped", message).at(&manifest.origin).of(&manifest.id);
            Err(problem.hint("remove metadata.namespace"))
        }
        Scope::Namespaced => {
            let default = || rules.target_namespace.as_ref().unwrap_or(&owner.namespace);
            settle(if named.is_empty() { default() } else { &named });
            if let Some(metadata) = manifest.body.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("namespace".to_owned(), manifest.id.namespace.clone().into());
            }
            Ok(())
        }
    }
}

/// Reads the annotations that steer the agent. A word that says nothing is a problem: what was
/// meant to protect must not fail in silence.
fn steers(manifest: &Manifest, problems: &mut Vec<Problem>) -> BTreeSet<Steer> {
    let mut steers = BTreeSet::new();
    for (key, word, plain, steer) in [
        (annotation::RECONCILE, "disabled", "enabled", Steer::ReconcileDisabled),
        (annotation::PRUNE, "disabled", "enabled", Steer::PruneDisabled),
        (annotation::FORCE, "enabled", "disabled", Steer::Force),
        (annotation::CONFLICT, "Keep", "Take", Steer::KeepConflicts),
        (annotation::APPLY, "IfNotPresent", "Always", Steer::IfNotPresent),
    ] {
        match manifest.annotation(key) {
            None => {}
            Some(said) if said == word => {
                steers.insert(steer);
            }
            Some(said) if said == plain => {}
            Some(said) => problems.push(
                Problem::new("InvalidAnnotation", format!("{key}: {said:?} is neither {word:?} nor {plain:?}"))
                    .at(&manifest.origin)
                    .of(&manifest.id),
            ),
        }
    }
    steers
}

/// Writes the labels and the annotation of ownership. Where the manifest has them with other values
/// it was copied from a cluster, and would claim what is not ours.
fn mark(manifest: &mut Manifest, owner: &Owner) -> Option<Problem> {
    let owner_text = owner.to_string();
    let marks = [
        ("labels", label::SYNC_NAME, owner.name.as_str()),
        ("labels", label::SYNC_NAMESPACE, owner.namespace.as_str()),
        ("annotations", annotation::OWNER, owner_text.as_str()),
    ];
    let metadata = manifest.body.get_mut("metadata").and_then(Value::as_object_mut)?;
    for (field, key, value) in marks {
        let map = metadata.entry(field).or_insert_with(|| json!({}));
        let Some(map) = map.as_object_mut() else {
            let problem = Problem::new("InvalidMetadata", format!("metadata.{field} is not a mapping"));
            return Some(problem.at(&manifest.origin).of(&manifest.id));
        };
        match map.insert(key.to_owned(), value.into()) {
            Some(said) if said != value => {
                let message = format!("metadata.{field}[{key}] says {said}, and the owner is {owner}");
                let problem = Problem::new("ForeignOwner", message).at(&manifest.origin).of(&manifest.id);
                return Some(problem.hint("leave it out: the agent writes it"));
            }
            _ => {}
        }
    }
    let labels = metadata.get_mut("labels").and_then(Value::as_object_mut)?;
    labels.entry(label::MANAGED_BY).or_insert_with(|| "tandem".into());
    None
}

fn duplicate(first: &Manifest, second: &Manifest) -> Problem {
    let message = format!("the object is already written at {}:{}", first.origin.file, first.origin.line);
    Problem::new("DuplicateObject", message).at(&second.origin).of(&second.id)
}

/// The workloads whose replicas an autoscaler of the same set owns.
fn autoscaled<'d>(desired: impl Iterator<Item = &'d Desired>) -> BTreeSet<ObjectId> {
    let targets = desired.filter_map(|object| {
        let id = object.id();
        let scaler = matches!(
            (id.group.as_str(), id.kind.as_str()),
            ("autoscaling", "HorizontalPodAutoscaler") | ("keda.sh", "ScaledObject")
        );
        let target = object.manifest.body.pointer("/spec/scaleTargetRef").filter(|_| scaler)?;
        let text = |name: &str| target.get(name).and_then(Value::as_str);
        let group = split_api_version(text("apiVersion").unwrap_or("apps/v1")).0;
        Some(ObjectId::new(&id.namespace, text("name")?, group, text("kind").unwrap_or("Deployment")))
    });
    targets.collect()
}

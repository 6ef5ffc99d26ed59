//! Who owns which field of a live object: `managedFields`, read as data.
//!
//! The baseline of drift is a [`fingerprint`]: a digest of the paths that we own with the values at
//! them, and of what interactive tools added beside them. It is taken from the API server's answer
//! to our apply, so what admission changed is part of it; it does not change when a controller
//! writes its own fields, a status or a subresource.

mod adopt;
mod set;
mod yields;

pub use adopt::adopt_patch;
pub use set::FieldSet;
pub use yields::{IgnoreRule, Pointer, Yields};
pub(crate) use yields::{at, at_mut, take_out};

use serde_json::{Value, json};

use super::{Digest, DigestKey};

/// Field manager of everything that is applied. It never varies: else removed fields stay.
pub const MANAGER: &str = "tandem";

/// Field manager of the controllers of Kubernetes, of which the horizontal autoscaler is one.
pub const AUTOSCALER: &str = "kube-controller-manager";

/// Annotation in which `kubectl apply` keeps what it applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Which field managers are people at work, and whose entries move into ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Managers {
    /// Tools in people's hands: what they add to our objects is drift. A name, or the beginning of
    /// one followed by `*`; letters' case does not matter.
    pub interactive: Vec<String>,
    /// Deployers whose objects we take over; written in the same way.
    pub deployers: Vec<String>,
}

impl Default for Managers {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            interactive: owned(&[
                "kubectl*",
                "k9s*",
                "lens*",
                "openlens*",
                "freelens*",
                "headlamp*",
                "dashboard*",
                "node-fetch*",
                "mozilla*",
                "octant*",
            ]),
            deployers: owned(&[
                "before-first-apply",
                "helm",
                "kustomize-controller",
                "helm-controller",
                "gotk-*",
                "flux",
                "argocd-controller",
                "argocd-application-controller",
            ]),
        }
    }
}

impl Managers {
    /// The same, with a Sync's own `adoptManagers`.
    #[must_use]
    pub fn and_deployers(mut self, names: &[String]) -> Self {
        self.deployers.extend_from_slice(names);
        self
    }

    fn is_interactive(&self, manager: &str) -> bool {
        self.interactive.iter().any(|pattern| fits(pattern, manager))
    }

    fn is_adopted(&self, manager: &str) -> bool {
        self.is_interactive(manager) || self.deployers.iter().any(|pattern| fits(pattern, manager))
    }
}

fn fits(pattern: &str, manager: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => manager.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)),
        None => manager.eq_ignore_ascii_case(pattern),
    }
}

/// One entry of `managedFields`.
pub(crate) struct Owns<'v> {
    pub(crate) manager: &'v str,
    pub(crate) applied: Applied,
    pub(crate) subresource: bool,
    /// Through which number of replicas are set.
    pub(crate) scale: bool,
    pub(crate) api_version: &'v str,
    pub(crate) time: &'v str,
    pub(crate) fields_v1: &'v Value,
}

/// Whether the fields were applied or updated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    Yes,
    No,
}

impl Owns<'_> {
    pub(crate) fn is_ours(&self) -> bool {
        self.manager == MANAGER && self.applied == Applied::Yes && !self.subresource
    }

    pub(crate) fn fields(&self) -> FieldSet {
        let mut fields = FieldSet::read(self.fields_v1);
        fields.remove(&["status".to_owned()], None);
        fields
    }
}

/// The entries of `managedFields`; empty where the object has none.
pub(crate) fn entries(object: &Value) -> Vec<Owns<'_>> {
    fn text<'v>(entry: &'v Value, name: &str) -> &'v str {
        entry.get(name).and_then(Value::as_str).unwrap_or_default()
    }
    let list = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .map(|entry| Owns {
            manager: text(entry, "manager"),
            applied: if text(entry, "operation") == "Apply" { Applied::Yes } else { Applied::No },
            subresource: !text(entry, "subresource").is_empty(),
            scale: text(entry, "subresource") == "scale",
            api_version: text(entry, "apiVersion"),
            time: text(entry, "time"),
            fields_v1: entry.get("fieldsV1").unwrap_or(&Value::Null),
        })
        .collect()
}

/// The fields that we own on an object; `None` where our entry is gone.
pub fn ours(object: &Value) -> Option<FieldSet> {
    entries(object).iter().find(|entry| entry.is_ours()).map(Owns::fields)
}

/// The fields that anybody but us owns, written through a subresource or not.
pub fn theirs(object: &Value) -> FieldSet {
    entries(object)
        .iter()
        .filter(|entry| !entry.is_ours())
        .fold(FieldSet::default(), |all, entry| all.union(&entry.fields()))
}

/// Whether an autoscaler set the replicas last, wherever it is: its controller writes them through the scale subresource, as
/// part of the controller manager, also for KEDA, which makes an autoscaler of Kubernetes. Who scales by hand is another
/// manager, and takes the field away from it.
pub fn autoscaled(object: &Value) -> bool {
    is_autoscaled(&entries(object), object)
}

pub(crate) fn is_autoscaled(entries: &[Owns<'_>], object: &Value) -> bool {
    let replicas = ["spec", "replicas"].map(str::to_owned);
    let wrote = |entry: &Owns<'_>| {
        entry.scale
            && entry.manager == AUTOSCALER
            && entry.applied == Applied::No
            && entry.fields().touches(&replicas, object)
    };
    entries.iter().any(wrote)
}

/// Digest of the fields that we own with their values, and of the fields that interactive tools
/// added. What `yields` names takes no part, and neither do replicas that an autoscaler has set; that it has is part of it.
/// `None` where our entry is gone.
pub fn fingerprint(key: &DigestKey, object: &Value, yields: &Yields, managers: &Managers) -> Option<Digest> {
    let entries = entries(object);
    let mut ours = entries.iter().find(|entry| entry.is_ours())?.fields();
    let others = entries
        .iter()
        .filter(|entry| !entry.is_ours())
        .fold(FieldSet::default(), |all, entry| all.union(&entry.fields()));
    let mut added = added_by_hand(&entries, &ours, managers);
    let stripped;
    let mut content = object;
    let autoscaled = is_autoscaled(&entries, object);
    let yields = yields.with_replicas(autoscaled);
    if !yields.is_empty() {
        for pointer in yields.pointers() {
            ours.remove(pointer.segments(), Some(object));
            added.remove(pointer.segments(), Some(object));
        }
        stripped = yields.strip(object.clone());
        content = &stripped;
    }
    let ours = ours.values(content, Some(&others));
    let added = if added.is_empty() { Value::Null } else { added.values(content, None) };
    let mut print = json!({ "ours": ours, "added": added });
    if autoscaled {
        // Else nobody would see that somebody scales by hand what we do not own any more.
        print["autoscaled"] = Value::from(true);
    }
    Some(key.digest(&print))
}

/// Fields that interactive tools own and we do not, save what they may keep.
fn added_by_hand(entries: &[Owns<'_>], ours: &FieldSet, managers: &Managers) -> FieldSet {
    let mut added = entries
        .iter()
        .filter(|entry| !entry.is_ours() && !entry.subresource && managers.is_interactive(entry.manager))
        .fold(FieldSet::default(), |all, entry| all.union(&entry.fields().leaves()));
    for kept in kept_paths() {
        added.remove(&kept, None);
    }
    added.without(ours)
}

/// What people may add to our objects without it being drift: the annotation of
/// `kubectl rollout restart`.
fn kept_paths() -> [Vec<String>; 2] {
    const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";
    [
        &["spec", "template", "metadata", "annotations", RESTARTED][..],
        &["spec", "jobTemplate", "spec", "template", "metadata", "annotations", RESTARTED][..],
    ]
    .map(|path| path.iter().map(|name| (*name).to_owned()).collect())
}

/// Who changed the fields of `wanted` last, where `managedFields` shows it: the newest entry, not
/// older than ours, of another manager that owns a field we want, through a subresource (`kubectl
/// scale`) or not. The API server writes no time for the first write through `scale`: an apply of ours would have taken the
/// field away, so it is not older either. A removal leaves no trace.
pub fn author(live: &Value, wanted: &Value) -> Option<String> {
    let mut places = Vec::new();
    ends(wanted, &mut Vec::new(), &mut places);
    newest(live, |entry, since| {
        let fields = entry.fields();
        (entry.time >= since || entry.scale && entry.time.is_empty())
            && places.iter().any(|place| fields.touches(place, live))
    })
}

/// The interactive tool that wrote to the object last, not before us.
pub fn last_hand(live: &Value, managers: &Managers) -> Option<String> {
    newest(live, |entry, since| entry.time >= since && managers.is_interactive(entry.manager))
}

fn newest(live: &Value, wrote: impl Fn(&Owns<'_>, &str) -> bool) -> Option<String> {
    let entries = entries(live);
    let since = entries.iter().find(|entry| entry.is_ours()).map_or("", |entry| entry.time);
    entries
        .iter()
        // RFC 3339 in UTC, whole seconds: the order of texts is the order of times.
        .filter(|entry| !entry.is_ours() && wrote(entry, since))
        .max_by_key(|entry| entry.time)
        .map(|entry| entry.manager.to_owned())
}

/// The places of all scalars and empty values of the parts that people write.
fn ends(value: &Value, path: &mut Vec<String>, places: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, below) in map {
                if path.is_empty() && matches!(name.as_str(), "apiVersion" | "kind" | "status") {
                    continue;
                }
                path.push(name.clone());
                ends(below, path, places);
                path.pop();
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, below) in items.iter().enumerate() {
                path.push(at.to_string());
                ends(below, path, places);
                path.pop();
            }
        }
        _ => places.push(path.clone()),
    }
}

#[cfg(test)]
mod tests;

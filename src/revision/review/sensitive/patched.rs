//! Files that say nothing of a kind themselves, and patch what has one: a patch of operations in a file of its own, with the
//! kustomization that says what it is laid on.

use serde_json::Value;

/// Names of kustomizations, as kustomize looks for them.
pub const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What a kustomization says of files of patches, named from its own folder.
pub enum Kustomized {
    /// The names, each with what its file is laid on.
    Read(Vec<(String, Target)>),
    /// It cannot be read, and somebody else may be able to.
    Unread(String),
}

impl Kustomized {
    /// Reads a kustomization.
    pub fn of(text: &str) -> Self {
        let Ok(read) = serde_yaml::from_str::<Value>(text) else { return Self::Unread(text.to_owned()) };
        let lists = ["patches", "patchesJson6902"].into_iter().filter_map(|field| read.get(field)?.as_array());
        Self::Read(lists.flatten().filter_map(entry).collect())
    }

    /// On what a file is laid; on nothing where it is not named.
    pub fn targets(&self, path: &str) -> Vec<Target> {
        match self {
            Self::Unread(text) => text.contains(last(path)).then_some(Target::Any).into_iter().collect(),
            Self::Read(entries) => {
                entries.iter().filter(|(named, _)| same(named, path)).map(|(_, target)| target.clone()).collect()
            }
        }
    }
}

/// A patch in a file of its own. One with no target names its object itself, and is looked at by itself.
fn entry(entry: &Value) -> Option<(String, Target)> {
    let named = entry.get("path")?.as_str()?.to_owned();
    let target = entry.get("target").filter(|target| !target.is_null())?;
    let kind = target.get("kind").and_then(Value::as_str).filter(|kind| !kind.is_empty());
    // Where it says no kind, that may be any.
    Some((named, kind.map_or(Target::Any, |kind| Target::Kind(kind.to_owned()))))
}

/// What is patched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Objects of a kind, or of kinds that a pattern fits.
    Kind(String),
    /// Whatever else fits.
    Any,
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a name in a kustomization leads to a path, both from its folder.
fn same(named: &str, path: &str) -> bool {
    let mut parts: Vec<&str> = Vec::new();
    for part in named.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." && parts.pop().is_some() {
            continue;
        }
        parts.push(part);
    }
    parts == path.split('/').collect::<Vec<_>>()
}

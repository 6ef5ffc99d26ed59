//! Files that say nothing of a kind themselves, and patch what has one: a patch of operations in a file of its own, with the
//! kustomization that says what it is laid on.

use serde_json::Value;

/// Names of kustomizations, as kustomize looks for them.
pub const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What a kustomization says of a file of patches, named from its own folder: of what kind the patched are. Where it says
/// no kind, that may be any. Empty where it lays the file on nothing.
pub fn targets(kustomization: &str, path: &str) -> Vec<Target> {
    let Ok(read) = serde_yaml::from_str::<Value>(kustomization) else {
        // Somebody else may be able to read it.
        return if kustomization.contains(last(path)) { vec![Target::Any] } else { Vec::new() };
    };
    let lists = ["patches", "patchesJson6902"].into_iter().filter_map(|field| read.get(field)?.as_array());
    let of_file = |entry: &&Value| {
        let named = entry.get("path").and_then(Value::as_str);
        named.is_some_and(|named| same(named, path))
    };
    let target = |entry: &Value| match entry.get("target") {
        // A patch with no target names its object itself, and is looked at by itself.
        None | Some(Value::Null) => None,
        Some(target) => match target.get("kind").and_then(Value::as_str) {
            Some(kind) if !kind.is_empty() => Some(Target::Kind(kind.to_owned())),
            _ => Some(Target::Any),
        },
    };
    lists.flatten().filter(of_file).filter_map(target).collect()
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

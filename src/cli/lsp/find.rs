//! Where what a place refers to is written.

use super::setup::Setup;
use super::view::{Explained, Root};
use crate::cli::check::roots::{inside, join};
use crate::editor::{Context, Named, Target, counterpart, referred};
use crate::object::{Manifest, ObjectId};
use crate::render::{EntryKind, KUSTOMIZATIONS, Tree};

/// Files and lines, from 1, each once.
pub fn definition(root: &Root, setup: &Setup, file: &str, line: u32, context: &Context<'_>) -> Vec<(String, u32)> {
    let Some(target) = referred(context) else { return Vec::new() };
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found: Vec<(String, u32)> = match target {
        Target::Path(path) => inside(folder, &path).and_then(|path| stands(root, &path)).into_iter().collect(),
        Target::FromRoot(path) => inside("", &path).and_then(|path| stands(root, &path)).into_iter().collect(),
        Target::Named(named) => {
            let all = root.explained(file, setup);
            all.iter().flat_map(|one| by_name(one, file, context, &named)).map(origin).collect()
        }
        Target::Chosen(chosen) => {
            let all = root.explained(file, setup);
            all.iter().flat_map(|one| by_pattern(one, &chosen)).map(origin).collect()
        }
    };
    found.sort();
    found.dedup();
    // Where it is asked from is no answer, where there is another.
    if found.len() > 1 {
        found.retain(|(there, at)| there != file || *at != line);
    }
    found
}

fn origin(manifest: &Manifest) -> (String, u32) {
    (manifest.origin.file.clone(), manifest.origin.line)
}

/// The file at a path; of a folder its kustomization, or else the first of its files.
fn stands(root: &Root, path: &str) -> Option<(String, u32)> {
    let tree = root.tree()?;
    let entries = match tree.list(path) {
        Ok(Some(entries)) => entries,
        _ => return tree.id(path).ok()?.map(|_| (path.to_owned(), 1)),
    };
    let files: Vec<&str> =
        entries.iter().filter(|entry| entry.kind == EntryKind::File).map(|entry| entry.name.as_str()).collect();
    let first = |name: &&str| KUSTOMIZATIONS.contains(name) || *name == "Chart.yaml";
    let manifest = |name: &&str| [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end));
    let name = files.iter().find(|name| first(name)).or_else(|| files.iter().find(|name| manifest(name)))?;
    Some((join(path, name), 1))
}

/// The objects that a folder renders, of these kinds and of the name that the place has there: kustomize may
/// have given it another one.
fn by_name<'a>(one: &'a Explained, file: &str, context: &Context<'_>, named: &Named) -> Vec<&'a Manifest> {
    let document = context.document;
    let own = one.manifests.iter().find(|m| m.origin.file == file && m.origin.document == document.index);
    let there = own.and_then(|manifest| {
        let pointer = counterpart(&document.root, &context.path, &manifest.body)?;
        manifest.body.pointer(&pointer)?.as_str()
    });
    let is_kind = |id: &ObjectId| named.kinds.iter().any(|(group, kind)| *group == id.group && *kind == id.kind);
    let with = |name: &str| -> Vec<&Manifest> {
        one.manifests.iter().filter(|manifest| is_kind(&manifest.id) && manifest.id.name == name).collect()
    };
    let found = with(there.unwrap_or(&named.name));
    if !found.is_empty() {
        return found;
    }
    // A patch names what it is laid on as that was named before.
    let renamed = |manifest: &&Manifest| is_kind(&manifest.id) && manifest.id.name.contains(&named.name);
    one.manifests.iter().filter(renamed).collect()
}

/// The objects that patterns choose.
fn by_pattern<'a>(one: &'a Explained, chosen: &Named) -> Vec<&'a Manifest> {
    let whole = |pattern: &str| regex::Regex::new(&format!("^(?:{pattern})$")).ok();
    let fits =
        |pattern: &str, text: &str| pattern.is_empty() || whole(pattern).is_some_and(|known| known.is_match(text));
    let of_kind = |manifest: &&Manifest| {
        chosen.kinds.iter().any(|(group, kind)| fits(group, &manifest.id.group) && fits(kind, &manifest.id.kind))
    };
    let exact: Vec<&Manifest> =
        one.manifests.iter().filter(of_kind).filter(|manifest| fits(&chosen.name, &manifest.id.name)).collect();
    if !exact.is_empty() {
        return exact;
    }
    let part = |manifest: &&Manifest| manifest.id.name.contains(&chosen.name);
    one.manifests.iter().filter(of_kind).filter(part).collect()
}

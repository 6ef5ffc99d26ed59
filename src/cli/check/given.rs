//! Where the standard comes from, and what is wrong with it.
//!
//! Named on the command line; else `.tandem/standard` of the repository and the folders that Standards in it name. All
//! that is given holds together. What stands in one repository is one standard, as far as no name in it is another's: a
//! waiver is of policies that are kept with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;

use super::binds::Binds;
use super::finding::{Finding, Found};
use super::job::{Bench, Job};
use super::judge::{Judge, Part};
use super::roots::{self, Survey, join};
use crate::cli::Stop;
use crate::cli::worktree::WorkTree;
use crate::failure::Failed;
use crate::object::{Manifest, Problem};
use crate::render::{EntryKind, KUSTOMIZATIONS, Limits, Tree, TreeError};
use crate::standard::{Coverage, Standard, fixture};

/// Where a repository keeps its standard.
pub const FOLDER: &str = ".tandem/standard";

/// Files of a standard.
pub struct Source<'a> {
    /// Where they are.
    pub tree: &'a dyn Tree,
    /// What stands before its paths where they are told: empty in the repository that is checked.
    pub shown: String,
    /// The repository that it stands in.
    pub repository: String,
    /// What else it is.
    pub place: Place,
}

/// A folder, or file, of a standard within a tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// From the root of the tree.
    pub path: String,
    /// What holds beside what its files say.
    pub binds: Binds,
    /// Whether it is a whole repository: what is nothing of a standard is passed over.
    pub whole: bool,
}

impl Place {
    fn of(path: String) -> Self {
        Self { path, ..Self::default() }
    }
}

/// A standard that was given.
#[derive(Default)]
pub struct Given {
    /// To judge with.
    pub judge: Option<Judge>,
    /// How many policies it has.
    pub policies: usize,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

/// The folders of a tree that hold its standards; `folder` is what is checked of it.
///
/// # Errors
/// A folder cannot be listed.
pub fn in_tree(tree: &dyn Tree, folder: &str, survey: &Survey) -> Result<Vec<Place>, TreeError> {
    kept(tree, BTreeSet::from([FOLDER.to_owned(), join(folder, FOLDER)]), survey)
}

/// What is kept in these folders, and what Standards name.
fn kept(tree: &dyn Tree, folders: BTreeSet<String>, survey: &Survey) -> Result<Vec<Place>, TreeError> {
    let mut places = Vec::new();
    for path in folders {
        // A Standard that names it says more of it.
        if !survey.standards.contains_key(&path) && tree.list(&path)?.is_some() {
            places.push(Place::of(path));
        }
    }
    let named = survey.standards.iter().flat_map(|(path, all)| all.iter().map(move |binds| (path, binds)));
    places.extend(named.map(|(path, binds)| Place { binds: binds.clone(), ..Place::of(path.clone()) }));
    Ok(places)
}

/// What a folder or file that was named holds of standards: itself, or, where it is a repository that keeps or names
/// some, these.
///
/// # Errors
/// A folder cannot be listed.
pub fn places(tree: &dyn Tree, path: &str, limits: &Limits) -> Result<Vec<Place>, TreeError> {
    let Some(entries) = tree.list(path)? else { return Ok(vec![Place::of(path.to_owned())]) };
    let survey = roots::survey(tree, path, limits)?;
    let mut places = kept(tree, BTreeSet::from([join(path, FOLDER)]), &survey)?;
    let built = entries.iter().any(|entry| entry.kind == EntryKind::File && KUSTOMIZATIONS.contains(&&*entry.name));
    let is_there = places.iter().any(|place| place.path == path);
    if places.is_empty() || built && !is_there {
        let whole = !places.is_empty() || path.is_empty();
        places.insert(0, Place { whole, ..Place::of(path.to_owned()) });
    }
    Ok(places)
}

/// A folder or file of another working copy, or of this one: its tree, the path in it, and the path as it was named.
///
/// # Errors
/// It is not there.
pub fn named(path: &Path) -> Result<(WorkTree, String), Stop> {
    if path.is_dir() {
        let tree = WorkTree::open(path)?;
        let folder = tree.folder().to_owned();
        return Ok((tree, folder));
    }
    let hint = "name a folder or file with policies";
    let name = path.file_name().and_then(|name| name.to_str()).filter(|_| path.is_file());
    let Some(name) = name else { return Err(Stop::usage(format!("{} is not there", path.display()), hint)) };
    let above =
        path.parent().filter(|above| !above.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned);
    let tree = WorkTree::open(&above)?;
    let file = join(tree.folder(), name);
    Ok((tree, file))
}

/// What stands before the paths of another working copy, so that they are found from where the command runs.
pub fn shown(named: &Path, tree: &WorkTree, path: &str) -> String {
    let text = named.to_string_lossy();
    let text = text.trim_end_matches('/');
    match text.strip_suffix(path).map(|above| above.trim_end_matches('/')) {
        Some(above) if !above.is_empty() => above.to_owned(),
        _ => tree.root().display().to_string(),
    }
}

impl Source<'_> {
    fn job(&self) -> Result<Job, TreeError> {
        let path = &self.place.path;
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let entries = self.tree.list(above)?.unwrap_or_default();
        let is_file = entries.iter().any(|entry| entry.name == name && entry.kind == EntryKind::File);
        Ok(match is_file {
            true => Job::Files { path: above.to_owned(), files: vec![path.clone()] },
            false => Job::Folder { path: path.clone(), declared: None },
        })
    }

    fn shown(&self, mut finding: Finding) -> Finding {
        if !self.shown.is_empty() {
            finding.file = finding.file.map(|file| join(&self.shown, &file));
            finding.root = match finding.root.as_str() {
                "" => self.shown.clone(),
                root => join(&self.shown, root),
            };
        }
        finding
    }

    /// The manifests with the places that are told.
    fn placed(&self, mut manifests: Vec<Manifest>) -> Vec<Manifest> {
        if !self.shown.is_empty() {
            manifests.iter_mut().for_each(|one| one.origin.file = join(&self.shown, &one.origin.file));
        }
        manifests
    }
}

/// Whether a manifest is something of a standard, wherever it stands: policies, bindings, waivers, and what policies have
/// as parameters.
fn of_standard(manifest: &Manifest, parameters: &BTreeSet<(String, String)>) -> bool {
    match (manifest.id.group.as_str(), manifest.id.kind.as_str()) {
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy" | "ValidatingAdmissionPolicyBinding")
        | (crate::api::GROUP, "Waiver") => true,
        (_, kind) => parameters.contains(&(manifest.api_version.clone(), kind.to_owned())),
    }
}

/// Kinds that policies have as parameters.
fn parameters(manifests: &[Manifest]) -> BTreeSet<(String, String)> {
    let policies = manifests.iter().filter(|manifest| manifest.id.kind == "ValidatingAdmissionPolicy");
    let kinds = policies.filter_map(|policy| {
        let of = |field: &str| policy.body.pointer(&format!("/spec/paramKind/{field}")).and_then(Value::as_str);
        Some((of("apiVersion")?.to_owned(), of("kind")?.to_owned()))
    });
    kinds.collect()
}

/// What is one standard.
struct Group {
    repository: String,
    manifests: Vec<Manifest>,
}

/// Puts manifests of a repository to those of it that are there already; where one of another content has a name of
/// theirs, they are a standard of their own.
fn put(groups: &mut Vec<Group>, repository: &str, mut manifests: Vec<Manifest>) {
    let clash = |one: &Manifest, other: &Manifest| one.id == other.id && one.body != other.body;
    let fits = |group: &&mut Group| {
        group.repository == repository
            && !group.manifests.iter().any(|known| manifests.iter().any(|one| clash(known, one)))
    };
    match groups.iter_mut().find(fits) {
        Some(group) => {
            manifests.retain(|one| !group.manifests.iter().any(|known| known.id == one.id));
            group.manifests.extend(manifests);
        }
        None => groups.push(Group { repository: repository.to_owned(), manifests }),
    }
}

/// Compiles all sources; all of them hold. `namespaces` are those of the repository that is checked.
///
/// # Errors
/// A tree cannot be read, or a program that a render needs cannot be asked.
pub fn load(
    sources: &[Source<'_>],
    namespaces: BTreeMap<String, Value>,
    bench: &Bench<'_>,
    now: Timestamp,
) -> Result<Given, Failed> {
    if sources.is_empty() {
        return Ok(Given::default());
    }
    let mut given = Given::default();
    let mut groups: Vec<Group> = Vec::new();
    for source in sources {
        let job = source.job().map_err(super::unreadable)?;
        // What a schema says of policies and waivers is told like that of any object.
        let done = job.run(source.tree, &Bench { judge: None, ..*bench })?;
        let mut manifests = job.explained(source.tree, bench)?;
        manifests.retain(|manifest| manifest.id.kind != fixture::KIND);
        let mut findings = done.findings;
        if source.place.whole {
            let parameters = parameters(&manifests);
            manifests.retain(|manifest| of_standard(manifest, &parameters));
            let ids: BTreeSet<String> = manifests.iter().map(|manifest| manifest.id.to_string()).collect();
            let counts = |finding: &Finding| match &finding.object {
                Some(object) => ids.contains(object),
                None => !matches!(finding.rule.as_str(), "NotAnObject" | "NoObjects" | "NoSchema"),
            };
            findings.retain(counts);
        }
        given.findings.extend(findings.into_iter().map(|finding| source.shown(finding)));
        manifests.iter_mut().for_each(|manifest| source.place.binds.to(manifest));
        let loaded = Standard::load(&manifests, now);
        let (_, uncovered) = Coverage::read(&manifests);
        for problem in loaded.problems.into_iter().chain(loaded.warnings).chain(uncovered) {
            let Some(problem) = of_binding(problem, &manifests) else { continue };
            let finding = Finding::new(at_field(problem, &manifests), job.path());
            // What a schema says of it comes with its line.
            let told = |known: &Finding| {
                let of_schema = finding.message.starts_with("spec: ") || finding.rule == "NotOfStandard";
                known.object == finding.object && of_schema
            };
            if !given.findings.iter().any(told) {
                given.findings.push(source.shown(finding));
            }
        }
        put(&mut groups, &source.repository, source.placed(manifests));
    }
    let mut parts = Vec::new();
    let mut filled = BTreeSet::new();
    for Group { repository, manifests } in &groups {
        let standard = Standard::load(manifests, now).standard;
        if !standard.is_empty() {
            filled.insert(repository);
        }
        given.policies += manifests.iter().filter(|manifest| manifest.id.kind == "ValidatingAdmissionPolicy").count();
        parts.push(Part::new(standard, manifests));
    }
    let mut empty = BTreeSet::new();
    for source in sources {
        if filled.contains(&source.repository) || !empty.insert(&source.repository) {
            continue;
        }
        let problem =
            Problem::new("EmptyStandard", "the standard has no policy with a binding, so it would let everything pass")
                .hint("put a ValidatingAdmissionPolicy and its ValidatingAdmissionPolicyBinding there");
        given.findings.push(source.shown(Finding::new(problem, &source.place.path)));
    }
    given.judge = Some(Judge::new(parts, namespaces, now));
    Ok(given)
}

/// A binding to nothing, where it stands; none where its policy is there and has a problem of its own.
fn of_binding(problem: Problem, manifests: &[Manifest]) -> Option<Problem> {
    if problem.rule != "BindingWithoutPolicy" || problem.file.is_some() {
        return Some(problem);
    }
    let of = |kind: &str, name: &str| manifests.iter().find(|one| one.id.kind == kind && one.id.name == name);
    let named = problem.message.split(' ').nth(1).unwrap_or_default();
    let Some(binding) = of("ValidatingAdmissionPolicyBinding", named) else { return Some(problem) };
    let policy = binding.body.pointer("/spec/policyName").and_then(Value::as_str).unwrap_or_default();
    if of("ValidatingAdmissionPolicy", policy).is_some() {
        return None;
    }
    Some(Found::placed(problem, "/spec/policyName", binding).of(&binding.id))
}

/// A problem that begins with a field, at the line of that field: `spec.validations[0].expression: …`, where items of
/// lists with names are told by them.
pub fn at_field(problem: Problem, manifests: &[Manifest]) -> Problem {
    let is = |manifest: &&Manifest| {
        (problem.file.as_deref(), problem.line) == (Some(manifest.origin.file.as_str()), Some(manifest.origin.line))
            && problem.object.as_deref() == Some(manifest.id.to_string().as_str())
    };
    let Some(manifest) = manifests.iter().find(is) else { return problem };
    let mut pointer = String::new();
    let mut value = &manifest.body;
    let path = problem.message.split([':', ' ']).next().unwrap_or_default();
    for step in path.split(['.', '[']) {
        let step = step.trim_end_matches(']');
        let named = |item: &Value| ["name", "key"].iter().any(|field| item.get(field).is_some_and(|name| name == step));
        let at = match value {
            Value::Array(items) => match step.parse().ok().or_else(|| items.iter().position(named)) {
                Some(at) => at.to_string(),
                None => break,
            },
            _ => step.to_owned(),
        };
        let Some(below) = value.pointer(&format!("/{at}")) else { break };
        (pointer, value) = (format!("{pointer}/{at}"), below);
    }
    if pointer.is_empty() { problem } else { Found::placed(problem, &pointer, manifest) }
}

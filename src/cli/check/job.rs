//! One thing to check: rendered, and each of its objects looked at.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use super::finding::{Finding, Found};
use super::judge::Judge;
use super::roots::{self, Declared};
use super::secrets;
use crate::agent::inputs::{self, Contents, Presence};
use crate::agent::programs::Programs;
use crate::agent::tip::Key;
use crate::api::{Sync, SyncSpec};
use crate::failure::{Failed, Fault};
use crate::object::near::nearest;
use crate::object::{Manifest, Problem};
use crate::render::{Entry, MemTree, Options, Rendered, Tree, TreeError, render};
use crate::schema::{Resource, Schemas};

/// What is to be checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// A folder, rendered as the agent would.
    Folder {
        /// From the root of the repository.
        path: String,
        /// What deploys it.
        declared: Option<Declared>,
    },
    /// Files that nothing renders, of one folder.
    Files {
        /// The folder.
        path: String,
        /// From the root of the repository.
        files: Vec<String>,
    },
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Done {
    pub findings: Vec<Finding>,
    pub objects: usize,
    /// Files that were read.
    pub files: BTreeSet<String>,
}

/// What every job needs.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    pub schemas: &'a Schemas,
    pub options: &'a Options,
    pub programs: &'a Programs,
    /// The standard, where one was given.
    pub judge: Option<&'a Judge>,
}

impl Job {
    /// The folder that is told in results.
    pub fn path(&self) -> &str {
        match self {
            Self::Folder { path, .. } | Self::Files { path, .. } => path,
        }
    }

    /// Renders and looks.
    ///
    /// # Errors
    /// A program that a render needs cannot be asked.
    pub fn run(&self, tree: &dyn Tree, bench: &Bench<'_>) -> Result<Done, Failed> {
        let tree = Noting { tree, read: RefCell::default() };
        let mut problems = Vec::new();
        let copy;
        let (from, path, options): (&dyn Tree, _, _) = match self {
            Self::Folder { path, declared } => {
                let sync = declared.as_ref().and_then(|declared| declared.sync.as_ref());
                (&tree, path.as_str(), options_of(bench.options, sync, &mut problems))
            }
            Self::Files { path, files } => {
                copy = alone(&tree, path, files, bench.options)?;
                (&copy, "", bench.options.clone())
            }
        };
        let (rendered, options) = whole(from, path, options, bench.programs)?;
        problems.extend(rendered.problems.into_iter().filter(|problem| self.counts(problem)));
        let mut findings: Vec<Finding> =
            problems.into_iter().map(|problem| Finding::new(problem, self.path())).collect();
        let looked = self.look(&rendered.manifests, bench);
        // Which line a field was written in is asked only where something is wrong.
        let explained = if looked.iter().all(Vec::is_empty) {
            Vec::new()
        } else {
            render(from, path, &Options { explain: true, ..options }).manifests
        };
        for (at, found) in looked.into_iter().enumerate() {
            let manifest = &rendered.manifests[at];
            let manifest = explained.get(at).filter(|other| other.id == manifest.id).unwrap_or(manifest);
            findings.extend(found.into_iter().map(|Found { pointer, problem, level }| {
                Finding::of_level(Found::placed(problem, &pointer, manifest), level, self.path())
            }));
        }
        Ok(Done { findings, objects: rendered.manifests.len(), files: tree.read.into_inner() })
    }

    /// What is rendered, each object with the causes of its fields; those that cannot be read are left out.
    ///
    /// # Errors
    /// A program that a render needs cannot be asked.
    pub fn explained(&self, tree: &dyn Tree, bench: &Bench<'_>) -> Result<Vec<Manifest>, Failed> {
        let options = Options { explain: true, ..bench.options.clone() };
        let (rendered, _) = match self {
            Self::Folder { path, declared } => {
                let sync = declared.as_ref().and_then(|declared| declared.sync.as_ref());
                whole(tree, path, options_of(&options, sync, &mut Vec::new()), bench.programs)?
            }
            Self::Files { path, files } => {
                whole(&alone(tree, path, files, bench.options)?, "", options, bench.programs)?
            }
        };
        Ok(rendered.manifests)
    }

    /// Everything that is wrong with each object.
    fn look(&self, manifests: &[Manifest], bench: &Bench<'_>) -> Vec<Vec<Found>> {
        let mut looked: Vec<Vec<Found>> = manifests.iter().map(|manifest| look(manifest, bench.schemas)).collect();
        if let Some(judge) = bench.judge {
            let declared = if let Self::Folder { declared: Some(declared), .. } = self { Some(declared) } else { None };
            let setting = declared.map(Declared::setting).unwrap_or_default();
            let own = roots::namespaces(manifests);
            let resource = |one: &Manifest| bench.schemas.resource(&one.api_version, &one.id.kind);
            let resources: Vec<Resource> = manifests.iter().map(resource).collect();
            for ((manifest, resource), found) in manifests.iter().zip(&resources).zip(&mut looked) {
                found.extend(judge.look(manifest, resource, &setting, &own));
            }
            for (at, found) in judge.look_together(manifests, &resources, &setting, &own) {
                looked[at].push(found);
            }
        }
        looked
    }

    /// Whether a problem of the render is one: a file that nobody deploys need not be a manifest, nor
    /// go together with its neighbours.
    fn counts(&self, problem: &Problem) -> bool {
        match self {
            Self::Folder { .. } => true,
            Self::Files { .. } => !matches!(problem.rule.as_str(), "NotAnObject" | "NoObjects" | "DuplicateObject"),
        }
    }
}

/// What a Sync renders with, as far as no cluster is needed to know it.
fn options_of(options: &Options, sync: Option<&Value>, problems: &mut Vec<Problem>) -> Options {
    let Some(Ok(sync)) = sync.map(|sync| serde_json::from_value::<Sync>(sync.clone())) else { return options.clone() };
    let name = sync.metadata.name.clone().unwrap_or_default();
    let key = Key::new(sync.metadata.namespace.as_deref().unwrap_or("default"), &name);
    // Private keys are the person's own, and values that stand in a cluster are not known.
    let mut spec = SyncSpec { decryption: None, ..sync.spec };
    if spec.substitute.as_ref().is_some_and(|substitute| !substitute.from.is_empty()) {
        spec.substitute = None;
    }
    let needed = inputs::wanted(&spec).into_iter().find(|named| named.presence == Presence::Required);
    let said = match needed {
        Some(named) => Err(format!("{} of Sync {name} names the {} {}", named.field, named.id.kind, named.id.name)),
        None => inputs::options(&key, &spec, &Contents::default(), options.limits.clone()).map_err(|e| e.message),
    };
    match said {
        Ok(said) => {
            let mut helm = said.helm;
            helm.cluster.clone_from(&options.helm.cluster);
            Options { substitute: said.substitute, helm, ..options.clone() }
        }
        Err(why) => {
            problems.push(Problem::new("NotChecked", format!("{why}: rendered without it")));
            options.clone()
        }
    }
}

/// A tree of these files and of what says which files are left out.
fn alone(tree: &dyn Tree, folder: &str, files: &[String], options: &Options) -> Result<MemTree, Failed> {
    let mut copy = MemTree::new();
    let above = folder.match_indices('/').map(|(at, _)| &folder[..at]);
    let ignored = above.chain(["", folder]).map(|folder| super::roots::join(folder, ".tandemignore"));
    for path in files.iter().cloned().chain(ignored) {
        let bytes = tree
            .read(&path, options.limits.file_bytes)
            .map_err(|error| Failed::new("PathUnreadable", Fault::Repository, error.to_string()))?;
        if let Some(bytes) = bytes {
            copy = copy.file(&path, bytes);
        }
    }
    Ok(copy)
}

/// Renders until no program needs to be asked any more.
fn whole(
    tree: &dyn Tree,
    path: &str,
    mut options: Options,
    programs: &Programs,
) -> Result<(Rendered, Options), Failed> {
    loop {
        let rendered = render(tree, path, &options);
        if rendered.needs.is_empty() {
            return Ok((rendered, options));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failed::new("Internal", Fault::Internal, error.to_string()))?;
        runtime.block_on(programs.meet(rendered.needs, &mut options))?;
    }
}

/// What schemas say of an object, and whether a secret stands in it.
fn look(manifest: &Manifest, schemas: &Schemas) -> Vec<Found> {
    let checked = schemas.check(manifest);
    let mut found: Vec<Found> = Vec::new();
    let file_kind = manifest.id.group == crate::api::GROUP && crate::api::KINDS.contains(&&*manifest.id.kind);
    if !checked.known && !file_kind {
        found.push(Found::new("/kind".to_owned(), no_schema(manifest)));
    }
    // What a variable will be is not known.
    let variable =
        |pointer: &str| manifest.body.pointer(pointer).and_then(Value::as_str).is_some_and(|text| text.contains("${"));
    let findings = checked.findings.into_iter().filter(|finding| !variable(&finding.pointer));
    found.extend(findings.map(|finding| Found::new(finding.pointer, finding.problem)));
    let secrets = secrets::find(manifest).into_iter();
    found.extend(secrets.map(|(pointer, problem)| Found::new(pointer, problem.of(&manifest.id))));
    found
}

/// A kind that nobody defined; of our own group there is no other than ours.
fn no_schema(manifest: &Manifest) -> Problem {
    let (version, kind) = (&manifest.api_version, manifest.id.kind.as_str());
    if manifest.id.group == crate::api::GROUP {
        let problem = Problem::new("UnknownKind", format!("Tandem has no kind {kind} in {version}")).of(&manifest.id);
        return match nearest(kind, &crate::api::KINDS) {
            Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
            None => problem.hint(format!("there are {}", crate::api::KINDS.join(", "))),
        };
    }
    let message = format!("no schema of {version} {kind} is known, so its fields were not checked");
    Problem::new("NoSchema", message).hint("name a folder with its definition by --crds")
}

/// A tree that notes which files are read.
struct Noting<'a> {
    tree: &'a dyn Tree,
    read: RefCell<BTreeSet<String>>,
}

impl Tree for Noting<'_> {
    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
        self.tree.list(path)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        self.read.borrow_mut().insert(path.to_owned());
        self.tree.read(path, limit)
    }

    fn kept(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        self.read.borrow_mut().insert(path.to_owned());
        self.tree.kept(path, limit)
    }

    fn link(&self, path: &str) -> Result<Option<String>, TreeError> {
        self.tree.link(path)
    }

    fn id(&self, path: &str) -> Result<Option<String>, TreeError> {
        self.tree.id(path)
    }
}

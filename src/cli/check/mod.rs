//! `tandem check`.

mod application_set;
pub mod binds;
pub mod finding;
pub mod form;
pub mod given;
pub mod job;
pub mod judge;
mod live;
mod own;
pub mod roots;
mod secrets;
pub mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::args::{Form, Global};
use super::charts::Charts;
use super::keys::KeyFiles;
use super::worktree::{WorkTree, WorkTreeError};
use super::{Exit, Output, Stop};
use crate::failure::{Failed, Fault};
use crate::object::{Manifest, ObjectId, Origin};
use crate::render::{MemTree, Options};
use crate::schema::{Minor, Schemas};
use finding::{Finding, Level};
use given::{Given, Place, Source};
use job::{Bench, Done, Job};
use roots::Survey;

const AFTER: &str = "\
Examples:
  tandem check                      all that the repository around the current folder deploys
  tandem check apps/ clusters/      these folders
  tandem check --kube-version 1.35  as Kubernetes 1.35 would take it
  tandem check --crds ../crds       with definitions of custom resources from elsewhere
  tandem check --standard ../std    by the policies of a standard from elsewhere
  tandem check --standard std --live --context prod
                                    which objects there a new standard would refuse
  tandem check -o sarif             for a code host; also json, junit, github, gitlab

What is looked at: each path that a Sync, a Flux Kustomization or an Argo CD Application names, each
kustomization that no other refers to, and each manifest that none of them reads.

The standard is that of --standard, else .tandem/standard of the repository and the folders that
Standards in it name; all that are given hold together. Of a repository that --standard names it is
what that keeps and names, and its kustomization. A policy that denies is an error, one that warns a
warning, and one that audits a note.

Exit codes: 0 nothing wrong, or warnings and notes alone, 1 errors, 2 a path that is not there.";

/// Find what is wrong in a repository before it is merged
///
/// Renders everything that the repository deploys, whatever deploys it, and checks each object by the
/// schema of its kind, as the API server would: unknown fields, wrong types, missing fields, API
/// versions that are gone; by the policies of the standard; and that no secret stands in clear text.
/// Each problem has file and line, rule, reason and advice. No cluster is asked.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// Folders of a working copy, the current one unless said
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Version of Kubernetes that will take the objects, the newest that is known unless said
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<Minor>,
    /// File or folder with CustomResourceDefinitions, beside those of the repository
    #[arg(long, value_name = "PATH")]
    crds: Vec<PathBuf>,
    /// Folder or file with the policies of a standard, in place of the repository's own
    #[arg(long, value_name = "PATH")]
    standard: Vec<PathBuf>,
    /// Judge what is in the cluster by that standard: names every object that it would refuse
    #[arg(long, requires = "standard", conflicts_with = "paths")]
    live: bool,
    /// Helm v4, looked for on PATH unless said
    #[arg(long, env = "TANDEM_HELM", value_name = "PROGRAM", hide_env_values = true)]
    helm: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyFiles,
}

/// What was checked, and what was found.
#[derive(Debug, Serialize)]
pub struct Checked {
    findings: Vec<Finding>,
    summary: Summary,
    #[serde(skip)]
    roots: BTreeSet<String>,
}

#[derive(Debug, Default, Serialize)]
struct Summary {
    kubernetes: String,
    /// Folders that were rendered.
    roots: usize,
    objects: usize,
    /// Policies of the standard.
    policies: usize,
    /// Whether it was the objects of a cluster.
    live: bool,
    errors: usize,
    warnings: usize,
    notes: usize,
}

/// A working copy, and what is to be checked in it.
struct Copy {
    path: PathBuf,
    survey: Survey,
    folder: String,
}

pub fn run(args: &Args, global: &Global, output: &Output) -> Result<Exit, Stop> {
    let target = args.kube_version.unwrap_or_default();
    let charts = Charts::of(args.helm.clone(), format!("v{target}.0"));
    let options = charts.added(args.keys.added(Options::default())?, global.namespace.as_deref())?;
    let programs = charts.programs(args.keys.program())?;
    let here = [PathBuf::from(".")];
    let paths = if args.paths.is_empty() { &here[..] } else { &args.paths };
    let copies = paths.iter().map(|path| look(path, &options)).collect::<Result<Vec<_>, _>>()?;
    let mut found = Vec::new();
    let schemas = schemas(target, &args.crds, &copies, &options, &mut found)?;
    let bench = Bench { schemas: &schemas, options: &options, programs: &programs, judge: None };
    let given = standard(&args.standard, &copies, &bench)?;
    if given.judge.is_none() {
        output.note("no standard was given: name its policies by --standard, or keep them in .tandem/standard");
    }
    found.extend(given.findings);
    if let (true, Some(judge)) = (args.live, &given.judge) {
        let looked = crate::cli::wait(live::look(judge, global))?;
        found.extend(looked.findings);
        let checked = Checked::of(once_a_kind(finding::sorted(found)), BTreeSet::from([looked.cluster]));
        let (kubernetes, objects) = (looked.kubernetes, looked.objects);
        let summary = Summary { kubernetes, objects, policies: given.policies, live: true, ..checked.summary };
        return tell(Checked { summary, ..checked }, output);
    }
    let bench = Bench { judge: given.judge.as_ref(), ..bench };

    let first: Vec<(usize, Job)> = copies.iter().enumerate().flat_map(|(at, copy)| copy.jobs(at)).collect();
    let mut done = together(&copies, &first, &bench)?;
    let mut read: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for ((at, _), done) in first.iter().zip(&done) {
        read.entry(*at).or_default().extend(done.files.iter().map(String::as_str));
    }
    let rest: Vec<(usize, Job)> =
        copies.iter().enumerate().flat_map(|(at, copy)| copy.rest(at, read.get(&at))).collect();
    let last = together(&copies, &rest, &bench)?;
    done.extend(last);

    let roots: BTreeSet<String> = first.iter().chain(&rest).map(|(_, job)| job.path().to_owned()).collect();
    for copy in &copies {
        found.extend(work::aside(&copy.survey, &copy.folder));
    }
    let objects = done.iter().map(|done| done.objects).sum();
    if objects == 0 && found.is_empty() && done.iter().all(|done| done.findings.is_empty()) {
        let looked: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        output.note(&format!(
            "no manifest was found in {}: manifests are files that end in .yaml, .yml or .json and have apiVersion and kind",
            looked.join(", ")
        ));
    }
    found.extend(done.into_iter().flat_map(|done| done.findings));
    let own = own::findings(&copies, &found)?;
    found.extend(own);
    let checked = Checked::of(once_a_kind(finding::sorted(found)), roots);
    let summary = Summary { kubernetes: target.to_string(), objects, policies: given.policies, ..checked.summary };
    tell(Checked { summary, ..checked }, output)
}

/// Looks through the working copy around a folder.
fn look(path: &Path, options: &Options) -> Result<Copy, Stop> {
    let tree = WorkTree::open(path).map_err(|error| match error {
        WorkTreeError::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Stop::usage(format!("{} is not there", path.display()), "name folders of a working copy")
        }
        WorkTreeError::NotAFolder(shown) => {
            Stop::usage(format!("{shown} is not a folder"), "name the folder that holds the file")
        }
        other => other.into(),
    })?;
    let survey = roots::survey(&tree, tree.folder(), &options.limits).map_err(unreadable)?;
    Ok(Copy { path: path.to_owned(), folder: tree.folder().to_owned(), survey })
}

/// A tree that cannot be read.
pub fn unreadable(error: crate::render::TreeError) -> Failed {
    Failed::new("PathUnreadable", Fault::Repository, error.to_string())
}

/// The standard that was named, or that of the repositories.
fn standard(named: &[PathBuf], copies: &[Copy], bench: &Bench<'_>) -> Result<Given, Stop> {
    let checked = copies.iter().map(|copy| WorkTree::open(&copy.path)).collect::<Result<Vec<_>, _>>()?;
    let elsewhere = named.iter().map(|path| given::named(path)).collect::<Result<Vec<_>, _>>()?;
    let mut sources: Vec<Source<'_>> = Vec::new();
    let mut add = |tree, shown: &str, places: Vec<Place>| {
        let repository = WorkTree::root(tree).display().to_string();
        for place in places {
            if !sources.iter().any(|known| (&known.repository, &known.place) == (&repository, &place)) {
                sources.push(Source { tree, shown: shown.to_owned(), repository: repository.clone(), place });
            }
        }
    };
    for ((tree, path), name) in elsewhere.iter().zip(named) {
        let is_here = checked.iter().any(|other| other.root() == tree.root());
        let shown = if is_here { String::new() } else { given::shown(name, tree, path) };
        add(tree, &shown, given::places(tree, path, &bench.options.limits).map_err(unreadable)?);
    }
    if named.is_empty() {
        for (tree, copy) in checked.iter().zip(copies) {
            add(tree, "", given::in_tree(tree, &copy.folder, &copy.survey).map_err(unreadable)?);
        }
    }
    let namespaces = copies.iter().flat_map(|copy| copy.survey.namespaces.clone()).collect();
    Ok(given::load(&sources, namespaces, bench, Timestamp::now())?)
}

impl Copy {
    /// What is deployed.
    fn jobs(&self, at: usize) -> Vec<(usize, Job)> {
        work::jobs(&self.survey, &self.folder).into_iter().map(|job| (at, job)).collect()
    }

    /// Files with objects that none of it read.
    fn rest(&self, at: usize, read: Option<&BTreeSet<&str>>) -> Vec<(usize, Job)> {
        work::rest(&self.survey, read.unwrap_or(&BTreeSet::new())).into_iter().map(|job| (at, job)).collect()
    }
}

/// All schemas: of Kubernetes, of our own kinds, of the repository and of what was named.
fn schemas(
    target: Minor,
    crds: &[PathBuf],
    copies: &[Copy],
    options: &Options,
    found: &mut Vec<Finding>,
) -> Result<Schemas, Stop> {
    let mut schemas = Schemas::new(target);
    for definition in own() {
        schemas.define(&definition);
    }
    for path in crds {
        for manifest in named(path, options)? {
            schemas.define(&manifest);
        }
    }
    for copy in copies {
        for manifest in &copy.survey.definitions {
            for finding in schemas.define(manifest) {
                let problem = finding.problem.at(&manifest.origin).of(&manifest.id);
                found.push(Finding::new(problem, &copy.folder));
            }
        }
    }
    Ok(schemas)
}

/// The definitions of our own kinds.
pub fn own() -> Vec<Manifest> {
    let definition = |body: Value| {
        let name = body.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let id = ObjectId::new("", name, "apiextensions.k8s.io", "CustomResourceDefinition");
        let origin = Origin { file: String::new(), line: 1, document: 1 };
        Manifest::new(origin, id, "apiextensions.k8s.io/v1", body)
    };
    let all = crate::api::crds::definitions().into_iter().chain(crate::api::files::definitions());
    all.map(definition).collect()
}

/// The definitions of a file or folder that was named.
pub fn named(path: &Path, options: &Options) -> Result<Vec<Manifest>, Stop> {
    let survey = if path.is_dir() {
        look(path, options)?.survey
    } else {
        let bytes = std::fs::read(path).map_err(|error| {
            let message = format!("--crds: {} cannot be read: {error}", path.display());
            Stop::usage(message, "name a file or folder with CustomResourceDefinitions")
        })?;
        let tree = MemTree::new().file("crds.yaml", bytes);
        roots::survey(&tree, "", &options.limits).map_err(unreadable)?
    };
    if survey.definitions.is_empty() {
        let message = format!("--crds: {} has no CustomResourceDefinition", path.display());
        return Err(Stop::usage(message, "name a file or folder with CustomResourceDefinitions"));
    }
    Ok(survey.definitions)
}

/// Runs jobs on all processors; what came of each, in their order.
fn together(copies: &[Copy], jobs: &[(usize, Job)], bench: &Bench<'_>) -> Result<Vec<Done>, Stop> {
    let start = || {
        // A tree remembers what it has seen, and is of one thread.
        let mut trees: BTreeMap<usize, WorkTree> = BTreeMap::new();
        move |at: usize| {
            let (copy, job) = &jobs[at];
            if !trees.contains_key(copy) {
                let tree = WorkTree::open(&copies[*copy].path).map_err(|error| Failed::from(&error))?;
                trees.insert(*copy, tree);
            }
            job.run(&trees[copy], bench)
        }
    };
    Ok(work::together(jobs.len(), start)?)
}

/// That a kind has no schema is told once.
pub fn once_a_kind(findings: Vec<Finding>) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    findings.into_iter().filter(|finding| finding.rule != "NoSchema" || seen.insert(finding.message.clone())).collect()
}

impl Checked {
    fn of(findings: Vec<Finding>, roots: BTreeSet<String>) -> Self {
        let of = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
        let summary = Summary {
            roots: roots.len(),
            errors: of(Level::Error),
            warnings: of(Level::Warning),
            notes: of(Level::Note),
            ..Summary::default()
        };
        Self { summary, findings, roots }
    }
}

fn tell(checked: Checked, output: &Output) -> Result<Exit, Stop> {
    let json = |value: &Value| serde_json::to_string_pretty(value).map_err(std::io::Error::other);
    match output.form() {
        Form::Text | Form::Json | Form::Yaml => output.result(&checked, form::text)?,
        Form::Sarif => output.bytes((json(&form::sarif(&checked))? + "\n").as_bytes())?,
        Form::Gitlab => output.bytes((json(&form::gitlab(&checked))? + "\n").as_bytes())?,
        Form::Junit => output.bytes(form::junit(&checked).as_bytes())?,
        Form::Github => output.bytes(form::github(&checked).as_bytes())?,
    }
    Ok(if checked.summary.errors == 0 { Exit::Nothing } else { Exit::Differences })
}

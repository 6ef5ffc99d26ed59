//! Finds policies and their tests, and runs these.

use jiff::Timestamp;
use memchr::memmem;
use serde::Serialize;
use serde_json::Value;

use super::Tested;
use crate::cli::Stop;
use crate::cli::check::finding::Found;
use crate::cli::check::given::at_field;
use crate::cli::check::roots::{inside, is_manifest, join};
use crate::cli::check::unreadable;
use crate::object::{Manifest, Problem, yaml};
use crate::render::{EntryKind, Limits, MemTree, Options, Rendered, Tree, TreeError, render};
use crate::schema::{Minor, Schemas};
use crate::standard::fixture::{self, Expect, Outside, PolicyTestSpec};
use crate::standard::{Coverage, Standard};

/// One PolicyTest.
#[derive(Debug, Serialize)]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// The policy that it is of.
    pub policy: String,
    pub file: String,
    pub cases: Vec<Tried>,
}

/// One case of it.
#[derive(Debug, Serialize)]
pub struct Tried {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    pub passed: bool,
    pub expected: String,
    pub got: String,
}

/// Runs the tests of a folder or file of a tree against the policies of the folder.
pub fn run(tree: &dyn Tree, path: &str, now: Timestamp, tested: &mut Tested) -> Result<(), Stop> {
    let (folder, files) = match tree.list(path).map_err(unreadable)? {
        Some(_) => {
            let mut files = Vec::new();
            find(tree, path, &mut files).map_err(unreadable)?;
            (path, files)
        }
        None => (path.rsplit_once('/').map_or("", |(folder, _)| folder), vec![path.to_owned()]),
    };
    let options = Options { explain: true, ..Options::default() };
    let standard = render(tree, folder, &options);
    tested.problems.extend(standard.problems.into_iter().filter(|problem| problem.rule != "NoObjects"));
    let standard: Vec<Manifest> =
        standard.manifests.into_iter().filter(|manifest| manifest.id.kind != fixture::KIND).collect();

    // A policy that cannot be used fails, also where no test is of it: it would refuse nothing.
    let (_, uncovered) = Coverage::read(&standard);
    for problem in Standard::load(&standard, now).problems.into_iter().chain(uncovered) {
        let problem = at_field(problem, &standard);
        if !tested.broken.contains(&problem) {
            tested.broken.push(problem);
        }
    }

    let mut copy = MemTree::new();
    for file in &files {
        let bytes = tree.read(file, options.limits.file_bytes).map_err(unreadable)?;
        copy = copy.file(file, bytes.unwrap_or_default());
    }
    let tests = if files.is_empty() { Rendered::default() } else { render(&copy, folder, &options) };
    // What is wrong in the folder was told with its policies.
    let known: Vec<Problem> = tested.problems.clone();
    let problems = tests.problems.into_iter().filter(|problem| problem.rule != "NoObjects" && !known.contains(problem));
    tested.problems.extend(problems);
    let mut read = Vec::new();
    for manifest in tests.manifests.into_iter().filter(|manifest| manifest.id.kind == fixture::KIND) {
        match fixture::read(&manifest) {
            Ok(spec) => read.push((manifest, spec)),
            Err(problem) => tested.problems.push(placed(problem, &manifest)),
        }
    }
    let mut schemas = Schemas::new(Minor::default());
    standard.iter().for_each(|manifest| drop(schemas.define(manifest)));
    for (manifest, spec) in &read {
        suite(tree, manifest, spec, &standard, (&schemas, now), tested);
    }
    let policies = standard.iter().filter(|manifest| manifest.id.kind == "ValidatingAdmissionPolicy");
    for policy in policies {
        tested.summary.policies += 1;
        tested.warnings.extend(untested(policy, &read));
    }
    Ok(())
}

/// Files that may hold tests, in the order of names.
fn find(tree: &dyn Tree, folder: &str, files: &mut Vec<String>) -> Result<(), TreeError> {
    for entry in tree.list(folder)?.unwrap_or_default() {
        let path = join(folder, &entry.name);
        match entry.kind {
            _ if entry.name.starts_with('.') => {}
            EntryKind::Folder => find(tree, &path, files)?,
            EntryKind::File if is_manifest(&entry.name) => {
                let bytes = tree.read(&path, Limits::default().file_bytes)?.unwrap_or_default();
                if memmem::find(&bytes, fixture::KIND.as_bytes()).is_some() {
                    files.push(path);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn suite(
    tree: &dyn Tree,
    manifest: &Manifest,
    spec: &PolicyTestSpec,
    standard: &[Manifest],
    (schemas, now): (&Schemas, Timestamp),
    tested: &mut Tested,
) {
    let file = manifest.origin.file.clone();
    let beside = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let resource = |api_version: &str, kind: &str| {
        let resource = schemas.resource(api_version, kind);
        (resource.plural, resource.namespaced)
    };
    let object = |name: &str| match inside(beside, name) {
        Some(path) => object(tree, &path),
        None => Err(format!("{name} is not in the repository")),
    };
    match fixture::run(spec, standard, &Outside { now, resource: &resource, file: &object }) {
        // A policy's own problem was told with the standard.
        Err(problem) if problem.file.is_some() => {}
        // Where a policy cannot be read, that is what is to be told.
        Err(problem) if tested.problems.is_empty() || !problem.message.contains("has no such policy") => {
            tested.problems.push(placed(problem, manifest));
        }
        Err(_) => {}
        Ok(outcomes) => {
            let tried = outcomes.into_iter().enumerate().map(|(at, outcome)| {
                let place = Found::placed(Problem::new("", ""), &format!("/spec/cases/{at}"), manifest);
                let (expected, got, passed) = (outcome.expected, outcome.got, outcome.passed);
                Tried { name: outcome.case, line: place.line, passed, expected, got }
            });
            let (name, policy) = (manifest.id.name.clone(), spec.policy.clone());
            tested.suites.push(Suite { name, policy, file, cases: tried.collect() });
        }
    }
}

/// The object in a file that a case names.
fn object(tree: &dyn Tree, path: &str) -> Result<Value, String> {
    let limits = Limits::default();
    let bytes = tree.read(path, limits.file_bytes).map_err(|error| error.to_string())?;
    let bytes = bytes.ok_or_else(|| format!("there is no file {path}"))?;
    let (documents, problems) = yaml::read(path, &bytes, &limits.yaml());
    match (problems.first(), documents.as_slice()) {
        (Some(problem), _) => Err(problem.to_string()),
        (None, [document]) => Ok(document.value.clone()),
        (None, documents) => Err(format!("{path} has {} objects, and a case is of one", documents.len())),
    }
}

/// At the field that the message begins with, or at the test.
fn placed(problem: Problem, manifest: &Manifest) -> Problem {
    let at = problem.message.strip_prefix("spec.cases[").and_then(|rest| rest.split_once(']'));
    let pointer = match at {
        Some((at, _)) => format!("/spec/cases/{at}"),
        None if problem.message.starts_with("spec.policy ") => "/spec/policy".to_owned(),
        None => String::new(),
    };
    Found::placed(problem, &pointer, manifest).of(&manifest.id)
}

/// What is missing among the cases of a policy.
fn untested(policy: &Manifest, tests: &[(Manifest, PolicyTestSpec)]) -> Option<Problem> {
    let of_policy = tests.iter().filter(|(_, spec)| spec.policy == policy.id.name);
    let cases: Vec<_> = of_policy.flat_map(|(_, spec)| &spec.cases).collect();
    let allowed = cases.iter().any(|case| case.expect == Expect::Allow && !case.waived);
    let refused = cases.iter().any(|case| case.expect != Expect::Allow || case.waived);
    let message = match (allowed, refused) {
        (true, true) => return None,
        (false, false) => "no test has a case of it",
        (false, true) => "no case has an object that it allows",
        (true, false) => "no case has an object that it refuses",
    };
    let problem = Problem::new("UntestedPolicy", message).at(&policy.origin).of(&policy.id);
    Some(problem.hint("add a PolicyTest beside it, with a case of each"))
}

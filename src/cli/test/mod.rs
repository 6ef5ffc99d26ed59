//! `tandem test`.

mod form;
mod suite;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::args::{Form, Global};
use super::check::given;
use super::worktree::WorkTree;
use super::{Exit, Output, Stop};
use crate::failure::Fault;
use crate::object::Problem;
use crate::render::{Limits, Tree};
use suite::Suite;

const AFTER: &str = "\
Examples:
  tandem test                       the standard of this repository: .tandem/standard, else this folder
  tandem test manifests/standard    the standard of a folder
  tandem test no-latest.test.yaml   the tests of a file, by the policies of its folder
  tandem test -o junit              for a CI system; also json and yaml

A test is a file of kind PolicyTest beside its policy: objects, each with what the policy has to come to
through its binding (allow, deny, warn or audit) and a part of its message. A policy without a case that
it allows and one that it refuses is a warning.

Exit codes: 0 all pass, 1 a case fails or a policy is wrong, 3 a file or test cannot be read.";

/// Test the policies of a standard
///
/// Judges the objects of every PolicyTest as the API server would, without one, and compares verdict and
/// message with what the test expects.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// Folders with policies and their tests, or files with tests
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// What came of all tests.
#[derive(Debug, Default, Serialize)]
struct Tested {
    suites: Vec<Suite>,
    /// What is wrong in the standard itself: policies that do not compile, bindings and waivers that cannot be meant so.
    broken: Vec<Problem>,
    /// What cannot be read or run.
    problems: Vec<Problem>,
    /// Policies that are not tested both ways.
    warnings: Vec<Problem>,
    summary: Summary,
}

#[derive(Debug, Default, Serialize)]
struct Summary {
    policies: usize,
    passed: usize,
    failed: usize,
    broken: usize,
}

pub fn run(args: &Args, _: &Global, output: &Output) -> Result<Exit, Stop> {
    let usual = [usual()?];
    let paths = if args.paths.is_empty() { &usual[..] } else { &args.paths };
    let mut tested = Tested::default();
    for path in paths {
        let (tree, path) = given::named(path)?;
        let places = given::places(&tree, &path, &Limits::default()).map_err(super::check::unreadable)?;
        let folders: BTreeSet<String> = places.into_iter().map(|place| place.path).collect();
        for folder in &folders {
            suite::run(&tree, folder, Timestamp::now(), &mut tested)?;
        }
    }
    let cases = || tested.suites.iter().flat_map(|suite| &suite.cases);
    tested.summary.passed = cases().filter(|case| case.passed).count();
    tested.summary.failed = cases().filter(|case| !case.passed).count();
    tested.summary.broken = tested.broken.len();
    match output.form() {
        Form::Junit => output.bytes(form::junit(&tested).as_bytes())?,
        _ => output.result(&tested, form::text)?,
    }
    Ok(match (tested.problems.is_empty(), tested.summary.failed + tested.summary.broken) {
        (false, _) => Exit::Fault(Fault::Repository),
        (true, 0) => Exit::Nothing,
        (true, _) => Exit::Differences,
    })
}

/// The standard of the repository, else the current folder.
fn usual() -> Result<PathBuf, Stop> {
    let here = Path::new(".");
    let tree = WorkTree::open(here)?;
    let kept = tree.list(given::FOLDER).map_err(super::check::unreadable)?.is_some();
    Ok(if kept { tree.root().join(given::FOLDER) } else { here.to_owned() })
}

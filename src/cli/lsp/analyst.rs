//! The thread that checks: it takes what changed, waits until a person pauses, and tells what it found. A
//! newer change ends a run that it makes useless.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::copy::{Changes, Copy};
use super::desk::Desk;
use super::setup::Setup;
use super::view::{Root, View};
use crate::cli::check;
use crate::cli::check::finding::{self, Finding};
use crate::cli::check::job::{Bench, Job};
use crate::cli::check::roots::join;
use crate::render::{KUSTOMIZATIONS, MemTree};
use crate::schema::Schemas;
use crate::schema::guide::Guide;

/// How long no key is pressed before a run begins.
const QUIET: Duration = Duration::from_millis(30);
/// How long a run waits for that at most.
const LONGEST: Duration = Duration::from_millis(200);

/// Something to check.
#[derive(Debug)]
pub struct Order {
    pub desk: Arc<Desk>,
    /// What changed since the order before.
    pub changes: Changes,
}

/// What a run found.
#[derive(Debug)]
pub struct Outcome {
    /// The moment that was checked.
    pub moment: u64,
    pub findings: BTreeMap<PathBuf, Vec<Finding>>,
    pub view: Arc<View>,
    /// What could not be looked at.
    pub failures: Vec<String>,
}

/// Checks until nobody orders anything any more. `latest` is the moment of the newest order.
pub fn run<E: From<Outcome>>(orders: &Receiver<Order>, events: &Sender<E>, latest: &AtomicU64, setup: &Setup) {
    let (schemas, guide) = setup.schemas(&[]);
    let mut analyst =
        Analyst { setup, copies: Vec::new(), schemas, guide: Arc::new(guide), changes: Changes::default() };
    while let Ok(order) = orders.recv() {
        let begun = Instant::now();
        let mut desk = order.desk;
        analyst.add(order.changes);
        while begun.elapsed() < LONGEST {
            match orders.recv_timeout(QUIET) {
                Ok(order) => {
                    desk = order.desk;
                    analyst.add(order.changes);
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        let stale = || latest.load(Ordering::Acquire) != desk.moment;
        if let Some(outcome) = analyst.check(&desk, &stale)
            && events.send(outcome.into()).is_err()
        {
            return;
        }
    }
}

struct Analyst<'a> {
    setup: &'a Setup,
    copies: Vec<Copy>,
    /// Of what is in no working copy.
    schemas: Schemas,
    guide: Arc<Guide>,
    /// What changed since the last run that came to its end.
    changes: Changes,
}

impl Analyst<'_> {
    fn add(&mut self, changes: Changes) {
        self.changes.everything = self.changes.everything.max(changes.everything);
        for (path, change) in changes.files {
            let known = self.changes.files.entry(path).or_insert(change);
            known.came_or_went |= change.came_or_went;
            known.moment = change.moment;
        }
    }

    /// `None` where a newer change has come.
    fn check(&mut self, desk: &Desk, stale: &(dyn Fn() -> bool + Sync)) -> Option<Outcome> {
        let mut failures = Vec::new();
        self.copies.retain(|copy| desk.folders.contains(&copy.opened));
        for folder in &desk.folders {
            if !self.copies.iter().any(|copy| copy.opened == *folder) {
                match Copy::open(folder.clone(), self.setup) {
                    Ok(copy) => self.copies.push(copy),
                    Err(error) => failures.push(error.message),
                }
            }
        }
        for copy in &mut self.copies {
            match copy.check(desk, &self.changes, self.setup, stale) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => failures.push(error.message),
            }
        }
        self.changes.files.clear();
        let mut findings: BTreeMap<PathBuf, Vec<Finding>> = BTreeMap::new();
        for copy in &self.copies {
            for found in &copy.findings {
                match place(copy, found) {
                    Some(file) => findings.entry(copy.root.join(file)).or_default().push(found.clone()),
                    None => failures.push(format!("{}: {}", found.place(), found.text())),
                }
            }
        }
        for path in desk.buffers.keys() {
            for found in self.alone(desk, path) {
                findings.entry(path.clone()).or_default().push(found);
            }
        }
        for found in findings.values_mut() {
            *found = check::once_a_kind(finding::sorted(std::mem::take(found)));
        }
        let roots = self.copies.iter().map(|copy| Root::of(copy, &desk.below(&copy.root))).collect();
        let view = Arc::new(View::new(roots, Arc::clone(&self.guide)));
        Some(Outcome { moment: desk.moment, findings, view, failures })
    }

    /// What is wrong with an open file that nothing deploys and no look through a folder finds.
    fn alone(&self, desk: &Desk, path: &Path) -> Vec<Finding> {
        let copy = self.copies.iter().find(|copy| copy.inside(path).is_some());
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let file = match copy {
            Some(copy) => copy.inside(path).unwrap_or_default(),
            None => name.to_owned(),
        };
        let is_read = |copy: &Copy| copy.kept.values().any(|kept| kept.done.files.contains(&file));
        let is_manifest = [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end));
        if copy.is_some_and(is_read) || !is_manifest || KUSTOMIZATIONS.contains(&name) {
            return Vec::new();
        }
        let text = desk.text(path);
        let has = |word: &str| text.as_str().contains(word);
        // A template is none of ours: what it becomes is checked where it is rendered.
        if !has("apiVersion") || !has("kind") || has("{{") || has("{%") {
            return Vec::new();
        }
        let tree = MemTree::new().file(&file, text.as_str().as_bytes().to_vec());
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let job = Job::Files { path: folder.clone(), files: vec![file.clone()] };
        let schemas = copy.map_or(&self.schemas, |copy| &copy.schemas);
        let judge = copy.and_then(|copy| copy.judge.as_deref());
        let bench = Bench { schemas, options: &self.setup.options, programs: &self.setup.programs, judge };
        super::copy::done(&job, &tree, &bench).findings
    }
}

/// The file that a finding is shown at: its own, or that which stands for the folder that was rendered.
fn place(copy: &Copy, found: &Finding) -> Option<String> {
    if let Some(file) = &found.file {
        return Some(file.clone());
    }
    let read: BTreeSet<&String> = copy
        .kept
        .values()
        .filter(|kept| kept.job.path() == found.root)
        .flat_map(|kept| kept.done.files.iter())
        .filter(|file| copy.root.join(file).is_file())
        .collect();
    let own = KUSTOMIZATIONS.iter().map(|name| join(&found.root, name)).find(|file| read.contains(file));
    own.or_else(|| read.into_iter().find(|file| !file.ends_with(".tandemignore")).cloned())
}

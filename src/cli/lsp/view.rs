//! What the last run that came to its end knows, for who asks about a place.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::copy::{Copy, Kept};
use super::desk::relative;
use super::overlay::{Overlay, Texts};
use super::setup::Setup;
use crate::cli::check::job::{Bench, Job};
use crate::cli::check::roots::is_below;
use crate::cli::worktree::WorkTree;
use crate::object::Manifest;
use crate::schema::Schemas;
use crate::schema::guide::Guide;

/// Everything that is known.
#[derive(Debug, Default)]
pub struct View {
    roots: Vec<Root>,
    /// Of what is in no working copy.
    guide: Arc<Guide>,
}

/// A working copy.
#[derive(Debug)]
pub struct Root {
    pub root: PathBuf,
    opened: PathBuf,
    folder: String,
    texts: Arc<Texts>,
    kept: Vec<Kept>,
    guide: Arc<Guide>,
    pub schemas: Arc<Schemas>,
    /// Folders that hold the standard.
    pub standards: Vec<String>,
    /// What jobs render, each field with its causes, by their place in `kept`.
    explained: Mutex<HashMap<usize, Arc<Vec<Manifest>>>>,
}

/// What is rendered of one folder.
pub struct Explained {
    /// The folder.
    pub path: String,
    /// Namespace of objects that name none.
    pub namespace: Option<String>,
    pub manifests: Arc<Vec<Manifest>>,
}

/// Folders that are told of one file: a base may have hundreds of overlays.
const TOLD: usize = 6;

impl View {
    pub fn new(roots: Vec<Root>, guide: Arc<Guide>) -> Self {
        Self { roots, guide }
    }

    /// The working copy of a file, and the file's path in it.
    pub fn root_of(&self, path: &Path) -> Option<(&Root, String)> {
        self.roots.iter().find_map(|root| Some((root, root.inside(path)?)))
    }

    /// What is known of kinds where a file is.
    pub fn guide(&self, path: &Path) -> &Guide {
        self.root_of(path).map_or(&self.guide, |(root, _)| &root.guide)
    }
}

impl Root {
    /// A working copy with the texts that it was checked with.
    pub fn of(copy: &Copy, texts: &Texts) -> Self {
        Self {
            root: copy.root.clone(),
            opened: copy.opened.clone(),
            folder: copy.folder.clone(),
            texts: Arc::new(texts.clone()),
            kept: copy.kept.values().cloned().collect(),
            guide: Arc::clone(&copy.guide),
            schemas: Arc::clone(&copy.schemas),
            standards: copy.standards.iter().map(|place| place.path.clone()).collect(),
            explained: Mutex::default(),
        }
    }

    fn inside(&self, path: &Path) -> Option<String> {
        let path = relative(path.strip_prefix(&self.root).ok()?)?;
        is_below(&path, &self.folder).then_some(path)
    }

    /// The tree as it was checked.
    pub fn tree(&self) -> Option<Overlay> {
        Some(Overlay::new(WorkTree::open(&self.opened).ok()?, Arc::clone(&self.texts)))
    }

    /// What is rendered of the folders that read a file.
    pub fn explained(&self, file: &str, setup: &Setup) -> Vec<Explained> {
        let reads = |(_, kept): &(usize, &Kept)| kept.done.files.contains(file);
        let jobs = self.kept.iter().enumerate().filter(reads).take(TOLD);
        jobs.filter_map(|(at, kept)| {
            let namespace = match &*kept.job {
                Job::Folder { declared, .. } => declared.as_ref().and_then(|declared| declared.namespace.clone()),
                Job::Files { .. } => None,
            };
            Some(Explained {
                path: kept.job.path().to_owned(),
                namespace,
                manifests: self.manifests(at, &kept.job, setup)?,
            })
        })
        .collect()
    }

    fn manifests(&self, at: usize, job: &Job, setup: &Setup) -> Option<Arc<Vec<Manifest>>> {
        if let Some(known) = self.explained.lock().ok()?.get(&at) {
            return Some(Arc::clone(known));
        }
        let tree = self.tree()?;
        let bench = Bench { schemas: &self.schemas, options: &setup.options, programs: &setup.programs, judge: None };
        let manifests = catch_unwind(AssertUnwindSafe(|| job.explained(&tree, &bench))).ok()?.ok()?;
        let manifests = Arc::new(manifests);
        self.explained.lock().ok()?.insert(at, Arc::clone(&manifests));
        Some(manifests)
    }
}

//! A working copy that is kept checked: after a change only what read it is rendered again.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::desk::{Desk, relative};
use super::overlay::{Overlay, Texts};
use super::setup::Setup;
use crate::cli::check;
use crate::cli::check::finding::Finding;
use crate::cli::check::given::{self, Place, Source};
use crate::cli::check::job::{Bench, Done, Job};
use crate::cli::check::judge::Judge;
use crate::cli::check::roots::{self, REFERRING, Survey, TELLING, is_below};
use crate::cli::check::work;
use crate::cli::worktree::WorkTree;
use crate::failure::Failed;
use crate::object::{Problem, yaml};
use crate::render::{KUSTOMIZATIONS, Tree};
use crate::schema::Schemas;
use crate::schema::guide::Guide;

/// Files that changed, each with the moment when it did last, and whether it came or went then.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub files: BTreeMap<PathBuf, Change>,
    /// The moment of the last change of which nothing more is known.
    pub everything: u64,
}

/// A change of a file.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub moment: u64,
    /// Whether it was not there before, or is not any more.
    pub came_or_went: bool,
}

/// A job, and what came of it.
#[derive(Clone, Debug)]
pub struct Kept {
    pub job: Arc<Job>,
    pub done: Arc<Done>,
    /// Folders that it listed.
    listed: Arc<BTreeSet<String>>,
    moment: u64,
}

/// A working copy.
#[derive(Debug)]
pub struct Copy {
    /// The folder that the client works in.
    pub opened: PathBuf,
    /// The root of the working copy.
    pub root: PathBuf,
    /// The folder from the root.
    pub folder: String,
    pub survey: Survey,
    pub schemas: Arc<Schemas>,
    pub guide: Arc<Guide>,
    /// By whether it is of files, and its path.
    pub kept: BTreeMap<(bool, String), Kept>,
    pub findings: Vec<Finding>,
    /// The standard of the repository.
    pub judge: Option<Arc<Judge>>,
    /// The folders that hold it, each with what a Standard says beside its files.
    pub standards: Vec<Place>,
    /// What is wrong with it.
    of_standard: Vec<Finding>,
    /// Namespaces that it was loaded with.
    namespaces: BTreeMap<String, serde_json::Value>,
    /// When the survey was made.
    surveyed: Option<u64>,
    /// When definitions changed last.
    defined: u64,
    /// What open files said that a survey asks for, when it was made or found to be still right.
    told: BTreeMap<String, Told>,
}

/// What a file says that a survey asks for.
#[derive(Clone, Debug, PartialEq)]
enum Told {
    /// Nothing, but whether it has objects.
    Objects(bool),
    /// What a kustomization refers to.
    Refers(Vec<serde_json::Value>),
    /// All of it may matter.
    Whole(Vec<u8>),
}

impl Copy {
    /// The working copy around a folder; nothing is looked at yet.
    pub fn open(folder: PathBuf, setup: &Setup) -> Result<Self, Failed> {
        let tree = WorkTree::open(&folder).map_err(|error| Failed::from(&error))?;
        let (schemas, guide) = setup.schemas(&[]);
        Ok(Self {
            root: tree.root().to_owned(),
            folder: tree.folder().to_owned(),
            opened: folder,
            survey: Survey::default(),
            schemas: Arc::new(schemas),
            guide: Arc::new(guide),
            kept: BTreeMap::new(),
            findings: Vec::new(),
            judge: None,
            standards: Vec::new(),
            of_standard: Vec::new(),
            namespaces: BTreeMap::new(),
            surveyed: None,
            defined: 0,
            told: BTreeMap::new(),
        })
    }

    /// The path of a file from the root, where it is below the folder.
    pub fn inside(&self, path: &std::path::Path) -> Option<String> {
        let path = relative(path.strip_prefix(&self.root).ok()?)?;
        is_below(&path, &self.folder).then_some(path)
    }

    /// Checks what changed since. `stale` says that a newer change has come, and what is left may wait for
    /// it; then it answers `false`.
    pub fn check(
        &mut self,
        desk: &Desk,
        changes: &Changes,
        setup: &Setup,
        stale: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool, Failed> {
        let texts = Arc::new(desk.below(&self.root));
        self.look(&texts, desk.moment, changes, setup)?;
        let jobs = work::jobs(&self.survey, &self.folder);
        if !self.work(jobs.clone(), &texts, desk.moment, changes, setup, stale)? {
            return Ok(false);
        }
        let read: BTreeSet<&str> = jobs
            .iter()
            .filter_map(|job| self.kept.get(&key(job)))
            .flat_map(|kept| kept.done.files.iter().map(String::as_str))
            .collect();
        let rest = work::rest(&self.survey, &read);
        if !self.work(rest.clone(), &texts, desk.moment, changes, setup, stale)? {
            return Ok(false);
        }
        let wanted: BTreeSet<(bool, String)> = jobs.iter().chain(&rest).map(key).collect();
        self.kept.retain(|key, _| wanted.contains(key));
        self.findings = work::aside(&self.survey, &self.folder);
        self.findings.extend(self.of_standard.iter().cloned());
        self.findings.extend(setup.definitions(&self.survey, &self.folder));
        self.findings.extend(self.kept.values().flat_map(|kept| kept.done.findings.iter().cloned()));
        Ok(true)
    }

    /// Looks through the working copy again where what is deployed may be something else now.
    fn look(&mut self, texts: &Arc<Texts>, moment: u64, changes: &Changes, setup: &Setup) -> Result<(), Failed> {
        let tree = self.tree(texts)?;
        let open: BTreeMap<String, Told> = texts.keys().map(|path| (path.clone(), told(&tree, path, setup))).collect();
        let since = self.surveyed.unwrap_or(0);
        let changed = changes.files.iter().filter(|(_, change)| change.moment > since);
        let differs = changed.filter_map(|(path, change)| Some((self.inside(path)?, change))).any(|(path, change)| {
            change.came_or_went || open.get(&path).is_none_or(|now| self.told.get(&path) != Some(now))
        });
        if self.surveyed.is_none() || changes.everything > since || differs {
            let survey = roots::survey(&tree, &self.folder, &setup.options.limits).map_err(check::unreadable)?;
            if self.surveyed.is_none() || survey.definitions != self.survey.definitions {
                let (schemas, guide) = setup.schemas(&survey.definitions);
                (self.schemas, self.guide) = (Arc::new(schemas), Arc::new(guide));
                self.defined = moment;
            }
            self.survey = survey;
        }
        self.load(&tree, moment, changes, since, setup)?;
        self.surveyed = Some(moment);
        self.told = open;
        Ok(())
    }

    /// Loads the standard of the repository where it may be another one now; everything is judged by it again.
    fn load(
        &mut self,
        tree: &Overlay,
        moment: u64,
        changes: &Changes,
        since: u64,
        setup: &Setup,
    ) -> Result<(), Failed> {
        let folders = given::in_tree(tree, &self.folder, &self.survey).map_err(check::unreadable)?;
        let changed = changes.files.iter().filter(|(_, change)| change.moment > since);
        let mut changed = changed.filter_map(|(path, _)| relative(path.strip_prefix(&self.root).ok()?));
        let is_same = self.surveyed.is_some()
            && changes.everything <= since
            && folders == self.standards
            && self.survey.namespaces == self.namespaces
            && !changed.any(|path| folders.iter().any(|place| is_below(&path, &place.path)));
        if is_same {
            return Ok(());
        }
        let repository = self.root.display().to_string();
        let source =
            |place: &Place| Source { tree, shown: String::new(), repository: repository.clone(), place: place.clone() };
        let sources: Vec<Source<'_>> = folders.iter().map(source).collect();
        let bench = Bench { schemas: &self.schemas, options: &setup.options, programs: &setup.programs, judge: None };
        let given = given::load(&sources, self.survey.namespaces.clone(), &bench, Timestamp::now())?;
        if given.judge.is_some() || self.judge.is_some() {
            self.defined = moment;
        }
        self.judge = given.judge.map(Arc::new);
        (self.of_standard, self.standards) = (given.findings, folders);
        self.namespaces.clone_from(&self.survey.namespaces);
        Ok(())
    }

    /// The tree as it is now: nothing of an earlier look is remembered.
    pub fn tree(&self, texts: &Arc<Texts>) -> Result<Overlay, Failed> {
        let work = WorkTree::open(&self.opened).map_err(|error| Failed::from(&error))?;
        Ok(Overlay::new(work, Arc::clone(texts)))
    }

    /// Does those of the jobs that a change touched; `false` where some were left.
    fn work(
        &mut self,
        jobs: Vec<Job>,
        texts: &Arc<Texts>,
        moment: u64,
        changes: &Changes,
        setup: &Setup,
        stale: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool, Failed> {
        let due: Vec<Job> = jobs.into_iter().filter(|job| self.is_due(job, changes)).collect();
        let bench = Bench {
            schemas: &self.schemas,
            options: &setup.options,
            programs: &setup.programs,
            judge: self.judge.as_deref(),
        };
        let kept: Mutex<Vec<Kept>> = Mutex::default();
        let start = || {
            let mut tree = None;
            let (due, bench, kept, copy) = (&due, &bench, &kept, &*self);
            move |at: usize| {
                if stale() {
                    return Ok(());
                }
                if tree.is_none() {
                    tree = Some(copy.tree(texts)?);
                }
                let tree = tree.as_ref().expect("just opened");
                let job = &due[at];
                let done = done(job, tree, bench);
                let (job, done, listed) = (Arc::new(job.clone()), Arc::new(done), Arc::new(tree.listed()));
                kept.lock().expect("nobody panics with it").push(Kept { job, done, listed, moment });
                Ok(())
            }
        };
        work::together(due.len(), start)?;
        let kept = kept.into_inner().expect("nobody panics with it");
        let whole = kept.len() == due.len();
        self.kept.extend(kept.into_iter().map(|kept| (key(&kept.job), kept)));
        Ok(whole)
    }

    fn is_due(&self, job: &Job, changes: &Changes) -> bool {
        let Some(kept) = self.kept.get(&key(job)).filter(|kept| *kept.job == *job) else { return true };
        let touches = |path: &str, change: &Change| {
            let above = path.rsplit_once('/').map_or("", |(above, _)| above);
            kept.done.files.contains(path)
                || change.came_or_went && kept.listed.contains(above)
                // A folder that came or went.
                || change.came_or_went && kept.done.files.iter().any(|file| is_below(file, path))
        };
        let changed = changes.files.iter().filter(|(_, change)| change.moment > kept.moment);
        kept.moment < self.defined.max(changes.everything)
            || changed
                .filter_map(|(path, change)| Some((relative(path.strip_prefix(&self.root).ok()?)?, change)))
                .any(|(path, change)| touches(&path, change))
    }
}

/// What a job is kept by.
fn key(job: &Job) -> (bool, String) {
    (matches!(job, Job::Files { .. }), job.path().to_owned())
}

/// Does a job. What goes wrong in it is told and stays in it: other folders are checked as well.
pub fn done(job: &Job, tree: &dyn Tree, bench: &Bench<'_>) -> Done {
    let failed = |problem: Problem| Done { findings: vec![Finding::new(problem, job.path())], ..Done::default() };
    match catch_unwind(AssertUnwindSafe(|| job.run(tree, bench))) {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => failed(Problem::new("NotChecked", error.message)),
        Err(_) => failed(
            Problem::new("NotChecked", "it could not be checked: a defect of Tandem")
                .hint("what went wrong stands in the log of the server"),
        ),
    }
}

fn told(tree: &Overlay, path: &str, setup: &Setup) -> Told {
    let limits = &setup.options.limits;
    let Ok(Some(bytes)) = tree.read(path, limits.file_bytes) else { return Told::Objects(false) };
    let has = |text: &str| memchr::memmem::find(&bytes, text.as_bytes()).is_some();
    if KUSTOMIZATIONS.contains(&path.rsplit('/').next().unwrap_or(path)) {
        let fields = REFERRING.iter().chain(&["kind"]);
        let documents = yaml::read(path, &bytes, &limits.yaml()).0;
        return Told::Refers(
            fields.flat_map(|field| documents.iter().map(|document| document.value[*field].clone())).collect(),
        );
    }
    if TELLING.iter().any(|text| has(text)) || has("{{") || has("{%") {
        return Told::Whole(bytes);
    }
    Told::Objects(has("apiVersion") && has("kind"))
}

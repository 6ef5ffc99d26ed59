//! The folder that a Sync names: a kustomization is built, anything else is read as plain YAML and
//! JSON below the folder, and folders in it that have a kustomization are built.
//!
//! Every file named `.yaml`, `.yml` or `.json` is read, folders and files in the order of their
//! names. Left out are files and folders whose name starts with a dot (`.github`, `.gitlab-ci.yml`:
//! made for tools, not for the cluster) and what a `.tandemignore` names. Nothing else is left out
//! in silence: a symbolic link is never followed, neither out of the tree nor in it, because what
//! it shows is reviewed elsewhere; it is a problem, as are submodules and files that Git LFS keeps
//! elsewhere. A folder with a `Chart.yaml` is a chart, with all that it holds.

use std::collections::HashMap;

use super::helm;
use super::ignored::{self, Ignored};
use super::kustomize;
use super::need::Needs;
use super::objects::File;
use super::path::{self, join};
use super::{Entry, EntryKind, Made, Options, Recorder, Rendered, Tree, TreeError};
use crate::object::{Manifest, ObjectId, Origin, Problem, yaml};

/// Reads every manifest below `path`, in the order of names.
///
/// The read set of a plain folder is that folder, whose id covers all that it holds, and what its
/// kustomizations read elsewhere; that of a kustomization is the files that it read, and that there
/// are no others. Where there is no such folder, the miss stands in it.
pub fn render(tree: &dyn Tree, path: &str, options: &Options) -> Rendered {
    let path = match path::normal(path) {
        Ok(path) => path,
        Err(problem) => return Rendered { problems: vec![*problem], ..Rendered::default() },
    };
    let recorder = Recorder::new(tree);
    let mut rendered = Rendered::default();
    let mut walk = Walk::new(tree, &recorder, options, &path);
    if let Some(remote) = &options.helm.chart {
        let with = helm::With { settings: &options.helm, options };
        let (manifests, problems) = helm::render_remote(&recorder, &path, remote, &mut walk.needs, &with);
        walk.built = Some(Built::Chart);
        walk.problems.extend(problems);
        // A limit that was passed has its problem already.
        let _ = manifests.into_iter().try_for_each(|manifest| walk.object(manifest));
        let nothing = walk.nothing(&path);
        rendered = walk.rendered();
        rendered.problems.extend(nothing);
        rendered.read_set = recorder.into_read_set();
        return rendered;
    }
    if walk.kustomization(&path).is_some() {
        let nothing = walk.no_chart().or(walk.nothing(&path));
        rendered = walk.rendered();
        rendered.problems.extend(nothing);
        rendered.read_set = recorder.into_read_set();
        return rendered;
    }
    let problem = match recorder.list(&path) {
        Ok(Some(entries)) => {
            // A limit that was passed has its problem already.
            let _ = walk.folder(&path, entries, 1);
            let nothing = walk.no_chart().or(walk.nothing(&path));
            rendered = walk.rendered();
            nothing
        }
        Ok(None) => Some(path::missing(tree, &path).unwrap_or_else(|error| unreadable(&path, &error))),
        Err(error) => Some(unreadable(&path, &error)),
    };
    rendered.problems.extend(problem);
    rendered.read_set = recorder.into_read_set();
    rendered
}

/// A limit was passed: nothing more is read.
struct Full;

/// What was built, and not read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Built {
    Kustomization,
    Chart,
}

struct Walk<'a> {
    tree: &'a dyn Tree,
    record: &'a Recorder<'a>,
    options: &'a Options,
    ignored: Ignored,
    manifests: Vec<Manifest>,
    problems: Vec<Problem>,
    places: HashMap<ObjectId, Origin>,
    folders: u32,
    files: u32,
    bytes: u64,
    memory: u64,
    /// What was built, if anything was.
    built: Option<Built>,
    needs: Needs,
    /// Whether a chart stood in the folder that was asked for.
    released: bool,
    /// The folder that was asked for: the settings of a release are for a chart that stands there.
    root: String,
}

impl<'a> Walk<'a> {
    fn new(tree: &'a dyn Tree, record: &'a Recorder<'a>, options: &'a Options, root: &str) -> Self {
        let ignored = Ignored::default();
        let (manifests, problems, places) = (Vec::new(), Vec::new(), HashMap::new());
        Self {
            tree,
            record,
            options,
            ignored,
            manifests,
            problems,
            places,
            folders: 0,
            files: 0,
            bytes: 0,
            memory: 0,
            built: None,
            needs: Needs::default(),
            released: false,
            root: root.to_owned(),
        }
    }

    fn rendered(self) -> Rendered {
        let (manifests, problems) = (self.manifests, self.problems);
        let (needs, asked) = self.needs.into_parts();
        Rendered { manifests, problems, needs, asked, ..Rendered::default() }
    }

    fn folder(&mut self, folder: &str, mut entries: Vec<Entry>, depth: u32) -> Result<(), Full> {
        if depth > self.options.limits.depth {
            let message =
                format!("the folders nest deeper than the {} levels that are allowed", self.options.limits.depth);
            self.problems.push(Problem::new("LimitExceeded", message).in_file(folder, None));
            return Ok(());
        }
        self.folders += 1;
        if self.folders > self.options.limits.files {
            // Folders that share their content are small in Git and endless to walk.
            return self.full(
                format!("there are more than the {} folders that are allowed", self.options.limits.files),
                folder,
            );
        }
        self.rules(folder, &entries);
        entries.retain(|entry| !self.left_out(folder, entry));
        if entries.iter().any(|entry| entry.kind != EntryKind::Folder && kustomize::NAMES.contains(&&*entry.name))
            && let Some(done) = self.kustomization(folder)
        {
            return done;
        }
        if entries.iter().any(|entry| entry.kind == EntryKind::File && entry.name == helm::FILE) {
            return self.chart(folder);
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in entries {
            let path = join(folder, &entry.name);
            match entry.kind {
                EntryKind::File if is_manifest(&entry.name) => self.file(&path)?,
                EntryKind::File => {}
                EntryKind::Folder => match self.tree.list(&path) {
                    Ok(entries) => {
                        self.folder(&path, entries.unwrap_or_default(), depth + 1)?;
                        self.ignored.enter(folder, None);
                    }
                    Err(error) => self.problems.push(unreadable(&path, &error)),
                },
                EntryKind::Symlink => {
                    let problem = Problem::new("SymlinkNotFollowed", "symbolic links are not followed");
                    let hint = "put the file itself here, or leave the link out by a .tandemignore";
                    self.problems.push(problem.in_file(path, None).hint(hint));
                }
                EntryKind::Submodule => {
                    let problem = Problem::new("SubmoduleNotRead", "submodules are not fetched");
                    let hint = "make a Repository and a Sync of its own for it, or leave it out by a .tandemignore";
                    self.problems.push(problem.in_file(path, None).hint(hint));
                }
            }
        }
        Ok(())
    }

    /// Builds a folder that has a kustomization. `None` where it has none.
    fn kustomization(&mut self, folder: &str) -> Option<Result<(), Full>> {
        let (manifests, problems) = kustomize::build(self.tree, self.record, folder, self.options, &mut self.needs)?;
        self.folders += 1;
        self.built = Some(Built::Kustomization);
        self.problems.extend(problems);
        Some(manifests.into_iter().try_for_each(|manifest| self.object(manifest)))
    }

    /// Renders a chart. One that stands below the folder that was asked for is a release of its own,
    /// with the values that it has.
    fn chart(&mut self, folder: &str) -> Result<(), Full> {
        self.built = self.built.or(Some(Built::Chart));
        let settings = &self.options.helm;
        let own = helm::Settings { release_name: None, values: Vec::new(), ..settings.clone() };
        let settings = if folder == self.root { settings } else { &own };
        self.released |= folder == self.root;
        let with = helm::With { settings, options: self.options };
        let (manifests, problems) = helm::render((self.tree, self.record), folder, &mut self.needs, &with);
        self.problems.extend(problems);
        manifests.into_iter().try_for_each(|manifest| self.object(manifest))
    }

    fn left_out(&self, folder: &str, entry: &Entry) -> bool {
        let path = join(folder, &entry.name);
        entry.name.starts_with('.')
            || if entry.kind == EntryKind::Folder { self.ignored.folder(&path) } else { self.ignored.file(&path) }
    }

    /// Reads the folder's own `.tandemignore`.
    fn rules(&mut self, folder: &str, entries: &[Entry]) {
        let Some(entry) = entries.iter().find(|entry| entry.name == ignored::FILE) else {
            self.ignored.enter(folder, None);
            return;
        };
        let path = join(folder, ignored::FILE);
        let bytes = match self.tree.read(&path, self.options.limits.file_bytes) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) => return self.problems.push(unreadable(&path, &error)),
        };
        let problem = |message: &str| Problem::new("InvalidIgnore", message).in_file(path.as_str(), None);
        match std::str::from_utf8(&bytes) {
            _ if entry.kind != EntryKind::File => self.problems.push(problem(".tandemignore is no file")),
            Ok(text) => {
                let problems = self.ignored.enter(folder, Some(text));
                self.problems.extend(problems);
            }
            Err(_) => self.problems.push(problem("the file is not UTF-8")),
        }
    }

    fn file(&mut self, path: &str) -> Result<(), Full> {
        self.files += 1;
        if self.files > self.options.limits.files {
            return self
                .full(format!("there are more than the {} files that are allowed", self.options.limits.files), path);
        }
        let bytes = match self.tree.read(path, self.options.limits.file_bytes) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) => {
                self.problems.push(unreadable(path, &error));
                return Ok(());
            }
        };
        self.bytes += bytes.len() as u64;
        if self.bytes > self.options.limits.total_bytes {
            let most = self.options.limits.total_bytes;
            return self.full(format!("the files have more than the {most} bytes together that are allowed"), path);
        }
        if let Some(problem) = kept_elsewhere(&bytes) {
            self.problems.push(problem.in_file(path, Some(1)));
            return Ok(());
        }
        let (documents, problems) = yaml::read(path, &bytes, &self.options.yaml());
        let mut file = File::new(path, &bytes, self.options);
        file.problems = problems;
        if bytes.windows(2).any(|pair| pair == b"{{") {
            let broken = file.problems.iter_mut().filter(|p| p.rule == "InvalidYaml" && p.hint.is_none());
            broken.for_each(|p| {
                p.hint = Some("templates are not rendered; a text that starts with {{ needs quotes".to_owned())
            });
        }
        documents.into_iter().for_each(|document| file.add(document));
        let File { manifests, problems, .. } = file;
        let first = self.problems.len();
        self.problems.extend(problems);
        for manifest in manifests {
            self.object(manifest)?;
        }
        self.problems[first..].sort_by_key(|problem| problem.line);
        Ok(())
    }

    fn object(&mut self, manifest: Manifest) -> Result<(), Full> {
        if let Some(place) = self.places.get(&manifest.id) {
            let message = format!("the object stands twice, first at {}:{}", place.file, place.line);
            let problem = Problem::new("DuplicateObject", message).at(&manifest.origin).of(&manifest.id);
            self.problems.push(problem);
            return Ok(());
        }
        if self.manifests.len() >= self.options.limits.objects as usize {
            let most = self.options.limits.objects;
            return self
                .full(format!("there are more than the {most} objects that are allowed"), &manifest.origin.file);
        }
        self.memory += yaml::memory(&manifest.body);
        if self.memory > self.options.limits.total_memory {
            let most = self.options.limits.total_memory;
            let message = format!("the objects need more than the {most} bytes of memory together that are allowed");
            return self.full(message, &manifest.origin.file);
        }
        self.places.insert(manifest.id.clone(), manifest.origin.clone());
        self.manifests.push(manifest);
        Ok(())
    }

    fn full(&mut self, message: String, path: &str) -> Result<(), Full> {
        let problem = Problem::new("LimitExceeded", format!("{message}; nothing more was read"));
        self.problems.push(problem.in_file(path, None));
        Err(Full)
    }

    /// Values are for a chart: where none stands, they would count for nothing.
    fn no_chart(&self) -> Option<Problem> {
        let settings = &self.options.helm;
        if self.released || settings.values.is_empty() {
            return None;
        }
        let message = format!("there are values for a chart, and {:?} has no {}", self.root, helm::FILE);
        let hint = "spec.helm is for a chart in spec.path; a chart of a kustomization has its values there";
        Some(Problem::new("NoChart", message).hint(hint))
    }

    /// Nothing found is a problem: a folder that was emptied by mistake must not empty a cluster.
    fn nothing(&self, path: &str) -> Option<Problem> {
        if !self.manifests.is_empty() || !self.problems.is_empty() {
            return None;
        }
        if self.built == Some(Built::Kustomization) && self.options.made == Made::Anything {
            return None;
        }
        let place = if path.is_empty() { "the repository".to_owned() } else { format!("{path:?}") };
        let message = match self.files {
            0 if self.built == Some(Built::Kustomization) => {
                format!("the kustomization of {place} builds no object")
            }
            0 if self.built == Some(Built::Chart) => format!("the chart of {place} prints no object"),
            0 => format!("{place} holds no .yaml, .yml or .json file"),
            files => format!("{place} holds no object in its {files} files"),
        };
        Some(
            Problem::new("NoObjects", message)
                .hint("to take everything away, delete the Sync with deletionPolicy: Prune"),
        )
    }
}

fn is_manifest(name: &str) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end))
}

/// A file whose content is not in the repository, or not readable there.
pub(super) fn kept_elsewhere(bytes: &[u8]) -> Option<Problem> {
    if bytes.starts_with(b"version https://git-lfs.github.com/spec/") {
        let problem = Problem::new("LfsPointer", "the file is a pointer of Git LFS, whose content is kept elsewhere");
        return Some(problem.hint("keep manifests in Git itself: git lfs untrack, and add the file again"));
    }
    if bytes.starts_with(b"\0GITCRYPT\0") {
        return Some(Problem::new(
            "EncryptedManifest",
            "the file is encrypted with git-crypt, and nothing decrypts it",
        ));
    }
    None
}

pub(super) fn unreadable(path: &str, error: &TreeError) -> Problem {
    let problem = match error {
        TreeError::TooLarge { size, limit, .. } => {
            Problem::new("LimitExceeded", format!("the file has {size} bytes, more than the {limit} that are allowed"))
        }
        TreeError::Refused(problem) => return (**problem).clone(),
        // What failed may lie deeper than what was asked for, and the root has no name of its own.
        TreeError::Store { path: at, message } => {
            let at = if at.is_empty() { "." } else { at };
            return Problem::new("Unreadable", format!("cannot be read: {message}")).in_file(at, None);
        }
    };
    problem.in_file(path, None)
}

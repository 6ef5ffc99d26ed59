//! A working copy on disk, read as a tree: what Git ignores is left out, no symbolic link is
//! followed, and nothing outside is looked at.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::UNIX_EPOCH;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use sha2::{Digest, Sha256};

use crate::failure::{Failure, Fault};
use crate::render::{Entry, EntryKind, KUSTOMIZATIONS, Tree, TreeError};

/// Why a folder cannot be read as a working copy.
#[derive(Debug, thiserror::Error)]
pub enum WorkTreeError {
    /// It is not there, or may not be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// As given.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// It is a file.
    #[error("{0} is not a folder")]
    NotAFolder(String),
    /// Its path is not UTF-8, and paths of Git trees are.
    #[error("the path {0} is not UTF-8")]
    NotUtf8(String),
}

impl Failure for WorkTreeError {
    fn reason(&self) -> &'static str {
        "PathUnreadable"
    }

    fn fault(&self) -> Fault {
        Fault::Repository
    }

    fn hint(&self) -> Option<String> {
        match self {
            WorkTreeError::NotAFolder(_) => Some("name the folder that holds the file".to_owned()),
            _ => None,
        }
    }
}

/// A working copy. Its root is the enclosing Git working copy. Where there is none it is the folder
/// itself, or, where that has a kustomization, whose bases may stand anywhere, that of the file
/// system.
#[derive(Debug)]
pub struct WorkTree {
    root: PathBuf,
    folder: String,
    /// What was found of folders; `None` where there is none.
    folders: RefCell<HashMap<String, Option<Rc<Folder>>>>,
    /// Files of Git's index, sorted: what is tracked counts, whatever a `.gitignore` says. Read when
    /// something is ignored.
    tracked: OnceCell<Vec<String>>,
    /// Ids of folders that were asked for, and of files that were read.
    ids: RefCell<HashMap<String, String>>,
}

/// A folder that is reached through folders alone, and that Git does not ignore.
#[derive(Debug)]
struct Folder {
    /// Its entries, sorted by name; `None` where there are many, which are looked up one by one.
    entries: Option<Vec<(String, FileType)>>,
    /// The folder above, from the root.
    above: Option<Rc<Folder>>,
    /// Its `.gitignore`.
    rules: Option<Gitignore>,
}

/// Entries of a folder that are listed where only some of them are looked for.
const MANY: usize = 1000;

fn has_kustomization(folder: &Path) -> bool {
    KUSTOMIZATIONS.iter().any(|name| folder.join(name).is_file())
}

impl WorkTree {
    /// Opens the working copy around `path`, a folder.
    pub fn open(path: &Path) -> Result<Self, WorkTreeError> {
        let shown = path.display().to_string();
        let folder = path.canonicalize().map_err(|source| WorkTreeError::Unreadable { path: shown.clone(), source })?;
        if !folder.is_dir() {
            return Err(WorkTreeError::NotAFolder(shown));
        }
        let alone = || if has_kustomization(&folder) { folder.ancestors().last() } else { None };
        let root = folder.ancestors().find(|above| above.join(".git").exists()).or_else(alone);
        let root = root.unwrap_or(&folder).to_owned();
        let below = folder.strip_prefix(&root).expect("the root is an ancestor");
        let names: Option<Vec<&str>> = below.iter().map(OsStr::to_str).collect();
        let folder = names.ok_or(WorkTreeError::NotUtf8(shown))?.join("/");
        let (folders, ids) = (RefCell::default(), RefCell::default());
        Ok(Self { root, folder, folders, tracked: OnceCell::new(), ids })
    }

    /// The folder that was opened, from the root.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// The root, as the system names it.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether anything stands at the path, also where Git ignores it.
    pub fn exists(&self, path: &str) -> bool {
        self.root.join(path).symlink_metadata().is_ok()
    }

    /// The folder of that path, with what it holds.
    fn entered(&self, path: &str) -> Result<Option<Rc<Folder>>, TreeError> {
        if let Some(known) = self.folders.borrow().get(path) {
            return Ok(known.clone());
        }
        let above = match path.rsplit_once('/') {
            _ if path.is_empty() => None,
            split => {
                let above = split.map_or("", |(above, _)| above);
                match self.kind(path)? {
                    Some(kind) if kind.is_dir() => self.entered(above)?,
                    _ => {
                        self.folders.borrow_mut().insert(path.to_owned(), None);
                        return Ok(None);
                    }
                }
            }
        };
        let folder = Rc::new(self.look(path, above)?);
        self.folders.borrow_mut().insert(path.to_owned(), Some(Rc::clone(&folder)));
        Ok(Some(folder))
    }

    fn look(&self, path: &str, above: Option<Rc<Folder>>) -> Result<Folder, TreeError> {
        let at = self.root.join(path);
        let failed = |error: io::Error| TreeError::Store { path: path.to_owned(), message: error.to_string() };
        let mut entries = Vec::new();
        // A folder that may be entered and not listed is none that nothing can be read of.
        let listed = fs::read_dir(&at).ok();
        let mut all = listed.is_some();
        for entry in listed.into_iter().flatten() {
            let entry = entry.map_err(failed)?;
            if entries.len() == MANY {
                all = false;
                break;
            }
            // What is not UTF-8 cannot be asked for; listings refuse it.
            if let Ok(name) = entry.file_name().into_string() {
                entries.push((name, entry.file_type().map_err(failed)?));
            }
        }
        let file = at.join(".gitignore");
        entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let has_rules = match named(&entries, ".gitignore") {
            Some(kind) => kind.is_file(),
            None => !all && file.symlink_metadata().is_ok_and(|metadata| metadata.is_file()),
        };
        let rules = has_rules.then(|| {
            let mut rules = GitignoreBuilder::new(&at);
            // A line that is no pattern is left out, as Git does.
            let _ = rules.add(file);
            rules.build().unwrap_or_else(|_| Gitignore::empty())
        });
        Ok(Folder { entries: all.then_some(entries), above, rules })
    }

    /// What stands at the path, reached through folders alone; `None` where nothing does, where a
    /// symbolic link stands on the way, and where Git ignores it.
    fn kind(&self, path: &str) -> Result<Option<FileType>, TreeError> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        if matches!(name, "" | "." | ".." | ".git") {
            return Ok(None);
        }
        let Some(folder) = self.entered(above)? else { return Ok(None) };
        let kind = match &folder.entries {
            Some(entries) => named(entries, name),
            None => stat(&self.root.join(path), path)?.map(|metadata| metadata.file_type()),
        };
        Ok(kind.filter(|kind| !self.is_ignored(&folder, path, *kind)))
    }

    /// Whether a `.gitignore` of the folder or above names the entry; the nearest decides.
    fn is_ignored(&self, folder: &Folder, path: &str, kind: FileType) -> bool {
        let mut next = Some(folder);
        while let Some(folder) = next {
            if let Some(rules) = &folder.rules {
                let verdict = rules.matched_path_or_any_parents(self.root.join(path), kind.is_dir());
                if !verdict.is_none() {
                    return verdict.is_ignore() && !self.is_tracked(path);
                }
            }
            next = folder.above.as_deref();
        }
        false
    }

    /// Whether Git's index has the file, or something below the folder.
    fn is_tracked(&self, path: &str) -> bool {
        let tracked = self.tracked.get_or_init(|| tracked(&self.root));
        let from = tracked.partition_point(|file| file.as_str() < path);
        tracked[from..]
            .iter()
            .take_while(|file| file.starts_with(path))
            .any(|file| file.len() == path.len() || file.as_bytes()[path.len()] == b'/')
    }
}

impl Tree for WorkTree {
    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
        let Some(folder) = self.entered(path)? else { return Ok(None) };
        let failed = |error: io::Error| TreeError::Store { path: path.to_owned(), message: error.to_string() };
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.root.join(path)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                let name = entry.file_name().display().to_string();
                let path = if path.is_empty() { name } else { format!("{path}/{name}") };
                return Err(TreeError::Store { path, message: "its name is not UTF-8: rename it".to_owned() });
            };
            let mut whole = path.to_owned();
            join(&mut whole, &name);
            if name == ".git" || self.is_ignored(&folder, &whole, kind) {
                continue;
            }
            let kind = match kind {
                kind if kind.is_symlink() => EntryKind::Symlink,
                kind if kind.is_dir() && entry.path().join(".git").exists() => EntryKind::Submodule,
                kind if kind.is_dir() => EntryKind::Folder,
                kind if kind.is_file() => EntryKind::File,
                // Git has no sockets, pipes or devices.
                _ => continue,
            };
            entries.push(Entry { name, kind });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(entries))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        if !self.kind(path)?.is_some_and(|kind| kind.is_file()) {
            return Ok(None);
        }
        let failed = |error: io::Error| TreeError::Store { path: path.to_owned(), message: error.to_string() };
        let too_large = |size| TreeError::TooLarge { path: path.to_owned(), size, limit };
        let mut file = open(&self.root.join(path)).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Ok(None);
        }
        if metadata.len() > limit {
            return Err(too_large(metadata.len()));
        }
        self.ids.borrow_mut().insert(path.to_owned(), file_id(&metadata));
        // One byte more than there is: the end shows at the first read.
        let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        let mut bytes = vec![0; size.saturating_add(1)];
        let mut filled = 0;
        loop {
            match file.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
            if filled == size {
                break;
            }
            // It grew since.
            if filled == bytes.len() {
                bytes.resize(filled * 2, 0);
            }
            if filled as u64 > limit {
                return Err(too_large(filled as u64));
            }
        }
        bytes.truncate(filled);
        Ok(Some(bytes))
    }

    fn link(&self, path: &str) -> Result<Option<String>, TreeError> {
        if !self.kind(path)?.is_some_and(|kind| kind.is_symlink()) {
            return Ok(None);
        }
        let failed = |error: io::Error| TreeError::Store { path: path.to_owned(), message: error.to_string() };
        let target = fs::read_link(self.root.join(path)).map_err(failed)?;
        Ok(target.into_os_string().into_string().ok())
    }

    /// Made from names, sizes and times: a content that changes changes one of them.
    fn id(&self, path: &str) -> Result<Option<String>, TreeError> {
        if let Some(known) = self.ids.borrow().get(path) {
            return Ok(Some(known.clone()));
        }
        let id = match self.list(path)? {
            Some(entries) => {
                let mut state = Sha256::new();
                for entry in entries {
                    let mut below = path.to_owned();
                    join(&mut below, &entry.name);
                    state.update(format!("{} {:?} {:?}\n", entry.name, entry.kind, self.id(&below)?));
                }
                state.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
            }
            None if self.kind(path)?.is_none() => return Ok(None),
            None => match stat(&self.root.join(path), path)? {
                Some(metadata) => file_id(&metadata),
                None => return Ok(None),
            },
        };
        self.ids.borrow_mut().insert(path.to_owned(), id.clone());
        Ok(Some(id))
    }
}

fn named(entries: &[(String, FileType)], name: &str) -> Option<FileType> {
    let at = entries.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
    Some(entries[at].1)
}

fn file_id(metadata: &Metadata) -> String {
    let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("{} {}", metadata.len(), changed.unwrap_or_default().as_nanos())
}

/// Files of the index. Without one that can be read nothing is tracked.
fn tracked(root: &Path) -> Vec<String> {
    let index = git2::Repository::open(root).and_then(|repository| repository.index());
    let mut files: Vec<String> =
        index.iter().flat_map(git2::Index::iter).filter_map(|entry| String::from_utf8(entry.path).ok()).collect();
    files.sort_unstable();
    files
}

fn join(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('/');
    }
    path.push_str(name);
}

fn stat(at: &Path, path: &str) -> Result<Option<Metadata>, TreeError> {
    match at.symlink_metadata() {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(TreeError::Store { path: path.to_owned(), message: error.to_string() }),
    }
}

/// Opens a file that was a file a moment ago, and refuses a link that took its place since.
fn open(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A working copy with these files.
    fn copy(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folder");
        fs::create_dir(folder.path().join(".git")).expect(".git");
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            fs::write(path, content).expect("file");
        }
        folder
    }

    fn names(tree: &WorkTree, path: &str) -> Option<Vec<String>> {
        let entries = tree.list(path).expect("lists")?;
        Some(entries.into_iter().map(|entry| format!("{:?} {}", entry.kind, entry.name)).collect())
    }

    #[test]
    fn the_root_is_the_enclosing_working_copy() {
        let folder = copy(&[("apps/shop/web.yaml", "")]);
        let tree = WorkTree::open(&folder.path().join("apps/shop")).expect("opens");
        assert_eq!(tree.folder(), "apps/shop");
        assert_eq!(tree.read("apps/shop/web.yaml", 10), Ok(Some(Vec::new())));
        fs::remove_dir(folder.path().join(".git")).expect("removed");
        let alone = WorkTree::open(&folder.path().join("apps/shop")).expect("opens");
        assert_eq!((alone.folder(), alone.read("web.yaml", 10)), ("", Ok(Some(Vec::new()))));
        fs::write(folder.path().join("apps/shop/kustomization.yaml"), "").expect("written");
        let built = WorkTree::open(&folder.path().join("apps/shop")).expect("opens");
        let other = folder.path().canonicalize().expect("a path").join("apps");
        let other = other.strip_prefix("/").expect("absolute").to_str().expect("UTF-8").to_owned();
        assert!(built.list(&other).expect("lists").is_some(), "bases stand anywhere");
    }

    #[test]
    fn what_git_ignores_is_not_there() {
        let folder = copy(&[
            (".gitignore", "*.tmp\n/target/\n"),
            ("a/.gitignore", "!keep.tmp\n"),
            ("a/keep.tmp", "1"),
            ("a/drop.tmp", "2"),
            ("target/x.yaml", "3"),
            ("a/target/x.yaml", "4"),
            ("b.yaml", "5"),
        ]);
        let tree = WorkTree::open(folder.path()).expect("opens");
        assert_eq!(names(&tree, "").expect("folder"), ["File .gitignore", "Folder a", "File b.yaml"]);
        assert_eq!(names(&tree, "a").expect("folder"), ["File .gitignore", "File keep.tmp", "Folder target"]);
        assert_eq!(names(&tree, "target"), None);
        for (path, there) in [("target/x.yaml", None), ("a/target/x.yaml", Some(b"4".to_vec())), (".git/config", None)]
        {
            assert_eq!(tree.read(path, 10), Ok(there), "{path}");
        }
    }

    #[test]
    fn what_git_tracks_is_there_whatever_is_ignored() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let repository = git2::Repository::init(folder.path()).expect("a repository");
        for (name, content) in
            [("gen/a.yaml", "1"), ("gen/b.yaml", "2"), (".gitignore", "gen\n*.bak\n"), ("a.bak", "3")]
        {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            fs::write(path, content).expect("file");
        }
        let mut index = repository.index().expect("index");
        index.add_path(Path::new("gen/a.yaml")).expect("adds");
        index.write().expect("writes");
        let tree = WorkTree::open(folder.path()).expect("opens");
        assert_eq!(names(&tree, "").expect("folder"), ["File .gitignore", "Folder gen"]);
        assert_eq!(names(&tree, "gen").expect("folder"), ["File a.yaml"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_told_and_never_followed() {
        let folder = copy(&[("real/x.yaml", "1")]);
        std::os::unix::fs::symlink("real", folder.path().join("link")).expect("link");
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join("real/host.yaml")).expect("link");
        let tree = WorkTree::open(folder.path()).expect("opens");
        assert_eq!(names(&tree, "").expect("folder"), ["Symlink link", "Folder real"]);
        assert_eq!(names(&tree, "link"), None);
        for path in ["link/x.yaml", "real/host.yaml", "real/../real/x.yaml", "../x", "real/x.yaml/y"] {
            assert_eq!(tree.read(path, 1000), Ok(None), "{path}");
        }
        assert!(
            matches!(open(&folder.path().join("real/host.yaml")), Err(error) if error.raw_os_error() == Some(libc::ELOOP))
        );
    }

    #[test]
    fn ids_change_when_content_does_and_large_files_are_refused() {
        let folder = copy(&[("a/x.yaml", "1"), ("b/x.yaml", "1")]);
        let ids = || {
            let tree = WorkTree::open(folder.path()).expect("opens");
            ["", "a", "b", "c"].map(|path| tree.id(path).expect("id"))
        };
        let before = ids();
        assert_eq!(ids(), before);
        fs::write(folder.path().join("a/x.yaml"), "two").expect("write");
        let after = ids();
        assert!(before[0] != after[0] && before[1] != after[1] && before[2] == after[2] && after[3].is_none());
        let tree = WorkTree::open(folder.path()).expect("opens");
        assert!(matches!(tree.read("a/x.yaml", 2), Err(TreeError::TooLarge { size: 3, limit: 2, .. })));
    }
}

//! A working copy on disk, read as a tree: what Git ignores is left out, no symbolic link is
//! followed, and nothing outside is looked at.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
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
    ignored: RefCell<HashMap<String, Gitignore>>,
    /// Files of Git's index, sorted: what is tracked counts, whatever a `.gitignore` says.
    tracked: Vec<String>,
    ids: RefCell<HashMap<String, Option<String>>>,
}

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
        let tracked = tracked(&root);
        Ok(Self { root, folder, ignored: RefCell::default(), tracked, ids: RefCell::default() })
    }

    /// The folder that was opened, from the root.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// What stands at the path, reached through folders alone; `None` where nothing does, where a
    /// symbolic link stands on the way, and where Git ignores it.
    fn stat(&self, path: &str) -> Result<Option<Metadata>, TreeError> {
        let mut at = self.root.clone();
        let mut found = stat_one(&at, path)?;
        let mut walked = String::new();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let above_is_folder = found.as_ref().is_some_and(Metadata::is_dir);
            if !above_is_folder || matches!(name, "." | ".." | ".git") {
                return Ok(None);
            }
            at.push(name);
            found = stat_one(&at, path)?;
            let Some(metadata) = &found else { return Ok(None) };
            if self.is_ignored(&walked, &at, metadata.file_type()) {
                return Ok(None);
            }
            join(&mut walked, name);
        }
        Ok(found)
    }

    /// Whether a `.gitignore` of `folder` or above names the entry; the nearest decides.
    fn is_ignored(&self, folder: &str, at: &Path, kind: FileType) -> bool {
        let mut above = Some(folder);
        while let Some(folder) = above {
            let mut known = self.ignored.borrow_mut();
            let rules = known.entry(folder.to_owned()).or_insert_with(|| {
                let mut rules = GitignoreBuilder::new(self.root.join(folder));
                let file = self.root.join(folder).join(".gitignore");
                if file.symlink_metadata().is_ok_and(|m| m.is_file()) {
                    // A line that is no pattern is left out, as Git does.
                    let _ = rules.add(file);
                }
                rules.build().unwrap_or_else(|_| Gitignore::empty())
            });
            let verdict = rules.matched_path_or_any_parents(at, kind.is_dir());
            if !verdict.is_none() {
                return verdict.is_ignore() && !self.is_tracked(at);
            }
            above = (!folder.is_empty()).then(|| folder.rsplit_once('/').map_or("", |(above, _)| above));
        }
        false
    }

    /// Whether Git's index has the file, or something below the folder.
    fn is_tracked(&self, at: &Path) -> bool {
        let Some(path) = at.strip_prefix(&self.root).ok().and_then(Path::to_str) else { return false };
        let from = self.tracked.partition_point(|file| file.as_str() < path);
        self.tracked[from..]
            .iter()
            .take_while(|file| file.starts_with(path))
            .any(|file| file.len() == path.len() || file.as_bytes()[path.len()] == b'/')
    }
}

impl Tree for WorkTree {
    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
        if !self.stat(path)?.is_some_and(|metadata| metadata.is_dir()) {
            return Ok(None);
        }
        let failed = |error: io::Error| TreeError::Store { path: path.to_owned(), message: error.to_string() };
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.root.join(path)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(TreeError::Store {
                    path: path.to_owned(),
                    message: format!("the name {} is not UTF-8", entry.file_name().display()),
                });
            };
            if name == ".git" || self.is_ignored(path, &entry.path(), kind) {
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
        let Some(metadata) = self.stat(path)?.filter(Metadata::is_file) else { return Ok(None) };
        let too_large = |size| TreeError::TooLarge { path: path.to_owned(), size, limit };
        if metadata.len() > limit {
            return Err(too_large(metadata.len()));
        }
        let mut bytes = Vec::new();
        let read = open(&self.root.join(path)).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
        match read {
            Ok(size) if size as u64 > limit => Err(too_large(size as u64)),
            Ok(_) => Ok(Some(bytes)),
            Err(error) => Err(TreeError::Store { path: path.to_owned(), message: error.to_string() }),
        }
    }

    fn link(&self, path: &str) -> Result<Option<String>, TreeError> {
        if !self.stat(path)?.is_some_and(|metadata| metadata.is_symlink()) {
            return Ok(None);
        }
        let failed = |error: io::Error| TreeError::Store { path: path.to_owned(), message: error.to_string() };
        let target = fs::read_link(self.root.join(path)).map_err(failed)?;
        Ok(target.into_os_string().into_string().ok())
    }

    /// Made from names, sizes and times: a content that changes changes one of them.
    fn id(&self, path: &str) -> Result<Option<String>, TreeError> {
        if let Some(known) = self.ids.borrow().get(path) {
            return Ok(known.clone());
        }
        let id = match self.stat(path)? {
            None => None,
            Some(metadata) => {
                let mut state = Sha256::new();
                match self.list(path)? {
                    Some(entries) => {
                        for entry in entries {
                            let mut below = path.to_owned();
                            join(&mut below, &entry.name);
                            state.update(format!("{} {:?} {:?}\n", entry.name, entry.kind, self.id(&below)?));
                        }
                    }
                    None => {
                        let changed = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
                        state.update(format!("{} {:?}", metadata.len(), changed));
                    }
                }
                Some(state.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
            }
        };
        self.ids.borrow_mut().insert(path.to_owned(), id.clone());
        Ok(id)
    }
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

fn stat_one(at: &Path, path: &str) -> Result<Option<Metadata>, TreeError> {
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

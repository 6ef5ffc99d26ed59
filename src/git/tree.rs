//! A commit's tree, read from the object store.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use git2::{ErrorCode, ObjectType, Oid, Repository};

use super::commit::read;
use super::error::GitError;
use super::fetch::oid;
use crate::render::{Entry, EntryKind, Tree, TreeError};

/// Entries of a folder by name.
type Folder = HashMap<String, (Oid, EntryKind)>;

/// Entries of folders that are kept, in all.
const ENTRIES: usize = 20_000;

/// Bytes of a symbolic link: no system has longer paths.
const LINK: u64 = 4096;

/// Folders that were read. Their ids say what they hold, whatever the commit: Syncs and read sets
/// of a repository share most of theirs, and some are large.
#[derive(Default)]
struct Folders {
    folders: HashMap<Oid, Rc<Folder>>,
    entries: usize,
}

impl Folders {
    fn keep(&mut self, id: Oid, folder: &Rc<Folder>) {
        if self.entries + folder.len() > ENTRIES {
            *self = Self::default();
        }
        self.entries += folder.len();
        self.folders.insert(id, folder.clone());
    }
}

thread_local! {
    static FOLDERS: RefCell<Folders> = RefCell::default();
}

/// The tree of a commit. Nothing is checked out, so names in it can do no harm; those that no
/// honest tree has are left out of listings and told by [`GitTree::strange_names`].
pub struct GitTree<'a> {
    repository: &'a Repository,
    root: Oid,
    strange: RefCell<BTreeSet<String>>,
    failure: RefCell<Option<String>>,
}

impl<'a> GitTree<'a> {
    /// The tree of a commit that was fetched.
    pub fn new(repository: &'a Repository, url: &str, commit: &str) -> Result<Self, GitError> {
        Ok(Self::of_tree(repository, read(repository, url, oid(url, commit)?)?.tree_id()))
    }

    /// A tree that is of no commit.
    pub(super) fn of_tree(repository: &'a Repository, root: Oid) -> Self {
        Self { repository, root, strange: RefCell::default(), failure: RefCell::default() }
    }

    /// Paths that were met in listings and left out: no honest tree has such names.
    pub fn strange_names(&self) -> Vec<String> {
        self.strange.borrow().iter().cloned().collect()
    }

    /// The first failure of the object store, where there was one.
    pub fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    fn store(&self, path: &str, error: &git2::Error) -> TreeError {
        let message = match error.code() {
            ErrorCode::NotFound => "it is missing from the cache".to_owned(),
            _ => error.message().to_owned(),
        };
        let failure = TreeError::Store { path: path.to_owned(), message };
        self.failure.borrow_mut().get_or_insert_with(|| failure.to_string());
        failure
    }

    fn lookup(&self, path: &str) -> Result<Option<(Oid, EntryKind)>, TreeError> {
        if path.is_empty() {
            return Ok(Some((self.root, EntryKind::Folder)));
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        match self.lookup(folder)? {
            Some((id, EntryKind::Folder)) => Ok(self.folder(path, id)?.get(name).copied()),
            _ => Ok(None),
        }
    }

    fn folder(&self, path: &str, id: Oid) -> Result<Rc<Folder>, TreeError> {
        if let Some(known) = FOLDERS.with_borrow(|known| known.folders.get(&id).cloned()) {
            return Ok(known);
        }
        let tree = self.repository.find_tree(id).map_err(|e| self.store(path, &e))?;
        let entries = tree.iter().filter_map(|entry| {
            let name = entry.name().ok()?.to_owned();
            Some((name, (entry.id(), kind(entry.filemode()))))
        });
        let folder: Rc<Folder> = Rc::new(entries.collect());
        FOLDERS.with_borrow_mut(|known| known.keep(id, &folder));
        Ok(folder)
    }
}

impl Tree for GitTree<'_> {
    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
        let Some((id, EntryKind::Folder)) = self.lookup(path)? else { return Ok(None) };
        let tree = self.repository.find_tree(id).map_err(|e| self.store(path, &e))?;
        let mut entries = Vec::with_capacity(tree.len());
        for entry in &tree {
            let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
            if is_strange(entry.name_bytes()) {
                let whole = if path.is_empty() { name } else { format!("{path}/{name}") };
                self.strange.borrow_mut().insert(whole.escape_debug().to_string());
                continue;
            }
            entries.push(Entry { name, kind: kind(entry.filemode()) });
        }
        // Git sorts folders as if their names ended with a slash.
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(entries))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        match self.lookup(path)? {
            Some((id, EntryKind::File)) => self.blob(path, id, limit).map(Some),
            _ => Ok(None),
        }
    }

    fn link(&self, path: &str) -> Result<Option<String>, TreeError> {
        let Some((id, EntryKind::Symlink)) = self.lookup(path)? else { return Ok(None) };
        let target = self.blob(path, id, LINK)?;
        Ok(Some(String::from_utf8_lossy(&target).into_owned()))
    }

    fn id(&self, path: &str) -> Result<Option<String>, TreeError> {
        Ok(self.lookup(path)?.map(|(id, _)| id.to_string()))
    }
}

impl GitTree<'_> {
    fn blob(&self, path: &str, id: Oid, limit: u64) -> Result<Vec<u8>, TreeError> {
        let odb = self.repository.odb().map_err(|e| self.store(path, &e))?;
        let (size, object) = odb.read_header(id).map_err(|e| self.store(path, &e))?;
        if object != ObjectType::Blob {
            return Err(TreeError::Store {
                path: path.to_owned(),
                message: "it is no file in the object store".to_owned(),
            });
        }
        if size as u64 > limit {
            return Err(TreeError::TooLarge { path: path.to_owned(), size: size as u64, limit });
        }
        let blob = odb.read(id).map_err(|e| self.store(path, &e))?;
        Ok(blob.data().to_vec())
    }
}

fn kind(mode: i32) -> EntryKind {
    match mode & 0o170_000 {
        0o040_000 => EntryKind::Folder,
        0o120_000 => EntryKind::Symlink,
        0o160_000 => EntryKind::Submodule,
        _ => EntryKind::File,
    }
}

/// Names that mean something else than a file of that name somewhere.
fn is_strange(name: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(name) else { return true };
    let plain: String = text.chars().filter(|c| !is_ignorable(*c)).collect();
    let plain = plain.trim_end_matches(['.', ' ']).to_ascii_lowercase();
    matches!(text, "" | "." | "..")
        || matches!(plain.as_str(), "" | ".git" | "git~1")
        || text.chars().any(|c| c == '/' || c == '\\' || c.is_control())
}

/// Characters that some file systems leave out when they compare names.
fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

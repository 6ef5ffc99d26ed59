//! A tree of files, wherever it is kept, and the record of what was read of it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::object::Problem;

/// A tree of files: a commit in Git's object store, a working copy, or a map in a test. Paths are
/// relative to its root, with `/`, without a leading one, and without `.` or `..`; the root is the
/// empty path.
pub trait Tree {
    /// Entries of a folder, sorted by name; `None` where there is no folder of that path.
    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError>;
    /// Content of a file of at most `limit` bytes; `None` where there is no file of that path.
    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError>;
    /// The content as it is kept: where a file is encrypted, its cipher text. For what may not be
    /// decrypted; everything else asks for [`Tree::read`].
    fn kept(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        self.read(path, limit)
    }
    /// Target of a symbolic link, as it is written; `None` where none stands at the path. Only who
    /// means to follow it within the tree asks. A tree without links needs no more than this.
    fn link(&self, path: &str) -> Result<Option<String>, TreeError> {
        let _ = path;
        Ok(None)
    }
    /// Identity of what stands at the path: an id that changes when the content does (for a
    /// folder, all that it holds); `None` where nothing stands there.
    fn id(&self, path: &str) -> Result<Option<String>, TreeError>;
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name in the folder.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry of a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link; never followed out of the tree.
    Symlink,
    /// A submodule; never fetched.
    Submodule,
}

/// Why a tree could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum TreeError {
    /// The file is larger than the limit.
    #[error("{path} has {size} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Which file.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The store failed.
    #[error("{path} cannot be read: {message}")]
    Store {
        /// Which path.
        path: String,
        /// What the store said.
        message: String,
    },
    /// The file is there, and its content is not to be read.
    #[error("{0}")]
    Refused(Box<Problem>),
}

/// One thing that a render looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadRecord {
    /// Path from the root of the tree.
    pub path: String,
    /// Id of what stood there; `None` for a miss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Everything that a render looked at, sorted by path. What lies below a folder that was read
/// whole is covered by that folder's id and left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSet {
    /// The records.
    pub records: Vec<ReadRecord>,
}

impl ReadSet {
    /// Whether `tree` still holds what was read: then the render would yield the same.
    pub fn holds_in(&self, tree: &dyn Tree) -> Result<bool, TreeError> {
        for record in &self.records {
            if tree.id(&record.path)? != record.id {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a change at this path may change what was read. A folder that was listed holds all below it.
    pub fn reads(&self, path: &str) -> bool {
        let below = |path: &str, folder: &str| {
            folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.records.iter().any(|record| below(path, &record.path) || below(&record.path, path))
    }
}

/// A tree that notes what is looked at.
pub struct Recorder<'a> {
    tree: &'a dyn Tree,
    seen: RefCell<BTreeMap<String, Option<String>>>,
}

impl<'a> Recorder<'a> {
    /// Records reads of `tree`.
    pub fn new(tree: &'a dyn Tree) -> Self {
        Self { tree, seen: RefCell::default() }
    }

    /// What was looked at so far, with what lies below a listed folder left out.
    pub fn into_read_set(self) -> ReadSet {
        let seen = self.seen.into_inner();
        let is_covered = |folder: &str| {
            let above = folder.rmatch_indices('/').map(|(at, _)| &folder[..at]);
            let root = (!folder.is_empty()).then_some("");
            std::iter::once(folder).chain(above).chain(root).any(|folder| matches!(seen.get(folder), Some(Some(_))))
        };
        // What stands in one folder comes one after the other, so each folder is asked about about once.
        let mut last: Option<(&str, bool)> = None;
        let records = seen.iter().filter(|(path, _)| {
            let folder = match path.rfind('/') {
                Some(at) => &path[..at],
                None if path.is_empty() => return true,
                None => "",
            };
            let covered = match last {
                Some((known, covered)) if known == folder => covered,
                _ => is_covered(folder),
            };
            last = Some((folder, covered));
            !covered
        });
        ReadSet { records: records.map(|(path, id)| ReadRecord { path: path.clone(), id: id.clone() }).collect() }
    }

    /// Notes that something was looked at, without looking.
    pub(super) fn note(&self, path: &str) -> Result<(), TreeError> {
        if !self.seen.borrow().contains_key(path) {
            let id = self.tree.id(path)?;
            self.seen.borrow_mut().insert(path.to_owned(), id);
        }
        Ok(())
    }
}

impl Tree for Recorder<'_> {
    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
        self.note(path)?;
        self.tree.list(path)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        self.note(path)?;
        self.tree.read(path, limit)
    }

    fn kept(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        self.note(path)?;
        self.tree.kept(path, limit)
    }

    fn link(&self, path: &str) -> Result<Option<String>, TreeError> {
        self.note(path)?;
        self.tree.link(path)
    }

    fn id(&self, path: &str) -> Result<Option<String>, TreeError> {
        self.note(path)?;
        self.tree.id(path)
    }
}

//! A working copy as an editor has it: texts that are not saved stand in place of the files.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::cli::worktree::WorkTree;
use crate::render::{Entry, EntryKind, Tree, TreeError};

/// Texts by their path from the root.
pub type Texts = BTreeMap<String, Arc<str>>;

/// The tree. It notes which folders are listed.
#[derive(Debug)]
pub struct Overlay {
    work: WorkTree,
    texts: Arc<Texts>,
    listed: RefCell<BTreeSet<String>>,
}

impl Overlay {
    /// The working copy with these texts.
    pub fn new(work: WorkTree, texts: Arc<Texts>) -> Self {
        Self { work, texts, listed: RefCell::default() }
    }

    /// Folders that were listed since this was asked last.
    pub fn listed(&self) -> BTreeSet<String> {
        self.listed.take()
    }

    /// The text at a path. A file that Git ignores is none of the tree, open or not.
    fn text(&self, path: &str) -> Result<Option<&Arc<str>>, TreeError> {
        match self.texts.get(path) {
            Some(text) if self.work.id(path)?.is_some() || !self.work.exists(path) => Ok(Some(text)),
            _ => Ok(None),
        }
    }
}

impl Tree for Overlay {
    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
        self.listed.borrow_mut().insert(path.to_owned());
        let listed = self.work.list(path)?;
        let inside = if path.is_empty() { String::new() } else { format!("{path}/") };
        let below = self.texts.range(inside.clone()..).take_while(|(file, _)| file.starts_with(&inside));
        let mut added: BTreeMap<String, EntryKind> = BTreeMap::new();
        for (file, _) in below {
            let rest = &file[inside.len()..];
            let (name, kind) =
                rest.split_once('/').map_or((rest, EntryKind::File), |(name, _)| (name, EntryKind::Folder));
            let known = |entries: &Vec<Entry>| entries.iter().any(|entry| entry.name == name);
            // What is there and not listed is left out on purpose.
            if !listed.as_ref().is_some_and(known) && !self.work.exists(&format!("{inside}{name}")) {
                added.insert(name.to_owned(), kind);
            }
        }
        if added.is_empty() {
            return Ok(listed);
        }
        let mut entries = listed.unwrap_or_default();
        entries.extend(added.into_iter().map(|(name, kind)| Entry { name, kind }));
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Some(entries))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        match self.text(path)? {
            Some(text) if text.len() as u64 > limit => {
                Err(TreeError::TooLarge { path: path.to_owned(), size: text.len() as u64, limit })
            }
            Some(text) => Ok(Some(text.as_bytes().to_vec())),
            None => self.work.read(path, limit),
        }
    }

    fn link(&self, path: &str) -> Result<Option<String>, TreeError> {
        self.work.link(path)
    }

    /// That of a folder does not know of texts that are not saved: nobody asks for it who renders at once.
    fn id(&self, path: &str) -> Result<Option<String>, TreeError> {
        match self.text(path)? {
            Some(text) => Ok(Some(Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())),
            None => self.work.id(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_stands_in_place_of_what_is_saved() {
        let folder = tempfile::tempdir().expect("folder");
        git2::Repository::init(folder.path()).expect("a repository");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            std::fs::write(path, text).expect("file");
        };
        write("a/saved.yaml", "saved");
        write("a/ignored.yaml", "saved");
        write(".gitignore", "ignored.yaml\n");
        let texts = ["a/saved.yaml", "a/new.yaml", "a/ignored.yaml", "b/c/new.yaml"];
        let texts: Texts = texts.map(|path| (path.to_owned(), Arc::from("open"))).into_iter().collect();
        let tree = Overlay::new(WorkTree::open(folder.path()).expect("opens"), Arc::new(texts));
        let read =
            |path: &str| tree.read(path, 4).expect("reads").map(|bytes| String::from_utf8(bytes).expect("a text"));
        assert_eq!(read("a/saved.yaml").as_deref(), Some("open"));
        assert_eq!(read("a/new.yaml").as_deref(), Some("open"));
        assert_eq!(read("a/ignored.yaml"), None);
        assert!(matches!(tree.read("a/new.yaml", 3), Err(TreeError::TooLarge { size: 4, .. })));
        let names = |path: &str| {
            let entries = tree.list(path).expect("lists").unwrap_or_default();
            entries.into_iter().map(|entry| format!("{} {:?}", entry.name, entry.kind)).collect::<Vec<_>>()
        };
        assert_eq!(names("a"), ["new.yaml File", "saved.yaml File"]);
        assert_eq!(names("b"), ["c Folder"]);
        assert_eq!(names(""), [".gitignore File", "a Folder", "b Folder"]);
        assert!(tree.listed().contains("b") && tree.listed().is_empty());
        assert_ne!(tree.id("a/saved.yaml").expect("an id"), tree.work.id("a/saved.yaml").expect("an id"));
    }
}

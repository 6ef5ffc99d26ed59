//! A tree in memory, for tests and for whoever has files and no repository.

use std::collections::BTreeMap;

use super::{Entry, EntryKind, Tree, TreeError};
use crate::object::DigestKey;

/// Files by path. Folders exist where something is in them; ids are digests of the content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemTree {
    nodes: BTreeMap<String, Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    File(Vec<u8>),
    Symlink(String),
    Submodule,
}

impl MemTree {
    /// A tree with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same tree with a file.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.nodes.insert(path.to_owned(), Node::File(content.into()));
        self
    }

    /// The same tree with a symbolic link.
    #[must_use]
    pub fn symlink(mut self, path: &str, target: &str) -> Self {
        self.nodes.insert(path.to_owned(), Node::Symlink(target.to_owned()));
        self
    }

    /// The same tree with a submodule.
    #[must_use]
    pub fn submodule(mut self, path: &str) -> Self {
        self.nodes.insert(path.to_owned(), Node::Submodule);
        self
    }

    /// The same tree without a file, link or submodule.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        self.nodes.remove(path);
        self
    }

    /// What lies below a folder, by its path from there.
    fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a Node)> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        self.nodes.iter().filter_map(move |(path, node)| Some((path.strip_prefix(&prefix)?, node)))
    }
}

impl Node {
    fn entry(&self) -> EntryKind {
        match self {
            Self::File(_) => EntryKind::File,
            Self::Symlink(_) => EntryKind::Symlink,
            Self::Submodule => EntryKind::Submodule,
        }
    }

    fn id(&self) -> String {
        let (mark, content): (&[u8], &[u8]) = match self {
            Self::File(content) => (b"f", content),
            Self::Symlink(target) => (b"l", target.as_bytes()),
            Self::Submodule => (b"m", b""),
        };
        DigestKey::new(mark).digest_bytes(content).to_string()
    }
}

impl Tree for MemTree {
    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
        let mut entries = BTreeMap::new();
        for (inner, node) in self.below(path) {
            let (name, kind) = match inner.split_once('/') {
                Some((name, _)) => (name, EntryKind::Folder),
                None => (inner, node.entry()),
            };
            entries.insert(name.to_owned(), kind);
        }
        if entries.is_empty() && !path.is_empty() {
            return Ok(None);
        }
        Ok(Some(entries.into_iter().map(|(name, kind)| Entry { name, kind }).collect()))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let Some(Node::File(content)) = self.nodes.get(path) else { return Ok(None) };
        let size = content.len() as u64;
        if size > limit {
            return Err(TreeError::TooLarge { path: path.to_owned(), size, limit });
        }
        Ok(Some(content.clone()))
    }

    fn link(&self, path: &str) -> Result<Option<String>, TreeError> {
        let link = |node: &Node| if let Node::Symlink(target) = node { Some(target.clone()) } else { None };
        Ok(self.nodes.get(path).and_then(link))
    }

    fn id(&self, path: &str) -> Result<Option<String>, TreeError> {
        if let Some(node) = self.nodes.get(path) {
            return Ok(Some(node.id()));
        }
        let listing: Vec<String> = self.below(path).map(|(inner, node)| format!("{inner}\0{}", node.id())).collect();
        if listing.is_empty() && !path.is_empty() {
            return Ok(None);
        }
        Ok(Some(DigestKey::new(*b"d").digest_bytes(listing.join("\n").as_bytes()).to_string()))
    }
}

//! From a tree of files to manifests, problems and the read set.
//!
//! The rules that problems name, which are promised:
//!
//! | rule | what is wrong |
//! |---|---|
//! | `InvalidPath`, `PathNotFound` | the path of the Sync leaves the repository, or names no folder of it |
//! | `NoObjects` | nothing is wrong in the files, and there is no object in them |
//! | `InvalidYaml`, `InvalidJson` | a document, or a value in it, cannot be read |
//! | `DuplicateKey`, `DuplicateObject` | something stands twice; both places are told |
//! | `NotAnObject` | a document without apiVersion, kind, metadata or name |
//! | `InvalidObject` | an object with a name, label or annotation that no API server takes |
//! | `GenerateNameNotSupported` | an object that would be another one at every apply |
//! | `EncryptedManifest`, `LfsPointer` | the content is not there to be read |
//! | `SymlinkNotFollowed`, `SubmoduleNotRead` | the content is somewhere else |
//! | `ChartNotSupported` | the folder belongs to Helm |
//! | `InvalidKustomization`, `InvalidConfiguration`, `InvalidSchema` | a kustomization, or a file that it is configured by, cannot be meant so |
//! | `FileNotFound`, `FileOutside`, `KustomizationCycle`, `RemoteNotFetched` | what a kustomization names is not there, or not to be read |
//! | `InvalidPatch`, `InvalidSelector`, `InvalidGenerator`, `InvalidReplacement`, `InvalidVar`, `InvalidReference` | an entry of a kustomization cannot be meant so |
//! | `PatchFailed`, `InvalidField`, `InvalidNamespace`, `InvalidReplicas`, `ValidatorChanges` | an entry does not fit the objects |
//! | `PluginNotRun` | a generator, transformer or validator is a program |
//! | `InvalidIgnore` | a line of a `.tandemignore` is no pattern |
//! | `LimitExceeded` | a limit was passed; which, and what was left unread |
//! | `Unreadable` | the store failed |

mod ignored;
mod kustomize;
mod memory;
pub mod merge;
mod near;
mod object;
mod objects;
mod path;
pub mod plain;
mod tree;

pub use kustomize::NAMES as KUSTOMIZATIONS;
pub use memory::MemTree;
pub use tree::{Entry, EntryKind, ReadRecord, ReadSet, Recorder, Tree, TreeError};

use serde::{Deserialize, Serialize};

use crate::object::{Manifest, Problem, yaml};

/// Limits on what a render may read and produce. What passes one is a problem that names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files that are read.
    pub total_bytes: u64,
    /// Files that are read.
    pub files: u32,
    /// Documents in one file.
    pub documents: u32,
    /// Nodes (scalars, sequences, mappings) in one file, aliases expanded.
    pub nodes: u32,
    /// Bytes of memory, about, that all objects take together.
    pub total_memory: u64,
    /// Depth of nesting in a document, and of folders.
    pub depth: u32,
    /// Aliases in one file.
    pub aliases: u32,
    /// Objects that a render yields.
    pub objects: u32,
}

impl Default for Limits {
    /// Those of a command line, which has the memory of a person's machine.
    fn default() -> Self {
        Self {
            file_bytes: 16 << 20,
            total_bytes: 128 << 20,
            files: 50_000,
            documents: 10_000,
            nodes: 1_000_000,
            total_memory: 1 << 30,
            depth: 100,
            aliases: 10_000,
            objects: 50_000,
        }
    }
}

impl Limits {
    /// Those of the agent. Its worker holds what is rendered once and the agent itself up to three
    /// times, and all of it has to fit into the 512 MiB that their Pod has together.
    pub fn agent() -> Self {
        Self { total_memory: 64 << 20, ..Self::default() }
    }

    /// Those that hold for one file.
    pub fn yaml(&self) -> yaml::Limits {
        yaml::Limits {
            bytes: self.file_bytes,
            documents: self.documents,
            nodes: self.nodes,
            depth: self.depth,
            aliases: self.aliases,
        }
    }
}

/// What a render yields. Where there are problems the manifests are those that could be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rendered {
    /// In the order of files and documents.
    pub manifests: Vec<Manifest>,
    /// All of them, in the order of files and lines.
    pub problems: Vec<Problem>,
    /// What was read, misses included: where none of it changed, nothing needs to be rendered.
    pub read_set: ReadSet,
}

/// Renders the folder `path` of `tree`.
///
/// A render with problems is never complete: an object that is missing from it may stand in what
/// could not be read, so nothing is to be pruned by it. The same holds for an empty one, which has
/// the problem `NoObjects`.
pub fn render(tree: &dyn Tree, path: &str, limits: &Limits) -> Rendered {
    plain::render(tree, path, limits)
}

#[cfg(test)]
mod tests;

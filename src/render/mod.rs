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
//! | `NoDecryptionKey` | none of the keys that are given is one that the file is encrypted for |
//! | `SopsMissing` | a file can be decrypted by the program `sops` alone, and it is not there |
//! | `DecryptionFailed` | an encrypted file is damaged, or was changed after it was encrypted |
//! | `SymlinkNotFollowed`, `SubmoduleNotRead` | the content is somewhere else |
//! | `InvalidChart`, `ChartDependencyMissing`, `ChartNotForCluster` | a chart cannot be meant so, lacks a chart that it depends on, or wants another Kubernetes |
//! | `ChartRefused`, `InvalidValues`, `InvalidRelease`, `InvalidHook` | Helm refused a template or the values, with its words; a name no release may have; a hook that Helm leaves out |
//! | `NoChart` | there are values for a chart where none stands |
//! | `NotReproducible` | a chart prints something else at every render |
//! | `HelmMissing` | a chart cannot be rendered, because the program is not there, or is not Helm 4 |
//! | `NotAnswered` | a program was not asked; it is the caller's to ask |
//! | `InvalidKustomization`, `InvalidConfiguration`, `InvalidSchema` | a kustomization, or a file that it is configured by, cannot be meant so |
//! | `FileNotFound`, `FileOutside`, `KustomizationCycle`, `RemoteNotFetched` | what a kustomization names is not there, or not to be read |
//! | `InvalidPatch`, `InvalidSelector`, `InvalidGenerator`, `InvalidReplacement`, `InvalidVar`, `InvalidReference` | an entry of a kustomization cannot be meant so |
//! | `PatchFailed`, `InvalidField`, `InvalidNamespace`, `InvalidReplicas`, `ValidatorChanges` | an entry does not fit the objects |
//! | `PluginNotRun` | a generator, transformer or validator is a program |
//! | `UnknownVariable`, `InvalidVariable` | a variable has no value; it is written as only a shell reads it, or its value is no text |
//! | `SecretInName` | a value of a Secret would stand where everybody sees it |
//! | `InvalidIgnore` | a line of a `.tandemignore` is no pattern |
//! | `LimitExceeded` | a limit was passed; which, and what was left unread |
//! | `Unreadable` | the store failed |

mod allowance;
pub mod helm;
mod ignored;
mod kustomize;
mod memory;
pub mod merge;
mod need;
mod object;
mod objects;
mod path;
pub mod plain;
pub mod sops;
pub mod substitute;
mod tree;

pub use allowance::Allowance;
pub use kustomize::{KUSTOMIZATION, NAMES as KUSTOMIZATIONS, Shape as KustomizationShape, names};
pub use memory::MemTree;
pub use need::{Answer, Answers, Ask, Blob, Need, Needs};
pub use tree::{Entry, EntryKind, ReadRecord, ReadSet, Recorder, Tree, TreeError};

use serde::{Deserialize, Serialize};

use self::substitute::Variables;
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
    /// Steps of work that kustomizations may take: one for each object that a transformer looks at, for
    /// each field that it looks for, and for each node of what is copied or merged.
    pub work: u64,
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
            work: 500_000_000,
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
            plain: yaml::Plain::AsWritten,
            end: yaml::End::Completed,
        }
    }
}

/// What a render is asked for, beside the tree and the path: everything that does not stand in the
/// tree. Equal trees and equal options render to equal manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// What it may read and produce.
    pub limits: Limits,
    /// Values of the variables in what is rendered; without, no text is touched.
    pub substitute: Option<Variables>,
    /// Private keys for what SOPS encrypted.
    pub decryption: sops::Keys,
    /// Whether each manifest is to say why its fields have their values.
    pub explain: bool,
    /// Which objects a kustomization may make.
    #[serde(default)]
    pub made: Made,
    /// How charts are rendered.
    #[serde(default)]
    pub helm: helm::Settings,
    /// What programs have answered so far.
    #[serde(default)]
    pub answers: Answers,
}

/// Which objects a kustomization may make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Made {
    /// Such as an API server may take, and at least one.
    #[default]
    Applicable,
    /// Whatever kustomize makes, none included: a text for another tool, such as the templates of a chart.
    Anything,
}

impl Options {
    /// With the limits of the agent, see [`Limits::agent`].
    pub fn agent() -> Self {
        Self::from(Limits::agent())
    }
}

impl Options {
    /// How manifests are read.
    pub fn yaml(&self) -> yaml::Limits {
        let plain = if self.substitute.is_some() { yaml::Plain::Marked } else { yaml::Plain::AsWritten };
        yaml::Limits { plain, ..self.limits.yaml() }
    }

    /// What the name of an object may be before variables are put in.
    fn names(&self) -> object::Reading {
        self.reading(if self.substitute.is_some() { object::Names::WithVariables } else { object::Names::Settled })
    }

    /// The same for what a kustomization makes.
    fn names_made(&self) -> object::Reading {
        if self.made == Made::Anything { self.reading(object::Names::Any) } else { self.names() }
    }

    fn reading(&self, names: object::Names) -> object::Reading {
        object::Reading { names, sealed: self.decryption.are_withheld() }
    }
}

impl From<Limits> for Options {
    fn from(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}

/// What a render yields. Where there are problems the manifests are those that could be read. Where
/// there are needs it is not complete, and there is a problem for each: programs are to be asked, and
/// then it is rendered again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rendered {
    /// In the order of files and documents.
    pub manifests: Vec<Manifest>,
    /// All of them, in the order of files and lines.
    pub problems: Vec<Problem>,
    /// What was read, misses included: where none of it changed, nothing needs to be rendered.
    pub read_set: ReadSet,
    /// What only programs can answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// What charts ask of the cluster.
    #[serde(default)]
    pub asked: helm::Asked,
}

/// Renders the folder `path` of `tree`.
///
/// A render with problems is never complete: an object that is missing from it may stand in what
/// could not be read, so nothing is to be pruned by it. The same holds for an empty one, which has
/// the problem `NoObjects`.
pub fn render(tree: &dyn Tree, path: &str, options: &Options) -> Rendered {
    let tree = sops::Opening::new(tree, options);
    let mut rendered = plain::render(&tree, path, options);
    for (key, text) in helm::secret_values(&options.helm, &options.limits) {
        tree.hide(key, text);
    }
    tree.secrets().mark(&mut rendered.manifests);
    // Last: what was encrypted is found by its value, which a variable in it changes.
    if let Some(variables) = &options.substitute {
        substitute::apply(&mut rendered, &tree, variables, options);
    }
    rendered.needs.extend(tree.into_needs());
    rendered
}

#[cfg(test)]
mod tests;

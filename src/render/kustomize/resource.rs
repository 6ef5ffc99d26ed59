//! A resource on its way through a build, and the names it goes by.
//!
//! kustomize keeps what it has to remember about a resource in annotations that it removes at the
//! end. Here they are fields: nothing of them can leak into an object or be patched by mistake.

use serde_json::Value;

use super::scope;
use super::shared::Sharing;
use super::trace::Trace;
use crate::object::{ObjectId, Origin, split_api_version};

/// What stands for a namespace where an object has none, and can have none.
pub const NO_NAMESPACE: &str = "_non_namespaceable_";

/// Group, version and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
#[serde(default)]
pub struct Gvk {
    /// API group; empty for the core group, and in a selector for any.
    pub group: String,
    /// Version; empty in a selector for any.
    pub version: String,
    /// Kind; empty in a selector for any.
    pub kind: String,
}

impl Gvk {
    /// Whether a selector takes this type: a field that the selector leaves out takes any.
    pub fn is_selected_by(&self, selector: &Self) -> bool {
        takes(&selector.group, &self.group)
            && takes(&selector.version, &self.version)
            && takes(&selector.kind, &self.kind)
    }
}

fn takes(wanted: &str, found: &str) -> bool {
    wanted.is_empty() || wanted == found
}

/// One of the names that a resource goes by, or went by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ResId {
    /// What it is.
    pub gvk: Gvk,
    /// Its name.
    pub name: String,
    /// Its namespace as written: empty where it has none. For a former name the effective one.
    pub namespace: String,
    /// Whether its kind is known to have no namespace.
    pub cluster_scoped: bool,
}

impl ResId {
    /// The namespace to compare with: `default` where none is written, and [`NO_NAMESPACE`] where
    /// the kind has none.
    pub fn effective_namespace(&self) -> &str {
        if self.cluster_scoped { NO_NAMESPACE } else { effective(&self.namespace) }
    }

    /// Whether both name the same object.
    pub fn same(&self, other: &Self) -> bool {
        self.name == other.name && self.gvk == other.gvk && self.effective_namespace() == other.effective_namespace()
    }
}

/// The namespace to compare with where one is written, or none.
pub fn effective(namespace: &str) -> &str {
    if namespace.is_empty() { "default" } else { namespace }
}

/// `Kind.version.group/name.namespace`, as kustomize tells it.
impl std::fmt::Display for ResId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let namespace = if self.cluster_scoped { "" } else { &*self.namespace };
        ObjectId::new(namespace, &*self.name, &*self.gvk.group, &*self.gvk.kind).fmt(f)
    }
}

/// A name that a resource had before a transformer changed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    /// `metadata.name`.
    pub name: String,
    /// The effective namespace.
    pub namespace: String,
    /// Kind.
    pub kind: String,
}

/// What is done where a generated object meets one of the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behavior {
    /// It must be new.
    #[default]
    Create,
    /// It takes the other's place, and keeps its labels, annotations and name.
    Replace,
    /// Its data are laid over the other's.
    Merge,
}

/// One resource of a build.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// The object, a mapping. Null where a patch deleted it, until it is dropped.
    pub body: Value,
    /// Where it was written; for a generated one its place in the kustomization.
    pub origin: Origin,
    /// Former names, the oldest first.
    pub previous: Vec<Previous>,
    /// Prefixes that were put before its name, in that order.
    pub prefixes: Vec<String>,
    /// Suffixes that were put behind its name, in that order.
    pub suffixes: Vec<String>,
    /// How a generated one meets others.
    pub behavior: Behavior,
    /// Whether its name ends with a hash of its content.
    pub needs_hash: bool,
    /// Names of the vars that read from it.
    pub vars: Vec<String>,
    /// Whether kustomize would have written annotations of its own on it: a JSON patch may then
    /// add one below an annotations field that the file does not have.
    pub annotated: bool,
    /// Why its fields have their values, where somebody asked.
    pub trace: Option<Box<Trace>>,
    /// Whether it is written in brackets, as JSON is: by its file, or by a JSON patch.
    pub in_brackets: bool,
    /// Entries that hold one value in several places.
    pub sharing: Sharing,
    /// The names that lead to fields for which its file has nothing: a strategic merge patch of anything drops them.
    pub unwritten: Vec<Vec<String>>,
    /// Paths of fields that replacements made: what is written there later may be of any type, as if it were made again.
    pub made: Vec<Vec<String>>,
}

impl Resource {
    /// Gives it the mapping of annotations that it has in kustomize, which keeps notes there: an empty one is dropped at
    /// the end.
    pub fn show_annotations(&mut self) {
        if self.annotated
            && let Some(Value::Object(metadata)) = self.body.get_mut("metadata")
        {
            let annotations = metadata.entry("annotations").or_insert(Value::Null);
            if annotations.is_null() {
                *annotations = Value::Object(serde_json::Map::new());
            }
        }
    }

    /// A resource as it was read.
    pub fn new(body: Value, origin: Origin) -> Self {
        Self {
            body,
            origin,
            previous: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            behavior: Behavior::Create,
            needs_hash: false,
            vars: Vec::new(),
            annotated: false,
            trace: None,
            in_brackets: false,
            sharing: Sharing::default(),
            unwritten: Vec::new(),
            made: Vec::new(),
        }
    }

    /// `apiVersion`; empty where there is none.
    pub fn api_version(&self) -> &str {
        text(self.body.get("apiVersion"))
    }

    /// `kind`; empty where there is none.
    pub fn kind(&self) -> &str {
        text(self.body.get("kind"))
    }

    /// `metadata.name`; empty where there is none.
    pub fn name(&self) -> &str {
        text(self.metadata("name"))
    }

    /// `metadata.namespace` as written; empty where there is none.
    pub fn namespace(&self) -> &str {
        text(self.metadata("namespace"))
    }

    fn metadata(&self, field: &str) -> Option<&Value> {
        self.body.get("metadata")?.get(field)
    }

    /// Whether its kind is known to have no namespace.
    pub fn is_cluster_scoped(&self) -> bool {
        scope::is_cluster_scoped(self.api_version(), self.kind())
    }

    /// The namespace to compare with; see [`ResId::effective_namespace`].
    pub fn effective_namespace(&self) -> &str {
        if self.is_cluster_scoped() { NO_NAMESPACE } else { effective(self.namespace()) }
    }

    /// Group, version and kind.
    pub fn gvk(&self) -> Gvk {
        self.typed(self.kind())
    }

    fn typed(&self, kind: &str) -> Gvk {
        let (group, version) = split_api_version(self.api_version());
        Gvk { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }

    /// The name it goes by now.
    pub fn current(&self) -> ResId {
        ResId {
            gvk: self.gvk(),
            name: self.name().to_owned(),
            namespace: self.namespace().to_owned(),
            cluster_scoped: self.is_cluster_scoped(),
        }
    }

    /// The names it went by, the oldest first. Group and version are those of today.
    pub fn formers(&self) -> impl Iterator<Item = ResId> + '_ {
        self.previous.iter().map(|previous| ResId {
            gvk: self.typed(&previous.kind),
            name: previous.name.clone(),
            namespace: previous.namespace.clone(),
            cluster_scoped: false,
        })
    }

    /// The type it was read or generated with. Group and version are those of today.
    pub fn original_gvk(&self) -> Gvk {
        self.typed(self.previous.first().map_or_else(|| self.kind(), |first| &first.kind))
    }

    /// Remembers the name it goes by now, before it is changed, and says how many bytes that takes.
    pub fn remember(&mut self) -> u64 {
        let previous = Previous {
            name: self.name().to_owned(),
            namespace: self.effective_namespace().to_owned(),
            kind: self.kind().to_owned(),
        };
        let bytes = size_of::<Previous>() + previous.name.len() + previous.namespace.len() + previous.kind.len();
        self.previous.push(previous);
        self.annotated = true;
        self.sharing.renew_annotations();
        bytes as u64
    }

    /// Forgets its former names and that a hash belongs behind its name: kustomize keeps them in annotations, and a patch
    /// that takes all annotations away takes those away, too.
    pub fn forget(&mut self) {
        self.previous.clear();
        self.prefixes.clear();
        self.suffixes.clear();
        self.behavior = Behavior::Create;
        self.needs_hash = false;
        self.annotated = false;
    }

    /// Whether a patch deleted it, or left nothing of it.
    pub fn is_gone(&self) -> bool {
        match &self.body {
            Value::Null => true,
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        }
    }

    /// What people read: `Deployment.apps/shop/web`.
    pub fn label(&self) -> String {
        self.current().to_string()
    }
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

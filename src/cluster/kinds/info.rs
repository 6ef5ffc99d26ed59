//! One served version of a kind.

use crate::object::ObjectId;

/// One served version of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindInfo {
    /// API group; empty for the core group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Plural, as in paths and RBAC.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with it: `get`, `list`, `watch`, …
    pub verbs: Vec<String>,
}

impl KindInfo {
    /// A cluster-scoped kind that we know without asking.
    pub fn known(group: &str, version: &str, kind: &str, plural: &str) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced: false,
            verbs: Vec::new(),
        }
    }

    /// The same kind, living in namespaces.
    #[must_use]
    pub fn namespaced(mut self) -> Self {
        self.namespaced = true;
        self
    }

    /// A kind of a Rust type.
    pub fn of<K>() -> Self
    where
        K: kube::Resource<DynamicType = ()>,
        K::Scope: Scope,
    {
        let info = Self::known(&K::group(&()), &K::version(&()), &K::kind(&()), &K::plural(&()));
        if K::Scope::NAMESPACED { info.namespaced() } else { info }
    }

    /// `group/version`, or the version alone in the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Plural and group, as `deployments.apps`.
    pub fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Identity of an object of this kind.
    pub fn id(&self, namespace: &str, name: &str) -> ObjectId {
        let namespace = if self.namespaced { namespace } else { "" };
        ObjectId::new(namespace, name, &self.group, &self.kind)
    }

    /// Whether this can be done with it.
    pub fn can(&self, verb: &str) -> bool {
        self.verbs.iter().any(|v| v == verb)
    }
}

/// Where objects of a Rust type live.
pub trait Scope {
    /// In namespaces.
    const NAMESPACED: bool;
}

impl Scope for kube::core::NamespaceResourceScope {
    const NAMESPACED: bool = true;
}

impl Scope for kube::core::ClusterResourceScope {
    const NAMESPACED: bool = false;
}

//! Identity of an object, and its form in inventories.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Which object: namespace, name, group and kind. The version is not part of it: an object keeps
/// its identity when its `apiVersion` moves from `v1beta1` to `v1`.
///
/// Serialised as the inventory id `<namespace>_<name>_<group>_<kind>`, the format that tools of
/// the field read; a colon in an RBAC name is written `__`.
///
/// Clones share its parts: the agent names each object in half a dozen places.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ObjectId(Arc<Parts>);

/// The parts of an [`ObjectId`], in the order in which ids are compared.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Parts {
    /// Empty for a cluster-scoped object.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// API group; empty for the core group.
    pub group: String,
    /// Kind, as in the manifest.
    pub kind: String,
}

impl ObjectId {
    /// An identity from its parts, in the order of the inventory id.
    pub fn new(
        namespace: impl Into<String>,
        name: impl Into<String>,
        group: impl Into<String>,
        kind: impl Into<String>,
    ) -> Self {
        Self(Arc::new(Parts { namespace: namespace.into(), name: name.into(), group: group.into(), kind: kind.into() }))
    }

    /// The same object in another namespace.
    #[must_use]
    pub fn in_namespace(&self, namespace: impl Into<String>) -> Self {
        Self::new(namespace, &*self.name, &*self.group, &*self.kind)
    }

    /// The inventory id: `<namespace>_<name>_<group>_<kind>`.
    pub fn to_inventory(&self) -> String {
        format!("{}_{}_{}_{}", self.namespace, self.name.replace(':', "__"), self.group, self.kind)
    }

    /// `Kind.group`, or `Kind` in the core group.
    pub fn group_kind(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }
}

impl Deref for ObjectId {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What people read: `Deployment.apps/shop/web`, `Namespace/shop`.
impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.group_kind())?;
        if !self.namespace.is_empty() {
            write!(f, "/{}", self.namespace)?;
        }
        write!(f, "/{}", self.name)
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        id.to_inventory()
    }
}

/// A text that is no inventory id.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an inventory id of the form <namespace>_<name>_<group>_<kind>")]
pub struct IdParseError(String);

impl FromStr for ObjectId {
    type Err = IdParseError;

    fn from_str(text: &str) -> Result<Self, IdParseError> {
        let bad = || IdParseError(text.to_owned());
        // Namespace, group and kind hold no underscore, a name may: cut from both ends.
        let (namespace, rest) = text.split_once('_').ok_or_else(bad)?;
        let (rest, kind) = rest.rsplit_once('_').ok_or_else(bad)?;
        let (name, group) = rest.rsplit_once('_').ok_or_else(bad)?;
        if name.is_empty() || kind.is_empty() {
            return Err(bad());
        }
        Ok(Self::new(namespace, name.replace("__", ":"), group, kind))
    }
}

impl TryFrom<String> for ObjectId {
    type Error = IdParseError;

    fn try_from(text: String) -> Result<Self, IdParseError> {
        text.parse()
    }
}

/// Group and version of an `apiVersion`; the group of `v1` is empty.
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// The name of a kind's resource, as every kind of Kubernetes itself has it: `Ingress` is `ingresses`. A custom kind may be
/// called otherwise; its definition says so.
pub fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.strip_suffix('y') {
        _ if kind.ends_with("endpoints") => kind,
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if kind.ends_with('s') || kind.ends_with('x') || kind.ends_with("ch") => format!("{kind}es"),
        _ => format!("{kind}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_called_as_kubernetes_calls_them() {
        for (kind, resource) in [
            ("Deployment", "deployments"),
            ("Ingress", "ingresses"),
            ("NetworkPolicy", "networkpolicies"),
            ("Endpoints", "endpoints"),
            ("EndpointSlice", "endpointslices"),
            ("Gateway", "gateways"),
            ("PodDisruptionBudget", "poddisruptionbudgets"),
        ] {
            assert_eq!(plural(kind), resource);
        }
    }

    #[test]
    fn inventory_ids_survive_the_round_trip() {
        for (id, text) in [
            (ObjectId::new("shop", "web", "apps", "Deployment"), "shop_web_apps_Deployment"),
            (ObjectId::new("", "shop", "", "Namespace"), "_shop__Namespace"),
            (
                ObjectId::new("", "system:node", "rbac.authorization.k8s.io", "ClusterRole"),
                "_system__node_rbac.authorization.k8s.io_ClusterRole",
            ),
        ] {
            assert_eq!(id.to_inventory(), text);
            assert_eq!(text.parse::<ObjectId>().expect("parses"), id);
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "web", "a_b", "a_b_c", "shop___Deployment"] {
            assert!(text.parse::<ObjectId>().is_err(), "{text:?} was taken");
        }
    }
}

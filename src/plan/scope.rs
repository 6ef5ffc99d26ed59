//! Which kinds there are, and whether they live in namespaces.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Whether objects of a kind live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// They do.
    Namespaced,
    /// They do not.
    Cluster,
}

/// What discovery tells of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Plural name in the API, such as `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub scope: Scope,
    /// Served versions, without the group.
    pub versions: BTreeSet<String>,
}

/// The answer to a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// There is such a kind.
    Found(&'a Known),
    /// There is none.
    NoSuchKind,
    /// Its group could not be discovered: time will tell.
    Unreadable,
}

/// The kinds of a cluster, by group and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    kinds: BTreeMap<(String, String), Known>,
    unreadable: BTreeSet<String>,
}

impl Scopes {
    /// Adds one version of a kind; versions of the same kind gather.
    pub fn insert(&mut self, group: &str, version: &str, kind: &str, plural: &str, scope: Scope) {
        let known = self.kinds.entry((group.to_owned(), kind.to_owned())).or_insert_with(|| Known {
            plural: plural.to_owned(),
            scope,
            versions: BTreeSet::new(),
        });
        known.versions.insert(version.to_owned());
    }

    /// Marks a group whose discovery failed: an aggregated API that does not answer.
    pub fn mark_unreadable(&mut self, group: &str) {
        self.unreadable.insert(group.to_owned());
    }

    /// Adds the kind that a CustomResourceDefinition defines; its scope and versions are those of
    /// the definition, which is newer than what discovery saw. A definition that lacks them is left
    /// to the API server to refuse.
    pub fn insert_definition(&mut self, definition: &Value) {
        let spec = &definition["spec"];
        let text = |at: &str| spec.pointer(at).and_then(Value::as_str);
        let (Some(group), Some(kind), Some(plural), Some(scope)) =
            (text("/group"), text("/names/kind"), text("/names/plural"), text("/scope"))
        else {
            return;
        };
        let scope = if scope == "Cluster" { Scope::Cluster } else { Scope::Namespaced };
        let versions = spec["versions"].as_array().into_iter().flatten();
        let served = versions.filter(|version| version["served"].as_bool().unwrap_or(true));
        let versions = served.filter_map(|version| version["name"].as_str()).map(str::to_owned).collect();
        self.kinds.insert((group.to_owned(), kind.to_owned()), Known { plural: plural.to_owned(), scope, versions });
    }

    /// What is known of a kind.
    pub fn get(&self, group: &str, kind: &str) -> Lookup<'_> {
        match self.kinds.get(&(group.to_owned(), kind.to_owned())) {
            Some(known) => Lookup::Found(known),
            None if self.unreadable.contains(group) => Lookup::Unreadable,
            None => Lookup::NoSuchKind,
        }
    }

    /// What the writer may have meant by a kind that there is not: the same kind of another group,
    /// or one that is written alike; as `apiVersion/Kind`.
    pub fn did_you_mean(&self, group: &str, kind: &str) -> Option<String> {
        let written = |(group, kind): &(String, String), known: &Known| {
            let version = known.versions.iter().next_back().map_or("", String::as_str);
            if group.is_empty() { format!("{version} {kind}") } else { format!("{group}/{version} {kind}") }
        };
        let ranked = self.kinds.iter().filter_map(|(key, known)| {
            let lower = kind.to_lowercase();
            let rank = if key.1 == kind {
                0.0
            } else if key.1.to_lowercase() == lower || known.plural == lower {
                1.0
            } else {
                let ratio = similar::TextDiff::from_chars(lower.as_str(), key.1.to_lowercase().as_str()).ratio();
                if ratio < 0.75 {
                    return None;
                }
                3.0 - ratio
            };
            Some((rank + if key.0 == group { 0.0 } else { 0.5 }, key, known))
        });
        let best = ranked.min_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1)));
        best.map(|(_, key, known)| written(key, known))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scopes() -> Scopes {
        let mut scopes = Scopes::default();
        scopes.insert("apps", "v1", "Deployment", "deployments", Scope::Namespaced);
        scopes.insert("", "v1", "ConfigMap", "configmaps", Scope::Namespaced);
        scopes.insert("networking.k8s.io", "v1", "Ingress", "ingresses", Scope::Namespaced);
        scopes.mark_unreadable("metrics.k8s.io");
        scopes
    }

    #[test]
    fn the_nearest_kind_is_named() {
        for (group, kind, meant) in [
            ("extensions", "Ingress", Some("networking.k8s.io/v1 Ingress")),
            ("apps", "Deploymnet", Some("apps/v1 Deployment")),
            ("", "configmap", Some("v1 ConfigMap")),
            ("", "configmaps", Some("v1 ConfigMap")),
            ("acme.example", "Widget", None),
        ] {
            assert_eq!(scopes().did_you_mean(group, kind).as_deref(), meant, "{group} {kind}");
        }
    }

    #[test]
    fn definitions_of_the_same_set_count() {
        let mut scopes = scopes();
        assert_eq!(scopes.get("acme.example", "Widget"), Lookup::NoSuchKind);
        scopes.insert_definition(&json!({"spec": {
            "group": "acme.example", "scope": "Cluster", "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": true}, {"name": "v1alpha1", "served": false}],
        }}));
        let Lookup::Found(known) = scopes.get("acme.example", "Widget") else { panic!("not found") };
        assert_eq!((known.scope, known.versions.len()), (Scope::Cluster, 1));
        assert_eq!(scopes.get("metrics.k8s.io", "PodMetrics"), Lookup::Unreadable);
    }
}

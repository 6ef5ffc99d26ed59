//! The least rights of an account: exactly the kinds that a folder holds, where it holds them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::object::{Manifest, split_api_version};

/// What applying, healing and pruning needs. `list` and `watch` serve kinds that the agent's own
/// watches may not see, such as Secrets.
const VERBS: [&str; 7] = ["get", "list", "watch", "create", "patch", "update", "delete"];
const RBAC: &str = "rbac.authorization.k8s.io";

/// Where a kind lives in the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Plural name.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub scope: Scope,
}

/// Whether objects of a kind live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// They do.
    Namespaced,
    /// They do not.
    Cluster,
}

/// Rules for one account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rights {
    /// Rules over the whole cluster.
    pub cluster: Vec<Value>,
    /// Rules by namespace.
    pub namespaces: BTreeMap<String, Vec<Value>>,
    /// Kinds that nobody knows, as `Kind (apiVersion)`: no rights could be found for them.
    pub unknown: BTreeSet<String>,
}

impl Rights {
    /// One line for each thing that may be done, for people.
    pub fn lines(&self) -> Vec<String> {
        let told = |place: &str, rule: &Value| {
            let words = |field: &str| {
                let all = rule[field].as_array().into_iter().flatten().filter_map(Value::as_str);
                all.collect::<Vec<_>>().join(", ")
            };
            let only =
                if rule["resourceNames"].is_array() { format!(" {}", words("resourceNames")) } else { String::new() };
            let group = words("apiGroups");
            let group = if group.is_empty() { String::new() } else { format!(" ({group})") };
            format!("{place}: {} {}{only}{group}", words("verbs"), words("resources"))
        };
        let cluster = self.cluster.iter().map(|rule| told("everywhere", rule));
        let namespaces = self
            .namespaces
            .iter()
            .flat_map(|(namespace, rules)| rules.iter().map(move |rule| told(&format!("in {namespace}"), rule)));
        cluster.chain(namespaces).collect()
    }
}

/// Rights to deploy these manifests. `place` tells where kinds live; definitions among the
/// manifests come first. Objects that name no namespace belong to `default_namespace`.
pub fn rights(
    manifests: &[Manifest],
    default_namespace: &str,
    place: impl Fn(&str, &str, &str) -> Option<Place>,
) -> Rights {
    let defined = definitions(manifests);
    let mut found = Rights::default();
    // Resources by namespace (None is the cluster) and group.
    let mut resources: BTreeMap<Option<String>, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for manifest in manifests {
        let (group, version) = split_api_version(&manifest.api_version);
        let kind = manifest.id.kind.as_str();
        let known = defined.get(&(group.to_owned(), kind.to_owned())).cloned().or_else(|| place(group, version, kind));
        let Some(known) = known else {
            found.unknown.insert(format!("{kind} ({})", manifest.api_version));
            continue;
        };
        let namespace = match (known.scope, manifest.id.namespace.as_str()) {
            (Scope::Cluster, _) => None,
            (Scope::Namespaced, "") => Some(default_namespace.to_owned()),
            (Scope::Namespaced, namespace) => Some(namespace.to_owned()),
        };
        if group == RBAC {
            let rules = rules_of(&mut found, namespace.as_deref());
            rules.push(grant(manifest, &known.plural));
        }
        resources.entry(namespace).or_default().entry(group.to_owned()).or_default().insert(known.plural);
    }
    for (namespace, groups) in resources {
        let rules = rules_of(&mut found, namespace.as_deref());
        let plain = groups
            .into_iter()
            .map(|(group, resources)| json!({"apiGroups": [group], "resources": resources, "verbs": VERBS}));
        rules.splice(0..0, plain);
    }
    found
}

fn rules_of<'a>(rights: &'a mut Rights, namespace: Option<&str>) -> &'a mut Vec<Value> {
    match namespace {
        None => &mut rights.cluster,
        Some(namespace) => rights.namespaces.entry(namespace.to_owned()).or_default(),
    }
}

/// Who writes a role must hold what it holds, or may `escalate` it; who binds one likewise, or may
/// `bind` it. Both are limited to the names that the folder holds.
fn grant(manifest: &Manifest, plural: &str) -> Value {
    if let Some(role) = manifest.body.get("roleRef") {
        let resource = if role["kind"] == "ClusterRole" { "clusterroles" } else { "roles" };
        return json!({
            "apiGroups": [RBAC], "resources": [resource], "resourceNames": [role["name"]], "verbs": ["bind"],
        });
    }
    json!({
        "apiGroups": [RBAC], "resources": [plural], "resourceNames": [manifest.id.name], "verbs": ["escalate"],
    })
}

/// Kinds that the manifests themselves define.
fn definitions(manifests: &[Manifest]) -> BTreeMap<(String, String), Place> {
    let defines = |manifest: &&Manifest| {
        manifest.id.group == "apiextensions.k8s.io" && manifest.id.kind == "CustomResourceDefinition"
    };
    let read = |manifest: &Manifest| {
        let text = |pointer: &str| manifest.body.pointer(pointer)?.as_str().map(str::to_owned);
        let scope = if text("/spec/scope")? == "Cluster" { Scope::Cluster } else { Scope::Namespaced };
        Some(((text("/spec/group")?, text("/spec/names/kind")?), Place { plural: text("/spec/names/plural")?, scope }))
    };
    manifests.iter().filter(defines).filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{ObjectId, Origin};

    fn manifest(yaml: &str) -> Manifest {
        let body: Value = serde_yaml::from_str(yaml).expect("YAML");
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let api_version = text("/apiVersion");
        let id = ObjectId::new(
            text("/metadata/namespace"),
            text("/metadata/name"),
            split_api_version(&api_version).0,
            text("/kind"),
        );
        Manifest::new(Origin { file: "a.yaml".into(), line: 1, document: 1 }, id, api_version, body)
    }

    fn check(yamls: &[&str], expected: &[&str]) -> Rights {
        let manifests: Vec<_> = yamls.iter().map(|yaml| manifest(yaml)).collect();
        let served = |group: &str, _: &str, kind: &str| {
            let (plural, scope) = match (group, kind) {
                ("", "Namespace") => ("namespaces", Scope::Cluster),
                ("", "ConfigMap") => ("configmaps", Scope::Namespaced),
                ("", "Service") => ("services", Scope::Namespaced),
                ("apps", "Deployment") => ("deployments", Scope::Namespaced),
                ("apiextensions.k8s.io", _) => ("customresourcedefinitions", Scope::Cluster),
                (RBAC, "Role") => ("roles", Scope::Namespaced),
                (RBAC, "ClusterRoleBinding") => ("clusterrolebindings", Scope::Cluster),
                _ => return None,
            };
            Some(Place { plural: plural.to_owned(), scope })
        };
        let found = rights(&manifests, "tandem-system", served);
        assert_eq!(found.lines(), expected);
        found
    }

    #[test]
    fn exactly_the_kinds_where_they_are() {
        let all = "get, list, watch, create, patch, update, delete";
        check(
            &[
                "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}",
                "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}}",
                "{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, namespace: shop}}",
                "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}}",
                "{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}}",
                "{apiVersion: v1, kind: ConfigMap, metadata: {name: here}}",
            ],
            &[
                &format!("everywhere: {all} namespaces"),
                &format!("in shop: {all} configmaps, services"),
                &format!("in shop: {all} deployments (apps)"),
                &format!("in tandem-system: {all} configmaps"),
            ],
        );
        check(&[], &[]);
    }

    #[test]
    fn kinds_that_the_folder_defines_are_known() {
        let all = "get, list, watch, create, patch, update, delete";
        let rights = check(
            &[
                "{apiVersion: example.com/v1, kind: Well, metadata: {name: a, namespace: shop}}",
                "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: wells.example.com}, spec: {group: example.com, scope: Namespaced, names: {kind: Well, plural: wells}}}",
                "{apiVersion: other.example.com/v1, kind: Unheard, metadata: {name: a}}",
            ],
            &[
                &format!("everywhere: {all} customresourcedefinitions (apiextensions.k8s.io)"),
                &format!("in shop: {all} wells (example.com)"),
            ],
        );
        assert_eq!(rights.unknown.into_iter().collect::<Vec<_>>(), ["Unheard (other.example.com/v1)"]);
    }

    #[test]
    fn roles_may_be_written_and_bound_by_their_names_alone() {
        let all = "get, list, watch, create, patch, update, delete";
        check(
            &[
                "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r, namespace: shop}}",
                "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: b}, roleRef: {kind: ClusterRole, name: view}}",
            ],
            &[
                &format!("everywhere: {all} clusterrolebindings ({RBAC})"),
                &format!("everywhere: bind clusterroles view ({RBAC})"),
                &format!("in shop: {all} roles ({RBAC})"),
                &format!("in shop: escalate roles r ({RBAC})"),
            ],
        );
    }
}

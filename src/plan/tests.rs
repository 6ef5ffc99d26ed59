//! Values that the tests of this room share.

use super::*;
use crate::object::{DigestKey, split_api_version};

/// A manifest from one YAML document in flow style.
pub(crate) fn manifest(text: &str) -> Manifest {
    let body: serde_json::Value = serde_yaml::from_str(text).expect("YAML");
    let field = |at: &str| body.pointer(at).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let api_version = field("/apiVersion");
    let id = ObjectId::new(
        field("/metadata/namespace"),
        field("/metadata/name"),
        split_api_version(&api_version).0,
        field("/kind"),
    );
    let origin = Origin { file: format!("{}.yaml", id.name), line: 1, document: 1 };
    Manifest::new(origin, id, api_version, body)
}

pub(crate) fn key() -> DigestKey {
    DigestKey::new(*b"key of the tests")
}

/// A desired object that is sent as it is written.
pub(crate) fn desired(text: &str) -> Desired {
    let manifest = manifest(text);
    Desired {
        plural: format!("{}s", manifest.id.kind.to_lowercase()),
        digest: key().digest(&manifest.body),
        phase: phase::phase_of(&manifest).expect("a phase"),
        order: phase::order_of(&manifest).expect("an order"),
        steers: BTreeSet::new(),
        yields: Yields::none(),
        manifest,
    }
}

/// The Sync of these tests.
pub(crate) fn owner() -> Owner {
    Owner { cluster: "prod".into(), namespace: "flow".into(), name: "shop".into() }
}

/// Scopes of the kinds that these tests use.
pub(crate) fn scopes() -> Scopes {
    let mut scopes = Scopes::default();
    for (group, version, kind, plural, scope) in [
        ("", "v1", "Namespace", "namespaces", Scope::Cluster),
        ("", "v1", "ConfigMap", "configmaps", Scope::Namespaced),
        ("", "v1", "Secret", "secrets", Scope::Namespaced),
        ("", "v1", "Service", "services", Scope::Namespaced),
        ("", "v1", "ServiceAccount", "serviceaccounts", Scope::Namespaced),
        ("", "v1", "Pod", "pods", Scope::Namespaced),
        ("apps", "v1", "Deployment", "deployments", Scope::Namespaced),
        ("batch", "v1", "Job", "jobs", Scope::Namespaced),
        ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", Scope::Namespaced),
        ("rbac.authorization.k8s.io", "v1", "Role", "roles", Scope::Namespaced),
        ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", Scope::Cluster),
        ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", Scope::Namespaced),
        ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", Scope::Cluster),
        ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", Scope::Cluster),
        (
            "admissionregistration.k8s.io",
            "v1",
            "ValidatingWebhookConfiguration",
            "validatingwebhookconfigurations",
            Scope::Cluster,
        ),
    ] {
        scopes.insert(group, version, kind, plural, scope);
    }
    scopes
}

/// Manifests of a multi-document text, one file each.
pub(crate) fn manifests(text: &str) -> Vec<Manifest> {
    text.split("\n---\n").filter(|document| !document.trim().is_empty()).map(manifest).collect()
}

/// Desired objects of a text; all must resolve.
pub(crate) fn resolved(text: &str) -> Vec<Desired> {
    let (desired, problems) = resolve(manifests(text), &scopes(), &owner(), &Rules::default(), &key());
    assert_eq!(problems, Vec::new(), "{text}");
    desired
}

mod admits;
mod model;
mod others;
mod plans;
mod properties;
mod resolves;
mod spending;

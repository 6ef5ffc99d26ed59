//! The fields of built-in kinds that hold names of other objects, as kustomize v5.8 lists them.

use std::cmp::Ordering;
use std::sync::LazyLock;

use crate::render::kustomize::resource::Gvk;
use crate::render::kustomize::types::{FieldSpec, NameReference};

/// Where the specs of Pods are.
const PODS: [(&str, &str); 9] = [
    ("Pod", "spec/"),
    ("PodTemplate", "template/spec/"),
    ("Deployment", "spec/template/spec/"),
    ("ReplicaSet", "spec/template/spec/"),
    ("DaemonSet", "spec/template/spec/"),
    ("StatefulSet", "spec/template/spec/"),
    ("Job", "spec/template/spec/"),
    ("CronJob", "spec/jobTemplate/spec/template/spec/"),
    ("ReplicationController", "spec/template/spec/"),
];

/// Of those the ones that kustomize looks through for ConfigMaps and Secrets.
const WITH_CONTENT: [&str; 8] =
    ["Pod", "PodTemplate", "Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job", "CronJob"];

/// Of those the ones that kustomize looks through for everything else.
const WITH_ACCOUNT: [&str; 7] =
    ["Pod", "StatefulSet", "Deployment", "ReplicationController", "CronJob", "Job", "DaemonSet"];

const CONFIG_MAPS: [&str; 6] = [
    "volumes/configMap/name",
    "containers/env/valueFrom/configMapKeyRef/name",
    "initContainers/env/valueFrom/configMapKeyRef/name",
    "containers/envFrom/configMapRef/name",
    "initContainers/envFrom/configMapRef/name",
    "volumes/projected/sources/configMap/name",
];

const SECRETS: [&str; 7] = [
    "volumes/secret/secretName",
    "containers/env/valueFrom/secretKeyRef/name",
    "initContainers/env/valueFrom/secretKeyRef/name",
    "containers/envFrom/secretRef/name",
    "initContainers/envFrom/secretRef/name",
    "imagePullSecrets/name",
    "volumes/projected/sources/secret/name",
];

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

/// Group, version and kind of what is referred to, and the fields of Pods that hold its name.
type InPods = (&'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const IN_PODS: [InPods; 5] = [
    ("", "v1", "ConfigMap", &WITH_CONTENT, &CONFIG_MAPS),
    ("", "v1", "Secret", &WITH_CONTENT, &SECRETS),
    ("", "v1", "ServiceAccount", &WITH_ACCOUNT, &["serviceAccountName"]),
    ("", "v1", "PersistentVolumeClaim", &WITH_ACCOUNT, &["volumes/persistentVolumeClaim/claimName"]),
    ("scheduling.k8s.io", "v1", "PriorityClass", &WITH_ACCOUNT, &["priorityClassName"]),
];

/// Group, version and kind of what is referred to, and of what refers to it by which field.
type Row = ([&'static str; 3], [&'static str; 3], &'static str);

const SCALED: &str = "spec/scaleTargetRef/name";
const HPA: [&str; 3] = ["", "", "HorizontalPodAutoscaler"];
const INGRESS: [&str; 3] = ["", "", "Ingress"];
const CONFIG_MAP: [&str; 3] = ["", "v1", "ConfigMap"];
const SECRET: [&str; 3] = ["", "v1", "Secret"];
const SERVICE: [&str; 3] = ["", "v1", "Service"];
const ACCOUNT: [&str; 3] = ["", "v1", "ServiceAccount"];
const VOLUME: [&str; 3] = ["", "v1", "PersistentVolume"];
const STORAGE: [&str; 3] = ["storage.k8s.io", "v1", "StorageClass"];

const ELSEWHERE: [Row; 41] = [
    (["", "", "Deployment"], HPA, SCALED),
    (["", "", "ReplicationController"], HPA, SCALED),
    (["", "", "ReplicaSet"], HPA, SCALED),
    (["", "", "StatefulSet"], HPA, SCALED),
    (CONFIG_MAP, ["", "", "Node"], "spec/configSource/configMap"),
    (CONFIG_MAP, ["", "", "Role"], "rules/resourceNames"),
    (CONFIG_MAP, ["", "", "ClusterRole"], "rules/resourceNames"),
    (CONFIG_MAP, INGRESS, r"metadata/annotations/nginx.ingress.kubernetes.io\/fastcgi-params-configmap"),
    (SECRET, INGRESS, "spec/tls/secretName"),
    (SECRET, INGRESS, r"metadata/annotations/ingress.kubernetes.io\/auth-secret"),
    (SECRET, INGRESS, r"metadata/annotations/nginx.ingress.kubernetes.io\/auth-secret"),
    (SECRET, INGRESS, r"metadata/annotations/nginx.ingress.kubernetes.io\/auth-tls-secret"),
    (SECRET, ["", "", "ServiceAccount"], "imagePullSecrets/name"),
    (SECRET, ["", "", "StorageClass"], "parameters/secretName"),
    (SECRET, ["", "", "StorageClass"], "parameters/adminSecretName"),
    (SECRET, ["", "", "StorageClass"], "parameters/userSecretName"),
    (SECRET, ["", "", "StorageClass"], "parameters/secretRef"),
    (SECRET, ["", "", "Role"], "rules/resourceNames"),
    (SECRET, ["", "", "ClusterRole"], "rules/resourceNames"),
    (SECRET, ["serving.knative.dev", "v1", "Service"], "spec/template/spec/containers/env/valueFrom/secretKeyRef/name"),
    (SECRET, ["", "", "PersistentVolume"], "spec/azureFile/secretName"),
    (SERVICE, ["apps", "", "StatefulSet"], "spec/serviceName"),
    (SERVICE, INGRESS, "spec/rules/http/paths/backend/serviceName"),
    (SERVICE, INGRESS, "spec/backend/serviceName"),
    (SERVICE, INGRESS, "spec/rules/http/paths/backend/service/name"),
    (SERVICE, INGRESS, "spec/defaultBackend/service/name"),
    (SERVICE, ["apiregistration.k8s.io", "", "APIService"], "spec/service/name"),
    (SERVICE, [ADMISSION, "", "ValidatingWebhookConfiguration"], "webhooks/clientConfig/service"),
    (SERVICE, [ADMISSION, "", "MutatingWebhookConfiguration"], "webhooks/clientConfig/service"),
    ([RBAC, "", "Role"], [RBAC, "", "RoleBinding"], "roleRef/name"),
    ([RBAC, "", "ClusterRole"], [RBAC, "", "RoleBinding"], "roleRef/name"),
    ([RBAC, "", "ClusterRole"], [RBAC, "", "ClusterRoleBinding"], "roleRef/name"),
    (ACCOUNT, [RBAC, "", "RoleBinding"], "subjects"),
    (ACCOUNT, [RBAC, "", "ClusterRoleBinding"], "subjects"),
    (VOLUME, ["", "", "PersistentVolumeClaim"], "spec/volumeName"),
    (VOLUME, ["", "", "ClusterRole"], "rules/resourceNames"),
    (STORAGE, ["", "", "PersistentVolume"], "spec/storageClassName"),
    (STORAGE, ["", "", "PersistentVolumeClaim"], "spec/storageClassName"),
    (STORAGE, ["", "", "StatefulSet"], "spec/volumeClaimTemplates/spec/storageClassName"),
    // A group with a version in it is the group of no object: kustomize never follows this one.
    (["networking.k8s.io/v1", "v1", "IngressClass"], INGRESS, "spec/ingressClassName"),
    (
        [ADMISSION, "", "ValidatingAdmissionPolicy"],
        [ADMISSION, "", "ValidatingAdmissionPolicyBinding"],
        "spec/policyName",
    ),
];

/// The built-in references, in no order.
static BUILT_IN: LazyLock<Vec<NameReference>> = LazyLock::new(|| {
    let mut all: Vec<NameReference> = Vec::new();
    let mut add = |target: Gvk, referrer: Gvk, path: String| {
        let spec = FieldSpec { gvk: referrer, path, create: false };
        match all.iter_mut().find(|known| known.gvk == target) {
            Some(known) => known.field_specs.push(spec),
            None => all.push(NameReference { gvk: target, field_specs: vec![spec] }),
        }
    };
    for (group, version, kind, pods, fields) in IN_PODS {
        for (pod, at) in PODS.iter().filter(|(pod, _)| pods.contains(pod)) {
            // Only here does the list ask for a version.
            let asked = if *pod == "Pod" && pods.contains(&"PodTemplate") { "v1" } else { "" };
            for field in fields {
                add(gvk([group, version, kind]), gvk(["", asked, pod]), format!("{at}{field}"));
            }
        }
    }
    for (target, referrer, path) in ELSEWHERE {
        add(gvk(target), gvk(referrer), path.to_owned());
    }
    all
});

fn gvk([group, version, kind]: [&str; 3]) -> Gvk {
    Gvk { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
}

/// The kinds, each with its group, that a field of an object names: of `spec/volumes/configMap/name` it is
/// ConfigMap. `path` has the names of the fields, without items of lists.
pub fn names(group: &str, kind: &str, path: &[&str]) -> Vec<(String, String)> {
    let path = path.iter().map(|name| name.replace('/', "\\/")).collect::<Vec<_>>().join("/");
    let said = |spec: &FieldSpec| {
        // Of some the table has what is around the name.
        let same = spec.path == path || path.strip_suffix("/name") == Some(&spec.path);
        let fits = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
        same && fits(&spec.gvk.group, group) && fits(&spec.gvk.kind, kind)
    };
    let all = BUILT_IN.iter().filter(|reference| reference.field_specs.iter().any(said));
    all.map(|reference| (reference.gvk.group.clone(), reference.gvk.kind.clone())).collect()
}

/// All references: the built-in ones and those of `configurations`, in the order in which kustomize
/// follows them. It matters where one field may name objects of two kinds.
///
/// # Errors
/// Where a field is known already, and is made where it is missing by one and not by the other.
pub fn all(extra: &[NameReference]) -> Result<Vec<NameReference>, String> {
    let mut all = BUILT_IN.clone();
    for reference in extra {
        let Some(known) = all.iter_mut().find(|known| known.gvk == reference.gvk) else {
            all.push(reference.clone());
            continue;
        };
        for spec in &reference.field_specs {
            // kustomize leaves out what is less exact than something known.
            let same = |known: &&FieldSpec| known.path == spec.path && known.gvk.is_selected_by(&spec.gvk);
            match known.field_specs.iter().find(same) {
                None => known.field_specs.push(spec.clone()),
                Some(known) if known.create == spec.create => {}
                Some(_) => {
                    return Err(format!(
                        "nameReference: the field {} is known already with another value of create; leave create out",
                        spec.path
                    ));
                }
            }
        }
    }
    all.sort_by(|a, b| order(&a.gvk, &b.gvk));
    Ok(all)
}

const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// kustomize's order of types: some kinds first, two last, the rest by group, version and kind,
/// where an empty one comes behind all letters.
fn order(a: &Gvk, b: &Gvk) -> Ordering {
    let rank = |kind: &str| match FIRST.iter().position(|first| *first == kind) {
        Some(at) => at,
        None if kind == "MutatingWebhookConfiguration" => FIRST.len() + 1,
        None if kind == "ValidatingWebhookConfiguration" => FIRST.len() + 2,
        None => FIRST.len(),
    };
    let or = |text: &str, none: &str| if text.is_empty() { none.to_owned() } else { text.to_owned() };
    let text = |gvk: &Gvk| format!("{}_{}_{}", or(&gvk.group, "~G"), or(&gvk.version, "~V"), or(&gvk.kind, "~K"));
    rank(&a.kind).cmp(&rank(&b.kind)).then_with(|| text(a).cmp(&text(b)))
}

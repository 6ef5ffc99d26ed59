//! One good object of each kind that the planning account may dry-run.

use serde_json::{Value, json};

/// By resource and group.
pub fn all(namespace: &str) -> Vec<(&'static str, Value)> {
    let pod = json!({"containers": [{"name": "a", "image": "registry.example.com/a:1"}]});
    let template = json!({"metadata": {"labels": {"app": "plan"}}, "spec": pod});
    let selector = json!({"matchLabels": {"app": "plan"}});
    let of = |api: &str, kind: &str, more: Value| {
        let mut object = json!({"apiVersion": api, "kind": kind, "metadata": {"name": "plan-probe"}});
        for (field, value) in more.as_object().expect("fields") {
            object[field] = value.clone();
        }
        object
    };
    let job = json!({"template": {"spec": {"restartPolicy": "Never", "containers": pod["containers"]}}});
    let class = |kind: &str, more: Value| {
        of(kind.split('/').collect::<Vec<_>>()[..2].join("/").as_str(), kind.rsplit('/').next().expect("a kind"), more)
    };
    vec![
        ("configmaps.", of("v1", "ConfigMap", json!({"data": {"a": "b"}}))),
        ("endpoints.", of("v1", "Endpoints", json!({"subsets": []}))),
        ("limitranges.", of("v1", "LimitRange", json!({"spec": {"limits": [{"type": "Pod", "max": {"cpu": "4"}}]}}))),
        ("namespaces.", of("v1", "Namespace", json!({}))),
        (
            "persistentvolumeclaims.",
            of(
                "v1",
                "PersistentVolumeClaim",
                json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}),
            ),
        ),
        (
            "persistentvolumes.",
            of(
                "v1",
                "PersistentVolume",
                json!({"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "nfs": {"server": "a.example", "path": "/a"}}}),
            ),
        ),
        ("pods.", of("v1", "Pod", json!({"spec": pod}))),
        ("podtemplates.", of("v1", "PodTemplate", json!({"template": template}))),
        (
            "replicationcontrollers.",
            of(
                "v1",
                "ReplicationController",
                json!({"spec": {"replicas": 0, "selector": {"app": "plan"}, "template": template}}),
            ),
        ),
        ("resourcequotas.", of("v1", "ResourceQuota", json!({"spec": {"hard": {"pods": "100"}}}))),
        ("serviceaccounts.", of("v1", "ServiceAccount", json!({}))),
        ("services.", of("v1", "Service", json!({"spec": {"ports": [{"port": 80}]}}))),
        ("daemonsets.apps", of("apps/v1", "DaemonSet", json!({"spec": {"selector": selector, "template": template}}))),
        (
            "deployments.apps",
            of("apps/v1", "Deployment", json!({"spec": {"selector": selector, "template": template}})),
        ),
        (
            "replicasets.apps",
            of("apps/v1", "ReplicaSet", json!({"spec": {"selector": selector, "template": template}})),
        ),
        (
            "statefulsets.apps",
            of(
                "apps/v1",
                "StatefulSet",
                json!({"spec": {"serviceName": "plan", "selector": selector, "template": template}}),
            ),
        ),
        (
            "horizontalpodautoscalers.autoscaling",
            of(
                "autoscaling/v2",
                "HorizontalPodAutoscaler",
                json!({"spec": {"maxReplicas": 2, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}}}),
            ),
        ),
        (
            "cronjobs.batch",
            of("batch/v1", "CronJob", json!({"spec": {"schedule": "0 0 * * *", "jobTemplate": {"spec": job}}})),
        ),
        ("jobs.batch", of("batch/v1", "Job", json!({"spec": job}))),
        ("customresourcedefinitions.apiextensions.k8s.io", definition()),
        (
            "ingressclasses.networking.k8s.io",
            class("networking.k8s.io/v1/IngressClass", json!({"spec": {"controller": "example.com/a"}})),
        ),
        (
            "ingresses.networking.k8s.io",
            class(
                "networking.k8s.io/v1/Ingress",
                json!({"spec": {"defaultBackend": {"service": {"name": "a", "port": {"number": 80}}}}}),
            ),
        ),
        (
            "networkpolicies.networking.k8s.io",
            class("networking.k8s.io/v1/NetworkPolicy", json!({"spec": {"podSelector": {}}})),
        ),
        (
            "poddisruptionbudgets.policy",
            class("policy/v1/PodDisruptionBudget", json!({"spec": {"maxUnavailable": 1, "selector": selector}})),
        ),
        ("priorityclasses.scheduling.k8s.io", class("scheduling.k8s.io/v1/PriorityClass", json!({"value": 1}))),
        (
            "storageclasses.storage.k8s.io",
            class("storage.k8s.io/v1/StorageClass", json!({"provisioner": "example.com/a"})),
        ),
        (
            "repositories.tandemcd.io",
            class(
                "tandemcd.io/v1alpha1/Repository",
                json!({"spec": {"url": "https://git.example.com/a/b", "ref": {"branch": "main"}, "suspend": true}}),
            ),
        ),
        (
            "standards.tandemcd.io",
            class(
                "tandemcd.io/v1alpha1/Standard",
                json!({"spec": {"repositoryRef": {"name": "a", "namespace": namespace}, "path": "a"}}),
            ),
        ),
        (
            "syncs.tandemcd.io",
            class(
                "tandemcd.io/v1alpha1/Sync",
                json!({"spec": {"repositoryRef": {"name": "a"}, "path": "a", "suspend": true}}),
            ),
        ),
    ]
}

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "probes.plan.example.com"},
        "spec": {"group": "plan.example.com", "scope": "Namespaced", "names": {"plural": "probes", "kind": "Probe"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]},
    })
}

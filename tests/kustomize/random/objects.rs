//! Objects of many kinds, with every field by which they name each other.

use serde_json::{Value, json};

use super::draw::{Draw, IMAGES, NAMES, NAMESPACES};
use super::{Known, Made};

const KINDS: &[(&str, &str)] = &[
    ("v1", "ConfigMap"),
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("v1", "Secret"),
    ("v1", "ServiceAccount"),
    ("networking.k8s.io/v1", "Ingress"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "CronJob"),
    ("batch/v1", "Job"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("v1", "Namespace"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("v1", "PersistentVolumeClaim"),
    ("example.com/v1", "Thing"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("v1", "ReplicationController"),
    ("v1", "Pod"),
    ("v1", "PodTemplate"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("scheduling.k8s.io/v1", "PriorityClass"),
    ("storage.k8s.io/v1", "StorageClass"),
    ("v1", "PersistentVolume"),
    ("networking.k8s.io/v1", "IngressClass"),
    ("v1", "Node"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("apiregistration.k8s.io/v1", "APIService"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("policy/v1", "PodDisruptionBudget"),
    ("extensions/v1beta1", "Ingress"),
    ("autoscaling/v1", "HorizontalPodAutoscaler"),
    ("serving.knative.dev/v1", "Service"),
    ("example.com/v1", "Deployment"),
    ("v1", "ResourceQuota"),
    ("v1", "LimitRange"),
    ("example.com/v1", "ClusterThing"),
];

impl Made<'_> {
    pub(super) fn object(&mut self) -> Value {
        let (version, kind) = self.draw.of(KINDS);
        // Names differ most of the time: what collides is refused, and shows little.
        let mut name = self.draw.of(NAMES).to_owned();
        while self.known.iter().any(|known| known.kind == kind && known.name == name) && !self.draw.one_in(20) {
            name.push_str(&self.known.len().to_string());
        }
        let mut metadata = json!({"name": name});
        let namespace = self.draw.one_in(4).then(|| self.draw.of(NAMESPACES));
        if let Some(namespace) = namespace {
            metadata["namespace"] = json!(namespace);
        }
        if self.draw.one_in(3) {
            metadata["labels"] = self.draw.pairs();
        }
        if self.draw.one_in(4) {
            metadata["annotations"] = match self.draw.below(12) {
                10 => json!({"k": self.draw.plain()}),
                11 => json!({}),
                _ => self.draw.pairs(),
            };
        }
        self.known.push(Known { version, kind, name, namespace, generated: false });
        let mut object = json!({"apiVersion": version, "kind": kind, "metadata": metadata});
        self.body(version, kind, &mut object);
        object
    }

    fn body(&mut self, version: &str, kind: &str, object: &mut Value) {
        match kind {
            "ConfigMap" => {
                object["data"] = self.draw.pairs();
                match self.draw.below(8) {
                    6 => object["binaryData"] = json!({"bin": "AP8="}),
                    7 => object["data"]["plain"] = self.draw.plain(),
                    _ => {}
                }
            }
            "Secret" if self.draw.one_in(3) => {
                object["data"] = json!({"k": "dmFsdWU=", "l": self.draw.of(&["", "eA=="])})
            }
            "Secret" => object["stringData"] = self.draw.pairs(),
            "Service" if version.starts_with("serving") => object["spec"] = json!({"template": self.template()}),
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" => self.workload(kind, object),
            "ReplicationController" => {
                object["spec"] = json!({"selector": self.draw.pairs(), "template": self.template()})
            }
            "Job" => object["spec"] = json!({"template": self.template()}),
            "Pod" => object["spec"] = self.template()["spec"].take(),
            "PodTemplate" => object["template"] = self.template(),
            "CronJob" => object["spec"] = json!({"jobTemplate": {"spec": {"template": self.template()}}}),
            "Service" => {
                let port = |draw: &mut Draw<'_>| match draw.below(3) {
                    0 => json!({"port": 80}),
                    1 => json!({"port": 53, "protocol": "UDP", "name": "dns"}),
                    _ => json!({"port": 53, "protocol": "TCP"}),
                };
                object["spec"] = json!({"ports": self.draw.several(3, port)});
                if self.draw.one_in(2) {
                    object["spec"]["selector"] = self.draw.pairs();
                }
            }
            "RoleBinding" | "ClusterRoleBinding" => self.binding(kind, object),
            "ClusterRole" | "Role" => {
                let names = [self.name(&["ConfigMap"]), self.name(&["Secret"])];
                let resource = self.draw.of(&["configmaps", "secrets", "serviceaccounts", "*"]);
                object["rules"] = json!([{"resources": [resource], "resourceNames": names, "verbs": ["get"]}]);
                if kind == "ClusterRole" && self.draw.one_in(4) {
                    object["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": self.draw.pairs()}]});
                }
            }
            "Thing" | "ClusterThing" => self.thing(object),
            _ => self.other(version, kind, object),
        }
    }

    fn workload(&mut self, kind: &str, object: &mut Value) {
        let selector = json!({"matchLabels": self.draw.pairs()});
        object["spec"] = json!({"selector": selector, "template": self.template()});
        if kind == "StatefulSet" {
            object["spec"]["serviceName"] = json!(self.name(&["Service"]));
            if self.draw.one_in(2) {
                let class = self.name(&["StorageClass"]);
                object["spec"]["volumeClaimTemplates"] =
                    json!([{"metadata": {"name": "data"}, "spec": {"storageClassName": class}}]);
            }
        } else if self.draw.one_in(2) {
            object["spec"]["replicas"] = json!(self.draw.below(5));
        }
    }

    fn binding(&mut self, kind: &str, object: &mut Value) {
        let role_kind = if kind == "RoleBinding" { self.draw.of(&["ClusterRole", "Role"]) } else { "ClusterRole" };
        let role = self.name(&[role_kind]);
        object["roleRef"] = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role});
        let subjects = 1 + self.draw.below(3);
        let subjects: Vec<Value> = (0..subjects)
            .map(|_| {
                let name = match self.draw.below(5) {
                    4 => "default".to_owned(),
                    _ => self.name(&["ServiceAccount"]),
                };
                let mut subject =
                    json!({"kind": self.draw.of(&["ServiceAccount", "ServiceAccount", "User"]), "name": name});
                if self.draw.one_in(2) {
                    subject["namespace"] = json!(self.draw.of(NAMESPACES));
                }
                subject
            })
            .collect();
        object["subjects"] = json!(subjects);
    }

    fn thing(&mut self, object: &mut Value) {
        let list = self.draw.several(2, |draw| if draw.one_in(3) { draw.plain() } else { draw.text() });
        object["spec"] = json!({
            "text": self.draw.text(), "number": self.draw.below(3), "list": list, "empty": {},
            "ref": self.name(&["ConfigMap", "Secret"]), "containers": [{"name": "x", "image": self.draw.of(IMAGES)}],
        });
        match self.draw.below(8) {
            3 => object["spec"]["plain"] = self.draw.plain(),
            4 => object["spec"]["nothing"] = Value::Null,
            5 => object["spec"]["refs"] = json!([{"name": self.name(&["ConfigMap"])}, {"name": self.name(&["Thing"])}]),
            6 => object["spec"]["template"] = self.template(),
            7 => object["spec"]["embedded"] = json!(json!({"a": {"b": self.draw.text()}, "l": [1, 2]}).to_string()),
            _ => {}
        }
    }

    /// Kinds of which little more than a reference is of interest.
    fn other(&mut self, version: &str, kind: &str, object: &mut Value) {
        match kind {
            "ServiceAccount" if self.draw.one_in(2) => {
                object["imagePullSecrets"] = json!([{"name": self.name(&["Secret"])}]);
                object["secrets"] = json!([{"name": self.name(&["Secret"])}]);
            }
            "Ingress" => {
                let service = self.name(&["Service"]);
                let tls = json!([{"secretName": self.name(&["Secret"])}]);
                let backend = if version.starts_with("ext") {
                    json!({"serviceName": service, "servicePort": 80})
                } else {
                    json!({"service": {"name": service, "port": {"number": 80}}})
                };
                object["spec"] = json!({"tls": tls, "rules": [{"http": {"paths": [{"backend": backend}]}}]});
                if self.draw.one_in(3) {
                    object["spec"]["defaultBackend"] = backend;
                    object["spec"]["ingressClassName"] = json!(self.name(&["IngressClass"]));
                }
                if self.draw.one_in(5) {
                    let secret = self.name(&["Secret"]);
                    object["metadata"]["annotations"] = json!({
                        "nginx.ingress.kubernetes.io/auth-secret": secret, "ingress.kubernetes.io/auth-secret": secret,
                        "nginx.ingress.kubernetes.io/auth-tls-secret": secret, "nginx.ingress.kubernetes.io/fastcgi-params-configmap": self.name(&["ConfigMap"]),
                    });
                }
            }
            "HorizontalPodAutoscaler" => {
                let kind = self.draw.of(&["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"]);
                let name = self.name(&[kind]);
                object["spec"] = json!({"scaleTargetRef": {"kind": kind, "name": name}});
                if self.draw.one_in(2) {
                    object["spec"]["scaleTargetRef"]["apiVersion"] = json!("apps/v1");
                }
            }
            "NetworkPolicy" => {
                let selector = json!({"matchLabels": self.draw.pairs()});
                object["spec"] = json!({"podSelector": selector, "ingress": [{"from": [{"podSelector": {}}]}]});
            }
            "PodDisruptionBudget" => {
                object["spec"] = json!({"minAvailable": 1, "selector": {"matchLabels": self.draw.pairs()}})
            }
            "PersistentVolumeClaim" => {
                object["spec"] =
                    json!({"accessModes": ["ReadWriteOnce"], "storageClassName": self.name(&["StorageClass"])});
                if self.draw.one_in(2) {
                    object["spec"]["volumeName"] = json!(self.name(&["PersistentVolume"]));
                }
            }
            "PersistentVolume" => {
                let claim =
                    json!({"name": self.name(&["PersistentVolumeClaim"]), "namespace": self.draw.of(NAMESPACES)});
                object["spec"] = json!({
                    "storageClassName": self.name(&["StorageClass"]), "claimRef": claim,
                    "csi": {"nodePublishSecretRef": {"name": self.name(&["Secret"])}},
                });
            }
            "StorageClass" => {
                object["parameters"] =
                    json!({"adminSecretName": self.name(&["Secret"]), "userSecretName": self.name(&["Secret"])});
            }
            "PriorityClass" => object["value"] = json!(self.draw.below(3)),
            "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
                let mut service = json!({"name": self.name(&["Service"])});
                if self.draw.one_in(2) {
                    service["namespace"] = json!(self.draw.of(NAMESPACES));
                }
                object["webhooks"] = json!([{"name": "w", "clientConfig": {"service": service}}]);
            }
            "APIService" => {
                object["spec"] =
                    json!({"service": {"name": self.name(&["Service"]), "namespace": self.draw.of(NAMESPACES)}});
            }
            "ValidatingAdmissionPolicyBinding" => {
                object["spec"] = json!({"policyName": self.name(&["ValidatingAdmissionPolicy"])});
            }
            "CustomResourceDefinition" => {
                object["spec"] = json!({"group": "example.com", "scope": "Cluster", "names": {"kind": "ClusterThing"}});
                if self.draw.one_in(2) {
                    let service = json!({"name": self.name(&["Service"]), "namespace": self.draw.of(NAMESPACES)});
                    object["spec"]["conversion"] =
                        json!({"strategy": "Webhook", "webhook": {"clientConfig": {"service": service}}});
                }
            }
            _ => {}
        }
    }

    fn template(&mut self) -> Value {
        let mut spec = json!({"containers": self.containers(&["m", "n"])});
        if self.draw.one_in(6) {
            spec["initContainers"] = self.containers(&["i", "j"]);
        }
        if self.draw.one_in(2) {
            spec["volumes"] = match self.draw.below(4) {
                0 => json!([{"name": "v", "configMap": {"name": self.name(&["ConfigMap"])}}]),
                1 => json!([{"name": "v", "secret": {"secretName": self.name(&["Secret"])}}]),
                2 => {
                    json!([{"name": "v", "persistentVolumeClaim": {"claimName": self.name(&["PersistentVolumeClaim"])}}, {"name": "i", "image": {"reference": self.draw.of(IMAGES)}}])
                }
                _ => {
                    json!([{"name": "v", "projected": {"sources": [{"configMap": {"name": self.name(&["ConfigMap"])}}, {"secret": {"name": self.name(&["Secret"])}}]}}])
                }
            };
        }
        if self.draw.one_in(3) {
            spec["serviceAccountName"] = json!(self.name(&["ServiceAccount"]));
        }
        match self.draw.below(12) {
            8 => spec["priorityClassName"] = json!(self.name(&["PriorityClass"])),
            9 => spec["imagePullSecrets"] = json!([{"name": self.name(&["Secret"])}]),
            10 => {
                let term = json!({"topologyKey": "t", "labelSelector": {"matchLabels": self.draw.pairs()}});
                spec["affinity"] =
                    json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
            }
            11 => {
                let selector = json!({"matchLabels": self.draw.pairs()});
                spec["topologySpreadConstraints"] =
                    json!([{"maxSkew": 1, "topologyKey": "t", "labelSelector": selector}]);
                spec["tolerations"] = json!([{"key": "k", "operator": "Exists"}]);
            }
            _ => {}
        }
        let mut template = json!({"spec": spec});
        if self.draw.one_in(2) {
            template["metadata"] = json!({"labels": self.draw.pairs()});
        }
        template
    }

    fn containers(&mut self, names: &[&str]) -> Value {
        let mut containers = Vec::new();
        for name in &names[..1 + self.draw.below(names.len())] {
            let mut container = json!({"name": name, "image": self.draw.of(IMAGES)});
            if self.draw.one_in(2) {
                let (key, from) = match self.draw.below(2) {
                    0 => ("ConfigMap", "configMapRef"),
                    _ => ("Secret", "secretRef"),
                };
                container["envFrom"] = json!([{from: {"name": self.name(&[key])}}]);
            }
            if self.draw.one_in(2) {
                container["env"] = json!([{"name": "A", "value": self.draw.text()}, {"name": "B", "value": "$(V)"}]);
                if self.draw.one_in(3) {
                    let (key, from) = match self.draw.below(2) {
                        0 => ("ConfigMap", "configMapKeyRef"),
                        _ => ("Secret", "secretKeyRef"),
                    };
                    container["env"][1] =
                        json!({"name": "B", "valueFrom": {from: {"name": self.name(&[key]), "key": "k"}}});
                }
            }
            if self.draw.one_in(3) {
                container["ports"] = json!([{"containerPort": 80}, {"containerPort": 81, "protocol": "UDP"}]);
            }
            if self.draw.one_in(6) {
                container["args"] = json!(self.draw.several(3, Draw::text));
            }
            if self.draw.one_in(6) {
                container["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/w"}]);
            }
            containers.push(container);
        }
        json!(containers)
    }
}

//! Patches: strategic merge and JSON, with every kind of target.

use serde_json::{Map, Value, json};

use super::draw::{NAMES, NAMESPACES};
use super::{Known, Made, Node, text};

impl Made<'_> {
    pub(super) fn patch(&mut self, folder: &str, at: usize) -> Value {
        let known = self.known();
        let mut entry = json!({});
        let text = if self.draw.one_in(3) {
            entry["target"] = json!({"kind": known.kind});
            if self.draw.one_in(2) {
                entry["target"]["name"] = json!(known.name);
            }
            if self.draw.one_in(8) {
                entry["options"] = json!({"allowNameChange": true, "allowKindChange": true});
            }
            let operations = self.operations(&known);
            text::document(&mut self.draw, &operations)
        } else {
            if self.draw.one_in(3) {
                entry["target"] = self.target(&known);
            }
            if self.draw.one_in(10) {
                entry["options"] = json!({"allowNameChange": true, "allowKindChange": self.draw.one_in(3)});
            }
            let mut patches = vec![self.strategic(&known)];
            if entry.get("target").is_none() && self.draw.one_in(8) {
                let other = self.known();
                patches.push(self.strategic(&other));
            }
            if entry.get("options").is_some() && entry.get("target").is_some() {
                if self.draw.one_in(2) {
                    patches[0]["metadata"]["name"] = json!("renamed");
                }
                if self.draw.one_in(4) {
                    patches[0]["kind"] = json!("Other");
                }
            }
            text::documents(&mut self.draw, &patches)
        };
        if self.draw.one_in(4) {
            let path = format!("patch{at}.yaml");
            self.nodes.push(Node::file(format!("{folder}/{path}"), text));
            entry["path"] = json!(path);
        } else {
            entry["patch"] = json!(text);
        }
        entry
    }

    /// The fields that kustomize had before `patches`.
    pub(super) fn older_patches(&mut self, folder: &str, fields: &mut Map<String, Value>) {
        if self.draw.one_in(14) {
            let known = self.known();
            let patch = self.strategic(&known);
            let text = text::document(&mut self.draw, &patch);
            if self.draw.one_in(2) {
                self.nodes.push(Node::file(format!("{folder}/older.yaml"), text));
                fields.insert("patchesStrategicMerge".into(), json!(["older.yaml"]));
            } else {
                fields.insert("patchesStrategicMerge".into(), json!([text]));
            }
        }
        if self.draw.one_in(18) {
            let known = self.known();
            let (group, version) = known.version.split_once('/').unwrap_or(("", known.version));
            let operations = self.operations(&known);
            let text = text::document(&mut self.draw, &operations);
            let target = json!({"group": group, "version": version, "kind": known.kind, "name": known.name});
            fields.insert("patchesJson6902".into(), json!([{"target": target, "patch": text}]));
        }
    }

    fn operations(&mut self, known: &Known) -> Value {
        // What holds for every object of the kind, most of the time: what a JSON patch does not find is refused.
        let fitting = if self.draw.one_in(10) { 13 } else { 2 };
        let operations = self.draw.several(2, |draw| match (draw.below(fitting + 1), known.kind) {
            (0, _) => json!({"op": "add", "path": "/metadata/annotations", "value": draw.pairs()}),
            (1, _) => json!({"op": "replace", "path": "/metadata/labels", "value": draw.pairs()}),
            (3, _) | (2, "ConfigMap") => json!({"op": "add", "path": "/data/patched", "value": draw.text()}),
            (4, _) | (2, "Deployment" | "StatefulSet" | "Job" | "DaemonSet") => {
                json!({"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "patched:1"})
            }
            (5, _) => json!({"op": "remove", "path": "/spec/selector"}),
            (6, _) | (2, "Thing") => match draw.below(4) {
                1 => json!({"op": "add", "path": "/spec/list/0", "value": draw.plain()}),
                2 => json!({"op": "copy", "from": "/spec/list", "path": "/spec/copied"}),
                3 => json!({"op": "move", "from": "/spec/text", "path": "/spec/list/-"}),
                _ => json!({"op": "add", "path": "/spec/list/-", "value": draw.text()}),
            },
            (7, _) => json!({"op": "test", "path": "/kind", "value": draw.of(&[known.kind, "Other"])}),
            (8, _) => json!({"op": "replace", "path": "/metadata/name", "value": draw.of(NAMES)}),
            (9, _) => json!({"op": "add", "path": "/spec/list/-1", "value": "x"}),
            (10, _) => json!({"op": "remove", "path": "/metadata/labels/example.com~1m"}),
            (11, _) => json!({"op": "add", "path": "/spec/a~0b", "value": null}),
            (12, _) => json!({"op": "replace", "path": "/kind", "value": "Thing"}),
            (13, _) => json!({"op": "add", "path": "/metadata/namespace", "value": draw.of(NAMESPACES)}),
            _ => json!({"op": "add", "path": "/added", "value": {"a": [draw.text(), draw.plain()]}}),
        });
        json!(operations)
    }

    fn target(&mut self, known: &Known) -> Value {
        let selectors = ["k", "app=v", "!l", "k in (v,1)", "app notin (v)", "k!=v", "app==v,k", "example.com/m"];
        match self.draw.below(11) {
            0 => json!({"kind": known.kind}),
            1 => json!({"kind": known.kind, "name": known.name}),
            2 => json!({"name": format!("{}.*", &known.name[..1])}),
            3 => json!({"labelSelector": self.draw.of(&selectors)}),
            4 => json!({"kind": known.kind, "annotationSelector": self.draw.of(&selectors)}),
            5 => json!({"kind": known.kind, "namespace": self.draw.of(NAMESPACES)}),
            6 => {
                json!({"kind": "Deployment|StatefulSet", "name": self.draw.of(&["^a$", "a|b", "[a-c].*", "(?i)WEB.*"])})
            }
            7 => json!({"group": self.draw.of(&["apps", "batch", "example.com"]), "version": "v1"}),
            8 => {
                json!({"kind": ".*Map", "annotationSelector": self.draw.of(&selectors), "labelSelector": self.draw.of(&selectors)})
            }
            9 => json!({"namespace": self.draw.of(&["o.*", ".*", "default|two"])}),
            _ => json!({"name": known.name, "version": known.version.rsplit('/').next()}),
        }
    }

    fn strategic(&mut self, known: &Known) -> Value {
        let mut metadata = json!({"name": known.name});
        if let Some(namespace) = known.namespace {
            metadata["namespace"] = json!(namespace);
        }
        let mut patch = json!({"apiVersion": known.version, "kind": known.kind, "metadata": metadata});
        match self.draw.below(30) {
            27 | 28 => {
                patch["$patch"] = json!("delete");
                return patch;
            }
            29 => patch["$patch"] = json!("replace"),
            _ => {}
        }
        if self.draw.one_in(2) {
            patch["metadata"]["labels"] = match self.draw.below(8) {
                4 | 5 => json!({"k": null}),
                6 => json!({"$patch": "replace", "k": "only"}),
                7 => json!({"$patch": "delete"}),
                _ => self.draw.pairs(),
            };
        }
        if self.draw.one_in(8) {
            patch["metadata"]["annotations"] = match self.draw.below(3) {
                1 => Value::Null,
                2 => json!({"k": self.draw.plain()}),
                _ => self.draw.pairs(),
            };
        }
        self.changed(known, &mut patch);
        patch
    }

    fn changed(&mut self, known: &Known, patch: &mut Value) {
        match known.kind {
            "ConfigMap" => {
                let value = if self.draw.one_in(3) { Value::Null } else { json!("p") };
                patch["data"] = json!({"patched": self.draw.text(), "k": value});
                if self.draw.one_in(10) {
                    patch["data"]["$patch"] = json!("replace");
                }
            }
            "Secret" => patch["stringData"] = self.draw.pairs(),
            "Deployment" if known.version != "apps/v1" => patch["spec"] = json!({"list": [1]}),
            "Service" if known.version != "v1" => patch["spec"] = json!({"traffic": [{"percent": 1}]}),
            "Deployment" | "StatefulSet" | "Job" | "DaemonSet" | "ReplicaSet" => {
                patch["spec"] = json!({"template": {"spec": self.pod()}});
                if self.draw.one_in(8) {
                    patch["spec"]["strategy"] = json!({"$retainKeys": ["type"], "type": "Recreate"});
                }
                if self.draw.one_in(10) {
                    patch["spec"]["selector"] = json!({"matchLabels": {"k": null, "new": "x"}});
                }
            }
            "Pod" => patch["spec"] = self.pod(),
            "CronJob" => patch["spec"] = json!({"jobTemplate": {"spec": {"template": {"spec": self.pod()}}}}),
            "Service" => {
                patch["spec"] = match self.draw.below(5) {
                    0 => json!({"ports": [{"port": 80, "targetPort": 8080}]}),
                    1 => json!({"ports": [{"port": 53, "protocol": "UDP", "name": "u"}, {"port": 90}]}),
                    2 => json!({"ports": [{"port": 53, "protocol": "TCP", "$patch": "delete"}]}),
                    3 => json!({"ports": [{"$patch": "replace"}, {"port": 1}]}),
                    _ => json!({"selector": {"k": null, "n": "p"}}),
                }
            }
            "Thing" | "ClusterThing" => {
                patch["spec"] = match self.draw.below(6) {
                    0 => json!({"list": [], "text": null}),
                    1 => json!({"containers": [{"name": "y"}], "empty": {"a": null, "b": {}}}),
                    2 => json!({"$deleteFromPrimitiveList/list": ["v"], "plain": self.draw.plain()}),
                    3 => {
                        json!({"empty": {"$patch": "delete"}, "made": {"deep": {"$patch": "merge", "a": self.draw.plain()}}})
                    }
                    4 => json!({"containers": [{"$patch": "replace"}, {"name": "z"}], "list": null}),
                    _ => json!({"$patch": "replace", "only": self.draw.text()}),
                }
            }
            "RoleBinding" | "ClusterRoleBinding" => patch["subjects"] = json!([{"kind": "User", "name": "ann"}]),
            "ClusterRole" | "Role" => patch["rules"] = json!([{"resources": ["pods"], "verbs": ["get"]}]),
            "Ingress" => patch["spec"] = json!({"rules": [{"host": "h"}], "tls": [{"hosts": ["h"]}]}),
            "ServiceAccount" => patch["imagePullSecrets"] = json!([{"name": self.name(&["Secret"])}]),
            "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
                patch["webhooks"] = json!([{"name": self.draw.of(&["w", "v"]), "failurePolicy": "Ignore"}]);
            }
            "HorizontalPodAutoscaler" => patch["spec"] = json!({"metrics": [{"type": "Resource"}], "maxReplicas": 3}),
            _ => {}
        }
    }

    fn pod(&mut self) -> Value {
        let container = match self.draw.below(12) {
            0 => json!({"name": "m", "env": [{"name": "A", "value": "p"}, {"name": "Z", "value": "z"}]}),
            1 => json!({"name": "n", "image": "patched"}),
            2 => json!({"name": "new", "image": "new"}),
            3 => json!({"name": "m", "$patch": "delete"}),
            4 => {
                json!({"name": "m", "env": [{"name": "A", "$patch": "delete"}, {"name": "B", "value": self.draw.plain()}]})
            }
            5 => json!({"name": "m", "args": self.draw.several(2, |draw| draw.text()), "image": null}),
            6 => {
                json!({"name": "m", "volumeMounts": [{"mountPath": "/v", "name": "other"}, {"mountPath": "/x", "name": "v"}]})
            }
            7 => json!({"name": "m", "$setElementOrder/env": [{"name": "B"}, {"name": "A"}]}),
            8 => json!({"name": "m", "ports": [{"containerPort": 81, "protocol": "UDP", "$patch": "delete"}]}),
            9 => json!({"name": "m", "env": null, "envFrom": [{"configMapRef": {"name": self.name(&["ConfigMap"])}}]}),
            10 => json!({"image": "without-a-name"}),
            _ => json!({"name": "m", "ports": [{"containerPort": 80, "name": "web"}, {"containerPort": 82}]}),
        };
        let mut containers = vec![container];
        if self.draw.one_in(8) {
            containers.push(json!({"$patch": self.draw.of(&["replace", "replace", "delete", "merge"])}));
        }
        let mut pod = json!({"containers": containers});
        if self.draw.one_in(3) {
            pod["volumes"] = match self.draw.below(4) {
                1 => json!([{"name": "v", "$patch": "delete"}]),
                2 => json!([{"name": "v", "configMap": null, "emptyDir": {}}]),
                3 => json!([{"name": "v", "$retainKeys": ["name", "emptyDir"], "emptyDir": {}}]),
                _ => json!([{"name": "w", "emptyDir": {}}]),
            };
        }
        match self.draw.below(14) {
            9 => pod["$setElementOrder/containers"] = json!([{"name": "n"}, {"name": "m"}]),
            10 => pod["initContainers"] = json!([{"name": self.draw.of(&["i", "k"]), "image": "init"}]),
            11 => pod["imagePullSecrets"] = json!([{"name": self.name(&["Secret"])}]),
            12 => pod["tolerations"] = json!([{"key": "k", "effect": "NoSchedule"}]),
            13 => {
                pod["topologySpreadConstraints"] = json!([{"topologyKey": "t", "whenUnsatisfiable": "x", "maxSkew": 2}])
            }
            _ => {}
        }
        pod
    }
}

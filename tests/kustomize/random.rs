//! Random kustomizations.
//!
//! A tree is made from a list of numbers: each choice takes the next one, and where none is left
//! the first of the possibilities is taken, which is the simplest. So whatever shortens the list
//! or makes its numbers smaller makes a smaller tree, and a tree that shows a difference shrinks.

use serde_json::{Map, Value, json};
use tandem::object::yaml;

use super::case::Node;

/// Makes a tree. The folder to build is `app`.
pub fn tree(choices: &[u16]) -> Vec<Node> {
    let mut made = Made { draw: Draw { choices, at: 0 }, nodes: Vec::new(), known: Vec::new(), components: 0 };
    made.layers();
    made.nodes
}

const NAMES: &[&str] = &["a", "b", "web", "c-1"];
const NAMESPACES: &[&str] = &["one", "default", "two"];
const IMAGES: &[&str] = &["nginx", "nginx:1.0", "r.example.com:5000/web", "web@sha256:abc", "lib/web:2"];
const TEXTS: &[&str] =
    &["v", "1", "true", "a:b:c", "", "null", "x\ny\n", "1.5", "yes", "a: b", "~", "é", " s ", "a/b/c"];
const KEYS: &[&str] = &["k", "l", "example.com/m", "app"];

/// The choices that are left.
struct Draw<'a> {
    choices: &'a [u16],
    at: usize,
}

impl Draw<'_> {
    fn below(&mut self, n: usize) -> usize {
        let choice = self.choices.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(choice) % n
    }

    /// True in one of `n`; never where no choice is left.
    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn text(&mut self) -> Value {
        json!(self.of(TEXTS))
    }

    /// A number of things.
    fn several<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..1 + self.below(most)).map(|_| make(self)).collect()
    }

    fn pairs(&mut self) -> Value {
        let pairs = self.several(2, |draw| (draw.of(KEYS).to_owned(), draw.text()));
        Value::Object(pairs.into_iter().collect())
    }
}

/// An object that some kustomization has.
#[derive(Clone)]
struct Known {
    kind: &'static str,
    name: String,
    namespace: Option<&'static str>,
    generated: bool,
}

struct Made<'a> {
    draw: Draw<'a>,
    nodes: Vec<Node>,
    known: Vec<Known>,
    components: usize,
}

impl Made<'_> {
    fn layers(&mut self) {
        let count = self.draw.below(4);
        let mut below: Vec<String> = Vec::new();
        for layer in 0..count {
            // Two overlays of one base now and then, else a chain.
            if layer > 0 && self.draw.one_in(5) {
                let sides: Vec<String> = ["x", "y"].map(|side| format!("l{layer}{side}")).to_vec();
                for side in &sides {
                    self.kustomization(side, &below, false);
                }
                below = sides;
            } else {
                let name = format!("l{layer}");
                self.kustomization(&name, &below, false);
                below = vec![name];
            }
        }
        self.kustomization("app", &below, false);
    }

    fn write(&mut self, path: String, value: &Value) {
        let text = if self.draw.one_in(12) { format!("{value}\n") } else { yaml::write(value) };
        self.nodes.push(Node::file(path, text));
    }

    fn kustomization(&mut self, folder: &str, bases: &[String], component: bool) {
        let mut fields = Map::new();
        if component {
            fields.insert("apiVersion".into(), json!("kustomize.config.k8s.io/v1alpha1"));
            fields.insert("kind".into(), json!("Component"));
        }
        let mut resources: Vec<String> = bases.iter().map(|base| format!("../{base}")).collect();
        if bases.is_empty() || self.draw.one_in(2) {
            let count = 1 + self.draw.below(4);
            let objects: Vec<Value> = (0..count).map(|_| self.object()).collect();
            let text = objects.iter().map(yaml::write).collect::<Vec<_>>().join("---\n");
            self.nodes.push(Node::file(format!("{folder}/objects.yaml"), text));
            let at = self.draw.below(resources.len() + 1);
            resources.insert(at, "objects.yaml".to_owned());
        }
        fields.insert("resources".into(), json!(resources));
        if self.components < 2 && self.draw.one_in(6) {
            self.components += 1;
            let name = format!("comp{}", self.components);
            self.kustomization(&name, &[], true);
            fields.insert("components".into(), json!([format!("../{name}")]));
        }
        self.generators(folder, &mut fields);
        self.transformers(folder, &mut fields);
        if !component {
            self.output(&mut fields);
        }
        self.write(format!("{folder}/kustomization.yaml"), &Value::Object(fields));
    }

    fn output(&mut self, fields: &mut Map<String, Value>) {
        match self.draw.below(6) {
            4 => drop(fields.insert("sortOptions".into(), json!({"order": "fifo"}))),
            5 => {
                let options = json!({"orderFirst": ["Service", "ConfigMap"], "orderLast": ["Namespace"]});
                fields.insert("sortOptions".into(), json!({"order": "legacy", "legacySortOptions": options}));
            }
            _ => {}
        }
        if self.draw.one_in(10) {
            let options = ["originAnnotations", "managedByLabel", "transformerAnnotations"];
            let chosen = self.draw.several(2, |draw| draw.of(&options));
            fields.insert("buildMetadata".into(), json!(chosen));
        }
    }

    /// The name of something that is there, most of the time.
    fn name(&mut self, kinds: &[&str]) -> String {
        let fitting: Vec<String> =
            self.known.iter().filter(|k| kinds.contains(&k.kind)).map(|k| k.name.clone()).collect();
        if fitting.is_empty() || self.draw.one_in(8) {
            return self.draw.of(NAMES).to_owned();
        }
        fitting[self.draw.below(fitting.len())].clone()
    }

    fn object(&mut self) -> Value {
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
        ];
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
            metadata["annotations"] = self.draw.pairs();
        }
        self.known.push(Known { kind, name, namespace, generated: false });
        let mut object = json!({"apiVersion": version, "kind": kind, "metadata": metadata});
        self.body(kind, &mut object);
        object
    }

    fn body(&mut self, kind: &str, object: &mut Value) {
        match kind {
            "ConfigMap" => object["data"] = self.draw.pairs(),
            "Secret" => object["stringData"] = self.draw.pairs(),
            "Deployment" | "StatefulSet" => {
                let selector = json!({"matchLabels": self.draw.pairs()});
                object["spec"] = json!({"selector": selector, "template": self.template()});
                if kind == "StatefulSet" {
                    object["spec"]["serviceName"] = json!(self.name(&["Service"]));
                    if self.draw.one_in(2) {
                        object["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}}]);
                    }
                } else if self.draw.one_in(2) {
                    object["spec"]["replicas"] = json!(self.draw.below(5));
                }
            }
            "Job" => object["spec"] = json!({"template": self.template()}),
            "CronJob" => object["spec"] = json!({"jobTemplate": {"spec": {"template": self.template()}}}),
            "Service" => {
                let port = |draw: &mut Draw| match draw.below(3) {
                    0 => json!({"port": 80}),
                    1 => json!({"port": 53, "protocol": "UDP", "name": "dns"}),
                    _ => json!({"port": 53, "protocol": "TCP"}),
                };
                object["spec"] = json!({"ports": self.draw.several(3, port)});
                if self.draw.one_in(2) {
                    object["spec"]["selector"] = self.draw.pairs();
                }
            }
            "Ingress" => {
                let backend = json!({"service": {"name": self.name(&["Service"]), "port": {"number": 80}}});
                let tls = json!([{"secretName": self.name(&["Secret"])}]);
                object["spec"] = json!({"tls": tls, "rules": [{"http": {"paths": [{"backend": backend}]}}]});
            }
            "RoleBinding" | "ClusterRoleBinding" => {
                let role = self.name(&["ClusterRole"]);
                object["roleRef"] =
                    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role});
                let mut subject = json!({"kind": "ServiceAccount", "name": self.name(&["ServiceAccount"])});
                if self.draw.one_in(2) {
                    subject["namespace"] = json!(self.draw.of(NAMESPACES));
                }
                object["subjects"] = json!([subject]);
            }
            "ClusterRole" => {
                let names = [self.name(&["ConfigMap"]), self.name(&["Secret"])];
                object["rules"] = json!([{"resources": ["configmaps"], "resourceNames": names, "verbs": ["get"]}]);
            }
            "HorizontalPodAutoscaler" => {
                let name = self.name(&["Deployment", "StatefulSet"]);
                object["spec"] = json!({"scaleTargetRef": {"kind": "Deployment", "name": name}});
            }
            "NetworkPolicy" => {
                let selector = json!({"matchLabels": self.draw.pairs()});
                object["spec"] = json!({"podSelector": selector, "ingress": [{"from": [{"podSelector": {}}]}]});
            }
            "PersistentVolumeClaim" => object["spec"] = json!({"accessModes": ["ReadWriteOnce"]}),
            "Thing" => {
                let list = self.draw.several(2, Draw::text);
                object["spec"] = json!({
                    "text": self.draw.text(), "number": self.draw.below(3), "list": list, "empty": {},
                    "ref": self.name(&["ConfigMap", "Secret"]), "containers": [{"name": "x", "image": self.draw.of(IMAGES)}],
                });
            }
            "ValidatingWebhookConfiguration" => {
                let mut service = json!({"name": self.name(&["Service"])});
                if self.draw.one_in(2) {
                    service["namespace"] = json!(self.draw.of(NAMESPACES));
                }
                object["webhooks"] = json!([{"name": "w", "clientConfig": {"service": service}}]);
            }
            _ => {}
        }
    }

    fn template(&mut self) -> Value {
        let mut containers = Vec::new();
        for name in &["m", "n"][..1 + self.draw.below(2)] {
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
            }
            if self.draw.one_in(3) {
                container["ports"] = json!([{"containerPort": 80}, {"containerPort": 81, "protocol": "UDP"}]);
            }
            containers.push(container);
        }
        let mut spec = json!({"containers": containers});
        if self.draw.one_in(2) {
            spec["volumes"] = json!([{"name": "v", "configMap": {"name": self.name(&["ConfigMap"])}}]);
        }
        if self.draw.one_in(3) {
            spec["serviceAccountName"] = json!(self.name(&["ServiceAccount"]));
        }
        let mut template = json!({"spec": spec});
        if self.draw.one_in(2) {
            template["metadata"] = json!({"labels": self.draw.pairs()});
        }
        template
    }

    fn generators(&mut self, folder: &str, fields: &mut Map<String, Value>) {
        for (field, kind) in [("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")] {
            if !self.draw.one_in(4) {
                continue;
            }
            let count = 1 + self.draw.below(2);
            let entries: Vec<Value> = (0..count).map(|at| self.generator(folder, kind, at)).collect();
            fields.insert(field.into(), json!(entries));
        }
        if self.draw.one_in(10) {
            let options = match self.draw.below(3) {
                0 => json!({"disableNameSuffixHash": true}),
                1 => json!({"labels": self.draw.pairs(), "annotations": self.draw.pairs()}),
                _ => json!({"immutable": true}),
            };
            fields.insert("generatorOptions".into(), options);
        }
    }

    fn generator(&mut self, folder: &str, kind: &'static str, at: usize) -> Value {
        let generated: Vec<Known> = self.known.iter().filter(|k| k.kind == kind && k.generated).cloned().collect();
        let mut entry = json!({});
        if !generated.is_empty() && self.draw.one_in(2) {
            let known = &generated[self.draw.below(generated.len())];
            entry["name"] = json!(known.name);
            entry["behavior"] = json!(self.draw.of(&["merge", "replace"]));
            if let Some(namespace) = known.namespace {
                entry["namespace"] = json!(namespace);
            }
        } else {
            let name = format!("{}-{}", self.draw.of(&["gen", "more"]), self.known.len());
            let namespace = self.draw.one_in(6).then(|| self.draw.of(NAMESPACES));
            entry["name"] = json!(name);
            if let Some(namespace) = namespace {
                entry["namespace"] = json!(namespace);
            }
            self.known.push(Known { kind, name, namespace, generated: true });
        }
        let keys = ["x", "y", "z"];
        let literal = |draw: &mut Draw| format!("{}={}", draw.of(&["k", "l", "m.n"]), draw.of(TEXTS));
        let mut literals = self.draw.several(2, literal);
        literals.dedup_by_key(|literal| literal.split('=').next().map(str::to_owned));
        entry["literals"] = json!(literals);
        if self.draw.one_in(3) {
            let path = format!("{kind}{at}.txt");
            let content = self.draw.of(TEXTS);
            self.nodes.push(Node::file(format!("{folder}/{path}"), content));
            entry["files"] = json!([format!("{}={path}", self.draw.of(&keys))]);
        }
        if self.draw.one_in(4) {
            let path = format!("{kind}{at}.env");
            let content = self.draw.of(&["E=1\n", "E=1\n# c\nF=a=b\n", "E=\n\nF= x \n"]);
            self.nodes.push(Node::file(format!("{folder}/{path}"), content));
            entry["envs"] = json!([path]);
        }
        if self.draw.one_in(4) {
            entry["options"] = match self.draw.below(3) {
                0 => json!({"disableNameSuffixHash": true}),
                1 => json!({"labels": self.draw.pairs()}),
                _ => json!({"annotations": self.draw.pairs(), "immutable": true}),
            };
        }
        if kind == "Secret" && self.draw.one_in(4) {
            entry["type"] = json!("example.com/kind");
        }
        entry
    }

    fn transformers(&mut self, folder: &str, fields: &mut Map<String, Value>) {
        let texts = [
            ("namePrefix", &["p-", "q-", "1"][..], 4),
            ("nameSuffix", &["-s", "-t", "0"], 5),
            ("namespace", NAMESPACES, 4),
        ];
        for (field, values, often) in texts {
            if self.draw.one_in(often) {
                fields.insert(field.into(), json!(self.draw.of(values)));
            }
        }
        if self.draw.one_in(3) {
            let labels = self.draw.several(2, |draw| {
                let mut entry = json!({"pairs": draw.pairs()});
                for option in ["includeSelectors", "includeTemplates", "includeVolumeClaimTemplates"] {
                    if draw.one_in(3) {
                        entry[option] = json!(true);
                    }
                }
                if draw.one_in(5) {
                    entry["fields"] = json!([{"path": "spec/empty", "kind": "Thing", "create": draw.one_in(2)}]);
                }
                entry
            });
            fields.insert("labels".into(), json!(labels));
        }
        for (field, often) in [("commonLabels", 8), ("commonAnnotations", 5)] {
            if self.draw.one_in(often) {
                fields.insert(field.into(), self.draw.pairs());
            }
        }
        if self.draw.one_in(4) {
            let images = self.draw.several(2, |draw| {
                let mut entry =
                    json!({"name": draw.of(&["nginx", "web", "r.example.com:5000/web", ".*web", "lib/web"])});
                for (field, value) in
                    [("newName", "new/name"), ("newTag", "3"), ("digest", "sha256:def"), ("tagSuffix", "-x")]
                {
                    if draw.one_in(3) {
                        entry[field] = json!(value);
                    }
                }
                entry
            });
            fields.insert("images".into(), json!(images));
        }
        if self.draw.one_in(10) {
            let name = self.name(&["Deployment", "StatefulSet"]);
            fields.insert("replicas".into(), json!([{"name": name, "count": self.draw.below(4)}]));
        }
        if self.draw.one_in(2) {
            let count = 1 + self.draw.below(3);
            let patches: Vec<Value> = (0..count).map(|at| self.patch(folder, at)).collect();
            fields.insert("patches".into(), json!(patches));
        }
        if self.draw.one_in(4) {
            let count = 1 + self.draw.below(2);
            let replacements: Vec<Value> = (0..count).map(|_| self.replacement()).collect();
            fields.insert("replacements".into(), json!(replacements));
        }
        if self.draw.one_in(14)
            && let Some(known) = self.known.iter().find(|known| ["ConfigMap", "Service"].contains(&known.kind))
        {
            let target = json!({"apiVersion": "v1", "kind": known.kind, "name": known.name});
            fields.insert("vars".into(), json!([{"name": "V", "objref": target}]));
        }
        if self.draw.one_in(10) {
            let configuration = match self.draw.below(4) {
                0 => {
                    json!({"nameReference": [{"kind": "ConfigMap", "version": "v1", "fieldSpecs": [{"path": "spec/ref", "kind": "Thing"}]}]})
                }
                1 => json!({"namePrefix": [{"path": "spec/text", "kind": "Thing"}]}),
                2 => json!({"images": [{"path": "spec/text", "kind": "Thing"}]}),
                _ => json!({"commonAnnotations": [{"path": "spec/notes", "kind": "Thing", "create": true}]}),
            };
            self.write(format!("{folder}/configuration.yaml"), &configuration);
            fields.insert("configurations".into(), json!(["configuration.yaml"]));
        }
    }

    fn known(&mut self) -> Known {
        if self.known.is_empty() || self.draw.one_in(20) {
            return Known { kind: "ConfigMap", name: "a".to_owned(), namespace: None, generated: false };
        }
        let at = self.draw.below(self.known.len());
        self.known[at].clone()
    }

    fn patch(&mut self, folder: &str, at: usize) -> Value {
        let known = self.known();
        let mut entry = json!({});
        let text = if self.draw.one_in(3) {
            entry["target"] = json!({"kind": known.kind});
            if self.draw.one_in(2) {
                entry["target"]["name"] = json!(known.name);
            }
            // What holds for every object of the kind, most of the time: what a JSON patch does not find is refused.
            let fitting = if self.draw.one_in(12) { 6 } else { 2 };
            let operations = self.draw.several(2, |draw| match (draw.below(fitting + 1), known.kind) {
                (0, _) => json!({"op": "add", "path": "/metadata/annotations", "value": draw.pairs()}),
                (1, _) => json!({"op": "replace", "path": "/metadata/labels", "value": draw.pairs()}),
                (3, _) | (2, "ConfigMap") => json!({"op": "add", "path": "/data/patched", "value": draw.text()}),
                (4, _) | (2, "Deployment" | "StatefulSet" | "Job") => {
                    json!({"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "patched:1"})
                }
                (5, _) => json!({"op": "remove", "path": "/spec/selector"}),
                (6, _) | (2, "Thing") => json!({"op": "add", "path": "/spec/list/-", "value": draw.text()}),
                _ => json!({"op": "add", "path": "/added", "value": {"a": [draw.text()]}}),
            });
            yaml::write(&json!(operations))
        } else {
            if self.draw.one_in(3) {
                entry["target"] = self.target(&known);
            }
            if self.draw.one_in(10) {
                entry["options"] = json!({"allowNameChange": true, "allowKindChange": self.draw.one_in(3)});
            }
            yaml::write(&self.strategic(&known))
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

    fn target(&mut self, known: &Known) -> Value {
        match self.draw.below(6) {
            0 => json!({"kind": known.kind}),
            1 => json!({"kind": known.kind, "name": known.name}),
            2 => json!({"name": format!("{}.*", &known.name[..1])}),
            3 => json!({"labelSelector": self.draw.of(&["k", "app=v", "!l", "k in (v,1)", "app notin (v)"])}),
            4 => json!({"kind": known.kind, "annotationSelector": self.draw.of(&["k", "!k", "l=1"])}),
            _ => json!({"kind": known.kind, "namespace": self.draw.of(NAMESPACES)}),
        }
    }

    fn strategic(&mut self, known: &Known) -> Value {
        let version = match known.kind {
            "Deployment" | "StatefulSet" => "apps/v1",
            "Job" | "CronJob" => "batch/v1",
            "Thing" => "example.com/v1",
            "Ingress" | "NetworkPolicy" => "networking.k8s.io/v1",
            "RoleBinding" | "ClusterRole" | "ClusterRoleBinding" => "rbac.authorization.k8s.io/v1",
            "HorizontalPodAutoscaler" => "autoscaling/v2",
            "ValidatingWebhookConfiguration" => "admissionregistration.k8s.io/v1",
            _ => "v1",
        };
        let mut metadata = json!({"name": known.name});
        if let Some(namespace) = known.namespace {
            metadata["namespace"] = json!(namespace);
        }
        let mut patch = json!({"apiVersion": version, "kind": known.kind, "metadata": metadata});
        if self.draw.one_in(15) {
            patch["$patch"] = json!("delete");
            return patch;
        }
        if self.draw.one_in(2) {
            patch["metadata"]["labels"] = if self.draw.one_in(4) { json!({"k": null}) } else { self.draw.pairs() };
        }
        match known.kind {
            "ConfigMap" => {
                patch["data"] = json!({"patched": self.draw.text(), "k": if self.draw.one_in(3) { Value::Null } else { json!("p") }})
            }
            "Secret" => patch["stringData"] = self.draw.pairs(),
            "Deployment" | "StatefulSet" | "Job" => {
                let container = match self.draw.below(5) {
                    0 => json!({"name": "m", "env": [{"name": "A", "value": "p"}, {"name": "Z", "value": "z"}]}),
                    1 => json!({"name": "n", "image": "patched"}),
                    2 => json!({"name": "new", "image": "new"}),
                    3 => json!({"name": "m", "$patch": "delete"}),
                    _ => json!({"name": "m", "ports": [{"containerPort": 80, "name": "web"}, {"containerPort": 82}]}),
                };
                let mut containers = vec![container];
                if self.draw.one_in(8) {
                    containers.push(json!({"$patch": "replace"}));
                }
                patch["spec"] = json!({"template": {"spec": {"containers": containers}}});
                if self.draw.one_in(3) {
                    patch["spec"]["template"]["spec"]["volumes"] = json!([{"name": "w", "emptyDir": {}}]);
                }
            }
            "Service" => {
                patch["spec"] = match self.draw.below(3) {
                    0 => json!({"ports": [{"port": 80, "targetPort": 8080}]}),
                    1 => json!({"ports": [{"port": 53, "protocol": "UDP", "name": "u"}, {"port": 90}]}),
                    _ => json!({"selector": {"k": null, "n": "p"}}),
                }
            }
            "Thing" => {
                patch["spec"] = match self.draw.below(3) {
                    0 => json!({"list": [], "text": null}),
                    1 => json!({"containers": [{"name": "y"}], "empty": {"a": null, "b": {}}}),
                    _ => json!({"$patch": "replace", "only": self.draw.text()}),
                }
            }
            "RoleBinding" => patch["subjects"] = json!([{"kind": "User", "name": "ann"}]),
            _ => {}
        }
        patch
    }

    fn replacement(&mut self) -> Value {
        let (source, target) = (self.known(), self.known());
        let mut entry = json!({});
        if self.draw.one_in(4) {
            entry["sourceValue"] = self.draw.text();
        } else {
            entry["source"] = json!({"kind": source.kind, "name": source.name});
            if self.draw.one_in(3) {
                entry["source"]["fieldPath"] =
                    json!(self.draw.of(&["metadata.name", "kind", "data.k", "spec.number", "metadata.labels"]));
            }
        }
        let paths = match target.kind {
            "ConfigMap" => &["data.k", "data.new", "metadata.labels.k"][..],
            "Thing" => &["spec.text", "spec.number", "spec.list.0", "spec.empty.new"],
            "Deployment" | "StatefulSet" | "Job" => &[
                "spec.template.spec.containers.*.image",
                "spec.template.spec.containers.[name=m].image",
                "metadata.annotations.new",
            ],
            "Service" => &["spec.ports.0.port", "metadata.annotations.new", "spec.selector.k"],
            _ => &["metadata.annotations.new", "metadata.labels.app"],
        };
        let mut to = json!({"select": {"kind": target.kind}, "fieldPaths": [self.draw.of(paths)]});
        if self.draw.one_in(2) {
            to["select"]["name"] = json!(target.name);
        }
        let mut options = Map::new();
        if self.draw.below(4) < 3 {
            options.insert("create".into(), json!(true));
        }
        if self.draw.one_in(4) {
            options.insert("delimiter".into(), json!(self.draw.of(&[":", "/"])));
            options.insert("index".into(), json!(self.draw.of(&[0, 1, 9, -1])));
        }
        to["options"] = Value::Object(options);
        if self.draw.one_in(6) {
            to["reject"] = json!([{"name": self.draw.of(NAMES)}]);
        }
        entry["targets"] = json!([to]);
        entry
    }
}

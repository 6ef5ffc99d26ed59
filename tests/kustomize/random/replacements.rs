//! Replacements.

use serde_json::{Map, Value, json};

use super::Made;
use super::draw::{NAMES, NAMESPACES};

impl Made<'_> {
    pub(super) fn replacement(&mut self) -> Value {
        let source = self.known();
        let mut entry = json!({});
        if self.draw.one_in(4) {
            entry["sourceValue"] = self.draw.text();
        } else {
            entry["source"] = json!({"kind": source.kind, "name": source.name});
            if self.draw.one_in(4) {
                entry["source"]["fieldPath"] = json!(self.draw.of(&["metadata.name", "kind"]));
            }
            if self.draw.one_in(6) {
                entry["source"]["fieldPath"] = json!(self.draw.of(&[
                    "metadata.name",
                    "kind",
                    "data.k",
                    "spec.number",
                    "metadata.labels",
                    "spec.list",
                    "spec.list.0",
                    "spec.text",
                    "metadata.labels.[example.com/m]",
                    "spec.template.spec.containers.[name=m].image",
                    "spec.plain",
                    "spec.empty",
                    "spec.containers.*.image",
                ]));
            }
            if self.draw.one_in(16) {
                let delimiter = self.draw.of(&[":", "/", "-", "."]);
                entry["source"]["options"] = json!({"delimiter": delimiter, "index": self.draw.of(&[0, 1, 9, -1])});
            }
            if let Some(namespace) = source.namespace.filter(|_| self.draw.one_in(2)) {
                entry["source"]["namespace"] = json!(namespace);
            }
        }
        let count = 1 + self.draw.below(2);
        let targets: Vec<Value> = (0..count).map(|_| self.replaced(&mut entry)).collect();
        entry["targets"] = json!(targets);
        entry
    }

    /// One of the targets.
    fn replaced(&mut self, entry: &mut Value) -> Value {
        let target = self.known();
        let paths = match target.kind {
            "ConfigMap" => &["data.k", "data.new", "metadata.labels.k", "data.a\\.b", "data.patched"][..],
            "Thing" => &[
                "spec.text",
                "spec.number",
                "spec.list.0",
                "spec.empty.new",
                "spec.list.-",
                "spec.refs.*.name",
                "spec.made.0.x",
                "spec.containers.[name=new].image",
                "spec.embedded.a",
                "spec.plain",
            ],
            "Deployment" | "StatefulSet" | "Job" | "DaemonSet" | "ReplicaSet" => &[
                "spec.template.spec.containers.*.image",
                "spec.template.spec.containers.[name=m].image",
                "metadata.annotations.new",
                "spec.template.spec.containers.[name=m].env.[name=A].value",
                "spec.template.metadata.labels.[example.com/m]",
                "spec.template.spec.containers.1.image",
                "spec.replicas",
            ],
            "Service" => {
                &["spec.ports.0.port", "metadata.annotations.new", "spec.selector.k", "spec.ports.[name=dns].port"]
            }
            "RoleBinding" | "ClusterRoleBinding" => {
                &["subjects.*.namespace", "subjects.[kind=ServiceAccount].name", "roleRef.name"]
            }
            _ => &[
                "metadata.annotations.new",
                "metadata.labels.app",
                "metadata.annotations.[example.com/m]",
                "metadata.name",
            ],
        };
        let mut chosen = vec![self.draw.of(paths)];
        if self.draw.one_in(4) {
            chosen.push(self.draw.of(paths));
        }
        let mut to = json!({"select": {"kind": target.kind}, "fieldPaths": &chosen});
        match self.draw.below(8) {
            4 | 5 => to["select"]["name"] = json!(target.name),
            6 => to["select"] = json!({"labelSelector": self.draw.of(&["k", "app=v", "!k"])}),
            7 => to["select"]["namespace"] = json!(self.draw.of(NAMESPACES)),
            _ => {}
        }
        let mut options = Map::new();
        if self.draw.below(8) < 7 {
            options.insert("create".into(), json!(true));
        }
        if self.draw.one_in(4) {
            options.insert("delimiter".into(), json!(self.draw.of(&[":", "/", "-"])));
            options.insert("index".into(), json!(self.draw.of(&[0, 1, 9, -1])));
        }
        // An empty text makes a null, which a later replacement fills in kustomize and not here: no API server
        // takes a null where it would stand.
        if entry["sourceValue"] == "" && options.contains_key("create") {
            entry["sourceValue"] = json!("x");
        }
        // A text that no name can be is refused here; and `null` that is made twice is a text in kustomize.
        if entry.get("sourceValue").is_some() && (chosen.contains(&"metadata.name") || entry["sourceValue"] == "null") {
            entry["sourceValue"] = json!("renamed");
        }
        to["options"] = Value::Object(options);
        if self.draw.one_in(6) {
            to["reject"] = match self.draw.below(4) {
                1 => json!([{"kind": target.kind, "name": target.name}]),
                2 => json!([{"labelSelector": "k"}]),
                3 => json!([{"namespace": self.draw.of(NAMESPACES)}, {"name": self.draw.of(NAMES)}]),
                _ => json!([{"name": self.draw.of(NAMES)}]),
            };
        }
        to
    }
}

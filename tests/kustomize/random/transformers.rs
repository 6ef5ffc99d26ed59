//! What a kustomization changes of its objects, patches and replacements left out.

use serde_json::{Map, Value, json};

use super::Made;
use super::draw::{Draw, NAMESPACES};

const IMAGE_NAMES: &[&str] = &["nginx", "web", "r.example.com:5000/web", ".*web", "lib/web", "ngin.", "lib/.+"];

fn image(draw: &mut Draw<'_>) -> Value {
    let mut entry = json!({"name": draw.of(IMAGE_NAMES)});
    for (field, value) in
        [("newName", "new/name"), ("newTag", "3"), ("digest", "sha256:def"), ("tagSuffix", "-x"), ("newTag", "0x1F")]
    {
        if draw.one_in(3) {
            entry[field] = json!(value);
        }
    }
    entry
}

fn label_entry(draw: &mut Draw<'_>) -> Value {
    let mut entry = json!({"pairs": draw.pairs()});
    for option in ["includeSelectors", "includeTemplates", "includeVolumeClaimTemplates"] {
        if draw.one_in(3) {
            entry[option] = json!(true);
        }
    }
    if draw.one_in(9) {
        let path = draw.of(&["spec/empty", "spec/made/deep", "spec/template/metadata/labels", "metadata/annotations"]);
        entry["fields"] = json!([{"path": path, "kind": draw.of(&["Thing", "Deployment"]), "create": draw.one_in(2)}]);
        if draw.one_in(3) {
            entry["fields"][0]["group"] = json!(draw.of(&["apps", "example.com"]));
        }
    }
    entry
}

impl Made<'_> {
    pub(super) fn transformers(&mut self, folder: &str, fields: &mut Map<String, Value>) {
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
            fields.insert("labels".into(), json!(self.draw.several(2, label_entry)));
        }
        for (field, often) in [("commonLabels", 8), ("commonAnnotations", 5)] {
            if self.draw.one_in(often) {
                fields.insert(field.into(), self.draw.pairs());
            }
        }
        if self.draw.one_in(4) {
            fields.insert("images".into(), json!(self.draw.several(2, image)));
        }
        const COUNTED: &[&str] = &["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"];
        if self.draw.one_in(8) && self.known.iter().any(|known| COUNTED.contains(&known.kind)) {
            let name = self.name(COUNTED);
            fields.insert("replicas".into(), json!([{"name": name, "count": self.draw.below(4)}]));
        }
        if self.draw.one_in(2) {
            let count = 1 + self.draw.below(3);
            let patches: Vec<Value> = (0..count).map(|at| self.patch(folder, at)).collect();
            fields.insert("patches".into(), json!(patches));
        }
        self.older_patches(folder, fields);
        if self.draw.one_in(4) {
            let count = 1 + self.draw.below(2);
            let replacements: Vec<Value> = (0..count).map(|_| self.replacement()).collect();
            if self.draw.one_in(8) {
                self.write(format!("{folder}/replacements.yaml"), &json!(replacements));
                fields.insert("replacements".into(), json!([{"path": "replacements.yaml"}]));
            } else {
                fields.insert("replacements".into(), json!(replacements));
            }
        }
        if self.draw.one_in(10) {
            self.vars(fields);
        }
        if self.draw.one_in(7) {
            let files: Vec<String> = (0..1 + self.draw.below(2)).map(|at| self.configuration(folder, at)).collect();
            fields.insert("configurations".into(), json!(files));
        }
        if self.draw.one_in(25) {
            self.definitions(folder, fields);
        }
        if self.draw.one_in(12) {
            let field = if self.draw.one_in(6) { "validators" } else { "transformers" };
            self.plugins(folder, field, fields);
        }
    }

    fn vars(&mut self, fields: &mut Map<String, Value>) {
        let Some(known) = self.known.iter().find(|known| ["ConfigMap", "Service"].contains(&known.kind)).cloned()
        else {
            return;
        };
        let mut var =
            json!({"name": "V", "objref": {"apiVersion": known.version, "kind": known.kind, "name": known.name}});
        if known.kind == "ConfigMap" && self.draw.one_in(2) {
            var["fieldref"] =
                json!({"fieldPath": self.draw.of(&["metadata.name", "data.k", "metadata.namespace", "data['k']"])});
        }
        if let Some(namespace) = known.namespace.filter(|_| self.draw.one_in(2)) {
            var["objref"]["namespace"] = json!(namespace);
        }
        fields.insert("vars".into(), json!([var]));
    }

    /// A file of `configurations`: fields of custom and of built-in kinds.
    fn configuration(&mut self, folder: &str, at: usize) -> String {
        let thing = |path: &str| json!([{"path": path, "kind": "Thing"}]);
        let configuration = match self.draw.below(12) {
            0 => json!({"nameReference": [{"kind": "ConfigMap", "version": "v1", "fieldSpecs": thing("spec/ref")}]}),
            1 => json!({"namePrefix": thing(self.draw.of(&["spec/text", "metadata/name"]))}),
            2 => json!({"images": thing("spec/text")}),
            3 => json!({"commonAnnotations": [{"path": "spec/notes", "kind": "Thing", "create": true}]}),
            4 => json!({"nameReference": [
                {"kind": "Secret", "fieldSpecs": thing("spec/ref")},
                {"kind": "Thing", "group": "example.com", "fieldSpecs": thing("spec/refs/name")},
            ]}),
            5 => {
                json!({"varReference": [{"path": "spec/text", "kind": "Thing"}, {"path": "spec/list"}, {"path": "data"}]})
            }
            6 => json!({"commonLabels": [{"path": "spec/empty", "kind": "Thing", "create": self.draw.one_in(2)}]}),
            7 => json!({"replicas": [{"path": "spec/number", "kind": "Thing"}]}),
            8 => json!({"namespace": [{"path": "spec/space", "kind": "Thing", "create": true}]}),
            9 => json!({"nameSuffix": thing("spec/list"), "labels": thing("spec/empty")}),
            10 => {
                json!({"templateLabels": [{"path": "spec/template/metadata/labels", "kind": "Thing", "create": true}]})
            }
            _ => {
                json!({"images": [{"path": "spec/containers[]/image", "kind": "Thing", "create": !self.draw.one_in(4)}]})
            }
        };
        let file = format!("configuration{at}.yaml");
        self.write(format!("{folder}/{file}"), &configuration);
        file
    }

    /// What is known of a custom kind: `crds` or `openapi`.
    fn definitions(&mut self, folder: &str, fields: &mut Map<String, Value>) {
        let typed =
            json!({"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}});
        if self.draw.one_in(2) {
            let mut properties = typed;
            properties["spec"] = json!({"$ref": "Spec"});
            let spec = json!({
                "refs": {"x-kubernetes-object-ref-api-version": "v1", "x-kubernetes-object-ref-kind": "ConfigMap"},
                "empty": {(self.draw.of(&["x-kubernetes-annotation", "x-kubernetes-label-selector"])): ""},
                "text": {(self.draw.of(&["x-kubernetes-identity", "type"])): "string"},
            });
            let definitions = json!({"com.example.v1.Thing": {"Schema": {"properties": properties}}, "Spec": {"Schema": {"properties": spec}}});
            self.write(format!("{folder}/definitions.yaml"), &definitions);
            fields.insert("crds".into(), json!(["definitions.yaml"]));
        } else {
            let list = json!({
                "type": "array", "x-kubernetes-patch-merge-key": "name", "x-kubernetes-patch-strategy": "merge",
                "items": {"type": "object", "properties": {"name": {"type": "string"}}},
            });
            let mut properties = typed;
            properties["spec"] = json!({"properties": {"containers": list, "refs": {"type": "array"}}});
            let schema = json!({"definitions": {"com.example.v1.Thing": {
                "type": "object", "properties": properties,
                "x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Thing", "version": "v1"}],
            }}});
            self.write(format!("{folder}/schema.json"), &schema);
            fields.insert("openapi".into(), json!({"path": "schema.json"}));
        }
    }

    /// Transformers with a configuration of their own.
    fn plugins(&mut self, folder: &str, field: &str, fields: &mut Map<String, Value>) {
        let names = json!([{"path": "metadata/name"}, {"path": "spec/text", "kind": "Thing"}]);
        let (kind, mut config) = match self.draw.below(8) {
            0 => ("PrefixTransformer", json!({"prefix": "t-", "fieldSpecs": names})),
            1 => ("SuffixTransformer", json!({"suffix": "-u", "fieldSpecs": names})),
            2 => (
                "LabelTransformer",
                json!({"labels": self.draw.pairs(), "fieldSpecs": [{"path": "metadata/labels", "create": true}]}),
            ),
            3 => (
                "AnnotationsTransformer",
                json!({"annotations": self.draw.pairs(), "fieldSpecs": [{"path": "metadata/annotations", "create": self.draw.one_in(2)}]}),
            ),
            4 => {
                let mut config = json!({"fieldSpecs": [{"path": "metadata/namespace", "create": true}]});
                config["unsetOnly"] = json!(self.draw.one_in(2));
                config["setRoleBindingSubjects"] = json!(self.draw.of(&["defaultOnly", "allServiceAccounts", "none"]));
                ("NamespaceTransformer", config)
            }
            5 => (
                "ImageTagTransformer",
                json!({"imageTag": image(&mut self.draw), "fieldSpecs": [{"path": "spec/template/spec/containers[]/image"}]}),
            ),
            6 => ("PatchTransformer", self.patch(folder, 8)),
            _ => ("ReplacementTransformer", json!({"replacements": [self.replacement()]})),
        };
        config["apiVersion"] = json!("builtin");
        config["kind"] = json!(kind);
        config["metadata"] = json!({"name": "plugin"});
        if kind == "NamespaceTransformer" {
            config["metadata"]["namespace"] = json!(self.draw.of(NAMESPACES));
        }
        self.write(format!("{folder}/plugin.yaml"), &config);
        fields.insert(field.into(), json!(["plugin.yaml"]));
    }
}

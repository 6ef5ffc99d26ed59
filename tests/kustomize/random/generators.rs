//! Generators of ConfigMaps and Secrets.

use serde_json::{Map, Value, json};

use super::draw::{Draw, NAMESPACES};
use super::{Known, Made, Node};

const ENVS: &[&str] = &[
    "E=1\n",
    "E=1\n# c\nF=a=b\n",
    "E=\n\nF= x \n",
    "E=\"1\"\nF='x y'\n",
    "  E=1\n\tF=2",
    "E=$(V)\r\nF=\"a\\nb\"\r\n",
    "E=é\nF=#c\n#=x\n",
    "\u{feff}E=1\nF=true\n",
    "export E=1\n",
];
const FILES: &[&[u8]] =
    &[b"\xff\x00", b"\xc3\x28", b"a\r\nb\r\n", b"a\x00b", b"\xef\xbb\xbfa\n", b"a \nb", b"\ta\n", b"a\xc2\x85b\n"];

impl Made<'_> {
    pub(super) fn generators(&mut self, folder: &str, fields: &mut Map<String, Value>) {
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
        // An object of a file is merged with as well, now and then: kustomize refuses that unless it is annotated.
        let files_too = self.draw.one_in(12);
        let generated: Vec<Known> =
            self.known.iter().filter(|k| k.kind == kind && (k.generated || files_too)).cloned().collect();
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
            self.known.push(Known { version: "v1", kind, name, namespace, generated: true });
        }
        let keys = ["x", "y", "z"];
        let literal = |draw: &mut Draw<'_>| {
            let text = draw.word();
            match draw.below(8) {
                6 => format!("{}='{text}'", draw.of(&["k", "l"])),
                7 => format!("{}=\"{text}\"", draw.of(&["k", "l"])),
                _ => format!("{}={text}", draw.of(&["k", "l", "m.n"])),
            }
        };
        let mut literals = self.draw.several(2, literal);
        literals.dedup_by_key(|literal| literal.split('=').next().map(str::to_owned));
        if !self.draw.one_in(10) {
            entry["literals"] = json!(literals);
        }
        if self.draw.one_in(3) {
            let path = format!("{kind}{at}.txt");
            let content = match self.draw.one_in(4) {
                true => self.draw.of(FILES).to_vec(),
                false => self.draw.word().as_bytes().to_vec(),
            };
            self.nodes.push(Node::file(format!("{folder}/{path}"), content));
            let file = if self.draw.one_in(4) { path } else { format!("{}={path}", self.draw.of(&keys)) };
            entry["files"] = json!([file]);
        }
        if self.draw.one_in(4) {
            let path = format!("{kind}{at}.env");
            let content = self.draw.of(ENVS);
            self.nodes.push(Node::file(format!("{folder}/{path}"), content));
            if self.draw.one_in(8) {
                entry["env"] = json!(path);
            } else {
                entry["envs"] = json!([path]);
            }
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
}

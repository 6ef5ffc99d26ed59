//! Random kustomizations.
//!
//! A tree is made from a list of numbers: each choice takes the next one, and where none is left
//! the first of the possibilities is taken, which is the simplest. So whatever shortens the list
//! or makes its numbers smaller makes a smaller tree, and a tree that shows a difference shrinks.

#[path = "random/draw.rs"]
mod draw;
#[path = "random/generators.rs"]
mod generators;
#[path = "random/objects.rs"]
mod objects;
#[path = "random/patches.rs"]
mod patches;
#[path = "random/replacements.rs"]
mod replacements;
#[path = "random/text.rs"]
mod text;
#[path = "random/transformers.rs"]
mod transformers;

use serde_json::{Map, Value, json};

use super::case::Node;
use draw::{Draw, NAMES};

/// Choices that a tree is made from at most.
pub const CHOICES: usize = 1200;

/// Makes a tree. The folder to build is `app`.
pub fn tree(choices: &[u16]) -> Vec<Node> {
    let mut made =
        Made { draw: Draw::new(choices), nodes: Vec::new(), known: Vec::new(), components: Vec::new(), open: 0 };
    made.layers();
    made.nodes
}

/// An object that some kustomization has.
#[derive(Clone)]
struct Known {
    version: &'static str,
    kind: &'static str,
    name: String,
    namespace: Option<&'static str>,
    generated: bool,
}

struct Made<'a> {
    draw: Draw<'a>,
    nodes: Vec<Node>,
    known: Vec<Known>,
    /// Components that are complete.
    components: Vec<String>,
    /// Components that were begun.
    open: usize,
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
        let text = text::document(&mut self.draw, value);
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
            let text = text::documents(&mut self.draw, &objects);
            self.nodes.push(Node::file(format!("{folder}/objects.yaml"), text));
            let at = self.draw.below(resources.len() + 1);
            resources.insert(at, "objects.yaml".to_owned());
        }
        fields.insert("resources".into(), json!(resources));
        if self.draw.one_in(6) {
            let components = self.components(folder);
            if !components.is_empty() {
                fields.insert("components".into(), json!(components));
            }
        }
        self.generators(folder, &mut fields);
        self.transformers(folder, &mut fields);
        if !component {
            self.output(&mut fields);
        }
        let name = self.draw.of(&["kustomization.yaml", "kustomization.yaml", "kustomization.yml", "Kustomization"]);
        self.write(format!("{folder}/{name}"), &Value::Object(fields));
    }

    /// Components of a kustomization or of another component, and now and then one that another has as well.
    fn components(&mut self, folder: &str) -> Vec<String> {
        let mut names = Vec::new();
        if !self.components.is_empty() && self.draw.one_in(3) {
            names.push(self.components[self.draw.below(self.components.len())].clone());
        } else if self.open < 3 {
            self.open += 1;
            let name = format!("comp{}", self.open);
            self.kustomization(&name, &[], true);
            self.components.push(name.clone());
            names.push(name);
        }
        names.into_iter().filter(|name| name != folder).map(|name| format!("../{name}")).collect()
    }

    fn output(&mut self, fields: &mut Map<String, Value>) {
        match self.draw.below(8) {
            4 => drop(fields.insert("sortOptions".into(), json!({"order": "fifo"}))),
            5 => {
                let options = json!({"orderFirst": ["Service", "ConfigMap"], "orderLast": ["Namespace"]});
                fields.insert("sortOptions".into(), json!({"order": "legacy", "legacySortOptions": options}));
            }
            6 => {
                let options = match self.draw.below(3) {
                    1 => json!({"orderFirst": ["Thing"]}),
                    2 => json!({"orderLast": ["Secret", "Secret"], "orderFirst": ["Secret"]}),
                    _ => json!({}),
                };
                fields.insert("sortOptions".into(), json!({"order": "legacy", "legacySortOptions": options}));
            }
            7 => drop(fields.insert("sortOptions".into(), json!({"order": "legacy"}))),
            _ => {}
        }
        if self.draw.one_in(10) {
            let options = ["originAnnotations", "managedByLabel", "transformerAnnotations"];
            // What a transformer of a file of its own did is not told here.
            let told = if self.nodes.iter().any(|node| node.path.ends_with("plugin.yaml")) { 2 } else { 3 };
            let chosen = self.draw.several(2, |draw| draw.of(&options[..told]));
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

    fn known(&mut self) -> Known {
        if self.known.is_empty() || self.draw.one_in(60) {
            let (version, kind) = ("v1", "ConfigMap");
            return Known { version, kind, name: "a".to_owned(), namespace: None, generated: false };
        }
        let at = self.draw.below(self.known.len());
        self.known[at].clone()
    }
}

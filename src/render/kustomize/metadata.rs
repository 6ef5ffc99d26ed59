//! `buildMetadata`: where an object comes from, and what changed it, as annotations.

use serde_json::{Map, Value};

use super::files::Spot;
use super::resource::Resource;
use crate::object::yaml;

const ORIGIN: &str = "config.kubernetes.io/origin";
const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";

/// The way from the folder that is built to the one that is read.
#[derive(Clone, Debug, Default)]
pub struct Trail(String);

impl Trail {
    /// One folder further.
    pub fn within(&self, entry: &str) -> Self {
        Self(joined(&self.0, entry))
    }

    /// Notes the file of a resource.
    pub fn came_from(&self, resource: &mut Resource, entry: &str) {
        let path = Value::String(joined(&self.0, entry));
        let told = Value::Object(Map::from_iter([("path".to_owned(), path)]));
        Self::set_origin(resource, &yaml::write(&told));
    }

    /// Notes the generator of a resource.
    pub fn made_by(&self, resource: &mut Resource, kustomization: &Spot, kind: &str) {
        if Self::origin_of(resource).is_none() {
            Self::set_origin(resource, &self.told(kustomization, kind));
        }
    }

    /// Notes that a transformer ran: on what has no origin, that it made it. Says by how many bytes
    /// the object grew.
    pub fn changed_by(&self, resource: &mut Resource, kustomization: &Spot, kind: &str) -> u64 {
        let told = self.told(kustomization, kind);
        let grown = told.len() as u64;
        if Self::origin_of(resource).is_none() {
            Self::set_origin(resource, &told);
            return grown;
        }
        let mut list = annotation(resource, TRANSFORMATIONS).unwrap_or_default();
        let mut mark = "- ";
        for line in told.lines() {
            list.push_str(&format!("{mark}{line}\n"));
            mark = "  ";
        }
        set(resource, TRANSFORMATIONS, list);
        grown
    }

    fn told(&self, kustomization: &Spot, kind: &str) -> String {
        let file = kustomization.file().rsplit('/').next().unwrap_or_default();
        let path = Value::Object(Map::from_iter([("configuredIn".to_owned(), joined(&self.0, file).into())]));
        format!("{}configuredBy:\n  apiVersion: builtin\n  kind: {kind}\n", yaml::write(&path))
    }

    /// What is noted of the origin of a resource.
    pub fn origin_of(resource: &Resource) -> Option<String> {
        annotation(resource, ORIGIN)
    }

    /// Notes an origin.
    pub fn set_origin(resource: &mut Resource, origin: &str) {
        set(resource, ORIGIN, origin.to_owned());
    }

    /// Removes what nobody asked for.
    pub fn clear(resource: &mut Resource, options: &[String]) {
        let annotations = resource.body.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
        let Some(Value::Object(annotations)) = annotations else { return };
        for (option, name) in [("originAnnotations", ORIGIN), ("transformerAnnotations", TRANSFORMATIONS)] {
            if !options.iter().any(|asked| asked == option) {
                annotations.remove(name);
            }
        }
    }
}

fn annotation(resource: &Resource, name: &str) -> Option<String> {
    resource.body.get("metadata")?.get("annotations")?.get(name)?.as_str().map(str::to_owned)
}

fn set(resource: &mut Resource, name: &str, value: String) {
    if !resource.body.is_object() {
        return;
    }
    resource.sharing.renew_annotations();
    let metadata = &mut resource.body["metadata"];
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
    }
    if let Value::Object(metadata) = metadata {
        let annotations = metadata.entry("annotations").or_insert(Value::Null);
        if annotations.is_null() {
            *annotations = Value::Object(Map::new());
        }
        if let Value::Object(annotations) = annotations {
            annotations.insert(name.to_owned(), Value::String(value));
        }
    }
}

/// Two paths as one, `..` of the second taken off the first where there is something to take.
fn joined(base: &str, path: &str) -> String {
    let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

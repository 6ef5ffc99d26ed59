//! The transformers that change names, namespaces, labels, annotations, images and counts.

mod images;
mod namespace;

pub use images::Images;
pub use namespace::{Namespace, Subjects};

use std::collections::BTreeMap;

use serde_json::Value;

use super::fieldspec::{Make, visit};
use super::resource::{Gvk, Resource};
use super::resources::Resources;
use super::select::scalar_text;
use super::types::{FieldSpec, Replica};
use crate::object::yaml;

/// Sets texts by name in mappings that the paths lead to: labels and annotations.
pub fn set_entries(
    resources: &mut Resources,
    entries: &BTreeMap<String, String>,
    specs: &[FieldSpec],
) -> Result<(), String> {
    if entries.is_empty() {
        return Ok(());
    }
    for resource in resources.bodies() {
        let gvk = resource.gvk();
        for spec in specs.iter().filter(|spec| spec.applies(&gvk)) {
            visit(&mut resource.body, spec, Make::Mapping, &mut |node| {
                let Value::Object(fields) = node else {
                    return Err("a mapping is wanted here".to_owned());
                };
                for (name, value) in entries {
                    if !fields.contains_key(name) && !yaml::is_text(name) {
                        return Err(format!("the key {name:?} would be no text: kustomize writes it without quotes"));
                    }
                    fields.insert(name.clone(), Value::String(value.clone()));
                }
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// Where a name is extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Before it.
    Prefix,
    /// Behind it.
    Suffix,
}

/// Puts a text before or behind names. Some kinds keep theirs.
pub fn extend_names(resources: &mut Resources, end: End, text: &str, specs: &[FieldSpec]) -> Result<(), String> {
    for resource in resources.all_mut() {
        let gvk = resource.original().gvk;
        if keeps_its_name(&gvk) {
            continue;
        }
        for spec in specs.iter().filter(|spec| spec.applies(&gvk)) {
            if spec.path == "metadata/name" {
                match end {
                    End::Prefix => resource.prefixes.push(text.to_owned()),
                    End::Suffix => resource.suffixes.push(text.to_owned()),
                }
                resource.annotated = true;
                resource.remember();
            }
            visit(&mut resource.body, spec, Make::Scalar, &mut |node| {
                if node.is_object() || node.is_array() {
                    return Err("a text is wanted here".to_owned());
                }
                let name = scalar_text(node);
                *node = Value::String(match end {
                    End::Prefix => format!("{text}{name}"),
                    End::Suffix => format!("{name}{text}"),
                });
                Ok(())
            })?;
        }
    }
    Ok(())
}

fn keeps_its_name(gvk: &Gvk) -> bool {
    matches!(&*gvk.kind, "CustomResourceDefinition" | "Namespace")
        || (gvk.kind == "APIService" && gvk.group == "apiregistration.k8s.io")
}

/// Sets the count of replicas of what has, or had, a name.
pub fn set_replicas(resources: &mut Resources, replica: &Replica, specs: &[FieldSpec]) -> Result<(), String> {
    let mut found = false;
    for spec in specs {
        let is_meant = |resource: &Resource| {
            let named = |name: &str, gvk: &Gvk| name == replica.name && spec.applies(gvk);
            named(resource.name(), &resource.gvk()) || resource.formers().any(|id| named(&id.name, &id.gvk))
        };
        for resource in resources.bodies() {
            if resource.is_gone() || !is_meant(resource) {
                continue;
            }
            found = true;
            visit(&mut resource.body, spec, Make::Scalar, &mut |node| {
                if node.is_object() || node.is_array() {
                    return Err("a number is wanted here".to_owned());
                }
                *node = Value::Number(replica.count.into());
                Ok(())
            })?;
        }
    }
    if found {
        return Ok(());
    }
    let kinds: Vec<&str> = specs.iter().map(|spec| spec.gvk.kind.as_str()).collect();
    Err(format!("there is no {} named {:?}", kinds.join(", "), replica.name))
}

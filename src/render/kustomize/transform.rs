//! The transformers that change names, namespaces, labels, annotations, images and counts.

mod images;
mod namespace;

pub use images::Images;
pub use namespace::{Namespace, Subjects};

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::super::Allowance;
use super::fieldspec::{Make, Route, visit};
use super::resource::{Gvk, Resource};
use super::resources::Resources;
use super::select::scalar_text;
use super::shared::Holder;
use super::types::{FieldSpec, Replica};
use crate::object::yaml;

/// Sets texts by name in mappings that the paths lead to: labels and annotations.
pub fn set_entries(
    resources: &mut Resources,
    entries: &BTreeMap<String, String>,
    specs: &[FieldSpec],
    allowance: &Allowance,
) -> Result<(), String> {
    if entries.is_empty() {
        return Ok(());
    }
    let names: Vec<Rc<str>> = entries.keys().map(|name| Rc::from(&**name)).collect();
    let routes: Vec<(Route<'_>, Rc<str>)> =
        specs.iter().map(|spec| (Route::new(spec), Rc::from(&*spec.path))).collect();
    let mut added: Vec<Vec<Holder>> = vec![Vec::new(); names.len()];
    for resource in resources.bodies() {
        let gvk = resource.gvk();
        allowance.work(specs.len())?;
        for (route, path) in routes.iter().filter(|(route, _)| route.applies(&gvk)) {
            let mut nth = 0;
            if &**path == "metadata/annotations" {
                resource.show_annotations();
            }
            route.visit(&mut resource.body, Make::Mapping, &mut |node| {
                let Value::Object(fields) = node else {
                    return Err("a mapping is wanted here".to_owned());
                };
                allowance.work(entries.len())?;
                if fields.is_empty() {
                    allowance.take(yaml::MAPPING)?;
                }
                for ((name, value), added) in entries.iter().zip(&mut added) {
                    if let Some(entry) = fields.get_mut(name) {
                        let before = entry.as_str().map_or(0, str::len);
                        allowance.resized(before as u64, value.len() as u64)?;
                        *entry = Value::String(value.clone());
                        continue;
                    }
                    if !yaml::is_text(name) {
                        return Err(format!("the key {name:?} would be no text: kustomize writes it without quotes"));
                    }
                    allowance.take((2 * yaml::TEXT) + (name.len() + value.len()) as u64)?;
                    fields.insert(name.clone(), Value::String(value.clone()));
                    added.push(Holder { path: Rc::clone(path), nth });
                }
                nth += 1;
                Ok(())
            })?;
        }
        for ((name, value), added) in names.iter().zip(entries.values()).zip(&mut added) {
            if !resource.sharing.is_empty() {
                resource.sharing.follow(&mut resource.body, name, value);
            }
            let added = std::mem::take(added);
            if added.len() > 1 || !resource.sharing.is_empty() {
                resource.sharing.add(name, added);
            }
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
pub fn extend_names(
    resources: &mut Resources,
    end: End,
    text: &str,
    specs: &[FieldSpec],
    allowance: &Allowance,
) -> Result<(), String> {
    let routes: Vec<(&FieldSpec, Route<'_>)> = specs.iter().map(|spec| (spec, Route::new(spec))).collect();
    for resource in resources.all_mut() {
        let gvk = resource.original_gvk();
        if keeps_its_name(&gvk) {
            continue;
        }
        allowance.work(specs.len())?;
        for (spec, route) in routes.iter().filter(|(spec, _)| spec.applies(&gvk)) {
            if spec.path == "metadata/name" {
                match end {
                    End::Prefix => resource.prefixes.push(text.to_owned()),
                    End::Suffix => resource.suffixes.push(text.to_owned()),
                }
                resource.annotated = true;
                allowance.take(text.len() as u64 + resource.remember())?;
            }
            route.visit_type(&mut resource.body, Make::Scalar, &mut |node| {
                if node.is_object() || node.is_array() {
                    return Err("a text is wanted here".to_owned());
                }
                let name = scalar_text(node);
                allowance.take(text.len() as u64)?;
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
pub fn set_replicas(
    resources: &mut Resources,
    replica: &Replica,
    specs: &[FieldSpec],
    allowance: &Allowance,
) -> Result<(), String> {
    let mut found = false;
    for spec in specs {
        allowance.work(resources.all().len())?;
        let is_meant = |resource: &Resource| {
            let former = || resource.formers().any(|id| id.name == replica.name && spec.applies(&id.gvk));
            resource.name() == replica.name && spec.applies(&resource.gvk())
                || resource.previous.iter().any(|previous| previous.name == replica.name) && former()
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

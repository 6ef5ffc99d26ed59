//! The namespace of everything that has one.

use std::collections::HashMap;

use serde_json::Value;

use super::super::super::Allowance;
use super::super::fieldspec::{Make, Route};
use super::super::resource::Resource;
use super::super::resources::{Resources, key};
use super::super::types::FieldSpec;

/// Which subjects of RoleBindings get the namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subjects {
    /// Those named `default`.
    #[default]
    Default,
    /// Every ServiceAccount.
    Accounts,
    /// None.
    None,
}

/// Sets a namespace.
#[derive(Debug)]
pub struct Namespace {
    /// The namespace.
    pub name: String,
    /// Fields that hold one besides `metadata.namespace`.
    pub specs: Vec<FieldSpec>,
    /// Leaves alone what has one.
    pub unset_only: bool,
    /// Which subjects of RoleBindings get it.
    pub subjects: Subjects,
}

impl Namespace {
    /// Sets it in every resource.
    ///
    /// # Errors
    /// A field that cannot hold it, and two resources that become the same one.
    pub fn apply(&self, resources: &mut Resources, allowance: &Allowance) -> Result<(), String> {
        let mut ids: HashMap<Box<str>, u32> = HashMap::with_capacity(resources.all().len());
        for resource in resources.all() {
            *ids.entry(key(resource)).or_default() += 1;
        }
        let own = FieldSpec { path: "metadata/namespace".to_owned(), create: true, ..FieldSpec::default() };
        let own = Route::new(&own);
        let routes: Vec<(&FieldSpec, Route<'_>)> = self.specs.iter().map(|spec| (spec, Route::new(spec))).collect();
        for resource in resources.all_mut() {
            if resource.is_gone() {
                continue;
            }
            let before = key(resource);
            allowance.work(1 + self.specs.len())?;
            allowance.take(self.name.len() as u64 + resource.remember())?;
            self.set(resource, &own, &routes)?;
            let after = key(resource);
            let same = if before == after {
                ids.get(&after).copied().unwrap_or_default()
            } else {
                if let Some(count) = ids.get_mut(&before) {
                    *count -= 1;
                }
                let count = ids.entry(after).or_default();
                *count += 1;
                *count
            };
            if same > 1 {
                return Err(format!("{} stands twice in the namespace", resource.label()));
            }
        }
        Ok(())
    }

    fn set(&self, resource: &mut Resource, own: &Route<'_>, routes: &[(&FieldSpec, Route<'_>)]) -> Result<(), String> {
        let set = &mut |node: &mut Value| {
            match node {
                Value::Object(_) | Value::Array(_) => return Err("a text is wanted here".to_owned()),
                Value::String(text) if self.unset_only && !text.is_empty() => {}
                node => *node = Value::String(self.name.clone()),
            }
            Ok(())
        };
        let core = resource.api_version() == "v1";
        if !resource.is_cluster_scoped() {
            own.visit_type(&mut resource.body, Make::Scalar, set)?;
        }
        let is_binding = matches!(resource.kind(), "RoleBinding" | "ClusterRoleBinding");
        if is_binding {
            self.set_subjects(&mut resource.body)?;
        }
        for (spec, route) in routes {
            let left_out = spec.path == "metadata/namespace"
                || (spec.path == "metadata/name" && !core)
                || (is_binding && spec.path == "subjects/namespace" && spec.gvk.kind.ends_with("RoleBinding"));
            if !left_out {
                route.visit_type(&mut resource.body, Make::Scalar, set)?;
            }
        }
        Ok(())
    }

    fn set_subjects(&self, body: &mut Value) -> Result<(), String> {
        let subjects = match body.get_mut("subjects") {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Array(subjects)) => subjects,
            Some(_) => return Err("subjects is no list".to_owned()),
        };
        for subject in subjects {
            let Value::Object(fields) = subject else { return Err("a subject is no mapping".to_owned()) };
            let meant = match self.subjects {
                Subjects::Default => fields.get("name").and_then(Value::as_str) == Some("default"),
                Subjects::Accounts => fields.get("kind").and_then(Value::as_str) == Some("ServiceAccount"),
                Subjects::None => false,
            };
            let has_one = fields.get("namespace").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
            if meant && !(self.unset_only && has_one) {
                fields.insert("namespace".to_owned(), Value::String(self.name.clone()));
            }
        }
        Ok(())
    }
}

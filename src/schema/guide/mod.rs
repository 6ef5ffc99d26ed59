//! What a schema says of a field, for who writes one: its type, what it may be, what may stand in it, and
//! what it is for.

mod builtin;
mod custom;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::builtin::Minor;
use crate::object::{Manifest, split_api_version};

/// A step into an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Into a field.
    Field(&'a str),
    /// Into an item of a list.
    Item,
}

/// What is said of a field, or of an item of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Described {
    /// What its value is, in words: `a text`, `a list of mappings`.
    pub form: String,
    /// What holds others.
    pub shape: Shape,
    /// Whether it has to be there.
    pub required: bool,
    /// Its value where it is left out, where the schema says it.
    pub default: Option<String>,
    /// The values that it may have; empty where that is not said.
    pub values: Vec<String>,
    /// Other rules for its value, in words.
    pub rules: Vec<String>,
    /// What it is for.
    pub text: String,
    /// The fields that may stand in it, or in each of its items, by name.
    pub fields: Vec<Below>,
}

/// A field of a field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Below {
    /// Its name.
    pub name: String,
    /// What its value is, in words.
    pub form: String,
    /// What holds others.
    pub shape: Shape,
    /// Whether it has to be there.
    pub required: bool,
    /// What it is for.
    pub text: String,
}

/// What a value holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// No others.
    #[default]
    Scalar,
    /// Items.
    List,
    /// Fields.
    Mapping,
}

/// What is known of the kinds of Kubernetes and of definitions.
#[derive(Clone, Debug, Default)]
pub struct Guide {
    target: Minor,
    /// Definitions by group and kind.
    custom: BTreeMap<(String, String), Value>,
}

impl Guide {
    /// The kinds of a minor.
    pub fn new(target: Minor) -> Self {
        Self { target, custom: BTreeMap::new() }
    }

    /// Adds the kinds of a CustomResourceDefinition; anything else is passed over.
    pub fn define(&mut self, manifest: &Manifest) {
        if manifest.id.group != "apiextensions.k8s.io" || manifest.id.kind != "CustomResourceDefinition" {
            return;
        }
        let text = |pointer: &str| manifest.body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        if let (Some(group), Some(kind)) = (text("/spec/group"), text("/spec/names/kind")) {
            self.custom.insert((group, kind), manifest.body.clone());
        }
    }

    /// What is said of a place in an object of a kind; of the whole object where the path is empty.
    pub fn describe(&self, api_version: &str, kind: &str, path: &[Step<'_>]) -> Option<Described> {
        let (group, version) = split_api_version(api_version);
        match self.custom.get(&(group.to_owned(), kind.to_owned())) {
            Some(definition) => {
                custom::describe(definition, version, path).or_else(|| builtin::metadata(self.target, path))
            }
            None => builtin::describe(self.target, api_version, kind, path),
        }
    }

    /// Every kind that is known with each version that is served: `(apiVersion, kind)`, in their order.
    pub fn kinds(&self) -> BTreeSet<(String, String)> {
        let mut kinds = builtin::kinds(self.target);
        for ((group, kind), definition) in &self.custom {
            for version in custom::versions(definition) {
                kinds.insert((format!("{group}/{version}"), kind.clone()));
            }
        }
        kinds
    }
}

#[cfg(test)]
mod tests;

//! Renamed objects by the names that they went by.

use std::collections::{HashMap, HashSet};

use crate::render::kustomize::resource::{Gvk, NO_NAMESPACE, Resource};

/// What counts of an object that a name may mean.
#[derive(Debug)]
pub struct Known {
    pub label: String,
    /// Name and namespace of today, as written.
    pub name: String,
    pub namespace: String,
    /// Namespace to compare with, today and when it was read.
    pub effective: String,
    pub read_in: String,
    pub kind: String,
    /// Group and version of today.
    group: String,
    version: String,
    former_kinds: Vec<String>,
    pub prefixes: Vec<String>,
    pub suffixes: Vec<String>,
}

impl Known {
    /// Whether it was of a type under one of its former names.
    pub fn was(&self, wanted: &Gvk) -> bool {
        let takes = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        takes(&wanted.group, &self.group)
            && takes(&wanted.version, &self.version)
            && self.former_kinds.iter().any(|kind| takes(&wanted.kind, kind))
    }
}

/// Objects that went by one name, in the order of the build.
#[derive(Debug, Default)]
pub struct Same {
    pub all: Vec<usize>,
    in_namespace: HashMap<String, Vec<usize>>,
    read_in_namespace: HashMap<String, Vec<usize>>,
}

impl Same {
    /// Those that are in a namespace today.
    pub fn in_namespace(&self, effective: &str) -> &[usize] {
        self.in_namespace.get(effective).map_or(&[], Vec::as_slice)
    }

    /// Those that were read in a namespace.
    pub fn read_in_namespace(&self, effective: &str) -> &[usize] {
        self.read_in_namespace.get(effective).map_or(&[], Vec::as_slice)
    }
}

/// Everything that a name may mean.
#[derive(Debug, Default)]
pub struct Index {
    pub all: Vec<Known>,
    names: HashMap<String, Same>,
    /// Of all objects, renamed or not: the namespace they were read in, with nothing, with the one
    /// of today, and with what they say today.
    read_in: HashSet<String>,
    read_in_and_is_in: HashSet<(String, String)>,
    read_in_and_says: HashSet<(String, String)>,
}

impl Index {
    /// Reads all objects once.
    pub fn new(resources: &[Resource]) -> Self {
        let mut index = Self::default();
        for resource in resources {
            let now = resource.effective_namespace();
            let read_in = resource.previous.first().map_or(now, |first| effective(&first.namespace));
            if !index.read_in.contains(read_in) {
                index.read_in.insert(read_in.to_owned());
            }
            index.read_in_and_is_in.insert((read_in.to_owned(), now.to_owned()));
            // No namespace of a RoleBinding's account takes objects that have none.
            if now != NO_NAMESPACE {
                index.read_in_and_says.insert((read_in.to_owned(), resource.namespace().to_owned()));
            }
            if !resource.previous.is_empty() {
                index.add(resource, read_in);
            }
        }
        index
    }

    fn add(&mut self, resource: &Resource, read_in: &str) {
        let at = self.all.len();
        let gvk = resource.gvk();
        let known = Known {
            label: resource.label(),
            name: resource.name().to_owned(),
            namespace: resource.namespace().to_owned(),
            effective: resource.effective_namespace().to_owned(),
            read_in: read_in.to_owned(),
            kind: gvk.kind,
            group: gvk.group,
            version: gvk.version,
            former_kinds: resource.previous.iter().map(|previous| previous.kind.clone()).collect(),
            prefixes: resource.prefixes.clone(),
            suffixes: resource.suffixes.clone(),
        };
        for previous in &resource.previous {
            let same = self.names.entry(previous.name.clone()).or_default();
            if same.all.last() != Some(&at) {
                same.all.push(at);
                same.in_namespace.entry(known.effective.clone()).or_default().push(at);
                same.read_in_namespace.entry(known.read_in.clone()).or_default().push(at);
            }
        }
        self.all.push(known);
    }

    /// Objects that went by a name.
    pub fn of_name(&self, name: &str) -> Option<&Same> {
        self.names.get(name)
    }

    /// What stands at these places.
    pub fn known(&self, at: &[usize]) -> Vec<&Known> {
        at.iter().filter_map(|at| self.all.get(*at)).collect()
    }

    /// Whether any object was read in a namespace.
    pub fn was_read_in(&self, namespace: &str) -> bool {
        self.read_in.contains(namespace)
    }

    /// Whether any object was read in one namespace and is in another today.
    pub fn was_read_in_and_is_in(&self, namespace: &str, now: &str) -> bool {
        self.read_in_and_is_in.contains(&(namespace.to_owned(), now.to_owned()))
    }

    /// Whether any object was read in one namespace and says another today, as it is written.
    pub fn was_read_in_and_says(&self, namespace: &str, now: &str) -> bool {
        self.read_in_and_says.contains(&(namespace.to_owned(), now.to_owned()))
    }
}

/// The namespace to compare with.
pub fn effective(namespace: &str) -> &str {
    if namespace.is_empty() { "default" } else { namespace }
}

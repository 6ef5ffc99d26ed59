//! The resources of a build, and who is who among them.

use std::collections::HashMap;

use super::resource::{ResId, Resource};
use super::select::Matcher;

/// Resources in the order in which they were read, no two of the same id.
#[derive(Debug, Default)]
pub struct Resources {
    list: Vec<Resource>,
    /// How many have an id now. `None` where the list was changed since.
    current: Option<HashMap<Box<str>, u32>>,
    /// Which have, or had, an id. `None` where the list was changed since.
    any: Option<HashMap<Box<str>, Vec<usize>>>,
}

impl Resources {
    /// Of a list without two of the same id.
    pub fn from_all(list: Vec<Resource>) -> Self {
        Self { list, ..Self::default() }
    }

    /// All of them.
    pub fn all(&self) -> &[Resource] {
        &self.list
    }

    /// All of them, to be changed in any way.
    pub fn all_mut(&mut self) -> &mut Vec<Resource> {
        self.forget();
        &mut self.list
    }

    /// All of them, to be changed where no id is: neither type, name nor namespace.
    pub fn bodies(&mut self) -> &mut [Resource] {
        &mut self.list
    }

    /// All of them.
    pub fn into_all(self) -> Vec<Resource> {
        self.list
    }

    fn forget(&mut self) {
        self.current = None;
        self.any = None;
    }

    /// Adds a resource.
    ///
    /// # Errors
    /// The resource, where one of its id is there.
    pub fn append(&mut self, resource: Resource) -> Result<(), Box<Resource>> {
        let ids = self.current.get_or_insert_with(|| count(&self.list));
        let count = ids.entry(key(&resource)).or_default();
        if *count > 0 {
            return Err(Box::new(resource));
        }
        *count += 1;
        self.any = None;
        self.list.push(resource);
        Ok(())
    }

    /// The first resource that shares its id with one before it.
    pub fn twice(&self) -> Option<&Resource> {
        let mut seen = std::collections::HashSet::new();
        self.list.iter().find(|resource| !seen.insert(key(resource)))
    }

    /// The one of that id now.
    pub fn named(&self, id: &ResId) -> Option<&Resource> {
        self.list.iter().find(|resource| resource.current().same(id))
    }

    /// Places of those that have an id, or had it.
    pub fn ever(&mut self, id: &ResId) -> &[usize] {
        let ids = self.any.get_or_insert_with(|| {
            let mut ids: HashMap<Box<str>, Vec<usize>> = HashMap::new();
            for (at, resource) in self.list.iter().enumerate() {
                if resource.is_gone() {
                    continue;
                }
                for id in resource.formers().map(|id| key_of(&id)).chain([key(resource)]) {
                    let places = ids.entry(id).or_default();
                    if places.last() != Some(&at) {
                        places.push(at);
                    }
                }
            }
            ids
        });
        ids.get(&key_of(id)).map_or(&[], Vec::as_slice)
    }

    /// One of them, to be changed in any way.
    pub fn change(&mut self, at: usize) -> &mut Resource {
        self.forget();
        &mut self.list[at]
    }

    /// One of them, to be changed where no id is.
    pub fn body(&mut self, at: usize) -> &mut Resource {
        &mut self.list[at]
    }

    /// Drops what a patch deleted.
    pub fn drop_gone(&mut self) {
        if self.list.iter().any(Resource::is_gone) {
            self.forget();
            self.list.retain(|resource| !resource.is_gone());
        }
    }

    /// Places of those that a selector takes: by the first or the present name and namespace.
    pub fn select(&self, matcher: &Matcher) -> Vec<usize> {
        let fits = |resource: &Resource| {
            if !matcher.takes_gvk(&resource.gvk()) {
                return false;
            }
            let original = resource.original();
            (matcher.takes_namespace(original.effective_namespace())
                || matcher.takes_namespace(resource.effective_namespace()))
                && (matcher.takes_name(&original.name) || matcher.takes_name(resource.name()))
                && matcher.takes_metadata(&resource.body)
        };
        (0..self.list.len()).filter(|at| fits(&self.list[*at])).collect()
    }
}

fn count(list: &[Resource]) -> HashMap<Box<str>, u32> {
    let mut ids = HashMap::with_capacity(list.len());
    for resource in list {
        *ids.entry(key(resource)).or_default() += 1;
    }
    ids
}

/// What tells two resources apart: type, name and effective namespace.
pub fn key(resource: &Resource) -> Box<str> {
    let (api_version, kind) = (resource.api_version(), resource.kind());
    spelled(api_version, kind, resource.name(), resource.effective_namespace())
}

fn key_of(id: &ResId) -> Box<str> {
    let group = &id.gvk.group;
    let version = if group.is_empty() { id.gvk.version.clone() } else { format!("{group}/{}", id.gvk.version) };
    spelled(&version, &id.gvk.kind, &id.name, id.effective_namespace())
}

fn spelled(api_version: &str, kind: &str, name: &str, namespace: &str) -> Box<str> {
    let mut key = String::with_capacity(api_version.len() + kind.len() + name.len() + namespace.len() + 3);
    for part in [api_version, kind, name, namespace] {
        key.push_str(part);
        key.push('\0');
    }
    key.into_boxed_str()
}

//! The resources of a build, and who is who among them.

use std::collections::HashMap;

use super::resource::{ResId, Resource, effective};
use super::select::Matcher;

/// Resources in the order in which they were read, no two of the same id.
#[derive(Debug, Default)]
pub struct Resources {
    list: Vec<Resource>,
    /// How many have an id now. `None` where the list was changed since.
    current: Option<HashMap<Box<str>, u32>>,
    /// Which have, or had, an id. `None` where the list was changed since.
    any: Option<HashMap<Box<str>, Vec<usize>>>,
    /// Whether one may share its id with another: only what changes ids makes that so.
    doubtful: bool,
}

impl Resources {
    /// Of a list without two of the same id.
    pub fn from_all(list: Vec<Resource>) -> Self {
        Self { list, doubtful: true, ..Self::default() }
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
        self.doubtful = true;
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
        if let Some(any) = &mut self.any {
            note(any, self.list.len(), &resource);
        }
        self.list.push(resource);
        Ok(())
    }

    /// The first resource that shares its id with one before it.
    pub fn twice(&mut self) -> Option<&Resource> {
        if !self.doubtful {
            return None;
        }
        let mut seen = std::collections::HashSet::with_capacity(self.list.len());
        let found = self.list.iter().find(|resource| !seen.insert(key(resource)));
        self.doubtful = found.is_some();
        found
    }

    /// The one of that id now.
    pub fn named(&mut self, id: &ResId) -> Option<&Resource> {
        let places = self.ever(id).to_vec();
        places.into_iter().map(|at| &self.list[at]).find(|resource| resource.current().same(id))
    }

    /// Places of those that have an id, or had it.
    pub fn ever(&mut self, id: &ResId) -> &[usize] {
        let ids = self.any.get_or_insert_with(|| {
            let mut ids: HashMap<Box<str>, Vec<usize>> = HashMap::new();
            self.list.iter().enumerate().for_each(|(at, resource)| note(&mut ids, at, resource));
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
            let (now, name) = (resource.effective_namespace(), resource.name());
            let first = resource.previous.first();
            matcher.takes_type(resource.api_version(), resource.kind())
                && (first.is_some_and(|first| matcher.takes_namespace(effective(&first.namespace)))
                    || matcher.takes_namespace(now))
                && (first.is_some_and(|first| matcher.takes_name(&first.name)) || matcher.takes_name(name))
                && matcher.takes_metadata(&resource.body)
        };
        (0..self.list.len()).filter(|at| fits(&self.list[*at])).collect()
    }
}

/// Notes the names that a resource goes by, and went by.
fn note(ids: &mut HashMap<Box<str>, Vec<usize>>, at: usize, resource: &Resource) {
    if resource.is_gone() {
        return;
    }
    for id in resource.formers().map(|id| key_of(&id)).chain([key(resource)]) {
        let places = ids.entry(id).or_default();
        if places.last() != Some(&at) {
            places.push(at);
        }
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

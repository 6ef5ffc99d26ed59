//! Names of other objects: after objects were renamed, fields that hold their old names get the
//! new ones.
//!
//! What a name means is looked up by every name that an object went by before, so the work grows
//! with the number of fields, not with its square.

mod index;
mod table;

pub use table::names;

use serde_json::Value;

use self::index::{Index, Known};
use super::super::Allowance;
use super::fieldspec::{Make, Route};
use super::resource::{Gvk, NO_NAMESPACE, Resource};
use super::select::scalar_text;
use super::types::NameReference;

/// Gives every field that refers to a renamed object its name of today; `extra` are the references
/// of `configurations`.
///
/// # Errors
/// Where a name means several objects of different names, and where a field that ought to hold a
/// name holds something else.
pub fn fix_names(resources: &mut [Resource], extra: &[NameReference], allowance: &Allowance) -> Result<(), String> {
    let references = table::all(extra)?;
    let rules: Vec<Rule<'_>> = references
        .iter()
        .flat_map(|reference| reference.field_specs.iter().map(move |spec| (reference, spec)))
        .map(|(reference, spec)| Rule {
            target: &reference.gvk,
            referrer: &spec.gvk,
            route: Route::new(spec),
            in_role: spec.path.ends_with("roleRef/name"),
        })
        .collect();
    let index = Index::new(resources);
    let mut by_type = std::collections::HashMap::new();
    for resource in resources {
        let kind = resource.previous.first().map_or_else(|| resource.kind().to_owned(), |first| first.kind.clone());
        let gvk = Gvk { kind, ..resource.gvk() };
        if !by_type.contains_key(&gvk) {
            allowance.work(rules.len())?;
        }
        let own: &Vec<&Rule<'_>> = by_type
            .entry(gvk)
            .or_insert_with_key(|gvk| rules.iter().filter(|rule| gvk.is_selected_by(rule.referrer)).collect());
        if own.is_empty() || !resource.body.is_object() {
            continue;
        }
        allowance.work(own.len())?;
        let referrer = Referrer::new(resource)?;
        for rule in own {
            let search =
                Search { index: &index, referrer: &referrer, target: rule.target, in_role: rule.in_role, allowance };
            rule.route.visit(&mut resource.body, Make::Nothing, &mut |node| search.set(node))?;
        }
    }
    Ok(())
}

/// One field that refers to objects of one type.
struct Rule<'a> {
    target: &'a Gvk,
    referrer: &'a Gvk,
    route: Route<'a>,
    /// Whether group and kind of the target stand beside the field.
    in_role: bool,
}

/// What counts of the object that refers.
struct Referrer {
    cluster_scoped: bool,
    namespace: String,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
    /// Of its roleRef.
    role: Option<Gvk>,
    /// Namespaces whose ServiceAccounts a RoleBinding names.
    account_namespaces: Vec<String>,
}

impl Referrer {
    fn new(resource: &Resource) -> Result<Self, String> {
        let cluster_scoped = resource.is_cluster_scoped();
        Ok(Self {
            cluster_scoped,
            namespace: resource.effective_namespace().to_owned(),
            prefixes: resource.prefixes.clone(),
            suffixes: resource.suffixes.clone(),
            role: role_of(&resource.body),
            account_namespaces: if cluster_scoped { Vec::new() } else { account_namespaces(resource)? },
        })
    }
}

fn role_of(body: &Value) -> Option<Gvk> {
    let role = body.get("roleRef")?;
    let text = |field: &str| role.get(field).map(scalar_text);
    Some(Gvk { group: text("apiGroup")?, version: String::new(), kind: text("kind")? })
}

fn account_namespaces(resource: &Resource) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    if resource.kind() != "RoleBinding" {
        return Ok(found);
    }
    let Some(Value::Array(subjects)) = resource.body.get("subjects") else { return Ok(found) };
    for (at, subject) in subjects.iter().enumerate() {
        let wrong = |what: &str| Err(format!("{}, field subjects[{at}]: {what}", resource.label()));
        let Value::Object(subject) = subject else { return wrong("it is no mapping; give it kind and name") };
        match (subject.get("namespace"), subject.get("kind")) {
            (None, _) | (_, None) => {}
            (Some(namespace), Some(Value::String(kind))) => match namespace {
                _ if kind != "ServiceAccount" => {}
                Value::String(namespace) => found.push(namespace.clone()),
                _ => return wrong("its namespace is no text; write the namespace of the ServiceAccount"),
            },
            _ => return wrong("its kind is no text; write the kind of the subject"),
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The search for what a field of an object means.
struct Search<'a> {
    index: &'a Index,
    referrer: &'a Referrer,
    target: &'a Gvk,
    in_role: bool,
    allowance: &'a Allowance,
}

impl<'a> Search<'a> {
    fn set(&self, node: &mut Value) -> Result<(), String> {
        match node {
            Value::Null => Ok(()),
            Value::Object(_) => self.set_mapping(node),
            Value::Array(elements) => elements.iter_mut().try_for_each(|element| match element {
                Value::Null => Ok(()),
                Value::Object(_) => self.set_mapping(element),
                Value::Array(_) => Err("a list is in the list where a name is expected".to_owned()),
                scalar => self.set_scalar(scalar),
            }),
            scalar => self.set_scalar(scalar),
        }
    }

    fn set_scalar(&self, node: &mut Value) -> Result<(), String> {
        let old = scalar_text(node);
        let found = self.of_name(&old);
        if let Some(meant) = self.choose(&old, found, |a, b| a.name == b.name)?
            && meant.name != old
        {
            self.allowance.resized(old.len() as u64, meant.name.len() as u64)?;
            *node = Value::from(&*meant.name);
        }
        Ok(())
    }

    /// A field that holds name and namespace.
    fn set_mapping(&self, node: &mut Value) -> Result<(), String> {
        let kind = &self.target.kind;
        let Some(name) = node.get("name") else {
            return Err(format!("the mapping has no name, so nothing says which {kind} it means; give it one"));
        };
        let old = if name.is_object() || name.is_array() { String::new() } else { scalar_text(name) };
        let found = match node.get("namespace") {
            None => self.of_name(&old),
            Some(namespace) => self.of_name_in(&old, &scalar_text(namespace)),
        };
        let same = |a: &Known, b: &Known| a.name == b.name && a.namespace == b.namespace;
        let Some(meant) = self.choose(&old, found, same)? else { return Ok(()) };
        if meant.name != old {
            self.allowance.resized(old.len() as u64, meant.name.len() as u64)?;
            node["name"] = Value::from(&*meant.name);
        }
        if !meant.namespace.is_empty() {
            self.allowance.take(meant.namespace.len() as u64)?;
            node["namespace"] = Value::from(&*meant.namespace);
        }
        Ok(())
    }

    /// Objects that went by a name, and that the referrer can reach.
    fn of_name(&self, name: &str) -> Vec<&'a Known> {
        let Some(same) = self.index.of_name(name) else { return Vec::new() };
        if self.referrer.cluster_scoped {
            return self.index.known(&same.all);
        }
        let mut at: Vec<usize> = Vec::new();
        at.extend(same.in_namespace(NO_NAMESPACE));
        at.extend(same.in_namespace(&self.referrer.namespace));
        for namespace in &self.referrer.account_namespaces {
            let there = same.in_namespace(index::effective(namespace)).iter();
            at.extend(there.filter(|at| self.index.all[**at].namespace == *namespace));
        }
        at.sort_unstable();
        at.dedup();
        self.index.known(&at)
    }

    /// Of those the ones that were read with that namespace; where it is the namespace of no
    /// object that was read, the ones that have it now.
    fn of_name_in(&self, name: &str, namespace: &str) -> Vec<&'a Known> {
        if namespace == NO_NAMESPACE {
            return Vec::new();
        }
        let read_with = self.reads_with(namespace);
        if self.referrer.cluster_scoped {
            let Some(same) = self.index.of_name(name) else { return Vec::new() };
            let at = if read_with { same.read_in_namespace(namespace) } else { same.in_namespace(namespace) };
            return self.index.known(at);
        }
        let mut found = self.of_name(name);
        found.retain(|known| if read_with { known.read_in == namespace } else { known.effective == namespace });
        found
    }

    /// Whether an object that the referrer can reach was read with that namespace.
    fn reads_with(&self, namespace: &str) -> bool {
        let index = self.index;
        let referrer = self.referrer;
        if referrer.cluster_scoped {
            return index.was_read_in(namespace);
        }
        index.was_read_in_and_is_in(namespace, NO_NAMESPACE)
            || index.was_read_in_and_is_in(namespace, &referrer.namespace)
            || referrer.account_namespaces.iter().any(|now| index.was_read_in_and_says(namespace, now))
    }

    /// The object that is meant, if there is one. Where several are left, the prefixes and
    /// suffixes that both went through decide.
    fn choose(
        &self,
        name: &str,
        mut found: Vec<&'a Known>,
        alike: impl Fn(&Known, &Known) -> bool,
    ) -> Result<Option<&'a Known>, String> {
        let referrer = self.referrer;
        self.allowance.work(1 + found.len())?;
        found.retain(|known| {
            known.was(self.target)
                && referrer.role.as_ref().filter(|_| self.in_role).is_none_or(|role| known.was(role))
                && (referrer.cluster_scoped
                    || known.effective == NO_NAMESPACE
                    || known.kind == "ServiceAccount"
                    || known.effective == referrer.namespace)
        });
        if found.len() != 1 {
            found.retain(|known| {
                let (prefixes, suffixes) = (&known.prefixes, &known.suffixes);
                (prefixes.is_empty() || referrer.prefixes.is_empty() || end_alike(prefixes, &referrer.prefixes))
                    && (suffixes.is_empty() || referrer.suffixes.is_empty() || end_alike(suffixes, &referrer.suffixes))
            });
        }
        if found.len() > 1 {
            found.retain(|known| {
                end_alike(&known.prefixes, &referrer.prefixes) && end_alike(&known.suffixes, &referrer.suffixes)
            });
        }
        let Some((first, rest)) = found.split_first() else { return Ok(None) };
        if rest.iter().all(|other| alike(first, other)) {
            return Ok(Some(first));
        }
        let all: Vec<&str> = found.iter().map(|known| &*known.label).collect();
        Err(format!(
            "{name:?} may mean each of {}, which went by that name and have different names now; give them different \
             names to begin with",
            all.join(", ")
        ))
    }
}

/// Whether the longer list ends with the shorter one; an empty one is alike to an empty one alone.
fn end_alike(a: &[String], b: &[String]) -> bool {
    if a.is_empty() || b.is_empty() {
        return a.is_empty() && b.is_empty();
    }
    a.iter().rev().zip(b.iter().rev()).all(|(a, b)| a == b)
}

#[cfg(test)]
#[path = "tests/references.rs"]
mod tests;

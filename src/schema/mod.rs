//! What the API server will say of a manifest's fields, without asking it.
//!
//! Built-in kinds are checked as the API server decodes them: by its Go types, as the OpenAPI documents
//! of the supported minors describe them. A field that is left out has Go's zero value, and a required
//! field with its zero value counts as left out. Custom resources are checked as the API server does
//! it, by the structural schema of their CustomResourceDefinition: fields are pruned, defaults filled
//! in, and the rest validated.
//!
//! The rules that problems name, which are promised:
//!
//! | rule | what is wrong |
//! |---|---|
//! | `UnknownField` | a field that the kind does not have |
//! | `WrongType` | a value of another type than the field has, or one that cannot be read as it |
//! | `RequiredField` | a field that has to be there is not, or is empty |
//! | `UnsupportedValue` | a value that is none of those that the field may have |
//! | `InvalidValue` | a value against the rules of its custom resource: too long, too large, of another pattern |
//! | `DuplicateItem` | two items of a list that are the same by its keys |
//! | `RemovedApi` | the target version of Kubernetes does not serve this API version any more, or not yet |
//! | `DeprecatedApi` | it does, and will not for long |
//! | `UnknownKind` | a group of Kubernetes itself has no such kind, or a definition has no such version |
//! | `InvalidDefinition` | a CustomResourceDefinition that cannot be meant so |
//! | `LimitExceeded` | an object that its definition makes too much work |
//!
//! What a schema cannot know, such as that a selector has to match the labels of its template, or what
//! rules in CEL ask for, is left to others.

mod builtin;
mod custom;
mod finding;
pub mod guide;
mod scalar;

pub use builtin::{Known, Minor};
pub use finding::Finding;

use crate::object::{Manifest, Problem, plural, split_api_version};
use custom::Definitions;
use finding::Findings;

/// The schemas that manifests are checked by: those of a version of Kubernetes, and those of
/// definitions.
#[derive(Debug, Default)]
pub struct Schemas {
    target: Minor,
    definitions: Definitions,
}

/// How the API server calls the objects of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// `deployments`.
    pub plural: String,
    /// Whether they are in namespaces; `None` where no schema says it.
    pub namespaced: Option<bool>,
}

/// What was found of a manifest.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What is wrong, in the order of the object.
    pub findings: Vec<Finding>,
    /// Whether a schema of its kind is known. Without one nothing can be said of its fields.
    pub known: bool,
}

impl Schemas {
    /// Those of a minor of Kubernetes.
    pub fn new(target: Minor) -> Self {
        Self { target, definitions: Definitions::default() }
    }

    /// The minor that is checked for.
    pub fn target(&self) -> Minor {
        self.target
    }

    /// Adds the kinds of a CustomResourceDefinition; anything else is passed over. A kind that is
    /// defined twice has its last definition.
    pub fn define(&mut self, manifest: &Manifest) -> Vec<Finding> {
        if manifest.id.group == "apiextensions.k8s.io" && manifest.id.kind == "CustomResourceDefinition" {
            self.definitions.add(&manifest.body)
        } else {
            Vec::new()
        }
    }

    /// Everything that is wrong with a manifest.
    pub fn check(&self, manifest: &Manifest) -> Checked {
        let mut findings = Findings::of(manifest);
        let (group, version) = split_api_version(&manifest.api_version);
        let kind = manifest.id.kind.as_str();
        let known = if let Some(definition) = self.definitions.get(group, kind) {
            match definition.version(version) {
                Some(schema) => schema.check(&manifest.body, &mut findings),
                None => findings.add(definition.no_such_version(&manifest.api_version)),
            }
            true
        } else {
            builtin::check(self.target, &manifest.api_version, kind, &manifest.body, &mut findings)
        };
        let mut findings = findings.into_found();
        findings.sort_by(|one, other| one.pointer.cmp(&other.pointer));
        findings.dedup();
        for finding in &mut findings {
            finding.problem.object = Some(manifest.id.to_string());
        }
        Checked { findings, known }
    }

    /// The resource of a kind: what its definition says, else what Kubernetes' own kinds are called.
    pub fn resource(&self, api_version: &str, kind: &str) -> Resource {
        let known =
            self.definitions.get(split_api_version(api_version).0, kind).map(|definition| definition.resource());
        match known {
            Some((plural, namespaced)) => Resource { plural: plural.to_owned(), namespaced: Some(namespaced) },
            None => {
                let namespaced = self.served(api_version, kind).map(|known| known.namespaced);
                Resource { plural: plural(kind), namespaced }
            }
        }
    }

    /// What is known of the API version and kind of an object, without its fields.
    pub fn served(&self, api_version: &str, kind: &str) -> Option<Known> {
        builtin::known(self.target, api_version, kind)
    }
}

/// A problem of a kind that cannot be checked further.
fn unknown_kind(message: String) -> Problem {
    Problem::new("UnknownKind", message)
}

#[cfg(test)]
mod tests;

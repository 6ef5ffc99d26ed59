//! A CustomResourceDefinition: which versions of a kind there are, each with its schema.

use std::collections::HashMap;

use serde_json::Value;

use super::schema::Schema;
use super::{prune, unique, validate};
use crate::object::near::nearest;
use crate::object::{plural, split_api_version};
use crate::schema::builtin::metadata;
use crate::schema::finding::{Finding, Findings, Step};
use crate::schema::unknown_kind;

/// The kinds of all definitions, by group and kind.
#[derive(Debug, Default)]
pub struct Definitions(HashMap<String, HashMap<String, Definition>>);

/// A kind.
#[derive(Debug)]
pub struct Definition {
    group: String,
    kind: String,
    /// Name of the resource, as in paths.
    plural: String,
    namespaced: bool,
    versions: Vec<Version>,
}

/// A version of a kind.
#[derive(Debug)]
pub struct Version {
    name: String,
    served: bool,
    deprecated: Option<String>,
    /// Status is a subresource: what a manifest says of it is dropped.
    status: bool,
    schema: Option<Schema>,
}

impl Definitions {
    /// What is defined of a kind.
    pub fn get(&self, group: &str, kind: &str) -> Option<&Definition> {
        self.0.get(group)?.get(kind)
    }

    /// Adds what a definition says, and returns what cannot be meant so.
    pub fn add(&mut self, body: &Value) -> Vec<Finding> {
        let mut findings = Findings::new(true);
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
        // What lacks these is told by the schema of definitions themselves.
        let (Some(group), Some(kind)) = (text("/spec/group"), text("/spec/names/kind")) else { return Vec::new() };
        let versions = body.pointer("/spec/versions").and_then(Value::as_array);
        let mut read = Vec::new();
        findings.within(Step::Field("spec"), |findings| {
            findings.within(Step::Field("versions"), |findings| {
                for (at, version) in versions.into_iter().flatten().enumerate() {
                    findings.within(Step::Item(at), |findings| read.extend(Version::read(version, findings)));
                }
            });
        });
        let definition = Definition {
            group: group.to_owned(),
            kind: kind.to_owned(),
            plural: text("/spec/names/plural").map_or_else(|| plural(kind), str::to_owned),
            namespaced: text("/spec/scope") != Some("Cluster"),
            versions: read,
        };
        self.0.entry(group.to_owned()).or_default().insert(kind.to_owned(), definition);
        findings.into_found()
    }
}

impl Definition {
    /// The name of its resource, and whether its objects are in namespaces.
    pub fn resource(&self) -> (&str, bool) {
        (&self.plural, self.namespaced)
    }

    /// The version of that name, where it is served.
    pub fn version(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.name == name && version.served)
    }

    /// What is wrong with an object of a version that is not served.
    pub fn no_such_version(&self, api_version: &str) -> Finding {
        let served: Vec<&str> =
            self.versions.iter().filter(|version| version.served).map(|version| version.name.as_str()).collect();
        let wanted = split_api_version(api_version).1;
        let message = format!("the definition of {}.{} serves no version {wanted}", self.kind, self.group);
        let meant = nearest(wanted, &served).or(served.first().copied());
        let problem = match meant {
            Some(meant) => unknown_kind(message).hint(format!("use {}/{meant}", self.group)),
            None => unknown_kind(message),
        };
        Finding { pointer: "/apiVersion".to_owned(), path: "apiVersion".to_owned(), problem }
    }
}

impl Version {
    fn read(version: &Value, findings: &mut Findings<'_>) -> Option<Self> {
        let name = version.get("name")?.as_str()?.to_owned();
        let deprecated = version.get("deprecated").and_then(Value::as_bool) == Some(true);
        let warning = version.get("deprecationWarning").and_then(Value::as_str);
        let mut schema = None;
        if let Some(written) = version.pointer("/schema/openAPIV3Schema") {
            match Schema::read(written) {
                Ok(read) => schema = Some(read),
                Err(fault) => {
                    let pointer = format!("/schema/openAPIV3Schema{}", fault.pointer);
                    let problem = findings.here("InvalidDefinition", format!("has a schema that {}", fault.message));
                    problem.hint = Some(format!("see {pointer}"));
                }
            }
        }
        Some(Self {
            name,
            served: version.get("served").and_then(Value::as_bool) != Some(false),
            deprecated: deprecated.then(|| warning.unwrap_or("this version is deprecated").to_owned()),
            status: version.pointer("/subresources/status").is_some_and(|status| !status.is_null()),
            schema,
        })
    }

    /// Checks an object of this version.
    pub fn check<'a>(&'a self, body: &'a Value, findings: &mut Findings<'a>) {
        if let Some(warning) = &self.deprecated {
            findings.within(Step::Field("apiVersion"), |findings| {
                findings.here("DeprecatedApi", format!("is deprecated: {warning}"));
            });
        }
        if let Some(value) = body.get("metadata") {
            findings.within(Step::Field("metadata"), |findings| metadata(value, findings));
        }
        let Some(schema) = &self.schema else { return };
        prune::unknown(body, schema, prune::At::Root, findings);
        let mut created = body.clone();
        if self.status
            && let Some(fields) = created.as_object_mut()
        {
            fields.remove("status");
        }
        prune::nulls(&mut created, Some(schema));
        prune::defaults(&mut created, schema);
        // What was filled in is not written anywhere, and lives only here: so do the paths into it.
        let mut validated = Findings::of_values(findings);
        validate::value(&created, schema, &mut validated);
        unique::lists(&created, schema, &mut validated);
        if validated.is_exhausted() {
            let message = "takes more steps to validate by its definition than one object may";
            findings.here("LimitExceeded", message).hint =
                Some("the definition has too many alternatives for so many items".to_owned());
            return;
        }
        let found = validated.into_found();
        found.into_iter().for_each(|finding| findings.add(finding));
    }
}

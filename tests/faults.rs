//! The agent is killed, the API server, its store and Git servers stop: afterwards the cluster
//! equals Git, nothing that Git keeps was deleted, and nothing is left over. Judged by plain
//! listings.

mod hang;
mod kills;
mod outage;
mod quarantine;
mod restart;
mod stall;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::lab::{Lab, Repo};

/// Room for the deletions of these tests.
const BUDGET: &str = "deletionBudget: {maxCount: 1000, maxPercent: 100}";

/// One revision: objects of several kinds, so that there are several phases, each with a value that
/// the revision gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    objects: BTreeMap<String, u32>,
}

impl Wanted {
    /// Revision `number` of `size` objects: against the one before everything changes, and an
    /// eighth leaves while as many others come.
    fn revision(number: u32, size: u32) -> Self {
        let first = number * (size / 8);
        Self { objects: (first..first + size).map(|n| (named(n), number)).collect() }
    }

    /// Writes it below `deploy` and pushes; the commit.
    fn push(&self, repo: &Repo) -> String {
        let _ = std::fs::remove_dir_all(repo.work().join("deploy"));
        for (name, value) in &self.objects {
            let (kind, object) = name.split_once('/').expect("kind and name");
            repo.write(&format!("deploy/{object}.yaml"), &manifest(kind, object, *value));
        }
        repo.push("change")
    }

    /// Why a namespace is not this revision.
    fn equals(&self, listed: &Listed) -> Result<(), String> {
        let found: BTreeMap<_, _> = listed.iter().map(|(name, object)| (name.clone(), object.value)).collect();
        if found == self.objects { Ok(()) } else { Err(format!("found {found:?}, wanted {:?}", self.objects)) }
    }

    /// Holds that nothing was deleted that this revision keeps.
    fn keeps(&self, before: &Listed, after: &Listed) {
        for name in self.objects.keys().filter(|name| before.contains_key(*name)) {
            assert_eq!(before[name].uid, after[name].uid, "{name} was deleted although Git keeps it");
        }
    }
}

/// Kind and name of the object of a number.
fn named(number: u32) -> String {
    let kind = match number % 10 {
        0 => "service",
        4 => "serviceaccount",
        7 if number % 20 == 7 => "deployment",
        _ => "configmap",
    };
    format!("{kind}/object-{number:04}")
}

fn manifest(kind: &str, name: &str, value: u32) -> String {
    let metadata = format!("metadata: {{name: {name}, labels: {{value: '{value}'}}}}");
    match kind {
        "service" => format!(
            "apiVersion: v1\nkind: Service\n{metadata}\nspec: {{clusterIP: None, selector: {{app: {name}}}, ports: [{{port: 80}}]}}\n"
        ),
        "serviceaccount" => format!("apiVersion: v1\nkind: ServiceAccount\n{metadata}\n"),
        "deployment" => format!(
            "apiVersion: apps/v1\nkind: Deployment\n{metadata}\nspec:\n  replicas: 0\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec: {{containers: [{{name: web, image: 'registry.example.com/web:1'}}]}}\n"
        ),
        _ => format!("apiVersion: v1\nkind: ConfigMap\n{metadata}\ndata: {{value: '{value}'}}\n"),
    }
}

/// An object as a listing shows it.
#[derive(Clone, Debug)]
struct Found {
    value: u32,
    uid: String,
}

/// What a namespace holds of these tests, by `kind/name`.
type Listed = BTreeMap<String, Found>;

/// All that the cluster holds of these tests, by namespace.
fn listed_everywhere(lab: &Lab) -> BTreeMap<String, Listed> {
    let list = lab.k(&["get", "configmaps,services,serviceaccounts,deployments", "-A", "-o", "json"]);
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let mut all: BTreeMap<String, Listed> = BTreeMap::new();
    for item in list["items"].as_array().expect("items") {
        let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let name = text("/metadata/name");
        if name.starts_with("object-") {
            let found = Found {
                value: text("/metadata/labels/value").parse().unwrap_or(u32::MAX),
                uid: text("/metadata/uid").to_owned(),
            };
            let id = format!("{}/{name}", text("/kind").to_lowercase());
            all.entry(text("/metadata/namespace").to_owned()).or_default().insert(id, found);
        }
    }
    all
}

/// What one namespace holds of these tests.
fn listed(lab: &Lab, namespace: &str) -> Listed {
    listed_everywhere(lab).remove(namespace).unwrap_or_default()
}

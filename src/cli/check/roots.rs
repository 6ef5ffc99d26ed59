//! What a repository deploys: the paths that its Syncs, Flux Kustomizations and Argo CD Applications
//! name, its kustomizations that no other refers to, and the manifests that none of them reads.

use std::collections::{BTreeMap, BTreeSet};

use memchr::memmem;
use serde_json::{Value, json};

use super::application_set;
use super::binds::Binds;
use super::judge::Setting;
use crate::object::{Manifest, ObjectId, Origin, Problem, split_api_version, yaml};
use crate::render::{EntryKind, KUSTOMIZATIONS, Limits, Tree, TreeError};
use crate::standard::NAMESPACE_NAME;

/// What was found in a tree.
#[derive(Debug, Default)]
pub struct Survey {
    /// Paths that something deploys.
    pub declared: BTreeMap<String, Declared>,
    /// Paths of standards, each with what the Standards that name it say beside its files.
    pub standards: BTreeMap<String, Vec<Binds>>,
    /// Namespaces, by name.
    pub namespaces: BTreeMap<String, Value>,
    /// Folders with a kustomization that no other refers to, and that are below no declared path.
    pub kustomizations: Vec<String>,
    /// Files with objects, by folder; those that are rendered otherwise among them.
    pub files: BTreeMap<String, Vec<String>>,
    /// Every CustomResourceDefinition.
    pub definitions: Vec<Manifest>,
    /// Folders with a chart that nothing deploys.
    pub charts: Vec<String>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// Folders with any kustomization.
    built: BTreeSet<String>,
}

/// What deploys a path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// The Sync, where it is one.
    pub sync: Option<Value>,
    /// Namespace of objects that name none.
    pub namespace: Option<String>,
}

impl Declared {
    /// Who asks the API server, and in which namespace.
    pub fn setting(&self) -> Setting {
        let mut setting = Setting { namespace: self.namespace.clone(), ..Setting::default() };
        let text = |pointer: &str| self.sync.as_ref()?.pointer(pointer)?.as_str();
        if let (Some(account), Some(namespace)) = (text("/spec/serviceAccountName"), text("/metadata/namespace")) {
            let name = format!("system:serviceaccount:{namespace}:{account}");
            let of_namespace = format!("system:serviceaccounts:{namespace}");
            setting.user =
                json!({"username": name, "groups": ["system:serviceaccounts", of_namespace, "system:authenticated"]});
        }
        setting
    }
}

/// The Namespaces among manifests, each with the label that the API server gives it.
pub fn namespaces(manifests: &[Manifest]) -> BTreeMap<String, Value> {
    let of_core = manifests.iter().filter(|manifest| manifest.id.kind == "Namespace" && manifest.id.group.is_empty());
    of_core.map(|manifest| (manifest.id.name.clone(), labelled(&manifest.body))).collect()
}

fn labelled(namespace: &Value) -> Value {
    let mut namespace = namespace.clone();
    let name = namespace["metadata"]["name"].clone();
    if let Some(metadata) = namespace.get_mut("metadata").and_then(Value::as_object_mut) {
        let labels = metadata.entry("labels").or_insert_with(|| json!({}));
        // What else may stand there is told by the schema.
        if !labels.is_object() {
            *labels = json!({});
        }
        labels[NAMESPACE_NAME] = name;
    }
    namespace
}

/// Texts of which a file has one where it says what is deployed, or what objects are.
pub const TELLING: [&str; 5] =
    ["CustomResourceDefinition", "Namespace", "tandemcd.io/", "kustomize.toolkit.fluxcd.io/", "argoproj.io/"];

/// Fields of a kustomization that refer to others.
pub const REFERRING: [&str; 6] = ["resources", "bases", "components", "generators", "transformers", "validators"];

/// Folders that may nest.
const DEEPEST: usize = 100;

/// Looks through a folder of a tree.
///
/// # Errors
/// A folder cannot be listed.
pub fn survey(tree: &dyn Tree, folder: &str, limits: &Limits) -> Result<Survey, TreeError> {
    let mut look =
        Look { tree, limits, survey: Survey::default(), referenced: BTreeSet::new(), components: BTreeSet::new() };
    look.folder(folder, 0)?;
    Ok(look.settle())
}

struct Look<'a> {
    tree: &'a dyn Tree,
    limits: &'a Limits,
    survey: Survey,
    referenced: BTreeSet<String>,
    components: BTreeSet<String>,
}

impl Look<'_> {
    fn folder(&mut self, folder: &str, depth: usize) -> Result<(), TreeError> {
        let entries = self.tree.list(folder)?.unwrap_or_default();
        let has = |names: &[&str]| entries.iter().find(|e| e.kind == EntryKind::File && names.contains(&&*e.name));
        let chart = has(&["Chart.yaml"]).is_some();
        if let Some(file) = has(&KUSTOMIZATIONS) {
            self.survey.built.insert(folder.to_owned());
            self.kustomization(folder, &join(folder, &file.name));
        } else if chart {
            self.survey.charts.push(folder.to_owned());
        }
        for entry in &entries {
            if entry.name.starts_with('.') {
                continue;
            }
            let path = join(folder, &entry.name);
            match entry.kind {
                // What a chart holds are templates; its definitions are plain.
                EntryKind::Folder if chart && entry.name != "crds" => {}
                EntryKind::Folder if depth < DEEPEST => self.folder(&path, depth + 1)?,
                EntryKind::File if is_manifest(&entry.name) && !KUSTOMIZATIONS.contains(&&*entry.name) && !chart => {
                    self.file(folder, &path);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, folder: &str, path: &str) {
        let bytes = match self.tree.read(path, self.limits.file_bytes) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return,
            Err(error) => {
                self.survey.problems.push(Problem::new("Unreadable", error.to_string()).in_file(path, None));
                return;
            }
        };
        let has = |text: &str| memmem::find(&bytes, text.as_bytes()).is_some();
        if !has("apiVersion") || !has("kind") {
            return;
        }
        // A template of something else becomes a manifest elsewhere.
        if (has("{{") || has("{%")) && !yaml::read(path, &bytes, &self.limits.yaml()).1.is_empty() {
            return;
        }
        self.survey.files.entry(folder.to_owned()).or_default().push(path.to_owned());
        if !TELLING.iter().any(|text| has(text)) {
            return;
        }
        // What is wrong in it is told when it is rendered.
        for document in yaml::read(path, &bytes, &self.limits.yaml()).0 {
            let origin = Origin { file: path.to_owned(), line: document.line, document: document.index };
            self.object(&document.value, &origin, 0);
        }
    }

    fn object(&mut self, object: &Value, origin: &Origin, depth: usize) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
        let group = split_api_version(api_version).0;
        match (group, kind) {
            ("", "List") if depth < 8 => {
                for item in object["items"].as_array().into_iter().flatten() {
                    self.object(item, origin, depth + 1);
                }
            }
            ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                let id = ObjectId::new("", name, group, kind);
                self.survey.definitions.push(Manifest::new(origin.clone(), id, api_version, object.clone()));
            }
            ("", "Namespace") if object["metadata"].is_object() => {
                self.survey.namespaces.insert(name.to_owned(), labelled(object));
            }
            ("tandemcd.io", "Sync") => {
                let namespace = named(object, &["/spec/targetNamespace", "/metadata/namespace"]);
                self.declare(text("/spec/path"), Declared { sync: Some(object.clone()), namespace });
            }
            ("tandemcd.io", "Standard") => {
                let path = inside("", text("/spec/path"));
                let path = path.filter(|path| !path.is_empty() && matches!(self.tree.list(path), Ok(Some(_))));
                let Some(path) = path else { return };
                let (known, binds) = (self.survey.standards.entry(path).or_default(), Binds::of(&object["spec"]));
                if !known.contains(&binds) {
                    known.push(binds);
                }
            }
            ("kustomize.toolkit.fluxcd.io", "Kustomization") => {
                let namespace = named(object, &["/spec/targetNamespace"]);
                self.declare(text("/spec/path"), Declared { sync: None, namespace });
            }
            ("argoproj.io", "Application") => self.application(&object["spec"]),
            ("argoproj.io", "ApplicationSet") => self.application_set(object, origin),
            _ => {}
        }
    }

    fn application(&mut self, spec: &Value) {
        let sources = spec["sources"].as_array().into_iter().flatten().chain(std::iter::once(&spec["source"]));
        // A chart from a repository of charts has no path.
        let namespace = named(spec, &["/destination/namespace"]);
        for path in sources.filter_map(|source| source["path"].as_str()).filter(|path| !path.contains("{{")) {
            self.declare(path, Declared { sync: None, namespace: namespace.clone() });
        }
    }

    fn application_set(&mut self, object: &Value, origin: &Origin) {
        let (deployed, mut unknown) = application_set::deployed(&object["spec"], self.tree);
        let is_here = |path: &str| inside("", path).is_some_and(|path| matches!(self.tree.list(&path), Ok(Some(_))));
        if unknown.is_empty() && !deployed.iter().any(|one| is_here(&one.path)) {
            unknown.push("none of its folders is in this repository".to_owned());
        }
        for one in deployed {
            self.declare(&one.path, Declared { sync: None, namespace: one.namespace });
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        self.survey.problems.extend(
            unknown.into_iter().map(|why| {
                Problem::new("NotChecked", format!("ApplicationSet {name} is not followed: {why}")).at(origin)
            }),
        );
    }

    /// A path that is none of this tree belongs to another repository. The root does as well, or it is
    /// all that is looked at anyway.
    fn declare(&mut self, path: &str, declared: Declared) {
        let Some(path) = inside("", path).filter(|path| !path.is_empty()) else { return };
        if matches!(self.tree.list(&path), Ok(Some(_))) {
            self.survey.declared.entry(path).or_insert(declared);
        }
    }

    fn kustomization(&mut self, folder: &str, path: &str) {
        let Ok(Some(bytes)) = self.tree.read(path, self.limits.file_bytes) else { return };
        for document in yaml::read(path, &bytes, &self.limits.yaml()).0 {
            let value = &document.value;
            if value["kind"] == "Component" {
                self.components.insert(folder.to_owned());
            }
            for field in REFERRING {
                let entries = value[field].as_array().into_iter().flatten().filter_map(Value::as_str);
                self.referenced.extend(entries.filter_map(|entry| inside(folder, entry)));
            }
        }
    }

    fn settle(self) -> Survey {
        let mut survey = self.survey;
        let plain: Vec<&String> = survey.declared.keys().filter(|path| !survey.built.contains(*path)).collect();
        let covered = |path: &str| plain.iter().any(|above| is_below(path, above));
        let roots = survey.built.iter().filter(|folder| {
            !self.referenced.contains(*folder)
                && !self.components.contains(*folder)
                && !survey.declared.contains_key(*folder)
                && !covered(folder)
        });
        survey.kustomizations = roots.cloned().collect();
        // Files that a declared path reads as they are, and those beside a kustomization, which are its
        // parts or nothing.
        let loose = |folder: &str| !covered(folder) && !survey.built.contains(folder);
        let files = survey.files.iter().filter(|(folder, _)| loose(folder));
        let files = files.map(|(folder, files)| (folder.clone(), files.clone())).collect();
        let charts = survey.charts.iter().filter(|folder| !survey.declared.contains_key(*folder) && !covered(folder));
        let charts = charts.cloned().collect();
        Survey { files, charts, ..survey }
    }
}

/// The first of some fields that names something, and is no template.
fn named(object: &Value, pointers: &[&str]) -> Option<String> {
    let texts = pointers.iter().filter_map(|pointer| object.pointer(pointer)?.as_str());
    texts.map(str::to_owned).find(|text| !text.is_empty() && !text.contains("{{"))
}

/// Whether a file may hold manifests, by its name.
pub fn is_manifest(name: &str) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end))
}

/// A name inside a folder.
pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Whether a path is a folder or lies below it.
pub fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path as it is meant from a folder; `None` where it leaves the tree or is an address.
pub fn inside(folder: &str, path: &str) -> Option<String> {
    if path.contains("://") || path.contains('?') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::MemTree;

    #[test]
    fn what_deploys_what_is_found() {
        let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
        let tree = MemTree::new()
            .file("clusters/prod/web.yaml", "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: web}\nspec: {path: ./apps/web}\n---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: db}\nspec: {source: {path: apps/db}}\n---\napiVersion: tandemcd.io/v1alpha1\nkind: Sync\nmetadata: {name: gone}\nspec: {path: elsewhere}\n")
            .file("apps/web/a.yaml", object)
            .file("apps/web/sub/kustomization.yaml", "resources: []\n")
            .file("apps/db/kustomization.yaml", "resources: [../base]\n")
            .file("apps/base/kustomization.yaml", "resources: [a.yaml]\n")
            .file("apps/base/a.yaml", object)
            .file("overlays/one/kustomization.yaml", "resources: [../../apps/base]\ncomponents: [../../part]\n")
            .file("part/kustomization.yaml", "kind: Component\n")
            .file("loose/a.yaml", object)
            .file("loose/values.yaml", "a: b\n")
            .file("loose/template.yaml", "apiVersion: v1\nkind: {{ x }}\n{{ y }}: z\n")
            .file(".github/a.yaml", object)
            .file("charts/c/Chart.yaml", "name: c\n")
            .file("charts/c/templates/a.yaml", "apiVersion: {{ x }}\nkind: y\n")
            .file("charts/c/crds/a.yaml", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\n");
        let survey = survey(&tree, "", &Limits::default()).expect("looks");
        let declared: Vec<&String> = survey.declared.keys().collect();
        assert_eq!(declared, ["apps/db", "apps/web"]);
        assert_eq!(survey.kustomizations, ["overlays/one"]);
        let loose: Vec<&String> = survey.files.values().flatten().collect();
        assert_eq!(loose, ["charts/c/crds/a.yaml", "clusters/prod/web.yaml", "loose/a.yaml"]);
        assert_eq!((survey.definitions.len(), survey.charts), (1, vec!["charts/c".to_owned()]));
    }

    #[test]
    fn application_sets_are_followed_where_the_repository_says_what_they_list() {
        let set = |name: &str, generator: &str, path: &str| {
            format!(
                "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: {name}}}\nspec:\n  generators: [{generator}]\n  template: {{spec: {{source: {{path: '{path}'}}, destination: {{namespace: '{{{{path.basename}}}}'}}}}}}\n---\n"
            )
        };
        let sets = set("folders", "{git: {directories: [{path: 'apps/*'}]}}", "{{path}}")
            + &set("clusters", "{clusters: {}}", "apps/{{name}}")
            + &set("elsewhere", "{list: {elements: [{name: x}]}}", "gone/{{name}}");
        let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
        let tree =
            MemTree::new().file("sets.yaml", &*sets).file("apps/web/a.yaml", object).file("apps/db/a.yaml", object);
        let survey = survey(&tree, "", &Limits::default()).expect("looks");
        let namespaces: Vec<_> =
            survey.declared.iter().map(|(path, of)| (path.as_str(), of.namespace.as_deref())).collect();
        assert_eq!(namespaces, [("apps/db", Some("db")), ("apps/web", Some("web"))]);
        let told: Vec<_> = survey.problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("sets.yaml:8: ApplicationSet clusters is not followed: "), "{told:?}");
        assert!(
            told[1].contains("ApplicationSet elsewhere is not followed: none of its folders is in this"),
            "{told:?}"
        );
    }

    #[test]
    fn paths_are_meant_from_their_folder() {
        for (folder, path, expected) in [
            ("", "./apps/web/", Some("apps/web")),
            ("a/b", "../c", Some("a/c")),
            ("a", "../../c", None),
            ("", "https://example.com/x", None),
            ("", "/x", Some("x")),
        ] {
            assert_eq!(inside(folder, path).as_deref(), expected, "{folder} {path}");
        }
        assert!(is_below("a/b", "a") && is_below("a", "a") && is_below("a", "") && !is_below("ab", "a"));
    }
}

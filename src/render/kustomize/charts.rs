//! `helmCharts`: charts that stand in the tree, through Helm.
//!
//! What Helm prints is read as Helm's users read it, hooks and tests included in what
//! [`helm`](super::super::helm) makes of them, and then changed like everything else.

use serde::Deserialize;
use serde_json::Value;

use super::super::helm::{self, Layer, Part, Settings};
use super::super::substitute::Secrecy;
use super::super::{Blob, Options, Tree};
use super::build::{Build, Folder};
use super::decode::Shape::{self, Any, Bool, Fields, List, Map, Text};
use super::decode::decode;
use super::files::{Spot, resolve};
use super::resource::Resource;

/// An entry of `helmCharts`.
const HELM_CHART: Shape = Fields(&[
    ("name", Text),
    ("version", Text),
    ("repo", Text),
    ("releaseName", Text),
    ("nameTemplate", Text),
    ("namespace", Text),
    ("valuesFile", Text),
    ("additionalValuesFiles", List(&Text)),
    ("valuesInline", Map(&Any)),
    ("valuesMerge", Text),
    ("includeCRDs", Bool),
    ("skipHooks", Bool),
    ("skipTests", Bool),
    ("apiVersions", List(&Text)),
    ("kubeVersion", Text),
    ("debug", Bool),
    ("devel", Bool),
]);

/// An entry of `helmChartInflationGenerator`.
const OLD_HELM_CHART: Shape = Fields(&[
    ("chartName", Text),
    ("chartVersion", Text),
    ("chartRepoUrl", Text),
    ("chartRepoName", Text),
    ("chartHome", Text),
    ("helmBin", Text),
    ("helmHome", Text),
    ("values", Text),
    ("valuesLocal", Map(&Any)),
    ("valuesMerge", Text),
    ("releaseName", Text),
    ("releaseNamespace", Text),
    ("extraArgs", List(&Text)),
]);

/// `helmGlobals`.
const HELM_GLOBALS: Shape = Fields(&[("chartHome", Text), ("configHome", Text)]);

/// What an entry of `helmCharts` says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs)] // The fields are kustomize's own, and its documentation is theirs.
struct Chart {
    name: String,
    version: String,
    repo: String,
    release_name: String,
    name_template: String,
    namespace: String,
    values_file: String,
    additional_values_files: Vec<String>,
    values_inline: serde_json::Map<String, Value>,
    values_merge: String,
    #[serde(rename = "includeCRDs")]
    include_crds: bool,
    skip_hooks: bool,
    api_versions: Vec<String>,
    kube_version: String,
}

/// What an entry of `helmChartInflationGenerator`, the older form, says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs)]
struct OldChart {
    chart_name: String,
    chart_version: String,
    chart_repo_url: String,
    chart_home: String,
    values: String,
    values_local: serde_json::Map<String, Value>,
    values_merge: String,
    release_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Globals {
    chart_home: String,
}

impl Build<'_> {
    /// What the charts of a kustomization print, each object with the entry that made it.
    pub fn charts(&mut self, folder: &Folder) -> Vec<(Resource, Spot)> {
        let (mut charts, mut home) = (Vec::new(), String::new());
        let k = &folder.kustomization;
        for (at, value) in k.helm_chart_inflation_generator.iter().enumerate() {
            let spot = folder.spot.at("helmChartInflationGenerator").at(at);
            let old = decode::<OldChart>(value.clone(), OLD_HELM_CHART, &spot, "InvalidKustomization");
            let Some(old) = self.refuse_all(old) else { continue };
            home = if old.chart_home.is_empty() { home } else { old.chart_home };
            let chart = Chart {
                name: old.chart_name,
                version: old.chart_version,
                repo: old.chart_repo_url,
                values_file: old.values,
                values_inline: old.values_local,
                values_merge: old.values_merge,
                release_name: old.release_name,
                ..Chart::default()
            };
            charts.push((chart, spot));
        }
        if !k.helm_globals.is_null() {
            let globals = folder.spot.at("helmGlobals");
            let globals = decode::<Globals>(k.helm_globals.clone(), HELM_GLOBALS, &globals, "InvalidKustomization");
            let Some(globals) = self.refuse_all(globals) else { return Vec::new() };
            home = if globals.chart_home.is_empty() { home } else { globals.chart_home };
        }
        for (at, value) in k.helm_charts.iter().enumerate() {
            let spot = folder.spot.at("helmCharts").at(at);
            let chart = decode::<Chart>(value.clone(), HELM_CHART, &spot, "InvalidKustomization");
            charts.extend(self.refuse_all(chart).map(|chart| (chart, spot)));
        }
        let home = if home.is_empty() { "charts".to_owned() } else { home };
        let mut made = Vec::new();
        for (chart, spot) in charts {
            let resources = self.chart(folder, &home, chart, &spot).unwrap_or_default();
            made.extend(resources.into_iter().map(|resource| (resource, spot.clone())));
        }
        made
    }

    fn chart(&mut self, folder: &Folder, home: &str, chart: Chart, spot: &Spot) -> Option<Vec<Resource>> {
        for (field, name) in [("name", &chart.name), ("releaseName", &chart.release_name)] {
            if name.is_empty() || name.starts_with('-') {
                let problem = spot.at(field).problem("InvalidGenerator", "it is missing, or begins with a dash");
                self.problems.push(match field {
                    "releaseName" => problem.hint("without one Helm makes up another name at every build"),
                    _ => problem,
                });
                return None;
            }
        }
        if !chart.name_template.is_empty() {
            let problem =
                spot.at("nameTemplate").problem("InvalidGenerator", "a release has its name from releaseName");
            self.problems.push(problem);
            return None;
        }
        let versioned = !chart.version.is_empty() && !chart.repo.is_empty();
        let home = if versioned { format!("{home}/{}-{}", chart.name, chart.version) } else { home.to_owned() };
        let at = self.refuse(resolve(&folder.root, &format!("{home}/{}", chart.name), spot))?;
        let (tree, record, options) = self.files.parts();
        let there = Tree::id(record, &format!("{at}/{}", helm::FILE)).ok().flatten().is_some();
        if !there {
            let message = format!("there is no chart in {at:?}, and none is fetched");
            let hint = format!("`helm pull --untar --untardir {home} {}`, and commit it", chart.name);
            self.problems.push(spot.at("name").problem("RemoteNotFetched", message).hint(hint));
            return None;
        }
        let options: Options = options.clone();
        let settings = self.settings(folder, &at, chart, &options.helm, spot)?;
        let with = helm::With { settings: &settings, options: &options };
        let (tree, record) = (tree, record);
        let (manifests, problems) = helm::render((tree, record), &at, &mut self.needs, &with);
        let whole = problems.is_empty();
        self.problems.extend(problems);
        whole.then(|| manifests.into_iter().map(|manifest| Resource::new(manifest.body, manifest.origin)).collect())
    }

    /// What the entry says, in Helm's order of values.
    fn settings(&mut self, folder: &Folder, at: &str, chart: Chart, known: &Settings, spot: &Spot) -> Option<Settings> {
        let text = |from: String, text: Vec<u8>| Layer::Text { from, text: Blob::new(text), secrecy: Secrecy::Plain };
        let own = chart.values_file.is_empty();
        let file = if own {
            // Helm takes it by itself; it is named only where it is to win over what stands inline.
            Layer::File("values.yaml".to_owned())
        } else {
            let loaded = self.files.load(&folder.root, &chart.values_file, &spot.at("valuesFile"));
            let (path, bytes) = self.refuse(loaded)?;
            text(path, bytes)
        };
        let inline = (!chart.values_inline.is_empty()).then(|| {
            let field = spot.at("valuesInline");
            text(
                format!("{} ({})", field.file(), field.field()),
                Value::Object(chart.values_inline).to_string().into_bytes(),
            )
        });
        let mut values: Vec<Layer> = match (chart.values_merge.as_str(), inline) {
            ("" | "override", inline) => Some(file).filter(|_| !own).into_iter().chain(inline).collect(),
            ("merge", Some(inline)) => {
                let (_, record, _) = self.files.parts();
                let there = !own || Tree::id(record, &format!("{at}/values.yaml")).ok().flatten().is_some();
                [inline].into_iter().chain(Some(file).filter(|_| there)).collect()
            }
            ("replace", Some(inline)) => vec![inline],
            ("merge" | "replace", None) => Some(file).filter(|_| !own).into_iter().collect(),
            (other, _) => {
                let message = format!("{other:?} is neither override, merge nor replace");
                self.problems.push(spot.at("valuesMerge").problem("InvalidGenerator", message));
                return None;
            }
        };
        for (at, path) in chart.additional_values_files.iter().enumerate() {
            let loaded = self.files.load(&folder.root, path, &spot.at("additionalValuesFiles").at(at));
            let (path, bytes) = self.refuse(loaded)?;
            values.push(text(path, bytes));
        }
        // What is written here counts in place of the cluster's.
        let cluster = known.cluster.clone().map(|mut cluster| {
            cluster.kube_version = Some(chart.kube_version).filter(|v| !v.is_empty()).or(cluster.kube_version);
            if !chart.api_versions.is_empty() {
                cluster.api_versions = chart.api_versions;
            }
            cluster
        });
        let namespace = if chart.namespace.is_empty() { "default".to_owned() } else { chart.namespace };
        Some(Settings {
            release_name: Some(chart.release_name),
            namespace,
            cluster,
            values,
            chart: None,
            crds: if chart.include_crds { Part::Included } else { Part::LeftOut },
            hooks: if chart.skip_hooks { Part::LeftOut } else { Part::Included },
        })
    }
}

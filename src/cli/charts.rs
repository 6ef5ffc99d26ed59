//! How charts are rendered on the command line.

use std::path::{Path, PathBuf};

use super::stop::Stop;
use crate::agent::inputs::{self, Contents};
use crate::agent::programs::{Programs, ProgramsSettings};
use crate::agent::releases;
use crate::agent::tip::Key;
use crate::api::Sync;
use crate::failure::{Failed, Fault};
use crate::object::yaml;
use crate::render::helm::{Layer, Settings};
use crate::render::substitute::Secrecy;
use crate::render::{Blob, Options};

/// What a Sync or a cluster says of a chart in the agent.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Charts {
    /// Helm v4, looked for on PATH unless said
    #[arg(help_heading = "Charts", long, env = "TANDEM_HELM", value_name = "PROGRAM", hide_env_values = true)]
    pub helm: Option<PathBuf>,
    /// Values over those of the chart; the last file counts
    #[arg(help_heading = "Charts", long = "values", short = 'f', value_name = "FILE")]
    values: Vec<PathBuf>,
    /// Name of the release, that of the chart's folder unless said
    #[arg(help_heading = "Charts", long, value_name = "NAME")]
    release_name: Option<String>,
    /// Manifest of a Sync whose spec.helm counts, where nothing else is said: also for a chart that
    /// comes from elsewhere
    #[arg(help_heading = "Charts", long, value_name = "FILE")]
    sync_file: Option<PathBuf>,
    /// Version of Kubernetes that charts see, Helm's own idea unless said
    #[arg(help_heading = "Charts", long, value_name = "VERSION")]
    kube_version: Option<String>,
    /// API versions that charts see beside the built-in ones, as `example.com/v1/Widget`
    #[arg(help_heading = "Charts", long, value_name = "LIST", value_delimiter = ',')]
    api_versions: Vec<String>,
}

impl Charts {
    /// With this program, and charts that see this version of Kubernetes.
    pub fn of(helm: Option<PathBuf>, kube_version: String) -> Self {
        Self { helm, kube_version: Some(kube_version), ..Self::default() }
    }

    /// The options of a render with what is said of charts; `namespace` is that of releases.
    ///
    /// # Errors
    /// A file cannot be read, or makes no sense.
    pub fn added(&self, options: Options, namespace: Option<&str>) -> Result<Options, Stop> {
        let mut helm = options.helm;
        if let Some(path) = &self.sync_file {
            let said = from_sync(path)?;
            helm = Settings { cluster: helm.cluster, ..said };
        }
        for path in &self.values {
            let from = path.display().to_string();
            let text = std::fs::read(path).map_err(|error| {
                Failed::new("PathUnreadable", Fault::Repository, format!("cannot read the values in {from}: {error}"))
            })?;
            helm.values.push(Layer::Text { from, text: Blob::new(text), secrecy: Secrecy::Plain });
        }
        helm.release_name = self.release_name.clone().or(helm.release_name);
        helm.namespace = namespace.map_or(helm.namespace, str::to_owned);
        let mut cluster = helm.cluster.unwrap_or_default();
        cluster.kube_version = self.kube_version.clone().or(cluster.kube_version);
        if !self.api_versions.is_empty() {
            cluster.api_versions.clone_from(&self.api_versions);
        }
        helm.cluster = Some(cluster);
        Ok(Options { helm, ..options })
    }

    /// The programs that charts need, and SOPS.
    ///
    /// # Errors
    /// The path of this program is not known.
    pub fn programs(&self, sops: Option<PathBuf>) -> Result<Programs, Stop> {
        let settings = ProgramsSettings { helm: self.helm.clone(), sops, charts: kept(), ..ProgramsSettings::new()? };
        Ok(Programs::new(settings))
    }
}

/// Where charts from elsewhere are kept.
fn kept() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(cache.join("tandem").join("charts"))
}

/// What the one Sync of a file says of its chart. No cluster is asked: what stands in a ConfigMap or
/// Secret is given by hand.
fn from_sync(path: &Path) -> Result<Settings, Stop> {
    let from = path.display().to_string();
    let wrong = |message: String| Failed::new("InvalidSpec", Fault::Repository, format!("{from}: {message}"));
    let text = std::fs::read(path).map_err(|error| {
        Failed::new("PathUnreadable", Fault::Repository, format!("cannot read the Sync in {from}: {error}"))
    })?;
    let (documents, problems) = yaml::read(&from, &text, &yaml::Limits::default());
    if let Some(problem) = problems.first() {
        return Err(wrong(problem.to_string()).into());
    }
    let mut syncs = documents.into_iter().map(|document| document.value).filter(|value| value["kind"] == "Sync");
    let (Some(sync), None) = (syncs.next(), syncs.next()) else {
        return Err(wrong("it does not hold exactly one Sync".to_owned()).into());
    };
    let sync: Sync = serde_json::from_value(sync).map_err(|error| wrong(error.to_string()))?;
    let named = inputs::wanted(&sync.spec)
        .into_iter()
        .find(|named| named.presence == inputs::Presence::Required && named.field.starts_with("spec.helm"));
    if let Some(named) = named {
        let message =
            format!("{} names the {} {}, and no cluster is asked here", named.field, named.id.kind, named.id.name);
        return Err(wrong(message)
            .with_hint("`plan --sync` asks it; or leave the entry out, and give the values by --values")
            .into());
    }
    let metadata = &sync.metadata;
    let place = metadata.namespace.as_deref().unwrap_or("default");
    let key = Key::new(place, metadata.name.as_deref().unwrap_or_default());
    Ok(releases::settings(&key, &sync.spec, &Contents::default())?)
}

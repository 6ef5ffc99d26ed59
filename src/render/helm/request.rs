//! What Helm is asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::scan::Uses;
use crate::object::{Digest, DigestKey};
use crate::render::Blob;
use crate::render::substitute::Secrecy;

/// What a render knows of releases, beside the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Name of the release; that of the chart's folder unless said.
    pub release_name: Option<String>,
    /// Namespace of the release.
    pub namespace: String,
    /// The cluster; `None` where it is asked only if a chart asks for it: see [`Asked`].
    pub cluster: Option<Cluster>,
    /// Values over those of the chart, the last one counts.
    pub values: Vec<Layer>,
    /// A chart from elsewhere, in place of one in the tree.
    pub chart: Option<Remote>,
    /// Definitions in `crds/`.
    pub crds: Part,
    /// Hooks.
    pub hooks: Part,
}

/// What a chart can ask of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Version of Kubernetes, as `v1.36.3`; Helm's own idea unless said.
    pub kube_version: Option<String>,
    /// `group/version` and `group/version/Kind`, beside those that Helm knows itself.
    pub api_versions: Vec<String>,
}

/// What charts do ask of the cluster: where none of it changed, they print what they printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Its version.
    pub kube_version: bool,
    /// These API versions.
    pub named: BTreeSet<String>,
    /// All API versions.
    pub all: bool,
}

impl Asked {
    /// Whether the cluster does not matter.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Both together.
    pub fn add(&mut self, other: Self) {
        self.kube_version |= other.kube_version;
        self.all |= other.all;
        self.named.extend(other.named);
    }

    /// Of a cluster, what is asked for, in order.
    #[must_use]
    pub fn of(&self, cluster: &Cluster) -> Cluster {
        let asked = |api: &&String| self.all || self.named.contains(*api);
        let mut api_versions: Vec<String> = cluster.api_versions.iter().filter(asked).cloned().collect();
        api_versions.sort();
        api_versions.dedup();
        Cluster { kube_version: cluster.kube_version.clone().filter(|_| self.kube_version), api_versions }
    }
}

/// Whether a part of a chart is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// It is.
    Included,
    /// It is left out.
    LeftOut,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            release_name: None,
            namespace: "default".to_owned(),
            cluster: Some(Cluster::default()),
            values: Vec::new(),
            chart: None,
            crds: Part::Included,
            hooks: Part::Included,
        }
    }
}

/// Some values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layer {
    /// A file of the tree, from the chart's folder; with `/` at its head from the root of the tree.
    File(String),
    /// Text that stands somewhere else.
    Text {
        /// Where, for messages.
        from: String,
        /// YAML.
        text: Blob,
        /// Whether it may be printed.
        secrecy: Secrecy,
    },
}

/// A chart that stands in a repository or registry, pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// `https://…` or `oci://…`.
    pub repository: String,
    /// Name of the chart.
    pub name: String,
    /// Its exact version.
    pub version: Option<String>,
    /// Its digest, as `sha256:…`.
    pub digest: Option<String>,
    /// User and password.
    pub login: Option<(Blob, Blob)>,
    /// Certificate authorities in PEM.
    pub ca: Option<String>,
}

impl Remote {
    /// Its name and version, as people read them.
    pub(super) fn told(&self) -> String {
        let pin = self.version.as_deref().or(self.digest.as_deref()).unwrap_or_default();
        format!("{}-{pin}", self.name)
    }

    /// Of all that decides what is brought, and who may have it.
    pub(in crate::render) fn digest(&self) -> Digest {
        let login = self.login.as_ref().map(|(user, password)| {
            let key = DigestKey::new(*b"login");
            [user, password].map(|part| key.digest_bytes(part.bytes()).to_string())
        });
        let Self { repository, name, version, digest, ca, .. } = self;
        DigestKey::new(*b"helm pull").digest(&json!([repository, name, version, digest, ca, login]))
    }
}

/// `helm template` of one chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Files of the chart by their paths in it.
    pub files: BTreeMap<String, Blob>,
    /// Values over those of the chart, as JSON.
    pub values: Blob,
    /// Texts that no message may show.
    pub secrets: Vec<Blob>,
    /// Name of the release.
    pub release_name: String,
    /// Its namespace.
    pub namespace: String,
    /// What the chart asks for of it.
    pub cluster: Cluster,
    /// Definitions in `crds/`.
    pub crds: Part,
    /// Hooks.
    pub hooks: Part,
    /// How it is seen whether the chart prints the same again.
    pub repeat: Repeat,
}

/// How it is seen whether a chart prints the same again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Repeat {
    /// Nothing in it could make a difference.
    No,
    /// Rendered twice.
    Again,
    /// Rendered twice, at another second: it asks for the time.
    Later,
}

impl Request {
    /// A request for a chart, with what the chart asks of the cluster and no more; or what it asks,
    /// where the cluster is not known yet.
    pub(super) fn new(
        files: BTreeMap<String, Blob>,
        values: (Value, Vec<Blob>),
        settings: &Settings,
    ) -> (Option<Self>, Asked) {
        let (values, secrets) = values;
        let values = Blob::new(values.to_string());
        let Uses { asked, repeat } = Uses::of(&files, values.bytes());
        let nothing = asked.is_nothing().then(Cluster::default);
        let Some(cluster) = settings.cluster.as_ref().map(|cluster| asked.of(cluster)).or(nothing) else {
            return (None, asked);
        };
        let request = Self {
            cluster,
            repeat,
            files,
            values,
            secrets,
            release_name: settings.release_name.clone().unwrap_or_default(),
            namespace: settings.namespace.clone(),
            crds: settings.crds,
            hooks: settings.hooks,
        };
        (Some(request), asked)
    }

    /// Of all that the answer depends on.
    pub(in crate::render) fn digest(&self) -> Digest {
        let key = DigestKey::new(*b"helm template");
        let of = |blob: &Blob| key.digest_bytes(blob.bytes()).to_string();
        let files: BTreeMap<&str, String> = self.files.iter().map(|(path, blob)| (path.as_str(), of(blob))).collect();
        key.digest(&json!({
            "files": files,
            "values": of(&self.values),
            "release": self.release_name,
            "namespace": self.namespace,
            "kube": self.cluster.kube_version,
            "apis": self.cluster.api_versions,
            "parts": [self.crds == Part::Included, self.hooks == Part::Included],
        }))
    }
}

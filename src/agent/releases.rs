//! `spec.helm`: how charts of a Sync are rendered, with what its sources hold.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::inputs::{Contents, invalid, told};
use super::tip::Key;
use crate::api::{Helm, HelmChart, LocalSecretRef, SourceKind, SyncSpec, ValuesRef};
use crate::cluster::person::server_version;
use crate::cluster::{ClusterError, Session, Snapshot};
use crate::failure::{Failed, Fault};
use crate::render::Blob;
use crate::render::helm::{Cluster, Layer, Remote, Settings};
use crate::render::substitute::Secrecy;

/// What charts can ask of a cluster that serves these kinds.
///
/// # Errors
/// Its version cannot be asked for.
pub async fn seen(session: &Session, kinds: &Snapshot) -> Result<Cluster, ClusterError> {
    let version = server_version(session).await?;
    let mut api_versions = BTreeSet::new();
    for kind in kinds.all().flat_map(|kind| kinds.versions(&kind.group, &kind.kind)) {
        let version = kind.api_version();
        api_versions.insert(format!("{version}/{}", kind.kind));
        api_versions.insert(version);
    }
    let kube_version = version.get("gitVersion").and_then(Value::as_str).map(str::to_owned);
    Ok(Cluster { kube_version, api_versions: api_versions.into_iter().collect() })
}

/// Secrets that `spec.helm.chart` names, with the field that does.
pub fn chart_secrets(spec: &SyncSpec) -> impl Iterator<Item = (&LocalSecretRef, &'static str)> {
    let chart = spec.helm.as_ref().and_then(|helm| helm.chart.as_ref());
    let login = chart.and_then(|chart| chart.secret_ref.as_ref()).map(|found| (found, "spec.helm.chart.secretRef"));
    let ca = chart.and_then(|chart| chart.ca_secret_ref.as_ref()).map(|found| (found, "spec.helm.chart.caSecretRef"));
    login.into_iter().chain(ca)
}

/// What charts of a Sync are rendered with. The cluster is looked at only where a chart asks for it.
///
/// # Errors
/// A source lacks what a field needs.
pub fn settings(sync: &Key, spec: &SyncSpec, contents: &Contents) -> Result<Settings, Failed> {
    let namespace = spec.target_namespace.clone().unwrap_or_else(|| sync.namespace.clone());
    let said = spec.helm.as_ref().and_then(|helm| helm.release_name.clone());
    let release_name = Some(said.unwrap_or_else(|| sync.name.clone()));
    let settings = Settings { release_name, namespace, cluster: None, ..Settings::default() };
    let Some(helm) = &spec.helm else { return Ok(settings) };
    Ok(Settings {
        values: layers(helm, contents)?,
        chart: helm.chart.as_ref().map(|chart| remote(chart, contents)).transpose()?,
        ..settings
    })
}

/// Files, then sources, then what stands in the spec.
fn layers(helm: &Helm, contents: &Contents) -> Result<Vec<Layer>, Failed> {
    let mut layers: Vec<Layer> = helm.values_files.iter().cloned().map(Layer::File).collect();
    for values in &helm.values_from {
        layers.extend(layer(values, contents)?);
    }
    if let Some(values) = &helm.values {
        let text = Blob::new(Value::Object(values.clone()).to_string());
        layers.push(Layer::Text { from: "spec.helm.values".to_owned(), text, secrecy: Secrecy::Plain });
    }
    Ok(layers)
}

/// What one source adds; nothing where it may be missing and is.
fn layer(values: &ValuesRef, contents: &Contents) -> Result<Option<Layer>, Failed> {
    let key = values.key.as_deref().unwrap_or("values.yaml");
    let there = contents.get(values.kind, &values.name).is_some_and(|data| data.get(key).is_some());
    if values.optional && !there {
        return Ok(None);
    }
    let from = format!("{}, key {key}", told(values.kind, contents.namespace(), &values.name));
    let secrecy = match values.kind {
        SourceKind::ConfigMap => Secrecy::Plain,
        SourceKind::Secret => Secrecy::Secret,
    };
    let text = match &values.target_path {
        None => Blob::new(contents.need(values.kind, &values.name, key)?),
        Some(path) => {
            // As everywhere: files that became Secrets end in a line feed.
            let value = contents.need_text(values.kind, &values.name, key)?.trim_end_matches('\n');
            Blob::new(at(path, value.into()).to_string())
        }
    };
    Ok(Some(Layer::Text { from, text, secrecy }))
}

/// A mapping that has a value at a path alone: names with dots between them, `\.` for a dot of a name.
fn at(path: &str, value: Value) -> Value {
    let mut names = vec![String::new()];
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => names.last_mut().into_iter().for_each(|name| name.extend(characters.next())),
            '.' => names.push(String::new()),
            other => names.last_mut().into_iter().for_each(|name| name.push(other)),
        }
    }
    names.into_iter().rev().fold(value, |value, name| Value::Object(Map::from_iter([(name, value)])))
}

fn remote(chart: &HelmChart, contents: &Contents) -> Result<Remote, Failed> {
    let HelmChart { repository, name, version, digest, secret_ref, ca_secret_ref } = chart;
    if version.is_none() && digest.is_none() {
        let message = "spec.helm.chart names neither version nor digest, and what is deployed has to stand in a commit";
        return Err(Failed::new("InvalidSpec", Fault::Repository, message));
    }
    let text = |reference: &LocalSecretRef, key| contents.need_text(SourceKind::Secret, &reference.name, key);
    let login = match secret_ref {
        None => None,
        Some(reference) => Some((Blob::new(text(reference, "username")?), Blob::new(text(reference, "password")?))),
    };
    let ca = ca_secret_ref.as_ref().map(|reference| text(reference, "ca.crt").map(str::to_owned)).transpose()?;
    if ca.as_ref().is_some_and(|ca| !ca.contains("-----BEGIN CERTIFICATE-----")) {
        return Err(invalid(
            SourceKind::Secret,
            "the key ca.crt of spec.helm.chart.caSecretRef is no PEM certificate".to_owned(),
        ));
    }
    let (repository, name) = (repository.clone(), name.clone());
    Ok(Remote { repository, name, version: version.clone(), digest: digest.clone(), login, ca })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::agent::inputs::tests::contents;
    use SourceKind::{ConfigMap, Secret};

    fn spec(helm: Value) -> SyncSpec {
        serde_json::from_value(json!({"repositoryRef": {"name": "r"}, "helm": helm})).expect("a spec")
    }

    #[test]
    fn files_come_first_then_sources_then_the_spec() {
        let spec = spec(json!({
            "releaseName": "shop",
            "valuesFiles": ["a.yaml", "/b.yaml"],
            "valuesFrom": [
                {"kind": "ConfigMap", "name": "all"},
                {"kind": "Secret", "name": "db", "key": "password", "targetPath": "db.the\\.password"},
                {"kind": "Secret", "name": "none", "optional": true},
                {"kind": "ConfigMap", "name": "all", "key": "none", "optional": true},
            ],
            "values": {"c": 1},
        }));
        let contents = contents(&[
            (ConfigMap, "all", &[("values.yaml", b"a: 1\n")]),
            (Secret, "db", &[("password", b"yes: [\n")]),
        ]);
        let settings = settings(&Key::new("prod", "web"), &spec, &contents).expect("settings");
        assert_eq!((settings.release_name.as_deref(), settings.namespace.as_str()), (Some("shop"), "prod"));
        let text = |from: &str, text: &str, secrecy| Layer::Text { from: from.into(), text: Blob::new(text), secrecy };
        assert_eq!(
            settings.values,
            [
                Layer::File("a.yaml".to_owned()),
                Layer::File("/b.yaml".to_owned()),
                text("ConfigMap shop/all, key values.yaml", "a: 1\n", Secrecy::Plain),
                text("Secret shop/db, key password", r#"{"db":{"the.password":"yes: ["}}"#, Secrecy::Secret),
                text("spec.helm.values", r#"{"c":1}"#, Secrecy::Plain),
            ]
        );
        assert!(!format!("{settings:?}").contains("yes: ["), "a value is never printed");
    }

    #[test]
    fn a_chart_from_elsewhere_is_pinned_and_has_its_secrets() {
        let chart = json!({"repository": "oci://r.example.com", "name": "web", "version": "1.0.0",
            "secretRef": {"name": "login"}, "caSecretRef": {"name": "ca"}});
        let spec = spec(json!({"chart": chart}));
        let named: Vec<_> = chart_secrets(&spec).map(|(reference, field)| (reference.name.as_str(), field)).collect();
        assert_eq!(named, [("login", "spec.helm.chart.secretRef"), ("ca", "spec.helm.chart.caSecretRef")]);
        let login: &[(&str, &[u8])] = &[("username", b"u"), ("password", b"canary")];
        let pem: &[(&str, &[u8])] = &[("ca.crt", b"-----BEGIN CERTIFICATE-----")];
        let found = contents(&[(Secret, "login", login), (Secret, "ca", pem)]);
        let settings = settings(&Key::new("prod", "web"), &spec, &found).expect("settings");
        let remote = settings.chart.expect("a chart");
        assert_eq!(remote.login, Some((Blob::new("u"), Blob::new("canary"))));
        assert!(!format!("{remote:?}").contains("canary"));
        let missing = contents(&[(Secret, "login", &login[..1]), (Secret, "ca", pem)]);
        let failed = super::settings(&Key::new("prod", "web"), &spec, &missing).expect_err("no password");
        assert_eq!(failed.message, "Secret shop/login has no key password; it has username");
        let unpinned = serde_json::from_value(
            json!({"repositoryRef": {"name": "r"}, "helm": {"chart": {"repository": "https://r.example.com", "name": "web"}}}),
        );
        let failed =
            super::settings(&Key::new("prod", "web"), &unpinned.expect("a spec"), &found).expect_err("not pinned");
        assert_eq!(failed.reason, "InvalidSpec");
    }
}

//! ConfigMaps and Secrets, read whole.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::api::SourceKind;
use crate::cluster::apply::get;
use crate::cluster::error::ClusterError;
use crate::cluster::kinds::KindInfo;
use crate::cluster::session::Session;

/// What a ConfigMap or Secret holds, by key. It never prints its values, and wipes them when it is
/// dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SourceData {
    values: BTreeMap<String, Zeroizing<Vec<u8>>>,
    /// `metadata.resourceVersion`: equal versions, equal content.
    pub resource_version: String,
}

impl SourceData {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.values.get(key).map(|value| value.as_slice())
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Keys with their values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_slice()))
    }
}

/// Of no version: nothing that was read.
impl FromIterator<(String, Vec<u8>)> for SourceData {
    fn from_iter<I: IntoIterator<Item = (String, Vec<u8>)>>(values: I) -> Self {
        let values = values.into_iter().map(|(key, value)| (key, Zeroizing::new(value))).collect();
        Self { values, resource_version: String::new() }
    }
}

impl fmt::Debug for SourceData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.values.keys().map(|key| (key, "***"))).finish()
    }
}

/// The kind, as requests name it.
pub fn kind_info(kind: SourceKind) -> KindInfo {
    match kind {
        SourceKind::ConfigMap => KindInfo::known("", "v1", "ConfigMap", "configmaps").namespaced(),
        SourceKind::Secret => KindInfo::known("", "v1", "Secret", "secrets").namespaced(),
    }
}

/// Reads a ConfigMap or Secret as the session's actor; `None` where it is not there.
///
/// # Errors
/// [`ClusterError::Refused`] or a failure to ask.
pub async fn read_source(
    session: &Session,
    kind: SourceKind,
    namespace: &str,
    name: &str,
) -> Result<Option<SourceData>, ClusterError> {
    let info = kind_info(kind);
    let Some(object) = get(session, &info, namespace, name).await? else { return Ok(None) };
    let (plain, encoded) = match kind {
        SourceKind::ConfigMap => (Some("data"), "binaryData"),
        SourceKind::Secret => (None, "data"),
    };
    let fields = |name: &str| object.get(name).and_then(Value::as_object).into_iter().flatten();
    let mut values = BTreeMap::new();
    for (key, value) in plain.into_iter().flat_map(fields) {
        let text = value.as_str().unwrap_or_default();
        values.insert(key.clone(), Zeroizing::new(text.as_bytes().to_vec()));
    }
    for (key, value) in fields(encoded) {
        let bytes =
            value.as_str().and_then(|text| STANDARD.decode(text).ok()).ok_or_else(|| ClusterError::BadAnswer {
                what: format!("get {}", info.id(namespace, name)),
                code: 200,
                message: format!("the value of {key} is not base64"),
            })?;
        values.insert(key.clone(), Zeroizing::new(bytes));
    }
    let resource_version =
        object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Some(SourceData { values, resource_version }))
}

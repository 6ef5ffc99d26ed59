//! Secrets that are read, and the one that is made.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};

use crate::api::STATUS_MANAGER;
use crate::cluster::apply::get;
use crate::cluster::call::{Call, collection_path};
use crate::cluster::error::ClusterError;
use crate::cluster::kinds::KindInfo;
use crate::cluster::refusal::RefusalReason;
use crate::cluster::session::Session;
use crate::object::DigestKey;

const DIGEST_KEY: &str = "tandem-digest-key";
const KEY_FIELD: &str = "key";

/// What a Secret holds. It never prints its values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretData {
    values: BTreeMap<String, Vec<u8>>,
    /// `metadata.resourceVersion`: equal versions, equal content.
    pub resource_version: String,
}

impl SecretData {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.values.get(key).map(Vec::as_slice)
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

impl fmt::Debug for SecretData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.values.keys().map(|key| (key, "***"))).finish()
    }
}

fn kind() -> KindInfo {
    KindInfo::known("", "v1", "Secret", "secrets").namespaced()
}

/// Reads a Secret as the session's actor; `None` where it is not there.
///
/// # Errors
/// [`ClusterError::Refused`] or a failure to ask.
pub async fn read_secret(session: &Session, namespace: &str, name: &str) -> Result<Option<SecretData>, ClusterError> {
    let Some(object) = get(session, &kind(), namespace, name).await? else { return Ok(None) };
    let mut values = BTreeMap::new();
    for (key, value) in object.get("data").and_then(Value::as_object).into_iter().flatten() {
        let bytes =
            value.as_str().and_then(|text| STANDARD.decode(text).ok()).ok_or_else(|| ClusterError::BadAnswer {
                what: format!("get {}", kind().id(namespace, name)),
                code: 200,
                message: format!("the value of {key} is not base64"),
            })?;
        values.insert(key.clone(), bytes);
    }
    let resource_version =
        object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Some(SecretData { values, resource_version }))
}

/// The key of all digests, from the Secret `tandem-digest-key` in the agent's namespace; made from
/// 32 random bytes where it is missing. Of two replicas that make it at once, both use the one that
/// was first.
///
/// # Errors
/// [`ClusterError::Refused`] or a failure to ask; [`ClusterError::BadAnswer`] where the Secret
/// holds no usable key.
pub async fn digest_key(session: &Session, namespace: &str) -> Result<DigestKey, ClusterError> {
    if let Some(key) = existing_key(session, namespace).await? {
        return Ok(key);
    }
    let bytes = random()?;
    let kind = kind();
    let body = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": true,
        "metadata": {"name": DIGEST_KEY, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "tandem"}},
        "data": {KEY_FIELD: STANDARD.encode(bytes)},
    });
    let path = collection_path(&kind, namespace)? + "?fieldManager=" + STATUS_MANAGER;
    let call = Call::of("create", Method::POST, &kind, namespace, DIGEST_KEY, path)
        .with_json("application/json", &body)
        .once();
    match session.send(call).await {
        Ok(_) => Ok(DigestKey::new(bytes)),
        Err(error) => match error.refusal().map(|r| &r.why) {
            Some(RefusalReason::AlreadyExists) => existing_key(session, namespace).await?.ok_or(error),
            _ => Err(error),
        },
    }
}

async fn existing_key(session: &Session, namespace: &str) -> Result<Option<DigestKey>, ClusterError> {
    let Some(secret) = read_secret(session, namespace, DIGEST_KEY).await? else { return Ok(None) };
    match secret.get(KEY_FIELD) {
        Some(bytes) if bytes.len() >= 16 => Ok(Some(DigestKey::new(bytes))),
        _ => Err(ClusterError::BadAnswer {
            what: format!("get {}", kind().id(namespace, DIGEST_KEY)),
            code: 200,
            message: format!(
                "it holds no {KEY_FIELD} of at least 16 bytes; delete it, and all baselines are taken anew"
            ),
        }),
    }
}

fn random() -> Result<[u8; 32], ClusterError> {
    let mut bytes = [0; 32];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).map_err(|_| ClusterError::BadAnswer {
        what: "making a digest key".to_owned(),
        code: 0,
        message: "the system gives no random bytes".to_owned(),
    })?;
    Ok(bytes)
}

//! The Secrets that are made: keys of the agent's own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::json;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{LineEnding, PrivateKey};
use zeroize::Zeroizing;

use super::source::{SourceData, kind_info, read_source};
use crate::api::{STATUS_MANAGER, SourceKind};
use crate::cluster::call::{Call, collection_path};
use crate::cluster::error::ClusterError;
use crate::cluster::refusal::RefusalReason;
use crate::cluster::session::Session;
use crate::object::DigestKey;

const DIGEST_KEY: &str = "tandem-digest-key";
const SIGNING_KEY: &str = "tandem-signing-key";
const KEY_FIELD: &str = "key";

/// Reads a Secret as the session's actor; `None` where it is not there.
///
/// # Errors
/// [`ClusterError::Refused`] or a failure to ask.
pub async fn read_secret(session: &Session, namespace: &str, name: &str) -> Result<Option<SourceData>, ClusterError> {
    read_source(session, SourceKind::Secret, namespace, name).await
}

/// The key of all digests, from the Secret `tandem-digest-key` in the agent's namespace; made from
/// 32 random bytes where it is missing. Of two replicas that make it at once, both use the one that
/// was first.
///
/// # Errors
/// [`ClusterError::Refused`] or a failure to ask; [`ClusterError::BadAnswer`] where the Secret
/// holds no usable key.
pub async fn digest_key(session: &Session, namespace: &str) -> Result<DigestKey, ClusterError> {
    let key = kept_key(session, namespace, DIGEST_KEY, || random().map(Vec::from)).await?;
    if key.len() >= 16 {
        return Ok(DigestKey::new(key.to_vec()));
    }
    let what = format!("it holds no {KEY_FIELD} of at least 16 bytes; delete it, and all baselines are taken anew");
    Err(unusable(namespace, DIGEST_KEY, what))
}

/// The key that signs the agent's own records: an OpenSSH private key of ed25519, from the Secret `tandem-signing-key` in
/// the agent's namespace; made where it is missing.
///
/// # Errors
/// As [`digest_key`].
pub async fn signing_key(session: &Session, namespace: &str) -> Result<PrivateKey, ClusterError> {
    let made = || {
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&random()?));
        let text = key.to_openssh(LineEnding::LF);
        text.map(|text| text.as_bytes().to_vec()).map_err(|error| unusable(namespace, SIGNING_KEY, error.to_string()))
    };
    let text = kept_key(session, namespace, SIGNING_KEY, made).await?;
    PrivateKey::from_openssh(&text)
        .map_err(|_| unusable(namespace, SIGNING_KEY, format!("its {KEY_FIELD} is no OpenSSH private key")))
}

/// A key of the agent's own, made and kept where it is missing.
async fn kept_key(
    session: &Session,
    namespace: &str,
    name: &str,
    make: impl FnOnce() -> Result<Vec<u8>, ClusterError>,
) -> Result<Zeroizing<Vec<u8>>, ClusterError> {
    if let Some(key) = existing_key(session, namespace, name).await? {
        return Ok(key);
    }
    let bytes = Zeroizing::new(make()?);
    let kind = kind_info(SourceKind::Secret);
    let body = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": true,
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "tandem"}},
        "data": {KEY_FIELD: STANDARD.encode(&*bytes)},
    });
    let path = collection_path(&kind, namespace)? + "?fieldManager=" + STATUS_MANAGER;
    let call =
        Call::of("create", Method::POST, &kind, namespace, name, path).with_json("application/json", &body).once();
    match session.send(call).await {
        Ok(_) => Ok(bytes),
        Err(error) => match error.refusal().map(|r| &r.why) {
            Some(RefusalReason::AlreadyExists) => existing_key(session, namespace, name).await?.ok_or(error),
            _ => Err(error),
        },
    }
}

async fn existing_key(
    session: &Session,
    namespace: &str,
    name: &str,
) -> Result<Option<Zeroizing<Vec<u8>>>, ClusterError> {
    let Some(secret) = read_secret(session, namespace, name).await? else { return Ok(None) };
    match secret.get(KEY_FIELD) {
        Some(bytes) => Ok(Some(Zeroizing::new(bytes.to_vec()))),
        None => Err(unusable(namespace, name, format!("it holds no {KEY_FIELD}"))),
    }
}

fn unusable(namespace: &str, name: &str, message: String) -> ClusterError {
    ClusterError::BadAnswer {
        what: format!("get {}", kind_info(SourceKind::Secret).id(namespace, name)),
        code: 200,
        message,
    }
}

fn random() -> Result<[u8; 32], ClusterError> {
    let mut bytes = [0; 32];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).map_err(|_| ClusterError::BadAnswer {
        what: "making a key".to_owned(),
        code: 0,
        message: "the system gives no random bytes".to_owned(),
    })?;
    Ok(bytes)
}

//! Which Repositories take deliveries, under which path and key.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest, Sha256};

/// Key that proves deliveries for a Repository. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookKey(Arc<[u8]>);

impl WebhookKey {
    /// A key from the bytes of the Secret. White space around it, such as the newline that an
    /// editor left, is not part of it. `None` where nothing else is there: everybody knows the
    /// empty key.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.trim_ascii();
        (!bytes.is_empty()).then(|| Self(bytes.into()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookKey(***)")
    }
}

/// One Repository that takes deliveries.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Namespace of the Repository.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its `spec.url`; a delivery to `/webhook` is matched against it.
    pub url: String,
    /// What proves its deliveries.
    pub key: WebhookKey,
}

/// Path of the webhook of a Repository, `/webhook/<id>`. The id is a digest of namespace and name,
/// so that it is stable and tells nothing by itself; it is no secret, the key is.
pub fn webhook_path(namespace: &str, name: &str) -> String {
    format!("/webhook/{}", id(namespace, name))
}

fn id(namespace: &str, name: &str) -> String {
    let digest = Sha256::digest(format!("tandemcd.io/webhook/{namespace}/{name}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The Repositories that take deliveries: a table that the loop keeps and the server reads.
#[derive(Clone, Debug, Default)]
pub struct Receivers(Arc<RwLock<BTreeMap<String, Receiver>>>);

impl Receivers {
    /// Adds a Repository, or replaces what is known of it.
    pub fn put(&self, receiver: Receiver) {
        let id = id(&receiver.namespace, &receiver.name);
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id, receiver);
    }

    /// Takes a Repository out: it is gone, or has no key.
    pub fn remove(&self, namespace: &str, name: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&id(namespace, name));
    }

    pub(super) fn one(&self, id: &str) -> Option<Receiver> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Receiver> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_stable_and_tell_repositories_apart() {
        let path = webhook_path("shop", "web");
        assert_eq!(path, "/webhook/ff765be64ff8b87dd08469603a449288");
        assert_ne!(path, webhook_path("sho", "pweb"));
        assert_ne!(path, webhook_path("shop", "api"));
    }

    #[test]
    fn an_empty_key_is_none_and_a_key_is_never_shown() {
        assert_eq!(WebhookKey::new(b" \n"), None);
        let key = WebhookKey::new(b"canary\n").expect("a key");
        assert_eq!(key.bytes(), b"canary");
        let receiver = Receiver { namespace: "a".into(), name: "b".into(), url: String::new(), key };
        assert!(!format!("{receiver:?}").contains("canary"));
        assert!(!format!("{receiver:?}").contains("99, 97"));
    }
}

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
    /// Its `spec.url`; the repository that a delivery speaks of is matched against it.
    pub url: String,
    /// Full names of the branches and tags that it follows there, or what they begin with, up to a `/`; all where it names
    /// none.
    pub follows: Vec<String>,
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
pub struct Receivers(Arc<RwLock<Table>>);

#[derive(Debug, Default)]
struct Table {
    /// By id, with the number of the seat.
    receivers: BTreeMap<String, (u64, Receiver)>,
    seats: u64,
}

impl Receivers {
    /// A place for a Repository, with no key yet: deliveries for it are refused.
    pub fn seat(&self, namespace: &str, name: &str) -> Seat {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        table.seats += 1;
        Seat { receivers: self.clone(), namespace: namespace.to_owned(), name: name.to_owned(), number: table.seats }
    }

    pub(super) fn one(&self, id: &str) -> Option<Receiver> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table.receivers.get(id).map(|(_, receiver)| receiver.clone())
    }

    pub(super) fn all(&self) -> Vec<Receiver> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table.receivers.values().map(|(_, receiver)| receiver.clone()).collect()
    }
}

/// The place of a Repository. Deliveries for it are taken from [`Seat::take`] on, and until this is dropped. Of two
/// seats of one Repository the later counts, whichever is dropped first.
#[derive(Debug)]
pub struct Seat {
    receivers: Receivers,
    namespace: String,
    name: String,
    number: u64,
}

impl Seat {
    /// From now on deliveries with this key are taken, and with no other.
    pub fn take(&self, url: &str, follows: Vec<String>, key: WebhookKey) {
        let (namespace, name) = (self.namespace.clone(), self.name.clone());
        let receiver = Receiver { namespace, name, url: url.to_owned(), follows, key };
        let mut table = self.receivers.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = table.receivers.entry(id(&self.namespace, &self.name));
        let known = known.or_insert_with(|| (self.number, receiver.clone()));
        if known.0 <= self.number {
            *known = (self.number, receiver);
        }
    }

    /// From now on no delivery is taken: there is no key.
    pub fn refuse(&self) {
        let mut table = self.receivers.0.write().unwrap_or_else(PoisonError::into_inner);
        let id = id(&self.namespace, &self.name);
        if table.receivers.get(&id).is_some_and(|(number, _)| *number <= self.number) {
            table.receivers.remove(&id);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.refuse();
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
    fn a_seat_counts_until_it_is_dropped_and_a_later_one_before_it() {
        let receivers = Receivers::default();
        let id = id("shop", "web");
        let key = |receivers: &Receivers| receivers.one(&id).map(|receiver| receiver.key.bytes().to_vec());
        let take = |seat: &Seat, key: &str| {
            seat.take("https://h/p", Vec::new(), WebhookKey::new(key.as_bytes()).expect("a key"));
        };
        let first = receivers.seat("shop", "web");
        assert_eq!(key(&receivers), None);
        take(&first, "one");
        take(&first, "two");
        assert_eq!(key(&receivers), Some(b"two".to_vec()), "the former key opens nothing");
        let second = receivers.seat("shop", "web");
        take(&second, "three");
        take(&first, "late");
        first.refuse();
        drop(first);
        assert_eq!(key(&receivers), Some(b"three".to_vec()), "the former seat has no say any more");
        drop(second);
        assert_eq!(key(&receivers), None);
    }

    #[test]
    fn an_empty_key_is_none_and_a_key_is_never_shown() {
        assert_eq!(WebhookKey::new(b" \n"), None);
        let key = WebhookKey::new(b"canary\n").expect("a key");
        assert_eq!(key.bytes(), b"canary");
        let receiver =
            Receiver { namespace: "a".into(), name: "b".into(), follows: Vec::new(), url: String::new(), key };
        assert!(!format!("{receiver:?}").contains("canary"));
        assert!(!format!("{receiver:?}").contains("99, 97"));
    }
}

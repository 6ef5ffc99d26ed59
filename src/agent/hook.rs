//! One task for each Repository with a webhook: keeps its key where the server finds it.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::api::Repository;
use crate::cluster::Cluster;
use crate::failure::Fault;
use crate::server::{Receivers, Seat, WebhookKey};

use super::backoff;
use super::repository::INTERVAL;
use super::secrets::Followed;
use super::source;
use super::tip::Key;
use super::world::random;

/// Keeps the key of a Repository's webhook; dropped, its deliveries are refused.
pub struct Hook {
    repository: Arc<Repository>,
    task: JoinHandle<()>,
}

impl Hook {
    /// Starts the task; none where the spec names no webhook.
    pub fn start(cluster: &Cluster, receivers: &Receivers, key: &Key, repository: &Repository) -> Option<Self> {
        repository.spec.webhook.as_ref()?;
        let repository = Arc::new(repository.clone());
        let keeper = Keeper {
            cluster: cluster.clone(),
            seat: receivers.seat(&key.namespace, &key.name),
            key: key.clone(),
            repository: repository.clone(),
        };
        Some(Self { repository, task: tokio::spawn(keeper.run()) })
    }

    /// Whether it does what this spec wants.
    pub fn suits(&self, repository: &Repository) -> bool {
        self.repository.spec == repository.spec
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Keeper {
    cluster: Cluster,
    seat: Seat,
    key: Key,
    repository: Arc<Repository>,
}

impl Keeper {
    /// A new key counts as soon as the watch shows it, and at the next turn where the account may not watch.
    async fn run(self) {
        let spec = &self.repository.spec;
        let names: BTreeSet<String> = spec.webhook.iter().map(|webhook| webhook.secret_ref.name.clone()).collect();
        let mut followed = source::follow(&self.cluster, &self.key.namespace, &self.repository, &names);
        let interval = source::duration(spec.interval.as_deref(), INTERVAL);
        let mut failures = 0;
        loop {
            followed.iter_mut().for_each(Followed::mark);
            let reading = source::webhook_token(&self.cluster, &self.key.namespace, &self.repository).await;
            failures = if reading.result.is_ok() { 0 } else { failures + 1 };
            let read = reading.result.is_ok();
            self.take(reading.result);
            loop {
                let turn = tokio::time::sleep(backoff::poll(interval, failures, random()));
                let differs = async {
                    match &mut followed {
                        Some(followed) => followed.differs(&reading.versions).await,
                        None => std::future::pending().await,
                    }
                };
                let changed = tokio::select! {
                    () = differs => true,
                    () = turn => false,
                };
                if changed || !read || !followed.as_ref().is_some_and(|f| f.vouches(&reading.versions)) {
                    break;
                }
            }
        }
    }

    fn take(&self, token: Result<Option<Vec<u8>>, crate::failure::Failed>) {
        match token.map(|token| token.as_deref().and_then(WebhookKey::new)) {
            Ok(Some(key)) => self.seat.take(&self.repository.spec.url, follows(&self.repository), key),
            Ok(None) => {
                tracing::warn!(repository = %self.key, "the webhook's token is empty: deliveries are refused");
                self.seat.refuse();
            }
            Err(failed) => {
                tracing::warn!(repository = %self.key, reason = %failed.reason, error = %failed, "the webhook's token");
                // Who cannot be asked now has not said that the key is another.
                if failed.fault != Fault::Transient {
                    self.seat.refuse();
                }
            }
        }
    }
}

/// The branches and tags that a Repository follows at its remote; none where it is no such one. A commit may be reached by
/// any branch.
fn follows(repository: &Repository) -> Vec<String> {
    let prefixes = source::wanted(repository).map_or_else(|_| Vec::new(), |wanted| wanted.ref_prefixes());
    let known = |prefix: &String| prefix.starts_with("refs/heads/") || prefix.starts_with("refs/tags/");
    if prefixes.iter().all(known) { prefixes } else { Vec::new() }
}

//! One task for each Repository that tells its forge how far this cluster is with a commit.
//!
//! It stands behind the work: Syncs ring a bell and go on, so that a slow forge holds nothing up. What the forge shows is
//! looked at before the first word about a commit, also after a restart, and only what differs is sent.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::api::Repository;
use crate::failure::Failed;
use crate::forge::ForgeError;
use crate::report::commit_status::{CommitStatus, Light, compose};

use super::backoff;
use super::registry::{Listener, Shared};
use super::source;
use super::tip::Key;
use super::world::{World, random};

/// So long a status that is not final is gathered, so that a commit costs few calls.
const GATHER: Duration = Duration::from_secs(2);
/// So long a restarted agent may take to find its way: a final status stays meanwhile.
const RECALL: Duration = Duration::from_secs(30);

/// Tells the forge of a Repository; dropped, nothing more is told.
pub struct Publisher {
    repository: Arc<Repository>,
    task: JoinHandle<()>,
}

impl Publisher {
    /// Starts the task; none where the spec publishes nothing.
    pub fn start(world: &Arc<World>, key: &Key, repository: &Repository) -> Option<Self> {
        let settings = repository.spec.publish.as_ref()?.commit_status.as_ref()?;
        let context = match &settings.group {
            Some(group) => format!("tandem/{}/{group}", world.name),
            None => format!("tandem/{}", world.name),
        };
        let repository = Arc::new(repository.clone());
        let bell = Arc::new(Notify::new());
        world.registry.listen(key.clone(), Listener::Publisher, bell.clone());
        bell.notify_one();
        let (key, began) = (key.clone(), Instant::now());
        let teller = Teller { world: world.clone(), key, repository: repository.clone(), context, shown: None, began };
        Some(Self { repository, task: tokio::spawn(teller.run(bell)) })
    }

    /// Whether it does what this spec wants.
    pub fn suits(&self, repository: &Repository) -> bool {
        self.repository.spec == repository.spec
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is to be done about a status.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    Tell,
    Wait(Duration),
}

/// Whether a status is told now. `gathered` is how long it has differed from what is shown, `running` how long this
/// publisher runs.
fn next(shown: Option<&CommitStatus>, status: &CommitStatus, gathered: Duration, running: Duration) -> Next {
    if shown == Some(status) {
        return Next::Nothing;
    }
    if status.light != Light::Pending {
        return Next::Tell;
    }
    let known = shown.is_some_and(|shown| shown.light != Light::Pending);
    let wait = if known { RECALL.saturating_sub(running) } else { Duration::ZERO };
    let wait = wait.max(if shown.is_some() { GATHER.saturating_sub(gathered) } else { Duration::ZERO });
    if wait.is_zero() { Next::Tell } else { Next::Wait(wait) }
}

struct Teller {
    world: Arc<World>,
    key: Key,
    repository: Arc<Repository>,
    context: String,
    /// A commit, and what the forge shows of it.
    shown: Option<(String, Option<CommitStatus>)>,
    began: Instant,
}

impl Teller {
    async fn run(mut self, bell: Arc<Notify>) {
        // Every Sync is known: a status that left some out might be green too early.
        let _ = self.world.listed.clone().wait_for(|listed| *listed).await;
        let (mut failures, mut wake) = (0_u32, None);
        let mut since = Instant::now();
        loop {
            match wake {
                None => bell.notified().await,
                Some(at) if failures > 0 => tokio::time::sleep_until(at).await,
                Some(at) => {
                    let _ = tokio::time::timeout_at(at, bell.notified()).await;
                }
            }
            if wake.is_none() {
                since = Instant::now();
            }
            wake = match self.turn(since.elapsed()).await {
                Ok(wait) => {
                    failures = 0;
                    wait.map(|wait| Instant::now() + wait)
                }
                Err((failed, pause)) => {
                    failures += 1;
                    tracing::warn!(repository = %self.key, reason = %failed.reason, error = %failed, hint = failed.hint, "the forge is not told");
                    let backoff = backoff::retry(failed.fault, failures, random());
                    Some(Instant::now() + pause.unwrap_or(backoff))
                }
            };
        }
    }

    /// Looks at what there is to tell, and tells it. Whether to look again soon.
    async fn turn(&mut self, gathered: Duration) -> Result<Option<Duration>, (Failed, Option<Duration>)> {
        let Some(Shared { commit, syncs, glass }) = self.world.registry.standings(&self.key) else { return Ok(None) };
        let Some(status) = compose(&syncs, glass) else { return Ok(None) };
        if !self.world.leading() {
            return Ok(None);
        }
        let known = self.shown.as_ref().filter(|(of, _)| *of == commit).map(|(_, shown)| shown.clone());
        if known.as_ref().is_some_and(|shown| shown.as_ref() == Some(&status)) {
            return Ok(None);
        }
        let (cluster, namespace) = (&self.world.cluster, &self.key.namespace);
        let forge = source::forge(cluster, namespace, &self.repository, "spec.publish").await;
        let forge = forge.map_err(|failed| (failed, None))?;
        let shown = match known {
            Some(shown) => shown,
            None => {
                let shown = forge.status(&commit, &self.context).await.map_err(|error| told(&error))?;
                let description = shown.as_ref().map(|shown| shown.description.as_str());
                tracing::info!(repository = %self.key, commit, context = self.context, description, "the forge is looked at");
                shown
            }
        };
        self.shown = Some((commit.clone(), shown.clone()));
        match next(shown.as_ref(), &status, gathered, self.began.elapsed()) {
            Next::Nothing => return Ok(None),
            Next::Wait(wait) => return Ok(Some(wait)),
            Next::Tell => {}
        }
        if forge.shows(shown.as_ref(), &status) {
            // An answer may be lost on the way: what is shown is looked at again then.
            self.shown = None;
            forge.tell(&commit, &self.context, &status).await.map_err(|error| told(&error))?;
            tracing::info!(repository = %self.key, commit, context = self.context, description = status.description, "the forge is told");
        }
        self.shown = Some((commit, Some(status)));
        Ok(None)
    }
}

fn told(error: &ForgeError) -> (Failed, Option<Duration>) {
    let pause = match error {
        ForgeError::Limited { pause, .. } => Some(*pause),
        _ => None,
    };
    (Failed::from(error), pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_final_is_told_at_once_and_nothing_twice_and_a_restart_takes_nothing_back() {
        let status = |light, text: &str| CommitStatus { light, description: text.to_owned() };
        let (working, further) = (status(Light::Pending, "applied 0/2"), status(Light::Pending, "applied 1/2"));
        let (healthy, failed) = (status(Light::Success, "healthy 2/2"), status(Light::Failure, "failed"));
        let zero = Duration::ZERO;
        for (shown, status, gathered, running, expected) in [
            (None, &working, zero, zero, Next::Tell),
            (Some(&working), &working, zero, zero, Next::Nothing),
            (Some(&working), &further, zero, zero, Next::Wait(GATHER)),
            (Some(&working), &further, GATHER, zero, Next::Tell),
            (Some(&working), &healthy, zero, zero, Next::Tell),
            (Some(&working), &failed, zero, zero, Next::Tell),
            (Some(&healthy), &healthy, zero, zero, Next::Nothing),
            (Some(&healthy), &working, zero, zero, Next::Wait(RECALL)),
            (Some(&healthy), &working, GATHER, RECALL, Next::Tell),
            (Some(&failed), &working, zero, RECALL, Next::Wait(GATHER)),
        ] {
            assert_eq!(next(shown, status, gathered, running), expected, "{shown:?} {status:?}");
        }
    }
}

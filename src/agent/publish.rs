//! A task for each thing that a Repository keeps up to date on its forge: the status of a commit, and its deployment.
//! Each tells how far this cluster is with the commit.
//!
//! They stand behind the work: Syncs ring a bell and go on, so that a slow forge holds nothing up. What the forge shows
//! is looked at before the first word about a commit, also after a restart, and only what differs is sent.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::api::{ForgeType, Publish, Repository};
use crate::failure::Failed;
use crate::forge::{Forge, ForgeError, Name, Target};
use crate::report::commit_status::{CommitStatus, Light, compose, deployed};

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
    tasks: Vec<JoinHandle<()>>,
}

impl Publisher {
    /// Starts a task for each thing that the spec publishes; none where it publishes nothing.
    pub fn start(world: &Arc<World>, key: &Key, repository: &Repository) -> Option<Self> {
        let places = places(repository.spec.publish.as_ref()?, &world.name);
        let repository = Arc::new(repository.clone());
        let start = |place: Place| {
            let bell = Arc::new(Notify::new());
            world.registry.listen(key.clone(), place.listener(), bell.clone());
            bell.notify_one();
            let (world, key, repository) = (world.clone(), key.clone(), repository.clone());
            let teller = Teller { world, key, repository, place, shown: None, began: Instant::now() };
            tokio::spawn(teller.run(bell))
        };
        let tasks: Vec<_> = places.into_iter().map(start).collect();
        (!tasks.is_empty()).then_some(Self { repository, tasks })
    }

    /// Whether it does what this spec wants.
    pub fn suits(&self, repository: &Repository) -> bool {
        self.repository.spec == repository.spec
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// What of a commit is kept up to date.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Its status, under a context.
    Status(String),
    /// Its deployment.
    Deployment(Target),
}

/// All that is kept up to date for a cluster.
fn places(publish: &Publish, cluster: &str) -> Vec<Place> {
    let status = publish.commit_status.as_ref().map(|settings| match &settings.group {
        Some(group) => Place::Status(format!("tandem/{cluster}/{group}")),
        None => Place::Status(format!("tandem/{cluster}")),
    });
    let deployment = publish.deployments.as_ref().map(|settings| {
        Place::Deployment(Target {
            environment: settings.environment.clone().unwrap_or_else(|| cluster.to_owned()),
            environment_url: settings.environment_url.clone(),
            log_url: settings.log_url.clone(),
        })
    });
    status.into_iter().chain(deployment).collect()
}

impl Place {
    fn listener(&self) -> Listener {
        match self {
            Place::Status(_) => Listener::Publisher,
            Place::Deployment(_) => Listener::Deployer,
        }
    }

    /// Field of the spec that wants it.
    fn field(&self) -> &'static str {
        match self {
            Place::Status(_) => "spec.publish.commitStatus",
            Place::Deployment(_) => "spec.publish.deployments",
        }
    }

    /// Name of the context or environment.
    fn name(&self) -> &str {
        match self {
            Place::Status(context) => context,
            Place::Deployment(target) => &target.environment,
        }
    }

    /// What it is to show, where it shows something already.
    fn show(&self, forge: ForgeType, shown: Option<&CommitStatus>, status: &CommitStatus) -> CommitStatus {
        match self {
            Place::Status(_) => status.clone(),
            Place::Deployment(_) => deployed(forge, shown, status),
        }
    }
}

/// A commit, and what the forge shows of it.
#[derive(Clone)]
struct Shown {
    commit: String,
    /// Number of its deployment.
    deployment: Option<u64>,
    status: Option<CommitStatus>,
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
    place: Place,
    shown: Option<Shown>,
    began: Instant,
}

/// Why nothing was told, and how long the forge asks to be left alone.
type Broken = (Failed, Option<Duration>);

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
                    tracing::warn!(repository = %self.key, field = self.place.field(), reason = %failed.reason, error = %failed, hint = failed.hint, "the forge is not told");
                    let backoff = backoff::retry(failed.fault, failures, random());
                    Some(Instant::now() + pause.unwrap_or(backoff))
                }
            };
        }
    }

    /// Looks at what there is to tell, and tells it. Whether to look again soon.
    async fn turn(&mut self, gathered: Duration) -> Result<Option<Duration>, Broken> {
        let Some(shared) = self.world.registry.standings(&self.key) else { return Ok(None) };
        let Some(status) = compose(&shared.syncs, shared.glass) else { return Ok(None) };
        if !self.world.leading() {
            return Ok(None);
        }
        let kind = self.repository.spec.forge.as_ref().map_or(ForgeType::GitHub, |forge| forge.r#type);
        let known = self.shown.as_ref().filter(|shown| shown.commit == shared.commit).cloned();
        let shows = |shown: &Shown| shown.status == Some(self.place.show(kind, shown.status.as_ref(), &status));
        if known.as_ref().is_some_and(shows) {
            return Ok(None);
        }
        let (cluster, namespace) = (&self.world.cluster, &self.key.namespace);
        let forge = source::forge(cluster, namespace, &self.repository, self.place.field()).await;
        let forge = forge.map_err(|failed| (failed, None))?;
        let mut shown = match known {
            Some(shown) => shown,
            None => {
                self.leave(&forge, &shared.commit).await.map_err(|error| told(&error))?;
                self.look(&forge, &shared.commit).await.map_err(|error| told(&error))?
            }
        };
        let status = self.place.show(kind, shown.status.as_ref(), &status);
        self.shown = Some(shown.clone());
        match next(shown.status.as_ref(), &status, gathered, self.began.elapsed()) {
            Next::Nothing => return Ok(None),
            Next::Wait(wait) => return Ok(Some(wait)),
            Next::Tell => {}
        }
        // An answer may be lost on the way: what is shown is looked at again then.
        self.shown = None;
        shown.deployment = self.tell(&forge, &shared, &shown, &status).await.map_err(|error| told(&error))?;
        self.shown = Some(Shown { status: Some(status), ..shown });
        Ok(None)
    }

    /// What the forge shows of a commit.
    async fn look(&self, forge: &Forge, commit: &str) -> Result<Shown, ForgeError> {
        let (deployment, status) = match &self.place {
            Place::Status(context) => (None, forge.status(commit, context).await?),
            Place::Deployment(target) => match forge.deployment(commit, &target.environment).await? {
                Some(found) => (Some(found.id), found.shown),
                None => (None, None),
            },
        };
        let description = status.as_ref().map(|shown| shown.description.as_str());
        let name = self.place.name();
        tracing::info!(repository = %self.key, commit, field = self.place.field(), name, description, "the forge is looked at");
        Ok(Shown { commit: commit.to_owned(), deployment, status })
    }

    /// Tells a status where that would show; the number of the deployment, where it is one.
    async fn tell(
        &self,
        forge: &Forge,
        shared: &Shared,
        shown: &Shown,
        status: &CommitStatus,
    ) -> Result<Option<u64>, ForgeError> {
        let commit = shared.commit.as_str();
        let deployment = match &self.place {
            Place::Status(context) => {
                if !forge.shows(shown.status.as_ref(), status) {
                    return Ok(None);
                }
                forge.tell(commit, context, status).await?;
                None
            }
            Place::Deployment(target) => {
                let r = &self.repository.spec.r#ref;
                let name = match (&r.branch, r.tag.is_some() || r.semver.is_some()) {
                    (Some(branch), _) => Name { name: branch, tag: false },
                    (None, true) => Name { name: &shared.name, tag: true },
                    (None, false) => Name { name: commit, tag: false },
                };
                Some(forge.deploy((commit, name), shown.deployment, target, status).await?)
            }
        };
        let name = self.place.name();
        tracing::info!(repository = %self.key, commit, field = self.place.field(), name, description = status.description, "the forge is told");
        Ok(deployment)
    }

    /// Another commit than this is left behind: its deployment comes to no end of its own any more. After a restart the
    /// forge is asked which that was.
    async fn leave(&mut self, forge: &Forge, commit: &str) -> Result<(), ForgeError> {
        let Place::Deployment(target) = &self.place else { return Ok(()) };
        let left = match &self.shown {
            Some(Shown { deployment, status: Some(status), .. }) if status.light == Light::Pending => *deployment,
            Some(_) => None,
            None => forge.overtaken(commit, &target.environment).await?,
        };
        let Some(left) = left else { return Ok(()) };
        match forge.end(left).await {
            Ok(()) => {
                tracing::info!(repository = %self.key, name = target.environment, deployment = left, "a newer commit has taken its place");
            }
            Err(error @ (ForgeError::Limited { .. } | ForgeError::Unreachable(..))) => return Err(error),
            // Somebody has ended or deleted it. What comes now is not kept waiting for that.
            Err(error) => {
                tracing::debug!(repository = %self.key, deployment = left, %error, "it cannot be ended");
            }
        }
        if let Some(shown) = &mut self.shown {
            shown.status = None;
        }
        Ok(())
    }
}

fn told(error: &ForgeError) -> Broken {
    let pause = match error {
        ForgeError::Limited { pause, .. } => Some(*pause),
        _ => None,
    };
    (Failed::from(error), pause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{CommitStatusSettings, DeploymentSettings};

    #[test]
    fn a_status_and_a_deployment_are_named_after_the_cluster_unless_said() {
        let mut publish = Publish::default();
        assert_eq!(places(&publish, "prod"), []);
        publish.commit_status = Some(CommitStatusSettings::default());
        publish.deployments = Some(DeploymentSettings::default());
        let target = Target { environment: "prod".to_owned(), ..Target::default() };
        assert_eq!(places(&publish, "prod"), [Place::Status("tandem/prod".to_owned()), Place::Deployment(target)]);
        let (environment, url) = ("prod/web", "https://shop.example.com");
        publish.commit_status = Some(CommitStatusSettings { group: Some("web".to_owned()) });
        publish.deployments = Some(DeploymentSettings {
            environment: Some(environment.to_owned()),
            environment_url: Some(url.to_owned()),
            log_url: None,
        });
        let target =
            Target { environment: environment.to_owned(), environment_url: Some(url.to_owned()), log_url: None };
        assert_eq!(places(&publish, "prod"), [Place::Status("tandem/prod/web".to_owned()), Place::Deployment(target)]);
    }

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

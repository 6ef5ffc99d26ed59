//! What the folder in the repository holds: which rights it needs, and whether it can be deployed.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::access::Reading;
use super::rights::{self, Place, Rights, Scope};
use super::source::FirstSync;
use crate::agent::worker::{Workers, WorkersSettings};
use crate::cli::output::{Output, Progress, count};
use crate::cli::stop::Stop;
use crate::cluster::{Cluster, KindInfo};
use crate::failure::{Failed, Fault};
use crate::git::Listed;
use crate::object::split_api_version;
use crate::render::{Options, Rendered};
use crate::revision::Wanted;

/// Time between two tries whether the key is registered.
const TRY: Duration = Duration::from_secs(2);

/// A folder at a commit.
pub struct Read {
    /// The commit, by its id.
    pub commit: String,
    /// What the folder holds there.
    pub rendered: Rendered,
}

/// Reads the folder at the tip of the branch, once the key lets it.
///
/// # Errors
/// The repository cannot be read, or the folder has problems: all of them are told.
pub async fn read(first: &FirstSync, reading: &Reading, timeout: Duration, output: &Output) -> Result<Read, Stop> {
    let cache = TempDir::new()?;
    let workers = Workers::new(WorkersSettings::new(cache.path())?)?;
    let wanted = Wanted::Branch(first.branch.clone());
    let listed = listed(&workers, reading, &wanted, timeout, output).await?;
    let progress = Progress::start();
    progress.tell("fetching");
    workers.fetch(&reading.source, &listed).await?;
    progress.tell("rendering");
    let commit = listed.revision.commit;
    let rendered = workers.render(&reading.source.url, &commit, &first.path, &Options::agent()).await?;
    drop(progress);
    if !rendered.problems.is_empty() {
        output.problems(&rendered.problems);
        let message = format!("{} in {} at {commit}", count(rendered.problems.len(), "problem"), first.path);
        let failed = Failed::new("InvalidContent", Fault::Repository, message);
        return Err(failed.with_hint("commit what mends them, and run the same command again").into());
    }
    Ok(Read { commit, rendered })
}

/// The tip of the branch. A refusal of a new key is waited out: somebody registers it meanwhile.
async fn listed(
    workers: &Workers,
    reading: &Reading,
    wanted: &Wanted,
    timeout: Duration,
    output: &Output,
) -> Result<Listed, Stop> {
    let began = Instant::now();
    let progress = Progress::start();
    let mut told = false;
    loop {
        progress.tell("asking the repository");
        let failed = match workers.refs(&reading.source, wanted).await {
            Ok(listed) => return Ok(listed),
            Err(failed) => failed,
        };
        // Some forges say that a repository is not there to those who may not see it.
        let perhaps_later = matches!(failed.reason.as_str(), "AuthenticationFailed" | "RepositoryNotFound");
        if !perhaps_later || reading.to_register.is_empty() || began.elapsed() >= timeout {
            return Err(failed.into());
        }
        if !told {
            output.note("register this public key:");
            reading.to_register.iter().for_each(|line| output.plain(line));
            told = true;
        }
        progress.tell("waiting until the key is registered");
        tokio::time::sleep(TRY).await;
    }
}

/// The least rights that deploying needs, with kinds as this cluster serves them.
///
/// # Errors
/// The API server cannot be asked.
pub async fn rights_of(cluster: &Cluster, first: &FirstSync, rendered: &Rendered) -> Result<Rights, Stop> {
    let snapshot = cluster.kinds().snapshot(&cluster.own()).await?;
    let place = |group: &str, version: &str, kind: &str| {
        let found = snapshot.get(group, version, kind).or_else(|| snapshot.preferred(group, kind))?;
        Some(Place::from(found))
    };
    Ok(rights::rights(&rendered.manifests, &first.namespace, place))
}

impl From<&KindInfo> for Place {
    fn from(kind: &KindInfo) -> Self {
        let scope = if kind.namespaced { Scope::Namespaced } else { Scope::Cluster };
        Self { plural: kind.plural.clone(), scope }
    }
}

/// Whether the folder holds the agent itself: then Git keeps it from now on.
pub fn holds_the_agent(rendered: &Rendered, namespace: &str) -> bool {
    rendered.manifests.iter().any(|manifest| {
        let group = split_api_version(&manifest.api_version).0;
        let id = &manifest.id;
        (group, id.kind.as_str(), id.name.as_str()) == ("apps", "Deployment", "tandem") && id.namespace == namespace
    })
}

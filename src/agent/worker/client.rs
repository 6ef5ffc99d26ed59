//! The loop's side: questions that are answered by a worker process.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::protocol::{History, Part, Pins, Question, Request};
use crate::failure::{Failed, Fault};
use crate::git::{CommitInfo, CommitTrailers, Fetched, Listed, Source};
use crate::render::{Limits, ReadSet, Rendered};
use crate::revision::{Ancestry, Revision, Wanted};
use crate::sandbox::{Confinement, Network, Pool, PoolSettings};

/// Time that a worker has beyond the exchange's own, to say itself that it was too long.
const GRACE: Duration = Duration::from_secs(3);

/// Renders come in bursts, while exchanges come at every poll and find their connection open.
const RENDER_IDLE: Duration = Duration::from_secs(5);

/// Bytes that an idle worker may hold.
const KEEP_BYTES: u64 = 16 << 20;

/// How workers are started and what they may use.
#[derive(Clone, Debug)]
pub struct WorkersSettings {
    /// Folder of the cache of repositories.
    pub cache: PathBuf,
    /// The program; this one, unless a test says otherwise.
    pub program: PathBuf,
    /// Exchanges with remotes at a time.
    pub exchanges: usize,
    /// Renders at a time.
    pub renders: usize,
    /// Time that a render, or another question to the cache, may take.
    pub render_timeout: Duration,
    /// An idle worker is ended after so long; one that renders after 5 s at most.
    pub idle: Duration,
    /// Bytes of memory that a worker may write to.
    pub memory_bytes: u64,
}

impl WorkersSettings {
    /// Two exchanges and one render at a time, 60 s for a render, 512 MiB for each worker.
    ///
    /// # Errors
    /// The path of this program is not known.
    pub fn new(cache: impl Into<PathBuf>) -> std::io::Result<Self> {
        Ok(Self {
            cache: cache.into(),
            program: std::env::current_exe()?,
            exchanges: 2,
            renders: 1,
            render_timeout: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            memory_bytes: 512 << 20,
        })
    }
}

/// Worker processes: some that may speak to remotes, and some that may only read the cache.
/// Cloning gives another handle to the same ones. Every call has a deadline; dropping a call's
/// future kills the worker that works for it.
///
/// # Errors
/// All calls fail with the reason of the step that failed (see `git` and `sandbox`). A commit that
/// the cache has lost is fetched anew once, by its id, from where its URL was last fetched; a cache
/// that is corrupted is set aside first. `NotFetched` and `CacheCorrupted` remain where that failed.
#[derive(Clone)]
pub struct Workers {
    exchanges: Pool,
    renders: Pool,
    settings: WorkersSettings,
    /// How each URL was last fetched from, to mend its cache.
    sources: Arc<Mutex<HashMap<String, Source>>>,
}

impl Workers {
    /// Sets the pools up and makes the cache's folder. No process is started before it is needed.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(mut settings: WorkersSettings) -> std::io::Result<Self> {
        std::fs::create_dir_all(&settings.cache)?;
        settings.cache = settings.cache.canonicalize()?;
        let pool = |name, size, idle, confinement| {
            Pool::new(PoolSettings {
                name,
                program: settings.program.clone(),
                arguments: vec![OsString::from("worker")],
                size,
                idle,
                keep_bytes: KEEP_BYTES,
                confinement,
            })
        };
        let exchanges = pool("exchange", settings.exchanges, settings.idle, confinement(&settings, Network::Outbound));
        let renders =
            pool("render", settings.renders, settings.idle.min(RENDER_IDLE), confinement(&settings, Network::None));
        Ok(Self { exchanges, renders, settings, sources: Arc::default() })
    }

    /// Asks the remote which commit is wanted.
    pub async fn refs(&self, source: &Source, wanted: &Wanted) -> Result<Listed, Failed> {
        let question = Question::Refs { source: source.clone(), wanted: wanted.clone() };
        match self.ask_remote(source, question, 1).await? {
            Part::Listed(listed) => Ok(listed),
            _ => Err(nonsense()),
        }
    }

    /// Brings what was listed into the cache. Costs nothing where it is there already.
    pub async fn fetch(&self, source: &Source, listed: &Listed) -> Result<Fetched, Failed> {
        let question = Question::Fetch { source: source.clone(), listed: listed.clone() };
        match self.ask_remote(source, question, 2).await? {
            Part::Fetched(fetched) => {
                let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
                sources.insert(source.url.clone(), source.clone());
                Ok(*fetched)
            }
            _ => Err(nonsense()),
        }
    }

    /// How what was found (and fetched) stands to the accepted commit. Asks the remote only where
    /// the cache does not know enough history.
    pub async fn ancestry(&self, source: &Source, accepted: &str, found: &Listed) -> Result<Ancestry, Failed> {
        let (url, commit) = (source.url.clone(), found.revision.commit.clone());
        let local = Question::LocalAncestry { url, accepted: accepted.to_owned(), found: commit };
        if let Part::Ancestry(Some(ancestry)) = one(self.ask_cache(&source.url, &found.revision.commit, local).await?)?
        {
            return Ok(ancestry);
        }
        let question =
            Question::Ancestry { source: source.clone(), accepted: accepted.to_owned(), found: found.clone() };
        match self.ask_remote(source, question, 4).await? {
            Part::Ancestry(ancestry) => Ok(ancestry.unwrap_or(Ancestry::Unknown)),
            _ => Err(nonsense()),
        }
    }

    /// For each read set, whether the commit still holds what was read. One call answers for all
    /// Syncs of a repository.
    pub async fn unchanged(&self, url: &str, commit: &str, read_sets: &[ReadSet]) -> Result<Vec<bool>, Failed> {
        let question =
            Question::Unchanged { url: url.to_owned(), commit: commit.to_owned(), read_sets: read_sets.to_vec() };
        match one(self.ask_cache(url, commit, question).await?)? {
            Part::Unchanged(unchanged) if unchanged.len() == read_sets.len() => Ok(unchanged),
            _ => Err(nonsense()),
        }
    }

    /// Renders a folder of a fetched commit.
    pub async fn render(&self, url: &str, commit: &str, path: &str, limits: &Limits) -> Result<Rendered, Failed> {
        let question = Question::Render {
            url: url.to_owned(),
            commit: commit.to_owned(),
            path: path.to_owned(),
            limits: limits.clone(),
        };
        let mut rendered = Rendered::default();
        for part in self.ask_cache(url, commit, question).await? {
            match part {
                Part::Manifests(mut some) => rendered.manifests.append(&mut some),
                Part::Problems(mut some) => rendered.problems.append(&mut some),
                Part::ReadSet(read_set) => rendered.read_set = read_set,
                _ => return Err(nonsense()),
            }
        }
        Ok(rendered)
    }

    /// What a fetched commit says of itself.
    pub async fn commit_info(&self, url: &str, commit: &str) -> Result<CommitInfo, Failed> {
        let question = Question::CommitInfo { url: url.to_owned(), commit: commit.to_owned() };
        match one(self.ask_cache(url, commit, question).await?)? {
            Part::CommitInfo(info) => Ok(info),
            _ => Err(nonsense()),
        }
    }

    /// Commits with trailers between two fetched commits, newest first.
    pub async fn trailers(&self, url: &str, history: History) -> Result<Vec<CommitTrailers>, Failed> {
        let to = history.to.clone();
        let question = Question::Trailers { url: url.to_owned(), history };
        match one(self.ask_cache(url, &to, question).await?)? {
            Part::Trailers(trailers) => Ok(trailers),
            _ => Err(nonsense()),
        }
    }

    /// Says which commits of a repository must stay in the cache. It replaces what was said before.
    pub async fn pin(&self, url: &str, pins: &Pins) -> Result<(), Failed> {
        let question = Question::Pin { url: url.to_owned(), pins: pins.clone() };
        // Only workers for exchanges may write to the cache.
        self.send(&self.exchanges, question, self.settings.render_timeout).await.map(|_| ())
    }

    /// Ids of the worker processes that are idle now, for tests and metrics.
    pub fn idle_ids(&self) -> Vec<u32> {
        [self.exchanges.idle_ids(), self.renders.idle_ids()].concat()
    }

    async fn ask_remote(&self, source: &Source, question: Question, exchanges: u32) -> Result<Part, Failed> {
        let deadline = source.timeout * exchanges + GRACE;
        one(self.send(&self.exchanges, question, deadline).await?)
    }

    /// Asks about a commit of the cache. One that was lost is fetched anew, once.
    async fn ask_cache(&self, url: &str, commit: &str, question: Question) -> Result<Vec<Part>, Failed> {
        match self.send(&self.renders, question.clone(), self.settings.render_timeout).await {
            Err(failed) if failed.reason == "NotFetched" || failed.reason == "CacheCorrupted" => {
                self.mend(url, commit, failed).await?;
                self.send(&self.renders, question, self.settings.render_timeout).await
            }
            other => other,
        }
    }

    /// Fetches a commit that the cache has lost. Returns the failure that was met where it is not
    /// known from where.
    async fn mend(&self, url: &str, commit: &str, met: Failed) -> Result<(), Failed> {
        if met.reason == "CacheCorrupted" {
            tracing::warn!(url = crate::git::redact(url), "{met}; the cache is set aside");
            let aside = Question::SetAside { url: url.to_owned() };
            self.send(&self.exchanges, aside, self.settings.render_timeout).await?;
        }
        let source = self.sources.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
        let Some(source) = source else { return Err(met) };
        let revision = Revision { name: String::new(), commit: commit.to_owned() };
        self.fetch(&source, &Listed { revision, reference: None, received_bytes: 0 }).await.map(|_| ())
    }

    async fn send(&self, pool: &Pool, question: Question, deadline: Duration) -> Result<Vec<Part>, Failed> {
        let request = Request { cache: self.settings.cache.clone(), question };
        let request =
            serde_json::to_vec(&request).map(zeroize::Zeroizing::new).map_err(|e| internal(&e.to_string()))?;
        let mut parts = Vec::new();
        let mut failed = None;
        let called = pool.call(&request, deadline, |part| {
            match serde_json::from_slice(part).map_err(|e| e.to_string())? {
                Part::Failed(failure) => failed = Some(failure),
                part => parts.push(part),
            }
            Ok(())
        });
        called.await.map_err(|error| Failed::from(&error))?;
        failed.map_or(Ok(parts), Err)
    }
}

fn one(mut parts: Vec<Part>) -> Result<Part, Failed> {
    match (parts.pop(), parts.is_empty()) {
        (Some(part), true) => Ok(part),
        _ => Err(nonsense()),
    }
}

fn nonsense() -> Failed {
    internal("the answer does not belong to the question")
}

fn internal(message: &str) -> Failed {
    Failed::new("WorkerProtocol", Fault::Internal, format!("the worker process: {message}"))
}

fn confinement(settings: &WorkersSettings, network: Network) -> Confinement {
    let read = [
        "/lib",
        "/lib64",
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
        "/etc/ld.so.cache",
        "/etc/ssl",
        "/etc/pki",
        "/etc/ca-certificates",
        "/usr/share/ca-certificates",
        "/usr/local/share/ca-certificates",
        "/etc/resolv.conf",
        "/etc/hosts",
        "/etc/host.conf",
        "/etc/nsswitch.conf",
        "/etc/gai.conf",
        "/etc/services",
        "/etc/localtime",
        "/usr/share/zoneinfo",
        "/dev/null",
        "/dev/urandom",
        "/dev/random",
        "/proc/self",
        "/proc/sys/vm",
        "/sys/devices/system/cpu",
        "/sys/fs/cgroup",
    ];
    let mut read: Vec<PathBuf> = read.iter().map(PathBuf::from).collect();
    let mut write = Vec::new();
    match network {
        Network::Outbound => write.push(settings.cache.clone()),
        Network::None => read.push(settings.cache.clone()),
    }
    Confinement {
        data_bytes: settings.memory_bytes,
        // Packs are mapped in windows, so address space beyond the memory is small.
        address_bytes: settings.memory_bytes + (1 << 30),
        open_files: 512,
        read,
        write,
        network,
        home: PathBuf::new(),
    }
}

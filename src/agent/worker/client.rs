//! The loop's side: questions that are answered by a worker process.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::agent::bound::Bound;
use crate::agent::programs::{Programs, ProgramsSettings};

use super::freeze::{Changes, Freezes, Since};
use super::proposed::{At, Folder};
use super::protocol::{History, Part, Pins, Question, Request};
use super::settings::{WorkersSettings, confinement};
use super::verify::{Check, Verified};
use crate::failure::{Failed, Fault};
use crate::git::{CommitInfo, CommitTrailers, Fetched, Listed, Source};
use crate::render::{Options, ReadSet, Rendered};
use crate::revision::review::Dialect;
use crate::revision::{Ancestry, Revision, Wanted};
use crate::sandbox::{Network, Pool, PoolSettings};

/// Time that a worker has beyond the exchange's own, to say itself that it was too long.
const GRACE: Duration = Duration::from_secs(3);

/// Renders come in bursts, while exchanges come at every poll and find their connection open.
const RENDER_IDLE: Duration = Duration::from_secs(5);

/// Bytes that an idle worker may hold.
const KEEP_BYTES: u64 = 16 << 20;

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
    /// Renders of what is proposed: one at a time.
    proposals: Pool,
    settings: WorkersSettings,
    programs: Arc<Programs>,
    /// Each runs one program at a time.
    programs_for_proposals: Arc<Programs>,
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
        let render =
            |name, size| pool(name, size, settings.idle.min(RENDER_IDLE), confinement(&settings, Network::None));
        let (renders, proposals) = (render("render", settings.renders), render("proposal", 1));
        let programs = ProgramsSettings {
            helm: settings.helm.clone(),
            sops: settings.sops.clone(),
            charts: Some(settings.cache.join("charts")),
            ..ProgramsSettings::started_by(settings.program.clone())
        };
        let programs_for_proposals = Arc::new(Programs::new(programs.clone()));
        let programs = Arc::new(Programs::new(programs));
        Ok(Self { exchanges, renders, proposals, settings, programs, programs_for_proposals, sources: Arc::default() })
    }

    /// Asks the remote which commit is wanted.
    pub async fn refs(&self, source: &Source, wanted: &Wanted) -> Result<Listed, Failed> {
        Ok(self.refs_with_notes(source, wanted, false).await?.0)
    }

    /// The same, and with `notes` where notes are by now: an opaque text that is another one where any has moved.
    pub async fn refs_with_notes(
        &self,
        source: &Source,
        wanted: &Wanted,
        notes: bool,
    ) -> Result<(Listed, String), Failed> {
        let question = Question::Refs { source: source.clone(), wanted: wanted.clone(), notes };
        match self.ask_remote(source, question, 1).await? {
            Part::Listed(listed, notes) => Ok((listed, notes)),
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

    /// Whether all that leads to what was found (and fetched) is signed as it must be. Asks the remote only where the
    /// cache does not know enough history.
    pub async fn verify(&self, source: &Source, found: &Listed, check: &Check) -> Result<Verified, Failed> {
        let question = Question::Verify { source: source.clone(), found: found.clone(), check: check.clone() };
        match self.ask_remote(source, question, 5).await? {
            Part::Verified(verified) => Ok(verified),
            _ => Err(nonsense()),
        }
    }

    /// Digest of the owners file of a commit, which is fetched where it is missing; the file can be read.
    pub async fn owners_digest(
        &self,
        source: &Source,
        commit: &str,
        dialect: Option<Dialect>,
    ) -> Result<String, Failed> {
        let question = Question::OwnersDigest { url: source.url.clone(), commit: commit.to_owned(), dialect };
        match one(self.ask_cache(&source.url, commit, question).await?)? {
            Part::OwnersDigest(digest) => Ok(digest),
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

    /// Renders a folder of a fetched commit, with the programs that it needs.
    pub async fn render(&self, url: &str, commit: &str, path: &str, options: &Options) -> Result<Rendered, Failed> {
        let at = At::Commit(commit.to_owned());
        self.render_at(Folder { url, at: &at, path }, options, &mut Bound::none()).await
    }

    /// The same of a commit, or of a merge that nobody has made yet: that is rendered in a worker of its own kind, so that
    /// no Sync waits for it. It ends where the time is up that its worker and its programs may take together.
    pub async fn render_at(
        &self,
        folder: Folder<'_>,
        options: &Options,
        bound: &mut Bound,
    ) -> Result<Rendered, Failed> {
        let mut options = options.clone();
        let programs = match folder.at {
            At::Commit(_) => &self.programs,
            At::Merge { .. } => &self.programs_for_proposals,
        };
        loop {
            let rendered = self.render_alone(folder, &options, bound).await?;
            if rendered.needs.is_empty() {
                return Ok(rendered);
            }
            programs.meet_within(rendered.needs, &mut options, bound).await?;
        }
    }

    /// Renders as far as it goes without programs.
    async fn render_alone(
        &self,
        Folder { url, at, path }: Folder<'_>,
        options: &Options,
        bound: &mut Bound,
    ) -> Result<Rendered, Failed> {
        let question =
            Question::Render { url: url.to_owned(), at: at.clone(), path: path.to_owned(), options: options.clone() };
        let mut rendered = Rendered::default();
        for part in self.ask_cache_within(url, at.commit(), question, bound).await? {
            match part {
                Part::Manifests(mut some) => rendered.manifests.append(&mut some),
                Part::Problems(mut some) => rendered.problems.append(&mut some),
                Part::ReadSet(read_set) => rendered.read_set = read_set,
                Part::Need(need) => rendered.needs.push(*need),
                Part::Asked(asked) => rendered.asked = asked,
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

    /// Whether the first parents of a fetched commit lead to another one, as far as history is there.
    pub async fn on_mainline(&self, url: &str, old: &str, new: &str) -> Result<bool, Failed> {
        let question = Question::OnMainline { url: url.to_owned(), old: old.to_owned(), new: new.to_owned() };
        match one(self.ask_cache(url, new, question).await?)? {
            Part::OnMainline(whether) => Ok(whether),
            _ => Err(nonsense()),
        }
    }

    /// The freezes of a fetched commit.
    pub async fn freezes(&self, url: &str, commit: &str) -> Result<Freezes, Failed> {
        let question = Question::Freezes { url: url.to_owned(), commit: commit.to_owned() };
        match one(self.ask_cache(url, commit, question).await?)? {
            Part::Freezes(freezes) => Ok(freezes),
            _ => Err(nonsense()),
        }
    }

    /// What differs between two fetched commits of what is read.
    pub async fn changes(&self, url: &str, since: Since, read: &ReadSet) -> Result<Changes, Failed> {
        let to = since.to.clone();
        let question = Question::Changes { url: url.to_owned(), since, read: read.clone() };
        match one(self.ask_cache(url, &to, question).await?)? {
            Part::Changes(changes) => Ok(changes),
            _ => Err(nonsense()),
        }
    }

    /// Says which commits of a repository must stay in the cache. It replaces what was said before.
    pub async fn pin(&self, url: &str, pins: &Pins) -> Result<(), Failed> {
        let question = Question::Pin { url: url.to_owned(), pins: pins.clone() };
        // Only workers for exchanges may write to the cache.
        self.send(Network::Outbound, question, self.settings.render_timeout).await.map(|_| ())
    }

    /// Ids of the worker processes that are idle now, for tests and metrics.
    pub fn idle_ids(&self) -> Vec<u32> {
        [self.exchanges.idle_ids(), self.renders.idle_ids(), self.proposals.idle_ids()].concat()
    }

    pub(super) async fn ask_remote(&self, source: &Source, question: Question, exchanges: u32) -> Result<Part, Failed> {
        let deadline = source.timeout * exchanges + GRACE;
        one(self.send(Network::Outbound, question, deadline).await?)
    }

    /// Asks about a commit of the cache. One that was lost is fetched anew, once.
    async fn ask_cache(&self, url: &str, commit: &str, question: Question) -> Result<Vec<Part>, Failed> {
        self.ask_cache_within(url, commit, question, &mut Bound::none()).await
    }

    async fn ask_cache_within(
        &self,
        url: &str,
        commit: &str,
        question: Question,
        bound: &mut Bound,
    ) -> Result<Vec<Part>, Failed> {
        let deadline = self.settings.render_timeout;
        let answer = match self.send_within(Network::None, question.clone(), deadline, bound).await {
            Err(failed) if failed.reason == "NotFetched" || failed.reason == "CacheCorrupted" => {
                self.mend(url, commit, failed).await?;
                self.send_within(Network::None, question, deadline, bound).await
            }
            other => other,
        };
        answer.map_err(|failed| match failed.reason.as_str() {
            // No remote was asked: its timeout would change nothing.
            "WorkerTimeout" => failed.with_hint("--render-seconds of the agent gives large folders more time"),
            _ => failed,
        })
    }

    /// Fetches a commit that the cache has lost. Returns the failure that was met where it is not
    /// known from where.
    async fn mend(&self, url: &str, commit: &str, met: Failed) -> Result<(), Failed> {
        if met.reason == "CacheCorrupted" {
            tracing::warn!(url = crate::git::redact(url), "{met}; the cache is set aside");
            let aside = Question::SetAside { url: url.to_owned() };
            self.send(Network::Outbound, aside, self.settings.render_timeout).await?;
        }
        let source = self.sources.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
        let Some(source) = source else { return Err(met) };
        let revision = Revision { name: String::new(), commit: commit.to_owned() };
        self.fetch(&source, &Listed { revision, reference: None, tag: None, received_bytes: 0 }).await.map(|_| ())
    }

    async fn send(&self, network: Network, question: Question, deadline: Duration) -> Result<Vec<Part>, Failed> {
        self.send_within(network, question, deadline, &mut Bound::none()).await
    }

    async fn send_within(
        &self,
        network: Network,
        question: Question,
        deadline: Duration,
        bound: &mut Bound,
    ) -> Result<Vec<Part>, Failed> {
        let of_proposal = matches!(question, Question::Render { at: At::Merge { .. }, .. });
        let (pool, others) = match network {
            Network::Outbound => (&self.exchanges, [&self.renders, &self.proposals]),
            Network::None if of_proposal => (&self.proposals, [&self.exchanges, &self.renders]),
            Network::None => (&self.renders, [&self.exchanges, &self.proposals]),
        };
        // Exchanges and renders take turns, and each process holds the memory of a whole program:
        // where one is started, the idle ones of the other kinds go.
        if !pool.has_idle() {
            others.iter().for_each(|other| other.end_idle());
        }
        let request = Request { cache: self.settings.cache.clone(), question };
        let request =
            serde_json::to_vec(&request).map(zeroize::Zeroizing::new).map_err(|e| internal(&e.to_string()))?;
        let mut parts = Vec::new();
        let mut failed = None;
        let slot = pool.slot().await.map_err(|error| Failed::from(&error))?;
        let called = pool.call_in(slot, &request, deadline, |part| {
            match serde_json::from_slice(part).map_err(|e| e.to_string())? {
                Part::Failed(failure) => failed = Some(failure),
                part => parts.push(part),
            }
            Ok(())
        });
        // Where the time is up, the call is dropped, and the process that works for it is killed.
        bound.spend(Box::pin(called)).await?.map_err(|error| Failed::from(&error))?;
        failed.map_or(Ok(parts), Err)
    }
}

fn one(mut parts: Vec<Part>) -> Result<Part, Failed> {
    match (parts.pop(), parts.is_empty()) {
        (Some(part), true) => Ok(part),
        _ => Err(nonsense()),
    }
}

pub(super) fn nonsense() -> Failed {
    internal("the answer does not belong to the question")
}

fn internal(message: &str) -> Failed {
    Failed::new("WorkerProtocol", Fault::Internal, format!("the worker process: {message}"))
}

//! The worker's side: it composes `git` and `render`.

use std::collections::HashSet;
use std::io;
use std::process::ExitCode;

use serde::Serialize;

use super::coverage::coverage;
use super::foreseen::foresee;
use super::freeze::{changes, freezes};
use super::known::digest_of;
use super::proposed::{At, trial};
use super::protocol::{Part, Question, Request};
use super::review::{ReviewCheck, review};
use super::verify::{Cached, verify};
use crate::failure::Failed;
use crate::git::{self, Cache, GitError, GitTree, Kept, Kind};
use crate::object::{Manifest, Problem};
use crate::render::{self, Options, ReadSet, TreeError};
use crate::revision::proposal::claims;
use crate::sandbox::{Confinement, Reply, serve};

/// Bytes of manifests, about, in one part of an answer.
const PART_BYTES: usize = 1 << 20;

/// The worker process: answers questions on stdin until it is closed. It is started by the agent
/// and by nobody else.
pub fn main() -> ExitCode {
    // A panic's words can hold content of a repository; its place is all that is told.
    std::panic::set_hook(Box::new(|info| {
        if let Some(place) = info.location() {
            tracing::error!("panicked at {place}");
        }
    }));
    let _ =
        tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(false).without_time().with_target(false).try_init();
    let prepare = |limits: &Confinement| git::prepare(&limits.home).map_err(io::Error::other);
    let served = serve(io::stdin().lock(), io::stdout().lock(), prepare, respond);
    match served {
        Ok(()) => ExitCode::SUCCESS,
        // The agent is gone.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(70)
        }
    }
}

fn respond(request: &[u8], reply: &mut Reply<'_>) -> io::Result<()> {
    let request: Request = serde_json::from_slice(request).map_err(io::Error::other)?;
    let cache = Cache::new(&request.cache);
    match answer(&cache, request.question, reply) {
        Ok(()) => Ok(()),
        Err(Ending::Failed(failed)) => send(reply, &Part::Failed(failed)),
        Err(Ending::Pipe(error)) => Err(error),
    }
}

/// Why an answer ended early.
enum Ending {
    Failed(Failed),
    Pipe(io::Error),
}

impl From<GitError> for Ending {
    fn from(error: GitError) -> Self {
        Ending::Failed(Failed::from(&error))
    }
}

impl From<Failed> for Ending {
    fn from(failed: Failed) -> Self {
        Ending::Failed(failed)
    }
}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        Ending::Pipe(error)
    }
}

fn answer(cache: &Cache, question: Question, reply: &mut Reply<'_>) -> Result<(), Ending> {
    let part = match question {
        Question::Refs { source, wanted, notes } => {
            let (listed, notes) = git::list(&source, &wanted, notes)?;
            Part::Listed(listed, notes)
        }
        Question::Fetch { source, listed } => Part::Fetched(Box::new(git::fetch(cache, &source, &listed)?)),
        Question::Ancestry { source, accepted, found } => {
            Part::Ancestry(Some(git::ancestry(cache, &source, &accepted, &found)?))
        }
        Question::LocalAncestry { url, accepted, found } => {
            Part::Ancestry(git::local_ancestry(&*open(cache, &url)?, &url, &accepted, &found)?)
        }
        Question::Verify { source, found, check } => {
            let cached = Cached { cache, source: &source, listed: &found };
            Part::Verified(verify(&cached, &found.revision, found.tag.as_deref(), &check)?)
        }
        Question::Review { source, found, check, notes } => {
            git::fetch_notes(cache, &source, notes.as_deref())?;
            fetch_heads(cache, &source, &check)?;
            let history = Cached { cache, source: &source, listed: &found };
            Part::Reviewed(Box::new(review(&history, &found.revision.commit, &check)?))
        }
        Question::Coverage { source, check } => {
            git::fetch_coverage(cache, &source)?;
            Part::Coverage(coverage(&*open(cache, &source.url)?, &source.url, &check)?)
        }
        Question::OwnersDigest { url, commit, dialect } => {
            Part::OwnersDigest(digest_of(&*open(cache, &url)?, &url, &commit, dialect)?)
        }
        Question::Unchanged { url, commit, read_sets } => Part::Unchanged(unchanged(cache, &url, &commit, &read_sets)?),
        Question::Propose { source, listed, proposed } => Part::Trial(trial(cache, &source, &listed, &proposed)?),
        Question::Foresee { source, listed, proposed, said, check } => {
            let (foreseen, withdrawals) = foresee((cache, &source, &listed), &proposed, &said, &check)?;
            Part::Foreseen(foreseen, withdrawals)
        }
        Question::Render { url, at, path, options } => return render_at(cache, &url, &at, (&path, &options), reply),
        Question::CommitInfo { url, commit } => {
            Part::CommitInfo(git::commit_info_of(&*open(cache, &url)?, &url, &commit)?)
        }
        Question::Trailers { url, history } => {
            let repository = open(cache, &url)?;
            let (from, path) = (history.from.as_deref(), history.path.as_deref());
            Part::Trailers(git::trailers(&repository, &url, (from, &history.to), path, &history.without)?)
        }
        Question::OnMainline { url, old, new } => {
            let way = git::mainline(&*open(cache, &url)?, &url, &old, &new)?;
            Part::OnMainline(matches!(way, git::Mainline::Steps(_)))
        }
        Question::Freezes { url, commit } => Part::Freezes(freezes(&*open(cache, &url)?, &url, &commit)?),
        Question::Changes { url, since, read } => Part::Changes(changes(&*open(cache, &url)?, &url, &since, &read)?),
        Question::Pin { url, pins } => {
            // What is not there needs no pin.
            if let Some(repository) = cache.open(&url)? {
                git::pin_accepted(&repository, &url, &pins.accepted)?;
            }
            Part::Done
        }
        Question::SetAside { url } => {
            cache.set_aside(&url)?;
            Part::Done
        }
    };
    Ok(send(reply, &part)?)
}

/// Brings the heads of proposals that claim to have been merged into the cache. Which of them are there is seen later.
fn fetch_heads(cache: &Cache, source: &git::Source, check: &ReviewCheck) -> Result<(), GitError> {
    let mut heads = HashSet::new();
    for (commit, evidence) in &check.evidence {
        let place = evidence.place(&check.scope.reference);
        for proposal in &evidence.proposals {
            if let Ok(head) = claims(proposal, &place, commit) {
                git::fetch_head(cache, source, (&proposal.head_reference, head), Kept::Merged)?;
                heads.insert(head);
            }
        }
    }
    match cache.open(&source.url)? {
        Some(repository) => git::keep_heads(&repository, &source.url, Kept::Merged, &heads),
        None => Ok(()),
    }
}

fn open(cache: &Cache, url: &str) -> Result<git::Opened, GitError> {
    let repository = cache.open(url)?;
    repository.ok_or_else(|| GitError::new(Kind::NotFetched, url, "the repository is not in the cache"))
}

fn unchanged(cache: &Cache, url: &str, commit: &str, read_sets: &[ReadSet]) -> Result<Vec<bool>, Ending> {
    let repository = open(cache, url)?;
    let tree = GitTree::new(&repository, url, commit)?;
    let held = read_sets.iter().map(|set| set.holds_in(&tree)).collect::<Result<Vec<_>, TreeError>>();
    Ok(held.map_err(|e| GitError::new(Kind::CacheCorrupted, url, e.to_string()))?)
}

fn render_at(cache: &Cache, url: &str, at: &At, what: (&str, &Options), reply: &mut Reply<'_>) -> Result<(), Ending> {
    let repository = open(cache, url)?;
    let (base, head) = match at {
        At::Commit(commit) => return render_folder(&GitTree::new(&repository, url, commit)?, url, what, reply),
        At::Merge { base, head } => (base, head),
    };
    match git::merge_in_memory(&repository, url, base, head)? {
        (_, Some(made)) => render_folder(&made.files(), url, what, reply),
        (merge, None) => {
            let told = format!("{head} does not merge into {base} any more: {:?}", merge.merged);
            Err(GitError::new(Kind::NotFetched, url, told).into())
        }
    }
}

fn render_folder(
    tree: &GitTree<'_>,
    url: &str,
    (path, options): (&str, &Options),
    reply: &mut Reply<'_>,
) -> Result<(), Ending> {
    let mut rendered = render::render(tree, path, options);
    if let Some(error) = tree.failure() {
        // Not the content is at fault: nothing that was rendered may be believed.
        return Err(GitError::new(Kind::CacheCorrupted, url, error).into());
    }
    rendered.problems.extend(tree.strange_names().into_iter().map(|name| {
        let message = format!("{name:?} is a name that no file of a repository should have; it is not read");
        Problem::new("StrangeName", message).in_file(name, None)
    }));
    let mut batch: Vec<Manifest> = Vec::new();
    let mut bytes = 0;
    for manifest in rendered.manifests {
        bytes += weight(&manifest.body);
        batch.push(manifest);
        if bytes > PART_BYTES {
            send(reply, &Part::Manifests(std::mem::take(&mut batch)))?;
            bytes = 0;
        }
    }
    send(reply, &Part::Manifests(batch))?;
    for problems in rendered.problems.chunks(1000) {
        send(reply, &Part::Problems(problems.to_vec()))?;
    }
    send(reply, &Part::Asked(rendered.asked))?;
    for need in rendered.needs {
        send(reply, &Part::Need(Box::new(need)))?;
    }
    Ok(send(reply, &Part::ReadSet(rendered.read_set))?)
}

/// Bytes of a value, about, without writing it out.
fn weight(value: &serde_json::Value) -> usize {
    use serde_json::Value;
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| weight(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => fields.iter().map(|(key, item)| key.len() + weight(item) + 4).sum::<usize>() + 2,
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

fn send(reply: &mut Reply<'_>, part: &impl Serialize) -> io::Result<()> {
    reply.send(&serde_json::to_vec(part).map_err(io::Error::other)?)
}

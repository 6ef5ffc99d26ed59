//! Whether all that leads to a commit is signed: composes `git`, which has the raw objects, and the decisions of
//! `revision::signature`, which never see anything else.

use std::cell::Cell;
use std::fmt;

use git2::{ObjectType, Repository};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::{Failed, Fault};
use crate::git::{self, Cache, GitError, Kind, Listed, Range, Source};
use crate::report::reason::Reason;
use crate::revision::Revision;
use crate::revision::proposal::Merged;
use crate::revision::signature::{Flaw, KeyFile, Keys, Refusal, Signer, judge_commit, judge_tag, parents};

/// What is asked of a commit before it may go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The keys that may sign.
    pub keys: Vec<KeyFile>,
    /// Whether the tag must be signed.
    pub tag: bool,
    /// Whether commits must be signed.
    pub commits: bool,
    /// For each of these, every commit must be signed that leads to the new one and is reached from none of the
    /// commits in it; where there are none, the new commit alone must be.
    pub since: Vec<Vec<String>>,
    /// When it was first seen.
    pub seen_at: Timestamp,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verified {
    /// All that had to be signed is.
    Signed {
        /// Who signed the commit itself, or its tag; none where nothing had to be signed any more.
        by: Option<String>,
        /// How many commits were verified.
        commits: usize,
    },
    /// Something is not signed as it should be.
    Refused(Refusal),
    /// A commit up to which history was verified is gone from the remote and from the cache.
    Gone(String),
    /// History could not be read that far.
    Unknown(String),
}

/// Where raw objects come from.
pub trait Objects {
    /// Opens the repository, as it is after the last fetch.
    ///
    /// # Errors
    /// It cannot be read.
    fn open<T>(&self, work: impl FnOnce(&Repository) -> Result<T, GitError>) -> Result<T, GitError>;
    /// Fetches more history, the `step`th time more than before; `false` where there is no more.
    ///
    /// # Errors
    /// The remote cannot be reached.
    fn deepen(&self, step: usize) -> Result<bool, GitError>;
    /// Fetches the tag again; `false` where that cannot be.
    ///
    /// # Errors
    /// The remote cannot be reached.
    fn fetch_tag(&self) -> Result<bool, GitError>;
    /// Fetches a commit by its id, whatever leads to it; `false` where it cannot be had.
    ///
    /// # Errors
    /// The remote cannot be reached.
    fn fetch_commit(&self, _commit: &str) -> Result<bool, GitError> {
        Ok(false)
    }
    /// For messages of errors.
    fn url(&self) -> &str;
}

/// A repository of the cache, with its remote.
pub(super) struct Cached<'a> {
    pub cache: &'a Cache,
    pub source: &'a Source,
    pub listed: &'a Listed,
}

impl Objects for Cached<'_> {
    fn open<T>(&self, work: impl FnOnce(&Repository) -> Result<T, GitError>) -> Result<T, GitError> {
        let url = &self.source.url;
        let opened = self.cache.open(url)?;
        work(&*opened.ok_or_else(|| GitError::new(Kind::NotFetched, url, "the repository is not in the cache"))?)
    }

    fn deepen(&self, step: usize) -> Result<bool, GitError> {
        Ok(step < git::DEEPER && git::deepen(self.cache, self.source, self.listed, step)?)
    }

    fn fetch_tag(&self) -> Result<bool, GitError> {
        git::fetch_again(self.cache, self.source, self.listed)
    }

    fn fetch_commit(&self, commit: &str) -> Result<bool, GitError> {
        let revision = Revision { commit: commit.to_owned(), ..self.listed.revision.clone() };
        let alone = Listed { revision, reference: None, tag: None, received_bytes: 0 };
        match git::fetch(self.cache, self.source, &alone) {
            Err(error) if matches!(error.kind, Kind::CommitUnavailable | Kind::RefNotFound | Kind::TooLarge) => {
                tracing::debug!(%error, "a commit is not handed out");
                Ok(false)
            }
            other => other.map(|_| true),
        }
    }

    fn url(&self) -> &str {
        &self.source.url
    }
}

/// Verifies what is asked for. `tag` is the id of the tag's own object, where the revision was found by an annotated
/// tag.
///
/// # Errors
/// The keys cannot be read, or the repository or its remote.
pub fn verify(
    history: &impl Objects,
    revision: &Revision,
    tag: Option<&str>,
    check: &Check,
) -> Result<Verified, Failed> {
    let keys = Keys::read(&check.keys).map_err(|problem| {
        Failed::new("InvalidSecret", Fault::Cluster, format!("the keys that may sign: {problem}"))
    })?;
    let of = |error: GitError| Failed::from(&error);
    if history.open(|repository| git::is_disguised(repository, history.url())).map_err(of)? {
        let refusal = Refusal::new(revision.to_string(), Flaw::ObjectsReplaced, "is in a repository with replacements");
        return Ok(Verified::Refused(refusal));
    }
    let judge = Judge { history, keys: &keys, check, steps: Cell::new(0) };
    let mut by = None;
    if check.tag {
        match judge.tag(revision, tag).map_err(of)? {
            Ok(signer) => by = Some(signer.to_string()),
            Err(refusal) => return Ok(Verified::Refused(refusal)),
        }
    }
    let mut commits = 0;
    if check.commits {
        let alone = [Vec::new()];
        for bases in if check.since.is_empty() { &alone[..] } else { &check.since[..] } {
            match judge.commits(&revision.commit, bases).map_err(of)? {
                Verified::Signed { by: signer, commits: some } => {
                    by = by.or(signer);
                    commits += some;
                }
                other => return Ok(other),
            }
        }
    }
    Ok(Verified::Signed { by, commits })
}

struct Judge<'a, H> {
    history: &'a H,
    keys: &'a Keys,
    check: &'a Check,
    /// How often history was deepened.
    steps: Cell<usize>,
}

/// Why a commit does not count.
struct Refused {
    refusal: Refusal,
    /// Whether more history might tell more.
    short: bool,
}

/// What one look at history gave.
enum Look {
    Done(Verified),
    /// More history is needed before this is certain.
    More(Verified),
}

impl<H: Objects> Judge<'_, H> {
    fn tag(&self, revision: &Revision, tag: Option<&str>) -> Result<Result<Signer, Refusal>, GitError> {
        let (name, commit, url) = (&revision.name, &revision.commit, self.history.url());
        let Some(id) = tag else {
            let object = format!("tag {name} of commit {commit}");
            let why = "is a lightweight tag, which cannot be signed";
            return Ok(Err(Refusal::new(object, Flaw::SignatureMissing, why)));
        };
        let read = || self.history.open(|repository| git::raw(repository, url, id, ObjectType::Tag));
        let mut raw = read()?;
        if raw.is_none() && self.history.fetch_tag()? {
            raw = read()?;
        }
        let raw =
            raw.ok_or_else(|| GitError::new(Kind::NotFetched, url, format!("the tag {id} is not in the cache")))?;
        Ok(judge_tag(name, commit, &raw, &self.keys.all, self.check.seen_at))
    }

    fn commits(&self, new: &str, bases: &[String]) -> Result<Verified, GitError> {
        loop {
            let found = match self.look(new, bases)? {
                Look::Done(found) => return Ok(found),
                Look::More(found) => found,
            };
            let step = self.steps.get();
            self.steps.set(step + 1);
            if !self.history.deepen(step)? {
                return Ok(found);
            }
        }
    }

    fn look(&self, new: &str, bases: &[String]) -> Result<Look, GitError> {
        let url = self.history.url();
        self.history.open(|repository| {
            if bases.is_empty() {
                let raw = git::raw(repository, url, new, ObjectType::Commit)?;
                let raw = raw.ok_or_else(|| missing(url, new))?;
                return Ok(match self.one(repository, new, &raw)? {
                    Ok(signer) => Look::Done(Verified::Signed { by: Some(signer.to_string()), commits: 1 }),
                    Err(Refused { refusal, short: true }) => Look::More(Verified::Refused(refusal)),
                    Err(Refused { refusal, short: false }) => Look::Done(Verified::Refused(refusal)),
                });
            }
            let mut there = false;
            for base in bases {
                there |= git::raw(repository, url, base, ObjectType::Commit)?.is_some();
            }
            if !there {
                return Ok(Look::More(Verified::Gone(bases.join(" or "))));
            }
            let mut exact = false;
            loop {
                let (ids, certain) = match git::range(repository, url, bases, new, exact)? {
                    Range::Commits { ids, certain } => (ids, certain),
                    Range::Short if !exact => {
                        exact = true;
                        continue;
                    }
                    Range::Short => {
                        return Ok(Look::More(Verified::Unknown("history ends before it".to_owned())));
                    }
                    Range::TooMany => {
                        return Ok(Look::Done(Verified::Unknown(
                            "more than 10,000 commits lie between, or its history is too long".to_owned(),
                        )));
                    }
                };
                let refusal = match self.all(repository, &ids)? {
                    Ok(by) => return Ok(Look::Done(Verified::Signed { by, commits: ids.len() })),
                    Err((_, Refused { refusal, short: true })) => return Ok(Look::More(Verified::Refused(refusal))),
                    Err((id, Refused { refusal, .. })) if certain || git::descends(repository, url, &id, bases)? => {
                        return Ok(Look::Done(Verified::Refused(refusal)));
                    }
                    Err((_, Refused { refusal, .. })) => refusal,
                };
                if exact {
                    return Ok(Look::More(Verified::Refused(refusal)));
                }
                exact = true;
            }
        })
    }

    /// Judges commits, oldest first, so that the refusal names where it began; who signed the newest.
    fn all(
        &self,
        repository: &Repository,
        ids: &[String],
    ) -> Result<Result<Option<String>, (String, Refused)>, GitError> {
        let url = self.history.url();
        let mut by = None;
        for id in ids.iter().rev() {
            let raw = git::raw(repository, url, id, ObjectType::Commit)?.ok_or_else(|| missing(url, id))?;
            match self.one(repository, id, &raw)? {
                Ok(signer) => by = Some(signer),
                Err(refused) => return Ok(Err((id.clone(), refused))),
            }
        }
        Ok(Ok(by.map(|signer| signer.to_string())))
    }

    /// Judges one commit; where its key is one for merges alone, with what it is the merge of.
    fn one(&self, repository: &Repository, id: &str, raw: &[u8]) -> Result<Result<Signer, Refused>, GitError> {
        let by = |trust| judge_commit(id, raw, trust, self.check.seen_at);
        let refusal = match by(&self.keys.all) {
            Ok(signer) => return Ok(Ok(signer)),
            Err(refusal) => refusal,
        };
        let Some(Ok(signer)) = self.keys.merges.as_ref().map(by) else {
            return Ok(Err(Refused { refusal, short: false }));
        };
        let (why, short) = match parents(raw).as_deref() {
            Some([one, other]) => {
                let own = git::merge(repository, self.history.url(), one, other)?;
                match own.merged {
                    Merged::Tree(tree) if tree == git::tree_of(repository, self.history.url(), id)? => {
                        return Ok(Ok(signer));
                    }
                    Merged::Tree(_) => ("and holds something else than both its sides", false),
                    Merged::Conflicts => ("and its sides do not merge by themselves", false),
                    Merged::Unknown(_) | Merged::Absent => ("and what it merges cannot be read", own.short),
                }
            }
            _ => ("and is no merge of two commits", false),
        };
        let why = format!("is signed by {signer}, a key for merges alone, {why}");
        Ok(Err(Refused { refusal: Refusal::new(format!("commit {id}"), Flaw::MergeUnequal, &why), short }))
    }
}

fn missing(url: &str, id: &str) -> GitError {
    GitError::new(Kind::NotFetched, url, format!("{id} is not in the cache"))
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = "set spec.verify.since of the Repository to a commit up to which history is trusted as it is";
        match self {
            Self::Signed { by, commits } => {
                let ending = if *commits == 1 { "" } else { "s" };
                write!(f, "{commits} commit{ending} verified")?;
                by.as_ref().map_or(Ok(()), |by| write!(f, ", signed by {by}"))
            }
            Self::Refused(refusal) => write!(f, "{refusal}"),
            Self::Gone(commit) => {
                write!(f, "{commit}, up to which commits were verified, is not in its history any more; hint: {since}")
            }
            Self::Unknown(why) => write!(f, "its history could not be verified: {why}; hint: {since}"),
        }
    }
}

impl Verified {
    /// The reason why it is held; none where it is signed.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Signed { .. } => None,
            Self::Refused(refusal) => Some(refusal.flaw.into()),
            Self::Gone(_) => Some(Reason::AcceptedRevisionUnavailable),
            Self::Unknown(_) => Some(Reason::AncestryUnknown),
        }
    }
}

//! Which commits lead from what is trusted to what was found, and what they are, byte by byte.
//!
//! Parents are read from the raw objects and not through libgit2, which would show the parents that a graft or the end
//! of a shallow history leaves. A commit that is not there is never taken as one that does not matter.

use std::collections::{BinaryHeap, HashMap, HashSet};

use git2::{ErrorCode, ObjectType, Oid, Repository};

use super::cache::Cache;
use super::error::{GitError, Kind};
use super::exchange::Exchange;
use super::fetch::{WHOLE, download, oid};
use super::history::DEPTHS;
use super::listing::Listed;
use super::source::Source;
use crate::revision::signature::{committed_at, parents};

/// Bytes of a commit or tag that are read; one with more is refused.
const OBJECT: usize = 4 << 20;
/// Commits that one step may bring.
pub const STEP: usize = 10_000;
/// Commits that are looked at for it.
const LOOKED_AT: usize = 500_000;

/// What leads to a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// All commits that it descends from, itself included, save those that are reached from a base; newest first.
    Commits {
        /// Their ids.
        ids: Vec<String>,
        /// Whether none of them can be reached from a base by history that is not there.
        certain: bool,
    },
    /// History ends before that is known.
    Short,
    /// They are more than one step may bring.
    TooMany,
}

/// The bytes of an object, without Git's own header; `None` where the repository does not have it.
///
/// # Errors
/// The object store fails, the object is of another type, or it is larger than 4 MiB.
pub fn raw(repository: &Repository, url: &str, id: &str, type_: ObjectType) -> Result<Option<Vec<u8>>, GitError> {
    read(repository, url, oid(url, id)?, type_)
}

fn read(repository: &Repository, url: &str, id: Oid, type_: ObjectType) -> Result<Option<Vec<u8>>, GitError> {
    let failed = |e: git2::Error| GitError::of_cache(url, &format!("reading {id}"), &e);
    let store = repository.odb().map_err(failed)?;
    let (size, found) = match store.read_header(id) {
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    if found != type_ {
        return Err(GitError::new(Kind::RefNotFound, url, format!("{id} is a {found} and no {type_}")));
    }
    if size > OBJECT {
        return Err(GitError::new(Kind::TooLarge, url, format!("the {type_} {id} has {size} bytes")));
    }
    Ok(Some(store.read(id).map_err(failed)?.data().to_vec()))
}

/// Colours of a commit: reached from the new one, reached from a base.
const NEW: u8 = 1;
const OLD: u8 = 2;

/// A commit that was met.
struct Met {
    colour: u8,
    queued: bool,
    /// None where the repository does not have it.
    commit: Option<(i64, Vec<Oid>)>,
}

/// A walk from all starts at once, by the times that commits claim.
struct Walk<'a> {
    repository: &'a Repository,
    url: &'a str,
    met: HashMap<Oid, Met>,
    queue: BinaryHeap<(i64, Oid)>,
    /// Queued commits that are reached from the new one alone.
    open: usize,
}

impl Walk<'_> {
    fn paint(&mut self, id: Oid, colour: u8) -> Result<(), GitError> {
        if let Some(met) = self.met.get_mut(&id) {
            let before = met.colour;
            met.colour |= colour;
            if before == met.colour {
                return Ok(());
            }
            self.open -= usize::from(met.queued && before == NEW);
            if let (false, Some((time, _))) = (met.queued, &met.commit) {
                // What was passed on before lacked this colour.
                met.queued = true;
                self.queue.push((*time, id));
            }
            return Ok(());
        }
        let commit = look(self.repository, self.url, id)?;
        let queued = commit.is_some();
        if let Some((time, _)) = &commit {
            self.queue.push((*time, id));
            self.open += usize::from(colour == NEW);
        }
        self.met.insert(id, Met { colour, queued, commit });
        Ok(())
    }
}

/// When a commit claims to be of, and its parents.
pub(super) fn look(repository: &Repository, url: &str, id: Oid) -> Result<Option<(i64, Vec<Oid>)>, GitError> {
    let Some(raw) = read(repository, url, id, ObjectType::Commit)? else { return Ok(None) };
    let parents = parents(&raw)
        .ok_or_else(|| GitError::new(Kind::RemoteFailed, url, format!("the headers of commit {id} cannot be read")))?;
    let parents = parents.iter().map(|parent| oid(url, parent)).collect::<Result<_, _>>()?;
    Ok(Some((committed_at(&raw).unwrap_or_default(), parents)))
}

/// Commits between the bases and `new`. Where commits claim times that are not in order, one that is reached from a
/// base may be told nevertheless; with `exact`, which walks all of the bases' history, none is.
///
/// # Errors
/// The object store fails, or a commit cannot be read.
pub fn range(repository: &Repository, url: &str, bases: &[String], new: &str, exact: bool) -> Result<Range, GitError> {
    let (met, queue) = (HashMap::new(), BinaryHeap::new());
    let mut walk = Walk { repository, url, met, queue, open: 0 };
    for (id, colour) in bases.iter().map(|base| (base.as_str(), OLD)).chain([(new, NEW)]) {
        walk.paint(oid(url, id)?, colour)?;
    }
    let mut order = Vec::new();
    while exact || walk.open > 0 {
        let Some((_, id)) = walk.queue.pop() else { break };
        let Some(met) = walk.met.get_mut(&id) else { break };
        met.queued = false;
        let colour = met.colour;
        if colour == NEW {
            walk.open -= 1;
            order.push(id);
        }
        for parent in met.commit.as_ref().map_or_else(Vec::new, |(_, parents)| parents.clone()) {
            walk.paint(parent, colour)?;
        }
        if walk.met.len() > LOOKED_AT {
            return Ok(Range::TooMany);
        }
    }
    let mut absent = walk.met.values().filter(|met| met.commit.is_none());
    if absent.clone().any(|met| met.colour == NEW) {
        return Ok(Range::Short);
    }
    let certain = exact && absent.next().is_none();
    let ids: Vec<_> = order.into_iter().filter(|id| walk.met[id].colour == NEW).map(|id| id.to_string()).collect();
    Ok(if ids.len() > STEP { Range::TooMany } else { Range::Commits { ids, certain } })
}

/// Whether a commit descends from all of these, as far as history is there: then it is reached from none of them.
///
/// # Errors
/// As [`range`].
pub fn descends(repository: &Repository, url: &str, id: &str, bases: &[String]) -> Result<bool, GitError> {
    let mut wanted = bases.iter().map(|base| oid(url, base)).collect::<Result<HashSet<_>, _>>()?;
    let mut next = vec![oid(url, id)?];
    let mut met: HashSet<Oid> = next.iter().copied().collect();
    while let Some(id) = next.pop() {
        wanted.remove(&id);
        if wanted.is_empty() || met.len() > LOOKED_AT {
            break;
        }
        if let Some((_, parents)) = look(repository, url, id)? {
            next.extend(parents.into_iter().filter(|parent| met.insert(*parent)));
        }
    }
    Ok(wanted.is_empty())
}

/// Whether the repository shows other commits than there are: by replace refs, or by grafts of its owner.
///
/// # Errors
/// Its references cannot be read.
pub fn is_disguised(repository: &Repository, url: &str) -> Result<bool, GitError> {
    let failed = |e: git2::Error| GitError::of_cache(url, "reading references", &e);
    let replaced = repository.references_glob("refs/replace/*").map_err(failed)?.next().is_some();
    Ok(replaced || repository.commondir().join("info/grafts").exists())
}

/// How many times history can be deepened.
pub const DEEPER: usize = DEPTHS.len() + 1;

/// Fetches more of the history of what was listed: the `step`th time more than before, at the last all of it.
/// Whether that was possible within the limits of the source.
///
/// # Errors
/// The remote cannot be reached or refuses.
pub fn deepen(cache: &Cache, source: &Source, listed: &Listed, step: usize) -> Result<bool, GitError> {
    let deepest = i32::try_from(source.limits.history).unwrap_or(WHOLE);
    let depth = DEPTHS.get(step).copied().unwrap_or(deepest).min(deepest);
    bring(cache, source, listed, depth)
}

/// Fetches what was listed once more, for objects besides its commits: the tag itself.
///
/// # Errors
/// As [`deepen`].
pub fn fetch_again(cache: &Cache, source: &Source, listed: &Listed) -> Result<bool, GitError> {
    bring(cache, source, listed, 0)
}

fn bring(cache: &Cache, source: &Source, listed: &Listed, depth: i32) -> Result<bool, GitError> {
    let what = listed.reference.clone().unwrap_or_else(|| listed.revision.commit.clone());
    let exchange = Exchange::begin(source)?;
    let _alone = cache.fetching(&exchange)?;
    match download(&*cache.open_or_create(&source.url)?, &exchange, &what, depth) {
        Err(error) if error.kind == Kind::TooLarge => Ok(false),
        other => other.map(|()| true),
    }
}

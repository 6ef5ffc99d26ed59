//! The clone around the current folder, asked about commits.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, Oid, Repository};

use crate::failure::{Failure, Fault};

/// Why a clone could not answer.
#[derive(Debug, thiserror::Error)]
pub enum CloneError {
    /// The text names no commit here.
    #[error("{text:?} names no commit in the clone at {folder}")]
    NoSuchCommit {
        /// As given.
        text: String,
        /// Where.
        folder: String,
        /// What git said.
        source: git2::Error,
    },
    /// There is no clone, and the text is no whole commit id.
    #[error(
        "{0:?} is no commit id of 40 hex digits, and the current folder is in no clone that could tell which it names"
    )]
    NoClone(String),
    /// The clone could not be read.
    #[error("the clone cannot be read")]
    Unreadable(#[from] git2::Error),
}

impl Failure for CloneError {
    fn reason(&self) -> &'static str {
        match self {
            CloneError::NoSuchCommit { .. } | CloneError::NoClone(_) => "NoSuchCommit",
            CloneError::Unreadable(_) => "CloneUnreadable",
        }
    }

    fn fault(&self) -> Fault {
        Fault::Repository
    }

    fn hint(&self) -> Option<String> {
        match self {
            CloneError::NoSuchCommit { .. } => Some("`git fetch` may bring it".to_owned()),
            CloneError::NoClone(_) => Some("run it inside a clone of the repository".to_owned()),
            CloneError::Unreadable(_) => None,
        }
    }
}

/// How a commit stands to another one, as far as a clone can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is the same, or the other descends from it.
    Contained,
    /// The other does not descend from it.
    NotContained,
    /// Not known here.
    Unknown,
}

/// A clone, or none.
pub struct Clone(Option<Repository>);

impl Clone {
    /// The clone around a folder, where there is one.
    pub fn around(folder: &Path) -> Result<Self, CloneError> {
        match Repository::discover(folder) {
            Ok(repository) => Ok(Self(Some(repository))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(Self(None)),
            Err(error) => Err(error.into()),
        }
    }

    /// The repository at a folder, bare or not.
    pub fn at(folder: &Path) -> Result<Self, CloneError> {
        Ok(Self(Some(Repository::open(folder)?)))
    }

    /// The repository; an error where there is none that could have the commit.
    pub fn repository(&self, commit: &str) -> Result<&Repository, CloneError> {
        self.0.as_ref().ok_or_else(|| CloneError::NoClone(commit.to_owned()))
    }

    /// The path from the root of the working copy; `None` where it is not below it.
    pub fn folder_of(&self, path: &Path) -> Result<Option<PathBuf>, CloneError> {
        let Some(root) = self.0.as_ref().and_then(Repository::workdir) else { return Ok(None) };
        // The folder itself may be gone by now, so only what exists of it is resolved.
        let there = path.ancestors().find(|above| above.exists() && *above != Path::new(""));
        let there = there.unwrap_or(Path::new("."));
        let rest = path.strip_prefix(there).unwrap_or(path);
        let resolved = |path: &Path| path.canonicalize().map_err(|e| git2::Error::from_str(&e.to_string()));
        let whole = resolved(there)?.join(rest);
        Ok(whole.strip_prefix(resolved(root)?).ok().map(Path::to_owned))
    }

    /// The commit that the text names: an id, a part of one, a branch, `HEAD~2`, or a revision as
    /// statuses write it.
    pub fn commit(&self, text: &str) -> Result<String, CloneError> {
        let named = text.rsplit_once("sha1:").map_or(text, |(_, commit)| commit);
        let Some(repository) = &self.0 else {
            let whole = named.len() == 40 && named.bytes().all(|b| b.is_ascii_hexdigit());
            return whole.then(|| named.to_lowercase()).ok_or_else(|| CloneError::NoClone(text.to_owned()));
        };
        let found = repository.revparse_single(named).and_then(|object| object.peel_to_commit());
        match found {
            Ok(commit) => Ok(commit.id().to_string()),
            Err(_) if Oid::from_str(named).is_ok() && named.len() == 40 => Ok(named.to_lowercase()),
            Err(source) => {
                let folder = repository.path().display().to_string();
                Err(CloneError::NoSuchCommit { text: text.to_owned(), folder, source })
            }
        }
    }

    /// Whether `commit` is contained in the history of `other`.
    pub fn standing(&self, commit: &str, other: &str) -> Standing {
        if commit == other {
            return Standing::Contained;
        }
        let descends = || {
            let repository = self.0.as_ref()?;
            let (commit, other) = (Oid::from_str(commit).ok()?, Oid::from_str(other).ok()?);
            repository.graph_descendant_of(other, commit).ok()
        };
        match descends() {
            Some(true) => Standing::Contained,
            Some(false) => Standing::NotContained,
            None => Standing::Unknown,
        }
    }

    /// The one commit where two lines of history parted.
    ///
    /// # Errors
    /// The clone cannot be read.
    pub fn parted(&self, one: &str, other: &str) -> Result<Option<String>, CloneError> {
        let repository = self.repository(other)?;
        let bases = repository.merge_bases(Oid::from_str(one)?, Oid::from_str(other)?);
        match bases {
            Ok(bases) if bases.len() == 1 => Ok(bases.first().map(ToString::to_string)),
            Ok(_) => Ok(None),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Id of what stands at a path in a commit; the outer `None` where the clone cannot tell, the
    /// inner one where nothing stands there.
    pub fn tree_id(&self, commit: &str, path: &str) -> Option<Option<String>> {
        let commit = self.0.as_ref()?.find_commit(Oid::from_str(commit).ok()?).ok()?;
        let tree = commit.tree().ok()?;
        let path = path.trim_matches('/');
        if path.is_empty() || path == "." {
            return Some(Some(tree.id().to_string()));
        }
        match tree.get_path(Path::new(path)) {
            Ok(entry) => Some(Some(entry.id().to_string())),
            Err(error) if error.code() == ErrorCode::NotFound => Some(None),
            Err(_) => None,
        }
    }
}

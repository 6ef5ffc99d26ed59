//! Which commit, and may it go: what is wanted, what was found, and what a Sync may accept.

mod accept;
pub mod checks;
pub mod coverage;
pub mod freeze;
mod patterns;
pub mod proposal;
mod refs;
pub mod review;
pub mod signature;

pub use accept::{Acceptance, Ancestry, HoldReason, accept};
pub use refs::{RefProblem, RemoteRef, Wanted, select};

use std::fmt;

use serde::{Deserialize, Serialize};

/// A commit with the name by which it was found; written `main@sha1:<hash>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Revision {
    /// Short name of the branch or tag, a full reference name, or empty for a bare commit.
    pub name: String,
    /// Commit id, 40 hex digits.
    pub commit: String,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            write!(f, "{}@", self.name)?;
        }
        write!(f, "sha1:{}", self.commit)
    }
}

impl Revision {
    /// Reads the written form; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, hash) = match text.rsplit_once('@') {
            Some((name, hash)) => (name, hash),
            None => ("", text),
        };
        let commit = hash.strip_prefix("sha1:")?;
        let whole = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
        whole.then(|| Self { name: name.to_owned(), commit: commit.to_owned() })
    }

    /// The first 8 digits of the commit, for people.
    pub fn short(&self) -> &str {
        &self.commit[..8.min(self.commit.len())]
    }
}

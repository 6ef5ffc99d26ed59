//! `CODEOWNERS`: whose approval a path needs, where a repository has no owners file.
//!
//! It only asks for more: of the approvals that count, some must be by those whom it names. Nobody becomes `dev` or `ops` by
//! it, so that what needs operations stays held. It can name logins alone; whose one is, the forge says with the review.

mod pattern;
mod read;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use pattern::Pattern;
pub use verdict::{Logins, judge_by_code_owners};

use crate::object::Problem;

/// As which forge reads the file: where it stands, and what its patterns mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dialect {
    /// The last pattern that fits counts.
    GitHub,
    /// The last pattern of each section counts.
    GitLab,
    /// Patterns are regular expressions, and each that fits counts.
    Gitea,
}

impl Dialect {
    /// Where the file stands; the first that is there counts.
    pub fn places(self) -> [&'static str; 3] {
        match self {
            Self::GitHub => [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"],
            Self::GitLab => ["CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"],
            Self::Gitea => ["CODEOWNERS", "docs/CODEOWNERS", ".gitea/CODEOWNERS"],
        }
    }
}

/// Somebody whom the file names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    /// A login, in lower case.
    Login(String),
    /// A team or a role, as written: nobody approves as one.
    Team(String),
    /// An address, as written: no forge says whose it is.
    Email(String),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login(login) => write!(f, "@{}", login.escape_debug()),
            Self::Team(team) => write!(f, "{} (a team, which never counts)", team.escape_debug()),
            Self::Email(email) => write!(f, "{} (an address, which never counts)", email.escape_debug()),
        }
    }
}

/// Whose approval which path needs, read and checked.
#[derive(Clone, Debug)]
pub struct CodeOwners {
    dialect: Dialect,
    /// Where it stands.
    file: String,
    sections: Vec<Section>,
}

/// Lines of which the last that fits counts.
#[derive(Clone, Debug)]
struct Section {
    /// In lower case.
    name: String,
    /// So many of those named must approve; none where it is optional.
    count: usize,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    line: u32,
    pattern: Pattern,
    owners: BTreeSet<Owner>,
}

/// What the file asks for one path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ask<'a> {
    /// The line that asks; none where the file protects itself.
    line: Option<u32>,
    count: usize,
    owners: &'a BTreeSet<Owner>,
}

impl CodeOwners {
    /// Reads the file.
    ///
    /// # Errors
    /// Everything that is wrong with it, by its lines.
    pub fn read(dialect: Dialect, file: &str, bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        read::code_owners(dialect, file, bytes)
    }

    /// Where it stands.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What it asks for a path. The file itself, wherever the forge looks for it, is never nobody's: else who is not named
    /// could name themselves.
    fn asks<'a>(&'a self, path: &str, everybody: &'a BTreeSet<Owner>) -> Vec<Ask<'a>> {
        let fits = |entry: &&Entry| entry.pattern.fits(path);
        let last = |section: &'a Section| {
            let entry = section.entries.iter().rev().find(fits)?;
            let asks = section.count > 0 && !entry.owners.is_empty();
            asks.then_some(Ask { line: Some(entry.line), count: section.count, owners: &entry.owners })
        };
        let asks: Vec<_> = self.sections.iter().filter_map(last).collect();
        if asks.is_empty() && self.dialect.places().contains(&path) {
            return vec![Ask { line: None, count: 1, owners: everybody }];
        }
        asks
    }

    /// Whether it names a login, which is in lower case.
    pub fn names(&self, login: &str) -> bool {
        self.everybody().contains(&Owner::Login(login.to_owned()))
    }

    /// All whom it names anywhere.
    fn everybody(&self) -> BTreeSet<Owner> {
        self.sections.iter().flat_map(|section| &section.entries).flat_map(|entry| entry.owners.clone()).collect()
    }
}

/// Paths by what is asked for them.
type Asked<'a> = BTreeMap<Ask<'a>, Vec<&'a str>>;

#[cfg(test)]
mod tests;

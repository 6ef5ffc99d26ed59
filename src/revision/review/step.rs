//! One step of the mainline.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Account;

/// What one commit of the mainline changes against its first parent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The first parent.
    pub parent: String,
    /// The commit.
    pub commit: String,
    /// Id of its root tree.
    pub tree: String,
    /// Head of the reviewed proposal (pull request) that this step was proven to be the merge of: approvals of that head
    /// are approvals of this step. Nothing may be put here on somebody's word.
    pub proposal: Option<Head>,
    /// Every path that differs, with both sides of a rename.
    pub paths: BTreeSet<String>,
    /// Those of the paths that need operations whatever a rule says, with why.
    pub sensitive: BTreeMap<String, String>,
    /// Those of the paths that say what everybody may do: Tandem's own files, and Standards.
    pub rules: BTreeSet<String>,
    /// Whether its own message has lines that steer ([`carries_trailers`]): then an approval of another commit with the same
    /// files is none of this one.
    pub carries_trailers: bool,
    /// Everybody who had a hand in it: authors, committers and signers of all that the step brings, who opened and pushed.
    pub makers: BTreeSet<Maker>,
    /// Whether these are all of them for certain.
    pub authorship: Authorship,
}

/// Head of a proposal that a step was proven to be the merge of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The commit.
    pub commit: String,
    /// Where it left the mainline, which is what all of the proposal is compared with; none where that is not one commit.
    pub fork: Option<String>,
}

/// Whether a message has a line that steers what is deployed, such as `Tandem-Delete`, however it is written.
pub fn carries_trailers(message: &str) -> bool {
    let steers = |line: &str| {
        let line = line.trim_start_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
        ["tandem", "break-glass"].iter().any(|name| line.starts_with(name)) && line.contains(':')
    };
    message.lines().any(steers)
}

/// By what somebody who had a hand in a change is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Maker {
    /// An email address of a commit, which is whatever its author wrote.
    Email(String),
    /// Fingerprint of the key that signed a commit.
    Key(String),
    /// Who opened or pushed, as the forge knows it.
    Account(Account),
}

/// Whether it is known who made a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Authorship {
    /// Only names in commits say so, which anybody may write: one approval more is needed, so that one of those who
    /// approve surely is another person.
    #[default]
    Claimed,
    /// Listed people signed all commits, or the forge knows who opened and pushed them.
    Proven,
}

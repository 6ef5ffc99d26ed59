//! One person's word on one change.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::note::Plans;

/// A person's account at a forge. The number is the forge's own and stays when the account is renamed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Account {
    /// Host of the forge, such as `github.com`, in lower case.
    pub forge: String,
    /// The number of the account there.
    pub id: u64,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the account {} at {}", self.id, self.forge)
    }
}

/// By what somebody who approves is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Voter {
    /// The fingerprint `SHA256:…` of the SSH key that signed.
    Key(String),
    /// The account that approved at the forge.
    Account(Account),
}

impl fmt::Display for Voter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(fingerprint) => write!(f, "the key {fingerprint}"),
            Self::Account(account) => account.fmt(f),
        }
    }
}

/// As whom somebody approves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// As one who develops what is changed.
    Dev,
    /// As operations.
    Ops,
}

impl Role {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Ops => "ops",
        }
    }
}

/// Somebody's approval of a change. It was verified that it is theirs; whether it counts is for [`super::judge`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Whose.
    pub voter: Voter,
    /// The commit that was approved.
    pub head: String,
    /// Id of its root tree, where the approval itself names it.
    pub tree: Option<String>,
    /// The commit that it was compared with, where the approval itself names it.
    pub base: Option<String>,
    /// The one role in which it counts; without it, in each that the person has.
    pub role: Option<Role>,
    /// When, by the word of who approved, or of the forge.
    pub at: Timestamp,
    /// From when on it does not count.
    pub expires: Option<Timestamp>,
    /// It was taken back.
    pub withdrawn: bool,
    /// What is to become of the cluster, where it says so.
    pub plans: Plans,
}

//! The keys that may sign, read from the files that hold them.

use serde::{Deserialize, Serialize};

use super::openpgp::{self, Certificate};
use super::ssh::{self, Allowed};

/// A file with keys: a key of a Secret, or a file on a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFile {
    /// Its name without a folder, which tells what it holds.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// What is wrong with a file of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct KeyFileProblem {
    /// Of the file; empty where it is about all of them.
    pub file: String,
    /// Line, from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong, with what to do.
    pub message: String,
}

impl std::fmt::Display for KeyFileProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => write!(f, "{}", self.message),
            (file, Some(line)) => write!(f, "{file}:{line}: {}", self.message),
            (file, None) => write!(f, "{file}: {}", self.message),
        }
    }
}

/// How the name of a file begins whose keys sign merges alone.
const MERGES: &str = "merges";

/// The keys that may sign, and those that may sign merges alone.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Whatever it is.
    pub all: Trust,
    /// A merge of two commits that holds what our own merge of them holds: a forge signs what somebody else decided.
    pub merges: Option<Trust>,
}

impl Keys {
    /// Reads files of keys, as [`Trust::read`] does. What is in `merges*.pub` and `merges*.asc` signs merges alone.
    ///
    /// # Errors
    /// As [`Trust::read`].
    pub fn read(files: &[KeyFile]) -> Result<Self, KeyFileProblem> {
        let (mut merges, all): (Vec<KeyFile>, Vec<KeyFile>) =
            files.iter().cloned().partition(|file| file.name.starts_with(MERGES));
        let all_keys = Trust::read(&all)?;
        if merges.is_empty() {
            return Ok(Self { all: all_keys, merges: None });
        }
        // A key that counts nowhere signs no merge either.
        merges.extend(all.into_iter().filter(|file| file.name == "revoked_keys"));
        Ok(Self { all: all_keys, merges: Some(Trust::read(&merges)?) })
    }
}

/// The keys that may sign.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    pub(super) ssh: Allowed,
    pub(super) openpgp: Vec<Certificate>,
}

impl Trust {
    /// Reads files of keys. `allowed_signers` has the lines of `ssh-keygen` (times without a `Z` are read as UTC),
    /// `revoked_keys` SSH keys that count nowhere, a file `*.pub` SSH keys that may sign anything, and a file `*.asc`, or
    /// whatever begins as an armored OpenPGP key, OpenPGP keys and revocations.
    ///
    /// # Errors
    /// A file is none of these or cannot be read to its end, or there is no key at all: keys that are left out in
    /// silence would be revocations that are left out as well.
    pub fn read(files: &[KeyFile]) -> Result<Self, KeyFileProblem> {
        let mut trust = Self::default();
        let mut revocations = Vec::new();
        for KeyFile { name, text } in files {
            let problem = |(line, message)| KeyFileProblem { file: name.clone(), line, message };
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            match (name.as_str(), ending) {
                ("allowed_signers", _) => trust.ssh.read_lines(text).map_err(problem)?,
                ("revoked_keys", _) => trust.ssh.read_revoked(text).map_err(problem)?,
                _ if ending == "asc" || text.trim_start().starts_with("-----BEGIN PGP") => {
                    openpgp::read(text, &mut trust.openpgp, &mut revocations).map_err(|m| problem((None, m)))?;
                }
                (_, "pub") => trust.ssh.read_keys(text, ssh::owner_of_file(name)).map_err(problem)?,
                _ => {
                    let message =
                        "is no file of keys: allowed_signers, revoked_keys, *.pub (SSH) and *.asc (OpenPGP) are";
                    return Err(problem((None, message.to_owned())));
                }
            }
        }
        openpgp::revoke(&mut trust.openpgp, &revocations).map_err(|message| KeyFileProblem {
            file: String::new(),
            line: None,
            message,
        })?;
        if trust.ssh.is_empty() && trust.openpgp.is_empty() {
            let message = "there is no key that may sign: allowed_signers, *.pub (SSH) or *.asc (OpenPGP)".to_owned();
            return Err(KeyFileProblem { file: String::new(), line: None, message });
        }
        Ok(trust)
    }

    /// The keys of an owners file, as lines of `allowed_signers`. None at all is no mistake: people may have accounts
    /// alone.
    ///
    /// # Errors
    /// A line cannot be read.
    pub fn read_owners(file: &KeyFile) -> Result<Self, KeyFileProblem> {
        let mut trust = Self::default();
        let problem = |(line, message)| KeyFileProblem { file: file.name.clone(), line, message };
        trust.ssh.read_lines(&file.text).map_err(problem)?;
        Ok(trust)
    }
}

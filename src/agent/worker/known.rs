//! Who may approve, by the files of a commit: its owners file, or its `CODEOWNERS` where there is none.

use std::collections::BTreeSet;

use git2::Repository;

use crate::failure::{Failed, Fault};
use crate::git::{self, Content, GitError};
use crate::object::Problem;
use crate::revision::review::glass::{self, Claim, Glass};
use crate::revision::review::{
    Account, Approval, CodeOwners, Dialect, Logins, Means, OWNERS_FILE, Owners, Settings, Step, Verdict, Voter, digest,
    judge, judge_by_code_owners,
};
use crate::revision::signature::Trust;

use super::review::ReviewCheck;

/// Who may approve, with the keys of all.
pub(super) struct Known {
    who: Who,
    pub(super) trust: Trust,
    /// Digest of the file that says so.
    pub(super) digest: String,
}

enum Who {
    Owners(Box<Owners>),
    /// Whoever may write to the repository, and of these the ones whom the file names.
    Writers(CodeOwners),
}

impl Known {
    /// By the files of a commit; in words why not.
    pub(super) fn read(
        repository: &Repository,
        url: &str,
        commit: &str,
        dialect: Option<Dialect>,
    ) -> Result<Result<Self, String>, GitError> {
        let file = git::file(repository, url, commit, OWNERS_FILE)?;
        if file != Content::Absent {
            return Ok(Self::owners(file));
        }
        let absent = format!("there is no {OWNERS_FILE}");
        let Some(dialect) = dialect else {
            for place in [Dialect::GitHub, Dialect::GitLab, Dialect::Gitea].iter().flat_map(|one| one.places()) {
                if git::file(repository, url, commit, place)? != Content::Absent {
                    return Ok(Err(format!("{absent}, and {place} is read only where spec.review.forge is true")));
                }
            }
            return Ok(Err(absent));
        };
        for place in dialect.places() {
            let bytes = match git::file(repository, url, commit, place)? {
                Content::Absent => continue,
                Content::TooLarge => return Ok(Err(format!("{place} has more than 1 MiB"))),
                Content::Read(bytes) => bytes,
            };
            let read = CodeOwners::read(dialect, place, &bytes).map_err(|all| told(&all));
            let known = |owners| Self { who: Who::Writers(owners), trust: Trust::default(), digest: digest(&bytes) };
            return Ok(read.map(known));
        }
        Ok(Err(absent))
    }

    /// By an owners file.
    fn owners(file: Content) -> Result<Self, String> {
        let bytes = match file {
            Content::Read(bytes) => bytes,
            Content::Absent => return Err(format!("there is no {OWNERS_FILE}")),
            Content::TooLarge => return Err(format!("{OWNERS_FILE} has more than 1 MiB")),
        };
        let owners = Owners::read(OWNERS_FILE, &bytes).map_err(|all| told(&all))?;
        let trust = owners.trust().map_err(|problem| problem.to_string())?;
        Ok(Self { who: Who::Owners(Box::new(owners)), trust, digest: digest(&bytes) })
    }

    /// Whether somebody is listed with an account.
    pub(super) fn lists(&self, account: &Account) -> bool {
        match &self.who {
            Who::Owners(owners) => owners.knows(&Voter::Account(account.clone())),
            Who::Writers(_) => false,
        }
    }

    /// The verdict on a step.
    pub(super) fn judge(
        &self,
        step: &Step,
        approvals: &[Approval],
        logins: Logins<'_>,
        check: &ReviewCheck,
    ) -> Verdict {
        let settings = self.settings(&check.settings);
        match &self.who {
            Who::Owners(owners) => judge(step, approvals, owners, &settings, check.now),
            Who::Writers(owners) => judge_by_code_owners(step, approvals, (owners, logins), &settings, check.now),
        }
    }

    /// Whether somebody is known here by a login alone.
    pub(super) fn names(&self, login: &str) -> bool {
        match &self.who {
            Who::Owners(_) => false,
            Who::Writers(owners) => owners.names(login),
        }
    }

    fn settings(&self, asked: &Settings) -> Settings {
        match &self.who {
            Who::Owners(owners) => owners.settings(asked),
            Who::Writers(_) => *asked,
        }
    }

    /// Whether a step goes ahead of its review.
    pub(super) fn glass(&self, step: &Step, claim: Claim<'_>) -> Result<Glass, String> {
        match &self.who {
            Who::Owners(owners) => glass::break_glass(step, claim, owners),
            Who::Writers(_) => Err("there is no owners file that lets somebody do that".to_owned()),
        }
    }

    /// Whether a step changes who may approve.
    pub(super) fn is_changed_by(&self, paths: &BTreeSet<String>, dialect: Option<Dialect>) -> bool {
        let places = match &self.who {
            Who::Owners(_) => None,
            Who::Writers(_) => dialect.map(Dialect::places),
        };
        paths.contains(OWNERS_FILE) || places.into_iter().flatten().any(|place| paths.contains(place))
    }

    /// Who may approve after a commit; in words why nobody could. What an owners file said is not said more weakly by taking
    /// it away.
    pub(super) fn after(
        &self,
        (repository, url): (&Repository, &str),
        commit: &str,
        check: &ReviewCheck,
    ) -> Result<Result<Self, String>, GitError> {
        let next = match &self.who {
            Who::Owners(_) => Self::owners(git::file(repository, url, commit, OWNERS_FILE)?),
            Who::Writers(_) => Self::read(repository, url, commit, check.dialect)?,
        };
        Ok(next.and_then(|next| {
            if let Who::Owners(owners) = &next.who {
                let means = check.forge.as_deref().map_or(Means::Notes, Means::Forge);
                owners.can_approve(&owners.settings(&check.settings), means)?;
            }
            Ok(next)
        }))
    }
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn invalid(commit: &str, why: &str) -> Failed {
    Failed::new("OwnersInvalid", Fault::Repository, format!("the owners of {commit}: {why}"))
        .with_hint(format!("write {OWNERS_FILE}"))
}

/// The owners of a commit.
///
/// # Errors
/// The repository cannot be read, or the file is missing or wrong.
pub fn owners_of(repository: &Repository, url: &str, commit: &str) -> Result<Owners, Failed> {
    let file = git::file(repository, url, commit, OWNERS_FILE).map_err(|error| Failed::from(&error))?;
    match Known::owners(file).map_err(|why| invalid(commit, &why))?.who {
        Who::Owners(owners) => Ok(*owners),
        Who::Writers(_) => Err(invalid(commit, "they are no owners file")),
    }
}

/// Digest of the file of a commit that says who may approve.
///
/// # Errors
/// As [`owners_of`].
pub(super) fn digest_of(
    repository: &Repository,
    url: &str,
    commit: &str,
    dialect: Option<Dialect>,
) -> Result<String, Failed> {
    let known = Known::read(repository, url, commit, dialect).map_err(|error| Failed::from(&error))?;
    Ok(known.map_err(|why| invalid(commit, &why))?.digest)
}

#[cfg(test)]
mod tests;

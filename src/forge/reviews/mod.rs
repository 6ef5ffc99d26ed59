//! What a forge knows of the pull or merge requests by which a commit came: read, and judged elsewhere
//! (`revision::proposal`).
//!
//! Lists are read to their end or not at all: what a list leaves out might be what speaks against an approval.

pub(super) mod gitea;
pub(super) mod github;
pub(super) mod gitlab;
mod pushes;

use reqwest::Method;
use serde_json::Value;

use super::book::{Head, Makers};
use super::read::{account, commit, number, strange, text, time};
use super::{Forge, ForgeError, PAGES};
use crate::api::ForgeType;
use crate::revision::proposal::Proposal;

/// Proposals of one commit that are looked at.
const PROPOSALS: usize = 10;

/// What a forge says of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Number of the repository that was asked.
    pub repository: u64,
    /// The proposals that it names with the commit.
    pub proposals: Vec<Proposal>,
}

/// How far a proposal is that is asked about.
#[derive(Clone, Copy)]
enum Stage<'a> {
    /// It is open.
    Open,
    /// It is merged, maybe by this commit.
    Landed(&'a str),
}

impl Stage<'_> {
    /// Whether one that is merged by a commit, or by none, is what is meant.
    fn concerns(self, merged: Option<&str>) -> bool {
        match self {
            Stage::Open => merged.is_none(),
            Stage::Landed(sha) => merged == Some(sha),
        }
    }
}

impl Forge {
    /// The proposals by which a commit came, with their reviews. What does not depend on one another is asked for at once.
    ///
    /// # Errors
    /// It cannot be asked, or its answer is none.
    pub async fn proposals(&self, commit: &str) -> Result<Said, ForgeError> {
        match self.kind {
            ForgeType::Gitea => gitea::proposals(self, commit).await,
            ForgeType::GitHub => github::proposals(self, commit).await,
            ForgeType::GitLab => gitlab::proposals(self, commit).await,
        }
    }

    /// A proposal that is open, with its reviews.
    ///
    /// # Errors
    /// As [`proposals`](Self::proposals).
    pub async fn proposal(&self, number: u64) -> Result<Said, ForgeError> {
        match self.kind {
            ForgeType::Gitea => gitea::open(self, &number.to_string()).await,
            ForgeType::GitHub => github::open(self, &number.to_string()).await,
            ForgeType::GitLab => gitlab::open(self, number).await,
        }
    }

    /// Who made the head of a proposal. Of one that landed that may be known from when it was open; else it is asked.
    async fn makers(
        &self,
        stage: Stage<'_>,
        (number, target, commit): (u64, &str, Option<&str>),
        ask: impl Future<Output = Result<Makers, ForgeError>>,
    ) -> Result<Makers, ForgeError> {
        let Some(commit) = commit else { return ask.await };
        let head = Head { number, target: target.to_owned(), commit: commit.to_owned() };
        let known = match stage {
            Stage::Landed(_) => self.client.book.makers(&head),
            Stage::Open => None,
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let made = ask.await?;
        if matches!(stage, Stage::Open) {
            self.client.book.note(head, &made);
        }
        Ok(made)
    }

    /// One answer about the repository.
    pub(super) async fn one(&self, rest: &[&str], query: &[(&str, &str)]) -> Result<Value, ForgeError> {
        Ok(self.client.ask(Method::GET, &self.path(rest), query, None).await?.body)
    }

    /// All of a list about the repository.
    pub(super) async fn all(&self, rest: &[&str], query: &[(&str, &str)]) -> Result<Vec<Value>, ForgeError> {
        self.all_at(&self.path(rest), query).await
    }

    /// All of a list, wherever it is.
    async fn all_at(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<Value>, ForgeError> {
        self.all_in(path, query, None).await
    }

    /// All of a list that stands in a field of each answer, or is the answer.
    pub(super) async fn all_in(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        field: Option<&str>,
    ) -> Result<Vec<Value>, ForgeError> {
        let (size, count) = self.page_size();
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let page = page.to_string();
            let query: Vec<_> = query.iter().copied().chain([("page", page.as_str()), (size, count)]).collect();
            let answer = self.client.ask(Method::GET, path, &query, None).await?;
            let mut body = answer.body;
            let found = match field {
                Some(field) => body.get_mut(field).map(Value::take).unwrap_or_default(),
                None => body,
            };
            let Value::Array(mut some) = found else { return Err(strange(path, "it is no list")) };
            // A full page that is known already may have come to have others after it, of which nobody tells.
            let full = count.parse().is_ok_and(|count| some.len() >= count);
            all.append(&mut some);
            if !answer.more && !full {
                return Ok(all);
            }
        }
        Err(strange(path, &format!("it has more than {PAGES} pages")))
    }

    pub(super) fn page_size(&self) -> (&'static str, &'static str) {
        match self.kind {
            ForgeType::Gitea => ("limit", "50"),
            ForgeType::GitHub | ForgeType::GitLab => ("per_page", "100"),
        }
    }

    /// Number of the repository itself.
    async fn repository_number(&self) -> Result<u64, ForgeError> {
        number(&self.one(&[], &[]).await?, "id").ok_or_else(|| strange(&self.path(&[]), "it has no number"))
    }
}

#[cfg(test)]
pub(super) mod tests;

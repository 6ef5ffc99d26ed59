//! Forges: GitHub, GitLab, Gitea and Forgejo. What a commit has as its status there and as its deployment, and what is
//! known of the pull or merge request by which it came; open ones, and our comment on each.
//!
//! Formats: GitHub's REST API of 2022-11-28 ("commit statuses", "check runs", "deployments", "pulls"), GitLab's API v4
//! ("commits", "deployments", "merge requests"), Gitea's API v1. The token is sent to the API's own address alone; pages are
//! counted and links never followed, and a redirect is an error.

mod alone;
mod app;
mod book;
mod checks;
mod client;
mod deployments;
#[cfg(test)]
mod described;
mod error;
mod open;
mod read;
mod reviews;
#[cfg(test)]
mod tests;

use reqwest::{Method, Url};
use serde_json::{Value, json};

pub use app::{App, token as app_token};
pub use deployments::{Deployment, Name, Target};
pub use error::ForgeError;
pub use open::{Comment, Labelled, Open};
pub use reviews::Said;

use crate::api::ForgeType;
use crate::report::commit_status::{CommitStatus, Light};
pub use book::Book;
use client::Client;

/// Pages of one list that are looked through.
const PAGES: usize = 20;

/// One repository on a forge.
#[derive(Clone)]
pub struct Forge {
    kind: ForgeType,
    client: Client,
    /// Segments that name the repository below `repos` or `projects`.
    project: Vec<String>,
}

/// Where a forge is, and as whom it is asked.
pub struct Access<'a> {
    /// Whose API it speaks.
    pub kind: ForgeType,
    /// Address of the API, where it is not that of the host of `url`.
    pub api: Option<&'a str>,
    /// URL of the repository for Git.
    pub url: &'a str,
    /// Its token.
    pub token: &'a str,
    /// Certificate authorities in PEM, in place of the system's.
    pub ca: Option<&'a str>,
}

impl Forge {
    /// The repository at a URL; nothing is sent yet.
    ///
    /// # Errors
    /// An address or the token cannot be used.
    pub fn new(access: &Access<'_>) -> Result<Self, ForgeError> {
        let bad = || ForgeError::Url(access.url.to_owned());
        let url = Url::parse(access.url).map_err(|_| bad())?;
        let host = url.host_str().ok_or_else(bad)?;
        let path = url.path().trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let mut project: Vec<String> = path.split('/').map(str::to_owned).collect();
        if project.len() < 2 || project.iter().any(|part| matches!(part.as_str(), "" | "." | "..")) {
            return Err(bad());
        }
        project = match access.kind {
            // Groups may be nested: the whole path is one segment.
            ForgeType::GitLab => vec![project.join("/")],
            ForgeType::GitHub | ForgeType::Gitea => project.split_off(project.len() - 2),
        };
        // Git's port for SSH is not that of the API.
        let port = url.port().filter(|_| url.scheme() != "ssh").map(|port| format!(":{port}")).unwrap_or_default();
        let scheme = if url.scheme() == "http" { "http" } else { "https" };
        let api = match (access.api, access.kind) {
            (Some(api), _) => api.to_owned(),
            (None, ForgeType::GitHub) if host == "github.com" => "https://api.github.com".to_owned(),
            (None, ForgeType::GitHub) => format!("{scheme}://{host}{port}/api/v3"),
            (None, ForgeType::GitLab) => format!("{scheme}://{host}{port}/api/v4"),
            (None, ForgeType::Gitea) => format!("{scheme}://{host}{port}/api/v1"),
        };
        let client = Client::new(access.kind, &api, access.token, access.ca)?;
        Ok(Self { kind: access.kind, client, project })
    }

    /// The same, which asks only for what has changed since the answers in a book.
    pub fn with(mut self, book: Book) -> Self {
        self.client.book = book;
        self
    }

    /// The newest status that a commit has under a context.
    ///
    /// # Errors
    /// It cannot be asked, or its answer is none.
    pub async fn status(&self, commit: &str, context: &str) -> Result<Option<CommitStatus>, ForgeError> {
        let path: Vec<&str> = match self.kind {
            ForgeType::GitLab => self.path(&["repository", "commits", commit, "statuses"]),
            ForgeType::GitHub | ForgeType::Gitea => self.path(&["commits", commit, "statuses"]),
        };
        let query = [("name", context)];
        let query = if self.kind == ForgeType::GitLab { &query[..] } else { &[] };
        self.newest(&path, query, "statuses", |one| {
            let (id, of, status) = self.read(one)?;
            Some((id, (of == context).then_some(status)))
        })
        .await
    }

    /// Of a list, the newest that is wanted: that with the highest number. What lies behind so many pages is not looked for.
    async fn newest<T>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        what: &str,
        read: impl Fn(&Value) -> Option<(u64, Option<T>)>,
    ) -> Result<Option<T>, ForgeError> {
        let (size, count) = self.page_size();
        let mut newest: Option<(u64, T)> = None;
        for page in 1..=PAGES {
            let page = page.to_string();
            let query: Vec<_> =
                [("page", page.as_str()), (size, count)].into_iter().chain(query.iter().copied()).collect();
            let answer = self.client.ask(Method::GET, path, &query, None).await?;
            let strange = || ForgeError::Nonsense(path.join("/"), format!("it is no list of {what}"));
            for one in answer.body.as_array().ok_or_else(strange)? {
                let (id, wanted) = read(one).ok_or_else(strange)?;
                if let Some(wanted) = wanted
                    && newest.as_ref().is_none_or(|(known, _)| *known < id)
                {
                    newest = Some((id, wanted));
                }
            }
            if !answer.more {
                break;
            }
        }
        Ok(newest.map(|(_, newest)| newest))
    }

    /// Whether a status can take the place of another, and would show something else. GitLab takes no second pending
    /// status, whatever it says.
    pub fn shows(&self, before: Option<&CommitStatus>, after: &CommitStatus) -> bool {
        match before {
            None => true,
            Some(before) if self.kind == ForgeType::GitLab => before.light != after.light,
            Some(before) => before != after,
        }
    }

    /// Sets the status of a commit under a context; the number of the account that it is by, where that is said.
    ///
    /// # Errors
    /// It cannot be told, or does not take it.
    pub async fn tell(&self, commit: &str, context: &str, status: &CommitStatus) -> Result<Option<u64>, ForgeError> {
        let body = json!({"state": self.word(status.light), "context": context, "description": status.description});
        let answer = self.client.ask(Method::POST, &self.path(&["statuses", commit]), &[], Some(&body)).await?;
        let by = if self.kind == ForgeType::GitLab { "author" } else { "creator" };
        Ok(read::account(&answer.body, by))
    }

    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        let first = if self.kind == ForgeType::GitLab { "projects" } else { "repos" };
        [first].into_iter().chain(self.project.iter().map(String::as_str)).chain(rest.iter().copied()).collect()
    }

    /// Id, context and content of a status in an answer.
    fn read(&self, one: &Value) -> Option<(u64, String, CommitStatus)> {
        let (context, state) = if self.kind == ForgeType::GitLab { ("name", "status") } else { ("context", "state") };
        let state = match one.get(state).or_else(|| one.get("status"))?.as_str()? {
            "success" => Light::Success,
            "failure" | "failed" | "error" | "canceled" => Light::Failure,
            _ => Light::Pending,
        };
        let description = one.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        let context = one.get(context)?.as_str()?.to_owned();
        Some((one.get("id")?.as_u64()?, context, CommitStatus { light: state, description }))
    }

    fn word(&self, light: Light) -> &'static str {
        match (light, self.kind) {
            (Light::Pending, _) => "pending",
            (Light::Success, _) => "success",
            (Light::Failure, ForgeType::GitLab) => "failed",
            (Light::Failure, _) => "failure",
        }
    }
}

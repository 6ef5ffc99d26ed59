//! Deployments of commits to an environment, as GitHub and GitLab have them.
//!
//! Of a commit and an environment there is one that is ours: found again before one is made, and written anew in its
//! place. On GitHub ours has a task of its own. On GitLab it is one that no job of CI made.

use reqwest::Method;
use serde_json::{Value, json};

use super::read::{number, strange, text};
use super::{Forge, ForgeError};
use crate::api::ForgeType;
use crate::report::commit_status::{CommitStatus, Light};

/// By this GitHub tells our deployments from those that others make of the same commit.
const TASK: &str = "tandem";
/// So many of the newest deployments are looked at where a forge cannot be asked for those of a commit.
const NEWEST: &str = "100";

/// Where a commit is deployed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Name of the environment.
    pub environment: String,
    /// What the environment is linked to, on GitHub.
    pub environment_url: Option<String>,
    /// What each status is linked to, on GitHub.
    pub log_url: Option<String>,
}

/// By what name a commit was found, which GitLab asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    /// Of a branch or tag, or the commit's own id.
    pub name: &'a str,
    /// Whether it is a tag.
    pub tag: bool,
}

/// A deployment that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its number.
    pub id: u64,
    /// What it shows; nothing where nothing was told of it, or a later one took its place.
    pub shown: Option<CommitStatus>,
}

impl Forge {
    /// Our deployment of a commit to an environment.
    ///
    /// # Errors
    /// It cannot be asked, its answer is none, or it has no deployments.
    pub async fn deployment(&self, commit: &str, environment: &str) -> Result<Option<Deployment>, ForgeError> {
        match self.kind {
            ForgeType::Gitea => Err(ForgeError::NoDeployments),
            ForgeType::GitLab => {
                let all = self.of_gitlab(environment, None).await?;
                let newest = all.into_iter().filter(|one| one.commit == commit).max_by_key(|one| one.id);
                Ok(newest.map(|one| Deployment { id: one.id, shown: Some(one.shown) }))
            }
            ForgeType::GitHub => {
                let query = [("sha", commit), ("environment", environment), ("task", TASK)];
                let path = self.path(&["deployments"]);
                let found = self.newest(&path, &query, "deployments", |one| {
                    let mine = is_of(one, environment) && text(one, "sha")? == commit;
                    let id = number(one, "id")?;
                    Some((id, mine.then_some(id)))
                });
                let Some(id) = found.await? else { return Ok(None) };
                Ok(Some(Deployment { id, shown: self.said_of(id).await? }))
            }
        }
    }

    /// The newest of our deployments of other commits to an environment that has come to no end.
    ///
    /// # Errors
    /// As [`Forge::deployment`].
    pub async fn overtaken(&self, commit: &str, environment: &str) -> Result<Option<u64>, ForgeError> {
        match self.kind {
            ForgeType::Gitea => Err(ForgeError::NoDeployments),
            ForgeType::GitLab => {
                let running = self.of_gitlab(environment, Some("running")).await?;
                let others = running.iter().filter(|one| one.commit != commit && one.shown.light == Light::Pending);
                Ok(others.map(|one| one.id).max())
            }
            ForgeType::GitHub => {
                // The newest ones are enough: of those before them nobody waits for the end.
                let query = [("environment", environment), ("task", TASK), ("per_page", NEWEST)];
                let body = self.one(&["deployments"], &query).await?;
                let other = |one: &&Value| is_of(one, environment) && text(one, "sha").is_some_and(|of| of != commit);
                let others = list(&self.path(&["deployments"]), &body)?.iter().filter(other);
                let Some(id) = others.filter_map(|one| number(one, "id")).max() else { return Ok(None) };
                let shown = self.said_of(id).await?;
                Ok(shown.filter(|shown| shown.light == Light::Pending).map(|_| id))
            }
        }
    }

    /// Tells how far a commit is, in its deployment where there is one, else in a new one; the number of it.
    ///
    /// # Errors
    /// It cannot be told, or does not take it. There may be a new one though, which is found again.
    pub async fn deploy(
        &self,
        (commit, name): (&str, Name<'_>),
        earlier: Option<u64>,
        target: &Target,
        status: &CommitStatus,
    ) -> Result<u64, ForgeError> {
        match self.kind {
            ForgeType::Gitea => Err(ForgeError::NoDeployments),
            ForgeType::GitLab => {
                let word = match status.light {
                    Light::Pending => "running",
                    Light::Success => "success",
                    Light::Failure => "failed",
                };
                if let Some(id) = earlier {
                    self.put(id, word).await?;
                    return Ok(id);
                }
                let body = json!({
                    "environment": target.environment, "sha": commit, "ref": name.name, "tag": name.tag, "status": word,
                });
                self.made(&body).await
            }
            ForgeType::GitHub => {
                let id = match earlier {
                    Some(id) => id,
                    None => {
                        // Nothing is merged for it, and what it needs of checks is asked for by `spec.checks`.
                        let body = json!({
                            "ref": commit, "environment": target.environment, "task": TASK, "auto_merge": false,
                            "required_contexts": [],
                        });
                        self.made(&body).await?
                    }
                };
                let state = match status.light {
                    Light::Pending => "in_progress",
                    Light::Success => "success",
                    Light::Failure => "failure",
                };
                let mut body = json!({"state": state, "description": status.description});
                let links = [("environment_url", &target.environment_url), ("log_url", &target.log_url)];
                for (field, url) in links.into_iter().filter_map(|(field, url)| Some((field, url.as_ref()?))) {
                    body[field] = json!(url);
                }
                self.say_of(id, &body).await?;
                Ok(id)
            }
        }
    }

    /// Tells that a deployment comes to no end of its own, since a newer commit has taken its place.
    ///
    /// # Errors
    /// It cannot be told, or does not take it.
    pub async fn end(&self, id: u64) -> Result<(), ForgeError> {
        match self.kind {
            ForgeType::Gitea => Err(ForgeError::NoDeployments),
            ForgeType::GitLab => self.put(id, "canceled").await,
            ForgeType::GitHub => {
                let body = json!({"state": "inactive", "description": "a newer commit has taken its place"});
                self.say_of(id, &body).await
            }
        }
    }

    /// What GitHub shows of a deployment.
    async fn said_of(&self, id: u64) -> Result<Option<CommitStatus>, ForgeError> {
        let id = id.to_string();
        let path = self.path(&["deployments", &id, "statuses"]);
        let newest = self.newest(&path, &[], "statuses", |one| {
            let light = match text(one, "state")? {
                "success" => Some(Light::Success),
                "failure" | "error" => Some(Light::Failure),
                "inactive" => None,
                _ => Some(Light::Pending),
            };
            let description = text(one, "description").unwrap_or_default().to_owned();
            Some((number(one, "id")?, Some(light.map(|light| CommitStatus { light, description }))))
        });
        Ok(newest.await?.flatten())
    }

    async fn say_of(&self, id: u64, body: &Value) -> Result<(), ForgeError> {
        let id = id.to_string();
        self.client.ask(Method::POST, &self.path(&["deployments", &id, "statuses"]), &[], Some(body)).await.map(drop)
    }

    async fn put(&self, id: u64, word: &str) -> Result<(), ForgeError> {
        let id = id.to_string();
        let body = json!({"status": word});
        self.client.ask(Method::PUT, &self.path(&["deployments", &id]), &[], Some(&body)).await.map(drop)
    }

    /// Makes a deployment; its number.
    async fn made(&self, body: &Value) -> Result<u64, ForgeError> {
        let path = self.path(&["deployments"]);
        let answer = self.client.ask(Method::POST, &path, &[], Some(body)).await?;
        number(&answer.body, "id").ok_or_else(|| strange(&path, "it is no deployment"))
    }

    /// The newest deployments of an environment of GitLab that no job made: those of jobs nobody else may write.
    async fn of_gitlab(&self, environment: &str, status: Option<&str>) -> Result<Vec<Found>, ForgeError> {
        let query = [("environment", environment), ("order_by", "id"), ("sort", "desc"), ("per_page", NEWEST)];
        let query: Vec<_> = query.into_iter().chain(status.map(|status| ("status", status))).collect();
        let body = self.one(&["deployments"], &query).await?;
        let path = self.path(&["deployments"]);
        let mut found = Vec::new();
        for one in list(&path, &body)? {
            if one.get("deployable").is_none_or(Value::is_null) {
                found.push(read(one).ok_or_else(|| strange(&path, "a deployment has no number, commit or status"))?);
            }
        }
        Ok(found)
    }
}

/// A deployment of GitLab.
struct Found {
    id: u64,
    commit: String,
    shown: CommitStatus,
}

fn read(one: &Value) -> Option<Found> {
    let light = match text(one, "status")? {
        "success" => Light::Success,
        "failed" => Light::Failure,
        // One that was cancelled waits for its end again, should its commit come back: it cannot begin again.
        _ => Light::Pending,
    };
    let shown = CommitStatus { light, description: String::new() };
    Some(Found { id: number(one, "id")?, commit: text(one, "sha")?.to_owned(), shown })
}

/// Whether a deployment of GitHub is ours, and to this environment.
fn is_of(one: &Value, environment: &str) -> bool {
    let is = |field| text(one, field).is_some_and(|name| name.eq_ignore_ascii_case(environment));
    text(one, "task") == Some(TASK) && (is("environment") || is("original_environment"))
}

fn list<'a>(path: &[&str], body: &'a Value) -> Result<&'a [Value], ForgeError> {
    body.as_array().map(Vec::as_slice).ok_or_else(|| strange(path, "it is no list of deployments"))
}

#[cfg(test)]
use super::described;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

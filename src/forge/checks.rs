//! What others say of a commit: commit statuses, and check runs of GitHub.

use serde_json::Value;

use super::{Forge, ForgeError};
use crate::api::ForgeType;
use crate::revision::checks::{Said, Source, State};

impl Forge {
    /// All that is said of a commit.
    ///
    /// # Errors
    /// It cannot be asked, its answer is none, or more is said than is read.
    pub async fn said(&self, commit: &str) -> Result<Vec<Said>, ForgeError> {
        let statuses = match self.kind {
            ForgeType::GitLab => self.path(&["repository", "commits", commit, "statuses"]),
            ForgeType::GitHub | ForgeType::Gitea => self.path(&["commits", commit, "statuses"]),
        };
        let found = self.all_in(&statuses, &[], None).await?;
        let mut said: Vec<Said> = found.iter().filter_map(|one| self.status_of(one)).collect();
        if self.kind == ForgeType::GitHub {
            let runs = self.all_in(&self.path(&["commits", commit, "check-runs"]), &[], Some("check_runs")).await?;
            said.extend(runs.iter().filter_map(run));
        }
        Ok(said)
    }

    fn status_of(&self, one: &Value) -> Option<Said> {
        let (context, creator) = match self.kind {
            ForgeType::GitLab => ("name", "author"),
            ForgeType::GitHub | ForgeType::Gitea => ("context", "creator"),
        };
        let state = match one.get("state").or_else(|| one.get("status"))?.as_str()? {
            "success" => State::Passed,
            "failure" | "failed" | "error" | "canceled" | "warning" => State::Failed,
            _ => State::Pending,
        };
        Some(Said {
            context: one.get(context)?.as_str()?.to_owned(),
            source: one.get(creator).and_then(|by| by.get("id")).and_then(Value::as_u64).map(Source::Creator),
            state,
            description: one.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
            order: one.get("id")?.as_u64()?,
        })
    }
}

/// A check run; one that was skipped or is neutral says nothing against a commit, as GitHub itself has it.
fn run(one: &Value) -> Option<Said> {
    let state = match (one.get("status")?.as_str()?, one.get("conclusion").and_then(Value::as_str)) {
        ("completed", Some("success" | "neutral" | "skipped")) => State::Passed,
        ("completed", _) => State::Failed,
        _ => State::Pending,
    };
    Some(Said {
        context: one.get("name")?.as_str()?.to_owned(),
        source: one.get("app").and_then(|app| app.get("id")).and_then(Value::as_u64).map(Source::App),
        state,
        description: one.pointer("/output/title").and_then(Value::as_str).unwrap_or_default().to_owned(),
        order: one.get("id")?.as_u64()?,
    })
}

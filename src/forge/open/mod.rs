//! Open pull and merge requests: which there are, who set a label, and the one comment that is ours.
//!
//! What a forge says of them is read and judged elsewhere. Lists are read to their end or not at all.

mod comment;
mod label;

use jiff::Timestamp;
use serde_json::Value;

pub use comment::Comment;
pub use label::Labelled;

use super::read::{commit, number, strange, text, time};
use super::{Forge, ForgeError};
use crate::api::ForgeType;

/// An open pull or merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Its number.
    pub number: u64,
    /// Where its head is.
    pub head: String,
    /// What the remote calls that.
    pub reference: String,
    /// Whether its author says that it is not ready.
    pub draft: bool,
    /// Whether its head comes from where others may write.
    pub fork: bool,
    /// The labels that it has.
    pub labels: Vec<String>,
    /// When something of it was changed last, a review among that.
    pub changed: Option<Timestamp>,
}

impl Forge {
    /// Those that would be merged into a branch, oldest first.
    ///
    /// # Errors
    /// It cannot be asked, or its answer is none.
    pub async fn open(&self, branch: &str) -> Result<Vec<Open>, ForgeError> {
        let found = match self.kind {
            ForgeType::GitHub => {
                let query = [("state", "open"), ("base", branch), ("sort", "created"), ("direction", "asc")];
                self.all(&["pulls"], &query).await?
            }
            ForgeType::Gitea => {
                let query = [("state", "open"), ("base_branch", branch), ("sort", "oldest")];
                self.all(&["pulls"], &query).await?
            }
            ForgeType::GitLab => {
                let query = [
                    ("state", "opened"),
                    ("target_branch", branch),
                    ("order_by", "created_at"),
                    ("sort", "asc"),
                    ("with_labels_details", "false"),
                ];
                self.all(&["merge_requests"], &query).await?
            }
        };
        let mut open = Vec::new();
        for one in &found {
            let (read, target) = match self.kind {
                ForgeType::GitLab => (of_gitlab(one), text(one, "target_branch")),
                ForgeType::GitHub | ForgeType::Gitea => {
                    (of_pull(one), one.get("base").and_then(|base| text(base, "ref")))
                }
            };
            let read = read.ok_or_else(|| strange(&self.path(&["pulls"]), "one of them has no number or no head"))?;
            // Older forges do not know every word of the question.
            if target == Some(branch) {
                open.push(read);
            }
        }
        open.sort_by_key(|one| one.number);
        Ok(open)
    }

    /// Number of the account whose token it is.
    ///
    /// # Errors
    /// It cannot be asked, or its answer is none.
    pub async fn me(&self) -> Result<u64, ForgeError> {
        let answer = self.client.ask(reqwest::Method::GET, &["user"], &[], None).await?;
        number(&answer.body, "id").ok_or_else(|| strange(&["user"], "it has no number"))
    }
}

/// A pull request of GitHub or Gitea.
fn of_pull(one: &Value) -> Option<Open> {
    let (head, base) = (one.get("head")?, one.get("base")?);
    let repository = |side: &Value| side.get("repo").and_then(|repo| number(repo, "id")).or(number(side, "repo_id"));
    let index = number(one, "number")?;
    // A head that is no branch was pushed by somebody who may have no right to write.
    let branch = text(head, "ref").is_some_and(|name| !name.starts_with("refs/"));
    let own = branch && repository(head).is_some() && repository(head) == repository(base);
    let labels = one.get("labels").and_then(Value::as_array).into_iter().flatten();
    Some(Open {
        number: index,
        head: commit(head, "sha")?,
        reference: format!("refs/pull/{index}/head"),
        draft: one.get("draft").and_then(Value::as_bool) == Some(true),
        fork: !own,
        labels: labels.filter_map(|label| text(label, "name")).map(str::to_owned).collect(),
        changed: time(one, "updated_at"),
    })
}

fn of_gitlab(one: &Value) -> Option<Open> {
    let index = number(one, "iid")?;
    let (source, target) = (number(one, "source_project_id"), number(one, "target_project_id"));
    let labels = one.get("labels").and_then(Value::as_array).into_iter().flatten();
    Some(Open {
        number: index,
        head: commit(one, "sha")?,
        reference: format!("refs/merge-requests/{index}/head"),
        draft: one.get("draft").and_then(Value::as_bool) == Some(true),
        fork: source.is_none() || source != target,
        labels: labels.filter_map(Value::as_str).map(str::to_owned).collect(),
        changed: time(one, "updated_at"),
    })
}

#[cfg(test)]
mod tests;

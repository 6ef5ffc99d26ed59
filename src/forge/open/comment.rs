//! The one comment of ours on a pull or merge request.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::ForgeType;
use crate::forge::read::{account, number, strange, text, time};
use crate::forge::{Forge, ForgeError};

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its number.
    pub id: u64,
    /// All of its text.
    pub body: String,
    /// When it was last written, by the forge's clock.
    pub at: Option<Timestamp>,
}

impl Forge {
    /// The oldest comment that this account wrote and that begins with a mark. Others may have copied the mark.
    ///
    /// # Errors
    /// It cannot be asked, or its answer is none.
    pub async fn comment(&self, proposal: u64, me: u64, mark: &str) -> Result<Option<Comment>, ForgeError> {
        let index = proposal.to_string();
        let found = match self.kind {
            ForgeType::GitLab => {
                let query = [("sort", "asc"), ("order_by", "created_at")];
                self.all(&["merge_requests", &index, "notes"], &query).await?
            }
            ForgeType::GitHub => self.all(&["issues", &index, "comments"], &[]).await?,
            // This list has no pages.
            ForgeType::Gitea => match self.one(&["issues", &index, "comments"], &[]).await? {
                Value::Array(all) => all,
                _ => return Err(strange(&["comments"], "it is no list")),
            },
        };
        let by = if self.kind == ForgeType::GitLab { "author" } else { "user" };
        let mine = |one: &&Value| {
            let system = one.get("system").and_then(Value::as_bool) == Some(true);
            !system
                && account(one, by) == Some(me)
                && text(one, "body").is_some_and(|body| body.trim_start().starts_with(mark))
        };
        let oldest = found.iter().filter(mine).min_by_key(|one| number(one, "id"));
        oldest.map(|one| read(one).ok_or_else(|| strange(&["comments"], "a comment has no number"))).transpose()
    }

    /// Writes a comment, in the place of an earlier one where there is one.
    ///
    /// # Errors
    /// It cannot be told, or does not take it.
    pub async fn say(&self, proposal: u64, earlier: Option<u64>, body: &str) -> Result<Comment, ForgeError> {
        let (index, earlier) = (proposal.to_string(), earlier.map(|id| id.to_string()));
        let (method, path) = match (self.kind, &earlier) {
            (ForgeType::GitLab, None) => (Method::POST, vec!["merge_requests", &index, "notes"]),
            (ForgeType::GitLab, Some(id)) => (Method::PUT, vec!["merge_requests", &index, "notes", id]),
            (_, None) => (Method::POST, vec!["issues", &index, "comments"]),
            (_, Some(id)) => (Method::PATCH, vec!["issues", "comments", id]),
        };
        let answer = self.client.ask(method, &self.path(&path), &[], Some(&json!({"body": body}))).await?;
        read(&answer.body).ok_or_else(|| strange(&self.path(&path), "it is no comment"))
    }
}

fn read(one: &Value) -> Option<Comment> {
    let body = text(one, "body")?.to_owned();
    Some(Comment { id: number(one, "id")?, body, at: time(one, "updated_at").or_else(|| time(one, "created_at")) })
}

//! Who gave a pull or merge request a label, and when.

use jiff::Timestamp;
use serde_json::Value;

use crate::api::ForgeType;
use crate::forge::read::{account, number, strange, text, time};
use crate::forge::reviews::{gitea, github, gitlab};
use crate::forge::{Forge, ForgeError, PAGES};

/// A label that was given and is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// Number of the event.
    pub event: u64,
    /// When, by the forge's clock.
    pub at: Timestamp,
    /// Whether whoever gave it may write to the repository.
    pub may_write: bool,
}

/// One time that a label was given or taken.
struct Event {
    id: u64,
    at: Timestamp,
    given: bool,
    by: Option<(u64, String)>,
}

impl Forge {
    /// How a proposal came by a label that it has; nothing where that is not told.
    ///
    /// # Errors
    /// It cannot be asked, or its answer is none.
    pub async fn labelled(&self, proposal: u64, label: &str) -> Result<Option<Labelled>, ForgeError> {
        let index = proposal.to_string();
        let found = match self.kind {
            ForgeType::GitHub => self.all(&["issues", &index, "timeline"], &[]).await?,
            ForgeType::GitLab => self.all(&["merge_requests", &index, "resource_label_events"], &[]).await?,
            ForgeType::Gitea => self.timeline(&index).await?,
        };
        let Some(last) = self.last(&found, label).filter(|event| event.given) else { return Ok(None) };
        let may_write = match &last.by {
            None => false,
            Some((id, login)) => match self.kind {
                ForgeType::GitHub => github::may_write(self, *id, login).await?,
                ForgeType::GitLab => gitlab::may_write(self, *id).await?,
                // Without the right to ask, nobody is known to have it.
                ForgeType::Gitea => gitea::may_write(self, *id, login, false).await?,
            },
        };
        Ok(Some(Labelled { event: last.id, at: last.at, may_write }))
    }

    fn last(&self, found: &[Value], label: &str) -> Option<Event> {
        let events = found.iter().filter_map(|one| self.event(one, label));
        events.max_by_key(|event| (event.at, event.id))
    }

    fn event(&self, one: &Value, label: &str) -> Option<Event> {
        if one.get("label").and_then(|found| text(found, "name")) != Some(label) {
            return None;
        }
        let (by, given) = match self.kind {
            ForgeType::GitHub => ("actor", text(one, "event")? == "labeled"),
            ForgeType::GitLab => ("user", text(one, "action")? == "add"),
            ForgeType::Gitea if text(one, "type")? == "label" => ("user", text(one, "body") == Some("1")),
            ForgeType::Gitea => return None,
        };
        let login = one.get(by).and_then(|by| text(by, "login").or_else(|| text(by, "username")));
        let by = account(one, by).map(|id| (id, login.unwrap_or_default().to_owned()));
        Some(Event { id: number(one, "id")?, at: time(one, "created_at")?, given, by })
    }

    /// Gitea's list has no end of its own: pages hold less than was asked for where something of them is not shown.
    async fn timeline(&self, index: &str) -> Result<Vec<Value>, ForgeError> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let some = gitea::timeline(self, index, page).await?;
            if some.is_empty() {
                return Ok(all);
            }
            all.extend(some);
        }
        Err(strange(&["timeline"], &format!("it has more than {PAGES} pages")))
    }
}

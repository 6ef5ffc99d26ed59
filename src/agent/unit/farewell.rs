//! Standards over the deletions with which a Sync ends.

use futures::FutureExt;
use serde_json::Value;

use crate::agent::standards::cases::plural;
use crate::agent::standards::verdicts::{Case, Said, Standing};
use crate::cluster::Session;
use crate::failure::{Failed, Fault};
use crate::object::{ObjectId, Problem, annotation};
use crate::standard::Operation;

use super::Unit;
use super::finish::{Dissolving, is_shut};
use super::pass::Stop;
use super::stages::read;
use super::together::together;

impl Unit {
    /// What Standards say against the deletions with which a Sync ends; what they do not hold is told. What is not there,
    /// goes already, is another's or may not even be read by the account is none of its deletions; nor is what nobody answers
    /// for while its namespace is being deleted.
    ///
    /// # Errors
    /// The API server cannot be asked, or the policies cannot be evaluated.
    pub(super) async fn against_farewell(
        &mut self,
        session: &Session,
        objects: &[(ObjectId, String)],
        dissolving: Dissolving,
    ) -> Result<Vec<Problem>, Failed> {
        let snapshot = self.world.standards.snapshot().await;
        if snapshot.entries.is_empty() || objects.is_empty() {
            return Ok(Vec::new());
        }
        let scopes = self.world.scopes().await.map_err(|error| Failed::from(&error))?;
        let me = self.owner().to_string();
        let reads = objects.iter().map(|(id, api_version)| {
            let read = async move { (id, api_version, read(session, id, api_version).await) };
            read.boxed()
        });
        let mut cases = Vec::new();
        for (id, api_version, found) in together(reads.collect()).await {
            let live = match found {
                Ok(live) => live,
                Err(error) if error.refusal().is_some_and(|refusal| refusal.code == 403) => None,
                Err(error) if dissolving == Dissolving::Yes && is_shut(session, id, &error).await => None,
                Err(error) => return Err(Failed::from(&error)),
            };
            let text = |live: &Value, of: &str, key: &str| live.pointer(of)?.get(key)?.as_str().map(str::to_owned);
            let Some(old) = live.filter(|live| {
                let goes = text(live, "/metadata", "deletionTimestamp").is_some();
                let owner = text(live, "/metadata/annotations", annotation::OWNER);
                !goes && owner.is_none_or(|owner| owner == me)
            }) else {
                continue;
            };
            cases.push(Case {
                id: id.clone(),
                api_version: api_version.clone(),
                plural: plural(&scopes, id),
                origin: None,
                operation: Operation::Delete,
                desired: None,
                old: Some(old),
                standing: Standing::New,
            });
        }
        let said = self.say(&snapshot, Vec::new(), cases).await;
        let (_, _, said, noted) = said.map_err(|stop| match stop {
            Stop::Failed(_, failed) => failed,
            _ => Failed::new("Internal", Fault::Internal, "the policies could not be evaluated"),
        })?;
        let (denied, told): (Vec<Said>, Vec<Said>) = said.into_iter().partition(|said| said.effect.holds());
        let revision = self.facts.accepted.as_ref().map(ToString::to_string).unwrap_or_default();
        self.tell_said(&revision, &denied, &told, &noted);
        let mut problems: Vec<Problem> = denied.into_iter().map(|said| said.problem).collect();
        problems.sort();
        problems.dedup();
        Ok(problems)
    }
}

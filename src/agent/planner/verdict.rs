//! What Standards say of the plan of a pull request.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::agent::standards::Snapshot;
use crate::agent::standards::cases::{Seen, cases};
use crate::agent::standards::verdicts::{self, Bench, Case, Effect, Live, Standing};
use crate::failure::{Failed, Fault};
use crate::object::{ObjectId, Problem};
use crate::plan::{Change, Desired, Method, Plan, Scopes};
use crate::standard::Operation;

use super::draw::Drawn;

/// What is judged.
pub(super) struct Matter<'a> {
    pub(super) drawn: &'a Drawn,
    pub(super) plan: &'a Plan,
    pub(super) scopes: &'a Scopes,
    pub(super) lives: &'a BTreeMap<ObjectId, Value>,
    /// Objects whose content is not known here: what is said of them holds nothing.
    pub(super) apart: &'a BTreeMap<ObjectId, String>,
}

/// What would be held, and what is told beside that.
///
/// # Errors
/// The policies cannot be evaluated.
pub(super) async fn of_standards(
    snapshot: &Snapshot,
    matter: &Matter<'_>,
) -> Result<(Vec<Problem>, Vec<Problem>), Failed> {
    if snapshot.entries.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let cases = requests(matter);
    let subject = &matter.drawn.subject;
    let account = subject.spec.service_account_name.clone().unwrap_or_default();
    let user = verdicts::account(&subject.key.namespace, &account);
    let live = if subject.veiled { Live::Veiled } else { Live::Plain };
    let (snapshot, desired) = (snapshot.clone(), matter.drawn.desired.clone());
    let judging = tokio::task::spawn_blocking(move || {
        let bench = Bench { desired: &desired, cases: &cases, user: &user, live, now: Timestamp::now() };
        let (said, _) = verdicts::judge(&snapshot, &bench);
        (said, cases)
    });
    let (said, cases) =
        judging.await.map_err(|_| Failed::new("Internal", Fault::Internal, "the policies could not be evaluated"))?;
    let (mut denied, mut warned) = (Vec::new(), Vec::new());
    for one in said {
        let known = !matter.apart.contains_key(&cases[one.case].id);
        match one.effect {
            effect if effect.holds() && known => denied.push(one.problem),
            effect if effect >= Effect::Warn => warned.push(one.problem),
            _ => {}
        }
    }
    denied.sort();
    denied.dedup();
    warned.sort();
    warned.dedup();
    Ok((denied, warned))
}

/// The requests that the plan stands for.
fn requests(matter: &Matter<'_>) -> Vec<Case> {
    let (desired, owned) = (&matter.drawn.desired, &matter.drawn.subject.owned);
    let seen = |change: &Change, _: Option<&Desired>| Seen {
        is_there: matter.lives.contains_key(&change.id) || owned.get(&change.id).is_some_and(|e| e.uid.is_some()),
        standing: if change.method == Method::Nothing { Standing::Accepted } else { Standing::New },
    };
    let mut cases = cases(&matter.plan.changes, desired, matter.scopes, seen);
    for case in cases.iter_mut().filter(|case| case.operation != Operation::Create) {
        // What stays as it is is its own former self.
        let same = || desired.iter().find(|one| *one.id() == case.id).map(|one| one.manifest.body.clone());
        case.old = matter.lives.get(&case.id).cloned().or_else(same);
    }
    cases
}

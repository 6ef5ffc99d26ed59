//! What the API server's answer to a dry-run makes of a change.

use serde_json::Value;

use crate::agent::foretold;
use crate::agent::world::World;
use crate::cluster::{Answer, ClusterError, RefusalReason};
use crate::failure::{Failed, Failure};
use crate::object::{Problem, annotation};
use crate::plan::{self, Action, Answered, Change, Desired, FieldChange, Live, Method, Reason, Steer, see};

use super::draw::Drawn;

pub(super) fn refined(
    world: &World,
    drawn: &Drawn,
    change: &Change,
    desired: &Desired,
    answer: &Answer,
    before: &Live,
) -> Change {
    let answered = if answer.created() { Answered::Created } else { Answered::Existing };
    match see(&answer.object, &world.key, &desired.yields, &drawn.subject.lens.managers) {
        Some(seen) => plan::refine(change, &plan::Answer { answered, seen }, before),
        None => change.clone(),
    }
}

/// What differs. Values of the live object are shown only of what the Sync owns, and only where none of them can have
/// been secret: the account may read more than whoever sees the pull request.
pub(super) fn fields(drawn: &Drawn, desired: &Desired, live: Option<&Value>, answer: &Answer) -> Vec<FieldChange> {
    let Some(live) = live else { return Vec::new() };
    let shown = foretold::shown(&drawn.subject.owned, desired.id(), drawn.subject.veiled);
    plan::changed_fields(live, &answer.object, &desired.manifest, shown)
}

/// What a refusal is.
pub(super) enum Refused {
    Problem(Problem),
    NotAsked(String),
    Recreated,
}

/// Whose fault a refusal is.
pub(super) fn refused(
    change: &mut Change,
    desired: &Desired,
    error: ClusterError,
    immutable: bool,
    before: &Live,
) -> Result<Refused, Failed> {
    let problem =
        |rule: &str, message: String| Problem::new(rule, message).at(&desired.manifest.origin).of(desired.id());
    let refusal = match error {
        ClusterError::Refused(refusal) => refusal,
        error @ ClusterError::NoSuchKind { .. } => {
            let told = problem(error.reason(), error.to_string());
            return Ok(Refused::Problem(Problem { hint: error.hint(), ..told }));
        }
        error => return Err(Failed::from(&error)),
    };
    match &refusal.why {
        RefusalReason::TooManyRequests | RefusalReason::Unavailable | RefusalReason::Expired => {
            return Err(Failed::from(&ClusterError::Refused(refusal)));
        }
        // What the account may not ask says nothing of what the Sync may do.
        RefusalReason::Forbidden | RefusalReason::Unauthorized => {
            return Ok(Refused::NotAsked(format!("it could not be asked about: {}", refusal.message)));
        }
        RefusalReason::DryRunUnsupported(_) | RefusalReason::WebhookUnreachable(_) => {
            return Ok(Refused::NotAsked(format!("it is not checked: {}", refusal.message)));
        }
        _ => {}
    }
    if let (true, Live::Present(seen)) = (immutable, before)
        && let Some(recreation) = plan::recreate(change, desired, seen)
    {
        *change = recreation;
        return Ok(Refused::Recreated);
    }
    let mut told = Problem { hint: refusal.hint(), ..problem(refusal.reason(), refusal.message.clone()) };
    if immutable && !desired.is(Steer::Force) {
        told = told.hint(format!(
            "the field cannot be changed; with the annotation {}: enabled the object is deleted and created again",
            annotation::FORCE
        ));
    }
    (change.action, change.reason, change.method) = (Action::Skipped, Reason::Refused, Method::Nothing);
    Ok(Refused::Problem(told))
}

//! The requests that a plan stands for, as Standards judge them. Pure.

use std::collections::BTreeMap;

use super::verdicts::{Case, Standing};
use crate::object::ObjectId;
use crate::plan::{Action, Change, Desired, Lookup, Method, Scopes};
use crate::standard::Operation;

/// What is known of the object of a change.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Whether it is in the cluster.
    pub is_there: bool,
    /// Whether it was let pass before as it is.
    pub standing: Standing,
}

/// The requests of all changes, in their order; nothing of live objects is in them yet.
pub fn cases(
    changes: &[Change],
    desired: &[Desired],
    scopes: &Scopes,
    seen: impl Fn(&Change, Option<&Desired>) -> Seen,
) -> Vec<Case> {
    let places: BTreeMap<&ObjectId, usize> = desired.iter().enumerate().map(|(at, one)| (one.id(), at)).collect();
    let mut cases = Vec::new();
    for change in changes {
        let place = places.get(&change.id).copied();
        let wanted = place.map(|at| &desired[at]);
        let Seen { is_there, standing } = seen(change, wanted);
        let plural = wanted.map_or_else(|| plural(scopes, &change.id), |wanted| wanted.plural.clone());
        for operation in operations(change, wanted.is_some(), is_there) {
            cases.push(Case {
                id: change.id.clone(),
                api_version: change.api_version.clone(),
                plural: plural.clone(),
                origin: change.origin.clone(),
                operation,
                desired: place.filter(|_| operation != Operation::Delete),
                old: None,
                standing,
            });
        }
    }
    cases
}

/// What the API server would be asked for.
fn operations(change: &Change, wanted: bool, is_there: bool) -> Vec<Operation> {
    match change.method {
        Method::Delete => vec![Operation::Delete],
        _ if !wanted => Vec::new(),
        Method::Replace => vec![Operation::Delete, Operation::Create],
        _ if change.action == Action::Created => vec![Operation::Create],
        Method::Nothing if !is_there => vec![Operation::Create],
        _ => vec![Operation::Update],
    }
}

/// Plural of what left Git; its kind where the cluster does not serve it any more.
pub fn plural(scopes: &Scopes, id: &ObjectId) -> String {
    match scopes.get(&id.group, &id.kind) {
        Lookup::Found(known) => known.plural.clone(),
        Lookup::NoSuchKind | Lookup::Unreadable => id.kind.to_lowercase(),
    }
}

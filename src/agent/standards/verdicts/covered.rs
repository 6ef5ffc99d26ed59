//! What objects of a revision name and the revision does not have, where a policy asks for it: a budget, a monitor.

use serde_json::Value;

use super::{Bench, Entry, InForce, Judged, Namespaces, Said, masked};
use crate::standard::{Operation, Review};

/// Looks among all that is desired. No text is made of a secret value: masked objects name masked ones.
pub(super) fn judge(entry: &Entry, in_force: &InForce, bench: &Bench<'_>, of_cases: &[Namespaces<'_>]) -> Vec<Said> {
    let desired = |at: usize| bench.cases[at].desired.and_then(|at| bench.desired.get(at));
    let stays = |at: &usize| bench.cases[*at].operation != Operation::Delete && desired(*at).is_some();
    let places: Vec<usize> = (0..bench.cases.len()).filter(stays).collect();
    let shown: Vec<Option<Value>> = places
        .iter()
        .map(|at| masked(&bench.cases[*at], desired(*at), bench.live).and_then(|(object, _)| object))
        .collect();
    let reviews: Vec<Review<'_>> = places
        .iter()
        .zip(&shown)
        .map(|(at, shown)| {
            let case = &bench.cases[*at];
            Review {
                id: &case.id,
                api_version: &case.api_version,
                resource: &case.plural,
                operation: case.operation,
                object: shown.as_ref().or(desired(*at).map(|desired| &desired.manifest.body)),
                old: case.old.as_ref(),
                shown: None,
                namespace: of_cases[*at].variants.first().copied().flatten(),
                user: bench.user,
                dry_run: false,
                now: bench.now,
            }
        })
        .collect();
    let found = in_force.standard.uncovered(&in_force.coverage, &reviews).into_iter();
    let found = found.map(|uncovered| (places[uncovered.at], uncovered.verdict));
    let spoken_of = found.filter(|(at, _)| of_cases[*at].are_in(entry, &bench.cases[*at]));
    let said = |(at, verdict)| Judged { entry, in_force, case: &bench.cases[at], at }.said(&verdict);
    spoken_of.map(said).collect()
}

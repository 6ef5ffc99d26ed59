//! Which API versions a minor serves, and what became of others.

use serde_json::Value;

use super::check::Walk;
use super::data::{Data, Minor, Removal, Served};
use crate::object::near::{nearest, question};
use crate::object::{Problem, split_api_version};
use crate::schema::finding::{Finding, Findings};
use crate::schema::unknown_kind;

/// What is known of a built-in kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
}

/// The kind as a minor serves it.
pub fn known(target: Minor, api_version: &str, kind: &str) -> Option<Known> {
    served(target, &format!("{api_version}/{kind}")).map(|served| Known { namespaced: served.namespaced })
}

fn served(target: Minor, kind: &str) -> Option<&'static Served> {
    Data::get().kinds.get(kind)?.iter().find(|served| served.mask & target.bit() != 0)
}

/// Checks an object of a built-in kind. `false` where it is none of them.
pub fn check<'a>(target: Minor, api_version: &str, kind: &str, body: &'a Value, findings: &mut Findings<'a>) -> bool {
    let name = format!("{api_version}/{kind}");
    let data = Data::get();
    let removal = data.removals.get(name.as_str());
    if let Some(served) = served(target, &name) {
        if let Some(removal) = removal.filter(|removal| removal.deprecated <= target.number()) {
            findings.add(whole(deprecated(target, &name, removal)));
        }
        Walk::new(target).object(served.definition, body, findings);
        return true;
    }
    if let Some(problem) = not_served(target, &name, removal) {
        findings.add(whole(problem));
        return true;
    }
    if let Some(problem) = not_there(target, api_version, kind) {
        findings.add(whole(problem));
        return true;
    }
    false
}

/// A finding of the API version.
fn whole(problem: Problem) -> Finding {
    let pointer = if problem.rule == "UnknownKind" { "/kind" } else { "/apiVersion" };
    Finding { pointer: pointer.to_owned(), path: pointer[1..].to_owned(), problem }
}

/// `apps/v1/Deployment` as people write it.
fn told(name: &str) -> String {
    let (api_version, kind) = name.rsplit_once('/').unwrap_or(("", name));
    format!("{kind} of {api_version}")
}

/// A kind that other versions serve, or served.
fn not_served(target: Minor, name: &str, removal: Option<&Removal>) -> Option<Problem> {
    let data = Data::get();
    let others: Vec<Minor> = Minor::ALL.into_iter().filter(|minor| served(*minor, name).is_some()).collect();
    if removal.is_none() && others.is_empty() {
        return None;
    }
    let since = match (removal.and_then(|removal| removal.removed), others.first(), others.last()) {
        (Some(removed), ..) if removed <= target.number() => format!("it was removed in 1.{removed}"),
        (_, Some(first), _) if *first > target => format!("it came with {first}"),
        (_, _, Some(last)) => format!("{last} was the last that did"),
        _ => "it was deprecated long before".to_owned(),
    };
    let problem = Problem::new("RemovedApi", format!("Kubernetes {target} serves no {}: {since}", told(name)));
    let replacement = removal.and_then(|removal| removal.replacement).filter(|kind| served(target, kind).is_some());
    Some(match replacement.or_else(|| newest(data, target, name)) {
        Some(replacement) => problem.hint(format!("use {}", told(replacement))),
        None => problem.hint("nothing took its place in this version of Kubernetes"),
    })
}

fn deprecated(target: Minor, name: &str, removal: &Removal) -> Problem {
    let until = match removal.removed {
        Some(removed) => format!("Kubernetes 1.{removed} removes it"),
        None => "it may be removed".to_owned(),
    };
    let message = format!("{} is deprecated since Kubernetes 1.{}, and {until}", told(name), removal.deprecated);
    let problem = Problem::new("DeprecatedApi", message);
    match removal.replacement.filter(|kind| served(target, kind).is_some()) {
        Some(replacement) => problem.hint(format!("use {}", told(replacement))),
        None => problem,
    }
}

/// The best version of the same group and kind that is served.
fn newest(data: &'static Data, target: Minor, name: &str) -> Option<&'static str> {
    let (api_version, kind) = name.rsplit_once('/')?;
    let group = split_api_version(api_version).0;
    let same = |known: &&&'static str| {
        let Some((other, known_kind)) = known.rsplit_once('/') else { return false };
        known_kind == kind && split_api_version(other).0 == group && served(target, known).is_some()
    };
    let rank = |known: &&&'static str| known.rsplit_once('/').map(|(version, _)| rank(version));
    data.kinds.keys().filter(same).max_by_key(rank).copied()
}

/// How good an API version is: `v2` before `v1` before `v1beta2` before `v1alpha1`.
fn rank(api_version: &str) -> (u8, u32, u32) {
    let version = split_api_version(api_version).1;
    let numbers: Vec<u32> = version.split(|c: char| !c.is_ascii_digit()).filter_map(|text| text.parse().ok()).collect();
    let stage = if version.contains("alpha") {
        0
    } else if version.contains("beta") {
        1
    } else {
        2
    };
    (stage, numbers.first().copied().unwrap_or(0), numbers.get(1).copied().unwrap_or(0))
}

/// A kind that no version of Kubernetes has in a group of its own.
fn not_there(target: Minor, api_version: &str, kind: &str) -> Option<Problem> {
    let data = Data::get();
    let group = split_api_version(api_version).0;
    let own = data.kinds.keys().filter(|known| served(target, known).is_some());
    let mut all: Vec<(&str, &str)> = own.filter_map(|known| known.rsplit_once('/')).collect();
    // Of several versions and groups the best is told, and always the same.
    all.sort_by_key(|(version, kind)| (std::cmp::Reverse(rank(version)), *version, *kind));
    let of_group: Vec<&(&str, &str)> = all.iter().filter(|(known, _)| split_api_version(known).0 == group).collect();
    if of_group.is_empty() {
        // A group without a dot is one of Kubernetes' own, and there is none of that name.
        let groups: Vec<&str> = all.iter().map(|(known, _)| split_api_version(known).0).collect();
        let meant = nearest(group, &groups);
        if group.contains('.') && meant.is_none() {
            return None;
        }
        let problem = unknown_kind(format!("Kubernetes {target} has no API group {group:?}"));
        return Some(match all.iter().find(|(_, known)| *known == kind) {
            Some((known, _)) => problem.hint(format!("{kind} is a kind of {known}")),
            None => match meant {
                Some(meant) => problem.hint(question(meant)),
                None => problem,
            },
        });
    }
    let problem = unknown_kind(format!("Kubernetes {target} serves no {kind} of {api_version}"));
    if let Some((known, _)) = of_group.iter().find(|(_, known)| *known == kind) {
        return Some(problem.hint(format!("{kind} is a kind of {known}")));
    }
    if let Some((known, _)) = all.iter().find(|(_, known)| *known == kind) {
        return Some(problem.hint(format!("{kind} is a kind of {known}")));
    }
    let kinds: Vec<&str> = of_group.iter().map(|(_, kind)| *kind).collect();
    Some(match nearest(kind, &kinds) {
        Some(meant) => problem.hint(question(meant)),
        None => problem,
    })
}

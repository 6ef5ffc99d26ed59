//! Fields of others: what a plan does with them.

use std::collections::BTreeSet;

use super::plans::{Case, digest};
use super::*;
use crate::inventory::Flag;

#[test]
fn fields_of_others_need_the_live_object() {
    let text = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 2}}\n---\n\
                {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: stays}, spec: {scaleTargetRef: {kind: Deployment, name: a}}}";
    let mut case = Case::of(text);
    case.check("unknown", Action::Created, Reason::New, Method::Apply, Some(Look::Yields));
    case = Case::applied(text);
    let id = case.change().id;
    case.owned.get_mut(&id).expect("an entry").desired = Some(digest("an older manifest"));
    case.check("changed", Action::Configured, Reason::Changed, Method::ApplyOver, None);
}

/// One that is no part of this set: what it set is found on the live object alone.
#[test]
fn replicas_that_an_autoscaler_set_are_sent_over_the_live_object() {
    let text = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 2}}";
    Case::of(text).check("unknown", Action::Created, Reason::New, Method::Apply, None);
    let mut case = Case::applied(text);
    for (replicas, method) in [(Replicas::Autoscaled, Method::ApplyOver), (Replicas::Given, Method::Apply)] {
        case.see(|seen| (seen.replicas, seen.fields) = (replicas, Some(digest("scaled"))));
        case.check("scaled", Action::Configured, Reason::Drifted, method, None);
    }
    case.see(|seen| seen.replicas = Replicas::Autoscaled);
    case.check("as it was", Action::Unchanged, Reason::UpToDate, Method::Nothing, None);
    // It was one of this set, and has left Git.
    let id = case.change().id;
    let entry = case.owned.get_mut(&id).expect("an entry");
    (entry.desired, entry.flags) = (Some(digest("without replicas")), BTreeSet::from([Flag::Autoscaled]));
    case.check("Git takes it away", Action::Configured, Reason::Changed, Method::Apply, None);
}

//! What is sent for a desired object, once the live one has fields of others.
//!
//! Leaving a field out of an apply is not the same as leaving it alone: what only we own would be
//! removed, and `replicas` would fall back to 1. So a field that is left to others is
//!
//! - sent as Git has it when the object is created;
//! - left out once somebody else owns it (an autoscaler owns it through the scale subresource): our
//!   claim goes, the value stays;
//! - until then sent with its live value, so that the claim stays and nothing changes; also where
//!   Git names it no longer.

use std::cmp::Ordering;

use serde_json::Value;

use super::pairs::partner;
use super::{Desired, Method, Reason};
use crate::object::fields::{at, at_mut, ours, take_out, theirs};

/// What is sent for `desired`, over `live` where the object exists.
fn payload(desired: &Desired, live: Option<&Value>) -> Value {
    let written = &desired.manifest.body;
    let mut body = written.clone();
    let Some(live) = live else { return body };
    let yields = desired.yields.over(live);
    if yields.is_empty() {
        return body;
    }
    let (ours, theirs) = (ours(live).unwrap_or_default(), theirs(live));
    let mut left_out: Vec<Vec<String>> = Vec::new();
    for pointer in yields.pointers() {
        for place in pointer.places(written) {
            let there = translate(written, &place, live);
            match there.as_ref().and_then(|there| at(live, there).map(|value| (there, value))) {
                Some((there, value)) if !theirs.touches(there, live) => {
                    if let Some(slot) = at_mut(&mut body, &place) {
                        *slot = value.clone();
                    }
                }
                _ => left_out.push(place),
            }
        }
        for there in pointer.places(live) {
            let kept = ours.touches(&there, live) && !theirs.touches(&there, live);
            if kept && translate(live, &there, written).is_none() {
                put_in(&mut body, written, &there, live);
            }
        }
    }
    remove(&mut body, left_out);
    body
}

/// What a change sends for `desired`, as it is carried out: over `live` where its method says so, and where it is the first
/// time, when replicas that an autoscaler has set are left to it.
pub fn sent((method, reason): (Method, Reason), desired: &Desired, live: Option<&Value>) -> Value {
    payload(desired, live.filter(|_| method != Method::Apply || reason.is_first()))
}

impl Desired {
    /// The same object with the `payload` over a live one as its body; its digest stays that of
    /// what Git has.
    #[must_use]
    pub fn over(&self, live: &Value) -> Self {
        let mut over = self.clone();
        over.manifest.body = payload(self, Some(live));
        over
    }
}

/// The place of the same field in another form of the object: items of lists are found by their
/// keys. `None` where it is not there.
fn translate(from: &Value, place: &[String], to: &Value) -> Option<Vec<String>> {
    let (mut from, mut to) = (from, to);
    let mut there = Vec::with_capacity(place.len());
    for name in place {
        match (from, to) {
            (Value::Array(here), Value::Array(others)) => {
                let index = name.parse::<usize>().ok()?;
                let found = partner(here, index, others)?;
                there.push(found.to_string());
                (from, to) = (&here[index], &others[found]);
            }
            _ => {
                there.push(name.clone());
                (from, to) = (from.get(name)?, to.get(name)?);
            }
        }
    }
    Some(there)
}

/// Puts a live value where Git has none: below the deepest parent that Git has, as long as only
/// mappings are missing in between.
fn put_in(body: &mut Value, written: &Value, there: &[String], live: &Value) {
    let Some(value) = at(live, there) else { return };
    let known =
        (0..there.len()).rev().find_map(|depth| translate(live, &there[..depth], written).map(|place| (depth, place)));
    let Some((depth, place)) = known else { return };
    let Some(mut slot) = at_mut(body, &place) else { return };
    for name in &there[depth..] {
        let Some(map) = slot.as_object_mut() else { return };
        slot = map.entry(name.clone()).or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    *slot = value.clone();
}

/// Takes places out, the last items of lists first, so that the others keep their place.
fn remove(body: &mut Value, mut places: Vec<Vec<String>>) {
    places.sort_by(|a, b| {
        let pairs = a.iter().zip(b);
        let differ = pairs.map(|(a, b)| match (a.parse::<usize>(), b.parse::<usize>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => a.cmp(b),
        });
        differ.fold(Ordering::Equal, Ordering::then).then(a.len().cmp(&b.len())).reverse()
    });
    places.dedup();
    for place in places {
        let (last, parents) = place.split_last().expect("a pointer has a segment");
        match (at_mut(body, parents), last.parse::<usize>()) {
            (Some(Value::Array(items)), Ok(index)) if index < items.len() => {
                items.remove(index);
            }
            _ => take_out(body, &place),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::fields::{IgnoreRule, Pointer, Yields};
    use crate::plan::tests::desired;

    fn managed(entries: &[(&str, &str, Value)]) -> Value {
        let entries = entries.iter().map(|(manager, subresource, fields)| {
            let operation = if *manager == "tandem" { "Apply" } else { "Update" };
            json!({"manager": manager, "operation": operation, "subresource": subresource, "apiVersion": "apps/v1", "fieldsV1": fields})
        });
        entries.collect()
    }

    /// A Deployment in Git with or without replicas, live with 5; who owns it decides what is sent.
    #[test]
    fn replicas_are_never_reset() {
        let ours = ("tandem", "", json!({"f:spec": {"f:replicas": {}, "f:paused": {}}}));
        let not_ours = ("tandem", "", json!({"f:spec": {"f:paused": {}}}));
        let scaler = ("kube-controller-manager", "scale", json!({"f:spec": {"f:replicas": {}}}));
        for (git, owners, sent) in [
            (Some(2), vec![ours.clone()], Some(5)),
            (None, vec![ours.clone()], Some(5)),
            (Some(2), vec![not_ours.clone(), scaler.clone()], None),
            (None, vec![not_ours.clone(), scaler.clone()], None),
            (Some(2), vec![ours, scaler], None),
            (None, vec![not_ours], None),
        ] {
            let mut object = desired(
                "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: ns}, spec: {paused: false}}",
            );
            object.yields = Yields::none().and_replicas();
            if let Some(git) = git {
                object.manifest.body["spec"]["replicas"] = git.into();
            }
            let live =
                json!({"metadata": {"managedFields": managed(&owners)}, "spec": {"replicas": 5, "paused": false}});
            let payload = payload(&object, Some(&live));
            assert_eq!(payload["spec"].get("replicas"), sent.map(Value::from).as_ref(), "{git:?} {owners:?}");
        }
    }

    /// Of an autoscaler that no manifest tells of, the live object does; what a person has set is put right.
    #[test]
    fn replicas_are_left_to_whoever_the_live_object_shows_to_be_an_autoscaler() {
        let fields = json!({"f:spec": {"f:replicas": {}}});
        for (manager, subresource, sent) in [
            ("kube-controller-manager", "scale", None),
            ("kubectl", "scale", Some(2)),
            ("kube-controller-manager", "", Some(2)),
            ("kube-controller-manager", "status", Some(2)),
        ] {
            let object = desired(
                "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: ns}, spec: {replicas: 2, paused: true}}",
            );
            let owners =
                managed(&[("tandem", "", json!({"f:spec": {"f:paused": {}}})), (manager, subresource, fields.clone())]);
            let live = json!({"metadata": {"managedFields": owners}, "spec": {"replicas": 5, "paused": true}});
            let spec = &payload(&object, Some(&live))["spec"];
            assert_eq!(spec.get("replicas"), sent.map(Value::from).as_ref(), "{manager} {subresource}");
            assert_eq!(spec["paused"], true);
            // Of an autoscaler that Git takes away, what is shown is what is sent: what Git has.
            let shown = |method, reason| super::sent((method, reason), &object, Some(&live))["spec"].clone();
            assert_eq!(shown(Method::Apply, Reason::Changed)["replicas"], 2);
            assert_eq!(shown(Method::ApplyOver, Reason::Changed), *spec);
            assert_eq!(shown(Method::Apply, Reason::New), *spec, "the first apply leaves them");
        }
    }

    #[test]
    fn creation_sends_what_git_has() {
        let mut object =
            desired("{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: ns}, spec: {replicas: 3}}");
        object.yields = Yields::none().and_replicas();
        assert_eq!(payload(&object, None)["spec"]["replicas"], 3);
    }

    #[test]
    fn items_of_lists_are_found_by_their_keys() {
        let mut object = desired(
            "{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: a}, \
             webhooks: [{name: x, clientConfig: {caBundle: Z2l0, url: u}}, {name: w, clientConfig: {caBundle: Z2l0}}, {name: new, clientConfig: {caBundle: Z2l0}}]}",
        );
        let rule = IgnoreRule {
            paths: vec![Pointer::parse("/webhooks/-/clientConfig/caBundle").expect("parses")],
            ..IgnoreRule::default()
        };
        object.yields = Yields::of(object.id(), &[rule]);
        let live = json!({
            "metadata": {"managedFields": managed(&[
                ("tandem", "", json!({"f:webhooks": {"k:{\"name\":\"x\"}": {"f:clientConfig": {"f:caBundle": {}}}}})),
                ("cainjector", "", json!({"f:webhooks": {"k:{\"name\":\"w\"}": {"f:clientConfig": {"f:caBundle": {}}}}})),
            ])},
            "webhooks": [{"name": "w", "clientConfig": {"caBundle": "eQ=="}}, {"name": "x", "clientConfig": {"caBundle": "eA=="}}],
        });
        assert_eq!(
            payload(&object, Some(&live))["webhooks"],
            json!([{"name": "x", "clientConfig": {"caBundle": "eA==", "url": "u"}}, {"name": "w", "clientConfig": {}}, {"name": "new", "clientConfig": {}}])
        );
    }
}

//! A small model of a cluster: server-side apply over mappings, lists as a whole, and a Sync that
//! runs through the whole protocol on it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{key, owner, scopes};
use crate::inventory::Owned;
use crate::object::fields::{FieldSet, Managers, Yields, adopt_patch};
use crate::object::{Manifest, ObjectId};
use crate::plan::*;
use crate::revision::Acceptance;

#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    pub(super) objects: BTreeMap<ObjectId, Value>,
    pub(super) writes: u32,
    next: u64,
}

impl Cluster {
    fn tick(&mut self) -> String {
        self.next += 1;
        self.next.to_string()
    }

    /// Server-side apply with force.
    fn apply(&mut self, id: &ObjectId, body: &Value) -> Answered {
        let version = self.tick();
        let answered = if self.objects.contains_key(id) { Answered::Existing } else { Answered::Created };
        let fresh = json!({"apiVersion": body["apiVersion"], "kind": body["kind"],
            "metadata": {"name": id.name, "namespace": id.namespace, "uid": format!("u{version}"), "managedFields": []}});
        let object = self.objects.entry(id.clone()).or_insert(fresh);
        let before = object.clone();
        let new = set_of(body);
        let mut managers = managers(object);
        let old = managers.remove("tandem").unwrap_or_default();
        let others = managers.values().fold(FieldSet::default(), |all, set| all.union(set));
        for place in places(&old.without(&new).without(&others)) {
            take(object, &place);
        }
        for place in places(&new) {
            let value = crate::object::fields::at(body, &place).expect("a value").clone();
            if crate::object::fields::at(object, &place) != Some(&value) {
                managers.values_mut().for_each(|set| set.remove(&place, None));
            }
            put(object, &place, value);
        }
        managers.insert("tandem".into(), new);
        write_managers(object, managers);
        if *object != before {
            object["metadata"]["resourceVersion"] = version.into();
            self.writes += 1;
        }
        answered
    }

    /// Somebody sets, or removes, one field.
    pub(super) fn edit(&mut self, id: &ObjectId, manager: &str, place: &[&str], value: Option<Value>) {
        let version = self.tick();
        let Some(object) = self.objects.get_mut(id) else { return };
        let place: Vec<String> = place.iter().map(|name| (*name).to_owned()).collect();
        let mut managers = managers(object);
        managers.values_mut().for_each(|set| set.remove(&place, None));
        match value {
            None => take(object, &place),
            Some(value) => {
                put(object, &place, value);
                let wrote = place.iter().rev().fold(json!({}), |below, name| json!({ format!("f:{name}"): below }));
                let mine = managers.remove(manager).unwrap_or_default();
                managers.insert(manager.to_owned(), mine.union(&FieldSet::read(&wrote)));
            }
        }
        write_managers(object, managers);
        object["metadata"]["resourceVersion"] = version.into();
    }

    /// Somebody creates an object of their own.
    pub(super) fn create(&mut self, id: &ObjectId, manager: &str, body: &Value) {
        if self.objects.contains_key(id) {
            return;
        }
        let version = self.tick();
        let mut object = body.clone();
        object["metadata"]["uid"] = format!("u{version}").into();
        object["metadata"]["resourceVersion"] = version.into();
        write_managers(&mut object, BTreeMap::from([(manager.to_owned(), set_of(body))]));
        self.objects.insert(id.clone(), object);
    }

    fn delete(&mut self, id: &ObjectId, precondition: &Precondition) {
        let fits = self.objects.get(id).is_some_and(|object| {
            object["metadata"]["uid"] == precondition.uid.as_str()
                && object["metadata"]["resourceVersion"] == precondition.resource_version.as_str()
        });
        assert!(fits, "a deletion of {id} whose preconditions fail");
        self.objects.remove(id);
        self.writes += 1;
    }

    fn see(&self, id: &ObjectId) -> Live {
        match self.objects.get(id) {
            None => Live::Absent,
            Some(object) => {
                Live::Present(see(object, &key(), &Yields::none(), &Managers::default()).expect("a live object"))
            }
        }
    }

    /// What a watch by label shows.
    fn watched(&self) -> Observed {
        let labelled = |object: &Value| object.pointer("/metadata/labels/tandemcd.io~1sync-name").is_some();
        self.objects.iter().filter(|(_, object)| labelled(object)).map(|(id, _)| (id.clone(), self.see(id))).collect()
    }
}

/// One Sync on the model, as the agent carries it out.
#[derive(Clone, Debug, Default)]
pub(super) struct Runner {
    pub(super) owned: Owned,
}

impl Runner {
    pub(super) fn plan(&self, cluster: &Cluster, desired: &[Desired], problems: &[crate::object::Problem]) -> Plan {
        let mut observed = cluster.watched();
        let claims = Claims::default();
        let owner = owner();
        for _ in 0..2 {
            let plan = plan(&Input {
                owner: &owner,
                agent_namespace: "tandem-system",
                desired,
                problems,
                owned: &self.owned,
                observed: &observed,
                claims: &claims,
                pruning: Pruning::Enabled,
            });
            let looks: Vec<ObjectId> = plan.to_look_at().map(|change| change.id.clone()).collect();
            if looks.is_empty() {
                return plan;
            }
            observed.extend(looks.into_iter().map(|id| (id.clone(), cluster.see(&id))));
        }
        panic!("one round of looking is enough");
    }

    /// A whole run; it stops after `writes` writes to the cluster as a killed agent does. Returns
    /// the plan that it carried out.
    pub(super) fn run(&mut self, cluster: &mut Cluster, manifests: Vec<Manifest>, writes: u32) -> Plan {
        let (desired, problems) = resolve(manifests, &scopes(), &owner(), &Rules::default(), &key());
        assert_eq!(problems, Vec::new());
        let mut plan = self.plan(cluster, &desired, &problems);
        for change in plan.changes.iter_mut().filter(|change| change.method == Method::Apply) {
            let desired = desired.iter().find(|object| *object.id() == change.id).expect("it is desired");
            self.dry_run(cluster, change, desired);
        }
        let verdict = Verdict::Within { deletions: 0 };
        let admitted =
            admit(plan, desired, &Acceptance::Accepted, &verdict, OnInvalid::Hold, &Refusals::new()).expect("admitted");
        self.owned = intended(&admitted, &self.owned);
        let end = cluster.writes.saturating_add(writes);
        for change in admitted.steps().iter().flat_map(|step| &step.changes) {
            if cluster.writes >= end {
                return admitted.plan().clone();
            }
            match change.desired {
                None => {
                    let precondition = change.change.precondition.as_ref().expect("a deletion has preconditions");
                    cluster.delete(&change.change.id, precondition);
                    self.owned.remove(&change.change.id);
                }
                Some(desired) => self.apply(cluster, change.change, desired),
            }
        }
        for change in admitted.plan().changes.iter().filter(|change| forgets(change)) {
            self.owned.remove(&change.id);
        }
        admitted.plan().clone()
    }

    fn dry_run(&mut self, cluster: &Cluster, change: &mut Change, desired: &Desired) {
        let mut trial = cluster.clone();
        let answered = trial.apply(desired.id(), &desired.manifest.body);
        let Live::Present(seen) = trial.see(desired.id()) else { panic!("it was applied") };
        let answer = Answer { answered, seen };
        *change = refine(change, &answer, &cluster.see(desired.id()));
        if change.reason == Reason::UpToDate {
            let entry = record(change, desired, self.owned.get(&change.id), &answer);
            self.owned.insert(change.id.clone(), entry);
        }
    }

    fn apply(&mut self, cluster: &mut Cluster, change: &Change, desired: &Desired) {
        let id = desired.id();
        let before = cluster.see(id);
        let mut answered = cluster.apply(id, &desired.manifest.body);
        if let Some(patch) = adopt_patch(&cluster.objects[id], &Yields::none(), &Managers::default()) {
            let version = cluster.tick();
            let object = cluster.objects.get_mut(id).expect("it is there");
            json_patch::patch(object, &patch).expect("the patch fits");
            object["metadata"]["resourceVersion"] = version.into();
            let again = cluster.apply(id, &desired.manifest.body);
            answered = if answered == Answered::Created { answered } else { again };
        }
        let Live::Present(seen) = cluster.see(id) else { panic!("it was applied") };
        let answer = Answer { answered, seen };
        let change = refine(change, &answer, &before);
        let entry = record(&change, desired, self.owned.get(id), &answer);
        self.owned.insert(id.clone(), entry);
    }
}

/// What a manifest applies: mappings field by field, all else as a whole.
fn set_of(body: &Value) -> FieldSet {
    fn node(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                map.iter().map(|(name, below)| (format!("f:{name}"), node(below))).collect::<Map<_, _>>().into()
            }
            _ => json!({}),
        }
    }
    let mut set = FieldSet::read(&node(body));
    for fixed in [
        &["apiVersion"][..],
        &["kind"],
        &["metadata", "name"],
        &["metadata", "namespace"],
        &["metadata", "managedFields"],
    ] {
        set.remove(&fixed.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), None);
    }
    set
}

fn places(set: &FieldSet) -> Vec<Vec<String>> {
    fn node(value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
        let map = value.as_object().expect("a set");
        if map.is_empty() {
            found.push(path.clone());
        }
        for (name, below) in map.iter().filter_map(|(name, below)| Some((name.strip_prefix("f:")?, below))) {
            path.push(name.to_owned());
            node(below, path, found);
            path.pop();
        }
    }
    let mut found = Vec::new();
    if !set.is_empty() {
        node(&set.write(), &mut Vec::new(), &mut found);
    }
    found
}

fn put(object: &mut Value, place: &[String], value: Value) {
    let mut slot = object;
    for name in place {
        if !slot.is_object() {
            *slot = json!({});
        }
        slot = slot.as_object_mut().expect("a mapping").entry(name.clone()).or_insert(Value::Null);
    }
    *slot = value;
}

fn take(object: &mut Value, place: &[String]) {
    crate::object::fields::take_out(object, place);
}

fn managers(object: &Value) -> BTreeMap<String, FieldSet> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries
        .map(|entry| (entry["manager"].as_str().expect("a name").to_owned(), FieldSet::read(&entry["fieldsV1"])))
        .collect()
}

fn write_managers(object: &mut Value, managers: BTreeMap<String, FieldSet>) {
    let api_version = object["apiVersion"].clone();
    let entries = managers.into_iter().filter(|(_, set)| !set.is_empty()).map(|(manager, set)| {
        let operation = if manager == "tandem" { "Apply" } else { "Update" };
        json!({"manager": manager, "operation": operation, "apiVersion": api_version, "fieldsType": "FieldsV1", "fieldsV1": set.write()})
    });
    object["metadata"]["managedFields"] = entries.collect();
}

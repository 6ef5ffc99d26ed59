//! What holds whatever Git, people and crashes do.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::model::{Cluster, Runner};
use super::{desired, manifest, owner};
use crate::object::fields::at;
use crate::object::{Manifest, ObjectId};
use crate::plan::{Action, Method, drift};

/// What no output may ever hold.
const CANARY: &str = "canary-in-a-secret";

/// Objects of a commit: for each of a few names, its content or nothing.
type Commit = BTreeMap<u8, u8>;

#[derive(Clone, Debug)]
enum Event {
    /// A commit is run to its end.
    Commit(Commit),
    /// A commit is run, and the agent is killed after some writes.
    Crash(Commit, u32),
    /// Somebody sets a field that we own.
    Edit(u8),
    /// Somebody adds a field.
    Add(u8),
    /// Somebody removes a field that we own.
    Remove(u8),
    /// Somebody deletes an object.
    Delete(u8),
    /// Somebody creates an object of the same name.
    Create(u8),
    /// A controller writes a field of its own.
    Control(u8),
}

fn commits() -> impl Strategy<Value = Commit> {
    prop::collection::btree_map(0_u8..6, 0_u8..3, 1..6)
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => commits().prop_map(Event::Commit),
        2 => (commits(), 0_u32..6).prop_map(|(commit, writes)| Event::Crash(commit, writes)),
        1 => (0_u8..6).prop_map(Event::Edit),
        1 => (0_u8..6).prop_map(Event::Add),
        1 => (0_u8..6).prop_map(Event::Remove),
        1 => (0_u8..6).prop_map(Event::Delete),
        1 => (0_u8..6).prop_map(Event::Create),
        1 => (0_u8..6).prop_map(Event::Control),
    ];
    prop::collection::vec(event, 1..8)
}

fn manifests(commit: &Commit) -> Vec<Manifest> {
    commit.iter().map(|(name, content)| one(*name, *content)).collect()
}

fn one(name: u8, content: u8) -> Manifest {
    manifest(&match name % 3 {
        0 => format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: o{name}, namespace: ns}}, data: {{a: v{content}, k{content}: x}}}}"
        ),
        1 => format!(
            "{{apiVersion: v1, kind: Secret, metadata: {{name: o{name}, namespace: ns}}, stringData: {{a: {CANARY}-{content}, k{content}: {CANARY}}}}}"
        ),
        _ => format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: o{name}, namespace: ns}}, spec: {{replicas: {content}, args: [a{content}]}}}}"
        ),
    })
}

fn id(name: u8) -> ObjectId {
    one(name, 0).id
}

/// A field that every manifest of this name has.
fn field(name: u8) -> &'static [&'static str] {
    if name % 3 == 2 { &["spec", "replicas"] } else { &["data", "a"] }
}

fn happen(event: &Event, cluster: &mut Cluster, runner: &mut Runner) {
    match event {
        Event::Commit(commit) => drop(runner.run(cluster, manifests(commit), u32::MAX)),
        Event::Crash(commit, writes) => drop(runner.run(cluster, manifests(commit), *writes)),
        Event::Edit(name) => cluster.edit(&id(*name), "kubectl-edit", field(*name), Some(json!("ZWRpdGVk"))),
        Event::Add(name) => {
            cluster.edit(&id(*name), "kubectl-label", &["metadata", "labels", "added"], Some(json!("x")))
        }
        Event::Remove(name) => cluster.edit(&id(*name), "kubectl-edit", field(*name), None),
        Event::Delete(name) => drop(cluster.objects.remove(&id(*name))),
        Event::Create(name) => cluster.create(&id(*name), "kubectl-create", &one(*name, 7).body),
        Event::Control(name) => {
            cluster.edit(&id(*name), "some-controller", &["metadata", "annotations", "c"], Some(json!("x")))
        }
    }
}

/// What Git wants is there, what people added to it is not, and nothing of ours is left over.
fn check_equal(cluster: &Cluster, runner: &Runner, commit: &Commit) -> Result<(), TestCaseError> {
    let wanted: BTreeMap<ObjectId, Manifest> =
        manifests(commit).into_iter().map(|manifest| (manifest.id.clone(), manifest)).collect();
    for (id, manifest) in &wanted {
        let live = cluster.objects.get(id);
        prop_assert!(live.is_some(), "{} is missing", id);
        let live = live.expect("asserted");
        let mut body = manifest.body.clone();
        if let Some(plain) = body.as_object_mut().expect("a mapping").remove("stringData") {
            let encode = |text: &Value| {
                base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text.as_str().expect("a text"))
            };
            body["data"] = plain
                .as_object()
                .expect("a mapping")
                .iter()
                .map(|(key, text)| (key.clone(), encode(text).into()))
                .collect::<serde_json::Map<_, _>>()
                .into();
        }
        prop_assert_eq!(drift(live, &body), Vec::new(), "{}", id);
        let part = if id.kind == "Deployment" { "spec" } else { "data" };
        prop_assert_eq!(&live[part], &body[part], "{} has more than Git", id);
        prop_assert_eq!(at(live, &["metadata", "labels", "added"].map(str::to_owned)), None, "{}", id);
    }
    let left: Vec<&ObjectId> = cluster
        .objects
        .iter()
        .filter(|(id, object)| {
            object.pointer("/metadata/annotations/tandemcd.io~1owner").is_some() && !wanted.contains_key(*id)
        })
        .map(|(id, _)| id)
        .collect();
    prop_assert_eq!(left, Vec::<&ObjectId>::new(), "orphans");
    let owned: BTreeSet<&ObjectId> = runner.owned.keys().collect();
    prop_assert_eq!(owned, wanted.keys().collect::<BTreeSet<_>>());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happened before, one run makes the cluster equal to Git, and the next plan is empty:
    /// not one request, not one write.
    #[test]
    fn one_run_mends_everything_and_the_next_does_nothing(past in events(), commit in commits()) {
        let (mut cluster, mut runner) = (Cluster::default(), Runner::default());
        for event in &past {
            happen(event, &mut cluster, &mut runner);
        }
        runner.run(&mut cluster, manifests(&commit), u32::MAX);
        check_equal(&cluster, &runner, &commit)?;
        let writes = cluster.writes;
        let again = runner.run(&mut cluster, manifests(&commit), u32::MAX);
        prop_assert!(again.is_empty(), "{:#?}", again);
        prop_assert!(again.changes.iter().all(|change| change.action == Action::Unchanged));
        prop_assert_eq!(cluster.writes, writes);
    }

    /// A run that is killed after any write is made good by the next one.
    #[test]
    fn a_crash_after_any_write_leaves_nothing_behind(first in commits(), second in commits()) {
        let (mut before, mut owns) = (Cluster::default(), Runner::default());
        owns.run(&mut before, manifests(&first), u32::MAX);
        for writes in 0..12 {
            let (mut cluster, mut runner) = (before.clone(), owns.clone());
            runner.run(&mut cluster, manifests(&second), writes);
            for id in manifests(&second).into_iter().map(|manifest| manifest.id) {
                prop_assert!(!before.objects.contains_key(&id) || cluster.objects.contains_key(&id), "{} is kept by Git", id);
            }
            runner.run(&mut cluster, manifests(&second), u32::MAX);
            check_equal(&cluster, &runner, &second)?;
        }
    }

    /// The order of files says nothing.
    #[test]
    fn the_order_of_input_never_matters(past in events(), commit in commits(), seed in any::<u64>()) {
        let (mut cluster, mut runner) = (Cluster::default(), Runner::default());
        for event in &past {
            happen(event, &mut cluster, &mut runner);
        }
        let resolved = |manifests| crate::plan::resolve(manifests, &super::scopes(), &owner(), &crate::plan::Rules::default(), &super::key());
        let straight = manifests(&commit);
        let mut shuffled = straight.clone();
        shuffled.sort_by_key(|manifest| super::key().digest(&json!([seed, manifest.id.to_string()])));
        let (one, other) = (resolved(straight), resolved(shuffled));
        prop_assert_eq!(&one, &other);
        let text = |(desired, problems): (Vec<_>, Vec<_>)| serde_json::to_string(&runner.plan(&cluster, &desired, &problems)).expect("JSON");
        prop_assert_eq!(text(one), text(other));
    }

    /// What is deleted is in the inventory, and what others made without us stays.
    #[test]
    fn nothing_outside_the_inventory_is_deleted(past in events(), commit in commits(), problem in any::<bool>()) {
        let (mut cluster, mut runner) = (Cluster::default(), Runner::default());
        for event in &past {
            happen(event, &mut cluster, &mut runner);
        }
        let desired: Vec<_> = manifests(&commit).into_iter().map(|manifest| desired(&manifest.body.to_string())).collect();
        let problems: Vec<_> = problem.then(|| crate::object::Problem::new("Any", "of a file")).into_iter().collect();
        let plan = runner.plan(&cluster, &desired, &problems);
        for change in plan.changes.iter().filter(|change| change.method == Method::Delete) {
            prop_assert!(runner.owned.contains_key(&change.id), "{} is not ours", change.id);
            prop_assert!(!problem, "a source that was not read whole deletes {}", change.id);
            let live = &cluster.objects[&change.id];
            let precondition = change.precondition.as_ref().expect("preconditions");
            prop_assert_eq!(&live["metadata"]["uid"], precondition.uid.as_str());
        }
    }

    /// No secret value is in a plan, a problem or a diff.
    #[test]
    fn no_secret_value_is_in_any_output(past in events(), commit in commits()) {
        let (mut cluster, mut runner) = (Cluster::default(), Runner::default());
        let mut told = String::new();
        for event in &past {
            happen(event, &mut cluster, &mut runner);
        }
        let (desired, problems) = crate::plan::resolve(manifests(&commit), &super::scopes(), &owner(), &crate::plan::Rules::default(), &super::key());
        let mut plan = runner.plan(&cluster, &desired, &problems);
        for change in &mut plan.changes {
            let null = Value::Null;
            let live = cluster.objects.get(&change.id).unwrap_or(&null);
            let wanted = desired.iter().find(|object| *object.id() == change.id).map_or(&null, |object| &object.manifest.body);
            change.fields = crate::plan::diff(live, wanted);
            change.fields.extend(drift(live, wanted));
        }
        told.push_str(&serde_json::to_string(&plan).expect("JSON"));
        told.push_str(&format!("{plan:?}"));
        // Base64 of the canary at each of its three offsets is found by its middle.
        let encoded = ["Y2FuYXJ5LWluLWEtc2Vjcm", "NhbmFyeS1pbi1hLXNlY3", "jYW5hcnktaW4tYS1zZWNy"];
        prop_assert!(!told.contains(CANARY) && encoded.iter().all(|part| !told.contains(part)), "{}", told);
    }
}

use serde_json::json;

use super::*;
use crate::inventory::Entry;
use crate::plan::tests::desired;
use crate::plan::{Method, Phase, Reason};

const WEB: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, data: {v: '2'}}";
const NEW: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: new, namespace: shop}, data: {v: '1'}}";
const SECRET: &str = "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: shop}, data: {p: c2VjcmV0}}";

fn change(desired: &Desired, action: Action) -> Change {
    let reason = if action == Action::Created { Reason::New } else { Reason::Changed };
    Change {
        method: Method::Apply,
        desired: Some(desired.digest),
        ..Change::new(desired.id().clone(), "v1", Phase::Config, action, reason)
    }
}

fn field(path: &str, live: &str, desired: &str) -> FieldChange {
    FieldChange { path: path.into(), live: Some(json!(live)), desired: Some(json!(desired)) }
}

fn entry(desired: Option<crate::object::Digest>) -> Entry {
    Entry { uid: Some("u".into()), desired, ..Entry::default() }
}

/// One object changed, one created, one deleted, one with a secret.
fn example() -> (Plan, Vec<Desired>, Owned) {
    let all = [WEB, NEW, SECRET].map(desired).to_vec();
    let gone = ObjectId::new("shop", "gone", "", "ConfigMap");
    let mut web = change(&all[0], Action::Configured);
    web.fields = vec![field("data.v", "1", "2")];
    let mut deleted = Change::new(gone.clone(), "v1", Phase::Config, Action::Deleted, Reason::LeftGit);
    deleted.method = Method::Delete;
    let plan = Plan {
        changes: vec![web, change(&all[1], Action::Created), change(&all[2], Action::Configured), deleted],
        ..Plan::default()
    };
    let owned = [(all[0].id().clone(), entry(None)), (gone, entry(None))].into();
    (plan, all, owned)
}

fn of(change: impl FnOnce(&mut Plan, &mut Vec<Desired>, &mut Owned)) -> Essence {
    let (mut plan, mut desired, mut owned) = example();
    change(&mut plan, &mut desired, &mut owned);
    essence(&plan, &desired, &owned, Some("one".to_owned()))
}

#[test]
fn what_would_do_the_same_has_one_digest_and_what_would_not_has_another() {
    let plain = of(|_, _, _| {});
    assert!(plain.is_whole() && plain.bare().is_whole() && plain.lines.len() == 4);
    assert_eq!(plain.bare().digest(), plain.digest(), "what is shown may be left out");
    assert!(plain.differences(&plain).is_empty());
    let rest = Essence { lines: plain.lines[1..].to_vec(), ..plain.clone() };
    assert!(plain.covers(&plain.bare()) && plain.covers(&rest) && !rest.covers(&plain));
    for inputs in [None, Some("two".to_owned())] {
        let other = Essence { inputs, ..plain.clone() };
        assert!(other.digest() != plain.digest() && !plain.covers(&other), "rendered with something else");
        assert_eq!(other.bare().digest(), other.digest());
    }
    type Make = fn(&mut Plan, &mut Vec<Desired>, &mut Owned);
    let same: [(&str, Make); 4] = [
        ("in another order", |plan, _, _| plan.changes.reverse()),
        ("where it was written", |plan, _, _| {
            plan.changes[0].origin = Some(crate::object::Origin { file: "b".into(), line: 7, document: 1 });
        }),
        ("what stays as it is", |plan, _, _| {
            let id = ObjectId::new("shop", "same", "", "ConfigMap");
            plan.changes.push(Change::new(id, "v1", Phase::Config, Action::Unchanged, Reason::UpToDate));
        }),
        ("drift of what Git does not change", |plan, all, owned| {
            let other = desired("{apiVersion: v1, kind: ConfigMap, metadata: {name: drifts, namespace: shop}}");
            owned.insert(other.id().clone(), entry(Some(other.digest)));
            plan.changes.push(change(&other, Action::Configured));
            all.push(other);
        }),
    ];
    for (name, make) in same {
        assert_eq!(of(make).digest(), plain.digest(), "{name}");
    }
    let others: [(&str, Make, &str); 7] = [
        (
            "another live value",
            |plan, _, _| plan.changes[0].fields[0].live = Some(json!("0")),
            "is changed otherwise (data.v)",
        ),
        (
            "another field",
            |plan, _, _| plan.changes[0].fields.push(field("data.w", "1", "2")),
            "is changed otherwise (data.w)",
        ),
        (
            "created in place of changed",
            |plan, _, _| plan.changes[0].action = Action::Created,
            "is created, and approved was that it is changed",
        ),
        (
            "one more deletion",
            |plan, _, _| {
                let id = ObjectId::new("shop", "web2", "", "ConfigMap");
                plan.changes.push(Change::new(id, "v1", Phase::Config, Action::Deleted, Reason::LeftGit));
            },
            "web2 is deleted, and approved was that it stays",
        ),
        ("a deletion less", |plan, _, _| drop(plan.changes.pop()), "gone stays, and approved was that it is deleted"),
        (
            "another object is sent",
            |plan, all, _| {
                all[1] = desired(&NEW.replace('1', "7"));
                plan.changes[1] = change(&all[1], Action::Created);
            },
            "new is created otherwise",
        ),
        (
            "a secret that was not there",
            |_, all, owned| drop(owned.insert(all[2].id().clone(), entry(None))),
            "s is changed, and approved was that it is created",
        ),
    ];
    for (name, make, told) in others {
        let other = of(make);
        assert_ne!(other.digest(), plain.digest(), "{name}");
        let differences: Vec<String> = plain.differences(&other).iter().map(ToString::to_string).collect();
        assert!(differences.len() == 1 && differences[0].ends_with(told), "{name}: {differences:?}");
    }
}

#[test]
fn nothing_of_a_secret_is_shown_or_compared() {
    let plain = of(|_, _, _| {});
    let other = of(|plan, all, _| {
        all[2] = desired(&SECRET.replace("c2VjcmV0", "b3RoZXI="));
        plan.changes[2] = change(&all[2], Action::Configured);
        plan.changes[2].fields = vec![field("data.p", "***", "*** (changed)")];
    });
    assert_eq!(plain.digest(), other.digest(), "its value is bound by the commit");
    let text = serde_json::to_string(&plain).expect("JSON");
    assert!(!text.contains("c2VjcmV0") && text.contains("hidden"), "{text}");
    // Nor of an object of another kind that was decrypted.
    let masked = |value: &str| {
        of(|plan, all, _| {
            all[1] = desired(&NEW.replace("'1'", value));
            all[1].manifest.masked = vec!["/data/v".into()];
            plan.changes[1] = change(&all[1], Action::Created);
        })
    };
    assert_eq!(masked("one").digest(), masked("two").digest());
    assert!(!serde_json::to_string(&masked("canary")).expect("JSON").contains("canary"));
}

#[test]
fn what_is_shown_is_what_the_digest_speaks_of() {
    let mut essence = of(|_, _, _| {});
    let line = essence.lines.iter_mut().find(|line| line.id.name == "web").expect("web");
    line.detail = Some(Detail::Fields(vec![field("data.v", "1", "1.0.1")]));
    assert!(!essence.is_whole());
    let (plan, created) = of(|_, _, _| {}).as_plan();
    assert_eq!((plan.changes.len(), created.len()), (4, 1));
}

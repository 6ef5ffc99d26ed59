//! What a plan may delete.

use std::collections::BTreeMap;

use super::*;
use crate::inventory::{Entry, Flag, Owned};

fn deletion(group: &str, kind: &str, name: &str) -> Change {
    let id = ObjectId::new(if kind == "Namespace" { "" } else { "ns" }, name, group, kind);
    Change { method: Method::Delete, ..Change::new(id, "v1", Phase::Config, Action::Deleted, Reason::LeftGit) }
}

struct Case {
    plan: Plan,
    owned: Owned,
    along: Along,
    done: u32,
    trailers: Vec<Trailer>,
    paid: Vec<Paid>,
}

impl Case {
    /// So many ConfigMaps of so many objects are deleted.
    fn of(deletions: usize, all: usize) -> Self {
        let entry = |at: usize| (ObjectId::new("ns", format!("c{at}"), "", "ConfigMap"), Entry::default());
        Self {
            plan: Plan {
                changes: (0..deletions).map(|at| deletion("", "ConfigMap", &format!("c{at}"))).collect(),
                ..Plan::default()
            },
            owned: (0..all).map(entry).collect(),
            along: Along::new(),
            done: 0,
            trailers: vec![],
            paid: vec![],
        }
    }

    fn with(mut self, change: Change) -> Self {
        self.owned.insert(change.id.clone(), Entry::default());
        self.plan.changes.push(change);
        self
    }

    fn says(mut self, commit: &str, line: &str) -> Self {
        let (found, wrong) = trailers(commit, line);
        assert_eq!(wrong, []);
        self.trailers.extend(found);
        self
    }

    fn judge(&self) -> Verdict {
        let (owner, budget) =
            (owner(), Budget { protected_kinds: vec!["Database.acme.example".into()], ..Budget::default() });
        let spending = Spending {
            owner: &owner,
            plan: &self.plan,
            owned: &self.owned,
            along: &self.along,
            done: self.done,
            trailers: &self.trailers,
            paid: &self.paid,
        };
        judge(&spending, &budget)
    }

    fn is_held(&self) -> bool {
        matches!(self.judge(), Verdict::Held { .. })
    }
}

#[test]
fn both_limits_must_be_passed() {
    for (deletions, all, held) in [
        (0, 0, false),
        (10, 10, false),
        (11, 55, false),
        (11, 54, true),
        (20, 100, false),
        (21, 100, true),
        (300, 2000, false),
    ] {
        assert_eq!(Case::of(deletions, all).is_held(), held, "{deletions} of {all}");
    }
}

#[test]
fn what_was_done_counts() {
    let mut case = Case::of(3, 20);
    assert!(!case.is_held());
    case.done = 8;
    assert!(case.is_held());
    case.plan.changes.clear();
    assert_eq!(case.judge(), Verdict::Within { deletions: 8 }, "nothing is left to delete");
}

#[test]
fn protected_kinds_always_need_a_line() {
    for (group, kind) in [
        ("", "Namespace"),
        ("", "PersistentVolumeClaim"),
        ("apps", "StatefulSet"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("tandemcd.io", "Sync"),
        ("tandemcd.io", "Repository"),
        ("acme.example", "Database"),
    ] {
        assert!(Case::of(0, 1000).with(deletion(group, kind, "x")).is_held(), "{kind}");
    }
    assert!(!Case::of(0, 1000).with(deletion("other.example", "Database", "x")).is_held());
}

#[test]
fn the_message_prints_the_line_that_pays() {
    let mut case = Case::of(2, 40).with(deletion("", "Namespace", "shop"));
    case.along = BTreeMap::from([(ObjectId::new("", "shop", "", "Namespace"), 30)]);
    let Verdict::Held { deletions, message, line } = case.judge() else { panic!("not held") };
    assert_eq!(deletions, 33);
    assert_eq!(line, "Tandem-Delete: prod/flow/shop 33");
    assert_eq!(
        message,
        "33 of 41 objects would be deleted, among them Namespace/shop. If this is meant, add this line to the message of a commit: Tandem-Delete: prod/flow/shop 33"
    );
    let paid = case.says("c1", &format!("Remove the shop\n\n{line}\n"));
    assert_eq!(paid.judge(), Verdict::Paid { deletions: 33, by: vec![Paid { commit: "c1".into(), used: 33 }] });
}

#[test]
fn lines_must_fit_and_count_once() {
    let short = Case::of(12, 12).says("c1", "Tandem-Delete: flow/shop 11");
    assert!(short.is_held());
    let Verdict::Held { message, .. } = short.judge() else { panic!("not held") };
    assert!(message.contains("trailers permit 11"), "{message}");
    let both = short.says("c2", "Tandem-Delete: prod/flow/shop 5");
    let by = vec![Paid { commit: "c1".into(), used: 11 }, Paid { commit: "c2".into(), used: 1 }];
    assert_eq!(both.judge(), Verdict::Paid { deletions: 12, by: by.clone() });
    let mut again = both;
    again.paid = by;
    assert!(again.is_held(), "a line pays once");
    for line in ["Tandem-Delete: flow/other 99", "Tandem-Delete: other/shop 99", "Tandem-Delete: staging/flow/shop 99"]
    {
        assert!(Case::of(12, 12).says("c1", line).is_held(), "{line}");
    }
}

#[test]
fn what_was_paid_for_is_free_when_the_run_goes_on() {
    let mut case = Case::of(12, 30);
    assert!(case.is_held());
    for entry in case.owned.values_mut() {
        entry.flags.insert(Flag::Granted);
    }
    assert_eq!(case.judge(), Verdict::Within { deletions: 0 });
}

#[test]
fn a_namespace_and_what_the_plan_names_in_it_count_once() {
    let mut case = Case::of(5, 5).with(deletion("", "Namespace", "ns"));
    case.along.insert(ObjectId::new("", "ns", "", "Namespace"), 5);
    let Verdict::Held { deletions, .. } = case.judge() else { panic!("not held") };
    assert_eq!(deletions, 6);
}

#[test]
fn recreation_counts_and_a_replaced_job_does_not() {
    let replaced = |group, kind, reason| {
        let change = deletion(group, kind, "x");
        Case::of(0, 100).with(Change { method: Method::Replace, action: Action::Configured, reason, ..change })
    };
    assert!(replaced("apps", "StatefulSet", Reason::Recreated).is_held());
    assert_eq!(replaced("", "Service", Reason::Recreated).judge(), Verdict::Within { deletions: 1 });
    assert_eq!(replaced("batch", "Job", Reason::JobReplaced).judge(), Verdict::Within { deletions: 0 });
}

#[test]
fn generated_objects_with_a_successor_are_free() {
    let successor = |name: &str| Change {
        desired: Some(key().digest_bytes(b"x")),
        ..Change::new(ObjectId::new("ns", name, "", "ConfigMap"), "v1", Phase::Config, Action::Created, Reason::New)
    };
    let check = |old: &str, new: &str, counted: u32| {
        let mut case = Case::of(0, 5).with(deletion("", "ConfigMap", old));
        case.plan.changes.push(successor(new));
        assert_eq!(case.judge(), Verdict::Within { deletions: counted }, "{old} -> {new}");
    };
    check("conf-6ct58987ht", "conf-t2f9gk4mbd", 0);
    check("conf-6ct58987ht", "other-t2f9gk4mbd", 1);
    check("conf-6ct58987ht", "conf", 1);
    check("conf-production", "conf-t2f9gk4mbd", 1);
}

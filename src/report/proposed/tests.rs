//! What a comment says, and that nothing of it is more than words.

use serde_json::json;

use super::*;
use crate::object::Origin;
use crate::plan::{FieldChange, Phase, Reason};

const HEAD: &str = "1111111111111111111111111111111111111111";

fn place() -> Place<'static> {
    Place { cluster: "prod", group: None, head: HEAD, labelled: None, label: None, signed: None }
}

fn change(action: Action, name: &str) -> Change {
    let reason = match action {
        Action::Created => Reason::New,
        Action::Deleted => Reason::LeftGit,
        _ => Reason::Changed,
    };
    let id = ObjectId::new("shop", name, "apps", "Deployment");
    Change {
        origin: Some(Origin { file: "shop/web.yaml".into(), line: 3, document: 1 }),
        ..Change::new(id, "apps/v1", Phase::Workloads, action, reason)
    }
}

fn sync(changes: Vec<Change>) -> SyncPlan {
    SyncPlan {
        name: "shop/web".into(),
        plan: Plan { changes, ..Plan::default() },
        created: Bodies::new(),
        denied: vec![],
        warned: vec![],
        apart: vec![],
        notes: vec![],
        basis: Basis::Asked,
        essence: None,
    }
}

fn field(path: &str, live: &str, desired: &str) -> FieldChange {
    FieldChange { path: path.into(), live: Some(json!(live)), desired: Some(json!(desired)) }
}

#[test]
fn a_plan_is_told_with_what_is_wrong_first() {
    let mut web = change(Action::Configured, "web");
    web.fields = vec![field("spec.image", "web:1", "web:2")];
    let mut good = sync(vec![web, change(Action::Deleted, "old"), change(Action::Unchanged, "same")]);
    good.apart = vec![(ObjectId::new("shop", "db", "", "Secret"), "Secrets are not read here".into())];
    let mut bad = sync(vec![change(Action::Created, "new")]);
    bad.name = "shop/bad".into();
    bad.created.insert(bad.plan.changes[0].id.clone(), json!({"kind": "Deployment", "spec": {"replicas": 1}}));
    let id = ObjectId::new("shop", "new", "apps", "Deployment");
    let origin = Origin { file: "bad/a.yaml".into(), line: 7, document: 1 };
    bad.plan.problems = vec![Problem::new("Invalid", "spec.x: must be 1").at(&origin).of(&id).hint("mend it")];
    bad.denied = vec![Problem::new("StandardViolated", "no owner").at(&origin)];
    let found = Found::Planned(vec![good, bad]);
    insta::assert_snapshot!(comment(&place(), &found));
    let status = status(&found);
    assert_eq!(status.light, Light::Failure);
    assert_eq!(
        status.description,
        "1 to create, 1 to configure, 1 to delete, 1 unchanged, 1 refused, 1 against a Standard"
    );
    let state = earlier(&comment(&place(), &found)).expect("its own words");
    assert_eq!(state, Earlier { head: HEAD.into(), labelled: None });
    let labelled = Place { labelled: Some(7), group: Some("web"), ..place() };
    assert_eq!(earlier(&comment(&labelled, &found)).and_then(|state| state.labelled), Some(7));
    assert!(!comment(&labelled, &found).starts_with(&place().mark()), "a group has a comment of its own");
}

#[test]
fn what_cannot_be_planned_is_told_too() {
    for (found, light, words) in [
        (Found::Conflicts, Light::Failure, "does not merge"),
        (Found::Unknown("history ends before they part".into()), Light::Pending, "history ends before they part"),
        (Found::Planned(vec![]), Light::Success, "changes nothing that a Sync of this cluster reads"),
    ] {
        assert_eq!(status(&found).light, light);
        let text = comment(&place(), &found);
        assert!(text.contains(words), "{text}");
    }
    let mut offline = sync(vec![change(Action::Configured, "web")]);
    offline.basis = Basis::Offline("there is no policy tandem-plan".into());
    let text = comment(&place(), &Found::Planned(vec![offline]));
    assert!(text.contains("The API server was not asked") && text.contains("there is no policy tandem-plan"), "{text}");
    let mut fork = sync(vec![]);
    fork.basis = Basis::Apart;
    let labelled = Place { label: Some("ok-to-plan"), ..place() };
    let text = comment(&labelled, &Found::Planned(vec![fork]));
    assert!(text.contains("comes from a fork") && text.contains("<code>ok-to-plan</code>"), "{text}");
}

/// The text with our own tags taken out and numbers written as what they stand for: as a reader sees it.
fn read(text: &str) -> String {
    let mut shown = text.replace("&nbsp;", " ");
    for tag in ["code", "pre", "details", "summary"] {
        shown = shown.replace(&format!("<{tag}>"), "").replace(&format!("</{tag}>"), "");
    }
    // An ampersand last: what follows one is a number of ours alone.
    for n in (32..127_u32).filter(|n| *n != 38).chain([38]) {
        shown = shown.replace(&format!("&#{n};"), &char::from_u32(n).expect("ASCII").to_string());
    }
    shown
}

/// What in the raw text might be more than words, where it stands outside of our own.
fn more_than_words(text: &str) -> Option<String> {
    let mut bare = text.to_owned();
    for tag in ["code", "pre", "details", "summary"] {
        bare = bare.replace(&format!("<{tag}>"), "").replace(&format!("</{tag}>"), "");
    }
    let lines: Vec<&str> = bare.lines().skip(2).collect();
    for line in &lines {
        let ours = line.trim_start_matches('#');
        let marks = ["@", "<", "`", "](", "![", "://", "www."];
        if let Some(mark) = marks.iter().find(|mark| ours.to_lowercase().contains(*mark)) {
            return Some(format!("{mark} in {line}"));
        }
        // A reference to an issue; numbers of ours begin with `&#`.
        if ours.replace("&#", "").contains('#') {
            return Some(format!("# in {line}"));
        }
        if ours.trim_start().starts_with('/') {
            return Some(format!("a command in {line}"));
        }
        if ours.chars().any(crate::report::visible::is_hidden) {
            return Some(format!("something hidden in {line}"));
        }
    }
    None
}

#[test]
fn nothing_of_others_is_more_than_words_and_all_of_it_can_be_read() {
    for (attack, honest) in [
        ("@everyone and @shop/admins", "everyone and shop/admins"),
        ("closes #1, fixes shop/web#2, !3, ~bug, &7", "closes 1"),
        ("<img src=x onerror=alert(1)>", "img src=x"),
        ("</code></pre></details><h1>approved</h1>", "approved"),
        ("<!-- tandem state head=2 label=9 -->", "tandem state"),
        ("--> <script>alert(1)</script>", "script"),
        ("[click](http://evil.example/)", "click"),
        ("![pixel](https://evil.example/x.png)", "pixel"),
        ("https://evil.example www.evil.example me@evil.example", "evil.example"),
        ("javascript:alert(1)", "javascript"),
        ("```\n@team\n```", "team"),
        ("`` ` `` ~~~ ***bold*** __x__ | a | b |", "bold"),
        ("/merge", "merge"),
        ("/approve\n/lgtm", "approve"),
        ("\n\n/close\n\n# title\n\n- [x] done", "title"),
        (":tada: $(whoami) \\@user", "tada"),
        ("a\u{202e}b\u{2066}c\u{200b}d\u{0}e\u{feff}\u{e0041}\u{00ad}", "abcde"),
        ("&lt;b&gt; &#64;user &commat;user", "b user"),
        ("\u{a0}\t  ", "blank"),
        ("", "-"),
    ] {
        for (text, evil) in [(attack, true), (honest, false)] {
            let mut one = change(Action::Configured, "web");
            one.id = ObjectId::new(text, text, "apps", text);
            one.origin = Some(Origin { file: text.to_owned(), line: 1, document: 1 });
            one.author = Some(text.to_owned());
            one.other = Some(text.to_owned());
            one.deferred = Some(text.to_owned());
            one.fields = vec![
                field(text, text, "x"),
                field("data.conf", &format!("a\n{text}\nb"), &format!("a\n{text}{text}\nb\n")),
                FieldChange { path: "data.more".into(), live: None, desired: Some(json!({text: [text]})) },
            ];
            let mut new = change(Action::Created, text);
            new.reason = Reason::Adopted;
            let mut plan = sync(vec![one, new]);
            plan.created.insert(plan.plan.changes[1].id.clone(), json!({text: text, "list": [text, {"a": text}]}));
            let mut problem = Problem::new("Invalid", text).in_file(text, Some(1)).hint(text);
            problem.object = Some(text.to_owned());
            plan.plan.problems = vec![problem.clone()];
            plan.plan.notices = vec![problem.clone()];
            (plan.denied, plan.warned) = (vec![problem.clone()], vec![problem]);
            plan.apart = vec![(ObjectId::new("shop", text, "", "ConfigMap"), text.to_owned())];
            plan.notes = vec![text.to_owned()];
            plan.basis = Basis::Offline(text.to_owned());
            plan.name = text.to_owned();
            let place =
                Place { cluster: text, group: Some(text), head: HEAD, labelled: None, label: Some(text), signed: None };
            let told = comment(&place, &Found::Planned(vec![plan]));
            assert_eq!(more_than_words(&told), None, "{text:?}: {told}");
            assert_eq!(earlier(&told), Some(Earlier { head: HEAD.into(), labelled: None }), "{text:?}");
            for tag in ["code", "pre", "details", "summary"] {
                let count = |tag: &str| told.matches(tag).count();
                assert_eq!(count(&format!("<{tag}>")), count(&format!("</{tag}>")), "{text:?}: {told}");
            }
            // Every block of lines stands between empty lines and has none within.
            for block in told.split("<pre>").skip(1) {
                let (block, after) = block.split_once("</pre>").expect("it ends");
                assert!(after.starts_with("\n\n"), "{text:?}");
                assert!(block.trim_matches('\n').lines().all(|line| !line.trim().is_empty()), "{text:?}: {block}");
            }
            if !evil && text != "-" {
                assert!(read(&told).contains(text), "{text:?}: {told}");
            }
            if evil && !text.trim().is_empty() && !text.contains(['\n', '\u{202e}', '\t']) {
                assert!(read(&told).contains(text.trim()), "it is shown as it is: {text:?}: {told}");
            }
        }
    }
    let shown = read(&comment(&place(), &Found::Unknown("a\u{202e}b\u{0}c".into())));
    assert!(shown.contains("a\\u{202e}b\\u{0000}c"), "{shown}");
}

#[test]
fn what_has_no_room_is_counted_and_equal_input_gives_equal_text() {
    let mut all = Vec::new();
    for at in 0..3000 {
        let mut one = change(Action::Configured, &format!("web-{at:04}"));
        one.fields = (0..200).map(|line| field(&format!("spec.x{line}"), "<old>", "<new>")).collect();
        all.push(one);
    }
    let mut plan = sync(all);
    plan.plan.problems = (0..3000).map(|at| Problem::new("Invalid", format!("no. {at}"))).collect();
    let found = Found::Planned(vec![plan]);
    let text = comment(&place(), &found);
    assert!(text.len() <= LIMIT, "{}", text.len());
    assert!(text.contains(" more** had no room here"), "{}", &text[text.len() - 200..]);
    assert_eq!(text, comment(&place(), &found.clone()));
    let of_code = |tag: &str| text.matches(tag).count();
    assert_eq!(of_code("<pre>"), of_code("</pre>"));

    // With room for it, one object is cut and the others are not.
    let mut long = change(Action::Configured, "long");
    long.fields = (0..300).map(|line| field(&format!("spec.x{line}"), "1", "2")).collect();
    let text = comment(&place(), &Found::Planned(vec![sync(vec![long, change(Action::Deleted, "other")])]));
    assert!(text.contains("… and 480 lines more") && !text.contains("had no room"), "{text}");
    assert!(is_shown(&text.replace('\n', "\r\n"), &text) && is_shown(&format!("{text}\n"), &text));
    assert!(!is_shown(&text, "other"));
}

#[test]
fn the_plan_that_may_be_approved_stands_in_the_comment_while_it_has_room() {
    let change = Change { fields: vec![field("data.v", "1", &"2".repeat(100))], ..change(Action::Configured, "web") };
    let plan = Plan {
        changes: vec![Change { desired: Some(crate::object::DigestKey::new(*b"k").digest(&json!(1))), ..change }],
        ..Plan::default()
    };
    let essence = crate::plan::essence(&plan, &[], &Default::default(), None);
    let many = |count: usize| SignedPlan {
        statement: "tandem plan v1\n".into(),
        signature: "-----BEGIN SSH SIGNATURE-----".into(),
        plans: (0..count).map(|at| (format!("shop/web-{at}"), essence.clone())).collect(),
    };
    for (count, fits) in [(1, true), (1000, false)] {
        let signed = many(count);
        let place = Place { signed: Some(&signed), ..place() };
        let text = comment(&place, &Found::Planned(vec![sync(plan.changes.clone())]));
        assert_eq!(SignedPlan::find(&text).ok(), fits.then_some(signed.clone()), "{count}");
        assert_eq!(text.contains("too large for a comment"), !fits, "{count}");
        assert!(text.len() <= LIMIT && text.contains("tandem approve") == fits, "{text}");
    }
}

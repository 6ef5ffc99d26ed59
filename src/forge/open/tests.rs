//! GitHub and GitLab, faked on the wire: pages, names of answers, one comment, labels, errors. Gitea is asked for real in
//! `tests/plans.rs`.

use serde_json::json;

use super::*;
use crate::forge::Book;
use crate::forge::reviews::tests::{Fake, ME};

const HEADS: [&str; 3] = [
    "1111111111111111111111111111111111111111",
    "2222222222222222222222222222222222222222",
    "3333333333333333333333333333333333333333",
];
const MARK: &str = "<!-- tandem plan cluster=prod group= -->";
const GITHUB: &str = "/repos/shop/web";
const GITLAB: &str = "/projects/shop%2Fweb";

/// Three pull requests: one of a branch, one of a fork with a label, one whose repository is gone.
fn github() -> Fake {
    let fake = Fake::default();
    let pull = |number: u64, head: &str, repo: Value, labels: Value, draft: bool| {
        json!({"number": number, "draft": draft, "labels": labels, "updated_at": "2026-11-29T09:00:00Z", "base": {"ref": "main", "repo": {"id": 70}},
            "head": {"ref": "feature", "sha": head, "repo": repo}})
    };
    let pulls = json!([
        pull(9, HEADS[2], json!({"id": 72}), json!([]), false),
        pull(7, HEADS[0], json!({"id": 70}), json!([]), true),
        pull(8, HEADS[1], json!({"id": 71}), json!([{"name": "other"}, {"name": "ok-to-plan"}]), false),
        {"number": 10, "base": {"ref": "side", "repo": {"id": 70}}, "head": {"ref": "x", "sha": HEADS[0], "repo": {"id": 70}}},
    ]);
    fake.put(&format!("{GITHUB}/pulls"), pulls);
    fake.put("/user", json!({"id": ME, "login": "tandem"}));
    fake.put(&format!("{GITHUB}/issues/8/comments"), json!([]));
    fake
}

fn gitlab() -> Fake {
    let fake = Fake::default();
    let request = |iid: u64, head: &str, source: Value, labels: Value, draft: bool| {
        json!({"iid": iid, "id": 5000 + iid, "sha": head, "draft": draft, "labels": labels, "target_branch": "main",
            "updated_at": "2026-11-29T09:00:00Z",
            "source_project_id": source, "target_project_id": 70})
    };
    let requests = json!([
        request(9, HEADS[2], Value::Null, json!([]), false),
        request(7, HEADS[0], json!(70), json!([]), true),
        request(8, HEADS[1], json!(71), json!(["other", "ok-to-plan"]), false),
        {"iid": 10, "sha": HEADS[0], "target_branch": "side", "source_project_id": 70, "target_project_id": 70},
    ]);
    fake.put(&format!("{GITLAB}/merge_requests"), requests);
    fake.put("/user", json!({"id": ME, "username": "tandem"}));
    fake.put(&format!("{GITLAB}/merge_requests/8/notes"), json!([]));
    fake
}

fn both() -> [(ForgeType, Fake, String, &'static str); 2] {
    let notes = format!("{GITLAB}/merge_requests/8/notes");
    [
        (ForgeType::GitHub, github(), format!("{GITHUB}/issues/8/comments"), "pull"),
        (ForgeType::GitLab, gitlab(), notes, "merge-requests"),
    ]
}

#[tokio::test]
async fn what_is_open_is_read_to_the_last_page_and_costs_nothing_where_nothing_has_changed() {
    for (kind, fake, _, word) in both() {
        let forge = fake.forge(kind).await.with(Book::default());
        let open = forge.open("main").await.expect("an answer");
        let expected = [
            (7, 0, true, false, vec![]),
            (8, 1, false, true, vec!["other", "ok-to-plan"]),
            (9, 2, false, true, vec![]),
        ];
        let expected: Vec<Open> = expected
            .into_iter()
            .map(|(number, head, draft, fork, labels)| Open {
                number,
                head: HEADS[head].to_owned(),
                reference: format!("refs/{word}/{number}/head"),
                draft,
                changed: "2026-11-29T09:00:00Z".parse().ok(),
                fork,
                labels: labels.into_iter().map(str::to_owned).collect(),
            })
            .collect();
        assert_eq!(open, expected, "{kind:?}");
        assert_eq!(forge.me().await, Ok(ME), "{kind:?}");
        let asked = fake.asked();
        assert_eq!(asked.len(), 3, "two pages and who we are: {asked:?}");
        assert!(asked.iter().all(|(_, known)| !known), "{asked:?}");
        assert_eq!(forge.open("main").await, Ok(expected), "{kind:?}");
        assert!(fake.asked().iter().all(|(_, known)| *known), "{kind:?}: the same, by the name of the answer");
    }
}

#[tokio::test]
async fn there_is_one_comment_of_ours_and_no_other_is_taken_for_it() {
    for (kind, fake, comments, _) in both() {
        let forge = fake.forge(kind).await.with(Book::default());
        let by = |id: u64, who: u64, body: &str| {
            let author = if kind == ForgeType::GitHub { "user" } else { "author" };
            json!({"id": id, author: {"id": who}, "body": body, "created_at": "2026-11-29T10:00:00Z"})
        };
        // Somebody copied the mark, and we said something else.
        fake.add(&comments, by(1, 66, &format!("{MARK}\nforged")));
        fake.add(&comments, by(2, ME, "by the same account"));
        fake.add(&comments, by(3, ME, "<!-- tandem plan cluster=test group= -->\nof another cluster"));
        assert_eq!(forge.comment(8, ME, MARK).await, Ok(None), "{kind:?}");
        let said = forge.say(8, None, &format!("{MARK}\none")).await.expect("said");
        assert_eq!(forge.comment(8, ME, MARK).await, Ok(Some(said.clone())), "{kind:?}");
        fake.asked();
        let again = forge.say(8, Some(said.id), &format!("{MARK}\ntwo")).await.expect("said");
        assert_eq!((again.id, again.body.as_str()), (said.id, &*format!("{MARK}\ntwo")), "{kind:?}");
        let (line, _) = fake.asked().remove(0);
        let expected = match kind {
            ForgeType::GitLab => format!("PUT {comments}/{}", said.id),
            _ => format!("PATCH {GITHUB}/issues/comments/{}", said.id),
        };
        assert_eq!(line, expected, "in its place");
        assert_eq!(forge.comment(8, ME, MARK).await, Ok(Some(again)), "{kind:?}");
        // One that is gone is an error, and not another comment.
        assert!(matches!(forge.say(8, Some(4711), "x").await, Err(ForgeError::NotFound(_))), "{kind:?}");
    }
}

#[tokio::test]
async fn who_gave_a_label_and_when_is_the_last_word_of_the_forge() {
    let at = |minute: u64| format!("2026-11-29T10:{minute:02}:00Z");
    for (kind, fake, _, _) in both() {
        let forge = fake.forge(kind).await.with(Book::default());
        let github = kind == ForgeType::GitHub;
        let events = if github {
            format!("{GITHUB}/issues/8/timeline")
        } else {
            format!("{GITLAB}/merge_requests/8/resource_label_events")
        };
        let event = |id: u64, who: u64, given: bool, name: &str, minute: u64| {
            let login = format!("u{who}");
            if github {
                let word = if given { "labeled" } else { "unlabeled" };
                json!({"id": id, "event": word, "label": {"name": name, "color": "00aabb"}, "created_at": at(minute),
                    "actor": {"id": who, "login": login}})
            } else {
                let word = if given { "add" } else { "remove" };
                json!({"id": id, "action": word, "label": {"name": name}, "created_at": at(minute),
                    "user": {"id": who, "username": login}})
            }
        };
        for (who, may) in [(1, true), (2, false)] {
            let permission = if may { "write" } else { "read" };
            fake.put(
                &format!("{GITHUB}/collaborators/u{who}/permission"),
                json!({"permission": permission, "user": {"id": who}}),
            );
            fake.put(
                &format!("{GITLAB}/members/all/{who}"),
                json!({"id": who, "state": "active", "access_level": if may { 30 } else { 20 }}),
            );
        }
        fake.put(&events, json!([event(5, 1, true, "other", 9)]));
        assert_eq!(forge.labelled(8, "ok-to-plan").await, Ok(None), "{kind:?}");
        fake.add(&events, event(6, 1, true, "ok-to-plan", 10));
        let said =
            |event: u64, minute: u64, may_write| Labelled { event, at: at(minute).parse().expect("a time"), may_write };
        assert_eq!(forge.labelled(8, "ok-to-plan").await, Ok(Some(said(6, 10, true))), "{kind:?}");
        fake.add(&events, event(7, 1, false, "ok-to-plan", 11));
        assert_eq!(forge.labelled(8, "ok-to-plan").await, Ok(None), "{kind:?}: it was taken back");
        fake.add(&events, event(8, 2, true, "ok-to-plan", 12));
        assert_eq!(
            forge.labelled(8, "ok-to-plan").await,
            Ok(Some(said(8, 12, false))),
            "{kind:?}: by one who may not write"
        );
        fake.add(&events, event(9, 3, true, "ok-to-plan", 13));
        assert_eq!(forge.labelled(8, "ok-to-plan").await, Ok(Some(said(9, 13, false))), "{kind:?}: by one who is gone");
    }
}

#[tokio::test]
async fn a_forge_that_fails_is_told_and_left_alone() {
    for (kind, fake, comments, _) in both() {
        let forge = fake.forge(kind).await;
        let list =
            if kind == ForgeType::GitHub { format!("{GITHUB}/pulls") } else { format!("{GITLAB}/merge_requests") };
        for (status, headers, limited) in [
            (403, vec![], false),
            (429, vec![("retry-after", "9")], true),
            (403, vec![("x-ratelimit-remaining", "0"), ("retry-after", "9")], true),
            (500, vec![], false),
            (302, vec![("location", "http://192.0.2.1/")], false),
        ] {
            fake.breaks(&list, status, &headers);
            forge.client.forgive();
            let error = forge.open("main").await.expect_err("it fails");
            assert_eq!(matches!(error, ForgeError::Limited { pause, .. } if pause.as_secs() == 9), limited, "{error}");
            assert!(!error.to_string().contains("canary"), "{error}");
            fake.breaks(&comments, status, &headers);
            forge.client.forgive();
            assert!(forge.say(8, None, "x").await.is_err(), "{kind:?} {status}");
            fake.mends();
            forge.client.forgive();
        }
        for strange in [json!({"message": "none"}), json!([{"number": 1, "iid": 1}])] {
            fake.put_odd(&list, strange);
            assert!(matches!(forge.open("main").await, Err(ForgeError::Nonsense(..))), "{kind:?}");
        }
    }
}

#[test]
fn a_head_that_is_no_branch_is_as_a_fork() {
    let pull = |head: Value| json!({"number": 3, "base": {"ref": "main", "repo_id": 70}, "head": head});
    let head = |name: &str, repo: u64| json!({"ref": name, "sha": HEADS[0], "repo_id": repo});
    for (given, fork) in [
        (head("feature", 70), false),
        (head("feature", 71), true),
        // Pushed by somebody who may only read, as Gitea lets them.
        (head("refs/pull/3/head", 70), true),
        (json!({"sha": HEADS[0], "repo_id": 70}), true),
    ] {
        assert_eq!(of_pull(&pull(given.clone())).map(|open| open.fork), Some(fork), "{given}");
    }
}

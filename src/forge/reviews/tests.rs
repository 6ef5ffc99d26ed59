//! GitHub and GitLab faked on the wire: one stateful value that has objects and lists, pages the lists, takes what is
//! written, names its answers, and limits or fails as it is told. Gitea is asked for real in `tests/proposals.rs`.

mod gitea;
mod open;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use super::*;
use crate::forge::described::{Asked, Described};
use crate::forge::{Access, Book};
use crate::revision::proposal::{Bound, Place, Proposal, Review, Says, Version, claims, count};

const M: &str = "1111111111111111111111111111111111111111";
const H: &str = "2222222222222222222222222222222222222222";
const G: &str = "3333333333333333333333333333333333333333";
const BASE: &str = "4444444444444444444444444444444444444444";

type Headers = Vec<(&'static str, &'static str)>;

#[derive(Default)]
pub struct Shown {
    /// What is at a path: an object, or a list, which is paged by two.
    at: BTreeMap<String, Value>,
    /// Paths of GitHub that answer what its description does not have.
    odd: BTreeSet<String>,
    /// Paths that answer with a status and headers.
    broken: BTreeMap<String, (u16, Headers)>,
    /// Paths that answer when all that are asked together are.
    together: BTreeMap<String, Arc<Barrier>>,
    /// Path and query, and whether the answer was known already.
    asked: Vec<(String, bool)>,
}

#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<Shown>>);

impl Fake {
    pub async fn forge(&self, kind: ForgeType) -> Forge {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let api = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let url = "https://git.example.com/shop/web.git";
        Forge::new(&Access { kind, api: Some(&api), url, token: "canary-token", ca: None }).expect("a forge")
    }

    pub fn put(&self, path: &str, value: Value) {
        self.0.lock().expect("lock").at.insert(path.to_owned(), value);
    }

    /// What is at a path.
    pub fn shown(&self, path: &str) -> Value {
        self.0.lock().expect("lock").at.get(path).expect("it is there").clone()
    }

    pub fn put_odd(&self, path: &str, value: Value) {
        self.put(path, value);
        self.0.lock().expect("lock").odd.insert(path.to_owned());
    }

    pub fn add(&self, path: &str, value: Value) {
        let mut state = self.0.lock().expect("lock");
        state.at.get_mut(path).and_then(Value::as_array_mut).expect("a list").push(value);
    }

    pub fn gone(&self, path: &str) {
        self.0.lock().expect("lock").at.remove(path).expect("it is there");
    }

    pub fn breaks(&self, path: &str, status: u16, headers: &[(&'static str, &'static str)]) {
        self.0.lock().expect("lock").broken.insert(path.to_owned(), (status, headers.to_vec()));
    }

    pub fn mends(&self) {
        self.0.lock().expect("lock").broken.clear();
    }

    /// These answer their first question when each of them has one.
    pub fn answers_together(&self, paths: &[&str]) {
        let barrier = Arc::new(Barrier::new(paths.len()));
        let all = paths.iter().map(|path| ((*path).to_owned(), barrier.clone()));
        self.0.lock().expect("lock").together.extend(all);
    }

    pub fn asked(&self) -> Vec<(String, bool)> {
        std::mem::take(&mut self.0.lock().expect("lock").asked)
    }
}

/// Number of the account whose token it is.
pub const ME: u64 = 7;

impl Shown {
    /// Takes what is written: a new item of a list, or another text of one.
    fn write(&mut self, path: &str, body: &Value, is_github: bool) -> Option<Value> {
        let now = "2026-11-29T12:00:00Z";
        if let Some(Value::Array(list)) = self.at.get_mut(path) {
            let mut item = body.clone();
            item["id"] = json!(1000 + list.len());
            item[if is_github { "user" } else { "author" }] = json!({"id": ME});
            (item["created_at"], item["updated_at"]) = (json!(now), json!(now));
            list.push(item.clone());
            return Some(item);
        }
        let (_, id) = path.rsplit_once('/')?;
        let id: u64 = id.parse().ok()?;
        let lists = self.at.values_mut().filter_map(Value::as_array_mut);
        let item = lists.flatten().find(|item| item["id"] == id)?;
        (item["body"], item["updated_at"]) = (body["body"].clone(), json!(now));
        Some(item.clone())
    }
}

async fn answer(State(fake): State<Fake>, request: Request) -> Response {
    let (request, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let together = fake.0.lock().expect("lock").together.remove(request.uri.path());
    if let Some(barrier) = together {
        barrier.wait().await;
    }
    let mut state = fake.0.lock().expect("lock");
    let (path, query) = (request.uri.path().to_owned(), request.uri.query().unwrap_or_default().to_owned());
    let line = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
    if let Some((status, headers)) = state.broken.get(&path).cloned() {
        state.asked.push((line, false));
        let mut response = (StatusCode::from_u16(status).expect("a status"), "{}").into_response();
        for (name, value) in headers {
            response.headers_mut().insert(name, value.parse().expect("a value"));
        }
        return response;
    }
    let is_github = request.headers.contains_key("x-github-api-version") && !state.odd.contains(&path);
    let asked = Asked { method: request.method.as_str(), path: &path, query: &query, body: &body };
    if request.method != "GET" {
        state.asked.push((format!("{} {line}", request.method), false));
        let written = state.write(&path, &serde_json::from_slice(&body).expect("JSON"), is_github);
        let code = if request.method == "POST" { StatusCode::CREATED } else { StatusCode::OK };
        return match written {
            Some(value) if is_github => {
                (code, Described::github().answer(&asked, code.as_u16(), &value).to_string()).into_response()
            }
            Some(value) => (code, value.to_string()).into_response(),
            None => (StatusCode::NOT_FOUND, "{}").into_response(),
        };
    }
    let Some(value) = state.at.get(&path).cloned() else {
        state.asked.push((line, false));
        return (StatusCode::NOT_FOUND, "{}").into_response();
    };
    let page = query.split('&').find_map(|pair| pair.strip_prefix("page=")).map(|page| page.parse().expect("a page"));
    let (body, more) = match (value, page) {
        (Value::Array(all), Some(page)) => {
            let page: usize = page;
            let some: Vec<_> = all.iter().skip((page - 1) * 2).take(2).cloned().collect();
            (Value::from(some), all.len() > page * 2)
        }
        (value, _) => (value, false),
    };
    let body = if is_github { Described::github().answer(&asked, 200, &body) } else { body }.to_string();
    let tag = format!("\"{:x}\"", body.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())));
    let known = request.headers.get("if-none-match").is_some_and(|known| *known == *tag);
    state.asked.push((line, known));
    let mut response = if known { StatusCode::NOT_MODIFIED.into_response() } else { body.into_response() };
    response.headers_mut().insert("etag", tag.parse().expect("a value"));
    if more {
        // Nobody should go where the link leads.
        response.headers_mut().insert("link", "<http://192.0.2.1/x?page=2>; rel=\"next\"".parse().expect("a value"));
    }
    response
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn bound(said: &Said) -> Bound {
    let place =
        Place { forge: "git.example.com".into(), repository: said.repository, reference: "refs/heads/main".into() };
    let proposal = &said.proposals[0];
    let head = claims(proposal, &place, M).expect("it landed here").to_owned();
    Bound { number: proposal.number, head, fork: None }
}

/// Accounts whose approval is one of what was merged, and the names of what is none.
fn counted(said: &Said) -> (Vec<String>, Vec<&'static str>) {
    let place =
        Place { forge: "git.example.com".into(), repository: said.repository, reference: "refs/heads/main".into() };
    let counted = count(&said.proposals[0], &bound(said), &place, &|_| false);
    let voters = counted.approvals.iter().map(|approval| approval.voter.to_string().replace(" at git.example.com", ""));
    (voters.collect(), counted.refused.iter().map(|refused| refused.flaw.as_str()).collect())
}

const R: &str = "/repos/shop/web";

/// Pull request 7, from a fork, that Dana and others reviewed.
fn github() -> Fake {
    let fake = Fake::default();
    let review = |id: u64, by: u64, login: &str, state: &str, commit: &str, minute: u64| {
        json!({"id": id, "user": {"id": by, "login": login, "type": "User"}, "state": state, "commit_id": commit,
            "submitted_at": format!("2026-11-29T10:{minute:02}:00Z")})
    };
    fake.put(R, json!({"id": 70, "full_name": "shop/web"}));
    fake.put(
        &format!("{R}/commits/{M}/pulls"),
        json!([{
            "number": 7, "merged_at": "2026-11-29T10:30:00Z", "merge_commit_sha": M, "user": {"id": 9, "login": "ada"},
            "base": {"ref": "main", "sha": BASE, "repo": {"id": 70}},
            "head": {"ref": "feature", "sha": H, "repo": {"id": 71, "full_name": "ada/web"}},
        }]),
    );
    fake.put(
        &format!("{R}/pulls/7/reviews"),
        json!([
            review(1, 1, "dana", "COMMENTED", H, 10),
            review(2, 1, "dana", "APPROVED", H, 11),
            review(3, 2, "devi", "APPROVED", G, 12),
            review(4, 3, "rita", "APPROVED", H, 13),
            review(5, 4, "olga", "APPROVED", H, 14),
        ]),
    );
    fake.put(
        &format!("{R}/pulls/7/commits"),
        json!([
            {"sha": G, "author": {"id": 9}, "committer": {"id": 19864447}},
            {"sha": H, "author": null, "committer": null},
        ]),
    );
    fake.put(
        &format!("{R}/issues/7/timeline"),
        json!([{"event": "committed"}, {"event": "reviewed"}, {"event": "merged"}]),
    );
    for (login, id, permission) in
        [("dana", 1, "write"), ("devi", 2, "admin"), ("rita", 3, "read"), ("olga", 4, "admin")]
    {
        let path = format!("{R}/collaborators/{login}/permission");
        fake.put(&path, json!({"permission": permission, "user": {"id": id, "login": login}}));
    }
    fake.put("/repos/ada/web/activity", json!([
        {"ref": "refs/heads/feature", "activity_type": "push", "before": G, "after": H, "actor": {"id": 8}},
        {"ref": "refs/heads/other", "activity_type": "push", "before": G, "after": H, "actor": {"id": 77}},
        {"ref": "refs/heads/feature", "activity_type": "branch_creation", "before": "0".repeat(40), "after": G, "actor": {"id": 9}},
    ]));
    fake
}

#[tokio::test]
async fn github_tells_what_it_knows_of_a_pull_request() {
    let fake = github();
    let said = fake.forge(ForgeType::GitHub).await.proposals(M).await.expect("an answer");
    let review = |(by, login): (u64, &str), head: &str, time: &str, may_write| Review {
        by: Some(by),
        login: Some(login.to_owned()),
        bot: false,
        says: Says::Approved,
        head: Some(head.to_owned()),
        at: Some(at(time)),
        may_write,
    };
    let expected = Proposal {
        number: 7,
        repository: Some(70),
        target: "refs/heads/main".into(),
        merged_at: Some(at("2026-11-29T10:30:00Z")),
        merge_commit: Some(M.into()),
        squash_commit: None,
        by_hand: false,
        head: Some(H.into()),
        head_reference: "refs/pull/7/head".into(),
        base: None,
        opener: Some(9),
        authors: BTreeSet::from([9, 19_864_447]),
        pushers: Some(BTreeSet::from([8, 9])),
        retargeted: None,
        versions: Vec::new(),
        reviews: vec![
            review((1, "dana"), H, "2026-11-29T10:11:00Z", true),
            review((2, "devi"), G, "2026-11-29T10:12:00Z", true),
            review((3, "rita"), H, "2026-11-29T10:13:00Z", false),
            review((4, "olga"), H, "2026-11-29T10:14:00Z", true),
        ],
    };
    assert_eq!(said, Said { repository: 70, proposals: vec![expected] });
    assert_eq!(
        counted(&said),
        (vec!["the account 1".into(), "the account 4".into()], vec!["OtherHead", "NoWriteAccess"])
    );
    let asked: Vec<_> = fake.asked().into_iter().map(|(line, _)| line).collect();
    assert!(asked.contains(&format!("{R}/pulls/7/reviews?page=3&per_page=100")), "{asked:#?}");
    assert_eq!(
        asked.iter().filter(|line| line.contains("/permission")).count(),
        4,
        "each is asked about once: {asked:#?}"
    );
}

#[tokio::test]
async fn what_happens_on_github_later_changes_what_counts() {
    type Change = fn(&Fake);
    let rows: [(&str, Change, Vec<&str>, Vec<&str>); 9] = [
        ("as it was", |_| (), vec!["the account 1", "the account 4"], vec!["OtherHead", "NoWriteAccess"]),
        (
            "asked for changes, on a later page",
            |fake| {
                let user = json!({"id": 4, "login": "olga", "type": "User"});
                fake.add(
                    &format!("{R}/pulls/7/reviews"),
                    json!({"id": 6, "user": user, "state": "CHANGES_REQUESTED",
                    "commit_id": H, "submitted_at": "2026-11-29T10:20:00Z"}),
                );
            },
            vec!["the account 1"],
            vec!["OtherHead", "NoWriteAccess", "Objected"],
        ),
        (
            "approved after the merge",
            |fake| {
                let user = json!({"id": 4, "login": "olga", "type": "User"});
                fake.add(
                    &format!("{R}/pulls/7/reviews"),
                    json!({"id": 6, "user": user, "state": "APPROVED",
                    "commit_id": H, "submitted_at": "2026-11-29T10:30:01Z"}),
                );
            },
            vec!["the account 1"],
            vec!["OtherHead", "NoWriteAccess", "AfterMerge"],
        ),
        (
            "a bot",
            |fake| {
                let user = json!({"id": 5, "login": "merge[bot]", "type": "Bot"});
                fake.add(
                    &format!("{R}/pulls/7/reviews"),
                    json!({"id": 6, "user": user, "state": "APPROVED",
                    "commit_id": H, "submitted_at": "2026-11-29T10:20:00Z"}),
                );
                let path = format!("{R}/collaborators/merge[bot]/permission");
                fake.put(&path, json!({"permission": "write", "user": {"id": 5}}));
            },
            vec!["the account 1", "the account 4"],
            vec!["OtherHead", "NoWriteAccess", "BotNotListed"],
        ),
        (
            "retargeted, on a later page",
            |fake| {
                fake.add(&format!("{R}/issues/7/timeline"), json!({"event": "labeled"}));
                let event = json!({"event": "base_ref_changed", "created_at": "2026-11-29T10:12:30Z"});
                fake.add(&format!("{R}/issues/7/timeline"), event);
            },
            vec!["the account 4"],
            vec!["Retargeted", "OtherHead", "NoWriteAccess"],
        ),
        (
            "the target was rewritten",
            |fake| {
                let event = json!({"event": "base_ref_force_pushed", "created_at": "2026-11-29T10:20:00Z"});
                fake.add(&format!("{R}/issues/7/timeline"), event);
            },
            vec![],
            vec!["Retargeted", "OtherHead", "NoWriteAccess", "Retargeted"],
        ),
        (
            "a login that somebody else took over",
            |fake| {
                let path = format!("{R}/collaborators/dana/permission");
                fake.put(&path, json!({"permission": "write", "user": {"id": 99, "login": "dana"}}));
            },
            vec!["the account 4"],
            vec!["NoWriteAccess", "OtherHead", "NoWriteAccess"],
        ),
        (
            "somebody who left",
            |fake| fake.gone(&format!("{R}/collaborators/dana/permission")),
            vec!["the account 4"],
            vec!["NoWriteAccess", "OtherHead", "NoWriteAccess"],
        ),
        (
            "a fork that is gone",
            |fake| fake.gone("/repos/ada/web/activity"),
            vec!["the account 1", "the account 4"],
            vec!["OtherHead", "NoWriteAccess", "PusherUnknown"],
        ),
    ];
    for (name, change, voters, names) in rows {
        let fake = github();
        change(&fake);
        let said = fake.forge(ForgeType::GitHub).await.proposals(M).await.expect(name);
        assert_eq!(counted(&said), (voters.into_iter().map(str::to_owned).collect(), names), "{name}");
    }
}

#[tokio::test]
async fn a_commit_that_came_by_nothing_or_by_something_else_costs_little() {
    let fake = github();
    let forge = fake.forge(ForgeType::GitHub).await;
    assert_eq!(forge.proposals(BASE).await, Ok(Said { repository: 70, proposals: vec![] }), "it is not known");
    fake.put(&format!("{R}/commits/{BASE}/pulls"), json!([]));
    assert_eq!(forge.proposals(BASE).await, Ok(Said { repository: 70, proposals: vec![] }));
    fake.asked();
    let open = json!({"number": 8, "merged_at": null, "merge_commit_sha": G, "user": null,
        "base": {"ref": "main", "repo": {"id": 70}}, "head": {"ref": "x", "sha": G, "repo": null}});
    // A fork that was deleted, of which the description knows nothing.
    fake.put_odd(&format!("{R}/commits/{G}/pulls"), json!([open]));
    let said = forge.proposals(G).await.expect("an answer");
    assert_eq!((said.proposals[0].merged_at, &said.proposals[0].reviews), (None, &vec![]));
    assert_eq!(fake.asked().len(), 2, "the repository, and the list");
}

#[tokio::test]
async fn what_is_known_is_not_sent_again_and_what_changed_is() {
    let fake = github();
    let book = Book::default();
    let forge = fake.forge(ForgeType::GitHub).await.with(book.clone());
    let first = forge.proposals(M).await.expect("an answer");
    assert!(fake.asked().iter().all(|(_, known)| !known));
    assert_eq!(forge.proposals(M).await, Ok(first.clone()));
    let asked = fake.asked();
    assert!(asked.iter().all(|(_, known)| *known), "{asked:#?}");
    let path = format!("{R}/collaborators/dana/permission");
    fake.put(&path, json!({"permission": "read", "user": {"id": 1}}));
    let second = forge.proposals(M).await.expect("an answer");
    assert_ne!(second, first);
    let sent: Vec<_> = fake.asked().into_iter().filter(|(_, known)| !known).map(|(line, _)| line).collect();
    assert_eq!(sent, [path]);
}

#[tokio::test]
async fn what_cannot_be_read_to_its_end_is_no_answer() {
    let fake = github();
    let forge = fake.forge(ForgeType::GitHub).await;
    let reviews = format!("{R}/pulls/7/reviews");
    for path in [R.to_owned(), format!("{R}/commits/{M}/pulls"), reviews.clone(), format!("{R}/issues/7/timeline")] {
        for (status, headers, expected) in [
            (403, &[("x-ratelimit-remaining", "0"), ("retry-after", "7")][..], "Limited"),
            (429, &[("retry-after", "9")][..], "Limited"),
            (500, &[][..], "Nonsense"),
            (403, &[][..], "Refused"),
            (301, &[("location", "http://192.0.2.1/")][..], "Redirected"),
        ] {
            fake.breaks(&path, status, headers);
            let error = forge.proposals(M).await.expect_err("it fails");
            assert!(format!("{error:?}").starts_with(expected), "{path} {status}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
            fake.mends();
            forge.client.forgive();
        }
    }
    assert!(forge.proposals(M).await.is_ok(), "its twin");
    for strange in [json!({"message": "no list"}), json!([{"event": "base_ref_changed", "created_at": "soon"}])] {
        let fake = github();
        fake.put_odd(&format!("{R}/issues/7/timeline"), strange.clone());
        let error = fake.forge(ForgeType::GitHub).await.proposals(M).await.expect_err("it makes no sense");
        assert!(matches!(error, ForgeError::Nonsense(..)), "{strange}: {error}");
    }
    for id in 10..60 {
        fake.add(&reviews, json!({"id": id, "state": "COMMENTED"}));
    }
    let error = forge.proposals(M).await.expect_err("too long");
    assert!(error.to_string().contains("more than 20 pages"), "{error}");
}

const P: &str = "/projects/shop%2Fweb";

/// Merge request 7 with two versions, which two approved.
fn gitlab() -> Fake {
    let fake = Fake::default();
    let mr = json!({
        "iid": 7, "project_id": 70, "target_project_id": 70, "source_project_id": 71, "state": "merged",
        "merged_at": "2026-11-29T10:30:00.123Z", "target_branch": "main", "source_branch": "feature", "sha": H,
        "merge_commit_sha": M, "squash_commit_sha": null, "author": {"id": 9},
        "diff_refs": {"base_sha": BASE, "head_sha": H, "start_sha": BASE},
    });
    fake.put(P, json!({"id": 70}));
    fake.put(&format!("{P}/repository/commits/{M}/merge_requests"), json!([{"iid": 3, "project_id": 99}, mr]));
    fake.put(&format!("{P}/merge_requests/7"), mr);
    fake.put(
        &format!("{P}/merge_requests/7/versions"),
        json!([
            {"id": 2, "head_commit_sha": H, "created_at": "2026-11-29T10:10:00.000Z"},
            {"id": 1, "head_commit_sha": G, "created_at": "2026-11-29T10:00:00.000Z"},
        ]),
    );
    fake.put(
        &format!("{P}/merge_requests/7/approvals"),
        json!({"approved_by": [
            {"user": {"id": 1, "username": "login-1"}, "approved_at": "2026-11-29T10:20:00.000Z"},
            {"user": {"id": 2, "username": "login-2"}}, {"user": {"id": 3, "username": "login-3"}},
        ]}),
    );
    let note = |by: u64, body: &str, system: bool, minute: u64| {
        let at = format!("2026-11-29T10:{minute:02}:00.000Z");
        json!({"author": {"id": by}, "body": body, "system": system, "created_at": at})
    };
    fake.put(
        &format!("{P}/merge_requests/7/notes"),
        json!([
            note(2, "approved this merge request", true, 5),
            note(2, "approved this merge request", false, 25),
            note(3, "approved this merge request", true, 12),
            note(9, "changed target branch from `main` to `dev`", false, 29),
        ]),
    );
    for (id, level) in [(1, 30), (2, 40), (3, 20)] {
        fake.put(&format!("{P}/members/all/{id}"), json!({"id": id, "access_level": level, "state": "active"}));
        fake.put(&format!("/users/{id}"), json!({"id": id, "bot": false}));
    }
    let push = |by: u64, action: &str, from: Option<&str>, to: &str, branch: &str| {
        let data = json!({"action": action, "ref_type": "branch", "ref": branch, "commit_from": from, "commit_to": to});
        json!({"author_id": by, "push_data": data})
    };
    fake.put(
        "/projects/71/events",
        json!([
            push(8, "pushed", Some(G), H, "feature"),
            push(77, "pushed", Some(G), H, "other"),
            push(9, "created", None, G, "feature"),
        ]),
    );
    fake
}

#[tokio::test]
async fn gitlab_tells_what_it_knows_of_a_merge_request() {
    let fake = gitlab();
    let said = fake.forge(ForgeType::GitLab).await.proposals(M).await.expect("an answer");
    let review = |by: u64, at: Option<Timestamp>, may_write| Review {
        by: Some(by),
        login: Some(format!("login-{by}")),
        bot: false,
        says: Says::Approved,
        head: None,
        at,
        may_write,
    };
    let expected = Proposal {
        number: 7,
        repository: Some(70),
        target: "refs/heads/main".into(),
        merged_at: Some(at("2026-11-29T10:30:00.123Z")),
        merge_commit: Some(M.into()),
        squash_commit: None,
        by_hand: false,
        head: Some(H.into()),
        head_reference: "refs/merge-requests/7/head".into(),
        base: Some(BASE.into()),
        opener: Some(9),
        authors: BTreeSet::new(),
        pushers: Some(BTreeSet::from([8, 9])),
        retargeted: None,
        versions: vec![
            Version { head: G.into(), at: at("2026-11-29T10:00:00Z") },
            Version { head: H.into(), at: at("2026-11-29T10:10:00Z") },
        ],
        reviews: vec![
            review(1, Some(at("2026-11-29T10:20:00Z")), true),
            review(2, Some(at("2026-11-29T10:05:00Z")), true),
            review(3, Some(at("2026-11-29T10:12:00Z")), false),
        ],
    };
    assert_eq!(said, Said { repository: 70, proposals: vec![expected] });
    assert_eq!(counted(&said), (vec!["the account 1".into()], vec!["OtherHead", "NoWriteAccess"]));
}

#[tokio::test]
async fn what_happens_on_gitlab_later_changes_what_counts() {
    type Change = fn(&Fake);
    fn change(fake: &Fake, field: &str, value: Value) {
        let path = format!("{P}/merge_requests/7");
        let mut mr = fake.0.lock().expect("lock").at[&path].clone();
        mr[field] = value;
        fake.put(&path, mr);
    }
    let rows: [(&str, Change, Vec<&str>, Vec<&str>); 7] = [
        ("as it was", |_| (), vec!["the account 1"], vec!["OtherHead", "NoWriteAccess"]),
        (
            "squashed, then merged",
            |fake| change(fake, "squash_commit_sha", json!(G)),
            vec!["the account 1"],
            vec!["OtherHead", "NoWriteAccess"],
        ),
        (
            "squashed onto the branch",
            |fake| {
                change(fake, "squash_commit_sha", json!(M));
                change(fake, "merge_commit_sha", Value::Null);
            },
            vec!["the account 1"],
            vec!["OtherHead", "NoWriteAccess"],
        ),
        (
            "retargeted, on a later page",
            |fake| {
                fake.add(
                    &format!("{P}/merge_requests/7/notes"),
                    json!({"author": {"id": 9}, "system": true,
                    "body": "changed target branch from `dev` to `main`", "created_at": "2026-11-29T10:21:00Z"}),
                );
            },
            vec![],
            vec!["Retargeted", "OtherHead", "NoWriteAccess"],
        ),
        (
            "a bot",
            |fake| fake.put("/users/1", json!({"id": 1, "bot": true})),
            vec![],
            vec!["BotNotListed", "OtherHead", "NoWriteAccess"],
        ),
        (
            "somebody who left, and a time that is not known",
            |fake| {
                fake.gone(&format!("{P}/members/all/1"));
                fake.put(&format!("{P}/merge_requests/7/notes"), json!([]));
            },
            vec![],
            vec!["NoWriteAccess", "HeadUnknown", "NoWriteAccess"],
        ),
        (
            "events that may not be seen",
            |fake| fake.breaks("/projects/71/events", 403, &[]),
            vec!["the account 1"],
            vec!["OtherHead", "NoWriteAccess", "PusherUnknown"],
        ),
    ];
    for (name, change, voters, names) in rows {
        let fake = gitlab();
        change(&fake);
        let said = fake.forge(ForgeType::GitLab).await.proposals(M).await.expect(name);
        assert_eq!(counted(&said), (voters.into_iter().map(str::to_owned).collect(), names), "{name}");
    }
    for (path, status, expected) in
        [("versions", 500, "Nonsense"), ("approvals", 429, "Limited"), ("notes", 401, "Refused")]
    {
        let fake = gitlab();
        fake.breaks(&format!("{P}/merge_requests/7/{path}"), status, &[]);
        let error = fake.forge(ForgeType::GitLab).await.proposals(M).await.expect_err(path);
        assert!(format!("{error:?}").starts_with(expected), "{path}: {error:?}");
    }
}

//! Forges faked on the wire: one stateful value that keeps statuses, pages them, and limits or redirects as it is told.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::described::{Asked, Described};
use super::*;
use crate::revision::checks::{Said, Source, State as Word};

const COMMIT: &str = "1111111111111111111111111111111111111111";
const TOKEN: &str = "canary-token";

/// What the fake does next.
#[derive(Clone, Debug, Default)]
enum Mood {
    #[default]
    Serves,
    Says(u16, Vec<(&'static str, String)>, String),
}

#[derive(Default)]
struct Book {
    /// Oldest first.
    statuses: Vec<Value>,
    /// Check runs of GitHub.
    runs: Vec<Value>,
    requests: Vec<(String, HeaderMap)>,
    mood: Mood,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Book>>);

impl Fake {
    async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    fn be(&self, mood: Mood) {
        self.0.lock().expect("lock").mood = mood;
    }

    fn requests(&self) -> Vec<String> {
        self.0.lock().expect("lock").requests.drain(..).map(|(line, _)| line).collect()
    }

    fn sent(&self, header: &str) -> Vec<String> {
        let book = self.0.lock().expect("lock");
        let all = book.requests.iter().flat_map(|(_, headers)| headers.get(header));
        all.map(|value| value.to_str().expect("text").to_owned()).collect()
    }
}

async fn answer(State(fake): State<Fake>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let mut book = fake.0.lock().expect("lock");
    let is_github = head.headers.contains_key("x-github-api-version");
    book.requests.push((format!("{} {}", head.method, head.uri), head.headers));
    if let Mood::Says(status, headers, text) = book.mood.clone() {
        let mut response = (StatusCode::from_u16(status).expect("a status"), text).into_response();
        for (name, value) in headers {
            response.headers_mut().insert(name, value.parse().expect("a value"));
        }
        return response;
    }
    let asked = Asked {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        body: &body,
    };
    let whole = |status: u16, told: Value| match is_github {
        true => Described::github().answer(&asked, status, &told),
        false => told,
    };
    if head.method == "POST" {
        let mut status: Value = serde_json::from_slice(&body).expect("JSON");
        (status["id"], status["creator"]) = (json!(book.statuses.len() + 1), json!({"id": 7}));
        if !is_github {
            // GitLab's words for the same.
            (status["name"], status["status"]) = (status["context"].clone(), status["state"].clone());
            status["author"] = json!({"id": 7});
        }
        book.statuses.push(status.clone());
        return (StatusCode::CREATED, whole(201, status).to_string()).into_response();
    }
    // Pages of two, newest first, whatever was asked for.
    let query = head.uri.query().unwrap_or_default();
    let page = query.split('&').find_map(|pair| pair.strip_prefix("page=")).expect("a page");
    let page: usize = page.parse().expect("a number");
    let is_runs = head.uri.path().ends_with("/check-runs");
    let all: Vec<_> = if is_runs { &book.runs } else { &book.statuses }.iter().rev().cloned().collect();
    let some = Value::from(all.iter().skip((page - 1) * 2).take(2).cloned().collect::<Vec<_>>());
    let body = if is_runs { json!({"total_count": all.len(), "check_runs": some}) } else { some };
    let mut response = whole(200, body).to_string().into_response();
    if all.len() > page * 2 {
        // Nobody should go where the link leads.
        let link = "<http://192.0.2.1/elsewhere?page=2>; rel=\"next\", <http://192.0.2.1/>; rel=\"last\"";
        response.headers_mut().insert("link", link.parse().expect("a value"));
    }
    response
}

fn forge(kind: ForgeType, api: &str) -> Forge {
    let url = "https://git.example.com/shop/web.git";
    Forge::new(&Access { kind, api: Some(api), url, token: TOKEN, ca: None }).expect("a forge")
}

fn status(light: Light, description: &str) -> CommitStatus {
    CommitStatus { light, description: description.to_owned() }
}

#[tokio::test]
async fn a_status_is_told_and_found_again_on_each_forge_by_its_own_words() {
    for (kind, header, value, post, get, words) in [
        (
            ForgeType::GitHub,
            "authorization",
            format!("Bearer {TOKEN}"),
            format!("POST /repos/shop/web/statuses/{COMMIT}"),
            format!("GET /repos/shop/web/commits/{COMMIT}/statuses?page=1&per_page=100"),
            ["pending", "failure", "success"],
        ),
        (
            ForgeType::GitLab,
            "private-token",
            TOKEN.to_owned(),
            format!("POST /projects/shop%2Fweb/statuses/{COMMIT}"),
            format!(
                "GET /projects/shop%2Fweb/repository/commits/{COMMIT}/statuses?page=1&per_page=100&name=tandem%2Fprod"
            ),
            ["pending", "failed", "success"],
        ),
        (
            ForgeType::Gitea,
            "authorization",
            format!("token {TOKEN}"),
            format!("POST /repos/shop/web/statuses/{COMMIT}"),
            format!("GET /repos/shop/web/commits/{COMMIT}/statuses?page=1&limit=50"),
            ["pending", "failure", "success"],
        ),
    ] {
        let fake = Fake::default();
        let forge = forge(kind, &fake.serve().await);
        assert_eq!(forge.status(COMMIT, "tandem/prod").await, Ok(None), "{kind:?}");
        assert_eq!(fake.sent(header), [value], "{kind:?}");
        assert_eq!(fake.requests(), [get], "{kind:?}");
        for light in [Light::Pending, Light::Failure, Light::Success] {
            let status = status(light, "applied 1/2");
            forge.tell(COMMIT, "tandem/prod", &status).await.expect("told");
            assert_eq!(fake.requests(), std::slice::from_ref(&post), "{kind:?}");
            assert_eq!(forge.status(COMMIT, "tandem/prod").await, Ok(Some(status)), "{kind:?}");
            fake.requests();
        }
        let told: Vec<_> = fake.0.lock().expect("lock").statuses.iter().map(|s| s["state"].clone()).collect();
        assert_eq!(told, words, "{kind:?}");
    }
}

#[tokio::test]
async fn all_pages_are_looked_through_and_the_newest_of_the_context_counts() {
    let fake = Fake::default();
    let forge = forge(ForgeType::GitHub, &fake.serve().await);
    forge.tell(COMMIT, "tandem/prod", &status(Light::Failure, "old")).await.expect("told");
    forge.tell(COMMIT, "tandem/prod", &status(Light::Success, "mine")).await.expect("told");
    for at in 0..5 {
        forge.tell(COMMIT, &format!("ci/{at}"), &status(Light::Failure, "theirs")).await.expect("told");
    }
    fake.requests();
    assert_eq!(forge.status(COMMIT, "tandem/prod").await, Ok(Some(status(Light::Success, "mine"))));
    assert_eq!(fake.requests().len(), 4, "seven statuses in pages of two, all from the forge itself");
    assert_eq!(forge.status(COMMIT, "tandem/pro").await, Ok(None));
}

#[tokio::test]
async fn all_that_is_said_of_a_commit_is_read_with_by_whom() {
    let run = |id: u64, status: &str, conclusion: Value| {
        json!({"id": id, "name": "build", "status": status, "conclusion": conclusion, "app": {"id": 15368},
            "output": {"title": "81% covered"}})
    };
    let said = |context: &str, source, state, description: &str, order| Said {
        context: context.to_owned(),
        source: Some(source),
        state,
        description: description.to_owned(),
        order,
    };
    for kind in [ForgeType::GitHub, ForgeType::GitLab, ForgeType::Gitea] {
        let fake = Fake::default();
        let forge = forge(kind, &fake.serve().await);
        assert_eq!(forge.said(COMMIT).await, Ok(Vec::new()), "{kind:?}");
        for (light, text) in [(Light::Pending, "a"), (Light::Failure, "b"), (Light::Success, "c")] {
            forge.tell(COMMIT, "ci/test", &status(light, text)).await.expect("told");
        }
        let of = Source::Creator(7);
        let mut expected = vec![
            said("ci/test", of, Word::Passed, "c", 3),
            said("ci/test", of, Word::Failed, "b", 2),
            said("ci/test", of, Word::Pending, "a", 1),
        ];
        if kind == ForgeType::GitHub {
            fake.0.lock().expect("lock").runs = vec![
                run(1, "completed", json!("success")),
                run(2, "completed", json!("skipped")),
                run(3, "completed", json!("action_required")),
                run(4, "in_progress", Value::Null),
            ];
            let app = Source::App(15368);
            let states = [(Word::Pending, 4), (Word::Failed, 3), (Word::Passed, 2), (Word::Passed, 1)];
            expected.extend(states.map(|(state, id)| said("build", app, state, "81% covered", id)));
        }
        assert_eq!(forge.said(COMMIT).await, Ok(expected), "{kind:?}");
        fake.be(Mood::Says(200, vec![], "{\"message\": \"none\"}".into()));
        assert!(matches!(forge.said(COMMIT).await, Err(ForgeError::Nonsense(..))), "{kind:?}");
    }
}

#[tokio::test]
async fn what_has_more_pages_than_are_read_is_not_judged_by_a_part() {
    let fake = Fake::default();
    let forge = forge(ForgeType::Gitea, &fake.serve().await);
    fake.0.lock().expect("lock").statuses =
        (0..=PAGES * 2).map(|id| json!({"id": id, "context": "x", "status": "success"})).collect();
    assert!(matches!(forge.said(COMMIT).await, Err(ForgeError::Nonsense(..))));
    fake.0.lock().expect("lock").statuses.pop();
    assert_eq!(forge.said(COMMIT).await.map(|said| said.len()), Ok(PAGES * 2));
}

#[tokio::test]
async fn a_token_follows_no_redirect_and_stands_in_no_error() {
    let (fake, elsewhere) = (Fake::default(), Fake::default());
    let (api, other) = (fake.serve().await, elsewhere.serve().await);
    let forge = forge(ForgeType::GitHub, &api);
    let place = format!("{api}/repos/shop/web/statuses/{COMMIT}");
    let says = |status, headers| Mood::Says(status, headers, format!("{{\"message\": \"{TOKEN}\"}}"));
    let limited =
        |seconds| ForgeError::Limited { place: place.clone(), pause: std::time::Duration::from_secs(seconds) };
    for (mood, expected) in [
        (says(307, vec![("location", format!("{other}/x"))]), ForgeError::Redirected(place.clone())),
        (says(301, vec![("location", format!("{api}/renamed"))]), ForgeError::Redirected(place.clone())),
        (says(401, vec![]), ForgeError::Refused(place.clone(), 401)),
        (says(403, vec![]), ForgeError::Refused(place.clone(), 403)),
        (says(404, vec![]), ForgeError::NotFound(place.clone())),
        (says(403, vec![("retry-after", "9".into())]), limited(9)),
        (says(403, vec![("x-ratelimit-remaining", "0".into()), ("retry-after", "8".into())]), limited(8)),
        (says(429, vec![]), limited(60)),
        (says(503, vec![("retry-after", "3".into())]), limited(3)),
        (says(422, vec![]), ForgeError::Nonsense(place.clone(), "422 Unprocessable Entity".into())),
        (Mood::Says(201, vec![], "<html>".into()), ForgeError::Nonsense(place.clone(), "no JSON".into())),
        (
            Mood::Says(201, vec![], "x".repeat(5 << 20)),
            ForgeError::Nonsense(place.clone(), "more than 4194304 bytes".into()),
        ),
    ] {
        fake.be(mood.clone());
        forge.client.forgive();
        let error = forge.tell(COMMIT, "tandem/prod", &status(Light::Success, "x")).await.expect_err("it fails");
        assert_eq!(error, expected, "{mood:.80?}");
        assert!(!format!("{error} {error:?}").contains(TOKEN), "{error}");
    }
    assert!(elsewhere.requests().is_empty(), "nothing went to another address");
    // GitHub's secondary limit says so in words alone; whoever asks with this token leaves it alone then.
    let words = "{\"message\": \"You have exceeded a secondary rate limit.\"}";
    fake.be(Mood::Says(403, vec![], words.into()));
    let told = forge.tell(COMMIT, "tandem/prod", &status(Light::Success, "x")).await;
    assert_eq!(told, Err(limited(60)));
    fake.requests();
    let second = self::forge(ForgeType::GitHub, &api);
    let told = second.tell(COMMIT, "tandem/prod", &status(Light::Success, "x")).await.expect_err("it is left alone");
    assert!(matches!(told, ForgeError::Limited { pause, .. } if pause.as_secs() >= 58), "{told}");
    assert!(fake.requests().is_empty(), "and not asked");
    forge.client.forgive();
    fake.be(Mood::Serves);
    assert_eq!(forge.tell(COMMIT, "tandem/prod", &status(Light::Success, "x")).await, Ok(Some(7)));
    fake.be(Mood::Says(200, vec![], "[{\"state\": 7}]".into()));
    let strange = forge.status(COMMIT, "tandem/prod").await.expect_err("no list of statuses");
    assert!(matches!(strange, ForgeError::Nonsense(..)), "{strange}");
}

#[test]
fn the_api_is_that_of_the_host_and_the_project_is_the_path() {
    for (kind, url, api, project) in [
        (ForgeType::GitHub, "https://github.com/shop/web.git", "https://api.github.com/", vec!["shop", "web"]),
        (ForgeType::GitHub, "ssh://git@github.com:22/shop/web", "https://api.github.com/", vec!["shop", "web"]),
        (ForgeType::GitHub, "https://ghe.example.com/shop/web", "https://ghe.example.com/api/v3", vec!["shop", "web"]),
        (ForgeType::GitLab, "https://gl.example.com/a/b/c.git", "https://gl.example.com/api/v4", vec!["a/b/c"]),
        (ForgeType::Gitea, "http://127.0.0.1:3000/shop/web.git", "http://127.0.0.1:3000/api/v1", vec!["shop", "web"]),
        (ForgeType::Gitea, "ssh://git@127.0.0.1:2222/shop/web", "https://127.0.0.1/api/v1", vec!["shop", "web"]),
    ] {
        let forge = Forge::new(&Access { kind, api: None, url, token: TOKEN, ca: None }).expect(url);
        assert_eq!(
            (forge.client.api(), forge.project),
            (api, project.iter().map(ToString::to_string).collect()),
            "{url}"
        );
    }
    for url in
        ["https://github.com/", "https://github.com/shop", "https://github.com//web", "https://github.com/../..", "x"]
    {
        let forge = Forge::new(&Access { kind: ForgeType::GitHub, api: None, url, token: TOKEN, ca: None });
        assert_eq!(forge.map(|_| ()), Err(ForgeError::Url(url.to_owned())), "{url}");
    }
}

#[test]
fn gitlab_takes_no_second_pending_status() {
    let (one, two) = (status(Light::Pending, "applied 0/2"), status(Light::Pending, "applied 1/2"));
    for (kind, expected) in [(ForgeType::GitHub, true), (ForgeType::GitLab, false), (ForgeType::Gitea, true)] {
        let forge = forge(kind, "http://127.0.0.1:1");
        assert_eq!(forge.shows(Some(&one), &two), expected, "{kind:?}");
        assert!(!forge.shows(Some(&one), &one) && forge.shows(None, &one), "{kind:?}");
        assert!(forge.shows(Some(&one), &status(Light::Failure, "failed")), "{kind:?}");
    }
}

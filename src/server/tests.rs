//! The server over real sockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::*;

const KEY: &str = "canary-key";
const GITHUB_PUSH: &str = include_str!("fixtures/github-push.json");
const GITHUB_PING: &str = include_str!("fixtures/github-ping.json");
const GITEA_PUSH: &str = include_str!("fixtures/gitea-push.json");
/// What matters of GitLab's push event, in the form of its documentation ("Webhook events").
const GITLAB_PUSH: &str = r#"{
  "object_kind": "push", "event_name": "push", "ref": "refs/heads/main",
  "project": {"id": 15, "name": "Web", "path_with_namespace": "shop/web", "default_branch": "main"},
  "repository": {"name": "Web", "url": "git@gitlab.example.com:shop/web.git"}
}"#;

struct Running {
    address: SocketAddr,
    deliveries: mpsc::Receiver<Delivery>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _seats: Vec<Seat>,
}

async fn start(limits: Limits, deliveries: usize) -> Running {
    let receivers = Receivers::default();
    let mut seats = Vec::new();
    for (namespace, name, url, key) in [
        ("shop", "web", "https://git.example.com/shop/web.git", KEY),
        ("shop", "api", "ssh://git@git.example.com/shop/api", KEY),
        ("team", "tools", "https://git.example.com/team/tools", "another-key"),
    ] {
        let key = WebhookKey::new(key.as_bytes()).expect("a key");
        let seat = receivers.seat(namespace, name);
        seat.take(url, vec!["refs/heads/main".to_owned()], key);
        seats.push(seat);
    }
    let (sender, deliveries) = mpsc::channel(deliveries);
    let behind = Behind {
        receivers,
        deliveries: sender,
        metrics: Arc::new(|| "tandem_up 1\n".to_owned()),
        alive: Arc::new(|| Ok(())),
        ready: Arc::new(|| Err("watch of Sync has not synced".to_owned())),
    };
    let listener = bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let task = tokio::spawn(serve(listener, behind, limits, stop.clone()));
    Running { address, deliveries, stop, task, _seats: seats }
}

/// Sends a whole request and reads the answer to the end of the connection.
async fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    // The server may answer and close before it has read everything: that is no fault of ours.
    let _ = stream.write_all(request).await;
    read(&mut stream).await
}

async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await;
    let _ = end.expect("the server ends the connection");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

fn hmac(key: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any key");
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn post(path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text =
        format!("POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// Headers of each sender, signed with a key.
fn github(event: &str, key: &str, body: &str) -> Vec<(&'static str, String)> {
    vec![
        ("Content-Type", "application/json".into()),
        ("X-GitHub-Event", event.into()),
        ("X-Hub-Signature", "sha1=0000000000000000000000000000000000000000".into()),
        ("X-Hub-Signature-256", format!("sha256={}", hmac(key, body))),
    ]
}

fn gitea(event: &str, key: &str, body: &str) -> Vec<(&'static str, String)> {
    vec![
        ("Content-Type", "application/json".into()),
        ("X-Gitea-Event", event.into()),
        ("X-GitHub-Event", event.into()),
        ("X-Gitea-Signature", hmac(key, body)),
        ("X-Hub-Signature-256", format!("sha256={}", hmac(key, body))),
    ]
}

fn generic(key: &str, body: &str) -> Vec<(&'static str, String)> {
    vec![("X-Tandem-Signature", format!("sha256={}", hmac(key, body)))]
}

/// GitLab sends the key, and signs nothing.
fn gitlab(event: &str, key: &str) -> Vec<(&'static str, String)> {
    vec![("Content-Type", "application/json".into()), ("X-Gitlab-Event", event.into()), ("X-Gitlab-Token", key.into())]
}

async fn deliver(running: &Running, path: &str, headers: Vec<(&'static str, String)>, body: &str) -> String {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = ask(running.address, &post(path, &headers, body)).await;
    assert!(!answer.contains("canary"), "a key in an answer");
    assert!(!answer.to_lowercase().contains("set-cookie"));
    answer
}

fn told(running: &mut Running) -> Vec<String> {
    std::iter::from_fn(|| running.deliveries.try_recv().ok()).map(|d| format!("{}/{}", d.namespace, d.name)).collect()
}

#[tokio::test]
async fn each_provider_with_the_right_key_and_with_a_wrong_one() {
    let mut running = start(Limits::default(), 16).await;
    let web = webhook_path("shop", "web");
    for (headers, body) in [
        (github as fn(&str, &str, &str) -> _, GITHUB_PUSH),
        (gitea, GITEA_PUSH),
        (|_, key, body| generic(key, body), r#"{"any":"thing"}"#),
        (|_, key, body| generic(key, body), ""),
    ] {
        let answer = deliver(&running, &web, headers("push", KEY, body), body).await;
        assert_eq!(status(&answer), "202", "{answer}");
        assert_eq!(told(&mut running), ["shop/web"]);

        let forged = deliver(&running, &web, headers("push", "another-key", body), body).await;
        assert_eq!(status(&forged), "401");
        assert!(forged.ends_with("\r\n\r\n"), "a refusal without detail: {forged}");
        let changed = format!("{body} ");
        let altered = deliver(&running, &web, headers("push", KEY, body), &changed).await;
        assert_eq!(status(&altered), "401");
        assert_eq!(told(&mut running), [""; 0], "what was refused is not passed on");
    }
    let unsigned = deliver(&running, &web, vec![("X-GitHub-Event", "push".into())], GITHUB_PUSH).await;
    assert_eq!(status(&unsigned), "401");
}

#[tokio::test]
async fn a_token_opens_the_door_of_its_own_repositories_alone() {
    let mut running = start(Limits::default(), 16).await;
    let web = webhook_path("shop", "web");
    for (path, event, key, expected, repositories) in [
        (web.as_str(), "Push Hook", KEY, "202", vec!["shop/web"]),
        (&web, "Tag Push Hook", KEY, "202", vec!["shop/web"]),
        (&web, "Issue Hook", KEY, "202", vec![]),
        (&web, "Push Hook", "another-key", "401", vec![]),
        (&web, "Push Hook", "", "401", vec![]),
        ("/webhook", "Push Hook", KEY, "202", vec!["shop/web"]),
        ("/webhook", "Push Hook", "another-key", "404", vec![]),
    ] {
        let answer = deliver(&running, path, gitlab(event, key), GITLAB_PUSH).await;
        assert_eq!(status(&answer), expected, "{path} {event} {key}: {answer}");
        assert_eq!(told(&mut running), repositories, "{path} {event} {key}");
    }
}

#[tokio::test]
async fn pings_are_answered_and_a_replay_is_harmless() {
    let mut running = start(Limits::default(), 16).await;
    let web = webhook_path("shop", "web");
    let ping = deliver(&running, &web, github("ping", KEY, GITHUB_PING), GITHUB_PING).await;
    assert_eq!(status(&ping), "202");
    assert_eq!(told(&mut running), [""; 0]);
    for _ in 0..3 {
        let again = deliver(&running, &web, github("push", KEY, GITHUB_PUSH), GITHUB_PUSH).await;
        assert_eq!(status(&again), "202");
    }
    assert_eq!(told(&mut running), ["shop/web"; 3], "each asks for no more than a listing");
}

#[tokio::test]
async fn without_an_id_the_key_and_the_name_choose() {
    let mut running = start(Limits::default(), 16).await;
    let api = r#"{"repository":{"full_name":"Shop/api"}}"#;
    let elsewhere = r#"{"repository":{"full_name":"team/tools"}}"#;
    let main = r#"{"ref":"refs/heads/main","repository":{"full_name":"shop/api"}}"#;
    let feature = r#"{"ref":"refs/heads/feature","repository":{"full_name":"shop/api"}}"#;
    for (key, body, expected, repositories) in [
        (KEY, api, "202", vec!["shop/api"]),
        (KEY, "", "202", vec!["shop/api", "shop/web"]),
        (KEY, main, "202", vec!["shop/api"]),
        (KEY, feature, "202", vec![]),
        (KEY, elsewhere, "404", vec![]),
        ("another-key", elsewhere, "202", vec!["team/tools"]),
        ("no-key", api, "401", vec![]),
    ] {
        let answer = deliver(&running, "/webhook", github("push", key, body), body).await;
        assert_eq!(status(&answer), expected, "{body} with {key}");
        let mut told = told(&mut running);
        told.sort();
        assert_eq!(told, repositories, "{body} with {key}");
    }
}

/// Whatever the forge calls the event, and however the URL of the Repository is written.
#[tokio::test]
async fn by_its_path_a_repository_hears_of_itself_alone() {
    let mut running = start(Limits::default(), 16).await;
    // Followed at https:// and at ssh://.
    for (name, other) in [("web", "website"), ("api", "web")] {
        let path = webhook_path("shop", name);
        let of = |name: &str| {
            let https = format!("https://git.example.com/shop/{name}.git");
            let ssh = format!("git@git.example.com:shop/{name}.git");
            [
                format!(r#"{{"full_name":"shop/{name}"}}"#),
                format!(r#"{{"full_name":"Shop/{name}","clone_url":"{https}","ssh_url":"{ssh}"}}"#),
            ]
        };
        let project = |name: &str| {
            let https = format!("https://git.example.com/shop/{name}.git");
            format!(r#"{{"path_with_namespace":"shop/{name}","git_http_url":"{https}"}}"#)
        };
        for (event, more) in [
            ("push", r#""ref":"refs/heads/main""#),
            ("pull_request", r#""pull_request":{"base":{"ref":"main"},"head":{"repo":{"full_name":"ada/fork"}}}"#),
            ("pull_request_review", r#""review":{},"pull_request":{"base":{"ref":"main"}}"#),
            ("status", r#""sha":"a","branches":[{"name":"feature"}]"#),
            ("check_run", r#""check_run":{"check_suite":{"head_branch":"feature"}}"#),
        ] {
            for (who, expected) in [(name, 1), (other, 0)] {
                for repository in of(who) {
                    let body = format!(r#"{{"repository":{repository},{more}}}"#);
                    for headers in [github(event, KEY, &body), gitea(event, KEY, &body)] {
                        let answer = deliver(&running, &path, headers, &body).await;
                        assert_eq!((status(&answer), told(&mut running).len()), ("202", expected), "{name}: {body}");
                    }
                }
            }
        }
        for (event, more) in [
            ("Push Hook", r#""ref":"refs/heads/main""#),
            ("Merge Request Hook", r#""object_attributes":{"target_branch":"main"}"#),
            ("Pipeline Hook", r#""object_attributes":{"ref":"feature"}"#),
        ] {
            for (who, expected) in [(name, 1), (other, 0)] {
                let body = format!(r#"{{"project":{},{more}}}"#, project(who));
                let answer = deliver(&running, &path, gitlab(event, KEY), &body).await;
                assert_eq!((status(&answer), told(&mut running).len()), ("202", expected), "{name}: {body}");
            }
        }
    }
    // Nor of a branch that it does not follow.
    let web = webhook_path("shop", "web");
    for (event, more) in [
        ("push", r#""ref":"refs/heads/feature""#),
        ("pull_request", r#""pull_request":{"base":{"ref":"dev"}}"#),
        ("pull_request_review", r#""pull_request":{"base":{"ref":"dev"}}"#),
    ] {
        for (more, expected) in [(more.to_owned(), 0), (more.replace("feature", "main").replace("dev", "main"), 1)] {
            let body = format!(r#"{{"repository":{{"full_name":"shop/web"}},{more}}}"#);
            let answer = deliver(&running, &web, github(event, KEY, &body), &body).await;
            assert_eq!((status(&answer), told(&mut running).len()), ("202", expected), "{body}");
        }
    }
}

#[tokio::test]
async fn unknown_ids_methods_and_broken_bodies_are_refused() {
    let mut running = start(Limits::default(), 16).await;
    let web = webhook_path("shop", "web");
    for (path, body, expected) in [
        (webhook_path("shop", "gone"), GITHUB_PUSH, "404"),
        ("/webhook/../metrics".into(), GITHUB_PUSH, "404"),
        ("/webhook/%00".into(), GITHUB_PUSH, "404"),
        (web.clone(), "{\"repository\":", "400"),
        (web.clone(), "\u{0}", "400"),
    ] {
        let answer = deliver(&running, &path, github("push", KEY, body), body).await;
        assert_eq!(status(&answer), expected, "{path} {body:.20}");
    }
    let get =
        ask(running.address, format!("GET {web} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes()).await;
    assert_eq!(status(&get), "405");
    assert_eq!(told(&mut running), [""; 0]);
}

#[tokio::test]
async fn bodies_are_capped_announced_or_not() {
    let running = start(Limits { body: 1000, ..Limits::default() }, 16).await;
    let web = webhook_path("shop", "web");
    let fits = "x".repeat(1000);
    assert_eq!(status(&deliver(&running, &web, generic(KEY, &fits), &fits).await), "400", "read, then no JSON");
    let large = "x".repeat(1001);
    assert_eq!(status(&deliver(&running, &web, generic(KEY, &large), &large).await), "413");

    // The announced length alone is enough: not a byte of the body is awaited.
    let head = post(&web, &[("X-Tandem-Signature", &format!("sha256={}", hmac(KEY, "")))], "");
    let head = String::from_utf8(head).expect("text").replace("content-length: 0", "content-length: 9999999999");
    assert_eq!(status(&ask(running.address, head.as_bytes()).await), "413");

    let chunked = String::from_utf8(head.into_bytes()).expect("text");
    let mut chunked = chunked.replace("content-length: 9999999999", "transfer-encoding: chunked");
    for _ in 0..20 {
        chunked.push_str(&format!("40\r\n{}\r\n", "x".repeat(64)));
    }
    assert_eq!(status(&ask(running.address, chunked.as_bytes()).await), "413");
}

#[tokio::test]
async fn slow_clients_are_cut_off() {
    let limits =
        Limits { headers: Duration::from_millis(200), delivery: Duration::from_millis(200), ..Limits::default() };
    let running = start(limits, 16).await;
    for (sent, expected) in [("", "none"), ("POST /webhook HTTP/1.1\r\nhost:", "408"), ("GET / HTTP/1.1\r\nx", "408")] {
        let mut stream = TcpStream::connect(running.address).await.expect("connects");
        stream.write_all(sent.as_bytes()).await.expect("writes");
        let began = Instant::now();
        let answer = read(&mut stream).await;
        assert!(answer.is_empty() || status(&answer) == expected, "{sent:?}: {answer}");
        assert!(began.elapsed() < Duration::from_secs(10), "{sent:?}");
    }
    // Headers in time, and then a body that never ends.
    let head = post(&webhook_path("shop", "web"), &[("X-Tandem-Signature", &format!("sha256={}", hmac(KEY, "x")))], "");
    let head = String::from_utf8(head).expect("text").replace("content-length: 0", "content-length: 100");
    assert_eq!(status(&ask(running.address, head.as_bytes()).await), "408");
    // Afterwards others are served as before.
    assert_eq!(status(&ask(running.address, b"GET /healthz HTTP/1.0\r\n\r\n").await), "200");
}

#[tokio::test]
async fn a_flood_is_answered_with_429_and_probes_go_on() {
    let mut running = start(Limits { burst: 5, per_second: 0, ..Limits::default() }, 16).await;
    let web = webhook_path("shop", "web");
    let mut statuses = Vec::new();
    for _ in 0..8 {
        let answer = deliver(&running, &web, generic(KEY, ""), "").await;
        statuses.push(status(&answer).to_owned());
        if status(&answer) == "429" {
            assert!(answer.to_lowercase().contains("retry-after: "), "{answer}");
        }
    }
    assert_eq!(statuses, ["202", "202", "202", "202", "202", "429", "429", "429"]);
    assert_eq!(told(&mut running).len(), 5);
    assert_eq!(status(&ask(running.address, b"GET /healthz HTTP/1.0\r\n\r\n").await), "200");
}

#[tokio::test]
async fn a_full_queue_sends_senders_away_for_a_while() {
    let running = start(Limits::default(), 1).await;
    let web = webhook_path("shop", "web");
    assert_eq!(status(&deliver(&running, &web, generic(KEY, ""), "").await), "202");
    assert_eq!(status(&deliver(&running, &web, generic(KEY, ""), "").await), "429");
}

#[tokio::test]
async fn one_source_takes_only_its_share_of_connections() {
    let running = start(Limits { connections_of_source: 3, ..Limits::default() }, 16).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(running.address).await.expect("connects");
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("writes");
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.expect("an answer");
        assert_eq!(&first, b"HTTP/1.1 200");
        open.push(stream);
    }
    assert_eq!(ask(running.address, b"GET /healthz HTTP/1.0\r\n\r\n").await, "", "the fourth is closed at once");
    drop(open);
    let deadline = Instant::now() + Duration::from_secs(10);
    while status(&ask(running.address, b"GET /healthz HTTP/1.0\r\n\r\n").await) != "200" {
        assert!(Instant::now() < deadline, "no room after the others have gone");
    }
}

#[tokio::test]
async fn probes_and_metrics_say_what_they_are_told() {
    let running = start(Limits::default(), 16).await;
    for (path, expected, body) in [
        ("/healthz", "200", "ok\n"),
        ("/readyz", "503", "watch of Sync has not synced\n"),
        ("/metrics", "200", "tandem_up 1\n"),
        ("/", "404", ""),
    ] {
        let answer = ask(running.address, format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await;
        assert_eq!(status(&answer), expected, "{path}");
        assert_eq!(answer.split_once("\r\n\r\n").expect("a head").1, body, "{path}");
    }
}

#[tokio::test]
async fn a_shutdown_lets_the_request_in_hand_finish_and_takes_no_new_ones() {
    let mut running = start(Limits::default(), 16).await;
    let signed = format!("sha256={}", hmac(KEY, "{}"));
    let request =
        post(&webhook_path("shop", "web"), &[("X-Tandem-Signature", &signed), ("Expect", "100-continue")], "{}");
    let (head, body) = request.split_at(request.len() - 2);
    let mut stream = TcpStream::connect(running.address).await.expect("connects");
    stream.write_all(head).await.expect("writes");
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.expect("an answer");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n", "the server waits for the body");
    running.stop.cancel();
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(running.address).await.is_ok() {
        assert!(Instant::now() < deadline, "still listening");
        tokio::task::yield_now().await;
    }
    stream.write_all(body).await.expect("writes");
    assert!(read(&mut stream).await.contains("202 Accepted"));
    running.task.await.expect("the server ends");
    assert_eq!(running.deliveries.recv().await.map(|d| d.name).as_deref(), Some("web"));
}

#[tokio::test]
async fn a_port_alone_is_every_address() {
    let listener = bind(":0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    TcpStream::connect(("127.0.0.1", port)).await.expect("reached over IPv4");
}

#[tokio::test]
async fn a_taken_address_is_said() {
    let taken = bind("127.0.0.1:0").await.expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let error = bind(&address).await.expect_err("taken");
    assert_eq!(error.to_string(), format!("cannot listen on {address}"));
    assert_eq!(error.reason(), "AddressUnavailable");
}

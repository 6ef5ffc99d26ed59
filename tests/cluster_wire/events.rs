//! Events, and how often the same news are written.

use std::time::Duration;

use serde_json::json;
use tandem::cluster::own::{Events, News, NewsType};
use tokio::time::advance;

use super::{Fake, Reply, status};

fn news(note: &str) -> News {
    News {
        api_version: "tandemcd.io/v1alpha1".into(),
        kind: "Sync".into(),
        namespace: "shop".into(),
        name: "web".into(),
        uid: "u".into(),
        type_: NewsType::Warning,
        reason: "Held".into(),
        action: "Reconcile".into(),
        note: note.into(),
        subject: None,
        annotations: [("tandemcd.io/revision".to_owned(), "main@sha1:abc".to_owned())].into(),
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_news_become_a_series_that_is_written_once_a_minute() {
    let fake = Fake::ruled(|_| Reply::Json(200, json!({})));
    let events = &Events::new(fake.cluster().own(), "agent-0");
    let told = |text: &'static str| async move { events.tell(&news(text)).await };
    told("a").await.expect("told");
    for _ in 0..6 {
        advance(Duration::from_secs(11)).await;
        told("a").await.expect("told");
    }
    told("b").await.expect("told");
    let seen = fake.seen();
    let methods: Vec<_> = seen.iter().map(|s| s.method.as_str()).collect();
    assert_eq!(methods, ["POST", "PATCH", "POST"]);
    assert_eq!(seen[0].path, "/apis/events.k8s.io/v1/namespaces/shop/events");
    assert_eq!(seen[0].body["regarding"]["uid"], "u");
    assert_eq!(seen[0].body["metadata"]["annotations"]["tandemcd.io/revision"], "main@sha1:abc");
    let name = seen[0].body["metadata"]["name"].as_str().expect("a name");
    assert!(name.starts_with("web.") && seen[1].path.ends_with(name), "{name} {}", seen[1].path);
    assert_eq!(seen[1].body["series"]["count"], 7);
    advance(Duration::from_secs(700)).await;
    told("a").await.expect("told");
    assert_eq!(fake.seen().last().map(|s| s.method.clone()), Some("POST".into()), "old news are told anew");
}

#[tokio::test(start_paused = true)]
async fn news_about_one_subject_are_a_series_whatever_their_words() {
    let fake = Fake::ruled(|_| Reply::Json(200, json!({})));
    let events = Events::new(fake.cluster().own(), "agent-0");
    let about = |subject: &str, note: &str| News { subject: Some(subject.into()), ..news(note) };
    for millis in 1..=3 {
        events.tell(&about("ConfigMap/shop/a", &format!("put right in {millis} ms"))).await.expect("told");
        advance(Duration::from_secs(31)).await;
    }
    events.tell(&about("ConfigMap/shop/b", "put right in 1 ms")).await.expect("told");
    let methods: Vec<_> = fake.seen().iter().map(|s| s.method.clone()).collect();
    assert_eq!(methods, ["POST", "PATCH", "POST"]);
    assert_eq!(fake.seen()[1].body["series"]["count"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_series_whose_event_is_gone_begins_anew() {
    let gone = status(404, "NotFound", "events \"x\" not found", json!({"kind": "events", "name": "x"}));
    let fake = Fake::new([Reply::Json(201, json!({})), gone, Reply::Json(201, json!({}))]);
    let events = Events::new(fake.cluster().own(), "agent-0");
    events.tell(&news("a")).await.expect("told");
    advance(Duration::from_secs(61)).await;
    events.tell(&news("a")).await.expect("told");
    assert_eq!(fake.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn thousands_of_different_news_are_not_all_remembered() {
    let fake = Fake::ruled(|_| Reply::Json(200, json!({})));
    let events = Events::new(fake.cluster().own(), "agent-0");
    for number in 0..1_100 {
        events.tell(&news(&number.to_string())).await.expect("told");
        advance(Duration::from_millis(1)).await;
    }
    events.tell(&news("1099")).await.expect("told");
    assert_eq!(fake.seen().len(), 1_100, "the newest is remembered");
    events.tell(&news("0")).await.expect("told");
    assert_eq!(fake.seen().len(), 1_101, "the oldest is not");
}

//! Watches over connections that die, and servers that cannot stream lists.

use std::time::Duration;

use futures::{Stream, StreamExt};
use serde_json::{Value, json};
use tandem::cluster::observe::{Event, Selector, watch, watch_typed};
use tandem::cluster::{KindInfo, RefusalReason};
use tokio::time::{Instant, timeout};

use super::{Fake, LONG, Reply, status};

fn maps() -> KindInfo {
    KindInfo::known("", "v1", "ConfigMap", "configmaps").namespaced()
}

fn map(name: &str, version: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop", "name": name, "resourceVersion": version}})
}

fn line(type_: &str, object: Value) -> Value {
    json!({"type": type_, "object": object})
}

fn listed(version: &str) -> Value {
    let mut mark = map("", version);
    mark["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    line("BOOKMARK", mark)
}

async fn next<T>(events: &mut (impl Stream<Item = Event<T>> + Unpin)) -> Event<T> {
    timeout(LONG, events.next()).await.expect("in time").expect("never ends")
}

fn short(event: &Event<Value>) -> String {
    let name = |o: &Value| o.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("?").to_owned();
    match event {
        Event::ListBegan => "began".into(),
        Event::Listed(o) => format!("listed {}", name(o)),
        Event::ListEnded => "ended".into(),
        Event::Applied(o) => format!("applied {}", name(o)),
        Event::Deleted(o) => format!("deleted {}", name(o)),
        Event::Failing(e) => format!("failing {}", tandem::failure::Failure::reason(e)),
    }
}

async fn take(events: &mut (impl Stream<Item = Event<Value>> + Unpin), count: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(short(&next(events).await));
    }
    all
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_given_up_and_the_watch_goes_on_where_it_was() {
    let fake = Fake::new([
        Reply::Lines(vec![line("ADDED", map("a", "5")), listed("6"), line("MODIFIED", map("a", "7"))]),
        Reply::Lines(vec![line("DELETED", map("a", "8"))]),
    ]);
    let mut events = Box::pin(watch(&fake.cluster().own(), &maps(), "shop", &Selector::owned()));
    assert_eq!(take(&mut events, 4).await, ["began", "listed a", "ended", "applied a"]);
    let silent = Instant::now();
    assert_eq!(take(&mut events, 1).await, ["deleted a"]);
    assert!(silent.elapsed() < Duration::from_secs(80), "{:?}", silent.elapsed());
    let seen = fake.seen();
    assert!(
        seen[0].path.contains("sendInitialEvents=true")
            && seen[0].path.contains("labelSelector=tandemcd.io%2Fsync-name"),
        "{}",
        seen[0].path
    );
    assert!(seen[1].path.contains("resourceVersion=7"), "{}", seen[1].path);
}

#[tokio::test(start_paused = true)]
async fn where_lists_cannot_be_streamed_they_are_read_in_pages() {
    let page = |items: Vec<Value>, next: &str| {
        Reply::Json(
            200,
            json!({"kind": "ConfigMapList", "apiVersion": "v1", "items": items,
            "metadata": {"resourceVersion": "9", "continue": next}}),
        )
    };
    let fake = Fake::new([
        status(422, "Invalid", "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden", json!({})),
        page(vec![map("a", "1")], "more"),
        page(vec![map("b", "2")], ""),
        Reply::Lines(vec![line("ADDED", map("c", "10"))]),
        page(vec![], ""),
    ]);
    let cluster = fake.cluster();
    let mut events = Box::pin(watch(&cluster.own(), &maps(), "shop", &Selector::all()));
    assert_eq!(take(&mut events, 5).await, ["began", "listed a", "listed b", "ended", "applied c"]);
    let mut second = Box::pin(watch(&cluster.own(), &maps(), "shop", &Selector::all()));
    assert_eq!(take(&mut second, 2).await, ["began", "ended"], "learned once for all");
    assert!(fake.seen()[1].path.contains("limit=100"), "{}", fake.seen()[1].path);
    assert!(fake.seen()[2].path.contains("continue=more"), "{}", fake.seen()[2].path);
}

#[tokio::test(start_paused = true)]
async fn failing_is_told_and_slowed_where_lists_are_read_in_pages_too() {
    let fake = Fake::ruled(|seen| {
        if seen.path.contains("sendInitialEvents") {
            status(422, "Invalid", "sendInitialEvents: Forbidden", json!({}))
        } else {
            Reply::Refused
        }
    });
    let cluster = fake.cluster();
    // Two at once: both learn it, whoever is first.
    for mut events in [0, 1].map(|_| Box::pin(watch(&cluster.own(), &maps(), "shop", &Selector::all()))) {
        let began = Instant::now();
        let mut failing = 0;
        while failing < 10 {
            if matches!(next(&mut events).await, Event::Failing(_)) {
                failing += 1;
            }
        }
        assert!(began.elapsed() > Duration::from_secs(60), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_gap_everything_is_listed_again() {
    let gone = json!({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": "too old resource version", "reason": "Expired", "code": 410}});
    let fake = Fake::new([
        Reply::Lines(vec![line("ADDED", map("a", "5")), listed("6"), gone]),
        Reply::Lines(vec![listed("90")]),
    ]);
    let mut events = Box::pin(watch(&fake.cluster().own(), &maps(), "shop", &Selector::all()));
    assert_eq!(take(&mut events, 5).await, ["began", "listed a", "ended", "began", "ended"]);

    // The same, said with the status of the answer: asking again from there would never end.
    let fake = Fake::new([
        Reply::Lines(vec![listed("6")]),
        status(410, "Expired", "too old resource version", json!({})),
        Reply::Lines(vec![listed("90")]),
    ]);
    let mut events = Box::pin(watch(&fake.cluster().own(), &maps(), "shop", &Selector::all()));
    assert_eq!(take(&mut events, 4).await, ["began", "ended", "began", "ended"]);
    assert!(!fake.seen()[2].path.contains("resourceVersion=6"), "{}", fake.seen()[2].path);
}

#[tokio::test(start_paused = true)]
async fn short_troubles_are_not_told_and_lasting_ones_are() {
    let fake = Fake::new([Reply::Broken, Reply::Refused, Reply::Lines(vec![listed("6")])]);
    let mut events = Box::pin(watch(&fake.cluster().own(), &maps(), "shop", &Selector::all()));
    assert_eq!(take(&mut events, 2).await, ["began", "ended"]);

    let fake = Fake::ruled(|_| Reply::Refused);
    let mut events = Box::pin(watch(&fake.cluster().own(), &maps(), "shop", &Selector::all()));
    assert_eq!(take(&mut events, 1).await, ["failing ApiUnreachable"]);
    let began = Instant::now();
    take(&mut events, 20).await;
    assert!(began.elapsed() > Duration::from_secs(120), "failing is not faster than succeeding: {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_is_told_at_once_and_its_return_noticed() {
    let forbidden = || status(403, "Forbidden", "User \"tandem\" cannot watch", json!({}));
    let fake = Fake::new([forbidden(), forbidden(), forbidden(), Reply::Lines(vec![listed("6")])]);
    let mut events = Box::pin(watch(&fake.cluster().own(), &maps(), "shop", &Selector::all()));
    let began = Instant::now();
    match next(&mut events).await {
        Event::Failing(error) => assert_eq!(error.refusal().map(|r| &r.why), Some(&RefusalReason::Forbidden)),
        other => panic!("{other:?}"),
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(take(&mut events, 4).await, ["failing Forbidden", "failing Forbidden", "began", "ended"]);
    assert!(began.elapsed() >= Duration::from_secs(1 + 2 + 4), "{:?}", began.elapsed());
    assert!(began.elapsed() <= Duration::from_secs(2 + 4 + 8), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_unreadable_object_does_not_silence_the_others() {
    let sync = |name: &str, spec: Value| {
        json!({"apiVersion": "tandemcd.io/v1alpha1", "kind": "Sync", "spec": spec,
            "metadata": {"namespace": "shop", "name": name, "resourceVersion": "5"}})
    };
    let fake = Fake::new([Reply::Lines(vec![
        line("ADDED", sync("bad", json!({"mode": "Sometimes"}))),
        line("ADDED", sync("good", json!({"repositoryRef": {"name": "shop"}}))),
        listed("6"),
    ])]);
    let mut events = Box::pin(watch_typed::<tandem::api::Sync>(&fake.cluster().own(), "", &Selector::all()));
    assert!(matches!(next(&mut events).await, Event::ListBegan));
    match next(&mut events).await {
        Event::Listed(Err(unreadable)) => {
            assert_eq!((unreadable.namespace.as_str(), unreadable.name.as_str()), ("shop", "bad"))
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(next(&mut events).await, Event::Listed(Ok(sync)) if sync.spec.repository_ref.name == "shop"));
    assert!(matches!(next(&mut events).await, Event::ListEnded));
}

//! Watches.

use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use tandem::cluster::RefusalReason;
use tandem::cluster::observe::{Event, Selector, watch};
use tokio::time::timeout;

use super::{account, apply as apply_body, config_map, connect, core, namespace};

fn name(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

async fn next(events: &mut (impl futures::Stream<Item = Event<Value>> + Unpin)) -> Event<Value> {
    timeout(Duration::from_secs(20), events.next()).await.expect("in time").expect("never ends")
}

#[tokio::test]
async fn a_watch_lists_what_is_there_and_then_tells_changes() {
    let (cluster, requests) = connect().await;
    let session = cluster.own();
    let ns = namespace(&session, "observe").await;
    let owned = |name: &str, value: &str| {
        let mut body = config_map(&ns, name, json!({"k": value}));
        body["metadata"]["labels"] = json!({"tandemcd.io/sync-name": "web"});
        body
    };
    apply_body(&session, owned("a", "1")).await.expect("applied");
    apply_body(&session, config_map(&ns, "not-owned", json!({}))).await.expect("applied");
    let mut events = Box::pin(watch(&session, &core("ConfigMap", "configmaps"), &ns, &Selector::owned()));
    assert!(matches!(next(&mut events).await, Event::ListBegan));
    match next(&mut events).await {
        Event::Listed(object) => {
            assert_eq!(name(&object), "a");
            assert_eq!(object.get("kind"), Some(&json!("ConfigMap")));
            assert_eq!(object.get("apiVersion"), Some(&json!("v1")));
            assert!(object.pointer("/metadata/managedFields/0/fieldsV1").is_some());
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(next(&mut events).await, Event::ListEnded));
    apply_body(&session, owned("a", "2")).await.expect("applied");
    assert!(matches!(next(&mut events).await, Event::Applied(o) if name(&o) == "a" && o["data"]["k"] == json!("2")));
    apply_body(&session, owned("b", "1")).await.expect("applied");
    assert!(matches!(next(&mut events).await, Event::Applied(o) if name(&o) == "b"));
    let mut unlabelled = owned("b", "1");
    unlabelled["metadata"]["labels"] = json!({});
    apply_body(&session, unlabelled).await.expect("applied");
    assert!(
        matches!(next(&mut events).await, Event::Deleted(o) if name(&o) == "b"),
        "what loses the label leaves the watch"
    );
    let asked: Vec<_> =
        requests.lock().expect("ok").iter().filter(|r| r.1 == "configmaps" && r.0 != "apply").cloned().collect();
    assert_eq!(asked, [("watch".to_owned(), "configmaps".to_owned(), 200)], "the list is streamed by the watch itself");
}

#[tokio::test]
async fn a_missing_right_to_list_is_told_at_once() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    let ns = namespace(&session, "observe-forbidden").await;
    let weak = account(&session, &ns, "weak", json!([])).await;
    let mut events = Box::pin(watch(&weak, &core("Secret", "secrets"), &ns, &Selector::owned()));
    match next(&mut events).await {
        Event::Failing(error) => {
            assert_eq!(error.refusal().map(|r| &r.why), Some(&RefusalReason::Forbidden), "{error}")
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn of_large_objects_the_metadata_alone_is_sent() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    let ns = namespace(&session, "observe-metadata").await;
    apply_body(&session, config_map(&ns, "a", json!({"k": "1"}))).await.expect("applied");
    let selector = Selector::name("a").metadata_only();
    let mut events = Box::pin(watch(&session, &core("ConfigMap", "configmaps"), &ns, &selector));
    assert!(matches!(next(&mut events).await, Event::ListBegan));
    let check = |object: &Value| {
        assert_eq!((name(object), object.get("kind"), object.get("data")), ("a", Some(&json!("ConfigMap")), None));
    };
    match next(&mut events).await {
        Event::Listed(object) => check(&object),
        other => panic!("{other:?}"),
    }
    assert!(matches!(next(&mut events).await, Event::ListEnded));
    apply_body(&session, config_map(&ns, "a", json!({"k": "2"}))).await.expect("applied");
    match next(&mut events).await {
        Event::Applied(object) => check(&object),
        other => panic!("{other:?}"),
    }
}

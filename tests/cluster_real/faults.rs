//! An API server that hangs, dies, and comes back.

use std::time::Duration;

use futures::StreamExt;
use serde_json::json;
use tandem::cluster::observe::{Event, Selector, watch};
use tandem::cluster::{Cluster, ClusterError, ConnectOptions, Sent};
use tandem::failure::{Failure, Fault};
use tokio::time::{Instant, timeout};

use crate::lab::Lab;

use super::{apply, config_map, core, namespace};

#[tokio::test(flavor = "multi_thread")]
async fn calls_end_in_time_and_watches_come_back() {
    let lab = Lab::start("faults");
    let options = ConnectOptions {
        kubeconfig: Some(lab.kubeconfig()),
        attempt_timeout: Duration::from_secs(2),
        idle_timeout: Duration::from_secs(2),
        ..ConnectOptions::default()
    };
    let cluster = Cluster::connect(options).await.expect("connects");
    let session = cluster.own();
    let ns = namespace(&session, "faults").await;
    let owned = |value: &str| {
        let mut body = config_map(&ns, "a", json!({"k": value}));
        body["metadata"]["labels"] = json!({"tandemcd.io/sync-name": "web"});
        body
    };
    apply(&session, owned("1")).await.expect("applied");
    let mut events = Box::pin(watch(&session, &core("ConfigMap", "configmaps"), &ns, &Selector::owned()));
    while !matches!(events.next().await, Some(Event::ListEnded)) {}

    lab.end("kube-apiserver", "STOP");
    let began = Instant::now();
    let error = apply(&session.until(began + Duration::from_secs(5)), owned("2")).await.expect_err("it hangs");
    assert!(matches!(error, ClusterError::Timeout { .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    lab.end("kube-apiserver", "KILL");
    let error =
        apply(&session.until(Instant::now() + Duration::from_secs(1)), owned("3")).await.expect_err("it is away");
    assert!(matches!(error, ClusterError::Unreachable { sent: Sent::No, .. }), "{error:?}");
    assert_eq!(error.fault(), Fault::Transient);

    // Asked while it is away, answered once it is back.
    let waiting = tokio::spawn({
        let (session, body) = (session.until(Instant::now() + Duration::from_secs(50)), owned("4"));
        async move { apply(&session, body).await }
    });
    tokio::task::block_in_place(|| lab.component("start", "kube-apiserver"));
    waiting.await.expect("no panic").expect("applied at last");
    let told = timeout(Duration::from_secs(40), async {
        loop {
            match events.next().await.expect("never ends") {
                Event::Applied(object) | Event::Listed(object) if object["data"]["k"] == json!("4") => return,
                _ => {}
            }
        }
    });
    told.await.expect("the watch tells what happened since");
}

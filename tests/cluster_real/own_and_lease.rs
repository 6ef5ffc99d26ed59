//! The agent's own records, and leases.

use std::time::Duration;

use kube::{CustomResourceExt, ResourceExt};
use serde_json::json;
use tandem::api::{Inventory, InventoryEntry, InventorySpec, Repository, Sync, SyncStatus};
use tandem::cluster::lease::{LeaseOptions, contend};
use tandem::cluster::own::{
    Events, News, NewsType, create_inventory, delete_inventory, digest_key, list_inventories, set_finalizers,
    update_inventory, write_status,
};
use tandem::cluster::{KindInfo, RefusalReason, Session};
use tokio_util::sync::CancellationToken;

use super::{apply as apply_body, connect, eventually, namespace};

async fn define(session: &Session) {
    for crd in [Sync::crd(), Repository::crd(), Inventory::crd()] {
        let mut body = serde_json::to_value(&crd).expect("JSON");
        body["apiVersion"] = json!("apiextensions.k8s.io/v1");
        body["kind"] = json!("CustomResourceDefinition");
        apply_body(session, body).await.expect("definition");
        tandem::cluster::delete::wait_established(
            session,
            &crd.name_any(),
            Duration::from_secs(20),
            &CancellationToken::new(),
        )
        .await
        .expect("established");
    }
}

async fn sync(session: &Session, namespace: &str, name: &str) -> Sync {
    let body = json!({"apiVersion": "tandemcd.io/v1alpha1", "kind": "Sync", "metadata": {"namespace": namespace, "name": name},
        "spec": {"repositoryRef": {"name": "shop"}}});
    eventually("Syncs are served", || {
        let (session, body) = (session.clone(), body.clone());
        async move { apply_body(&session, body).await.is_ok() }
    })
    .await;
    serde_json::from_value(apply_body(session, body).await.expect("applied").object).expect("a Sync")
}

#[tokio::test]
async fn inventories_statuses_and_finalizers_are_written_as_the_agent() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    define(&session).await;
    let ns = namespace(&session, "own-records").await;
    let owner = sync(&session, &ns, "web").await;

    let entry = |id: &str| InventoryEntry { id: id.into(), v: "v1".into(), ..InventoryEntry::default() };
    let mut chunk =
        Inventory::new("web-0", InventorySpec { sync: "web".into(), format: 1, entries: vec![entry("a_b__C")] });
    chunk.metadata.namespace = Some(ns.clone());
    let created = create_inventory(&session, &chunk, &owner).await.expect("created");
    assert_eq!(created.owner_references()[0].uid, owner.uid().expect("uid"));
    let twice = create_inventory(&session, &chunk, &owner).await.expect_err("exists");
    assert_eq!(twice.refusal().map(|r| &r.why), Some(&RefusalReason::AlreadyExists));
    let mut newer = created.clone();
    newer.spec.entries.push(entry("d_e__F"));
    let updated = update_inventory(&session, &newer).await.expect("updated");
    let stale = update_inventory(&session, &created).await.expect_err("stale");
    assert_eq!(stale.refusal().map(|r| &r.why), Some(&RefusalReason::Stale), "{stale}");
    let listed = list_inventories(&session, &ns).await.expect("listed");
    assert_eq!(listed.iter().map(|c| c.spec.entries.len()).collect::<Vec<_>>(), [2]);
    delete_inventory(&session, &created).await.expect_err("stale");
    delete_inventory(&session, &updated).await.expect("deleted");
    delete_inventory(&session, &updated).await.expect("gone already");
    assert!(list_inventories(&session, &ns).await.expect("listed").is_empty());

    let kind = KindInfo::of::<Sync>();
    let status =
        |revision: Option<&str>| SyncStatus { applied_revision: revision.map(Into::into), ..SyncStatus::default() };
    let with = write_status(&session, &kind, (&ns, "web"), &status(Some("main@sha1:1"))).await.expect("written");
    assert_eq!(with.pointer("/status/appliedRevision"), Some(&json!("main@sha1:1")));
    let without = write_status(&session, &kind, (&ns, "web"), &status(None)).await.expect("written");
    assert_eq!(without.pointer("/status/appliedRevision"), None);
    let gone = write_status(&session, &kind, (&ns, "gone"), &status(None)).await.expect_err("not there");
    assert_eq!(gone.refusal().map(|r| &r.why), Some(&RefusalReason::NotFound), "{gone}");

    let version = without.pointer("/metadata/resourceVersion").and_then(|v| v.as_str()).expect("version");
    let finalizer = ["tandemcd.io/sync".to_owned()];
    let held = set_finalizers(&session, &kind, (&ns, "web"), version, &finalizer).await.expect("set");
    assert_eq!(held.pointer("/metadata/finalizers"), Some(&json!(finalizer)));
    let stale = set_finalizers(&session, &kind, (&ns, "web"), version, &[]).await.expect_err("stale");
    assert_eq!(stale.refusal().map(|r| &r.why), Some(&RefusalReason::Stale), "{stale}");
    let version = held.pointer("/metadata/resourceVersion").and_then(|v| v.as_str()).expect("version");
    let free = set_finalizers(&session, &kind, (&ns, "web"), version, &[]).await.expect("set");
    assert_eq!(free.pointer("/metadata/finalizers"), None);
}

#[tokio::test]
async fn the_same_news_again_raise_a_count_and_no_second_event() {
    let (cluster, requests) = connect().await;
    let session = cluster.own();
    let ns = namespace(&session, "own-events").await;
    let events = Events::new(session.clone(), "agent-0");
    let news = News {
        api_version: "v1".into(),
        kind: "Namespace".into(),
        namespace: ns.clone(),
        name: "own-events".into(),
        uid: "u".into(),
        type_: NewsType::Warning,
        reason: "Held".into(),
        action: "Reconcile".into(),
        note: "é".repeat(900),
        subject: None,
        annotations: [("tandemcd.io/revision".to_owned(), "main@sha1:abc".to_owned())].into(),
    };
    for _ in 0..5 {
        events.tell(&news).await.expect("told");
    }
    events.tell(&News { reason: "Other".into(), ..news }).await.expect("told");
    let written: Vec<_> =
        requests.lock().expect("ok").iter().filter(|r| r.1 == "events.events.k8s.io").cloned().collect();
    assert_eq!(written.iter().map(|r| r.2).collect::<Vec<_>>(), [201, 201]);
}

#[tokio::test]
async fn the_digest_key_is_made_once() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    let ns = namespace(&session, "own-key").await;
    let (a, b) = tokio::join!(digest_key(&session, &ns), digest_key(&session, &ns));
    let digest = |key: &tandem::object::DigestKey| key.digest(&json!("x"));
    let (a, b) = (a.expect("key"), b.expect("key"));
    let again = digest_key(&session, &ns).await.expect("key");
    assert_eq!((digest(&a), digest(&b)), (digest(&again), digest(&again)));
}

#[tokio::test]
async fn of_two_contenders_one_leads_and_the_other_follows_at_once_when_it_leaves() {
    let (cluster, _) = connect().await;
    let ns = namespace(&cluster.own(), "lease").await;
    let options = |me: &str| LeaseOptions {
        retry_period: Duration::from_millis(100),
        ..LeaseOptions::new(&ns, "tandem-0", "0", me)
    };
    let (stop_a, stop_b) = (CancellationToken::new(), CancellationToken::new());
    let (mut a, ended_a) = contend(cluster.own(), options("a"), stop_a.clone());
    let first = a.wait_for(|e| e.leading).await.expect("leads").permit.clone().expect("a permit");
    assert!(first.valid());
    let (mut b, ended_b) = contend(cluster.own(), options("b"), stop_b.clone());
    b.wait_for(|e| e.holder == "a").await.expect("sees the holder");
    assert!(!b.borrow().leading);
    stop_a.cancel();
    ended_a.await.expect("ends");
    assert!(!first.valid());
    let second = b.wait_for(|e| e.leading).await.expect("leads").permit.clone().expect("a permit");
    assert_eq!(second.transitions(), first.transitions() + 1);
    stop_b.cancel();
    ended_b.await.expect("ends");
}

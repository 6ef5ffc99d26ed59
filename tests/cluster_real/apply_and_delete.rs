//! Kinds, server-side apply, probes, deletion.

use std::time::Duration;

use serde_json::{Value, json};
use tandem::cluster::delete::{Deletion, Preconditions, Propagation, delete, wait_established, wait_gone};
use tandem::cluster::{ClusterError, RefusalReason, apply};
use tokio_util::sync::CancellationToken;

use super::{apply as apply_body, config_map, connect, core, desired, eventually, namespace, permit};

#[tokio::test]
async fn kinds_are_known_after_two_requests() {
    let (cluster, requests) = connect().await;
    let session = cluster.own();
    let kinds = cluster.kinds();
    let (a, b) = tokio::join!(
        kinds.resolve(&session, "apps/v1", "Deployment"),
        kinds.preferred(&session, "networking.k8s.io", "Ingress")
    );
    let (deployment, ingress) = (a.expect("Deployment"), b.expect("Ingress"));
    assert_eq!((deployment.plural.as_str(), deployment.namespaced), ("deployments", true));
    assert!(deployment.can("watch") && deployment.can("patch"));
    assert_eq!(ingress.api_version(), "networking.k8s.io/v1");
    let namespaces = kinds.resolve(&session, "v1", "Namespace").await.expect("Namespace");
    assert!(!namespaces.namespaced);
    assert_eq!(requests.lock().expect("ok").len(), 2);
}

#[tokio::test]
async fn an_unknown_kind_is_asked_for_once_more_and_likely_ones_are_named() {
    let (cluster, requests) = connect().await;
    let session = cluster.own();
    for (api_version, kind, similar) in [
        ("apps/v1", "Deploymnet", "Deployment (apps/v1)"),
        ("apps/v1beta1", "Deployment", "Deployment (apps/v1)"),
        ("extensions/v1beta1", "Ingress", "Ingress (networking.k8s.io/v1)"),
    ] {
        match cluster.kinds().resolve(&session, api_version, kind).await {
            Err(ClusterError::NoSuchKind { similar: found, .. }) => assert_eq!(found[0], similar),
            other => panic!("{api_version} {kind}: {other:?}"),
        }
    }
    assert_eq!(requests.lock().expect("ok").len(), 2, "what was asked just now is not asked again");
    eventually("what is missing is asked for anew", || async {
        cluster.kinds().resolve(&session, "example.org/v1", "None").await.expect_err("still not there");
        requests.lock().expect("ok").len() == 4
    })
    .await;
}

#[tokio::test]
async fn apply_tells_created_from_configured_and_a_dry_run_writes_nothing() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    let ns = namespace(&session, "apply-basic").await;
    let dry = apply::dry_run(&session, &desired(config_map(&ns, "a", json!({"k": "1"})))).await.expect("dry run");
    assert!(dry.created());
    let maps = core("ConfigMap", "configmaps");
    assert_eq!(apply::get(&session, &maps, &ns, "a").await.expect("asked"), None);

    let first = apply_body(&session, config_map(&ns, "a", json!({"k": "1"}))).await.expect("applied");
    assert!(first.created());
    assert_eq!(first.object.pointer("/metadata/managedFields/0/manager"), Some(&json!("tandem")));
    let again = apply_body(&session, config_map(&ns, "a", json!({"k": "1"}))).await.expect("applied");
    assert!(!again.created());
    assert_eq!(first.metadata("resourceVersion"), again.metadata("resourceVersion"));
    let changed = apply_body(&session, config_map(&ns, "a", json!({"k": "2"}))).await.expect("applied");
    assert_ne!(first.metadata("resourceVersion"), changed.metadata("resourceVersion"));
    assert_eq!(first.metadata("uid"), changed.metadata("uid"));
}

#[tokio::test]
async fn what_the_api_server_warns_of_is_returned() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    let ns = namespace(&session, "apply-warning").await;
    let body = json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"namespace": ns, "name": "a"}});
    let answer = apply_body(&session, body).await.expect("applied");
    assert!(answer.warnings.iter().any(|w| w.contains("deprecated")), "{:?}", answer.warnings);
}

#[tokio::test]
async fn fields_of_others_are_taken_or_with_keep_left() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    let ns = namespace(&session, "apply-conflict").await;
    let deployment = |replicas: u32, image: &str, annotations: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": ns, "name": "web", "annotations": annotations, "labels": {"app.kubernetes.io/name": image}},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}, "template": {
                "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "web", "image": image}]}}}})
    };
    apply_body(&session, deployment(0, "one", json!({}))).await.expect("applied");
    // Another manager takes replicas, an image, and a label whose key has dots.
    foreign(
        &ns,
        json!({
            "metadata": {"labels": {"app.kubernetes.io/name": "theirs"}},
            "spec": {"replicas": 0, "template": {"spec": {"containers": [{"name": "web", "image": "theirs"}]}}},
        }),
    )
    .await;
    let keep = deployment(1, "two", json!({"tandemcd.io/conflict": "Keep"}));
    let kept = apply_body(&session, keep).await.expect("applied");
    assert_eq!(kept.object.pointer("/spec/template/spec/containers/0/image"), Some(&json!("theirs")));
    assert_eq!(kept.object.pointer("/metadata/labels/app.kubernetes.io~1name"), Some(&json!("theirs")));
    let mut fields = kept.kept.clone();
    fields.sort();
    assert_eq!(
        fields,
        [".metadata.labels.app.kubernetes.io/name", ".spec.template.spec.containers[name=\"web\"].image"],
    );
    assert_eq!(kept.object.pointer("/spec/replicas"), Some(&json!(1)), "a field that we alone changed is ours");
    let taken = apply_body(&session, deployment(1, "two", json!({}))).await.expect("applied");
    assert_eq!(taken.object.pointer("/spec/template/spec/containers/0/image"), Some(&json!("two")));
}

/// Patches the Deployment `web` as another manager.
async fn foreign(namespace: &str, patch: Value) {
    let config = kube::Config::from_custom_kubeconfig(
        kube::config::Kubeconfig::read_from(super::shared().kubeconfig()).expect("kubeconfig"),
        &kube::config::KubeConfigOptions::default(),
    )
    .await
    .expect("config");
    let client = kube::Client::try_from(config).expect("client");
    let api: kube::Api<k8s_openapi::api::apps::v1::Deployment> = kube::Api::namespaced(client, namespace);
    let params = kube::api::PatchParams { field_manager: Some("other".into()), ..Default::default() };
    api.patch("web", &params, &kube::api::Patch::Strategic(patch)).await.expect("patched");
}

#[tokio::test]
async fn an_immutable_field_shows_by_the_probe_and_an_invalid_one_does_not() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    let ns = namespace(&session, "apply-immutable").await;
    let deployment = |label: &str, image: &str| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": ns, "name": "web"},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"a": label}}, "template": {
                "metadata": {"labels": {"a": label}}, "spec": {"containers": [{"name": "web", "image": image}]}}}})
    };
    let service = |ip: &str, port: u32| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": ns, "name": "web"},
            "spec": {"type": "NodePort", "clusterIP": ip, "ports": [{"port": 80, "protocol": "TCP", "nodePort": port}]}})
    };
    apply_body(&session, deployment("a", "one")).await.expect("applied");
    let first = apply_body(
        &session,
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": ns, "name": "web"},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP"}]}}),
    )
    .await
    .expect("applied");
    let ip = first.object.pointer("/spec/clusterIP").and_then(Value::as_str).expect("an address").to_owned();
    let port = u32::try_from(first.object.pointer("/spec/ports/0/nodePort").and_then(Value::as_u64).expect("a port"))
        .expect("fits");
    let other =
        ip.rsplit_once('.').map(|(net, last)| format!("{net}.{}", if last == "77" { 78 } else { 77 })).expect("v4");

    // Immutable: the update is refused, the probe passes.
    for body in [deployment("b", "one"), service(&other, port)] {
        let wanted = desired(body);
        let refused = apply::dry_run(&session, &wanted).await.expect_err("refused");
        assert_eq!(refused.refusal().map(|r| &r.why), Some(&RefusalReason::Invalid), "{refused}");
        let probe = apply::probe_create(&session, &wanted).await.expect("would be created");
        assert!(probe.created());
    }
    // Invalid: both are refused.
    for body in [deployment("a", ""), deployment("b", ""), service("none of these", port)] {
        let wanted = desired(body);
        assert!(apply::dry_run(&session, &wanted).await.is_err());
        assert!(apply::probe_create(&session, &wanted).await.is_err());
    }
}

#[tokio::test]
async fn deletion_meets_its_object_or_nothing_and_its_end_is_seen() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    let ns = namespace(&session, "delete").await;
    let maps = core("ConfigMap", "configmaps");
    let mut body = config_map(&ns, "a", json!({}));
    body["metadata"]["finalizers"] = json!(["example.com/wait"]);
    let applied = apply_body(&session, body).await.expect("applied");
    let uid = applied.metadata("uid").to_owned();
    let only =
        |uid: &str, version: Option<&str>| Preconditions { uid: uid.into(), resource_version: version.map(Into::into) };
    let go = |only: Preconditions| {
        let (session, maps, ns) = (session.clone(), maps.clone(), ns.clone());
        async move { delete(&permit(), &session, &maps, (&ns, "a"), &only, Propagation::Background).await }
    };
    for wrong in [only("00000000-0000-0000-0000-000000000000", None), only(&uid, Some("1"))] {
        let refused = go(wrong).await.expect_err("refused");
        assert_eq!(refused.refusal().map(|r| &r.why), Some(&RefusalReason::Stale), "{refused}");
    }
    assert_eq!(go(only(&uid, Some(applied.metadata("resourceVersion")))).await.expect("begun"), Deletion::Begun);

    let cancel = CancellationToken::new();
    let short = Duration::from_millis(300);
    let waiting = wait_gone(&session, &maps, (&ns, "a"), &uid, short, &cancel).await;
    assert!(matches!(waiting, Err(ClusterError::StillWaiting { .. })), "{waiting:?}");
    let free = async {
        apply_body(&session, config_map(&ns, "a", json!({}))).await.expect("finalizer dropped");
    };
    let (gone, ()) = tokio::join!(wait_gone(&session, &maps, (&ns, "a"), &uid, Duration::from_secs(20), &cancel), free);
    gone.expect("gone");
    assert_eq!(go(only(&uid, None)).await.expect("absent"), Deletion::Absent);
    cancel.cancel();
    let given_up = wait_established(&session, "absent.example.com", Duration::from_secs(20), &cancel).await;
    assert!(matches!(given_up, Err(ClusterError::Cancelled(_))), "{given_up:?}");
}

#[tokio::test]
async fn a_definition_is_waited_for_and_its_kind_found() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "wheels.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "wheels", "singular": "wheel", "kind": "Wheel", "listKind": "WheelList"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}}}]}});
    let cancel = CancellationToken::new();
    cluster.kinds().snapshot(&session).await.expect("kinds");
    let (applied, established) = tokio::join!(
        apply_body(&session, crd),
        wait_established(&session, "wheels.example.com", Duration::from_secs(20), &cancel)
    );
    applied.expect("applied");
    established.expect("established");
    let ns = namespace(&session, "wheels").await;
    let wheel = json!({"apiVersion": "example.com/v1", "kind": "Wheel", "metadata": {"namespace": ns, "name": "a"}, "spec": {"size": 28}});
    let answer = apply_body(&session, wheel).await.expect("its kind is served");
    assert!(answer.created());
}

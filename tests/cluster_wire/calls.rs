//! Single calls.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use serde_json::{Value, json};
use tandem::cluster::delete::{Preconditions, Propagation, delete};

use tandem::cluster::{
    Actor, ClusterError, Confirmed, KindInfo, Purpose, RefusalReason, Sent, Session, WritePermit, apply,
};
use tandem::failure::{Failure, Fault};
use tandem::object::{DigestKey, Manifest, ObjectId, Origin};
use tandem::plan::{Desired, Phase};
use tokio::time::Instant;

use super::{Fake, LONG, Reply, status};

fn desired(kind: &str, data: Value) -> Desired {
    let body = json!({"apiVersion": "v1", "kind": kind, "metadata": {"namespace": "shop", "name": "a"}, "data": data});
    let digest = DigestKey::new(*b"test").digest(&body);
    let origin = Origin { file: "a.yaml".into(), line: 1, document: 1 };
    let id = ObjectId::new("shop", "a", "", kind);
    Desired::plain(Manifest::new(origin, id, "v1", body), "configmaps", Phase::Config, digest)
}

fn object() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop", "name": "a", "uid": "u"}})
}

fn account(fake: &Fake) -> Session {
    let purpose = Purpose { sync: Some(("shop".into(), "web".into())), commit: Some("0123abcd".into()) };
    fake.cluster().session(Actor::account("shop", "deployer"), &purpose).expect("an identity")
}

#[tokio::test(start_paused = true)]
async fn a_request_says_as_whom_and_for_what() {
    let fake = Fake::new([Reply::Json(201, object())]);
    let answer = apply::dry_run(&account(&fake), &desired("ConfigMap", json!({}))).await.expect("answered");
    assert!(answer.created());
    let seen = &fake.seen()[0];
    assert_eq!(seen.method, "PATCH");
    assert_eq!(
        seen.path,
        "/api/v1/namespaces/shop/configmaps/a?fieldManager=tandem&force=true&fieldValidation=Strict&dryRun=All"
    );
    assert_eq!(seen.headers["content-type"], "application/apply-patch+yaml");
    assert_eq!(seen.headers["impersonate-user"], "system:serviceaccount:shop:deployer");
    assert!(!seen.headers.contains_key("impersonate-group"), "the API server knows the groups of an account");
    assert_eq!(
        seen.headers["user-agent"],
        format!("tandem/{} (cluster/shop/web; 0123abcd)", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(seen.body["metadata"]["name"], "a");
}

#[tokio::test(start_paused = true)]
async fn what_time_mends_is_sent_again_and_retry_after_is_honoured() {
    let fake = Fake::new([
        Reply::Refused,
        Reply::Broken,
        Reply::Text(429, "retry-after", "7", "slow down"),
        Reply::Text(503, "retry-after", "1", "not now"),
        Reply::Json(200, object()),
    ]);
    apply::dry_run(&account(&fake), &desired("ConfigMap", json!({}))).await.expect("answered at last");
    let seen = fake.seen();
    assert_eq!(seen.len(), 5);
    assert!(seen[3].at - seen[2].at >= Duration::from_secs(7));
    assert!(seen[1].at > seen[0].at, "not at once");
}

/// An API server that says to come back at once is not taken at its word.
#[tokio::test(start_paused = true)]
async fn a_retry_after_of_nothing_is_no_leave_to_ask_without_a_pause() {
    let fake = Fake::ruled(|_| Reply::Text(429, "retry-after", "0", "slow down"));
    let session = account(&fake).until(Instant::now() + Duration::from_secs(30));
    apply::dry_run(&session, &desired("ConfigMap", json!({}))).await.expect_err("in vain");
    let seen = fake.seen();
    assert!(seen.len() > 3 && seen.len() < 20, "{} requests", seen.len());
    assert!(seen.windows(2).all(|pair| pair[1].at - pair[0].at >= Duration::from_millis(100)));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_bounds_all_attempts_together() {
    for reply in [
        || Reply::Silence,
        || Reply::Refused,
        || Reply::Text(429, "retry-after", "1", ""),
        || Reply::Text(503, "x", "y", ""),
    ] {
        let fake = Fake::ruled(move |_| reply());
        let began = Instant::now();
        let session = account(&fake).until(began + Duration::from_secs(45));
        let error = apply::dry_run(&session, &desired("ConfigMap", json!({}))).await.expect_err("in vain");
        assert_eq!(error.fault(), Fault::Transient, "{error}");
        assert!(began.elapsed() <= Duration::from_secs(45), "{:?}", began.elapsed());
        assert!(fake.seen().len() > 1);
    }
}

/// A Sync's `timeout` is the longest that a step of it takes.
#[tokio::test(start_paused = true)]
async fn a_limit_bounds_each_call_and_not_all_of_them_together() {
    let fake = Fake::ruled(move |_| Reply::Silence);
    let took = async |session: &Session| {
        let began = Instant::now();
        apply::dry_run(session, &desired("ConfigMap", json!({}))).await.expect_err("in vain");
        began.elapsed()
    };
    let (usual, limited) = (account(&fake), account(&fake).limited(Duration::from_secs(10)));
    for _ in 0..3 {
        assert!(took(&limited).await <= Duration::from_secs(10));
    }
    assert!(took(&usual).await > Duration::from_secs(10), "its twin has the time of all calls");
    let long = account(&fake).limited(Duration::from_secs(3_600));
    assert!(took(&long).await <= Duration::from_secs(61), "and never more than that");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_is_sent_once() {
    let details = |kind: &str, name: &str| json!({"kind": kind, "name": name});
    let conflict = json!({"causes": [
        {"reason": "FieldManagerConflict", "message": "conflict with \"kubectl-edit\" using v1", "field": ".data.k"},
        {"reason": "FieldManagerConflict", "message": "conflict with \"kubectl-edit\" using v1", "field": ".data.l"}]});
    let terminating =
        json!({"causes": [{"reason": "NamespaceTerminating", "message": "namespace shop is being terminated"}]});
    let field_conflict = RefusalReason::FieldConflict {
        managers: vec!["kubectl-edit".into()],
        fields: vec![".data.k".into(), ".data.l".into()],
    };
    let cases = [
        (status(409, "Conflict", "Apply failed with 2 conflicts", conflict), field_conflict, Fault::Cluster),
        (status(409, "Conflict", "the object has been modified", json!({})), RefusalReason::Stale, Fault::Transient),
        (status(403, "Forbidden", "User \"x\" cannot patch", json!({})), RefusalReason::Forbidden, Fault::Cluster),
        (
            status(403, "Forbidden", "unable to create new content", terminating),
            RefusalReason::NamespaceTerminating,
            Fault::Cluster,
        ),
        (status(401, "Unauthorized", "Unauthorized", json!({})), RefusalReason::Unauthorized, Fault::Cluster),
        (status(422, "Invalid", "spec.x: Invalid value", json!({})), RefusalReason::Invalid, Fault::Repository),
        (
            status(
                500,
                "",
                "failed to create typed patch object (a/b; /v1, Kind=C): .spec.x: field not declared in schema",
                json!({}),
            ),
            RefusalReason::FieldNotDeclared,
            Fault::Repository,
        ),
        (
            status(
                500,
                "InternalError",
                "Internal error occurred: failed calling webhook \"a.b.c\": failed to call webhook: refused",
                json!({}),
            ),
            RefusalReason::WebhookUnreachable("a.b.c".into()),
            Fault::Transient,
        ),
        (
            status(400, "BadRequest", "admission webhook \"a.b.c\" does not support dry run", json!({})),
            RefusalReason::DryRunUnsupported("a.b.c".into()),
            Fault::Cluster,
        ),
        (
            status(400, "", "admission webhook \"a.b.c\" denied the request: no", json!({})),
            RefusalReason::AdmissionDenied("a.b.c".into()),
            Fault::Repository,
        ),
        (
            status(404, "NotFound", "namespaces \"shop\" not found", details("namespaces", "shop")),
            RefusalReason::NamespaceNotFound("shop".into()),
            Fault::Repository,
        ),
        (status(413, "RequestEntityTooLarge", "too large", json!({})), RefusalReason::TooLarge, Fault::Repository),
    ];
    for (reply, why, fault) in cases {
        let fake = Fake::new([reply]);
        let error = apply::dry_run(&account(&fake), &desired("ConfigMap", json!({}))).await.expect_err("refused");
        let refusal = error.refusal().unwrap_or_else(|| panic!("{error}"));
        assert_eq!(refusal.why, why, "{error}");
        assert_eq!(error.fault(), fault, "{error}");
        assert_eq!(fake.seen().len(), 1, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_path_that_is_not_served_is_asked_for_once_more_after_discovery() {
    let missing = || Reply::Text(404, "x", "y", "404 page not found\n");
    let fake = Fake::new([missing(), Reply::Json(200, object())]);
    apply::dry_run(&account(&fake), &desired("ConfigMap", json!({}))).await.expect("served after all");
    let fake = Fake::new([missing(), missing()]);
    let error = apply::dry_run(&account(&fake), &desired("ConfigMap", json!({}))).await.expect_err("not served");
    assert_eq!(error.refusal().map(|r| &r.why), Some(&RefusalReason::KindNotServed), "{error}");
}

/// Discovery and what is served follow a definition each by itself: whoever asks in between learns of a version that has gone.
#[tokio::test(start_paused = true)]
async fn a_version_that_discovery_still_names_is_not_held_on_to() {
    let fake = |lag: usize| {
        let fake = Fake::ruled(|seen| {
            if seen.path.starts_with("/apis/example.com/v1/") {
                Reply::Json(200, object())
            } else {
                Reply::Text(404, "x", "y", "404 page not found\n")
            }
        });
        fake.lag.store(lag, Ordering::SeqCst);
        fake
    };
    let get = async |session: &Session, kind: &str| {
        let of = |found: KindInfo| async move { apply::get(session, &found, "shop", "a").await }.boxed();
        session.cluster().kinds().with_any(session, "example.com/v1beta1", kind, of).await
    };
    for (lag, asked) in [(0, 1), (1, 2), (4, 2)] {
        let fake = fake(lag);
        get(&account(&fake), "Widget").await.expect("in the other version").expect("there");
        assert_eq!(fake.seen().len(), asked, "{lag}");
    }
    // Where it is named for ever, that is the end of it, and whoever asks next has discovery asked anew.
    let fake = fake(usize::MAX);
    let session = account(&fake);
    let error = get(&session, "Widget").await.expect_err("named and not served");
    assert_eq!(error.refusal().map(|r| &r.why), Some(&RefusalReason::KindNotServed), "{error}");
    fake.lag.store(0, Ordering::SeqCst);
    let kind = session.cluster().kinds().any(&session, "example.com/v1beta1", "Widget").await.expect("known");
    assert_eq!(kind.version, "v1");
    let error = get(&session, "Gadget").await.expect_err("in no version");
    assert!(matches!(error, ClusterError::NoSuchKind { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn garbage_is_an_error_and_no_panic() {
    for body in [
        "",
        "\0\u{1}",
        "[]",
        "null",
        "{\"kind\": 3}",
        "{\"kind\":\"ConfigMap\"}",
        "<html>proxy</html>",
        "{\"kind\":\"Conf",
    ] {
        let fake = Fake::new([Reply::Text(200, "x", "y", body)]);
        let error = apply::dry_run(&account(&fake), &desired("ConfigMap", json!({}))).await.expect_err("garbage");
        assert!(matches!(error, ClusterError::BadAnswer { code: 200, .. }), "{body:?}: {error:?}");
    }
    for (code, body) in
        [(500, "{{{"), (301, ""), (599, "null"), (418, "{\"details\": 7, \"message\": []}"), (409, "[1]")]
    {
        let fake = Fake::ruled(move |_| Reply::Text(code, "x", "y", body));
        let session = account(&fake).until(Instant::now() + Duration::from_secs(2));
        let error = apply::dry_run(&session, &desired("ConfigMap", json!({}))).await.expect_err("garbage");
        assert_eq!(error.refusal().map(|r| r.code), Some(code), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_value_of_a_secret_comes_back_in_an_error() {
    const CANARY: &str = "canary-7f3a";
    let message = format!(
        "Secret \"a\" is invalid: data[k]: Invalid value: \"{CANARY}\": field is immutable when `immutable` is set"
    );
    let cause = json!({"causes": [{"reason": "FieldValueInvalid", "field": "data[k]", "message": message}]});
    for reply in [
        status(422, "Invalid", &message, cause),
        status(
            500,
            "",
            &format!(
                "failed to create typed patch object (a/b; /v1, Kind=Secret): .data.k: expected string, got &{{{CANARY}}}"
            ),
            json!({}),
        ),
        status(400, "BadRequest", &format!("admission webhook \"x\" denied the request: {CANARY}"), json!({})),
        status(403, "Forbidden", &format!("admission webhook \"x\" denied the request: {CANARY}"), json!({})),
        status(403, "Forbidden", &format!("secrets \"a\" is forbidden: {CANARY} is not allowed"), json!({})),
        Reply::Text(500, "x", "y", CANARY),
        Reply::Text(200, "x", "y", "{\"data\": \"canary-7f3a\""),
    ] {
        let fake = Fake::new([reply]);
        let session = account(&fake).until(Instant::now() + Duration::from_millis(10));
        let error = apply::dry_run(&session, &desired("Secret", json!({"k": CANARY}))).await.expect_err("refused");
        let told = format!("{error} {error:?} {:?} {}", error.hint(), tandem::failure::chain(&error));
        assert!(!told.contains(CANARY), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn under_a_dead_permit_nothing_is_sent() {
    let fake = Fake::new([]);
    let session = account(&fake);
    let kind = KindInfo::known("", "v1", "ConfigMap", "configmaps").namespaced();
    let only = Preconditions { uid: "u".into(), resource_version: None };
    let dead = super::leases::dead_permit().await;
    let error =
        delete(&dead, &session, &kind, ("shop", "a"), &only, Propagation::Background).await.expect_err("not sent");
    assert!(matches!(error, ClusterError::PermitExpired { .. }), "{error:?}");
    assert!(fake.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_write_under_way_is_given_up_when_its_permit_ends_and_not_before() {
    let kind = KindInfo::known("", "v1", "ConfigMap", "configmaps").namespaced();
    let only = Preconditions { uid: "u".into(), resource_version: None };
    let (permit, cut) = super::leases::permit_to_be_cut().await;
    let fake = Fake::ruled(|_| Reply::Silence);
    let session = account(&fake).until(Instant::now() + Duration::from_secs(29));
    // While the lease is renewed, it waits for its own deadline.
    let began = Instant::now();
    delete(&permit, &session, &kind, ("shop", "a"), &only, Propagation::Background).await.expect_err("no answer");
    assert!(began.elapsed() >= Duration::from_secs(29) && permit.valid(), "{:?}", began.elapsed());
    cut();
    let began = Instant::now();
    let session = account(&fake).until(began + LONG);
    delete(&permit, &session, &kind, ("shop", "a"), &only, Propagation::Background).await.expect_err("no answer");
    assert!(began.elapsed() <= Duration::from_secs(10) && !permit.valid(), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_group_whose_server_is_away_is_not_called_unknown() {
    let fake = Fake::new([]);
    let cluster = fake.cluster();
    let missing = |api_version: &'static str| {
        let cluster = cluster.clone();
        async move { cluster.kinds().resolve(&cluster.own(), api_version, "PodMetrics").await.expect_err("not served") }
    };
    let away = missing("metrics.k8s.io/v1beta1").await;
    assert!(matches!(away, ClusterError::GroupUnavailable { .. }) && away.fault() == Fault::Transient, "{away:?}");
    let unknown = missing("example.com/v1").await;
    assert!(matches!(unknown, ClusterError::NoSuchKind { .. }) && unknown.fault() == Fault::Repository, "{unknown:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_names_uid_and_version_and_reads_its_answer() {
    use tandem::cluster::delete::Deletion;
    let kind = KindInfo::known("", "v1", "ConfigMap", "configmaps").namespaced();
    let only = Preconditions { uid: "u".into(), resource_version: Some("7".into()) };
    let permit = WritePermit::by_hand(&Confirmed::by_the_person_at_the_keyboard());
    for (reply, expected) in [
        (Reply::Json(200, json!({"kind": "Status", "status": "Success"})), Deletion::Gone),
        (Reply::Json(200, object()), Deletion::Begun),
        (
            status(404, "NotFound", "configmaps \"a\" not found", json!({"kind": "configmaps", "name": "a"})),
            Deletion::Absent,
        ),
    ] {
        let fake = Fake::new([reply]);
        let done =
            delete(&permit, &account(&fake), &kind, ("shop", "a"), &only, Propagation::Foreground).await.expect("done");
        assert_eq!(done, expected);
        let body = &fake.seen()[0].body;
        assert_eq!(body["preconditions"], json!({"uid": "u", "resourceVersion": "7"}));
        assert_eq!(body["propagationPolicy"], "Foreground");
    }
}

#[tokio::test(start_paused = true)]
async fn a_patch_without_a_version_to_meet_is_not_sent() {
    let fake = Fake::new([Reply::Broken]);
    let permit = WritePermit::by_hand(&Confirmed::by_the_person_at_the_keyboard());
    let manifest = desired("ConfigMap", json!({})).manifest;
    let remove = json!({"op": "remove", "path": "/metadata/managedFields/0"});
    let version = |op: &str, value: Value| json!({"op": op, "path": "/metadata/resourceVersion", "value": value});
    for unguarded in [
        json!([remove]),
        json!([remove, version("remove", json!("7"))]),
        json!([remove, version("replace", json!(""))]),
    ] {
        apply::adopt(&permit, &account(&fake), &manifest, &unguarded).await.expect_err("unguarded");
    }
    assert!(fake.seen().is_empty());
    // What may have arrived is not sent twice.
    let guarded = json!([{"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}]);
    let error = apply::adopt(&permit, &account(&fake), &manifest, &guarded).await.expect_err("broken");
    assert!(matches!(error, ClusterError::Unreachable { sent: Sent::Perhaps, .. }), "{error:?}");
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn overload_halves_what_is_in_flight() {
    let fake = Fake::ruled(|_| Reply::Silence);
    let cluster = fake.cluster();
    let session = cluster.own().until(Instant::now() + LONG);
    let kind = KindInfo::known("", "v1", "ConfigMap", "configmaps").namespaced();
    let mut asking = Vec::new();
    for _ in 0..200 {
        let (session, kind) = (session.clone(), kind.clone());
        asking.push(tokio::spawn(async move { apply::get(&session, &kind, "shop", "a").await }));
    }
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert_eq!(fake.seen().len(), 32, "as many as there may be connections");
    tokio::time::sleep(Duration::from_secs(25)).await;
    let second = fake.seen().len() - 32;
    assert!(second <= 16, "{second} after the first round timed out");
    for task in asking {
        task.abort();
    }
}

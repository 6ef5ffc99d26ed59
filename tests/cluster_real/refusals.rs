//! Every way in which the API server says no, as it says it.

use serde_json::{Value, json};
use tandem::cluster::{Refusal, RefusalReason, Session, apply};
use tandem::failure::{Failure, Fault};

use super::{account, apply as apply_body, config_map, connect, desired, eventually, namespace};

async fn refused(session: &Session, body: Value) -> Refusal {
    let error = apply::dry_run(session, &desired(body)).await.expect_err("refused");
    error.refusal().unwrap_or_else(|| panic!("no refusal: {error}")).clone()
}

fn pod(namespace: &str, spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": "a"}, "spec": spec})
}

#[tokio::test]
async fn content_that_is_wrong_is_the_repositorys_fault() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    let ns = namespace(&session, "refuse-content").await;
    let container = |extra: Value| {
        let mut container = json!({"name": "a", "image": "a"});
        container.as_object_mut().expect("a map").extend(extra.as_object().expect("a map").clone());
        pod(&ns, json!({"containers": [container]}))
    };
    let cases = [
        (container(json!({"imagePullPolicy": "Sometimes"})), RefusalReason::Invalid),
        (container(json!({"imge": "a"})), RefusalReason::FieldNotDeclared),
        (config_map("no-such-namespace", "a", json!({})), RefusalReason::NamespaceNotFound("no-such-namespace".into())),
        (config_map(&ns, "Not_A_Name", json!({})), RefusalReason::Invalid),
    ];
    for (body, why) in cases {
        let refusal = refused(&session, body).await;
        assert_eq!(refusal.why, why, "{refusal}");
        assert_eq!(refusal.fault(), Fault::Repository, "{refusal}");
    }
    let causes = refused(&session, container(json!({"imagePullPolicy": "Sometimes"}))).await.causes;
    assert_eq!(causes[0].field, "spec.containers[0].imagePullPolicy");
    let wrong_type = refused(&session, pod(&ns, json!({"containers": "none"}))).await;
    assert_eq!(wrong_type.fault(), Fault::Repository, "{wrong_type}");
    assert_eq!(wrong_type.causes[0].field, ".spec.containers");
    // The API server names one unknown field at a time.
    let unknown = refused(&session, container(json!({"imge": "a"}))).await.causes;
    assert_eq!(unknown.iter().map(|c| c.field.as_str()).collect::<Vec<_>>(), [".spec.containers[name=\"a\"].imge"]);
}

#[tokio::test]
async fn rights_quotas_and_policies_are_told_apart() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    let ns = namespace(&session, "refuse-rights").await;
    let weak =
        account(&session, &ns, "weak", json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]))
            .await;
    let refusal = refused(&weak, config_map(&ns, "a", json!({}))).await;
    assert_eq!(refusal.why, RefusalReason::Forbidden);
    assert!(refusal.message.contains("system:serviceaccount:refuse-rights:weak"), "{refusal}");

    apply_body(
        &session,
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"namespace": ns, "name": "q"},
        "spec": {"hard": {"services": "0"}}}),
    )
    .await
    .expect("quota");
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": ns, "name": "a"},
        "spec": {"ports": [{"port": 80, "protocol": "TCP"}]}});
    eventually("the quota counts", || {
        let (session, service) = (session.clone(), service.clone());
        async move { apply::dry_run(&session, &desired(service)).await.is_err_and(|e| e.reason() == "QuotaExceeded") }
    })
    .await;

    apply_body(
        &session,
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}),
    )
    .await
    .expect("labelled");
    let refusal = refused(&session, pod(&ns, json!({"containers": [{"name": "a", "image": "a"}]}))).await;
    assert_eq!(refusal.why, RefusalReason::AdmissionDenied("PodSecurity".into()), "{refusal}");
}

#[tokio::test]
async fn webhooks_that_refuse_are_away_or_have_side_effects() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    let hook = |name: &str, side_effects: &str| {
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": name}, "webhooks": [{
                "name": format!("{name}.example.com"), "admissionReviewVersions": ["v1"], "sideEffects": side_effects,
                "timeoutSeconds": 1, "failurePolicy": "Fail", "clientConfig": {"url": "https://127.0.0.1:1/"},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]}]})
    };
    for (name, side_effects, why) in [
        ("hook-away", "None", RefusalReason::WebhookUnreachable("hook-away.example.com".into())),
        ("hook-effects", "NoneOnDryRun", RefusalReason::WebhookUnreachable("hook-effects.example.com".into())),
    ] {
        let ns = namespace(&session, name).await;
        apply_body(&session, hook(name, side_effects)).await.expect("webhook");
        eventually("the webhook is known", || {
            let (session, why, body) = (session.clone(), why.clone(), config_map(&ns, "a", json!({})));
            async move {
                let answer = apply::dry_run(&session, &desired(body)).await;
                answer.is_err_and(|e| e.refusal().is_some_and(|r| r.why == why))
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_policy_is_named_when_it_refuses() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    let ns = namespace(&session, "refuse-policy").await;
    let api = "admissionregistration.k8s.io/v1";
    let meta = json!({"name": "no-canary"});
    apply_body(&session, json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": meta,
        "spec": {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"],
            "operations": ["CREATE"], "resources": ["configmaps"]}]},
            "validations": [{"expression": "!has(object.data) || !('canary' in object.data)", "message": "no canaries"}]}})).await.expect("policy");
    apply_body(
        &session,
        json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding", "metadata": meta,
        "spec": {"policyName": "no-canary", "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns}}}}}),
    )
    .await
    .expect("binding");
    eventually("the policy is known", || {
        let (session, body) = (session.clone(), config_map(&ns, "a", json!({"canary": "x"})));
        async move {
            let answer = apply::dry_run(&session, &desired(body)).await;
            answer.is_err_and(|e| {
                e.refusal().is_some_and(|r| r.why == RefusalReason::AdmissionDenied("no-canary".into()))
            })
        }
    })
    .await;
}

#[tokio::test]
async fn no_value_of_a_secret_stands_in_a_refusal() {
    let (cluster, _) = connect().await;
    let session = cluster.own();
    let ns = namespace(&session, "refuse-secret").await;
    let secret = |fields: Value| {
        let mut body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": ns, "name": "a"}});
        body.as_object_mut().expect("a map").extend(fields.as_object().expect("a map").clone());
        body
    };
    apply_body(&session, secret(json!({"immutable": true, "data": {"k": "b2xk"}}))).await.expect("applied");
    let mut seen = Vec::new();
    for body in [
        secret(json!({"data": {"k": "not base64: canary"}})),
        secret(json!({"data": {"k": ["canary"]}})),
        secret(json!({"data": "canary"})),
        secret(json!({"immutable": true, "data": {"k": "Y2FuYXJ5"}})),
        secret(json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "Y2FuYXJ5"}})),
        secret(json!({"data": {"k": "Y2FuYXJ5"}, "unknownField": "canary"})),
        secret(json!({"stringData": {"k": {"a": "canary"}}})),
    ] {
        let refusal = refused(&session, body).await;
        let text = format!("{refusal} {refusal:?} {:?}", refusal.hint());
        assert!(!text.contains("canary") && !text.contains("Y2FuYXJ5"), "{text}");
        seen.push(refusal.message);
    }
    assert!(seen[3].contains("immutable"), "{}", seen[3]);
}

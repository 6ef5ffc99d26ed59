use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::object::{Digest, DigestKey, Manifest, split_api_version};
use crate::plan::Phase;
use crate::revision::Revision;
use crate::standard::{Coverage, Selector, Standard};

fn manifest(body: Value) -> Manifest {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind) = (text("/apiVersion"), text("/kind"));
    let id =
        ObjectId::new(text("/metadata/namespace"), text("/metadata/name"), split_api_version(&api_version).0, kind);
    Manifest::new(Origin { file: "deploy/a.yaml".into(), line: 7, document: 1 }, id, api_version, body)
}

fn digest() -> Digest {
    DigestKey::new([]).digest(&Value::Null)
}

fn desired(body: Value) -> Desired {
    let manifest = manifest(body);
    let plural = format!("{}s", manifest.id.kind.to_lowercase());
    Desired::plain(manifest, plural, Phase::Workloads, digest())
}

fn config(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": data})
}

fn namespace(labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}})
}

/// A Standard with one policy that refuses what has `data.bad`, and more fields of the policy and the binding.
fn entry(selector: Option<Value>, action: Option<Action>, spec: Value, actions: Value) -> Entry {
    let mut whole = json!({
        "matchConstraints": {"resourceRules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps", "namespaces"]}]},
        "validations": [{"expression": "!has(object.data) || !has(object.data.bad)", "messageExpression": "'it is ' + object.data.bad"}],
    });
    for (key, value) in spec.as_object().expect("a spec") {
        whole[key] = value.clone();
    }
    let group = "admissionregistration.k8s.io/v1";
    let policy = json!({"apiVersion": group, "kind": "ValidatingAdmissionPolicy", "spec": whole,
        "metadata": {"name": "bad", "annotations": {"tandemcd.io/coverage": "disruption-budget"}}});
    let binding = json!({"apiVersion": group, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "bad"},
        "spec": {"policyName": "bad", "validationActions": actions}});
    let manifests = [manifest(policy), manifest(binding)];
    let loaded = Standard::load(&manifests, now());
    let (coverage, _) = Coverage::read(&manifests);
    assert_eq!(loaded.problems, []);
    let revision = Revision::parse(&format!("main@sha1:{}", "a".repeat(40))).expect("a revision");
    let force = Force::Accepted(Arc::new(InForce { revision, standard: loaded.standard, coverage }));
    let selector = selector.map(|selector| serde_json::from_value::<Selector>(selector).expect("a selector"));
    Entry { name: "ops".into(), selector, action, floor: None, force }
}

fn now() -> Timestamp {
    "2026-11-28T12:00:00Z".parse().expect("a time")
}

fn said(entries: Vec<Entry>, live: Option<Value>, wanted: &[Desired]) -> Vec<Said> {
    let namespaces = live.into_iter().map(|namespace| ("shop".to_owned(), namespace)).collect();
    let snapshot = Snapshot { version: 1, entries, namespaces: Arc::new(namespaces) };
    let cases: Vec<Case> = wanted.iter().enumerate().map(|(at, desired)| case(at, desired, None)).collect();
    said_of(&snapshot, wanted, &cases, Live::Plain)
}

fn case(at: usize, desired: &Desired, old: Option<Value>) -> Case {
    Case {
        id: desired.id().clone(),
        api_version: desired.manifest.api_version.clone(),
        plural: desired.plural.clone(),
        origin: Some(desired.manifest.origin.clone()),
        operation: if old.is_some() { Operation::Update } else { Operation::Create },
        desired: Some(at),
        old,
        standing: Standing::New,
    }
}

fn said_of(snapshot: &Snapshot, wanted: &[Desired], cases: &[Case], live: Live) -> Vec<Said> {
    let user = account("shop", "deployer");
    judge(snapshot, &Bench { desired: wanted, cases, user: &user, live, now: now() }).0
}

fn effects(said: &[Said]) -> Vec<Effect> {
    said.iter().map(|said| said.effect).collect()
}

#[test]
fn the_stricter_of_standard_and_binding_holds() {
    let bad = [desired(config("a", json!({"bad": "x"}))), desired(config("b", json!({"good": "x"})))];
    for (action, actions, effect) in [
        (None, json!(["Deny"]), Effect::Deny),
        (None, json!(["Warn"]), Effect::Warn),
        (None, json!(["Audit"]), Effect::Audit),
        (None, json!(["Warn", "Audit"]), Effect::Warn),
        (Some(Action::Deny), json!(["Audit"]), Effect::Deny),
        (Some(Action::Warn), json!(["Audit"]), Effect::Warn),
        (Some(Action::Audit), json!(["Deny"]), Effect::Deny),
        (Some(Action::Warn), json!(["Deny", "Audit"]), Effect::Deny),
    ] {
        let said = said(vec![entry(None, action, json!({}), actions.clone())], None, &bad);
        assert_eq!(effects(&said), [effect], "{action:?} {actions}: of a alone");
        assert_eq!(said[0].problem.object.as_deref(), Some("ConfigMap/shop/a"));
        assert_eq!((said[0].problem.file.as_deref(), said[0].problem.line), (Some("deploy/a.yaml"), Some(7)));
        assert!(said[0].problem.message.contains("denied request: it is x (Standard ops)"), "{}", said[0].problem);
    }
    let strict = |name: &str, actions| Entry { name: name.into(), ..entry(None, None, json!({}), actions) };
    let both = said(vec![strict("a", json!(["Audit"])), strict("b", json!(["Deny"]))], None, &bad);
    assert_eq!(effects(&both), [Effect::Audit, Effect::Deny], "each says its own");
}

#[test]
fn no_label_of_a_namespace_lets_an_object_escape() {
    let bad = desired(config("a", json!({"bad": "x"})));
    let selects = json!({"matchLabels": {"tier": "prod"}});
    let spec = json!({"matchConstraints": {"namespaceSelector": selects, "resourceRules": [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}]}});
    let (prod, test) = (json!({"tier": "prod"}), json!({"tier": "test"}));
    for (live, wanted, held) in [
        (Some(&prod), None, true),
        (Some(&test), None, false),
        (None, None, false),
        (Some(&prod), Some(&test), true),
        (Some(&test), Some(&prod), true),
        (Some(&test), Some(&test), false),
        (None, Some(&prod), true),
    ] {
        let mut objects = vec![bad.clone()];
        objects.extend(wanted.map(|labels| desired(namespace(labels.clone()))));
        let live = live.map(|labels| namespace(labels.clone()));
        let of_policy = said(vec![entry(None, None, spec.clone(), json!(["Deny"]))], live.clone(), &objects);
        assert_eq!(!of_policy.is_empty(), held, "by the policy: {live:?} {wanted:?}");
        let of_standard = entry(Some(selects.clone()), None, json!({}), json!(["Deny"]));
        let of_standard = said(vec![of_standard], live.clone(), &objects);
        assert_eq!(!of_standard.is_empty(), held, "by the Standard: {live:?} {wanted:?}");
        assert!(of_standard.len() <= 1 && of_policy.len() <= 1, "one word of each");
    }
}

#[test]
fn a_namespace_is_selected_by_its_own_labels_and_what_has_none_always() {
    let never = json!({"matchLabels": {"tier": "prod"}});
    let refuses = json!({"validations": [{"expression": "false"}]});
    let of = |labels: Value, live: Option<Value>| {
        let entry = entry(Some(never.clone()), None, refuses.clone(), json!(["Deny"]));
        said(vec![entry], live, &[desired(namespace(labels))]).len()
    };
    assert_eq!(of(json!({"tier": "prod"}), None), 1);
    assert_eq!(of(json!({"tier": "test"}), None), 0);
    assert_eq!(of(json!({"tier": "test"}), Some(namespace(json!({"tier": "prod"})))), 1, "relabelled");
    let everywhere = json!({"matchConstraints": {"resourceRules": [
        {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]}, "validations": [{"expression": "false"}]});
    let role =
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "all"}});
    let said = said(vec![entry(Some(never), None, everywhere, json!(["Deny"]))], None, &[desired(role)]);
    assert_eq!(effects(&said), [Effect::Deny]);
}

#[test]
fn nothing_in_force_holds_what_is_spoken_of() {
    let nothing = |selector: Option<Value>| Entry {
        force: Force::Nothing("Repository ops/policies does not exist".into()),
        ..entry(selector, None, json!({}), json!(["Audit"]))
    };
    let wanted = [desired(config("a", json!({})))];
    let all = said(vec![nothing(None)], None, &wanted);
    assert_eq!(effects(&all), [Effect::NotReady]);
    assert!(all[0].problem.message.contains("ops/policies does not exist"), "{}", all[0].problem);
    let elsewhere = json!({"matchLabels": {"kubernetes.io/metadata.name": "other"}});
    assert_eq!(said(vec![nothing(Some(elsewhere))], None, &wanted), []);
}

#[test]
fn no_secret_value_is_in_a_word() {
    let mut masked = desired(config("a", json!({"bad": "hunter2"})));
    masked.manifest.masked = vec!["/data/bad".into()];
    let old = config("a", json!({"bad": "former-hunter"}));
    let spec = json!({"validations": [
        {"expression": "false", "messageExpression": "'is ' + object.data.bad + ', was ' + string(oldObject.data.bad)"}]});
    let snapshot =
        Snapshot { version: 1, entries: vec![entry(None, None, spec, json!(["Deny"]))], namespaces: Arc::default() };
    let wanted = [masked];
    let open = [desired(config("a", json!({"bad": "plain"})))];
    let told = |wanted: &[Desired], live: Live| {
        let cases = [case(0, &wanted[0], Some(old.clone()))];
        said_of(&snapshot, wanted, &cases, live)[0].problem.message.clone()
    };
    assert!(told(&wanted, Live::Plain).contains("is ***, was ***"));
    assert!(told(&open, Live::Veiled).contains("is plain, was ***"));
    assert!(told(&open, Live::Plain).contains("is plain, was former-hunter"));
}

#[test]
fn what_an_object_names_and_the_revision_does_not_have_is_refused() {
    let speaks = json!({"matchConstraints": {"resourceRules": [
        {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"]}]},
        "validations": [{"expression": "true"}]});
    let web = |budget: &str| {
        desired(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop",
            "annotations": {"tandemcd.io/disruption-budget": budget}},
            "spec": {"template": {"metadata": {"labels": {"app": "web"}}}}}))
    };
    let budget = desired(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": {"selector": {"matchLabels": {"app": "web"}}}}));
    for (wanted, words) in [
        (vec![web("web"), budget.clone()], None),
        (vec![web("web")], Some("names the PodDisruptionBudget web, which nothing here deploys")),
        (vec![web("other"), budget], Some("names the PodDisruptionBudget other, which nothing here deploys")),
    ] {
        let found = said(vec![entry(None, None, speaks.clone(), json!(["Deny"]))], None, &wanted);
        let told: Vec<_> = found.iter().map(|said| (said.effect, said.problem.message.as_str())).collect();
        assert_eq!(told.len(), usize::from(words.is_some()), "{told:?}");
        assert!(
            told.iter().all(|(effect, message)| *effect == Effect::Deny && message.contains(words.expect("words")))
        );
    }
}

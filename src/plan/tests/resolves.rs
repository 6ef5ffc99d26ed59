//! From manifests to desired objects.

use super::*;
use crate::object::fields::{IgnoreRule, Pointer};

fn resolve_with(text: &str, rules: &Rules) -> (Vec<Desired>, Vec<Problem>) {
    resolve(manifests(text), &scopes(), &owner(), rules, &key())
}

/// One broken manifest beside a good one: the rule, and a word that the message or hint must have.
#[test]
fn every_problem_has_its_rule_and_its_advice() {
    let good = "{apiVersion: v1, kind: ConfigMap, metadata: {name: good}}";
    for (text, rule, word) in [
        (
            "{apiVersion: apps/v1, kind: Deploymnet, metadata: {name: a}}",
            "NoSuchKind",
            "did you mean apps/v1 Deployment?",
        ),
        ("{apiVersion: acme.example/v1, kind: Widget, metadata: {name: a}}", "NoSuchKind", "CustomResourceDefinition"),
        ("{apiVersion: apps/v1beta1, kind: Deployment, metadata: {name: a}}", "NoSuchVersion", "served: v1"),
        ("{apiVersion: v1, kind: ConfigMap, metadata: {generateName: a-}}", "GenerateName", "metadata.name"),
        (
            "{apiVersion: v1, kind: Namespace, metadata: {name: a, namespace: b}}",
            "ClusterScoped",
            "remove metadata.namespace",
        ),
        (
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: good}}",
            "DuplicateObject",
            "already written at good.yaml:1",
        ),
        ("{apiVersion: v1, kind: ConfigMap, metadata: {name: good, namespace: flow}}", "DuplicateObject", "already"),
        (
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, annotations: {tandemcd.io/prune: 'off'}}}",
            "InvalidAnnotation",
            "\"off\"",
        ),
        (
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, annotations: {tandemcd.io/phase: before}}}",
            "InvalidAnnotation",
            "only a Job",
        ),
        (
            "{apiVersion: batch/v1, kind: Job, metadata: {name: a, annotations: {tandemcd.io/phase: during}}}",
            "InvalidAnnotation",
            "during",
        ),
        (
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {tandemcd.io/sync-name: other}}}",
            "ForeignOwner",
            "the owner is prod/flow/shop",
        ),
        (
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, annotations: {tandemcd.io/owner: prod/flow/x}}}",
            "ForeignOwner",
            "leave it out",
        ),
        ("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: [x]}}", "InvalidMetadata", "metadata.labels"),
        ("{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {p: 'no!'}}", "InvalidBase64", "stringData"),
    ] {
        let (desired, problems) = resolve_with(&format!("{good}\n---\n{text}"), &Rules::default());
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        let problem = &problems[0];
        assert_eq!(problem.rule, rule, "{text}");
        assert!(problem.file.is_some() && problem.line.is_some() && problem.object.is_some(), "{problem:?}");
        let told = format!("{problem} {}", problem.hint.as_deref().unwrap_or_default());
        assert!(told.contains(word), "{told}");
        assert_eq!(desired.iter().map(|object| object.id().name.as_str()).collect::<Vec<_>>(), ["good"], "{text}");
    }
}

#[test]
fn all_problems_are_found_at_once() {
    let text = "{apiVersion: v1, kind: Secret, metadata: {name: a, labels: {tandemcd.io/sync-name: x}, annotations: {tandemcd.io/force: please}}, data: {p: '!'}}\n---\n\
                {apiVersion: v1, kind: Nothing, metadata: {name: b}}";
    let (_, problems) = resolve_with(text, &Rules::default());
    let mut rules: Vec<_> = problems.iter().map(|problem| problem.rule.as_str()).collect();
    rules.sort_unstable();
    assert_eq!(rules, ["ForeignOwner", "InvalidAnnotation", "InvalidBase64", "NoSuchKind"]);
}

#[test]
fn namespaces_are_settled() {
    let text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: own}}\n---\n\
                {apiVersion: v1, kind: Namespace, metadata: {name: c}}";
    for (target, expected) in [(None, "flow"), (Some("target"), "target")] {
        let rules = Rules { target_namespace: target.map(str::to_owned), ..Rules::default() };
        let (desired, problems) = resolve_with(text, &rules);
        assert_eq!(problems, Vec::new());
        let mut told: Vec<_> = desired
            .iter()
            .map(|object| (object.id().to_string(), object.manifest.body.pointer("/metadata/namespace").cloned()))
            .collect();
        told.sort_by_key(|(id, _)| id.rsplit('/').next().map(str::to_owned));
        assert_eq!(
            told,
            [
                (format!("ConfigMap/{expected}/a"), Some(expected.into())),
                ("ConfigMap/own/b".to_owned(), Some("own".into())),
                ("Namespace/c".to_owned(), None),
            ]
        );
    }
}

#[test]
fn the_owner_is_written_on_everything_and_a_foreign_tool_label_stays() {
    let text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: b, labels: {app.kubernetes.io/managed-by: Helm}}}";
    let desired = resolved(text);
    assert_eq!(
        desired[0].manifest.body["metadata"],
        serde_json::json!({"name": "a", "namespace": "flow",
            "labels": {"app.kubernetes.io/managed-by": "tandem", "tandemcd.io/sync-name": "shop", "tandemcd.io/sync-namespace": "flow"},
            "annotations": {"tandemcd.io/owner": "prod/flow/shop"}})
    );
    assert_eq!(desired[1].manifest.body["metadata"]["labels"]["app.kubernetes.io/managed-by"], "Helm");
}

#[test]
fn a_definition_gives_its_kind_to_the_same_set() {
    let text = "{apiVersion: acme.example/v1, kind: Widget, metadata: {name: a, namespace: x}}\n---\n\
        {apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.acme.example}, \
         spec: {group: acme.example, scope: Cluster, names: {kind: Widget, plural: widgets}, versions: [{name: v1, served: true}]}}";
    let (desired, problems) = resolve_with(text, &Rules::default());
    assert_eq!(desired.len(), 1, "the definition");
    assert_eq!(problems.iter().map(|problem| problem.rule.as_str()).collect::<Vec<_>>(), ["ClusterScoped"]);
}

#[test]
fn annotations_steer() {
    let text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, annotations: {tandemcd.io/reconcile: disabled, tandemcd.io/prune: disabled, \
                tandemcd.io/force: enabled, tandemcd.io/conflict: Keep, tandemcd.io/apply: IfNotPresent}}}\n---\n\
                {apiVersion: v1, kind: ConfigMap, metadata: {name: b, annotations: {tandemcd.io/reconcile: enabled, tandemcd.io/prune: enabled, \
                tandemcd.io/force: disabled, tandemcd.io/conflict: Take, tandemcd.io/apply: Always}}}";
    let desired = resolved(text);
    let all = [Steer::ReconcileDisabled, Steer::PruneDisabled, Steer::Force, Steer::KeepConflicts, Steer::IfNotPresent];
    assert_eq!(desired[0].steers, all.into_iter().collect());
    assert!(desired[1].steers.is_empty());
}

#[test]
fn an_autoscaler_takes_the_replicas_of_its_target_alone() {
    let text = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 2}}\n---\n\
                {apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: other}, spec: {replicas: 2}}\n---\n\
                {apiVersion: apps/v1, kind: Deployment, metadata: {name: db}, spec: {replicas: 2}}\n---\n\
                {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}";
    let yields: Vec<_> = resolved(text)
        .iter()
        .filter(|object| object.is(Steer::Autoscaled))
        .map(|object| object.id().to_string())
        .collect();
    assert_eq!(yields, ["Deployment.apps/flow/web"]);
    // A number in Git that an autoscaler overrides is no change.
    let other = text.replacen("replicas: 2", "replicas: 3", 1);
    let digest = |text: &str| resolved(text).into_iter().map(|object| object.digest).collect::<Vec<_>>();
    assert_eq!(digest(text), digest(&other));
}

#[test]
fn ignore_rules_reach_their_objects_and_their_fields_are_no_change() {
    let rule = IgnoreRule {
        kind: Some("ConfigMap".into()),
        name: Some("a".into()),
        paths: vec![Pointer::parse("/data/x").expect("parses")],
        ..IgnoreRule::default()
    };
    let rules = Rules { ignore: vec![rule], ..Rules::default() };
    let digest = |name: &str, x: &str, y: &str| {
        let text =
            format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}, data: {{x: v{x}, y: v{y}}}}}");
        resolve_with(&text, &rules).0[0].digest
    };
    assert_eq!(digest("a", "1", "1"), digest("a", "2", "1"));
    assert_ne!(digest("a", "1", "1"), digest("a", "1", "2"));
    assert_ne!(digest("b", "1", "1"), digest("b", "2", "1"));
}

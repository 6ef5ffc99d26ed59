use serde_json::Value;

use super::{Checked, Minor, Schemas};
use crate::object::{Manifest, ObjectId, Origin, split_api_version, yaml};

fn manifests(text: &str) -> Vec<Manifest> {
    let (documents, problems) = yaml::read("test.yaml", text.as_bytes(), &yaml::Limits::default());
    assert_eq!(problems, [], "{text}");
    let manifest = |document: yaml::Document| {
        let text =
            |pointer: &str| document.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let api_version = text("/apiVersion");
        let group = split_api_version(&api_version).0.to_owned();
        let id = ObjectId::new(text("/metadata/namespace"), text("/metadata/name"), group, text("/kind"));
        let origin = Origin { file: "test.yaml".into(), line: document.line, document: document.index };
        Manifest::new(origin, id, api_version, document.value.clone())
    };
    documents.into_iter().map(manifest).collect()
}

fn checked(target: &str, text: &str) -> Checked {
    let mut schemas = Schemas::new(target.parse().expect("a minor"));
    let all = manifests(text);
    all.iter().for_each(|manifest| assert_eq!(schemas.define(manifest), []));
    schemas.check(all.last().expect("an object"))
}

/// Rule, path and hint of everything that is found.
fn told(target: &str, text: &str) -> Vec<String> {
    let told = checked(target, text).findings.into_iter().map(|finding| {
        let hint = finding.problem.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{} {}{hint}", finding.problem.rule, finding.path)
    });
    told.collect()
}

const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n";

#[test]
fn a_good_object_has_nothing_wrong() {
    let spec = "spec:\n  replicas: 2\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}, creationTimestamp: null}\n    spec: {containers: [{name: a, image: b, resources: {limits: {cpu: 1, memory: 1Gi}}}]}\n";
    assert_eq!(checked("1.36", &format!("{WEB}{spec}")), Checked { findings: vec![], known: true });
}

#[test]
fn every_field_that_is_wrong_is_told_with_what_was_meant() {
    let spec = "spec:\n  replica: 2\n  paused: 'true'\n  selector: {matchLabels: {a: 1}}\n  template:\n    spec:\n      containers:\n      - {name: '', image: b, imagePullPolicy: always, ports: [{containerPort: '80'}], resources: {limits: {cpu: 1 core}}}\n      - {image: c, args: x}\n      strategy: {}\n";
    assert_eq!(
        told("1.36", &format!("{WEB}{spec}")),
        [
            "WrongType spec.paused (leave out the quotes)",
            "UnknownField spec.replica (did you mean `replicas`?)",
            "WrongType spec.selector.matchLabels.a (put it in quotes)",
            "UnsupportedValue spec.template.spec.containers[0].imagePullPolicy (did you mean `Always`?)",
            "RequiredField spec.template.spec.containers[0].name",
            "WrongType spec.template.spec.containers[0].ports[0].containerPort (leave out the quotes)",
            "WrongType spec.template.spec.containers[0].resources.limits.cpu",
            "WrongType spec.template.spec.containers[1].args",
            "RequiredField spec.template.spec.containers[1].name",
            "UnknownField spec.template.spec.strategy (`strategy` belongs 2 levels further out)",
        ]
    );
}

#[test]
fn what_is_left_out_as_a_whole_is_told_by_what_is_required_in_it() {
    assert_eq!(told("1.36", WEB), ["RequiredField spec.selector", "RequiredField spec.template.spec.containers"]);
    // Nothing is asked for in a status, which is dropped.
    let status = format!(
        "{WEB}spec: {{selector: {{}}, template: {{spec: {{containers: [{{name: a}}]}}}}}}\nstatus: {{conditions: [{{}}], replica: 1}}\n"
    );
    assert_eq!(told("1.36", &status), ["UnknownField status.replica (did you mean `replicas`?)"]);
}

#[test]
fn no_value_of_a_secret_is_repeated() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {key: not-base64!, other: 12345}\nstringData: {x: true}\n";
    let found = checked("1.36", text).findings;
    assert_eq!(found.len(), 3);
    for finding in found {
        assert!(!format!("{finding:?}").contains("not-base64") && !format!("{finding:?}").contains("12345"));
    }
}

#[test]
fn api_versions_come_and_go() {
    let object = |version: &str, kind: &str| format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\n");
    for (version, kind, expected) in [
        ("extensions/v1beta1", "Ingress", "RemovedApi apiVersion (use Ingress of networking.k8s.io/v1)"),
        ("apps/v1beta1", "Deployment", "RemovedApi apiVersion (use Deployment of apps/v1)"),
        (
            "policy/v1beta1",
            "PodSecurityPolicy",
            "RemovedApi apiVersion (nothing took its place in this version of Kubernetes)",
        ),
        ("batch/v1beta1", "CronJob", "RemovedApi apiVersion (use CronJob of batch/v1)"),
        (
            "autoscaling/v2beta2",
            "HorizontalPodAutoscaler",
            "RemovedApi apiVersion (use HorizontalPodAutoscaler of autoscaling/v2)",
        ),
        ("apps/v2", "Deployment", "UnknownKind kind (Deployment is a kind of apps/v1)"),
        ("v1", "Deployment", "UnknownKind kind (Deployment is a kind of apps/v1)"),
        ("apps/v1", "Deploymnet", "UnknownKind kind (did you mean `Deployment`?)"),
        ("app/v1", "Deployment", "UnknownKind kind (Deployment is a kind of apps/v1)"),
    ] {
        assert_eq!(
            told("1.36", &object(version, kind)).first().map(String::as_str),
            Some(expected),
            "{version} {kind}"
        );
    }
    assert_eq!(
        told("1.36", &object("v1", "Endpoints")),
        ["DeprecatedApi apiVersion (use EndpointSlice of discovery.k8s.io/v1)"]
    );
    assert_eq!(checked("1.36", &object("example.com/v1", "Pump")), Checked::default());
}

#[test]
fn minors_differ() {
    let pod =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, restartPolicyRules: []}]}\n";
    assert_eq!(told("1.33", pod), ["UnknownField spec.containers[0].restartPolicyRules"]);
    assert_eq!(told("1.34", pod), [""; 0]);
    assert!(Minor::default() == "1.37".parse().expect("a minor"));
}

const PUMP: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: pumps.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Pump, plural: pumps}
  versions:
  - {name: v1alpha1, served: false, storage: false, schema: {openAPIV3Schema: {type: object}}}
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          status: {type: object, required: [phase], properties: {phase: {type: string}}}
          spec:
            type: object
            required: [size, mode]
            properties:
              size: {type: integer, minimum: 1, maximum: 5, multipleOf: 1}
              mode: {type: string, enum: [Fast, Slow], default: Slow}
              name: {type: string, pattern: '^[a-z]+$', maxLength: 5}
              port: {x-kubernetes-int-or-string: true}
              any: {type: object, x-kubernetes-preserve-unknown-fields: true}
              labels: {type: object, additionalProperties: {type: string}}
              note: {type: string, nullable: true}
              set: {type: array, items: {type: string}, x-kubernetes-list-type: set}
              map: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [k], items: {type: object, required: [k], properties: {k: {type: string}}}}
              inner: {type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}
            oneOf:
            - {required: [name]}
            - {required: [port]}
---
";

#[test]
fn a_custom_resource_is_checked_by_its_definition() {
    let pump = |version: &str, spec: &str| {
        told("1.36", &format!("{PUMP}apiVersion: example.com/{version}\nkind: Pump\nmetadata: {{name: a}}\n{spec}\n"))
    };
    for (spec, expected) in [
        ("spec: {size: 1, name: a}", vec![]),
        ("spec: {size: 1, port: 80, mode: null, note: null, any: {a: {b: 1}}, labels: {a: b}}", vec![]),
        ("spec: {size: 1, port: a, inner: {apiVersion: v1, kind: Pod, spec: {x: 1}}, set: [a, b]}", vec![]),
        ("spec: {size: 1, port: a}\nstatus: {other: 1}", vec!["UnknownField status.other"]),
        ("", vec!["RequiredField spec"]),
        ("spec: {siz: 1, name: a}", vec!["UnknownField spec.siz (did you mean `size`?)", "RequiredField spec.size"]),
        ("spec: {size: '1', name: a}", vec!["WrongType spec.size (leave out the quotes)"]),
        ("spec: {size: 1.5, name: a}", vec!["WrongType spec.size"]),
        (
            "spec: {size: 6, name: abcdefg1}",
            vec!["InvalidValue spec.name", "InvalidValue spec.name", "InvalidValue spec.size"],
        ),
        ("spec: {size: null, name: a}", vec!["RequiredField spec.size"]),
        ("spec: {size: 1, name: a, mode: slow}", vec!["UnsupportedValue spec.mode (did you mean `Slow`?)"]),
        ("spec: {size: 1, name: a, port: 1}", vec!["InvalidValue spec"]),
        ("spec: {size: 1, port: 1.5}", vec!["WrongType spec.port"]),
        ("spec: {size: 1, port: 1, labels: {a: 1}}", vec!["WrongType spec.labels.a (put it in quotes)"]),
        ("spec: {size: 1, port: 1, set: [a, b, a]}", vec!["DuplicateItem spec.set[2]"]),
        (
            "spec: {size: 1, port: 1, map: [{k: a}, {k: a}, {}]}",
            vec!["DuplicateItem spec.map[1]", "RequiredField spec.map[2].k"],
        ),
        (
            "spec: {size: 1, port: 1, inner: {metadata: {nam: a}}}",
            vec![
                "RequiredField spec.inner.apiVersion",
                "RequiredField spec.inner.kind",
                "UnknownField spec.inner.metadata.nam (did you mean `name`?)",
            ],
        ),
        ("spec: {size: 1, port: 1}\nother: 1", vec!["UnknownField other"]),
    ] {
        assert_eq!(pump("v1", spec), expected, "{spec}");
    }
    for version in ["v1alpha1", "v2"] {
        assert_eq!(pump(version, "spec: {}"), ["UnknownKind apiVersion (use example.com/v1)"]);
    }
}

#[test]
fn a_hostile_definition_ends() {
    // Every item is held against every alternative.
    let alternatives = vec![serde_json::json!({"type": "string"}); 600];
    let items = vec![1; 600];
    let definition = serde_json::json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "bombs.example.com"}, "spec": {"group": "example.com", "names": {"kind": "Bomb"},
        "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", "properties":
            {"spec": {"type": "array", "items": {"type": "integer", "anyOf": alternatives}}}}}}]}});
    let object =
        serde_json::json!({"apiVersion": "example.com/v1", "kind": "Bomb", "metadata": {"name": "a"}, "spec": items});
    let all = manifests(&format!("{definition}\n---\n{object}\n"));
    let mut schemas = Schemas::default();
    assert_eq!(schemas.define(&all[0]), []);
    let rules: Vec<String> = schemas.check(&all[1]).findings.into_iter().map(|finding| finding.problem.rule).collect();
    assert_eq!(rules, ["LimitExceeded"]);
}

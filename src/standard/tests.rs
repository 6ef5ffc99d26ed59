//! The standard judges as a real API server does, and says what it cannot judge.

use serde_json::{Value, json};

use super::*;
use crate::object::{Origin, yaml};

const POLICIES: &[u8] = include_bytes!("../../tests/cases/standard/policies.yaml");
const OBJECTS: &[u8] = include_bytes!("../../tests/cases/standard/objects.yaml");
const CHANGES: &[u8] = include_bytes!("../../tests/cases/standard/changes.yaml");
const VERDICTS: &[u8] = include_bytes!("../../tests/cases/standard/verdicts.yaml");

fn documents(bytes: &[u8]) -> Vec<Value> {
    let (documents, problems) = yaml::read("standard.yaml", bytes, &yaml::Limits::default());
    assert_eq!(problems, []);
    documents.into_iter().map(|document| document.value).collect()
}

fn manifest(body: Value) -> Manifest {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind) = (text("/apiVersion"), text("/kind"));
    let (group, _) = split_api_version(&api_version);
    let id = ObjectId::new(text("/metadata/namespace"), text("/metadata/name"), group, kind);
    Manifest::new(Origin { file: "standard.yaml".into(), line: 1, document: 1 }, id, api_version, body)
}

fn now() -> Timestamp {
    "2026-11-28T12:00:00Z".parse().expect("a time")
}

fn load(bodies: Vec<Value>) -> Loaded {
    let manifests: Vec<_> = bodies.into_iter().map(manifest).collect();
    Standard::load(&manifests, now())
}

/// Judges an object as a new one that kubectl creates.
fn judged(standard: &Standard, object: &Value, resource: &str, namespace: &Value) -> Vec<Verdict> {
    judgement(standard, object, resource, namespace).verdicts
}

fn judgement(standard: &Standard, object: &Value, resource: &str, namespace: &Value) -> Judgement {
    let object = manifest(object.clone());
    let user = json!({"username": "admin", "uid": "admin", "groups": ["system:masters", "system:authenticated"]});
    standard.judge(&Review {
        id: &object.id,
        api_version: &object.api_version,
        resource,
        operation: Operation::Create,
        object: Some(&object.body),
        old: None,
        shown: None,
        namespace: (!object.id.namespace.is_empty()).then_some(namespace),
        user: &user,
        dry_run: true,
        now: now(),
    })
}

fn namespace() -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "default", "labels": {"kubernetes.io/metadata.name": "default"}}})
}

#[test]
fn objects_are_judged_as_the_api_server_judges_them() {
    let loaded = load(documents(POLICIES));
    assert_eq!((&loaded.problems, &loaded.warnings), (&Vec::new(), &Vec::new()));
    let objects = documents(OBJECTS);
    let expected = documents(VERDICTS);
    let expected = expected[0].as_array().expect("verdicts");
    assert!(expected.len() > 200);
    let mut wrong = Vec::new();
    for case in expected {
        let mut object =
            objects.iter().find(|object| object["metadata"]["name"] == case["object"]).expect("an object").clone();
        object["metadata"]["labels"]["policy"] = case["policy"].clone();
        let verdicts = judged(&loaded.standard, &object, "pods", &namespace());
        let found = verdicts.first().map(|verdict| match &verdict.finding {
            Finding::Refused { reason, .. } => json!({"message": verdict.told(), "reason": reason}),
            Finding::NotChecked { .. } => json!({"message": verdict.told()}),
        });
        let wanted =
            (case["allowed"] != json!(true)).then(|| json!({"message": case["message"], "reason": case["reason"]}));
        if found != wanted {
            wrong.push(format!("{case}\n    {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is said of a change: message and reason, where it is refused.
fn said_of_change(standard: &Standard, case: &Value) -> Value {
    let (old, new) = (case.get("old"), case.get("new"));
    let body = new.or(old).expect("an object");
    let object = manifest(body.clone());
    let resource = format!("{}s", object.id.kind.to_lowercase());
    let (operation, namespace) = match text(case, "operation") {
        "CREATE" => (Operation::Create, namespace()),
        "UPDATE" => (Operation::Update, namespace()),
        _ => (Operation::Delete, namespace()),
    };
    let user = json!({"username": "admin"});
    let verdicts = standard
        .judge(&Review {
            id: &object.id,
            api_version: &object.api_version,
            resource: &resource,
            operation,
            object: new,
            old,
            shown: None,
            namespace: (!object.id.namespace.is_empty()).then_some(&namespace),
            user: &user,
            dry_run: true,
            now: now(),
        })
        .verdicts;
    match verdicts.first() {
        None => json!({"allowed": true}),
        Some(verdict) => match &verdict.finding {
            Finding::Refused { reason, .. } => json!({"message": verdict.told(), "reason": reason}),
            Finding::NotChecked { .. } => json!({"message": verdict.told()}),
        },
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn changes_are_judged_as_the_api_server_judges_them() {
    let whole = &documents(CHANGES)[0];
    let all = |field: &str| whole[field].as_array().expect("a list").clone();
    let loaded = load(all("policies"));
    assert_eq!((&loaded.problems, &loaded.warnings), (&Vec::new(), &Vec::new()));
    let cases = all("cases");
    assert!(cases.len() > 60);
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let found = said_of_change(&loaded.standard, case);
            (found != case["says"]).then(|| format!("{found} {case}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn policy(name: &str, spec: Value) -> Vec<Value> {
    let mut whole = json!({"matchConstraints": {"resourceRules": [
        {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"]}]}});
    for (key, value) in spec.as_object().expect("a spec") {
        whole[key] = value.clone();
    }
    vec![
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name}, "spec": whole}),
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": format!("{name}-all")}, "spec": {"policyName": name, "validationActions": ["Deny"]}}),
    ]
}

fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}}, "spec": {"replicas": 3}})
}

fn told(bodies: Vec<Value>, object: &Value) -> Vec<String> {
    let loaded = load(bodies);
    assert_eq!(loaded.problems, []);
    judged(&loaded.standard, object, "deployments", &namespace()).iter().map(Verdict::told).collect()
}

#[test]
fn what_cannot_be_judged_is_never_passed() {
    let uses = policy(
        "rights",
        json!({"validations": [
        {"expression": "authorizer.group('').resource('pods').check('get').allowed()"}]}),
    );
    assert_eq!(
        told(uses, &deployment()),
        [
            "ValidatingAdmissionPolicy 'rights' with binding 'rights-all' was not checked: spec.validations[0].expression: authorizer is not available here"
        ]
    );
    let other = policy(
        "old",
        json!({"validations": [{"expression": "true"}], "matchConstraints": {"resourceRules": [
        {"apiGroups": ["apps"], "apiVersions": ["v1beta1"], "operations": ["CREATE"], "resources": ["deployments"]}]}}),
    );
    assert_eq!(
        told(other, &deployment()),
        [
            "ValidatingAdmissionPolicy 'old' with binding 'old-all' was not checked: it speaks of the resource in version v1beta1, and only an API server converts"
        ]
    );
}

#[test]
fn constraints_say_which_objects() {
    let rules = |rule: Value| json!({"resourceRules": [rule]});
    let rule = |change: Value| {
        let mut rule = json!({"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]});
        for (key, value) in change.as_object().expect("a change") {
            rule[key] = value.clone();
        }
        rules(rule)
    };
    for (constraints, spoken_of) in [
        (rule(json!({})), true),
        (rule(json!({"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]})), true),
        (rule(json!({"resources": ["*/*"]})), true),
        (rule(json!({"resources": ["deployments/scale"]})), false),
        (rule(json!({"operations": ["UPDATE", "DELETE"]})), false),
        (rule(json!({"apiGroups": [""]})), false),
        (rule(json!({"resources": ["pods"]})), false),
        (rule(json!({"scope": "Namespaced"})), true),
        (rule(json!({"scope": "Cluster"})), false),
        (rule(json!({"resourceNames": ["web"]})), true),
        (rule(json!({"resourceNames": ["api"]})), false),
        (
            json!({"matchPolicy": "Exact", "resourceRules": [
            {"apiGroups": ["apps"], "apiVersions": ["v1beta1"], "operations": ["*"], "resources": ["*"]}]}),
            false,
        ),
        (
            json!({"objectSelector": {"matchLabels": {"app": "web"}}, "resourceRules": rule(json!({}))["resourceRules"]}),
            true,
        ),
        (
            json!({"objectSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]},
            "resourceRules": rule(json!({}))["resourceRules"]}),
            false,
        ),
        (
            json!({"objectSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}, {"key": "x", "operator": "DoesNotExist"}]},
            "resourceRules": rule(json!({}))["resourceRules"]}),
            true,
        ),
        (
            json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}},
            "resourceRules": rule(json!({}))["resourceRules"]}),
            true,
        ),
        (
            json!({"namespaceSelector": {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop"]}]},
            "resourceRules": rule(json!({}))["resourceRules"]}),
            false,
        ),
        (
            json!({"excludeResourceRules": rule(json!({}))["resourceRules"], "resourceRules": rule(json!({}))["resourceRules"]}),
            false,
        ),
    ] {
        let bodies = policy("no", json!({"validations": [{"expression": "false"}], "matchConstraints": constraints}));
        assert_eq!(told(bodies, &deployment()).len(), usize::from(spoken_of), "{constraints}");
    }
}

#[test]
fn what_is_wrong_with_a_policy_is_told() {
    for (spec, expected) in [
        (json!({"validations": [{"expression": "object.foo("}]}), "spec.validations[0].expression: "),
        (
            json!({"validations": [{"expression": "object.spec.replicas"}]}),
            "spec.validations[0].expression: must evaluate to bool but got dyn",
        ),
        (
            json!({"validations": [{"expression": "true", "messageExpression": "1"}]}),
            "spec.validations[0].messageExpression: must evaluate to string but got int",
        ),
        (
            json!({"validations": [{"expression": "variables.x"}]}),
            "spec.validations[0].expression: undefined field 'x'",
        ),
        (
            json!({"validations": [{"expression": "params.x == 1"}]}),
            "spec.validations[0].expression: undeclared reference to 'params'",
        ),
        (
            json!({"variables": [{"name": "a", "expression": "variables.b"}, {"name": "b", "expression": "1"}], "validations": [{"expression": "true"}]}),
            "spec.variables[a].expression: undefined field 'b'",
        ),
        (json!({"validations": []}), "it has neither validations nor auditAnnotations"),
        (json!({"validations": [{"expresion": "true"}]}), "spec: unknown field `expresion`"),
        (json!({"validations": [{"expression": "true"}], "failurePolicy": "Never"}), "spec: unknown variant `Never`"),
        (
            json!({"validations": [{"expression": "true"}], "matchConstraints": {}}),
            "spec.matchConstraints.resourceRules is empty",
        ),
        (
            json!({"validations": [{"expression": "true"}], "matchConditions": [{"name": "a", "expression": "variables.a"}]}),
            "spec.matchConditions[a].expression: undeclared reference to 'variables'",
        ),
    ] {
        let loaded = load(policy("bad", spec));
        let problems: Vec<_> = loaded.problems.iter().map(|problem| problem.message.as_str()).collect();
        assert!(problems.iter().any(|message| message.starts_with(expected)), "{expected}: {problems:?}");
        assert!(loaded.standard.is_empty());
    }
}

fn waiver(expires: &str, name: &str) -> Value {
    json!({"apiVersion": "tandemcd.io/v1alpha1", "kind": "Waiver", "metadata": {"name": "until-mended"}, "spec": {
        "policy": "no", "owner": "shop-team", "reason": "the vendor mends it in January", "expires": expires,
        "object": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "default", "name": name}}})
}

#[test]
fn a_waiver_is_of_one_policy_and_one_object_and_ends() {
    let with = |waiver: Value| {
        let mut bodies = policy("no", json!({"validations": [{"expression": "false"}]}));
        bodies.push(waiver);
        load(bodies)
    };
    let denies = |loaded: &Loaded| {
        judged(&loaded.standard, &deployment(), "deployments", &namespace()).iter().any(Verdict::denies)
    };
    for (expires, name, denied, told) in [
        ("2027-01-31", "web", false, None),
        ("2027-01-31", "api", true, None),
        ("2026-12-05", "web", false, Some("WaiverExpiresSoon")),
        ("2026-11-28", "web", false, Some("WaiverExpiresSoon")),
        ("2026-11-27", "web", true, Some("WaiverExpired")),
        ("2026-11-28T11:59:59Z", "web", true, Some("WaiverExpired")),
        ("2027-02-26T12:00:00Z", "web", false, None),
    ] {
        let loaded = with(waiver(expires, name));
        assert_eq!(loaded.problems, [], "{expires}");
        let rules: Vec<_> = loaded.warnings.iter().map(|warning| warning.rule.as_str()).collect();
        assert_eq!(rules, told.into_iter().collect::<Vec<_>>(), "{expires}");
        assert_eq!(denies(&loaded), denied, "{expires} {name}");
    }
    for (expires, message) in
        [("2027-02-27", "spec.expires is more than 90 days from now"), ("soon", "spec.expires is no date: soon")]
    {
        let loaded = with(waiver(expires, "web"));
        assert_eq!(loaded.problems[0].message, message);
        assert!(denies(&loaded));
    }
}

#[test]
fn what_is_written_down_comes_with_its_values() {
    let annotated = policy(
        "noted",
        json!({"variables": [{"name": "app", "expression": "object.metadata.labels.app"}], "auditAnnotations": [
            {"key": "app", "valueExpression": "'is ' + variables.app"},
            {"key": "many", "valueExpression": "object.spec.replicas > 5 ? 'many' : ''"}]}),
    );
    let loaded = load(annotated);
    let said = judgement(&loaded.standard, &deployment(), "deployments", &namespace());
    assert_eq!(said.verdicts, []);
    let noted = Annotation { policy: "noted".into(), key: "app".into(), value: "is web".into() };
    assert_eq!(said.annotations, [noted]);
}

#[test]
fn no_word_of_a_verdict_depends_on_a_secret_value() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token", "namespace": "default"},
        "stringData": {"token": "hunter2", "short": "ab"}});
    let mut masked = secret.clone();
    crate::object::mask::mask_secret(&mut masked);
    let tells = policy(
        "tells",
        json!({"matchConstraints": {"resourceRules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["secrets"]}]},
        "variables": [{"name": "token", "expression": "object.stringData.token"}],
        "validations": [
            {"expression": "object.stringData.token != 'hunter2'", "messageExpression": "'it is ' + variables.token.substring(1)"},
            {"expression": "object.stringData.token.startsWith('h')"},
            {"expression": "int(object.stringData.token) == 1"},
            {"expression": "[1][object.stringData.short.size()] == 1"}],
        "auditAnnotations": [{"key": "token", "valueExpression": "string(variables.token)"},
            {"key": "third", "valueExpression": "variables.token.charAt(6)"}]}),
    );
    let loaded = load(tells);
    assert_eq!(loaded.problems, []);
    let said = |shown: Option<&Value>| {
        let of = manifest(secret.clone());
        let user = json!({});
        let namespace = namespace();
        let judgement = loaded.standard.judge(&Review {
            id: &of.id,
            api_version: "v1",
            resource: "secrets",
            operation: Operation::Create,
            object: Some(&secret),
            old: None,
            shown: shown.map(|object| Shown { object: Some(object), old: None }),
            namespace: Some(&namespace),
            user: &user,
            dry_run: false,
            now: now(),
        });
        let told: Vec<_> = judgement.verdicts.iter().map(Verdict::told).collect();
        let noted: Vec<_> = judgement.annotations.into_iter().map(|noted| noted.value).collect();
        (told, noted)
    };
    let (open, noted) = said(None);
    assert!(open[0].ends_with("it is unter2") && noted == ["hunter2", "2"], "{open:?} {noted:?}");
    let (quiet, noted) = said(Some(&masked));
    assert_eq!(quiet.len(), open.len(), "the same is refused: {quiet:?}");
    assert!(quiet[0].ends_with("it is **"), "{quiet:?}");
    assert_eq!(noted, ["***", "***"]);
    let all = quiet.join("\n");
    assert!(!all.contains("unter") && !all.contains("ab"), "{all}");
}

#[test]
fn what_must_be_read_first_is_known_before_it_is_read() {
    let of = manifest(deployment());
    let user = json!({});
    let namespace = namespace();
    let review = |operation: Operation| Review {
        id: &of.id,
        api_version: "apps/v1",
        resource: "deployments",
        operation,
        object: Some(&of.body),
        old: None,
        shown: None,
        namespace: Some(&namespace),
        user: &user,
        dry_run: false,
        now: now(),
    };
    let rules = |operations: &[&str]| json!([{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": operations, "resources": ["deployments"]}]);
    let of_labels =
        |value: &str| json!({"objectSelector": {"matchLabels": {"app": value}}, "resourceRules": rules(&["*"])});
    let plain = json!([{"expression": "true"}]);
    let old = json!([{"expression": "oldObject == null || oldObject.spec.x == object.spec.x"}]);
    for (spec, update, delete, namespaces) in [
        (json!({"validations": plain}), false, true, false),
        (json!({"validations": old}), true, true, false),
        (json!({"validations": old, "matchConstraints": {"resourceRules": rules(&["CREATE"])}}), false, false, false),
        (json!({"validations": plain, "matchConstraints": of_labels("web")}), false, true, false),
        (json!({"validations": plain, "matchConstraints": of_labels("api")}), true, true, false),
        (json!({"validations": [{"expression": "namespaceObject.metadata.name != 'x'"}]}), false, true, true),
        (
            json!({"validations": plain, "matchConstraints": {"namespaceSelector": {"matchLabels": {"a": "b"}}, "resourceRules": rules(&["*"])}}),
            false,
            true,
            true,
        ),
        (
            json!({"validations": plain, "matchConstraints": {"namespaceSelector": {}, "resourceRules": rules(&["*"])}}),
            false,
            true,
            false,
        ),
    ] {
        let loaded = load(policy("some", spec.clone()));
        let standard = &loaded.standard;
        assert_eq!(loaded.problems, []);
        assert_eq!(standard.needs_old(&review(Operation::Update)), update, "{spec}");
        assert_eq!(standard.needs_old(&review(Operation::Delete)), delete, "{spec}");
        assert_eq!(standard.needs_namespaces(), namespaces, "{spec}");
        let one = spec.pointer("/matchConstraints/resourceRules/0/operations") == Some(&json!(["CREATE"]));
        assert_eq!(standard.tells_apart(&review(Operation::Create), Operation::Update), one, "{spec}");
    }
}

/// A change that leaves replicas to an autoscaler is judged by what that has set.
#[test]
fn replicas_that_a_change_leaves_out_are_read_where_a_policy_names_them() {
    let few = load(policy("few", json!({"validations": [{"expression": "object.spec.replicas < 5"}]}))).standard;
    let pulled = json!({"validations": [{"expression": "object.spec.template.spec.restartPolicy == 'Always'"}]});
    let other = load(policy("other", pulled)).standard;
    let (user, namespace) = (json!({}), namespace());
    let said = |standard: &Standard, replicas: Option<u32>, live: u32| {
        let mut body = deployment();
        let spec = body["spec"].as_object_mut().expect("a spec");
        spec.remove("replicas");
        spec.extend(replicas.map(|replicas| ("replicas".to_owned(), json!(replicas))));
        let mut old = body.clone();
        old["spec"]["replicas"] = json!(live);
        let of = manifest(body);
        let review = Review {
            id: &of.id,
            api_version: "apps/v1",
            resource: "deployments",
            operation: Operation::Update,
            object: Some(&of.body),
            old: Some(&old),
            shown: None,
            namespace: Some(&namespace),
            user: &user,
            dry_run: false,
            now: now(),
        };
        (standard.needs_old(&review), standard.judge(&review).verdicts.len())
    };
    for (standard, replicas, live, expected) in [
        (&few, None, 3, (true, 0)),
        (&few, None, 9, (true, 1)),
        (&few, Some(2), 9, (false, 0)),
        (&few, Some(9), 2, (false, 1)),
        (&other, None, 9, (false, 0)),
    ] {
        assert_eq!(said(standard, replicas, live), expected, "{replicas:?} {live}");
    }
}

#[test]
fn what_lies_beside_policies_is_known_or_told() {
    let own =
        |kind: &str| json!({"apiVersion": "tandemcd.io/v1alpha1", "kind": kind, "metadata": {"name": "a"}, "spec": {}});
    let mut bodies = policy("no", json!({"validations": [{"expression": "false"}]}));
    bodies.push(own("PolicyTest"));
    assert_eq!(load(bodies.clone()).problems, []);
    bodies.push(own("Waivr"));
    bodies.push(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "y"}}));
    bodies.extend(policy("no", json!({"validations": [{"expression": "true"}]})));
    let loaded = load(bodies);
    let rules = |of: &[Problem]| of.iter().map(|problem| problem.rule.clone()).collect::<Vec<_>>();
    assert_eq!(rules(&loaded.problems), ["NotOfStandard", "DuplicateObject", "DuplicateObject"]);
    assert_eq!(rules(&loaded.warnings), ["ParameterWithoutPolicy"]);
}

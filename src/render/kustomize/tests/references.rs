//! Every expectation is what kustomize v5.8.2 builds.

use serde_json::json;

use super::*;
use crate::object::Origin;

fn read(body: Value) -> Resource {
    Resource::new(body, Origin { file: String::new(), line: 0, document: 0 })
}

fn object(api_version: &str, kind: &str, name: &str, rest: Value) -> Resource {
    let mut body = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
    for (field, value) in rest.as_object().expect("a mapping") {
        body[field] = value.clone();
    }
    read(body)
}

/// As `namePrefix` does.
fn prefixed(prefix: &str, mut resources: Vec<Resource>) -> Vec<Resource> {
    for resource in &mut resources {
        resource.remember();
        resource.prefixes.push(prefix.to_owned());
        let name = format!("{prefix}{}", resource.name());
        resource.body["metadata"]["name"] = json!(name);
    }
    resources
}

/// As `namespace` does.
fn within(namespace: &str, mut resources: Vec<Resource>) -> Vec<Resource> {
    for resource in resources.iter_mut().filter(|resource| !resource.is_cluster_scoped()) {
        resource.remember();
        resource.body["metadata"]["namespace"] = json!(namespace);
    }
    resources
}

fn in_namespace(namespace: &str, mut resource: Resource) -> Resource {
    resource.body["metadata"]["namespace"] = json!(namespace);
    resource
}

fn config_map() -> Resource {
    object("v1", "ConfigMap", "c", json!({}))
}

fn pod() -> Resource {
    object("v1", "Pod", "p", json!({"spec": {"volumes": [{"name": "v", "configMap": {"name": "c"}}]}}))
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";

fn role_binding(kind: &str, subjects: Value) -> Resource {
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "r"});
    object(RBAC, "RoleBinding", "rb", json!({"roleRef": role, "subjects": subjects}))
}

fn fixed(mut resources: Vec<Resource>) -> Vec<Resource> {
    fix_names(&mut resources, &[], &Allowance::default()).expect("no fault");
    resources
}

fn volumes(resources: &[Resource]) -> Vec<&str> {
    let name = |resource: &'_ Resource| resource.body.pointer("/spec/volumes/0/configMap/name").cloned();
    let all = resources.iter().filter(|resource| name(resource).is_some());
    all.map(|resource| resource.body["spec"]["volumes"][0]["configMap"]["name"].as_str().expect("a text")).collect()
}

#[test]
fn prefixes_and_namespaces_tell_objects_of_one_name_apart() {
    let base = |prefix: &str| prefixed(prefix, vec![config_map(), pod()]);
    assert_eq!(volumes(&fixed([base("a-"), base("b-")].concat())), ["a-c", "b-c"]);
    // One that went through no prefix may mean either.
    assert_eq!(volumes(&fixed([base("a-"), base("b-"), vec![pod()]].concat())), ["a-c", "b-c", "c"]);
    assert_eq!(volumes(&fixed([base("a-"), vec![pod()]].concat())), ["a-c", "a-c"]);
    let (a, b) = (within("na", base("a-")), within("nb", base("b-")));
    assert_eq!(volumes(&fixed([a, b, vec![in_namespace("na", pod())]].concat())), ["a-c", "b-c", "a-c"]);
    let elsewhere = vec![in_namespace("x", pod())];
    assert_eq!(volumes(&fixed([base("a-"), elsewhere].concat())), ["a-c", "c"]);
}

#[test]
fn what_may_mean_several_is_refused() {
    let maps = [prefixed("a-", vec![config_map()]), prefixed("b-", vec![config_map()])].concat();
    let mut resources = prefixed("z-", [maps, vec![pod()]].concat());
    let error = fix_names(&mut resources, &[], &Allowance::default()).expect_err("two of that name");
    assert!(
        error.starts_with(
            "Pod/z-p, field spec/volumes/configMap/name: \"c\" may mean each of ConfigMap/z-a-c, ConfigMap/z-b-c"
        ),
        "{error}"
    );
}

#[test]
fn subjects_and_roles_of_bindings() {
    let account = || object("v1", "ServiceAccount", "sa", json!({}));
    let roles = || vec![object(RBAC, "Role", "r", json!({})), object(RBAC, "ClusterRole", "r", json!({}))];
    let subjects = json!([
        {"kind": "ServiceAccount", "name": "sa", "namespace": "y"}, {"kind": "User", "name": "sa"},
    ]);
    let made = fixed(prefixed(
        "p-",
        [vec![in_namespace("x", role_binding("Role", subjects)), in_namespace("y", account())], roles()].concat(),
    ));
    assert_eq!(made[0].body["roleRef"]["name"], "r");
    let expected = json!([
        {"kind": "ServiceAccount", "name": "p-sa", "namespace": "y"},
        {"kind": "User", "name": "p-sa", "namespace": "y"},
    ]);
    assert_eq!(made[0].body["subjects"], expected);

    let binding = role_binding("ClusterRole", json!([{"kind": "ServiceAccount", "name": "sa"}]));
    let [role, cluster_role] = <[Resource; 2]>::try_from(roles()).expect("two");
    let made = fixed([prefixed("p-", vec![binding, account(), role]), prefixed("q-", vec![cluster_role])].concat());
    assert_eq!(made[0].body["roleRef"]["name"], "q-r");
    assert_eq!(made[0].body["subjects"], json!([{"kind": "ServiceAccount", "name": "p-sa"}]));

    let subjects = json!([
        {"kind": "ServiceAccount", "name": "sa", "namespace": "old"},
        {"kind": "ServiceAccount", "name": "other", "namespace": "old"},
    ]);
    let old = vec![in_namespace("old", role_binding("Role", subjects)), in_namespace("old", account())];
    let made = fixed(within("new", prefixed("p-", old)));
    let expected = json!([
        {"kind": "ServiceAccount", "name": "p-sa", "namespace": "new"},
        {"kind": "ServiceAccount", "name": "other", "namespace": "old"},
    ]);
    assert_eq!(made[0].body["subjects"], expected);
}

#[test]
fn objects_without_namespace_reach_every_namespace() {
    let hooks = json!({"webhooks": [
        {"name": "a", "clientConfig": {"service": {"name": "s", "namespace": "n"}}},
        {"name": "b", "clientConfig": {"service": {"name": "s"}}},
        {"name": "c", "clientConfig": {"url": "x"}},
    ]});
    let hook = object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "w", hooks);
    let service = in_namespace("n", object("v1", "Service", "s", json!({})));
    let made = fixed(within("z", prefixed("p-", vec![hook, service])));
    for at in [0, 1] {
        let found = &made[0].body["webhooks"][at]["clientConfig"]["service"];
        assert_eq!(*found, json!({"name": "p-s", "namespace": "z"}), "{at}");
    }

    let rules = json!({"rules": [{"resourceNames": ["c", "s", "other", 5]}]});
    let made = fixed(prefixed(
        "p-",
        vec![object(RBAC, "ClusterRole", "cr", rules), config_map(), object("v1", "Secret", "s", json!({}))],
    ));
    assert_eq!(made[0].body["rules"][0]["resourceNames"], json!(["p-c", "p-s", "other", 5]));
}

#[test]
fn configured_fields_add_to_the_built_in_ones() {
    let references = |value: Value| -> Vec<NameReference> { serde_json::from_value(value).expect("references") };
    let fields = ["spec/ref", "spec/list", "spec/map"].map(|path| json!({"path": path, "kind": "Foo"}));
    let extra = references(json!([{"kind": "ConfigMap", "fieldSpecs": fields}]));
    let spec = json!({"ref": "c", "list": ["c", "d", {"name": "c"}, null], "map": {"name": "c", "other": 1}});
    let mut made = prefixed("p-", vec![config_map(), object("x/v1", "Foo", "foo", json!({"spec": spec})), pod()]);
    fix_names(&mut made, &extra, &Allowance::default()).expect("no fault");
    let expected =
        json!({"ref": "p-c", "list": ["p-c", "d", {"name": "p-c"}, null], "map": {"name": "p-c", "other": 1}});
    assert_eq!(made[1].body["spec"], expected);
    assert_eq!(volumes(&made), ["p-c"]);

    let known = json!({"path": "spec/volumes/configMap/name", "kind": "Pod", "version": "v1", "create": true});
    let extra = references(json!([{"kind": "ConfigMap", "version": "v1", "fieldSpecs": [known]}]));
    let error = fix_names(&mut [], &extra, &Allowance::default()).expect_err("known with create false");
    assert!(error.contains("spec/volumes/configMap/name"), "{error}");
}

#[test]
fn what_holds_no_name_is_refused() {
    for (resource, why) in [
        (role_binding("Role", json!([{"kind": "User"}])), "field subjects: the mapping has no name"),
        (
            role_binding("Role", json!([{"kind": "ServiceAccount", "name": "a", "namespace": null}])),
            "field subjects[0]: its namespace is no text",
        ),
        (role_binding("Role", json!(["text"])), "field subjects[0]: it is no mapping"),
        (role_binding("Role", json!([{"kind": 1, "namespace": "a"}])), "field subjects[0]: its kind is no text"),
        (object(RBAC, "ClusterRole", "r", json!({"rules": [{"resourceNames": [["c"]]}]})), "a list is in the list"),
        (object("v1", "Pod", "p", json!({"spec": "text"})), "is looked for in \"text\""),
    ] {
        let error = fix_names(&mut [resource], &[], &Allowance::default()).expect_err(why);
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn names_of_many_objects_are_looked_up() {
    // Of one name, each in its namespace: what a search through all would make 400 million steps.
    let mut resources = Vec::new();
    for at in 0..10_000 {
        let namespace = format!("n{at}");
        resources.extend(within(&namespace, prefixed("p-", vec![config_map(), pod()])));
    }
    assert_eq!(volumes(&fixed(resources)), vec!["p-c"; 10_000]);
}

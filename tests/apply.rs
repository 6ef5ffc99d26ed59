//! Plan and apply: the named cases, on a real API server.

use serde_json::Value;

use crate::lab::manifests::{config, deployment, greeting, web};
use crate::lab::{Lab, Repo, Tenant, condition_of, unique};

/// A definition of a kind `Gadget` in a group of the test's own.
fn definition(group: &str) -> String {
    format!(
        "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: gadgets.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: Gadget, plural: gadgets, singular: gadget, listKind: GadgetList}}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {{spec: {{type: object, properties: {{size: {{type: integer}}}}}}}}
"
    )
}

fn gadget(group: &str, size: u32) -> String {
    format!("apiVersion: {group}/v1\nkind: Gadget\nmetadata: {{name: one}}\nspec: {{size: {size}}}\n")
}

fn uid(object: &Value) -> String {
    object["metadata"]["uid"].as_str().expect("uid").to_owned()
}

#[test]
fn one_commit_brings_what_its_own_objects_need() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::admin(lab);
    let namespace = tenant.namespace.as_str();
    let group = format!("{}.example.com", unique("need"));
    let inner = unique("inner");
    repo.write("deploy/a-gadget.yaml", &gadget(&group, 1));
    repo.write(
        "deploy/b-content.yaml",
        &format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: in, namespace: {inner}}}\n"),
    );
    repo.write(
        "deploy/c-binding.yaml",
        &format!(
            "
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reader}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects: [{{kind: ServiceAccount, name: default, namespace: {namespace}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reader}}
rules: [{{apiGroups: [''], resources: [configmaps], verbs: [get]}}]
"
        ),
    );
    repo.write("deploy/y-namespace.yaml", &format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {inner}}}\n"));
    repo.write("deploy/z-definition.yaml", &definition(&group));
    let commit = repo.push("all at once");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &commit);
    let kind = format!("gadgets.{group}/one");
    assert_eq!(lab.get(namespace, &kind)["spec"]["size"], 1);
    lab.get(&inner, "configmap/in");
    lab.get(namespace, "rolebinding/reader");

    // The kind is watched, although its definition came in the same commit.
    lab.k(&["-n", namespace, "patch", &kind, "--type=merge", "-p", "{\"spec\": {\"size\": 7}}"]);
    lab.wait(namespace, &kind, |o| if o["spec"]["size"] == 1 { Ok(()) } else { Err(o["spec"].to_string()) });
}

#[test]
fn a_webhook_comes_last_and_one_that_cannot_be_asked_is_waited_for() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::admin(lab);
    let namespace = tenant.namespace.as_str();
    let group = format!("{}.example.com", unique("hook"));
    let webhook = format!(
        "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: {group}}}
webhooks:
- name: check.{group}
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 1
  clientConfig: {{service: {{name: check, namespace: {namespace}, path: /}}}}
  rules: [{{apiGroups: ['{group}'], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [gadgets]}}]
"
    );
    repo.write("deploy/a.yaml", &webhook);
    repo.write("deploy/b.yaml", &gadget(&group, 1));
    repo.write("deploy/c.yaml", &definition(&group));
    repo.write("deploy/d.yaml", &deployment("check", "replicas: 1", "registry.example.com/check:1"));
    repo.write("deploy/e.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: check}\nspec: {selector: {app: check}, ports: [{port: 443}]}\n");
    let first = repo.push("definition, webhook, its Deployment and an object");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    let kind = format!("gadgets.{group}/one");
    assert_eq!(lab.get(namespace, &kind)["spec"]["size"], 1);
    lab.get("", &format!("validatingwebhookconfiguration/{group}"));

    repo.write("deploy/b.yaml", &gadget(&group, 2));
    repo.push("nobody answers the webhook");
    tenant.wait_message("sync", "Ready", &["webhook", &format!("check.{group}")]);
    assert_eq!(lab.get(namespace, &kind)["spec"]["size"], 1);

    // The webhook goes before what it guards, or neither would ever move.
    repo.write("deploy/b.yaml", &gadget(&group, 3));
    repo.remove("deploy/a.yaml");
    let third = repo.push("without the webhook");
    tenant.wait_applied("sync", &third);
    assert_eq!(lab.get(namespace, &kind)["spec"]["size"], 3);
    lab.wait_absent("", &format!("validatingwebhookconfiguration/{group}"));
}

/// With `ApplyRest` there is no dry-run: the apply itself finds the webhook in the way.
#[test]
fn a_webhook_that_leaves_and_cannot_be_asked_holds_up_no_rest() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::admin(lab);
    let namespace = tenant.namespace.as_str();
    let name = unique("guard");
    let webhook = format!(
        "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: {name}}}
webhooks:
- name: check.{name}.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 1
  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}
  clientConfig: {{service: {{name: nobody, namespace: {namespace}, path: /}}}}
  rules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}}]
"
    );
    repo.write("deploy/a.yaml", &webhook);
    repo.write("deploy/b.yaml", &config("one", "{a: '1'}"));
    let first = repo.push("a ConfigMap and its guard");
    tenant.deploy(&repo, "onInvalid: ApplyRest");
    tenant.wait_applied("sync", &first);
    repo.write("deploy/b.yaml", &config("one", "{a: '2'}"));
    repo.remove("deploy/a.yaml");
    let second = repo.push("the guard leaves, and what it guards changes");
    tenant.wait_applied("sync", &second);
    assert_eq!(lab.get(namespace, "configmap/one")["data"]["a"], "2");
}

#[test]
fn an_autoscaler_keeps_the_replicas_and_its_version_can_rise() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let scaler = |version: &str, target: &str| {
        format!(
            "apiVersion: autoscaling/{version}\nkind: HorizontalPodAutoscaler\nmetadata: {{name: web}}\nspec:\n  \
             scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}\n  minReplicas: 1\n  maxReplicas: 9\n  {target}\n"
        )
    };
    let image = |tag: u32| format!("registry.example.com/web:{tag}");
    repo.write("deploy/web.yaml", &deployment("web", "replicas: 2", &image(1)));
    repo.write("deploy/scaler.yaml", &scaler("v1", "targetCPUUtilizationPercentage: 50"));
    let first = repo.push("web with an autoscaler");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    assert_eq!(lab.get(namespace, "deployment/web")["spec"]["replicas"], 2, "set at creation");
    let before = uid(&lab.get(namespace, "hpa/web"));

    lab.k(&["-n", namespace, "scale", "deployment/web", "--replicas=4"]);
    repo.write("deploy/web.yaml", &deployment("web", "replicas: 2", &image(2)));
    let metrics =
        "metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]";
    repo.write("deploy/scaler.yaml", &scaler("v2", metrics));
    let second = repo.push("another image, and the newer version of the autoscaler's kind");
    tenant.wait_applied("sync", &second);
    let web = lab.get(namespace, "deployment/web");
    assert_eq!(web["spec"]["template"]["spec"]["containers"][0]["image"], image(2).as_str());
    assert_eq!(web["spec"]["replicas"], 4, "scaled by others");
    let after = lab.get(namespace, "hpa/web");
    assert_eq!(uid(&after), before, "neither deleted nor created");
    let writes = tenant.writes(&second);
    assert!(!writes.iter().any(|write| write.starts_with("delete")), "{writes:?}");

    // Scaling is no drift: a commit that changes nothing writes nothing.
    let third = repo.push("nothing");
    lab.wait(namespace, "repository/repo", |object| match object["status"]["revision"].as_str() {
        Some(revision) if revision.ends_with(&third) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(lab.get(namespace, "deployment/web")["spec"]["replicas"], 4);
    assert_eq!(tenant.writes(&third), Vec::<String>::new());
}

#[test]
fn a_field_of_another_manager_is_taken_over_and_told_or_kept() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let theirs = |name: &str| {
        let object = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata: {{a: theirs, b: theirs}}\n"
        );
        lab.apply_as("some-operator", &object);
    };
    theirs("taken");
    theirs("kept");
    let kept = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, annotations: {tandemcd.io/conflict: Keep}}\ndata: {a: ours, c: ours}\n";
    repo.write("deploy/all.yaml", &(config("taken", "{a: ours}") + kept));
    let commit = repo.push("both want it");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &commit);
    assert_eq!(lab.get(namespace, "configmap/taken")["data"], serde_json::json!({"a": "ours", "b": "theirs"}));
    assert_eq!(
        lab.get(namespace, "configmap/kept")["data"],
        serde_json::json!({"a": "theirs", "b": "theirs", "c": "ours"})
    );
    lab.wait_event(namespace, "FieldsTakenOver", &["taken", "some-operator", "data.a"]);
}

#[test]
fn what_others_deployed_is_adopted_so_that_a_field_dropped_from_git_goes() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let managers = ["helm", "kustomize-controller", "argocd-controller", "kubectl"];
    let object = |name: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata: {{keep: '1', drop: '1'}}\n"
        )
    };
    for manager in managers {
        lab.apply_as(manager, &object(manager));
    }
    lab.apply(&object("client-side"));
    let names: Vec<&str> = managers.into_iter().chain(["client-side"]).collect();
    repo.write("deploy/all.yaml", &names.iter().map(|name| config(name, "{keep: '1'}")).collect::<String>());
    let commit = repo.push("without the field");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &commit);
    for name in names {
        let found = lab.get(namespace, &format!("configmap/{name}"));
        assert_eq!(found["data"], serde_json::json!({"keep": "1"}), "{name}: {found:#}");
        let last_applied = &found["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
        assert!(last_applied.is_null(), "{name}: {last_applied}");
    }
}

#[test]
fn what_a_dump_of_the_cluster_holds_is_harmless_in_git() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write(
        "deploy/all.yaml",
        "
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {user: anna}
data: {odd: YR==}
---
apiVersion: v1
kind: Service
metadata:
  name: web
  uid: 00000000-0000-0000-0000-000000000000
  resourceVersion: '1'
  generation: 4
  creationTimestamp: '2020-01-01T00:00:00Z'
  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{}'}
  managedFields: [{manager: x, operation: Apply, apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {}}]
spec: {selector: {app: web}, ports: [{port: 80, name: http}, {port: 80, protocol: UDP, name: quic}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}
",
    );
    let first = repo.push("a dump");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    let secret = lab.get(namespace, "secret/login");
    assert_eq!(secret["data"]["user"], "YW5uYQ==");
    // Bits that belong to no byte are dropped, as the API server does it.
    lab.apply(&format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: theirs, namespace: {namespace}}}, data: {{odd: YR==}}}}"
    ));
    assert_eq!(lab.get(namespace, "secret/theirs")["data"], serde_json::json!({"odd": "YQ=="}));
    assert_eq!(secret["data"]["odd"], "YQ==");
    let service = lab.get(namespace, "service/web");
    assert_ne!(service["metadata"]["uid"], "00000000-0000-0000-0000-000000000000");
    assert!(service["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"].is_null());
    assert_eq!(service["spec"]["ports"][0]["protocol"], "TCP");
    assert_eq!(service["status"]["loadBalancer"], serde_json::json!({}));
    // None of it is drift: another object changes, and these cost nothing.
    repo.write("deploy/more.yaml", &config("more", "{a: b}"));
    let second = repo.push("more");
    tenant.wait_applied("sync", &second);
    assert_eq!(tenant.writes(&second), ["patch configmaps/more"]);

    repo.write("deploy/more.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: more-\n");
    repo.push("no name");
    tenant.wait_message("sync", "Ready", &["deploy/more.yaml:", "generateName"]);
}

#[test]
fn an_immutable_field_is_named_and_forced_only_where_git_says_so() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let web = |label: &str, more: &str, image: &str| {
        deployment("web", "replicas: 1", image)
            .replace("app: web", &format!("app: {label}"))
            .replace("{name: web}\nspec", &format!("{{name: web{more}}}\nspec"))
    };
    let force = ", annotations: {tandemcd.io/force: enabled}";
    let image = "registry.example.com/web:1";
    repo.write("deploy/web.yaml", &web("one", "", image));
    let first = repo.push("web");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    let before = uid(&lab.get(namespace, "deployment/web"));

    repo.write("deploy/web.yaml", &web("two", "", image));
    repo.push("another selector");
    let refused = tenant.wait_message("sync", "Ready", &["deploy/web.yaml:", "tandemcd.io/force"]);
    assert_eq!(refused["status"]["problems"][0]["rule"], "ImmutableField", "{:#}", refused["status"]);
    assert_eq!(uid(&lab.get(namespace, "deployment/web")), before);

    // An ordinary mistake is no reason to delete anything, whatever Git permits.
    repo.write("deploy/web.yaml", &web("one", force, image).replace("replicas: 1", "replicas: -1"));
    repo.push("a mistake");
    let refused = tenant.wait_message("sync", "Ready", &["spec.replicas"]);
    assert_ne!(refused["status"]["problems"][0]["rule"], "ImmutableField", "{:#}", refused["status"]);
    assert_eq!(uid(&lab.get(namespace, "deployment/web")), before);

    repo.write("deploy/web.yaml", &web("two", force, image));
    let fourth = repo.push("another selector, by force");
    tenant.wait_applied("sync", &fourth);
    let after = lab.get(namespace, "deployment/web");
    assert_ne!(uid(&after), before);
    assert_eq!(after["spec"]["selector"]["matchLabels"]["app"], "two");

    // The same without asking first for everything.
    tenant.sync("sync", "deploy", "onInvalid: ApplyRest");
    repo.write("deploy/web.yaml", &web("three", force, image));
    let fifth = repo.push("and another");
    tenant.wait_applied("sync", &fifth);
    assert_ne!(uid(&lab.get(namespace, "deployment/web")), uid(&after));
    repo.write("deploy/web.yaml", &web("four", "", image));
    repo.push("without force");
    let refused = tenant.wait_message("sync", "Ready", &["deploy/web.yaml:", "tandemcd.io/force"]);
    assert_eq!(refused["status"]["problems"][0]["rule"], "ImmutableField", "{:#}", refused["status"]);
}

#[test]
fn fields_and_objects_are_left_to_others_where_git_or_the_spec_says_so() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let bare = |name: &str, annotation: &str, data: &str| {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: {{{annotation}}}}}\ndata: {data}\n"
        )
    };
    lab.apply_as(
        "somebody",
        &format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: there, namespace: {namespace}}}\ndata: {{a: theirs}}\n"
        ),
    );
    let all = |b: &str| {
        config("injected", &format!("{{ca: '', b: '{b}'}}"))
            + &bare("there", "tandemcd.io/apply: IfNotPresent", "{a: ours}")
            + &bare("absent", "tandemcd.io/apply: IfNotPresent", "{a: ours}")
            + &bare("stays", "tandemcd.io/prune: disabled", "{a: ours}")
    };
    repo.write("deploy/all.yaml", &all("1"));
    let first = repo.push("first");
    tenant.deploy(&repo, "ignore: [{target: {kind: ConfigMap, name: injected}, paths: [/data/ca]}]");
    tenant.wait_applied("sync", &first);
    assert_eq!(lab.get(namespace, "configmap/there")["data"]["a"], "theirs");
    assert_eq!(lab.get(namespace, "configmap/absent")["data"]["a"], "ours");

    lab.k(&[
        "-n",
        namespace,
        "patch",
        "configmap",
        "injected",
        "--field-manager=injector",
        "-p",
        "{\"data\": {\"ca\": \"PEM\"}}",
    ]);
    lab.k(&["-n", namespace, "patch", "configmap", "absent", "-p", "{\"data\": {\"a\": \"edited\"}}"]);
    repo.write("deploy/all.yaml", &all("2"));
    let second = repo.push("another field");
    tenant.wait_applied("sync", &second);
    assert_eq!(lab.get(namespace, "configmap/injected")["data"], serde_json::json!({"ca": "PEM", "b": "2"}));
    assert_eq!(lab.get(namespace, "configmap/absent")["data"]["a"], "edited");
    assert_eq!(tenant.writes(&second), ["patch configmaps/injected"]);

    repo.write("deploy/all.yaml", &config("injected", "{ca: '', b: '2'}"));
    let third = repo.push("the rest leaves");
    tenant.wait_applied("sync", &third);
    lab.wait_absent(namespace, "configmap/absent");
    assert_eq!(lab.get(namespace, "configmap/stays")["data"]["a"], "ours");
}

/// Who may change an object in the cluster does not thereby take it out of Git's hands.
#[test]
fn annotations_that_steer_count_only_from_git() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/keep.yaml", &config("keep", "{a: ours}"));
    repo.write("deploy/all.yaml", &(config("one", "{a: ours}") + &config("two", "{a: ours}")));
    let first = repo.push("first");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    let steer = ["reconcile=disabled", "prune=disabled", "conflict=Keep", "apply=IfNotPresent"];
    let steer = steer.map(|steer| format!("tandemcd.io/{steer}"));
    let steer: Vec<&str> = steer.iter().map(String::as_str).collect();
    // By a person, and by a program of which nothing is known.
    for (name, manager) in [("one", "kubectl-annotate"), ("two", "some-program")] {
        let by = format!("--field-manager={manager}");
        lab.k(&[&["-n", namespace, "annotate", "configmap", name, &by], &steer[..]].concat());
        let patch = "{\"data\": {\"a\": \"by hand\"}}";
        lab.k(&["-n", namespace, "patch", "configmap", name, &by, "-p", patch]);
        lab.wait(namespace, &format!("configmap/{name}"), |object| match object["data"]["a"].as_str() {
            Some("ours") => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
    lab.wait(namespace, "configmap/one", |object| {
        let annotations = object["metadata"]["annotations"].to_string();
        if steer.iter().any(|s| annotations.contains(s.split_once('=').map_or(*s, |(key, _)| key))) {
            return Err(annotations);
        }
        Ok(())
    });
    repo.remove("deploy/all.yaml");
    let second = repo.push("both leave");
    tenant.wait_applied("sync", &second);
    lab.wait_absent(namespace, "configmap/one");
    lab.wait_absent(namespace, "configmap/two");
}

#[test]
fn an_object_of_two_syncs_stays_with_the_first_and_moves_without_a_gap() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("one/x.yaml", &config("x", "{from: one}"));
    repo.write("one/wanted.yaml", &config("wanted", "{from: one}"));
    repo.write("two/z.yaml", &config("z", "{from: two}"));
    let first = repo.push("two folders");
    tenant.repository("repo", &repo);
    tenant.sync("one", "one", "");
    tenant.sync("two", "two", "");
    tenant.wait_applied("one", &first);
    tenant.wait_applied("two", &first);
    let before = uid(&lab.get(namespace, "configmap/x"));

    repo.git(&["mv", "one/x.yaml", "two/x.yaml"]);
    let second = repo.push("x moves");
    tenant.wait_applied("two", &second);
    tenant.wait_applied("one", &second);
    let moved = lab.get(namespace, "configmap/x");
    assert_eq!(uid(&moved), before, "never absent");
    let owner = moved["metadata"]["annotations"]["tandemcd.io/owner"].as_str();
    assert_eq!(owner, Some(format!("lab/{namespace}/two").as_str()));
    let deleted = tenant.writes(&second);
    assert!(!deleted.iter().any(|write| write.starts_with("delete")), "{deleted:?}");

    repo.write("two/wanted.yaml", &config("wanted", "{from: two}"));
    repo.push("two wants what one has");
    tenant.wait_message("two", "Ready", &["two/wanted.yaml:", &format!("{namespace}/one")]);
    lab.wait_event(namespace, "ClaimedByAnother", &["ConfigMap", "wanted", &format!("{namespace}/two")]);
    assert_eq!(lab.get(namespace, "configmap/wanted")["data"]["from"], "one");
}

#[test]
fn one_bad_object_holds_all_and_every_problem_is_named() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    repo.write("deploy/a.yaml", &(config("a", "{v: '1'}") + &config("b", "{v: '1'}")));
    let first = repo.push("good");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);

    repo.write("deploy/a.yaml", &(config("a", "{v: '2'}") + &config("b", "{v: '2'}") + &config("c", "{v: '2'}")));
    repo.write("deploy/bad.yaml", &(deployment("bad", "replicas: -1", "x") + &deployment("worse", "replcas: 1", "x")));
    repo.write(
        "deploy/ugly.yaml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: ugly}\nspec: {ports: [{port: 99999}]}\n",
    );
    let second = repo.push("three bad ones among good ones");
    let words = ["deploy/bad.yaml:2", "and 2 more problems"];
    let held = tenant.wait_message("sync", "Ready", &words);
    let problems = held["status"]["problems"].as_array().expect("problems").clone();
    let places: Vec<_> = problems.iter().filter_map(|p| p["at"].as_str()).collect();
    assert_eq!(places, ["deploy/bad.yaml:2", "deploy/bad.yaml:12", "deploy/ugly.yaml:1"], "{problems:#?}");
    for problem in &problems {
        assert!(problem["object"].as_str().is_some_and(|o| !o.is_empty()), "{problem:#}");
    }
    assert_eq!(condition_of(&held, "Ready").expect("Ready")["status"], "False");
    assert_eq!(tenant.writes(&second), Vec::<String>::new(), "nothing was sent");
    let mut status = crate::lab::tandem();
    let told = status.args(["status", "sync/sync", "-n", namespace, "--kubeconfig"]).arg(lab.kubeconfig()).output();
    let told = crate::lab::both(&told.expect("tandem runs"));
    for place in places {
        assert!(told.contains(place), "{place} in:\n{told}");
    }

    // What is found at an earlier stage does not hide what a later one finds.
    repo.write("deploy/broken.yaml", "{ this: is: not YAML\n");
    repo.write("deploy/kind.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d, namespace: elsewhere, annotations: {tandemcd.io/prune: never}}\n");
    let third = repo.push("a file that cannot be read, and a word that says nothing");
    let held = tenant.wait_reason("sync", "Ready", "BuildFailed");
    let problems = held["status"]["problems"].as_array().expect("problems");
    let rules: Vec<_> = problems.iter().filter_map(|p| p["at"].as_str()?.split(':').next()).collect();
    let files = ["deploy/bad.yaml", "deploy/bad.yaml", "deploy/broken.yaml", "deploy/kind.yaml", "deploy/ugly.yaml"];
    assert_eq!(rules, files, "{problems:#?}");
    assert_eq!(tenant.writes(&third), Vec::<String>::new(), "nothing was sent");
    repo.remove("deploy/broken.yaml");
    repo.remove("deploy/kind.yaml");
    repo.push("three again");
    tenant.wait_message("sync", "Ready", &words);

    tenant.sync("sync", "deploy", "onInvalid: ApplyRest");
    lab.wait(namespace, "configmap/c", |_| Ok(()));
    lab.wait(namespace, "configmap/a", |o| if o["data"]["v"] == "2" { Ok(()) } else { Err(o["data"].to_string()) });
    let rest = tenant.wait_message("sync", "Ready", &words);
    assert_eq!(condition_of(&rest, "Ready").expect("Ready")["status"], "False", "{rest:#}");
    assert!(lab.absent(namespace, "deployment/bad"));
}

#[test]
fn a_commit_that_changes_one_object_of_many_sends_one_write() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let all = |changed: u32| {
        let value = |n: u32| if n == changed { "new" } else { "old" };
        (0..60).map(|n| config(&format!("c{n}"), &format!("{{v: {}}}", value(n)))).collect::<String>()
    };
    repo.write("deploy/all.yaml", &all(1000));
    let first = repo.push("sixty");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    assert_eq!(tenant.writes(&first).len(), 60);
    repo.write("deploy/all.yaml", &all(17));
    let second = repo.push("one of them");
    tenant.wait_applied("sync", &second);
    assert_eq!(tenant.writes(&second), ["patch configmaps/c17"]);
    // Reads and dry-runs as well: the object's own dry-run and write, and nothing for the others.
    let objects = lab.audit(&second, |e| {
        e["userAgent"].as_str().is_some_and(|agent| agent.contains(&second))
            && e["objectRef"]["resource"] == "configmaps"
            && e["objectRef"]["namespace"] == tenant.namespace.as_str()
    });
    assert_eq!(objects.len(), 2, "{objects:#?}");
}

/// What is created anew may take long to go: nothing else waits for that, also not a newer commit of the same Sync.
#[test]
fn an_object_that_is_slow_to_go_before_it_is_created_anew_holds_nothing_else_up() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let tenant = Tenant::new(lab);
    let namespace = tenant.namespace.as_str();
    let forced = |app: &str| {
        let metadata = "{name: web, annotations: {tandemcd.io/force: enabled}, finalizers: [example.com/slow]}";
        web().replacen("{name: web}", metadata, 1).replace("app: web", &format!("app: {app}"))
    };
    repo.write("deploy/web.yaml", &forced("one"));
    repo.write("deploy/config.yaml", &greeting("hello"));
    let first = repo.push("first");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    let before = uid(&lab.get(namespace, "deployment/web"));

    repo.write("deploy/web.yaml", &forced("two"));
    repo.push("another selector");
    lab.wait(namespace, "deployment/web", |object| match object["metadata"]["deletionTimestamp"].as_str() {
        Some(_) => Ok(()),
        None => Err("it is not deleted".to_owned()),
    });
    repo.write("deploy/config.yaml", &greeting("good morning"));
    let third = repo.push("and another greeting");
    lab.wait(namespace, "configmap/web", |object| match object["data"]["greeting"].as_str() {
        Some("good morning") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(uid(&lab.get(namespace, "deployment/web")), before, "it waits for its finalizer still");
    let patch = "{\"metadata\": {\"finalizers\": null}}";
    lab.k(&["-n", namespace, "patch", "deployment", "web", "--type=merge", "-p", patch]);
    tenant.wait_applied("sync", &third);
    let after = lab.get(namespace, "deployment/web");
    assert_ne!(uid(&after), before);
    assert_eq!(after["spec"]["selector"]["matchLabels"]["app"], "two");
    let told = lab.k(&["-n", namespace, "get", "events", "-o", "jsonpath={.items[*].message}"]);
    assert!(!told.contains("deleted by"), "{told}");
}

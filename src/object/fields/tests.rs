use super::*;

fn key() -> DigestKey {
    DigestKey::new(*b"key")
}

/// A Deployment as the API server answered our apply.
fn applied() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "web", "namespace": "shop", "resourceVersion": "7",
            "labels": {"app": "web"},
            "annotations": {"deployment.kubernetes.io/revision": "1"},
            "managedFields": [
                {"manager": "tandem", "operation": "Apply", "apiVersion": "apps/v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:metadata": {"f:labels": {"f:app": {}}}, "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
                    "k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}, "f:args": {}}}}}}}},
                {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "apps/v1", "time": "2026-01-01T00:00:05Z", "subresource": "status",
                 "fieldsV1": {"f:status": {"f:replicas": {}}, "f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}}},
            ],
        },
        "spec": {"replicas": 2, "paused": false, "template": {"spec": {"containers": [{"name": "web", "image": "w:1", "args": ["a"], "tty": false}]}}},
        "status": {"replicas": 2},
    })
}

fn print(object: &Value, yields: &Yields) -> Option<Digest> {
    fingerprint(&key(), object, yields, &Managers::default())
}

fn by(object: &mut Value, manager: &str, fields: Value) {
    let entry = json!({"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "time": "2026-01-02T00:00:00Z", "fieldsV1": fields});
    object["metadata"]["managedFields"].as_array_mut().expect("a list").push(entry);
}

/// Changes that are drift, and changes that are none.
#[test]
fn the_fingerprint_changes_with_our_fields_and_with_hands_alone() {
    let before = print(&applied(), &Yields::none());
    assert!(before.is_some());
    let check = |what: &str, same: bool, edit: &dyn Fn(&mut Value)| {
        let mut object = applied();
        edit(&mut object);
        assert_eq!(print(&object, &Yields::none()) == before, same, "{what}");
    };
    check("status", true, &|o| o["status"]["replicas"] = 1.into());
    check("resourceVersion", true, &|o| o["metadata"]["resourceVersion"] = "8".into());
    check("a defaulted field", true, &|o| o["spec"]["paused"] = true.into());
    check("time of our entry", true, &|o| o["metadata"]["managedFields"][0]["time"] = "2026-02-02T00:00:00Z".into());
    check("a controller's annotation", true, &|o| {
        o["metadata"]["annotations"]["x"] = "y".into();
        by(o, "some-controller", json!({"f:metadata": {"f:annotations": {"f:x": {}}}}));
    });
    check("our value", false, &|o| o["spec"]["template"]["spec"]["containers"][0]["image"] = "w:2".into());
    check("an item of our list", false, &|o| {
        o["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["a", "b"])
    });
    check("a claim of ours gone", false, &|o| {
        o["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
            .as_object_mut()
            .expect("a mapping")
            .remove("f:replicas");
    });
    check("another container before ours", true, &|o| {
        let containers = o["spec"]["template"]["spec"]["containers"].as_array_mut().expect("a list");
        containers.insert(0, json!({"name": "sidecar", "image": "s"}));
        by(
            o,
            "injector",
            json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"sidecar\"}": {}}}}}}),
        );
    });
    check("kubectl edit adds a field", false, &|o| {
        o["spec"]["minReadySeconds"] = 9.into();
        by(o, "kubectl-edit", json!({"f:spec": {"f:minReadySeconds": {}}}));
    });
    check("Lens adds a label", false, &|o| {
        o["metadata"]["labels"]["mine"] = "1".into();
        by(o, "Lens", json!({"f:metadata": {"f:labels": {"f:mine": {}}}}));
    });
    check("kubectl rollout restart", true, &|o| {
        o["spec"]["template"]["metadata"] = json!({"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}});
        by(
            o,
            "kubectl-rollout",
            json!({"f:spec": {"f:template": {"f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}}}}}),
        );
    });
    check("kubectl owns what we own too", true, &|o| by(o, "kubectl", json!({"f:spec": {"f:replicas": {}}})));
}

#[test]
fn without_our_entry_there_is_no_fingerprint() {
    let mut object = applied();
    object["metadata"]["managedFields"].as_array_mut().expect("a list").remove(0);
    assert_eq!(print(&object, &Yields::none()), None);
    assert_eq!(ours(&object), None);
    object["metadata"].as_object_mut().expect("a mapping").remove("managedFields");
    assert_eq!(print(&object, &Yields::none()), None);
}

#[test]
fn what_is_left_to_others_takes_no_part() {
    let yields = Yields::none().and_replicas();
    let before = print(&applied(), &yields);
    let mut scaled = applied();
    scaled["spec"]["replicas"] = 9.into();
    assert_ne!(print(&scaled, &Yields::none()), print(&applied(), &Yields::none()));
    assert_eq!(print(&scaled, &yields), before);
    // The autoscaler's first write takes our claim away.
    scaled["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
        .as_object_mut()
        .expect("a mapping")
        .remove("f:replicas");
    assert_eq!(print(&scaled, &yields), before);
}

/// The Deployment after somebody has set its replicas through the scale subresource, which takes our claim away.
fn scaled(manager: &str, replicas: u32) -> Value {
    let mut object = applied();
    object["spec"]["replicas"] = replicas.into();
    let ours = object["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"].as_object_mut().expect("a mapping");
    ours.remove("f:replicas");
    by(&mut object, manager, json!({"f:spec": {"f:replicas": {}}}));
    let entries = object["metadata"]["managedFields"].as_array_mut().expect("a list");
    entries.last_mut().expect("an entry")["subresource"] = "scale".into();
    object
}

#[test]
fn what_an_autoscaler_sets_is_left_to_it_until_a_hand_sets_it() {
    let none = Yields::none();
    let at_five = print(&scaled("kube-controller-manager", 5), &none);
    assert_ne!(at_five, print(&applied(), &none), "that it has taken over is news");
    assert_eq!(at_five, print(&scaled("kube-controller-manager", 9), &none), "what it sets then is none");
    assert_ne!(at_five, print(&scaled("kubectl", 9), &none), "a hand takes it away again");
    let mut both = scaled("kubectl", 3);
    by(&mut both, "kube-controller-manager", json!({"f:spec": {"f:paused": {}}}));
    for (object, expected) in [
        (scaled("kube-controller-manager", 5), true),
        (scaled("kubectl", 5), false),
        (scaled("kube-controller-manager-2", 5), false),
        // What it writes of the status, and another field, are no scaling.
        (applied(), false),
        (both, false),
    ] {
        assert_eq!(autoscaled(&object), expected, "{object}");
        let left = Yields::none().over(&object).into_owned();
        assert_eq!(left == Yields::none().and_replicas(), expected);
    }
}

#[test]
fn adoption_does_not_claim_what_an_autoscaler_sets() {
    let claims = |object: &Value| {
        let patch = adopt_patch(object, &Yields::none(), &Managers::default()).expect("a patch");
        ours(&patched(object, &patch)).expect("our entry").touches(&["spec", "replicas"].map(str::to_owned), object)
    };
    for (manager, expected) in [("kube-controller-manager", false), ("kubectl", true)] {
        let mut object = scaled(manager, 5);
        let fields = json!({"f:spec": {"f:replicas": {}, "f:paused": {}}});
        by(&mut object, "kubectl-client-side-apply", fields);
        assert_eq!(claims(&object), expected, "{manager}");
    }
}

#[test]
fn the_author_is_the_newest_other_owner_of_a_field_we_want() {
    let wanted = json!({"apiVersion": "apps/v1", "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "w:1"}]}}}});
    assert_eq!(author(&applied(), &wanted), None, "the controller owns nothing that we want");
    let mut object = applied();
    by(&mut object, "kubectl-label", json!({"f:metadata": {"f:labels": {"f:x": {}}}}));
    assert_eq!(author(&object, &wanted), None);
    assert_eq!(last_hand(&object, &Managers::default()).as_deref(), Some("kubectl-label"));
    by(&mut object, "kubectl-scale", json!({"f:spec": {"f:replicas": {}}}));
    assert_eq!(author(&object, &wanted).as_deref(), Some("kubectl-scale"));
    object["metadata"]["managedFields"][3]["time"] = "2025-01-01T00:00:00Z".into();
    assert_eq!(author(&object, &wanted), None, "what is older than our apply did not change it");
    let mut by_scale = scaled("kubectl", 9);
    let entry = by_scale["metadata"]["managedFields"].as_array_mut().and_then(|all| all.last_mut()).expect("an entry");
    entry.as_object_mut().expect("a mapping").remove("time");
    assert_eq!(author(&by_scale, &wanted).as_deref(), Some("kubectl"), "the first of its kind has no time");
}

fn patched(object: &Value, patch: &json_patch::Patch) -> Value {
    let mut object = object.clone();
    json_patch::patch(&mut object, patch).expect("the patch fits");
    object
}

#[test]
fn kubectl_is_adopted_by_one_guarded_patch() {
    let mut object = applied();
    object["metadata"]["managedFields"].as_array_mut().expect("a list").remove(0);
    object["metadata"]["annotations"][LAST_APPLIED] = "{}".into();
    by(
        &mut object,
        "kubectl-client-side-apply",
        json!({
        "f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}}, "f:labels": {"f:old": {}}},
        "f:spec": {"f:replicas": {}}}),
    );
    by(&mut object, "helm", json!({"f:spec": {"f:paused": {}}}));
    by(&mut object, "istio", json!({"f:spec": {"f:x": {}}}));
    let patch = adopt_patch(&object, &Yields::none(), &Managers::default()).expect("a patch");
    let after = patched(&object, &patch);
    assert_eq!(
        ours(&after).expect("our entry").write(),
        json!({"f:metadata": {"f:annotations": {}, "f:labels": {"f:old": {}}}, "f:spec": {"f:replicas": {}, "f:paused": {}}})
    );
    let managers: Vec<_> = entries(&after).iter().map(|entry| entry.manager.to_owned()).collect();
    assert_eq!(managers, ["kube-controller-manager", "istio", "tandem"]);
    assert!(after["metadata"]["annotations"].get(LAST_APPLIED).is_none());
    let guard = serde_json::to_value(&patch).expect("JSON");
    assert!(
        guard
            .as_array()
            .expect("a list")
            .contains(&json!({"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}))
    );
    assert_eq!(adopt_patch(&after, &Yields::none(), &Managers::default()), None, "once is enough");
}

#[test]
fn adoption_leaves_others_what_is_theirs() {
    let mut object = applied();
    by(
        &mut object,
        "kubectl-rollout",
        json!({"f:spec": {"f:template": {"f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}}}}}),
    );
    by(
        &mut object,
        "kubectl-edit",
        json!({"f:spec": {"f:minReadySeconds": {}, "f:replicas": {}}, "f:status": {"f:x": {}}}),
    );
    let yields = Yields::none().and_replicas();
    let after = patched(&object, &adopt_patch(&object, &yields, &Managers::default()).expect("a patch"));
    let left: Vec<_> = entries(&after)
        .iter()
        .filter(|entry| entry.manager.starts_with("kubectl"))
        .map(|entry| entry.fields_v1.clone())
        .collect();
    assert_eq!(
        left,
        [
            json!({"f:spec": {"f:template": {"f:metadata": {"f:annotations": {"f:kubectl.kubernetes.io/restartedAt": {}}}}}}),
            json!({"f:spec": {"f:replicas": {}}, "f:status": {"f:x": {}}}),
        ]
    );
    assert_eq!(adopt_patch(&after, &yields, &Managers::default()), None);
    assert_eq!(adopt_patch(&applied(), &yields, &Managers::default()), None, "nothing to adopt");
}

#[test]
fn configured_deployers_are_adopted_too() {
    let mut object = applied();
    by(&mut object, "our-old-deployer", json!({"f:spec": {"f:paused": {}}}));
    assert_eq!(adopt_patch(&object, &Yields::none(), &Managers::default()), None);
    let managers = Managers::default().and_deployers(&["our-old-*".to_owned()]);
    assert!(adopt_patch(&object, &Yields::none(), &managers).is_some());
}

#[test]
fn an_entry_of_another_version_gives_only_what_the_object_has() {
    let mut object = applied();
    let entry = json!({"manager": "kubectl", "operation": "Apply", "apiVersion": "apps/v1beta1", "fieldsV1": {"f:spec": {"f:paused": {}, "f:rollbackTo": {}}}});
    object["metadata"]["managedFields"].as_array_mut().expect("a list").push(entry);
    let after = patched(&object, &adopt_patch(&object, &Yields::none(), &Managers::default()).expect("a patch"));
    let ours = ours(&after).expect("our entry").write();
    assert_eq!(ours["f:spec"]["f:paused"], json!({}));
    assert!(ours["f:spec"].get("f:rollbackTo").is_none());
}

#[test]
fn kubectl_scale_has_an_author() {
    let mut object = applied();
    let scale = json!({"manager": "kubectl", "operation": "Update", "apiVersion": "apps/v1", "subresource": "scale",
        "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}}}});
    object["metadata"]["managedFields"].as_array_mut().expect("a list").push(scale);
    assert_eq!(author(&object, &json!({"spec": {"replicas": 2}})).as_deref(), Some("kubectl"));
    assert_eq!(last_hand(&object, &Managers::default()).as_deref(), Some("kubectl"));
}

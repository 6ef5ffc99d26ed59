//! What is filled in; that it is what an API server fills in is asked of one.

use super::*;

#[test]
fn what_is_written_stays_and_what_is_strange_is_left_alone() {
    let whole = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": 0, "strategy": {"type": "Recreate"}, "template": {"spec": {"restartPolicy": "Never",
        "containers": [{"name": "a", "image": "a:1", "imagePullPolicy": "Never"}]}}}});
    let done = filled("apps/v1", "Deployment", &whole, None);
    for (pointer, value) in [
        ("/spec/replicas", json!(0)),
        ("/spec/strategy", json!({"type": "Recreate"})),
        ("/spec/template/spec/restartPolicy", json!("Never")),
        ("/spec/template/spec/containers/0/imagePullPolicy", json!("Never")),
        ("/spec/progressDeadlineSeconds", json!(600)),
    ] {
        assert_eq!(done.pointer(pointer), Some(&value), "{pointer}");
    }
    assert_eq!(filled("apps/v1", "Deployment", &done, None), done, "filling in twice is filling in once");
    for strange in [
        json!("text"),
        json!({"spec": []}),
        json!({"spec": {"template": "x", "strategy": 1}}),
        json!({"spec": {"template": {"spec": {"containers": {"a": "b"}, "volumes": [1]}}}}),
    ] {
        filled("apps/v1", "Deployment", &strange, None);
    }
    let strange = json!({"spec": {"x": 1}});
    assert_eq!(filled("example.com/v1", "Deployment", &strange, None), strange, "of Kubernetes' own kinds alone");
}

#[test]
fn replicas_that_a_change_leaves_out_are_what_they_were() {
    let left = json!({"spec": {"template": {}}});
    let live = json!({"spec": {"replicas": 7, "revisionHistoryLimit": 3}});
    let done = filled("apps/v1", "Deployment", &left, Some(&live));
    assert_eq!((&done["spec"]["replicas"], &done["spec"]["revisionHistoryLimit"]), (&json!(7), &json!(10)));
    let written = json!({"spec": {"replicas": 2}});
    assert_eq!(filled("apps/v1", "Deployment", &written, Some(&live))["spec"]["replicas"], 2);
    assert_eq!(filled("apps/v1", "Deployment", &left, None)["spec"]["replicas"], 1);
}

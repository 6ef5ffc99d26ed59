//! The cases that the real kustomize judges are in `tests/cases/kustomize`.
use serde_json::{Value, json};

use super::super::Allowance;
use super::{Schema, json6902, strategic};

fn pod(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec})
}

fn patched(spec: Value, patch: Value) -> Result<Value, String> {
    let mut target = pod(spec);
    strategic(&mut target, &pod(patch), &Schema::default(), &Allowance::default())?;
    Ok(target["spec"].take())
}

#[test]
fn elements_are_merged_by_key_and_those_of_the_patch_come_first() {
    let spec = json!({"containers": [{"name": "a", "image": "a:1"}, {"name": "b"}]});
    let patch = json!({"containers": [{"name": "c"}, {"name": "a", "image": "a:2"}]});
    let expected = json!({"containers": [{"name": "c"}, {"name": "a", "image": "a:2"}, {"name": "b"}]});
    assert_eq!(patched(spec, patch), Ok(expected));
}

#[test]
fn a_list_without_keys_is_replaced_and_null_takes_away() {
    let spec = json!({"hostNetwork": true, "containers": [{"name": "a", "args": ["x", "y"], "tty": true}]});
    let patch = json!({"hostNetwork": null, "containers": [{"name": "a", "args": ["z"]}]});
    assert_eq!(patched(spec, patch), Ok(json!({"containers": [{"name": "a", "args": ["z"], "tty": true}]})));
}

#[test]
fn elements_and_lists_are_deleted_by_directive() {
    let spec = || json!({"containers": [{"name": "a"}, {"name": "b"}]});
    let one = patched(spec(), json!({"containers": [{"name": "a", "$patch": "delete"}]}));
    assert_eq!(one, Ok(json!({"containers": [{"name": "b"}]})));
    let all = patched(spec(), json!({"containers": [{"$patch": "replace"}, {"name": "c"}]}));
    assert_eq!(all, Ok(json!({"containers": [{"name": "c"}]})));
    let mut whole = pod(spec());
    let patch = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "$patch": "delete"});
    assert_eq!(strategic(&mut whole, &patch, &Schema::default(), &Allowance::default()), Ok(()));
    assert_eq!(whole, Value::Null);
}

#[test]
fn what_does_not_fit_is_told_with_its_path() {
    let told = patched(
        json!({"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}]}),
        json!({
            "containers": [{"name": "a", "env": [{"name": "X", "value": {"of": 1}}]}]
        }),
    );
    let expected = "spec.containers.[a].env.[X].value: the object has a scalar, and the patch has a mapping";
    assert_eq!(told, Err(expected.to_owned()));
    let told = patched(json!({}), json!({"$patch": "remove"}));
    assert_eq!(told, Err("spec.$patch: $patch is \"remove\", and can be merge, replace or delete".to_owned()));
}

#[test]
fn a_kind_of_an_openapi_document_has_its_lists_merged() {
    let document = json!({"definitions": {
        "v1.Thing": {
            "properties": {"spec": {"$ref": "#/definitions/v1.Spec"}},
            "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Thing"}],
        },
        "v1.Spec": {"properties": {"parts": {
            "type": "array", "items": {"properties": {"id": {"type": "string"}}},
            "x-kubernetes-patch-merge-key": "id", "x-kubernetes-patch-strategy": "merge",
        }}},
    }});
    let thing = |parts: Value| json!({"apiVersion": "example.com/v1", "kind": "Thing", "spec": {"parts": parts}});
    let run = |schema: &Schema| {
        let mut target = thing(json!([{"id": "a", "size": 1}, {"id": "b"}]));
        strategic(&mut target, &thing(json!([{"id": "a", "size": 2}])), schema, &Allowance::default()).map(|()| target)
    };
    let own = Schema::from_openapi(&document).expect("a document");
    assert_eq!(run(&own), Ok(thing(json!([{"id": "a", "size": 2}, {"id": "b"}]))));
    assert_eq!(run(&Schema::default()), Ok(thing(json!([{"id": "a", "size": 2}]))));
    let mut target = pod(json!({"containers": [{"name": "a"}]}));
    let patch = pod(json!({"containers": [{"name": "b"}]}));
    assert_eq!(strategic(&mut target, &patch, &own, &Allowance::default()), Ok(()), "built-in kinds are left out");
    assert_eq!(target["spec"]["containers"], json!([{"name": "b"}]));
    assert_eq!(
        strategic(&mut target, &pod(json!({"containers": [{"name": "c"}]})), &own.and_builtin(), &Allowance::default()),
        Ok(())
    );
    assert_eq!(target["spec"]["containers"], json!([{"name": "c"}, {"name": "b"}]));
}

fn operated(target: Value, operations: Value) -> Result<Value, String> {
    let mut target = target;
    json6902(&mut target, &operations, &Allowance::default()).map(|()| target)
}

#[test]
fn operations_go_as_the_library_of_kustomize_runs_them() {
    let target = || json!({"a": {"b": [1, 2, 3]}, "c/d": null});
    let run = |operation: Value| operated(target(), json!([operation]));
    let list = |list: Value| Ok(json!({"a": {"b": list}, "c/d": null}));
    assert_eq!(run(json!({"op": "add", "path": "/a/b/-", "value": 4})), list(json!([1, 2, 3, 4])));
    assert_eq!(run(json!({"op": "add", "path": "/a/b/0", "value": 0})), list(json!([0, 1, 2, 3])));
    assert_eq!(run(json!({"op": "add", "path": "/a/b/-1", "value": 4})), list(json!([1, 2, 3, 4])));
    assert_eq!(run(json!({"op": "remove", "path": "/a/b/-1"})), list(json!([1, 2])));
    assert_eq!(run(json!({"op": "replace", "path": "/a/x", "value": 1})).expect("set")["a"]["x"], 1);
    assert_eq!(run(json!({"op": "copy", "from": "/nothing", "path": "/x"})).expect("copied")["x"], Value::Null);
    assert_eq!(
        run(json!({"op": "move", "from": "/a/b", "path": "/x"})),
        Ok(json!({
            "a": {}, "c/d": null, "x": [1, 2, 3]
        }))
    );
    assert_eq!(run(json!({"op": "test", "path": "/c~1d"})), Ok(target()));
    assert_eq!(run(json!({"op": "test", "path": "/a/b", "value": [1, 2.0, 3]})), Ok(target()));
}

#[test]
fn an_operation_that_does_not_fit_is_told() {
    let told = |operation: Value| operated(json!({"a": {"b": [1]}}), json!([operation])).expect_err("refused");
    assert_eq!(
        told(json!({"op": "add", "path": "/x/y/z", "value": 1})),
        "operation 0 (add /x/y/z): there is no mapping or list at /x"
    );
    assert_eq!(told(json!({"op": "remove", "path": "/x"})), "operation 0 (remove /x): there is no x");
    assert_eq!(
        told(json!({"op": "replace", "path": "/a/b/1", "value": 1})),
        "operation 0 (replace /a/b/1): the list has no element 1"
    );
    assert_eq!(
        told(json!({"op": "test", "path": "/a/b/0", "value": 2})),
        "operation 0 (test /a/b/0): the value is another one"
    );
    assert_eq!(
        told(json!({"op": "drop", "path": "/a"})),
        "operation 0 (drop /a): \"drop\" is no operation; there are add, copy, move, remove, replace and test"
    );
}

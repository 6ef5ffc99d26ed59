//! Health expressions mean what they mean in the API server: the table of the unit test, judged by
//! ValidatingAdmissionPolicies.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tandem::object::yaml;

use super::{Lab, kubectl, shared};

const CASES: &[u8] = include_bytes!("../cases/health/expressions.yaml");
/// A response carries 4 KiB of warnings, so few policies speak of one object.
const BATCH: usize = 6;

/// Runs kubectl, which must take the object; what it said on standard error.
fn taken(lab: &Lab, args: &[&str], object: &Value) -> String {
    let (fine, said) = kubectl(lab, args, object);
    assert!(fine, "{said}");
    said
}

fn definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "carts.shop.io"},
        "spec": {"group": "shop.io", "scope": "Namespaced",
            "names": {"kind": "Cart", "plural": "carts"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
}

/// A policy that warns where the expression is not true, and its binding.
fn policy(name: &str, expression: &str, batch: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {"failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [
                    {"apiGroups": ["shop.io"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["carts"]}]},
                "matchConditions": [
                    {"name": "batch", "expression": format!("object.metadata.annotations.batch == '{batch}'")}],
                "validations": [{"expression": expression, "message": "not true"}]}},
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Warn"]}}]})
}

/// Cases with a warning, and of those the ones that could not be evaluated.
fn judge(lab: &Lab, object: &Value, batches: usize) -> (BTreeSet<usize>, BTreeSet<usize>) {
    let (mut warned, mut failed) = (BTreeSet::new(), BTreeSet::new());
    for batch in 0..batches {
        let mut object = object.clone();
        object["metadata"]["annotations"] = json!({"batch": batch.to_string()});
        for line in taken(lab, &["create", "--dry-run=server", "-f", "-"], &object).lines() {
            let Some((_, rest)) = line.split_once("ValidatingAdmissionPolicy 'case-") else { continue };
            let (number, rest) = rest.split_once('\'').expect("a name");
            let number = number.parse().expect("a number");
            warned.insert(number);
            if !rest.ends_with(": not true") {
                failed.insert(number);
            }
        }
    }
    (warned, failed)
}

#[test]
fn expressions_mean_what_the_api_server_says() {
    let lab = shared();
    let (documents, problems) = yaml::read("expressions.yaml", CASES, &yaml::Limits::default());
    assert_eq!(problems, []);
    let table = &documents[0].value;
    let cases = table["cases"].as_array().expect("cases");
    taken(lab, &["apply", "-f", "-"], &definition());
    lab.k(&["wait", "--for=condition=Established", "crd/carts.shop.io"]);
    let mut policies = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let expression = case["cel"].as_str().expect("an expression");
        // Only what is as expected is silent; an expected error warns either way.
        let not = if case["is"] == json!(false) { "!" } else { "" };
        // A policy must yield a bool as far as its compiler can tell.
        let asked = format!("{not}({expression}) && true");
        policies.push(policy(&format!("case-{number}"), &asked, number / BATCH));
    }
    taken(
        lab,
        &["apply", "-f", "-"],
        &json!({"apiVersion": "v1", "kind": "List", "items":
        policies.iter().flat_map(|list| list["items"].as_array().expect("items").clone()).collect::<Vec<_>>()}),
    );

    let errors: BTreeSet<usize> =
        cases.iter().enumerate().filter(|(_, case)| !case["error"].is_null()).map(|(number, _)| number).collect();
    let batches = cases.len().div_ceil(BATCH);
    // Policies come into force some time after they are stored.
    let deadline = Instant::now() + Duration::from_secs(60);
    let (warned, failed) = loop {
        let (warned, failed) = judge(lab, &table["object"], batches);
        if (warned == errors && failed == errors) || Instant::now() > deadline {
            break (warned, failed);
        }
    };
    let differ: Vec<_> = cases
        .iter()
        .enumerate()
        .filter(|(number, _)| {
            warned.contains(number) != errors.contains(number) || failed.contains(number) != errors.contains(number)
        })
        .map(|(_, case)| case.to_string())
        .collect();
    assert!(differ.is_empty(), "the API server says otherwise:\n{}", differ.join("\n"));
}

//! The table of the room `cel`, put to a real API server: policies whose expressions are the cases, and whose messages
//! print the values.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tandem::object::yaml;

use super::{Lab, kubectl, shared};
use crate::lab::wait_for;

const CASES: &[u8] = include_bytes!("../cases/cel/expressions.yaml");
/// A response carries 4 KiB of warnings.
const BATCH: usize = 16;
/// Expressions that one policy is compiled with.
const COMPILED: usize = 100;

fn definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "values.cel.io"},
        "spec": {"group": "cel.io", "scope": "Namespaced",
            "names": {"kind": "Value", "plural": "values"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
}

/// False whatever the value is, so that the message is seen; an error says itself.
fn asked(expression: &str) -> String {
    format!("[{expression}].size() == 0")
}

fn validation(number: usize, expression: &str, printed: bool) -> Value {
    let mut validation = json!({"expression": asked(expression), "message": format!("{number}=unprintable")});
    if printed {
        validation["messageExpression"] = json!(format!("'{number}=%s'.format([[{expression}]])"));
    }
    validation
}

fn policy(name: &str, batch: usize, validations: &[Value]) -> [Value; 2] {
    [
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {"failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [
                    {"apiGroups": ["cel.io"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["values"]}]},
                "matchConditions": [
                    {"name": "batch", "expression": format!("object.metadata.annotations.batch == '{batch}'")}],
                "validations": validations}}),
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Warn"]}}),
    ]
}

/// Why the API server compiles an expression not, by the number of its validation and whether it is the message's.
fn refusals(lab: &Lab, validations: &[Value]) -> BTreeMap<(usize, bool), String> {
    let [policy, _] = policy("compiled", 0, validations);
    let (fine, said) = kubectl(lab, &["create", "--dry-run=server", "-f", "-"], &policy);
    let mut refused = BTreeMap::new();
    for part in said.split("spec.validations[").skip(1) {
        let (number, rest) = part.split_once("].").expect("a number");
        let (field, rest) = rest.split_once(": ").expect("a field");
        let key = (number.parse().expect("a number"), field == "messageExpression");
        refused.entry(key).or_insert_with(|| rest.to_owned());
    }
    assert!(fine || !refused.is_empty(), "{said}");
    refused
}

/// The words of a compiler's answer, without where they point.
fn reason(said: &str) -> String {
    let words = said.split_once("program instantiation failed: ").map(|(_, words)| words).or_else(|| {
        let (_, rest) = said.split_once("ERROR: <input>:")?;
        rest.split_once(": ").map(|(_, words)| words)
    });
    words.unwrap_or(said).lines().next().unwrap_or_default().trim().to_owned()
}

/// Number and outcome of a warning.
fn outcome(line: &str, numbers: &BTreeMap<String, usize>) -> Option<(usize, (&'static str, String))> {
    let (_, told) = line.split_once("with binding '")?;
    let (_, told) = told.split_once("': ")?;
    if let Some(rest) = told.strip_prefix("expression '") {
        let (expression, error) = rest.split_once("' resulted in error: ")?;
        return Some((*numbers.get(expression)?, ("error", error.to_owned())));
    }
    let (number, value) = told.split_once('=')?;
    let number = number.parse().ok()?;
    if value == "unprintable" {
        return Some((number, ("prints", String::new())));
    }
    Some((number, ("is", value.strip_prefix('[')?.strip_suffix(']')?.to_owned())))
}

#[test]
fn the_table_is_what_the_api_server_says() {
    let lab = shared();
    let (documents, problems) = yaml::read("expressions.yaml", CASES, &yaml::Limits::default());
    assert_eq!(problems, []);
    let table = &documents[0].value;
    let cases = table["cases"].as_array().expect("cases");
    let text = |number: usize| cases[number]["cel"].as_str().expect("an expression");
    let mut found: BTreeMap<usize, (&str, String)> = BTreeMap::new();
    let (fine, said) = kubectl(lab, &["apply", "-f", "-"], &definition());
    assert!(fine, "{said}");
    lab.k(&["wait", "--for=condition=Established", "crd/values.cel.io"]);

    let mut unprinted = Vec::new();
    for start in (0..cases.len()).step_by(COMPILED) {
        let part = start..cases.len().min(start + COMPILED);
        let validations: Vec<_> = part.map(|number| validation(number, text(number), true)).collect();
        for ((at, of_message), said) in refusals(lab, &validations) {
            if of_message {
                unprinted.push(start + at);
            } else {
                found.insert(start + at, ("refused", reason(&said)));
            }
        }
    }
    let compiled: Vec<usize> = (0..cases.len()).filter(|number| !found.contains_key(number)).collect();
    let numbers: BTreeMap<String, usize> = compiled.iter().map(|number| (asked(text(*number)), *number)).collect();
    let mut items = Vec::new();
    for (batch, part) in compiled.chunks(BATCH).enumerate() {
        let validations: Vec<_> =
            part.iter().map(|number| validation(*number, text(*number), !unprinted.contains(number))).collect();
        items.extend(policy(&format!("cel-{batch}"), batch, &validations));
    }
    let (fine, said) =
        kubectl(lab, &["create", "-f", "-"], &json!({"apiVersion": "v1", "kind": "List", "items": items}));
    assert!(fine, "{said}");
    for (batch, part) in compiled.chunks(BATCH).enumerate() {
        let mut object = table["object"].clone();
        object["metadata"]["annotations"] = json!({"batch": batch.to_string()});
        // Policies come into force some time after they are stored.
        wait_for(&format!("the policy of batch {batch}"), || {
            let (fine, said) = kubectl(lab, &["create", "--dry-run=server", "-f", "-"], &object);
            assert!(fine, "{said}");
            found.extend(said.split("\nWarning: ").filter_map(|line| outcome(line.trim_end(), &numbers)));
            if part.iter().all(|number| found.contains_key(number)) { Ok(()) } else { Err(said) }
        });
    }
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let (kind, told) = &found[&number];
        let so = match &case[*kind] {
            Value::Bool(prints) => !prints,
            expected => *expected == json!(told),
        };
        if !so {
            wrong.push(format!("{case}\n    {kind}: {told}"));
        }
    }
    assert!(wrong.is_empty(), "the API server says otherwise:\n{}", wrong.join("\n"));
}

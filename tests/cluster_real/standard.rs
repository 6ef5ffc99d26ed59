//! The room `standard`, held to a real API server: it is asked again what it says of each pair of a policy and an object.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tandem::object::yaml;

use super::{Lab, kubectl, shared};
use crate::lab::{root, wait_for};

fn documents(name: &str) -> Vec<Value> {
    let path = root().join("tests/cases/standard").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let (documents, problems) = yaml::read(name, &bytes, &yaml::Limits::default());
    assert_eq!(problems, []);
    documents.into_iter().map(|document| document.value).collect()
}

fn list(items: Vec<Value>) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What the API server has against each object of a list that kubectl put to it, by name: message and reason.
fn refusals(said: &str) -> BTreeMap<String, (String, String)> {
    let mut refused: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut last: Option<String> = None;
    for line in said.lines() {
        let reason = |rest: &str| rest.split_once("): ").map_or("", |(reason, _)| reason).to_owned();
        let begins = line.strip_prefix("Error from server (").map(|rest| (reason(rest), rest));
        let found = match begins {
            Some((reason, rest)) => of_line(rest).map(|(name, message)| (name, message, reason)),
            None if line.starts_with("The ") && line.contains(" is invalid: ") => {
                of_line(line).map(|(name, message)| (name, message, "Invalid".to_owned()))
            }
            None => None,
        };
        match (found, &last) {
            (Some((name, message, reason)), _) => {
                last = Some(name.clone());
                refused.insert(name, (message, reason));
            }
            (None, Some(name)) if begins_no_other(line) => {
                // A message of several lines.
                let entry = refused.get_mut(name).expect("the one before");
                entry.0 = format!("{}\n{line}", entry.0);
            }
            _ => last = None,
        }
    }
    refused
}

fn begins_no_other(line: &str) -> bool {
    !line.starts_with("Warning: ") && !line.ends_with("(server dry run)")
}

/// Name of the object and what is said of it.
fn of_line(line: &str) -> Option<(String, String)> {
    let at = line.find("ValidatingAdmissionPolicy '")?;
    let (before, message) = line.split_at(at);
    // The name is the last that stands in quotes.
    let mut quoted = before.rsplit('"');
    quoted.next()?;
    Some((quoted.next()?.to_owned(), message.to_owned()))
}

/// Asks of objects until all of these are refused, for policies come into force some time after they are stored.
fn ask(lab: &Lab, args: &[&str], objects: &[Value], sure: &BTreeSet<String>) -> BTreeMap<String, (String, String)> {
    let items = list(objects.to_vec());
    wait_for(&format!("{sure:?} to be refused"), || {
        let (_, said) = kubectl(lab, args, &items);
        let found = refusals(&said);
        if sure.iter().all(|name| found.contains_key(name)) { Ok(found) } else { Err(said) }
    })
}

#[test]
fn the_pairs_are_what_the_api_server_says() {
    let lab = shared();
    let (policies, objects) = (documents("policies.yaml"), documents("objects.yaml"));
    let pairs = documents("verdicts.yaml")[0].as_array().expect("pairs").clone();
    assert!(pairs.len() > 200);
    let (fine, said) = kubectl(lab, &["apply", "-f", "-"], &list(policies));
    assert!(fine, "{said}");
    let mut by_policy: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for pair in &pairs {
        by_policy.entry(text(pair, "/policy")).or_default().push(pair);
    }
    let mut wrong = Vec::new();
    for (policy, pairs) in by_policy {
        let object = |pair: &&Value| {
            let mut object =
                objects.iter().find(|object| object["metadata"]["name"] == pair["object"]).expect("an object").clone();
            object["metadata"]["labels"]["policy"] = json!(policy);
            object
        };
        let asked: Vec<Value> = pairs.iter().map(object).collect();
        let refused = pairs.iter().filter(|pair| pair["allowed"] != json!(true));
        let sure: BTreeSet<String> = refused.map(|pair| text(pair, "/object").to_owned()).collect();
        let found = ask(lab, &["create", "--dry-run=server", "-f", "-"], &asked, &sure);
        for pair in pairs {
            let said = found.get(text(pair, "/object")).map(|(message, reason)| (message.as_str(), reason.as_str()));
            let expected = (pair["allowed"] != json!(true)).then(|| (text(pair, "/message"), text(pair, "/reason")));
            if said != expected {
                wrong.push(format!("{pair}\n    {said:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "the API server says otherwise:\n{}", wrong.join("\n"));
}

/// What the API server says of a change.
fn change(lab: &Lab, case: &Value) -> Option<(String, String)> {
    let args: &[&str] = match text(case, "/operation") {
        "CREATE" => &["create", "--dry-run=server", "-f", "-"],
        "UPDATE" => &["replace", "--dry-run=server", "-f", "-"],
        _ => &["delete", "--dry-run=server", "-f", "-"],
    };
    let object = case.get("new").or(case.get("old")).expect("an object");
    let (fine, said) = kubectl(lab, args, object);
    let found = refusals(&said).remove(text(object, "/metadata/name"));
    assert!(fine || found.is_some(), "{case}: {said}");
    found
}

#[test]
fn the_changes_are_what_the_api_server_says() {
    let lab = shared();
    let whole = documents("changes.yaml").remove(0);
    let all = |field: &str| whole[field].as_array().expect("a list").clone();
    let cases = all("cases");
    let put = |args: &[&str], items: Vec<Value>| {
        let (fine, said) = kubectl(lab, args, &list(items));
        assert!(fine, "{said}");
    };
    // What is there before the policies are, is there whatever they say.
    put(&["create", "-f", "-"], cases.iter().filter_map(|case| case.get("old").cloned()).collect());
    put(&["create", "-f", "-"], all("policies"));
    let expected = |case: &Value| {
        let message = case["says"]["message"].as_str()?;
        Some((message.to_owned(), text(case, "/says/reason").to_owned()))
    };
    let mut wrong = Vec::new();
    let mut in_force = BTreeSet::new();
    // Those that are refused first: then their policies are known to be in force.
    let (refused, allowed): (Vec<&Value>, Vec<&Value>) = cases.iter().partition(|case| expected(case).is_some());
    for case in refused.into_iter().chain(allowed) {
        let policy = text(case, "/policy");
        let found = if expected(case).is_some() && !in_force.contains(policy) {
            wait_for(&format!("{policy} to be in force"), || change(lab, case).ok_or_else(|| case.to_string()))
        } else {
            let Some(found) = change(lab, case) else {
                wrong.extend(expected(case).map(|_| format!("{case}\n    is allowed")));
                continue;
            };
            found
        };
        in_force.insert(policy);
        if Some(&found) != expected(case).as_ref() {
            wrong.push(format!("{case}\n    {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "the API server says otherwise:\n{}", wrong.join("\n"));
}

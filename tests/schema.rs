//! Schemas, held to what a real API server says of the same objects.

mod change;
mod server;
mod table;

use serde_json::Value;
use tandem::object::{Manifest, ObjectId, Origin, split_api_version};
use tandem::schema::{Finding, Schemas};

use change::Change;
use server::{Answer, Server};
use table::Table;

/// The minor of the lab's API server.
const TARGET: &str = "1.36";
/// Random changes that every run of the tests makes; `TANDEM_SCHEMA_CHANGES` asks for another number, `all` for each
/// that there is.
const CHANGES: usize = 700;
/// Differences that are printed at most.
const PRINTED: usize = 40;

fn manifest(body: Value) -> Manifest {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let api_version = text("/apiVersion");
    let group = split_api_version(&api_version).0.to_owned();
    let id = ObjectId::new(text("/metadata/namespace"), text("/metadata/name"), group, text("/kind"));
    let origin = Origin { file: "case.yaml".to_owned(), line: 1, document: 1 };
    Manifest::new(origin, id, api_version, body)
}

/// The schemas of the lab's version, and of the definitions in the tables.
fn schemas(tables: &[Table]) -> Schemas {
    let mut schemas = Schemas::new(TARGET.parse().expect("a known minor"));
    for table in tables {
        assert_eq!(schemas.define(&manifest(table.object.clone())), [], "{}", table.name());
    }
    schemas
}

/// What keeps an object from being taken; that an API is deprecated does not.
fn findings(schemas: &Schemas, body: &Value) -> Vec<Finding> {
    let checked = schemas.check(&manifest(body.clone()));
    assert!(checked.known, "no schema of {body}");
    checked.findings.into_iter().filter(|finding| finding.problem.rule != "DeprecatedApi").collect()
}

fn told(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{} {}", finding.problem.rule, finding.path)).collect()
}

#[test]
fn every_case_of_the_table_is_found_as_it_says() {
    let tables = table::read();
    let schemas = schemas(&tables);
    let mut number = 0;
    let mut wrong = Vec::new();
    for table in &tables {
        let good = findings(&schemas, &table.object);
        assert!(good.is_empty(), "{}: {:?}", table.name(), told(&good));
        for case in &table.cases {
            number += 1;
            let found = told(&findings(&schemas, &case.change.of(&table.object)));
            if found != case.finds {
                wrong.push(format!("{}: {}: finds {found:?}, not {:?}", table.name(), case.change, case.finds));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(number >= 150 && tables.len() >= 40, "{number} cases of {} objects", tables.len());
}

#[test]
fn the_api_server_says_the_same_of_the_table_and_of_random_changes() {
    let tables = table::read();
    let schemas = schemas(&tables);
    let server = Server::start(&tables);
    let mut differences = Vec::new();
    let mut refused = 0;
    let mut number = 0;
    let mut compare = |table: &Table, change: Option<&Change>| {
        let body = change.map_or_else(|| table.object.clone(), |change| change.of(&table.object));
        let answer = server.create(&body);
        let found = findings(&schemas, &body);
        number += 1;
        refused += usize::from(answer != Answer::Taken);
        if let Some(difference) = difference(&answer, &found) {
            let change = change.map(Change::to_string).unwrap_or_default();
            differences.push(format!("{}: {change}: {difference}\n  {answer:?}\n  {:?}", table.name(), told(&found)));
        }
    };
    for table in &tables {
        assert_eq!(server.create(&table.object), Answer::Taken, "{}", table.name());
        compare(table, None);
        table.cases.iter().for_each(|case| compare(table, Some(&case.change)));
    }
    let mut changes: Vec<(&Table, Change)> = Vec::new();
    for table in &tables {
        changes.extend(change::all(&table.object).into_iter().map(|change| (table, change)));
    }
    let all = changes.len();
    let wanted = match std::env::var("TANDEM_SCHEMA_CHANGES") {
        Ok(text) if text == "all" => all,
        Ok(text) => text.parse().expect("a number of changes"),
        Err(_) => CHANGES,
    };
    for (table, change) in change::some(changes, wanted) {
        compare(table, Some(&change));
    }
    println!("{number} objects, {refused} of them refused; there are {all} changes");
    let shown = differences.iter().take(PRINTED).cloned().collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{} of {number} differ:\n{shown}", differences.len());
    assert!(refused * 4 > number, "only {refused} of {number} were refused");
}

/// Where the two disagree of what a schema can know.
fn difference(answer: &Answer, found: &[Finding]) -> Option<String> {
    let of_rule = |rule: &str| -> Vec<&str> {
        found.iter().filter(|finding| finding.problem.rule == rule).map(|finding| finding.path.as_str()).collect()
    };
    match answer {
        Answer::Taken if found.is_empty() => None,
        Answer::Taken => Some("the API server takes it".to_owned()),
        Answer::UnknownFields(fields) => {
            let mut ours: Vec<String> = of_rule("UnknownField").into_iter().map(server::plain).collect();
            ours.sort();
            (ours != *fields).then(|| "other fields are unknown".to_owned())
        }
        // The first that cannot be decoded is all that the API server tells. It leaves out of its path the items of
        // lists and the keys of mappings.
        Answer::Undecodable(path) => {
            let theirs = path.as_deref().map(server::names);
            let same = |ours: &&str| theirs.as_ref().is_none_or(|theirs| is_within(theirs, &server::names(ours)));
            (!of_rule("WrongType").iter().any(same)).then(|| "nothing of another type was found there".to_owned())
        }
        // What we say, it says too; it says more than a schema can know.
        Answer::Invalid(causes) => {
            let said = |finding: &&Finding| {
                let ours = server::names(&finding.path);
                causes.iter().map(|cause| server::names(&cause.path)).any(|theirs| {
                    // Its paths leave out some levels, and a cause may lie deeper.
                    is_within(&theirs, &ours) || theirs.starts_with(&ours) || theirs.last() == ours.last()
                })
            };
            if let Some(unsaid) = found.iter().find(|finding| !said(finding) && !is_odd(&finding.path)) {
                return Some(format!("the API server has nothing against {}", unsaid.path));
            }
            // Whether a definition's defaults fit it is left to the API server.
            let types = causes.iter().find(|cause| {
                cause.reason == "FieldValueTypeInvalid" && cause.path.rsplit('.').next() != Some("default")
            });
            let types = types.filter(|cause| !found.iter().any(|finding| server::plain(&finding.path) == cause.path));
            types.map(|cause| format!("{} is of another type", cause.path))
        }
        Answer::Other(_) if found.is_empty() => None,
        Answer::Other(_) => Some("the API server says something else".to_owned()),
        Answer::Crashed => None,
    }
}

/// Whether all of these names stand in the others, in that order.
fn is_within(few: &[String], many: &[String]) -> bool {
    let mut rest = many.iter();
    few.iter().all(|name| rest.any(|other| other == name))
}

/// Where the API server refuses what we refuse, and names another field: it mistakes `name` of a webhook's service for
/// its `namespace`, tells a DaemonSet without a selector of the labels of its template, and stops at the first of two
/// fields.
fn is_odd(path: &str) -> bool {
    path.contains(".clientConfig.service.") || path == "spec.selector" || path.ends_with(".resourceFieldRef.resource")
}

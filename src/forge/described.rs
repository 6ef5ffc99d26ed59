//! What GitHub publishes of its API and of what it delivers, to which the fakes of the tests are held: what we ask must be
//! described, and an answer has every field that GitHub always sends, with those that a test tells in place of others.
//!
//! `hack/schema` writes the data, from GitHub's own packages.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Map, Value, json};

const PACKED: &[u8] = include_bytes!("../../tests/cases/github/described.json.gz");
/// Deeper no answer is.
const DEPTH: usize = 30;

/// The description.
pub struct Described {
    data: Value,
    validators: Mutex<HashMap<String, Arc<jsonschema::Validator>>>,
}

/// A request, as it came over the wire.
pub struct Asked<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// What stands behind the question mark.
    pub query: &'a str,
    pub body: &'a [u8],
}

impl Described {
    /// That of GitHub.
    pub fn github() -> &'static Self {
        static GITHUB: OnceLock<Described> = OnceLock::new();
        GITHUB.get_or_init(|| {
            let mut text = String::new();
            flate2::read::GzDecoder::new(PACKED).read_to_string(&mut text).expect("packed");
            Self { data: serde_json::from_str(&text).expect("JSON"), validators: Mutex::default() }
        })
    }

    /// The answer of GitHub to a request. Panics where the request is none that is described, or the answer cannot be one.
    #[track_caller]
    pub fn answer(&self, asked: &Asked<'_>, status: u16, told: &Value) -> Value {
        let name = format!("{} {}", asked.method, asked.path);
        let operation = self.operation(asked).unwrap_or_else(|| panic!("{name} is not described"));
        for (key, value) in form_urlencoded::parse(asked.query.as_bytes()) {
            let schema = operation["query"].get(&*key).unwrap_or_else(|| panic!("{name} has no parameter {key}"));
            let number = value.parse::<u64>().map(Value::from);
            self.holds(schema, &number.unwrap_or_else(|_| json!(value)), &format!("{name}?{key}"));
        }
        match operation.get("body") {
            Some(schema) => {
                let body: Value = serde_json::from_slice(asked.body).unwrap_or_else(|e| panic!("{name}: {e}"));
                let filled = self.fill(schema, Some(&body), 0).unwrap_or_else(|e| panic!("the body of {name}: {e}"));
                assert_eq!(filled, body, "the body of {name} lacks what it must have");
                self.holds(schema, &body, &format!("the body of {name}"));
            }
            None => assert!(asked.body.is_empty(), "{name} takes no body"),
        }
        let schema = operation["answers"].get(status.to_string());
        self.whole(schema.unwrap_or_else(|| panic!("{name} does not answer {status}")), told, &name)
    }

    /// A delivery, such as `push$event`, with what GitHub always says in it.
    #[track_caller]
    pub fn delivery(&self, event: &str, told: &Value) -> Value {
        let schema = self.data["deliveries"].get(event).unwrap_or_else(|| panic!("{event} is not described"));
        self.whole(schema, told, event)
    }

    fn whole(&self, schema: &Value, told: &Value, name: &str) -> Value {
        let whole = self.fill(schema, Some(told), 0).unwrap_or_else(|e| panic!("{name} does not say {told}: {e}"));
        self.holds(schema, &whole, name);
        whole
    }

    fn operation(&self, asked: &Asked<'_>) -> Option<&Value> {
        let path: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        let fits = |template: &str| {
            let template: Vec<&str> = template.trim_matches('/').split('/').collect();
            template.len() == path.len()
                && template.iter().zip(&path).all(|(one, other)| one.starts_with('{') || one == other)
        };
        let all = self.data["operations"].as_array()?.iter();
        let mut fitting = all.filter(|one| one["method"] == asked.method && one["path"].as_str().is_some_and(fits));
        fitting.next()
    }

    /// Holds a value against a schema, by a validator that is not our own.
    fn holds(&self, schema: &Value, value: &Value, name: &str) {
        let key = schema.to_string();
        let known = self.validators.lock().expect("lock").get(&key).cloned();
        let validator = known.unwrap_or_else(|| {
            let (schemas, definitions) = (&self.data["schemas"], &self.data["definitions"]);
            let whole = json!({"allOf": [schema], "schemas": schemas, "definitions": definitions});
            let made = Arc::new(jsonschema::validator_for(&whole).unwrap_or_else(|e| panic!("{name}: {e}")));
            self.validators.lock().expect("lock").insert(key, made.clone());
            made
        });
        let wrong: Vec<String> = validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }

    /// A value with what is told in it, and else with what a schema asks for at least.
    fn fill(&self, schema: &Value, told: Option<&Value>, depth: usize) -> Result<Value, String> {
        if depth > DEPTH {
            return Err("it has no end".to_owned());
        }
        let schema = self.resolved(schema)?;
        if let Some(all) = ["anyOf", "oneOf"].iter().find_map(|word| schema.get(*word)?.as_array()) {
            return self.one_of(all, told, depth);
        }
        let kinds: Vec<&str> = match schema.get("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ if schema.get("properties").is_some() => vec!["object"],
            _ => return Ok(told.cloned().unwrap_or(Value::Null)),
        };
        match (kinds.contains(&"null"), told) {
            (true, None | Some(Value::Null)) => return Ok(Value::Null),
            (false, Some(Value::Null)) => return Err("it is never null".to_owned()),
            _ => {}
        }
        let kind = kinds.iter().find(|kind| **kind != "null").copied().unwrap_or("null");
        match (kind, told) {
            ("object", Some(Value::Object(told))) => self.object(&schema, told, depth),
            ("object", None) => self.object(&schema, &Map::new(), depth),
            ("array", Some(Value::Array(told))) => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                told.iter()
                    .map(|one| self.fill(items, Some(one), depth + 1))
                    .collect::<Result<_, _>>()
                    .map(Value::Array)
            }
            ("object" | "array", Some(told)) => Err(format!("{told} is no {kind}")),
            (_, Some(told)) => Ok(told.clone()),
            (kind, None) => Ok(self.least(&schema, kind)),
        }
    }

    fn one_of(&self, all: &[Value], told: Option<&Value>, depth: usize) -> Result<Value, String> {
        let null = |schema: &Value| schema.get("type").is_some_and(|kind| kind == "null");
        if told.is_none_or(Value::is_null) && all.iter().any(null) {
            return Ok(Value::Null);
        }
        let mut why = Vec::new();
        for one in all.iter().filter(|one| !null(one)) {
            match self.fill(one, told, depth + 1) {
                Ok(value) => return Ok(value),
                Err(error) => why.push(error),
            }
        }
        why.dedup();
        Err(why.join("; "))
    }

    fn object(&self, schema: &Value, told: &Map<String, Value>, depth: usize) -> Result<Value, String> {
        let nothing = Map::new();
        let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&nothing);
        let open = known.is_empty() || schema.get("additionalProperties").is_some_and(|more| *more != false);
        let mut whole = Map::new();
        for (key, value) in told {
            let value = match known.get(key) {
                Some(schema) => self.fill(schema, Some(value), depth + 1).map_err(|e| format!("{key}: {e}"))?,
                None if open => value.clone(),
                None => return Err(format!("there is no field {key}")),
            };
            whole.insert(key.clone(), value);
        }
        for key in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !whole.contains_key(key) {
                let schema = known.get(key).unwrap_or(&Value::Null);
                whole.insert(key.to_owned(), self.fill(schema, None, depth + 1).map_err(|e| format!("{key}: {e}"))?);
            }
        }
        Ok(Value::Object(whole))
    }

    fn least(&self, schema: &Value, kind: &str) -> Value {
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|all| all.first()) {
            return first.clone();
        }
        match (kind, schema.get("format").and_then(Value::as_str)) {
            ("string", Some("date-time")) => json!("2026-05-04T08:12:31Z"),
            ("string", Some("uri")) => json!("https://github.example.com/x"),
            ("string", _) => json!("x".repeat(schema.get("minLength").and_then(Value::as_u64).unwrap_or(1) as usize)),
            ("integer" | "number", _) => json!(1),
            ("boolean", _) => json!(false),
            ("array", _) => json!([]),
            _ => Value::Null,
        }
    }

    /// The schema itself, whatever leads to it, and with the parts that it is made of put together.
    fn resolved(&self, schema: &Value) -> Result<Value, String> {
        let mut schema = schema.clone();
        while let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let found = self.data.pointer(name.trim_start_matches('#'));
            schema = found.ok_or_else(|| format!("{name} is not described"))?.clone();
        }
        let Some(parts) = schema.get("allOf").and_then(Value::as_array).cloned() else { return Ok(schema) };
        let mut whole = schema.as_object().cloned().unwrap_or_default();
        whole.remove("allOf");
        for part in parts {
            let part = self.resolved(&part)?;
            for (key, value) in part.as_object().into_iter().flatten() {
                match (whole.get_mut(key), value) {
                    (Some(Value::Object(known)), Value::Object(more)) => {
                        known.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
                    }
                    (Some(Value::Array(known)), Value::Array(more)) => known.extend(more.iter().cloned()),
                    _ => {
                        whole.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        Ok(Value::Object(whole))
    }
}

#[test]
fn what_is_not_described_is_found_and_what_is_has_all_of_it() {
    let github = Described::github();
    let asked = |method, path, query, body| Asked { method, path, query, body };
    let fails = |asked: &Asked<'_>, status: u16, told: &Value| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| github.answer(asked, status, told))).is_err()
    };
    let status = asked("POST", "/repos/a/b/statuses/1", "", b"{\"state\": \"success\"}");
    let whole = github.answer(&status, 201, &json!({"id": 7}));
    assert_eq!(
        (&whole["id"], whole["url"].is_string(), whole["creator"].is_null()),
        (&json!(7), true, true),
        "{whole:#}"
    );
    for (asked, status, told) in [
        (asked("POST", "/repos/a/b/statuses/1", "", b"{\"state\": \"fine\"}"), 201, json!({})),
        (asked("POST", "/repos/a/b/statuses/1", "", b"{\"state\": \"error\", \"text\": \"x\"}"), 201, json!({})),
        (asked("POST", "/repos/a/b/statuses/1", "", b"{}"), 201, json!({})),
        (asked("POST", "/repos/a/b/statuses/1", "", b"{\"state\": \"error\"}"), 200, json!({})),
        (asked("POST", "/repos/a/b/status/1", "", b"{\"state\": \"error\"}"), 201, json!({})),
        (asked("GET", "/repos/a/b/pulls", "perpage=1", b""), 200, json!([])),
        (asked("GET", "/repos/a/b/pulls", "state=half", b""), 200, json!([])),
        (asked("GET", "/repos/a/b/pulls", "", b""), 200, json!([{"numbre": 1}])),
        (asked("GET", "/repos/a/b/pulls", "", b""), 200, json!([{"number": "1"}])),
        (asked("GET", "/repos/a/b/pulls", "", b""), 200, json!([{"number": null}])),
    ] {
        assert!(fails(&asked, status, &told), "{} {} {} {told}", asked.method, asked.path, asked.query);
    }
    let pulls =
        github.answer(&asked("GET", "/repos/a/b/pulls", "state=open&page=2", b""), 200, &json!([{"number": 1}]));
    assert!(pulls[0]["head"]["sha"].is_string(), "{pulls:#}");
}

/// The deliveries that the server's tests send are such as GitHub sends.
#[test]
fn deliveries_of_the_tests_are_those_of_github() {
    for (event, text) in [
        ("push$event", include_str!("../server/fixtures/github-push.json")),
        ("ping$event", include_str!("../server/fixtures/github-ping.json")),
    ] {
        let told: Value = serde_json::from_str(text).expect("JSON");
        let whole = Described::github().delivery(event, &told);
        assert_eq!(whole["repository"]["full_name"], told["repository"]["full_name"]);
    }
}

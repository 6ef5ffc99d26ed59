//! One change to a good object.

use std::fmt;

use proptest::prelude::{Strategy, any};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde::Deserialize;
use serde_json::{Value, json};

/// What is done at a JSON pointer.
#[derive(Clone, Debug, Deserialize)]
pub struct Change {
    at: String,
    #[serde(flatten)]
    what: What,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    /// The field has another name.
    Rename(String),
    /// It has another value; a field that is not there is added.
    Set(Value),
    /// It is not there.
    Drop(bool),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Rename(name) => write!(f, "{{at: {}, rename: {name}", self.at),
            What::Set(value) => write!(f, "{{at: {}, set: {value}", self.at),
            What::Drop(_) => write!(f, "{{at: {}, drop: true", self.at),
        }
    }
}

impl Change {
    /// The object with the change.
    pub fn of(&self, object: &Value) -> Value {
        assert!(!matches!(self.what, What::Drop(false)), "{self}: a field that is not dropped is no change");
        let mut changed = object.clone();
        let (above, name) = self.at.rsplit_once('/').expect("a pointer to a field");
        let name = name.replace("~1", "/").replace("~0", "~");
        match changed.pointer_mut(above).unwrap_or_else(|| panic!("nothing at {above}")) {
            Value::Object(fields) => match &self.what {
                What::Rename(to) => {
                    let value = fields.remove(&name).unwrap_or_else(|| panic!("no field at {}", self.at));
                    fields.insert(to.clone(), value);
                }
                What::Set(value) => drop(fields.insert(name, value.clone())),
                What::Drop(_) => drop(fields.remove(&name).unwrap_or_else(|| panic!("no field at {}", self.at))),
            },
            Value::Array(items) => {
                let at: usize = name.parse().expect("an item");
                match &self.what {
                    What::Set(value) => items[at] = value.clone(),
                    What::Drop(_) => drop(items.remove(at)),
                    What::Rename(_) => panic!("an item has no name"),
                }
            }
            other => panic!("{above} is {other}"),
        }
        changed
    }
}

/// Every change of a kind that people make by mistake.
pub fn all(object: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    walk(object, "", &mut changes);
    changes
}

/// What makes it the object that it is.
const IDENTITY: [&str; 4] = ["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace"];

fn walk(value: &Value, pointer: &str, changes: &mut Vec<Change>) {
    if !pointer.is_empty() && !IDENTITY.contains(&pointer) && pointer != "/metadata" {
        let mut add = |what| changes.push(Change { at: pointer.to_owned(), what });
        let name = pointer.rsplit('/').next().unwrap_or_default();
        if name.parse::<usize>().is_err() {
            add(What::Rename(format!("{}x", name.replace("~1", "/"))));
        }
        add(What::Drop(true));
        add(What::Set(Value::Null));
        let others = match value {
            Value::String(_) => vec![json!(""), json!("Nonsense!"), json!(12345), json!(true), json!({"a": "b"})],
            Value::Number(_) => vec![json!(0), json!("12"), json!(1.5), json!(4_294_967_296_000_i64), json!([])],
            Value::Bool(_) => vec![json!("true"), json!(1)],
            Value::Array(_) => vec![json!([]), json!({}), json!("a"), json!([null])],
            Value::Object(_) => vec![json!({}), json!([]), json!("a"), json!({"nonsense": "a"})],
            Value::Null => vec![json!("a"), json!({})],
        };
        others.into_iter().for_each(|other| add(What::Set(other)));
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                walk(value, &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), changes);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                walk(value, &format!("{pointer}/{at}"), changes);
            }
        }
        _ => {}
    }
}

/// So many of them, at random but the same in every run, unless `TANDEM_SCHEMA_SEED` says otherwise.
pub fn some<T>(mut all: Vec<T>, number: usize) -> Vec<T> {
    let seed = std::env::var("TANDEM_SCHEMA_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    let mut runner = TestRunner::new(Config { rng_seed: RngSeed::Fixed(seed), ..Config::default() });
    let mut chosen = Vec::new();
    while chosen.len() < number && !all.is_empty() {
        let at = any::<usize>().new_tree(&mut runner).expect("a number").current() % all.len();
        chosen.push(all.swap_remove(at));
    }
    chosen
}

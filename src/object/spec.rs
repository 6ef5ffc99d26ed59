//! Files of our own kinds, read strictly: a field that is not known is a slip that would be silent otherwise.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Problem;
use super::near::nearest;

const API_VERSION: &str = "tandemcd.io/v1alpha1";
const FIELDS: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];

/// The `spec` of a file of one of our own kinds. `rule` names what is wrong with one that cannot be meant so.
///
/// # Errors
/// It is of another kind or version, or has a field that there is not; the problem has no place yet.
pub fn spec_of<T: DeserializeOwned>(body: &Value, kind: &str, rule: &str) -> Result<T, Problem> {
    let invalid = |message: String| Problem::new(rule, message);
    let field = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().escape_debug().to_string();
    if field("apiVersion") != API_VERSION {
        return Err(invalid(format!("apiVersion: {} is not {API_VERSION}", field("apiVersion"))));
    }
    if field("kind") != kind {
        return Err(invalid(format!("kind: {} is not {kind}", field("kind"))));
    }
    let unknown = body.as_object().into_iter().flatten().find(|(field, _)| !FIELDS.contains(&field.as_str()));
    if let Some((field, _)) = unknown {
        return Err(meant(invalid(format!("{} is no field of a {kind}", field.escape_debug())), field, &FIELDS));
    }
    let spec = body.get("spec").unwrap_or(&Value::Null);
    T::deserialize(spec).map_err(|error| {
        let text = error.to_string();
        let problem = invalid(format!("spec: {text}"));
        let mut words = text.split('`').skip(1).step_by(2);
        match (text.starts_with("unknown "), words.next()) {
            (true, Some(word)) => meant(problem, word, &words.collect::<Vec<_>>()),
            _ => problem,
        }
    })
}

fn meant(problem: Problem, word: &str, known: &[&str]) -> Problem {
    match nearest(word, known) {
        Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
        None => problem.hint(format!("there are {}", known.join(", "))),
    }
}

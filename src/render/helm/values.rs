//! Values of a release, laid over one another as Helm does.

use serde_json::{Map, Value};

use super::request::{Layer, Settings};
use crate::object::{Problem, yaml};
use crate::render::path::join;
use crate::render::plain::{kept_elsewhere, unreadable};
use crate::render::substitute::Secrecy;
use crate::render::{Blob, Limits, Recorder, Tree};

/// Texts shorter than this are no secrets that a message could give away.
const SHORTEST: usize = 3;

/// All layers merged, and the texts in them that no message may show; or all that is wrong.
pub fn merged(
    record: &Recorder<'_>,
    folder: &str,
    layers: &[Layer],
    limits: &Limits,
) -> Result<(Value, Vec<Blob>), Vec<Problem>> {
    let (mut values, mut secrets, mut problems) = (Map::new(), Vec::new(), Vec::new());
    for layer in layers {
        let read = match layer {
            Layer::File(path) => file(record, folder, path, limits),
            Layer::Text { from, text, secrecy } => given(from, text, *secrecy, limits).map(|values| (values, *secrecy)),
        };
        match read {
            Ok((layered, secrecy)) => {
                if secrecy == Secrecy::Secret {
                    layered.iter().for_each(|(key, value)| texts(key, value, &mut secrets));
                }
                merge(&mut values, layered);
            }
            Err(found) => problems.extend(found),
        }
    }
    // Messages may show one line of several.
    let lines = |(_, text): (String, String)| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    let secrets = secrets.into_iter().flat_map(lines).filter(|line| line.len() >= SHORTEST).map(Blob::new).collect();
    if problems.is_empty() { Ok((Value::Object(values), secrets)) } else { Err(problems) }
}

/// Values of Secrets that are given, each with the last key on the way to it. What cannot be read
/// is told where it is merged.
pub fn secret_values(settings: &Settings, limits: &Limits) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for layer in &settings.values {
        if let Layer::Text { from, text, secrecy: Secrecy::Secret } = layer {
            let values = given(from, text, Secrecy::Secret, limits).unwrap_or_default();
            values.iter().for_each(|(key, value)| texts(key, value, &mut found));
        }
    }
    found
}

fn given(from: &str, text: &Blob, secrecy: Secrecy, limits: &Limits) -> Result<Map<String, Value>, Vec<Problem>> {
    parse(from, text.bytes(), limits).map_err(|found| match secrecy {
        Secrecy::Plain => found,
        // A reader's words may show what it read.
        Secrecy::Secret => vec![Problem::new("InvalidValues", format!("the values in {from} are no YAML"))],
    })
}

/// A file beside the chart, and whether it was encrypted.
fn file(
    record: &Recorder<'_>,
    folder: &str,
    path: &str,
    limits: &Limits,
) -> Result<(Map<String, Value>, Secrecy), Vec<Problem>> {
    let one = |problem: Problem| vec![problem];
    let Some(at) = resolve(folder, path) else {
        let message = format!("the values file {path:?} is outside the repository");
        let problem = Problem::new("FileOutside", message);
        return Err(one(problem.hint("a path with / at its head starts at the root of it")));
    };
    let bytes = match record.read(&at, limits.file_bytes) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            let message = format!("there is no values file {at:?}");
            return Err(one(Problem::new("FileNotFound", message).in_file(at, None)));
        }
        Err(error) => return Err(one(unreadable(&at, &error))),
    };
    if let Some(problem) = kept_elsewhere(&bytes) {
        return Err(one(problem.in_file(at, Some(1))));
    }
    let kept = record.kept(&at, limits.file_bytes).ok().flatten();
    let secrecy = if kept.as_ref() == Some(&bytes) { Secrecy::Plain } else { Secrecy::Secret };
    Ok((parse(&at, &bytes, limits)?, secrecy))
}

/// A path from a folder, or with `/` at its head from the root; `None` where it leaves the root.
pub fn resolve(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = if path.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    parts.retain(|part| !part.is_empty());
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.iter().fold(String::new(), |folder, part| join(&folder, part)))
}

fn parse(from: &str, bytes: &[u8], limits: &Limits) -> Result<Map<String, Value>, Vec<Problem>> {
    let (documents, problems) = yaml::read(from, bytes, &limits.yaml());
    if !problems.is_empty() {
        return Err(problems);
    }
    let wrong = |line, message: &str| Err(vec![Problem::new("InvalidValues", message).in_file(from, line)]);
    match <[_; 1]>::try_from(documents) {
        Ok([document]) => match document.value {
            Value::Object(fields) => Ok(fields),
            _ => wrong(Some(document.line), "values are a mapping, and this is none"),
        },
        Err(none) if none.is_empty() => Ok(Map::new()),
        Err(several) => wrong(Some(several[1].line), "values are one document, and here is another"),
    }
}

/// Mappings are merged; anything else replaces what was there, null too, by which Helm takes away
/// what the chart says.
pub fn merge(base: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(base)), Value::Object(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Texts and numbers, each with the last key on the way to it.
fn texts(key: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) if !text.is_empty() => found.push((key.to_owned(), text.clone())),
        Value::Number(number) => found.push((key.to_owned(), number.to_string())),
        Value::Array(items) => items.iter().for_each(|item| texts(key, item, found)),
        Value::Object(fields) => fields.iter().for_each(|(key, field)| texts(key, field, found)),
        Value::String(_) | Value::Bool(_) | Value::Null => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::render::MemTree;

    fn text(from: &str, text: &str, secrecy: Secrecy) -> Layer {
        Layer::Text { from: from.to_owned(), text: Blob::new(text), secrecy }
    }

    #[test]
    fn the_last_layer_counts_and_mappings_are_merged() {
        let tree = MemTree::new()
            .file("web/a.yaml", "x: {a: 1, b: [1, 2]}\nother: 1\n")
            .file("b.yaml", "x: {b: [3]}\nother: null\n");
        let record = Recorder::new(&tree);
        let layers = [
            Layer::File("a.yaml".to_owned()),
            Layer::File("../b.yaml".to_owned()),
            text("Secret s", "x: {c: hidden-value, d: 12345}", Secrecy::Secret),
            text("spec.helm.values", "x: {a: 2}", Secrecy::Plain),
        ];
        let (values, secrets) = merged(&record, "web", &layers, &Limits::default()).expect("merges");
        assert_eq!(values, json!({"x": {"a": 2, "b": [3], "c": "hidden-value", "d": 12345}, "other": null}));
        assert_eq!(secrets, [Blob::new("hidden-value"), Blob::new("12345")]);
        let read: Vec<_> = record.into_read_set().records.into_iter().map(|record| record.path).collect();
        assert_eq!(read, ["b.yaml", "web/a.yaml"]);
    }

    #[test]
    fn what_is_wrong_with_values_is_told_with_its_place_and_never_shows_a_secret() {
        let tree = MemTree::new()
            .file("web/list.yaml", "- a\n")
            .file("web/two.yaml", "a: 1\n---\nb: 1\n")
            .file("web/bad.yaml", "a: [\n");
        let record = Recorder::new(&tree);
        for (layer, told) in [
            (
                Layer::File("list.yaml".to_owned()),
                "web/list.yaml:1: values are a mapping, and this is none (InvalidValues)",
            ),
            (
                Layer::File("two.yaml".to_owned()),
                "web/two.yaml:3: values are one document, and here is another (InvalidValues)",
            ),
            (
                Layer::File("none.yaml".to_owned()),
                "web/none.yaml: there is no values file \"web/none.yaml\" (FileNotFound)",
            ),
            (Layer::File("../../x".to_owned()), "the values file \"../../x\" is outside the repository (FileOutside)"),
            (text("Secret s", "a: [canary", Secrecy::Secret), "the values in Secret s are no YAML (InvalidValues)"),
        ] {
            let problems = merged(&record, "web", &[layer], &Limits::default()).expect_err(told);
            assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [told]);
        }
    }
}

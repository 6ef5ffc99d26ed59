//! From what Helm prints to objects: each with the template it came from, hooks in their places.

use serde_json::{Map, Value};

use super::place::Places;
use crate::object::{Cause, Causes, Manifest, Problem, annotation, yaml};
use crate::render::Options;
use crate::render::objects::File;

const HOOK: &str = "helm.sh/hook";
const WEIGHT: &str = "helm.sh/hook-weight";
const POLICY: &str = "helm.sh/resource-policy";

/// The line by which Helm says which template printed what follows.
const SOURCE: &str = "# Source: ";

/// Objects in Helm's order, and what is wrong with them.
pub fn read(printed: &[u8], places: &Places, options: &Options) -> (Vec<Manifest>, Vec<Problem>) {
    let (mut manifests, mut problems) = (Vec::new(), Vec::new());
    for (source, bytes) in parts(printed) {
        let path = source.map_or_else(|| places.chart(), |source| places.file(source));
        let (documents, found) = yaml::read(&path, bytes, &options.yaml());
        let mut file = File::new(&path, bytes, options);
        file.problems = found;
        documents.into_iter().for_each(|document| file.add(document));
        for mut manifest in file.manifests {
            // Which line of the template printed it, nobody knows.
            (manifest.origin.line, manifest.origin.document) = (1, 1);
            if manifest.causes.is_some() {
                let cause = |_: &str| Cause { file: path.clone(), line: None, by: "Helm".to_owned() };
                manifest.causes = Some(Box::new(Causes::of(&manifest.body, "", &cause)));
            }
            if place(&mut manifest.body) == Place::Here {
                manifests.push(manifest);
            }
        }
        problems.extend(file.problems.into_iter().map(placed));
    }
    (manifests, problems)
}

/// A line of what was printed is none of the template.
fn placed(mut problem: Problem) -> Problem {
    if let Some(line) = problem.line.take() {
        problem.message = format!("{}, in line {line} of what the template prints", problem.message);
    }
    problem
}

/// What each template printed, with Helm's name of it.
fn parts(printed: &[u8]) -> Vec<(Option<&str>, &[u8])> {
    let mut parts: Vec<(Option<&str>, usize, usize)> = vec![(None, 0, 0)];
    let (mut at, mut separated) = (0, true);
    for line in printed.split_inclusive(|byte| *byte == b'\n') {
        let end = at + line.len();
        let text = std::str::from_utf8(line).unwrap_or_default().trim_end();
        if separated && let Some(source) = text.strip_prefix(SOURCE) {
            parts.push((Some(source.trim()), end, end));
        } else if let Some((_, _, until)) = parts.last_mut() {
            *until = end;
        }
        separated = text == "---";
        at = end;
    }
    parts.into_iter().map(|(source, from, to)| (source, &printed[from..to])).collect()
}

/// What becomes of an object.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// It is one of the release's.
    Here,
    /// It is a hook of something that never happens here.
    Nowhere,
}

/// Puts Helm's annotations into the words of this project.
fn place(body: &mut Value) -> Place {
    let kind = body.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let job = kind == "Job" && body.get("apiVersion").and_then(Value::as_str).is_some_and(|v| v.starts_with("batch/"));
    let Some(Value::Object(annotations)) = body.pointer_mut("/metadata/annotations") else { return Place::Here };
    if annotations.get(POLICY).and_then(Value::as_str).is_some_and(|policy| policy.trim() == "keep") {
        set(annotations, annotation::PRUNE, "disabled");
    }
    let Some(events) = annotations.get(HOOK).and_then(Value::as_str) else { return Place::Here };
    let events: Vec<String> = events.split(',').map(|event| event.trim().to_ascii_lowercase()).collect();
    let any = |names: [&str; 2]| events.iter().any(|event| names.contains(&event.as_str()));
    let phase = if any(["pre-install", "pre-upgrade"]) {
        "before"
    } else if any(["post-install", "post-upgrade"]) {
        "after"
    } else {
        return Place::Nowhere;
    };
    if job {
        set(annotations, annotation::PHASE, phase);
        if let Some(weight) = annotations.get(WEIGHT).and_then(Value::as_str).map(str::to_owned) {
            set(annotations, annotation::ORDER, &weight);
        }
    }
    Place::Here
}

/// Sets an annotation that the template does not set itself.
fn set(annotations: &mut Map<String, Value>, key: &str, value: &str) {
    annotations.entry(key).or_insert_with(|| value.into());
}

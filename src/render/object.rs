//! Whether a value is an object that can be applied, and everything that keeps it from being one.

use serde_json::Value;

use super::objects::meant;
use super::sops;
use crate::object::mask::is_secret_object;
use crate::object::{Manifest, ObjectId, Origin, Problem, split_api_version};

/// What is wrong with an object, and where in it.
#[derive(Debug)]
pub struct Fault {
    /// JSON pointer into the object; empty for the whole.
    pub pointer: String,
    /// What is wrong, of no place yet.
    pub problem: Problem,
}

/// What the parts of an identity may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// As the API server takes them.
    Settled,
    /// There may be variables in them, which are put in later.
    WithVariables,
    /// Whatever they are, and labels and annotations that are no texts as well.
    Any,
}

/// How an object is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the parts of its identity may be.
    pub names: Names,
    /// Whether cipher texts stand in a Secret for what nobody may know here.
    pub sealed: bool,
}

impl From<Names> for Reading {
    fn from(names: Names) -> Self {
        Self { names, sealed: false }
    }
}

/// The manifest of a value, or all that is wrong with it.
pub fn manifest(body: Value, origin: Origin, how: impl Into<Reading>) -> Result<Manifest, Vec<Fault>> {
    let Reading { names, sealed } = how.into();
    if !body.is_object() {
        return Err(vec![no_object(&body)]);
    }
    let api_version = body.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let metadata = &body["metadata"];
    let (namespace, name) = (text(metadata.get("namespace")), text(metadata.get("name")));
    let id = ObjectId::new(namespace, name, split_api_version(&api_version).0, text(body.get("kind")));
    let mut faults = missing(&body);
    if faults.is_empty() {
        if names != Names::Any {
            faults.extend(not_texts(&body));
        }
        faults.extend(encrypted(&body));
        if !sealed {
            faults.extend(cipher_texts(&body));
        }
        for fault in &mut faults {
            fault.problem.object = Some(id.to_string());
        }
        if names != Names::Any {
            // What is no name is not printed as one.
            faults.extend(malformed(&id, &api_version, names));
        }
    }
    if faults.is_empty() { Ok(Manifest::new(origin, id, api_version, body)) } else { Err(faults) }
}

pub fn fault(pointer: impl Into<String>, problem: Problem) -> Fault {
    Fault { pointer: pointer.into(), problem }
}

fn no_object(body: &Value) -> Fault {
    let problem = Problem::new("NotAnObject", format!("the document is {}, not an object", a(body)));
    fault(
        "",
        match body {
            Value::Array(_) => {
                problem.hint("separate objects by a line `---`, or put them into the items of a `kind: List`")
            }
            _ => problem.hint("files that are no manifests are left out by a .tandemignore"),
        },
    )
}

/// What every object has and this one has not.
fn missing(body: &Value) -> Vec<Fault> {
    let empty = |field: &str| matches!(body.get(field), None | Some(Value::Null));
    let lacking: Vec<&str> = ["apiVersion", "kind", "metadata"].into_iter().filter(|field| empty(field)).collect();
    if !lacking.is_empty() {
        let problem = Problem::new("NotAnObject", format!("the object has no {}", lacking.join(" and no ")));
        let slip = lacking.iter().find_map(|wanted| Some((meant(body, wanted)?, *wanted)));
        return vec![match slip {
            Some((written, wanted)) => {
                fault(format!("/{}", pointer_part(written)), problem.hint(format!("{written:?} is written {wanted:?}")))
            }
            None if body.get("kind").is_some_and(|kind| kind == "List") => {
                fault("", problem.hint("a list of objects has apiVersion: v1"))
            }
            None if lacking.len() == 3 => {
                fault("", problem.hint("files that are no manifests are left out by a .tandemignore"))
            }
            None => fault("", problem),
        }];
    }
    let mut faults = Vec::new();
    for field in ["apiVersion", "kind"] {
        faults.extend(not_text(&body[field], field));
    }
    let metadata = &body["metadata"];
    if !metadata.is_object() {
        let message = format!("metadata is {}, not a mapping", a(metadata));
        faults.push(fault("/metadata", Problem::new("NotAnObject", message)));
        return faults;
    }
    if let None | Some(Value::Null) = metadata.get("name") {
        faults.push(nameless(body, metadata));
    } else {
        faults.extend(not_text(&metadata["name"], "metadata.name"));
    }
    if !matches!(metadata.get("namespace"), None | Some(Value::Null)) {
        faults.extend(not_text(&metadata["namespace"], "metadata.namespace"));
    }
    faults
}

fn nameless(body: &Value, metadata: &Value) -> Fault {
    if metadata.get("generateName").is_some() {
        let message = "metadata.generateName makes a new object at every apply";
        let hint = "give it a metadata.name; a Job that runs again after a change needs no new name";
        return fault("/metadata/generateName", Problem::new("GenerateNameNotSupported", message).hint(hint));
    }
    let problem = Problem::new("NotAnObject", "the object has no metadata.name");
    if let Some(written) = meant(metadata, "name") {
        let hint = format!("{written:?} is written \"name\"");
        return fault(format!("/metadata/{}", pointer_part(written)), problem.hint(hint));
    }
    if body.get("name").is_some() {
        return fault("/name", problem.hint("`name` belongs below metadata: indent it by two spaces"));
    }
    fault("/metadata", problem)
}

/// A field that has to be a text, and is none or an empty one.
fn not_text(value: &Value, field: &str) -> Option<Fault> {
    let what = match value {
        Value::String(text) if !text.is_empty() => return None,
        Value::String(_) => "is empty".to_owned(),
        other => format!("is {}, not a text", a(other)),
    };
    let problem = Problem::new("NotAnObject", format!("{field} {what}"));
    Some(fault(
        format!("/{}", field.replace('.', "/")),
        match value {
            Value::Number(_) | Value::Bool(_) => problem.hint("put it in quotes"),
            _ => problem,
        },
    ))
}

/// Parts of the identity that no API server takes, and that would mean another address.
fn malformed(id: &ObjectId, api_version: &str, names: Names) -> Vec<Fault> {
    let settled = |text: &str| names == Names::Settled || !text.contains("${");
    let dns = |text: &str| {
        !text.is_empty()
            && text.len() <= 253
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
    };
    let version = api_version.rsplit('/').next().unwrap_or_default();
    let bad = |pointer: &str, message: &str| Some(fault(pointer, Problem::new("InvalidObject", message)));
    let mut faults = Vec::new();
    let group_or_version = api_version.matches('/').count() > 1 || !dns(version);
    if settled(api_version) && (group_or_version || (api_version.contains('/') && !dns(&id.group))) {
        faults.extend(bad("/apiVersion", "apiVersion is not of the form `version` or `group/version`"));
    }
    if settled(&id.kind) && !id.kind.bytes().all(|b| b.is_ascii_alphanumeric()) {
        faults.extend(bad("/kind", "kind has characters other than letters and digits"));
    }
    let name = &id.name;
    let odd = matches!(name.as_str(), "." | "..")
        || name.len() > 253
        || name.contains(['/', '%'])
        || name.chars().any(char::is_control);
    if settled(name) && odd {
        faults.extend(bad(
            "/metadata/name",
            "metadata.name is no name: it is `.` or `..`, too long, or has `/`, `%` or a control character in it",
        ));
    }
    let namespace = &id.namespace;
    if settled(namespace)
        && !namespace.is_empty()
        && (!dns(namespace) || namespace.contains('.') || namespace.len() > 63)
    {
        faults.extend(bad(
            "/metadata/namespace",
            "metadata.namespace is no name of a namespace: lower-case letters, digits and `-`, at most 63 of them",
        ));
    }
    faults
}

/// Labels and annotations are texts; `true` and `8080` without quotes are not, and the API server
/// would refuse the whole object for one of them without saying where.
fn not_texts(body: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    for field in ["labels", "annotations"] {
        match &body["metadata"][field] {
            Value::Null => {}
            Value::Object(entries) => {
                for (key, value) in entries.iter().filter(|(_, value)| !value.is_string() && !value.is_null()) {
                    let message = format!("the value of metadata.{field} {key:?} is {}, not a text", a(value));
                    let problem = Problem::new("InvalidObject", message).hint("put it in quotes");
                    faults.push(fault(format!("/metadata/{field}/{}", pointer_part(key)), problem));
                }
            }
            other => {
                let message = format!("metadata.{field} is {}, not a mapping", a(other));
                faults.push(fault(format!("/metadata/{field}"), Problem::new("InvalidObject", message)));
            }
        }
    }
    faults
}

/// A manifest that SOPS encrypted. Applied as it is, it would put cipher text where a secret is
/// expected.
fn encrypted(body: &Value) -> Option<Fault> {
    if !sops::is_metadata(body) {
        return None;
    }
    let problem =
        Problem::new("EncryptedManifest", "the manifest has SOPS' own data, and stands in no file that SOPS encrypted");
    Some(fault("/sops", problem.hint("encrypt the whole file with SOPS, and commit it as SOPS wrote it")))
}

/// Values of a Secret that are still as SOPS wrote them, whatever became of its own data.
fn cipher_texts(body: &Value) -> Vec<Fault> {
    if !is_secret_object(body) {
        return Vec::new();
    }
    let still = |value: &Value| value.as_str().is_some_and(|text| sops::MARKS.iter().any(|m| text.starts_with(m)));
    let fields = ["data", "stringData"].map(|field| (field, body[field].as_object()));
    let values =
        fields.iter().flat_map(|(field, values)| values.iter().flat_map(move |v| v.iter().map(move |e| (field, e))));
    values
        .filter(|(_, (_, value))| still(value))
        .map(|(field, (key, _))| {
            let message = format!("{field} {key:?} is the cipher text that SOPS wrote, not a secret");
            let hint = "encrypt the whole file with SOPS again, and commit it as SOPS wrote it";
            let problem = Problem::new("EncryptedManifest", message).hint(hint);
            fault(format!("/{field}/{}", pointer_part(key)), problem)
        })
        .collect()
}

pub fn pointer_part(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// What a value is, in words.
fn a(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

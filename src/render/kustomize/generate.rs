//! ConfigMaps and Secrets from files and texts: `configMapGenerator` and `secretGenerator`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::resource::{Behavior, Resource};
use super::select::scalar_text;
use super::types::{Generator, GeneratorOptions};
use crate::object::{Origin, yaml};

/// The longest line of an env file. kustomize drops a longer one and all behind it without a word.
const MAX_LINE: usize = 64 * 1024;

/// Base64 is broken into lines of this length, as kustomize breaks it.
const BASE64_LINE: usize = 70;

/// Reads a file by the path that the kustomization gives.
pub type Read<'a> = dyn FnMut(&str) -> Result<Vec<u8>, String> + 'a;

/// The ConfigMap of one entry of `configMapGenerator`; `options` are the kustomization's
/// `generatorOptions`. Its origin is still to be set.
///
/// Keys are not checked, as in kustomize: the API server does that.
pub fn config_map(
    args: &Generator,
    options: Option<&GeneratorOptions>,
    read: &mut Read<'_>,
) -> Result<Resource, String> {
    let (mut data, mut binary) = (Map::new(), Map::new());
    for (key, value) in pairs("ConfigMap", args, read)? {
        match String::from_utf8(value) {
            Ok(text) => data.insert(key, Value::from(text)),
            Err(bytes) => binary.insert(key, Value::from(base64(bytes.as_bytes()))),
        };
    }
    let mut body = json!({"apiVersion": "v1", "kind": "ConfigMap"});
    for (field, fields) in [("data", data), ("binaryData", binary)] {
        if !fields.is_empty() {
            body[field] = Value::Object(fields);
        }
    }
    Ok(finished(body, args, options))
}

/// The Secret of one entry of `secretGenerator`; see [`config_map`].
pub fn secret(args: &Generator, options: Option<&GeneratorOptions>, read: &mut Read<'_>) -> Result<Resource, String> {
    let pairs = pairs("Secret", args, read)?;
    let data: Map<_, _> = pairs.into_iter().map(|(key, value)| (key, Value::from(base64(&value)))).collect();
    let kind = if args.secret_type.is_empty() { "Opaque" } else { &args.secret_type };
    Ok(finished(json!({"apiVersion": "v1", "kind": "Secret", "type": kind, "data": data}), args, options))
}

/// Lays a generated object over one of the same name, as its behavior says.
///
/// The older one gives name, namespace and history; labels and annotations of both are kept, the
/// generated ones first. All else comes from the generated one, but for `merge`, which keeps data
/// of the older one where the generated one has none of that key.
pub fn absorb(existing: &mut Resource, generated: Resource) -> Result<(), String> {
    let mut body = generated.body;
    match generated.behavior {
        Behavior::Create => {
            return Err(format!(
                "{} is there already; set behavior of its generator to merge or replace, or give it another name",
                existing.label()
            ));
        }
        Behavior::Replace => existing.origin = generated.origin,
        Behavior::Merge => {
            let is_secret = body["kind"] == "Secret" && body["apiVersion"] == "v1";
            let mut data = texts(existing.body.get("data"));
            if is_secret {
                for (key, text) in string_data(existing)? {
                    data.insert(key, base64(text.as_bytes()));
                }
            }
            let binary = texts(existing.body.get("binaryData"));
            for (field, mut merged) in [("data", data), ("binaryData", binary)] {
                merged.extend(texts(body.get(field)));
                put(&mut body, field, merged);
            }
        }
    }
    for field in ["labels", "annotations"] {
        let mut merged = texts(existing.body.get("metadata").and_then(|metadata| metadata.get(field)));
        merged.extend(texts(body["metadata"].get(field)));
        put(&mut body["metadata"], field, merged);
    }
    body["metadata"]["name"] = Value::from(existing.name());
    if existing.namespace().is_empty() {
        if let Some(metadata) = body["metadata"].as_object_mut() {
            metadata.remove("namespace");
        }
    } else {
        body["metadata"]["namespace"] = Value::from(existing.namespace());
    }
    existing.body = body;
    existing.sharing.forget();
    existing.in_brackets = false;
    existing.needs_hash &= generated.needs_hash;
    Ok(())
}

/// What the API server makes `data` of.
fn string_data(secret: &Resource) -> Result<BTreeMap<String, String>, String> {
    let fields = match secret.body.get("stringData") {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(fields)) => fields,
        Some(_) => {
            return Err(format!("stringData of {} is no mapping, so nothing can be merged into it", secret.label()));
        }
    };
    if let Some((key, _)) = fields.iter().find(|(_, value)| value.is_object() || value.is_array()) {
        return Err(format!("stringData {key:?} of {} is no text, so nothing can be merged into it", secret.label()));
    }
    Ok(texts(secret.body.get("stringData")))
}

/// A mapping of texts; what is none counts as its text, and no mapping as an empty one.
fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| if value.is_object() || value.is_array() { String::new() } else { scalar_text(value) };
    let fields = value.and_then(Value::as_object);
    fields.map(|fields| fields.iter().map(|(key, value)| (key.clone(), text(value))).collect()).unwrap_or_default()
}

/// Puts a mapping into an object, or removes it where it is empty.
fn put(object: &mut Value, field: &str, texts: BTreeMap<String, String>) {
    let Some(fields) = object.as_object_mut() else { return };
    if texts.is_empty() {
        fields.remove(field);
    } else {
        fields.insert(field.to_owned(), json!(texts));
    }
}

/// Labels, annotations, `immutable`, and what the build has to know of a generated object. An
/// option of the generator itself wins over that of all, but a flag set for all cannot be unset.
fn finished(mut body: Value, args: &Generator, global: Option<&GeneratorOptions>) -> Resource {
    body["metadata"] = json!({"name": args.name});
    if !args.namespace.is_empty() {
        body["metadata"]["namespace"] = Value::from(&*args.namespace);
    }
    let own = args.options.as_ref();
    let both = || global.into_iter().chain(own);
    let labels: BTreeMap<_, _> = both().flat_map(|options| options.labels.clone()).collect();
    let annotations: BTreeMap<_, _> = both().flat_map(|options| options.annotations.clone()).collect();
    put(&mut body["metadata"], "labels", labels);
    put(&mut body["metadata"], "annotations", annotations);
    if both().any(|options| options.immutable) {
        body["immutable"] = Value::from(true);
    }
    let nowhere = Origin { file: String::new(), line: 0, document: 0 };
    let mut resource = Resource::new(body, nowhere);
    resource.needs_hash = !both().any(|options| options.disable_name_suffix_hash);
    resource.behavior = match &*args.behavior {
        "merge" => Behavior::Merge,
        "replace" => Behavior::Replace,
        _ => Behavior::Create,
    };
    resource.annotated = true;
    resource
}

/// All keys with their values.
fn pairs(kind: &str, args: &Generator, read: &mut Read<'_>) -> Result<BTreeMap<String, Vec<u8>>, String> {
    if args.name.is_empty() {
        return Err(format!("the generator of a {kind} has no name; give it one"));
    }
    let mut all = BTreeMap::new();
    let mut add = |key: String, value: Vec<u8>, source: &str| {
        let told = format!("{source} of generator {:?}", args.name);
        if !yaml::is_text(&key) {
            return Err(format!(
                "{told} has the key {key:?}, which reads as no text: kustomize writes it without quotes"
            ));
        }
        if kind == "ConfigMap" && value.starts_with(b"\t") && value.contains(&b'\n') {
            return Err(format!(
                "{told} has a text that starts with a tab under {key:?}: kustomize cannot read it again"
            ));
        }
        match all.insert(key.clone(), value) {
            Some(_) => Err(format!("{told} has the key {key:?} a second time; remove one")),
            None => Ok(()),
        }
    };
    let env = (!args.env.is_empty()).then_some(&args.env);
    for path in args.envs.iter().chain(env) {
        for (key, value) in env_file(path, &read(path)?)? {
            add(key, value.into_bytes(), path)?;
        }
    }
    for literal in &args.literals {
        let (key, value) = literal.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
            format!("literals of generator {:?} have {literal:?}, which is not of the form key=value", args.name)
        })?;
        add(key.to_owned(), unquoted(value).as_bytes().to_vec(), "literals")?;
    }
    for source in &args.files {
        let (key, path) = file_source(source)?;
        add(key.to_owned(), read(path)?, "files")?;
    }
    Ok(all)
}

/// One pair of quotes of the same kind is taken off.
fn unquoted(text: &str) -> &str {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

/// Key and path of an entry of `files`.
fn file_source(source: &str) -> Result<(&str, &str), String> {
    match source.split_once('=') {
        None => Ok((base_name(source), source)),
        Some((_, path)) if path.contains('=') => {
            Err(format!("files has {source:?}: there is more than one `=` in it; rename the file or the key"))
        }
        Some(("", path)) => Err(format!("files has {source:?}: the key before {path:?} is missing")),
        Some((key, "")) => Err(format!("files has {source:?}: the path behind {key:?} is missing")),
        Some(pair) => Ok(pair),
    }
}

/// The last part of a path.
fn base_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit('/').next().unwrap_or(trimmed) {
        "" if path.is_empty() => ".",
        "" => "/",
        name => name,
    }
}

/// The lines of an env file. A line without `=` has an empty value; one without a key is left out.
fn env_file(path: &str, content: &[u8]) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    for (at, line) in content.split(|byte| *byte == b'\n').enumerate() {
        if line.len() >= MAX_LINE {
            return Err(format!("{path}: line {} is longer than 64 KiB; use files for a value of that size", at + 1));
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(line) = std::str::from_utf8(line) else {
            return Err(format!("{path}: line {} is not UTF-8; use files for binary values", at + 1));
        };
        let line = if at == 0 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
        let line = line.trim_start();
        if line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if !key.is_empty() {
            found.push((key.to_owned(), value.to_owned()));
        }
    }
    Ok(found)
}

/// Base64, broken into lines where it is long.
fn base64(content: &[u8]) -> String {
    let text = STANDARD.encode(content);
    if text.len() < BASE64_LINE {
        return text;
    }
    let mut lines = String::with_capacity(text.len() + text.len() / BASE64_LINE + 1);
    let mut rest = &*text;
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(BASE64_LINE));
        lines.push_str(line);
        lines.push('\n');
        rest = more;
    }
    lines
}

#[cfg(test)]
#[path = "tests/generate.rs"]
mod tests;

//! Fields within texts that hold JSON or YAML themselves, like a file in a ConfigMap.

use serde_json::Value;

use super::path::{Made, each, lookup};
use super::value::Copied;
use super::written;
use crate::object::yaml;
use crate::render::Allowance;
use crate::render::kustomize::go_json;
use crate::render::kustomize::types::FieldOptions;

/// Reads a text as YAML: its first document, or null where it has none.
pub fn read(text: &str) -> Result<Value, String> {
    let (documents, problems) = yaml::read_as(yaml::Dialect::Kustomize, "", text.as_bytes(), &yaml::Limits::default());
    match (problems.into_iter().next(), documents.into_iter().next()) {
        (Some(problem), _) => Err(format!("the text cannot be read as YAML: {}", problem.message)),
        (None, document) => Ok(document.map_or(Value::Null, |document| document.value)),
    }
}

/// Sets a field within a text, and says whether there is one: where the path leads on below a
/// text, and the text has a field there.
///
/// # Errors
/// Where the text is YAML of a form that would not be written again as kustomize does.
pub fn set(
    body: &mut Value,
    parts: &[String],
    copied: &Copied,
    options: Option<&FieldOptions>,
    allowance: &Allowance,
) -> Result<bool, String> {
    let mut outer = None;
    for count in 1..parts.len() {
        if let Ok(Some(Value::String(text))) = lookup(body, &parts[..count]) {
            allowance.work(text.len())?;
            let Ok(value) = read(text) else { continue };
            outer = Some((count, text.clone(), value));
            break;
        }
    }
    let Some((count, text, mut value)) = outer else { return Ok(false) };
    let create = options.filter(|options| options.create).map(|_| copied.shape());
    let (outside, inside) = parts.split_at(count);
    // JSON is all brackets.
    let set = &mut |field: &mut Value, made| {
        let made = if made == Made::Not { made } else { Made::InBrackets };
        copied.set(field, made, options, allowance)
    };
    let done = each(&mut value, inside, create, Made::Not, set);
    if allowance.is_passed() {
        return done.map(|_| false);
    }
    let is_json = text.trim_start().starts_with(['{', '[']);
    let written = match done {
        Ok(1..) if is_json && text.contains('\n') && text.contains("  ") => go_json::pretty(&value),
        Ok(1..) if is_json => go_json::compact(&value),
        // A text keeps its type there whatever is written into it.
        Ok(0) => return Ok(false),
        Err(_) if is_json || !(value.is_object() || value.is_array()) => return Ok(false),
        Ok(_) | Err(_) => {
            let unsure = |why: String| {
                format!(
                    "{} is a text of YAML in which no fields are replaced: {why}; write it as JSON, or replace a part of \
                     it with options.delimiter",
                    outside.join(".")
                )
            };
            let mut document = written::read(&text).map_err(unsure)?;
            let set = &mut |node: &mut written::Node| copied.write(node, options);
            match written::each(&mut document.root, inside, create.is_some(), set) {
                Ok(1..) => written::print(&document),
                Ok(0) | Err(_) => return Ok(false),
            }
        }
    };
    allowance.resized(text.len() as u64, written.len() as u64)?;
    each(body, outside, None, Made::Not, &mut |field, _| {
        *field = Value::from(&*written);
        Ok(())
    })?;
    Ok(true)
}

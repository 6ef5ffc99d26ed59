//! Fields within texts that hold JSON or YAML themselves, like a file in a ConfigMap.

use serde_json::Value;

use super::path::{each, lookup};
use super::value::Copied;
use crate::object::yaml;
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
/// Where the text is YAML: kustomize writes that anew with its comments.
pub fn set(
    body: &mut Value,
    parts: &[String],
    copied: &Copied,
    options: Option<&FieldOptions>,
) -> Result<bool, String> {
    let mut outer = None;
    for count in 1..parts.len() {
        if let Ok(Some(Value::String(text))) = lookup(body, &parts[..count])
            && let Ok(value) = read(text)
        {
            outer = Some((count, text.clone(), value));
            break;
        }
    }
    let Some((count, text, mut value)) = outer else { return Ok(false) };
    let create = options.filter(|options| options.create).map(|_| copied.shape());
    let done = each(&mut value, &parts[count..], create, false, &mut |field, made| copied.set(field, made, options));
    if !done.is_ok_and(|found| found > 0) {
        return Ok(false);
    }
    if !text.trim_start().starts_with(['{', '[']) {
        return Err(format!(
            "{} is a text of YAML, and fields within such a text are not replaced; write the text as JSON, or replace a \
             part of it with options.delimiter",
            parts[..count].join(".")
        ));
    }
    let pretty = text.contains('\n') && text.contains("  ");
    let written = if pretty { go_json::pretty(&value) } else { go_json::compact(&value) };
    each(body, &parts[..count], None, false, &mut |field, _| {
        *field = Value::from(&*written);
        Ok(())
    })?;
    Ok(true)
}

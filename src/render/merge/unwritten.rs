//! Fields of an object for which nothing is written, as in `annotations:` with nothing below.

use serde_json::Value;

use super::schema::{Known, Schema};
use super::strategic::Walk;
use crate::render::Allowance;

/// Drops them from an object that a strategic merge patch is laid on, wherever that patch may lead: into mappings, and
/// into lists that are merged by key. A null that is written, as `null` or `~`, stays.
///
/// `paths` are the names that lead to them, as the object was read; what is neither null nor an empty text any more was
/// changed since.
///
/// # Errors
/// Where more work than the limit would be done.
pub fn drop_unwritten(
    target: &mut Value,
    paths: &[Vec<String>],
    schema: &Schema,
    allowance: &Allowance,
) -> Result<(), String> {
    for path in paths {
        allowance.work(path.len())?;
        drop_one(Walk { schema, allowance }, target, None, path);
    }
    Ok(())
}

fn drop_one<'a>(walk: Walk<'a>, value: &mut Value, known: Option<Known<'a>>, path: &[String]) {
    let Some((name, below)) = path.split_first() else { return };
    let known = known.or_else(|| walk.by_kind(Some(value)));
    match value {
        Value::Object(fields) if below.is_empty() => {
            let unwritten = fields.get(name).is_some_and(|value| value.is_null() || value == "");
            if unwritten {
                fields.remove(name);
            }
        }
        Value::Object(fields) => {
            if let Some(inner) = fields.get_mut(name) {
                drop_one(walk, inner, known.and_then(|known| known.field(name)), below);
            }
        }
        Value::Array(elements) => {
            let merged = known.filter(|known| known.keys().is_some());
            let at = name.parse::<usize>().ok();
            if let (Some(known), Some(element)) = (merged, at.and_then(|at| elements.get_mut(at))) {
                drop_one(walk, element, known.elements(), below);
            }
        }
        _ => {}
    }
}

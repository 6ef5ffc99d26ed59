//! Texts: cel-go's extension, version 2. Places are counted in characters.

use super::super::value::Value;
use super::super::{Budget, Fault, go};
use super::{Function, mistyped};

/// Bytes of a text that an expression may make.
pub(super) const LONGEST: usize = 8 << 20;

pub(super) fn find(name: &str) -> Option<Function> {
    let function: Function = match name {
        "contains" => |args, budget| match args {
            [Value::String(text), Value::String(part)] => {
                budget.charge(part.len() as u64 / 10)?;
                Ok(Value::Bool(text.contains(part.as_ref())))
            }
            _ => Err(mistyped()),
        },
        "startsWith" => |args, _| match args {
            [Value::String(text), Value::String(part)] => Ok(Value::Bool(text.starts_with(part.as_ref()))),
            _ => Err(mistyped()),
        },
        "endsWith" => |args, _| match args {
            [Value::String(text), Value::String(part)] => Ok(Value::Bool(text.ends_with(part.as_ref()))),
            _ => Err(mistyped()),
        },
        "charAt" => |args, _| match args {
            [Value::String(text), Value::Int(at)] => char_at(text, *at),
            _ => Err(mistyped()),
        },
        "lowerAscii" => |args, _| match args {
            [Value::String(text)] => Ok(Value::from(text.to_ascii_lowercase())),
            _ => Err(mistyped()),
        },
        "upperAscii" => |args, _| match args {
            [Value::String(text)] => Ok(Value::from(text.to_ascii_uppercase())),
            _ => Err(mistyped()),
        },
        "trim" => |args, _| match args {
            [Value::String(text)] => Ok(Value::from(text.trim())),
            _ => Err(mistyped()),
        },
        "replace" => |args, budget| match args {
            [Value::String(text), Value::String(old), Value::String(new)] => replace(text, old, new, -1, budget),
            [Value::String(text), Value::String(old), Value::String(new), Value::Int(times)] => {
                replace(text, old, new, *times, budget)
            }
            _ => Err(mistyped()),
        },
        "split" => |args, budget| match args {
            [Value::String(text), Value::String(by)] => split(text, by, -1, budget),
            [Value::String(text), Value::String(by), Value::Int(limit)] => split(text, by, *limit, budget),
            _ => Err(mistyped()),
        },
        "substring" => |args, _| match args {
            [Value::String(text), Value::Int(start)] => substring(text, *start, None),
            [Value::String(text), Value::Int(start), Value::Int(end)] => substring(text, *start, Some(*end)),
            _ => Err(mistyped()),
        },
        "strings.quote" => |args, _| match args {
            [Value::String(text)] => Ok(Value::from(quote(text))),
            _ => Err(mistyped()),
        },
        "join" => |args, budget| match args {
            [Value::List(items)] => join(items, "", budget),
            [Value::List(items), Value::String(by)] => join(items, by, budget),
            _ => Err(mistyped()),
        },
        _ => return None,
    };
    Some(function)
}

fn out_of_range(at: i64) -> Fault {
    Fault::telling(format!("index out of range: {at}"), "index out of range")
}

fn char_at(text: &str, at: i64) -> Result<Value, Fault> {
    let place = usize::try_from(at).map_err(|_| out_of_range(at))?;
    let mut rest = text.chars().skip(place);
    match rest.next() {
        Some(found) => Ok(Value::from(found.to_string())),
        None if text.chars().count() == place => Ok(Value::from("")),
        None => Err(out_of_range(at)),
    }
}

/// Where the part is first, at or after a place; places beyond the end find nothing.
pub(super) fn index_of(text: &str, part: &str, from: i64, budget: &mut Budget) -> Result<Value, Fault> {
    let start = usize::try_from(from).map_err(|_| out_of_range(from))?;
    let (text, part): (Vec<char>, Vec<char>) = (text.chars().collect(), part.chars().collect());
    if part.is_empty() {
        return Ok(place(start.min(text.len())));
    }
    budget.charge((text.len() * part.len()) as u64 / 100)?;
    let found = text.get(start..).and_then(|rest| rest.windows(part.len()).position(|window| window == part));
    Ok(found.map_or(Value::Int(-1), |at| place(at + start)))
}

/// Where the part is last, at or before a place.
pub(super) fn last_index_of(text: &str, part: &str, from: Option<i64>, budget: &mut Budget) -> Result<Value, Fault> {
    let (text, part): (Vec<char>, Vec<char>) = (text.chars().collect(), part.chars().collect());
    let from = match from {
        None if part.is_empty() => return Ok(place(text.len())),
        None if text.len() < part.len() => return Ok(Value::Int(-1)),
        None => i64::try_from(text.len()).unwrap_or(i64::MAX) - 1,
        Some(from) => from,
    };
    let end = usize::try_from(from).map_err(|_| out_of_range(from))?;
    if part.is_empty() {
        return Ok(place(end.min(text.len())));
    }
    if end >= text.len() {
        return Ok(Value::Int(-1));
    }
    budget.charge((text.len() * part.len()) as u64 / 100)?;
    let last = (end + part.len()).min(text.len());
    let found = text[..last].windows(part.len()).rposition(|window| window == part);
    Ok(found.map_or(Value::Int(-1), place))
}

fn place(at: usize) -> Value {
    Value::Int(i64::try_from(at).unwrap_or(i64::MAX))
}

fn replace(text: &str, old: &str, new: &str, times: i64, budget: &mut Budget) -> Result<Value, Fault> {
    let times = usize::try_from(times).unwrap_or(usize::MAX);
    let found = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    let longest = text.len().saturating_add(found.min(times).saturating_mul(new.len()));
    budget.charge(longest as u64 / 10)?;
    if longest > LONGEST {
        return Err(Fault::too_costly());
    }
    Ok(Value::from(text.replacen(old, new, times)))
}

/// As Go splits: by nothing, into characters; a limit of 0 gives nothing, a negative one has none.
fn split(text: &str, by: &str, limit: i64, budget: &mut Budget) -> Result<Value, Fault> {
    budget.charge(text.len() as u64)?;
    if limit == 0 {
        return Ok(Value::list(Vec::new()));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let parts: Vec<Value> = if by.is_empty() {
        let mut parts: Vec<Value> = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if parts.len() + 1 == limit {
                parts.push(Value::from(rest));
                break;
            }
            let (head, tail) = rest.split_at(c.len_utf8());
            parts.push(Value::from(head));
            rest = tail;
        }
        parts
    } else {
        text.splitn(limit, by).map(Value::from).collect()
    };
    Ok(Value::list(parts))
}

fn substring(text: &str, start: i64, end: Option<i64>) -> Result<Value, Fault> {
    let length = text.chars().count();
    if let Some(end) = end
        && start > end
    {
        let message = format!("invalid substring range. start: {start}, end: {end}");
        return Err(Fault::telling(message, "invalid substring range"));
    }
    let within = |at: i64| usize::try_from(at).ok().filter(|at| *at <= length).ok_or_else(|| out_of_range(at));
    let start = within(start)?;
    let end = end.map_or(Ok(length), within)?;
    Ok(Value::from(text.chars().skip(start).take(end - start).collect::<String>()))
}

/// Unlike Go's `%q`, what has no letter of its own stays as it is.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match go::escape(c) {
            Some(escaped) => quoted.push_str(escaped),
            None => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn join(items: &[Value], by: &str, budget: &mut Budget) -> Result<Value, Fault> {
    let mut length = by.len().saturating_mul(items.len());
    for item in items {
        let Value::String(text) = item else {
            if !matches!(items.first(), Some(Value::String(_))) {
                return Err(mistyped());
            }
            return Err(Fault::telling(
                format!("join: invalid input: {}", super::convert::plain(item)),
                "join: invalid input",
            ));
        };
        length = length.saturating_add(text.len());
    }
    budget.charge(items.len() as u64 + length as u64 / 10)?;
    if length > LONGEST {
        return Err(Fault::too_costly());
    }
    let texts: Vec<&str> = items
        .iter()
        .filter_map(|item| if let Value::String(text) = item { Some(text.as_ref()) } else { None })
        .collect();
    Ok(Value::from(texts.join(by)))
}

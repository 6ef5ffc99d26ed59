//! Regular expressions: those of Go's RE2, compiled by the crate `regex`.

use std::sync::Arc;

use regex::Regex;

use super::super::value::Value;
use super::super::{Budget, Fault};
use super::{Function, mistyped};

pub(super) fn find(name: &str) -> Option<Function> {
    let function: Function = match name {
        "matches" => |args, budget| dynamic("matches", args, budget),
        "find" => |args, budget| dynamic("find", args, budget),
        "findAll" => |args, budget| dynamic("findAll", args, budget),
        _ => return None,
    };
    Some(function)
}

/// A pattern that is not known before it is evaluated.
fn dynamic(name: &str, args: &[Value], budget: &mut Budget) -> Result<Value, Fault> {
    let [text, Value::String(pattern), rest @ ..] = args else { return Err(mistyped()) };
    budget.charge(100 + pattern.len() as u64)?;
    let compiled = compile(pattern).map_err(|why| {
        let message = if name == "matches" { why } else { format!("Illegal regex: {why}") };
        Fault::telling(message, "a regular expression cannot be compiled")
    })?;
    let args: Vec<_> = std::iter::once(text).chain(rest).cloned().collect();
    apply(name, &compiled, &args, budget)
}

/// Runs a pattern over a text; `args` are the text and what stood behind the pattern.
pub(in super::super) fn apply(
    name: &str,
    pattern: &Regex,
    args: &[Value],
    budget: &mut Budget,
) -> Result<Value, Fault> {
    let Some(Value::String(text)) = args.first() else {
        let types: Vec<_> = args.iter().map(Value::type_name).collect();
        return Err(Fault::new(format!("no such overload: {name}({}, string)", types.join(", "))));
    };
    let length = (text.len() as u64 / 10).max(1);
    budget.charge(1 + length.saturating_mul((pattern.as_str().len() as u64 / 4).max(1)))?;
    match (name, args) {
        ("matches", [_]) => Ok(Value::Bool(pattern.is_match(text))),
        ("find", [_]) => Ok(Value::from(pattern.find(text).map_or("", |found| found.as_str()))),
        ("findAll", [_]) => Ok(all(pattern, text, -1)),
        ("findAll", [_, Value::Int(limit)]) => Ok(all(pattern, text, *limit)),
        _ => Err(mistyped()),
    }
}

fn all(pattern: &Regex, text: &Arc<str>, limit: i64) -> Value {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Value::list(pattern.find_iter(text).take(limit).map(|found| Value::from(found.as_str())).collect())
}

/// Bytes that a compiled pattern may take.
const LARGEST: usize = 2 << 20;

/// Compiles a pattern of Go. What Go and this crate read differently is written so that it means what Go means, or
/// refused.
///
/// # Errors
/// Why it is none.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    let written = translate(pattern)?;
    let compiled = regex::RegexBuilder::new(&written).size_limit(LARGEST).build();
    compiled.map_err(|_| format!("error parsing regexp: `{pattern}`"))
}

/// The differences: classes of letters are ASCII in Go, some escapes are its own, and within brackets only `[:` is more
/// than a character.
fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern.chars().peekable();
    let mut in_class = false;
    let mut first_in_class = false;
    while let Some(c) = rest.next() {
        let was_first = std::mem::take(&mut first_in_class);
        match c {
            '\\' => {
                let escaped = rest.next().ok_or("error parsing regexp: trailing backslash at end of expression: ``")?;
                match escaped {
                    'd' | 'w' | 's' => {
                        let class = match escaped {
                            'd' => "0-9",
                            'w' => "0-9A-Za-z_",
                            _ => "\\t\\n\\x0C\\r ",
                        };
                        out.push_str(&if in_class { class.to_owned() } else { format!("[{class}]") });
                    }
                    'D' => out.push_str("[^0-9]"),
                    'W' => out.push_str("[^0-9A-Za-z_]"),
                    'S' => out.push_str("[^\\t\\n\\x0C\\r ]"),
                    'b' if !in_class => out.push_str("(?-u:\\b)"),
                    'B' if !in_class => return Err("\\B is not supported".to_owned()),
                    'Q' if !in_class => {
                        let mut quoted = String::new();
                        while let Some(c) = rest.next() {
                            if c == '\\' && rest.peek() == Some(&'E') {
                                rest.next();
                                break;
                            }
                            quoted.push(c);
                        }
                        out.push_str(&regex::escape(&quoted));
                    }
                    'C' | 'E' | 'G' | 'Z' | 'R' | 'X' | 'K' | '<' | '>' | 'b' | 'B' | 'u' | 'U' | 'h' | 'H' => {
                        if escaped.is_ascii_punctuation() {
                            out.push(escaped);
                        } else {
                            return Err(format!("error parsing regexp: invalid escape sequence: `\\{escaped}`"));
                        }
                    }
                    c => {
                        out.push('\\');
                        out.push(c);
                    }
                }
            }
            '[' if !in_class => {
                in_class = true;
                first_in_class = true;
                out.push('[');
                if rest.peek() == Some(&'^') {
                    rest.next();
                    out.push('^');
                }
            }
            '[' if rest.peek() == Some(&':') => {
                out.push_str("[:");
                rest.next();
                while let Some(c) = rest.next() {
                    out.push(c);
                    if c == ':' && rest.peek() == Some(&']') {
                        rest.next();
                        out.push(']');
                        break;
                    }
                }
            }
            '[' => out.push_str("\\["),
            ']' if in_class && was_first => out.push_str("\\]"),
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            // This crate has operators of sets here.
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '-' if in_class && rest.peek() == Some(&'-') => out.push_str("\\-"),
            c => out.push(c),
        }
    }
    Ok(out)
}

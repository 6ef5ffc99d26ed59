//! Versions, as the library that Kubernetes uses reads them (`blang/semver`).

use std::cmp::Ordering;
use std::sync::Arc;

use super::super::value::Value;
use super::super::{Fault, go};
use super::{Function, mistyped};

/// A version; build metadata makes no difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Semver {
    numbers: [u64; 3],
    before: Vec<Part>,
}

/// A part of what stands behind the dash. Numbers come before texts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Text(String),
}

pub(super) fn find(name: &str) -> Option<Function> {
    let function: Function = match name {
        "semver" => |args, _| {
            let parsed = parsed(args)?;
            parsed
                .map(|version| Value::Semver(Arc::new(version)))
                .map_err(|why| Fault::telling(why, "it is no version"))
        },
        "isSemver" => |args, _| Ok(Value::Bool(parsed(args)?.is_ok())),
        "major" => |args, _| number(args, 0),
        "minor" => |args, _| number(args, 1),
        "patch" => |args, _| number(args, 2),
        _ => return None,
    };
    Some(function)
}

fn number(args: &[Value], at: usize) -> Result<Value, Fault> {
    match args {
        #[expect(clippy::cast_possible_wrap, reason = "Go wraps it too")]
        [Value::Semver(version)] => Ok(Value::Int(version.numbers[at] as i64)),
        _ => Err(mistyped()),
    }
}

fn parsed(args: &[Value]) -> Result<Result<Semver, String>, Fault> {
    match args {
        [Value::String(text)] | [Value::String(text), Value::Bool(false)] => Ok(Semver::parse(text)),
        [Value::String(text), Value::Bool(true)] => Ok(normalise(text).and_then(|text| Semver::parse(&text))),
        _ => Err(mistyped()),
    }
}

/// Without a `v` in front, without leading zeros, and with all three numbers.
fn normalise(text: &str) -> Result<String, String> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut parts: Vec<String> = text.splitn(3, '.').map(str::to_owned).collect();
    for part in parts.iter_mut().filter(|part| part.len() > 1) {
        let stripped = part.trim_start_matches('0');
        *part = if stripped.starts_with(|c: char| c.is_ascii_digit()) {
            stripped.to_owned()
        } else {
            format!("0{stripped}")
        };
    }
    if parts.len() < 3 {
        if parts.last().is_some_and(|last| last.contains(['+', '-'])) {
            return Err("short version cannot contain PreRelease/Build meta data".to_owned());
        }
        parts.resize(3, "0".to_owned());
    }
    Ok(parts.join("."))
}

impl Semver {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("Version string empty".to_owned());
        }
        let parts: Vec<&str> = text.splitn(3, '.').collect();
        let [major, minor, rest] = parts[..] else {
            return Err("No Major.Minor.Patch elements found".to_owned());
        };
        let (rest, build) = rest.split_once('+').map_or((rest, None), |(rest, build)| (rest, Some(build)));
        let (patch, before) = rest.split_once('-').map_or((rest, None), |(patch, before)| (patch, Some(before)));
        let numbers = [numeric("major", major)?, numeric("minor", minor)?, numeric("patch", patch)?];
        let before: Result<Vec<_>, _> = before.iter().flat_map(|text| text.split('.')).map(part).collect();
        let before = before?;
        for part in build.iter().flat_map(|text| text.split('.')) {
            if part.is_empty() {
                return Err("Build meta data is empty".to_owned());
            }
            if !written(part) {
                return Err(format!("Invalid character(s) found in build meta data {}", go::quote(part)));
            }
        }
        Ok(Self { numbers, before })
    }

    /// Which comes first.
    pub(in super::super) fn compare(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (self.before.is_empty(), other.before.is_empty()) {
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ => self.before.cmp(&other.before),
        })
    }
}

fn numeric(which: &str, text: &str) -> Result<u64, String> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("Invalid character(s) found in {which} number {}", go::quote(text)));
    }
    if text.len() > 1 && text.starts_with('0') {
        let which = format!("{}{}", which[..1].to_uppercase(), &which[1..]);
        return Err(format!("{which} number must not contain leading zeroes {}", go::quote(text)));
    }
    if text.is_empty() {
        return Err("strconv.ParseUint: parsing \"\": invalid syntax".to_owned());
    }
    text.parse().map_err(|_| format!("strconv.ParseUint: parsing {}: value out of range", go::quote(text)))
}

fn written(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn part(text: &str) -> Result<Part, String> {
    if text.is_empty() {
        return Err("Prerelease is empty".to_owned());
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        if text.len() > 1 && text.starts_with('0') {
            let told = "Numeric PreRelease version must not contain leading zeroes";
            return Err(format!("{told} {}", go::quote(text)));
        }
        let number =
            text.parse().map_err(|_| format!("strconv.ParseUint: parsing {}: value out of range", go::quote(text)))?;
        return Ok(Part::Number(number));
    }
    if !written(text) {
        return Err(format!("Invalid character(s) found in prerelease {}", go::quote(text)));
    }
    Ok(Part::Text(text.to_owned()))
}

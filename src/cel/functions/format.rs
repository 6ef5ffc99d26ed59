//! `string.format(list)`: cel-go's formatter of the first versions, with its oddities.

use std::fmt::Write as _;

use super::super::types::Type;
use super::super::value::{Key, Value};
use super::super::{Budget, Fault, go};
use super::strings::LONGEST;
use super::{Function, mistyped};

pub(super) fn find(name: &str) -> Option<Function> {
    let function: Function = match name {
        "format" => |args, budget| match args {
            [Value::String(text), Value::List(values)] => format(text, values, budget),
            _ => Err(mistyped()),
        },
        _ => return None,
    };
    Some(function)
}

/// A clause such as `%.2f`: its precision and its letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Clause {
    precision: Option<usize>,
    letter: char,
}

/// Takes the text apart: literal texts, and the clauses behind each.
///
/// # Errors
/// What is wrong with a clause.
pub(in super::super) fn clauses(text: &str) -> Result<Vec<(String, Option<Clause>)>, Fault> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        literal.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            literal.push('%');
            rest = after;
            continue;
        }
        if rest.is_empty() {
            return Err(Fault::new("unexpected end of string"));
        }
        let (clause, after) = clause(rest)?;
        parts.push((std::mem::take(&mut literal), Some(clause)));
        rest = after;
    }
    literal.push_str(rest);
    parts.push((literal, None));
    Ok(parts)
}

fn clause(text: &str) -> Result<(Clause, &str), Fault> {
    let wrong = |why: String| Fault::new(format!("could not parse formatting clause: {why}"));
    let (precision, rest) = match text.strip_prefix('.') {
        None => (None, text),
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if digits == rest.len() {
                let why = "error while parsing precision: could not find end of precision specifier";
                return Err(wrong(why.to_owned()));
            }
            let parsed = rest[..digits].parse::<usize>().ok().filter(|precision| *precision <= 10_000);
            let precision = parsed.ok_or_else(|| {
                let quoted = go::quote(&rest[..digits]);
                let why = format!("strconv.Atoi: parsing {quoted}: invalid syntax");
                wrong(format!("error while parsing precision: error while converting precision to integer: {why}"))
            })?;
            (Some(precision), &rest[digits..])
        }
    };
    let letter = rest.chars().next().unwrap_or('%');
    if !"sdfebxXo".contains(letter) {
        return Err(wrong(format!("unrecognized formatting clause \"{letter}\"")));
    }
    Ok((Clause { precision, letter }, &rest[letter.len_utf8()..]))
}

fn format(text: &str, values: &[Value], budget: &mut Budget) -> Result<Value, Fault> {
    let mut built = Built { text: String::new(), budget };
    let mut values_left = values.iter();
    for (literal, clause) in clauses(text)? {
        built.push(&literal)?;
        let Some(clause) = clause else { continue };
        let at = values.len() - values_left.len();
        let value = values_left.next().ok_or_else(|| Fault::new(format!("index {at} out of range")))?;
        let before = built.text.len();
        apply(clause, value, &mut built)
            .map_err(|fault| if fault.is_too_costly() { fault } else { wrapped(&fault) })?;
        built.charge(before)?;
    }
    Ok(Value::from(built.text))
}

fn wrapped(fault: &Fault) -> Fault {
    Fault::new(format!("error during formatting: {fault}"))
}

/// The text that is being made, within what it may cost.
struct Built<'a> {
    text: String,
    budget: &'a mut Budget,
}

impl Built<'_> {
    fn push(&mut self, text: &str) -> Result<(), Fault> {
        self.budget.charge(1 + text.len() as u64 / 10)?;
        if self.text.len() + text.len() > LONGEST {
            return Err(Fault::too_costly());
        }
        self.text.push_str(text);
        Ok(())
    }

    fn charge(&mut self, before: usize) -> Result<(), Fault> {
        self.budget.charge((self.text.len() - before) as u64 / 10)
    }
}

fn apply(clause: Clause, value: &Value, built: &mut Built<'_>) -> Result<(), Fault> {
    let given = value.type_name();
    let refused = || Fault::new(format!("{}, was given {given}", wanted(clause.letter)));
    let text = match (clause.letter, value) {
        ('s', value) => return plain(value, built),
        ('d', Value::Int(number)) => number.to_string(),
        ('d', Value::Uint(number)) => number.to_string(),
        ('d', _) => return Err(refused()),
        ('f' | 'e', value) => {
            let number = match value {
                Value::Double(number) => *number,
                Value::String(text) if text.as_ref() == "NaN" => f64::NAN,
                Value::String(text) if text.as_ref() == "Infinity" => f64::INFINITY,
                Value::String(text) if text.as_ref() == "-Infinity" => f64::NEG_INFINITY,
                _ => return Err(refused()),
            };
            let precision = clause.precision.unwrap_or(6);
            // It knows no precision of the other.
            if clause.letter == 'f' { fixed(number, precision) } else { scientific(number) }
        }
        ('b', Value::Int(number)) => signed(*number, |number| format!("{number:b}")),
        ('b', Value::Uint(number)) => format!("{number:b}"),
        ('b', Value::Bool(value)) => u8::from(*value).to_string(),
        ('b', _) => return Err(refused()),
        ('o', Value::Int(number)) => signed(*number, |number| format!("{number:o}")),
        ('o', Value::Uint(number)) => format!("{number:o}"),
        ('o', _) => return Err(refused()),
        (letter, value) => {
            let digits = match value {
                Value::Int(number) => signed(*number, |number| format!("{number:x}")),
                Value::Uint(number) => format!("{number:x}"),
                Value::String(text) => hex(text.as_bytes()),
                Value::Bytes(bytes) => hex(bytes),
                _ => return Err(refused()),
            };
            if letter == 'X' { digits.to_uppercase() } else { digits }
        }
    };
    built.push(&text)
}

fn signed(number: i64, digits: fn(u64) -> String) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", digits(number.unsigned_abs()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// As the English print it: with commas between thousands.
fn fixed(number: f64, precision: usize) -> String {
    if let Some(text) = unusual(number) {
        return text;
    }
    let text = format!("{:.precision$}", number.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if number.is_sign_negative() { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{grouped}{point}{fraction}")
}

/// As the English print it: `1.5 × 10⁰³`.
fn scientific(number: f64) -> String {
    if let Some(text) = unusual(number) {
        return text;
    }
    let text = format!("{number:.6e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(("", exponent), |rest| ("\u{207b}", rest));
    let raised: String = format!("{exponent:0>2}")
        .chars()
        .filter_map(|digit| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(digit.to_digit(10)? as usize))
        .collect();
    format!("{digits}×10{sign}{raised}")
}

fn unusual(number: f64) -> Option<String> {
    if number.is_nan() {
        return Some("NaN".to_owned());
    }
    number.is_infinite().then(|| if number > 0.0 { "∞" } else { "-∞" }.to_owned())
}

/// Checks a text against the types of its values, as far as they are known.
///
/// # Errors
/// What is wrong, in cel-go's words.
pub(in super::super) fn check(text: &str, values: &[Type]) -> Result<(), Fault> {
    let clauses: Vec<Clause> = clauses(text)?.into_iter().filter_map(|(_, clause)| clause).collect();
    for (at, clause) in clauses.iter().enumerate() {
        let of = values.get(at).ok_or_else(|| Fault::new(format!("index {at} out of range")))?;
        if *of == Type::Dyn || matches!(of, Type::Variable(_)) {
            continue;
        }
        let taken = match clause.letter {
            's' => !matches!(of, Type::Optional(_) | Type::Opaque(_) | Type::Struct(_)),
            'd' | 'o' => matches!(of, Type::Int | Type::Uint),
            'f' | 'e' => matches!(of, Type::Double | Type::String),
            'b' => matches!(of, Type::Int | Type::Uint | Type::Bool),
            _ => matches!(of, Type::Int | Type::Uint | Type::String | Type::Bytes),
        };
        if !taken {
            let given = of.to_string();
            let given = given.split('(').next().unwrap_or_default();
            return Err(wrapped(&Fault::new(format!("{}, was given {given}", wanted(clause.letter)))));
        }
    }
    if values.len() > clauses.len() {
        let counts = format!("(expected {}, got {})", clauses.len(), values.len());
        return Err(Fault::new(format!("too many arguments supplied to string.format {counts}")));
    }
    Ok(())
}

fn wanted(letter: char) -> &'static str {
    match letter {
        's' => {
            "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps"
        }
        'd' => "decimal clause can only be used on integers",
        'f' => "fixed-point clause can only be used on doubles",
        'e' => "scientific clause can only be used on doubles",
        'b' => "only integers and bools can be formatted as binary",
        'o' => "octal clause can only be used on integers",
        _ => "only integers, byte buffers, and strings can be formatted as hex",
    }
}

/// `%s`.
fn plain(value: &Value, built: &mut Built<'_>) -> Result<(), Fault> {
    match value {
        Value::Null => built.push("null"),
        Value::List(items) => list(items, built),
        Value::Map(entries) => map(entries, built),
        Value::Quantity(_)
        | Value::Url(_)
        | Value::Ip(_)
        | Value::Cidr(..)
        | Value::Semver(_)
        | Value::Format(_)
        | Value::Optional(_) => Err(Fault::new(format!("{}, was given {}", wanted('s'), value.type_name()))),
        other => built.push(&super::convert::text(other)?),
    }
}

fn list(items: &[Value], built: &mut Built<'_>) -> Result<(), Fault> {
    built.push("[")?;
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            built.push(", ")?;
        }
        within(item, built)?;
    }
    built.push("]")
}

fn map(entries: &std::collections::BTreeMap<Key, Value>, built: &mut Built<'_>) -> Result<(), Fault> {
    // cel-go sorts by the keys as they are printed.
    let printed = entries.iter().map(|(key, value)| {
        let key = match key {
            Key::String(text) => go::quote(text),
            other => super::convert::text(&other.value()).map_or_else(|_| String::new(), |text| text.to_string()),
        };
        (key, value)
    });
    let mut printed: Vec<_> = printed.collect();
    printed.sort_by(|a, b| a.0.cmp(&b.0));
    built.push("{")?;
    for (at, (key, value)) in printed.into_iter().enumerate() {
        if at > 0 {
            built.push(", ")?;
        }
        built.push(&key)?;
        built.push(":")?;
        within(value, built)?;
    }
    built.push("}")
}

/// A value within a list or map: as it would be written in an expression.
fn within(value: &Value, built: &mut Built<'_>) -> Result<(), Fault> {
    match value {
        Value::String(text) => built.push(&go::quote(text)),
        Value::Bytes(bytes) => {
            let text = std::str::from_utf8(bytes)
                .map_err(|_| Fault::new("invalid UTF-8 in bytes, cannot convert to string"))?;
            built.push(&format!("b{}", go::quote(text)))
        }
        Value::Timestamp(..) => {
            let text = super::convert::text(value)?;
            built.push(&format!("timestamp({})", go::quote(&text)))
        }
        Value::Duration(_) => {
            let text = super::convert::text(value)?;
            built.push(&format!("duration({})", go::quote(&text)))
        }
        Value::Double(number) if number.is_nan() => built.push("\"NaN\""),
        Value::Double(number) if number.is_infinite() => {
            built.push(if *number > 0.0 { "\"+Inf\"" } else { "\"-Inf\"" })
        }
        Value::Double(number) => built.push(&format!("{number:.6}")),
        Value::List(items) => list(items, built),
        Value::Map(entries) => map(entries, built),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Type(_) => plain(value, built),
        other => Err(Fault::new(format!("no formatting function for {}", other.type_name()))),
    }
}

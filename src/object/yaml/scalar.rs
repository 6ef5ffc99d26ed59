//! What a scalar means to kubectl: the resolver of `go.yaml.in/yaml/v2` with `sigs.k8s.io/yaml`
//! and Go's JSON after it, rule by rule.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Number, Value};
use serde_yaml::granit_parser::{ScalarStyle, Tag};

use super::Dialect;

/// The namespace of YAML's own tags, written `!!`.
pub const CORE: &str = "tag:yaml.org,2002:";

/// Go does not look at the bits that padding leaves over.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// A scalar with its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Above the largest `i64`.
    Uint(u64),
    Float(f64),
    Text(Cow<'a, str>),
}

/// Whether this is the key of a merge: `<<` without quotes.
pub fn is_merge(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> bool {
    text == "<<"
        && match tag {
            None => style == ScalarStyle::Plain,
            Some(tag) => tag.suffix_in_namespace(CORE).is_some_and(|name| name == "merge"),
        }
}

/// The scalar that a text stands for. An error says what is wrong without repeating the text,
/// which may be a secret.
pub fn resolve<'a>(
    dialect: Dialect,
    text: Cow<'a, str>,
    style: ScalarStyle,
    tag: Option<&Tag>,
) -> Result<Scalar<'a>, String> {
    let Some(tag) = tag else {
        return Ok(match style {
            ScalarStyle::Plain => plain(dialect, text),
            ScalarStyle::Folded if dialect != Dialect::Kubectl => Scalar::Text(rewritten(text)),
            _ => Scalar::Text(text),
        });
    };
    let Some(name) = tag.suffix_in_namespace(CORE) else {
        // Go's reader takes a tag that it does not know for a text.
        return Ok(Scalar::Text(text));
    };
    let wrong = || Err(format!("the value is no {}, as its tag !!{name} says", named(&name)));
    match (&*name, plain_for(dialect, &name, text)) {
        ("binary", Scalar::Text(text)) => binary(&text).map(Scalar::Text),
        ("int", value @ (Scalar::Int(_) | Scalar::Uint(_)))
        | ("bool", value @ Scalar::Bool(_))
        | ("null", value @ Scalar::Null)
        | ("float", value @ Scalar::Float(_)) => Ok(value),
        #[allow(clippy::cast_precision_loss)] // As Go does it.
        ("float", Scalar::Int(int)) => Ok(Scalar::Float(int as f64)),
        ("int" | "bool" | "null" | "float", _) => wrong(),
        (_, value) => Ok(value),
    }
}

fn plain_for<'a>(dialect: Dialect, tag: &str, text: Cow<'a, str>) -> Scalar<'a> {
    match tag {
        "int" | "bool" | "null" | "float" => plain(dialect, text),
        _ => Scalar::Text(text),
    }
}

fn named(tag: &str) -> &str {
    match tag {
        "int" => "whole number",
        "bool" => "boolean",
        "float" => "number",
        other => other,
    }
}

/// What a text without quotes and tag stands for.
pub fn plain(dialect: Dialect, text: Cow<'_, str>) -> Scalar<'_> {
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" if dialect == Dialect::Kubectl => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" if dialect == Dialect::Kubectl => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if dialect != Dialect::Kubectl
        && let Some(time) = timestamp(&text)
    {
        return Scalar::Text(time.into());
    }
    let number = match text.as_bytes()[0] {
        b'.' => dotted(&text),
        // A date never parses as a number, so nothing else needs to tell dates apart.
        b'0'..=b'9' | b'+' | b'-' => number(&text),
        _ => None,
    };
    number.unwrap_or(Scalar::Text(text))
}

/// A folded text as it is after kustomize has written it and read it again: its writer sets one
/// line feed more behind a line than a reader takes away again where the next line is indented, and
/// at the end of a text that keeps several.
fn rewritten(text: Cow<'_, str>) -> Cow<'_, str> {
    let blank = |c: Option<char>| matches!(c, None | Some(' ' | '\t'));
    if blank(text.trim_start_matches('\n').chars().next()) || !text.contains('\n') {
        return text;
    }
    let mut written = String::with_capacity(text.len() + 8);
    let mut rest = &*text;
    while let Some(at) = rest.find('\n') {
        let (line, behind) = rest.split_at(at);
        let next = behind.trim_start_matches('\n');
        let feeds = behind.len() - next.len();
        written.push_str(line);
        let plain = !line.is_empty() && !line.starts_with([' ', '\t']);
        let more = if next.is_empty() { feeds > 1 } else { next.starts_with([' ', '\t']) };
        written.extend(std::iter::repeat_n('\n', feeds + usize::from(plain && more)));
        rest = next;
    }
    written.push_str(rest);
    Cow::Owned(written)
}

/// Whether a text is a day or a time to kustomize.
pub fn is_time(text: &str) -> bool {
    if timestamp(text).is_some() {
        return true;
    }
    let Some(at) = text.find(['T', 't', ' ']).filter(|at| timestamp(&text[..*at]).is_some()) else { return false };
    let parts: Vec<&str> = text[at + 1..].splitn(3, ':').collect();
    let [hour, minute, rest] = parts[..] else { return false };
    let digits = |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let zone = rest.find(['Z', '+', '-', ' ']).unwrap_or(rest.len());
    let (second, zone) = rest.split_at(zone);
    digits(hour, 2)
        && digits(minute, 2)
        && second.split('.').take(2).all(|part| digits(part, 9))
        && match zone.as_bytes() {
            b"" => text.as_bytes()[at] == b' ',
            b"Z" => true,
            _ => zone.len() == 6 && text.as_bytes()[at] != b' ',
        }
}

/// A day, which kustomize makes its midnight in UTC. Other forms of time stay as they are written.
fn timestamp(text: &str) -> Option<String> {
    let year = text.get(..4).filter(|year| year.bytes().all(|b| b.is_ascii_digit()))?;
    let (month, rest) = digits(text[4..].strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let date = format!("{year}-{month:02}-{day:02}");
    (rest.is_empty() && date.parse::<jiff::civil::Date>().is_ok()).then(|| format!("{date}T00:00:00Z"))
}

/// A number of one or a few digits, and what follows it.
fn digits(text: &str, most: usize) -> Option<(u32, &str)> {
    let end = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    Some((text[..end].parse().ok()?, &text[end..]))
}

fn number(text: &str) -> Option<Scalar<'static>> {
    let digits: Cow<'_, str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    whole(&digits)
        .or_else(|| style_float(&digits).then(|| finite(&digits)).flatten())
        .or_else(|| signed_binary(&digits))
}

/// Go's `ParseInt` and then `ParseUint` with base 0: a prefix of `0b`, `0o`, `0x`, or `0` for octal.
fn whole(text: &str) -> Option<Scalar<'static>> {
    let (negative, signed, rest) = match text.as_bytes().first()? {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let (radix, digits) = match rest.as_bytes() {
        [b'0', b'b' | b'B', _, ..] => (2, &rest[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &rest[2..]),
        [b'0', b'x' | b'X', _, ..] => (16, &rest[2..]),
        [b'0', _, ..] => (8, &rest[1..]),
        _ => (10, rest),
    };
    let amount = unsigned(digits, radix)?;
    match (negative, i64::try_from(amount)) {
        (false, Ok(int)) => Some(Scalar::Int(int)),
        (true, Ok(int)) => Some(Scalar::Int(-int)),
        (true, Err(_)) if amount == i64::MIN.unsigned_abs() => Some(Scalar::Int(i64::MIN)),
        (false, Err(_)) if !signed => Some(Scalar::Uint(amount)),
        _ => None,
    }
}

/// Rust would take a sign here; Go does not.
fn unsigned(digits: &str, radix: u32) -> Option<u64> {
    if digits.starts_with(['+', '-']) { None } else { u64::from_str_radix(digits, radix).ok() }
}

/// Go's last resort takes a sign after `0b`.
fn signed_binary(text: &str) -> Option<Scalar<'static>> {
    let digits = text.strip_prefix("0b")?;
    i64::from_str_radix(digits, 2).ok().map(Scalar::Int)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn style_float(text: &str) -> bool {
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (text, None),
    };
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => all_digits(fraction),
        Some((whole, fraction)) => all_digits(whole) && (fraction.is_empty() || all_digits(fraction)),
        None => all_digits(mantissa),
    };
    mantissa_fits && exponent.is_none_or(all_digits)
}

/// Go's `ParseFloat` on a text that starts with a dot: underscores stand between digits.
fn dotted(text: &str) -> Option<Scalar<'static>> {
    let bytes = text.as_bytes();
    let between =
        |at: usize| at > 0 && bytes[at - 1].is_ascii_digit() && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    if bytes.iter().enumerate().any(|(at, b)| *b == b'_' && !between(at)) {
        return None;
    }
    let digits = text.replace('_', "");
    if style_float(&digits) { finite(&digits) } else { None }
}

/// A number too large for a float stays a text, as in Go.
fn finite(text: &str) -> Option<Scalar<'static>> {
    text.parse::<f64>().ok().filter(|float| float.is_finite()).map(Scalar::Float)
}

fn binary(text: &str) -> Result<Cow<'static, str>, String> {
    let packed: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    let bytes = BASE64.decode(packed).map_err(|_| "the value of !!binary is not base64".to_owned())?;
    // Go's JSON puts U+FFFD in place of every byte that is no UTF-8.
    let mut decoded = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        decoded.push_str(chunk.valid());
        decoded.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Ok(decoded.into())
}

impl Scalar<'_> {
    /// The value in JSON: a whole float is an integer, and what passes `i64` a float, as kubectl
    /// decodes the JSON that Go's encoder wrote.
    pub fn into_value(self, dialect: Dialect) -> Result<Value, String> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(flag),
            Self::Int(int) => Value::Number(int.into()),
            Self::Uint(uint) if dialect != Dialect::Kubectl => Value::Number(uint.into()),
            #[allow(clippy::cast_precision_loss)] // As kubectl does it.
            Self::Uint(uint) => float(uint as f64)?,
            Self::Float(number) => float(number)?,
            Self::Text(text) => Value::String(text.into_owned()),
        })
    }

    /// The scalar as the key of a mapping, written as `sigs.k8s.io/yaml` does; kustomize takes
    /// texts alone.
    pub fn key<'k>(self, dialect: Dialect) -> Result<Cow<'k, str>, String>
    where
        Self: 'k,
    {
        if dialect != Dialect::Kubectl && !matches!(self, Self::Text(_)) {
            return Err("kustomize takes no key that is not a text; put it into quotes".to_owned());
        }
        Ok(match self {
            Self::Null => return Err("null cannot be a key".to_owned()),
            Self::Uint(_) => return Err("a number of this size cannot be a key".to_owned()),
            Self::Bool(flag) => if flag { "true" } else { "false" }.into(),
            Self::Int(int) => int.to_string().into(),
            Self::Float(number) => general(number).into(),
            Self::Text(text) => text,
        })
    }
}

/// A float in JSON; see [`Scalar::into_value`].
pub fn float(number: f64) -> Result<Value, String> {
    if !number.is_finite() {
        return Err("the value is no finite number, which JSON cannot say".to_owned());
    }
    // Both Go and Rust write the shortest digits that name the float, and Go reads those back.
    if number.fract() == 0.0
        && let Ok(int) = number.to_string().parse::<i64>()
    {
        return Ok(Value::Number(int.into()));
    }
    Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
}

/// Go's `FormatFloat(number, 'g', -1, 32)`.
fn general(number: f64) -> String {
    #[allow(clippy::cast_possible_truncation)] // As Go does it: keys have the precision of 32 bits.
    let number = number as f32;
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return number.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

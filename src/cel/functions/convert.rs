//! Conversions between types.

use std::sync::Arc;

use super::super::value::{Value, exact};
use super::super::{Fault, go};
use super::{Function, mistyped, time};

pub(super) fn find(name: &str) -> Option<Function> {
    let function: Function = match name {
        "dyn" => |args, _| args.first().cloned().ok_or_else(mistyped),
        "type" => |args, _| match args {
            [value] => Ok(Value::Type(value.type_name().into())),
            _ => Err(mistyped()),
        },
        "bool" => |args, _| match args {
            [value @ Value::Bool(_)] => Ok(value.clone()),
            [Value::String(text)] => match text.as_ref() {
                "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(Value::Bool(true)),
                "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(Value::Bool(false)),
                _ => Err(conversion(&args[0], "bool")),
            },
            _ => Err(mistyped()),
        },
        "bytes" => |args, _| match args {
            [value @ Value::Bytes(_)] => Ok(value.clone()),
            [Value::String(text)] => Ok(Value::Bytes(text.as_bytes().into())),
            _ => Err(mistyped()),
        },
        "double" => |args, _| match args {
            [value @ Value::Double(_)] => Ok(value.clone()),
            #[expect(clippy::cast_precision_loss, reason = "the conversion rounds, as everywhere")]
            [Value::Int(number)] => Ok(Value::Double(*number as f64)),
            #[expect(clippy::cast_precision_loss, reason = "the conversion rounds, as everywhere")]
            [Value::Uint(number)] => Ok(Value::Double(*number as f64)),
            [Value::String(text)] => {
                go::parse_float(text).map(Value::Double).ok_or_else(|| conversion(&args[0], "double"))
            }
            _ => Err(mistyped()),
        },
        "int" => int,
        "uint" => uint,
        "string" => |args, _| match args {
            [value] => text(value).map(Value::String),
            _ => Err(mistyped()),
        },
        "duration" => |args, _| match args {
            [value @ Value::Duration(_)] => Ok(value.clone()),
            [Value::String(text)] => go::parse_duration(text)
                .map(Value::Duration)
                .ok_or_else(|| conversion(&args[0], "google.protobuf.Duration")),
            _ => Err(mistyped()),
        },
        "timestamp" => |args, _| match args {
            [value @ Value::Timestamp(..)] => Ok(value.clone()),
            [Value::Int(seconds)] => time::within(i128::from(*seconds) * 1_000_000_000, 0),
            [Value::String(text)] => match go::parse_timestamp(text) {
                Some((at, offset)) => time::within(at, offset),
                None => Err(conversion(&args[0], "google.protobuf.Timestamp")),
            },
            _ => Err(mistyped()),
        },
        _ => return None,
    };
    Some(function)
}

fn int(args: &[Value], _: &mut super::Budget) -> Result<Value, Fault> {
    match args {
        [value @ Value::Int(_)] => Ok(value.clone()),
        [Value::Uint(number)] => i64::try_from(*number).map(Value::Int).map_err(|_| Fault::new("integer overflow")),
        // cel-go takes neither bound.
        [Value::Double(number)] if number.abs() < 9_223_372_036_854_775_808.0 => {
            exact(number.trunc()).map(Value::Int).ok_or_else(|| Fault::new("integer overflow"))
        }
        [Value::Double(_)] => Err(Fault::new("integer overflow")),
        [Value::Duration(nanoseconds)] => Ok(Value::Int(*nanoseconds)),
        [Value::Timestamp(at, _)] => {
            i64::try_from(at.div_euclid(1_000_000_000)).map(Value::Int).map_err(|_| Fault::new("integer overflow"))
        }
        [Value::String(text)] => text.parse().map(Value::Int).map_err(|_| conversion(&args[0], "int")),
        _ => Err(mistyped()),
    }
}

fn uint(args: &[Value], _: &mut super::Budget) -> Result<Value, Fault> {
    let overflow = || Fault::new("unsigned integer overflow");
    match args {
        [value @ Value::Uint(_)] => Ok(value.clone()),
        [Value::Int(number)] => u64::try_from(*number).map(Value::Uint).map_err(|_| overflow()),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was seen to fit")]
        [Value::Double(number)] if (0.0..18_446_744_073_709_551_616.0).contains(number) => {
            Ok(Value::Uint(*number as u64))
        }
        [Value::Double(_)] => Err(overflow()),
        [Value::String(text)] if !text.starts_with('+') => {
            text.parse().map(Value::Uint).map_err(|_| conversion(&args[0], "uint"))
        }
        [Value::String(_)] => Err(conversion(&args[0], "uint")),
        _ => Err(mistyped()),
    }
}

/// The value as a text, where its type has one.
pub(super) fn text(value: &Value) -> Result<Arc<str>, Fault> {
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string().into(),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => return Err(Fault::new("invalid UTF-8 in bytes, cannot convert to string")),
        },
        Value::Double(number) => go::format_g(*number).into(),
        Value::Duration(nanoseconds) => go::format_duration(*nanoseconds).into(),
        Value::Int(number) => number.to_string().into(),
        Value::Uint(number) => number.to_string().into(),
        Value::Timestamp(at, offset) => go::format_timestamp(*at, *offset).into(),
        Value::Type(name) => name.clone(),
        Value::Ip(address) => address.to_string().into(),
        Value::Cidr(address, length) => format!("{address}/{length}").into(),
        _ => return Err(mistyped()),
    })
}

/// A key in a message.
pub(in super::super) fn plain(value: &Value) -> String {
    text(value).map_or_else(|_| format!("of type {}", value.type_name()), |text| text.to_string())
}

fn conversion(from: &Value, to: &str) -> Fault {
    Fault::new(format!("type conversion error from '{}' to '{to}'", from.type_name()))
}

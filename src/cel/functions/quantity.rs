//! Quantities, as `resource.Quantity` of Kubernetes reads and compares them.

use std::cmp::Ordering;
use std::sync::Arc;

use super::super::Fault;
use super::super::value::Value;
use super::{Function, mistyped};

/// A quantity: digits times a power of ten.
#[derive(Clone, Debug)]
pub struct Quantity {
    digits: i128,
    scale: i32,
    /// Kept in 64 bits by Kubernetes, so that it can be asked for as an integer.
    small: bool,
}

/// Digits after the point that Kubernetes keeps.
const NANO: i32 = -9;
/// The largest that a quantity becomes when it does not fit in 64 bits.
const LARGEST: i128 = i64::MAX as i128;

pub(super) fn find(name: &str) -> Option<Function> {
    let function: Function = match name {
        "quantity" => |args, _| match args {
            [Value::String(text)] => Quantity::parse(text).map(value).map_err(Fault::new),
            _ => Err(mistyped()),
        },
        "isQuantity" => |args, _| match args {
            [Value::String(text)] => Ok(Value::Bool(is_quantity(text))),
            _ => Err(mistyped()),
        },
        "sign" => |args, _| match args {
            [Value::Quantity(quantity)] => {
                Ok(Value::Int(i64::from(i8::from(quantity.digits > 0) - i8::from(quantity.digits < 0))))
            }
            _ => Err(mistyped()),
        },
        "isGreaterThan" => |args, _| compare(args).map(|order| Value::Bool(order.is_gt())),
        "isLessThan" => |args, _| compare(args).map(|order| Value::Bool(order.is_lt())),
        "compareTo" => |args, _| compare(args).map(|order| Value::Int(order as i64)),
        "asApproximateFloat" => |args, _| match args {
            [Value::Quantity(quantity)] => Ok(Value::Double(quantity.float())),
            _ => Err(mistyped()),
        },
        "asInteger" => |args, _| match args {
            [Value::Quantity(quantity)] => {
                quantity.integer().map(Value::Int).ok_or_else(|| Fault::new("cannot convert value to integer"))
            }
            _ => Err(mistyped()),
        },
        "isInteger" => |args, _| match args {
            [Value::Quantity(quantity)] => Ok(Value::Bool(quantity.integer().is_some())),
            _ => Err(mistyped()),
        },
        "add" => |args, _| added(args, 1),
        "sub" => |args, _| added(args, -1),
        _ => return None,
    };
    Some(function)
}

fn value(quantity: Quantity) -> Value {
    Value::Quantity(Arc::new(quantity))
}

/// Quantities and versions have these functions of the same names.
fn compare(args: &[Value]) -> Result<Ordering, Fault> {
    match args {
        [Value::Quantity(a), Value::Quantity(b)] => Ok(a.compare(b)),
        [Value::Semver(a), Value::Semver(b)] => Ok(a.compare(b)),
        _ => Err(mistyped()),
    }
}

fn added(args: &[Value], sign: i128) -> Result<Value, Fault> {
    let [Value::Quantity(a), b] = args else { return Err(mistyped()) };
    let b = match b {
        Value::Quantity(b) => (**b).clone(),
        Value::Int(number) => Quantity { digits: i128::from(*number), scale: 0, small: true },
        _ => return Err(mistyped()),
    };
    let b = Quantity { digits: b.digits * sign, ..b };
    a.plus(&b).map(value).ok_or_else(|| Fault::new("a quantity is too large to be added"))
}

impl Quantity {
    fn parse(text: &str) -> Result<Self, &'static str> {
        const FORMAT: &str =
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
        const SUFFIX: &str = "unable to parse quantity's suffix";
        const NUMBER: &str = "unable to parse numeric part of quantity";
        if text.is_empty() {
            return Err(FORMAT);
        }
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at(digits(rest));
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("", after),
        };
        let letters = after.find(|c| !"eEinumkKMGTP".contains(c)).unwrap_or(after.len());
        let exponent = &after[letters..];
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if !exponent.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(FORMAT);
        }
        let (base, power) = suffix(after).ok_or(SUFFIX)?;
        let whole = whole.trim_start_matches('0');
        let fraction_kept = fraction;
        let length = i32::try_from(whole.len().max(1) + fraction_kept.len()).map_err(|_| NUMBER)?;
        let number: i128 = format!("0{whole}{fraction_kept}").parse().map_err(|_| NUMBER)?;
        // No digits are a zero, as Kubernetes reads it.
        let number = if negative { -number } else { number };
        let places = i32::try_from(fraction_kept.len()).map_err(|_| NUMBER)?;
        let (room, scale, factor) = if base == 10 {
            (18 - length, power, 1_i128)
        } else if fraction_kept.is_empty() {
            // As Go truncates it.
            (15 - length - power * 3 / 10 - 1, 0, 1_i128 << power)
        } else {
            (-1, 0, 1_i128 << power)
        };
        if room >= 0 && scale - places >= NANO {
            return Ok(Self { digits: number * factor, scale: scale - places, small: true });
        }
        let digits = number.checked_mul(factor).ok_or(NUMBER)?;
        Ok(Self { digits, scale: scale - places, small: false }.bounded())
    }

    /// Rounded up to what Kubernetes keeps, and not above its largest.
    fn bounded(self) -> Self {
        let (negative, mut digits, mut scale) = (self.digits < 0, self.digits.abs(), self.scale);
        if scale < NANO {
            let divisor = 10_i128.checked_pow(scale.abs_diff(NANO));
            digits = divisor.map_or(i128::from(digits > 0), |by| digits / by + i128::from(digits % by != 0));
            scale = NANO;
        }
        let bounded = Self { digits, scale, small: false };
        let largest = Self { digits: LARGEST, scale: 0, small: false };
        let kept = if bounded.compare(&largest).is_gt() { largest } else { bounded };
        Self { digits: if negative { -kept.digits } else { kept.digits }, ..kept }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let sign = self.digits.signum().cmp(&other.digits.signum());
        if sign.is_ne() || self.digits == 0 {
            return sign;
        }
        match self.aligned(other) {
            Some((a, b, _)) => a.cmp(&b),
            // One has so many more zeros that it does not fit: it is the larger by far.
            None if (self.scale > other.scale) == (self.digits > 0) => Ordering::Greater,
            None => Ordering::Less,
        }
    }

    /// Digits of both at the smaller scale.
    fn aligned(&self, other: &Self) -> Option<(i128, i128, i32)> {
        let scale = self.scale.min(other.scale);
        let at = |of: &Self| of.digits.checked_mul(10_i128.checked_pow(of.scale.abs_diff(scale))?);
        Some((at(self)?, at(other)?, scale))
    }

    fn plus(&self, other: &Self) -> Option<Self> {
        if self.digits == 0 && self.small && other.small {
            return Some(other.clone());
        }
        if other.digits == 0 && self.small && other.small {
            return Some(self.clone());
        }
        let (a, b, scale) = self.aligned(other)?;
        let digits = a.checked_add(b)?;
        let fits = [a, b, digits].iter().all(|number| i64::try_from(*number).is_ok());
        Some(Self { digits, scale, small: self.small && other.small && fits })
    }

    fn integer(&self) -> Option<i64> {
        if !self.small || self.scale < 0 {
            return None;
        }
        let factor = 10_i128.checked_pow(self.scale.unsigned_abs())?;
        i64::try_from(self.digits.checked_mul(factor)?).ok()
    }

    #[expect(clippy::cast_precision_loss, reason = "it is asked for as an approximation")]
    fn float(&self) -> f64 {
        if self.scale == 0 {
            return self.digits as f64;
        }
        self.digits as f64 * 10_f64.powi(self.scale)
    }

    /// Whether both are the same amount.
    pub(in super::super) fn same(&self, other: &Self) -> bool {
        self.compare(other).is_eq()
    }
}

/// Whether the text is a quantity: `500m`, `1Gi`, `1.5e3`.
pub fn is_quantity(text: &str) -> bool {
    Quantity::parse(text).is_ok()
}

/// Base and power of a suffix.
fn suffix(text: &str) -> Option<(u32, i32)> {
    Some(match text {
        "" => (10, 0),
        "n" => (10, -9),
        "u" => (10, -6),
        "m" => (10, -3),
        "k" => (10, 3),
        "M" => (10, 6),
        "G" => (10, 9),
        "T" => (10, 12),
        "P" => (10, 15),
        "E" => (10, 18),
        "Ki" => (2, 10),
        "Mi" => (2, 20),
        "Gi" => (2, 30),
        "Ti" => (2, 40),
        "Pi" => (2, 50),
        "Ei" => (2, 60),
        other => {
            let exponent = other.strip_prefix(['e', 'E'])?;
            (10, exponent.parse::<i64>().ok().and_then(|power| i32::try_from(power).ok()).filter(|p| p.abs() < 1000)?)
        }
    })
}

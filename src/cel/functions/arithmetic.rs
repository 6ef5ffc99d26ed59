//! Operators.

use std::cmp::Ordering;

use super::super::value::Value;
use super::super::{Budget, Fault};
use super::{Function, mistyped, time};

pub(super) fn find(name: &str) -> Option<Function> {
    let function: Function = match name {
        "!_" => |args, _| match args {
            [Value::Bool(value)] => Ok(Value::Bool(!value)),
            _ => Err(mistyped()),
        },
        "-_" => |args, _| match args {
            [Value::Int(value)] => value.checked_neg().map(Value::Int).ok_or_else(overflow),
            [Value::Double(value)] => Ok(Value::Double(-value)),
            _ => Err(mistyped()),
        },
        "_+_" => add,
        "_-_" => |args, _| match args {
            [Value::Int(a), Value::Int(b)] => a.checked_sub(*b).map(Value::Int).ok_or_else(overflow),
            [Value::Uint(a), Value::Uint(b)] => a.checked_sub(*b).map(Value::Uint).ok_or_else(unsigned_overflow),
            [Value::Double(a), Value::Double(b)] => Ok(Value::Double(a - b)),
            [a, b] => time::subtract(a, b),
            _ => Err(mistyped()),
        },
        "_*_" => |args, _| match args {
            [Value::Int(a), Value::Int(b)] => a.checked_mul(*b).map(Value::Int).ok_or_else(overflow),
            [Value::Uint(a), Value::Uint(b)] => a.checked_mul(*b).map(Value::Uint).ok_or_else(unsigned_overflow),
            [Value::Double(a), Value::Double(b)] => Ok(Value::Double(a * b)),
            _ => Err(mistyped()),
        },
        "_/_" => |args, _| match args {
            [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)] => Err(Fault::new("division by zero")),
            [Value::Int(a), Value::Int(b)] => a.checked_div(*b).map(Value::Int).ok_or_else(overflow),
            [Value::Uint(a), Value::Uint(b)] => Ok(Value::Uint(a / b)),
            [Value::Double(a), Value::Double(b)] => Ok(Value::Double(a / b)),
            _ => Err(mistyped()),
        },
        "_%_" => |args, _| match args {
            [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)] => Err(Fault::new("modulus by zero")),
            [Value::Int(a), Value::Int(b)] => a.checked_rem(*b).map(Value::Int).ok_or_else(overflow),
            [Value::Uint(a), Value::Uint(b)] => Ok(Value::Uint(a % b)),
            _ => Err(mistyped()),
        },
        "_==_" => |args, budget| Ok(Value::Bool(same(args, budget)?)),
        "_!=_" => |args, budget| Ok(Value::Bool(!same(args, budget)?)),
        "_<_" => |args, _| ordered(args, Ordering::is_lt),
        "_<=_" => |args, _| ordered(args, Ordering::is_le),
        "_>_" => |args, _| ordered(args, Ordering::is_gt),
        "_>=_" => |args, _| ordered(args, Ordering::is_ge),
        "@in" => within,
        _ => return None,
    };
    Some(function)
}

fn add(args: &[Value], budget: &mut Budget) -> Result<Value, Fault> {
    match args {
        [Value::Int(a), Value::Int(b)] => a.checked_add(*b).map(Value::Int).ok_or_else(overflow),
        [Value::Uint(a), Value::Uint(b)] => a.checked_add(*b).map(Value::Uint).ok_or_else(unsigned_overflow),
        [Value::Double(a), Value::Double(b)] => Ok(Value::Double(a + b)),
        [Value::String(a), Value::String(b)] => Ok(Value::from([a.as_ref(), b.as_ref()].concat())),
        [Value::Bytes(a), Value::Bytes(b)] => Ok(Value::Bytes([a.as_ref(), b.as_ref()].concat().into())),
        [Value::List(a), Value::List(b)] => {
            budget.charge((a.len() + b.len()) as u64)?;
            Ok(Value::list(a.iter().chain(b.iter()).cloned().collect()))
        }
        [a, b] => time::add(a, b),
        _ => Err(mistyped()),
    }
}

fn same(args: &[Value], budget: &mut Budget) -> Result<bool, Fault> {
    let [a, b] = args else { return Err(mistyped()) };
    budget.charge(a.weight().min(b.weight()) / 10)?;
    Ok(a.equals(b))
}

fn ordered(args: &[Value], wanted: fn(Ordering) -> bool) -> Result<Value, Fault> {
    let [a, b] = args else { return Err(mistyped()) };
    a.compare(b).map(|order| Value::Bool(wanted(order)))
}

fn within(args: &[Value], budget: &mut Budget) -> Result<Value, Fault> {
    match args {
        [item, Value::List(items)] => {
            budget.charge(items.len() as u64)?;
            Ok(Value::Bool(items.iter().any(|one| one.equals(item))))
        }
        [key, Value::Map(entries)] => Ok(Value::Bool(key.key().is_some_and(|key| entries.contains_key(&key)))),
        _ => Err(mistyped()),
    }
}

fn overflow() -> Fault {
    Fault::new("integer overflow")
}

fn unsigned_overflow() -> Fault {
    Fault::new("unsigned integer overflow")
}

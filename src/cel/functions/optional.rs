//! Optionals.

use super::super::Fault;
use super::super::value::Value;
use super::{Function, mistyped};

pub(super) fn find(name: &str) -> Option<Function> {
    let function: Function = match name {
        "optional.of" => |args, _| match args {
            [value] => Ok(Value::some(value.clone())),
            _ => Err(mistyped()),
        },
        "optional.ofNonZeroValue" => |args, _| match args {
            [value] if value.is_zero() => Ok(Value::Optional(None)),
            [value] => Ok(Value::some(value.clone())),
            _ => Err(mistyped()),
        },
        "optional.none" => |_, _| Ok(Value::Optional(None)),
        "hasValue" => |args, _| match args {
            [Value::Optional(value)] => Ok(Value::Bool(value.is_some())),
            _ => Err(mistyped()),
        },
        "value" => |args, _| match args {
            [Value::Optional(Some(value))] => Ok((**value).clone()),
            [Value::Optional(None)] => Err(Fault::new("optional.none() dereference")),
            _ => Err(mistyped()),
        },
        "first" => |args, _| match args {
            [Value::List(items)] => Ok(items.first().map_or(Value::Optional(None), |item| Value::some(item.clone()))),
            _ => Err(mistyped()),
        },
        "last" => |args, _| match args {
            [Value::List(items)] => Ok(items.last().map_or(Value::Optional(None), |item| Value::some(item.clone()))),
            _ => Err(mistyped()),
        },
        "optional.unwrap" | "unwrapOpt" => |args, budget| match args {
            [Value::List(items)] => {
                budget.charge(items.len() as u64)?;
                let values = items.iter().map(|item| match item {
                    Value::Optional(value) => Ok(value.as_ref().map(|value| (**value).clone())),
                    _ => Err(mistyped()),
                });
                let values: Result<Vec<_>, _> = values.filter_map(Result::transpose).collect();
                values.map(Value::list)
            }
            _ => Err(mistyped()),
        },
        _ => return None,
    };
    Some(function)
}

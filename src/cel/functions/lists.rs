//! Lists and sets.

use std::cmp::Ordering;
use std::sync::Arc;

use super::super::value::Value;
use super::super::{Budget, Fault};
use super::{Function, arithmetic, mistyped, strings};

pub(super) fn find(name: &str) -> Option<Function> {
    let function: Function = match name {
        "size" => |args, _| match args {
            [Value::String(text)] => Ok(size(text.chars().count())),
            [Value::Bytes(bytes)] => Ok(size(bytes.len())),
            [Value::List(items)] => Ok(size(items.len())),
            [Value::Map(entries)] => Ok(size(entries.len())),
            _ => Err(mistyped()),
        },
        "indexOf" => |args, budget| match args {
            [Value::String(text), Value::String(part)] => strings::index_of(text, part, 0, budget),
            [Value::String(text), Value::String(part), Value::Int(from)] => {
                strings::index_of(text, part, *from, budget)
            }
            [Value::List(items), item] => {
                budget.charge(items.len() as u64)?;
                Ok(items.iter().position(|one| one.equals(item)).map_or(Value::Int(-1), size))
            }
            _ => Err(mistyped()),
        },
        "lastIndexOf" => |args, budget| match args {
            [Value::String(text), Value::String(part)] => strings::last_index_of(text, part, None, budget),
            [Value::String(text), Value::String(part), Value::Int(from)] => {
                strings::last_index_of(text, part, Some(*from), budget)
            }
            [Value::List(items), item] => {
                budget.charge(items.len() as u64)?;
                Ok(items.iter().rposition(|one| one.equals(item)).map_or(Value::Int(-1), size))
            }
            _ => Err(mistyped()),
        },
        "isSorted" => |args, budget| {
            let items = list(args, budget)?;
            for pair in items.windows(2) {
                if pair[0].compare(&pair[1])? == Ordering::Greater {
                    return Ok(Value::Bool(false));
                }
            }
            Ok(Value::Bool(true))
        },
        "sum" => sum,
        "min" => |args, budget| extreme(args, Ordering::Greater, "min", budget),
        "max" => |args, budget| extreme(args, Ordering::Less, "max", budget),
        "sort" => |args, budget| {
            let items = list(args, budget)?;
            sorted(items, items, budget)
        },
        "@sortByAssociatedKeys" => |args, budget| match args {
            [Value::List(items), Value::List(keys)] => sorted(items, keys, budget),
            _ => Err(mistyped()),
        },
        "slice" => |args, budget| match args {
            [Value::List(items), Value::Int(start), Value::Int(end)] => slice(items, *start, *end, budget),
            _ => Err(mistyped()),
        },
        "flatten" => |args, budget| match args {
            [Value::List(items)] => flatten(items, 1, budget),
            [Value::List(_), Value::Int(depth)] if *depth < 0 => Err(Fault::new("level must be non-negative")),
            [Value::List(items), Value::Int(depth)] => flatten(items, *depth, budget),
            _ => Err(mistyped()),
        },
        "lists.range" => |args, budget| match args {
            [Value::Int(count)] => {
                let told = |text: String| Fault::telling(text, "lists.range: size is out of bounds");
                let length = u64::try_from(*count)
                    .map_err(|_| told(format!("lists.range: size must be non-negative, got {count}")))?;
                budget.charge(length)?;
                Ok(Value::list((0..*count).map(Value::Int).collect()))
            }
            _ => Err(mistyped()),
        },
        "reverse" => |args, budget| Ok(Value::list(list(args, budget)?.iter().rev().cloned().collect())),
        "distinct" => |args, budget| {
            let items = list(args, budget)?;
            budget.charge(square(items.len(), items.len()))?;
            let mut kept: Vec<Value> = Vec::new();
            for item in items.iter() {
                if !kept.iter().any(|one| one.equals(item)) {
                    kept.push(item.clone());
                }
            }
            Ok(Value::list(kept))
        },
        "sets.contains" => |args, budget| sets(args, budget, |a, b| b.iter().all(|item| holds(a, item))),
        "sets.intersects" => |args, budget| sets(args, budget, |a, b| a.iter().any(|item| holds(b, item))),
        "sets.equivalent" => |args, budget| {
            sets(args, budget, |a, b| b.iter().all(|item| holds(a, item)) && a.iter().all(|item| holds(b, item)))
        },
        _ => return None,
    };
    Some(function)
}

fn size(length: usize) -> Value {
    Value::Int(i64::try_from(length).unwrap_or(i64::MAX))
}

fn square(a: usize, b: usize) -> u64 {
    (a as u64).saturating_mul(b as u64)
}

fn list<'a>(args: &'a [Value], budget: &mut Budget) -> Result<&'a Arc<Vec<Value>>, Fault> {
    match args {
        [Value::List(items)] => {
            budget.charge(items.len() as u64)?;
            Ok(items)
        }
        _ => Err(mistyped()),
    }
}

fn holds(items: &[Value], item: &Value) -> bool {
    items.iter().any(|one| one.equals(item))
}

fn sets(args: &[Value], budget: &mut Budget, so: fn(&[Value], &[Value]) -> bool) -> Result<Value, Fault> {
    match args {
        [Value::List(a), Value::List(b)] => {
            budget.charge(square(a.len(), b.len()))?;
            Ok(Value::Bool(so(a, b)))
        }
        _ => Err(mistyped()),
    }
}

fn sum(args: &[Value], budget: &mut Budget) -> Result<Value, Fault> {
    let items = list(args, budget)?;
    let add = arithmetic::find("_+_").ok_or_else(mistyped)?;
    let mut sum = match items.first() {
        // Of a list whose type is not known it is an int that is returned.
        None | Some(Value::Int(_)) => Value::Int(0),
        Some(Value::Uint(_)) => Value::Uint(0),
        Some(Value::Double(_)) => Value::Double(0.0),
        Some(Value::Duration(_)) => Value::Duration(0),
        Some(_) => return Err(mistyped()),
    };
    for item in items.iter() {
        sum = add(&[sum, item.clone()], budget)?;
    }
    Ok(sum)
}

fn extreme(args: &[Value], replaced: Ordering, name: &str, budget: &mut Budget) -> Result<Value, Fault> {
    let items = list(args, budget)?;
    let mut items = items.iter();
    let mut best = items.next().ok_or_else(|| Fault::new(format!("{name} called on empty list")))?;
    for item in items {
        if best.compare(item)? == replaced {
            best = item;
        }
    }
    Ok(best.clone())
}

fn sorted(items: &[Value], keys: &[Value], budget: &mut Budget) -> Result<Value, Fault> {
    budget.charge(square(items.len(), 2 * items.len()))?;
    let mixed = || Fault::new("list elements must have the same type");
    if let Some(first) = keys.first() {
        // What cannot be compared with itself cannot be sorted.
        first.compare(first).map_err(|_| Fault::new("list elements must be comparable"))?;
        if keys.len() > 1 && keys.iter().any(|key| key.type_name() != first.type_name()) {
            return Err(mixed());
        }
    }
    let mut order: Vec<usize> = (0..items.len().min(keys.len())).collect();
    order.sort_by(|a, b| keys[*a].compare(&keys[*b]).unwrap_or(Ordering::Equal));
    Ok(Value::list(order.into_iter().map(|at| items[at].clone()).collect()))
}

fn slice(items: &[Value], start: i64, end: i64, budget: &mut Budget) -> Result<Value, Fault> {
    let told = |why: &str| Fault::telling(format!("cannot slice({start}, {end}), {why}"), "a slice is out of bounds");
    let (Ok(from), Ok(to)) = (usize::try_from(start), usize::try_from(end)) else {
        return Err(told("negative indexes not supported"));
    };
    if from > to {
        return Err(told("start index must be less than or equal to end index"));
    }
    let part = items.get(from..to).ok_or_else(|| told(&format!("list is length {}", items.len())))?;
    budget.charge(part.len() as u64)?;
    Ok(Value::list(part.to_vec()))
}

fn flatten(items: &[Value], depth: i64, budget: &mut Budget) -> Result<Value, Fault> {
    fn add(items: &[Value], depth: i64, flat: &mut Vec<Value>, budget: &mut Budget) -> Result<(), Fault> {
        budget.charge(items.len() as u64)?;
        for item in items {
            match item {
                Value::List(nested) if depth > 0 => add(nested, depth - 1, flat, budget)?,
                other => flat.push(other.clone()),
            }
        }
        Ok(())
    }
    let mut flat = Vec::new();
    add(items, depth, &mut flat, budget)?;
    Ok(Value::list(flat))
}

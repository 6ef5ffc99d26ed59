//! Evaluates what was checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::functions::{self, pattern};
use super::node::{Fold, Kind, Node};
use super::value::{Key, Value, exact};
use super::{Budget, Fault, Scope};

type Outcome = Result<Value, Fault>;

pub(super) fn evaluate<S: Scope + ?Sized>(node: &Node, scope: &S, budget: &mut Budget) -> Outcome {
    Evaluation { scope, budget, locals: Vec::new() }.value(node)
}

struct Evaluation<'a, S: ?Sized> {
    scope: &'a S,
    budget: &'a mut Budget,
    locals: Vec<Value>,
}

impl<S: Scope + ?Sized> Evaluation<'_, S> {
    fn value(&mut self, node: &Node) -> Outcome {
        match node {
            Node::Const(value) => Ok(value.clone()),
            Node::Local(at) => {
                self.budget.charge(1)?;
                Ok(self.locals.get(*at).cloned().unwrap_or(Value::Null))
            }
            Node::Global(at) => {
                self.budget.charge(1)?;
                Ok(self.scope.variable(*at))
            }
            Node::Composed(name) => {
                self.budget.charge(1)?;
                self.scope.composed(name, self.budget)
            }
            Node::Select(of, field) => {
                let of = self.value(of)?;
                self.budget.charge(1)?;
                // The name stands in the expression, so it is no secret.
                select(&of, &Value::String(field.clone())).map_err(|fault| Fault::new(fault.to_string()))
            }
            Node::SelectIfPresent(of, field) => {
                let of = self.value(of)?;
                self.budget.charge(1)?;
                if_present(&of, &Value::String(field.clone()))
            }
            Node::Has(of, field) => match self.value(of)? {
                Value::Optional(None) => Ok(Value::Bool(false)),
                Value::Optional(Some(of)) => Ok(Value::Bool(find(&of, &Value::String(field.clone()))?.is_some())),
                of => Ok(Value::Bool(find(&of, &Value::String(field.clone()))?.is_some())),
            },
            Node::Index(two) => {
                let (of, key) = self.both(two)?;
                select(&of, &key)
            }
            Node::IndexIfPresent(two) => {
                let (of, key) = self.both(two)?;
                if_present(&of, &key)
            }
            Node::And(two) => self.logic(two, false),
            Node::Or(two) => self.logic(two, true),
            Node::If(three) => match self.value(&three[0])? {
                Value::Bool(true) => self.value(&three[1]),
                Value::Bool(false) => self.value(&three[2]),
                _ => Err(Fault::no_such_overload()),
            },
            Node::Else(two, unwraps) => match (self.value(&two[0])?, unwraps) {
                (Value::Optional(Some(value)), true) => Ok((*value).clone()),
                (found @ Value::Optional(Some(_)), false) => Ok(found),
                (Value::Optional(None), _) => self.value(&two[1]),
                _ => Err(Fault::no_such_overload()),
            },
            Node::Call(name, function, args) => self.call(name, *function, args),
            Node::Pattern(name, regex, args) => {
                let args = self.all(args)?;
                pattern::apply(name, regex, &args, self.budget)
            }
            Node::List(items) => self.list(items),
            Node::Map(entries) => self.map(entries),
            Node::Fold(fold) => self.fold(fold),
            Node::Bind(two) => {
                let value = self.value(&two[0])?;
                self.locals.push(value);
                let result = self.value(&two[1]);
                self.locals.pop();
                result
            }
        }
    }

    fn all(&mut self, nodes: &[Node]) -> Result<Vec<Value>, Fault> {
        nodes.iter().map(|node| self.value(node)).collect()
    }

    fn both(&mut self, two: &[Node; 2]) -> Result<(Value, Value), Fault> {
        let of = self.value(&two[0])?;
        let key = self.value(&two[1])?;
        self.budget.charge(1)?;
        Ok((of, key))
    }

    fn call(&mut self, name: &str, function: functions::Function, args: &[Node]) -> Outcome {
        let args = self.all(args)?;
        // A call costs one, and walks through its texts once at least.
        let texts = args.iter().filter(|arg| matches!(arg, Value::String(_) | Value::Bytes(_)));
        self.budget.charge(1 + texts.map(Value::weight).sum::<u64>() / 10)?;
        function(&args, self.budget)
            .map_err(|fault| if fault == Fault::no_such_overload() { no_overload(name, &args) } else { fault })
    }

    /// `&&` and `||`: the value that decides does so whatever the other side is, an error included.
    fn logic(&mut self, two: &[Node; 2], decides: bool) -> Outcome {
        let mut fault = None;
        for node in two {
            match self.value(node) {
                Ok(Value::Bool(value)) if value == decides => return Ok(Value::Bool(decides)),
                Ok(Value::Bool(_)) => {}
                Ok(_) => fault = fault.or_else(|| Some(Fault::no_such_overload())),
                Err(error) if error.is_too_costly() => return Err(error),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        fault.map_or(Ok(Value::Bool(!decides)), Err)
    }

    fn list(&mut self, nodes: &[(Node, bool)]) -> Outcome {
        self.budget.charge(10)?;
        let mut items = Vec::with_capacity(nodes.len());
        for (node, optional) in nodes {
            match self.value(node)? {
                Value::Optional(found) if *optional => items.extend(found.map(|value| (*value).clone())),
                value if *optional => {
                    return Err(Fault::telling(
                        format!("cannot initialize optional list element from non-optional value {value:?}"),
                        "cannot initialize optional list element from non-optional value",
                    ));
                }
                value => items.push(value),
            }
        }
        Ok(Value::list(items))
    }

    fn map(&mut self, nodes: &[(Node, Node, bool)]) -> Outcome {
        self.budget.charge(30)?;
        let mut entries = BTreeMap::new();
        for (key, value, optional) in nodes {
            let key = self.value(key)?;
            let value = self.value(value)?;
            let key = key.key().ok_or_else(|| Fault::new(format!("unsupported key type: {}", key.type_name())))?;
            match value {
                Value::Optional(found) if *optional => {
                    entries.extend(found.map(|value| (key, (*value).clone())));
                }
                _ if *optional => {
                    return Err(Fault::new("cannot initialize optional entry from non-optional value"));
                }
                value => {
                    entries.insert(key, value);
                }
            }
        }
        Ok(Value::Map(Arc::new(entries)))
    }

    fn fold(&mut self, fold: &Fold) -> Outcome {
        let pairs: Vec<(Value, Value)> = match self.value(&fold.range)? {
            Value::List(items) => {
                (0_i64..).zip(items.iter()).map(|(at, item)| (Value::Int(at), item.clone())).collect()
            }
            Value::Map(entries) => entries.iter().map(|(key, value)| (key.value(), value.clone())).collect(),
            other => {
                return Err(Fault::new(format!("got '{}', expected iterable type", go_type(&other))));
            }
        };
        let keyed = matches!(pairs.first(), Some((key, _)) if !matches!(key, Value::Int(_)));
        let outside = self.locals.len();
        let mut gathered = Gathered::default();
        for (key, value) in pairs {
            self.budget.charge(1)?;
            let index = key.clone();
            match (fold.two, keyed) {
                (true, _) => self.locals.extend([key, value]),
                (false, true) => self.locals.push(key),
                (false, false) => self.locals.push(value),
            }
            let done = self.step(fold, &index, &mut gathered);
            self.locals.truncate(outside);
            if let Some(result) = done? {
                return Ok(result);
            }
        }
        match (gathered.fault, fold.kind) {
            (Some(fault), _) => Err(fault),
            (None, Kind::All) => Ok(Value::Bool(true)),
            (None, Kind::Exists) => Ok(Value::Bool(false)),
            (None, Kind::ExistsOne) => Ok(Value::Bool(gathered.count == 1)),
            (None, Kind::List) => Ok(Value::list(gathered.items)),
            (None, Kind::Values | Kind::Entries) => Ok(Value::Map(Arc::new(gathered.entries))),
        }
    }

    /// One round; a value where the result is known already.
    fn step(&mut self, fold: &Fold, index: &Value, gathered: &mut Gathered) -> Result<Option<Value>, Fault> {
        if let Some(filter) = &fold.filter {
            match self.value(filter)? {
                Value::Bool(true) => {}
                Value::Bool(false) => return Ok(None),
                _ => return Err(Fault::no_such_overload()),
            }
        }
        let outcome = self.value(&fold.body);
        match fold.kind {
            Kind::All | Kind::Exists => match outcome {
                Ok(Value::Bool(value)) if value == (fold.kind == Kind::Exists) => return Ok(Some(Value::Bool(value))),
                Ok(Value::Bool(_)) => {}
                Err(fault) if fault.is_too_costly() => return Err(fault),
                Ok(_) => gathered.fault = gathered.fault.take().or_else(|| Some(Fault::no_such_overload())),
                Err(fault) => gathered.fault = gathered.fault.take().or(Some(fault)),
            },
            Kind::ExistsOne => match outcome? {
                Value::Bool(true) => gathered.count += 1,
                Value::Bool(false) => {}
                _ => return Err(Fault::no_such_overload()),
            },
            Kind::List => gathered.items.push(outcome?),
            Kind::Values => gathered.insert(index, outcome?)?,
            Kind::Entries => match outcome? {
                Value::Map(entries) => {
                    for (key, value) in entries.iter() {
                        gathered.insert(&key.value(), value.clone())?;
                    }
                }
                _ => return Err(Fault::no_such_overload()),
            },
        }
        Ok(None)
    }
}

/// cel-go says this in as many ways as it has to find out.
fn no_overload(name: &str, args: &[Value]) -> Fault {
    use Value::{Bool, Bytes, Double, Duration, Int, List, String, Timestamp, Uint};
    let left = args.first();
    let named = match name {
        "size" => true,
        "_<_" | "_<=_" | "_>_" | "_>=_" => !matches!(
            left,
            Some(Bool(_) | Int(_) | Uint(_) | Double(_) | String(_) | Bytes(_) | Timestamp(..) | Duration(_))
        ),
        "_+_" | "_-_" | "_*_" | "_/_" | "_%_" => !matches!(
            left,
            Some(Int(_) | Uint(_) | Double(_) | String(_) | Bytes(_) | List(_) | Timestamp(..) | Duration(_))
        ),
        _ => false,
    };
    let plain = name.contains('_') || name.starts_with('@');
    if named {
        return Fault::new(format!("no such overload: {name}"));
    }
    if plain || matches!(name, "startsWith" | "endsWith" | "contains" | "matches") {
        return Fault::no_such_overload();
    }
    let types: Vec<_> = args.iter().map(Value::type_name).collect();
    Fault::new(format!("no such overload: {name}({})", types.join(", ")))
}

/// A type as Go names it.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "types.Null",
        Value::Bool(_) => "types.Bool",
        Value::Int(_) => "types.Int",
        Value::Uint(_) => "types.Uint",
        Value::Double(_) => "types.Double",
        Value::String(_) => "types.String",
        Value::Bytes(_) => "types.Bytes",
        Value::Timestamp(..) => "types.Timestamp",
        Value::Duration(_) => "types.Duration",
        Value::Optional(_) => "*types.Optional",
        _ => "*types.Type",
    }
}

#[derive(Default)]
struct Gathered {
    fault: Option<Fault>,
    count: u64,
    items: Vec<Value>,
    entries: BTreeMap<Key, Value>,
}

impl Gathered {
    fn insert(&mut self, key: &Value, value: Value) -> Result<(), Fault> {
        let Some(found) = key.key() else { return Err(Fault::no_such_overload()) };
        if self.entries.insert(found, value).is_some() {
            let told = functions::convert::plain(key);
            return Err(Fault::telling(format!("insert failed: key {told} already exists"), "insert failed"));
        }
        Ok(())
    }
}

/// What a map or list has at a key; `None` where it has nothing.
fn find(of: &Value, key: &Value) -> Result<Option<Value>, Fault> {
    match of {
        Value::Map(entries) => Ok(key.key().and_then(|key| entries.get(&key).cloned())),
        Value::List(items) => {
            let at = match key {
                Value::Int(at) => Some(*at),
                Value::Uint(at) => i64::try_from(*at).ok(),
                Value::Double(at) => Some(exact(*at).ok_or_else(|| {
                    Fault::telling(format!("unsupported index value {at} in list"), "unsupported index value in list")
                })?),
                other => return Err(Fault::new(format!("unsupported index type '{}' in list", other.type_name()))),
            };
            Ok(at.and_then(|at| usize::try_from(at).ok()).and_then(|at| items.get(at).cloned()))
        }
        _ => Ok(None),
    }
}

/// What must be there; of an optional, what may be.
fn select(of: &Value, key: &Value) -> Outcome {
    if let Value::Optional(_) = of {
        return if_present(of, key);
    }
    match find(of, key)? {
        Some(value) => Ok(value),
        None => {
            let told = functions::convert::plain(key);
            Err(match of {
                Value::List(_) => Fault::telling(format!("index out of bounds: {told}"), "index out of bounds"),
                _ => Fault::telling(format!("no such key: {told}"), "no such key"),
            })
        }
    }
}

fn if_present(of: &Value, key: &Value) -> Outcome {
    let found = match of {
        Value::Optional(None) => None,
        Value::Optional(Some(of)) => find(of, key)?,
        of => find(of, key)?,
    };
    Ok(Value::Optional(found.map(Arc::new)))
}

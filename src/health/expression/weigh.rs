//! How long an expression may take on an object, at most: counted before it is evaluated, because
//! an evaluation cannot be cancelled.

use kube_cel::cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};
use kube_cel::cel::parser::Expression;
use serde_json::Value;

/// Steps that an evaluation may take: 0.5 s in a program built without optimisation, a tenth of it
/// with.
pub(super) const LIMIT: u64 = 1_000_000;

/// What compiling a pattern costs, each escape in it (it may be a class of all letters there are),
/// and counted repetitions, which multiply what they repeat.
const PATTERN: u64 = 5_000;
const ESCAPE: u64 = 1_000;
const REPETITIONS: u64 = 500_000;

/// What is known of a value before the evaluation: bounds, or where it comes straight from the
/// object, the values that it may be.
#[derive(Clone, Debug)]
enum Bound<'a> {
    /// Any of these; no value stands twice.
    From(Vec<&'a Value>),
    /// Computed: at most of this size, and so many items.
    Computed { size: u64, items: u64 },
}

impl<'a> Bound<'a> {
    fn scalar() -> Self {
        Self::Computed { size: 16, items: 0 }
    }

    fn of(mut from: Vec<&'a Value>) -> Self {
        from.sort_unstable_by_key(|v| std::ptr::from_ref(*v));
        from.dedup_by_key(|v| std::ptr::from_ref(*v));
        Self::From(from)
    }

    /// Nodes and pieces of [`BYTES`] bytes, at most; counting stops once it is beyond `enough`.
    fn size_up_to(&self, enough: u64) -> u64 {
        match self {
            Self::Computed { size, .. } => *size,
            Self::From(from) => from.iter().map(|v| size_of(v, enough)).max().unwrap_or(1),
        }
    }

    fn size(&self) -> u64 {
        self.size_up_to(LIMIT)
    }

    fn items(&self) -> u64 {
        match self {
            Self::Computed { items, .. } => *items,
            Self::From(from) => from.iter().map(|v| items_of(v)).max().unwrap_or(0),
        }
    }

    /// Any of its items; of a mapping, its keys.
    fn item(&self) -> Self {
        let Self::From(from) = self else { return self.clone() };
        let keys = from.iter().filter_map(|v| v.as_object()).flat_map(|fields| fields.keys());
        match keys.map(|k| weight_of(k) + 1).max() {
            Some(size) => Self::Computed { size: size.max(self.size()), items: self.items() },
            None => Self::of(from.iter().filter_map(|v| v.as_array()).flatten().collect()),
        }
    }

    /// What stands under a key, or under any where the key is computed.
    fn child(&self, key: Option<&str>) -> Self {
        let Self::From(from) = self else { return self.clone() };
        let mut found: Vec<&'a Value> = Vec::new();
        for value in from {
            match (value, key) {
                (Value::Object(fields), Some(key)) => found.extend(fields.get(key)),
                (Value::Object(fields), None) => found.extend(fields.values()),
                (Value::Array(items), _) => found.extend(items),
                _ => {}
            }
        }
        Self::of(found)
    }
}

/// Bytes that are copied or compared in one step.
const BYTES: u64 = 16;

fn weight_of(text: &str) -> u64 {
    text.len() as u64 / BYTES
}

fn size_of(value: &Value, enough: u64) -> u64 {
    let mut size = 0;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        size += 1;
        match value {
            Value::String(text) => size += weight_of(text),
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => {
                size += fields.keys().map(|k| weight_of(k)).sum::<u64>();
                open.extend(fields.values());
            }
            _ => {}
        }
        if size > enough {
            break;
        }
    }
    size
}

fn items_of(value: &Value) -> u64 {
    match value {
        Value::Array(items) => items.len() as u64,
        Value::Object(fields) => fields.len() as u64,
        _ => 0,
    }
}

/// Steps that evaluating the checked expression on the object takes at most.
pub(super) fn weigh(expression: &Expression, object: &Value) -> u64 {
    let mut scales = Scales { steps: 0, names: vec![("object", Bound::of(vec![object]))] };
    scales.walk(expression, 1);
    scales.steps
}

struct Scales<'a> {
    steps: u64,
    names: Vec<(&'a str, Bound<'a>)>,
}

impl<'a> Scales<'a> {
    /// Adds what the expression costs when it is evaluated `times` times.
    fn walk(&mut self, expression: &'a Expression, times: u64) -> Bound<'a> {
        self.spend(1, times);
        if self.steps > LIMIT {
            return Bound::scalar();
        }
        match &expression.expr {
            Expr::Literal(LiteralValue::String(text)) => {
                Bound::Computed { size: weight_of(text.inner()) + 1, items: 0 }
            }
            Expr::Literal(LiteralValue::Bytes(bytes)) => {
                Bound::Computed { size: bytes.inner().len() as u64 / BYTES + 1, items: 0 }
            }
            Expr::Ident(name) => {
                self.names.iter().rev().find(|(n, _)| n == name).map_or_else(Bound::scalar, |(_, b)| b.clone())
            }
            Expr::Call(call) => self.call(call, times),
            Expr::Select(has) => {
                self.walk(&has.operand, times);
                Bound::scalar()
            }
            Expr::List(list) => {
                let parts: Vec<_> = list.elements.iter().map(|e| self.walk(e, times)).collect();
                self.collection(&parts, list.elements.len(), times)
            }
            Expr::Map(map) => {
                let mut parts = Vec::new();
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        parts.extend([self.walk(&entry.key, times), self.walk(&entry.value, times)]);
                    }
                }
                self.collection(&parts, map.entries.len(), times)
            }
            Expr::Comprehension(each) => {
                let range = self.walk(&each.iter_range, times);
                let start = self.walk(&each.accu_init, times);
                let rounds = range.items();
                let inner = times.saturating_mul(rounds);
                let item = range.item();
                self.spend(item.size(), inner);
                let known = self.names.len();
                // One round adds to the accumulator what the step yields for an empty one: macros
                // yield a bool, a count, or the accumulator with one more item.
                let empty = Bound::Computed { size: 0, items: 0 };
                self.names.extend([(each.iter_var.as_str(), item), (each.accu_var.as_str(), empty)]);
                self.walk(&each.loop_cond, inner);
                let round = self.walk(&each.loop_step, inner);
                let grown = match round.items() {
                    // A bool or a count takes the place of the one before.
                    0 => Bound::Computed { size: start.size().max(round.size()), items: 0 },
                    items => Bound::Computed {
                        size: start.size().saturating_add(round.size().saturating_mul(rounds)),
                        items: start.items().saturating_add(items.saturating_mul(rounds)),
                    },
                };
                // The accumulator, half of it on average, is copied twice in every round.
                self.spend(grown.size(), inner);
                if let Some(accumulator) = self.names.last_mut() {
                    accumulator.1 = grown;
                }
                let result = self.walk(&each.result, times);
                self.names.truncate(known);
                result
            }
            _ => Bound::scalar(),
        }
    }

    fn spend(&mut self, steps: u64, times: u64) {
        self.steps = self.steps.saturating_add(steps.saturating_mul(times));
    }

    fn collection(&mut self, parts: &[Bound<'a>], items: usize, times: u64) -> Bound<'a> {
        let size = parts.iter().fold(1_u64, |sum, part| sum.saturating_add(part.size()));
        self.spend(size, times);
        Bound::Computed { size, items: items as u64 }
    }

    fn call(&mut self, call: &'a CallExpr, times: u64) -> Bound<'a> {
        let target = call.target.as_deref().filter(|t| !self.is_module(t));
        let parts: Vec<_> = target.into_iter().chain(&call.args).map(|part| self.walk(part, times)).collect();
        if self.steps > LIMIT {
            return Bound::scalar();
        }
        match (call.func_name.as_str(), parts.as_slice()) {
            (operators::INDEX, [value, _]) => {
                let child = value.child(literal(&call.args[1]));
                if let Bound::Computed { size, .. } = child {
                    self.spend(size, times);
                }
                child
            }
            (operators::CONDITIONAL, [_, Bound::From(left), Bound::From(right)]) => {
                Bound::of(left.iter().chain(right).copied().collect())
            }
            (operators::CONDITIONAL, [_, left, right]) => {
                Bound::Computed { size: left.size().max(right.size()), items: left.items().max(right.items()) }
            }
            (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => {
                let least = match (left, right) {
                    (Bound::Computed { size, .. }, other) | (other, Bound::Computed { size, .. }) => {
                        other.size_up_to(*size).min(*size)
                    }
                    (left, right) => left.size().saturating_add(right.size()),
                };
                self.spend(least, times);
                Bound::scalar()
            }
            (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, _) => Bound::scalar(),
            (operators::IN, [key, Bound::From(from)]) if from.iter().all(|v| v.is_object()) => {
                self.spend(key.size_up_to(64), times);
                Bound::scalar()
            }
            (name, parts) => {
                let size = parts.iter().fold(0_u64, |sum, p| sum.saturating_add(p.size()));
                let items = parts.iter().fold(0_u64, |sum, p| sum.saturating_add(p.items()));
                self.spend(size.saturating_mul(2), times);
                match name {
                    operators::ADD => Bound::Computed { size, items },
                    "matches" | "find" => {
                        let pattern = call.args.last().and_then(literal).unwrap_or("");
                        let escapes = pattern.matches('\\').count() as u64;
                        let repetitions = if pattern.contains('{') { REPETITIONS } else { 0 };
                        self.spend(PATTERN + escapes * ESCAPE + repetitions, times);
                        Bound::Computed { size: size.saturating_add(16), items: 0 }
                    }
                    // Up to one item a byte.
                    "split" => {
                        let items = size.saturating_add(1).saturating_mul(BYTES);
                        Bound::Computed { size: items.saturating_add(size), items }
                    }
                    // Every other function in the list of `check` yields a scalar that is no larger
                    // than what it was given, or than a number in writing.
                    _ => Bound::Computed { size: size.saturating_add(3), items: 0 },
                }
            }
        }
    }

    fn is_module(&self, expression: &Expression) -> bool {
        matches!(&expression.expr, Expr::Ident(name) if !self.names.iter().any(|(n, _)| n == name))
    }
}

fn literal(expression: &Expression) -> Option<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

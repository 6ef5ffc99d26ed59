//! Health expressions: CEL over `object`, compiled once, each evaluation bounded.
//!
//! The evaluator differs from the one in the API server in known ways. What it would evaluate
//! wrongly is refused by name when it is compiled (`check`), and what it would evaluate for too
//! long is not begun (`weigh`). An expression that cannot be evaluated makes the health `Unknown`
//! with the cause; it never passes for true or false.

mod check;
mod weigh;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use kube_cel::KubeCelExt;
use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::parser::{Expression, Parser};
use kube_cel::cel::{Context, ExecutionError, Value as CelValue};
use serde_json::Value;

use super::{Health, Status};
use crate::object::Problem;

/// Health of a kind, as CEL over `object`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// API group of the kind; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The object is as wanted.
    pub current: String,
    /// The object will not become so by itself.
    pub failed: Option<String>,
    /// The object is on its way.
    pub in_progress: Option<String>,
}

/// Compiled rules, by kind.
#[derive(Debug, Default)]
pub struct Expressions {
    rules: BTreeMap<(String, String), Compiled>,
}

/// In the order of evaluation: failed, current, inProgress.
#[derive(Debug)]
struct Compiled(Vec<(Status, Expression)>);

impl Expressions {
    /// Compiles the rules. Those with a problem are left out. Of two rules for a kind the second is
    /// a problem.
    pub fn compile(rules: &[Rule]) -> (Self, Vec<Problem>) {
        let mut compiled = Self::default();
        let mut problems = Vec::new();
        for (at, rule) in rules.iter().enumerate() {
            let place = |field: &str| format!("spec.health[{at}].{field} ({})", rule.kind);
            let key = (rule.group.clone(), rule.kind.clone());
            if compiled.rules.contains_key(&key) {
                problems.push(
                    Problem::new(
                        "DuplicateHealthExpression",
                        format!("{}: the kind has a rule already", place("kind")),
                    )
                    .hint("keep one rule for each kind"),
                );
                continue;
            }
            let fields = [
                (Status::Failed, "failed", rule.failed.as_deref()),
                (Status::Current, "current", Some(rule.current.as_str())),
                (Status::InProgress, "inProgress", rule.in_progress.as_deref()),
            ];
            let before = problems.len();
            let mut expressions = Vec::new();
            for (status, field, source) in fields {
                match source.map(compile) {
                    None => {}
                    Some(Ok(expression)) => expressions.push((status, expression)),
                    Some(Err(refused)) => {
                        let message = format!("{}: {}", place(field), refused.message);
                        let problem = Problem::new("InvalidHealthExpression", message);
                        problems.push(match refused.hint {
                            Some(hint) => problem.hint(hint),
                            None => problem,
                        });
                    }
                }
            }
            if problems.len() == before {
                compiled.rules.insert(key, Compiled(expressions));
            }
        }
        (compiled, problems)
    }

    /// Compiles one expression over `object` that says whether it is ready, for any kind: what a
    /// dependency's `ready` holds. `group` and `kind` are the dependency's.
    pub fn ready(group: &str, kind: &str, source: &str) -> Result<Self, Problem> {
        let rule = Rule { group: group.into(), kind: kind.into(), current: source.into(), ..Rule::default() };
        let (compiled, mut problems) = Self::compile(&[rule]);
        match problems.pop() {
            None => Ok(compiled),
            Some(mut problem) => {
                let (_, told) = problem.message.split_once(": ").unwrap_or(("", &problem.message));
                problem.message = format!("ready: {told}");
                Err(problem)
            }
        }
    }

    /// Whether a rule speaks of the kind.
    pub fn speaks_of(&self, group: &str, kind: &str) -> bool {
        self.rules.contains_key(&(group.to_owned(), kind.to_owned()))
    }

    /// Health by the rule for the kind; `None` where there is none. The first that is true of
    /// failed, current and inProgress decides; where none is, the object is in progress. One that
    /// cannot be evaluated makes it `Unknown`, whatever the later ones say.
    pub(super) fn assess(&self, group: &str, kind: &str, object: &Value) -> Option<Health> {
        let Compiled(expressions) = self.rules.get(&(group.to_owned(), kind.to_owned()))?;
        let mut context = ROOT.new_inner_scope();
        context.add_variable_from_value("object", to_cel(object));
        for (status, expression) in expressions {
            match evaluate(expression, object, &context) {
                Ok(false) => {}
                Ok(true) if *status == Status::Current => return Some(Health::current()),
                Ok(true) => return Some(Health::new(*status, told(object, *status))),
                Err(message) => {
                    let which = match status {
                        Status::Failed => "failed",
                        Status::Current => "current",
                        _ => "inProgress",
                    };
                    return Some(Health::new(Status::Unknown, format!("health expression {which}: {message}")));
                }
            }
        }
        Some(Health::in_progress(told(object, Status::InProgress)))
    }
}

/// What the object says of itself, where it has the usual conditions.
fn told(object: &Value, status: Status) -> String {
    let seen = super::condition(object, "Ready").or_else(|| super::condition(object, "Available"));
    match seen.map(super::read::Seen::explain).filter(|text| !text.is_empty()) {
        Some(text) => text,
        None if status == Status::Failed => "its health expression says that it failed".to_owned(),
        None => "its health expression does not say that it is current yet".to_owned(),
    }
}

/// Functions of the language; registering them costs more than an evaluation.
static ROOT: LazyLock<Context<'static>> = LazyLock::new(|| Context::default().with_all());

/// Why an expression was not compiled.
struct Refused {
    message: String,
    hint: Option<String>,
}

impl Refused {
    fn because(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }
}

/// Bytes of an expression, as the kind's schema has it.
const LONGEST: usize = 4096;
/// Brackets within brackets.
const DEEPEST: usize = 24;
/// The parser's stack. It takes up to 130 KiB a bracket and 30 KiB an operator without
/// optimisation, so this is enough for what the two limits above let pass.
const PARSER_STACK: usize = 128 << 20;

/// Compiles on a thread of its own: the parser recurses deeper than a worker's stack is, and an
/// overflow would end the process.
fn compile(source: &str) -> Result<Expression, Refused> {
    if source.len() > LONGEST {
        return Err(Refused::because(format!("it is longer than {LONGEST} bytes")));
    }
    if nesting(source) > DEEPEST {
        return Err(Refused::because(format!("brackets are nested deeper than {DEEPEST}")));
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("cel-parser".to_owned()).stack_size(PARSER_STACK);
        let started = thread.spawn_scoped(scope, || {
            let mut expression = parse(source)?;
            check::check(&mut expression)?;
            Ok(expression)
        });
        match started.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(_panic)) => Err(Refused::because("it cannot be parsed")),
            Err(error) => Err(Refused::because(format!("no thread could be started to parse it: {error}"))),
        }
    })
}

/// How deep brackets are nested; those in literals count too, which makes no difference to people.
fn nesting(source: &str) -> usize {
    let depths = source.bytes().scan(0_usize, |depth, byte| {
        match byte {
            b'(' | b'[' | b'{' => *depth += 1,
            b')' | b']' | b'}' => *depth = depth.saturating_sub(1),
            _ => {}
        }
        Some(*depth)
    });
    depths.max().unwrap_or(0)
}

fn parse(source: &str) -> Result<Expression, Refused> {
    // The listener of the parser counts other things than brackets; it only gets in the way.
    Parser::new().max_recursion_depth(u16::MAX).parse(source).map_err(|errors| {
        let message = errors.errors.first().map_or_else(|| errors.to_string(), |e| e.msg.clone());
        if message.starts_with("unsupported syntax") {
            Refused {
                message: "optional syntax (a.?b, a[?b], {?a: b}) is not supported".to_owned(),
                hint: Some("write has(object.a) && object.a.b == …".to_owned()),
            }
        } else {
            Refused::because(message)
        }
    })
}

fn evaluate(expression: &Expression, object: &Value, context: &Context<'_>) -> Result<bool, String> {
    let weight = weigh::weigh(expression, object);
    if weight > weigh::LIMIT {
        return Err(format!("too costly for this object ({weight} steps, {} allowed)", weigh::LIMIT));
    }
    // The evaluator panics on what it does not know. All of that is refused above; should one
    // have been missed, one object's health is unknown and the agent lives on.
    match catch_unwind(AssertUnwindSafe(|| context.resolve(expression))) {
        Ok(Ok(CelValue::Bool(verdict))) => Ok(verdict),
        Ok(Ok(other)) => Err(format!("it yields {:?}, not a bool", other.type_of()).to_lowercase()),
        Ok(Err(error)) => Err(explain(&error)),
        Err(_) => Err("it cannot be evaluated".to_owned()),
    }
}

/// The kind of the error without the values that it carries: they could be secret.
fn explain(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}; guard it with has()"),
        ExecutionError::UndeclaredReference(name) => format!("undeclared reference to {name}"),
        ExecutionError::NoSuchOverload => "no such overload: the types do not fit".to_owned(),
        ExecutionError::UnexpectedType { got, want } => format!("got {got}, wanted {want}"),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".to_owned(),
        ExecutionError::Overflow(..) => "overflow".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "index out of bounds".to_owned(),
        ExecutionError::FunctionError { function, .. } => format!("{function}() failed"),
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("a function got {actual} arguments, wanted {expected}")
        }
        _ => "the types do not fit".to_owned(),
    }
}

/// Whole numbers become `int`, as in the API server.
fn to_cel(value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(flag) => CelValue::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(int), _, _) => CelValue::Int(int),
            (None, Some(uint), _) => CelValue::UInt(uint),
            (None, None, float) => CelValue::Float(float.unwrap_or(f64::NAN)),
        },
        Value::String(text) => CelValue::String(Arc::new(text.clone())),
        Value::Array(items) => CelValue::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(fields) => CelValue::Map(Map {
            map: Arc::new(fields.iter().map(|(k, v)| (Key::String(Arc::new(k.clone())), to_cel(v))).collect()),
        }),
    }
}

#[cfg(test)]
mod tests;

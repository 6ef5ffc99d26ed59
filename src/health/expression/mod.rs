//! Health expressions: CEL over `object`, compiled once, each evaluation bounded.
//!
//! They mean what they mean to the API server. An expression that cannot be evaluated makes the health `Unknown` with the
//! cause; it never passes for true or false.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::{Health, Status};
use crate::cel::{Budget, Declared, Fault, Program, Refused, Type, Value as CelValue};
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
struct Compiled(Vec<(Status, Program)>);

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
                    Some(Err(message)) => {
                        let problem = Problem::new("InvalidHealthExpression", format!("{}: {message}", place(field)));
                        problems.push(if message.starts_with("undeclared reference") {
                            problem.hint("an expression speaks of object alone")
                        } else {
                            problem
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
        let scope = [CelValue::from(object)];
        for (status, expression) in expressions {
            match evaluate(expression, &scope) {
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

/// What an expression may name.
static DECLARED: LazyLock<Declared> = LazyLock::new(|| Declared::default().variable("object", Type::Dyn));

/// Bytes of an expression, as the kind's schema has it.
const LONGEST: usize = 4096;
/// What one evaluation may cost; the API server allows five times as much, for one request and not for each of thousands
/// of objects.
const COST: u64 = 200_000;

fn compile(source: &str) -> Result<Program, String> {
    if source.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let program = Program::compile(source, &DECLARED).map_err(|refused: Refused| refused.to_string())?;
    match program.result() {
        Type::Bool | Type::Dyn => Ok(program),
        other => Err(format!("must evaluate to bool but got {other}")),
    }
}

fn evaluate(program: &Program, scope: &[CelValue]) -> Result<bool, String> {
    match program.evaluate(scope, &mut Budget::of(COST)) {
        Ok(CelValue::Bool(verdict)) => Ok(verdict),
        Ok(other) => Err(format!("it yields {}, not a bool", other.type_name())),
        Err(fault) => Err(explain(&fault)),
    }
}

/// The fault without the values that it carries: they could be secret.
fn explain(fault: &Fault) -> String {
    if fault.is_too_costly() {
        return format!("too costly for this object (more than {COST} steps)");
    }
    match fault.quiet() {
        missing if missing.starts_with("no such key: ") => format!("{missing}; guard it with has()"),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests;

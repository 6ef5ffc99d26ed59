//! A policy with its expressions compiled.

use std::collections::BTreeSet;

use super::declare::{VARIABLES, declared, kept};
use super::form::{self, FailurePolicy, MatchResources, ParamKind};
use crate::cel::{Declared, Program, Refused, Type};
use crate::object::Problem;

/// A compiled policy.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) fails: bool,
    pub(super) constraints: MatchResources,
    pub(super) param_kind: Option<ParamKind>,
    pub(super) conditions: Vec<Expression>,
    pub(super) variables: Vec<(String, Expression)>,
    pub(super) validations: Vec<Validation>,
    /// Keys and values of `auditAnnotations`: a failed one refuses the object.
    pub(super) annotations: Vec<(String, Expression)>,
    /// What it would need that is not here; then nothing of it is evaluated.
    pub(super) unavailable: Option<String>,
    /// Whether its expressions name the object as it is.
    pub(super) reads_old: bool,
    /// Whether they name replicas, which others may set.
    pub(super) reads_replicas: bool,
    /// Whether they name the Namespace.
    pub(super) reads_namespace: bool,
}

/// An expression and its text, which messages repeat.
#[derive(Debug)]
pub(super) struct Expression {
    pub(super) source: String,
    pub(super) program: Program,
}

#[derive(Debug)]
pub(super) struct Validation {
    pub(super) expression: Expression,
    pub(super) message: String,
    pub(super) reason: String,
    pub(super) message_expression: Option<Program>,
}

/// What the compiling of a policy found.
#[derive(Default)]
struct Found {
    problems: Vec<Problem>,
    unavailable: Option<String>,
    reads_old: bool,
    reads_replicas: bool,
    reads_namespace: bool,
}

impl Found {
    /// Compiles one expression, which must be of one of the types.
    fn compile(&mut self, field: &str, source: &str, declared: &Declared, wanted: &[Type]) -> Option<Expression> {
        // A name within a text counts too: one look at the live object more than is needed.
        self.reads_old |= source.contains("oldObject");
        self.reads_replicas |= source.contains("replicas");
        self.reads_namespace |= source.contains("namespaceObject");
        match Program::compile(source, declared) {
            Ok(program) if wanted.is_empty() || wanted.contains(program.result()) => {
                return Some(Expression { source: source.to_owned(), program });
            }
            Ok(program) => {
                let names: Vec<_> = wanted.iter().map(ToString::to_string).collect();
                let message = format!("{field}: must evaluate to {} but got {}", names.join(" or "), program.result());
                self.problems.push(Problem::new("InvalidPolicy", message));
            }
            Err(Refused::Invalid(message)) => {
                self.problems.push(Problem::new("InvalidPolicy", format!("{field}: {message}")));
            }
            Err(Refused::Unavailable(why)) => {
                self.unavailable.get_or_insert_with(|| format!("{field}: {why}"));
            }
        }
        None
    }
}

/// Compiles a policy. One with a problem is not there; one that needs what is not available here is, and says so.
pub(super) fn policy(form: form::Policy) -> (Option<Policy>, Vec<Problem>) {
    let form::Policy { name, spec } = form;
    let mut found = Found::default();
    let with_params = spec.param_kind.is_some();
    let mut names = declared(with_params);
    let mut conditions = Vec::new();
    for condition in &spec.match_conditions {
        let field = format!("spec.matchConditions[{}].expression", condition.name);
        conditions.extend(found.compile(&field, &condition.expression, &names, &[Type::Bool]));
    }
    names = names.object(VARIABLES, &[]).variable(VARIABLES, Type::Struct(VARIABLES));
    let mut variables = Vec::new();
    let mut seen = BTreeSet::new();
    for variable in &spec.variables {
        let field = format!("spec.variables[{}].expression", variable.name);
        if !seen.insert(variable.name.as_str()) {
            found.problems.push(Problem::new("InvalidPolicy", format!("{field}: the name stands twice")));
        }
        let of = found.compile(&field, &variable.expression, &names, &[]).map(|expression| {
            let of = kept(expression.program.result());
            variables.push((variable.name.clone(), expression));
            of
        });
        // One that was not compiled is told once, and not again by each expression that uses it.
        names.field(VARIABLES, &variable.name, of.unwrap_or(Type::Dyn));
    }
    let mut validations = Vec::new();
    for (at, validation) in spec.validations.iter().enumerate() {
        let field = format!("spec.validations[{at}]");
        let expression = found.compile(&format!("{field}.expression"), &validation.expression, &names, &[Type::Bool]);
        let message = match validation.message_expression.as_str() {
            "" => None,
            source => found.compile(&format!("{field}.messageExpression"), source, &names, &[Type::String]),
        };
        validations.extend(expression.map(|expression| Validation {
            expression,
            message: validation.message.trim().to_owned(),
            reason: validation.reason.clone().unwrap_or_else(|| "Invalid".to_owned()),
            message_expression: message.map(|message| message.program),
        }));
    }
    let mut annotations = Vec::new();
    for annotation in &spec.audit_annotations {
        let field = format!("spec.auditAnnotations[{}].valueExpression", annotation.key);
        let value = found.compile(&field, &annotation.value_expression, &names, &[Type::String, Type::Null]);
        annotations.extend(value.map(|value| (annotation.key.clone(), value)));
    }
    if !found.problems.is_empty() {
        return (None, found.problems);
    }
    let policy = Policy {
        name,
        fails: spec.failure_policy == FailurePolicy::Fail,
        constraints: spec.match_constraints.unwrap_or_default(),
        param_kind: spec.param_kind,
        conditions,
        variables,
        validations,
        annotations,
        unavailable: found.unavailable,
        reads_old: found.reads_old,
        reads_replicas: found.reads_replicas,
        reads_namespace: found.reads_namespace,
    };
    (Some(policy), Vec::new())
}
